//! Graphs of every kind, what they hold, and random histories to fill them with.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::ControlFlow,
    path::Path,
    sync::{Arc, atomic::AtomicI64, atomic::Ordering},
};

use prolly_core::{Hash, Link, Node, ObjectLink, TreeConfig, blob_links};
use prolly_store::{FileStore, MemoryStore, NodeCache, RedbStore};
use prolly_version::{
    BackendKind, Catalog, Commit, CommitGraph, CommitId, Error, GraphKind, Log, MergeOptions, MergeStrategy,
    NativeGraph, Options, Result, Store, Timestamp, TreeKey,
    git::{GitGraph, GitOptions},
    sync::{self, FetchOptions, Progress, SyncReport},
};
use proptest::prelude::*;

pub(crate) type Graph = Arc<dyn CommitGraph>;

pub(crate) const KINDS: [BackendKind; 4] =
    [BackendKind::Memory, BackendKind::File, BackendKind::Redb, BackendKind::Git];

/// A new graph of a kind; `dir` is empty, or not there.
pub(crate) fn new_graph(kind: BackendKind, dir: &Path) -> Graph {
    let native = |backend: Arc<dyn prolly_store::Backend>| -> Graph {
        Arc::new(NativeGraph::new(backend, Arc::new(NodeCache::new(1 << 20)), None))
    };
    match kind {
        BackendKind::Memory => native(Arc::new(MemoryStore::new())),
        BackendKind::File => native(Arc::new(FileStore::open(dir).unwrap())),
        BackendKind::Redb => native(Arc::new(RedbStore::open(dir).unwrap())),
        BackendKind::Git => Arc::new(GitGraph::open_or_init(dir, &GitOptions::default()).unwrap()),
    }
}

pub(crate) fn go_on(_: &Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

pub(crate) fn fetch(from: &Graph, to: &Graph) -> Result<SyncReport> {
    sync::fetch(&**from, &**to, "origin", &FetchOptions::default(), &mut go_on)
}

/// Small nodes, and values of more than three bytes as blobs.
pub(crate) fn config() -> TreeConfig {
    TreeConfig { externalize_threshold: Some(64), ..TreeConfig::with_targets(4, 4) }
}

pub(crate) fn trees() -> [TreeKey; 3] {
    [TreeKey::default_map(), TreeKey::map("other"), TreeKey::map("third")]
}

/// A store over a graph, whose clock goes on by a second now and then.
pub(crate) fn store_over(graph: &Graph, kind: BackendKind) -> Store {
    let mut options = Options::default();
    let clock = AtomicI64::new(1_700_000_000 * 2);
    options.config = Some(config());
    options.clock = Arc::new(move || Timestamp {
        seconds: clock.fetch_add(1, Ordering::Relaxed) / 2,
        offset_minutes: 90,
    });
    Store::over(Arc::clone(graph), kind, options).unwrap()
}

/// Everything that a commit says of itself and its trees, and the commits behind it: without its id.
pub(crate) fn digest(graph: &Graph, tip: &CommitId) -> String {
    let mut log: Vec<Commit> = Log::new(Arc::clone(graph), &[*tip]).unwrap().collect::<Result<_>>().unwrap();
    log.reverse();
    let mut digests: HashMap<CommitId, String> = HashMap::new();
    let mut known: HashMap<Hash, String> = HashMap::new();
    for commit in log {
        let parents: Vec<_> = commit.parents.iter().map(|id| digests[id].clone()).collect();
        let contents = known
            .entry(commit.root.hash)
            .or_insert_with(|| format!("{:?}", contents(graph, &commit)))
            .clone();
        let Commit { author, committer, message, root, .. } = commit;
        let text = format!("{author:?} {committer:?} {message:?} {} {parents:?} {contents}", root.hash);
        digests.insert(commit.id, blake3::hash(text.as_bytes()).to_hex().to_string());
    }
    digests[tip].clone()
}

pub(crate) type Entries = Vec<(Vec<u8>, Vec<u8>)>;

/// The entries of all trees of a commit.
pub(crate) fn contents(graph: &Graph, commit: &Commit) -> BTreeMap<TreeKey, Entries> {
    let catalog = Catalog::open(graph.objects(), &commit.root).unwrap();
    let mut out = BTreeMap::new();
    for entry in catalog.entries(None).unwrap() {
        let entry = entry.unwrap();
        let key = entry.key.clone();
        let tree = catalog.open_entry(entry).unwrap().tree;
        let mut range = tree.range::<&[u8]>(..).unwrap();
        out.insert(key, std::iter::from_fn(|| range.next_pair().unwrap()).collect());
    }
    out
}

/// All objects behind some commits, commits not counted.
pub(crate) fn reachable(graph: &Graph, tips: &[CommitId]) -> BTreeSet<Hash> {
    let mut found = BTreeSet::new();
    for commit in Log::new(Arc::clone(graph), tips).unwrap() {
        add_reachable(graph, &commit.unwrap().root, &mut found);
    }
    found
}

pub(crate) fn add_reachable(graph: &Graph, root: &Link, found: &mut BTreeSet<Hash>) {
    let objects = graph.objects();
    let mut open = vec![ObjectLink::Node(*root)];
    while let Some(object) = open.pop() {
        if !found.insert(object.link().hash) {
            continue;
        }
        match object {
            ObjectLink::Node(link) => {
                let node: Arc<Node> = objects.read_node(&link).unwrap();
                open.extend(node.object_links());
            }
            ObjectLink::Record(link) => {
                let record = objects.read_record(&link).unwrap();
                open.extend(blob_links(&record).unwrap());
            }
        }
    }
}

pub(crate) fn tips(graph: &Graph, prefix: &str) -> Vec<CommitId> {
    graph.refs(prefix).unwrap().into_iter().map(|(_, id)| id).collect()
}

pub(crate) fn commits_of(graph: &Graph, tips: &[CommitId]) -> BTreeSet<CommitId> {
    Log::new(Arc::clone(graph), tips).unwrap().map(|commit| commit.unwrap().id).collect()
}

pub(crate) fn is_git(graph: &Graph) -> bool {
    graph.kind() == GraphKind::Git
}

/// A change to a store.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Insert(u8, u16, u8),
    Long(u8, u16, u32, u32),
    Delete(u8, u16),
    Commit,
    Branch,
    Checkout(prop::sample::Index),
    Merge(prop::sample::Index),
    Back(u8),
    Copy(u8, u8),
    Tag,
}

pub(crate) fn steps(len: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Step>> {
    let index = any::<prop::sample::Index>;
    let step = prop_oneof![
        12 => (0..3_u8, 0..300_u16, 0..5_u8).prop_map(|(tree, key, value)| Step::Insert(tree, key, value)),
        2 => (0..3_u8, 0..20_u16, 0..400_000_u32, 0..400_000_u32)
            .prop_map(|(tree, key, len, change)| Step::Long(tree, key, len, change)),
        3 => (0..3_u8, 0..300_u16).prop_map(|(tree, key)| Step::Delete(tree, key)),
        5 => Just(Step::Commit),
        2 => Just(Step::Branch),
        3 => index().prop_map(Step::Checkout),
        3 => index().prop_map(Step::Merge),
        1 => (0..3_u8).prop_map(Step::Back),
        1 => (0..3_u8, 0..3_u8).prop_map(|(from, to)| Step::Copy(from, to)),
        1 => Just(Step::Tag),
    ];
    prop::collection::vec(step, len)
}

/// Bytes that look random, and differ little from those of another change.
pub(crate) fn long(len: u32, change: u32) -> Vec<u8> {
    let mut state = 1_u64;
    let mut out: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
    .take(len as usize)
    .collect();
    if let Some(byte) = out.get_mut(change as usize) {
        *byte ^= 1;
    }
    out
}

/// Makes changes; those that make no sense where the store stands are passed over.
pub(crate) fn run(store: &Store, steps: &[Step]) {
    let trees = trees();
    let have_trees = || {
        for tree in &trees {
            match store.create_tree(tree, config(), b"") {
                Ok(()) | Err(Error::TreeExists { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
    };
    let branch_at = |index: &prop::sample::Index| index.get(&store.branches().unwrap()).0.clone();
    for step in steps {
        have_trees();
        match step {
            Step::Insert(tree, key, value) => {
                let value = vec![b'0' + value; usize::from(*value) * 40];
                store.insert(&trees[usize::from(*tree)], format!("key {key}").as_bytes(), &value).unwrap();
            }
            Step::Long(tree, key, len, change) => {
                let (tree, key) = (&trees[usize::from(*tree)], format!("long {key}"));
                store.insert(tree, key.as_bytes(), &long(*len, *change)).unwrap();
            }
            Step::Delete(tree, key) => {
                store.delete(&trees[usize::from(*tree)], format!("key {key}").as_bytes()).unwrap();
            }
            Step::Commit => drop(store.commit("ünï\ncommit").unwrap()),
            Step::Branch => {
                let name = format!("branch/{}", store.branches().unwrap().len());
                store.branch(&name, None).unwrap();
                store.checkout(&name, false).unwrap();
            }
            Step::Checkout(index) => store.checkout(&branch_at(index), true).unwrap(),
            Step::Merge(index) => {
                let name = branch_at(index);
                store.commit("before a merge").unwrap();
                if Some(&name) != store.current_branch().as_ref() {
                    let options =
                        MergeOptions { strategy: MergeStrategy::TakeSource, ..MergeOptions::default() };
                    store.merge(&name, options).unwrap();
                }
            }
            Step::Back(steps) => {
                store.commit("before going back").unwrap();
                let revision = format!("HEAD~{steps}");
                for tree in &trees {
                    match store.at(&revision).and_then(|_| store.copy_tree(tree, &revision, tree)) {
                        Ok(()) => {}
                        Err(Error::InvalidRevision { .. } | Error::UnknownTree { .. }) => {}
                        Err(Error::TreeExists { .. }) => {
                            store.drop_tree(tree).unwrap();
                            match store.copy_tree(tree, &revision, tree) {
                                Ok(()) | Err(Error::UnknownTree { .. }) => {}
                                Err(error) => panic!("{error}"),
                            }
                        }
                        Err(error) => panic!("{error}"),
                    }
                }
            }
            Step::Copy(from, to) => {
                let to = &trees[usize::from(*to)];
                if to != &trees[0] && &trees[usize::from(*from)] != to {
                    store.commit("before a copy").unwrap();
                    store.drop_tree(to).unwrap();
                    store.copy_tree(&trees[usize::from(*from)], "HEAD", to).unwrap();
                }
            }
            Step::Tag => {
                store.commit("before a tag").unwrap();
                store.tag(&format!("v{}", store.tags().unwrap().len()), None).unwrap();
            }
        }
    }
    store.commit("the end").unwrap();
}
