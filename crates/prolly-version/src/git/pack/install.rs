//! Moves a finished pack into the repository.

use std::path::{Path, PathBuf};

use gix_hash::ObjectId;

use super::write::{PackWriter, WrittenPack};
use crate::{
    Result,
    git::{
        files::{self, NewFile},
        layout,
    },
};

/// A pack in the repository, kept from being swept until it is released.
pub(in super::super) struct InstalledPack {
    /// Path of the `.pack`.
    path: PathBuf,
    /// Whether it was there before: equal contents make equal packs.
    existed: bool,
    /// Whether the `.keep` is ours.
    kept: bool,
}

impl PackWriter<'_> {
    /// Makes the pack durable and moves it into `pack_dir`, as [`WrittenPack::install`] does.
    pub(in super::super) fn install(self, pack_dir: &Path, token: &Path) -> Result<InstalledPack> {
        let written = self.finish()?;
        files::sync_together(&written.files())?;
        written.install(pack_dir, token, true)
    }
}

impl WrittenPack {
    /// The files that have to be durable before the pack is installed.
    pub(in super::super) fn files(&self) -> [&NewFile; 2] {
        [&self.pack, &self.index]
    }

    /// Length of the pack and its index in bytes.
    pub(in super::super) fn len(&self) -> Result<u64> {
        Ok(self.pack.len()? + self.index.len()?)
    }

    /// The checksum that names the pack, its content, and that of its index.
    pub(in super::super) fn read_back(&mut self) -> Result<(ObjectId, Vec<u8>, Vec<u8>)> {
        let (mut pack, mut index) = (Vec::new(), Vec::new());
        self.pack.read_back(|piece| pack.extend_from_slice(piece))?;
        self.index.read_back(|piece| index.extend_from_slice(piece))?;
        Ok((self.checksum, pack, index))
    }

    /// Moves the pack into `pack_dir`, where it is kept from a concurrent `git gc`. When it is to be `durable`, its files are.
    ///
    /// The index comes last: without it nobody sees the pack.
    pub(in super::super) fn install(
        self,
        pack_dir: &Path,
        token: &Path,
        durable: bool,
    ) -> Result<InstalledPack> {
        let Self { pack, index, checksum } = self;
        let path = pack_dir.join(format!("pack-{checksum}.pack"));
        let existed = files::metadata(&path.with_extension("idx"))?.is_some();
        let kept = files::link(token, &path.with_extension("keep"))?;
        let installed = InstalledPack { path, existed, kept };
        if existed {
            files::remove(pack.path())?;
            files::remove(index.path())?;
            return Ok(installed);
        }
        let moved = files::rename(pack.path(), &installed.path)
            .and_then(|()| files::rename(index.path(), &installed.path.with_extension("idx")))
            .and_then(|()| if durable { files::sync_dir(pack_dir) } else { Ok(()) });
        match moved {
            Ok(()) => Ok(installed),
            Err(error) => {
                // What cannot be cleared away now is unreachable, and swept by the next garbage collection.
                drop(installed.withdraw());
                Err(error)
            }
        }
    }
}

impl InstalledPack {
    /// Path of the `.pack`.
    pub(in super::super) fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves the pack to whatever refs reach it.
    pub(in super::super) fn release(self) -> Result<()> {
        if self.kept {
            files::remove(&self.path.with_extension("keep"))?;
        }
        Ok(())
    }

    /// Takes the pack out again: nothing came to need it.
    pub(in super::super) fn withdraw(self) -> Result<()> {
        if !self.existed {
            remove_pack(&self.path)?;
        }
        self.release()
    }
}

/// Removes a pack, the index first: readers find both or are told there is none.
pub(in super::super) fn remove_pack(path: &Path) -> Result<()> {
    for extension in ["idx", "rev", "bitmap", "mtimes", "pack"] {
        files::remove(&path.with_extension(extension))?;
    }
    Ok(())
}

/// Removes the `.keep` files that owners of the store's lock left behind when they died. The lock must be held.
pub(in super::super) fn remove_stale_keeps(pack_dir: &Path) -> Result<()> {
    for (name, _) in files::list(pack_dir)? {
        let path = pack_dir.join(&name);
        if name.ends_with(".keep") && files::read(&path)?.is_some_and(|content| content == layout::TOKEN) {
            files::remove(&path)?;
        }
    }
    Ok(())
}
