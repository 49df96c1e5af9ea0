//! Prolly trees: ordered `bytes → bytes` maps whose shape depends only on their contents.
//!
//! This crate holds the algorithms and does no I/O: nodes come and go through [`NodeReader`] and [`NodeWriter`].

mod config;
mod error;
mod hash;
mod node;
mod reader;
mod record;
mod value;

pub use config::{ENTRY_WEIGHT_BYTES, MAX_INLINE_BYTES, MAX_KEY_BYTES, TreeConfig};
pub use error::{Error, Result, Source};
pub use hash::{Hash, HashedMap, Link, Locator};
pub use node::{NODE_FORMAT_VERSION, Node};
pub use reader::{NodeBuffer, NodeReader, NodeStore, NodeWriter};
pub use record::{Record, RecordKind};
pub use value::{ENVELOPE_BYTES, Value, ValueRef};
