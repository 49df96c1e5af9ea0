//! Git stores: what plain Git makes of them.

use std::{ops::ControlFlow, path::Path, process::Command};

use prolly_version::{
    BackendKind, Error, Expected, RefEdit,
    sync::{self, Force, PushSpec},
};

use crate::support::{Step, digest, fetch, go_on, new_graph, reachable, run, store_over};

fn git(dir: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=T", "-c", "user.email=t@example.com", "-c", "protocol.file.allow=always"])
        .args(args)
        .current_dir(dir)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "git {args:?}: {}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

fn fsck(dir: &Path) {
    let output = git(dir, &["fsck", "--full", "--strict", "--no-dangling"]);
    assert!(output.trim().is_empty(), "fsck says {output}");
}

#[test]
fn ids_are_those_that_plain_git_gives_and_fsck_is_clean() {
    let dir = tempfile::tempdir().unwrap();
    let (path, ours, theirs) = (dir.path().join("from"), dir.path().join("ours"), dir.path().join("theirs"));
    let from = new_graph(BackendKind::Git, &path);
    let store = store_over(&from, BackendKind::Git);
    let steps: Vec<_> = (0..60)
        .flat_map(|key| {
            [
                Step::Insert(key as u8 % 3, key, 2),
                if key % 9 == 0 { Step::Commit } else { Step::Delete(0, 1) },
            ]
        })
        .collect();
    run(&store, &steps);
    run(&store, &[Step::Branch, Step::Long(1, 2, 200_000, 3), Step::Tag]);
    let to = new_graph(BackendKind::Git, &ours);
    fetch(&from, &to).unwrap();
    fsck(&ours);
    git(dir.path(), &["clone", "-q", "--bare", path.to_str().unwrap(), theirs.to_str().unwrap()]);
    let listed = |dir: &Path, prefix: &str| {
        let refs = git(dir, &["for-each-ref", "--format=%(objectname) %(refname)", prefix]);
        refs.lines().map(|line| line.replace(prefix, "")).collect::<Vec<_>>()
    };
    assert_eq!(listed(&ours, "refs/remotes/origin/"), listed(&theirs, "refs/heads/"));
    assert_eq!(listed(&ours, "refs/tags/"), listed(&theirs, "refs/tags/"));
    // Plain Git has nothing to fetch that is not there, and takes over from here.
    let packs = git(&ours, &["count-objects", "-v"]);
    git(&ours, &["fetch", "-q", path.to_str().unwrap(), "+refs/heads/*:refs/remotes/origin/*"]);
    assert_eq!(git(&ours, &["count-objects", "-v"]), packs);
    git(&ours, &["gc", "-q", "--prune=now"]);
    let again = fetch(&from, &to).unwrap();
    assert_eq!((again.commits, again.objects), (0, 0));
    for (name, id) in from.refs("refs/heads/").unwrap() {
        let name = name.replace("refs/heads/", "refs/remotes/origin/");
        assert_eq!(digest(&to, &to.read_ref(&name).unwrap().unwrap()), digest(&from, &id));
    }
}

#[test]
fn plain_git_keeps_what_has_arrived_so_far() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("to");
    let from = new_graph(BackendKind::Memory, Path::new(""));
    let steps: Vec<_> = (0..200).map(|key| Step::Insert(key as u8 % 3, key, key as u8 % 5)).collect();
    run(&store_over(&from, BackendKind::Memory), &steps);
    let to = new_graph(BackendKind::Git, &path);
    let mut copied = 0;
    let mut rounds = 0;
    loop {
        let mut here = 0;
        let mut stop = |progress: &sync::Progress| {
            here = progress.objects;
            if here < 25 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        let done = sync::fetch(&*from, &*to, "origin", &Default::default(), &mut stop);
        copied += here;
        rounds += 1;
        fsck(&path);
        git(&path, &["gc", "-q", "--prune=now"]);
        match done {
            Ok(_) => break,
            Err(Error::Interrupted) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert!(rounds > 2);
    let tips: Vec<_> = from.refs("refs/heads/").unwrap().into_iter().map(|(_, id)| id).collect();
    assert_eq!(copied, reachable(&from, &tips).len() as u64);
    assert!(to.refs("refs/prolly/incoming/").unwrap().is_empty());
    let there = to.read_ref("refs/remotes/origin/main").unwrap().unwrap();
    assert_eq!(digest(&to, &there), digest(&from, &tips[0]));
}

#[test]
fn signed_commits_keep_every_byte() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("from");
    let from = new_graph(BackendKind::Git, &path);
    run(&store_over(&from, BackendKind::Git), &[Step::Insert(0, 1, 1), Step::Commit]);
    // A header that the store does not know, as a signature is.
    let tip = from.read_ref("refs/heads/main").unwrap().unwrap();
    let raw = git(&path, &["cat-file", "commit", &tip.to_string()]);
    let signed = format!("{raw} signed").replacen("\n\n", "\ngpgsig -----BEGIN\n more\n -----END\n\n", 1);
    let file = dir.path().join("signed");
    std::fs::write(&file, signed).unwrap();
    let id = git(&path, &["hash-object", "-t", "commit", "-w", file.to_str().unwrap()]);
    let id = id.trim().parse().unwrap();
    let edit = RefEdit {
        name: "refs/heads/signed".to_owned(),
        expected: Expected::Absent,
        new: Some(id),
        log: String::new(),
    };
    from.update_refs(&[edit]).unwrap();
    let to = new_graph(BackendKind::Git, &dir.path().join("to"));
    fetch(&from, &to).unwrap();
    assert_eq!(to.read_ref("refs/remotes/origin/signed").unwrap(), Some(id));
    fsck(&dir.path().join("to"));
    // Through a native graph it loses the header; the map of ids finds it again.
    let native = new_graph(BackendKind::Memory, Path::new(""));
    fetch(&from, &native).unwrap();
    let source = native.read_ref("refs/remotes/origin/signed").unwrap();
    let spec = PushSpec { source, name: "refs/heads/back".to_owned(), force: Force::No };
    let report = sync::push(&*native, &*from, &[spec], &mut go_on).unwrap();
    assert_eq!((report.commits, from.read_ref("refs/heads/back").unwrap()), (0, Some(id)));
}
