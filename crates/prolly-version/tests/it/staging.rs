//! Staging several changes as one, and telling whether something was staged meanwhile.

use prolly_core::TreeConfig;
use prolly_version::{Error, Options, Store, TreeKey, TreeKind};

fn table(name: &str) -> TreeKey {
    TreeKey::new(TreeKind::TABLE, name)
}

#[test]
fn a_stamp_stays_while_nothing_is_staged() {
    let store = Store::memory(Options::default()).unwrap();
    let tree = TreeKey::default_map();
    let before = store.stamp().unwrap();
    assert_eq!(store.get(&tree, b"a").unwrap(), None);
    store.tree(&tree).unwrap();
    store.catalog().unwrap();
    assert_eq!(store.stamp(), Some(before));
    store.insert(&tree, b"a", b"1").unwrap();
    let after = store.stamp().unwrap();
    assert_ne!(after, before);
    store.commit("one").unwrap();
    assert_ne!(store.stamp(), Some(after));
    let before = store.stamp().unwrap();
    let mut staging = store.stage().unwrap();
    assert_eq!(staging.stamp(), before);
    assert_eq!(store.stamp(), None, "somebody is staging");
    staging.edit(&tree, [(b"b", Some(b"2"))]).unwrap();
    assert_eq!(staging.get(&tree, b"b").unwrap(), Some(b"2".to_vec()));
    let after = staging.stamp_after();
    drop(staging);
    assert_ne!(after, before);
    assert_eq!(store.stamp(), Some(after));
}

#[test]
fn several_changes_survive_together() {
    let dir = tempfile::tempdir().unwrap();
    {
        let store = Store::open(dir.path(), Options::default()).unwrap();
        let mut staging = store.stage().unwrap();
        staging.create_tree(&table("one"), TreeConfig::default(), b"first").unwrap();
        staging.edit(&table("one"), (0..100_u32).map(|n| (n.to_be_bytes(), Some(b"row")))).unwrap();
        staging.create_tree(&table("other"), TreeConfig::default(), b"").unwrap();
        staging.rename_tree(&table("one"), b"renamed").unwrap();
        staging.edit(&table("renamed"), [(7_u32.to_be_bytes(), None::<&[u8]>)]).unwrap();
        staging.set_metadata(&table("other"), b"second").unwrap();
    }
    let store = Store::open(dir.path(), Options::default()).unwrap();
    assert_eq!(store.len(&table("renamed")).unwrap(), 99);
    assert_eq!(store.metadata(&table("renamed")).unwrap(), b"first");
    assert_eq!(store.metadata(&table("other")).unwrap(), b"second");
    assert!(!store.has_tree(&table("one")).unwrap());
}

#[test]
fn trees_are_named_by_kind_and_prefix() {
    let store = Store::memory(Options::default()).unwrap();
    for name in ["aa", "ab", "b"] {
        store.create_tree(&table(name), TreeConfig::default(), b"").unwrap();
    }
    store.create_tree(&TreeKey::map("ac"), TreeConfig::default(), b"").unwrap();
    store.commit("some").unwrap();
    store.drop_tree(&table("ab")).unwrap();
    store.create_tree(&table("a"), TreeConfig::default(), b"").unwrap();
    store.rename_tree(&table("b"), b"az").unwrap();
    let names = |prefix: &[u8]| store.tree_keys(TreeKind::TABLE, prefix).unwrap();
    assert_eq!(names(b""), [table("a"), table("aa"), table("az")]);
    assert_eq!(names(b"aa"), [table("aa")]);
    assert_eq!(names(b"b"), []);
}

#[test]
fn what_is_refused_is_named() {
    let store = Store::memory(Options::default()).unwrap();
    let mut staging = store.stage().unwrap();
    let missing = staging.edit(&table("none"), [(b"a", Some(b"1"))]);
    assert!(matches!(missing, Err(Error::UnknownTree { tree }) if tree == table("none")));
    staging.create_tree(&table("one"), TreeConfig::default(), b"").unwrap();
    let twice = staging.create_tree(&table("one"), TreeConfig::default(), b"");
    assert!(matches!(twice, Err(Error::TreeExists { tree }) if tree == table("one")));
    assert!(!staging.drop_tree(&table("none")).unwrap());
    assert!(staging.version(&table("none")).unwrap().is_none());
}
