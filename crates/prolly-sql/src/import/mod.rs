//! CSV files into tables.
//!
//! **Invariant:** memory is bounded by a batch, whatever the length of the file, and a batch is inserted whole or not at all.

mod infer;
mod parse;

use std::{
    fs::File,
    io::{self, BufReader},
    path::{Path, PathBuf},
};

use csv::StringRecord;
use gluesql_core::data::Value;

use self::{
    infer::infer,
    parse::{Target, parse},
};
use crate::{Connection, Error, Result, fragment};

/// Rows of a batch.
const BATCH_ROWS: usize = 1_000;
/// Bytes of the file after which a batch ends early.
const BATCH_BYTES: u64 = 1 << 20;

/// How a CSV file is read.
#[derive(Clone, Debug)]
pub struct CsvOptions {
    /// What is between the fields of a line.
    pub delimiter: u8,
    /// The text of a field that is NULL; in a text column that cannot be NULL it is itself.
    pub null: String,
    /// The column that is to be the primary key of the table that is made.
    pub primary_key: Option<String>,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self { delimiter: b',', null: String::new(), primary_key: None }
    }
}

/// How far an import has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Rows that were inserted.
    pub rows: u64,
    /// Bytes of the file that were read.
    pub bytes: u64,
    /// Bytes of the file, when it was opened.
    pub bytes_total: u64,
}

/// An import on its way: rows are inserted batch by batch, each staged by itself when no transaction is open.
///
/// The first line of the file names columns of the table; those it does not name get their defaults. A table that does not
/// exist is made with the first batch, with the narrowest type for each column that all its fields are written in (see
/// [`CsvImport::open`]).
#[derive(Debug)]
pub struct CsvImport {
    path: PathBuf,
    reader: csv::Reader<BufReader<File>>,
    table: String,
    /// The columns that the file names, in its order.
    names: Vec<String>,
    targets: Vec<Target>,
    null: String,
    /// What makes the table, until that was done.
    create: Option<String>,
    record: StringRecord,
    progress: Progress,
}

impl CsvImport {
    /// Opens a file to import into a table.
    ///
    /// When there is no such table the whole file is read once for its types: `BOOLEAN` (`true`, `false`), `INTEGER`, `INT128`,
    /// `FLOAT`, `DATE`, `TIMESTAMP` as in ISO 8601, and `TEXT` for all else. A number with a leading zero is text. Every
    /// column can be NULL.
    ///
    /// # Errors
    /// [`Error::Import`] for a file that is no CSV or names columns twice, or that the table does not have; an I/O error.
    pub fn open(connection: &mut Connection, table: &str, path: &Path, options: CsvOptions) -> Result<Self> {
        let at_line = |line, reason| Error::Import { path: path.to_owned(), line, reason };
        let mut reader = open(path, options.delimiter)?;
        let bytes_total = reader.get_ref().get_ref().metadata().map_err(|error| io_error(path, error))?.len();
        let names = names(&mut reader, path)?;
        let (targets, create) = match connection.columns(table)? {
            Some(_) if options.primary_key.is_some() => {
                return Err(at_line(1, format!("the table {table} exists, and keeps its primary key")));
            }
            Some(columns) => {
                let find = |name: &String| {
                    let column = columns.iter().find(|column| column.name == *name);
                    let target = column.map(|column| Target::new(&column.data_type, column.nullable));
                    target.ok_or_else(|| at_line(1, format!("the table {table} has no column {name:?}")))
                };
                (names.iter().map(find).collect::<Result<_>>()?, None)
            }
            None => {
                if let Some(key) = &options.primary_key
                    && !names.contains(key)
                {
                    return Err(at_line(1, format!("there is no column {key:?} to be the primary key")));
                }
                let types = infer(open(path, options.delimiter)?, path, &options.null, names.len())?;
                let column = |(name, kind): (&String, &_)| {
                    let is_key = options.primary_key.as_ref() == Some(name);
                    (name.clone(), format!("{kind}{}", if is_key { " PRIMARY KEY" } else { "" }))
                };
                let columns: Vec<_> = names.iter().zip(&types).map(column).collect();
                let is_nullable = |name: &String| options.primary_key.as_ref() != Some(name);
                let targets =
                    names.iter().zip(&types).map(|(name, kind)| Target::new(kind, is_nullable(name)));
                (targets.collect(), Some(fragment::create_table(table, &columns)?))
            }
        };
        Ok(Self {
            path: path.to_owned(),
            reader,
            table: table.to_owned(),
            names,
            targets,
            null: options.null,
            create,
            record: StringRecord::new(),
            progress: Progress { bytes_total, ..Progress::default() },
        })
    }

    /// How far it has come.
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// Inserts the next rows; whether there may be more.
    ///
    /// # Errors
    /// [`Error::Import`] with the line of what cannot be read or stored; other errors of [`Connection::execute`]. The batch is
    /// not inserted then, those before it are. It is of no use to go on.
    pub fn step(&mut self, connection: &mut Connection) -> Result<bool> {
        let mut rows = Vec::new();
        let mut lines = Vec::new();
        let end = self.reader.position().byte() + BATCH_BYTES;
        let mut more = true;
        while rows.len() < BATCH_ROWS && self.reader.position().byte() < end {
            more = self.reader.read_record(&mut self.record).map_err(|error| csv_error(&self.path, error))?;
            if !more {
                break;
            }
            lines.push(line_of(&self.record));
            rows.push(self.row()?);
        }
        if !rows.is_empty() || self.create.is_some() {
            self.insert(connection, &rows, &lines)?;
        }
        self.progress.rows += rows.len() as u64;
        self.progress.bytes = self.reader.position().byte();
        Ok(more)
    }

    /// The values of the record.
    fn row(&self) -> Result<Vec<Value>> {
        let fields = self.record.iter().zip(&self.targets).zip(&self.names);
        let value = |((field, target), name): ((&str, &Target), &String)| {
            parse(field, target, &self.null).map_err(|reason| Error::Import {
                path: self.path.clone(),
                line: line_of(&self.record),
                reason: format!("the column {name:?} is {}: {reason}", target.data_type()),
            })
        };
        fields.map(value).collect()
    }

    fn insert(&mut self, connection: &mut Connection, rows: &[Vec<Value>], lines: &[u64]) -> Result<()> {
        let create = self.create.take();
        let Err(error) = self.try_insert(connection, create.as_deref(), rows) else { return Ok(()) };
        if !matches!(error, Error::Statement(_) | Error::Refused(_)) {
            return Err(error);
        }
        if connection.in_transaction() {
            return Err(self.among(error, lines));
        }
        // Once more, row by row, to find the one at fault; nothing of it stays.
        connection.execute("BEGIN", &[])?;
        let found = self.first_refused(connection, create.as_deref(), rows, lines);
        connection.rollback()?;
        Err(found?.unwrap_or_else(|| self.among(error, lines)))
    }

    /// Inserts rows, all of them or none, and makes the table before.
    fn try_insert(
        &self,
        connection: &mut Connection,
        create: Option<&str>,
        rows: &[Vec<Value>],
    ) -> Result<()> {
        let Some(create) = create else {
            return connection.insert(&self.table, &self.names, rows).map(|_| ());
        };
        let begins = !connection.in_transaction();
        if begins {
            connection.execute("BEGIN", &[])?;
        }
        let mut done = connection.execute(create, &[]).map(|_| ());
        if done.is_ok() && !rows.is_empty() {
            done = connection.insert(&self.table, &self.names, rows).map(|_| ());
        }
        if done.is_ok() && begins {
            done = connection.execute("COMMIT", &[]).map(|_| ());
        }
        if done.is_err() && begins {
            connection.rollback()?;
        }
        done
    }

    fn first_refused(
        &self,
        connection: &mut Connection,
        create: Option<&str>,
        rows: &[Vec<Value>],
        lines: &[u64],
    ) -> Result<Option<Error>> {
        if let Some(create) = create {
            connection.execute(create, &[])?;
        }
        for (row, line) in rows.chunks(1).zip(lines) {
            if let Err(error) = connection.insert(&self.table, &self.names, row) {
                return Ok(Some(self.among(error, &[*line])));
            }
        }
        Ok(None)
    }

    /// An error of some lines.
    fn among(&self, error: Error, lines: &[u64]) -> Error {
        let reason = match &error {
            Error::Statement(error) => error.to_string(),
            Error::Refused(reason) => reason.clone(),
            _ => return error,
        };
        match lines {
            &[line] => Error::Import { path: self.path.clone(), line, reason },
            &[line, .., last] => {
                let reason = format!("{reason} (in this line or one of those up to {last})");
                Error::Import { path: self.path.clone(), line, reason }
            }
            [] => error,
        }
    }
}

fn open(path: &Path, delimiter: u8) -> Result<csv::Reader<BufReader<File>>> {
    let file = File::open(path).map_err(|error| io_error(path, error))?;
    Ok(csv::ReaderBuilder::new().delimiter(delimiter).from_reader(BufReader::new(file)))
}

fn names(reader: &mut csv::Reader<BufReader<File>>, path: &Path) -> Result<Vec<String>> {
    let header = reader.headers().map_err(|error| csv_error(path, error))?;
    let names: Vec<String> = header.iter().map(str::to_owned).collect();
    let refused = |reason| Err(Error::Import { path: path.to_owned(), line: 1, reason });
    if names.is_empty() || names.iter().any(String::is_empty) {
        return refused("the first line has to name the columns".to_owned());
    }
    for (index, name) in names.iter().enumerate() {
        if names[..index].contains(name) {
            return refused(format!("the column {name:?} is named twice"));
        }
    }
    Ok(names)
}

/// The line that a record begins in.
fn line_of(record: &StringRecord) -> u64 {
    record.position().map_or(0, csv::Position::line)
}

fn io_error(path: &Path, error: io::Error) -> Error {
    Error::Version(prolly_version::Error::io("read", path, error))
}

fn csv_error(path: &Path, error: csv::Error) -> Error {
    let line = error.position().map_or(0, csv::Position::line);
    let refused = |reason| Error::Import { path: path.to_owned(), line, reason };
    match error.into_kind() {
        csv::ErrorKind::Io(error) => io_error(path, error),
        csv::ErrorKind::Utf8 { err, .. } => refused(format!("field {} is not UTF-8", err.field() + 1)),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            refused(format!("it has {len} fields, the first line has {expected_len}"))
        }
        other => refused(format!("{other:?}")),
    }
}
