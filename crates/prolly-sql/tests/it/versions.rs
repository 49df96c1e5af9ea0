//! SQL at revisions, and the history as tables.

use prolly_sql::Error;

use crate::support::{failure, memory, rows, run};

#[test]
fn a_table_is_read_at_revisions_alone_and_joined() {
    let database = memory();
    let mut c = database.connect().unwrap();
    run(&mut c, "CREATE TABLE t (id INT PRIMARY KEY, x INT); INSERT INTO t VALUES (1, 10), (2, 20)");
    let first = database.store().commit("first").unwrap();
    run(
        &mut c,
        "UPDATE t SET x = 21 WHERE id = 2; INSERT INTO t VALUES (3, 30); ALTER TABLE t ADD COLUMN y TEXT",
    );
    database.store().commit("second").unwrap();
    run(&mut c, "DELETE FROM t WHERE id = 1");

    assert_eq!(rows(&mut c, "SELECT * FROM \"t@HEAD~1\""), ["1 10", "2 20"]);
    assert_eq!(rows(&mut c, &format!("SELECT x FROM \"t@{first}\" WHERE id = 2")), ["20"]);
    let joined =
        "SELECT t.id, old.x, t.x FROM t JOIN \"t@HEAD~1\" AS old ON old.id = t.id WHERE t.x <> old.x";
    assert_eq!(rows(&mut c, joined), ["2 20 21"]);

    let mut past = database.at("HEAD~1").unwrap();
    assert_eq!(rows(&mut past, "SELECT * FROM t"), ["1 10", "2 20"]);
    assert!(matches!(failure(&mut past, "DELETE FROM t"), Error::ReadOnly { .. }));
    assert!(matches!(failure(&mut past, "CREATE TABLE u (id INT)"), Error::ReadOnly { .. }));
    assert_eq!(rows(&mut c, "SELECT id FROM t"), ["2", "3"], "the store has not moved");
    assert!(failure(&mut c, "SELECT * FROM \"t@nowhere\"").to_string().contains("nowhere"));
    assert!(failure(&mut c, "SELECT * FROM \"u@HEAD\"").to_string().contains("u@HEAD"));
}

#[test]
fn differences_and_commits_are_tables() {
    let database = memory();
    let mut c = database.connect().unwrap();
    run(&mut c, "CREATE TABLE t (id INT PRIMARY KEY, x INT, gone INT)");
    run(&mut c, "INSERT INTO t VALUES (1, 10, 0), (2, 20, 0), (3, 30, 0)");
    database.store().commit("first").unwrap();
    run(&mut c, "UPDATE t SET x = 21 WHERE id = 2; DELETE FROM t WHERE id = 1");
    database.store().commit("second").unwrap();
    run(&mut c, "INSERT INTO t VALUES (4, 40, 0)");

    let diff = "SELECT diff_type, from_id, to_id, from_x, to_x FROM \"diff(t, HEAD~1, HEAD)\"";
    assert_eq!(rows(&mut c, diff), ["removed 1 NULL 10 NULL", "modified 2 2 20 21"]);
    let to_now = "SELECT diff_type, to_id FROM \"diff(t, HEAD)\"";
    assert_eq!(rows(&mut c, to_now), ["added 4"]);
    assert_eq!(rows(&mut c, "SELECT COUNT(*) FROM \"diff(t, HEAD~1)\" WHERE diff_type = 'modified'"), ["1"]);
    let log = "SELECT message FROM log ORDER BY committed DESC LIMIT 1";
    assert_eq!(rows(&mut c, log), ["second"]);
    assert_eq!(rows(&mut c, "SELECT message FROM \"log(HEAD~1)\" LIMIT 1"), ["first"]);
    assert_eq!(rows(&mut c, "SELECT name, is_current FROM branches"), ["main TRUE"]);

    run(&mut c, "BEGIN; INSERT INTO t VALUES (5, 50, 0)");
    assert_eq!(rows(&mut c, to_now), ["added 4", "added 5"]);
    run(&mut c, "DELETE FROM t WHERE id = 4");
    assert_eq!(rows(&mut c, to_now), ["added 5"], "what the transaction has changed since");
    run(&mut c, "ROLLBACK");

    // Columns are matched by what they are, not by their places or names.
    run(&mut c, "ALTER TABLE t DROP COLUMN gone; ALTER TABLE t RENAME COLUMN x TO y");
    let renamed =
        "SELECT from_id, to_id, from_y, to_y, from_gone, to_gone FROM \"diff(t, HEAD)\" WHERE to_id = 2";
    assert_eq!(rows(&mut c, renamed), ["2 2 21 21 0 NULL"]);
}

#[test]
fn a_transaction_keeps_the_head_it_began_on() {
    let database = memory();
    let store = database.store();
    let (mut c, mut other) = (database.connect().unwrap(), database.connect().unwrap());
    run(&mut c, "BEGIN");
    assert_eq!(rows(&mut c, "SELECT COUNT(*) FROM log"), ["1"]);
    run(&mut other, "CREATE TABLE t (id INT PRIMARY KEY, x INT); INSERT INTO t VALUES (1, 10)");
    store.commit("first").unwrap();
    assert!(failure(&mut c, "SELECT * FROM \"t@HEAD\"").to_string().contains("t@HEAD"));
    run(&mut c, "ROLLBACK; BEGIN; UPDATE t SET x = 11");
    run(&mut other, "INSERT INTO t VALUES (2, 20)");
    store.commit("second").unwrap();
    for _ in 0..2 {
        assert_eq!(rows(&mut c, "SELECT message FROM log LIMIT 1"), ["first"]);
        assert_eq!(rows(&mut c, "SELECT COUNT(*) FROM \"t@HEAD\""), ["1"]);
        assert_eq!(rows(&mut c, "SELECT to_id, from_x, to_x FROM \"diff(t, HEAD)\""), ["1 10 11"]);
        assert_eq!(rows(&mut c, "SELECT message FROM \"history(t, 1)\""), ["first"]);
        assert_eq!(rows(&mut c, "SELECT COUNT(*) FROM \"t@main\""), ["2"], "a branch is where it is now");
        failure(&mut c, "SELECT * FROM nowhere");
    }
    run(&mut c, "COMMIT");
    assert_eq!(rows(&mut c, "SELECT message FROM log LIMIT 1"), ["second"]);
    assert_eq!(rows(&mut c, "SELECT COUNT(*) FROM \"t@HEAD\""), ["2"]);
}

#[test]
fn a_difference_has_each_label_once() {
    let database = memory();
    let mut c = database.connect().unwrap();
    run(&mut c, "CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT); INSERT INTO t VALUES (1, 10, 20)");
    database.store().commit("first").unwrap();
    run(&mut c, "ALTER TABLE t DROP COLUMN b; ALTER TABLE t RENAME COLUMN a TO b; UPDATE t SET b = 11");
    let names = c.columns("diff(t, HEAD)").unwrap().unwrap().into_iter().map(|column| column.name);
    assert_eq!(
        names.collect::<Vec<_>>(),
        ["diff_type", "from_id", "to_id", "from_b", "to_b", "from_b_2", "to_b_2"]
    );
    let values = "SELECT from_b, to_b, from_b_2, to_b_2 FROM \"diff(t, HEAD)\"";
    assert_eq!(rows(&mut c, values), ["10 11 20 NULL"]);
}

#[test]
fn a_row_has_a_history() {
    let database = memory();
    let mut c = database.connect().unwrap();
    run(
        &mut c,
        "CREATE TABLE t (id INT, k TEXT, x INT, PRIMARY KEY (k, id)); INSERT INTO t VALUES (1, 'a', 10), (2, 'a', 0)",
    );
    database.store().commit("made").unwrap();
    run(&mut c, "UPDATE t SET x = 0 WHERE id = 2");
    database.store().commit("another row").unwrap();
    run(&mut c, "UPDATE t SET x = 11 WHERE id = 1");
    database.store().commit("changed").unwrap();
    run(&mut c, "DELETE FROM t WHERE id = 1");
    database.store().commit("removed").unwrap();
    let history = "SELECT message, change, id, k, x FROM \"history(t, 'a', 1)\"";
    assert_eq!(
        rows(&mut c, history),
        ["removed removed NULL NULL NULL", "changed modified 1 a 11", "made added 1 a 10"]
    );
    assert!(failure(&mut c, "SELECT * FROM \"history(t, 1)\"").to_string().contains("2 columns"));
}

#[test]
fn what_shows_a_revision_cannot_be_written() {
    let database = memory();
    let mut c = database.connect().unwrap();
    run(&mut c, "CREATE TABLE t (id INT PRIMARY KEY)");
    database.store().commit("first").unwrap();
    for statement in [
        "DELETE FROM \"t@HEAD\"",
        "INSERT INTO \"t@HEAD\" VALUES (1)",
        "UPDATE \"t@HEAD\" SET id = id",
        "DROP TABLE \"t@HEAD\"",
        "DELETE FROM log",
        "ALTER TABLE \"t@HEAD\" RENAME TO u",
        "ALTER TABLE \"t@HEAD\" ADD COLUMN x INT",
        "CREATE INDEX i ON \"t@HEAD\" (id)",
        "DELETE FROM \"diff(t, HEAD)\"",
        "DROP TABLE IF EXISTS \"t@HEAD\"",
        "DROP TABLE log",
        "CREATE TABLE c (x INT, FOREIGN KEY (x) REFERENCES \"t@HEAD\" (id))",
    ] {
        failure(&mut c, statement);
    }
    assert_eq!(rows(&mut c, "SELECT COUNT(*) FROM t"), ["0"]);
    run(&mut c, "DROP TABLE IF EXISTS log; DROP TABLE IF EXISTS branches");
    // A table of one's own goes before what its name would show.
    run(&mut c, "CREATE TABLE log (line TEXT); INSERT INTO log VALUES ('mine')");
    assert_eq!(rows(&mut c, "SELECT * FROM log"), ["mine"]);
    assert_eq!(rows(&mut c, "SELECT message FROM \"log()\" LIMIT 1"), ["first"]);
    run(&mut c, "DROP TABLE log");
    assert_eq!(rows(&mut c, "SELECT message FROM log LIMIT 1"), ["first"]);
}

#[test]
fn conflicts_are_rows() {
    let database = memory();
    let mut c = database.connect().unwrap();
    run(
        &mut c,
        "CREATE TABLE t (id INT PRIMARY KEY, x INT, y INT); INSERT INTO t VALUES (1, 1, 1), (2, 2, 2)",
    );
    database.store().commit("base").unwrap();
    database.store().create_branch("side", None).unwrap();
    run(&mut c, "UPDATE t SET x = 10 WHERE id = 1; UPDATE t SET x = 20 WHERE id = 2");
    database.store().commit("theirs").unwrap();
    database.store().checkout("main", false).unwrap();
    run(&mut c, "UPDATE t SET x = 11 WHERE id = 1; UPDATE t SET y = 21 WHERE id = 2");
    database.store().commit("ours").unwrap();
    let listed =
        "SELECT table_name, key['id'], base['x'], source['x'], destination['x'] FROM \"conflicts(side)\"";
    assert_eq!(rows(&mut c, listed), ["t 1 1 10 11"]);
    let conflicts = database.conflicts("side").unwrap();
    assert_eq!(conflicts.len(), 1, "the other row changed in different columns");
    let merged = prolly_version::MergeOptions {
        strategy: prolly_version::MergeStrategy::TakeSource,
        ..Default::default()
    };
    database.store().merge("side", merged).unwrap();
    assert_eq!(rows(&mut c, "SELECT * FROM t"), ["1 10 1", "2 20 21"]);
    assert_eq!(rows(&mut c, "SELECT * FROM \"conflicts(HEAD~1)\""), [""; 0]);
}

#[test]
fn functions_merge_by_name() {
    let database = memory();
    let mut c = database.connect().unwrap();
    run(&mut c, "CREATE FUNCTION one() RETURN 1");
    database.store().commit("base").unwrap();
    database.store().create_branch("side", None).unwrap();
    run(&mut c, "CREATE FUNCTION two(x INT, \"y z\" INT DEFAULT -2) RETURN x - \"y z\"");
    database.store().commit("theirs").unwrap();
    database.store().checkout("main", false).unwrap();
    run(&mut c, "CREATE FUNCTION three() RETURN 'it''s'; DROP FUNCTION one");
    database.store().commit("ours").unwrap();
    database.store().merge("side", prolly_version::MergeOptions::default()).unwrap();
    assert_eq!(rows(&mut c, "SELECT two(1), three()"), ["3 it's"]);
    failure(&mut c, "SELECT one()");
}
