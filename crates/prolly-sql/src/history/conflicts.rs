//! What a merge could not decide, as rows.

use std::collections::BTreeMap;

use gluesql_core::{ast::DataType, data::Value};
use prolly_version::{Catalog, Store, merge_bases};

use super::{Generated, column};
use crate::{NamedRow, Result, RowConflict};

/// The conflicts that merging a revision into where a store stands would have, of its tables.
///
/// # Errors
/// As [`Store::try_merge`].
pub(crate) fn conflicts(store: &Store, revision: &str) -> Result<Vec<RowConflict>> {
    let found = store.try_merge(revision)?;
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let (ours, theirs) = (store.resolve("HEAD")?, store.resolve(revision)?);
    let catalog = |commit| -> Result<Catalog> { Ok(store.snapshot(&commit)?.catalog().clone()) };
    let bases = merge_bases(&**store.graph(), &ours, &theirs)?;
    let bases = bases.into_iter().map(catalog).collect::<Result<Vec<_>>>()?;
    let (source, destination) = (catalog(theirs)?, catalog(ours)?);
    let rows = found.iter().map(|conflict| {
        RowConflict::from_merge_conflict(&bases, &source, &destination, conflict).transpose()
    });
    rows.flatten().collect()
}

impl Generated {
    /// The conflicts of tables that merging a revision would have: of which table, the row's key, the row on each side as a
    /// map of its columns, and the reason where it is not that both sides changed it.
    pub(crate) fn conflicts(name: &str, store: &Store, revision: &str) -> Self {
        let columns = vec![
            column("table_name", DataType::Text),
            column("key", DataType::Map),
            column("base", DataType::Map),
            column("source", DataType::Map),
            column("destination", DataType::Map),
            column("reason", DataType::Text),
        ];
        let (store, revision) = (store.clone(), revision.to_owned());
        Self::new(name, columns, move || {
            let rows = conflicts(&store, &revision)?.into_iter().map(|conflict| Ok(conflict_row(conflict)));
            Ok(Box::new(rows))
        })
    }
}

fn conflict_row(conflict: RowConflict) -> Vec<Value> {
    let map = |row: Option<NamedRow>| row.map_or(Value::Null, |row| Value::Map(BTreeMap::from_iter(row)));
    vec![
        Value::Str(conflict.table),
        map(conflict.key),
        map(conflict.base),
        map(conflict.source),
        map(conflict.destination),
        conflict.reason.map_or(Value::Null, Value::Str),
    ]
}
