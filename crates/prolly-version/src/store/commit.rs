//! Commits, and what happens when somebody else committed first.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    Identity, Store, Timestamp,
    carry::{Carried, carry, write_journal},
    core::{Core, Editor},
    keep::sources,
    state::Staged,
};
use crate::{
    Catalog, CommitDraft, CommitId, Error, Expected, Head, RefEdit, Result, journal::Begin,
    revision::head_commit,
};

impl Store {
    /// Commits what is staged on the branch that the store stands on: durably and all or nothing. Makes a commit even
    /// when nothing is staged.
    ///
    /// When another handle has moved the branch meanwhile, the staged changes are carried to its new tip, provided that
    /// their keys hold the same there as in the commit they are based on, and committed on top of it.
    ///
    /// # Errors
    /// [`Error::BranchMoved`] with the keys that stand in the way of that, everything staged as before;
    /// [`Error::RefMoved`] when the branch was deleted; what writing reports.
    pub fn commit(&self, message: &str) -> Result<CommitId> {
        self.commit_as(message, None)
    }

    /// Commits as [`Store::commit`], with another author than the committer.
    ///
    /// # Errors
    /// As [`Store::commit`]; [`Error::InvalidCommit`] for a name that cannot be recorded.
    pub fn commit_as(&self, message: &str, author: Option<&Identity>) -> Result<CommitId> {
        let core = self.core();
        let mut editor = core.edit()?;
        loop {
            let (catalog, base, nodes) = {
                let mut state = core.write();
                (state.working_catalog()?, state.base, Arc::clone(&state.nodes))
            };
            let draft = core.draft(&catalog, base.into_iter().collect(), message, author)?;
            match core.publish(&*nodes, &draft, "commit") {
                Ok(id) => {
                    core.settle(&mut editor, id, &catalog);
                    return Ok(id);
                }
                Err(Error::RefMoved { name, expected, found: Some(found) }) => {
                    core.follow(&mut editor, found)?.map_err(|keys| Error::BranchMoved {
                        branch: name,
                        expected,
                        found,
                        keys,
                    })?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Moves to the tip of the current branch, if another handle has moved it, carrying staged changes along. Reads show
    /// what this process has seen: its own commits, and those of others up to the last refresh, commit or checkout.
    /// Says whether there was something new.
    ///
    /// # Errors
    /// [`Error::BranchMoved`] when the tip changed keys that are staged here; nothing is changed then.
    pub fn refresh(&self) -> Result<bool> {
        let core = self.core();
        let mut editor = core.edit()?;
        let (head, base) = {
            let state = core.read();
            (state.head.clone(), state.base)
        };
        let tip = head_commit(&*core.graph, &head)?;
        let (Head::Branch(branch), Some(tip)) = (head, tip.filter(|tip| base != Some(*tip))) else {
            return Ok(false);
        };
        match core.follow(&mut editor, tip)? {
            Ok(()) => Ok(true),
            Err(keys) => Err(Error::BranchMoved { branch, expected: base, found: tip, keys }),
        }
    }
}

impl Core {
    /// Puts a commit together: by the store's identity, now but not before its parents.
    pub(super) fn draft(
        &self,
        catalog: &Catalog,
        parents: Vec<CommitId>,
        message: &str,
        author: Option<&Identity>,
    ) -> Result<CommitDraft> {
        self.check_process()?;
        let committer = self.sign(&parents)?;
        let author = match author {
            Some(author) => {
                let (seconds, offset_minutes) = (committer.seconds, committer.offset_minutes);
                author.sign(Timestamp { seconds, offset_minutes })?
            }
            None => committer.clone(),
        };
        let root = Arc::clone(catalog.root());
        Ok(CommitDraft { root, parents, author, committer, message: message.to_owned() })
    }

    /// Writes a commit whose first parent is the base, and moves the branch, or a detached HEAD, to it.
    pub(super) fn publish(
        &self,
        nodes: &dyn crate::PendingObjects,
        draft: &CommitDraft,
        verb: &str,
    ) -> Result<CommitId> {
        let head = self.read().head.clone();
        let subject = draft.message.lines().next().unwrap_or("");
        match head {
            Head::Branch(name) => {
                let expected = draft.parents.first().map_or(Expected::Absent, |base| Expected::Commit(*base));
                let log = format!("{verb}: {subject}");
                self.graph.publish(nodes, draft, Some(&RefEdit { name, expected, new: None, log }))
            }
            Head::Detached(_) => loop {
                let id = self.graph.publish(nodes, draft, None)?;
                match self.graph.set_head(&Head::Detached(id)) {
                    // Nothing named the commit until now: a collection in between has taken it.
                    Err(Error::MissingCommit { id: gone }) if gone == id => {}
                    moved => return moved.map(|()| id),
                }
            },
        }
    }

    /// Stands on a commit that was just made of everything staged.
    pub(super) fn settle(&self, editor: &mut Editor, id: CommitId, catalog: &Catalog) {
        let mut state = self.write();
        state.move_to(Some(id), catalog.with_reader(self.graph.objects()), self.new_nodes());
        if let Head::Detached(at) = &mut state.head {
            *at = id;
        }
        editor.reset(Begin { head: state.head.clone(), base: state.base });
        drop(state);
        self.let_go(editor, &BTreeSet::new());
    }

    /// Drops refs that nothing staged needs any more. What was to be done is done: when a ref cannot be deleted now, the
    /// next move or commit does it, or the collection after this process has ended.
    fn let_go(&self, editor: &mut Editor, needed: &BTreeSet<CommitId>) {
        drop(self.drop_sources(editor, needed));
    }

    /// Moves to another commit of the current branch, carrying staged changes along, or says which keys forbid that.
    pub(super) fn follow(
        &self,
        editor: &mut Editor,
        tip: CommitId,
    ) -> Result<std::result::Result<(), Vec<crate::KeyInTree>>> {
        let (_, catalog) = self.commit_and_catalog(&tip)?;
        let (head, carried) = {
            let mut state = self.write();
            (state.head.clone(), carry(&mut state, &catalog, &self.drivers())?)
        };
        let staged = match carried {
            Carried::All(staged) => staged,
            Carried::Conflicts(keys) => return Ok(Err(keys)),
        };
        self.stand_on(editor, head, Some(tip), catalog, staged)?;
        Ok(Ok(()))
    }

    /// Moves the working state, the journal first: when that fails nothing has changed.
    pub(super) fn stand_on(
        &self,
        editor: &mut Editor,
        head: Head,
        base: Option<CommitId>,
        catalog: Catalog,
        staged: Vec<Staged>,
    ) -> Result<()> {
        self.check_process()?;
        let begin = Begin { head: head.clone(), base };
        let sources = sources(&staged, &self.read().borrowed, base);
        self.add_sources(editor, &sources)?;
        if staged.is_empty() {
            editor.reset(begin);
        } else {
            editor.replace(begin, |journal| write_journal(&staged, journal))?;
        }
        let mut state = self.write();
        state.head = head;
        if staged.is_empty() {
            let nodes = self.new_nodes();
            state.move_to(base, catalog, nodes);
        } else {
            state.move_with(base, catalog, staged);
        }
        drop(state);
        self.let_go(editor, &sources);
        Ok(())
    }
}
