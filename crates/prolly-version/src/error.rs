//! What can go wrong with versions, each case naming what it concerns.

use crate::CommitId;

/// The result of an operation on versions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the version layer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The tree layer failed.
    #[error(transparent)]
    Tree(#[from] prolly_core::Error),
    /// A ref did not hold what was expected: somebody else moved it.
    #[error("{name} moved: expected {}, found {}", or_nothing(.expected), or_nothing(.found))]
    RefMoved {
        /// Full name of the ref.
        name: String,
        /// What it should have held.
        expected: Option<CommitId>,
        /// What it holds.
        found: Option<CommitId>,
    },
    /// A revision does not follow the syntax, or leads nowhere.
    #[error("invalid revision {revision:?}: {reason}")]
    InvalidRevision {
        /// As given.
        revision: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A name is not allowed for a ref.
    #[error("invalid ref name {name:?}: {reason}")]
    InvalidRefName {
        /// As given.
        name: String,
        /// The rule it breaks.
        reason: &'static str,
    },
}

fn or_nothing(id: &Option<CommitId>) -> String {
    id.map_or_else(|| "nothing".to_owned(), |id| id.to_string())
}
