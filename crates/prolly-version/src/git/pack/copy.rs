//! Copies objects from packs into a new one, as they are compressed there.
//!
//! Versions of one node, or of its Git tree, differ in little: the newest is copied whole, and those before it become
//! deltas to the one after. That matters doubly, for `git gc` never tries to find deltas among the objects of one pack.
//!
//! **Invariant:** every entry is checked before it is copied, and the base of a delta comes before it in the new pack.

use std::{
    collections::{HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use gix_hash::ObjectId;
use gix_object::Kind;
use gix_odb::pack::data::entry::Header;
use prolly_core::Node;

use super::{PackEntry, PackFile, PackWriter, delta};
use crate::{
    Error, Result,
    git::{object::DagTree, odb::ObjectDb},
};

/// Smaller objects are not worth a delta.
const DELTA_OBJECT_BYTES_MIN: usize = 256;
/// How many deltas of ours follow each other at most.
const DEPTH_STEP_MAX: u32 = 10;
/// How long a chain of deltas becomes at most, whoever made them.
const DEPTH_MAX: u32 = 50;

/// Copies packs, the newest first.
pub(in super::super) struct Copier<'a> {
    odb: &'a ObjectDb,
    writer: PackWriter<'a>,
    written: HashSet<ObjectId>,
    /// Where the last version of an object went, by what versions of it have in common.
    versions: HashMap<u64, Version>,
    inflate: gix_zlib::Inflate,
}

#[derive(Clone)]
struct Version {
    pack: Arc<PackFile>,
    at: usize,
    place: Place,
}

/// Where an entry is in the new pack, and how many deltas it takes to read it.
#[derive(Clone, Copy)]
struct Place {
    offset: u64,
    depth: u32,
}

impl<'a> Copier<'a> {
    pub(in super::super) fn new(odb: &'a ObjectDb, writer: PackWriter<'a>) -> Self {
        Self {
            odb,
            writer,
            written: HashSet::new(),
            versions: HashMap::new(),
            inflate: gix_zlib::Inflate::default(),
        }
    }

    /// Copies those objects of a pack that are wanted and not yet written.
    pub(in super::super) fn copy(
        &mut self,
        pack: &Arc<PackFile>,
        wanted: impl Fn(&ObjectId) -> bool,
    ) -> Result<()> {
        // Where entries of this pack went: a delta says how far before it its base lies.
        let mut moved: HashMap<u64, Place> = HashMap::new();
        for at in 0..pack.count() {
            let id = pack.id(at);
            if wanted(&id) && self.written.insert(id) {
                let entry = pack.entry(at)?;
                let offset = self.writer.offset();
                let depth = self.entry(pack, at, &entry, &moved)?;
                moved.insert(entry.offset, Place { offset, depth });
            }
        }
        Ok(())
    }

    /// The pack so far, and what is in it.
    pub(in super::super) fn finish(self) -> (PackWriter<'a>, HashSet<ObjectId>) {
        (self.writer, self.written)
    }

    /// Copies an entry; returns how many deltas it takes to read it.
    fn entry(
        &mut self,
        pack: &Arc<PackFile>,
        at: usize,
        entry: &PackEntry<'_>,
        moved: &HashMap<u64, Place>,
    ) -> Result<u32> {
        let base = match entry.header {
            Header::Blob => return self.whole(pack, at, entry, Kind::Blob),
            Header::Tree => return self.whole(pack, at, entry, Kind::Tree),
            Header::Commit | Header::Tag => {
                return self.writer.add_entry(entry.id, &[entry.bytes]).map(|()| 0);
            }
            Header::OfsDelta { base_distance } => {
                entry.offset.checked_sub(base_distance).and_then(|base| moved.get(&base))
            }
            Header::RefDelta { base_id } => pack.find(&base_id).and_then(|offset| moved.get(&offset)),
        };
        if let Some(base) = base.filter(|base| base.depth < DEPTH_MAX) {
            self.writer.add_delta(entry.id, base.offset, entry.content_len, entry.compressed)?;
            return Ok(base.depth + 1);
        }
        // The base is not in the new pack, or too far down: the object goes there whole.
        let lost = || Error::GitObject {
            action: "read",
            object: entry.id.to_string(),
            source: "its pack has gone".into(),
        };
        let mut content = Vec::new();
        let kind = self.odb.find_verified(&entry.id, &mut content)?.ok_or_else(lost)?;
        self.writer.add_known(entry.id, kind, &content)?;
        Ok(0)
    }

    /// Copies an object, or writes it as a delta to a later version of it.
    fn whole(&mut self, pack: &Arc<PackFile>, at: usize, entry: &PackEntry<'_>, kind: Kind) -> Result<u32> {
        let mut place = Place { offset: self.writer.offset(), depth: 0 };
        let shapes = if entry.compressed.len() < DELTA_OBJECT_BYTES_MIN {
            Vec::new()
        } else {
            let content = pack.content(entry, &mut self.inflate)?;
            let shapes = shapes(kind, &content);
            let later = shapes.iter().find_map(|shape| self.versions.get(shape)).cloned();
            if let Some(later) = later.filter(|later| later.place.depth < DEPTH_STEP_MAX) {
                let base = later.pack.content(&later.pack.entry(later.at)?, &mut self.inflate)?;
                if let Some(delta) = delta::encode(&base, &content, entry.compressed.len() / 2) {
                    self.writer.add_new_delta(entry.id, later.place.offset, &delta)?;
                    place.depth = later.place.depth + 1;
                }
            }
            shapes
        };
        if place.depth == 0 {
            self.writer.add_entry(entry.id, &[entry.bytes])?;
        }
        for shape in shapes {
            self.versions.insert(shape, Version { pack: Arc::clone(pack), at, place });
        }
        Ok(place.depth)
    }
}

/// What an object has in common with its other versions: how it begins, and how it ends.
fn shapes(kind: Kind, content: &[u8]) -> Vec<u64> {
    let mark = |end: u8, level: u8, bytes: &[u8]| {
        let mut hasher = DefaultHasher::new();
        (kind == Kind::Tree, end, level, bytes).hash(&mut hasher);
        hasher.finish()
    };
    match kind {
        Kind::Tree => DagTree::decode(content).map_or_else(
            |_| Vec::new(),
            |tree| {
                let ends = [tree.links.first(), tree.links.last()].into_iter().flatten();
                ends.zip(0..).map(|(link, end)| mark(end, 0, link.id.as_slice())).collect()
            },
        ),
        // Not every blob is a node, and then it has no versions that anything is known of.
        _ => Node::decode_any(content).ok().filter(|node| node.count() > 0).map_or_else(Vec::new, |node| {
            let ends = [node.key(0), node.key(node.count() - 1)];
            ends.iter().zip(0..).map(|(key, end)| mark(end, node.level(), key)).collect()
        }),
    }
}
