//! The namespaces themselves: listing, making, dropping, renaming and copying them.
//!
//! **Invariant:** the default namespace is always listed, and is neither dropped nor renamed.

use prolly_core::Hash;
use prolly_version::{Catalog, Entries, TreeEntry, TreeKind};

use crate::{
    DEFAULT, Error, NamespacedStore, Result,
    name::{name_of, tree_of},
};

/// A namespace, as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// Its name.
    pub name: String,
    /// Number of entries.
    pub len: u64,
    /// The address of its root: equal for equal contents under equal configurations.
    pub root_hash: Hash,
}

/// The namespaces of a revision, in the order of their names: an iterator of `Result<Namespace>`.
pub struct Namespaces {
    entries: Entries,
    /// The entry that comes after the default namespace, in a catalog without that.
    held: Option<TreeEntry>,
    default: Option<Hash>,
}

impl Namespaces {
    pub(crate) fn new(catalog: &Catalog) -> Result<Self> {
        let has_default = catalog.entry(&tree_of(DEFAULT)?)?.is_some();
        let default = (!has_default).then(prolly_core::empty_root_hash);
        Ok(Self { entries: catalog.entries(Some(TreeKind::MAP))?, held: None, default })
    }

    fn advance(&mut self) -> Result<Option<Namespace>> {
        let entry = match self.held.take() {
            Some(entry) => Some(entry),
            None => self.entries.next().transpose()?,
        };
        if let Some(root_hash) = self.default
            && entry.as_ref().is_none_or(|entry| entry.key.name() > DEFAULT.as_bytes())
        {
            (self.default, self.held) = (None, entry);
            return Ok(Some(Namespace { name: DEFAULT.to_owned(), len: 0, root_hash }));
        }
        let Some(entry) = entry else { return Ok(None) };
        let name = name_of(&entry.key)?.to_owned();
        Ok(Some(Namespace { name, len: entry.count, root_hash: entry.root.hash }))
    }
}

impl Iterator for Namespaces {
    type Item = Result<Namespace>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}

impl NamespacedStore {
    /// The namespaces as they are now, staged changes included, in the order of their names.
    ///
    /// # Errors
    /// What reading and flushing report.
    pub fn namespaces(&self) -> Result<Namespaces> {
        self.now()?.namespaces()
    }

    /// Number of namespaces now, in O(log n).
    ///
    /// # Errors
    /// What reading and flushing report.
    pub fn namespace_count(&self) -> Result<u64> {
        self.now()?.namespace_count()
    }

    /// Whether there is a namespace of this name now. The default one is always there.
    ///
    /// # Errors
    /// [`Error::InvalidName`], or what reading reports.
    pub fn has_namespace(&self, name: &str) -> Result<bool> {
        Ok(name == DEFAULT || self.versions().has_tree(&tree_of(name)?)?)
    }

    /// Stages a new, empty namespace, with the configuration of the default one.
    ///
    /// # Errors
    /// [`Error::NamespaceExists`]; as [`NamespacedStore::insert`].
    pub fn create_namespace(&self, name: &str) -> Result<()> {
        if name == DEFAULT || !self.ensure(name)? {
            return Err(Error::NamespaceExists { name: name.to_owned() });
        }
        Ok(())
    }

    /// Stages the removal of a namespace with all its entries; says whether it existed. Costs O(1).
    ///
    /// # Errors
    /// [`Error::DefaultNamespace`]; as [`NamespacedStore::insert`].
    pub fn drop_namespace(&self, name: &str) -> Result<bool> {
        refuse_default(name, "dropped")?;
        Ok(self.versions().drop_tree(&tree_of(name)?)?)
    }

    /// Stages another name for a namespace, with what is staged in it. Costs O(1).
    ///
    /// # Errors
    /// [`Error::DefaultNamespace`], [`Error::UnknownNamespace`], [`Error::NamespaceExists`]; as
    /// [`NamespacedStore::insert`].
    pub fn rename_namespace(&self, from: &str, to: &str) -> Result<()> {
        refuse_default(from, "renamed")?;
        let (from, to_tree) = (tree_of(from)?, tree_of(to)?);
        if to == DEFAULT {
            return Err(Error::NamespaceExists { name: to.to_owned() });
        }
        Ok(self.versions().rename_tree(&from, to_tree.name())?)
    }

    /// Stages a new namespace as a copy of one of a revision (`None`: as it is now, staged changes included). The nodes are
    /// shared: it costs O(log n), and for a copy of what is staged O(changes).
    ///
    /// # Errors
    /// [`Error::UnknownNamespace`] when the revision has no namespace `from`, [`Error::NamespaceExists`] when there is one
    /// `to`; those of [`Store::resolve`](prolly_version::Store::resolve); as [`NamespacedStore::insert`].
    pub fn copy_namespace(&self, from: &str, revision: Option<&str>, to: &str) -> Result<()> {
        let (from, to_tree) = (tree_of(from)?, tree_of(to)?);
        if self.has_namespace(to)? {
            return Err(Error::NamespaceExists { name: to.to_owned() });
        }
        match revision {
            Some(revision) => Ok(self.versions().copy_tree(&from, revision, &to_tree)?),
            None => Ok(self.versions().copy_staged_tree(&from, to_tree.name())?),
        }
    }
}

fn refuse_default(name: &str, action: &'static str) -> Result<()> {
    if name == DEFAULT {
        return Err(Error::DefaultNamespace { action });
    }
    Ok(())
}
