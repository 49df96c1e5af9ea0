//! A revision, read without moving the store.

use std::ops::RangeBounds;

use prolly_core::{Hash, Range, Tree, TreeConfig};
use prolly_version::{Catalog, Changes, TreeKey, TreeKind};

use crate::{ChangeFeed, Keys, NamespaceProof, Namespaces, Result, name::tree_of};

/// The namespaces of a commit, or of the working state at a moment. It does not change.
#[derive(Clone, Debug)]
pub struct NamespacedSnapshot {
    catalog: Catalog,
}

impl NamespacedSnapshot {
    pub(crate) fn new(catalog: Catalog) -> Self {
        Self { catalog }
    }

    /// All its trees.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The namespaces, in the order of their names; the default one is always among them.
    ///
    /// # Errors
    /// What reading reports.
    pub fn namespaces(&self) -> Result<Namespaces> {
        Namespaces::new(&self.catalog)
    }

    /// Number of namespaces, in O(log n).
    ///
    /// # Errors
    /// What reading reports.
    pub fn namespace_count(&self) -> Result<u64> {
        let maps = self.catalog.as_tree().prefix(&[TreeKind::MAP.0])?.remaining();
        let has_default = self.catalog.entry(&TreeKey::default_map())?.is_some();
        Ok(maps + u64::from(!has_default))
    }

    /// The tree of a namespace; `None` when there is no such namespace.
    ///
    /// # Errors
    /// [`Error::InvalidName`](crate::Error::InvalidName), or what reading reports.
    pub fn tree(&self, namespace: &str) -> Result<Option<Tree>> {
        Ok(self.catalog.tree(&tree_of(namespace)?)?)
    }

    /// The root of a namespace; `None` when there is no such namespace. Costs O(log n) in the number of namespaces.
    ///
    /// # Errors
    /// As [`NamespacedSnapshot::tree`].
    pub fn root_hash(&self, namespace: &str) -> Result<Option<Hash>> {
        Ok(self.catalog.entry(&tree_of(namespace)?)?.map(|entry| entry.root.hash))
    }

    /// Reads the value of a key; `None` when there is no such key or namespace.
    ///
    /// # Errors
    /// As [`NamespacedSnapshot::tree`].
    pub fn get(&self, namespace: &str, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.tree(namespace)?.map(|tree| tree.get(key)).transpose()?.flatten())
    }

    /// Number of entries; 0 for a namespace that does not exist.
    ///
    /// # Errors
    /// As [`NamespacedSnapshot::tree`].
    pub fn len(&self, namespace: &str) -> Result<u64> {
        Ok(self.catalog.entry(&tree_of(namespace)?)?.map_or(0, |entry| entry.count))
    }

    /// Whether a namespace has no entries, or does not exist.
    ///
    /// # Errors
    /// As [`NamespacedSnapshot::tree`].
    pub fn is_empty(&self, namespace: &str) -> Result<bool> {
        Ok(self.len(namespace)? == 0)
    }

    /// The entries of a range of keys, in ascending order; none of a namespace that does not exist.
    ///
    /// # Errors
    /// As [`NamespacedSnapshot::tree`].
    pub fn range<K: AsRef<[u8]>>(&self, namespace: &str, bounds: impl RangeBounds<K>) -> Result<Range> {
        let tree = match self.tree(namespace)? {
            Some(tree) => tree,
            None => {
                let reader = self.catalog.as_tree().reader();
                Tree::empty(std::sync::Arc::clone(reader), TreeConfig::default())?
            }
        };
        Ok(tree.range(bounds)?)
    }

    /// The keys of a namespace, in ascending order.
    ///
    /// # Errors
    /// As [`NamespacedSnapshot::tree`].
    pub fn keys(&self, namespace: &str) -> Result<Keys> {
        Ok(Keys::new(self.range::<&[u8]>(namespace, ..)?))
    }

    /// Proves what some keys of a namespace hold, or that they, or the namespace, do not exist, from the root of the
    /// commit's catalog (`root.hash` of a [`Commit`](prolly_version::Commit)).
    ///
    /// # Errors
    /// As [`NamespacedSnapshot::tree`].
    pub fn prove<K: AsRef<[u8]>>(
        &self,
        namespace: &str,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<NamespaceProof> {
        Ok(NamespaceProof::new(self.catalog.prove(&tree_of(namespace)?, keys)?))
    }

    /// The keys of a namespace that differ between this revision and a later one, in the order of the keys. A namespace that
    /// either does not have counts as empty there.
    ///
    /// # Errors
    /// [`Error::UnknownNamespace`](crate::Error::UnknownNamespace) when neither has it; as [`NamespacedSnapshot::tree`].
    pub fn diff<K: AsRef<[u8]>>(
        &self,
        to: &Self,
        namespace: &str,
        bounds: impl RangeBounds<K>,
    ) -> Result<Changes> {
        Ok(self.catalog.diff_range(&to.catalog, &tree_of(namespace)?, bounds)?)
    }

    /// What changed between this revision and a later one, in one namespace or in all, in the order of namespaces and keys.
    ///
    /// # Errors
    /// As [`NamespacedSnapshot::tree`].
    pub fn changes(&self, to: &Self, namespace: Option<&str>) -> Result<ChangeFeed> {
        ChangeFeed::new(&self.catalog, &to.catalog, namespace)
    }
}
