//! What goes into a commit comes out of it, and what Git cannot carry is refused.

use prolly_version::{CommitGraph, CommitId, Error, Signature};

use crate::support::*;

fn who(name: &str, email: &str, seconds: i64, offset_minutes: i32) -> Signature {
    Signature { name: name.into(), email: email.into(), seconds, offset_minutes }
}

#[test]
fn messages_and_signatures_come_back_unchanged() {
    let dir = tempfile::tempdir().unwrap();
    let graph = open(dir.path());
    let messages = [
        "",
        "\n",
        "one line",
        "one line\n",
        "title\n\nbody\n\n\n",
        "\n\nleading",
        "   indented\n\ttab \r\n",
        "gpgsig in text\nparent 0123\n",
        "ünïcödé \u{1F680} \u{202E}rtl",
        "\u{7f}\u{1}control",
    ];
    let signatures = [
        who("A", "a@example.com", 0, 0),
        who("", "", 1, -330),
        who("  spaced  out ", " x ", 4_102_444_800, 845),
        who("Zoë \u{1F600}", "ë", 1_700_000_000, -(99 * 60 + 59)),
    ];
    let mut tip = None;
    for (round, message) in messages.iter().enumerate() {
        let (pending, mut commit) = draft(&graph, tip, vec![put(format!("{round}"), "v")], message);
        commit.author = signatures[round % signatures.len()].clone();
        commit.committer = signatures[(round + 1) % signatures.len()].clone();
        let id = graph.publish(&pending, &commit, Some(&edit_of(MAIN, tip))).unwrap();
        for graph in [&graph, &open(dir.path())] {
            let read = graph.read_commit(&id).unwrap().unwrap();
            assert_eq!(read.message, *message);
            assert_eq!((&read.author, &read.committer), (&commit.author, &commit.committer));
            assert_eq!(read.parents, Vec::from_iter(tip));
            assert_eq!(read.root.hash, *commit.root.hash());
        }
        tip = Some(id);
    }
    fsck(dir.path());
}

#[test]
fn what_git_cannot_carry_is_refused_and_nothing_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let graph = open(dir.path());
    let first = commit(&graph, vec![put("a", "1")]);
    let (pending, good) = draft(&graph, Some(first), vec![put("b", "2")], "fine");
    let edit = edit_of(MAIN, Some(first));
    let native = CommitId::from_slice(&[7; 32]).unwrap();
    let missing = CommitId::from_slice(&[7; 20]).unwrap();
    let objects = git(dir.path(), &["count-objects", "-v"]);

    let mut drafts = vec![];
    let mut with = |change: &dyn Fn(&mut prolly_version::CommitDraft)| {
        let mut draft = good.clone();
        change(&mut draft);
        drafts.push(draft);
    };
    with(&|draft| draft.message = "NUL \0".into());
    with(&|draft| draft.author.name = "a\nb".into());
    with(&|draft| draft.author.name = "a <b".into());
    with(&|draft| draft.committer.email = "a>b".into());
    with(&|draft| draft.committer.email = "\0".into());
    with(&|draft| draft.author.seconds = -1);
    with(&|draft| draft.author.offset_minutes = 6_000);
    with(&|draft| draft.parents = vec![native]);
    with(&|draft| draft.parents = vec![first, first]);
    for draft in drafts {
        let error = graph.publish(&pending, &draft, Some(&edit)).unwrap_err();
        assert!(matches!(error, Error::InvalidCommit { .. }), "{error}");
    }
    let mut orphan = good.clone();
    orphan.parents = vec![missing];
    let error = graph.publish(&pending, &orphan, Some(&edit)).unwrap_err();
    assert!(matches!(error, Error::MissingCommit { id } if id == missing), "{error}");

    assert_eq!(graph.read_ref(MAIN).unwrap(), Some(first));
    assert_eq!(git(dir.path(), &["count-objects", "-v"]), objects);
    graph.publish(&pending, &good, Some(&edit)).unwrap();
    fsck(dir.path());
}

#[test]
fn commits_of_others_and_other_objects_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let graph = open(dir.path());
    let ours = commit(&graph, vec![put("a", "1")]);
    let tree = git(dir.path(), &["mktree"]);
    let theirs = git(dir.path(), &["commit-tree", "-m", "theirs", tree.trim()]);
    let theirs: CommitId = theirs.trim().parse().unwrap();
    git(dir.path(), &["update-ref", "refs/heads/theirs", &theirs.to_string()]);
    // The ref is read, the commit is refused by its name.
    assert_eq!(graph.read_ref("refs/heads/theirs").unwrap(), Some(theirs));
    let error = graph.read_commit(&theirs).unwrap_err();
    assert!(matches!(error, Error::ForeignCommit { id, .. } if id == theirs), "{error}");
    assert!(error.to_string().contains(&theirs.to_string()), "{error}");

    let blob = git(dir.path(), &["rev-parse", &format!("{ours}:prolly")]);
    assert!(graph.read_commit(&blob.trim().parse().unwrap()).unwrap().is_none(), "a blob is no commit");
    assert!(graph.read_commit(&CommitId::from_slice(&[1; 20]).unwrap()).unwrap().is_none());
    assert!(graph.read_commit(&CommitId::from_slice(&[1; 32]).unwrap()).unwrap().is_none());
    assert_eq!(contents(&graph, &ours).len(), 1);
}

#[test]
fn commits_are_found_by_the_beginning_of_their_id() {
    let dir = tempfile::tempdir().unwrap();
    let graph = open(dir.path());
    let mut ids: Vec<_> = (0..300).map(|round| commit(&graph, vec![put(format!("{round}"), "v")])).collect();
    ids.sort_unstable();
    for id in ids.iter().step_by(29) {
        let hex = id.to_string();
        for len in [4, 7, 39, 40] {
            let expected: Vec<_> =
                ids.iter().filter(|other| other.to_string().starts_with(&hex[..len])).copied().collect();
            assert_eq!(graph.commits_by_prefix(&hex[..len], 10).unwrap(), expected);
        }
    }
    let tree = git(dir.path(), &["rev-parse", "main^{tree}"]);
    assert!(graph.commits_by_prefix(&tree[..12], 10).unwrap().is_empty(), "a tree is no commit");
    assert!(graph.commits_by_prefix("zzzz", 10).is_err());
}

#[test]
fn the_identity_comes_from_the_configuration_of_the_repository() {
    let dir = tempfile::tempdir().unwrap();
    let graph = open(dir.path());
    git(dir.path(), &["config", "user.name", "Ada"]);
    git(dir.path(), &["config", "user.email", "ada@example.com"]);
    assert_eq!(graph.identity().unwrap(), Some(("Ada".to_owned(), "ada@example.com".to_owned())));
}

#[test]
fn the_identity_comes_from_the_user_and_may_be_absent() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("home");
    std::fs::create_dir(&home).unwrap();
    let store = dir.path().join("store");
    drop(open(&store));
    assert_eq!(run_child("print_identity", &store, &[("HOME", home.to_str().unwrap())]), "None\n");
    std::fs::write(home.join(".gitconfig"), "[include]\n\tpath = more\n[user]\n\tname = Grace \"H\"\n")
        .unwrap();
    assert_eq!(run_child("print_identity", &store, &[("HOME", home.to_str().unwrap())]), "None\n");
    std::fs::write(home.join("more"), "[user]\n\temail = grace@example.com\n").unwrap();
    let printed = run_child("print_identity", &store, &[("HOME", home.to_str().unwrap())]);
    assert_eq!(printed, "Some((\"Grace H\", \"grace@example.com\"))\n");
}
