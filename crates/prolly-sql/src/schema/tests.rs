//! Tables come back from their metadata, and damage to it is an error.

use gluesql_core::data::Value;
use proptest::prelude::*;

use crate::{
    Error,
    table::{PrimaryKey, Table},
    testing::{any_value, table},
};

const FULL: &str = r#"
CREATE TABLE "it's" (
    id INT PRIMARY KEY,
    "na""me" TEXT NOT NULL UNIQUE DEFAULT 'it''s' COMMENT 'wh"y',
    parent INT8 NULL DEFAULT -1,
    made TIMESTAMP DEFAULT NOW(),
    m MAP, l LIST, p POINT, u UUID, b BYTEA, d DECIMAL, i INTERVAL, f FLOAT32,
    CONSTRAINT fk FOREIGN KEY (parent) REFERENCES other (id)
) ENGINE = e COMMENT = 'c';
CREATE INDEX "by parent" ON "it's" (parent + 1);
CREATE INDEX desc_index ON "it's" ("na""me" ASC);
"#;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn tables_come_back() {
    for sql in [FULL, "CREATE TABLE t;", "CREATE TABLE t (a INT);"] {
        let table = table(sql);
        let encoded = table.encode().unwrap();
        let decoded = Table::decode(&table.name, &encoded).unwrap();
        assert_eq!(decoded, table);
        assert_eq!(decoded.encode().unwrap(), encoded);
    }
}

#[test]
fn metadata_are_pinned() {
    let table =
        table("CREATE TABLE t (id INT PRIMARY KEY, v TEXT NULL DEFAULT 'x'); CREATE INDEX i ON t (v);");
    let id = |name: &str| {
        let mut number =
            u64::from_be_bytes(blake3::hash(name.as_bytes()).as_bytes()[..8].try_into().unwrap());
        let mut bytes = Vec::new();
        while number >= 128 {
            bytes.push(number as u8 | 128);
            number >>= 7;
        }
        bytes.push(number as u8);
        hex(&bytes)
    };
    let expected = [
        "01",   // version
        "0102", // two columns
        &id("id"),
        "026964",
        "04",
        "00",
        "02",
        "00",
        "00",
        "0100", // INT, not nullable, PRIMARY KEY, fill of one byte: NULL
        &id("v"),
        "0176",
        "0d",
        "01",
        "00",
        "0103277827",
        "00",
        "0100",   // TEXT, nullable, default 'x'
        "010100", // a key of one column, the first
        "01",
        "0169",
        "02",
        "03227622", // an index i in both orders: "v"
        "00",
        "00",
        "00", // no foreign keys, engine, comment
    ];
    assert_eq!(hex(&table.encode().unwrap()), expected.concat());
}

#[test]
fn truncated_and_longer_metadata_are_damage() {
    let encoded = table(FULL).encode().unwrap();
    for len in 0..encoded.len() {
        let error = Table::decode("it's", &encoded[..len]).unwrap_err();
        assert!(matches!(&error, Error::Damaged { what, .. } if what.contains("it's")), "{len}: {error}");
    }
    assert!(Table::decode("t", &[&encoded[..], &[0]].concat()).unwrap_err().to_string().contains("follow"));
    let newer = [&[2], &encoded[1..]].concat();
    assert!(Table::decode("t", &newer).unwrap_err().to_string().contains("version is 2"));
}

#[test]
fn what_contradicts_itself_is_damage() {
    let table = table("CREATE TABLE t (a INT PRIMARY KEY, b INT);");
    let with = |change: &dyn Fn(&mut Table)| {
        let mut table = table.clone();
        change(&mut table);
        Table::decode("t", &table.encode().unwrap()).unwrap_err().to_string()
    };
    let same = |table: &mut Table, of: &dyn Fn(&mut crate::table::Column, &crate::table::Column)| {
        let columns = table.columns.as_mut().unwrap();
        let (first, rest) = columns.split_at_mut(1);
        of(&mut rest[0], &first[0]);
    };
    assert!(with(&|table| same(table, &|b, a| b.id = a.id)).contains("the same"));
    assert!(with(&|table| same(table, &|b, a| b.def.name.clone_from(&a.def.name))).contains("the same"));
    for key in [vec![2], vec![0, 0], vec![]] {
        assert!(with(&|table| table.key = PrimaryKey::Columns(key.clone())).contains("primary key"));
    }
}

proptest! {
    #[test]
    fn fills_come_back(fill in any_value()) {
        let mut table = table("CREATE TABLE t (a INT, b INT);");
        table.columns.as_mut().unwrap()[1].fill = fill.clone();
        let decoded = Table::decode("t", &table.encode().unwrap()).unwrap();
        let back: &Value = &decoded.columns.as_ref().unwrap()[1].fill;
        prop_assert_eq!(format!("{:?}", back).replace("-NaN", "NaN"), format!("{fill:?}").replace("-NaN", "NaN"));
    }

    #[test]
    fn flipped_metadata_do_not_panic(place in any::<prop::sample::Index>(), flip in 1..=255u8) {
        let mut encoded = table(FULL).encode().unwrap();
        let place = place.index(encoded.len());
        encoded[place] ^= flip;
        if let Ok(table) = Table::decode("t", &encoded) {
            // A flip may give another table, which is one that can be stored.
            prop_assert_eq!(Table::decode("t", &table.encode().unwrap()).unwrap(), table);
        }
    }
}
