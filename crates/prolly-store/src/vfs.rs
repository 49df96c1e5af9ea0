//! Every access to files goes through here.
//!
//! **Invariant:** no other module of the crate opens, writes, renames or syncs a file, so faults injected here are all
//! the faults there are. (The contents of redb's file go through its `StorageBackend`, faults too.)

mod disk;
mod scratch;
#[cfg(test)]
pub(crate) mod sim;

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

pub(crate) use disk::{Disk, Entry, Vfs};
pub(crate) use scratch::Scratch;

use crate::{Error, Result};

/// Makes a directory durably unless it exists, its parents too, and returns its canonical path.
pub(crate) fn create_dir(path: &Path) -> Result<PathBuf> {
    let mut missing: Vec<&Path> = path.ancestors().take_while(|dir| !is_dir(dir)).collect();
    while let Some(dir) = missing.pop() {
        match fs::create_dir(dir) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_dir(dir) => {}
            made => made.map_err(Error::io("make directory", dir))?,
        }
        if let Some(parent) = dir.parent() {
            sync_dir(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })?;
        }
    }
    fs::canonicalize(path).map_err(Error::io("resolve", path))
}

fn is_dir(path: &Path) -> bool {
    path.as_os_str().is_empty() || path.is_dir()
}

/// Makes the names in a directory durable.
pub(crate) fn sync_dir(path: &Path) -> Result<()> {
    Disk.sync_dir(path).map_err(Error::io("sync directory", path))
}

/// Opens a file that is only ever locked.
pub(crate) fn open_lock_file(path: &Path) -> Result<File> {
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    opened.map_err(Error::io("open", path))
}

/// Opens a file for reading and writing; `None` when there is none.
pub(crate) fn open_existing(path: &Path) -> Result<Option<File>> {
    match OpenOptions::new().read(true).write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some).map_err(Error::io("open", path)),
    }
}

/// Makes an empty file for reading and writing, in place of what may be there.
pub(crate) fn make_file(path: &Path) -> Result<File> {
    let made = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path);
    made.map_err(Error::io("make", path))
}

/// Gives a file that is finished and synced its name, durably.
pub(crate) fn publish_file(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(Error::io("make", to))?;
    to.parent().map_or(Ok(()), sync_dir)
}

/// Checks that a file begins with `magic`.
pub(crate) fn check_magic(path: &Path, mut file: &File, kind: &'static str, magic: &[u8]) -> Result<()> {
    use io::{Read as _, Seek as _};
    let mut start = Vec::new();
    let read = file.rewind().and_then(|()| file.take(magic.len() as u64).read_to_end(&mut start));
    read.map_err(Error::io("read", path))?;
    let path = path.to_owned();
    if start == magic {
        Ok(())
    } else if magic.starts_with(&start) {
        Err(Error::Damaged { path, reason: format!("it was truncated to {} bytes", start.len()) })
    } else {
        Err(Error::NotAStore { path, kind, reason: "it does not begin as one".to_owned() })
    }
}

/// Bytes that a file occupies on disk. Holes in it do not count where the file system can tell.
pub(crate) fn occupied_bytes(path: &Path) -> Result<u64> {
    let metadata = match fs::metadata(path) {
        // A database that only a test's memory holds.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        metadata => metadata.map_err(Error::io("examine", path))?,
    };
    Ok(occupied(&metadata))
}

fn occupied(metadata: &fs::Metadata) -> u64 {
    #[cfg(unix)]
    return std::os::unix::fs::MetadataExt::blocks(metadata) * 512;
    #[cfg(not(unix))]
    metadata.len()
}
