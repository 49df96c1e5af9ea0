//! Damaged files: an error that says what is damaged, never other data.

use std::{fs, path::PathBuf};

use prolly_core::{Hash, Link};
use prolly_version::{
    CommitGraph, CommitId, Error, Result,
    git::{GitGraph, GitOptions},
};

use crate::support::*;

/// A store with one pack, its contents, and the paths of its files.
fn sample(dir: &std::path::Path) -> (Contents, Vec<PathBuf>) {
    let graph = open(dir);
    commit(&graph, entries(300));
    let id = commit(&graph, vec![put("long", noise(1, 20_000))]);
    let whole = contents(&graph, &id);
    graph.collect_garbage().unwrap();
    let pack_dir = dir.join(".git/objects/pack");
    let mut files: Vec<_> = files_ending(&pack_dir, "").into_iter().map(|name| pack_dir.join(name)).collect();
    files.sort();
    (whole, files)
}

/// Reads all of the tip, however far that goes.
fn read_all(dir: &std::path::Path) -> Result<Contents> {
    let graph = GitGraph::open_or_init(dir, &GitOptions::default())?;
    let id = graph.read_ref(MAIN)?.expect("the ref is not damaged");
    let commit = graph.read_commit(&id)?.ok_or(Error::MissingCommit { id })?;
    let tree = prolly_core::Tree::open(graph.objects(), prolly_core::TreeConfig::default(), &commit.root)?;
    let mut range = tree.range::<&[u8]>(..)?;
    let mut out = Contents::new();
    while let Some((key, value)) = range.next_pair()? {
        out.insert(key, value);
    }
    Ok(out)
}

#[test]
fn flipped_bytes_are_noticed_wherever_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let (whole, files) = sample(dir.path());
    assert_eq!(read_all(dir.path()).unwrap(), whole);
    let mut noticed = 0;
    for file in files {
        let original = fs::read(&file).unwrap();
        fs::remove_file(&file).unwrap();
        for position in (0..original.len()).step_by(original.len() / 120 + 1) {
            let mut damaged = original.clone();
            damaged[position] ^= 1 << (position % 8);
            fs::write(&file, damaged).unwrap();
            // Bytes that nothing is read from, such as checksums of whole files, may be flipped without effect.
            match read_all(dir.path()) {
                Ok(read) => assert_eq!(read, whole, "byte {position} of {}", file.display()),
                Err(_) => noticed += 1,
            }
        }
        fs::write(&file, original).unwrap();
    }
    assert!(noticed > 100, "only {noticed} flips were noticed");
    assert_eq!(read_all(dir.path()).unwrap(), whole);
}

#[test]
fn truncated_files_are_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let (whole, files) = sample(dir.path());
    for file in files {
        let original = fs::read(&file).unwrap();
        for len in [0, 4, 12, 100, original.len() / 2, original.len() - 30, original.len() - 1] {
            fs::write(&file, &original[..len]).unwrap();
            match read_all(dir.path()) {
                Ok(read) => assert_eq!(read, whole, "{len} bytes of {}", file.display()),
                Err(error) => assert!(!error.to_string().is_empty()),
            }
            assert!(
                len > original.len() / 2 || read_all(dir.path()).is_err(),
                "{len} bytes of {}",
                file.display()
            );
        }
        fs::write(&file, original).unwrap();
    }
    assert_eq!(read_all(dir.path()).unwrap(), whole);
}

#[test]
fn damage_is_not_spread_by_merging_or_sweeping() {
    let dir = tempfile::tempdir().unwrap();
    let (_, files) = sample(dir.path());
    let pack = files.iter().find(|file| file.extension().is_some_and(|end| end == "pack")).unwrap();
    let mut bytes = fs::read(pack).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::remove_file(pack).unwrap();
    fs::write(pack, &bytes).unwrap();

    let graph = open(dir.path());
    // Commits that do not touch what is damaged go on, although the packs cannot be merged.
    let mut failures = 0;
    let mut tip = graph.read_ref(MAIN).unwrap();
    for round in 0..40 {
        let (pending, mut draft) = draft(&graph, None, vec![put(format!("{round}"), "x")], "");
        draft.parents = Vec::from_iter(tip);
        tip = Some(graph.publish(&pending, &draft, Some(&edit_of(MAIN, tip))).unwrap());
        failures += usize::from(graph.take_maintenance_failure().is_some());
    }
    let error = graph.collect_garbage().unwrap_err();
    assert!(matches!(&error, Error::DamagedFile { .. } | Error::GitObject { .. }), "{error}");
    assert!(failures <= 3, "what fails is not tried each time");
    assert_eq!(fs::read(pack).unwrap(), bytes, "the damaged pack is still there");
    assert_eq!(contents(&graph, &tip.unwrap()).len(), 1);
}

#[test]
fn lost_objects_and_lost_commits_are_missing_and_not_empty() {
    let dir = tempfile::tempdir().unwrap();
    let graph = open(dir.path());
    let id = commit(&graph, entries(300));
    let root = graph.read_commit(&id).unwrap().unwrap().root;
    let nobody = Link::from(Hash::new([3; 32]));
    assert!(
        matches!(graph.objects().read_node(&nobody), Err(prolly_core::Error::Missing { hash }) if hash == nobody.hash)
    );
    assert!(matches!(graph.objects().read_record(&nobody), Err(prolly_core::Error::Missing { .. })));
    let pack_dir = dir.path().join(".git/objects/pack");
    for name in files_ending(&pack_dir, "") {
        fs::remove_file(pack_dir.join(name)).unwrap();
    }
    assert!(
        matches!(GitGraph::open_or_init(dir.path(), &GitOptions::default()), Err(Error::MissingCommit { id: lost }) if lost == id)
    );
    // A handle that was open may go on with what it holds, but never with less than that.
    let leaf = graph.objects().read_node(&root).and_then(|root| graph.objects().read_node(&root.child(0)));
    assert!(leaf.is_err() || leaf.unwrap().len() > 0);
}

/// Puts a commit on main whose tree has these entries.
fn commit_of(dir: &std::path::Path, entries: &[(&str, &str, &str)]) -> CommitId {
    let input: String = entries
        .iter()
        .map(|(name, kind, id)| {
            format!("{} {kind} {id}\t{name}\n", if *kind == "tree" { "040000" } else { "100644" })
        })
        .collect();
    fs::write(dir.join("entries"), input).unwrap();
    let script = "git commit-tree -m x $(git mktree --missing < entries)";
    let output = std::process::Command::new("sh")
        .args(["-c", script])
        .current_dir(dir)
        .envs([
            ("GIT_AUTHOR_NAME", "x"),
            ("GIT_AUTHOR_EMAIL", "x"),
            ("GIT_COMMITTER_NAME", "x"),
            ("GIT_COMMITTER_EMAIL", "x"),
        ])
        .output()
        .unwrap();
    fs::remove_file(dir.join("entries")).unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

#[test]
fn repositories_made_to_deceive_give_no_wrong_data() {
    let dir = tempfile::tempdir().unwrap();
    let graph = open(dir.path());
    let honest = commit(&graph, entries(300));
    let other = commit_on(&graph, "refs/heads/other", entries(600).split_off(300), "").unwrap();
    let parse = |rev: String| git(dir.path(), &["rev-parse", &rev]).trim().to_owned();
    let (mark, root) = (parse(format!("{honest}:prolly")), parse(format!("{other}:root")));
    let whole = contents(&graph, &honest);

    // The mark names one root, the tree holds another: the root is looked for, and found elsewhere.
    let swapped = commit_of(dir.path(), &[("prolly", "blob", &mark), ("root", "tree", &root)]);
    assert_eq!(contents(&open(dir.path()), &swapped), whole);
    git(dir.path(), &["update-ref", "-d", MAIN]);
    let fresh = open(dir.path());
    let commit = fresh.read_commit(&swapped).unwrap().unwrap();
    assert!(fresh.objects().read_node(&commit.root).is_err(), "nothing that is reachable has this address");

    for entries in [
        vec![("root", "tree", root.as_str())],
        vec![("prolly", "tree", root.as_str()), ("root", "tree", root.as_str())],
        vec![("prolly", "blob", mark.as_str())],
    ] {
        let id = commit_of(dir.path(), &entries);
        let error = fresh.read_commit(&id).unwrap_err();
        assert!(matches!(error, Error::ForeignCommit { .. }), "{error}");
    }
    let id = commit_of(
        dir.path(),
        &[("prolly", "blob", &parse(format!("{honest}:root/node"))), ("root", "tree", &root)],
    );
    assert!(matches!(fresh.read_commit(&id), Err(Error::DamagedCommit { .. })));
}
