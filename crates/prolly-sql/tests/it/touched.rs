//! How many rows statements read of tables with 10,000: what a statement needs, and no more.

use prolly_sql::Connection;

use crate::support::{failure, memory, rows, run};

const ROWS: u64 = 10_000;

/// `t` with an index, `u` that refers to it and has a `UNIQUE` column, `c` with a key of two columns.
fn tables() -> Connection {
    let mut connection = memory().connect().unwrap();
    run(
        &mut connection,
        "CREATE TABLE t (id INT PRIMARY KEY, v INT NOT NULL, name TEXT NOT NULL);
         CREATE INDEX by_v ON t (v);
         CREATE TABLE u (id INT PRIMARY KEY, tid INT, code TEXT UNIQUE, FOREIGN KEY (tid) REFERENCES t (id));
         CREATE TABLE c (a INT, b INT, v TEXT, PRIMARY KEY (a, b));
         BEGIN",
    );
    for (table, row) in [
        ("t", Box::new(|i: u64| format!("({i}, {}, 'name{i}')", i % 1000)) as Box<dyn Fn(u64) -> String>),
        ("u", Box::new(|i: u64| format!("({i}, {}, 'code{i}')", (i * 7) % ROWS))),
        ("c", Box::new(|i: u64| format!("({}, {}, 'v{i}')", i / 100, i % 100))),
    ] {
        for chunk in (0..ROWS).collect::<Vec<_>>().chunks(1000) {
            let values: Vec<_> = chunk.iter().map(|i| row(*i)).collect();
            run(&mut connection, &format!("INSERT INTO {table} VALUES {}", values.join(", ")));
        }
    }
    run(&mut connection, "COMMIT");
    connection
}

#[track_caller]
fn check(connection: &mut Connection, sql: &str, touched: u64, results: usize) {
    let before = connection.rows_touched();
    let found = rows(connection, sql);
    assert_eq!((connection.rows_touched() - before, found.len()), (touched, results), "{sql}");
    // What takes millions of rows without hints is compared on smaller tables, by the fuzz of hints.
    if !sql.contains("(SELECT") {
        connection.set_hints(false);
        assert_eq!(rows(connection, sql), found, "without hints: {sql}");
        connection.set_hints(true);
    }
}

#[track_caller]
fn check_write(connection: &mut Connection, sql: &str, touched: u64) {
    let before = connection.rows_touched();
    run(connection, sql);
    assert_eq!(connection.rows_touched() - before, touched, "{sql}");
}

#[test]
fn a_query_reads_the_rows_that_it_needs() {
    let connection = &mut tables();
    for (sql, touched, results) in [
        ("SELECT * FROM t WHERE id = 5", 1, 1),
        ("SELECT * FROM t WHERE id IN (5, 7, 99999, 3)", 3, 3),
        ("SELECT * FROM t WHERE id >= 9990", 10, 10),
        ("SELECT * FROM t WHERE id BETWEEN 3 AND 7", 5, 5),
        ("SELECT * FROM t WHERE id = 1 OR id = 2 OR id = 3", 3, 3),
        ("SELECT * FROM t WHERE id > 10 AND id < 20 AND v > 15", 9, 4),
        ("SELECT * FROM t ORDER BY id LIMIT 1", 1, 1),
        ("SELECT * FROM t ORDER BY id DESC LIMIT 3 OFFSET 2", 5, 3),
        ("SELECT * FROM c WHERE a = 5 ORDER BY b DESC LIMIT 2", 2, 2),
        ("SELECT * FROM c WHERE a = 5 AND b >= 98", 2, 2),
        ("SELECT * FROM c WHERE a IN (5, 6) AND b = 7", 2, 2),
        ("SELECT COUNT(*) FROM t", 0, 1),
        ("SELECT COUNT(*) + 1 FROM t WHERE id BETWEEN 100 AND 199", 0, 1),
        ("SELECT COUNT(*) FROM t WHERE v = 5", 0, 1),
        ("SELECT MIN(id) FROM t", 1, 1),
        ("SELECT MAX(id), MIN(id), COUNT(*) FROM t WHERE id < 5000", 2, 1),
        ("SELECT MAX(v) FROM t", 1, 1),
        ("SELECT * FROM t WHERE v = 5 ORDER BY id", 10, 10),
        ("SELECT * FROM t WHERE v IN (5, 6) AND name <> 'x' ORDER BY id", 20, 20),
        ("SELECT * FROM t WHERE v BETWEEN 5 AND 7 ORDER BY id", 30, 30),
        ("SELECT * FROM u WHERE code = 'code77'", 1, 1),
        ("SELECT * FROM u WHERE code LIKE 'code777%'", 11, 11),
        ("SELECT * FROM u JOIN t ON t.id = u.tid WHERE u.id = 3", 2, 1),
        ("SELECT * FROM u LEFT JOIN t ON t.id = u.tid WHERE u.id IN (3, 4)", 4, 2),
        ("SELECT COUNT(*) FROM t WHERE id < 40 AND EXISTS (SELECT 1 FROM u WHERE u.id = t.id)", 80, 1),
        ("SELECT COUNT(*) FROM t WHERE id < 40 AND id IN (SELECT id FROM u WHERE tid > 0)", 80, 1),
        ("SELECT a.id FROM t AS a JOIN t AS b ON b.id = a.v WHERE a.id > 9995", 8, 4),
    ] {
        check(connection, sql, touched, results);
    }
}

#[test]
fn tables_are_read_whole_where_that_is_what_is_asked() {
    let connection = &mut tables();
    for (sql, touched) in [
        ("SELECT COUNT(*) FROM t WHERE name > 'name5'", ROWS),
        ("SELECT COUNT(*) FROM t WHERE v >= 0 AND name > 'a'", ROWS),
        ("SELECT COUNT(*) FROM u JOIN t ON t.id = u.tid", 2 * ROWS),
    ] {
        check(connection, sql, touched, 1);
    }
}

#[test]
fn a_write_reads_the_rows_that_it_changes() {
    let connection = &mut tables();
    for (sql, touched) in [
        ("UPDATE t SET name = 'x' WHERE id = 5", 1),
        ("UPDATE t SET name = 'x' WHERE v = 6", 10),
        ("DELETE FROM u WHERE id = 5", 1),
        ("DELETE FROM c WHERE a = 5 AND b < 3", 3),
        ("INSERT INTO u VALUES (20000, NULL, 'new')", 0),
        ("INSERT INTO u VALUES (20001, 5, 'newer')", 1),
        ("UPDATE u SET code = 'newest' WHERE id = 20000", 1),
        ("UPDATE u SET code = code WHERE id < 10", 9),
        ("INSERT INTO t VALUES (20000, 1, 'n')", 0),
        ("DELETE FROM t WHERE id = 20000", 1),
    ] {
        check_write(connection, sql, touched);
    }
    let before = connection.rows_touched();
    assert!(
        failure(connection, "INSERT INTO u VALUES (20002, NULL, 'newest')").to_string().contains("newest")
    );
    assert!(failure(connection, "INSERT INTO u VALUES (6, NULL, 'other')").to_string().contains('6'));
    assert!(failure(connection, "UPDATE u SET code = 'newest' WHERE id = 6").to_string().contains("newest"));
    assert!(failure(connection, "DELETE FROM t WHERE id = 7").to_string().contains("u.tid"));
    assert_eq!(connection.rows_touched() - before, 2);
}
