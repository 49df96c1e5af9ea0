//! Values of SQL from Python's. Nothing is rounded: what no SQL value can hold is refused, with its place.

use std::{fmt::Display, net::IpAddr, str::FromStr};

use prolly_sql::{
    Interval, Point, Value,
    chrono::{NaiveDate, NaiveDateTime, NaiveTime},
};
use pyo3::{
    exceptions::{PyOverflowError, PyTypeError},
    intern,
    prelude::*,
    types::{PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMemoryView, PyString, PyTuple},
};

use super::python_types::PythonTypes;
use crate::{args::Bytes, errors::SqlError};

/// How deep lists and dicts may lie in each other, so that one that holds itself is an error.
const DEPTH_MAX: usize = 64;

/// Digits that a DECIMAL may have: 2^96 has 29.
const DECIMAL_DIGITS_MAX: i64 = 29;

/// The values of a tuple or list; `what` is what to call one of them in an error.
pub(super) fn values(row: &Bound<'_, PyAny>, what: impl Display) -> PyResult<Vec<Value>> {
    let one = |(index, object): (usize, Bound<'_, PyAny>)| {
        value(&object, 0).map_err(|error| at_place(row.py(), error, &format!("{what} {}", index + 1)))
    };
    if let Ok(tuple) = row.cast::<PyTuple>() {
        tuple.iter().enumerate().map(one).collect()
    } else if let Ok(list) = row.cast::<PyList>() {
        list.iter().enumerate().map(one).collect()
    } else {
        let kind = row.get_type().name()?;
        Err(PyTypeError::new_err(format!("a tuple or list of values is required, not '{kind}'")))
    }
}

/// The rows of any iterable.
pub(super) fn rows(rows: &Bound<'_, PyAny>) -> PyResult<Vec<Vec<Value>>> {
    let row = |(index, row): (usize, PyResult<Bound<'_, PyAny>>)| {
        let number = index + 1;
        let row = row?;
        values(&row, format_args!("row {number}, value"))
    };
    rows.try_iter()?.enumerate().map(row).collect()
}

/// The same error with its place in front; one with arguments of its own stays as it is.
fn at_place(py: Python<'_>, error: PyErr, place: &str) -> PyErr {
    let kind = error.get_type(py);
    let is_plain = kind.is(py.get_type::<PyTypeError>())
        || kind.is(py.get_type::<PyOverflowError>())
        || error.is_instance_of::<SqlError>(py);
    if !is_plain {
        return error;
    }
    PyErr::from_type(kind, format!("{place}: {}", error.value(py)))
}

fn value(object: &Bound<'_, PyAny>, depth: usize) -> PyResult<Value> {
    if object.is_none() {
        return Ok(Value::Null);
    }
    if let Ok(bool) = object.cast::<PyBool>() {
        return Ok(Value::Bool(bool.is_true()));
    }
    if object.is_instance_of::<PyInt>() {
        return integer(object);
    }
    if object.is_instance_of::<PyFloat>() {
        return Ok(Value::F64(object.extract()?));
    }
    if let Ok(text) = object.cast::<PyString>() {
        return Ok(Value::Str(text.to_cow()?.into_owned()));
    }
    if object.is_instance_of::<PyBytes>()
        || object.is_instance_of::<PyByteArray>()
        || object.is_instance_of::<PyMemoryView>()
    {
        return Ok(Value::Bytea(object.extract::<Bytes<'_>>()?.to_vec()));
    }
    if let Ok(dict) = object.cast::<PyDict>() {
        let depth = deeper(depth)?;
        let entry = |(key, item): (Bound<'_, PyAny>, Bound<'_, PyAny>)| {
            let Ok(key) = key.cast::<PyString>() else {
                let kind = key.get_type().name()?;
                return Err(PyTypeError::new_err(format!("the keys of a MAP are str, not '{kind}'")));
            };
            Ok((key.to_cow()?.into_owned(), value(&item, depth)?))
        };
        return Ok(Value::Map(dict.iter().map(entry).collect::<PyResult<_>>()?));
    }
    other(object, depth)
}

/// What is rarer, or takes longer to tell.
fn other(object: &Bound<'_, PyAny>, depth: usize) -> PyResult<Value> {
    let types = PythonTypes::get(object.py())?;
    let is = |kind: &Py<PyAny>| object.is_instance(kind.bind(object.py()));
    if is(&types.point)? {
        let (x, y) = object.extract()?;
        return Ok(Value::Point(Point::new(x, y)));
    }
    if let Ok(tuple) = object.cast::<PyTuple>() {
        let depth = deeper(depth)?;
        return Ok(Value::List(tuple.iter().map(|item| value(&item, depth)).collect::<PyResult<_>>()?));
    }
    if let Ok(list) = object.cast::<PyList>() {
        let depth = deeper(depth)?;
        return Ok(Value::List(list.iter().map(|item| value(&item, depth)).collect::<PyResult<_>>()?));
    }
    if is(&types.decimal)? {
        return decimal(object);
    }
    if is(&types.datetime)? {
        return timestamp(object, types);
    }
    if is(&types.date)? {
        return Ok(Value::Date(date(object)?));
    }
    if is(&types.time)? {
        if !object.getattr(intern!(object.py(), "tzinfo"))?.is_none() {
            return Err(SqlError::new_err(
                "a time with a time zone has no SQL value: TIME has no zone, and without a date it cannot be \
                 converted to UTC",
            ));
        }
        return Ok(Value::Time(time(object)?));
    }
    if is(&types.timedelta)? {
        return interval(object);
    }
    if is(&types.months)? {
        return Ok(Value::Interval(Interval::Month(
            object.getattr(intern!(object.py(), "months"))?.extract()?,
        )));
    }
    if is(&types.uuid)? {
        return Ok(Value::Uuid(object.getattr(intern!(object.py(), "int"))?.extract()?));
    }
    if is(&types.ipv4)? || is(&types.ipv6)? {
        let text = object.str()?;
        let address = IpAddr::from_str(&text.to_cow()?);
        return address
            .map(Value::Inet)
            .map_err(|_| SqlError::new_err(format!("{text} has no SQL value: INET has no scope")));
    }
    if object.get_type().hasattr(intern!(object.py(), "__index__"))? {
        return integer(&object.call_method0(intern!(object.py(), "__index__"))?);
    }
    let kind = object.get_type().fully_qualified_name()?;
    Err(PyTypeError::new_err(format!("there is no SQL value for '{kind}'")))
}

fn deeper(depth: usize) -> PyResult<usize> {
    if depth >= DEPTH_MAX {
        return Err(SqlError::new_err(format!(
            "lists and dicts lie more than {DEPTH_MAX} deep in each other"
        )));
    }
    Ok(depth + 1)
}

fn integer(object: &Bound<'_, PyAny>) -> PyResult<Value> {
    let py = object.py();
    let in_range = |error: &PyErr| error.is_instance_of::<PyOverflowError>(py);
    match object.extract::<i64>() {
        Ok(number) => return Ok(Value::I64(number)),
        Err(error) if in_range(&error) => {}
        Err(error) => return Err(error),
    }
    match object.extract::<i128>() {
        Ok(number) => return Ok(Value::I128(number)),
        Err(error) if in_range(&error) => {}
        Err(error) => return Err(error),
    }
    match object.extract::<u128>() {
        Ok(number) => Ok(Value::U128(number)),
        Err(error) if in_range(&error) => {
            // Not the number itself: Python may refuse to write one this long.
            let bits: u64 = object.call_method0(intern!(py, "bit_length"))?.extract()?;
            Err(PyOverflowError::new_err(format!(
                "an int of {bits} bits has no SQL value: INT128 begins at -2**127, and UINT128 ends before 2**128"
            )))
        }
        Err(error) => Err(error),
    }
}

fn decimal(object: &Bound<'_, PyAny>) -> PyResult<Value> {
    let py = object.py();
    let refused = |why: &str| {
        let text = object.str()?;
        Err(SqlError::new_err(format!("the Decimal {text} has no SQL value: {why}")))
    };
    if !object.call_method0(intern!(py, "is_finite"))?.is_truthy()? {
        return refused("DECIMAL has numbers only");
    }
    let size: i64 = object.call_method0(intern!(py, "adjusted"))?.extract()?;
    if !(-DECIMAL_DIGITS_MAX..DECIMAL_DIGITS_MAX).contains(&size) {
        return refused("DECIMAL has up to 28 digits");
    }
    // In full, not as a power of ten.
    let text = object.call_method1(intern!(py, "__format__"), (intern!(py, "f"),))?;
    match prolly_sql::Decimal::from_str_exact(&text.cast::<PyString>()?.to_cow()?) {
        Ok(number) => Ok(Value::Decimal(number)),
        Err(_) => refused("DECIMAL has up to 28 digits"),
    }
}

fn part<'py, T>(object: &Bound<'py, PyAny>, name: &Bound<'py, PyString>) -> PyResult<T>
where
    T: for<'a> FromPyObject<'a, 'py, Error = PyErr>,
{
    object.getattr(name)?.extract()
}

fn date(object: &Bound<'_, PyAny>) -> PyResult<NaiveDate> {
    let py = object.py();
    let (year, month, day) = (
        part(object, intern!(py, "year"))?,
        part(object, intern!(py, "month"))?,
        part(object, intern!(py, "day"))?,
    );
    NaiveDate::from_ymd_opt(year, month, day).ok_or_else(|| impossible(object))
}

fn time(object: &Bound<'_, PyAny>) -> PyResult<NaiveTime> {
    let py = object.py();
    let (hour, minute) = (part(object, intern!(py, "hour"))?, part(object, intern!(py, "minute"))?);
    let (second, micro) = (part(object, intern!(py, "second"))?, part(object, intern!(py, "microsecond"))?);
    NaiveTime::from_hms_micro_opt(hour, minute, second, micro).ok_or_else(|| impossible(object))
}

fn impossible(object: &Bound<'_, PyAny>) -> PyErr {
    SqlError::new_err(format!("{object} has no SQL value"))
}

/// A TIMESTAMP has no zone: a time with one is written in UTC.
fn timestamp(object: &Bound<'_, PyAny>, types: &PythonTypes) -> PyResult<Value> {
    let py = object.py();
    let in_utc;
    let object = if object.call_method0(intern!(py, "utcoffset"))?.is_none() {
        object
    } else {
        in_utc = object.call_method1(intern!(py, "astimezone"), (&types.utc,))?;
        &in_utc
    };
    Ok(Value::Timestamp(NaiveDateTime::new(date(object)?, time(object)?)))
}

fn interval(object: &Bound<'_, PyAny>) -> PyResult<Value> {
    let py = object.py();
    let days: i64 = part(object, intern!(py, "days"))?;
    let seconds: i64 = part(object, intern!(py, "seconds"))?;
    let micros: i64 = part(object, intern!(py, "microseconds"))?;
    let whole = i128::from(days) * 86_400_000_000 + i128::from(seconds) * 1_000_000 + i128::from(micros);
    let whole = i64::try_from(whole).map_err(|_| {
        PyOverflowError::new_err(format!(
            "the timedelta {object} has no SQL value: INTERVAL has 64 bits of microseconds"
        ))
    })?;
    Ok(Value::Interval(Interval::Microsecond(whole)))
}
