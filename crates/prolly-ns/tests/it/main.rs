//! The tests of the crate, in one binary.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod model;
mod namespaces;
mod values;
