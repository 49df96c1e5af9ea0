//! Where a level of a tree is cut into nodes.
//!
//! A key ends its node when its hash falls below a threshold that rises with the *fill* of the node, so that sizes
//! concentrate around the target (a Weibull distribution of shape 4) instead of being geometric. The fill counts bytes,
//! an entry for at least [`ENTRY_WEIGHT_BYTES`]. A node that reaches the maximum is cut at the smallest key hash it has
//! seen since the minimum, so forced cuts depend on contents too and an edit cannot shift every later one.
//!
//! **Invariant:** the cuts of a level are a function of its entries' keys and sizes and of the configuration alone.
//! All arithmetic is on integers.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::{ENTRY_WEIGHT_BYTES, TreeConfig};

/// Position 4,096 of the fill axis is the scale parameter of the distribution, and its mean, the target, lies at
/// Γ(1 + 1/4) = 0.9064 of it.
const TARGET_POSITION: u64 = 3713;
/// Beyond four times the scale every hash is below the threshold.
const LAST_POSITION: u64 = 4 * 4096;
/// Odd constant that keeps the hashes of one level independent of those of the next.
const LEVEL_SALT: u64 = 0x9e37_79b9_7f4a_7c15;

/// What a node under construction holds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fill {
    entries: u64,
    bytes: u64,
}

impl Fill {
    pub(crate) fn add(&mut self, entry_bytes: usize) {
        self.entries += 1;
        self.bytes += entry_bytes as u64;
    }

    fn weight(&self) -> u64 {
        self.bytes.max(self.entries * ENTRY_WEIGHT_BYTES as u64)
    }
}

/// What the rule says of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The node is too small to end here.
    Inside,
    /// The node may end here, if it comes to be cut by force.
    Candidate,
    /// The node ends here.
    Boundary,
    /// The node is full: it ends at the candidate with the smallest hash, this entry included.
    Full,
}

/// The boundary rule of one level.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    seed: u64,
    target_bytes: u64,
    min_bytes: u64,
    max_bytes: u64,
    min_entries: u64,
}

impl Rule {
    pub(crate) fn new(config: &TreeConfig, level: u8) -> Self {
        let (target, min, max, min_entries) = if level == 0 {
            (config.modulus, config.min_chunk_size, config.max_chunk_size, 1)
        } else {
            (config.base, config.base / 4, config.base * 2, 2)
        };
        let bytes = |entries: u32| u64::from(entries) * ENTRY_WEIGHT_BYTES as u64;
        Self {
            seed: config.pattern ^ LEVEL_SALT.wrapping_mul(u64::from(level)),
            target_bytes: bytes(target),
            min_bytes: bytes(min),
            max_bytes: bytes(max),
            min_entries,
        }
    }

    /// The hash that decides about a key at this level.
    #[inline]
    pub(crate) fn key_hash(&self, key: &[u8]) -> u64 {
        xxh3_64_with_seed(key, self.seed)
    }

    /// Judges the entry that took a node from `before` to `after`.
    #[inline]
    pub(crate) fn judge(&self, before: &Fill, after: &Fill, key_hash: u64) -> Verdict {
        let weight = after.weight();
        if weight < self.min_bytes || after.entries < self.min_entries {
            return Verdict::Inside;
        }
        let position = |weight: u64| (weight * TARGET_POSITION / self.target_bytes).min(LAST_POSITION);
        let fourth_power = |position: u64| position * position * position * position;
        let hazard = fourth_power(position(weight)) - fourth_power(position(before.weight()));
        // The scale to the fourth is 2^48: 16 bits off make the hazard a fraction of 2^32.
        if key_hash >> 32 < hazard >> 16 {
            Verdict::Boundary
        } else if weight >= self.max_bytes {
            Verdict::Full
        } else {
            Verdict::Candidate
        }
    }
}
