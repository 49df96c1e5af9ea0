//! Shares one open database among the handles of this process, and hands it to other processes on demand.
//!
//! **Invariants:** a process has a database open at most once; it is closed only while nothing uses it; a database that
//! reported a failure is closed and opened again before its next use, so that one full disk does not end a process.

use std::{
    collections::HashMap,
    fs::{File, TryLockError},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak},
    thread,
    time::{Duration, Instant},
};

use redb::Database;

use super::{
    RedbOptions,
    failure::{Failure, describe_panic},
};
use crate::{Error, Result, vfs};

/// How often a process that has the database looks whether another wants it.
const POLL: Duration = Duration::from_millis(10);
/// How long a process keeps a database that another wants, so that two busy ones do not only open and close.
const HOLD_AT_LEAST: Duration = Duration::from_millis(20);
/// How long an idle process keeps the database open.
const IDLE: Duration = Duration::from_secs(1);

/// Opens the database.
pub(crate) type Opener = Box<dyn Fn() -> Result<Database, Failure> + Send + Sync>;

pub(super) struct Lease {
    path: PathBuf,
    opener: Opener,
    demand: Option<Demand>,
    busy_timeout: Duration,
    state: Mutex<State>,
    changed: Condvar,
}

/// The file that a process locks while it waits for the database.
struct Demand {
    file: File,
    path: PathBuf,
}

#[derive(Default)]
struct State {
    database: Option<Arc<Database>>,
    /// A thread is opening it.
    opening: bool,
    /// Uses under way, transactions among them.
    users: usize,
    transactions: usize,
    /// Another process wants it: no new uses, unless for the sake of a transaction under way.
    yielding: bool,
    /// It failed, and has to be opened again.
    discard: bool,
    /// Why it could not be closed cleanly, for the next use to report.
    close_failure: Option<Failure>,
    /// Counts the openings, so that a watcher knows its own.
    opening_number: u64,
    opened: Option<Instant>,
    used: Option<Instant>,
}

static LEASES: Mutex<Option<HashMap<PathBuf, Weak<Lease>>>> = Mutex::new(None);

impl Lease {
    /// The lease of the database at `path` (canonical), shared by all who ask for it in this process.
    pub(super) fn shared(
        path: &Path,
        demand: &Path,
        opener: Opener,
        options: &RedbOptions,
    ) -> Result<Arc<Self>> {
        let mut leases = LEASES.lock().unwrap_or_else(PoisonError::into_inner);
        let leases = leases.get_or_insert_default();
        // A database that was deleted below its handles must not be taken for one made anew at its path.
        if let Some(lease) = leases.get(path).and_then(Weak::upgrade).filter(|_| path.exists()) {
            return Ok(lease);
        }
        leases.retain(|_, lease| lease.strong_count() > 0);
        let file = vfs::open_lock_file(demand)?;
        let mut lease = Self::new(path, opener, options);
        lease.demand = Some(Demand { file, path: demand.to_owned() });
        let lease = Arc::new(lease);
        leases.insert(path.to_owned(), Arc::downgrade(&lease));
        Ok(lease)
    }

    /// A lease of a database that only its owner knows of.
    pub(super) fn new(path: &Path, opener: Opener, options: &RedbOptions) -> Self {
        Self {
            path: path.to_owned(),
            opener,
            demand: None,
            busy_timeout: options.busy_timeout,
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Runs a function over the open database.
    pub(super) fn run<T>(
        self: &Arc<Self>,
        action: &'static str,
        run: impl FnOnce(&Database) -> Result<T, Failure>,
    ) -> Result<T> {
        let mut used = self.enter(false)?;
        let result = catch(|| run(used.database()));
        used.check(action, result)
    }

    /// Begins a use of the database, opening it if need be.
    pub(super) fn enter(self: &Arc<Self>, is_transaction: bool) -> Result<Use> {
        let mut state = self.lock();
        while state.opening || (state.database.is_some() && state.yielding && state.transactions == 0) {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if let Some(failure) = state.close_failure.take() {
            return Err(failure.into_error("close", &self.path));
        }
        if state.database.is_none() {
            state.opening = true;
            drop(state);
            let opened = self.open();
            state = self.lock();
            state.opening = false;
            self.changed.notify_all();
            state.database = Some(Arc::new(opened?));
            state.opening_number += 1;
            state.opened = Some(Instant::now());
            state.yielding = false;
            state.discard = false;
            self.watch(state.opening_number)?;
        }
        state.users += 1;
        state.transactions += usize::from(is_transaction);
        state.used = Some(Instant::now());
        let database = state.database.clone();
        Ok(Use { lease: self.clone(), database, is_transaction })
    }

    /// Closes the database unless it is in use.
    pub(super) fn release(&self) -> Result<()> {
        let mut state = self.lock();
        if state.users == 0 {
            self.close(&mut state);
        }
        state.close_failure.take().map_or(Ok(()), |failure| Err(failure.into_error("close", &self.path)))
    }

    /// Runs a function that needs the database for itself; `None` when it is in use.
    pub(super) fn run_alone<T>(
        self: &Arc<Self>,
        action: &'static str,
        run: impl FnOnce(&mut Database) -> Result<T, Failure>,
    ) -> Result<Option<T>> {
        drop(self.enter(false)?);
        let mut state = self.lock();
        let Some(database) = state.database.as_mut().and_then(Arc::get_mut) else { return Ok(None) };
        let result = catch(|| run(database));
        state.used = Some(Instant::now());
        result.map(Some).map_err(|failure| {
            state.discard = true;
            self.close(&mut state);
            failure.into_error(action, &self.path)
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the database, telling the process that has it, if any, that it is wanted.
    fn open(&self) -> Result<Database> {
        let start = Instant::now();
        let mut pause = Duration::from_millis(1);
        let mut wait = || {
            let waited = start.elapsed();
            if waited >= self.busy_timeout {
                return Err(Error::Busy { path: self.path.clone(), waited });
            }
            thread::sleep(pause);
            pause = (pause * 2).min(POLL);
            Ok(())
        };
        let demand = match &self.demand {
            Some(demand) => {
                while !demand.try_lock()? {
                    wait()?;
                }
                Some(DemandGuard(demand))
            }
            None => None,
        };
        let opened = loop {
            match catch(|| (self.opener)()) {
                Err(Failure::InUse) => wait()?,
                opened => break opened.map_err(|failure| failure.into_error("open", &self.path)),
            }
        };
        match demand {
            Some(guard) => guard.release().and(opened),
            None => opened,
        }
    }

    /// Closes the database. Nobody may be using it.
    fn close(&self, state: &mut State) {
        debug_assert_eq!(state.users, 0);
        if let Some(database) = state.database.take().and_then(Arc::into_inner) {
            let closed = catch(|| Ok(database.close()?));
            // A database that failed has said so already.
            if !state.discard {
                state.close_failure = closed.err();
            }
        }
        state.yielding = false;
        self.changed.notify_all();
    }

    fn watch(self: &Arc<Self>, opening_number: u64) -> Result<()> {
        if self.demand.is_none() {
            return Ok(());
        }
        let lease = Arc::downgrade(self);
        let watch = move || {
            loop {
                thread::sleep(POLL);
                let Some(lease) = lease.upgrade() else { return };
                if !lease.tick(opening_number) {
                    return;
                }
            }
        };
        let spawned = thread::Builder::new().name("prolly-redb".to_owned()).spawn(watch);
        spawned.map(|_detached| ()).map_err(Error::io("start a thread to share", &self.path))
    }

    /// Lets go of the database when another process wants it, or nobody used it for long. Returns whether to go on.
    fn tick(&self, opening_number: u64) -> bool {
        let mut state = self.lock();
        if state.database.is_none() || state.opening_number != opening_number {
            return false;
        }
        let past = |since: Option<Instant>, time| since.is_some_and(|since| since.elapsed() >= time);
        if past(state.opened, HOLD_AT_LEAST) && self.demand.as_ref().is_some_and(Demand::is_made) {
            state.yielding = true;
        }
        if state.users == 0 && (state.yielding || past(state.used, IDLE)) {
            self.close(&mut state);
        }
        true
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // There is nobody to tell that it was not closed cleanly; what was committed is there all the same.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.close(&mut state);
    }
}

impl Demand {
    fn try_lock(&self) -> Result<bool> {
        match self.file.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(Error::io("lock", &self.path)(error)),
        }
    }

    /// Whether another process waits for the database. When that cannot be found out, it is assumed.
    fn is_made(&self) -> bool {
        !matches!(self.try_lock(), Ok(true)) || self.file.unlock().is_err()
    }
}

struct DemandGuard<'a>(&'a Demand);

impl DemandGuard<'_> {
    fn release(self) -> Result<()> {
        self.0.file.unlock().map_err(Error::io("unlock", &self.0.path))
    }
}

/// A use of the open database. It stays open until the use is dropped.
pub(super) struct Use {
    lease: Arc<Lease>,
    /// `None` only while being dropped.
    database: Option<Arc<Database>>,
    is_transaction: bool,
}

impl Use {
    pub(super) fn database(&self) -> &Database {
        self.database.as_ref().expect("taken only by drop")
    }

    /// Turns a failure into an error, and sees to it that a database that failed is opened again.
    pub(super) fn check<T>(&mut self, action: &'static str, result: Result<T, Failure>) -> Result<T> {
        result.map_err(|failure| {
            if !matches!(failure, Failure::Ours(_)) {
                self.lease.lock().discard = true;
            }
            failure.into_error(action, &self.lease.path)
        })
    }

    pub(super) fn lease(&self) -> &Arc<Lease> {
        &self.lease
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        self.database = None;
        let mut state = self.lease.lock();
        state.users -= 1;
        state.transactions -= usize::from(self.is_transaction);
        state.used = Some(Instant::now());
        if state.users == 0 && (state.discard || state.yielding) {
            self.lease.close(&mut state);
        }
    }
}

/// Runs a function of redb's, which panics when it meets a page that makes no sense.
pub(super) fn catch<T>(run: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    // What a panic leaves behind is not used again: the database is discarded.
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| Err(Failure::Panic(describe_panic(&*panic))))
}
