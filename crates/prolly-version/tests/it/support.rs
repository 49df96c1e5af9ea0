//! What several tests need.

use std::sync::Arc;

use prolly_core::{Link, Node, NodeBuffer, NodeWriter};
use prolly_store::{MemoryStore, NodeCache};
use prolly_version::{
    BackendKind, Catalog, ChangeKind, CommitDraft, CommitGraph, CommitId, Expected, NativeGraph, Options,
    PendingObjects, RefEdit, Result, Signature, Store, Timestamp, TreeKey,
};

/// A native graph in memory.
pub(crate) fn memory_graph() -> Arc<NativeGraph> {
    Arc::new(NativeGraph::new(Arc::new(MemoryStore::new()), Arc::new(NodeCache::new(1 << 20)), None))
}

/// A buffer as pending objects.
pub(crate) struct Pending(pub(crate) NodeBuffer);

impl PendingObjects for Pending {
    fn node(&self, link: &Link) -> Result<Option<Arc<Node>>> {
        Ok(self.0.buffered_node(&link.hash))
    }

    fn record(&self, link: &Link) -> Result<Option<Arc<[u8]>>> {
        Ok(self.0.buffered_record(&link.hash))
    }
}

pub(crate) fn signature(seconds: i64) -> Signature {
    Signature { name: "T".to_owned(), email: "t@example.com".to_owned(), seconds, offset_minutes: 60 }
}

/// Makes a commit with an empty catalog and moves a ref to it.
pub(crate) fn commit(
    graph: &dyn CommitGraph,
    parents: &[CommitId],
    seconds: i64,
    message: &str,
    edit: Option<(&str, Expected)>,
) -> Result<CommitId> {
    let pending = Pending(NodeBuffer::new());
    let catalog = Catalog::empty(graph.objects())?;
    pending.0.write_node(catalog.root().clone())?;
    let draft = CommitDraft {
        root: catalog.root().clone(),
        parents: parents.to_vec(),
        author: signature(seconds),
        committer: signature(seconds),
        message: message.to_owned(),
    };
    let edit = edit.map(|(name, expected)| RefEdit {
        name: name.to_owned(),
        expected,
        new: None,
        log: String::new(),
    });
    graph.publish(&pending, &draft, edit.as_ref())
}

/// What several processes share: a store in memory, and a directory for their journals.
pub(crate) struct Shared {
    backend: Arc<MemoryStore>,
    pub(crate) dir: tempfile::TempDir,
}

impl Shared {
    pub(crate) fn new() -> Self {
        Self { backend: Arc::new(MemoryStore::new()), dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn graph(&self) -> Arc<NativeGraph> {
        let cache = Arc::new(NodeCache::new(1 << 20));
        let staging = self.dir.path().join("staging");
        Arc::new(NativeGraph::new(self.backend.clone(), cache, Some(staging)))
    }

    /// Opens the store as another process would.
    pub(crate) fn open(&self) -> Store {
        self.try_open(options()).unwrap()
    }

    pub(crate) fn try_open(&self, options: Options) -> Result<Store> {
        Store::over(self.graph(), BackendKind::Memory, options)
    }
}

/// Options with a clock that stands still.
pub(crate) fn options() -> Options {
    let mut options = Options::default();
    options.clock = Arc::new(|| Timestamp { seconds: 1_700_000_000, offset_minutes: 0 });
    options
}

/// The entries of a tree as it is now.
pub(crate) fn entries(store: &Store, tree: &TreeKey) -> Vec<(Vec<u8>, Vec<u8>)> {
    let tree = store.tree(tree).unwrap();
    let mut range = tree.range::<&[u8]>(..).unwrap();
    std::iter::from_fn(|| range.next_pair().unwrap()).collect()
}

/// The staged changes of the default tree.
pub(crate) fn status(store: &Store) -> Vec<(Vec<u8>, ChangeKind)> {
    let map = TreeKey::default_map();
    store
        .status_of(&map)
        .unwrap()
        .map(|change| change.unwrap())
        .map(|change| (change.key, change.kind))
        .collect()
}
