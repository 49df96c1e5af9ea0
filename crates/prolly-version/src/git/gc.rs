//! The sweep: what no ref reaches goes, what is left becomes one pack.
//!
//! **Invariant:** nothing is removed before everything reachable lies in packs that stay, durably, and no ref has moved
//! since it was established what is reachable. Deltas that `git gc` made are kept.

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use gix_hash::ObjectId;
use gix_object::Kind;

use super::{
    GitGraph, commit, files,
    graph::Writing,
    object,
    pack::{Compressor, Copier, PackFile, PackWriter, list_packs, remove_pack},
};
use crate::{Error, GcReport, Result, native::is_of_blob};

/// How often it is tried to see the refs stand still.
const ATTEMPTS: usize = 5;
/// Loose objects that no ref reaches stay this long: a `git push` may be about to name them.
const LOOSE_GRACE: Duration = Duration::from_secs(3600);

/// Loose object files.
type Loose = HashMap<ObjectId, PathBuf>;

impl GitGraph {
    /// Sweeps the repository; the store's lock is held.
    pub(super) fn sweep(&self, _writing: &mut Writing<'_>) -> Result<GcReport> {
        for _ in 0..ATTEMPTS {
            let roots = self.roots()?;
            if let Some(report) = self.sweep_below(&roots)? {
                self.objects.attested.clear();
                self.objects.forget_located();
                self.objects.odb.reopen()?;
                return Ok(report);
            }
        }
        Err(Error::Locked { path: self.git_dir().join("refs") })
    }

    /// Everything that must stay, with what it leads to: refs, HEADs, and what the logs of refs name.
    fn roots(&self) -> Result<Vec<ObjectId>> {
        let mut roots = self.objects.refs.tips()?;
        for (worktree, _) in files::list(&self.git_dir().join("worktrees"))? {
            let head = files::read(&self.git_dir().join("worktrees").join(worktree).join("HEAD"))?;
            roots.extend(head.and_then(|head| ObjectId::from_hex(head.trim_ascii()).ok()));
        }
        let mut logs = vec![self.git_dir().join("logs")];
        while let Some(dir) = logs.pop() {
            for (name, kind) in files::list(&dir)? {
                let path = dir.join(name);
                if kind.is_dir() {
                    logs.push(path);
                    continue;
                }
                let log = files::read(&path)?.unwrap_or_default();
                for id in
                    log.split(|byte| *byte == b'\n').flat_map(|line| line.split(|byte| *byte == b' ').take(2))
                {
                    // An entry of a log may outlive what it names, and then names nothing.
                    if let Ok(id) = ObjectId::from_hex(id)
                        && self.objects.odb.kind(&id)?.is_some()
                    {
                        roots.push(id);
                    }
                }
            }
        }
        roots.sort_unstable();
        roots.dedup();
        Ok(roots)
    }

    /// Sweeps what `roots` do not reach; `None` when they are no longer all.
    fn sweep_below(&self, roots: &[ObjectId]) -> Result<Option<GcReport>> {
        let pack_dir = self.objects.odb.pack_dir();
        let objects_dir = files::parent(&pack_dir).to_owned();
        let bytes_before = bytes_below(&objects_dir)?;
        let reachable = self.reachable(roots)?;
        let loose = list_loose(&objects_dir)?;
        let (kept, swept): (Vec<_>, Vec<_>) =
            list_packs(&pack_dir)?.into_iter().partition(|pack| pack.is_kept);
        let mut staying = HashSet::new();
        for pack in &kept {
            staying.extend(PackFile::open(&pack.path)?.iter().flat_map(PackFile::ids));
        }
        let mut unreachable = HashSet::new();
        let mut files_swept = Vec::new();
        for pack in swept.iter().rev() {
            // One that is gone was swept up by Git, into another that is listed or that is newer than the list.
            let Some(file) = PackFile::open(&pack.path)? else { continue };
            unreachable.extend(file.ids().filter(|id| !reachable.contains(id) && !staying.contains(id)));
            files_swept.push(Arc::new(file));
        }

        let loose_unreachable = loose.keys().filter(|id| !reachable.contains(*id));
        let of_blobs = self.of_blobs(unreachable.iter().chain(loose_unreachable))?;

        let mut present: HashSet<_> = files_swept.iter().flat_map(|file| file.ids()).collect();
        present.retain(|id| reachable.contains(id));
        if swept.len() > 1 || !unreachable.is_empty() || !loose.is_empty() {
            let mut compressor = Compressor::default();
            let writer = PackWriter::new(self.layout.temporary("sweep"), &mut compressor);
            let mut copier = Copier::new(&self.objects.odb, writer);
            for file in &files_swept {
                copier.copy(file, |id| reachable.contains(id) && !staying.contains(id))?;
            }
            let (mut writer, written) = copier.finish();
            present.extend(written);
            for id in reachable.iter().filter(|id| !staying.contains(*id)) {
                if !present.contains(id) && self.copy_loose(&mut writer, id, &loose)? {
                    present.insert(*id);
                }
            }
            if self.roots()? != roots {
                return Ok(None);
            }
            let installed = match writer.count() {
                0 => None,
                _ => Some(writer.install(&pack_dir, &self.layout.token())?),
            };
            for pack in
                swept.iter().filter(|pack| installed.as_ref().is_none_or(|new| new.path() != pack.path))
            {
                remove_pack(&pack.path)?;
            }
            remove_derived(&objects_dir)?;
            files::sync_dir(&pack_dir)?;
            if let Some(installed) = installed {
                installed.release()?;
            }
        }
        staying.retain(|id| !present.contains(id));
        unreachable.extend(remove_loose(&loose, &present)?);
        Ok(Some(GcReport {
            objects_before: (present.len() + staying.len() + unreachable.len()) as u64,
            objects_removed: unreachable.len() as u64,
            blobs_removed: unreachable.intersection(&of_blobs).count() as u64,
            bytes_before,
            bytes_after: bytes_below(&objects_dir)?,
        }))
    }

    /// Those of some objects that are parts or lists of blobs, as they are stored.
    fn of_blobs<'a>(&self, ids: impl Iterator<Item = &'a ObjectId>) -> Result<HashSet<ObjectId>> {
        let mut found = HashSet::new();
        let mut buffer = Vec::new();
        for id in ids {
            if self.objects.odb.kind(id)? == Some(Kind::Blob)
                && self.objects.odb.find(id, &mut buffer)?.is_some()
                && is_of_blob(&buffer)
            {
                found.insert(*id);
            }
        }
        Ok(found)
    }

    /// All objects that the roots lead to.
    fn reachable(&self, roots: &[ObjectId]) -> Result<HashSet<ObjectId>> {
        let mut reachable: HashSet<ObjectId> = HashSet::new();
        let mut open = roots.to_vec();
        let mut buffer = Vec::new();
        while let Some(id) = open.pop() {
            if !reachable.insert(id) {
                continue;
            }
            let name = commit::commit_id(id);
            let damaged = |reason: String| Error::GitObject {
                action: "read",
                object: id.to_string(),
                source: reason.into(),
            };
            match self.objects.odb.find_verified(&id, &mut buffer)? {
                None => return Err(damaged("it is missing, and something reachable leads to it".to_owned())),
                Some(Kind::Blob) => {}
                Some(Kind::Commit) => {
                    let decoded = commit::decode(&name, &buffer)?;
                    open.push(decoded.tree);
                    open.extend(self.objects.refs.parents(&id, decoded.parents));
                }
                Some(Kind::Tag) => {
                    let tag = gix_object::TagRef::from_bytes(&buffer, gix_hash::Kind::Sha1)
                        .map_err(|error| damaged(error.to_string()))?;
                    open.push(tag.target());
                }
                Some(Kind::Tree) => {
                    for (_, entry) in object::entries(&buffer).map_err(damaged)? {
                        if entry.is_tree {
                            open.push(entry.id);
                        } else {
                            // Blobs lead nowhere: that they are there shows when they are copied.
                            reachable.insert(entry.id);
                        }
                    }
                }
            }
        }
        Ok(reachable)
    }

    /// Adds an object that is in no pack; `false` when it is another repository's, from which this one borrows.
    fn copy_loose(&self, writer: &mut PackWriter, id: &ObjectId, loose: &Loose) -> Result<bool> {
        let missing = || Error::GitObject {
            action: "read",
            object: id.to_string(),
            source: "it is missing, and something reachable leads to it".into(),
        };
        if !loose.contains_key(id) {
            return self.objects.odb.kind(id)?.map(|_| false).ok_or_else(missing);
        }
        let mut buffer = Vec::new();
        let kind = self.objects.odb.find_verified(id, &mut buffer)?.ok_or_else(missing)?;
        writer.add_known(*id, kind, &buffer)?;
        Ok(true)
    }
}

/// The loose objects of a repository.
fn list_loose(objects_dir: &Path) -> Result<Loose> {
    let mut out = Loose::new();
    for (dir, kind) in files::list(objects_dir)? {
        if !kind.is_dir() || dir.len() != 2 {
            continue;
        }
        for (name, _) in files::list(&objects_dir.join(&dir))? {
            if let Ok(id) = ObjectId::from_hex(format!("{dir}{name}").as_bytes()) {
                out.insert(id, objects_dir.join(&dir).join(name));
            }
        }
    }
    Ok(out)
}

/// Removes loose objects that are in a pack now, and old ones that nothing reaches; returns the latter.
fn remove_loose(loose: &Loose, packed: &HashSet<ObjectId>) -> Result<Vec<ObjectId>> {
    let mut unreachable = Vec::new();
    for (id, path) in loose {
        if !packed.contains(id) {
            let Some(found) = files::metadata(path)? else { continue };
            let modified = found.modified().map_err(|error| Error::io("examine", path, error))?;
            // A time in the future is no age.
            if modified.elapsed().unwrap_or_default() < LOOSE_GRACE {
                continue;
            }
            unreachable.push(*id);
        }
        files::remove(path)?;
        files::remove_empty_dir(files::parent(path))?;
    }
    Ok(unreachable)
}

/// Removes what Git derived from the packs that were there; it derives it again.
fn remove_derived(objects_dir: &Path) -> Result<()> {
    files::remove(&objects_dir.join("pack/multi-pack-index"))?;
    files::remove(&objects_dir.join("info/commit-graph"))?;
    let chain = objects_dir.join("info/commit-graphs");
    if files::metadata(&chain)?.is_some() {
        files::remove_dir_all(&chain)?;
    }
    Ok(())
}

fn bytes_below(dir: &Path) -> Result<u64> {
    let mut bytes = 0;
    for (name, kind) in files::list(dir)? {
        let path = dir.join(name);
        bytes += if kind.is_dir() {
            bytes_below(&path)?
        } else {
            files::metadata(&path)?.map_or(0, |found| found.len())
        };
    }
    Ok(bytes)
}
