//! Finds objects by address: an index, and what the last transactions add to it.
//!
//! Addresses are random, so every entry of the index that a transaction adds dirties a page of its own. A small
//! transaction therefore leaves its entries in one record of the table `recent`, and every so often all of these go
//! into the index together.
//!
//! ```text
//! record of `recent`   entries × (address 32, location 19)
//! ```
//!
//! **Invariant:** an object has an entry in the index or in `recent`, never in both.

use prolly_core::{Hash, HashedMap};
use redb::{
    ReadOnlyTable, ReadTransaction, ReadableTable, ReadableTableMetadata as _, Table, WriteTransaction,
};

use super::{
    failure::Failure,
    log::{INDEX, Location, RECENT},
};
use crate::{HashPrefix, Result};

/// The most entries that a transaction leaves in `recent`.
const ENTRIES_PER_RECORD: usize = 64;
/// The most records in `recent`.
const RECORDS: u64 = 32;

type IndexTable<'txn> = Table<'txn, &'static [u8; Hash::LEN], &'static [u8; Location::LEN]>;

/// Where objects are.
pub(super) trait Lookup {
    /// Looks an object up; `None` when it is not stored.
    fn find(&self, hash: &Hash) -> Result<Option<Location>, Failure>;
}

/// The index as of one moment.
pub(super) struct Snapshot {
    index: ReadOnlyTable<&'static [u8; Hash::LEN], &'static [u8; Location::LEN]>,
    recent: ReadOnlyTable<u64, &'static [u8]>,
}

impl Snapshot {
    pub(super) fn open(transaction: &ReadTransaction) -> Result<Self, Failure> {
        Ok(Self { index: transaction.open_table(INDEX)?, recent: transaction.open_table(RECENT)? })
    }

    /// Number of objects.
    pub(super) fn count(&self) -> Result<u64, Failure> {
        let mut count = self.index.len()?;
        for_each_recent(&self.recent, |_, _| {
            count += 1;
            Ok(())
        })?;
        Ok(count)
    }

    /// The addresses that begin with `prefix`, ascending, up to `limit` of them.
    pub(super) fn addresses(&self, prefix: &HashPrefix, limit: usize) -> Result<Vec<Hash>, Failure> {
        let mut found = Vec::new();
        let range = prefix.low().as_bytes()..=prefix.high().as_bytes();
        for entry in self.index.range::<&[u8; Hash::LEN]>(range)?.take(limit) {
            found.push(Hash::new(*entry?.0.value()));
        }
        for_each_recent(&self.recent, |hash, _| {
            found.extend(prefix.matches(hash).then_some(*hash));
            Ok(())
        })?;
        found.sort_unstable();
        found.truncate(limit);
        Ok(found)
    }
}

impl Lookup for Snapshot {
    fn find(&self, hash: &Hash) -> Result<Option<Location>, Failure> {
        if let Some(location) = find_in(&self.index, hash)? {
            return Ok(Some(location));
        }
        let mut found = None;
        for_each_recent(&self.recent, |address, location| {
            if address == hash {
                found = Some(Location::decode(hash, location)?);
            }
            Ok(())
        })?;
        Ok(found)
    }
}

/// What is in `recent`, and what the transaction under way adds.
pub(super) struct Recent {
    entries: HashedMap<Location>,
    /// Which of the entries are new.
    fresh: Vec<Hash>,
    /// Whether one that is not new has changed: records never do, so all have to go.
    has_changed: bool,
    records: u64,
    next_record: u64,
}

impl Recent {
    /// What is known when all entries are in the index, and nothing is to be added.
    pub(super) fn empty() -> Self {
        Self {
            entries: HashedMap::default(),
            fresh: Vec::new(),
            has_changed: false,
            records: 0,
            next_record: 0,
        }
    }

    pub(super) fn load(transaction: &WriteTransaction) -> Result<Self, Failure> {
        let recent = transaction.open_table(RECENT)?;
        let mut entries = HashedMap::default();
        for_each_recent(&recent, |hash, location| {
            entries.insert(*hash, Location::decode(hash, location)?);
            Ok(())
        })?;
        let next_record = recent.last()?.map_or(0, |(record, _)| record.value() + 1);
        Ok(Self { entries, fresh: Vec::new(), has_changed: false, records: recent.len()?, next_record })
    }

    /// Writes what the transaction added: to `recent`, or all there is to the index.
    pub(super) fn finish(self, transaction: &WriteTransaction) -> Result<(), Failure> {
        if self.has_changed || (self.records >= RECORDS && !self.fresh.is_empty()) {
            self.merge(transaction)
        } else if self.fresh.is_empty() {
            Ok(())
        } else {
            let mut record = Vec::with_capacity(self.fresh.len() * (Hash::LEN + Location::LEN));
            for hash in &self.fresh {
                record.extend_from_slice(hash.as_bytes());
                record.extend_from_slice(&self.entries[hash].encode());
            }
            transaction.open_table(RECENT)?.insert(self.next_record, &record[..])?;
            Ok(())
        }
    }

    /// Moves all entries to the index.
    pub(super) fn merge(self, transaction: &WriteTransaction) -> Result<(), Failure> {
        let mut entries: Vec<_> = self.entries.into_iter().collect();
        // In order, so that neighbours find their page at hand.
        entries.sort_unstable_by_key(|(hash, _)| *hash);
        let mut index = transaction.open_table(INDEX)?;
        for (hash, location) in entries {
            index.insert(hash.as_bytes(), &location.encode())?;
        }
        transaction.open_table(RECENT)?.retain(|_, _| false)?;
        Ok(())
    }
}

/// The index in a transaction.
pub(super) struct IndexWriter<'txn> {
    index: IndexTable<'txn>,
    recent: Recent,
}

impl<'txn> IndexWriter<'txn> {
    pub(super) fn open(transaction: &'txn WriteTransaction, recent: Recent) -> Result<Self, Failure> {
        Ok(Self { index: transaction.open_table(INDEX)?, recent })
    }

    pub(super) fn into_recent(self) -> Recent {
        self.recent
    }

    /// Whether there is an entry, even one that makes no sense.
    pub(super) fn has_entry(&self, hash: &Hash) -> Result<bool, Failure> {
        Ok(self.recent.entries.contains_key(hash) || self.index.get(hash.as_bytes())?.is_some())
    }

    /// Adds an entry, or replaces one.
    pub(super) fn insert(&mut self, hash: &Hash, location: Location) -> Result<(), Failure> {
        let recent = &mut self.recent;
        if let Some(entry) = recent.entries.get_mut(hash) {
            *entry = location;
            recent.has_changed |= !recent.fresh.contains(hash);
            return Ok(());
        }
        if self.index.get(hash.as_bytes())?.is_some() {
            self.index.insert(hash.as_bytes(), &location.encode())?;
            return Ok(());
        }
        recent.entries.insert(*hash, location);
        recent.fresh.push(*hash);
        if recent.fresh.len() <= ENTRIES_PER_RECORD {
            return Ok(());
        }
        // A large transaction has many entries for each page, and needs no record.
        for hash in recent.fresh.drain(..) {
            let location = recent.entries.remove(&hash).expect("a fresh entry is among the entries");
            self.index.insert(hash.as_bytes(), &location.encode())?;
        }
        Ok(())
    }
}

impl Lookup for IndexWriter<'_> {
    fn find(&self, hash: &Hash) -> Result<Option<Location>, Failure> {
        match self.recent.entries.get(hash) {
            Some(location) => Ok(Some(*location)),
            None => find_in(&self.index, hash),
        }
    }
}

fn find_in(
    index: &impl ReadableTable<&'static [u8; Hash::LEN], &'static [u8; Location::LEN]>,
    hash: &Hash,
) -> Result<Option<Location>, Failure> {
    let found = index.get(hash.as_bytes())?;
    Ok(found.map(|location| Location::decode(hash, location.value())).transpose()?)
}

/// Calls `each` for every entry of `recent`.
fn for_each_recent(
    recent: &impl ReadableTable<u64, &'static [u8]>,
    mut each: impl FnMut(&Hash, &[u8; Location::LEN]) -> Result<()>,
) -> Result<(), Failure> {
    for record in recent.iter()? {
        let (_, record) = record?;
        let mut rest = record.value();
        while let Some((hash, after)) = rest.split_first_chunk::<{ Hash::LEN }>() {
            let Some((location, after)) = after.split_first_chunk() else { break };
            each(&Hash::new(*hash), location)?;
            rest = after;
        }
        if !rest.is_empty() {
            let reason = "a record of recent objects ends inside an entry".to_owned();
            return Err(redb::Error::Corrupted(reason).into());
        }
    }
    Ok(())
}
