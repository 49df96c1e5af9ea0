//! What can go wrong with namespaces, each case naming the one it concerns.

use prolly_version::Error as VersionError;

use crate::{NAME_BYTES_MAX, namespace_of};

/// The result of an operation on namespaces.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the namespace layer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The version layer failed, or what is below it.
    #[error(transparent)]
    Version(VersionError),
    /// A name is not allowed for a namespace.
    #[error("invalid namespace {name:?}: {reason} (a name is 1 to {NAME_BYTES_MAX} bytes of UTF-8)")]
    InvalidName {
        /// As given; for bytes that are no text, as they can be shown.
        name: String,
        /// The rule it breaks.
        reason: &'static str,
    },
    /// There is no namespace of this name.
    #[error("there is no namespace {name:?}")]
    UnknownNamespace {
        /// The namespace asked for.
        name: String,
    },
    /// A namespace of this name exists.
    #[error("namespace {name:?} exists already")]
    NamespaceExists {
        /// The namespace that was to be made.
        name: String,
    },
    /// The default namespace is always there under its name.
    #[error("the default namespace cannot be {action}")]
    DefaultNamespace {
        /// What was to be done to it.
        action: &'static str,
    },
}

impl From<VersionError> for Error {
    fn from(error: VersionError) -> Self {
        match &error {
            VersionError::UnknownTree { tree } => match namespace_of(tree) {
                Some(name) => Self::UnknownNamespace { name: name.to_owned() },
                None => Self::Version(error),
            },
            VersionError::TreeExists { tree } => match namespace_of(tree) {
                Some(name) => Self::NamespaceExists { name: name.to_owned() },
                None => Self::Version(error),
            },
            _ => Self::Version(error),
        }
    }
}

impl From<prolly_core::Error> for Error {
    fn from(error: prolly_core::Error) -> Self {
        Self::Version(error.into())
    }
}
