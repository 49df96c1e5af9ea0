//! After a merge: brings indexes up to date with the merged rows, and settles what breaks constraints.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use prolly_core::{NodeWriter, SortedEdits, Tree, Value as Stored};
use prolly_version::{
    Catalog, Finish, MergeConflict, MergeFinisher, MergeStrategy, MergedTrees, Result as VersionResult,
    TreeKey, TreeKind, TreeVersion,
};

use super::{
    Answer, ask,
    constraints::{Violation, foreign_keys},
    decode_table, given_row,
    index::{Change, changes, index_config, is_same_index, update_index},
    rows::Conversion,
    schema::incompatibility,
    table_name, version_error,
};
use crate::{Error, Result, table::Table};

/// The finisher of tables and their indexes.
pub(super) struct IndexFinisher;

impl MergeFinisher for IndexFinisher {
    fn finish(&self, trees: &MergedTrees<'_>, strategy: &mut MergeStrategy<'_>) -> VersionResult<Finish> {
        let mut finisher = Finisher { trees, tables: BTreeMap::new(), at: Table::tree_key("") };
        finisher.run(strategy).map_err(|error| version_error(error, &finisher.at))
    }
}

/// The two sides of a merge, of which what it did is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    Ours,
    Theirs,
}

/// A table as one side has it.
pub(super) struct Side {
    pub(super) table: Table,
    /// The rows as that side stores them.
    raw: Tree,
    /// The rows as those of the merged table; `None` where they cannot be such.
    rows: Option<Tree>,
}

/// A table as it is after the merge.
pub(super) struct Merged {
    pub(super) table: Table,
    metadata: Vec<u8>,
    pub(super) rows: Tree,
    is_edited: bool,
}

/// A table that the merge touched, or that one of those refers to.
pub(super) struct Work {
    pub(super) merged: Option<Merged>,
    base: Option<Side>,
    pub(super) ours: Option<Side>,
    pub(super) theirs: Option<Side>,
    changes: [Option<Rc<Vec<Change>>>; 2],
}

pub(super) struct Finisher<'a> {
    pub(super) trees: &'a MergedTrees<'a>,
    tables: BTreeMap<String, Work>,
    /// The tree that is looked at, for errors.
    at: TreeKey,
}

/// Edits of rows by table and key.
type RowEdits = BTreeMap<String, BTreeMap<Vec<u8>, Option<Vec<u8>>>>;

impl Finisher<'_> {
    fn run(&mut self, strategy: &mut MergeStrategy<'_>) -> Result<Finish> {
        let mut touched = self.touched()?;
        let mut asked = BTreeSet::new();
        loop {
            let mut finish = Finish::default();
            let mut violations = BTreeSet::new();
            for name in &touched {
                self.at = Table::tree_key(name);
                self.update_table(name, &mut finish, &mut violations)?;
            }
            for name in &touched {
                self.at = Table::tree_key(name);
                foreign_keys(self, name, &mut finish, &mut violations)?;
            }
            if violations.is_empty() {
                return Ok(finish);
            }
            let mut edits = RowEdits::new();
            for violation in violations {
                let conflict = self.reported(&violation)?;
                if !asked.insert((violation.table.clone(), violation.row.clone(), violation.other.clone())) {
                    finish.conflicts.push(conflict);
                    continue;
                }
                self.at = conflict.tree.clone();
                match ask(strategy, &conflict)? {
                    Answer::Source => self.take(&violation, |work| work.theirs.as_ref(), &mut edits)?,
                    Answer::Destination => self.take(&violation, |work| work.ours.as_ref(), &mut edits)?,
                    Answer::Base => self.take(&violation, |work| work.base.as_ref(), &mut edits)?,
                    Answer::Value(row) => {
                        let row = row.map(|row| self.given(&violation, row)).transpose()?;
                        edits.entry(violation.table).or_default().insert(violation.row, row);
                    }
                    Answer::Unresolved => finish.conflicts.push(conflict),
                }
            }
            if !finish.conflicts.is_empty() {
                finish.edits.clear();
                return Ok(finish);
            }
            touched.extend(edits.keys().cloned());
            self.edit_rows(edits)?;
        }
    }

    /// The tables that are not as on our side, or not as on theirs, or whose indexes are not.
    fn touched(&self) -> Result<BTreeSet<String>> {
        let mut touched = BTreeSet::new();
        for side in [self.trees.ours, self.trees.theirs] {
            let kinds = [TreeKind::TABLE.0]..[TreeKind::TABLE_INDEX.0 + 1];
            let mut diff = side.as_tree().diff_range(self.trees.merged.as_tree(), kinds)?;
            while let Some(difference) = diff.next_difference()? {
                let Some((kind, name)) = difference.key.split_first() else { continue };
                let tree = TreeKey::new(TreeKind(*kind), name);
                let table = if tree.kind() == TreeKind::TABLE {
                    table_name(&tree)?
                } else {
                    Table::indexed_table(&tree).ok_or_else(|| Error::Damaged {
                        what: tree.to_string(),
                        reason: "its name is none of an index".to_owned(),
                    })?
                };
                touched.insert(table.to_owned());
            }
        }
        Ok(touched)
    }

    /// A table, read when it is first asked for.
    pub(super) fn work(&mut self, name: &str) -> Result<&mut Work> {
        if !self.tables.contains_key(name) {
            let work = Work::load(self.trees, &Table::tree_key(name))?;
            self.tables.insert(name.to_owned(), work);
        }
        Ok(self.tables.get_mut(name).expect("it was inserted if it was not there"))
    }

    /// Makes the indexes of a table what its rows give, and drops those that it has no more.
    fn update_table(
        &mut self,
        name: &str,
        finish: &mut Finish,
        violations: &mut BTreeSet<Violation>,
    ) -> Result<()> {
        let trees = self.trees;
        let work = self.work(name)?;
        let wanted: BTreeSet<TreeKey> =
            work.merged.iter().flat_map(|merged| index_trees(&merged.table)).collect();
        let known = [&work.base, &work.ours, &work.theirs].into_iter().flatten();
        for tree in known.flat_map(|side| index_trees(&side.table)) {
            if !wanted.contains(&tree) && trees.merged.entry(&tree)?.is_some() {
                finish.edits.insert(tree, None);
            }
        }
        let Some(merged) = &work.merged else { return Ok(()) };
        if !merged.is_edited {
            for side in [trees.ours, trees.theirs] {
                if is_same_family(trees.merged, side, &Table::tree_key(name), &wanted)? {
                    return Ok(());
                }
            }
        }
        if merged.is_edited {
            let version = TreeVersion { tree: merged.rows.clone(), metadata: merged.metadata.clone() };
            keep_empty(&version.tree, trees.writer)?;
            finish.edits.insert(Table::tree_key(name), Some(version));
        }
        for place in 0..merged.table.indexes.len() {
            work.update_index(name, place, trees, finish, violations)?;
        }
        Ok(())
    }

    /// A conflict of the row that breaks a constraint: what the sides have, each as a row of its own description.
    fn reported(&mut self, violation: &Violation) -> Result<MergeConflict> {
        let work = self.work(&violation.table)?;
        let read = |side: &Option<Side>| -> Result<_> {
            Ok(side.as_ref().map(|side| side.raw.get(&violation.row)).transpose()?.flatten())
        };
        Ok(MergeConflict {
            tree: Table::tree_key(&violation.table),
            key: Some(violation.row.clone()),
            base: read(&work.base)?,
            source: read(&work.theirs)?,
            destination: read(&work.ours)?,
            reason: Some(violation.reason.clone()),
        })
    }

    /// Makes both rows of a violation what a side has.
    fn take(
        &mut self,
        violation: &Violation,
        side: impl Fn(&Work) -> Option<&Side>,
        edits: &mut RowEdits,
    ) -> Result<()> {
        let (other_table, other_row) = &violation.other;
        for (table, key) in [(&violation.table, &violation.row), (other_table, other_row)] {
            let row = match side(self.work(table)?) {
                None => None,
                Some(Side { rows: Some(rows), .. }) => rows.get(key)?,
                Some(Side { rows: None, .. }) => {
                    let reason =
                        format!("a row of table {table:?} cannot be as on that side: {}", violation.reason);
                    return Err(
                        prolly_version::Error::CannotMerge { tree: Table::tree_key(table), reason }.into()
                    );
                }
            };
            edits.entry(table.clone()).or_default().insert(key.clone(), row);
        }
        Ok(())
    }

    /// A row that a resolver gave, which is one of our side's description.
    fn given(&mut self, violation: &Violation, row: Vec<u8>) -> Result<Vec<u8>> {
        let work = self.work(&violation.table)?;
        let (Some(ours), Some(merged)) = (&work.ours, &work.merged) else { return Ok(row) };
        given_row(&ours.table, &merged.table, &violation.row, row)
    }

    fn edit_rows(&mut self, edits: RowEdits) -> Result<()> {
        let writer = self.trees.writer;
        for (table, rows) in edits {
            let work = self.work(&table)?;
            let Some(merged) = &mut work.merged else { continue };
            let rows = rows.into_iter().map(|(key, row)| (key, row.map(Stored::Inline)));
            merged.rows = merged.rows.apply(writer, &mut SortedEdits::new(rows))?;
            merged.is_edited = true;
            work.changes = [None, None];
        }
        Ok(())
    }
}

impl Work {
    fn load(trees: &MergedTrees<'_>, tree: &TreeKey) -> Result<Self> {
        let merged = match trees.merged.version(tree)? {
            None => None,
            Some(TreeVersion { tree: rows, metadata }) => {
                let table = decode_table(tree, &metadata)?;
                Some(Merged { table, metadata, rows, is_edited: false })
            }
        };
        let side = |catalog: &Catalog| -> Result<Option<Side>> {
            let Some(TreeVersion { tree: raw, metadata }) = catalog.version(tree)? else { return Ok(None) };
            let table = decode_table(tree, &metadata)?;
            let rows = match &merged {
                Some(merged)
                    if raw.config() == merged.rows.config()
                        && incompatibility(&table, &merged.table).is_none() =>
                {
                    Some(Conversion::new(&table, &merged.table).convert_tree(&raw, trees.writer)?)
                }
                _ => None,
            };
            Ok(Some(Side { table, raw, rows }))
        };
        let (base, ours, theirs) = (side(trees.base)?, side(trees.ours)?, side(trees.theirs)?);
        Ok(Self { merged, base, ours, theirs, changes: [None, None] })
    }

    pub(super) fn side(&self, of: Of) -> Option<&Side> {
        match of {
            Of::Ours => self.ours.as_ref(),
            Of::Theirs => self.theirs.as_ref(),
        }
    }

    /// What differs between the rows of a side and the merged ones: every row, where they do not compare.
    pub(super) fn changes(&mut self, of: Of) -> Result<Rc<Vec<Change>>> {
        if let Some(known) = &self.changes[of as usize] {
            return Ok(Rc::clone(known));
        }
        let changes = match &self.merged {
            None => Vec::new(),
            Some(merged) => {
                let empty = Tree::empty(merged.rows.reader().clone(), *merged.rows.config())?;
                let old = self.side(of).and_then(|side| side.rows.as_ref()).unwrap_or(&empty);
                changes(&merged.table, old, &merged.rows)?
            }
        };
        let changes = Rc::new(changes);
        self.changes[of as usize] = Some(Rc::clone(&changes));
        Ok(changes)
    }

    /// Makes one index what the merged rows give.
    fn update_index(
        &mut self,
        name: &str,
        place: usize,
        trees: &MergedTrees<'_>,
        finish: &mut Finish,
        violations: &mut BTreeSet<Violation>,
    ) -> Result<()> {
        let Some(merged) = &self.merged else { return Ok(()) };
        let index = &merged.table.indexes[place];
        let tree = merged.table.index_tree(index);
        let mut start = None;
        for (of, catalog) in [(Of::Ours, trees.ours), (Of::Theirs, trees.theirs)] {
            let usable = |side: &&Side| {
                let same = |known| is_same_index(&side.table, known, &merged.table, index);
                side.rows.is_some() && side.table.indexes.iter().any(same)
            };
            if start.is_none() && self.side(of).as_ref().is_some_and(usable) {
                start = catalog.version(&tree)?.map(|version| (of, version));
            }
        }
        let changes = match &start {
            Some((of, _)) => self.changes(*of)?,
            None => self.all_rows()?,
        };
        let Some(merged) = &self.merged else { return Ok(()) };
        let index = &merged.table.indexes[place];
        let version = match start {
            Some((_, version)) => version,
            None => {
                let entries = Tree::empty(merged.rows.reader().clone(), index_config())?;
                TreeVersion { tree: entries, metadata: Vec::new() }
            }
        };
        let (entries, duplicates) =
            update_index(&merged.table, index, &version.tree, &changes, trees.writer)?;
        violations.extend(
            duplicates.into_iter().map(|duplicate| Violation::of_unique(name, merged, index, duplicate)),
        );
        keep_empty(&entries, trees.writer)?;
        finish.edits.insert(tree, Some(TreeVersion { tree: entries, metadata: version.metadata }));
        Ok(())
    }

    fn all_rows(&self) -> Result<Rc<Vec<Change>>> {
        let Some(merged) = &self.merged else { return Ok(Rc::default()) };
        let empty = Tree::empty(merged.rows.reader().clone(), *merged.rows.config())?;
        Ok(Rc::new(changes(&merged.table, &empty, &merged.rows)?))
    }
}

/// The trees of a table's indexes.
fn index_trees(table: &Table) -> impl Iterator<Item = TreeKey> + '_ {
    table.indexes.iter().map(|index| table.index_tree(index))
}

/// Whether a table and its indexes are all as on a side.
fn is_same_family(
    merged: &Catalog,
    side: &Catalog,
    table: &TreeKey,
    indexes: &BTreeSet<TreeKey>,
) -> Result<bool> {
    for tree in [table].into_iter().chain(indexes) {
        let (one, other) = (merged.entry(tree)?, side.entry(tree)?);
        let same = one.is_some_and(|one| {
            other.is_some_and(|other| {
                one.root.hash == other.root.hash
                    && one.config == other.config
                    && one.metadata == other.metadata
            })
        });
        if !same {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Writes the root of a tree that lost all its entries: no edit has.
fn keep_empty(tree: &Tree, writer: &dyn NodeWriter) -> Result<()> {
    if tree.is_empty() {
        writer.write_node(tree.root().clone())?;
    }
    Ok(())
}
