//! What an object links to, whatever kind it is of: all that walking a store needs.

use crate::{Link, Node, Record, Result, ValueRef};

/// A link to an object, with what is needed to read it.
#[derive(Clone, Copy, Debug)]
pub enum ObjectLink {
    /// To a node of a tree.
    Node(Link),
    /// To a record: a part or a list of a blob.
    Record(Link),
}

impl ObjectLink {
    /// The address linked to, with the store's hint.
    pub fn link(&self) -> &Link {
        match self {
            Self::Node(link) | Self::Record(link) => link,
        }
    }
}

impl Node {
    /// What the node links to: its children, or the blobs and trees of its values.
    pub fn object_links(&self) -> impl DoubleEndedIterator<Item = ObjectLink> + '_ {
        let count = if self.link_count() == 0 { 0 } else { self.count() };
        (0..count).filter_map(|index| {
            if !self.is_leaf() {
                return Some(ObjectLink::Node(self.child(index)));
            }
            let link = self.value_link(index)?;
            Some(match self.value(index) {
                ValueRef::Tree { .. } => ObjectLink::Node(link),
                _ => ObjectLink::Record(link),
            })
        })
    }
}

/// What the encoding of a part or list of a blob links to.
///
/// # Errors
/// [`Error::Malformed`](crate::Error::Malformed), [`Error::NewerFormat`](crate::Error::NewerFormat).
pub fn blob_links(encoded: &[u8]) -> Result<impl DoubleEndedIterator<Item = ObjectLink> + '_> {
    Ok(Record::decode(encoded)?.links().map(|hash| ObjectLink::Record(hash.into())))
}
