//! Packs of our own: written, installed, merged. They hold whole objects, no deltas.
//!
//! **Invariant:** a pack appears in the repository whole and durable, its index last; and until the ref that needs it has
//! moved it is kept from being swept by a concurrent `git gc`.

mod consolidate;
mod index;
mod install;
mod read;
mod write;

pub(super) use consolidate::{Consolidation, consolidate};
pub(super) use install::{remove_pack, remove_stale_keeps};
pub(super) use read::{ListedPack, PackEntry, PackFile, list_packs};
pub(super) use write::PackWriter;

/// Where an object begins in a pack, and the checksum of its entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct IndexEntry {
    id: [u8; 20],
    crc: u32,
    offset: u64,
}
