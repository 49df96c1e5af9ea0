//! A transaction over the trees of a store: edits wait in it, are seen by its own reads, and are staged together.
//!
//! It is optimistic: nothing is locked while it is open. When it ends, what it has read and written has to be as it was
//! when it was read, or it changes nothing.
//!
//! **Invariant:** what a transaction shows is what the store held at one moment, and its own edits. For a transaction that
//! reads the store as it goes ([`Mode::Live`]) that is only known at its end.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use prolly_core::{MAX_KEY_BYTES, NodeBuffer, ProllyTree, Tree, TreeConfig};
use prolly_version::{Catalog, Error as VersionError, Staging, Stamp, Store, TreeKey, TreeKind, TreeVersion};

use crate::{Error, Result};

/// What a transaction reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The store as it goes: the cheapest for a statement that touches little. When somebody stages meanwhile it has to be
    /// done again.
    Live,
    /// The store as it is when the transaction begins.
    Snapshot,
}

/// How a transaction ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Its edits are staged, by which the store came to this moment; `None` when there were none.
    Committed(Option<Stamp>),
    /// A live one has not seen one moment: somebody staged meanwhile. It has changed nothing.
    Moved,
}

pub(crate) struct Txn {
    origin: Origin,
    /// Trees of the origin that were read as a whole.
    opened: RefCell<HashMap<TreeKey, Option<TreeVersion>>>,
    /// Trees that were changed; `None` for those that were dropped.
    changed: HashMap<TreeKey, Option<Box<Changed>>>,
    /// What was done to trees as a whole, in order.
    shapes: Vec<Shape>,
    /// Entries that have to stay as they were read.
    expected: RefCell<Vec<(TreeKey, Vec<u8>)>>,
    /// Prefixes of keys, of which there have to be the same ones as were read.
    expected_prefixes: RefCell<Vec<(TreeKey, Vec<u8>)>>,
    /// How often the origin was read.
    reads: Cell<u64>,
    /// What the changes since the savepoint replaced, while there is one.
    undo: Option<Vec<Undo>>,
}

enum Origin {
    /// Without a stamp, somebody was staging when it began.
    Live {
        store: Store,
        stamp: Option<Stamp>,
    },
    Snapshot {
        store: Store,
        stamp: Option<Stamp>,
        catalog: Catalog,
    },
    /// A revision. It cannot be written.
    Revision {
        name: String,
        catalog: Catalog,
    },
}

/// A tree with edits.
#[derive(Default)]
struct Changed {
    /// The tree of the origin that it begins as; `None` when it began empty.
    from: Option<TreeKey>,
    /// Its metadata, when it is not that of the origin.
    metadata: Option<Vec<u8>>,
    edits: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// The whole tree, once it was needed.
    whole: RefCell<Option<ProllyTree>>,
}

enum Shape {
    Create(TreeKey, Vec<u8>),
    Drop(TreeKey),
    Rename(TreeKey, TreeKey),
    Metadata(TreeKey, Vec<u8>),
}

enum Undo {
    /// The edit of a key was this before.
    Edit { tree: TreeKey, key: Vec<u8>, before: Option<Option<Vec<u8>>> },
    /// The metadata were these before.
    Metadata { tree: TreeKey, before: Option<Vec<u8>> },
    /// The tree was this before; the outer `None`: unchanged.
    Tree { tree: TreeKey, before: Option<Option<Box<Changed>>> },
    /// One shape was added.
    Shape,
}

impl Txn {
    /// Begins a transaction on what is staged in a store.
    pub(crate) fn begin(store: &Store, mode: Mode) -> Result<Self> {
        let stamp = store.stamp();
        if mode == Mode::Live {
            return Ok(Self::new(Origin::Live { store: store.clone(), stamp }));
        }
        let catalog = store.catalog()?;
        let stamp = stamp.filter(|stamp| store.stamp() == Some(*stamp));
        Ok(Self::new(Origin::Snapshot { store: store.clone(), stamp, catalog }))
    }

    /// Begins a transaction that reads a revision.
    pub(crate) fn at(name: String, catalog: Catalog) -> Self {
        Self::new(Origin::Revision { name, catalog })
    }

    fn new(origin: Origin) -> Self {
        Self {
            origin,
            opened: RefCell::default(),
            changed: HashMap::new(),
            shapes: Vec::new(),
            expected: RefCell::default(),
            expected_prefixes: RefCell::default(),
            reads: Cell::new(0),
            undo: None,
        }
    }

    /// The moment at which it began, where that is known.
    pub(crate) fn stamp(&self) -> Option<Stamp> {
        match &self.origin {
            Origin::Live { stamp, .. } | Origin::Snapshot { stamp, .. } => *stamp,
            Origin::Revision { .. } => None,
        }
    }

    /// Whether it shows a revision, and so cannot be written.
    pub(crate) fn is_revision(&self) -> bool {
        matches!(self.origin, Origin::Revision { .. })
    }

    /// The metadata of a tree; `None` when there is no such tree.
    pub(crate) fn metadata(&self, tree: &TreeKey) -> Result<Option<Vec<u8>>> {
        let from = match self.changed.get(tree) {
            None => tree,
            Some(None) => return Ok(None),
            Some(Some(changed)) => match (&changed.metadata, &changed.from) {
                (Some(metadata), _) => return Ok(Some(metadata.clone())),
                (None, Some(from)) => from,
                (None, None) => unreachable!("a tree that began empty has metadata of its own"),
            },
        };
        if let Some(version) = self.opened.borrow().get(from) {
            return Ok(version.as_ref().map(|version| version.metadata.clone()));
        }
        if let Origin::Live { store, .. } = &self.origin {
            self.reads.set(self.reads.get() + 1);
            return match store.metadata(from) {
                Ok(metadata) => Ok(Some(metadata)),
                Err(VersionError::UnknownTree { .. }) => Ok(None),
                Err(error) => Err(error.into()),
            };
        }
        Ok(self.open(from)?.map(|version| version.metadata))
    }

    /// Reads the value of a key of a tree that exists.
    pub(crate) fn get(&self, tree: &TreeKey, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let from = match self.changed.get(tree) {
            None => tree,
            Some(None) => return Err(unknown(tree)),
            Some(Some(changed)) => match (changed.edits.get(key), &changed.from) {
                (Some(edit), _) => return Ok(edit.clone()),
                (None, Some(from)) => from,
                (None, None) => return Ok(None),
            },
        };
        if let Some(version) = self.opened.borrow().get(from) {
            let version = version.as_ref().ok_or_else(|| unknown(tree))?;
            return Ok(version.tree.get(key)?);
        }
        match &self.origin {
            Origin::Live { store, .. } => {
                self.reads.set(self.reads.get() + 1);
                Ok(store.get(from, key)?)
            }
            Origin::Snapshot { .. } | Origin::Revision { .. } => {
                let version = self.open(from)?.ok_or_else(|| unknown(tree))?;
                Ok(version.tree.get(key)?)
            }
        }
    }

    /// Reads the value of a key, which has to be the same when the transaction ends: for a check that later depends on it.
    pub(crate) fn get_expecting(&self, tree: &TreeKey, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.expected.borrow_mut().push((tree.clone(), key.to_vec()));
        self.get(tree, key)
    }

    /// Reads the keys that begin with some bytes, of which there have to be the same when the transaction ends.
    pub(crate) fn prefix_expecting(&self, tree: &TreeKey, prefix: &[u8]) -> Result<Vec<Vec<u8>>> {
        self.expected_prefixes.borrow_mut().push((tree.clone(), prefix.to_vec()));
        keys_below(&self.tree(tree)?, prefix)
    }

    /// A tree that exists, with the edits of this transaction in it.
    pub(crate) fn tree(&self, tree: &TreeKey) -> Result<Tree> {
        let changed = match self.changed.get(tree) {
            None => return Ok(self.open(tree)?.ok_or_else(|| unknown(tree))?.tree),
            Some(None) => return Err(unknown(tree)),
            Some(Some(changed)) => changed,
        };
        let mut whole = changed.whole.borrow_mut();
        if let Some(whole) = whole.as_mut() {
            return Ok(whole.tree()?.clone());
        }
        let base = match &changed.from {
            Some(from) => self.open(from)?.ok_or_else(|| unknown(tree))?.tree,
            None => Tree::empty(Arc::new(NodeBuffer::new()), TreeConfig::default())?,
        };
        let nodes = Arc::new(NodeBuffer::over(Arc::clone(base.reader())));
        let mut made = ProllyTree::over(Arc::clone(&nodes) as _, base.with_reader(nodes));
        for (key, value) in &changed.edits {
            edit(&mut made, key, value.as_deref())?;
        }
        let tree = made.tree()?.clone();
        *whole = Some(made);
        Ok(tree)
    }

    /// The names of the trees of a kind that begin with some bytes, in their order.
    pub(crate) fn tree_keys(&self, kind: TreeKind, prefix: &[u8]) -> Result<Vec<TreeKey>> {
        let mut keys = match &self.origin {
            Origin::Live { store, .. } => {
                self.reads.set(self.reads.get() + 1);
                store.tree_keys(kind, prefix)?
            }
            Origin::Snapshot { catalog, .. } | Origin::Revision { catalog, .. } => {
                catalog.keys(kind, prefix)?
            }
        };
        if !self.changed.is_empty() {
            keys.retain(|key| !matches!(self.changed.get(key), Some(None)));
            let is_asked = |key: &&TreeKey| key.kind() == kind && key.name().starts_with(prefix);
            let present = self.changed.iter().filter(|(_, changed)| changed.is_some());
            keys.extend(present.map(|(key, _)| key).filter(is_asked).cloned());
            keys.sort_unstable();
            keys.dedup();
        }
        Ok(keys)
    }

    /// A tree of the origin, kept for later reads.
    fn open(&self, tree: &TreeKey) -> Result<Option<TreeVersion>> {
        if let Some(version) = self.opened.borrow().get(tree) {
            return Ok(version.clone());
        }
        let version = match &self.origin {
            Origin::Live { store, .. } => {
                self.reads.set(self.reads.get() + 1);
                match store.version(tree) {
                    Err(VersionError::UnknownTree { .. }) => None,
                    found => Some(found?),
                }
            }
            Origin::Snapshot { catalog, .. } | Origin::Revision { catalog, .. } => catalog.version(tree)?,
        };
        self.opened.borrow_mut().insert(tree.clone(), version.clone());
        Ok(version)
    }
}

/// Changes.
impl Txn {
    /// Sets the value of a key of a tree that exists.
    pub(crate) fn put(&mut self, tree: &TreeKey, key: Vec<u8>, value: Vec<u8>) -> Result<()> {
        self.edit(tree, key, Some(value))
    }

    /// Removes a key of a tree that exists.
    pub(crate) fn delete(&mut self, tree: &TreeKey, key: Vec<u8>) -> Result<()> {
        self.edit(tree, key, None)
    }

    fn edit(&mut self, tree: &TreeKey, key: Vec<u8>, value: Option<Vec<u8>>) -> Result<()> {
        if key.len() > MAX_KEY_BYTES {
            return Err(prolly_core::Error::KeyTooLong { len: key.len(), max: MAX_KEY_BYTES }.into());
        }
        let has_savepoint = self.undo.is_some();
        let changed = self.change(tree)?;
        if let Some(whole) = changed.whole.get_mut() {
            edit(whole, &key, value.as_deref())?;
        }
        if has_savepoint {
            let before = changed.edits.insert(key.clone(), value);
            self.note(Undo::Edit { tree: tree.clone(), key, before });
        } else {
            changed.edits.insert(key, value);
        }
        Ok(())
    }

    /// Makes an empty tree, where there is none of this name.
    pub(crate) fn create(&mut self, tree: &TreeKey, metadata: Vec<u8>) -> Result<()> {
        self.check_writable(tree)?;
        let made = Changed { metadata: Some(metadata.clone()), ..Changed::default() };
        let before = self.changed.insert(tree.clone(), Some(Box::new(made)));
        self.note(Undo::Tree { tree: tree.clone(), before });
        self.shape(Shape::Create(tree.clone(), metadata));
        Ok(())
    }

    /// Removes a tree that exists.
    pub(crate) fn drop_tree(&mut self, tree: &TreeKey) -> Result<()> {
        self.check_writable(tree)?;
        let before = self.changed.insert(tree.clone(), None);
        self.note(Undo::Tree { tree: tree.clone(), before });
        self.shape(Shape::Drop(tree.clone()));
        Ok(())
    }

    /// Gives a tree that exists a name that no tree has.
    pub(crate) fn rename(&mut self, from: &TreeKey, to: &TreeKey) -> Result<()> {
        let moved = std::mem::take(self.change(from)?);
        let back = || Changed {
            from: moved.from.clone(),
            metadata: moved.metadata.clone(),
            edits: moved.edits.clone(),
            whole: RefCell::default(),
        };
        if self.undo.is_some() {
            let back = back();
            self.note(Undo::Tree { tree: from.clone(), before: Some(Some(Box::new(back))) });
        }
        self.changed.insert(from.clone(), None);
        let before = self.changed.insert(to.clone(), Some(Box::new(moved)));
        self.note(Undo::Tree { tree: to.clone(), before });
        self.shape(Shape::Rename(from.clone(), to.clone()));
        Ok(())
    }

    /// Sets the metadata of a tree that exists.
    pub(crate) fn set_metadata(&mut self, tree: &TreeKey, metadata: Vec<u8>) -> Result<()> {
        let before = self.change(tree)?.metadata.replace(metadata.clone());
        self.note(Undo::Metadata { tree: tree.clone(), before });
        self.shape(Shape::Metadata(tree.clone(), metadata));
        Ok(())
    }

    /// Starts to note what changes replace.
    pub(crate) fn savepoint(&mut self) {
        self.undo = Some(Vec::new());
    }

    /// Forgets the savepoint: the changes since stay.
    pub(crate) fn release(&mut self) {
        self.undo = None;
    }

    /// Takes the changes since the savepoint back.
    pub(crate) fn roll_back_to_savepoint(&mut self) {
        for undo in self.undo.take().into_iter().flatten().rev() {
            match undo {
                Undo::Edit { tree, key, before } => {
                    if let Some(Some(changed)) = self.changed.get_mut(&tree) {
                        match before {
                            Some(before) => changed.edits.insert(key, before),
                            None => changed.edits.remove(&key),
                        };
                        *changed.whole.get_mut() = None;
                    }
                }
                Undo::Metadata { tree, before } => {
                    if let Some(Some(changed)) = self.changed.get_mut(&tree) {
                        changed.metadata = before;
                    }
                }
                Undo::Tree { tree, before } => {
                    match before {
                        Some(before) => self.changed.insert(tree, before),
                        None => self.changed.remove(&tree),
                    };
                }
                Undo::Shape => {
                    self.shapes.pop();
                }
            }
        }
    }

    fn note(&mut self, undo: Undo) {
        if let Some(undos) = &mut self.undo {
            undos.push(undo);
        }
    }

    fn shape(&mut self, shape: Shape) {
        self.shapes.push(shape);
        self.note(Undo::Shape);
    }

    fn check_writable(&self, tree: &TreeKey) -> Result<()> {
        match &self.origin {
            Origin::Revision { name, .. } => {
                let table = String::from_utf8_lossy(tree.name());
                Err(Error::ReadOnly { what: format!("{table} at {name}") })
            }
            Origin::Live { .. } | Origin::Snapshot { .. } => Ok(()),
        }
    }

    /// A tree that exists, to change it.
    fn change(&mut self, tree: &TreeKey) -> Result<&mut Changed> {
        self.check_writable(tree)?;
        if !self.changed.contains_key(tree) {
            let made = Changed { from: Some(tree.clone()), ..Changed::default() };
            self.changed.insert(tree.clone(), Some(Box::new(made)));
            self.note(Undo::Tree { tree: tree.clone(), before: None });
        }
        self.changed.get_mut(tree).and_then(Option::as_deref_mut).ok_or_else(|| unknown(tree))
    }
}

/// The end.
impl Txn {
    /// Stages everything, or nothing.
    ///
    /// # Errors
    /// [`Error::TransactionConflict`] when somebody has changed what this one changes, or has read for a check; what staging
    /// reports.
    pub(crate) fn commit(&self) -> Result<End> {
        let has_changes = !self.changed.is_empty();
        match &self.origin {
            Origin::Live { store, stamp } if !has_changes => {
                let saw_one_moment = self.reads.get() <= 1 || (stamp.is_some() && store.stamp() == *stamp);
                Ok(if saw_one_moment { End::Committed(None) } else { End::Moved })
            }
            Origin::Snapshot { .. } | Origin::Revision { .. } if !has_changes => Ok(End::Committed(None)),
            Origin::Live { store, stamp } => {
                let mut staging = store.stage()?;
                if Some(staging.stamp()) != *stamp {
                    return Ok(End::Moved);
                }
                self.write(&mut staging)
            }
            Origin::Snapshot { store, stamp, catalog } => {
                let mut staging = store.stage()?;
                if Some(staging.stamp()) != *stamp {
                    self.check(catalog, &mut staging)?;
                }
                self.write(&mut staging)
            }
            Origin::Revision { name, .. } => Err(Error::ReadOnly { what: name.clone() }),
        }
    }

    /// Looks for what somebody else changed since the transaction began.
    fn check(&self, began: &Catalog, staging: &mut Staging<'_>) -> Result<()> {
        let conflict = |tree: &TreeKey| Error::TransactionConflict { what: tree.to_string() };
        for (key, changed) in &self.changed {
            let (before, now) = (began.version(key)?, staging.version(key)?);
            if is_same(before.as_ref(), now.as_ref()) {
                continue;
            }
            // Rows that others changed do not matter to one who edits other rows; to one who drops the table they do.
            let (Some(before), Some(now), Some(changed)) = (&before, &now, changed) else {
                return Err(conflict(key));
            };
            let is_edited_in_place = changed.from.as_ref() == Some(key) && changed.metadata.is_none();
            if !is_edited_in_place
                || before.metadata != now.metadata
                || before.tree.config() != now.tree.config()
            {
                return Err(conflict(key));
            }
            for edited in changed.edits.keys() {
                check_entry(key, edited, before, now)?;
            }
        }
        for (key, entry) in &*self.expected.borrow() {
            let (before, now) = (began.version(key)?, staging.version(key)?);
            match (&before, &now) {
                _ if is_same(before.as_ref(), now.as_ref()) => {}
                (Some(before), Some(now)) => check_entry(key, entry, before, now)?,
                _ => return Err(conflict(key)),
            }
        }
        for (key, prefix) in &*self.expected_prefixes.borrow() {
            let (before, now) = (began.version(key)?, staging.version(key)?);
            let is_same = match (&before, &now) {
                _ if is_same(before.as_ref(), now.as_ref()) => true,
                (Some(before), Some(now)) => {
                    keys_below(&before.tree, prefix)? == keys_below(&now.tree, prefix)?
                }
                _ => false,
            };
            if !is_same {
                return Err(conflict(key));
            }
        }
        Ok(())
    }

    fn write(&self, staging: &mut Staging<'_>) -> Result<End> {
        for shape in &self.shapes {
            match shape {
                Shape::Create(tree, metadata) => {
                    staging.create_tree(tree, TreeConfig::default(), metadata)?
                }
                Shape::Drop(tree) => {
                    staging.drop_tree(tree)?;
                }
                Shape::Rename(from, to) => staging.rename_tree(from, to.name())?,
                Shape::Metadata(tree, metadata) => staging.set_metadata(tree, metadata)?,
            }
        }
        for (tree, changed) in &self.changed {
            if let Some(changed) = changed {
                let edits = changed.edits.iter().map(|(key, value)| (key, value.as_ref()));
                staging.edit(tree, edits)?;
            }
        }
        Ok(End::Committed(Some(staging.stamp_after())))
    }
}

fn check_entry(tree: &TreeKey, key: &[u8], before: &TreeVersion, now: &TreeVersion) -> Result<()> {
    if before.tree.get(key)? == now.tree.get(key)? {
        return Ok(());
    }
    let what = match crate::key::decode(key) {
        Ok(values) => format!("row {values:?} of the {tree}"),
        Err(_) => format!("row {} of the {tree}", key.escape_ascii()),
    };
    Err(Error::TransactionConflict { what })
}

fn keys_below(tree: &Tree, prefix: &[u8]) -> Result<Vec<Vec<u8>>> {
    let mut range = tree.prefix(prefix)?;
    let mut keys = Vec::new();
    while let Some((key, _)) = range.next_entry()? {
        keys.push(key.to_vec());
    }
    Ok(keys)
}

fn is_same(one: Option<&TreeVersion>, other: Option<&TreeVersion>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => {
            one.tree.root_hash() == other.tree.root_hash()
                && one.tree.config() == other.tree.config()
                && one.metadata == other.metadata
        }
        _ => false,
    }
}

fn edit(tree: &mut ProllyTree, key: &[u8], value: Option<&[u8]>) -> prolly_core::Result<()> {
    match value {
        Some(value) => tree.insert(key, value),
        None => tree.remove(key),
    }
}

fn unknown(tree: &TreeKey) -> Error {
    VersionError::UnknownTree { tree: tree.clone() }.into()
}
