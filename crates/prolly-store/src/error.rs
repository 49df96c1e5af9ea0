//! What can go wrong in a store, each case naming the path, ref or object it concerns.

use std::{fmt, io, path::PathBuf, time::Duration};

use prolly_core::{Hash, TreeConfig};

use crate::Expected;

/// The result of a store operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused an operation on a file or directory.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, such as "write".
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A ref does not hold what an edit expected: somebody else moved it. Nothing was changed.
    #[error("ref {name:?} moved: expected {expected}, found {}", Shown(.found.as_deref()))]
    RefMoved {
        /// Name of the ref.
        name: String,
        /// What the edit expected.
        expected: Expected,
        /// What it holds; `None` when there is no such ref.
        found: Option<Vec<u8>>,
    },
    /// A ref's name or value is not one that a store keeps, or one publish edits the same ref twice.
    #[error("invalid edit of ref {name:?}: {reason}")]
    InvalidRef {
        /// Name of the ref, as given.
        name: String,
        /// The rule it breaks.
        reason: String,
    },
    /// An object is longer than a store keeps.
    #[error("object {hash} has {len} bytes, a store keeps up to {max}")]
    ObjectTooLong {
        /// Its address.
        hash: Hash,
        /// Its length in bytes.
        len: usize,
        /// The longest allowed, in bytes.
        max: usize,
    },
    /// The path holds something, but not a store of this kind.
    #[error("{} is not a {kind} store: {reason}", path.display())]
    NotAStore {
        /// The path that was opened.
        path: PathBuf,
        /// The kind of store it was opened as.
        kind: &'static str,
        /// What is there instead.
        reason: String,
    },
    /// The store was written by a newer version.
    #[error(
        "{} is a {kind} store of format version {found}, this build reads up to {supported}",
        path.display()
    )]
    NewerStore {
        /// Path of the store.
        path: PathBuf,
        /// The kind of store.
        kind: &'static str,
        /// The version found.
        found: u32,
        /// The newest version this build understands.
        supported: u32,
    },
    /// A file of the store is damaged, in a way that concerns more than one object.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// What is stored of an object cannot be turned into its bytes.
    #[error("object {hash} is damaged: {reason}")]
    DamagedObject {
        /// Its address.
        hash: Hash,
        /// What is wrong with it.
        reason: String,
    },
    /// Another process holds the store and did not let go of it in time.
    #[error("{} is in use by another process (waited {waited:?})", path.display())]
    Busy {
        /// Path of the store.
        path: PathBuf,
        /// How long this process waited.
        waited: Duration,
    },
    /// A transaction that failed before was used again.
    #[error("the transaction has failed before and can only be dropped")]
    TransactionOver,
    /// A saved tree was opened with another configuration than its own.
    #[error("the tree {name:?} has the configuration {stored:?} and cannot be opened with {given:?}")]
    OtherConfig {
        /// Name of its ref.
        name: String,
        /// Its own configuration.
        stored: Box<TreeConfig>,
        /// The one given.
        given: Box<TreeConfig>,
    },
    /// The tree layer failed.
    #[error(transparent)]
    Tree(#[from] prolly_core::Error),
    /// The redb database below failed.
    #[error("cannot {action} {}: {source}", path.display())]
    Redb {
        /// What was tried.
        action: &'static str,
        /// The database file.
        path: PathBuf,
        /// What redb said.
        #[source]
        source: Box<redb::Error>,
    },
}

impl Error {
    /// Makes a closure that wraps what the operating system said about `path`.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}

impl From<Error> for prolly_core::Error {
    /// Damage to one object is damage for the tree too; everything else is a failure of the store.
    fn from(error: Error) -> Self {
        match error {
            Error::DamagedObject { hash, reason } => Self::Corrupt { hash, reason },
            Error::Tree(error) => error,
            other => Self::store(other),
        }
    }
}

/// Shows an opaque ref value: as text where it is printable, in hex digits otherwise.
pub(crate) struct Shown<'a>(pub(crate) Option<&'a [u8]>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(bytes) = self.0 else { return f.write_str("nothing") };
        match std::str::from_utf8(bytes) {
            Ok(text) if !text.is_empty() && !text.chars().any(char::is_control) => f.write_str(text),
            _ => bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_what_they_concern() {
        let error = Error::RefMoved {
            name: "refs/heads/main".into(),
            expected: Expected::Value(vec![0xab, 0x01]),
            found: None,
        };
        assert_eq!(error.to_string(), "ref \"refs/heads/main\" moved: expected ab01, found nothing");
        let error = Error::io("write", "/x/y")(io::Error::from(io::ErrorKind::StorageFull));
        assert!(error.to_string().starts_with("cannot write /x/y: "), "{error}");
        let core = prolly_core::Error::from(error);
        assert!(core.to_string().contains("/x/y"), "{core}");
    }
}
