//! `ALTER TABLE`. Renaming and adding a column rewrite no row; dropping a column rewrites all.

use gluesql_core::{
    ast::{ColumnDef, ColumnUniqueOption},
    data::Value,
    error::Result as GlueResult,
    executor::evaluate_stateless,
    plan::plan_scalar_expr,
    store::{AlterTable, AlterTableError},
};

use super::Storage;
use crate::{
    Error, Result,
    row::{decode_row, encode_row},
    table::{Column, PrimaryKey, Table, each_column},
};

impl AlterTable for Storage {
    fn rename_schema(&mut self, table_name: &str, new_table_name: &str) -> GlueResult<()> {
        let result = self.rename_table(table_name, new_table_name);
        self.glue(result)
    }

    fn rename_column(
        &mut self,
        table_name: &str,
        old_column_name: &str,
        new_column_name: &str,
    ) -> GlueResult<()> {
        let result = self.rename_column_of(table_name, old_column_name, new_column_name);
        self.glue(result)
    }

    fn add_column(&mut self, table_name: &str, column_def: &ColumnDef) -> GlueResult<()> {
        let result = self.add_column_to(table_name, column_def);
        self.glue(result)
    }

    fn drop_column(&mut self, table_name: &str, column_name: &str, if_exists: bool) -> GlueResult<()> {
        let result = self.drop_column_of(table_name, column_name, if_exists);
        self.glue(result)
    }
}

impl Storage {
    fn rename_table(&mut self, name: &str, new_name: &str) -> Result<()> {
        let old = self.altered(name)?;
        Table::check_name(new_name)?;
        if self.table(new_name)?.is_some() {
            return Err(refused(gluesql_core::executor::AlterError::TableAlreadyExists(new_name.to_owned())));
        }
        let mut new = (*old).clone();
        new.rename(new_name);
        for (index, renamed) in old.indexes.iter().zip(&new.indexes) {
            self.txn.rename(&old.index_tree(index), &new.index_tree(renamed))?;
        }
        let (from, to) = (Table::tree_key(name), Table::tree_key(new_name));
        self.forget_sequence(&from);
        self.forget_sequence(&to);
        self.txn.rename(&from, &to)?;
        self.txn.set_metadata(&to, new.encode()?)?;
        // Tables that refer to it go on doing so.
        for (child, _) in self.referencing_trees(name)? {
            let old_child = self.known_table(&child)?;
            let mut new_child = (*old_child).clone();
            new_child.rename_parent(name, new_name);
            for (index, renamed) in old_child.indexes.iter().zip(&new_child.indexes) {
                let (from, to) = (old_child.index_tree(index), new_child.index_tree(renamed));
                if from != to {
                    self.txn.rename(&from, &to)?;
                }
            }
            self.txn.set_metadata(&Table::tree_key(&child), new_child.encode()?)?;
        }
        Ok(())
    }

    fn rename_column_of(&mut self, table_name: &str, old_name: &str, new_name: &str) -> Result<()> {
        let old = self.altered(table_name)?;
        let mut new = (*old).clone();
        let columns = schemaful(&mut new)?;
        if columns.iter().any(|column| column.def.name == new_name) {
            return Err(refused(AlterTableError::AlreadyExistingColumn(new_name.to_owned())));
        }
        let column = columns.iter_mut().find(|column| column.def.name == old_name);
        new_name.clone_into(
            &mut column.ok_or_else(|| refused(AlterTableError::RenamingColumnNotFound))?.def.name,
        );
        for index in &mut new.indexes {
            each_column(&mut index.expr, &mut |name| {
                if name == old_name {
                    new_name.clone_into(name);
                }
            });
        }
        for foreign in &mut new.foreign_keys {
            if foreign.referenced_table_name == table_name && foreign.referenced_column_name == old_name {
                new_name.clone_into(&mut foreign.referenced_column_name);
            }
        }
        // The entries of its indexes stay as they are.
        self.txn.set_metadata(&Table::tree_key(table_name), new.encode()?)
    }

    fn add_column_to(&mut self, table_name: &str, def: &ColumnDef) -> Result<()> {
        let old = self.altered(table_name)?;
        if def.unique == Some(ColumnUniqueOption { is_primary: true }) {
            let name = &def.name;
            let text = format!("column {name:?} cannot be added to table {table_name:?} as its primary key");
            return Err(Error::Refused(text));
        }
        let fill = match (&def.default, def.nullable) {
            (Some(default), _) => {
                let default = plan_scalar_expr(default.clone());
                evaluate_stateless(None, &default)?.try_into_value(&def.data_type, def.nullable)?
            }
            (None, true) => Value::Null,
            (None, false) => return Err(refused(AlterTableError::DefaultValueRequired(def.clone()))),
        };
        let mut new = (*old).clone();
        if schemaful(&mut new)?.iter().any(|column| column.def.name == def.name) {
            return Err(refused(AlterTableError::AlreadyExistingColumn(def.name.clone())));
        }
        new.add_column(def.clone(), fill);
        self.replace_table(&old, &new)
    }

    fn drop_column_of(&mut self, table_name: &str, name: &str, if_exists: bool) -> Result<()> {
        let old = self.altered(table_name)?;
        let mut new = (*old).clone();
        let columns: &mut Vec<Column> = schemaful(&mut new)?;
        let Some(position) = columns.iter().position(|column| column.def.name == name) else {
            if if_exists {
                return Ok(());
            }
            return Err(refused(AlterTableError::DroppingColumnNotFound(name.to_owned())));
        };
        if let PrimaryKey::Columns(key) = &old.key
            && key.contains(&position)
        {
            let text = format!("column {name:?} is part of the primary key of {table_name:?}");
            return Err(Error::Refused(text));
        }
        new.drop_column(position);
        let tree = Table::tree_key(table_name);
        let mut rows = self.rows(&old)?.range::<&[u8]>(..)?;
        while let Some((key, row)) = rows.next_pair()? {
            self.touch(1);
            let mut row = decode_row(&old, &row)?;
            row.remove(position);
            self.txn.put(&tree, key, encode_row(new.columns.as_deref(), &row)?)?;
        }
        self.replace_table(&old, &new)
    }

    fn altered(&self, name: &str) -> Result<std::sync::Arc<Table>> {
        match self.relation(name)? {
            Some(_) => self.writable_table(name),
            None => Err(refused(AlterTableError::TableNotFound(name.to_owned()))),
        }
    }
}

fn schemaful(table: &mut Table) -> Result<&mut Vec<Column>> {
    match &mut table.columns {
        Some(columns) => Ok(columns),
        None => Err(refused(AlterTableError::SchemalessTableFound(table.name.clone()))),
    }
}

fn refused(error: impl Into<gluesql_core::error::Error>) -> Error {
    Error::Statement(error.into())
}
