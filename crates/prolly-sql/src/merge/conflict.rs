//! A conflict of a merge as rows.

use gluesql_core::data::Value;
use prolly_version::{Catalog, MergeConflict, TreeKey, TreeKind, TreeVersion};

use super::decode_table;
use crate::{
    Error, Result,
    key::decode,
    row::decode_row,
    table::{PrimaryKey, Table},
};

/// A row by the names of its columns.
pub type NamedRow = Vec<(String, Value)>;

/// A conflict of a table: a row that both sides of a merge changed or that breaks a constraint, or the table as a whole.
#[derive(Clone, Debug, PartialEq)]
pub struct RowConflict {
    /// The table.
    pub table: String,
    /// The primary key of the row; its id, as one value without a name, where the table has none. `None` when the table as a
    /// whole is meant.
    pub key: Option<NamedRow>,
    /// The row as the common ancestor has it.
    pub base: Option<NamedRow>,
    /// The row as the revision has it that is merged.
    pub source: Option<NamedRow>,
    /// The row as the revision has it that it is merged into.
    pub destination: Option<NamedRow>,
    /// What is wrong, where it is not that both sides changed the row or one dropped the table.
    pub reason: Option<String>,
}

impl RowConflict {
    /// Reads the rows of a conflict, each as the side that it is of describes the table; `None` for a conflict of a tree that is
    /// no table. Of several common ancestors, the first one that has the row as the conflict says gives its description.
    ///
    /// # Errors
    /// [`Error::Damaged`]; what reading reports.
    pub fn from_merge_conflict(
        bases: &[Catalog],
        source: &Catalog,
        destination: &Catalog,
        conflict: &MergeConflict,
    ) -> Result<Option<Self>> {
        if conflict.tree.kind() != TreeKind::TABLE {
            return Ok(None);
        }
        let tree = &conflict.tree;
        let (source, destination) = (Described::of(source, tree)?, Described::of(destination, tree)?);
        let mut base = None;
        for catalog in bases {
            let described = Described::of(catalog, tree)?;
            let has_row = match (&described, &conflict.key) {
                (Some(described), Some(key)) => described.rows.get(key)? == conflict.base,
                _ => false,
            };
            if has_row || base.is_none() {
                base = described;
            }
            if has_row {
                break;
            }
        }
        let key = match (&conflict.key, [&destination, &source, &base].into_iter().flatten().next()) {
            (Some(key), Some(described)) => Some(described.key(key)?),
            _ => None,
        };
        Ok(Some(Self {
            table: super::table_name(tree)?.to_owned(),
            key,
            base: Described::row(&base, &conflict.base, tree)?,
            source: Described::row(&source, &conflict.source, tree)?,
            destination: Described::row(&destination, &conflict.destination, tree)?,
            reason: conflict.reason.clone(),
        }))
    }
}

/// A table of a catalog.
struct Described {
    table: Table,
    rows: prolly_core::Tree,
}

impl Described {
    fn of(catalog: &Catalog, tree: &TreeKey) -> Result<Option<Self>> {
        let Some(TreeVersion { tree: rows, metadata }) = catalog.version(tree)? else { return Ok(None) };
        Ok(Some(Self { table: decode_table(tree, &metadata)?, rows }))
    }

    fn key(&self, key: &[u8]) -> Result<NamedRow> {
        let columns = self.table.columns.as_deref().unwrap_or(&[]);
        let damaged = || Error::Damaged {
            what: format!("a row of table \"{}\"", self.table.name),
            reason: "its key is not one of the table's primary key".to_owned(),
        };
        match &self.table.key {
            PrimaryKey::RowId => {
                let id = key.try_into().map_err(|_| damaged())?;
                Ok(vec![(String::new(), Value::U128(u128::from_be_bytes(id)))])
            }
            PrimaryKey::Columns(places) => {
                let values = decode(key)?;
                if values.len() != places.len() {
                    return Err(damaged());
                }
                let name = |place: &usize| columns.get(*place).map(|column| column.def.name.clone());
                places
                    .iter()
                    .zip(values)
                    .map(|(place, value)| Some((name(place)?, value)))
                    .collect::<Option<_>>()
                    .ok_or_else(damaged)
            }
        }
    }

    fn row(described: &Option<Self>, row: &Option<Vec<u8>>, tree: &TreeKey) -> Result<Option<NamedRow>> {
        let Some(row) = row else { return Ok(None) };
        let Some(Self { table, .. }) = described else {
            let reason = "a row of it is in conflict, but its description is not there".to_owned();
            return Err(Error::Damaged { what: tree.to_string(), reason });
        };
        let values = decode_row(table, row)?;
        Ok(Some(match (&table.columns, values) {
            (Some(columns), values) => {
                columns.iter().map(|column| column.def.name.clone()).zip(values).collect()
            }
            (None, values) => match values.into_iter().next() {
                Some(Value::Map(map)) => map.into_iter().collect(),
                _ => Vec::new(),
            },
        }))
    }
}
