//! Constants in conditions, as values of a column's type.
//!
//! **Invariant:** a constant is taken only when GlueSQL compares the column with it as their encodings compare. Everything
//! doubtful is no constant, and a condition on it narrows nothing.

use gluesql_core::{
    ast::{BinaryOperator, DataType, Literal, UnaryOperator},
    data::Value,
    executor::evaluate_stateless,
    plan::{ExprPlan, FunctionExprPlan},
};

/// A constant that a column is compared with.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Constant {
    Null,
    Value {
        value: Value,
        /// Whether each comparison with the column is true exactly where that of the encodings is.
        exact: bool,
    },
}

/// What an expression is for a column of this type; `None` when it is not constant, or not surely of the column's family.
pub(super) fn constant(expr: &ExprPlan, column: &DataType) -> Option<Constant> {
    if !is_constant(expr) {
        return None;
    }
    let evaluated = evaluate_stateless(None, expr).ok()?;
    let typed = evaluated.clone().try_into_value(column, true);
    let raw = Value::try_from(evaluated).ok();
    if matches!(raw, Some(Value::Null)) {
        return Some(Constant::Null);
    }
    let (value, exact) = match column {
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int
        | DataType::Int128
        | DataType::Uint8
        | DataType::Uint16
        | DataType::Uint32
        | DataType::Uint64
        | DataType::Uint128 => (typed.ok().or_else(|| integer(&raw?, column))?, true),
        // A comparison with not-a-number is false, but not BETWEEN.
        DataType::Float32 | DataType::Float => (typed.ok().filter(is_number)?, false),
        // Literals are equal to no decimal, and longer than one, but compare with one.
        DataType::Decimal => match raw {
            Some(Value::Decimal(value)) => (Value::Decimal(value), true),
            _ if is_short_number(expr) => (typed.ok()?, false),
            _ => return None,
        },
        DataType::Text | DataType::Bytea | DataType::Boolean => {
            let value = typed.ok()?;
            (raw.as_ref()?.get_type() == Some(column.clone())).then_some((value, true))?
        }
        DataType::Date | DataType::Timestamp | DataType::Time | DataType::Uuid | DataType::Inet => {
            let value = typed.ok()?;
            match raw? {
                Value::Str(_) => (value, false),
                raw => (raw.get_type() == Some(column.clone())).then_some((value, true))?,
            }
        }
        DataType::Interval | DataType::Map | DataType::List | DataType::Point => return None,
    };
    Some(Constant::Value { value, exact })
}

/// Whether columns of this type are in the order of their encodings where rows are sorted, and where the least is sought.
pub(super) fn is_ordered(column: &DataType) -> bool {
    use DataType as T;
    !matches!(column, T::Float32 | T::Float | T::Interval | T::Map | T::List | T::Point)
}

/// The text that an expression always is.
pub(super) fn text(expr: &ExprPlan) -> Option<&str> {
    match expr {
        ExprPlan::Nested(inner) => text(inner),
        ExprPlan::Literal(Literal::QuotedString(text)) | ExprPlan::Value(Value::Str(text)) => Some(text),
        _ => None,
    }
}

/// Whether an expression has the same value everywhere, and always.
fn is_constant(expr: &ExprPlan) -> bool {
    match expr {
        ExprPlan::Literal(_) | ExprPlan::Value(_) | ExprPlan::TypedString { .. } => true,
        ExprPlan::Nested(inner)
        | ExprPlan::IsNull(inner)
        | ExprPlan::IsNotNull(inner)
        | ExprPlan::UnaryOp { expr: inner, .. } => is_constant(inner),
        // Of NULL GlueSQL makes something else than SQL.
        ExprPlan::BinaryOp { op: BinaryOperator::And | BinaryOperator::Or, left, right } => {
            is_truth_value(left) && is_truth_value(right)
        }
        ExprPlan::BinaryOp {
            op:
                BinaryOperator::Plus
                | BinaryOperator::Minus
                | BinaryOperator::Multiply
                | BinaryOperator::Divide
                | BinaryOperator::StringConcat,
            left,
            right,
        } => is_constant(left) && is_constant(right),
        ExprPlan::Function(function) => match &**function {
            FunctionExprPlan::Cast { expr, .. } => is_constant(expr),
            _ => false,
        },
        _ => false,
    }
}

fn is_truth_value(expr: &ExprPlan) -> bool {
    matches!(expr, ExprPlan::Value(Value::Bool(_)))
}

/// A number that a decimal holds as it is written.
fn is_short_number(expr: &ExprPlan) -> bool {
    match expr {
        ExprPlan::Nested(inner) | ExprPlan::UnaryOp { op: UnaryOperator::Minus, expr: inner } => {
            is_short_number(inner)
        }
        ExprPlan::Literal(Literal::Number(number)) => number.to_string().len() <= 28,
        _ => false,
    }
}

fn is_number(value: &Value) -> bool {
    match value {
        Value::F32(value) => !value.is_nan(),
        Value::F64(value) => !value.is_nan(),
        _ => false,
    }
}

/// An integer of another type that the column's type can hold.
fn integer(value: &Value, column: &DataType) -> Option<Value> {
    let value = match *value {
        Value::I8(v) => i128::from(v),
        Value::I16(v) => i128::from(v),
        Value::I32(v) => i128::from(v),
        Value::I64(v) => i128::from(v),
        Value::I128(v) => v,
        Value::U8(v) => i128::from(v),
        Value::U16(v) => i128::from(v),
        Value::U32(v) => i128::from(v),
        Value::U64(v) => i128::from(v),
        Value::U128(v) => i128::try_from(v).ok()?,
        _ => return None,
    };
    Some(match column {
        DataType::Int8 => Value::I8(value.try_into().ok()?),
        DataType::Int16 => Value::I16(value.try_into().ok()?),
        DataType::Int32 => Value::I32(value.try_into().ok()?),
        DataType::Int => Value::I64(value.try_into().ok()?),
        DataType::Int128 => Value::I128(value),
        DataType::Uint8 => Value::U8(value.try_into().ok()?),
        DataType::Uint16 => Value::U16(value.try_into().ok()?),
        DataType::Uint32 => Value::U32(value.try_into().ok()?),
        DataType::Uint64 => Value::U64(value.try_into().ok()?),
        DataType::Uint128 => Value::U128(value.try_into().ok()?),
        _ => return None,
    })
}
