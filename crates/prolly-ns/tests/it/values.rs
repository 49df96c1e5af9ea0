//! Values beside the tree: thresholds, streams, what an edit of a long value costs.

use std::io::{self, Read, Seek, SeekFrom};

use prolly_core::TreeConfig;
use prolly_ns::{DEFAULT, Error, NamespacedStore};
use prolly_version::{BackendKind, Error as VersionError, MergeOptions, MergeStrategy, Options};

const KINDS: [BackendKind; 3] = [BackendKind::Redb, BackendKind::File, BackendKind::Git];

fn memory() -> NamespacedStore {
    NamespacedStore::memory(Options::default()).unwrap()
}

fn commit(store: &NamespacedStore) -> String {
    store.versions().commit("commit").unwrap().to_string()
}

/// Bytes that look random, the same for the same seed.
fn noise(len: usize, mut seed: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = seed;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bytes.extend_from_slice(&(word ^ (word >> 31)).to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// Gives its bytes a few at a time, and perhaps fails at the end.
struct Trickle<'a>(&'a [u8], Option<io::Error>);

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.0.len().min(buffer.len()).min(70_001);
        if count == 0
            && let Some(error) = self.1.take()
        {
            return Err(error);
        }
        let (now, later) = self.0.split_at(count);
        buffer[..count].copy_from_slice(now);
        self.0 = later;
        Ok(count)
    }
}

fn threshold(store: &NamespacedStore, namespace: &str) -> Option<u32> {
    store.tree(namespace).unwrap().config().externalize_threshold
}

#[test]
fn a_threshold_is_staged_committed_and_inherited() {
    for kind in KINDS {
        let dir = tempfile::tempdir().unwrap();
        let open = || NamespacedStore::open(dir.path(), Options::new(kind)).unwrap();
        let store = open();
        let value = noise(1000, 1);
        for namespace in [DEFAULT, "a", "b"] {
            store.insert(namespace, b"long", &value).unwrap();
            store.insert(namespace, b"short", b"s").unwrap();
        }
        let before = commit(&store);
        assert_eq!(store.set_externalize_threshold(Some(100)).unwrap(), 3);
        assert_eq!(store.set_externalize_threshold(Some(100)).unwrap(), 0, "it is set");
        assert_eq!(store.versions().status().unwrap().count(), 0, "no key changed");
        assert_eq!(store.versions().staged_trees().unwrap().len(), 3);
        store.insert("a", b"more", &value).unwrap();
        drop(store);
        let store = open();
        assert_eq!(store.externalize_threshold().unwrap(), Some(100));
        store.insert("new", b"long", &value).unwrap();
        for namespace in [DEFAULT, "a", "b", "new"] {
            assert_eq!(threshold(&store, namespace), Some(100));
            assert_eq!(store.get(namespace, b"long").unwrap().unwrap(), value);
        }
        assert_eq!(store.get("a", b"more").unwrap().unwrap(), value);
        let after = commit(&store);
        drop(store);
        let store = open();
        assert_eq!(threshold(&store, "b"), Some(100));
        assert!(!store.namespace_changed("b", &before, &after).unwrap());
        assert!(store.namespace_changed("a", &before, &after).unwrap());
        let changed: Vec<_> =
            store.changes(Some(&before), Some(&after), None).unwrap().map(|c| c.unwrap()).collect();
        let keys: Vec<_> = changed.iter().map(|c| (c.namespace.as_str(), &c.key[..])).collect();
        assert_eq!(keys, [("a", &b"more"[..]), ("new", b"long")]);
        assert_eq!(store.history("b", b"long", None).unwrap().count(), 1, "re-encoding changes no key");
        assert_eq!(store.at(&before).unwrap().tree("b").unwrap().unwrap().config(), &TreeConfig::default());

        // Back to where it was: the tree that it was.
        let root = store.at(&before).unwrap().root_hash("b").unwrap();
        assert_ne!(store.root_hash("b").unwrap(), root);
        store.set_externalize_threshold(TreeConfig::default().externalize_threshold).unwrap();
        commit(&store);
        assert_eq!(store.root_hash("b").unwrap(), root);
        assert_eq!(store.set_externalize_threshold(None).unwrap(), 4);
        assert_eq!(store.externalize_threshold().unwrap(), None);
        let error = store.set_externalize_threshold(Some(u32::MAX)).unwrap_err();
        assert!(error.to_string().contains("externalize_threshold"), "{error}");
    }
}

#[test]
fn an_envelope_of_a_user_is_a_value_like_any_other() {
    let store = memory();
    let mut envelope = vec![1, 1, 0, 0];
    envelope.extend_from_slice(&5000_u64.to_le_bytes());
    envelope.extend_from_slice(&[7; 32]);
    for threshold in [Some(4096), Some(10), None] {
        store.set_externalize_threshold(threshold).unwrap();
        store.insert("ns", b"k", &envelope).unwrap();
        commit(&store);
        assert_eq!(store.get("ns", b"k").unwrap().unwrap(), envelope);
    }
}

#[test]
fn sides_with_different_thresholds_merge() {
    let value = noise(1000, 1);
    let other = noise(1000, 2);
    for (ours, theirs, merged) in [
        (Some(100), Some(4096), Some(100)),
        (Some(4096), Some(100), Some(100)),
        (Some(100), Some(2000), Some(100)),
        (None, Some(2000), Some(2000)),
    ] {
        let store = memory();
        for number in 0..100_u32 {
            store.insert("ns", &number.to_be_bytes(), &value).unwrap();
        }
        commit(&store);
        store.versions().create_branch("topic", None).unwrap();
        store.set_externalize_threshold(theirs).unwrap();
        store.insert("ns", &5_u32.to_be_bytes(), &other).unwrap();
        store.insert("ns", &7_u32.to_be_bytes(), &other).unwrap();
        commit(&store);
        store.versions().checkout("main", false).unwrap();
        store.set_externalize_threshold(ours).unwrap();
        store.insert("ns", &6_u32.to_be_bytes(), &other).unwrap();
        store.insert("ns", &7_u32.to_be_bytes(), &other).unwrap();
        commit(&store);
        assert!(store.try_merge("topic").unwrap().is_empty(), "both hold the same bytes at 7");
        store.merge("topic", MergeOptions::default()).unwrap();
        assert_eq!(threshold(&store, "ns"), merged);
        for number in 0..100_u32 {
            let expected = if (5..8).contains(&number) { &other } else { &value };
            assert_eq!(&store.get("ns", &number.to_be_bytes()).unwrap().unwrap(), expected);
        }
        // The same tree as one that is built so.
        let built = memory();
        built.set_externalize_threshold(merged).unwrap();
        for number in 0..100_u32 {
            let value = if (5..8).contains(&number) { &other } else { &value };
            built.insert("ns", &number.to_be_bytes(), value).unwrap();
        }
        commit(&built);
        assert_eq!(built.root_hash("ns").unwrap(), store.root_hash("ns").unwrap());
    }
}

#[test]
fn a_staged_threshold_is_carried_to_another_branch() {
    let dir = tempfile::tempdir().unwrap();
    let open = || NamespacedStore::open(dir.path(), Options::new(BackendKind::Redb)).unwrap();
    let store = open();
    let (value, other) = (noise(1000, 1), noise(1000, 2));
    store.insert("ns", b"k", &value).unwrap();
    commit(&store);
    store.versions().branch("topic", None).unwrap();
    store.insert("ns", b"main", &value).unwrap();
    commit(&store);
    store.set_externalize_threshold(Some(10)).unwrap();
    store.insert("ns", b"staged", &other).unwrap();
    store.versions().checkout("topic", false).unwrap();
    drop(store);
    let store = open();
    assert_eq!(threshold(&store, "ns"), Some(10));
    assert_eq!(store.get("ns", b"staged").unwrap().unwrap(), other);
    assert_eq!(store.get("ns", b"main").unwrap(), None);
    assert_eq!(store.versions().discard().unwrap(), 1);
    assert_eq!(threshold(&store, "ns"), TreeConfig::default().externalize_threshold);
}

#[test]
fn values_stream_in_and_out_and_survive_a_reopening() {
    for kind in KINDS {
        let dir = tempfile::tempdir().unwrap();
        let mut options = Options::new(kind);
        options.spill_bytes = 1 << 20;
        let open = || NamespacedStore::open(dir.path(), options.clone()).unwrap();
        let store = open();
        let value = noise(5 << 20, 3);
        assert_eq!(store.insert_reader("files", b"big", Trickle(&value, None)).unwrap(), value.len() as u64);
        assert_eq!(store.insert_reader("files", b"small", &b"few"[..]).unwrap(), 3);
        assert_eq!(store.insert_reader("files", b"none", &b""[..]).unwrap(), 0);
        let failing = Trickle(&value[..1 << 20], Some(io::Error::other("gone")));
        let error = store.insert_reader("files", b"failed", failing).unwrap_err();
        assert!(
            matches!(&error, Error::Version(VersionError::ValueSource { key, .. }) if key == b"failed"),
            "{error}"
        );
        assert_eq!(store.get("files", b"failed").unwrap(), None);
        assert!(store.open_value("files", b"failed").unwrap().is_none());
        assert!(store.open_value("nowhere", b"k").unwrap().is_none());
        let early = store.open_value("files", b"big").unwrap().unwrap();
        drop(store);
        let store = open();
        assert_eq!(store.get("files", b"big").unwrap().unwrap(), value, "from the journal");
        let id = commit(&store);
        drop(store);
        let store = open();
        store.insert("files", b"big", b"replaced").unwrap();
        for mut reader in [early, store.at(&id).unwrap().open_value("files", b"big").unwrap().unwrap()] {
            assert_eq!(reader.len(), value.len() as u64);
            let mut read = Vec::new();
            reader.read_to_end(&mut read).unwrap();
            assert!(read == value);
            for (to, at) in [
                (SeekFrom::Start(4_000_000), 4_000_000),
                (SeekFrom::Current(-100), 3_999_910),
                (SeekFrom::End(-5), value.len() - 5),
                (SeekFrom::Start(0), 0),
            ] {
                assert_eq!(reader.seek(to).unwrap(), at as u64);
                let mut few = [0; 10];
                let count = reader.read(&mut few).unwrap();
                assert!(count > 0 && few[..count] == value[at..at + count], "{to:?}");
            }
            assert_eq!(reader.seek(SeekFrom::End(10)).unwrap(), value.len() as u64 + 10);
            assert_eq!(reader.read(&mut [0; 10]).unwrap(), 0);
            assert!(reader.seek(SeekFrom::Current(i64::MIN)).is_err());
        }
        let mut small = store.open_value("files", b"small").unwrap().unwrap();
        small.seek(SeekFrom::Start(1)).unwrap();
        assert_eq!(io::read_to_string(small).unwrap(), "ew");
    }
}

#[test]
fn a_streamed_value_is_the_one_that_is_inserted() {
    let (one, other) = (memory(), memory());
    let value = noise(700_000, 4);
    one.insert("ns", b"k", &value).unwrap();
    other.insert_reader("ns", b"k", &value[..]).unwrap();
    commit(&one);
    commit(&other);
    assert_eq!(one.root_hash("ns").unwrap(), other.root_hash("ns").unwrap());
    assert!(one.root_hash("ns").unwrap().is_some());
}

#[test]
fn a_value_that_streams_through_a_commit_is_staged_after_it() {
    struct Committing<'a>(&'a NamespacedStore, &'a [u8], bool);
    impl Read for Committing<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.1.len() < 500_000 && !std::mem::replace(&mut self.2, true) {
                self.0.insert("ns", b"between", b"1").unwrap();
                commit(self.0);
            }
            self.1.read(buffer)
        }
    }
    let store = memory();
    let value = noise(1_000_000, 5);
    store.insert_reader("ns", b"k", Committing(&store, &value, false)).unwrap();
    assert_eq!(store.at("HEAD").unwrap().get("ns", b"k").unwrap(), None);
    assert_eq!(store.at("HEAD").unwrap().get("ns", b"between").unwrap().unwrap(), b"1");
    commit(&store);
    assert_eq!(store.get("ns", b"k").unwrap().unwrap(), value);
}

fn bytes_below(path: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap());
    let bytes = entries.map(|entry| match entry.metadata().unwrap() {
        found if found.is_dir() => bytes_below(&entry.path()),
        found => found.len(),
    });
    bytes.sum()
}

#[test]
fn an_edit_in_the_middle_of_a_long_value_stores_little_more_than_the_edit() {
    for kind in [BackendKind::File, BackendKind::Git] {
        for streams in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let store = NamespacedStore::open(dir.path(), Options::new(kind)).unwrap();
            let put = |value: &[u8]| {
                if streams {
                    store.insert_reader("ns", b"k", value).unwrap();
                } else {
                    store.insert("ns", b"k", value).unwrap();
                }
            };
            let mut value = noise(12 << 20, 6);
            put(&value);
            commit(&store);
            let before = bytes_below(dir.path());
            assert!(before > 12 << 20);
            value.splice(6_000_000..6_000_000, *b"a few bytes that were not there");
            put(&value);
            let staged = bytes_below(dir.path()) - before;
            assert!(staged < 1 << 20, "{staged} bytes in the journal");
            commit(&store);
            let new = bytes_below(dir.path()) - before;
            assert!(new < 1 << 20, "{new} bytes: a part or two, lists, nodes, the commit");
            assert_eq!(store.get("ns", b"k").unwrap().unwrap(), value);
            drop(store);
            let store = NamespacedStore::open(dir.path(), Options::new(kind)).unwrap();
            store.versions().collect_garbage().unwrap();
            assert_eq!(store.get("ns", b"k").unwrap().unwrap(), value);
        }
    }
}

#[test]
fn what_a_staged_value_shares_with_its_base_outlives_the_branch() {
    for kind in KINDS {
        let dir = tempfile::tempdir().unwrap();
        let open = || NamespacedStore::open(dir.path(), Options::new(kind)).unwrap();
        let store = open();
        let versions = || store.versions();
        versions().create_branch("topic", None).unwrap();
        let mut value = noise(3 << 20, 12);
        store.insert_reader("ns", b"k", &value[..]).unwrap();
        commit(&store);
        value.splice(1_000_000..1_000_000, *b"edit");
        store.insert_reader("ns", b"k", &value[..]).unwrap();
        // The namespace is taken along under a name that no branch has, and its value with it.
        store.rename_namespace("ns", "taken").unwrap();
        drop(store);
        let store = open();
        let versions = || store.versions();
        assert_eq!(store.get("taken", b"k").unwrap().unwrap(), value, "from the journal and the base");
        versions().checkout("main", false).unwrap();
        versions().delete_branch("topic").unwrap();
        versions().collect_garbage().unwrap();
        drop(store);
        let store = open();
        assert_eq!(store.get("taken", b"k").unwrap().unwrap(), value);
        commit(&store);
        store.versions().collect_garbage().unwrap();
        assert!(store.versions().graph().refs("refs/prolly/").unwrap().is_empty());
        assert_eq!(store.get("taken", b"k").unwrap().unwrap(), value);
    }
}

#[test]
fn a_staged_edit_of_a_long_value_is_carried_to_a_branch_that_has_the_value_too() {
    for kind in KINDS {
        let dir = tempfile::tempdir().unwrap();
        let store = NamespacedStore::open(dir.path(), Options::new(kind)).unwrap();
        let mut value = noise(3 << 20, 12);
        store.insert_reader("ns", b"k", &value[..]).unwrap();
        commit(&store);
        store.versions().create_branch("topic", None).unwrap();
        store.insert("ns", b"only here", b"1").unwrap();
        commit(&store);
        value.splice(1_000_000..1_000_000, *b"edit");
        store.insert_reader("ns", b"k", &value[..]).unwrap();
        store.versions().checkout("main", false).unwrap();
        store.versions().delete_branch("topic").unwrap();
        store.versions().collect_garbage().unwrap();
        commit(&store);
        store.versions().collect_garbage().unwrap();
        assert_eq!(store.get("ns", b"k").unwrap().unwrap(), value);
        assert_eq!(store.get("ns", b"only here").unwrap(), None);
        assert!(store.versions().graph().refs("refs/prolly/").unwrap().is_empty());
    }
}

#[test]
fn large_values_merge_as_values() {
    let store = memory();
    let (base, main, topic) = (noise(300_000, 1), noise(300_000, 2), noise(300_000, 3));
    store.insert("ns", b"k", &base).unwrap();
    store.insert("ns", b"l", &base).unwrap();
    commit(&store);
    store.versions().create_branch("topic", None).unwrap();
    store.insert("ns", b"k", &topic).unwrap();
    store.insert("ns", b"l", &topic).unwrap();
    commit(&store);
    store.versions().checkout("main", false).unwrap();
    store.insert("ns", b"k", &main).unwrap();
    commit(&store);
    let conflicts = store.try_merge("topic").unwrap();
    assert_eq!(conflicts.len(), 1);
    assert_eq!(conflicts[0].source.as_ref(), Some(&topic));
    let options = MergeOptions { strategy: MergeStrategy::TakeDestination, ..MergeOptions::default() };
    store.merge("topic", options).unwrap();
    assert_eq!(store.get("ns", b"k").unwrap().unwrap(), main);
    assert_eq!(store.get("ns", b"l").unwrap().unwrap(), topic);
}

#[test]
fn blobs_that_nothing_names_are_swept_and_staged_ones_stay() {
    for kind in [BackendKind::Memory, BackendKind::Redb, BackendKind::File, BackendKind::Git] {
        let dir = tempfile::tempdir().unwrap();
        let store = NamespacedStore::open(dir.path(), Options::new(kind)).unwrap();
        let long = noise(2 << 20, 9);
        for seed in 0..3 {
            store.insert("a", &[seed], &noise(5000, u64::from(seed))).unwrap();
        }
        // Bytes that are stored already are no other blob.
        store.insert("b", b"same", &noise(5000, 0)).unwrap();
        let first = commit(&store);
        let report = store.gc_blobs().unwrap();
        assert_eq!((report.total, report.referenced, report.removed), (3, 3, 0), "{kind}");
        store.insert("a", b"gone", &long).unwrap();
        commit(&store);
        let with_long = store.gc_blobs().unwrap();
        assert!(with_long.referenced > 10, "the parts of the long one, and a list: {with_long:?}");
        store.versions().reset(&first, prolly_version::ResetMode::Hard).unwrap();
        store.insert("a", b"staged", &long).unwrap();
        store.insert("a", b"staged too", &noise(6000, 10)).unwrap();
        store.tree("a").unwrap();
        let report = store.gc_blobs().unwrap();
        assert_eq!((report.total, report.referenced), (with_long.total, 3), "{kind}");
        assert_eq!(report.removed, with_long.total - 3, "{kind}");
        commit(&store);
        assert_eq!(store.get("a", b"staged").unwrap().unwrap(), long);
        assert_eq!(store.get("a", b"staged too").unwrap().unwrap(), noise(6000, 10));
        assert_eq!(store.gc_blobs().unwrap().referenced, with_long.referenced + 1);
    }
}

/// What a crash leaves: the files of a store as they are while it is open.
fn crash_image(of: &std::path::Path) -> tempfile::TempDir {
    let image = tempfile::tempdir().unwrap();
    let mut open = vec![(of.to_owned(), image.path().to_owned())];
    while let Some((from, to)) = open.pop() {
        std::fs::create_dir_all(&to).unwrap();
        for entry in std::fs::read_dir(&from).unwrap() {
            let entry = entry.unwrap();
            let to = to.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                open.push((entry.path(), to));
            } else {
                std::fs::copy(entry.path(), to).unwrap();
            }
        }
    }
    image
}

#[test]
fn a_staged_stream_survives_a_crash_whole_or_not_at_all() {
    for kind in [BackendKind::File, BackendKind::Git] {
        let dir = tempfile::tempdir().unwrap();
        let store = NamespacedStore::open(dir.path(), Options::new(kind)).unwrap();
        store.insert("files", b"before", b"1").unwrap();
        let value = noise(3 << 20, 11);
        store.insert_reader("files", b"big", &value[..]).unwrap();
        let open =
            |image: &tempfile::TempDir| NamespacedStore::open(image.path(), Options::new(kind)).unwrap();
        let image = crash_image(dir.path());
        let crashed = open(&image);
        assert_eq!(crashed.get("files", b"big").unwrap().unwrap(), value);
        let id = commit(&crashed);
        assert_eq!(crashed.at(&id).unwrap().get("files", b"big").unwrap().unwrap(), value);

        // Cut short: what came before is there, and nothing of the value.
        let image = crash_image(dir.path());
        let staging = store.versions().graph().staging_dir().unwrap().canonicalize().unwrap();
        let journal = std::fs::read_dir(&staging);
        let journal = journal.unwrap().map(|entry| entry.unwrap().path());
        let journal = journal.filter(|path| path.extension().is_some_and(|ending| ending == "journal"));
        let journal = journal.last().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let journal = image.path().join(journal.strip_prefix(root).unwrap());
        let len = std::fs::metadata(&journal).unwrap().len();
        assert!(len > 3 << 20);
        std::fs::OpenOptions::new().write(true).open(&journal).unwrap().set_len(len / 2).unwrap();
        let crashed = open(&image);
        assert_eq!(crashed.get("files", b"before").unwrap().unwrap(), b"1");
        assert_eq!(crashed.get("files", b"big").unwrap(), None);
        commit(&crashed);
    }
}
