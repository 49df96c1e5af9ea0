//! Refs: compare-and-swap, all or none, in order.

use super::{Place, assert_has, assert_lacks, edit, object, publish};
use crate::{Error, Expected, MAX_REF_NAME_BYTES, MAX_REF_VALUE_BYTES, RefEdit};

/// An edit is made exactly when the ref holds what it expected.
pub fn refs_change_by_compare_and_swap(place: &dyn Place) {
    let store = place.open();
    let value = |bytes: &[u8]| Expected::Value(bytes.to_vec());
    // (expected, new, whether it is made); the ref begins absent.
    let steps: [(Expected, Option<&[u8]>, bool); 12] = [
        (value(b"1"), Some(b"2"), false),
        (value(b""), Some(b"2"), false),
        (Expected::Absent, Some(b"1"), true),
        (Expected::Absent, Some(b"1"), false),
        (value(b"2"), Some(b"3"), false),
        (value(b"1"), Some(b"2"), true),
        (Expected::Any, Some(b""), true),
        (Expected::Absent, Some(b"9"), false),
        (value(b"1"), None, false),
        (value(b""), None, true),
        (Expected::Any, None, true),
        (Expected::Absent, None, true),
    ];
    let mut held: Option<Vec<u8>> = None;
    for (expected, new, made) in steps {
        let result = store.edit_refs(&[edit("refs/heads/main", expected.clone(), new)]);
        if made {
            result.unwrap();
            held = new.map(<[u8]>::to_vec);
        } else {
            let moved = result.unwrap_err();
            let as_described = matches!(&moved, Error::RefMoved { name, expected: wanted, found }
                if name == "refs/heads/main" && *wanted == expected && *found == held);
            assert!(as_described, "{moved}");
        }
        assert_eq!(store.read_ref("refs/heads/main").unwrap(), held);
    }
}

/// When one edit of several cannot be made, none is, and no object is published.
pub fn a_failed_edit_changes_nothing(place: &dyn Place) {
    let store = place.open();
    publish(&*store, &[], &[edit("b", Expected::Absent, Some(b"old"))]);
    let new = object(1, 5_000);
    let edits = [
        edit("a", Expected::Absent, Some(b"new")),
        edit("b", Expected::Absent, Some(b"new")),
        edit("c", Expected::Any, Some(b"new")),
    ];
    let mut transaction = store.begin().unwrap();
    transaction.put(&new.0, &new.1).unwrap();
    let error = transaction.commit(&edits).unwrap_err();
    assert!(matches!(&error, Error::RefMoved { name, .. } if name == "b"), "{error}");
    assert_lacks(&*store, std::slice::from_ref(&new));
    assert_eq!(store.refs("").unwrap(), [("b".to_owned(), b"old".to_vec())]);

    let edits =
        [edit("a", Expected::Absent, Some(b"new")), edit("b", Expected::Value(b"old".to_vec()), None)];
    publish(&*store, std::slice::from_ref(&new), &edits);
    assert_has(&*store, &[new]);
    assert_eq!(store.refs("").unwrap(), [("a".to_owned(), b"new".to_vec())]);
}

/// Names and values beyond the bounds, and two edits of one ref, are refused by name.
pub fn invalid_edits_are_refused(place: &dyn Place) {
    let store = place.open();
    let long_name = "n".repeat(MAX_REF_NAME_BYTES + 1);
    let long_value = vec![0; MAX_REF_VALUE_BYTES + 1];
    let invalid: [&[RefEdit]; 6] = [
        &[edit("", Expected::Any, Some(b"x"))],
        &[edit(&long_name, Expected::Any, Some(b"x"))],
        &[edit("line\nbreak", Expected::Any, Some(b"x"))],
        &[edit("nul\0", Expected::Any, Some(b"x"))],
        &[edit("fine", Expected::Any, Some(b"x")), edit("long", Expected::Any, Some(&long_value))],
        &[edit("twice", Expected::Any, Some(b"x")), edit("twice", Expected::Any, None)],
    ];
    for edits in invalid {
        let error = store.edit_refs(edits).unwrap_err();
        let last = &edits[edits.len() - 1].name;
        assert!(matches!(&error, Error::InvalidRef { name, .. } if name == last), "{error}");
        assert_eq!(store.refs("").unwrap(), []);
        assert_eq!(store.read_ref(last).unwrap(), None);
    }
}

/// Refs are listed by prefix, in byte order.
pub fn refs_are_listed_in_order(place: &dyn Place) {
    let store = place.open();
    let mut names = [
        "a",
        "a/b",
        "a.b",
        "a/b/c",
        "ab",
        "B",
        "refs/heads/z",
        "refs/heads/é",
        "refs/tags/v1",
        "ÿ",
        "\u{10ffff}",
    ];
    let edits: Vec<_> =
        names.iter().map(|name| edit(name, Expected::Absent, Some(name.as_bytes()))).collect();
    store.edit_refs(&edits).unwrap();
    names.sort_unstable();
    for prefix in ["", "a", "a/", "refs/", "refs/heads/", "é", "nothing", "\u{10ffff}"] {
        let listed = store.refs(prefix).unwrap();
        let expected: Vec<_> = names
            .iter()
            .filter(|name| name.starts_with(prefix))
            .map(|name| ((*name).to_owned(), name.as_bytes().to_vec()))
            .collect();
        assert_eq!(listed, expected, "{prefix:?}");
    }
}

/// Every name and value within the bounds comes back as it was.
pub fn odd_names_and_values_survive(place: &dyn Place) {
    let longest = "é".repeat(MAX_REF_NAME_BYTES / 2);
    let names =
        ["..", "/", "//", "a b", " ", "%2F", "con", "a:b", "\\", "refs/heads/ü", "HEAD", "head", &longest];
    let values = [vec![], vec![0], vec![0xff; MAX_REF_VALUE_BYTES], b"text\nwith lines\n".to_vec()];
    let value = |index: usize| values[index % values.len()].clone();
    let edits: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(index, name)| edit(name, Expected::Absent, Some(&value(index))))
        .collect();
    place.open().edit_refs(&edits).unwrap();
    let store = place.open();
    for (index, name) in names.iter().enumerate() {
        assert_eq!(store.read_ref(name).unwrap(), Some(value(index)), "{name:?}");
    }
    assert_eq!(store.refs("").unwrap().len(), names.len());
}
