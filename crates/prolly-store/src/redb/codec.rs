//! How the bytes of an object are stored: as they are, compressed, or as their difference from an older object.
//!
//! **Invariant:** an object that others are differences from is not a difference itself, so reading takes two steps at
//! most.

use lz4_flex::block;
use prolly_core::{Hash, Node};

use super::{
    failure::Failure,
    index::Lookup,
    log::{Encoding, Location, Pieces, read_stored},
};
use crate::{Error, Result};

/// Objects up to this length are stored as differences, and serve as what others differ from: LZ4 looks no further
/// back.
const MAX_DIFFERENCE_BYTES: usize = 64 << 10;

/// An object as it is to be stored.
pub(super) struct Stored {
    pub(super) encoding: Encoding,
    pub(super) bytes: Vec<u8>,
}

/// What a node is about: its level and first key, which stay when its entries change. Two versions of a node share
/// it, and so may nodes of unrelated trees; it only says what is worth trying. `None` for what is not a node, and for
/// nodes too large.
pub(super) fn slot(object: &[u8]) -> Option<u64> {
    if object.first() != Some(&b'N') || object.len() > MAX_DIFFERENCE_BYTES {
        return None;
    }
    let node = Node::decode_any(object).ok().filter(|node| node.count() > 0)?;
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[node.level()]).update(&node.key(0));
    hasher.finalize().as_bytes().first_chunk().map(|first| u64::from_le_bytes(*first))
}

/// Stores an object in the shortest way, trying `base` as what it differs from.
pub(super) fn encode(object: &[u8], base: Option<(&Hash, &[u8])>) -> Stored {
    if let Some((hash, base)) = base.filter(|_| object.len() <= MAX_DIFFERENCE_BYTES) {
        let difference = block::compress_with_dict(object, base);
        // A difference of more than half would soon be one of the whole: better a new base.
        if Hash::LEN + difference.len() <= object.len() / 2 {
            let bytes = [hash.as_bytes(), &difference[..]].concat();
            return Stored { encoding: Encoding::Difference, bytes };
        }
    }
    let compressed = block::compress(object);
    if compressed.len() <= object.len() / 8 * 7 {
        Stored { encoding: Encoding::Lz4, bytes: compressed }
    } else {
        Stored { encoding: Encoding::Plain, bytes: object.to_vec() }
    }
}

/// Reads an object; `None` when the index does not have it.
pub(super) fn read_object(
    index: &impl Lookup,
    pieces: &impl Pieces,
    hash: &Hash,
) -> Result<Option<Vec<u8>>, Failure> {
    let Some(location) = index.find(hash)? else { return Ok(None) };
    let stored = read_stored(pieces, hash, &location)?;
    if location.encoding != Encoding::Difference {
        return Ok(Some(expand(hash, &location, stored, None)?));
    }
    let base_hash = base_of(hash, &stored)?;
    let base = read_base(index, pieces, &base_hash)?;
    let base =
        base.ok_or_else(|| damaged(hash, format!("{base_hash}, which it differs from, is missing")))?;
    Ok(Some(expand(hash, &location, stored, Some(&base))?))
}

/// Reads an object that others may be differences from; `None` when it is not stored, or not in a way that serves.
pub(super) fn read_base(
    index: &impl Lookup,
    pieces: &impl Pieces,
    hash: &Hash,
) -> Result<Option<Vec<u8>>, Failure> {
    match index.find(hash)? {
        Some(location)
            if location.encoding != Encoding::Difference
                && location.object_bytes as usize <= MAX_DIFFERENCE_BYTES =>
        {
            let stored = read_stored(pieces, hash, &location)?;
            Ok(Some(expand(hash, &location, stored, None)?))
        }
        _ => Ok(None),
    }
}

/// The object that a difference starts from.
pub(super) fn base_of(hash: &Hash, stored: &[u8]) -> Result<Hash> {
    let base = stored.get(..Hash::LEN).and_then(Hash::from_slice);
    base.ok_or_else(|| damaged(hash, "it ends before it says what it differs from".to_owned()))
}

fn expand(hash: &Hash, location: &Location, stored: Vec<u8>, base: Option<&[u8]>) -> Result<Vec<u8>> {
    let bytes = location.object_bytes as usize;
    let expanded = match (location.encoding, base) {
        (Encoding::Plain, _) => return Ok(stored),
        (Encoding::Lz4, _) => block::decompress(&stored, bytes),
        (Encoding::Difference, base) => {
            block::decompress_with_dict(&stored[Hash::LEN..], bytes, base.unwrap_or_default())
        }
    };
    match expanded {
        Ok(object) if object.len() == bytes => Ok(object),
        Ok(object) => Err(damaged(hash, format!("it expands to {} bytes instead of {bytes}", object.len()))),
        Err(error) => Err(damaged(hash, format!("it does not expand: {error}"))),
    }
}

fn damaged(hash: &Hash, reason: String) -> Error {
    Error::DamagedObject { hash: *hash, reason }
}
