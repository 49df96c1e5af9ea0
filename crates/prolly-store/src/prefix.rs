//! Abbreviated addresses.

use prolly_core::Hash;

/// The first hex digits of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashPrefix {
    /// The digits, with zeros after them.
    low: Hash,
    /// The digits, with ones after them.
    high: Hash,
    digits: usize,
}

impl HashPrefix {
    /// What every address begins with: nothing.
    pub const ALL: Self =
        Self { low: Hash::new([0; Hash::LEN]), high: Hash::new([0xff; Hash::LEN]), digits: 0 };

    /// Reads 0 to 64 hex digits of either case; `None` for anything else.
    pub fn parse(hex: &str) -> Option<Self> {
        let digits = hex.len();
        if digits > 2 * Hash::LEN {
            return None;
        }
        let mut low = [0x00; Hash::LEN];
        let mut high = [0xff; Hash::LEN];
        for (index, digit) in hex.chars().enumerate() {
            let digit = u8::try_from(digit.to_digit(16)?).ok()?;
            let (shift, mask) = if index % 2 == 0 { (4, 0x0f) } else { (0, 0xf0) };
            low[index / 2] = low[index / 2] & mask | digit << shift;
            high[index / 2] = high[index / 2] & mask | digit << shift;
        }
        Some(Self { low: Hash::new(low), high: Hash::new(high), digits })
    }

    /// The smallest address that begins so.
    pub fn low(&self) -> &Hash {
        &self.low
    }

    /// The greatest address that begins so.
    pub fn high(&self) -> &Hash {
        &self.high
    }

    /// Number of hex digits.
    pub fn digits(&self) -> usize {
        self.digits
    }

    /// Whether an address begins so.
    pub fn matches(&self, hash: &Hash) -> bool {
        self.low <= *hash && *hash <= self.high
    }
}

impl From<Hash> for HashPrefix {
    /// All digits of an address.
    fn from(hash: Hash) -> Self {
        Self { low: hash, high: hash, digits: 2 * Hash::LEN }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_match_what_begins_with_their_digits() {
        let hash = Hash::new(std::array::from_fn(|index| (index as u8).wrapping_mul(37) ^ 0xa5));
        let text = hash.to_string();
        for digits in 0..=64 {
            let prefix = HashPrefix::parse(&text[..digits]).unwrap();
            assert!(prefix.matches(&hash), "{digits} digits");
            assert_eq!(prefix.digits(), digits);
            if digits > 0 {
                let last = if text.as_bytes()[digits - 1] == b'0' { "1" } else { "0" };
                let other = HashPrefix::parse(&format!("{}{last}", &text[..digits - 1])).unwrap();
                assert!(!other.matches(&hash), "{digits} digits, the last one different");
            }
        }
        assert_eq!(HashPrefix::parse(""), Some(HashPrefix::ALL));
        assert_eq!(HashPrefix::parse(&text), Some(HashPrefix::from(hash)));
        assert_eq!(HashPrefix::parse(&text.to_uppercase()), HashPrefix::parse(&text));
        assert_eq!(HashPrefix::parse("xy"), None);
        assert_eq!(HashPrefix::parse("é"), None);
        assert_eq!(HashPrefix::parse(&"0".repeat(65)), None);
    }
}
