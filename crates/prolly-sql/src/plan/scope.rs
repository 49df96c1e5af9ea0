//! What the names in an expression mean: the tables of a query, and of the queries around it.
//!
//! **Invariant:** a name is resolved only when it can mean one thing.

use std::sync::Arc;

use gluesql_core::{
    ast::{ColumnDef, DataType},
    plan::{ExprPlan, SourcePlan},
};

use super::{Tables, hint::Source};
use crate::{Result, table::Table};

/// The tables of one query, in their order.
#[derive(Default)]
pub(super) struct Scope {
    pub(super) occurrences: Vec<Occurrence>,
}

/// A table in a query.
pub(super) struct Occurrence {
    pub(super) alias: String,
    /// `None` for what is not a table with a schema.
    pub(super) table: Option<Arc<Table>>,
}

/// A column of a table in a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ColumnRef {
    pub(super) occurrence: usize,
    pub(super) column: usize,
}

impl Occurrence {
    pub(super) fn of(tables: &dyn Tables, source: &SourcePlan) -> Result<Self> {
        let table = match source {
            // Columns that are renamed here are not followed.
            SourcePlan::Table(table) if table.alias.as_ref().is_none_or(|alias| alias.columns.is_empty()) => {
                tables.table(Source::parse(&table.name)?.table)?
            }
            _ => None,
        };
        Ok(Self {
            alias: source.alias_name().to_owned(),
            table: table.filter(|table| table.columns.is_some()),
        })
    }

    /// The columns; `None` when they are not known.
    fn columns(&self) -> Option<impl Iterator<Item = &ColumnDef>> {
        Some(self.table.as_ref()?.columns.as_ref()?.iter().map(|column| &column.def))
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.columns()?.position(|column| column.name == name)
    }

    pub(super) fn column(&self, column: usize) -> Option<&ColumnDef> {
        self.columns()?.nth(column)
    }
}

impl Scope {
    /// The column that an expression is; `None` when it is none of these tables', or could be several.
    pub(super) fn resolve(&self, expr: &ExprPlan) -> Option<ColumnRef> {
        let mut found = None;
        let name = match expr {
            ExprPlan::Nested(inner) => return self.resolve(inner),
            ExprPlan::Identifier(name) | ExprPlan::CompoundIdentifier { ident: name, .. } => name,
            _ => return None,
        };
        for (i, occurrence) in self.occurrences.iter().enumerate() {
            if matches!(expr, ExprPlan::CompoundIdentifier { alias, .. } if *alias != occurrence.alias) {
                continue;
            }
            occurrence.table.as_ref()?;
            if let Some(column) = occurrence.position(name)
                && found.replace(ColumnRef { occurrence: i, column }).is_some()
            {
                return None;
            }
        }
        found
    }

    pub(super) fn definition(&self, column: ColumnRef) -> Option<&ColumnDef> {
        self.occurrences.get(column.occurrence)?.column(column.column)
    }

    /// Whether a name can be one of these tables'.
    fn may_have(&self, expr: &ExprPlan) -> bool {
        self.occurrences.iter().any(|occurrence| match expr {
            ExprPlan::Identifier(name) => {
                occurrence.columns().is_none() || occurrence.position(name).is_some()
            }
            ExprPlan::CompoundIdentifier { alias, .. } => *alias == occurrence.alias,
            _ => true,
        })
    }
}

/// The type of a column of a query around this one; `None` when the expression is no such column.
pub(super) fn outer_type<'a>(outer: &'a [Scope], inner: &Scope, expr: &ExprPlan) -> Option<&'a DataType> {
    if let ExprPlan::Nested(expr) = expr {
        return outer_type(outer, inner, expr);
    }
    if inner.may_have(expr) {
        return None;
    }
    let scope = outer.iter().rev().find(|scope| scope.may_have(expr))?;
    Some(&scope.definition(scope.resolve(expr)?)?.data_type)
}
