//! A parameter that is stored in a column, as a value of the column's type.
//!
//! **Invariant:** a number is stored as exactly itself, or refused; only a FLOAT column rounds decimals, and a FLOAT32 column
//! what is stored in it, because that is what these types are.

use gluesql_core::{
    ast::{DataType, Expr, Literal},
    data::{Point, Value},
};
use rust_decimal::{Decimal, prelude::ToPrimitive};

/// The expression that stores `value` in a column of type `to`; `None` when it is no value of that type.
pub(super) fn adapt(value: &Value, to: &DataType) -> Option<Expr> {
    let value = match (value, to) {
        (Value::Null, _) => Value::Null,
        // Text stands for what a literal of the same text would.
        (Value::Str(text), _) => return Some(Expr::Literal(Literal::QuotedString(text.clone()))),
        (Value::Bytea(_), DataType::Uuid) => value.clone(),
        (Value::Date(date), DataType::Timestamp) => Value::Timestamp(date.and_hms_opt(0, 0, 0)?),
        (Value::List(items), DataType::Point) => match &items[..] {
            [Value::F64(x), Value::F64(y)] => Value::Point(Point::new(*x, *y)),
            _ => return None,
        },
        (Value::F64(from), DataType::Float32) => f32_of(*from)?,
        (Value::F32(from), DataType::Float) => Value::F64(f64::from(*from)),
        (Value::F32(from), DataType::Decimal) => {
            Value::Decimal(Decimal::from_str_exact(&from.to_string()).ok()?)
        }
        (Value::F64(from), DataType::Decimal) => {
            Value::Decimal(Decimal::from_str_exact(&from.to_string()).ok()?)
        }
        (Value::Decimal(from), DataType::Float) => Value::F64(from.to_f64()?),
        (Value::Decimal(from), DataType::Float32) => f32_of(from.to_f64()?)?,
        _ if value.get_type().as_ref() == Some(to) => value.clone(),
        _ => integer(value)?.store(to)?,
    };
    Some(Expr::Value(value))
}

/// Rounds; `None` when that leaves the range.
fn f32_of(from: f64) -> Option<Value> {
    #[expect(clippy::cast_possible_truncation, reason = "rounding is what is wanted")]
    let to = from as f32;
    (to.is_finite() || !from.is_finite()).then_some(Value::F32(to))
}

/// An integer of any type.
#[derive(Clone, Copy)]
enum Integer {
    Signed(i128),
    /// One that is too large for an `i128`.
    Large(u128),
}

fn integer(value: &Value) -> Option<Integer> {
    Some(match value {
        Value::I8(value) => Integer::Signed((*value).into()),
        Value::I16(value) => Integer::Signed((*value).into()),
        Value::I32(value) => Integer::Signed((*value).into()),
        Value::I64(value) => Integer::Signed((*value).into()),
        Value::I128(value) => Integer::Signed(*value),
        Value::U8(value) => Integer::Signed((*value).into()),
        Value::U16(value) => Integer::Signed((*value).into()),
        Value::U32(value) => Integer::Signed((*value).into()),
        Value::U64(value) => Integer::Signed((*value).into()),
        Value::U128(value) => i128::try_from(*value).map_or(Integer::Large(*value), Integer::Signed),
        _ => return None,
    })
}

impl Integer {
    fn store(self, to: &DataType) -> Option<Value> {
        let value = match self {
            Self::Signed(value) => value,
            Self::Large(value) => return (*to == DataType::Uint128).then_some(Value::U128(value)),
        };
        Some(match to {
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
            DataType::Decimal => Value::Decimal(Decimal::try_from_i128_with_scale(value, 0).ok()?),
            DataType::Float => exact_f64(value)?,
            DataType::Float32 => exact_f32(value)?,
            _ => return None,
        })
    }
}

/// The bits of a number from its first one to its last.
fn significant_bits(value: i128) -> u32 {
    if value == 0 { 0 } else { 128 - value.unsigned_abs().leading_zeros() - value.trailing_zeros() }
}

#[expect(clippy::cast_precision_loss, reason = "none is lost")]
fn exact_f64(value: i128) -> Option<Value> {
    (significant_bits(value) <= f64::MANTISSA_DIGITS).then_some(Value::F64(value as f64))
}

#[expect(clippy::cast_precision_loss, reason = "none is lost")]
fn exact_f32(value: i128) -> Option<Value> {
    (significant_bits(value) <= f32::MANTISSA_DIGITS).then_some(Value::F32(value as f32))
}
