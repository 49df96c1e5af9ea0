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
        let keys = &self.bytes[self.layout.keys..self.layout.values];
        let wanted = first_word(suffix, 0, suffix.len());
        let (mut low, mut high) = (0, self.count());
        let mut start_of_low = 0;
        while low < high {
            let middle = low + (high - low) / 2;
            let start =
                if middle == low { start_of_low } else { self.offset(self.layout.key_ends, middle - 1) };
            let end = self.offset(self.layout.key_ends, middle);
            let order = first_word(keys, start, end).cmp(&wanted).then_with(|| keys[start..end].cmp(suffix));
            match order {
                Ordering::Less => {
                    low = middle + 1;
                    start_of_low = end;
                }
                Ordering::Equal => return Ok(middle),
                Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    /// The index of the first entry whose key is not less than `key`: for an internal node, the child to descend to.
    pub fn lower_bound(&self, key: &[u8]) -> usize {
        match self.search(key) {
            Ok(index) | Err(index) => index,
        }
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
