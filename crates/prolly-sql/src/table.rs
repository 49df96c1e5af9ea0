//! What a table is: its columns, its key, its indexes.

use gluesql_core::{
    ast::{ColumnDef, Expr, ForeignKey},
    data::{SchemaIndexOrd, Value},
};
use prolly_version::{TreeKey, TreeKind};

/// A table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Table {
    pub(crate) name: String,
    /// `None` for a table without a schema: each row is one map.
    pub(crate) columns: Option<Vec<Column>>,
    pub(crate) key: PrimaryKey,
    pub(crate) indexes: Vec<Index>,
    pub(crate) foreign_keys: Vec<ForeignKey>,
    pub(crate) engine: Option<String>,
    pub(crate) comment: Option<String>,
}

/// A column.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Column {
    /// What it is called in rows and merges, whatever its name: two branches that add a column of the same name to a table
    /// give it the same one.
    pub(crate) id: u64,
    pub(crate) def: ColumnDef,
    /// What rows hold that were written before it was added. Rows leave these values out at their end.
    pub(crate) fill: Value,
}

/// What the key of a row's entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PrimaryKey {
    /// No column: a number that counts up, and a hash of the row as it was inserted, so that rows which two branches insert
    /// are two.
    RowId,
    /// These columns, by position.
    Columns(Vec<usize>),
}

/// An index: a tree from what an expression gives for a row to the row's key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Index {
    pub(crate) kind: IndexKind,
    pub(crate) expr: Expr,
}

/// What an index is there for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum IndexKind {
    /// `CREATE INDEX`.
    Named { name: String, order: SchemaIndexOrd },
    /// A column that is `UNIQUE`, by its id.
    Unique { column: u64 },
    /// A column that refers to another table, by its id.
    Referencing { table: String, column: u64 },
}

impl Table {
    /// The tree that has the rows of a table.
    pub(crate) fn tree_key(name: &str) -> TreeKey {
        TreeKey::new(TreeKind::TABLE, name)
    }
}
