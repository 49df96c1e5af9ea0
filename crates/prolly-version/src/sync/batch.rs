//! What has arrived and is not published yet, and how it is published.
//!
//! What is published before the end is held by a ref of its own, `refs/prolly/incoming/<digest of what is wanted>`: a
//! commit whose parents are the commits that have arrived (and those of the destination that they are made on), and whose
//! root is a tree like a catalog that links to every object which has arrived without what links to it.
//!
//! **Invariant:** an object is published together with, or after, everything below it.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use prolly_core::{
    EditRef, EditSource, Hash, HashedMap, Link, Locator, Node, NodeBuffer, NodeWriter, ObjectLink, Tree,
    ValueRef,
};

use super::{
    ids::{IDS, Ids},
    left_out::{LEFT_OUT, LeftOut},
};
use crate::{
    Batch, BatchCommit, BatchEdit, CATALOG_CONFIG, CommitGraph, CommitId, Expected, Parent, PendingObjects,
    RefEdit, Result, Signature, revision::read_commit,
};

/// Below it are the refs that hold what has arrived.
pub(super) const INCOMING: &str = "refs/prolly/incoming/";
/// How many commits are gathered before they are published.
const BATCH_COMMITS: usize = 4096;
/// How many parents the commit that holds what has arrived has, before it becomes one of its successor's.
const HEADS_MAX: usize = 256;
/// What somebody else left unfinished is forgotten after this time.
const KEPT_SECONDS: i64 = 24 * 60 * 60;

/// An object with its kind.
#[derive(Clone)]
pub(super) enum Object {
    Node(Arc<Node>),
    Record(Hash, Arc<[u8]>),
}

impl Object {
    pub(super) fn hash(&self) -> &Hash {
        match self {
            Self::Node(node) => node.hash(),
            Self::Record(hash, _) => hash,
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Node(node) => node.bytes(),
            Self::Record(_, encoded) => encoded,
        }
    }
}

/// Objects that are to be published with the next batch.
#[derive(Default)]
struct Objects {
    arrived: HashedMap<Object>,
    bytes: usize,
    /// Where the destination keeps objects that links of these lead to.
    places: Mutex<HashedMap<Locator>>,
    /// Nodes of the trees that are made here.
    made: NodeBuffer,
}

impl Objects {
    fn places(&self) -> MutexGuard<'_, HashedMap<Locator>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PendingObjects for Objects {
    fn node(&self, link: &Link) -> Result<Option<Arc<Node>>> {
        match self.arrived.get(&link.hash) {
            Some(Object::Node(node)) => Ok(Some(Arc::clone(node))),
            _ => Ok(self.made.buffered_node(&link.hash)),
        }
    }

    fn record(&self, link: &Link) -> Result<Option<Arc<[u8]>>> {
        match self.arrived.get(&link.hash) {
            Some(Object::Record(_, encoded)) => Ok(Some(Arc::clone(encoded))),
            _ => Ok(None),
        }
    }

    fn placed(&self, hash: &Hash) -> Locator {
        self.places().get(hash).copied().unwrap_or(Locator::NONE)
    }

    fn place(&self, hash: &Hash, locator: Locator) {
        self.places().insert(*hash, locator);
    }
}

/// What somebody holds of an unfinished synchronisation, found when this one began.
struct Unfinished {
    name: String,
    id: CommitId,
    seconds: i64,
    objects: Tree,
    /// Whether this synchronisation relies on it, and does not hold the same itself yet.
    is_used: bool,
}

/// What has arrived at a destination.
pub(super) struct Arrivals<'a> {
    to: &'a dyn CommitGraph,
    batch_bytes: usize,
    objects: Objects,
    commits: Vec<BatchCommit>,
    /// Where the commits are among `commits`, by their ids in the source.
    positions: HashMap<CommitId, usize>,
    /// Objects that have arrived without what links to them: whether they are nodes.
    tops: BTreeMap<Hash, bool>,
    /// Commits that have arrived, and those of the destination that they are made on, but for those behind others.
    heads: Vec<CommitId>,
    /// Our own ref, and what it holds.
    name: String,
    held: Option<CommitId>,
    unfinished: Vec<Unfinished>,
}

impl<'a> Arrivals<'a> {
    /// Finds what has arrived before; `wants` are ids of the source, `heads` what the destination has of them.
    pub(super) fn load(
        to: &'a dyn CommitGraph,
        wants: &[u8],
        heads: Vec<CommitId>,
        batch_bytes: usize,
    ) -> Result<Self> {
        let name = format!("{INCOMING}{}", blake3::hash(wants).to_hex());
        let mut arrivals = Self {
            to,
            batch_bytes,
            objects: Objects::default(),
            commits: Vec::new(),
            positions: HashMap::new(),
            tops: BTreeMap::new(),
            heads,
            name,
            held: None,
            unfinished: Vec::new(),
        };
        for (name, id) in to.refs(INCOMING)? {
            let commit = read_commit(to, &id)?;
            let objects = Tree::open(to.objects(), CATALOG_CONFIG, &commit.root)?;
            if name == arrivals.name {
                arrivals.take_up(id, &objects)?;
            } else {
                let seconds = commit.committer.seconds;
                arrivals.unfinished.push(Unfinished { name, id, seconds, objects, is_used: false });
            }
        }
        Ok(arrivals)
    }

    /// Goes on with what an earlier synchronisation of the same commits has done.
    fn take_up(&mut self, id: CommitId, objects: &Tree) -> Result<()> {
        self.held = Some(id);
        self.heads.push(id);
        let mut range = objects.range::<&[u8]>(..)?;
        loop {
            let top = match range.next_entry()? {
                Some((_, ValueRef::Tree { root, .. })) => (root, true),
                Some((_, ValueRef::Blob { hash, .. })) => (hash, false),
                Some((_, ValueRef::Inline(_))) => continue,
                None => return Ok(()),
            };
            self.tops.insert(top.0, top.1);
            if let Some(link) = range.link() {
                self.objects.place(&link.hash, link.locator);
            }
        }
    }

    /// Whether an object has arrived, with everything below it.
    pub(super) fn has(&mut self, hash: &Hash) -> Result<bool> {
        if self.objects.arrived.contains_key(hash) || self.tops.contains_key(hash) {
            return Ok(true);
        }
        for unfinished in &mut self.unfinished {
            if let Some(found) = unfinished.objects.find(hash.as_bytes())? {
                unfinished.is_used = true;
                if let Some(link) = found.link() {
                    self.objects.place(hash, link.locator);
                }
                self.tops.insert(*hash, matches!(found.value(), ValueRef::Tree { .. }));
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A node that is to be published with the next batch.
    pub(super) fn node(&self, hash: &Hash) -> Option<Arc<Node>> {
        match self.objects.arrived.get(hash) {
            Some(Object::Node(node)) => Some(Arc::clone(node)),
            _ => None,
        }
    }

    /// A record that is to be published with the next batch.
    pub(super) fn record(&self, hash: &Hash) -> Option<Arc<[u8]>> {
        match self.objects.arrived.get(hash) {
            Some(Object::Record(_, encoded)) => Some(Arc::clone(encoded)),
            _ => None,
        }
    }

    /// Notes where the destination keeps an object.
    pub(super) fn place(&self, hash: &Hash, locator: Locator) {
        if locator != Locator::NONE {
            self.objects.place(hash, locator);
        }
    }

    /// Where the destination keeps an object, if that was noted.
    pub(super) fn placed(&self, hash: &Hash) -> Locator {
        self.objects.placed(hash)
    }

    /// Takes an object; everything below it has arrived or is held.
    pub(super) fn add(&mut self, object: Object, links: impl Iterator<Item = Hash>) {
        for link in links {
            self.tops.remove(&link);
        }
        self.tops.insert(*object.hash(), matches!(object, Object::Node(_)));
        self.objects.bytes += object.bytes().len();
        self.objects.arrived.insert(*object.hash(), object);
    }

    /// Takes a commit; its root has arrived or is held.
    pub(super) fn add_commit(&mut self, source: CommitId, commit: BatchCommit) {
        self.tops.remove(commit.root.hash());
        self.positions.insert(source, self.commits.len());
        self.commits.push(commit);
    }

    /// Where a commit of the source is among those to be published.
    pub(super) fn position(&self, source: &CommitId) -> Option<usize> {
        self.positions.get(source).copied()
    }

    /// Whether it is time to publish.
    pub(super) fn is_full(&self) -> bool {
        self.objects.bytes >= self.batch_bytes || self.commits.len() >= BATCH_COMMITS
    }

    /// Whether nothing would be lost if it were not published.
    pub(super) fn is_empty(&self) -> bool {
        self.objects.arrived.is_empty() && self.commits.is_empty()
    }

    /// Whether there are objects to be published that no commit to be published leads to.
    pub(super) fn has_loose_objects(&self) -> bool {
        self.tops.keys().any(|hash| self.objects.arrived.contains_key(hash))
    }

    /// Whether there are commits to be published.
    pub(super) fn has_commits(&self) -> bool {
        !self.commits.is_empty()
    }

    /// Publishes what has arrived, held by our own ref.
    ///
    /// # Errors
    /// [`Error::RefMoved`](crate::Error::RefMoved) when somebody else is at the same work; what the destination reports.
    pub(super) fn checkpoint(&mut self, ids: &mut Ids, left_out: Option<&mut LeftOut>) -> Result<()> {
        let mut batch = self.begin(ids, left_out.as_deref(), Vec::new())?;
        let holding = self.holding()?;
        let edit = ref_edit(&self.name, self.held.map_or(Expected::Absent, Expected::Commit), None);
        batch.edits.push(BatchEdit { edit, holds: Some(batch.commits.len()) });
        batch.commits.push(holding);
        let edits = self.unfinished.iter().filter(|unfinished| unfinished.is_used);
        batch.edits.extend(edits.map(|unfinished| {
            let expected = Expected::Commit(unfinished.id);
            BatchEdit { edit: ref_edit(&unfinished.name, expected, Some(unfinished.id)), holds: None }
        }));
        let published = self.publish(batch, ids, left_out)?;
        self.held = published.last().copied();
        self.heads.retain(|head| Some(*head) != self.held);
        self.unfinished.iter_mut().for_each(|unfinished| unfinished.is_used = false);
        if self.heads.len() > HEADS_MAX {
            self.heads = self.held.into_iter().collect();
        }
        Ok(())
    }

    /// Writes down the ids that commits got when they were published.
    pub(super) fn save_ids(&mut self, ids: &mut Ids) -> Result<()> {
        let batch = self.begin(ids, None, Vec::new())?;
        if batch.ids.is_some() {
            self.publish(batch, ids, None)?;
        }
        Ok(())
    }

    /// Publishes what has arrived and edits the refs that were asked for; our own ref goes. An edit whose second part is a
    /// commit of the source that is published here shall hold it.
    ///
    /// # Errors
    /// As [`Arrivals::checkpoint`].
    pub(super) fn finish(
        &mut self,
        ids: &mut Ids,
        left_out: Option<&mut LeftOut>,
        edits: Vec<(RefEdit, Option<CommitId>)>,
    ) -> Result<Vec<Option<CommitId>>> {
        let mut wanted = Vec::with_capacity(edits.len());
        for (mut edit, source) in edits {
            let holds = source.and_then(|id| self.position(&id));
            if let (Some(source), None) = (source, holds) {
                edit.new = ids.other(&source)?;
            }
            wanted.push(BatchEdit { edit, holds });
        }
        let values: Vec<_> = wanted.iter().map(|edit| (edit.edit.new, edit.holds)).collect();
        let mut batch = self.begin(ids, left_out.as_deref(), wanted)?;
        if let Some(held) = self.held {
            batch
                .edits
                .push(BatchEdit { edit: ref_edit(&self.name, Expected::Commit(held), None), holds: None });
        }
        let now = now();
        for old in &self.unfinished {
            let expected = Expected::Commit(old.id);
            if old.seconds.saturating_add(KEPT_SECONDS) < now {
                batch.edits.push(BatchEdit { edit: ref_edit(&old.name, expected, None), holds: None });
            } else if old.is_used {
                batch
                    .edits
                    .push(BatchEdit { edit: ref_edit(&old.name, expected, Some(old.id)), holds: None });
            }
        }
        if batch.commits.is_empty() && batch.edits.is_empty() {
            return Ok(Vec::new());
        }
        let published = self.publish(batch, ids, left_out)?;
        self.held = None;
        Ok(values
            .into_iter()
            .map(|(new, holds)| holds.map_or(new, |index| published.get(index).copied()))
            .collect())
    }

    /// The commits that have arrived, and what is written down with them.
    fn begin(&self, ids: &Ids, left_out: Option<&LeftOut>, edits: Vec<BatchEdit>) -> Result<Made> {
        let mut made = Made { commits: self.commits.clone(), edits, ids: None, left_out: None };
        if let Some((tree, expected)) = ids.edited(&self.objects.made)? {
            made.ids = Some(self.write_down(&mut made.commits, &mut made.edits, IDS, &tree, expected)?);
        }
        if let Some((tree, expected)) =
            left_out.map(|marks| marks.edited(&self.objects.made)).transpose()?.flatten()
        {
            made.left_out =
                Some(self.write_down(&mut made.commits, &mut made.edits, LEFT_OUT, &tree, expected)?);
        }
        Ok(made)
    }

    /// Adds a commit whose root is a tree of ours, and moves a ref to it.
    fn write_down(
        &self,
        commits: &mut Vec<BatchCommit>,
        edits: &mut Vec<BatchEdit>,
        name: &str,
        tree: &Tree,
        expected: Expected,
    ) -> Result<(Tree, usize)> {
        self.objects.made.write_node(Arc::clone(tree.root()))?;
        edits.push(BatchEdit { edit: ref_edit(name, expected, None), holds: Some(commits.len()) });
        commits.push(own_commit(tree, Vec::new(), name));
        Ok((tree.clone(), commits.len() - 1))
    }

    fn publish(
        &mut self,
        batch: Made,
        ids: &mut Ids,
        left_out: Option<&mut LeftOut>,
    ) -> Result<Vec<CommitId>> {
        let published = self.to.publish_batch(&Batch {
            objects: &self.objects,
            commits: &batch.commits,
            edits: &batch.edits,
            signature: None,
        })?;
        if let Some((tree, index)) = batch.ids {
            ids.published(tree, published[index]);
        }
        if let (Some((tree, index)), Some(left_out)) = (batch.left_out, left_out) {
            left_out.published(tree, published[index]);
        }
        for (source, index) in self.positions.drain() {
            ids.learn(source, published[index]);
        }
        let behind: HashSet<CommitId> = self
            .commits
            .iter()
            .flat_map(|commit| &commit.parents)
            .filter_map(|parent| match parent {
                Parent::Stored(id) | Parent::NotFetched(id) => Some(*id),
                Parent::Earlier(index) => published.get(*index).copied(),
            })
            .collect();
        self.heads.extend(&published[..self.commits.len()]);
        self.heads.retain(|head| !behind.contains(head));
        self.commits.clear();
        self.objects.arrived.clear();
        self.objects.made.clear();
        self.objects.bytes = 0;
        let tops = &self.tops;
        self.objects.places().retain(|hash, _| tops.contains_key(hash));
        Ok(published)
    }

    /// The commit that holds what has arrived.
    fn holding(&self) -> Result<BatchCommit> {
        let to_link = |(hash, is_node): (&Hash, &bool)| {
            let link = Link { hash: *hash, locator: self.objects.placed(hash) };
            if *is_node { ObjectLink::Node(link) } else { ObjectLink::Record(link) }
        };
        let links = self.tops.iter().map(to_link).collect();
        let made = &self.objects.made;
        let tree = Tree::build(self.to.objects(), made, CATALOG_CONFIG, &mut Tops { links, at: 0 })?;
        made.write_node(Arc::clone(tree.root()))?;
        let mut parents: Vec<_> = self.heads.iter().copied().map(Parent::Stored).collect();
        parents.sort_unstable_by_key(|parent| match parent {
            Parent::Stored(id) | Parent::NotFetched(id) => *id,
            Parent::Earlier(_) => unreachable!("heads are stored"),
        });
        parents.dedup();
        let behind: HashSet<_> = self.commits.iter().flat_map(|commit| &commit.parents).collect();
        let tips = (0..self.commits.len()).map(Parent::Earlier).filter(|parent| !behind.contains(parent));
        parents.extend(tips);
        Ok(own_commit(&tree, parents, &self.name))
    }
}

/// What is published at once.
struct Made {
    commits: Vec<BatchCommit>,
    edits: Vec<BatchEdit>,
    /// The map of ids as it will be, and where its commit is.
    ids: Option<(Tree, usize)>,
    /// The marks as they will be, and where their commit is.
    left_out: Option<(Tree, usize)>,
}

/// Links to objects, keyed by their addresses.
struct Tops {
    links: Vec<ObjectLink>,
    at: usize,
}

impl EditSource for Tops {
    fn next_edit(&mut self) -> prolly_core::Result<Option<EditRef<'_>>> {
        let Some(object) = self.links.get(self.at) else { return Ok(None) };
        self.at += 1;
        let link = object.link();
        let value = match object {
            ObjectLink::Node(_) => ValueRef::Tree { root: link.hash, descriptor: &[] },
            ObjectLink::Record(_) => ValueRef::Blob { len: 0, hash: link.hash },
        };
        Ok(Some(EditRef { key: link.hash.as_bytes(), value: Some(value), locator: link.locator }))
    }
}

fn own_commit(tree: &Tree, parents: Vec<Parent>, name: &str) -> BatchCommit {
    let signature = Signature {
        name: "prollytree".to_owned(),
        email: "prollytree@localhost".to_owned(),
        seconds: now(),
        offset_minutes: 0,
    };
    BatchCommit {
        root: Arc::clone(tree.root()),
        parents,
        author: signature.clone(),
        committer: signature,
        message: format!("{name}\n"),
        original: None,
    }
}

fn ref_edit(name: &str, expected: Expected, new: Option<CommitId>) -> RefEdit {
    RefEdit { name: name.to_owned(), expected, new, log: "sync".to_owned() }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
