//! Merges a table that changed on both sides: its description, then its rows.

use prolly_core::{Conflict, Merged, Resolution as Core, Value as Stored};
use prolly_version::{
    MergeConflict, MergeDriver, MergeInput, MergeOutcome, MergeStrategy, Result as VersionResult, TreeVersion,
};

use super::{
    Answer, ask, decode_table, given_row,
    rows::{Conversion, Favour, merge_rows},
    schema::{incompatibility, merge_tables},
    version_error,
};
use crate::{
    Result,
    row::{decode_row, encode_row},
    table::Table,
};

/// The driver of tables.
pub(super) struct TableDriver;

impl MergeDriver for TableDriver {
    fn merge(&self, input: &MergeInput<'_>, strategy: &mut MergeStrategy<'_>) -> VersionResult<MergeOutcome> {
        merge_table(input, strategy).map_err(|error| version_error(error, input.tree))
    }
}

fn merge_table(input: &MergeInput<'_>, strategy: &mut MergeStrategy<'_>) -> Result<MergeOutcome> {
    let decode = |version: &TreeVersion| decode_table(input.tree, &version.metadata);
    let base = match input.base.metadata.is_empty() {
        true => None,
        false => Some(decode(input.base)?),
    };
    let (ours, theirs) = (decode(input.ours)?, decode(input.theirs)?);
    let merged = merge_tables(base.as_ref(), &ours, &theirs).and_then(|merged| {
        for (side, version) in [(&ours, input.ours), (&theirs, input.theirs)] {
            if let Some(reason) = incompatibility(side, &merged)
                && version.tree.root_hash() != input.base.tree.root_hash()
                && !version.tree.is_empty()
            {
                return Err(reason);
            }
        }
        Ok(merged)
    });
    match merged {
        Ok(merged) => RowMerge { input, base: base.as_ref(), ours: &ours, theirs: &theirs, merged: &merged }
            .run(strategy),
        Err(reason) => merge_whole(input, strategy, reason),
    }
}

/// Settles that the descriptions contradict each other.
fn merge_whole(
    input: &MergeInput<'_>,
    strategy: &mut MergeStrategy<'_>,
    reason: String,
) -> Result<MergeOutcome> {
    let conflict = MergeConflict {
        tree: input.tree.clone(),
        key: None,
        base: None,
        source: None,
        destination: None,
        reason: Some(reason),
    };
    Ok(match ask(strategy, &conflict)? {
        Answer::Source => MergeOutcome::Clean(input.theirs.clone()),
        Answer::Destination => MergeOutcome::Clean(input.ours.clone()),
        // What stands for a base has to be something where there was nothing.
        Answer::Base if input.base.metadata.is_empty() => MergeOutcome::Clean(input.ours.clone()),
        Answer::Base => MergeOutcome::Clean(input.base.clone()),
        Answer::Unresolved => MergeOutcome::Conflicts(vec![conflict]),
        Answer::Value(_) => {
            let reason = format!("{conflict}: a value cannot settle that");
            return Err(prolly_version::Error::CannotMerge { tree: conflict.tree, reason }.into());
        }
    })
}

struct RowMerge<'a> {
    input: &'a MergeInput<'a>,
    base: Option<&'a Table>,
    ours: &'a Table,
    theirs: &'a Table,
    merged: &'a Table,
}

impl RowMerge<'_> {
    fn run(&self, strategy: &mut MergeStrategy<'_>) -> Result<MergeOutcome> {
        let MergeInput { base, ours, theirs, writer, .. } = *self.input;
        let brought = |version: &TreeVersion, table: &Table| {
            Conversion::new(table, self.merged).convert_tree(&version.tree, writer)
        };
        let base = match self.base {
            Some(table) => brought(base, table)?,
            None => base.tree.clone(),
        };
        let (ours, theirs) = (brought(ours, self.ours)?, brought(theirs, self.theirs)?);
        let reader = &**ours.reader();
        let mut failure = None;
        let mut settle = |conflict: &Conflict| {
            let rows =
                [&conflict.base, &conflict.ours, &conflict.theirs].map(|side| conflict.read(reader, side));
            let [base, ours, theirs] = rows;
            self.settle(&conflict.key, [base?, ours?, theirs?], strategy).map_err(|error| {
                failure = Some(error);
                prolly_core::Error::store("settling a conflict of rows failed")
            })
        };
        let merged = prolly_core::merge(&base, &ours, &theirs, writer, &mut settle);
        if let Some(error) = failure {
            return Err(error);
        }
        Ok(match merged? {
            Merged::Clean(tree) => MergeOutcome::Clean(TreeVersion { tree, metadata: self.merged.encode()? }),
            Merged::Conflicts(conflicts) => {
                let reported = conflicts.iter().map(|conflict| self.reported(&conflict.key));
                MergeOutcome::Conflicts(reported.collect::<Result<_>>()?)
            }
        })
    }

    /// Settles what both sides did to a row, given as rows of the merged table.
    fn settle(
        &self,
        key: &[u8],
        [base, ours, theirs]: [Option<Vec<u8>>; 3],
        strategy: &mut MergeStrategy<'_>,
    ) -> Result<Core> {
        let by_column = |favour: Favour| -> Result<Option<Core>> {
            let (Some(ours), Some(theirs)) = (&ours, &theirs) else { return Ok(None) };
            let decode = |row: &Vec<u8>| decode_row(self.merged, row);
            let base = base.as_ref().map(decode).transpose()?;
            let has_columns = self.merged.columns.is_some();
            let merged = merge_rows(base.as_deref(), &decode(ours)?, &decode(theirs)?, favour, has_columns);
            let encode = |row: Vec<_>| encode_row(self.merged.columns.as_deref(), &row);
            Ok(merged.map(encode).transpose()?.map(|row| Core::Value(Some(Stored::Inline(row)))))
        };
        if let Some(merged) = by_column(Favour::Nobody)? {
            return Ok(merged);
        }
        let favour = match strategy.of_tree(self.input.tree) {
            MergeStrategy::Refuse => return Ok(Core::Unresolved),
            MergeStrategy::TakeSource => Favour::Theirs,
            MergeStrategy::TakeDestination => Favour::Ours,
            MergeStrategy::TakeBase => Favour::Base,
            MergeStrategy::Resolve(_) | MergeStrategy::ByTree(_) => Favour::Nobody,
        };
        if favour != Favour::Nobody
            && let Some(merged) = by_column(favour)?
        {
            return Ok(merged);
        }
        Ok(match ask(strategy, &self.reported(key)?)? {
            Answer::Source => Core::Theirs,
            Answer::Destination => Core::Ours,
            Answer::Base => Core::Value(base.map(Stored::Inline)),
            Answer::Value(None) => Core::Value(None),
            Answer::Value(Some(row)) => {
                Core::Value(Some(Stored::Inline(given_row(self.ours, self.merged, key, row)?)))
            }
            Answer::Unresolved => Core::Unresolved,
        })
    }

    /// A conflict of a row: what the sides have, each as a row of its own description.
    fn reported(&self, key: &[u8]) -> Result<MergeConflict> {
        let read = |version: &TreeVersion| -> Result<_> { Ok(version.tree.get(key)?) };
        Ok(MergeConflict {
            tree: self.input.tree.clone(),
            key: Some(key.to_vec()),
            base: read(self.input.base)?,
            source: read(self.input.theirs)?,
            destination: read(self.input.ours)?,
            reason: None,
        })
    }
}
