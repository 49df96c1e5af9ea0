//! Reading: schemas, rows by key, scans.

use std::sync::Arc;

use gluesql_core::{
    data::{Key, Schema, Value},
    error::Result as GlueResult,
    executor::{ExecuteError, Referencing},
    store::{RowIter, Store as GlueStore},
};
use prolly_core::Tree;
use prolly_version::TreeKind;

use super::{Storage, relation::Relation};
use crate::{
    Error, Result,
    key::{self, encode_key},
    plan::hint::{Hint, Lookup, Purpose, Source},
    row::decode_row,
    table::{Index, IndexKind, PrimaryKey, Table},
};

impl GlueStore for Storage {
    fn fetch_schema(&self, table_name: &str) -> GlueResult<Option<Schema>> {
        self.glue(Source::parse(table_name).and_then(|source| {
            let mut schema = if source.is_one_row() {
                Hint::one_row_schema()
            } else {
                let Some(relation) = self.relation(source.table)? else { return Ok(None) };
                source.hint.schema(relation.table())
            };
            if self.is_writing {
                // Writing checks them, once all rows of the statement are there.
                schema.foreign_keys.clear();
            }
            table_name.clone_into(&mut schema.table_name);
            Ok(Some(schema))
        }))
    }

    fn fetch_all_schemas(&self) -> GlueResult<Vec<Schema>> {
        let tables = self.glue(self.tables())?;
        Ok(tables.iter().map(|table| table.to_schema()).collect())
    }

    fn fetch_data(&self, table_name: &str, key: &Key) -> GlueResult<Option<Vec<Value>>> {
        self.glue(Source::parse(table_name).and_then(|source| {
            let relation = self.known_relation(source.table)?;
            let key = match source.hint.lookup {
                Lookup::Unique(column) => self.unique_row(&relation, column, key)?,
                Lookup::NullableKey if *key == Key::None => None,
                Lookup::Key | Lookup::NullableKey => self.key_bytes(relation.table(), key)?,
            };
            let Some(key) = key else { return Ok(None) };
            self.row(&relation, &key)
        }))
    }

    fn scan_data<'a>(&'a self, table_name: &str) -> GlueResult<RowIter<'a>> {
        self.glue(Source::parse(table_name).and_then(|source| {
            if source.is_one_row() {
                return Ok(Box::new(std::iter::once(Ok((Key::None, Vec::new())))) as RowIter<'a>);
            }
            self.scan(self.known_relation(source.table)?, &source.hint)
        }))
    }

    fn fetch_referencings(&self, table_name: &str) -> GlueResult<Vec<Referencing>> {
        self.glue(Source::parse(table_name).and_then(|source| match source.hint.purpose {
            // Deleting checks them.
            Purpose::Delete => Ok(Vec::new()),
            _ => self.referencings(source.table),
        }))
    }
}

impl Storage {
    /// All tables, in the order of their names.
    pub(super) fn tables(&self) -> Result<Vec<Arc<Table>>> {
        let names = self.txn.tree_keys(TreeKind::TABLE, b"")?;
        names
            .iter()
            .map(|tree| {
                let name = std::str::from_utf8(tree.name()).map_err(|_| Error::Damaged {
                    what: tree.to_string(),
                    reason: "its name is no text".to_owned(),
                })?;
                self.known_table(name)
            })
            .collect()
    }

    /// The foreign keys of other tables that refer to a table.
    pub(super) fn referencings(&self, parent: &str) -> Result<Vec<Referencing>> {
        let mut found = Vec::new();
        for (child, _) in self.referencing_trees(parent)? {
            if child == parent || found.iter().any(|known: &Referencing| known.table_name == child) {
                continue;
            }
            let table = self.known_table(&child)?;
            let keys = table.foreign_keys.iter().filter(|key| key.referenced_table_name == parent);
            found.extend(keys.map(|key| Referencing { table_name: child.clone(), foreign_key: key.clone() }));
        }
        Ok(found)
    }

    /// The key of the row that has a value in a column where no two have the same; `None` when there is none.
    fn unique_row(&self, relation: &Relation, column: usize, value: &Key) -> Result<Option<Vec<u8>>> {
        let table = relation.table();
        let id = table.columns.as_ref().and_then(|columns| columns.get(column)).map(|column| column.id);
        let is_of = |index: &&Index| matches!(index.kind, IndexKind::Unique { column } if Some(column) == id);
        let Some(index) = table.indexes.iter().find(is_of) else {
            return Err(Error::Damaged {
                what: format!("a plan of {}", table.name),
                reason: format!("column {column} is not unique"),
            });
        };
        if *value == Key::None {
            return Ok(None);
        }
        let mut entry = Vec::with_capacity(16);
        encode_key(&mut entry, value)?;
        match relation {
            Relation::Table(_) => self.txn.get(&table.index_tree(index), &entry),
            _ => Ok(self.relation_index(relation, index)?.map_or(Ok(None), |entries| entries.get(&entry))?),
        }
    }

    pub(super) fn known_relation(&self, name: &str) -> Result<Relation> {
        self.relation(name)?
            .ok_or_else(|| Error::Statement(ExecuteError::TableNotFound(name.to_owned()).into()))
    }

    /// The rows of a table.
    pub(super) fn rows(&self, table: &Table) -> Result<Tree> {
        self.txn.tree(&Table::tree_key(&table.name))
    }

    /// A row by the key of its entry.
    pub(super) fn row(&self, relation: &Relation, key: &[u8]) -> Result<Option<Vec<Value>>> {
        let table = relation.table();
        let tree = Table::tree_key(&table.name);
        let row = match relation {
            Relation::Table(_) if self.is_writing => self.txn.get_expecting(&tree, key)?,
            Relation::Table(_) => self.txn.get(&tree, key)?,
            Relation::At(..) => self.relation_rows(relation)?.map_or(Ok(None), |rows| rows.get(key))?,
            Relation::Generated(_) => None,
        };
        self.touch(u64::from(row.is_some()));
        row.map(|row| decode_row(table, &row)).transpose()
    }

    /// The key of a row's entry, from GlueSQL's; `None` for a key that no row can have.
    pub(super) fn key_bytes(&self, table: &Table, key: &Key) -> Result<Option<Vec<u8>>> {
        Ok(match (&table.key, key) {
            (PrimaryKey::RowId, Key::U128(id)) => Some(id.to_be_bytes().to_vec()),
            (PrimaryKey::RowId, _) => None,
            (PrimaryKey::Columns(columns), key) if columns.len() == 1 => {
                let mut bytes = Vec::with_capacity(16);
                encode_key(&mut bytes, key)?;
                Some(bytes)
            }
            (PrimaryKey::Columns(_), Key::Bytea(bytes)) => Some(bytes.clone()),
            (PrimaryKey::Columns(_), _) => None,
        })
    }

    /// The key that GlueSQL shall hand back for a row.
    pub(super) fn glue_key(&self, table: &Table, key: &[u8], row: &[Value]) -> Result<Key> {
        match &table.key {
            PrimaryKey::RowId => {
                let id = key.try_into().map_err(|_| Error::Damaged {
                    what: table.name.clone(),
                    reason: format!("the key of a row has {} bytes", key.len()),
                })?;
                Ok(Key::U128(u128::from_be_bytes(id)))
            }
            PrimaryKey::Columns(columns) => match columns[..] {
                [column] => row.get(column).map_or(Ok(Key::None), Key::try_from).map_err(Error::from),
                _ => Ok(Key::Bytea(key.to_vec())),
            },
        }
    }

    /// The key of a row that has a primary key, from its values.
    pub(super) fn key_of_row(table: &Table, columns: &[usize], row: &[Value]) -> Result<Vec<u8>> {
        let values = columns.iter().map(|column| row.get(*column).unwrap_or(&Value::Null));
        key::encode_values(values).map_err(|error| match error {
            Error::Statement(error) => Error::Statement(error),
            error => Error::Damaged { what: table.name.clone(), reason: error.to_string() },
        })
    }

    /// Counts rows that were read.
    pub(super) fn touch(&self, rows: u64) {
        self.touched.set(self.touched.get() + rows);
    }

    /// How many rows the session has read.
    #[doc(hidden)]
    pub fn rows_touched(&self) -> u64 {
        self.touched.get()
    }
}
