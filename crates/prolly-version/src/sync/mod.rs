//! Copies commits, with everything they need, between two stores of any kind: [`clone`], [`fetch`], [`push`].
//!
//! ```text
//! missing    which commits the other side lacks             old       the trees that a tree is compared with
//! transfer   which objects those commits need, in order     batch     what has arrived, and how it is published
//! ids        ids of one graph in the other                  left_out  what a partial or shallow store does without
//! fetch, push   which refs move, and when
//! ```
//!
//! Commits are walked newest first from what is wanted down to what the refs of the destination reach. Of each commit
//! that is missing, parents first, the catalog and the trees are compared with those of its parents: equal hashes are
//! skipped at every level, so the cost is that of what changed. An object is copied only if the destination does not
//! hold it already, as far as it can tell cheaply.
//!
//! Objects arrive children before parents, and are published in batches. What has arrived before the end is held by a ref
//! below `refs/prolly/incoming/`, so that it is neither swept nor, when the work is taken up again, sent once more.
//!
//! **Invariant:** no ref but those ever names what has not arrived whole; the refs that were asked for move at the end, by
//! compare-and-swap. Every object is checked against the address that was asked for, whatever its source says.

mod batch;
mod fetch;
mod ids;
mod left_out;
mod missing;
mod old;
mod push;
mod transfer;

use std::{num::NonZeroU32, ops::ControlFlow};

pub use fetch::{clone, fetch};
pub(crate) use left_out::{MarkedReader, Marks};
pub use push::{Force, PushSpec, push};

use crate::{CommitId, TreeKey};

/// How far a synchronisation has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Commits copied.
    pub commits: u64,
    /// Commits to be copied in all; `None` before that is known.
    pub commits_total: Option<u64>,
    /// Objects copied, commits not counted.
    pub objects: u64,
    /// Their bytes, as stored without compression, and those of the commits.
    pub bytes: u64,
}

/// Hears of progress after every object, and says whether to go on. What has arrived is kept in either case.
pub type OnProgress<'a> = &'a mut dyn FnMut(&Progress) -> ControlFlow<()>;

/// Which trees of each commit are fetched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trees {
    /// Those that were fetched before; in a store that does without none, all.
    #[default]
    AsBefore,
    /// All of them, also those of commits that were fetched without.
    All,
    /// These alone, also of commits that were fetched without. The destination must be a native graph.
    Only(Vec<TreeKey>),
}

/// How much of a history is fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depth {
    /// Everything that is new; a shallow store stays shallow where it is.
    #[default]
    AsBefore,
    /// Everything, also what a shallow store lacks.
    Full,
    /// At most so many commits in each line behind a tip. Both must be native graphs.
    Commits(NonZeroU32),
}

/// What to fetch.
#[derive(Clone, Debug)]
pub struct FetchOptions {
    /// Short names of the branches; `None` takes all of them.
    pub branches: Option<Vec<String>>,
    /// Whether tags come along: all of them with all branches, else those on commits that the destination has in the
    /// end.
    pub tags: bool,
    /// Which trees.
    pub trees: Trees,
    /// How much of the history.
    pub depth: Depth,
    /// Whether remembered branches that the other store no longer has are forgotten.
    pub prune: bool,
    /// How many bytes of objects are gathered in memory before they are published. With more of them it is faster; what is
    /// gathered is lost when the process dies.
    pub batch_bytes: usize,
}

/// How many bytes are gathered unless something else is asked for.
const BATCH_BYTES: usize = 16 << 20;

impl Default for FetchOptions {
    fn default() -> Self {
        Self {
            branches: None,
            tags: true,
            trees: Trees::AsBefore,
            depth: Depth::AsBefore,
            prune: false,
            batch_bytes: BATCH_BYTES,
        }
    }
}

/// A ref that a synchronisation moved, or left because it would not move it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefUpdate {
    /// Full name, in the destination.
    pub name: String,
    /// What it held.
    pub old: Option<CommitId>,
    /// What it holds now; `None` when it was deleted.
    pub new: Option<CommitId>,
}

/// What a synchronisation did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncReport {
    /// Commits copied.
    pub commits: u64,
    /// Objects copied, commits not counted.
    pub objects: u64,
    /// Their bytes, as stored without compression, and those of the commits.
    pub bytes: u64,
    /// Refs that moved, by name.
    pub refs: Vec<RefUpdate>,
    /// Tags of the other store that name other commits here, and were left as they are: full names.
    pub tags_kept: Vec<String>,
}
