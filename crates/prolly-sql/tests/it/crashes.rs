//! What is on the disk at any moment is what a crash leaves: statements and transactions whole, or not at all.

use std::{fs, path::Path, thread, time::Duration};

use prolly_sql::Database;
use prolly_version::{BackendKind, Options, Store};

use crate::support::{rows, run};

fn open(folder: &Path) -> Database {
    let mut options = Options::default();
    options.backend = Some(BackendKind::File);
    Database::new(Store::open(folder, options).unwrap()).unwrap()
}

/// Copies a folder as it is, without asking who has it open.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (entry, to) = (entry.unwrap().path(), to.to_owned());
        let to = to.join(entry.file_name().unwrap());
        if entry.is_dir() {
            copy(&entry, &to);
        } else {
            fs::copy(&entry, &to).unwrap();
        }
    }
}

/// Checks what the statements of the test keep true; returns how many rows there are.
fn check(folder: &Path) -> usize {
    let mut connection = open(folder).connect().unwrap();
    assert_eq!(
        rows(&mut connection, "SELECT SUM(n) FROM account"),
        ["100"],
        "half of a transaction is there"
    );
    let names = rows(&mut connection, "SELECT name FROM t");
    for name in &names {
        let found = rows(&mut connection, &format!("SELECT name FROM t WHERE name = '{name}'"));
        assert_eq!(found, std::slice::from_ref(name), "a row without its entry");
    }
    let by_kind = rows(&mut connection, "SELECT id FROM t WHERE kind >= 0");
    assert_eq!(by_kind.len(), names.len(), "an entry without its row, or a row without its entry");
    assert_eq!(rows(&mut connection, "SELECT COUNT(*) FROM log"), [names.len().to_string()]);
    names.len()
}

#[test]
fn a_crash_leaves_statements_and_transactions_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (live, crashed) = (folder.path().join("live"), folder.path().join("crashed"));
    let database = open(&live);
    let mut connection = database.connect().unwrap();
    run(
        &mut connection,
        "CREATE TABLE account (id INT PRIMARY KEY, n INT);
         CREATE TABLE t (id INT PRIMARY KEY, name TEXT UNIQUE, kind INT);
         CREATE TABLE log (id INT PRIMARY KEY);
         CREATE INDEX t_kind ON t (kind);
         INSERT INTO account VALUES (1, 60), (2, 40)",
    );
    database.store().commit("tables").unwrap();
    let mut seen = Vec::new();
    for step in 0..40_i64 {
        // Writes are put off for a while: a wait makes the next one due, at any place in a statement.
        thread::sleep(Duration::from_millis(if step % 3 == 0 { 60 } else { 1 }));
        let many = (0..step % 7)
            .map(|n| format!("({}, 'n{}', {n})", step * 10 + n, step * 10 + n))
            .collect::<Vec<_>>();
        run(&mut connection, "BEGIN");
        run(&mut connection, &format!("UPDATE account SET n = n - {step} WHERE id = 1"));
        if !many.is_empty() {
            run(&mut connection, &format!("INSERT INTO t VALUES {}", many.join(", ")));
            let ids = (0..step % 7).map(|n| format!("({})", step * 10 + n)).collect::<Vec<_>>();
            run(&mut connection, &format!("INSERT INTO log VALUES {}", ids.join(", ")));
        }
        run(&mut connection, &format!("UPDATE account SET n = n + {step} WHERE id = 2"));
        run(&mut connection, "COMMIT");
        let gone = fs::remove_dir_all(&crashed);
        assert!(gone.is_ok() || step == 0);
        copy(&live, &crashed);
        seen.push(check(&crashed));
    }
    assert!(seen.is_sorted() && seen.last() > Some(&0), "what was written out before is there: {seen:?}");
}
