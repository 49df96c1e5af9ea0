//! Synchronisation between stores, of every class with versions.
//!
//! **Invariant:** while a progress function runs, no working state of a store is locked, so it may use any of them. What it
//! raises ends the work, and passes through.

use std::{collections::HashMap, num::NonZeroU32, ops::ControlFlow};

use prolly_version::{
    CommitId, Error, Store, TreeKey, branch_ref_name,
    sync::{Depth, FetchOptions, Force, OnProgress, Progress, PushSpec, SyncReport, Trees},
    tag_ref_name,
};
use pyo3::{
    exceptions::PyTypeError,
    intern,
    prelude::*,
    types::{PyDict, PyList, PyString},
};

use crate::{
    args::Path,
    errors::{Failure, Outcome, ProllyTreeError},
    handle::{Handle, HasHandle, View, options},
    store::VersionedKvStore,
    types::StorageBackend,
};

/// How much is copied between two calls of a progress function.
const OBJECTS_BETWEEN: u64 = 256;
const BYTES_BETWEEN: u64 = 1 << 20;

/// The other store: one that is open, or the one in a directory.
pub(crate) enum Peer {
    Open(Store),
    At(std::path::PathBuf),
}

impl<'a, 'py> FromPyObject<'a, 'py> for Peer {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(store) = object.cast::<VersionedKvStore>() {
            return Ok(Self::Open(store.get().handle().view()?.versions().clone()));
        }
        #[cfg(feature = "namespaced")]
        if let Ok(store) = object.cast::<crate::namespaces::NamespacedKvStore>() {
            return Ok(Self::Open(store.get().handle().view()?.versions().clone()));
        }
        #[cfg(feature = "sql")]
        if let Ok(store) = object.cast::<crate::sql::ProllySQLStore>() {
            return Ok(Self::Open(store.get().handle().view()?.versions().clone()));
        }
        match object.extract() {
            Ok(Path(path)) => Ok(Self::At(path)),
            Err(_) => {
                let kind = object.get_type().name()?;
                Err(PyTypeError::new_err(format!("a store, or the path of one, is required, not '{kind}'")))
            }
        }
    }
}

/// One name or several.
pub(crate) struct Names(Vec<String>);

impl<'a, 'py> FromPyObject<'a, 'py> for Names {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if object.is_instance_of::<PyString>() {
            return Ok(Self(vec![object.extract()?]));
        }
        let names = object.try_iter()?.map(|name| name?.extract());
        Ok(Self(names.collect::<PyResult<_>>()?))
    }
}

/// Which part of a store is fetched.
pub(crate) struct What {
    pub(crate) branches: Option<Names>,
    pub(crate) tags: bool,
    pub(crate) namespaces: Option<Names>,
    pub(crate) depth: Option<u32>,
    pub(crate) complete: bool,
    pub(crate) prune: bool,
}

impl What {
    fn options(self) -> PyResult<FetchOptions> {
        if self.complete && (self.namespaces.is_some() || self.depth.is_some()) {
            return Err(PyTypeError::new_err(
                "complete asks for everything, namespaces and depth for a part",
            ));
        }
        let trees = match self.namespaces {
            Some(names) => Trees::Only(names.0.iter().map(|name| TreeKey::map(name.as_str())).collect()),
            None if self.complete => Trees::All,
            None => Trees::AsBefore,
        };
        let depth = match self.depth {
            Some(depth) => Depth::Commits(
                NonZeroU32::new(depth).ok_or_else(|| ProllyTreeError::new_err("depth must be at least 1"))?,
            ),
            None if self.complete => Depth::Full,
            None => Depth::AsBefore,
        };
        let branches = self.branches.map(|names| names.0);
        let Self { tags, prune, .. } = self;
        Ok(FetchOptions { branches, tags, trees, depth, prune, ..FetchOptions::default() })
    }
}

/// Tells a function of Python's how far the work has come, now and then.
struct Reporter {
    function: Option<Py<PyAny>>,
    told: Progress,
    raised: Option<PyErr>,
}

impl Reporter {
    fn hear(&mut self, progress: &Progress) -> ControlFlow<()> {
        let is_due = progress.commits != self.told.commits
            || progress.objects - self.told.objects >= OBJECTS_BETWEEN
            || progress.bytes - self.told.bytes >= BYTES_BETWEEN;
        if !is_due {
            return ControlFlow::Continue(());
        }
        match self.tell(progress) {
            Ok(()) => ControlFlow::Continue(()),
            Err(raised) => {
                self.raised = Some(raised);
                ControlFlow::Break(())
            }
        }
    }

    fn tell(&mut self, progress: &Progress) -> PyResult<()> {
        self.told = *progress;
        Python::attach(|py| {
            py.check_signals()?;
            let Some(function) = &self.function else { return Ok(()) };
            let Progress { commits, commits_total, objects, bytes } = *progress;
            let dict = PyDict::new(py);
            dict.set_item(intern!(py, "commits"), commits)?;
            dict.set_item(intern!(py, "commits_total"), commits_total)?;
            dict.set_item(intern!(py, "objects"), objects)?;
            dict.set_item(intern!(py, "bytes"), bytes)?;
            function.call1(py, (dict,)).map(|_| ())
        })
    }
}

/// Synchronises without the interpreter lock, telling `function` of it; at the end, what the report says.
fn run<T: Send>(
    py: Python<'_>,
    function: Option<Py<PyAny>>,
    work: impl Send + FnOnce(OnProgress<'_>) -> prolly_version::Result<T>,
    report: impl Fn(&T) -> &SyncReport,
) -> PyResult<T> {
    let mut reporter = Reporter { function, told: Progress::default(), raised: None };
    let heard = &mut reporter;
    let done = py.detach(|| work(&mut |progress| heard.hear(progress)));
    match (done, reporter.raised.take()) {
        (Err(Error::Interrupted), Some(raised)) => Err(raised),
        (Err(error), _) => Err(Failure::from(error).into()),
        (Ok(done), _) => {
            let SyncReport { commits, objects, bytes, .. } = *report(&done);
            reporter.tell(&Progress { commits, commits_total: Some(commits), objects, bytes })?;
            Ok(done)
        }
    }
}

/// What a synchronisation did.
fn report_dict<'py>(py: Python<'py>, report: &SyncReport) -> PyResult<Bound<'py, PyDict>> {
    let refs = PyList::empty(py);
    for update in &report.refs {
        let entry = PyDict::new(py);
        entry.set_item("name", &update.name)?;
        entry.set_item("old", update.old.map(|id| id.to_string()))?;
        entry.set_item("new", update.new.map(|id| id.to_string()))?;
        refs.append(entry)?;
    }
    let dict = PyDict::new(py);
    dict.set_item("commits", report.commits)?;
    dict.set_item("objects", report.objects)?;
    dict.set_item("bytes", report.bytes)?;
    dict.set_item("refs", refs)?;
    dict.set_item("tags_kept", &report.tags_kept)?;
    Ok(dict)
}

/// What a push is to do to the other store.
struct Push {
    branches: Option<Names>,
    tags: Option<Names>,
    delete: Option<Names>,
    force: HashMap<String, Option<String>>,
}

impl Push {
    fn specs(&self, store: &Store) -> Outcome<Vec<PushSpec>> {
        let current = || store.current_branch().ok_or(Failure::Detached);
        let branches = match &self.branches {
            Some(names) => names.0.clone(),
            None if self.tags.is_none() && self.delete.is_none() => vec![current()?],
            None => Vec::new(),
        };
        let listed = |names: &Option<Names>| names.as_ref().map_or_else(Vec::new, |names| names.0.clone());
        let mut specs = Vec::new();
        for name in &branches {
            specs.push(store.push_spec(name, None)?);
        }
        for tag in &listed(&self.tags) {
            let name = tag_ref_name(tag)?;
            let source = store.graph().read_ref(&name)?;
            let source = Some(source.ok_or_else(|| Error::UnknownTag { name: tag.clone() })?);
            specs.push(PushSpec { source, name, force: Force::No });
        }
        for branch in &listed(&self.delete) {
            specs.push(PushSpec { source: None, name: branch_ref_name(branch)?, force: Force::No });
        }
        for (branch, expected) in &self.force {
            let name = branch_ref_name(branch)?;
            let expected = expected.as_deref().map(str::parse::<CommitId>).transpose()?;
            let spec = specs.iter_mut().find(|spec| spec.name == name);
            let spec = spec.ok_or_else(|| Error::UnknownBranch { name: branch.clone() })?;
            spec.force = Force::Expecting(expected);
        }
        Ok(specs)
    }
}

/// Clones a store and opens the copy.
fn clone<V: View>(
    py: Python<'_>,
    (source, Path(path)): (Peer, Path),
    backend: Option<StorageBackend>,
    (remote, what): (&str, What),
    progress: Option<Py<PyAny>>,
) -> PyResult<(Handle<V>, SyncReport)> {
    let (what, options, at) = (what.options()?, options(backend, None, true), path.clone());
    // The peer goes with the closure: what closing it takes is done without the interpreter lock.
    let work = move |heard: OnProgress<'_>| match source {
        Peer::Open(from) => Store::clone_from(&from, &at, options, remote, &what, heard),
        Peer::At(from) => Store::clone_path(from, &at, options, remote, &what, heard),
    };
    let (store, report) = run(py, progress, work, |(_, report)| report)?;
    Ok((py.detach(|| Handle::over(store, &path))?, report))
}

macro_rules! sync_methods {
    ($class:ident) => {
        #[pymethods]
        impl $class {
            /// Makes a store in the directory `path` with what another holds, and opens it: the store, and a report as of
            /// `fetch`.
            ///
            /// source: a store, or the path of one. namespaces, depth: only these namespaces of each commit, only so many
            /// commits behind each branch; what is left out raises NotFetchedError when it is read, until a
            /// `fetch(complete=True)`. The other arguments are those of `fetch`.
            ///
            /// Broken off, it is taken up by calling it again. Raises SyncError when there are branches at `path`.
            #[staticmethod]
            #[pyo3(signature = (
                source, path, storage_backend=None, *, remote="origin", branches=None, tags=true, namespaces=None,
                depth=None, progress=None
            ))]
            #[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
            fn clone<'py>(
                py: Python<'py>,
                source: Peer,
                path: Path,
                storage_backend: Option<StorageBackend>,
                remote: &str,
                branches: Option<Names>,
                tags: bool,
                namespaces: Option<Names>,
                depth: Option<u32>,
                progress: Option<Py<PyAny>>,
            ) -> PyResult<(Self, Bound<'py, PyDict>)> {
                let what = What { branches, tags, namespaces, depth, complete: false, prune: false };
                let (handle, report) =
                    clone(py, (source, path), storage_backend, (remote, what), progress)?;
                Ok((Self::over(handle), report_dict(py, &report)?))
            }

            /// Copies what another store has and this one lacks. Its branches become revisions here, as `origin/main`;
            /// nothing else here changes.
            ///
            /// source: a store, or the path of one. remote: what its branches are noted under. branches: only these. tags:
            /// whether tags come along; one that exists here stays as it is. namespaces, depth: as in `clone`; left out,
            /// what was said before holds. complete: also what was left out before. prune: forget branches that the other
            /// store no longer has.
            ///
            /// progress: called now and then with a dict of `commits`, `commits_total` (None while unknown), `objects` and
            /// `bytes`, all so far, and once at the end; what it raises stops the work and passes through. Broken off,
            /// it is taken up by calling it again.
            ///
            /// Gives a dict: `commits`, `objects` (commits not counted) and `bytes` (uncompressed) that were copied; `refs`,
            /// what moved, each a dict of `name`, `old` and `new`; `tags_kept`, tags that name other commits here.
            #[pyo3(signature = (
                source, *, remote="origin", branches=None, tags=true, namespaces=None, depth=None, complete=false,
                prune=false, progress=None
            ))]
            #[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
            fn fetch<'py>(
                &self,
                py: Python<'py>,
                source: Peer,
                remote: &str,
                branches: Option<Names>,
                tags: bool,
                namespaces: Option<Names>,
                depth: Option<u32>,
                complete: bool,
                prune: bool,
                progress: Option<Py<PyAny>>,
            ) -> PyResult<Bound<'py, PyDict>> {
                let what = What { branches, tags, namespaces, depth, complete, prune }.options()?;
                let view = self.handle().view()?;
                let work = move |heard: OnProgress<'_>| match source {
                    Peer::Open(from) => view.versions().fetch(&from, remote, &what, heard),
                    Peer::At(from) => view.versions().fetch_path(from, remote, &what, heard),
                };
                let report = run(py, progress, work, |report| report)?;
                report_dict(py, &report)
            }

            /// Copies what another store lacks of some branches, and moves them there: all of them or none.
            ///
            /// target: a store, or the path of one. branches: a name or several, the current branch by default. tags: tags
            /// to make there. delete: branches to delete there. force: branches that may lose commits, each with the id
            /// of the commit that it holds there now (None when there is none). progress and what is given: as of `fetch`.
            ///
            /// Raises SyncError when a branch would lose commits or the other store stands on it, RefError for a tag that
            /// exists there, ConcurrentUpdateError when a branch does not hold what was said.
            #[pyo3(signature = (
                target, branches=None, *, tags=None, delete=None, force=None, progress=None
            ))]
            #[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
            fn push<'py>(
                &self,
                py: Python<'py>,
                target: Peer,
                branches: Option<Names>,
                tags: Option<Names>,
                delete: Option<Names>,
                force: Option<HashMap<String, Option<String>>>,
                progress: Option<Py<PyAny>>,
            ) -> PyResult<Bound<'py, PyDict>> {
                let view = self.handle().view()?;
                let push = Push { branches, tags, delete, force: force.unwrap_or_default() };
                let specs = py.detach(|| push.specs(view.versions()))?;
                let work = move |heard: OnProgress<'_>| match target {
                    Peer::Open(to) => view.versions().push(&to, &specs, heard),
                    Peer::At(to) => view.versions().push_path(to, &specs, heard),
                };
                let report = run(py, progress, work, |report| report)?;
                report_dict(py, &report)
            }

            /// Moves to where the current branch is by now, when another process or a push has moved it, with the staged
            /// changes; whether it had moved. Raises ConcurrentUpdateError when that changed staged keys.
            fn refresh(&self, py: Python<'_>) -> PyResult<bool> {
                self.call(py, |store| Ok(store.versions().refresh()?))
            }
        }
    };
}

sync_methods!(VersionedKvStore);

#[cfg(feature = "namespaced")]
mod of_namespaces {
    use super::*;
    use crate::namespaces::NamespacedKvStore;

    sync_methods!(NamespacedKvStore);
}

#[cfg(feature = "sql")]
mod of_tables {
    use super::*;
    use crate::sql::ProllySQLStore;

    sync_methods!(ProllySQLStore);
}
