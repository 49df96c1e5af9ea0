//! From a condition to the keys of the rows it can be true for.
//!
//! **Invariant:** the keys found are a superset of those of the rows that satisfy the condition; exactly those where
//! [`Found::exact`] says so.

use gluesql_core::{
    ast::{BinaryOperator, DataType},
    data::Value,
    plan::ExprPlan,
};

use super::{
    constant::{Constant, constant, text},
    like,
    ranges::{KeyRange, KeyRanges, beyond},
};
use crate::{Result, key};

/// Lists of values of several columns are multiplied up to this many ranges.
const RANGES_MAX: usize = 4096;

/// A column of a key.
pub(super) struct Part<'a> {
    pub(super) data_type: &'a DataType,
    pub(super) is: &'a dyn Fn(&ExprPlan) -> bool,
}

/// The keys that a condition leaves.
#[derive(Debug, PartialEq)]
pub(super) struct Found {
    pub(super) keys: KeyRanges,
    /// Whether the condition is true for all rows with these keys.
    pub(super) exact: bool,
    /// How many of the first columns of the key have one value in all of them.
    pub(super) fixed: usize,
}

/// The keys of the rows for which all of these conditions can be true.
///
/// # Errors
/// When a constant cannot be encoded.
pub(super) fn keys(conditions: &[&ExprPlan], parts: &[Part<'_>]) -> Result<Found> {
    let mut terms = Vec::new();
    conditions.iter().for_each(|condition| conjuncts(condition, &mut terms));
    let mut columns: Vec<_> =
        parts.iter().map(|_| Values { ranges: KeyRanges::all(), exact: true }).collect();
    let mut rest = Vec::new();
    'terms: for term in terms {
        for (part, column) in parts.iter().zip(&mut columns) {
            if let Some(values) = values(term, part)? {
                column.ranges = column.ranges.intersection(&values.ranges);
                column.exact &= values.exact;
                continue 'terms;
            }
        }
        rest.push(term);
    }
    let mut found = combine(&columns);
    for term in rest {
        let branches = either(term);
        if branches.len() < 2 {
            found.exact = false;
            continue;
        }
        let mut union = KeyRanges::none();
        for branch in branches {
            let branch = keys(&[branch], parts)?;
            union = union.union(branch.keys);
        }
        // Columns of several kinds are too many to reason about.
        found.exact = false;
        found.keys = found.keys.intersection(&union);
    }
    Ok(found)
}

/// The terms of a conjunction.
pub(super) fn conjuncts<'a>(expr: &'a ExprPlan, out: &mut Vec<&'a ExprPlan>) {
    match expr {
        ExprPlan::Nested(inner) => conjuncts(inner, out),
        ExprPlan::BinaryOp { left, op: BinaryOperator::And, right } => {
            conjuncts(left, out);
            conjuncts(right, out);
        }
        _ => out.push(expr),
    }
}

fn either(expr: &ExprPlan) -> Vec<&ExprPlan> {
    match expr {
        ExprPlan::Nested(inner) => either(inner),
        ExprPlan::BinaryOp { left, op: BinaryOperator::Or, right } => [either(left), either(right)].concat(),
        _ => vec![expr],
    }
}

/// Values of one column, encoded.
struct Values {
    ranges: KeyRanges,
    exact: bool,
}

/// Keys from the values of their columns: as long as the first columns have single values, the next one narrows further.
fn combine(columns: &[Values]) -> Found {
    let mut keys = KeyRanges::all();
    let mut prefixes = vec![Vec::new()];
    let (mut fixed, mut exact) = (0, true);
    for (i, column) in columns.iter().enumerate() {
        let is_too_many = i > 0 && prefixes.len() * column.ranges.ranges().len() > RANGES_MAX;
        if column.ranges.is_all() || is_too_many {
            exact &= columns[i..].iter().all(|column| column.ranges.is_all() && column.exact);
            break;
        }
        exact &= column.exact;
        let points: Option<Vec<_>> = column.ranges.ranges().iter().map(KeyRange::prefix).collect();
        keys = KeyRanges::collect(prefixes.iter().flat_map(|prefix| {
            column.ranges.ranges().iter().map(move |range| KeyRange {
                start: [prefix, &range.start[..]].concat(),
                end: match &range.end {
                    Some(end) => Some([prefix, &end[..]].concat()),
                    None if prefix.is_empty() => None,
                    None => Some(beyond(prefix)),
                },
            })
        }));
        let Some(points) = points else {
            exact &= columns[i + 1..].iter().all(|column| column.ranges.is_all() && column.exact);
            break;
        };
        if fixed == i && column.ranges.is_one_prefix() {
            fixed += 1;
        }
        prefixes = prefixes
            .iter()
            .flat_map(|prefix| points.iter().map(move |point| [prefix, *point].concat()))
            .collect();
    }
    Found { keys, exact, fixed }
}

/// The values of a column for which a condition can be true; `None` when the condition is not one of this column alone.
fn values(expr: &ExprPlan, part: &Part<'_>) -> Result<Option<Values>> {
    Ok(match expr {
        ExprPlan::Nested(inner) => values(inner, part)?,
        ExprPlan::BinaryOp { left, op: BinaryOperator::And, right } => {
            match (values(left, part)?, values(right, part)?) {
                (Some(left), Some(right)) => Some(Values {
                    ranges: left.ranges.intersection(&right.ranges),
                    exact: left.exact && right.exact,
                }),
                _ => None,
            }
        }
        ExprPlan::BinaryOp { left, op: BinaryOperator::Or, right } => {
            match (values(left, part)?, values(right, part)?) {
                (Some(left), Some(right)) => {
                    Some(Values { ranges: left.ranges.union(right.ranges), exact: left.exact && right.exact })
                }
                _ => None,
            }
        }
        ExprPlan::BinaryOp { left, op, right } if (part.is)(left) => compared(op, right, part)?,
        ExprPlan::BinaryOp { left, op, right } if (part.is)(right) => match mirrored(op) {
            Some(op) => compared(&op, left, part)?,
            None => None,
        },
        ExprPlan::Between { expr, negated: false, low, high } if (part.is)(expr) => between(low, high, part)?,
        ExprPlan::InList { expr, list, negated: false } if (part.is)(expr) => listed(list, part)?,
        ExprPlan::IsNull(inner) if (part.is)(inner) => {
            Some(Values { ranges: KeyRanges::prefixed(encoded(&Value::Null)?), exact: true })
        }
        ExprPlan::IsNotNull(inner) if (part.is)(inner) => {
            Some(Values { ranges: not_null(Vec::new())?, exact: true })
        }
        ExprPlan::Like { expr, negated: false, pattern }
            if (part.is)(expr) && *part.data_type == DataType::Text =>
        {
            match text(pattern).map(like::prefix) {
                Some(prefix) if !prefix.is_empty() => prefixed(prefix)?,
                _ => None,
            }
        }
        _ => None,
    })
}

fn mirrored(op: &BinaryOperator) -> Option<BinaryOperator> {
    Some(match op {
        BinaryOperator::Eq => BinaryOperator::Eq,
        BinaryOperator::Lt => BinaryOperator::Gt,
        BinaryOperator::LtEq => BinaryOperator::GtEq,
        BinaryOperator::Gt => BinaryOperator::Lt,
        BinaryOperator::GtEq => BinaryOperator::LtEq,
        _ => return None,
    })
}

fn compared(op: &BinaryOperator, other: &ExprPlan, part: &Part<'_>) -> Result<Option<Values>> {
    if !matches!(
        op,
        BinaryOperator::Eq
            | BinaryOperator::Lt
            | BinaryOperator::LtEq
            | BinaryOperator::Gt
            | BinaryOperator::GtEq
    ) {
        return Ok(None);
    }
    let (value, exact) = match constant(other, part.data_type) {
        None => return Ok(None),
        Some(Constant::Null) => return Ok(Some(Values { ranges: KeyRanges::none(), exact: true })),
        Some(Constant::Value { value, exact }) => (encoded(&value)?, exact),
    };
    let ranges = match op {
        BinaryOperator::Lt => KeyRanges::between(Vec::new(), Some(value)),
        BinaryOperator::LtEq => KeyRanges::between(Vec::new(), Some(beyond(&value))),
        BinaryOperator::Gt => not_null(beyond(&value))?,
        BinaryOperator::GtEq => not_null(value)?,
        _ => KeyRanges::prefixed(value),
    };
    Ok(Some(Values { ranges, exact }))
}

fn between(low: &ExprPlan, high: &ExprPlan, part: &Part<'_>) -> Result<Option<Values>> {
    let (Some(low), Some(high)) = (constant(low, part.data_type), constant(high, part.data_type)) else {
        return Ok(None);
    };
    let (Constant::Value { value: low, exact: a }, Constant::Value { value: high, exact: b }) = (low, high)
    else {
        return Ok(Some(Values { ranges: KeyRanges::none(), exact: true }));
    };
    let mut ranges = KeyRanges::between(encoded(&low)?, Some(beyond(&encoded(&high)?)));
    if matches!(low, Value::F32(_) | Value::F64(_)) {
        // Not-a-number is between any two numbers.
        ranges = ranges.union(KeyRanges::prefixed(encoded(&Value::F64(f64::NAN))?));
    }
    Ok(Some(Values { ranges, exact: a && b }))
}

fn listed(list: &[ExprPlan], part: &Part<'_>) -> Result<Option<Values>> {
    let mut points = Vec::with_capacity(list.len());
    let mut all_exact = true;
    for expr in list {
        match constant(expr, part.data_type) {
            None => return Ok(None),
            Some(Constant::Null) => {}
            Some(Constant::Value { value, exact }) => {
                let start = encoded(&value)?;
                points.push(KeyRange { end: Some(beyond(&start)), start });
                all_exact &= exact;
            }
        }
    }
    Ok(Some(Values { ranges: KeyRanges::collect(points), exact: all_exact }))
}

/// Texts that begin with one.
fn prefixed(prefix: &str) -> Result<Option<Values>> {
    let start = encoded(&Value::Str(prefix.to_owned()))?;
    let ranges = match like::after(prefix) {
        Some(end) => KeyRanges::between(start, Some(encoded(&Value::Str(end))?)),
        None => not_null(start)?,
    };
    Ok(Some(Values { ranges, exact: false }))
}

/// All values from `start` on but NULL, which is the last.
fn not_null(start: Vec<u8>) -> Result<KeyRanges> {
    Ok(KeyRanges::between(start, Some(encoded(&Value::Null)?)))
}

pub(super) fn encoded(value: &Value) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    key::encode_value(&mut out, value)?;
    Ok(out)
}
