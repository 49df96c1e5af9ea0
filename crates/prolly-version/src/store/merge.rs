//! Merging another revision into the branch that the store stands on, undoing a commit, and moving the branch.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    Identity, Store,
    carry::{Carried, carry, restage},
    core::{Core, Editor},
    state::Staged,
};
use crate::{
    BRANCH_PREFIX, Catalog, CommitId, Error, Expected, Head, MergeConflict, MergeDriver, MergeFinisher,
    MergeStrategy, RefEdit, Result, TreeKind, branch_ref_name, is_ancestor,
    merge::{BaseCatalog, MergedCatalog, merge_base_catalog, merge_catalogs},
    revision::read_commit,
};

/// How a merge is made.
pub struct MergeOptions<'a> {
    /// What settles conflicts.
    pub strategy: MergeStrategy<'a>,
    /// The message of the commit; `None` for the one that Git would write.
    pub message: Option<&'a str>,
    /// The author of the commit; `None` for the store's identity.
    pub author: Option<&'a Identity>,
    /// Whether revisions without common history may be merged: as if both had started from an empty store.
    pub allow_unrelated: bool,
}

impl Default for MergeOptions<'_> {
    fn default() -> Self {
        Self { strategy: MergeStrategy::Refuse, message: None, author: None, allow_unrelated: false }
    }
}

/// Whether a reset keeps what the store holds now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetMode {
    /// The trees stay as they are; what differs from the new commit is staged.
    Soft,
    /// The trees are as in the new commit; what was staged is dropped.
    Hard,
}

/// Merging.
impl Store {
    /// Merges a revision into the branch that the store stands on, in a commit with two parents: also where the branch
    /// could simply be moved forward. A revision that is merged already makes no commit; the current one is returned.
    ///
    /// Staged changes are carried to the merge commit, if the merge leaves their keys alone.
    ///
    /// # Errors
    /// [`Error::MergeIntoItself`]; [`Error::MergeConflicts`] with all conflicts that the strategy leaves,
    /// [`Error::StagedConflict`] with the staged keys that the merge changes, [`Error::UnrelatedHistories`], [`Error::NoMergeDriver`], [`Error::CannotMerge`],
    /// those of [`Store::resolve`] and [`Store::commit`]. Nothing is changed then.
    pub fn merge(&self, source: &str, mut options: MergeOptions<'_>) -> Result<CommitId> {
        let core = self.core();
        let mut editor = core.edit()?;
        let _merging = core.merging();
        let theirs = self.merge_source(source)?;
        let message = match options.message {
            Some(message) => message.to_owned(),
            None => self.merge_message(source)?,
        };
        loop {
            let ours = self.resolve("HEAD")?;
            if is_ancestor(&*core.graph, &theirs, &ours)? {
                return Ok(ours);
            }
            let merge = core.merge_commits(&ours, &theirs, options.allow_unrelated, &mut options.strategy)?;
            let draft = core.draft(&merge.catalog, vec![ours, theirs], &message, options.author)?;
            if let Some(id) = core.publish_onto(&mut editor, draft, merge.catalog, "merge", source)? {
                return Ok(id);
            }
        }
    }

    /// Finds out whether a revision merges without conflicts into where the store stands: the conflicts that there would
    /// be, none for a clean merge. Changes nothing, and leaves staged changes out of account.
    ///
    /// # Errors
    /// As [`Store::merge`], but for the conflicts.
    pub fn try_merge(&self, source: &str) -> Result<Vec<MergeConflict>> {
        let core = self.core();
        let (ours, theirs) = (self.resolve("HEAD")?, self.merge_source(source)?);
        if is_ancestor(&*core.graph, &theirs, &ours)? {
            return Ok(Vec::new());
        }
        match core.merge_commits(&ours, &theirs, false, &mut MergeStrategy::Refuse) {
            Ok(_) => Ok(Vec::new()),
            Err(Error::MergeConflicts { conflicts }) => Ok(conflicts),
            Err(error) => Err(error),
        }
    }

    /// The commit to merge. Another branch or tag on the current commit is merged already; any other name of that commit,
    /// and the current branch, mean itself.
    fn merge_source(&self, source: &str) -> Result<CommitId> {
        let theirs = self.resolve(source)?;
        let named = crate::revision::find_ref(&**self.graph(), source)?;
        let is_itself = match (named, self.head()) {
            (Some(name), Head::Branch(branch)) => name == branch,
            (Some(_), Head::Detached(_)) => false,
            (None, _) => self.current_commit() == Some(theirs),
        };
        if is_itself {
            return Err(Error::MergeIntoItself { revision: source.to_owned() });
        }
        Ok(theirs)
    }

    /// Says who merges the trees of a kind, for this process and directory.
    pub fn set_merge_driver(&self, kind: TreeKind, driver: Arc<dyn MergeDriver>) {
        self.core().change_drivers(|drivers| drivers.set_driver(kind, driver));
    }

    /// Says that the trees of some kinds follow from others, and who makes them after a merge.
    pub fn set_merge_finisher(
        &self,
        name: &'static str,
        derived: &[TreeKind],
        finisher: Arc<dyn MergeFinisher>,
    ) {
        self.core().change_drivers(|drivers| {
            derived.iter().for_each(|kind| drivers.set_derived(*kind));
            drivers.set_finisher(name, finisher);
        });
    }

    /// Undoes what a commit changed, in a new commit, by merging its parent with the commit as the base. For a merge,
    /// `mainline` says which parent (from 1) to go back to. Without a message it has Git's. Staged changes are carried as
    /// in [`Store::merge`].
    ///
    /// # Errors
    /// As [`Store::merge`]; [`Error::InvalidRevision`] for a commit without parents, or without the one asked for;
    /// [`Error::MainlineNeeded`] for a merge without `mainline`.
    pub fn revert(
        &self,
        revision: &str,
        mainline: Option<usize>,
        message: Option<&str>,
        mut strategy: MergeStrategy<'_>,
    ) -> Result<CommitId> {
        let core = self.core();
        let mut editor = core.edit()?;
        let _merging = core.merging();
        let commit = read_commit(&*core.graph, &self.resolve(revision)?)?;
        let refuse = |reason: String| Error::InvalidRevision { revision: revision.to_owned(), reason };
        let parent = match (&commit.parents[..], mainline) {
            ([], _) => return Err(refuse("it has no parent to go back to".to_owned())),
            ([parent], None | Some(1)) => *parent,
            (parents, None) => {
                return Err(Error::MainlineNeeded { revision: revision.to_owned(), parents: parents.len() });
            }
            (parents, Some(number)) => *number
                .checked_sub(1)
                .and_then(|index| parents.get(index))
                .ok_or_else(|| refuse(format!("it has {} parents, not {number}", parents.len())))?,
        };
        let subject = commit.message.lines().next().unwrap_or("");
        let message = match message {
            Some(message) => message.to_owned(),
            None => format!("Revert \"{subject}\"\n\nThis reverts commit {}.\n", commit.id),
        };
        let (base, theirs) = (core.catalog_of(Some(&commit.id))?, core.catalog_of(Some(&parent))?);
        loop {
            let ours = self.resolve("HEAD")?;
            // What it or its parent has may be reachable from nothing else when the branch it is on goes meanwhile.
            if !is_ancestor(&*core.graph, &commit.id, &ours)? {
                core.add_sources(&mut editor, &BTreeSet::from([commit.id]))?;
            }
            let merge = core.merge_with_base(&base, &ours, &theirs, &mut strategy)?;
            let draft = core.draft(&merge.catalog, vec![ours], &message, None)?;
            if let Some(id) = core.publish_onto(&mut editor, draft, merge.catalog, "revert", revision)? {
                return Ok(id);
            }
        }
    }

    /// Moves the branch that the store stands on (or the detached HEAD) to another commit.
    ///
    /// # Errors
    /// Those of [`Store::resolve`]; [`Error::RefMoved`] when another handle has moved the branch.
    pub fn reset(&self, revision: &str, mode: ResetMode) -> Result<CommitId> {
        let core = self.core();
        let mut editor = core.edit()?;
        core.check_process()?;
        let to = self.resolve(revision)?;
        let (_, catalog) = core.commit_and_catalog(&to)?;
        let (head, base, staged) = {
            let mut state = core.write();
            let staged = match mode {
                ResetMode::Hard => Vec::new(),
                ResetMode::Soft => restage(&mut state, &catalog)?,
            };
            (state.head.clone(), state.base, staged)
        };
        let log = format!("reset: moving to {revision}");
        let (head, undo) = match head {
            Head::Branch(name) => {
                let expected = base.map_or(Expected::Absent, Expected::Commit);
                let edit = RefEdit { name, expected, new: Some(to), log };
                core.graph.update_refs(std::slice::from_ref(&edit))?;
                let undo = RefEdit { expected: Expected::Commit(to), new: base, ..edit.clone() };
                (Head::Branch(edit.name), Some(undo))
            }
            Head::Detached(_) => {
                core.graph.set_head(&Head::Detached(to))?;
                (Head::Detached(to), None)
            }
        };
        if let Err(error) = core.stand_on(&mut editor, head, Some(to), catalog, staged) {
            match (undo, base) {
                (Some(undo), _) => core.graph.update_refs(&[undo])?,
                (None, Some(base)) => core.graph.set_head(&Head::Detached(base))?,
                (None, None) => {}
            }
            return Err(error);
        }
        Ok(to)
    }

    fn merge_message(&self, source: &str) -> Result<String> {
        let short = source.strip_prefix(BRANCH_PREFIX).unwrap_or(source);
        let is_branch = match branch_ref_name(short) {
            Ok(name) => self.core().graph.read_ref(&name)?.is_some(),
            Err(_) => false,
        };
        let what = if is_branch { format!("branch '{short}'") } else { format!("commit '{source}'") };
        Ok(match self.current_branch() {
            Some(branch) if branch != "main" && branch != "master" => format!("Merge {what} into {branch}"),
            _ => format!("Merge {what}"),
        })
    }
}

impl Core {
    /// Merges two commits.
    fn merge_commits(
        &self,
        ours: &CommitId,
        theirs: &CommitId,
        allow_unrelated: bool,
        strategy: &mut MergeStrategy<'_>,
    ) -> Result<MergedCatalog> {
        let (drivers, nodes) = (self.drivers(), Arc::clone(&self.read().nodes));
        let base = match merge_base_catalog(&*self.graph, ours, theirs, &drivers, &nodes)? {
            Some(base) => base,
            None if allow_unrelated => BaseCatalog::Commit(Catalog::empty(self.graph.objects())?),
            None => return Err(Error::UnrelatedHistories { ours: *ours, theirs: *theirs }),
        };
        let theirs = self.catalog_of(Some(theirs))?;
        self.merge_with_base(base.catalog(), ours, &theirs, strategy)
    }

    fn merge_with_base(
        &self,
        base: &Catalog,
        ours: &CommitId,
        theirs: &Catalog,
        strategy: &mut MergeStrategy<'_>,
    ) -> Result<MergedCatalog> {
        let (drivers, nodes) = (self.drivers(), Arc::clone(&self.read().nodes));
        merge_catalogs(base, &self.catalog_of(Some(ours))?, theirs, &drivers, &nodes, strategy)
    }

    /// Publishes a commit on top of the base and moves there with what is staged. `None` when another handle moved the
    /// branch: the working state is at its tip then.
    fn publish_onto(
        &self,
        editor: &mut Editor,
        draft: crate::CommitDraft,
        catalog: Catalog,
        verb: &str,
        source: &str,
    ) -> Result<Option<CommitId>> {
        let (head, nodes, carried) = {
            let mut state = self.write();
            let carried = carry(&mut state, &catalog, &self.drivers())?;
            (state.head.clone(), Arc::clone(&state.nodes), carried)
        };
        let staged: Vec<Staged> = match carried {
            Carried::All(staged) => staged,
            Carried::Conflicts(keys) => return Err(Error::StagedConflict { onto: source.to_owned(), keys }),
        };
        match self.publish(&*nodes, &draft, verb) {
            Ok(id) => {
                let head = match head {
                    Head::Detached(_) => Head::Detached(id),
                    branch => branch,
                };
                let catalog = catalog.with_reader(self.graph.objects());
                self.stand_on(editor, head, Some(id), catalog, staged)?;
                Ok(Some(id))
            }
            Err(Error::RefMoved { name, expected, found: Some(found) }) => {
                match self.follow(editor, found)? {
                    Ok(()) => Ok(None),
                    Err(keys) => Err(Error::BranchMoved { branch: name, expected, found, keys }),
                }
            }
            Err(error) => Err(error),
        }
    }
}
