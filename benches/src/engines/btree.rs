//! The standard library's ordered map: no versions, no hashes, no storage.

use std::{collections::BTreeMap, hint::black_box};

use super::{expect_count, reads_of, unsupported};
use crate::{
    Result,
    data::{DataSet, random_stored_keys},
    figures::{Figures, nanos_each},
    options::Task,
    work::{TIME, Work},
};

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

pub(super) fn run(task: &Task) -> Result<Figures> {
    let time = match task.work {
        Work::InsertRandom => insert_random(task.keys)?,
        Work::BulkLoad => {
            let data = DataSet::new(task.keys);
            nanos_each(task.keys, || Ok(load(&data)))?.0
        }
        Work::PointRead => {
            let map = load(&DataSet::new(task.keys));
            let reads = reads_of(task.keys);
            let keys = random_stored_keys(task.keys, reads, 2);
            let read = || -> u64 {
                keys.iter().filter_map(|key| map.get(&key[..])).map(|value| u64::from(value[0])).sum()
            };
            black_box(read());
            nanos_each(reads, || Ok(black_box(read())))?.0
        }
        Work::Scan => {
            let map = load(&DataSet::new(task.keys));
            let scan = || map.iter().map(|(key, value)| u64::from(key[15] ^ value[0])).sum::<u64>();
            black_box(scan());
            nanos_each(task.keys, || Ok(black_box(scan())))?.0
        }
        _ => return unsupported(task),
    };
    Ok(Figures::of(TIME, time))
}

fn insert_random(keys: u64) -> Result<f64> {
    let entries = DataSet::new(keys).shuffled();
    let (time, map) = nanos_each(keys, || {
        let mut map = Map::new();
        for (key, value) in &entries {
            map.insert(key.to_vec(), value.to_vec());
        }
        Ok(map)
    })?;
    expect_count("entries", map.len() as u64, keys)?;
    Ok(time)
}

fn load(data: &DataSet) -> Map {
    data.entries().iter().map(|(key, value)| (key.to_vec(), value.to_vec())).collect()
}
