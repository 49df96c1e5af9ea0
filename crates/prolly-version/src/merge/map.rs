//! The driver of plain maps.

use prolly_core::{Conflict, Merged, NodeReader, Value};

use super::{MergeDriver, MergeInput, MergeOutcome, MergeStrategy, Resolution};
use crate::{Error, MergeConflict, Result, TreeKey, TreeVersion};

/// Merges trees key by key, and their metadata as a whole.
#[derive(Clone, Copy, Debug, Default)]
pub struct MapDriver;

impl MergeDriver for MapDriver {
    fn merge(&self, input: &MergeInput<'_>, strategy: &mut MergeStrategy<'_>) -> Result<MergeOutcome> {
        let metadata = merge_metadata(input, strategy)?;
        Ok(match merge_entries(input, strategy)? {
            Merged::Clean(tree) => MergeOutcome::Clean(TreeVersion { tree, metadata }),
            Merged::Conflicts(conflicts) => {
                let reader = &**input.ours.tree.reader();
                let read = |conflict: &Conflict| read_conflict(input.tree, reader, conflict);
                MergeOutcome::Conflicts(conflicts.iter().map(read).collect::<Result<_>>()?)
            }
        })
    }
}

/// Merges the entries of a tree by a strategy: the part that drivers of other kinds share.
///
/// # Errors
/// What core's merge and the strategy report.
pub(crate) fn merge_entries(input: &MergeInput<'_>, strategy: &mut MergeStrategy<'_>) -> Result<Merged> {
    let reader = &**input.ours.tree.reader();
    let mut failure = None;
    let mut resolver = |conflict: &Conflict| match settle(input.tree, reader, conflict, strategy) {
        Ok(resolution) => Ok(resolution),
        Err(Error::Tree(error)) => Err(error),
        Err(error) => {
            failure = Some(error);
            Err(prolly_core::Error::store("settling a conflict failed"))
        }
    };
    let (base, ours, theirs) = (&input.base.tree, &input.ours.tree, &input.theirs.tree);
    let merged = prolly_core::merge(base, ours, theirs, input.writer, &mut resolver);
    match failure {
        Some(error) => Err(error),
        None => Ok(merged?),
    }
}

fn settle(
    tree: &TreeKey,
    reader: &dyn NodeReader,
    conflict: &Conflict,
    strategy: &mut MergeStrategy<'_>,
) -> Result<prolly_core::Resolution> {
    use prolly_core::Resolution as Core;
    let resolve = match strategy.of_tree(tree) {
        MergeStrategy::Refuse => return Ok(Core::Unresolved),
        MergeStrategy::TakeSource => return Ok(Core::Theirs),
        MergeStrategy::TakeDestination => return Ok(Core::Ours),
        MergeStrategy::TakeBase => {
            let base = conflict.base.as_ref().map(|found| found.value().to_owned());
            return Ok(Core::Value(base));
        }
        MergeStrategy::Resolve(resolve) => resolve,
        MergeStrategy::ByTree(_) => unreachable!("a strategy of a tree is none by tree"),
    };
    Ok(match resolve(&read_conflict(tree, reader, conflict)?)? {
        Resolution::Source => Core::Theirs,
        Resolution::Destination => Core::Ours,
        Resolution::Value(value) => Core::Value(value.map(Value::Inline)),
        Resolution::Unresolved => Core::Unresolved,
    })
}

/// Reads what the sides of a conflict hold.
fn read_conflict(tree: &TreeKey, reader: &dyn NodeReader, conflict: &Conflict) -> Result<MergeConflict> {
    Ok(MergeConflict {
        tree: tree.clone(),
        key: Some(conflict.key.clone()),
        base: conflict.read(reader, &conflict.base)?,
        source: conflict.read(reader, &conflict.theirs)?,
        destination: conflict.read(reader, &conflict.ours)?,
        reason: None,
    })
}

/// Takes the metadata of the side that changed it.
fn merge_metadata(input: &MergeInput<'_>, strategy: &mut MergeStrategy<'_>) -> Result<Vec<u8>> {
    let (base, ours, theirs) = (&input.base.metadata, &input.ours.metadata, &input.theirs.metadata);
    let merged = match strategy.of_tree(input.tree) {
        _ if ours == theirs || theirs == base => ours,
        _ if ours == base => theirs,
        MergeStrategy::TakeSource => theirs,
        MergeStrategy::TakeDestination => ours,
        MergeStrategy::TakeBase => base,
        MergeStrategy::Refuse | MergeStrategy::Resolve(_) => {
            let reason = "its metadata changed on both sides".to_owned();
            return Err(Error::CannotMerge { tree: input.tree.clone(), reason });
        }
        MergeStrategy::ByTree(_) => unreachable!("a strategy of a tree is none by tree"),
    };
    Ok(merged.clone())
}
