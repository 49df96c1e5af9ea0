//! Rows as text: JSON and CSV.
//!
//! **Invariant:** numbers are written exactly, with all their digits, whatever the reader makes of them.
//!
//! | SQL | JSON | CSV |
//! |---|---|---|
//! | NULL | `null` | nothing (`""` in a table of one column, where a line cannot be empty) |
//! | BOOLEAN | `true`, `false` | the same |
//! | integers, DECIMAL, finite floats | a number | the same |
//! | a float that is not finite | `"NaN"`, `"Infinity"`, `"-Infinity"` | the same without quotes |
//! | TEXT | a string | the text; `""` when it is empty |
//! | BYTEA | a string of hexadecimal digits | the same without quotes |
//! | DATE, TIME, TIMESTAMP | a string, as in ISO 8601 | the same without quotes |
//! | INTERVAL | a string: a duration as in ISO 8601 (`P14M`, `PT-1.5S`) | the same without quotes |
//! | UUID, INET | a string | the same without quotes |
//! | POINT | an array of two numbers | the same, as JSON |
//! | LIST, MAP | an array, an object | the same, as JSON |

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fmt::Write as _,
};

use gluesql_core::data::{Interval, Value};

/// A value as JSON.
pub fn json(value: &Value) -> String {
    let mut out = String::new();
    write_json(&mut out, value);
    out
}

/// Rows as a JSON array of objects. Labels that are repeated are as well in the objects: see [`repeated`].
pub fn json_rows(labels: &[String], rows: &[Vec<Value>]) -> String {
    let mut out = String::from("[");
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(&object(labels.iter().map(String::as_str).zip(row)));
    }
    out.push(']');
    out
}

/// Rows as CSV, as RFC 4180 has it: a line of labels, then one for each row, each ended by CR LF.
pub fn csv_rows(labels: &[String], rows: &[Vec<Value>]) -> String {
    let mut out = String::new();
    write_record(&mut out, labels, |out, label| write_field(out, label));
    for row in rows {
        write_record(&mut out, row, |out, value| match write(value) {
            Written::Null if row.len() > 1 => {}
            Written::Null => out.push_str("\"\""),
            Written::Bare(text) | Written::Text(text) => write_field(out, &text),
        });
    }
    out
}

/// The first label that another one is equal to.
pub fn repeated(labels: &[String]) -> Option<&str> {
    let mut seen = HashSet::new();
    labels.iter().map(String::as_str).find(|label| !seen.insert(*label))
}

/// Maps as rows: the labels are all keys, and a row has NULL where its map has no such key.
pub fn tabulate(maps: Vec<BTreeMap<String, Value>>) -> (Vec<String>, Vec<Vec<Value>>) {
    let labels: BTreeSet<String> = maps.iter().flat_map(BTreeMap::keys).cloned().collect();
    let labels: Vec<String> = labels.into_iter().collect();
    let row = |mut map: BTreeMap<String, Value>| {
        labels.iter().map(|label| map.remove(label).unwrap_or(Value::Null)).collect()
    };
    let rows = maps.into_iter().map(row).collect();
    (labels, rows)
}

/// A value, written.
enum Written {
    Null,
    /// Stands in JSON as it is.
    Bare(String),
    /// A string in JSON.
    Text(String),
}

fn write(value: &Value) -> Written {
    use Written::{Bare, Text};
    match value {
        Value::Null => Written::Null,
        Value::Bool(value) => Bare(value.to_string()),
        Value::I8(value) => Bare(value.to_string()),
        Value::I16(value) => Bare(value.to_string()),
        Value::I32(value) => Bare(value.to_string()),
        Value::I64(value) => Bare(value.to_string()),
        Value::I128(value) => Bare(value.to_string()),
        Value::U8(value) => Bare(value.to_string()),
        Value::U16(value) => Bare(value.to_string()),
        Value::U32(value) => Bare(value.to_string()),
        Value::U64(value) => Bare(value.to_string()),
        Value::U128(value) => Bare(value.to_string()),
        Value::Decimal(value) => Bare(value.to_string()),
        Value::F32(value) if value.is_finite() => Bare(format!("{value:?}")),
        Value::F32(value) => Text(not_finite(f64::from(*value)).to_owned()),
        Value::F64(value) => float(*value),
        Value::Str(value) => Text(value.clone()),
        Value::Bytea(value) => {
            let mut digits = String::with_capacity(2 * value.len());
            for byte in value {
                write!(digits, "{byte:02x}").expect("writing to a string never fails");
            }
            Text(digits)
        }
        Value::Inet(value) => Text(value.to_string()),
        Value::Date(value) => Text(value.to_string()),
        Value::Time(value) => Text(value.to_string()),
        // chrono writes a space between the two for people.
        Value::Timestamp(value) => Text(format!("{value:?}")),
        Value::Interval(value) => Text(duration(value)),
        Value::Uuid(value) => Text(uuid::Uuid::from_u128(*value).to_string()),
        Value::Map(map) => Bare(object(map.iter().map(|(key, value)| (key.as_str(), value)))),
        Value::List(items) => Bare(array(items)),
        Value::Point(point) => Bare(array(&[Value::F64(point.x), Value::F64(point.y)])),
    }
}

/// The shortest digits that read back as the float.
fn float(value: f64) -> Written {
    if value.is_finite() {
        Written::Bare(format!("{value:?}"))
    } else {
        Written::Text(not_finite(value).to_owned())
    }
}

fn not_finite(value: f64) -> &'static str {
    if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}

fn duration(interval: &Interval) -> String {
    match interval {
        Interval::Month(months) => format!("P{months}M"),
        Interval::Microsecond(micros) => {
            let sign = if *micros < 0 { "-" } else { "" };
            let (seconds, rest) = (micros.unsigned_abs() / 1_000_000, micros.unsigned_abs() % 1_000_000);
            if rest == 0 { format!("PT{sign}{seconds}S") } else { format!("PT{sign}{seconds}.{rest:06}S") }
        }
    }
}

fn array(items: &[Value]) -> String {
    let mut out = String::from("[");
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_json(&mut out, item);
    }
    out.push(']');
    out
}

fn object<'a>(entries: impl Iterator<Item = (&'a str, &'a Value)>) -> String {
    let mut out = String::from("{");
    for (index, (key, value)) in entries.enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_string(&mut out, key);
        out.push(':');
        write_json(&mut out, value);
    }
    out.push('}');
    out
}

fn write_json(out: &mut String, value: &Value) {
    match write(value) {
        Written::Null => out.push_str("null"),
        Written::Bare(text) => out.push_str(&text),
        Written::Text(text) => write_string(out, &text),
    }
}

fn write_string(out: &mut String, text: &str) {
    out.push('"');
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\u{1f}' => {
                write!(out, "\\u{:04x}", u32::from(char)).expect("writing to a string never fails");
            }
            char => out.push(char),
        }
    }
    out.push('"');
}

fn write_record<T>(out: &mut String, fields: &[T], write: impl Fn(&mut String, &T)) {
    for (index, field) in fields.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write(out, field);
    }
    out.push_str("\r\n");
}

/// Quotes what needs it, and what is empty: a field without anything is NULL.
fn write_field(out: &mut String, text: &str) {
    if !text.is_empty() && !text.contains(['"', ',', '\r', '\n']) {
        out.push_str(text);
        return;
    }
    out.push('"');
    out.push_str(&text.replace('"', "\"\""));
    out.push('"');
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use gluesql_core::{chrono::NaiveDate, data::Point};
    use rust_decimal::Decimal;

    use super::*;

    fn labels(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_kind_of_value_as_json() {
        let moment = NaiveDate::from_ymd_opt(2024, 2, 29).unwrap().and_hms_nano_opt(1, 2, 3, 4_000).unwrap();
        let map = BTreeMap::from([("a\"".to_owned(), Value::Null), ("b".to_owned(), Value::List(vec![]))]);
        let cases = [
            (Value::I128(i128::MIN), "-170141183460469231731687303715884105728"),
            (Value::U128(u128::MAX), "340282366920938463463374607431768211455"),
            (Value::Decimal(Decimal::from_str("1.10").unwrap()), "1.10"),
            (Value::F64(0.1), "0.1"),
            (Value::F64(-0.0), "-0.0"),
            (Value::F64(1e300), "1e300"),
            (Value::F32(0.1), "0.1"),
            (Value::F64(f64::NAN), "\"NaN\""),
            (Value::F64(f64::NEG_INFINITY), "\"-Infinity\""),
            (Value::F32(f32::INFINITY), "\"Infinity\""),
            (Value::Bool(true), "true"),
            (Value::Str("\u{1}\"\\\n\r\té".to_owned()), "\"\\u0001\\\"\\\\\\n\\r\\té\""),
            (Value::Bytea(vec![0, 255]), "\"00ff\""),
            (Value::Date(moment.date()), "\"2024-02-29\""),
            (Value::Time(moment.time()), "\"01:02:03.000004\""),
            (Value::Timestamp(moment), "\"2024-02-29T01:02:03.000004\""),
            (Value::Interval(Interval::Month(-14)), "\"P-14M\""),
            (Value::Interval(Interval::Microsecond(-1_500_000)), "\"PT-1.500000S\""),
            (Value::Interval(Interval::Microsecond(i64::MIN)), "\"PT-9223372036854.775808S\""),
            (Value::Uuid(1), "\"00000000-0000-0000-0000-000000000001\""),
            (Value::Point(Point::new(1.0, f64::NAN)), "[1.0,\"NaN\"]"),
            (Value::Map(map), "{\"a\\\"\":null,\"b\":[]}"),
        ];
        for (value, expected) in cases {
            assert_eq!(json(&value), expected);
        }
    }

    #[test]
    fn rows_as_json() {
        let rows = [vec![Value::I64(1), Value::Null], vec![Value::I64(2), Value::Str("x".to_owned())]];
        assert_eq!(json_rows(&labels(&["a", "b"]), &rows), r#"[{"a":1,"b":null},{"a":2,"b":"x"}]"#);
        assert_eq!(json_rows(&labels(&["a"]), &[]), "[]");
    }

    #[test]
    fn rows_as_csv() {
        let text = |text: &str| Value::Str(text.to_owned());
        let rows = [
            vec![Value::I64(1), text("a,b")],
            vec![Value::Null, text("")],
            vec![Value::List(vec![text("x")]), text("say \"hi\"\r\n")],
        ];
        let expected = "n,\"t,\"\r\n1,\"a,b\"\r\n,\"\"\r\n\"[\"\"x\"\"]\",\"say \"\"hi\"\"\r\n\"\r\n";
        assert_eq!(csv_rows(&labels(&["n", "t,"]), &rows), expected);
        assert_eq!(csv_rows(&labels(&["n"]), &[vec![Value::Null]]), "n\r\n\"\"\r\n");
    }

    #[test]
    fn repeated_labels_are_found() {
        assert_eq!(repeated(&labels(&["a", "b", "a"])), Some("a"));
        assert_eq!(repeated(&labels(&["a", "A"])), None);
    }

    #[test]
    fn maps_become_rows() {
        let maps = vec![
            BTreeMap::from([("b".to_owned(), Value::I64(1))]),
            BTreeMap::from([("a".to_owned(), Value::Bool(true))]),
        ];
        let (names, rows) = tabulate(maps);
        assert_eq!(names, ["a", "b"]);
        assert_eq!(rows, [[Value::Null, Value::I64(1)], [Value::Bool(true), Value::Null]]);
    }
}
