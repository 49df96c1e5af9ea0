//! Which entries rows have in the indexes of their table, and which trees those are.
//!
//! **Invariant:** the entries of a row follow from its values and its key alone, so an index is what its rows say, however they
//! came to be.

use std::str;

use gluesql_core::{
    ast::{ColumnUniqueOption, Expr, Function},
    data::Value,
    executor::{RowContext, evaluate_stateless},
    plan::plan_scalar_expr,
};
use prolly_version::{TreeKey, TreeKind};

use super::{Index, IndexKind, Table};
use crate::{Error, Result, key::encode_value};

/// Separates the parts of the name of an index's tree.
const SEPARATOR: u8 = 0;
const NAMED: u8 = b'i';
const UNIQUE: u8 = b'u';
const REFERENCING: u8 = b'r';

/// Calls `each` with the columns that the expression of an index names.
pub(crate) fn each_column(expr: &mut Expr, each: &mut dyn FnMut(&mut String)) {
    match expr {
        Expr::Identifier(name) => each(name),
        Expr::Nested(expr) | Expr::UnaryOp { expr, .. } => each_column(expr, each),
        Expr::BinaryOp { left, right, .. } => {
            each_column(left, each);
            each_column(right, each);
        }
        Expr::Function(function) => {
            if let Function::Cast { expr, .. } = &mut **function {
                each_column(expr, each);
            }
        }
        // `CREATE INDEX` takes no other expressions.
        _ => {}
    }
}

impl Table {
    /// The tree of an index.
    pub(crate) fn index_tree(&self, index: &Index) -> TreeKey {
        let parts = |table: &str, kind: u8, rest: &[&[u8]]| {
            [&[table.as_bytes(), &[SEPARATOR, kind]], rest].concat().concat()
        };
        let name = match &index.kind {
            IndexKind::Named { name, .. } => parts(&self.name, NAMED, &[name.as_bytes()]),
            IndexKind::Unique { column } => parts(&self.name, UNIQUE, &[&column.to_be_bytes()]),
            IndexKind::Referencing { table, column } => {
                let column = column.to_be_bytes();
                parts(table, REFERENCING, &[self.name.as_bytes(), &[SEPARATOR], &column])
            }
        };
        TreeKey::new(TreeKind::TABLE_INDEX, name)
    }

    /// What an index is, for a message.
    pub(crate) fn index_text(&self, index: &Index) -> String {
        let column = |id: u64| self.column(id).map_or("", |column| &column.def.name);
        match &index.kind {
            IndexKind::Named { name, .. } => format!("index {name:?} of table {:?}", self.name),
            IndexKind::Unique { column: id } | IndexKind::Referencing { column: id, .. } => {
                format!("the index of column {:?} of table {:?}", column(*id), self.name)
            }
        }
    }

    /// What the names of the trees begin with that index the columns which refer to a table.
    pub(crate) fn referencing_prefix(parent: &str) -> Vec<u8> {
        [parent.as_bytes(), &[SEPARATOR, REFERENCING]].concat()
    }

    /// The table whose columns a tree indexes that refer to `parent`; `None` when it is no such tree.
    pub(crate) fn referencing_child<'a>(parent: &str, tree: &'a TreeKey) -> Option<&'a str> {
        let rest = tree.name().strip_prefix(Self::referencing_prefix(parent).as_slice())?;
        let (child, column) = rest.split_at_checked(rest.iter().position(|byte| *byte == SEPARATOR)?)?;
        (column.len() == 9).then(|| str::from_utf8(child).ok())?
    }

    /// The table whose rows a tree of kind [`TreeKind::TABLE_INDEX`] indexes; `None` when its name is none that
    /// [`Table::index_tree`] gives.
    pub(crate) fn indexed_table(tree: &TreeKey) -> Option<&str> {
        let name = tree.name();
        let (table, rest) = name.split_at_checked(name.iter().position(|byte| *byte == SEPARATOR)?)?;
        let table = str::from_utf8(table).ok()?;
        match rest {
            [_, NAMED, name @ ..] => str::from_utf8(name).ok().map(|_| table),
            [_, UNIQUE, column @ ..] => (column.len() == 8).then_some(table),
            [_, REFERENCING, ..] => Self::referencing_child(table, tree),
            _ => None,
        }
    }

    /// The indexes that follow from columns and foreign keys: one for each column that is `UNIQUE`, and one for each that
    /// refers to another table.
    pub(crate) fn implied_indexes(&self) -> Vec<Index> {
        let columns = || self.columns.iter().flatten();
        let unique =
            columns().filter(|column| column.def.unique == Some(ColumnUniqueOption { is_primary: false }));
        let mut indexes: Vec<Index> = unique
            .map(|column| Index {
                kind: IndexKind::Unique { column: column.id },
                expr: Expr::Identifier(column.def.name.clone()),
            })
            .collect();
        for key in &self.foreign_keys {
            let column = columns().find(|column| column.def.name == key.referencing_column_name);
            let index = column.map(|column| Index {
                kind: IndexKind::Referencing { table: key.referenced_table_name.clone(), column: column.id },
                expr: Expr::Identifier(column.def.name.clone()),
            });
            indexes.extend(index.filter(|index| !indexes.contains(index)));
        }
        indexes
    }

    /// The entry, key and value, that a row has in an index; `None` when it has none there.
    ///
    /// # Errors
    /// What evaluating the expression gives, or when its value has no order.
    pub(crate) fn index_entry(
        &self,
        index: &Index,
        row: &[Value],
        key: &[u8],
    ) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        let columns = self.columns.as_deref().unwrap_or(&[]);
        let by_name = match &index.expr {
            Expr::Identifier(name) => columns.iter().position(|column| column.def.name == *name),
            _ => None,
        };
        let evaluated;
        let value = match by_name.and_then(|column| row.get(column)) {
            Some(value) => value,
            None => {
                let columns: Vec<String> = columns.iter().map(|column| column.def.name.clone()).collect();
                let context = RowContext::RefVecData { columns: &columns, values: row };
                let plan = plan_scalar_expr(index.expr.clone());
                evaluated = evaluate_stateless(Some(context), &plan)
                    .and_then(Value::try_from)
                    .map_err(Error::Statement)?;
                &evaluated
            }
        };
        let named = matches!(index.kind, IndexKind::Named { .. });
        if *value == Value::Null && !named {
            // NULL is equal to nothing: it is as often there as one likes, and refers to no row.
            return Ok(None);
        }
        let mut entry = Vec::with_capacity(key.len() + 16);
        encode_value(&mut entry, value)?;
        if matches!(index.kind, IndexKind::Unique { .. }) {
            return Ok(Some((entry, key.to_vec())));
        }
        entry.extend_from_slice(key);
        Ok(Some((entry, Vec::new())))
    }
}
