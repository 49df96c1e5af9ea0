//! What differs between two trees.
//!
//! Two walks go side by side and skip every subtree that both have, so the cost follows what changed: O(d log n) nodes
//! for d scattered differences.
//!
//! **Invariant:** the differences are those of the contents, in ascending order of the keys, each key once.

use std::{
    cmp::Ordering,
    ops::{Bound, RangeBounds},
    sync::Arc,
};

use crate::{Hash, Node, Result, Tree, tree::Found};

/// A key whose entries differ. At least one side is present.
#[derive(Clone, Debug)]
pub struct Difference<'a> {
    /// The key.
    pub key: &'a [u8],
    /// The entry of the left tree, `None` where the key was added.
    pub left: Option<Found>,
    /// The entry of the right tree, `None` where the key was removed.
    pub right: Option<Found>,
}

/// The differences between two trees, found as they are asked for.
pub struct Diff {
    left: Walk,
    right: Walk,
    key: Vec<u8>,
}

impl Tree {
    /// Compares this tree (left) with another (right).
    ///
    /// # Errors
    /// [`Error::ConfigMismatch`](crate::Error::ConfigMismatch) for trees of different configurations.
    pub fn diff(&self, right: &Self) -> Result<Diff> {
        self.diff_range::<&[u8]>(right, ..)
    }

    /// Compares the entries whose keys lie in `bounds`.
    ///
    /// # Errors
    /// [`Error::ConfigMismatch`](crate::Error::ConfigMismatch) for trees of different configurations.
    pub fn diff_range<K: AsRef<[u8]>>(&self, right: &Self, bounds: impl RangeBounds<K>) -> Result<Diff> {
        self.config().expect_same(right.config())?;
        let after = |key: &K| [key.as_ref(), &[0]].concat();
        let start = match bounds.start_bound() {
            Bound::Included(key) => key.as_ref().to_vec(),
            Bound::Excluded(key) => after(key),
            Bound::Unbounded => Vec::new(),
        };
        let end = match bounds.end_bound() {
            Bound::Included(key) => Some(after(key)),
            Bound::Excluded(key) => Some(key.as_ref().to_vec()),
            Bound::Unbounded => None,
        };
        let walk = |tree: &Self| Walk::new(tree.clone(), start.clone(), end.clone());
        Ok(Diff { left: walk(self), right: walk(right), key: Vec::new() })
    }
}

impl Diff {
    /// The next difference, `None` at the end.
    ///
    /// # Errors
    /// What reading a node reports.
    pub fn next_difference(&mut self) -> Result<Option<Difference<'_>>> {
        let (left, right) = loop {
            match (self.left.item(), self.right.item()) {
                (Item::End, Item::End) => return Ok(None),
                (Item::Subtree(a, _), Item::Subtree(b, _)) if a == b => {
                    self.left.skip();
                    self.right.skip();
                }
                (Item::Subtree(_, a), Item::Subtree(_, b)) => {
                    if a >= b {
                        self.left.descend()?;
                    }
                    if b >= a {
                        self.right.descend()?;
                    }
                }
                (Item::Subtree(..), _) => self.left.descend()?,
                (_, Item::Subtree(..)) => self.right.descend()?,
                (Item::Entry(a), Item::End) => break (Some(a), None),
                (Item::End, Item::Entry(b)) => break (None, Some(b)),
                (Item::Entry(a), Item::Entry(b)) => match compare_keys(&a, &b) {
                    Ordering::Less => break (Some(a), None),
                    Ordering::Greater => break (None, Some(b)),
                    Ordering::Equal if a.tagged() == b.tagged() => {
                        pass_equal(&mut self.left, &mut self.right);
                        self.left.skip();
                        self.right.skip();
                    }
                    Ordering::Equal => break (Some(a), Some(b)),
                },
            }
        };
        if left.is_some() {
            self.left.skip();
        }
        if right.is_some() {
            self.right.skip();
        }
        if let Some(entry) = left.as_ref().or(right.as_ref()) {
            entry.read_key(&mut self.key);
        }
        Ok(Some(Difference { key: &self.key, left, right }))
    }
}

/// Moves to the last of the equal entries that follow in two leaves whose keys begin alike. Most entries of a diff are
/// passed here, in place.
fn pass_equal(left: &mut Walk, right: &mut Walk) {
    let (Some((a, a_index)), Some((b, b_index))) = (left.path.last_mut(), right.path.last_mut()) else {
        return;
    };
    if a.prefix() != b.prefix() {
        return;
    }
    let (mut in_a, mut in_b) = (a.slot(*a_index), b.slot(*b_index));
    for _ in 1..(a.count() - *a_index).min(b.count() - *b_index) {
        let (mut next_a, mut next_b) = (in_a, in_b);
        a.advance_slot(&mut next_a);
        b.advance_slot(&mut next_b);
        if a.suffix_at(&next_a) != b.suffix_at(&next_b) || a.tagged_at(&next_a) != b.tagged_at(&next_b) {
            break;
        }
        (in_a, in_b) = (next_a, next_b);
    }
    (*a_index, *b_index) = (in_a.index, in_b.index);
}

fn compare_keys(a: &Found, b: &Found) -> Ordering {
    let (a, b) = (a.key_parts(), b.key_parts());
    if a.0 == b.0 { a.1.cmp(b.1) } else { a.0.iter().chain(a.1).cmp(b.0.iter().chain(b.1)) }
}

/// What a walk has come to.
enum Item {
    /// A subtree that nothing has been read of, and its level.
    Subtree(Hash, u8),
    Entry(Found),
    End,
}

/// A walk over a tree in order that can pass over whole subtrees.
struct Walk {
    tree: Tree,
    start: Vec<u8>,
    end: Option<Vec<u8>>,
    /// Nodes from the root down, with the child or entry the walk has come to.
    path: Vec<(Arc<Node>, usize)>,
    /// Whether the root as a whole is what the walk has come to.
    at_root: bool,
}

impl Walk {
    fn new(tree: Tree, start: Vec<u8>, end: Option<Vec<u8>>) -> Self {
        Self { tree, start, end, path: Vec::new(), at_root: true }
    }

    fn item(&self) -> Item {
        if self.at_root {
            let root = self.tree.root();
            return Item::Subtree(*root.hash(), root.level());
        }
        match self.path.last() {
            None => Item::End,
            Some((node, index)) if node.is_leaf() => Item::Entry(Found::new(Arc::clone(node), *index)),
            Some((node, index)) => Item::Subtree(node.child_hash(*index), node.level() - 1),
        }
    }

    /// Goes from a subtree to the first item in it.
    fn descend(&mut self) -> Result<()> {
        let node = match self.path.last() {
            None => Arc::clone(self.tree.root()),
            Some((parent, index)) => self.tree.load_child(parent, *index)?,
        };
        self.at_root = false;
        let first = if self.start.is_empty() { 0 } else { node.lower_bound(&self.start) };
        self.path.push((node, first));
        self.settle();
        Ok(())
    }

    /// Goes on to the item after this one.
    fn skip(&mut self) {
        self.at_root = false;
        if let Some((node, index)) = self.path.last_mut() {
            *index += 1;
            if self.end.as_ref().is_some_and(|end| node.key(*index - 1) >= *end) {
                self.path.clear();
            }
        }
        self.settle();
    }

    /// Leaves nodes that are used up, and the range.
    fn settle(&mut self) {
        while let Some((node, index)) = self.path.last() {
            if *index < node.count() {
                if node.is_leaf() && self.end.as_ref().is_some_and(|end| node.key(*index) >= *end) {
                    self.path.clear();
                }
                return;
            }
            self.path.pop();
            if let Some((_, index)) = self.path.last_mut() {
                *index += 1;
            }
        }
    }
}
