//! Proofs as their users see them: right about everything they speak of, silent about the rest, and small.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    ops::{Bound, RangeBounds},
    sync::Arc,
};

use prolly_core::{
    Error, Hash, NodeBuffer, Proof, ProvenValue, SortedEdits, Tree, TreeConfig, Value, Verified, blob,
    empty_root_hash,
};
use proptest::prelude::*;

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

fn build(map: &Map, config: TreeConfig) -> Tree {
    let buffer = Arc::new(NodeBuffer::new());
    let entries = map.iter().map(|(key, value)| (key, Some(Value::Inline(value.clone()))));
    Tree::build(buffer.clone(), &*buffer, config, &mut SortedEdits::new(entries)).unwrap()
}

fn prove(tree: &Tree, keys: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Proof {
    let proof = Proof::for_keys(tree, keys).unwrap();
    let decoded = Proof::from_bytes(&proof.to_bytes()).unwrap();
    assert_eq!(decoded, proof);
    decoded
}

/// Whether the proof is right about `key`, and whether it says anything about it.
fn is_right(verified: &Verified, map: &Map, key: &[u8]) -> Option<bool> {
    let proven = verified.get(key).ok()?;
    Some(match (proven, map.get(key)) {
        (Some(proven), Some(value)) => proven.is(value) && !proven.is(&[&value[..], b"x"].concat()),
        (None, None) => true,
        _ => false,
    })
}

fn keys() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => prop::collection::vec(0u8..4, 0..6),
        1 => (0u8..4, 440usize..460).prop_map(|(byte, len)| vec![byte; len]),
        1 => (0u8..4, 0u8..4, 400usize..2000).prop_map(|(first, byte, len)| {
            let mut key = vec![byte; len];
            key[0] = first;
            key
        }),
    ]
}

fn values() -> impl Strategy<Value = Vec<u8>> {
    let len = prop_oneof![0usize..50, 440usize..455, 460usize..3000, 4090usize..4100, 10_000usize..30_000];
    (any::<u8>(), len).prop_map(|(byte, len)| vec![byte; len])
}

fn maps() -> impl Strategy<Value = Map> {
    prop::collection::btree_map(keys(), values(), 0..120)
}

fn configs() -> impl Strategy<Value = TreeConfig> {
    prop_oneof![
        Just(TreeConfig::with_targets(2, 1)),
        Just(TreeConfig::with_targets(4, 4)),
        Just(TreeConfig::with_targets(8, 32)),
        Just(TreeConfig::default()),
    ]
}

fn bounds() -> impl Strategy<Value = (Bound<Vec<u8>>, Bound<Vec<u8>>)> {
    let bound = || {
        prop_oneof![
            3 => keys().prop_map(Bound::Included),
            3 => keys().prop_map(Bound::Excluded),
            1 => Just(Bound::Unbounded),
        ]
    };
    (bound(), bound())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn keys_are_proven(map in maps(), config in configs(), asked in prop::collection::vec(keys(), 0..8), others in prop::collection::vec(keys(), 20)) {
        let tree = build(&map, config);
        let asked: Vec<_> = asked.into_iter().chain(map.keys().step_by(17).cloned()).collect();
        let verified = prove(&tree, &asked).verify(&tree.root_hash()).unwrap();
        for key in &asked {
            prop_assert_eq!(is_right(&verified, &map, key), Some(true), "{:?}", key);
        }
        for key in others.iter().chain(map.keys()) {
            prop_assert_ne!(is_right(&verified, &map, key), Some(false), "{:?}", key);
        }
    }

    #[test]
    fn ranges_are_proven(map in maps(), config in configs(), asked in bounds(), others in prop::collection::vec(bounds(), 10), probes in prop::collection::vec(keys(), 20)) {
        let tree = build(&map, config);
        let proof = Proof::for_range(&tree, asked.clone()).unwrap();
        prop_assert_eq!(&Proof::from_bytes(&proof.to_bytes()).unwrap(), &proof);
        let verified = proof.verify(&tree.root_hash()).unwrap();
        let expected = |bounds: &(Bound<Vec<u8>>, Bound<Vec<u8>>)| -> Vec<(Vec<u8>, Vec<u8>)> {
            let within = map.iter().filter(|(key, _)| bounds.contains(*key));
            within.map(|(key, value)| (key.clone(), value.clone())).collect()
        };
        let is_equal = |found: Vec<(&[u8], &ProvenValue)>, expected: Vec<(Vec<u8>, Vec<u8>)>| {
            found.len() == expected.len()
                && found.iter().zip(&expected).all(|((key, proven), (k, v))| key == k && proven.is(v))
        };
        prop_assert!(is_equal(verified.range(asked.clone()).unwrap(), expected(&asked)));
        for other in &others {
            if let Ok(found) = verified.range(other.clone()) {
                prop_assert!(is_equal(found, expected(other)), "{:?}", other);
            }
        }
        for key in probes.iter().chain(map.keys()) {
            let said = is_right(&verified, &map, key);
            prop_assert_ne!(said, Some(false), "{:?}", key);
            prop_assert!(said == Some(true) || !asked.contains(key), "{:?}", key);
        }
    }

    #[test]
    fn noise_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Proof::from_bytes(&bytes).and_then(|proof| proof.verify(&empty_root_hash())).is_err());
        let versioned = [&[1], &bytes[..]].concat();
        prop_assert!(Proof::from_bytes(&versioned).and_then(|proof| proof.verify(&empty_root_hash())).is_err());
    }
}

fn key(number: u32) -> Vec<u8> {
    format!("key:{number:012}").into_bytes()
}

/// 100 bytes that look random.
fn value(number: u32) -> Vec<u8> {
    let mut value = vec![0; 100];
    blake3::Hasher::new().update(&number.to_le_bytes()).finalize_xof().fill(&mut value);
    value
}

fn numbered(count: u32) -> Map {
    (0..count).map(|number| (key(2 * number), value(2 * number))).collect()
}

#[test]
fn no_flipped_bit_verifies() {
    let mut map = numbered(3000);
    map.insert(vec![b'l'; 700], b"under a long key".to_vec());
    map.insert(vec![b'm'; 700], vec![9; 2000]);
    map.insert(b"blob".to_vec(), vec![3; 50_000]);
    let tree = build(&map, TreeConfig::default());
    let root = tree.root_hash();
    let proofs = [
        ("presence", prove(&tree, [key(1000)])),
        ("absence", prove(&tree, [key(1001)])),
        ("absence beyond the end", prove(&tree, ["zzz"])),
        ("absence beside long keys", prove(&tree, [[b'l'; 800]])),
        ("several", prove(&tree, [&key(4)[..], &key(999), b"blob", &[b'm'; 700]])),
        ("range", Proof::for_range(&tree, key(500)..key(530)).unwrap()),
        ("empty", prove(&build(&Map::new(), TreeConfig::default()), ["key"])),
    ];
    for (what, proof) in proofs {
        let root = if what == "empty" { empty_root_hash() } else { root };
        let bytes = proof.to_bytes();
        proof.verify(&root).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let result = Proof::from_bytes(&flipped).and_then(|proof| proof.verify(&root));
            assert!(result.is_err(), "{what}: bit {bit} of {} bytes", bytes.len());
        }
        for len in 0..bytes.len() {
            assert!(Proof::from_bytes(&bytes[..len]).is_err(), "{what}: {len} of {} bytes", bytes.len());
        }
        assert!(Proof::from_bytes(&[&bytes[..], b"\0"].concat()).is_err(), "{what}: a byte too many");
        let mut other_root = *root.as_bytes();
        other_root[31] ^= 1;
        assert!(matches!(proof.verify(&Hash::new(other_root)), Err(Error::InvalidProof { .. })));
    }
}

#[test]
fn there_is_one_encoding() {
    let tree = build(&Map::new(), TreeConfig::default());
    let bytes = prove(&tree, ["key"]).to_bytes();
    // Version, one node, one chunk, of eight bytes: the length 8 can be spelled with a needless second byte.
    assert_eq!(bytes[..4], [1, 1, 1, 8]);
    let overlong = [&bytes[..3], &[0x88, 0x00], &bytes[4..]].concat();
    assert!(Proof::from_bytes(&overlong).unwrap_err().to_string().contains("canonical"));
    // A length that promises more than memory holds.
    assert!(Proof::from_bytes(&[1, 0xff, 0xff, 0xff, 0xff, 0x0f]).is_err());
    assert!(matches!(Proof::from_bytes(&[2]), Err(Error::NewerFormat { found: 2, supported: 1 })));
    assert!(matches!(Proof::from_bytes(&[0]), Err(Error::InvalidProof { .. })));
    assert!(matches!(Proof::from_bytes(&[]), Err(Error::InvalidProof { .. })));
}

#[test]
fn values_are_told_apart() {
    let map = numbered(1000);
    let tree = build(&map, TreeConfig::default());
    let root = tree.root_hash();
    let proof = prove(&tree, [key(500), key(501)]);
    let verify = |key: &[u8], value: Option<&[u8]>| proof.verify_value(&root, key, value);
    assert!(verify(&key(500), Some(&value(500))).unwrap());
    assert!(!verify(&key(500), Some(&value(502))).unwrap());
    assert!(!verify(&key(500), Some(b"")).unwrap());
    assert!(!verify(&key(500), None).unwrap());
    assert!(verify(&key(501), None).unwrap());
    assert!(!verify(&key(501), Some(b"")).unwrap());
    assert!(matches!(verify(&key(5), Some(&value(4))), Err(Error::InvalidProof { .. })));
    let other = build(&numbered(999), TreeConfig::default());
    assert!(matches!(
        proof.verify_value(&other.root_hash(), &key(500), Some(&value(500))),
        Err(Error::InvalidProof { .. })
    ));
}

#[test]
fn values_of_every_kind_are_proven() {
    let buffer = Arc::new(NodeBuffer::new());
    let other_root = Hash::new([5; 32]);
    let blob_bytes = vec![1; 100_000];
    let envelope = blob::address(&blob_bytes).as_value();
    let entries = [
        ("a short", Value::Inline(b"short".to_vec())),
        ("b empty", Value::Inline(Vec::new())),
        ("c digest", Value::Inline(vec![2; 4000])),
        ("d blob", Value::Inline(blob_bytes.clone())),
        ("e tree", Value::Tree { root: other_root, descriptor: b"kind".to_vec() }),
        ("f looks like an envelope", Value::Inline(envelope.to_tagged())),
    ];
    let edits = entries.clone().map(|(key, value)| (key, Some(value)));
    let tree =
        Tree::build(buffer.clone(), &*buffer, TreeConfig::default(), &mut SortedEdits::new(edits)).unwrap();
    let verified = prove(&tree, entries.iter().map(|(key, _)| key)).verify(&tree.root_hash()).unwrap();
    let proven = |key: &str| verified.get(key.as_bytes()).unwrap().unwrap();

    assert_eq!(*proven("a short"), ProvenValue::Whole(Value::Inline(b"short".to_vec())));
    assert!(proven("b empty").is(b"") && !proven("b empty").is(b"\0"));
    assert!(matches!(proven("c digest"), ProvenValue::Digest { tagged_len: 4001, .. }));
    assert!(proven("c digest").is(&[2; 4000]) && !proven("c digest").is(&[2; 3999]));
    assert_eq!(*proven("d blob"), ProvenValue::Whole(envelope.to_owned()));
    assert!(proven("d blob").is(&blob_bytes) && !proven("d blob").is(&blob_bytes[1..]));
    assert!(!proven("d blob").is(&envelope.to_tagged()), "an envelope is not its blob");
    assert!(matches!(proven("e tree"), ProvenValue::Whole(Value::Tree { root, .. }) if *root == other_root));
    assert!(!proven("e tree").is(other_root.as_bytes()) && !proven("e tree").is(b""));
    assert!(proven("f looks like an envelope").is(&envelope.to_tagged()));
    assert!(!proven("f looks like an envelope").is(&blob_bytes));
}

#[test]
fn the_empty_tree_is_proven_empty() {
    let tree = build(&Map::new(), TreeConfig::default());
    for proof in
        [prove(&tree, ["key"]), prove(&tree, [] as [&str; 0]), Proof::for_range::<&[u8]>(&tree, ..).unwrap()]
    {
        assert!(proof.verify_value(&empty_root_hash(), b"", None).unwrap());
        assert!(proof.verify_value(&empty_root_hash(), b"any", None).unwrap());
        assert!(!proof.verify_value(&empty_root_hash(), b"any", Some(b"")).unwrap());
        assert!(proof.verify(&empty_root_hash()).unwrap().range::<&[u8]>(..).unwrap().is_empty());
        assert!(proof.to_bytes().len() < 20);
    }
}

#[test]
fn keys_share_nodes() {
    let tree = build(&numbered(20_000), TreeConfig::default());
    let root = tree.root_hash();
    let one = prove(&tree, [key(2000)]).to_bytes().len();
    let ten = prove(&tree, (1000..1010).map(|number| key(2 * number))).to_bytes().len();
    assert!(ten < 3 * one, "{ten} bytes for ten, {one} for one");
    // A range of everything is hardly more than the entries themselves.
    let all = Proof::for_range::<&[u8]>(&tree, ..).unwrap();
    let entries = all.verify(&root).unwrap().range::<&[u8]>(..).unwrap().len();
    assert_eq!(entries, 20_000);
    let len = all.to_bytes().len();
    assert!(len < 20_000 * 116 * 6 / 5, "{len} bytes");
}

/// The budget of the design: 1 M keys of 16 bytes with 100 random bytes each.
#[test]
fn proofs_of_a_large_tree_are_small() {
    let buffer = Arc::new(NodeBuffer::new());
    let entries = (0..1_000_000).map(|number| (key(2 * number), Some(Value::Inline(value(2 * number)))));
    let tree =
        Tree::build(buffer.clone(), &*buffer, TreeConfig::default(), &mut SortedEdits::new(entries)).unwrap();
    let root = tree.root_hash();
    let (mut presence, mut absence) = ((0, 0), (0, 0));
    let probes = 2000;
    for probe in 0..probes {
        let number = u32::from_le_bytes(value(probe)[..4].try_into().unwrap()) % 1_000_000 * 2;
        let present = prove(&tree, [key(number)]);
        assert!(present.verify_value(&root, &key(number), Some(&value(number))).unwrap());
        let absent = prove(&tree, [key(number + 1)]);
        assert!(absent.verify_value(&root, &key(number + 1), None).unwrap());
        for (sizes, proof) in [(&mut presence, present), (&mut absence, absent)] {
            let len = proof.to_bytes().len();
            *sizes = (sizes.0 + len, sizes.1.max(len));
        }
    }
    let mean = |sum: usize| sum / probes as usize;
    println!("presence: mean {} max {} bytes", mean(presence.0), presence.1);
    println!("absence: mean {} max {} bytes", mean(absence.0), absence.1);
    assert!(presence.1 <= 2560, "presence takes up to {} bytes", presence.1);
    assert!(absence.1 <= 4096, "absence takes up to {} bytes", absence.1);
    let beyond = prove(&tree, ["zzz"]);
    assert!(beyond.verify_value(&root, b"zzz", None).unwrap());
    assert!(beyond.to_bytes().len() < 500, "beyond the last key {} bytes", beyond.to_bytes().len());
}
