//! What statements and transactions see, and what is left of those that fail.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use prolly_ns::NamespacedStore;
use prolly_sql::{Database, Error, Value, fragment::RowStatement};
use prolly_version::{Options, Store};

use crate::support::{failure, memory, rows, rows_with, run};

#[test]
fn a_transaction_is_seen_by_itself_until_it_is_committed() {
    let database = memory();
    let (mut one, mut other) = (database.connect().unwrap(), database.connect().unwrap());
    run(&mut one, "CREATE TABLE t (id INT PRIMARY KEY, x INT); INSERT INTO t VALUES (1, 10)");
    run(&mut one, "BEGIN; INSERT INTO t VALUES (2, 20); UPDATE t SET x = 11 WHERE id = 1");
    assert!(one.in_transaction());
    assert_eq!(rows(&mut one, "SELECT * FROM t"), ["1 11", "2 20"]);
    assert_eq!(rows(&mut other, "SELECT * FROM t"), ["1 10"]);
    run(&mut one, "COMMIT");
    assert!(!one.in_transaction());
    assert_eq!(rows(&mut other, "SELECT * FROM t"), ["1 11", "2 20"]);
}

#[test]
fn a_transaction_reads_the_moment_of_its_beginning() {
    let database = memory();
    let (mut one, mut other) = (database.connect().unwrap(), database.connect().unwrap());
    run(&mut one, "CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1)");
    run(&mut one, "BEGIN");
    run(&mut other, "INSERT INTO t VALUES (2); CREATE TABLE u (id INT)");
    assert_eq!(rows(&mut one, "SELECT * FROM t"), ["1"]);
    assert!(failure(&mut one, "SELECT * FROM u").to_string().contains("u"));
    run(&mut one, "ROLLBACK");
    assert_eq!(rows(&mut one, "SELECT * FROM t"), ["1", "2"]);
}

#[test]
fn rolling_back_leaves_nothing_and_so_does_dropping_a_connection() {
    let database = memory();
    let mut connection = database.connect().unwrap();
    run(&mut connection, "CREATE TABLE t (id INT PRIMARY KEY, u INT UNIQUE); INSERT INTO t VALUES (1, 1)");
    let before = database.store().catalog().unwrap().root_hash();
    let changes = "BEGIN; INSERT INTO t VALUES (2, 2); CREATE TABLE v (id INT); CREATE INDEX i ON t (u);
        ALTER TABLE t ADD COLUMN x INT; DELETE FROM t WHERE id = 1; DROP TABLE v; ALTER TABLE t RENAME TO w";
    run(&mut connection, changes);
    run(&mut connection, "ROLLBACK");
    assert_eq!(database.store().catalog().unwrap().root_hash(), before);
    run(&mut connection, changes);
    drop(connection);
    assert_eq!(database.store().catalog().unwrap().root_hash(), before);
}

#[test]
fn a_statement_that_fails_changes_nothing_also_in_a_transaction() {
    let database = memory();
    let mut connection = database.connect().unwrap();
    run(
        &mut connection,
        "CREATE TABLE t (id INT PRIMARY KEY, u INT UNIQUE); INSERT INTO t VALUES (1, 1), (2, 2)",
    );
    let before = database.store().catalog().unwrap().root_hash();
    failure(&mut connection, "INSERT INTO t VALUES (3, 3), (4, 1)");
    failure(&mut connection, "UPDATE t SET u = 2");
    failure(&mut connection, "INSERT INTO t VALUES (70000, 1000), (70000, 1001)");
    assert_eq!(database.store().catalog().unwrap().root_hash(), before);

    run(&mut connection, "BEGIN; INSERT INTO t VALUES (5, 5)");
    let error = failure(&mut connection, "INSERT INTO t VALUES (6, 6), (7, 5)");
    assert!(error.to_string().contains("duplicate entry '5' for unique column 'u'"), "{error}");
    failure(&mut connection, "CREATE TABLE w AS SELECT id / (id - 5) AS x FROM t");
    assert!(connection.in_transaction());
    assert!(failure(&mut connection, "SELECT * FROM w").to_string().contains("w"));
    run(&mut connection, "COMMIT");
    assert_eq!(rows(&mut connection, "SELECT id FROM t"), ["1", "2", "5"]);
}

#[test]
fn transactions_that_change_different_rows_both_succeed() {
    let database = memory();
    let (mut one, mut other) = (database.connect().unwrap(), database.connect().unwrap());
    run(&mut one, "CREATE TABLE t (id INT PRIMARY KEY, x INT); CREATE INDEX t_x ON t (x)");
    run(&mut one, "INSERT INTO t VALUES (1, 1), (2, 2)");
    run(&mut one, "BEGIN; UPDATE t SET x = 10 WHERE id = 1");
    run(&mut other, "BEGIN; UPDATE t SET x = 20 WHERE id = 2");
    run(&mut one, "COMMIT");
    run(&mut other, "COMMIT");
    assert_eq!(rows(&mut one, "SELECT * FROM t WHERE x > 5"), ["1 10", "2 20"]);
}

#[test]
fn the_second_of_two_that_change_a_row_is_refused_with_its_key() {
    let database = memory();
    let (mut one, mut other) = (database.connect().unwrap(), database.connect().unwrap());
    run(&mut one, "CREATE TABLE t (id INT PRIMARY KEY, x INT); INSERT INTO t VALUES (7, 1)");
    run(&mut one, "BEGIN; UPDATE t SET x = 10");
    run(&mut other, "UPDATE t SET x = 20");
    let error = failure(&mut one, "COMMIT");
    assert!(matches!(&error, Error::TransactionConflict { what } if what.contains('7')), "{error}");
    assert!(!one.in_transaction(), "what was refused is rolled back");
    assert_eq!(rows(&mut one, "SELECT x FROM t"), ["20"]);
}

#[test]
fn two_transactions_cannot_break_a_constraint_together() {
    let database = memory();
    let (mut one, mut other) = (database.connect().unwrap(), database.connect().unwrap());
    run(&mut one, "CREATE TABLE p (id INT PRIMARY KEY); INSERT INTO p VALUES (1), (2)");
    run(
        &mut one,
        "CREATE TABLE c (id INT PRIMARY KEY, u INT UNIQUE, p INT, FOREIGN KEY (p) REFERENCES p (id))",
    );
    // A unique value.
    run(&mut one, "BEGIN; INSERT INTO c VALUES (1, 5, NULL)");
    run(&mut other, "INSERT INTO c VALUES (2, 5, NULL)");
    failure(&mut one, "COMMIT");
    // A row that refers to one that goes, and the other way around.
    run(&mut one, "BEGIN; INSERT INTO c VALUES (3, NULL, 1)");
    run(&mut other, "DELETE FROM p WHERE id = 1");
    failure(&mut one, "COMMIT");
    run(&mut one, "BEGIN; DELETE FROM p WHERE id = 2");
    run(&mut other, "INSERT INTO c VALUES (4, NULL, 2)");
    failure(&mut one, "COMMIT");
    assert_eq!(rows(&mut one, "SELECT id FROM c"), ["2", "4"]);
    assert_eq!(rows(&mut one, "SELECT id FROM p"), ["2"]);
}

#[test]
fn two_transactions_cannot_leave_a_row_that_refers_to_nothing() {
    let refers = "BEGIN; CREATE TABLE c (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES p (id));
        INSERT INTO c VALUES (1, 1)";
    for removes in [
        "BEGIN; DELETE FROM p WHERE id = 1",
        "BEGIN; DROP TABLE p",
        "BEGIN; ALTER TABLE p RENAME TO q",
        "BEGIN; ALTER TABLE p RENAME COLUMN id TO key",
    ] {
        for order in [[refers, removes], [removes, refers]] {
            let database = memory();
            run(
                &mut database.connect().unwrap(),
                "CREATE TABLE p (id INT PRIMARY KEY); INSERT INTO p VALUES (1), (2)",
            );
            let [mut one, mut other] = order.map(|statements| {
                let mut connection = database.connect().unwrap();
                run(&mut connection, statements);
                connection
            });
            run(&mut one, "COMMIT");
            let error = failure(&mut other, "COMMIT");
            assert!(matches!(error, Error::TransactionConflict { .. }), "{order:?}: {error}");
        }
    }
}

#[test]
fn what_a_failed_statement_read_for_a_check_does_not_have_to_stay() {
    let database = memory();
    let (mut one, mut other) = (database.connect().unwrap(), database.connect().unwrap());
    run(&mut one, "CREATE TABLE t (id INT PRIMARY KEY, x INT); INSERT INTO t VALUES (1, 1), (2, 2)");
    run(&mut one, "BEGIN; UPDATE t SET x = 20 WHERE id = 2");
    failure(&mut one, "INSERT INTO t VALUES (1, 10)");
    run(&mut other, "UPDATE t SET x = 10 WHERE id = 1");
    run(&mut one, "COMMIT");
    assert_eq!(rows(&mut one, "SELECT * FROM t"), ["1 10", "2 20"]);
}

#[test]
fn a_transaction_ends_on_the_branch_that_it_began_on() {
    let database = memory();
    let store = database.store();
    let mut c = database.connect().unwrap();
    run(&mut c, "CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1)");
    store.commit("first").unwrap();
    store.branch("side", None).unwrap();
    run(&mut c, "BEGIN; INSERT INTO t VALUES (2)");
    store.checkout("side", false).unwrap();
    let error = failure(&mut c, "COMMIT");
    assert!(matches!(&error, Error::TransactionConflict { what } if what.contains("side")), "{error}");
    assert_eq!(rows(&mut c, "SELECT * FROM t"), ["1"]);
    // Committing what is staged does not end it, nor does moving there and back.
    run(&mut c, "INSERT INTO t VALUES (3); BEGIN; INSERT INTO t VALUES (4)");
    store.commit("second").unwrap();
    store.checkout("main", false).unwrap();
    store.checkout("side", false).unwrap();
    run(&mut c, "COMMIT");
    assert_eq!(rows(&mut c, "SELECT * FROM t"), ["1", "3", "4"]);
}

#[test]
fn threads_do_not_lose_statements() {
    let database = memory();
    run(
        &mut database.connect().unwrap(),
        "CREATE TABLE t (id INT PRIMARY KEY, n INT); INSERT INTO t VALUES (0, 0)",
    );
    let (threads, increments) = (4, 50);
    thread::scope(|scope| {
        for thread in 0..threads {
            let database = &database;
            scope.spawn(move || {
                let mut connection = database.connect().unwrap();
                for number in 0..increments {
                    run(&mut connection, "UPDATE t SET n = n + 1 WHERE id = 0");
                    let id = i64::from(1 + thread * increments + number);
                    connection.execute("INSERT INTO t VALUES ($1, 0)", &[Value::I64(id)]).unwrap();
                }
            });
        }
    });
    let mut connection = database.connect().unwrap();
    assert_eq!(rows(&mut connection, "SELECT n FROM t WHERE id = 0"), [(threads * increments).to_string()]);
    assert_eq!(rows(&mut connection, "SELECT COUNT(*) FROM t"), [(threads * increments + 1).to_string()]);
}

#[test]
fn reading_beside_a_writer_reports_nothing_that_never_was() {
    let database = memory();
    let mut writer = database.connect().unwrap();
    run(&mut writer, "CREATE TABLE t (id INT PRIMARY KEY, n INT); CREATE INDEX t_n ON t (n)");
    run(&mut writer, "INSERT INTO t VALUES (4, 5), (5, 5)");
    let (rounds, done) = (300, AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..rounds {
                run(&mut writer, "DELETE FROM t WHERE id = 5; INSERT INTO t (id, n) VALUES (5, 5)");
                if round % 10 == 0 {
                    run(&mut writer, "ALTER TABLE t ADD COLUMN x INT NULL; ALTER TABLE t DROP COLUMN x");
                }
            }
            done.store(true, Ordering::Relaxed);
        });
        let mut reader = database.connect().unwrap();
        while !done.load(Ordering::Relaxed) {
            let found = rows(&mut reader, "SELECT id FROM t WHERE n = 5");
            assert!(found == ["4"] || found == ["4", "5"], "{found:?}");
            let columns = reader.columns("t").unwrap().unwrap().len();
            assert!(columns == 2 || columns == 3);
        }
    });
}

#[test]
fn statements_of_one_text_run_one_after_another() {
    let mut connection = memory().connect().unwrap();
    let text = "CREATE TABLE t (id INT PRIMARY KEY, x TEXT); INSERT INTO t VALUES (1, 'a'); DROP TABLE t;
        CREATE TABLE t (x TEXT PRIMARY KEY, id INT); INSERT INTO t VALUES ('b', 2); SELECT * FROM t WHERE x = 'b'";
    assert_eq!(rows(&mut connection, text), ["b 2"]);
    let error = failure(&mut connection, "INSERT INTO t VALUES ('c', 3); SELEC");
    assert!(matches!(error, Error::Syntax { .. }), "{error}");
    assert_eq!(
        rows(&mut connection, "SELECT COUNT(*) FROM t"),
        ["1"],
        "nothing of a text that is no SQL is run"
    );
}

#[test]
fn parameters_are_bound_not_spliced() {
    let mut connection = memory().connect().unwrap();
    run(&mut connection, "CREATE TABLE t (id INT PRIMARY KEY, x TEXT)");
    let evil = "'); DROP TABLE t; --";
    connection.execute("INSERT INTO t VALUES (?, ?)", &[Value::I64(1), Value::Str(evil.to_owned())]).unwrap();
    let found = rows_with(&mut connection, "SELECT x FROM t WHERE x = $1", &[Value::Str(evil.to_owned())]);
    assert_eq!(found, [evil]);
    assert!(connection.execute("SELECT $2", &[Value::I64(1)]).is_err(), "there is one parameter");
}

#[test]
fn a_row_and_a_key_of_a_namespace_are_one_commit() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Options::default()).unwrap();
    let (namespaces, database) =
        (NamespacedStore::from(store.clone()), Database::new(store.clone()).unwrap());
    let mut connection = database.connect().unwrap();
    run(&mut connection, "CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1)");
    namespaces.insert("n", b"key", b"value").unwrap();
    let commit = store.commit("both").unwrap();
    assert_eq!(
        store.log(None).unwrap().count(),
        1 + usize::from(!store.snapshot(&commit).unwrap().commit().parents.is_empty())
    );
    run(&mut connection, "INSERT INTO t VALUES (2)");
    namespaces.insert("n", b"key", b"other").unwrap();
    store.discard().unwrap();
    assert_eq!(rows(&mut connection, "SELECT * FROM t"), ["1"]);
    assert_eq!(namespaces.get("n", b"key").unwrap(), Some(b"value".to_vec()));
}

#[test]
fn staged_rows_survive_closing() {
    let dir = tempfile::tempdir().unwrap();
    {
        let database = Database::new(Store::open(dir.path(), Options::default()).unwrap()).unwrap();
        let mut connection = database.connect().unwrap();
        run(
            &mut connection,
            "CREATE TABLE t (id INT PRIMARY KEY, x INT UNIQUE); INSERT INTO t VALUES (1, 5)",
        );
        run(&mut connection, "BEGIN; INSERT INTO t VALUES (2, 6)");
    }
    let database = Database::new(Store::open(dir.path(), Options::default()).unwrap()).unwrap();
    let mut connection = database.connect().unwrap();
    assert_eq!(rows(&mut connection, "SELECT * FROM t"), ["1 5"]);
    failure(&mut connection, "INSERT INTO t VALUES (3, 5)");
}

#[test]
fn a_statement_that_is_run_with_many_rows_is_one() {
    let mut connection = memory().connect().unwrap();
    run(&mut connection, "CREATE TABLE t (id INT PRIMARY KEY, n INT UNIQUE)");
    let row = |id: i64, n: i64| vec![Value::I64(id), Value::I64(n)];
    let insert = "INSERT INTO t VALUES (?, ?)";
    let done = connection.execute_many(insert, &[row(1, 10), row(2, 20)]).unwrap();
    assert_eq!(done, (RowStatement::Insert, 2));
    for in_transaction in [false, true] {
        if in_transaction {
            run(&mut connection, "BEGIN; UPDATE t SET n = 11 WHERE id = 1");
        }
        for refused in [row(1, 50), row(5, 40)] {
            assert!(connection.execute_many(insert, &[row(4, 40), refused]).is_err());
        }
        assert_eq!(connection.in_transaction(), in_transaction);
        let first = if in_transaction { "1 11" } else { "1 10" };
        assert_eq!(rows(&mut connection, "SELECT id, n FROM t"), [first, "2 20"]);
    }
    run(&mut connection, "COMMIT");
    let update = "UPDATE t SET n = n + ? WHERE id < ?";
    assert_eq!(
        connection.execute_many(update, &[row(1, 2), row(100, 5)]).unwrap(),
        (RowStatement::Update, 3)
    );
    assert_eq!(rows(&mut connection, "SELECT n FROM t"), ["112", "120"]);
    assert_eq!(connection.execute_many("DELETE FROM t", &[]).unwrap(), (RowStatement::Delete, 0));
    assert!(matches!(connection.execute_many("SELECT 1", &[]), Err(Error::Syntax { .. })));
}
