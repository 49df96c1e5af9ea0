//! Removes objects and repacks what is left.

use std::collections::HashMap;

use prolly_core::{Hash, HashedMap};
use redb::{ReadableTable as _, WriteTransaction};

use super::{
    codec::{base_of, read_object},
    failure::Failure,
    index::{IndexWriter, Recent},
    log::{BASES, Encoding, INDEX, LOG, Location, LogWriter, PIECE_BYTES, Tail, read_stored},
    transaction::{Progress, write_objects},
};
use crate::Result;

type Objects = Vec<(Hash, Location)>;

/// A piece of which less than this part is still wanted is emptied, the rest of it written anew.
const SPARSE_BYTES: usize = PIECE_BYTES / 4 * 3;
/// How many bytes of objects are rewritten together.
const BATCH_BYTES: usize = 1 << 20;

/// All objects and where they are.
pub(super) fn list(transaction: &WriteTransaction) -> Result<Objects, Failure> {
    // From here on all entries are in the index.
    Recent::load(transaction)?.merge(transaction)?;
    let index = transaction.open_table(INDEX)?;
    let mut objects = Vec::new();
    for entry in index.iter()? {
        let (hash, location) = entry?;
        let hash = Hash::new(*hash.value());
        let location = Location::decode(&hash, location.value())?;
        objects.push((hash, location));
    }
    Ok(objects)
}

/// Removes the dead objects and the pieces that only they were in.
pub(super) fn remove(transaction: &WriteTransaction, live: Objects, dead: Objects) -> Result<(), Failure> {
    let dead: HashedMap<()> = dead.into_iter().map(|(hash, _)| (hash, ())).collect();
    let (restored, kept) = without_base(transaction, live, &dead)?;
    let (moved, kept) = in_sparse_pieces(kept);
    let mut wanted: HashMap<u64, usize> = HashMap::new();
    count_bytes(&kept, &mut wanted);

    transaction.open_table(BASES)?.retain(|_, base| !dead.contains_key(&Hash::new(*base)))?;
    let first_new = Tail::after(&transaction.open_table(LOG)?)?.piece();
    move_stored(transaction, &moved)?;
    let mut progress = None;
    let mut batch = Vec::new();
    let mut batch_bytes = 0;
    for (hash, _) in &restored {
        let object = {
            let index = IndexWriter::open(transaction, Recent::empty())?;
            let log = LogWriter::new(transaction.open_table(LOG)?, Tail::unused());
            read_object(&index, &log, hash)?
        };
        batch_bytes += object.as_ref().map_or(0, Vec::len);
        batch.extend(object.map(|object| (*hash, object)));
        if batch_bytes >= BATCH_BYTES {
            rewrite(transaction, &mut progress, &mut batch)?;
            batch_bytes = 0;
        }
    }
    rewrite(transaction, &mut progress, &mut batch)?;

    if let Some(progress) = progress {
        progress.finish(transaction)?;
    }

    let mut index = transaction.open_table(INDEX)?;
    for hash in dead.keys() {
        index.remove(hash.as_bytes())?;
    }
    let mut log = LogWriter::new(transaction.open_table(LOG)?, Tail::unused());
    log.retain(|piece| piece >= first_new || wanted.contains_key(&piece))
}

/// Splits off the differences whose base is dead.
fn without_base(
    transaction: &WriteTransaction,
    live: Objects,
    dead: &HashedMap<()>,
) -> Result<(Objects, Objects), Failure> {
    let log = LogWriter::new(transaction.open_table(LOG)?, Tail::unused());
    let mut restored = Objects::new();
    let mut kept = Objects::with_capacity(live.len());
    for (hash, location) in live {
        let loses_base = location.encoding == Encoding::Difference
            && dead.contains_key(&base_of(&hash, &read_stored(&log, &hash, &location)?)?);
        if loses_base { restored.push((hash, location)) } else { kept.push((hash, location)) }
    }
    Ok((restored, kept))
}

/// Splits off the objects that share a piece with too little.
fn in_sparse_pieces(objects: Objects) -> (Objects, Objects) {
    let mut bytes = HashMap::new();
    count_bytes(&objects, &mut bytes);
    objects
        .into_iter()
        .partition(|(_, location)| location.pieces().any(|(piece, _)| bytes[&piece] < SPARSE_BYTES))
}

fn count_bytes(objects: &Objects, bytes: &mut HashMap<u64, usize>) {
    for (piece, part) in objects.iter().flat_map(|(_, location)| location.pieces()) {
        *bytes.entry(piece).or_default() += part;
    }
}

/// Appends what is stored of the objects, as it is, to the end of the log.
fn move_stored(transaction: &WriteTransaction, objects: &Objects) -> Result<(), Failure> {
    let mut index = transaction.open_table(INDEX)?;
    let log = transaction.open_table(LOG)?;
    let tail = Tail::after(&log)?;
    let mut log = LogWriter::new(log, tail);
    for (hash, location) in objects {
        let stored = read_stored(&log, hash, location)?;
        let (piece, offset) = log.append(&stored)?;
        index.insert(hash.as_bytes(), &Location { piece, offset, ..*location }.encode())?;
    }
    log.flush()
}

/// Writes objects anew.
fn rewrite(
    transaction: &WriteTransaction,
    progress: &mut Option<Progress>,
    objects: &mut Vec<(Hash, Vec<u8>)>,
) -> Result<(), Failure> {
    let mut index = transaction.open_table(INDEX)?;
    for (hash, _) in &*objects {
        index.remove(hash.as_bytes())?;
    }
    drop(index);
    write_objects(transaction, progress, objects)?;
    objects.clear();
    Ok(())
}
