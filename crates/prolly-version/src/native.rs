//! The native commit graph: commits are objects beside the nodes, refs and HEAD are refs of the backend.
//!
//! ```text
//! ref refs/…   the id of a commit, 64 hex digits
//! ref HEAD     "ref: " and a full ref name, or an id; the branch `main` when there is none
//! ```
//!
//! **Invariant:** a commit, everything it needs and the ref that names it become visible in one transaction of the
//! backend.

use std::{path::PathBuf, sync::Arc};

use prolly_core::{Hash, HashedMap, Link, Node, NodeReader, ObjectLink, Record, RecordKind, blob_links};
use prolly_store::{Backend, CachedReader, HashPrefix, NodeCache, Transaction};

use crate::{
    BRANCH_PREFIX, Batch, BatchEdit, Commit, CommitGraph, CommitId, Error, Expected, GcReport, GraphKind,
    Head, Original, Parent, PendingObjects, RefEdit, Result, check_ref_name,
    commit_record::{self, hash_of, id_of},
    sync::{MarkedReader, Marks},
};

const HEAD: &str = "HEAD";
const SYMBOLIC: &str = "ref: ";
/// The branch of a store in which nobody has chosen one.
pub(crate) const DEFAULT_BRANCH: &str = "main";
/// How many bytes of a commit's nodes are handed to the cache, those near the root first.
const CACHED_BYTES_MAX: usize = 4 << 20;

/// Commits and refs in a [`Backend`].
pub struct NativeGraph {
    backend: Arc<dyn Backend>,
    cache: Arc<NodeCache>,
    reader: Arc<MarkedReader>,
    staging_dir: Option<PathBuf>,
}

impl NativeGraph {
    /// Uses a backend, reading through `cache`; staged changes are journalled in `staging_dir`, if there is one.
    pub fn new(backend: Arc<dyn Backend>, cache: Arc<NodeCache>, staging_dir: Option<PathBuf>) -> Self {
        let reader = CachedReader::new(Arc::clone(&backend), Arc::clone(&cache));
        let reader = Arc::new(MarkedReader::new(reader));
        Self { backend, cache, reader, staging_dir }
    }

    /// The bytes of commit `id`, verified; `None` when there is no such object, or it is no commit.
    fn commit_bytes(&self, id: &CommitId) -> Result<Option<Box<[u8]>>> {
        let Some(hash) = hash_of(id) else { return Ok(None) };
        let Some(bytes) = self.backend.get(&hash)? else { return Ok(None) };
        if bytes.first() != Some(&(RecordKind::Commit as u8)) {
            return Ok(None);
        }
        let found = Record::address(&bytes);
        if found != hash {
            return Err(Error::DamagedCommit {
                id: *id,
                reason: format!("its contents have the address {found}"),
            });
        }
        Ok(Some(bytes))
    }

    /// Checks that a commit is there; for as long as the transaction lasts that the caller has open.
    fn check_stored(&self, id: &CommitId) -> Result<()> {
        let hash = hash_of(id).ok_or(Error::MissingCommit { id: *id })?;
        if self.backend.contains(&hash)? {
            return Ok(());
        }
        let is_left_out = self.reader.marks()?.lacks_commit(&hash)?;
        Err(if is_left_out { Error::NotFetched { id: *id } } else { Error::MissingCommit { id: *id } })
    }

    /// Checks that what a ref shall name is there, unless the ref names it already.
    fn check_new(&self, edit: &RefEdit) -> Result<()> {
        match &edit.new {
            Some(new) if edit.expected != Expected::Commit(*new) => self.check_stored(new),
            _ => Ok(()),
        }
    }

    /// Marks everything that refs and HEAD reach.
    fn mark(&self) -> Result<HashedMap<()>> {
        let marks = self.reader.marks()?;
        let mut marked = HashedMap::default();
        let mut commits: Vec<_> = self.refs("")?.into_iter().map(|(_, id)| id).collect();
        if let Head::Detached(id) = self.head()? {
            commits.push(id);
        }
        while let Some(id) = commits.pop() {
            let hash = hash_of(&id).ok_or(Error::MissingCommit { id })?;
            if marked.insert(hash, ()).is_some() {
                continue;
            }
            let Some(bytes) = self.commit_bytes(&id)? else {
                if marks.lacks_commit(&hash)? {
                    continue;
                }
                return Err(Error::MissingCommit { id });
            };
            let commit = commit_record::decode(id, &bytes)?;
            commits.extend(&commit.parents);
            self.mark_objects(&mut marked, &marks, ObjectLink::Node(commit.root))?;
        }
        Ok(marked)
    }

    /// Marks an object and what lies below it; past the cache, which this would only empty.
    fn mark_objects(&self, marked: &mut HashedMap<()>, marks: &Marks, object: ObjectLink) -> Result<()> {
        let mut open = vec![object];
        while let Some(object) = open.pop() {
            let hash = object.link().hash;
            if marked.insert(hash, ()).is_some() {
                continue;
            }
            match object {
                ObjectLink::Node(_) => {
                    let Some(bytes) = self.backend.get(&hash)? else {
                        if marks.lacks_object(&hash)? {
                            continue;
                        }
                        return Err(prolly_core::Error::Missing { hash }.into());
                    };
                    open.extend(Node::decode(&hash, bytes)?.object_links());
                }
                ObjectLink::Record(link) => open.extend(blob_links(&self.reader.read_record(&link)?)?),
            }
        }
        Ok(())
    }
}

/// Whether an object is a part or a list of a blob.
pub(crate) fn is_of_blob(encoded: &[u8]) -> bool {
    let kinds = [RecordKind::BlobPart as u8, RecordKind::BlobList as u8];
    encoded.first().is_some_and(|kind| kinds.contains(kind))
}

/// Puts the pending objects that roots reach into a transaction; returns nodes among them that are worth caching.
fn put_pending<'a>(
    transaction: &mut dyn Transaction,
    pending: &dyn PendingObjects,
    roots: impl Iterator<Item = &'a Arc<Node>>,
) -> Result<Vec<Arc<Node>>> {
    let mut seen: HashedMap<()> = HashedMap::default();
    let mut nodes = Vec::new();
    let mut nodes_bytes = 0;
    let mut open: Vec<_> = roots.map(|root| ObjectLink::Node(root.link())).collect();
    while let Some(object) = open.pop() {
        let link = *object.link();
        if seen.insert(link.hash, ()).is_some() {
            continue;
        }
        match object {
            ObjectLink::Node(_) => {
                if let Some(node) = pending.node(&link)? {
                    transaction.put(&link.hash, node.bytes())?;
                    open.extend(node.object_links());
                    nodes_bytes += node.weight_bytes();
                    if nodes_bytes <= CACHED_BYTES_MAX {
                        nodes.push(node);
                    }
                }
            }
            ObjectLink::Record(_) => {
                if let Some(encoded) = pending.record(&link)? {
                    transaction.put(&link.hash, &encoded)?;
                    open.extend(blob_links(&encoded)?);
                }
            }
        }
    }
    Ok(nodes)
}

fn to_store_edit(edit: &RefEdit, new: Option<CommitId>) -> Result<prolly_store::RefEdit> {
    check_ref_name(&edit.name)?;
    let text = |id: CommitId| id.to_string().into_bytes();
    let expected = match edit.expected {
        Expected::Absent => prolly_store::Expected::Absent,
        Expected::Commit(id) => prolly_store::Expected::Value(text(id)),
    };
    Ok(prolly_store::RefEdit { name: edit.name.clone(), expected, new: new.map(text) })
}

fn parse_ref(name: &str, value: &[u8]) -> Result<CommitId> {
    let parsed = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
    parsed.ok_or_else(|| damaged_ref(name, value))
}

fn damaged_ref(name: &str, value: &[u8]) -> Error {
    Error::DamagedRef { name: name.to_owned(), reason: format!("it holds \"{}\"", value.escape_ascii()) }
}

/// Turns a store's report of a moved ref into ours.
fn from_store(error: prolly_store::Error) -> Error {
    match error {
        prolly_store::Error::RefMoved { name, expected, found } => {
            let expected = match expected {
                prolly_store::Expected::Value(value) => parse_ref(&name, &value).map(Some),
                _ => Ok(None),
            };
            let found = found.map(|value| parse_ref(&name, &value)).transpose();
            match (expected, found) {
                (Ok(expected), Ok(found)) => Error::RefMoved { name, expected, found },
                (Err(error), _) | (_, Err(error)) => error,
            }
        }
        other => other.into(),
    }
}

impl CommitGraph for NativeGraph {
    fn objects(&self) -> Arc<dyn NodeReader> {
        Arc::clone(&self.reader) as Arc<dyn NodeReader>
    }

    fn read_commit(&self, id: &CommitId) -> Result<Option<Commit>> {
        match (self.commit_bytes(id)?, hash_of(id)) {
            (Some(bytes), _) => commit_record::decode(*id, &bytes).map(Some),
            (None, Some(hash)) if self.reader.marks()?.lacks_commit(&hash)? => {
                Err(Error::NotFetched { id: *id })
            }
            (None, _) => Ok(None),
        }
    }

    fn commits_by_prefix(&self, hex: &str, limit: usize) -> Result<Vec<CommitId>> {
        let Some(prefix) = HashPrefix::parse(hex) else { return Ok(Vec::new()) };
        let mut commits = Vec::new();
        for hash in self.backend.objects_by_prefix(&prefix, usize::MAX)? {
            let id = id_of(hash);
            if commits.len() < limit && self.commit_bytes(&id)?.is_some() {
                commits.push(id);
            }
        }
        Ok(commits)
    }

    fn read_ref(&self, name: &str) -> Result<Option<CommitId>> {
        self.backend.read_ref(name)?.map(|value| parse_ref(name, &value)).transpose()
    }

    fn refs(&self, prefix: &str) -> Result<Vec<(String, CommitId)>> {
        self.backend
            .refs(prefix)?
            .into_iter()
            .filter(|(name, _)| name != HEAD)
            .map(|(name, value)| parse_ref(&name, &value).map(|id| (name, id)))
            .collect()
    }

    fn head(&self) -> Result<Head> {
        let Some(value) = self.backend.read_ref(HEAD)? else {
            return Ok(Head::Branch(format!("{BRANCH_PREFIX}{DEFAULT_BRANCH}")));
        };
        match value.strip_prefix(SYMBOLIC.as_bytes()).map(std::str::from_utf8) {
            Some(Ok(name)) if name.starts_with(BRANCH_PREFIX) && check_ref_name(name).is_ok() => {
                Ok(Head::Branch(name.to_owned()))
            }
            Some(_) => Err(damaged_ref(HEAD, &value)),
            None => parse_ref(HEAD, &value).map(Head::Detached),
        }
    }

    fn set_head(&self, head: &Head) -> Result<()> {
        let value = match head {
            Head::Branch(name) => {
                check_ref_name(name)?;
                format!("{SYMBOLIC}{name}")
            }
            Head::Detached(id) => id.to_string(),
        };
        let edit = prolly_store::RefEdit {
            name: HEAD.to_owned(),
            expected: prolly_store::Expected::Any,
            new: Some(value.into_bytes()),
        };
        let Head::Detached(id) = head else { return Ok(self.backend.edit_refs(&[edit])?) };
        let transaction = self.backend.begin()?;
        self.check_stored(id)?;
        Ok(transaction.commit(&[edit])?)
    }

    fn publish_batch(&self, batch: &Batch<'_>) -> Result<Vec<CommitId>> {
        let mut ids: Vec<CommitId> = Vec::with_capacity(batch.commits.len());
        let mut records = Vec::with_capacity(batch.commits.len());
        for commit in batch.commits {
            let (hash, encoded) = commit_record::encode(&commit.draft(&ids)?)?;
            let id = id_of(hash);
            commit.check_id(&id)?;
            ids.push(id);
            records.push((hash, encoded));
        }
        let new = |edit: &BatchEdit| edit.holds.map_or(edit.edit.new, |index| ids.get(index).copied());
        let edits = batch
            .edits
            .iter()
            .map(|edit| to_store_edit(&edit.edit, new(edit)))
            .collect::<Result<Vec<_>>>()?;
        let mut transaction = self.backend.begin()?;
        for parent in batch.commits.iter().flat_map(|commit| &commit.parents) {
            if let Parent::Stored(parent) = parent {
                self.check_stored(parent)?;
            }
        }
        let mut known = batch.edits.iter().filter(|edit| edit.holds.is_none());
        known.try_for_each(|edit| self.check_new(&edit.edit))?;
        let roots = batch.commits.iter().map(|commit| &commit.root);
        let nodes = put_pending(&mut *transaction, batch.objects, roots)?;
        for (hash, encoded) in &records {
            transaction.put(hash, encoded)?;
        }
        transaction.commit(&edits).map_err(from_store)?;
        nodes.into_iter().for_each(|node| self.cache.insert(node));
        Ok(ids)
    }

    fn update_refs(&self, edits: &[RefEdit]) -> Result<()> {
        let made = edits.iter().map(|edit| to_store_edit(edit, edit.new)).collect::<Result<Vec<_>>>()?;
        if edits.iter().all(|edit| edit.new.is_none()) {
            return self.backend.edit_refs(&made).map_err(from_store);
        }
        // Nothing is swept meanwhile.
        let transaction = self.backend.begin()?;
        edits.iter().try_for_each(|edit| self.check_new(edit))?;
        transaction.commit(&made).map_err(from_store)
    }

    fn kind(&self) -> GraphKind {
        GraphKind::Native
    }

    fn original(&self, id: &CommitId) -> Result<Option<Original>> {
        Ok(self.commit_bytes(id)?.map(|encoded| Original { id: *id, encoded: encoded.into_vec() }))
    }

    fn may_have(&self, link: &Link) -> Result<bool> {
        Ok(self.backend.contains(&link.hash)?)
    }

    fn identity(&self) -> Result<Option<(String, String)>> {
        Ok(None)
    }

    fn collect_garbage(&self) -> Result<GcReport> {
        let transaction = self.backend.begin()?;
        let marked = self.mark()?;
        let mut blobs_removed = 0;
        for hash in self.backend.objects_by_prefix(&HashPrefix::ALL, usize::MAX)? {
            if !marked.contains_key(&hash) && self.backend.get(&hash)?.is_some_and(|bytes| is_of_blob(&bytes))
            {
                blobs_removed += 1;
            }
        }
        let report = transaction.sweep(&mut |hash: &Hash| marked.contains_key(hash))?;
        Ok(GcReport {
            objects_before: report.objects_before,
            objects_removed: report.objects_removed,
            blobs_removed,
            bytes_before: report.bytes_before,
            bytes_after: report.bytes_after,
        })
    }

    fn staging_dir(&self) -> Option<PathBuf> {
        self.staging_dir.clone()
    }
}
