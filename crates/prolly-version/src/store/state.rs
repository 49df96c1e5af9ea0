//! The working state of a store: where it stands, and what is staged.
//!
//! **Invariant:** a tree that is not in `trees` is as in `catalog`, the catalog of the commit `base`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use prolly_core::{NodeWriter, ProllyTree, Tree};

use super::nodes::{StagedNodes, TreeNodes};
use crate::{Catalog, CommitId, Error, Head, Result, TreeKey, TreeKind, TreeVersion};

/// How many trees are open before the unchanged ones are closed; after that, twice as many as were left.
const OPEN_TREES_MAX: usize = 1024;

pub(crate) struct State {
    pub(crate) head: Head,
    /// The commit that everything staged is based on; `None` on a branch without commits.
    pub(crate) base: Option<CommitId>,
    pub(crate) catalog: Catalog,
    pub(crate) nodes: Arc<StagedNodes>,
    pub(crate) trees: BTreeMap<TreeKey, Working>,
    /// The commits that staged blobs share parts with.
    pub(crate) borrowed: BTreeSet<CommitId>,
    /// With how many open trees the unchanged ones are closed next.
    open_trees_max: usize,
}

/// An open tree.
pub(crate) struct Working {
    /// The tree in the base; `None` when it is not there.
    base: Option<TreeVersion>,
    /// What the edits were made on, when that is not the base.
    start: Option<Start>,
    /// The tree as it is now; `None` when it was dropped.
    pub(crate) now: Option<Present>,
}

/// What the edits of a tree were made on.
#[derive(Clone)]
pub(crate) struct Start {
    pub(crate) version: TreeVersion,
    /// The commit that has it, and its name there; `None` for an empty tree. Nodes are shared with that commit, so it has to
    /// stay as long as this is staged.
    pub(crate) source: Option<(CommitId, TreeKey)>,
}

/// A tree that can be edited.
pub(crate) struct Present {
    pub(crate) tree: ProllyTree,
    pub(crate) metadata: Vec<u8>,
    nodes: Arc<TreeNodes>,
}

/// A tree that is staged, as of a moment.
#[derive(Clone)]
pub(crate) struct Staged {
    pub(crate) key: TreeKey,
    /// The tree in the base; `None` when it is not there.
    pub(crate) base: Option<TreeVersion>,
    /// What the edits were made on, when that is not the base.
    pub(crate) start: Option<Start>,
    /// The tree as it is now, and where its new nodes are; `None` when it was dropped.
    pub(crate) now: Option<(TreeVersion, Arc<TreeNodes>)>,
}

impl Present {
    fn new(nodes: Arc<TreeNodes>, version: &TreeVersion) -> Self {
        let mut tree = ProllyTree::over(Arc::clone(&nodes) as _, version.tree.clone());
        tree.set_flush_bytes(nodes.flush_bytes());
        Self { tree, metadata: version.metadata.clone(), nodes }
    }

    /// The tree with all edits in it.
    pub(crate) fn version(&mut self) -> Result<TreeVersion> {
        Ok(TreeVersion { tree: self.tree.tree()?.clone(), metadata: self.metadata.clone() })
    }
}

impl Staged {
    /// The tree as it is now; `None` when it was dropped.
    pub(crate) fn version(&self) -> Option<&TreeVersion> {
        self.now.as_ref().map(|(version, _)| version)
    }
}

impl Working {
    /// Whether there are no edits, as far as that is known without a flush.
    fn is_clean(&self) -> bool {
        match (&self.base, &self.now) {
            (Some(base), Some(now)) => {
                let (tree, edits) = now.tree.flushed();
                edits == 0
                    && tree.root_hash() == base.tree.root_hash()
                    && tree.config() == base.tree.config()
                    && now.metadata == base.metadata
            }
            (None, None) => true,
            _ => false,
        }
    }
}

impl State {
    /// Nothing staged, on no commit.
    pub(crate) fn new(head: Head, catalog: Catalog, nodes: Arc<StagedNodes>) -> Self {
        let (trees, borrowed) = (BTreeMap::new(), BTreeSet::new());
        Self { head, base: None, catalog, nodes, trees, borrowed, open_trees_max: OPEN_TREES_MAX }
    }

    /// An open tree, opened if it was not; `None` when neither the catalog nor the staging has it.
    pub(crate) fn open(&mut self, key: &TreeKey) -> Result<Option<&mut Working>> {
        if !self.trees.contains_key(key) {
            let Some(base) = self.catalog.version(key)? else { return Ok(None) };
            if self.trees.len() >= self.open_trees_max {
                self.trees.retain(|_, working| !working.is_clean());
                self.open_trees_max = OPEN_TREES_MAX.max(2 * self.trees.len());
            }
            let now = Some(Present::new(self.nodes.for_tree(), &base));
            self.trees.insert(key.clone(), Working { base: Some(base), start: None, now });
        }
        Ok(self.trees.get_mut(key))
    }

    /// A tree that exists.
    ///
    /// # Errors
    /// [`Error::UnknownTree`], or what reading it reports.
    pub(crate) fn present(&mut self, key: &TreeKey) -> Result<&mut Present> {
        self.open(key)?
            .and_then(|working| working.now.as_mut())
            .ok_or_else(|| Error::UnknownTree { tree: key.clone() })
    }

    /// Makes the tree be a stored version, whatever it was; `None` drops it.
    pub(crate) fn set(&mut self, key: &TreeKey, start: Option<Start>) -> Result<()> {
        let now = start.as_ref().map(|start| Present::new(self.nodes.for_tree(), &start.version));
        self.put(key, start, now)
    }

    fn put(&mut self, key: &TreeKey, start: Option<Start>, now: Option<Present>) -> Result<()> {
        match self.open(key)? {
            Some(working) => {
                working.now = now;
                working.start = start;
            }
            None => {
                self.trees.insert(key.clone(), Working { base: None, start, now });
            }
        }
        Ok(())
    }

    /// What the edits of an open tree were made on, as seen from another name or another base.
    fn start_of(&self, key: &TreeKey) -> Option<Start> {
        let working = self.trees.get(key)?;
        working.start.clone().or_else(|| {
            let version = working.base.clone()?;
            Some(Start { version, source: self.base.map(|id| (id, key.clone())) })
        })
    }

    /// Makes a tree that exists be this, the edits made on what it was made on before. `nodes` has what of it is not stored.
    pub(crate) fn replace(
        &mut self,
        key: &TreeKey,
        version: TreeVersion,
        nodes: Arc<TreeNodes>,
    ) -> Result<()> {
        *self.present(key)? = Present::new(nodes, &version);
        Ok(())
    }

    /// Gives a tree that exists a name that no tree has.
    pub(crate) fn rename(&mut self, from: &TreeKey, to: &TreeKey) -> Result<()> {
        self.present(from)?;
        let start = self.start_of(from);
        let working = self.trees.get_mut(from).expect("it was just opened");
        working.start = None;
        let now = working.now.take();
        self.put(to, start, now)
    }

    /// Makes a tree a copy of another, with what is staged in that; replaces the one of that name.
    pub(crate) fn copy(&mut self, from: &TreeKey, to: &TreeKey) -> Result<()> {
        let version = self.present(from)?.version()?;
        let start = self.start_of(from);
        let nodes = self.nodes.for_tree();
        nodes.take_in_pending(version.tree.root().link())?;
        self.put(to, start, Some(Present::new(nodes, &version)))
    }

    /// The names of the trees of a kind that begin with some bytes.
    pub(crate) fn tree_keys(&self, kind: TreeKind, prefix: &[u8]) -> Result<Vec<TreeKey>> {
        let stored = self.catalog.keys(kind, prefix)?;
        let first = TreeKey::new(kind, prefix);
        let open = self
            .trees
            .range(first..)
            .take_while(|(key, _)| key.kind() == kind && key.name().starts_with(prefix));
        let mut keys: BTreeSet<_> = stored.into_iter().collect();
        for (key, working) in open {
            match working.now {
                Some(_) => keys.insert(key.clone()),
                None => keys.remove(key),
            };
        }
        Ok(keys.into_iter().collect())
    }

    /// Everything that differs from the base.
    pub(crate) fn staged(&mut self) -> Result<Vec<Staged>> {
        let mut staged = Vec::new();
        for (key, working) in self.trees.iter_mut().filter(|(_, working)| !working.is_clean()) {
            let Working { base, start, now } = working;
            let version = now.as_mut().map(Present::version).transpose()?;
            if !same_version(base.as_ref(), version.as_ref()) {
                let nodes = now.as_ref().map(|now| Arc::clone(&now.nodes));
                let (base, start) = (base.clone(), start.clone());
                staged.push(Staged { key: key.clone(), base, start, now: version.zip(nodes) });
            }
        }
        Ok(staged)
    }

    /// The catalog with what is staged in it. Its new nodes, and those of its trees, live as long as it does.
    pub(crate) fn working_catalog(&mut self) -> Result<Catalog> {
        let staged = self.staged()?;
        let changes: BTreeMap<_, _> =
            staged.into_iter().map(|staged| (staged.key, staged.now.map(|(version, _)| version))).collect();
        let catalog = catalog_with(&self.catalog, &self.nodes.for_tree(), &changes)?;
        let present = changes.into_iter().filter_map(|(key, version)| Some((key, version?)));
        Ok(catalog.with_staged(present.collect()))
    }

    /// Moves to a commit with nothing staged.
    pub(crate) fn move_to(&mut self, base: Option<CommitId>, catalog: Catalog, nodes: Arc<StagedNodes>) {
        self.base = base;
        self.catalog = catalog;
        self.nodes = nodes;
        self.trees.clear();
        self.borrowed.clear();
        self.open_trees_max = OPEN_TREES_MAX;
    }

    /// Moves to a commit with this staged, whose new nodes are where they were.
    pub(crate) fn move_with(&mut self, base: Option<CommitId>, catalog: Catalog, staged: Vec<Staged>) {
        self.base = base;
        self.catalog = catalog;
        let working = |staged: Staged| {
            let now = staged.now.map(|(version, nodes)| Present::new(nodes, &version));
            (staged.key, Working { base: staged.base, start: staged.start, now })
        };
        self.trees = staged.into_iter().map(working).collect();
    }
}

/// A catalog with some trees set and others dropped; its reader is `writer` then.
pub(crate) fn catalog_with(
    catalog: &Catalog,
    writer: &Arc<TreeNodes>,
    changes: &BTreeMap<TreeKey, Option<TreeVersion>>,
) -> Result<Catalog> {
    let catalog = catalog.with_reader(Arc::clone(writer) as _).apply(&**writer, changes)?;
    // An empty tree has a root node too, which no edit writes.
    let empty = |tree: &Tree| tree.is_empty().then(|| Arc::clone(tree.root()));
    let roots = changes.values().flatten().filter_map(|version| empty(&version.tree));
    for root in roots.chain(empty(catalog.as_tree())) {
        writer.write_node(root)?;
    }
    Ok(catalog)
}

/// Whether two versions of a tree are the same: contents, configuration and metadata.
pub(crate) fn same_version(one: Option<&TreeVersion>, other: Option<&TreeVersion>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => {
            one.tree.root_hash() == other.tree.root_hash()
                && one.tree.config() == other.tree.config()
                && one.metadata == other.metadata
        }
        _ => false,
    }
}
