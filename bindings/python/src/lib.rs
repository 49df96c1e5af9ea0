//! The compiled module `prollytree.prollytree`: a thin layer between Python and the Rust crates.
//!
//! **Invariant:** a binding converts, releases the interpreter lock, calls, and maps the error; it decides nothing. No
//! Rust lock is held while Python code runs or the interpreter lock is waited for.

mod args;
mod batch;
mod changes;
mod config;
mod editing;
mod errors;
mod handle;
mod log;
#[cfg(feature = "namespaced")]
mod namespaces;
mod place;
mod proof;
mod reading;
mod scan;
mod snapshot;
#[cfg(feature = "sql")]
mod sql;
mod store;
mod stream;
mod tree;
mod types;
mod versions;

use pyo3::prelude::*;

/// The compiled half of the `prollytree` package; see the package for the documentation.
#[pymodule]
mod prollytree {
    use pyo3::{prelude::*, types::PyList};

    #[cfg(feature = "namespaced")]
    #[pymodule_export]
    use crate::namespaces::{
        Namespace, NamespacedKvStore, NamespacedSnapshot, namespace_proof_root, namespace_proof_verify,
    };
    #[cfg(feature = "sql")]
    #[pymodule_export]
    use crate::sql::{ProllySQLStore, SQLConnection, SQLSnapshot};
    #[pymodule_export]
    use crate::{
        config::TreeConfig,
        proof::{proof_num_nodes, proof_root_hash, proof_verify, proof_verify_many, proof_verify_range},
        snapshot::Snapshot,
        store::VersionedKvStore,
        stream::PyValueReader,
        tree::ProllyTree,
    };

    /// What this wheel lacks is absent from it: each flag says whether a family of classes is there.
    const FLAGS: [(&str, bool); 5] = [
        ("git_available", false),
        ("namespaced_available", cfg!(feature = "namespaced")),
        ("proximity_available", false),
        ("proximity_text_available", false),
        ("sql_available", cfg!(feature = "sql")),
    ];

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let py = module.py();
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        for (flag, present) in FLAGS {
            module.add(flag, present)?;
        }
        crate::errors::add_to(module)?;
        crate::types::add_to(module)?;
        crate::versions::flush_at_exit(py)?;
        let mut public = Vec::new();
        for name in module.index()? {
            let name: String = name.extract()?;
            if name == "__version__" || !name.starts_with('_') {
                public.push(name);
            }
        }
        public.sort_unstable();
        module.setattr("__all__", PyList::new(py, public)?)
    }
}
