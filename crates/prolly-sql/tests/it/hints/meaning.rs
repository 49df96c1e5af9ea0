//! What conditions mean where GlueSQL, on which the executor rests, means something else than SQL.

use prolly_sql::{Connection, Decimal, Value};

use crate::support::{failure, memory, rows, rows_with, run};

fn with(sql: &str) -> Connection {
    let mut connection = memory().connect().unwrap();
    run(&mut connection, sql);
    connection
}

/// Checks what queries give, each with the rows in the order of the query, separated by commas.
fn check(connection: &mut Connection, cases: &[(&str, &str)]) {
    for (sql, expected) in cases {
        assert_eq!(rows(connection, sql).join(","), *expected, "{sql}");
    }
}

#[test]
fn null_is_not_known() {
    let mut connection = with(
        "CREATE TABLE t (id INT PRIMARY KEY, a INT, s TEXT); CREATE TABLE e (a INT); \
        INSERT INTO t VALUES (1, NULL, 'xa'), (2, 5, NULL), (3, 7, 'b')",
    );
    check(
        &mut connection,
        &[
            ("SELECT id FROM t WHERE NOT (a = 1 AND id = 2)", "1,2,3"),
            ("SELECT id FROM t WHERE NOT (a = 1 OR id = 2)", "3"),
            (
                "SELECT a = 1 AND id = 2, a = 1 OR id = 1, NOT (a = 1 AND id = 1) FROM t WHERE id = 1",
                "FALSE TRUE NULL",
            ),
            ("SELECT id FROM t WHERE (a = 1 AND id = 2) IS NULL", ""),
            ("SELECT id FROM t WHERE (a = 1 AND id = 1) IS NULL", "1"),
            ("SELECT id FROM t WHERE a NOT IN (NULL, 5)", ""),
            ("SELECT id FROM t WHERE id NOT IN (NULL, 5)", ""),
            ("SELECT id FROM t WHERE id NOT IN (NULL)", ""),
            (
                "SELECT id IN (1, NULL), id NOT IN (1, NULL), id IN (a, 5) FROM t",
                "TRUE FALSE NULL,NULL NULL FALSE,NULL NULL FALSE",
            ),
            ("SELECT id FROM t WHERE id NOT IN (a, 2)", "3"),
            ("SELECT id FROM t WHERE id NOT IN (a)", "2,3"),
            ("SELECT id FROM t WHERE id NOT BETWEEN NULL AND 2", "3"),
            ("SELECT id FROM t WHERE NOT (id BETWEEN 2 AND NULL)", "1"),
            ("SELECT id FROM t WHERE id NOT IN (SELECT a FROM t)", ""),
            ("SELECT id FROM t WHERE NOT (id IN (SELECT a FROM t))", ""),
            ("SELECT id FROM t WHERE id NOT IN (SELECT a FROM t WHERE a > 0)", "1,2,3"),
            ("SELECT id FROM t WHERE a NOT IN (SELECT id FROM t)", "2,3"),
            ("SELECT id FROM t WHERE a NOT IN (SELECT a FROM e)", "1,2,3"),
            ("SELECT id FROM t WHERE a NOT IN (SELECT * FROM e)", "1,2,3"),
            ("SELECT id, a IN (SELECT id FROM t) AS i FROM t", "1 NULL,2 FALSE,3 FALSE"),
            ("SELECT id FROM t WHERE (a IN (SELECT id FROM t)) IS NULL", "1"),
            ("SELECT id FROM t WHERE NOT (a IN (SELECT id + 4 FROM t AS q WHERE q.id < 3))", "3"),
            ("SELECT id FROM t WHERE s LIKE '%a'", "1"),
            ("SELECT id FROM t WHERE s NOT LIKE '%a'", "3"),
            ("SELECT id FROM t WHERE UPPER(s) LIKE '%A'", "1"),
            ("SELECT id FROM t WHERE s LIKE NULL", ""),
            ("SELECT id FROM t WHERE id IN (SELECT q.id FROM t AS q WHERE t.s LIKE '%a')", "1"),
            ("SELECT CASE WHEN a = 1 OR id = 1 THEN 'y' ELSE 'n' END FROM t", "y,n,n"),
            ("SELECT COUNT(*) FROM t GROUP BY s HAVING s = 'q' OR COUNT(*) = 1", "1,1,1"),
            ("SELECT id FROM t WHERE id = NULL", ""),
            ("SELECT id FROM t WHERE id = 1.5 OR id = 2", "2"),
            ("SELECT id FROM t WHERE id = 1.5", ""),
            ("SELECT id FROM t WHERE id = 'x' AND a = 5", ""),
        ],
    );
    for param in [Value::Null, Value::F64(1.5), Value::Str("x".to_owned()), Value::Bool(true)] {
        assert_eq!(rows_with(&mut connection, "SELECT id FROM t WHERE id = ?", &[param]), [""; 0]);
    }
    run(&mut connection, "DELETE FROM t WHERE id NOT IN (SELECT a FROM t)");
    check(&mut connection, &[("SELECT COUNT(*) FROM t", "3")]);
    run(&mut connection, "UPDATE t SET s = 'z' WHERE NOT (a = 1 AND id = 2)");
    check(&mut connection, &[("SELECT s FROM t", "z,z,z")]);
    let error =
        failure(&mut connection, "SELECT id FROM t WHERE a NOT IN (SELECT * FROM (SELECT a FROM t) AS d)");
    assert!(error.to_string().contains("name its column"), "{error}");
    let error =
        failure(&mut connection, "SELECT id FROM t WHERE a NOT IN (SELECT DISTINCT a FROM t LIMIT 1)");
    assert!(error.to_string().contains("DISTINCT"), "{error}");
    failure(&mut connection, "SELECT a OR TRUE FROM t");
}

#[test]
fn many_alternatives_cost_no_more_than_they_are() {
    let mut connection =
        with("CREATE TABLE t (id INT PRIMARY KEY, a INT); INSERT INTO t VALUES (1, NULL), (2, 11)");
    for op in ["OR", "AND"] {
        let chain: Vec<_> = (0..60).map(|i| format!("a = {i}")).collect();
        let chain = chain.join(&format!(" {op} "));
        let nested =
            (0..7).fold("a = 11".to_owned(), |inner, i| format!("(a = {i} OR (id = 2 AND {inner}))"));
        for sql in [
            format!("SELECT ({chain}) IS NULL, ({nested}) FROM t"),
            format!("SELECT id FROM t WHERE NOT ({chain})"),
            format!("UPDATE t SET a = a WHERE {chain}"),
            format!("DELETE FROM t WHERE NOT ({nested}) AND ({chain})"),
        ] {
            run(&mut connection, &sql);
        }
    }
}

#[test]
fn an_index_loses_no_rows() {
    let mut connection = with(
        "CREATE TABLE d (id INT PRIMARY KEY, w DECIMAL, n INET, t DATE); \
        INSERT INTO d VALUES (1, 5, '0.0.0.5', '2024-01-05'), (2, 6, '0.0.0.9', '2024-01-09')",
    );
    let cases = [
        ("SELECT id FROM d WHERE w >= (2+3)", "1,2"),
        ("SELECT id FROM d WHERE w > 5 + 0", "2"),
        ("SELECT id FROM d WHERE w = 2 + 3", "1"),
        ("SELECT id FROM d WHERE w = 12 / 2", "2"),
        ("SELECT id FROM d WHERE n > 5", "2"),
        ("SELECT id FROM d WHERE n = 5", "1"),
        ("SELECT id FROM d WHERE CAST(t AS TIMESTAMP) > '2024-01-06'", "2"),
        ("SELECT COUNT(*) FROM d WHERE w > 5 + 0", "1"),
        ("SELECT x.id FROM d AS x JOIN d AS y ON x.id = y.id WHERE x.n > 5", "2"),
    ];
    check(&mut connection, &cases);
    run(
        &mut connection,
        "CREATE INDEX i ON d (w); CREATE INDEX j ON d (n); CREATE INDEX k ON d (CAST(t AS TIMESTAMP))",
    );
    check(&mut connection, &cases);
}

#[test]
fn numbers_compare_as_the_numbers_that_they_are() {
    let mut connection = with(
        "CREATE TABLE t (n INT, i INT8 NULL, f FLOAT, d DECIMAL, p INT PRIMARY KEY); \
        INSERT INTO t VALUES (1, 1, 1.5, 1.5, 1), (2, NULL, 2.0, 2, 2), (300, 100, 2.5, 3, 3)",
    );
    let cases = [
        ("SELECT p FROM t WHERE n < 2.5", "1,2"),
        ("SELECT p FROM t WHERE p < 2.5", "1,2"),
        ("SELECT p FROM t WHERE 2.5 > n", "1,2"),
        ("SELECT p FROM t WHERE n >= 1.5", "2,3"),
        ("SELECT p FROM t WHERE n <= 2.0", "1,2"),
        ("SELECT p FROM t WHERE n = 2.0", "2"),
        ("SELECT p FROM t WHERE n = 2.5", ""),
        ("SELECT p FROM t WHERE n <> 2.5", "1,2,3"),
        ("SELECT p FROM t WHERE n IN (2.0, 2.5, 1)", "1,2"),
        ("SELECT p FROM t WHERE n BETWEEN 0.5 AND 2.5", "1,2"),
        ("SELECT p FROM t WHERE n NOT BETWEEN 0.5 AND 2.5", "3"),
        ("SELECT p FROM t WHERE n BETWEEN 1.2 AND 1.8", ""),
        ("SELECT p FROM t WHERE NOT (n > 1.5)", "1"),
        ("SELECT p FROM t WHERE n + 1 < 2.5", "1"),
        ("SELECT p FROM t WHERE i < 300", "1,3"),
        ("SELECT p FROM t WHERE i > -300", "1,3"),
        ("SELECT p FROM t WHERE i >= 300", ""),
        ("SELECT p FROM t WHERE i BETWEEN 200 AND 300", ""),
        ("SELECT p FROM t WHERE i NOT BETWEEN 200 AND 300", "1,3"),
        ("SELECT p FROM t WHERE n < 99999999999999999999", "1,2,3"),
        ("SELECT COUNT(*) FROM t WHERE n > 0.5", "3"),
        ("SELECT SUM(n) FROM t HAVING SUM(n) > 0.5", "303"),
        ("SELECT p FROM t WHERE i < n", "3"),
        ("SELECT p FROM t WHERE p < (SELECT AVG(q.p) + 0.5 FROM t AS q)", "1,2"),
        ("SELECT p FROM t WHERE p > (SELECT AVG(q.f) FROM t AS q)", "3"),
        ("SELECT p FROM t WHERE COALESCE(n, 0) < 1.5", "1"),
        ("SELECT p FROM t WHERE CASE WHEN p = 1 THEN n ELSE p END < f", "1"),
        ("SELECT p FROM t WHERE n > f", "3"),
        ("SELECT p FROM t WHERE n < f", "1"),
        ("SELECT p FROM t WHERE n = f", "2"),
        ("SELECT p FROM t WHERE d = n", "2"),
        ("SELECT p FROM t WHERE f >= d", "1,2"),
        ("SELECT p FROM t WHERE f IN (n, 1.5)", "1,2"),
        ("SELECT p FROM t WHERE f IN (SELECT q.n FROM t AS q)", "2"),
        ("SELECT p FROM t WHERE n IN (SELECT q.d FROM t AS q)", "2"),
        ("SELECT p FROM t WHERE d IN (SELECT 2 + 0 FROM t AS q)", "2"),
        ("SELECT x.p, y.p FROM t AS x JOIN t AS y ON x.n = y.i", "1 1"),
        ("SELECT x.p, y.p FROM t AS x JOIN t AS y ON x.n = y.f", "2 2"),
        ("SELECT x.p, y.p FROM t AS x JOIN t AS y ON x.d = y.p ORDER BY x.p", "2 2,3 3"),
        ("SELECT x.p, y.p FROM t AS x LEFT JOIN t AS y ON x.i = y.n ORDER BY x.p", "1 1,2 NULL,3 NULL"),
        ("SELECT x.p, y.n FROM t AS x JOIN (SELECT q.i AS n FROM t AS q) AS y ON x.n = y.n", "1 1"),
        ("SELECT x.p FROM t AS x JOIN t AS y WHERE x.n = y.i", "1"),
        ("SELECT p FROM t WHERE EXISTS (SELECT 1 FROM t AS q WHERE q.i = t.n)", "1"),
    ];
    check(&mut connection, &cases);
    run(
        &mut connection,
        "CREATE INDEX a ON t (n); CREATE INDEX b ON t (i); CREATE INDEX c ON t (f); CREATE INDEX e ON t (d)",
    );
    for (sql, expected) in cases {
        let mut found = rows(&mut connection, sql);
        found.sort();
        assert_eq!(found.join(","), expected, "{sql} by an index");
    }
    for param in [Value::F64(2.5), Value::Decimal(Decimal::new(25, 1))] {
        assert_eq!(
            rows_with(&mut connection, "SELECT p FROM t WHERE n < ?", std::slice::from_ref(&param)),
            ["1", "2"]
        );
        assert_eq!(rows_with(&mut connection, "SELECT p FROM t WHERE p < ?", &[param]), ["1", "2"]);
    }
}

#[test]
fn infinity_is_found() {
    let mut connection = with("CREATE TABLE f (id INT PRIMARY KEY, v FLOAT NULL)");
    for (id, v) in [f64::INFINITY, f64::NEG_INFINITY, 1.0].into_iter().enumerate() {
        connection.execute("INSERT INTO f VALUES (?, ?)", &[Value::I64(id as i64), Value::F64(v)]).unwrap();
    }
    run(&mut connection, "INSERT INTO f VALUES (9, NULL)");
    for is_indexed in [false, true] {
        if is_indexed {
            run(&mut connection, "CREATE INDEX i ON f (v)");
        }
        for (condition, expected) in [
            ("v = $1", "0"),
            ("$1 = v", "0"),
            ("v <> $1", "1,2"),
            ("v IN ($1, 1)", "0,2"),
            ("v NOT IN ($1, 1)", "1"),
            ("v BETWEEN 0 AND $1", "0,2"),
            ("v < $1", "1,2"),
            ("id < $1", "0,1,2,9"),
            ("id = $1", ""),
        ] {
            let sql = format!("SELECT id FROM f WHERE {condition}");
            let mut found = rows_with(&mut connection, &sql, &[Value::F64(f64::INFINITY)]);
            found.sort();
            assert_eq!(found.join(","), expected, "{sql}");
        }
    }
}

#[test]
fn floats_are_read_as_they_are_written() {
    let mut connection = with("CREATE TABLE f (n INT PRIMARY KEY, v FLOAT, d DECIMAL NULL)");
    let texts = [
        "1e22",
        "1e23",
        "6.02214076e23",
        "1.602176634e-19",
        "6.62607015e-34",
        "1e-30",
        "1e100",
        "1.7e308",
        "-1e100",
        "9.10938356e-31",
        "3.3e-20",
        "0.1",
        "123456789.123456789",
    ];
    for (n, text) in texts.into_iter().enumerate() {
        run(&mut connection, &format!("INSERT INTO f VALUES ({n}, {text}, NULL)"));
        for sql in [
            format!("SELECT v FROM f WHERE n = {n}"),
            format!("SELECT v FROM f WHERE v = {text}"),
            format!("SELECT {text} AS x"),
            format!("SELECT CAST({text} AS FLOAT) AS x"),
            format!("SELECT 0.0 + {text} AS x"),
            format!("UPDATE f SET v = {text} WHERE n = {n}; SELECT v FROM f WHERE n = {n}"),
        ] {
            let found = match connection.execute(&sql, &[]).unwrap().pop() {
                Some(prolly_sql::Payload::Select { rows, .. }) => rows,
                other => panic!("{sql} gives {other:?}"),
            };
            assert_eq!(found, [[Value::F64(text.parse().unwrap())]], "{sql}");
        }
    }
    run(&mut connection, "UPDATE f SET d = 0.3333333333333333333333333333 WHERE n = 0");
    check(&mut connection, &[("SELECT d FROM f WHERE n = 0", "0.3333333333333333333333333333")]);
}

#[test]
fn rows_of_a_query_go_into_the_columns_that_are_named() {
    let mut connection = with(
        "CREATE TABLE src (a INT, b INT); INSERT INTO src VALUES (1, 2), (3, 4); \
        CREATE TABLE dst (a INT, b INT8 NULL DEFAULT 7, c TEXT DEFAULT 'x' || 'y', d INT NULL, e INT NOT NULL)",
    );
    for (sql, expected) in [
        ("INSERT INTO dst (e, a) SELECT b, a FROM src", "1 7 xy NULL 2,3 7 xy NULL 4"),
        ("INSERT INTO dst (a, e) SELECT * FROM src ORDER BY b DESC LIMIT 1", "3 7 xy NULL 4"),
        ("INSERT INTO dst (d, a, c, e) SELECT MAX(b), 5, 'z', COUNT(*) FROM src AS s", "5 7 z 4 2"),
        (
            "INSERT INTO dst (a, e) SELECT x.*, 9 FROM (SELECT q.a FROM src AS q WHERE q.b > 2.5) AS x",
            "3 7 xy NULL 9",
        ),
        ("INSERT INTO dst (e, a) SELECT 1, 2", "2 7 xy NULL 1"),
        ("INSERT INTO dst (e, a) VALUES (1, 2)", "2 7 xy NULL 1"),
    ] {
        run(&mut connection, "DELETE FROM dst");
        run(&mut connection, sql);
        assert_eq!(rows(&mut connection, "SELECT * FROM dst").join(","), expected, "{sql}");
    }
    for (sql, reason) in [
        ("INSERT INTO dst (zzz, e) SELECT a, b FROM src", "zzz"),
        ("INSERT INTO dst (a) SELECT a FROM src", "e"),
        ("INSERT INTO dst (a, e) SELECT a FROM src", "takes 2 columns, but the query gives 1"),
        ("INSERT INTO dst (e) SELECT * FROM src", "takes 1 columns, but the query gives 2"),
        ("INSERT INTO dst SELECT a, b FROM src", "takes 5 columns, but the query gives 2"),
        ("INSERT INTO dst (a, a, e) SELECT a, b, b FROM src", "names the column a twice"),
        ("INSERT INTO dst (a, a, e) VALUES (1, 2, 3)", "names the column a twice"),
    ] {
        let error = failure(&mut connection, sql).to_string();
        assert!(error.contains(reason), "{sql}: {error}");
    }
}

#[test]
fn a_table_that_is_there_is_not_made_again() {
    let mut connection = with("CREATE TABLE t (a INT PRIMARY KEY, b TEXT); INSERT INTO t VALUES (1, 'x')");
    for sql in [
        "CREATE TABLE IF NOT EXISTS t AS SELECT 'q' AS a, 5 AS b",
        "CREATE TABLE IF NOT EXISTS t AS SELECT * FROM t",
    ] {
        run(&mut connection, sql);
        check(&mut connection, &[("SELECT * FROM t", "1 x")]);
    }
    failure(&mut connection, "CREATE TABLE t AS SELECT 1 AS a");
    run(&mut connection, "CREATE TABLE IF NOT EXISTS log AS SELECT a FROM t");
    check(&mut connection, &[("SELECT * FROM log", "1")]);
}

#[test]
fn functions_do_not_call_themselves() {
    let mut connection = memory().connect().unwrap();
    let error = failure(&mut connection, "CREATE FUNCTION f(a INT) RETURN f(a)").to_string();
    assert!(error.contains("\"F\" calls itself"), "{error}");
    run(&mut connection, "CREATE FUNCTION g(a INT) RETURN a + h(a); CREATE FUNCTION i(a INT) RETURN a + 1");
    let error = failure(&mut connection, "CREATE FUNCTION h(a INT) RETURN i(G(a))").to_string();
    assert!(error.contains("\"H\" calls itself through \"G\""), "{error}");
    run(&mut connection, "CREATE FUNCTION h(a INT) RETURN i(i(a))");
    assert_eq!(rows(&mut connection, "SELECT g(1)"), ["4"]);
    failure(&mut connection, "CREATE OR REPLACE FUNCTION i(a INT) RETURN g(a)");
    assert_eq!(rows(&mut connection, "SELECT g(1)"), ["4"]);
    run(&mut connection, "CREATE FUNCTION f1(a INT) RETURN a");
    for n in 2..=16 {
        run(&mut connection, &format!("CREATE FUNCTION f{n}(a INT) RETURN f{}(a)", n - 1));
    }
    let error = failure(&mut connection, "CREATE FUNCTION f17(a INT) RETURN f16(a)").to_string();
    assert!(error.contains("more than 16 deep"), "{error}");
    assert_eq!(rows(&mut connection, "SELECT f16(5)"), ["5"]);
}

#[test]
fn functions_that_a_merge_makes_call_each_other_are_refused_where_they_are_called() {
    let database = memory();
    let mut connection = database.connect().unwrap();
    run(&mut connection, "CREATE FUNCTION f(a INT) RETURN a; CREATE FUNCTION g(a INT) RETURN a");
    database.store().commit("two functions").unwrap();
    database.store().create_branch("other", None).unwrap();
    database.store().checkout("main", false).unwrap();
    run(&mut connection, "DROP FUNCTION f; CREATE FUNCTION f(a INT) RETURN g(a)");
    database.store().commit("f calls g").unwrap();
    database.store().checkout("other", false).unwrap();
    run(&mut connection, "DROP FUNCTION g; CREATE FUNCTION g(a INT) RETURN f(a)");
    database.store().commit("g calls f").unwrap();
    database.store().merge("main", prolly_version::MergeOptions::default()).unwrap();
    let error = failure(&mut connection, "SELECT 1 + f(1)").to_string();
    assert!(error.contains("\"F\" calls itself through \"G\""), "{error}");
    run(&mut connection, "DROP FUNCTION g");
    failure(&mut connection, "SELECT f(1)");
}
