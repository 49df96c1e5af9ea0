//! What statements give, as Python's objects.

use prolly_sql::{
    Interval, Value,
    chrono::{Datelike, NaiveDate, NaiveTime, Timelike},
};
use pyo3::{
    IntoPyObjectExt,
    prelude::*,
    types::{PyBytes, PyDict, PyList, PyString},
};

use super::python_types::PythonTypes;
use crate::errors::SqlError;

/// Makes Python's objects of values.
pub(super) struct ToPython<'py> {
    py: Python<'py>,
    types: &'py PythonTypes,
}

impl<'py> ToPython<'py> {
    pub(super) fn new(py: Python<'py>) -> PyResult<Self> {
        Ok(Self { py, types: PythonTypes::get(py)? })
    }

    pub(super) fn value(&self, value: &Value) -> PyResult<Bound<'py, PyAny>> {
        let (py, types) = (self.py, self.types);
        match value {
            Value::Null => Ok(py.None().into_bound(py)),
            Value::Bool(value) => value.into_bound_py_any(py),
            Value::I8(value) => value.into_bound_py_any(py),
            Value::I16(value) => value.into_bound_py_any(py),
            Value::I32(value) => value.into_bound_py_any(py),
            Value::I64(value) => value.into_bound_py_any(py),
            Value::I128(value) => value.into_bound_py_any(py),
            Value::U8(value) => value.into_bound_py_any(py),
            Value::U16(value) => value.into_bound_py_any(py),
            Value::U32(value) => value.into_bound_py_any(py),
            Value::U64(value) => value.into_bound_py_any(py),
            Value::U128(value) => value.into_bound_py_any(py),
            Value::F32(value) => value.into_bound_py_any(py),
            Value::F64(value) => value.into_bound_py_any(py),
            Value::Str(value) => value.into_bound_py_any(py),
            Value::Bytea(value) => Ok(PyBytes::new(py, value).into_any()),
            Value::Decimal(value) => types.decimal.bind(py).call1((value.to_string(),)),
            Value::Inet(value) => value.into_bound_py_any(py),
            Value::Date(value) => types.date.bind(py).call1(date(value).ok_or_else(|| out_of_range(value))?),
            Value::Time(value) => types.time.bind(py).call1(time(value).ok_or_else(|| out_of_range(value))?),
            Value::Timestamp(value) => {
                let (year, month, day) = date(&value.date()).ok_or_else(|| out_of_range(value))?;
                let (hour, minute, second, micro) = time(&value.time()).ok_or_else(|| out_of_range(value))?;
                types.datetime.bind(py).call1((year, month, day, hour, minute, second, micro))
            }
            Value::Interval(Interval::Microsecond(value)) => {
                // Days, seconds and microseconds: each far within what a timedelta takes.
                types.timedelta.bind(py).call1((0, 0, value))
            }
            Value::Interval(Interval::Month(value)) => types.months.bind(py).call1((value,)),
            Value::Uuid(value) => {
                let arguments = PyDict::new(py);
                arguments.set_item("int", value)?;
                types.uuid.bind(py).call((), Some(&arguments))
            }
            Value::Map(value) => {
                let dict = PyDict::new(py);
                for (key, value) in value {
                    dict.set_item(key, self.value(value)?)?;
                }
                Ok(dict.into_any())
            }
            Value::List(values) => Ok(self.row(values)?.into_any()),
            Value::Point(value) => types.point.bind(py).call1((value.x, value.y)),
        }
    }

    /// A list.
    pub(super) fn row(&self, values: &[Value]) -> PyResult<Bound<'py, PyList>> {
        let values: Vec<_> = values.iter().map(|value| self.value(value)).collect::<PyResult<_>>()?;
        PyList::new(self.py, values)
    }

    /// A dict for each row.
    pub(super) fn dicts(&self, labels: &[String], rows: &[Vec<Value>]) -> PyResult<Bound<'py, PyList>> {
        let labels: Vec<_> = labels.iter().map(|label| PyString::new(self.py, label)).collect();
        let dicts = PyList::empty(self.py);
        for row in rows {
            let dict = PyDict::new(self.py);
            for (label, value) in labels.iter().zip(row) {
                dict.set_item(label, self.value(value)?)?;
            }
            dicts.append(dict)?;
        }
        Ok(dicts)
    }

    /// The number of rows that a statement of this kind has affected.
    pub(super) fn affected(&self, kind: &str, count: usize) -> PyResult<Bound<'py, PyAny>> {
        self.types.affected.bind(self.py).call1((count, kind))
    }
}

/// Year, month and day, where Python has such a date.
fn date(date: &NaiveDate) -> Option<(i32, u32, u32)> {
    (1..=9999).contains(&date.year()).then(|| (date.year(), date.month(), date.day()))
}

/// Hour, minute, second and microsecond, where Python has such a time. Python has no leap seconds.
fn time(time: &NaiveTime) -> Option<(u32, u32, u32, u32)> {
    let micro = time.nanosecond() / 1000;
    (micro < 1_000_000).then(|| (time.hour(), time.minute(), time.second(), micro))
}

fn out_of_range(value: &impl std::fmt::Display) -> PyErr {
    SqlError::new_err(format!(
        "Python's datetime has no {value}; format=\"csv\" and format=\"json\" write it"
    ))
}
