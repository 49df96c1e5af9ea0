//! Where the edits of a batch come from, and what makes them fit to enter a leaf.

use super::{Change, Edits, LevelEdit};
use crate::{Error, Locator, MAX_KEY_BYTES, NodeWriter, Result, TreeConfig, Value, ValueRef, blob};

/// An edit: a key and its new value.
#[derive(Clone, Copy, Debug)]
pub struct EditRef<'a> {
    /// The key.
    pub key: &'a [u8],
    /// The value it shall have; `None` removes it, and is no error when it is not there.
    pub value: Option<ValueRef<'a>>,
    /// The store's hint for the object that the value links to.
    pub locator: Locator,
}

/// Gives edits in ascending order of their keys, one at a time.
pub trait EditSource {
    /// The next edit, `None` at the end.
    ///
    /// # Errors
    /// Whatever the source fails with ends the batch.
    fn next_edit(&mut self) -> Result<Option<EditRef<'_>>>;
}

/// Edits from an iterator of keys and values (`None` removes).
pub struct SortedEdits<K, I> {
    edits: I,
    current: Option<(K, Option<Value>)>,
}

impl<K: AsRef<[u8]>, I: Iterator<Item = (K, Option<Value>)>> SortedEdits<K, I> {
    /// Takes the edits of an iterator whose keys ascend.
    pub fn new(edits: impl IntoIterator<IntoIter = I, Item = I::Item>) -> Self {
        Self { edits: edits.into_iter(), current: None }
    }
}

impl<K: AsRef<[u8]>, I: Iterator<Item = (K, Option<Value>)>> EditSource for SortedEdits<K, I> {
    fn next_edit(&mut self) -> Result<Option<EditRef<'_>>> {
        self.current = self.edits.next();
        Ok(self.current.as_ref().map(|(key, value)| EditRef {
            key: key.as_ref(),
            value: value.as_ref().map(Value::as_ref),
            locator: Locator::NONE,
        }))
    }
}

/// Checks the edits of a source and brings their values into tagged form, long ones as blobs.
pub(super) struct Prepared<'a> {
    source: &'a mut dyn EditSource,
    writer: &'a dyn NodeWriter,
    inline_bytes_max: usize,
    at_end: bool,
    key: Vec<u8>,
    removes: bool,
    tagged: Vec<u8>,
    locator: Locator,
}

impl<'a> Prepared<'a> {
    pub(super) fn new(
        source: &'a mut dyn EditSource,
        config: &TreeConfig,
        writer: &'a dyn NodeWriter,
    ) -> Result<Self> {
        let mut this = Self {
            source,
            writer,
            inline_bytes_max: config.inline_bytes_max(),
            at_end: false,
            key: Vec::new(),
            removes: false,
            tagged: Vec::new(),
            locator: Locator::NONE,
        };
        this.read(true)?;
        Ok(this)
    }

    fn read(&mut self, first: bool) -> Result<()> {
        let Some(edit) = self.source.next_edit()? else {
            self.at_end = true;
            return Ok(());
        };
        if edit.key.len() > MAX_KEY_BYTES {
            return Err(Error::KeyTooLong { len: edit.key.len(), max: MAX_KEY_BYTES });
        }
        if !first && edit.key <= self.key.as_slice() {
            return Err(Error::Unsorted { previous: self.key.clone(), key: edit.key.to_vec() });
        }
        self.key.clear();
        self.key.extend_from_slice(edit.key);
        self.removes = edit.value.is_none();
        self.locator = edit.locator;
        self.tagged.clear();
        match edit.value {
            Some(ValueRef::Inline(bytes)) if bytes.len() > self.inline_bytes_max => {
                blob::write(self.writer, bytes)?.as_value().write_tagged(&mut self.tagged);
            }
            Some(value) => value.write_tagged(&mut self.tagged),
            None => {}
        }
        Ok(())
    }
}

impl Edits for Prepared<'_> {
    fn peek(&self) -> Option<LevelEdit<'_>> {
        let change = if self.removes { Change::Remove } else { Change::Value(&self.tagged, self.locator) };
        (!self.at_end).then_some(LevelEdit { key: &self.key, change })
    }

    fn advance(&mut self) -> Result<()> {
        self.read(false)
    }
}
