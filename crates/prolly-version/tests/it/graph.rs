//! The native graph, and the walks over it against naive oracles.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use prolly_version::{CommitGraph, CommitId, Error, Expected, Head, Log, RefEdit, is_ancestor, merge_bases};
use proptest::prelude::*;

use crate::support::{commit, memory_graph};

#[test]
fn a_commit_moves_its_ref_by_compare_and_swap() {
    let graph = memory_graph();
    let main = "refs/heads/main";
    assert_eq!(graph.head().unwrap(), Head::Branch(main.to_owned()));
    let first = commit(&*graph, &[], 1, "first", Some((main, Expected::Absent))).unwrap();
    let error = commit(&*graph, &[], 2, "again", Some((main, Expected::Absent))).unwrap_err();
    assert!(
        matches!(&error, Error::RefMoved { name, expected: None, found: Some(id) } if name == main && *id == first),
        "{error}"
    );
    let second = commit(&*graph, &[first], 2, "second", Some((main, Expected::Commit(first)))).unwrap();
    assert_eq!(graph.read_ref(main).unwrap(), Some(second));
    let read = graph.read_commit(&second).unwrap().unwrap();
    assert_eq!((read.parents.as_slice(), read.message.as_str()), (&[first][..], "second"));
    let stale = commit(&*graph, &[first], 3, "stale", Some((main, Expected::Commit(first)))).unwrap_err();
    assert!(matches!(stale, Error::RefMoved { found: Some(id), .. } if id == second));
}

#[test]
fn refs_are_edited_together_and_garbage_goes() {
    let graph = memory_graph();
    let kept = commit(&*graph, &[], 1, "kept", Some(("refs/heads/main", Expected::Absent))).unwrap();
    let lost = commit(&*graph, &[kept], 2, "lost", Some(("refs/heads/gone", Expected::Absent))).unwrap();
    let edit =
        |name: &str, expected, new| RefEdit { name: name.to_owned(), expected, new, log: String::new() };
    let both = [
        edit("refs/heads/gone", Expected::Commit(lost), None),
        edit("refs/heads/main", Expected::Commit(lost), Some(kept)),
    ];
    assert!(matches!(graph.update_refs(&both), Err(Error::RefMoved { .. })));
    assert_eq!(graph.refs("refs/heads/").unwrap().len(), 2, "nothing may change when one edit fails");
    assert!(matches!(
        graph.update_refs(&[edit("../x", Expected::Absent, Some(kept))]),
        Err(Error::InvalidRefName { .. })
    ));
    graph.set_head(&Head::Detached(lost)).unwrap();
    graph.update_refs(&both[..1]).unwrap();
    graph.collect_garbage().unwrap();
    assert!(graph.read_commit(&lost).unwrap().is_some(), "HEAD keeps it");
    graph.set_head(&Head::Branch("refs/heads/main".to_owned())).unwrap();
    let report = graph.collect_garbage().unwrap();
    assert_eq!(report.objects_removed, 1);
    assert!(graph.read_commit(&lost).unwrap().is_none());
    assert!(graph.read_commit(&kept).unwrap().is_some());
    let orphan = commit(&*graph, &[lost], 3, "orphan", None).unwrap_err();
    assert!(matches!(orphan, Error::MissingCommit { id } if id == lost), "{orphan}");
}

/// A random history: for each commit its parents among the earlier ones, and its seconds after the newest parent.
fn histories() -> impl Strategy<Value = Vec<(Vec<prop::sample::Index>, i64)>> {
    let parents = prop::collection::vec(any::<prop::sample::Index>(), 0..4);
    prop::collection::vec((parents, prop_oneof![3 => Just(0_i64), 1 => 1..4_i64]), 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn walks_agree_with_naive_ones(history in histories()) {
        let graph = memory_graph();
        let mut ids: Vec<CommitId> = Vec::new();
        let mut parents_of: HashMap<CommitId, Vec<CommitId>> = HashMap::new();
        let mut ancestors_of: HashMap<CommitId, BTreeSet<CommitId>> = HashMap::new();
        let mut times: HashMap<CommitId, i64> = HashMap::new();
        for (number, (parents, later)) in history.iter().enumerate() {
            let mut chosen: Vec<CommitId> = Vec::new();
            for parent in parents.iter().filter(|_| !ids.is_empty()).map(|index| *index.get(&ids)) {
                if !chosen.contains(&parent) {
                    chosen.push(parent);
                }
            }
            let time = chosen.iter().map(|id| times[id]).max().unwrap_or(0) + later;
            let id = commit(&*graph, &chosen, time, &number.to_string(), None).unwrap();
            let mut ancestors: BTreeSet<_> = chosen.iter().flat_map(|id| ancestors_of[id].clone()).collect();
            ancestors.insert(id);
            ancestors_of.insert(id, ancestors);
            parents_of.insert(id, chosen);
            times.insert(id, time);
            ids.push(id);
        }
        for one in &ids {
            let log: Vec<_> = Log::new(Arc::clone(&graph) as Arc<dyn CommitGraph>, &[*one])
                .unwrap()
                .map(|commit| commit.unwrap().id)
                .collect();
            prop_assert_eq!(&log.iter().copied().collect::<BTreeSet<_>>(), &ancestors_of[one]);
            prop_assert_eq!(log.len(), ancestors_of[one].len());
            let place: HashMap<_, _> = log.iter().enumerate().map(|(place, id)| (*id, place)).collect();
            for id in &log {
                prop_assert!(parents_of[id].iter().all(|parent| place[parent] > place[id]));
            }
            prop_assert!(log.is_sorted_by_key(|id| -times[id]));
            for other in &ids {
                prop_assert_eq!(
                    is_ancestor(&*graph, one, other).unwrap(),
                    ancestors_of[other].contains(one)
                );
                let common: BTreeSet<_> = ancestors_of[one].intersection(&ancestors_of[other]).collect();
                let best: BTreeSet<_> = common
                    .iter()
                    .filter(|id| !common.iter().any(|other| other != *id && ancestors_of[*other].contains(id)))
                    .map(|id| **id)
                    .collect();
                let found = merge_bases(&*graph, one, other).unwrap();
                prop_assert_eq!(found.iter().copied().collect::<BTreeSet<_>>(), best);
            }
        }
    }
}
