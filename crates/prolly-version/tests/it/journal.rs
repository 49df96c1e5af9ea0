//! Staged changes outlive the process that made them.

use prolly_core::TreeConfig;
use prolly_version::{ChangeKind, Error, Store, TreeKey, TreeKind};

use crate::support::{Shared, entries, options, status};

fn map() -> TreeKey {
    TreeKey::default_map()
}

fn put(store: &Store, key: &str, value: &str) {
    store.insert(&map(), key.as_bytes(), value.as_bytes()).unwrap();
}

#[test]
fn what_is_staged_is_there_when_the_store_opens_again() {
    let shared = Shared::new();
    let store = shared.open();
    put(&store, "kept", "0");
    store.commit("base").unwrap();
    let table = TreeKey::new(TreeKind::TABLE, "t");
    store.create_tree(&table, TreeConfig::with_targets(8, 8), b"schema").unwrap();
    store.insert(&table, b"row", &vec![5; 100_000]).unwrap();
    store.set_metadata(&table, b"schema 2").unwrap();
    let copy = TreeKey::map("copy");
    store.copy_tree(&map(), "HEAD", &copy).unwrap();
    store.insert(&copy, b"more", b"1").unwrap();
    put(&store, "new", "1");
    assert!(store.delete(&map(), b"kept").unwrap());
    let expected = store.catalog().unwrap().root_hash();
    drop(store);
    for _ in 0..2 {
        let store = shared.open();
        assert_eq!(store.catalog().unwrap().root_hash(), expected);
        assert_eq!(store.metadata(&table).unwrap(), b"schema 2");
    }
    let store = shared.open();
    store.commit("all").unwrap();
    drop(store);
    let store = shared.open();
    assert!(!store.has_staged_changes().unwrap());
    assert_eq!(store.catalog().unwrap().root_hash(), expected);
    store.drop_tree(&table).unwrap();
    drop(store);
    assert_eq!(shared.open().staged_trees().unwrap(), [(table, ChangeKind::Deleted)]);
}

#[test]
fn each_process_has_its_own_staging() {
    let shared = Shared::new();
    let (one, other) = (shared.open(), shared.open());
    put(&one, "one", "1");
    put(&other, "other", "1");
    one.flush().unwrap();
    other.flush().unwrap();
    let third = shared.open();
    assert!(status(&third).is_empty(), "the journals of others are theirs while they live");
    assert!(third.stranded_journals().unwrap().is_empty());
    drop(one);
    assert_eq!(third.stranded_journals().unwrap().len(), 1);
    let fourth = shared.open();
    assert_eq!(status(&fourth), [(b"one".to_vec(), ChangeKind::Added)]);
    drop((third, other));
    fourth.commit("one").unwrap();
    drop(fourth);
    let fifth = shared.open();
    assert_eq!(status(&fifth), [(b"other".to_vec(), ChangeKind::Added)], "carried to the new tip");
    assert_eq!(entries(&fifth, &map()).len(), 2);
    fifth.commit("other").unwrap();
}

#[test]
fn a_journal_is_taken_over_only_on_its_branch() {
    let shared = Shared::new();
    let store = shared.open();
    store.create_branch("topic", None).unwrap();
    put(&store, "k", "topic");
    store.flush().unwrap();
    shared.open().checkout("main", false).unwrap();
    drop(store);
    let on_main = shared.open();
    assert_eq!(on_main.current_branch().as_deref(), Some("main"));
    assert!(status(&on_main).is_empty());
    let stranded = on_main.stranded_journals().unwrap();
    assert_eq!(stranded.len(), 1);
    assert!(stranded[0].path.exists());
    put(&on_main, "k", "main");
    drop(on_main);
    let mut options = options();
    options.branch = Some("topic".to_owned());
    let on_topic = shared.try_open(options).unwrap();
    assert_eq!(entries(&on_topic, &map()), [(b"k".to_vec(), b"topic".to_vec())]);
}

#[test]
fn a_journal_whose_branch_moved_is_carried_or_stays_where_it_was() {
    let shared = Shared::new();
    let (one, other) = (shared.open(), shared.open());
    put(&one, "a", "staged");
    put(&one, "b", "staged");
    drop(one);
    put(&other, "c", "committed");
    other.commit("disjoint").unwrap();
    let one = shared.open();
    assert_eq!(one.current_commit(), other.current_commit());
    assert_eq!(status(&one).len(), 2);
    drop(one);
    put(&other, "a", "committed");
    other.commit("overlaps").unwrap();
    let one = shared.open();
    assert_ne!(one.current_commit(), other.current_commit());
    assert_eq!(status(&one).len(), 2);
    assert!(matches!(one.commit("x"), Err(Error::BranchMoved { .. })));
    one.discard_keys(&map(), ["a"]).unwrap();
    one.commit("b").unwrap();
    assert_eq!(entries(&one, &map()).len(), 3);
}

#[test]
fn a_crash_between_commit_and_journal_leaves_nothing_staged() {
    let shared = Shared::new();
    let store = shared.open();
    put(&store, "k", "v");
    store.flush().unwrap();
    let journal = shared.dir.path().join("staging/slot-0.journal");
    let bytes = std::fs::read(&journal).unwrap();
    store.commit("done").unwrap();
    drop(store);
    std::fs::write(&journal, bytes).unwrap();
    let store = shared.open();
    assert!(status(&store).is_empty());
    assert_eq!(entries(&store, &map()).len(), 1);
}

#[test]
fn damage_in_the_middle_is_an_error_that_names_the_journal() {
    let shared = Shared::new();
    let store = shared.open();
    put(&store, "a", "1");
    store.flush().unwrap();
    put(&store, "b", "1");
    store.flush().unwrap();
    drop(store);
    let journal = shared.dir.path().join("staging/slot-0.journal");
    let good = std::fs::read(&journal).unwrap();
    let mut bad = good.clone();
    bad[40] ^= 1;
    std::fs::write(&journal, &bad).unwrap();
    let error = shared.try_open(options()).unwrap_err();
    assert!(matches!(&error, Error::DamagedJournal { path, .. } if *path == journal), "{error}");
    std::fs::write(&journal, &good).unwrap();
    assert_eq!(status(&shared.open()).len(), 2);
}
