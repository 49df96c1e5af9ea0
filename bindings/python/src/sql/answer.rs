//! What a statement gives, in the form that was asked for.

use prolly_sql::{DataType, Payload, PayloadVariable, Value, export};
use pyo3::{
    IntoPyObjectExt,
    exceptions::PyTypeError,
    prelude::*,
    types::{PyDict, PyString},
};

use super::to_python::ToPython;
use crate::errors::{Failure, Outcome, ProllyTreeError};

/// How rows are given.
#[derive(Clone, Copy)]
pub(super) enum Format {
    Dicts,
    Tuples,
    Json,
    Csv,
}

impl Format {
    /// The parameters and the format, when a str in the place of the parameters is a format, as it was in version 0.4.1.
    pub(super) fn and_params<'a, 'py>(
        params: Option<&'a Bound<'py, PyAny>>,
        format: Option<&str>,
    ) -> PyResult<(Option<&'a Bound<'py, PyAny>>, Self)> {
        match (params.map(|params| params.cast::<PyString>()), format) {
            (Some(Ok(_)), Some(_)) => Err(PyTypeError::new_err(
                "params is a tuple or a list; a str in its place is a format, and one was given",
            )),
            (Some(Ok(name)), None) => Ok((None, Self::named(&name.to_cow()?)?)),
            (_, name) => Ok((params, Self::named(name.unwrap_or("dict"))?)),
        }
    }

    fn named(name: &str) -> PyResult<Self> {
        match name {
            "dict" | "dicts" => Ok(Self::Dicts),
            "tuples" => Ok(Self::Tuples),
            "json" => Ok(Self::Json),
            "csv" => Ok(Self::Csv),
            _ => Err(ProllyTreeError::new_err(format!(
                "there is no format {name:?}: it is \"dict\", \"dicts\", \"tuples\", \"json\" or \"csv\""
            ))),
        }
    }
}

/// What a statement has given.
pub(super) enum Answer {
    Dicts { labels: Vec<String>, rows: Vec<Vec<Value>> },
    Maps(Vec<Value>),
    Tuples { labels: Vec<String>, rows: Vec<Vec<Value>> },
    Text(String),
    Affected { kind: &'static str, count: usize },
    Done { kind: &'static str },
}

impl Answer {
    /// The answer in a form. Text is written here, without the interpreter lock.
    pub(super) fn of(payload: Payload, format: Format) -> Outcome<Self> {
        let affected = |kind, count| Ok(Self::Affected { kind, count });
        let done = |kind| Ok(Self::Done { kind });
        match payload {
            Payload::Select { labels, rows } => Self::rows(labels, rows, format),
            Payload::SelectMap(maps) if matches!(format, Format::Dicts) => {
                Ok(Self::Maps(maps.into_iter().map(Value::Map).collect()))
            }
            Payload::SelectMap(maps) if matches!(format, Format::Json) => {
                let maps = maps.into_iter().map(Value::Map).collect();
                Ok(Self::Text(export::json(&Value::List(maps))))
            }
            Payload::SelectMap(maps) => {
                let (labels, rows) = export::tabulate(maps);
                Self::rows(labels, rows, format)
            }
            Payload::ShowColumns(columns) => {
                let row =
                    |(name, kind): (String, DataType)| vec![Value::Str(name), Value::Str(kind.to_string())];
                let labels = vec!["COLUMN_NAME".to_owned(), "TYPE".to_owned()];
                Self::rows(labels, columns.into_iter().map(row).collect(), format)
            }
            Payload::ShowVariable(variable) => {
                let (label, texts) = match variable {
                    PayloadVariable::Tables(names) => ("TABLE_NAME", names),
                    PayloadVariable::Functions(names) => ("FUNCTION_NAME", names),
                    PayloadVariable::Version(version) => ("VERSION", vec![version]),
                };
                let rows = texts.into_iter().map(|text| vec![Value::Str(text)]).collect();
                Self::rows(vec![label.to_owned()], rows, format)
            }
            Payload::Insert(count) => affected("insert", count),
            Payload::Update(count) => affected("update", count),
            Payload::Delete(count) => affected("delete", count),
            Payload::Create => done("create"),
            Payload::DropTable(_) => done("drop_table"),
            Payload::AlterTable => done("alter_table"),
            Payload::DropFunction
            | Payload::CreateIndex
            | Payload::DropIndex
            | Payload::StartTransaction
            | Payload::Commit
            | Payload::Rollback => done("success"),
        }
    }

    fn rows(labels: Vec<String>, rows: Vec<Vec<Value>>, format: Format) -> Outcome<Self> {
        if matches!(format, Format::Dicts | Format::Json)
            && let Some(label) = export::repeated(&labels)
        {
            return Err(Failure::RepeatedLabel(label.to_owned()));
        }
        Ok(match format {
            Format::Dicts => Self::Dicts { labels, rows },
            Format::Tuples => Self::Tuples { labels, rows },
            Format::Json => Self::Text(export::json_rows(&labels, &rows)),
            Format::Csv => Self::Text(export::csv_rows(&labels, &rows)),
        })
    }

    pub(super) fn to_python<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let to_python = ToPython::new(py)?;
        match self {
            Self::Dicts { labels, rows } => Ok(to_python.dicts(labels, rows)?.into_any()),
            Self::Maps(maps) => Ok(to_python.row(maps)?.into_any()),
            Self::Tuples { labels, rows } => {
                let rows: Vec<_> = rows.iter().map(|row| to_python.row(row)).collect::<PyResult<_>>()?;
                (labels, rows).into_bound_py_any(py)
            }
            Self::Text(text) => text.into_bound_py_any(py),
            Self::Affected { kind, count } => to_python.affected(kind, *count),
            Self::Done { kind } => {
                let dict = PyDict::new(py);
                dict.set_item("type", kind)?;
                dict.set_item("success", true)?;
                Ok(dict.into_any())
            }
        }
    }
}
