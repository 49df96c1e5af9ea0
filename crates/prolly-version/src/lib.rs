//! Versions of prolly trees: a catalog of trees per commit, branches, merges, history.

mod error;
mod graph;

pub use error::{Error, Result};
pub use graph::{
    Commit, CommitDraft, CommitGraph, CommitId, Expected, GcReport, Head, PendingObjects, RefEdit, Signature,
};
