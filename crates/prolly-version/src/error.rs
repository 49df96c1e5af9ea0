//! What can go wrong with versions, each case naming what it concerns.

use std::{fmt, path::PathBuf};

use prolly_core::TreeConfig;

use crate::{CommitId, KeyInTree, MergeConflict, TreeKey, TreeKind};

/// The result of an operation on versions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the version layer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The tree layer failed, or the store below it.
    #[error(transparent)]
    Tree(#[from] prolly_core::Error),
    /// The object store failed.
    #[error(transparent)]
    Backend(#[from] prolly_store::Error),
    /// A file could not be used.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },

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
    /// A name is not allowed for a ref.
    #[error("invalid ref name {name:?}: {reason}")]
    InvalidRefName {
        /// As given.
        name: String,
        /// The rule it breaks.
        reason: &'static str,
    },
    /// A ref cannot be made beside another: one name would be a directory of the other.
    #[error("cannot create {name}: {existing} exists")]
    RefNameTaken {
        /// Full name of the ref that was to be made.
        name: String,
        /// Full name of the one in the way.
        existing: String,
    },
    /// No branch has this name.
    #[error("there is no branch {name:?}")]
    UnknownBranch {
        /// As given.
        name: String,
    },
    /// A branch of this name exists.
    #[error("branch {name:?} exists already")]
    BranchExists {
        /// As given.
        name: String,
    },
    /// The branch that the store stands on cannot be deleted.
    #[error("branch {name:?} cannot be deleted: the store stands on it")]
    BranchInUse {
        /// As given.
        name: String,
    },
    /// The branch that the store stands on has no commits, so it names no revision.
    #[error("branch {} has no commits", short(.branch))]
    UnbornBranch {
        /// Its full ref name.
        branch: String,
    },
    /// No tag has this name.
    #[error("there is no tag {name:?}")]
    UnknownTag {
        /// As given.
        name: String,
    },
    /// A tag of this name exists.
    #[error("tag {name:?} exists already")]
    TagExists {
        /// As given.
        name: String,
    },

    /// Nothing has the name of this revision.
    #[error("unknown revision {revision:?}")]
    UnknownRevision {
        /// As given.
        revision: String,
    },
    /// An abbreviated id fits several commits.
    #[error("revision {revision:?} is ambiguous: it could be {}", listed(.candidates))]
    AmbiguousRevision {
        /// As given.
        revision: String,
        /// What it could be (at most 16 of them).
        candidates: Vec<CommitId>,
    },
    /// A revision does not follow the syntax, or leads nowhere.
    #[error("invalid revision {revision:?}: {reason}")]
    InvalidRevision {
        /// As given.
        revision: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A commit that something links to is not in the store: the store has lost data.
    #[error("commit {id} is missing from the store")]
    MissingCommit {
        /// Its id.
        id: CommitId,
    },
    /// A commit does not follow the format.
    #[error("commit {id} is damaged: {reason}")]
    DamagedCommit {
        /// Its id.
        id: CommitId,
        /// What is wrong with it.
        reason: String,
    },
    /// A commit is none of ours: somebody made it by other means.
    #[error("commit {id} was not made by prollytree: {reason}")]
    ForeignCommit {
        /// Its id.
        id: CommitId,
        /// What it lacks.
        reason: String,
    },

    /// A commit was left behind when this history was fetched without its beginning. Fetching it completes the history.
    #[error("commit {id} was not fetched: the history here is shallow")]
    NotFetched {
        /// Its id.
        id: CommitId,
    },
    /// A branch of another store would lose commits.
    #[error(
        "{name} of the other store is at {found}, which {new} does not contain; fetch and merge it, or force the push"
    )]
    NonFastForward {
        /// Full name of the ref.
        name: String,
        /// The commit it names there.
        found: CommitId,
        /// The commit that it was to name.
        new: CommitId,
    },
    /// The other store stands on a branch that a push would delete or take commits from.
    #[error("{name} cannot be {action}: the other store stands on it, and may have changes staged there")]
    CheckedOut {
        /// Full name of the ref.
        name: String,
        /// What was to be done.
        action: &'static str,
    },
    /// Two stores cannot be synchronised in this way.
    #[error("cannot synchronise: {reason}")]
    CannotSync {
        /// What stands in the way.
        reason: String,
    },
    /// The caller stopped a synchronisation. What had arrived will not be sent again.
    #[error("the synchronisation was stopped")]
    Interrupted,

    /// The catalog of a commit does not follow the format.
    #[error("the catalog entry of {tree} is damaged: {reason}")]
    DamagedCatalog {
        /// Which entry.
        tree: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The store has no such tree.
    #[error("there is no {tree}")]
    UnknownTree {
        /// The tree asked for.
        tree: TreeKey,
    },
    /// A tree of this name exists.
    #[error("the {tree} exists already")]
    TreeExists {
        /// The tree that was to be made.
        tree: TreeKey,
    },
    /// A tree has another configuration than the one asked for.
    #[error("the {tree} was made with {stored:?}, it cannot be used with {given:?}")]
    ConfigMismatch {
        /// The tree.
        tree: TreeKey,
        /// Its configuration.
        stored: Box<TreeConfig>,
        /// The one asked for.
        given: Box<TreeConfig>,
    },

    /// Staged changes stand in the way: their keys differ between the two revisions.
    #[error("staged changes would be overwritten by {onto}: {}", listed(.keys))]
    StagedConflict {
        /// What was to be done.
        onto: String,
        /// The keys, all of them.
        keys: Vec<KeyInTree>,
    },
    /// The branch moved, and what was committed there overlaps with what is staged here.
    #[error(
        "{} moved from {} to {found}, and that changed what is staged here: {}",
        short(.branch), or_nothing(.expected), listed(.keys)
    )]
    BranchMoved {
        /// Full name of the branch.
        branch: String,
        /// The commit that the staged changes are based on.
        expected: Option<CommitId>,
        /// The commit that the branch names now.
        found: CommitId,
        /// The keys changed on both sides, all of them.
        keys: Vec<KeyInTree>,
    },
    /// A branch, or the commit that the store stands on, was to be merged into itself.
    #[error("{revision:?} cannot be merged into itself")]
    MergeIntoItself {
        /// As given.
        revision: String,
    },
    /// A merge commit cannot be undone without saying which of its parents to go back to.
    #[error("{revision:?} is a merge of {parents}: say which parent to go back to (mainline 1 to {parents})")]
    MainlineNeeded {
        /// As given.
        revision: String,
        /// Number of its parents.
        parents: usize,
    },
    /// Two revisions have no common ancestor.
    #[error("{ours} and {theirs} have no common history")]
    UnrelatedHistories {
        /// The commit that the store stands on.
        ours: CommitId,
        /// The commit that was to be merged.
        theirs: CommitId,
    },
    /// A merge has conflicts, and nothing to resolve them by.
    #[error("{} in conflict: {}", counted(.conflicts.len(), "key"), listed(.conflicts))]
    MergeConflicts {
        /// All of them.
        conflicts: Vec<MergeConflict>,
    },
    /// A resolver called a method that changes the store which is being merged.
    #[error("the store is being merged: a resolver cannot change it")]
    Merging,
    /// A tree of a kind that nothing knows how to merge changed on both sides.
    #[error("the {tree} changed on both sides, and trees of {kind} cannot be merged here")]
    NoMergeDriver {
        /// The tree.
        tree: TreeKey,
        /// Its kind.
        kind: TreeKind,
    },
    /// What is said of a tree beside its entries changed on both sides.
    #[error("the {tree} cannot be merged: {reason}")]
    CannotMerge {
        /// The tree.
        tree: TreeKey,
        /// What stands in the way.
        reason: String,
    },

    /// The directory holds something other than a store.
    #[error("{} is not a prollytree store: {reason}", path.display())]
    NotAStore {
        /// The directory.
        path: PathBuf,
        /// What it holds, and what to do.
        reason: String,
    },
    /// The directory holds a store of another backend than the one asked for.
    #[error("{} is a {found} store, not a {asked} store", path.display())]
    OtherBackend {
        /// The directory.
        path: PathBuf,
        /// What is there.
        found: &'static str,
        /// What was asked for.
        asked: &'static str,
    },
    /// Something was written by a newer version of this software.
    #[error("{what} has format version {found}, this build reads up to {supported}")]
    NewerFormat {
        /// What.
        what: String,
        /// The version found.
        found: u8,
        /// The newest version this build understands.
        supported: u8,
    },
    /// A ref's file does not hold what a ref may hold, or leads to something other than a commit.
    #[error("ref {name} is damaged: {reason}")]
    DamagedRef {
        /// Its full name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A store that is a clone with a work tree cannot be made ready for writing.
    #[error("{} cannot be written to as a store: {reason}", path.display())]
    WorkTreeInUse {
        /// The directory.
        path: PathBuf,
        /// What stands in the way.
        reason: String,
    },
    /// Somebody else holds a lock for too long.
    #[error("{} is locked: another process is at work there, or one died and left it behind", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// A commit cannot be recorded as it is.
    #[error("cannot make this commit: {reason}")]
    InvalidCommit {
        /// Which part, and why.
        reason: String,
    },
    /// A file of the Git repository does not follow its format.
    #[error("{} is damaged: {reason}", path.display())]
    DamagedFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The Git object database failed.
    #[error("cannot {action} Git object {object}: {source}")]
    GitObject {
        /// What was tried.
        action: &'static str,
        /// The id of the object, or the beginning of it.
        object: String,
        /// What the object database said.
        source: prolly_core::Source,
    },
    /// The stream that a value was to be read from failed.
    #[error("the value of key \"{}\" could not be read: {source}", key.escape_ascii())]
    ValueSource {
        /// The key.
        key: Vec<u8>,
        /// What the stream said.
        source: std::io::Error,
    },
    /// A staging journal is damaged in the middle.
    #[error(
        "the staging journal {} is damaged at byte {offset}: {reason}; move it away to open the store without the \
         changes it holds",
        path.display()
    )]
    DamagedJournal {
        /// The file.
        path: PathBuf,
        /// Where.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// The store was opened by a process of which this one is a fork.
    #[error("{} was opened before this process was forked; open it again here", path.display())]
    Forked {
        /// The directory of the store.
        path: PathBuf,
    },
    /// The store is not opened for this kind of work.
    #[error("this build cannot use {what}: it was built without the feature {feature:?}")]
    NotBuilt {
        /// What was asked for.
        what: &'static str,
        /// The Cargo feature that has it.
        feature: &'static str,
    },
}

impl Error {
    /// Wraps what the system said of a file.
    pub fn io(action: &'static str, path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::Io { action, path: path.into(), source }
    }
}

/// How many items of a list a message shows; the error itself holds all of them.
const SHOWN_MAX: usize = 8;

fn listed<T: fmt::Display>(items: &[T]) -> String {
    let mut text = items.iter().take(SHOWN_MAX).map(T::to_string).collect::<Vec<_>>().join(", ");
    if items.len() > SHOWN_MAX {
        text.push_str(&format!(" and {} more", items.len() - SHOWN_MAX));
    }
    text
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

fn or_nothing(id: &Option<CommitId>) -> String {
    id.map_or_else(|| "nothing".to_owned(), |id| id.to_string())
}

fn short(full_name: &str) -> String {
    format!("{:?}", crate::branch_short_name(full_name).unwrap_or(full_name))
}
