//! The history of one row.

use std::sync::Arc;

use gluesql_core::{ast::DataType, data::Value};
use prolly_version::{Commit, CommitId, Store};

use super::{
    Generated, column,
    log::{committed, signed_by},
};
use crate::{Result, row::decode_row, table::Table};

impl Generated {
    /// The commits behind `from` that changed a row, the newest first: which one, by whom, when and why, then what the row was from then
    /// on, by the columns that the table has now (NULL throughout where the commit removed it).
    pub(crate) fn history(
        name: &str,
        store: &Store,
        from: Option<CommitId>,
        table: &Arc<Table>,
        key: Vec<u8>,
    ) -> Self {
        let mut columns = vec![
            column("commit_id", DataType::Text),
            column("author", DataType::Text),
            column("committed", DataType::Timestamp),
            column("message", DataType::Text),
            column("change", DataType::Text),
        ];
        let own = table.columns.iter().flatten();
        columns.extend(own.map(|column| (column.def.name.clone(), column.def.data_type.clone())));
        let (store, table) = (store.clone(), Arc::clone(table));
        Self::new(name, columns, move || {
            let Some(from) = from else { return Ok(Box::new(std::iter::empty())) };
            let history = store.history(&Table::tree_key(&table.name), &key, Some(&from.to_string()))?;
            let (store, table, key) = (store.clone(), Arc::clone(&table), key.clone());
            Ok(Box::new(history.map(move |commit| history_row(&store, &table, &key, &commit?))))
        })
    }
}

fn history_row(store: &Store, table: &Table, key: &[u8], commit: &Commit) -> Result<Vec<Value>> {
    let row_at = |commit: &CommitId| {
        let snapshot = store.snapshot(commit)?;
        let Some(then) = Table::at(snapshot.catalog(), &table.name)? else { return Ok(None) };
        let row = snapshot.get(&Table::tree_key(&table.name), key)?;
        let row = row.map(|row| decode_row(&then, &row)).transpose()?;
        Ok::<_, crate::Error>(row.map(|row| (then, row)))
    };
    let after = row_at(&commit.id)?;
    let had_row = match commit.parents.first() {
        Some(parent) => row_at(parent)?.is_some(),
        None => false,
    };
    let change = match (had_row, &after) {
        (_, None) => "removed",
        (false, Some(_)) => "added",
        (true, Some(_)) => "modified",
    };
    let mut values = vec![
        Value::Str(commit.id.to_string()),
        signed_by(&commit.author),
        committed(commit)?,
        Value::Str(commit.message.clone()),
        Value::Str(change.to_owned()),
    ];
    for column in table.columns.iter().flatten() {
        let value = after.as_ref().and_then(|(then, row)| {
            let position = then.columns.iter().flatten().position(|other| other.id == column.id)?;
            row.get(position).cloned()
        });
        values.push(value.unwrap_or(Value::Null));
    }
    Ok(values)
}
