//! The tables, and how objects are packed into pages.
//!
//! The objects of a transaction follow each other in a stream of bytes that is cut into pieces. A piece is as long as
//! a value can be that shares a 4 KiB page of redb's with no other, so full pieces leave no gaps; the last piece of a
//! small transaction shares its page with those of its neighbours.
//!
//! **Invariant:** every piece that an entry of the index reaches into is there, in full.

use prolly_core::Hash;
use redb::{ReadOnlyTable, ReadableTable, Table, TableDefinition};

use super::failure::Failure;
use crate::{Error, Result};

/// `"format"` → version of this layout.
pub(super) const META: TableDefinition<&str, u32> = TableDefinition::new("meta");
/// Ref name → sealed value (see [`refs`](super::refs)).
pub(super) const REFS: TableDefinition<&str, &[u8]> = TableDefinition::new("refs");
/// Address → [`Location`].
pub(super) const INDEX: TableDefinition<&[u8; Hash::LEN], &[u8; Location::LEN]> =
    TableDefinition::new("index");
/// Number of a record → entries that are not in the index yet (see [`index`](super::index)).
pub(super) const RECENT: TableDefinition<u64, &[u8]> = TableDefinition::new("recent");
/// Number of a piece → its bytes.
pub(super) const LOG: TableDefinition<u64, &[u8]> = TableDefinition::new("log");
/// What a node is about (see [`codec::slot`](super::codec::slot)) → the node that newer versions differ from.
pub(super) const BASES: TableDefinition<u64, &[u8; Hash::LEN]> = TableDefinition::new("bases");

pub(super) const FORMAT_KEY: &str = "format";
pub(super) const FORMAT_VERSION: u32 = 1;
pub(super) const KIND: &str = "redb";

/// Bytes of a full piece: redb's 4 KiB page less its header (4), the end of the value (4) and the key (8).
pub(super) const PIECE_BYTES: usize = 4080;

/// How the stored bytes of an object become its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// As they are.
    Plain = 0,
    /// An LZ4 block.
    Lz4 = 1,
    /// The address of another object, not itself a difference, and an LZ4 block with that as its dictionary.
    Difference = 2,
}

/// Where an object is and how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Location {
    /// The first piece.
    pub(super) piece: u64,
    /// Where it begins there.
    pub(super) offset: u16,
    pub(super) stored_bytes: u32,
    pub(super) object_bytes: u32,
    pub(super) encoding: Encoding,
}

impl Location {
    pub(super) const LEN: usize = 19;

    pub(super) fn encode(&self) -> [u8; Self::LEN] {
        let mut out = [0; Self::LEN];
        out[0..8].copy_from_slice(&self.piece.to_le_bytes());
        out[8..10].copy_from_slice(&self.offset.to_le_bytes());
        out[10..14].copy_from_slice(&self.stored_bytes.to_le_bytes());
        out[14..18].copy_from_slice(&self.object_bytes.to_le_bytes());
        out[18] = self.encoding as u8;
        out
    }

    /// Reads a location; `hash` is the object it belongs to, for the error.
    pub(super) fn decode(hash: &Hash, bytes: &[u8; Self::LEN]) -> Result<Self> {
        let (piece, rest) = bytes.split_first_chunk().expect("the length is fixed");
        let (offset, rest) = rest.split_first_chunk().expect("the length is fixed");
        let (stored_bytes, rest) = rest.split_first_chunk().expect("the length is fixed");
        let (object_bytes, rest) = rest.split_first_chunk().expect("the length is fixed");
        let encoding = match rest {
            [0] => Some(Encoding::Plain),
            [1] => Some(Encoding::Lz4),
            [2] => Some(Encoding::Difference),
            _ => None,
        };
        let location = encoding.map(|encoding| Self {
            piece: u64::from_le_bytes(*piece),
            offset: u16::from_le_bytes(*offset),
            stored_bytes: u32::from_le_bytes(*stored_bytes),
            object_bytes: u32::from_le_bytes(*object_bytes),
            encoding,
        });
        location.filter(Self::is_possible).ok_or_else(|| {
            let reason = "its entry in the index makes no sense".to_owned();
            Error::DamagedObject { hash: *hash, reason }
        })
    }

    fn is_possible(&self) -> bool {
        let stored = self.stored_bytes as usize;
        usize::from(self.offset) < PIECE_BYTES
            && stored.max(self.object_bytes as usize) <= crate::MAX_OBJECT_BYTES
            && self.piece.checked_add(self.piece_count() as u64).is_some()
            && (self.encoding != Encoding::Plain || self.stored_bytes == self.object_bytes)
    }

    /// Number of pieces it reaches into, at least 1.
    fn piece_count(&self) -> usize {
        (usize::from(self.offset) + self.stored_bytes as usize).div_ceil(PIECE_BYTES).max(1)
    }

    /// The pieces it reaches into, and how many bytes of each it has.
    pub(super) fn pieces(&self) -> impl Iterator<Item = (u64, usize)> + use<> {
        let (mut at, end) = (usize::from(self.offset), usize::from(self.offset) + self.stored_bytes as usize);
        (self.piece..).take(self.piece_count()).map(move |piece| {
            let stop = (at / PIECE_BYTES + 1) * PIECE_BYTES;
            let bytes = end.min(stop) - at;
            at = stop;
            (piece, bytes)
        })
    }
}

/// The bytes of the log: what is in its table, and in a transaction also the piece that is being filled.
pub(super) trait Pieces {
    /// Appends `bytes` of a piece from `offset` on; `None` when it does not have them.
    fn read(&self, piece: u64, offset: usize, bytes: usize, out: &mut Vec<u8>)
    -> Result<Option<()>, Failure>;
}

impl Pieces for ReadOnlyTable<u64, &'static [u8]> {
    fn read(
        &self,
        piece: u64,
        offset: usize,
        bytes: usize,
        out: &mut Vec<u8>,
    ) -> Result<Option<()>, Failure> {
        read_piece(self, piece, offset, bytes, out)
    }
}

fn read_piece(
    table: &impl ReadableTable<u64, &'static [u8]>,
    piece: u64,
    offset: usize,
    bytes: usize,
    out: &mut Vec<u8>,
) -> Result<Option<()>, Failure> {
    let guard = table.get(piece)?;
    let part = guard.as_ref().and_then(|guard| guard.value().get(offset..offset + bytes));
    Ok(part.map(|part| out.extend_from_slice(part)))
}

/// Reads the stored bytes of an object.
pub(super) fn read_stored(
    pieces: &impl Pieces,
    hash: &Hash,
    location: &Location,
) -> Result<Vec<u8>, Failure> {
    let mut out = Vec::with_capacity(location.stored_bytes as usize);
    let mut offset = usize::from(location.offset);
    for (piece, bytes) in location.pieces() {
        pieces.read(piece, offset, bytes, &mut out)?.ok_or_else(|| {
            let reason = format!("part of it, piece {piece}, is missing from the database");
            Error::DamagedObject { hash: *hash, reason }
        })?;
        offset = 0;
    }
    Ok(out)
}

/// Appends to the log in a transaction.
pub(super) struct LogWriter<'txn> {
    table: Table<'txn, u64, &'static [u8]>,
    tail: Tail,
}

/// The piece that is being filled, carried from one opening of the table to the next.
pub(super) struct Tail {
    piece: u64,
    bytes: Vec<u8>,
}

impl Tail {
    /// An empty piece after the last one.
    pub(super) fn after(table: &impl ReadableTable<u64, &'static [u8]>) -> Result<Self, Failure> {
        let piece = table.last()?.map_or(0, |(piece, _)| piece.value() + 1);
        Ok(Self { piece, bytes: Vec::with_capacity(PIECE_BYTES) })
    }

    /// A piece that is never there, for a transaction that only reads.
    pub(super) fn unused() -> Self {
        Self { piece: u64::MAX, bytes: Vec::new() }
    }

    /// The first piece that nothing has been written to.
    pub(super) fn piece(&self) -> u64 {
        self.piece
    }
}

impl<'txn> LogWriter<'txn> {
    pub(super) fn new(table: Table<'txn, u64, &'static [u8]>, tail: Tail) -> Self {
        Self { table, tail }
    }

    /// Appends the stored form of an object.
    pub(super) fn append(&mut self, mut stored: &[u8]) -> Result<(u64, u16), Failure> {
        let start = (self.tail.piece, u16::try_from(self.tail.bytes.len()).expect("a piece is short"));
        while !stored.is_empty() {
            let (now, later) = stored.split_at(stored.len().min(PIECE_BYTES - self.tail.bytes.len()));
            self.tail.bytes.extend_from_slice(now);
            if self.tail.bytes.len() == PIECE_BYTES {
                self.flush()?;
            }
            stored = later;
        }
        Ok(start)
    }

    /// Writes the last piece, full or not.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        if !self.tail.bytes.is_empty() {
            self.table.insert(self.tail.piece, &self.tail.bytes[..])?;
            self.tail.bytes.clear();
            self.tail.piece += 1;
        }
        Ok(())
    }

    pub(super) fn into_tail(self) -> Tail {
        self.tail
    }

    /// Removes the pieces that `keep` does not want.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(u64) -> bool) -> Result<(), Failure> {
        Ok(self.table.retain(|piece, _| keep(piece))?)
    }
}

impl Pieces for LogWriter<'_> {
    fn read(
        &self,
        piece: u64,
        offset: usize,
        bytes: usize,
        out: &mut Vec<u8>,
    ) -> Result<Option<()>, Failure> {
        if piece == self.tail.piece {
            let part = self.tail.bytes.get(offset..offset + bytes);
            return Ok(part.map(|part| out.extend_from_slice(part)));
        }
        read_piece(&self.table, piece, offset, bytes, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_round_trip_and_cover_their_bytes() {
        let hash = Hash::new([7; 32]);
        for offset in [0, 1, 4079] {
            for stored_bytes in [0u32, 1, 4079, 4080, 4081, 8160, 100_000] {
                let location = Location {
                    piece: 3,
                    offset,
                    stored_bytes,
                    object_bytes: stored_bytes,
                    encoding: Encoding::Plain,
                };
                assert_eq!(Location::decode(&hash, &location.encode()).unwrap(), location);
                let pieces: Vec<_> = location.pieces().collect();
                assert_eq!(pieces.iter().map(|(_, bytes)| bytes).sum::<usize>(), stored_bytes as usize);
                assert!(pieces.iter().all(|(_, bytes)| *bytes <= PIECE_BYTES), "{pieces:?}");
                assert!(pieces.windows(2).all(|pair| pair[0].0 + 1 == pair[1].0), "{pieces:?}");
            }
        }
    }

    #[test]
    fn impossible_locations_are_damage() {
        let hash = Hash::new([7; 32]);
        let good =
            Location { piece: 1, offset: 2, stored_bytes: 3, object_bytes: 3, encoding: Encoding::Plain };
        let bad = [
            Location { offset: 4080, ..good },
            Location { stored_bytes: u32::MAX, object_bytes: u32::MAX, ..good },
            Location { object_bytes: 4, ..good },
            Location { piece: u64::MAX, ..good },
        ];
        let mut unknown = good.encode();
        unknown[18] = 9;
        for bytes in bad.map(|location| location.encode()).into_iter().chain([unknown]) {
            let error = Location::decode(&hash, &bytes).unwrap_err();
            assert!(matches!(error, Error::DamagedObject { hash: named, .. } if named == hash));
        }
    }
}
