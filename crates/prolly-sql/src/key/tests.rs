//! The order of encodings against GlueSQL's order of keys, and what comes back.

use std::cmp::Ordering;

use gluesql_core::chrono::{NaiveDate, NaiveTime};
use proptest::{collection::vec, prelude::*};

use super::*;
use crate::testing::{any_interval, any_key_value};

fn encoded(value: &Value) -> Vec<u8> {
    encode_values([value]).unwrap()
}

/// The family of types that a value is compared in.
fn family(value: &Value) -> u8 {
    encoded(value)[0]
}

/// How SQL orders two values of a family, NULL last.
fn order(left: &Value, right: &Value) -> Ordering {
    let key = |value: &Value| match value {
        Value::F32(v) => Key::F64((if *v == 0.0 { 0.0 } else { f64::from(*v) }).into()),
        Value::F64(v) => Key::F64(
            (if *v == 0.0 {
                0.0
            } else if v.is_nan() {
                f64::NAN.abs()
            } else {
                *v
            })
            .into(),
        ),
        value => Key::try_from(value).unwrap(),
    };
    match (integer(left), integer(right)) {
        (Some(left), Some(right)) => left.cmp(&right),
        _ => key(left).cmp(&key(right)),
    }
}

/// An integer of any type as (not negative, offset from the least of its sign).
fn integer(value: &Value) -> Option<(bool, u128)> {
    let signed = |v: i128| (v >= 0, v.cast_unsigned());
    Some(match *value {
        Value::I8(v) => signed(v.into()),
        Value::I16(v) => signed(v.into()),
        Value::I32(v) => signed(v.into()),
        Value::I64(v) => signed(v.into()),
        Value::I128(v) => signed(v),
        Value::U8(v) => (true, v.into()),
        Value::U16(v) => (true, v.into()),
        Value::U32(v) => (true, v.into()),
        Value::U64(v) => (true, v.into()),
        Value::U128(v) => (true, v),
        _ => return None,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn encodings_order_as_values(left in any_key_value(), right in any_key_value()) {
        if left == Value::Null || right == Value::Null || family(&left) == family(&right) {
            prop_assert_eq!(encoded(&left).cmp(&encoded(&right)), order(&left, &right), "{:?} {:?}", left, right);
        } else {
            prop_assert_ne!(encoded(&left), encoded(&right));
        }
    }

    #[test]
    fn composites_order_by_their_first_difference(
        shared in vec(any_key_value(), 0..3), left in any_key_value(), right in any_key_value(),
        tails in (vec(any_key_value(), 0..3), vec(any_key_value(), 0..3)),
    ) {
        let expected = encoded(&left).cmp(&encoded(&right));
        prop_assume!(expected != Ordering::Equal);
        let list = |value: &Value, tail: &[Value]| {
            encode_values(shared.iter().chain([value]).chain(tail)).unwrap()
        };
        let (left, right) = (list(&left, &tails.0), list(&right, &tails.1));
        prop_assert_eq!(left.cmp(&right), expected);
        prop_assert!(left.starts_with(&encode_values(&shared).unwrap()));
    }

    #[test]
    fn no_encoding_begins_another(left in any_key_value(), right in any_key_value(), tail in any_key_value()) {
        let (left, whole) = (encoded(&left), encode_values([&right, &tail]).unwrap());
        prop_assert_eq!(whole.starts_with(&left), left == encoded(&right));
    }

    #[test]
    fn values_come_back(values in vec(any_key_value(), 0..5)) {
        let bytes = encode_values(&values).unwrap();
        prop_assert!(bytes.first() != Some(&0xFF));
        let decoded = decode(&bytes).unwrap();
        prop_assert_eq!(decoded.len(), values.len());
        for (decoded, value) in decoded.iter().zip(&values) {
            prop_assert_eq!(order(decoded, value), Ordering::Equal, "{:?} {:?}", decoded, value);
        }
        prop_assert_eq!(encode_values(&decoded).unwrap(), bytes);
    }

    #[test]
    fn no_bytes_panic_or_decode_to_another_encoding(bytes in vec(any::<u8>(), 0..40)) {
        if let Ok(values) = decode(&bytes) {
            // Floats aside: many bits are one NaN.
            if !values.iter().any(|value| matches!(value, Value::F64(_))) {
                prop_assert_eq!(encode_values(&values).unwrap(), bytes);
            }
        }
    }

    #[test]
    fn keys_encode_as_their_values(value in any_key_value()) {
        let mut out = Vec::new();
        encode_key(&mut out, &Key::try_from(&value).unwrap()).unwrap();
        prop_assert_eq!(out, encoded(&value));
    }

    #[test]
    fn intervals_order_as_keys(left in any_interval(), right in any_interval()) {
        let expected = Key::Interval(left).cmp(&Key::Interval(right));
        prop_assert_eq!(encoded(&Value::Interval(left)).cmp(&encoded(&Value::Interval(right))), expected);
    }
}

#[test]
fn encodings_are_pinned() {
    let decimal = |text: &str| Value::Decimal(text.parse().unwrap());
    let date = NaiveDate::from_ymd_opt(2024, 2, 29).unwrap();
    let time = NaiveTime::from_hms_nano_opt(1, 2, 3, 4).unwrap();
    for (value, expected) in [
        (Value::Bool(true), "0501"),
        (Value::I64(0), "2030"),
        (Value::U8(7), "2037"),
        (Value::I32(191), "20ef"),
        (Value::U64(192), "20f0c0"),
        (Value::I128(256), "20f10100"),
        (Value::I8(-1), "202f"),
        (Value::I64(-32), "2010"),
        (Value::I64(-33), "200fdf"),
        (Value::I64(-257), "200efeff"),
        (Value::I128(i128::MIN), "200080000000000000000000000000000000"),
        (Value::U128(u128::MAX), "20ffffffffffffffffffffffffffffffffff"),
        (Value::F64(-0.0), "388000000000000000"),
        (Value::F32(1.5), "38bff8000000000000"),
        (Value::F64(-1.5), "384007ffffffffffff"),
        (Value::F64(f64::NAN), "38fff8000000000000"),
        (decimal("0.00"), "4002"),
        (decimal("1.00"), "40034102"),
        (decimal("123.4"), "400342032f50"),
        (decimal("-123.4"), "4001bdfcd0af"),
        (decimal("0.05"), "4003400a"),
        (Value::Str("a\0b\u{1}".to_owned()), "4861010162010200"),
        (Value::Bytea(vec![]), "5000"),
        (Value::Date(date), "5880004d46"),
        (Value::Timestamp(date.and_time(time)), "6080004d4606c5a82f5c04"),
        (Value::Time(time), "6806c5a82f5c04"),
        (Value::Interval(Interval::Month(-1)), "70017fffffff"),
        (Value::Interval(Interval::Microsecond(1)), "70008000000000000001"),
        (Value::Uuid(1), "7800000000000000000000000000000001"),
        (Value::Inet([127, 0, 0, 1].into()), "80047f000001"),
        (Value::Null, "fe"),
    ] {
        assert_eq!(Hex(&encoded(&value)).to_string(), expected, "{value:?}");
    }
}

#[test]
fn row_ids_are_told_apart() {
    let id = row_id(7, 0x0102_0304_0506_0708);
    assert_eq!(Hex(&id).to_string(), "00000000000000070102030405060708");
    assert_eq!(row_id_sequence(&id), Some(7));
    assert_eq!(row_id_sequence(&id[..15]), None);
    assert_eq!(row_id_sequence(&[0; 17]), None);
    assert_eq!(short_hash(b"").to_be_bytes(), [0xaf, 0x13, 0x49, 0xb9, 0xf5, 0xf9, 0xa1, 0xa6]);
}

#[test]
fn what_has_no_order_is_refused_by_type() {
    for (value, name) in [
        (Value::Map([].into()), "MAP"),
        (Value::List(vec![]), "LIST"),
        (Value::Point(gluesql_core::data::Point::new(0.0, 0.0)), "POINT"),
    ] {
        assert!(encode_values([&value]).unwrap_err().to_string().contains(name));
    }
}

#[test]
fn damage_is_an_error() {
    for bytes in [
        &[0xFF][..],
        &[0x05, 2],
        &[0x20],
        &[0x20, 0xF0],
        &[0x20, 0xF0, 191],
        &[0x20, 0xF1, 0, 200],
        &[0x48, b'a'],
        &[0x48, 1, 3, 0],
        &[0x40, 3],
        &[0x80, 5],
        &[0x68, 0xFF],
    ] {
        assert!(matches!(decode(bytes), Err(Error::Damaged { .. })), "{bytes:?}");
    }
}
