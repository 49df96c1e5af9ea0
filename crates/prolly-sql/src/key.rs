//! The order-preserving encoding of values: what rows and indexes are keyed by.
//!
//! ```text
//! false, true            05 00, 05 01
//! integer of any type    20, then 30+m for m from -32 to 191; EF+n, m in n bytes for a greater m;
//!                        10-n, complement of m in n bytes for a lesser -m-1; n is as few as m needs
//! float, also widened    38, 8 bytes: all bits inverted when negative, else the sign bit; 0 for -0, one NaN, the greatest
//! decimal                40, then 01 negative, 02 zero, 03 positive, then unless zero 40 + exponent, digits to base 100
//! text                   48, bytes with 00 as 01 01 and 01 as 01 02, 00
//! bytes                  50, likewise
//! date                   58, days since 1970-01-01 + 2^31 in 4 bytes
//! timestamp              60, a date's 4 bytes, a time's 6
//! time                   68, ticks in 6 bytes: second of the day × 2 × 10^9 + nanoseconds, which pass 10^9 in a leap second
//! interval               70, 00, microseconds + 2^63 in 8 bytes; or 70, 01, months + 2^31 in 4
//! uuid                   78, 16 bytes
//! address                80, 04, 4 bytes; or 80, 06, 16
//! NULL                   FE
//! ```
//!
//! Several values are one after another. Numbers are big-endian.
//!
//! **Invariant:** the bytes of two lists of values compare as the lists do, for each place within a family of types (a row of
//! the table above, which begins with one byte of its own); values that SQL holds equal there have the same bytes. No value's
//! bytes are a prefix of another's, so the keys that begin with a list of values are those that begin with its bytes. None
//! begins with `FF`.

use std::net::IpAddr;

use gluesql_core::{
    chrono::{NaiveDate, NaiveTime},
    data::{Interval, Key, KeyError, Value},
};
use rust_decimal::Decimal;

use crate::{
    Error, Result,
    temporal::{date, days, ticks, time},
};

const BOOL: u8 = 0x05;
const INTEGER: u8 = 0x20;
const FLOAT: u8 = 0x38;
const DECIMAL: u8 = 0x40;
const TEXT: u8 = 0x48;
const BYTES: u8 = 0x50;
const DATE: u8 = 0x58;
const TIMESTAMP: u8 = 0x60;
const TIME: u8 = 0x68;
const INTERVAL: u8 = 0x70;
const UUID: u8 = 0x78;
const ADDRESS: u8 = 0x80;
const NULL: u8 = 0xFE;

/// What stands for the integer 0 after their tag; that for those near to it counts up and down from there.
const ZERO: u8 = 0x30;
/// The integers that are one byte after their tag.
const SMALL: std::ops::RangeInclusive<i128> = -32..=191;

/// Appends the encoding of a value.
///
/// # Errors
/// When it is a MAP, a LIST or a POINT, which have no order.
pub(crate) fn encode_value(out: &mut Vec<u8>, value: &Value) -> Result<()> {
    match value {
        Value::Bool(v) => out.extend([BOOL, u8::from(*v)]),
        Value::I8(v) => encode_signed(out, i128::from(*v)),
        Value::I16(v) => encode_signed(out, i128::from(*v)),
        Value::I32(v) => encode_signed(out, i128::from(*v)),
        Value::I64(v) => encode_signed(out, i128::from(*v)),
        Value::I128(v) => encode_signed(out, *v),
        Value::U8(v) => encode_magnitude(out, u128::from(*v), false),
        Value::U16(v) => encode_magnitude(out, u128::from(*v), false),
        Value::U32(v) => encode_magnitude(out, u128::from(*v), false),
        Value::U64(v) => encode_magnitude(out, u128::from(*v), false),
        Value::U128(v) => encode_magnitude(out, *v, false),
        Value::F32(v) => encode_float(out, f64::from(*v)),
        Value::F64(v) => encode_float(out, *v),
        Value::Decimal(v) => encode_decimal(out, *v),
        Value::Str(v) => encode_bytes(out, TEXT, v.as_bytes()),
        Value::Bytea(v) => encode_bytes(out, BYTES, v),
        Value::Inet(v) => encode_address(out, v),
        Value::Date(v) => {
            out.push(DATE);
            encode_date(out, *v);
        }
        Value::Timestamp(v) => {
            out.push(TIMESTAMP);
            encode_date(out, v.date());
            encode_time(out, v.time());
        }
        Value::Time(v) => {
            out.push(TIME);
            encode_time(out, *v);
        }
        Value::Interval(v) => encode_interval(out, v),
        Value::Uuid(v) => {
            out.push(UUID);
            out.extend(v.to_be_bytes());
        }
        Value::Null => out.push(NULL),
        Value::Map(_) => return Err(Error::Statement(KeyError::MapTypeKeyNotSupported.into())),
        Value::List(_) => return Err(Error::Statement(KeyError::ListTypeKeyNotSupported.into())),
        Value::Point(_) => return Err(Error::Statement(KeyError::PointTypeKeyNotSupported.into())),
    }
    Ok(())
}

/// Appends the encoding of a key: that of the same value.
///
/// # Errors
/// None today: every [`Key`] has an order.
pub(crate) fn encode_key(out: &mut Vec<u8>, key: &Key) -> Result<()> {
    match key {
        Key::I64(v) => encode_signed(out, i128::from(*v)),
        Key::Str(v) => encode_bytes(out, TEXT, v.as_bytes()),
        Key::Bytea(v) => encode_bytes(out, BYTES, v),
        _ => return encode_value(out, &Value::from(key.clone())),
    }
    Ok(())
}

/// The key that these values make together.
///
/// # Errors
/// As [`encode_value`].
pub(crate) fn encode_values<'a>(values: impl IntoIterator<Item = &'a Value>) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(16);
    for value in values {
        encode_value(&mut out, value)?;
    }
    Ok(out)
}

/// The key of a row in a table without a primary key: a number that counts up, and a hash of the row as it was inserted.
pub(crate) fn row_id(sequence: u64, row_hash: u64) -> [u8; 16] {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&sequence.to_be_bytes());
    id[8..].copy_from_slice(&row_hash.to_be_bytes());
    id
}

/// The number in a row id; `None` when the bytes are none.
pub(crate) fn row_id_sequence(id: &[u8]) -> Option<u64> {
    let (sequence, hash) = id.split_first_chunk()?;
    (hash.len() == 8).then(|| u64::from_be_bytes(*sequence))
}

/// The first 8 bytes of BLAKE3 as a number: what rows and columns are told apart by.
pub(crate) fn short_hash(bytes: &[u8]) -> u64 {
    let (short, _) =
        blake3::hash(bytes).as_bytes().split_first_chunk().map_or(([0; 8], &[][..]), |(a, b)| (*a, b));
    u64::from_be_bytes(short)
}

/// The values of a key, each of the widest type of its family: equal to those encoded, not of their very type.
///
/// # Errors
/// [`Error::Damaged`] when the bytes are no key's.
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<Value>> {
    let mut rest = bytes;
    let mut values = Vec::new();
    while !rest.is_empty() {
        let value = decode_value(&mut rest).ok_or_else(|| Error::Damaged {
            what: format!("the key {}", Hex(bytes)),
            reason: format!("its byte {} begins no value", bytes.len() - rest.len()),
        })?;
        values.push(value);
    }
    Ok(values)
}

/// The number of bytes that the first value takes; `None` when they begin none.
pub(crate) fn first_value_len(bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes;
    decode_value(&mut rest)?;
    Some(bytes.len() - rest.len())
}

struct Hex<'a>(&'a [u8]);

impl std::fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn encode_signed(out: &mut Vec<u8>, value: i128) {
    let negative = value < 0;
    encode_magnitude(out, (if negative { !value } else { value }).cast_unsigned(), negative);
}

/// An integer: `magnitude`, or `-magnitude - 1`.
fn encode_magnitude(out: &mut Vec<u8>, magnitude: u128, negative: bool) {
    out.push(INTEGER);
    if magnitude < if negative { 32 } else { 192 } {
        let small = magnitude as u8;
        return out.push(if negative { ZERO - 1 - small } else { ZERO + small });
    }
    let len = 16 - magnitude.leading_zeros() as u8 / 8;
    let bytes = if negative { !magnitude } else { magnitude }.to_be_bytes();
    out.push(if negative { 0x10 - len } else { 0xEF + len });
    out.extend_from_slice(&bytes[16 - usize::from(len)..]);
}

fn encode_float(out: &mut Vec<u8>, value: f64) {
    let value = if value.is_nan() {
        f64::NAN.abs()
    } else if value == 0.0 {
        0.0
    } else {
        value
    };
    let bits = value.to_bits();
    let ordered = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
    out.push(FLOAT);
    out.extend(ordered.to_be_bytes());
}

/// A decimal is ± 0.d1d2d3… × 100^exponent with digits to base 100, the first of them not 0. Each digit is twice itself, plus 1
/// unless it is the last, so that the longer of two that agree is the greater. All of it is inverted for a negative one.
fn encode_decimal(out: &mut Vec<u8>, value: Decimal) {
    out.push(DECIMAL);
    if value.is_zero() {
        return out.push(2);
    }
    let mut magnitude = value.mantissa().unsigned_abs();
    let mut scale = value.scale();
    if scale % 2 == 1 {
        // The point falls between two digits to base 100. 29 decimal digits leave room.
        magnitude *= 10;
        scale += 1;
    }
    let mut digits = [0; 16];
    let mut len = 0;
    while magnitude > 0 {
        digits[len] = (magnitude % 100) as u8;
        magnitude /= 100;
        len += 1;
    }
    let exponent = len as i8 - (scale / 2) as i8;
    let last = digits[..len].iter().position(|digit| *digit != 0).unwrap_or(0);
    let negative = value.is_sign_negative();
    out.push(if negative { 1 } else { 3 });
    let start = out.len();
    out.push(0x40u8.wrapping_add_signed(exponent));
    for place in (last..len).rev() {
        out.push(digits[place] * 2 + u8::from(place != last));
    }
    if negative {
        out[start..].iter_mut().for_each(|byte| *byte = !*byte);
    }
}

fn encode_bytes(out: &mut Vec<u8>, tag: u8, mut bytes: &[u8]) {
    out.reserve(bytes.len() + 2);
    out.push(tag);
    while let Some(place) = bytes.iter().position(|byte| *byte <= 1) {
        out.extend_from_slice(&bytes[..place]);
        out.extend([1, bytes[place] + 1]);
        bytes = &bytes[place + 1..];
    }
    out.extend_from_slice(bytes);
    out.push(0);
}

fn encode_date(out: &mut Vec<u8>, date: NaiveDate) {
    out.extend(flip32(days(date)).to_be_bytes());
}

fn encode_time(out: &mut Vec<u8>, time: NaiveTime) {
    out.extend_from_slice(&ticks(time).to_be_bytes()[2..]);
}

fn encode_interval(out: &mut Vec<u8>, interval: &Interval) {
    out.push(INTERVAL);
    match *interval {
        Interval::Microsecond(v) => {
            out.push(0);
            out.extend((v.cast_unsigned() ^ 1 << 63).to_be_bytes());
        }
        Interval::Month(v) => {
            out.push(1);
            out.extend(flip32(v).to_be_bytes());
        }
    }
}

fn encode_address(out: &mut Vec<u8>, address: &IpAddr) {
    out.push(ADDRESS);
    match address {
        IpAddr::V4(v) => {
            out.push(4);
            out.extend(v.octets());
        }
        IpAddr::V6(v) => {
            out.push(6);
            out.extend(v.octets());
        }
    }
}

/// Orders signed numbers as unsigned ones; its own reverse but for the type.
fn flip32(value: i32) -> u32 {
    value.cast_unsigned() ^ 1 << 31
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}

fn decode_value(bytes: &mut &[u8]) -> Option<Value> {
    let [tag] = take(bytes)?;
    Some(match tag {
        BOOL => match take(bytes)? {
            [0] => Value::Bool(false),
            [1] => Value::Bool(true),
            _ => return None,
        },
        INTEGER => match take(bytes)? {
            [len @ 0..=0x0F] => decode_integer(bytes, usize::from(0x10 - len), true)?,
            [len @ 0xF0..=0xFF] => decode_integer(bytes, usize::from(len - 0xEF), false)?,
            [small] => Value::I64(i64::from(small) - i64::from(ZERO)),
        },
        FLOAT => {
            let ordered = u64::from_be_bytes(take(bytes)?);
            let bits = if ordered >> 63 == 1 { ordered ^ 1 << 63 } else { !ordered };
            Value::F64(f64::from_bits(bits))
        }
        DECIMAL => Value::Decimal(decode_decimal(bytes)?),
        TEXT => Value::Str(String::from_utf8(decode_bytes(bytes)?).ok()?),
        BYTES => Value::Bytea(decode_bytes(bytes)?),
        DATE => Value::Date(decode_date(bytes)?),
        TIMESTAMP => {
            let date = decode_date(bytes)?;
            Value::Timestamp(date.and_time(decode_time(bytes)?))
        }
        TIME => Value::Time(decode_time(bytes)?),
        INTERVAL => Value::Interval(match take(bytes)? {
            [0] => Interval::Microsecond((u64::from_be_bytes(take(bytes)?) ^ 1 << 63).cast_signed()),
            [1] => Interval::Month((u32::from_be_bytes(take(bytes)?) ^ 1 << 31).cast_signed()),
            _ => return None,
        }),
        UUID => Value::Uuid(u128::from_be_bytes(take(bytes)?)),
        ADDRESS => Value::Inet(match take(bytes)? {
            [4] => take::<4>(bytes)?.into(),
            [6] => take::<16>(bytes)?.into(),
            _ => return None,
        }),
        NULL => Value::Null,
        _ => return None,
    })
}

fn decode_integer(bytes: &mut &[u8], len: usize, negative: bool) -> Option<Value> {
    let (taken, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    let magnitude =
        taken.iter().fold(0, |sum: u128, byte| sum << 8 | u128::from(if negative { !*byte } else { *byte }));
    if magnitude >> (8 * (len - 1)) == 0 {
        return None;
    }
    match i128::try_from(magnitude) {
        Ok(magnitude) => {
            let value = if negative { !magnitude } else { magnitude };
            if SMALL.contains(&value) {
                return None;
            }
            Some(i64::try_from(value).map_or(Value::I128(value), Value::I64))
        }
        Err(_) => (!negative).then_some(Value::U128(magnitude)),
    }
}

fn decode_decimal(bytes: &mut &[u8]) -> Option<Decimal> {
    let mask = match take(bytes)? {
        [1] => 0xFF,
        [2] => return Some(Decimal::ZERO),
        [3] => 0,
        _ => return None,
    };
    let [exponent] = take(bytes)?;
    let mut places = i32::from(exponent ^ mask) - 0x40;
    let mut magnitude: i128 = 0;
    loop {
        let [byte] = take(bytes)?;
        let digit = byte ^ mask;
        magnitude = magnitude.checked_mul(100)?.checked_add(i128::from(digit / 2))?;
        places -= 1;
        if digit % 2 == 0 {
            break;
        }
    }
    let mut scale = -2 * places;
    if scale > 0 && magnitude % 10 == 0 {
        magnitude /= 10;
        scale -= 1;
    }
    while scale < 0 {
        magnitude = magnitude.checked_mul(10)?;
        scale += 1;
    }
    let value = Decimal::try_from_i128_with_scale(magnitude, scale.cast_unsigned()).ok()?;
    Some(if mask == 0 { value } else { -value })
}

fn decode_bytes(bytes: &mut &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    loop {
        let place = bytes.iter().position(|byte| *byte <= 1)?;
        let (literal, mark) = bytes.split_at(place);
        out.extend_from_slice(literal);
        match mark {
            [0, rest @ ..] => {
                *bytes = rest;
                return Some(out);
            }
            [1, escaped @ (1 | 2), rest @ ..] => {
                out.push(escaped - 1);
                *bytes = rest;
            }
            _ => return None,
        }
    }
}

fn decode_date(bytes: &mut &[u8]) -> Option<NaiveDate> {
    date((u32::from_be_bytes(take(bytes)?) ^ 1 << 31).cast_signed())
}

fn decode_time(bytes: &mut &[u8]) -> Option<NaiveTime> {
    let mut ticks = [0; 8];
    ticks[2..].copy_from_slice(&take::<6>(bytes)?);
    time(u64::from_be_bytes(ticks))
}

#[cfg(test)]
mod tests;
