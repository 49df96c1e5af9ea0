//! redb: one table. Work in memory is done in transactions that are not made durable.

use std::{hint::black_box, path::Path};

use redb::{
    Database, Durability, ReadableDatabase as _, ReadableTable as _, ReadableTableMetadata as _,
    TableDefinition,
};

use super::{expect_count, reads_of, time_commits, unsupported};
use crate::{
    Result,
    data::{DataSet, Key, Value, random_stored_keys},
    figures::{Figures, nanos_each},
    options::Task,
    work::{TIME, Work},
};

const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("t");
/// Enough for all of the data: reads are to be warm.
const CACHE_BYTES: usize = 4 << 30;

pub(super) fn run(task: &Task) -> Result<Figures> {
    let time = match task.work {
        Work::InsertRandom => timed_load(task, &DataSet::new(task.keys).shuffled())?,
        Work::BulkLoad => timed_load(task, DataSet::new(task.keys).entries())?,
        Work::PointRead => point_read(task)?,
        Work::Scan => scan(task)?,
        Work::CommitRedb => return commits(task),
        _ => return unsupported(task),
    };
    Ok(Figures::of(TIME, time))
}

fn open(dir: &Path) -> Result<Database> {
    Ok(Database::builder().set_cache_size(CACHE_BYTES).create(dir.join("redb"))?)
}

fn load(database: &Database, entries: &[(Key, Value)]) -> Result<()> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::None)?;
    {
        let mut table = transaction.open_table(TABLE)?;
        for (key, value) in entries {
            table.insert(&key[..], &value[..])?;
        }
    }
    transaction.commit()?;
    Ok(())
}

fn timed_load(task: &Task, entries: &[(Key, Value)]) -> Result<f64> {
    let database = open(&task.dir)?;
    let (time, ()) = nanos_each(task.keys, || load(&database, entries))?;
    expect_count("entries", database.begin_read()?.open_table(TABLE)?.len()?, task.keys)?;
    Ok(time)
}

fn point_read(task: &Task) -> Result<f64> {
    let database = open(&task.dir)?;
    load(&database, DataSet::new(task.keys).entries())?;
    let reads = reads_of(task.keys);
    let keys = random_stored_keys(task.keys, reads, 2);
    let table = database.begin_read()?.open_table(TABLE)?;
    let read = || -> Result<u64> {
        let mut found = 0;
        for key in &keys {
            if let Some(value) = table.get(&key[..])? {
                black_box(value.value()[0]);
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

fn scan(task: &Task) -> Result<f64> {
    let database = open(&task.dir)?;
    load(&database, DataSet::new(task.keys).entries())?;
    let table = database.begin_read()?.open_table(TABLE)?;
    let scan = || -> Result<u64> {
        let mut entries = 0;
        for entry in table.iter()? {
            let (key, value) = entry?;
            black_box(key.value()[15] ^ value.value()[0]);
            entries += 1;
        }
        Ok(entries)
    };
    scan()?;
    let (time, entries) = nanos_each(task.keys, scan)?;
    expect_count("entries", entries, task.keys)?;
    Ok(time)
}

fn commits(task: &Task) -> Result<Figures> {
    let database = open(&task.dir)?;
    load(&database, DataSet::new(task.keys).entries())?;
    let figures = time_commits(task.keys, |key, value| {
        let mut transaction = database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        transaction.open_table(TABLE)?.insert(&key[..], &value[..])?;
        Ok(transaction.commit()?)
    })?;
    expect_count("entries", database.begin_read()?.open_table(TABLE)?.len()?, task.keys)?;
    Ok(figures)
}
