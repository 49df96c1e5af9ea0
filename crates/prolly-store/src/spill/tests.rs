use super::*;
use crate::testing::{leaf, record};

fn buffer(limit_bytes: usize) -> SpillBuffer {
    SpillBuffer::new(None, Arc::new(NodeCache::new(0))).with_limit_bytes(limit_bytes)
}

#[test]
fn everything_reads_back_from_memory_and_from_the_file() {
    let buffer = buffer(100_000);
    let nodes: Vec<_> = (0..100).map(|seed| leaf(seed, 60, 100)).collect();
    let records: Vec<_> = (0..100).map(|seed| record(seed, 3_000)).collect();
    for (node, (hash, encoded)) in nodes.iter().zip(&records) {
        buffer.write_node(node.clone()).unwrap();
        buffer.write_record(*hash, encoded.clone()).unwrap();
        assert!(buffer.memory_bytes() <= 100_000, "{buffer:?}");
    }
    assert_eq!(buffer.object_count(), 200);
    assert!(buffer.pending_bytes() > 900_000, "{buffer:?}");
    for (node, (hash, encoded)) in nodes.iter().zip(&records) {
        assert_eq!(buffer.read_node(&node.link()).unwrap().bytes(), node.bytes());
        assert_eq!(&buffer.read_record(&Link::from(*hash)).unwrap()[..], encoded);
        assert!(buffer.record(node.hash()).unwrap().is_none(), "a node is not a record");
        assert!(buffer.node(hash).unwrap().is_none(), "a record is not a node");
    }
    buffer.clear();
    assert_eq!((buffer.object_count(), buffer.pending_bytes()), (0, 0));
    assert!(matches!(buffer.read_node(&nodes[0].link()), Err(Error::Missing { .. })));
}

#[test]
fn forgotten_nodes_are_gone_wherever_they_were() {
    let buffer = buffer(50_000);
    let nodes: Vec<_> = (0..40).map(|seed| leaf(seed, 60, 100)).collect();
    for round in 0..3 {
        nodes.iter().for_each(|node| buffer.write_node(node.clone()).unwrap());
        assert_eq!(buffer.object_count(), 40, "round {round}");
        nodes.iter().for_each(|node| buffer.forget_node(node.hash()).unwrap());
        assert_eq!((buffer.object_count(), buffer.pending_bytes()), (0, 0), "round {round}");
        assert!(buffer.node(nodes[0].hash()).unwrap().is_none());
    }
    let pending = buffer.pending.read().unwrap();
    assert!(pending.scratch.is_none(), "an emptied file is given back");
}

#[test]
fn writing_again_counts_once_and_the_base_is_asked_last() {
    let base = prolly_core::NodeBuffer::new();
    let (old, new) = (leaf(1, 10, 10), leaf(2, 10, 10));
    base.write_node(old.clone()).unwrap();
    let buffer = SpillBuffer::new(Some(Arc::new(base)), Arc::default());
    buffer.write_node(new.clone()).unwrap();
    let bytes = buffer.pending_bytes();
    buffer.write_node(new.clone()).unwrap();
    assert_eq!(buffer.pending_bytes(), bytes);
    assert_eq!(buffer.read_node(&old.link()).unwrap().hash(), old.hash());
    assert!(buffer.node(old.hash()).unwrap().is_none());
    // Written for two trees, it goes when both have forgotten it.
    buffer.forget_node(new.hash()).unwrap();
    assert!(buffer.node(new.hash()).unwrap().is_some());
    buffer.forget_node(new.hash()).unwrap();
    assert!(buffer.node(new.hash()).unwrap().is_none());
}

#[test]
fn an_unusable_directory_is_named_and_loses_nothing() {
    let buffer = buffer(10_000).with_dir("/nonexistent/dir");
    let nodes: Vec<_> = (0..5).map(|seed| leaf(seed, 60, 100)).collect();
    let results: Vec<_> = nodes.iter().map(|node| buffer.write_node(node.clone())).collect();
    let error = results.into_iter().find_map(Result::err).expect("it has to spill").to_string();
    assert!(error.contains("/nonexistent/dir"), "{error}");
    for node in &nodes {
        assert_eq!(buffer.read_node(&node.link()).unwrap().hash(), node.hash());
    }
}

#[test]
fn a_record_that_is_not_its_address_is_refused() {
    let (hash, _) = record(1, 10);
    let (_, other) = record(2, 10);
    assert!(matches!(buffer(0).write_record(hash, other), Err(Error::Corrupt { .. })));
}

#[test]
fn what_was_forgotten_leaves_no_trace() {
    let buffer = buffer(1 << 20);
    for seed in 0..3_000 {
        let node = leaf(seed, 1, 1);
        buffer.write_node(node.clone()).unwrap();
        buffer.forget_node(node.hash()).unwrap();
    }
    assert_eq!(buffer.memory_bytes(), 0);
    let remembered = buffer.pending.read().unwrap().order.len();
    assert!(remembered <= 1_030, "the order of {remembered} grows with what was forgotten");
}
