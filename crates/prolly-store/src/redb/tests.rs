use super::*;
use crate::{
    Expected,
    testing::{leaf_bytes, random_bytes, record},
};

#[test]
fn smoke() {
    let dir = tempfile::tempdir().unwrap();
    let store = RedbStore::open(dir.path().join("s")).unwrap();
    let objects: Vec<_> = (0..200).map(|seed| record(seed, 7_000)).collect();
    let mut t = store.begin().unwrap();
    for (h, b) in &objects {
        t.put(h, b).unwrap();
    }
    t.commit(&[RefEdit { name: "main".into(), expected: Expected::Absent, new: Some(vec![1]) }]).unwrap();
    for (h, b) in &objects {
        assert_eq!(&store.get(h).unwrap().unwrap()[..], b);
    }
    eprintln!("{:?}", store.stats().unwrap());
    // difference chains
    let entries = |version: u64| -> Vec<(Vec<u8>, Vec<u8>)> {
        (0..65)
            .map(|i| {
                (
                    format!("key{i:05}").into_bytes(),
                    random_bytes(i + if i == version % 65 { version * 1000 } else { 0 }, 100),
                )
            })
            .collect()
    };
    let mut all = vec![];
    for v in 1..50 {
        let bytes = leaf_bytes(&entries(v));
        let node = prolly_core::Node::decode_any(bytes.clone()).unwrap();
        let mut t = store.begin().unwrap();
        t.put(node.hash(), &bytes).unwrap();
        t.commit(&[]).unwrap();
        all.push((*node.hash(), bytes));
    }
    eprintln!("{:?}", store.stats().unwrap());
    for (h, b) in &all {
        assert_eq!(&store.get(h).unwrap().unwrap()[..], b);
    }
    let t = store.begin().unwrap();
    let report = t.sweep(&mut |hash| all[10..].iter().any(|(h, _)| h == hash)).unwrap();
    eprintln!("{report:?}");
    for (h, b) in &all[10..] {
        assert_eq!(&store.get(h).unwrap().unwrap()[..], b);
    }
    for (h, _) in &all[..10] {
        assert!(store.get(h).unwrap().is_none());
    }
}
