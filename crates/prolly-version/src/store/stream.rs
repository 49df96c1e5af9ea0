//! Values that are streamed in and out: of any length, in bounded memory.
//!
//! A value streams in while nothing is locked, part by part into the buffer of staged objects, which moves to a temporary
//! file as it grows. Only then it is staged, and its parts go to the journal, so that it survives a crash like any other
//! edit.
//!
//! Of a value that the key has in the base already, only what differs is written: the rest is reachable from there. When the
//! store moves, a ref keeps that commit until the value is committed (see `keep`).
//!
//! **Invariant:** at most one part and one list per level of a value are held beside that buffer.

use std::{
    io::{self, Read, Seek, SeekFrom},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use prolly_core::{
    Blob, BlobPart, BlobReader, BlobWriter, Error as TreeError, Hash, HashedMap, Link, MAX_KEY_BYTES, Node,
    NodeReader, NodeWriter, Record, SortedEdits, Tree, Value, ValueRef, blob, blob_links,
};

use super::{Snapshot, Store, core::Editor, nodes::TreeNodes, state::Present};
use crate::{
    CommitId, Error, Result, TreeKey,
    journal::{Journal, Op},
};

/// How much is read from a source at once.
const READ_BYTES: usize = 256 * 1024;

/// A value that is read as a stream, from any position. What the store reports is inside of the [`io::Error`].
pub struct ValueReader {
    len: u64,
    position: u64,
    bytes: Bytes,
}

enum Bytes {
    Inline(Vec<u8>),
    Blob {
        reader: BlobReader<'static>,
        /// The part read last, and where it begins.
        part: Option<(u64, BlobPart)>,
    },
}

impl Store {
    /// Stages the bytes of a stream as the value of a key, whether or not it had one; returns their number. Memory stays
    /// bounded whatever that is: from 32 MiB on (unless configured otherwise) the value waits in temporary files, and until
    /// the commit in the journal. Nothing is locked while the stream is read.
    ///
    /// # Errors
    /// [`Error::ValueSource`] when the stream fails: nothing is staged then. As [`Store::insert`].
    pub fn insert_reader(&self, tree: &TreeKey, key: &[u8], source: &mut dyn Read) -> Result<u64> {
        if key.len() > MAX_KEY_BYTES {
            return Err(TreeError::KeyTooLong { len: key.len(), max: MAX_KEY_BYTES }.into());
        }
        let failed = |source| Error::ValueSource { key: key.to_vec(), source };
        let inline_bytes_max = self.config(tree)?.inline_bytes_max();
        let mut buffer = Vec::new();
        source.take(inline_bytes_max as u64 + 1).read_to_end(&mut buffer).map_err(failed)?;
        if buffer.len() <= inline_bytes_max {
            self.insert(tree, key, &buffer)?;
            return Ok(buffer.len() as u64);
        }
        let target = self.blob_target(tree, key)?;
        let mut writer = BlobWriter::new(&target);
        writer.push(&buffer)?;
        buffer.resize(READ_BYTES, 0);
        loop {
            match source.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => writer.push(&buffer[..count])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        }
        let blob = writer.finish()?;
        self.insert_blob(tree, key, &blob, &target)?;
        Ok(blob.len)
    }

    /// Opens the value of a key as it is now, staged changes included; `None` when there is no such key. The reader shows
    /// what the key held when it was opened.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub fn open_value(&self, tree: &TreeKey, key: &[u8]) -> Result<Option<ValueReader>> {
        ValueReader::open(&self.tree(tree)?, key)
    }

    /// Where to put the objects of a new value: not those that the value has in the base.
    fn blob_target(&self, tree: &TreeKey, key: &[u8]) -> Result<BlobTarget> {
        let (nodes, base, catalog) = {
            let state = self.core().read();
            (state.nodes.for_tree(), state.base, state.catalog.clone())
        };
        let mut shared = HashedMap::default();
        if let Some(version) = catalog.tree(tree)?
            && let Some(found) = version.find(key)?
            && let (ValueRef::Blob { .. }, Some(link)) = (found.value(), found.link())
        {
            note_objects(&**version.reader(), (link, true), &mut shared)?;
        }
        Ok(BlobTarget { nodes, base, shared, has_shared: AtomicBool::new(false) })
    }

    /// Stages a blob that was written to `target`.
    fn insert_blob(&self, tree: &TreeKey, key: &[u8], blob: &Blob, target: &BlobTarget) -> Result<()> {
        let BlobTarget { nodes, base, shared, has_shared } = target;
        let mut editor = self.core().edit()?;
        let mut state = self.core().write();
        let has_shared = has_shared.load(Ordering::Relaxed);
        let is_there = nodes.is_beside(&state.nodes) && (state.base == *base || !has_shared);
        if !is_there {
            // Somebody committed or moved meanwhile, or dropped what was staged: nothing is sure to stay.
            let new = state.nodes.for_tree();
            each_record(&**nodes, blob.hash, &mut |hash, encoded| {
                Ok(new.write_record(*hash, encoded.to_vec())?)
            })?;
        }
        let nothing = HashedMap::default();
        let shared = if is_there { shared } else { &nothing };
        let present = state.present(tree)?;
        if blob.len <= present.tree.config().inline_bytes_max() as u64 {
            let value = blob::read(&**nodes, &blob.hash.into(), blob.len)?;
            present.tree.insert(key, &value)?;
            return editor.push(tree, &Op::Put { key, value: &value });
        }
        put_blob(present, key, blob)?;
        if has_shared && is_there {
            state.borrowed.extend(base);
        }
        drop(state);
        editor.push_blob(tree, key, blob, &**nodes, shared)
    }
}

/// Takes the objects of a new value, but for those that the base has.
struct BlobTarget {
    nodes: Arc<TreeNodes>,
    base: Option<CommitId>,
    /// The objects of the value that the key has in the base.
    shared: HashedMap<()>,
    /// Whether some of these were written.
    has_shared: AtomicBool,
}

impl NodeWriter for BlobTarget {
    fn write_node(&self, node: Arc<Node>) -> prolly_core::Result<()> {
        self.nodes.write_node(node)
    }

    fn write_record(&self, hash: Hash, encoded: Vec<u8>) -> prolly_core::Result<()> {
        if self.shared.contains_key(&hash) {
            self.has_shared.store(true, Ordering::Relaxed);
            return Ok(());
        }
        self.nodes.write_record(hash, encoded)
    }

    fn forget_node(&self, hash: &Hash) -> prolly_core::Result<()> {
        self.nodes.forget_node(hash)
    }
}

impl Snapshot {
    /// Opens the value of a key; `None` when there is no such key.
    ///
    /// # Errors
    /// As [`Snapshot::tree`].
    pub fn open_value(&self, tree: &TreeKey, key: &[u8]) -> Result<Option<ValueReader>> {
        ValueReader::open(&self.tree(tree)?, key)
    }
}

/// Makes a blob the value of a key.
pub(super) fn put_blob(present: &mut Present, key: &[u8], blob: &Blob) -> Result<()> {
    let value = Value::Blob { len: blob.len, hash: blob.hash };
    Ok(present.tree.apply(&mut SortedEdits::new([(key, Some(value))]))?)
}

impl Editor {
    fn push_blob(
        &mut self,
        tree: &TreeKey,
        key: &[u8],
        blob: &Blob,
        reader: &dyn NodeReader,
        shared: &HashedMap<()>,
    ) -> Result<()> {
        let Some(journal) = self.journal()? else { return Ok(()) };
        journal_blob(journal, tree, key, blob, reader, shared)?;
        // Most of it is written out already; a crash shall not lose the rest of a long value for want of its last edit.
        journal.flush()
    }
}

/// Journals a blob as the value of a key: its objects first, but for those that the base of the journal has.
pub(super) fn journal_blob(
    journal: &mut Journal,
    tree: &TreeKey,
    key: &[u8],
    blob: &Blob,
    reader: &dyn NodeReader,
    shared: &HashedMap<()>,
) -> Result<()> {
    each_unshared_record(reader, blob.hash, shared, &mut |_, encoded| {
        journal.push(tree, &Op::Record(encoded))
    })?;
    journal.push(tree, &Op::PutBlob { key, len: blob.len, hash: blob.hash })
}

/// Visits the objects of a blob, each once.
fn each_record(
    reader: &dyn NodeReader,
    top: Hash,
    visit: &mut dyn FnMut(&Hash, &[u8]) -> Result<()>,
) -> Result<()> {
    each_unshared_record(reader, top, &HashedMap::default(), visit)
}

/// Visits the objects of a blob that are not shared, each once. What lies below a shared one is shared.
fn each_unshared_record(
    reader: &dyn NodeReader,
    top: Hash,
    shared: &HashedMap<()>,
    visit: &mut dyn FnMut(&Hash, &[u8]) -> Result<()>,
) -> Result<()> {
    let mut seen: HashedMap<()> = HashedMap::default();
    let mut open = vec![Link::from(top)];
    while let Some(link) = open.pop() {
        if !shared.contains_key(&link.hash) && seen.insert(link.hash, ()).is_none() {
            let encoded = reader.read_record(&link)?;
            visit(&link.hash, &encoded)?;
            open.extend(blob_links(&encoded)?.rev().map(|object| *object.link()));
        }
    }
    Ok(())
}

/// Adds the addresses of the objects of a blob to those that were `seen`, reading its lists only. A blob that is known to be
/// short is not read at all, and neither is what lies below an object seen before.
pub(super) fn note_objects(
    reader: &dyn NodeReader,
    (top, may_be_list): (Link, bool),
    seen: &mut HashedMap<()>,
) -> prolly_core::Result<()> {
    let mut open = vec![(top, may_be_list)];
    while let Some((link, may_be_list)) = open.pop() {
        if seen.insert(link.hash, ()).is_some() {
            continue;
        }
        if may_be_list {
            let encoded = reader.read_record(&link)?;
            let list = Record::decode(&encoded)?;
            let mut links = list.links().map(Link::from).peekable();
            // A part has no links, and anything for its first byte.
            if links.peek().is_some() {
                let reason = || "a list of a blob does not say its level".to_owned();
                let level = list.payload.first().copied();
                let level = level.ok_or_else(|| TreeError::Corrupt { hash: link.hash, reason: reason() })?;
                open.extend(links.map(|link| (link, level > 1)));
            }
        }
    }
    Ok(())
}

impl ValueReader {
    /// Opens the value of a key of a tree; `None` when there is no such key.
    ///
    /// # Errors
    /// `NotAValue` when the entry links to a tree; what reading reports.
    pub fn open(tree: &Tree, key: &[u8]) -> Result<Option<Self>> {
        let Some(found) = tree.find(key)? else { return Ok(None) };
        let (len, bytes) = match (found.value(), found.link()) {
            (ValueRef::Inline(bytes), _) => (bytes.len() as u64, Bytes::Inline(bytes.to_vec())),
            (ValueRef::Blob { len, .. }, Some(link)) => {
                let reader = BlobReader::open_shared(Arc::clone(tree.reader()), &link, len)?;
                (len, Bytes::Blob { reader, part: None })
            }
            _ => return Err(TreeError::NotAValue { key: key.to_vec() }.into()),
        };
        Ok(Some(Self { len, position: 0, bytes }))
    }

    /// Length of the value in bytes.
    #[expect(clippy::len_without_is_empty, reason = "it is a length in bytes, known from outside")]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// The bytes from the position on that can be had at once; none at the end.
    fn available(&mut self) -> io::Result<&[u8]> {
        let position = self.position;
        match &mut self.bytes {
            Bytes::Inline(bytes) => {
                let from = usize::try_from(position).unwrap_or(usize::MAX).min(bytes.len());
                Ok(&bytes[from..])
            }
            Bytes::Blob { reader, part } => {
                let holds = |(start, part): &(u64, BlobPart)| {
                    position.checked_sub(*start).is_some_and(|from| from < part.len() as u64)
                };
                if !part.as_ref().is_some_and(holds) {
                    reader.seek(position);
                    *part = reader.next_part().map_err(io::Error::other)?.map(|part| (position, part));
                }
                let from = |start: u64| usize::try_from(position - start).expect("a part is short");
                Ok(part.as_ref().map_or(&[][..], |(start, part)| &part[from(*start)..]))
            }
        }
    }
}

impl Read for ValueReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.available()?;
        let count = available.len().min(buffer.len());
        buffer[..count].copy_from_slice(&available[..count]);
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for ValueReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.len.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = position.ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "a position before the first byte, or beyond 64 bits")
        })?;
        Ok(self.position)
    }
}
