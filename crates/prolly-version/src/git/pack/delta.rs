//! Git's deltas: an object as copies out of another one and bytes of its own.
//!
//! ```text
//! length of the base, length of the result   7 bits a byte, lowest first
//! 1ooooooo …   copy: up to four bytes of offset, up to two of length, those that are not 0
//! 0nnnnnnn …   insert the n bytes that follow
//! ```

/// What the base is searched by, in bytes.
const BLOCK_BYTES: usize = 16;
const INSERT_BYTES_MAX: usize = 127;
/// What Git itself writes at most, though the format would hold more.
const COPY_BYTES_MAX: usize = 0xffff;
/// Places of equal blocks that are tried.
const CANDIDATES_MAX: usize = 8;
/// So many bytes are inserted before the base is searched; a change of equal length is over before.
const PATIENCE_BYTES: usize = 256;

/// Encodes `target` as a delta to `base`; `None` when that would be no shorter than `bytes_max`.
///
/// Takes time and memory in proportion to both.
pub(super) fn encode(base: &[u8], target: &[u8], bytes_max: usize) -> Option<Vec<u8>> {
    // Longer objects have offsets that the format cannot express.
    if base.len() >= u32::MAX as usize {
        return None;
    }
    let mut blocks = None;
    let mut out = Vec::with_capacity(256);
    write_len(&mut out, base.len());
    write_len(&mut out, target.len());
    // Versions of one object mostly begin alike, and go on where they left off.
    let mut expected = 0;
    let mut literal = 0;
    let mut at = 0;
    while at < target.len() && out.len() + at - literal < bytes_max {
        let rest = &target[at..];
        let mut place = expected;
        let mut len = common_len(base.get(expected..).unwrap_or_default(), rest);
        if len < BLOCK_BYTES && at - literal >= PATIENCE_BYTES {
            // Once it is known where the base goes on, what was passed over on the way there is found from the end.
            (place, len) = blocks.get_or_insert_with(|| Blocks::new(base)).longest_match(rest);
        }
        if len < BLOCK_BYTES {
            at += 1;
            expected += 1;
            continue;
        }
        // The match may begin earlier, in what would have been inserted.
        let common = base[..place].iter().rev().zip(target[literal..at].iter().rev());
        let back = common.take_while(|(a, b)| a == b).count();
        write_inserts(&mut out, &target[literal..at - back]);
        write_copies(&mut out, place - back, len + back);
        at += len;
        literal = at;
        expected = place + len;
    }
    write_inserts(&mut out, &target[literal..]);
    (out.len() < bytes_max).then_some(out)
}

/// The blocks of a base, to be found by their content.
struct Blocks<'a> {
    base: &'a [u8],
    /// The first block of each hash, counted from 1.
    first: Vec<u32>,
    /// The next block of the same hash.
    next: Vec<u32>,
}

impl<'a> Blocks<'a> {
    fn new(base: &'a [u8]) -> Self {
        let count = base.len() / BLOCK_BYTES;
        let mut this = Self { base, first: vec![0; count.next_power_of_two()], next: vec![0; count] };
        // Backwards, so that the first of equal blocks is the first to be tried.
        for (index, block) in base.chunks_exact(BLOCK_BYTES).enumerate().rev() {
            let slot = this.slot(block);
            this.next[index] = this.first[slot];
            this.first[slot] = u32::try_from(index + 1).expect("the length of the base was checked");
        }
        this
    }

    /// The longest match of the beginning of `rest` among the candidates: where in the base, and how long.
    fn longest_match(&self, rest: &[u8]) -> (usize, usize) {
        let mut best = (0, 0);
        let Some(block) = rest.get(..BLOCK_BYTES) else { return best };
        let mut entry = self.first[self.slot(block)] as usize;
        for _ in 0..CANDIDATES_MAX {
            let Some(index) = entry.checked_sub(1) else { break };
            let place = index * BLOCK_BYTES;
            let len = common_len(&self.base[place..], rest);
            if len > best.1 {
                best = (place, len);
            }
            entry = self.next[index] as usize;
        }
        best
    }

    fn slot(&self, block: &[u8]) -> usize {
        let (low, high) = block.split_at(8);
        let word = |bytes: &[u8]| bytes.first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
        let mixed = (word(low) ^ word(high).rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 32) as usize & (self.first.len() - 1)
    }
}

fn common_len(a: &[u8], b: &[u8]) -> usize {
    let chunks = a.chunks_exact(8).zip(b.chunks_exact(8)).take_while(|(a, b)| a == b).count() * 8;
    chunks + a[chunks..].iter().zip(&b[chunks..]).take_while(|(a, b)| a == b).count()
}

fn write_len(out: &mut Vec<u8>, mut len: usize) {
    while len >= 0x80 {
        out.push(len.to_le_bytes()[0] | 0x80);
        len >>= 7;
    }
    out.push(len.to_le_bytes()[0]);
}

fn write_inserts(out: &mut Vec<u8>, bytes: &[u8]) {
    for piece in bytes.chunks(INSERT_BYTES_MAX) {
        out.push(u8::try_from(piece.len()).expect("a piece is at most 127 bytes long"));
        out.extend_from_slice(piece);
    }
}

fn write_copies(out: &mut Vec<u8>, mut place: usize, mut len: usize) {
    while len > 0 {
        let run = len.min(COPY_BYTES_MAX);
        let opcode = out.len();
        out.push(0x80);
        let offset_bytes = place.to_le_bytes().into_iter().take(4);
        let len_bytes = run.to_le_bytes().into_iter().take(2);
        for (bit, byte) in offset_bytes.chain(len_bytes).enumerate() {
            if byte != 0 {
                out[opcode] |= 1 << bit;
                out.push(byte);
            }
        }
        place += run;
        len -= run;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Follows the format as Git documents it.
    fn decode(base: &[u8], delta: &[u8]) -> Vec<u8> {
        let mut bytes = delta.iter().copied();
        let mut len = || {
            let mut value = 0usize;
            for shift in (0..).step_by(7) {
                let byte = bytes.next().unwrap();
                value |= usize::from(byte & 0x7f) << shift;
                if byte & 0x80 == 0 {
                    break;
                }
            }
            value
        };
        assert_eq!(len(), base.len());
        let expected = len();
        let mut out = Vec::new();
        while let Some(opcode) = bytes.next() {
            if opcode & 0x80 == 0 {
                assert_ne!(opcode, 0, "0 is reserved");
                out.extend(bytes.by_ref().take(opcode.into()));
                continue;
            }
            let mut field = |bits: std::ops::Range<u32>| {
                let mut value = 0usize;
                for (index, bit) in bits.enumerate() {
                    if opcode & (1 << bit) != 0 {
                        value |= usize::from(bytes.next().unwrap()) << (8 * index);
                    }
                }
                value
            };
            let (offset, len) = (field(0..4), field(4..7));
            let len = if len == 0 { 0x10000 } else { len };
            out.extend_from_slice(&base[offset..offset + len]);
        }
        assert_eq!(out.len(), expected);
        out
    }

    #[test]
    fn a_small_change_makes_a_small_delta() {
        let base: Vec<u8> = (0..8_000u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        let mut target = base.clone();
        target[9_000..9_100].fill(7);
        target.splice(20_000..20_000, [1, 2, 3]);
        target.drain(30_000..30_010);
        let delta = encode(&base, &target, usize::MAX).unwrap();
        assert!(delta.len() < 180, "{} bytes", delta.len());
        assert_eq!(decode(&base, &delta), target);
        assert_eq!(encode(&base, &target, delta.len()), None);
    }

    #[test]
    fn long_copies_and_awkward_lengths_are_expressed() {
        let base = vec![5u8; 40 << 20];
        let delta = encode(&base, &base, usize::MAX).unwrap();
        assert_eq!(decode(&base, &delta), base);
        for len in [0x10000, 0x100, 0xff_ffff, 0x100_0000] {
            let delta = encode(&base, &base[..len], usize::MAX).unwrap();
            assert_eq!(decode(&base, &delta).len(), len);
        }
        assert_eq!(decode(b"", &encode(b"", b"abc", usize::MAX).unwrap()), b"abc");
        assert_eq!(decode(b"abc", &encode(b"abc", b"", usize::MAX).unwrap()), b"");
    }

    proptest! {
        #[test]
        fn any_edit_can_be_undone(
            base in proptest::collection::vec(0u8..4, 0..600),
            cut in any::<(prop::sample::Index, prop::sample::Index)>(),
            insert in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let (a, b) = (cut.0.index(base.len() + 1), cut.1.index(base.len() + 1));
            let mut target = base.clone();
            target.splice(a.min(b)..a.max(b), insert);
            let delta = encode(&base, &target, usize::MAX).unwrap();
            prop_assert_eq!(decode(&base, &delta), target);
        }
    }
}
