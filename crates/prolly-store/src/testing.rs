//! Objects for tests.

use std::sync::Arc;

use prolly_core::{Hash, Node, Record, RecordKind};

pub(crate) use crate::conformance::leaf_bytes;

/// Deterministic pseudo-random bytes.
pub(crate) fn random_bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut out = vec![0; len];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut out);
    out
}

/// A record with random content.
pub(crate) fn record(seed: u64, len: usize) -> (Hash, Vec<u8>) {
    let encoded = Record::encode(RecordKind::BlobPart, &[], &random_bytes(seed, len)).unwrap();
    (Record::address(&encoded), encoded)
}

/// The stored form of an internal node over children `(last key, address, entries below)`.
pub(crate) fn internal_bytes(level: u8, children: &[(Vec<u8>, Hash, u64)]) -> Vec<u8> {
    let leaf = leaf_bytes(&children.iter().map(|(key, ..)| (key.clone(), vec![])).collect::<Vec<_>>());
    let count = children.len();
    // The same keys, without the table of values and the values (a tag byte each).
    let prefix = u32::from_le_bytes(leaf[8..12].try_into().unwrap()) as usize;
    let keys_at = 16 + prefix + 4 * count;
    let mut out = leaf[..16 + prefix + 2 * count].to_vec();
    out[2] = level;
    out[6..8].copy_from_slice(&(count as u16).to_le_bytes());
    out.extend(&leaf[keys_at..leaf.len() - count]);
    children.iter().for_each(|(_, hash, _)| out.extend(hash.as_bytes()));
    children.iter().for_each(|(.., len)| out.extend(len.to_le_bytes()));
    out
}

/// A leaf of `count` entries with random values of `value_len` bytes.
pub(crate) fn leaf(seed: u64, count: usize, value_len: usize) -> Arc<Node> {
    let entry = |index: usize| {
        let key = format!("key:{seed:08}:{index:06}").into_bytes();
        (key, random_bytes(seed << 20 | index as u64, value_len))
    };
    Arc::new(Node::decode_any(leaf_bytes(&(0..count).map(entry).collect::<Vec<_>>())).unwrap())
}

#[test]
fn hand_made_nodes_are_valid() {
    let node = leaf(1, 65, 100);
    assert_eq!((node.count(), node.level()), (65, 0));
    let children: Vec<_> =
        (0..30).map(|index| (format!("k{index:03}").into_bytes(), *leaf(index, 3, 9).hash(), 3)).collect();
    let node = Node::decode_any(internal_bytes(1, &children)).unwrap();
    assert_eq!((node.count(), node.level(), node.len()), (30, 1, 90));
    assert_eq!(node.child_hash(7), children[7].1);
}
