//! How each engine does the work, one module each.

mod btree;
mod lmdb;
mod ours;
mod prolly_map;
mod redb;

use crate::{
    Result,
    figures::{Figures, PEAK_MEMORY, peak_memory_bytes},
    options::Task,
    work::Engine,
};

/// Point reads of a run.
const READS: u64 = 500_000;
/// Keys inserted one by one with a flush each.
const FLUSHED_INSERTS: u64 = 1000;
/// Changes between the versions of a diff, and on each side of a merge.
const CHANGES: u64 = 200;
/// How often something quick is repeated in one process.
const REPEATS: usize = 9;
/// Keys proven present, and keys proven absent.
const PROOFS: u64 = 200;

/// The figure that most work comes to.
const TIME: &str = "time";

/// Lets an engine do a piece of work in this process.
///
/// # Errors
/// When the engine fails, or cannot do this.
pub(crate) fn run(task: &Task) -> Result<Figures> {
    let figures = match task.engine {
        Engine::Ours => ours::run(task),
        Engine::Redb => redb::run(task),
        Engine::Lmdb => lmdb::run(task),
        Engine::ProllyMap => prolly_map::run(task),
        Engine::BTree => btree::run(task),
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
