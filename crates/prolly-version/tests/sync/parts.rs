//! Stores that hold a part of another: some trees, or the end of the history.

use std::{num::NonZeroU32, path::Path};

use prolly_core::Error as TreeError;
use prolly_version::{
    BackendKind, CommitGraph, Error, Log, TreeKey, is_ancestor, merge_bases,
    sync::{self, Depth, FetchOptions, Force, PushSpec, Trees},
};

use crate::support::{Graph, Step, digest, go_on, new_graph, reachable, run, store_over, tips, trees};

fn fetch(from: &Graph, to: &Graph, options: &FetchOptions) -> sync::SyncReport {
    sync::fetch(&**from, &**to, "origin", options, &mut go_on).unwrap()
}

fn only(keys: &[TreeKey]) -> FetchOptions {
    FetchOptions { trees: Trees::Only(keys.to_vec()), ..FetchOptions::default() }
}

fn depth(commits: u32) -> FetchOptions {
    FetchOptions { depth: Depth::Commits(NonZeroU32::new(commits).unwrap()), ..FetchOptions::default() }
}

fn source(kind: BackendKind, dir: &Path) -> (Graph, prolly_version::Store) {
    let from = new_graph(kind, dir);
    let store = store_over(&from, kind);
    for round in 0..5_u16 {
        let mut steps: Vec<_> = (0..60)
            .map(|key| Step::Insert((key % 3) as u8, key * 7 % 200 + round, (round % 4) as u8 + 1))
            .collect();
        steps.push(Step::Long(2, round, 100_000, 7));
        run(&store, &steps);
    }
    (from, store)
}

const MAIN: &str = "refs/remotes/origin/main";

#[test]
fn trees_that_were_left_out_are_not_fetched_rather_than_lost() {
    for kind in [BackendKind::Memory, BackendKind::Git] {
        let dir = tempfile::tempdir().unwrap();
        let (from, store) = source(kind, dir.path());
        let to = new_graph(BackendKind::Memory, Path::new(""));
        let [one, other, third] = trees();
        let partial = fetch(&from, &to, &only(std::slice::from_ref(&other)));
        let whole = reachable(&from, &tips(&from, "refs/heads/")).len() as u64;
        assert!(partial.objects < whole / 2, "{} of {whole}", partial.objects);
        let read = |key: &TreeKey, revision: &str| -> prolly_version::Result<usize> {
            let tip = to.read_ref(MAIN)?.unwrap();
            let id = prolly_version::resolve(&*to, &prolly_version::Head::Detached(tip), revision)?;
            let commit = to.read_commit(&id)?.unwrap();
            let catalog = prolly_version::Catalog::open(to.objects(), &commit.root)?;
            let tree = catalog.tree(key)?.expect("the catalog is whole");
            let mut range = tree.range::<&[u8]>(..)?;
            let mut count = 0;
            while range.next_pair()?.is_some() {
                count += 1;
            }
            Ok(count)
        };
        for revision in ["HEAD", "HEAD~1", "HEAD~3"] {
            assert!(read(&other, revision).unwrap() > 0);
            for key in [&one, &third] {
                let error = read(key, revision).unwrap_err();
                assert!(matches!(error, Error::Tree(TreeError::NotFetched { .. })), "{error}");
            }
        }
        // It stays so, and a sweep takes nothing and misses nothing.
        to.collect_garbage().unwrap();
        run(&store, &[Step::Insert(0, 1, 4), Step::Insert(1, 1, 4), Step::Insert(2, 1, 4)]);
        let next = fetch(&from, &to, &FetchOptions::default());
        assert!(next.objects < 15, "{next:?}");
        assert!(matches!(read(&one, "HEAD").unwrap_err(), Error::Tree(TreeError::NotFetched { .. })));
        assert!(read(&other, "HEAD").unwrap() > 0);
        // A loss is still a loss: the node of a tree that was fetched.
        to.collect_garbage().unwrap();
        // More trees, also of the commits before.
        fetch(&from, &to, &only(&[other.clone(), third.clone()]));
        for revision in ["HEAD", "HEAD~1", "HEAD~3"] {
            assert!(read(&third, revision).unwrap() > 0);
            assert!(matches!(read(&one, revision).unwrap_err(), Error::Tree(TreeError::NotFetched { .. })));
        }
        let all = FetchOptions { trees: Trees::All, ..FetchOptions::default() };
        fetch(&from, &to, &all);
        let tip = to.read_ref(MAIN).unwrap().unwrap();
        assert_eq!(digest(&to, &tip), digest(&from, &from.read_ref("refs/heads/main").unwrap().unwrap()));
        assert_eq!(reachable(&to, &[tip]), reachable(&from, &tips(&from, "refs/heads/")));
        to.collect_garbage().unwrap();
        let again = fetch(&from, &to, &all);
        assert_eq!((again.commits, again.objects), (0, 0));
    }
}

#[test]
fn a_tree_that_was_left_out_is_fetched_under_another_name() {
    let (from, store) = source(BackendKind::Memory, Path::new(""));
    let to = new_graph(BackendKind::Memory, Path::new(""));
    let [one, _, third] = trees();
    let copy = TreeKey::map("copy");
    fetch(&from, &to, &only(&[one.clone(), copy.clone()]));
    store.copy_tree(&third, "HEAD", &copy).unwrap();
    store.commit("copied").unwrap();
    let report = fetch(&from, &to, &FetchOptions::default());
    assert!(report.objects > 20, "{report:?}");
    let tip = to.read_ref(MAIN).unwrap().unwrap();
    let commit = to.read_commit(&tip).unwrap().unwrap();
    let catalog = prolly_version::Catalog::open(to.objects(), &commit.root).unwrap();
    let tree = catalog.tree(&copy).unwrap().unwrap();
    assert_eq!(tree.range::<&[u8]>(..).unwrap().count() as u64, tree.len());
    to.collect_garbage().unwrap();
    assert_eq!(fetch(&from, &to, &FetchOptions::default()).objects, 0);
}

#[test]
fn a_partial_store_can_be_committed_to_and_pushed_back() {
    let (from, _store) = source(BackendKind::Memory, Path::new(""));
    let to = new_graph(BackendKind::Memory, Path::new(""));
    let [default, other, _] = trees();
    sync::clone(&*from, &*to, "origin", &only(&[default.clone(), other.clone()]), &mut go_on).unwrap();
    let store = store_over(&to, BackendKind::Memory);
    store.insert(&other, b"key 1", b"from afar").unwrap();
    store.commit("from afar").unwrap();
    let source = to.read_ref("refs/heads/main").unwrap();
    let spec = PushSpec { source, name: "refs/heads/afar".to_owned(), force: Force::No };
    let report = sync::push(&*to, &*from, std::slice::from_ref(&spec), &mut go_on).unwrap();
    assert_eq!(report.commits, 1);
    digest(&from, &from.read_ref("refs/heads/afar").unwrap().unwrap());
    // A store that has never had the rest cannot be given it from here.
    let empty = new_graph(BackendKind::Memory, Path::new(""));
    let error = sync::push(&*to, &*empty, &[spec], &mut go_on).unwrap_err();
    assert!(matches!(error, Error::Tree(TreeError::NotFetched { .. })), "{error}");
    assert!(empty.refs("refs/heads/").unwrap().is_empty());
}

#[test]
fn a_shallow_history_ends_and_says_where_more_is_needed() {
    for kind in [BackendKind::Memory, BackendKind::File] {
        let dir = tempfile::tempdir().unwrap();
        let (from, store) = source(kind, dir.path());
        store.branch("side", Some("HEAD~3")).unwrap();
        let to = new_graph(BackendKind::Memory, Path::new(""));
        let main = FetchOptions { branches: Some(vec!["main".to_owned()]), ..depth(1) };
        let report = fetch(&from, &to, &main);
        assert_eq!(report.commits, 1);
        let tip = to.read_ref(MAIN).unwrap().unwrap();
        let log = |tip| -> Vec<_> {
            Log::new(std::sync::Arc::clone(&to), &[tip]).unwrap().map(|commit| commit.unwrap().id).collect()
        };
        assert_eq!(log(tip), [tip]);
        let parent = to.read_commit(&tip).unwrap().unwrap().parents[0];
        assert!(matches!(to.read_commit(&parent), Err(Error::NotFetched { id }) if id == parent));
        let head = prolly_version::Head::Detached(tip);
        let error = prolly_version::resolve(&*to, &head, "HEAD~2").unwrap_err();
        assert!(matches!(error, Error::NotFetched { id } if id == parent), "{error}");
        to.collect_garbage().unwrap();
        // Another branch, whose fork lies behind the end.
        let side = FetchOptions { branches: Some(vec!["side".to_owned()]), ..depth(1) };
        fetch(&from, &to, &side);
        let other = to.read_ref("refs/remotes/origin/side").unwrap().unwrap();
        assert!(matches!(merge_bases(&*to, &tip, &other), Err(Error::NotFetched { .. })));
        assert!(matches!(is_ancestor(&*to, &other, &tip), Err(Error::NotFetched { .. })));
        // On top of the end, everything works.
        let here = store_over_clone(&to, tip);
        here.insert(&TreeKey::default_map(), b"new", b"1").unwrap();
        let new = here.commit("new").unwrap();
        assert_eq!(merge_bases(&*to, &tip, &new).unwrap(), [tip]);
        assert!(is_ancestor(&*to, &tip, &new).unwrap());
        // What comes later is fetched as usual, and the history stays short.
        run(&store, &[Step::Insert(1, 5, 4)]);
        assert_eq!(fetch(&from, &to, &FetchOptions::default()).commits, 1);
        let tip = to.read_ref(MAIN).unwrap().unwrap();
        assert_eq!(log(tip).len(), 2);
        // Until the rest is asked for.
        let full = FetchOptions { depth: Depth::Full, ..FetchOptions::default() };
        let report = fetch(&from, &to, &full);
        assert!(report.commits >= 3, "{report:?}");
        let theirs = from.read_ref("refs/heads/main").unwrap().unwrap();
        assert_eq!(digest(&to, &tip), digest(&from, &theirs));
        assert_eq!(fetch(&from, &to, &full).commits, 0);
        to.collect_garbage().unwrap();
    }
}

/// A store over a graph that stands on a commit.
fn store_over_clone(graph: &Graph, tip: prolly_version::CommitId) -> prolly_version::Store {
    let edit = prolly_version::RefEdit {
        name: "refs/heads/main".to_owned(),
        expected: prolly_version::Expected::Absent,
        new: Some(tip),
        log: String::new(),
    };
    graph.update_refs(&[edit]).unwrap();
    store_over(graph, BackendKind::Memory)
}

#[test]
fn a_shallow_store_gives_what_it_has_and_no_more() {
    let (from, _) = source(BackendKind::Memory, Path::new(""));
    let shallow = new_graph(BackendKind::Memory, Path::new(""));
    sync::clone(&*from, &*shallow, "origin", &depth(2), &mut go_on).unwrap();
    let tip = shallow.read_ref("refs/heads/main").unwrap();
    let empty = new_graph(BackendKind::Memory, Path::new(""));
    let spec = PushSpec { source: tip, name: "refs/heads/main".to_owned(), force: Force::No };
    let error = sync::push(&*shallow, &*empty, &[spec], &mut go_on).unwrap_err();
    assert!(matches!(error, Error::NotFetched { .. }), "{error}");
    assert!(empty.refs("").unwrap().is_empty());
    let git = tempfile::tempdir().unwrap();
    let git = new_graph(BackendKind::Git, git.path());
    for options in [depth(1), only(&trees()[..1])] {
        let error = sync::fetch(&*from, &*git, "origin", &options, &mut go_on).unwrap_err();
        assert!(matches!(error, Error::CannotSync { .. }), "{error}");
    }
    // A commit of one graph cannot be named in the other while its history is not known.
    let foreign = tempfile::tempdir().unwrap();
    let (foreign, _) = source(BackendKind::Git, foreign.path());
    let native = new_graph(BackendKind::Memory, Path::new(""));
    let error = sync::fetch(&*foreign, &*native, "origin", &depth(1), &mut go_on).unwrap_err();
    assert!(matches!(error, Error::CannotSync { .. }), "{error}");
    // A missing parent that nobody left behind is damage, not a short history.
    let store: &dyn CommitGraph = &*from;
    assert!(store.read_commit(&"ab".repeat(32).parse().unwrap()).unwrap().is_none());
}
