//! Reads a blob part by part, or from the middle.
//!
//! **Invariant:** at most one part and one list per level are in memory, and no byte is returned whose position is not
//! confirmed by every length above it.

use std::{ops::Deref, sync::Arc};

use super::{Blob, list::List};
use crate::{Error, Hash, Link, NodeReader, Record, RecordKind, Result};

/// Where the payload of a record without links begins.
const PART_HEADER_BYTES: usize = 4;

/// Reads a blob; made by [`BlobReader::open`].
pub struct BlobReader<'a> {
    reader: Source<'a>,
    len: u64,
    position: u64,
    /// The path to the part read last, from the top.
    path: Vec<Step>,
}

/// Where objects are read from.
enum Source<'a> {
    Borrowed(&'a dyn NodeReader),
    Shared(Arc<dyn NodeReader>),
}

impl Source<'_> {
    fn get(&self) -> &dyn NodeReader {
        match self {
            Self::Borrowed(reader) => *reader,
            Self::Shared(reader) => &**reader,
        }
    }
}

/// An object of the blob on the path, and the bytes of the blob it holds.
struct Step {
    hash: Hash,
    record: Arc<[u8]>,
    /// 0 for a part.
    level: u8,
    start: u64,
    len: u64,
}

/// A part of a blob, or what is left of it after the position it was asked for; dereferences to its bytes.
#[derive(Clone, Debug)]
pub struct BlobPart {
    record: Arc<[u8]>,
    skip: usize,
}

impl Deref for BlobPart {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.record[PART_HEADER_BYTES + self.skip..]
    }
}

impl<'a> BlobReader<'a> {
    /// Opens the blob at `link`, whose length is `len` bytes, reading the object at its top.
    ///
    /// # Errors
    /// [`Error::Missing`] when it is not in the store, [`Error::Corrupt`] when it is not a blob of that length,
    /// [`Error::Store`] when the store failed.
    pub fn open(reader: &'a dyn NodeReader, link: &Link, len: u64) -> Result<Self> {
        Self::over(Source::Borrowed(reader), link, len)
    }

    /// Opens a blob as [`BlobReader::open`] does, to be kept as long as one likes.
    ///
    /// # Errors
    /// As [`BlobReader::open`].
    pub fn open_shared(reader: Arc<dyn NodeReader>, link: &Link, len: u64) -> Result<BlobReader<'static>> {
        BlobReader::over(Source::Shared(reader), link, len)
    }

    fn over(reader: Source<'a>, link: &Link, len: u64) -> Result<Self> {
        let top = Step::read(reader.get(), link, 0, len, None)?;
        Ok(Self { reader, len, position: 0, path: vec![top] })
    }

    /// Opens `blob`; see [`BlobReader::open`].
    ///
    /// # Errors
    /// As [`BlobReader::open`].
    pub fn of(reader: &'a dyn NodeReader, blob: &Blob) -> Result<Self> {
        Self::open(reader, &Link::from(blob.hash), blob.len)
    }

    /// Length of the blob in bytes.
    #[expect(clippy::len_without_is_empty, reason = "it is a length in bytes, known from outside")]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Where [`BlobReader::next_part`] goes on.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Lets [`BlobReader::next_part`] go on at byte `offset`; from the end on there is no next part.
    pub fn seek(&mut self, offset: u64) {
        self.position = offset;
    }

    /// Returns the bytes from the position to the end of their part, and moves past them; `None` at the end. Reading
    /// on costs one object per part, a jump one object per level.
    ///
    /// # Errors
    /// [`Error::Missing`] when an object is not in the store, [`Error::Corrupt`] when one is not what the object above
    /// it says, [`Error::Store`] when the store failed. The position stays.
    pub fn next_part(&mut self) -> Result<Option<BlobPart>> {
        let part = self.part_at(self.position)?;
        if let Some(part) = &part {
            self.position += part.len() as u64;
        }
        Ok(part)
    }

    /// Copies the bytes at `offset` into `buffer`, and returns how many there were: fewer than asked for only at the end
    /// of the blob. The position stays.
    ///
    /// # Errors
    /// As [`BlobReader::next_part`].
    pub fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            let Some(part) = offset.checked_add(filled as u64).map_or(Ok(None), |at| self.part_at(at))?
            else {
                break;
            };
            let count = part.len().min(buffer.len() - filled);
            buffer[filled..filled + count].copy_from_slice(&part[..count]);
            filled += count;
        }
        Ok(filled)
    }

    fn part_at(&mut self, offset: u64) -> Result<Option<BlobPart>> {
        if offset >= self.len {
            return Ok(None);
        }
        while self.path.len() > 1 && !self.path.last().is_some_and(|step| step.holds(offset)) {
            self.path.pop();
        }
        loop {
            let step = self.path.last().expect("the top is never removed");
            if step.level == 0 {
                let skip = usize::try_from(offset - step.start).expect("a part is short");
                return Ok(Some(BlobPart { record: Arc::clone(&step.record), skip }));
            }
            let child = step.child(self.reader.get(), offset)?;
            self.path.push(child);
        }
    }
}

impl Step {
    /// Reads an object that has to hold the bytes from `start` on, `len` of them; `level` is `None` at the top.
    fn read(reader: &dyn NodeReader, link: &Link, start: u64, len: u64, level: Option<u8>) -> Result<Self> {
        let record = reader.read_record(link)?;
        let (found_level, found_len) =
            measure(&record, level.is_none()).map_err(|error| error.of_object(&link.hash))?;
        let corrupt = |reason| Err(Error::Corrupt { hash: link.hash, reason });
        if found_len != len {
            return corrupt(format!("it holds {found_len} bytes of a blob, the link to it says {len}"));
        }
        if let Some(expected) = level
            && found_level != expected
        {
            return corrupt(format!(
                "it has level {found_level} of a blob, its place is at level {expected}"
            ));
        }
        Ok(Self { hash: link.hash, record, level: found_level, start, len })
    }

    fn holds(&self, offset: u64) -> bool {
        offset >= self.start && offset - self.start < self.len
    }

    fn child(&self, reader: &dyn NodeReader, offset: u64) -> Result<Self> {
        let list = Record::decode(&self.record).and_then(List::decode);
        let list = list.map_err(|error| error.of_object(&self.hash))?;
        let (hash, start, len) =
            list.child_at(offset - self.start).expect("the list holds the offset, its lengths were summed");
        Self::read(reader, &Link::from(hash), self.start + start, len, Some(self.level - 1))
    }
}

/// The level and length of an object of a blob, its format checked.
fn measure(record: &[u8], is_top: bool) -> Result<(u8, u64)> {
    let record = Record::decode(record)?;
    match record.kind {
        RecordKind::BlobPart
            if record.links().len() == 0 && record.payload.len() <= super::PART_BYTES_MAX =>
        {
            Ok((0, record.payload.len() as u64))
        }
        RecordKind::BlobList => {
            let list = List::decode(record)?;
            if is_top && list.count() == 1 {
                return Err(Error::malformed("the list at the top of a blob has a single child"));
            }
            Ok((list.level, list.len))
        }
        kind => Err(Error::malformed(format!("a record of kind {kind:?} is no part of a blob"))),
    }
}
