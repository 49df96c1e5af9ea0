//! Which stores this process has open.
//!
//! **Invariant:** at most one core per directory and process. The last handle gives its core up while it holds the
//! registry, so a core's locks on files are gone before the next one asks for them.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
};

use super::core::Core;

/// The open stores, by canonical path.
pub(crate) struct Registry {
    cores: HashMap<PathBuf, Weak<Core>>,
    /// The process that the cores belong to: those of a parent are not used after a fork.
    process: u32,
}

/// The registry of this process, for as long as the guard is kept.
pub(crate) fn lock() -> MutexGuard<'static, Registry> {
    static REGISTRY: OnceLock<Mutex<Registry>> = OnceLock::new();
    let empty = || Mutex::new(Registry { cores: HashMap::new(), process: std::process::id() });
    let mut registry = REGISTRY.get_or_init(empty).lock().unwrap_or_else(PoisonError::into_inner);
    if registry.process != std::process::id() {
        registry.cores.clear();
        registry.process = std::process::id();
    }
    registry
}

impl Registry {
    pub(crate) fn find(&self, path: &Path) -> Option<Arc<Core>> {
        self.cores.get(path)?.upgrade()
    }

    pub(crate) fn add(&mut self, core: &Arc<Core>) {
        self.cores.retain(|_, core| core.strong_count() > 0);
        if let Some(path) = &core.path {
            self.cores.insert(path.clone(), Arc::downgrade(core));
        }
    }

    /// All open stores.
    pub(crate) fn all(&self) -> Vec<Arc<Core>> {
        self.cores.values().filter_map(Weak::upgrade).collect()
    }
}
