//! Several processes at one store, and processes that are killed.
//!
//! The children are this test binary again, running the ignored tests below.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use prolly_version::{BackendKind, Options, Store, TreeKey};

use crate::support::{entries, status};

const PATH: &str = "PROLLY_TEST_PATH";
const NAME: &str = "PROLLY_TEST_NAME";
const COMMITS: u32 = 12;

fn map() -> TreeKey {
    TreeKey::default_map()
}

fn child(test: &str, path: &Path, name: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("process::{test}"), "--ignored", "--nocapture"])
        .env(PATH, path)
        .env(NAME, name)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

/// The store that the parent names; `None` when there is no parent.
fn open_as_child() -> Option<(Store, String)> {
    let path = std::env::var_os(PATH)?;
    Some((Store::open(path, Options::default()).unwrap(), std::env::var(NAME).unwrap()))
}

#[test]
#[ignore = "a child of processes_never_lose_each_others_commits"]
fn commit_own_keys() {
    let Some((store, name)) = open_as_child() else { return };
    for number in 0..COMMITS {
        let key = format!("{name}/{number}");
        store.insert(&map(), key.as_bytes(), name.as_bytes()).unwrap();
        store.commit(&key).unwrap();
    }
}

#[test]
#[ignore = "a child of a_killed_process_loses_at_most_what_was_not_written_out"]
fn stage_and_wait_to_be_killed() {
    let Some((store, name)) = open_as_child() else { return };
    for number in 0..COMMITS {
        store.insert(&map(), format!("{name}/{number}").as_bytes(), b"committed").unwrap();
        store.commit("done").unwrap();
    }
    store.insert(&map(), b"flushed", b"1").unwrap();
    store.flush().unwrap();
    println!("ready");
    for number in 0_u64.. {
        store.insert(&map(), &number.to_be_bytes(), b"unflushed").unwrap();
        if number % 1000 == 0 {
            store.commit("more").unwrap();
        }
    }
}

#[test]
fn processes_never_lose_each_others_commits() {
    for kind in [BackendKind::File, BackendKind::Redb, BackendKind::Git] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        drop(Store::open(&path, Options::new(kind)).unwrap());
        let children: Vec<_> = ["a", "b", "c"].map(|name| child("commit_own_keys", &path, name)).into();
        for child in children {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{kind}: {}", String::from_utf8_lossy(&output.stdout));
        }
        let store = Store::open(&path, Options::default()).unwrap();
        assert_eq!(store.len(&map()).unwrap(), u64::from(3 * COMMITS), "{kind}");
        assert_eq!(store.log(None).unwrap().count(), 1 + 3 * COMMITS as usize, "{kind}");
        assert!(!store.has_staged_changes().unwrap());
    }
}

#[test]
fn a_killed_process_loses_at_most_what_was_not_written_out() {
    for (kind, name) in [(BackendKind::File, "f"), (BackendKind::Redb, "r"), (BackendKind::Git, "g")] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        drop(Store::open(&path, Options::new(kind)).unwrap());
        let mut child = child("stage_and_wait_to_be_killed", &path, name);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("ready")));
        std::thread::sleep(std::time::Duration::from_millis(20));
        child.kill().unwrap();
        child.wait().unwrap();
        let store = Store::open(&path, Options::default()).unwrap();
        assert_eq!(store.get(&map(), b"flushed").unwrap().as_deref(), Some(&b"1"[..]), "{kind}");
        for number in 0..COMMITS {
            let key = format!("{name}/{number}");
            assert!(store.at("HEAD").unwrap().contains(&map(), key.as_bytes()).unwrap(), "{kind}: {key}");
        }
        let staged = status(&store).len();
        let all = entries(&store, &map()).len();
        store.commit("what was left").unwrap();
        drop(store);
        let store = Store::open(&path, Options::default()).unwrap();
        assert_eq!(entries(&store, &map()).len(), all, "{kind}, {staged} staged");
        assert!(!store.has_staged_changes().unwrap());
    }
}
