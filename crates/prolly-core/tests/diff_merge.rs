//! Diff and merge against ordered maps.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use prolly_core::{
    Error, Link, Merged, Node, NodeBuffer, NodeReader, NodeWriter, ProllyTree, Resolution, Result,
    SortedEdits, Tree, TreeConfig, Value, merge, refuse,
};
use proptest::prelude::*;

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

fn build(store: &Arc<NodeBuffer>, model: &Model, config: TreeConfig) -> Tree {
    let entries = model.iter().map(|(key, value)| (key.clone(), Some(Value::Inline(value.clone()))));
    Tree::build(store.clone(), &**store, config, &mut SortedEdits::new(entries)).unwrap()
}

fn config() -> TreeConfig {
    TreeConfig { externalize_threshold: Some(4), ..TreeConfig::with_targets(3, 4) }
}

fn models() -> impl Strategy<Value = (Model, Model, Model)> {
    let key = prop::collection::vec(0u8..5, 0..5);
    let value = prop::collection::vec(0u8..3, 0..8);
    let base = prop::collection::btree_map(key.clone(), value.clone(), 0..150);
    let edits = prop::collection::vec((key, prop::option::of(value)), 0..30);
    (base, edits.clone(), edits).prop_map(|(base, ours, theirs)| {
        let edited = |edits: Vec<(Vec<u8>, Option<Vec<u8>>)>| {
            let mut model = base.clone();
            for (key, value) in edits {
                match value {
                    Some(value) => model.insert(key, value),
                    None => model.remove(&key),
                };
            }
            model
        };
        let (ours, theirs) = (edited(ours), edited(theirs));
        (base, ours, theirs)
    })
}

type Differences = Vec<(Vec<u8>, Option<Value>, Option<Value>)>;

fn differences(mut diff: prolly_core::Diff) -> Differences {
    let mut found = Vec::new();
    while let Some(entry) = diff.next_difference().unwrap() {
        let own = |side: &Option<prolly_core::Found>| side.as_ref().map(|side| side.value().to_owned());
        found.push((entry.key.to_vec(), own(&entry.left), own(&entry.right)));
    }
    found
}

fn value(bytes: &[u8]) -> Value {
    if bytes.len() > 4 {
        prolly_core::blob::address(bytes).as_value().to_owned()
    } else {
        Value::Inline(bytes.to_vec())
    }
}

fn expected_differences(left: &Model, right: &Model, within: impl Fn(&[u8]) -> bool) -> Differences {
    let keys: BTreeSet<_> = left.keys().chain(right.keys()).cloned().collect();
    keys.into_iter()
        .filter(|key| within(key) && left.get(key) != right.get(key))
        .map(|key| (key.clone(), left.get(&key).map(|v| value(v)), right.get(&key).map(|v| value(v))))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn diff_finds_what_differs((left, right, probe) in models()) {
        let store = Arc::new(NodeBuffer::new());
        let (a, b) = (build(&store, &left, config()), build(&store, &right, config()));
        prop_assert_eq!(differences(a.diff(&b).unwrap()), expected_differences(&left, &right, |_| true));
        prop_assert_eq!(differences(a.diff(&a).unwrap()), vec![]);
        let mut bounds = probe.keys();
        if let (Some(from), Some(to)) = (bounds.next(), bounds.next_back()) {
            let half_open = a.diff_range::<&[u8]>(&b, from.as_slice()..to.as_slice()).unwrap();
            prop_assert_eq!(differences(half_open), expected_differences(&left, &right, |key| from.as_slice() <= key && key < to.as_slice()));
            let closed = a.diff_range::<&[u8]>(&b, from.as_slice()..=to.as_slice()).unwrap();
            prop_assert_eq!(differences(closed), expected_differences(&left, &right, |key| from.as_slice() <= key && key <= to.as_slice()));
        }
    }

    #[test]
    fn merge_follows_the_table((base, ours, theirs) in models(), choice in 0u8..4) {
        let store = Arc::new(NodeBuffer::new());
        let trees = [&base, &ours, &theirs].map(|model| build(&store, model, config()));
        let mut expected = Model::new();
        let mut conflicts = Vec::new();
        let keys: BTreeSet<_> = [&base, &ours, &theirs].into_iter().flat_map(Model::keys).cloned().collect();
        for key in keys {
            let (b, o, t) = (base.get(&key), ours.get(&key), theirs.get(&key));
            let merged = if o == b || o == t {
                t
            } else if t == b {
                o
            } else {
                conflicts.push(key.clone());
                match choice { 0 => o, 1 => t, 2 => None, _ => Some(&key) }
            };
            merged.and_then(|value| expected.insert(key.clone(), value.clone()));
        }
        let mut seen = Vec::new();
        let merged = merge(&trees[0], &trees[1], &trees[2], &*store, &mut |conflict| {
            assert_eq!(conflict.read(&*store, &conflict.base)?.as_ref(), base.get(&conflict.key));
            assert_eq!(conflict.read(&*store, &conflict.ours)?.as_ref(), ours.get(&conflict.key));
            assert_eq!(conflict.read(&*store, &conflict.theirs)?.as_ref(), theirs.get(&conflict.key));
            seen.push(conflict.key.clone());
            Ok(match choice {
                0 => Resolution::Ours,
                1 => Resolution::Theirs,
                2 => Resolution::Value(None),
                _ => Resolution::Value(Some(Value::Inline(conflict.key.clone()))),
            })
        }).unwrap();
        prop_assert_eq!(&seen, &conflicts);
        let Merged::Clean(tree) = merged else { panic!("every conflict was resolved") };
        prop_assert_eq!(tree.root_hash(), build(&store, &expected, config()).root_hash());

        let refused = merge(&trees[0], &trees[1], &trees[2], &*store, &mut refuse).unwrap();
        let swapped = merge(&trees[0], &trees[2], &trees[1], &*store, &mut refuse).unwrap();
        match (refused, swapped) {
            (Merged::Clean(tree), Merged::Clean(swapped)) => {
                prop_assert!(conflicts.is_empty());
                prop_assert_eq!(tree.root_hash(), swapped.root_hash());
            }
            (Merged::Conflicts(left), Merged::Conflicts(right)) => {
                prop_assert_eq!(left.iter().map(|c| c.key.clone()).collect::<Vec<_>>(), conflicts);
                for (left, right) in left.iter().zip(&right) {
                    let tagged = |side: &Option<prolly_core::Found>| side.as_ref().map(|found| found.tagged().to_vec());
                    prop_assert_eq!(&left.key, &right.key);
                    prop_assert_eq!(tagged(&left.ours), tagged(&right.theirs));
                    prop_assert_eq!(tagged(&left.theirs), tagged(&right.ours));
                }
            }
            _ => prop_assert!(false, "merging is not symmetric"),
        }
    }
}

/// Counts the nodes read.
struct Counting {
    inner: Arc<NodeBuffer>,
    reads: AtomicUsize,
}

impl NodeReader for Counting {
    fn read_node(&self, link: &Link) -> Result<Arc<Node>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        // Decoded anew, so that no pointer to a child is left from building.
        let node = self.inner.read_node(link)?;
        Ok(Arc::new(Node::decode(&link.hash, node.bytes())?))
    }

    fn read_record(&self, link: &Link) -> Result<Arc<[u8]>> {
        self.inner.read_record(link)
    }
}

#[test]
fn diff_and_merge_cost_what_changed() {
    let config = TreeConfig::default();
    let base: Model = (0..100_000u32).map(|n| (n.to_be_bytes().to_vec(), n.to_le_bytes().to_vec())).collect();
    let store = Arc::new(NodeBuffer::new());
    let base_tree = build(&store, &base, config);
    let edited = |step: u32, value: &[u8]| {
        let buffer = Arc::new(NodeBuffer::over(store.clone()));
        let mut tree = ProllyTree::over(buffer.clone(), base_tree.clone());
        for n in (0..10).map(|n| n * step) {
            tree.insert(&n.to_be_bytes(), value).unwrap();
        }
        let tree = tree.tree().unwrap().clone();
        tree.visit_nodes(&mut |node| {
            if let Some(node) = buffer.buffered_node(node.hash()) {
                store.write_node(node).unwrap();
            }
        })
        .unwrap();
        tree
    };
    // Ours changes ten entries, theirs ten others and all of a long stretch.
    let (ours, theirs) = (edited(9_001, b"ours"), edited(7_001, b"theirs"));
    let mut stretch = ProllyTree::over(store.clone(), theirs);
    for n in 40_000..60_000u32 {
        stretch.insert(&n.to_be_bytes(), b"stretch").unwrap();
    }
    let theirs = stretch.tree().unwrap().clone();

    let counting = Arc::new(Counting { inner: store.clone(), reads: AtomicUsize::new(0) });
    let reopen = |tree: &Tree| Tree::open(counting.clone(), config, &tree.root_hash().into()).unwrap();
    let reads = || counting.reads.swap(0, Ordering::Relaxed);

    let (a, b) = (reopen(&base_tree), reopen(&ours));
    reads();
    let found = differences(a.diff(&b).unwrap()).len();
    let used = reads();
    assert_eq!(found, 10);
    assert!(used <= 10 * 2 * 4, "a diff of 10 changes read {used} nodes");

    let (base_tree, ours, theirs) = (reopen(&base_tree), reopen(&ours), reopen(&theirs));
    reads();
    let merged = merge(&base_tree, &ours, &theirs, &*store, &mut |_| Ok(Resolution::Ours)).unwrap();
    let used = reads();
    let Merged::Clean(merged) = merged else { panic!("conflicts were resolved") };
    assert_eq!(merged.get(&50_000u32.to_be_bytes()).unwrap().unwrap(), b"stretch");
    assert_eq!(merged.get(&9_001u32.to_be_bytes()).unwrap().unwrap(), b"ours");
    assert_eq!(merged.get(&7_001u32.to_be_bytes()).unwrap().unwrap(), b"theirs");
    assert!(used < 250, "a merge of 10 changes into 20,000 read {used} nodes");
}

#[test]
fn trees_of_different_configurations_are_not_compared() {
    let store = Arc::new(NodeBuffer::new());
    let model = Model::from([(b"k".to_vec(), b"v".to_vec())]);
    let a = build(&store, &model, TreeConfig::default());
    let b = build(&store, &model, TreeConfig::with_targets(8, 8));
    assert!(matches!(a.diff(&b).map(|_| ()), Err(Error::ConfigMismatch { .. })));
    assert!(matches!(merge(&a, &a, &b, &*store, &mut refuse), Err(Error::ConfigMismatch { .. })));
}
