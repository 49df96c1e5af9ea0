//! What two revisions are compared with when they are merged.
//!
//! **Invariant:** several best common ancestors are merged into one virtual base first, as Git does; where they disagree
//! the virtual base has what their own common ancestor had.

use std::sync::Arc;

use super::{MergeDrivers, MergeStrategy, MergedCatalog, merge_catalogs};
use crate::{
    Catalog, CommitGraph, CommitId, Result, is_ancestor, merge_bases, revision::read_commit,
    store::nodes::StagedNodes,
};

/// The base to merge two commits with; `None` when they have no common history. What it holds alive has to outlive its
/// use.
pub(crate) fn merge_base_catalog(
    graph: &dyn CommitGraph,
    one: &CommitId,
    other: &CommitId,
    drivers: &MergeDrivers,
    nodes: &Arc<StagedNodes>,
) -> Result<Option<BaseCatalog>> {
    let bases = merge_bases(graph, one, other)?;
    VirtualBase { graph, drivers, nodes }.of(&bases)
}

/// A base: that of a commit, or a virtual one.
pub(crate) enum BaseCatalog {
    Commit(Catalog),
    Virtual(MergedCatalog),
}

impl BaseCatalog {
    pub(crate) fn catalog(&self) -> &Catalog {
        match self {
            Self::Commit(catalog) => catalog,
            Self::Virtual(merged) => &merged.catalog,
        }
    }
}

struct VirtualBase<'a> {
    graph: &'a dyn CommitGraph,
    drivers: &'a MergeDrivers,
    nodes: &'a Arc<StagedNodes>,
}

impl VirtualBase<'_> {
    /// Merges commits one after the other; `None` for no commits.
    fn of(&self, commits: &[CommitId]) -> Result<Option<BaseCatalog>> {
        let Some((first, rest)) = commits.split_first() else { return Ok(None) };
        let mut merged = BaseCatalog::Commit(self.catalog(first)?);
        for (index, next) in rest.iter().enumerate() {
            let base = self.of(&self.common(&commits[..=index], next)?)?;
            let empty = Catalog::empty(self.graph.objects())?;
            merged = BaseCatalog::Virtual(merge_catalogs(
                base.as_ref().map_or(&empty, BaseCatalog::catalog),
                merged.catalog(),
                &self.catalog(next)?,
                self.drivers,
                self.nodes,
                &mut MergeStrategy::TakeBase,
            )?);
        }
        Ok(Some(merged))
    }

    /// The best common ancestors of a commit and any of several.
    fn common(&self, several: &[CommitId], commit: &CommitId) -> Result<Vec<CommitId>> {
        let mut found: Vec<CommitId> = Vec::new();
        for one in several {
            for base in merge_bases(self.graph, one, commit)? {
                if !found.contains(&base) {
                    found.push(base);
                }
            }
        }
        let mut best = Vec::with_capacity(found.len());
        for one in &found {
            let mut redundant = false;
            for other in found.iter().filter(|other| *other != one) {
                redundant = redundant || is_ancestor(self.graph, one, other)?;
            }
            if !redundant {
                best.push(*one);
            }
        }
        Ok(best)
    }

    fn catalog(&self, id: &CommitId) -> Result<Catalog> {
        let commit = read_commit(self.graph, id)?;
        Catalog::open(self.graph.objects(), &commit.root)
    }
}
