//! Carries staged changes from one base to another.
//!
//! A staged change is carried when its key holds the same in both bases, or when the new base holds what is staged
//! already: Git's rule for `checkout` with a changed index. What the entries of trees other than maps mean is for their
//! drivers and finishers to say, so those are merged as commits are, and anything that would be a conflict there stands in
//! the way here.
//!
//! **Invariant:** nothing is changed while it is not certain that everything can be carried.

use std::sync::Arc;

use prolly_core::{
    Blob, Difference, EditRef, EditSource, Found, HashedMap, Locator, ObjectLink, Tree, ValueRef,
};

use super::{
    changes::read_plain,
    nodes::{StagedNodes, TreeNodes},
    reencode::{merged_config, reencode},
    state::{Staged, Start, State, catalog_with, same_version},
    stream::journal_blob,
};
use crate::{
    Catalog, KeyInTree, MergeDriver, MergeDrivers, MergeInput, MergeOutcome, MergeStrategy, MergedTrees,
    Result, TreeKey, TreeKind, TreeVersion,
    catalog::read_key,
    journal::{Journal, Op},
    merge::KindRule,
};

/// What became of staged changes.
pub(crate) enum Carried {
    /// All of them, on the new base.
    All(Vec<Staged>),
    /// These keys stand in the way.
    Conflicts(Vec<KeyInTree>),
}

/// Carries staged changes to another base. New nodes go where those of the changes are.
pub(crate) fn carry(state: &mut State, onto: &Catalog, drivers: &MergeDrivers) -> Result<Carried> {
    let staged = state.staged()?;
    let nodes = Arc::clone(&state.nodes);
    let mut carried = Vec::with_capacity(staged.len());
    let mut conflicts = Vec::new();
    for change in &staged {
        let target = onto.version(&change.key)?;
        if same_version(target.as_ref(), change.version()) {
            continue;
        }
        if same_version(target.as_ref(), change.base.as_ref()) {
            carried.push(Staged { base: target, ..change.clone() });
            continue;
        }
        let outcome = match drivers.rule(change.key.kind()) {
            _ if change.key.kind() == TreeKind::MAP => carry_tree(change, target, &nodes)?,
            Some(KindRule::Merged(driver)) => carry_by_driver(change, target, &**driver, &nodes)?,
            // A finisher makes it from what it follows from.
            Some(KindRule::Derived) => Ok(None),
            None => Err(vec![None]),
        };
        match outcome {
            Ok(change) => carried.extend(change),
            Err(keys) => {
                let tree = &change.key;
                conflicts.extend(keys.into_iter().map(|key| KeyInTree { tree: tree.clone(), key }));
            }
        }
    }
    if conflicts.is_empty() && staged.iter().any(|change| change.key.kind() != TreeKind::MAP) {
        conflicts = finish(state, onto, drivers, &mut carried)?;
    }
    Ok(if conflicts.is_empty() { Carried::All(carried) } else { Carried::Conflicts(conflicts) })
}

/// Carries the changes of a tree whose driver knows what they mean.
fn carry_by_driver(
    change: &Staged,
    target: Option<TreeVersion>,
    driver: &dyn MergeDriver,
    nodes: &Arc<StagedNodes>,
) -> Result<std::result::Result<Option<Staged>, InTheWay>> {
    let (Some((now, _)), Some(target)) = (&change.now, target) else { return Ok(Err(vec![None])) };
    let base_config = change.base.as_ref().map(|base| base.tree.config());
    let config = merged_config(base_config, now.tree.config(), target.tree.config());
    let Some(config) = config else { return Ok(Err(vec![None])) };
    let writer = nodes.for_tree();
    let brought = |version: &TreeVersion| -> Result<TreeVersion> {
        Ok(TreeVersion {
            tree: reencode(&version.tree, config, &writer)?,
            metadata: version.metadata.clone(),
        })
    };
    let base = match &change.base {
        Some(base) => brought(base)?,
        None => TreeVersion { tree: Tree::empty(Arc::clone(&writer) as _, config)?, metadata: Vec::new() },
    };
    let (ours, theirs) = (brought(&target)?, brought(now)?);
    let input = MergeInput { tree: &change.key, base: &base, ours: &ours, theirs: &theirs, writer: &*writer };
    let merged = match driver.merge(&input, &mut MergeStrategy::Refuse)? {
        MergeOutcome::Conflicts(conflicts) => {
            return Ok(Err(conflicts.into_iter().map(|conflict| conflict.key).collect()));
        }
        MergeOutcome::Clean(merged) => merged,
    };
    if same_version(Some(&merged), Some(&target)) {
        return Ok(Ok(None));
    }
    restage_tree(change.key.clone(), Some(target), Some(merged), nodes).map(|staged| Ok(Some(staged)))
}

/// Brings trees that follow from others up to date with what was carried. Returns the keys that break a rule.
fn finish(
    state: &mut State,
    onto: &Catalog,
    drivers: &MergeDrivers,
    carried: &mut Vec<Staged>,
) -> Result<Vec<KeyInTree>> {
    let nodes = Arc::clone(&state.nodes);
    let working = state.working_catalog()?;
    for finisher in drivers.finishers() {
        let writer = nodes.for_tree();
        let read_back = |catalog: &Catalog| catalog.with_reader(Arc::clone(&writer) as _);
        let edits = carried.iter().map(|change| (change.key.clone(), change.version().cloned())).collect();
        let merged = catalog_with(onto, &writer, &edits)?;
        let (base, ours, theirs) = (read_back(&state.catalog), read_back(onto), read_back(&working));
        let trees =
            MergedTrees { base: &base, ours: &ours, theirs: &theirs, merged: &merged, writer: &*writer };
        let finish = finisher.finish(&trees, &mut MergeStrategy::Refuse)?;
        if !finish.conflicts.is_empty() {
            let in_the_way = finish.conflicts.into_iter();
            return Ok(in_the_way
                .map(|conflict| KeyInTree { tree: conflict.tree, key: conflict.key })
                .collect());
        }
        for (key, version) in finish.edits {
            if same_version(merged.version(&key)?.as_ref(), version.as_ref()) {
                continue;
            }
            carried.retain(|change| change.key != key);
            let target = onto.version(&key)?;
            if !same_version(target.as_ref(), version.as_ref()) {
                carried.push(restage_tree(key, target, version, &nodes)?);
            }
        }
    }
    Ok(Vec::new())
}

/// The keys in the way; `None` among them is the tree as a whole.
type InTheWay = Vec<Option<Vec<u8>>>;

/// Carries the changes of a tree that differs between the bases, and from what is staged.
fn carry_tree(
    change: &Staged,
    target: Option<TreeVersion>,
    nodes: &Arc<StagedNodes>,
) -> Result<std::result::Result<Option<Staged>, InTheWay>> {
    let (Some((now, _)), Some(target)) = (&change.now, target) else { return Ok(Err(vec![None])) };
    let Some(metadata) = carry_metadata(change.base.as_ref(), now, &target) else {
        return Ok(Err(vec![None]));
    };
    let empty;
    let base = match &change.base {
        Some(base) => &base.tree,
        None => {
            empty = Tree::empty(Arc::clone(now.tree.reader()), *now.tree.config())?;
            &empty
        }
    };
    let writer = nodes.for_tree();
    let config = merged_config(Some(base.config()), now.tree.config(), target.tree.config());
    let Some(config) = config else { return Ok(Err(vec![None])) };
    let base = &reencode(base, config, &writer)?;
    let staged = reencode(&now.tree, config, &writer)?;
    let onto = reencode(&target.tree, config, &writer)?;
    let mut in_the_way = Vec::new();
    let mut changes = base.diff(&staged)?;
    while let Some(Difference { key, left, right }) = changes.next_difference()? {
        let found = onto.find(key)?;
        if !same(&found, &left) && !same(&found, &right) {
            in_the_way.push(Some(key.to_vec()));
        }
    }
    if !in_the_way.is_empty() {
        return Ok(Err(in_the_way));
    }
    // What comes of it no longer counts as a copy, so nothing keeps the commit that it was copied from.
    if change.start.as_ref().is_some_and(|start| start.source.is_some()) {
        take_in_blobs(base, &staged, &writer)?;
    }
    let mut edits = Restaged { changes: base.diff(&staged)?, key: Vec::new(), value: None };
    let tree = onto.apply(&*writer, &mut edits)?;
    let now = TreeVersion { tree, metadata };
    if same_version(Some(&now), Some(&target)) {
        return Ok(Ok(None));
    }
    let key = change.key.clone();
    Ok(Ok(Some(Staged { key, base: Some(target), start: None, now: Some((now, writer)) })))
}

/// The metadata that follows from what was staged and what the new base has; `None` when both changed it.
fn carry_metadata(base: Option<&TreeVersion>, now: &TreeVersion, target: &TreeVersion) -> Option<Vec<u8>> {
    let base = base.map_or(&[][..], |base| &base.metadata);
    if now.metadata == base || now.metadata == target.metadata {
        Some(target.metadata.clone())
    } else {
        (target.metadata == base).then(|| now.metadata.clone())
    }
}

/// What has to be staged so that a store which moves to another base holds what it holds now. Nothing of it depends on
/// the commit that the store leaves.
pub(crate) fn restage(state: &mut State, onto: &Catalog) -> Result<Vec<Staged>> {
    let working = state.working_catalog()?;
    let mut differing = onto.as_tree().diff(working.as_tree())?;
    let mut staged = Vec::new();
    while let Some(difference) = differing.next_difference()? {
        let key = read_key(difference.key)?;
        let base = onto.version(&key)?;
        let now = working.version(&key)?;
        staged.push(restage_tree(key, base, now, &state.nodes)?);
    }
    Ok(staged)
}

fn restage_tree(
    key: TreeKey,
    base: Option<TreeVersion>,
    now: Option<TreeVersion>,
    nodes: &Arc<StagedNodes>,
) -> Result<Staged> {
    let Some(TreeVersion { tree, metadata }) = now else {
        return Ok(Staged { key, base, start: None, now: None });
    };
    let writer = nodes.for_tree();
    let (from, start) = match &base {
        Some(base) => (reencode(&base.tree, *tree.config(), &writer)?, None),
        None => {
            let empty = Tree::empty(Arc::clone(&writer) as _, *tree.config())?;
            let version = TreeVersion { tree: empty.clone(), metadata: metadata.clone() };
            (empty, Some(Start { version, source: None }))
        }
    };
    take_in_blobs(&from, &tree, &writer)?;
    let mut edits = Restaged { changes: from.diff(&tree)?, key: Vec::new(), value: None };
    let tree = from.apply(&*writer, &mut edits)?;
    Ok(Staged { key, base, start, now: Some((TreeVersion { tree, metadata }, writer)) })
}

/// Copies the long values that `to` has and `from` has not, so that they do not depend on any commit.
fn take_in_blobs(from: &Tree, to: &Tree, writer: &TreeNodes) -> Result<()> {
    let mut changes = from.diff(to)?;
    while let Some(change) = changes.next_difference()? {
        let found = change.right.as_ref().map(|found| (found.value(), found.link()));
        if let Some((ValueRef::Blob { .. }, Some(link))) = found {
            writer.take_in(ObjectLink::Record(link))?;
        }
    }
    Ok(())
}

fn same(one: &Option<Found>, other: &Option<Found>) -> bool {
    one.as_ref().map(Found::tagged) == other.as_ref().map(Found::tagged)
}

/// The right side of differences, as edits.
struct Restaged {
    changes: prolly_core::Diff,
    key: Vec<u8>,
    value: Option<Found>,
}

impl EditSource for Restaged {
    fn next_edit(&mut self) -> prolly_core::Result<Option<EditRef<'_>>> {
        let Some(change) = self.changes.next_difference()? else { return Ok(None) };
        self.key.clear();
        self.key.extend_from_slice(change.key);
        self.value = change.right;
        let locator = self.value.as_ref().and_then(Found::link).map_or(Locator::NONE, |link| link.locator);
        Ok(Some(EditRef { key: &self.key, value: self.value.as_ref().map(Found::value), locator }))
    }
}

/// Journals staged changes.
pub(crate) fn write_journal(staged: &[Staged], journal: &mut Journal) -> Result<()> {
    for Staged { key: tree, base, start, now } in staged {
        let Some((now, nodes)) = now else {
            journal.push(tree, &Op::Drop)?;
            continue;
        };
        let mut metadata = base.as_ref().map_or(&[][..], |base| &base.metadata);
        let mut from = base.as_ref().map(|base| base.tree.clone());
        match start {
            Some(Start { version, source: Some((commit, source)) }) => {
                let (kind, name) = (source.kind(), source.name());
                journal.push(tree, &Op::CopyFrom { kind, name, commit: *commit })?;
                metadata = &version.metadata;
                from = Some(version.tree.clone());
            }
            None if from.is_some() => {}
            _ => {
                let empty = Tree::empty(Arc::clone(now.tree.reader()), *now.tree.config())?;
                journal.push(tree, &Op::Create { config: *now.tree.config(), metadata: &now.metadata })?;
                metadata = &now.metadata;
                from = Some(empty);
            }
        }
        if now.metadata != metadata {
            journal.push(tree, &Op::Metadata(&now.metadata))?;
        }
        if let Some(mut from) = from {
            let writer = nodes.of_another_tree();
            if from.config() != now.tree.config() {
                journal.push(tree, &Op::Config(*now.tree.config()))?;
                from = reencode(&from, *now.tree.config(), &writer)?;
            }
            write_entries(tree, &from, &now.tree, journal)?;
        }
    }
    Ok(())
}

fn write_entries(tree: &TreeKey, from: &Tree, to: &Tree, journal: &mut Journal) -> Result<()> {
    let mut changes = from.diff(to)?;
    while let Some(Difference { key, right, .. }) = changes.next_difference()? {
        match &right {
            None => journal.push(tree, &Op::Delete { key })?,
            Some(found) if let ValueRef::Blob { len, hash } = found.value() => {
                let blob = Blob { len, hash };
                journal_blob(journal, tree, key, &blob, &**to.reader(), &HashedMap::default())?;
            }
            Some(found) => {
                let value = &read_plain(&**to.reader(), key, found)?;
                journal.push(tree, &Op::Put { key, value })?;
            }
        }
    }
    Ok(())
}
