//! The shape of our objects in Git: a blob when nothing is linked to, else a tree.
//!
//! ```text
//! blob    the stored bytes of a node or record without links
//! tree    0000 0001 …   the objects it links to, in the order of its links
//!         node          a blob: its stored bytes
//! ```
//!
//! **Invariant:** a tree is written in Git's own order and modes, so that `git fsck --strict` accepts it, and one that is
//! read has every link exactly once.

use gix_hash::{Kind as HashKind, ObjectId};
use gix_object::TreeRefIter;

/// The entry with the object's own bytes.
const OWN: &str = "node";

/// An object as Git keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    /// Its Git id.
    pub(super) id: ObjectId,
    /// Whether it is a Git tree, which it is when it links to others.
    pub(super) is_tree: bool,
}

/// The Git tree of an object with links.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DagTree {
    /// The blob with its own bytes.
    pub(super) own: ObjectId,
    /// What it links to, in order.
    pub(super) links: Vec<Stored>,
}

/// Entries of a Git tree, to be encoded.
#[derive(Default)]
pub(super) struct TreeWriter {
    entries: Vec<(String, Stored)>,
}

impl TreeWriter {
    pub(super) fn push(&mut self, name: impl Into<String>, object: Stored) {
        self.entries.push((name.into(), object));
    }

    /// The content of the tree object.
    pub(super) fn encode(mut self) -> Vec<u8> {
        // Git compares the name of a tree as if it ended in a slash.
        let slash = |is_tree: bool| is_tree.then_some(b'/');
        self.entries.sort_by(|(a, x), (b, y)| {
            a.bytes().chain(slash(x.is_tree)).cmp(b.bytes().chain(slash(y.is_tree)))
        });
        let mut out = Vec::with_capacity(self.entries.len() * 32);
        for (name, object) in &self.entries {
            out.extend_from_slice(if object.is_tree { b"40000 " } else { b"100644 " });
            out.extend_from_slice(name.as_bytes());
            out.push(0);
            out.extend_from_slice(object.id.as_slice());
        }
        out
    }
}

impl DagTree {
    /// The content of the tree object.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut tree = TreeWriter::default();
        for (index, link) in self.links.iter().enumerate() {
            tree.push(format!("{index:04}"), *link);
        }
        tree.push(OWN, Stored { id: self.own, is_tree: false });
        tree.encode()
    }

    /// Reads the content of a tree object; the error says what is wrong with it.
    pub(super) fn decode(content: &[u8]) -> Result<Self, String> {
        let mut own = None;
        let mut links = Vec::new();
        for (name, object) in entries(content)? {
            if name == OWN.as_bytes() {
                own = Some(object.id);
                continue;
            }
            let index = std::str::from_utf8(name).ok().and_then(|name| name.parse::<usize>().ok());
            let index =
                index.ok_or_else(|| format!("unexpected entry {:?}", name.escape_ascii().to_string()))?;
            links.push((index, object));
        }
        // Names longer than four digits do not sort by number.
        links.sort_unstable_by_key(|(index, _)| *index);
        if let Some(missing) = links.iter().enumerate().position(|(at, (index, _))| at != *index) {
            return Err(format!("link {missing} is not there, or there twice"));
        }
        Ok(Self {
            own: own.ok_or_else(|| format!("no entry {OWN:?}"))?,
            links: links.into_iter().map(|(_, object)| object).collect(),
        })
    }
}

/// The entries of a tree object that are blobs or trees.
pub(super) fn entries(content: &[u8]) -> Result<Vec<(&[u8], Stored)>, String> {
    let mut out = Vec::new();
    for entry in TreeRefIter::from_bytes(content, HashKind::Sha1) {
        let entry = entry.map_err(|error| error.to_string())?;
        let name: &[u8] = entry.filename;
        if entry.mode.is_commit() {
            continue;
        }
        out.push((name, Stored { id: entry.oid.to_owned(), is_tree: entry.mode.is_tree() }));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(byte: usize) -> ObjectId {
        ObjectId::from_bytes_or_panic(&[u8::try_from(byte % 251).unwrap(); 20])
    }

    #[test]
    fn trees_round_trip_whatever_the_number_of_links() {
        for count in [1, 2, 300, 10_000, 10_001, 20_000] {
            let links = (0..count).map(|index| Stored { id: id(index), is_tree: index % 3 == 0 }).collect();
            let tree = DagTree { own: id(7), links };
            assert_eq!(DagTree::decode(&tree.encode()).unwrap(), tree);
        }
    }

    #[test]
    fn damaged_trees_are_refused() {
        let blob = Stored { id: id(1), is_tree: false };
        let encode = |names: &[&str]| {
            let mut tree = TreeWriter::default();
            names.iter().for_each(|name| tree.push(*name, blob));
            tree.encode()
        };
        for names in [&["0000"][..], &["0001", "node"], &["0000", "0002", "node"], &["0000", "x", "node"]] {
            assert!(DagTree::decode(&encode(names)).is_err(), "{names:?} must be refused");
        }
        let whole = encode(&["0000", "node"]);
        assert!(DagTree::decode(&whole[..whole.len() - 1]).is_err());
    }
}
