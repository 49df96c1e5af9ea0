//! Synchronising stores, in one binary.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod basics;
mod property;
mod support;
