//! Reading and staging the entries of trees.

use prolly_core::{Tree, blob::PART_BYTES_MAX};

use super::{Store, state::Present};
use crate::{Error, Result, TreeKey, TreeVersion, journal::Op};

/// Entries. Every method names the tree; [`Error::UnknownTree`] when there is none.
impl Store {
    /// Reads the value of a key as it is now, staged changes included. Reads run beside each other and beside a commit.
    ///
    /// # Errors
    /// [`Error::UnknownTree`], or what reading reports.
    pub fn get(&self, tree: &TreeKey, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.with_tree(tree, |present| Ok(present.tree.get(key)?))
    }

    /// Reads the values of several keys, in the order of the keys and as of one moment.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub fn get_many<K: AsRef<[u8]>>(
        &self,
        tree: &TreeKey,
        keys: impl IntoIterator<Item = K> + Clone,
    ) -> Result<Vec<Option<Vec<u8>>>> {
        self.with_tree(tree, |present| {
            keys.clone().into_iter().map(|key| Ok(present.tree.get(key.as_ref())?)).collect()
        })
    }

    /// Whether a key exists now, staged changes included.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub fn contains(&self, tree: &TreeKey, key: &[u8]) -> Result<bool> {
        self.with_tree(tree, |present| Ok(present.tree.contains(key)?))
    }

    /// Stages a value for a key, whether or not it had one. Costs what an ordered map costs; the tree is rewritten when
    /// its contents as a whole are needed.
    ///
    /// # Errors
    /// [`Error::UnknownTree`]; `KeyTooLong` beyond 64 KiB; [`Error::Io`] when the staging journal cannot be written: the
    /// change is staged then, but would not survive a crash.
    pub fn insert(&self, tree: &TreeKey, key: &[u8], value: &[u8]) -> Result<()> {
        if value.len() > PART_BYTES_MAX {
            // A value of several parts shares those that it has in the base.
            return self.insert_reader(tree, key, &mut &*value).map(drop);
        }
        let mut editor = self.core().edit()?;
        self.core().write().present(tree)?.tree.insert(key, value)?;
        editor.push(tree, &Op::Put { key, value })
    }

    /// Stages many values; the last one for a key counts. When an entry is refused, those before it are staged.
    ///
    /// # Errors
    /// As [`Store::insert`].
    pub fn insert_many<K: AsRef<[u8]>, V: AsRef<[u8]>>(
        &self,
        tree: &TreeKey,
        entries: impl IntoIterator<Item = (K, V)>,
    ) -> Result<()> {
        let mut staging = self.stage()?;
        staging.edit(tree, entries.into_iter().map(|(key, value)| (key, Some(value))))?;
        staging.finish()
    }

    /// Stages another value for a key that exists; says whether it does. If not, nothing is staged.
    ///
    /// # Errors
    /// As [`Store::insert`].
    pub fn update(&self, tree: &TreeKey, key: &[u8], value: &[u8]) -> Result<bool> {
        let mut editor = self.core().edit()?;
        let mut state = self.core().write();
        let present = state.present(tree)?;
        if !present.tree.contains(key)? {
            return Ok(false);
        }
        present.tree.insert(key, value)?;
        editor.push(tree, &Op::Put { key, value })?;
        Ok(true)
    }

    /// Stages the removal of a key; says whether it existed.
    ///
    /// # Errors
    /// As [`Store::insert`].
    pub fn delete(&self, tree: &TreeKey, key: &[u8]) -> Result<bool> {
        Ok(self.delete_many(tree, [key])? > 0)
    }

    /// Stages the removal of many keys; says how many of them existed.
    ///
    /// # Errors
    /// As [`Store::insert`].
    pub fn delete_many<K: AsRef<[u8]>>(
        &self,
        tree: &TreeKey,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<u64> {
        let mut editor = self.core().edit()?;
        let mut state = self.core().write();
        let present = state.present(tree)?;
        let mut existed = 0;
        for key in keys {
            if present.tree.delete(key.as_ref())? {
                existed += 1;
                editor.push(tree, &Op::Delete { key: key.as_ref() })?;
            }
        }
        Ok(existed)
    }

    /// The tree as it is now, staged changes included. It does not change with later edits: for ranges, prefixes, ranks
    /// and proofs.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub fn tree(&self, tree: &TreeKey) -> Result<Tree> {
        Ok(self.core().write().present(tree)?.tree.tree()?.clone())
    }

    /// The tree as [`Store::tree`], with what the owner of its kind put beside it.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub fn version(&self, tree: &TreeKey) -> Result<TreeVersion> {
        self.core().write().present(tree)?.version()
    }

    /// Number of entries of a tree now, staged changes included.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub fn len(&self, tree: &TreeKey) -> Result<u64> {
        Ok(self.tree(tree)?.len())
    }
}

impl Store {
    /// Calls `read` with a tree, under the lock that readers share.
    pub(super) fn with_tree<T>(&self, key: &TreeKey, read: impl Fn(&Present) -> Result<T>) -> Result<T> {
        loop {
            if let Some(working) = self.core().read().trees.get(key) {
                return match &working.now {
                    Some(present) => read(present),
                    None => Err(Error::UnknownTree { tree: key.clone() }),
                };
            }
            if self.core().write().open(key)?.is_none() {
                return Err(Error::UnknownTree { tree: key.clone() });
            }
        }
    }
}
