//! The tests of the crate that use only its public API, in one binary.

mod graph;
mod revision;
mod support;
