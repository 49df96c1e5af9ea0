//! Packs of our own: written, installed, merged. Those of single commits hold whole objects, merged ones deltas too.
//!
//! **Invariant:** a pack appears in the repository whole and durable, its index last; and until the ref that needs it has
//! moved it is kept from being swept by a concurrent `git gc`.

mod compress;
mod consolidate;
mod copy;
mod delta;
mod index;
mod install;
mod read;
mod write;

pub(super) use compress::Compressor;
pub(super) use consolidate::{Consolidation, consolidate};
pub(super) use copy::Copier;
pub(super) use install::{InstalledPack, remove_pack, remove_stale_keeps};
pub(super) use read::{PackEntry, PackFile, list_packs};
pub(super) use write::{PackWriter, WrittenPack};

/// Where an object begins in a pack, and the checksum of its entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct IndexEntry {
    id: [u8; 20],
    crc: u32,
    offset: u64,
}
