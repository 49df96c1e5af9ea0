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

use prolly_version::{BackendKind, Error, Options, Store, TreeKey};
use pyo3::prelude::*;

use crate::errors::{self, Failure, Outcome, StorageError};

pub(super) struct Handle {
    /// `None` once closed.
    store: RwLock<Option<Arc<Store>>>,
    closed: Arc<AtomicBool>,
    path: PathBuf,
    backend: BackendKind,
    tree: TreeKey,
}

impl Handle {
    pub(super) fn open(path: &Path, options: Options) -> Outcome<Self> {
        let store = Store::open(path, options)?;
        let path = match store.path() {
            Some(path) => path.to_owned(),
            None => path::absolute(path).map_err(|error| Error::io("make absolute", path, error))?,
        };
        Ok(Self {
            backend: store.backend(),
            store: RwLock::new(Some(Arc::new(store))),
            closed: Arc::default(),
            path,
            tree: TreeKey::default_map(),
        })
    }

    /// The directory, as text.
    pub(super) fn path(&self) -> PyResult<String> {
        let invalid = || StorageError::new_err(format!("the path {} is not text", self.path.display()));
        self.path.to_str().map(str::to_owned).ok_or_else(invalid)
    }

    pub(super) fn backend(&self) -> BackendKind {
        self.backend
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Becomes true when the handle is closed.
    pub(super) fn closed_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.closed)
    }

    /// The store.
    pub(super) fn store(&self) -> Outcome<Arc<Store>> {
        let store = self.store.read().unwrap_or_else(PoisonError::into_inner);
        store.clone().ok_or(Failure::Closed("store"))
    }

    /// Works with the store, without the interpreter lock.
    pub(super) fn call<T: Send>(
        &self,
        py: Python<'_>,
        work: impl Send + FnOnce(&Store, &TreeKey) -> Outcome<T>,
    ) -> PyResult<T> {
        let store = self.store()?;
        // The store goes with the closure: what closing it takes is done without the interpreter lock too.
        let done = py.detach(move || work(&store, &self.tree));
        Ok(done?)
    }

    /// Closes the handle, and writes out what is staged.
    pub(super) fn close(&self) -> Outcome<()> {
        self.closed.store(true, Ordering::Release);
        let store = self.store.write().unwrap_or_else(PoisonError::into_inner).take();
        store.map_or(Ok(()), |store| Ok(store.flush()?))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if !self.is_closed() {
            errors::while_finalizing(|| self.close());
        }
    }
}
