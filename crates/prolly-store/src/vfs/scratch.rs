//! A nameless temporary file: gone when the process is, however it ends.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use crate::{Error, Result};

/// A nameless temporary file that is written at its end and read anywhere.
pub(crate) struct Scratch {
    file: File,
    dir: PathBuf,
    len: u64,
}

impl Scratch {
    /// Makes an empty file in `dir`.
    pub(crate) fn create(dir: &Path) -> Result<Self> {
        let file = tempfile::tempfile_in(dir).map_err(Error::io("make a temporary file in", dir))?;
        Ok(Self { file, dir: dir.to_owned(), len: 0 })
    }

    /// Appends bytes and returns where they begin. After an error the file is as before.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<u64> {
        let offset = self.len;
        write_all_at(&self.file, bytes, offset)
            .map_err(Error::io("write to a temporary file in", &self.dir))?;
        self.len += bytes.len() as u64;
        Ok(offset)
    }

    /// Reads `len` bytes from `offset`.
    pub(crate) fn read(&self, offset: u64, len: usize) -> Result<Box<[u8]>> {
        let mut bytes = vec![0; len].into_boxed_slice();
        read_exact_at(&self.file, &mut bytes, offset)
            .map_err(Error::io("read from a temporary file in", &self.dir))?;
        Ok(bytes)
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

#[cfg(unix)]
fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut bytes: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, bytes, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                bytes = &mut bytes[read..];
                offset += read as u64;
            }
        }
    }
    Ok(())
}

#[cfg(windows)]
fn write_all_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_write(file, bytes, offset)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => {
                bytes = &bytes[written..];
                offset += written as u64;
            }
        }
    }
    Ok(())
}
