//! What a proof shows, once its nodes have been tied to the root.
//!
//! The shown entries are laid out in the order of the tree as *points*, and between them there may be *gaps*: places
//! where the tree may have entries that the proof does not show. A key is absent when it lies between two neighbouring
//! points without a gap.
//!
//! **Invariant:** points are strictly ascending, and every part of the tree that is not shown lies in a gap.

use std::{
    collections::HashMap,
    ops::{Bound, RangeBounds},
    slice,
};

use super::{Proof, encoding::Bytes, invalid, partial::Opened, prove::is_empty_range};
use crate::{
    Error, Hash, Result, Value, ValueRef, blob,
    node::{
        FIELD_BYTES_MAX,
        chunk::{Entry, Field},
    },
};

/// The value of a key, as far as a proof shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProvenValue {
    /// All that the entry holds: bytes, or the address of a blob or of a tree.
    Whole(Value),
    /// A value that a tree commits to by length and digest, because its tagged form (for plain bytes, a zero byte and then
    /// the bytes) has over 448 bytes.
    Digest {
        /// Length of the tagged form.
        tagged_len: u32,
        /// BLAKE3 hash of the tagged form.
        digest: Hash,
    },
}

impl ProvenValue {
    /// Whether the value is exactly these bytes, in the node or in a blob.
    pub fn is(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Whole(Value::Inline(own)) => own == bytes,
            Self::Whole(Value::Blob { len, hash }) => {
                *len == bytes.len() as u64 && blob::address(bytes).hash == *hash
            }
            Self::Whole(Value::Tree { .. }) => false,
            Self::Digest { tagged_len, digest } => {
                let tagged = ValueRef::Inline(bytes).to_tagged();
                *tagged_len as usize == tagged.len() && *digest == blake3::hash(&tagged).into()
            }
        }
    }

    fn read(field: Field<'_>) -> Result<Self> {
        match field {
            Field::Bytes(tagged) => match ValueRef::from_tagged(tagged) {
                Ok(value) => Ok(Self::Whole(value.to_owned())),
                Err(error) => Err(invalid(error.to_string())),
            },
            Field::Digest { len, digest } => Ok(Self::Digest { tagged_len: len, digest }),
        }
    }
}

/// What a valid proof says of the tree it was checked against; made by [`Proof::verify`].
#[derive(Clone, Debug)]
pub struct Verified {
    points: Vec<Point>,
    /// Whether there may be entries after the last point.
    ends_in_gap: bool,
    /// Entries whose key is known by digest and length only, and whose place is therefore unknown.
    unplaced: HashMap<Hash, (u32, ProvenValue)>,
}

/// A key that the tree holds.
#[derive(Clone, Debug)]
struct Point {
    key: Vec<u8>,
    /// `None` when the proof shows only that the key exists.
    value: Option<ProvenValue>,
    /// Whether there may be entries between the point before and this one.
    follows_gap: bool,
}

impl Verified {
    /// What `key` holds, `None` when it is proven not to exist.
    ///
    /// # Errors
    /// [`Error::InvalidProof`] when the proof says nothing about the key.
    pub fn get(&self, key: &[u8]) -> Result<Option<&ProvenValue>> {
        let says_nothing = || invalid(format!("it says nothing about key {}", key.escape_ascii()));
        match self.points.binary_search_by(|point| point.key.as_slice().cmp(key)) {
            Ok(index) => self.points[index].value.as_ref().map(Some).ok_or_else(says_nothing),
            Err(index) => match self.unplaced_value(key) {
                Some(value) => Ok(Some(value)),
                None if self.is_gap_before(index) => Err(says_nothing()),
                None => Ok(None),
            },
        }
    }

    /// All entries in `bounds`, ascending.
    ///
    /// # Errors
    /// [`Error::InvalidProof`] when the proof does not show every entry there.
    pub fn range<K: AsRef<[u8]>>(&self, bounds: impl RangeBounds<K>) -> Result<Vec<(&[u8], &ProvenValue)>> {
        let start = bounds.start_bound().map(AsRef::as_ref);
        let end = bounds.end_bound().map(AsRef::as_ref);
        if is_empty_range(start, end) {
            return Ok(Vec::new());
        }
        let first = self.points.partition_point(|point| match start {
            Bound::Included(start) => point.key.as_slice() < start,
            Bound::Excluded(start) => point.key.as_slice() <= start,
            Bound::Unbounded => false,
        });
        let after = self.points.partition_point(|point| match end {
            Bound::Included(end) => point.key.as_slice() <= end,
            Bound::Excluded(end) => point.key.as_slice() < end,
            Bound::Unbounded => true,
        });
        let found = &self.points[first..after];
        // A gap beside a point that is itself the bound lies outside.
        let is_bound = |point: Option<&Point>, bound| {
            point.is_some_and(|point| bound == Bound::Included(point.key.as_slice()))
        };
        let has_gap = (self.is_gap_before(first) && !is_bound(found.first(), start))
            || (self.is_gap_before(after) && !is_bound(found.last(), end))
            || found.iter().skip(1).any(|point| point.follows_gap);
        let entries = found.iter().map(|point| Some((point.key.as_slice(), point.value.as_ref()?)));
        match entries.collect::<Option<Vec<_>>>() {
            Some(entries) if !has_gap => Ok(entries),
            _ => Err(invalid("it does not show every entry of the range")),
        }
    }

    /// Whether the tree may have entries between point `index` and the one before.
    fn is_gap_before(&self, index: usize) -> bool {
        self.points.get(index).map_or(self.ends_in_gap, |point| point.follows_gap)
    }

    fn unplaced_value(&self, key: &[u8]) -> Option<&ProvenValue> {
        if key.len() <= FIELD_BYTES_MAX || self.unplaced.is_empty() {
            return None;
        }
        let (len, value) = self.unplaced.get(&Hash::from(blake3::hash(key)))?;
        (*len as usize == key.len()).then_some(value)
    }
}

/// Ties the nodes of a proof to the root, and each of them to its parent.
pub(super) fn verify(proof: &Proof, root: &Hash) -> Result<Verified> {
    let opened = proof.nodes.iter().map(|node| node.open()).collect::<Result<Vec<_>>>()?;
    let (top, rest) = opened.split_first().ok_or_else(|| invalid("it has no nodes"))?;
    if top.hash != *root {
        return Err(invalid(format!("it belongs to root {}, not to {root}", top.hash)));
    }
    let mut walk = Walk {
        nodes: rest.iter(),
        long_keys: LongKeys::new(&proof.long_keys)?,
        found: Verified { points: Vec::new(), ends_in_gap: false, unplaced: HashMap::new() },
    };
    walk.visit(top, None)?;
    if walk.nodes.next().is_some() {
        return Err(invalid("it has a node that none of its other nodes links to"));
    }
    walk.long_keys.expect_all_used()?;
    Ok(walk.found)
}

/// Lays out the shown entries in the order of the tree.
struct Walk<'a> {
    /// The nodes that have not been met yet.
    nodes: slice::Iter<'a, Opened<'a>>,
    long_keys: LongKeys<'a>,
    found: Verified,
}

/// What the parent of a node says of it.
struct Promise<'a> {
    last_key: Field<'a>,
    /// Number of entries below.
    len: u64,
}

impl<'a> Walk<'a> {
    /// Lays out a node; the root has no promise to keep.
    fn visit(&mut self, node: &'a Opened<'a>, promise: Option<Promise<'a>>) -> Result<()> {
        let mut next_index = 0;
        let mut len = 0u64;
        for chunk in &node.chunks {
            self.found.ends_in_gap |= chunk.index > next_index;
            next_index = chunk.index + 1;
            if chunk.entries.is_empty() && (node.level > 0 || promise.is_some() || node.total > 1) {
                return Err(invalid("it shows an empty chunk"));
            }
            for entry in &chunk.entries {
                match *entry {
                    Entry::Value(key, value) => {
                        len += 1;
                        self.point(key, Some(ProvenValue::read(value)?))?;
                    }
                    Entry::Child(last_key, hash, child_len) => {
                        len = len.saturating_add(child_len);
                        self.child(node.level, hash, Promise { last_key, len: child_len })?;
                    }
                }
            }
        }
        let ends_hidden = next_index < node.total;
        self.found.ends_in_gap |= ends_hidden;
        let Some(promise) = promise else { return Ok(()) };
        if ends_hidden {
            return self.point(promise.last_key, None);
        }
        let last_key = node.chunks.last().and_then(|chunk| chunk.entries.last()).map(Entry::key);
        if last_key != Some(promise.last_key) || (node.chunks.len() == node.total && len != promise.len) {
            return Err(invalid("a node is not the one that its parent describes"));
        }
        Ok(())
    }

    /// Lays out a child, if the proof shows it.
    fn child(&mut self, parent_level: u8, hash: Hash, promise: Promise<'a>) -> Result<()> {
        let Some(child) = self.nodes.as_slice().first().filter(|node| node.hash == hash) else {
            self.found.ends_in_gap = true;
            return self.point(promise.last_key, None);
        };
        if child.level != parent_level - 1 {
            return Err(invalid(format!("a node of level {} lies below one of {parent_level}", child.level)));
        }
        self.nodes.next();
        self.visit(child, Some(promise))
    }

    /// Lays out a key that the tree holds.
    fn point(&mut self, key: Field<'a>, value: Option<ProvenValue>) -> Result<()> {
        let key = match key {
            Field::Bytes(key) => key,
            Field::Digest { len, digest } => match self.long_keys.find(len, &digest) {
                Some(key) => key,
                None => {
                    self.found.ends_in_gap = true;
                    self.found.unplaced.extend(value.map(|value| (digest, (len, value))));
                    return Ok(());
                }
            },
        };
        if self.found.points.last().is_some_and(|before| before.key.as_slice() >= key) {
            return Err(invalid("the keys it shows are not in ascending order"));
        }
        let follows_gap = std::mem::take(&mut self.found.ends_in_gap);
        self.found.points.push(Point { key: key.to_vec(), value, follows_gap });
        Ok(())
    }
}

/// The long keys of a proof, found by digest.
struct LongKeys<'a> {
    by_digest: HashMap<Hash, (&'a [u8], bool)>,
}

impl<'a> LongKeys<'a> {
    fn new(keys: &'a [Bytes]) -> Result<Self> {
        if !keys.is_sorted_by(|a, b| a.0 < b.0) {
            return Err(invalid("its long keys are not in ascending order"));
        }
        let by_digest = keys.iter().map(|key| (blake3::hash(key).into(), (&key[..], false))).collect();
        Ok(Self { by_digest })
    }

    fn find(&mut self, len: u32, digest: &Hash) -> Option<&'a [u8]> {
        let (key, is_used) = self.by_digest.get_mut(digest).filter(|(key, _)| key.len() == len as usize)?;
        *is_used = true;
        Some(key)
    }

    fn expect_all_used(&self) -> Result<(), Error> {
        match self.by_digest.values().all(|(_, is_used)| *is_used) {
            true => Ok(()),
            false => Err(invalid("it has a long key that nothing refers to")),
        }
    }
}
