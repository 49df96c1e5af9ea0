//! What can go wrong with SQL, each case naming the place or the name at fault.

use std::path::PathBuf;

use prolly_version::Error as VersionError;

/// The result of an operation on tables.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the SQL layer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The version layer failed, or what is below it.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// The text is no SQL. The message says the line and the column.
    #[error("syntax error: {message}")]
    Syntax {
        /// What was expected, what was found, and where.
        message: String,
    },
    /// A statement was refused, or failed. It has changed nothing.
    #[error("{0}")]
    Statement(#[from] gluesql_core::error::Error),
    /// A statement asks for what there is not, or cannot be. It has changed nothing.
    #[error("{0}")]
    Refused(String),
    /// A file cannot be imported: it cannot be read as what it should be, or a row cannot be stored.
    #[error("{}, line {line}: {reason}", path.display())]
    Import {
        /// The file.
        path: PathBuf,
        /// The line that the row at fault begins in, from 1 on.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// What is written by this statement was changed by somebody else since its transaction began.
    #[error("transaction conflict: {what} was changed by another handle since the transaction began")]
    TransactionConflict {
        /// The row or the table.
        what: String,
    },
    /// A revision, or a table that shows one, cannot be written.
    #[error("{what} cannot be written: it shows a revision")]
    ReadOnly {
        /// The table or the revision.
        what: String,
    },
    /// The description of a table, or a row, is not as the format says.
    #[error("{what} is damaged: {reason}")]
    Damaged {
        /// The table.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl From<prolly_core::Error> for Error {
    fn from(error: prolly_core::Error) -> Self {
        Self::Version(error.into())
    }
}
