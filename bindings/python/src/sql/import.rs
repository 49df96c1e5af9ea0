//! CSV files into tables.

use std::path::Path;

use prolly_sql::import::{CsvImport, CsvOptions};
use pyo3::prelude::*;

use super::running::Runs;
use crate::errors::ProllyTreeError;

/// The arguments of `import_csv`.
pub(super) struct CsvArguments<'a> {
    pub(super) table: &'a str,
    pub(super) path: &'a Path,
    pub(super) delimiter: &'a str,
    pub(super) null: &'a str,
    pub(super) primary_key: Option<&'a str>,
}

/// Imports a file; the number of its rows. Between its batches the connection is free, and the function is told how far it is.
pub(super) fn csv(
    runner: &impl Runs,
    py: Python<'_>,
    arguments: &CsvArguments<'_>,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<u64> {
    let &[delimiter] = arguments.delimiter.as_bytes() else {
        return Err(ProllyTreeError::new_err(format!(
            "the delimiter is one ASCII character, not {:?}",
            arguments.delimiter
        )));
    };
    let options = CsvOptions {
        delimiter,
        null: arguments.null.to_owned(),
        primary_key: arguments.primary_key.map(str::to_owned),
    };
    let mut import = runner.on_connection(py, |connection| {
        Ok(CsvImport::open(connection, arguments.table, arguments.path, options)?)
    })?;
    loop {
        let more = runner.on_connection(py, |connection| Ok(import.step(connection)?))?;
        let done = import.progress();
        if let Some(progress) = progress {
            progress.call1((done.rows, done.bytes, done.bytes_total))?;
        }
        if !more {
            return Ok(done.rows);
        }
    }
}
