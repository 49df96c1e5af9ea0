//! The index of a pack, version 2: sorted ids, checksums of the entries, offsets.

use gix_hash::ObjectId;

use super::IndexEntry;
use crate::Result;

const MAGIC_AND_VERSION: [u8; 8] = [0xff, b't', b'O', b'c', 0, 0, 0, 2];
/// Offsets from here on are kept in a table of their own.
const LARGE_OFFSET: u64 = 1 << 31;

/// Encodes the index; `entries` are sorted by id.
pub(super) fn encode(entries: &[IndexEntry], pack_checksum: &ObjectId) -> Result<Vec<u8>> {
    debug_assert!(entries.is_sorted_by(|a, b| a.id < b.id), "ids are sorted and distinct");
    let mut out = Vec::with_capacity(8 + 1024 + entries.len() * 28 + 40);
    out.extend_from_slice(&MAGIC_AND_VERSION);
    let mut below = 0;
    for first in 0..=u8::MAX {
        below += entries[below..].partition_point(|entry| entry.id[0] <= first);
        out.extend_from_slice(&number(below).to_be_bytes());
    }
    entries.iter().for_each(|entry| out.extend_from_slice(&entry.id));
    entries.iter().for_each(|entry| out.extend_from_slice(&entry.crc.to_be_bytes()));
    let mut large = Vec::new();
    for entry in entries {
        let offset = match u32::try_from(entry.offset) {
            Ok(small) if entry.offset < LARGE_OFFSET => small,
            _ => {
                large.push(entry.offset);
                number(large.len() - 1) | 1 << 31
            }
        };
        out.extend_from_slice(&offset.to_be_bytes());
    }
    large.iter().for_each(|offset| out.extend_from_slice(&offset.to_be_bytes()));
    out.extend_from_slice(pack_checksum.as_slice());
    let checksum = super::write::checksum_of(&out)?;
    out.extend_from_slice(checksum.as_slice());
    Ok(out)
}

fn number(count: usize) -> u32 {
    u32::try_from(count).expect("the number of objects was checked when the pack was written")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gix_reads_what_is_encoded_large_offsets_included() {
        let mut entries: Vec<_> = (0u32..1000)
            .map(|index| IndexEntry {
                id: *ObjectId::try_from(&blake3_like(index)[..]).unwrap().as_slice().first_chunk().unwrap(),
                crc: index * 7,
                offset: u64::from(index) * 5_000_000,
            })
            .collect();
        entries.sort_unstable();
        let checksum = ObjectId::from_bytes_or_panic(&[3; 20]);
        let bytes = encode(&entries, &checksum).unwrap();
        let index =
            gix_odb::pack::index::File::from_data(bytes, "x.idx".into(), gix_hash::Kind::Sha1).unwrap();
        assert_eq!(index.pack_checksum(), checksum);
        let read: Vec<_> = index
            .iter()
            .map(|entry| IndexEntry {
                id: *entry.oid.as_slice().first_chunk().unwrap(),
                crc: entry.crc32.unwrap(),
                offset: entry.pack_offset,
            })
            .collect();
        assert_eq!(read, entries);
    }

    fn blake3_like(index: u32) -> [u8; 20] {
        let mut out = [0; 20];
        let mut state = u64::from(index) + 1;
        for byte in &mut out {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = (state >> 56) as u8;
        }
        out
    }
}
