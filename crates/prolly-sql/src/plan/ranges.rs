//! Sets of keys: the ranges that a condition leaves of them.
//!
//! **Invariant:** the ranges of a set ascend, none is empty, and no two overlap or touch, so equal sets are equal values.

use std::cmp::Ordering;

/// Keys from `start` on and before `end`; without an end, all from `start` on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyRange {
    pub(crate) start: Vec<u8>,
    pub(crate) end: Option<Vec<u8>>,
}

impl KeyRange {
    /// The bytes that all its keys begin with, when these are all such keys. Of a key of one column it is the whole key.
    pub(crate) fn prefix(&self) -> Option<&[u8]> {
        let (last, prefix) = self.end.as_ref()?.split_last()?;
        (*last == BEYOND && prefix == self.start && !prefix.is_empty()).then_some(prefix)
    }

    fn is_empty(&self) -> bool {
        self.end.as_ref().is_some_and(|end| *end <= self.start)
    }
}

/// Greater than what follows any prefix of a key.
pub(super) const BEYOND: u8 = 0xFF;

/// A set of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyRanges(Vec<KeyRange>);

impl KeyRanges {
    pub(crate) fn all() -> Self {
        Self(vec![KeyRange { start: Vec::new(), end: None }])
    }

    pub(crate) fn none() -> Self {
        Self(Vec::new())
    }

    /// The keys from `start` on and before `end`.
    pub(crate) fn between(start: Vec<u8>, end: Option<Vec<u8>>) -> Self {
        let range = KeyRange { start, end };
        if range.is_empty() { Self::none() } else { Self(vec![range]) }
    }

    /// The keys that begin with these bytes.
    pub(crate) fn prefixed(prefix: Vec<u8>) -> Self {
        let end = beyond(&prefix);
        Self::between(prefix, Some(end))
    }

    /// A set from ranges as they are stored; `None` when they break the invariant.
    pub(super) fn checked(ranges: Vec<KeyRange>) -> Option<Self> {
        let apart = |pair: &[KeyRange]| pair[0].end.as_ref().is_some_and(|end| *end < pair[1].start);
        (ranges.windows(2).all(apart) && !ranges.iter().any(KeyRange::is_empty)).then_some(Self(ranges))
    }

    /// The set of the keys that are in any of these ranges, which come in any order.
    pub(super) fn collect(ranges: impl IntoIterator<Item = KeyRange>) -> Self {
        let mut ranges: Vec<_> = ranges.into_iter().filter(|range| !range.is_empty()).collect();
        ranges.sort_by(|a, b| a.start.cmp(&b.start));
        let mut out: Vec<KeyRange> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match out.last_mut() {
                Some(KeyRange { end: None, .. }) => {}
                Some(KeyRange { end: Some(end), .. }) if *end >= range.start => {
                    if range.end.as_ref().is_none_or(|new| new > end) {
                        out.last_mut().expect("just seen").end = range.end;
                    }
                }
                _ => out.push(range),
            }
        }
        Self(out)
    }

    pub(crate) fn ranges(&self) -> &[KeyRange] {
        &self.0
    }

    pub(crate) fn is_all(&self) -> bool {
        matches!(&self.0[..], [KeyRange { start, end: None }] if start.is_empty())
    }

    pub(crate) fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the set is the keys of one prefix, or none.
    pub(super) fn is_one_prefix(&self) -> bool {
        matches!(&self.0[..], [] | [_]) && self.0.iter().all(|range| range.prefix().is_some())
    }

    pub(super) fn union(self, other: Self) -> Self {
        Self::collect(self.0.into_iter().chain(other.0))
    }

    /// The keys that are in both sets. O(n + m).
    pub(super) fn intersection(&self, other: &Self) -> Self {
        let (mut left, mut right) = (self.0.iter().peekable(), other.0.iter().peekable());
        let mut out = Vec::new();
        while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
            let start = a.start.as_slice().max(&b.start).to_vec();
            let order = compare_ends(a.end.as_deref(), b.end.as_deref());
            let end = if order == Ordering::Less { &a.end } else { &b.end }.clone();
            let range = KeyRange { start, end };
            if !range.is_empty() {
                out.push(range);
            }
            if order == Ordering::Less {
                left.next()
            } else {
                right.next()
            };
        }
        Self(out)
    }
}

/// The first of the keys that do not begin with a prefix and are greater.
pub(super) fn beyond(prefix: &[u8]) -> Vec<u8> {
    [prefix, &[BEYOND]].concat()
}

fn compare_ends(a: Option<&[u8]>, b: Option<&[u8]>) -> Ordering {
    match (a, b) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(a), Some(b)) => a.cmp(b),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn contains(set: &KeyRanges, key: u8) -> bool {
        set.ranges()
            .iter()
            .any(|range| range.start <= vec![key] && range.end.as_ref().is_none_or(|end| vec![key] < *end))
    }

    fn ranges() -> impl Strategy<Value = Vec<KeyRange>> {
        let end = prop_oneof![4 => (0..40u8).prop_map(|end| Some(vec![end])), 1 => Just(None)];
        prop::collection::vec(
            (0..40u8, end).prop_map(|(start, end)| KeyRange { start: vec![start], end }),
            0..6,
        )
    }

    proptest! {
        #[test]
        fn sets_hold_what_their_ranges_hold(a in ranges(), b in ranges()) {
            let (x, y) = (KeyRanges::collect(a.clone()), KeyRanges::collect(b.clone()));
            let raw = |ranges: &[KeyRange], key| ranges.iter().any(|range| contains(&KeyRanges(vec![range.clone()]), key));
            let (both, either) = (x.intersection(&y), x.clone().union(y));
            for key in 0..45 {
                prop_assert_eq!(contains(&x, key), raw(&a, key));
                prop_assert_eq!(contains(&both, key), raw(&a, key) && raw(&b, key));
                prop_assert_eq!(contains(&either, key), raw(&a, key) || raw(&b, key));
            }
            for set in [x, both, either] {
                prop_assert_eq!(KeyRanges::checked(set.0.clone()), Some(set));
            }
        }
    }

    #[test]
    fn a_prefix_is_told_from_a_range() {
        let one = KeyRanges::prefixed(b"ab".to_vec());
        assert_eq!(one.ranges()[0].prefix(), Some(&b"ab"[..]));
        assert!(
            one.is_one_prefix() && KeyRanges::none().is_one_prefix() && !KeyRanges::all().is_one_prefix()
        );
        assert_eq!(KeyRanges::between(b"a".to_vec(), Some(b"ab\xFF".to_vec())).ranges()[0].prefix(), None);
    }
}
