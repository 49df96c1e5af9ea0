//! Choosing how a table is read: by its key, by an index, or whole.

use gluesql_core::{
    ast::{BinaryOperator, ColumnDef, DataType, Expr, IndexOperator, Literal},
    data::Value,
    executor::evaluate_stateless,
    plan::{ExprPlan, FunctionExprPlan, IndexPredicatePlan, TableAccessPlan, plan_scalar_expr},
};

use super::{
    Tables,
    condition::{Found, Part, encoded, keys},
    constant::text,
    hint::Access,
    ranges::KeyRanges,
    scope::{ColumnRef, Scope},
    walk::children,
};
use crate::{
    Result,
    table::{Index, IndexKind, PrimaryKey, Table},
};

/// A row that is found through an index costs as much as this many rows that are read one after another: it is a search of
/// its own in the table.
const INDEXED_ROW_COST: u64 = 6;

/// How a table is read, and what is known of the rows.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) access: Access,
    /// Whether the conditions are true for all these rows.
    pub(super) exact: bool,
    /// How many of the first columns that the rows are ordered by have one value.
    pub(super) fixed: usize,
}

/// The columns that the rows are read in the order of.
pub(crate) fn order_of(table: &Table, access: &Access) -> Vec<usize> {
    let key = match &table.key {
        PrimaryKey::RowId => &[],
        PrimaryKey::Columns(columns) => &columns[..],
    };
    let indexed = match access {
        Access::All | Access::Keys(_) => None,
        Access::Index(index, _) => {
            match table.indexes.get(*index).and_then(|index| column_of(table, index)) {
                Some(column) => Some(column),
                // Not the order of a column.
                None => return Vec::new(),
            }
        }
    };
    indexed.into_iter().chain(key.iter().copied()).collect()
}

/// The column that an index is of; `None` when it is of an expression.
pub(super) fn column_of(table: &Table, index: &Index) -> Option<usize> {
    let columns = table.columns.as_ref()?;
    let mut expr = &index.expr;
    while let Expr::Nested(inner) = expr {
        expr = inner;
    }
    match (&index.kind, expr) {
        (IndexKind::Unique { column } | IndexKind::Referencing { column, .. }, _) => {
            columns.iter().position(|candidate| candidate.id == *column)
        }
        (IndexKind::Named { .. }, Expr::Identifier(name)) => {
            columns.iter().position(|candidate| candidate.def.name == *name)
        }
        (IndexKind::Named { .. }, _) => None,
    }
}

/// Chooses how to read a table so that all rows are read for which these conditions can be true.
///
/// # Errors
/// When the table cannot be read.
pub(super) fn choose(
    tables: &dyn Tables,
    name: &str,
    scope: &Scope,
    occurrence: usize,
    conditions: &[&ExprPlan],
) -> Result<Chosen> {
    let all = |exact| Chosen { access: Access::All, exact, fixed: 0 };
    let Some(table) = scope.occurrences[occurrence].table.as_deref() else {
        return Ok(all(conditions.is_empty()));
    };
    if conditions.is_empty() {
        return Ok(all(true));
    }
    let by_key = of_key(table, scope, occurrence, conditions)?;
    let is_whole_key = matches!(&table.key, PrimaryKey::Columns(columns) if by_key.fixed == columns.len());
    let indexed = if is_whole_key || by_key.keys.is_none() {
        None
    } else {
        best_index(tables, name, table, scope, occurrence, conditions)?
    };
    let by_key = by_key.into_chosen();
    let Some((rows, indexed)) = indexed else { return Ok(by_key) };
    let cost = rows.saturating_mul(INDEXED_ROW_COST);
    Ok(if cost < tables.rows(name, &by_key.access)? { indexed } else { by_key })
}

/// How conditions narrow the key.
pub(super) fn by_key(
    table: &Table,
    scope: &Scope,
    occurrence: usize,
    conditions: &[&ExprPlan],
) -> Result<Chosen> {
    Ok(of_key(table, scope, occurrence, conditions)?.into_chosen())
}

fn of_key(table: &Table, scope: &Scope, occurrence: usize, conditions: &[&ExprPlan]) -> Result<Found> {
    match &table.key {
        PrimaryKey::RowId => Ok(Found { keys: KeyRanges::all(), exact: conditions.is_empty(), fixed: 0 }),
        PrimaryKey::Columns(columns) => of_columns(table, scope, occurrence, columns, conditions),
    }
}

impl Found {
    fn into_chosen(self) -> Chosen {
        let access = if self.keys.is_all() { Access::All } else { Access::Keys(self.keys) };
        Chosen { access, exact: self.exact, fixed: self.fixed }
    }
}

fn best_index(
    tables: &dyn Tables,
    name: &str,
    table: &Table,
    scope: &Scope,
    occurrence: usize,
    conditions: &[&ExprPlan],
) -> Result<Option<(u64, Chosen)>> {
    let mut best: Option<(u64, Chosen)> = None;
    for i in 0..table.indexes.len() {
        let Some(chosen) = by_index(table, i, scope, occurrence, conditions)? else { continue };
        let rows = tables.rows(name, &chosen.access)?;
        if best.as_ref().is_none_or(|(least, _)| rows < *least) {
            best = Some((rows, chosen));
        }
    }
    Ok(best)
}

/// How conditions narrow an index; `None` when they do not, or when the index lacks rows that they can be true for.
pub(super) fn by_index(
    table: &Table,
    position: usize,
    scope: &Scope,
    occurrence: usize,
    conditions: &[&ExprPlan],
) -> Result<Option<Chosen>> {
    let index = &table.indexes[position];
    let Some(column) = column_of(table, index) else { return Ok(None) };
    let Found { keys, exact, fixed } = of_columns(table, scope, occurrence, &[column], conditions)?;
    let has_nulls = matches!(index.kind, IndexKind::Named { .. });
    let nulls = KeyRanges::between(encoded(&Value::Null)?, None);
    if keys.is_all() || !has_nulls && !keys.intersection(&nulls).is_none() {
        return Ok(None);
    }
    Ok(Some(Chosen { access: Access::Index(position, keys), exact, fixed }))
}

fn of_columns(
    table: &Table,
    scope: &Scope,
    occurrence: usize,
    columns: &[usize],
    conditions: &[&ExprPlan],
) -> Result<Found> {
    let defs = table.columns.as_deref().unwrap_or_default();
    let is: Vec<_> = columns
        .iter()
        .map(|&column| move |expr: &ExprPlan| scope.resolve(expr) == Some(ColumnRef { occurrence, column }))
        .collect();
    let parts: Vec<_> = columns
        .iter()
        .zip(&is)
        .map(|(&column, is)| Part { data_type: &defs[column].def.data_type, is })
        .collect();
    keys(conditions, &parts)
}

/// The index of a name.
pub(super) fn named(table: &Table, name: &str) -> Option<usize> {
    table.indexes.iter().position(
        |index| matches!(&index.kind, IndexKind::Named { name: candidate, .. } if candidate == name),
    )
}

/// The condition that GlueSQL took for reading an index, as it was; `None` when the index is read whole, or surely has what the
/// condition compares it with.
pub(super) fn taken(table: &Table, alias: &str, access: &TableAccessPlan) -> Option<(usize, ExprPlan)> {
    let TableAccessPlan::Index { name, predicate: Some(IndexPredicatePlan { operator, expr }), .. } = access
    else {
        return None;
    };
    let position = named(table, name)?;
    let index = &table.indexes[position];
    let indexed = match column_of(table, index) {
        Some(column) => of_alias(alias, table.columns.as_ref()?[column].def.name.clone()),
        None => {
            let mut indexed = plan_scalar_expr(index.expr.clone());
            if is_of_family(&indexed, expr) {
                return None;
            }
            qualify(&mut indexed, alias);
            indexed
        }
    };
    let indexed = Box::new(indexed);
    let condition = match (operator, expr) {
        (IndexOperator::Eq, ExprPlan::Value(Value::Null)) => ExprPlan::IsNull(indexed),
        (IndexOperator::Lt, ExprPlan::Value(Value::Null)) => ExprPlan::IsNotNull(indexed),
        _ => ExprPlan::BinaryOp { left: indexed, op: operator.clone().into(), right: Box::new(expr.clone()) },
    };
    Some((position, condition))
}

/// Whether the values of an expression compare with a constant as GlueSQL's index scan compares them: a text that is compared
/// with dates, say, is one to it.
fn is_of_family(indexed: &ExprPlan, constant: &ExprPlan) -> bool {
    if matches!(constant, ExprPlan::Value(Value::Null)) {
        return true;
    }
    let is_text = text(constant).is_some();
    match indexed {
        ExprPlan::Nested(inner) => is_of_family(inner, constant),
        ExprPlan::BinaryOp { op: BinaryOperator::StringConcat, .. } => is_text,
        ExprPlan::BinaryOp { .. } | ExprPlan::UnaryOp { .. } | ExprPlan::Literal(Literal::Number(_)) => {
            !is_text
        }
        ExprPlan::Function(function) => {
            is_text && matches!(**function, FunctionExprPlan::Cast { data_type: DataType::Text, .. })
        }
        _ => false,
    }
}

fn of_alias(alias: &str, ident: String) -> ExprPlan {
    ExprPlan::CompoundIdentifier { alias: alias.to_owned(), ident }
}

fn qualify(expr: &mut ExprPlan, alias: &str) {
    if let ExprPlan::Identifier(name) = expr {
        *expr = of_alias(alias, std::mem::take(name));
    }
    children(expr).into_iter().for_each(|child| qualify(child, alias));
}

/// Whether no row can have the key that GlueSQL is to fetch one by, because it is `NULL` or not of the key's type.
pub(super) fn is_no_key(table: &Table, expr: &ExprPlan) -> bool {
    let Some(column) = key_column(table) else { return false };
    match evaluate_stateless(None, expr) {
        Ok(value) => value.is_null() || value.try_into_value(&column.data_type, false).is_err(),
        // It is of rows.
        Err(_) => false,
    }
}

/// The condition that GlueSQL took for fetching a row by its key.
pub(super) fn of_key_column(table: &Table, alias: &str, expr: &ExprPlan) -> Option<ExprPlan> {
    Some(ExprPlan::BinaryOp {
        left: Box::new(of_alias(alias, key_column(table)?.name.clone())),
        op: BinaryOperator::Eq,
        right: Box::new(expr.clone()),
    })
}

fn key_column(table: &Table) -> Option<&ColumnDef> {
    match &table.key {
        PrimaryKey::Columns(columns) if columns.len() == 1 => {
            Some(&table.columns.as_ref()?.get(columns[0])?.def)
        }
        _ => None,
    }
}
