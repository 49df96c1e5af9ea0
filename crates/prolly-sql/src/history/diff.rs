//! The rows that differ between two versions of a table.

use std::{iter, sync::Arc};

use gluesql_core::{ast::DataType, data::Value};
use prolly_core::Tree;
use prolly_version::{Change, ChangeKind, Changes, TreeVersion};

use super::{Generated, NamedType, column};
use crate::{
    Error, Result,
    row::decode_row,
    table::{Column, Table},
};

/// A version of a table.
#[derive(Clone)]
pub(crate) struct TableVersion {
    pub(crate) table: Arc<Table>,
    pub(crate) rows: Tree,
}

/// Where a column of the difference comes from: its places in the two versions.
type Places = (Option<usize>, Option<usize>);

impl Generated {
    /// What differs between two versions of a table, of which one may be missing: `diff_type` (`added`, `modified`,
    /// `removed`), then for each column what it was (`from_…`) and what it became (`to_…`). A column that one version does
    /// not have is NULL there.
    ///
    /// # Errors
    /// [`Error::Statement`] when both are missing.
    pub(crate) fn diff(name: &str, from: Option<TableVersion>, to: Option<TableVersion>) -> Result<Self> {
        let tables = [&from, &to].map(|version| version.as_ref().map(|version| &*version.table));
        let (pairs, places) = pair_columns(tables).ok_or_else(|| {
            Error::Statement(gluesql_core::executor::ExecuteError::TableNotFound(name.to_owned()).into())
        })?;
        let mut columns = vec![column("diff_type", DataType::Text)];
        for (name, data_type) in pairs {
            columns.push((format!("from_{name}"), data_type.clone()));
            columns.push((format!("to_{name}"), data_type));
        }
        Ok(Self::new(name, columns, move || {
            let version = |side: &Option<TableVersion>| {
                side.as_ref().map(|side| TreeVersion { tree: side.rows.clone(), metadata: Vec::new() })
            };
            let changes = Changes::between(version(&from), version(&to))?;
            let (from, to, places) = (from.clone(), to.clone(), places.clone());
            Ok(Box::new(changes.map(move |change| {
                let change = change?;
                let read = |side: &Option<TableVersion>, row: &Option<Vec<u8>>| match (side, row) {
                    (Some(side), Some(row)) => decode_row(&side.table, row).map(Some),
                    _ => Ok(None),
                };
                Ok(diff_row(&change, read(&from, &change.old)?, read(&to, &change.new)?, &places))
            })))
        }))
    }
}

fn diff_row(
    change: &Change,
    old: Option<Vec<Value>>,
    new: Option<Vec<Value>>,
    places: &[Places],
) -> Vec<Value> {
    let kind = match change.kind() {
        ChangeKind::Added => "added",
        ChangeKind::Deleted => "removed",
        ChangeKind::Modified => "modified",
    };
    let mut row = vec![Value::Str(kind.to_owned())];
    let (mut old, mut new) = (old.unwrap_or_default(), new.unwrap_or_default());
    let take = |values: &mut Vec<Value>, place: Option<usize>| {
        place
            .and_then(|place| values.get_mut(place))
            .map_or(Value::Null, |value| std::mem::replace(value, Value::Null))
    };
    for (from, to) in places {
        row.push(take(&mut old, *from));
        row.push(take(&mut new, *to));
    }
    row
}

/// The columns of two versions side by side, by their ids: those of the second one in its order, then those that only the
/// first one has. Of these, one whose name another column has got since is told apart by a number (`b_2`). `None` when there
/// is no version.
fn pair_columns([from, to]: [Option<&Table>; 2]) -> Option<(Vec<NamedType>, Vec<Places>)> {
    let columns = |table: Option<&Table>| -> Vec<Column> {
        match table {
            // A row of a table without columns is one map.
            Some(Table { columns: None, .. }) => vec![Column::document()],
            Some(Table { columns: Some(columns), .. }) => columns.clone(),
            None => Vec::new(),
        }
    };
    from.or(to)?;
    let (from, to) = (columns(from), columns(to));
    let mut pairs: Vec<NamedType> = Vec::new();
    let mut places = Vec::new();
    for (position, column) in to.iter().enumerate() {
        pairs.push((column.def.name.clone(), column.def.data_type.clone()));
        places.push((from.iter().position(|other| other.id == column.id), Some(position)));
    }
    for (position, column) in from.iter().enumerate() {
        if to.iter().all(|other| other.id != column.id) {
            let is_taken = |name: &String| pairs.iter().any(|(other, _)| other == name);
            let numbered = (2..).map(|number| format!("{}_{number}", column.def.name));
            let mut names = iter::once(column.def.name.clone()).chain(numbered);
            let name = names.find(|name| !is_taken(name)).expect("there are more numbers than columns");
            pairs.push((name, column.def.data_type.clone()));
            places.push((Some(position), None));
        }
    }
    Some((pairs, places))
}
