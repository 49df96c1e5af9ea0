//! Rows by their key, from rows of other tables: joins, correlated queries and `IN (SELECT key …)`.
//!
//! GlueSQL has one step that reads rows by what other rows hold: the right side of a nested loop, by its primary key. A correlated
//! query becomes one by joining its table to a table of one row.

use gluesql_core::{
    ast::BinaryOperator,
    plan::{
        AggregationInputPlan, ExprPlan, FilterInputPlan, FilterPlan, HashJoinInputPlan, HashJoinPlan,
        InnerJoinInputPlan, InnerJoinPlan, JoinConditionInputPlan, JoinConditionPlan, LeftOuterJoinInputPlan,
        LeftOuterJoinPlan, NestedLoopJoinInputPlan, NestedLoopJoinPlan, ProjectInputPlan, ProjectPlan,
        ProjectionPlan, QueryPlan, SelectItemPlan, SourcePlan, TableAccessPlan, TableAliasPlan,
        TableSourcePlan,
    },
};

use super::{
    Tables,
    condition::conjuncts,
    constant::is_ordered,
    hint::{Access, Hint, Lookup, MARK, one_row},
    scope::{ColumnRef, Occurrence, Scope, outer_type},
    select::and,
    walk::{Parts, children},
};
use crate::{
    Result,
    table::{IndexKind, PrimaryKey, Table},
};

/// Fetching a row by its key costs as much as this many rows that are read one after another and put into a hash table.
const FETCH_COST: u64 = 4;

/// How a row is looked up by a column; `None` when it may not be the only one.
fn by_column(table: &Table, column: usize) -> Option<Lookup> {
    let def = table.columns.as_ref()?.get(column)?;
    if !is_ordered(&def.def.data_type) {
        return None;
    }
    if matches!(&table.key, PrimaryKey::Columns(columns) if columns[..] == [column]) {
        return Some(Lookup::NullableKey);
    }
    let is_unique = |kind: &IndexKind| matches!(kind, IndexKind::Unique { column } if *column == def.id);
    table.indexes.iter().any(|index| is_unique(&index.kind)).then_some(Lookup::Unique(column))
}

/// How a row of a table is looked up by an expression that is one of its columns.
fn lookup(scope: &Scope, occurrence: usize, expr: &ExprPlan) -> Option<(ColumnRef, Lookup)> {
    let column = scope.resolve(expr).filter(|column| column.occurrence == occurrence)?;
    let table = scope.occurrences[occurrence].table.as_deref()?;
    Some((column, by_column(table, column.column)?))
}

/// The sides of the equalities of a conjunction, each both ways around.
fn equalities(expr: &ExprPlan) -> impl Iterator<Item = (&ExprPlan, &ExprPlan)> {
    let mut terms = Vec::new();
    conjuncts(expr, &mut terms);
    terms.into_iter().flat_map(|term| match term {
        ExprPlan::BinaryOp { left, op: BinaryOperator::Eq, right } => {
            vec![(&**left, &**right), (right, left)]
        }
        _ => Vec::new(),
    })
}

fn is_scanned(source: &SourcePlan) -> bool {
    matches!(source, SourcePlan::Table(TableSourcePlan { access: TableAccessPlan::FullScan, .. }))
}

fn name_of(source: &SourcePlan) -> Option<&str> {
    match source {
        SourcePlan::Table(table) => Some(&table.name),
        _ => None,
    }
}

/// What becomes of a hash join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HashJoin {
    Stays,
    /// A nested loop that looks rows up.
    LooksUp,
    /// A nested loop over all rows: GlueSQL takes the sides of `'a' = right.column` the wrong way around, and looks for the column
    /// on the left.
    Loops,
}

/// Whether an expression has a column of a table.
fn has_column_of(scope: &Scope, occurrence: usize, expr: &mut ExprPlan) -> bool {
    scope.resolve(expr).is_some_and(|column| column.occurrence == occurrence)
        || children(expr).into_iter().any(|child| has_column_of(scope, occurrence, child))
}

/// Makes joins look rows up where that reads less than the whole table.
pub(super) fn joins(
    tables: &dyn Tables,
    scope: &Scope,
    input: &mut ProjectInputPlan,
    hints: &mut [Hint],
) -> Result<()> {
    let mut parts = Parts::of(input);
    if parts.joined.is_empty() {
        return Ok(());
    }
    // Of what is not a table many are expected.
    let left_rows = left_rows(tables, scope, parts.base, &hints[0].access)?.unwrap_or(u64::MAX);
    let filter = parts.filter.as_deref();
    let mut from_hash = vec![HashJoin::Stays; parts.joined.len()];
    for (i, joined) in parts.joined.iter_mut().enumerate() {
        let right = i + 1;
        if let Some(hash) = &mut joined.hash
            && has_column_of(scope, right, hash.input_key)
        {
            from_hash[i] = HashJoin::Loops;
            continue;
        }
        if !is_scanned(joined.right) || scope.occurrences[right].table.is_none() {
            continue;
        }
        let fits = |key: &ExprPlan, value: &ExprPlan| {
            let (column, by) = lookup(scope, right, key)?;
            let value = scope.resolve(value).filter(|value| value.occurrence < right)?;
            (scope.definition(value)?.data_type == scope.definition(column)?.data_type).then_some(by)
        };
        let (by, value) = match &joined.hash {
            Some(hash) => match fits(hash.right_key, hash.input_key) {
                Some(by) => (by, None),
                None => continue,
            },
            None if joined.outer || joined.condition.is_some() => continue,
            None => {
                let mut found = filter.into_iter().flat_map(equalities);
                match found.find_map(|(key, value)| Some((fits(key, value)?, value))) {
                    Some((by, value)) => (by, Some(value.clone())),
                    None => continue,
                }
            }
        };
        let rows = tables.rows(name_of(joined.right).unwrap_or_default(), &hints[right].access)?;
        if left_rows.saturating_mul(FETCH_COST) > rows {
            continue;
        }
        hints[right] = Hint { lookup: by, access: Access::All, ..hints[right].clone() };
        match (value, &mut *joined.right) {
            (Some(expr), SourcePlan::Table(table)) => table.access = TableAccessPlan::PrimaryKey { expr },
            _ => from_hash[i] = HashJoin::LooksUp,
        }
    }
    if from_hash.iter().any(|join| *join != HashJoin::Stays) {
        match input {
            ProjectInputPlan::InnerJoin(join) => inner(join, &from_hash),
            ProjectInputPlan::LeftOuterJoin(join) => left_outer(join, &from_hash),
            ProjectInputPlan::Filter(filter) => filtered(&mut filter.input, &from_hash),
            ProjectInputPlan::Aggregation(aggregation) => aggregated(&mut aggregation.input, &from_hash),
            ProjectInputPlan::Having(having) => aggregated(&mut having.input.input, &from_hash),
            ProjectInputPlan::Source(_) => {}
        }
    }
    Ok(())
}

/// About how many rows are joined to others; `None` when it is not known.
fn left_rows(tables: &dyn Tables, scope: &Scope, base: &SourcePlan, access: &Access) -> Result<Option<u64>> {
    let (SourcePlan::Table(base), Some(_)) = (base, &scope.occurrences[0].table) else { return Ok(None) };
    Ok(match base.access {
        TableAccessPlan::PrimaryKey { .. } => Some(1),
        _ => Some(tables.rows(&base.name, access)?),
    })
}

fn aggregated(input: &mut AggregationInputPlan, from_hash: &[HashJoin]) {
    match input {
        AggregationInputPlan::Source(_) => {}
        AggregationInputPlan::InnerJoin(join) => inner(join, from_hash),
        AggregationInputPlan::LeftOuterJoin(join) => left_outer(join, from_hash),
        AggregationInputPlan::Filter(filter) => filtered(&mut filter.input, from_hash),
    }
}

fn filtered(input: &mut FilterInputPlan, from_hash: &[HashJoin]) {
    match input {
        FilterInputPlan::Source(_) => {}
        FilterInputPlan::InnerJoin(join) => inner(join, from_hash),
        FilterInputPlan::LeftOuterJoin(join) => left_outer(join, from_hash),
    }
}

fn inner(join: &mut InnerJoinPlan, from_hash: &[HashJoin]) {
    let Some((last, before)) = from_hash.split_last() else { return };
    let looked_up = match &mut join.input {
        InnerJoinInputPlan::NestedLoop(join) => return nested(join, before),
        InnerJoinInputPlan::Hash(join) => looked_up(join, before, *last, None),
        InnerJoinInputPlan::Condition(condition) => match &mut condition.input {
            JoinConditionInputPlan::NestedLoop(join) => return nested(join, before),
            JoinConditionInputPlan::Hash(join) => looked_up(join, before, *last, Some(&condition.expr)),
        },
    };
    match looked_up {
        Some((join_plan, None)) => join.input = InnerJoinInputPlan::NestedLoop(join_plan),
        Some((join_plan, Some(expr))) => {
            let input = JoinConditionInputPlan::NestedLoop(join_plan);
            join.input = InnerJoinInputPlan::Condition(JoinConditionPlan { input, expr });
        }
        None => {}
    }
}

fn left_outer(join: &mut LeftOuterJoinPlan, from_hash: &[HashJoin]) {
    let Some((last, before)) = from_hash.split_last() else { return };
    let looked_up = match &mut join.input {
        LeftOuterJoinInputPlan::NestedLoop(join) => return nested(join, before),
        LeftOuterJoinInputPlan::Hash(join) => looked_up(join, before, *last, None),
        LeftOuterJoinInputPlan::Condition(condition) => match &mut condition.input {
            JoinConditionInputPlan::NestedLoop(join) => return nested(join, before),
            JoinConditionInputPlan::Hash(join) => looked_up(join, before, *last, Some(&condition.expr)),
        },
    };
    match looked_up {
        Some((join_plan, None)) => join.input = LeftOuterJoinInputPlan::NestedLoop(join_plan),
        Some((join_plan, Some(expr))) => {
            let input = JoinConditionInputPlan::NestedLoop(join_plan);
            join.input = LeftOuterJoinInputPlan::Condition(JoinConditionPlan { input, expr });
        }
        None => {}
    }
}

fn nested(join: &mut NestedLoopJoinPlan, from_hash: &[HashJoin]) {
    match &mut join.input {
        NestedLoopJoinInputPlan::Source(_) => {}
        NestedLoopJoinInputPlan::InnerJoin(join) => inner(join, from_hash),
        NestedLoopJoinInputPlan::LeftOuterJoin(join) => left_outer(join, from_hash),
    }
}

/// A hash join as a nested loop that looks rows up, with what it still has to check of them; `None` when it stays.
fn looked_up(
    join: &mut HashJoinPlan,
    before: &[HashJoin],
    becomes: HashJoin,
    condition: Option<&ExprPlan>,
) -> Option<(NestedLoopJoinPlan, Option<ExprPlan>)> {
    match &mut join.input {
        HashJoinInputPlan::Source(_) => {}
        HashJoinInputPlan::InnerJoin(join) => inner(join, before),
        HashJoinInputPlan::LeftOuterJoin(join) => left_outer(join, before),
    }
    let mut right = join.right.clone();
    let mut equality = None;
    match (becomes, &mut right) {
        (HashJoin::Stays, _) => return None,
        (HashJoin::LooksUp, SourcePlan::Table(table)) => {
            table.access = TableAccessPlan::PrimaryKey { expr: join.input_key.clone() };
        }
        _ => {
            equality = Some(ExprPlan::BinaryOp {
                left: Box::new(join.right_key.clone()),
                op: BinaryOperator::Eq,
                right: Box::new(join.input_key.clone()),
            });
        }
    }
    let input = match &join.input {
        HashJoinInputPlan::Source(source) => NestedLoopJoinInputPlan::Source(source.clone()),
        HashJoinInputPlan::InnerJoin(join) => NestedLoopJoinInputPlan::InnerJoin(join.clone()),
        HashJoinInputPlan::LeftOuterJoin(join) => NestedLoopJoinInputPlan::LeftOuterJoin(join.clone()),
    };
    let conditions = [equality, condition.cloned(), join.right_filter.clone()].into_iter().flatten();
    let condition = conditions.reduce(|mut all, condition| {
        and(&mut all, condition);
        all
    });
    Some((NestedLoopJoinPlan { input, right }, condition))
}

/// Makes a query of one table look its row up by a column of a query around it, and tells whether it does: then its table is the
/// second, after the one of one row.
pub(super) fn correlated(
    outer: &[Scope],
    scope: &Scope,
    input: &mut ProjectInputPlan,
    hints: &mut [Hint],
) -> bool {
    let filter = match input {
        ProjectInputPlan::Filter(filter) => filter,
        ProjectInputPlan::Aggregation(aggregation) => match &mut aggregation.input {
            AggregationInputPlan::Filter(filter) => filter,
            _ => return false,
        },
        ProjectInputPlan::Having(having) => match &mut having.input.input {
            AggregationInputPlan::Filter(filter) => filter,
            _ => return false,
        },
        _ => return false,
    };
    let FilterPlan { input: FilterInputPlan::Source(SourcePlan::Table(table)), expr } = filter else {
        return false;
    };
    if outer.is_empty() || table.access != TableAccessPlan::FullScan {
        return false;
    }
    let fits = |key: &ExprPlan, value: &ExprPlan| {
        let (column, by) = lookup(scope, 0, key)?;
        (outer_type(outer, scope, value)? == &scope.definition(column)?.data_type).then_some(by)
    };
    let Some((by, value)) =
        equalities(expr).find_map(|(key, value)| Some((fits(key, value)?, value.clone())))
    else {
        return false;
    };
    let unit = TableSourcePlan {
        name: one_row(),
        alias: Some(TableAliasPlan { name: MARK.to_string(), columns: Vec::new() }),
        access: TableAccessPlan::FullScan,
    };
    let right = TableSourcePlan { access: TableAccessPlan::PrimaryKey { expr: value }, ..table.clone() };
    let join = NestedLoopJoinPlan {
        input: NestedLoopJoinInputPlan::Source(SourcePlan::Table(unit)),
        right: SourcePlan::Table(right),
    };
    filter.input =
        FilterInputPlan::InnerJoin(Box::new(InnerJoinPlan { input: InnerJoinInputPlan::NestedLoop(join) }));
    hints[0] = Hint { lookup: by, reverse: false, access: Access::All, ..hints[0].clone() };
    true
}

/// `x IN (SELECT key FROM t …)` as `EXISTS (SELECT key FROM t … AND key = x)`, which is looked up; `None` when it is no such
/// expression.
pub(super) fn as_exists(tables: &dyn Tables, scope: &Scope, expr: &ExprPlan) -> Result<Option<ExprPlan>> {
    let ExprPlan::InSubquery { expr: target, subquery, negated: false } = expr else { return Ok(None) };
    let QueryPlan::Project(project) = &**subquery else { return Ok(None) };
    let source = match &project.input {
        ProjectInputPlan::Source(source) => source,
        ProjectInputPlan::Filter(FilterPlan { input: FilterInputPlan::Source(source), .. }) => source,
        _ => return Ok(None),
    };
    let inner = Scope { occurrences: vec![Occurrence::of(tables, source)?] };
    Ok(is_scanned(source).then(|| exists(scope, &inner, target, project)).flatten())
}

fn exists(scope: &Scope, inner: &Scope, target: &ExprPlan, project: &ProjectPlan) -> Option<ExprPlan> {
    let ProjectionPlan::SelectItems(items) = &project.projection else { return None };
    let [SelectItemPlan::Expr { expr: key, .. }] = &items[..] else { return None };
    let (key_column, _) = lookup(inner, 0, key)?;
    let column = scope.resolve(target)?;
    if scope.definition(column)?.data_type != inner.definition(key_column)?.data_type {
        return None;
    }
    let alias = &scope.occurrences[column.occurrence].alias;
    let outside =
        ExprPlan::CompoundIdentifier { alias: alias.clone(), ident: scope.definition(column)?.name.clone() };
    if inner.occurrences[0].alias == *alias || scope.resolve(&outside) != Some(column) {
        return None;
    }
    let equal =
        ExprPlan::BinaryOp { left: Box::new(key.clone()), op: BinaryOperator::Eq, right: Box::new(outside) };
    let mut project = project.clone();
    match &mut project.input {
        ProjectInputPlan::Filter(filter) => and(&mut filter.expr, equal),
        ProjectInputPlan::Source(source) => {
            let input = FilterInputPlan::Source(source.clone());
            project.input = ProjectInputPlan::Filter(FilterPlan { input, expr: equal });
        }
        _ => return None,
    }
    Some(ExprPlan::Exists { subquery: Box::new(QueryPlan::Project(project)), negated: false })
}
