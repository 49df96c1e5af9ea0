//! The tests of the crate that use only its public API, in one binary.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod damage;
mod graph;
mod journal;
mod merge;
mod model;
mod process;
mod revision;
mod staging;
mod store;
mod support;
mod swept;
