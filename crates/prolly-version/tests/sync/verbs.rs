//! The verbs of a store.

use prolly_version::{
    BackendKind, Error, MergeOptions, Options, Store, TreeKey,
    sync::{FetchOptions, Trees},
};

use crate::support::go_on;

#[test]
fn stores_are_cloned_fetched_from_and_pushed_to_by_path() {
    let dir = tempfile::tempdir().unwrap();
    let map = TreeKey::default_map();
    let kinds = [BackendKind::Git, BackendKind::Redb, BackendKind::File];
    for (index, kind) in kinds.into_iter().enumerate() {
        let (here, there) = (dir.path().join(format!("a{index}")), dir.path().join(format!("b{index}")));
        let store = Store::open(&here, Options::new(kind)).unwrap();
        store.insert(&map, b"key", b"one").unwrap();
        store.commit("one").unwrap();
        let options = || Options::new(kinds[(index + 1) % kinds.len()]);
        let all = FetchOptions::default();
        let (clone, report) =
            Store::clone_from(&store, &there, options(), "origin", &all, &mut go_on).unwrap();
        assert_eq!((clone.backend(), report.commits), (options().backend.unwrap(), 2));
        assert_eq!(clone.current_branch().as_deref(), Some("main"));
        assert_eq!(clone.get(&map, b"key").unwrap(), Some(b"one".to_vec()));
        let error = Store::clone_from(&store, &there, options(), "origin", &all, &mut go_on).unwrap_err();
        assert!(matches!(error, Error::CannotSync { .. }), "{error}");

        clone.insert(&map, b"theirs", b"two").unwrap();
        clone.commit("two").unwrap();
        store.insert(&map, b"ours", b"three").unwrap();
        store.commit("three").unwrap();
        store.fetch(&clone, "peer", &all, &mut go_on).unwrap();
        store.merge("peer/main", MergeOptions::default()).unwrap();
        let specs = [store.push_spec("main", None).unwrap()];
        store.push(&clone, &specs, &mut go_on).unwrap();
        clone.insert(&map, b"staged", b"four").unwrap();
        clone.refresh().unwrap();
        for key in [&b"ours"[..], b"theirs", b"staged"] {
            assert!(clone.get(&map, key).unwrap().is_some(), "{key:?}");
        }
        clone.commit("four").unwrap();
        drop(clone);
        let report = store.fetch_path(&there, "peer", &all, &mut go_on).unwrap();
        assert_eq!(report.commits, 1);
        store.merge("peer/main", MergeOptions::default()).unwrap();
        store.push_path(&there, &[store.push_spec("side", Some("HEAD")).unwrap()], &mut go_on).unwrap();
        let nowhere = dir.path().join("nowhere");
        let error = store.fetch_path(&nowhere, "peer", &all, &mut go_on).unwrap_err();
        assert!(matches!(error, Error::NotAStore { .. }), "{error}");
        assert!(!nowhere.exists());
        assert!(matches!(store.push_spec("nowhere", None), Err(Error::UnknownBranch { .. })));
    }
}

#[test]
fn a_clone_that_was_broken_off_is_no_store_until_it_is_taken_up() {
    let dir = tempfile::tempdir().unwrap();
    let map = TreeKey::default_map();
    let store = Store::memory(Options::default()).unwrap();
    store.insert_many(&map, (0..5000_u32).map(|n| (n.to_be_bytes(), n.to_be_bytes()))).unwrap();
    store.commit("many").unwrap();
    for kind in [BackendKind::Redb, BackendKind::Git] {
        let path = dir.path().join(kind.to_string());
        let all = FetchOptions { trees: Trees::All, ..FetchOptions::default() };
        let mut stop = |progress: &prolly_version::sync::Progress| match progress.objects {
            20.. => std::ops::ControlFlow::Break(()),
            _ => std::ops::ControlFlow::Continue(()),
        };
        let error =
            Store::clone_from(&store, &path, Options::new(kind), "origin", &all, &mut stop).unwrap_err();
        assert!(matches!(error, Error::Interrupted), "{error}");
        let error = Store::open(&path, Options::new(kind)).unwrap_err();
        assert!(matches!(error, Error::UnbornBranch { .. }), "{error}");
        let (clone, report) =
            Store::clone_from(&store, &path, Options::new(kind), "origin", &all, &mut go_on).unwrap();
        assert!(report.objects > 0);
        assert_eq!(clone.len(&map).unwrap(), 5000);
        assert_eq!(clone.get(&map, &77_u32.to_be_bytes()).unwrap(), Some(77_u32.to_be_bytes().to_vec()));
    }
}

#[test]
fn the_blobs_of_a_partial_store_are_counted_without_what_was_left_out() {
    let map = TreeKey::default_map();
    let other = TreeKey::map("other");
    let store = Store::memory(Options::default()).unwrap();
    store.create_tree(&other, Default::default(), b"").unwrap();
    for tree in [&map, &other] {
        store.insert_many(tree, (0..2000_u32).map(|n| (n.to_be_bytes(), n.to_be_bytes()))).unwrap();
        store.insert(tree, b"long", &vec![tree.name()[0]; 100_000]).unwrap();
    }
    store.commit("both").unwrap();
    let whole = store.collect_blobs().unwrap();
    let part = FetchOptions { trees: Trees::Only(vec![map.clone()]), ..FetchOptions::default() };
    let options = Options::new(BackendKind::Memory);
    let (clone, _) = Store::clone_from(&store, "", options, "origin", &part, &mut go_on).unwrap();
    let counted = clone.collect_blobs().unwrap();
    assert!(counted.referenced > 0 && counted.referenced < whole.referenced, "{counted:?} of {whole:?}");
    assert!(clone.open_value(&map, b"long").unwrap().is_some());
}

#[test]
fn a_branch_that_is_asked_for_twice_is_fetched_once() {
    let store = Store::memory(Options::default()).unwrap();
    let clone = Store::memory(Options::default()).unwrap();
    let branches = Some(vec!["main".to_owned(), "main".to_owned()]);
    let what = FetchOptions { branches, ..FetchOptions::default() };
    assert_eq!(clone.fetch(&store, "origin", &what, &mut go_on).unwrap().refs.len(), 1);
}
