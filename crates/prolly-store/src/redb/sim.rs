//! A disk in memory for redb, that fills up and loses its power when a test says so.

use std::{
    io,
    sync::{Arc, Mutex},
};

use redb::StorageBackend;

use crate::{conformance::Random, crash::Faults};

/// What a disk writes in one piece.
const SECTOR_BYTES: usize = 512;

/// A file on a simulated disk; clones are the same file.
#[derive(Clone, Default)]
pub(super) struct SimFile(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    seen: Vec<u8>,
    durable: Vec<u8>,
    /// What was done since the last sync, in order.
    unsynced: Vec<Change>,
    faults: Faults,
}

#[derive(Clone)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    SetLen(usize),
}

impl SimFile {
    /// What goes wrong, to be set by tests.
    pub(super) fn faults<T>(&self, set: impl FnOnce(&mut Faults) -> T) -> T {
        set(&mut self.0.lock().unwrap().faults)
    }

    /// What is found after a power cut now: of what was not synced, any sectors.
    pub(super) fn after_power_cut(&self, seed: u64) -> Self {
        let state = self.0.lock().unwrap();
        let mut random = Random(seed);
        let mut bytes = state.durable.clone();
        for change in &state.unsynced {
            match change {
                Change::SetLen(len) if random.below(2) == 0 => bytes.resize(*len, 0),
                Change::SetLen(_) => {}
                Change::Write { offset, bytes: written } => {
                    for (index, sector) in written.chunks(SECTOR_BYTES).enumerate() {
                        if random.below(2) == 0 {
                            put(&mut bytes, offset + index * SECTOR_BYTES, sector);
                        }
                    }
                }
            }
        }
        Self::holding(bytes)
    }

    /// A file with these contents, all durable.
    pub(super) fn holding(bytes: Vec<u8>) -> Self {
        let state = State { seen: bytes.clone(), durable: bytes, ..State::default() };
        Self(Arc::new(Mutex::new(state)))
    }

    pub(super) fn contents(&self) -> Vec<u8> {
        self.0.lock().unwrap().seen.clone()
    }

    fn change(&self, change: Change) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        let result = state.faults.step();
        let change = match (change, &result) {
            // A write that fails may get half-way.
            (Change::Write { offset, mut bytes }, Err(_)) => {
                bytes.truncate(bytes.len() / 2);
                Change::Write { offset, bytes }
            }
            (Change::SetLen(_), Err(_)) => return result,
            (change, Ok(())) => change,
        };
        match &change {
            Change::Write { offset, bytes } => put(&mut state.seen, *offset, bytes),
            Change::SetLen(len) => state.seen.resize(*len, 0),
        }
        state.unsynced.push(change);
        result
    }
}

fn put(bytes: &mut Vec<u8>, offset: usize, written: &[u8]) {
    let end = offset + written.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[offset..end].copy_from_slice(written);
}

impl std::fmt::Debug for SimFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SimFile")
    }
}

impl StorageBackend for SimFile {
    fn len(&self) -> io::Result<u64> {
        let state = self.0.lock().unwrap();
        state.faults.check_power()?;
        Ok(state.seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.0.lock().unwrap();
        state.faults.check_power()?;
        let offset = offset as usize;
        let bytes = state.seen.get(offset..offset + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(Change::SetLen(len as usize))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.faults.step()?;
        state.durable = state.seen.clone();
        state.unsynced.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(Change::Write { offset: offset as usize, bytes: data.to_vec() })
    }
}
