//! Large values: how long a value may be to stay inline, and streaming values in and out.
//!
//! **Invariant:** the threshold is part of a namespace's configuration, so it is versioned with it, and equal contents under
//! equal thresholds have equal roots.

use std::io::Read;

use prolly_core::TreeConfig;
use prolly_version::{BlobReport, Error as VersionError, TreeKey, ValueReader};

use crate::{DEFAULT, NamespacedSnapshot, NamespacedStore, Result, name::tree_of};

impl NamespacedStore {
    /// The longest value, in bytes, that stays inline in new namespaces: that of the default one. `None` when values are not
    /// put beside the tree before they have to be (at 64 KiB).
    ///
    /// # Errors
    /// What reading reports.
    pub fn externalize_threshold(&self) -> Result<Option<u32>> {
        match self.versions().config(&TreeKey::default_map()) {
            Ok(config) => Ok(config.externalize_threshold),
            Err(VersionError::UnknownTree { .. }) => Ok(TreeConfig::default().externalize_threshold),
            Err(error) => Err(error.into()),
        }
    }

    /// Says from which length on values are kept beside the tree, in every namespace there is now and in those that will be
    /// made: longer ones than this, up to 64 KiB; `None` for those over 64 KiB only.
    ///
    /// Namespaces that have another threshold are re-encoded, at the cost of their size; that is staged, and comes with the
    /// next commit. Returns how many they were: none when it was set before.
    ///
    /// # Errors
    /// `InvalidConfig` for more than 64 KiB; as [`NamespacedStore::insert`]. When reading or writing fails, the namespaces
    /// before that one have been re-encoded.
    pub fn set_externalize_threshold(&self, bytes: Option<u32>) -> Result<u64> {
        let changed = |config: TreeConfig| TreeConfig { externalize_threshold: bytes, ..config };
        changed(TreeConfig::default()).validate()?;
        self.ensure(DEFAULT)?;
        let now = self.now()?;
        let mut count = 0;
        for namespace in now.namespaces()? {
            let tree = tree_of(&namespace?.name)?;
            let Some(entry) = now.catalog().entry(&tree)? else { continue };
            if entry.config.externalize_threshold == bytes {
                continue;
            }
            match self.versions().set_config(&tree, changed(entry.config)) {
                Ok(true) => count += 1,
                // Another thread was first, or dropped it.
                Ok(false) | Err(VersionError::UnknownTree { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(count)
    }

    /// Removes the blobs, and all else, that no branch, tag or HEAD needs, and counts those of all namespaces: see
    /// [`Store::collect_blobs`](prolly_version::Store::collect_blobs).
    ///
    /// # Errors
    /// As [`Store::collect_garbage`](prolly_version::Store::collect_garbage).
    pub fn gc_blobs(&self) -> Result<BlobReport> {
        Ok(self.versions().collect_blobs()?)
    }

    /// Stages the bytes of a stream as the value of a key, in bounded memory; returns their number. Nothing is locked while
    /// the stream is read.
    ///
    /// # Errors
    /// As [`Store::insert_reader`](prolly_version::Store::insert_reader).
    pub fn insert_reader(&self, namespace: &str, key: &[u8], mut source: impl Read) -> Result<u64> {
        self.ensure(namespace)?;
        Ok(self.versions().insert_reader(&tree_of(namespace)?, key, &mut source)?)
    }

    /// Opens the value of a key as it is now, to read it as a stream from any position; `None` when there is no such key.
    ///
    /// # Errors
    /// As [`NamespacedStore::get`].
    pub fn open_value(&self, namespace: &str, key: &[u8]) -> Result<Option<ValueReader>> {
        Ok(ValueReader::open(&self.tree(namespace)?, key)?)
    }
}

impl NamespacedSnapshot {
    /// Opens the value of a key, to read it as a stream from any position; `None` when there is no such key.
    ///
    /// # Errors
    /// As [`NamespacedSnapshot::tree`].
    pub fn open_value(&self, namespace: &str, key: &[u8]) -> Result<Option<ValueReader>> {
        let Some(tree) = self.tree(namespace)? else { return Ok(None) };
        Ok(ValueReader::open(&tree, key)?)
    }
}
