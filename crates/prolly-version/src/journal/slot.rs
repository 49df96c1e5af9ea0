//! Slots: which journal belongs to whom.
//!
//! **Invariant:** only the process that holds the lock on `slot-N.lock` writes `slot-N.journal`. Lock files are never
//! removed, so that no two processes can hold the lock on two files of the same name.

use std::{
    ffi::OsStr,
    fs::{File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::{Begin, StrandedJournal, read_begin};
use crate::{Error, Result};

/// The right to write one journal, for as long as it is kept.
pub(crate) struct Slot {
    journal_path: PathBuf,
    lock: File,
    /// The process that took it.
    process: u32,
}

impl Slot {
    /// Takes a slot that holds no journal, making one when all are in use. Makes the directory, too.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(crate) fn take(dir: &Path) -> Result<Self> {
        std::fs::create_dir_all(dir).map_err(|source| Error::io("create", dir, source))?;
        let mut numbers = numbers_then_new(dir)?;
        loop {
            let number = numbers.next().expect("a directory never has that many files");
            if let Some(slot) = Self::try_lock(dir, number)?
                && slot.begin()?.is_none()
            {
                return Ok(slot);
            }
        }
    }

    pub(super) fn journal_path(&self) -> &Path {
        &self.journal_path
    }

    /// What the journal in the slot applies to; `None` when there is no journal.
    fn begin(&self) -> Result<Option<Begin>> {
        match self.journal_path.try_exists() {
            Ok(true) => read_begin(&self.journal_path),
            Ok(false) => Ok(None),
            Err(source) => Err(Error::io("look for", &self.journal_path, source)),
        }
    }

    fn try_lock(dir: &Path, number: u32) -> Result<Option<Self>> {
        let path = dir.join(format!("slot-{number}.lock"));
        let opened = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                OpenOptions::new().read(true).append(true).create(true).open(&path)
            }
            opened => opened,
        };
        let lock = opened.map_err(|source| Error::io("open", &path, source))?;
        match lock.try_lock() {
            Ok(()) => {
                let journal_path = dir.join(format!("slot-{number}.journal"));
                Ok(Some(Self { journal_path, lock, process: std::process::id() }))
            }
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(Error::io("lock", path, source)),
        }
    }
}

impl Drop for Slot {
    /// Unlocks. Closing the file alone would leave it locked while a child that is being started has not closed its copy;
    /// and what a fork inherited is its parent's.
    fn drop(&mut self) {
        if self.process == std::process::id() {
            // It is closed right after, which unlocks it too.
            drop(self.lock.unlock());
        }
    }
}

/// Takes over a journal that nobody owns and that `fits`: the one written last, if there are several.
///
/// # Errors
/// [`Error::DamagedJournal`], [`Error::Io`], or what `fits` reports.
pub(crate) fn adopt(
    dir: &Path,
    fits: &mut dyn FnMut(&Begin) -> Result<bool>,
) -> Result<Option<(Slot, Begin)>> {
    let mut newest: Option<(SystemTime, Slot, Begin)> = None;
    for (slot, begin) in unowned(dir)? {
        if !fits(&begin)? {
            continue;
        }
        let written = std::fs::metadata(&slot.journal_path).and_then(|metadata| metadata.modified());
        let written = written.map_err(|source| Error::io("look at", &slot.journal_path, source))?;
        if newest.as_ref().is_none_or(|(time, ..)| written > *time) {
            newest = Some((written, slot, begin));
        }
    }
    Ok(newest.map(|(_, slot, begin)| (slot, begin)))
}

/// The journals that nobody owns.
///
/// # Errors
/// [`Error::DamagedJournal`], [`Error::Io`].
pub(crate) fn stranded(dir: &Path) -> Result<Vec<StrandedJournal>> {
    let stranded = unowned(dir)?.into_iter();
    Ok(stranded
        .map(|(slot, Begin { head, base })| StrandedJournal { path: slot.journal_path.clone(), head, base })
        .collect())
}

/// Whether nobody holds a slot and there is no journal in it. A name that no slot has belongs to somebody else.
///
/// # Errors
/// [`Error::DamagedJournal`], [`Error::Io`].
pub(crate) fn is_abandoned(dir: &Path, slot_name: &str) -> Result<bool> {
    let Some(number) = slot_number(OsStr::new(&format!("{slot_name}.lock"))) else { return Ok(false) };
    match Slot::try_lock(dir, number)? {
        Some(slot) => Ok(slot.begin()?.is_none()),
        None => Ok(false),
    }
}

fn unowned(dir: &Path) -> Result<Vec<(Slot, Begin)>> {
    let mut found = Vec::new();
    for number in slot_numbers(dir)? {
        if let Some(slot) = Slot::try_lock(dir, number)?
            && let Some(begin) = slot.begin()?
        {
            found.push((slot, begin));
        }
    }
    Ok(found)
}

/// The numbers of the slots there are, ascending; none when there is no directory.
fn slot_numbers(dir: &Path) -> Result<Vec<u32>> {
    let failed = |source| Error::io("list", dir, source);
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut numbers = Vec::new();
    for entry in entries {
        numbers.extend(slot_number(&entry.map_err(failed)?.file_name()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// The slots there are and then new ones, without end.
fn numbers_then_new(dir: &Path) -> Result<impl Iterator<Item = u32>> {
    let numbers = slot_numbers(dir)?;
    let first_new = numbers.last().map_or(0, |last| last + 1);
    Ok(numbers.into_iter().chain(first_new..))
}

fn slot_number(file_name: &OsStr) -> Option<u32> {
    file_name.to_str()?.strip_prefix("slot-")?.strip_suffix(".lock")?.parse().ok()
}
