//! Iteration over a range of keys, from either end.

use std::ops::{Bound, RangeBounds};

use super::{Cursor, Tree};
use crate::{Link, Result, Value, ValueRef};

/// The entries of a range of keys. An iterator from either end; [`Range::next_entry`] lends instead of copying.
///
/// Finding both ends is O(log n); then an entry costs O(1). It holds one node of each level for each end in use.
pub struct Range {
    tree: Tree,
    /// Ranks of what is left.
    start: u64,
    end: u64,
    /// On the entry given last from the front.
    front: Option<Cursor>,
    /// On the entry given last from the back.
    back: Option<Cursor>,
}

impl Tree {
    /// The entries whose keys lie in `bounds`, in ascending order.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use prolly_core::{NodeBuffer, Tree, TreeConfig};
    /// # let tree = Tree::empty(Arc::new(NodeBuffer::new()), TreeConfig::default())?;
    /// for entry in tree.range::<&[u8]>(..)? {
    ///     let (key, value) = entry?;
    /// }
    /// let some = tree.range(&b"a"[..]..&b"b"[..])?;
    /// # Ok::<(), prolly_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// What reading a node reports.
    pub fn range<K: AsRef<[u8]>>(&self, bounds: impl RangeBounds<K>) -> Result<Range> {
        let rank_after = |key: &[u8]| Ok(self.rank(key)? + u64::from(self.contains(key)?));
        let start = match bounds.start_bound() {
            Bound::Included(key) => self.rank(key.as_ref())?,
            Bound::Excluded(key) => rank_after(key.as_ref())?,
            Bound::Unbounded => 0,
        };
        let end = match bounds.end_bound() {
            Bound::Included(key) => rank_after(key.as_ref())?,
            Bound::Excluded(key) => self.rank(key.as_ref())?,
            Bound::Unbounded => self.len(),
        };
        Ok(self.range_of_ranks(start, end))
    }

    /// The entries whose keys begin with `prefix`, in ascending order.
    ///
    /// # Errors
    /// What reading a node reports.
    pub fn prefix(&self, prefix: &[u8]) -> Result<Range> {
        match prefix_end(prefix) {
            Some(end) => self.range(prefix..end.as_slice()),
            None => self.range(prefix..),
        }
    }

    /// The entry with `rank` entries before it, in O(log n); `None` when there are not that many.
    ///
    /// # Errors
    /// What reading a node reports.
    pub fn nth(&self, rank: u64) -> Result<Option<(Vec<u8>, Value)>> {
        let mut cursor = self.cursor();
        cursor.seek_rank(rank)?;
        Ok(cursor.entry().map(|(key, value)| (key.to_vec(), value.to_owned())))
    }

    /// The entries with ranks from `start` to before `end`.
    pub fn range_of_ranks(&self, start: u64, end: u64) -> Range {
        let end = end.min(self.len());
        Range { tree: self.clone(), start: start.min(end), end, front: None, back: None }
    }
}

/// The least key greater than every key that begins with `prefix`; `None` when there is none.
pub fn prefix_end(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

impl Range {
    /// Number of entries left.
    pub fn remaining(&self) -> u64 {
        self.end - self.start
    }

    /// Moves to the next entry from the front and lends it; `None` at the end. This is the fastest way to scan.
    ///
    /// # Errors
    /// What reading a node reports.
    #[inline(always)]
    pub fn next_entry(&mut self) -> Result<Option<(&[u8], ValueRef<'_>)>> {
        self.step_front()?;
        Ok(self.front.as_ref().and_then(Cursor::entry))
    }

    /// Moves to the next entry from the back and lends it; `None` at the end.
    ///
    /// # Errors
    /// What reading a node reports.
    pub fn next_entry_back(&mut self) -> Result<Option<(&[u8], ValueRef<'_>)>> {
        self.step_back()?;
        Ok(self.back.as_ref().and_then(Cursor::entry))
    }

    /// The object that the value lent last from the front links to.
    pub fn link(&self) -> Option<Link> {
        self.front.as_ref().and_then(Cursor::link)
    }

    /// Reads the bytes of the plain value lent last from the front, a blob's included; `None` when none was.
    ///
    /// # Errors
    /// [`Error::NotAValue`](crate::Error::NotAValue) for a link to a tree; what reading reports.
    pub fn read_value(&self) -> Result<Option<Vec<u8>>> {
        self.front.as_ref().map_or(Ok(None), Cursor::read_value)
    }

    /// Reads the bytes of the plain value lent last from the back, a blob's included; `None` when none was.
    ///
    /// # Errors
    /// As [`Range::read_value`].
    pub fn read_value_back(&self) -> Result<Option<Vec<u8>>> {
        self.back.as_ref().map_or(Ok(None), Cursor::read_value)
    }

    /// Moves to the next entry from the front and reads its plain value, a blob's included; `None` at the end.
    ///
    /// # Errors
    /// [`Error::NotAValue`](crate::Error::NotAValue) for a link to a tree; what reading reports.
    pub fn next_pair(&mut self) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        self.step_front()?;
        owned_pair(self.front.as_ref())
    }

    /// Moves to the next entry from the back and reads its plain value, a blob's included; `None` at the end.
    ///
    /// # Errors
    /// [`Error::NotAValue`](crate::Error::NotAValue) for a link to a tree; what reading reports.
    pub fn next_pair_back(&mut self) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        self.step_back()?;
        owned_pair(self.back.as_ref())
    }

    #[inline(always)]
    fn step_front(&mut self) -> Result<()> {
        if self.start < self.end && self.front.as_mut().is_some_and(Cursor::advance_in_leaf) {
            self.start += 1;
            return Ok(());
        }
        self.step_front_over()
    }

    /// As [`Range::step_front`], to where the leaf does not reach.
    #[cold]
    fn step_front_over(&mut self) -> Result<()> {
        if self.start == self.end {
            self.front = None;
            return Ok(());
        }
        match &mut self.front {
            Some(cursor) => cursor.advance()?,
            None => {
                let mut cursor = self.tree.cursor();
                cursor.seek_rank(self.start)?;
                self.front = Some(cursor);
            }
        }
        self.start += 1;
        Ok(())
    }

    fn step_back(&mut self) -> Result<()> {
        if self.start == self.end {
            self.back = None;
            return Ok(());
        }
        match &mut self.back {
            Some(cursor) => cursor.retreat()?,
            None => {
                let mut cursor = self.tree.cursor();
                cursor.seek_rank(self.end - 1)?;
                self.back = Some(cursor);
            }
        }
        self.end -= 1;
        Ok(())
    }
}

fn owned_pair(cursor: Option<&Cursor>) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
    let Some(cursor) = cursor else { return Ok(None) };
    let value = cursor.read_value()?;
    Ok(cursor.key().map(<[u8]>::to_vec).zip(value))
}

fn owned((key, value): (&[u8], ValueRef<'_>)) -> (Vec<u8>, Value) {
    (key.to_vec(), value.to_owned())
}

impl Iterator for Range {
    type Item = Result<(Vec<u8>, Value)>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_entry().map(|entry| entry.map(owned)).transpose()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::try_from(self.remaining());
        (left.unwrap_or(usize::MAX), left.ok())
    }
}

impl DoubleEndedIterator for Range {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.next_entry_back().map(|entry| entry.map(owned)).transpose()
    }
}
