//! Reading and staging the entries of namespaces.
//!
//! A namespace comes to be with its first entry. Reading one that does not exist finds nothing.

use std::ops::RangeBounds;

use prolly_core::{Range, Tree};
use prolly_version::{Error as VersionError, TreeKey};

use crate::{DEFAULT, NamespacedStore, Result, name::tree_of};

/// The value for a namespace that does not exist.
fn or_absent<T>(result: prolly_version::Result<T>, absent: impl FnOnce() -> T) -> Result<T> {
    match result {
        Err(VersionError::UnknownTree { .. }) => Ok(absent()),
        result => Ok(result?),
    }
}

impl NamespacedStore {
    /// Reads the value of a key as it is now, staged changes included; `None` when there is no such key or namespace.
    ///
    /// # Errors
    /// [`Error::InvalidName`](crate::Error::InvalidName), or what reading reports.
    pub fn get(&self, namespace: &str, key: &[u8]) -> Result<Option<Vec<u8>>> {
        or_absent(self.versions().get(&tree_of(namespace)?, key), || None)
    }

    /// Reads the values of several keys, in the order of the keys and as of one moment.
    ///
    /// # Errors
    /// As [`NamespacedStore::get`].
    pub fn get_many<K: AsRef<[u8]>>(&self, namespace: &str, keys: &[K]) -> Result<Vec<Option<Vec<u8>>>> {
        or_absent(self.versions().get_many(&tree_of(namespace)?, keys), || vec![None; keys.len()])
    }

    /// Whether a key exists now, staged changes included.
    ///
    /// # Errors
    /// As [`NamespacedStore::get`].
    pub fn contains(&self, namespace: &str, key: &[u8]) -> Result<bool> {
        or_absent(self.versions().contains(&tree_of(namespace)?, key), || false)
    }

    /// Number of entries now, staged changes included; 0 for a namespace that does not exist.
    ///
    /// # Errors
    /// As [`NamespacedStore::get`].
    pub fn len(&self, namespace: &str) -> Result<u64> {
        or_absent(self.versions().len(&tree_of(namespace)?), || 0)
    }

    /// Whether a namespace has no entries, or does not exist.
    ///
    /// # Errors
    /// As [`NamespacedStore::get`].
    pub fn is_empty(&self, namespace: &str) -> Result<bool> {
        Ok(self.len(namespace)? == 0)
    }

    /// The tree of a namespace as it is now, for ranges, ranks, pages and proofs. It does not change with later edits. A
    /// namespace that does not exist has an empty one.
    ///
    /// # Errors
    /// As [`NamespacedStore::get`].
    pub fn tree(&self, namespace: &str) -> Result<Tree> {
        match self.versions().tree(&tree_of(namespace)?) {
            Err(VersionError::UnknownTree { .. }) => {
                let config = or_absent(self.versions().config(&TreeKey::default_map()), Default::default)?;
                Ok(Tree::empty(self.versions().graph().objects(), config)?)
            }
            tree => Ok(tree?),
        }
    }

    /// The entries of a range of keys as they are now, in ascending order.
    ///
    /// # Errors
    /// As [`NamespacedStore::get`].
    pub fn range<K: AsRef<[u8]>>(&self, namespace: &str, bounds: impl RangeBounds<K>) -> Result<Range> {
        Ok(self.tree(namespace)?.range(bounds)?)
    }

    /// The entries whose keys begin with `prefix` as they are now, in ascending order.
    ///
    /// # Errors
    /// As [`NamespacedStore::get`].
    pub fn prefix(&self, namespace: &str, prefix: &[u8]) -> Result<Range> {
        Ok(self.tree(namespace)?.prefix(prefix)?)
    }

    /// The keys as they are now, in ascending order: an iterator of `Result<Vec<u8>>`.
    ///
    /// # Errors
    /// As [`NamespacedStore::get`].
    pub fn keys(&self, namespace: &str) -> Result<Keys> {
        Ok(Keys::new(self.range::<&[u8]>(namespace, ..)?))
    }

    /// Stages a value for a key, whether or not it had one, making the namespace if need be.
    ///
    /// # Errors
    /// [`Error::InvalidName`](crate::Error::InvalidName); as [`Store::insert`](prolly_version::Store::insert).
    pub fn insert(&self, namespace: &str, key: &[u8], value: &[u8]) -> Result<()> {
        self.making(namespace, |tree| self.versions().insert(tree, key, value))
    }

    /// Stages many values; the last one for a key counts. When an entry is refused, those before it are staged.
    ///
    /// # Errors
    /// As [`NamespacedStore::insert`].
    pub fn insert_many<K: AsRef<[u8]>, V: AsRef<[u8]>>(
        &self,
        namespace: &str,
        entries: impl IntoIterator<Item = (K, V)>,
    ) -> Result<()> {
        self.ensure(namespace)?;
        Ok(self.versions().insert_many(&tree_of(namespace)?, entries)?)
    }

    /// Stages another value for a key that exists; says whether it does. If not, nothing is staged.
    ///
    /// # Errors
    /// As [`NamespacedStore::insert`].
    pub fn update(&self, namespace: &str, key: &[u8], value: &[u8]) -> Result<bool> {
        or_absent(self.versions().update(&tree_of(namespace)?, key, value), || false)
    }

    /// Stages the removal of a key; says whether it existed.
    ///
    /// # Errors
    /// As [`NamespacedStore::insert`].
    pub fn delete(&self, namespace: &str, key: &[u8]) -> Result<bool> {
        or_absent(self.versions().delete(&tree_of(namespace)?, key), || false)
    }

    /// Stages the removal of many keys; says how many of them existed.
    ///
    /// # Errors
    /// As [`NamespacedStore::insert`].
    pub fn delete_many<K: AsRef<[u8]>>(
        &self,
        namespace: &str,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<u64> {
        or_absent(self.versions().delete_many(&tree_of(namespace)?, keys), || 0)
    }

    /// Makes a namespace, empty, if there is none of this name; says whether it was made. New ones have the configuration of
    /// the default one.
    ///
    /// # Errors
    /// As [`NamespacedStore::insert`].
    pub fn ensure(&self, namespace: &str) -> Result<bool> {
        let tree = tree_of(namespace)?;
        if self.versions().has_tree(&tree)? {
            return Ok(false);
        }
        let config = match namespace {
            DEFAULT => Default::default(),
            _ => or_absent(self.versions().config(&TreeKey::default_map()), Default::default)?,
        };
        match self.versions().create_tree(&tree, config, b"") {
            Ok(()) => Ok(true),
            // Another thread was first.
            Err(VersionError::TreeExists { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Does what needs the namespace to exist, making it where it does not.
    pub(crate) fn making<T>(
        &self,
        namespace: &str,
        mut work: impl FnMut(&TreeKey) -> prolly_version::Result<T>,
    ) -> Result<T> {
        let tree = tree_of(namespace)?;
        loop {
            match work(&tree) {
                Err(VersionError::UnknownTree { tree: unknown }) if unknown == tree => {
                    self.ensure(namespace)?;
                }
                result => return Ok(result?),
            }
        }
    }
}

/// The keys of a namespace, from [`NamespacedStore::keys`]. After an error it ends.
pub struct Keys {
    /// `None` after an error.
    range: Option<Range>,
}

impl Keys {
    pub(crate) fn new(range: Range) -> Self {
        Self { range: Some(range) }
    }
}

impl Iterator for Keys {
    type Item = Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.range.as_mut()?.next_entry().map(|entry| entry.map(|(key, _)| key.to_vec()));
        if next.is_err() {
            self.range = None;
        }
        next.map_err(Into::into).transpose()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.range.as_ref().map_or((0, Some(0)), Range::size_hint)
    }
}
