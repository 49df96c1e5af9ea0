//! Pins the shape and the addresses of whole trees: what `docs/format.md` describes, end to end.
//!
//! The expected hashes were computed by an implementation of that page in another language.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use prolly_core::{NodeBuffer, SortedEdits, Tree, TreeConfig, Value};

/// Bytes that look random: BLAKE3's extended output for a number.
fn noise(number: u32, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().update(&number.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

fn build(config: TreeConfig, entries: impl Iterator<Item = (Vec<u8>, Vec<u8>)>) -> Tree {
    let buffer = Arc::new(NodeBuffer::new());
    let edits = entries.map(|(key, value)| (key, Some(Value::Inline(value))));
    Tree::build(buffer.clone(), &*buffer, config, &mut SortedEdits::new(edits)).unwrap()
}

#[test]
fn a_tree_of_short_entries_is_pinned() {
    let entries = (0..20_000).map(|number| (format!("key:{number:012}").into_bytes(), noise(number, 100)));
    let tree = build(TreeConfig::default(), entries);
    assert_eq!(
        tree.root_hash().to_string(),
        "d406f6f0f89d91b1317756f82f88d6031ecafebf68b2841e7e6b0d8681736817"
    );
    assert_eq!(tree.height(), 3);
}

/// Keys and values of every length class, blobs, small nodes, and a pattern.
#[test]
fn a_tree_of_mixed_entries_is_pinned() {
    let entries = (0..3000u32).map(|number| {
        let mut key = format!("{number:04}").into_bytes();
        if number % 50 == 0 {
            key.resize(key.len() + 400 + number as usize, b'k');
        }
        let len = if number % 97 == 0 { 5000 } else { number * number % 700 };
        (key, noise(number, len as usize))
    });
    let config = TreeConfig {
        base: 8,
        modulus: 12,
        min_chunk_size: 3,
        max_chunk_size: 24,
        pattern: 77,
        externalize_threshold: Some(4096),
    };
    let tree = build(config, entries);
    assert_eq!(
        tree.root_hash().to_string(),
        "faf433ccb3e1b93da3bfff36949c43071c48f6c9d2be6a9ee36d3ede5eb8604c"
    );
    assert_eq!(tree.height(), 9);
}
