//! Finds objects by their address alone: the slow way, for those who have no hint, or a wrong one.
//!
//! The map is built from the trees of all commits that any ref reaches. It is kept while refs stay as they are, for a
//! short time: at 1 M entries it has some 16,000 addresses, 1 MiB.
//!
//! **Invariant:** an object that a ref reaches is found, unless something on the way to it is damaged; then the lookup
//! fails rather than report it absent.

use std::{
    collections::HashSet,
    sync::PoisonError,
    time::{Duration, Instant},
};

use gix_hash::ObjectId;
use gix_object::Kind;
use prolly_core::{Error as TreeError, Hash, HashedMap, Node, Record, Result as TreeResult};

use super::{
    commit,
    object::{DagTree, Stored},
    reader::Objects,
};
use crate::{Error, Result};

/// How long a map is kept after it was last of use.
const KEPT: Duration = Duration::from_secs(10);

/// Where the objects that the refs reach are kept.
pub(super) struct Located {
    map: HashedMap<ObjectId>,
    /// What the refs held.
    tips: Vec<ObjectId>,
    /// The first damage met.
    damage: Option<String>,
    used: Instant,
}

impl Objects {
    /// Looks for an object by its address; `None` when no ref reaches one.
    pub(super) fn locate(&self, hash: &Hash) -> TreeResult<Option<ObjectId>> {
        let mut located = self.located.lock().unwrap_or_else(PoisonError::into_inner);
        let tips = self.refs.tips().map_err(TreeError::store)?;
        if located.as_ref().is_none_or(|known| known.tips != tips || known.used.elapsed() > KEPT) {
            *located = None;
            *located = Some(self.scan(tips).map_err(TreeError::store)?);
        }
        let known = located.as_mut().expect("made above");
        known.used = Instant::now();
        match (known.map.get(hash), &known.damage) {
            (Some(id), _) => Ok(Some(*id)),
            (None, None) => Ok(None),
            (None, Some(damage)) => {
                let reason = format!("it was not found, but a part of the store cannot be read: {damage}");
                Err(TreeError::Corrupt { hash: *hash, reason })
            }
        }
    }

    /// Drops the map.
    pub(super) fn forget_located(&self) {
        *self.located.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn scan(&self, tips: Vec<ObjectId>) -> Result<Located> {
        let mut found =
            Located { map: HashedMap::default(), tips: tips.clone(), damage: None, used: Instant::now() };
        let mut seen: HashSet<ObjectId> = HashSet::new();
        let mut commits = tips;
        while let Some(id) = commits.pop() {
            if !seen.insert(id) {
                continue;
            }
            match self.scan_commit(&id, &mut seen, &mut found) {
                Ok(parents) => commits.extend(parents),
                // Damage is reported to those whose object is not found elsewhere.
                Err(error) => found.damage = Some(found.damage.take().unwrap_or_else(|| error.to_string())),
            }
        }
        Ok(found)
    }

    fn scan_commit(
        &self,
        id: &ObjectId,
        seen: &mut HashSet<ObjectId>,
        found: &mut Located,
    ) -> Result<Vec<ObjectId>> {
        let mut buffer = Vec::new();
        let name = commit::commit_id(*id);
        match self.odb.find_verified(id, &mut buffer)? {
            Some(Kind::Commit) => {}
            Some(Kind::Tag) => {
                let tag = gix_object::TagRef::from_bytes(&buffer, gix_hash::Kind::Sha1)
                    .map_err(|error| Error::DamagedCommit { id: name, reason: error.to_string() })?;
                return Ok(vec![tag.target()]);
            }
            Some(_) => return Ok(Vec::new()),
            None => return Err(Error::MissingCommit { id: name }),
        }
        let decoded = commit::decode(&name, &buffer)?;
        match self.catalog_root(&name, &decoded.tree) {
            Ok((hash, root)) => {
                found.map.insert(hash, root.id);
                if root.is_tree {
                    self.scan_trees(root.id, seen, found);
                }
            }
            // Commits of others beside ours hold nothing of ours.
            Err(Error::ForeignCommit { .. }) => {}
            Err(error) => found.damage = Some(found.damage.take().unwrap_or_else(|| error.to_string())),
        }
        Ok(self.refs.parents(id, decoded.parents))
    }

    /// Notes what the Git tree of a node or record links to, and so on below.
    fn scan_trees(&self, root: ObjectId, seen: &mut HashSet<ObjectId>, found: &mut Located) {
        let mut trees = vec![root];
        while let Some(id) = trees.pop() {
            if !seen.insert(id) {
                continue;
            }
            match self.links_of_tree(&id) {
                Ok(links) => {
                    trees.extend(links.iter().filter(|(_, link)| link.is_tree).map(|(_, link)| link.id));
                    found.map.extend(links.into_iter().map(|(hash, link)| (hash, link.id)));
                }
                Err(error) => found.damage = Some(found.damage.take().unwrap_or_else(|| error.to_string())),
            }
        }
    }

    fn links_of_tree(&self, id: &ObjectId) -> Result<Vec<(Hash, Stored)>> {
        let damaged = |reason: String| Error::GitObject {
            action: "read",
            object: id.to_string(),
            source: reason.into(),
        };
        let absent = |what: &ObjectId| damaged(format!("{what} is missing"));
        let mut buffer = Vec::new();
        self.odb.find_verified(id, &mut buffer)?.ok_or_else(|| absent(id))?;
        let tree = DagTree::decode(&buffer).map_err(damaged)?;
        let mut own = Vec::new();
        self.odb.find(&tree.own, &mut own)?.ok_or_else(|| absent(&tree.own))?;
        let hashes: Vec<Hash> = if own.first() == Some(&b'N') {
            Node::decode_any(own)?.links().collect()
        } else {
            Record::decode(&own)?.links().collect()
        };
        if hashes.len() != tree.links.len() {
            return Err(damaged(format!("it has {} links, not {}", tree.links.len(), hashes.len())));
        }
        Ok(hashes.into_iter().zip(tree.links).collect())
    }

    /// The catalog's root of a commit, given the id of its tree.
    pub(super) fn catalog_root(&self, id: &crate::CommitId, tree: &ObjectId) -> Result<(Hash, Stored)> {
        let lost = |what: &ObjectId| Error::DamagedCommit {
            id: *id,
            reason: format!("Git object {what} is missing"),
        };
        let mut buffer = Vec::new();
        self.odb.find_verified(tree, &mut buffer)?.ok_or_else(|| lost(tree))?;
        let (mark, root) = commit::decode_tree(id, &buffer)?;
        self.odb.find_verified(&mark, &mut buffer)?.ok_or_else(|| lost(&mark))?;
        Ok((commit::decode_mark(id, &buffer)?, root))
    }
}
