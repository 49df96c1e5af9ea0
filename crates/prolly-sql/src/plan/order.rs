//! `ORDER BY` that needs no sorting.

use gluesql_core::plan::OrderByExprPlan;

use super::{
    access::{Chosen, order_of},
    constant::is_ordered,
    scope::{ColumnRef, Scope},
};

/// Whether rows that are read as chosen come in an order, and if so whether in reverse; `None` when they have to be sorted.
///
/// In reverse only an order that leaves no two rows equal is kept: sorting would keep those as they are read.
pub(super) fn kept(scope: &Scope, order_by: &[OrderByExprPlan], chosen: &Chosen) -> Option<bool> {
    let table = scope.occurrences.first()?.table.as_deref()?;
    let sequence = order_of(table, &chosen.access);
    if sequence.is_empty() {
        return None;
    }
    let (fixed, mut rest) = sequence.split_at_checked(chosen.fixed)?;
    let mut reverse = None;
    for order in order_by {
        match scope.occurrences.len() {
            // No two rows are equal so far.
            1 if rest.is_empty() => break,
            // But of a join there can be several for one of the first table.
            _ if rest.is_empty() => return None,
            _ => {}
        }
        let ColumnRef { occurrence: 0, column } = scope.resolve(&order.expr)? else { return None };
        if fixed.contains(&column) {
            continue;
        }
        let (first, after) = rest.split_first()?;
        let is_in_order = *first == column && is_ordered(&table.columns.as_ref()?.get(column)?.def.data_type);
        let is_reverse = order.asc == Some(false);
        if !is_in_order || *reverse.get_or_insert(is_reverse) != is_reverse {
            return None;
        }
        rest = after;
    }
    match reverse {
        Some(true) => rest.is_empty().then_some(true),
        // Without any, all rows are equal in what they are ordered by.
        Some(false) | None => Some(false),
    }
}
