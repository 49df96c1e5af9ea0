//! Secondary indexes.

use std::{cmp::Ordering, collections::VecDeque, sync::Arc};

use gluesql_core::{
    ast::{IndexOperator, OrderByExpr},
    data::{SchemaIndexOrd, Value},
    error::Result as GlueResult,
    store::{Index as GlueIndex, IndexError, IndexMut, RowIter},
};
use prolly_core::{Range, Tree, prefix_end};

use super::{Storage, relation::Relation, scan::EntryScan};
use crate::{
    Error, Result,
    key::{self, encode_value},
    plan::hint::{Access, Hint, Source},
    table::{Index, IndexKind},
};

impl GlueIndex for Storage {
    fn scan_indexed_data<'a>(
        &'a self,
        table_name: &str,
        index_name: &str,
        asc: Option<bool>,
        cmp_value: Option<(&IndexOperator, Value)>,
    ) -> GlueResult<RowIter<'a>> {
        self.glue(Source::parse(table_name).and_then(|source| {
            let is_reverse = asc == Some(false);
            let relation = self.known_relation(source.table)?;
            match &source.hint.access {
                // What the plan says of the index and more, but for what it may mean by NULL.
                Access::Index(index, ranges) if !self.index_has_nulls => {
                    let hint = Hint { reverse: is_reverse, ..source.hint.clone() };
                    Ok(Box::new(self.entry_scan(&relation, *index, ranges, &hint)?) as RowIter<'a>)
                }
                _ => Ok(Box::new(self.index_scan(
                    source.table,
                    &relation,
                    index_name,
                    is_reverse,
                    cmp_value,
                )?)),
            }
        }))
    }
}

impl IndexMut for Storage {
    fn create_index(&mut self, table_name: &str, index_name: &str, column: &OrderByExpr) -> GlueResult<()> {
        let result = self.add_index(table_name, index_name, column);
        self.glue(result)
    }

    fn drop_index(&mut self, table_name: &str, index_name: &str) -> GlueResult<()> {
        let result = self.remove_index(table_name, index_name);
        self.glue(result)
    }
}

impl Storage {
    fn index_scan(
        &self,
        table_name: &str,
        relation: &Relation,
        index_name: &str,
        is_reverse: bool,
        condition: Option<(&IndexOperator, Value)>,
    ) -> Result<EntryScan<'_>> {
        let table = Arc::clone(relation.table());
        let index = table
            .named_index(index_name)
            .ok_or_else(|| IndexError::IndexNameDoesNotExist(index_name.to_owned()))
            .map_err(|error| Error::Statement(error.into()))?;
        let nothing = || Error::Statement(IndexError::TableNotFound(table_name.to_owned()).into());
        let entries = self.relation_index(relation, index)?.ok_or_else(nothing)?;
        let everything = entries.range_of_ranks(0, entries.len());
        let (range, condition) = match condition {
            None => (everything, None),
            Some((operator, value)) => match entries_of(&entries, operator, &value, self.index_has_nulls)? {
                Some(range) => (range, None),
                None => (everything, Some(Condition(operator.clone(), value))),
            },
        };
        let rows = self.relation_rows(relation)?.ok_or_else(nothing)?;
        Ok(EntryScan {
            storage: self,
            table,
            rows,
            ranges: VecDeque::from([range]),
            is_unique: false,
            condition,
            is_reverse,
            with_keys: true,
        })
    }

    fn add_index(&mut self, table_name: &str, index_name: &str, column: &OrderByExpr) -> Result<()> {
        let old = self.writable_table(table_name)?;
        if old.named_index(index_name).is_some() {
            let error = IndexError::IndexNameAlreadyExists(index_name.to_owned());
            return Err(Error::Statement(error.into()));
        }
        let order = match column.asc {
            Some(true) => SchemaIndexOrd::Asc,
            Some(false) => SchemaIndexOrd::Desc,
            None => SchemaIndexOrd::Both,
        };
        let mut new = (*old).clone();
        new.indexes.push(Index {
            kind: IndexKind::Named { name: index_name.to_owned(), order },
            expr: column.expr.clone(),
        });
        self.replace_table(&old, &new)
    }

    fn remove_index(&mut self, table_name: &str, index_name: &str) -> Result<()> {
        if self.relation(table_name)?.is_none() {
            let error = IndexError::TableNotFound(table_name.to_owned());
            return Err(Error::Statement(error.into()));
        }
        let old = self.writable_table(table_name)?;
        if old.named_index(index_name).is_none() {
            let error = IndexError::IndexNameDoesNotExist(index_name.to_owned());
            return Err(Error::Statement(error.into()));
        }
        let mut new = (*old).clone();
        new.indexes
            .retain(|index| !matches!(&index.kind, IndexKind::Named { name, .. } if name == index_name));
        self.replace_table(&old, &new)
    }
}

/// The entries of an index whose value stands in a relation to another one; also, when `with_nulls`, those with NULL that the
/// order of an index puts behind all values. `None` when the index has values that are not of the other one's family, so that
/// their order does not say how they compare.
fn entries_of(
    entries: &Tree,
    operator: &IndexOperator,
    value: &Value,
    with_nulls: bool,
) -> Result<Option<Range>> {
    let encoded = |value: &Value| {
        let mut bytes = Vec::new();
        encode_value(&mut bytes, value).map(|()| bytes)
    };
    let nulls = entries.rank(&encoded(&Value::Null)?)?;
    let first = encoded(value)?;
    let (start, end) = (
        entries.rank(&first)?,
        match prefix_end(&first) {
            Some(after) => entries.rank(&after)?,
            None => entries.len(),
        },
    );
    let last = if with_nulls { entries.len() } else { nulls };
    let (start, end) = match operator {
        IndexOperator::Eq => (start, end),
        IndexOperator::GtEq => (start, last),
        IndexOperator::Gt => (end, last),
        IndexOperator::Lt => (0, start),
        IndexOperator::LtEq => (0, end),
    };
    if *value != Value::Null && !with_nulls {
        for rank in [0, nulls.saturating_sub(1)] {
            if rank < nulls && entries.nth(rank)?.is_some_and(|(entry, _)| entry.first() != first.first()) {
                return Ok(None);
            }
        }
    }
    Ok(Some(entries.range_of_ranks(start, end.max(start))))
}

/// A value, and the relation to it that others have to stand in.
pub(super) struct Condition(IndexOperator, Value);

impl Condition {
    /// Whether the encoded value of an entry stands in the relation.
    pub(super) fn holds(&self, entry: &[u8]) -> Result<bool> {
        let Self(operator, value) = self;
        let own = key::decode(entry)?.pop().unwrap_or(Value::Null);
        let order = own.evaluate_cmp(value);
        Ok(match operator {
            IndexOperator::Eq => order == Some(Ordering::Equal),
            IndexOperator::Gt => order == Some(Ordering::Greater),
            IndexOperator::GtEq => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
            IndexOperator::Lt => order == Some(Ordering::Less),
            IndexOperator::LtEq => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        })
    }
}
