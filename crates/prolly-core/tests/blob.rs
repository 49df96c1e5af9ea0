//! Blobs as their users see them: canonical however written, cheap to change, and never silently wrong.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeSet,
    io::Write as _,
    sync::{Arc, Mutex},
};

use prolly_core::{
    Blob, BlobReader, BlobWriter, Error, Hash, Link, Node, NodeBuffer, NodeReader, NodeWriter, Record,
    RecordKind, Result, ValueRef, blob,
};
use proptest::prelude::*;

/// Bytes that look random and are the same on every machine.
fn noise(len: usize, seed: u8) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new_keyed(&[seed; 32]).finalize_xof().fill(&mut bytes);
    bytes
}

fn read(buffer: &NodeBuffer, blob: &Blob) -> Result<Vec<u8>> {
    blob::read(buffer, &Link::from(blob.hash), blob.len)
}

/// Every record of a blob, found through the links alone.
fn records(buffer: &NodeBuffer, blob: &Blob) -> BTreeSet<Hash> {
    let (mut found, mut open) = (BTreeSet::new(), vec![blob.hash]);
    while let Some(hash) = open.pop() {
        if found.insert(hash) {
            open.extend(Record::decode(&buffer.buffered_record(&hash).unwrap()).unwrap().links());
        }
    }
    found
}

#[test]
fn every_length_reads_back() {
    let all = noise(3 << 20, 1);
    let k = 1024;
    for len in
        [0, 1, 16 * k - 1, 16 * k, 16 * k + 1, 64 * k, 256 * k - 1, 256 * k, 256 * k + 1, k * k, 3 * k * k]
    {
        let (buffer, bytes) = (NodeBuffer::new(), &all[..len]);
        let written = blob::write(&buffer, bytes).unwrap();
        assert_eq!(written.len, len as u64);
        assert_eq!(written, blob::address(bytes));
        assert_eq!(written.as_value(), ValueRef::Blob { len: len as u64, hash: written.hash });
        assert_eq!(read(&buffer, &written).unwrap(), bytes);
    }
}

#[test]
fn a_short_blob_is_one_record() {
    let buffer = NodeBuffer::new();
    let written = blob::write(&buffer, b"five!").unwrap();
    let record = Record::encode(RecordKind::BlobPart, &[], b"five!").unwrap();
    assert_eq!(written.hash, Record::address(&record));
    assert_eq!(buffer.object_count(), 1);
}

/// Pins the format: when one of these changes, every root over a blob changes.
#[test]
fn addresses_are_pinned() {
    for (bytes, expected) in [
        (Vec::new(), "013d411d5c01b4cb1a8cc9364b948bd92e350d67401ccf989f69266e3b7c2940"),
        (b"blob".to_vec(), "7e4fbbe12035e51d5bea5b81c1648acf011c2e19494f05cd6e98ad640467d389"),
        (noise(1 << 20, 1), "4351245193dfcf7f324f113ef8c5b85d06172739a314f8ce63364a7b51159511"),
        (noise(40 << 20, 2), "81a5cfb690d670ff4bf3018afc1f71ac3ef9102b00b4565de8192d99f6e63547"),
        (vec![0; 80 << 20], "d807c3eb80cb59814fa213dbdccef25414dfee22a2c348e0f4a5d6f495303ce9"),
    ] {
        assert_eq!(blob::address(&bytes).hash.to_string(), expected, "{} bytes", bytes.len());
    }
}

#[test]
fn a_change_in_the_middle_rewrites_little() {
    let mut bytes = noise(24 << 20, 3);
    let buffer = NodeBuffer::new();
    let before = records(&buffer, &blob::write(&buffer, &bytes).unwrap());
    assert!(before.len() > 200, "{} records", before.len());
    bytes.splice(12_345_678..12_345_678, *b"a few more bytes");
    let after = records(&buffer, &blob::write(&buffer, &bytes).unwrap());
    let new: Vec<_> = after.difference(&before).collect();
    let written: usize = new.iter().map(|hash| buffer.buffered_record(hash).unwrap().len()).sum();
    assert!(new.len() <= 6, "{} of {} records are new", new.len(), after.len());
    assert!(written < 1 << 20, "{written} bytes are new");
}

#[test]
fn all_zeros_and_other_repetition_read_back() {
    for byte in [0, 0xff] {
        let (buffer, bytes) = (NodeBuffer::new(), vec![byte; 20 << 20]);
        let written = blob::write(&buffer, &bytes).unwrap();
        assert!(buffer.object_count() < 10, "{} objects", buffer.object_count());
        assert_eq!(read(&buffer, &written).unwrap(), bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn pieces_do_not_matter(len in 0usize..3_000_000, pieces in prop::collection::vec(1usize..700_000, 1..20)) {
        let bytes = noise(len, 4);
        let buffer = NodeBuffer::new();
        let mut writer = BlobWriter::new(&buffer);
        let mut rest = &bytes[..];
        for piece in pieces.iter().cycle() {
            let (now, later) = rest.split_at(rest.len().min(*piece));
            writer.write_all(now).unwrap();
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(writer.len(), len as u64);
        let written = writer.finish().unwrap();
        prop_assert_eq!(written, blob::address(&bytes));
        prop_assert_eq!(read(&buffer, &written).unwrap(), bytes);
    }

    #[test]
    fn any_range_reads_as_the_slice_does(ranges in prop::collection::vec((0usize..2_200_000, 0usize..400_000), 1..12)) {
        let bytes = noise(2_000_000, 5);
        let buffer = NodeBuffer::new();
        let written = blob::write(&buffer, &bytes).unwrap();
        let mut reader = BlobReader::of(&buffer, &written).unwrap();
        for (offset, len) in ranges {
            let expected = &bytes[offset.min(bytes.len())..(offset + len).min(bytes.len())];
            let mut found = vec![0; len];
            let count = reader.read_at(offset as u64, &mut found).unwrap();
            prop_assert_eq!(&found[..count], expected);

            reader.seek(offset as u64);
            let part = reader.next_part().unwrap();
            prop_assert_eq!(part.is_some(), offset < bytes.len());
            if let Some(part) = part {
                prop_assert_eq!(&part[..], &bytes[offset..offset + part.len()]);
                prop_assert_eq!(reader.position(), (offset + part.len()) as u64);
            }
        }
        prop_assert_eq!(reader.read_at(u64::MAX, &mut [0; 8]).unwrap(), 0);
    }
}

/// A store that loses, on request, one record, or refuses to take one.
#[derive(Default)]
struct Faulty {
    buffer: NodeBuffer,
    lost: Mutex<Option<Hash>>,
    writes_left: Mutex<Option<usize>>,
}

impl NodeReader for Faulty {
    fn read_node(&self, link: &Link) -> Result<Arc<Node>> {
        self.buffer.read_node(link)
    }

    fn read_record(&self, link: &Link) -> Result<Arc<[u8]>> {
        if *self.lost.lock().unwrap() == Some(link.hash) {
            return Err(Error::Missing { hash: link.hash });
        }
        self.buffer.read_record(link)
    }
}

impl NodeWriter for Faulty {
    fn write_node(&self, node: Arc<Node>) -> Result<()> {
        self.buffer.write_node(node)
    }

    fn write_record(&self, hash: Hash, encoded: Vec<u8>) -> Result<()> {
        if let Some(left) = &mut *self.writes_left.lock().unwrap() {
            *left = left.checked_sub(1).ok_or_else(|| Error::store("the disk is full"))?;
        }
        self.buffer.write_record(hash, encoded)
    }

    fn forget_node(&self, hash: &Hash) -> Result<()> {
        self.buffer.forget_node(hash)
    }
}

#[test]
fn every_lost_record_is_an_error_that_names_it() {
    let store = Faulty::default();
    let written = blob::write(&store, &noise(1 << 20, 6)).unwrap();
    for hash in records(&store.buffer, &written) {
        *store.lost.lock().unwrap() = Some(hash);
        let error = blob::read(&store, &Link::from(written.hash), written.len).unwrap_err();
        assert!(matches!(error, Error::Missing { hash: named } if named == hash), "{error}");
    }
}

#[test]
fn a_writer_that_failed_never_finishes() {
    let bytes = noise(1 << 20, 7);
    let total = {
        let buffer = NodeBuffer::new();
        blob::write(&buffer, &bytes).unwrap();
        buffer.object_count()
    };
    for writes in 0..total {
        let store = Faulty { writes_left: Mutex::new(Some(writes)), ..Faulty::default() };
        let mut writer = BlobWriter::new(&store);
        if bytes.chunks(100_000).try_for_each(|piece| writer.push(piece)).is_err() {
            // There is room again, but what was lost is lost.
            *store.writes_left.lock().unwrap() = None;
        }
        assert!(matches!(writer.finish(), Err(Error::Store(_))), "after {writes} of {total} writes");
    }
}

/// Writes a list made by hand.
fn list(buffer: &NodeBuffer, level: u8, children: &[(Hash, u64)]) -> Hash {
    let mut payload = vec![level];
    payload.extend(children.iter().flat_map(|(_, len)| len.to_le_bytes()));
    let links: Vec<_> = children.iter().map(|(hash, _)| *hash).collect();
    put(buffer, RecordKind::BlobList, &links, &payload)
}

fn put(buffer: &NodeBuffer, kind: RecordKind, links: &[Hash], payload: &[u8]) -> Hash {
    let encoded = Record::encode(kind, links, payload).unwrap();
    let hash = Record::address(&encoded);
    buffer.write_record(hash, encoded).unwrap();
    hash
}

#[test]
fn lies_are_found() {
    let buffer = NodeBuffer::new();
    let a = put(&buffer, RecordKind::BlobPart, &[], b"aaaa");
    let b = put(&buffer, RecordKind::BlobPart, &[], b"bb");
    let linking = put(&buffer, RecordKind::BlobPart, &[a], b"cc");
    let commit = put(&buffer, RecordKind::Commit, &[], b"dd");
    let empty = put(&buffer, RecordKind::BlobPart, &[], b"");
    let long = put(&buffer, RecordKind::BlobPart, &[], &[7; blob::PART_BYTES_MAX + 1]);
    let honest = list(&buffer, 1, &[(a, 4), (b, 2)]);
    assert_eq!(read(&buffer, &Blob { len: 6, hash: honest }).unwrap(), b"aaaabb");

    let long_len = blob::PART_BYTES_MAX as u64 + 1;
    let many = vec![(a, 4); blob::LIST_LINKS_MAX + 1];
    let cases = [
        ("a length that is too short", honest, 5),
        ("a length that is too long", honest, 7),
        ("a part of another length", a, 5),
        ("a commit", commit, 2),
        ("a part that links", linking, 2),
        ("a part that is too long", long, long_len),
        ("a wrong length of a part", list(&buffer, 1, &[(a, 3), (b, 3)]), 6),
        ("a commit in a list", list(&buffer, 1, &[(a, 4), (commit, 2)]), 6),
        ("an empty part", list(&buffer, 1, &[(a, 4), (empty, 0)]), 4),
        ("a part that is too long, in a list", list(&buffer, 1, &[(a, 4), (long, long_len)]), 4 + long_len),
        ("a single child", list(&buffer, 1, &[(a, 4)]), 4),
        ("no child", list(&buffer, 1, &[]), 0),
        ("too many children", list(&buffer, 1, &many), 4 * many.len() as u64),
        ("level 0", list(&buffer, 0, &[(a, 4), (b, 2)]), 6),
        ("a level that is too high", list(&buffer, 200, &[(honest, 6), (honest, 6)]), 12),
        ("a part where a list belongs", list(&buffer, 2, &[(honest, 6), (a, 4)]), 10),
        ("a list where a part belongs", list(&buffer, 1, &[(honest, 6), (a, 4)]), 10),
        ("more than there is", list(&buffer, 2, &[(honest, u64::MAX - 9), (honest, 6)]), u64::MAX - 3),
        ("a sum beyond 64 bits", list(&buffer, 2, &[(honest, u64::MAX), (honest, 7)]), 6),
        ("no level", put(&buffer, RecordKind::BlobList, &[], b""), 0),
        ("half a length", put(&buffer, RecordKind::BlobList, &[a], b"\x01\x04\0\0\0"), 4),
        ("a length too few", put(&buffer, RecordKind::BlobList, &[a, b], b"\x01\x04\0\0\0\0\0\0\0"), 4),
    ];
    for (what, hash, len) in cases {
        let result = read(&buffer, &Blob { len, hash });
        assert!(matches!(result, Err(Error::Corrupt { .. })), "{what}: {result:?}");
    }
}
