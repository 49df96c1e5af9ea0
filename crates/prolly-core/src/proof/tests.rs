//! Forged proofs: every way found to make a proof say something that is not so.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    PartialNode, Proof,
    encoding::{Bytes, ChainingValues},
};
use crate::{
    Error, Hash, Locator, Node, NodeBuffer, SortedEdits, Tree, TreeConfig, Value, ValueRef, Verified,
    node::{Child, Commitment, NodeBuilder},
};

fn key(number: usize) -> Vec<u8> {
    format!("key:{number:06}").into_bytes()
}

fn value(number: usize) -> Vec<u8> {
    [number as u8; 100].to_vec()
}

/// A tree of even-numbered keys.
fn tree(entries: usize, config: TreeConfig) -> Tree {
    let buffer = Arc::new(NodeBuffer::new());
    let entries = (0..entries).map(|n| (key(2 * n), Some(Value::Inline(value(2 * n)))));
    Tree::build(buffer.clone(), &*buffer, config, &mut SortedEdits::new(entries)).unwrap()
}

fn leaf(keys: &[&[u8]]) -> Arc<Node> {
    let mut builder = NodeBuilder::new(0);
    for key in keys {
        builder.push_value(key, &ValueRef::Inline(&[7; 100]).to_tagged(), Locator::NONE);
    }
    Arc::new(builder.take(keys.len()))
}

fn numbered_leaf(count: usize) -> Arc<Node> {
    let keys: Vec<_> = (0..count).map(key).collect();
    leaf(&keys.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

/// An internal node whose entries say what they are told to.
fn internal(level: u8, children: &[(&[u8], &Arc<Node>, u64)]) -> Arc<Node> {
    let mut builder = NodeBuilder::new(level);
    for (key, node, len) in children {
        builder.push_child(key, &Child { link: node.link(), len: *len, decoded: Arc::downgrade(node) });
    }
    Arc::new(builder.take(children.len()))
}

fn show(node: &Node, chunks: impl IntoIterator<Item = usize>) -> PartialNode {
    PartialNode::show(&Commitment::of(node), &chunks.into_iter().collect())
}

fn show_all(node: &Node) -> PartialNode {
    show(node, 0..Commitment::of(node).chunk_count())
}

fn proof(nodes: impl IntoIterator<Item = PartialNode>) -> Proof {
    Proof { nodes: nodes.into_iter().collect(), long_keys: Vec::new() }
}

#[track_caller]
fn assert_refused(proof: &Proof, root: &Hash, reason: &str) {
    match proof.verify(root) {
        Err(Error::InvalidProof { reason: found }) => {
            assert!(found.contains(reason), "{found:?}, not {reason:?}")
        }
        other => panic!("{other:?}, not {reason:?}"),
    }
}

#[track_caller]
fn assert_says_nothing(verified: &Verified, key: &[u8]) {
    assert!(matches!(verified.get(key), Err(Error::InvalidProof { .. })), "{:?}", verified.get(key));
}

/// The nodes on the path to a key, from the root.
fn path(tree: &Tree, key: &[u8]) -> Vec<Arc<Node>> {
    let mut path = vec![tree.root().clone()];
    while !path[path.len() - 1].is_leaf() {
        let node = &path[path.len() - 1];
        path.push(tree.load_child(node, node.lower_bound(key)).unwrap());
    }
    path
}

#[test]
fn every_set_of_shown_chunks_hashes_to_the_address() {
    for count in [0, 1, 8, 9, 20, 30, 60, 61, 100] {
        let node = numbered_leaf(count);
        let total = Commitment::of(&node).chunk_count();
        for first in 0..total {
            for last in first..total {
                for step in 1..4 {
                    let partial = show(&node, (first..=last).step_by(step));
                    let opened = partial.open().unwrap();
                    assert_eq!(opened.hash, *node.hash());
                    assert_eq!((opened.level, opened.total), (0, total));
                }
            }
        }
    }
}

#[test]
fn a_wrong_number_or_index_of_chunks_is_refused() {
    let tree = tree(40, TreeConfig::with_targets(64, 64));
    let root = tree.root_hash();
    let total = Commitment::of(tree.root()).chunk_count();
    assert!(total > 3, "{total} chunks");
    for (at, forged) in [(2, 0), (2, 2), (2, 200), (4, 0), (4, 1), (4, 2), (4, total as u8 + 1), (5, 1)] {
        let mut proof = Proof::for_keys(&tree, [key(20)]).unwrap();
        if proof.nodes[0].chunks[0].0[at] != forged {
            proof.nodes[0].chunks[0].0[at] = forged;
            assert!(proof.verify(&root).is_err(), "byte {at} as {forged}");
        }
    }
    // A node of two chunks in place of one of four, its halves being chaining values: nothing is left to show.
    let honest = show(tree.root(), [0]);
    let forged = PartialNode { chunks: Vec::new(), hidden: honest.hidden.clone() };
    assert_refused(&proof([forged]), &root, "shows nothing");
    let forged = PartialNode { chunks: Vec::new(), hidden: ChainingValues(vec![*root.as_bytes()]) };
    assert_refused(&proof([forged]), &root, "shows nothing");
}

#[test]
fn chaining_values_have_to_be_as_many_as_needed() {
    let tree = tree(40, TreeConfig::with_targets(64, 64));
    let honest = Proof::for_keys(&tree, [key(20)]).unwrap();
    let mut forged = honest.clone();
    forged.nodes[0].hidden.0.pop();
    assert_refused(&forged, &tree.root_hash(), "missing");
    let mut forged = honest.clone();
    forged.nodes[0].hidden.0.push([0; 32]);
    assert_refused(&forged, &tree.root_hash(), "more chaining values");
    let mut forged = honest;
    forged.nodes[0].hidden.0.swap(0, 1);
    assert_refused(&forged, &tree.root_hash(), "belongs to root");
}

#[test]
fn chunks_have_to_be_of_one_node_and_in_order() {
    let tree = tree(200, TreeConfig::with_targets(16, 64));
    let leaf = path(&tree, &key(0))[1].clone();
    let mut forged = show(&leaf, [0, 1]);
    forged.chunks.swap(0, 1);
    assert_refused(&proof([forged]), leaf.hash(), "out of order");
    let mut forged = show(&leaf, [0, 1]);
    forged.chunks[1] = forged.chunks[0].clone();
    assert_refused(&proof([forged]), leaf.hash(), "out of order");
    let mut forged = show(&leaf, [0, 1]);
    forged.chunks[1] = show(tree.root(), [0]).chunks[0].clone();
    assert_refused(&proof([forged]), leaf.hash(), "different nodes");
    let longer = numbered_leaf(100);
    let mut forged = show(&leaf, [0, 1]);
    forged.chunks[1] = show(&longer, [1]).chunks[0].clone();
    assert_refused(&proof([forged]), leaf.hash(), "different nodes");
}

#[test]
fn chunks_have_to_follow_the_format() {
    let tree = tree(40, TreeConfig::with_targets(64, 64));
    let honest = show(tree.root(), [0]);
    let broken: [fn(&mut Vec<u8>); 7] = [
        |chunk| chunk.clear(),
        |chunk| chunk.truncate(7),
        |chunk| chunk.truncate(50),
        |chunk| chunk.push(0),
        |chunk| chunk.resize(1025, 0),
        |chunk| chunk[1] += 1,
        // A field longer than a chunk commits to in full.
        |chunk| chunk[8..10].copy_from_slice(&449u16.to_le_bytes()),
    ];
    for (case, broken) in broken.into_iter().enumerate() {
        let mut forged = honest.clone();
        broken(&mut forged.chunks[0].0);
        let error = proof([forged]).verify(&tree.root_hash()).unwrap_err();
        assert!(error.to_string().contains("does not follow the format"), "case {case}: {error}");
    }
}

#[test]
fn a_chunk_cannot_pass_as_another_level() {
    // A leaf that holds, as a user's value, what an internal chunk would hold to link to the leaf with a forged entry.
    let forged = leaf(&[b"forged"]);
    let mut chunk = show_all(&internal(1, &[(b"forged", &forged, 1)])).chunks.remove(0).0;
    let mut builder = NodeBuilder::new(0);
    builder.push_value(b"innocent", &ValueRef::Inline(&chunk).to_tagged(), Locator::NONE);
    let root = builder.take(1);
    assert_refused(&proof([show_all(&root), show_all(&forged)]), root.hash(), "none of its other nodes");
    // Nor does the shown leaf become an internal node by saying so.
    let mut relabelled = show_all(&root);
    relabelled.chunks[0].0[0] = 1;
    assert!(proof([relabelled, show_all(&forged)]).verify(root.hash()).is_err());
    chunk[0] = 0;
    let relabelled = PartialNode { chunks: vec![Bytes(chunk)], hidden: ChainingValues(Vec::new()) };
    assert!(proof([relabelled, show_all(&forged)]).verify(root.hash()).is_err());
}

#[test]
fn a_node_below_the_wrong_level_is_refused() {
    let leaf = leaf(&[b"a", b"b"]);
    for level in [2, 3, 255] {
        let root = internal(level, &[(b"b", &leaf, 2)]);
        assert_refused(&proof([show_all(&root), show_all(&leaf)]), root.hash(), "lies below");
    }
    let low = internal(1, &[(b"b", &leaf, 2)]);
    let root = internal(1, &[(b"b", &low, 2)]);
    assert_refused(&proof([show_all(&root), show_all(&low), show_all(&leaf)]), root.hash(), "lies below");
}

#[test]
fn a_node_that_its_parent_misdescribes_is_refused() {
    let (a, b) = (leaf(&[b"a", b"b"]), leaf(&[b"c", b"d"]));
    let build = |last: &[u8], len| internal(1, &[(last, &a, len), (b"d", &b, 2)]);
    let honest = build(b"b", 2);
    proof([show_all(&honest), show_all(&a), show_all(&b)]).verify(honest.hash()).unwrap();
    for (last, len) in [(&b"a"[..], 2), (b"bb", 2), (b"b", 1), (b"b", 3)] {
        let root = build(last, len);
        assert_refused(&proof([show_all(&root), show_all(&a)]), root.hash(), "its parent describes");
    }
}

#[test]
fn overlapping_children_are_refused() {
    let (a, b) = (leaf(&[b"a", b"c"]), leaf(&[b"b", b"d"]));
    let root = internal(1, &[(b"c", &a, 2), (b"d", &b, 2)]);
    assert_refused(&proof([show_all(&root), show_all(&a), show_all(&b)]), root.hash(), "ascending");
}

#[test]
fn an_empty_chunk_stands_only_for_the_empty_tree() {
    let empty = leaf(&[]);
    let verified = proof([show_all(&empty)]).verify(empty.hash()).unwrap();
    assert_eq!(verified.get(b"anything").unwrap(), None);
    let root = internal(1, &[(b"z", &empty, 1)]);
    assert_refused(&proof([show_all(&root), show_all(&empty)]), root.hash(), "empty chunk");
}

#[test]
fn the_nodes_have_to_be_all_there_once_and_in_order() {
    let tree = tree(3000, TreeConfig::with_targets(8, 8));
    let root = tree.root_hash();
    let honest = Proof::for_keys(&tree, [key(1000), key(4000)]).unwrap();
    honest.verify(&root).unwrap();
    assert_refused(&proof([]), &root, "no nodes");
    for index in 0..honest.nodes.len() {
        let mut forged = honest.clone();
        let removed = forged.nodes.remove(index);
        match forged.verify(&root) {
            // Only a leaf leaves no orphans, and what it showed is no longer shown.
            Ok(verified) => {
                assert_eq!(removed.chunks[0][0], 0);
                assert!([1000, 4000].iter().any(|number| verified.get(&key(*number)).is_err()));
            }
            Err(error) => assert!(matches!(error, Error::InvalidProof { .. })),
        }
        let mut forged = honest.clone();
        forged.nodes.insert(index, honest.nodes[index].clone());
        assert!(forged.verify(&root).is_err(), "node {index} twice");
        for other in 0..index {
            let mut forged = honest.clone();
            forged.nodes.swap(index, other);
            assert!(forged.verify(&root).is_err(), "nodes {index} and {other} swapped");
        }
    }
}

#[test]
fn a_node_of_another_tree_cannot_be_spliced_in() {
    let ours = tree(3000, TreeConfig::with_targets(8, 8));
    let mut edits = SortedEdits::new([(key(1000), Some(Value::Inline(b"forged".to_vec())))]);
    let buffer = NodeBuffer::new();
    let theirs = ours.apply(&buffer, &mut edits).unwrap();
    let honest = Proof::for_keys(&ours, [key(1000)]).unwrap();
    let forged = Proof::for_keys(&theirs.with_reader(Arc::new(buffer)), [key(1000)]).unwrap();
    assert_eq!(honest.nodes.len(), forged.nodes.len());
    assert_refused(&forged, &ours.root_hash(), "belongs to root");
    for index in 0..honest.nodes.len() {
        let mut spliced = honest.clone();
        spliced.nodes[index] = forged.nodes[index].clone();
        assert!(spliced.verify(&ours.root_hash()).is_err());
    }
}

#[test]
fn another_leaf_proves_nothing_about_the_key() {
    let tree = tree(3000, TreeConfig::with_targets(64, 8));
    let here = path(&tree, &key(1000));
    let (parent, leaf) = (&here[here.len() - 2], &here[here.len() - 1]);
    let neighbour = tree.load_child(parent, parent.lower_bound(&key(1000)) + 1).unwrap();
    let present = leaf.key(1);
    let absent = [&present[..], b"+"].concat();
    let mut forged = Proof::for_keys(&tree, [&present]).unwrap();
    let above = forged.nodes.len() - 2;
    forged.nodes[above] = show_all(parent);
    forged.nodes[above + 1] = show_all(&neighbour);
    let verified = forged.verify(&tree.root_hash()).unwrap();
    assert_says_nothing(&verified, &present);
    assert_says_nothing(&verified, &absent);
    let shown = neighbour.key(0);
    assert!(verified.get(&shown).unwrap().is_some());
}

#[test]
fn absence_cannot_be_shown_by_skipping_a_chunk() {
    let tree = tree(40, TreeConfig::with_targets(64, 64));
    let root = tree.root();
    let commitment = Commitment::of(root);
    let (present, absent) = (key(20), key(21));
    let middle = commitment.chunk_of(root.search(&present).unwrap());
    let forged = proof([show(root, [middle - 1, middle + 1])]);
    let verified = forged.verify(root.hash()).unwrap();
    assert_says_nothing(&verified, &present);
    assert_says_nothing(&verified, &absent);
    // Nor by showing only one side of a gap between chunks.
    let last_before = (0..root.count()).rfind(|index| commitment.chunk_of(*index) == middle - 1).unwrap();
    let between = [root.key(last_before), vec![0]].concat();
    assert_says_nothing(&proof([show(root, [middle - 1])]).verify(root.hash()).unwrap(), &between);
    assert_says_nothing(&proof([show(root, [middle])]).verify(root.hash()).unwrap(), &between);
    let both = proof([show(root, [middle - 1, middle])]).verify(root.hash()).unwrap();
    assert_eq!(both.get(&between).unwrap(), None);
}

#[test]
fn absence_at_the_edge_of_a_leaf_needs_the_neighbour() {
    let tree = tree(3000, TreeConfig::with_targets(64, 8));
    let root = tree.root_hash();
    let here = path(&tree, &key(1000));
    let leaf = &here[here.len() - 1];
    let mut before_first = leaf.key(0);
    *before_first.last_mut().unwrap() -= 1;
    before_first.push(b'+');
    // The right half of what is needed: the path to the leaf, without the chunk that has the end of the leaf before.
    let parent = &here[here.len() - 2];
    let index = parent.lower_bound(&before_first);
    let commitment = Commitment::of(parent);
    for before in [false, true] {
        let shown: BTreeSet<_> =
            [index, index - usize::from(before)].map(|index| commitment.chunk_of(index)).into();
        let mut nodes = Proof::for_keys(&tree, [leaf.key(0)]).unwrap().nodes;
        let at = nodes.len() - 2;
        nodes[at] = PartialNode::show(&commitment, &shown);
        let verified = proof(nodes).verify(&root).unwrap();
        let is_shown = before || commitment.chunk_of(index - 1) == commitment.chunk_of(index);
        assert_eq!(verified.get(&before_first).is_ok(), is_shown);
    }
    // A leaf without its first chunk does not show that nothing comes before the first entry shown.
    let mut nodes = Proof::for_keys(&tree, [leaf.key(leaf.count() - 1)]).unwrap().nodes;
    let at = nodes.len() - 1;
    let commitment = Commitment::of(leaf);
    if commitment.chunk_count() > 1 {
        nodes[at] = show(leaf, [commitment.chunk_count() - 1]);
        assert_says_nothing(&proof(nodes).verify(&root).unwrap(), &before_first);
    }
}

#[test]
fn a_truncated_range_is_noticed() {
    let tree = tree(600, TreeConfig::with_targets(8, 32));
    let root = tree.root_hash();
    let bounds = || key(200)..key(800);
    let honest = Proof::for_range(&tree, bounds()).unwrap();
    assert_eq!(honest.verify(&root).unwrap().range(bounds()).unwrap().len(), 300);
    let leaves: Vec<_> =
        (0..honest.nodes.len()).filter(|index| honest.nodes[*index].chunks[0][0] == 0).collect();
    assert!(leaves.len() > 5);
    for leaf in leaves {
        let mut forged = honest.clone();
        forged.nodes.remove(leaf);
        let Ok(verified) = forged.verify(&root) else { continue };
        assert!(verified.range(bounds()).is_err(), "without leaf {leaf}");
    }
    // The same with single chunks of leaves, hidden behind their chaining values.
    let verified = honest.verify(&root).unwrap();
    let entries = verified.range(bounds()).unwrap();
    for (key, _) in entries.iter().step_by(7) {
        let node = path(&tree, key).pop().unwrap();
        let commitment = Commitment::of(&node);
        let Some(at) = honest.nodes.iter().position(|part| part.open().unwrap().hash == *node.hash()) else {
            continue;
        };
        let shown: BTreeSet<_> =
            honest.nodes[at].open().unwrap().chunks.iter().map(|chunk| chunk.index).collect();
        for hidden in &shown {
            let fewer: BTreeSet<_> = shown.iter().copied().filter(|index| index != hidden).collect();
            if fewer.is_empty() {
                continue;
            }
            let mut forged = honest.clone();
            forged.nodes[at] = PartialNode::show(&commitment, &fewer);
            let verified = forged.verify(&root).unwrap();
            assert!(verified.range(bounds()).is_err(), "chunk {hidden} of node {at} hidden");
        }
    }
}

#[test]
fn long_keys_have_to_be_those_of_the_digests() {
    let long = |byte| vec![byte; 1000];
    let root = leaf(&[&long(b'a'), &long(b'c'), &long(b'e')]);
    let with_keys = |keys: &[Vec<u8>]| Proof {
        long_keys: keys.iter().cloned().map(Bytes).collect(),
        ..proof([show_all(&root)])
    };

    let none = with_keys(&[]).verify(root.hash()).unwrap();
    assert!(none.get(&long(b'c')).unwrap().is_some(), "a key that exists is recognised by its digest");
    assert_says_nothing(&none, &long(b'b'));
    assert_says_nothing(&none, b"short");
    assert!(none.range::<&[u8]>(..).is_err());

    let all = with_keys(&[long(b'a'), long(b'c'), long(b'e')]).verify(root.hash()).unwrap();
    assert_eq!(all.get(&long(b'b')).unwrap(), None);
    assert_eq!(all.range::<&[u8]>(..).unwrap().len(), 3);

    let two = with_keys(&[long(b'a'), long(b'e')]).verify(root.hash()).unwrap();
    assert_says_nothing(&two, &long(b'b'));
    assert!(two.get(&long(b'c')).unwrap().is_some());
    assert_eq!(two.get(&long(b'f')).unwrap(), None);

    assert_refused(&with_keys(&[long(b'b')]), root.hash(), "nothing refers to");
    assert_refused(&with_keys(&[long(b'a'), long(b'a')]), root.hash(), "ascending");
    assert_refused(&with_keys(&[long(b'c'), long(b'a')]), root.hash(), "ascending");
    assert_refused(&with_keys(&[b"short".to_vec()]), root.hash(), "nothing refers to");
}

#[test]
fn a_proof_names_the_root_it_leads_to() {
    let tree = tree(1000, TreeConfig::default());
    let proof = Proof::for_keys(&tree, [key(8)]).unwrap();
    assert_eq!(proof.node_count(), tree.height());
    assert_eq!(proof.claimed_root().unwrap(), tree.root_hash());
    assert!(self::proof([]).claimed_root().is_err());
}

#[test]
fn a_digest_stands_for_bytes_of_its_length_only() {
    let long = vec![b'a'; 1000];
    let mut forged = show_all(&leaf(&[&long]));
    forged.chunks[0].0[10..14].copy_from_slice(&999u32.to_le_bytes());
    let root = forged.open().unwrap().hash;
    assert_says_nothing(&proof([forged.clone()]).verify(&root).unwrap(), &long);
    let with_key = Proof { long_keys: vec![Bytes(long)], ..proof([forged]) };
    assert_refused(&with_key, &root, "nothing refers to");
}
