//! What several tests need.

use std::sync::Arc;

use prolly_core::{Link, Node, NodeBuffer, NodeWriter};
use prolly_store::{MemoryStore, NodeCache};
use prolly_version::{
    Catalog, CommitDraft, CommitGraph, CommitId, Expected, NativeGraph, PendingObjects, RefEdit, Result,
    Signature,
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
