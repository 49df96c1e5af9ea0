//! Tables from schemas and back, and what rows have in indexes.

use gluesql_core::data::{Schema, SchemaIndex, Value};

use super::*;
use crate::{key::encode_values, testing::table};

const PEOPLE: &str = "
    CREATE TABLE people (id INT PRIMARY KEY, email TEXT NULL UNIQUE, age INT NULL, boss INT NULL,
        FOREIGN KEY (boss) REFERENCES people (id));
    CREATE INDEX by_age ON people (age);
    CREATE INDEX next_age ON people (age + 1);
";

fn schema(sql: &str) -> Schema {
    Schema::from_ddl(sql).unwrap()
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn schemas_come_back_but_for_the_clock() {
    let schema = schema(PEOPLE);
    let back = Table::from_schema(&schema, None).unwrap().to_schema();
    let created = DateTime::UNIX_EPOCH.naive_utc();
    let indexes = schema.indexes.into_iter().map(|index| SchemaIndex { created, ..index }).collect();
    assert_eq!(back, Schema { indexes, ..schema });
}

#[test]
fn keys_of_several_columns_are_checked() {
    let key = |sql: &str, columns: &[&str]| Table::from_schema(&schema(sql), Some(&names(columns)));
    let two = "CREATE TABLE t (a INT NULL, b TEXT NULL, c LIST NULL);";
    let table = key(two, &["b", "a"]).unwrap();
    assert_eq!(table.key, PrimaryKey::Columns(vec![1, 0]));
    let nullable: Vec<_> = table.columns.unwrap().iter().map(|column| column.def.nullable).collect();
    assert_eq!(nullable, [false, false, true]);
    assert_eq!(key(two, &[]).unwrap().key, PrimaryKey::RowId);
    for (sql, columns, expected) in [
        (two, &["a", "x"][..], "\"x\", which is not there"),
        (two, &["a", "a"], "\"a\" twice"),
        (two, &["a", "c"], "\"c\" of the primary key is LIST"),
        ("CREATE TABLE t (a INT PRIMARY KEY, b INT);", &["a", "b"], "\"a\" is a second primary key"),
        ("CREATE TABLE t (a INT PRIMARY KEY, b INT PRIMARY KEY);", &[], "\"b\" is a second primary key"),
    ] {
        let error = key(sql, columns).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn ids_of_columns_are_what_their_first_names_say() {
    let table = table("CREATE TABLE t (a INT, b INT);");
    let mut columns = table.columns.unwrap();
    assert_eq!(columns[0].id, short_hash(b"a"));
    assert_eq!(Column::new_id("c", &columns), short_hash(b"c"));
    columns[0].def.name = "renamed".to_owned();
    assert_eq!(Column::new_id("a", &columns), short_hash(b"a") + 1);
}

#[test]
fn trees_of_indexes_are_named_by_what_they_index() {
    let table = table(PEOPLE);
    let trees: Vec<_> = table.indexes.iter().map(|index| table.index_tree(index).name().to_vec()).collect();
    let column = |name: &str| short_hash(name.as_bytes()).to_be_bytes();
    let expected = [
        [b"people\0u".as_slice(), &column("email")].concat(),
        [b"people\0rpeople\0".as_slice(), &column("boss")].concat(),
        b"people\0iby_age".to_vec(),
        b"people\0inext_age".to_vec(),
    ];
    assert_eq!(trees, expected);
    for (index, is_referencing) in table.indexes.iter().zip([false, true, false, false]) {
        let tree = table.index_tree(index);
        assert_eq!(Table::indexed_table(&tree), Some("people"));
        assert_eq!(Table::referencing_child("people", &tree), is_referencing.then_some("people"));
        assert_eq!(Table::referencing_child("peopl", &tree), None);
    }
    for name in [&b""[..], b"t", b"t\0", b"t\0x", b"t\0u1234567", b"p\0rc\x001234567", b"p\0rc"] {
        assert_eq!(Table::indexed_table(&TreeKey::new(TreeKind::TABLE_INDEX, name)), None, "{name:?}");
    }
}

#[test]
fn rows_have_entries_in_indexes() {
    let table = table(PEOPLE);
    let entries = |row: &[Value]| -> Vec<_> {
        let key = encode_values([&row[0]]).unwrap();
        table.indexes.iter().map(|index| table.index_entry(index, row, &key).unwrap()).collect()
    };
    let bytes = |values: &[Value]| encode_values(values).unwrap();
    let (id, email) = (Value::I64(7), Value::Str("a@b".to_owned()));
    let row = [id.clone(), email.clone(), Value::I64(41), Value::I64(3)];
    let expected = [
        Some((bytes(&[email]), bytes(std::slice::from_ref(&id)))),
        Some((bytes(&[Value::I64(3), id.clone()]), vec![])),
        Some((bytes(&[Value::I64(41), id.clone()]), vec![])),
        Some((bytes(&[Value::I64(42), id.clone()]), vec![])),
    ];
    assert_eq!(entries(&row), expected);
    // NULL is in no constraint, but in the indexes that queries are ordered by.
    let row = [id.clone(), Value::Null, Value::Null, Value::Null];
    let null = Some((bytes(&[Value::Null, id]), vec![]));
    assert_eq!(entries(&row), [None, None, null.clone(), null]);
}

#[test]
fn what_has_no_order_is_in_no_index() {
    let table = table("CREATE TABLE t (a LIST); CREATE INDEX i ON t (a);");
    let error = table.index_entry(&table.indexes[0], &[Value::List(vec![])], b"k").unwrap_err();
    assert!(error.to_string().contains("LIST"), "{error}");
}
