//! Whatever two branches do, what is merged is consistent, and merging is symmetric.

use proptest::{collection::vec, prelude::*};

use super::*;

/// Statements over few tables, columns and values, so that they often meet. Some fail, and then change nothing.
fn statement() -> BoxedStrategy<String> {
    let column = || prop::sample::select(vec!["a", "b", "c", "d"]);
    let kind =
        || prop::sample::select(vec!["INT NULL", "TEXT NULL", "INT NULL UNIQUE", "INT NULL DEFAULT 3"]);
    prop_oneof![
        6 => (0..12, 0..6, 0..9).prop_map(|(id, a, b)| format!("INSERT INTO t (id, a, b) VALUES ({id}, {a}, {b})")),
        6 => (0..12, column(), 0..9).prop_map(|(id, column, v)| format!("UPDATE t SET {column} = {v} WHERE id = {id}")),
        2 => (0..12, 0..9).prop_map(|(id, v)| format!("UPDATE t SET a = {v}, b = {v} WHERE id > {id}")),
        3 => (0..12).prop_map(|id| format!("DELETE FROM t WHERE id = {id}")),
        4 => (0..9, 0..12).prop_map(|(id, t)| format!("INSERT INTO child VALUES ({id}, {t})")),
        2 => (0..9, 0..12).prop_map(|(id, t)| format!("UPDATE child SET t = {t} WHERE id = {id}")),
        2 => (0..9).prop_map(|id| format!("DELETE FROM child WHERE id = {id}")),
        1 => (column(), kind()).prop_map(|(column, kind)| format!("ALTER TABLE t ADD COLUMN {column} {kind}")),
        1 => column().prop_map(|column| format!("ALTER TABLE t DROP COLUMN {column}")),
        1 => (column(), column()).prop_map(|(a, b)| format!("ALTER TABLE t RENAME COLUMN {a} TO {b}")),
        1 => column().prop_map(|column| format!("CREATE INDEX i_{column} ON t ({column})")),
        1 => column().prop_map(|column| format!("CREATE INDEX i ON t ({column})")),
        1 => column().prop_map(|column| format!("DROP INDEX t.i_{column}")),
        1 => Just("CREATE TABLE other (id INT PRIMARY KEY, t INT NULL, FOREIGN KEY (t) REFERENCES t (id))".to_owned()),
        1 => (0..3, 0..12).prop_map(|(id, t)| format!("INSERT INTO other VALUES ({id}, {t})")),
        1 => Just("DROP TABLE child".to_owned()),
        3 => (0..4, 0..4, 0..9).prop_map(|(a, b, v)| format!("INSERT INTO pair (a, b, v) VALUES ({a}, {b}, {v})")),
        2 => (0..4, 0..4, 0..9).prop_map(|(a, b, v)| format!("UPDATE pair SET v = {v}, b = {b} WHERE a = {a}")),
        1 => (0..4).prop_map(|b| format!("DELETE FROM pair WHERE b = {b}")),
        1 => kind().prop_map(|kind| format!("ALTER TABLE pair ADD COLUMN w {kind}")),
        2 => (0..9, 0..9).prop_map(|(v, w)| format!("INSERT INTO bag VALUES ({v}, '{w}')")),
        2 => (0..9, 0..9).prop_map(|(v, w)| format!("UPDATE bag SET w = '{w}' WHERE v > {v}")),
        1 => (0..9).prop_map(|v| format!("DELETE FROM bag WHERE v = {v}")),
        2 => (0..9, column()).prop_map(|(v, key)| format!("INSERT INTO free VALUES ('{{\"{key}\": {v}}}')")),
        1 => (0..9, column()).prop_map(|(v, key)| format!("UPDATE free SET {key} = {v}")),
    ]
    .boxed()
}

fn try_all(branches: &Branches, branch: &str, statements: &[String]) {
    branches.store().checkout(branch, false).unwrap();
    stage_all(branches, statements);
    branches.store().commit(branch).unwrap();
    verify(branches.store().at("HEAD").unwrap().catalog());
}

/// Runs statements, of which some may be refused.
fn stage_all(branches: &Branches, statements: &[String]) {
    let mut connection = branches.connect();
    for sql in statements {
        match connection.execute(sql, &[]) {
            Ok(_) => {}
            Err(error) => assert!(
                !matches!(error, crate::Error::Damaged { .. } | crate::Error::Version(_)),
                "{sql}: {error}"
            ),
        }
    }
}

const BASE: &str = r#"
    CREATE TABLE t (id INT PRIMARY KEY, a INT NULL UNIQUE, b INT NULL);
    CREATE TABLE child (id INT PRIMARY KEY, t INT NULL, FOREIGN KEY (t) REFERENCES t (id));
    CREATE INDEX i_b ON t (b);
    CREATE TABLE pair (a INT, b INT, v INT NULL, PRIMARY KEY (a, b));
    CREATE INDEX i_v ON pair (v);
    CREATE TABLE bag (v INT NULL, w TEXT NULL);
    CREATE INDEX i_w ON bag (w);
    CREATE TABLE free;
    INSERT INTO pair VALUES (1, 1, 1), (1, 2, 2);
    INSERT INTO bag VALUES (1, 'a'), (5, 'b');
    INSERT INTO free VALUES ('{"a": 1}');
    INSERT INTO t VALUES (1, 1, 1), (2, 2, 2), (3, NULL, 3), (5, NULL, 5);
    INSERT INTO child VALUES (1, 1), (2, NULL);
"#;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn merges_are_consistent_and_symmetric(
        before in vec(statement(), 0..4), main in vec(statement(), 1..10), topic in vec(statement(), 1..10),
    ) {
        let branches = Branches::new(BASE, "", "");
        let store = branches.store();
        try_all(&branches, "main", &before);
        store.create_branch("left", None).unwrap();
        store.create_branch("right", None).unwrap();
        try_all(&branches, "left", &main);
        try_all(&branches, "right", &topic);
        let mut roots = Vec::new();
        for (ours, theirs) in [("left", "right"), ("right", "left")] {
            for (place, strategy) in
                [MergeStrategy::Refuse, MergeStrategy::TakeSource, MergeStrategy::TakeDestination].into_iter().enumerate()
            {
                let name = format!("{ours}{place}");
                store.create_branch(&name, Some(ours)).unwrap();
                store.checkout(&name, false).unwrap();
                match store.merge(theirs, MergeOptions { strategy, ..MergeOptions::default() }) {
                    Ok(_) => {
                        let merged = store.at("HEAD").unwrap().catalog().clone();
                        verify(&merged);
                        if place == 0 {
                            roots.push(Some(merged.root_hash()));
                        }
                    }
                    Err(VersionError::MergeConflicts { conflicts }) => {
                        // A foreign key to a table that is gone is left to the user.
                        prop_assert!(place == 0 || conflicts.iter().all(|conflict| conflict.key.is_none()), "{:?}", conflicts);
                        if place == 0 {
                            roots.push(None);
                        }
                    }
                    Err(error) => prop_assert!(false, "{}", error),
                }
            }
        }
        prop_assert_eq!(roots[0], roots[1]);
        // What is staged while a merge is made comes to the same as what is committed before it.
        store.create_branch("staged", Some("main")).unwrap();
        stage_all(&branches, &main);
        match store.merge("right", MergeOptions::default()) {
            Ok(_) => {
                let working = store.catalog().unwrap();
                verify(&working);
                prop_assert_eq!(Some(working.root_hash()), roots[0]);
            }
            Err(VersionError::StagedConflict { .. }) => prop_assert_eq!(roots[0], None),
            Err(error) => prop_assert!(false, "{}", error),
        }
    }
}

/// A hundred, or as many as `PROPTEST_CASES` says.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(100)
}
