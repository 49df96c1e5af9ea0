//! How a store is opened.

use std::{fmt, sync::Arc, time::SystemTime};

use prolly_core::TreeConfig;
use prolly_store::{DEFAULT_CACHE_BYTES, DEFAULT_SPILL_BYTES};

use crate::{Error, Result, Signature};

/// Edits gathered before a tree is rewritten, unless configured: with the node cache and the staged nodes in memory, a
/// bulk load stays well under 200 MB.
const FLUSH_BYTES: usize = 32 << 20;

/// Where a store keeps its objects, commits and refs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BackendKind {
    /// In memory, for as long as a handle is kept.
    Memory,
    /// In files of a directory, with the native commit graph.
    File,
    /// In one redb database, with the native commit graph.
    Redb,
    /// In a Git repository: commits are Git commits.
    Git,
}

impl BackendKind {
    /// The name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::File => "file",
            Self::Redb => "redb",
            Self::Git => "Git",
        }
    }
}

impl fmt::Display for BackendKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Who signs a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Name, without `<`, `>` and line breaks.
    pub name: String,
    /// Mail address, without `<`, `>` and line breaks.
    pub email: String,
}

/// A moment, as commits are dated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamp {
    /// Seconds since 1970-01-01 00:00 UTC.
    pub seconds: i64,
    /// Offset of the local time from UTC, in minutes.
    pub offset_minutes: i32,
}

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How a store is opened. `Options::default()` suits most.
#[derive(Clone)]
#[non_exhaustive]
pub struct Options {
    /// Which kind of store; `None` takes the one that is there, and Git for a new one.
    pub backend: Option<BackendKind>,
    /// Whether to make the store when there is none.
    pub create: bool,
    /// The configuration of the default tree. A new store is made with it (or with [`TreeConfig::default`]); an existing
    /// one that has another is refused. `None` takes what is there.
    pub config: Option<TreeConfig>,
    /// The branch to stand on at first, in place of the one where the store was left; a new store begins with it.
    pub branch: Option<String>,
    /// Who signs commits; `None` asks the graph (Git's `user.name` and `user.email`), then takes
    /// `prollytree <prollytree@localhost>`.
    pub identity: Option<Identity>,
    /// Tells the time that commits are dated with. The default is the system's, in UTC.
    pub clock: Clock,
    /// Whether commits to a Git store are made durable in one journal first, and in their own place a little later: each then
    /// waits for the disk once instead of five times. After a power cut, Git itself may see an older state, or a damaged
    /// one, until the store has been opened once. Nothing changes where the system does not tell its runs apart: only Linux
    /// does. Other backends need no such thing.
    pub commit_journal: bool,
    /// How many bytes of decoded nodes are kept in memory.
    pub cache_bytes: usize,
    /// How many bytes of edits each tree gathers in memory before it is rewritten with them.
    pub flush_bytes: usize,
    /// How many bytes of staged nodes are kept in memory before they go to a temporary file.
    pub spill_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            backend: None,
            create: true,
            config: None,
            branch: None,
            identity: None,
            clock: Arc::new(system_time),
            commit_journal: false,
            cache_bytes: DEFAULT_CACHE_BYTES,
            flush_bytes: FLUSH_BYTES,
            spill_bytes: DEFAULT_SPILL_BYTES,
        }
    }
}

impl Options {
    /// The default options with a backend.
    pub fn new(backend: BackendKind) -> Self {
        Self { backend: Some(backend), ..Self::default() }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("backend", &self.backend)
            .field("create", &self.create)
            .field("config", &self.config)
            .field("branch", &self.branch)
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

impl Identity {
    /// Dates and checks a signature.
    ///
    /// # Errors
    /// [`Error::InvalidCommit`] when name or mail address have characters that Git's format has no room for.
    pub(crate) fn sign(&self, time: Timestamp) -> Result<Signature> {
        for (what, text) in [("name", &self.name), ("mail address", &self.email)] {
            if text.contains(['<', '>', '\n', '\r', '\0']) {
                let reason = format!("the {what} {text:?} contains <, > or a line break");
                return Err(Error::InvalidCommit { reason });
            }
        }
        Ok(Signature {
            name: self.name.clone(),
            email: self.email.clone(),
            seconds: time.seconds,
            offset_minutes: time.offset_minutes,
        })
    }
}

fn system_time() -> Timestamp {
    let since = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH);
    let seconds = match since(SystemTime::now()) {
        Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_secs()).unwrap_or(i64::MAX),
    };
    Timestamp { seconds, offset_minutes: 0 }
}
