//! The package's exceptions, and which of them each error becomes.

use std::path::PathBuf;

use pyo3::{import_exception, prelude::*, types::PyBytes};

use crate::{stream, types};

import_exception!(prollytree._errors, ConcurrentUpdateError);
import_exception!(prollytree._errors, CorruptionError);
import_exception!(prollytree._errors, IncompatibleStoreError);
import_exception!(prollytree._errors, KeyNotFoundError);
import_exception!(prollytree._errors, MergeError);
import_exception!(prollytree._errors, NamespaceError);
import_exception!(prollytree._errors, NotFetchedError);
import_exception!(prollytree._errors, ProllyTreeError);
import_exception!(prollytree._errors, ProofError);
import_exception!(prollytree._errors, RefError);
import_exception!(prollytree._errors, RefNotFoundError);
import_exception!(prollytree._errors, SqlError);
import_exception!(prollytree._errors, StagedChangesError);
import_exception!(prollytree._errors, StorageError);
import_exception!(prollytree._errors, SyncError);
import_exception!(prollytree._errors, TransactionConflictError);

/// Re-exports the exceptions from the module.
pub(crate) fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    let errors = py.import("prollytree._errors")?;
    for name in [
        "ConcurrentUpdateError",
        "CorruptionError",
        "IncompatibleStoreError",
        "KeyNotFoundError",
        "MergeError",
        "NamespaceError",
        "NotFetchedError",
        "ProllyTreeError",
        "ProofError",
        "RefError",
        "RefNotFoundError",
        "SqlError",
        "StagedChangesError",
        "StorageError",
        "SyncError",
        "TransactionConflictError",
    ] {
        module.add(name, errors.getattr(name)?)?;
    }
    Ok(())
}

/// The result of work that was done without the interpreter lock.
pub(crate) type Outcome<T> = Result<T, Failure>;

/// An error on its way to Python, made where the interpreter lock may not be held.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The tree layer's.
    Tree(prolly_core::Error),
    /// The store layer's.
    Store(prolly_store::Error),
    /// The version layer's.
    Version(prolly_version::Error),
    /// The namespace layer's.
    #[cfg(feature = "namespaced")]
    Namespaces(prolly_ns::Error),
    /// The SQL layer's.
    #[cfg(feature = "sql")]
    Sql(Box<prolly_sql::Error>),
    /// A text has no statement in it.
    #[cfg(feature = "sql")]
    NoStatement,
    /// There is no such table.
    #[cfg(feature = "sql")]
    NoTable(String),
    /// Rows were to be dicts, and two columns have this label.
    #[cfg(feature = "sql")]
    RepeatedLabel(String),
    /// A commit was asked for while a transaction is open.
    #[cfg(feature = "sql")]
    InTransaction,
    /// A store in memory was to be opened.
    OnlyMade,
    /// The current branch is meant, and there is none.
    Detached,
    /// A handle was used after it was closed; what it is called.
    Closed(&'static str),
    /// A merge of this branch failed.
    Merge { branch: String, error: Box<prolly_version::Error> },
    /// The directory of a tree has another ref in it, so it belongs to something else.
    OtherContents { path: PathBuf, name: String },
}

impl From<prolly_core::Error> for Failure {
    fn from(error: prolly_core::Error) -> Self {
        Self::Tree(error)
    }
}

impl From<prolly_store::Error> for Failure {
    fn from(error: prolly_store::Error) -> Self {
        Self::Store(error)
    }
}

impl From<prolly_version::Error> for Failure {
    fn from(error: prolly_version::Error) -> Self {
        Self::Version(error)
    }
}

#[cfg(feature = "namespaced")]
impl From<prolly_ns::Error> for Failure {
    fn from(error: prolly_ns::Error) -> Self {
        match error {
            prolly_ns::Error::Version(error) => Self::Version(error),
            error => Self::Namespaces(error),
        }
    }
}

#[cfg(feature = "sql")]
impl From<prolly_sql::Error> for Failure {
    fn from(error: prolly_sql::Error) -> Self {
        match error {
            prolly_sql::Error::Version(error) => Self::Version(error),
            error => Self::Sql(Box::new(error)),
        }
    }
}

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Tree(error) => of_tree(error),
            Failure::Store(prolly_store::Error::Tree(error)) => of_tree(error),
            Failure::Store(error) => class_of_store(&error).error(error.to_string()),
            Failure::Version(error) => of_version(error),
            #[cfg(feature = "namespaced")]
            Failure::Namespaces(error) => NamespaceError::new_err(error.to_string()),
            #[cfg(feature = "sql")]
            Failure::Sql(error) => of_sql(&error),
            #[cfg(feature = "sql")]
            Failure::NoStatement => SqlError::new_err("there is no statement in the text"),
            #[cfg(feature = "sql")]
            Failure::NoTable(name) => SqlError::new_err(format!("table not found: {name}")),
            #[cfg(feature = "sql")]
            Failure::RepeatedLabel(label) => SqlError::new_err(format!(
                "two columns are called {label:?}, and a dict has room for one: give one of them another name with AS, \
                 or ask for format=\"tuples\""
            )),
            #[cfg(feature = "sql")]
            Failure::InTransaction => SqlError::new_err(
                "a transaction is open, and what it has written is not staged: COMMIT or ROLLBACK it first",
            ),
            Failure::OnlyMade => {
                StorageError::new_err("a store in memory can only be made, there is none to open")
            }
            Failure::Detached => {
                RefError::new_err("there is no current branch, a commit is checked out: name a branch")
            }
            Failure::Merge { branch, error } => of_merge(&branch, *error),
            Failure::Closed(what) => StorageError::new_err(format!("the {what} is closed")),
            Failure::OtherContents { path, name } => IncompatibleStoreError::new_err(format!(
                "{} holds something other than a tree: it has a ref {name:?}",
                path.display()
            )),
        }
    }
}

/// Which exception an error becomes when the message is all there is to say.
#[derive(Clone, Copy)]
enum Class {
    Base,
    Concurrent,
    Corruption,
    Incompatible,
    Merge,
    Namespace,
    NotFetched,
    Proof,
    Ref,
    RefNotFound,
    Storage,
    Sync,
}

impl Class {
    fn error(self, message: String) -> PyErr {
        match self {
            Self::Base => ProllyTreeError::new_err(message),
            Self::Concurrent => ConcurrentUpdateError::new_err(message),
            Self::Corruption => CorruptionError::new_err(message),
            Self::Incompatible => IncompatibleStoreError::new_err(message),
            Self::Merge => MergeError::new_err(message),
            Self::Namespace => NamespaceError::new_err(message),
            Self::NotFetched => NotFetchedError::new_err(message),
            Self::Proof => ProofError::new_err(message),
            Self::Ref => RefError::new_err(message),
            Self::RefNotFound => RefNotFoundError::new_err(message),
            Self::Storage => StorageError::new_err(message),
            Self::Sync => SyncError::new_err(message),
        }
    }
}

fn class_of_tree(error: &prolly_core::Error) -> Class {
    use prolly_core::Error;
    match error {
        Error::Missing { .. } | Error::Corrupt { .. } | Error::Malformed { .. } => Class::Corruption,
        Error::NewerFormat { .. } => Class::Incompatible,
        Error::NotFetched { .. } => Class::NotFetched,
        Error::InvalidProof { .. } => Class::Proof,
        // The store below may have been of another layer, and have known more.
        Error::Store(source) => {
            let store = source.downcast_ref().map(class_of_store);
            let version = || source.downcast_ref().map(class_of_version);
            store.or_else(version).unwrap_or(Class::Storage)
        }
        _ => Class::Base,
    }
}

fn class_of_store(error: &prolly_store::Error) -> Class {
    use prolly_store::Error;
    match error {
        Error::Tree(error) => class_of_tree(error),
        Error::RefMoved { .. } => Class::Concurrent,
        Error::Damaged { .. } | Error::DamagedObject { .. } => Class::Corruption,
        Error::NotAStore { .. } | Error::NewerStore { .. } | Error::OtherConfig { .. } => Class::Incompatible,
        _ => Class::Storage,
    }
}

fn class_of_version(error: &prolly_version::Error) -> Class {
    use prolly_version::Error;
    match error {
        Error::Tree(error) => class_of_tree(error),
        Error::Backend(error) => class_of_store(error),
        Error::Io { .. }
        | Error::Locked { .. }
        | Error::Forked { .. }
        | Error::WorkTreeInUse { .. }
        | Error::GitObject { .. } => Class::Storage,
        Error::RefMoved { .. } | Error::BranchMoved { .. } => Class::Concurrent,
        Error::InvalidRefName { .. }
        | Error::RefNameTaken { .. }
        | Error::BranchExists { .. }
        | Error::BranchInUse { .. }
        | Error::TagExists { .. } => Class::Ref,
        Error::UnknownBranch { .. }
        | Error::UnbornBranch { .. }
        | Error::UnknownTag { .. }
        | Error::UnknownRevision { .. }
        | Error::AmbiguousRevision { .. }
        | Error::InvalidRevision { .. }
        | Error::MainlineNeeded { .. } => Class::RefNotFound,
        Error::MissingCommit { .. }
        | Error::DamagedCommit { .. }
        | Error::DamagedCatalog { .. }
        | Error::DamagedRef { .. }
        | Error::DamagedFile { .. }
        | Error::DamagedJournal { .. } => Class::Corruption,
        Error::ForeignCommit { .. }
        | Error::ConfigMismatch { .. }
        | Error::NotAStore { .. }
        | Error::OtherBackend { .. }
        | Error::NewerFormat { .. } => Class::Incompatible,
        Error::UnrelatedHistories { .. }
        | Error::MergeIntoItself { .. }
        | Error::MergeConflicts { .. }
        | Error::NoMergeDriver { .. }
        | Error::CannotMerge { .. } => Class::Merge,
        Error::NotFetched { .. } => Class::NotFetched,
        Error::UnknownTree { .. } | Error::TreeExists { .. } => Class::Namespace,
        Error::NonFastForward { .. }
        | Error::CheckedOut { .. }
        | Error::CannotSync { .. }
        | Error::Interrupted => Class::Sync,
        _ => Class::Base,
    }
}

/// The exception for an error of the tree layer.
pub(crate) fn of_tree(error: prolly_core::Error) -> PyErr {
    match error {
        prolly_core::Error::KeyNotFound { key } => key_not_found(&key),
        error => class_of_tree(&error).error(error.to_string()),
    }
}

/// The exception for an error of the version layer.
pub(crate) fn of_version(error: prolly_version::Error) -> PyErr {
    use prolly_version::Error;
    let message = error.to_string();
    match error {
        Error::Tree(error) => of_tree(error),
        Error::StagedConflict { keys, .. } => {
            let keys: Vec<_> = keys.into_iter().filter_map(|key| key.key).collect();
            StagedChangesError::new_err((message, keys))
        }
        Error::MergeConflicts { conflicts } => with_conflicts(message, &conflicts),
        Error::ValueSource { key, source } => stream::of_source(key, source),
        error => class_of_version(&error).error(message),
    }
}

/// The exception for an error of the SQL layer.
#[cfg(feature = "sql")]
fn of_sql(error: &prolly_sql::Error) -> PyErr {
    use prolly_sql::Error;
    let message = error.to_string();
    match error {
        Error::Damaged { .. } => CorruptionError::new_err(message),
        Error::TransactionConflict { .. } => TransactionConflictError::new_err(message),
        _ => SqlError::new_err(message),
    }
}

/// The exception for an error of merging this branch.
fn of_merge(branch: &str, error: prolly_version::Error) -> PyErr {
    use prolly_version::Error;
    if !matches!(class_of_version(&error), Class::Merge) {
        return of_version(error);
    }
    let message = format!("cannot merge {branch:?}: {error}");
    match error {
        Error::MergeConflicts { conflicts } => with_conflicts(message, &conflicts),
        _ => MergeError::new_err(message),
    }
}

/// The `MergeError` with these conflicts.
fn with_conflicts(message: String, conflicts: &[prolly_version::MergeConflict]) -> PyErr {
    Python::attach(|py| {
        let conflicts: PyResult<Vec<_>> =
            conflicts.iter().map(|conflict| Ok(types::merge_conflict(py, conflict)?.unbind())).collect();
        match conflicts {
            Ok(conflicts) => MergeError::new_err((message, conflicts)),
            Err(error) => error,
        }
    })
}

/// The `KeyError` of this key.
pub(crate) fn key_not_found(key: &[u8]) -> PyErr {
    Python::attach(|py| KeyNotFoundError::new_err(PyBytes::new(py, key).unbind()))
}

/// Does what an object has left to do when Python drops it, without the interpreter lock. Nobody is there to hear of a
/// failure, so it goes to `sys.unraisablehook`.
pub(crate) fn while_finalizing(work: impl Send + FnOnce() -> Outcome<()>) {
    // Objects are dropped by threads that hold the lock.
    Python::attach(|py| {
        if let Err(failure) = py.detach(work) {
            PyErr::from(failure).write_unraisable(py, None);
        }
    });
}
