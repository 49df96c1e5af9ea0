//! The Git commit graph against the real Git.
#![cfg(feature = "git")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod commits;
mod concurrency;
mod damage;
mod gitops;
mod hints;
mod opening;
mod packs;
mod refs;
mod support;
