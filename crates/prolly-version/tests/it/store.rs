//! The store: staging, commits, branches, checkout, and several handles at once.

use std::collections::BTreeSet;

use prolly_core::TreeConfig;
use prolly_version::{
    BackendKind, ChangeKind, Error, Expected, Head, Identity, KeyInTree, MergeConflict, MergeStrategy,
    Options, RefEdit, ResetMode, Resolution, Store, TreeKey, TreeKind,
};

use crate::support::{Shared, entries, options, status};

fn map() -> TreeKey {
    TreeKey::default_map()
}

fn put(store: &Store, key: &str, value: &str) {
    store.insert(&map(), key.as_bytes(), value.as_bytes()).unwrap();
}

fn get(store: &Store, key: &str) -> Option<String> {
    store.get(&map(), key.as_bytes()).unwrap().map(|value| String::from_utf8(value).unwrap())
}

fn keys(conflict: &[KeyInTree]) -> Vec<String> {
    conflict.iter().map(ToString::to_string).collect()
}

#[test]
fn a_new_store_has_one_commit_and_one_tree() {
    let store = Store::memory(options()).unwrap();
    assert_eq!(store.current_branch().as_deref(), Some("main"));
    let log: Vec<_> = store.log(None).unwrap().map(Result::unwrap).collect();
    assert_eq!(log.len(), 1);
    assert_eq!(log[0].message, "Initial commit");
    assert_eq!(
        (log[0].author.name.as_str(), log[0].author.email.as_str()),
        ("prollytree", "prollytree@localhost")
    );
    assert_eq!(store.current_commit(), Some(log[0].id));
    assert_eq!(store.len(&map()).unwrap(), 0);
    let other = TreeKey::map("other");
    assert!(matches!(store.get(&other, b"k"), Err(Error::UnknownTree { tree }) if tree == other));
    assert!(matches!(store.insert(&other, b"k", b"v"), Err(Error::UnknownTree { .. })));
}

#[test]
fn staged_changes_show_and_commit() {
    let store = Store::memory(options()).unwrap();
    put(&store, "a", "1");
    put(&store, "b", "2");
    let first = store.commit("first").unwrap();
    assert!(status(&store).is_empty());
    put(&store, "a", "1");
    assert!(status(&store).is_empty(), "an equal value is no change");
    put(&store, "a", "one");
    put(&store, "c", "3");
    assert!(store.delete(&map(), b"b").unwrap());
    assert!(!store.delete(&map(), b"zz").unwrap());
    assert!(!store.update(&map(), b"zz", b"new").unwrap());
    assert!(store.update(&map(), b"c", b"three").unwrap());
    assert_eq!(get(&store, "c").as_deref(), Some("three"));
    let expected = [
        (b"a".to_vec(), ChangeKind::Modified),
        (b"b".to_vec(), ChangeKind::Deleted),
        (b"c".to_vec(), ChangeKind::Added),
    ];
    assert_eq!(status(&store), expected);
    let second = store
        .commit_as("second\n\nbody", Some(&Identity { name: "Ada".into(), email: "a@b".into() }))
        .unwrap();
    assert!(status(&store).is_empty());
    let commit = store.read_commit(&second).unwrap().unwrap();
    assert_eq!(commit.parents, [first]);
    assert_eq!((commit.author.name.as_str(), commit.committer.name.as_str()), ("Ada", "prollytree"));
    assert_eq!(commit.message, "second\n\nbody");
    let old = store.at("HEAD~1").unwrap();
    assert_eq!(old.get(&map(), b"a").unwrap().as_deref(), Some(&b"1"[..]));
    assert_eq!(old.get(&map(), b"c").unwrap(), None);
    let empty = store.commit("nothing staged").unwrap();
    assert_eq!(store.read_commit(&empty).unwrap().unwrap().parents, [second]);
    assert_eq!(store.read_commit(&empty).unwrap().unwrap().root.hash, commit.root.hash);
    let bad = Identity { name: "a\nb".into(), email: String::new() };
    assert!(matches!(store.commit_as("x", Some(&bad)), Err(Error::InvalidCommit { .. })));
}

#[test]
fn large_values_and_many_entries_survive_a_commit() {
    let mut options = options();
    options.spill_bytes = 16 << 10;
    options.flush_bytes = 64 << 10;
    options.cache_bytes = 16 << 10;
    let store = Store::memory(options).unwrap();
    let large = vec![7; 300_000];
    store.insert(&map(), b"large", &large).unwrap();
    let many: Vec<_> = (0..20_000_u32).map(|n| (n.to_be_bytes(), n.to_string())).collect();
    store.insert_many(&map(), many.iter().map(|(key, value)| (key, value))).unwrap();
    let snapshot = store.tree(&map()).unwrap();
    store.insert(&map(), b"later", b"x").unwrap();
    assert_eq!(store.len(&map()).unwrap(), 20_002);
    assert_eq!(snapshot.len(), 20_001);
    store.commit("all").unwrap();
    assert_eq!(
        snapshot.range::<&[u8]>(..).unwrap().map(Result::unwrap).count(),
        20_001,
        "handles outlive a commit"
    );
    assert_eq!(store.get(&map(), b"large").unwrap(), Some(large));
    let values = store.get_many(&map(), many.iter().map(|(key, _)| key)).unwrap();
    assert!(
        values.iter().zip(&many).all(|(value, (_, expected))| value.as_deref() == Some(expected.as_bytes()))
    );
}

#[test]
fn branches_are_made_listed_renamed_and_deleted() {
    let store = Store::memory(options()).unwrap();
    put(&store, "a", "1");
    let first = store.commit("first").unwrap();
    put(&store, "staged", "x");
    store.create_branch("topic", None).unwrap();
    assert_eq!(store.current_branch().as_deref(), Some("topic"));
    assert_eq!(get(&store, "staged").as_deref(), Some("x"), "staged changes stay");
    let second = store.commit("on topic").unwrap();
    assert_eq!(store.branches().unwrap(), [("main".to_owned(), first), ("topic".to_owned(), second)]);
    assert!(
        matches!(store.create_branch("topic", None), Err(Error::BranchExists { name }) if name == "topic")
    );
    assert!(matches!(store.branch("topic/x", None), Err(Error::RefNameTaken { .. })));
    assert!(matches!(store.branch("../x", None), Err(Error::InvalidRefName { .. })));
    assert!(matches!(store.branch("HEAD", None), Err(Error::InvalidRefName { .. })));
    assert!(matches!(store.branch("x", Some("nope")), Err(Error::UnknownRevision { .. })));
    store.branch("old", Some("HEAD~1")).unwrap();
    assert_eq!(store.resolve("old").unwrap(), first);
    assert_eq!(store.current_branch().as_deref(), Some("topic"), "branch does not move");
    assert!(matches!(store.delete_branch("topic"), Err(Error::BranchInUse { .. })));
    assert!(matches!(store.delete_branch("nope"), Err(Error::UnknownBranch { .. })));
    put(&store, "kept", "y");
    store.rename_branch("topic", "subject").unwrap();
    assert_eq!(store.current_branch().as_deref(), Some("subject"));
    assert_eq!(get(&store, "kept").as_deref(), Some("y"));
    assert!(matches!(store.rename_branch("subject", "main"), Err(Error::BranchExists { .. })));
    assert_eq!(store.delete_branch("old").unwrap(), first);
    let third = store.commit("kept").unwrap();
    store.checkout("main", false).unwrap();
    assert_eq!(store.delete_branch("subject").unwrap(), third);
    assert!(store.read_commit(&third).unwrap().is_some());
    store.collect_garbage().unwrap();
    assert!(store.read_commit(&third).unwrap().is_none());
    assert_eq!(store.read_commit(&first).unwrap().unwrap().id, first);
}

#[test]
fn checkout_follows_gits_rule_for_staged_changes() {
    let store = Store::memory(options()).unwrap();
    put(&store, "same", "0");
    put(&store, "differs", "main");
    store.commit("base").unwrap();
    store.create_branch("topic", None).unwrap();
    put(&store, "differs", "topic");
    store.commit("topic").unwrap();

    put(&store, "same", "staged");
    put(&store, "new", "staged");
    store.checkout("main", false).unwrap();
    assert_eq!(get(&store, "differs").as_deref(), Some("main"));
    assert_eq!(
        status(&store),
        [(b"new".to_vec(), ChangeKind::Added), (b"same".to_vec(), ChangeKind::Modified)]
    );

    put(&store, "differs", "staged");
    put(&store, "new", "again");
    let error = store.checkout("topic", false).unwrap_err();
    assert!(
        matches!(&error, Error::StagedConflict { keys: found, .. } if keys(found) == ["\"differs\""]),
        "{error}"
    );
    assert!(error.to_string().contains("differs") && error.to_string().contains("topic"), "{error}");
    assert_eq!(store.current_branch().as_deref(), Some("main"));
    assert_eq!(get(&store, "new").as_deref(), Some("again"));
    assert_eq!(status(&store).len(), 3);

    put(&store, "differs", "topic");
    store.checkout("topic", false).unwrap();
    assert_eq!(status(&store).len(), 2, "what the target holds already is staged no more");
    store.checkout("main", true).unwrap();
    assert!(status(&store).is_empty());
    assert_eq!((get(&store, "same").as_deref(), get(&store, "new")), (Some("0"), None));
    for unknown in ["nope", "refs/heads/nope", "deadbeef"] {
        assert!(
            matches!(store.checkout(unknown, true), Err(Error::UnknownRevision { revision }) if revision == unknown)
        );
    }
}

#[test]
fn a_commit_or_a_tag_can_be_checked_out_and_built_on() {
    let store = Store::memory(options()).unwrap();
    put(&store, "k", "1");
    let first = store.commit("1").unwrap();
    store.tag("v1", None).unwrap();
    assert!(matches!(store.tag("v1", None), Err(Error::TagExists { .. })));
    put(&store, "k", "2");
    store.commit("2").unwrap();
    store.checkout("v1", false).unwrap();
    assert_eq!((store.head(), store.current_branch()), (Head::Detached(first), None));
    assert_eq!(get(&store, "k").as_deref(), Some("1"));
    put(&store, "k", "side");
    let side = store.commit("side").unwrap();
    assert_eq!(store.head(), Head::Detached(side));
    assert_eq!(store.graph().head().unwrap(), Head::Detached(side));
    store.collect_garbage().unwrap();
    assert_eq!(store.at("HEAD~1").unwrap().commit().id, first);
    store.create_branch("kept", None).unwrap();
    store.checkout(&first.to_string()[..12], false).unwrap();
    assert_eq!(store.head(), Head::Detached(first));
    store.checkout("HEAD", false).unwrap();
    store.checkout("kept", false).unwrap();
    assert_eq!(get(&store, "k").as_deref(), Some("side"));
    assert_eq!(store.tags().unwrap(), [("v1".to_owned(), first)]);
    store.delete_tag("v1").unwrap();
    assert!(matches!(store.delete_tag("v1"), Err(Error::UnknownTag { .. })));
}

#[test]
fn a_branch_of_a_remote_is_made_on_checkout() {
    let store = Store::memory(options()).unwrap();
    let id = store.current_commit().unwrap();
    let edit = |name: &str| prolly_version::RefEdit {
        name: name.to_owned(),
        expected: prolly_version::Expected::Absent,
        new: Some(id),
        log: String::new(),
    };
    store
        .graph()
        .update_refs(&[
            edit("refs/remotes/origin/a/b"),
            edit("refs/remotes/o/two"),
            edit("refs/remotes/p/two"),
        ])
        .unwrap();
    store.checkout("a/b", false).unwrap();
    assert_eq!(store.current_branch().as_deref(), Some("a/b"));
    assert!(
        matches!(store.checkout("two", false), Err(Error::UnknownRevision { .. })),
        "two remotes have it"
    );
    store.checkout("origin/a/b", false).unwrap();
    assert_eq!(store.head(), Head::Detached(id));
}

#[test]
fn trees_are_made_copied_and_dropped_with_a_commit() {
    let store = Store::memory(options()).unwrap();
    let table = TreeKey::new(TreeKind::TABLE, "t");
    let config = TreeConfig::with_targets(16, 16);
    store.create_tree(&table, config, b"schema").unwrap();
    assert!(matches!(store.create_tree(&table, config, b""), Err(Error::TreeExists { .. })));
    store.insert(&table, b"row", b"1").unwrap();
    put(&store, "k", "v");
    assert_eq!(
        store.staged_trees().unwrap(),
        [(map(), ChangeKind::Modified), (table.clone(), ChangeKind::Added)]
    );
    let first = store.commit("both").unwrap();
    assert_eq!(store.metadata(&table).unwrap(), b"schema");
    store.set_metadata(&table, b"schema 2").unwrap();
    assert!(store.has_staged_changes().unwrap());
    assert!(store.drop_tree(&map()).unwrap());
    assert!(!store.drop_tree(&map()).unwrap());
    assert!(!store.has_tree(&map()).unwrap());
    assert!(matches!(store.get(&map(), b"k"), Err(Error::UnknownTree { .. })));
    assert_eq!(status(&store), [(b"k".to_vec(), ChangeKind::Deleted)]);
    store.commit("dropped").unwrap();
    let names = |store: &Store| -> Vec<_> {
        store.catalog().unwrap().entries(None).unwrap().map(|entry| entry.unwrap().key).collect()
    };
    assert_eq!(names(&store), std::slice::from_ref(&table));
    let copy = TreeKey::map("copy");
    store.copy_tree(&map(), "HEAD~1", &copy).unwrap();
    store.insert(&copy, b"k2", b"v2").unwrap();
    assert_eq!(names(&store), [copy.clone(), table.clone()]);
    store.commit("copied").unwrap();
    assert_eq!(entries(&store, &copy).len(), 2);
    assert_eq!(store.at(&first.to_string()).unwrap().get(&map(), b"k").unwrap().as_deref(), Some(&b"v"[..]));
    assert!(matches!(store.copy_tree(&map(), "HEAD", &copy), Err(Error::UnknownTree { .. })));
}

#[test]
fn a_copy_from_a_branch_that_goes_stays_whole() {
    let store = Store::memory(options()).unwrap();
    store.create_branch("gone", None).unwrap();
    let large = vec![3; 100_000];
    store.insert(&map(), b"large", &large).unwrap();
    store.insert_many(&map(), (0..5000_u32).map(|n| (n.to_be_bytes(), n.to_be_bytes()))).unwrap();
    store.commit("on the branch").unwrap();
    store.checkout("main", false).unwrap();
    let copy = TreeKey::map("copy");
    store.copy_tree(&map(), "gone", &copy).unwrap();
    store.delete_branch("gone").unwrap();
    store.collect_garbage().unwrap();
    store.commit("copied").unwrap();
    store.collect_garbage().unwrap();
    assert_eq!(store.get(&copy, b"large").unwrap(), Some(large));
    assert_eq!(entries(&store, &copy).len(), 5001);
}

#[test]
fn two_handles_never_lose_each_others_commits() {
    let shared = Shared::new();
    let (one, other) = (shared.open(), shared.open());
    put(&one, "a", "one");
    put(&other, "b", "other");
    let first = one.commit("one").unwrap();
    assert_eq!(get(&other, "a"), None, "reads show what this process has seen");
    let second = other.commit("other").unwrap();
    assert_eq!(other.read_commit(&second).unwrap().unwrap().parents, [first]);
    assert_eq!((get(&other, "a").as_deref(), get(&other, "b").as_deref()), (Some("one"), Some("other")));
    assert!(one.refresh().unwrap());
    assert!(!one.refresh().unwrap());
    assert_eq!(get(&one, "b").as_deref(), Some("other"));

    put(&one, "a", "1");
    put(&one, "c", "3");
    put(&other, "a", "2");
    put(&other, "d", "4");
    let third = one.commit("wins").unwrap();
    let error = other.commit("loses").unwrap_err();
    let Error::BranchMoved { branch, expected, found, keys: found_keys } = &error else { panic!("{error}") };
    assert_eq!((branch.as_str(), *expected, *found), ("refs/heads/main", Some(second), third));
    assert_eq!(keys(found_keys), ["\"a\""]);
    assert!(matches!(other.refresh(), Err(Error::BranchMoved { .. })));
    assert_eq!(status(&other).len(), 2, "everything is staged as before");
    other.discard_keys(&map(), ["a"]).unwrap();
    let fourth = other.commit("now").unwrap();
    assert_eq!(other.read_commit(&fourth).unwrap().unwrap().parents, [third]);
    assert_eq!(get(&other, "a").as_deref(), Some("1"));
    let seen: BTreeSet<_> = other.log(None).unwrap().map(|commit| commit.unwrap().message).collect();
    assert_eq!(seen.len(), 5);
}

#[test]
fn a_branch_that_was_deleted_meanwhile_is_not_made_again() {
    let shared = Shared::new();
    let (one, other) = (shared.open(), shared.open());
    one.create_branch("topic", None).unwrap();
    other.checkout("topic", false).unwrap();
    one.checkout("main", false).unwrap();
    one.delete_branch("topic").unwrap();
    put(&other, "k", "v");
    let error = other.commit("x").unwrap_err();
    assert!(
        matches!(&error, Error::RefMoved { name, found: None, .. } if name == "refs/heads/topic"),
        "{error}"
    );
    assert_eq!(get(&other, "k").as_deref(), Some("v"));
    other.checkout("main", false).unwrap();
    other.commit("kept").unwrap();
}

#[test]
fn garbage_collection_keeps_where_this_handle_stands() {
    let shared = Shared::new();
    let (one, other) = (shared.open(), shared.open());
    put(&one, "k", "v");
    let id = one.commit("k").unwrap();
    one.checkout(&id.to_string(), false).unwrap();
    other.refresh().unwrap();
    other.reset("HEAD~1", ResetMode::Hard).unwrap();
    other.checkout("main", false).unwrap();
    put(&one, "staged", "x");
    one.collect_garbage().unwrap();
    assert_eq!(one.at("HEAD").unwrap().get(&map(), b"k").unwrap().as_deref(), Some(&b"v"[..]));
    assert!(one.graph().refs("refs/prolly/").unwrap().is_empty());
    one.commit("staged").unwrap();
}

#[test]
fn deleting_the_branch_that_another_process_left_head_on_moves_head() {
    let shared = Shared::new();
    let one = shared.open();
    let other = shared.open();
    other.create_branch("topic", None).unwrap();
    drop(other);
    one.delete_branch("topic").unwrap();
    assert_eq!(shared.open().current_branch().as_deref(), Some("main"));
}

#[test]
fn many_threads_read_write_and_commit() {
    let store = Store::memory(options()).unwrap();
    let writers: u32 = 4;
    std::thread::scope(|scope| {
        for writer in 0..writers {
            let store = &store;
            scope.spawn(move || {
                for number in 0..50_u32 {
                    put(store, &format!("{writer}/{number}"), "x");
                    assert!(get(store, &format!("{writer}/{number}")).is_some());
                    if number % 10 == writer {
                        store.commit("concurrent").unwrap();
                    }
                }
            });
        }
    });
    store.commit("last").unwrap();
    assert_eq!(store.len(&map()).unwrap(), 200);
    assert_eq!(store.log(None).unwrap().count(), 1 + 4 * 5 + 1);
}

#[test]
fn every_backend_keeps_a_store() {
    for kind in [BackendKind::File, BackendKind::Redb, BackendKind::Git] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        let mut opened = options();
        opened.backend = Some(kind);
        let store = Store::open(&path, opened).unwrap();
        store.insert_many(&map(), (0..3000_u32).map(|n| (n.to_be_bytes(), n.to_be_bytes()))).unwrap();
        store.insert(&map(), b"large", &vec![1; 100_000]).unwrap();
        let first = store.commit("first").unwrap();
        store.create_branch("topic", None).unwrap();
        put(&store, "k", "topic");
        let second = store.commit("second").unwrap();
        store.checkout("main", false).unwrap();
        put(&store, "staged", "x");
        let root = store.catalog().unwrap().root_hash();
        drop(store);
        let store = Store::open(&path, Options::default()).unwrap();
        assert_eq!((store.backend(), store.current_commit()), (kind, Some(first)));
        assert_eq!(status(&store), [(b"staged".to_vec(), ChangeKind::Added)], "{kind}");
        assert_eq!(store.catalog().unwrap().root_hash(), root);
        assert_eq!(store.len(&map()).unwrap(), 3002);
        assert_eq!(store.resolve(&second.to_string()[..7]).unwrap(), second);
        assert_eq!(store.at("topic").unwrap().get(&map(), b"k").unwrap().as_deref(), Some(&b"topic"[..]));
        store.checkout("topic", false).unwrap();
        let third = store.commit("third").unwrap();
        store.collect_garbage().unwrap();
        assert_eq!(get(&store, "staged").as_deref(), Some("x"));
        assert_eq!(store.read_commit(&third).unwrap().unwrap().parents, [second]);
        assert_eq!(store.get(&map(), b"large").unwrap(), Some(vec![1; 100_000]));
        assert_eq!(entries(&store, &map()).len(), 3003);
        drop(store);
        for (name, kind) in
            [("redb", BackendKind::Redb), ("git", BackendKind::Git), ("file", BackendKind::File)]
        {
            let opened = Store::open(&path, Options::new(kind));
            match opened {
                Ok(store) => assert_eq!(store.backend(), kind),
                Err(error) => assert!(matches!(error, Error::OtherBackend { .. }), "{name}: {error}"),
            }
        }
    }
}

#[test]
fn a_directory_opens_as_what_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deep/store");
    let mut opened = options();
    opened.backend = Some(BackendKind::Redb);
    opened.create = false;
    let error = Store::open(&path, opened.clone()).unwrap_err();
    assert!(matches!(&error, Error::NotAStore { path: found, .. } if *found == path), "{error}");
    opened.create = true;
    opened.config = Some(TreeConfig::with_targets(32, 32));
    let store = Store::open(&path, opened.clone()).unwrap();
    put(&store, "k", "v");
    let again = Store::open(path.join("../store"), Options::default()).unwrap();
    assert_eq!(get(&again, "k").as_deref(), Some("v"), "handles of a path share what is staged");
    put(&again, "k2", "v2");
    let id = again.commit("both").unwrap();
    assert_eq!(store.current_commit(), Some(id));
    let mut other = Options::new(BackendKind::Git);
    assert!(matches!(
        Store::open(&path, other.clone()),
        Err(Error::OtherBackend { found: "redb", asked: "Git", .. })
    ));
    other.backend = None;
    other.config = Some(TreeConfig::default());
    for _ in 0..2 {
        let error = Store::open(&path, other.clone()).unwrap_err();
        let Error::ConfigMismatch { stored, given, .. } = &error else { panic!("{error}") };
        assert_eq!((stored.modulus, given.modulus), (32, 64));
    }
    drop((store, again));
    assert!(matches!(Store::open(&path, other), Err(Error::ConfigMismatch { .. })));
    let store = Store::open(&path, Options::default()).unwrap();
    assert_eq!(get(&store, "k2").as_deref(), Some("v2"));
    assert_eq!(store.backend(), BackendKind::Redb);
    let mut missing = options();
    missing.branch = Some("nope".to_owned());
    let fresh = dir.path().join("fresh");
    missing.backend = Some(BackendKind::Redb);
    let store = Store::open(&fresh, missing).unwrap();
    assert_eq!(store.current_branch().as_deref(), Some("nope"));
    drop(store);
    let mut missing = options();
    missing.branch = Some("gone".to_owned());
    let error = Store::open(&fresh, missing).unwrap_err();
    assert!(matches!(&error, Error::UnbornBranch { branch } if branch == "refs/heads/gone"), "{error}");
}

#[test]
fn data_of_the_published_package_is_recognised() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("prolly_config_tree_config"), "{}").unwrap();
    let error = Store::open(dir.path(), Options::new(BackendKind::Redb)).unwrap_err();
    assert!(error.to_string().contains("0.4.1"), "{error}");
}

#[test]
fn the_formats_of_commits_and_catalogs_are_pinned() {
    let store = Store::memory(options()).unwrap();
    let table = TreeKey::new(TreeKind::TABLE, "t");
    store.create_tree(&table, TreeConfig::with_targets(16, 16), b"schema").unwrap();
    store.insert(&table, b"row", b"1").unwrap();
    put(&store, "k", "v");
    let ada = Identity { name: "Ada".into(), email: "ada@example.com".into() };
    let id = store.commit_as("pinned", Some(&ada)).unwrap();
    assert_eq!(
        store.at("HEAD~1").unwrap().catalog().root_hash().to_string(),
        "51339ea491c829d18c96e1cfbc1919c1e1b2af34906f03402b884be023550710"
    );
    assert_eq!(
        store.at("HEAD").unwrap().catalog().root_hash().to_string(),
        "efc8773ff5376d191d9eabde16eefd0c5578554c3e060842607d7c603f41b310"
    );
    assert_eq!(
        store.resolve("HEAD~1").unwrap().to_string(),
        "984a5b68bc17b0fee32da416ab4fe1d2e7f2874c1c7711e5d20fd612c75fd256"
    );
    assert_eq!(id.to_string(), "023bf03175066f97fb99601f3ae53d4eaa6b65152ea2c5528571cebf1489688c");
}

#[test]
fn equal_contents_have_equal_roots_whatever_the_history() {
    let (one, other) = (Store::memory(options()).unwrap(), Store::memory(options()).unwrap());
    for number in 0..3000_u32 {
        put(&one, &number.to_string(), "x");
        if number % 500 == 0 {
            one.commit("part").unwrap();
        }
    }
    for number in (0..4000_u32).rev() {
        put(&other, &number.to_string(), "x");
    }
    other.commit("all").unwrap();
    for number in 3000..4000_u32 {
        other.delete(&map(), number.to_string().as_bytes()).unwrap();
    }
    one.commit("last").unwrap();
    other.commit("fewer").unwrap();
    let root = |store: &Store| store.at("HEAD").unwrap().catalog().root_hash();
    assert_eq!(root(&one), root(&other));
}

#[test]
fn a_branch_is_made_at_a_revision_in_one_step_or_not_at_all() {
    let store = Store::memory(options()).unwrap();
    store.insert(&map(), b"k", b"1").unwrap();
    let first = store.commit("first").unwrap();
    store.insert(&map(), b"k", b"2").unwrap();
    store.commit("second").unwrap();
    store.insert(&map(), b"k", b"staged").unwrap();
    assert!(matches!(store.create_branch("old", Some("HEAD~1")), Err(Error::StagedConflict { .. })));
    assert_eq!((store.branches().unwrap().len(), store.current_branch().unwrap().as_str()), (1, "main"));
    store.insert(&map(), b"other", b"").unwrap();
    assert_eq!(store.discard().unwrap(), 2);
    assert_eq!(store.discard().unwrap(), 0);
    store.insert(&map(), b"other", b"").unwrap();
    assert_eq!(store.create_branch("old", Some("HEAD~1")).unwrap(), first);
    assert_eq!(store.current_branch().as_deref(), Some("old"));
    assert_eq!(store.get(&map(), b"k").unwrap(), Some(b"1".to_vec()));
    assert_eq!(store.get(&map(), b"other").unwrap(), Some(Vec::new()));
}

fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

#[test]
fn a_copied_tree_keeps_its_long_values_when_it_is_carried_to_another_commit() {
    let shared = Shared::new();
    let map = map();
    let store = shared.open();
    store.insert(&map, b"a", b"1").unwrap();
    store.commit("base").unwrap();
    store.branch("side", None).unwrap();
    store.checkout("side", false).unwrap();
    store.insert(&map, b"long", &noise(300_000)).unwrap();
    store.commit("a long value").unwrap();
    store.checkout("main", false).unwrap();
    store.copy_tree(&map, "side", &map).unwrap();

    let other = shared.open();
    other.insert(&map, b"b", b"2").unwrap();
    other.commit("meanwhile").unwrap();
    assert!(store.refresh().unwrap());
    other.delete_branch("side").unwrap();
    other.collect_garbage().unwrap();
    store.commit("copied").unwrap();
    drop((store, other));

    let store = shared.open();
    assert_eq!(store.get(&map, b"b").unwrap().as_deref(), Some(&b"2"[..]));
    assert_eq!(store.get(&map, b"long").unwrap(), Some(noise(300_000)));
}

#[test]
fn a_collection_that_a_crash_broke_off_does_not_stop_the_next() {
    let shared = Shared::new();
    let (store, other) = (shared.open(), shared.open());
    put(&store, "a", "1");
    let base = store.commit("one").unwrap();
    other.refresh().unwrap();
    other.reset("HEAD~1", ResetMode::Hard).unwrap();
    // As a process with our number left it, where every process has the same one.
    let name = format!("refs/prolly/keep/{}-{base}", std::process::id());
    let edit = RefEdit { name, expected: Expected::Absent, new: Some(base), log: String::new() };
    store.graph().update_refs(&[edit]).unwrap();
    store.collect_garbage().unwrap();
    store.collect_garbage().unwrap();
    assert_eq!(get(&store, "a").as_deref(), Some("1"), "it stands there");
}

#[test]
fn a_revert_keeps_what_it_brings_back_from_a_branch_that_goes_meanwhile() {
    let shared = Shared::new();
    let (map, brought) = (map(), TreeKey::map("brought back"));
    let store = shared.open();
    store.insert(&map, b"k", b"1").unwrap();
    store.commit("base").unwrap();
    store.branch("side", None).unwrap();
    store.checkout("side", false).unwrap();
    store.create_tree(&brought, TreeConfig::default(), b"").unwrap();
    store.insert(&brought, b"long", &noise(300_000)).unwrap();
    store.commit("made").unwrap();
    store.drop_tree(&brought).unwrap();
    store.insert(&map, b"k", b"2").unwrap();
    let dropped = store.commit("dropped").unwrap().to_string();
    store.checkout("main", false).unwrap();
    store.insert(&map, b"k", b"3").unwrap();
    store.commit("other").unwrap();

    let other = shared.open();
    let mut settle = |_: &MergeConflict| {
        other.delete_branch("side").unwrap();
        other.collect_garbage().unwrap();
        Ok(Resolution::Destination)
    };
    store.revert(&dropped, None, None, MergeStrategy::Resolve(&mut settle)).unwrap();
    other.collect_garbage().unwrap();
    drop((store, other));
    assert_eq!(shared.open().get(&brought, b"long").unwrap(), Some(noise(300_000)));
    assert_eq!(shared.open().get(&map, b"k").unwrap().as_deref(), Some(&b"3"[..]));
}
