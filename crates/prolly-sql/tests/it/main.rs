//! The tests of the crate that use only its public API, in one binary.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod crashes;
mod hints;
mod keys;
mod limits;
mod support;
mod touched;
mod transactions;
mod versions;
