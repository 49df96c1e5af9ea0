//! Merges of tables that SQL made.

mod property;

use std::collections::BTreeMap;

use gluesql_core::{ast::ToSql, data::Value};
use prolly_core::{SortedEdits, Tree, Value as Stored};
use prolly_version::{
    BackendKind, Catalog, Error as VersionError, MergeConflict, MergeOptions, MergeStrategy, Options,
    Resolution, Store, TreeKey, TreeKind,
};

use super::{NamedRow, RowConflict};
use crate::{
    Connection, Database, Payload,
    key::encode_values,
    row::{decode_row, encode_row, encode_value},
    table::{IndexKind, Table},
};

/// A database with the branches `main` and `topic`; it stands on `main`.
struct Branches {
    database: Database,
}

impl Branches {
    /// Makes the base with some statements, and each branch of it with others.
    fn new(base: &str, main: &str, topic: &str) -> Self {
        Self::on_store(Store::memory(Options::default()).unwrap(), base, main, topic)
    }

    fn on_store(store: Store, base: &str, main: &str, topic: &str) -> Self {
        let this = Self { database: Database::new(store).unwrap() };
        this.run(base);
        this.store().commit("base").unwrap();
        this.store().create_branch("topic", None).unwrap();
        this.on("topic", topic);
        this.on("main", main);
        this
    }

    fn store(&self) -> &Store {
        self.database.store()
    }

    fn connect(&self) -> Connection {
        self.database.connect().unwrap()
    }

    fn run(&self, sql: &str) {
        self.connect().execute(sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// Commits what some statements do to a branch.
    fn on(&self, branch: &str, sql: &str) {
        self.store().checkout(branch, false).unwrap();
        self.run(sql);
        self.store().commit(branch).unwrap();
    }

    fn merge(&self, strategy: MergeStrategy<'_>) -> prolly_version::Result<()> {
        self.store().merge("topic", MergeOptions { strategy, ..MergeOptions::default() })?;
        verify(self.store().at("HEAD").unwrap().catalog());
        Ok(())
    }

    /// Merges, which has to be clean from both sides with one result.
    fn merge_cleanly(&self) {
        self.store().create_branch("reversed", Some("topic")).unwrap();
        self.store().checkout("reversed", false).unwrap();
        self.store().merge("main", MergeOptions::default()).unwrap();
        let reversed = self.store().at("HEAD").unwrap().catalog().root_hash();
        self.store().checkout("main", false).unwrap();
        self.merge(MergeStrategy::Refuse).unwrap();
        assert_eq!(
            self.store().at("HEAD").unwrap().catalog().root_hash(),
            reversed,
            "merging is not symmetric"
        );
    }

    /// The conflicts of a merge, as rows and as text.
    fn conflicts(&self) -> Vec<RowConflict> {
        let conflicts = self.store().try_merge("topic").unwrap();
        assert!(!conflicts.is_empty(), "there is no conflict");
        conflicts.iter().map(|conflict| self.rows_of(conflict)).collect()
    }

    fn rows_of(&self, conflict: &MergeConflict) -> RowConflict {
        let at = |revision: &str| self.store().at(revision).unwrap().catalog().clone();
        RowConflict::from_merge_conflict(&[at("main~1")], &at("topic"), &at("main"), conflict)
            .unwrap()
            .unwrap()
    }

    fn reasons(&self) -> Vec<String> {
        self.conflicts().into_iter().map(|conflict| conflict.reason.unwrap_or_default()).collect()
    }

    /// What a query gives, a row in a line.
    fn rows(&self, sql: &str) -> Vec<String> {
        let payload = self.connect().execute(sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error}")).pop();
        match payload {
            Some(Payload::Select { rows, .. }) => rows.iter().map(|row| text(row)).collect(),
            Some(Payload::SelectMap(rows)) => rows.iter().map(|row| format!("{row:?}")).collect(),
            other => panic!("{sql}: {other:?}"),
        }
    }
}

fn text(row: &[Value]) -> String {
    row.iter().map(ToSql::to_sql).collect::<Vec<_>>().join(" ")
}

fn named(row: &Option<NamedRow>) -> Option<String> {
    let row = row.as_ref()?;
    Some(row.iter().map(|(name, value)| format!("{name}={}", value.to_sql())).collect::<Vec<_>>().join(" "))
}

/// Checks that the indexes of all tables are what their rows give, that there are no others, and that constraints hold.
fn verify(catalog: &Catalog) {
    let mut expected = Vec::new();
    for tree in catalog.keys(TreeKind::TABLE, b"").unwrap() {
        let version = catalog.version(&tree).unwrap().unwrap();
        let table = Table::decode(std::str::from_utf8(tree.name()).unwrap(), &version.metadata).unwrap();
        assert_eq!(table.encode().unwrap(), version.metadata);
        let mut indexes: Vec<BTreeMap<Vec<u8>, Vec<u8>>> = vec![BTreeMap::new(); table.indexes.len()];
        let mut rows = version.tree.range::<&[u8]>(..).unwrap();
        while let Some((key, row)) = rows.next_pair().unwrap() {
            let values = decode_row(&table, &row).unwrap();
            assert_eq!(
                encode_row(table.columns.as_deref(), &values).unwrap(),
                row,
                "a row is as it is stored"
            );
            for (index, entries) in table.indexes.iter().zip(&mut indexes) {
                let Some((entry, value)) = table.index_entry(index, &values, &key).unwrap() else { continue };
                let before = entries.insert(entry, value);
                assert!(
                    before.is_none() || !matches!(index.kind, IndexKind::Unique { .. }),
                    "UNIQUE does not hold"
                );
            }
            for key in &table.foreign_keys {
                let columns = table.columns.as_ref().unwrap();
                let column = columns.iter().position(|c| c.def.name == key.referencing_column_name).unwrap();
                if values[column] != Value::Null {
                    let parent = catalog.tree(&Table::tree_key(&key.referenced_table_name)).unwrap().unwrap();
                    let referred = encode_values([&values[column]]).unwrap();
                    assert!(parent.contains(&referred).unwrap(), "{} refers to nothing", text(&values));
                }
            }
        }
        for (index, entries) in table.indexes.iter().zip(indexes) {
            let tree = table.index_tree(index);
            let found = catalog.tree(&tree).unwrap().unwrap_or_else(|| panic!("{tree} is not there"));
            let entries = entries.into_iter().map(|(key, value)| (key, Some(Stored::Inline(value))));
            let buffer = std::sync::Arc::new(prolly_core::NodeBuffer::new());
            let mut edits = SortedEdits::new(entries);
            let rebuilt = Tree::build(buffer.clone(), &*buffer, *found.config(), &mut edits).unwrap();
            assert_eq!(found.root_hash(), rebuilt.root_hash(), "{tree} is not what its rows give");
            expected.push(tree);
        }
    }
    expected.sort();
    let found: Vec<TreeKey> = catalog.keys(TreeKind::TABLE_INDEX, b"").unwrap();
    assert_eq!(found, expected, "other indexes are there");
}

const PEOPLE: &str = "
    CREATE TABLE people (id INT PRIMARY KEY, name TEXT NULL, age INT NULL, email TEXT NULL UNIQUE);
    CREATE INDEX by_age ON people (age);
    INSERT INTO people VALUES (1, 'a', 10, 'a@x'), (2, 'b', 20, 'b@x'), (3, 'c', 30, NULL);
";
const ALL: &str = "SELECT * FROM people ORDER BY id";

#[test]
fn rows_merge_by_key_and_by_column() {
    let branches = Branches::new(
        PEOPLE,
        "UPDATE people SET age = 11 WHERE id = 1; INSERT INTO people VALUES (4, 'd', 40, 'd@x'); DELETE FROM people WHERE id = 2",
        "UPDATE people SET name = 'A', email = 'A@x' WHERE id = 1; INSERT INTO people VALUES (5, 'e', 50, 'a@x')",
    );
    branches.merge_cleanly();
    assert_eq!(branches.rows(ALL), ["1 'A' 11 'A@x'", "3 'c' 30 NULL", "4 'd' 40 'd@x'", "5 'e' 50 'a@x'"]);
    assert_eq!(branches.rows("SELECT id FROM people WHERE age = 11"), ["1"]);
}

#[test]
fn the_same_column_changed_twice_is_a_conflict_of_its_row() {
    let branches = || {
        Branches::new(
            PEOPLE,
            "UPDATE people SET age = 11, name = 'main' WHERE id = 1; UPDATE people SET age = 21 WHERE id = 2",
            "UPDATE people SET age = 12, email = 'topic' WHERE id = 1; DELETE FROM people WHERE id = 2",
        )
    };
    let conflicts = branches().conflicts();
    let texts = |conflict: &RowConflict| {
        [&conflict.key, &conflict.base, &conflict.source, &conflict.destination]
            .map(named)
            .map(Option::unwrap_or_default)
    };
    assert_eq!(conflicts.len(), 2);
    assert_eq!(conflicts[0].table, "people");
    assert_eq!(
        texts(&conflicts[0]),
        [
            "id=1",
            "id=1 name='a' age=10 email='a@x'",
            "id=1 name='a' age=12 email='topic'",
            "id=1 name='main' age=11 email='a@x'"
        ]
    );
    assert_eq!(
        texts(&conflicts[1]),
        ["id=2", "id=2 name='b' age=20 email='b@x'", "", "id=2 name='b' age=21 email='b@x'"]
    );
    for (strategy, first, second) in [
        (MergeStrategy::TakeSource, "1 'main' 12 'topic'", None),
        (MergeStrategy::TakeDestination, "1 'main' 11 'topic'", Some("2 'b' 21 'b@x'")),
        (
            // A resolver answers for the whole row.
            MergeStrategy::Resolve(&mut |conflict| {
                Ok(match conflict.source {
                    Some(_) => Resolution::Source,
                    None => Resolution::Value(conflict.destination.clone()),
                })
            }),
            "1 'a' 12 'topic'",
            Some("2 'b' 21 'b@x'"),
        ),
    ] {
        let branches = branches();
        branches.merge(strategy).unwrap();
        let expected: Vec<_> = [Some(first), second, Some("3 'c' 30 NULL")].into_iter().flatten().collect();
        assert_eq!(branches.rows(ALL), expected);
    }
}

#[test]
fn rows_of_tables_without_columns_merge_by_key_of_their_map() {
    let branches = Branches::new(
        "CREATE TABLE log; INSERT INTO log VALUES ('{\"a\": 1, \"b\": 1}');",
        "UPDATE log SET a = 2",
        "UPDATE log SET b = 3, c = 4",
    );
    branches.merge_cleanly();
    let rows = branches.rows("SELECT * FROM log");
    assert_eq!(rows, ["{\"a\": I64(2), \"b\": I64(3), \"c\": I64(4)}"]);
}

#[test]
fn columns_that_both_sides_add_are_all_there_in_the_order_of_their_names() {
    let branches = Branches::new(
        PEOPLE,
        "ALTER TABLE people ADD COLUMN z INT NULL DEFAULT 7; UPDATE people SET z = 8 WHERE id = 1; UPDATE people SET age = 99 WHERE id = 3",
        "ALTER TABLE people ADD COLUMN y TEXT NULL; UPDATE people SET y = 'why' WHERE id = 2 OR id = 1",
    );
    branches.merge_cleanly();
    assert_eq!(
        branches.rows(ALL),
        ["1 'a' 10 'a@x' 'why' 8", "2 'b' 20 'b@x' 'why' 7", "3 'c' 99 NULL NULL 7"]
    );
}

#[test]
fn a_column_that_both_sides_add_alike_is_one_column() {
    let add = "ALTER TABLE people ADD COLUMN z INT NULL UNIQUE; UPDATE people SET z =";
    let branches = Branches::new(PEOPLE, &format!("{add} 1 WHERE id = 1"), &format!("{add} 2 WHERE id = 2"));
    branches.merge_cleanly();
    assert_eq!(branches.rows("SELECT id, z FROM people ORDER BY id"), ["1 1", "2 2", "3 NULL"]);
}

#[test]
fn columns_are_dropped_and_renamed_under_changes() {
    let branches = Branches::new(
        PEOPLE,
        "ALTER TABLE people DROP COLUMN name; ALTER TABLE people RENAME COLUMN age TO years; INSERT INTO people VALUES (4, 40, 'd@x')",
        "UPDATE people SET name = 'gone', age = 21 WHERE id = 2; CREATE INDEX next ON people (age + 1);
         INSERT INTO people VALUES (5, 'e', 50, 'e@x')",
    );
    branches.merge_cleanly();
    assert_eq!(branches.rows(ALL), ["1 10 'a@x'", "2 21 'b@x'", "3 30 NULL", "4 40 'd@x'", "5 50 'e@x'"]);
    assert_eq!(branches.rows("SELECT id FROM people WHERE years = 21"), ["2"]);
    assert_eq!(branches.rows("SELECT id FROM people WHERE years + 1 = 41"), ["4"]);
}

#[test]
fn contradictions_say_what_they_are_and_are_settled_by_taking_a_table() {
    for (main, topic, reason) in [
        (
            "ALTER TABLE people ADD COLUMN z INT NULL",
            "ALTER TABLE people ADD COLUMN z TEXT NULL",
            "column \"z\" was added on both sides, with another type",
        ),
        (
            "ALTER TABLE people RENAME COLUMN name TO first",
            "ALTER TABLE people RENAME COLUMN name TO last",
            "both sides changed the name of column \"name\"",
        ),
        (
            "ALTER TABLE people RENAME COLUMN name TO z",
            "ALTER TABLE people ADD COLUMN z TEXT NULL",
            "two columns would be called \"z\"",
        ),
        (
            "ALTER TABLE people DROP COLUMN name",
            "ALTER TABLE people RENAME COLUMN name TO last",
            "column \"last\" was changed on one side and dropped on the other",
        ),
        (
            "CREATE INDEX i ON people (name)",
            "CREATE INDEX i ON people (age)",
            "index \"i\" is not the same on both sides",
        ),
        (
            "ALTER TABLE people DROP COLUMN name",
            "CREATE INDEX i ON people (name)",
            "index \"i\" is on column \"name\", which the other side dropped or renamed",
        ),
        (
            "DROP TABLE people; CREATE TABLE people (id INT, name TEXT PRIMARY KEY); INSERT INTO people VALUES (1, 'n')",
            "INSERT INTO people VALUES (4, 'd', 40, NULL)",
            "its primary key changed on one side, and rows on the other",
        ),
        (
            "DROP TABLE people; CREATE TABLE people (id INT PRIMARY KEY, name INT); INSERT INTO people VALUES (9, 9)",
            "INSERT INTO people VALUES (4, 'd', 40, NULL)",
            "the type of column \"name\" changed on one side, and rows on the other",
        ),
        (
            "DROP TABLE people; CREATE TABLE people (id INT PRIMARY KEY, name TEXT NOT NULL); INSERT INTO people VALUES (9, '9')",
            "INSERT INTO people VALUES (4, NULL, 40, NULL)",
            "column \"name\" became NOT NULL on one side, and rows changed on the other",
        ),
        (
            "ALTER TABLE people DROP COLUMN age; ALTER TABLE people ADD COLUMN age INT NULL UNIQUE",
            "INSERT INTO people VALUES (4, NULL, 40, NULL), (5, NULL, 40, NULL)",
            "column \"age\" became UNIQUE on one side, and rows changed on the other",
        ),
    ] {
        for is_source in [false, true] {
            let branches = Branches::new(PEOPLE, main, topic);
            let conflicts = branches.conflicts();
            assert_eq!(conflicts.len(), 1);
            assert_eq!((conflicts[0].reason.as_deref(), &conflicts[0].key), (Some(reason), &None));
            let taken = branches.store().at(if is_source { "topic" } else { "main" }).unwrap();
            branches
                .merge(if is_source { MergeStrategy::TakeSource } else { MergeStrategy::TakeDestination })
                .unwrap();
            let merged = branches.store().at("HEAD").unwrap();
            assert_eq!(merged.catalog().root_hash(), taken.catalog().root_hash(), "{main} {topic}");
        }
    }
}

#[test]
fn what_does_not_touch_rows_merges_with_what_does() {
    let branches = Branches::new(
        PEOPLE,
        "CREATE INDEX by_name ON people (name); DROP INDEX people.by_age",
        "INSERT INTO people VALUES (4, 'd', 40, 'd@x'); DELETE FROM people WHERE id = 1; UPDATE people SET age = 5 WHERE id = 2",
    );
    branches.merge_cleanly();
    assert_eq!(branches.rows("SELECT id FROM people WHERE name = 'd'"), ["4"]);
    // A table that one side makes anew merges, as long as the other left its rows alone.
    let branches = Branches::new(
        PEOPLE,
        "DROP TABLE people; CREATE TABLE people (id INT, name TEXT PRIMARY KEY); INSERT INTO people VALUES (1, 'n')",
        "CREATE TABLE other (id INT PRIMARY KEY)",
    );
    branches.merge_cleanly();
    assert_eq!(branches.rows(ALL), ["1 'n'"]);
}

#[test]
fn a_unique_value_that_both_sides_add_is_a_conflict_that_says_so() {
    let branches = || {
        Branches::new(
            PEOPLE,
            "INSERT INTO people VALUES (4, 'main', 40, 'same'); UPDATE people SET name = 'kept' WHERE id = 1",
            "UPDATE people SET email = 'same', age = 21 WHERE id = 2; INSERT INTO people VALUES (5, 'topic', 50, 'e@x')",
        )
    };
    let conflicts = branches().conflicts();
    assert_eq!(conflicts.len(), 1);
    assert_eq!(
        conflicts[0].reason.as_deref(),
        Some("column \"email\" is UNIQUE, and row 4 has the same value")
    );
    assert_eq!(named(&conflicts[0].key).unwrap(), "id=2");
    assert_eq!(named(&conflicts[0].source).unwrap(), "id=2 name='b' age=21 email='same'");
    for (strategy, second, fourth) in [
        (MergeStrategy::TakeSource, "2 'b' 21 'same'", None),
        (MergeStrategy::TakeDestination, "2 'b' 20 'b@x'", Some("4 'main' 40 'same'")),
        (MergeStrategy::Resolve(&mut |_| Ok(Resolution::Source)), "2 'b' 21 'same'", None),
    ] {
        let branches = branches();
        branches.merge(strategy).unwrap();
        let rows = [
            Some("1 'kept' 10 'a@x'"),
            Some(second),
            Some("3 'c' 30 NULL"),
            fourth,
            Some("5 'topic' 50 'e@x'"),
        ];
        assert_eq!(branches.rows(ALL), rows.into_iter().flatten().collect::<Vec<_>>());
    }
    // A value that does not help leaves the conflict.
    let branches = branches();
    let error = branches
        .merge(MergeStrategy::Resolve(&mut |conflict| Ok(Resolution::Value(conflict.source.clone()))))
        .unwrap_err();
    assert!(matches!(error, VersionError::MergeConflicts { conflicts } if conflicts.len() == 1));
}

#[test]
fn unique_values_may_be_swapped_and_moved() {
    let branches = Branches::new(
        PEOPLE,
        "UPDATE people SET age = 1 WHERE id = 3",
        "UPDATE people SET email = NULL WHERE id = 1; UPDATE people SET email = 'a@x' WHERE id = 2;
         UPDATE people SET email = 'b@x' WHERE id = 1",
    );
    branches.merge_cleanly();
    assert_eq!(branches.rows("SELECT id FROM people WHERE email = 'a@x'"), ["2"]);
}

const FAMILY: &str = "
    CREATE TABLE parent (id INT PRIMARY KEY, v INT NULL);
    CREATE TABLE child (id INT PRIMARY KEY, p INT NULL, v INT NULL, CONSTRAINT fk FOREIGN KEY (p) REFERENCES parent (id));
    INSERT INTO parent VALUES (1, 1), (2, 2), (3, 3);
    INSERT INTO child VALUES (10, 1, 0), (20, NULL, 0);
";

#[test]
fn a_row_that_refers_to_one_deleted_on_the_other_side_is_a_conflict_that_says_so() {
    let (delete, insert) = (
        "DELETE FROM parent WHERE id = 3",
        "INSERT INTO child VALUES (30, 3, 1); UPDATE child SET v = 5 WHERE id = 10",
    );
    for (main, topic) in [(delete, insert), (insert, delete)] {
        let conflicts = Branches::new(FAMILY, main, topic).conflicts();
        assert_eq!(conflicts.len(), 1, "{conflicts:?}");
        assert_eq!(conflicts[0].table, "child");
        assert_eq!(named(&conflicts[0].key).unwrap(), "id=30");
        let reason = "foreign key \"fk\" refers to row 3 of table \"parent\", which is not there";
        assert_eq!(conflicts[0].reason.as_deref(), Some(reason));
        for is_source in [false, true] {
            let branches = Branches::new(FAMILY, main, topic);
            branches
                .merge(if is_source { MergeStrategy::TakeSource } else { MergeStrategy::TakeDestination })
                .unwrap();
            let is_deleted = (main == delete) != is_source;
            let rows = branches.rows("SELECT id FROM child ORDER BY id");
            assert_eq!(rows, if is_deleted { vec!["10", "20"] } else { vec!["10", "20", "30"] });
            assert_eq!(branches.rows("SELECT id FROM parent WHERE id = 3").is_empty(), is_deleted);
            assert_eq!(branches.rows("SELECT v FROM child WHERE id = 10"), ["5"]);
        }
    }
}

#[test]
fn a_table_that_is_dropped_under_a_new_reference_is_a_conflict_that_says_so() {
    let base = "CREATE TABLE parent (id INT PRIMARY KEY); INSERT INTO parent VALUES (1)";
    let refer = "CREATE TABLE child (id INT PRIMARY KEY, p INT NULL, CONSTRAINT fk FOREIGN KEY (p) REFERENCES parent (id))";
    let reason =
        "foreign key \"fk\" refers to column \"id\" of table \"parent\", which is not there as a primary key";
    assert_eq!(Branches::new(base, "DROP TABLE parent", refer).reasons(), [reason]);
    assert_eq!(Branches::new(base, refer, "DROP TABLE parent").reasons(), [reason]);
}

#[test]
fn tables_that_one_side_drops_take_their_indexes_along() {
    let branches = Branches::new(PEOPLE, "DROP TABLE people", "CREATE TABLE other (id INT PRIMARY KEY)");
    branches.merge_cleanly();
    let branches =
        || Branches::new(PEOPLE, "DROP TABLE people", "INSERT INTO people VALUES (4, 'd', 40, 'd@x')");
    let conflicts = branches().conflicts();
    assert_eq!((conflicts.len(), &conflicts[0].key), (1, &None));
    branches().merge(MergeStrategy::TakeSource).unwrap();
    branches().merge(MergeStrategy::TakeDestination).unwrap();
}

#[test]
fn tables_that_both_sides_make_merge() {
    let make =
        "CREATE TABLE t (id INT PRIMARY KEY, v INT NULL); CREATE INDEX i ON t (v); INSERT INTO t VALUES";
    let branches = Branches::new("", &format!("{make} (1, 1), (2, 2)"), &format!("{make} (1, 1), (3, 3)"));
    branches.merge_cleanly();
    assert_eq!(branches.rows("SELECT * FROM t WHERE v > 0 ORDER BY id"), ["1 1", "2 2", "3 3"]);
    let branches = Branches::new("", &format!("{make} (1, 1)"), &format!("{make} (1, 2)"));
    assert_eq!(branches.conflicts().len(), 1);
}

#[test]
fn rows_without_a_key_that_both_sides_insert_are_all_there() {
    let branches = Branches::new(
        "CREATE TABLE log (text TEXT); INSERT INTO log VALUES ('a')",
        "INSERT INTO log VALUES ('m')",
        "INSERT INTO log VALUES ('t')",
    );
    branches.merge_cleanly();
    assert_eq!(branches.rows("SELECT text FROM log ORDER BY text"), ["'a'", "'m'", "'t'"]);
}

#[test]
fn criss_cross_merges_have_a_base_too() {
    let branches = Branches::new(
        PEOPLE,
        "UPDATE people SET age = 11 WHERE id = 1",
        "UPDATE people SET age = 12 WHERE id = 1; UPDATE people SET name = 'B' WHERE id = 2",
    );
    let store = branches.store();
    store.create_branch("main1", None).unwrap();
    store.checkout("main", false).unwrap();
    branches.merge(MergeStrategy::TakeDestination).unwrap();
    store.checkout("topic", false).unwrap();
    store
        .merge("main1", MergeOptions { strategy: MergeStrategy::TakeDestination, ..MergeOptions::default() })
        .unwrap();
    branches.on("topic", "UPDATE people SET name = 'C' WHERE id = 3");
    branches.on("main", "INSERT INTO people VALUES (4, 'd', 40, 'd@x')");
    branches.merge(MergeStrategy::TakeSource).unwrap();
    assert_eq!(branches.rows(ALL), ["1 'a' 12 'a@x'", "2 'B' 20 'b@x'", "3 'C' 30 NULL", "4 'd' 40 'd@x'"]);
}

/// Stages something on `main` and merges `topic` under it.
fn merge_under(base: &str, staged: &str, topic: &str) -> (Branches, prolly_version::Result<()>) {
    let branches = Branches::new(base, "", topic);
    branches.run(staged);
    let merged = branches.store().merge("topic", MergeOptions::default()).map(|_| ());
    verify(&branches.store().catalog().unwrap());
    (branches, merged)
}

#[test]
fn staged_rows_are_carried_as_rows() {
    let insert = "INSERT INTO people VALUES (4, 'd', 40, 'd@x'); UPDATE people SET age = 11 WHERE id = 1";
    let (branches, merged) = merge_under(
        PEOPLE,
        &format!("{insert}; ALTER TABLE people ADD COLUMN z INT NULL DEFAULT 9"),
        "CREATE INDEX by_name ON people (name); ALTER TABLE people ADD COLUMN y INT NULL; UPDATE people SET y = 1, name = 'A' WHERE id = 1",
    );
    merged.unwrap();
    assert_eq!(branches.rows("SELECT id FROM people WHERE name = 'd'"), ["4"]);
    assert_eq!(branches.rows("SELECT * FROM people WHERE id < 2"), ["1 'A' 11 'a@x' 1 9"]);
    assert_eq!(branches.rows("SELECT age, y, z FROM people WHERE id = 4"), ["40 NULL 9"]);
    // What was staged is staged still, and can be dropped.
    branches.store().discard().unwrap();
    assert!(branches.rows("SELECT id FROM people WHERE name = 'd'").is_empty());
    // And the other way round: an index that is staged gets the rows that are merged.
    let (branches, merged) = merge_under(PEOPLE, "CREATE INDEX by_name ON people (name)", insert);
    merged.unwrap();
    assert_eq!(branches.rows("SELECT id FROM people WHERE name = 'd'"), ["4"]);
    branches.store().commit("index").unwrap();
    verify(branches.store().at("HEAD").unwrap().catalog());
}

#[test]
fn staged_rows_stand_in_the_way_of_what_contradicts_them() {
    let in_the_way = |base: &str, staged: &str, topic: &str| match merge_under(base, staged, topic).1 {
        Err(VersionError::StagedConflict { keys, .. }) => {
            keys.iter().map(ToString::to_string).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    let parent = in_the_way(FAMILY, "INSERT INTO child VALUES (30, 3, 1)", "DELETE FROM parent WHERE id = 3");
    assert_eq!(parent, ["\" N\" of table \"child\""]);
    let child = in_the_way(FAMILY, "DELETE FROM parent WHERE id = 3", "INSERT INTO child VALUES (30, 3, 1)");
    assert_eq!(child, parent);
    let row = "UPDATE people SET age = 1 WHERE id = 2";
    assert_eq!(in_the_way(PEOPLE, row, "DELETE FROM people WHERE id = 2"), ["\" 2\" of table \"people\""]);
    assert_eq!(in_the_way(PEOPLE, row, "DROP TABLE people"), ["the table \"people\""]);
    let same = "UPDATE people SET email = 'same' WHERE id =";
    assert_eq!(
        in_the_way(PEOPLE, &format!("{same} 1"), &format!("{same} 2")),
        ["\" 1\" of table \"people\""]
    );
}

#[test]
fn a_revert_takes_indexes_along() {
    let branches = Branches::new(
        PEOPLE,
        "UPDATE people SET email = 'new', age = 11 WHERE id = 1; DELETE FROM people WHERE id = 2",
        "",
    );
    let before = branches.store().at("HEAD~1").unwrap().catalog().root_hash();
    branches.store().revert("HEAD", None, None, MergeStrategy::Refuse).unwrap();
    assert_eq!(branches.store().at("HEAD").unwrap().catalog().root_hash(), before);
    // What was given away meanwhile cannot be taken back.
    branches.on("main", "UPDATE people SET email = 'other' WHERE id = 1");
    branches.on("main", "INSERT INTO people VALUES (9, 'i', 90, 'a@x')");
    let error = branches.store().revert("HEAD~1", None, None, MergeStrategy::Refuse).unwrap_err();
    let VersionError::MergeConflicts { conflicts } = error else { panic!("{error}") };
    let reason = "column \"email\" is UNIQUE, and row 9 has the same value";
    assert_eq!(
        conflicts.iter().map(|conflict| conflict.reason.as_deref()).collect::<Vec<_>>(),
        [Some(reason)]
    );
}

#[test]
fn what_is_merged_is_there_when_the_store_is_opened_again() {
    let kinds = [BackendKind::File, BackendKind::Redb, BackendKind::Git];
    for kind in kinds.into_iter().filter(|kind| cfg!(feature = "git") || *kind != BackendKind::Git) {
        let dir = tempfile::tempdir().unwrap();
        let open = || Store::open(dir.path(), Options::new(kind)).unwrap();
        let branches = Branches::on_store(
            open(),
            &format!("{PEOPLE} {FAMILY}"),
            "ALTER TABLE people ADD COLUMN z INT NULL UNIQUE; UPDATE people SET z = id; DELETE FROM child WHERE id = 10",
            "ALTER TABLE people ADD COLUMN y TEXT NULL; INSERT INTO people VALUES (4, 'd', 40, 'd@x', 'y'); CREATE INDEX i ON people (y);
             DELETE FROM parent WHERE id = 2",
        );
        branches.run("INSERT INTO child VALUES (40, 3, 4); UPDATE people SET name = 'staged' WHERE id = 3");
        branches.store().merge("topic", MergeOptions::default()).unwrap();
        let merged = branches.store().at("HEAD").unwrap().catalog().root_hash();
        let staged = branches.store().catalog().unwrap().root_hash();
        drop(branches);
        let store = open();
        assert_eq!(store.at("HEAD").unwrap().catalog().root_hash(), merged);
        verify(store.at("HEAD").unwrap().catalog());
        assert_eq!(store.catalog().unwrap().root_hash(), staged);
        verify(&store.catalog().unwrap());
        store.collect_garbage().unwrap();
        verify(&store.catalog().unwrap());
        store.commit("staged").unwrap();
        drop(store);
        verify(open().at("HEAD").unwrap().catalog());
    }
}

#[test]
fn what_a_resolver_gives_has_to_be_the_row() {
    let (main, topic) =
        ("UPDATE people SET age = 11 WHERE id = 1", "UPDATE people SET age = 12 WHERE id = 1");
    let give = |row: Vec<Value>| {
        // As rows are stored: a version, then values.
        let mut stored = vec![1];
        row.iter().for_each(|value| encode_value(&mut stored, value).unwrap());
        let branches = Branches::new(PEOPLE, main, topic);
        branches
            .merge(MergeStrategy::Resolve(&mut |_| Ok(Resolution::Value(Some(stored.clone())))))
            .map(|()| branches.rows(ALL))
    };
    let text = |text: &str| Value::Str(text.to_owned());
    let rows = give(vec![Value::I64(1), text("given")]).unwrap();
    assert_eq!(rows[0], "1 'given' NULL NULL");
    for (row, reason) in [
        (vec![Value::I64(2), text("given")], "a conflict of another key"),
        (vec![Value::I64(1), Value::I64(1)], "incompatible data type"),
        (vec![Value::Null, text("given")], "NULL"),
        (vec![Value::I64(1); 5], "more values"),
    ] {
        let error = give(row).unwrap_err();
        assert!(matches!(&error, VersionError::CannotMerge { .. }), "{error}");
        assert!(error.to_string().to_lowercase().contains(&reason.to_lowercase()), "{error}");
    }
}
