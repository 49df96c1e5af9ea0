//! Opens the database and checks that it is one of ours.

use std::path::Path;

use redb::{
    Database, ReadableDatabase as _, StorageBackend, TableError, TableHandle as _, backends::FileBackend,
};

use super::{
    RedbOptions,
    failure::Failure,
    lease::Opener,
    log::{BASES, FORMAT_KEY, FORMAT_VERSION, INDEX, KIND, LOG, META, RECENT, REFS},
};
use crate::{Error, vfs};

/// Opens the database in a file, making it if there is none. Only one process may do so at a time; the lease sees to
/// that.
pub(super) fn file_opener(path: &Path, options: &RedbOptions) -> Opener {
    let (path, page_cache_bytes) = (path.to_owned(), options.page_cache_bytes);
    Box::new(move || {
        let file = match vfs::open_existing(&path)? {
            Some(file) => file,
            None => {
                make(&path, page_cache_bytes)?;
                vfs::open_existing(&path)?.ok_or(Failure::InUse)?
            }
        };
        vfs::check_magic(&path, &file, KIND, &MAGIC)?;
        open(&path, page_cache_bytes, FileBackend::new(file)?)
    })
}

/// Makes a database under another name first: a crash on the way leaves nothing that looks like a damaged one.
fn make(path: &Path, page_cache_bytes: usize) -> Result<(), Failure> {
    let unfinished = path.with_extension("redb.new");
    let file = vfs::make_file(&unfinished)?;
    open(&unfinished, page_cache_bytes, FileBackend::new(file)?)?.close()?;
    vfs::publish_file(&unfinished, path)?;
    Ok(())
}

/// What a redb file begins with.
const MAGIC: [u8; 9] = *b"redb\x1a\x0a\xa9\x0d\x0a";

/// Opens the database that `backend` stores, and makes the tables of a new one.
pub(super) fn open(
    path: &Path,
    page_cache_bytes: usize,
    backend: impl StorageBackend,
) -> Result<Database, Failure> {
    let database = Database::builder().set_cache_size(page_cache_bytes).create_with_backend(backend)?;
    let not_ours =
        |reason: String| Failure::Ours(Error::NotAStore { path: path.to_owned(), kind: KIND, reason });
    let snapshot = database.begin_read()?;
    match snapshot.open_table(META) {
        Ok(meta) => {
            let version = meta.get(FORMAT_KEY)?.map(|version| version.value());
            match version {
                Some(FORMAT_VERSION) => Ok(()),
                Some(found) if found > FORMAT_VERSION => Err(Failure::Ours(Error::NewerStore {
                    path: path.to_owned(),
                    kind: KIND,
                    found,
                    supported: FORMAT_VERSION,
                })),
                found => Err(not_ours(format!("its format version is {found:?}"))),
            }?;
        }
        Err(TableError::TableDoesNotExist(_)) => {
            if let Some(table) = snapshot.list_tables()?.next() {
                return Err(not_ours(format!(
                    "it is a database with a table {:?} of another kind",
                    table.name()
                )));
            }
            drop(snapshot);
            return make_tables(database);
        }
        Err(error @ TableError::Storage(_)) => return Err(error.into()),
        Err(error) => return Err(not_ours(error.to_string())),
    }
    drop(snapshot);
    Ok(database)
}

fn make_tables(database: Database) -> Result<Database, Failure> {
    let transaction = database.begin_write()?;
    transaction.open_table(META)?.insert(FORMAT_KEY, FORMAT_VERSION)?;
    transaction.open_table(REFS)?;
    transaction.open_table(INDEX)?;
    transaction.open_table(RECENT)?;
    transaction.open_table(LOG)?;
    transaction.open_table(BASES)?;
    transaction.commit()?;
    Ok(database)
}
