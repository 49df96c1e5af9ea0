//! Counting blobs, and sweeping those that nothing names.

use prolly_core::{Error as TreeError, HashedMap, Link, Node, NodeReader, ValueRef, blob::PART_BYTES_MIN};

use super::{Store, stream::note_objects};
use crate::{CommitId, Error, Result, revision::read_commit};

/// What a sweep of blobs found and did. It counts objects: a short blob is one, a longer one has a part for every 64 KiB or
/// so, and lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlobReport {
    /// Objects of blobs that were there: those that are left, and those that were removed.
    pub total: u64,
    /// Those that a commit reachable from a branch, a tag or HEAD needs.
    pub referenced: u64,
    /// Those that were removed.
    pub removed: u64,
}

impl Store {
    /// Removes what no ref and no HEAD reaches, as [`Store::collect_garbage`] does, and counts the objects of blobs. Staged
    /// blobs are not in the store yet and are neither counted nor touched. In a Git repository, what the logs of refs still
    /// name stays too, and is not counted.
    ///
    /// # Errors
    /// As [`Store::collect_garbage`].
    pub fn collect_blobs(&self) -> Result<BlobReport> {
        let removed = self.collect_garbage()?.blobs_removed;
        let refs = self.graph().refs("")?.into_iter().map(|(_, id)| id);
        let commits = refs.chain(self.current_commit()).collect();
        let objects = self.graph().objects();
        let mut count = Count { objects: &*objects, seen: HashedMap::default(), referenced: 0 };
        self.each_commit(commits, &mut |root| count.tree(root))?;
        Ok(BlobReport { total: count.referenced + removed, referenced: count.referenced, removed })
    }

    /// Visits the catalogs of some commits and of all before them.
    fn each_commit(
        &self,
        mut open: Vec<CommitId>,
        visit: &mut dyn FnMut(Link) -> prolly_core::Result<()>,
    ) -> Result<()> {
        let mut seen = std::collections::HashSet::new();
        while let Some(id) = open.pop() {
            if seen.insert(id) {
                let commit = match read_commit(&**self.graph(), &id) {
                    // A shallow clone does without it.
                    Err(Error::NotFetched { .. }) => continue,
                    commit => commit?,
                };
                visit(commit.root)?;
                open.extend(commit.parents);
            }
        }
        Ok(())
    }
}

/// Counts each object of a blob once.
struct Count<'a> {
    objects: &'a dyn NodeReader,
    seen: HashedMap<()>,
    referenced: u64,
}

impl Count<'_> {
    fn tree(&mut self, root: Link) -> prolly_core::Result<()> {
        let mut open = vec![root];
        while let Some(link) = open.pop() {
            if self.seen.insert(link.hash, ()).is_some() {
                continue;
            }
            match self.objects.read_node(&link) {
                // A tree that a partial clone does without.
                Err(TreeError::NotFetched { .. }) => {}
                node => self.node(&*node?, &mut open)?,
            }
        }
        Ok(())
    }

    fn node(&mut self, node: &Node, open: &mut Vec<Link>) -> prolly_core::Result<()> {
        for index in 0..node.count() {
            if !node.is_leaf() {
                open.push(node.child(index));
                continue;
            }
            match (node.value(index), node.value_link(index)) {
                (ValueRef::Tree { .. }, Some(link)) => open.push(link),
                (ValueRef::Blob { len, .. }, Some(link)) => self.blob(link, len)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn blob(&mut self, top: Link, len: u64) -> prolly_core::Result<()> {
        // One that short is a single part; the parts below the lowest lists need not be read either.
        let may_be_list = len > PART_BYTES_MIN as u64;
        let before = self.seen.len();
        note_objects(self.objects, (top, may_be_list), &mut self.seen)?;
        self.referenced += (self.seen.len() - before) as u64;
        Ok(())
    }
}
