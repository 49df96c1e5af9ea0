//! What every class with versions has: `VersionedKvStore`, `NamespacedKvStore` and `ProllySQLStore` are views of one kind of
//! store.
//!
//! Commits and the way of a handle are in [`commits`], branches and tags in [`branches`], merges in [`merges`], the versions
//! of one map in [`map`], other stores in [`sync`].

mod branches;
mod commits;
mod map;
mod merges;
mod sync;

#[cfg(feature = "namespaced")]
pub(crate) use self::map::kind_name;
pub(crate) use self::{
    commits::{branch_repr, entries, gather},
    map::StoreMap,
};
use prolly_version::Store;
use pyo3::{prelude::*, types::PyCFunction};

use crate::errors;

/// Writes out what is staged in every store that is open when Python ends: not every object is dropped then.
pub(crate) fn flush_at_exit(py: Python<'_>) -> PyResult<()> {
    let flush = PyCFunction::new_closure(py, None, None, |arguments, _| {
        arguments.py().detach(Store::flush_all).map_err(errors::of_version)
    })?;
    py.import("atexit")?.call_method1("register", (flush,))?;
    Ok(())
}
