//! Primary keys of several columns, tables without one, constraints, and changing tables.

use prolly_sql::{Error, Value};

use crate::support::{failure, memory, rows, rows_with, run};

#[test]
fn a_key_of_several_columns_orders_and_identifies_rows() {
    let mut c = memory().connect().unwrap();
    run(&mut c, "CREATE TABLE t (a INT, x TEXT, b TEXT, PRIMARY KEY (b, a))");
    run(&mut c, "INSERT INTO t VALUES (2, 'two', 'k'), (1, 'one', 'k'), (1, 'other', 'j')");
    assert_eq!(rows(&mut c, "SELECT x FROM t"), ["other", "one", "two"], "in the order of the key");
    let error = failure(&mut c, "INSERT INTO t VALUES (1, 'again', 'k')");
    assert!(error.to_string().contains("duplicate entry"), "{error}");
    failure(&mut c, "INSERT INTO t VALUES (9, 'x', 'y'), (9, 'z', 'y')");
    failure(&mut c, "INSERT INTO t VALUES (NULL, 'null', 'k')");
    run(&mut c, "UPDATE t SET x = 'TWO' WHERE b = 'k' AND a = 2");
    assert_eq!(rows(&mut c, "SELECT x FROM t WHERE b = 'k' AND a = 2"), ["TWO"]);
    run(&mut c, "DELETE FROM t WHERE b = 'j'");
    assert_eq!(rows(&mut c, "SELECT COUNT(*) FROM t"), ["2"]);
}

#[test]
fn rows_move_when_their_key_of_several_columns_changes() {
    let mut c = memory().connect().unwrap();
    run(&mut c, "CREATE TABLE t (a INT, b INT, u INT UNIQUE, PRIMARY KEY (a, b))");
    run(&mut c, "INSERT INTO t VALUES (1, 1, 11), (1, 2, 12), (2, 1, 21)");
    failure(&mut c, "UPDATE t SET b = 1 WHERE b = 2");
    assert_eq!(rows(&mut c, "SELECT * FROM t"), ["1 1 11", "1 2 12", "2 1 21"]);
    run(&mut c, "UPDATE t SET b = b + 1 WHERE a = 1");
    assert_eq!(rows(&mut c, "SELECT * FROM t"), ["1 2 11", "1 3 12", "2 1 21"]);
    failure(&mut c, "INSERT INTO t VALUES (9, 9, 11)");
    run(&mut c, "DELETE FROM t WHERE a = 1; INSERT INTO t VALUES (9, 9, 11), (9, 8, 12)");
}

#[test]
fn a_table_without_a_key_keeps_equal_rows_in_the_order_they_came() {
    let mut c = memory().connect().unwrap();
    run(&mut c, "CREATE TABLE t (x TEXT); INSERT INTO t VALUES ('b'), ('a'); INSERT INTO t VALUES ('b')");
    assert_eq!(rows(&mut c, "SELECT * FROM t"), ["b", "a", "b"]);
    run(
        &mut c,
        "UPDATE t SET x = 'c' WHERE x = 'a'; DELETE FROM t WHERE x = 'b'; INSERT INTO t VALUES ('d')",
    );
    assert_eq!(rows(&mut c, "SELECT * FROM t"), ["c", "d"]);
    run(&mut c, "DROP TABLE t; CREATE TABLE t (x TEXT)");
    assert_eq!(rows(&mut c, "SELECT COUNT(*) FROM t"), ["0"], "a table that was dropped leaves no rows");
}

#[test]
fn rows_without_a_key_that_several_connections_insert_are_all_there() {
    let database = memory();
    let (mut one, mut other) = (database.connect().unwrap(), database.connect().unwrap());
    run(&mut one, "CREATE TABLE t (x INT); INSERT INTO t VALUES (0)");
    run(&mut one, "INSERT INTO t VALUES (1)");
    run(&mut other, "INSERT INTO t VALUES (2), (3)");
    run(&mut one, "INSERT INTO t VALUES (4); DELETE FROM t WHERE x = 4; INSERT INTO t VALUES (5)");
    database.store().commit("so far").unwrap();
    run(
        &mut one,
        "INSERT INTO t VALUES (6); BEGIN; INSERT INTO t VALUES (7); ROLLBACK; INSERT INTO t VALUES (8)",
    );
    run(&mut other, "INSERT INTO t VALUES (9)");
    assert_eq!(rows(&mut one, "SELECT * FROM t"), ["0", "1", "2", "3", "5", "6", "8", "9"]);
}

#[test]
fn a_table_without_a_key_that_takes_the_name_of_another_keeps_its_rows() {
    for transaction in [false, true] {
        let mut c = memory().connect().unwrap();
        run(&mut c, if transaction { "BEGIN" } else { "SELECT 1" });
        run(
            &mut c,
            "CREATE TABLE log (what TEXT); CREATE TABLE log_new (what TEXT);
             INSERT INTO log_new VALUES ('start'), ('click'), ('click'); INSERT INTO log VALUES ('start');
             DROP TABLE log; ALTER TABLE log_new RENAME TO log; INSERT INTO log VALUES ('click')",
        );
        assert_eq!(rows(&mut c, "SELECT what FROM log"), ["start", "click", "click", "click"]);
        // And one that gets a name back.
        run(
            &mut c,
            "ALTER TABLE log RENAME TO old; CREATE TABLE log (what TEXT); INSERT INTO log VALUES ('start');
             DROP TABLE log; ALTER TABLE old RENAME TO log; INSERT INTO log VALUES ('click')",
        );
        assert_eq!(rows(&mut c, "SELECT COUNT(*) FROM log"), ["5"]);
    }
}

#[test]
fn unique_values_may_be_swapped_by_one_statement_and_left_out() {
    let mut c = memory().connect().unwrap();
    run(&mut c, "CREATE TABLE t (id INT PRIMARY KEY, u INT UNIQUE)");
    run(&mut c, "INSERT INTO t VALUES (1, NULL), (2, NULL), (3, 3)");
    failure(&mut c, "UPDATE t SET u = 3 WHERE id = 1");
    run(&mut c, "UPDATE t SET u = 4 WHERE id = 3; UPDATE t SET u = 3 WHERE id = 1");
    run(&mut c, "DELETE FROM t WHERE id = 3; INSERT INTO t VALUES (4, 4)");
    assert_eq!(rows(&mut c, "SELECT id FROM t WHERE u = 4"), ["4"]);
}

#[test]
fn a_row_that_is_referred_to_stays() {
    let mut c = memory().connect().unwrap();
    run(&mut c, "CREATE TABLE p (id INT PRIMARY KEY); INSERT INTO p VALUES (1), (2), (12)");
    run(&mut c, "CREATE TABLE c (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES p (id))");
    run(&mut c, "INSERT INTO c VALUES (1, 1), (2, NULL), (3, 12)");
    failure(&mut c, "INSERT INTO c VALUES (4, 5)");
    failure(&mut c, "UPDATE c SET p = 5");
    let error = failure(&mut c, "DELETE FROM p");
    assert!(error.to_string().contains("c.p"), "{error}");
    run(&mut c, "DELETE FROM p WHERE id = 2; UPDATE c SET p = NULL WHERE id = 1; DELETE FROM p WHERE id = 1");
    run(&mut c, "ALTER TABLE p RENAME TO q");
    failure(&mut c, "DELETE FROM q WHERE id = 12");
    failure(&mut c, "DROP TABLE q");
    run(&mut c, "DROP TABLE c; DROP TABLE q");
}

#[test]
fn a_row_may_refer_to_one_that_its_statement_adds() {
    let mut c = memory().connect().unwrap();
    run(
        &mut c,
        "CREATE TABLE n (id INT PRIMARY KEY, up INT, FOREIGN KEY (up) REFERENCES n (id));
         INSERT INTO n VALUES (1, NULL), (2, 1), (3, 4), (4, 4)",
    );
    let error = failure(&mut c, "INSERT INTO n VALUES (5, 6)");
    assert!(error.to_string().contains("n.id with value \"6\""), "{error}");
    failure(&mut c, "UPDATE n SET up = 9 WHERE id = 1");
    run(&mut c, "UPDATE n SET up = id + 1 WHERE id < 3; UPDATE n SET up = 1 WHERE id > 2");
    failure(&mut c, "DELETE FROM n WHERE id = 1");
    run(&mut c, "UPDATE n SET up = id; DELETE FROM n WHERE id < 3 OR id > 3; DELETE FROM n");
    assert_eq!(rows(&mut c, "SELECT COUNT(*) FROM n"), ["0"]);
    // What is copied from a query is checked, too.
    run(&mut c, "INSERT INTO n VALUES (1, NULL)");
    failure(&mut c, "CREATE TABLE m (up INT, FOREIGN KEY (up) REFERENCES n (id)) AS SELECT 2 AS up");
    run(&mut c, "ALTER TABLE n RENAME COLUMN id TO key; INSERT INTO n VALUES (2, 1)");
    failure(&mut c, "INSERT INTO n VALUES (3, 9)");
}

#[test]
fn rows_with_long_keys_are_found_by_unique_columns() {
    let mut c = memory().connect().unwrap();
    run(&mut c, "CREATE TABLE t (id TEXT PRIMARY KEY, e INT UNIQUE)");
    let long = "x".repeat(5000);
    run(&mut c, &format!("INSERT INTO t VALUES ('a', 1), ('{long}', 100), ('b', 200)"));
    assert_eq!(rows(&mut c, "SELECT e FROM t WHERE e = 100"), ["100"]);
    assert_eq!(rows(&mut c, "SELECT e FROM t WHERE e > 50 ORDER BY e DESC"), ["200", "100"]);
    run(&mut c, "UPDATE t SET e = 101 WHERE e = 100; DELETE FROM t WHERE e BETWEEN 100 AND 150");
    assert_eq!(rows(&mut c, "SELECT id FROM t"), ["a", "b"]);
}

#[test]
fn what_is_too_long_for_a_key_is_refused_by_name() {
    let mut c = memory().connect().unwrap();
    run(&mut c, "CREATE TABLE t (id TEXT PRIMARY KEY, u TEXT UNIQUE, i TEXT); CREATE INDEX by_i ON t (i)");
    let long = "x".repeat(70_000);
    for (row, what) in [
        (format!("('{long}', 'u', 'i')"), "the primary key of a row of table \"t\""),
        (format!("('a', '{long}', 'i')"), "column \"u\" of table \"t\""),
        (format!("('a', 'u', '{long}')"), "index \"by_i\" of table \"t\""),
    ] {
        let error = failure(&mut c, &format!("INSERT INTO t VALUES {row}"));
        assert!(matches!(&error, Error::Refused(text) if text.contains(what)), "{error}");
    }
}

#[test]
fn a_column_cannot_become_a_primary_key() {
    let mut c = memory().connect().unwrap();
    run(&mut c, "CREATE TABLE t (x INT); CREATE TABLE k (id INT PRIMARY KEY)");
    for table in ["t", "k"] {
        let error = failure(&mut c, &format!("ALTER TABLE {table} ADD COLUMN y INT DEFAULT 1 PRIMARY KEY"));
        assert!(error.to_string().contains("\"y\""), "{error}");
    }
}

#[test]
fn a_table_that_is_there_is_not_made_from_a_query() {
    let mut c = memory().connect().unwrap();
    run(&mut c, "CREATE TABLE t (a INT PRIMARY KEY, b TEXT); INSERT INTO t VALUES (1, 'x')");
    run(&mut c, "CREATE TABLE IF NOT EXISTS t AS SELECT 'q' AS a, 5 AS b");
    assert_eq!(rows(&mut c, "SELECT * FROM t"), ["1 x"]);
    run(&mut c, "CREATE TABLE IF NOT EXISTS u AS SELECT a + 1 AS a, b FROM t");
    assert_eq!(rows(&mut c, "SELECT * FROM u"), ["2 x"]);
    run(&mut c, "INSERT INTO t VALUES (2, 'y')");
    let mixed = "CREATE TABLE v AS SELECT CASE WHEN a = 1 THEN 1 ELSE 'two' END AS x FROM t";
    failure(&mut c, mixed);
    failure(&mut c, "SELECT * FROM v");
}

#[test]
fn tables_change_without_losing_rows_or_indexes() {
    let mut c = memory().connect().unwrap();
    run(&mut c, "CREATE TABLE t (id INT PRIMARY KEY, x INT, y TEXT); CREATE INDEX t_x ON t (x + 1)");
    run(&mut c, "INSERT INTO t VALUES (1, 10, 'a'), (2, 20, 'b')");
    run(&mut c, "ALTER TABLE t ADD COLUMN z INT DEFAULT 7; INSERT INTO t VALUES (3, 30, 'c', 8)");
    assert_eq!(rows(&mut c, "SELECT * FROM t"), ["1 10 a 7", "2 20 b 7", "3 30 c 8"]);
    run(&mut c, "ALTER TABLE t RENAME COLUMN x TO w; ALTER TABLE t RENAME TO s");
    assert_eq!(rows(&mut c, "SELECT id FROM s WHERE w + 1 = 21"), ["2"]);
    run(&mut c, "ALTER TABLE s DROP COLUMN y");
    assert_eq!(rows(&mut c, "SELECT * FROM s"), ["1 10 7", "2 20 7", "3 30 8"]);
    failure(&mut c, "ALTER TABLE s DROP COLUMN id");
    run(&mut c, "ALTER TABLE s DROP COLUMN w");
    assert_eq!(rows(&mut c, "SELECT COUNT(*) FROM GLUE_INDEXES WHERE INDEX_NAME = 't_x'"), ["0"]);
}

#[test]
fn a_decimal_key_is_found_whatever_its_scale() {
    let mut c = memory().connect().unwrap();
    run(&mut c, "CREATE TABLE t (id DECIMAL PRIMARY KEY, x INT); INSERT INTO t VALUES (1.50, 1), (10, 2)");
    assert_eq!(rows(&mut c, "SELECT x FROM t WHERE id = 1.5"), ["1"]);
    let ten: Value = Value::Decimal("10.00".parse().unwrap());
    assert_eq!(rows_with(&mut c, "SELECT x FROM t WHERE id = $1", &[ten]), ["2"]);
    failure(&mut c, "INSERT INTO t VALUES (1.5, 3)");
}

#[test]
fn names_that_mean_something_else_are_refused() {
    let mut c = memory().connect().unwrap();
    for name in ["a@b", "a\u{0}b", ""] {
        failure(&mut c, &format!("CREATE TABLE \"{name}\" (id INT)"));
    }
    run(&mut c, "CREATE TABLE \"with space\" (id INT)");
    failure(&mut c, "ALTER TABLE \"with space\" RENAME TO \"a@b\"");
}
