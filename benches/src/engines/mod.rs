//! How each engine does the work, one module each.

mod btree;
mod lmdb;
mod ours;
mod prolly_map;
mod redb;
mod store;

use crate::{
    Result,
    data::{Key, Random, Value, random_stored_keys},
    figures::{Figures, PEAK_MEMORY, median, nanos_each, peak_memory_bytes},
    options::Task,
    work::{Engine, MEAN, TIME, Work},
};

/// Point reads of a run at most.
const READS_MAX: u64 = 500_000;
/// Keys inserted one by one with a flush each.
const FLUSHED_INSERTS: u64 = 1000;
/// Changes between the versions of a diff, and on each side of a merge.
const CHANGES: u64 = 200;
/// How often something quick is repeated in one process.
const REPEATS: usize = 9;
/// Keys proven present, and keys proven absent.
const PROOFS: u64 = 200;
/// Commits of one change each.
pub(crate) const COMMITS: u64 = 500;

/// Lets an engine do a piece of work in this process.
///
/// # Errors
/// When the engine fails, or cannot do this.
pub(crate) fn run(task: &Task) -> Result<Figures> {
    let figures = match task.engine {
        Engine::Ours => match task.work {
            Work::CommitRedb
            | Work::CommitGit
            | Work::CommitGitJournal
            | Work::Open
            | Work::Disk
            | Work::Huge => store::run(task),
            _ => ours::run(task),
        },
        Engine::Redb => redb::run(task),
        Engine::Lmdb => lmdb::run(task),
        Engine::ProllyMap => prolly_map::run(task),
        Engine::BTree => btree::run(task),
        Engine::DoltLite => unsupported(task),
    }?;
    Ok(match peak_memory_bytes() {
        Some(bytes) => figures.with(PEAK_MEMORY, bytes),
        None => figures,
    })
}

fn unsupported(task: &Task) -> Result<Figures> {
    Err(format!("{} does not do {}", task.engine.id(), task.work.id()).into())
}

/// Fails when an engine did not see what it should have: a figure for wrong work is worth nothing.
fn expect_count(what: &str, found: u64, expected: u64) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what}: {found}, not {expected}").into())
}

/// Point reads of a store with so many keys.
fn reads_of(stored: u64) -> u64 {
    READS_MAX.min(stored.saturating_mul(2))
}

/// Stores random values under random stored keys, one durable commit after the other, and times each.
fn time_commits(stored: u64, mut commit: impl FnMut(&Key, &Value) -> Result<()>) -> Result<Figures> {
    let mut random = Random::new(10);
    let mut times = Vec::new();
    for key in random_stored_keys(stored, COMMITS, 10) {
        let value = random.value();
        times.push(nanos_each(1, || commit(&key, &value))?.0);
    }
    let mean = times.iter().sum::<f64>() / times.len() as f64;
    Ok(Figures::of(TIME, median(&mut times)).with(MEAN, mean))
}
