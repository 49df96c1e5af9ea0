//! Arbitrary values and tables for the property tests of this crate.

use std::net::IpAddr;

use gluesql_core::{
    chrono::{NaiveDate, NaiveDateTime, NaiveTime},
    data::{Interval, Point, Schema, Value},
};
use proptest::{collection, prelude::*};
use rust_decimal::Decimal;

use crate::{table::Table, temporal};

/// A value that can be part of a key. Small numbers and the ends of the ranges are frequent.
pub(crate) fn any_key_value() -> BoxedStrategy<Value> {
    prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::Bool),
        8 => any_integer(),
        3 => any_float().prop_map(Value::F64),
        1 => any::<f32>().prop_map(Value::F32),
        4 => any_decimal().prop_map(Value::Decimal),
        4 => any_text().prop_map(Value::Str),
        3 => collection::vec(prop_oneof![0..3u8, Just(255), any::<u8>()], 0..5).prop_map(Value::Bytea),
        1 => any::<[u8; 4]>().prop_map(|octets| Value::Inet(IpAddr::from(octets))),
        1 => any::<[u8; 16]>().prop_map(|octets| Value::Inet(IpAddr::from(octets))),
        2 => any_date().prop_map(Value::Date),
        2 => any_timestamp().prop_map(Value::Timestamp),
        2 => any_time().prop_map(Value::Time),
        2 => any_interval().prop_map(Value::Interval),
        1 => any::<u128>().prop_map(Value::Uuid),
    ]
    .boxed()
}

/// Any value.
pub(crate) fn any_value() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        8 => any_key_value(),
        1 => (any_float(), any_float()).prop_map(|(x, y)| Value::Point(Point::new(x, y))),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            collection::btree_map(any_text(), inner, 0..4).prop_map(Value::Map),
        ]
    })
    .boxed()
}

pub(crate) fn any_integer() -> BoxedStrategy<Value> {
    prop_oneof![
        any::<i8>().prop_map(Value::I8),
        any::<i16>().prop_map(Value::I16),
        any::<i32>().prop_map(Value::I32),
        prop_oneof![-300..300i64, any::<i64>(), Just(i64::MIN), Just(i64::MAX)].prop_map(Value::I64),
        prop_oneof![any::<i128>(), Just(i128::MIN), Just(i128::MAX)].prop_map(Value::I128),
        any::<u8>().prop_map(Value::U8),
        any::<u16>().prop_map(Value::U16),
        any::<u32>().prop_map(Value::U32),
        any::<u64>().prop_map(Value::U64),
        prop_oneof![any::<u128>(), Just(u128::MAX)].prop_map(Value::U128),
    ]
    .boxed()
}

fn any_float() -> BoxedStrategy<f64> {
    prop_oneof![
        4 => any::<f64>(),
        2 => (-3..3i32).prop_map(f64::from),
        1 => Just(-0.0),
        1 => Just(f64::NAN),
        1 => Just(-f64::NAN),
        1 => Just(f64::INFINITY),
        1 => Just(f64::NEG_INFINITY),
    ]
    .boxed()
}

fn any_decimal() -> BoxedStrategy<Decimal> {
    let mantissa = prop_oneof![
        -2000..2000i128,
        any::<i64>().prop_map(i128::from),
        -(1i128 << 96) + 1..1i128 << 96,
        Just((1i128 << 96) - 1),
    ];
    let scale = prop_oneof![0..4u32, 0..=28u32];
    (mantissa, scale).prop_map(|(mantissa, scale)| Decimal::from_i128_with_scale(mantissa, scale)).boxed()
}

fn any_text() -> BoxedStrategy<String> {
    prop_oneof!["[ab\0\u{1}\u{2}]{0,4}", ".{0,8}", Just("\u{10FFFF}".to_owned())].boxed()
}

fn any_date() -> BoxedStrategy<NaiveDate> {
    let (first, last) = (temporal::days(NaiveDate::MIN), temporal::days(NaiveDate::MAX));
    prop_oneof![-400..400i32, first..=last]
        .prop_map(|days| temporal::date(days).expect("chrono has the days between its first and its last"))
        .boxed()
}

fn any_time() -> BoxedStrategy<NaiveTime> {
    (0..86_400u32, 0..2_000_000_000u32)
        .prop_map(|(second, nanosecond)| {
            let nanosecond = if second % 60 == 59 { nanosecond } else { nanosecond % 1_000_000_000 };
            NaiveTime::from_num_seconds_from_midnight_opt(second, nanosecond)
                .expect("a leap second may follow second 59")
        })
        .boxed()
}

fn any_timestamp() -> BoxedStrategy<NaiveDateTime> {
    (any_date(), any_time()).prop_map(|(date, time)| date.and_time(time)).boxed()
}

pub(crate) fn any_interval() -> BoxedStrategy<Interval> {
    prop_oneof![
        prop_oneof![-3..3i32, any::<i32>()].prop_map(Interval::Month),
        prop_oneof![-3..3i64, any::<i64>()].prop_map(Interval::Microsecond),
    ]
    .boxed()
}

/// The table that these statements make: `CREATE TABLE`, then any number of `CREATE INDEX`.
pub(crate) fn table(sql: &str) -> Table {
    let schema = Schema::from_ddl(sql).expect(sql);
    Table::from_schema(&schema, None).expect(sql)
}
