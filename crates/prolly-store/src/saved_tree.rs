//! One tree kept in a backend under a name: without versions, but durable and checked.
//!
//! ```text
//! ref   version u8 (1), then in postcard: configuration, root hash
//! ```
//!
//! **Invariant:** the ref names a tree of which everything is stored. What was not saved is in memory only.

use std::sync::Arc;

use prolly_core::{
    Hash, HashedMap, Link, Node, NodeReader, ObjectLink, ProllyTree, Tree, TreeConfig, blob_links,
};

use crate::{
    Backend, CachedReader, Error, Expected, NodeCache, RefEdit, Result, SpillBuffer, SweepReport, Transaction,
};

const FORMAT_VERSION: u8 = 1;

/// A mutable tree whose saved state is a ref of a backend.
pub struct SavedTree {
    reader: CachedReader,
    pending: Arc<SpillBuffer>,
    tree: ProllyTree,
    name: String,
    /// What the ref held when it was read or written last.
    saved: Option<Vec<u8>>,
}

impl SavedTree {
    /// Opens the tree saved under the ref `name`, or an empty one when there is none. `config` is for a new tree, and
    /// has to be that of an existing one where it is given.
    ///
    /// # Errors
    /// [`Error::OtherConfig`] when the tree has another configuration; [`Error::InvalidRef`] when the ref is no saved
    /// tree; what the backend and reading the root report.
    pub fn open(
        backend: Arc<dyn Backend>,
        cache: Arc<NodeCache>,
        name: &str,
        config: Option<TreeConfig>,
    ) -> Result<Self> {
        let saved = backend.read_ref(name)?;
        let reader = CachedReader::new(backend, Arc::clone(&cache));
        let behind: Arc<dyn NodeReader> = Arc::new(reader.clone());
        let pending = Arc::new(SpillBuffer::new(Some(behind), cache));
        let tree = match &saved {
            None => ProllyTree::new(pending.clone(), config.unwrap_or_default())?,
            Some(value) => {
                let (stored, root) = decode(name, value)?;
                if let Some(given) = config.filter(|given| *given != stored) {
                    return Err(Error::OtherConfig {
                        name: name.to_owned(),
                        stored: Box::new(stored),
                        given: Box::new(given),
                    });
                }
                ProllyTree::open(pending.clone(), stored, &root.into())?
            }
        };
        Ok(Self { reader, pending, tree, name: name.to_owned(), saved })
    }

    /// The tree, to read.
    pub fn tree(&self) -> &ProllyTree {
        &self.tree
    }

    /// The tree, to edit.
    pub fn tree_mut(&mut self) -> &mut ProllyTree {
        &mut self.tree
    }

    /// Makes the tree as it is now durable.
    ///
    /// # Errors
    /// [`Error::RefMoved`] when another handle has saved since this one did; what the backend reports. The tree in
    /// memory is as before then, and can be saved again.
    pub fn save(&mut self) -> Result<()> {
        let tree = self.tree.tree()?.clone();
        let value = encode(tree.config(), &tree.root_hash())?;
        if self.saved.as_ref() == Some(&value) {
            return Ok(());
        }
        let edit = RefEdit {
            name: self.name.clone(),
            expected: self.saved.clone().map_or(Expected::Absent, Expected::Value),
            new: Some(value.clone()),
        };
        let mut transaction = self.reader.backend().begin()?;
        self.put_pending(&mut *transaction, tree.root())?;
        transaction.commit(&[edit])?;
        self.saved = Some(value);
        self.tree = ProllyTree::over(self.pending.clone(), tree);
        self.pending.clear();
        Ok(())
    }

    /// Removes what the saved trees of this backend do not use: the nodes of earlier states. All of the backend's refs
    /// have to be saved trees.
    ///
    /// # Errors
    /// What the backend and reading a node report; nothing is removed then.
    pub fn collect_garbage(&self) -> Result<SweepReport> {
        let backend = self.reader.backend();
        let transaction = backend.begin()?;
        let mut used: HashedMap<()> = HashedMap::default();
        for (name, value) in backend.refs("")? {
            let (config, root) = decode(&name, &value)?;
            let tree = Tree::open(Arc::new(self.reader.clone()), config, &root.into())?;
            walk(ObjectLink::Node(tree.root().link()), |object| {
                if used.insert(object.link().hash, ()).is_some() {
                    return Ok(Vec::new());
                }
                Ok(match object {
                    ObjectLink::Node(link) if tree.is_empty() && link.hash == tree.root_hash() => Vec::new(),
                    ObjectLink::Node(link) => self.reader.read_node(&link)?.object_links().collect(),
                    ObjectLink::Record(link) => blob_links(&self.reader.read_record(&link)?)?.collect(),
                })
            })?;
        }
        transaction.sweep(&mut |hash| used.contains_key(hash))
    }

    /// Puts the pending objects that `root` reaches. What is not pending is stored, and so is all below it.
    fn put_pending(&self, transaction: &mut dyn Transaction, root: &Arc<Node>) -> Result<()> {
        walk(ObjectLink::Node(root.link()), |object| {
            let Link { hash, .. } = *object.link();
            match object {
                ObjectLink::Node(_) => {
                    let Some(node) = self.pending.node(&hash)? else { return Ok(Vec::new()) };
                    transaction.put(&hash, node.bytes())?;
                    // The next edit begins with what this one made.
                    self.reader.cache().insert(Arc::clone(&node));
                    Ok(node.object_links().collect())
                }
                ObjectLink::Record(_) => {
                    let Some(encoded) = self.pending.record(&hash)? else { return Ok(Vec::new()) };
                    transaction.put(&hash, &encoded)?;
                    Ok(blob_links(&encoded)?.collect())
                }
            }
        })
    }
}

/// Visits `first` and what the visits return, depth first.
fn walk(first: ObjectLink, mut visit: impl FnMut(ObjectLink) -> Result<Vec<ObjectLink>>) -> Result<()> {
    let mut open = vec![first];
    while let Some(object) = open.pop() {
        open.extend(visit(object)?.into_iter().rev());
    }
    Ok(())
}

fn encode(config: &TreeConfig, root: &Hash) -> Result<Vec<u8>> {
    postcard::to_extend(&(config, root), vec![FORMAT_VERSION])
        .map_err(|error| prolly_core::Error::store(error).into())
}

fn decode(name: &str, value: &[u8]) -> Result<(TreeConfig, Hash)> {
    let invalid = |reason: String| Error::InvalidRef { name: name.to_owned(), reason };
    match value.split_first() {
        Some((&FORMAT_VERSION, body)) => match postcard::take_from_bytes(body) {
            Ok((saved, [])) => Ok(saved),
            _ => Err(invalid("it does not hold a saved tree".to_owned())),
        },
        Some((version, _)) => Err(invalid(format!(
            "it holds a saved tree of format version {version}, this build reads up to {FORMAT_VERSION}"
        ))),
        None => Err(invalid("it is empty".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryStore;

    fn open(backend: &Arc<MemoryStore>, config: Option<TreeConfig>) -> Result<SavedTree> {
        SavedTree::open(backend.clone(), Arc::default(), "tree", config)
    }

    #[test]
    fn what_is_saved_reads_back_and_earlier_states_can_be_collected() {
        let backend = Arc::new(MemoryStore::new());
        let mut first = open(&backend, Some(TreeConfig::with_targets(8, 8))).unwrap();
        for n in 0..1000u32 {
            first.tree_mut().insert(&n.to_be_bytes(), &vec![1; n as usize * 10]).unwrap();
        }
        first.save().unwrap();
        for n in 0..1000u32 {
            first.tree_mut().insert(&n.to_be_bytes(), b"new").unwrap();
        }
        first.save().unwrap();
        first.tree_mut().insert(b"unsaved", b"").unwrap();
        let report = first.collect_garbage().unwrap();
        assert!(report.objects_removed > 100, "{report:?}");

        let mut second = open(&backend, None).unwrap();
        assert_eq!(second.tree_mut().len().unwrap(), 1000);
        assert_eq!(second.tree().get(&7u32.to_be_bytes()).unwrap().unwrap(), b"new");
        assert_eq!(second.tree().get(b"unsaved").unwrap(), None);
        assert_eq!(second.tree().config().modulus, 8);
        second.tree_mut().insert(b"theirs", b"").unwrap();
        second.save().unwrap();
        assert!(matches!(first.save(), Err(Error::RefMoved { .. })));
    }

    #[test]
    fn an_empty_tree_is_saved_and_another_configuration_refused() {
        let backend = Arc::new(MemoryStore::new());
        let mut tree = open(&backend, None).unwrap();
        tree.save().unwrap();
        tree.collect_garbage().unwrap();
        assert_eq!(open(&backend, None).unwrap().tree_mut().len().unwrap(), 0);
        let other = open(&backend, Some(TreeConfig::with_targets(8, 8)));
        assert!(matches!(other.map(|_| ()), Err(Error::OtherConfig { .. })));
    }
}
