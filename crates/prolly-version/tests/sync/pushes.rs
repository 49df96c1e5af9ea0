//! Which refs a push moves, and which it does not.

use std::path::Path;

use prolly_version::{
    BackendKind, Error, Expected, Options, RefEdit, Store, TreeKey,
    sync::{self, Force, PushSpec, SyncReport},
};

use crate::support::{Graph, KINDS, digest, fetch, go_on, new_graph, store_over};

const MAIN: &str = "refs/heads/main";

fn push(from: &Graph, to: &Graph, specs: &[PushSpec]) -> prolly_version::Result<SyncReport> {
    sync::push(&**from, &**to, specs, &mut go_on)
}

fn spec(graph: &Graph, branch: &str, name: &str, force: Force) -> PushSpec {
    let source = graph.read_ref(&format!("refs/heads/{branch}")).unwrap();
    PushSpec { source, name: name.to_owned(), force }
}

fn commit(store: &Store, key: &str) {
    store.insert(&TreeKey::default_map(), key.as_bytes(), key.as_bytes()).unwrap();
    store.commit(key).unwrap();
}

#[test]
fn a_branch_moves_forward_and_loses_nothing_unless_it_is_forced() {
    for source in KINDS {
        for destination in [BackendKind::Redb, BackendKind::Git] {
            let dir = tempfile::tempdir().unwrap();
            let from = new_graph(source, &dir.path().join("from"));
            let to = new_graph(destination, &dir.path().join("to"));
            let store = store_over(&from, source);
            commit(&store, "a");
            // The other store has its own history, and stands on another branch.
            let other = store_over(&to, destination);
            commit(&other, "theirs");
            other.branch("elsewhere", None).unwrap();
            other.checkout("elsewhere", false).unwrap();
            let error = push(&from, &to, &[spec(&from, "main", MAIN, Force::No)]).unwrap_err();
            assert!(matches!(&error, Error::NonFastForward { name, .. } if name == MAIN), "{error}");
            let held = to.read_ref(MAIN).unwrap();
            let stale = push(&from, &to, &[spec(&from, "main", MAIN, Force::Expecting(None))]).unwrap_err();
            assert!(matches!(stale, Error::RefMoved { found, .. } if found == held));
            let forced = push(&from, &to, &[spec(&from, "main", MAIN, Force::Expecting(held))]).unwrap();
            assert!(forced.commits >= 1);
            let tip = |graph: &Graph| graph.read_ref(MAIN).unwrap().unwrap();
            assert_eq!(digest(&to, &tip(&to)), digest(&from, &tip(&from)));
            commit(&store, "b");
            let forward = push(&from, &to, &[spec(&from, "main", MAIN, Force::No)]).unwrap();
            assert_eq!((forward.commits, forward.refs.len()), (1, 1));
            assert!(push(&from, &to, &[spec(&from, "main", MAIN, Force::No)]).unwrap().refs.is_empty());
            let own =
                push(&from, &to, &[spec(&from, "main", "refs/prolly/keep/slot-0/x", Force::No)]).unwrap_err();
            assert!(own.to_string().contains("refs/prolly/keep/slot-0/x"), "{own}");
            // Behind: what is there already is not taken away.
            let behind = PushSpec {
                source: Some(store.resolve("main~1").unwrap()),
                ..spec(&from, "main", MAIN, Force::No)
            };
            let error = push(&from, &to, &[behind]).unwrap_err();
            assert!(matches!(error, Error::NonFastForward { .. }), "{error}");
            // Several at once, or none.
            let new = spec(&from, "main", "refs/heads/new", Force::No);
            let bad = PushSpec { source: None, ..spec(&from, "main", "refs/heads/nowhere", Force::No) };
            let error = push(&from, &to, &[new.clone(), bad]).unwrap_err();
            assert!(matches!(error, Error::UnknownBranch { .. }), "{error}");
            assert!(to.read_ref("refs/heads/new").unwrap().is_none());
            push(&from, &to, &[new.clone(), spec(&from, "main", "refs/tags/v1", Force::No)]).unwrap();
            commit(&store, "c");
            let error = push(&from, &to, &[spec(&from, "main", "refs/tags/v1", Force::No)]).unwrap_err();
            assert!(matches!(error, Error::TagExists { .. }), "{error}");
            push(&from, &to, &[PushSpec { source: None, ..new }]).unwrap();
            assert!(to.read_ref("refs/heads/new").unwrap().is_none());
            assert!(to.refs("refs/prolly/incoming/").unwrap().is_empty());
        }
    }
}

#[test]
fn a_ref_that_moves_during_a_push_is_not_overwritten() {
    for kind in [BackendKind::Redb, BackendKind::Git] {
        let dir = tempfile::tempdir().unwrap();
        let from = new_graph(kind, &dir.path().join("from"));
        let to = new_graph(kind, &dir.path().join("to"));
        let store = store_over(&from, kind);
        commit(&store, "a");
        push(&from, &to, &[spec(&from, "main", MAIN, Force::No)]).unwrap();
        let first = to.read_ref(MAIN).unwrap().unwrap();
        for key in ["b", "c"] {
            commit(&store, key);
        }
        let other = store_over(&to, kind);
        let mut moved = false;
        let mut race = |_: &sync::Progress| {
            if !moved {
                commit(&other, "meanwhile");
                moved = true;
            }
            std::ops::ControlFlow::Continue(())
        };
        let specs = [spec(&from, "main", MAIN, Force::No)];
        let error = sync::push(&*from, &*to, &specs, &mut race).unwrap_err();
        let theirs = to.read_ref(MAIN).unwrap();
        assert!(
            matches!(&error, Error::RefMoved { name, expected, found } if name == MAIN && *expected == Some(first) && *found == theirs),
            "{error}"
        );
        // What had arrived is not sent again when the histories are merged.
        let report = fetch(&to, &from).unwrap();
        assert_eq!(report.commits, 1);
        store.merge("refs/remotes/origin/main", prolly_version::MergeOptions::default()).unwrap();
        let report = push(&from, &to, &[spec(&from, "main", MAIN, Force::No)]).unwrap();
        assert_eq!(report.refs.len(), 1);
        assert_eq!(to.read_ref(MAIN).unwrap(), from.read_ref(MAIN).unwrap());
    }
}

#[test]
fn what_is_staged_where_a_push_arrives_is_not_lost() {
    for kind in [BackendKind::Redb, BackendKind::Git] {
        let dir = tempfile::tempdir().unwrap();
        let from = new_graph(BackendKind::Memory, Path::new(""));
        let store = store_over(&from, BackendKind::Memory);
        commit(&store, "a");
        let path = dir.path().join("to");
        let graph = new_graph(kind, &path);
        sync::clone(&*from, &*graph, "origin", &Default::default(), &mut go_on).unwrap();
        drop(graph);
        let options = || Options::new(kind);
        let other = Store::open(&path, options()).unwrap();
        assert_eq!(other.current_branch().as_deref(), Some("main"));
        other.insert(&TreeKey::default_map(), b"staged", b"1").unwrap();
        commit(&store, "b");
        push(&from, other.graph(), &[spec(&from, "main", MAIN, Force::No)]).unwrap();
        let held = other.graph().read_ref(MAIN).unwrap();
        // Neither by force nor by deletion are commits taken away from below staged changes.
        let old = PushSpec {
            source: Some(store.resolve("main~1").unwrap()),
            name: MAIN.to_owned(),
            force: Force::Expecting(held),
        };
        let error = push(&from, other.graph(), std::slice::from_ref(&old)).unwrap_err();
        assert!(matches!(error, Error::CheckedOut { .. }), "{error}");
        let error = push(&from, other.graph(), &[PushSpec { source: None, ..old }]).unwrap_err();
        assert!(matches!(error, Error::CheckedOut { .. }), "{error}");
        let graph = std::sync::Arc::clone(other.graph());
        drop(other);
        drop(graph);
        let other = Store::open(&path, options()).unwrap();
        let map = TreeKey::default_map();
        assert_eq!(other.get(&map, b"staged").unwrap(), Some(b"1".to_vec()));
        other.commit("mine").unwrap();
        for key in ["a", "b"] {
            assert_eq!(other.get(&map, key.as_bytes()).unwrap(), Some(key.as_bytes().to_vec()));
        }
    }
}

#[test]
fn tags_stay_branches_follow_and_pruned_ones_go() {
    let from = new_graph(BackendKind::Memory, Path::new(""));
    let to = new_graph(BackendKind::Memory, Path::new(""));
    let store = store_over(&from, BackendKind::Memory);
    commit(&store, "a");
    store.branch("side", None).unwrap();
    store.tag("v1", None).unwrap();
    fetch(&from, &to).unwrap();
    let v1 = to.read_ref("refs/tags/v1").unwrap();
    store.reset("HEAD~1", prolly_version::ResetMode::Hard).unwrap();
    store.delete_branch("side").unwrap();
    store.delete_tag("v1").unwrap();
    commit(&store, "b");
    store.tag("v1", None).unwrap();
    let report = fetch(&from, &to).unwrap();
    assert_eq!(report.tags_kept, ["refs/tags/v1"]);
    assert_eq!(to.read_ref("refs/tags/v1").unwrap(), v1);
    assert_eq!(to.read_ref("refs/remotes/origin/main").unwrap(), from.read_ref(MAIN).unwrap());
    assert!(to.read_ref("refs/remotes/origin/side").unwrap().is_some());
    let options = sync::FetchOptions { prune: true, ..Default::default() };
    let report = sync::fetch(&*from, &*to, "origin", &options, &mut go_on).unwrap();
    assert_eq!(report.refs.len(), 1);
    assert!(to.read_ref("refs/remotes/origin/side").unwrap().is_none());
    let unknown = sync::FetchOptions { branches: Some(vec!["nowhere".to_owned()]), ..Default::default() };
    let error = sync::fetch(&*from, &*to, "origin", &unknown, &mut go_on).unwrap_err();
    assert!(matches!(error, Error::UnknownBranch { .. }));
    let error = sync::fetch(&*from, &*to, "a..b", &options, &mut go_on).unwrap_err();
    assert!(matches!(error, Error::InvalidRefName { .. }));
}

#[test]
fn a_map_of_ids_that_lies_is_reported() {
    let from = new_graph(BackendKind::Memory, Path::new(""));
    let dir = tempfile::tempdir().unwrap();
    let to = new_graph(BackendKind::Git, dir.path());
    let store = store_over(&from, BackendKind::Memory);
    commit(&store, "a");
    commit(&store, "b");
    fetch(&from, &to).unwrap();
    // The map of another pair of stores, in which other commits have these ids.
    let edit =
        |name: &str, expected, new| RefEdit { name: name.to_owned(), expected, new, log: String::new() };
    let held = to.read_ref("refs/prolly/ids").unwrap().unwrap();
    to.update_refs(&[edit("refs/prolly/ids", Expected::Commit(held), None)]).unwrap();
    // Without it, everything is walked once more, and nothing is made twice.
    let tip = to.read_ref("refs/remotes/origin/main").unwrap();
    let report = fetch(&from, &to).unwrap();
    assert_eq!(report.commits, 3);
    assert_eq!(to.read_ref("refs/remotes/origin/main").unwrap(), tip);
    assert!(to.read_ref("refs/prolly/ids").unwrap().is_some());
    commit(&store, "c");
    assert_eq!(fetch(&from, &to).unwrap().commits, 1);
}
