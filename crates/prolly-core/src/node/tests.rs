//! The stored form: it reads back, there is one for each node, and damage of any kind is noticed.

use std::{collections::BTreeMap, sync::Weak};

use proptest::prelude::*;

use super::{Child, Node, NodeBuilder};
use crate::{Error, Hash, Link, Locator, MAX_KEY_BYTES, ValueRef};

fn leaf<K: AsRef<[u8]>>(entries: &[(K, ValueRef<'_>)]) -> Node {
    let mut builder = NodeBuilder::new(0);
    for (key, value) in entries {
        builder.push_value(key.as_ref(), &value.to_tagged(), Locator::NONE);
    }
    builder.take(entries.len())
}

fn internal<K: AsRef<[u8]>>(level: u8, children: &[(K, Hash, u64)]) -> Node {
    let mut builder = NodeBuilder::new(level);
    for (key, hash, len) in children {
        builder.push_child(key.as_ref(), &Child { link: Link::from(*hash), len: *len, decoded: Weak::new() });
    }
    builder.take(children.len())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The leaf of `docs/format.md`.
fn example_leaf() -> Node {
    leaf(&[
        (&b"key:1"[..], ValueRef::Inline(b"one")),
        (b"key:2", ValueRef::Inline(b"")),
        (b"key:30", ValueRef::Blob { len: 5000, hash: Hash::new([0xbb; 32]) }),
        (b"key:4", ValueRef::Tree { root: Hash::new([0xcc; 32]), descriptor: b"d" }),
    ])
}

/// The internal node of `docs/format.md`.
fn example_internal() -> Node {
    internal(1, &[(&b"key:4"[..], *example_leaf().hash(), 4), (b"kez", Hash::new([0xdd; 32]), 300)])
}

/// A leaf whose columns need offsets of four bytes, and whose key and value exceed what a chunk holds in full.
fn wide_leaf() -> Node {
    leaf(&[
        (&[1; 1000][..], ValueRef::Inline(&[2; 40_000])),
        (&[3; 10], ValueRef::Inline(&[4; 40_000])),
        (&[5; 448], ValueRef::Inline(&[6; 447])),
        (&[7; 449], ValueRef::Inline(&[8; 448])),
    ])
}

/// Pins the format: when one of these changes, so do all stored nodes, or all root hashes.
#[test]
fn stored_forms_and_addresses_are_pinned() {
    let cases = [
        (
            "empty",
            leaf::<&[u8]>(&[]),
            "4e010000000000000000000000000000",
            "79c2daf32b6a5cdc884f91d24fb20dfff1ce463a3d96cd833749ea1f185febf8",
        ),
        (
            "leaf",
            example_leaf(),
            "4e0100000400020004000000050000006b65793a010002000400050004000500310053003132333034006f6e6500010100008813000000000000bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb02cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc64",
            "311f1aa2bed42fe8dc56fa17be93fcd19d71cd3d69b21bc32ca928967f651985",
        ),
        (
            "internal",
            example_internal(),
            "4e0101000200020002000000040000006b6503000400793a347a311f1aa2bed42fe8dc56fa17be93fcd19d71cd3d69b21bc32ca928967f651985dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd04000000000000002c01000000000000",
            "4de85ae2cfe8a581180e70f490d311c8ebbf569dabcb49e2998dde3e5bf3c9e5",
        ),
    ];
    for (what, node, bytes, hash) in cases {
        assert_eq!(hex(node.bytes()), bytes, "{what}");
        assert_eq!(node.hash().to_string(), hash, "{what}");
    }
    assert_eq!(
        wide_leaf().hash().to_string(),
        "383602a82d5001295ab4ce768dcb1965eb0f93a162670bc70e92a10fcc87842b"
    );
}

#[test]
fn any_changed_byte_and_any_truncation_is_refused() {
    for node in [leaf::<&[u8]>(&[]), example_leaf(), example_internal()] {
        let (hash, bytes) = (*node.hash(), node.bytes());
        Node::decode(&hash, bytes).unwrap();
        for index in 0..bytes.len() {
            for flip in 1..=255 {
                let mut changed = bytes.to_vec();
                changed[index] ^= flip;
                let error = Node::decode(&hash, changed).unwrap_err();
                let is_named = match error {
                    Error::Corrupt { hash: named, .. } => named == hash,
                    Error::NewerFormat { found, .. } => index == 1 && found == bytes[1] ^ flip,
                    _ => false,
                };
                assert!(is_named, "{node:?}: byte {index} ^ {flip:#x}: {error}");
            }
        }
        for len in 0..bytes.len() {
            let error = Node::decode(&hash, &bytes[..len]).unwrap_err();
            assert!(
                matches!(error, Error::Corrupt { hash: named, .. } if named == hash),
                "{len} bytes: {error}"
            );
        }
        let error = Node::decode(&hash, [bytes, b"\0"].concat()).unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "a byte too many: {error}");
    }
}

#[test]
fn a_changed_bit_of_a_wide_leaf_is_refused() {
    let node = wide_leaf();
    assert!(node.layout.wide);
    Node::decode(node.hash(), node.bytes()).unwrap();
    for index in (0..2000).chain((2000..node.bytes().len()).step_by(499)) {
        let mut changed = node.bytes().to_vec();
        changed[index] ^= 1 << (index % 8);
        assert!(Node::decode(node.hash(), changed).is_err(), "byte {index}");
    }
}

#[test]
fn another_node_is_damage_that_names_the_address() {
    let (wanted, found) = (example_leaf(), example_internal());
    match Node::decode(wanted.hash(), found.bytes()) {
        Err(Error::Corrupt { hash, reason }) => {
            assert_eq!(hash, *wanted.hash());
            assert!(reason.contains(&found.hash().to_string()), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn malformed_nodes_are_refused_by_name() {
    let inline = |bytes| ValueRef::Inline(bytes);
    let unsorted = leaf(&[(b"b", inline(b"")), (b"a", inline(b""))]);
    let twice = leaf(&[(b"a", inline(b"")), (b"a", inline(b""))]);
    let long = leaf(&[(vec![1; MAX_KEY_BYTES + 1], inline(b""))]);
    let empty_child = internal(1, &[(b"a", Hash::new([1; 32]), 0)]);
    let overflow = internal(1, &[(b"a", Hash::new([1; 32]), u64::MAX), (b"b", Hash::new([2; 32]), 1)]);
    for (node, reason) in [
        (unsorted, "not greater"),
        (twice, "not greater"),
        (long, "key 0 has 65537 bytes"),
        (empty_child, "out of bounds"),
        (overflow, "out of bounds"),
    ] {
        let error = Node::decode_any(node.bytes()).unwrap_err().to_string();
        assert!(error.contains(reason), "{error:?}, not {reason:?}");
    }
    // Keys that share more than the stored prefix: the same entries in a second form.
    let canonical = leaf(&[(b"xa", inline(b"")), (b"xb", inline(b""))]);
    let mut loose = canonical.bytes()[..16].to_vec();
    loose[8] = 0;
    loose[12] = 4;
    loose.extend_from_slice(&[2, 0, 4, 0, 1, 0, 2, 0]);
    loose.extend_from_slice(b"xaxb\0\0");
    let error = Node::decode_any(loose).unwrap_err().to_string();
    assert!(error.contains("share more than the stored prefix"), "{error}");
}

#[test]
fn links_and_their_hints_keep_their_order() {
    let locator = |byte| Locator::new([byte; Locator::LEN]);
    let blob = |byte| ValueRef::Blob { len: 1, hash: Hash::new([byte; 32]) };
    let mut builder = NodeBuilder::new(0);
    builder.push_value(b"a", &blob(1).to_tagged(), locator(1));
    builder.push_value(b"b", &ValueRef::Inline(b"").to_tagged(), Locator::NONE);
    builder.push_value(b"c", &blob(3).to_tagged(), Locator::NONE);
    builder.push_value(b"d", &blob(4).to_tagged(), locator(4));
    builder.push_value(b"e", &blob(5).to_tagged(), locator(5));
    let node = builder.take(4);
    assert_eq!(node.links().collect::<Vec<_>>(), [1, 3, 4].map(|byte| Hash::new([byte; 32])));
    assert_eq!(node.link_count(), 3);
    let hints: Vec<_> = (0..4).map(|index| node.value_link(index).map(|link| link.locator)).collect();
    assert_eq!(hints, [Some(locator(1)), None, Some(Locator::NONE), Some(locator(4))]);
    let rest = builder.take(1);
    assert_eq!(rest.value_link(0).map(|link| link.locator), Some(locator(5)));
}

fn keys() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => prop::collection::vec(0u8..4, 0..12),
        3 => prop::collection::vec(any::<u8>(), 8..24).prop_map(|key| [&b"common prefix "[..], &key].concat()),
        1 => (any::<u8>(), 400usize..3000).prop_map(|(byte, len)| vec![byte; len]),
    ]
}

fn values() -> impl Strategy<Value = Vec<u8>> {
    let inline = |len: std::ops::Range<usize>| {
        (any::<u8>(), len).prop_map(|(byte, len)| ValueRef::Inline(&vec![byte; len]).to_tagged())
    };
    prop_oneof![
        6 => inline(0..200),
        1 => inline(400..9000),
        1 => any::<[u8; 32]>().prop_map(|hash| ValueRef::Blob { len: 9, hash: Hash::new(hash) }.to_tagged()),
        1 => (any::<[u8; 32]>(), 0usize..600).prop_map(|(hash, len)| {
            ValueRef::Tree { root: Hash::new(hash), descriptor: &vec![1; len] }.to_tagged()
        }),
    ]
}

proptest! {
    #[test]
    fn leaves_round_trip(entries in prop::collection::btree_map(keys(), values(), 0..60), probes in prop::collection::vec(keys(), 20)) {
        let mut builder = NodeBuilder::new(0);
        for (key, tagged) in &entries {
            builder.push_value(key, tagged, Locator::NONE);
        }
        let built = builder.take(entries.len());
        let node = Node::decode(built.hash(), built.bytes()).unwrap();
        prop_assert_eq!(node.count(), entries.len());
        prop_assert_eq!(node.len(), entries.len() as u64);
        prop_assert_eq!(node.last_key(), entries.keys().last().cloned());
        let read = |index| (node.key(index), node.tagged_value(index).to_vec());
        prop_assert_eq!((0..node.count()).map(read).collect::<BTreeMap<_, _>>(), entries.clone());
        for key in entries.keys().chain(&probes) {
            let rank = entries.range::<Vec<u8>, _>(..key).count();
            let expected = if entries.contains_key(key) { Ok(rank) } else { Err(rank) };
            prop_assert_eq!(node.search(key), expected, "{:?}", key);
        }
    }

    #[test]
    fn internal_nodes_round_trip(level in 1u8.., children in prop::collection::btree_map(keys(), (any::<[u8; 32]>(), 1u64..1 << 40), 1..60)) {
        let children: Vec<_> =
            children.into_iter().map(|(key, (hash, len))| (key, Hash::new(hash), len)).collect();
        let built = internal(level, &children);
        let node = Node::decode(built.hash(), built.bytes()).unwrap();
        let read = |index| (node.key(index), node.child_hash(index), node.child_len(index));
        prop_assert_eq!((0..node.count()).map(read).collect::<Vec<_>>(), children.clone());
        prop_assert_eq!(node.level(), level);
        prop_assert_eq!(node.len(), children.iter().map(|(_, _, len)| len).sum::<u64>());
        prop_assert_eq!(node.links().collect::<Vec<_>>(), children.iter().map(|(_, hash, _)| *hash).collect::<Vec<_>>());
    }

    /// Equal addresses mean equal contents: nothing of an entry is left out of the hash.
    #[test]
    fn the_address_tells_nodes_apart(
        entries in prop::collection::btree_map(keys(), values(), 1..20),
        which in any::<prop::sample::Index>(),
        byte in any::<prop::sample::Index>(),
    ) {
        let build = |entries: &BTreeMap<Vec<u8>, Vec<u8>>| {
            let mut builder = NodeBuilder::new(0);
            for (key, tagged) in entries {
                builder.push_value(key, tagged, Locator::NONE);
            }
            *builder.take(entries.len()).hash()
        };
        let before = build(&entries);
        let key = entries.keys().nth(which.index(entries.len())).unwrap().clone();
        let mut changed = entries.clone();
        let tagged = changed.get_mut(&key).unwrap();
        match tagged.len() {
            1 => tagged.push(0),
            len => tagged[1 + byte.index(len - 1)] ^= 1,
        }
        prop_assert_ne!(build(&changed), before);
        let mut renamed = entries.clone();
        let tagged = renamed.remove(&key).unwrap();
        let key = [&key[..], &[9; 9]].concat();
        prop_assume!(!entries.contains_key(&key));
        renamed.insert(key, tagged);
        prop_assert_ne!(build(&renamed), before);
    }

    #[test]
    fn noise_never_panics(mut bytes in prop::collection::vec(any::<u8>(), 0..300), small in any::<bool>()) {
        if bytes.len() > 16 {
            bytes[..2].copy_from_slice(b"N\x01");
            if small {
                // Plausible sizes reach the later checks.
                for at in [2, 3, 4, 6, 8, 12] {
                    bytes[at] %= 8;
                }
                for at in [5, 7, 9, 10, 11, 13, 14, 15] {
                    bytes[at] = 0;
                }
            }
        }
        if let Ok(node) = Node::decode_any(bytes.clone()) {
            prop_assert_eq!(node.bytes(), &bytes[..]);
        }
    }
}
