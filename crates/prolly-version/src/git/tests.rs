//! A disk that fails at every single step: what was there before is there afterwards, or all of what was to come.

use std::{path::Path, sync::Arc};

use prolly_core::{Link, Node, NodeBuffer, SortedEdits, Tree, TreeConfig, Value};

use super::{GitGraph, GitOptions, files::fault};
use crate::{
    CommitDraft, CommitGraph, CommitId, Error, Expected, Head, PendingObjects, RefEdit, Result, Signature,
};

pub(super) const MAIN: &str = "refs/heads/main";

struct Pending(Arc<NodeBuffer>);

impl PendingObjects for Pending {
    fn node(&self, link: &Link) -> Result<Option<Arc<Node>>> {
        Ok(self.0.buffered_node(&link.hash))
    }

    fn record(&self, link: &Link) -> Result<Option<Arc<[u8]>>> {
        Ok(self.0.buffered_record(&link.hash))
    }
}

pub(super) fn open(path: &Path) -> Result<GitGraph> {
    GitGraph::open_or_init(path, &GitOptions::default())
}

fn tree_at(graph: &GitGraph, tip: Option<CommitId>) -> (Tree, Arc<NodeBuffer>) {
    let buffer = Arc::new(NodeBuffer::over(graph.objects()));
    let tree = match tip.map(|tip| graph.read_commit(&tip).unwrap().unwrap().root) {
        None => Tree::empty(buffer.clone(), TreeConfig::default()),
        Some(root) => Tree::open(buffer.clone(), TreeConfig::default(), &root),
    };
    (tree.unwrap(), buffer)
}

fn edit(name: &str, expected: Option<CommitId>, new: Option<CommitId>) -> RefEdit {
    let expected = expected.map_or(Expected::Absent, Expected::Commit);
    RefEdit { name: name.to_owned(), expected, new, log: String::new() }
}

pub(super) fn commit(graph: &GitGraph, key: &str) -> Result<CommitId> {
    let tip = graph.read_ref(MAIN)?;
    let (tree, buffer) = tree_at(graph, tip);
    let value = Value::Inline(key.repeat(50).into_bytes());
    let tree = tree.apply(&*buffer, &mut SortedEdits::new([(key, Some(value))]))?;
    let who = Signature { name: "a".into(), email: "b".into(), seconds: 1, offset_minutes: 0 };
    let draft = CommitDraft {
        root: tree.root().clone(),
        parents: Vec::from_iter(tip),
        author: who.clone(),
        committer: who,
        message: key.to_owned(),
    };
    graph.publish(&Pending(buffer), &draft, Some(&edit(MAIN, tip, None)))
}

/// The messages of all commits, newest first; reads each of them whole.
pub(super) fn history(path: &Path) -> Vec<String> {
    let graph = open(path).unwrap();
    let mut tip = graph.read_ref(MAIN).unwrap();
    let mut out = Vec::new();
    while let Some(id) = tip {
        let (tree, _) = tree_at(&graph, Some(id));
        let mut range = tree.range::<&[u8]>(..).unwrap();
        while range.next_pair().unwrap().is_some() {}
        let commit = graph.read_commit(&id).unwrap().unwrap();
        out.push(commit.message);
        tip = commit.parents.first().copied();
    }
    out
}

pub(super) fn fsck(path: &Path) {
    let output = std::process::Command::new("git")
        .args(["fsck", "--full", "--strict", "--no-dangling"])
        .current_dir(path)
        .output()
        .expect("git is installed");
    let text =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(output.status.success() && text.trim().is_empty(), "{text}");
}

/// Lets `act` fail at its first step, at its second, and so on until it succeeds; `check` is told whether it did.
pub(super) fn at_every_step(mut act: impl FnMut(u32) -> Result<()>, mut check: impl FnMut(u32, bool)) {
    for steps in 0.. {
        fault::after(Some(steps));
        let outcome = act(steps);
        fault::after(None);
        if let Err(error) = &outcome {
            assert!(error.to_string().contains("cannot"), "{error}");
        }
        check(steps, outcome.is_ok());
        if outcome.is_ok() {
            assert!(steps > 0, "nothing could fail");
            return;
        }
    }
}

#[test]
fn a_commit_that_fails_leaves_the_old_state_or_the_new_one() {
    let dir = tempfile::tempdir().unwrap();
    commit(&open(dir.path()).unwrap(), "first").unwrap();
    let mut expected = vec!["first".to_owned()];
    at_every_step(
        |steps| commit(&open(dir.path())?, &format!("{steps}")).map(drop),
        |steps, succeeded| {
            let found = history(dir.path());
            let moved = found.len() > expected.len();
            assert!(moved || !succeeded, "step {steps}: the commit succeeded and is lost");
            assert_eq!(found[usize::from(moved)..], expected);
            expected = found;
            // Whatever was left behind keeps nobody from going on.
            commit(&open(dir.path()).unwrap(), &format!("after {steps}")).unwrap();
            expected.insert(0, format!("after {steps}"));
            let keeps = files_ending(&dir.path().join(".git/objects/pack"), ".keep");
            assert!(keeps.is_empty(), "step {steps}: {keeps:?}");
        },
    );
    fsck(dir.path());
}

#[test]
fn a_handle_goes_on_after_a_failure() {
    let dir = tempfile::tempdir().unwrap();
    let graph = open(dir.path()).unwrap();
    commit(&graph, "first").unwrap();
    let mut commits = 1;
    at_every_step(
        |steps| commit(&graph, &format!("{steps}")).map(drop),
        |steps, succeeded| {
            commit(&graph, &format!("after {steps}")).unwrap();
            commits += 1 + usize::from(succeeded);
            assert!(files_ending(&dir.path().join(".git/refs/heads"), ".lock").is_empty());
            assert!(files_ending(&dir.path().join(".git/objects/pack"), ".keep").is_empty());
        },
    );
    assert!(history(dir.path()).len() >= commits, "acknowledged commits are lost");
    fsck(dir.path());
}

#[test]
fn refs_that_move_together_do_so_whatever_fails() {
    let dir = tempfile::tempdir().unwrap();
    let graph = open(dir.path()).unwrap();
    let a = commit(&graph, "a").unwrap();
    let b = commit(&graph, "b").unwrap();
    let (x, y, z) = ("refs/heads/x", "refs/tags/deep/y", "refs/heads/z");
    at_every_step(
        |_| {
            let graph = open(dir.path())?;
            let held = |name: &str| graph.read_ref(name);
            for name in [x, y] {
                if let Some(id) = held(name)? {
                    graph.update_refs(&[edit(name, Some(id), None)])?;
                }
            }
            if held(z)?.is_none() {
                graph.update_refs(&[edit(z, None, Some(a))])?;
            }
            graph.update_refs(&[edit(x, None, Some(a)), edit(y, None, Some(b)), edit(z, Some(a), None)])
        },
        |steps, succeeded| {
            // A reader may see moves that are half made; the next who writes finishes them.
            let graph = open(dir.path()).unwrap();
            graph.set_head(&Head::Branch(MAIN.to_owned())).unwrap();
            let found = [x, y, z].map(|name| graph.read_ref(name).unwrap());
            let made = found == [Some(a), Some(b), None];
            assert!(made || !succeeded, "step {steps}: {found:?}");
            // What the act itself does first is not of one piece with the rest.
            let not_made = found[2] == Some(a) || found == [None, None, None];
            assert!(
                made || (not_made && !(found[0].is_some() && found[1].is_none() && found[2].is_none())),
                "step {steps}: {found:?}"
            );
        },
    );
    fsck(dir.path());
}

#[test]
fn tidying_and_sweeping_that_fail_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let graph = open(dir.path()).unwrap();
    for round in 0..12 {
        commit(&graph, &format!("{round}")).unwrap();
    }
    let expected = history(dir.path());
    at_every_step(
        |_| open(dir.path())?.collect_garbage().map(drop),
        |_, _| {
            assert_eq!(history(dir.path()), expected);
            fsck(dir.path());
        },
    );

    // A commit is made before packs are merged: whatever fails then, it stays.
    let mut commits = expected.len();
    for steps in (20..70).step_by(3) {
        let graph = open(dir.path()).unwrap();
        for round in 0..17 {
            // One of these merges.
            fault::after((round > 0).then_some(steps));
            let outcome = commit(&graph, &format!("{steps} {round}"));
            fault::after(None);
            commits += usize::from(outcome.is_ok());
        }
        let found = history(dir.path());
        assert!(found.len() >= commits, "{} of {commits} commits are left", found.len());
        commits = found.len();
        assert_eq!(found[commits - expected.len()..], expected);
    }
    fsck(dir.path());
}

#[test]
fn a_store_whose_making_fails_can_be_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/store");
    at_every_step(
        |_| open(&path).map(drop),
        |steps, succeeded| {
            let names = files_ending(&path, "");
            assert!(
                succeeded || names.iter().all(|name| name == ".git" || name.starts_with(".git.draft-")),
                "{names:?}"
            );
            if steps % 3 == 0 {
                commit(&open(&path).unwrap(), "it works").unwrap();
                assert_eq!(files_ending(&path, ""), [".git"]);
                std::fs::remove_dir_all(dir.path().join("a")).unwrap();
            }
        },
    );
}

#[test]
fn a_full_disk_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let graph = open(dir.path()).unwrap();
    commit(&graph, "first").unwrap();
    fault::after(Some(8));
    let error = commit(&graph, "second").unwrap_err();
    fault::after(None);
    assert!(
        matches!(&error, Error::Io { path, source, .. }
        if path.starts_with(dir.path().canonicalize().unwrap()) && source.kind() == std::io::ErrorKind::StorageFull),
        "{error}"
    );
}

pub(super) fn files_ending(dir: &Path, end: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(end))
        .collect()
}
