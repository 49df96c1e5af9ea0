//! `ProllySQLStore`: the tables of a store. What it shares with other classes with versions is in
//! [`versions`](crate::versions); what runs statements in [`running`], its methods in [`methods`]. A second session is a
//! [`SQLConnection`], a revision a [`SQLSnapshot`].

mod answer;
mod connection;
mod from_python;
mod import;
mod methods;
mod python_types;
mod running;
mod snapshot;
mod to_python;

use std::sync::{Arc, Mutex, PoisonError, Weak};

pub(crate) use connection::SQLConnection;
use prolly_sql::{Connection, Database};
use prolly_version::{CommitId, MergeOptions, MergeStrategy, Store};
use pyo3::{
    prelude::*,
    types::{PyDict, PyString},
};
use running::{Cell, Runs};
pub(crate) use snapshot::SQLSnapshot;

use crate::{
    args::Path,
    config::TreeConfig,
    errors::{Failure, Outcome},
    handle::{Handle, HasHandle, View, options},
    types::StorageBackend,
    versions::{branch_repr, entries, gather},
};

/// SQL over a versioned store: the tables of one directory, which commits, branches and merges move with everything else.
///
/// Safe to share between threads. Statements run one at a time, all of them in the one session of the store: a transaction is
/// that of every thread. `connect()` makes another session. What is not in a transaction is staged at once, and committed by
/// `commit`, together with what a NamespacedKvStore or VersionedKvStore of the same directory has staged.
#[pyclass(module = "prollytree", frozen)]
pub(crate) struct ProllySQLStore(Handle<Sql>);

/// A store, as tables.
pub(crate) struct Sql {
    database: Database,
    session: Cell,
    /// The other sessions that were made: they end with the handle.
    others: Mutex<Vec<Weak<Cell>>>,
}

impl Sql {
    /// Keeps an eye on a session.
    fn share(&self, connection: Connection) -> Arc<Cell> {
        let cell = Arc::new(Cell::new(connection));
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        others.retain(|other| other.strong_count() > 0);
        others.push(Arc::downgrade(&cell));
        cell
    }
}

impl View for Sql {
    const HAS_NAMESPACES: bool = false;

    fn over(store: Store) -> Outcome<Self> {
        let database = Database::new(store)?;
        let session = Cell::new(database.connect()?);
        Ok(Self { database, session, others: Mutex::default() })
    }

    fn versions(&self) -> &Store {
        self.database.store()
    }

    fn merge<'a>(
        &self,
        source: &str,
        _by_namespace: Vec<(String, MergeStrategy<'a>)>,
        options: MergeOptions<'a>,
    ) -> Outcome<CommitId> {
        Ok(self.versions().merge(source, options)?)
    }

    fn close(&self) -> Outcome<()> {
        self.session.close();
        let others = std::mem::take(&mut *self.others.lock().unwrap_or_else(PoisonError::into_inner));
        others.iter().filter_map(Weak::upgrade).for_each(|other| other.close());
        Ok(self.versions().flush()?)
    }
}

impl HasHandle for ProllySQLStore {
    type View = Sql;

    fn handle(&self) -> &Handle<Sql> {
        &self.0
    }
}

impl Runs for ProllySQLStore {
    fn on_connection<T: Send>(
        &self,
        py: Python<'_>,
        work: impl Send + FnOnce(&mut Connection) -> Outcome<T>,
    ) -> PyResult<T> {
        self.call(py, |sql| sql.session.with(work))
    }
}

impl ProllySQLStore {
    pub(crate) fn over(handle: Handle<Sql>) -> Self {
        Self(handle)
    }
}

#[pymethods]
impl ProllySQLStore {
    #[new]
    #[pyo3(signature = (path, storage_backend=None, config=None, *, commit_journal=false))]
    fn new(
        py: Python<'_>,
        path: Path,
        storage_backend: Option<StorageBackend>,
        config: Option<TreeConfig>,
        commit_journal: bool,
    ) -> PyResult<Self> {
        let mut options = options(storage_backend, config, true);
        options.commit_journal = commit_journal;
        Ok(Self(py.detach(|| Handle::open(&path.0, options))?))
    }

    /// Opens an existing store. Raises StorageError when there is none; nothing is created.
    #[staticmethod]
    #[pyo3(signature = (path, storage_backend=None))]
    fn open(py: Python<'_>, path: Path, storage_backend: Option<StorageBackend>) -> PyResult<Self> {
        Ok(Self(py.detach(|| Handle::open_existing(&path.0, storage_backend))?))
    }

    /// Commits what is staged (also when there is nothing), rows and all else, durably; the new commit's id.
    ///
    /// Raises SqlError while a transaction is open: what it has written is not staged before its COMMIT. When another process
    /// moved the branch, disjoint changes are committed on top of it; else ConcurrentUpdateError is raised and the changes
    /// stay staged.
    #[pyo3(signature = (message=None))]
    fn commit(&self, py: Python<'_>, message: Option<&str>) -> PyResult<String> {
        let message = message.unwrap_or("Update");
        self.call(py, |sql| {
            sql.session.with(|connection| {
                if connection.in_transaction() {
                    return Err(Failure::InTransaction);
                }
                Ok(sql.versions().commit(message)?.to_string())
            })
        })
    }

    /// Another session on the store, with transactions of its own. It ends with the store.
    fn connect(slf: &Bound<'_, Self>) -> PyResult<SQLConnection> {
        let cell = slf.get().call(slf.py(), |sql| Ok(sql.share(sql.database.connect()?)))?;
        Ok(SQLConnection::new(slf, cell))
    }

    /// Any revision, to query without moving the store. It cannot be written.
    fn at(slf: &Bound<'_, Self>, revision: &str) -> PyResult<SQLSnapshot> {
        let (commit, cell) = slf.get().call(slf.py(), |sql| {
            let commit = sql.versions().resolve(revision)?;
            Ok((commit, sql.share(sql.database.at(&commit.to_string())?)))
        })?;
        Ok(SQLSnapshot::new(slf, commit, cell))
    }

    /// Creates a branch at a revision (the current commit by default) and switches to it, carrying staged changes along.
    ///
    /// Raises RefError when the name exists or is not one that Git allows.
    #[pyo3(signature = (name, revision=None))]
    fn branch(&self, py: Python<'_>, name: &str, revision: Option<&str>) -> PyResult<()> {
        self.call(py, |sql| Ok(sql.versions().create_branch(name, revision).map(|_| ())?))
    }

    /// The current branch's name; None when a commit was checked out instead.
    #[getter]
    fn current_branch(&self, py: Python<'_>) -> PyResult<Option<String>> {
        self.call(py, |sql| Ok(sql.versions().current_branch()))
    }

    /// The commits reachable from the current one, newest first.
    #[pyo3(signature = (limit=None))]
    fn log<'py>(&self, py: Python<'py>, limit: Option<usize>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let limit = limit.unwrap_or(usize::MAX);
        entries(py, &self.call(py, |sql| gather(sql.versions().log(None)?.take(limit)))?)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let path = PyString::new(py, &self.handle().path()?).repr()?;
        if self.handle().is_closed() {
            return Ok(format!("ProllySQLStore({path}, closed)"));
        }
        Ok(format!("ProllySQLStore({path}, branch={})", branch_repr(py, self)?))
    }
}
