//! Refs: compare-and-swap, names in each other's way, packed ones, tags, logs.

use prolly_version::{CommitGraph, CommitId, Error, Expected, Head, RefEdit, git::GitGraph};

use crate::support::*;

fn edit(name: &str, expected: Option<CommitId>, new: Option<CommitId>) -> RefEdit {
    RefEdit { new, ..edit_of(name, expected) }
}

fn names(graph: &GitGraph, prefix: &str) -> Vec<String> {
    graph.refs(prefix).unwrap().into_iter().map(|(name, _)| name).collect()
}

/// A store with two commits.
fn two(dir: &std::path::Path) -> (GitGraph, CommitId, CommitId) {
    let graph = open(dir);
    let a = commit(&graph, vec![put("a", "1")]);
    let b = commit(&graph, vec![put("b", "2")]);
    (graph, a, b)
}

#[test]
fn compare_and_swap_compares() {
    let dir = tempfile::tempdir().unwrap();
    let (graph, a, b) = two(dir.path());
    let x = "refs/heads/x";
    graph.update_refs(&[edit(x, None, Some(a))]).unwrap();
    // Even when the new value is the one it holds already.
    let error = graph.update_refs(&[edit(x, None, Some(a))]).unwrap_err();
    assert!(
        matches!(&error, Error::RefMoved { name, expected: None, found } if name == x && *found == Some(a)),
        "{error}"
    );
    let error = graph.update_refs(&[edit(x, Some(b), Some(b))]).unwrap_err();
    assert!(
        matches!(&error, Error::RefMoved { expected, found, .. } if *expected == Some(b) && *found == Some(a))
    );
    let error = graph.update_refs(&[edit("refs/heads/none", Some(b), None)]).unwrap_err();
    assert!(matches!(&error, Error::RefMoved { found: None, .. }), "{error}");
    graph.update_refs(&[edit(x, Some(a), Some(b))]).unwrap();
    assert_eq!(graph.read_ref(x).unwrap(), Some(b));
    assert_eq!(git(dir.path(), &["rev-parse", x]).trim(), b.to_string());
    graph.update_refs(&[edit(x, Some(b), None)]).unwrap();
    assert_eq!(graph.read_ref(x).unwrap(), None);

    let missing = CommitId::from_slice(&[9; 20]).unwrap();
    let error = graph.update_refs(&[edit(x, None, Some(missing))]).unwrap_err();
    assert!(matches!(error, Error::MissingCommit { id } if id == missing), "{error}");
    assert!(files_ending(&dir.path().join(".git/refs/heads"), ".lock").is_empty());
}

#[test]
fn several_refs_move_together_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let (graph, a, b) = two(dir.path());
    graph.update_refs(&[edit("refs/heads/x", None, Some(a)), edit("refs/tags/t", None, Some(b))]).unwrap();
    let moves = [
        edit("refs/tags/t", Some(b), None),
        edit("refs/heads/y", None, Some(b)),
        edit("refs/heads/x", Some(b), None),
    ];
    assert!(matches!(graph.update_refs(&moves), Err(Error::RefMoved { .. })));
    assert_eq!(names(&graph, "refs/"), ["refs/heads/main", "refs/heads/x", "refs/tags/t"]);
    let twice = [edit("refs/heads/x", Some(a), Some(b)), edit("refs/heads/x", Some(a), None)];
    assert!(matches!(graph.update_refs(&twice), Err(Error::InvalidRefName { .. })));
    let moves = [
        edit("refs/tags/t", Some(b), None),
        edit("refs/heads/y", None, Some(b)),
        edit("refs/heads/x", Some(a), None),
    ];
    graph.update_refs(&moves).unwrap();
    assert_eq!(names(&graph, "refs/"), ["refs/heads/main", "refs/heads/y"]);
    fsck(dir.path());
}

#[test]
fn names_in_each_others_way_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (graph, a, _) = two(dir.path());
    let create = |name: &str| graph.update_refs(&[edit(name, None, Some(a))]);
    create("refs/heads/a").unwrap();
    for pack in [false, true] {
        if pack {
            git(dir.path(), &["pack-refs", "--all"]);
        }
        for name in ["refs/heads/a/b", "refs/heads/a/b/c"] {
            let error = create(name).unwrap_err();
            assert!(
                matches!(&error, Error::RefNameTaken { name: refused, existing } if refused == name && existing == "refs/heads/a"),
                "{error}"
            );
        }
    }
    create("refs/heads/d/e/f").unwrap();
    for pack in [false, true] {
        if pack {
            git(dir.path(), &["pack-refs", "--all"]);
        }
        for name in ["refs/heads/d", "refs/heads/d/e"] {
            let error = create(name).unwrap_err();
            assert!(
                matches!(&error, Error::RefNameTaken { existing, .. } if existing == "refs/heads/d/e/f"),
                "{error}"
            );
        }
    }
    let both = [edit("refs/heads/n/m", None, Some(a)), edit("refs/heads/n", None, Some(a))];
    assert!(matches!(graph.update_refs(&both), Err(Error::RefNameTaken { .. })));
    // Once a name is free, so is what it stood in the way of; empty directories are no obstacle.
    graph.update_refs(&[edit("refs/heads/d/e/f", Some(a), None)]).unwrap();
    std::fs::create_dir_all(dir.path().join(".git/refs/heads/d/e/g")).unwrap();
    create("refs/heads/d").unwrap();
    git(dir.path(), &["branch", "-D", "a"]);
    create("refs/heads/a/b").unwrap();
    assert_eq!(names(&graph, "refs/heads/"), ["refs/heads/a/b", "refs/heads/d", "refs/heads/main"]);
}

#[test]
fn names_that_leave_refs_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (graph, a, _) = two(dir.path());
    for name in
        ["HEAD", "main", "refs/../HEAD", "refs/heads/../../config", "refs/heads/x.lock", "refs/heads/a b", ""]
    {
        assert!(
            matches!(graph.update_refs(&[edit(name, None, Some(a))]), Err(Error::InvalidRefName { .. })),
            "{name}"
        );
        assert!(matches!(graph.read_ref(name), Err(Error::InvalidRefName { .. })), "{name}");
        let head = Head::Branch(name.to_owned());
        assert!(matches!(graph.set_head(&head), Err(Error::InvalidRefName { .. })), "{name}");
    }
    assert!(graph.refs("refs/../").unwrap().is_empty());
    assert!(graph.refs("").unwrap().len() == 1);
}

#[test]
fn packed_refs_are_read_moved_and_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let (graph, a, b) = two(dir.path());
    for name in ["refs/heads/p", "refs/heads/q", "refs/heads/r", "refs/tags/v1"] {
        graph.update_refs(&[edit(name, None, Some(a))]).unwrap();
    }
    git(dir.path(), &["tag", "-a", "-m", "annotated", "v2", &b.to_string()]);
    git(dir.path(), &["pack-refs", "--all"]);
    assert!(!dir.path().join(".git/refs/heads/p").exists());
    let all =
        ["refs/heads/main", "refs/heads/p", "refs/heads/q", "refs/heads/r", "refs/tags/v1", "refs/tags/v2"];
    assert_eq!(names(&graph, "refs/"), all);
    assert_eq!(names(&graph, "refs/heads/q"), ["refs/heads/q"]);
    assert_eq!(graph.read_ref("refs/tags/v2").unwrap(), Some(b), "an annotated tag leads to its commit");

    graph.update_refs(&[edit("refs/heads/q", Some(a), Some(b))]).unwrap();
    graph.update_refs(&[edit("refs/heads/p", Some(a), None)]).unwrap();
    // A tag is expected by the commit it leads to.
    graph.update_refs(&[edit("refs/tags/v2", Some(b), None), edit("refs/heads/r", Some(a), None)]).unwrap();
    assert_eq!(names(&graph, "refs/"), ["refs/heads/main", "refs/heads/q", "refs/tags/v1"]);
    assert_eq!(names(&open(dir.path()), "refs/"), ["refs/heads/main", "refs/heads/q", "refs/tags/v1"]);
    let shown = git(dir.path(), &["for-each-ref", "--format=%(refname) %(objectname)"]);
    assert_eq!(shown, format!("refs/heads/main {b}\nrefs/heads/q {b}\nrefs/tags/v1 {a}\n"));
    fsck(dir.path());
}

#[test]
fn tags_of_tags_and_tags_of_other_things() {
    let dir = tempfile::tempdir().unwrap();
    let (graph, a, _) = two(dir.path());
    git(dir.path(), &["tag", "-a", "-m", "1", "one", &a.to_string()]);
    git(dir.path(), &["tag", "-a", "-m", "2", "two", "one"]);
    git(dir.path(), &["tag", "blob", &format!("{a}:prolly")]);
    assert_eq!(graph.read_ref("refs/tags/two").unwrap(), Some(a));
    let error = graph.read_ref("refs/tags/blob").unwrap_err();
    assert!(matches!(&error, Error::DamagedRef { name, .. } if name == "refs/tags/blob"), "{error}");
    assert_eq!(names(&graph, "refs/tags/"), ["refs/tags/one", "refs/tags/two"]);
}

#[test]
fn damaged_refs_are_errors_and_not_absent() {
    let dir = tempfile::tempdir().unwrap();
    let (graph, _, _) = two(dir.path());
    let heads = dir.path().join(".git/refs/heads");
    for (name, content) in
        [("empty", ""), ("short", "1234\n"), ("text", "what is this"), ("away", "ref: ../../x\n")]
    {
        std::fs::write(heads.join(name), content).unwrap();
        let full = format!("refs/heads/{name}");
        let error = graph.read_ref(&full).unwrap_err();
        assert!(matches!(&error, Error::DamagedRef { name, .. } if *name == full), "{error}");
        assert!(graph.refs("refs/heads/").is_err());
        std::fs::remove_file(heads.join(name)).unwrap();
    }
    std::fs::write(heads.join("lost"), format!("{}\n", "7".repeat(40))).unwrap();
    let error = graph.read_ref("refs/heads/lost").unwrap_err();
    assert!(error.to_string().contains("missing"), "{error}");
    std::fs::write(heads.join("loop"), "ref: refs/heads/loop\n").unwrap();
    assert!(matches!(graph.read_ref("refs/heads/loop"), Err(Error::DamagedRef { .. })));
    std::fs::remove_file(heads.join("loop")).unwrap();
    std::fs::write(dir.path().join(".git/packed-refs"), "nonsense\n").unwrap();
    assert!(matches!(graph.read_ref("refs/heads/other"), Err(Error::DamagedFile { .. })));
}

#[test]
fn head_moves_between_branches_and_commits() {
    let dir = tempfile::tempdir().unwrap();
    let graph = open(dir.path());
    assert_eq!(graph.head().unwrap(), Head::Branch(MAIN.to_owned()));
    let a = commit(&graph, vec![put("a", "1")]);
    for head in
        [Head::Branch("refs/heads/unborn".to_owned()), Head::Detached(a), Head::Branch(MAIN.to_owned())]
    {
        graph.set_head(&head).unwrap();
        assert_eq!(graph.head().unwrap(), head);
        assert_eq!(open(dir.path()).head().unwrap(), head);
    }
    graph.set_head(&Head::Detached(a)).unwrap();
    assert_eq!(git(dir.path(), &["rev-parse", "HEAD"]).trim(), a.to_string());
    std::fs::write(dir.path().join(".git/HEAD"), "nonsense").unwrap();
    assert!(matches!(graph.head(), Err(Error::DamagedRef { .. })));
}

#[test]
fn locks_of_git_are_waited_for_and_then_named() {
    let dir = tempfile::tempdir().unwrap();
    let (graph, a, b) = two(dir.path());
    let lock = dir.path().join(".git/refs/heads/x.lock");
    std::fs::write(&lock, "").unwrap();
    let error = graph.update_refs(&[edit("refs/heads/x", None, Some(a))]).unwrap_err();
    assert!(matches!(&error, Error::Locked { path } if path.ends_with("refs/heads/x.lock")), "{error}");
    assert!(lock.exists(), "a lock that is not ours stays");
    assert!(open(dir.path()).update_refs(&[edit("refs/heads/y", None, Some(a))]).is_ok());
    assert!(lock.exists(), "a lock that is not ours stays");
    let waits = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(200));
        std::fs::remove_file(lock).unwrap();
    });
    graph.update_refs(&[edit("refs/heads/x", None, Some(b))]).unwrap();
    waits.join().unwrap();
}

#[test]
fn locks_and_keeps_of_a_dead_owner_are_cleared_away() {
    let dir = tempfile::tempdir().unwrap();
    let (graph, a, b) = two(dir.path());
    drop(graph);
    let git_dir = dir.path().join(".git");
    let token = git_dir.join("prollytree/token");
    for name in ["refs/heads/main.lock", "HEAD.lock", "packed-refs.lock", "objects/pack/pack-1234.keep"] {
        std::fs::hard_link(&token, git_dir.join(name)).unwrap();
    }
    let foreign = git_dir.join("objects/pack/pack-5678.keep");
    std::fs::write(&foreign, "somebody else\n").unwrap();
    std::fs::write(git_dir.join("prollytree/tmp/pack.pack"), "half a pack").unwrap();
    let graph = open(dir.path());
    graph.update_refs(&[edit(MAIN, Some(b), Some(a))]).unwrap();
    graph.set_head(&Head::Detached(a)).unwrap();
    assert_eq!(files_ending(&git_dir.join("objects/pack"), ".keep"), ["pack-5678.keep"]);
    assert!(files_ending(&git_dir.join("prollytree/tmp"), "").is_empty());
    fsck(dir.path());
}

#[test]
fn logs_are_kept_where_git_would_keep_them() {
    let dir = tempfile::tempdir().unwrap();
    let (graph, _, b) = two(dir.path());
    assert!(!dir.path().join(".git/logs").exists(), "a bare repository has no logs");
    git(dir.path(), &["config", "core.logAllRefUpdates", "true"]);
    drop(graph);
    let graph = open(dir.path());
    let c = commit(&graph, vec![put("c", "3")]);
    graph.update_refs(&[edit("refs/tags/t", None, Some(c))]).unwrap();
    let log = git(dir.path(), &["reflog", "show", "--format=%H %gs", "main"]);
    assert_eq!(log, format!("{c} commit: test\n"));
    assert!(!dir.path().join(".git/logs/refs/tags").exists());
    let raw = std::fs::read_to_string(dir.path().join(".git/logs/refs/heads/main")).unwrap();
    assert_eq!(raw, format!("{b} {c} A U Thor <author@example.com> 1700000001 +0200\tcommit: test\n"));
    graph
        .update_refs(&[RefEdit { expected: Expected::Commit(c), new: None, ..edit_of(MAIN, None) }])
        .unwrap();
    assert!(!dir.path().join(".git/logs/refs/heads/main").exists());
}
