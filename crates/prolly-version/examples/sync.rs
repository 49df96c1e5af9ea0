//! What synchronising costs: a clone of a store, a fetch of a few changes, and one of none; between every pair of redb
//! and Git.
//!
//! `cargo run --release -p prolly-version --example sync -- [keys, 1000000] [changes, 10]`

#![expect(clippy::print_stdout, reason = "a measurement is printed")]

use std::{error::Error, ops::ControlFlow, path::Path, time::Instant};

use prolly_version::{
    BackendKind, Options, Store, TreeKey,
    sync::{FetchOptions, Progress, SyncReport},
};

const KINDS: [BackendKind; 2] = [BackendKind::Redb, BackendKind::Git];

fn main() -> Result<(), Box<dyn Error>> {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let keys = numbers.next().transpose()?.unwrap_or(1_000_000);
    let changes = numbers.next().transpose()?.unwrap_or(10);
    let dir = tempfile::tempdir()?;
    println!("{keys} keys of 16 bytes with 100 random bytes each, {changes} changes in one commit");
    for from in KINDS {
        for to in KINDS {
            measure(&dir.path().join(format!("{from}-{to}")), from, to, keys, changes)?;
        }
    }
    Ok(())
}

fn measure(
    dir: &Path,
    from: BackendKind,
    to: BackendKind,
    keys: u64,
    changes: u64,
) -> Result<(), Box<dyn Error>> {
    let map = TreeKey::default_map();
    let source = Store::open(dir.join("from"), Options::new(from))?;
    source.insert_many(&map, (0..keys).map(|number| (noise(number, 16), noise(number ^ (1 << 40), 100))))?;
    source.commit("all of them")?;
    let what = FetchOptions::default();
    let begun = Instant::now();
    let (clone, report) =
        Store::clone_from(&source, dir.join("to"), Options::new(to), "origin", &what, &mut go_on)?;
    print(from, to, "clone", &report, begun);
    for round in 0..2 {
        for number in 0..changes {
            let key = noise(number * (keys / changes.max(1)), 16);
            source.insert(&map, &key, &noise(number + (round << 50), 100))?;
        }
        source.commit("a few changes")?;
        let begun = Instant::now();
        let report = clone.fetch(&source, "origin", &what, &mut go_on)?;
        print(from, to, "changes", &report, begun);
    }
    let begun = Instant::now();
    let report = clone.fetch(&source, "origin", &what, &mut go_on)?;
    print(from, to, "nothing", &report, begun);
    drop((source, clone));
    std::fs::remove_dir_all(dir)?;
    Ok(())
}

fn print(from: BackendKind, to: BackendKind, what: &str, report: &SyncReport, begun: Instant) {
    println!(
        "{from:>5} -> {to:<5} {what:<8} {:>8} objects {:>12} bytes {:>2} commits {:>10.2} ms",
        report.objects,
        report.bytes,
        report.commits,
        begun.elapsed().as_secs_f64() * 1e3
    );
}

fn go_on(_: &Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Random-looking bytes.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678_9abc_def0;
    let mut out = Vec::with_capacity(len + 8);
    while out.len() < len {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        out.extend_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes());
    }
    out.truncate(len);
    out
}
