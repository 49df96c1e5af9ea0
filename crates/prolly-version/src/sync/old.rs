//! What a tree is compared with: the nodes of older trees that hold keys of the same range, and what they link to.
//!
//! **Invariant:** everything in `links` is reachable from a commit that the destination has, or is about to have.

use std::sync::Arc;

use prolly_core::{Hash, HashedMap, Link, Locator, Node, ObjectLink, Record, RecordKind, ValueRef};

use crate::Result;

/// How many nodes a node is compared with at most. More of them only occur where a key range was rewritten altogether.
const NODES_MAX: usize = 256;
/// How many parts of an older blob are remembered at most: those of 64 GiB.
const BLOB_LINKS_MAX: usize = 1 << 20;

/// Keys after the first, up to and with the last; `None` is the end of all keys.
#[derive(Clone, Debug, Default)]
pub(super) struct KeyRange {
    pub(super) after: Option<Vec<u8>>,
    pub(super) last: Option<Vec<u8>>,
}

/// Reads nodes and records that the destination has, or is about to have; `None` for what it was made without.
pub(super) trait OldReader {
    fn old_node(&self, link: &Link) -> Result<Option<Arc<Node>>>;
    fn old_record(&self, link: &Link) -> Result<Option<Arc<[u8]>>>;
}

/// Older nodes that a node is compared with.
#[derive(Default)]
pub(super) struct Old {
    level: u8,
    /// Those of its own level, and lower ones.
    nodes: Vec<Arc<Node>>,
    /// What they link to; and the lower ones themselves.
    links: HashedMap<Locator>,
}

impl Old {
    /// Older nodes for a node of this level and range; higher ones give way to those below them.
    pub(super) fn new(
        reader: &dyn OldReader,
        level: u8,
        range: &KeyRange,
        candidates: Vec<Arc<Node>>,
    ) -> Result<Self> {
        let mut old = Self { level, ..Self::default() };
        let mut open = candidates;
        while let Some(node) = open.pop() {
            if node.level() > level {
                children(reader, &node, range, &mut open)?;
            } else if old.nodes.len() < NODES_MAX {
                old.nodes.push(node);
            }
        }
        for node in &old.nodes {
            if node.level() < level {
                old.links.insert(*node.hash(), node.locator());
            } else {
                old.links.extend(node.object_links().map(|object| {
                    let link = object.link();
                    (link.hash, link.locator)
                }));
            }
        }
        Ok(old)
    }

    /// Whether something older links to an object, and where it is kept.
    pub(super) fn find(&self, hash: &Hash) -> Option<Locator> {
        self.links.get(hash).copied()
    }

    /// What a child is compared with.
    pub(super) fn for_child(&self, reader: &dyn OldReader, range: &KeyRange) -> Result<Vec<Arc<Node>>> {
        let mut out = Vec::new();
        for node in &self.nodes {
            if node.level() < self.level {
                out.push(Arc::clone(node));
            } else if !node.is_leaf() {
                children(reader, node, range, &mut out)?;
            }
        }
        Ok(out)
    }

    /// What the entry of a leaf is compared with: what older leaves link to at its key.
    pub(super) fn at_key(&self, key: &[u8]) -> Vec<ObjectLink> {
        let mut out = Vec::new();
        for leaf in self.nodes.iter().filter(|node| node.is_leaf()) {
            let index = lower_bound(leaf, key);
            if index < leaf.count()
                && leaf.key(index) == key
                && let Some(link) = leaf.value_link(index)
            {
                out.push(match leaf.value(index) {
                    ValueRef::Tree { .. } => ObjectLink::Node(link),
                    _ => ObjectLink::Record(link),
                });
            }
        }
        out
    }
}

/// Reads the children of an internal node that hold keys of a range.
fn children(reader: &dyn OldReader, node: &Node, range: &KeyRange, out: &mut Vec<Arc<Node>>) -> Result<()> {
    let first = match &range.after {
        // The child that ends with the key before the range holds none of it.
        Some(after) => {
            let index = lower_bound(node, after);
            index + usize::from(index < node.count() && node.key(index) == *after)
        }
        None => 0,
    };
    let end =
        range.last.as_ref().map_or(node.count(), |last| (lower_bound(node, last) + 1).min(node.count()));
    for index in first..end {
        if out.len() >= NODES_MAX {
            break;
        }
        out.extend(reader.old_node(&node.child(index))?);
    }
    Ok(())
}

/// The first entry whose key is not less than `key`.
fn lower_bound(node: &Node, key: &[u8]) -> usize {
    let (mut low, mut high) = (0, node.count());
    let mut found = Vec::new();
    while low < high {
        let middle = low.midpoint(high);
        node.read_key(middle, &mut found);
        if found.as_slice() < key { low = middle + 1 } else { high = middle }
    }
    low
}

/// Everything below the blobs that an entry held before.
pub(super) fn blob_links(reader: &dyn OldReader, blobs: &[ObjectLink]) -> Result<HashedMap<()>> {
    let mut known = HashedMap::default();
    let mut open: Vec<Link> =
        blobs.iter().filter(|blob| matches!(blob, ObjectLink::Record(_))).map(|blob| *blob.link()).collect();
    // Whether something is a list shows only when it is read; parts are known as such by the level of their list.
    while let Some(link) = open.pop() {
        if known.len() >= BLOB_LINKS_MAX || known.insert(link.hash, ()).is_some() {
            continue;
        }
        let Some(encoded) = reader.old_record(&link)? else { continue };
        let record = Record::decode(&encoded)?;
        if record.kind != RecordKind::BlobList {
            continue;
        }
        if record.payload.first() == Some(&1) {
            known.extend(record.links().map(|part| (part, ())));
        } else {
            open.extend(record.links().map(Link::from));
        }
    }
    Ok(known)
}
