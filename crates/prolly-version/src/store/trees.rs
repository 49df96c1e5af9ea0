//! Staging trees as a whole: making, dropping, copying and renaming them.

use prolly_core::TreeConfig;

use super::{Store, reencode::reencode, state::Start};
use crate::{Catalog, Error, Result, TreeKey, TreeVersion, journal::Op};

/// Trees.
impl Store {
    /// The trees as they are now, staged changes included. The catalog does not change with later edits.
    ///
    /// # Errors
    /// What reading and flushing report.
    pub fn catalog(&self) -> Result<Catalog> {
        self.core().write().working_catalog()
    }

    /// Whether there is a tree of this name now.
    ///
    /// # Errors
    /// What reading reports.
    pub fn has_tree(&self, tree: &TreeKey) -> Result<bool> {
        match self.with_tree(tree, |_| Ok(())) {
            Ok(()) => Ok(true),
            Err(Error::UnknownTree { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Stages a new, empty tree.
    ///
    /// # Errors
    /// [`Error::TreeExists`], `InvalidConfig`, or as [`Store::insert`].
    pub fn create_tree(&self, tree: &TreeKey, config: TreeConfig, metadata: &[u8]) -> Result<()> {
        let mut staging = self.stage()?;
        staging.create_tree(tree, config, metadata)?;
        staging.finish()
    }

    /// Stages the removal of a tree; says whether it existed.
    ///
    /// # Errors
    /// As [`Store::insert`].
    pub fn drop_tree(&self, tree: &TreeKey) -> Result<bool> {
        let mut staging = self.stage()?;
        let existed = staging.drop_tree(tree)?;
        staging.finish()?;
        Ok(existed)
    }

    /// Stages a tree as a copy of one of a commit, replacing the tree of this name if there is one. Costs O(log n): the nodes
    /// are shared. The commit is kept from being swept, by a ref below `refs/prolly/keep/`, as long as the copy is staged.
    ///
    /// # Errors
    /// [`Error::UnknownTree`] when the commit has no tree `from`; those of [`Store::resolve`]; or as [`Store::insert`].
    pub fn copy_tree(&self, from: &TreeKey, revision: &str, to: &TreeKey) -> Result<()> {
        let core = self.core();
        let mut editor = core.edit()?;
        let snapshot = self.at(revision)?;
        let version =
            snapshot.catalog().version(from)?.ok_or_else(|| Error::UnknownTree { tree: from.clone() })?;
        let commit = snapshot.commit().id;
        if self.current_commit() != Some(commit) {
            let sources = editor.kept().iter().copied().chain([commit]).collect();
            core.keep_sources(&mut editor, &sources)?;
        }
        core.write().set(to, Some(Start { version, source: Some((commit, from.clone())) }))?;
        editor.push(to, &Op::CopyFrom { kind: from.kind(), name: from.name(), commit })
    }

    /// Stages a tree as a copy of another as that is now, staged changes included; replaces the tree of this name if there
    /// is one. Costs O(changes staged in it): the nodes are shared.
    ///
    /// # Errors
    /// [`Error::UnknownTree`], or as [`Store::insert`].
    pub fn copy_staged_tree(&self, from: &TreeKey, to: &[u8]) -> Result<()> {
        let to = TreeKey::new(from.kind(), to);
        let mut editor = self.core().edit()?;
        let mut state = self.core().write();
        state.present(from)?;
        if *from == to {
            return Ok(());
        }
        state.copy(from, &to)?;
        editor.push(from, &Op::Copy { to: to.name() })
    }

    /// What the owner of its kind put beside a tree.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub fn metadata(&self, tree: &TreeKey) -> Result<Vec<u8>> {
        self.with_tree(tree, |present| Ok(present.metadata.clone()))
    }

    /// Stages other metadata for a tree.
    ///
    /// # Errors
    /// As [`Store::insert`].
    pub fn set_metadata(&self, tree: &TreeKey, metadata: &[u8]) -> Result<()> {
        let mut staging = self.stage()?;
        staging.set_metadata(tree, metadata)?;
        staging.finish()
    }

    /// The configuration of a tree.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub fn config(&self, tree: &TreeKey) -> Result<TreeConfig> {
        self.with_tree(tree, |present| Ok(*present.tree.config()))
    }

    /// Stages another configuration for a tree that keeps its entries; says whether it had another one. Costs O(n).
    ///
    /// # Errors
    /// [`Error::UnknownTree`], `InvalidConfig`, or as [`Store::insert`].
    pub fn set_config(&self, tree: &TreeKey, config: TreeConfig) -> Result<bool> {
        config.validate()?;
        let mut editor = self.core().edit()?;
        let (TreeVersion { tree: old, metadata }, nodes) = {
            let mut state = self.core().write();
            (state.present(tree)?.version()?, state.nodes.for_tree())
        };
        if *old.config() == config {
            return Ok(false);
        }
        // Readers go on meanwhile; nobody else can stage anything.
        let version = TreeVersion { tree: reencode(&old, config, &nodes)?, metadata };
        self.core().write().replace(tree, version, nodes)?;
        editor.push(tree, &Op::Config(config))?;
        Ok(true)
    }

    /// Stages another name for a tree, with what is staged in it. Costs O(1): the nodes are shared.
    ///
    /// # Errors
    /// [`Error::UnknownTree`], [`Error::TreeExists`] when the new name is taken, or as [`Store::insert`].
    pub fn rename_tree(&self, from: &TreeKey, to: &[u8]) -> Result<()> {
        let mut staging = self.stage()?;
        staging.rename_tree(from, to)?;
        staging.finish()
    }
}
