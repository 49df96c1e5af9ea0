//! `NULL` as SQL means it, where GlueSQL means something else.
//!
//! | expression | SQL | GlueSQL |
//! |---|---|---|
//! | `NULL OR TRUE`, `NULL AND FALSE` | `TRUE`, `FALSE` | `NULL` |
//! | `1 NOT IN (2, NULL)`, also of a query | `NULL` | `TRUE` |
//! | `NULL IN (SELECT …)`, unless that has no rows | `NULL` | `FALSE` |
//! | `5 NOT BETWEEN NULL AND 1` | `TRUE` | `NULL` |
//! | `NULL LIKE 'a'` | `NULL` | an error |
//!
//! Where `BETWEEN` is a value and not a condition, it stays `NULL` for any `NULL`: GlueSQL's test-suite expects that.
//!
//! Only what can be `NULL` is rewritten, once all that looks for conditions has seen them as they were written.
//!
//! **Invariant:** what comes out grows with what goes in: an operand of `AND`, `OR` or `NOT` is never copied.

use gluesql_core::{
    ast::{BinaryOperator, UnaryOperator},
    data::Value,
    plan::{
        ExprPlan, FunctionExprPlan, LimitInputPlan, OffsetInputPlan, OrderByExprPlan, ProjectPlan,
        ProjectionPlan, QueryPlan, SelectItemPlan,
    },
};

use super::{
    Tables,
    scope::{Occurrence, Scope},
    walk::{self, Parts, children, projected},
};
use crate::{Error, Result};

/// What is asked of an expression.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// Whether it is true: for `FALSE` it may also say `NULL`, and the other way around.
    IsTrue,
    /// Whether it is false: the rewritten expression is then true, and otherwise false or `NULL`.
    IsFalse,
    /// What it is.
    Value,
}

/// A rewriting of the expressions of one query.
pub(super) struct Logic<'a> {
    pub(super) tables: &'a dyn Tables,
    pub(super) scope: &'a Scope,
}

impl Logic<'_> {
    /// Rewrites the expressions of a query.
    pub(super) fn in_query(
        &self,
        project: &mut ProjectPlan,
        order_by: Option<&mut Vec<OrderByExprPlan>>,
    ) -> Result<()> {
        let mut parts = Parts::of(&mut project.input);
        if let Some(filter) = parts.filter.as_deref_mut() {
            self.in_condition(filter)?;
        }
        for joined in &mut parts.joined {
            if let Some(condition) = joined.condition.as_deref_mut() {
                self.in_condition(condition)?;
            }
            if let Some(hash) = &mut joined.hash {
                self.in_value(hash.input_key)?;
                self.in_value(hash.right_key)?;
                if let Some(filter) = hash.right_filter.as_deref_mut() {
                    self.in_condition(filter)?;
                }
            }
        }
        if let Some(grouped) = &mut parts.grouped {
            grouped.group_by.iter_mut().try_for_each(|expr| self.in_value(expr))?;
            if let Some(having) = grouped.having.as_deref_mut() {
                self.in_condition(having)?;
            }
        }
        projected(&mut project.projection).try_for_each(|expr| self.in_value(expr))?;
        order_by.into_iter().flatten().try_for_each(|order| self.in_value(&mut order.expr))
    }

    /// Rewrites what is only asked whether it is true.
    pub(super) fn in_condition(&self, expr: &mut ExprPlan) -> Result<()> {
        self.rewrite(expr, Asked::IsTrue)
    }

    /// Rewrites what is also asked whether it is `NULL`.
    pub(super) fn in_value(&self, expr: &mut ExprPlan) -> Result<()> {
        self.rewrite(expr, Asked::Value)
    }

    fn rewrite(&self, expr: &mut ExprPlan, asked: Asked) -> Result<()> {
        match expr {
            ExprPlan::Nested(inner) => self.rewrite(inner, asked),
            ExprPlan::UnaryOp { op: UnaryOperator::Not, expr: inner } if asked != Asked::Value => {
                *expr = taken(inner);
                self.rewrite(expr, if asked == Asked::IsTrue { Asked::IsFalse } else { Asked::IsTrue })
            }
            ExprPlan::BinaryOp { op: BinaryOperator::And, .. } => self.chain(expr, false, asked),
            ExprPlan::BinaryOp { op: BinaryOperator::Or, .. } => self.chain(expr, true, asked),
            ExprPlan::Between { negated, low, high, .. }
                if (*negated || asked == Asked::IsFalse)
                    && !(self.is_never_null(low) && self.is_never_null(high)) =>
            {
                let both = as_comparisons(expr);
                *expr = both;
                self.rewrite(expr, asked)
            }
            _ => {
                self.rewrite_children(expr)?;
                match expr {
                    ExprPlan::InList { .. } => self.in_list(expr, asked),
                    ExprPlan::InSubquery { .. } => self.in_subquery(expr, asked)?,
                    ExprPlan::Like { .. } | ExprPlan::ILike { .. } => self.like(expr),
                    _ => {}
                }
                if asked == Asked::IsFalse {
                    *expr = not(taken(expr));
                }
                Ok(())
            }
        }
    }

    fn rewrite_children(&self, expr: &mut ExprPlan) -> Result<()> {
        if let ExprPlan::Case { operand: None, when_then, else_result } = expr {
            for (when, then) in when_then {
                self.rewrite(when, Asked::IsTrue)?;
                self.rewrite(then, Asked::Value)?;
            }
            return else_result.iter_mut().try_for_each(|expr| self.rewrite(expr, Asked::Value));
        }
        children(expr).into_iter().try_for_each(|child| self.rewrite(child, Asked::Value))
    }

    /// Rewrites operands that are all joined by `OR`, or all by `AND`.
    fn chain(&self, expr: &mut ExprPlan, is_or: bool, asked: Asked) -> Result<()> {
        let mut operands = Vec::new();
        flatten(taken(expr), is_or, &mut operands);
        let is_never_null = operands.iter().all(|operand| self.is_never_null(operand));
        operands.iter_mut().try_for_each(|operand| self.rewrite(operand, asked))?;
        // That a disjunction is false says a conjunction, and the other way around.
        let is_or = is_or != (asked == Asked::IsFalse);
        *expr = match (asked, is_or) {
            (Asked::Value, _) if !is_never_null => three_valued(operands, is_or),
            (_, true) if !is_never_null => any_of(operands),
            _ => joined(operands, is_or),
        };
        Ok(())
    }

    /// `NULL` in a list is a value that is not known: nothing is surely not in the list.
    fn in_list(&self, expr: &mut ExprPlan, asked: Asked) {
        let ExprPlan::InList { expr: target, list, negated } = expr else { return };
        let before = list.len();
        list.retain(|item| *item != ExprPlan::Value(Value::Null));
        let has_null = list.len() < before;
        if list.is_empty() {
            *expr = NULL;
            return;
        }
        let nullable: Vec<_> = list.iter().filter(|item| !self.is_never_null(item)).collect();
        if asked == Asked::IsTrue && !*negated || !has_null && nullable.is_empty() {
            return;
        }
        if let ([item], false) = (&list[..], has_null) {
            let op = if *negated { BinaryOperator::NotEq } else { BinaryOperator::Eq };
            *expr = ExprPlan::BinaryOp { left: Box::new(item.clone()), op, right: target.clone() };
            return;
        }
        let (found, missed) = (bool(!*negated), bool(*negated));
        let unknown = nullable.into_iter().map(|item| (is_null(item.clone()), NULL)).collect();
        let mut when_then = vec![(TRUE, found)];
        if !has_null {
            when_then.push((FALSE, case(unknown, missed)));
        }
        let listed = ExprPlan::InList { expr: target.clone(), list: std::mem::take(list), negated: false };
        *expr = ExprPlan::Case { operand: Some(Box::new(listed)), when_then, else_result: None };
    }

    /// As [`Logic::in_list`], but what is not known is not in no rows.
    fn in_subquery(&self, expr: &mut ExprPlan, asked: Asked) -> Result<()> {
        let ExprPlan::InSubquery { expr: target, subquery, negated } = expr else { return Ok(()) };
        let (found, missed) = (bool(!*negated), bool(*negated));
        if asked == Asked::IsTrue && !*negated {
            return Ok(());
        }
        let nulls = self.nulls_of(subquery)?;
        if self.is_never_null(target) && nulls.is_none() {
            return Ok(());
        }
        let listed =
            ExprPlan::InSubquery { expr: target.clone(), subquery: subquery.clone(), negated: false };
        let mut when_then = vec![(listed, found)];
        if !self.is_never_null(target) {
            let has_rows = ExprPlan::Exists { subquery: subquery.clone(), negated: false };
            when_then.push((is_null((**target).clone()), case(vec![(has_rows, NULL)], missed.clone())));
        }
        if let Some(nulls) = nulls {
            let subquery = Box::new(nulls);
            let has_null = ExprPlan::InSubquery { expr: Box::new(TRUE), subquery, negated: false };
            when_then.push((has_null, NULL));
        }
        *expr = case(when_then, missed);
        Ok(())
    }

    /// The query that tells of each row of a query whether it is `NULL`; `None` when none is.
    fn nulls_of(&self, query: &QueryPlan) -> Result<Option<QueryPlan>> {
        let mut out = query.clone();
        let is_cut = matches!(query, QueryPlan::Limit(_) | QueryPlan::Offset(_));
        let (project, order_by) = match walk::Query::of(&mut out) {
            walk::Query::Values(values) => {
                values.0.iter_mut().flatten().for_each(|expr| *expr = is_null(taken(expr)));
                return Ok(Some(out));
            }
            walk::Query::Select { project, order_by } => (project, order_by),
        };
        let parts = Parts::of(&mut project.input);
        let occurrences =
            parts.sources().map(|source| Occurrence::of(self.tables, source)).collect::<Result<_>>()?;
        let inner = Logic { tables: self.tables, scope: &Scope { occurrences } };
        inner.name_the_column(project)?;
        let Some((expr, label)) = the_column(project) else {
            // GlueSQL complains of it.
            return Ok(None);
        };
        if inner.is_never_null(expr) {
            return Ok(None);
        }
        if is_cut && is_distinct(query) {
            let text = "whether there is NULL among the rows of DISTINCT with LIMIT or OFFSET is not known: \
                        put the query into FROM of another";
            return Err(Error::Refused(text.to_owned()));
        }
        for order in order_by.into_iter().flatten() {
            if matches!(&order.expr, ExprPlan::Identifier(name) if name == label) {
                order.expr = expr.clone();
            }
        }
        *expr = is_null(taken(expr));
        Ok(Some(out))
    }

    /// Puts the name of the one column that there is in the place of `*`.
    fn name_the_column(&self, project: &mut ProjectPlan) -> Result<()> {
        let ProjectionPlan::SelectItems(items) = &mut project.projection else { return Ok(()) };
        let [item @ (SelectItemPlan::Wildcard | SelectItemPlan::QualifiedWildcard(_))] = &mut items[..]
        else {
            return Ok(());
        };
        let columns = match &self.scope.occurrences[..] {
            [occurrence] => occurrence.table.as_ref().and_then(|table| table.columns.as_deref()),
            _ => None,
        };
        match columns {
            Some([column]) => {
                let label = column.def.name.clone();
                *item = SelectItemPlan::Expr { expr: ExprPlan::Identifier(label.clone()), label };
                Ok(())
            }
            // GlueSQL complains that there are more.
            Some(_) => Ok(()),
            None => {
                let text = "IN (SELECT * …) has to name its column here, where NULL among its rows matters";
                Err(Error::Refused(text.to_owned()))
            }
        }
    }

    fn like(&self, expr: &mut ExprPlan) {
        let (ExprPlan::Like { expr: target, pattern, .. } | ExprPlan::ILike { expr: target, pattern, .. }) =
            &*expr
        else {
            return;
        };
        let unknown: Vec<_> = [target, pattern]
            .into_iter()
            .filter(|operand| !self.is_never_null(operand))
            .map(|operand| (is_null((**operand).clone()), NULL))
            .collect();
        if !unknown.is_empty() {
            *expr = case(unknown, taken(expr));
        }
    }

    /// Whether an expression surely has a value.
    fn is_never_null(&self, expr: &ExprPlan) -> bool {
        let never = |expr: &ExprPlan| self.is_never_null(expr);
        match expr {
            ExprPlan::Nested(inner) | ExprPlan::UnaryOp { op: UnaryOperator::Not, expr: inner } => {
                never(inner)
            }
            ExprPlan::Literal(_) | ExprPlan::IsNull(_) | ExprPlan::IsNotNull(_) | ExprPlan::Exists { .. } => {
                true
            }
            ExprPlan::Value(value) => *value != Value::Null,
            // An outer join makes any column NULL.
            ExprPlan::Identifier(_) | ExprPlan::CompoundIdentifier { .. } => {
                let column = self.scope.resolve(expr).and_then(|column| self.scope.definition(column));
                self.scope.occurrences.len() == 1 && column.is_some_and(|column| !column.nullable)
            }
            ExprPlan::InList { expr, list, .. } => never(expr) && list.iter().all(never),
            ExprPlan::Between { expr, low, high, .. } => never(expr) && never(low) && never(high),
            ExprPlan::Like { expr, pattern, .. } | ExprPlan::ILike { expr, pattern, .. } => {
                never(expr) && never(pattern)
            }
            ExprPlan::BinaryOp { op: BinaryOperator::Arrow, .. } => false,
            ExprPlan::BinaryOp { left, right, .. } => never(left) && never(right),
            _ => false,
        }
    }
}

const NULL: ExprPlan = ExprPlan::Value(Value::Null);
const TRUE: ExprPlan = bool(true);
const FALSE: ExprPlan = bool(false);

const fn bool(value: bool) -> ExprPlan {
    ExprPlan::Value(Value::Bool(value))
}

fn taken(expr: &mut ExprPlan) -> ExprPlan {
    std::mem::replace(expr, NULL)
}

fn not(expr: ExprPlan) -> ExprPlan {
    ExprPlan::UnaryOp { op: UnaryOperator::Not, expr: Box::new(expr) }
}

fn is_null(expr: ExprPlan) -> ExprPlan {
    ExprPlan::IsNull(Box::new(expr))
}

/// `CASE WHEN … THEN … ELSE … END`; only what is in `ELSE` without any branch.
fn case(when_then: Vec<(ExprPlan, ExprPlan)>, otherwise: ExprPlan) -> ExprPlan {
    if when_then.is_empty() {
        return otherwise;
    }
    ExprPlan::Case { operand: None, when_then, else_result: Some(Box::new(otherwise)) }
}

fn flatten(expr: ExprPlan, is_or: bool, out: &mut Vec<ExprPlan>) {
    match expr {
        ExprPlan::Nested(inner) => flatten(*inner, is_or, out),
        ExprPlan::BinaryOp { left, op, right } if op == operator(is_or) => {
            flatten(*left, is_or, out);
            flatten(*right, is_or, out);
        }
        _ => out.push(expr),
    }
}

fn operator(is_or: bool) -> BinaryOperator {
    if is_or { BinaryOperator::Or } else { BinaryOperator::And }
}

/// The operands, joined as GlueSQL does.
fn joined(operands: Vec<ExprPlan>, is_or: bool) -> ExprPlan {
    let join = |left, right| ExprPlan::BinaryOp {
        left: Box::new(left),
        op: operator(is_or),
        right: Box::new(right),
    };
    operands.into_iter().reduce(join).unwrap_or(bool(!is_or))
}

/// What is true where any of these is.
fn any_of(mut operands: Vec<ExprPlan>) -> ExprPlan {
    let last = operands.pop().unwrap_or(FALSE);
    case(operands.into_iter().map(|operand| (operand, TRUE)).collect(), last)
}

/// `AND` or `OR` of three values: what decides weighs 2, `NULL` 1, and the greatest weight tells the result.
fn three_valued(operands: Vec<ExprPlan>, is_or: bool) -> ExprPlan {
    let weight = |weight| ExprPlan::Value(Value::I64(weight));
    let weighed = |operand| {
        // NOT refuses what is no truth value, as AND and OR do.
        let when_then = vec![(bool(!is_or), weight(2)), (bool(is_or), weight(0))];
        ExprPlan::Case {
            operand: Some(Box::new(not(operand))),
            when_then,
            else_result: Some(Box::new(weight(1))),
        }
    };
    let greatest = FunctionExprPlan::Greatest(operands.into_iter().map(weighed).collect());
    ExprPlan::Case {
        operand: Some(Box::new(ExprPlan::Function(Box::new(greatest)))),
        when_then: vec![(weight(2), bool(is_or)), (weight(0), bool(!is_or))],
        else_result: None,
    }
}

/// `BETWEEN` as the two comparisons that it is.
fn as_comparisons(expr: &mut ExprPlan) -> ExprPlan {
    let ExprPlan::Between { expr: target, negated, low, high } = expr else { return taken(expr) };
    let compare = |op, bound: &mut ExprPlan| ExprPlan::BinaryOp {
        left: target.clone(),
        op,
        right: Box::new(taken(bound)),
    };
    let both = vec![compare(BinaryOperator::GtEq, low), compare(BinaryOperator::LtEq, high)];
    let both = joined(both, false);
    if *negated { not(both) } else { both }
}

/// The one column of a query, with its label; `None` when it has another number.
fn the_column(project: &mut ProjectPlan) -> Option<(&mut ExprPlan, &String)> {
    match &mut project.projection {
        ProjectionPlan::SelectItems(items) => match &mut items[..] {
            [SelectItemPlan::Expr { expr, label }] => Some((expr, label)),
            _ => None,
        },
        ProjectionPlan::SchemalessMap => None,
    }
}

fn is_distinct(query: &QueryPlan) -> bool {
    let of_offset = |input: &OffsetInputPlan| matches!(input, OffsetInputPlan::Distinct(_));
    match query {
        QueryPlan::Distinct(_) => true,
        QueryPlan::Offset(offset) => of_offset(&offset.input),
        QueryPlan::Limit(limit) => match &limit.input {
            LimitInputPlan::Distinct(_) => true,
            LimitInputPlan::Offset(offset) => of_offset(&offset.input),
            _ => false,
        },
        _ => false,
    }
}
