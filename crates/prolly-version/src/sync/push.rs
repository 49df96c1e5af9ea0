//! Pushing: refs of another store are moved to commits of this one.
//!
//! A push to the branch that the other store stands on is what a commit by another process is there: its staged changes
//! stay where they are, and are carried to the new tip, or reported, when they are next committed. Only taking commits
//! away from below them is refused, forced or not.

use super::{
    BATCH_BYTES, OnProgress, SyncReport,
    batch::Arrivals,
    fetch::{Wanted, finish},
    ids::Ids,
    missing,
    transfer::Transfer,
};
use crate::{
    BRANCH_PREFIX, CommitGraph, CommitId, Error, Expected, Head, RefEdit, Result, TAG_PREFIX, check_ref_name,
    is_ancestor,
};

/// Where a store keeps refs for itself.
const OWN_PREFIX: &str = "refs/prolly/";

/// Whether a ref may lose commits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Force {
    /// A branch moves forward only, a tag not at all.
    #[default]
    No,
    /// It moves anywhere, if it holds this commit now (its id there), or does not exist.
    Expecting(Option<CommitId>),
}

/// A ref of the other store, and what it shall hold.
#[derive(Clone, Debug)]
pub struct PushSpec {
    /// A commit of this store; `None` deletes the ref.
    pub source: Option<CommitId>,
    /// Full name of the ref.
    pub name: String,
    /// Whether it may lose commits.
    pub force: Force,
}

/// Copies what `to` lacks of some commits of `from`, and moves refs of `to` to them: all of them or none.
///
/// # Errors
/// [`Error::NonFastForward`] and [`Error::TagExists`] when a ref would lose commits and is not forced,
/// [`Error::RefMoved`] when it does not hold what was expected, or moves meanwhile, [`Error::CheckedOut`] when the other
/// store stands on a branch that would be deleted or lose commits, [`Error::UnknownBranch`] for one to be deleted that is
/// not there; else as [`fetch`](super::fetch). No ref has moved then.
pub fn push(
    from: &dyn CommitGraph,
    to: &dyn CommitGraph,
    specs: &[PushSpec],
    on_progress: OnProgress<'_>,
) -> Result<SyncReport> {
    let ids = Ids::load(from, to)?;
    let head = to.head()?;
    let mut edits: Vec<Wanted> = Vec::with_capacity(specs.len());
    let mut later = Vec::new();
    for spec in specs {
        check_ref_name(&spec.name)?;
        if spec.name.starts_with(OWN_PREFIX) {
            return Err(Error::InvalidRefName { name: spec.name.clone(), reason: "it is the store's own" });
        }
        let held = to.read_ref(&spec.name)?;
        if let Force::Expecting(expected) = spec.force
            && expected != held
        {
            return Err(Error::RefMoved { name: spec.name.clone(), expected, found: held });
        }
        let is_head = head == Head::Branch(spec.name.clone());
        match (spec.source, held) {
            (None, None) => {
                let name = spec.name.strip_prefix(BRANCH_PREFIX).unwrap_or(&spec.name);
                return Err(Error::UnknownBranch { name: name.to_owned() });
            }
            (None, Some(_)) if is_head => {
                return Err(Error::CheckedOut { name: spec.name.clone(), action: "deleted" });
            }
            (Some(source), Some(held)) if is_head || spec.force == Force::No => {
                let check = Forward { spec, source, held, is_head };
                if !check.is_known(from, &ids)? {
                    later.push(check);
                }
            }
            _ => {}
        }
        let expected = held.map_or(Expected::Absent, Expected::Commit);
        let (name, log) = (spec.name.clone(), "push".to_owned());
        edits.push((RefEdit { name, expected, new: None, log }, spec.source));
    }
    let mut wants: Vec<_> = specs.iter().filter_map(|spec| spec.source).collect();
    wants.sort_unstable();
    wants.dedup();
    let missing = missing::find(from, to, &ids, &wants, None)?;
    let digest: Vec<u8> = wants.iter().flat_map(|id| id.as_slice()).copied().collect();
    let arrivals = Arrivals::load(to, &digest, missing.held, BATCH_BYTES)?;
    let mut transfer = Transfer::new(from, to, ids, arrivals, on_progress);
    transfer.copy(&missing.commits, Vec::new())?;
    if !later.is_empty() {
        // What the other store's commits are here shows only now that ours are there.
        if transfer.arrivals.has_commits() {
            transfer.checkpoint()?;
        }
        for check in later {
            let new = transfer.ids.other(&check.source)?.ok_or(Error::MissingCommit { id: check.source })?;
            check.judge(is_ancestor(to, &check.held, &new)?)?;
        }
    }
    finish(transfer, edits, SyncReport::default())
}

/// A ref that may only move forward.
struct Forward<'a> {
    spec: &'a PushSpec,
    source: CommitId,
    held: CommitId,
    is_head: bool,
}

impl Forward<'_> {
    /// Checks the move; `false` when the commit that the ref holds may be known here by an id that nobody noted.
    fn is_known(&self, from: &dyn CommitGraph, ids: &Ids) -> Result<bool> {
        let Some(here) = ids.other(&self.held)? else { return Ok(false) };
        if here == self.source {
            return Ok(true);
        }
        let known = from.read_commit(&here)?.is_some();
        self.judge(known && is_ancestor(from, &here, &self.source)?)?;
        Ok(true)
    }

    fn judge(&self, is_forward: bool) -> Result<()> {
        let name = self.spec.name.clone();
        if self.spec.force == Force::No
            && let Some(tag) = name.strip_prefix(TAG_PREFIX)
        {
            return Err(Error::TagExists { name: tag.to_owned() });
        }
        match self.spec.force {
            _ if is_forward => Ok(()),
            Force::No => Err(Error::NonFastForward { name, found: self.held, new: self.source }),
            Force::Expecting(_) if self.is_head => {
                Err(Error::CheckedOut { name, action: "moved to other commits" })
            }
            Force::Expecting(_) => Ok(()),
        }
    }
}
