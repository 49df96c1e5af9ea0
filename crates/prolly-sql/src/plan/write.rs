//! Statements that write: which rows they change, and that the storage checks what an index can check.

use gluesql_core::plan::{AssignmentPlan, ExprPlan, QueryPlan, SourcePlan, TableAccessPlan, TableSourcePlan};

use super::{
    access,
    hint::{Access, Hint, Purpose},
    like,
    logic::Logic,
    scope::{Occurrence, Scope},
    select::Pass,
    walk::{Parts, Query, children, projected, subquery},
};
use crate::{Result, table::Column};

impl Pass<'_> {
    pub(super) fn insert(&mut self, table: &mut String, source: &mut QueryPlan) -> Result<()> {
        self.query(source)?;
        if self.tables.table(table)?.is_some() {
            *table = Hint { purpose: Purpose::Insert, ..Hint::default() }.name(table);
        }
        Ok(())
    }

    pub(super) fn update(
        &mut self,
        table: &mut String,
        assignments: &mut [AssignmentPlan],
        selection: Option<&mut ExprPlan>,
    ) -> Result<()> {
        let alias = table.clone();
        self.target(table, Purpose::Update, selection.as_deref())?;
        let values = assignments.iter_mut().map(|assignment| &mut assignment.value).collect();
        self.exprs_of(table, &alias, values, selection)
    }

    pub(super) fn delete(&mut self, table: &mut String, selection: Option<&mut ExprPlan>) -> Result<()> {
        let alias = table.clone();
        self.target(table, Purpose::Delete, selection.as_deref())?;
        self.exprs_of(table, &alias, Vec::new(), selection)
    }

    /// Writes the rows that a statement is to change into its table's name.
    fn target(&self, table: &mut String, purpose: Purpose, selection: Option<&ExprPlan>) -> Result<()> {
        let scope = self.scope_of(table)?;
        if self.tables.table(table)?.is_none() {
            return Ok(());
        }
        let access = match selection {
            None => Access::All,
            Some(selection) => access::choose(self.tables, table, &scope, 0, &[selection])?.access,
        };
        *table = Hint { purpose, access, ..Hint::default() }.name(table);
        Ok(())
    }

    /// Rewrites a statement's expressions, and goes on into the queries in them. GlueSQL knows its table by the name with the hint.
    fn exprs_of(
        &mut self,
        table: &str,
        alias: &str,
        values: Vec<&mut ExprPlan>,
        selection: Option<&mut ExprPlan>,
    ) -> Result<()> {
        let mut scope = self.scope_of(table)?;
        scope.occurrences[0].alias = table.to_owned();
        let columns = scope.occurrences[0].table.clone();
        let columns = columns.as_ref().and_then(|table| table.columns.as_deref());
        let rename = Rename { from: alias, to: table, columns };
        let logic = Logic { tables: self.tables, scope: &scope };
        let mut exprs = values;
        for value in &mut exprs {
            rename.in_expr(value);
            like::rewrite(&scope, value);
            logic.in_value(value)?;
        }
        if let Some(selection) = selection {
            rename.in_expr(selection);
            like::rewrite(&scope, selection);
            logic.in_condition(selection)?;
            exprs.push(selection);
        }
        self.outer.push(scope);
        let result = exprs.into_iter().try_for_each(|expr| self.expr(expr));
        self.outer.pop();
        result
    }

    fn scope_of(&self, table: &str) -> Result<Scope> {
        let source =
            TableSourcePlan { name: table.to_owned(), alias: None, access: TableAccessPlan::FullScan };
        Ok(Scope { occurrences: vec![Occurrence::of(self.tables, &SourcePlan::Table(source))?] })
    }
}

/// Renames a table in expressions, and in the queries in them that have no other of this name. What is none of its columns is
/// left for GlueSQL to complain of.
struct Rename<'a> {
    from: &'a str,
    to: &'a str,
    columns: Option<&'a [Column]>,
}

impl Rename<'_> {
    fn in_expr(&self, expr: &mut ExprPlan) {
        if let ExprPlan::CompoundIdentifier { alias, ident } = expr
            && alias == self.from
            && self.columns.is_none_or(|columns| columns.iter().any(|column| column.def.name == *ident))
        {
            self.to.clone_into(alias);
        }
        if let Some(query) = subquery(expr) {
            self.in_query(query);
        }
        children(expr).into_iter().for_each(|child| self.in_expr(child));
    }

    fn in_query(&self, query: &mut QueryPlan) {
        let (project, order_by) = match Query::of(query) {
            Query::Values(values) => {
                return values.0.iter_mut().flatten().for_each(|expr| self.in_expr(expr));
            }
            Query::Select { project, order_by } => (project, order_by),
        };
        let mut parts = Parts::of(&mut project.input);
        if parts.sources().any(|source| source.alias_name() == self.from) {
            return;
        }
        for source in parts.sources_mut() {
            if let SourcePlan::Derived(derived) = source {
                self.in_query(&mut derived.query);
            }
        }
        parts.exprs_mut().into_iter().for_each(|expr| self.in_expr(expr));
        projected(&mut project.projection).for_each(|expr| self.in_expr(expr));
        order_by.into_iter().flatten().for_each(|order| self.in_expr(&mut order.expr));
    }
}
