//! Merging tables: rows by key and by column, descriptions by what they are made of, indexes from the merged rows.
//!
//! What both sides did to a table merges like this:
//!
//! - A row that one side changed is as there. Of a row that both changed, each column is: different columns merge. The same
//!   column changed differently, a row that one side changed and the other deleted, and two rows added under one key are
//!   conflicts. `TakeSource` and `TakeDestination` settle them for the columns in question; what a resolver answers is for the
//!   row as a whole. A value that it gives is a row of the destination's description.
//! - Columns, indexes, foreign keys, the primary key, the engine and the comment merge one by one, columns by their ids. Columns
//!   that both sides add are in the order of their names; one that both add alike is one column. A column that one side
//!   drops is dropped, with what the other wrote in it.
//! - Rows of a table without a primary key that both sides insert alike, each as its first, second and so on, are one row.
//! - Where the descriptions contradict each other, the table as a whole is a conflict that says so; likewise where its primary
//!   key or the type of a column changed on one side, or a column became `UNIQUE` or `NOT NULL` there, and rows changed on the
//!   other. `TakeSource` and `TakeDestination`, or a resolver that answers so, settle it by taking the whole table, rows
//!   included. So they do when one side dropped a table that the other changed; renaming a table is dropping it and making
//!   another.
//! - Indexes are not merged but brought up to date with the merged rows, from those of the side that has them.
//! - A merge that gives two rows one value of a `UNIQUE` column, or leaves a row that refers to one which is gone, is a
//!   conflict of that row. To take a side for it is to take that side for both rows. A foreign key to a table that is gone is a
//!   conflict too, which no strategy settles: one of the tables has to be changed first.
//!
//! **Invariant:** after a merge the indexes of every table are those that its rows give, and its constraints hold. What that costs
//! follows from what changed; only a side whose columns are not the first ones of the merged table has all of its rows read.

mod conflict;
mod constraints;
mod driver;
mod finish;
mod index;
mod rows;
mod schema;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use prolly_version::{
    Error as VersionError, MapDriver, MergeConflict, MergeStrategy, Resolution, Store, TreeKey, TreeKind,
};

pub use conflict::{NamedRow, RowConflict};
use rows::Conversion;

use crate::{
    Error, Result,
    key::encode_values,
    row::decode_row,
    table::{PrimaryKey, Table},
};

/// Says how the tables of a store merge, for this process and directory: for who merges without a
/// [`Database`](crate::Database), which does so itself.
pub fn register_merging(store: &Store) {
    store.set_merge_driver(TreeKind::FUNCTIONS, Arc::new(MapDriver));
    store.set_merge_driver(TreeKind::TABLE, Arc::new(driver::TableDriver));
    store.set_merge_finisher("sql", &[TreeKind::TABLE_INDEX], Arc::new(finish::IndexFinisher));
}

/// How a conflict is settled.
enum Answer {
    Source,
    Destination,
    Base,
    Value(Option<Vec<u8>>),
    Unresolved,
}

/// Asks a strategy about a conflict.
fn ask(strategy: &mut MergeStrategy<'_>, conflict: &MergeConflict) -> Result<Answer> {
    Ok(match strategy.of_tree(&conflict.tree) {
        MergeStrategy::Refuse => Answer::Unresolved,
        MergeStrategy::TakeSource => Answer::Source,
        MergeStrategy::TakeDestination => Answer::Destination,
        MergeStrategy::TakeBase => Answer::Base,
        MergeStrategy::Resolve(resolve) => match resolve(conflict)? {
            Resolution::Source => Answer::Source,
            Resolution::Destination => Answer::Destination,
            Resolution::Value(value) => Answer::Value(value),
            Resolution::Unresolved => Answer::Unresolved,
        },
        MergeStrategy::ByTree(_) => unreachable!("the strategy of a tree is none by tree"),
    })
}

/// An error of merging, as the version layer reports it.
fn version_error(error: Error, tree: &TreeKey) -> VersionError {
    match error {
        Error::Version(error) => error,
        error => VersionError::CannotMerge { tree: tree.clone(), reason: error.to_string() },
    }
}

/// The name of a table, from that of its tree.
fn table_name(tree: &TreeKey) -> Result<&str> {
    std::str::from_utf8(tree.name())
        .map_err(|_| Error::Damaged { what: tree.to_string(), reason: "its name is no text".to_owned() })
}

/// Brings a row that a resolver gave, one of our side's description, into the merged one.
///
/// # Errors
/// When it is no row of the table, holds what its columns cannot, or has another primary key than the conflict.
fn given_row(ours: &Table, merged: &Table, key: &[u8], row: Vec<u8>) -> Result<Vec<u8>> {
    decode_row(ours, &row)?;
    let row = Conversion::new(ours, merged).convert(row)?;
    let values = decode_row(merged, &row)?;
    for (column, value) in merged.columns.iter().flatten().zip(&values) {
        value.validate_type(&column.def.data_type)?;
        value.validate_null(column.def.nullable)?;
    }
    if let PrimaryKey::Columns(places) = &merged.key
        && encode_values(places.iter().filter_map(|place| values.get(*place)))? != key
    {
        let table = &merged.name;
        return Err(Error::Refused(format!(
            "a row of table {table:?} cannot settle a conflict of another key"
        )));
    }
    Ok(row)
}

fn decode_table(tree: &TreeKey, metadata: &[u8]) -> Result<Table> {
    Table::decode(table_name(tree)?, metadata)
}
