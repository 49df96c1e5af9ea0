//! Objects: in, out, and still there later.

use prolly_core::Hash;

use super::{Place, assert_has, assert_lacks, edit, object, publish};
use crate::{Expected, HashPrefix};

/// What was committed reads back, unchanged.
pub fn objects_read_back(place: &dyn Place) {
    let store = place.open();
    let objects: Vec<_> = (0..20).map(|seed| object(seed, 100 * seed as usize)).collect();
    publish(&*store, &objects, &[]);
    assert_has(&*store, &objects);
    assert_lacks(&*store, &[object(99, 10)]);
}

/// A new store is empty.
pub fn an_empty_store_has_nothing(place: &dyn Place) {
    let store = place.open();
    assert_lacks(&*store, &[object(0, 0)]);
    assert_eq!(store.refs("").unwrap(), []);
    assert_eq!(store.read_ref("main").unwrap(), None);
    assert_eq!(store.stats().unwrap().objects, 0);
    let all = HashPrefix::parse("").unwrap();
    assert_eq!(store.objects_by_prefix(&all, 10).unwrap(), []);
    store.begin().unwrap().commit(&[]).unwrap();
}

/// Lengths around every boundary that a store may have, up to 1 MB and once 10 MB.
pub fn objects_of_all_lengths_read_back(place: &dyn Place) {
    let store = place.open();
    let lens =
        [0, 1, 31, 32, 33, 4079, 4080, 4081, 8159, 8160, 8161, 65_535, 65_536, 65_537, 1 << 20, 10 << 20];
    let mut objects: Vec<_> = lens.iter().map(|len| object(*len as u64, *len)).collect();
    // And ones that compress.
    objects.extend(lens.iter().map(|len| (object(1_000_000_000 + *len as u64, 1).0, vec![7; *len])));
    publish(&*store, &objects, &[]);
    assert_has(&*store, &objects);
}

/// A transaction takes any number of objects.
pub fn many_objects_in_one_transaction(place: &dyn Place) {
    let store = place.open();
    let objects: Vec<_> = (0..1_500).map(|seed| object(seed, 1 + seed as usize % 3_000)).collect();
    publish(&*store, &objects, &[]);
    assert_has(&*store, &objects);
    assert_eq!(store.stats().unwrap().objects, 1_500);
}

/// Putting an object that is there writes what is given: so damage heals when the object is written again.
pub fn putting_again_replaces(place: &dyn Place) {
    let store = place.open();
    let (hash, bytes) = object(1, 5_000);
    let mut damaged = bytes.clone();
    damaged[17] ^= 1;
    publish(&*store, &[(hash, damaged)], &[]);
    publish(&*store, &[(hash, bytes.clone())], &[]);
    assert_has(&*store, &[(hash, bytes.clone())]);
    publish(&*store, &[(hash, bytes.clone()), (hash, bytes.clone())], &[]);
    assert_has(&*store, &[(hash, bytes)]);
    assert_eq!(store.stats().unwrap().objects, 1);
}

/// A transaction that is dropped, however much went into it, leaves no object and no ref.
pub fn a_dropped_transaction_leaves_nothing(place: &dyn Place) {
    let store = place.open();
    let objects: Vec<_> = (0..30).map(|seed| object(seed, 100_000)).collect();
    let mut transaction = store.begin().unwrap();
    objects.iter().for_each(|(hash, bytes)| transaction.put(hash, bytes).unwrap());
    drop(transaction);
    assert_lacks(&*store, &objects);
    assert_eq!(store.stats().unwrap().objects, 0);
    publish(&*store, &objects[..1], &[]);
    assert_has(&*store, &objects[..1]);
    assert_lacks(&*store, &objects[1..]);
}

/// Until it commits, a transaction changes nothing that anybody reads, its own thread included.
pub fn a_transaction_is_invisible_until_it_commits(place: &dyn Place) {
    let store = place.open();
    let (old, new) = (object(1, 10_000), object(2, 2_000_000));
    publish(&*store, std::slice::from_ref(&old), &[edit("main", Expected::Absent, Some(b"old"))]);
    let mut transaction = store.begin().unwrap();
    transaction.put(&new.0, &new.1).unwrap();
    let other = place.open();
    for handle in [&store, &other] {
        assert_has(&**handle, std::slice::from_ref(&old));
        assert_lacks(&**handle, std::slice::from_ref(&new));
        assert_eq!(handle.read_ref("main").unwrap().unwrap(), b"old");
    }
    transaction.commit(&[edit("main", Expected::Value(b"old".to_vec()), Some(b"new"))]).unwrap();
    for handle in [&store, &other] {
        assert_has(&**handle, &[old.clone(), new.clone()]);
        assert_eq!(handle.read_ref("main").unwrap().unwrap(), b"new");
    }
}

/// What was committed is there when every handle has been dropped and the store is opened again.
pub fn everything_survives_reopening(place: &dyn Place) {
    let mut objects = Vec::new();
    for round in 0..4 {
        let store = place.open();
        assert_has(&*store, &objects);
        assert_eq!(store.refs("").unwrap().len(), round);
        let new = object(round as u64, 9_000);
        let name = format!("ref{round}");
        publish(&*store, std::slice::from_ref(&new), &[edit(&name, Expected::Absent, Some(b"x"))]);
        objects.push(new);
    }
}

/// Two handles of a store are two views of the same contents.
pub fn two_handles_see_each_other(place: &dyn Place) {
    let (first, second) = (place.open(), place.open());
    for seed in 0..6 {
        let (writer, reader) = if seed % 2 == 0 { (&first, &second) } else { (&second, &first) };
        let new = object(seed, 3_000);
        let value = [seed as u8];
        publish(&**writer, std::slice::from_ref(&new), &[edit("tip", Expected::Any, Some(&value))]);
        assert_has(&**reader, &[new]);
        assert_eq!(reader.read_ref("tip").unwrap().unwrap(), value);
    }
}

/// Addresses are found by their first digits, in order, as many as asked for.
pub fn prefixes_find_addresses(place: &dyn Place) {
    let store = place.open();
    let objects: Vec<_> = (0..300).map(|seed| object(seed, 8)).collect();
    publish(&*store, &objects, &[]);
    let mut addresses: Vec<Hash> = objects.iter().map(|(hash, _)| *hash).collect();
    addresses.sort();
    for hash in addresses.iter().step_by(40) {
        let text = hash.to_string();
        for digits in [0, 1, 2, 3, 4, 5, 16, 63, 64] {
            let prefix = HashPrefix::parse(&text[..digits]).unwrap();
            let expected: Vec<_> = addresses.iter().filter(|hash| prefix.matches(hash)).copied().collect();
            assert_eq!(store.objects_by_prefix(&prefix, usize::MAX).unwrap(), expected, "{digits} digits");
            assert_eq!(store.objects_by_prefix(&prefix, 2).unwrap(), expected[..expected.len().min(2)]);
        }
    }
    assert_eq!(store.objects_by_prefix(&HashPrefix::parse("").unwrap(), 0).unwrap(), []);
}

/// Many versions of one node, each little different from the last, read back each as it was.
pub fn versions_of_a_node_read_back(place: &dyn Place) {
    let store = place.open();
    let versions = versions(80);
    for version in versions.chunks(3) {
        publish(&*store, version, &[]);
    }
    assert_has(&*store, &versions);
}

/// Stats count every object once, and bytes grow with them.
pub fn stats_count_objects(place: &dyn Place) {
    let store = place.open();
    let before = store.stats().unwrap();
    let objects: Vec<_> = (0..50).map(|seed| object(seed, 20_000)).collect();
    publish(&*store, &objects, &[]);
    publish(&*store, &objects, &[]);
    let after = store.stats().unwrap();
    assert_eq!(after.objects, 50);
    assert!(after.bytes >= before.bytes + 900_000, "{before:?} {after:?}");
}

/// Versions of one node, of which each differs from the one before in two entries.
pub(crate) fn versions(count: u64) -> Vec<(Hash, Vec<u8>)> {
    let mut values: Vec<u64> = (0..60).collect();
    let version = |version: u64| {
        for changed in [version * 7 % 60, version * 13 % 60] {
            values[changed as usize] = 1_000 + version * 60 + changed;
        }
        let entries: Vec<_> = values
            .iter()
            .enumerate()
            .map(|(index, seed)| (format!("key{index:05}").into_bytes(), object(*seed, 100).1))
            .collect();
        let bytes = leaf_bytes(&entries);
        (object(version, 4).0, bytes)
    };
    (0..count).map(version).collect()
}

/// The stored form of a leaf; keys have to ascend and be of equal length.
pub(crate) fn leaf_bytes(entries: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let (first, last) = (&entries[0].0, &entries[entries.len() - 1].0);
    let prefix = if entries.len() == 1 {
        first.len()
    } else {
        first.iter().zip(last).take_while(|(a, b)| a == b).count()
    };
    let keys_len: usize = entries.iter().map(|(key, _)| key.len() - prefix).sum();
    let values_len: usize = entries.iter().map(|(_, value)| value.len() + 1).sum();
    assert!(keys_len.max(values_len) <= usize::from(u16::MAX), "wide offsets are not for these tests");
    let mut out = vec![b'N', 1, 0, 0];
    out.extend((entries.len() as u16).to_le_bytes());
    out.extend(0u16.to_le_bytes());
    out.extend((prefix as u32).to_le_bytes());
    out.extend((keys_len as u32).to_le_bytes());
    out.extend(&first[..prefix]);
    let mut end = 0;
    for (key, _) in entries {
        end += key.len() - prefix;
        out.extend((end as u16).to_le_bytes());
    }
    end = 0;
    for (_, value) in entries {
        end += value.len() + 1;
        out.extend((end as u16).to_le_bytes());
    }
    entries.iter().for_each(|(key, _)| out.extend(&key[prefix..]));
    for (_, value) in entries {
        out.push(0);
        out.extend(value);
    }
    out
}
