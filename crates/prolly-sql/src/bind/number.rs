//! Numbers that are compared.
//!
//! GlueSQL compares two numbers as the type of the left one, if that holds the right one: 2 is not less than 2.5, and a small
//! integer stands in no relation to a great one. A DECIMAL is unequal to a number that is written in a statement, always, and
//! rows are joined by the type of their keys. **Invariant:** numbers that are compared are of one type; what is written is a
//! number that its column's type holds, or a DECIMAL for a column of that type.

use bigdecimal::{BigDecimal, RoundingMode};
use gluesql_core::{
    ast::{
        BinaryOperator as Op, DataType, Expr, Function, Literal, Projection, Query, SelectItem, SetExpr,
        TableFactor, UnaryOperator,
    },
    data::Value,
};
use rust_decimal::Decimal;

use super::{
    kind::{Scopes, Tables, common, only_column, range},
    walk::Visitor,
};

/// A pass over the comparisons of a statement.
pub(super) struct Numbers<'a> {
    tables: &'a Tables,
    scopes: Scopes<'a>,
}

impl<'a> Numbers<'a> {
    pub(super) fn new(tables: &'a Tables) -> Self {
        Self { tables, scopes: Scopes::new(tables) }
    }
}

impl Visitor for Numbers<'_> {
    fn enter(&mut self, from: &mut dyn Iterator<Item = &TableFactor>) {
        self.scopes.enter(from);
    }

    fn leave(&mut self) {
        self.scopes.leave();
    }

    fn expr(&mut self, expr: &mut Expr) {
        if let Expr::InSubquery { expr: target, subquery, .. } = expr {
            self.unify_with_rows(target, subquery);
            return;
        }
        let operands = compared(expr);
        let types = operands.iter().filter_map(|operand| self.scopes.number_type(operand));
        let Some(target) = types.reduce(common) else { return };
        for operand in compared(expr) {
            match (self.scopes.number_type(operand), written(operand)) {
                (Some(own), _) if own != target => cast(operand, &target),
                (None, Some(number)) => adapt(operand, &number, &target),
                _ => {}
            }
        }
        if range(&target).is_some() {
            bound(expr, &target);
        } else {
            reach_infinity(expr);
        }
    }
}

impl Numbers<'_> {
    /// Makes what is looked for among rows, and the rows, of one type.
    fn unify_with_rows(&self, target: &mut Expr, query: &mut Query) {
        let Some((name, Some(theirs))) = only_column(self.tables, query) else { return };
        let Some(own) = self.scopes.number_type(target) else {
            if let Some(number) = written(target) {
                adapt(target, &number, &theirs);
            }
            return;
        };
        let target_type = common(own.clone(), theirs.clone());
        if own != target_type {
            cast(target, &target_type);
        }
        let SetExpr::Select(select) = &mut query.body else { return };
        let Projection::SelectItems(items) = &mut select.projection;
        if theirs != target_type {
            if let [item @ (SelectItem::Wildcard | SelectItem::QualifiedWildcard(_))] = &mut items[..] {
                *item = SelectItem::Expr { expr: Expr::Identifier(name.clone()), label: name };
            }
            if let [SelectItem::Expr { expr, .. }] = &mut items[..] {
                cast(expr, &target_type);
            }
        }
    }
}

/// The operands of a comparison; none of anything else.
pub(super) fn compared(expr: &mut Expr) -> Vec<&mut Expr> {
    match expr {
        Expr::BinaryOp { left, op: Op::Eq | Op::NotEq | Op::Lt | Op::LtEq | Op::Gt | Op::GtEq, right } => {
            vec![left, right]
        }
        Expr::Between { expr, low, high, .. } => vec![expr, low, high],
        Expr::InList { expr, list, .. } => std::iter::once(&mut **expr).chain(list).collect(),
        Expr::InSubquery { expr, .. } => vec![expr],
        _ => Vec::new(),
    }
}

fn cast(expr: &mut Expr, to: &DataType) {
    let inner = std::mem::replace(expr, Expr::Value(Value::Null));
    *expr = Expr::Function(Box::new(Function::Cast { expr: inner, data_type: to.clone() }));
}

fn literal(number: BigDecimal) -> Expr {
    Expr::Literal(Literal::Number(number))
}

/// The number that is written as an expression; `None` also for one with more digits than it makes sense to write out.
pub(super) fn written(expr: &Expr) -> Option<BigDecimal> {
    const EXPONENT_MAX: u64 = 10_000;
    match expr {
        Expr::Literal(Literal::Number(number)) => {
            let (_, scale) = number.as_bigint_and_exponent();
            (scale.unsigned_abs() <= EXPONENT_MAX).then(|| number.clone())
        }
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => written(expr).map(|number| -number),
        Expr::UnaryOp { op: UnaryOperator::Plus, expr } | Expr::Nested(expr) => written(expr),
        Expr::BinaryOp { left, op, right } => match op {
            Op::Plus => Some(written(left)? + written(right)?),
            Op::Minus => Some(written(left)? - written(right)?),
            Op::Multiply => Some(written(left)? * written(right)?),
            _ => None,
        },
        _ => None,
    }
}

/// Makes a number that is written one that compares with numbers of a type as it should.
fn adapt(expr: &mut Expr, number: &BigDecimal, to: &DataType) {
    match to {
        DataType::Decimal => {
            if let Some(value) = decimal(number) {
                *expr = Expr::Value(Value::Decimal(value));
            }
        }
        DataType::Float => {
            if let Some(value) = nearest(number).filter(|_| is_misread(number)) {
                *expr = Expr::Value(Value::F64(value));
            }
        }
        // 2.0 is an integer.
        _ if range(to).is_some() && number.is_integer() && number.fractional_digit_count() > 0 => {
            *expr = literal(number.with_scale(0));
        }
        _ => {}
    }
}

/// Makes the numbers that integers are compared with ones that their type holds.
fn bound(expr: &mut Expr, to: &DataType) {
    let Some((min, max)) = range(to) else { return };
    let (min, max) = (BigDecimal::from(min), BigDecimal::from(max));
    let is_held = |number: &BigDecimal| number.is_integer() && *number >= min && *number <= max;
    match expr {
        Expr::BinaryOp { left, op, right } => {
            if limit(left).is_some() && limit(right).is_none() {
                std::mem::swap(left, right);
                *op = mirrored(op);
            }
            let Some(number) = limit(right).filter(|number| !is_held(number)) else { return };
            let (new_op, number) = match op {
                Op::Lt | Op::LtEq if number < min => (Op::Lt, min),
                Op::Lt | Op::LtEq => (Op::LtEq, floor(&number).min(max)),
                Op::Gt | Op::GtEq if number > max => (Op::Gt, max),
                Op::Gt | Op::GtEq => (Op::GtEq, ceil(&number).max(min)),
                // It is equal to no integer, and GlueSQL says so.
                _ => return,
            };
            *op = new_op;
            **right = literal(number);
        }
        Expr::Between { low, high, .. } => {
            let (new_low, new_high) =
                (limit(low).map(|low| ceil(&low)), limit(high).map(|high| floor(&high)));
            let is_empty = new_low.as_ref().is_some_and(|low| *low > max)
                || new_high.as_ref().is_some_and(|high| *high < min);
            if is_empty {
                (**low, **high) = (literal(1.into()), literal(0.into()));
                return;
            }
            if let Some(number) = new_low {
                **low = literal(number.max(min));
            }
            if let Some(number) = new_high {
                **high = literal(number.min(max));
            }
        }
        _ => {}
    }
}

/// The number that is written as an expression, a very great one for infinity.
fn limit(expr: &Expr) -> Option<BigDecimal> {
    const BEYOND_ALL: i64 = -400;
    match infinity(expr) {
        Some(is_positive) => Some(BigDecimal::new(if is_positive { 1 } else { -1 }.into(), BEYOND_ALL)),
        None => written(expr),
    }
}

/// Whether an expression is infinity, and then whether it is the positive one.
fn infinity(expr: &Expr) -> Option<bool> {
    match expr {
        Expr::Value(Value::F64(value)) if value.is_infinite() => Some(*value > 0.0),
        Expr::Value(Value::F32(value)) if value.is_infinite() => Some(*value > 0.0),
        _ => None,
    }
}

/// Asks whether a number reaches infinity instead of whether it is equal to it, which to GlueSQL it never is: their difference is
/// no number.
fn reach_infinity(expr: &mut Expr) {
    match expr {
        Expr::BinaryOp { left, op: op @ (Op::Eq | Op::NotEq), right } => {
            if infinity(left).is_some() {
                std::mem::swap(left, right);
            }
            *op = match (infinity(right), &*op) {
                (Some(true), Op::Eq) => Op::GtEq,
                (Some(true), _) => Op::Lt,
                (Some(false), Op::Eq) => Op::LtEq,
                (Some(false), _) => Op::Gt,
                (None, _) => return,
            };
        }
        Expr::InList { expr: target, list, negated } => {
            let (infinite, others): (Vec<_>, Vec<_>) =
                std::mem::take(list).into_iter().partition(|item| infinity(item).is_some());
            *list = others;
            if infinite.is_empty() {
                return;
            }
            let join = |left, op, right| Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) };
            let mut terms: Vec<_> = infinite
                .into_iter()
                .map(|item| {
                    let op = if infinity(&item) == Some(true) { Op::GtEq } else { Op::LtEq };
                    join((**target).clone(), op, item)
                })
                .collect();
            if !list.is_empty() {
                let (expr, list) = (target.clone(), std::mem::take(list));
                terms.push(Expr::InList { expr, list, negated: false });
            }
            let is_negated = *negated;
            let Some(any) = terms.into_iter().reduce(|any, term| join(any, Op::Or, term)) else { return };
            *expr = Expr::Nested(Box::new(any));
            if is_negated {
                let inner = std::mem::replace(expr, Expr::Value(Value::Null));
                *expr = Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(inner) };
            }
        }
        _ => {}
    }
}

fn mirrored(op: &Op) -> Op {
    match op {
        Op::Lt => Op::Gt,
        Op::LtEq => Op::GtEq,
        Op::Gt => Op::Lt,
        Op::GtEq => Op::LtEq,
        other => other.clone(),
    }
}

fn floor(number: &BigDecimal) -> BigDecimal {
    number.with_scale_round(0, RoundingMode::Floor)
}

fn ceil(number: &BigDecimal) -> BigDecimal {
    number.with_scale_round(0, RoundingMode::Ceiling)
}

pub(super) fn decimal(number: &BigDecimal) -> Option<Decimal> {
    Decimal::from_str_exact(&number.to_plain_string()).ok()
}

/// The float that is nearest to a number; `None` when that is infinity.
pub(super) fn nearest(number: &BigDecimal) -> Option<f64> {
    number.to_scientific_notation().parse().ok().filter(|value: &f64| value.is_finite())
}

/// Whether GlueSQL makes another float of a number than the nearest one.
pub(super) fn is_misread(number: &BigDecimal) -> bool {
    use bigdecimal::ToPrimitive;
    number.to_f64() != nearest(number)
}

/// A value as a number that is written; `None` for what is none.
pub(super) fn number(value: &Value) -> Option<BigDecimal> {
    Some(match value {
        Value::I8(value) => (*value).into(),
        Value::I16(value) => (*value).into(),
        Value::I32(value) => (*value).into(),
        Value::I64(value) => (*value).into(),
        Value::I128(value) => (*value).into(),
        Value::U8(value) => (*value).into(),
        Value::U16(value) => (*value).into(),
        Value::U32(value) => (*value).into(),
        Value::U64(value) => (*value).into(),
        Value::U128(value) => (*value).into(),
        Value::F32(value) => value.to_string().parse().ok()?,
        Value::F64(value) => value.to_string().parse().ok()?,
        Value::Decimal(value) => value.to_string().parse().ok()?,
        _ => return None,
    })
}
