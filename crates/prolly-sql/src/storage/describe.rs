//! What tables are, for those who ask: names, columns.

use std::sync::Arc;

use gluesql_core::ast::{ColumnDef, DataType};

use super::Storage;
use crate::{
    Result,
    schema::checked_sql,
    table::{PrimaryKey, Table},
};

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ColumnInfo {
    /// Its name.
    pub name: String,
    /// Its type.
    pub data_type: DataType,
    /// Whether it can be NULL.
    pub nullable: bool,
    /// The expression that stands for a value that is not given, as SQL.
    pub default: Option<String>,
    /// Whether no two rows have the same value: because it is `UNIQUE`, or the primary key by itself.
    pub unique: bool,
    /// Its place in the primary key, from 1 on.
    pub primary_key: Option<usize>,
}

impl Storage {
    /// The names of the tables, in their order.
    pub(crate) fn table_names(&self) -> Result<Vec<String>> {
        Ok(self.tables()?.iter().map(|table| table.name.clone()).collect())
    }

    /// The description of what can be read by a name.
    pub(crate) fn table_of(&self, name: &str) -> Result<Option<Arc<Table>>> {
        Ok(self.relation(name)?.map(|relation| Arc::clone(relation.table())))
    }

    /// What the columns are of what can be read by a name; none when it has no schema. `None` when it is nothing.
    pub(crate) fn describe(&self, name: &str) -> Result<Option<Vec<ColumnInfo>>> {
        self.relation(name)?.map(|relation| describe(relation.table())).transpose()
    }
}

fn describe(table: &Table) -> Result<Vec<ColumnInfo>> {
    let key: &[usize] = match &table.key {
        PrimaryKey::RowId => &[],
        PrimaryKey::Columns(columns) => columns,
    };
    let column =
        |(position, ColumnDef { name, data_type, nullable, default, unique, .. }): (usize, &ColumnDef)| {
            Ok(ColumnInfo {
                name: name.clone(),
                data_type: data_type.clone(),
                nullable: *nullable,
                default: default
                    .as_ref()
                    .map(|expr| checked_sql(expr, || format!("the default of {name}")))
                    .transpose()?,
                unique: unique.is_some() || key == [position],
                primary_key: key.iter().position(|column| *column == position).map(|place| place + 1),
            })
        };
    table.columns.iter().flatten().map(|column| &column.def).enumerate().map(column).collect()
}
