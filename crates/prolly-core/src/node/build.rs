//! Collects entries in ascending order and encodes runs of them as nodes.

use std::sync::Weak;

use super::{CHILD_BYTES, FLAG_WIDE, HEADER_BYTES, KIND, Layout, NODE_FORMAT_VERSION, Node};
use crate::{Link, Locator, value};

/// A child of an internal node under construction.
#[derive(Clone)]
pub(crate) struct Child {
    pub(crate) link: Link,
    /// Entries below.
    pub(crate) len: u64,
    /// The child itself, while it is in memory.
    pub(crate) decoded: Weak<Node>,
}

/// Entries that will become nodes, kept in columns. Keys are ascending; that is the caller's part.
pub(crate) struct NodeBuilder {
    level: u8,
    keys: Vec<u8>,
    key_ends: Vec<usize>,
    /// Tagged values of a leaf.
    values: Vec<u8>,
    value_ends: Vec<usize>,
    /// Children of an internal node.
    children: Vec<Child>,
    /// The store's hints for the links of a leaf, one for every entry that links.
    locators: Vec<(usize, Locator)>,
}

impl NodeBuilder {
    pub(crate) fn new(level: u8) -> Self {
        Self {
            level,
            keys: Vec::new(),
            key_ends: Vec::new(),
            values: Vec::new(),
            value_ends: Vec::new(),
            children: Vec::new(),
            locators: Vec::new(),
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.key_ends.len()
    }

    pub(crate) fn key(&self, index: usize) -> &[u8] {
        &self.keys[start(&self.key_ends, index)..self.key_ends[index]]
    }

    pub(crate) fn tagged_value(&self, index: usize) -> &[u8] {
        &self.values[start(&self.value_ends, index)..self.value_ends[index]]
    }

    /// Adds an entry of a leaf.
    pub(crate) fn push_value(&mut self, key: &[u8], tagged: &[u8], locator: Locator) {
        debug_assert_eq!(self.level, 0);
        if locator != Locator::NONE {
            self.locators.push((self.count(), locator));
        }
        self.push_key(key);
        self.values.extend_from_slice(tagged);
        self.value_ends.push(self.values.len());
    }

    /// Adds a child of an internal node; `key` is the child's last.
    pub(crate) fn push_child(&mut self, key: &[u8], child: &Child) {
        debug_assert_ne!(self.level, 0);
        self.push_key(key);
        self.children.push(child.clone());
    }

    /// Size of entry `index` in bytes, as the boundary rule counts it.
    pub(crate) fn entry_bytes(&self, index: usize) -> usize {
        let key = self.key(index).len();
        if self.level == 0 { key + self.tagged_value(index).len() } else { key + CHILD_BYTES }
    }

    /// Encodes the first `count` entries as a node and removes them.
    pub(crate) fn take(&mut self, count: usize) -> Node {
        let node = self.encode(count);
        if count == self.count() {
            self.discard();
            return node;
        }
        if self.level == 0 {
            drop_front(&mut self.values, &mut self.value_ends, count);
        } else {
            self.children.drain(..count);
        }
        drop_front(&mut self.keys, &mut self.key_ends, count);
        self.locators.retain_mut(|(index, _)| {
            let keep = *index >= count;
            *index = index.wrapping_sub(count);
            keep
        });
        node
    }

    /// Removes all entries.
    pub(crate) fn discard(&mut self) {
        self.keys.clear();
        self.key_ends.clear();
        self.values.clear();
        self.value_ends.clear();
        self.children.clear();
        self.locators.clear();
    }

    fn push_key(&mut self, key: &[u8]) {
        self.keys.extend_from_slice(key);
        self.key_ends.push(self.keys.len());
    }

    fn encode(&self, count: usize) -> Node {
        let prefix_len = match count {
            0 => 0,
            _ => common_prefix(self.key(0), self.key(count - 1)),
        };
        let keys_len = start(&self.key_ends, count) - prefix_len * count;
        let values_len = if self.level == 0 { start(&self.value_ends, count) } else { count * CHILD_BYTES };
        let wide = is_wide(self.level, keys_len, values_len);
        let width = if wide { 4 } else { 2 };
        let tables = if self.level == 0 { 2 } else { 1 };
        let links = if self.level == 0 { self.leaf_links(count) } else { count };
        let key_ends = HEADER_BYTES + prefix_len;
        let keys = key_ends + tables * width * count;
        let layout = Layout {
            level: self.level,
            wide,
            count,
            links,
            prefix_len,
            key_ends,
            value_ends: key_ends + width * count,
            keys,
            values: keys + keys_len,
            key_stride: 0,
            value_stride: 0,
        };

        let mut out = Vec::with_capacity(layout.values + values_len);
        out.extend_from_slice(&[KIND, NODE_FORMAT_VERSION, self.level, if wide { FLAG_WIDE } else { 0 }]);
        out.extend_from_slice(&narrow::<u16>(count).to_le_bytes());
        out.extend_from_slice(&narrow::<u16>(links).to_le_bytes());
        out.extend_from_slice(&narrow::<u32>(prefix_len).to_le_bytes());
        out.extend_from_slice(&narrow::<u32>(keys_len).to_le_bytes());
        if count > 0 {
            out.extend_from_slice(&self.key(0)[..prefix_len]);
        }
        write_ends(&mut out, wide, (0..count).map(|index| self.key_ends[index] - prefix_len * (index + 1)));
        if self.level == 0 {
            write_ends(&mut out, wide, self.value_ends[..count].iter().copied());
        }
        for index in 0..count {
            out.extend_from_slice(&self.key(index)[prefix_len..]);
        }
        if self.level == 0 {
            out.extend_from_slice(&self.values[..values_len]);
        } else {
            for child in &self.children[..count] {
                out.extend_from_slice(child.link.hash.as_bytes());
            }
            for child in &self.children[..count] {
                out.extend_from_slice(&child.len.to_le_bytes());
            }
        }
        let children = &self.children[..count.min(self.children.len())];
        let node = Node::assemble(
            out.into_boxed_slice(),
            layout,
            children.iter().map(|child| child.decoded.clone()),
        );
        if let Some(locators) = self.known_locators(count, links) {
            node.set_locators(Locator::NONE, locators);
        }
        node
    }

    fn leaf_links(&self, count: usize) -> usize {
        (0..count).filter(|index| value::is_link(self.tagged_value(*index))).count()
    }

    /// The hints that came with the entries, or `None` when there are none.
    fn known_locators(&self, count: usize, links: usize) -> Option<Box<[Locator]>> {
        if self.level > 0 {
            let locators = self.children[..count].iter().map(|child| child.link.locator);
            return locators.clone().any(|locator| locator != Locator::NONE).then(|| locators.collect());
        }
        self.locators.first().filter(|(index, _)| *index < count)?;
        let mut out = Vec::with_capacity(links);
        let mut known = self.locators.iter().peekable();
        for index in (0..count).filter(|index| value::is_link(self.tagged_value(*index))) {
            out.push(known.next_if(|(at, _)| *at == index).map_or(Locator::NONE, |(_, locator)| *locator));
        }
        Some(out.into_boxed_slice())
    }
}

/// Whether the offsets of a node need four bytes. Part of the canonical form.
pub(super) fn is_wide(level: u8, keys_len: usize, values_len: usize) -> bool {
    let max = usize::from(u16::MAX);
    keys_len > max || (level == 0 && values_len > max)
}

/// Length of the longest common prefix.
pub(super) fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

fn start(ends: &[usize], index: usize) -> usize {
    if index == 0 { 0 } else { ends[index - 1] }
}

fn drop_front(column: &mut Vec<u8>, ends: &mut Vec<usize>, count: usize) {
    let cut = start(ends, count);
    column.drain(..cut);
    ends.drain(..count);
    for end in ends {
        *end -= cut;
    }
}

fn write_ends(out: &mut Vec<u8>, wide: bool, ends: impl Iterator<Item = usize>) {
    for end in ends {
        if wide {
            out.extend_from_slice(&narrow::<u32>(end).to_le_bytes());
        } else {
            out.extend_from_slice(&narrow::<u16>(end).to_le_bytes());
        }
    }
}

fn narrow<T: TryFrom<usize>>(size: usize) -> T {
    T::try_from(size)
        .unwrap_or_else(|_| unreachable!("the configuration bounds the size of a node, {size} is beyond it"))
}
