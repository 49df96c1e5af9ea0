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
        let ends = &self.bytes[self.layout.key_ends..];
        let bytes = &self.bytes[self.layout.keys..];
        if self.layout.wide {
            Column { ends: &ends.as_chunks::<4>().0[..self.count()], bytes }.search(suffix)
        } else {
            Column { ends: &ends.as_chunks::<2>().0[..self.count()], bytes }.search(suffix)
        }
    }

    /// The index of the first entry whose key is not less than `key`: for an internal node, the child to descend to.
    pub fn lower_bound(&self, key: &[u8]) -> usize {
        match self.search(key) {
            Ok(index) | Err(index) => index,
        }
    }
}

/// An entry of a table of offsets.
trait Offset: Copy {
    fn get(self) -> usize;
}

impl Offset for [u8; 2] {
    #[inline]
    fn get(self) -> usize {
        usize::from(u16::from_le_bytes(self))
    }
}

impl Offset for [u8; 4] {
    #[inline]
    fn get(self) -> usize {
        u32::from_le_bytes(self) as usize
    }
}

/// The keys of a node, without their common prefix.
struct Column<'a, O> {
    /// Where each key ends.
    ends: &'a [O],
    /// The keys, and whatever follows them.
    bytes: &'a [u8],
}

impl<O: Offset> Column<'_, O> {
    /// Searches by the first eight bytes, without branches, then among the keys that have them in common.
    fn search(&self, suffix: &[u8]) -> Result<usize, usize> {
        let wanted = first_word(suffix, 0, suffix.len());
        let (mut low, mut left) = (0, self.ends.len());
        while left > 0 {
            let half = left / 2;
            let below = self.word(low + half) < wanted;
            low = if below { low + half + 1 } else { low };
            left = if below { left - half - 1 } else { half };
        }
        let (first, mut left) = (low, self.ends.len() - low);
        while left > 0 {
            // The first key with the word is most often the only one: it is looked at before the middle.
            let probe = if low == first { 0 } else { left / 2 };
            let (start, end) = self.range(low + probe);
            let order = first_word(self.bytes, start, end)
                .cmp(&wanted)
                .then_with(|| self.bytes[start..end].cmp(suffix));
            match order {
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

    #[inline]
    fn word(&self, index: usize) -> u64 {
        let (start, end) = self.range(index);
        first_word(self.bytes, start, end)
    }

    #[inline]
    fn range(&self, index: usize) -> (usize, usize) {
        let start = if index == 0 { 0 } else { self.ends[index - 1].get() };
        (start, self.ends[index].get())
    }
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
