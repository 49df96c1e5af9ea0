//! What all handles of a store share.
//!
//! **Invariant:** whoever changes what is staged, or where the store stands, holds the editor, and the state's lock only
//! while it really changes: reads go on beside a commit. (Opening an unchanged tree and flushing an overlay change
//! neither.) The journal says what is staged, or more that the base holds already.

use std::{
    collections::BTreeSet,
    ops::{Deref, DerefMut},
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, ThreadId},
};

use prolly_store::NodeCache;

use super::{BackendKind, Identity, Options, nodes::StagedNodes, state::State};
use crate::{
    Catalog, Commit, CommitGraph, CommitId, Error, MergeDrivers, Result, Signature, TreeKey,
    journal::{Begin, Journal, Op, Slot},
    revision::read_commit,
};

/// Refs that keep for a moment what no branch names.
pub(super) const KEEP_PREFIX: &str = "refs/prolly/keep/";

pub(crate) struct Core {
    pub(crate) graph: Arc<dyn CommitGraph>,
    pub(crate) backend: BackendKind,
    pub(crate) path: Option<PathBuf>,
    pub(crate) options: Options,
    pub(crate) cache: Arc<NodeCache>,
    pub(crate) drivers: RwLock<Arc<MergeDrivers>>,
    pub(crate) editor: Mutex<Editor>,
    /// Counts up when somebody takes the editor, and when it is given back: odd while somebody has it.
    pub(crate) edits: AtomicU64,
    pub(crate) is_merging: AtomicBool,
    pub(crate) merging_thread: Mutex<Option<ThreadId>>,
    pub(crate) state: RwLock<State>,
    /// The process that opened it.
    pub(crate) process: u32,
}

/// The right to change the working state, and the journal of the changes.
pub(crate) struct Editor {
    /// `None` where no journal is kept.
    dir: Option<PathBuf>,
    journal: Option<Journal>,
    begin: Begin,
    /// The commits that refs keep because what is staged shares nodes with them.
    kept: BTreeSet<CommitId>,
}

/// The editor, taken.
pub(crate) struct Editing<'a> {
    edits: &'a AtomicU64,
    editor: MutexGuard<'a, Editor>,
}

impl Deref for Editing<'_> {
    type Target = Editor;

    fn deref(&self) -> &Editor {
        &self.editor
    }
}

impl DerefMut for Editing<'_> {
    fn deref_mut(&mut self) -> &mut Editor {
        &mut self.editor
    }
}

impl Drop for Editing<'_> {
    fn drop(&mut self) {
        self.edits.fetch_add(1, Ordering::AcqRel);
    }
}

/// Says that a thread is merging, until it is dropped.
pub(crate) struct Merging<'a>(&'a Core);

impl Drop for Merging<'_> {
    fn drop(&mut self) {
        self.0.is_merging.store(false, Ordering::Release);
        *lock(&self.0.merging_thread) = None;
    }
}

fn current_thread() -> ThreadId {
    thread::current().id()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Core {
    /// Takes the right to change the working state, once nobody else has it.
    ///
    /// # Errors
    /// [`Error::Merging`] when this thread has it: a resolver has called back.
    pub(crate) fn edit(&self) -> Result<Editing<'_>> {
        if self.is_merging.load(Ordering::Acquire) && *lock(&self.merging_thread) == Some(current_thread()) {
            return Err(Error::Merging);
        }
        let editor = lock(&self.editor);
        self.edits.fetch_add(1, Ordering::AcqRel);
        Ok(Editing { edits: &self.edits, editor })
    }

    /// Notes that this thread, which has the editor, calls resolvers while the guard is kept.
    pub(crate) fn merging(&self) -> Merging<'_> {
        *lock(&self.merging_thread) = Some(current_thread());
        self.is_merging.store(true, Ordering::Release);
        Merging(self)
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses to move what a process opened of which this one is a fork: both would use one journal.
    pub(crate) fn check_process(&self) -> Result<()> {
        if self.process == std::process::id() {
            return Ok(());
        }
        Err(Error::Forked { path: self.path.clone().unwrap_or_default() })
    }

    /// How trees are merged.
    pub(crate) fn drivers(&self) -> Arc<MergeDrivers> {
        Arc::clone(&self.drivers.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn change_drivers(&self, change: impl FnOnce(&mut MergeDrivers)) {
        change(Arc::make_mut(&mut self.drivers.write().unwrap_or_else(PoisonError::into_inner)));
    }

    /// A place for the nodes of what will be staged.
    pub(crate) fn new_nodes(&self) -> Arc<StagedNodes> {
        StagedNodes::new(self.graph.objects(), Arc::clone(&self.cache), &self.options)
    }

    /// A commit that has to be there, and its catalog.
    pub(crate) fn commit_and_catalog(&self, id: &CommitId) -> Result<(Commit, Catalog)> {
        let commit = read_commit(&*self.graph, id)?;
        let catalog = Catalog::open(self.graph.objects(), &commit.root)?;
        Ok((commit, catalog))
    }

    pub(crate) fn catalog_of(&self, id: Option<&CommitId>) -> Result<Catalog> {
        match id {
            Some(id) => Ok(self.commit_and_catalog(id)?.1),
            None => Catalog::empty(self.graph.objects()),
        }
    }

    /// Signs a commit as its committer: now, but not before its parents.
    pub(crate) fn sign(&self, parents: &[CommitId]) -> Result<Signature> {
        let mut time = (self.options.clock)();
        for parent in parents {
            time.seconds = time.seconds.max(read_commit(&*self.graph, parent)?.committer.seconds);
        }
        self.identity()?.sign(time)
    }

    fn identity(&self) -> Result<Identity> {
        if let Some(identity) = &self.options.identity {
            return Ok(identity.clone());
        }
        let (name, email) = self
            .graph
            .identity()?
            .unwrap_or_else(|| ("prollytree".to_owned(), "prollytree@localhost".to_owned()));
        Ok(Identity { name, email })
    }
}

impl Editor {
    pub(crate) fn new(dir: Option<PathBuf>, begin: Begin) -> Self {
        Self { dir, journal: None, begin, kept: BTreeSet::new() }
    }

    /// Goes on with a journal that was taken over.
    pub(crate) fn continue_with(&mut self, journal: Journal) {
        self.journal = Some(journal);
    }

    /// The commits that refs keep because what is staged shares nodes with them.
    pub(super) fn kept(&self) -> &BTreeSet<CommitId> {
        &self.kept
    }

    pub(super) fn kept_mut(&mut self) -> &mut BTreeSet<CommitId> {
        &mut self.kept
    }

    /// The name of the journal's slot, once there is one.
    pub(super) fn slot_name(&self) -> Option<&str> {
        self.journal.as_ref().and_then(Journal::slot_name)
    }

    pub(crate) fn dir(&self) -> Option<&PathBuf> {
        self.dir.as_ref()
    }

    /// Journals an edit that was made.
    pub(crate) fn push(&mut self, tree: &TreeKey, op: &Op<'_>) -> Result<()> {
        match self.journal()? {
            Some(journal) => journal.push(tree, op),
            None => Ok(()),
        }
    }

    /// Journals an edit of a group. There is a journal: who begins a group has asked for it.
    pub(super) fn push_of_group(&mut self, tree: &TreeKey, op: &Op<'_>) {
        if let Some(journal) = &mut self.journal {
            journal.push_of_group(tree, op);
        }
    }

    /// Ends a group.
    pub(super) fn end_group(&mut self) -> Result<()> {
        self.journal.as_mut().map_or(Ok(()), Journal::end_group)
    }

    pub(super) fn journal(&mut self) -> Result<Option<&mut Journal>> {
        if let (None, Some(dir)) = (&self.journal, &self.dir) {
            self.journal = Some(Journal::new(Slot::take(dir)?, self.begin.clone()));
        }
        Ok(self.journal.as_mut())
    }

    /// Journals that nothing is staged, on `begin`.
    pub(crate) fn reset(&mut self, begin: Begin) {
        self.begin = begin;
        if let Some(journal) = &mut self.journal {
            journal.reset(self.begin.clone());
        }
    }

    /// Journals that exactly what `write` pushes is staged, on `begin`.
    pub(crate) fn replace(
        &mut self,
        begin: Begin,
        write: impl FnOnce(&mut Journal) -> Result<()>,
    ) -> Result<()> {
        if let Some(journal) = self.journal()? {
            journal.replace(begin.clone(), write)?;
        }
        self.begin = begin;
        Ok(())
    }

    /// Writes the journal out and waits until it is on the disk.
    pub(crate) fn sync(&mut self) -> Result<()> {
        self.journal.as_mut().map_or(Ok(()), Journal::sync)
    }
}
