//! Reads nodes and records out of Git objects.
//!
//! **Invariant:** whatever a hint says, what is returned has been checked against its address. A hint that is missing or
//! wrong costs time (see [`locate`](super::locate)), never correctness.

use std::sync::{Arc, Mutex};

use gix_hash::ObjectId;
use gix_object::Kind;
use prolly_core::{Error as TreeError, Hash, Link, Locator, Node, NodeReader, Record, Result as TreeResult};
use prolly_store::NodeCache;

use super::{
    known::{Attested, Hints},
    locate::Located,
    object::{DagTree, Stored},
    odb::{ObjectDb, id_of},
    refs::RefFiles,
};
use crate::Error;

/// The objects of one repository, decoded and verified.
pub(super) struct Objects {
    pub(super) odb: ObjectDb,
    pub(super) refs: RefFiles,
    pub(super) cache: NodeCache,
    pub(super) attested: Attested,
    pub(super) hints: Hints,
    pub(super) located: Mutex<Option<Located>>,
}

/// The bytes of a node or record, and where it and what it links to are kept.
struct Loaded {
    bytes: Vec<u8>,
    stored: Stored,
    links: Vec<Stored>,
}

impl NodeReader for Objects {
    fn read_node(&self, link: &Link) -> TreeResult<Arc<Node>> {
        self.cache.get_or_read(&link.hash, || {
            self.read(link, |loaded| {
                let node = Node::decode(&link.hash, loaded.bytes)?;
                expect_links(&link.hash, node.link_count(), loaded.links.len())?;
                node.set_locators(
                    locator(&loaded.stored.id),
                    loaded.links.iter().map(|l| locator(&l.id)).collect(),
                );
                self.note(&link.hash, loaded.stored, &node.links().zip(loaded.links).collect::<Vec<_>>());
                Ok(Arc::new(node))
            })
        })
    }

    fn read_record(&self, link: &Link) -> TreeResult<Arc<[u8]>> {
        self.read(link, |loaded| {
            let found = Record::address(&loaded.bytes);
            if found != link.hash {
                let reason = format!("its contents have the address {found}");
                return Err(TreeError::Corrupt { hash: link.hash, reason });
            }
            let record = Record::decode(&loaded.bytes)?;
            expect_links(&link.hash, record.links().len(), loaded.links.len())?;
            self.note(&link.hash, loaded.stored, &record.links().zip(loaded.links).collect::<Vec<_>>());
            Ok(Arc::from(loaded.bytes))
        })
    }
}

impl Objects {
    pub(super) fn new(odb: ObjectDb, refs: RefFiles, cache_bytes: usize) -> Self {
        Self {
            odb,
            refs,
            cache: NodeCache::new(cache_bytes),
            attested: Attested::new(),
            hints: Hints::new(),
            located: Mutex::new(None),
        }
    }

    /// Remembers where an object and what it links to are kept.
    pub(super) fn note(&self, hash: &Hash, stored: Stored, links: &[(Hash, Stored)]) {
        self.attested.insert_all(std::iter::once((*hash, stored)).chain(links.iter().copied()));
        self.hints.insert_all(links.iter().map(|(hash, stored)| (*hash, stored.id)));
    }

    /// Finds out where an object that is stored already is kept, so that others can link to it.
    ///
    /// # Errors
    /// [`TreeError::Missing`] when no ref reaches it.
    pub(super) fn stored(&self, link: &Link, is_node: bool) -> TreeResult<Stored> {
        let hint = hint(&link.locator).or_else(|| self.hints.get(&link.hash));
        if let Some(stored) = hint.and_then(|id| self.attested.get(&link.hash, &id)) {
            return Ok(stored);
        }
        let cached = self.cache.get(&link.hash).and_then(|node| hint_of(&node));
        if let Some(stored) = cached.and_then(|id| self.attested.get(&link.hash, &id)) {
            return Ok(stored);
        }
        // What is only assumed is read and verified first: a wrong link would be there for good.
        let link = Link { hash: link.hash, locator: hint.map_or(Locator::NONE, |id| locator(&id)) };
        self.read(&link, |loaded| {
            let (found, links) = if is_node {
                let node = Node::decode_any(loaded.bytes)?;
                (*node.hash(), node.link_count())
            } else {
                (Record::address(&loaded.bytes), Record::decode(&loaded.bytes)?.links().len())
            };
            if found != link.hash {
                let reason = format!("its contents have the address {found}");
                return Err(TreeError::Corrupt { hash: link.hash, reason });
            }
            expect_links(&link.hash, links, loaded.links.len())?;
            self.note(&link.hash, loaded.stored, &[]);
            Ok(loaded.stored)
        })
    }

    /// Whether an object seems to be where its hint says, without looking further.
    pub(super) fn may_have(&self, link: &Link) -> bool {
        hint(&link.locator)
            .or_else(|| self.hints.get(&link.hash))
            .is_some_and(|id| self.attested.get(&link.hash, &id).is_some() || self.odb.knows(&id))
    }

    /// Reads an object by its hint, and decodes it; when that fails, looks for it by its address alone.
    fn read<T>(&self, link: &Link, decode: impl Fn(Loaded) -> TreeResult<T>) -> TreeResult<T> {
        let hint = hint(&link.locator).or_else(|| self.hints.get(&link.hash));
        let first = match hint.map(|id| self.load(&link.hash, &id).and_then(&decode)) {
            Some(Ok(value)) => return Ok(value),
            Some(Err(error)) => error,
            None => TreeError::Missing { hash: link.hash },
        };
        match self.locate(&link.hash)? {
            Some(id) if Some(id) != hint => decode(self.load(&link.hash, &id)?),
            _ => Err(first),
        }
    }

    fn load(&self, hash: &Hash, id: &ObjectId) -> TreeResult<Loaded> {
        let corrupt = |reason: String| TreeError::Corrupt { hash: *hash, reason };
        let read = |id: &ObjectId| {
            let mut bytes = Vec::new();
            let kind = self.odb.find(id, &mut bytes).map_err(|error| of_object(hash, error))?;
            kind.map(|kind| (kind, bytes)).ok_or(TreeError::Missing { hash: *hash })
        };
        let (kind, bytes) = read(id)?;
        match kind {
            Kind::Blob => Ok(Loaded { bytes, stored: Stored { id: *id, is_tree: false }, links: Vec::new() }),
            Kind::Tree => {
                let actual = id_of(kind, &bytes).map_err(|error| of_object(hash, error))?;
                if actual != *id {
                    return Err(corrupt(format!("its Git tree {id} has the content of {actual}")));
                }
                let tree = DagTree::decode(&bytes)
                    .map_err(|reason| corrupt(format!("its Git tree {id} has {reason}")))?;
                let (own_kind, bytes) = read(&tree.own)?;
                if own_kind != Kind::Blob {
                    return Err(corrupt(format!("Git object {} is a {own_kind}, not a blob", tree.own)));
                }
                Ok(Loaded { bytes, stored: Stored { id: *id, is_tree: true }, links: tree.links })
            }
            other => Err(corrupt(format!("Git object {id} is a {other}"))),
        }
    }
}

/// A Git id as a hint.
pub(super) fn locator(id: &ObjectId) -> Locator {
    Locator::new(id.as_slice().try_into().expect("a SHA-1 id has 20 bytes"))
}

/// A hint as a Git id.
fn hint(locator: &Locator) -> Option<ObjectId> {
    locator.get().map(|bytes| ObjectId::from_bytes_or_panic(bytes))
}

fn hint_of(node: &Node) -> Option<ObjectId> {
    hint(&node.locator())
}

/// A Git blob that has links in it is the `node` entry of a tree: readable, but nothing to link to.
fn expect_links(hash: &Hash, expected: usize, found: usize) -> TreeResult<()> {
    if expected == found {
        return Ok(());
    }
    let reason = format!("it has {expected} links, its Git object has {found}");
    Err(TreeError::Corrupt { hash: *hash, reason })
}

/// Says of which object of ours the Git object database failed to read a part.
fn of_object(hash: &Hash, error: Error) -> TreeError {
    let Error::GitObject { source, .. } = &error else { return TreeError::store(error) };
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(source.as_ref());
    while let Some(current) = cause {
        if current.is::<std::io::Error>() {
            return TreeError::store(error);
        }
        cause = current.source();
    }
    TreeError::Corrupt { hash: *hash, reason: error.to_string() }
}
