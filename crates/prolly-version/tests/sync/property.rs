//! Random histories between every pair of backends, against a set difference by brute force.

use std::collections::BTreeSet;

use prolly_core::Hash;
use prolly_version::{
    BackendKind, Log,
    sync::{self, FetchOptions},
};
use proptest::prelude::*;

use crate::support::{
    Graph, KINDS, Step, add_reachable, commits_of, digest, fetch, go_on, is_git, new_graph, reachable, run,
    steps, store_over, tips,
};

/// What is sent where the other side cannot tell what it has by its address: of every new commit what its parents lack.
fn beyond_parents(
    graph: &Graph,
    new: &BTreeSet<prolly_version::CommitId>,
    tips: &[prolly_version::CommitId],
) -> u64 {
    let mut total = 0;
    for commit in Log::new(graph.clone(), tips).unwrap() {
        let commit = commit.unwrap();
        if !new.contains(&commit.id) {
            continue;
        }
        let (mut held, mut needed) = (BTreeSet::new(), BTreeSet::new());
        for parent in &commit.parents {
            add_reachable(graph, &graph.read_commit(parent).unwrap().unwrap().root, &mut held);
        }
        add_reachable(graph, &commit.root, &mut needed);
        total += needed.difference(&held).count() as u64;
    }
    total
}

/// Fetches, and compares what was copied with what had to be.
fn fetch_and_check(from: &Graph, to: &Graph, batch_bytes: usize) {
    let before: BTreeSet<Hash> = reachable(to, &tips(to, "refs/remotes/"));
    let commits_before = commits_of(to, &tips(to, "refs/remotes/")).len();
    let source_tips: Vec<_> = [tips(from, "refs/heads/"), tips(from, "refs/tags/")].concat();
    let needed: BTreeSet<Hash> = reachable(from, &source_tips).difference(&before).copied().collect();
    let source_commits = commits_of(from, &source_tips);
    let options = FetchOptions { batch_bytes, ..FetchOptions::default() };
    let report = sync::fetch(&**from, &**to, "origin", &options, &mut go_on).unwrap();
    assert_eq!(report.commits as usize, source_commits.len() - commits_before);
    if is_git(to) && !is_git(from) {
        let at_most = beyond_parents(from, &source_commits, &source_tips);
        assert!(report.objects >= needed.len() as u64, "{} < {}", report.objects, needed.len());
        assert!(report.objects <= at_most, "{} > {at_most}", report.objects);
    } else {
        assert_eq!(report.objects, needed.len() as u64);
    }
    for (name, id) in from.refs("refs/heads/").unwrap() {
        let name = name.replace("refs/heads/", "refs/remotes/origin/");
        let there = to.read_ref(&name).unwrap().unwrap();
        assert_eq!(digest(from, &id), digest(to, &there), "{name}");
        if is_git(from) == is_git(to) {
            assert_eq!(id, there);
        }
    }
    for (name, id) in from.refs("refs/tags/").unwrap() {
        assert_eq!(digest(from, &id), digest(to, &to.read_ref(&name).unwrap().unwrap()), "{name}");
    }
    assert!(to.refs("refs/prolly/incoming/").unwrap().is_empty());
    let again = fetch(from, to).unwrap();
    assert_eq!((again.commits, again.objects, again.bytes), (0, 0, 0));
    assert!(again.refs.is_empty(), "{:?}", again.refs);
    to.collect_garbage().unwrap();
    let after_gc = fetch(from, to).unwrap();
    assert_eq!((after_gc.commits, after_gc.objects), (0, 0));
}

fn between(source: BackendKind, destination: BackendKind, first: &[Step], more: &[Step], batch_bytes: usize) {
    let dir = tempfile::tempdir().unwrap();
    let from = new_graph(source, &dir.path().join("from"));
    let to = new_graph(destination, &dir.path().join("to"));
    let store = store_over(&from, source);
    run(&store, first);
    fetch_and_check(&from, &to, batch_bytes);
    run(&store, more);
    fetch_and_check(&from, &to, batch_bytes);
    // And back into a store of the first kind: the same ids.
    let back = new_graph(source, &dir.path().join("back"));
    for (name, id) in to.refs("refs/remotes/origin/").unwrap() {
        let name = name.replace("refs/remotes/origin/", "refs/heads/");
        let edit = prolly_version::RefEdit {
            name,
            expected: prolly_version::Expected::Absent,
            new: Some(id),
            log: String::new(),
        };
        to.update_refs(&[edit]).unwrap();
    }
    fetch(&to, &back).unwrap();
    for (name, id) in from.refs("refs/heads/").unwrap() {
        let name = name.replace("refs/heads/", "refs/remotes/origin/");
        assert_eq!(back.read_ref(&name).unwrap(), Some(id));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10))]

    #[test]
    fn both_sides_read_alike_and_nothing_is_sent_twice(
        pair in (0..KINDS.len(), 0..KINDS.len()),
        first in steps(1..60),
        more in steps(1..30),
        batch_bytes in prop_oneof![Just(1), 1000..100_000_usize, Just(16 << 20)],
    ) {
        between(KINDS[pair.0], KINDS[pair.1], &first, &more, batch_bytes);
    }
}

#[test]
fn every_pair_of_backends_synchronises() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut some = |len| {
        use proptest::strategy::ValueTree;
        steps(len).new_tree(&mut runner).unwrap().current()
    };
    for (row, source) in KINDS.into_iter().enumerate() {
        for (column, destination) in KINDS.into_iter().enumerate() {
            let batch_bytes = if (row + column) % 2 == 0 { 5000 } else { 16 << 20 };
            between(source, destination, &some(40..50), &some(10..20), batch_bytes);
        }
    }
}
