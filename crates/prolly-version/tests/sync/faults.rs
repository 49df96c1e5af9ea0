//! Interruptions at every object, and sources that lie.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use prolly_core::{
    Hash, Link, Node, NodeBuffer, NodeReader, NodeWriter, Record, RecordKind, SortedEdits, Value,
    empty_root_hash,
};
use prolly_store::{
    Backend, HashPrefix, MemoryStore, NodeCache, RefStore, Result as StoreResult, Stats, Transaction,
};
use prolly_version::{
    BackendKind, Batch, Catalog, Commit, CommitDraft, CommitGraph, CommitId, Error, Expected, GcReport,
    GraphKind, Head, NativeGraph, Original, RefEdit, Result, TreeKey,
    sync::{self, FetchOptions},
};

use crate::support::{Graph, Step, digest, fetch, long, new_graph, reachable, run, store_over, tips};

/// A backend that stops answering, or answers wrongly.
struct Faulty {
    inner: MemoryStore,
    reads_left: AtomicU64,
    lie: std::sync::Mutex<Option<(Hash, Option<Vec<u8>>)>>,
}

impl Faulty {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: MemoryStore::new(),
            reads_left: AtomicU64::new(u64::MAX),
            lie: Default::default(),
        })
    }

    /// A graph over it that remembers nothing.
    fn graph(self: &Arc<Self>) -> Graph {
        Arc::new(NativeGraph::new(Arc::clone(self) as _, Arc::new(NodeCache::new(0)), None))
    }
}

impl RefStore for Faulty {
    fn read_ref(&self, name: &str) -> StoreResult<Option<Vec<u8>>> {
        self.inner.read_ref(name)
    }
    fn refs(&self, prefix: &str) -> StoreResult<Vec<(String, Vec<u8>)>> {
        self.inner.refs(prefix)
    }
    fn edit_refs(&self, edits: &[prolly_store::RefEdit]) -> StoreResult<()> {
        self.inner.edit_refs(edits)
    }
}

impl Backend for Faulty {
    fn get(&self, hash: &Hash) -> StoreResult<Option<Box<[u8]>>> {
        let left = self.reads_left.load(Ordering::Relaxed);
        if left == 0 {
            let source = std::io::Error::other("the line is dead");
            return Err(prolly_store::Error::Io { action: "read", path: "line".into(), source });
        }
        self.reads_left.store(left - u64::from(left != u64::MAX), Ordering::Relaxed);
        match &*self.lie.lock().unwrap() {
            Some((about, bytes)) if about == hash => Ok(bytes.clone().map(Vec::into_boxed_slice)),
            _ => self.inner.get(hash),
        }
    }
    fn contains(&self, hash: &Hash) -> StoreResult<bool> {
        self.inner.contains(hash)
    }
    fn begin(&self) -> StoreResult<Box<dyn Transaction + '_>> {
        self.inner.begin()
    }
    fn objects_by_prefix(&self, prefix: &HashPrefix, limit: usize) -> StoreResult<Vec<Hash>> {
        self.inner.objects_by_prefix(prefix, limit)
    }
    fn stats(&self) -> StoreResult<Stats> {
        self.inner.stats()
    }
    fn path(&self) -> Option<&Path> {
        None
    }
}

/// Three commits on two branches, with some blobs.
fn fill(graph: &Graph) {
    let store = store_over(graph, BackendKind::Memory);
    let mut steps: Vec<_> = (0..120).map(|key| Step::Insert(key as u8 % 3, key, 2)).collect();
    steps.extend([Step::Long(1, 1, 300_000, 5), Step::Commit, Step::Branch]);
    steps.extend((0..10).map(|key| Step::Insert(2, key * 20, 3)));
    steps.extend([Step::Long(1, 1, 300_000, 200_000), Step::Commit, Step::Delete(0, 3), Step::Tag]);
    run(&store, &steps);
}

fn all_tips(graph: &Graph) -> Vec<CommitId> {
    [tips(graph, "refs/heads/"), tips(graph, "refs/tags/")].concat()
}

fn check_whole(from: &Graph, to: &Graph) {
    for (name, id) in from.refs("refs/heads/").unwrap() {
        let name = name.replace("refs/heads/", "refs/remotes/origin/");
        assert_eq!(digest(to, &to.read_ref(&name).unwrap().unwrap()), digest(from, &id));
    }
}

#[test]
fn broken_off_at_every_nth_object_nothing_is_sent_twice() {
    let from = Faulty::new().graph();
    fill(&from);
    let needed = reachable(&from, &all_tips(&from)).len() as u64;
    assert!(needed > 60, "{needed}");
    for kind in [BackendKind::Memory, BackendKind::Git] {
        let often: &[u64] = if kind == BackendKind::Git { &[2, 20] } else { &[1, 2, 3, 7, 20, 50] };
        for every in often.iter().copied().chain([needed - 1]) {
            let dir = tempfile::tempdir().unwrap();
            let to = new_graph(kind, dir.path());
            let mut copied = 0;
            let mut attempts = 0;
            loop {
                attempts += 1;
                let mut here = 0;
                let mut stop = |progress: &sync::Progress| {
                    here = progress.objects;
                    if progress.objects < every { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                };
                let done = sync::fetch(&*from, &*to, "origin", &FetchOptions::default(), &mut stop);
                copied += here;
                match done {
                    Ok(report) => {
                        assert_eq!(report.objects, here);
                        break;
                    }
                    Err(Error::Interrupted) => {
                        assert!(to.refs("refs/remotes/").unwrap().is_empty());
                        assert!(to.refs("refs/tags/").unwrap().is_empty());
                        if attempts % 5 == 0 {
                            to.collect_garbage().unwrap();
                        }
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            assert_eq!(copied, needed, "{kind}, every {every}");
            assert!(attempts as u64 >= needed / every);
            check_whole(&from, &to);
            assert!(to.refs("refs/prolly/incoming/").unwrap().is_empty());
        }
    }
}

#[test]
fn a_source_that_fails_now_and_then_is_read_to_the_end() {
    let backend = Faulty::new();
    let from = backend.graph();
    fill(&from);
    let needed = reachable(&from, &all_tips(&from)).len() as u64;
    let to = new_graph(BackendKind::Memory, Path::new(""));
    let mut copied = 0;
    let mut failures = 0;
    loop {
        backend.reads_left.store(40, Ordering::Relaxed);
        let mut here = 0;
        let mut count = |progress: &sync::Progress| {
            here = progress.objects;
            ControlFlow::Continue(())
        };
        let done = sync::fetch(&*from, &*to, "origin", &FetchOptions::default(), &mut count);
        copied += here;
        if done.is_ok() {
            break;
        }
        failures += 1;
        assert!(failures < 50, "no progress is made");
        assert!(to.refs("refs/remotes/").unwrap().is_empty());
    }
    backend.reads_left.store(u64::MAX, Ordering::Relaxed);
    assert!(failures > 2);
    assert_eq!(copied, needed);
    check_whole(&from, &to);
}

#[test]
fn damaged_swapped_and_missing_objects_are_named_and_nothing_moves() {
    let backend = Faulty::new();
    let from = backend.graph();
    fill(&from);
    let objects: Vec<Hash> = reachable(&from, &all_tips(&from)).into_iter().collect();
    let commits: BTreeSet<_> = crate::support::commits_of(&from, &all_tips(&from));
    let commits = commits.iter().filter_map(|id| Hash::from_slice(id.as_slice()));
    let mut all: Vec<Hash> = objects.iter().copied().chain(commits).collect();
    // The root of an empty tree is known to everybody.
    all.retain(|hash| *hash != empty_root_hash());
    for (index, hash) in all.iter().enumerate() {
        let good = backend.inner.get(hash).unwrap().unwrap();
        let mut flipped = good.to_vec();
        flipped[good.len() / 2] ^= 4;
        let other = backend.inner.get(&all[(index + 1) % all.len()]).unwrap().unwrap().to_vec();
        for lie in [None, Some(flipped), Some(other), Some(Vec::new())] {
            let kind = if index % 16 == 0 { BackendKind::Git } else { BackendKind::Memory };
            let dir = tempfile::tempdir().unwrap();
            let to = new_graph(kind, dir.path());
            *backend.lie.lock().unwrap() = Some((*hash, lie));
            let Err(error) = fetch(&from, &to) else { panic!("{hash} is damaged, and was not missed") };
            assert!(error.to_string().contains(&hash.to_string()), "{error} does not name {hash}");
            assert!(to.refs("refs/remotes/").unwrap().is_empty());
            *backend.lie.lock().unwrap() = None;
            if index % 4 == 0 {
                fetch(&from, &to).unwrap();
                check_whole(&from, &to);
            }
        }
    }
}

#[test]
fn what_both_sides_have_is_not_looked_at() {
    for kind in [BackendKind::Memory, BackendKind::Git] {
        let dir = tempfile::tempdir().unwrap();
        let backend = Faulty::new();
        let from = backend.graph();
        let to = new_graph(kind, dir.path());
        let store = store_over(&from, BackendKind::Memory);
        let map = TreeKey::default_map();
        store.insert_many(&map, (0..10_000_u32).map(|n| (n.to_be_bytes(), n.to_le_bytes()))).unwrap();
        for number in 0..100_u32 {
            store.insert(&map, b"counter", &number.to_be_bytes()).unwrap();
            store.commit("more").unwrap();
        }
        let nodes = reachable(&from, &all_tips(&from)).len() as u64;
        assert!(fetch(&from, &to).unwrap().objects == nodes && nodes > 1000);
        store.insert(&map, &77_u32.to_be_bytes(), b"changed").unwrap();
        store.insert(&map, &7777_u32.to_be_bytes(), b"changed").unwrap();
        store.commit("two changes").unwrap();
        drop(store);
        // A fresh handle, which remembers nothing.
        let from = backend.graph();
        let reads_of = |from: &Graph| {
            backend.reads_left.store(1 << 40, Ordering::Relaxed);
            let report = fetch(from, &to).unwrap();
            let reads = (1 << 40) - backend.reads_left.load(Ordering::Relaxed);
            backend.reads_left.store(u64::MAX, Ordering::Relaxed);
            (report, reads)
        };
        let (report, reads) = reads_of(&from);
        assert_eq!(report.commits, 1);
        assert!(report.objects < 20 && reads < report.objects + 12, "{report:?}, {reads} reads");
        let (report, reads) = reads_of(&from);
        assert!(report.objects == 0 && reads < 8, "{report:?}, {reads} reads");
    }
}

#[test]
fn what_arrived_for_commits_that_are_no_longer_the_tips_is_used() {
    for kind in [BackendKind::File, BackendKind::Git] {
        let dir = tempfile::tempdir().unwrap();
        let from = new_graph(kind, &dir.path().join("from"));
        let to = new_graph(kind, &dir.path().join("to"));
        let store = store_over(&from, kind);
        let map = TreeKey::default_map();
        store.insert_many(&map, (0..3000_u32).map(|n| (n.to_be_bytes(), n.to_le_bytes()))).unwrap();
        store.commit("one").unwrap();
        let mut copied = 0;
        let mut stop = |progress: &sync::Progress| {
            copied = progress.objects;
            if copied < 40 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        let error = sync::fetch(&*from, &*to, "origin", &FetchOptions::default(), &mut stop).unwrap_err();
        assert!(matches!(error, Error::Interrupted));
        store.insert(&map, b"zzz", b"later").unwrap();
        store.commit("two").unwrap();
        to.collect_garbage().unwrap();
        let needed = reachable(&from, &all_tips(&from)).len() as u64;
        let report = fetch(&from, &to).unwrap();
        assert_eq!(report.objects + copied, needed);
        check_whole(&from, &to);
        to.collect_garbage().unwrap();
        check_whole(&from, &to);
    }
}

/// A graph whose objects are not those that were asked for, though whole ones.
struct Liar {
    inner: Graph,
    about: Hash,
    instead: Link,
}

struct LyingReader(Arc<dyn NodeReader>, Hash, Link);

impl NodeReader for LyingReader {
    fn read_node(&self, link: &Link) -> prolly_core::Result<Arc<Node>> {
        self.0.read_node(if link.hash == self.1 { &self.2 } else { link })
    }
    fn read_record(&self, link: &Link) -> prolly_core::Result<Arc<[u8]>> {
        self.0.read_record(if link.hash == self.1 { &self.2 } else { link })
    }
}

impl CommitGraph for Liar {
    fn objects(&self) -> Arc<dyn NodeReader> {
        Arc::new(LyingReader(self.inner.objects(), self.about, self.instead))
    }
    fn read_commit(&self, id: &CommitId) -> Result<Option<Commit>> {
        self.inner.read_commit(id)
    }
    fn commits_by_prefix(&self, hex: &str, limit: usize) -> Result<Vec<CommitId>> {
        self.inner.commits_by_prefix(hex, limit)
    }
    fn read_ref(&self, name: &str) -> Result<Option<CommitId>> {
        self.inner.read_ref(name)
    }
    fn refs(&self, prefix: &str) -> Result<Vec<(String, CommitId)>> {
        self.inner.refs(prefix)
    }
    fn head(&self) -> Result<Head> {
        self.inner.head()
    }
    fn set_head(&self, head: &Head) -> Result<()> {
        self.inner.set_head(head)
    }
    fn publish_batch(&self, batch: &Batch<'_>) -> Result<Vec<CommitId>> {
        self.inner.publish_batch(batch)
    }
    fn update_refs(&self, edits: &[RefEdit]) -> Result<()> {
        self.inner.update_refs(edits)
    }
    fn kind(&self) -> GraphKind {
        self.inner.kind()
    }
    fn original(&self, id: &CommitId) -> Result<Option<Original>> {
        self.inner.original(id)
    }
    fn may_have(&self, link: &Link) -> Result<bool> {
        self.inner.may_have(link)
    }
    fn identity(&self) -> Result<Option<(String, String)>> {
        self.inner.identity()
    }
    fn collect_garbage(&self) -> Result<GcReport> {
        self.inner.collect_garbage()
    }
    fn staging_dir(&self) -> Option<PathBuf> {
        self.inner.staging_dir()
    }
}

#[test]
fn a_whole_object_in_the_place_of_another_is_refused() {
    let from = new_graph(BackendKind::Memory, Path::new(""));
    fill(&from);
    let objects = from.objects();
    let all = reachable(&from, &all_tips(&from));
    let nodes: Vec<Hash> =
        all.iter().copied().filter(|hash| objects.read_node(&(*hash).into()).is_ok()).collect();
    let records: Vec<Hash> = all.iter().copied().filter(|hash| !nodes.contains(hash)).collect();
    assert!(nodes.len() > 10 && records.len() > 3);
    for hashes in [nodes, records] {
        for (index, about) in hashes.iter().enumerate() {
            let instead = hashes[(index + 1) % hashes.len()].into();
            let liar: Graph = Arc::new(Liar { inner: Arc::clone(&from), about: *about, instead });
            let to = new_graph(BackendKind::Memory, Path::new(""));
            let error = fetch(&liar, &to).unwrap_err().to_string();
            assert!(error.contains(&about.to_string()), "{error} does not name {about}");
            assert!(to.refs("refs/remotes/").unwrap().is_empty());
        }
    }
}

#[test]
fn a_commit_that_is_not_what_its_id_says_is_refused() {
    let backend = Faulty::new();
    let from = backend.graph();
    fill(&from);
    let to = new_graph(BackendKind::Memory, Path::new(""));
    let tip = from.read_ref("refs/heads/main").unwrap().unwrap();
    let commit = Commit { message: "another".to_owned(), ..from.read_commit(&tip).unwrap().unwrap() };
    // As a batch that claims to be a copy: the id decides.
    let batch_commit = prolly_version::BatchCommit {
        root: from.objects().read_node(&commit.root).unwrap(),
        parents: Vec::new(),
        author: commit.author,
        committer: commit.committer,
        message: commit.message,
        original: from.original(&tip).unwrap(),
    };
    struct Nothing;
    impl prolly_version::PendingObjects for Nothing {
        fn node(&self, _: &Link) -> Result<Option<Arc<Node>>> {
            Ok(None)
        }
        fn record(&self, _: &Link) -> Result<Option<Arc<[u8]>>> {
            Ok(None)
        }
    }
    let batch = Batch { objects: &Nothing, commits: &[batch_commit], edits: &[], signature: None };
    let error = to.publish_batch(&batch).unwrap_err();
    assert!(matches!(error, Error::DamagedCommit { id, .. } if id == tip), "{error}");
}

#[test]
fn a_long_value_of_which_a_part_changed_costs_that_part() {
    for kind in [BackendKind::Redb, BackendKind::Git] {
        let dir = tempfile::tempdir().unwrap();
        let from = new_graph(kind, &dir.path().join("from"));
        let to = new_graph(kind, &dir.path().join("to"));
        let store = store_over(&from, kind);
        let value = long(12_000_000, 0);
        store.insert(&TreeKey::default_map(), b"video", &value).unwrap();
        store.commit("one").unwrap();
        let first = fetch(&from, &to).unwrap();
        assert!(first.bytes > 12_000_000);
        let edited = [&value[..5_000_000], b"something new", &value[5_000_000..]].concat();
        store.insert(&TreeKey::default_map(), b"video", &edited).unwrap();
        store.commit("two").unwrap();
        let second = fetch(&from, &to).unwrap();
        assert!(second.bytes < 600_000, "{kind}: {second:?}");
        assert!(second.objects < 12, "{kind}: {second:?}");
    }
}

#[test]
fn objects_nested_without_end_are_copied_and_read_as_damage() {
    let from = new_graph(BackendKind::Memory, Path::new(""));
    let store = store_over(&from, BackendKind::Memory);
    store.insert(&TreeKey::default_map(), b"key", b"value").unwrap();
    store.commit("one").unwrap();
    let tip = from.read_commit(&store.current_commit().unwrap()).unwrap().unwrap();

    struct Nested(NodeBuffer);
    impl prolly_version::PendingObjects for Nested {
        fn node(&self, link: &Link) -> Result<Option<Arc<Node>>> {
            Ok(self.0.buffered_node(&link.hash))
        }
        fn record(&self, link: &Link) -> Result<Option<Arc<[u8]>>> {
            Ok(self.0.buffered_record(&link.hash))
        }
    }
    let pending = Nested(NodeBuffer::new());
    let payload = [&[1_u8][..], &9_u64.to_le_bytes()].concat();
    let mut hash = None;
    for _ in 0..30_000 {
        let encoded = match hash {
            None => Record::encode(RecordKind::BlobPart, &[], b"the bytes").unwrap(),
            Some(below) => Record::encode(RecordKind::BlobList, &[below], &payload).unwrap(),
        };
        let address = Record::address(&encoded);
        pending.0.write_record(address, encoded).unwrap();
        hash = Some(address);
    }
    let catalog = Catalog::open(from.objects(), &tip.root).unwrap();
    let mut version = catalog.version(&TreeKey::default_map()).unwrap().unwrap();
    let value = Some(Value::Blob { len: 9, hash: hash.unwrap() });
    version.tree = version.tree.apply(&pending.0, &mut SortedEdits::new([(&b"key"[..], value)])).unwrap();
    let changes = BTreeMap::from([(TreeKey::default_map(), Some(version))]);
    let catalog = catalog.apply(&pending.0, &changes).unwrap();
    let draft = CommitDraft {
        root: Arc::clone(catalog.root()),
        parents: vec![tip.id],
        author: tip.author,
        committer: tip.committer,
        message: "nested".to_owned(),
    };
    let edit = RefEdit {
        name: "refs/heads/main".to_owned(),
        expected: Expected::Commit(tip.id),
        new: None,
        log: String::new(),
    };
    from.publish(&pending, &draft, Some(&edit)).unwrap();

    for kind in [BackendKind::Memory, BackendKind::Git] {
        let dir = tempfile::tempdir().unwrap();
        let to = new_graph(kind, dir.path());
        fetch(&from, &to).unwrap();
        to.collect_garbage().unwrap();
        let tip = to.read_ref("refs/remotes/origin/main").unwrap().unwrap();
        let root = to.read_commit(&tip).unwrap().unwrap().root;
        let tree =
            Catalog::open(to.objects(), &root).unwrap().tree(&TreeKey::default_map()).unwrap().unwrap();
        let error = tree.get(b"key").unwrap_err();
        assert!(matches!(error, prolly_core::Error::Corrupt { .. }), "{error}");
    }
}
