//! Refs in the database: redb does not check its pages when it reads them, so every value carries a checksum.
//!
//! ```text
//! 0  checksum 8     first bytes of BLAKE3(name, 0, value)
//! 8  value
//! ```

use std::path::Path;

use redb::{ReadableTable as _, WriteTransaction};

use super::{failure::Failure, log::REFS};
use crate::{Error, RefEdit, Result, refs::moved};

const CHECKSUM_BYTES: usize = 8;

fn checksum(name: &str, value: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(name.as_bytes()).update(&[0]).update(value);
    *hasher.finalize().as_bytes().first_chunk().expect("a hash is longer")
}

fn seal(name: &str, value: &[u8]) -> Vec<u8> {
    [&checksum(name, value), value].concat()
}

/// Takes the value of a ref out of what is stored.
pub(super) fn unseal<'a>(path: &Path, name: &str, stored: &'a [u8]) -> Result<&'a [u8]> {
    match stored.split_first_chunk() {
        Some((sum, value)) if *sum == checksum(name, value) => Ok(value),
        _ => {
            let reason = format!("the checksum of ref {name:?} does not match");
            Err(Error::Damaged { path: path.to_owned(), reason })
        }
    }
}

/// Makes checked edits.
pub(super) fn edit(transaction: &WriteTransaction, path: &Path, edits: &[RefEdit]) -> Result<(), Failure> {
    let mut refs = transaction.open_table(REFS)?;
    for edit in edits {
        let found = refs.get(&*edit.name)?;
        let found = found.as_ref().map(|stored| unseal(path, &edit.name, stored.value())).transpose()?;
        if !edit.expected.admits(found) {
            return Err(Failure::Ours(moved(edit, found)));
        }
    }
    for RefEdit { name, new, .. } in edits {
        match new {
            Some(value) => refs.insert(&**name, &*seal(name, value))?,
            None => refs.remove(&**name)?,
        };
    }
    Ok(())
}
