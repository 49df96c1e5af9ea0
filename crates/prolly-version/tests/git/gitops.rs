//! Plain Git does to a store what it does to any repository, and every revision stays whole.

use prolly_core::{SortedEdits, Tree, TreeConfig, Value};
use prolly_version::{
    CommitGraph,
    git::{GitGraph, GitOptions},
};

use crate::support::*;

/// A store with a few commits: a bulk load, small changes, blobs, nested trees.
fn sample(path: &std::path::Path) -> GitGraph {
    let graph = open(path);
    commit(&graph, entries(5_000));
    for round in 0..20u64 {
        commit(&graph, vec![put(noise(round, 16), noise(round + 99, 100)), put(format!("new {round}"), "x")]);
    }
    commit(
        &graph,
        vec![
            put("long", noise(5, 300_000)),
            put("longer", noise(6, 3_000_000)),
            put("blob", noise(7, 10_000)),
        ],
    );
    graph
}

#[test]
fn commits_read_back_and_fsck_is_content() {
    let dir = tempfile::tempdir().unwrap();
    let graph = sample(dir.path());
    let before = history(&graph, MAIN);
    assert_eq!(before.len(), 22);
    assert_eq!(before[0].2[&b"longer"[..]], noise(6, 3_000_000));
    fsck(dir.path());
    // A second handle has none of the first one's memory.
    let again = open(dir.path());
    assert_eq!(history(&again, MAIN), before);
    let log = git(dir.path(), &["log", "--format=%H %an <%ae> %ai %s", "main"]);
    let first = log.lines().next().unwrap();
    assert_eq!(
        first,
        format!("{} A U Thor <author@example.com> 2023-11-15 00:13:20 +0200 a commit", before[0].0)
    );
    assert_eq!(log.lines().count(), 22);
}

#[test]
fn gc_clone_and_push_keep_every_revision_whole() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let graph = sample(&store);
    let before = history(&graph, MAIN);

    git(&store, &["gc", "--prune=now"]);
    fsck(&store);
    assert_eq!(history(&open(&store), MAIN), before);
    // The handle that was open all the time goes on, too.
    assert_eq!(history(&graph, MAIN), before);
    commit(&graph, vec![put("after gc", "1")]);
    let before = history(&graph, MAIN);

    git(dir.path(), &["clone", "-q", "--no-local", "store", "clone"]);
    let clone = open(&dir.path().join("clone"));
    assert_eq!(history(&clone, MAIN), before);
    assert_eq!(clone.read_ref("refs/remotes/origin/main").unwrap(), Some(before[0].0));
    fsck(&dir.path().join("clone"));

    git(dir.path(), &["init", "-q", "--bare", "-b", "main", "bare.git"]);
    git(&store, &["push", "-q", "../bare.git", "main"]);
    let pushed = open(&dir.path().join("bare.git"));
    assert_eq!(history(&pushed, MAIN), before);
    commit(&pushed, vec![put("in the bare one", "1")]);
    fsck(&dir.path().join("bare.git"));
}

#[test]
fn nested_trees_and_empty_ones_are_reachable() {
    let dir = tempfile::tempdir().unwrap();
    let graph = open(dir.path());
    let (catalog, buffer) = tree_at(&graph, None);
    let config = TreeConfig::default();
    let inner = Tree::build(buffer.clone(), &*buffer, config, &mut SortedEdits::new(entries(2_000))).unwrap();
    let links = vec![
        (b"a".to_vec(), Some(Value::Tree { root: inner.root_hash(), descriptor: b"full".to_vec() })),
        (
            b"b".to_vec(),
            Some(Value::Tree { root: prolly_core::empty_root_hash(), descriptor: b"empty".to_vec() }),
        ),
        (b"c".to_vec(), Some(Value::Inline(b"inline".to_vec()))),
        (b"d".to_vec(), Some(Value::Tree { root: inner.root_hash(), descriptor: b"again".to_vec() })),
    ];
    let root = catalog.apply(&*buffer, &mut SortedEdits::new(links)).unwrap();
    let (_, mut commit) = draft(&graph, None, vec![], "nested");
    commit.root = root.root().clone();
    let id = graph.publish(&Pending(buffer), &commit, Some(&edit_of(MAIN, None))).unwrap();
    fsck(dir.path());
    git(dir.path(), &["gc", "--prune=now"]);

    let graph = open(dir.path());
    let (catalog, _) = tree_at(&graph, Some(&id));
    for (key, len) in [(&b"a"[..], 2_000), (b"d", 2_000), (b"b", 0)] {
        let found = catalog.find(key).unwrap().unwrap();
        let link = found.link().unwrap();
        assert!(link.locator.get().is_some(), "the reader knows where linked trees are");
        let inner = Tree::open(graph.objects(), config, &link).unwrap();
        assert_eq!(inner.len(), len);
        assert_eq!(graph.objects().read_node(&link).unwrap().len(), len);
    }
}

#[test]
fn an_empty_commit_and_a_commit_nobody_names() {
    let dir = tempfile::tempdir().unwrap();
    let graph = open(dir.path());
    let (pending, draft0) = draft(&graph, None, vec![], "");
    let first = graph.publish(&pending, &draft0, Some(&edit_of(MAIN, None))).unwrap();
    assert!(contents(&graph, &first).is_empty());
    let (pending, draft1) = draft(&graph, Some(first), vec![put("k", "v")], "unnamed");
    let unnamed = graph.publish(&pending, &draft1, None).unwrap();
    assert_eq!(graph.read_ref(MAIN).unwrap(), Some(first));
    assert_eq!(contents(&graph, &unnamed).len(), 1);
    fsck(dir.path());
    drop(GitGraph::open(dir.path(), &GitOptions::default()).unwrap().unwrap());
}
