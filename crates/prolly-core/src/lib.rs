//! Prolly trees: ordered `bytes → bytes` maps whose shape depends only on their contents.
//!
//! This crate holds the algorithms and does no I/O: nodes come and go through [`NodeReader`] and [`NodeWriter`].

pub mod blob;
mod boundary;
mod config;
mod diff;
mod edit;
mod error;
mod hash;
mod merge;
mod node;
mod object;
mod overlay;
mod prolly_tree;
mod proof;
mod reader;
mod record;
mod tree;
mod value;

pub use blob::{Blob, BlobPart, BlobReader, BlobWriter};
pub use config::{ENTRY_WEIGHT_BYTES, MAX_INLINE_BYTES, MAX_KEY_BYTES, TreeConfig};
pub use diff::{Diff, Difference};
pub use edit::{EditRef, EditSource, SortedEdits, empty_root_hash};
pub use error::{Error, Result, Source};
pub use hash::{Hash, HashedMap, Link, Locator};
pub use merge::{Conflict, Merged, Resolution, Resolver, merge, refuse};
pub use node::{NODE_FORMAT_VERSION, Node};
pub use object::{ObjectLink, blob_links};
pub use overlay::MAX_VALUE_BYTES;
pub use prolly_tree::ProllyTree;
pub use proof::{Proof, ProvenValue, Verified};
pub use reader::{NodeBuffer, NodeReader, NodeStore, NodeWriter};
pub use record::{Record, RecordKind};
pub use tree::{Cursor, Found, Range, Tree, TreeStats, prefix_end};
pub use value::{ENVELOPE_BYTES, Value, ValueRef};
