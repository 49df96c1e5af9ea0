//! Statements at random, run with hints, without them, and by SQLite: all three have to agree.
//!
//! A round makes tables and rows from its seed and runs statements on them. `PROLLY_SQL_FUZZ_STATEMENTS` says how many there are
//! in all, `PROLLY_SQL_FUZZ_SEED` runs the one round of a seed that a failure has printed.

mod generate;
mod meaning;

use prolly_sql::{Connection, Payload, Value};
use rusqlite::{Connection as Sqlite, types::ValueRef};

use crate::support::{failure, memory, run};
use generate::{Order, Statement, World};

const STATEMENTS: usize = 500;
const PER_ROUND: usize = 100;

/// What a statement gave: rows, or how many rows it changed.
#[derive(Clone, Debug, PartialEq)]
enum Outcome {
    Rows(Vec<Vec<String>>),
    Changed(usize),
    Failed(String),
}

#[test]
fn hints_change_no_result_and_sqlite_agrees() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    if let Some(seed) = number("PROLLY_SQL_FUZZ_SEED") {
        round(seed);
        return;
    }
    let statements = number("PROLLY_SQL_FUZZ_STATEMENTS").map_or(STATEMENTS, |count| count as usize);
    for seed in 0..statements.div_ceil(PER_ROUND) as u64 {
        round(seed);
    }
}

#[test]
fn errors_name_tables_as_they_were_named() {
    let mut connection = memory().connect().unwrap();
    run(&mut connection, "CREATE TABLE t (id INT PRIMARY KEY, a INT UNIQUE)");
    run(&mut connection, "INSERT INTO t VALUES (1, 1)");
    for sql in [
        "SELECT t.b FROM t WHERE id > 0",
        "SELECT b FROM t WHERE id > 0",
        "SELECT x.* FROM t",
        "SELECT * FROM t AS x (p, q, r)",
        "SELECT (SELECT u.b FROM t AS u WHERE u.id = t.id) AS b FROM t",
        "SELECT * FROM t JOIN t AS u ON u.id = t.b",
        "UPDATE t SET a = t.b",
        "UPDATE t SET a = 2 WHERE t.b = 1",
        "UPDATE t SET b = 2",
        "UPDATE t SET id = 2",
        "UPDATE t SET a = 'x'",
        "DELETE FROM t WHERE t.b = 1",
        "DELETE FROM t WHERE EXISTS (SELECT 1 FROM t AS u WHERE u.id = t.b)",
        "INSERT INTO t VALUES (1, 2)",
        "INSERT INTO t VALUES (2, 1)",
        "INSERT INTO t VALUES (2, 3, 4)",
        "INSERT INTO t (b) VALUES (2)",
        "INSERT INTO t VALUES ('x', 1)",
        "DELETE FROM u",
        "UPDATE u SET a = 1",
        "INSERT INTO u VALUES (1)",
        "SELECT * FROM u",
    ] {
        let error = failure(&mut connection, sql).to_string();
        assert!(!error.contains('\u{1}') && !error.contains("\\u{1}"), "{sql}: {error}");
    }
}

fn round(seed: u64) {
    let mut world = World::new(seed);
    let mut hinted = memory().connect().unwrap();
    let mut plain = memory().connect().unwrap();
    plain.set_hints(false);
    let sqlite = Sqlite::open_in_memory().unwrap();
    sqlite.execute_batch("PRAGMA foreign_keys = ON; PRAGMA case_sensitive_like = ON").unwrap();
    let mut history = Vec::new();
    for (ours, theirs) in world.schema() {
        hinted.execute(&ours, &[]).unwrap_or_else(|error| panic!("seed {seed}: {ours}: {error}"));
        plain.execute(&ours, &[]).unwrap();
        sqlite.execute_batch(&theirs).unwrap_or_else(|error| panic!("seed {seed}: {theirs}: {error}"));
        history.push(ours);
    }
    for _ in 0..PER_ROUND {
        let statement = world.statement();
        history.push(statement.ours.clone());
        plain.set_hints(statement.is_beyond_plain);
        let (with, without) = (outcome(&mut hinted, &statement), outcome(&mut plain, &statement));
        plain.set_hints(false);
        let fail = |what: &str, other: &Outcome| {
            let history = history.join(";\n");
            panic!("seed {seed}: {}\nwith hints {with:?}\n{what} {other:?}\n{history}", statement.ours);
        };
        match (&with, &without) {
            // An error of a row that is not read with hints, or one of GlueSQL's own, which SQLite does not make.
            (Outcome::Rows(_), Outcome::Failed(_)) => {}
            _ if !agree(&statement, &with, &without) => fail("without", &without),
            _ => {}
        }
        if let Some(theirs) = &statement.theirs {
            let other = ask(&sqlite, theirs);
            if !agree(&statement, &with, &other) {
                fail("sqlite", &other);
            }
        }
    }
}

/// Whether two outcomes are the same as far as the statement says what they are.
fn agree(statement: &Statement, a: &Outcome, b: &Outcome) -> bool {
    match (a, b, statement.order) {
        (Outcome::Failed(_), Outcome::Failed(_), _) => true,
        (Outcome::Rows(a), Outcome::Rows(b), Order::None) => {
            let sorted = |rows: &[Vec<String>]| {
                let mut rows = rows.to_vec();
                rows.sort();
                rows
            };
            sorted(a) == sorted(b)
        }
        (Outcome::Rows(a), Outcome::Rows(b), Order::SomeRows) => a.len() == b.len(),
        (a, b, _) => a == b,
    }
}

fn outcome(connection: &mut Connection, statement: &Statement) -> Outcome {
    match connection.execute(&statement.ours, &statement.params).map(|mut payloads| payloads.pop()) {
        Ok(Some(Payload::Select { rows, .. })) => {
            Outcome::Rows(rows.iter().map(|row| row.iter().map(text).collect()).collect())
        }
        Ok(Some(Payload::Insert(count) | Payload::Update(count) | Payload::Delete(count))) => {
            Outcome::Changed(count)
        }
        Ok(other) => panic!("{} gives {other:?}", statement.ours),
        Err(error) => Outcome::Failed(error.to_string()),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Str(text) => format!("'{text}'"),
        Value::F64(number) => format!("{number:?}"),
        Value::Bool(value) => u8::from(*value).to_string(),
        other => String::from(other),
    }
}

fn ask(sqlite: &Sqlite, sql: &str) -> Outcome {
    match try_ask(sqlite, sql) {
        Ok(outcome) => outcome,
        Err(rusqlite::Error::SqliteFailure(failure, Some(text)))
            if failure.code != rusqlite::ErrorCode::Unknown =>
        {
            Outcome::Failed(text)
        }
        // The statement is not one of SQLite's: the generator is wrong.
        Err(error) => panic!("{sql}: {error}"),
    }
}

fn try_ask(sqlite: &Sqlite, sql: &str) -> rusqlite::Result<Outcome> {
    let mut statement = sqlite.prepare(sql)?;
    let columns = statement.column_count();
    if columns == 0 {
        return statement.execute([]).map(Outcome::Changed);
    }
    let rows = statement.query_map([], |row| {
        let cell = |column| {
            Ok(match row.get_ref(column)? {
                ValueRef::Null => "NULL".to_owned(),
                ValueRef::Integer(number) => number.to_string(),
                ValueRef::Real(number) => format!("{number:?}"),
                ValueRef::Text(text) => format!("'{}'", String::from_utf8_lossy(text)),
                ValueRef::Blob(_) => "blob".to_owned(),
            })
        };
        (0..columns).map(cell).collect::<rusqlite::Result<Vec<_>>>()
    })?;
    rows.collect::<rusqlite::Result<_>>().map(Outcome::Rows)
}
