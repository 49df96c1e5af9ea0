//! Panics of the executor, as errors.
//!
//! GlueSQL panics on some arguments: `SUBSTR('é', 2, 1)` cuts a character in two, a date leaves its range. What a statement did
//! is undone as after any error.
//!
//! **Invariant:** such a panic prints nothing. The process has one hook for panics, so there is one in front of it that
//! passes on all others.

use std::{
    cell::Cell,
    panic::{self, AssertUnwindSafe},
    sync::Once,
    thread,
};

use crate::{Error, Result};

thread_local! {
    /// Whether this thread is in [`caught`].
    static IS_CAUGHT: Cell<bool> = const { Cell::new(false) };
}

static HOOK: Once = Once::new();

/// Does some work, which may leave behind only what can be undone. A panic in it is an error.
pub(crate) fn caught<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    if !thread::panicking() {
        HOOK.call_once(|| {
            let before = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                if !IS_CAUGHT.try_with(Cell::get).unwrap_or(false) {
                    before(info);
                }
            }));
        });
    }
    let was_caught = IS_CAUGHT.replace(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(work));
    IS_CAUGHT.set(was_caught);
    outcome.unwrap_or_else(|payload| {
        let message = match (payload.downcast_ref::<String>(), payload.downcast_ref::<&str>()) {
            (Some(message), _) => message,
            (None, Some(message)) => *message,
            (None, None) => "the executor panicked",
        };
        Err(Error::Refused(format!("the statement cannot be evaluated: {message}")))
    })
}
