//! What is stored comes back, is stored in one way only, and damage to it is an error.

use gluesql_core::{
    ast::{ColumnDef, DataType},
    data::{Interval, Point, Value},
};
use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{
    Error,
    table::{Column, PrimaryKey, Table},
    testing::any_value,
};

fn table(fills: &[Value]) -> Table {
    let column = |(place, fill): (usize, &Value)| Column {
        id: place as u64,
        def: ColumnDef {
            name: format!("c{place}"),
            data_type: DataType::Int,
            nullable: true,
            default: None,
            unique: None,
            comment: None,
        },
        fill: fill.clone(),
    };
    Table {
        name: "t".to_owned(),
        columns: Some(fills.iter().enumerate().map(column).collect()),
        key: PrimaryKey::RowId,
        indexes: vec![],
        foreign_keys: vec![],
        engine: None,
        comment: None,
    }
}

/// Distinguishes what GlueSQL's equality does not: types, scales, the sign of zero.
fn exact(values: &[Value]) -> String {
    format!("{values:?}").replace("-NaN", "NaN")
}

fn encode(table: &Table, values: &[Value]) -> Vec<u8> {
    encode_row(table.columns.as_deref(), values).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn rows_come_back(row in vec((any_value(), any_value(), any::<bool>()), 0..6)) {
        let fills: Vec<Value> = row.iter().map(|(_, fill, _)| fill.clone()).collect();
        let values: Vec<Value> =
            row.iter().map(|(value, fill, filled)| if *filled { fill } else { value }.clone()).collect();
        let table = table(&fills);
        let bytes = encode(&table, &values);
        let decoded = decode_row(&table, &bytes).unwrap();
        prop_assert_eq!(exact(&decoded), exact(&values));
        prop_assert_eq!(encode(&table, &decoded), bytes);
    }

    #[test]
    fn columns_added_at_the_end_rewrite_nothing(values in vec(any_value(), 0..4), fills in vec(any_value(), 0..4)) {
        let old = table(&vec![Value::Null; values.len()]);
        let mut new = table(&[&vec![Value::Null; values.len()][..], &fills].concat());
        new.name = "new".to_owned();
        let bytes = encode(&old, &values);
        let decoded = decode_row(&new, &bytes).unwrap();
        prop_assert_eq!(exact(&decoded), exact(&[&values[..], &fills].concat()));
    }

    #[test]
    fn truncated_and_flipped_rows_are_errors_or_other_rows(
        values in vec(any_value(), 1..5), cut in any::<prop::sample::Index>(), flip in any::<(prop::sample::Index, u8)>(),
    ) {
        let table = table(&vec![Value::Null; values.len()]);
        let bytes = encode(&table, &values);
        let mut flipped = bytes.clone();
        flipped[flip.0.index(bytes.len())] ^= flip.1;
        for damaged in [&bytes[..cut.index(bytes.len())], &flipped] {
            match decode_row(&table, damaged) {
                // What decodes is the encoding of what it decodes to, but that a fill may be written out.
                Ok(values) => prop_assert!(damaged.starts_with(&encode(&table, &values))),
                Err(Error::Damaged { what, .. }) => prop_assert_eq!(what, "a row of table \"t\""),
                Err(error) => prop_assert!(false, "{}", error),
            }
        }
    }

    #[test]
    fn no_bytes_panic(bytes in vec(any::<u8>(), 0..60)) {
        let table = table(&vec![Value::Null; 3]);
        let row = [&[VERSION], &bytes[..]].concat();
        if let Ok(values) = decode_row(&table, &row) {
            prop_assert!(row.starts_with(&encode(&table, &values)));
        }
    }
}

#[test]
fn rows_are_pinned() {
    let date = gluesql_core::chrono::NaiveDate::from_ymd_opt(2024, 2, 29).unwrap();
    let time = gluesql_core::chrono::NaiveTime::from_hms_nano_opt(1, 2, 3, 4).unwrap();
    let values = [
        Value::Null,
        Value::Bool(true),
        Value::I8(-1),
        Value::I16(300),
        Value::I32(-300),
        Value::I64(31),
        Value::I64(-32),
        Value::I64(32),
        Value::I128(i128::MIN),
        Value::U8(200),
        Value::U64(u64::MAX),
        Value::F32(1.5),
        Value::F64(-0.0),
        Value::Decimal("-12.50".parse().unwrap()),
        Value::Str("é".to_owned()),
        Value::Bytea(vec![0, 255]),
        Value::Inet([127, 0, 0, 1].into()),
        Value::Date(date),
        Value::Timestamp(date.and_time(time)),
        Value::Time(time),
        Value::Interval(Interval::Month(-1)),
        Value::Interval(Interval::Microsecond(1)),
        Value::Uuid(1),
        Value::Map([("a".to_owned(), Value::I64(1)), ("b".to_owned(), Value::Null)].into()),
        Value::List(vec![Value::I64(1), Value::Str(String::new())]),
        Value::Point(Point::new(1.0, 2.0)),
        Value::Null,
    ];
    let table = table(&vec![Value::Null; values.len()]);
    let bytes = encode(&table, &values);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let expected = concat!(
        "01",
        "00",
        "02",
        "0301",
        "04d804",
        "05d704",
        "7e",
        "7f",
        "0640",
        "07ffffffffffffffffffffffffffffffffffff03",
        "08c801",
        "0bffffffffffffffffff01",
        "0d0000c03f",
        "0e0000000000000080",
        "0f82e209",
        "82c3a9",
        "110200ff",
        "127f000001",
        "148cb502",
        "158cb50284b8bdc1dad801",
        "1684b8bdc1dad801",
        "1701",
        "1802",
        "1900000000000000000000000000000001",
        "1a02016142016200",
        "1b024280",
        "1c000000000000f03f0000000000000040",
    );
    assert_eq!(hex, expected);
    assert_eq!(exact(&decode_row(&table, &bytes).unwrap()), exact(&values));
}

/// The example of the page about the format.
#[test]
fn values_at_the_end_that_are_fills_are_left_out() {
    let fills = [Value::Null, Value::Null, Value::Null, Value::Null, Value::I64(7), Value::Null];
    let row = [
        Value::I64(1),
        Value::Str("é".to_owned()),
        Value::F64(0.5),
        Value::Null,
        Value::I64(200),
        Value::Null,
    ];
    let bytes = encode(&table(&fills), &row);
    assert_eq!(bytes, b"\x01\x42\x82\xC3\xA9\x0E\0\0\0\0\0\0\xE0\x3F\0\x06\x90\x03");
    let row = [Value::I64(1), Value::I8(7), Value::Null, Value::Null, Value::I64(7), Value::Null];
    assert_eq!(encode(&table(&fills), &row), b"\x01\x42\x03\x0E");
    // Equal for GlueSQL, but of another type.
    let row = [Value::Null, Value::Null, Value::Null, Value::Null, Value::I8(7), Value::Null];
    assert_eq!(encode(&table(&fills), &row), b"\x01\0\0\0\0\x03\x0E");
}

#[test]
fn what_is_stored_in_another_way_is_refused() {
    let table = table(&[Value::Null, Value::Null]);
    let refused = |bytes: &[u8], reason: &str| {
        let error = decode_row(&table, &[&[VERSION], bytes].concat()).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    };
    refused(&[tag::I64, 5], "small integer");
    refused(&[tag::TEXT, 1, b'a'], "short text");
    refused(&[tag::U8, 0x80, 0x02], "range");
    refused(&[tag::U64, 0x80, 0x00], "at length");
    refused(&[tag::U64, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2], "range");
    refused(&[tag::MAP, 2, 1, b'b', 0, 1, b'a', 0], "ascending");
    refused(&[tag::DECIMAL, 29, 1], "digits");
    refused(&[tag::F64, 1, 0, 0, 0, 0, 0, 0xF8, 0x7F], "NaN");
    refused(&[tag::LIST, 100, 0], "ends inside");
    refused(&[0, 0, 0], "more values");
    refused(&[0x3F], "no type");
    assert!(decode_row(&table, &[]).unwrap_err().to_string().contains("empty"));
    assert!(decode_row(&table, &[2]).unwrap_err().to_string().contains("version"));
}

#[test]
fn nesting_is_bounded_on_both_sides() {
    let nest = |depth| (0..depth).fold(Value::Null, |value, _| Value::List(vec![value]));
    let table = table(&[Value::I64(0)]);
    let bytes = encode(&table, &[nest(MAX_DEPTH)]);
    assert_eq!(exact(&decode_row(&table, &bytes).unwrap()), exact(&[nest(MAX_DEPTH)]));
    assert!(encode_row(table.columns.as_deref(), &[nest(MAX_DEPTH + 1)]).is_err());
    let mut deeper = vec![VERSION];
    deeper.extend([tag::LIST, 1].repeat(MAX_DEPTH + 1));
    deeper.push(tag::NULL);
    assert!(decode_row(&table, &deeper).unwrap_err().to_string().contains("nest"));
}

#[test]
fn a_row_without_columns_is_one_map() {
    let table = Table { columns: None, ..table(&[]) };
    let row = [Value::Map([("a".to_owned(), Value::I64(1))].into())];
    let bytes = encode(&table, &row);
    assert_eq!(decode_row(&table, &bytes).unwrap(), row);
    assert!(decode_row(&table, &[VERSION, tag::NULL]).is_err());
    assert!(decode_row(&table, &[&bytes[..], &[tag::NULL]].concat()).is_err());
    assert!(encode_row(None, &[]).is_err());
}
