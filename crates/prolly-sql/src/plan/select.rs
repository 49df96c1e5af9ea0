//! Queries: from the tables' names to names with hints.

use gluesql_core::{
    ast::BinaryOperator,
    data::Value,
    plan::{
        AggregationInputPlan, DerivedSourcePlan, ExprPlan, FilterInputPlan, FilterPlan, FunctionExprPlan,
        OrderByExprPlan, ProjectInputPlan, ProjectPlan, QueryPlan, SourcePlan, TableAccessPlan,
        TableAliasPlan, TableSourcePlan,
    },
};

use super::{
    Tables,
    access::{self, Chosen},
    hint::{Access, Hint, Lookup, Purpose},
    like,
    logic::Logic,
    lookup, order,
    scope::{Occurrence, Scope},
    summary,
    walk::{self, Parts, Query, projected},
};
use crate::{Result, table::PrimaryKey};

/// A walk over a statement's queries.
pub(super) struct Pass<'a> {
    pub(super) tables: &'a dyn Tables,
    /// The queries around the one at hand, the innermost last.
    pub(super) outer: Vec<Scope>,
}

impl<'a> Pass<'a> {
    pub(super) fn new(tables: &'a dyn Tables) -> Self {
        Self { tables, outer: Vec::new() }
    }

    pub(super) fn query(&mut self, query: &mut QueryPlan) -> Result<()> {
        match Query::of(query) {
            Query::Values(values) => {
                let logic = Logic { tables: self.tables, scope: &Scope::default() };
                values.0.iter_mut().flatten().try_for_each(|expr| {
                    logic.in_value(expr)?;
                    self.expr(expr)
                })
            }
            Query::Select { project, order_by } => self.select(project, order_by),
        }
    }

    /// Goes on into the queries in an expression.
    pub(super) fn expr(&mut self, expr: &mut ExprPlan) -> Result<()> {
        if let ExprPlan::Function(function) = &*expr
            && let FunctionExprPlan::Custom { name, .. } = &**function
        {
            self.tables.check_function(name)?;
        }
        if let Some(scope) = self.outer.last()
            && let Some(exists) = lookup::as_exists(self.tables, scope, expr)?
        {
            *expr = exists;
        }
        if let Some(query) = walk::subquery(expr) {
            self.query(query)?;
        }
        walk::children(expr).into_iter().try_for_each(|child| self.expr(child))
    }

    fn select(
        &mut self,
        project: &mut ProjectPlan,
        mut order_by: Option<&mut Vec<OrderByExprPlan>>,
    ) -> Result<()> {
        let mut parts = Parts::of(&mut project.input);
        for source in parts.sources_mut() {
            if let SourcePlan::Derived(derived) = source {
                self.derived(derived)?;
            }
        }
        let occurrences =
            parts.sources().map(|source| Occurrence::of(self.tables, source)).collect::<Result<_>>()?;
        let scope = Scope { occurrences };
        let exprs = parts.exprs_mut().into_iter().chain(projected(&mut project.projection));
        exprs.for_each(|expr| like::rewrite(&scope, expr));
        if summary::rewrite(&scope, project, order_by.as_deref().map_or(&[], |exprs| exprs))? {
            return Ok(());
        }
        let chosen = self.choose(&scope, project)?;
        let mut hints: Vec<_> = chosen
            .iter()
            .map(|chosen| Hint { purpose: Purpose::Read, access: chosen.access.clone(), ..Hint::default() })
            .collect();
        Logic { tables: self.tables, scope: &scope }.in_query(project, order_by.as_deref_mut())?;
        self.outer.push(scope);
        let queries = self.queries_in(project, order_by.as_deref_mut());
        let scope = self.outer.pop().expect("pushed above");
        queries?;
        let is_grouped =
            matches!(project.input, ProjectInputPlan::Aggregation(_) | ProjectInputPlan::Having(_));
        if let Some(order_by) = order_by
            && !is_grouped
            && is_whole_scan(Parts::of(&mut project.input).base)
            && let Some(reverse) = order::kept(&scope, order_by, &chosen[0])
        {
            order_by.clear();
            hints[0].reverse = reverse;
        }
        lookup::joins(self.tables, &scope, &mut project.input, &mut hints)?;
        let unit = lookup::correlated(&self.outer, &scope, &mut project.input, &mut hints);
        let mut parts = Parts::of(&mut project.input);
        for (source, hint) in parts.sources_mut().skip(usize::from(unit)).zip(&hints) {
            self.mark(source, hint)?;
        }
        Ok(())
    }

    /// Goes on into the queries in the expressions of a query.
    fn queries_in(
        &mut self,
        project: &mut ProjectPlan,
        order_by: Option<&mut Vec<OrderByExprPlan>>,
    ) -> Result<()> {
        let mut parts = Parts::of(&mut project.input);
        parts.exprs_mut().into_iter().try_for_each(|expr| self.expr(expr))?;
        projected(&mut project.projection).try_for_each(|expr| self.expr(expr))?;
        order_by.into_iter().flatten().try_for_each(|order| self.expr(&mut order.expr))
    }

    fn derived(&mut self, derived: &mut DerivedSourcePlan) -> Result<()> {
        // What it can see of the tables before it depends on its place: it is taken to see nothing.
        let outer = std::mem::take(&mut self.outer);
        let result = self.query(&mut derived.query);
        self.outer = outer;
        result
    }

    /// Writes a hint into the name of a table, which keeps its own as its alias. Names that GlueSQL will complain of stay.
    fn mark(&self, source: &mut SourcePlan, hint: &Hint) -> Result<()> {
        let SourcePlan::Table(source) = source else { return Ok(()) };
        let Some(table) = self.tables.table(&source.name)? else { return Ok(()) };
        let is_renamed = source.alias.as_ref().is_some_and(|alias| !alias.columns.is_empty());
        let is_by_key = matches!(source.access, TableAccessPlan::PrimaryKey { .. });
        let has_key = matches!(&table.key, PrimaryKey::Columns(columns) if columns.len() == 1);
        if is_renamed || is_by_key && !has_key && hint.lookup == Lookup::Key {
            return Ok(());
        }
        let name = hint.name(&source.name);
        let name = std::mem::replace(&mut source.name, name);
        source.alias.get_or_insert(TableAliasPlan { name, columns: Vec::new() });
        Ok(())
    }

    /// Chooses how each table of a query is read. Where that is another index than GlueSQL chose, or none, what it took out of the
    /// query's condition is put back.
    fn choose(&self, scope: &Scope, project: &mut ProjectPlan) -> Result<Vec<Chosen>> {
        let parts = Parts::of(&mut project.input);
        let mut put_back = None;
        let mut all = Vec::new();
        for i in 0..scope.occurrences.len() {
            let source = parts.sources().nth(i).expect("as many as before");
            let unread = Chosen { access: Access::All, exact: false, fixed: 0 };
            let (SourcePlan::Table(source), Some(table)) = (source, &scope.occurrences[i].table) else {
                all.push(unread);
                continue;
            };
            let conditions = conditions_of(&parts, i);
            all.push(match &source.access {
                TableAccessPlan::FullScan => {
                    access::choose(self.tables, &source.name, scope, i, &conditions)?
                }
                TableAccessPlan::PrimaryKey { expr } if access::is_no_key(table, expr) => {
                    let alias = &scope.occurrences[i].alias;
                    put_back = access::of_key_column(table, alias, expr).map(|condition| (i, condition));
                    unread
                }
                TableAccessPlan::PrimaryKey { .. } => unread,
                // Read whole, in its order.
                TableAccessPlan::Index { predicate: None, .. } => unread,
                TableAccessPlan::Index { .. } => {
                    let alias = &scope.occurrences[i].alias;
                    match access::taken(table, alias, &source.access) {
                        None => unread,
                        Some((index, condition)) => {
                            let conditions: Vec<_> = conditions.into_iter().chain([&condition]).collect();
                            let mut chosen =
                                access::choose(self.tables, &source.name, scope, i, &conditions)?;
                            if chosen.access == Access::All
                                && let Some(by_index) = access::by_index(table, index, scope, i, &conditions)?
                            {
                                chosen = by_index;
                            }
                            if !matches!(chosen.access, Access::Index(by, _) if by == index) {
                                put_back = Some((i, condition));
                            }
                            chosen
                        }
                    }
                }
            });
        }
        drop(parts);
        if let Some((i, condition)) = put_back {
            let mut parts = Parts::of(&mut project.input);
            if let Some(SourcePlan::Table(table)) = parts.sources_mut().nth(i) {
                table.access = TableAccessPlan::FullScan;
            }
            add_filter(&mut project.input, condition);
        }
        Ok(all)
    }
}

/// The conditions that all rows satisfy which this table gives to the result of the query.
fn conditions_of<'p>(parts: &'p Parts<'_>, occurrence: usize) -> Vec<&'p ExprPlan> {
    let is_optional = |i: usize| i > 0 && parts.joined[i - 1].outer;
    let mut out = Vec::new();
    if !is_optional(occurrence) {
        out.extend(parts.filter.as_deref());
    }
    for (i, joined) in parts.joined.iter().enumerate() {
        // The condition of an inner join restricts the tables before it too, but not by what is missing.
        if i + 1 == occurrence || i + 1 > occurrence && !joined.outer && !is_optional(occurrence) {
            out.extend(joined.condition.as_deref());
            out.extend(joined.hash.as_ref().and_then(|hash| hash.right_filter.as_deref()));
        }
    }
    out
}

fn is_whole_scan(source: &SourcePlan) -> bool {
    matches!(source, SourcePlan::Table(TableSourcePlan { access: TableAccessPlan::FullScan, .. }))
}

/// Adds a condition to those of a query.
fn add_filter(input: &mut ProjectInputPlan, condition: ExprPlan) {
    let filtered = match input {
        ProjectInputPlan::Filter(filter) => return and(&mut filter.expr, condition),
        ProjectInputPlan::Aggregation(aggregation) => {
            return add_filter_below(&mut aggregation.input, condition);
        }
        ProjectInputPlan::Having(having) => return add_filter_below(&mut having.input.input, condition),
        ProjectInputPlan::Source(source) => FilterInputPlan::Source(source.clone()),
        ProjectInputPlan::InnerJoin(join) => FilterInputPlan::InnerJoin(join.clone()),
        ProjectInputPlan::LeftOuterJoin(join) => FilterInputPlan::LeftOuterJoin(join.clone()),
    };
    *input = ProjectInputPlan::Filter(FilterPlan { input: filtered, expr: condition });
}

fn add_filter_below(input: &mut AggregationInputPlan, condition: ExprPlan) {
    let filtered = match input {
        AggregationInputPlan::Filter(filter) => return and(&mut filter.expr, condition),
        AggregationInputPlan::Source(source) => FilterInputPlan::Source(source.clone()),
        AggregationInputPlan::InnerJoin(join) => FilterInputPlan::InnerJoin(join.clone()),
        AggregationInputPlan::LeftOuterJoin(join) => FilterInputPlan::LeftOuterJoin(join.clone()),
    };
    *input = AggregationInputPlan::Filter(FilterPlan { input: filtered, expr: condition });
}

/// Makes an expression its conjunction with another.
pub(super) fn and(expr: &mut ExprPlan, other: ExprPlan) {
    let before = std::mem::replace(expr, ExprPlan::Value(Value::Null));
    *expr = ExprPlan::BinaryOp { left: Box::new(before), op: BinaryOperator::And, right: Box::new(other) };
}
