//! A position in a tree that moves both ways.

use std::sync::Arc;

use super::{Found, Tree, read_value};
use crate::{Link, Node, Result, ValueRef, node::Slot};

/// A position on an entry of a tree, or on none.
///
/// Moving to the next or previous entry is O(1) amortised, seeking is O(log n). It holds one node of each level.
pub struct Cursor {
    tree: Tree,
    /// Internal nodes from the root down, with the child each was left by.
    path: Vec<(Arc<Node>, usize)>,
    leaf: Arc<Node>,
    slot: Slot,
    /// Begins with the key at the position; behind it is room, so that most keys are copied without a look at their length.
    key: Vec<u8>,
    key_len: usize,
    on_entry: bool,
}

/// Room for a key's own part that is copied in one piece.
const PIECE_BYTES: usize = 16;

impl Cursor {
    pub(super) fn new(tree: Tree) -> Self {
        let leaf = Arc::clone(&tree.root);
        Self {
            tree,
            path: Vec::new(),
            leaf,
            slot: Slot::default(),
            key: Vec::new(),
            key_len: 0,
            on_entry: false,
        }
    }

    /// The key at the position, `None` when the cursor is on no entry.
    #[inline]
    pub fn key(&self) -> Option<&[u8]> {
        self.on_entry.then(|| &self.key[..self.key_len])
    }

    /// Key and value at the position, `None` when the cursor is on no entry.
    #[inline(always)]
    pub fn entry(&self) -> Option<(&[u8], ValueRef<'_>)> {
        if !self.on_entry {
            return None;
        }
        Some((&self.key[..self.key_len], self.leaf.value_at(&self.slot)))
    }

    /// The entry at the position, to keep.
    pub fn found(&self) -> Option<Found> {
        self.on_entry.then(|| Found::new(Arc::clone(&self.leaf), self.slot.index))
    }

    /// The object that the value at the position links to.
    pub fn link(&self) -> Option<Link> {
        if self.on_entry { self.leaf.value_link(self.slot.index) } else { None }
    }

    /// The tagged form of the value at the position: equal forms mean equal values.
    pub fn tagged(&self) -> Option<&[u8]> {
        self.on_entry.then(|| self.leaf.tagged_at(&self.slot))
    }

    /// Reads the bytes of the plain value at the position, a blob's included.
    ///
    /// # Errors
    /// [`Error::NotAValue`](crate::Error::NotAValue) when it links to a tree; what reading a blob reports.
    pub fn read_value(&self) -> Result<Option<Vec<u8>>> {
        let Some((key, value)) = self.entry() else { return Ok(None) };
        read_value(&**self.tree.reader(), key, value, self.link()).map(Some)
    }

    /// Moves to the first entry whose key is not less than `key`; to no entry if there is none.
    ///
    /// # Errors
    /// What reading a node reports.
    pub fn seek(&mut self, key: &[u8]) -> Result<()> {
        self.descend(|node| node.lower_bound(key))
    }

    /// Moves to the first entry.
    ///
    /// # Errors
    /// What reading a node reports.
    pub fn seek_first(&mut self) -> Result<()> {
        self.descend(|_| 0)
    }

    /// Moves to the last entry.
    ///
    /// # Errors
    /// What reading a node reports.
    pub fn seek_last(&mut self) -> Result<()> {
        self.descend(|node| node.count().saturating_sub(1))
    }

    /// Moves to the entry with `rank` entries before it; to no entry if there are not that many.
    ///
    /// # Errors
    /// What reading a node reports.
    pub fn seek_rank(&mut self, rank: u64) -> Result<()> {
        let mut left = rank;
        self.descend(|node| {
            if node.is_leaf() {
                return usize::try_from(left).unwrap_or(usize::MAX).min(node.count());
            }
            let mut index = 0;
            while index < node.count() && left >= node.child_len(index) {
                left -= node.child_len(index);
                index += 1;
            }
            index
        })
    }

    /// Moves to the next entry; from the last, and from no entry, to no entry.
    ///
    /// # Errors
    /// What reading a node reports.
    #[inline]
    pub fn advance(&mut self) -> Result<()> {
        if self.advance_in_leaf() { Ok(()) } else { self.advance_leaf() }
    }

    /// Moves to the next entry of the leaf; false, and nothing done, when there is none.
    #[inline(always)]
    pub(super) fn advance_in_leaf(&mut self) -> bool {
        if !self.on_entry || self.slot.index + 1 >= self.leaf.count() {
            return false;
        }
        self.leaf.advance_slot(&mut self.slot);
        self.read_suffix();
        true
    }

    #[cold]
    fn advance_leaf(&mut self) -> Result<()> {
        if !self.on_entry {
            return Ok(());
        }
        self.leave_leaf(|(node, index)| (*index + 1 < node.count()).then(|| *index + 1), |_| 0)
    }

    /// Moves to the previous entry; from the first, and from no entry, to no entry.
    ///
    /// # Errors
    /// What reading a node reports.
    pub fn retreat(&mut self) -> Result<()> {
        if !self.on_entry {
            return Ok(());
        }
        if self.slot.index > 0 {
            self.slot = self.leaf.slot(self.slot.index - 1);
            self.read_suffix();
            return Ok(());
        }
        self.leave_leaf(|(_, index)| index.checked_sub(1), |node| node.count() - 1)
    }

    /// Goes up to the first node with a sibling in the direction of `sibling`, and down again on the side of `edge`.
    fn leave_leaf(
        &mut self,
        sibling: impl Fn(&(Arc<Node>, usize)) -> Option<usize>,
        edge: impl Fn(&Node) -> usize,
    ) -> Result<()> {
        let Some((depth, index)) = self
            .path
            .iter()
            .enumerate()
            .rev()
            .find_map(|(depth, step)| sibling(step).map(|index| (depth, index)))
        else {
            self.on_entry = false;
            return Ok(());
        };
        self.on_entry = false;
        self.path.truncate(depth + 1);
        self.path[depth].1 = index;
        let child = self.tree.load_child(&self.path[depth].0, index)?;
        self.descend_from(child, edge)
    }

    fn descend(&mut self, choose: impl FnMut(&Node) -> usize) -> Result<()> {
        self.on_entry = false;
        self.path.clear();
        self.descend_from(Arc::clone(self.tree.root()), choose)
    }

    fn descend_from(&mut self, mut node: Arc<Node>, mut choose: impl FnMut(&Node) -> usize) -> Result<()> {
        loop {
            let index = choose(&node);
            if index >= node.count() {
                return Ok(());
            }
            if node.is_leaf() {
                self.leaf = node;
                self.slot = self.leaf.slot(index);
                self.leaf.read_key(index, &mut self.key);
                self.key_len = self.key.len();
                self.key.resize(self.key_len.max(self.leaf.prefix_len() + PIECE_BYTES), 0);
                self.on_entry = true;
                return Ok(());
            }
            let child = self.tree.load_child(&node, index)?;
            self.path.push((node, index));
            node = child;
        }
    }

    #[inline(always)]
    fn read_suffix(&mut self) {
        let prefix_len = self.leaf.prefix_len();
        let suffix = self.leaf.suffix_at(&self.slot);
        self.key_len = prefix_len + suffix.len();
        let piece = self.leaf.bytes_from(self.slot.key_start()).first_chunk::<PIECE_BYTES>();
        match (piece, self.key[prefix_len..].first_chunk_mut::<PIECE_BYTES>()) {
            (Some(piece), Some(room)) if suffix.len() <= PIECE_BYTES => *room = *piece,
            _ => {
                self.key.truncate(prefix_len);
                self.key.extend_from_slice(suffix);
            }
        }
    }
}
