//! `prolly-map`: its memory store, its defaults but for an unbounded node cache, the fastest interface it has for each work.

use std::{hint::black_box, sync::Arc};

use prolly::{Config, MemStore, Mutation, Prolly, Tree};

use super::{CHANGES, FLUSHED_INSERTS, PROOFS, REPEATS, expect_count, reads_of, unsupported};
use crate::{
    Result,
    data::{DataSet, Edits, Key, Random, Value, inserts, mixed_edits, new_keys, random_stored_keys},
    figures::{Figures, median_nanos, nanos_each},
    options::Task,
    work::{TIME, Work},
};

type Store = Arc<MemStore>;

pub(super) fn run(task: &Task) -> Result<Figures> {
    let time = match task.work {
        Work::InsertRandom => insert_random(task.keys)?,
        Work::BulkLoad => {
            let data = DataSet::new(task.keys);
            nanos_each(task.keys, || load(&data))?.0
        }
        Work::PointRead => point_read(task.keys)?,
        Work::Scan => scan(task.keys)?,
        Work::InsertFlushed => insert_flushed(task.keys)?,
        Work::Diff => diff(task.keys)?,
        Work::Merge => merge(task.keys)?,
        Work::Proof => return proof(task.keys),
        _ => return unsupported(task),
    };
    Ok(Figures::of(TIME, time))
}

fn manager(store: &Store) -> Prolly<Store> {
    let mut config = Config::default();
    config.runtime.node_cache_max_bytes = None;
    Prolly::new(Arc::clone(store), config)
}

fn load(data: &DataSet) -> Result<(Prolly<Store>, Tree)> {
    let prolly = manager(&Arc::new(MemStore::new()));
    let entries = data.entries().iter().map(|(key, value)| (key.to_vec(), value.to_vec())).collect();
    let tree = prolly.build_from_sorted_entries(entries)?;
    Ok((prolly, tree))
}

fn mutations(edits: &Edits) -> Vec<Mutation> {
    let mutation = |(key, value): &(Key, Option<Value>)| match value {
        Some(value) => Mutation::Upsert { key: key.to_vec(), val: value.to_vec() },
        None => Mutation::Delete { key: key.to_vec() },
    };
    edits.iter().map(mutation).collect()
}

fn insert_random(keys: u64) -> Result<f64> {
    let entries = DataSet::new(keys).shuffled();
    let prolly = manager(&Arc::new(MemStore::new()));
    let (time, tree) = nanos_each(keys, || {
        let mut session = prolly.write_session(prolly.create(), usize::MAX);
        for (key, value) in &entries {
            session.put(key.to_vec(), value.to_vec())?;
        }
        Ok(session.flush()?)
    })?;
    expect_count("entries", prolly.len(&tree)?, keys)?;
    Ok(time)
}

fn point_read(stored: u64) -> Result<f64> {
    let (prolly, tree) = load(&DataSet::new(stored))?;
    let reads = reads_of(stored);
    let keys = random_stored_keys(stored, reads, 2);
    let mut session = prolly.read(&tree)?;
    let mut read = || -> Result<u64> {
        let mut found = 0;
        for key in &keys {
            found += u64::from(session.get_with(key, |value| black_box(value[0]))?.is_some());
        }
        Ok(found)
    };
    read()?;
    let (time, found) = nanos_each(reads, read)?;
    expect_count("found", found, reads)?;
    Ok(time)
}

fn scan(stored: u64) -> Result<f64> {
    let (prolly, tree) = load(&DataSet::new(stored))?;
    let mut session = prolly.read(&tree)?;
    let mut scan = || -> Result<u64> {
        Ok(session.scan_range(&[], None, |entry| {
            black_box(entry.key()[15] ^ entry.value()[0]);
        })?)
    };
    scan()?;
    let (time, entries) = nanos_each(stored, scan)?;
    expect_count("entries", entries, stored)?;
    Ok(time)
}

fn insert_flushed(stored: u64) -> Result<f64> {
    let (prolly, mut tree) = load(&DataSet::new(stored))?;
    let keys = new_keys(stored, FLUSHED_INSERTS, 3);
    let mut random = Random::new(4);
    let (time, ()) = nanos_each(FLUSHED_INSERTS, || {
        for key in &keys {
            tree = prolly.put(&tree, key.to_vec(), random.value().to_vec())?;
        }
        Ok(())
    })?;
    expect_count("entries", prolly.len(&tree)?, stored + FLUSHED_INSERTS)?;
    Ok(time)
}

fn diff(stored: u64) -> Result<f64> {
    let (prolly, before) = load(&DataSet::new(stored))?;
    let after = prolly.batch(&before, mutations(&mixed_edits(stored, CHANGES, 5)))?;
    median_nanos(REPEATS, || expect_count("changes", prolly.diff(&before, &after)?.len() as u64, CHANGES))
}

fn merge(stored: u64) -> Result<f64> {
    let (made_by, base) = load(&DataSet::new(stored))?;
    let left = made_by.batch(&base, mutations(&inserts(stored, CHANGES, 6)))?;
    let right = made_by.batch(&base, mutations(&inserts(stored, CHANGES, 7)))?;
    // A manager that did not make the versions: what another process would have.
    let prolly = manager(made_by.store());
    drop(made_by);
    let (time, merged) = nanos_each(1, || Ok(prolly.merge(&base, &left, &right, None)?))?;
    expect_count("entries", prolly.len(&merged)?, stored + 2 * CHANGES)?;
    Ok(time)
}

fn proof(stored: u64) -> Result<Figures> {
    let (prolly, tree) = load(&DataSet::new(stored))?;
    let longest = |keys: Vec<Key>, exists: bool| -> Result<f64> {
        let mut longest = 0;
        for key in keys {
            let proof = prolly.prove_key(&tree, &key)?;
            let verification = proof.verify();
            if !verification.valid || verification.exists() != exists {
                return Err("a proof does not show what it should".into());
            }
            longest = longest.max(proof.to_bundle_bytes()?.len());
        }
        Ok(longest as f64)
    };
    let presence = longest(random_stored_keys(stored, PROOFS, 8), true)?;
    let absence = longest(new_keys(stored, PROOFS, 9), false)?;
    Ok(Figures::of("presence_max", presence).with("absence_max", absence))
}
