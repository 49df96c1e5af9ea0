//! This project's store, on disk: durable commits, opening, size, and more keys than memory should hold.

use std::{
    fs,
    hint::black_box,
    os::unix::fs::MetadataExt as _,
    path::Path,
    process::{Command, Stdio},
};

use prolly_version::{BackendKind, Options, Store, TreeKey};

use super::{CHANGES, REPEATS, expect_count, time_commits, unsupported};
use crate::{
    Result,
    data::{
        Edits, KEY_BYTES, Random, VALUE_BYTES, mixed_edits, new_keys, random_stored_keys, stored_key,
        stored_value,
    },
    figures::{Figures, median, median_nanos, nanos_each},
    options::Task,
    work::Work,
};

/// Changes in each of many commits.
const SMALL_CHANGES: u64 = 10;
/// Stored keys for each of these commits.
const KEYS_PER_COMMIT: u64 = 100;
/// Point reads of a store much larger than its cache.
const COLD_READS: u64 = 100_000;
/// What `st_blocks` counts.
const BLOCK_BYTES: u64 = 512;

pub(super) fn run(task: &Task) -> Result<Figures> {
    match task.work {
        Work::CommitRedb => commits(task, load(task, BackendKind::Redb)?),
        Work::CommitGit => commits(task, load(task, BackendKind::Git)?),
        Work::CommitGitJournal => {
            drop(load(task, BackendKind::Git)?);
            let mut options = Options::new(BackendKind::Git);
            options.commit_journal = true;
            commits(task, Store::open(task.dir.join(BackendKind::Git.name()), options)?)
        }
        Work::Open => {
            let redb = open_and_read(task, BackendKind::Redb)?;
            Ok(Figures::of("redb", redb).with("git", open_and_read(task, BackendKind::Git)?))
        }
        Work::Disk => disk(task),
        Work::Huge => huge(task),
        _ => unsupported(task),
    }
}

fn open(dir: &Path, kind: BackendKind) -> Result<Store> {
    Ok(Store::open(dir.join(kind.name()), Options::new(kind))?)
}

/// A new store with every key in one commit. Nothing but the store's own buffers holds the entries.
fn load(task: &Task, kind: BackendKind) -> Result<Store> {
    let store = open(&task.dir, kind)?;
    let entries = (0..task.keys).map(|index| (stored_key(index), stored_value(index)));
    store.insert_many(&TreeKey::default_map(), entries)?;
    store.commit("load")?;
    Ok(store)
}

fn apply(store: &Store, edits: &Edits) -> Result<()> {
    let map = TreeKey::default_map();
    let puts = edits.iter().filter_map(|(key, value)| Some((key, value.as_ref()?)));
    store.insert_many(&map, puts)?;
    let deletes = edits.iter().filter(|(_, value)| value.is_none()).map(|(key, _)| key);
    let expected = deletes.clone().count() as u64;
    expect_count("deleted", store.delete_many(&map, deletes)?, expected)
}

/// Fails when the store does not hold so many entries and commits; one commit is the empty one that it began with.
fn expect_held(store: &Store, entries: u64, commits: u64) -> Result<()> {
    expect_count("entries", store.len(&TreeKey::default_map())?, entries)?;
    let mut found = 0;
    for commit in store.log(None)? {
        commit?;
        found += 1;
    }
    expect_count("commits", found, commits + 1)
}

fn commits(task: &Task, store: Store) -> Result<Figures> {
    let map = TreeKey::default_map();
    let figures = time_commits(task.keys, |key, value| {
        store.insert(&map, key, value)?;
        store.commit("change")?;
        Ok(())
    })?;
    expect_held(&store, task.keys, 1 + super::COMMITS)?;
    Ok(figures)
}

fn open_and_read(task: &Task, kind: BackendKind) -> Result<f64> {
    drop(load(task, kind)?);
    time_open(task, kind)
}

/// Closing is not part of it.
fn time_open(task: &Task, kind: BackendKind) -> Result<f64> {
    let mut times = Vec::new();
    for key in random_stored_keys(task.keys, REPEATS as u64, 11) {
        let (time, store) = nanos_each(1, || {
            let store = open(&task.dir, kind)?;
            let value = store.get(&TreeKey::default_map(), &key)?;
            expect_count("found", u64::from(value.is_some()), 1)?;
            Ok(store)
        })?;
        drop(store);
        times.push(time);
    }
    Ok(median(&mut times))
}

fn disk(task: &Task) -> Result<Figures> {
    let raw = task.keys * (KEY_BYTES + VALUE_BYTES) as u64;
    let mut figures = Figures::default();
    for (kind, name) in [(BackendKind::Redb, "redb"), (BackendKind::Git, "git")] {
        let dir = task.dir.join(kind.name());
        let size = || -> Result<f64> { Ok(disk_bytes(&dir)? as f64 / raw as f64) };
        drop(load(task, kind)?);
        figures = figures.with(&format!("{name}_loaded"), size()?);

        let store = open(&task.dir, kind)?;
        let commits = task.keys / KEYS_PER_COMMIT;
        let mut random = Random::new(12);
        for _ in 0..commits {
            let keys = random_stored_keys(task.keys, SMALL_CHANGES, random.next());
            let entries = keys.into_iter().map(|key| (key, random.value()));
            store.insert_many(&TreeKey::default_map(), entries)?;
            store.commit("change")?;
        }
        expect_held(&store, task.keys, 1 + commits)?;
        drop(store);
        figures = figures.with(&format!("{name}_edited"), size()?);

        if kind == BackendKind::Git {
            git_gc(&dir)?;
            figures = figures.with("git_collected", size()?);
            expect_held(&open(&task.dir, kind)?, task.keys, 1 + commits)?;
        }
    }
    Ok(figures)
}

fn git_gc(dir: &Path) -> Result<()> {
    let status =
        Command::new("git").arg("-C").arg(dir).args(["gc", "--quiet"]).stdout(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { Err(format!("git gc: {status}").into()) }
}

/// What the files below a directory take on the disk: a file may have holes.
fn disk_bytes(dir: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += metadata.blocks() * BLOCK_BYTES;
        if metadata.is_dir() {
            bytes += disk_bytes(&entry.path())?;
        }
    }
    Ok(bytes)
}

fn huge(task: &Task) -> Result<Figures> {
    let kind = BackendKind::Redb;
    let map = TreeKey::default_map();
    let (load_time, store) = nanos_each(task.keys, || load(task, kind))?;
    drop(store);
    let open_time = time_open(task, kind)?;

    let store = open(&task.dir, kind)?;
    let keys = random_stored_keys(task.keys, COLD_READS, 13);
    let (read_time, found) = nanos_each(COLD_READS, || {
        let mut found = 0;
        for key in &keys {
            found += u64::from(store.get(&map, key)?.is_some());
        }
        Ok(found)
    })?;
    expect_count("found", found, COLD_READS)?;

    let edits = mixed_edits(task.keys, CHANGES, 14);
    let deletes = edits.iter().filter(|(_, value)| value.is_none()).count() as u64;
    let new = new_keys(task.keys, CHANGES - CHANGES / 3 * 2, 14).len() as u64;
    let (commit_time, ()) = nanos_each(1, || {
        apply(&store, &edits)?;
        store.commit("change")?;
        Ok(())
    })?;
    let diff_time = median_nanos(REPEATS, || {
        let mut changes = 0;
        for change in store.diff(&map, "HEAD~1", "HEAD")? {
            black_box(change?);
            changes += 1;
        }
        expect_count("changes", changes, CHANGES)
    })?;

    let held = task.keys + new - deletes;
    let tree = store.tree(&map)?;
    let (scan_time, entries) = nanos_each(held, || {
        let (mut range, mut entries) = (tree.range::<&[u8]>(..)?, 0);
        while let Some(entry) = range.next_entry()? {
            black_box(entry);
            entries += 1;
        }
        Ok(entries)
    })?;
    expect_count("entries", entries, held)?;
    expect_held(&store, held, 2)?;
    Ok(Figures::of("load", load_time)
        .with("open", open_time)
        .with("read", read_time)
        .with("commit", commit_time)
        .with("diff", diff_time)
        .with("scan", scan_time))
}
