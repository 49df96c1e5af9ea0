//! The staging journal: the edits that are staged, on disk, so that they outlive the process.
//!
//! Each process has a journal of its own, `slot-N.journal`, and holds the lock on `slot-N.lock` while it lives. A journal
//! whose lock is free belongs to nobody any more: the next process that opens the store on the same branch takes it over.
//!
//! **Invariant:** a journal is replaced as a whole or appended to; what it holds always applies to the commit that its
//! first frame names. A crash loses at most the edits that were not written out yet ([`FLUSH_BYTES`], or those of the last
//! [`FLUSH_AFTER`]), never older ones.
//!
//! **Invariant:** of edits that belong together a crash leaves all or none: a group is in one frame, or in several of which all
//! but the last say that it goes on.

mod frame;
mod op;
mod slot;
#[cfg(test)]
mod tests;

use std::{
    fs::{File, OpenOptions},
    io::{self, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

pub(crate) use op::{Begin, Op};
pub(crate) use slot::{Slot, adopt, is_abandoned, stranded};

use crate::{Error, Result, TreeKey};
use frame::{FrameReader, HEADER_BYTES};

/// Edits are written out when this many bytes of them have gathered.
const FLUSH_BYTES: usize = 64 * 1024;
/// Edits are written out with the first one that comes this long after the last time.
const FLUSH_AFTER: Duration = Duration::from_millis(50);

/// A part of a group is written out when this many bytes of it have gathered.
const GROUP_FLUSH_BYTES: usize = 4 << 20;

/// The journal of this process.
pub(crate) struct Journal {
    path: PathBuf,
    /// Kept for its lock; `None` while the journal is written that shall replace another.
    slot: Option<Slot>,
    /// `None` until the first edit is written out.
    file: Option<File>,
    begin: Begin,
    /// Length of the file as far as it was written out; the next frame goes there.
    offset: u64,
    /// A write failed, so that the file may be longer.
    torn: bool,
    /// The next frame: space for its header, and its payload.
    frame: Vec<u8>,
    /// The tree that the edit before was about.
    tree: Option<TreeKey>,
    last_flush: Option<Instant>,
    /// A part of a group was written out, and not yet its end.
    is_cut: bool,
    /// The process that opened it.
    process: u32,
}

impl Journal {
    /// Starts an empty journal in a slot. Nothing is written before the first edit.
    pub(crate) fn new(slot: Slot, begin: Begin) -> Self {
        let path = slot.journal_path().to_owned();
        Self { slot: Some(slot), ..Self::at(path, begin) }
    }

    fn at(path: PathBuf, begin: Begin) -> Self {
        Self {
            path,
            slot: None,
            file: None,
            begin,
            offset: 0,
            torn: false,
            frame: vec![0; HEADER_BYTES],
            tree: None,
            last_flush: None,
            is_cut: false,
            process: std::process::id(),
        }
    }

    /// The name of its slot.
    pub(crate) fn slot_name(&self) -> Option<&str> {
        self.path.file_stem()?.to_str()
    }

    /// Adds an edit. It costs a copy, and once in a while a write.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be written: the edit is kept and written with the next ones then.
    pub(crate) fn push(&mut self, tree: &TreeKey, op: &Op<'_>) -> Result<()> {
        self.add(tree, op);
        self.flush_if_due()
    }

    /// Adds an edit of a group, which [`Journal::end_group`] ends: none of it is there after a crash before that.
    pub(crate) fn push_of_group(&mut self, tree: &TreeKey, op: &Op<'_>) {
        self.add(tree, op);
        // What cannot be written now stays in memory, and is written or reported with the end of the group.
        if self.frame.len() >= GROUP_FLUSH_BYTES && !self.torn {
            self.frame.insert(HEADER_BYTES, op::OP_GOES_ON);
            match self.flush() {
                Ok(()) => self.is_cut = true,
                Err(_) => {
                    self.frame.remove(HEADER_BYTES);
                }
            }
        }
    }

    /// Ends a group.
    ///
    /// # Errors
    /// As [`Journal::push`], for the whole group.
    pub(crate) fn end_group(&mut self) -> Result<()> {
        if self.is_cut { self.flush() } else { self.flush_if_due() }
    }

    fn add(&mut self, tree: &TreeKey, op: &Op<'_>) {
        if self.tree.as_ref() != Some(tree) {
            op::write_tree(&mut self.frame, tree);
            self.tree = Some(tree.clone());
        }
        op::write_op(&mut self.frame, op);
    }

    fn flush_if_due(&mut self) -> Result<()> {
        let due = self.frame.len() >= FLUSH_BYTES
            || self.last_flush.is_none_or(|last_flush| last_flush.elapsed() >= FLUSH_AFTER);
        if due { self.flush() } else { Ok(()) }
    }

    /// Writes out the edits that were not yet.
    ///
    /// # Errors
    /// As [`Journal::push`]; [`Error::Forked`] in a process that inherited the journal.
    pub(crate) fn flush(&mut self) -> Result<()> {
        if self.frame.len() == HEADER_BYTES && !self.is_cut {
            return Ok(());
        }
        self.check_process()?;
        if let Err(source) = self.write_out() {
            self.torn = true;
            return Err(Error::io("write", &self.path, source));
        }
        self.frame.truncate(HEADER_BYTES);
        self.frame.shrink_to(4 * FLUSH_BYTES);
        self.is_cut = false;
        self.last_flush = Some(Instant::now());
        Ok(())
    }

    fn check_process(&self) -> Result<()> {
        if self.process == std::process::id() {
            return Ok(());
        }
        Err(Error::Forked { path: self.path.clone() })
    }

    fn write_out(&mut self) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let file = OpenOptions::new().write(true).create(true).truncate(true).open(&self.path)?;
                self.file.insert(file)
            }
        };
        if self.torn {
            file.set_len(self.offset)?;
            self.torn = false;
        }
        file.seek(SeekFrom::Start(self.offset))?;
        if self.offset == 0 {
            let mut first = vec![0; HEADER_BYTES];
            self.begin.write(&mut first);
            frame::seal(&mut first, 0);
            file.write_all(&first)?;
            self.offset = first.len() as u64;
        }
        frame::seal(&mut self.frame, self.offset);
        file.write_all(&self.frame)?;
        self.offset += self.frame.len() as u64;
        Ok(())
    }

    /// Writes out the edits and waits until they are on the disk.
    ///
    /// # Errors
    /// As [`Journal::flush`].
    pub(crate) fn sync(&mut self) -> Result<()> {
        self.flush()?;
        match &self.file {
            Some(file) if self.offset > 0 => {
                file.sync_data().map_err(|source| Error::io("sync", &self.path, source))
            }
            _ => Ok(()),
        }
    }

    /// Starts over: nothing is staged, on `begin`. When the file cannot be emptied now, the next write does it, or reports
    /// that it cannot.
    pub(crate) fn reset(&mut self, begin: Begin) {
        self.frame.truncate(HEADER_BYTES);
        self.is_cut = false;
        self.tree = None;
        self.begin = begin;
        if let Some(file) = &self.file
            && (self.offset > 0 || self.torn)
        {
            self.offset = 0;
            self.torn = file.set_len(0).is_err();
        }
    }

    /// Replaces the journal as a whole: what `write` pushes is staged, on `begin`. The old one stays until the new one is
    /// complete.
    ///
    /// # Errors
    /// [`Error::Io`], or what `write` reports; the old journal is in place then.
    pub(crate) fn replace(
        &mut self,
        begin: Begin,
        write: impl FnOnce(&mut Journal) -> Result<()>,
    ) -> Result<()> {
        let mut new = Self::at(self.path.with_extension("new"), begin);
        new.last_flush = Some(Instant::now());
        write(&mut new)?;
        new.flush()?;
        if new.file.is_none() {
            self.reset(new.begin);
            return Ok(());
        }
        std::fs::rename(&new.path, &self.path).map_err(|source| Error::io("rename", &new.path, source))?;
        *self = Self { path: std::mem::take(&mut self.path), slot: self.slot.take(), ..new };
        Ok(())
    }

    /// Hands the edits of a journal that was taken over to `apply`, and goes on writing behind them. A cut end is dropped, with
    /// the rest of the group that it is of.
    ///
    /// # Errors
    /// [`Error::DamagedJournal`], [`Error::Io`], or what `apply` reports.
    pub(crate) fn replay(
        slot: Slot,
        begin: Begin,
        apply: &mut dyn FnMut(&TreeKey, Op<'_>) -> Result<()>,
    ) -> Result<Self> {
        let path = slot.journal_path();
        let end = whole_groups_end(path)?;
        let mut reader = FrameReader::open(path)?;
        let mut tree = None;
        let mut is_first = true;
        while reader.offset() < end {
            let start = reader.offset();
            let Some(payload) = reader.next()? else { break };
            if !std::mem::take(&mut is_first) {
                op::read_ops(&payload, &mut tree, &mut |tree, op| apply(tree, op).map_err(OpError::Apply))
                    .map_err(|error| match error {
                        OpError::Malformed(reason) => {
                            Error::DamagedJournal { path: path.to_owned(), offset: start, reason }
                        }
                        OpError::Apply(error) => error,
                    })?;
            }
        }
        let offset = end;
        let file = OpenOptions::new().write(true).open(path);
        let file = file.map_err(|source| Error::io("open", path, source))?;
        Ok(Self { file: Some(file), offset, torn: true, ..Self::new(slot, begin) })
    }
}

/// The end of the last frame that does not say that its group goes on.
fn whole_groups_end(path: &Path) -> Result<u64> {
    let mut reader = FrameReader::open(path)?;
    let mut end = 0;
    while let Some(payload) = reader.next()? {
        // The first frame begins with a version, which is never that number.
        if payload.first() != Some(&op::OP_GOES_ON) {
            end = reader.offset();
        }
    }
    Ok(end)
}

/// Reads what a journal applies to; `None` when it is empty, or a crash left it without that, so without edits too.
///
/// # Errors
/// [`Error::DamagedJournal`], [`Error::Io`].
fn read_begin(path: &Path) -> Result<Option<Begin>> {
    let mut reader = FrameReader::open(path)?;
    let Some(payload) = reader.next()? else { return Ok(None) };
    if let Some(&found) = payload.first()
        && found > op::VERSION
    {
        let what = format!("the staging journal {}", path.display());
        return Err(Error::NewerFormat { what, found, supported: op::VERSION });
    }
    Begin::read(&payload).map(Some).map_err(|reason| Error::DamagedJournal {
        path: path.to_owned(),
        offset: 0,
        reason,
    })
}

/// Why an edit of a journal could not be made.
enum OpError {
    Malformed(String),
    Apply(Error),
}

impl From<String> for OpError {
    fn from(reason: String) -> Self {
        Self::Malformed(reason)
    }
}

/// A journal that nobody owns and that was not taken over: it is based on another branch, or there are several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StrandedJournal {
    /// The file; removing it discards the changes it holds.
    pub path: PathBuf,
    /// Where its store stood.
    pub head: crate::Head,
    /// The commit that its changes are based on.
    pub base: Option<crate::CommitId>,
}
