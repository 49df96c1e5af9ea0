//! Copies objects: of each missing commit what the destination lacks, children before parents.
//!
//! The memory used is a batch, the nodes on the way from a root to a leaf with what they are compared with, and the ids
//! of the missing commits.
//!
//! **Invariant:** an object is taken only if it has the address, and the place, that what links to it says.

use std::{collections::HashSet, ops::ControlFlow, rc::Rc, sync::Arc};

use prolly_core::{
    Error as TreeError, Hash, HashedMap, Link, Locator, Node, NodeReader, ObjectLink, Record, RecordKind,
    Tree, empty_root_hash,
};

use super::{
    OnProgress, Progress,
    batch::{Arrivals, Object},
    ids::Ids,
    left_out::LeftOut,
    old::{KeyRange, Old, OldReader, blob_links},
};
use crate::{
    BatchCommit, CATALOG_CONFIG, Commit, CommitGraph, CommitId, Error, Parent, RefEdit, Result,
    revision::read_commit,
};

/// How many marks of what is left out are gathered before they are published.
const MARKS_MAX: usize = 1 << 14;

/// One synchronisation.
pub(super) struct Transfer<'a> {
    pub(super) from: &'a dyn CommitGraph,
    pub(super) to: &'a dyn CommitGraph,
    pub(super) ids: Ids,
    /// What the destination does without; `None` in a Git graph, which has everything.
    pub(super) left_out: Option<LeftOut>,
    /// The catalog keys of the trees that are wanted, sorted; `None` stands for all.
    pub(super) selection: Option<Vec<Vec<u8>>>,
    /// Parents that are left behind, by their ids in the source.
    pub(super) cut: HashSet<CommitId>,
    pub(super) arrivals: Arrivals<'a>,
    pub(super) progress: Progress,
    on_progress: OnProgress<'a>,
    from_objects: Arc<dyn NodeReader>,
    to_objects: Arc<dyn NodeReader>,
}

/// An object that something links to.
struct Want {
    object: ObjectLink,
    /// Level and number of entries, as what links to it says.
    shape: Option<(u8, u64)>,
    range: KeyRange,
    /// Older nodes to compare it with.
    nodes: Vec<Arc<Node>>,
    /// What older blobs have in the place of this one, and below.
    blobs: Rc<HashedMap<()>>,
    in_catalog: bool,
}

/// An object whose links are being followed.
struct Open {
    object: Object,
    /// Whether it comes from the source.
    copied: bool,
    next: usize,
    range: KeyRange,
    old: Old,
    blobs: Rc<HashedMap<()>>,
    in_catalog: bool,
}

impl<'a> Transfer<'a> {
    pub(super) fn new(
        from: &'a dyn CommitGraph,
        to: &'a dyn CommitGraph,
        ids: Ids,
        arrivals: Arrivals<'a>,
        on_progress: OnProgress<'a>,
    ) -> Self {
        Self {
            from,
            to,
            ids,
            left_out: None,
            selection: None,
            cut: HashSet::new(),
            arrivals,
            progress: Progress::default(),
            on_progress,
            from_objects: from.objects(),
            to_objects: to.objects(),
        }
    }

    /// Copies commits, parents first. What has arrived when it fails is kept for the next time.
    ///
    /// # Errors
    /// [`Error::Interrupted`], or what either side reports.
    pub(super) fn copy(&mut self, commits: &[CommitId], trees: Vec<(Hash, Vec<u8>)>) -> Result<()> {
        self.progress.commits_total = Some(commits.len() as u64);
        let copied = self.copy_all(commits, trees);
        if copied.is_err() && !self.arrivals.is_empty() {
            // What went wrong first is what the caller has to hear of.
            drop(self.checkpoint().and_then(|()| self.arrivals.save_ids(&mut self.ids)));
        }
        copied
    }

    fn copy_all(&mut self, commits: &[CommitId], trees: Vec<(Hash, Vec<u8>)>) -> Result<()> {
        for (root, catalog_key) in trees {
            self.copy_object(Want::all(ObjectLink::Node(root.into())))?;
            if let Some(left_out) = &mut self.left_out {
                left_out.remove_tree(&root, &catalog_key)?;
            }
        }
        commits.iter().try_for_each(|id| self.copy_commit(id))
    }

    /// Publishes what has arrived, without moving any ref that was asked for.
    pub(super) fn checkpoint(&mut self) -> Result<()> {
        self.arrivals.checkpoint(&mut self.ids, self.left_out.as_mut())
    }

    /// Publishes the rest and moves the refs. What has arrived is kept if they cannot be moved.
    pub(super) fn finish(
        &mut self,
        edits: Vec<(RefEdit, Option<CommitId>)>,
    ) -> Result<Vec<Option<CommitId>>> {
        // The map of ids is published with the refs, so the ids have to be known. And what no commit of the last batch
        // leads to, since it completes older ones, is published by itself.
        let maps = matches!(self.ids, Ids::Mapped(_)) && self.arrivals.has_commits();
        if maps || self.arrivals.has_loose_objects() {
            self.checkpoint()?;
        }
        let finished = self.arrivals.finish(&mut self.ids, self.left_out.as_mut(), edits);
        if finished.is_err() && !self.arrivals.is_empty() {
            drop(self.checkpoint());
        }
        finished
    }

    fn copy_commit(&mut self, id: &CommitId) -> Result<()> {
        let commit = read_commit(self.from, id)?;
        let original = self.from.original(id)?.ok_or(Error::MissingCommit { id: *id })?;
        let mut roots = Vec::new();
        for parent in commit.parents.iter().filter(|parent| !self.cut.contains(parent)) {
            roots.push(match self.arrivals.position(parent) {
                Some(_) => read_commit(self.from, parent)?.root.hash.into(),
                None => read_commit(self.to, &self.there(parent)?)?.root,
            });
        }
        let root = self.copy_root(&commit, &roots)?;
        // Only now: the earlier commits may have been published with a part of what this one needs.
        let mut parents = Vec::with_capacity(commit.parents.len());
        for parent in &commit.parents {
            parents.push(match self.arrivals.position(parent) {
                _ if self.cut.contains(parent) => {
                    if let Some(left_out) = &mut self.left_out {
                        left_out.add_commit(parent);
                    }
                    Parent::NotFetched(*parent)
                }
                Some(index) => Parent::Earlier(index),
                None => Parent::Stored(self.there(parent)?),
            });
        }
        self.progress.commits += 1;
        self.progress.bytes += original.encoded.len() as u64;
        if let Some(left_out) = &mut self.left_out {
            left_out.remove_commit(id)?;
        }
        let Commit { author, committer, message, .. } = commit;
        let original = (self.from.kind() == self.to.kind()).then_some(original);
        self.arrivals.add_commit(*id, BatchCommit { root, parents, author, committer, message, original });
        self.report()?;
        self.publish_if_full()
    }

    /// The id in the destination of a commit that it has.
    fn there(&self, id: &CommitId) -> Result<CommitId> {
        self.ids.other(id)?.ok_or(Error::MissingCommit { id: *id })
    }

    /// Publishes what has arrived when there is much of it.
    fn publish_if_full(&mut self) -> Result<()> {
        let marks = self.left_out.as_ref().map_or(0, LeftOut::edit_count);
        if self.arrivals.is_full() || marks >= MARKS_MAX {
            self.checkpoint()?;
            self.arrivals.save_ids(&mut self.ids)?;
        }
        Ok(())
    }

    /// Copies the catalog of a commit and what is below it; `roots` are those of its parents.
    fn copy_root(&mut self, commit: &Commit, roots: &[Link]) -> Result<Arc<Node>> {
        let mut nodes = Vec::with_capacity(roots.len());
        for root in roots {
            nodes.extend(self.old_node(root)?);
        }
        let hash = commit.root.hash;
        if let Some(same) = nodes.iter().find(|node| *node.hash() == hash) {
            self.arrivals.place(&hash, same.locator());
            return Ok(Arc::clone(same));
        }
        let object = ObjectLink::Node(commit.root);
        self.copy_object(Want { nodes, in_catalog: true, ..Want::all(object) })?;
        match self.arrivals.node(&hash) {
            Some(root) => Ok(root),
            // It arrived in an earlier batch.
            None => Ok(self.to_objects.read_node(&Link { hash, locator: self.arrivals.placed(&hash) })?),
        }
    }

    /// Copies an object and everything below it that the destination lacks.
    fn copy_object(&mut self, want: Want) -> Result<()> {
        let mut open: Vec<Open> = self.open(want)?.into_iter().collect();
        while let Some(mut last) = open.pop() {
            match self.next_below(&mut last)? {
                Some(want) => {
                    let below = self.open(want)?;
                    open.push(last);
                    open.extend(below);
                }
                None => self.arrive(last)?,
            }
        }
        Ok(())
    }

    /// Reads an object that is to be published; `None` when it has arrived before.
    fn open(&mut self, want: Want) -> Result<Option<Open>> {
        let link = *want.object.link();
        if self.arrivals.has(&link.hash)? {
            return Ok(None);
        }
        let (object, copied) = match self.read_stored(&want.object)? {
            Some(object) => (object, false),
            None => (self.read_source(&want.object)?, true),
        };
        check_place(&object, &want)?;
        let old = match &object {
            Object::Node(node) => Old::new(self, node.level(), &want.range, want.nodes)?,
            Object::Record(..) => Old::default(),
        };
        let Want { range, blobs, in_catalog, .. } = want;
        Ok(Some(Open { object, copied, next: 0, range, old, blobs, in_catalog }))
    }

    /// Reads an object that the destination has stored, whether or not anything reaches it. A damaged one is replaced.
    fn read_stored(&self, object: &ObjectLink) -> Result<Option<Object>> {
        if !self.to.may_have(object.link())? {
            return Ok(None);
        }
        match read(&*self.to_objects, object) {
            Ok(found) => Ok(Some(found)),
            Err(Error::Tree(
                TreeError::Missing { .. } | TreeError::Corrupt { .. } | TreeError::NotFetched { .. },
            )) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn read_source(&self, object: &ObjectLink) -> Result<Object> {
        match read(&*self.from_objects, object) {
            // The root of a tree without entries is known to everybody, and need not be stored.
            Err(Error::Tree(TreeError::Missing { hash } | TreeError::NotFetched { hash }))
                if hash == empty_root_hash() =>
            {
                let empty = Tree::empty(Arc::clone(&self.from_objects), CATALOG_CONFIG)?;
                Ok(Object::Node(Arc::clone(empty.root())))
            }
            other => other,
        }
    }

    /// The next object below that has to be published too.
    fn next_below(&mut self, open: &mut Open) -> Result<Option<Want>> {
        match &open.object {
            Object::Node(node) if node.is_leaf() => self.next_of_leaf(&Arc::clone(node), open),
            Object::Node(node) => self.next_child(&Arc::clone(node), open),
            Object::Record(_, encoded) => {
                let links = Record::decode(encoded)?.links().skip(open.next);
                for hash in links {
                    open.next += 1;
                    if !open.blobs.contains_key(&hash) {
                        let object = ObjectLink::Record(hash.into());
                        return Ok(Some(Want { blobs: Rc::clone(&open.blobs), ..Want::all(object) }));
                    }
                }
                Ok(None)
            }
        }
    }

    fn next_child(&mut self, node: &Node, open: &mut Open) -> Result<Option<Want>> {
        while open.next < node.count() {
            let index = open.next;
            open.next += 1;
            let link = node.child(index);
            if let Some(locator) = open.old.find(&link.hash) {
                self.arrivals.place(&link.hash, locator);
                continue;
            }
            let after = match index.checked_sub(1) {
                Some(before) => Some(node.key(before)),
                None => open.range.after.clone(),
            };
            let range = KeyRange { after, last: Some(node.key(index)) };
            return Ok(Some(Want {
                shape: Some((node.level() - 1, node.child_len(index))),
                nodes: open.old.for_child(self, &range)?,
                range,
                in_catalog: open.in_catalog,
                ..Want::all(ObjectLink::Node(link))
            }));
        }
        Ok(None)
    }

    fn next_of_leaf(&mut self, leaf: &Node, open: &mut Open) -> Result<Option<Want>> {
        if leaf.link_count() == 0 {
            return Ok(None);
        }
        while open.next < leaf.count() {
            let index = open.next;
            open.next += 1;
            let Some(link) = leaf.value_link(index) else { continue };
            let key = leaf.key(index);
            let known = open.old.find(&link.hash);
            if open.in_catalog && !self.is_selected(&key) {
                // What an older catalog links to is there, or marked already.
                if let (None, Some(left_out)) = (known, &mut self.left_out) {
                    left_out.add_tree(&link.hash, &key);
                }
                continue;
            }
            // In a partial store, what an older catalog links to may have been left out under another name.
            if let Some(locator) = known
                && (!open.in_catalog || self.left_out.is_none() || self.to.may_have(&link)?)
            {
                self.arrivals.place(&link.hash, locator);
                continue;
            }
            let older = open.old.at_key(&key);
            if matches!(leaf.value(index), prolly_core::ValueRef::Tree { .. }) {
                let mut nodes = Vec::new();
                for object in &older {
                    if let ObjectLink::Node(link) = object {
                        nodes.extend(self.old_node(link)?);
                    }
                }
                return Ok(Some(Want { nodes, ..Want::all(ObjectLink::Node(link)) }));
            }
            let blobs = if older.is_empty() { HashedMap::default() } else { blob_links(self, &older)? };
            return Ok(Some(Want { blobs: Rc::new(blobs), ..Want::all(ObjectLink::Record(link)) }));
        }
        Ok(None)
    }

    /// Whether a tree of a catalog is wanted.
    fn is_selected(&self, catalog_key: &[u8]) -> bool {
        let is_wanted =
            |keys: &Vec<Vec<u8>>| keys.binary_search_by(|wanted| wanted.as_slice().cmp(catalog_key)).is_ok();
        self.selection.as_ref().is_none_or(is_wanted)
    }

    fn arrive(&mut self, open: Open) -> Result<()> {
        if open.copied {
            self.progress.objects += 1;
            self.progress.bytes += open.object.bytes().len() as u64;
        }
        let object = open.object;
        match &object {
            Object::Node(node) => {
                let node = Arc::clone(node);
                self.arrivals.add(object, node.links());
            }
            Object::Record(_, encoded) => {
                let encoded = Arc::clone(encoded);
                self.arrivals.add(object, Record::decode(&encoded)?.links());
            }
        }
        if open.copied {
            self.report()?;
        }
        self.publish_if_full()
    }

    fn report(&mut self) -> Result<()> {
        match (self.on_progress)(&self.progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Interrupted),
        }
    }
}

impl OldReader for Transfer<'_> {
    fn old_node(&self, link: &Link) -> Result<Option<Arc<Node>>> {
        if let Some(node) = self.arrivals.node(&link.hash) {
            return Ok(Some(node));
        }
        match self.to_objects.read_node(&self.with_place(link)) {
            Ok(node) => Ok(Some(node)),
            Err(TreeError::NotFetched { .. }) => Ok(None),
            // Nobody stores the root of an empty tree for certain; there is nothing in it to compare with.
            Err(TreeError::Missing { hash }) if hash == empty_root_hash() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn old_record(&self, link: &Link) -> Result<Option<Arc<[u8]>>> {
        if let Some(encoded) = self.arrivals.record(&link.hash) {
            return Ok(Some(encoded));
        }
        match self.to_objects.read_record(&self.with_place(link)) {
            Ok(encoded) => Ok(Some(encoded)),
            Err(TreeError::NotFetched { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl Transfer<'_> {
    fn with_place(&self, link: &Link) -> Link {
        match link.locator {
            Locator::NONE => Link { hash: link.hash, locator: self.arrivals.placed(&link.hash) },
            _ => *link,
        }
    }
}

impl Want {
    /// An object with everything below it, compared with nothing.
    fn all(object: ObjectLink) -> Self {
        Self {
            object,
            shape: None,
            range: KeyRange::default(),
            nodes: Vec::new(),
            blobs: Rc::default(),
            in_catalog: false,
        }
    }
}

/// Reads an object and checks that it is the one that was asked for.
fn read(reader: &dyn NodeReader, object: &ObjectLink) -> Result<Object> {
    let hash = object.link().hash;
    let (found, object) = match object {
        ObjectLink::Node(link) => {
            let node = reader.read_node(link)?;
            (*node.hash(), Object::Node(node))
        }
        ObjectLink::Record(link) => {
            let encoded = reader.read_record(link)?;
            (Record::address(&encoded), Object::Record(hash, encoded))
        }
    };
    if found == hash {
        return Ok(object);
    }
    Err(corrupt(hash, format!("what came for it has the address {found}")))
}

/// Checks that an object fits what links to it.
fn check_place(object: &Object, want: &Want) -> Result<()> {
    match object {
        Object::Node(node) => match want.shape {
            Some((level, len)) if node.level() != level || node.len() != len => {
                let (found, entries) = (node.level(), node.len());
                Err(corrupt(
                    *node.hash(),
                    format!(
                        "it has level {found} and {entries} entries, in a place for level {level} and {len}"
                    ),
                ))
            }
            _ => Ok(()),
        },
        Object::Record(hash, encoded) => match Record::decode(encoded).map(|record| record.kind) {
            Ok(RecordKind::BlobPart | RecordKind::BlobList) => Ok(()),
            Ok(other) => Err(corrupt(*hash, format!("it is a {other:?}, in the place of a blob"))),
            Err(error) => Err(corrupt(*hash, error.to_string())),
        },
    }
}

fn corrupt(hash: Hash, reason: String) -> Error {
    TreeError::Corrupt { hash, reason }.into()
}
