//! The configuration of a tree: part of what makes two root hashes comparable.
//!
//! **Invariant:** a [`TreeConfig`] in use has passed [`TreeConfig::validate`].

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// How a tree is cut into nodes, and which values leave it. Equal contents under equal configurations have equal root
/// hashes; under different ones they have not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeConfig {
    /// Target number of children of an internal node.
    pub base: u32,
    /// Target number of entries of a leaf.
    pub modulus: u32,
    /// A leaf ends nowhere before this many entries (an entry of over [`ENTRY_WEIGHT_BYTES`] counts as several).
    pub min_chunk_size: u32,
    /// A leaf is cut by force at this many entries (an entry of over [`ENTRY_WEIGHT_BYTES`] counts as several).
    pub max_chunk_size: u32,
    /// Seed of the boundary hash: trees with different patterns have different shapes.
    pub pattern: u64,
    /// Values of more than this many bytes are stored as blobs beside the tree; `None` keeps every value of up to
    /// [`MAX_INLINE_BYTES`] bytes inline.
    pub externalize_threshold: Option<u32>,
}

/// What an entry weighs at least, in bytes, when the fill of a node is measured.
pub const ENTRY_WEIGHT_BYTES: usize = 128;
/// The longest key, in bytes.
pub const MAX_KEY_BYTES: usize = 64 * 1024;
/// The longest value kept inside a node, in bytes, whatever the configuration says.
pub const MAX_INLINE_BYTES: usize = 64 * 1024;

const MAX_TARGET: u32 = 1 << 14;
const DEFAULT_TARGET: u32 = 64;
const DEFAULT_EXTERNALIZE_BYTES: u32 = 4096;

impl Default for TreeConfig {
    fn default() -> Self {
        Self::with_targets(DEFAULT_TARGET, DEFAULT_TARGET)
    }
}

impl TreeConfig {
    /// Makes a configuration from the two targets, with the bounds that suit them: a quarter and twice the target.
    pub const fn with_targets(base: u32, modulus: u32) -> Self {
        Self {
            base,
            modulus,
            min_chunk_size: if modulus < 4 { 1 } else { modulus / 4 },
            max_chunk_size: modulus.saturating_mul(2),
            pattern: 0,
            externalize_threshold: Some(DEFAULT_EXTERNALIZE_BYTES),
        }
    }

    /// Checks the bounds of every field.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] naming the first field out of bounds.
    pub fn validate(&self) -> Result<()> {
        let in_bounds = [
            ("base", self.base, 2, MAX_TARGET),
            ("modulus", self.modulus, 1, MAX_TARGET),
            ("min_chunk_size", self.min_chunk_size, 1, self.max_chunk_size),
            ("max_chunk_size", self.max_chunk_size, 1, 2 * MAX_TARGET),
            (
                "externalize_threshold",
                self.externalize_threshold.unwrap_or(0),
                0,
                u32::try_from(MAX_INLINE_BYTES).unwrap_or(u32::MAX),
            ),
        ];
        for (field, value, min, max) in in_bounds {
            if !(min..=max).contains(&value) {
                return Err(Error::InvalidConfig {
                    reason: format!("{field} is {value}, it must lie between {min} and {max}"),
                });
            }
        }
        Ok(())
    }

    /// The longest value kept inline under this configuration, in bytes.
    pub fn inline_bytes_max(&self) -> usize {
        self.externalize_threshold.map_or(MAX_INLINE_BYTES, |bytes| bytes as usize)
    }

    /// Refuses to compare trees of different configurations.
    ///
    /// # Errors
    /// [`Error::ConfigMismatch`] with both.
    pub fn expect_same(&self, other: &Self) -> Result<()> {
        if self == other {
            return Ok(());
        }
        Err(Error::ConfigMismatch { left: format!("{self:?}"), right: format!("{other:?}") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_and_bounds_are_checked() {
        TreeConfig::default().validate().unwrap();
        TreeConfig::with_targets(2, 1).validate().unwrap();
        let default = TreeConfig::default();
        for bad in [
            TreeConfig { base: 1, ..default },
            TreeConfig { modulus: 0, ..default },
            TreeConfig { min_chunk_size: 0, ..default },
            TreeConfig { min_chunk_size: 200, ..default },
            TreeConfig { max_chunk_size: u32::MAX, ..default },
            TreeConfig { externalize_threshold: Some(u32::MAX), ..default },
        ] {
            assert!(bad.validate().is_err(), "{bad:?} must be refused");
        }
    }
}
