//! The commit graph: what the version layer needs of the place that commits, refs and objects live in.
//!
//! Two implementations: [`native`](crate::native) keeps commits as objects beside the nodes, `git` as Git commits.
//!
//! **Invariant:** refs move only in [`CommitGraph::publish`] and [`CommitGraph::update_refs`], by compare-and-swap, and a
//! ref never names a commit of which anything is missing.

use std::{fmt, str::FromStr, sync::Arc};

use prolly_core::{Hash, Link, Locator, Node, NodeReader};

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

    /// Where the graph keeps an object that is not pending, for links that carry no hint: a hint itself.
    fn placed(&self, _hash: &Hash) -> Locator {
        Locator::NONE
    }

    /// Hears where the graph has put a pending object: a hint, since the publish may still fail.
    fn place(&self, _hash: &Hash, _locator: Locator) {}
}

/// Which ids a graph has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GraphKind {
    /// Commits are records, named by 32 bytes.
    Native,
    /// Commits are Git commits, named by 20 bytes.
    Git,
}

/// A parent of a commit of a [`Batch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Parent {
    /// A commit that is stored.
    Stored(CommitId),
    /// An earlier commit of the batch, by its place in it.
    Earlier(usize),
    /// A commit that this store does without: the history ends here. Native graph only.
    NotFetched(CommitId),
}

impl fmt::Display for Parent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stored(id) | Self::NotFetched(id) => id.fmt(f),
            Self::Earlier(index) => write!(f, "commit {index} of the batch"),
        }
    }
}

/// A commit as the graph it was made in has it, to be kept byte for byte by another graph of that kind.
#[derive(Clone, Debug)]
pub struct Original {
    /// Its id there.
    pub id: CommitId,
    /// Its encoding there.
    pub encoded: Vec<u8>,
}

/// A commit of a [`Batch`].
#[derive(Clone, Debug)]
pub struct BatchCommit {
    /// The root node of its catalog.
    pub root: Arc<Node>,
    /// The commits it is made on.
    pub parents: Vec<Parent>,
    /// Who made the change.
    pub author: Signature,
    /// Who makes the commit.
    pub committer: Signature,
    /// The message.
    pub message: String,
    /// Set when the commit comes from a graph of the same kind: it is refused unless it gets the same id here.
    pub original: Option<Original>,
}

impl BatchCommit {
    /// The commit as a draft, given the ids of the earlier ones of its batch.
    ///
    /// # Errors
    /// [`Error::InvalidCommit`] when a parent is no earlier commit of the batch.
    pub(crate) fn draft(&self, earlier: &[CommitId]) -> Result<CommitDraft> {
        let parent = |parent: &Parent| match parent {
            Parent::Stored(id) | Parent::NotFetched(id) => Ok(*id),
            Parent::Earlier(index) => earlier.get(*index).copied().ok_or_else(|| Error::InvalidCommit {
                reason: format!(
                    "its parent is commit {index} of a batch, and it is commit {}",
                    earlier.len()
                ),
            }),
        };
        Ok(CommitDraft {
            root: Arc::clone(&self.root),
            parents: self.parents.iter().map(parent).collect::<Result<_>>()?,
            author: self.author.clone(),
            committer: self.committer.clone(),
            message: self.message.clone(),
        })
    }

    /// Checks that the commit got the id it has where it comes from.
    pub(crate) fn check_id(&self, id: &CommitId) -> Result<()> {
        match &self.original {
            Some(original) if original.id != *id => Err(Error::DamagedCommit {
                id: original.id,
                reason: format!("its contents have the id {id}"),
            }),
            _ => Ok(()),
        }
    }
}

/// An edit of a ref that may name a commit of the same [`Batch`].
#[derive(Clone, Debug)]
pub struct BatchEdit {
    /// The edit.
    pub edit: RefEdit,
    /// Which commit of the batch the ref shall hold, in place of what `edit.new` says.
    pub holds: Option<usize>,
}

/// Commits, what they need, and edits of refs: published together.
#[derive(Clone, Copy)]
pub struct Batch<'a> {
    /// The new objects that the commits need.
    pub objects: &'a dyn PendingObjects,
    /// The commits, parents first.
    pub commits: &'a [BatchCommit],
    /// The edits of refs.
    pub edits: &'a [BatchEdit],
    /// Who moves the refs, for their logs; `None` stands for the graph's own identity, now.
    pub signature: Option<&'a Signature>,
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
    /// How many of those were parts or lists of blobs.
    pub blobs_removed: u64,
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
    /// When the commit is damaged, is not one of ours, or the store fails; [`Error::NotFetched`] when it was left behind
    /// by a shallow fetch.
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
    /// [`Error::MissingCommit`] when it shall stand on a commit that is not there (any more); others when the store fails.
    fn set_head(&self, head: &Head) -> Result<()>;

    /// Writes commits with everything they need and edits refs: durably and all or nothing. Returns the ids of the
    /// commits. What a commit needs and is not among the objects is reachable from its parents, or from a ref.
    ///
    /// # Errors
    /// [`Error::RefMoved`] when a ref does not hold what was expected, [`Error::MissingCommit`] for a parent that is not
    /// stored, [`Error::DamagedCommit`] for a commit that would not get the id of its original. Nothing is changed then.
    fn publish_batch(&self, batch: &Batch<'_>) -> Result<Vec<CommitId>>;

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
    ) -> Result<CommitId> {
        let CommitDraft { root, parents, author, committer, message } = draft.clone();
        let parents = parents.into_iter().map(Parent::Stored).collect();
        let commit = BatchCommit { root, parents, author, committer, message, original: None };
        let edit = edit.map(|edit| BatchEdit { edit: edit.clone(), holds: Some(0) });
        let ids = self.publish_batch(&Batch {
            objects,
            commits: &[commit],
            edits: edit.as_slice(),
            signature: Some(&draft.committer),
        })?;
        Ok(ids[0])
    }

    /// Edits refs: all of them or none.
    ///
    /// # Errors
    /// [`Error::RefMoved`] when one does not hold what was expected, [`Error::MissingCommit`] when one shall name a commit
    /// that is not there (any more), [`Error::NotFetched`] when it was left behind.
    fn update_refs(&self, edits: &[RefEdit]) -> Result<()>;

    /// Which ids the graph has.
    fn kind(&self) -> GraphKind;

    /// A commit byte for byte; `None` when there is none of this id.
    ///
    /// # Errors
    /// As [`CommitGraph::read_commit`]; [`Error::NotFetched`] when a parent of it was left behind by a shallow clone
    /// that [`CommitGraph::read_commit`] does not tell of.
    fn original(&self, id: &CommitId) -> Result<Option<Original>>;

    /// Whether an object is stored, perhaps unreachable, as far as can be told cheaply: `false` says nothing.
    ///
    /// # Errors
    /// When the store fails.
    fn may_have(&self, link: &Link) -> Result<bool>;

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
