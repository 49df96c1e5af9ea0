//! What is bad input is an error: it neither panics nor overflows the stack, and leaves nothing behind.

use std::thread;

use prolly_sql::Error;

use crate::support::{failure, memory, rows, run};

#[test]
fn arguments_that_make_the_executor_panic_are_errors() {
    let mut c = memory().connect().unwrap();
    run(
        &mut c,
        "CREATE TABLE t (id INT PRIMARY KEY, s TEXT, l LIST); INSERT INTO t VALUES (1, 'é', '[1,2]')",
    );
    for expression in [
        "SUBSTR(s, 2, 1)",
        "FORMAT(DATE '2024-01-01', '%H')",
        "REPEAT('a', -1)",
        "FIND_IDX('abc', 'c', 100)",
        "DATE '9999-12-31' + INTERVAL '100000000' DAY",
        "ABS(-9223372036854775807 - id)",
        "-(-9223372036854775807 - id)",
        "SPLICE(l, 5, 1)",
        "SUBSTR('abc', 9223372036854775807, 9223372036854775807)",
    ] {
        let error = failure(&mut c, &format!("SELECT {expression} AS x FROM t"));
        assert!(matches!(error, Error::Refused(_) | Error::Statement(_)), "{expression}: {error}");
    }
    // It has done nothing, and a transaction goes on.
    run(&mut c, "BEGIN; INSERT INTO t VALUES (0, 'a', '[]'), (2, 'ab', '[]')");
    let error = failure(&mut c, "UPDATE t SET s = SUBSTR(s, 2, 1)");
    assert!(error.to_string().starts_with("the statement cannot be evaluated"), "{error}");
    failure(&mut c, "INSERT INTO t VALUES (3, 'x', '[]'), (4, REPEAT('a', -1), '[]')");
    run(&mut c, "COMMIT");
    assert_eq!(rows(&mut c, "SELECT id, s FROM t"), ["0 a", "1 é", "2 ab"]);
}

#[test]
fn long_expressions_are_evaluated_or_refused() {
    let work = || {
        let mut c = memory().connect().unwrap();
        run(&mut c, "CREATE TABLE t (x INT); INSERT INTO t VALUES (1)");
        let list = |terms: usize, term: &dyn Fn(usize) -> String, sign: &str| {
            (0..terms).map(term).collect::<Vec<_>>().join(sign)
        };
        let sum = |terms| format!("SELECT {} AS x FROM t", list(terms, &|_| "1".to_owned(), " + "));
        assert_eq!(rows(&mut c, &sum(3900)), ["3900"]);
        let text = format!("SELECT {} AS x FROM t", list(3900, &|_| "'a'".to_owned(), " || "));
        assert_eq!(rows(&mut c, &text)[0].len(), 3900);
        let text = format!("SELECT x FROM t WHERE {}", list(1200, &|i| format!("x <> {}", i + 2), " AND "));
        assert_eq!(rows(&mut c, &text), ["1"]);
        let nested = format!("SELECT {}1{} AS x", "ABS(".repeat(20), ")".repeat(20));
        assert_eq!(rows(&mut c, &nested), ["1"]);
        for text in [
            sum(5000),
            sum(1_000_000),
            format!("SELECT {}x", "INTERVAL ".repeat(100_000)),
            format!("SELECT {}1{}", "(".repeat(100_000), ")".repeat(100_000)),
            format!("SELECT {}1", "- ".repeat(100_000)),
        ] {
            let error = failure(&mut c, &text);
            assert!(matches!(error, Error::Syntax { .. }), "{error}");
        }
        assert!(failure(&mut c, &sum(5000)).to_string().contains("may have 4000"));
        // Commas separate: rows and lists may be as long as one likes.
        let values = list(2_000, &|i| format!("(-{i})"), ", ");
        run(&mut c, &format!("INSERT INTO t VALUES {values}"));
        let text = format!("SELECT COUNT(*) FROM t WHERE x IN ({})", list(2_000, &|i| format!("-{i}"), ", "));
        assert_eq!(rows(&mut c, &text), ["2000"]);
    };
    thread::Builder::new().stack_size(1 << 20).spawn(work).unwrap().join().unwrap();
}

#[test]
fn what_is_stored_with_a_table_is_short() {
    let mut c = memory().connect().unwrap();
    let sum = |terms: usize| vec!["1"; terms].join(" + ");
    run(&mut c, &format!("CREATE TABLE t (x INT PRIMARY KEY, y INT DEFAULT {})", sum(30)));
    run(&mut c, &format!("CREATE INDEX i ON t (x + {}); INSERT INTO t (x) VALUES (1)", sum(20)));
    for statement in [
        format!("CREATE TABLE u (x INT DEFAULT {})", sum(40)),
        format!("CREATE INDEX j ON t (x + {})", sum(40)),
        format!("ALTER TABLE t ADD COLUMN z INT DEFAULT {}", sum(40)),
        format!("CREATE FUNCTION f(a INT) RETURN {}", sum(300)),
    ] {
        let error = failure(&mut c, &statement);
        assert!(error.to_string().contains("too long"), "{error}");
    }
}

#[test]
fn functions_that_call_others_get_their_stack() {
    let work = || {
        let mut c = memory().connect().unwrap();
        let sum = vec!["a"; 30].join(" + ");
        run(&mut c, "CREATE FUNCTION f0(a INT) RETURN a");
        for i in 1..16 {
            run(&mut c, &format!("CREATE FUNCTION f{i}(a INT) RETURN f{}(a) + {sum} - {sum}", i - 1));
        }
        assert_eq!(rows(&mut c, "SELECT f15(f2(0)) AS x"), ["0"]);
    };
    thread::Builder::new().stack_size(1 << 20).spawn(work).unwrap().join().unwrap();
}
