//! Whatever the order and batching of edits, the tree is the one a from-scratch build of its contents gives.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::{collections::BTreeMap, sync::Arc};

use prolly_core::{
    MAX_KEY_BYTES, NodeBuffer, ProllyTree, SortedEdits, Tree, TreeConfig, Value, ValueRef, empty_root_hash,
};
use proptest::prelude::*;

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

fn from_scratch(model: &Model, config: TreeConfig) -> Tree {
    let store = Arc::new(NodeBuffer::new());
    let entries = model.iter().map(|(key, value)| (key.clone(), Some(Value::Inline(value.clone()))));
    Tree::build(store.clone(), &*store, config, &mut SortedEdits::new(entries)).unwrap()
}

fn assert_shows(tree: &Tree, model: &Model) {
    assert_eq!(tree.len(), model.len() as u64);
    let mut range = tree.range::<&[u8]>(..).unwrap();
    for (key, value) in model {
        let (found_key, found) = range.next_pair().unwrap().expect("an entry is missing");
        assert_eq!((&found_key, &found), (key, value));
    }
    assert!(range.next_entry().unwrap().is_none());
}

/// Small targets give deep trees from few keys; a maximum near or below the target makes most cuts forced ones.
fn configs() -> impl Strategy<Value = TreeConfig> {
    (2u32..6, 1u32..8, any::<u64>(), 1u32..4, prop_oneof![3u32..8, 8u32..20]).prop_map(
        |(base, modulus, pattern, min_chunk_size, max_chunk_size)| TreeConfig {
            pattern,
            min_chunk_size: min_chunk_size.min(max_chunk_size),
            max_chunk_size,
            externalize_threshold: Some(300),
            ..TreeConfig::with_targets(base, modulus)
        },
    )
}

#[derive(Clone, Debug)]
enum Op {
    Put(Vec<u8>, Vec<u8>),
    Delete(Vec<u8>),
    DeleteRange(Vec<u8>, Vec<u8>),
    Flush,
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => prop::collection::vec(0u8..4, 0..6),
        2 => (0u32..500).prop_map(|n| format!("shared/prefix/{n:05}").into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
        1 => (400usize..1200, 0u8..3).prop_map(|(len, byte)| vec![byte; len]),
    ]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => prop::collection::vec(any::<u8>(), 0..20),
        1 => (0usize..900, any::<u8>()).prop_map(|(len, byte)| vec![byte; len]),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (key(), value()).prop_map(|(key, value)| Op::Put(key, value)),
        4 => key().prop_map(Op::Delete),
        1 => (key(), key()).prop_map(|(a, b)| Op::DeleteRange(a.clone().min(b.clone()), a.max(b))),
        2 => Just(Op::Flush),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_sequence_of_edits_gives_the_tree_of_its_contents(
        config in configs(),
        ops in prop::collection::vec(op(), 0..300),
    ) {
        let store = Arc::new(NodeBuffer::new());
        let mut tree = ProllyTree::new(store.clone(), config).unwrap();
        let mut model = Model::new();
        for op in ops {
            match op {
                Op::Put(key, value) => {
                    tree.insert(&key, &value).unwrap();
                    model.insert(key, value);
                }
                Op::Delete(key) => {
                    prop_assert_eq!(tree.delete(&key).unwrap(), model.remove(&key).is_some());
                }
                Op::DeleteRange(from, to) => {
                    for key in model.range(from..to).map(|(key, _)| key.clone()).collect::<Vec<_>>() {
                        tree.remove(&key).unwrap();
                        model.remove(&key);
                    }
                }
                Op::Flush => {
                    tree.flush().unwrap();
                    prop_assert_eq!(tree.root_hash().unwrap(), from_scratch(&model, config).root_hash());
                }
            }
        }
        for (key, value) in &model {
            let found = tree.get(key).unwrap();
            prop_assert_eq!(found.as_ref(), Some(value));
        }
        let scratch = from_scratch(&model, config);
        prop_assert_eq!(tree.root_hash().unwrap(), scratch.root_hash());
        assert_shows(tree.tree().unwrap(), &model);
        // Nodes that the tree no longer uses are gone: what is left is the tree, and blobs.
        let nodes = scratch.stats().unwrap().nodes();
        prop_assert_eq!(store.node_count() as u64, if model.is_empty() { 0 } else { nodes });
    }

    #[test]
    fn cursors_agree_with_an_ordered_map(
        config in configs(),
        model in prop::collection::btree_map(key(), prop::collection::vec(any::<u8>(), 0..8), 0..120),
        probes in prop::collection::vec((key(), key()), 1..20),
    ) {
        let tree = from_scratch(&model, config);
        let keys: Vec<_> = model.keys().cloned().collect();
        for (a, b) in probes {
            let found = tree.get(&a).unwrap();
            prop_assert_eq!(found.as_ref(), model.get(&a));
            prop_assert_eq!(tree.rank(&a).unwrap(), model.range(..a.clone()).count() as u64);
            let mut cursor = tree.cursor();
            cursor.seek(&a).unwrap();
            prop_assert_eq!(cursor.key(), model.range(a.clone()..).next().map(|(key, _)| key.as_slice()));
            cursor.retreat().unwrap();
            if model.range(a.clone()..).next().is_some() {
                prop_assert_eq!(cursor.key(), model.range(..a.clone()).next_back().map(|(key, _)| key.as_slice()));
            }
            let (low, high) = (a.clone().min(b.clone()), a.max(b));
            let range = tree.range(low.as_slice()..high.as_slice()).unwrap();
            let forward: Vec<_> = range.map(|entry| entry.unwrap().0).collect();
            let expected: Vec<_> = model.range(low.clone()..high.clone()).map(|(key, _)| key.clone()).collect();
            prop_assert_eq!(&forward, &expected);
            let mut backward: Vec<_> =
                tree.range(low.as_slice()..high.as_slice()).unwrap().rev().map(|entry| entry.unwrap().0).collect();
            backward.reverse();
            prop_assert_eq!(&backward, &expected);
            let inclusive = tree.range(low.as_slice()..=high.as_slice()).unwrap().count();
            prop_assert_eq!(inclusive, model.range(low..=high.clone()).count());
            let prefix = &high[..high.len().min(2)];
            let with_prefix: Vec<_> = tree.prefix(prefix).unwrap().map(|entry| entry.unwrap().0).collect();
            let expected: Vec<_> = keys.iter().filter(|key| key.starts_with(prefix)).cloned().collect();
            prop_assert_eq!(with_prefix, expected);
        }
        for (rank, key) in keys.iter().enumerate() {
            prop_assert_eq!(&tree.nth(rank as u64).unwrap().unwrap().0, key);
        }
        prop_assert!(tree.nth(keys.len() as u64).unwrap().is_none());
        let mut both = tree.range::<&[u8]>(..).unwrap();
        let mut seen = 0;
        while both.next_entry().unwrap().is_some() {
            seen += 1;
            seen += usize::from(both.next_entry_back().unwrap().is_some());
        }
        prop_assert_eq!(seen, keys.len());
    }
}

#[test]
fn keys_chosen_to_avoid_boundaries_make_no_giant_nodes() {
    // Keys whose boundary hash is above every threshold never end a leaf by the rule; the maximum has to.
    let config = TreeConfig::default();
    let hash = |key: &[u8]| xxhash_rust::xxh3::xxh3_64_with_seed(key, config.pattern) >> 32;
    for high in [true, false] {
        let mut model = Model::new();
        let mut n = 0u64;
        while model.len() < 3000 {
            let key = n.to_be_bytes();
            n += 1;
            let picked = if high { hash(&key) > 0x7000_0000 } else { hash(&key) < 0x0100_0000 };
            if picked {
                model.insert(key.to_vec(), vec![7; 20]);
            }
        }
        let tree = from_scratch(&model, config);
        let stats = tree.stats().unwrap();
        let (least, most) = (u64::from(config.min_chunk_size), u64::from(config.max_chunk_size));
        assert!(stats.leaves >= 3000 / most && stats.leaves <= 3000 / least + 1, "{stats:?}");
        // An edit in the middle does not cascade.
        let store = Arc::new(NodeBuffer::over(tree.reader().clone()));
        let mut edited = ProllyTree::over(store.clone(), tree.clone());
        let middle = model.keys().nth(1500).unwrap().clone();
        edited.remove(&middle).unwrap();
        model.remove(&middle);
        assert_eq!(edited.root_hash().unwrap(), from_scratch(&model, config).root_hash());
        assert!(store.node_count() < 40, "{} nodes rewritten", store.node_count());
    }
}

#[test]
fn sizes_at_the_edges_work() {
    let config = TreeConfig::default();
    let store = Arc::new(NodeBuffer::new());
    let mut tree = ProllyTree::new(store, config).unwrap();
    let mut model = Model::new();
    assert_eq!(tree.root_hash().unwrap(), empty_root_hash());
    let long_keys = (0..40u8).map(|byte| vec![byte; MAX_KEY_BYTES - usize::from(byte)]);
    let sizes = [0, 1, 447, 448, 449, 4096, 4097, 70_000, 1 << 20];
    let pairs = long_keys
        .map(|key| (key, b"v".to_vec()))
        .chain([(vec![], vec![])])
        .chain(sizes.iter().map(|size| (format!("value of {size}").into_bytes(), vec![b'x'; *size])));
    for (key, value) in pairs {
        tree.insert(&key, &value).unwrap();
        model.insert(key, value);
        tree.flush().unwrap();
    }
    assert_eq!(tree.root_hash().unwrap(), from_scratch(&model, config).root_hash());
    assert_shows(tree.tree().unwrap(), &model);
    assert!(tree.insert(&vec![0; MAX_KEY_BYTES + 1], b"").is_err());
    // Values of just the threshold are inline, longer ones blobs.
    let value_of =
        |size: usize| tree.flushed().0.find(format!("value of {size}").as_bytes()).unwrap().unwrap();
    assert!(matches!(value_of(4096).value(), ValueRef::Inline(_)));
    assert!(matches!(value_of(4097).value(), ValueRef::Blob { len: 4097, .. }));
}

#[test]
fn a_handle_stays_readable_while_the_tree_moves_on() {
    let store = Arc::new(NodeBuffer::new());
    let mut tree = ProllyTree::new(store.clone(), TreeConfig::with_targets(4, 4)).unwrap();
    let mut model = Model::new();
    for n in 0..1000u32 {
        tree.insert(&n.to_be_bytes(), b"old").unwrap();
        model.insert(n.to_be_bytes().to_vec(), b"old".to_vec());
    }
    let before = tree.tree().unwrap().clone();
    for n in 0..1000u32 {
        tree.insert(&n.to_be_bytes(), b"new").unwrap();
        if n % 100 == 0 {
            tree.flush().unwrap();
        }
    }
    tree.flush().unwrap();
    assert_shows(&before, &model);
    drop(before);
    tree.insert(b"one more", b"").unwrap();
    let nodes = tree.tree().unwrap().stats().unwrap().nodes();
    assert_eq!(store.node_count() as u64, nodes);
}

#[test]
fn a_missing_node_is_an_error() {
    let model: Model = (0..2000u32).map(|n| (n.to_be_bytes().to_vec(), vec![1; 30])).collect();
    let tree = from_scratch(&model, TreeConfig::default());
    let nowhere = Tree::open(Arc::new(NodeBuffer::new()), *tree.config(), &tree.root().link());
    assert!(matches!(nowhere, Err(prolly_core::Error::Missing { hash }) if hash == tree.root_hash()));
    let store = Arc::new(NodeBuffer::new());
    let fresh = prolly_core::Node::decode(&tree.root_hash(), tree.root().bytes()).unwrap();
    prolly_core::NodeWriter::write_node(&*store, Arc::new(fresh)).unwrap();
    let rootless = Tree::open(store, *tree.config(), &tree.root().link()).unwrap();
    assert!(rootless.get(&5u32.to_be_bytes()).is_err());
    assert!(rootless.range::<&[u8]>(..).unwrap().next().unwrap().is_err());
}
