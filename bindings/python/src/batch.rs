//! Pairs and keys gathered from any Python iterable, ready to be used without the interpreter lock.
//!
//! **Invariant:** the bytes are copies, so nothing that Python does later changes a batch; a batch is gathered whole
//! before anything is done with it, so a bad element leaves everything as it was.

use std::ops::Range;

use prolly_core::{EditRef, EditSource, Error, Locator, MAX_KEY_BYTES, MAX_VALUE_BYTES, ValueRef};
use pyo3::{
    exceptions::{PyTypeError, PyValueError},
    intern,
    prelude::*,
    types::{PyDict, PyMapping, PyTuple},
};

use crate::{args::Bytes, errors};

/// Byte strings one behind the other.
#[derive(Default)]
struct Arena {
    bytes: Vec<u8>,
}

impl Arena {
    fn push(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }
}

/// Keys and values, in the order given.
#[derive(Default)]
pub(crate) struct Pairs {
    arena: Arena,
    pairs: Vec<(Range<usize>, Range<usize>)>,
}

impl Pairs {
    /// Gathers pairs from a mapping or from an iterable of pairs.
    ///
    /// # Errors
    /// Whatever iterating raises; `TypeError` and `ValueError` for an element that is no pair of bytes-like objects;
    /// the tree layer's errors for a key or a value that is too long.
    pub(crate) fn gather(items: &Bound<'_, PyAny>) -> PyResult<Self> {
        let mut this = Self::default();
        if let Ok(dict) = items.cast_exact::<PyDict>() {
            for (key, value) in dict {
                this.push(&key, &value)?;
            }
            return Ok(this);
        }
        let py = items.py();
        let view = match items.cast::<PyMapping>() {
            Ok(mapping) => Some(mapping.call_method0(intern!(py, "items"))?),
            Err(_) => None,
        };
        for item in view.as_ref().unwrap_or(items).try_iter()? {
            let item = item?;
            match item.cast_exact::<PyTuple>() {
                Ok(pair) if pair.len() == 2 => {
                    this.push(&*pair.get_borrowed_item(0)?, &*pair.get_borrowed_item(1)?)?;
                }
                _ => {
                    let (key, value) = unpack(&item)?;
                    this.push(&key, &value)?;
                }
            }
        }
        Ok(this)
    }

    fn push(&mut self, key: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let (key, value): (Bytes<'_>, Bytes<'_>) = (key.extract()?, value.extract()?);
        check_len(key.len(), value.len()).map_err(errors::of_tree)?;
        let pair = (self.arena.push(&key), self.arena.push(&value));
        self.pairs.push(pair);
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.pairs.len()
    }

    /// The pairs in the order given.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.pairs
            .iter()
            .map(|(key, value)| (&self.arena.bytes[key.clone()], &self.arena.bytes[value.clone()]))
    }

    /// The pairs in ascending order of their keys; of equal keys the one given last.
    pub(crate) fn into_edits(self) -> PairEdits {
        let key = |at: usize| &self.arena.bytes[self.pairs[at].0.clone()];
        let count = self.pairs.len();
        let mut order: Vec<(u64, usize)> = (0..count).map(|at| (0, at)).collect();
        if !(1..count).all(|at| key(at - 1) < key(at)) {
            let shared = (1..count).map(|at| common_prefix(key(0), key(at))).min().unwrap_or(0);
            for (word, at) in &mut order {
                *word = first_word(&key(*at)[shared..]);
            }
            order.sort_unstable_by(|(a_word, a), (b_word, b)| {
                a_word.cmp(b_word).then_with(|| key(*a).cmp(key(*b))).then(a.cmp(b))
            });
            // `dedup_by` keeps the first of equals, and the last one given must win.
            order.reverse();
            order.dedup_by(|(a_word, a), (b_word, b)| a_word == b_word && key(*a) == key(*b));
            order.reverse();
        }
        PairEdits { pairs: self, order: order.into_iter() }
    }
}

fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// The first eight bytes as a number that orders as they do, short ones filled up with zeros.
fn first_word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    let len = bytes.len().min(8);
    word[..len].copy_from_slice(&bytes[..len]);
    u64::from_be_bytes(word)
}

/// Two elements of anything that can be iterated but is not bytes.
fn unpack<'py>(item: &Bound<'py, PyAny>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
    let no_pair =
        |what: &str| PyTypeError::new_err(format!("each item must be a (key, value) pair, not {what}"));
    let kind = item.get_type().name()?;
    if item.extract::<Bytes<'_>>().is_ok() {
        return Err(no_pair(&format!("'{kind}'")));
    }
    let mut elements = item.try_iter().map_err(|_| no_pair(&format!("'{kind}'")))?;
    match (elements.next().transpose()?, elements.next().transpose()?, elements.next().transpose()?) {
        (Some(key), Some(value), None) => Ok((key, value)),
        _ => Err(PyValueError::new_err(format!(
            "each item must be a (key, value) pair, this '{kind}' has another length"
        ))),
    }
}

fn check_len(key: usize, value: usize) -> prolly_core::Result<()> {
    if key > MAX_KEY_BYTES {
        return Err(Error::KeyTooLong { len: key, max: MAX_KEY_BYTES });
    }
    if value > MAX_VALUE_BYTES {
        return Err(Error::ValueTooLong { len: value, max: MAX_VALUE_BYTES });
    }
    Ok(())
}

/// A batch of insertions in order.
pub(crate) struct PairEdits {
    pairs: Pairs,
    order: std::vec::IntoIter<(u64, usize)>,
}

impl EditSource for PairEdits {
    fn next_edit(&mut self) -> prolly_core::Result<Option<EditRef<'_>>> {
        let Some((_, at)) = self.order.next() else { return Ok(None) };
        let (key, value) = &self.pairs.pairs[at];
        let bytes = &self.pairs.arena.bytes;
        let value = Some(ValueRef::Inline(&bytes[value.clone()]));
        Ok(Some(EditRef { key: &bytes[key.clone()], value, locator: Locator::NONE }))
    }
}

/// Keys, in the order given.
#[derive(Default)]
pub(crate) struct Keys {
    arena: Arena,
    keys: Vec<Range<usize>>,
}

impl Keys {
    /// Gathers keys from an iterable.
    ///
    /// # Errors
    /// Whatever iterating raises; `TypeError` for an element that is not bytes-like.
    pub(crate) fn gather(keys: &Bound<'_, PyAny>) -> PyResult<Self> {
        if keys.extract::<Bytes<'_>>().is_ok() {
            return Err(PyTypeError::new_err("an iterable of keys is required, not one key"));
        }
        let mut this = Self::default();
        for key in keys.try_iter()? {
            let key = key?;
            let range = this.arena.push(&key.extract::<Bytes<'_>>()?);
            this.keys.push(range);
        }
        Ok(this)
    }

    /// Just this key.
    pub(crate) fn one(key: &[u8]) -> Self {
        let mut this = Self::default();
        let range = this.arena.push(key);
        this.keys.push(range);
        this
    }

    /// The keys in the order given.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> + Clone {
        self.keys.iter().map(|key| &self.arena.bytes[key.clone()])
    }

    /// The keys in ascending order, each once.
    pub(crate) fn sorted(&self) -> Vec<&[u8]> {
        let mut keys: Vec<&[u8]> = self.iter().collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}
