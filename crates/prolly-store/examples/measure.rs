//! Measures what the stores cost: bytes on disk, durable commits, reads, memory.
//!
//! `cargo run --release -p prolly-store --example measure -- DIRECTORY {size|commit|large} [KEYS]`

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a tool for the terminal")]

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use prolly_store::{Backend, FileStore, NodeCache, RedbStore, SavedTree};
use redb::{Database, TableDefinition};

const VALUE_BYTES: usize = 100;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [dir, what, rest @ ..] = &args[..] else { panic!("measure DIRECTORY {{size|commit|large}} [KEYS]") };
    let dir = Path::new(dir);
    std::fs::create_dir_all(dir).unwrap();
    let keys = |default: u64| rest.first().map_or(default, |keys| keys.parse().unwrap());
    match &**what {
        "size" => size(dir, keys(100_000)),
        "commit" => commit(dir, keys(100_000)),
        "large" => large(dir, keys(10_000_000)),
        other => panic!("cannot measure {other}"),
    }
}

fn key(number: u64) -> [u8; 16] {
    format!("key:{number:012}").into_bytes().try_into().unwrap()
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn value(&mut self) -> [u8; VALUE_BYTES] {
        std::array::from_fn(|_| (self.next() >> 32) as u8)
    }
}

fn open_tree(store: &Arc<dyn Backend>) -> SavedTree {
    SavedTree::open(store.clone(), Arc::new(NodeCache::default()), "tree", None).unwrap()
}

fn load(store: &Arc<dyn Backend>, keys: u64) -> SavedTree {
    let mut random = Random(88_172_645_463_325_252);
    let mut tree = open_tree(store);
    let start = Instant::now();
    for number in 0..keys {
        tree.tree_mut().insert(&key(number), &random.value()).unwrap();
    }
    tree.tree_mut().flush().unwrap();
    let built = start.elapsed();
    tree.save().unwrap();
    println!("  {keys} keys: built in {built:.2?}, saved in {:.2?}", start.elapsed() - built);
    tree
}

fn stores(dir: &Path) -> [(&'static str, Arc<dyn Backend>); 2] {
    let fresh = |name: &str| {
        let path = dir.join(name);
        if path.exists() {
            std::fs::remove_dir_all(&path).unwrap();
        }
        path
    };
    let redb: Arc<dyn Backend> = Arc::new(RedbStore::open(fresh("redb")).unwrap());
    let file: Arc<dyn Backend> = Arc::new(FileStore::open(fresh("file")).unwrap());
    [("redb", redb), ("file", file)]
}

fn size(dir: &Path, keys: u64) {
    let raw = keys * (VALUE_BYTES as u64 + 16);
    for (name, store) in stores(dir) {
        println!("{name}");
        let mut random = Random(1);
        let mut tree = load(&store, keys);
        let show = |what: &str| {
            let stats = store.stats().unwrap();
            let ratio = stats.bytes as f64 / raw as f64;
            println!(
                "  {what}: {} objects, {} bytes, {ratio:.2} times the raw {raw}",
                stats.objects, stats.bytes
            );
        };
        show("after one commit");
        let commits = if name == "file" { 50 } else { 1_000 };
        let start = Instant::now();
        for _ in 0..commits {
            for _ in 0..10 {
                tree.tree_mut().insert(&key(random.next() % keys), &random.value()).unwrap();
            }
            tree.save().unwrap();
        }
        println!("  {commits} commits of 10 changes: {:.2?} each", start.elapsed() / commits);
        show("after them");
        let start = Instant::now();
        let report = tree.collect_garbage().unwrap();
        println!("  garbage collection: {:.2?}, {report:?}", start.elapsed());
        show("after it");
    }
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn commit(dir: &Path, keys: u64) {
    const PLAIN: TableDefinition<&[u8], &[u8]> = TableDefinition::new("plain");
    let mut random = Random(1);
    let path = dir.join("plain.redb");
    if path.exists() {
        std::fs::remove_file(&path).unwrap();
    }
    let plain = Database::create(&path).unwrap();
    let transaction = plain.begin_write().unwrap();
    for number in 0..keys {
        transaction.open_table(PLAIN).unwrap().insert(&key(number)[..], &random.value()[..]).unwrap();
    }
    transaction.commit().unwrap();
    let stores = stores(dir);
    let mut trees = stores.each_ref().map(|(_, store)| load(store, keys));
    // Taken in turns, so that what else the machine does concerns all alike.
    let mut times = [vec![], vec![], vec![]];
    for round in 0..500 {
        let (number, value) = (random.next() % keys, random.value());
        let start = Instant::now();
        let transaction = plain.begin_write().unwrap();
        transaction.open_table(PLAIN).unwrap().insert(&key(number)[..], &value[..]).unwrap();
        transaction.commit().unwrap();
        times[0].push(start.elapsed());
        for (index, tree) in trees.iter_mut().enumerate() {
            if index == 1 && round >= 50 {
                continue;
            }
            let start = Instant::now();
            tree.tree_mut().insert(&key(number), &value).unwrap();
            tree.save().unwrap();
            times[index + 1].push(start.elapsed());
        }
    }
    let [plain, redb, file] = &mut times;
    let plain = median(plain);
    println!("durable commit of 1 change at {keys} keys, median: plain redb {plain:.2?}");
    for (name, times) in [("redb store", redb), ("file store", file)] {
        let time = median(times);
        println!("  {name}: {time:.2?}, {:.2} times plain redb", time.as_secs_f64() / plain.as_secs_f64());
    }
}

fn large(dir: &Path, keys: u64) {
    let path = dir.join("large");
    if path.exists() {
        std::fs::remove_dir_all(&path).unwrap();
    }
    let open = || -> Arc<dyn Backend> { Arc::new(RedbStore::open(&path).unwrap()) };
    let store = open();
    drop(load(&store, keys));
    show_memory("bulk load");
    drop(store);
    let start = Instant::now();
    let store = open();
    let mut tree = open_tree(&store);
    println!("  opened in {:.2?}; {:?}", start.elapsed(), store.stats().unwrap());
    let mut random = Random(1);
    let start = Instant::now();
    let reads: u32 = 100_000;
    for _ in 0..reads {
        assert!(tree.tree().get(&key(random.next() % keys)).unwrap().is_some());
    }
    println!("  random read: {:.2?}", start.elapsed() / reads);
    show_memory("random reads");
    let start = Instant::now();
    tree.tree_mut().insert(&key(keys / 2), b"changed").unwrap();
    tree.save().unwrap();
    println!("  first commit: {:.2?}", start.elapsed());
    let start = Instant::now();
    let mut range = tree.tree_mut().tree().unwrap().range::<&[u8]>(..).unwrap();
    let mut count = 0;
    while range.next_entry().unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, keys);
    println!("  full scan: {:.2?}", start.elapsed());
    show_memory("full scan");
}

/// The most memory the process ever had, where the system tells.
fn show_memory(after: &str) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("VmHWM: unknown");
    println!("  after {after}: {peak}");
}
