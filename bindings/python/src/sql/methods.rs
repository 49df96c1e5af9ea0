//! The methods of what runs statements.

use prolly_sql::{ColumnInfo, Value, fragment};
use pyo3::{
    exceptions::PyTypeError,
    prelude::*,
    types::{PyDict, PyString},
};

use super::{
    ProllySQLStore, SQLConnection, SQLSnapshot,
    answer::Format,
    from_python,
    import::{self, CsvArguments},
    running::Runs,
};
use crate::{args::Path, errors::Failure};

/// A column as `schema` gives it.
fn column_dict<'py>(py: Python<'py>, column: &ColumnInfo) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("name", &column.name)?;
    dict.set_item("type", column.data_type.to_string())?;
    dict.set_item("nullable", column.nullable)?;
    dict.set_item("default", &column.default)?;
    dict.set_item("unique", column.unique)?;
    dict.set_item("primary_key", column.primary_key)?;
    Ok(dict)
}

/// What `execute_many` is to run.
enum Queries {
    Texts(Vec<String>),
    ForEach(String, Vec<Vec<Value>>),
}

impl Queries {
    fn of(queries: &Bound<'_, PyAny>, rows: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        match (queries.cast::<PyString>(), rows) {
            (Ok(text), Some(rows)) => {
                Ok(Self::ForEach(text.to_cow()?.into_owned(), from_python::rows(rows)?))
            }
            (Ok(_), None) => Err(PyTypeError::new_err(
                "a list of texts is required, or one text and the rows of parameters to run it with",
            )),
            (Err(_), Some(_)) => {
                Err(PyTypeError::new_err("rows of parameters are for one text, not for a list of them"))
            }
            (Err(_), None) => {
                let texts = queries.try_iter()?.map(|text| text?.extract());
                Ok(Self::Texts(texts.collect::<PyResult<_>>()?))
            }
        }
    }
}

macro_rules! query_methods {
    ($class:ident) => {
        #[pymethods]
        impl $class {
            /// Runs statements and gives what the first of them gave; each sees what those before it did.
            ///
            /// params: the values of `$1`, `$2` ..., or of each `?` in its turn; every statement may use all of them.
            /// format: how rows are given. A str in the place of params is a format.
            #[pyo3(signature = (query, params=None, format=None))]
            fn execute<'py>(
                &self,
                py: Python<'py>,
                query: &str,
                params: Option<&Bound<'py, PyAny>>,
                format: Option<&str>,
            ) -> PyResult<Bound<'py, PyAny>> {
                let (params, format) = Format::and_params(params, format)?;
                let params = params
                    .map_or_else(|| Ok(Vec::new()), |params| from_python::values(params, "parameter"))?;
                self.run(py, query, &params, format)
            }

            /// The rows of a table as dicts; of some columns, and those for which a condition holds.
            ///
            /// where_clause: one expression, checked to be no more than that. params: the values of its placeholders.
            #[pyo3(signature = (name, columns=None, where_clause=None, params=None))]
            fn select<'py>(
                &self,
                py: Python<'py>,
                name: &str,
                columns: Option<Vec<String>>,
                where_clause: Option<&str>,
                params: Option<&Bound<'py, PyAny>>,
            ) -> PyResult<Bound<'py, PyAny>> {
                let params = params
                    .map_or_else(|| Ok(Vec::new()), |params| from_python::values(params, "parameter"))?;
                let query =
                    fragment::select(name, columns.as_deref(), where_clause).map_err(Failure::from)?;
                self.run(py, &query, &params, Format::Dicts)
            }

            /// The names of the tables, sorted.
            fn tables(&self, py: Python<'_>) -> PyResult<Vec<String>> {
                self.on_connection(py, |connection| Ok(connection.tables()?))
            }

            /// The columns of a table, in their order: none of a table without a schema.
            ///
            /// Raises SqlError when there is no such table.
            fn schema<'py>(&self, py: Python<'py>, table: &str) -> PyResult<Vec<Bound<'py, PyDict>>> {
                let columns = self.on_connection(py, |connection| {
                    connection.columns(table)?.ok_or_else(|| Failure::NoTable(table.to_owned()))
                })?;
                columns.iter().map(|column| column_dict(py, column)).collect()
            }
        }
    };
}

macro_rules! edit_methods {
    ($class:ident) => {
        #[pymethods]
        impl $class {
            /// Runs each of several texts, and gives what each gave; or runs one INSERT, UPDATE or DELETE with each of several
            /// rows of parameters, as one statement, and gives how many rows were affected in all.
            #[pyo3(signature = (queries, rows_of_params=None))]
            fn execute_many<'py>(
                &self,
                py: Python<'py>,
                queries: &Bound<'py, PyAny>,
                rows_of_params: Option<&Bound<'py, PyAny>>,
            ) -> PyResult<Bound<'py, PyAny>> {
                match Queries::of(queries, rows_of_params)? {
                    Queries::Texts(texts) => Ok(self.run_each(py, &texts)?.into_any()),
                    Queries::ForEach(text, rows) => self.run_for_each(py, &text, &rows),
                }
            }

            /// Makes a table.
            ///
            /// columns: the name of each column, and what stands behind it in SQL: "INTEGER PRIMARY KEY". It is checked to
            /// be no more than that.
            fn create_table<'py>(
                &self,
                py: Python<'py>,
                name: &str,
                columns: Vec<(String, String)>,
            ) -> PyResult<Bound<'py, PyAny>> {
                let query = fragment::create_table(name, &columns).map_err(Failure::from)?;
                self.run(py, &query, &[], Format::Dicts)
            }

            /// Inserts rows, all of them or none; how many.
            ///
            /// columns: which columns the values of a row are for; all of them by default.
            #[pyo3(signature = (name, rows, columns=None))]
            fn insert<'py>(
                &self,
                py: Python<'py>,
                name: &str,
                rows: &Bound<'py, PyAny>,
                columns: Option<Vec<String>>,
            ) -> PyResult<Bound<'py, PyAny>> {
                let rows = from_python::rows(rows)?;
                self.run_insert(py, name, &columns.unwrap_or_default(), &rows)
            }

            /// Reads a CSV file into a table, in batches; the number of its rows.
            ///
            /// The first line names the columns. A table that does not exist is made, with the types that all its values have.
            #[pyo3(signature = (table, path, progress=None, *, delimiter=",", null="", primary_key=None))]
            #[expect(clippy::too_many_arguments, reason = "they are Python's, and most have defaults")]
            fn import_csv(
                &self,
                py: Python<'_>,
                table: &str,
                path: Path,
                progress: Option<&Bound<'_, PyAny>>,
                delimiter: &str,
                null: &str,
                primary_key: Option<&str>,
            ) -> PyResult<u64> {
                let arguments = CsvArguments { table, path: &path.0, delimiter, null, primary_key };
                import::csv(self, py, &arguments, progress)
            }

            /// A context manager: BEGIN at its beginning, COMMIT at its end, ROLLBACK when it is left by an exception.
            fn transaction<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
                slf.py().import("prollytree._sql")?.getattr("_Transaction")?.call1((slf,))
            }

            /// Whether a transaction is open.
            #[getter]
            fn in_transaction(&self, py: Python<'_>) -> PyResult<bool> {
                self.on_connection(py, |connection| Ok(connection.in_transaction()))
            }
        }
    };
}

query_methods!(ProllySQLStore);
query_methods!(SQLConnection);
query_methods!(SQLSnapshot);
edit_methods!(ProllySQLStore);
edit_methods!(SQLConnection);
