//! Measures what depends on how much there is: commits of one change beside few and many namespaces, and a long value
//! that streams in and out.
//!
//! ```text
//! cargo run --release -p prolly-ns --example measure -- namespaces [COUNT...]     (10 and 100000 unless given)
//! cargo run --release -p prolly-ns --example measure -- value [MEGABYTES]         (1000 unless given)
//! ```

#![expect(clippy::print_stdout, reason = "it prints what it measures")]

use std::{
    error::Error,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use prolly_ns::NamespacedStore;
use prolly_version::{BackendKind, Options};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const ROUNDS: usize = 100;
const KINDS: [BackendKind; 3] = [BackendKind::Redb, BackendKind::File, BackendKind::Git];

fn main() -> Outcome {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let numbers = arguments.iter().skip(1).map(|text| text.parse()).collect::<Result<Vec<u64>, _>>()?;
    let root = tempfile::tempdir_in(std::env::current_dir()?)?;
    match arguments.first().map(String::as_str) {
        Some("namespaces") => {
            let counts = if numbers.is_empty() { vec![10, 100_000] } else { numbers };
            for kind in KINDS {
                let path = |count: u64| root.path().join(format!("{kind}-{count}"));
                for count in &counts {
                    namespaces(&path(*count), kind, *count)?;
                }
                side_by_side(kind, &counts, &path)?;
            }
        }
        Some("value") => {
            let megabytes = numbers.first().copied().unwrap_or(1000);
            for kind in KINDS {
                let path = root.path().join(kind.name());
                value(&path, kind, megabytes * 1_000_000)?;
                std::fs::remove_dir_all(path)?;
            }
        }
        _ => return Err("say what to measure: namespaces or value".into()),
    }
    Ok(())
}

/// The median of repeated calls.
fn median(mut work: impl FnMut(usize) -> Outcome) -> Outcome<Duration> {
    let mut times = Vec::with_capacity(ROUNDS);
    for round in 0..ROUNDS {
        let start = Instant::now();
        work(round)?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    Ok(times[ROUNDS / 2])
}

fn namespaces(path: &Path, kind: BackendKind, count: u64) -> Outcome {
    let name = |number: u64| format!("tenant-{number:08}");
    let open = || NamespacedStore::open(path, Options::new(kind));
    let store = open()?;
    let start = Instant::now();
    for number in 0..count {
        for key in 0..3_u64 {
            store.insert(&name(number), &key.to_be_bytes(), &(number * key).to_be_bytes())?;
        }
    }
    let staged = start.elapsed();
    store.versions().commit("seed")?;
    println!(
        "{kind}, {count} namespaces: staged in {staged:.1?}, committed in {:.1?}",
        start.elapsed() - staged
    );
    drop(store);

    let start = Instant::now();
    let store = open()?;
    println!("  open                {:>10.1?}", start.elapsed());
    let pick = |round: usize| name((round as u64 * 7919) % count);
    let change = |round: usize| store.insert(&pick(round), b"changed", &round.to_be_bytes());
    println!("  stage               {:>10.1?}", median(|round| Ok(change(round)?))?);
    store.versions().commit("staged")?;
    let commit = |round| {
        change(round + ROUNDS)?;
        store.versions().commit("one")?;
        Ok(())
    };
    println!("  commit of a change  {:>10.1?}", median(commit)?);
    change(0)?;
    println!(
        "  status              {:>10.1?}",
        median(|_| store.versions().staged_trees().map(drop).map_err(Into::into))?
    );
    store.versions().commit("more")?;
    let changed = |round| {
        store.namespace_changed(&pick(round), "HEAD~1", "HEAD")?;
        Ok(())
    };
    println!("  namespace_changed   {:>10.1?}", median(changed)?);
    let feed = |_| {
        let changes = store.changes(Some("HEAD~10"), Some("HEAD"), None)?;
        changes.collect::<Result<Vec<_>, _>>()?;
        Ok(())
    };
    println!("  changes of 10       {:>10.1?}", median(feed)?);
    let merge = |round: usize| {
        let branch = format!("branch-{round}");
        store.versions().create_branch(&branch, None)?;
        change(round + 1)?;
        store.versions().commit("there")?;
        store.versions().checkout("main", false)?;
        change(round + 2)?;
        store.versions().commit("here")?;
        store.merge(&branch, Default::default())?;
        Ok(())
    };
    println!("  branch, 2 commits, 2 checkouts, merge {:>10.1?}", median(merge)?);
    let copy = |round: usize| {
        let copy = format!("copy-{round}");
        store.copy_namespace(&pick(round), Some("HEAD"), &copy)?;
        store.rename_namespace(&copy, &format!("renamed-{round}"))?;
        store.versions().commit("copied")?;
        Ok(())
    };
    println!("  copy, rename, commit {:>9.1?}", median(copy)?);
    let start = Instant::now();
    let listed = store.namespaces()?.count();
    println!("  list {listed}: {:.1?}", start.elapsed());
    let start = Instant::now();
    for number in 0..count {
        store.insert(&name(number), b"all", b"")?;
    }
    let staged = start.elapsed();
    store.versions().commit("all")?;
    println!("  a change of each: staged in {staged:.1?}, committed in {:.1?}", start.elapsed() - staged);
    println!("  peak memory {} MB", peak_megabytes()?);
    Ok(())
}

/// Commits of one change to stores of several sizes in turn, so that whatever else the machine does hits them alike.
fn side_by_side(kind: BackendKind, counts: &[u64], path: &dyn Fn(u64) -> PathBuf) -> Outcome {
    let stores = counts.iter().map(|count| NamespacedStore::open(path(*count), Options::new(kind)));
    let stores = stores.collect::<Result<Vec<_>, _>>()?;
    let mut times = vec![Vec::with_capacity(5 * ROUNDS); stores.len()];
    for round in 0..5 * ROUNDS {
        for (index, store) in stores.iter().enumerate() {
            let name = format!("tenant-{:08}", (round as u64 * 7919) % counts[index]);
            store.insert(&name, b"in turn", &round.to_be_bytes())?;
            let start = Instant::now();
            store.versions().commit("one")?;
            times[index].push(start.elapsed());
        }
    }
    for (count, times) in counts.iter().zip(&mut times) {
        times.sort_unstable();
        println!(
            "{kind}, in turn, commit of a change among {count} namespaces: {:.1?}",
            times[times.len() / 2]
        );
    }
    Ok(())
}

/// Bytes that look random.
struct Noise {
    left: u64,
    seed: u64,
}

impl Read for Noise {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        for piece in buffer[..count].chunks_mut(8) {
            self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let word = (self.seed ^ (self.seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            piece.copy_from_slice(&(word ^ (word >> 27)).to_le_bytes()[..piece.len()]);
        }
        self.left -= count as u64;
        Ok(count)
    }
}

fn value(path: &Path, kind: BackendKind, bytes: u64) -> Outcome {
    let store = NamespacedStore::open(path, Options::new(kind))?;
    let timed = |what: &str, start: Instant| -> Outcome {
        let seconds = start.elapsed().as_secs_f64();
        let peak = peak_megabytes()?;
        println!("  {what}: {seconds:.1} s, {:.0} MB/s, peak memory {peak} MB", bytes as f64 / 1e6 / seconds);
        Ok(())
    };
    println!("{kind}, a value of {} MB", bytes / 1_000_000);
    let start = Instant::now();
    store.insert_reader("files", b"big", Noise { left: bytes, seed: 1 })?;
    timed("streamed in", start)?;
    let start = Instant::now();
    store.versions().commit("big")?;
    timed("committed", start)?;
    let start = Instant::now();
    let mut reader = store.open_value("files", b"big")?.ok_or("the value is there")?;
    let read = io::copy(&mut reader, &mut io::sink())?;
    timed("streamed out", start)?;
    if read != bytes {
        return Err(format!("{read} bytes came back, not {bytes}").into());
    }
    let disk = size_of(path)?;
    // The same bytes but for a few in the middle.
    reader.seek(SeekFrom::Start(0))?;
    let mut tail = store.open_value("files", b"big")?.ok_or("the value is there")?;
    tail.seek(SeekFrom::Start(bytes / 2))?;
    let start = Instant::now();
    let edited = reader.take(bytes / 2).chain(&b"a few more bytes"[..]).chain(tail);
    store.insert_reader("files", b"big", edited)?;
    store.versions().commit("edit")?;
    timed("edited in the middle and committed", start)?;
    println!(
        "  on disk {} MB, the edit added {} kB",
        disk / 1_000_000,
        (size_of(path)?.saturating_sub(disk)) / 1000
    );
    Ok(())
}

/// Bytes of the blocks that files take: one of redb has holes.
fn size_of(path: &Path) -> io::Result<u64> {
    let mut sum = 0;
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        sum += if metadata.is_dir() { size_of(&entry.path())? } else { blocks(&metadata) };
    }
    Ok(sum)
}

#[cfg(unix)]
fn blocks(metadata: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::blocks(metadata) * 512
}

#[cfg(not(unix))]
fn blocks(metadata: &std::fs::Metadata) -> u64 {
    metadata.len()
}

/// The most memory that this process has had, as Linux says.
fn peak_megabytes() -> Outcome<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).ok_or("the system does not say")?;
    let kilobytes: u64 = line.split_whitespace().nth(1).ok_or("the system does not say")?.parse()?;
    Ok(kilobytes / 1000)
}
