//! Writing: tables, rows, and what follows from them in indexes.

use std::collections::HashSet;

use gluesql_core::{
    data::{Key, Schema, Value},
    error::Result as GlueResult,
    executor::{DeleteError, InsertError, ValidateError},
    store::StoreMut,
};
use prolly_core::MAX_KEY_BYTES;
use prolly_version::{TreeKey, TreeKind};

use super::Storage;
use crate::{
    Error, Result,
    key::{row_id, row_id_sequence, short_hash},
    plan::hint::Source,
    row::{decode_row, encode_row},
    table::{Index, IndexKind, PrimaryKey, Table},
};

/// What becomes of a row: its new values, or `None` when it goes.
pub(super) type RowEdit = (Vec<u8>, Option<Vec<Value>>);

/// An entry that an index gets.
struct NewEntry<'a> {
    index: &'a Index,
    tree: TreeKey,
    key: Vec<u8>,
    value: Vec<u8>,
    /// The key of the row.
    row: Vec<u8>,
}

/// A row of another table that a row refers to.
struct Reference {
    parent: String,
    /// The column that refers, by its id.
    column: u64,
    /// The key that is referred to.
    key: Vec<u8>,
}

impl NewEntry<'_> {
    /// What the row refers to by the value of this entry; `None` where the index is not of such values.
    fn reference(&self) -> Option<Reference> {
        let IndexKind::Referencing { table, column } = &self.index.kind else { return None };
        let key = self.key[..self.key.len() - self.row.len()].to_vec();
        Some(Reference { parent: table.clone(), column: *column, key })
    }
}

impl StoreMut for Storage {
    fn insert_schema(&mut self, schema: &Schema) -> GlueResult<()> {
        let result = self.set_schema(schema);
        self.glue(result)
    }

    fn delete_schema(&mut self, table_name: &str) -> GlueResult<()> {
        let result = self.drop_table(table_name);
        self.glue(result)
    }

    fn append_data(&mut self, table_name: &str, rows: Vec<Vec<Value>>) -> GlueResult<()> {
        let result = Source::parse(table_name).and_then(|source| self.append(source.table, rows));
        self.glue(result)
    }

    fn insert_data(&mut self, table_name: &str, rows: Vec<(Key, Vec<Value>)>) -> GlueResult<()> {
        let result = Source::parse(table_name).and_then(|source| self.insert(source.table, rows));
        self.glue(result)
    }

    fn delete_data(&mut self, table_name: &str, keys: Vec<Key>) -> GlueResult<()> {
        let result = Source::parse(table_name).and_then(|source| self.delete(source.table, keys));
        self.glue(result)
    }
}

impl Storage {
    /// Makes a table, or gives one that exists another schema for the same columns.
    fn set_schema(&mut self, schema: &Schema) -> Result<()> {
        let tree = Table::tree_key(&schema.table_name);
        Table::check_name(&schema.table_name)?;
        for foreign in &schema.foreign_keys {
            let parent = &foreign.referenced_table_name;
            if *parent != schema.table_name
                && self.txn.metadata_expecting(&Table::tree_key(parent))?.is_none()
            {
                let (name, column) = (&schema.table_name, &foreign.referencing_column_name);
                let text =
                    format!("{name}.{column} cannot refer to {parent:?}: that is no table of the store");
                return Err(Error::Refused(text));
            }
        }
        if let Some(old) = self.table(&schema.table_name)? {
            if old.to_schema().column_defs == schema.column_defs {
                return self.replace_table(&old, &old.with_schema(schema));
            }
            if !self.rows(&old)?.is_empty() {
                return Err(Error::Refused(format!("table {:?} has rows of other columns", old.name)));
            }
            self.drop_table(&schema.table_name)?;
        }
        let key = self.composite_key.take();
        let table = Table::from_schema(schema, key.as_deref())?;
        self.forget_sequence(&tree);
        self.txn.create(&tree, table.encode()?)?;
        for index in &table.indexes {
            self.txn.create(&table.index_tree(index), Vec::new())?;
        }
        Ok(())
    }

    /// Gives a table another description. Indexes that are new in it are made from its rows, those it lacks are dropped.
    pub(super) fn replace_table(&mut self, old: &Table, new: &Table) -> Result<()> {
        self.txn.set_metadata(&Table::tree_key(&new.name), new.encode()?)?;
        for index in old.indexes.iter().filter(|index| !new.indexes.contains(index)) {
            self.txn.drop_tree(&old.index_tree(index))?;
        }
        for index in new.indexes.iter().filter(|index| !old.indexes.contains(index)) {
            self.build_index(new, index)?;
        }
        Ok(())
    }

    /// Makes the tree of an index from the rows of its table.
    fn build_index(&mut self, table: &Table, index: &Index) -> Result<()> {
        let tree = table.index_tree(index);
        self.txn.create(&tree, Vec::new())?;
        let mut references = Vec::new();
        let mut rows = self.rows(table)?.range::<&[u8]>(..)?;
        while let Some((key, row)) = rows.next_pair()? {
            self.touch(1);
            let row = decode_row(table, &row)?;
            if let Some((entry_key, value)) = table.index_entry(index, &row, &key)? {
                let entry = NewEntry { index, tree: tree.clone(), key: entry_key, value, row: key };
                references.extend(entry.reference());
                self.add_entry(table, entry)?;
            }
        }
        self.check_references(table, &references)
    }

    fn drop_table(&mut self, name: &str) -> Result<()> {
        let table = self.writable_table(name)?;
        let tree = Table::tree_key(name);
        self.forget_sequence(&tree);
        self.txn.drop_tree(&tree)?;
        for index in &table.indexes {
            self.txn.drop_tree(&table.index_tree(index))?;
        }
        Ok(())
    }

    /// Inserts rows whose keys are not known to GlueSQL: of tables without a primary key, or with one of several columns.
    fn append(&mut self, name: &str, rows: Vec<Vec<Value>>) -> Result<()> {
        let table = self.writable_table(name)?;
        let tree = Table::tree_key(name);
        if self.making.as_deref() == Some(name) {
            // Of the rows of a query, GlueSQL takes the types of some for those of all.
            rows.iter().try_for_each(|row| check_types(&table, row))?;
        }
        let mut edits = Vec::with_capacity(rows.len());
        match &table.key {
            PrimaryKey::RowId => {
                let first = self.next_sequence(&table, rows.len() as u64)?;
                for (sequence, row) in (first..).zip(rows) {
                    let encoded = encode_row(table.columns.as_deref(), &row)?;
                    let id = row_id(sequence, short_hash(&encoded)).to_vec();
                    if self.txn.get(&tree, &id)?.is_some() {
                        let reason = format!("it has a row {sequence}, which is not its last one");
                        return Err(Error::Damaged { what: tree.to_string(), reason });
                    }
                    edits.push((id, Some(row)));
                }
            }
            PrimaryKey::Columns(columns) => {
                for row in rows {
                    let key = Self::key_of_row(&table, columns, &row)?;
                    if self.txn.get_expecting(&tree, &key)?.is_some() {
                        return Err(duplicate_key(self.glue_key(&table, &key, &row)?));
                    }
                    edits.push((key, Some(row)));
                }
            }
        }
        self.edit_rows(&table, edits)
    }

    /// Takes numbers for rows of a table without a primary key.
    fn next_sequence(&mut self, table: &Table, count: u64) -> Result<u64> {
        let tree = Table::tree_key(&table.name);
        let known = self.sequences.borrow().get(&tree).copied();
        let damaged = |reason: String| Error::Damaged { what: tree.to_string(), reason };
        let next = match known {
            Some(next) => next,
            None => match self.txn.tree(&tree)?.range::<&[u8]>(..)?.next_entry_back()? {
                None => 0,
                Some((key, _)) => row_id_sequence(key)
                    .ok_or_else(|| damaged(format!("the key of its last row has {} bytes", key.len())))?
                    .saturating_add(1),
            },
        };
        let after = next.checked_add(count);
        let after = after.ok_or_else(|| damaged(format!("no {count} rows can follow row {next}")))?;
        self.sequences.borrow_mut().insert(tree, after);
        Ok(next)
    }

    /// Forgets which number comes next in a tree: another tree is to have this name, or none.
    pub(super) fn forget_sequence(&mut self, tree: &TreeKey) {
        self.sequences.get_mut().remove(tree);
    }

    /// Inserts or replaces rows under their keys.
    fn insert(&mut self, name: &str, rows: Vec<(Key, Vec<Value>)>) -> Result<()> {
        let table = self.writable_table(name)?;
        let mut edits = Vec::with_capacity(rows.len());
        let mut moved = Vec::new();
        for (key, row) in rows {
            let Some(bytes) = self.key_bytes(&table, &key)? else {
                let reason = format!("{key:?} is no key of its rows");
                return Err(Error::Damaged { what: table.name.clone(), reason });
            };
            match &table.key {
                // The executor refuses to update a key of one column; it does not know of those of several.
                PrimaryKey::Columns(columns) if columns.len() > 1 => {
                    let new = Self::key_of_row(&table, columns, &row)?;
                    if new != bytes {
                        moved.push(new.clone());
                        edits.push((bytes, None));
                    }
                    edits.push((new, Some(row)));
                }
                _ => edits.push((bytes, Some(row))),
            }
        }
        // A row that moves to another key must not fall on one that stays.
        let left: HashSet<_> = edits.iter().filter(|(_, row)| row.is_none()).map(|(key, _)| key).collect();
        let tree = Table::tree_key(name);
        for key in moved.iter().filter(|key| !left.contains(key)) {
            if let Some(row) = self.txn.get_expecting(&tree, key)? {
                return Err(duplicate_key(self.glue_key(&table, key, &decode_row(&table, &row)?)?));
            }
        }
        self.edit_rows(&table, edits)
    }

    fn delete(&mut self, name: &str, keys: Vec<Key>) -> Result<()> {
        let table = self.writable_table(name)?;
        let edits = keys
            .iter()
            .filter_map(|key| self.key_bytes(&table, key).transpose())
            .map(|key| key.map(|key| (key, None)))
            .collect::<Result<Vec<_>>>()?;
        self.check_unreferenced(&table, &edits)?;
        self.edit_rows(&table, edits)
    }

    /// Writes rows, and what follows from them in the indexes. Of edits of one key, one may remove and one set it.
    ///
    /// # Errors
    /// A key that is set twice, or a second row with a value that has to be unique: `ValidateError`. A row that refers to one which
    /// is not there, not even now: `InsertError`.
    pub(super) fn edit_rows(&mut self, table: &Table, edits: Vec<RowEdit>) -> Result<()> {
        let tree = Table::tree_key(&table.name);
        // Rows that were read in their order are all different.
        if !edits.is_sorted_by(|a, b| a.0 < b.0) {
            let mut set = HashSet::with_capacity(edits.len());
            for (key, row) in edits.iter().filter_map(|(key, row)| Some((key, row.as_ref()?))) {
                if !set.insert(key) {
                    return Err(duplicate_key(self.glue_key(table, key, row)?));
                }
            }
        }
        if let Some((key, _)) = edits.iter().find(|(key, _)| key.len() > MAX_KEY_BYTES) {
            let (name, len) = (&table.name, key.len());
            return Err(Error::Refused(format!(
                "the primary key of a row of table {name:?} takes {len} bytes, more than {MAX_KEY_BYTES}"
            )));
        }
        let references = match table.indexes.is_empty() {
            true => Vec::new(),
            false => self.edit_indexes(table, &edits)?,
        };
        let (gone, kept): (Vec<_>, Vec<_>) = edits.into_iter().partition(|(_, row)| row.is_none());
        for (key, _) in gone {
            self.txn.delete(&tree, key)?;
        }
        for (key, row) in kept {
            if let Some(row) = row {
                let row = encode_row(table.columns.as_deref(), &row)?;
                self.txn.put(&tree, key, row)?;
            }
        }
        self.check_references(table, &references)
    }

    /// Brings the indexes up to date with edits of rows; returns what these refer to and did not before.
    fn edit_indexes(&mut self, table: &Table, edits: &[RowEdit]) -> Result<Vec<Reference>> {
        let rows = Table::tree_key(&table.name);
        let left: HashSet<_> = edits.iter().filter(|(_, row)| row.is_none()).map(|(key, _)| key).collect();
        let mut new = Vec::new();
        for (key, row) in edits {
            let old = match row {
                // What is under the key goes by an edit of its own.
                Some(_) if left.contains(key) => None,
                _ => self.txn.get(&rows, key)?.map(|old| decode_row(table, &old)).transpose()?,
            };
            for index in &table.indexes {
                let entry = |row: &Option<Vec<Value>>| match row {
                    Some(row) => table.index_entry(index, row, key),
                    None => Ok(None),
                };
                let (before, after) = (entry(&old)?, entry(row)?);
                if before == after {
                    continue;
                }
                let tree = table.index_tree(index);
                if let Some((entry_key, _)) = before {
                    self.txn.delete(&tree, entry_key)?;
                }
                if let Some((entry_key, value)) = after {
                    new.push(NewEntry { index, tree, key: entry_key, value, row: key.clone() });
                }
            }
        }
        let references = new.iter().filter_map(NewEntry::reference).collect();
        // Once all old entries are gone, so that rows may swap what has to be unique.
        for entry in new {
            self.add_entry(table, entry)?;
        }
        Ok(references)
    }

    /// Refuses what refers to rows that are not there. These have to stay until the transaction ends.
    fn check_references(&self, table: &Table, references: &[Reference]) -> Result<()> {
        for Reference { parent, column, key } in references {
            if self.txn.get_expecting(&Table::tree_key(parent), key)?.is_some() {
                self.touch(1);
                continue;
            }
            let column = table.column(*column).map(|column| &column.def.name);
            let foreign = table.foreign_keys.iter().find(|foreign| {
                foreign.referenced_table_name == *parent && Some(&foreign.referencing_column_name) == column
            });
            let value = crate::key::decode(key)?.pop().unwrap_or(Value::Null);
            let error = InsertError::CannotFindReferencedValue {
                table_name: parent.clone(),
                column_name: foreign
                    .map(|foreign| foreign.referenced_column_name.clone())
                    .unwrap_or_default(),
                referenced_value: String::from(value),
            };
            return Err(Error::Statement(error.into()));
        }
        Ok(())
    }

    fn add_entry(&mut self, table: &Table, entry: NewEntry<'_>) -> Result<()> {
        let NewEntry { index, tree, key, value, row } = entry;
        if key.len() > MAX_KEY_BYTES {
            let (of, len) = (table.index_text(index), key.len());
            return Err(Error::Refused(format!(
                "an entry of {of} takes {len} bytes, more than {MAX_KEY_BYTES}: an indexed value cannot be longer"
            )));
        }
        if let IndexKind::Unique { column } = index.kind
            && let Some(other) = self.txn.get(&tree, &key)?
            && other != row
        {
            let column = table.column(column).map_or_else(String::new, |column| column.def.name.clone());
            let value = crate::key::decode(&key)?.pop().unwrap_or(Value::Null);
            return Err(Error::Statement(ValidateError::DuplicateEntryOnUniqueField(value, column).into()));
        }
        self.txn.put(&tree, key, value)
    }

    /// Refuses to delete rows that rows of other tables refer to.
    fn check_unreferenced(&self, table: &Table, edits: &[RowEdit]) -> Result<()> {
        let gone: HashSet<_> = edits.iter().map(|(key, _)| key.as_slice()).collect();
        for (child, tree) in self.referencing_trees(&table.name)? {
            for key in &gone {
                // An entry there is the key that is referred to, and that of the row which refers to it.
                let rows = self.txn.prefix_expecting(&tree, key)?;
                let stays = |row: &Vec<u8>| child != table.name || !gone.contains(&row[key.len()..]);
                if rows.iter().any(stays) {
                    let child = self.known_table(&child)?;
                    let foreign_keys = child.foreign_keys.iter();
                    let columns: Vec<_> = foreign_keys
                        .filter(|foreign| foreign.referenced_table_name == table.name)
                        .map(|foreign| format!("{}.{}", child.name, foreign.referencing_column_name))
                        .collect();
                    let error = DeleteError::ReferencingColumnExists(columns.join(", "));
                    return Err(Error::Statement(error.into()));
                }
            }
        }
        Ok(())
    }

    /// The indexes of tables that refer to a table, each with the name of the table that it is of. There have to be the same ones
    /// when the transaction ends.
    pub(super) fn referencing_trees(&self, parent: &str) -> Result<Vec<(String, TreeKey)>> {
        let prefix = Table::referencing_prefix(parent);
        let trees = self.txn.tree_keys_expecting(TreeKind::TABLE_INDEX, &prefix)?;
        trees
            .into_iter()
            .map(|tree| match Table::referencing_child(parent, &tree) {
                Some(child) => Ok((child.to_owned(), tree)),
                None => Err(Error::Damaged {
                    what: tree.to_string(),
                    reason: "its name says no table".to_owned(),
                }),
            })
            .collect()
    }
}

fn check_types(table: &Table, row: &[Value]) -> Result<()> {
    for (column, value) in table.columns.iter().flatten().zip(row) {
        value.validate_type(&column.def.data_type)?;
        value.validate_null(column.def.nullable)?;
    }
    Ok(())
}

fn duplicate_key(key: Key) -> Error {
    Error::Statement(ValidateError::DuplicateEntryOnPrimaryKeyField(key).into())
}
