//! Opens a store, or makes one.

use std::{
    io,
    path::Path,
    sync::{Arc, Mutex},
};

use super::{Disk, FileOptions, FileStore, KIND, SYNC_EVERYTHING_FROM};
use crate::{
    Error, Result,
    vfs::{self, Vfs},
};

const MAGIC: &str = "prollytree file store";
const VERSION: u32 = 1;
/// What an interrupted making of a store may leave.
const UNFINISHED: [&str; 3] = ["lock", "objects", "tmp"];

pub(super) fn open_disk(path: &Path, options: FileOptions) -> Result<FileStore> {
    let not_a_store =
        |reason: &str| Error::NotAStore { path: path.to_owned(), kind: KIND, reason: reason.to_owned() };
    if path.is_file() {
        return Err(not_a_store("it is a file, not a directory"));
    }
    let root = vfs::create_dir(path)?;
    // Nothing is written, not even the lock, into a directory that belongs to somebody else.
    let is_made = || root.join("format").exists();
    if !is_made() {
        let entries = Disk.list(&root).map_err(Error::io("list", &root))?;
        // Somebody else may have made the store meanwhile: only what is there before the format tells of other owners.
        if let Some(other) = entries.iter().find(|entry| !UNFINISHED.contains(&entry.name.as_str()))
            && !is_made()
        {
            return Err(not_a_store(&format!("it is a directory with {:?} in it", other.name)));
        }
    }
    let lock = Some(vfs::open_lock_file(&root.join("lock"))?);
    open(FileStore {
        root,
        vfs: Arc::new(Disk),
        options,
        sync_everything_from: SYNC_EVERYTHING_FROM,
        writer: Mutex::default(),
        lock,
    })
}

/// Checks the format of a store, or makes it. What an interrupted transaction left is removed when the next begins.
pub(super) fn open(store: FileStore) -> Result<FileStore> {
    let path = store.at("format");
    if let Some(format) = store.read(&path)? {
        check_format(&store.root, &path, &format)?;
        return Ok(store);
    }
    let lock = store.lock()?;
    match store.read(&path)? {
        Some(format) => check_format(&store.root, &path, &format)?,
        None => make(&store)?,
    }
    drop(lock);
    Ok(store)
}

fn make(store: &FileStore) -> Result<()> {
    for dir in ["objects", "tmp"] {
        let dir = store.at(dir);
        match store.vfs.create_dir(&dir) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made.map_err(Error::io("make directory", &dir))?,
        }
    }
    store.sync_dir(&store.root)?;
    store.replace("format", format!("{MAGIC}\n{VERSION}\n").as_bytes())
}

fn check_format(root: &Path, path: &Path, format: &[u8]) -> Result<()> {
    let text = String::from_utf8_lossy(format);
    let mut lines = text.split('\n');
    if lines.next() != Some(MAGIC) {
        let reason = format!("its file {} does not begin with {MAGIC:?}", path.display());
        return Err(Error::NotAStore { path: root.to_owned(), kind: KIND, reason });
    }
    match lines.next().and_then(|version| version.parse().ok()) {
        Some(VERSION) if lines.eq([""]) => Ok(()),
        Some(found) if found > VERSION => {
            Err(Error::NewerStore { path: root.to_owned(), kind: KIND, found, supported: VERSION })
        }
        _ => Err(Error::Damaged { path: path.to_owned(), reason: "it has no valid version".to_owned() }),
    }
}
