//! Every access to files goes through here.
//!
//! **Invariant:** no other module of the crate opens, writes, renames or syncs a file, so faults injected here are all
//! the faults there are. (redb's own file goes through its `StorageBackend`.)

mod scratch;

pub(crate) use scratch::Scratch;
