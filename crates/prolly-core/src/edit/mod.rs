//! Applies a sorted batch of edits to a tree, level by level from the leaves up.
//!
//! **Invariant:** the result is the tree that a from-scratch build of its contents gives.

mod chunker;
mod level;
mod source;

use std::sync::Arc;

use chunker::Chunker;
use source::Prepared;
pub use source::{EditRef, EditSource, SortedEdits};

use crate::{
    Hash, Locator, Node, NodeReader, NodeWriter, Result, Tree,
    node::{Child, NodeBuilder},
};

/// Passes new nodes on and lets the old ones be: the tree they belong to is still there.
struct KeepOld<'a>(&'a dyn NodeWriter);

impl NodeWriter for KeepOld<'_> {
    fn write_node(&self, node: Arc<Node>) -> Result<()> {
        self.0.write_node(node)
    }

    fn write_record(&self, hash: Hash, encoded: Vec<u8>) -> Result<()> {
        self.0.write_record(hash, encoded)
    }

    fn forget_node(&self, _hash: &Hash) -> Result<()> {
        Ok(())
    }
}

/// Sorted edits of one level, one at a time.
trait Edits {
    /// The edit at hand, `None` at the end.
    fn peek(&self) -> Option<LevelEdit<'_>>;

    /// Goes on to the next.
    fn advance(&mut self) -> Result<()>;
}

struct LevelEdit<'a> {
    key: &'a [u8],
    change: Change<'a>,
}

enum Change<'a> {
    Remove,
    /// A tagged value, and the store's hint for what it links to.
    Value(&'a [u8], Locator),
    Child(&'a Child),
}

impl Tree {
    /// Applies edits with strictly ascending keys and returns the tree that results; this one stays as it is.
    ///
    /// New nodes go to `writer`, from which the tree's reader must be able to read them back. Values longer than the
    /// configuration keeps inline are written as blobs. O(m log n) nodes are rewritten for m scattered edits, O(m) for
    /// edits that lie together.
    ///
    /// # Errors
    /// [`Error::Unsorted`](crate::Error::Unsorted), [`Error::KeyTooLong`](crate::Error::KeyTooLong), or what the source,
    /// the reader and the writer report. This tree is unharmed then.
    pub fn apply(&self, writer: &dyn NodeWriter, edits: &mut dyn EditSource) -> Result<Self> {
        self.apply_replacing(&KeepOld(writer), edits)
    }

    /// As [`Tree::apply`], but tells the writer to forget the nodes that the edits replaced.
    pub(crate) fn apply_replacing(
        &self,
        writer: &dyn NodeWriter,
        edits: &mut dyn EditSource,
    ) -> Result<Self> {
        let mut prepared = Prepared::new(edits, self.config(), writer)?;
        if prepared.peek().is_none() {
            return Ok(self.clone());
        }
        let mut above = level::rewrite(self, 0, &mut prepared, writer)?;
        for level in 1..=self.root().level() {
            if above.is_empty() {
                return Ok(self.clone());
            }
            above = level::rewrite(self, level, &mut ParentEdits::new(above), writer)?;
        }
        if above.is_empty() {
            return Ok(self.clone());
        }
        let root = self.grow(above, writer)?;
        Ok(self.with_root(root))
    }

    /// Builds a tree from entries with strictly ascending keys.
    ///
    /// # Errors
    /// As [`Tree::apply`].
    pub fn build(
        reader: Arc<dyn NodeReader>,
        writer: &dyn NodeWriter,
        config: crate::TreeConfig,
        entries: &mut dyn EditSource,
    ) -> Result<Self> {
        Self::empty(reader, config)?.apply(writer, entries)
    }

    /// Finds the root over the nodes that the level of the old root has become.
    fn grow(&self, above: level::ParentEdits, writer: &dyn NodeWriter) -> Result<Arc<Node>> {
        let mut nodes = self.top_level(above);
        let mut level = self.root().level();
        while nodes.len() > 1 {
            level = level.checked_add(1).expect("internal nodes have at least two children but for the last");
            let mut chunker = Chunker::new(self.config(), level);
            let mut parents = Vec::new();
            for (key, child) in &nodes {
                chunker.push_child(key, child);
                while let Some(node) = chunker.next_cut() {
                    parents.push(level::write(writer, node)?);
                }
            }
            if let Some(node) = chunker.finish() {
                parents.push(level::write(writer, node)?);
            }
            nodes = parents;
        }
        let Some((_, top)) = nodes.pop() else { return Ok(empty_root()) };
        let mut root = match top.decoded.upgrade() {
            Some(node) => node,
            None => self.reader().read_node(&top.link)?,
        };
        while !root.is_leaf() && root.count() == 1 {
            writer.forget_node(root.hash())?;
            root = self.load_child(&root, 0)?;
        }
        Ok(root)
    }

    /// The nodes at the level of the old root after `above`, which may keep the old root.
    fn top_level(&self, above: level::ParentEdits) -> Vec<(Vec<u8>, Child)> {
        let old = self.root();
        let mut kept = old
            .last_key()
            .map(|key| (key, Child { link: old.link(), len: old.len(), decoded: Arc::downgrade(old) }));
        let mut nodes = Vec::new();
        for (key, child) in above {
            nodes.extend(kept.take_if(|(old_key, _)| *old_key < key));
            kept = kept.filter(|(old_key, _)| *old_key != key);
            nodes.extend(child.map(|child| (key, child)));
        }
        nodes.extend(kept);
        nodes
    }
}

/// The root of the empty tree: a leaf without entries.
pub(crate) fn empty_root() -> Arc<Node> {
    Arc::new(NodeBuilder::new(0).take(0))
}

/// The address of the root of every empty tree.
pub fn empty_root_hash() -> Hash {
    *empty_root().hash()
}

/// The edits that one level makes to the next.
struct ParentEdits {
    edits: level::ParentEdits,
    at: usize,
}

impl ParentEdits {
    fn new(edits: level::ParentEdits) -> Self {
        Self { edits, at: 0 }
    }
}

impl Edits for ParentEdits {
    fn peek(&self) -> Option<LevelEdit<'_>> {
        let (key, child) = self.edits.get(self.at)?;
        Some(LevelEdit { key, change: child.as_ref().map_or(Change::Remove, Change::Child) })
    }

    fn advance(&mut self) -> Result<()> {
        self.at += 1;
        Ok(())
    }
}
