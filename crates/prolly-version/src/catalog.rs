//! The catalog: the tree of trees that a commit's root is.
//!
//! ```text
//! key   = kind u8 | name
//! value = tree link { root hash, descriptor }
//! descriptor = version u8 (1) | postcard { config, count u64, metadata bytes }
//! ```
//!
//! **Invariant:** equal sets of trees (names, contents, configurations, metadata) have equal catalog roots. The catalog's
//! own configuration is fixed: [`CATALOG_CONFIG`].

use std::{collections::BTreeMap, sync::Arc};

use prolly_core::{
    EditRef, EditSource, Hash, Link, Node, NodeReader, NodeWriter, Range, Tree, TreeConfig, ValueRef,
};
use serde::{Deserialize, Serialize};

use crate::{Error, Result, TreeKey, TreeKind};

/// The configuration of every catalog; part of the format.
pub const CATALOG_CONFIG: TreeConfig = TreeConfig {
    base: 64,
    modulus: 64,
    min_chunk_size: 16,
    max_chunk_size: 128,
    pattern: 0,
    externalize_threshold: None,
};

const DESCRIPTOR_VERSION: u8 = 1;

/// What the catalog says of a tree beside its root.
#[derive(Serialize, Deserialize)]
struct Descriptor<'a> {
    config: TreeConfig,
    count: u64,
    #[serde(borrow)]
    metadata: &'a [u8],
}

/// A tree as the catalog lists it.
#[derive(Clone, Debug)]
pub struct TreeEntry {
    /// Its name.
    pub key: TreeKey,
    /// Its root node.
    pub root: Link,
    /// Its configuration.
    pub config: TreeConfig,
    /// Number of entries.
    pub count: u64,
    /// What the owner of its kind put there.
    pub metadata: Vec<u8>,
}

/// What the catalog shall hold for a tree.
#[derive(Clone, Debug)]
pub struct TreeVersion {
    /// Its contents.
    pub tree: Tree,
    /// What the owner of its kind put there.
    pub metadata: Vec<u8>,
}

/// The trees of a revision. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Catalog {
    tree: Tree,
    /// Trees that are staged, whose nodes stay as long as there are handles on them.
    staged: Arc<BTreeMap<TreeKey, TreeVersion>>,
}

impl Catalog {
    /// The catalog without trees.
    ///
    /// # Errors
    /// None in practice: the configuration is fixed.
    pub fn empty(reader: Arc<dyn NodeReader>) -> Result<Self> {
        Ok(Self::from_tree(Tree::empty(reader, CATALOG_CONFIG)?))
    }

    /// Opens the catalog with this root.
    ///
    /// # Errors
    /// What reading the root reports.
    pub fn open(reader: Arc<dyn NodeReader>, root: &Link) -> Result<Self> {
        Ok(Self::from_tree(Tree::open(reader, CATALOG_CONFIG, root)?))
    }

    pub(crate) fn from_tree(tree: Tree) -> Self {
        Self { tree, staged: Arc::default() }
    }

    /// The same catalog, which keeps the nodes of these trees of it.
    pub(crate) fn with_staged(self, staged: BTreeMap<TreeKey, TreeVersion>) -> Self {
        Self { staged: Arc::new(staged), ..self }
    }

    /// The same catalog, its nodes and its trees read from elsewhere.
    pub(crate) fn with_reader(&self, reader: Arc<dyn NodeReader>) -> Self {
        Self::from_tree(self.tree.with_reader(reader))
    }

    /// The catalog as a tree.
    pub fn as_tree(&self) -> &Tree {
        &self.tree
    }

    /// The root node.
    pub fn root(&self) -> &Arc<Node> {
        self.tree.root()
    }

    /// The address of the root: equal for equal sets of trees.
    pub fn root_hash(&self) -> Hash {
        self.tree.root_hash()
    }

    /// Number of trees.
    pub fn len(&self) -> u64 {
        self.tree.len()
    }

    /// Whether there is no tree.
    pub fn is_empty(&self) -> bool {
        self.tree.is_empty()
    }

    /// What the catalog says of a tree; `None` when there is none of this name.
    ///
    /// # Errors
    /// [`Error::DamagedCatalog`], or what reading reports.
    pub fn entry(&self, key: &TreeKey) -> Result<Option<TreeEntry>> {
        let Some(found) = self.tree.find(&key.to_catalog_key())? else { return Ok(None) };
        read_entry(key.clone(), found.value(), found.link()).map(Some)
    }

    /// Opens a tree; `None` when there is none of this name.
    ///
    /// # Errors
    /// As [`Catalog::entry`].
    pub fn version(&self, key: &TreeKey) -> Result<Option<TreeVersion>> {
        if let Some(version) = self.staged.get(key) {
            return Ok(Some(version.clone()));
        }
        let Some(entry) = self.entry(key)? else { return Ok(None) };
        self.open_entry(entry).map(Some)
    }

    /// Opens a tree for its contents; `None` when there is none of this name.
    ///
    /// # Errors
    /// As [`Catalog::entry`].
    pub fn tree(&self, key: &TreeKey) -> Result<Option<Tree>> {
        Ok(self.version(key)?.map(|version| version.tree))
    }

    /// Opens the tree of an entry of this catalog.
    ///
    /// # Errors
    /// What reading its root reports.
    pub fn open_entry(&self, entry: TreeEntry) -> Result<TreeVersion> {
        let tree = Tree::open(Arc::clone(self.tree.reader()), entry.config, &entry.root)?;
        if tree.len() != entry.count {
            let reason = format!("it counts {} entries, the tree has {}", entry.count, tree.len());
            return Err(Error::DamagedCatalog { tree: entry.key.to_string(), reason });
        }
        Ok(TreeVersion { tree, metadata: entry.metadata })
    }

    /// The trees of a kind, or of every kind, in the order of their names.
    ///
    /// # Errors
    /// What reading reports.
    pub fn entries(&self, kind: Option<TreeKind>) -> Result<Entries> {
        let range = match kind {
            Some(kind) => self.tree.prefix(&[kind.0])?,
            None => self.tree.range::<&[u8]>(..)?,
        };
        Ok(Entries { range })
    }

    /// The names of the trees of a kind that begin with some bytes, in their order.
    ///
    /// # Errors
    /// [`Error::DamagedCatalog`], or what reading reports.
    pub fn keys(&self, kind: TreeKind, prefix: &[u8]) -> Result<Vec<TreeKey>> {
        let mut range = self.tree.prefix(&TreeKey::new(kind, prefix).to_catalog_key())?;
        let mut keys = Vec::new();
        while let Some((key, _)) = range.next_entry()? {
            keys.push(read_key(key)?);
        }
        Ok(keys)
    }

    /// The catalog after some trees were set and others (`None`) removed; new nodes of the catalog go to `writer`, from
    /// which its reader must be able to read them.
    ///
    /// # Errors
    /// What reading and writing report.
    pub fn apply(
        &self,
        writer: &dyn NodeWriter,
        edits: &BTreeMap<TreeKey, Option<TreeVersion>>,
    ) -> Result<Self> {
        let encoded = edits
            .iter()
            .map(|(key, version)| Ok((key.to_catalog_key(), version.as_ref().map(encode_entry).transpose()?)))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self::from_tree(self.tree.apply(writer, &mut Edits { encoded, at: 0 })?))
    }
}

/// The root of a tree, and its encoded descriptor.
type EncodedEntry = (Link, Vec<u8>);

/// Encoded edits of a catalog, with the hints for the roots they link to.
struct Edits {
    encoded: Vec<(Vec<u8>, Option<EncodedEntry>)>,
    at: usize,
}

impl EditSource for Edits {
    fn next_edit(&mut self) -> prolly_core::Result<Option<EditRef<'_>>> {
        let Some((key, version)) = self.encoded.get(self.at) else { return Ok(None) };
        self.at += 1;
        Ok(Some(match version {
            Some((root, descriptor)) => EditRef {
                key,
                value: Some(ValueRef::Tree { root: root.hash, descriptor }),
                locator: root.locator,
            },
            None => EditRef { key, value: None, locator: prolly_core::Locator::NONE },
        }))
    }
}

/// The trees of a catalog, from [`Catalog::entries`].
pub struct Entries {
    range: Range,
}

impl Iterator for Entries {
    type Item = Result<TreeEntry>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = match self.range.next() {
            None => return None,
            Some(Err(error)) => return Some(Err(error.into())),
            Some(Ok(entry)) => entry,
        };
        let (key, value) = entry;
        let link = self.range.link();
        Some(read_key(&key).and_then(|key| read_entry(key, value.as_ref(), link)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.range.size_hint()
    }
}

/// Reads a key of the catalog.
pub(crate) fn read_key(key: &[u8]) -> Result<TreeKey> {
    TreeKey::from_catalog_key(key).ok_or_else(|| Error::DamagedCatalog {
        tree: "no tree".to_owned(),
        reason: "its key is empty".to_owned(),
    })
}

/// Encodes the value that a catalog has for a tree: its root, and the descriptor.
pub(crate) fn encode_entry(version: &TreeVersion) -> Result<EncodedEntry> {
    let TreeVersion { tree, metadata } = version;
    let descriptor = Descriptor { config: *tree.config(), count: tree.len(), metadata };
    let descriptor = postcard::to_extend(&descriptor, vec![DESCRIPTOR_VERSION]).map_err(|error| {
        prolly_core::Error::Malformed { reason: format!("a descriptor does not encode: {error}") }
    })?;
    Ok((tree.root().link(), descriptor))
}

/// Decodes the value that a catalog has for a tree.
pub(crate) fn read_entry(key: TreeKey, value: ValueRef<'_>, link: Option<Link>) -> Result<TreeEntry> {
    let damaged = |reason: String| Error::DamagedCatalog { tree: key.to_string(), reason };
    let (ValueRef::Tree { descriptor, .. }, Some(root)) = (value, link) else {
        return Err(damaged("it links to no tree".to_owned()));
    };
    let (&version, payload) =
        descriptor.split_first().ok_or_else(|| damaged("its descriptor is empty".to_owned()))?;
    if version != DESCRIPTOR_VERSION {
        return Err(Error::NewerFormat {
            what: format!("the descriptor of the {key}"),
            found: version,
            supported: DESCRIPTOR_VERSION,
        });
    }
    let (Descriptor { config, count, metadata }, rest) =
        postcard::take_from_bytes(payload).map_err(|error| damaged(error.to_string()))?;
    if !rest.is_empty() {
        return Err(damaged(format!("{} bytes follow its descriptor", rest.len())));
    }
    let metadata = metadata.to_vec();
    Ok(TreeEntry { key, root, config, count, metadata })
}

#[cfg(test)]
mod tests {
    use prolly_core::{NodeBuffer, SortedEdits, Value};

    use super::*;

    fn version(buffer: &Arc<NodeBuffer>, entries: u32, metadata: &[u8]) -> TreeVersion {
        let edits = (0..entries).map(|n| (n.to_be_bytes(), Some(Value::Inline(b"x".to_vec()))));
        let reader: Arc<dyn NodeReader> = buffer.clone();
        let tree =
            Tree::build(reader, &**buffer, TreeConfig::default(), &mut SortedEdits::new(edits)).unwrap();
        TreeVersion { tree, metadata: metadata.to_vec() }
    }

    #[test]
    fn trees_are_set_listed_and_removed() {
        let buffer = Arc::new(NodeBuffer::new());
        let empty = Catalog::empty(buffer.clone()).unwrap();
        let names: Vec<_> = (0..300).map(|n| TreeKey::map(format!("ns{n:03}"))).collect();
        let table = TreeKey::new(TreeKind::TABLE, "t");
        let mut edits: BTreeMap<_, _> =
            names.iter().map(|name| (name.clone(), Some(version(&buffer, 3, b"")))).collect();
        edits.insert(table.clone(), Some(version(&buffer, 500, b"schema")));
        let full = empty.apply(&*buffer, &edits).unwrap();
        assert_eq!(full.len(), 301);
        let maps: Vec<_> =
            full.entries(Some(TreeKind::MAP)).unwrap().map(|entry| entry.unwrap().key).collect();
        assert_eq!(maps, names);
        let entry = full.entry(&table).unwrap().unwrap();
        assert_eq!((entry.count, &entry.metadata[..]), (500, &b"schema"[..]));
        assert_eq!(full.tree(&table).unwrap().unwrap().len(), 500);
        assert!(full.entry(&TreeKey::map("t")).unwrap().is_none());
        let gone = edits.into_keys().map(|key| (key, None)).collect();
        assert_eq!(full.apply(&*buffer, &gone).unwrap().root_hash(), empty.root_hash());
    }

    #[test]
    fn damaged_descriptors_are_refused() {
        let buffer = Arc::new(NodeBuffer::new());
        let (root, good) = encode_entry(&version(&buffer, 1, b"meta")).unwrap();
        let read = |descriptor: &[u8]| {
            let value = ValueRef::Tree { root: root.hash, descriptor };
            read_entry(TreeKey::default_map(), value, Some(root))
        };
        assert_eq!(read(&good).unwrap().metadata, b"meta");
        for len in 0..good.len() {
            assert!(read(&good[..len]).is_err(), "{len} bytes must be refused");
        }
        assert!(read(&[&good[..], b"x"].concat()).is_err());
        assert!(matches!(read(&[2]), Err(Error::NewerFormat { found: 2, .. })));
        assert!(read_entry(TreeKey::default_map(), ValueRef::Inline(b""), None).is_err());
    }
}
