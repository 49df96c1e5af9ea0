//! Merges small packs into larger ones, so that a store of many commits stays quick to open and to read.
//!
//! Packs are sorted into tiers by size, each sixteen times as large as the one below; sixteen packs of a tier make one of
//! the next. So an object is copied a few times over the life of a store, and there are some dozens of packs at most.
//!
//! **Invariant:** the merged pack is durable and visible before the first of the old ones goes. Packs that hold deltas,
//! that are kept, or that Git has indexed together are left alone.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use super::{PackFile, PackWriter, install::remove_pack, list_packs, read::ListedPack};
use crate::{
    Result,
    git::{files, layout::Layout},
};

/// Packs of a tier that are merged into one.
const MERGED: usize = 16;
/// Packs of the lowest tier are smaller than this, in bytes; those of the next, than [`MERGED`] times this.
const TIER_BYTES: u64 = 256 << 10;
const TIERS: u32 = 4;

/// What is known of a repository's packs between two merges.
#[derive(Debug, Default)]
pub(in super::super) struct Consolidation {
    /// How many packs the lowest tier has, as far as this handle knows; `None` before it has looked.
    small_packs: Option<usize>,
    /// Packs that cannot be merged.
    left_alone: HashSet<PathBuf>,
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
    pack_dir: &Path,
    state: &mut Consolidation,
) -> Result<bool> {
    if state.small_packs.is_some_and(|count| count < MERGED) {
        return Ok(false);
    }
    let mut merged_any = false;
    for tier in 0..TIERS {
        let packs = mergeable(pack_dir, tier, state)?;
        if tier == 0 {
            state.small_packs = Some(packs.len() % MERGED);
        }
        if packs.len() >= MERGED {
            merge(layout, pack_dir, &packs, state)?;
            merged_any = true;
        }
    }
    Ok(merged_any)
}

fn tier(pack: &ListedPack) -> u32 {
    (pack.bytes / TIER_BYTES).checked_ilog(MERGED as u64).map_or(0, |tier| tier + 1)
}

fn mergeable(pack_dir: &Path, wanted: u32, state: &Consolidation) -> Result<Vec<ListedPack>> {
    let mut packs = list_packs(pack_dir)?;
    packs.retain(|pack| {
        tier(pack) == wanted && !pack.is_kept && !pack.is_special && !state.left_alone.contains(&pack.path)
    });
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

fn merge(layout: &Layout, pack_dir: &Path, packs: &[ListedPack], state: &mut Consolidation) -> Result<()> {
    let mut writer = PackWriter::new(layout.temporary("merge"));
    let mut seen = HashSet::new();
    let mut merged = Vec::new();
    for pack in packs {
        // Git may have swept it up meanwhile.
        let Some(file) = PackFile::open(&pack.path)? else { continue };
        if !file.is_plain()? {
            state.left_alone.insert(pack.path.clone());
            continue;
        }
        for at in 0..file.count() {
            let entry = file.entry(at)?;
            if seen.insert(entry.id) {
                writer.add_entry(entry.id, &[entry.bytes])?;
            }
        }
        merged.push(&pack.path);
    }
    if merged.len() < 2 {
        return Ok(());
    }
    let installed = writer.install(pack_dir, &layout.token())?;
    for path in merged.into_iter().filter(|path| *path != installed.path()) {
        remove_pack(path)?;
    }
    files::sync_dir(pack_dir)?;
    installed.release()
}
