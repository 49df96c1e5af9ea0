//! What a tree is made of.

use super::Tree;
use crate::{Node, Result};

/// Counts and sizes of a tree's nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TreeStats {
    /// Entries.
    pub entries: u64,
    /// Leaves.
    pub leaves: u64,
    /// Internal nodes.
    pub internal_nodes: u64,
    /// Levels: 1 for a single leaf.
    pub height: usize,
    /// Stored bytes of the leaves.
    pub leaf_bytes: u64,
    /// Stored bytes of the internal nodes.
    pub internal_bytes: u64,
    /// Stored bytes of the largest node.
    pub largest_node_bytes: u64,
    /// Values kept as blobs.
    pub blobs: u64,
    /// Bytes of those values.
    pub blob_bytes: u64,
}

impl TreeStats {
    /// Nodes of both kinds.
    pub fn nodes(&self) -> u64 {
        self.leaves + self.internal_nodes
    }

    fn count(&mut self, node: &Node) {
        let bytes = node.bytes().len() as u64;
        self.largest_node_bytes = self.largest_node_bytes.max(bytes);
        if node.is_leaf() {
            self.leaves += 1;
            self.leaf_bytes += bytes;
        } else {
            self.internal_nodes += 1;
            self.internal_bytes += bytes;
        }
        if node.is_leaf() && node.link_count() > 0 {
            for index in 0..node.count() {
                if let crate::ValueRef::Blob { len, .. } = node.value(index) {
                    self.blobs += 1;
                    self.blob_bytes += len;
                }
            }
        }
    }
}

impl Tree {
    /// Counts the nodes of the tree, reading all of them.
    ///
    /// # Errors
    /// What reading a node reports.
    pub fn stats(&self) -> Result<TreeStats> {
        let mut stats = TreeStats { entries: self.len(), height: self.height(), ..TreeStats::default() };
        self.visit_nodes(&mut |node| stats.count(node))?;
        Ok(stats)
    }

    /// Visits every node once, parents before their children and in the order of the keys.
    ///
    /// # Errors
    /// What reading a node reports.
    pub fn visit_nodes(&self, visit: &mut dyn FnMut(&Node)) -> Result<()> {
        let mut path = vec![(std::sync::Arc::clone(self.root()), 0)];
        visit(self.root());
        while let Some((node, next)) = path.last_mut() {
            if node.is_leaf() || *next == node.count() {
                path.pop();
                continue;
            }
            let child = self.load_child(node, *next)?;
            *next += 1;
            visit(&child);
            path.push((child, 0));
        }
        Ok(())
    }
}
