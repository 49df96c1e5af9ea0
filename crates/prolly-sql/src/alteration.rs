//! How the description of a table changes.
//!
//! **Invariant:** a column keeps its id for as long as the table has it, whatever it is called.

use gluesql_core::{
    ast::{ColumnDef, DataType},
    data::{Schema, Value},
};
use prolly_version::Catalog;

use crate::{
    Error, Result,
    statement::HINT_MARK,
    table::{Column, Index, IndexKind, PrimaryKey, Table},
};

impl Table {
    /// Refuses names that could be taken for something else: `@` names a revision, NUL ends a name in a tree's.
    ///
    /// # Errors
    /// [`Error::Statement`] with the name and the character.
    pub(crate) fn check_name(name: &str) -> Result<()> {
        match name.chars().find(|c| matches!(*c, '\0' | '@' | HINT_MARK)) {
            None if !name.is_empty() => Ok(()),
            None => Err(refused("the name of a table cannot be empty".to_owned())),
            Some(c) => Err(refused(format!("the name of table {name:?} cannot contain {c:?}"))),
        }
    }

    /// A table at a revision; `None` when it has none of this name.
    ///
    /// # Errors
    /// [`Error::Damaged`]; what reading reports.
    pub(crate) fn at(catalog: &Catalog, name: &str) -> Result<Option<Self>> {
        let Some(entry) = catalog.entry(&Self::tree_key(name))? else { return Ok(None) };
        Self::decode(name, &entry.metadata).map(Some)
    }

    /// A column by its id.
    pub(crate) fn column(&self, id: u64) -> Option<&Column> {
        self.columns.iter().flatten().find(|column| column.id == id)
    }

    /// The index that `CREATE INDEX` gave a name.
    pub(crate) fn named_index(&self, wanted: &str) -> Option<&Index> {
        self.indexes
            .iter()
            .find(|index| matches!(&index.kind, IndexKind::Named { name, .. } if name == wanted))
    }

    /// The same table with the foreign keys, the engine and the comment of another schema for its columns.
    pub(crate) fn with_schema(&self, schema: &Schema) -> Self {
        let mut new = self.clone();
        new.engine.clone_from(&schema.engine);
        new.comment.clone_from(&schema.comment);
        new.foreign_keys.clone_from(&schema.foreign_keys);
        new.imply_indexes();
        new
    }

    /// Makes the indexes that follow from columns and foreign keys be what they are now.
    fn imply_indexes(&mut self) {
        let named = std::mem::take(&mut self.indexes);
        self.indexes = self.implied_indexes();
        self.indexes.extend(named.into_iter().filter(|index| matches!(index.kind, IndexKind::Named { .. })));
    }

    /// Gives the table another name.
    pub(crate) fn rename(&mut self, name: &str) {
        let old = std::mem::replace(&mut self.name, name.to_owned());
        self.rename_parent(&old, name);
    }

    /// Follows a table that it refers to, to its new name.
    pub(crate) fn rename_parent(&mut self, old: &str, new: &str) {
        for foreign in self.foreign_keys.iter_mut().filter(|foreign| foreign.referenced_table_name == old) {
            new.clone_into(&mut foreign.referenced_table_name);
        }
        for index in &mut self.indexes {
            if let IndexKind::Referencing { table, .. } = &mut index.kind
                && table == old
            {
                new.clone_into(table);
            }
        }
    }

    /// Adds a column at the end, with what the rows there are hold in it.
    pub(crate) fn add_column(&mut self, def: ColumnDef, fill: Value) {
        let columns = self.columns.get_or_insert_default();
        let id = Column::new_id(&def.name, columns);
        columns.push(Column { id, def, fill });
        self.imply_indexes();
    }

    /// Takes a column away that is not part of the primary key, with the indexes on it alone.
    pub(crate) fn drop_column(&mut self, position: usize) {
        let Some(columns) = &mut self.columns else { return };
        columns.remove(position);
        self.imply_indexes();
        if let PrimaryKey::Columns(key) = &mut self.key {
            for column in key.iter_mut().filter(|column| **column > position) {
                *column -= 1;
            }
        }
    }
}

impl Column {
    /// The one that a table without columns has instead: each row is one map.
    pub(crate) fn document() -> Self {
        let def = ColumnDef {
            name: "_doc".to_owned(),
            data_type: DataType::Map,
            nullable: false,
            default: None,
            unique: None,
            comment: None,
        };
        Self { id: 0, def, fill: Value::Null }
    }
}

fn refused(text: String) -> Error {
    Error::Refused(text)
}
