//! Packs are merged as they accumulate, and swept on request; what refs reach stays whole.

use std::{fs, path::Path};

use prolly_version::{CommitGraph, RefEdit};

use crate::support::*;

fn packs(store: &Path) -> usize {
    files_ending(&store.join(".git/objects/pack"), ".pack").len()
}

fn bytes(store: &Path) -> u64 {
    let dir = store.join(".git/objects/pack");
    files_ending(&dir, "").iter().map(|name| fs::metadata(dir.join(name)).unwrap().len()).sum()
}

#[test]
fn many_commits_make_few_packs_and_small_ones() {
    let dir = tempfile::tempdir().unwrap();
    let graph = open(dir.path());
    commit(&graph, entries(3_000));
    let base = bytes(dir.path());
    let mut added = 0;
    for round in 0..300u64 {
        let before = bytes(dir.path());
        commit(&graph, vec![put(noise(round % 3_000, 16), noise(round + 9_999, 100))]);
        added += bytes(dir.path()).saturating_sub(before);
        assert!(packs(dir.path()) <= 32, "{} packs after {round} commits", packs(dir.path()));
    }
    assert!(graph.take_maintenance_failure().is_none());
    assert!(
        bytes(dir.path()) - base < added / 2,
        "merging found few deltas: {} of {added}",
        bytes(dir.path()) - base
    );
    fsck(dir.path());
    let before = history(&graph, MAIN);
    assert_eq!(history(&open(dir.path()), MAIN), before);
    git(dir.path(), &["verify-pack", &verify_target(dir.path())]);
}

fn verify_target(store: &Path) -> String {
    let names = files_ending(&store.join(".git/objects/pack"), ".idx");
    format!(".git/objects/pack/{}", names[0])
}

#[test]
fn merging_goes_on_where_another_handle_left_off() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..60 {
        // A handle for each commit: none of them sees sixteen.
        commit(&open(dir.path()), vec![put(format!("{round}"), noise(round, 50))]);
    }
    assert!(packs(dir.path()) <= 20, "{} packs", packs(dir.path()));
    assert_eq!(history(&open(dir.path()), MAIN).len(), 60);
    fsck(dir.path());
}

#[test]
fn kept_and_indexed_packs_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let graph = open(dir.path());
    for round in 0..5 {
        commit(&graph, vec![put(format!("{round}"), "v")]);
    }
    let pack_dir = dir.path().join(".git/objects/pack");
    let mut kept = files_ending(&pack_dir, ".pack");
    fs::write(pack_dir.join(&kept[0]).with_extension("keep"), "mine\n").unwrap();
    git(dir.path(), &["multi-pack-index", "write"]);
    for round in 5..60 {
        commit(&graph, vec![put(format!("{round}"), "v")]);
    }
    assert!(graph.take_maintenance_failure().is_none());
    let now = files_ending(&pack_dir, ".pack");
    kept.retain(|name| !now.contains(name));
    assert!(kept.is_empty(), "{kept:?} have gone");
    assert_eq!(history(&open(dir.path()), MAIN).len(), 60);
    fsck(dir.path());
}

#[test]
fn the_sweep_removes_what_nothing_reaches() {
    let dir = tempfile::tempdir().unwrap();
    let graph = open(dir.path());
    commit(&graph, entries(2_000));
    for round in 0..30 {
        commit(&graph, vec![put(format!("{round}"), noise(round, 100))]);
    }
    let main = graph.read_ref(MAIN).unwrap();
    commit_on(&graph, "refs/heads/gone", entries(4_000).split_off(2_000), "lost").unwrap();
    let tag = commit_on(&graph, "refs/tags/kept", vec![put("tagged", "x")], "").unwrap();
    git(dir.path(), &["tag", "-a", "-m", "x", "annotated", &tag.to_string()]);
    let detached = commit_on(&graph, "refs/heads/detached", vec![put("d", "x")], "").unwrap();
    graph.set_head(&prolly_version::Head::Detached(detached)).unwrap();
    let before = history(&graph, MAIN);
    let lost = graph.read_ref("refs/heads/gone").unwrap();
    for (name, tip) in [("refs/heads/gone", lost), ("refs/heads/detached", Some(detached))] {
        graph.update_refs(&[RefEdit { new: None, ..edit_of(name, tip) }]).unwrap();
    }
    let report = graph.collect_garbage().unwrap();
    assert!(report.objects_removed > 30, "{report:?}");
    assert!(report.bytes_after < report.bytes_before, "{report:?}");
    assert_eq!(packs(dir.path()), 1);
    assert_eq!(graph.read_commit(&lost.unwrap()).unwrap().map(|commit| commit.id), None);
    for graph in [&graph, &open(dir.path())] {
        assert_eq!(history(graph, MAIN), before);
        assert_eq!(graph.read_ref("refs/tags/annotated").unwrap(), Some(tag));
        assert_eq!(contents(graph, &detached).len(), 1);
    }
    fsck(dir.path());
    let again = graph.collect_garbage().unwrap();
    assert_eq!(
        (again.objects_removed, again.objects_before),
        (0, report.objects_before - report.objects_removed)
    );
    assert_eq!(again.bytes_after, again.bytes_before);
    // What was swept is not linked to again.
    let (pending, mut draft) = draft(&graph, main, vec![put("later", "x")], "");
    draft.parents.extend(lost);
    assert!(graph.publish(&pending, &draft, Some(&edit_of(MAIN, main))).is_err());
    commit(&graph, entries(4_000).split_off(2_000));
    fsck(dir.path());
}

#[test]
fn the_sweep_and_git_gc_take_turns() {
    let dir = tempfile::tempdir().unwrap();
    let graph = open(dir.path());
    commit(&graph, entries(2_000));
    for round in 0..6u64 {
        for step in 0..20 {
            commit(&graph, vec![put(noise(step, 16), noise(round * 100 + step, 100))]);
        }
        match round % 3 {
            0 => drop(git(dir.path(), &["gc", "-q", "--prune=now"])),
            1 => drop(graph.collect_garbage().unwrap()),
            _ => drop(git(dir.path(), &["repack", "-q", "-a", "-d", "-f", "--depth=40"])),
        }
        fsck(dir.path());
    }
    // Loose objects that are reachable are packed; that Git unpacked them changes nothing.
    let unpacked = dir.path().join("pack");
    let dir_packs = dir.path().join(".git/objects/pack");
    for name in files_ending(&dir_packs, "") {
        let path = dir_packs.join(&name);
        if name.ends_with(".pack") {
            fs::rename(&path, &unpacked).unwrap();
            let input = fs::File::open(&unpacked).unwrap();
            let status = std::process::Command::new("git")
                .args(["unpack-objects", "-q"])
                .current_dir(dir.path())
                .stdin(input)
                .status();
            assert!(status.unwrap().success());
        }
        if path.exists() {
            fs::remove_file(&path).unwrap();
        }
    }
    let before = history(&open(dir.path()), MAIN);
    assert_eq!(before.len(), 121);
    let report = open(dir.path()).collect_garbage().unwrap();
    assert_eq!(report.objects_removed, 0);
    assert_eq!(packs(dir.path()), 1);
    let loose = git(dir.path(), &["count-objects"]);
    assert!(loose.starts_with("0 objects"), "{loose}");
    assert_eq!(history(&open(dir.path()), MAIN), before);
    fsck(dir.path());
}

#[test]
fn what_logs_and_other_repositories_hold_is_left_to_them() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("store"));
    git(&dir.path().join("store"), &["config", "core.logAllRefUpdates", "true"]);
    let store = drop_and_open(store);
    let a = commit(&store, entries(100));
    let b = commit(&store, vec![put("b", "1")]);
    store.update_refs(&[RefEdit { new: Some(a), ..edit_of(MAIN, Some(b)) }]).unwrap();
    store.collect_garbage().unwrap();
    assert_eq!(contents(&store, &b).len(), 101, "the log of the branch still names it");
    fsck(&dir.path().join("store"));

    git(dir.path(), &["clone", "-q", "--shared", "store", "borrowing"]);
    let borrowing = open(&dir.path().join("borrowing"));
    commit(&borrowing, vec![put("own", "1")]);
    borrowing.collect_garbage().unwrap();
    assert!(bytes(&dir.path().join("borrowing")) < bytes(&dir.path().join("store")));
    assert_eq!(history(&open(&dir.path().join("borrowing")), MAIN).len(), 2);
    fsck(&dir.path().join("borrowing"));
}

fn drop_and_open(graph: prolly_version::git::GitGraph) -> prolly_version::git::GitGraph {
    let path = graph.path().to_owned();
    drop(graph);
    open(&path)
}
