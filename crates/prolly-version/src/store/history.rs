//! The commits that changed a key.
//!
//! **Invariant:** a commit is listed when the key holds something else in it than in each of its parents (in a commit
//! without parents: when the key exists). So a merge is listed only if it made a value of its own.

use std::sync::Arc;

use prolly_core::{Link, Node, NodeReader, Tree};

use super::{Store, compare::same_bytes};
use crate::{Catalog, Commit, CommitGraph, Log, Result, TreeKey, revision::read_commit};

/// The commits that changed a key, the newest first: an iterator of `Result<Commit>` that looks as far back as it is
/// asked for. After an error it ends.
///
/// A step compares a commit with its parents by descending their trees side by side, and stops where they share a node.
pub struct History {
    log: Log,
    graph: Arc<dyn CommitGraph>,
    objects: Arc<dyn NodeReader>,
    tree: TreeKey,
    key: Vec<u8>,
    failed: bool,
}

impl Store {
    /// The commits behind a revision (`None`: where the store stands) that changed a key of a tree.
    ///
    /// # Errors
    /// Those of [`Store::resolve`].
    pub fn history(&self, tree: &TreeKey, key: &[u8], revision: Option<&str>) -> Result<History> {
        Ok(History {
            log: self.log(revision)?,
            graph: Arc::clone(self.graph()),
            objects: self.graph().objects(),
            tree: tree.clone(),
            key: key.to_vec(),
            failed: false,
        })
    }
}

impl History {
    fn is_listed(&self, commit: &Commit) -> Result<bool> {
        if commit.parents.is_empty() {
            let tree = self.catalog(&commit.root)?.tree(&self.tree)?;
            return Ok(tree.map_or(Ok(false), |tree| tree.contains(&self.key))?);
        }
        for parent in &commit.parents {
            if self.is_same(&commit.root, &read_commit(&*self.graph, parent)?.root)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether the key holds the same below two catalogs.
    fn is_same(&self, one: &Link, other: &Link) -> Result<bool> {
        if one.hash == other.hash {
            return Ok(true);
        }
        let one = self.catalog(one)?.entry(&self.tree)?;
        let other = self.catalog(other)?.entry(&self.tree)?;
        if let (Some(one), Some(other)) = (&one, &other)
            && one.root.hash == other.root.hash
            && one.config == other.config
        {
            return Ok(true);
        }
        let open = |entry: Option<crate::TreeEntry>| {
            entry.map(|entry| Tree::open(Arc::clone(&self.objects), entry.config, &entry.root)).transpose()
        };
        Ok(match (open(one)?, open(other)?) {
            (Some(one), Some(other)) => holds_same(&one, &other, &self.key)?,
            (Some(only), None) | (None, Some(only)) => !only.contains(&self.key)?,
            (None, None) => true,
        })
    }

    fn catalog(&self, root: &Link) -> Result<Catalog> {
        Catalog::open(Arc::clone(&self.objects), root)
    }
}

impl Iterator for History {
    type Item = Result<Commit>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.failed {
            let listed = self.log.next()?.and_then(|commit| Ok((self.is_listed(&commit)?, commit)));
            match listed {
                Ok((false, _)) => {}
                Ok((true, commit)) => return Some(Ok(commit)),
                Err(error) => {
                    self.failed = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

/// Whether a key holds the same in two trees.
fn holds_same(one: &Tree, other: &Tree, key: &[u8]) -> Result<bool> {
    if one.config() != other.config() {
        return Ok(same_bytes(one.find(key)?.as_ref(), other.find(key)?.as_ref()));
    }
    let (mut a, mut b) = (Arc::clone(one.root()), Arc::clone(other.root()));
    loop {
        if a.hash() == b.hash() {
            return Ok(true);
        }
        if a.is_leaf() && b.is_leaf() {
            return Ok(tagged(&a, key) == tagged(&b, key));
        }
        let (level_of_a, level_of_b) = (a.level(), b.level());
        if level_of_a >= level_of_b {
            match child(one, &a, key)? {
                Some(node) => a = node,
                None => return Ok(!other.contains(key)?),
            }
        }
        if level_of_b >= level_of_a {
            match child(other, &b, key)? {
                Some(node) => b = node,
                None => return Ok(!one.contains(key)?),
            }
        }
    }
}

/// The child that can hold a key; `None` when the key is beyond all of them.
fn child(tree: &Tree, node: &Node, key: &[u8]) -> Result<Option<Arc<Node>>> {
    let index = node.lower_bound(key);
    if index == node.count() {
        return Ok(None);
    }
    Ok(Some(tree.reader().read_node(&node.child(index))?))
}

fn tagged<'a>(leaf: &'a Node, key: &[u8]) -> Option<&'a [u8]> {
    leaf.search(key).ok().map(|index| leaf.tagged_value(index))
}
