//! A transaction over the trees of a store: edits wait in it, are seen by its own reads, and are staged together.
//!
//! It is optimistic: nothing is locked while it is open. When it ends, what it has read and written has to be as it was
//! when it was read, or it changes nothing.
//!
//! **Invariant:** what a transaction shows is what the store held at one moment, and its own edits. For a transaction that
//! reads the store as it goes ([`Mode::Live`]) that is only known at its end.

mod change;
mod end;
mod read;

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap},
};

use prolly_core::{ProllyTree, Tree};
use prolly_version::{
    Catalog, CommitId, Error as VersionError, Moment, Stamp, Store, TreeKey, TreeKind, TreeVersion,
};

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
    /// What has to be as it was read.
    expected: RefCell<Vec<Expectation>>,
    /// How often the origin was read.
    reads: Cell<u64>,
    savepoint: Option<Savepoint>,
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
        moment: Moment,
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

/// What a transaction has read for a check that has to be true when it ends.
enum Expectation {
    /// The value of a key.
    Entry(TreeKey, Vec<u8>),
    /// The keys that begin with some bytes.
    Keys(TreeKey, Vec<u8>),
    /// The metadata of a tree.
    Metadata(TreeKey),
    /// The names of the trees of a kind that begin with some bytes.
    Trees(TreeKind, Vec<u8>),
}

/// Where a transaction can go back to.
struct Savepoint {
    /// What the changes since replaced.
    undo: Vec<Undo>,
    /// How much was expected then.
    expected: usize,
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
        let moment = store.moment()?;
        let stamp = stamp.filter(|stamp| store.stamp() == Some(*stamp));
        Ok(Self::new(Origin::Snapshot { store: store.clone(), stamp, moment }))
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
            reads: Cell::new(0),
            savepoint: None,
        }
    }

    /// The moment at which it began, where that is known.
    pub(crate) fn stamp(&self) -> Option<Stamp> {
        match &self.origin {
            Origin::Live { stamp, .. } | Origin::Snapshot { stamp, .. } => *stamp,
            Origin::Revision { .. } => None,
        }
    }

    /// The commit that the store stands on, for this transaction; `None` on a branch without commits. The outer `None`: it shows
    /// a revision, and not where the store stands.
    pub(crate) fn head_commit(&self) -> Option<Option<CommitId>> {
        match &self.origin {
            Origin::Live { store, .. } => {
                self.reads.set(self.reads.get() + 1);
                Some(store.current_commit())
            }
            Origin::Snapshot { moment, .. } => Some(moment.commit),
            Origin::Revision { .. } => None,
        }
    }

    /// Whether it shows a revision, and so cannot be written.
    pub(crate) fn is_revision(&self) -> bool {
        matches!(self.origin, Origin::Revision { .. })
    }
}

fn edit(tree: &mut ProllyTree, key: &[u8], value: Option<&[u8]>) -> prolly_core::Result<()> {
    match value {
        Some(value) => tree.insert(key, value),
        None => tree.remove(key),
    }
}

fn keys_below(tree: &Tree, prefix: &[u8]) -> Result<Vec<Vec<u8>>> {
    let mut range = tree.prefix(prefix)?;
    let mut keys = Vec::new();
    while let Some((key, _)) = range.next_entry()? {
        keys.push(key.to_vec());
    }
    Ok(keys)
}

fn unknown(tree: &TreeKey) -> Error {
    VersionError::UnknownTree { tree: tree.clone() }.into()
}
