use super::*;
use crate::{
    MemoryStore,
    testing::{leaf, record},
};

fn reader(objects: &[(Hash, Vec<u8>)]) -> CachedReader {
    let store = MemoryStore::new();
    let mut transaction = store.begin().unwrap();
    objects.iter().for_each(|(hash, bytes)| transaction.put(hash, bytes).unwrap());
    transaction.commit(&[]).unwrap();
    CachedReader::new(Arc::new(store), Arc::default())
}

#[test]
fn what_was_written_is_read_through_the_cache() {
    let node = leaf(1, 20, 20);
    let (hash, encoded) = record(1, 100);
    let reader = reader(&[(*node.hash(), node.bytes().to_vec()), (hash, encoded.clone())]);
    let read = reader.read_node(&node.link()).unwrap();
    assert_eq!(read.bytes(), node.bytes());
    assert!(Arc::ptr_eq(&read, &reader.read_node(&node.link()).unwrap()), "the second read is a hit");
    assert_eq!(&reader.read_record(&hash.into()).unwrap()[..], encoded);
}

#[test]
fn a_missing_object_is_missing_and_a_damaged_one_corrupt() {
    let node = leaf(1, 20, 20);
    let (hash, encoded) = record(1, 100);
    let absent = reader(&[]);
    let missing = |error| matches!(error, Error::Missing { hash } if hash == *node.hash());
    assert!(missing(absent.read_node(&node.link()).unwrap_err()));
    assert!(matches!(absent.read_record(&hash.into()), Err(Error::Missing { .. })));

    let bytes = node.bytes();
    for at in 0..bytes.len() {
        let mut flipped = bytes.to_vec();
        flipped[at] ^= 0x10;
        for damaged in [flipped, bytes[..at].to_vec()] {
            let reader = reader(&[(*node.hash(), damaged)]);
            let error = reader.read_node(&node.link()).unwrap_err();
            let named = matches!(error, Error::Corrupt { hash, .. } if hash == *node.hash());
            assert!(named || (at == 1 && matches!(error, Error::NewerFormat { .. })), "byte {at}: {error}");
        }
    }
    let mut flipped = encoded.clone();
    flipped[50] ^= 1;
    let reader = reader(&[(hash, flipped)]);
    assert!(
        matches!(reader.read_record(&hash.into()), Err(Error::Corrupt { hash: named, .. }) if named == hash)
    );
}
