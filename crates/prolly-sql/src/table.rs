//! What a table is: its columns, its key, its indexes.

mod index;

#[cfg(test)]
mod tests;

use gluesql_core::{
    ast::{ColumnDef, ColumnUniqueOption, DataType, Expr, ForeignKey},
    chrono::DateTime,
    data::{Schema, SchemaIndex, SchemaIndexOrd, Value},
    error::Error as GlueError,
};
use prolly_version::{TreeKey, TreeKind};

pub(crate) use self::index::each_column;
use crate::{Error, Result, key::short_hash, schema::checked_sql};

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

    /// A new table of this schema. `composite_key` names the columns of a primary key of several, which GlueSQL has no place for.
    ///
    /// # Errors
    /// [`Error::Statement`] that names the column: when there are two primary keys, when a column of the key is not there, is
    /// there twice or has no order, or when an expression cannot be stored.
    pub(crate) fn from_schema(schema: &Schema, composite_key: Option<&[String]>) -> Result<Self> {
        let mut columns = schema.column_defs.as_ref().map(|defs| {
            let mut columns = Vec::with_capacity(defs.len());
            for def in defs {
                let id = Column::new_id(&def.name, &columns);
                columns.push(Column { id, def: def.clone(), fill: Value::Null });
            }
            columns
        });
        for Column { def, .. } in columns.iter().flatten() {
            if let Some(default) = &def.default {
                checked_sql(default, || format!("the default of column {:?}", def.name))?;
            }
        }
        let key = primary_key(columns.as_deref_mut().unwrap_or_default(), composite_key)?;
        let mut table = Self {
            name: schema.table_name.clone(),
            columns,
            key,
            indexes: Vec::new(),
            foreign_keys: schema.foreign_keys.clone(),
            engine: schema.engine.clone(),
            comment: schema.comment.clone(),
        };
        table.indexes = table.implied_indexes();
        let named = schema.indexes.iter().map(|index| Index {
            kind: IndexKind::Named { name: index.name.clone(), order: index.order },
            expr: index.expr.clone(),
        });
        table.indexes.extend(named);
        Ok(table)
    }

    /// The table as GlueSQL describes it. All indexes are as old as time, since nothing is stored that depends on the clock.
    pub(crate) fn to_schema(&self) -> Schema {
        let created = DateTime::UNIX_EPOCH.naive_utc();
        let indexes = self.indexes.iter().filter_map(|index| match &index.kind {
            IndexKind::Named { name, order } => {
                Some(SchemaIndex { name: name.clone(), expr: index.expr.clone(), order: *order, created })
            }
            IndexKind::Unique { .. } | IndexKind::Referencing { .. } => None,
        });
        Schema {
            table_name: self.name.clone(),
            column_defs: self
                .columns
                .as_ref()
                .map(|columns| columns.iter().map(|column| column.def.clone()).collect()),
            indexes: indexes.collect(),
            engine: self.engine.clone(),
            foreign_keys: self.foreign_keys.clone(),
            comment: self.comment.clone(),
        }
    }
}

impl Column {
    /// The id of a column that is added beside others: what its name says, or the next number that is free.
    pub(crate) fn new_id(name: &str, others: &[Self]) -> u64 {
        let mut id = short_hash(name.as_bytes());
        while others.iter().any(|other| other.id == id) {
            id = id.wrapping_add(1);
        }
        id
    }
}

/// Finds the primary key, and makes the columns of one of several hold values.
fn primary_key(columns: &mut [Column], composite: Option<&[String]>) -> Result<PrimaryKey> {
    let is_primary = |column: &Column| column.def.unique == Some(ColumnUniqueOption { is_primary: true });
    let marked: Vec<usize> = (0..columns.len()).filter(|place| is_primary(&columns[*place])).collect();
    let names = match (composite, &marked[..]) {
        (None | Some([]), []) => return Ok(PrimaryKey::RowId),
        (None | Some([]), [column]) => return Ok(PrimaryKey::Columns(vec![*column])),
        (None | Some([]), [_, second, ..]) | (Some([_, ..]), [second, ..]) => {
            let name = &columns[*second].def.name;
            return Err(refused(format!(
                "column {name:?} is a second primary key: one of several columns is PRIMARY KEY (a, b)"
            )));
        }
        (Some(names), []) => names,
    };
    let mut key = Vec::with_capacity(names.len());
    for name in names {
        let place = columns.iter().position(|column| column.def.name == *name);
        let place = place
            .ok_or_else(|| refused(format!("the primary key names column {name:?}, which is not there")))?;
        if key.contains(&place) {
            return Err(refused(format!("the primary key names column {name:?} twice")));
        }
        let def = &mut columns[place].def;
        if matches!(def.data_type, DataType::Map | DataType::List | DataType::Point) {
            return Err(refused(format!(
                "column {name:?} of the primary key is {}, which has no order",
                def.data_type
            )));
        }
        def.nullable = false;
        key.push(place);
    }
    Ok(PrimaryKey::Columns(key))
}

fn refused(text: String) -> Error {
    Error::Statement(GlueError::StorageMsg(text))
}
