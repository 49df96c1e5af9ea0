//! Synchronising stores, in one binary.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod faults;
mod git;
mod parts;
mod property;
mod pushes;
mod support;
mod verbs;
