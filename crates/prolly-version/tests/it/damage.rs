//! Damaged stores, and places where no store can be: an error that names the thing, never a wrong answer.

use std::path::{Path, PathBuf};

use prolly_version::{BackendKind, Error, Options, Result, Store, TreeKey};

fn map() -> TreeKey {
    TreeKey::default_map()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { open.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// Everything that a store can say: its log, and every entry of every revision.
fn read_all(path: &Path) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let store = Store::open(path, Options::default())?;
    let mut all = Vec::new();
    for commit in store.log(None)? {
        let commit = commit?;
        all.push((commit.message.into_bytes(), Vec::new()));
        for entry in store.snapshot(&commit.id)?.catalog().entries(None)? {
            let tree = store.snapshot(&commit.id)?.tree(&entry?.key)?;
            let mut range = tree.range::<&[u8]>(..)?;
            while let Some(pair) = range.next_pair()? {
                all.push(pair);
            }
        }
    }
    store.commit("still usable")?;
    store.reset("HEAD~1", prolly_version::ResetMode::Hard)?;
    Ok(all)
}

#[test]
fn a_flipped_or_truncated_object_is_never_read_as_something_else() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let store = Store::open(&path, Options::new(BackendKind::File)).unwrap();
    store.insert_many(&map(), (0..600_u32).map(|n| (n.to_be_bytes(), n.to_be_bytes()))).unwrap();
    store.insert(&map(), b"large", &vec![1; 10_000]).unwrap();
    store.commit("first").unwrap();
    store.delete(&map(), &7_u32.to_be_bytes()).unwrap();
    store.commit("second").unwrap();
    drop(store);
    let expected = read_all(&path).unwrap();
    let mut damaged = 0;
    for file in files(&path.join("objects")) {
        let good = std::fs::read(&file).unwrap();
        let mut flipped = good.clone();
        flipped[good.len() / 2] ^= 1;
        for bad in [&flipped[..], &good[..good.len() / 2], &[]] {
            std::fs::write(&file, bad).unwrap();
            match read_all(&path) {
                Err(error) => {
                    damaged += 1;
                    let name = file.file_name().unwrap().to_str().unwrap();
                    assert!(error.to_string().contains(&name[..8]), "{}: {error}", file.display());
                }
                Ok(found) => assert_eq!(found, expected, "{}", file.display()),
            }
        }
        std::fs::remove_file(&file).unwrap();
        match read_all(&path) {
            Err(_) => damaged += 1,
            Ok(found) => assert_eq!(found, expected, "{}", file.display()),
        }
        std::fs::write(&file, good).unwrap();
    }
    assert!(damaged > 40, "only {damaged} damages were noticed");
    assert_eq!(read_all(&path).unwrap(), expected);
}

#[test]
fn a_damaged_ref_is_named() {
    let backend = std::sync::Arc::new(prolly_store::MemoryStore::new());
    let open = || {
        let cache = std::sync::Arc::new(prolly_store::NodeCache::new(0));
        let graph = prolly_version::NativeGraph::new(backend.clone(), cache, None);
        Store::over(std::sync::Arc::new(graph), BackendKind::Memory, Options::default())
    };
    drop(open().unwrap());
    let set = |name: &str, value: &[u8]| {
        let edit = prolly_store::RefEdit {
            name: name.to_owned(),
            expected: prolly_store::Expected::Any,
            new: Some(value.to_vec()),
        };
        prolly_store::RefStore::edit_refs(&*backend, &[edit]).unwrap();
    };
    for (name, value) in [
        ("HEAD", &b"nonsense"[..]),
        ("HEAD", b"ref: refs/../x"),
        ("refs/heads/main", b"zz"),
        ("refs/heads/main", b""),
    ] {
        let good = prolly_store::RefStore::read_ref(&*backend, name).unwrap();
        set(name, value);
        let error = open().unwrap_err();
        assert!(matches!(&error, Error::DamagedRef { name: found, .. } if found == name), "{error}");
        set(name, &good.unwrap_or_else(|| b"ref: refs/heads/main".to_vec()));
    }
    set("refs/heads/main", "ab".repeat(32).as_bytes());
    assert!(matches!(open(), Err(Error::MissingCommit { .. })));
}

#[test]
fn a_place_that_cannot_hold_a_store_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, b"x").unwrap();
    for kind in [BackendKind::File, BackendKind::Redb, BackendKind::Git] {
        for path in [file.clone(), file.join("below")] {
            let error = Store::open(&path, Options::new(kind)).unwrap_err();
            assert!(error.to_string().contains(file.to_str().unwrap()), "{kind}: {error}");
        }
    }
    assert_eq!(std::fs::read(&file).unwrap(), b"x");
}
