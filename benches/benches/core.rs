//! Micro benchmarks of the core's hot paths.

#![expect(clippy::unwrap_used, reason = "a benchmark that fails has to stop")]

use std::{hint::black_box, sync::Arc};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use prolly_core::{Node, NodeBuffer, NodeReader, SortedEdits, Tree, TreeConfig, Value};

const KEYS: u64 = 100_000;

fn key(number: u64) -> Vec<u8> {
    format!("key:{number:012}").into_bytes()
}

/// Bytes that do not compress, from the number they belong to.
fn value(number: u64) -> Vec<u8> {
    let mut state = number;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
    .take(100)
    .collect()
}

fn tree() -> (Arc<NodeBuffer>, Tree) {
    let nodes = Arc::new(NodeBuffer::new());
    let entries = (0..KEYS).map(|number| (key(number * 16), Some(Value::Inline(value(number)))));
    let reader = Arc::clone(&nodes) as Arc<dyn NodeReader>;
    let tree = Tree::build(reader, &*nodes, TreeConfig::default(), &mut SortedEdits::new(entries)).unwrap();
    (nodes, tree)
}

/// Numbers that jump about.
fn scattered() -> impl Iterator<Item = u64> {
    (0..).map(|step: u64| step.wrapping_mul(0x9e37_79b9) % KEYS)
}

fn nodes(criterion: &mut Criterion) {
    let (_, tree) = tree();
    let mut cursor = tree.cursor();
    cursor.seek_first().unwrap();
    let root = tree.root();
    let leaf = {
        let mut node = Arc::clone(root);
        while !node.is_leaf() {
            node = tree.reader().read_node(&node.child(0)).unwrap();
        }
        node
    };
    let bytes = leaf.bytes().to_vec();
    let keys: Vec<_> = (0..leaf.count()).map(|index| leaf.key(index)).collect();
    let mut at = 0;
    criterion.bench_function("search a leaf", |bencher| {
        bencher.iter(|| {
            at = (at + 29) % keys.len();
            black_box(leaf.search(&keys[at]))
        });
    });
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(leaf.count() as u64));
    // Checks the form, hashes, and checks the address.
    group.bench_function("a leaf", |bencher| {
        bencher.iter(|| Node::decode(leaf.hash(), bytes.clone()).unwrap());
    });
    group.finish();
}

fn trees(criterion: &mut Criterion) {
    let (nodes, tree) = tree();
    let mut numbers = scattered();
    criterion.bench_function("find a key", |bencher| {
        bencher.iter(|| tree.find(&key(numbers.next().unwrap() * 16)).unwrap().unwrap());
    });
    let mut numbers = scattered();
    criterion.bench_function("apply one insert", |bencher| {
        bencher.iter(|| {
            let number = numbers.next().unwrap();
            let edit = [(key(number * 16 + 1), Some(Value::Inline(value(number))))];
            tree.apply(&*nodes, &mut SortedEdits::new(edit)).unwrap()
        });
    });
    let mut group = criterion.benchmark_group("scan");
    group.throughput(Throughput::Elements(KEYS));
    group.sample_size(20);
    group.bench_function("every entry", |bencher| {
        bencher.iter(|| {
            let mut range = tree.range::<&[u8]>(..).unwrap();
            while let Some(entry) = range.next_entry().unwrap() {
                black_box(entry);
            }
        });
    });
    group.finish();
}

criterion_group!(core, nodes, trees);
criterion_main!(core);
