//! Merging all namespaces of a revision into the branch that the store stands on.

use std::collections::BTreeMap;

use prolly_version::{CommitId, MergeConflict, MergeOptions, MergeStrategy, TreeStrategies};

use crate::{NamespacedStore, Result, name::tree_of, namespace_of};

/// A strategy for each of some namespaces, and one for all other trees.
///
/// # Errors
/// [`Error::InvalidName`](crate::Error::InvalidName).
pub fn by_namespace<'a>(
    strategies: impl IntoIterator<Item = (String, MergeStrategy<'a>)>,
    others: MergeStrategy<'a>,
) -> Result<MergeStrategy<'a>> {
    let trees = strategies.into_iter().map(|(name, strategy)| Ok((tree_of(&name)?, strategy)));
    let trees = trees.collect::<Result<BTreeMap<_, _>>>()?;
    Ok(MergeStrategy::ByTree(TreeStrategies { trees, others: Box::new(others) }))
}

impl NamespacedStore {
    /// Merges a revision, in one commit with two parents, namespace by namespace: one that changed on one side only is taken
    /// as it is there, one that changed on both is merged key by key, and one that was dropped on one side and changed on
    /// the other is a conflict as a whole.
    ///
    /// # Errors
    /// [`Error::UnknownNamespace`](crate::Error::UnknownNamespace) for a strategy of a namespace that neither side has; as
    /// [`Store::merge`](prolly_version::Store::merge).
    pub fn merge(&self, source: &str, options: MergeOptions<'_>) -> Result<CommitId> {
        if let MergeStrategy::ByTree(TreeStrategies { trees, .. }) = &options.strategy {
            let (ours, theirs) = (self.at("HEAD")?, self.at(source)?);
            for name in trees.keys().filter_map(namespace_of) {
                if ours.root_hash(name)?.is_none() && theirs.root_hash(name)?.is_none() {
                    return Err(Self::unknown(name));
                }
            }
        }
        Ok(self.versions().merge(source, options)?)
    }

    /// Finds out whether a revision merges without conflicts: the conflicts that there would be, each naming its tree (see
    /// [`namespace_of`]). Changes nothing.
    ///
    /// # Errors
    /// As [`Store::try_merge`](prolly_version::Store::try_merge).
    pub fn try_merge(&self, source: &str) -> Result<Vec<MergeConflict>> {
        Ok(self.versions().try_merge(source)?)
    }
}
