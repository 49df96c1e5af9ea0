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

mod opening {
    use std::fs;

    use ::redb::{Database, TableDefinition};

    use super::{
        log::{FORMAT_KEY, META},
        *,
    };
    use crate::{
        CachedReader, Expected, NodeCache,
        conformance::{edit, publish},
        testing::{leaf, record},
    };

    #[test]
    fn what_is_no_store_is_left_alone() {
        let directory = Directory::new();
        let root = directory.0.path();
        let file = root.join("file");
        fs::write(&file, "text").unwrap();
        let error = RedbStore::open(&file).unwrap_err();
        assert!(matches!(&error, Error::NotAStore { path, .. } if *path == file), "{error}");
        let error = RedbStore::open(file.join("below")).unwrap_err().to_string();
        assert!(error.contains(file.to_str().unwrap()), "{error}");
        let error = RedbStore::open("/proc/prolly").unwrap_err();
        assert!(matches!(&error, Error::Io { path, .. } if path == Path::new("/proc/prolly")), "{error}");

        let database = root.join(DATABASE_FILE);
        fs::write(&database, "this is not a database").unwrap();
        let error = RedbStore::open(root).unwrap_err();
        assert!(matches!(&error, Error::NotAStore { path, .. } if *path == database), "{error}");
        assert_eq!(fs::read(&database).unwrap(), b"this is not a database");

        fs::remove_file(&database).unwrap();
        let other = Database::create(&database).unwrap();
        let transaction = other.begin_write().unwrap();
        transaction.open_table(TableDefinition::<u8, u8>::new("theirs")).unwrap();
        transaction.commit().unwrap();
        drop(other);
        let error = RedbStore::open(root).unwrap_err();
        assert!(matches!(&error, Error::NotAStore { path, .. } if *path == database), "{error}");
        assert!(error.to_string().contains("theirs"), "{error}");
    }

    #[test]
    fn a_newer_version_is_refused_by_name() {
        let directory = Directory::new();
        let root = directory.0.path();
        drop(RedbStore::open(root).unwrap());
        let path = root.join(DATABASE_FILE);
        let database = Database::open(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        transaction.open_table(META).unwrap().insert(FORMAT_KEY, 7).unwrap();
        transaction.commit().unwrap();
        drop(database);
        let error = RedbStore::open(root).unwrap_err();
        assert!(matches!(&error, Error::NewerStore { found: 7, supported: 1, .. }), "{error}");
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    }

    #[test]
    fn an_interrupted_making_is_made_good() {
        let directory = Directory::new();
        fs::write(directory.0.path().join("prolly.redb.new"), "half a database").unwrap();
        let store = RedbStore::open(directory.0.path()).unwrap();
        assert_eq!(store.refs("").unwrap(), []);
    }

    #[test]
    fn a_directory_made_anew_is_a_new_store() {
        let directory = Directory::new();
        let root = directory.0.path().join("store");
        let old = RedbStore::open(&root).unwrap();
        publish(&old, &[], &[edit("main", Expected::Absent, Some(b"old"))]);
        fs::remove_dir_all(&root).unwrap();
        let new = RedbStore::open(&root).unwrap();
        assert_eq!(new.refs("").unwrap(), []);
    }

    /// A store of nodes, records and a ref; every object is read through a reader without a cache.
    struct Contents {
        file: Vec<u8>,
        nodes: Vec<Arc<prolly_core::Node>>,
        records: Vec<(Hash, Vec<u8>)>,
    }

    fn contents() -> Contents {
        let directory = Directory::new();
        let nodes: Vec<_> = (0..20).map(|seed| leaf(seed, 60, 100)).collect();
        let records: Vec<_> = (0..20).map(|seed| record(seed, 700)).collect();
        let store = RedbStore::open(directory.0.path()).unwrap();
        let objects: Vec<_> = nodes
            .iter()
            .map(|node| (*node.hash(), node.bytes().to_vec()))
            .chain(records.iter().cloned())
            .collect();
        publish(&store, &objects, &[edit("main", Expected::Absent, Some(b"value"))]);
        store.compact().unwrap();
        drop(store);
        Contents { file: fs::read(directory.0.path().join(DATABASE_FILE)).unwrap(), nodes, records }
    }

    impl Contents {
        /// Reads everything from a damaged file: what was written, or an error. Returns whether all was well.
        fn read(&self, damaged: &[u8], context: &str) -> bool {
            let directory = Directory::new();
            let path = directory.0.path().join(DATABASE_FILE);
            fs::write(&path, damaged).unwrap();
            let store = match RedbStore::open(directory.0.path()) {
                Ok(store) => store,
                Err(error) => {
                    assert!(error.to_string().contains(path.to_str().unwrap()), "{context}: {error}");
                    return false;
                }
            };
            let mut well = match store.read_ref("main") {
                // Nothing can tell a ref whose name was damaged from one that never was.
                Ok(value) => value.map(|value| assert_eq!(value, b"value", "{context}")).is_some(),
                Err(_) => false,
            };
            let reader = CachedReader::new(Arc::new(store), Arc::new(NodeCache::new(0)));
            for node in &self.nodes {
                match prolly_core::NodeReader::read_node(&reader, &node.link()) {
                    Ok(read) => assert!(read.bytes() == node.bytes(), "{context}"),
                    Err(_) => well = false,
                }
            }
            for (hash, encoded) in &self.records {
                match prolly_core::NodeReader::read_record(&reader, &(*hash).into()) {
                    Ok(read) => assert!(read[..] == encoded[..], "{context}"),
                    Err(_) => well = false,
                }
            }
            well
        }
    }

    #[test]
    fn a_truncated_file_is_an_error() {
        let contents = contents();
        let len = contents.file.len();
        assert!(contents.read(&contents.file, "undamaged"));
        for cut in [0, 1, 8, 9, 100, 319, 320, 4095, 4096, 4097, len / 2, len - 4096, len - 1] {
            let context = format!("cut to {cut} of {len}");
            let well = contents.read(&contents.file[..cut], &context);
            // The last page may be one that is not in use.
            assert!(!well || cut >= len - 4096, "{context}: nobody noticed");
        }
    }

    #[test]
    fn a_flipped_bit_is_never_a_wrong_answer() {
        let contents = contents();
        let len = contents.file.len();
        let mut noticed = 0;
        let flips = (0..320).step_by(16).chain((0..len).step_by(len / 150));
        let count = flips.clone().count();
        for at in flips {
            let mut flipped = contents.file.clone();
            flipped[at] ^= 1 << (at % 8);
            noticed += usize::from(!contents.read(&flipped, &format!("bit flipped in byte {at} of {len}")));
        }
        // The rest hit pages that are not in use.
        assert!(noticed > count / 4, "{noticed} of {count} flips were noticed");
    }
}

mod processes {
    use std::{
        process::{Child, Command},
        time::Instant,
    };

    use super::*;
    use crate::conformance::increment;

    /// Runs `role` of [`child`] in another process, over the store in `dir`.
    fn spawn(dir: &Path, role: &str) -> Child {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "redb::tests::processes::child", "--ignored", "--nocapture"])
            .env("PROLLY_STORE_DIR", dir)
            .env("PROLLY_STORE_ROLE", role)
            .spawn()
            .unwrap()
    }

    #[test]
    #[ignore = "what the other tests run in another process"]
    fn child() {
        let dir = std::env::var("PROLLY_STORE_DIR").expect("only run by other tests");
        let store = RedbStore::open(&dir).unwrap();
        match &*std::env::var("PROLLY_STORE_ROLE").unwrap() {
            "increment" => drop(increment(&store, "number", 40)),
            "hold" => {
                let transaction = store.begin().unwrap();
                std::fs::write(Path::new(&dir).join("held"), "").unwrap();
                std::thread::sleep(Duration::from_secs(20));
                drop(transaction);
            }
            "die" => {
                increment(&store, "number", 1);
                let mut transaction = store.begin().unwrap();
                transaction.put(&Hash::new([1; 32]), &[0; 2_000_000]).unwrap();
                std::process::abort();
            }
            role => panic!("no role {role}"),
        }
    }

    fn number(store: &RedbStore) -> u64 {
        u64::from_le_bytes(store.read_ref("number").unwrap().unwrap().try_into().unwrap())
    }

    #[test]
    fn two_processes_lose_no_commit() {
        let directory = Directory::new();
        let store = RedbStore::open(directory.0.path()).unwrap();
        let children = [spawn(directory.0.path(), "increment"), spawn(directory.0.path(), "increment")];
        increment(&store, "number", 40);
        for mut child in children {
            assert!(child.wait().unwrap().success());
        }
        assert_eq!(number(&store), 120);
        assert_eq!(store.stats().unwrap().objects, 120);
    }

    #[test]
    fn a_process_that_never_rests_lets_go_and_a_held_store_is_busy() {
        let directory = Directory::new();
        let dir = directory.0.path();
        let options = RedbOptions { busy_timeout: Duration::from_millis(100), ..RedbOptions::default() };
        let store = RedbStore::open_with(dir, options.clone()).unwrap();
        increment(&store, "number", 1);
        let mut child = spawn(dir, "hold");
        let start = Instant::now();
        // Reading on and on keeps the database in use, and would keep any process out that it was not yielded to.
        while !dir.join("held").exists() {
            assert!(start.elapsed() < Duration::from_secs(15), "the other process never got the store");
            match store.read_ref("number") {
                Ok(number) => assert!(number.is_some()),
                Err(error) => assert!(matches!(error, Error::Busy { .. }), "{error}"),
            }
        }
        drop(store);
        let error = RedbStore::open_with(dir, options).unwrap_err();
        assert!(matches!(&error, Error::Busy { path, .. } if path.starts_with(dir)), "{error}");
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(number(&RedbStore::open(dir).unwrap()), 1);
    }

    #[test]
    fn a_process_that_dies_in_a_transaction_leaves_the_last_commit() {
        let directory = Directory::new();
        for round in 1..=3 {
            assert!(!spawn(directory.0.path(), "die").wait().unwrap().success());
            let store = RedbStore::open(directory.0.path()).unwrap();
            assert_eq!(number(&store), round);
            assert_eq!(store.stats().unwrap().objects, round);
        }
    }

    #[test]
    fn a_released_database_is_free_and_reopens() {
        let directory = Directory::new();
        let store = RedbStore::open(directory.0.path()).unwrap();
        increment(&store, "number", 1);
        store.release().unwrap();
        let path = directory.0.path().join(DATABASE_FILE);
        drop(::redb::Database::open(&path).unwrap());
        assert_eq!(number(&store), 1);
        assert!(::redb::Database::open(&path).is_err(), "it is open again");
        let transaction = store.begin().unwrap();
        store.release().unwrap();
        assert!(::redb::Database::open(&path).is_err(), "a transaction keeps it open");
        drop(transaction);
        std::thread::sleep(Duration::from_millis(1_500));
        drop(::redb::Database::open(&path).expect("an idle store lets go"));
    }
}
