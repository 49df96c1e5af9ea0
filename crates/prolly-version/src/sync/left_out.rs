//! What a partial or shallow store does without, so that its absence can be told from a loss.
//!
//! ```text
//! ref refs/prolly/left-out   a commit whose root is a tree like a catalog:
//!   'C' | id of a commit 32                   a parent that was left behind        value: no bytes
//!   'T' | root of a tree 32 | catalog key     a tree of a commit that was left out value: no bytes
//!   'S'                                       which trees are fetched              value: postcard, catalog keys
//! ```
//!
//! **Invariant:** an object that is left out is linked to by name here from the moment that what links to it is
//! published. An entry may outlive the absence: what is stored is read, whatever stands here.

use std::{collections::BTreeMap, sync::Arc};

use prolly_core::{
    Error as TreeError, Hash, Link, Node, NodeReader, NodeWriter, Result as TreeResult, SortedEdits, Tree,
    Value, ValueRef,
};
use prolly_store::CachedReader;

use crate::{
    CATALOG_CONFIG, CommitGraph, CommitId, Error, Expected, Result,
    commit_record::{self, hash_of, id_of},
    revision::read_commit,
};

/// The ref that holds the marks.
pub(super) const LEFT_OUT: &str = "refs/prolly/left-out";
const COMMIT: u8 = b'C';
const TREE: u8 = b'T';
const SELECTION: u8 = b'S';

/// Reads objects of a native graph, and tells those that were left out from those that were lost.
pub(crate) struct MarkedReader {
    reader: CachedReader,
}

impl MarkedReader {
    pub(crate) fn new(reader: CachedReader) -> Self {
        Self { reader }
    }

    /// The marks as they are now.
    pub(crate) fn marks(&self) -> Result<Marks> {
        let backend = self.reader.backend();
        let Some(value) = backend.read_ref(LEFT_OUT)? else { return Ok(Marks(None)) };
        let id = std::str::from_utf8(&value).ok().and_then(|text| text.parse::<CommitId>().ok());
        let damaged =
            |reason: &str| Error::DamagedRef { name: LEFT_OUT.to_owned(), reason: reason.to_owned() };
        let hash = id.as_ref().and_then(hash_of).ok_or_else(|| damaged("it holds no id of a commit"))?;
        let bytes = self.reader.read_record(&hash.into())?;
        let root = commit_record::decode(id_of(hash), &bytes)?.root;
        Ok(Marks(Some(Tree::open(Arc::new(self.reader.clone()), CATALOG_CONFIG, &root)?)))
    }

    /// Says of an object that is missing whether it was left out.
    fn explain(&self, error: TreeError) -> TreeError {
        let TreeError::Missing { hash } = error else { return error };
        match self.marks().and_then(|marks| marks.lacks_object(&hash)) {
            Ok(true) => TreeError::NotFetched { hash },
            Ok(false) => error,
            Err(other) => TreeError::store(other),
        }
    }
}

/// What a store does without; nothing in one that is whole.
pub(crate) struct Marks(Option<Tree>);

impl Marks {
    /// Whether a commit was left behind.
    pub(crate) fn lacks_commit(&self, hash: &Hash) -> Result<bool> {
        let Some(tree) = &self.0 else { return Ok(false) };
        Ok(tree.contains(&commit_key(hash))?)
    }

    /// Whether an object is the root of a tree that was left out.
    pub(crate) fn lacks_object(&self, hash: &Hash) -> Result<bool> {
        let Some(tree) = &self.0 else { return Ok(false) };
        Ok(tree.prefix(&tree_prefix(hash))?.next_entry()?.is_some())
    }
}

impl NodeReader for MarkedReader {
    fn read_node(&self, link: &Link) -> TreeResult<Arc<Node>> {
        self.reader.read_node(link).map_err(|error| self.explain(error))
    }

    fn read_record(&self, link: &Link) -> TreeResult<Arc<[u8]>> {
        self.reader.read_record(link).map_err(|error| self.explain(error))
    }
}

/// The marks of a destination, and how a synchronisation changes them.
pub(super) struct LeftOut {
    tree: Tree,
    /// What the ref holds.
    held: Option<CommitId>,
    edits: BTreeMap<Vec<u8>, Option<Value>>,
}

impl LeftOut {
    /// Reads the marks of a native graph.
    pub(super) fn load(graph: &dyn CommitGraph) -> Result<Self> {
        let held = graph.read_ref(LEFT_OUT)?;
        let tree = match &held {
            Some(id) => Tree::open(graph.objects(), CATALOG_CONFIG, &read_commit(graph, id)?.root)?,
            None => Tree::empty(graph.objects(), CATALOG_CONFIG)?,
        };
        Ok(Self { tree, held, edits: BTreeMap::new() })
    }

    /// How many marks are to be written with the next batch.
    pub(super) fn edit_count(&self) -> usize {
        self.edits.len()
    }

    /// Notes that a parent of a commit is left behind.
    pub(super) fn add_commit(&mut self, id: &CommitId) {
        if let Some(hash) = hash_of(id) {
            self.set(commit_key(&hash), Some(Vec::new()));
        }
    }

    /// Notes that a tree of a commit is left out.
    pub(super) fn add_tree(&mut self, root: &Hash, catalog_key: &[u8]) {
        self.set([&tree_prefix(root)[..], catalog_key].concat(), Some(Vec::new()));
    }

    /// Notes that a commit is there now.
    pub(super) fn remove_commit(&mut self, id: &CommitId) -> Result<()> {
        match hash_of(id) {
            Some(hash) => self.remove(commit_key(&hash)),
            None => Ok(()),
        }
    }

    /// Notes that a tree is there now.
    pub(super) fn remove_tree(&mut self, root: &Hash, catalog_key: &[u8]) -> Result<()> {
        self.remove([&tree_prefix(root)[..], catalog_key].concat())
    }

    fn remove(&mut self, key: Vec<u8>) -> Result<()> {
        if self.edits.contains_key(&key) || self.tree.contains(&key)? {
            self.set(key, None);
        }
        Ok(())
    }

    fn set(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.edits.insert(key, value.map(Value::Inline));
    }

    /// The commits that were left behind before this synchronisation.
    pub(super) fn commits(&self) -> Result<Vec<CommitId>> {
        let mut range = self.tree.prefix(&[COMMIT])?;
        let mut out = Vec::new();
        while let Some((key, _)) = range.next_entry()? {
            out.extend(CommitId::from_slice(&key[1..]));
        }
        Ok(out)
    }

    /// The trees that were left out before this synchronisation: root and catalog key.
    pub(super) fn trees(&self) -> Result<Vec<(Hash, Vec<u8>)>> {
        let mut range = self.tree.prefix(&[TREE])?;
        let mut out = Vec::new();
        while let Some((key, _)) = range.next_entry()? {
            let (root, catalog_key) =
                key[1..].split_at_checked(Hash::LEN).ok_or_else(|| damaged("a key is short"))?;
            let root = Hash::from_slice(root).expect("split off at this length");
            out.push((root, catalog_key.to_vec()));
        }
        Ok(out)
    }

    /// The catalog keys of the trees that are fetched, sorted; `None` when that is all of them.
    pub(super) fn selection(&self) -> Result<Option<Vec<Vec<u8>>>> {
        let Some(found) = self.tree.find(&[SELECTION])? else { return Ok(None) };
        let ValueRef::Inline(bytes) = found.value() else {
            return Err(damaged("the selection is no plain value"));
        };
        let (mut keys, rest) =
            postcard::take_from_bytes::<Vec<Vec<u8>>>(bytes).map_err(|error| damaged(&error.to_string()))?;
        if !rest.is_empty() {
            return Err(damaged("bytes follow the selection"));
        }
        keys.sort_unstable();
        Ok(Some(keys))
    }

    /// Notes which trees are fetched from now on.
    pub(super) fn select(&mut self, keys: Option<&[Vec<u8>]>) -> Result<()> {
        match keys {
            Some(keys) => {
                let bytes = postcard::to_allocvec(keys).map_err(|error| damaged(&error.to_string()))?;
                self.set(vec![SELECTION], Some(bytes));
                Ok(())
            }
            None => self.remove(vec![SELECTION]),
        }
    }

    /// The marks as edited, their new nodes written to `writer`, and what the ref has to hold; `None` when nothing was
    /// edited.
    pub(super) fn edited(&self, writer: &dyn NodeWriter) -> Result<Option<(Tree, Expected)>> {
        if self.edits.is_empty() {
            return Ok(None);
        }
        let edits = self.edits.iter().map(|(key, value)| (key, value.clone()));
        let tree = self.tree.apply(writer, &mut SortedEdits::new(edits))?;
        Ok(Some((tree, self.held.map_or(Expected::Absent, Expected::Commit))))
    }

    /// Notes that the marks as edited were published.
    pub(super) fn published(&mut self, tree: Tree, id: CommitId) {
        self.edits.clear();
        self.tree = tree;
        self.held = Some(id);
    }
}

fn commit_key(hash: &Hash) -> Vec<u8> {
    [&[COMMIT], &hash.as_bytes()[..]].concat()
}

fn tree_prefix(root: &Hash) -> Vec<u8> {
    [&[TREE], &root.as_bytes()[..]].concat()
}

fn damaged(reason: &str) -> Error {
    Error::DamagedRef { name: LEFT_OUT.to_owned(), reason: format!("its marks cannot be read: {reason}") }
}
