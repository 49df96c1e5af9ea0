//! Reads Git objects through gix, from packs and loose files, whoever wrote them.
//!
//! gix maps packs into memory, where what was read stays for as long as they are open. So they are opened anew after so
//! much has been read, and the memory of a process does not grow with the store.
//!
//! **Invariant:** an object is reported absent only after the directory has been read afresh and every pack index in
//! it could be opened: a pack that was merged away, or one that is damaged, is never mistaken for absence.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use gix_hash::{ObjectId, oid};
use gix_object::Kind;
use gix_odb::{
    HandleArc, Store,
    pack::{Find, cache::Never},
    store::init,
};

use crate::{Error, Result};

/// Packs that may be added while a handle is open; gix's own default is 32.
const PACK_SLOTS: u16 = 4096;
/// The largest object that is read, in bytes: damage to a length must not exhaust the memory.
pub(super) const OBJECT_BYTES_MAX: usize = 1 << 28;

/// What of a pack comes into memory with an object, in bytes: the system maps its surroundings too, as measured.
const REGION_BYTES: u64 = 2 << 20;
/// After reading from so many such regions, packs are opened anew: 64 MiB are mapped at most.
const REGIONS_MAX: usize = 32;

/// The objects of one repository.
pub(super) struct ObjectDb {
    objects_dir: PathBuf,
    store: RwLock<Arc<Store>>,
    /// Handles not in use; each serves one thread at a time.
    idle: Mutex<Vec<HandleArc>>,
    /// The regions that were read from since packs were opened: which pack, and where.
    mapped: Mutex<HashSet<(u32, u64)>>,
}

impl ObjectDb {
    pub(super) fn open(objects_dir: PathBuf) -> Result<Self> {
        let store = open_store(&objects_dir)?;
        Ok(Self {
            objects_dir,
            store: RwLock::new(store),
            idle: Mutex::new(Vec::new()),
            mapped: Mutex::default(),
        })
    }

    pub(super) fn pack_dir(&self) -> PathBuf {
        self.objects_dir.join("pack")
    }

    /// Reads an object into `buffer`; `None` when there is none.
    pub(super) fn find(&self, id: &oid, buffer: &mut Vec<u8>) -> Result<Option<Kind>> {
        let found = self.with_retry(
            |handle| {
                let found = handle.try_find_cached(id, buffer, &mut Never);
                let found = found.map_err(|error| failed("read", id, error))?;
                Ok(found.map(|(object, location)| (object.kind, location)))
            },
            |found| found.is_some(),
        )?;
        let Some((kind, location)) = found else { return Ok(None) };
        if let Some(location) = location {
            let region = (location.pack_id, location.pack_offset / REGION_BYTES);
            let mut mapped = self.mapped.lock().unwrap_or_else(PoisonError::into_inner);
            mapped.insert(region);
            if mapped.len() > REGIONS_MAX {
                drop(mapped);
                self.reopen()?;
            }
        }
        Ok(Some(kind))
    }

    /// Reads an object and checks that its content has this id.
    pub(super) fn find_verified(&self, id: &oid, buffer: &mut Vec<u8>) -> Result<Option<Kind>> {
        let Some(kind) = self.find(id, buffer)? else { return Ok(None) };
        let actual = id_of(kind, buffer)?;
        if actual.as_ref() != id {
            let reason = format!("its content has the id {actual}");
            return Err(failed("verify", id, prolly_core::Error::Malformed { reason }));
        }
        Ok(Some(kind))
    }

    /// The kind of an object; `None` when there is none.
    pub(super) fn kind(&self, id: &oid) -> Result<Option<Kind>> {
        self.with_retry(
            |handle| {
                let header = gix_odb::Header::try_header(handle, id);
                Ok(header.map_err(|error| failed("read", id, error))?.map(|header| header.kind()))
            },
            |found| found.is_some(),
        )
    }

    /// Whether an object is in what was seen of the directory so far: `false` says nothing.
    pub(super) fn knows(&self, id: &oid) -> bool {
        self.with_handle(|handle| {
            let mut handle = handle.clone();
            handle.refresh_never();
            gix_odb::pack::Find::contains(&handle, id)
        })
    }

    /// Ids that begin with the hex digits.
    pub(super) fn ids_by_prefix(&self, hex: &str) -> Result<HashSet<ObjectId>> {
        let fail = |error| Error::GitObject { action: "look up", object: hex.to_owned(), source: error };
        let prefix = gix_hash::Prefix::from_hex(hex).map_err(|error| fail(Box::new(error)))?;
        let mut candidates = HashSet::new();
        self.with_handle(|handle| {
            handle.lookup_prefix(prefix, Some(&mut candidates)).map_err(|error| fail(Box::new(error)))
        })?;
        Ok(candidates)
    }

    /// Forgets open packs: those that have been removed no longer hold their space.
    pub(super) fn reopen(&self) -> Result<()> {
        let fresh = open_store(&self.objects_dir)?;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        *self.store.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        self.mapped.lock().unwrap_or_else(PoisonError::into_inner).clear();
        idle.clear();
        Ok(())
    }

    /// Runs `read`, and once more on freshly read directories when it finds nothing or fails: a pack may have been
    /// merged into another one in between.
    fn with_retry<T>(
        &self,
        mut read: impl FnMut(&HandleArc) -> Result<T>,
        found: impl Fn(&T) -> bool,
    ) -> Result<T> {
        if let Ok(value) = self.with_handle(&mut read)
            && found(&value)
        {
            return Ok(value);
        }
        self.reopen()?;
        let value = self.with_handle(&mut read)?;
        if !found(&value) {
            check_indices(&self.pack_dir())?;
        }
        Ok(value)
    }

    fn with_handle<T>(&self, run: impl FnOnce(&HandleArc) -> T) -> T {
        let store = Arc::clone(&self.store.read().unwrap_or_else(PoisonError::into_inner));
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let handle = match idle {
            Some(handle) if std::ptr::eq(handle.store_ref(), &*store) => handle,
            _ => store.to_cache_arc(),
        };
        let out = run(&handle);
        // A handle that a panic abandoned is not returned; neither is one of a store that was replaced meanwhile.
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.store.read().unwrap_or_else(PoisonError::into_inner);
        if std::ptr::eq(handle.store_ref(), &**current) {
            idle.push(handle);
        }
        out
    }
}

/// The id of an object with this content.
pub(super) fn id_of(kind: Kind, content: &[u8]) -> Result<ObjectId> {
    gix_object::compute_hash(gix_hash::Kind::Sha1, kind, content).map_err(|error| Error::GitObject {
        action: "hash",
        object: format!("of {} bytes", content.len()),
        source: Box::new(error),
    })
}

fn failed(action: &'static str, id: &oid, error: impl Into<prolly_core::Source>) -> Error {
    Error::GitObject { action, object: id.to_string(), source: error.into() }
}

fn open_store(objects_dir: &Path) -> Result<Arc<Store>> {
    let options = init::Options {
        slots: init::Slots::Given(PACK_SLOTS),
        alloc_limit_bytes: Some(OBJECT_BYTES_MAX),
        ..init::Options::default()
    };
    // No replacements: `refs/replace` must not change what a commit holds.
    Store::at_opts(objects_dir.to_owned(), gix_hash::Kind::Sha1, &mut std::iter::empty(), options)
        .map(Arc::new)
        .map_err(|error| Error::io("open", objects_dir, error))
}

/// Opens every pack index: gix passes over those it cannot open.
fn check_indices(pack_dir: &Path) -> Result<()> {
    for (name, _) in super::files::list(pack_dir)? {
        let path = pack_dir.join(&name);
        if !name.ends_with(".idx") {
            continue;
        }
        if let Err(error) = gix_odb::pack::index::File::at(&path, gix_hash::Kind::Sha1)
            && super::files::metadata(&path)?.is_some()
        {
            return Err(Error::DamagedFile { path, reason: error.to_string() });
        }
    }
    Ok(())
}
