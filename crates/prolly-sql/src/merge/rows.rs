//! Rows of one description of a table as rows of another, and merging them by column.
//!
//! **Invariant:** a row that is brought into another description keeps the values of the columns that both have. Where the one
//! only adds columns at the end its bytes stay the same, so no row is read.

use std::collections::{BTreeMap, BTreeSet};

use gluesql_core::data::Value;
use prolly_core::{EditRef, EditSource, Locator, NodeWriter, Range, Tree, ValueRef};

use crate::{
    Error, Result,
    row::{decode_row, encode_row, identical},
    table::Table,
};

/// How rows of a table become rows of another description of it.
pub(super) struct Conversion<'a> {
    from: &'a Table,
    to: &'a Table,
    /// For each column of `to`, where it is in `from`.
    places: Vec<Option<usize>>,
    is_identity: bool,
}

impl<'a> Conversion<'a> {
    pub(super) fn new(from: &'a Table, to: &'a Table) -> Self {
        let (old, new) = (from.columns.as_deref().unwrap_or(&[]), to.columns.as_deref().unwrap_or(&[]));
        let places = new.iter().map(|column| old.iter().position(|other| other.id == column.id)).collect();
        let same = old.iter().zip(new).all(|(old, new)| old.id == new.id && identical(&old.fill, &new.fill));
        Self { from, to, places, is_identity: same && old.len() <= new.len() }
    }

    /// A row of `from` as a row of `to`.
    ///
    /// # Errors
    /// [`Error::Damaged`].
    pub(super) fn convert(&self, row: Vec<u8>) -> Result<Vec<u8>> {
        let (Some(from), Some(to), false) = (&self.from.columns, &self.to.columns, self.is_identity) else {
            return Ok(row);
        };
        let mut old = decode_row(self.from, &row)?;
        let mut take = |(place, new): (&Option<usize>, &crate::table::Column)| match place {
            // What filled the rows that were there when the column was added still does.
            Some(place) if identical(&old[*place], &from[*place].fill) => new.fill.clone(),
            Some(place) => std::mem::replace(&mut old[*place], Value::Null),
            None => new.fill.clone(),
        };
        let values: Vec<Value> = self.places.iter().zip(to).map(&mut take).collect();
        encode_row(Some(to), &values)
    }

    /// A tree of rows of `from` as one of `to`. Reads all rows, unless their bytes stay the same.
    ///
    /// # Errors
    /// [`Error::Damaged`]; what reading and writing report.
    pub(super) fn convert_tree(&self, tree: &Tree, writer: &dyn NodeWriter) -> Result<Tree> {
        if self.is_identity {
            return Ok(tree.clone());
        }
        let rows = tree.range::<&[u8]>(..)?;
        let mut edits = Converted { conversion: self, rows, row: (Vec::new(), Vec::new()), failure: None };
        let converted = tree.apply(writer, &mut edits);
        match edits.failure {
            Some(error) => Err(error),
            None => Ok(converted?),
        }
    }
}

/// The rows whose bytes a conversion changes.
struct Converted<'a> {
    conversion: &'a Conversion<'a>,
    rows: Range,
    row: (Vec<u8>, Vec<u8>),
    failure: Option<Error>,
}

impl EditSource for Converted<'_> {
    fn next_edit(&mut self) -> prolly_core::Result<Option<EditRef<'_>>> {
        while let Some((key, row)) = self.rows.next_pair()? {
            match self.conversion.convert(row.clone()) {
                Ok(converted) if converted == row => {}
                Ok(converted) => {
                    self.row = (key, converted);
                    let value = Some(ValueRef::Inline(&self.row.1));
                    return Ok(Some(EditRef { key: &self.row.0, value, locator: Locator::NONE }));
                }
                Err(error) => {
                    self.failure = Some(error);
                    return Err(prolly_core::Error::store("a row does not decode"));
                }
            }
        }
        Ok(None)
    }
}

/// Whose value a column gets that both sides changed differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Favour {
    Ours,
    Theirs,
    Base,
    /// Nobody's: the rows do not merge.
    Nobody,
}

/// Merges a row that both sides have, column by column; a row without columns by the keys of its map.
pub(super) fn merge_rows(
    base: Option<&[Value]>,
    ours: &[Value],
    theirs: &[Value],
    favour: Favour,
    has_columns: bool,
) -> Option<Vec<Value>> {
    match (base, ours, theirs) {
        (None, [Value::Map(ours)], [Value::Map(theirs)]) if !has_columns => {
            Some(vec![Value::Map(merge_maps(None, ours, theirs, favour)?)])
        }
        (Some([Value::Map(base)]), [Value::Map(ours)], [Value::Map(theirs)]) if !has_columns => {
            Some(vec![Value::Map(merge_maps(Some(base), ours, theirs, favour)?)])
        }
        _ => merge_columns(base, ours, theirs, favour),
    }
}

fn merge_columns(
    base: Option<&[Value]>,
    ours: &[Value],
    theirs: &[Value],
    favour: Favour,
) -> Option<Vec<Value>> {
    let column = |place: usize| {
        let base = base.map(|base| &base[place]);
        merge_value(base, Some(&ours[place]), Some(&theirs[place]), favour)?.cloned()
    };
    (0..ours.len()).map(column).collect()
}

fn merge_maps(
    base: Option<&BTreeMap<String, Value>>,
    ours: &BTreeMap<String, Value>,
    theirs: &BTreeMap<String, Value>,
    favour: Favour,
) -> Option<BTreeMap<String, Value>> {
    let mut merged = BTreeMap::new();
    for key in ours.keys().chain(theirs.keys()).collect::<BTreeSet<_>>() {
        let base = base.and_then(|base| base.get(key));
        if let Some(value) = merge_value(base, ours.get(key), theirs.get(key), favour)? {
            merged.insert(key.clone(), value.clone());
        }
    }
    Some(merged)
}

/// The outer `None` is a conflict.
fn merge_value<'a>(
    base: Option<&'a Value>,
    ours: Option<&'a Value>,
    theirs: Option<&'a Value>,
    favour: Favour,
) -> Option<Option<&'a Value>> {
    let same = |one: Option<&Value>, other: Option<&Value>| match (one, other) {
        (Some(one), Some(other)) => identical(one, other),
        (None, None) => true,
        _ => false,
    };
    if same(ours, theirs) || same(base, theirs) {
        return Some(ours);
    }
    if same(base, ours) {
        return Some(theirs);
    }
    match favour {
        Favour::Ours => Some(ours),
        Favour::Theirs => Some(theirs),
        Favour::Base => Some(base.or(ours)),
        Favour::Nobody => None,
    }
}
