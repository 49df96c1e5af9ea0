//! Comparing revisions of namespaces.

use std::ops::RangeBounds;

use prolly_core::Hash;
use prolly_version::{Changes, History};

use crate::{ChangeFeed, Error, NamespaceProof, NamespacedStore, Result, name::tree_of};

impl NamespacedStore {
    /// The root of a namespace in the commit that the store stands on: equal for equal contents under equal configurations.
    /// `None` when that commit has no such namespace.
    ///
    /// # Errors
    /// [`Error::InvalidName`], or what reading reports.
    pub fn root_hash(&self, namespace: &str) -> Result<Option<Hash>> {
        self.at("HEAD")?.root_hash(namespace)
    }

    /// Whether a namespace differs between two revisions: whether it exists, or what it holds. Costs O(log n) in the number
    /// of namespaces, unless the revisions store it under different configurations.
    ///
    /// # Errors
    /// Those of [`Store::resolve`](prolly_version::Store::resolve), as [`NamespacedStore::root_hash`].
    pub fn namespace_changed(&self, namespace: &str, one: &str, other: &str) -> Result<bool> {
        let tree = tree_of(namespace)?;
        let (one, other) = (self.at(one)?, self.at(other)?);
        match (one.catalog().entry(&tree)?, other.catalog().entry(&tree)?) {
            (None, None) => Ok(false),
            (Some(a), Some(b)) if a.config == b.config => Ok(a.root.hash != b.root.hash),
            (Some(_), Some(_)) => Ok(one.diff::<&[u8]>(&other, namespace, ..)?.next().transpose()?.is_some()),
            _ => Ok(true),
        }
    }

    /// The keys of a namespace that differ between two revisions, in the order of the keys. A namespace that one of them
    /// does not have counts as empty there.
    ///
    /// # Errors
    /// [`Error::UnknownNamespace`] when neither has it; as [`NamespacedStore::namespace_changed`].
    pub fn diff(&self, namespace: &str, from: &str, to: &str) -> Result<Changes> {
        self.diff_range::<&[u8]>(namespace, from, to, ..)
    }

    /// Compares the entries of a namespace whose keys lie in `bounds`.
    ///
    /// # Errors
    /// As [`NamespacedStore::diff`].
    pub fn diff_range<K: AsRef<[u8]>>(
        &self,
        namespace: &str,
        from: &str,
        to: &str,
        bounds: impl RangeBounds<K>,
    ) -> Result<Changes> {
        self.at(from)?.diff(&self.at(to)?, namespace, bounds)
    }

    /// What changed since a revision (`None`: since there was nothing) until another (`None`: now, staged changes included),
    /// in one namespace or in all: in the order of namespaces and keys, found as it is asked for, in memory that does not
    /// grow with it.
    ///
    /// # Errors
    /// [`Error::UnknownNamespace`] when a namespace is asked for that neither has; those of
    /// [`Store::resolve`](prolly_version::Store::resolve); what reading reports.
    pub fn changes(
        &self,
        since: Option<&str>,
        until: Option<&str>,
        namespace: Option<&str>,
    ) -> Result<ChangeFeed> {
        let to = match until {
            Some(revision) => self.at(revision)?,
            None => self.now()?,
        };
        let Some(since) = since else {
            let nothing = prolly_version::Catalog::empty(self.versions().graph().objects())?;
            return ChangeFeed::new(&nothing, to.catalog(), namespace);
        };
        self.at(since)?.changes(&to, namespace)
    }

    /// The commits behind a revision (`None`: where the store stands) that changed a key of a namespace, the newest first.
    ///
    /// # Errors
    /// [`Error::InvalidName`], those of [`Store::resolve`](prolly_version::Store::resolve).
    pub fn history(&self, namespace: &str, key: &[u8], revision: Option<&str>) -> Result<History> {
        Ok(self.versions().history(&tree_of(namespace)?, key, revision)?)
    }

    /// Proves what some keys of a namespace hold in a revision (`None`: the commit that the store stands on), or that they,
    /// or the namespace, do not exist. It is verified with the root of that commit's catalog alone.
    ///
    /// # Errors
    /// As [`NamespacedStore::namespace_changed`].
    pub fn prove<K: AsRef<[u8]>>(
        &self,
        namespace: &str,
        keys: impl IntoIterator<Item = K>,
        revision: Option<&str>,
    ) -> Result<NamespaceProof> {
        self.at(revision.unwrap_or("HEAD"))?.prove(namespace, keys)
    }

    /// The namespace, as an error when it is unknown.
    pub(crate) fn unknown(namespace: &str) -> Error {
        Error::UnknownNamespace { name: namespace.to_owned() }
    }
}
