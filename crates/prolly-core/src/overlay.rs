//! Edits that have not reached the tree yet: an arena with a hash index, sorted only when order is needed.
//!
//! **Invariant:** at most one edit per key, the latest.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::{
    Error, Locator, MAX_KEY_BYTES, Result, ValueRef,
    edit::{EditRef, EditSource},
};

/// The longest value an overlay takes, in bytes.
pub const MAX_VALUE_BYTES: usize = 1 << 30;

/// What the overlay knows of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edited<'a> {
    /// The key shall have this value.
    Put(&'a [u8]),
    /// The key shall be absent.
    Deleted,
}

#[derive(Clone, Copy)]
struct Slot {
    key: usize,
    key_len: u32,
    /// [`DELETED`] for a removal.
    value_len: u32,
    value: usize,
}

const DELETED: u32 = u32::MAX;

#[derive(Default)]
pub(crate) struct Overlay {
    arena: Vec<u8>,
    slots: Vec<Slot>,
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Overlay {
    /// Number of edited keys.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Memory that the edits occupy, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.arena.len() + self.slots.len() * (size_of::<Slot>() + 8)
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<Edited<'_>> {
        if self.slots.is_empty() {
            return None;
        }
        let hash = self.hasher.hash_one(key);
        let slot = self.index.find(hash, |slot| self.key(*slot) == key)?;
        Some(self.edited(*slot))
    }

    /// Notes that `key` shall have `value`, or be absent.
    ///
    /// # Errors
    /// [`Error::KeyTooLong`], [`Error::ValueTooLong`].
    pub(crate) fn set(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<()> {
        if key.len() > MAX_KEY_BYTES {
            return Err(Error::KeyTooLong { len: key.len(), max: MAX_KEY_BYTES });
        }
        let value_len = value.map_or(0, <[u8]>::len);
        if value_len > MAX_VALUE_BYTES {
            return Err(Error::ValueTooLong { len: value_len, max: MAX_VALUE_BYTES });
        }
        let stored_len = if value.is_some() { value_len as u32 } else { DELETED };
        let hash = self.hasher.hash_one(key);
        let Self { arena, slots, index, hasher } = self;
        let found = index.find(hash, |slot| key_of(arena, slots, *slot) == key).copied();
        if let Some(slot) = found {
            let slot = &mut slots[slot as usize];
            // A value no longer than the one before takes its place.
            if slot.value_len == DELETED || (slot.value_len as usize) < value_len {
                slot.value = arena.len();
                arena.extend_from_slice(value.unwrap_or_default());
            } else if let Some(value) = value {
                arena[slot.value..slot.value + value_len].copy_from_slice(value);
            }
            slot.value_len = stored_len;
            return Ok(());
        }
        let slot =
            u32::try_from(slots.len()).map_err(|_| Error::store("the overlay holds too many edits"))?;
        let key_at = arena.len();
        arena.extend_from_slice(key);
        arena.extend_from_slice(value.unwrap_or_default());
        slots.push(Slot {
            key: key_at,
            key_len: key.len() as u32,
            value_len: stored_len,
            value: key_at + key.len(),
        });
        index.insert_unique(hash, slot, |slot| hasher.hash_one(key_of(arena, slots, *slot)));
        Ok(())
    }

    pub(crate) fn clear(&mut self) {
        self.arena.clear();
        self.slots.clear();
        self.index.clear();
        // An overlay that once was large does not keep its memory for ever.
        self.arena.shrink_to(1 << 20);
    }

    /// The edits in ascending order of their keys.
    pub(crate) fn sorted(&self) -> SortedOverlay<'_> {
        let count = self.slots.len() as u32;
        let shared = (1..count).map(|slot| common_prefix(self.key(0), self.key(slot))).min().unwrap_or(0);
        let mut order: Vec<(u64, u32)> =
            (0..count).map(|slot| (word(&self.key(slot)[shared..]), slot)).collect();
        order.sort_unstable_by(|(a, a_slot), (b, b_slot)| {
            a.cmp(b).then_with(|| self.key(*a_slot)[shared..].cmp(&self.key(*b_slot)[shared..]))
        });
        SortedOverlay { overlay: self, order, at: 0 }
    }

    fn key(&self, slot: u32) -> &[u8] {
        key_of(&self.arena, &self.slots, slot)
    }

    fn edited(&self, slot: u32) -> Edited<'_> {
        let slot = self.slots[slot as usize];
        if slot.value_len == DELETED {
            return Edited::Deleted;
        }
        Edited::Put(&self.arena[slot.value..slot.value + slot.value_len as usize])
    }
}

fn key_of<'a>(arena: &'a [u8], slots: &[Slot], slot: u32) -> &'a [u8] {
    let slot = slots[slot as usize];
    &arena[slot.key..slot.key + slot.key_len as usize]
}

fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// The first eight bytes as a number that orders as they do, short ones filled up with zeros.
fn word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    let len = bytes.len().min(8);
    word[..len].copy_from_slice(&bytes[..len]);
    u64::from_be_bytes(word)
}

/// The edits of an overlay in order.
pub(crate) struct SortedOverlay<'a> {
    overlay: &'a Overlay,
    order: Vec<(u64, u32)>,
    at: usize,
}

impl EditSource for SortedOverlay<'_> {
    fn next_edit(&mut self) -> Result<Option<EditRef<'_>>> {
        let Some((_, slot)) = self.order.get(self.at) else { return Ok(None) };
        self.at += 1;
        let value = match self.overlay.edited(*slot) {
            Edited::Put(bytes) => Some(ValueRef::Inline(bytes)),
            Edited::Deleted => None,
        };
        Ok(Some(EditRef { key: self.overlay.key(*slot), value, locator: Locator::NONE }))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn behaves_as_a_map(ops in prop::collection::vec(
            (prop::collection::vec(0u8..3, 0..12), prop::option::of(prop::collection::vec(any::<u8>(), 0..5))),
            0..200,
        )) {
            let mut overlay = Overlay::default();
            let mut model = BTreeMap::new();
            for (key, value) in ops {
                overlay.set(&key, value.as_deref()).unwrap();
                model.insert(key, value);
            }
            prop_assert_eq!(overlay.len(), model.len());
            for (key, value) in &model {
                let expected = value.as_deref().map_or(Edited::Deleted, Edited::Put);
                prop_assert_eq!(overlay.get(key), Some(expected));
            }
            let mut sorted = overlay.sorted();
            let mut keys = Vec::new();
            while let Some(edit) = sorted.next_edit().unwrap() {
                keys.push(edit.key.to_vec());
            }
            prop_assert_eq!(keys, model.into_keys().collect::<Vec<_>>());
        }
    }

    #[test]
    fn limits_name_what_is_too_long() {
        let mut overlay = Overlay::default();
        overlay.set(&vec![0; MAX_KEY_BYTES], None).unwrap();
        let error = overlay.set(&vec![0; MAX_KEY_BYTES + 1], None).unwrap_err();
        assert!(matches!(error, Error::KeyTooLong { len, max } if len == max + 1));
    }
}
