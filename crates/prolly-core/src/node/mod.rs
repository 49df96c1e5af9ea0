//! A node of a tree: a sorted run of entries, searched in place in its stored bytes.
//!
//! A leaf (level 0) holds keys and tagged values; an internal node holds, for each child, the child's last key, its
//! hash, and how many entries lie below it. `docs/format.md` has the stored layout byte by byte.
//!
//! **Invariant:** a [`Node`] has passed every check of the format (bounds, order, canonical form), and its hash is the
//! address of its contents. Nothing after construction can fail.

mod build;
mod commitment;
mod decode;
mod search;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::{Arc, OnceLock, RwLock, Weak},
};

use arc_swap::ArcSwapWeak;

pub(crate) use build::{Child, NodeBuilder};
pub(crate) use commitment::{CHUNK_BYTES, Commitment, FIELD_BYTES_MAX, NODE_KEY, chunk};

use crate::{Hash, Link, Locator, ValueRef};

/// First byte of a stored node.
const KIND: u8 = b'N';
/// The version of the node format that this build writes, and the latest it reads.
pub const NODE_FORMAT_VERSION: u8 = 1;
const HEADER_BYTES: usize = 16;
const FLAG_WIDE: u8 = 1;
/// What a child costs in the stored form beside its key: a hash and a count.
const CHILD_BYTES: usize = Hash::LEN + 8;

/// A decoded node, shared by reference.
pub struct Node {
    hash: Hash,
    bytes: Box<[u8]>,
    layout: Layout,
    /// Entries below an internal node, or in a leaf.
    len: u64,
    /// Direct pointers to the decoded children, so that a warm descent needs no map; empty in a leaf.
    children: Box<[ArcSwapWeak<Node>]>,
    locator: OnceLock<Locator>,
    /// The store's hints for the objects the node links to, in the order of the links.
    link_locators: RwLock<Option<Box<[Locator]>>>,
}

/// Where the columns of a node begin in its bytes.
#[derive(Clone, Copy)]
struct Layout {
    level: u8,
    wide: bool,
    count: usize,
    links: usize,
    prefix_len: usize,
    key_ends: usize,
    value_ends: usize,
    keys: usize,
    values: usize,
    /// The length that all key suffixes have in common, or all values: no offset need be read then. 0 where they differ.
    key_stride: usize,
    value_stride: usize,
}

/// Where an entry of a leaf is in its bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Slot {
    pub(crate) index: usize,
    /// Start and end of the key without the common prefix.
    key: (usize, usize),
    /// Start and end of the tagged value.
    value: (usize, usize),
}

impl Slot {
    /// Where the key without the common prefix begins in the bytes of the node.
    #[inline]
    pub(crate) fn key_start(&self) -> usize {
        self.key.0
    }
}

impl Node {
    /// The address of the node.
    pub fn hash(&self) -> &Hash {
        &self.hash
    }

    /// The stored form.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Height above the leaves: 0 for a leaf.
    #[inline]
    pub fn level(&self) -> u8 {
        self.layout.level
    }

    /// Whether the node is a leaf.
    #[inline]
    pub fn is_leaf(&self) -> bool {
        self.layout.level == 0
    }

    /// Number of entries of a leaf, or of children of an internal node.
    #[inline]
    pub fn count(&self) -> usize {
        self.layout.count
    }

    /// Number of entries in the leaves below, or in this leaf.
    #[expect(clippy::len_without_is_empty, reason = "only the empty tree has an empty node")]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Memory the node occupies, in bytes: what a cache has to count.
    pub fn weight_bytes(&self) -> usize {
        size_of::<Self>() + self.bytes.len() + self.children.len() * size_of::<usize>()
    }

    /// The bytes that every key of the node begins with.
    #[inline]
    pub fn prefix(&self) -> &[u8] {
        &self.bytes[HEADER_BYTES..HEADER_BYTES + self.layout.prefix_len]
    }

    /// Length of [`Node::prefix`].
    #[inline]
    pub(crate) fn prefix_len(&self) -> usize {
        self.layout.prefix_len
    }

    /// Key `index` without the common prefix.
    ///
    /// # Panics
    /// If `index` is not below [`Node::count`].
    #[inline]
    pub fn key_suffix(&self, index: usize) -> &[u8] {
        let (start, end) = self.key_range(index);
        &self.bytes[start..end]
    }

    /// Copies key `index` into `key`, replacing what it held.
    pub fn read_key(&self, index: usize, key: &mut Vec<u8>) {
        key.clear();
        key.extend_from_slice(self.prefix());
        key.extend_from_slice(self.key_suffix(index));
    }

    /// Copies key `index`.
    pub fn key(&self, index: usize) -> Vec<u8> {
        [self.prefix(), self.key_suffix(index)].concat()
    }

    /// Length of key `index` in bytes.
    pub fn key_len(&self, index: usize) -> usize {
        self.prefix_len() + self.key_suffix(index).len()
    }

    /// The last key of the node, `None` for the empty leaf.
    pub fn last_key(&self) -> Option<Vec<u8>> {
        self.count().checked_sub(1).map(|last| self.key(last))
    }

    /// The tagged form of value `index` of a leaf.
    ///
    /// # Panics
    /// If the node is not a leaf or `index` is not below [`Node::count`].
    #[inline]
    pub fn tagged_value(&self, index: usize) -> &[u8] {
        assert!(self.is_leaf(), "an internal node has no values");
        let start = if index == 0 { 0 } else { self.value_end(index - 1) };
        let end = self.value_end(index);
        &self.bytes[self.layout.values + start..self.layout.values + end]
    }

    /// Value `index` of a leaf.
    ///
    /// # Panics
    /// If the node is not a leaf or `index` is not below [`Node::count`].
    #[inline]
    pub fn value(&self, index: usize) -> ValueRef<'_> {
        ValueRef::from_tagged(self.tagged_value(index)).expect("tags were checked when the node was made")
    }

    /// Address of child `index` of an internal node.
    ///
    /// # Panics
    /// If the node is a leaf or `index` is not below [`Node::count`].
    pub fn child_hash(&self, index: usize) -> Hash {
        assert!(!self.is_leaf() && index < self.count(), "no child {index}");
        let at = self.layout.values + index * Hash::LEN;
        Hash::from_slice(&self.bytes[at..at + Hash::LEN]).expect("a hash has this length")
    }

    /// Number of entries below child `index` of an internal node.
    ///
    /// # Panics
    /// If the node is a leaf or `index` is not below [`Node::count`].
    pub fn child_len(&self, index: usize) -> u64 {
        assert!(!self.is_leaf() && index < self.count(), "no child {index}");
        let at = self.layout.values + self.count() * Hash::LEN + index * 8;
        u64::from_le_bytes(self.bytes[at..at + 8].try_into().expect("a count has this length"))
    }

    /// Child `index` of an internal node, with the store's hint.
    pub fn child(&self, index: usize) -> Link {
        Link { hash: self.child_hash(index), locator: self.link_locator(index) }
    }

    /// The object that value `index` of a leaf links to, with the store's hint; `None` for inline bytes.
    pub fn value_link(&self, index: usize) -> Option<Link> {
        let hash = self.value(index).link()?;
        let ordinal = if self.layout.links == self.count() {
            index
        } else {
            (0..index).filter(|before| crate::value::is_link(self.tagged_value(*before))).count()
        };
        Some(Link { hash, locator: self.link_locator(ordinal) })
    }

    /// Number of objects the node links to: its children, or the blobs and trees of its values.
    pub fn link_count(&self) -> usize {
        self.layout.links
    }

    /// The objects the node links to, in order.
    pub fn links(&self) -> impl Iterator<Item = Hash> + '_ {
        (0..self.count()).filter_map(|index| {
            if self.is_leaf() { self.value(index).link() } else { Some(self.child_hash(index)) }
        })
    }

    /// The store's hint for the node itself.
    pub fn locator(&self) -> Locator {
        self.locator.get().copied().unwrap_or(Locator::NONE)
    }

    /// The node's own address, with the store's hint.
    pub fn link(&self) -> Link {
        Link { hash: self.hash, locator: self.locator() }
    }

    /// The store's hint for link `ordinal`.
    pub fn link_locator(&self, ordinal: usize) -> Locator {
        let locators = self.link_locators.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        locators.as_ref().and_then(|locators| locators.get(ordinal)).copied().unwrap_or(Locator::NONE)
    }

    /// Notes where the store keeps the node and the objects it links to, in the order of [`Node::links`]. The first
    /// locator of the node itself stays.
    pub fn set_locators(&self, own: Locator, links: Box<[Locator]>) {
        if own != Locator::NONE {
            self.locator.get_or_init(|| own);
        }
        *self.link_locators.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(links);
    }

    /// The decoded child `index`, if it is still in memory.
    pub(crate) fn cached_child(&self, index: usize) -> Option<Arc<Node>> {
        self.children[index].load().upgrade()
    }

    /// Size of entry `index` in bytes, as the boundary rule counts it.
    pub(crate) fn entry_bytes(&self, index: usize) -> usize {
        self.key_len(index) + if self.is_leaf() { self.tagged_value(index).len() } else { CHILD_BYTES }
    }

    /// Remembers the decoded child `index` for as long as somebody else keeps it in memory.
    pub(crate) fn remember_child(&self, index: usize, child: &Arc<Node>) {
        self.children[index].store(Arc::downgrade(child));
    }

    /// Where the first entry of a leaf is.
    pub(crate) fn first_slot(&self) -> Slot {
        let mut slot = Slot { index: usize::MAX, key: (0, self.layout.keys), value: (0, self.layout.values) };
        self.advance_slot(&mut slot);
        slot
    }

    /// Where entry `index` of a leaf is.
    pub(crate) fn slot(&self, index: usize) -> Slot {
        let Some(before) = index.checked_sub(1) else { return self.first_slot() };
        let mut slot = Slot {
            index: before,
            key: (0, self.layout.keys + self.key_end(before)),
            value: (0, self.layout.values + self.value_end(before)),
        };
        self.advance_slot(&mut slot);
        slot
    }

    /// Moves `slot` to the entry after it of a leaf, in half the look-ups of [`Node::slot`]. In place: a slot that is
    /// returned through memory costs a scan half of its speed.
    #[inline(always)]
    pub(crate) fn advance_slot(&self, slot: &mut Slot) {
        slot.index = slot.index.wrapping_add(1);
        slot.key = (slot.key.1, self.layout.keys + self.key_end(slot.index));
        slot.value = (slot.value.1, self.layout.values + self.value_end(slot.index));
    }

    /// The key at `slot` without the common prefix.
    #[inline]
    pub(crate) fn suffix_at(&self, slot: &Slot) -> &[u8] {
        &self.bytes[slot.key.0..slot.key.1]
    }

    /// The stored form from `at` on.
    #[inline]
    pub(crate) fn bytes_from(&self, at: usize) -> &[u8] {
        &self.bytes[at..]
    }

    /// The tagged value at `slot`.
    #[inline]
    pub(crate) fn tagged_at(&self, slot: &Slot) -> &[u8] {
        &self.bytes[slot.value.0..slot.value.1]
    }

    /// The value at `slot`.
    #[inline(always)]
    pub(crate) fn value_at(&self, slot: &Slot) -> ValueRef<'_> {
        ValueRef::from_tagged(self.tagged_at(slot)).expect("tags were checked when the node was made")
    }

    #[inline]
    fn key_range(&self, index: usize) -> (usize, usize) {
        let start = if index == 0 { 0 } else { self.key_end(index - 1) };
        let end = self.key_end(index);
        (self.layout.keys + start, self.layout.keys + end)
    }

    /// Where key `index` ends in the column of keys.
    #[inline]
    fn key_end(&self, index: usize) -> usize {
        match self.layout.key_stride {
            0 => self.offset(self.layout.key_ends, index),
            stride => (index + 1) * stride,
        }
    }

    /// Where value `index` of a leaf ends in the column of values.
    #[inline]
    fn value_end(&self, index: usize) -> usize {
        match self.layout.value_stride {
            0 => self.offset(self.layout.value_ends, index),
            stride => (index + 1) * stride,
        }
    }

    /// The length that all entries of a column have in common, 0 where they differ.
    fn stride(&self, table: usize) -> usize {
        let first = if self.layout.count == 0 { 0 } else { self.offset(table, 0) };
        let regular = (1..self.layout.count).all(|index| self.offset(table, index) == (index + 1) * first);
        if regular { first } else { 0 }
    }

    /// Entry `index` of the offset table that begins at `table`.
    #[inline]
    fn offset(&self, table: usize, index: usize) -> usize {
        if self.layout.wide {
            let at = table + index * 4;
            u32::from_le_bytes(self.bytes[at..at + 4].try_into().expect("four bytes")) as usize
        } else {
            let at = table + index * 2;
            usize::from(u16::from_le_bytes(self.bytes[at..at + 2].try_into().expect("two bytes")))
        }
    }

    /// Puts together a node whose layout has been checked, with what is in memory of its children, and finds its address.
    fn assemble(bytes: Box<[u8]>, layout: Layout, children: impl Iterator<Item = Weak<Node>>) -> Self {
        let mut node = Self {
            hash: Hash::new([0; Hash::LEN]),
            bytes,
            layout,
            len: layout.count as u64,
            children: children.map(ArcSwapWeak::new).collect(),
            locator: OnceLock::new(),
            link_locators: RwLock::new(None),
        };
        if !node.is_leaf() {
            node.len = (0..layout.count).map(|index| node.child_len(index)).fold(0, u64::saturating_add);
        }
        node.layout.key_stride = node.stride(layout.key_ends);
        if node.is_leaf() {
            node.layout.value_stride = node.stride(layout.value_ends);
        }
        node.hash = Commitment::of(&node).root();
        node
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({}, level {}, {} entries)", self.hash, self.level(), self.count())
    }
}
