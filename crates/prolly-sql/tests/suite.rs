//! GlueSQL's published storage test-suite, whole, on stores in memory, in redb and in Git.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use gluesql_core::prelude::Glue;
use gluesql_test_suite::*;
use prolly_sql::{Database, Storage};
use prolly_version::{BackendKind, Options, Store};

/// One store for one test, for as long as that runs.
macro_rules! tester {
    ($tester:ident, $open:expr) => {
        struct $tester {
            glue: Glue<Storage>,
            _dir: tempfile::TempDir,
        }

        impl Tester<Storage> for $tester {
            fn new(_namespace: &str) -> Self {
                let dir = tempfile::tempdir().unwrap();
                let open: fn(&std::path::Path) -> Store = $open;
                let database = Database::new(open(dir.path())).unwrap();
                Self { glue: Glue::new(database.connect().unwrap().into_storage()), _dir: dir }
            }

            fn get_glue(&mut self) -> &mut Glue<Storage> {
                &mut self.glue
            }
        }
    };
}

macro_rules! all_tests {
    ($tester:ident) => {
        generate_store_tests!(test, $tester);
        generate_alter_table_tests!(test, $tester);
        generate_alter_table_index_tests!(test, $tester);
        generate_index_tests!(test, $tester);
        generate_transaction_tests!(test, $tester);
        generate_transaction_alter_table_tests!(test, $tester);
        generate_transaction_index_tests!(test, $tester);
        generate_metadata_table_tests!(test, $tester);
        generate_metadata_index_tests!(test, $tester);
        generate_custom_function_tests!(test, $tester);
    };
}

fn open(path: &std::path::Path, backend: BackendKind) -> Store {
    Store::open(path, Options::new(backend)).unwrap()
}

mod memory {
    use super::*;
    tester!(MemoryTester, |_| Store::memory(Options::default()).unwrap());
    all_tests!(MemoryTester);
}

mod redb {
    use super::*;
    tester!(RedbTester, |path| open(path, BackendKind::Redb));
    all_tests!(RedbTester);
}

mod git {
    use super::*;
    tester!(GitTester, |path| open(path, BackendKind::Git));
    all_tests!(GitTester);
}
