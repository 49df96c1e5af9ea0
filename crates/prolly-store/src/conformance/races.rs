//! Many threads at once.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use prolly_core::Hash;

use super::{Place, assert_has, edit, object, publish};
use crate::{Backend, Error, Expected};

/// Adds 1 to the number that a ref holds, `times` times, starting again whenever somebody else was faster. Returns how
/// often that was.
pub fn increment(store: &dyn Backend, name: &str, times: u64) -> u64 {
    let (mut done, mut lost) = (0, 0);
    while done < times {
        let held = store.read_ref(name).unwrap();
        let number = held.as_ref().map_or(0, |bytes| u64::from_le_bytes(bytes[..].try_into().unwrap()));
        let expected = held.map_or(Expected::Absent, Expected::Value);
        let new = object(number, 300);
        let mut transaction = store.begin().unwrap();
        transaction.put(&new.0, &new.1).unwrap();
        match transaction.commit(&[edit(name, expected, Some(&(number + 1).to_le_bytes()))]) {
            Ok(()) => done += 1,
            Err(Error::RefMoved { .. }) => lost += 1,
            Err(error) => panic!("{error}"),
        }
    }
    lost
}

/// Threads with handles of their own add to one number: it ends as high as they added together.
pub fn no_increment_is_lost(place: &dyn Place) {
    let (threads, times) = (6, 12);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| increment(&*place.open(), "number", times));
        }
    });
    let held = place.open().read_ref("number").unwrap().unwrap();
    assert_eq!(u64::from_le_bytes(held.try_into().unwrap()), threads * times);
}

/// Whoever reads a ref finds the object that was published with it; two refs published together are read together.
pub fn readers_never_see_half_a_publish(place: &dyn Place) {
    let done = AtomicBool::new(false);
    let address = |value: &[u8]| Hash::from_slice(value).unwrap();
    thread::scope(|scope| {
        let reader = || {
            let store = place.open();
            let mut seen = BTreeSet::new();
            while !done.load(Ordering::Relaxed) {
                let refs = store.refs("").unwrap();
                let values: BTreeSet<_> = refs.iter().map(|(_, value)| value.clone()).collect();
                assert!(values.len() <= 1, "two refs that move together differ");
                for value in values {
                    assert!(store.get(&address(&value)).unwrap().is_some(), "a ref names what is not there");
                    seen.insert(value);
                }
            }
            seen.len()
        };
        let readers = [scope.spawn(reader), scope.spawn(reader)];
        let store = place.open();
        for seed in 0..40 {
            let new = object(seed, 20_000);
            let value = new.0.as_bytes();
            let edits = ["one", "two"].map(|name| edit(name, Expected::Any, Some(value)));
            publish(&*store, &[new.clone(), object(1_000 + seed, 20_000)], &edits);
        }
        // Readers that were slow to start still have the last state to see.
        thread::sleep(std::time::Duration::from_millis(20));
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            assert!(reader.join().unwrap() > 0, "a reader saw nothing");
        }
    });
}

/// Objects that come and go under sweeps: what a ref names is always there.
pub fn sweeps_and_publishes_exclude_each_other(place: &dyn Place) {
    let done = AtomicBool::new(false);
    let named = |store: &dyn Backend| -> BTreeSet<Hash> {
        store.refs("").unwrap().iter().map(|(_, value)| Hash::from_slice(value).unwrap()).collect()
    };
    thread::scope(|scope| {
        let sweeper = scope.spawn(|| {
            let store = place.open();
            let mut removed = 0;
            loop {
                let last = done.load(Ordering::Relaxed);
                let transaction = store.begin().unwrap();
                // Marked under the transaction: nothing can be published before it is swept.
                let keep = named(&*store);
                removed += transaction.sweep(&mut |hash| keep.contains(hash)).unwrap().objects_removed;
                if last {
                    return removed;
                }
            }
        });
        let writers: Vec<_> = (0..2)
            .map(|writer| {
                scope.spawn(move || {
                    let store = place.open();
                    for round in 0..25 {
                        // The same few objects again and again, so that old copies are swept while new ones come.
                        let new = object(writer * 100 + round % 5, 6_000);
                        let edits = [edit(&format!("w{writer}"), Expected::Any, Some(new.0.as_bytes()))];
                        publish(&*store, std::slice::from_ref(&new), &edits);
                        assert_has(&*store, &[new]);
                    }
                })
            })
            .collect();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        done.store(true, Ordering::Relaxed);
        assert!(sweeper.join().unwrap() > 0, "nothing was swept");
    });
    let store = place.open();
    let kept = named(&*store);
    assert_eq!(kept.len(), 2);
    assert!(kept.iter().all(|hash| store.get(hash).unwrap().is_some()));
    assert_eq!(store.stats().unwrap().objects, 2);
}
