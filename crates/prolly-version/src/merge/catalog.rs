//! Merges two catalogs: core's merge, with the driver of a tree's kind where both sides changed a tree.

use std::sync::Arc;

use prolly_core::{Conflict, Found, Link, Merged, NodeWriter, Resolution as Core, Tree, Value};

use super::{KindRule, MergeDrivers, MergeInput, MergeOutcome, MergeStrategy, MergedTrees, Resolution};
use crate::{
    Catalog, Error, MergeConflict, Result, TreeKey, TreeVersion,
    catalog::{encode_entry, read_key},
    store::nodes::{StagedNodes, TreeNodes},
    store::reencode::{merged_config, reencode},
    store::state::{catalog_with, same_version},
};

/// A merged catalog. Its new nodes live as long as it does.
pub(crate) struct MergedCatalog {
    pub(crate) catalog: Catalog,
    _nodes: Vec<Arc<TreeNodes>>,
}

/// The three sides of a merge.
struct Sides<'a> {
    base: &'a Catalog,
    ours: &'a Catalog,
    theirs: &'a Catalog,
}

/// Merges two catalogs that were both made from `base`. New nodes go to `nodes`.
///
/// # Errors
/// [`Error::MergeConflicts`] with all conflicts that the strategy left, [`Error::NoMergeDriver`], [`Error::CannotMerge`];
/// what reading, writing and the strategy report.
pub(crate) fn merge_catalogs(
    base: &Catalog,
    ours: &Catalog,
    theirs: &Catalog,
    drivers: &MergeDrivers,
    nodes: &Arc<StagedNodes>,
    strategy: &mut MergeStrategy<'_>,
) -> Result<MergedCatalog> {
    let writer = nodes.for_tree();
    let read_back = |catalog: &Catalog| catalog.with_reader(Arc::clone(&writer) as _);
    let (base, ours, theirs) = (&read_back(base), &read_back(ours), &read_back(theirs));
    let mut merge = CatalogMerge {
        sides: Sides { base, ours, theirs },
        drivers,
        nodes,
        used: vec![Arc::clone(&writer)],
        conflicts: Vec::new(),
        failure: None,
    };
    let merged =
        prolly_core::merge(base.as_tree(), ours.as_tree(), theirs.as_tree(), &*writer, &mut |conflict| {
            merge.settle(conflict, strategy)
        });
    let CatalogMerge { mut used, conflicts, failure, .. } = merge;
    if let Some(error) = failure {
        return Err(error);
    }
    if !conflicts.is_empty() {
        return Err(Error::MergeConflicts { conflicts });
    }
    let Merged::Clean(tree) = merged? else {
        unreachable!("every conflict is noted in the conflicts that were looked at above");
    };
    let mut catalog = Catalog::from_tree(tree);
    for finisher in drivers.finishers() {
        let trees = MergedTrees { base, ours, theirs, merged: &catalog, writer: &*writer };
        let finish = finisher.finish(&trees, strategy)?;
        if !finish.conflicts.is_empty() {
            return Err(Error::MergeConflicts { conflicts: finish.conflicts });
        }
        if !finish.edits.is_empty() {
            let writer = nodes.for_tree();
            used.push(Arc::clone(&writer));
            catalog = catalog_with(&catalog, &writer, &finish.edits)?;
        }
    }
    if catalog.is_empty() {
        writer.write_node(Arc::clone(catalog.root()))?;
    }
    Ok(MergedCatalog { catalog, _nodes: used })
}

struct CatalogMerge<'a> {
    sides: Sides<'a>,
    drivers: &'a MergeDrivers,
    nodes: &'a Arc<StagedNodes>,
    used: Vec<Arc<TreeNodes>>,
    conflicts: Vec<MergeConflict>,
    failure: Option<Error>,
}

impl CatalogMerge<'_> {
    /// Settles what both sides did to one tree.
    fn settle(&mut self, conflict: &Conflict, strategy: &mut MergeStrategy<'_>) -> prolly_core::Result<Core> {
        match self.try_settle(conflict, strategy) {
            Ok(resolution) => Ok(resolution),
            Err(Error::Tree(error)) => Err(error),
            Err(error) => {
                self.failure = Some(error);
                Err(prolly_core::Error::store("merging a tree failed"))
            }
        }
    }

    fn try_settle(&mut self, conflict: &Conflict, strategy: &mut MergeStrategy<'_>) -> Result<Core> {
        let tree = read_key(&conflict.key)?;
        let driver = match self.drivers.rule(tree.kind()) {
            Some(KindRule::Derived) => return Ok(Core::Ours),
            Some(KindRule::Merged(driver)) => Some(driver),
            None => None,
        };
        let strategy = strategy.of_tree(&tree);
        let version = |catalog: &Catalog, side: &Option<Found>| match side {
            Some(_) => catalog.version(&tree),
            None => Ok(None),
        };
        let base = version(self.sides.base, &conflict.base)?;
        let ours = version(self.sides.ours, &conflict.ours)?;
        let theirs = version(self.sides.theirs, &conflict.theirs)?;
        let (Some(ours), Some(theirs)) = (ours, theirs) else {
            return self.settle_dropped(tree, conflict, strategy);
        };
        let take_base = || Core::Value(conflict.base.as_ref().map(|found| found.value().to_owned()));
        let driver = match (driver, &strategy) {
            (Some(driver), _) => driver,
            (None, MergeStrategy::TakeBase) => return Ok(take_base()),
            (None, _) => return Err(Error::NoMergeDriver { kind: tree.kind(), tree }),
        };
        let base_config = base.as_ref().map(|base| base.tree.config());
        let Some(config) = merged_config(base_config, ours.tree.config(), theirs.tree.config()) else {
            if matches!(strategy, MergeStrategy::TakeBase) {
                return Ok(take_base());
            }
            let reason = "its configuration is not the same on both sides".to_owned();
            return Err(Error::CannotMerge { tree, reason });
        };
        let nodes = self.nodes.for_tree();
        let brought = |version: &TreeVersion| -> Result<TreeVersion> {
            let metadata = version.metadata.clone();
            Ok(TreeVersion { tree: reencode(&version.tree, config, &nodes)?, metadata })
        };
        let sides = (&ours, &theirs);
        let base = match &base {
            Some(base) => brought(base)?,
            None => TreeVersion { tree: Tree::empty(Arc::clone(&nodes) as _, config)?, metadata: Vec::new() },
        };
        let (ours, theirs) = (brought(sides.0)?, brought(sides.1)?);
        let input = MergeInput { tree: &tree, base: &base, ours: &ours, theirs: &theirs, writer: &*nodes };
        match driver.merge(&input, strategy)? {
            MergeOutcome::Conflicts(conflicts) => {
                self.conflicts.extend(conflicts);
                Ok(Core::Unresolved)
            }
            MergeOutcome::Clean(merged) if same_version(Some(&merged), Some(sides.0)) => Ok(Core::Ours),
            MergeOutcome::Clean(merged) if same_version(Some(&merged), Some(sides.1)) => Ok(Core::Theirs),
            MergeOutcome::Clean(merged) => {
                if merged.tree.is_empty() {
                    nodes.write_node(Arc::clone(merged.tree.root()))?;
                }
                self.used.push(nodes);
                let (Link { hash: root, .. }, descriptor) = encode_entry(&merged)?;
                Ok(Core::Value(Some(Value::Tree { root, descriptor })))
            }
        }
    }

    /// Settles that one side dropped a tree which the other changed.
    fn settle_dropped(
        &mut self,
        tree: TreeKey,
        conflict: &Conflict,
        strategy: &mut MergeStrategy<'_>,
    ) -> Result<Core> {
        let reported = MergeConflict {
            tree: tree.clone(),
            key: None,
            base: None,
            source: None,
            destination: None,
            reason: None,
        };
        let resolution = match strategy {
            MergeStrategy::Refuse => Resolution::Unresolved,
            MergeStrategy::TakeSource => Resolution::Source,
            MergeStrategy::TakeDestination => Resolution::Destination,
            MergeStrategy::TakeBase => {
                return Ok(Core::Value(conflict.base.as_ref().map(|found| found.value().to_owned())));
            }
            MergeStrategy::Resolve(resolve) => resolve(&reported)?,
            MergeStrategy::ByTree(_) => unreachable!("a strategy of a tree is none by tree"),
        };
        Ok(match resolution {
            Resolution::Source => Core::Theirs,
            Resolution::Destination => Core::Ours,
            Resolution::Unresolved => {
                self.conflicts.push(reported);
                Core::Unresolved
            }
            Resolution::Value(_) => {
                let reason =
                    "it was dropped on one side and changed on the other; a value cannot settle that";
                return Err(Error::CannotMerge { tree, reason: reason.to_owned() });
            }
        })
    }
}
