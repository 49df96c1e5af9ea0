//! Where a `ProllyTree` is kept: in memory, or in a directory of its own.

use std::{path, sync::Arc};

use prolly_core::{NodeBuffer, ProllyTree, TreeConfig};
use prolly_store::{FileStore, NodeCache, RefStore, SavedTree, SweepReport};

use crate::errors::{Failure, Outcome};

/// The only ref of such a directory.
const TREE_REF: &str = "refs/tree";

/// A tree that can be edited, and what it takes to keep it.
pub(crate) enum Place {
    Memory(Box<ProllyTree>),
    Directory(Box<SavedTree>),
}

impl Place {
    /// An empty tree.
    pub(crate) fn memory(config: Option<TreeConfig>) -> Outcome<Self> {
        let tree = ProllyTree::new(Arc::new(NodeBuffer::new()), config.unwrap_or_default())?;
        Ok(Self::Memory(Box::new(tree)))
    }

    /// The tree of a directory, which is made when there is none.
    ///
    /// # Errors
    /// When the directory holds something else, or a tree with another configuration.
    pub(crate) fn directory(path: &path::Path, config: Option<TreeConfig>) -> Outcome<Self> {
        if let Some(config) = &config {
            config.validate()?;
        }
        let store = FileStore::open(path)?;
        if let Some((name, _)) = store.refs("")?.into_iter().find(|(name, _)| name != TREE_REF) {
            return Err(Failure::OtherContents { path: path.to_owned(), name });
        }
        let cache = Arc::new(NodeCache::default());
        let tree = SavedTree::open(Arc::new(store), cache, TREE_REF, config)?;
        Ok(Self::Directory(Box::new(tree)))
    }

    pub(crate) fn tree(&self) -> &ProllyTree {
        match self {
            Self::Memory(tree) => tree,
            Self::Directory(saved) => saved.tree(),
        }
    }

    pub(crate) fn tree_mut(&mut self) -> &mut ProllyTree {
        match self {
            Self::Memory(tree) => tree,
            Self::Directory(saved) => saved.tree_mut(),
        }
    }

    /// Writes pending edits into the tree, and makes it durable where it can be.
    pub(crate) fn save(&mut self) -> Outcome<()> {
        match self {
            Self::Memory(tree) => Ok(tree.flush()?),
            Self::Directory(saved) => Ok(saved.save()?),
        }
    }

    /// Removes the nodes of earlier states.
    pub(crate) fn collect_garbage(&mut self) -> Outcome<SweepReport> {
        match self {
            Self::Memory(_) => Ok(SweepReport::default()),
            Self::Directory(saved) => Ok(saved.collect_garbage()?),
        }
    }
}
