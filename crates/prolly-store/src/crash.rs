//! Power cuts and full disks at every step of a store's life: tests that any store on simulated storage can run.

use std::{
    io,
    ops::Range,
    sync::{Arc, LazyLock},
};

use prolly_core::Hash;

use crate::{
    Backend, Error, Expected, Result,
    conformance::{assert_has, edit, object, versions},
};

/// What goes wrong with simulated storage, and when. Every change and every sync is a step.
#[derive(Default, Clone)]
pub(crate) struct Faults {
    /// Steps so far.
    pub(crate) steps: u64,
    /// The step at which the power fails.
    pub(crate) power_off_at: Option<u64>,
    /// The steps for which the disk is full.
    pub(crate) full_during: Range<u64>,
    /// Reads of files end half-way through.
    pub(crate) short_reads: bool,
    /// There is no way to sync everything at once.
    pub(crate) no_sync_everything: bool,
    off: bool,
}

impl Faults {
    /// Counts a step, and fails it when its time has come.
    pub(crate) fn step(&mut self) -> io::Result<()> {
        let step = self.steps;
        self.steps += 1;
        self.off |= self.power_off_at == Some(step);
        self.check_power()?;
        if self.full_during.contains(&step) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    pub(crate) fn check_power(&self) -> io::Result<()> {
        if self.off { Err(io::Error::other("the power is off")) } else { Ok(()) }
    }
}

/// Simulated storage with a store on it.
pub(crate) trait Machine: Sized {
    fn new() -> Self;
    fn open(&self) -> Result<Arc<dyn Backend>>;
    fn faults<T>(&self, set: impl FnOnce(&mut Faults) -> T) -> T;
    /// The machine after a power cut now; `seed` decides what of the unsynced survives.
    fn after_power_cut(&self, seed: u64) -> Self;
}

/// How the error messages of a machine name it.
pub(crate) const ROOT: &str = "/simulated/store";

const GENERATIONS: u8 = 4;
/// How many objects a store has to take for many.
pub(crate) const MANY: usize = 5;

/// What generation `number` publishes: versions of a node, objects of its own, and one that all share. The even ones
/// are many enough to be synced at once.
fn objects_of(number: u8) -> &'static [(Hash, Vec<u8>)] {
    type Objects = Vec<(Hash, Vec<u8>)>;
    static OBJECTS: LazyLock<Vec<Objects>> = LazyLock::new(|| {
        let generation = |number: u64| {
            let mut objects =
                vec![object(7, 5_000), object(number * 100 + 1, 9_000), object(number * 100 + 2, 0)];
            objects.push(versions(number + 1).pop().unwrap());
            let more = if number.is_multiple_of(2) { MANY } else { 0 };
            objects.extend((0..more as u64).map(|index| object(number * 100 + 10 + index, 200)));
            objects
        };
        (0..=u64::from(GENERATIONS)).map(generation).collect()
    });
    &OBJECTS[usize::from(number)]
}

/// Publishes a generation: its objects, and two refs that name it.
fn publish(store: &dyn Backend, number: u8) -> Result<()> {
    let mut transaction = store.begin()?;
    for (hash, bytes) in objects_of(number) {
        transaction.put(hash, bytes)?;
    }
    transaction.commit(&["one", "two"].map(|name| edit(name, Expected::Any, Some(&[number]))))
}

/// Lives from the generation after `published` on, sweeping what older ones left. Counts in `published` what was
/// acknowledged.
fn live(store: &dyn Backend, published: &mut u8) -> Result<()> {
    while *published < GENERATIONS {
        publish(store, *published + 1)?;
        *published += 1;
        let keep: Vec<Hash> = objects_of(*published).iter().map(|(hash, _)| *hash).collect();
        if published.is_multiple_of(2) {
            store.begin()?.sweep(&mut |hash| keep.contains(hash))?;
        }
    }
    Ok(())
}

/// Checks that a store holds generation `acknowledged` or the one after it, whole, and returns which; 0 is none.
#[track_caller]
fn check(store: &dyn Backend, acknowledged: u8, context: &str) -> u8 {
    let refs = store.refs("").unwrap();
    let values: Vec<_> = refs.iter().map(|(_, value)| value[0]).collect();
    let number = match values[..] {
        [] => 0,
        [one, two] if one == two => one,
        _ => panic!("{context}: half of a publish: {values:?}"),
    };
    let expected = acknowledged..=acknowledged + 1;
    assert!(expected.contains(&number), "{context}: generation {number} instead of {expected:?}");
    if number > 0 {
        assert_has(store, objects_of(number));
    }
    number
}

fn steps_of_a_life<M: Machine>(set: impl Fn(&mut Faults)) -> u64 {
    let machine = M::new();
    machine.faults(&set);
    let mut published = 0;
    live(&*machine.open().unwrap(), &mut published).unwrap();
    machine.faults(|faults| faults.steps)
}

/// Cuts the power at every step, and again while recovering: the store is old or new, and works.
pub(crate) fn survives_power_cuts<M: Machine>(set: impl Fn(&mut Faults)) {
    let steps = steps_of_a_life::<M>(&set);
    assert!(steps > 30, "a life of {steps} steps tests nothing");
    let mut failures = 0;
    for step in 0..=steps {
        let machine = M::new();
        machine.faults(&set);
        machine.faults(|faults| faults.power_off_at = Some(step));
        let mut acknowledged = 0;
        let lived = machine.open().and_then(|store| live(&*store, &mut acknowledged));
        // The last steps are those of closing.
        assert!(lived.is_err() || acknowledged == GENERATIONS, "step {step}: {lived:?}");
        failures += u64::from(lived.is_err());
        for seed in 0..2 {
            let context = format!("power cut at step {step} of {steps}, seed {seed}");
            let after = machine.after_power_cut(seed);
            // The power fails again while the store recovers and goes on.
            after.faults(&set);
            after.faults(|faults| faults.power_off_at = Some(seed * 7 + step % 11));
            let mut published = acknowledged;
            let again = after.open().and_then(|store| {
                published = check(&*store, acknowledged, &context);
                live(&*store, &mut published)
            });
            assert!(again.is_err() || published == GENERATIONS, "{context}: {again:?}");
            let after = after.after_power_cut(seed + 100);
            let store = after.open().unwrap_or_else(|error| panic!("{context}: {error}"));
            let mut number = check(&*store, published, &context);
            live(&*store, &mut number).unwrap();
            check(&*store, GENERATIONS, &context);
        }
    }
    assert!(failures > steps / 2, "only {failures} of {steps} power cuts were noticed");
}

/// Cuts the power after every publish: what was acknowledged is there.
pub(crate) fn keeps_what_was_acknowledged<M: Machine>(set: impl Fn(&mut Faults)) {
    for seed in 0..20 {
        let mut machine = M::new();
        for number in 1..=GENERATIONS {
            machine.faults(&set);
            publish(&*machine.open().unwrap(), number).unwrap();
            machine = machine.after_power_cut(seed);
            let store = machine.open().unwrap();
            assert_eq!(check(&*store, number, "after a publish"), number);
        }
    }
}

/// Fills the disk at every step, for one step and for many: the error says so and names the store, what is held is old
/// or new, and once there is room the same handle goes on.
pub(crate) fn survives_a_full_disk<M: Machine>(set: impl Fn(&mut Faults)) {
    let steps = steps_of_a_life::<M>(&set);
    let mut failures = 0;
    for step in 0..steps {
        for full in [1, 1_000_000] {
            let context = format!("disk full for {full} from step {step} of {steps}");
            let machine = M::new();
            machine.faults(&set);
            machine.faults(|faults| faults.full_during = step..step + full);
            let mut published = 0;
            let store = match machine.open() {
                Ok(store) => store,
                Err(error) => {
                    assert_names_the_store(&error, &context);
                    machine.faults(|faults| faults.full_during = 0..0);
                    machine.open().unwrap_or_else(|error| panic!("{context}: {error}"))
                }
            };
            let lived = live(&*store, &mut published);
            machine.faults(|faults| faults.full_during = 0..0);
            if let Err(error) = lived {
                failures += 1;
                assert_names_the_store(&error, &context);
            }
            let mut number = check(&*store, published, &context);
            live(&*store, &mut number).unwrap_or_else(|error| panic!("{context}: {error}"));
            check(&*store, GENERATIONS, &context);
            drop(store);
            check(&*machine.open().unwrap(), GENERATIONS, &context);
        }
    }
    assert!(failures > steps / 2, "only {failures} of {steps} steps failed");
}

#[track_caller]
fn assert_names_the_store(error: &Error, context: &str) {
    let message = error.to_string();
    let is_full = matches!(error, Error::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull);
    assert!(is_full && message.contains(ROOT), "{context}: {message}");
}
