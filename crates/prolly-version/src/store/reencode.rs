//! Trees under another configuration: the same entries, cut and kept inline or beside the tree by other rules.
//!
//! **Invariant:** the result is the tree that a from-scratch build under the new configuration gives, whatever the old one.

use std::sync::Arc;

use prolly_core::{Cursor, EditRef, EditSource, Locator, Tree, TreeConfig, ValueRef};

use super::nodes::TreeNodes;
use crate::Result;

/// The entries of a tree under another configuration. New objects go to `writer`, from which the result is read. O(n).
pub(crate) fn reencode(tree: &Tree, config: TreeConfig, writer: &Arc<TreeNodes>) -> Result<Tree> {
    if *tree.config() == config {
        return Ok(tree.with_reader(Arc::clone(writer) as _));
    }
    let mut cursor = tree.cursor();
    cursor.seek_first()?;
    let mut entries = Entries {
        inline_bytes_max: config.inline_bytes_max() as u64,
        cursor,
        started: false,
        inline: Vec::new(),
    };
    Ok(Tree::build(Arc::clone(writer) as _, &**writer, config, &mut entries)?)
}

/// The configuration of a tree whose sides have different ones: that of the side which changed it. When both did, and the
/// configurations differ in the length of inline values only, the lower one. `None` when nothing can be said.
pub(crate) fn merged_config(
    base: Option<&TreeConfig>,
    ours: &TreeConfig,
    theirs: &TreeConfig,
) -> Option<TreeConfig> {
    if ours == theirs || base == Some(theirs) {
        return Some(*ours);
    }
    if base == Some(ours) {
        return Some(*theirs);
    }
    let lower = if ours.inline_bytes_max() <= theirs.inline_bytes_max() { ours } else { theirs };
    let apart = |config: &TreeConfig| TreeConfig { externalize_threshold: None, ..*config };
    (apart(ours) == apart(theirs)).then_some(*lower)
}

/// The entries of a tree as edits. Long values are put beside the tree by who takes them.
struct Entries {
    inline_bytes_max: u64,
    cursor: Cursor,
    started: bool,
    /// A blob that is to be inline.
    inline: Vec<u8>,
}

impl EditSource for Entries {
    fn next_edit(&mut self) -> prolly_core::Result<Option<EditRef<'_>>> {
        if std::mem::replace(&mut self.started, true) {
            self.cursor.advance()?;
        }
        let mut comes_inline = false;
        if let Some((_, ValueRef::Blob { len, .. })) = self.cursor.entry()
            && len <= self.inline_bytes_max
        {
            self.inline = self.cursor.read_value()?.unwrap_or_default();
            comes_inline = true;
        }
        let Some((key, value)) = self.cursor.entry() else { return Ok(None) };
        if comes_inline {
            return Ok(Some(EditRef {
                key,
                value: Some(ValueRef::Inline(&self.inline)),
                locator: Locator::NONE,
            }));
        }
        let locator = self.cursor.link().map_or(Locator::NONE, |link| link.locator);
        Ok(Some(EditRef { key, value: Some(value), locator }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_side_that_changed_a_configuration_gives_it_and_else_the_lower_threshold() {
        let with = |externalize_threshold| TreeConfig { externalize_threshold, ..TreeConfig::default() };
        let (base, low, high) = (with(Some(100)), with(Some(10)), with(None));
        assert_eq!(merged_config(Some(&base), &base, &high), Some(high));
        assert_eq!(merged_config(Some(&base), &high, &base), Some(high));
        assert_eq!(merged_config(Some(&base), &high, &high), Some(high));
        for base in [Some(&base), None] {
            assert_eq!(merged_config(base, &low, &high), Some(low));
            assert_eq!(merged_config(base, &high, &low), Some(low));
        }
        let other = TreeConfig { pattern: 7, ..high };
        assert_eq!(merged_config(Some(&base), &low, &other), None);
        assert_eq!(merged_config(Some(&low), &low, &other), Some(other));
    }
}
