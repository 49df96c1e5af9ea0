//! Reads packs entry by entry, as they are, to copy entries without unpacking them.
//!
//! **Invariant:** an entry is handed out only when it has the checksum its index says: damage is never copied on.

use std::path::{Path, PathBuf};

use gix_hash::ObjectId;
use gix_odb::pack::{data, index};

use crate::{
    Error, Result,
    git::{files, odb::OBJECT_BYTES_MAX},
};

const CHECKSUM_BYTES: u64 = 20;

/// A pack in the repository, as its directory shows it.
#[derive(Debug)]
pub(in super::super) struct ListedPack {
    /// Path of the `.pack`.
    pub(in super::super) path: PathBuf,
    pub(in super::super) bytes: u64,
    /// Somebody wants it to stay: it has a `.keep`, or is part of a partial clone.
    pub(in super::super) is_kept: bool,
    /// Git has more to say of it than its index does: a bitmap, or times of unreachable objects.
    pub(in super::super) is_special: bool,
}

/// A pack, open, with its entries in the order of their offsets.
pub(in super::super) struct PackFile {
    index: index::File,
    data: data::File,
    entries: Vec<index::Entry>,
}

/// An entry of a pack.
pub(in super::super) struct PackEntry<'a> {
    pub(in super::super) id: ObjectId,
    pub(in super::super) offset: u64,
    pub(in super::super) header: data::entry::Header,
    /// Length of the object, or of the delta.
    pub(in super::super) content_len: u64,
    /// The whole entry.
    pub(in super::super) bytes: &'a [u8],
    /// What follows its header, compressed.
    pub(in super::super) compressed: &'a [u8],
}

/// The packs of a repository that have an index, oldest first.
pub(in super::super) fn list_packs(pack_dir: &Path) -> Result<Vec<ListedPack>> {
    let names: Vec<String> = files::list(pack_dir)?.into_iter().map(|(name, _)| name).collect();
    let has = |stem: &str, extension: &str| names.binary_search(&format!("{stem}.{extension}")).is_ok();
    let mut packs = Vec::new();
    for stem in names.iter().filter_map(|name| name.strip_suffix(".pack")) {
        let path = pack_dir.join(format!("{stem}.pack"));
        // A pack without an index is being written, or a leftover; one that is gone has been merged by now.
        let Some(found) = files::metadata(&path)?.filter(|_| has(stem, "idx")) else { continue };
        let modified = found.modified().map_err(|error| Error::io("examine", &path, error))?;
        let pack = ListedPack {
            bytes: found.len(),
            is_kept: has(stem, "keep") || has(stem, "promisor"),
            is_special: has(stem, "bitmap") || has(stem, "mtimes"),
            path,
        };
        packs.push((modified, pack));
    }
    packs.sort_by(|(a, left), (b, right)| a.cmp(b).then_with(|| left.path.cmp(&right.path)));
    Ok(packs.into_iter().map(|(_, pack)| pack).collect())
}

impl PackFile {
    /// Opens a pack; `None` when it is not there any more.
    pub(in super::super) fn open(path: &Path) -> Result<Option<Self>> {
        let damaged = |error: String| Error::DamagedFile { path: path.to_owned(), reason: error };
        let opened = index::File::at(path.with_extension("idx"), gix_hash::Kind::Sha1)
            .map_err(|error| damaged(format!("its index: {error}")))
            .and_then(|index| {
                let data =
                    data::File::at(path, gix_hash::Kind::Sha1).map_err(|error| damaged(error.to_string()))?;
                Ok((index, data))
            });
        let (index, data) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                let gone = files::metadata(path)?.is_none()
                    || files::metadata(&path.with_extension("idx"))?.is_none();
                return if gone { Ok(None) } else { Err(error) };
            }
        };
        if index.num_objects() != data.num_objects() {
            let (index, pack) = (index.num_objects(), data.num_objects());
            return Err(damaged(format!("it has {pack} objects, its index has {index}")));
        }
        let mut entries: Vec<_> = index.iter().collect();
        entries.sort_unstable_by_key(|entry| entry.pack_offset);
        Ok(Some(Self { index, data, entries }))
    }

    pub(in super::super) fn count(&self) -> usize {
        self.entries.len()
    }

    pub(in super::super) fn ids(&self) -> impl Iterator<Item = ObjectId> + '_ {
        self.entries.iter().map(|entry| entry.oid)
    }

    /// The id of entry `at` in the order of offsets.
    pub(in super::super) fn id(&self, at: usize) -> ObjectId {
        self.entries[at].oid
    }

    /// Entry `at` in the order of offsets, verified.
    pub(in super::super) fn entry(&self, at: usize) -> Result<PackEntry<'_>> {
        let entry = &self.entries[at];
        let damaged = |reason: &str| Error::DamagedFile {
            path: self.data.path().to_owned(),
            reason: format!("at byte {}, object {}: {reason}", entry.pack_offset, entry.oid),
        };
        let end = match self.entries.get(at + 1) {
            Some(next) => next.pack_offset,
            None => (self.data.data_len() as u64).saturating_sub(CHECKSUM_BYTES),
        };
        let bytes = (entry.pack_offset < end)
            .then(|| self.data.entry_slice(entry.pack_offset..end))
            .flatten()
            .ok_or_else(|| damaged("it lies outside of the file"))?;
        // Only the oldest indexes have no checksums; the objects of their packs are unpacked instead.
        if entry.crc32.is_some_and(|crc| crc != crc32fast::hash(bytes)) {
            return Err(damaged("it does not have the checksum that the index says"));
        }
        let parsed = data::Entry::from_bytes(bytes, entry.pack_offset, gix_hash::Kind::Sha1)
            .map_err(|error| damaged(&error.to_string()))?;
        Ok(PackEntry {
            id: entry.oid,
            offset: entry.pack_offset,
            content_len: parsed.decompressed_size,
            compressed: &bytes[parsed.header_size()..],
            header: parsed.header,
            bytes,
        })
    }

    /// Where an object begins, if it is in this pack.
    pub(super) fn find(&self, id: &ObjectId) -> Option<u64> {
        self.index.lookup(id).map(|at| self.index.pack_offset_at_index(at))
    }

    /// The content of an entry that is no delta.
    pub(super) fn content(&self, entry: &PackEntry<'_>, inflate: &mut gix_zlib::Inflate) -> Result<Vec<u8>> {
        let damaged = |reason: String| Error::DamagedFile {
            path: self.data.path().to_owned(),
            reason: format!("at byte {}, object {}: {reason}", entry.offset, entry.id),
        };
        let len = usize::try_from(entry.content_len)
            .ok()
            .filter(|len| *len <= OBJECT_BYTES_MAX)
            .ok_or_else(|| damaged(format!("it claims to be {} bytes long", entry.content_len)))?;
        let mut content = vec![0; len];
        inflate.reset();
        let (status, _, written) =
            inflate.once(entry.compressed, &mut content).map_err(|error| damaged(error.to_string()))?;
        if status != gix_zlib::Status::StreamEnd || written != len {
            return Err(damaged("it does not have the length it claims".to_owned()));
        }
        Ok(content)
    }
}
