//! Plans as GlueSQL makes them, through the pass, and the hints that come out.

use std::collections::HashMap;

use gluesql_core::{
    ast::{ColumnUniqueOption, Expr, Statement},
    chrono::NaiveDateTime,
    data::{Schema, SchemaIndex, SchemaIndexOrd, Value},
    parse_sql::parse,
    plan::{ExprPlan, QueryPlan, SourcePlan, StatementPlan},
    planner::{plan_aggregate, plan_hash_join, plan_index, plan_primary_key, plan_schemaless},
    translate::translate,
};

use super::{
    hint::{Access, Hint, Lookup, Purpose, Source},
    ranges::KeyRanges,
    *,
};
use crate::{
    key,
    table::{Column, Index, IndexKind, PrimaryKey},
};

struct Catalog(HashMap<String, Arc<Table>>);

impl Tables for Catalog {
    fn table(&self, name: &str) -> Result<Option<Arc<Table>>> {
        Ok(self.0.get(name).cloned())
    }

    fn rows(&self, name: &str, access: &Access) -> Result<u64> {
        let count = |ranges: &KeyRanges, one| {
            ranges.ranges().iter().map(|range| if range.prefix().is_some() { one } else { 100 }).sum()
        };
        Ok(match access {
            Access::All if name == "small" => 4,
            Access::All => 10_000,
            Access::Keys(ranges) => count(ranges, 1),
            Access::Index(_, ranges) => count(ranges, 3),
        })
    }

    fn check_function(&self, _name: &str) -> Result<()> {
        Ok(())
    }
}

/// `key` names the columns of a key that GlueSQL does not know, `indexes` columns.
fn table(ddl: &str, key: &[&str], indexes: &[&str]) -> Table {
    let Statement::CreateTable { name, columns: Some(defs), foreign_keys, .. } =
        translate(&parse(ddl).unwrap()[0]).unwrap()
    else {
        panic!("{ddl}");
    };
    let position = |name: &str| defs.iter().position(|def| def.name == name).unwrap();
    let mut key: Vec<_> = key.iter().map(|name| position(name)).collect();
    key.extend(defs.iter().position(|def| def.unique == Some(ColumnUniqueOption { is_primary: true })));
    let unique = defs
        .iter()
        .enumerate()
        .filter(|(_, def)| def.unique == Some(ColumnUniqueOption { is_primary: false }));
    let unique = unique.map(|(i, def)| Index {
        kind: IndexKind::Unique { column: i as u64 },
        expr: Expr::Identifier(def.name.clone()),
    });
    let named = indexes.iter().map(|column| Index {
        kind: IndexKind::Named { name: format!("by_{column}"), order: SchemaIndexOrd::Both },
        expr: Expr::Identifier((*column).to_owned()),
    });
    let indexes = named.chain(unique).collect();
    let columns = defs
        .into_iter()
        .enumerate()
        .map(|(i, def)| Column { id: i as u64, def, fill: Value::Null })
        .collect();
    Table {
        name,
        columns: Some(columns),
        key: if key.is_empty() { PrimaryKey::RowId } else { PrimaryKey::Columns(key) },
        indexes,
        foreign_keys,
        engine: None,
        comment: None,
    }
}

fn catalog() -> Catalog {
    let tables = [
        table("CREATE TABLE t (id INT PRIMARY KEY, name TEXT, n INT NULL, x FLOAT)", &[], &["n", "name"]),
        table("CREATE TABLE u (id INT PRIMARY KEY, tid INT NULL, code TEXT UNIQUE, b INT8 NULL)", &[], &[]),
        table("CREATE TABLE words (word TEXT PRIMARY KEY, day DATE NOT NULL)", &[], &["day"]),
        table("CREATE TABLE c (a INT NOT NULL, b INT NOT NULL, v TEXT NULL)", &["a", "b"], &[]),
        table("CREATE TABLE plain (a INT NULL, b INT NULL)", &[], &[]),
        table("CREATE TABLE small (id INT PRIMARY KEY, v INT NULL)", &[], &[]),
        table("CREATE TABLE f (id FLOAT PRIMARY KEY, d DECIMAL NULL)", &[], &["d"]),
    ];
    Catalog(tables.into_iter().map(|table| (table.name.clone(), Arc::new(table))).collect())
}

fn planned(sql: &str) -> StatementPlan {
    let catalog = catalog();
    let schemas: HashMap<_, _> =
        catalog.0.values().map(|table| (table.name.clone(), schema(table))).collect();
    let statement = StatementPlan::from(translate(&parse(sql).unwrap()[0]).unwrap());
    let statement = plan_schemaless(&schemas, statement).unwrap();
    let statement = plan_primary_key(&schemas, statement);
    let statement = plan_index(&schemas, statement);
    let statement = plan_hash_join(&schemas, statement);
    let statement = plan_aggregate(statement);
    plan(&catalog, statement).unwrap()
}

fn schema(table: &Table) -> Schema {
    let index = |index: &Index| match &index.kind {
        IndexKind::Named { name, order } => Some(SchemaIndex {
            name: name.clone(),
            expr: index.expr.clone(),
            order: *order,
            created: NaiveDateTime::default(),
        }),
        _ => None,
    };
    Schema {
        table_name: table.name.clone(),
        column_defs: table
            .columns
            .as_ref()
            .map(|columns| columns.iter().map(|column| column.def.clone()).collect()),
        indexes: table.indexes.iter().filter_map(index).collect(),
        engine: None,
        foreign_keys: table.foreign_keys.clone(),
        comment: None,
    }
}

/// The tables of a statement with their hints, in words.
fn hints(sql: &str) -> String {
    let mut statement = planned(sql);
    let mut names = Vec::new();
    let mut f = |source: &mut SourcePlan| {
        if let SourcePlan::Table(table) = source {
            names.push(table.name.clone());
        }
        Ok(())
    };
    match &mut statement {
        StatementPlan::Query(query) => sources(query, &mut f).unwrap(),
        StatementPlan::Insert { table_name, source, .. } => {
            f(&mut as_source(table_name)).unwrap();
            sources(source, &mut f).unwrap();
        }
        StatementPlan::Update { table_name, selection, .. }
        | StatementPlan::Delete { table_name, selection } => {
            f(&mut as_source(table_name)).unwrap();
            selection.iter_mut().for_each(|expr| sources_of_expr(expr, &mut f).unwrap());
        }
        other => panic!("{other:?}"),
    }
    let described: Vec<_> = names.iter().map(|name| describe(&Source::parse(name).unwrap())).collect();
    described.join("; ")
}

fn as_source(name: &str) -> SourcePlan {
    use gluesql_core::plan::{TableAccessPlan, TableSourcePlan};
    SourcePlan::Table(TableSourcePlan {
        name: name.to_owned(),
        alias: None,
        access: TableAccessPlan::FullScan,
    })
}

fn describe(source: &Source<'_>) -> String {
    let Hint { purpose, reverse, lookup, summary, access } = &source.hint;
    let mut out = vec![source.table.to_owned()];
    match purpose {
        Purpose::Unknown => out.push("unhinted".to_owned()),
        Purpose::Read => {}
        other => out.push(format!("{other:?}").to_lowercase()),
    }
    if *reverse {
        out.push("reverse".to_owned());
    }
    match lookup {
        Lookup::Key => {}
        Lookup::NullableKey => out.push("lookup".to_owned()),
        Lookup::Unique(column) => out.push(format!("lookup by {column}")),
    }
    if let Some(summary) = summary {
        let wanted = [(summary.count, "count"), (summary.first, "first"), (summary.last, "last")];
        out.extend(wanted.into_iter().filter(|(wanted, _)| *wanted).map(|(_, name)| name.to_owned()));
    }
    match access {
        Access::All => {}
        Access::Keys(ranges) => out.push(describe_ranges(ranges)),
        Access::Index(index, ranges) => out.push(format!("index {index} {}", describe_ranges(ranges))),
    }
    out.join(" ")
}

fn describe_ranges(ranges: &KeyRanges) -> String {
    let values = |bytes: &[u8]| {
        let values: Vec<_> = key::decode(bytes).unwrap().into_iter().map(String::from).collect();
        values.join("/")
    };
    let ranges: Vec<_> = ranges
        .ranges()
        .iter()
        .map(|range| {
            match (
                range.prefix(),
                range.start.split_last(),
                range.end.as_ref().and_then(|end| end.split_last()),
            ) {
                (Some(prefix), ..) => values(prefix),
                (None, start, end) => {
                    let start = match start {
                        Some((0xFF, rest)) => format!("{}<", values(rest)),
                        _ => format!("{}<=", values(&range.start)),
                    };
                    let end = match end {
                        Some((0xFF, rest)) => format!("<={}", values(rest)),
                        _ => range.end.as_ref().map_or_else(String::new, |end| format!("<{}", values(end))),
                    };
                    format!("{start}{end}")
                }
            }
        })
        .collect();
    format!("[{}]", ranges.join(", "))
}

#[track_caller]
fn check(cases: &[(&str, &str)]) {
    for (sql, expected) in cases {
        assert_eq!(hints(sql), *expected, "{sql}");
    }
}

#[test]
fn conditions_on_the_key_are_ranges() {
    check(&[
        ("SELECT * FROM t WHERE id = 5", "t"),
        ("SELECT * FROM t WHERE id IN (5, 1, 3, 3, NULL)", "t [1, 3, 5]"),
        ("SELECT * FROM t WHERE id >= 9990", "t [9990<=<NULL]"),
        ("SELECT * FROM t WHERE 10 > id", "t [<=<10]"),
        ("SELECT * FROM t WHERE id BETWEEN 3 AND 7", "t [3<=<=7]"),
        ("SELECT * FROM t WHERE id = 1 OR id = 2 OR id > 8 AND id <= 9", "t [1, 2, 8<<=9]"),
        ("SELECT * FROM t WHERE id > 3 AND id < 9 AND id <> 5 AND x > 1", "t [3<<9]"),
        ("SELECT * FROM t AS a WHERE a.id > -1 - 2", "t [-3<<NULL]"),
        ("SELECT * FROM t WHERE id > 5 AND id < 5", "t []"),
        ("SELECT * FROM t WHERE id > NULL", "t []"),
        ("SELECT * FROM u WHERE code > 'a' AND id < 3", "u [<=<3]"),
        ("SELECT * FROM (SELECT * FROM t WHERE id < 2) AS d WHERE d.id > 1", "t [<=<2]"),
        ("SELECT * FROM words WHERE word LIKE 'ab%'", "words [ab<=<ac]"),
        ("SELECT * FROM words WHERE word LIKE 'ab%c_'", "words [ab<=<ac]"),
        ("SELECT * FROM words WHERE word LIKE 'ab'", "words [ab]"),
        ("SELECT * FROM f WHERE id BETWEEN 1 AND 2", "f [1<=<=2, NaN]"),
    ]);
}

#[test]
fn doubtful_conditions_are_none() {
    check(&[
        ("SELECT * FROM t WHERE id > 1.5", "t"),
        ("SELECT * FROM t WHERE id > 'a'", "t"),
        ("SELECT * FROM t WHERE id IN (1, 'a')", "t"),
        ("SELECT * FROM t WHERE id BETWEEN 1 AND x", "t"),
        ("SELECT * FROM t WHERE id > 1 OR x > 1", "t"),
        ("SELECT * FROM t WHERE NOT (id > 1)", "t"),
        ("SELECT * FROM t WHERE id NOT IN (1)", "t"),
        ("SELECT * FROM t WHERE id + 1 > 1", "t"),
        ("SELECT * FROM words WHERE word > 5", "words"),
        ("SELECT * FROM words WHERE word LIKE '%a%' OR word LIKE '_b'", "words"),
        ("SELECT * FROM nothing WHERE id > 1", "nothing unhinted"),
        ("SELECT * FROM t AS a (key) WHERE id > 1", "t unhinted"),
        ("SELECT * FROM u JOIN t WHERE id > 1", "u; t"),
    ]);
}

#[test]
fn keys_of_several_columns_narrow_column_by_column() {
    check(&[
        ("SELECT * FROM c WHERE a = 1", "c [1]"),
        ("SELECT * FROM c WHERE a = 1 AND b = 2", "c [1/2]"),
        ("SELECT * FROM c WHERE b < 4 AND a IN (1, 2)", "c [1<=<1/4, 2<=<2/4]"),
        ("SELECT * FROM c WHERE a = 1 AND b > 2 AND b <= 9", "c [1/2<<=1/9]"),
        ("SELECT * FROM c WHERE a > 1 AND b = 2", "c [1<<NULL]"),
        ("SELECT * FROM c WHERE b = 2", "c"),
        ("SELECT * FROM c WHERE (a = 1 AND b = 2) OR (a = 3 AND b = 4)", "c [1/2, 3/4]"),
        ("SELECT * FROM c WHERE a = 1 ORDER BY b", "c [1]"),
        ("SELECT * FROM c ORDER BY a DESC, b DESC", "c reverse"),
    ]);
}

#[test]
fn indexes_are_used_where_they_are_cheaper() {
    check(&[
        ("SELECT * FROM t WHERE n BETWEEN 3 AND 7", "t index 0 [3<=<=7]"),
        ("SELECT * FROM t WHERE n IN (1, 2)", "t index 0 [1, 2]"),
        ("SELECT * FROM t WHERE n > 3 AND n < 7", "t index 0 [3<<7]"),
        ("SELECT * FROM t WHERE n = 3 AND id > 7", "t index 0 [3]"),
        ("SELECT * FROM t WHERE n > 3 AND id IN (1, 2)", "t [1, 2]"),
        ("SELECT * FROM t WHERE n > 3 AND name = 'x'", "t index 1 [x]"),
        ("SELECT * FROM t WHERE n IS NULL", "t index 0 [NULL]"),
        ("SELECT * FROM t WHERE name LIKE 'x%'", "t index 1 [x<=<y]"),
        ("SELECT * FROM u WHERE code = 'x'", "u index 0 [x]"),
        ("SELECT * FROM u WHERE code IS NULL", "u"),
        ("SELECT * FROM f WHERE d > 1.50", "f index 0 [1.5<<NULL]"),
    ]);
    let restored = format!("{:?}", planned("SELECT * FROM t WHERE n > 3 AND id IN (1, 2)"));
    assert!(restored.contains("FullScan") && restored.contains("\"n\""), "{restored}");
}

#[test]
fn rows_in_the_order_of_the_key_are_not_sorted() {
    check(&[
        ("SELECT * FROM t ORDER BY id DESC LIMIT 3 OFFSET 2", "t reverse"),
        ("SELECT * FROM t ORDER BY x DESC", "t"),
        ("SELECT * FROM t WHERE id > 3 ORDER BY t.id DESC", "t reverse [3<<NULL]"),
        ("SELECT * FROM f ORDER BY id DESC", "f"),
        ("SELECT * FROM c ORDER BY a DESC", "c"),
        ("SELECT * FROM c WHERE a = 5 ORDER BY b DESC LIMIT 1", "c reverse [5]"),
        ("SELECT id FROM t GROUP BY id ORDER BY id DESC", "t"),
    ]);
    let is_sorted = |sql| format!("{:?}", planned(sql)).contains("OrderByExprPlan");
    for sql in [
        "SELECT * FROM t ORDER BY id LIMIT 1",
        "SELECT * FROM t ORDER BY id, x",
        "SELECT * FROM c ORDER BY a",
        "SELECT * FROM t JOIN u ON u.tid = t.n ORDER BY t.id",
    ] {
        assert!(!is_sorted(sql), "{sql}");
    }
    for sql in [
        "SELECT * FROM t ORDER BY x",
        "SELECT * FROM c ORDER BY b",
        "SELECT * FROM c ORDER BY a, b DESC",
        "SELECT * FROM t JOIN u ON u.tid = t.n ORDER BY u.id",
        "SELECT * FROM t JOIN u ON u.tid = t.n ORDER BY t.id, u.id",
        "SELECT * FROM plain ORDER BY a",
    ] {
        assert!(is_sorted(sql), "{sql}");
    }
}

#[test]
fn aggregates_are_known_without_the_rows() {
    check(&[
        ("SELECT COUNT(*) FROM t", "t count"),
        ("SELECT COUNT(*) + 1, COUNT(id) FROM plain", "plain"),
        ("SELECT COUNT(*) + 1 FROM plain", "plain count"),
        ("SELECT COUNT(*), MIN(id), MAX(id) FROM t WHERE id BETWEEN 3 AND 9", "t count first last [3<=<=9]"),
        ("SELECT MAX(id) FROM t", "t last"),
        ("SELECT COUNT(*) FROM t WHERE n = 3", "t count index 0 [3]"),
        ("SELECT COUNT(*) FROM t WHERE n BETWEEN 3 AND 5", "t count index 0 [3<=<=5]"),
        ("SELECT MIN(day) FROM words", "words first index 0 [<=]"),
        ("SELECT COUNT(*) FROM t WHERE id > 3 AND x > 1", "t [3<<NULL]"),
        ("SELECT COUNT(*) FROM t WHERE n = 3 OR n IS NULL", "t count index 0 [3, NULL]"),
        ("SELECT MIN(n) FROM t", "t"),
        ("SELECT COUNT(n) FROM t", "t"),
        ("SELECT COUNT(DISTINCT id) FROM t", "t"),
        ("SELECT id, COUNT(*) FROM t", "t"),
        ("SELECT COUNT(*) FROM t GROUP BY n", "t"),
        ("SELECT COUNT(*) FROM t HAVING COUNT(*) > 1", "t"),
        ("SELECT COUNT(*) FROM t JOIN u", "t; u"),
        ("SELECT MIN(id) FROM f", "f"),
        ("SELECT COUNT(*) FROM f WHERE id > 1", "f [1<<NULL]"),
        ("SELECT (SELECT MAX(id) FROM t) AS m FROM small", "small; t last"),
    ]);
}

#[test]
fn joins_look_rows_up() {
    check(&[
        ("SELECT * FROM u JOIN t ON t.id = u.tid WHERE u.id = 3", "u; t lookup"),
        ("SELECT * FROM u JOIN t ON t.id = u.tid WHERE u.id IN (3, 4)", "u [3, 4]; t lookup"),
        (
            "SELECT * FROM u LEFT JOIN t ON t.id = u.tid AND t.x > 1 WHERE u.id IN (3, 4)",
            "u [3, 4]; t lookup",
        ),
        ("SELECT * FROM small AS s JOIN u ON u.id = s.v JOIN t ON t.id = u.tid", "small; u lookup; t lookup"),
        ("SELECT * FROM small AS s JOIN u ON u.id = s.v JOIN t ON t.n = u.tid", "small; u lookup; t"),
        ("SELECT * FROM small AS s JOIN t WHERE t.id = s.v", "small; t lookup"),
        (
            "SELECT * FROM words AS w JOIN u ON u.code = w.word WHERE w.word IN ('a', 'b')",
            "words [a, b]; u lookup by 2",
        ),
        ("SELECT * FROM u JOIN t ON t.id = u.tid", "u; t"),
        ("SELECT * FROM u JOIN t ON t.id = u.b WHERE u.id = 3", "u; t"),
        ("SELECT * FROM u JOIN t ON t.id = u.tid WHERE t.id > 3 AND u.id < 9", "u [<=<9]; t [3<<NULL]"),
        ("SELECT * FROM u LEFT JOIN t ON t.n = u.tid AND t.id > 3 WHERE t.id < 9", "u; t [3<<NULL]"),
    ]);
}

#[test]
fn correlated_queries_look_rows_up() {
    check(&[
        (
            "SELECT * FROM t WHERE id < 40 AND EXISTS (SELECT 1 FROM u WHERE u.id = t.id)",
            "t [<=<40]; ; u lookup",
        ),
        (
            "SELECT * FROM t WHERE NOT EXISTS (SELECT * FROM u AS v WHERE t.n = v.id AND v.b > 1)",
            "t; ; u lookup",
        ),
        ("SELECT (SELECT code FROM u WHERE u.id = n) AS c FROM t", "t; ; u lookup"),
        ("SELECT * FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.code = name)", "t; ; u lookup by 2"),
        ("SELECT * FROM t WHERE n IN (SELECT id FROM u WHERE b > 1)", "t; ; u lookup"),
        ("SELECT * FROM t WHERE n NOT IN (SELECT id FROM u)", "t; ; u lookup; u"),
        ("SELECT * FROM t WHERE n IN (SELECT tid FROM u)", "t; u"),
        ("SELECT * FROM t WHERE EXISTS (SELECT 1 FROM u WHERE id = n)", "t; ; u lookup"),
        ("SELECT * FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.id = b)", "t; u"),
        ("SELECT * FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.b = t.id)", "t; u"),
        ("SELECT * FROM t WHERE EXISTS (SELECT 1 FROM t AS t WHERE t.id = t.n)", "t; t"),
    ]);
}

#[test]
fn writes_name_their_rows_and_leave_checks_to_the_storage() {
    check(&[
        ("INSERT INTO u VALUES (1, 2, 'x', 3)", "u insert"),
        ("INSERT INTO u SELECT * FROM u WHERE id > 5", "u insert; u [5<<NULL]"),
        ("UPDATE u SET code = 'y' WHERE id = 5", "u update [5]"),
        ("UPDATE t SET x = 1 WHERE n = 5", "t update index 0 [5]"),
        ("DELETE FROM t WHERE id IN (3, 4)", "t delete [3, 4]"),
        ("DELETE FROM c WHERE a = 1 AND b < 3", "c delete [1<=<1/3]"),
        ("DELETE FROM plain", "plain delete"),
        ("DELETE FROM u WHERE EXISTS (SELECT 1 FROM t WHERE t.id = u.tid)", "u delete; ; t lookup"),
        ("DELETE FROM u WHERE EXISTS (SELECT 1 FROM t AS u WHERE u.id = u.n)", "u delete; t"),
        ("DELETE FROM u WHERE u.id = 1 AND u.tid IN (SELECT id FROM t)", "u delete [1]; ; t lookup"),
    ]);
}

/// Calls a function with each table of a query and of the queries in it.
fn sources(query: &mut QueryPlan, f: &mut dyn FnMut(&mut SourcePlan) -> Result<()>) -> Result<()> {
    let (project, order_by) = match walk::Query::of(query) {
        walk::Query::Values(values) => {
            return values.0.iter_mut().flatten().try_for_each(|expr| sources_of_expr(expr, f));
        }
        walk::Query::Select { project, order_by } => (project, order_by),
    };
    let mut parts = walk::Parts::of(&mut project.input);
    for source in parts.sources_mut() {
        f(source)?;
        if let SourcePlan::Derived(derived) = source {
            sources(&mut derived.query, f)?;
        }
    }
    parts.exprs_mut().into_iter().try_for_each(|expr| sources_of_expr(expr, f))?;
    walk::projected(&mut project.projection).try_for_each(|expr| sources_of_expr(expr, f))?;
    order_by.into_iter().flatten().try_for_each(|order| sources_of_expr(&mut order.expr, f))
}

/// Calls a function with each table of the queries in an expression.
fn sources_of_expr(expr: &mut ExprPlan, f: &mut dyn FnMut(&mut SourcePlan) -> Result<()>) -> Result<()> {
    if let Some(query) = walk::subquery(expr) {
        sources(query, f)?;
    }
    walk::children(expr).into_iter().try_for_each(|child| sources_of_expr(child, f))
}

#[test]
fn what_can_be_null_is_alternative_as_sql_has_it() {
    let is_rewritten = |sql| format!("{:?}", planned(sql)).contains("Case");
    assert!(is_rewritten("SELECT * FROM c WHERE a = 1 AND (b = 1 OR v = 'x')"));
    assert!(is_rewritten("SELECT v = 'x' OR b = 1 AS o FROM c"));
    assert!(is_rewritten("DELETE FROM c WHERE v = 'x' OR b = 1"));
    assert!(!is_rewritten("SELECT * FROM c WHERE a = 1 OR b BETWEEN 1 AND 2 OR v IS NULL"));
}
