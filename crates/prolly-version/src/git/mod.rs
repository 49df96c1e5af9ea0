//! The Git commit graph: commits are Git commits, refs are Git refs, in a repository of the store's own.
//!
//! The objects of a store are written so that Git itself can follow them (see `object` and `commit`): `git clone`,
//! `push`, `gc` and `fsck` keep every revision whole. No side file is ever the truth: descending from a commit's tree,
//! the Git tree of a node gives the ids of its children.
//!
//! ```text
//! open      what is at a path: a store, a clone of one, nothing yet, or something else
//! graph     the [`CommitGraph`](crate::CommitGraph), and the write path
//! commit_journal   makes a commit durable with one sync, for stores that ask for it
//! dag       new objects as Git objects             pack      packs of our own
//! reader    Git objects as nodes and records       odb       every object, through gix
//! refs      reading and moving refs                gc        the sweep
//! ```

mod bare;
mod commit;
mod commit_journal;
mod config;
mod dag;
mod files;
mod gc;
mod graph;
mod known;
mod layout;
mod locate;
mod lock;
mod object;
mod odb;
mod open;
mod pack;
mod reader;
mod refs;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use commit_journal::CommitJournal;
use layout::Layout;
use pack::{Compressor, Consolidation};
use reader::Objects;

use crate::{Commit, CommitId, Error};

/// How a store is opened.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct GitOptions {
    /// How much memory decoded nodes may take, in bytes.
    pub cache_bytes: usize,
    /// Whether commits are made durable in one journal first, and in their own place a little later: each then waits for
    /// the disk once instead of five times. After a power cut, Git itself may see an older state, or a damaged one, until
    /// the store has been opened once. Nothing changes where the system does not tell its runs apart: only Linux does.
    pub commit_journal: bool,
}

impl Default for GitOptions {
    fn default() -> Self {
        Self { cache_bytes: prolly_store::DEFAULT_CACHE_BYTES, commit_journal: false }
    }
}

/// A store in a Git repository of its own.
pub struct GitGraph {
    /// The directory of the store.
    path: PathBuf,
    layout: Layout,
    journalled: bool,
    objects: Arc<Objects>,
    writer: Mutex<Writer>,
    /// Commits read or written lately.
    commits: Mutex<HashMap<CommitId, Commit>>,
}

/// What a handle knows while it holds the store's lock.
#[derive(Default)]
struct Writer {
    /// Whether the repository has been made ready for writing, and cleared of what dead owners left.
    ready: bool,
    consolidation: Consolidation,
    /// Open once there is one.
    journal: Option<CommitJournal>,
    compressor: Compressor,
    /// The last failure to tidy up, which made no commit fail.
    failure: Option<Error>,
}

impl GitGraph {
    /// The directory of the store.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The Git directory of the store's repository.
    pub fn git_dir(&self) -> &Path {
        self.objects.refs.git_dir()
    }
}

impl Drop for GitGraph {
    fn drop(&mut self) {
        let writer = self.writer.get_mut().unwrap_or_else(PoisonError::into_inner);
        // One that has not written leaves everything as it is. What cannot be settled now is by the next to write; nobody is
        // left to be told.
        if writer.journal.as_ref().is_some_and(|journal| !journal.is_empty()) {
            drop(self.write());
        }
    }
}

impl std::fmt::Debug for GitGraph {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("GitGraph").field(&self.path).finish()
    }
}
