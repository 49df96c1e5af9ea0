//! Reading the rows that a hint names.
//!
//! **Invariant:** all rows are read that the hint names, and only those are touched.

use std::{collections::VecDeque, sync::Arc};

use gluesql_core::{
    data::{Key, Value},
    error::Result as GlueResult,
    store::RowIter,
};
use prolly_core::{Range, Tree, ValueRef};

use super::{Storage, index::Condition, relation::Relation};
use crate::{
    Error, Result,
    key::first_value_len,
    plan::{
        hint::{Access, Hint, Purpose, Summary},
        order_of,
        ranges::{KeyRange, KeyRanges},
    },
    row::decode_row,
    table::{IndexKind, PrimaryKey, Table},
};

impl Storage {
    /// The rows of a relation that a hint names, or the one row that describes them.
    pub(super) fn scan<'a>(&'a self, relation: Relation, hint: &Hint) -> Result<RowIter<'a>> {
        if let Some(summary) = hint.summary {
            let row = self.summary(&relation, &hint.access, summary)?;
            return Ok(Box::new(std::iter::once(Ok((Key::None, row)))));
        }
        if let Relation::Generated(generated) = &relation {
            let rows = generated.rows()?.zip(0..).map(|(row, number)| {
                self.touch(1);
                Ok((Key::U128(number), self.glue(row)?))
            });
            return Ok(Box::new(rows));
        }
        Ok(match &hint.access {
            Access::Index(index, ranges) => Box::new(self.entry_scan(&relation, *index, ranges, hint)?),
            Access::All => Box::new(self.table_scan(relation, &KeyRanges::all(), hint)?),
            Access::Keys(ranges) => Box::new(self.table_scan(relation, ranges, hint)?),
        })
    }

    fn table_scan(&self, relation: Relation, ranges: &KeyRanges, hint: &Hint) -> Result<Scan<'_>> {
        let table = Arc::clone(relation.table());
        let is_one_column = matches!(&table.key, PrimaryKey::Columns(columns) if columns.len() == 1);
        let spans = ranges.ranges().iter().map(|range| match range.prefix() {
            Some(key) if is_one_column => Span::Row(key.to_vec()),
            _ => Span::Range(range.clone()),
        });
        Ok(Scan {
            storage: self,
            spans: spans.collect(),
            rows: None,
            range: None,
            relation,
            table,
            is_reverse: hint.reverse,
            with_keys: hint.purpose != Purpose::Read,
        })
    }

    /// The rows that entries of an index name, in their order.
    pub(super) fn entry_scan(
        &self,
        relation: &Relation,
        index: usize,
        ranges: &KeyRanges,
        hint: &Hint,
    ) -> Result<EntryScan<'_>> {
        let entries = self.entries(relation, index)?;
        let ranges = ranges.ranges().iter().map(|range| range_of(&entries, range)).collect::<Result<_>>()?;
        let rows = self.rows_of(relation)?;
        let table = Arc::clone(relation.table());
        let is_unique = matches!(table.indexes[index].kind, IndexKind::Unique { .. });
        Ok(EntryScan {
            storage: self,
            table,
            rows,
            ranges,
            is_unique,
            condition: None,
            is_reverse: hint.reverse,
            with_keys: hint.purpose != Purpose::Read,
        })
    }

    /// The entries of an index that a hint names.
    pub(super) fn entries(&self, relation: &Relation, index: usize) -> Result<Tree> {
        let table = relation.table();
        let found = table.indexes.get(index).map(|index| self.relation_index(relation, index)).transpose()?;
        found.flatten().ok_or_else(|| Error::Damaged {
            what: format!("a plan of {}", table.name),
            reason: format!("it names index {index}, which is not there"),
        })
    }

    fn rows_of(&self, relation: &Relation) -> Result<Tree> {
        self.relation_rows(relation)?.ok_or_else(|| Error::Damaged {
            what: format!("a plan of {}", relation.table().name),
            reason: "it names rows by keys, which are not stored".to_owned(),
        })
    }

    /// How many rows an access names.
    pub(super) fn count(&self, relation: &Relation, access: &Access) -> Result<u64> {
        let (entries, ranges) = match access {
            Access::All => return Ok(self.rows_of(relation)?.len()),
            Access::Keys(ranges) => (self.rows_of(relation)?, ranges),
            Access::Index(index, ranges) => (self.entries(relation, *index)?, ranges),
        };
        ranges.ranges().iter().try_fold(0, |sum, range| Ok(sum + range_of(&entries, range)?.remaining()))
    }

    fn summary(&self, relation: &Relation, access: &Access, wanted: Summary) -> Result<Vec<Value>> {
        let count = match wanted.count {
            true => Value::I64(i64::try_from(self.count(relation, access)?).unwrap_or(i64::MAX)),
            false => Value::Null,
        };
        let end = |is_wanted: bool, reverse| -> Result<Value> {
            if !is_wanted {
                return Ok(Value::Null);
            }
            let hint = Hint { purpose: Purpose::Read, reverse, access: access.clone(), ..Hint::default() };
            let Some(row) = self.scan(relation.clone(), &hint)?.next() else { return Ok(Value::Null) };
            let (_, mut row) = row?;
            let column = order_of(relation.table(), access).first().copied();
            Ok(column
                .filter(|column| *column < row.len())
                .map_or(Value::Null, |column| row.swap_remove(column)))
        };
        Ok(vec![count, end(wanted.first, false)?, end(wanted.last, true)?])
    }
}

/// The entries of a tree with keys in a range.
pub(super) fn range_of(tree: &Tree, range: &KeyRange) -> Result<Range> {
    let start = if range.start.is_empty() { 0 } else { tree.rank(&range.start)? };
    let end = match &range.end {
        Some(end) => tree.rank(end)?,
        None => tree.len(),
    };
    Ok(tree.range_of_ranks(start, end.max(start)))
}

enum Span {
    /// The row of a key.
    Row(Vec<u8>),
    Range(KeyRange),
}

/// Rows by their keys.
struct Scan<'a> {
    storage: &'a Storage,
    relation: Relation,
    table: Arc<Table>,
    spans: VecDeque<Span>,
    /// All rows of the table, once a range needs them.
    rows: Option<Tree>,
    /// What is left of the range at hand.
    range: Option<Range>,
    is_reverse: bool,
    with_keys: bool,
}

impl Scan<'_> {
    fn next_row(&mut self) -> Result<Option<(Key, Vec<Value>)>> {
        loop {
            if let Some(range) = &mut self.range {
                let entry = if self.is_reverse { range.next_entry_back()? } else { range.next_entry()? };
                if let Some((key, value)) = entry {
                    self.storage.touch(1);
                    let row = match value {
                        ValueRef::Inline(row) => decode_row(&self.table, row)?,
                        _ => decode_row(&self.table, &stored(self.rows.as_ref(), &self.table, key)?)?,
                    };
                    let key = match self.with_keys {
                        true => self.storage.glue_key(&self.table, key, &row)?,
                        false => Key::None,
                    };
                    return Ok(Some((key, row)));
                }
                self.range = None;
            }
            let span = if self.is_reverse { self.spans.pop_back() } else { self.spans.pop_front() };
            match span {
                None => return Ok(None),
                Some(Span::Row(key)) => {
                    if let Some(row) = self.storage.row(&self.relation, &key)? {
                        let key = match self.with_keys {
                            true => self.storage.glue_key(&self.table, &key, &row)?,
                            false => Key::None,
                        };
                        return Ok(Some((key, row)));
                    }
                }
                Some(Span::Range(range)) => {
                    let rows = match self.rows.take() {
                        Some(rows) => rows,
                        None => self.storage.rows_of(&self.relation)?,
                    };
                    self.range = Some(range_of(&rows, &range)?);
                    self.rows = Some(rows);
                }
            }
        }
    }
}

/// The row of a key, where it is not in the entry.
fn stored(rows: Option<&Tree>, table: &Table, key: &[u8]) -> Result<Vec<u8>> {
    let row = rows.map_or(Ok(None), |rows| rows.get(key))?;
    row.ok_or_else(|| Error::Damaged { what: table.name.clone(), reason: "a row is not there".to_owned() })
}

impl Iterator for Scan<'_> {
    type Item = GlueResult<(Key, Vec<Value>)>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.next_row();
        self.storage.glue(row).transpose()
    }
}

/// The rows that entries of an index name.
pub(super) struct EntryScan<'a> {
    pub(super) storage: &'a Storage,
    pub(super) table: Arc<Table>,
    pub(super) rows: Tree,
    pub(super) ranges: VecDeque<Range>,
    /// Whether the key of a row is what its entry holds, not the end of the entry's key.
    pub(super) is_unique: bool,
    /// What the values of entries have to fulfil, where the ranges do not say it. Not for unique ones.
    pub(super) condition: Option<Condition>,
    pub(super) is_reverse: bool,
    pub(super) with_keys: bool,
}

impl EntryScan<'_> {
    fn next_row(&mut self) -> Result<Option<(Key, Vec<Value>)>> {
        let Some(row_key) = self.next_row_key()? else { return Ok(None) };
        let row = self.rows.get(&row_key)?;
        let row = row.ok_or_else(|| self.damaged("an entry names a row that is not there"))?;
        self.storage.touch(1);
        let row = decode_row(&self.table, &row)?;
        let key = match self.with_keys {
            true => self.storage.glue_key(&self.table, &row_key, &row)?,
            false => Key::None,
        };
        Ok(Some((key, row)))
    }

    fn next_row_key(&mut self) -> Result<Option<Vec<u8>>> {
        loop {
            let range = if self.is_reverse { self.ranges.back_mut() } else { self.ranges.front_mut() };
            let Some(range) = range else { return Ok(None) };
            let entry = if self.is_reverse { range.next_entry_back()? } else { range.next_entry()? };
            match entry {
                None if self.is_reverse => drop(self.ranges.pop_back()),
                None => drop(self.ranges.pop_front()),
                Some((_, ValueRef::Inline(key))) if self.is_unique => return Ok(Some(key.to_vec())),
                // A long key of a row is kept beside the tree.
                Some(_) if self.is_unique => {
                    let key = if self.is_reverse { range.read_value_back()? } else { range.read_value()? };
                    return Ok(Some(key.ok_or_else(|| self.damaged("an entry holds no key"))?));
                }
                Some((entry, _)) => {
                    let Some(len) = first_value_len(entry) else {
                        return Err(self.damaged("an entry holds no value"));
                    };
                    let (value, key) = entry.split_at(len);
                    if self.condition.as_ref().map_or(Ok(true), |condition| condition.holds(value))? {
                        return Ok(Some(key.to_vec()));
                    }
                }
            }
        }
    }

    fn damaged(&self, reason: &str) -> Error {
        Error::Damaged { what: format!("an index of table {:?}", self.table.name), reason: reason.to_owned() }
    }
}

impl Iterator for EntryScan<'_> {
    type Item = GlueResult<(Key, Vec<Value>)>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.next_row();
        self.storage.glue(row).transpose()
    }
}
