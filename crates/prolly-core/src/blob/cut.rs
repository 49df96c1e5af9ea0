//! Where a blob is cut into parts: FastCDC (2020) with fixed masks.
//!
//! Parts of about 64 KiB keep a small change of a long blob small, and a gigabyte in some sixteen thousand objects;
//! with 256 KiB as the longest, writing and reading hold little in memory. Level-2 normalisation keeps most parts near
//! the average. The masks are taken from the table by number, because `FastCDC::new` finds them by a logarithm in
//! floating point, which is no basis for a format.
//!
//! **Invariant:** a cut depends on the bytes of its part and on nothing before or after them.

use fastcdc::v2020;

/// The shortest part of a blob but for the last, in bytes.
pub const PART_BYTES_MIN: usize = 16 * 1024;
/// The length around which parts gather, in bytes.
pub const PART_BYTES_AVERAGE: usize = 64 * 1024;
/// The longest part, in bytes.
pub const PART_BYTES_MAX: usize = 256 * 1024;

const AVERAGE_BITS: usize = PART_BYTES_AVERAGE.trailing_zeros() as usize;
const NORMALISATION: usize = 2;
/// Before the average length a cut is rarer than at random, beyond it more frequent.
const MASK_SHORT: u64 = v2020::MASKS[AVERAGE_BITS + NORMALISATION];
const MASK_LONG: u64 = v2020::MASKS[AVERAGE_BITS - NORMALISATION];

/// The length of the part that `bytes` begins with. They are the rest of the blob, or at least [`PART_BYTES_MAX`] of it.
pub(super) fn part_len(bytes: &[u8]) -> usize {
    let (_, len) = v2020::cut(
        bytes,
        PART_BYTES_MIN,
        PART_BYTES_AVERAGE,
        PART_BYTES_MAX,
        MASK_SHORT,
        MASK_LONG,
        MASK_SHORT << 1,
        MASK_LONG << 1,
    );
    len
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_masks_are_those_the_crate_would_choose() {
        let bytes = crate::blob::write::tests::noise(3 << 20, 5);
        let theirs = v2020::FastCDC::with_level(
            &bytes,
            PART_BYTES_MIN as u32,
            PART_BYTES_AVERAGE as u32,
            PART_BYTES_MAX as u32,
            v2020::Normalization::Level2,
        );
        let mut rest = &bytes[..];
        for chunk in theirs {
            assert_eq!(part_len(rest), chunk.length);
            rest = &rest[chunk.length..];
        }
        assert!(rest.is_empty());
    }

    #[test]
    fn more_bytes_behind_do_not_move_a_cut() {
        let bytes = crate::blob::write::tests::noise(600 * 1024, 6);
        assert_eq!(part_len(&bytes), part_len(&bytes[..PART_BYTES_MAX]));
        let zeros = vec![0; PART_BYTES_MAX * 2];
        assert_eq!(part_len(&zeros), part_len(&zeros[..PART_BYTES_MAX]));
    }
}
