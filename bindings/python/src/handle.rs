//! A handle on a store of the version layer, which can be closed.
//!
//! **Invariant:** nothing waits for the interpreter lock, or for another thread, while it holds the handle's lock. Work
//! that runs while the handle is closed ends undisturbed.

use std::{
    path::{self, Path, PathBuf},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use prolly_version::{BackendKind, CommitId, Error, MergeOptions, MergeStrategy, Options, Store};
use pyo3::prelude::*;

use crate::{
    config::TreeConfig,
    errors::{self, Failure, Outcome, StorageError},
    types::StorageBackend,
};

/// A store as one of the classes shows it.
pub(crate) trait View: Sized + Send + Sync + 'static {
    /// Whether the class shows namespaces, and a merge can treat each in its own way.
    const HAS_NAMESPACES: bool;

    /// Shows a store.
    fn over(store: Store) -> Outcome<Self>;

    /// The store below.
    fn versions(&self) -> &Store;

    /// Merges a revision. Some namespaces have a strategy of their own, where the class has namespaces.
    fn merge<'a>(
        &self,
        source: &str,
        by_namespace: Vec<(String, MergeStrategy<'a>)>,
        options: MergeOptions<'a>,
    ) -> Outcome<CommitId>;

    /// What there is to do when the handle is closed: staged changes are written out.
    fn close(&self) -> Outcome<()> {
        Ok(self.versions().flush()?)
    }
}

/// A class with a handle.
pub(crate) trait HasHandle: Sync {
    type View: View;

    fn handle(&self) -> &Handle<Self::View>;

    /// Works with the store, without the interpreter lock.
    fn call<T: Send>(
        &self,
        py: Python<'_>,
        work: impl Send + FnOnce(&Self::View) -> Outcome<T>,
    ) -> PyResult<T> {
        let view = self.handle().view()?;
        // The view goes with the closure: what closing it takes is done without the interpreter lock too.
        let done = py.detach(move || work(&view));
        Ok(done?)
    }
}

pub(crate) struct Handle<V: View> {
    /// `None` once closed.
    view: RwLock<Option<Arc<V>>>,
    closed: Arc<AtomicBool>,
    path: PathBuf,
    backend: BackendKind,
}

/// How a class opens a store.
pub(crate) fn options(backend: Option<StorageBackend>, config: Option<TreeConfig>, create: bool) -> Options {
    let mut options = Options::default();
    options.backend = backend.map(|backend| backend.0);
    options.config = config.map(|config| config.0);
    options.create = create;
    options
}

impl<V: View> Handle<V> {
    pub(crate) fn open(path: &Path, options: Options) -> Outcome<Self> {
        Self::over(Store::open(path, options)?, path)
    }

    /// A handle on a store that was opened at a path.
    pub(crate) fn over(store: Store, path: &Path) -> Outcome<Self> {
        // A store may have tables, whatever it is shown as.
        #[cfg(feature = "sql")]
        prolly_sql::register_merging(&store);
        let path = match store.path() {
            Some(path) => path.to_owned(),
            None => path::absolute(path).map_err(|error| Error::io("make absolute", path, error))?,
        };
        Ok(Self {
            backend: store.backend(),
            view: RwLock::new(Some(Arc::new(V::over(store)?))),
            closed: Arc::default(),
            path,
        })
    }

    /// Opens a store that is there already.
    pub(crate) fn open_existing(path: &Path, backend: Option<StorageBackend>) -> Outcome<Self> {
        if backend.as_ref().is_some_and(|backend| backend.0 == BackendKind::Memory) {
            return Err(Failure::OnlyMade);
        }
        Self::open(path, options(backend, None, false))
    }

    /// The directory, as text.
    pub(crate) fn path(&self) -> PyResult<String> {
        let invalid = || StorageError::new_err(format!("the path {} is not text", self.path.display()));
        self.path.to_str().map(str::to_owned).ok_or_else(invalid)
    }

    pub(crate) fn backend(&self) -> BackendKind {
        self.backend
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Becomes true when the handle is closed.
    pub(crate) fn closed_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.closed)
    }

    /// The store.
    pub(crate) fn view(&self) -> Outcome<Arc<V>> {
        let view = self.view.read().unwrap_or_else(PoisonError::into_inner);
        view.clone().ok_or(Failure::Closed("store"))
    }

    /// Closes the handle, and writes out what is staged.
    pub(crate) fn close(&self) -> Outcome<()> {
        self.closed.store(true, Ordering::Release);
        let view = self.view.write().unwrap_or_else(PoisonError::into_inner).take();
        view.map_or(Ok(()), |view| view.close())
    }
}

impl<V: View> Drop for Handle<V> {
    fn drop(&mut self) {
        if !self.is_closed() {
            errors::while_finalizing(|| self.close());
        }
    }
}
