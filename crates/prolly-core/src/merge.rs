//! Three-way merge: the only one there is. Every kind of tree merges by calling it.
//!
//! The side with fewer changes is applied to the other, whose subtrees are taken whole, so the cost follows the smaller
//! of the two sets of changes.
//!
//! | base | ours | theirs | result |
//! |---|---|---|---|
//! | any | = base | any | theirs |
//! | any | any | = base | ours |
//! | any | x | x | x: both sides agree |
//! | – | x | y | conflict: added differently |
//! | b | x | y | conflict: changed differently |
//! | b | x | – | conflict: changed here, deleted there |
//! | b | – | y | conflict: deleted here, changed there |
//!
//! **Invariant:** merging is symmetric: exchanging ours and theirs exchanges them in every conflict and changes nothing else.

use crate::{
    Locator, NodeReader, NodeWriter, Result, Tree, Value,
    diff::Diff,
    edit::{EditRef, EditSource},
    tree::{Found, read_value},
};

/// A key that both sides changed, differently.
#[derive(Clone, Debug)]
pub struct Conflict {
    /// The key.
    pub key: Vec<u8>,
    /// Its entry in the base, `None` where it was absent.
    pub base: Option<Found>,
    /// Its entry on our side, the destination.
    pub ours: Option<Found>,
    /// Its entry on their side, the source.
    pub theirs: Option<Found>,
}

impl Conflict {
    /// Reads the bytes of one of the entries of the conflict, a blob's included.
    ///
    /// # Errors
    /// [`Error::NotAValue`](crate::Error::NotAValue) when it links to a tree; what reading reports.
    pub fn read(&self, reader: &dyn NodeReader, entry: &Option<Found>) -> Result<Option<Vec<u8>>> {
        let read = |found: &Found| read_value(reader, &self.key, found.value(), found.link());
        entry.as_ref().map(read).transpose()
    }
}

/// How a conflict is to be settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// As on our side.
    Ours,
    /// As on their side.
    Theirs,
    /// With this value, or with none.
    Value(Option<Value>),
    /// Not at all: the merge fails, with this conflict among the reasons.
    Unresolved,
}

/// What a merge came to.
#[derive(Clone, Debug)]
pub enum Merged {
    /// Everything was merged.
    Clean(Tree),
    /// These conflicts were left unresolved: all there are, in ascending order of their keys.
    Conflicts(Vec<Conflict>),
}

/// Decides about conflicts.
pub type Resolver<'a> = dyn FnMut(&Conflict) -> Result<Resolution> + 'a;

/// Leaves every conflict unresolved.
///
/// # Errors
/// None.
pub fn refuse(_conflict: &Conflict) -> Result<Resolution> {
    Ok(Resolution::Unresolved)
}

/// Merges two trees that were both made from `base`.
///
/// New nodes go to `writer`, from which the trees' readers must be able to read them back; when conflicts are left, what
/// was written is of no use. O(m log n) for m changes on the side that has fewer.
///
/// # Errors
/// [`Error::ConfigMismatch`](crate::Error::ConfigMismatch); what reading, writing and the resolver report.
pub fn merge(
    base: &Tree,
    ours: &Tree,
    theirs: &Tree,
    writer: &dyn NodeWriter,
    resolver: &mut Resolver<'_>,
) -> Result<Merged> {
    base.config().expect_same(ours.config())?;
    base.config().expect_same(theirs.config())?;
    if theirs.root_hash() == base.root_hash() || theirs.root_hash() == ours.root_hash() {
        return Ok(Merged::Clean(ours.clone()));
    }
    if ours.root_hash() == base.root_hash() {
        return Ok(Merged::Clean(theirs.clone().with_reader(ours.reader().clone())));
    }
    let ours_is_smaller = has_fewer_changes(base.diff(ours)?, base.diff(theirs)?)?;
    let (fewer, more) = if ours_is_smaller { (ours, theirs) } else { (theirs, ours) };
    let mut edits = MergeEdits {
        changes: base.diff(fewer)?,
        more,
        ours_is_smaller,
        resolver,
        conflicts: Vec::new(),
        key: Vec::new(),
        outcome: Outcome::Remove,
    };
    let merged = more.apply(writer, &mut edits)?;
    if edits.conflicts.is_empty() {
        return Ok(Merged::Clean(merged.with_reader(ours.reader().clone())));
    }
    Ok(Merged::Conflicts(edits.conflicts))
}

/// Whether `a` ends before `b`: both are followed in step, so the cost is that of the shorter one.
fn has_fewer_changes(mut a: Diff, mut b: Diff) -> Result<bool> {
    loop {
        if b.next_difference()?.is_none() {
            return Ok(false);
        }
        if a.next_difference()?.is_none() {
            return Ok(true);
        }
    }
}

/// The changes of the side with fewer, as edits of the other.
struct MergeEdits<'a, 'r> {
    changes: Diff,
    more: &'a Tree,
    ours_is_smaller: bool,
    resolver: &'a mut Resolver<'r>,
    conflicts: Vec<Conflict>,
    key: Vec<u8>,
    outcome: Outcome,
}

/// What an edit does; it owns what [`EditRef`] borrows.
enum Outcome {
    Remove,
    Entry(Found),
    Value(Value),
}

impl EditSource for MergeEdits<'_, '_> {
    fn next_edit(&mut self) -> Result<Option<EditRef<'_>>> {
        while let Some(change) = self.changes.next_difference()? {
            let (base, fewer) = (change.left, change.right);
            let more = self.more.find(change.key)?;
            if same(&more, &fewer) {
                continue;
            }
            self.outcome = if same(&more, &base) {
                fewer.map_or(Outcome::Remove, Outcome::Entry)
            } else {
                let (ours, theirs) = if self.ours_is_smaller { (fewer, more) } else { (more, fewer) };
                let conflict = Conflict { key: change.key.to_vec(), base, ours, theirs };
                match settle(&mut *self.resolver, self.ours_is_smaller, conflict)? {
                    Settled::As(outcome) => outcome,
                    Settled::AsIs => continue,
                    Settled::Not(conflict) => {
                        self.conflicts.push(*conflict);
                        continue;
                    }
                }
            };
            self.key.clear();
            self.key.extend_from_slice(change.key);
            return Ok(Some(self.edit()));
        }
        Ok(None)
    }
}

impl MergeEdits<'_, '_> {
    fn edit(&self) -> EditRef<'_> {
        let (value, locator) = match &self.outcome {
            Outcome::Remove => (None, Locator::NONE),
            Outcome::Entry(found) => {
                (Some(found.value()), found.link().map_or(Locator::NONE, |link| link.locator))
            }
            Outcome::Value(value) => (Some(value.as_ref()), Locator::NONE),
        };
        EditRef { key: &self.key, value, locator }
    }
}

enum Settled {
    /// The side with more changes gets this.
    As(Outcome),
    /// The side with more changes is right as it is.
    AsIs,
    Not(Box<Conflict>),
}

fn settle(resolver: &mut Resolver<'_>, ours_is_smaller: bool, conflict: Conflict) -> Result<Settled> {
    let resolution = resolver(&conflict)?;
    let take = |entry: Option<Found>| Settled::As(entry.map_or(Outcome::Remove, Outcome::Entry));
    Ok(match resolution {
        Resolution::Ours if ours_is_smaller => take(conflict.ours),
        Resolution::Theirs if !ours_is_smaller => take(conflict.theirs),
        Resolution::Ours | Resolution::Theirs => Settled::AsIs,
        Resolution::Value(None) => Settled::As(Outcome::Remove),
        Resolution::Value(Some(value)) => Settled::As(Outcome::Value(value)),
        Resolution::Unresolved => Settled::Not(Box::new(conflict)),
    })
}

fn same(a: &Option<Found>, b: &Option<Found>) -> bool {
    a.as_ref().map(Found::tagged) == b.as_ref().map(Found::tagged)
}
