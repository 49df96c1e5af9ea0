//! Merging revisions: the catalogs by core's merge, and each tree that changed on both sides by the driver of its kind.
//!
//! **Invariant:** a tree that changed on one side only is taken whole. A tree of a kind that no driver is registered for
//! is never merged: when both sides changed it, the merge is refused by name.

mod base;
mod catalog;
mod map;

use std::{collections::BTreeMap, fmt, sync::Arc};

use prolly_core::NodeWriter;

pub(crate) use base::{BaseCatalog, merge_base_catalog};
pub(crate) use catalog::{MergedCatalog, merge_catalogs};
pub use map::MapDriver;

use crate::{Catalog, MergeConflict, Result, TreeKey, TreeKind, TreeVersion};

/// How a conflict is to be settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// As in the revision that is merged.
    Source,
    /// As in the revision that it is merged into.
    Destination,
    /// With this value, or with none.
    Value(Option<Vec<u8>>),
    /// Not at all: the merge fails, with this conflict among the reasons.
    Unresolved,
}

/// What settles the conflicts of a merge.
pub enum MergeStrategy<'a> {
    /// Nothing: a merge with conflicts fails, with all of them.
    Refuse,
    /// The revision that is merged wins.
    TakeSource,
    /// The revision that it is merged into wins.
    TakeDestination,
    /// A function of the conflict. It is asked once for each, tree by tree and in the order of the keys.
    Resolve(&'a mut dyn FnMut(&MergeConflict) -> Result<Resolution>),
    /// Another one for each tree.
    ByTree(TreeStrategies<'a>),
    /// What both started from: for the virtual base of several merge bases.
    #[doc(hidden)]
    TakeBase,
}

/// How the conflicts of each tree are settled.
pub struct TreeStrategies<'a> {
    /// For the trees that have a strategy of their own.
    pub trees: BTreeMap<TreeKey, MergeStrategy<'a>>,
    /// For all others.
    pub others: Box<MergeStrategy<'a>>,
}

impl<'a> MergeStrategy<'a> {
    /// The strategy for a tree: another one than [`MergeStrategy::ByTree`].
    pub fn of_tree(&mut self, tree: &TreeKey) -> &mut Self {
        match self {
            Self::ByTree(TreeStrategies { trees, others }) => match trees.get_mut(tree) {
                Some(strategy) => strategy.of_tree(tree),
                None => others.of_tree(tree),
            },
            strategy => strategy,
        }
    }
}

/// A tree that changed on both sides.
pub struct MergeInput<'a> {
    /// Its name.
    pub tree: &'a TreeKey,
    /// As the common ancestor has it: an empty tree, without metadata, when both sides made it.
    pub base: &'a TreeVersion,
    /// As the revision has it that is merged into.
    pub ours: &'a TreeVersion,
    /// As the revision has it that is merged.
    pub theirs: &'a TreeVersion,
    /// Takes new nodes; the three trees can read them back.
    pub writer: &'a dyn NodeWriter,
}

/// What the merge of a tree came to.
pub enum MergeOutcome {
    /// Everything was merged.
    Clean(TreeVersion),
    /// These conflicts were left unresolved: all there are.
    Conflicts(Vec<MergeConflict>),
}

/// Merges the trees of a kind. The entries are merged by [`prolly_core::merge`]; a driver knows what they mean.
pub trait MergeDriver: Send + Sync {
    /// Merges a tree that changed on both sides. All three versions have the same configuration.
    ///
    /// # Errors
    /// [`Error::CannotMerge`](crate::Error::CannotMerge); what reading, writing and the strategy report.
    fn merge(&self, input: &MergeInput<'_>, strategy: &mut MergeStrategy<'_>) -> Result<MergeOutcome>;
}

/// The catalogs of a merge, once every tree has been merged.
pub struct MergedTrees<'a> {
    /// The common ancestor's.
    pub base: &'a Catalog,
    /// That of the revision that is merged into.
    pub ours: &'a Catalog,
    /// That of the revision that is merged.
    pub theirs: &'a Catalog,
    /// What became of them. Derived trees that changed on both sides are as in `ours`, or gone as there.
    pub merged: &'a Catalog,
    /// Takes new nodes; the merged catalog and its trees can read them back.
    pub writer: &'a dyn NodeWriter,
}

/// What a finisher does to the merged trees.
#[derive(Default)]
pub struct Finish {
    /// Trees to set, or to drop.
    pub edits: BTreeMap<TreeKey, Option<TreeVersion>>,
    /// Conflicts that the merge has made, such as two rows with the same unique value.
    pub conflicts: Vec<MergeConflict>,
}

/// Brings trees that follow from others up to date after a merge, and checks what only the merged trees together can
/// break.
pub trait MergeFinisher: Send + Sync {
    /// Looks at the merged trees. Called once for each merge that has no conflicts so far.
    ///
    /// # Errors
    /// What reading and writing report.
    fn finish(&self, trees: &MergedTrees<'_>, strategy: &mut MergeStrategy<'_>) -> Result<Finish>;
}

/// How the trees of each kind are merged. Knows plain maps from the start.
#[derive(Clone)]
pub struct MergeDrivers {
    by_kind: BTreeMap<TreeKind, KindRule>,
    finishers: BTreeMap<&'static str, Arc<dyn MergeFinisher>>,
}

/// What happens to a tree that changed on both sides.
#[derive(Clone)]
pub(crate) enum KindRule {
    /// Its driver merges it.
    Merged(Arc<dyn MergeDriver>),
    /// It follows from other trees; a finisher makes it.
    Derived,
}

impl Default for MergeDrivers {
    fn default() -> Self {
        let map: Arc<dyn MergeDriver> = Arc::new(MapDriver);
        Self { by_kind: BTreeMap::from([(TreeKind::MAP, KindRule::Merged(map))]), finishers: BTreeMap::new() }
    }
}

impl MergeDrivers {
    /// Says who merges the trees of a kind.
    pub fn set_driver(&mut self, kind: TreeKind, driver: Arc<dyn MergeDriver>) {
        self.by_kind.insert(kind, KindRule::Merged(driver));
    }

    /// Says that the trees of a kind follow from others, and are made by a finisher.
    pub fn set_derived(&mut self, kind: TreeKind) {
        self.by_kind.insert(kind, KindRule::Derived);
    }

    /// What happens to trees of a kind; `None` where nothing is registered.
    pub(crate) fn rule(&self, kind: TreeKind) -> Option<&KindRule> {
        self.by_kind.get(&kind)
    }

    /// The finishers, in the order in which they are called.
    pub(crate) fn finishers(&self) -> impl Iterator<Item = &dyn MergeFinisher> {
        self.finishers.values().map(|finisher| &**finisher)
    }

    /// Adds a finisher, in place of one of the same name. They are called in the order of their names.
    pub fn set_finisher(&mut self, name: &'static str, finisher: Arc<dyn MergeFinisher>) {
        self.finishers.insert(name, finisher);
    }
}

impl fmt::Debug for MergeDrivers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.by_kind.keys()).finish()
    }
}
