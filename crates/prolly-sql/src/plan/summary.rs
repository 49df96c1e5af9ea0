//! Aggregates that are known without reading the rows: their number, and the ends of their order.
//!
//! `SELECT COUNT(*), MAX(id) FROM t WHERE id > 5` becomes `SELECT count, last FROM "t with a hint"`, a table of one row.

use gluesql_core::plan::{
    AggregateFunctionPlan, AggregationInputPlan, CountArgExprPlan, ExprPlan, FilterInputPlan,
    OrderByExprPlan, ProjectInputPlan, ProjectPlan, ProjectionPlan, SelectItemPlan, SourcePlan,
    TableAccessPlan, TableAliasPlan, TableSourcePlan,
};

use super::{
    access::{self, Chosen},
    constant::is_ordered,
    hint::{Access, Hint, Purpose, Summary},
    ranges::KeyRanges,
    scope::{ColumnRef, Scope},
    walk::projected,
};
use crate::{Result, table::Table};

/// Rewrites a query if all that it asks for is a [`Summary`], and tells whether it was.
pub(super) fn rewrite(
    scope: &Scope,
    project: &mut ProjectPlan,
    order_by: &[OrderByExprPlan],
) -> Result<bool> {
    let ([occurrence], true) = (&scope.occurrences[..], order_by.is_empty()) else { return Ok(false) };
    let Some(table) = occurrence.table.as_deref() else { return Ok(false) };
    let Some((source, filter)) = aggregated(&project.input) else { return Ok(false) };
    let mut wanted = Wanted { scope, summary: Summary::default(), column: None };
    let ProjectionPlan::SelectItems(items) = &project.projection else { return Ok(false) };
    if !items.iter().all(|item| matches!(item, SelectItemPlan::Expr { expr, .. } if wanted.by(expr))) {
        return Ok(false);
    }
    if wanted.summary == Summary::default() {
        return Ok(false);
    }
    let taken = match &source.access {
        TableAccessPlan::FullScan => None,
        TableAccessPlan::PrimaryKey { .. } => return Ok(false),
        access => match access::taken(table, &occurrence.alias, access) {
            Some((_, condition)) => Some(condition),
            None => return Ok(false),
        },
    };
    let conditions: Vec<_> = filter.into_iter().chain(&taken).collect();
    let Some(access) = exactly(table, scope, &conditions, wanted.column)? else { return Ok(false) };

    let alias = TableAliasPlan { name: occurrence.alias.clone(), columns: Vec::new() };
    let hint = Hint { purpose: Purpose::Read, summary: Some(wanted.summary), access, ..Hint::default() };
    let source = TableSourcePlan {
        name: hint.name(&source.name),
        alias: Some(alias),
        access: TableAccessPlan::FullScan,
    };
    project.input = ProjectInputPlan::Source(SourcePlan::Table(source));
    projected(&mut project.projection).for_each(name_columns);
    Ok(true)
}

fn aggregated(input: &ProjectInputPlan) -> Option<(&TableSourcePlan, Option<&ExprPlan>)> {
    let ProjectInputPlan::Aggregation(aggregation) = input else { return None };
    let (source, filter) = match &aggregation.input {
        AggregationInputPlan::Source(source) => (source, None),
        AggregationInputPlan::Filter(filter) => match &filter.input {
            FilterInputPlan::Source(source) => (source, Some(&filter.expr)),
            _ => return None,
        },
        _ => return None,
    };
    match source {
        SourcePlan::Table(source) if aggregation.group_by.is_empty() => Some((source, filter)),
        _ => None,
    }
}

/// The access that names exactly the rows for which the conditions are true, ordered by a column if one is given.
fn exactly(
    table: &Table,
    scope: &Scope,
    conditions: &[&ExprPlan],
    column: Option<usize>,
) -> Result<Option<Access>> {
    let is_fit = |chosen: &Chosen| {
        chosen.exact
            && column.is_none_or(|column| access::order_of(table, &chosen.access).first() == Some(&column))
    };
    let by_key = access::by_key(table, scope, 0, conditions)?;
    if is_fit(&by_key) {
        return Ok(Some(by_key.access));
    }
    for (i, index) in table.indexes.iter().enumerate() {
        let by_index = if conditions.is_empty() {
            let is_of = column.is_some() && access::column_of(table, index) == column;
            is_of.then(|| Chosen { access: Access::Index(i, KeyRanges::all()), exact: true, fixed: 0 })
        } else {
            access::by_index(table, i, scope, 0, conditions)?
        };
        if let Some(chosen) = by_index.filter(is_fit) {
            return Ok(Some(chosen.access));
        }
    }
    Ok(None)
}

/// What the expressions of a projection ask for.
struct Wanted<'a> {
    scope: &'a Scope,
    summary: Summary,
    /// The column that the ends of are wanted.
    column: Option<usize>,
}

impl Wanted<'_> {
    /// Adds what an expression asks for; `false` when that is more than a summary tells.
    fn by(&mut self, expr: &ExprPlan) -> bool {
        match expr {
            ExprPlan::Literal(_) | ExprPlan::Value(_) => true,
            ExprPlan::Nested(inner) | ExprPlan::UnaryOp { expr: inner, .. } => self.by(inner),
            ExprPlan::BinaryOp { left, right, .. } => self.by(left) && self.by(right),
            ExprPlan::Aggregate(aggregate) => match &aggregate.func {
                AggregateFunctionPlan::Count(_) if aggregate.distinct => false,
                AggregateFunctionPlan::Count(argument) => {
                    self.summary.count = true;
                    match argument {
                        CountArgExprPlan::Wildcard => true,
                        CountArgExprPlan::Expr(expr) => {
                            matches!(expr, ExprPlan::Literal(_)) || self.column_of(expr).is_some()
                        }
                    }
                }
                AggregateFunctionPlan::Min(expr) => {
                    self.summary.first = true;
                    self.is_end_of(expr)
                }
                AggregateFunctionPlan::Max(expr) => {
                    self.summary.last = true;
                    self.is_end_of(expr)
                }
                _ => false,
            },
            _ => false,
        }
    }

    /// A column that is never `NULL`.
    fn column_of(&self, expr: &ExprPlan) -> Option<usize> {
        let column @ ColumnRef { column: position, .. } = self.scope.resolve(expr)?;
        (!self.scope.definition(column)?.nullable).then_some(position)
    }

    fn is_end_of(&mut self, expr: &ExprPlan) -> bool {
        let Some(column) = self.column_of(expr) else { return false };
        let def = self.scope.definition(ColumnRef { occurrence: 0, column });
        def.is_some_and(|def| is_ordered(&def.data_type)) && *self.column.get_or_insert(column) == column
    }
}

/// Puts the names of a summary's columns where the aggregates are.
fn name_columns(expr: &mut ExprPlan) {
    if let ExprPlan::Aggregate(aggregate) = expr {
        let [count, first, last] = Summary::COLUMNS;
        let column = match &aggregate.func {
            AggregateFunctionPlan::Count(_) => count,
            AggregateFunctionPlan::Min(_) => first,
            _ => last,
        };
        *expr = ExprPlan::Identifier(column.to_owned());
        return;
    }
    super::walk::children(expr).into_iter().for_each(name_columns);
}
