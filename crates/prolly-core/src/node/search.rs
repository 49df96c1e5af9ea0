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
        if self.layout.wide { self.search_suffix::<4>(suffix) } else { self.search_suffix::<2>(suffix) }
    }

    /// The index of the first entry whose key is not less than `key`: for an internal node, the child to descend to.
    pub fn lower_bound(&self, key: &[u8]) -> usize {
        match self.search(key) {
            Ok(index) | Err(index) => index,
        }
    }

    /// Searches by the first eight bytes without branches, then among the keys that have them in common.
    fn search_suffix<const WIDTH: usize>(&self, suffix: &[u8]) -> Result<usize, usize> {
        let (layout, count) = (&self.layout, self.count());
        let ends = &self.bytes[layout.key_ends..layout.key_ends + count * WIDTH];
        let keys = &self.bytes[layout.keys..];
        let wanted = first_word(suffix, 0, suffix.len());
        let key = |index: usize| {
            let start = if index == 0 { 0 } else { end_at::<WIDTH>(ends, index - 1) };
            (start, end_at::<WIDTH>(ends, index))
        };
        let word = |index: usize| {
            let (start, end) = key(index);
            first_word(keys, start, end)
        };
        let (mut low, mut left) = (0, count);
        while left > 0 {
            let half = left / 2;
            let below = word(low + half) < wanted;
            low = if below { low + half + 1 } else { low };
            left = if below { left - half - 1 } else { half };
        }
        let order = |index: usize| {
            let (start, end) = key(index);
            keys[start..end].cmp(suffix)
        };
        let (mut left, first) = (count - low, low);
        while left > 0 {
            // The first key with the word is most often the only one: it is looked at before the middle.
            let probe = if low == first { 0 } else { left / 2 };
            if word(low + probe) != wanted {
                left = probe;
                continue;
            }
            match order(low + probe) {
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
}

/// Entry `index` of a table of offsets.
#[inline]
fn end_at<const WIDTH: usize>(ends: &[u8], index: usize) -> usize {
    let at = index * WIDTH;
    if WIDTH == 2 {
        usize::from(u16::from_le_bytes([ends[at], ends[at + 1]]))
    } else {
        u32::from_le_bytes([ends[at], ends[at + 1], ends[at + 2], ends[at + 3]]) as usize
    }
}

/// The first eight bytes of `bytes[start..end]` as a number that orders as they do, short ones filled up with zeros.
#[inline]
fn first_word(bytes: &[u8], start: usize, end: usize) -> u64 {
    let len = end - start;
    if let Some(word) = bytes.get(start..start + 8) {
        let word = u64::from_be_bytes(word.try_into().expect("eight bytes"));
        if len >= 8 { word } else { word & !(u64::MAX >> (8 * len)) }
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
