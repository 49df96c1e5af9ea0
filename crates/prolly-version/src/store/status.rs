//! What is staged.

use super::{Store, compare::Differences, state::Staged};
use crate::{Result, TreeKey};

/// What happened to a key or to a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It holds something else.
    Modified,
    /// It is gone.
    Deleted,
}

impl ChangeKind {
    /// From what there was and what there is; of nothing, nothing can have changed.
    pub(crate) fn between(was: bool, is: bool) -> Self {
        match (was, is) {
            (false, _) => Self::Added,
            (true, false) => Self::Deleted,
            (true, true) => Self::Modified,
        }
    }
}

/// A change that is staged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StagedChange {
    /// The tree.
    pub tree: TreeKey,
    /// The key.
    pub key: Vec<u8>,
    /// What happened to it since the commit that the store stands on.
    pub kind: ChangeKind,
}

/// The staged changes, tree by tree and in the order of the keys, as of the moment of the call: an iterator of
/// `Result<StagedChange>` that compares as it goes. After an error it ends.
pub struct Status {
    trees: std::vec::IntoIter<Staged>,
    current: Option<(TreeKey, Differences)>,
}

impl Store {
    /// The staged changes of every tree, compared with the commit that the store stands on. Costs O(changes).
    ///
    /// # Errors
    /// What flushing reports.
    pub fn status(&self) -> Result<Status> {
        let staged = self.core().write().staged()?;
        Ok(Status::of(staged))
    }

    /// The staged changes of one tree.
    ///
    /// # Errors
    /// As [`Store::status`].
    pub fn status_of(&self, tree: &TreeKey) -> Result<Status> {
        let mut status = self.status()?;
        let trees: Vec<_> = status.trees.filter(|staged| staged.key == *tree).collect();
        status.trees = trees.into_iter();
        Ok(status)
    }

    /// The trees that are staged as new, changed or dropped.
    ///
    /// # Errors
    /// As [`Store::status`].
    pub fn staged_trees(&self) -> Result<Vec<(TreeKey, ChangeKind)>> {
        let staged = self.core().write().staged()?;
        Ok(staged.into_iter().map(|staged| (staged.key.clone(), staged.kind())).collect())
    }

    /// Whether anything is staged.
    ///
    /// # Errors
    /// As [`Store::status`].
    pub fn has_staged_changes(&self) -> Result<bool> {
        Ok(!self.staged_trees()?.is_empty())
    }

    /// Drops everything that is staged; returns how many keys were. Nothing that another thread stages meanwhile is
    /// dropped uncounted. Costs O(changes).
    ///
    /// # Errors
    /// What reading reports; everything is staged as before then.
    pub fn discard(&self) -> Result<u64> {
        let core = self.core();
        let mut editor = core.edit()?;
        let (head, base, catalog, staged) = {
            let mut state = core.write();
            let staged = state.staged()?;
            (state.head.clone(), state.base, state.catalog.clone(), staged)
        };
        let count = Status::of(staged).try_fold(0, |count, change| change.map(|_| count + 1))?;
        core.stand_on(&mut editor, head, base, catalog, Vec::new())?;
        Ok(count)
    }

    /// Drops what is staged for some keys of a tree: they hold what the commit has that the store stands on.
    ///
    /// # Errors
    /// [`Error::UnknownTree`](crate::Error::UnknownTree) when neither the commit nor the staging has the tree; as [`Store::insert`].
    pub fn discard_keys<K: AsRef<[u8]>>(
        &self,
        tree: &TreeKey,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<()> {
        let committed = self.core().read().catalog.tree(tree)?;
        for key in keys {
            let key = key.as_ref();
            match committed.as_ref().map(|committed| committed.get(key)).transpose()?.flatten() {
                Some(value) => self.insert(tree, key, &value)?,
                None => {
                    self.delete(tree, key)?;
                }
            }
        }
        Ok(())
    }
}

impl Staged {
    pub(super) fn kind(&self) -> ChangeKind {
        ChangeKind::between(self.base.is_some(), self.now.is_some())
    }
}

impl Status {
    fn of(staged: Vec<Staged>) -> Self {
        Self { trees: staged.into_iter(), current: None }
    }

    fn advance(&mut self) -> Result<Option<StagedChange>> {
        loop {
            if let Some((tree, diff)) = &mut self.current
                && let Some(change) = diff.next_difference()?
            {
                let kind = ChangeKind::between(change.left.is_some(), change.right.is_some());
                return Ok(Some(StagedChange { tree: tree.clone(), key: change.key.to_vec(), kind }));
            }
            let Some(staged) = self.trees.next() else {
                self.current = None;
                return Ok(None);
            };
            let diff = Differences::new::<&[u8]>(staged.base.as_ref(), staged.version(), &..)?;
            self.current = diff.map(|diff| (staged.key, diff));
        }
    }
}

impl Iterator for Status {
    type Item = Result<StagedChange>;

    fn next(&mut self) -> Option<Self::Item> {
        let change = self.advance().transpose();
        if matches!(change, Some(Err(_))) {
            *self = Self { trees: Vec::new().into_iter(), current: None };
        }
        change
    }
}
