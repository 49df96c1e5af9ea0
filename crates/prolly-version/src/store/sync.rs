//! Fetching from, pushing to and cloning other stores.

use std::path::Path;

use super::{BackendKind, Options, Store, open::open_graph};
use crate::{
    BRANCH_PREFIX, CommitGraph, Error, Result, branch_ref_name,
    sync::{self, FetchOptions, Force, OnProgress, PushSpec, SyncReport},
};

impl Store {
    /// Copies what another store has and this one lacks, and notes where its branches are: as `<remote>/<branch>`, a
    /// revision like any other. Nothing that is committed or staged here changes.
    ///
    /// # Errors
    /// As [`sync::fetch`].
    pub fn fetch(
        &self,
        from: &Self,
        remote: &str,
        options: &FetchOptions,
        on_progress: OnProgress<'_>,
    ) -> Result<SyncReport> {
        self.fetch_graph(&**from.graph(), remote, options, on_progress)
    }

    /// Fetches from the store in a directory, without making one.
    ///
    /// # Errors
    /// As [`sync::fetch`]; [`Error::NotAStore`].
    pub fn fetch_path(
        &self,
        from: impl AsRef<Path>,
        remote: &str,
        options: &FetchOptions,
        on_progress: OnProgress<'_>,
    ) -> Result<SyncReport> {
        let (_, graph, _) = open_graph(from.as_ref(), &existing())?;
        self.fetch_graph(&*graph, remote, options, on_progress)
    }

    fn fetch_graph(
        &self,
        from: &dyn CommitGraph,
        remote: &str,
        options: &FetchOptions,
        on_progress: OnProgress<'_>,
    ) -> Result<SyncReport> {
        self.core().check_process()?;
        sync::fetch(from, &**self.graph(), remote, options, on_progress)
    }

    /// Copies what another store lacks of some branches and tags, and moves them there: all or none of them.
    ///
    /// # Errors
    /// As [`sync::push`].
    pub fn push(&self, to: &Self, specs: &[PushSpec], on_progress: OnProgress<'_>) -> Result<SyncReport> {
        self.push_graph(&**to.graph(), specs, on_progress)
    }

    /// Pushes to the store in a directory, without making one.
    ///
    /// # Errors
    /// As [`sync::push`]; [`Error::NotAStore`].
    pub fn push_path(
        &self,
        to: impl AsRef<Path>,
        specs: &[PushSpec],
        on_progress: OnProgress<'_>,
    ) -> Result<SyncReport> {
        let (_, graph, _) = open_graph(to.as_ref(), &existing())?;
        self.push_graph(&*graph, specs, on_progress)
    }

    fn push_graph(
        &self,
        to: &dyn CommitGraph,
        specs: &[PushSpec],
        on_progress: OnProgress<'_>,
    ) -> Result<SyncReport> {
        self.core().check_process()?;
        sync::push(&**self.graph(), to, specs, on_progress)
    }

    /// What [`Store::push`] takes to move the branch of this name to where it is here (or to another revision), forward
    /// only.
    ///
    /// # Errors
    /// [`Error::InvalidRefName`]; as [`Store::resolve`].
    pub fn push_spec(&self, branch: &str, revision: Option<&str>) -> Result<PushSpec> {
        let name = branch_ref_name(branch)?;
        let source = match revision {
            Some(revision) => self.resolve(revision)?,
            None => {
                let id = self.graph().read_ref(&name)?;
                id.ok_or_else(|| Error::UnknownBranch { name: branch.to_owned() })?
            }
        };
        Ok(PushSpec { source: Some(source), name, force: Force::No })
    }

    /// Makes a store in a directory with what another one holds, or the part of it that `what` asks for, and opens it on
    /// the branch that the other stands on. `options` say of which kind it is; one in memory needs no directory. Broken off, it is taken up by calling it
    /// again; until then the directory does not open as a store.
    ///
    /// # Errors
    /// As [`sync::clone`] and [`Store::open`].
    pub fn clone_from(
        from: &Self,
        path: impl AsRef<Path>,
        options: Options,
        remote: &str,
        what: &FetchOptions,
        on_progress: OnProgress<'_>,
    ) -> Result<(Self, SyncReport)> {
        Self::clone_graph(&**from.graph(), path.as_ref(), options, remote, what, on_progress)
    }

    /// Clones the store in a directory.
    ///
    /// # Errors
    /// As [`Store::clone_from`]; [`Error::NotAStore`].
    pub fn clone_path(
        from: impl AsRef<Path>,
        path: impl AsRef<Path>,
        options: Options,
        remote: &str,
        what: &FetchOptions,
        on_progress: OnProgress<'_>,
    ) -> Result<(Self, SyncReport)> {
        let (_, graph, _) = open_graph(from.as_ref(), &existing())?;
        Self::clone_graph(&*graph, path.as_ref(), options, remote, what, on_progress)
    }

    fn clone_graph(
        from: &dyn CommitGraph,
        path: &Path,
        mut options: Options,
        remote: &str,
        what: &FetchOptions,
        on_progress: OnProgress<'_>,
    ) -> Result<(Self, SyncReport)> {
        let (kind, graph, _) = open_graph(path, &options)?;
        let report = sync::clone(from, &*graph, remote, what, on_progress)?;
        // Whichever branch was cloned is the one to stand on, unless another is asked for and there.
        if let Some(branch) = &options.branch
            && !report.refs.iter().any(|update| update.name == format!("{BRANCH_PREFIX}{branch}"))
        {
            options.branch = None;
        }
        if kind == BackendKind::Memory {
            return Ok((Self::over(graph, kind, options)?, report));
        }
        drop(graph);
        Ok((Self::open(path, options)?, report))
    }
}

/// Options that make no store.
fn existing() -> Options {
    Options { create: false, ..Options::default() }
}
