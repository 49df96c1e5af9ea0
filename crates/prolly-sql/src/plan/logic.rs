//! `OR` as SQL means it: `NULL OR TRUE` is `TRUE`, where GlueSQL says `NULL`, so that a row with a `NULL` would not be found.
//!
//! Only what can be `NULL` is rewritten, once all that looks for conditions has seen them as they were written.

use gluesql_core::{
    ast::BinaryOperator,
    data::Value,
    plan::{ExprPlan, OrderByExprPlan, ProjectPlan},
};

use super::{
    scope::Scope,
    walk::{Parts, children, projected},
};

/// Rewrites the expressions of a query.
pub(super) fn in_query(scope: &Scope, project: &mut ProjectPlan, order_by: &mut [OrderByExprPlan]) {
    let mut parts = Parts::of(&mut project.input);
    let conditions = parts.filter.iter_mut().map(|filter| &mut **filter);
    let having = parts.grouped.iter_mut().filter_map(|grouped| grouped.having.as_deref_mut());
    conditions.chain(having).for_each(|condition| in_condition(scope, condition));
    for joined in &mut parts.joined {
        let filter = joined.hash.as_mut().and_then(|hash| hash.right_filter.as_deref_mut());
        joined.condition.as_deref_mut().into_iter().chain(filter).for_each(|expr| in_condition(scope, expr));
    }
    projected(&mut project.projection).for_each(|expr| in_value(scope, expr));
    order_by.iter_mut().for_each(|order| in_value(scope, &mut order.expr));
}

/// Rewrites what is only asked whether it is true: `CASE WHEN a THEN TRUE ELSE b END`, which says `FALSE` for some `NULL`s.
pub(super) fn in_condition(scope: &Scope, expr: &mut ExprPlan) {
    match expr {
        ExprPlan::Nested(inner) => in_condition(scope, inner),
        ExprPlan::BinaryOp { op: BinaryOperator::And, left, right } => {
            in_condition(scope, left);
            in_condition(scope, right);
        }
        ExprPlan::BinaryOp { op: BinaryOperator::Or, left, right } => {
            let stays = is_never_null(scope, left) && is_never_null(scope, right);
            in_condition(scope, left);
            in_condition(scope, right);
            if !stays {
                let (left, right) = ((**left).clone(), (**right).clone());
                *expr = case(vec![(left, TRUE)], right);
            }
        }
        _ => in_value(scope, expr),
    }
}

/// Rewrites what is also asked whether it is `NULL`.
pub(super) fn in_value(scope: &Scope, expr: &mut ExprPlan) {
    let stays = match expr {
        ExprPlan::BinaryOp { op: BinaryOperator::Or, left, right } => {
            is_never_null(scope, left) && is_never_null(scope, right)
        }
        _ => true,
    };
    children(expr).into_iter().for_each(|child| in_value(scope, child));
    if let (false, ExprPlan::BinaryOp { left, right, .. }) = (stays, &*expr) {
        let (left, right) = ((**left).clone(), (**right).clone());
        let is_null = ExprPlan::IsNull(Box::new(left.clone()));
        let branches = vec![(left, TRUE), (right.clone(), TRUE), (is_null, ExprPlan::Value(Value::Null))];
        *expr = case(branches, right);
    }
}

const TRUE: ExprPlan = ExprPlan::Value(Value::Bool(true));

fn case(when_then: Vec<(ExprPlan, ExprPlan)>, otherwise: ExprPlan) -> ExprPlan {
    ExprPlan::Case { operand: None, when_then, else_result: Some(Box::new(otherwise)) }
}

/// Whether an expression surely has a value.
fn is_never_null(scope: &Scope, expr: &ExprPlan) -> bool {
    let never = |expr: &ExprPlan| is_never_null(scope, expr);
    match expr {
        ExprPlan::Nested(inner) => never(inner),
        ExprPlan::Literal(_) | ExprPlan::IsNull(_) | ExprPlan::IsNotNull(_) | ExprPlan::Exists { .. } => true,
        ExprPlan::Value(value) => *value != Value::Null,
        // An outer join makes any column NULL.
        ExprPlan::Identifier(_) | ExprPlan::CompoundIdentifier { .. } => {
            let column = scope.resolve(expr).and_then(|column| scope.definition(column));
            scope.occurrences.len() == 1 && column.is_some_and(|column| !column.nullable)
        }
        ExprPlan::InList { expr, .. } => never(expr),
        ExprPlan::Between { expr, low, high, .. } => never(expr) && never(low) && never(high),
        ExprPlan::Like { expr, pattern, .. } => never(expr) && never(pattern),
        ExprPlan::BinaryOp { left, right, .. } => never(left) && never(right),
        _ => false,
    }
}
