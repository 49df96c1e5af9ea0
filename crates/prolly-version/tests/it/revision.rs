//! Every form of a revision, against a small history with a merge.

use prolly_version::{CommitGraph, CommitId, Error, Expected, Head, RefEdit, resolve};

use crate::support::{commit, memory_graph};

#[test]
fn every_form_resolves() {
    let graph = memory_graph();
    let on = |name: &'static str, expected| Some((name, expected));
    let a = commit(&*graph, &[], 1, "a", on("refs/heads/main", Expected::Absent)).unwrap();
    let b = commit(&*graph, &[a], 2, "b", on("refs/heads/main", Expected::Commit(a))).unwrap();
    let side = commit(&*graph, &[a], 3, "side", on("refs/heads/topic/side", Expected::Absent)).unwrap();
    let merge = commit(&*graph, &[b, side], 4, "merge", on("refs/heads/main", Expected::Commit(b))).unwrap();
    let set = |name: &str, id| RefEdit {
        name: name.to_owned(),
        expected: Expected::Absent,
        new: Some(id),
        log: String::new(),
    };
    graph
        .update_refs(&[
            set("refs/tags/v1", a),
            set("refs/tags/both", a),
            set("refs/heads/both", b),
            set("refs/remotes/origin/main", b),
            set("refs/remotes/origin/HEAD", b),
        ])
        .unwrap();
    let head = graph.head().unwrap();
    let full = merge.to_string();
    let cases: &[(&str, CommitId)] = &[
        ("HEAD", merge),
        ("@", merge),
        ("main", merge),
        ("heads/main", merge),
        ("refs/heads/main", merge),
        ("topic/side", side),
        ("v1", a),
        ("tags/v1", a),
        ("both", a),
        ("heads/both", b),
        ("origin/main", b),
        ("origin", b),
        ("refs/remotes/origin/main", b),
        (&full, merge),
        (&full.to_uppercase(), merge),
        (&full[..10], merge),
        (&full[..10].to_uppercase(), merge),
        ("HEAD~0", merge),
        ("HEAD~", b),
        ("HEAD~1", b),
        ("@~2", a),
        ("main~~", a),
        ("HEAD^", b),
        ("HEAD^0", merge),
        ("HEAD^1", b),
        ("HEAD^2", side),
        ("HEAD^2~1", a),
        ("main^^", a),
        (&format!("{}^2", &full[..8]), side),
    ];
    for (revision, expected) in cases {
        assert_eq!(resolve(&*graph, &head, revision).unwrap(), *expected, "{revision}");
    }
    assert_eq!(resolve(&*graph, &Head::Detached(side), "HEAD~").unwrap(), a);

    let fails = |revision: &str| resolve(&*graph, &head, revision).unwrap_err();
    let long = "0".repeat(64);
    for unknown in ["nope", "abc", "zzzz", "deadbeefdeadbeef", "refs/heads/nope", "../main", "", &long] {
        let error = fails(unknown);
        match &error {
            Error::UnknownRevision { revision } => assert_eq!(revision, unknown),
            Error::InvalidRevision { revision, .. } => assert!(revision.is_empty() || unknown.contains("..")),
            other => panic!("{unknown}: {other}"),
        }
        assert!(error.to_string().contains(&format!("{unknown:?}")), "{error}");
    }
    for invalid in
        ["HEAD~3", "HEAD^3", "HEAD~99999999999999999999", "~1", "HEAD~x", "HEAD@{1}", "a..b", "HEAD^{x}"]
    {
        let error = fails(invalid);
        assert!(
            matches!(&error, Error::InvalidRevision { revision, .. } if revision == invalid),
            "{invalid}: {error}"
        );
    }
    let unborn = Head::Branch("refs/heads/unborn".to_owned());
    assert!(
        matches!(resolve(&*graph, &unborn, "HEAD"), Err(Error::UnbornBranch { branch }) if branch == "refs/heads/unborn")
    );
}

#[test]
fn ambiguous_abbreviations_list_their_candidates() {
    let graph = memory_graph();
    let mut ids: Vec<String> =
        (0..600).map(|n| commit(&*graph, &[], n, "x", None).unwrap().to_string()).collect();
    ids.sort();
    let clash = ids.windows(2).find(|pair| pair[0][..4] == pair[1][..4]).expect("600 ids share 4 digits");
    let error = resolve(&*graph, &graph.head().unwrap(), &clash[0][..4]).unwrap_err();
    let Error::AmbiguousRevision { revision, candidates } = &error else { panic!("{error}") };
    assert_eq!(revision, &clash[0][..4]);
    let candidates: Vec<_> = candidates.iter().map(ToString::to_string).collect();
    assert!(candidates.contains(&clash[0]) && candidates.contains(&clash[1]), "{error}");
}
