//! Measures statements beside GlueSQL on a map in memory, which is the floor that its executor sets, and beside SQLite.
//!
//! ```text
//! cargo run --release -p prolly-sql --example floors -- [ROWS] [PART OF A ROW'S NAME]     (100000 rows unless given)
//! ```
//!
//! Each figure is the best of several runs; rows of the table are measured one after another for all three.

#![expect(clippy::print_stdout, reason = "it prints what it measures")]

use std::{
    error::Error,
    time::{Duration, Instant},
};

use gluesql_core::prelude::Glue;
use gluesql_memory_storage::MemoryStorage;
use prolly_sql::{Connection, Database, Value};
use prolly_version::{Options, Store};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const RUNS: usize = 5;
const POINTS: usize = 5_000;

struct Rivals {
    ours: Connection,
    glue: Glue<MemoryStorage>,
    sqlite: rusqlite::Connection,
}

impl Rivals {
    fn ours(&mut self, sql: &str) -> Outcome {
        self.ours.execute(sql, &[])?;
        Ok(())
    }

    fn glue(&mut self, sql: &str) -> Outcome {
        self.glue.execute(sql)?;
        Ok(())
    }

    /// Runs a statement and looks at all that it gives.
    fn sqlite(&self, sql: &str) -> Outcome {
        let mut statement = self.sqlite.prepare_cached(sql)?;
        let columns = statement.column_count();
        if columns == 0 {
            statement.execute([])?;
            return Ok(());
        }
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            for column in 0..columns {
                std::hint::black_box(row.get_ref(column)?);
            }
        }
        Ok(())
    }
}

fn main() -> Outcome {
    let mut arguments = std::env::args().skip(1);
    let rows: usize = arguments.next().map_or(Ok(100_000), |text| text.parse())?;
    let wanted = arguments.next().unwrap_or_default();
    let mut rivals = Rivals {
        ours: Database::new(Store::memory(Options::default())?)?.connect()?,
        glue: Glue::new(MemoryStorage::default()),
        sqlite: rusqlite::Connection::open_in_memory()?,
    };
    load(&mut rivals, rows)?;
    println!("{rows} rows, µs per row (per statement for those by key), best of {RUNS}\n");
    println!("| statement | ours | GlueSQL in memory | ratio | sqlite |\n|---|---|---|---|---|");
    let whole = |name: &str| name.contains(&wanted);
    for (name, sql) in [
        ("SELECT *", "SELECT * FROM t".to_owned()),
        ("two columns", "SELECT id, v FROM t".to_owned()),
        ("filter", format!("SELECT id FROM t WHERE v = {}", rows / 2)),
        ("GROUP BY", "SELECT g, COUNT(*), SUM(v) FROM t GROUP BY g".to_owned()),
        ("SUM", "SELECT SUM(v) FROM t".to_owned()),
        ("join", "SELECT COUNT(*) FROM u JOIN t ON t.id = u.tid WHERE t.f >= 0".to_owned()),
        ("ORDER BY v LIMIT", "SELECT id FROM t ORDER BY v LIMIT 10".to_owned()),
        ("LIKE 'prefix%'", "SELECT id FROM t WHERE name LIKE 'name1234%'".to_owned()),
        ("UPDATE all", "UPDATE t SET v = v + 1".to_owned()),
    ] {
        if whole(name) {
            let runs = if name.starts_with("LIKE") { 1 } else { RUNS };
            line(name, rows, &mut rivals, runs, |_| sql.clone())?;
        }
    }
    for (name, sql) in [
        ("SELECT by key", "SELECT * FROM t WHERE id = "),
        ("UPDATE by key", "UPDATE t SET g = 1 WHERE id = "),
    ] {
        if whole(name) {
            // A map in memory reads all its rows for an UPDATE.
            let is_update = name.starts_with("UPDATE");
            let points = if is_update { 20 } else { POINTS };
            line_of(name, points, &mut rivals, |i| format!("{sql}{}", i.wrapping_mul(7919) % rows))?;
        }
    }
    if whole("parameter") {
        by_parameter(&mut rivals, rows)?;
    }
    Ok(())
}

/// A row of the table for one text with a parameter, which GlueSQL's own front end cannot bind.
fn by_parameter(rivals: &mut Rivals, rows: usize) -> Outcome {
    let [mut ours, mut sqlite] = [Duration::MAX; 2];
    let keys = || (0..POINTS).map(|i| (i.wrapping_mul(7919) % rows) as i64);
    for _ in 0..RUNS {
        ours = ours.min(timed(|| {
            for key in keys() {
                rivals.ours.execute("SELECT * FROM t WHERE id = $1", &[Value::I64(key)])?;
            }
            Ok(())
        })?);
        sqlite = sqlite.min(timed(|| {
            for key in keys() {
                let mut statement = rivals.sqlite.prepare_cached("SELECT * FROM t WHERE id = $1")?;
                statement.query_row([key], |row| row.get::<_, String>(1))?;
            }
            Ok(())
        })?);
    }
    let each = |time: Duration| time.as_secs_f64() * 1e6 / POINTS as f64;
    println!("| SELECT by key, a parameter | {:.3} | | | {:.3} |", each(ours), each(sqlite));
    Ok(())
}

fn load(rivals: &mut Rivals, rows: usize) -> Outcome {
    let schema = [
        "CREATE TABLE t (id INT PRIMARY KEY, name TEXT NOT NULL, v INT NOT NULL, g INT NOT NULL, f FLOAT NOT NULL)",
        "CREATE TABLE u (id INT PRIMARY KEY, tid INT NOT NULL)",
    ];
    for sql in schema {
        run_all(rivals, sql)?;
    }
    rivals.ours.execute("BEGIN", &[])?;
    for start in (0..rows).step_by(1000) {
        let ids = start..(start + 1000).min(rows);
        let t: Vec<_> = ids
            .clone()
            .map(|i| format!("({i}, 'name{i}', {}, {}, {:?})", (i * 7919) % rows, i % 100, i as f64 / 4.0))
            .collect();
        let u: Vec<_> = ids.map(|i| format!("({i}, {})", (i * 31) % rows)).collect();
        run_all(rivals, &format!("INSERT INTO t VALUES {}", t.join(", ")))?;
        run_all(rivals, &format!("INSERT INTO u VALUES {}", u.join(", ")))?;
    }
    rivals.ours.execute("COMMIT", &[])?;
    Ok(())
}

fn run_all(rivals: &mut Rivals, sql: &str) -> Outcome {
    rivals.ours.execute(sql, &[])?;
    rivals.glue.execute(sql)?;
    rivals.sqlite.execute_batch(sql)?;
    Ok(())
}

/// A row of the table for a statement over all rows.
fn line(name: &str, rows: usize, rivals: &mut Rivals, runs: usize, sql: impl Fn(usize) -> String) -> Outcome {
    let [mut ours, mut glue, mut sqlite] = [Duration::MAX; 3];
    for run in 0..runs {
        let sql = sql(run);
        ours = ours.min(timed(|| rivals.ours(&sql))?);
        glue = glue.min(timed(|| rivals.glue(&sql))?);
        sqlite = sqlite.min(timed(|| rivals.sqlite(&sql))?);
    }
    print(name, rows, ours, glue, sqlite);
    Ok(())
}

/// A row of the table for statements that are one each.
fn line_of(name: &str, count: usize, rivals: &mut Rivals, sql: impl Fn(usize) -> String) -> Outcome {
    let texts: Vec<_> = (0..count).map(sql).collect();
    let [mut ours, mut glue, mut sqlite] = [Duration::MAX; 3];
    for _ in 0..RUNS {
        ours = ours.min(timed(|| texts.iter().try_for_each(|sql| rivals.ours(sql)))?);
        glue = glue.min(timed(|| texts.iter().try_for_each(|sql| rivals.glue(sql)))?);
        sqlite = sqlite.min(timed(|| texts.iter().try_for_each(|sql| rivals.sqlite(sql)))?);
    }
    print(name, count, ours, glue, sqlite);
    Ok(())
}

fn timed(f: impl FnOnce() -> Outcome) -> Outcome<Duration> {
    let start = Instant::now();
    f()?;
    Ok(start.elapsed())
}

fn print(name: &str, count: usize, ours: Duration, glue: Duration, sqlite: Duration) {
    let each = |time: Duration| time.as_secs_f64() * 1e6 / count as f64;
    let ratio = ours.as_secs_f64() / glue.as_secs_f64();
    println!("| {name} | {:.3} | {:.3} | {ratio:.2} | {:.3} |", each(ours), each(glue), each(sqlite));
}
