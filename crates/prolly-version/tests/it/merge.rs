//! Merges, reverts, resets, differences and the history of a key.

use std::{collections::BTreeMap, sync::Arc};

use prolly_core::TreeConfig;
use prolly_version::{
    Change, ChangeKind, Error, Finish, MergeConflict, MergeDriver, MergeFinisher, MergeInput, MergeOptions,
    MergeOutcome, MergeStrategy, MergedTrees, ResetMode, Resolution, Result, Store, TreeKey, TreeKind,
    TreeStrategies, TreeVersion, is_ancestor, merge_bases,
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

fn merge(store: &Store, source: &str, strategy: MergeStrategy<'_>) -> Result<prolly_version::CommitId> {
    store.merge(source, MergeOptions { strategy, ..MergeOptions::default() })
}

/// A store whose branches `main` and `topic` both changed `both`, and one key each.
fn diverged() -> Store {
    let store = Store::memory(options()).unwrap();
    put(&store, "both", "base");
    put(&store, "gone", "base");
    store.commit("base").unwrap();
    store.create_branch("topic", None).unwrap();
    put(&store, "both", "topic");
    put(&store, "topic", "1");
    store.delete(&map(), b"gone").unwrap();
    store.commit("topic").unwrap();
    store.checkout("main", false).unwrap();
    put(&store, "both", "main");
    put(&store, "gone", "changed");
    put(&store, "main", "1");
    store.commit("main").unwrap();
    store
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    Some(text.as_bytes().to_vec())
}

#[test]
fn conflicts_are_listed_and_change_nothing() {
    let store = diverged();
    put(&store, "staged", "x");
    let before = (store.current_commit(), store.catalog().unwrap().root_hash());
    let expected = [
        MergeConflict {
            tree: map(),
            key: bytes("both"),
            base: bytes("base"),
            source: bytes("topic"),
            destination: bytes("main"),
            reason: None,
        },
        MergeConflict {
            tree: map(),
            key: bytes("gone"),
            base: bytes("base"),
            source: None,
            destination: bytes("changed"),
            reason: None,
        },
    ];
    assert_eq!(store.try_merge("topic").unwrap(), expected);
    let error = merge(&store, "topic", MergeStrategy::Refuse).unwrap_err();
    assert!(matches!(&error, Error::MergeConflicts { conflicts } if *conflicts == expected), "{error}");
    assert_eq!((store.current_commit(), store.catalog().unwrap().root_hash()), before);
}

#[test]
fn strategies_settle_conflicts_in_a_commit_with_two_parents() {
    for (strategy, both, gone) in [
        (MergeStrategy::TakeSource, "topic", None),
        (MergeStrategy::TakeDestination, "main", Some("changed")),
        (
            MergeStrategy::Resolve(&mut |conflict| {
                Ok(match conflict.key.as_deref() {
                    Some(b"both") => Resolution::Value(Some(b"resolved".to_vec())),
                    _ => Resolution::Source,
                })
            }),
            "resolved",
            None,
        ),
    ] {
        let store = diverged();
        let (ours, theirs) = (store.resolve("main").unwrap(), store.resolve("topic").unwrap());
        let id = merge(&store, "topic", strategy).unwrap();
        let commit = store.read_commit(&id).unwrap().unwrap();
        assert_eq!(commit.parents, [ours, theirs]);
        assert_eq!(commit.message, "Merge branch 'topic'");
        assert_eq!((get(&store, "both").as_deref(), get(&store, "gone").as_deref()), (Some(both), gone));
        assert_eq!((get(&store, "main").as_deref(), get(&store, "topic").as_deref()), (Some("1"), Some("1")));
        assert!(status(&store).is_empty());
        assert_eq!(merge(&store, "topic", MergeStrategy::Refuse).unwrap(), id, "merged already");
        assert!(store.try_merge("topic").unwrap().is_empty());
        store.checkout("topic", false).unwrap();
        let back =
            store.merge("main", MergeOptions { message: Some("back"), ..MergeOptions::default() }).unwrap();
        let back = store.read_commit(&back).unwrap().unwrap();
        assert_eq!((back.parents, back.message.as_str()), (vec![theirs, id], "back"));
        assert_eq!(back.root.hash, commit.root.hash);
    }
}

#[test]
fn a_resolver_may_read_the_store_but_not_change_it() {
    let store = diverged();
    let inner = store.clone();
    let mut asked = 0;
    let mut resolve = |conflict: &MergeConflict| {
        asked += 1;
        assert_eq!(inner.get(&map(), b"main")?, bytes("1"));
        assert_eq!(inner.at("topic")?.get(&map(), b"topic")?, bytes("1"));
        assert!(matches!(inner.insert(&map(), b"x", b"y"), Err(Error::Merging)));
        assert!(matches!(inner.commit("x"), Err(Error::Merging)));
        assert_eq!(conflict.tree, map());
        Ok(Resolution::Destination)
    };
    merge(&store, "topic", MergeStrategy::Resolve(&mut resolve)).unwrap();
    assert_eq!(asked, 2);
    put(&store, "x", "y");
}

#[test]
fn an_error_of_the_resolver_comes_back_as_it_is() {
    let store = diverged();
    let mut fails = |_: &MergeConflict| Err(Error::UnknownRevision { revision: "resolver".to_owned() });
    let error = merge(&store, "topic", MergeStrategy::Resolve(&mut fails)).unwrap_err();
    assert!(matches!(error, Error::UnknownRevision { revision } if revision == "resolver"));
}

#[test]
fn staged_changes_are_carried_over_a_merge_or_it_is_refused() {
    let store = diverged();
    put(&store, "topic", "staged");
    put(&store, "kept", "staged");
    let error = merge(&store, "topic", MergeStrategy::TakeSource).unwrap_err();
    let Error::StagedConflict { keys, .. } = &error else { panic!("{error}") };
    assert_eq!(keys.iter().map(|key| key.key.clone()).collect::<Vec<_>>(), [bytes("topic")]);
    assert_eq!(status(&store).len(), 2);
    store.discard_keys(&map(), ["topic"]).unwrap();
    let id = merge(&store, "topic", MergeStrategy::TakeSource).unwrap();
    assert_eq!(status(&store), [(b"kept".to_vec(), ChangeKind::Added)]);
    assert_eq!(
        store.at(&id.to_string()).unwrap().get(&map(), b"kept").unwrap(),
        None,
        "nothing is swallowed"
    );
    store.commit("kept").unwrap();
    assert_eq!(
        (get(&store, "kept").as_deref(), get(&store, "topic").as_deref()),
        (Some("staged"), Some("1"))
    );
}

#[test]
fn a_merge_meets_a_branch_that_another_handle_moved() {
    let shared = Shared::new();
    let (one, other) = (shared.open(), shared.open());
    one.create_branch("topic", None).unwrap();
    put(&one, "topic", "1");
    one.commit("topic").unwrap();
    one.checkout("main", false).unwrap();
    put(&other, "main", "1");
    let moved = other.commit("moved").unwrap();
    let id = merge(&one, "topic", MergeStrategy::Refuse).unwrap();
    assert_eq!(one.read_commit(&id).unwrap().unwrap().parents, [moved, one.resolve("topic").unwrap()]);
    assert_eq!(entries(&one, &map()).len(), 2);
}

#[test]
fn unrelated_histories_are_refused_unless_allowed() {
    let shared = Shared::new();
    let store = shared.open();
    let unrelated = crate::support::commit(
        &**store.graph(),
        &[],
        5,
        "unrelated",
        Some(("refs/heads/unrelated", prolly_version::Expected::Absent)),
    )
    .unwrap();
    put(&store, "k", "v");
    let ours = store.commit("k").unwrap();
    let error = merge(&store, "unrelated", MergeStrategy::TakeSource).unwrap_err();
    assert!(
        matches!(&error, Error::UnrelatedHistories { ours: a, theirs: b } if (*a, *b) == (ours, unrelated)),
        "{error}"
    );
    assert!(matches!(store.try_merge("unrelated"), Err(Error::UnrelatedHistories { .. })));
    let allowed = MergeOptions { allow_unrelated: true, ..MergeOptions::default() };
    store.merge("unrelated", allowed).unwrap();
    assert_eq!(get(&store, "k").as_deref(), Some("v"));
}

#[test]
fn criss_cross_merges_use_a_virtual_base() {
    let store = Store::memory(options()).unwrap();
    put(&store, "k", "0");
    put(&store, "other", "0");
    store.commit("base").unwrap();
    store.create_branch("topic", None).unwrap();
    put(&store, "k", "topic");
    let b = store.commit("b").unwrap();
    store.checkout("main", false).unwrap();
    put(&store, "other", "main");
    let a = store.commit("a").unwrap();
    merge(&store, &b.to_string(), MergeStrategy::Refuse).unwrap();
    put(&store, "k", "main, later");
    let main = store.commit("main, later").unwrap();
    store.checkout("topic", false).unwrap();
    let topic = merge(&store, &a.to_string(), MergeStrategy::Refuse).unwrap();
    assert_eq!(merge_bases(&**store.graph(), &main, &topic).unwrap().len(), 2);
    assert!(store.try_merge("main").unwrap().is_empty(), "with either base alone there would be a conflict");
    merge(&store, "main", MergeStrategy::Refuse).unwrap();
    assert_eq!(
        (get(&store, "k").as_deref(), get(&store, "other").as_deref()),
        (Some("main, later"), Some("main"))
    );
}

#[test]
fn merge_bases_that_disagree_leave_what_they_had_in_common() {
    let store = Store::memory(options()).unwrap();
    put(&store, "k", "0");
    store.commit("base").unwrap();
    store.create_branch("topic", None).unwrap();
    put(&store, "k", "topic");
    let b = store.commit("b").unwrap();
    store.checkout("main", false).unwrap();
    put(&store, "k", "main");
    let a = store.commit("a").unwrap();
    merge(&store, &b.to_string(), MergeStrategy::TakeDestination).unwrap();
    store.checkout("topic", false).unwrap();
    merge(&store, &a.to_string(), MergeStrategy::TakeDestination).unwrap();
    let conflicts = store.try_merge("main").unwrap();
    assert_eq!(conflicts.len(), 1);
    assert_eq!(conflicts[0].base, bytes("0"));
    assert_eq!((&conflicts[0].source, &conflicts[0].destination), (&bytes("main"), &bytes("topic")));
}

#[test]
fn trees_that_one_side_made_changed_or_dropped_are_merged() {
    let store = Store::memory(options()).unwrap();
    let config = TreeConfig::default();
    let [kept, dropped, changed, contested] = ["kept", "dropped", "changed", "contested"].map(TreeKey::map);
    for tree in [&dropped, &changed, &contested] {
        store.create_tree(tree, config, b"meta").unwrap();
        store.insert(tree, b"k", b"0").unwrap();
    }
    store.commit("base").unwrap();
    store.create_branch("topic", None).unwrap();
    store.create_tree(&kept, config, b"").unwrap();
    store.insert(&kept, b"topic", b"1").unwrap();
    store.drop_tree(&dropped).unwrap();
    store.drop_tree(&contested).unwrap();
    store.insert(&changed, b"topic", b"1").unwrap();
    store.set_metadata(&changed, b"meta 2").unwrap();
    store.commit("topic").unwrap();
    store.checkout("main", false).unwrap();
    store.create_tree(&kept, config, b"").unwrap();
    store.insert(&kept, b"main", b"1").unwrap();
    store.insert(&changed, b"main", b"1").unwrap();
    store.insert(&contested, b"k", b"1").unwrap();
    store.commit("main").unwrap();
    let conflicts = store.try_merge("topic").unwrap();
    assert_eq!(conflicts.len(), 1);
    assert_eq!((&conflicts[0].tree, &conflicts[0].key), (&contested, &None));
    let mut value = |_: &MergeConflict| Ok(Resolution::Value(None));
    let error = merge(&store, "topic", MergeStrategy::Resolve(&mut value)).unwrap_err();
    assert!(matches!(error, Error::CannotMerge { .. }), "{error}");
    merge(&store, "topic", MergeStrategy::TakeSource).unwrap();
    let names: Vec<_> =
        store.catalog().unwrap().entries(None).unwrap().map(|entry| entry.unwrap().key).collect();
    assert_eq!(names, [changed.clone(), map(), kept.clone()]);
    assert_eq!(entries(&store, &kept).len(), 2);
    assert_eq!(entries(&store, &changed).len(), 3);
    assert_eq!(store.metadata(&changed).unwrap(), b"meta 2");
}

#[test]
fn everything_deleted_on_both_sides_leaves_an_empty_tree() {
    let store = Store::memory(options()).unwrap();
    put(&store, "a", "1");
    put(&store, "b", "1");
    store.commit("base").unwrap();
    store.create_branch("topic", None).unwrap();
    store.delete(&map(), b"a").unwrap();
    store.commit("topic").unwrap();
    store.checkout("main", false).unwrap();
    store.delete(&map(), b"b").unwrap();
    store.commit("main").unwrap();
    merge(&store, "topic", MergeStrategy::Refuse).unwrap();
    store.collect_garbage().unwrap();
    assert_eq!(store.at("HEAD").unwrap().tree(&map()).unwrap().len(), 0);
    put(&store, "c", "1");
    store.commit("c").unwrap();
}

#[test]
fn kinds_without_a_driver_are_refused_and_drivers_and_finishers_are_asked() {
    struct Counted;
    impl MergeDriver for Counted {
        fn merge(&self, input: &MergeInput<'_>, _: &mut MergeStrategy<'_>) -> Result<MergeOutcome> {
            assert_eq!(input.base.metadata, b"0");
            let tree = input.ours.tree.clone();
            let metadata = [&input.ours.metadata[..], &input.theirs.metadata[..]].concat();
            Ok(MergeOutcome::Clean(TreeVersion { tree, metadata }))
        }
    }
    struct Index;
    impl MergeFinisher for Index {
        fn finish(&self, trees: &MergedTrees<'_>, _: &mut MergeStrategy<'_>) -> Result<Finish> {
            let table = trees.merged.version(&TreeKey::new(TreeKind::TABLE, "t"))?.unwrap();
            let index = TreeKey::new(TreeKind::TABLE_INDEX, "t");
            let mut version = trees.merged.version(&index)?.unwrap();
            assert_eq!(version.metadata, b"1", "a derived tree is as in ours until it is made anew");
            version.metadata = [b"index of ", &table.metadata[..]].concat();
            Ok(Finish { edits: BTreeMap::from([(index, Some(version))]), conflicts: Vec::new() })
        }
    }
    let store = Store::memory(options()).unwrap();
    let table = TreeKey::new(TreeKind::TABLE, "t");
    let index = TreeKey::new(TreeKind::TABLE_INDEX, "t");
    let stage = |metadata: &[u8]| {
        store.set_metadata(&table, metadata).unwrap();
        store.set_metadata(&index, metadata).unwrap();
        store.commit("x").unwrap();
    };
    store.create_tree(&table, TreeConfig::default(), b"").unwrap();
    store.create_tree(&index, TreeConfig::default(), b"").unwrap();
    stage(b"0");
    store.create_branch("topic", None).unwrap();
    stage(b"2");
    store.checkout("main", false).unwrap();
    stage(b"1");
    let error = merge(&store, "topic", MergeStrategy::TakeSource).unwrap_err();
    assert!(matches!(&error, Error::NoMergeDriver { tree, .. } if *tree == table), "{error}");
    assert!(error.to_string().contains("table \"t\""), "{error}");
    store.set_merge_driver(TreeKind::TABLE, Arc::new(Counted));
    store.set_merge_finisher("index", &[TreeKind::TABLE_INDEX], Arc::new(Index));
    merge(&store, "topic", MergeStrategy::Refuse).unwrap();
    assert_eq!(store.metadata(&table).unwrap(), b"12");
    assert_eq!(store.metadata(&index).unwrap(), b"index of 12");
}

#[test]
fn derived_trees_are_no_conflict_when_one_side_drops_them() {
    struct Nothing;
    impl MergeFinisher for Nothing {
        fn finish(&self, _: &MergedTrees<'_>, _: &mut MergeStrategy<'_>) -> Result<Finish> {
            Ok(Finish::default())
        }
    }
    for main_drops in [false, true] {
        let store = Store::memory(options()).unwrap();
        store.set_merge_finisher("index", &[TreeKind::TABLE_INDEX], Arc::new(Nothing));
        let index = TreeKey::new(TreeKind::TABLE_INDEX, "t");
        store.create_tree(&index, TreeConfig::default(), b"0").unwrap();
        store.commit("made").unwrap();
        store.create_branch("topic", None).unwrap();
        for is_main in [false, true] {
            if is_main {
                store.checkout("main", false).unwrap();
            }
            if is_main == main_drops {
                store.drop_tree(&index).unwrap();
            } else {
                store.set_metadata(&index, b"1").unwrap();
            }
            store.commit("x").unwrap();
        }
        merge(&store, "topic", MergeStrategy::Refuse).unwrap();
        assert_eq!(store.metadata(&index).ok(), (!main_drops).then(|| b"1".to_vec()));
    }
}

#[test]
fn a_revert_undoes_one_commit() {
    let store = Store::memory(options()).unwrap();
    put(&store, "a", "1");
    store.commit("first").unwrap();
    put(&store, "a", "2");
    put(&store, "b", "2");
    let second = store.commit("second\n\nbody").unwrap();
    put(&store, "c", "3");
    store.commit("third").unwrap();
    put(&store, "staged", "x");
    let id = store.revert("HEAD~1", None, None, MergeStrategy::Refuse).unwrap();
    let commit = store.read_commit(&id).unwrap().unwrap();
    assert_eq!(commit.message, format!("Revert \"second\"\n\nThis reverts commit {second}.\n"));
    assert_eq!(commit.parents.len(), 1);
    assert_eq!(
        (get(&store, "a").as_deref(), get(&store, "b"), get(&store, "c").as_deref()),
        (Some("1"), None, Some("3"))
    );
    assert_eq!(status(&store), [(b"staged".to_vec(), ChangeKind::Added)]);
    store.discard().unwrap();
    put(&store, "a", "4");
    store.commit("fourth").unwrap();
    assert!(matches!(
        store.revert(&second.to_string(), None, None, MergeStrategy::Refuse),
        Err(Error::MergeConflicts { .. })
    ));
    let root = store.log(None).unwrap().last().unwrap().unwrap().id.to_string();
    assert!(matches!(
        store.revert(&root, None, None, MergeStrategy::Refuse),
        Err(Error::InvalidRevision { .. })
    ));

    let store = diverged();
    let before = store.at("HEAD").unwrap().catalog().root_hash();
    merge(&store, "topic", MergeStrategy::TakeSource).unwrap();
    let error = store.revert("HEAD", None, None, MergeStrategy::Refuse).unwrap_err();
    assert!(
        matches!(&error, Error::MainlineNeeded { revision, parents: 2 } if revision == "HEAD"),
        "{error}"
    );
    assert!(matches!(
        store.revert("HEAD", Some(3), None, MergeStrategy::Refuse),
        Err(Error::InvalidRevision { .. })
    ));
    let id = store.revert("HEAD", Some(1), Some("undo"), MergeStrategy::Refuse).unwrap();
    assert_eq!(store.read_commit(&id).unwrap().unwrap().message, "undo");
    assert_eq!(store.at("HEAD").unwrap().catalog().root_hash(), before);
    merge(&store, "topic", MergeStrategy::Refuse).unwrap();
    assert_eq!(get(&store, "topic"), None, "a revert is not undone by merging again");
}

#[test]
fn a_reset_moves_the_branch_and_keeps_or_drops_what_was_there() {
    let shared = Shared::new();
    let store = shared.open();
    let first = store.resolve("HEAD").unwrap();
    put(&store, "a", "1");
    let large = vec![9; 50_000];
    store.insert(&map(), b"large", &large).unwrap();
    let other = TreeKey::map("other");
    store.create_tree(&other, TreeConfig::default(), b"m").unwrap();
    store.insert(&other, b"o", b"1").unwrap();
    let second = store.commit("second").unwrap();
    put(&store, "b", "staged");
    let contents = store.catalog().unwrap().root_hash();
    store.reset("HEAD~1", ResetMode::Soft).unwrap();
    assert_eq!(store.resolve("main").unwrap(), first);
    assert_eq!(store.current_commit(), Some(first));
    assert_eq!(store.catalog().unwrap().root_hash(), contents);
    assert_eq!(status(&store).len(), 3);
    store.collect_garbage().unwrap();
    assert!(store.read_commit(&second).unwrap().is_none());
    assert_eq!(
        store.get(&map(), b"large").unwrap(),
        Some(large.clone()),
        "nothing staged depends on the old commit"
    );
    drop(store);
    let store = shared.open();
    assert_eq!(store.catalog().unwrap().root_hash(), contents);
    let again = store.commit("again").unwrap();
    assert_eq!(store.at("HEAD").unwrap().catalog().root_hash(), contents);
    assert_eq!(store.get(&map(), b"large").unwrap(), Some(large));
    put(&store, "c", "staged");
    store.reset("HEAD~1", ResetMode::Hard).unwrap();
    assert!(entries(&store, &map()).is_empty() && status(&store).is_empty());
    assert!(!store.has_tree(&other).unwrap());
    store.reset(&again.to_string(), ResetMode::Soft).unwrap();
    assert_eq!(store.current_commit(), Some(again));
    assert_eq!(status(&store).len(), 3, "soft keeps what the store holds, which was nothing");
    store.discard().unwrap();
    assert_eq!(entries(&store, &map()).len(), 3);
    let elsewhere = shared.open();
    put(&elsewhere, "z", "1");
    elsewhere.commit("z").unwrap();
    assert!(matches!(store.reset("HEAD~1", ResetMode::Hard), Err(Error::RefMoved { .. })));
    assert_eq!(entries(&store, &map()).len(), 3);
}

#[test]
fn differences_between_revisions_are_listed_in_order() {
    let store = diverged();
    let change = |key: &str, old: Option<&str>, new: Option<&str>| Change {
        key: key.as_bytes().to_vec(),
        old: old.and_then(bytes),
        new: new.and_then(bytes),
    };
    let diff: Vec<_> = store.diff(&map(), "main", "topic").unwrap().map(Result::unwrap).collect();
    let expected = [
        change("both", Some("main"), Some("topic")),
        change("gone", Some("changed"), None),
        change("main", Some("1"), None),
        change("topic", None, Some("1")),
    ];
    assert_eq!(diff, expected);
    assert_eq!(
        diff.iter().map(Change::kind).collect::<Vec<_>>()[2..],
        [ChangeKind::Deleted, ChangeKind::Added]
    );
    let range: Vec<_> =
        store.diff_range(&map(), "main", "topic", "c".."n").unwrap().map(Result::unwrap).collect();
    assert_eq!(range, expected[1..3]);
    let other = TreeKey::map("other");
    assert!(matches!(store.diff(&other, "main", "topic"), Err(Error::UnknownTree { .. })));
    store.create_tree(&other, TreeConfig::default(), b"").unwrap();
    store.insert(&other, b"k", &vec![1; 50_000]).unwrap();
    store.commit("other").unwrap();
    let added: Vec<_> = store.diff(&other, "HEAD~1", "HEAD").unwrap().map(Result::unwrap).collect();
    assert_eq!(added, [Change { key: b"k".to_vec(), old: None, new: Some(vec![1; 50_000]) }]);
    let removed: Vec<_> = store.diff(&other, "HEAD", "HEAD~1").unwrap().map(Result::unwrap).collect();
    assert_eq!(removed[0].kind(), ChangeKind::Deleted);
    let trees = store.at("HEAD~1").unwrap().changed_trees(&store.at("HEAD").unwrap()).unwrap();
    assert_eq!(trees, [(other, ChangeKind::Added)]);
}

#[test]
fn the_history_of_a_key_lists_the_commits_that_changed_it() {
    let store = Store::memory(options()).unwrap();
    for number in 0..500_u32 {
        put(&store, &format!("filler {number}"), "x");
    }
    let messages = |key: &str| -> Vec<_> {
        store.history(&map(), key.as_bytes(), None).unwrap().map(|commit| commit.unwrap().message).collect()
    };
    put(&store, "k", "1");
    store.commit("added").unwrap();
    put(&store, "z", "1");
    store.commit("another key").unwrap();
    store.create_branch("topic", None).unwrap();
    put(&store, "k", "topic");
    store.commit("on topic").unwrap();
    store.checkout("main", false).unwrap();
    put(&store, "k", "main");
    store.commit("on main").unwrap();
    merge(&store, "topic", MergeStrategy::TakeSource).unwrap();
    assert_eq!(messages("k").len(), 3, "a merge that took one side's value is not listed");
    put(&store, "filler 1", "y");
    store.commit("filler").unwrap();
    store.delete(&map(), b"k").unwrap();
    store.commit("deleted").unwrap();
    let found = messages("k");
    assert_eq!((found[0].as_str(), found[3].as_str(), found.len()), ("deleted", "added", 4));
    assert_eq!(messages("never"), Vec::<String>::new());
    let main = store.resolve("HEAD").unwrap();
    let on_topic = store.history(&map(), b"k", Some("topic")).unwrap().next().unwrap().unwrap();
    assert!(is_ancestor(&**store.graph(), &on_topic.id, &main).unwrap());
    let none = store.history(&TreeKey::map("none"), b"k", None).unwrap();
    assert_eq!(none.count(), 0);
}

#[test]
fn nothing_is_merged_into_itself() {
    let store = diverged();
    let id = store.resolve("main").unwrap().to_string();
    store.branch("twin", None).unwrap();
    store.tag("v1", None).unwrap();
    for source in ["HEAD", "@", "HEAD~0", "main", "heads/main", "refs/heads/main", "main^0", &id, &id[..10]] {
        let merged = merge(&store, source, MergeStrategy::Refuse);
        assert!(matches!(merged, Err(Error::MergeIntoItself { revision }) if revision == source), "{source}");
        assert!(matches!(store.try_merge(source), Err(Error::MergeIntoItself { .. })), "{source}");
    }
    for merged_already in ["twin", "v1", "HEAD~1", "main~1"] {
        assert_eq!(merge(&store, merged_already, MergeStrategy::Refuse).unwrap().to_string(), id);
    }
    store.checkout("twin", false).unwrap();
    assert_eq!(merge(&store, "main", MergeStrategy::Refuse).unwrap().to_string(), id);
    store.checkout(&id, false).unwrap();
    assert_eq!(merge(&store, "main", MergeStrategy::Refuse).unwrap().to_string(), id);
    assert!(matches!(merge(&store, "HEAD", MergeStrategy::Refuse), Err(Error::MergeIntoItself { .. })));
}

#[test]
fn strategies_go_by_tree() {
    let other = TreeKey::map("other");
    let store = Store::memory(options()).unwrap();
    store.create_tree(&other, TreeConfig::default(), b"").unwrap();
    let put = |value: &[u8]| {
        store.insert(&map(), b"k", value).unwrap();
        store.insert(&other, b"k", value).unwrap();
        store.commit("put").unwrap();
    };
    put(b"base");
    store.create_branch("topic", None).unwrap();
    put(b"topic");
    store.checkout("main", false).unwrap();
    put(b"main");
    let strategy = |others| {
        let trees = BTreeMap::from([(other.clone(), MergeStrategy::TakeSource)]);
        MergeStrategy::ByTree(TreeStrategies { trees, others: Box::new(others) })
    };
    match merge(&store, "topic", strategy(MergeStrategy::Refuse)) {
        Err(Error::MergeConflicts { conflicts }) => {
            let trees: Vec<_> = conflicts.into_iter().map(|conflict| conflict.tree).collect();
            assert_eq!(trees, [map()]);
        }
        other => panic!("{other:?}"),
    }
    merge(&store, "topic", strategy(MergeStrategy::TakeDestination)).unwrap();
    assert_eq!(store.get(&map(), b"k").unwrap(), Some(b"main".to_vec()));
    assert_eq!(store.get(&other, b"k").unwrap(), Some(b"topic".to_vec()));
}
