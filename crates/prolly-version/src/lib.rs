//! Versions of prolly trees: a catalog of trees per commit, branches, merges, history.
//!
//! [`Store`] is the way in. It has one working state per process and directory, shared by all its handles: the branch or
//! commit it stands on, and what is staged. Trees are named by a [`TreeKey`]; [`TreeKey::default_map`] is there from the
//! first commit on.
//!
//! ```
//! use prolly_version::{Options, Store, TreeKey};
//!
//! let store = Store::memory(Options::default())?; // or Store::open(path, Options::new(BackendKind::Redb))
//! let map = TreeKey::default_map();
//! store.insert(&map, b"user:alice", b"Alice")?;
//! let first = store.commit("seed")?;
//!
//! store.create_branch("feature", None)?;
//! store.insert(&map, b"user:alice", b"Alice Smith")?;
//! store.commit("rename")?;
//!
//! store.checkout("main", false)?;
//! assert_eq!(store.get(&map, b"user:alice")?, Some(b"Alice".to_vec()));
//! assert_eq!(store.at("feature")?.get(&map, b"user:alice")?, Some(b"Alice Smith".to_vec()));
//! assert_eq!(store.resolve("feature~1")?, first);
//! # Ok::<(), prolly_version::Error>(())
//! ```
//!
//! | to | call |
//! |---|---|
//! | read | [`Store::get`], [`get_many`](Store::get_many), [`contains`](Store::contains), [`open_value`](Store::open_value), [`len`](Store::len); [`tree`](Store::tree) for ranges, prefixes, ranks, proofs |
//! | stage | [`Store::insert`], [`insert_many`](Store::insert_many), [`insert_reader`](Store::insert_reader), [`update`](Store::update), [`delete`](Store::delete), [`delete_many`](Store::delete_many); [`status`](Store::status), [`discard`](Store::discard) |
//! | stage trees | [`Store::create_tree`], [`drop_tree`](Store::drop_tree), [`copy_tree`](Store::copy_tree), [`set_metadata`](Store::set_metadata); [`catalog`](Store::catalog) lists them |
//! | commit | [`Store::commit`], [`commit_as`](Store::commit_as), [`refresh`](Store::refresh) |
//! | move | [`Store::branch`], [`create_branch`](Store::create_branch), [`checkout`](Store::checkout), [`tag`](Store::tag) and their kin |
//! | merge | [`Store::merge`], [`try_merge`](Store::try_merge), [`revert`](Store::revert), [`reset`](Store::reset) |
//! | look back | [`Store::log`], [`at`](Store::at), [`resolve`](Store::resolve), [`diff`](Store::diff), [`history`](Store::history) |
//! | keep | [`Store::flush`], [`collect_garbage`](Store::collect_garbage) |
//!
//! Below it, a [`CommitGraph`] holds commits, refs and objects: [`NativeGraph`] over any
//! [`Backend`](prolly_store::Backend), or a Git repository.

mod catalog;
mod commit_record;
mod conflict;
mod error;
#[cfg(feature = "git")]
pub mod git;
mod graph;
mod journal;
mod merge;
mod native;
mod proof;
mod refname;
mod revision;
mod store;
pub mod sync;
mod tree_key;
mod walk;

pub use catalog::{CATALOG_CONFIG, Catalog, Entries, TreeEntry, TreeVersion};
pub use conflict::MergeConflict;
pub use error::{Error, Result};
pub use graph::{
    Batch, BatchCommit, BatchEdit, Commit, CommitDraft, CommitGraph, CommitId, Expected, GcReport, GraphKind,
    Head, Original, Parent, PendingObjects, RefEdit, Signature,
};
pub use journal::StrandedJournal;
pub use merge::{
    Finish, MapDriver, MergeDriver, MergeDrivers, MergeFinisher, MergeInput, MergeOutcome, MergeStrategy,
    MergedTrees, Resolution, TreeStrategies,
};
pub use native::NativeGraph;
pub use proof::{TreeProof, VerifiedTree};
pub use refname::{
    BRANCH_PREFIX, REMOTE_PREFIX, TAG_PREFIX, branch_ref_name, branch_short_name, check_ref_name,
    tag_ref_name,
};
pub use revision::resolve;
pub use store::{
    BackendKind, BlobReport, Change, ChangeKind, Changes, Clock, History, Identity, MergeOptions, Moment,
    Options, ResetMode, Snapshot, StagedChange, Staging, Stamp, Status, Store, Timestamp, ValueReader,
};
pub use tree_key::{KeyInTree, TreeKey, TreeKind};
pub use walk::{Log, is_ancestor, merge_bases};
