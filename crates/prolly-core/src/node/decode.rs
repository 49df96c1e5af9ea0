//! Reads a stored node, checking all of it once.

use super::{
    CHILD_BYTES, FLAG_WIDE, HEADER_BYTES, KIND, Layout, NODE_FORMAT_VERSION, Node,
    build::{common_prefix, is_wide},
};
use crate::{Error, Hash, Result, ValueRef, config::MAX_KEY_BYTES, value};

impl Node {
    /// Reads the stored form of the node `hash`, checking the format and the address.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the bytes are not those of that node, [`Error::NewerFormat`] for a later version.
    pub fn decode(hash: &Hash, bytes: impl Into<Box<[u8]>>) -> Result<Self> {
        let node = Self::decode_any(bytes).map_err(|error| error.of_object(hash))?;
        if node.hash != *hash {
            let reason = format!("its contents have the address {}", node.hash);
            return Err(Error::Corrupt { hash: *hash, reason });
        }
        Ok(node)
    }

    /// Reads the stored form of a node whose address is not known, and finds the address.
    ///
    /// # Errors
    /// [`Error::Malformed`] when the bytes do not follow the format, [`Error::NewerFormat`] for a later version.
    pub fn decode_any(bytes: impl Into<Box<[u8]>>) -> Result<Self> {
        let bytes = bytes.into();
        let layout = read_layout(&bytes)?;
        check_tables(&bytes, &layout)?;
        let children = if layout.level == 0 { 0 } else { layout.count };
        let node = Self::assemble(bytes, layout, (0..children).map(|_| std::sync::Weak::new()));
        node.check_keys()?;
        node.check_values()?;
        Ok(node)
    }

    fn check_keys(&self) -> Result<()> {
        let mut previous: &[u8] = b"";
        for index in 0..self.count() {
            let suffix = self.key_suffix(index);
            if index > 0 && previous >= suffix {
                return Err(Error::malformed(format!("key {index} is not greater than the one before it")));
            }
            if self.key_len(index) > MAX_KEY_BYTES {
                return Err(Error::malformed(format!("key {index} has {} bytes", self.key_len(index))));
            }
            previous = suffix;
        }
        if self.count() > 0 && common_prefix(self.key_suffix(0), previous) > 0 {
            return Err(Error::malformed("the keys share more than the stored prefix"));
        }
        Ok(())
    }

    fn check_values(&self) -> Result<()> {
        if self.is_leaf() {
            let mut links = 0;
            for index in 0..self.count() {
                let tagged = self.tagged_value(index);
                ValueRef::from_tagged(tagged)?;
                links += usize::from(value::is_link(tagged));
            }
            if links != self.layout.links {
                return Err(Error::malformed(format!(
                    "{links} links, the header says {}",
                    self.layout.links
                )));
            }
        } else {
            let lens = (0..self.count()).map(|index| self.child_len(index));
            if lens.clone().any(|len| len == 0) || lens.map(u128::from).sum::<u128>() > u128::from(u64::MAX) {
                return Err(Error::malformed("the numbers of entries below are out of bounds"));
            }
        }
        Ok(())
    }
}

/// Reads the header and checks that the columns fill the bytes exactly.
fn read_layout(bytes: &[u8]) -> Result<Layout> {
    let header = bytes
        .first_chunk::<HEADER_BYTES>()
        .ok_or_else(|| Error::malformed(format!("a node has {} bytes", bytes.len())))?;
    let [kind, version, level, flags, c0, c1, l0, l1, p0, p1, p2, p3, k0, k1, k2, k3] = *header;
    if kind != KIND {
        return Err(Error::malformed(format!("kind {kind:#04x} is not that of a node")));
    }
    if version != NODE_FORMAT_VERSION {
        return Err(Error::NewerFormat { found: version, supported: NODE_FORMAT_VERSION });
    }
    let count = usize::from(u16::from_le_bytes([c0, c1]));
    let links = usize::from(u16::from_le_bytes([l0, l1]));
    let prefix_len = u32::from_le_bytes([p0, p1, p2, p3]) as usize;
    let keys_len = u32::from_le_bytes([k0, k1, k2, k3]) as usize;
    let wide = flags & FLAG_WIDE != 0;
    let leaf = level == 0;
    let width = if wide { 4 } else { 2 };
    // On a 32-bit machine these sums could wrap: they are made in 64 bits and compared before use.
    let tables = (if leaf { 2 } else { 1 }) * width * count as u64;
    let values_at = HEADER_BYTES as u64 + prefix_len as u64 + tables + keys_len as u64;
    let values_len = (bytes.len() as u64).checked_sub(values_at).ok_or_else(|| {
        Error::malformed(format!("a node of {} bytes ends inside its columns", bytes.len()))
    })?;
    let values_len = usize::try_from(values_len).map_err(|_| Error::malformed("a node is too long"))?;

    let fault = if flags & !FLAG_WIDE != 0 {
        Some("unknown flags")
    } else if wide != is_wide(level, keys_len, values_len) {
        Some("its offsets have the wrong width")
    } else if !leaf && (count == 0 || links != count || values_len != count * CHILD_BYTES) {
        Some("its children do not fill it")
    } else if count == 0 && bytes.len() != HEADER_BYTES {
        Some("an empty node has content")
    } else {
        None
    };
    if let Some(fault) = fault {
        return Err(Error::malformed(fault));
    }
    let key_ends = HEADER_BYTES + prefix_len;
    let keys = bytes.len() - values_len - keys_len;
    Ok(Layout {
        level,
        wide,
        count,
        links,
        prefix_len,
        key_ends,
        value_ends: key_ends + width as usize * count,
        keys,
        values: bytes.len() - values_len,
        key_stride: 0,
        value_stride: 0,
    })
}

/// Checks that the offsets ascend and end where their columns do.
fn check_tables(bytes: &[u8], layout: &Layout) -> Result<()> {
    let width = if layout.wide { 4 } else { 2 };
    let check = |table: usize, column_len: usize| {
        let ends = bytes[table..table + width * layout.count]
            .chunks_exact(width)
            .map(|end| end.iter().rev().fold(0usize, |value, byte| value << 8 | usize::from(*byte)));
        let mut previous = 0;
        for end in ends {
            if end < previous {
                return Err(Error::malformed("an offset is smaller than the one before it"));
            }
            previous = end;
        }
        if previous != column_len {
            return Err(Error::malformed("a column does not end where its offsets do"));
        }
        Ok(())
    };
    check(layout.key_ends, layout.values - layout.keys)?;
    if layout.level == 0 {
        check(layout.value_ends, bytes.len() - layout.values)?;
    }
    Ok(())
}
