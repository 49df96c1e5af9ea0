//! What differs between two versions of a tree, also where they are stored by different rules.
//!
//! **Invariant:** a key differs when its bytes do, not when they are merely kept in another place.

use std::{
    cmp::Ordering,
    ops::{Bound, RangeBounds},
    sync::Arc,
};

use prolly_core::{Cursor, Diff, Difference, Found, Tree, ValueRef, blob};

use crate::{Result, TreeVersion};

/// The differences between two versions of a tree, found as they are asked for, in ascending order of the keys.
pub(crate) enum Differences {
    /// Of trees of one configuration: what both share is skipped.
    Shared(Box<Diff>),
    /// Of trees of two configurations, which share no nodes: entry by entry.
    Entries(Box<Entries>),
}

impl Differences {
    /// Compares two versions, of which a missing one counts as empty.
    pub(crate) fn new<K: AsRef<[u8]>>(
        old: Option<&TreeVersion>,
        new: Option<&TreeVersion>,
        bounds: &impl RangeBounds<K>,
    ) -> Result<Option<Self>> {
        let bounds = || (bounds.start_bound(), bounds.end_bound());
        let empty = |like: &Tree| Tree::empty(Arc::clone(like.reader()), *like.config());
        let diff = match (old.map(|old| &old.tree), new.map(|new| &new.tree)) {
            (None, None) => return Ok(None),
            (Some(old), None) => old.diff_range::<&K>(&empty(old)?, bounds())?,
            (None, Some(new)) => empty(new)?.diff_range::<&K>(new, bounds())?,
            (Some(old), Some(new)) if old.config() == new.config() => old.diff_range::<&K>(new, bounds())?,
            (Some(old), Some(new)) => {
                let end = match bounds().1 {
                    Bound::Included(key) => Some([key.as_ref(), &[0]].concat()),
                    Bound::Excluded(key) => Some(key.as_ref().to_vec()),
                    Bound::Unbounded => None,
                };
                let start = |tree: &Tree| {
                    let mut cursor = tree.cursor();
                    match bounds().0 {
                        Bound::Included(key) => cursor.seek(key.as_ref())?,
                        Bound::Excluded(key) => cursor.seek(&[key.as_ref(), &[0]].concat())?,
                        Bound::Unbounded => cursor.seek_first()?,
                    }
                    Ok::<_, prolly_core::Error>(cursor)
                };
                let entries = Entries { left: start(old)?, right: start(new)?, end, key: Vec::new() };
                return Ok(Some(Self::Entries(Box::new(entries))));
            }
        };
        Ok(Some(Self::Shared(Box::new(diff))))
    }

    /// The next difference, `None` at the end.
    pub(crate) fn next_difference(&mut self) -> Result<Option<Difference<'_>>> {
        Ok(match self {
            Self::Shared(diff) => diff.next_difference()?,
            Self::Entries(entries) => entries.next_difference()?,
        })
    }
}

/// Two trees, entry by entry.
pub(crate) struct Entries {
    left: Cursor,
    right: Cursor,
    end: Option<Vec<u8>>,
    key: Vec<u8>,
}

impl Entries {
    fn next_difference(&mut self) -> prolly_core::Result<Option<Difference<'_>>> {
        loop {
            let is_inside = |key: &&[u8]| self.end.as_ref().is_none_or(|end| *key < end.as_slice());
            let (left, right) = (self.left.key().filter(is_inside), self.right.key().filter(is_inside));
            let order = match (left, right) {
                (None, None) => return Ok(None),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(left), Some(right)) => left.cmp(right),
            };
            self.key.clear();
            self.key.extend_from_slice(if order.is_gt() { right } else { left }.unwrap_or_default());
            let take = |cursor: &mut Cursor, is_wanted: bool| {
                let found = is_wanted.then(|| cursor.found()).flatten();
                if is_wanted {
                    cursor.advance()?;
                }
                Ok::<_, prolly_core::Error>(found)
            };
            let (left, right) = (take(&mut self.left, order.is_le())?, take(&mut self.right, order.is_ge())?);
            if !same_bytes(left.as_ref(), right.as_ref()) {
                return Ok(Some(Difference { key: &self.key, left, right }));
            }
        }
    }
}

/// Whether two entries hold the same bytes, wherever these are kept.
pub(crate) fn same_bytes(one: Option<&Found>, other: Option<&Found>) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return one.is_none() && other.is_none() };
    match (one.value(), other.value()) {
        (ValueRef::Inline(bytes), ValueRef::Blob { len, hash })
        | (ValueRef::Blob { len, hash }, ValueRef::Inline(bytes)) => {
            bytes.len() as u64 == len && blob::address(bytes).hash == hash
        }
        _ => one.tagged() == other.tagged(),
    }
}
