//! Fields of text as values of columns.
//!
//! **Invariant:** everything that [`export`](crate::export) writes as CSV is read as the value that it was.

use std::str::FromStr;

use gluesql_core::{
    ast::DataType,
    chrono::{NaiveDate, NaiveDateTime},
    data::{Interval, Point, Value},
};
use rust_decimal::Decimal;

/// What a field is read as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    data_type: DataType,
    nullable: bool,
}

impl Target {
    pub(super) fn new(data_type: &DataType, nullable: bool) -> Self {
        Self { data_type: data_type.clone(), nullable }
    }

    pub(super) fn data_type(&self) -> &DataType {
        &self.data_type
    }
}

/// The value of a field, or what is wrong with it.
pub(super) fn parse(field: &str, target: &Target, null: &str) -> Result<Value, String> {
    if field == null && (target.nullable || target.data_type != DataType::Text) {
        return Ok(Value::Null);
    }
    use DataType as T;
    let text = || Value::Str(field.to_owned());
    let value = match &target.data_type {
        T::Boolean => boolean(field).map(Value::Bool),
        T::Int8 => field.parse().map(Value::I8).ok(),
        T::Int16 => field.parse().map(Value::I16).ok(),
        T::Int32 => field.parse().map(Value::I32).ok(),
        T::Int => field.parse().map(Value::I64).ok(),
        T::Int128 => field.parse().map(Value::I128).ok(),
        T::Uint8 => field.parse().map(Value::U8).ok(),
        T::Uint16 => field.parse().map(Value::U16).ok(),
        T::Uint32 => field.parse().map(Value::U32).ok(),
        T::Uint64 => field.parse().map(Value::U64).ok(),
        T::Uint128 => field.parse().map(Value::U128).ok(),
        T::Float32 => {
            field.parse().ok().filter(|read: &f32| is_said(field, read.is_finite())).map(Value::F32)
        }
        T::Float => field.parse().ok().filter(|read: &f64| is_said(field, read.is_finite())).map(Value::F64),
        T::Decimal => Decimal::from_str_exact(field).map(Value::Decimal).ok(),
        T::Text => Some(text()),
        T::Date => parse_date(field).map(Value::Date),
        T::Timestamp => parse_timestamp(field).map(Value::Timestamp),
        // As SQL reads a literal of the type, behind what exporting writes in a way of its own.
        T::Interval => parse_duration(field).map(Value::Interval).or_else(|| text().cast(&T::Interval).ok()),
        T::Point => parse_point(field).map(Value::Point).or_else(|| text().cast(&T::Point).ok()),
        other @ (T::Bytea | T::Inet | T::Time | T::Uuid | T::Map | T::List) => text().cast(other).ok(),
    };
    value.ok_or_else(|| format!("{field:?} cannot be read as one"))
}

/// A number that is too large reads as infinity: whether a float is what the field says.
fn is_said(field: &str, is_finite: bool) -> bool {
    is_finite || !field.contains(|char: char| char.is_ascii_digit())
}

fn boolean(field: &str) -> Option<bool> {
    match field.to_ascii_lowercase().as_str() {
        "true" | "t" | "1" => Some(true),
        "false" | "f" | "0" => Some(false),
        _ => None,
    }
}

/// A date as in ISO 8601.
pub(super) fn parse_date(field: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(field, "%Y-%m-%d").ok()
}

/// A date and a time without a zone, as in ISO 8601, or with a space between them.
pub(super) fn parse_timestamp(field: &str) -> Option<NaiveDateTime> {
    let at = NaiveDateTime::parse_from_str(field, "%Y-%m-%dT%H:%M:%S%.f");
    at.or_else(|_| NaiveDateTime::parse_from_str(field, "%Y-%m-%d %H:%M:%S%.f")).ok()
}

/// The durations that exporting writes: `P14M`, `PT-1.5S`.
fn parse_duration(field: &str) -> Option<Interval> {
    if let Some(months) = field.strip_prefix('P').and_then(|rest| rest.strip_suffix('M')) {
        return months.parse().map(Interval::Month).ok();
    }
    let seconds = field.strip_prefix("PT")?.strip_suffix('S')?;
    let micros = Decimal::from_str_exact(seconds).ok()?.checked_mul(Decimal::from(1_000_000))?.normalize();
    i64::from_str(&micros.to_string()).map(Interval::Microsecond).ok()
}

/// The points that exporting writes: `[1.0,2.0]`.
fn parse_point(field: &str) -> Option<Point> {
    let (x, y) = field.strip_prefix('[')?.strip_suffix(']')?.split_once(',')?;
    let number = |text: &str| text.trim().trim_matches('"').parse().ok();
    Some(Point::new(number(x)?, number(y)?))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::export::csv_rows;

    fn read(field: &str, data_type: DataType) -> Result<Value, String> {
        parse(field, &Target::new(&data_type, true), "")
    }

    #[test]
    fn what_exporting_writes_is_read_as_it_was() {
        let moment = NaiveDate::from_ymd_opt(2024, 2, 29).unwrap().and_hms_nano_opt(1, 2, 3, 4).unwrap();
        let values = [
            Value::Bool(false),
            Value::I8(-128),
            Value::I16(-1),
            Value::I32(7),
            Value::I64(i64::MIN),
            Value::I128(i128::MIN),
            Value::U8(255),
            Value::U16(1),
            Value::U32(2),
            Value::U64(u64::MAX),
            Value::U128(u128::MAX),
            Value::F32(0.1),
            Value::F64(-1e-300),
            Value::F64(f64::INFINITY),
            Value::Decimal(Decimal::from_str("-1.10").unwrap()),
            Value::Str("text".to_owned()),
            Value::Bytea(vec![0, 171]),
            Value::Inet("::1".parse().unwrap()),
            Value::Date(moment.date()),
            Value::Time(moment.time()),
            Value::Timestamp(moment),
            Value::Interval(Interval::Month(-14)),
            Value::Interval(Interval::Microsecond(i64::MIN)),
            Value::Interval(Interval::Microsecond(3_000_000)),
            Value::Uuid(12_345),
            Value::Point(Point::new(1.5, f64::NEG_INFINITY)),
            Value::List(vec![Value::I64(1), Value::Null]),
            Value::Map(BTreeMap::from([("a".to_owned(), Value::Bool(true))])),
        ];
        for value in values {
            let kind = value.get_type().unwrap();
            let text = csv_rows(&["c".to_owned()], &[vec![value.clone()]]);
            let mut reader = csv::Reader::from_reader(text.as_bytes());
            let record = reader.records().next().unwrap().unwrap();
            assert_eq!(read(&record[0], kind), Ok(value));
        }
        assert!(matches!(read("NaN", DataType::Float), Ok(Value::F64(float)) if float.is_nan()));
    }

    #[test]
    fn null_is_what_was_said() {
        assert_eq!(read("", DataType::Int), Ok(Value::Null));
        assert_eq!(read("", DataType::Text), Ok(Value::Null));
        let required = Target::new(&DataType::Text, false);
        assert_eq!(parse("", &required, ""), Ok(Value::Str(String::new())));
        assert_eq!(parse("\\N", &Target::new(&DataType::Text, true), "\\N"), Ok(Value::Null));
        assert_eq!(parse("", &Target::new(&DataType::Text, true), "\\N"), Ok(Value::Str(String::new())));
    }

    #[test]
    fn what_is_no_value_of_the_type_is_named() {
        for (field, kind) in [
            ("300", DataType::Int8),
            ("1.5", DataType::Int),
            ("x", DataType::Boolean),
            ("1e400", DataType::Float),
            ("1e39", DataType::Float32),
            ("2024-02-30", DataType::Date),
            ("1.23456789012345678901234567890123", DataType::Decimal),
            ("zz", DataType::Bytea),
            ("[1", DataType::List),
            ("x", DataType::Uuid),
        ] {
            let error = read(field, kind.clone()).expect_err(field);
            assert!(error.contains(field), "{error}");
        }
    }
}
