//! What every store has to do, as tests that any implementation can run.
//!
//! ```ignore
//! prolly_store::conformance_tests!(my_store, || MyPlace::new());
//! ```

mod objects;
mod races;
mod refs;
mod sweeps;

use std::sync::Arc;

use prolly_core::Hash;

use crate::{Backend, Expected, RefEdit};

#[cfg(test)]
pub(crate) use objects::leaf_bytes;
pub use objects::*;
pub use races::*;
pub use refs::*;
pub use sweeps::*;

/// Where a store under test is. Every test gets a place of its own with an empty store.
pub trait Place: Send + Sync {
    /// Opens a handle of the store: the first one, another one beside it, or one after all others were dropped.
    fn open(&self) -> Arc<dyn Backend>;
}

/// Makes a `#[test]` of every test of the suite, in a module `$name`, each in a place that `$place` makes.
#[macro_export]
macro_rules! conformance_tests {
    ($name:ident, $place:expr) => {
        mod $name {
            use super::*;
            $crate::conformance_tests!(@each $place;
                objects_read_back, an_empty_store_has_nothing, objects_of_all_lengths_read_back,
                many_objects_in_one_transaction, putting_again_replaces, a_dropped_transaction_leaves_nothing,
                a_transaction_is_invisible_until_it_commits, everything_survives_reopening,
                two_handles_see_each_other, prefixes_find_addresses, versions_of_a_node_read_back,
                stats_count_objects,
                refs_change_by_compare_and_swap, a_failed_edit_changes_nothing, invalid_edits_are_refused,
                refs_are_listed_in_order, odd_names_and_values_survive,
                a_sweep_removes_what_is_not_kept, a_sweep_of_nothing_changes_nothing,
                a_sweep_keeps_versions_apart, what_is_put_again_is_safe_from_the_sweep_before,
                random_histories_match_a_model,
                no_increment_is_lost, readers_never_see_half_a_publish, sweeps_and_publishes_exclude_each_other,
            );
        }
    };
    (@each $place:expr; $($test:ident),* $(,)?) => {
        $(#[test]
        fn $test() {
            $crate::conformance::$test(&$place());
        })*
    };
}

/// An object with random content: any bytes do, backends do not check addresses.
pub(crate) fn object(seed: u64, len: usize) -> (Hash, Vec<u8>) {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    let address =
        blake3::Hasher::new().update(b"address").update(&seed.to_le_bytes()).update(&bytes).finalize();
    (address.into(), bytes)
}

pub(crate) fn edit(name: &str, expected: Expected, new: Option<&[u8]>) -> RefEdit {
    RefEdit { name: name.to_owned(), expected, new: new.map(<[u8]>::to_vec) }
}

pub(crate) fn publish(store: &dyn Backend, objects: &[(Hash, Vec<u8>)], edits: &[RefEdit]) {
    let mut transaction = store.begin().unwrap();
    objects.iter().for_each(|(hash, bytes)| transaction.put(hash, bytes).unwrap());
    transaction.commit(edits).unwrap();
}

#[track_caller]
pub(crate) fn assert_has(store: &dyn Backend, objects: &[(Hash, Vec<u8>)]) {
    for (hash, bytes) in objects {
        let found = store.get(hash).unwrap();
        assert!(found.as_deref() == Some(&bytes[..]), "{hash} of {} bytes does not read back", bytes.len());
        assert!(store.contains(hash).unwrap());
    }
}

#[track_caller]
pub(crate) fn assert_lacks(store: &dyn Backend, objects: &[(Hash, Vec<u8>)]) {
    for (hash, _) in objects {
        assert!(store.get(hash).unwrap().is_none() && !store.contains(hash).unwrap(), "{hash} is there");
    }
}

/// A small generator of pseudo-random numbers.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % bound as u64) as usize
    }
}
