//! Writes a blob as its bytes arrive.
//!
//! **Invariant:** memory in use is bounded (about 1 MiB of bytes and one unfinished list per level), whatever the length.

use std::io;

use super::{
    Blob,
    cut::{PART_BYTES_MAX, part_len},
    list,
};
use crate::{Error, Hash, NodeWriter, Record, RecordKind, Result};

/// Bytes gathered before parts are cut from them: several of the longest, so that little is moved afterwards.
const BUFFER_BYTES: usize = 4 * PART_BYTES_MAX;

/// Writes a blob piece by piece: [`push`](Self::push) its bytes in order, then [`finish`](Self::finish).
///
/// Parts and lists go to the store as soon as they are complete, each before what links to it. A writer that is dropped
/// instead leaves objects that nothing links to. It is also an [`io::Write`].
pub struct BlobWriter<'a> {
    sink: Sink<'a>,
    buffer: Vec<u8>,
    len: u64,
    failed: bool,
}

impl<'a> BlobWriter<'a> {
    /// Starts an empty blob.
    pub fn new(writer: &'a dyn NodeWriter) -> Self {
        Self::with_writer(Some(writer))
    }

    fn with_writer(writer: Option<&'a dyn NodeWriter>) -> Self {
        let sink = Sink { writer, levels: Vec::new() };
        Self { sink, buffer: Vec::new(), len: 0, failed: false }
    }

    /// Number of bytes pushed so far.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing has been pushed yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends `bytes`.
    ///
    /// # Errors
    /// [`Error::Store`] when the store failed; the blob is lost then, and every later call fails too.
    pub fn push(&mut self, bytes: &[u8]) -> Result<()> {
        self.guarded(|this| this.push_all(bytes))
    }

    /// Writes what is left and returns the length and address.
    ///
    /// # Errors
    /// [`Error::Store`] when the store failed, now or earlier.
    pub fn finish(mut self) -> Result<Blob> {
        self.guarded(|this| {
            let mut rest = &this.buffer[..];
            while !rest.is_empty() {
                rest = this.sink.part(rest)?;
            }
            if this.len == 0 {
                this.sink.part(&[])?;
            }
            Ok(Blob { len: this.len, hash: this.sink.top()? })
        })
    }

    fn push_all(&mut self, mut bytes: &[u8]) -> Result<()> {
        self.len += bytes.len() as u64;
        while !bytes.is_empty() {
            if self.buffer.is_empty() && bytes.len() >= PART_BYTES_MAX {
                bytes = self.sink.part(bytes)?;
                continue;
            }
            let (now, later) = bytes.split_at(bytes.len().min(BUFFER_BYTES - self.buffer.len()));
            self.buffer.extend_from_slice(now);
            bytes = later;
            if self.buffer.len() == BUFFER_BYTES {
                let mut rest = &self.buffer[..];
                while rest.len() >= PART_BYTES_MAX {
                    rest = self.sink.part(rest)?;
                }
                let rest_len = rest.len();
                self.buffer.drain(..BUFFER_BYTES - rest_len);
            }
        }
        Ok(())
    }

    /// Runs a step, and none after one has failed: what it was writing is gone.
    fn guarded<T>(&mut self, step: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.failed {
            return Err(Error::store("an earlier part of the blob could not be written"));
        }
        let result = step(self);
        self.failed = result.is_err();
        result
    }
}

impl io::Write for BlobWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    /// Does nothing: a part is written when it is complete, and [`BlobWriter::finish`] writes the last ones.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Computes the length and address of a blob.
pub(super) fn address(bytes: &[u8]) -> Blob {
    let mut writer = BlobWriter::with_writer(None);
    writer.push(bytes).and_then(|()| writer.finish()).expect("without a store nothing can fail")
}

/// Turns parts into records, and records into lists.
struct Sink<'a> {
    /// `None` when only the address is wanted.
    writer: Option<&'a dyn NodeWriter>,
    /// The unfinished list of every level; the first holds parts.
    levels: Vec<Unfinished>,
}

#[derive(Default)]
struct Unfinished {
    links: Vec<Hash>,
    lens: Vec<u64>,
}

impl Sink<'_> {
    /// Writes the part that `bytes` begins with, and returns the bytes after it.
    fn part<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8]> {
        let (part, rest) = bytes.split_at(part_len(bytes));
        let hash = self.write(Record::encode(RecordKind::BlobPart, &[], part)?)?;
        self.child(0, hash, part.len() as u64)?;
        Ok(rest)
    }

    /// Adds a child to the list of `level`, and ends that list if it ends there.
    fn child(&mut self, level: usize, hash: Hash, len: u64) -> Result<()> {
        if self.levels.len() == level {
            self.levels.push(Unfinished::default());
        }
        let list = &mut self.levels[level];
        list.links.push(hash);
        list.lens.push(len);
        if list::ends_at(list.links.len(), &hash) { self.end_list(level) } else { Ok(()) }
    }

    fn end_list(&mut self, level: usize) -> Result<()> {
        let list = std::mem::take(&mut self.levels[level]);
        let list_level = u8::try_from(level + 1).expect("every level is 64 times shorter than the one below");
        let hash = self.write(list::encode(list_level, &list.links, &list.lens)?)?;
        self.child(level + 1, hash, list.lens.iter().sum())
    }

    /// Ends every list, from the lowest, until one object is left.
    fn top(&mut self) -> Result<Hash> {
        let mut level = 0;
        loop {
            let is_highest = level + 1 == self.levels.len();
            match self.levels[level].links[..] {
                [only] if is_highest => return Ok(only),
                [] => {}
                _ => self.end_list(level)?,
            }
            level += 1;
        }
    }

    fn write(&self, encoded: Vec<u8>) -> Result<Hash> {
        let hash = Record::address(&encoded);
        if let Some(writer) = self.writer {
            writer.write_record(hash, encoded)?;
        }
        Ok(hash)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Bytes that look random and are the same on every machine.
    pub(in crate::blob) fn noise(len: usize, seed: u8) -> Vec<u8> {
        let mut bytes = vec![0; len];
        blake3::Hasher::new_keyed(&[seed; 32]).finalize_xof().fill(&mut bytes);
        bytes
    }

    /// The lists over made-up parts, as (level, children) in the order of writing, and the top.
    fn lists(parts: impl Iterator<Item = Hash>) -> (Vec<(u8, Vec<Hash>)>, Hash) {
        let buffer = crate::NodeBuffer::new();
        let mut sink = Sink { writer: Some(&buffer), levels: Vec::new() };
        for part in parts {
            sink.child(0, part, 1).unwrap();
        }
        let top = sink.top().unwrap();
        let mut found = Vec::new();
        let mut open = vec![top];
        while let Some(hash) = open.pop() {
            if let Some(bytes) = buffer.buffered_record(&hash) {
                let record = Record::decode(&bytes).unwrap();
                found.push((record.payload[0], record.links().collect()));
                open.extend(record.links());
            }
        }
        (found, top)
    }

    fn part(number: u32) -> Hash {
        blake3::hash(&number.to_le_bytes()).into()
    }

    #[test]
    fn lists_are_cut_by_content_and_an_edit_rewrites_few() {
        let count = 30_000;
        let (before, _) = lists((0..count).map(part));
        assert!(before.iter().all(|(_, links)| links.len() <= list::LIST_LINKS_MAX));
        let levels = before.iter().map(|(level, _)| *level).max().unwrap();
        assert!(levels >= 2, "{levels} levels");
        for edit in [5, 11_111, 29_990] {
            // One part becomes two, as when bytes are put in.
            let edited = (0..edit).chain([1_000_000, 1_000_001]).chain(edit + 1..count);
            let (after, _) = lists(edited.map(part));
            let new = after.iter().filter(|list| !before.contains(list)).count();
            assert!(new <= 3 * usize::from(levels), "{new} new lists after an edit at {edit}");
        }
    }

    #[test]
    fn equal_parts_make_full_lists() {
        for first_byte in [0, 1] {
            let mut bytes = [9; 32];
            bytes[0] = first_byte;
            let (found, _) = lists(std::iter::repeat_n(Hash::new(bytes), 100_000));
            let expected = if first_byte == 0 { 64 } else { 1024 };
            assert!(
                found
                    .iter()
                    .filter(|(level, _)| *level == 1)
                    .all(|(_, links)| links.len() == expected || links.len() == 100_000 % expected)
            );
        }
    }
}
