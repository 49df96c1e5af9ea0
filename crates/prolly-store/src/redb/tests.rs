use super::*;
use crate::conformance::Place;

pub(super) struct Directory(tempfile::TempDir);

impl Directory {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

impl Place for Directory {
    fn open(&self) -> Arc<dyn Backend> {
        Arc::new(RedbStore::open(self.0.path().join("store")).unwrap())
    }
}

crate::conformance_tests!(conformance, Directory::new);
