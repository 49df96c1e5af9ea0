//! Writing rows.

use std::{mem::discriminant, net::IpAddr};

use gluesql_core::{
    chrono::NaiveDate,
    data::{Interval, Value},
    error::Error as GlueError,
};
use rust_decimal::Decimal;

use super::{MAX_DEPTH, VERSION, tag};
use crate::{Error, Result, table::Column, temporal};

/// Encodes the values of a row, which are those of `columns`, or one map where there are none.
///
/// # Errors
/// When the number of values is not that of the columns, or a list or map nests too deep.
pub(crate) fn encode_row(columns: Option<&[Column]>, values: &[Value]) -> Result<Vec<u8>> {
    let expected = columns.map_or(1, <[Column]>::len);
    if values.len() != expected {
        let message = format!("a row has {} values where the table has {expected} columns", values.len());
        return Err(Error::Statement(GlueError::StorageMsg(message)));
    }
    let filled = columns.map_or(0, |columns| {
        columns.iter().zip(values).rev().take_while(|(column, value)| identical(&column.fill, value)).count()
    });
    let mut out = Vec::with_capacity(8 * values.len() + 8);
    out.push(VERSION);
    for value in &values[..values.len() - filled] {
        encode_value(&mut out, value)?;
    }
    Ok(out)
}

/// Appends the encoding of a value.
///
/// # Errors
/// When a list or map nests too deep.
pub(crate) fn encode_value(out: &mut Vec<u8>, value: &Value) -> Result<()> {
    nested(out, value, MAX_DEPTH)
}

fn nested(out: &mut Vec<u8>, value: &Value, depth: usize) -> Result<()> {
    match value {
        Value::Null => out.push(tag::NULL),
        Value::Bool(v) => out.push(if *v { tag::TRUE } else { tag::FALSE }),
        Value::I8(v) => tagged(out, tag::I8, zigzag(i64::from(*v))),
        Value::I16(v) => tagged(out, tag::I16, zigzag(i64::from(*v))),
        Value::I32(v) => tagged(out, tag::I32, zigzag(i64::from(*v))),
        Value::I64(v) => match zigzag(*v) {
            small @ 0..64 => out.push(tag::SMALL_INT | small as u8),
            number => tagged(out, tag::I64, number),
        },
        Value::I128(v) => tagged_long(out, tag::I128, (v << 1 ^ v >> 127).cast_unsigned()),
        Value::U8(v) => tagged(out, tag::U8, u64::from(*v)),
        Value::U16(v) => tagged(out, tag::U16, u64::from(*v)),
        Value::U32(v) => tagged(out, tag::U32, u64::from(*v)),
        Value::U64(v) => tagged(out, tag::U64, *v),
        Value::U128(v) => tagged_long(out, tag::U128, *v),
        Value::F32(v) => {
            out.push(tag::F32);
            out.extend_from_slice(&if v.is_nan() { f32::NAN.abs() } else { *v }.to_le_bytes());
        }
        Value::F64(v) => {
            out.push(tag::F64);
            float(out, *v);
        }
        Value::Decimal(v) => decimal(out, v),
        Value::Str(v) => match v.len() {
            short @ 0..128 => {
                out.push(tag::SHORT_TEXT | short as u8);
                out.extend_from_slice(v.as_bytes());
            }
            _ => {
                out.push(tag::TEXT);
                bytes(out, v.as_bytes());
            }
        },
        Value::Bytea(v) => {
            out.push(tag::BYTES);
            bytes(out, v);
        }
        Value::Inet(IpAddr::V4(v)) => {
            out.push(tag::INET4);
            out.extend(v.octets());
        }
        Value::Inet(IpAddr::V6(v)) => {
            out.push(tag::INET6);
            out.extend(v.octets());
        }
        Value::Date(v) => tagged(out, tag::DATE, days(*v)),
        Value::Timestamp(v) => {
            tagged(out, tag::TIMESTAMP, days(v.date()));
            varint(out, temporal::ticks(v.time()));
        }
        Value::Time(v) => tagged(out, tag::TIME, temporal::ticks(*v)),
        Value::Interval(Interval::Month(v)) => tagged(out, tag::MONTHS, zigzag(i64::from(*v))),
        Value::Interval(Interval::Microsecond(v)) => tagged(out, tag::MICROSECONDS, zigzag(*v)),
        Value::Uuid(v) => {
            out.push(tag::UUID);
            out.extend_from_slice(&v.to_be_bytes());
        }
        Value::Map(entries) => {
            let depth = deeper(depth)?;
            tagged(out, tag::MAP, entries.len() as u64);
            for (key, value) in entries {
                bytes(out, key.as_bytes());
                nested(out, value, depth)?;
            }
        }
        Value::List(values) => {
            let depth = deeper(depth)?;
            tagged(out, tag::LIST, values.len() as u64);
            for value in values {
                nested(out, value, depth)?;
            }
        }
        Value::Point(v) => {
            out.push(tag::POINT);
            float(out, v.x);
            float(out, v.y);
        }
    }
    Ok(())
}

fn deeper(depth: usize) -> Result<usize> {
    depth.checked_sub(1).ok_or_else(|| {
        Error::Statement(GlueError::StorageMsg(format!("a value nests more than {MAX_DEPTH} lists and maps")))
    })
}

fn float(out: &mut Vec<u8>, value: f64) {
    out.extend_from_slice(&if value.is_nan() { f64::NAN.abs() } else { value }.to_le_bytes());
}

fn decimal(out: &mut Vec<u8>, value: &Decimal) {
    let sign = if value.is_sign_negative() { 0x80 } else { 0 };
    out.extend([tag::DECIMAL, value.scale() as u8 | sign]);
    varint_long(out, value.mantissa().unsigned_abs());
}

fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn days(date: NaiveDate) -> u64 {
    zigzag(i64::from(temporal::days(date)))
}

fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63).cast_unsigned()
}

fn tagged(out: &mut Vec<u8>, tag: u8, number: u64) {
    out.push(tag);
    varint(out, number);
}

fn tagged_long(out: &mut Vec<u8>, tag: u8, number: u128) {
    out.push(tag);
    varint_long(out, number);
}

fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn varint_long(out: &mut Vec<u8>, mut number: u128) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Whether two values have the same encoding: GlueSQL's own equality holds 1 of one type equal to 1 of another.
pub(crate) fn identical(left: &Value, right: &Value) -> bool {
    if discriminant(left) != discriminant(right) {
        return false;
    }
    let same = |left: f64, right: f64| left.to_bits() == right.to_bits() || (left.is_nan() && right.is_nan());
    match (left, right) {
        (Value::Null, Value::Null) => true,
        (Value::F32(left), Value::F32(right)) => same(f64::from(*left), f64::from(*right)),
        (Value::F64(left), Value::F64(right)) => same(*left, *right),
        (Value::Point(left), Value::Point(right)) => same(left.x, right.x) && same(left.y, right.y),
        (Value::Decimal(left), Value::Decimal(right)) => left.serialize() == right.serialize(),
        (Value::List(left), Value::List(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| identical(left, right))
        }
        (Value::Map(left), Value::Map(right)) => {
            left.len() == right.len()
                && left.iter().zip(right).all(|(left, right)| left.0 == right.0 && identical(left.1, right.1))
        }
        _ => left == right,
    }
}
