//! Indexes after a merge: those of a side, brought up to date with what the merge did to its rows.

use std::collections::BTreeMap;

use gluesql_core::data::Value;
use prolly_core::{Difference, Found, NodeWriter, SortedEdits, Tree, TreeConfig, Value as Stored, ValueRef};

use super::schema::{incompatibility, renamed};
use crate::{
    Result,
    row::decode_row,
    table::{Index, IndexKind, Table},
};

/// A row that differs between two trees of rows.
pub(super) struct Change {
    pub(super) key: Vec<u8>,
    pub(super) old: Option<Vec<Value>>,
    pub(super) new: Option<Vec<Value>>,
}

/// What differs between two trees of rows of a table.
///
/// # Errors
/// [`Error::Damaged`](crate::Error::Damaged); what reading reports.
pub(super) fn changes(table: &Table, old: &Tree, new: &Tree) -> Result<Vec<Change>> {
    let row = |tree: &Tree, key: &[u8], found: Option<&Found>| -> Result<Option<Vec<Value>>> {
        Ok(match found.map(Found::value) {
            None => None,
            Some(ValueRef::Inline(row)) => Some(decode_row(table, row)?),
            Some(_) => tree.get(key)?.map(|row| decode_row(table, &row)).transpose()?,
        })
    };
    let mut diff = old.diff(new)?;
    let mut changes = Vec::new();
    while let Some(Difference { key, left, right }) = diff.next_difference()? {
        let (old, new) = (row(old, key, left.as_ref())?, row(new, key, right.as_ref())?);
        changes.push(Change { key: key.to_vec(), old, new });
    }
    Ok(changes)
}

/// Whether an index of a side holds what an index of the merged table holds for the same rows.
pub(super) fn is_same_index(side: &Table, index: &Index, merged: &Table, wanted: &Index) -> bool {
    side.index_tree(index) == merged.index_tree(wanted)
        && renamed(&index.expr, side, merged) == wanted.expr
        && incompatibility(side, merged).is_none()
}

/// Two rows that have the same value of a unique index.
pub(super) struct Duplicate {
    /// The row that got the value.
    pub(super) row: Vec<u8>,
    /// The one that has it.
    pub(super) other: Vec<u8>,
}

/// Brings an index up to date with changes of rows.
///
/// # Errors
/// What evaluating the index's expression, reading and writing report.
pub(super) fn update_index(
    table: &Table,
    index: &Index,
    entries: &Tree,
    changes: &[Change],
    writer: &dyn NodeWriter,
) -> Result<(Tree, Vec<Duplicate>)> {
    let is_unique = matches!(index.kind, IndexKind::Unique { .. });
    let entry = |row: &Option<Vec<Value>>, key: &[u8]| match row {
        Some(row) => table.index_entry(index, row, key),
        None => Ok(None),
    };
    let mut edits: BTreeMap<Vec<u8>, Option<Vec<u8>>> = BTreeMap::new();
    let mut added = Vec::new();
    for change in changes {
        let (old, new) = (entry(&change.old, &change.key)?, entry(&change.new, &change.key)?);
        if old == new {
            continue;
        }
        edits.extend(old.map(|(key, _)| (key, None)));
        added.extend(new);
    }
    let mut duplicates = Vec::new();
    for (key, row) in added {
        if is_unique {
            let other = match edits.get(&key) {
                Some(edit) => edit.clone(),
                None => entries.get(&key)?,
            };
            if let Some(other) = other.filter(|other| *other != row) {
                duplicates.push(Duplicate { row, other });
                continue;
            }
        }
        edits.insert(key, Some(row));
    }
    let edits = edits.into_iter().map(|(key, value)| (key, value.map(Stored::Inline)));
    Ok((entries.apply(writer, &mut SortedEdits::new(edits))?, duplicates))
}

/// The configuration of an index that is made from nothing.
pub(super) fn index_config() -> TreeConfig {
    TreeConfig::default()
}
