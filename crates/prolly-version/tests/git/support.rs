//! Stores to test with, and the real Git to check them.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Command, Output, Stdio},
    sync::Arc,
};

use prolly_core::{Hash, Link, Node, NodeBuffer, SortedEdits, Tree, TreeConfig, Value};
use prolly_version::{
    CommitDraft, CommitGraph, CommitId, Error, Expected, PendingObjects, RefEdit, Result, Signature,
    git::{GitGraph, GitOptions},
};

pub(crate) const MAIN: &str = "refs/heads/main";

/// New objects, as an edit left them.
pub(crate) struct Pending(pub(crate) Arc<NodeBuffer>);

impl PendingObjects for Pending {
    fn node(&self, link: &Link) -> Result<Option<Arc<Node>>> {
        Ok(self.0.buffered_node(&link.hash))
    }

    fn record(&self, link: &Link) -> Result<Option<Arc<[u8]>>> {
        Ok(self.0.buffered_record(&link.hash))
    }
}

/// Nothing is pending.
pub(crate) fn none_pending() -> Pending {
    Pending(Arc::new(NodeBuffer::new()))
}

pub(crate) type Contents = BTreeMap<Vec<u8>, Vec<u8>>;
pub(crate) type Edit = (Vec<u8>, Option<Value>);

pub(crate) fn open(path: &Path) -> GitGraph {
    GitGraph::open_or_init(path, &GitOptions::default()).unwrap()
}

pub(crate) fn signature(seconds: i64) -> Signature {
    Signature { name: "A U Thor".into(), email: "author@example.com".into(), seconds, offset_minutes: 120 }
}

/// An edit that needs no blob: `value` is inline.
pub(crate) fn put(key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Edit {
    (key.into(), Some(Value::Inline(value.into())))
}

/// Random-looking bytes.
pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678_9abc_def0;
    let mut out = Vec::with_capacity(len + 8);
    while out.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
    }
    out.truncate(len);
    out
}

/// `count` entries with keys of 16 and values of 100 random bytes.
pub(crate) fn entries(count: u64) -> Vec<Edit> {
    let mut entries: Vec<_> =
        (0..count).map(|index| put(noise(index, 16), noise(index + (1 << 40), 100))).collect();
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    entries.dedup_by(|a, b| a.0 == b.0);
    entries
}

/// The tree of a commit, and a buffer for edits to it.
pub(crate) fn tree_at(graph: &GitGraph, tip: Option<&CommitId>) -> (Tree, Arc<NodeBuffer>) {
    let buffer = Arc::new(NodeBuffer::over(graph.objects()));
    let tree = match tip {
        None => Tree::empty(buffer.clone(), TreeConfig::default()).unwrap(),
        Some(id) => {
            let commit = graph.read_commit(id).unwrap().expect("the commit exists");
            Tree::open(buffer.clone(), TreeConfig::default(), &commit.root).unwrap()
        }
    };
    (tree, buffer)
}

/// Puts a commit with edits on top of `tip` without moving a ref: the parts to publish.
pub(crate) fn draft(
    graph: &GitGraph,
    tip: Option<CommitId>,
    mut edits: Vec<Edit>,
    message: &str,
) -> (Pending, CommitDraft) {
    edits.sort_by(|a, b| a.0.cmp(&b.0));
    let (tree, buffer) = tree_at(graph, tip.as_ref());
    let tree = tree.apply(&*buffer, &mut SortedEdits::new(edits)).unwrap();
    let draft = CommitDraft {
        root: tree.root().clone(),
        parents: tip.into_iter().collect(),
        author: signature(1_700_000_000),
        committer: signature(1_700_000_001),
        message: message.to_owned(),
    };
    (Pending(buffer), draft)
}

pub(crate) fn edit_of(name: &str, tip: Option<CommitId>) -> RefEdit {
    RefEdit {
        name: name.to_owned(),
        expected: tip.map_or(Expected::Absent, Expected::Commit),
        new: None,
        log: "commit: test".to_owned(),
    }
}

pub(crate) fn commit_on(graph: &GitGraph, name: &str, edits: Vec<Edit>, message: &str) -> Result<CommitId> {
    let tip = graph.read_ref(name)?;
    let (pending, draft) = draft(graph, tip, edits, message);
    graph.publish(&pending, &draft, Some(&edit_of(name, tip)))
}

pub(crate) fn commit(graph: &GitGraph, edits: Vec<Edit>) -> CommitId {
    commit_on(graph, MAIN, edits, "a commit").unwrap()
}

pub(crate) fn contents(graph: &GitGraph, id: &CommitId) -> Contents {
    let (tree, _) = tree_at(graph, Some(id));
    let mut range = tree.range::<&[u8]>(..).unwrap();
    let mut out = Contents::new();
    while let Some((key, value)) = range.next_pair().unwrap() {
        out.insert(key, value);
    }
    out
}

/// Everything all commits of a branch hold, newest first.
pub(crate) fn history(graph: &GitGraph, name: &str) -> Vec<(CommitId, Hash, Contents)> {
    let mut out = Vec::new();
    let mut tip = graph.read_ref(name).unwrap();
    while let Some(id) = tip {
        let commit = graph.read_commit(&id).unwrap().unwrap();
        out.push((id, commit.root.hash, contents(graph, &id)));
        tip = commit.parents.first().copied();
    }
    out
}

/// Runs Git, which must succeed, and returns what it printed.
pub(crate) fn git(dir: &Path, args: &[&str]) -> String {
    let output = try_git(dir, args);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "git {args:?}: {}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

pub(crate) fn try_git(dir: &Path, args: &[&str]) -> Output {
    Command::new("git")
        .args([
            "-c",
            "user.name=Tester",
            "-c",
            "user.email=t@example.com",
            "-c",
            "protocol.file.allow=always",
        ])
        .args(args)
        .current_dir(dir)
        .stdin(Stdio::null())
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .expect("git is installed")
}

/// `git fsck`, as strict as it gets.
pub(crate) fn fsck(dir: &Path) {
    let output = git(dir, &["fsck", "--full", "--strict", "--no-dangling"]);
    assert!(output.trim().is_empty(), "fsck says {output}");
}

/// Names of the files in a directory that end with one of these.
pub(crate) fn files_ending(dir: &Path, end: &str) -> Vec<String> {
    std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(end))
        .collect()
}

/// Which job a child process has, and where.
const JOB: &str = "PROLLY_TEST_JOB";
const PLACE: &str = "PROLLY_TEST_PLACE";

/// A process of its own that does a job on a store.
pub(crate) fn child(job: &str, place: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "support::in_a_child", "--ignored", "--nocapture", "--test-threads=1"])
        .stdin(Stdio::null())
        .env(JOB, job)
        .env(PLACE, place)
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("GIT_CONFIG_GLOBAL")
        .env("GIT_CONFIG_SYSTEM", "/dev/null");
    command
}

/// Runs a job to its end; returns the lines it printed.
pub(crate) fn run_child(job: &str, place: &Path, env: &[(&str, &str)]) -> String {
    let output = child(job, place).envs(env.iter().copied()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{job}: {text}{}", String::from_utf8_lossy(&output.stderr));
    answers(&text)
}

/// What a child said, without what the test harness says. The harness does not end its line before the first answer.
pub(crate) fn answers(text: &str) -> String {
    text.lines().filter_map(|line| line.split_once("> ")).map(|(_, answer)| format!("{answer}\n")).collect()
}

#[expect(clippy::print_stdout, reason = "a child has no other way to answer")]
fn answer(text: &str) {
    println!("> {text}");
}

/// The jobs of child processes.
#[test]
#[ignore = "only other tests run it, in a process of its own"]
fn in_a_child() {
    let place = std::env::var_os(PLACE).expect("another test starts this one");
    let graph = open(Path::new(&place));
    match std::env::var(JOB).unwrap().as_str() {
        "print_identity" => answer(&format!("{:?}", graph.identity().unwrap())),
        "read_main" => {
            let tip = graph.read_ref(MAIN).unwrap().unwrap();
            answer(&format!("{tip} {} {}", contents(&graph, &tip).len(), graph.git_dir().display()));
        }
        // Commits until it is killed, and says so each time.
        "commit_forever" => {
            for round in 0u64.. {
                let seed =
                    noise(u64::from(std::process::id()), 8).iter().fold(round, |a, b| a * 31 + u64::from(*b));
                let edits =
                    (0..5).map(|index| put(noise(seed + index, 16), noise(seed + index, 100))).collect();
                answer(&commit_on(&graph, MAIN, edits, "in a child").unwrap().to_string());
            }
        }
        // Adds its own entries one by one, whoever else moves the branch.
        "commit_against_others" => {
            let own = std::process::id();
            for round in 0..20 {
                loop {
                    match commit_on(&graph, MAIN, vec![put(format!("{own} {round}"), "x")], "raced") {
                        Ok(id) => break answer(&id.to_string()),
                        Err(Error::RefMoved { .. }) => answer("lost"),
                        Err(error) => panic!("{error}"),
                    }
                }
            }
        }
        other => panic!("no such job: {other}"),
    }
}
