//! Making, reading, dropping, renaming, copying, comparing and proving namespaces.

use prolly_ns::{DEFAULT, Error, NAME_BYTES_MAX, NamespaceProof, NamespacedStore};
use prolly_version::{BackendKind, ChangeKind, Expected, Options, RefEdit, Store, TreeKey, TreeKind};

fn memory() -> NamespacedStore {
    NamespacedStore::memory(Options::default()).unwrap()
}

fn commit(store: &NamespacedStore) -> String {
    store.versions().commit("commit").unwrap().to_string()
}

fn names(store: &NamespacedStore) -> Vec<String> {
    store.namespaces().unwrap().map(|namespace| namespace.unwrap().name).collect()
}

fn keys(store: &NamespacedStore, namespace: &str) -> Vec<Vec<u8>> {
    store.keys(namespace).unwrap().map(|key| key.unwrap()).collect()
}

#[test]
fn namespaces_come_with_their_first_entry_and_read_as_empty_before() {
    let store = memory();
    assert_eq!(names(&store), [DEFAULT]);
    assert_eq!(store.get("users", b"a").unwrap(), None);
    assert_eq!(store.get_many("users", &["a", "b"]).unwrap(), [None, None]);
    assert_eq!(store.len("users").unwrap(), 0);
    assert!(keys(&store, "users").is_empty());
    assert!(!store.delete("users", b"a").unwrap());
    assert!(!store.update("users", b"a", b"1").unwrap());
    assert_eq!(names(&store), [DEFAULT], "none of that makes a namespace");

    store.insert("users", b"b", b"2").unwrap();
    store.insert_many("alpha", [("k", "v")]).unwrap();
    store.insert("users", b"a", b"1").unwrap();
    assert_eq!(names(&store), ["alpha", DEFAULT, "users"]);
    assert_eq!(store.namespace_count().unwrap(), 3);
    assert_eq!(keys(&store, "users"), [b"a", b"b"]);
    assert_eq!(store.get_many("users", &["b", "c"]).unwrap(), [Some(b"2".to_vec()), None]);
    assert_eq!(store.get("alpha", b"a").unwrap(), None, "keys of others are not seen");
    assert_eq!(store.root_hash("users").unwrap(), None, "it is not committed");
    commit(&store);
    let listed: Vec<_> = store.namespaces().unwrap().map(|namespace| namespace.unwrap()).collect();
    assert_eq!(listed[2].len, 2);
    assert_eq!(store.root_hash("users").unwrap(), Some(listed[2].root_hash));
    assert_eq!(store.at("HEAD~1").unwrap().get("users", b"a").unwrap(), None);
    assert_eq!(store.at("HEAD").unwrap().get("users", b"a").unwrap(), Some(b"1".to_vec()));
}

#[test]
fn bad_names_are_refused_by_name() {
    let store = memory();
    let long = "x".repeat(NAME_BYTES_MAX + 1);
    for bad in ["", &long] {
        for error in [
            store.insert(bad, b"", b"").unwrap_err(),
            store.get(bad, b"").unwrap_err(),
            store.drop_namespace(bad).unwrap_err(),
            store.rename_namespace("a", bad).unwrap_err(),
            store.root_hash(bad).unwrap_err(),
        ] {
            assert!(matches!(&error, Error::InvalidName { name, .. } if name == bad), "{error}");
        }
    }
    store.versions().create_tree(&TreeKey::map(vec![0xff]), Default::default(), b"").unwrap();
    let error = store.namespaces().unwrap().find_map(Result::err).unwrap();
    assert!(matches!(error, Error::InvalidName { .. }), "{error}");
}

#[test]
fn the_default_namespace_is_the_default_tree_and_stays() {
    let dir = tempfile::tempdir().unwrap();
    for kind in [BackendKind::Redb, BackendKind::File, BackendKind::Git] {
        let path = dir.path().join(kind.name());
        let store = Store::open(&path, Options::new(kind)).unwrap();
        store.insert(&TreeKey::default_map(), b"k", b"v").unwrap();
        drop(store);
        let store = NamespacedStore::open(&path, Options::default()).unwrap();
        assert_eq!(store.get(DEFAULT, b"k").unwrap(), Some(b"v".to_vec()));
        assert_eq!(names(&store), [DEFAULT]);
        store.insert("other", b"o", b"1").unwrap();
        store.insert(DEFAULT, b"k", b"w").unwrap();
        commit(&store);
        drop(store);
        let store = Store::open(&path, Options::default()).unwrap();
        assert_eq!(store.get(&TreeKey::default_map(), b"k").unwrap(), Some(b"w".to_vec()));
    }
    let store = memory();
    assert!(matches!(store.drop_namespace(DEFAULT), Err(Error::DefaultNamespace { .. })));
    assert!(matches!(store.rename_namespace(DEFAULT, "x"), Err(Error::DefaultNamespace { .. })));
    assert!(matches!(store.rename_namespace("x", DEFAULT), Err(Error::NamespaceExists { .. })));
    assert!(matches!(store.create_namespace(DEFAULT), Err(Error::NamespaceExists { .. })));
    // Another view may drop the tree; the namespace is there, empty.
    store.insert("a", b"", b"").unwrap();
    store.insert("z", b"", b"").unwrap();
    store.versions().drop_tree(&TreeKey::default_map()).unwrap();
    assert_eq!(names(&store), ["a", DEFAULT, "z"]);
    assert_eq!(store.namespace_count().unwrap(), 3);
    store.insert(DEFAULT, b"k", b"v").unwrap();
    assert_eq!(store.get(DEFAULT, b"k").unwrap(), Some(b"v".to_vec()));
    assert_eq!(names(&store), ["a", DEFAULT, "z"]);
}

#[test]
fn dropped_and_renamed_namespaces_stay_so() {
    let dir = tempfile::tempdir().unwrap();
    let open = || NamespacedStore::open(dir.path(), Options::new(BackendKind::Redb)).unwrap();
    let store = open();
    for number in 0..200_u32 {
        store.insert("old", &number.to_be_bytes(), b"x").unwrap();
    }
    store.insert("gone", b"k", b"v").unwrap();
    commit(&store);
    let root = store.root_hash("old").unwrap();
    assert!(store.drop_namespace("gone").unwrap());
    assert!(!store.drop_namespace("gone").unwrap());
    store.rename_namespace("old", "new").unwrap();
    assert!(
        matches!(store.rename_namespace("old", "x"), Err(Error::UnknownNamespace { name }) if name == "old")
    );
    assert!(matches!(store.rename_namespace("new", "new"), Ok(())));
    store.insert("new", b"more", b"y").unwrap();
    store.insert("old", b"again", b"z").unwrap();
    assert!(
        matches!(store.rename_namespace("old", "new"), Err(Error::NamespaceExists { name }) if name == "new")
    );
    drop(store);
    let store = open();
    assert_eq!(names(&store), [DEFAULT, "new", "old"]);
    assert_eq!(store.len("new").unwrap(), 201);
    assert_eq!(keys(&store, "old"), [b"again"]);
    commit(&store);
    drop(store);
    let store = open();
    assert_eq!(store.len("new").unwrap(), 201);
    store.delete("new", b"more").unwrap();
    store.drop_namespace("old").unwrap();
    store.rename_namespace("new", "old").unwrap();
    commit(&store);
    assert_eq!(store.root_hash("old").unwrap(), root, "the same contents under the old name");
    assert_eq!(names(&store), [DEFAULT, "old"]);
}

#[test]
fn a_copy_is_independent_of_its_original() {
    for kind in [BackendKind::Redb, BackendKind::Git] {
        let dir = tempfile::tempdir().unwrap();
        let open = || NamespacedStore::open(dir.path(), Options::new(kind)).unwrap();
        let store = open();
        for number in 0..500_u32 {
            store.insert("from", &number.to_be_bytes(), b"x").unwrap();
        }
        let first = commit(&store);
        store.insert("from", b"staged", b"1").unwrap();
        store.copy_namespace("from", Some(&first), "then").unwrap();
        store.copy_namespace("from", None, "now").unwrap();
        assert!(matches!(store.copy_namespace("from", None, "now"), Err(Error::NamespaceExists { .. })));
        assert!(matches!(store.copy_namespace("no", None, "x"), Err(Error::UnknownNamespace { .. })));
        assert!(matches!(store.copy_namespace("no", Some("HEAD"), "x"), Err(Error::UnknownNamespace { .. })));
        store.delete("from", b"staged").unwrap();
        assert_eq!(store.len("from").unwrap(), 500);
        drop(store);
        let store = open();
        assert_eq!(store.get("now", b"staged").unwrap(), Some(b"1".to_vec()));
        assert_eq!((store.len("then").unwrap(), store.len("now").unwrap()), (500, 501));
        store.drop_namespace("from").unwrap();
        let second = commit(&store);
        assert_eq!(store.at(&first).unwrap().root_hash("from").unwrap(), store.root_hash("then").unwrap());
        drop(store);
        let store = open();
        store.versions().collect_garbage().unwrap();
        assert_eq!(store.keys("now").unwrap().count(), 501);
        assert!(store.namespace_changed("from", &first, &second).unwrap());
    }
}

#[test]
fn revisions_are_compared_by_namespace() {
    let store = memory();
    store.insert("a", b"1", b"x").unwrap();
    store.insert("b", b"1", b"x").unwrap();
    let first = commit(&store);
    store.insert("b", b"1", b"y").unwrap();
    store.insert("b", b"2", b"z").unwrap();
    store.insert("c", b"3", b"w").unwrap();
    store.versions().create_tree(&TreeKey::new(TreeKind::TABLE, "t"), Default::default(), b"").unwrap();
    let second = commit(&store);
    let changed = |namespace| store.namespace_changed(namespace, &first, &second).unwrap();
    assert_eq!(["a", "b", "c", "d"].map(changed), [false, true, true, false]);
    let diff: Vec<_> =
        store.diff("b", &first, &second).unwrap().map(|change| change.unwrap().kind()).collect();
    assert_eq!(diff, [ChangeKind::Modified, ChangeKind::Added]);
    assert!(matches!(store.diff("d", &first, &second), Err(Error::UnknownNamespace { name }) if name == "d"));
    assert_eq!(store.history("b", b"1", None).unwrap().count(), 2);
    assert_eq!(store.history("b", b"2", None).unwrap().count(), 1);

    store.drop_namespace("a").unwrap();
    let feed = |since: Option<&str>, until: Option<&str>, namespace: Option<&str>| -> Vec<_> {
        let changes = store.changes(since, until, namespace).unwrap().map(|change| change.unwrap());
        changes.map(|change| (change.namespace.clone(), change.kind(), change.key)).collect()
    };
    let change = |namespace: &str, kind, key: &str| (namespace.to_owned(), kind, key.as_bytes().to_vec());
    use ChangeKind::{Added, Deleted, Modified};
    let both = [change("b", Modified, "1"), change("b", Added, "2"), change("c", Added, "3")];
    assert_eq!(feed(Some(&first), Some(&second), None), both);
    assert_eq!(feed(Some(&first), Some(&second), Some("c")), both[2..]);
    assert_eq!(feed(Some(&second), Some(&second), None), []);
    assert_eq!(feed(Some(&second), None, None), [change("a", Deleted, "1")]);
    assert_eq!(feed(None, None, None).len(), 3);
    let back = feed(Some(&second), Some(&first), None);
    assert_eq!(back, [change("b", Modified, "1"), change("b", Deleted, "2"), change("c", Deleted, "3")]);

    let ahead = store.changes(Some(&second), None, None).unwrap();
    commit(&store);
    store.insert("a", b"new", b"").unwrap();
    assert_eq!(ahead.count(), 1, "a feed shows what there was when it was asked for");
}

#[test]
fn proofs_lead_from_the_root_of_the_commit_to_the_key() {
    let store = memory();
    let long = vec![7; 5000];
    for number in 0..300_u32 {
        store.insert(&format!("ns{number:03}"), b"k", &number.to_be_bytes()).unwrap();
    }
    store.insert("ns007", b"long", &long).unwrap();
    commit(&store);
    store.insert("ns007", b"k", b"staged").unwrap();
    let root = store.at("HEAD").unwrap().catalog().root_hash();
    let proof = store.prove("ns007", ["k", "long", "missing"], None).unwrap();
    let bytes = proof.to_bytes();
    let proof = NamespaceProof::from_bytes(&bytes).unwrap();
    let holds =
        |namespace: &str, key: &[u8], value: Option<&[u8]>| proof.verify_value(&root, namespace, key, value);
    assert!(holds("ns007", b"k", Some(&7_u32.to_be_bytes())).unwrap());
    assert!(holds("ns007", b"long", Some(&long)).unwrap());
    assert!(holds("ns007", b"missing", None).unwrap());
    assert!(!holds("ns007", b"k", Some(b"other")).unwrap());
    assert!(!holds("ns007", b"k", None).unwrap());
    assert!(holds("ns008", b"k", None).is_err(), "it says nothing of another namespace");
    assert!(
        proof.verify(&store.root_hash("ns007").unwrap().unwrap(), "ns007").is_err(),
        "that is another root"
    );
    assert_eq!(proof.claimed_root().unwrap(), root);
    let absent = store.prove("nowhere", ["k"], None).unwrap();
    assert!(absent.verify_value(&root, "nowhere", b"k", None).unwrap());
    assert!(absent.verify(&root, "nowhere").unwrap().entry.is_none());
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        let outcome = NamespaceProof::from_bytes(&flipped).and_then(|proof| proof.verify(&root, "ns007"));
        assert!(outcome.is_err(), "a flipped bit of byte {at} must be noticed");
    }
    assert!(bytes.len() < 4000, "{} bytes", bytes.len());
}

#[test]
fn a_proof_gives_a_long_descriptor_itself() {
    let store = memory();
    let tree = TreeKey::map("long");
    store.versions().create_tree(&tree, Default::default(), &[5; 2000]).unwrap();
    store.insert("long", b"k", b"v").unwrap();
    commit(&store);
    let root = store.at("HEAD").unwrap().catalog().root_hash();
    let bytes = store.prove("long", ["k"], None).unwrap().to_bytes();
    let proof = NamespaceProof::from_bytes(&bytes).unwrap();
    assert!(proof.verify_value(&root, "long", b"k", Some(b"v")).unwrap());
    assert_eq!(proof.verify(&root, "long").unwrap().entry.unwrap().metadata, [5; 2000]);
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x10;
        assert!(NamespaceProof::from_bytes(&flipped).and_then(|proof| proof.verify(&root, "long")).is_err());
    }
}

#[test]
fn what_a_staged_copy_needs_outlives_its_branch() {
    for kind in [BackendKind::Redb, BackendKind::File, BackendKind::Git] {
        let dir = tempfile::tempdir().unwrap();
        let open = || NamespacedStore::open(dir.path(), Options::new(kind)).unwrap();
        let store = open();
        let versions = || store.versions();
        let kept = |store: &NamespacedStore| store.versions().graph().refs("refs/prolly/").unwrap().len();
        versions().create_branch("topic", None).unwrap();
        for number in 0..500_u32 {
            store.insert("there", &number.to_be_bytes(), b"x").unwrap();
        }
        commit(&store);
        versions().checkout("main", false).unwrap();
        store.copy_namespace("there", Some("topic"), "copied").unwrap();
        store.copy_namespace("there", Some("topic"), "again").unwrap();
        store.insert("copied", b"more", b"y").unwrap();
        assert_eq!(kept(&store), 1);
        versions().delete_branch("topic").unwrap();
        versions().collect_garbage().unwrap();
        drop(store);
        let store = open();
        assert_eq!(kept(&store), 1, "the journal needs it");
        store.versions().create_branch("other", None).unwrap();
        store.insert("unrelated", b"k", b"v").unwrap();
        store.versions().collect_garbage().unwrap();
        assert_eq!(store.keys("copied").unwrap().count(), 501);
        commit(&store);
        assert_eq!(kept(&store), 0);
        store.versions().collect_garbage().unwrap();
        drop(store);
        let store = open();
        assert_eq!(store.keys("copied").unwrap().count(), 501);
        assert_eq!(store.keys("again").unwrap().count(), 500);

        // Dropped with what is staged; and what a crash left goes with a collection.
        store.copy_namespace("copied", Some("HEAD~1"), "x").unwrap_err();
        store.versions().checkout("main", false).unwrap();
        store.copy_namespace("copied", Some("other"), "x").unwrap();
        assert_eq!(kept(&store), 1);
        store.versions().discard().unwrap();
        assert_eq!(kept(&store), 0);
        let id = store.versions().current_commit().unwrap();
        let name = format!("refs/prolly/keep/slot-77/{id}");
        let edit = RefEdit { name, expected: Expected::Absent, new: Some(id), log: String::new() };
        store.versions().graph().update_refs(&[edit]).unwrap();
        store.versions().collect_garbage().unwrap();
        assert_eq!(kept(&store), 0);
    }
}

#[test]
fn a_renamed_namespace_is_carried_to_another_branch() {
    let dir = tempfile::tempdir().unwrap();
    let open = || NamespacedStore::open(dir.path(), Options::new(BackendKind::Redb)).unwrap();
    let store = open();
    store.insert("a", b"k", b"v").unwrap();
    commit(&store);
    store.versions().branch("topic", None).unwrap();
    store.insert("b", b"k", b"v").unwrap();
    commit(&store);
    store.rename_namespace("a", "c").unwrap();
    store.insert("c", b"l", b"w").unwrap();
    store.versions().checkout("topic", false).unwrap();
    drop(store);
    let store = open();
    assert_eq!(names(&store), ["c", DEFAULT]);
    assert_eq!(keys(&store, "c"), [b"k", b"l"]);
    commit(&store);
    assert!(store.versions().graph().refs("refs/prolly/").unwrap().is_empty());
}

#[test]
fn a_commit_stores_what_changed_however_many_namespaces_there_are() {
    let store = memory();
    for number in 0..5000 {
        store.insert(&format!("tenant-{number:04}"), b"k", &[number as u8]).unwrap();
    }
    commit(&store);
    let objects = || store.versions().collect_garbage().unwrap().objects_before;
    let mut before = objects();
    let mut stored = |what: &str| {
        commit(&store);
        let new = objects() - before;
        before += new;
        // The commit, a path of the catalog of three levels at most (two leaves where one is cut in two), a tree.
        assert!((1..=7).contains(&new), "{what}: {new} objects");
    };
    store.insert("tenant-1234", b"l", b"new").unwrap();
    stored("a change");
    store.drop_namespace("tenant-2345").unwrap();
    stored("a drop");
    store.copy_namespace("tenant-0001", Some("HEAD~1"), "tenant-2345").unwrap();
    stored("a copy");
    store.rename_namespace("tenant-3456", "tenant-3456 renamed").unwrap();
    stored("a new name");
    assert_eq!(store.namespace_count().unwrap(), 5001);
}
