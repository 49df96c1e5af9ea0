//! What this process has seen of the relation between our addresses and Git's ids, in bounded memory.
//!
//! **Invariant:** a pair in [`Attested`] was read from a Git tree of this store whose id was verified, or written by this
//! process; so an object can be linked to by its Git id without being read. [`Hints`] promise nothing.

use std::sync::{Mutex, PoisonError};

use gix_hash::ObjectId;
use prolly_core::Hash;

use super::object::Stored;

/// Pairs remembered at most: 4 MiB, enough for some 30 M entries before anything is forgotten.
const ATTESTED_SLOTS: usize = 1 << 19;
const WAYS: usize = 4;
const HINT_SLOTS: usize = 1 << 14;

/// Pairs of an address and a Git id that belong together, each kept as a fingerprint of 64 bits.
pub(super) struct Attested {
    /// 0 when free; else the fingerprint, whose lowest bit says whether the object is a Git tree. Zeroed memory costs
    /// nothing until it is touched.
    slots: Mutex<Box<[u64]>>,
}

impl Attested {
    pub(super) fn new() -> Self {
        Self { slots: Mutex::new(vec![0; ATTESTED_SLOTS].into_boxed_slice()) }
    }

    pub(super) fn insert_all(&self, pairs: impl Iterator<Item = (Hash, Stored)>) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        for (hash, object) in pairs {
            let mark = fingerprint(&hash, &object.id) | u64::from(object.is_tree);
            let set = &mut slots[set_of(&hash)];
            let free = set.iter().position(|slot| matches!(*slot, 0) || *slot == mark);
            // In a full set, the newcomer's own bits say which one gives way: no order is kept.
            set[free.unwrap_or(usize::from(object.id.as_slice()[19]) % WAYS)] = mark;
        }
    }

    /// The object, if the pair is known.
    pub(super) fn get(&self, hash: &Hash, id: &ObjectId) -> Option<Stored> {
        let mark = fingerprint(hash, id);
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = slots[set_of(hash)].iter().find(|slot| **slot & !1 == mark)?;
        Some(Stored { id: *id, is_tree: slot & 1 == 1 })
    }

    /// Forgets everything: after a sweep, what was seen may be gone.
    pub(super) fn clear(&self) {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).fill(0);
    }
}

type Hint = (Hash, ObjectId);

/// Where objects were last seen, for those who know only their address.
pub(super) struct Hints {
    slots: Mutex<Box<[Option<Hint>]>>,
}

impl Hints {
    pub(super) fn new() -> Self {
        Self { slots: Mutex::new(vec![None; HINT_SLOTS].into_boxed_slice()) }
    }

    pub(super) fn insert_all(&self, pairs: impl Iterator<Item = (Hash, ObjectId)>) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        for (hash, id) in pairs {
            slots[slot_of(&hash, HINT_SLOTS)] = Some((hash, id));
        }
    }

    pub(super) fn get(&self, hash: &Hash) -> Option<ObjectId> {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots[slot_of(hash, HINT_SLOTS)].filter(|(found, _)| found == hash).map(|(_, id)| id)
    }
}

/// 63 bits of both; the lowest bit is 0, and the whole is not.
fn fingerprint(hash: &Hash, id: &ObjectId) -> u64 {
    let hash = first_eight(&hash.as_bytes()[8..]);
    let id = first_eight(id.as_slice());
    let mixed = hash ^ id.rotate_left(32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed << 1).max(2)
}

fn set_of(hash: &Hash) -> std::ops::Range<usize> {
    let start = slot_of(hash, ATTESTED_SLOTS / WAYS) * WAYS;
    start..start + WAYS
}

fn slot_of(hash: &Hash, slots: usize) -> usize {
    usize::try_from(first_eight(hash.as_bytes()) % slots as u64).expect("below the number of slots")
}

fn first_eight(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(*bytes.first_chunk().expect("hashes and ids are longer"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pairs_that_were_inserted_are_known() {
        let attested = Attested::new();
        let pair = |byte: u8, is_tree| {
            let hash = Hash::new(std::array::from_fn(|at| byte.wrapping_mul(31).wrapping_add(at as u8)));
            (hash, Stored { id: ObjectId::from_bytes_or_panic(&[byte; 20]), is_tree })
        };
        let pairs: Vec<_> = (1..100).map(|byte| pair(byte, byte % 2 == 0)).collect();
        for (hash, object) in &pairs {
            assert_eq!(attested.get(hash, &object.id), None);
            attested.insert_all(std::iter::once((*hash, *object)));
        }
        for window in pairs.windows(2) {
            assert_eq!(attested.get(&window[0].0, &window[0].1.id), Some(window[0].1));
            assert_eq!(attested.get(&window[0].0, &window[1].1.id), None);
        }
        attested.clear();
        assert_eq!(attested.get(&pairs[0].0, &pairs[0].1.id), None);
    }
}
