//! Reading rows: the inner loop of every scan.

use std::{collections::BTreeMap, str::from_utf8};

use gluesql_core::data::{Interval, Point, Value};
use rust_decimal::Decimal;

use super::{MAX_DEPTH, VERSION, tag};
use crate::{Error, Result, table::Table, temporal};

/// How many values are allocated at once because bytes say that so many follow.
const MAX_RESERVED: usize = 1024;

type Decoded<T> = std::result::Result<T, &'static str>;

/// The values of a row, one for each column of the table; or one map where it has none.
///
/// # Errors
/// [`Error::Damaged`] that names the table when the bytes are no row of it.
pub(crate) fn decode_row(table: &Table, bytes: &[u8]) -> Result<Vec<Value>> {
    row(table, bytes).map_err(|reason| Error::Damaged {
        what: format!("a row of table \"{}\"", table.name),
        reason: reason.to_owned(),
    })
}

/// Takes a value from the front of the bytes.
///
/// # Errors
/// What is wrong with them.
pub(crate) fn decode_value(bytes: &mut &[u8]) -> Decoded<Value> {
    value(bytes, MAX_DEPTH)
}

fn row(table: &Table, bytes: &[u8]) -> Decoded<Vec<Value>> {
    let Some((&VERSION, mut rest)) = bytes.split_first() else {
        return Err(if bytes.is_empty() { "it is empty" } else { "its version is not known" });
    };
    let Some(columns) = &table.columns else {
        let map = value(&mut rest, MAX_DEPTH)?;
        return match map {
            Value::Map(_) if rest.is_empty() => Ok(vec![map]),
            _ => Err("it is no map"),
        };
    };
    let mut values = Vec::with_capacity(columns.len());
    while let Some((&tag, after)) = rest.split_first() {
        if values.len() == columns.len() {
            return Err("it has more values than the table has columns");
        }
        rest = after;
        // Pushed where they are made: a value that is returned first is moved in pieces, which costs more than reading it.
        match tag {
            tag::SHORT_TEXT.. => {
                values.push(Value::Str(text(&mut rest, usize::from(tag - tag::SHORT_TEXT))?))
            }
            tag::SMALL_INT.. => values.push(Value::I64(unzigzag(u64::from(tag - tag::SMALL_INT)))),
            tag::I64 => values.push(Value::I64(long_integer(&mut rest)?)),
            tag::F64 => values.push(Value::F64(float(&mut rest)?)),
            tag::NULL => values.push(Value::Null),
            _ => values.push(tagged(tag, &mut rest, MAX_DEPTH)?),
        }
    }
    for column in &columns[values.len()..] {
        values.push(column.fill.clone());
    }
    Ok(values)
}

fn value(bytes: &mut &[u8], depth: usize) -> Decoded<Value> {
    let [tag] = take(bytes)?;
    tagged(tag, bytes, depth)
}

fn tagged(tag: u8, bytes: &mut &[u8], depth: usize) -> Decoded<Value> {
    Ok(match tag {
        tag::SHORT_TEXT.. => Value::Str(text(bytes, usize::from(tag - tag::SHORT_TEXT))?),
        tag::SMALL_INT.. => Value::I64(unzigzag(u64::from(tag - tag::SMALL_INT))),
        tag::NULL => Value::Null,
        tag::FALSE => Value::Bool(false),
        tag::TRUE => Value::Bool(true),
        tag::I64 => Value::I64(long_integer(bytes)?),
        tag::F64 => Value::F64(float(bytes)?),
        tag::TEXT => match length(bytes)? {
            0..128 => return Err("a short text is stored at length"),
            len => Value::Str(text(bytes, len)?),
        },
        tag::I8 => Value::I8(narrow(unzigzag(varint(bytes)?))?),
        tag::I16 => Value::I16(narrow(unzigzag(varint(bytes)?))?),
        tag::I32 => Value::I32(narrow(unzigzag(varint(bytes)?))?),
        tag::I128 => {
            let number = varint_long(bytes)?;
            Value::I128((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
        }
        tag::U8 => Value::U8(narrow(varint(bytes)?)?),
        tag::U16 => Value::U16(narrow(varint(bytes)?)?),
        tag::U32 => Value::U32(narrow(varint(bytes)?)?),
        tag::U64 => Value::U64(varint(bytes)?),
        tag::U128 => Value::U128(varint_long(bytes)?),
        tag::F32 => {
            let value = f32::from_le_bytes(take(bytes)?);
            if value.is_nan() && value.to_bits() != f32::NAN.abs().to_bits() {
                return Err("a NaN is not the one that is stored");
            }
            Value::F32(value)
        }
        tag::DECIMAL => Value::Decimal(decimal(bytes)?),
        tag::BYTES => {
            let len = length(bytes)?;
            Value::Bytea(slice(bytes, len)?.to_vec())
        }
        tag::INET4 => Value::Inet(take::<4>(bytes)?.into()),
        tag::INET6 => Value::Inet(take::<16>(bytes)?.into()),
        tag::DATE => Value::Date(date(bytes)?),
        tag::TIMESTAMP => Value::Timestamp(date(bytes)?.and_time(time(bytes)?)),
        tag::TIME => Value::Time(time(bytes)?),
        tag::MONTHS => Value::Interval(Interval::Month(narrow(unzigzag(varint(bytes)?))?)),
        tag::MICROSECONDS => Value::Interval(Interval::Microsecond(unzigzag(varint(bytes)?))),
        tag::UUID => Value::Uuid(u128::from_be_bytes(take(bytes)?)),
        tag::MAP => Value::Map(map(bytes, deeper(depth)?)?),
        tag::LIST => {
            let (depth, count) = (deeper(depth)?, length(bytes)?);
            let mut values = Vec::with_capacity(count.min(MAX_RESERVED));
            for _ in 0..count {
                values.push(value(bytes, depth)?);
            }
            Value::List(values)
        }
        tag::POINT => Value::Point(Point::new(float(bytes)?, float(bytes)?)),
        _ => return Err("a value of it is of no type that is known"),
    })
}

/// An INT that is not a small one.
#[inline]
fn long_integer(bytes: &mut &[u8]) -> Decoded<i64> {
    match varint(bytes)? {
        0..64 => Err("a small integer is stored at length"),
        number => Ok(unzigzag(number)),
    }
}

fn map(bytes: &mut &[u8], depth: usize) -> Decoded<BTreeMap<String, Value>> {
    let count = length(bytes)?;
    let mut entries: Vec<(String, Value)> = Vec::with_capacity(count.min(MAX_RESERVED));
    for _ in 0..count {
        let len = length(bytes)?;
        let key = text(bytes, len)?;
        if entries.last().is_some_and(|(last, _)| *last >= key) {
            return Err("the keys of a map are not ascending");
        }
        entries.push((key, value(bytes, depth)?));
    }
    Ok(entries.into_iter().collect())
}

fn deeper(depth: usize) -> Decoded<usize> {
    depth.checked_sub(1).ok_or("its lists and maps nest too deep")
}

fn decimal(bytes: &mut &[u8]) -> Decoded<Decimal> {
    let [sign_and_scale] = take(bytes)?;
    let mantissa = varint_long(bytes)?;
    if mantissa >> 96 != 0 || sign_and_scale & 0x7F > Decimal::MAX_SCALE as u8 {
        return Err("a decimal has too many digits");
    }
    Ok(Decimal::from_parts(
        mantissa as u32,
        (mantissa >> 32) as u32,
        (mantissa >> 64) as u32,
        sign_and_scale & 0x80 != 0,
        u32::from(sign_and_scale & 0x7F),
    ))
}

fn date(bytes: &mut &[u8]) -> Decoded<gluesql_core::chrono::NaiveDate> {
    temporal::date(narrow(unzigzag(varint(bytes)?))?).ok_or("a date is out of range")
}

fn time(bytes: &mut &[u8]) -> Decoded<gluesql_core::chrono::NaiveTime> {
    temporal::time(varint(bytes)?).ok_or("a time is out of range")
}

#[inline]
fn float(bytes: &mut &[u8]) -> Decoded<f64> {
    let value = f64::from_le_bytes(take(bytes)?);
    if value.is_nan() && value.to_bits() != f64::NAN.abs().to_bits() {
        return Err("a NaN is not the one that is stored");
    }
    Ok(value)
}

#[inline]
fn text(bytes: &mut &[u8], len: usize) -> Decoded<String> {
    from_utf8(slice(bytes, len)?).map(str::to_owned).map_err(|_| "a text of it is not UTF-8")
}

#[inline]
fn slice<'a>(bytes: &mut &'a [u8], len: usize) -> Decoded<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(len).ok_or("it ends inside a value")?;
    *bytes = rest;
    Ok(taken)
}

#[inline]
fn take<const N: usize>(bytes: &mut &[u8]) -> Decoded<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk().ok_or("it ends inside a value")?;
    *bytes = rest;
    Ok(*taken)
}

/// A length or a count: of things that take a byte each at least, so that it bounds what is allocated for them.
#[inline]
fn length(bytes: &mut &[u8]) -> Decoded<usize> {
    let len = varint(bytes)?;
    if len > bytes.len() as u64 {
        return Err("it ends inside a value");
    }
    Ok(len as usize)
}

fn narrow<T, U: TryFrom<T>>(number: T) -> Decoded<U> {
    U::try_from(number).map_err(|_| "a number is out of its type's range")
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

#[inline]
fn varint(bytes: &mut &[u8]) -> Decoded<u64> {
    let [first, second, ..] = **bytes else {
        // The last byte of a row: it has to be all of the number.
        let [first] = take(bytes)?;
        return if first < 0x80 { Ok(u64::from(first)) } else { Err("it ends inside a value") };
    };
    if first < 0x80 {
        *bytes = &bytes[1..];
        return Ok(u64::from(first));
    }
    if (1..0x80).contains(&second) {
        *bytes = &bytes[2..];
        return Ok(u64::from(first & 0x7F) | u64::from(second) << 7);
    }
    longer(bytes)
}

fn longer(bytes: &mut &[u8]) -> Decoded<u64> {
    let mut number = 0;
    for (place, byte) in bytes.iter().enumerate().take(10) {
        let part = u64::from(byte & 0x7F);
        if place == 9 && part > 1 {
            break;
        }
        number |= part << (7 * place);
        if *byte < 0x80 {
            *bytes = &bytes[place + 1..];
            return if *byte == 0 { Err("a number is stored at length") } else { Ok(number) };
        }
    }
    Err(if bytes.len() < 10 { "it ends inside a value" } else { "a number is out of its type's range" })
}

fn varint_long(bytes: &mut &[u8]) -> Decoded<u128> {
    let mut number = 0;
    for shift in (0..128).step_by(7) {
        let [byte] = take(bytes)?;
        let part = u128::from(byte & 0x7F);
        if part.leading_zeros() < shift {
            break;
        }
        number |= part << shift;
        if byte < 0x80 {
            return if byte == 0 && shift > 0 { Err("a number is stored at length") } else { Ok(number) };
        }
    }
    Err("a number is out of its type's range")
}
