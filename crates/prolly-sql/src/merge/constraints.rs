//! Constraints that a merge breaks: found from what differs, not from all rows.
//!
//! A row that refers to one which is not there is new to the side that has the foreign key, or that which it refers to is gone from
//! there: the side itself keeps its constraints.

use std::collections::BTreeSet;

use gluesql_core::{
    ast::{ForeignKey, ToSql},
    data::Value,
};
use prolly_core::Tree;
use prolly_version::{Finish, MergeConflict, TreeKey, TreeKind};

use super::{
    finish::{Finisher, Merged, Of, Work},
    index::Duplicate,
};
use crate::{
    Error, Result,
    key::{decode, encode_values},
    table::{Index, IndexKind, PrimaryKey, Table},
};

/// A row that breaks a constraint together with another one.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Violation {
    pub(super) table: String,
    pub(super) row: Vec<u8>,
    /// The table and the key of the other row.
    pub(super) other: (String, Vec<u8>),
    pub(super) reason: String,
}

impl Violation {
    /// Two rows with one value of a `UNIQUE` column.
    pub(super) fn of_unique(name: &str, merged: &Merged, index: &Index, duplicate: Duplicate) -> Self {
        let Duplicate { row, other } = duplicate;
        let column = match index.kind {
            IndexKind::Unique { column } => {
                merged.table.columns.iter().flatten().find(|known| known.id == column)
            }
            IndexKind::Named { .. } | IndexKind::Referencing { .. } => None,
        };
        let column = column.map_or("", |column| &column.def.name);
        let reason = format!(
            "column {column:?} is UNIQUE, and row {} has the same value",
            key_text(&merged.table, &other)
        );
        Self { table: name.to_owned(), row, other: (name.to_owned(), other), reason }
    }

    fn of_foreign_key(
        child: &str,
        row: Vec<u8>,
        key: &ForeignKey,
        parent: &Table,
        referred: Vec<u8>,
    ) -> Self {
        let reason = format!(
            "foreign key {:?} refers to row {} of table {:?}, which is not there",
            key.name,
            key_text(parent, &referred),
            parent.name
        );
        Self { table: child.to_owned(), row, other: (parent.name.clone(), referred), reason }
    }
}

/// The key of a row, for a message.
pub(super) fn key_text(table: &Table, key: &[u8]) -> String {
    match (&table.key, decode(key)) {
        (PrimaryKey::Columns(_), Ok(values)) => {
            values.iter().map(ToSql::to_sql).collect::<Vec<_>>().join(", ")
        }
        _ => key.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

/// Finds what breaks the foreign keys of a table, and those of others that refer to it. A row may be found from both of its ends.
///
/// # Errors
/// What reading reports.
pub(super) fn foreign_keys(
    finisher: &mut Finisher<'_>,
    name: &str,
    finish: &mut Finish,
    violations: &mut BTreeSet<Violation>,
) -> Result<()> {
    let table = finisher.work(name)?.merged.as_ref().map(|merged| merged.table.clone());
    for key in table.iter().flat_map(|table| &table.foreign_keys) {
        let parent = key.referenced_table_name.as_str();
        let Some((parent, rows)) = finisher.work(parent)?.referred(key) else {
            push_broken(finish, name, key);
            continue;
        };
        let child = finisher.work(name)?;
        let changes = child.changes(child.side_with(key))?;
        let column = column_of(child.merged.as_ref().map(|merged| &merged.table), key)?;
        for change in changes.iter() {
            let Some(value) = change.new.as_ref().and_then(|row| row.get(column)) else { continue };
            if *value == Value::Null {
                continue;
            }
            let referred = encode_values([value])?;
            if !rows.contains(&referred)? {
                violations.insert(Violation::of_foreign_key(
                    name,
                    change.key.clone(),
                    key,
                    &parent,
                    referred,
                ));
            }
        }
    }
    let mut trees = finisher.trees.merged.keys(TreeKind::TABLE_INDEX, &Table::referencing_prefix(name))?;
    trees.extend(finish.edits.keys().filter(|tree| Table::referencing_child(name, tree).is_some()).cloned());
    for tree in trees {
        let Some(child) = Table::referencing_child(name, &tree).map(str::to_owned) else { continue };
        let Some(entries) = current(finisher, finish, &tree)? else { continue };
        let Some(child_table) = finisher.work(&child)?.merged.as_ref().map(|merged| merged.table.clone())
        else {
            continue;
        };
        let of_tree = |key: &&ForeignKey| {
            key.referenced_table_name == name
                && column_of(Some(&child_table), key).is_ok_and(|column| {
                    let id = child_table.columns.iter().flatten().nth(column).map(|column| column.id);
                    tree.name().ends_with(&id.unwrap_or_default().to_be_bytes())
                })
        };
        for key in child_table.foreign_keys.iter().filter(of_tree) {
            let of = finisher.work(&child)?.side_with(key);
            let parent = finisher.work(name)?;
            let Some((parent_table, _)) = parent.referred(key) else {
                push_broken(finish, &child, key);
                continue;
            };
            for change in parent.changes(of)?.iter().filter(|change| change.new.is_none()) {
                let mut rows = entries.prefix(&change.key)?;
                while let Some((entry, _)) = rows.next_entry()? {
                    let row = entry[change.key.len()..].to_vec();
                    violations.insert(Violation::of_foreign_key(
                        &child,
                        row,
                        key,
                        &parent_table,
                        change.key.clone(),
                    ));
                }
            }
        }
    }
    Ok(())
}

/// A tree as it is after what was done so far.
fn current(finisher: &Finisher<'_>, finish: &Finish, tree: &TreeKey) -> Result<Option<Tree>> {
    match finish.edits.get(tree) {
        Some(version) => Ok(version.as_ref().map(|version| version.tree.clone())),
        None => Ok(finisher.trees.merged.tree(tree)?),
    }
}

fn column_of(table: Option<&Table>, key: &ForeignKey) -> Result<usize> {
    let columns = table.and_then(|table| table.columns.as_deref()).unwrap_or(&[]);
    columns.iter().position(|column| column.def.name == key.referencing_column_name).ok_or_else(|| {
        Error::Damaged {
            what: table.map_or_else(String::new, |table| format!("table {:?}", table.name)),
            reason: format!("foreign key {:?} is of a column that it does not have", key.name),
        }
    })
}

/// Reports a foreign key whose other end is no primary key, or is not there at all.
fn push_broken(finish: &mut Finish, table: &str, key: &ForeignKey) {
    let reason = format!(
        "foreign key {:?} refers to column {:?} of table {:?}, which is not there as a primary key",
        key.name, key.referenced_column_name, key.referenced_table_name
    );
    let tree = Table::tree_key(table);
    let conflict =
        MergeConflict { tree, key: None, base: None, source: None, destination: None, reason: Some(reason) };
    if !finish.conflicts.contains(&conflict) {
        finish.conflicts.push(conflict);
    }
}

impl Work {
    /// The table and the rows that a foreign key refers to; `None` when it does not refer to their key.
    fn referred(&self, key: &ForeignKey) -> Option<(Table, Tree)> {
        let Merged { table, rows, .. } = self.merged.as_ref()?;
        let PrimaryKey::Columns(columns) = &table.key else { return None };
        let [column] = columns[..] else { return None };
        let column = table.columns.as_ref()?.get(column)?;
        (column.def.name == key.referenced_column_name).then(|| (table.clone(), rows.clone()))
    }

    /// A side that has a foreign key, and so keeps it.
    fn side_with(&self, key: &ForeignKey) -> Of {
        let has = |of: Of| {
            self.side(of).is_some_and(|side| {
                side.table.foreign_keys.iter().any(|known| {
                    (&known.name, &known.referenced_table_name) == (&key.name, &key.referenced_table_name)
                })
            })
        };
        if has(Of::Ours) { Of::Ours } else { Of::Theirs }
    }
}
