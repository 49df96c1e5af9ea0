//! LMDB through `heed`: the unnamed database. Work in memory is done in transactions that are not synced.

use std::{hint::black_box, path::Path};

use heed::{CommitOrAbort, Database, Env, EnvFlags, EnvOpenOptions, PutFlags, types::Bytes};

use super::{expect_count, reads_of, time_commits, unsupported};
use crate::{
    Result,
    data::{DataSet, Key, Value, random_stored_keys},
    figures::{Figures, nanos_each},
    options::Task,
    work::{TIME, Work},
};

const MAP_BYTES: usize = 64 << 30;

pub(super) fn run(task: &Task) -> Result<Figures> {
    let time = match task.work {
        Work::InsertRandom => timed_load(task, &DataSet::new(task.keys).shuffled(), PutFlags::empty())?,
        Work::BulkLoad => timed_load(task, DataSet::new(task.keys).entries(), PutFlags::APPEND)?,
        Work::PointRead => point_read(task)?,
        Work::Scan => scan(task)?,
        Work::CommitRedb => return commits(task),
        _ => return unsupported(task),
    };
    Ok(Figures::of(TIME, time))
}

#[expect(unsafe_code, reason = "heed opens memory maps, which is unsafe when somebody else writes the file")]
fn open(dir: &Path, flags: EnvFlags) -> Result<Env> {
    let mut options = EnvOpenOptions::new();
    options.map_size(MAP_BYTES);
    // SAFETY: the directory is this process's own, nobody else maps or writes its files.
    Ok(unsafe { options.flags(flags).open(dir)? })
}

fn database(env: &Env) -> Result<Database<'_, Bytes, Bytes>> {
    let transaction = env.write_txn()?;
    let database = env.create_databases_and_commit(transaction, |options, transaction| {
        options.create_database(transaction, None).map(CommitOrAbort::<_, ()>::Commit)
    })?;
    Ok(database.unwrap_commit())
}

fn load(env: &Env, entries: &[(Key, Value)], flags: PutFlags) -> Result<()> {
    let database = database(env)?;
    let mut transaction = env.write_txn()?;
    for (key, value) in entries {
        database.put_with_flags(&mut transaction, flags, key, value)?;
    }
    transaction.commit()?;
    Ok(())
}

fn timed_load(task: &Task, entries: &[(Key, Value)], flags: PutFlags) -> Result<f64> {
    let env = open(&task.dir, EnvFlags::NO_SYNC)?;
    let (time, ()) = nanos_each(task.keys, || load(&env, entries, flags))?;
    let (database, transaction) = (database(&env)?, env.read_txn()?);
    expect_count("entries", database.len(&transaction)?, task.keys)?;
    Ok(time)
}

fn point_read(task: &Task) -> Result<f64> {
    let env = open(&task.dir, EnvFlags::NO_SYNC)?;
    load(&env, DataSet::new(task.keys).entries(), PutFlags::APPEND)?;
    let reads = reads_of(task.keys);
    let keys = random_stored_keys(task.keys, reads, 2);
    let (database, transaction) = (database(&env)?, env.read_txn()?);
    let read = || -> Result<u64> {
        let mut found = 0;
        for key in &keys {
            if let Some(value) = database.get(&transaction, key)? {
                black_box(value[0]);
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
    let env = open(&task.dir, EnvFlags::NO_SYNC)?;
    load(&env, DataSet::new(task.keys).entries(), PutFlags::APPEND)?;
    let (database, transaction) = (database(&env)?, env.read_txn()?);
    let scan = || -> Result<u64> {
        let mut entries = 0;
        for entry in database.iter(&transaction)? {
            let (key, value) = entry?;
            black_box(key[15] ^ value[0]);
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
    let env = open(&task.dir, EnvFlags::empty())?;
    load(&env, DataSet::new(task.keys).entries(), PutFlags::APPEND)?;
    let database = database(&env)?;
    let figures = time_commits(task.keys, |key, value| {
        let mut transaction = env.write_txn()?;
        database.put(&mut transaction, key, value)?;
        Ok(transaction.commit()?)
    })?;
    let transaction = env.read_txn()?;
    expect_count("entries", database.len(&transaction)?, task.keys)?;
    Ok(figures)
}
