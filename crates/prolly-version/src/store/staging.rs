//! Staging several changes as one: nobody sees some of them without the others.

use std::sync::{RwLockWriteGuard, atomic::Ordering};

use prolly_core::{Error as TreeError, Tree, TreeConfig};

use super::{
    Store,
    core::{Core, Editing},
    state::{Start, State},
};
use crate::{Catalog, CommitId, Error, Head, Result, TreeKey, TreeKind, TreeVersion, journal::Op};

/// A moment in the life of a store in this process: equal ones mean that nothing was staged, committed or moved in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp(u64);

/// What a store shows at one moment.
#[derive(Clone, Debug)]
pub struct Moment {
    /// Where it stands.
    pub head: Head,
    /// The commit that what is staged is based on; `None` on a branch without commits.
    pub commit: Option<CommitId>,
    /// The trees, staged changes included. They do not change with later edits.
    pub catalog: Catalog,
}

/// The right to stage, for as long as it is kept; from [`Store::stage`]. Readers and other writers wait meanwhile. What is
/// staged through one is in the staging journal as one: after a crash all of it is there, or nothing.
///
/// [`Staging::finish`] ends it, and says when what is staged would not survive a crash. To drop it ends it too; the next one who
/// stages is told then.
pub struct Staging<'a> {
    core: &'a Core,
    is_finished: bool,
    // In the order in which they are given back.
    state: RwLockWriteGuard<'a, State>,
    editor: Editing<'a>,
    stamp: Stamp,
}

impl Store {
    /// Takes the right to stage, once nobody else has it.
    ///
    /// # Errors
    /// [`Error::Merging`] in a resolver of a merge of this store; [`Error::Io`] when there can be no staging journal.
    pub fn stage(&self) -> Result<Staging<'_>> {
        let core = self.core();
        let mut editor = core.edit()?;
        // Nothing that is staged later fails for want of one.
        editor.journal()?;
        // Taking the editor was counted too.
        let stamp = Stamp(core.edits.load(Ordering::Acquire) - 1);
        Ok(Staging { core, is_finished: false, state: core.write(), editor, stamp })
    }

    /// This moment; `None` while somebody is staging, committing or moving. What was read between two equal stamps is what
    /// the store held at one moment.
    pub fn stamp(&self) -> Option<Stamp> {
        let edits = self.core().edits.load(Ordering::Acquire);
        edits.is_multiple_of(2).then_some(Stamp(edits))
    }

    /// Where the store stands and what it holds, of one moment.
    ///
    /// # Errors
    /// What reading and flushing report.
    pub fn moment(&self) -> Result<Moment> {
        let mut state = self.core().write();
        let catalog = state.working_catalog()?;
        Ok(Moment { head: state.head.clone(), commit: state.base, catalog })
    }

    /// The names of the trees of a kind that begin with some bytes, as they are now, staged changes included. Costs
    /// O(log n) and the number of trees that it names or that are open.
    ///
    /// # Errors
    /// What reading reports.
    pub fn tree_keys(&self, kind: TreeKind, prefix: &[u8]) -> Result<Vec<TreeKey>> {
        self.core().read().tree_keys(kind, prefix)
    }
}

impl Staging<'_> {
    /// The moment before it was taken.
    pub fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// The moment after it is given back.
    pub fn stamp_after(&self) -> Stamp {
        Stamp(self.stamp.0 + 2)
    }

    /// Where the store stands.
    pub fn head(&self) -> &Head {
        &self.state.head
    }

    /// As [`Store::tree_keys`].
    ///
    /// # Errors
    /// What reading reports.
    pub fn tree_keys(&self, kind: TreeKind, prefix: &[u8]) -> Result<Vec<TreeKey>> {
        self.state.tree_keys(kind, prefix)
    }

    /// Reads the value of a key, staged changes included.
    ///
    /// # Errors
    /// [`Error::UnknownTree`], or what reading reports.
    pub fn get(&mut self, tree: &TreeKey, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.state.present(tree)?.tree.get(key)?)
    }

    /// A tree as it is, staged changes included; `None` when there is none of this name.
    ///
    /// # Errors
    /// What reading and flushing report.
    pub fn version(&mut self, tree: &TreeKey) -> Result<Option<TreeVersion>> {
        let present = self.state.open(tree)?.and_then(|working| working.now.as_mut());
        present.map(super::state::Present::version).transpose()
    }

    /// Stages a new, empty tree.
    ///
    /// # Errors
    /// [`Error::TreeExists`], `InvalidConfig`.
    pub fn create_tree(&mut self, tree: &TreeKey, config: TreeConfig, metadata: &[u8]) -> Result<()> {
        if self.state.open(tree)?.is_some_and(|working| working.now.is_some()) {
            return Err(Error::TreeExists { tree: tree.clone() });
        }
        let empty = Tree::empty(self.core.graph.objects(), config)?;
        let version = TreeVersion { tree: empty, metadata: metadata.to_vec() };
        self.state.set(tree, Some(Start { version, source: None }))?;
        self.editor.push_of_group(tree, &Op::Create { config, metadata });
        Ok(())
    }

    /// Stages the removal of a tree; says whether it existed.
    ///
    /// # Errors
    /// What reading reports.
    pub fn drop_tree(&mut self, tree: &TreeKey) -> Result<bool> {
        if self.state.open(tree)?.is_none_or(|working| working.now.is_none()) {
            return Ok(false);
        }
        self.state.set(tree, None)?;
        self.editor.push_of_group(tree, &Op::Drop);
        Ok(true)
    }

    /// Stages another name for a tree, with what is staged in it. Costs O(1): the nodes are shared.
    ///
    /// # Errors
    /// [`Error::UnknownTree`], [`Error::TreeExists`] when the new name is taken.
    pub fn rename_tree(&mut self, from: &TreeKey, to: &[u8]) -> Result<()> {
        let to = TreeKey::new(from.kind(), to);
        self.state.present(from)?;
        if *from == to {
            return Ok(());
        }
        if self.state.open(&to)?.is_some_and(|working| working.now.is_some()) {
            return Err(Error::TreeExists { tree: to });
        }
        self.state.rename(from, &to)?;
        self.editor.push_of_group(from, &Op::Rename { to: to.name() });
        Ok(())
    }

    /// Stages other metadata for a tree.
    ///
    /// # Errors
    /// [`Error::UnknownTree`].
    pub fn set_metadata(&mut self, tree: &TreeKey, metadata: &[u8]) -> Result<()> {
        self.state.present(tree)?.metadata = metadata.to_vec();
        self.editor.push_of_group(tree, &Op::Metadata(metadata));
        Ok(())
    }

    /// Stages values, and removals (`None`), of keys. When an entry is refused for its length, those before it are staged. When
    /// the tree cannot be rewritten meanwhile, everything is staged all the same, to be rewritten later, and that is reported.
    ///
    /// # Errors
    /// [`Error::UnknownTree`]; `KeyTooLong` beyond 64 KiB; what reading and writing nodes reports.
    pub fn edit<K: AsRef<[u8]>, V: AsRef<[u8]>>(
        &mut self,
        tree: &TreeKey,
        edits: impl IntoIterator<Item = (K, Option<V>)>,
    ) -> Result<()> {
        let present = self.state.present(tree)?;
        let mut failed = None;
        for (key, value) in edits {
            let key = key.as_ref();
            let value = value.as_ref().map(AsRef::as_ref);
            let done = match value {
                Some(value) => present.tree.insert(key, value),
                None => present.tree.remove(key),
            };
            match done {
                Ok(()) => {}
                Err(error @ (TreeError::KeyTooLong { .. } | TreeError::ValueTooLong { .. })) => {
                    return Err(error.into());
                }
                // It is in the overlay, where it was before the tree was to be rewritten.
                Err(error) => failed = failed.or(Some(error)),
            }
            let op = value.map_or(Op::Delete { key }, |value| Op::Put { key, value });
            self.editor.push_of_group(tree, &op);
        }
        failed.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Gives the right to stage back.
    ///
    /// # Errors
    /// [`Error::Io`] when the staging journal cannot be written: everything is staged, and would not survive a crash.
    pub fn finish(mut self) -> Result<()> {
        self.is_finished = true;
        self.editor.end_group()
    }
}

impl Drop for Staging<'_> {
    fn drop(&mut self) {
        if !self.is_finished {
            // The journal keeps what it could not write, and reports it to who stages next.
            drop(self.editor.end_group());
        }
    }
}
