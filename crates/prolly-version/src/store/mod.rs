//! The store: trees that are read, edited, committed, branched and merged.
//!
//! **Invariant:** a method that fails has changed nothing that is committed, and nothing that is staged unless it says
//! so. A commit moves every tree together, or none.

mod blobs;
mod branch;
mod carry;
mod changes;
mod commit;
mod compare;
mod core;
mod edit;
mod history;
mod keep;
mod merge;
pub(crate) mod nodes;
mod open;
mod options;
pub(crate) mod reencode;
mod registry;
mod snapshot;
mod staging;
pub(crate) mod state;
mod status;
mod stream;
mod sync;
mod trees;

use std::{collections::BTreeSet, fmt, path::Path, sync::Arc};

use self::core::Core;
pub use blobs::BlobReport;
pub use changes::{Change, Changes};
pub use history::History;
pub use merge::{MergeOptions, ResetMode};
pub use options::{BackendKind, Clock, Identity, Options, Timestamp};
pub use snapshot::Snapshot;
pub use staging::{Moment, Staging, Stamp};
pub use status::{ChangeKind, StagedChange, Status};
pub use stream::ValueReader;

use crate::{
    Catalog, Commit, CommitGraph, CommitId, GcReport, Head, Log, Result, StrandedJournal, journal,
    revision::{head_commit, read_commit},
};

/// A handle on a store. Cloning it is cheap; clones, and handles on the same directory in one process, share the working
/// state: what is staged, and where the store stands. It can be used from any number of threads.
///
/// Closing the last handle writes the staging journal out; [`Store::flush`] does so with a report of what failed.
pub struct Store {
    /// `None` only while it is dropped.
    core: Option<Arc<Core>>,
}

impl Store {
    fn from_core(core: Arc<Core>) -> Self {
        Self { core: Some(core) }
    }

    fn core(&self) -> &Core {
        self.core.as_ref().expect("only drop takes it")
    }

    /// The directory; `None` in memory.
    pub fn path(&self) -> Option<&Path> {
        self.core().path.as_deref()
    }

    /// What kind of store it is.
    pub fn backend(&self) -> BackendKind {
        self.core().backend
    }

    /// The commit graph below: commits, refs, objects.
    pub fn graph(&self) -> &Arc<dyn CommitGraph> {
        &self.core().graph
    }

    /// The commit that the store stands on, and that staged changes are based on; `None` on a branch without commits.
    pub fn current_commit(&self) -> Option<CommitId> {
        self.core().read().base
    }

    /// Reads a revision without moving the store. `HEAD` is the commit that the store stands on.
    ///
    /// # Errors
    /// As [`Store::resolve`]; what reading reports.
    pub fn at(&self, revision: &str) -> Result<Snapshot> {
        let id = self.resolve(revision)?;
        self.snapshot(&id)
    }

    /// Reads a commit without moving the store.
    ///
    /// # Errors
    /// [`Error::MissingCommit`](crate::Error::MissingCommit), or what reading reports.
    pub fn snapshot(&self, id: &CommitId) -> Result<Snapshot> {
        let commit = read_commit(&**self.graph(), id)?;
        let catalog = Catalog::open(self.graph().objects(), &commit.root)?;
        Ok(Snapshot::new(commit, catalog))
    }

    /// A commit by its id; `None` when there is none.
    ///
    /// # Errors
    /// What reading reports.
    pub fn read_commit(&self, id: &CommitId) -> Result<Option<Commit>> {
        self.graph().read_commit(id)
    }

    /// The commits behind a revision (`None`: where the store stands), itself first: the newest first by committer time, a
    /// child always before its parents. Lazy.
    ///
    /// # Errors
    /// As [`Store::resolve`].
    pub fn log(&self, revision: Option<&str>) -> Result<Log> {
        let id = self.resolve(revision.unwrap_or("HEAD"))?;
        Log::new(Arc::clone(self.graph()), &[id])
    }

    /// Removes what no ref and no HEAD reaches, and packs what is left. What this handle stands on and what is staged here
    /// stay; another process that stands on a commit which nothing names loses it.
    ///
    /// # Errors
    /// When something reachable is damaged, or the store fails; nothing is removed then.
    pub fn collect_garbage(&self) -> Result<GcReport> {
        let core = self.core();
        let mut editor = core.edit()?;
        core.drop_abandoned_sources(&editor)?;
        let (head, base) = {
            let state = core.read();
            (state.head.clone(), state.base)
        };
        match base {
            // Another handle may have moved the branch or HEAD away from where this one stands.
            Some(base)
                if head_commit(&*core.graph, &head)? != Some(base) || matches!(head, Head::Detached(_)) =>
            {
                let kept = editor.kept().clone();
                core.add_sources(&mut editor, &BTreeSet::from([base]))?;
                let report = core.graph.collect_garbage();
                let dropped = core.drop_sources(&mut editor, &kept);
                let report = report?;
                dropped.map(|()| report)
            }
            _ => core.graph.collect_garbage(),
        }
    }

    /// Writes the staging journal out and waits until it is on the disk.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io), [`Error::Forked`](crate::Error::Forked).
    pub fn flush(&self) -> Result<()> {
        self.core().edit()?.sync()
    }

    /// Flushes every store that this process has open: for the end of a process that does not drop its handles.
    ///
    /// # Errors
    /// The first one of [`Store::flush`], after all were tried.
    pub fn flush_all() -> Result<()> {
        let stores: Vec<_> = registry::lock().all().into_iter().map(Self::from_core).collect();
        stores.iter().map(Self::flush).fold(Ok(()), Result::and)
    }

    /// Staging journals of processes that ended, which were not taken over: they are based on another branch, or several
    /// processes left some. Opening the store on their branch takes them over.
    ///
    /// # Errors
    /// [`Error::DamagedJournal`](crate::Error::DamagedJournal), [`Error::Io`](crate::Error::Io).
    pub fn stranded_journals(&self) -> Result<Vec<StrandedJournal>> {
        match self.graph().staging_dir() {
            Some(dir) => journal::stranded(&dir),
            None => Ok(Vec::new()),
        }
    }
}

impl Clone for Store {
    fn clone(&self) -> Self {
        Self { core: self.core.clone() }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _registry = registry::lock();
        if let Some(core) = self.core.take().and_then(Arc::into_inner) {
            // Nobody is left to hear of a failure; what the journal lacks then is what a crash would have cost.
            drop(core.edit().and_then(|mut editor| {
                if editor.dir().is_none() {
                    core.drop_sources(&mut editor, &BTreeSet::new())?;
                }
                editor.sync()
            }));
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("backend", &self.backend())
            .field("path", &self.path())
            .finish_non_exhaustive()
    }
}
