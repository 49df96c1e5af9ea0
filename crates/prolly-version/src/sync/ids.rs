//! Ids of commits of one graph in the other.
//!
//! ```text
//! ref refs/prolly/ids   a commit whose root is a tree like a catalog:
//!   id in Git 20     value: id in the native graph 32
//!   id in native 32  value: id in Git 20
//! ```
//!
//! A commit is turned into one of the other graph by its contents and the ids of its parents alone, so the map says
//! nothing that could not be found out again: without it, a synchronisation walks the whole history once more. Each
//! destination writes down what it has learnt; both sides are asked.
//!
//! **Invariant:** a pair that is relied on leads to commits with equal contents on both sides; one that does not is
//! reported, never followed.

use std::collections::{BTreeMap, HashMap};

use prolly_core::{NodeWriter, SortedEdits, Tree, Value, ValueRef};

use crate::{CATALOG_CONFIG, Commit, CommitGraph, CommitId, Error, Expected, Result, revision::read_commit};

/// The ref that holds the map.
pub(super) const IDS: &str = "refs/prolly/ids";

/// Between the ids of a source and those of a destination.
pub(super) enum Ids {
    /// Both graphs are of one kind: ids are the same.
    Same,
    /// They are not.
    Mapped(Box<Map>),
}

/// The map as both sides have it, and what was learnt since.
pub(super) struct Map {
    theirs: Tree,
    ours: Tree,
    /// What the destination's ref holds.
    held: Option<CommitId>,
    /// Pairs that the destination has not written down yet.
    fresh: HashMap<CommitId, CommitId>,
}

impl Ids {
    pub(super) fn load(from: &dyn CommitGraph, to: &dyn CommitGraph) -> Result<Self> {
        if from.kind() == to.kind() {
            return Ok(Self::Same);
        }
        let (theirs, _) = load_tree(from)?;
        let (ours, held) = load_tree(to)?;
        Ok(Self::Mapped(Box::new(Map { theirs, ours, held, fresh: HashMap::new() })))
    }

    /// The id in the other graph; `None` when it is not known.
    pub(super) fn other(&self, id: &CommitId) -> Result<Option<CommitId>> {
        let Self::Mapped(map) = self else { return Ok(Some(*id)) };
        if let Some(other) = map.fresh.get(id) {
            return Ok(Some(*other));
        }
        for tree in [&map.ours, &map.theirs] {
            let Some(found) = tree.find(id.as_slice())? else { continue };
            let other = match found.value() {
                ValueRef::Inline(bytes) => CommitId::from_slice(bytes),
                _ => None,
            };
            let other = other.filter(|other| other.as_slice().len() != id.as_slice().len());
            return other.map(Some).ok_or_else(|| damaged(id, "no id of the other graph"));
        }
        Ok(None)
    }

    /// Notes that two commits are the same.
    pub(super) fn learn(&mut self, source: CommitId, destination: CommitId) {
        if let Self::Mapped(map) = self {
            map.fresh.insert(source, destination);
            map.fresh.insert(destination, source);
        }
    }

    /// Checks a pair that is to be relied on.
    ///
    /// # Errors
    /// [`Error::DamagedRef`] when the commits differ.
    pub(super) fn check(&self, source: &Commit, destination: &Commit) -> Result<()> {
        let content = |commit: &Commit| {
            let Commit { root, author, committer, message, parents, .. } = commit.clone();
            (root.hash, author, committer, message, parents.len())
        };
        if matches!(self, Self::Same) || content(source) == content(destination) {
            return Ok(());
        }
        Err(damaged(&source.id, &format!("{}, which is another commit", destination.id)))
    }

    /// The map with what was learnt, its new nodes written to `writer`, and what the ref has to hold; `None` when nothing
    /// was learnt.
    pub(super) fn edited(&self, writer: &dyn NodeWriter) -> Result<Option<(Tree, Expected)>> {
        let Self::Mapped(map) = self else { return Ok(None) };
        if map.fresh.is_empty() {
            return Ok(None);
        }
        let edits: BTreeMap<_, _> =
            map.fresh.iter().map(|(id, other)| (id.as_slice(), other.as_slice().to_vec())).collect();
        let edits = edits.into_iter().map(|(id, other)| (id, Some(Value::Inline(other))));
        let tree = map.ours.apply(writer, &mut SortedEdits::new(edits))?;
        Ok(Some((tree, map.held.map_or(Expected::Absent, Expected::Commit))))
    }

    /// Notes that the map was published.
    pub(super) fn published(&mut self, tree: Tree, id: CommitId) {
        if let Self::Mapped(map) = self {
            map.fresh.clear();
            map.ours = tree;
            map.held = Some(id);
        }
    }
}

fn load_tree(graph: &dyn CommitGraph) -> Result<(Tree, Option<CommitId>)> {
    let held = graph.read_ref(IDS)?;
    let tree = match &held {
        Some(id) => Tree::open(graph.objects(), CATALOG_CONFIG, &read_commit(graph, id)?.root)?,
        None => Tree::empty(graph.objects(), CATALOG_CONFIG)?,
    };
    Ok((tree, held))
}

fn damaged(id: &CommitId, what: &str) -> Error {
    Error::DamagedRef { name: IDS.to_owned(), reason: format!("it says of {id} that it is {what}") }
}
