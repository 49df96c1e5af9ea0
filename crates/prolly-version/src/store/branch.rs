//! Branches, tags, and moving between revisions.

use super::{
    Store,
    carry::{Carried, carry},
    core::{Core, Editor},
};
use crate::{
    BRANCH_PREFIX, CommitId, Error, Expected, Head, KeyInTree, REMOTE_PREFIX, RefEdit, Result, TAG_PREFIX,
    branch_ref_name, branch_short_name, resolve, tag_ref_name,
};

/// Branches.
impl Store {
    /// Where the store stands: on a branch or on a commit.
    pub fn head(&self) -> Head {
        self.core().read().head.clone()
    }

    /// The short name of the branch that the store stands on; `None` on a commit.
    pub fn current_branch(&self) -> Option<String> {
        match &self.core().read().head {
            Head::Branch(name) => Some(branch_short_name(name).unwrap_or(name).to_owned()),
            Head::Detached(_) => None,
        }
    }

    /// The short names of all branches and the commits they name, sorted by name.
    ///
    /// # Errors
    /// What reading refs reports.
    pub fn branches(&self) -> Result<Vec<(String, CommitId)>> {
        self.short_refs(BRANCH_PREFIX)
    }

    /// Makes a branch at a revision (`None`: where the store stands) without moving to it.
    ///
    /// # Errors
    /// [`Error::InvalidRefName`], [`Error::BranchExists`], [`Error::RefNameTaken`], or as [`Store::resolve`].
    pub fn branch(&self, name: &str, revision: Option<&str>) -> Result<CommitId> {
        let full_name = branch_ref_name(name)?;
        let id = self.resolve(revision.unwrap_or("HEAD"))?;
        self.core().create_ref(
            &full_name,
            id,
            &format!("branch: Created from {}", revision.unwrap_or("HEAD")),
        )?;
        Ok(id)
    }

    /// Makes a branch at a revision (`None`: where the store stands) and moves to it, carrying staged changes along as
    /// [`Store::checkout`] does. When that cannot be done there is no new branch.
    ///
    /// # Errors
    /// As [`Store::branch`] and [`Store::checkout`].
    pub fn create_branch(&self, name: &str, revision: Option<&str>) -> Result<CommitId> {
        let full_name = branch_ref_name(name)?;
        let core = self.core();
        let mut editor = core.edit()?;
        let from = revision.unwrap_or("HEAD");
        let id = self.resolve(from)?;
        core.create_ref(&full_name, id, &format!("branch: Created from {from}"))?;
        let moved = match core.check_out(&mut editor, Head::Branch(full_name.clone()), id, false) {
            Ok(Ok(())) => return Ok(id),
            Ok(Err(keys)) => Err(Error::StagedConflict { onto: name.to_owned(), keys }),
            Err(error) => Err(error),
        };
        core.delete_ref(full_name, id)?;
        moved
    }

    /// Deletes a branch; returns the commit it named. Commits that nothing else names go with the next
    /// [`Store::collect_garbage`].
    ///
    /// # Errors
    /// [`Error::UnknownBranch`], [`Error::BranchInUse`] for the one that the store stands on, [`Error::RefMoved`].
    pub fn delete_branch(&self, name: &str) -> Result<CommitId> {
        let full_name = branch_ref_name(name)?;
        let _editor = self.core().edit()?;
        if self.head() == Head::Branch(full_name.clone()) {
            return Err(Error::BranchInUse { name: name.to_owned() });
        }
        let id = self.core().graph.read_ref(&full_name)?;
        let id = id.ok_or_else(|| Error::UnknownBranch { name: name.to_owned() })?;
        let head = Head::Branch(full_name.clone());
        self.core().delete_ref(full_name, id)?;
        if self.core().graph.head()? == head {
            // Another process left HEAD there; the next one to open the store has to stand somewhere.
            self.core().graph.set_head(&self.head())?;
        }
        Ok(id)
    }

    /// Renames a branch, also the one that the store stands on.
    ///
    /// # Errors
    /// [`Error::UnknownBranch`], [`Error::BranchExists`], [`Error::InvalidRefName`], [`Error::RefNameTaken`],
    /// [`Error::RefMoved`].
    pub fn rename_branch(&self, from: &str, to: &str) -> Result<()> {
        let (old, new) = (branch_ref_name(from)?, branch_ref_name(to)?);
        let core = self.core();
        let mut editor = core.edit()?;
        let id = core.graph.read_ref(&old)?.ok_or_else(|| Error::UnknownBranch { name: from.to_owned() })?;
        core.check_ref_is_free(&new, Some(&old))?;
        let log = format!("branch: renamed {old} to {new}");
        let edits = [
            RefEdit { name: old.clone(), expected: Expected::Commit(id), new: None, log: log.clone() },
            RefEdit { name: new.clone(), expected: Expected::Absent, new: Some(id), log },
        ];
        core.graph.update_refs(&edits)?;
        let (head, base) = {
            let state = core.read();
            (state.head.clone(), state.base)
        };
        if head != Head::Branch(old) {
            return Ok(());
        }
        let new = Head::Branch(new);
        core.graph.set_head(&new)?;
        core.rename_head(&mut editor, new, base)
    }
}

/// Tags.
impl Store {
    /// The short names of all tags and the commits they name, sorted by name.
    ///
    /// # Errors
    /// What reading refs reports.
    pub fn tags(&self) -> Result<Vec<(String, CommitId)>> {
        self.short_refs(TAG_PREFIX)
    }

    /// Makes a lightweight tag at a revision (`None`: where the store stands).
    ///
    /// # Errors
    /// [`Error::InvalidRefName`], [`Error::TagExists`], [`Error::RefNameTaken`], or as [`Store::resolve`].
    pub fn tag(&self, name: &str, revision: Option<&str>) -> Result<CommitId> {
        let full_name = tag_ref_name(name)?;
        let id = self.resolve(revision.unwrap_or("HEAD"))?;
        self.core().create_ref(&full_name, id, "tag")?;
        Ok(id)
    }

    /// Deletes a tag; returns the commit it named.
    ///
    /// # Errors
    /// [`Error::UnknownTag`], [`Error::RefMoved`].
    pub fn delete_tag(&self, name: &str) -> Result<CommitId> {
        let full_name = tag_ref_name(name)?;
        let id = self.core().graph.read_ref(&full_name)?;
        let id = id.ok_or_else(|| Error::UnknownTag { name: name.to_owned() })?;
        self.core().delete_ref(full_name, id)?;
        Ok(id)
    }

    fn short_refs(&self, prefix: &str) -> Result<Vec<(String, CommitId)>> {
        let refs = self.core().graph.refs(prefix)?.into_iter();
        Ok(refs.map(|(name, id)| (name[prefix.len()..].to_owned(), id)).collect())
    }
}

/// Moving.
impl Store {
    /// Moves to a branch, or to the commit that a tag, an id or another revision names. A name that is no branch here, but
    /// a branch of exactly one remote, makes that branch.
    ///
    /// Staged changes follow Git's rule: they are carried along where their keys hold the same in both revisions, else
    /// the checkout is refused. With `discard` they are dropped. It also notes where the next process opens the store;
    /// it moves no other process.
    ///
    /// # Errors
    /// [`Error::StagedConflict`] with the keys in the way, [`Error::UnknownRevision`] and the others of
    /// [`Store::resolve`]; what reading and writing report. Nothing is changed then.
    pub fn checkout(&self, target: &str, discard: bool) -> Result<()> {
        let core = self.core();
        let mut editor = core.edit()?;
        let (head, id, made) = match self.checkout_target(target) {
            Ok((head, id)) => (head, id, None),
            Err(error @ Error::UnknownRevision { .. }) => {
                let (name, id) = self.branch_of_remote(target)?.ok_or(error)?;
                (Head::Branch(name.clone()), id, Some(name))
            }
            Err(error) => return Err(error),
        };
        let moved = match core.check_out(&mut editor, head, id, discard) {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(keys)) => Err(Error::StagedConflict { onto: target.to_owned(), keys }),
            Err(error) => Err(error),
        };
        if let Some(name) = made {
            core.delete_ref(name, id)?;
        }
        moved
    }

    /// The commit that a revision names, such as `main`, `v1.0`, `HEAD~2`, `main^2`, `1f2e3d4c`.
    ///
    /// # Errors
    /// [`Error::UnknownRevision`], [`Error::AmbiguousRevision`], [`Error::InvalidRevision`], [`Error::UnbornBranch`].
    pub fn resolve(&self, revision: &str) -> Result<CommitId> {
        let (head, base) = {
            let state = self.core().read();
            (state.head.clone(), state.base)
        };
        // HEAD is what this process has seen, not what others have done to the branch since.
        resolve(&*self.core().graph, &base.map_or(head, Head::Detached), revision)
    }

    fn checkout_target(&self, target: &str) -> Result<(Head, CommitId)> {
        let core = self.core();
        if target == "HEAD" || target == "@" {
            let head = self.head();
            let id = crate::revision::head_commit(&*core.graph, &head)?.ok_or_else(|| unborn(&head))?;
            return Ok((head, id));
        }
        let short = target.strip_prefix(BRANCH_PREFIX).unwrap_or(target);
        if let Ok(full_name) = branch_ref_name(short)
            && let Some(id) = core.graph.read_ref(&full_name)?
        {
            return Ok((Head::Branch(full_name), id));
        }
        self.resolve(target).map(|id| (Head::Detached(id), id))
    }

    /// Makes a branch from the one of the same name of the only remote that has it; returns its full ref name.
    fn branch_of_remote(&self, name: &str) -> Result<Option<(String, CommitId)>> {
        let Ok(full_name) = branch_ref_name(name) else { return Ok(None) };
        let mut found = self.core().graph.refs(REMOTE_PREFIX)?;
        found.retain(|(remote, _)| {
            let branch = remote[REMOTE_PREFIX.len()..].split_once('/').map(|(_, branch)| branch);
            branch == Some(name)
        });
        let [(remote, id)] = &found[..] else { return Ok(None) };
        self.core().create_ref(&full_name, *id, &format!("branch: Created from {remote}"))?;
        Ok(Some((full_name, *id)))
    }
}

impl Core {
    /// Moves HEAD and the working state; gives the keys of staged changes that stand in the way.
    pub(super) fn check_out(
        &self,
        editor: &mut Editor,
        head: Head,
        id: CommitId,
        discard: bool,
    ) -> Result<std::result::Result<(), Vec<KeyInTree>>> {
        self.check_process()?;
        let (_, catalog) = self.commit_and_catalog(&id)?;
        let (old, carried) = {
            let mut state = self.write();
            let carried = match discard {
                true => Carried::All(Vec::new()),
                false => carry(&mut state, &catalog, &self.drivers())?,
            };
            (state.head.clone(), carried)
        };
        let staged = match carried {
            Carried::All(staged) => staged,
            Carried::Conflicts(keys) => return Ok(Err(keys)),
        };
        self.graph.set_head(&head)?;
        if let Err(error) = self.stand_on(editor, head, Some(id), catalog, staged) {
            self.graph.set_head(&old)?;
            return Err(error);
        }
        Ok(Ok(()))
    }

    /// Stands on the same commit under another branch name.
    fn rename_head(&self, editor: &mut Editor, head: Head, base: Option<CommitId>) -> Result<()> {
        let (catalog, staged) = {
            let mut state = self.write();
            (state.catalog.clone(), state.staged()?)
        };
        self.stand_on(editor, head, base, catalog, staged)
    }

    fn create_ref(&self, name: &str, id: CommitId, log: &str) -> Result<()> {
        self.check_ref_is_free(name, None)?;
        let (name, log) = (name.to_owned(), log.to_owned());
        self.graph.update_refs(&[RefEdit { name, expected: Expected::Absent, new: Some(id), log }])
    }

    fn delete_ref(&self, name: String, id: CommitId) -> Result<()> {
        let log = "deleted".to_owned();
        self.graph.update_refs(&[RefEdit { name, expected: Expected::Commit(id), new: None, log }])
    }

    /// Refuses a name that is taken, or that would make one ref a directory of another: `leaving` is about to go.
    fn check_ref_is_free(&self, name: &str, leaving: Option<&str>) -> Result<()> {
        let prefix = if name.starts_with(TAG_PREFIX) { TAG_PREFIX } else { BRANCH_PREFIX };
        for (existing, _) in self.graph.refs(prefix)? {
            let short = || existing[prefix.len()..].to_owned();
            let is_below = |inner: &str, outer: &str| {
                inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'))
            };
            if existing == name {
                return Err(match prefix {
                    TAG_PREFIX => Error::TagExists { name: short() },
                    _ => Error::BranchExists { name: short() },
                });
            }
            if Some(existing.as_str()) != leaving && (is_below(&existing, name) || is_below(name, &existing))
            {
                return Err(Error::RefNameTaken { name: name.to_owned(), existing });
            }
        }
        Ok(())
    }
}

fn unborn(head: &Head) -> Error {
    match head {
        Head::Branch(branch) => Error::UnbornBranch { branch: branch.clone() },
        Head::Detached(id) => Error::MissingCommit { id: *id },
    }
}
