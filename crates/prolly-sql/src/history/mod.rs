//! Tables that the history of a store gives: they are read as any other, by a quoted name, and cannot be written.
//!
//! | name | rows |
//! |---|---|
//! | `"log"`, `"log(REVISION)"` | the commits behind a revision, the newest first |
//! | `"branches"` | the branches and the commits they are on |
//! | `"diff(TABLE, FROM)"`, `"diff(TABLE, FROM, TO)"` | the rows that differ between two revisions, or a revision and now |
//! | `"conflicts(REVISION)"` | what merging a revision could not decide, a row for each |
//! | `"history(TABLE, KEY, …)"` | the commits that changed the row with a primary key, and what it was then |
//!
//! In a transaction, `HEAD` is the commit that the store stood on when it began; other names are what they name now.
//!
//! A table of the store with such a name is what the name stands for; the forms with parentheses cannot be one by accident.

mod conflicts;
mod diff;
mod log;
mod name;
mod row;

use std::sync::Arc;

use gluesql_core::{
    ast::{ColumnDef, DataType},
    data::Value,
};

pub(crate) use conflicts::conflicts;
pub(crate) use diff::TableVersion;
pub(crate) use name::GeneratedName;

use crate::{
    Result,
    table::{Column, PrimaryKey, Table},
};

/// The rows of a generated table, made as they are asked for.
pub(crate) type GeneratedRows = Box<dyn Iterator<Item = Result<Vec<Value>>> + Send>;

/// The name and the type of a column.
type NamedType = (String, DataType);

/// A table whose rows are made as they are read.
pub(crate) struct Generated {
    table: Arc<Table>,
    rows: Box<dyn Fn() -> Result<GeneratedRows> + Send + Sync>,
}

impl Generated {
    fn new(
        name: &str,
        columns: Vec<NamedType>,
        rows: impl Fn() -> Result<GeneratedRows> + Send + Sync + 'static,
    ) -> Self {
        let columns = columns.into_iter().zip(0..).map(|((name, data_type), id)| Column {
            id,
            def: ColumnDef { name, data_type, nullable: true, default: None, unique: None, comment: None },
            fill: Value::Null,
        });
        let table = Table {
            name: name.to_owned(),
            columns: Some(columns.collect()),
            key: PrimaryKey::RowId,
            indexes: Vec::new(),
            foreign_keys: Vec::new(),
            engine: None,
            comment: None,
        };
        Self { table: Arc::new(table), rows: Box::new(rows) }
    }

    /// Its description.
    pub(crate) fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// Its rows, from the first one.
    pub(crate) fn rows(&self) -> Result<GeneratedRows> {
        (self.rows)()
    }
}

fn column(name: &str, data_type: DataType) -> NamedType {
    (name.to_owned(), data_type)
}
