//! The store's own lock, between processes and between handles of one process.
//!
//! **Invariant:** packs are added, merged and swept, and refs moved, only by the holder of this lock. Plain Git does not
//! know it: against Git, refs have their lock files and new packs their `.keep`.

use std::{
    fs::{File, OpenOptions},
    path::Path,
};

use crate::{Error, Result};

/// Held until dropped. The system releases it when its owner dies.
pub(super) struct StoreLock {
    _file: File,
}

impl StoreLock {
    /// Waits for the lock.
    pub(super) fn acquire(path: &Path) -> Result<Self> {
        let file = open(path)?;
        file.lock().map_err(|error| Error::io("lock", path, error))?;
        Ok(Self { _file: file })
    }

    /// Takes the lock if it is free.
    pub(super) fn try_acquire(path: &Path) -> Result<Option<Self>> {
        let file = open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(error)) => Err(Error::io("lock", path, error)),
        }
    }
}

// The file is opened anew each time: a lock belongs to the opening, so handles of one process exclude each other too.
fn open(path: &Path) -> Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(|error| Error::io("open", path, error))
}
