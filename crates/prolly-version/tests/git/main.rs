//! The Git commit graph against the real Git.
#![cfg(feature = "git")]

mod gitops;
mod support;
