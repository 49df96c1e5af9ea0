//! Writes a pack as a stream: small ones stay in memory until they are whole, large ones do not.
//!
//! The memory used is 32 bytes an object, and a buffer.

use std::path::PathBuf;

use gix_hash::ObjectId;
use gix_object::Kind;
use gix_zlib::{
    Compression, Status,
    stream::deflate::{Compress, FlushCompress},
};

use super::{IndexEntry, index};
use crate::{
    Error, Result,
    git::{files::NewFile, odb::id_of},
};

/// Buffered up to here; a pack that is smaller is written at once.
const BUFFER_BYTES: usize = 4 << 20;
/// Contents of at least this many bytes are compressed only if a sample of them can be.
const SAMPLED_BYTES: usize = 2048;
const SAMPLE_BYTES: usize = 512;
const SIGNATURE_AND_VERSION: [u8; 8] = *b"PACK\0\0\0\x02";
const HEADER_BYTES: usize = 12;

/// Level 1 makes random bytes longer by 5 %; this one does not, and takes hardly longer.
fn level() -> Compression {
    Compression::new(2).expect("2 is a level")
}

/// A pack in the making. Its files lie in a private directory until it is installed.
pub(in super::super) struct PackWriter {
    /// The files, without their extensions.
    base: PathBuf,
    file: Option<NewFile>,
    /// What is not in the file yet.
    buffer: Vec<u8>,
    /// Length of the file and the buffer.
    len: u64,
    entries: Vec<IndexEntry>,
    deflate: Compress,
    store: Compress,
    compressed: Vec<u8>,
}

/// A pack whose files are whole, and may not be durable yet.
pub(super) struct WrittenPack {
    pub(super) pack: NewFile,
    pub(super) index: NewFile,
    pub(super) checksum: ObjectId,
}

impl PackWriter {
    /// Begins a pack; `base` is the path of its files, to which `.pack` and `.idx` are added.
    pub(in super::super) fn new(base: PathBuf) -> Self {
        let mut buffer = Vec::with_capacity(64 << 10);
        buffer.extend_from_slice(&SIGNATURE_AND_VERSION);
        buffer.extend_from_slice(&[0; 4]);
        Self {
            base,
            file: None,
            len: buffer.len() as u64,
            buffer,
            entries: Vec::new(),
            deflate: Compress::new(level()),
            store: Compress::new(Compression::NONE),
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
        let mut header = Vec::with_capacity(10);
        write_entry_header(&mut header, kind, content.len() as u64);
        let mut compressed = std::mem::take(&mut self.compressed);
        if is_compressible(&mut self.deflate, content, &mut compressed)? {
            compress(&mut self.deflate, content, &mut compressed)?;
        } else {
            compress(&mut self.store, content, &mut compressed)?;
        }
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

    /// Where the next entry will begin.
    pub(in super::super) fn offset(&self) -> u64 {
        self.len
    }

    /// Writes what is left, and the index.
    pub(super) fn finish(mut self) -> Result<WrittenPack> {
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

/// Whether compressing is worth the time, which random bytes cost most of: a sample from the middle decides.
fn is_compressible(deflate: &mut Compress, content: &[u8], buffer: &mut Vec<u8>) -> Result<bool> {
    if content.len() < SAMPLED_BYTES {
        return Ok(true);
    }
    let start = (content.len() - SAMPLE_BYTES) / 2;
    compress(deflate, &content[start..start + SAMPLE_BYTES], buffer)?;
    Ok(buffer.len() < SAMPLE_BYTES - SAMPLE_BYTES / 16)
}

/// Compresses `content` into `out`, replacing what it held.
fn compress(deflate: &mut Compress, content: &[u8], out: &mut Vec<u8>) -> Result<()> {
    deflate.reset();
    // Mostly enough; data that cannot be compressed grows a little.
    out.resize(content.len() + content.len() / 16 + 64, 0);
    let len = |total: u64| usize::try_from(total).expect("both buffers are in memory");
    loop {
        let (read, written) = (len(deflate.total_in()), len(deflate.total_out()));
        let status = deflate.compress(&content[read..], &mut out[written..], FlushCompress::Finish).map_err(
            |error| Error::GitObject {
                action: "compress",
                object: format!("of {} bytes", content.len()),
                source: Box::new(error),
            },
        )?;
        if status == Status::StreamEnd {
            out.truncate(len(deflate.total_out()));
            return Ok(());
        }
        out.resize(out.len() * 2, 0);
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

/// Writes the kind and the length of an object as they stand before its content in a pack.
fn write_entry_header(out: &mut Vec<u8>, kind: Kind, len: u64) {
    let kind: u8 = match kind {
        Kind::Commit => 1,
        Kind::Tree => 2,
        Kind::Blob => 3,
        Kind::Tag => 4,
    };
    let mut byte = kind << 4 | low_bits(len, 4);
    let mut rest = len >> 4;
    while rest > 0 {
        out.push(byte | 0x80);
        byte = low_bits(rest, 7);
        rest >>= 7;
    }
    out.push(byte);
}

fn low_bits(value: u64, bits: u32) -> u8 {
    u8::try_from(value & ((1 << bits) - 1)).expect("at most seven bits are left")
}
