//! This project's tree, in memory.

use std::{hint::black_box, sync::Arc};

use prolly_core::{
    EditRef, EditSource, Locator, Merged, NodeBuffer, NodeReader, ProllyTree, Proof, Tree, TreeConfig,
    ValueRef, merge, refuse,
};

use super::{CHANGES, FLUSHED_INSERTS, PROOFS, REPEATS, expect_count, reads_of, unsupported};
use crate::{
    Result,
    data::{DataSet, Edits, Key, Random, Value, inserts, mixed_edits, new_keys, random_stored_keys},
    figures::{Figures, median_nanos, nanos_each},
    options::Task,
    work::{TIME, Work},
};

pub(super) fn run(task: &Task) -> Result<Figures> {
    let time = match task.work {
        Work::InsertRandom => insert_random(task.keys)?,
        Work::BulkLoad => bulk_load(task.keys)?,
        Work::PointRead => point_read(task.keys)?,
        Work::Scan => scan(task.keys)?,
        Work::InsertFlushed => insert_flushed(task.keys)?,
        Work::Diff => diff(task.keys)?,
        Work::Merge => merge_inserts(task.keys)?,
        Work::Proof => return proof(task.keys),
        _ => return unsupported(task),
    };
    Ok(Figures::of(TIME, time))
}

/// Lends entries as edits, without copying them.
struct Lent<'a, E> {
    entries: std::slice::Iter<'a, E>,
    edit: fn(&E) -> (&Key, Option<&Value>),
}

impl<E> EditSource for Lent<'_, E> {
    fn next_edit(&mut self) -> prolly_core::Result<Option<EditRef<'_>>> {
        Ok(self.entries.next().map(self.edit).map(|(key, value)| EditRef {
            key,
            value: value.map(|value| ValueRef::Inline(value)),
            locator: Locator::NONE,
        }))
    }
}

fn load(data: &DataSet) -> Result<(Arc<NodeBuffer>, Tree)> {
    let nodes = Arc::new(NodeBuffer::new());
    let mut source = Lent { entries: data.entries().iter(), edit: |(key, value)| (key, Some(value)) };
    let reader = Arc::clone(&nodes) as Arc<dyn NodeReader>;
    let tree = Tree::build(reader, &*nodes, TreeConfig::default(), &mut source)?;
    Ok((nodes, tree))
}

fn apply(nodes: &NodeBuffer, tree: &Tree, edits: &Edits) -> Result<Tree> {
    let mut source = Lent { entries: edits.iter(), edit: |(key, value)| (key, value.as_ref()) };
    Ok(tree.apply(nodes, &mut source)?)
}

fn insert_random(keys: u64) -> Result<f64> {
    let entries = DataSet::new(keys).shuffled();
    let mut tree = ProllyTree::new(Arc::new(NodeBuffer::new()), TreeConfig::default())?;
    let (time, ()) = nanos_each(keys, || {
        for (key, value) in &entries {
            tree.insert(key, value)?;
        }
        Ok(tree.flush()?)
    })?;
    expect_count("entries", tree.len()?, keys)?;
    Ok(time)
}

fn bulk_load(keys: u64) -> Result<f64> {
    let data = DataSet::new(keys);
    let (time, (_, tree)) = nanos_each(keys, || load(&data))?;
    expect_count("entries", tree.len(), keys)?;
    Ok(time)
}

fn point_read(stored: u64) -> Result<f64> {
    let (_, tree) = load(&DataSet::new(stored))?;
    let reads = reads_of(stored);
    let keys = random_stored_keys(stored, reads, 2);
    let read = || -> Result<u64> {
        let mut found = 0;
        for key in &keys {
            if let Some(entry) = tree.find(key)? {
                black_box(entry.tagged()[1]);
                found += 1;
            }
        }
        Ok(found)
    };
    read()?;
    let (time, found) = nanos_each(reads, read)?;
    expect_count("found", found, reads)?;
    Ok(time)
}

fn scan(stored: u64) -> Result<f64> {
    let (_, tree) = load(&DataSet::new(stored))?;
    let scan = || -> Result<u64> {
        let (mut range, mut entries) = (tree.range::<&[u8]>(..)?, 0);
        while let Some((key, value)) = range.next_entry()? {
            if let ValueRef::Inline(bytes) = value {
                black_box(key[15] ^ bytes[0]);
                entries += 1;
            }
        }
        Ok(entries)
    };
    scan()?;
    let (time, entries) = nanos_each(stored, scan)?;
    expect_count("entries", entries, stored)?;
    Ok(time)
}

fn insert_flushed(stored: u64) -> Result<f64> {
    let (nodes, tree) = load(&DataSet::new(stored))?;
    let mut tree = ProllyTree::over(nodes, tree);
    let keys = new_keys(stored, FLUSHED_INSERTS, 3);
    let mut random = Random::new(4);
    let (time, ()) = nanos_each(FLUSHED_INSERTS, || {
        for key in &keys {
            tree.insert(key, &random.value())?;
            black_box(tree.root_hash()?);
        }
        Ok(())
    })?;
    expect_count("entries", tree.len()?, stored + FLUSHED_INSERTS)?;
    Ok(time)
}

fn diff(stored: u64) -> Result<f64> {
    let (nodes, before) = load(&DataSet::new(stored))?;
    let after = apply(&nodes, &before, &mixed_edits(stored, CHANGES, 5))?;
    median_nanos(REPEATS, || {
        let (mut diff, mut changes) = (before.diff(&after)?, 0);
        while diff.next_difference()?.is_some() {
            changes += 1;
        }
        expect_count("changes", changes, CHANGES)
    })
}

fn merge_inserts(stored: u64) -> Result<f64> {
    let (nodes, base) = load(&DataSet::new(stored))?;
    let ours = apply(&nodes, &base, &inserts(stored, CHANGES, 6))?;
    let theirs = apply(&nodes, &base, &inserts(stored, CHANGES, 7))?;
    let (time, merged) = nanos_each(1, || Ok(merge(&base, &ours, &theirs, &*nodes, &mut refuse)?))?;
    let Merged::Clean(merged) = merged else { return Err("there are conflicts".into()) };
    expect_count("entries", merged.len(), stored + 2 * CHANGES)?;
    Ok(time)
}

fn proof(stored: u64) -> Result<Figures> {
    let (_, tree) = load(&DataSet::new(stored))?;
    let longest = |keys: Vec<Key>| -> Result<f64> {
        let mut longest = 0;
        for key in keys {
            let sent = Proof::for_keys(&tree, [key])?.to_bytes();
            let value = tree.get(&key)?;
            if !Proof::from_bytes(&sent)?.verify_value(&tree.root_hash(), &key, value.as_deref())? {
                return Err("a proof does not show what it should".into());
            }
            longest = longest.max(sent.len());
        }
        Ok(longest as f64)
    };
    let presence = longest(random_stored_keys(stored, PROOFS, 8))?;
    let absence = longest(new_keys(stored, PROOFS, 9))?;
    Ok(Figures::of("presence_max", presence).with("absence_max", absence))
}
