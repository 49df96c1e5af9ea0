//! Frames: what a staging journal is written in, so that a torn end is told from damage.
//!
//! ```text
//! 0   length of the payload u32 LE
//! 4   check of the length: the first 4 bytes of BLAKE3(offset of the frame u64 LE | length)
//! 8   check of the payload: the first 16 bytes of BLAKE3(offset of the frame u64 LE | payload)
//! 24  payload
//! ```
//!
//! **Invariant:** a file cut anywhere, and perhaps filled up with zeros, reads as the frames that are whole. Anything else
//! that does not check is damage: what a crash leaves half written has nothing but zeros behind it.

use std::{
    fs::File,
    io::{BufReader, Read},
    path::{Path, PathBuf},
};

use crate::{Error, Result};

/// Bytes of a frame before its payload.
pub(super) const HEADER_BYTES: usize = 24;
const READ_BYTES: usize = 64 * 1024;

/// Writes the header of a frame into the space left for it: `frame` is header and payload, to be put at `offset`.
pub(super) fn seal(frame: &mut [u8], offset: u64) {
    let (header, payload) = frame.split_at_mut(HEADER_BYTES);
    let len = u32::try_from(payload.len()).expect("a frame is written out long before it has 4 GiB");
    header[..4].copy_from_slice(&len.to_le_bytes());
    header[4..8].copy_from_slice(&check::<4>(offset, &len.to_le_bytes()));
    header[8..].copy_from_slice(&check::<16>(offset, payload));
}

/// Reads the frames of a journal one after another.
pub(super) struct FrameReader {
    path: PathBuf,
    file: BufReader<File>,
    len: u64,
    offset: u64,
}

impl FrameReader {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let opened = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
        let (len, file) = opened.map_err(|source| Error::io("open", path, source))?;
        Ok(Self { path: path.to_owned(), file: BufReader::with_capacity(READ_BYTES, file), len, offset: 0 })
    }

    /// Where the next frame begins: the end of those read so far.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The payload of the next frame; `None` at the end, and where a crash cut the file short.
    ///
    /// # Errors
    /// [`Error::DamagedJournal`], [`Error::Io`].
    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>> {
        let rest = self.len - self.offset;
        if rest < HEADER_BYTES as u64 {
            return Ok(None);
        }
        let mut header = [0; HEADER_BYTES];
        self.read_exact(&mut header)?;
        let (len, checks) = header.split_first_chunk::<4>().expect("a header is longer");
        let (len_check, payload_check) = checks.split_at(4);
        if check::<4>(self.offset, len) != *len_check {
            return if self.rest_is_zero()? {
                Ok(None)
            } else {
                Err(self.damaged("the length of an entry is damaged"))
            };
        }
        let len = u64::from(u32::from_le_bytes(*len));
        let end = HEADER_BYTES as u64 + len;
        if end > rest {
            return Ok(None);
        }
        let mut payload = vec![0; usize::try_from(len).map_err(|_| self.damaged("an entry is too long"))?];
        self.read_exact(&mut payload)?;
        if check::<16>(self.offset, &payload) != *payload_check {
            return if self.rest_is_zero()? { Ok(None) } else { Err(self.damaged("an entry is damaged")) };
        }
        self.offset += end;
        Ok(Some(payload))
    }

    /// The error for damage in the frame at the current offset.
    pub(super) fn damaged(&self, reason: impl Into<String>) -> Error {
        Error::DamagedJournal { path: self.path.clone(), offset: self.offset, reason: reason.into() }
    }

    /// Whether nothing but zeros follows what has been read.
    fn rest_is_zero(&mut self) -> Result<bool> {
        let mut chunk = [0; 4096];
        loop {
            let read = self.file.read(&mut chunk).map_err(|source| Error::io("read", &self.path, source))?;
            if read == 0 {
                return Ok(true);
            }
            if chunk[..read].iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
        }
    }

    fn read_exact(&mut self, buffer: &mut [u8]) -> Result<()> {
        self.file.read_exact(buffer).map_err(|source| Error::io("read", &self.path, source))
    }
}

fn check<const N: usize>(offset: u64, bytes: &[u8]) -> [u8; N] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&offset.to_le_bytes());
    hasher.update(bytes);
    *hasher.finalize().as_bytes().first_chunk().expect("a hash has 32 bytes")
}
