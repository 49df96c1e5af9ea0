//! The handle.

use std::path::Path;

use prolly_version::{Options, Store};

use crate::{NamespacedSnapshot, Result};

/// A store, seen as namespaces. Cloning it is cheap; all handles on a directory in one process share what is staged and the
/// branch they stand on, also with other views of the store. It can be used from any number of threads.
#[derive(Clone, Debug)]
pub struct NamespacedStore {
    store: Store,
}

impl From<Store> for NamespacedStore {
    fn from(store: Store) -> Self {
        Self { store }
    }
}

impl NamespacedStore {
    /// Opens the store in a directory, making one if there is none.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Self> {
        Ok(Store::open(path, options)?.into())
    }

    /// Makes a store in memory.
    ///
    /// # Errors
    /// As [`Store::memory`].
    pub fn memory(options: Options) -> Result<Self> {
        Ok(Store::memory(options)?.into())
    }

    /// The store below: to commit, branch, move, tag, look back, and for everything that concerns all namespaces at once.
    pub fn versions(&self) -> &Store {
        &self.store
    }

    /// Reads a revision without moving the store. `HEAD` is the commit that the store stands on.
    ///
    /// # Errors
    /// As [`Store::at`].
    pub fn at(&self, revision: &str) -> Result<NamespacedSnapshot> {
        Ok(NamespacedSnapshot::new(self.store.at(revision)?.catalog().clone()))
    }

    /// Reads everything as it is now, staged changes included. What it shows does not change with later edits; it keeps what
    /// is staged in memory, or in the temporary file.
    ///
    /// # Errors
    /// What reading and flushing report.
    pub fn now(&self) -> Result<NamespacedSnapshot> {
        Ok(NamespacedSnapshot::new(self.store.catalog()?))
    }
}
