//! Sweeps: what is not kept goes, what is kept stays.

use std::collections::{BTreeMap, BTreeSet};

use prolly_core::Hash;

use super::{Place, Random, assert_has, assert_lacks, edit, object, objects::versions, publish};
use crate::{Backend, Expected, SweepReport};

fn sweep(store: &dyn Backend, keep: &[(Hash, Vec<u8>)]) -> SweepReport {
    let keep: BTreeSet<Hash> = keep.iter().map(|(hash, _)| *hash).collect();
    store.begin().unwrap().sweep(&mut |hash| keep.contains(hash)).unwrap()
}

/// A sweep removes exactly what is not kept, says how much that was, and leaves refs alone.
pub fn a_sweep_removes_what_is_not_kept(place: &dyn Place) {
    let store = place.open();
    let objects: Vec<_> = (0..200).map(|seed| object(seed, 10_000)).collect();
    publish(&*store, &objects, &[edit("main", Expected::Absent, Some(b"x"))]);
    let (kept, dropped) = objects.split_at(20);
    let report = sweep(&*store, kept);
    assert_eq!((report.objects_before, report.objects_removed), (200, 180));
    assert!(report.bytes_after < report.bytes_before / 2, "{report:?}");
    assert_has(&*store, kept);
    assert_lacks(&*store, dropped);
    assert_eq!(store.stats().unwrap().objects, 20);
    let store = place.open();
    assert_has(&*store, kept);
    assert_eq!(store.read_ref("main").unwrap().unwrap(), b"x");
    publish(&*store, dropped, &[]);
    assert_has(&*store, &objects);
    assert_eq!(sweep(&*store, &[]).objects_removed, 200);
    assert_lacks(&*store, &objects);
}

/// A sweep that keeps everything removes nothing; what was put in its transaction is not published.
pub fn a_sweep_of_nothing_changes_nothing(place: &dyn Place) {
    let store = place.open();
    assert_eq!(sweep(&*store, &[]).objects_removed, 0);
    let objects: Vec<_> = (0..20).map(|seed| object(seed, 1_000)).collect();
    publish(&*store, &objects, &[]);
    assert_eq!(sweep(&*store, &objects).objects_removed, 0);
    assert_has(&*store, &objects);
    let unpublished = object(99, 1_000);
    let mut transaction = store.begin().unwrap();
    transaction.put(&unpublished.0, &unpublished.1).unwrap();
    transaction.sweep(&mut |_| true).unwrap();
    assert_lacks(&*store, &[unpublished]);
    assert_has(&*store, &objects);
}

/// Versions of a node outlive each other, however a store relates them.
pub fn a_sweep_keeps_versions_apart(place: &dyn Place) {
    let store = place.open();
    let versions = versions(60);
    versions.chunks(5).for_each(|chunk| publish(&*store, chunk, &[]));
    let mut kept = versions.clone();
    let mut random = Random(1);
    while !kept.is_empty() {
        kept.retain(|_| random.below(4) > 0);
        sweep(&*store, &kept);
        assert_has(&*store, &kept);
        let gone: Vec<_> = versions.iter().filter(|version| !kept.contains(version)).cloned().collect();
        assert_lacks(&*store, &gone);
    }
    versions.chunks(7).for_each(|chunk| publish(&*store, chunk, &[]));
    assert_has(&*store, &versions);
}

/// An unreachable object that is put again belongs to the new transaction, whatever was swept before.
pub fn what_is_put_again_is_safe_from_the_sweep_before(place: &dyn Place) {
    let store = place.open();
    let shared = object(1, 3_000);
    publish(&*store, std::slice::from_ref(&shared), &[]);
    assert!(store.contains(&shared.0).unwrap());
    sweep(&*store, &[]);
    publish(&*store, std::slice::from_ref(&shared), &[edit("main", Expected::Absent, Some(b"x"))]);
    assert_has(&*store, &[shared]);
}

/// Random puts, ref edits, sweeps, aborts and reopenings leave what a model says.
pub fn random_histories_match_a_model(place: &dyn Place) {
    let seed = 20_261;
    let mut random = Random(seed);
    let mut store = place.open();
    let pool: Vec<_> = versions(30)
        .into_iter()
        .chain((100..160).map(|seed| object(seed, seed as usize * 37 % 9_000)))
        .collect();
    let mut objects: BTreeMap<Hash, Vec<u8>> = BTreeMap::new();
    let mut refs: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for step in 0..150 {
        match random.below(8) {
            0 => {
                drop(store);
                store = place.open();
            }
            1 => {
                let keep: BTreeSet<Hash> = objects.keys().filter(|_| random.below(3) > 0).copied().collect();
                store.begin().unwrap().sweep(&mut |hash| keep.contains(hash)).unwrap();
                objects.retain(|hash, _| keep.contains(hash));
            }
            action => {
                let mut transaction = store.begin().unwrap();
                let put: Vec<_> = (0..random.below(6)).map(|_| &pool[random.below(pool.len())]).collect();
                put.iter().for_each(|(hash, bytes)| transaction.put(hash, bytes).unwrap());
                let name = format!("ref{}", random.below(4));
                let expected = match random.below(3) {
                    0 => Expected::Any,
                    1 => Expected::Absent,
                    _ => refs.get(&name).cloned().map_or(Expected::Absent, Expected::Value),
                };
                let new = (random.below(4) > 0).then(|| vec![step as u8]);
                if action == 2 {
                    drop(transaction);
                    continue;
                }
                let admitted = expected.admits(refs.get(&name).map(Vec::as_slice));
                let result = transaction.commit(&[edit(&name, expected, new.as_deref())]);
                assert_eq!(result.is_ok(), admitted, "step {step} of seed {seed}");
                if admitted {
                    objects.extend(put.into_iter().cloned());
                    match new {
                        Some(value) => refs.insert(name, value),
                        None => refs.remove(&name),
                    };
                }
            }
        }
        assert_eq!(store.stats().unwrap().objects, objects.len() as u64, "step {step} of seed {seed}");
        let listed: BTreeMap<_, _> = store.refs("").unwrap().into_iter().collect();
        assert_eq!(listed, refs, "step {step} of seed {seed}");
    }
    assert!(!objects.is_empty() && !refs.is_empty(), "seed {seed} tests too little");
    for (hash, bytes) in &pool {
        let expected = objects.get(hash);
        assert_eq!(store.get(hash).unwrap().as_deref(), expected.map(|_| &bytes[..]), "seed {seed}");
    }
}
