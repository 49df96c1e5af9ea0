//! Writes a pack as a stream: small ones stay in memory until they are whole, large ones do not.
//!
//! The memory used is 32 bytes an object, and a buffer.

use std::path::PathBuf;

use gix_hash::ObjectId;
use gix_object::Kind;
use gix_odb::pack::data::entry::Header;

use super::{Compressor, IndexEntry, index};
use crate::{
    Error, Result,
    git::{
        files::{self, NewFile},
        odb::id_of,
    },
};

/// Buffered up to here; a pack that is smaller is written at once.
const BUFFER_BYTES: usize = 4 << 20;
/// What of the buffer is kept between packs.
const BUFFER_KEPT_BYTES: usize = 256 << 10;
const SIGNATURE_AND_VERSION: [u8; 8] = *b"PACK\0\0\0\x02";
const HEADER_BYTES: usize = 12;

/// A pack in the making. Its files lie in a private directory until it is installed.
pub(in super::super) struct PackWriter<'a> {
    /// The files, without their extensions.
    base: PathBuf,
    file: Option<NewFile>,
    /// What is not in the file yet.
    buffer: Vec<u8>,
    /// Length of the file and the buffer.
    len: u64,
    entries: Vec<IndexEntry>,
    compressor: &'a mut Compressor,
    compressed: Vec<u8>,
}

/// A pack whose files are whole, and may not be durable yet.
pub(in super::super) struct WrittenPack {
    pub(super) pack: NewFile,
    pub(super) index: NewFile,
    pub(super) checksum: ObjectId,
}

impl<'a> PackWriter<'a> {
    /// Begins a pack; `base` is the path of its files, to which `.pack` and `.idx` are added.
    pub(in super::super) fn new(base: PathBuf, compressor: &'a mut Compressor) -> Self {
        let mut buffer = std::mem::take(&mut compressor.buffer);
        buffer.clear();
        buffer.extend_from_slice(&SIGNATURE_AND_VERSION);
        buffer.extend_from_slice(&[0; 4]);
        Self {
            base,
            file: None,
            len: buffer.len() as u64,
            buffer,
            entries: Vec::new(),
            compressor,
            compressed: Vec::new(),
        }
    }

    /// Number of objects written.
    pub(in super::super) fn count(&self) -> usize {
        self.entries.len()
    }

    /// Adds an object and returns its id. Each object must be added once only.
    pub(in super::super) fn add(&mut self, kind: Kind, content: &[u8]) -> Result<ObjectId> {
        let id = id_of(kind, content)?;
        self.add_known(id, kind, content)?;
        Ok(id)
    }

    /// Adds an object whose id is known.
    pub(in super::super) fn add_known(&mut self, id: ObjectId, kind: Kind, content: &[u8]) -> Result<()> {
        let mut header = Vec::with_capacity(16);
        entry_header(kind)
            .write_to(content.len() as u64, &mut header)
            .map_err(|error| Error::io("write", &self.base, error))?;
        let mut compressed = std::mem::take(&mut self.compressed);
        self.compressor.compress(kind, content, &mut compressed)?;
        let added = self.add_entry(id, &[&header, &compressed]);
        self.compressed = compressed;
        added
    }

    /// Adds an entry as it is in another pack, in pieces.
    pub(in super::super) fn add_entry(&mut self, id: ObjectId, pieces: &[&[u8]]) -> Result<()> {
        let mut crc = crc32fast::Hasher::new();
        let offset = self.len;
        for piece in pieces {
            crc.update(piece);
            self.buffer.extend_from_slice(piece);
            self.len += piece.len() as u64;
        }
        let id = *id.as_slice().first_chunk().expect("a SHA-1 id has 20 bytes");
        self.entries.push(IndexEntry { id, crc: crc.finalize(), offset });
        if self.buffer.len() >= BUFFER_BYTES {
            self.spill()?;
        }
        Ok(())
    }

    /// Adds a delta of another pack, compressed there already; its base begins at `base`.
    pub(super) fn add_delta(&mut self, id: ObjectId, base: u64, len: u64, compressed: &[u8]) -> Result<()> {
        let header = Header::OfsDelta { base_distance: self.len - base };
        let mut bytes = Vec::with_capacity(16);
        header.write_to(len, &mut bytes).map_err(|error| Error::io("write", &self.base, error))?;
        self.add_entry(id, &[&bytes, compressed])
    }

    /// Adds a delta; its base begins at `base`.
    pub(super) fn add_new_delta(&mut self, id: ObjectId, base: u64, delta: &[u8]) -> Result<()> {
        let mut compressed = std::mem::take(&mut self.compressed);
        // What a delta inserts is mostly hashes or what they stand for, and short.
        self.compressor.compress(Kind::Tree, delta, &mut compressed)?;
        let added = self.add_delta(id, base, delta.len() as u64, &compressed);
        self.compressed = compressed;
        added
    }

    /// Where the next entry will begin.
    pub(in super::super) fn offset(&self) -> u64 {
        self.len
    }

    /// Writes what is left, and the index.
    pub(in super::super) fn finish(mut self) -> Result<WrittenPack> {
        let count = u32::try_from(self.entries.len()).map_err(|_| Error::InvalidCommit {
            reason: format!("{} Git objects do not fit one pack", self.entries.len()),
        })?;
        let mut hasher = gix_hash::hasher(gix_hash::Kind::Sha1);
        let mut pack = match self.file.take() {
            // The checksum covers the number of objects at the very beginning, so a large pack is read once more.
            Some(mut file) => {
                file.write_all(&self.buffer)?;
                file.overwrite(8, &count.to_be_bytes())?;
                file.read_back(|piece| hasher.update(piece))?;
                self.buffer.clear();
                file
            }
            None => {
                self.buffer[8..HEADER_BYTES].copy_from_slice(&count.to_be_bytes());
                hasher.update(&self.buffer);
                NewFile::create(&self.base.with_extension("pack"))?
            }
        };
        let checksum = finalize(hasher)?;
        self.buffer.extend_from_slice(checksum.as_slice());
        pack.write_all(&self.buffer)?;
        self.entries.sort_unstable();
        let mut index = NewFile::create(&self.base.with_extension("idx"))?;
        index.write_all(&index::encode(&self.entries, &checksum)?)?;
        Ok(WrittenPack { pack, index, checksum })
    }

    fn spill(&mut self) -> Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(NewFile::create(&self.base.with_extension("pack"))?),
        };
        file.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

/// The checksum that ends packs and indexes.
pub(super) fn checksum_of(bytes: &[u8]) -> Result<ObjectId> {
    let mut hasher = gix_hash::hasher(gix_hash::Kind::Sha1);
    hasher.update(bytes);
    finalize(hasher)
}

fn finalize(hasher: gix_hash::Hasher) -> Result<ObjectId> {
    hasher.try_finalize().map_err(|error| Error::GitObject {
        action: "hash",
        object: "in a pack".to_owned(),
        source: Box::new(error),
    })
}

fn entry_header(kind: Kind) -> Header {
    match kind {
        Kind::Commit => Header::Commit,
        Kind::Tree => Header::Tree,
        Kind::Blob => Header::Blob,
        Kind::Tag => Header::Tag,
    }
}

impl Drop for PackWriter<'_> {
    fn drop(&mut self) {
        self.compressor.buffer = std::mem::take(&mut self.buffer);
        self.compressor.buffer.shrink_to(BUFFER_KEPT_BYTES);
        // A pack that is given up; what cannot be removed now is when the directory is next cleared.
        if let Some(file) = self.file.take() {
            drop(files::remove(file.path()));
        }
    }
}
