use super::*;
use crate::conformance::Place;

struct Directory(tempfile::TempDir);

impl Directory {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

impl Place for Directory {
    fn open(&self) -> Arc<dyn Backend> {
        Arc::new(FileStore::open(self.0.path().join("store")).unwrap())
    }
}

crate::conformance_tests!(conformance, Directory::new);

#[test]
fn several_may_make_a_store_at_once() {
    for _ in 0..50 {
        let dir = tempfile::tempdir().unwrap();
        let start = std::sync::Barrier::new(4);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    start.wait();
                    FileStore::open(dir.path().join("store")).unwrap();
                });
            }
        });
    }
}

mod faults {
    use std::sync::Arc;

    use prolly_core::NodeReader as _;

    use super::*;
    use crate::{
        CachedReader, Expected,
        conformance::{edit, publish},
        crash::{self, Faults, Machine, ROOT},
        testing::{leaf, record},
        vfs::sim::Sim,
    };

    struct Simulated(Arc<Sim>);

    impl Machine for Simulated {
        fn new() -> Self {
            Self(Arc::new(Sim::new(Path::new(ROOT))))
        }

        fn open(&self) -> Result<Arc<dyn Backend>> {
            let store = FileStore {
                root: ROOT.into(),
                vfs: self.0.clone(),
                options: FileOptions::default(),
                sync_everything_from: crash::MANY,
                writer: Mutex::default(),
                lock: None,
            };
            Ok(Arc::new(open::open(store)?))
        }

        fn faults<T>(&self, set: impl FnOnce(&mut Faults) -> T) -> T {
            self.0.faults(set)
        }

        fn after_power_cut(&self, seed: u64) -> Self {
            Self(Arc::new(self.0.after_power_cut(seed)))
        }
    }

    #[test]
    fn a_power_cut_at_any_step_leaves_old_or_new() {
        crash::survives_power_cuts::<Simulated>(|_| ());
        crash::survives_power_cuts::<Simulated>(|faults| faults.no_sync_everything = true);
    }

    #[test]
    fn what_was_acknowledged_survives_a_power_cut() {
        crash::keeps_what_was_acknowledged::<Simulated>(|_| ());
        crash::keeps_what_was_acknowledged::<Simulated>(|faults| faults.no_sync_everything = true);
    }

    #[test]
    fn a_full_disk_at_any_step_is_survived() {
        crash::survives_a_full_disk::<Simulated>(|_| ());
        crash::survives_a_full_disk::<Simulated>(|faults| faults.no_sync_everything = true);
    }

    #[test]
    fn short_reads_are_damage() {
        let machine = Simulated::new();
        let store = machine.open().unwrap();
        let node = leaf(1, 20, 20);
        let object = (*node.hash(), node.bytes().to_vec());
        publish(&*store, &[object], &[edit("main", Expected::Absent, Some(b"x"))]);
        machine.faults(|faults| faults.short_reads = true);
        let error = store.read_ref("main").unwrap_err();
        assert!(matches!(&error, Error::Damaged { path, .. } if path.ends_with("refs")), "{error}");
        let error = CachedReader::new(store, Arc::default()).read_node(&node.link()).unwrap_err();
        assert!(matches!(error, prolly_core::Error::Corrupt { hash, .. } if hash == *node.hash()), "{error}");
    }

    #[test]
    fn a_damaged_object_is_named() {
        let directory = Directory::new();
        let store = FileStore::open(directory.0.path()).unwrap();
        let node = leaf(1, 20, 20);
        let (hash, encoded) = record(1, 2_000);
        publish(&store, &[(*node.hash(), node.bytes().to_vec()), (hash, encoded.clone())], &[]);
        let reader = CachedReader::new(Arc::new(store), Arc::default());
        let path_of = |hash: &Hash| {
            let hex = hash.to_string();
            directory.0.path().join("objects").join(&hex[..2]).join(&hex[2..])
        };
        let is_named = |error: prolly_core::Error, named: Hash| {
            assert!(matches!(error, prolly_core::Error::Corrupt { hash, .. } if hash == named), "{error}");
        };
        std::fs::write(path_of(node.hash()), &node.bytes()[..50]).unwrap();
        is_named(reader.read_node(&node.link()).unwrap_err(), *node.hash());
        let mut flipped = encoded;
        flipped[1_000] ^= 1;
        std::fs::write(path_of(&hash), &flipped).unwrap();
        is_named(reader.read_record(&hash.into()).unwrap_err(), hash);
        std::fs::remove_file(path_of(&hash)).unwrap();
        let error = reader.read_record(&hash.into()).unwrap_err();
        assert!(matches!(error, prolly_core::Error::Missing { hash: named } if named == hash), "{error}");
        // A file that cannot be read is neither missing nor damaged.
        std::fs::create_dir(path_of(&hash)).unwrap();
        let error = reader.read_record(&hash.into()).unwrap_err();
        assert!(matches!(error, prolly_core::Error::Store(_)), "{error}");
        assert!(error.to_string().contains(path_of(&hash).to_str().unwrap()), "{error}");
    }
}

mod opening {
    use super::*;

    #[test]
    fn what_is_no_store_is_left_alone() {
        let directory = Directory::new();
        let file = directory.0.path().join("file");
        std::fs::write(&file, "text").unwrap();
        let error = FileStore::open(&file).unwrap_err();
        assert!(matches!(&error, Error::NotAStore { path, .. } if *path == file), "{error}");
        let error = FileStore::open(file.join("below")).unwrap_err().to_string();
        assert!(error.contains(file.to_str().unwrap()), "{error}");
        let error = FileStore::open(directory.0.path()).unwrap_err();
        assert!(
            matches!(&error, Error::NotAStore { .. }) && error.to_string().contains("\"file\""),
            "{error}"
        );
        assert_eq!(std::fs::read_dir(directory.0.path()).unwrap().count(), 1);
        let error = FileStore::open("/proc/prolly").unwrap_err();
        assert!(matches!(&error, Error::Io { path, .. } if path == Path::new("/proc/prolly")), "{error}");
    }

    #[test]
    fn other_versions_and_damage_are_told_apart() {
        let directory = Directory::new();
        let root = directory.0.path().join("store");
        let format = root.join("format");
        drop(FileStore::open(&root).unwrap());
        let written = std::fs::read_to_string(&format).unwrap();
        std::fs::write(&format, written.replace('1', "2")).unwrap();
        let newer = FileStore::open(&root).unwrap_err();
        assert!(matches!(&newer, Error::NewerStore { found: 2, supported: 1, .. }), "{newer}");
        std::fs::write(&format, &written[..written.len() - 2]).unwrap();
        assert!(matches!(FileStore::open(&root).unwrap_err(), Error::Damaged { .. }));
        std::fs::write(&format, "something else\n1\n").unwrap();
        assert!(matches!(FileStore::open(&root).unwrap_err(), Error::NotAStore { .. }));
        std::fs::write(&format, written).unwrap();
        FileStore::open(&root).unwrap();
    }

    #[test]
    fn a_held_lock_is_waited_for_and_then_named() {
        let directory = Directory::new();
        let first = FileStore::open(directory.0.path()).unwrap();
        let options = FileOptions { busy_timeout: Duration::from_millis(30) };
        let second = FileStore::open_with(directory.0.path(), options).unwrap();
        let transaction = first.begin().unwrap();
        let error = second.begin().map(|_| ()).unwrap_err();
        assert!(matches!(error, Error::Busy { .. }), "{error}");
        assert_eq!(second.refs("").unwrap(), [], "reading needs no lock");
        drop(transaction);
        second.begin().unwrap();
    }

    #[test]
    fn what_an_interrupted_transaction_left_is_removed() {
        let directory = Directory::new();
        let store = FileStore::open(directory.0.path()).unwrap();
        let left = directory.0.path().join("tmp/17");
        std::fs::write(&left, "half an object").unwrap();
        crate::conformance::publish(&store, &[crate::conformance::object(1, 10)], &[]);
        assert!(!left.exists());
    }
}

mod processes {
    use std::process::{Child, Command};

    use super::*;
    use crate::conformance::increment;

    fn spawn(dir: &Path, role: &str) -> Child {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "file::tests::processes::child", "--ignored", "--nocapture"])
            .env("PROLLY_STORE_DIR", dir)
            .env("PROLLY_STORE_ROLE", role)
            .spawn()
            .unwrap()
    }

    #[test]
    #[ignore = "what the other tests run in another process"]
    fn child() {
        let store =
            FileStore::open(std::env::var("PROLLY_STORE_DIR").expect("only run by other tests")).unwrap();
        increment(
            &store,
            "number",
            if std::env::var("PROLLY_STORE_ROLE").unwrap() == "die" { 1 } else { 15 },
        );
        if std::env::var("PROLLY_STORE_ROLE").unwrap() == "die" {
            let mut transaction = store.begin().unwrap();
            transaction.put(&Hash::new([1; 32]), &[0; 100_000]).unwrap();
            std::process::abort();
        }
    }

    fn number(store: &FileStore) -> u64 {
        u64::from_le_bytes(store.read_ref("number").unwrap().unwrap().try_into().unwrap())
    }

    #[test]
    fn two_processes_lose_no_commit() {
        let directory = Directory::new();
        let store = FileStore::open(directory.0.path()).unwrap();
        let children = [spawn(directory.0.path(), "increment"), spawn(directory.0.path(), "increment")];
        increment(&store, "number", 15);
        for mut child in children {
            assert!(child.wait().unwrap().success());
        }
        assert_eq!(number(&store), 45);
        assert_eq!(store.stats().unwrap().objects, 45);
    }

    #[test]
    fn a_process_that_dies_in_a_transaction_leaves_the_last_commit() {
        let directory = Directory::new();
        for round in 1..=3 {
            assert!(!spawn(directory.0.path(), "die").wait().unwrap().success());
            let store = FileStore::open(directory.0.path()).unwrap();
            assert_eq!(number(&store), round);
            assert_eq!(store.stats().unwrap().objects, round);
        }
    }
}
