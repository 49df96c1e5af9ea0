//! Where prolly trees live: stores of objects and refs, and what makes reading and writing them cheap.
//!
//! A [`Backend`] keeps immutable objects by address and named refs, and has one way to write: a [`Transaction`], which
//! publishes any number of objects together with edits of refs, durably and all or nothing. There are three:
//! [`MemoryStore`], [`FileStore`] and [`RedbStore`]; all run the same suite of tests, the module `conformance`.
//! [`CachedReader`] reads decoded, verified nodes from a backend through a bounded [`NodeCache`]; a [`SpillBuffer`]
//! holds the objects that an edit makes, in bounded memory, until they are published.

mod backend;
mod cache;
#[cfg(any(test, feature = "conformance"))]
#[expect(clippy::unwrap_used, reason = "tests")]
pub mod conformance;
#[cfg(test)]
mod crash;
mod error;
mod file;
mod memory;
mod prefix;
mod reader;
mod redb;
mod refs;
mod saved_tree;
mod spill;
#[cfg(test)]
mod testing;
mod vfs;

pub use backend::{Backend, Expected, MAX_OBJECT_BYTES, RefEdit, RefStore, Stats, SweepReport, Transaction};
pub use cache::{CacheStats, DEFAULT_CACHE_BYTES, NodeCache};
pub use error::{Error, Result};
pub use file::{FileOptions, FileStore};
pub use memory::MemoryStore;
pub use prefix::HashPrefix;
pub use reader::CachedReader;
pub use redb::{RedbOptions, RedbStore};
pub use refs::{MAX_REF_NAME_BYTES, MAX_REF_VALUE_BYTES};
pub use saved_tree::SavedTree;
pub use spill::{DEFAULT_SPILL_BYTES, SpillBuffer};
