//! Versions of prolly trees: a catalog of trees per commit, branches, merges, history.

mod catalog;
mod commit_record;
mod conflict;
mod error;
#[cfg(feature = "git")]
pub mod git;
mod graph;

mod native;
mod refname;
mod revision;
mod tree_key;
mod walk;

pub use catalog::{CATALOG_CONFIG, Catalog, Entries, TreeEntry, TreeVersion};
pub use conflict::MergeConflict;
pub use error::{Error, Result};
pub use graph::{
    Commit, CommitDraft, CommitGraph, CommitId, Expected, GcReport, Head, PendingObjects, RefEdit, Signature,
};

pub use native::NativeGraph;
pub use refname::{
    BRANCH_PREFIX, REMOTE_PREFIX, TAG_PREFIX, branch_ref_name, branch_short_name, check_ref_name,
    tag_ref_name,
};
pub use revision::resolve;
pub use tree_key::{KeyInTree, TreeKey, TreeKind};
pub use walk::{Log, is_ancestor, merge_bases};
