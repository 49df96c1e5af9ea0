//! The data every engine works on: made from seeds, equal for all of them.
//!
//! **Invariant:** keys have 16 bytes and ascend with their number; a value is random bytes, so that nothing compresses.

use std::collections::BTreeMap;

pub(crate) const KEY_BYTES: usize = 16;
pub(crate) const VALUE_BYTES: usize = 100;
/// Numbers between two neighbouring stored keys: room for new ones.
const SPACING: u64 = 16;

pub(crate) type Key = [u8; KEY_BYTES];
pub(crate) type Value = [u8; VALUE_BYTES];
/// Edits with ascending keys; `None` removes.
pub(crate) type Edits = Vec<(Key, Option<Value>)>;

/// SplitMix64.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is small against 2^64.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(crate) fn value(&mut self) -> Value {
        let mut value = [0; VALUE_BYTES];
        for part in value.chunks_mut(8) {
            part.copy_from_slice(&self.next().to_le_bytes()[..part.len()]);
        }
        value
    }
}

/// The key with number `number`: `key:` and twelve digits.
pub(crate) fn key(number: u64) -> Key {
    let mut key = *b"key:000000000000";
    let mut rest = number;
    for digit in key[4..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    key
}

/// The stored key at position `index`.
pub(crate) fn stored_key(index: u64) -> Key {
    key(index * SPACING)
}

/// The value first stored under position `index`.
pub(crate) fn stored_value(index: u64) -> Value {
    Random::new(index.wrapping_mul(0xd6e8_feb8_6659_fd93)).value()
}

/// Entries held in memory, so that making them is not part of what is measured.
pub(crate) struct DataSet {
    entries: Vec<(Key, Value)>,
}

impl DataSet {
    pub(crate) fn new(count: u64) -> Self {
        Self { entries: (0..count).map(|index| (stored_key(index), stored_value(index))).collect() }
    }

    pub(crate) fn entries(&self) -> &[(Key, Value)] {
        &self.entries
    }

    /// The entries in random order.
    pub(crate) fn shuffled(&self) -> Vec<(Key, Value)> {
        let mut entries = self.entries.clone();
        let mut random = Random::new(1);
        for last in (1..entries.len()).rev() {
            entries.swap(last, random.below(last as u64 + 1) as usize);
        }
        entries
    }
}

/// Random stored keys, with repetitions.
pub(crate) fn random_stored_keys(stored: u64, count: u64, seed: u64) -> Vec<Key> {
    let mut random = Random::new(seed);
    (0..count).map(|_| stored_key(random.below(stored))).collect()
}

/// Random keys between the stored ones, each once, in random order.
pub(crate) fn new_keys(stored: u64, count: u64, seed: u64) -> Vec<Key> {
    let mut random = Random::new(seed);
    let mut seen = std::collections::BTreeSet::new();
    let mut keys = Vec::new();
    while (keys.len() as u64) < count {
        let key = key(random.below(stored) * SPACING + 1 + random.below(SPACING - 1));
        if seen.insert(key) {
            keys.push(key);
        }
    }
    keys
}

/// Random inserts with ascending keys.
pub(crate) fn inserts(stored: u64, count: u64, seed: u64) -> Edits {
    let mut random = Random::new(!seed);
    let mut edits: Edits =
        new_keys(stored, count, seed).into_iter().map(|key| (key, Some(random.value()))).collect();
    edits.sort_unstable_by_key(|(key, _)| *key);
    edits
}

/// Inserts, updates and deletes of random keys, a third each, with ascending keys.
pub(crate) fn mixed_edits(stored: u64, count: u64, seed: u64) -> Edits {
    let mut random = Random::new(!seed);
    let mut edits: BTreeMap<Key, Option<Value>> =
        inserts(stored, count - count / 3 * 2, seed).into_iter().collect();
    let mut changed = 0;
    while (edits.len() as u64) < count {
        let value = (changed % 2 == 0).then(|| random.value());
        if edits.insert(stored_key(random.below(stored)), value).is_none() {
            changed += 1;
        }
    }
    edits.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_ascend_and_new_ones_lie_between() {
        let stored: Vec<Key> = (0..2000).map(stored_key).collect();
        assert!(stored.is_sorted_by(|a, b| a < b));
        let new = new_keys(2000, 500, 7);
        assert_eq!(new.len(), 500);
        assert!(new.iter().all(|key| stored.binary_search(key).is_err()));
    }

    #[test]
    fn mixed_edits_are_what_they_say() {
        let data = DataSet::new(1000);
        let edits = mixed_edits(1000, 200, 3);
        assert_eq!(edits.len(), 200);
        assert!(edits.is_sorted_by(|a, b| a.0 < b.0));
        let stored = |key: &Key| data.entries().binary_search_by_key(key, |(key, _)| *key).is_ok();
        let deletes = edits.iter().filter(|(_, value)| value.is_none()).count();
        let updates = edits.iter().filter(|(key, value)| value.is_some() && stored(key)).count();
        assert!(
            edits.iter().all(|(key, value)| value.is_some() || stored(key)),
            "only stored keys are deleted"
        );
        assert!((60..=72).contains(&deletes) && (60..=72).contains(&updates), "{deletes} {updates}");
    }

    #[test]
    fn shuffling_keeps_every_entry() {
        let data = DataSet::new(300);
        let mut shuffled = data.shuffled();
        assert_ne!(shuffled, data.entries());
        shuffled.sort_unstable();
        assert_eq!(shuffled, data.entries());
    }
}
