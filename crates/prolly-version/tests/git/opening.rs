//! What may be at a path, and what becomes of it.

use std::{collections::BTreeMap, fs, path::Path};

use prolly_version::{
    CommitGraph, Error, Head,
    git::{GitGraph, GitOptions},
};

use crate::support::*;

fn try_open(path: &Path) -> Result<GitGraph, Error> {
    GitGraph::open_or_init(path, &GitOptions::default())
}

fn refused(path: &Path) -> String {
    match try_open(path) {
        Err(error @ Error::NotAStore { .. }) => error.to_string(),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("{} must be refused", path.display()),
    }
}

/// All files below a directory, with their contents.
fn snapshot(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut out = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(current) = open.pop() {
        for entry in fs::read_dir(&current).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(dir).unwrap().to_string_lossy().into_owned();
                out.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    out
}

#[test]
fn absent_empty_and_ordinary_directories_become_stores() {
    let dir = tempfile::tempdir().unwrap();
    assert!(GitGraph::open(dir.path().join("absent"), &GitOptions::default()).unwrap().is_none());
    assert!(!dir.path().join("absent").exists(), "to ask is not to make");
    fs::create_dir(dir.path().join("empty")).unwrap();
    fs::create_dir(dir.path().join("used")).unwrap();
    fs::write(dir.path().join("used/file"), "mine").unwrap();
    for name in ["absent/deep", "empty", "used"] {
        let path = dir.path().join(name);
        let graph = try_open(&path).unwrap();
        assert_eq!(graph.head().unwrap(), Head::Branch(MAIN.to_owned()));
        let id = commit(&graph, vec![put("k", "v")]);
        assert_eq!(open(&path).read_ref(MAIN).unwrap(), Some(id));
        assert_eq!(git(&path, &["rev-parse", "--is-bare-repository"]).trim(), "true");
        assert_eq!(git(&path, &["log", "--format=%H"]).trim(), id.to_string());
        fsck(&path);
        let litter: Vec<_> =
            files_ending(&path, "").into_iter().filter(|name| name != ".git" && name != "file").collect();
        assert!(litter.is_empty(), "{litter:?}");
    }
    assert_eq!(fs::read_to_string(dir.path().join("used/file")).unwrap(), "mine");
}

#[test]
fn a_store_in_the_making_whose_maker_died_is_cleared_away() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join(".git.draft-1-x/prollytree")).unwrap();
    fs::write(dir.path().join(".git.draft-1-x/prollytree/lock"), "").unwrap();
    drop(try_open(dir.path()).unwrap());
    assert_eq!(files_ending(dir.path(), ""), [".git"]);
}

#[test]
fn many_may_make_the_same_store_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    std::thread::scope(|scope| {
        for index in 0..8 {
            let path = &path;
            scope.spawn(move || {
                commit_on(&open(path), &format!("refs/heads/{index}"), vec![put("k", "v")], "").unwrap()
            });
        }
    });
    assert_eq!(open(&path).refs("refs/heads/").unwrap().len(), 8);
    assert_eq!(files_ending(&path, ""), [".git"]);
    fsck(&path);
}

#[test]
fn files_and_foreign_repositories_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "x").unwrap();
    assert!(refused(&file).contains("it is a file"));
    let error = try_open(&file.join("below")).unwrap_err();
    assert!(matches!(&error, Error::Io { path, .. } if *path == file.join("below")), "{error}");

    let other = dir.path().join("other");
    git(dir.path(), &["init", "-q", "-b", "main", "other"]);
    fs::write(other.join("code.rs"), "fn main() {}").unwrap();
    git(&other, &["add", "."]);
    let before = snapshot(&other);
    assert!(refused(&other).contains("use a sub-directory"), "files in the index");
    git(&other, &["commit", "-q", "-m", "theirs"]);
    assert!(refused(&other).contains("other history"));
    git(&other, &["checkout", "-q", "--orphan", "fresh"]);
    git(&other, &["rm", "-q", "--cached", "code.rs"]);
    assert!(refused(&other).contains("other history"), "on another branch");
    assert_eq!(snapshot(&other)["code.rs"], before["code.rs"]);
    assert!(!other.join(".git/prollytree").exists());

    git(&other, &["worktree", "add", "-q", "../linked", "main"]);
    assert!(refused(&dir.path().join("linked")).contains("work tree of a repository elsewhere"));
    let broken = dir.path().join("broken");
    fs::create_dir_all(broken.join(".git")).unwrap();
    assert!(refused(&broken).contains("HEAD, objects or refs is missing"));
    for (name, args) in
        [("sha256", &["--object-format=sha256"][..]), ("reftable", &["--ref-format=reftable"])]
    {
        let mut init = vec!["init", "-q", name];
        init.extend(args);
        if try_git(dir.path(), &init).status.success() {
            assert!(refused(&dir.path().join(name)).contains(name));
        }
    }
}

#[test]
fn a_directory_of_the_old_package_is_recognised() {
    for name in ["prolly_config_tree_config", "prolly_hash_mappings", "prolly_config_namespaced_root"] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(name), "{}").unwrap();
        let message = refused(dir.path());
        assert!(message.contains(name) && message.contains("export"), "{message}");
        assert_eq!(files_ending(dir.path(), ""), [name], "it is left as it is");
    }
}

#[test]
fn a_repository_without_commits_is_adopted() {
    let dir = tempfile::tempdir().unwrap();
    git(dir.path(), &["init", "-q", "-b", "trunk"]);
    fs::write(dir.path().join("untracked"), "mine").unwrap();
    let graph = open(dir.path());
    assert_eq!(graph.head().unwrap(), Head::Branch("refs/heads/trunk".to_owned()));
    commit_on(&graph, "refs/heads/trunk", vec![put("k", "v")], "first").unwrap();
    assert_eq!(git(dir.path(), &["config", "core.bare"]).trim(), "true");
    assert_eq!(fs::read_to_string(dir.path().join("untracked")).unwrap(), "mine");
    assert_eq!(open(dir.path()).refs("").unwrap().len(), 1);
    fsck(dir.path());
}

#[test]
fn a_repository_around_the_store_is_never_touched() {
    let dir = tempfile::tempdir().unwrap();
    let outer = dir.path();
    git(outer, &["init", "-q", "-b", "main"]);
    fs::write(outer.join("a"), "1").unwrap();
    fs::write(outer.join("b"), "1").unwrap();
    git(outer, &["add", "."]);
    git(outer, &["commit", "-q", "-m", "outer"]);
    fs::write(outer.join("a"), "2").unwrap();
    git(outer, &["add", "a"]);
    fs::write(outer.join("b"), "3").unwrap();
    let status = git(outer, &["status", "--porcelain"]);
    let before = snapshot(outer);

    let store = outer.join("data/store");
    let graph = open(&store);
    for round in 0..40 {
        commit(&graph, vec![put(format!("{round}"), noise(round, 100))]);
    }
    graph
        .update_refs(&[prolly_version::RefEdit {
            new: graph.read_ref(MAIN).unwrap(),
            ..edit_of("refs/heads/x", None)
        }])
        .unwrap();
    graph.set_head(&Head::Branch("refs/heads/x".to_owned())).unwrap();
    graph.collect_garbage().unwrap();
    let mut after = snapshot(outer);
    after.retain(|name, _| !name.starts_with("data/store/"));
    assert_eq!(after, before);
    assert_eq!(git(outer, &["status", "--porcelain"]), format!("{status}?? data/\n"));
    fsck(outer);
    fsck(&store);
}

#[test]
fn a_clone_opens_for_reading_as_it_is_and_is_made_bare_to_be_written() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("store"));
    commit(&store, entries(500));
    commit(&store, vec![put("k", "v")]);
    let before = history(&store, MAIN);
    git(dir.path(), &["clone", "-q", "store", "clone"]);
    let path = dir.path().join("clone");
    fs::write(path.join("mine"), "untracked").unwrap();
    let files = snapshot(&path);
    assert!(path.join("root/node").exists() && path.join("prolly").exists());

    let clone = open(&path);
    assert_eq!(history(&clone, MAIN), before);
    assert_eq!(snapshot(&path), files, "reading changes nothing");
    assert_eq!(clone.read_ref("refs/remotes/origin/main").unwrap(), Some(before[0].0));
    assert_eq!(clone.read_ref("refs/remotes/origin/HEAD").unwrap(), Some(before[0].0));

    commit(&clone, vec![put("k", "w")]);
    let mut left = files_ending(&path, "");
    left.sort_unstable();
    assert_eq!(left, [".git", "mine"]);
    assert_eq!(git(&path, &["config", "core.bare"]).trim(), "true");
    assert!(!path.join(".git/index").exists());
    assert_eq!(history(&open(&path), MAIN)[1..], before);
    // It is a clone still: it fetches and pushes.
    commit(&store, vec![put("other", "x")]);
    git(&path, &["fetch", "-q"]);
    assert_eq!(clone.read_ref("refs/remotes/origin/main").unwrap(), store.read_ref(MAIN).unwrap());
    git(&path, &["push", "-q", "origin", "main:from-clone"]);
    assert_eq!(store.read_ref("refs/heads/from-clone").unwrap(), clone.read_ref(MAIN).unwrap());
    fsck(&path);
}

#[test]
fn what_was_changed_in_a_clone_is_not_thrown_away() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("store"));
    commit(&store, entries(500));
    git(dir.path(), &["clone", "-q", "store", "clone"]);
    let path = dir.path().join("clone");
    // A file that was changed stays, though nothing reads it any more.
    fs::write(path.join("root/node"), "changed").unwrap();
    commit(&open(&path), vec![put("k", "v")]);
    assert_eq!(fs::read_to_string(path.join("root/node")).unwrap(), "changed");
    assert!(!path.join("root/0000").exists() && !path.join("prolly").exists());

    // Staged changes are in the way: they would be lost.
    git(dir.path(), &["clone", "-q", "store", "staged"]);
    let path = dir.path().join("staged");
    fs::write(path.join("prolly"), "staged").unwrap();
    git(&path, &["add", "prolly"]);
    let before = snapshot(&path);
    let graph = open(&path);
    let error = commit_on(&graph, MAIN, vec![put("k", "v")], "").unwrap_err();
    assert!(matches!(&error, Error::WorkTreeInUse { path: named, .. } if *named == path), "{error}");
    let mut after = snapshot(&path);
    after.retain(|name, _| !name.starts_with(".git/prollytree/"));
    assert_eq!(after, before);
    git(&path, &["reset", "-q", "--hard"]);
    commit_on(&graph, MAIN, vec![put("k", "v")], "").unwrap();
}

#[test]
fn clones_without_a_checkout_and_shallow_ones_open() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("store"));
    for round in 0..5 {
        commit(&store, vec![put(format!("{round}"), "v")]);
    }
    let before = history(&store, MAIN);
    git(dir.path(), &["clone", "-q", "--no-checkout", "store", "unchecked"]);
    let clone = open(&dir.path().join("unchecked"));
    commit(&clone, vec![put("k", "v")]);
    assert_eq!(history(&clone, MAIN)[1..], before);
    let url = format!("file://{}", dir.path().join("store").display());
    git(dir.path(), &["clone", "-q", "--depth", "2", &url, "shallow"]);
    let shallow = open(&dir.path().join("shallow"));
    assert_eq!(history(&shallow, MAIN), before[..2]);
    commit(&shallow, vec![put("k", "v")]);
    shallow.collect_garbage().unwrap();
    assert_eq!(history(&open(&dir.path().join("shallow")), MAIN).len(), 3);
    fsck(&dir.path().join("shallow"));
}

#[test]
fn a_store_of_a_later_version_is_named_as_such() {
    let dir = tempfile::tempdir().unwrap();
    let graph = open(dir.path());
    let id = commit(&graph, vec![put("k", "v")]);
    let file = dir.path().join("mark");
    fs::write(&file, "prollytree 2\nanything\n").unwrap();
    let mark = git(dir.path(), &["hash-object", "-w", "mark"]);
    fs::remove_file(&file).unwrap();
    let root = git(dir.path(), &["rev-parse", &format!("{id}:root")]);
    let (mark, root) = (mark.trim(), root.trim());
    let script = format!(
        "t=$(printf '100644 blob {mark}\\tprolly\\n100644 blob {root}\\troot\\n' | git mktree) && \
         git update-ref refs/heads/main $(git commit-tree -m newer $t)"
    );
    let done = std::process::Command::new("sh")
        .args(["-c", &script])
        .current_dir(dir.path())
        .envs([
            ("GIT_AUTHOR_NAME", "x"),
            ("GIT_AUTHOR_EMAIL", "x"),
            ("GIT_COMMITTER_NAME", "x"),
            ("GIT_COMMITTER_EMAIL", "x"),
        ])
        .status();
    assert!(done.unwrap().success());
    let error = try_open(dir.path()).unwrap_err();
    assert!(matches!(error, Error::NewerFormat { found: 2, supported: 1, .. }), "{error}");
    git(dir.path(), &["update-ref", MAIN, &id.to_string()]);
    git(dir.path(), &["config", "core.repositoryformatversion", "7"]);
    assert!(refused(dir.path()).contains("version 7"));
}

#[test]
fn the_environment_cannot_lead_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let (store, decoy) = (dir.path().join("store"), dir.path().join("decoy"));
    let graph = open(&store);
    let id = commit(&graph, vec![put("k", "v")]);
    let other = open(&decoy);
    commit(&other, entries(10));
    let git_dir = decoy.join(".git");
    let git_dir = git_dir.to_str().unwrap();
    let objects = format!("{git_dir}/objects");
    let env = [
        ("GIT_DIR", git_dir),
        ("GIT_COMMON_DIR", git_dir),
        ("GIT_OBJECT_DIRECTORY", &objects),
        ("GIT_INDEX_FILE", "/nonexistent/index"),
        ("GIT_WORK_TREE", "/nonexistent"),
        ("GIT_NAMESPACE", "elsewhere"),
        ("GIT_CEILING_DIRECTORIES", "/"),
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_KEY_0", "core.bare"),
        ("GIT_CONFIG_VALUE_0", "nonsense"),
    ];
    let printed = run_child("read_main", &store, &env);
    let expected = store.join(".git").canonicalize().unwrap();
    assert_eq!(printed, format!("{id} 1 {}\n", expected.display()));
}

#[test]
fn a_path_that_cannot_be_written_is_named() {
    // A directory that not even the superuser can write to.
    let path = Path::new("/proc/prolly-store");
    if Path::new("/proc/self").exists() {
        let error = try_open(path).unwrap_err();
        assert!(matches!(&error, Error::Io { path: named, .. } if named.starts_with(path)), "{error}");
    }
}
