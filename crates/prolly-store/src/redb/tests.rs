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

mod faults {
    use super::{open::open, sim::SimFile, *};
    use crate::crash::{self, Faults, Machine, ROOT};

    struct Simulated(SimFile);

    impl Machine for Simulated {
        fn new() -> Self {
            // Making a database is not under test: it gets its name only when it is finished.
            let file = SimFile::default();
            open(Path::new(ROOT), 1 << 20, file.clone()).unwrap().close().unwrap();
            Self(SimFile::holding(file.contents()))
        }

        fn open(&self) -> Result<Arc<dyn Backend>> {
            let file = self.0.clone();
            let opener = move || open(Path::new(ROOT), 1 << 20, file.clone());
            Ok(Arc::new(RedbStore::with_opener(Path::new(ROOT), Box::new(opener))?))
        }

        fn faults<T>(&self, set: impl FnOnce(&mut Faults) -> T) -> T {
            self.0.faults(set)
        }

        fn after_power_cut(&self, seed: u64) -> Self {
            Self(self.0.after_power_cut(seed))
        }
    }

    #[test]
    fn a_power_cut_at_any_step_leaves_old_or_new() {
        crash::survives_power_cuts::<Simulated>(|_| ());
    }

    #[test]
    fn what_was_acknowledged_survives_a_power_cut() {
        crash::keeps_what_was_acknowledged::<Simulated>(|_| ());
    }

    #[test]
    fn a_full_disk_at_any_step_is_survived() {
        crash::survives_a_full_disk::<Simulated>(|_| ());
    }
}
