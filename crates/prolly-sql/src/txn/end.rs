//! The end of a transaction: everything is staged, or nothing.

use gluesql_core::ast::ToSql;
use prolly_core::TreeConfig;
use prolly_version::{Catalog, Head, Moment, Staging, TreeKey, TreeKind, TreeVersion, branch_short_name};

use super::{End, Expectation, Origin, Shape, Txn, keys_below};
use crate::{Error, Result, table::Table};

impl Txn {
    /// Stages everything, or nothing.
    ///
    /// # Errors
    /// [`Error::TransactionConflict`] when somebody has changed what this one changes, or has read for a check; what staging
    /// reports.
    pub(crate) fn commit(&self) -> Result<End> {
        let has_changes = !self.changed.is_empty();
        match &self.origin {
            Origin::Live { .. } if !has_changes => {
                Ok(if self.saw_one_moment() { End::Committed(None) } else { End::Moved })
            }
            Origin::Snapshot { .. } | Origin::Revision { .. } if !has_changes => Ok(End::Committed(None)),
            Origin::Live { store, stamp } => {
                let staging = store.stage()?;
                if Some(staging.stamp()) != *stamp {
                    return Ok(End::Moved);
                }
                self.write(staging)
            }
            Origin::Snapshot { store, stamp, moment } => {
                let mut staging = store.stage()?;
                if Some(staging.stamp()) != *stamp {
                    self.check(moment, &mut staging)?;
                }
                self.write(staging)
            }
            Origin::Revision { name, .. } => Err(Error::ReadOnly { what: name.clone() }),
        }
    }

    /// Whether all that was read is known to be of one moment.
    pub(crate) fn saw_one_moment(&self) -> bool {
        match &self.origin {
            Origin::Live { store, stamp } => {
                self.reads.get() <= 1 || (stamp.is_some() && store.stamp() == *stamp)
            }
            Origin::Snapshot { .. } | Origin::Revision { .. } => true,
        }
    }

    /// Looks for what somebody else changed since the transaction began.
    fn check(&self, began: &Moment, staging: &mut Staging<'_>) -> Result<()> {
        if *staging.head() != began.head {
            let what =
                format!("where the store stands ({}, now {})", place(&began.head), place(staging.head()));
            return Err(Error::TransactionConflict { what });
        }
        let began = &began.catalog;
        let conflict = |tree: &TreeKey| Error::TransactionConflict { what: tree_text(tree) };
        for (key, changed) in &self.changed {
            let (before, now) = (began.version(key)?, staging.version(key)?);
            if is_same(before.as_ref(), now.as_ref()) {
                continue;
            }
            // Rows that others changed do not matter to one who edits other rows; to one who drops the table they do.
            let (Some(before), Some(now), Some(changed)) = (&before, &now, changed) else {
                return Err(conflict(key));
            };
            let is_edited_in_place = changed.from.as_ref() == Some(key) && changed.metadata.is_none();
            if !is_edited_in_place
                || before.metadata != now.metadata
                || before.tree.config() != now.tree.config()
            {
                return Err(conflict(key));
            }
            for edited in changed.edits.keys() {
                check_entry(key, edited, before, now)?;
            }
        }
        self.expected.borrow().iter().try_for_each(|expectation| expectation.check(began, staging))
    }

    /// Stages everything. What keeps a tree from being rewritten, or the journal from being written, is reported once all is
    /// staged: nothing is staged in part.
    fn write(&self, mut staging: Staging<'_>) -> Result<End> {
        for shape in &self.shapes {
            match shape {
                Shape::Create(tree, metadata) => {
                    staging.create_tree(tree, TreeConfig::default(), metadata)?
                }
                Shape::Drop(tree) => {
                    staging.drop_tree(tree)?;
                }
                Shape::Rename(from, to) => staging.rename_tree(from, to.name())?,
                Shape::Metadata(tree, metadata) => staging.set_metadata(tree, metadata)?,
            }
        }
        let mut failed = None;
        for (tree, changed) in &self.changed {
            if let Some(changed) = changed {
                let edits = changed.edits.iter().map(|(key, value)| (key, value.as_ref()));
                failed = failed.or(staging.edit(tree, edits).err());
            }
        }
        let stamp = staging.stamp_after();
        staging.finish()?;
        failed.map_or(Ok(End::Committed(Some(stamp))), |error| Err(error.into()))
    }
}

impl Expectation {
    /// Refuses what is not as it was read.
    fn check(&self, began: &Catalog, staging: &mut Staging<'_>) -> Result<()> {
        let tree = match self {
            Self::Entry(tree, _) | Self::Keys(tree, _) | Self::Metadata(tree) => tree,
            Self::Trees(kind, prefix) => {
                let (before, now) = (began.keys(*kind, prefix)?, staging.tree_keys(*kind, prefix)?);
                return match before
                    .iter()
                    .chain(&now)
                    .find(|tree| before.contains(tree) != now.contains(tree))
                {
                    Some(tree) => Err(Error::TransactionConflict { what: tree_text(tree) }),
                    None => Ok(()),
                };
            }
        };
        let (before, now) = (began.version(tree)?, staging.version(tree)?);
        if is_same(before.as_ref(), now.as_ref()) {
            return Ok(());
        }
        let holds = match (&before, &now, self) {
            (Some(before), Some(now), Self::Entry(_, key)) => return check_entry(tree, key, before, now),
            (Some(before), Some(now), Self::Keys(_, prefix)) => {
                keys_below(&before.tree, prefix)? == keys_below(&now.tree, prefix)?
            }
            (Some(before), Some(now), Self::Metadata(_)) => before.metadata == now.metadata,
            _ => false,
        };
        if holds { Ok(()) } else { Err(Error::TransactionConflict { what: tree_text(tree) }) }
    }
}

/// A place that a store can stand on, for a message.
fn place(head: &Head) -> String {
    match head {
        Head::Branch(name) => format!("branch {}", branch_short_name(name).unwrap_or(name)),
        Head::Detached(id) => format!("commit {id}"),
    }
}

/// A tree, for a message.
fn tree_text(tree: &TreeKey) -> String {
    match Table::indexed_table(tree) {
        Some(table) if tree.kind() == TreeKind::TABLE_INDEX => format!("an index of table {table:?}"),
        _ => tree.to_string(),
    }
}

fn check_entry(tree: &TreeKey, key: &[u8], before: &TreeVersion, now: &TreeVersion) -> Result<()> {
    if before.tree.get(key)? == now.tree.get(key)? {
        return Ok(());
    }
    let values = crate::key::decode(key)
        .map(|values| values.iter().map(ToSql::to_sql).collect::<Vec<_>>().join(", "))
        .unwrap_or_else(|_| key.escape_ascii().to_string());
    let what = match tree.kind() {
        TreeKind::TABLE_INDEX => format!("value {values} in {}", tree_text(tree)),
        _ => format!("row {values} of {}", tree_text(tree)),
    };
    Err(Error::TransactionConflict { what })
}

fn is_same(one: Option<&TreeVersion>, other: Option<&TreeVersion>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => {
            one.tree.root_hash() == other.tree.root_hash()
                && one.tree.config() == other.tree.config()
                && one.metadata == other.metadata
        }
        _ => false,
    }
}
