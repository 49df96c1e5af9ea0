//! A position on a node of one level, for edits.

use std::sync::Arc;

use super::Tree;
use crate::{Node, Result};

/// A position on a node of one level of a tree, or behind the last.
pub(crate) struct LevelCursor<'a> {
    tree: &'a Tree,
    level: u8,
    /// Nodes above the level from the root down, with the child each was left by.
    path: Vec<(Arc<Node>, usize)>,
    node: Option<Arc<Node>>,
}

impl<'a> LevelCursor<'a> {
    /// A cursor on no node yet. The level has to be one of the tree's.
    pub(crate) fn new(tree: &'a Tree, level: u8) -> Self {
        debug_assert!(level <= tree.root().level());
        Self { tree, level, path: Vec::new(), node: None }
    }

    /// The node at the position. The node of the empty tree counts as none.
    pub(crate) fn node(&self) -> Option<Arc<Node>> {
        self.node.clone()
    }

    /// Whether no node of the level follows.
    pub(crate) fn is_last(&self) -> bool {
        self.path.iter().all(|(node, index)| index + 1 == node.count())
    }

    /// Moves to the node that holds `key` or would hold it: the last one for keys beyond the end.
    pub(crate) fn seek(&mut self, key: &[u8]) -> Result<()> {
        self.path.clear();
        self.descend(Arc::clone(self.tree.root()), |node| node.lower_bound(key).min(node.count() - 1))
    }

    /// Moves to the next node.
    pub(crate) fn next(&mut self) -> Result<()> {
        let depth = self.path.iter().rposition(|(node, index)| index + 1 < node.count());
        self.node = None;
        let Some(depth) = depth else { return Ok(()) };
        self.path.truncate(depth + 1);
        self.path[depth].1 += 1;
        let child = self.tree.load_child(&self.path[depth].0, self.path[depth].1)?;
        self.descend(child, |_| 0)
    }

    /// Moves to the previous node; stays where it is on the first.
    pub(crate) fn previous(&mut self) -> Result<()> {
        let Some(depth) = self.path.iter().rposition(|(_, index)| *index > 0) else { return Ok(()) };
        self.path.truncate(depth + 1);
        self.path[depth].1 -= 1;
        let child = self.tree.load_child(&self.path[depth].0, self.path[depth].1)?;
        self.descend(child, |node| node.count() - 1)
    }

    /// The node before the position, `None` on the first.
    pub(crate) fn peek_previous(&self) -> Result<Option<Arc<Node>>> {
        let Some((parent, index)) = self.path.iter().rev().find(|(_, index)| *index > 0) else {
            return Ok(None);
        };
        let mut node = self.tree.load_child(parent, index - 1)?;
        while node.level() > self.level {
            node = self.tree.load_child(&node, node.count() - 1)?;
        }
        Ok(Some(node))
    }

    fn descend(&mut self, mut node: Arc<Node>, choose: impl Fn(&Node) -> usize) -> Result<()> {
        while node.level() > self.level {
            let index = choose(&node);
            let child = self.tree.load_child(&node, index)?;
            self.path.push((node, index));
            node = child;
        }
        self.node = (node.count() > 0).then_some(node);
        Ok(())
    }
}
