//! The commit graph: what the version layer needs of the place that commits, refs and objects live in.
//!
//! Two implementations: [`native`](crate::native) keeps commits as objects beside the nodes, `git` as Git commits.
//!
//! **Invariant:** refs move only in [`CommitGraph::publish`] and [`CommitGraph::update_refs`], by compare-and-swap, and a
//! ref never names a commit of which anything is missing.

use std::{fmt, str::FromStr, sync::Arc};

use prolly_core::{Link, Node, NodeReader};

use crate::{Error, Result};

/// Names a commit: 20 bytes in the Git graph (40 hex digits), 32 in the native one (64 hex digits).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitId {
    bytes: [u8; 32],
    len: u8,
}

impl CommitId {
    /// Wraps 20 or 32 bytes; `None` for any other length.
    pub fn from_slice(slice: &[u8]) -> Option<Self> {
        let mut bytes = [0; 32];
        match slice.len() {
            20 | 32 => bytes[..slice.len()].copy_from_slice(slice),
            _ => return None,
        }
        Some(Self { bytes, len: u8::try_from(slice.len()).ok()? })
    }

    /// The bytes of the id: 20 or 32.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_slice().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CommitId({self})")
    }
}

impl FromStr for CommitId {
    type Err = Error;

    /// Parses 40 or 64 hex digits.
    fn from_str(text: &str) -> Result<Self> {
        let invalid =
            || Error::InvalidRevision { revision: text.to_owned(), reason: "not a commit id".to_owned() };
        let digits = |pair: &[u8]| {
            let text = std::str::from_utf8(pair).ok()?;
            if pair.iter().all(u8::is_ascii_hexdigit) { u8::from_str_radix(text, 16).ok() } else { None }
        };
        let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(digits).collect();
        let bytes = bytes.filter(|bytes| bytes.len() * 2 == text.len()).ok_or_else(invalid)?;
        Self::from_slice(&bytes).ok_or_else(invalid)
    }
}

/// Who did something, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Name, without `<`, `>` and line breaks.
    pub name: String,
    /// Mail address, without `<`, `>` and line breaks.
    pub email: String,
    /// Seconds since 1970-01-01 00:00 UTC.
    pub seconds: i64,
    /// Offset of the local time from UTC, in minutes.
    pub offset_minutes: i32,
}

/// A commit as it was read.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Its name.
    pub id: CommitId,
    /// The root node of its catalog, with the store's hint.
    pub root: Link,
    /// The commits it was made on: none for the first, two or more for a merge.
    pub parents: Vec<CommitId>,
    /// Who made the change.
    pub author: Signature,
    /// Who made the commit.
    pub committer: Signature,
    /// The message, as given.
    pub message: String,
}

/// A commit that is to be written.
#[derive(Clone, Debug)]
pub struct CommitDraft {
    /// The root node of its catalog.
    pub root: Arc<Node>,
    /// The commits it is made on.
    pub parents: Vec<CommitId>,
    /// Who made the change.
    pub author: Signature,
    /// Who makes the commit.
    pub committer: Signature,
    /// The message.
    pub message: String,
}

/// New objects that a commit needs, by address. What is not in here is in the graph's store already, reachable from
/// one of the commit's parents or from another ref.
pub trait PendingObjects: Send + Sync {
    /// The new node with this address.
    ///
    /// # Errors
    /// When the pending objects cannot be read back.
    fn node(&self, link: &Link) -> Result<Option<Arc<Node>>>;

    /// The encoding of the new record with this address.
    ///
    /// # Errors
    /// When the pending objects cannot be read back.
    fn record(&self, link: &Link) -> Result<Option<Arc<[u8]>>>;
}

/// What a ref must hold for an edit to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The ref must not exist.
    Absent,
    /// The ref must name this commit.
    Commit(CommitId),
}

/// An edit of one ref by compare-and-swap.
#[derive(Clone, Debug)]
pub struct RefEdit {
    /// Full name, such as `refs/heads/main`; checked with [`check_ref_name`](crate::check_ref_name).
    pub name: String,
    /// What it must hold now.
    pub expected: Expected,
    /// What it shall hold; `None` deletes it.
    pub new: Option<CommitId>,
    /// Line for the log of the ref, where the graph keeps one.
    pub log: String,
}

/// Where the store stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Head {
    /// On a branch: its full ref name, which need not exist yet.
    Branch(String),
    /// On a commit that is not the tip of a branch.
    Detached(CommitId),
}

/// What a garbage collection did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GcReport {
    /// Objects before.
    pub objects_before: u64,
    /// Objects removed.
    pub objects_removed: u64,
    /// Bytes on disk before; 0 in memory.
    pub bytes_before: u64,
    /// Bytes on disk after; 0 in memory.
    pub bytes_after: u64,
}

/// Commits, refs and objects.
pub trait CommitGraph: Send + Sync {
    /// Reads published objects, through a bounded cache.
    fn objects(&self) -> Arc<dyn NodeReader>;

    /// Reads a commit; `None` when there is none of this id.
    ///
    /// # Errors
    /// When the commit is damaged, is not one of ours, or the store fails.
    fn read_commit(&self, id: &CommitId) -> Result<Option<Commit>>;

    /// Commits whose id begins with `hex` (at least 4 lowercase hex digits): up to `limit` of them.
    ///
    /// # Errors
    /// When the store fails.
    fn commits_by_prefix(&self, hex: &str, limit: usize) -> Result<Vec<CommitId>>;

    /// The commit that a full ref name holds (annotated tags peeled), `None` when there is no such ref.
    ///
    /// # Errors
    /// When the ref is damaged or the store fails.
    fn read_ref(&self, name: &str) -> Result<Option<CommitId>>;

    /// All refs whose full name begins with `prefix`, sorted by name.
    ///
    /// # Errors
    /// When a ref is damaged or the store fails.
    fn refs(&self, prefix: &str) -> Result<Vec<(String, CommitId)>>;

    /// Where the store stands.
    ///
    /// # Errors
    /// When it is damaged or the store fails.
    fn head(&self) -> Result<Head>;

    /// Moves where the store stands; touches no branch.
    ///
    /// # Errors
    /// When the store fails.
    fn set_head(&self, head: &Head) -> Result<()>;

    /// Writes a commit with everything it needs, and moves a ref to it: durably and all or nothing.
    ///
    /// `edit.new` is ignored: the new commit takes its place. With no edit the commit is written but nothing names it.
    ///
    /// # Errors
    /// [`Error::RefMoved`] when the ref does not hold what was expected; nothing is changed then.
    fn publish(
        &self,
        objects: &dyn PendingObjects,
        draft: &CommitDraft,
        edit: Option<&RefEdit>,
    ) -> Result<CommitId>;

    /// Edits refs: all of them or none.
    ///
    /// # Errors
    /// [`Error::RefMoved`] when one does not hold what was expected.
    fn update_refs(&self, edits: &[RefEdit]) -> Result<()>;

    /// The name and mail address to sign with, when the graph's own configuration has them.
    ///
    /// # Errors
    /// When the configuration cannot be read.
    fn identity(&self) -> Result<Option<(String, String)>>;

    /// Removes what no ref reaches and packs what is left.
    ///
    /// # Errors
    /// When the store fails or something reachable is damaged; nothing is removed then.
    fn collect_garbage(&self) -> Result<GcReport>;

    /// Directory where this store's staging journal may be kept; `None` in memory.
    fn staging_dir(&self) -> Option<std::path::PathBuf>;
}
