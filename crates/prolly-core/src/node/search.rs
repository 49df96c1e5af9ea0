//! Binary search on the bytes of a node in place.

use std::cmp::Ordering;

use super::Node;

impl Node {
    /// Finds `key`: `Ok` with its index, or `Err` with the index it would have.
    ///
    /// In an internal node both are the index of the only child that can hold the key; an index equal to
    /// [`Node::count`] means that the key is greater than every key below.
    pub fn search(&self, key: &[u8]) -> Result<usize, usize> {
        let prefix = self.prefix();
        let suffix = match key.strip_prefix(prefix) {
            Some(suffix) => suffix,
            None if key < prefix => return Err(0),
            None => return Err(self.count()),
        };
        let (count, stride) = (self.count(), self.layout.key_stride);
        let table = &self.bytes[self.layout.key_ends..];
        let keys = &self.bytes[self.layout.keys..];
        if stride > 0 {
            search_column(keys, |index| (index + 1) * stride, count, suffix)
        } else if self.layout.wide {
            let ends = &table.as_chunks::<4>().0[..count];
            search_column(keys, |index| u32::from_le_bytes(ends[index]) as usize, count, suffix)
        } else {
            let ends = &table.as_chunks::<2>().0[..count];
            search_column(keys, |index| usize::from(u16::from_le_bytes(ends[index])), count, suffix)
        }
    }

    /// The index of the first entry whose key is not less than `key`: for an internal node, the child to descend to.
    pub fn lower_bound(&self, key: &[u8]) -> usize {
        match self.search(key) {
            Ok(index) | Err(index) => index,
        }
    }
}

/// Into how many parts a step of the search divides what is left. Its probes do not wait for each other, so that those
/// which miss the processor's cache do so at the same time.
const WAYS: usize = 8;

/// Searches ascending keys that lie one after another at the beginning of `bytes`, key `index` up to `end(index)`: by
/// their first eight bytes, without branches, then among the keys that have them in common.
#[inline]
fn search_column(
    bytes: &[u8],
    end: impl Fn(usize) -> usize,
    count: usize,
    wanted: &[u8],
) -> Result<usize, usize> {
    let range = |index: usize| (if index == 0 { 0 } else { end(index - 1) }, end(index));
    let word = |index: usize| {
        let (start, end) = range(index);
        first_word(bytes, start, end)
    };
    let wanted_word = first_word(wanted, 0, wanted.len());
    let below = |at: usize| usize::from(word(at) < wanted_word);
    let (mut low, mut end) = (0, count);
    while end - low >= WAYS {
        let step = (end - low) / WAYS;
        let ways: usize = (1..WAYS).map(|way| below(low + way * step - 1)).sum();
        low += ways * step;
        end = if ways + 1 < WAYS { low + step - 1 } else { end };
    }
    low += (low..end).map(below).sum::<usize>();
    let (first, mut left) = (low, count - low);
    while left > 0 {
        // The first key with the word is most often the only one: it is looked at before the middle.
        let probe = if low == first { 0 } else { left / 2 };
        let (start, end) = range(low + probe);
        match word(low + probe).cmp(&wanted_word).then_with(|| bytes[start..end].cmp(wanted)) {
            Ordering::Less => {
                low += probe + 1;
                left -= probe + 1;
            }
            Ordering::Equal => return Ok(low + probe),
            Ordering::Greater => left = probe,
        }
    }
    Err(low)
}

/// The first eight bytes of `bytes[start..end]` as a number that orders as they do, short ones filled up with zeros.
#[inline]
fn first_word(bytes: &[u8], start: usize, end: usize) -> u64 {
    let len = end - start;
    if let Some(word) = bytes.get(start..).and_then(<[u8]>::first_chunk::<8>) {
        let unused = u64::MAX.checked_shr(8 * len.min(8) as u32).unwrap_or(0);
        u64::from_be_bytes(*word) & !unused
    } else {
        let mut word = [0; 8];
        word.iter_mut().zip(&bytes[start..end]).for_each(|(to, from)| *to = *from);
        u64::from_be_bytes(word)
    }
}

#[cfg(test)]
mod tests {
    use super::first_word;

    #[test]
    fn words_order_as_their_bytes_do() {
        let texts: [&[u8]; 7] = [b"", b"\0", b"a", b"ab", b"abcdefgh", b"abcdefghi", b"b"];
        for text in texts {
            let alone = first_word(text, 0, text.len());
            let inside = [text, b"\xff\xff\xff\xff\xff\xff\xff\xff"].concat();
            assert_eq!(alone, first_word(&inside, 0, text.len()), "{text:?}");
        }
        assert!(texts.is_sorted_by_key(|text| first_word(text, 0, text.len())));
    }
}
