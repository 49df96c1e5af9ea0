//! What one process sweeps while another still knows it.

use std::{path::Path, sync::Arc};

use prolly_store::{FileStore, NodeCache};
use prolly_version::{
    Batch, BatchCommit, BatchEdit, Catalog, CommitGraph, CommitId, Error, Expected, Head, NativeGraph,
    Parent, RefEdit,
    git::{GitGraph, GitOptions},
};

use crate::support::{Pending, commit, signature};

/// A graph as a process of its own opens it.
type Open = fn(&Path) -> Arc<dyn CommitGraph>;

fn files(dir: &Path) -> Arc<dyn CommitGraph> {
    let backend = Arc::new(FileStore::open(dir).unwrap());
    Arc::new(NativeGraph::new(backend, Arc::new(NodeCache::new(1 << 20)), None))
}

fn git(dir: &Path) -> Arc<dyn CommitGraph> {
    Arc::new(GitGraph::open_or_init(dir, &GitOptions::default()).unwrap())
}

fn edit(name: &str, expected: Expected, new: Option<CommitId>) -> RefEdit {
    RefEdit { name: name.to_owned(), expected, new, log: String::new() }
}

/// Two graphs of a directory, with a commit that the first has read and the second has swept.
fn swept(dir: &Path, open: Open) -> (Arc<dyn CommitGraph>, CommitId, CommitId) {
    let (one, other) = (open(dir), open(dir));
    let main = commit(&*one, &[], 1, "main", Some(("refs/heads/main", Expected::Absent))).unwrap();
    let gone = commit(&*one, &[main], 2, "side", Some(("refs/heads/side", Expected::Absent))).unwrap();
    assert!(one.read_commit(&gone).unwrap().is_some());
    other.update_refs(&[edit("refs/heads/side", Expected::Commit(gone), None)]).unwrap();
    assert!(other.collect_garbage().unwrap().objects_removed > 0);
    assert!(other.read_commit(&gone).unwrap().is_none());
    (one, main, gone)
}

#[test]
fn no_ref_is_made_for_a_commit_that_was_swept() {
    for open in [files as Open, git] {
        let dir = tempfile::tempdir().unwrap();
        let (one, main, gone) = swept(dir.path(), open);
        let error = one.update_refs(&[edit("refs/heads/back", Expected::Absent, Some(gone))]).unwrap_err();
        assert!(matches!(&error, Error::MissingCommit { id } if *id == gone), "{error}");

        let pending = Pending(prolly_core::NodeBuffer::new());
        let root = Catalog::empty(one.objects()).unwrap().root().clone();
        prolly_core::NodeWriter::write_node(&pending.0, root.clone()).unwrap();
        let new = BatchCommit {
            root,
            parents: vec![Parent::Stored(main)],
            author: signature(3),
            committer: signature(3),
            message: "another".to_owned(),
            original: None,
        };
        let edits = [
            BatchEdit { edit: edit("refs/heads/main", Expected::Commit(main), None), holds: Some(0) },
            BatchEdit { edit: edit("refs/heads/back", Expected::Absent, Some(gone)), holds: None },
        ];
        let batch = Batch { objects: &pending, commits: &[new], edits: &edits, signature: None };
        let error = one.publish_batch(&batch).unwrap_err();
        assert!(matches!(&error, Error::MissingCommit { id } if *id == gone), "{error}");

        let error = one.set_head(&Head::Detached(gone)).unwrap_err();
        assert!(matches!(&error, Error::MissingCommit { id } if *id == gone), "{error}");
        assert_eq!(one.refs("refs/").unwrap(), [("refs/heads/main".to_owned(), main)]);
        one.collect_garbage().unwrap();
    }
}
