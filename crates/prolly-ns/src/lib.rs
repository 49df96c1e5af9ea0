//! Namespaces: many maps in one store, under one history.
//!
//! A [`NamespacedStore`] shows the plain maps of a [`Store`](prolly_version::Store) by name. They are committed, branched
//! and merged together, and share that store with every other view of the directory: what `VersionedKvStore` shows is the
//! namespace [`DEFAULT`].
//!
//! ```
//! use prolly_ns::NamespacedStore;
//! use prolly_version::{MergeOptions, Options};
//!
//! let store = NamespacedStore::memory(Options::default())?; // or NamespacedStore::open(path, Options::default())
//! store.insert("users", b"alice", b"Alice")?;
//! store.insert("settings", b"theme", b"dark")?;
//! store.versions().commit("seed")?;
//!
//! store.versions().create_branch("experiment", None)?;
//! store.insert("settings", b"theme", b"light")?;
//! store.versions().commit("flip theme")?;
//!
//! store.versions().checkout("main", false)?;
//! assert_eq!(store.get("settings", b"theme")?, Some(b"dark".to_vec()));
//! store.merge("experiment", MergeOptions::default())?;
//! assert_eq!(store.get("settings", b"theme")?, Some(b"light".to_vec()));
//! assert!(store.namespace_changed("settings", "HEAD~1", "HEAD")?);
//! assert!(!store.namespace_changed("users", "HEAD~1", "HEAD")?);
//! # Ok::<(), prolly_ns::Error>(())
//! ```
//!
//! | to | call |
//! |---|---|
//! | read | [`NamespacedStore::get`], [`get_many`](NamespacedStore::get_many), [`keys`](NamespacedStore::keys), [`range`](NamespacedStore::range), [`len`](NamespacedStore::len) |
//! | stage | [`NamespacedStore::insert`], [`insert_many`](NamespacedStore::insert_many), [`update`](NamespacedStore::update), [`delete`](NamespacedStore::delete) |
//! | stream | [`NamespacedStore::insert_reader`], [`open_value`](NamespacedStore::open_value); [`set_externalize_threshold`](NamespacedStore::set_externalize_threshold), [`gc_blobs`](NamespacedStore::gc_blobs) |
//! | stage namespaces | [`NamespacedStore::create_namespace`], [`drop_namespace`](NamespacedStore::drop_namespace), [`rename_namespace`](NamespacedStore::rename_namespace), [`copy_namespace`](NamespacedStore::copy_namespace); [`namespaces`](NamespacedStore::namespaces) lists them |
//! | compare | [`NamespacedStore::root_hash`], [`namespace_changed`](NamespacedStore::namespace_changed), [`diff`](NamespacedStore::diff), [`changes`](NamespacedStore::changes), [`history`](NamespacedStore::history) |
//! | prove | [`NamespacedStore::prove`], [`NamespaceProof`] |
//! | merge | [`NamespacedStore::merge`], [`try_merge`](NamespacedStore::try_merge), [`by_namespace`] |
//! | commit, branch, move, log | [`NamespacedStore::versions`] |

mod compare;
mod entries;
mod error;
mod feed;
mod merge;
mod name;
mod namespaces;
mod proof;
mod snapshot;
mod store;
mod values;

pub use entries::Keys;
pub use error::{Error, Result};
pub use feed::{ChangeFeed, NamespaceChange};
pub use merge::by_namespace;
pub use name::{DEFAULT, NAME_BYTES_MAX, namespace_of};
pub use namespaces::{Namespace, Namespaces};
pub use proof::NamespaceProof;
pub use snapshot::NamespacedSnapshot;
pub use store::NamespacedStore;
