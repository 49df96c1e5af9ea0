//! Failures of redb, before they are told which file they concern.

use std::{any::Any, path::Path, time::Duration};

use crate::Error;

/// Why a function over the database did not succeed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// For a reason of ours; the database itself is well.
    Ours(Error),
    /// Another process, or a handle of this one that is just closing, has the database.
    InUse,
    Redb(Box<redb::Error>),
    /// redb met something in the file that it never wrote.
    Panic(String),
}

impl Failure {
    pub(super) fn into_error(self, action: &'static str, path: &Path) -> Error {
        let path = path.to_owned();
        match self {
            Self::Ours(error) => error,
            Self::InUse => Error::Busy { path, waited: Duration::ZERO },
            Self::Panic(reason) => Error::Damaged { path, reason },
            Self::Redb(error) => match *error {
                redb::Error::Io(source) => Error::Io { action, path, source },
                redb::Error::Corrupted(reason) => Error::Damaged { path, reason },
                source => Error::Redb { action, path, source: Box::new(source) },
            },
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

impl From<redb::Error> for Failure {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::DatabaseAlreadyOpen => Self::InUse,
            other => Self::Redb(Box::new(other)),
        }
    }
}

macro_rules! from_redb {
    ($($error:ident),*) => {
        $(impl From<redb::$error> for Failure {
            fn from(error: redb::$error) -> Self {
                redb::Error::from(error).into()
            }
        })*
    };
}

from_redb!(CommitError, CompactionError, DatabaseError, StorageError, TableError, TransactionError);

/// The message of a panic.
pub(super) fn describe_panic(panic: &(dyn Any + Send)) -> String {
    let message = panic.downcast_ref::<&str>().copied().map(str::to_owned);
    let message = message.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("the database makes no sense: {}", message.as_deref().unwrap_or("no message"))
}
