//! Types of columns, from what is written in them.
//!
//! **Invariant:** every field can be stored as the type that is found for its column without losing anything that it says: so
//! `007`, `+1`, `1_000` and numbers of more digits than a float has are text.

use std::{fs::File, io::BufReader, path::Path};

use csv::StringRecord;
use gluesql_core::ast::DataType;

use super::{
    csv_error,
    parse::{parse_date, parse_timestamp},
};
use crate::Result;

/// The types in the order in which they are tried. What a column of one type holds may also be of those before it.
const TYPES: [DataType; 6] = [
    DataType::Boolean,
    DataType::Int,
    DataType::Int128,
    DataType::Float,
    DataType::Date,
    DataType::Timestamp,
];

/// The types that all fields of a column can have.
#[derive(Clone, Copy)]
struct Possible {
    types: [bool; TYPES.len()],
    any: bool,
}

/// Reads a file, its first line apart, for the types of its columns.
///
/// # Errors
/// For a file that is no CSV.
pub(super) fn infer(
    mut reader: csv::Reader<BufReader<File>>,
    path: &Path,
    null: &str,
    width: usize,
) -> Result<Vec<DataType>> {
    let mut columns = vec![Possible { types: [true; TYPES.len()], any: false }; width];
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| csv_error(path, error))? {
        for (field, column) in record.iter().zip(&mut columns) {
            if field != null {
                column.see(field);
            }
        }
    }
    Ok(columns.iter().map(Possible::narrowest).collect())
}

impl Possible {
    fn see(&mut self, field: &str) {
        self.any = true;
        for (possible, data_type) in self.types.iter_mut().zip(&TYPES) {
            *possible = *possible && is_written_as(field, data_type);
        }
    }

    fn narrowest(&self) -> DataType {
        let found = self.types.iter().zip(&TYPES).find(|(possible, _)| **possible && self.any);
        found.map_or(DataType::Text, |(_, data_type)| data_type.clone())
    }
}

fn is_written_as(field: &str, data_type: &DataType) -> bool {
    match data_type {
        DataType::Boolean => matches!(field, "true" | "false" | "TRUE" | "FALSE" | "True" | "False"),
        DataType::Int => is_integer(field) && field.parse::<i64>().is_ok(),
        DataType::Int128 => is_integer(field) && field.parse::<i128>().is_ok(),
        DataType::Float => is_float(field),
        DataType::Date => parse_date(field).is_some_and(|date| date.to_string() == field),
        DataType::Timestamp => field.len() > "2000-01-01".len() && parse_timestamp(field).is_some(),
        _ => false,
    }
}

/// `-?(0|[1-9][0-9]*)`, but for `-0`.
fn is_integer(field: &str) -> bool {
    let digits = field.strip_prefix('-').unwrap_or(field);
    !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && (!digits.starts_with('0') || field == "0")
}

/// A decimal number, with an exponent or without, that a float holds with all its digits; or one that is not finite, by the
/// names that exporting gives them.
fn is_float(field: &str) -> bool {
    if matches!(field, "NaN" | "Infinity" | "-Infinity") {
        return true;
    }
    let digits = field.strip_prefix('-').unwrap_or(field);
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (digits, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let significant = mantissa.bytes().filter(u8::is_ascii_digit).count(); // f64::DIGITS of them always are kept
    are_digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(are_digits)
        && exponent.is_none_or(|exponent| are_digits(exponent.trim_start_matches(['+', '-'])))
        && significant <= f64::DIGITS as usize
        && field.parse::<f64>().is_ok_and(f64::is_finite)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn narrowest(fields: &[&str]) -> DataType {
        let mut column = Possible { types: [true; TYPES.len()], any: false };
        fields.iter().for_each(|field| column.see(field));
        column.narrowest()
    }

    #[test]
    fn a_column_has_the_narrowest_type_of_all_its_fields() {
        let cases: [(&[&str], DataType); 17] = [
            (&[], DataType::Text),
            (&["true", "False"], DataType::Boolean),
            (&["true", "1"], DataType::Text),
            (&["0", "-5", "9223372036854775807"], DataType::Int),
            (&["1", "9223372036854775808"], DataType::Int128),
            (&["1", "2.5"], DataType::Float),
            (&["1e300", "-0.0", "NaN", "-Infinity"], DataType::Float),
            (&["1e400"], DataType::Text),
            (&["0.12345678901234567890"], DataType::Text),
            (&["007"], DataType::Text),
            (&["-0"], DataType::Float),
            (&["+1"], DataType::Text),
            (&["1_000"], DataType::Text),
            (&["2024-02-29"], DataType::Date),
            (&["2024-02-30"], DataType::Text),
            (&["2024-02-29T01:02:03", "2024-02-29 01:02:03.5"], DataType::Timestamp),
            (&["2024-02-29", "x"], DataType::Text),
        ];
        for (fields, expected) in cases {
            assert_eq!(narrowest(fields), expected, "{fields:?}");
        }
    }
}
