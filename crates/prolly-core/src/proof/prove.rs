//! Decides what a proof shows: for each span of keys, the entries in it, and the ones beside it that show there are no
//! more.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::{Bound, RangeBounds},
};

use super::{PartialNode, Proof, encoding::Bytes};
use crate::{
    Node, Result, Tree,
    node::{Commitment, FIELD_BYTES_MAX},
};

/// A run of keys that a proof has to account for; it is not empty.
#[derive(Clone, Copy)]
struct Span<'a> {
    start: Bound<&'a [u8]>,
    end: Bound<&'a [u8]>,
}

pub(super) fn keys<K: AsRef<[u8]>>(tree: &Tree, keys: impl IntoIterator<Item = K>) -> Result<Proof> {
    let keys: Vec<K> = keys.into_iter().collect();
    let keys: BTreeSet<&[u8]> = keys.iter().map(AsRef::as_ref).collect();
    let spans: Vec<_> =
        keys.iter().map(|key| Span { start: Bound::Included(key), end: Bound::Included(key) }).collect();
    prove(tree, &spans)
}

pub(super) fn range<K: AsRef<[u8]>>(tree: &Tree, bounds: impl RangeBounds<K>) -> Result<Proof> {
    let start = bounds.start_bound().map(AsRef::as_ref);
    let end = bounds.end_bound().map(AsRef::as_ref);
    if is_empty_range(start, end) { prove(tree, &[]) } else { prove(tree, &[Span { start, end }]) }
}

/// Whether no key lies between two bounds because they are crossed.
pub(super) fn is_empty_range(start: Bound<&[u8]>, end: Bound<&[u8]>) -> bool {
    match (start, end) {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
        (Bound::Included(start), Bound::Included(end)) => start > end,
        (Bound::Included(start) | Bound::Excluded(start), Bound::Excluded(end) | Bound::Included(end)) => {
            start >= end
        }
    }
}

fn prove(tree: &Tree, spans: &[Span<'_>]) -> Result<Proof> {
    let mut prover = Prover { tree, nodes: Vec::new(), long_keys: BTreeSet::new() };
    prover.visit(tree.root(), spans)?;
    let nodes = prover.nodes.into_iter().map(|node| node.expect("every node visited is filled in")).collect();
    Ok(Proof { nodes, long_keys: prover.long_keys.into_iter().map(Bytes).collect() })
}

struct Prover<'a> {
    tree: &'a Tree,
    /// Parents before children; `None` until the children are done.
    nodes: Vec<Option<PartialNode>>,
    long_keys: BTreeSet<Vec<u8>>,
}

impl Prover<'_> {
    /// Adds what the spans need of `node` and of the nodes below. Returns whether a span also needs the entry before the
    /// first one of the node.
    fn visit(&mut self, node: &Node, spans: &[Span<'_>]) -> Result<bool> {
        let slot = self.nodes.len();
        self.nodes.push(None);
        let mut shown = Shown { commitment: Commitment::of(node), chunks: BTreeSet::new() };
        let needs_before = if node.is_leaf() {
            self.visit_leaf(node, spans, &mut shown)
        } else {
            self.visit_internal(node, spans, &mut shown)?
        };
        if shown.chunks.is_empty() {
            // An empty leaf, or no span at all: the chunk shows at least that.
            shown.chunks.insert(0);
        }
        self.nodes[slot] = Some(PartialNode::show(&shown.commitment, &shown.chunks));
        Ok(needs_before)
    }

    fn visit_leaf(&mut self, leaf: &Node, spans: &[Span<'_>], shown: &mut Shown) -> bool {
        let mut needs_before = false;
        let Some(last_entry) = leaf.count().checked_sub(1) else { return false };
        for span in spans {
            let first = match span.start {
                Bound::Unbounded => Ok(0),
                Bound::Included(key) | Bound::Excluded(key) => leaf.search(key),
            };
            needs_before |= first == Err(0);
            let last = match span.end {
                Bound::Unbounded => Err(last_entry),
                Bound::Included(key) | Bound::Excluded(key) => leaf.search(key),
            };
            // The key that is asked for is known to who asks; others are needed for their order.
            let is_asked_for = span.start == span.end && last.is_ok();
            // An entry equal to a bound is shown, and one beside a bound that is no entry.
            let first = first.unwrap_or_else(|index| index.saturating_sub(1));
            let last = last.unwrap_or_else(|index| index.min(last_entry));
            for index in first..=last {
                shown.entry(index);
                if !is_asked_for {
                    self.note_key(leaf, index);
                }
            }
        }
        needs_before
    }

    fn visit_internal(&mut self, node: &Node, spans: &[Span<'_>], shown: &mut Shown) -> Result<bool> {
        let last_child = node.count() - 1;
        let mut below: BTreeMap<usize, Vec<Span<'_>>> = BTreeMap::new();
        for span in spans {
            let first = match span.start {
                Bound::Unbounded => 0,
                Bound::Included(key) => node.lower_bound(key),
                Bound::Excluded(key) => node.search(key).map_or_else(|index| index, |index| index + 1),
            };
            if first > last_child {
                // The span lies beyond the last key of the tree.
                shown.entry(last_child);
                self.note_key(node, last_child);
                continue;
            }
            let last = match span.end {
                Bound::Unbounded => last_child,
                Bound::Included(key) | Bound::Excluded(key) => node.lower_bound(key).min(last_child),
            };
            for child in first..=last {
                shown.entry(child);
                below.entry(child).or_default().push(*span);
            }
        }
        let mut needs_before = false;
        for (index, spans) in below {
            let child = self.tree.load_child(node, index)?;
            if self.visit(&child, &spans)? {
                match index.checked_sub(1) {
                    Some(before) => {
                        shown.entry(before);
                        self.note_key(node, before);
                    }
                    None => needs_before = true,
                }
            }
        }
        Ok(needs_before)
    }

    /// Adds key `index` to the proof if the chunks have only its digest.
    fn note_key(&mut self, node: &Node, index: usize) {
        if node.key_len(index) > FIELD_BYTES_MAX {
            self.long_keys.insert(node.key(index));
        }
    }
}

/// The chunks of a node that will be shown.
struct Shown {
    commitment: Commitment,
    chunks: BTreeSet<usize>,
}

impl Shown {
    fn entry(&mut self, index: usize) {
        self.chunks.insert(self.commitment.chunk_of(index));
    }
}
