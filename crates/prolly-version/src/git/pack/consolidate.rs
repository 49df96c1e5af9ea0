//! Merges small packs into larger ones, so that a store of many commits stays small, and quick to open and to read.
//!
//! Packs are sorted into tiers by size, each sixteen times as large as the one below; sixteen packs of a tier make one of
//! the next. So an object is copied a few times over the life of a store, and there are some dozens of packs at most.
//!
//! **Invariant:** the merged pack is durable and visible before the first of the old ones goes. Packs that somebody keeps,
//! or that Git has indexed together, are left alone.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Compressor, Copier, PackFile, PackWriter, install::remove_pack, list_packs, read::ListedPack};
use crate::{
    Result,
    git::{files, layout::Layout, odb::ObjectDb},
};

/// Packs of a tier that are merged into one.
const MERGED: usize = 16;
/// Packs of the lowest tier are smaller than this, in bytes; those of the next, than [`MERGED`] times this.
const TIER_BYTES: u64 = 256 << 10;
/// Packs beyond these tiers, 1 GiB and more, are left to garbage collection.
const TIERS: u32 = 4;

/// What is known of a repository's packs between two merges.
#[derive(Debug, Default)]
pub(in super::super) struct Consolidation {
    /// How many packs the lowest tier has, as far as this handle knows; `None` before it has looked.
    small_packs: Option<usize>,
}

impl Consolidation {
    /// Notes that a pack was added.
    pub(in super::super) fn note_pack(&mut self) {
        if let Some(count) = &mut self.small_packs {
            *count += 1;
        }
    }
}

/// Merges packs where there are enough of them; returns whether any were. The store's lock must be held.
pub(in super::super) fn consolidate(
    layout: &Layout,
    odb: &ObjectDb,
    compressor: &mut Compressor,
    state: &mut Consolidation,
) -> Result<bool> {
    if state.small_packs.is_some_and(|count| count < MERGED) {
        return Ok(false);
    }
    // Should this fail, it is tried again after as many packs more.
    state.small_packs = Some(0);
    let pack_dir = odb.pack_dir();
    let mut merged_any = false;
    for tier in 0..TIERS {
        let packs = mergeable(&pack_dir, tier)?;
        if packs.len() >= MERGED {
            merge(layout, odb, compressor, &packs)?;
            merged_any = true;
        } else if tier == 0 {
            state.small_packs = Some(packs.len());
        }
    }
    Ok(merged_any)
}

fn tier(pack: &ListedPack) -> u32 {
    (pack.bytes / TIER_BYTES).checked_ilog(MERGED as u64).map_or(0, |tier| tier + 1)
}

/// The packs of a tier that may be merged, newest first.
fn mergeable(pack_dir: &Path, wanted: u32) -> Result<Vec<ListedPack>> {
    let mut packs = list_packs(pack_dir)?;
    packs.retain(|pack| tier(pack) == wanted && !pack.is_kept && !pack.is_special);
    packs.reverse();
    // Packs that are indexed together carry their names in that index.
    if packs.len() >= MERGED
        && let Some(together) = files::read(&pack_dir.join("multi-pack-index"))?
    {
        packs.retain(|pack| {
            let name = pack.path.with_extension("idx");
            let name = name.file_name().map(|name| name.as_encoded_bytes().to_vec()).unwrap_or_default();
            !together.windows(name.len()).any(|part| part == name)
        });
    }
    Ok(packs)
}

fn merge(layout: &Layout, odb: &ObjectDb, compressor: &mut Compressor, packs: &[ListedPack]) -> Result<()> {
    let mut copier = Copier::new(odb, PackWriter::new(layout.temporary("merge"), compressor));
    let mut merged: Vec<&PathBuf> = Vec::new();
    for pack in packs {
        // Git may have swept it up meanwhile.
        if let Some(file) = PackFile::open(&pack.path)? {
            copier.copy(&Arc::new(file), |_| true)?;
            merged.push(&pack.path);
        }
    }
    if merged.len() < 2 {
        return Ok(());
    }
    let pack_dir = odb.pack_dir();
    let installed = copier.finish().0.install(&pack_dir, &layout.token())?;
    for path in merged.into_iter().filter(|path| *path != installed.path()) {
        remove_pack(path)?;
    }
    files::sync_dir(&pack_dir)?;
    installed.release()
}
