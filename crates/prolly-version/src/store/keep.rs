//! Keeps commits from being swept that staged trees share nodes with, beside the history of where the store stands.
//!
//! A tree copied from any commit shares that commit's nodes, and nothing writes them again. While it is staged, a ref
//! `refs/prolly/keep/OWNER/ID` names the commit; the owner is the slot of the journal that says what is staged.
//!
//! **Invariant:** such a ref is made before what needs it is staged, and deleted when nothing staged needs it any more. One
//! that a crash left behind goes with the next collection, unless the journal of its slot waits to be taken over.

use std::collections::BTreeSet;

use super::{
    core::{Core, Editor, KEEP_PREFIX},
    state::Staged,
};
use crate::{CommitId, Expected, RefEdit, Result, journal::is_abandoned};

/// The commits that what is staged shares objects with, other than the one that the store stands on: staged trees their
/// nodes, and staged blobs, which are `borrowed` from.
pub(super) fn sources(
    staged: &[Staged],
    borrowed: &BTreeSet<CommitId>,
    base: Option<CommitId>,
) -> BTreeSet<CommitId> {
    if staged.is_empty() {
        return BTreeSet::new();
    }
    let starts = staged.iter().filter_map(|staged| staged.start.as_ref());
    let started = starts.filter_map(|start| start.source.as_ref()).map(|(id, _)| id);
    started.chain(borrowed).copied().filter(|id| Some(*id) != base).collect()
}

impl Core {
    /// Keeps exactly these commits.
    pub(super) fn keep_sources(&self, editor: &mut Editor, needed: &BTreeSet<CommitId>) -> Result<()> {
        self.add_sources(editor, needed)?;
        self.drop_sources(editor, needed)
    }

    /// Keeps these commits beside those that are kept already.
    pub(super) fn add_sources(&self, editor: &mut Editor, needed: &BTreeSet<CommitId>) -> Result<()> {
        let new: Vec<_> = needed.difference(editor.kept()).copied().collect();
        if new.is_empty() {
            return Ok(());
        }
        let owner = self.owner(editor)?;
        let mut edits = Vec::with_capacity(new.len());
        for id in &new {
            let name = format!("{KEEP_PREFIX}{owner}/{id}");
            // A crash may have left one.
            if self.graph.read_ref(&name)?.is_none() {
                let log = "keep what is staged".to_owned();
                edits.push(RefEdit { name, expected: Expected::Absent, new: Some(*id), log });
            }
        }
        self.graph.update_refs(&edits)?;
        editor.kept_mut().extend(new);
        Ok(())
    }

    /// Lets go of all commits but these.
    pub(super) fn drop_sources(&self, editor: &mut Editor, needed: &BTreeSet<CommitId>) -> Result<()> {
        let old: Vec<_> = editor.kept().difference(needed).copied().collect();
        if old.is_empty() {
            return Ok(());
        }
        let owner = self.owner(editor)?;
        self.delete_keeping_refs(old.iter().map(|id| (format!("{KEEP_PREFIX}{owner}/{id}"), *id)))?;
        editor.kept_mut().retain(|id| needed.contains(id));
        Ok(())
    }

    /// Goes on with what the owner of a journal kept that was taken over.
    pub(super) fn take_over_sources(&self, editor: &mut Editor) -> Result<()> {
        let prefix = format!("{KEEP_PREFIX}{}/", self.owner(editor)?);
        let found = self.graph.refs(&prefix)?.into_iter().map(|(_, id)| id);
        editor.kept_mut().extend(found);
        let needed = {
            let mut state = self.write();
            let staged = state.staged()?;
            sources(&staged, &state.borrowed, state.base)
        };
        self.keep_sources(editor, &needed)
    }

    /// Deletes the refs of owners that are gone, and so is what they had staged.
    pub(super) fn drop_abandoned_sources(&self, editor: &Editor) -> Result<()> {
        let Some(dir) = editor.dir() else { return Ok(()) };
        let mut abandoned = Vec::new();
        for (name, id) in self.graph.refs(KEEP_PREFIX)? {
            if let Some((owner, _)) = name[KEEP_PREFIX.len()..].split_once('/')
                && Some(owner) != editor.slot_name()
                && is_abandoned(dir, owner)?
            {
                abandoned.push((name, id));
            }
        }
        self.delete_keeping_refs(abandoned)
    }

    fn delete_keeping_refs(&self, refs: impl IntoIterator<Item = (String, CommitId)>) -> Result<()> {
        let edit = |(name, id)| RefEdit {
            name,
            expected: Expected::Commit(id),
            new: None,
            log: "nothing staged needs it".to_owned(),
        };
        let edits: Vec<_> = refs.into_iter().map(edit).collect();
        if edits.is_empty() { Ok(()) } else { self.graph.update_refs(&edits) }
    }

    /// Who keeps commits: the slot of the journal, or this very working state where there is none.
    fn owner(&self, editor: &mut Editor) -> Result<String> {
        editor.journal()?;
        let unnamed = || format!("{}-{:p}", self.process, std::ptr::from_ref(self));
        Ok(editor.slot_name().map_or_else(unnamed, str::to_owned))
    }
}
