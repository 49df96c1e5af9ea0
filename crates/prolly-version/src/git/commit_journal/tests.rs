//! Power cuts, made by hand: what was not synced is lost or damaged, and the system is another run of itself.

use std::{
    cell::Cell,
    path::{Path, PathBuf},
};

use super::{
    super::{
        GitGraph, GitOptions,
        tests::{MAIN, at_every_step, commit, files_ending, fsck, history},
    },
    BOOT_ID_BYTES, HEADER_BYTES, RECORDS_MAX,
};
use crate::{CommitGraph, CommitId, Expected, RefEdit};

thread_local! {
    /// Makes the system, for this thread, one that does not tell its runs apart.
    pub(super) static BOOT_IS_UNKNOWN: Cell<bool> = const { Cell::new(false) };
}

fn journalled(path: &Path) -> GitGraph {
    GitGraph::open_or_init(path, &GitOptions { commit_journal: true, ..GitOptions::default() }).unwrap()
}

/// A handle whose process dies: nothing is settled.
fn die(graph: GitGraph) {
    std::mem::forget(graph);
}

fn journal(path: &Path) -> PathBuf {
    path.join(".git/prollytree/commit-journal")
}

/// Starts the system anew, as far as the journal can tell.
fn reboot(path: &Path) {
    let path = journal(path);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[24..24 + BOOT_ID_BYTES].fill(b'x');
    let check = blake3::hash(&bytes[..HEADER_BYTES - 4]);
    bytes[HEADER_BYTES - 4..HEADER_BYTES].copy_from_slice(&check.as_bytes()[..4]);
    std::fs::write(&path, bytes).unwrap();
}

fn packs(path: &Path) -> Vec<PathBuf> {
    let dir = path.join(".git/objects/pack");
    files_ending(&dir, ".pack").into_iter().map(|name| dir.join(name)).collect()
}

fn records(path: &Path) -> usize {
    let layout = super::Layout::new(&path.join(".git"));
    super::CommitJournal::open(&layout).unwrap().map_or(0, |journal| journal.records.len())
}

fn main_file(path: &Path) -> PathBuf {
    path.join(".git").join(MAIN)
}

/// A store with a commit that is durable in its own place, and three that are in the journal only.
fn store() -> (tempfile::TempDir, Vec<u8>, Vec<PathBuf>) {
    let dir = tempfile::tempdir().unwrap();
    commit(&GitGraph::open_or_init(dir.path(), &GitOptions::default()).unwrap(), "0").unwrap();
    let (old_ref, old_packs) = (std::fs::read(main_file(dir.path())).unwrap(), packs(dir.path()));
    let graph = journalled(dir.path());
    for key in ["1", "2", "3"] {
        commit(&graph, key).unwrap();
    }
    die(graph);
    assert_eq!(records(dir.path()), 3);
    (dir, old_ref, old_packs)
}

/// What a power cut does to a store, given the ref and the packs that were durable.
type Loss<'a> = &'a dyn Fn(&Path, &[u8], &[PathBuf]);

#[test]
fn a_power_cut_loses_no_commit_that_returned() {
    let losses: [(&str, Loss<'_>); 5] = [
        ("nothing", &|_, _, _| ()),
        ("the ref", &|path, old_ref, _| std::fs::write(main_file(path), old_ref).unwrap()),
        ("the content of the ref", &|path, _, _| std::fs::write(main_file(path), b"").unwrap()),
        ("the packs", &|path, old_ref, old_packs| {
            std::fs::write(main_file(path), old_ref).unwrap();
            for pack in packs(path).iter().filter(|pack| !old_packs.contains(pack)) {
                std::fs::remove_file(pack).unwrap();
                std::fs::remove_file(pack.with_extension("idx")).unwrap();
            }
        }),
        ("the content of the packs", &|path, _, old_packs| {
            for pack in packs(path).iter().filter(|pack| !old_packs.contains(pack)) {
                std::fs::write(pack, vec![0; std::fs::read(pack).unwrap().len()]).unwrap();
                std::fs::write(pack.with_extension("idx"), b"").unwrap();
            }
        }),
    ];
    for (what, lose) in losses {
        let (dir, old_ref, old_packs) = store();
        lose(dir.path(), &old_ref, &old_packs);
        reboot(dir.path());
        assert_eq!(history(dir.path()), ["3", "2", "1", "0"], "without {what}");
        assert_eq!(records(dir.path()), 0, "without {what}");
        fsck(dir.path());
    }
}

#[test]
fn what_was_being_written_when_the_power_failed_is_as_if_it_had_not_begun() {
    let (dir, old_ref, _) = store();
    let whole = std::fs::read(journal(dir.path())).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    let end = whole.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    for cut in (HEADER_BYTES..=end).step_by(97).chain([end]) {
        let mut torn = whole.clone();
        torn[cut..].fill(0);
        std::fs::write(journal(dir.path()), &torn).unwrap();
        std::fs::write(main_file(dir.path()), &old_ref).unwrap();
        reboot(dir.path());
        let found = history(dir.path());
        let expected = ["3", "2", "1", "0"];
        assert_eq!(found, expected[expected.len() - found.len()..]);
        seen.insert(found.len());
    }
    assert_eq!(seen, (1..=4).collect());
}

#[test]
fn while_the_system_runs_nothing_is_carried_on() {
    let (dir, old_ref, _) = store();
    // Somebody goes back, without knowing of the journal.
    std::fs::write(main_file(dir.path()), &old_ref).unwrap();
    assert_eq!(history(dir.path()), ["0"]);
    commit(&journalled(dir.path()), "other").unwrap();
    assert_eq!(history(dir.path()), ["other", "0"]);
}

#[test]
fn a_ref_that_was_moved_on_by_others_stays() {
    let (dir, ..) = store();
    let tip: CommitId = std::fs::read_to_string(main_file(dir.path())).unwrap().trim().parse().unwrap();
    let other = dir.path().join("other");
    let elsewhere = GitGraph::open_or_init(&other, &GitOptions::default()).unwrap();
    let strange = commit(&elsewhere, "strange").unwrap();
    for pack in packs(&other) {
        for path in [pack.clone(), pack.with_extension("idx")] {
            let to = dir.path().join(".git/objects/pack").join(path.file_name().unwrap());
            std::fs::copy(path, to).unwrap();
        }
    }
    std::fs::write(main_file(dir.path()), format!("{strange}\n")).unwrap();
    reboot(dir.path());
    assert_eq!(history(dir.path()), ["strange"]);
    assert_ne!(tip, strange);
}

#[test]
fn every_other_way_of_moving_refs_settles_first() {
    let (dir, old_ref, _) = store();
    let old: CommitId = std::str::from_utf8(&old_ref).unwrap().trim().parse().unwrap();
    let graph = journalled(dir.path());
    let tip = commit(&graph, "4").unwrap();
    assert_ne!(records(dir.path()), 0);
    let back = RefEdit {
        name: MAIN.to_owned(),
        expected: Expected::Commit(tip),
        new: Some(old),
        log: String::new(),
    };
    graph.update_refs(&[back]).unwrap();
    die(graph);
    assert_eq!(records(dir.path()), 0);
    reboot(dir.path());
    assert_eq!(history(dir.path()), ["0"], "a reset is not undone");
}

#[test]
fn a_journal_is_settled_when_it_is_full_and_when_its_owner_leaves() {
    let dir = tempfile::tempdir().unwrap();
    let graph = journalled(dir.path());
    let mut most = 0;
    let mut settled = 0;
    for index in 0..3 * RECORDS_MAX {
        commit(&graph, &format!("{index}")).unwrap();
        let now = records(dir.path());
        settled += usize::from(now < most.min(now + 1) && now <= 1);
        most = most.max(now);
    }
    assert!((2..=RECORDS_MAX).contains(&most), "{most}");
    assert!(settled >= 1);
    commit(&graph, "last").unwrap();
    drop(graph);
    assert_eq!(records(dir.path()), 0);
    assert_eq!(history(dir.path()).len(), 3 * RECORDS_MAX + 1);
    fsck(dir.path());
}

#[test]
fn handles_with_and_without_a_journal_share_a_store() {
    let dir = tempfile::tempdir().unwrap();
    let graphs = [
        journalled(dir.path()),
        GitGraph::open_or_init(dir.path(), &GitOptions::default()).unwrap(),
        journalled(dir.path()),
    ];
    let mut expected = Vec::new();
    for index in [0, 1, 0, 2, 0, 2, 2, 1, 1, 2, 0, 0, 2] {
        let key = format!("{}", expected.len());
        commit(&graphs[index], &key).unwrap();
        expected.insert(0, key);
    }
    let listed = records(dir.path());
    graphs.into_iter().for_each(die);
    assert_eq!(listed, 4, "those after the last commit without a journal");
    reboot(dir.path());
    assert_eq!(history(dir.path()), expected);
    fsck(dir.path());
}

#[test]
fn a_commit_that_fails_leaves_the_old_state_or_the_new_one() {
    let dir = tempfile::tempdir().unwrap();
    commit(&journalled(dir.path()), "first").unwrap();
    let mut expected = vec!["first".to_owned()];
    at_every_step(
        |steps| {
            let graph = GitGraph::open_or_init(
                dir.path(),
                &GitOptions { commit_journal: true, ..GitOptions::default() },
            )?;
            let made = commit(&graph, &format!("{steps}"));
            die(graph);
            made.map(drop)
        },
        |steps, succeeded| {
            if steps % 2 == 0 {
                reboot(dir.path());
            }
            let found = history(dir.path());
            let moved = found.len() > expected.len();
            assert!(moved || !succeeded, "step {steps}: the commit succeeded and is lost");
            assert_eq!(found[usize::from(moved)..], expected);
            expected = found;
        },
    );
    fsck(dir.path());
}

#[test]
fn a_damaged_journal_is_named() {
    let (dir, ..) = store();
    let mut bytes = std::fs::read(journal(dir.path())).unwrap();
    bytes[17] ^= 1;
    std::fs::write(journal(dir.path()), bytes).unwrap();
    let error = GitGraph::open(dir.path(), &GitOptions::default()).unwrap_err();
    assert!(error.to_string().contains("commit-journal"), "{error}");
}

#[test]
fn where_runs_of_the_system_cannot_be_told_apart_nothing_is_journalled() {
    BOOT_IS_UNKNOWN.set(true);
    let dir = tempfile::tempdir().unwrap();
    let graph = journalled(dir.path());
    let first = commit(&graph, "1").unwrap();
    commit(&graph, "2").unwrap();
    // As plain Git moves it.
    std::fs::write(main_file(dir.path()), format!("{first}\n")).unwrap();
    commit(&graph, "3").unwrap();
    die(graph);
    assert_eq!(history(dir.path()), ["3", "1"]);
    assert!(!journal(dir.path()).exists());
    BOOT_IS_UNKNOWN.set(false);
}

#[test]
fn a_handle_that_writes_nothing_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    commit(&GitGraph::open_or_init(dir.path(), &GitOptions::default()).unwrap(), "0").unwrap();
    let own = dir.path().join(".git/prollytree");
    std::fs::remove_dir_all(&own).unwrap();
    drop(journalled(dir.path()));
    assert!(!own.exists());
}

#[test]
fn until_a_journal_is_full_it_has_room_for_the_longest_record() {
    let dir = tempfile::tempdir().unwrap();
    commit(&journalled(dir.path()), "0").unwrap();
    let layout = super::Layout::new(&dir.path().join(".git"));
    let record = |bytes: u64| super::Record {
        moves: vec![(format!("refs/heads/{}", "long/".repeat(700)), Some([1; 20]), [2; 20])],
        checksum: [3; 20],
        pack: vec![4; usize::try_from(bytes).unwrap()],
        index: Vec::new(),
    };
    let longest = super::RECORD_BYTES_MAX;
    for last in (longest - 20_000..=longest).step_by(1000) {
        let mut journal = super::CommitJournal::create(&layout).unwrap();
        for bytes in [longest, longest, last, longest] {
            if !journal.is_full() {
                journal.append(record(bytes)).unwrap();
            }
        }
        assert!(journal.is_full());
    }
}
