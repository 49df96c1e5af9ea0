//! Where the store keeps what is its own inside the Git directory. Git leaves it alone.
//!
//! ```text
//! prollytree/lock          the store's lock
//! prollytree/token         lock files and `.keep` files of ours are links to, or copies of, this file
//! prollytree/ref-journal   moves of several refs, while they are made
//! prollytree/commit-journal commits that are not durable in their own place yet (see `commit_journal`)
//! prollytree/tmp/          files in the making: worthless once the lock is free
//! prollytree/staging/      for the journals of staged changes
//! ```
//!
//! **Invariant:** nothing in here is needed to read a commit: a clone, which lacks it all, is whole.

use std::path::{Path, PathBuf};

use super::files;
use crate::Result;

/// What our lock files and `.keep` files hold.
pub(super) const TOKEN: &[u8] = b"held by prollytree\n";

/// Paths inside a Git directory.
pub(super) struct Layout {
    own: PathBuf,
}

impl Layout {
    pub(super) fn new(git_dir: &Path) -> Self {
        Self { own: git_dir.join("prollytree") }
    }

    /// Makes the directories, if they are not there.
    pub(super) fn create_dirs(&self) -> Result<()> {
        files::create_dir_all(&self.temporary_dir())
    }

    /// Makes the token, if it is not there. The lock must be held.
    pub(super) fn create_token(&self) -> Result<()> {
        if files::metadata(&self.token())?.is_some() {
            return Ok(());
        }
        // Under its final name only when it is whole.
        files::replace(&self.temporary("token"), &self.token(), TOKEN)
    }

    /// Removes what is worthless. The lock must be held.
    pub(super) fn clear_temporary(&self) -> Result<()> {
        for (name, _) in files::list(&self.temporary_dir())? {
            files::remove(&self.temporary(&name))?;
        }
        Ok(())
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.own.join("lock")
    }

    pub(super) fn token(&self) -> PathBuf {
        self.own.join("token")
    }

    pub(super) fn ref_journal(&self) -> PathBuf {
        self.own.join("ref-journal")
    }

    pub(super) fn commit_journal(&self) -> PathBuf {
        self.own.join("commit-journal")
    }

    pub(super) fn staging_dir(&self) -> PathBuf {
        self.own.join("staging")
    }

    pub(super) fn temporary_dir(&self) -> PathBuf {
        self.own.join("tmp")
    }

    pub(super) fn temporary(&self, name: &str) -> PathBuf {
        self.temporary_dir().join(name)
    }

    pub(super) fn temporary_ref(&self, index: usize) -> PathBuf {
        self.temporary(&format!("ref-{index}"))
    }

    /// Whether some lock file may have been left behind: the token has other names.
    pub(super) fn token_is_linked(&self) -> Result<bool> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            Ok(files::metadata(&self.token())?.is_some_and(|token| token.nlink() > 1))
        }
        #[cfg(not(unix))]
        Ok(true)
    }
}
