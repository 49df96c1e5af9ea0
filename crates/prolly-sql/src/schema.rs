//! The description of a table as it is stored: the metadata of its tree in the catalog.
//!
//! ```text
//! version u8 (1) | postcard {
//!   columns       option of a list of { id u64, name, type, nullable bool, unique, default, comment, fill }
//!   key           0: row ids; 1: list of positions of columns
//!   indexes       list of { name, order, expression }
//!   foreign_keys  list of { name, column, table, referenced column, on delete, on update }
//!   engine, comment
//! }
//! type     0 BOOLEAN, INT8, INT16, INT32, INT, INT128, UINT8, UINT16, UINT32, UINT64, UINT128, FLOAT32, FLOAT, TEXT, BYTEA, INET,
//!          DATE, TIMESTAMP, TIME, INTERVAL, UUID, MAP, LIST, DECIMAL, 24 POINT
//! unique   0 no, 1 UNIQUE, 2 PRIMARY KEY
//! order    0 ascending, 1 descending, 2 both
//! action   0 NO ACTION
//! ```
//!
//! A default, an engine and a comment are optional texts, a fill is bytes: a value as rows have it. Expressions are SQL.
//!
//! **Invariant:** nothing of it depends on when or by which library it was written, so equal tables have equal metadata. The
//! indexes that columns and foreign keys ask for are not stored but follow from those.

mod expression;

use std::collections::HashSet;

use gluesql_core::{
    ast::{ColumnDef, ColumnUniqueOption, DataType, Expr, ForeignKey, ReferentialAction},
    data::SchemaIndexOrd,
};
use serde::{Deserialize, Serialize};

pub(crate) use self::expression::checked_sql;
use crate::{
    Error, Result,
    nesting::STORED_MAX,
    row::{decode_value, encode_value},
    statement::levels,
    table::{Column, Index, IndexKind, PrimaryKey, Table},
};

const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct Stored {
    columns: Option<Vec<StoredColumn>>,
    key: StoredKey,
    indexes: Vec<StoredIndex>,
    foreign_keys: Vec<StoredForeignKey>,
    engine: Option<String>,
    comment: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct StoredColumn {
    id: u64,
    name: String,
    data_type: StoredType,
    nullable: bool,
    unique: StoredUnique,
    default: Option<String>,
    comment: Option<String>,
    fill: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
enum StoredKey {
    RowId,
    Columns(Vec<usize>),
}

#[derive(Serialize, Deserialize)]
struct StoredIndex {
    name: String,
    order: StoredOrder,
    expression: String,
}

#[derive(Serialize, Deserialize)]
struct StoredForeignKey {
    name: String,
    column: String,
    table: String,
    referenced_column: String,
    on_delete: StoredAction,
    on_update: StoredAction,
}

/// Writes an enum of ours beside one of GlueSQL's, with the way from each to the other.
macro_rules! stored_enum {
    ($stored:ident, $known:ty, $($variant:ident => $value:pat, $back:expr;)*) => {
        #[derive(Clone, Copy, Serialize, Deserialize)]
        enum $stored { $($variant,)* }

        impl From<&$known> for $stored {
            fn from(known: &$known) -> Self {
                match known { $($value => Self::$variant,)* }
            }
        }

        impl From<$stored> for $known {
            fn from(stored: $stored) -> Self {
                match stored { $($stored::$variant => $back,)* }
            }
        }
    };
}

stored_enum! { StoredType, DataType,
    Boolean => DataType::Boolean, DataType::Boolean;
    Int8 => DataType::Int8, DataType::Int8;
    Int16 => DataType::Int16, DataType::Int16;
    Int32 => DataType::Int32, DataType::Int32;
    Int => DataType::Int, DataType::Int;
    Int128 => DataType::Int128, DataType::Int128;
    Uint8 => DataType::Uint8, DataType::Uint8;
    Uint16 => DataType::Uint16, DataType::Uint16;
    Uint32 => DataType::Uint32, DataType::Uint32;
    Uint64 => DataType::Uint64, DataType::Uint64;
    Uint128 => DataType::Uint128, DataType::Uint128;
    Float32 => DataType::Float32, DataType::Float32;
    Float => DataType::Float, DataType::Float;
    Text => DataType::Text, DataType::Text;
    Bytea => DataType::Bytea, DataType::Bytea;
    Inet => DataType::Inet, DataType::Inet;
    Date => DataType::Date, DataType::Date;
    Timestamp => DataType::Timestamp, DataType::Timestamp;
    Time => DataType::Time, DataType::Time;
    Interval => DataType::Interval, DataType::Interval;
    Uuid => DataType::Uuid, DataType::Uuid;
    Map => DataType::Map, DataType::Map;
    List => DataType::List, DataType::List;
    Decimal => DataType::Decimal, DataType::Decimal;
    Point => DataType::Point, DataType::Point;
}

stored_enum! { StoredUnique, Option<ColumnUniqueOption>,
    No => None, None;
    Unique => Some(ColumnUniqueOption { is_primary: false }), Some(ColumnUniqueOption { is_primary: false });
    Primary => Some(ColumnUniqueOption { is_primary: true }), Some(ColumnUniqueOption { is_primary: true });
}

stored_enum! { StoredOrder, SchemaIndexOrd,
    Ascending => SchemaIndexOrd::Asc, SchemaIndexOrd::Asc;
    Descending => SchemaIndexOrd::Desc, SchemaIndexOrd::Desc;
    Both => SchemaIndexOrd::Both, SchemaIndexOrd::Both;
}

stored_enum! { StoredAction, ReferentialAction,
    NoAction => ReferentialAction::NoAction, ReferentialAction::NoAction;
}

impl Table {
    /// Encodes the table, without its name: that is the name of its tree.
    ///
    /// # Errors
    /// [`Error::Statement`] that names the column or the index whose expression cannot be stored.
    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        let columns = self.columns.as_ref().map(|columns| columns.iter().map(stored_column).collect());
        let indexes = self.indexes.iter().filter_map(|index| match &index.kind {
            IndexKind::Named { name, order } => Some((name, order, &index.expr)),
            IndexKind::Unique { .. } | IndexKind::Referencing { .. } => None,
        });
        let stored = Stored {
            columns: columns.transpose()?,
            key: match &self.key {
                PrimaryKey::RowId => StoredKey::RowId,
                PrimaryKey::Columns(columns) => StoredKey::Columns(columns.clone()),
            },
            indexes: indexes
                .map(|(name, order, expr)| {
                    let expression = stored_sql(expr, || format!("the expression of index {name:?}"))?;
                    Ok(StoredIndex { name: name.clone(), order: order.into(), expression })
                })
                .collect::<Result<_>>()?,
            foreign_keys: self.foreign_keys.iter().map(stored_foreign_key).collect(),
            engine: self.engine.clone(),
            comment: self.comment.clone(),
        };
        postcard::to_extend(&stored, vec![VERSION])
            .map_err(|error| self.damaged(format!("its description does not encode: {error}")))
    }

    /// Decodes the table of this name.
    ///
    /// # Errors
    /// [`Error::Damaged`] that names the table.
    pub(crate) fn decode(name: &str, bytes: &[u8]) -> Result<Self> {
        decode(name, bytes)
            .map_err(|reason| Error::Damaged { what: format!("the description of table \"{name}\""), reason })
    }

    fn damaged(&self, reason: String) -> Error {
        Error::Damaged { what: format!("table \"{}\"", self.name), reason }
    }
}

/// The SQL of an expression that is read and evaluated wherever the table is, and so has to be short.
///
/// # Errors
/// As [`checked_sql`]; [`Error::Refused`] that says whose expression is too long.
fn stored_sql(expr: &Expr, whose: impl Fn() -> String) -> Result<String> {
    let sql = checked_sql(expr, &whose)?;
    let levels = levels(&sql)?;
    if levels > STORED_MAX {
        return Err(Error::Refused(format!(
            "{} is too long: it has {levels} words and signs without a comma in between, and may have {STORED_MAX}",
            whose()
        )));
    }
    Ok(sql)
}

fn stored_column(column: &Column) -> Result<StoredColumn> {
    let Column { id, def, fill } = column;
    let default = def
        .default
        .as_ref()
        .map(|default| stored_sql(default, || format!("the default of column {:?}", def.name)));
    let mut encoded = Vec::new();
    encode_value(&mut encoded, fill)?;
    Ok(StoredColumn {
        id: *id,
        name: def.name.clone(),
        data_type: (&def.data_type).into(),
        nullable: def.nullable,
        unique: (&def.unique).into(),
        default: default.transpose()?,
        comment: def.comment.clone(),
        fill: encoded,
    })
}

fn stored_foreign_key(key: &ForeignKey) -> StoredForeignKey {
    StoredForeignKey {
        name: key.name.clone(),
        column: key.referencing_column_name.clone(),
        table: key.referenced_table_name.clone(),
        referenced_column: key.referenced_column_name.clone(),
        on_delete: (&key.on_delete).into(),
        on_update: (&key.on_update).into(),
    }
}

fn decode(name: &str, bytes: &[u8]) -> std::result::Result<Table, String> {
    let (&version, stored) = bytes.split_first().ok_or("it is empty")?;
    if version != VERSION {
        return Err(format!("its version is {version}, not {VERSION}"));
    }
    let (stored, rest) = postcard::take_from_bytes::<Stored>(stored).map_err(|error| error.to_string())?;
    if !rest.is_empty() {
        return Err(format!("{} bytes follow it", rest.len()));
    }
    let columns: Option<Vec<Column>> =
        stored.columns.map(|columns| columns.into_iter().map(column).collect()).transpose()?;
    let count = columns.as_ref().map_or(0, Vec::len);
    if let Some(columns) = &columns {
        let (ids, names): (HashSet<u64>, HashSet<&str>) =
            columns.iter().map(|column| (column.id, column.def.name.as_str())).unzip();
        if ids.len() < count || names.len() < count {
            return Err("two of its columns are the same".to_owned());
        }
    }
    let key = match stored.key {
        StoredKey::RowId => PrimaryKey::RowId,
        StoredKey::Columns(key) => {
            let known: HashSet<_> = key.iter().filter(|column| **column < count).collect();
            if known.len() < key.len() || key.is_empty() {
                return Err("its primary key is not of its columns".to_owned());
            }
            PrimaryKey::Columns(key)
        }
    };
    let mut table = Table {
        name: name.to_owned(),
        columns,
        key,
        indexes: Vec::new(),
        foreign_keys: stored.foreign_keys.into_iter().map(foreign_key).collect(),
        engine: stored.engine,
        comment: stored.comment,
    };
    table.indexes = table.implied_indexes();
    for StoredIndex { name, order, expression } in stored.indexes {
        let expr = expression::parse(&expression)?;
        table.indexes.push(Index { kind: IndexKind::Named { name, order: order.into() }, expr });
    }
    Ok(table)
}

fn column(stored: StoredColumn) -> std::result::Result<Column, String> {
    let mut fill = stored.fill.as_slice();
    let value =
        decode_value(&mut fill).map_err(|reason| format!("what fills column {:?}: {reason}", stored.name))?;
    if !fill.is_empty() {
        return Err(format!("{} bytes follow what fills column {:?}", fill.len(), stored.name));
    }
    let def = ColumnDef {
        name: stored.name,
        data_type: stored.data_type.into(),
        nullable: stored.nullable,
        default: stored.default.map(|default| expression::parse(&default)).transpose()?,
        unique: stored.unique.into(),
        comment: stored.comment,
    };
    Ok(Column { id: stored.id, def, fill: value })
}

fn foreign_key(stored: StoredForeignKey) -> ForeignKey {
    ForeignKey {
        name: stored.name,
        referencing_column_name: stored.column,
        referenced_table_name: stored.table,
        referenced_column_name: stored.referenced_column,
        on_delete: stored.on_delete.into(),
        on_update: stored.on_update.into(),
    }
}

#[cfg(test)]
mod tests;
