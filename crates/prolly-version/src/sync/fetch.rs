//! Fetching and cloning: the branches of another store are noted as `refs/remotes/<name>/<branch>`.

use std::collections::{BTreeMap, HashSet};

use prolly_core::Hash;

use super::{
    Depth, FetchOptions, OnProgress, RefUpdate, SyncReport, Trees, batch::Arrivals, ids::Ids,
    left_out::LeftOut, missing, transfer::Transfer,
};
use crate::{
    BRANCH_PREFIX, CommitGraph, CommitId, Error, Expected, GraphKind, Head, REMOTE_PREFIX, RefEdit, Result,
    TAG_PREFIX, branch_ref_name, check_ref_name,
};

/// The edit of a ref, and the commit of the source it shall hold (its id there).
pub(super) type Wanted = (RefEdit, Option<CommitId>);

/// Copies what `from` has and `to` lacks, and notes in `to` where the branches of `from` are, as
/// `refs/remotes/<remote>/<branch>`. Those refs follow wherever the branches went, by compare-and-swap; tags that `to`
/// has already stay as they are; an annotated one arrives as a tag of the commit it leads to. Nothing else in `to` is
/// touched. A change of a tree is found by comparing it with the trees of the commit's parents, so the cost is that of what
/// changed; a commit that is on both sides is not looked at.
///
/// Work that was broken off is taken up where it ended when the same commits are fetched again.
///
/// # Errors
/// [`Error::UnknownBranch`] for a branch that `from` does not have, [`Error::InvalidRefName`] for a name that no remote
/// can have, [`Error::Interrupted`], [`Error::RefMoved`] when somebody else fetches the same; an error that names the
/// object when one is missing or damaged on either side; [`Error::CannotSync`]. No ref that was asked for has moved
/// then.
pub fn fetch(
    from: &dyn CommitGraph,
    to: &dyn CommitGraph,
    remote: &str,
    options: &FetchOptions,
    on_progress: OnProgress<'_>,
) -> Result<SyncReport> {
    let source = Source::list(from, options)?;
    let edits = source.tracking_edits(to, remote, options)?;
    run(from, to, &source, options, edits, on_progress)
}

/// Fetches into a store without branches, and makes the branch that `from` stands on (or else `main`, or the first) the
/// branch that `to` stands on. Broken off, it is taken up by calling it again.
///
/// # Errors
/// As [`fetch`]; [`Error::CannotSync`] when `to` has branches or `from` has none.
pub fn clone(
    from: &dyn CommitGraph,
    to: &dyn CommitGraph,
    remote: &str,
    options: &FetchOptions,
    on_progress: OnProgress<'_>,
) -> Result<SyncReport> {
    let cannot = |reason: &str| Error::CannotSync { reason: reason.to_owned() };
    if !to.refs(BRANCH_PREFIX)?.is_empty() {
        return Err(cannot("the store to clone into has branches"));
    }
    let source = Source::list(from, options)?;
    let main = format!("{BRANCH_PREFIX}{}", crate::native::DEFAULT_BRANCH);
    let branch = match from.head()? {
        Head::Branch(name) if source.branches.contains_key(&name) => name,
        _ if source.branches.contains_key(&main) => main,
        _ => source
            .branches
            .keys()
            .next()
            .cloned()
            .ok_or_else(|| cannot("the store to clone has no branches"))?,
    };
    let mut edits = source.tracking_edits(to, remote, options)?;
    let log = "clone".to_owned();
    let edit = RefEdit { name: branch.clone(), expected: Expected::Absent, new: None, log };
    edits.push((edit, source.branches.get(&branch).copied()));
    // Before the branch is there, so that a clone which is broken off here is not left on another.
    to.set_head(&Head::Branch(branch))?;
    run(from, to, &source, options, edits, on_progress)
}

/// What there is to fetch.
struct Source {
    /// By full name.
    branches: BTreeMap<String, CommitId>,
    tags: Vec<(String, CommitId)>,
}

impl Source {
    fn list(from: &dyn CommitGraph, options: &FetchOptions) -> Result<Self> {
        let mut branches: BTreeMap<_, _> = from.refs(BRANCH_PREFIX)?.into_iter().collect();
        if let Some(names) = &options.branches {
            let mut chosen = BTreeMap::new();
            for name in names {
                let full_name = branch_ref_name(name)?;
                let id = branches
                    .get(&full_name)
                    .copied()
                    .ok_or_else(|| Error::UnknownBranch { name: name.clone() })?;
                chosen.insert(full_name, id);
            }
            branches = chosen;
        }
        let tags = if options.tags { from.refs(TAG_PREFIX)? } else { Vec::new() };
        Ok(Self { branches, tags })
    }

    /// Edits of the refs that note where branches are.
    fn tracking_edits(
        &self,
        to: &dyn CommitGraph,
        remote: &str,
        options: &FetchOptions,
    ) -> Result<Vec<Wanted>> {
        let prefix = format!("{REMOTE_PREFIX}{remote}/");
        check_ref_name(&format!("{prefix}x"))?;
        let mut known: BTreeMap<_, _> = to.refs(&prefix)?.into_iter().collect();
        let mut edits = Vec::with_capacity(self.branches.len());
        for (branch, id) in &self.branches {
            let name = format!("{prefix}{}", &branch[BRANCH_PREFIX.len()..]);
            let expected = known.remove(&name).map_or(Expected::Absent, Expected::Commit);
            edits.push((RefEdit { name, expected, new: None, log: "fetch".to_owned() }, Some(*id)));
        }
        if options.prune && options.branches.is_none() {
            edits.extend(known.into_iter().filter(|(name, _)| *name != format!("{prefix}HEAD")).map(
                |(name, id)| {
                    let expected = Expected::Commit(id);
                    (RefEdit { name, expected, new: None, log: "fetch: prune".to_owned() }, None)
                },
            ));
        }
        Ok(edits)
    }
}

fn run(
    from: &dyn CommitGraph,
    to: &dyn CommitGraph,
    source: &Source,
    options: &FetchOptions,
    mut edits: Vec<Wanted>,
    on_progress: OnProgress<'_>,
) -> Result<SyncReport> {
    if matches!(options.depth, Depth::Commits(_)) && from.kind() != to.kind() {
        let reason = "a commit's id in the other kind of store follows from its whole history, which a shallow fetch \
                      leaves behind";
        return Err(Error::CannotSync { reason: reason.to_owned() });
    }
    let part = Part::choose(to, options)?;
    let ids = Ids::load(from, to)?;
    let mut wants: Vec<_> = source.branches.values().copied().collect();
    if options.branches.is_none() {
        wants.extend(source.tags.iter().map(|(_, id)| *id));
    }
    if options.depth == Depth::Full
        && let Some(left_out) = &part.left_out
    {
        for id in left_out.commits()? {
            let here = ids.other(&id)?.unwrap_or(id);
            // One that this source does not have is another's to complete.
            if from.read_commit(&here)?.is_some() {
                wants.push(here);
            }
        }
    }
    wants.sort_unstable();
    wants.dedup();
    let depth = match options.depth {
        Depth::Commits(depth) => Some(depth.get()),
        Depth::AsBefore | Depth::Full => None,
    };
    let missing = missing::find(from, to, &ids, &wants, depth)?;
    let digest: Vec<u8> = wants.iter().flat_map(|id| id.as_slice()).copied().collect();
    let arrivals = Arrivals::load(to, &digest, missing.held, options.batch_bytes)?;
    let mut transfer = Transfer::new(from, to, ids, arrivals, on_progress);
    transfer.cut = missing.cut;
    transfer.left_out = part.left_out;
    transfer.selection = part.selection;
    transfer.copy(&missing.commits, part.trees)?;
    let mut report = SyncReport::default();
    let arrived: HashSet<_> = missing.commits.into_iter().collect();
    for (name, id) in &source.tags {
        let there = transfer.ids.other(id)?;
        match to.read_ref(name)? {
            Some(held) if Some(held) == there => {}
            Some(_) => report.tags_kept.push(name.clone()),
            None => {
                let is_there =
                    || there.map_or(Ok(None), |there| to.read_commit(&there)).map(|held| held.is_some());
                if options.branches.is_none() || arrived.contains(id) || is_there()? {
                    let log = "fetch: tag".to_owned();
                    edits.push((
                        RefEdit { name: name.clone(), expected: Expected::Absent, new: None, log },
                        Some(*id),
                    ));
                }
            }
        }
    }
    if let (true, Some(left_out)) = (part.changes, &mut transfer.left_out) {
        left_out.select(transfer.selection.as_deref())?;
    }
    finish(transfer, edits, report)
}

/// Moves refs that are to move, and says what was done.
pub(super) fn finish(
    mut transfer: Transfer<'_>,
    mut edits: Vec<Wanted>,
    mut report: SyncReport,
) -> Result<SyncReport> {
    let mut failure = Ok(());
    edits.retain(|(edit, source)| match (&edit.expected, source) {
        (Expected::Commit(held), Some(source)) => match transfer.ids.other(source) {
            Ok(there) => there != Some(*held),
            Err(error) => {
                failure = Err(error);
                true
            }
        },
        _ => true,
    });
    failure?;
    let moves: Vec<_> = edits
        .iter()
        .map(|(edit, _)| {
            let old = match edit.expected {
                Expected::Absent => None,
                Expected::Commit(id) => Some(id),
            };
            (edit.name.clone(), old)
        })
        .collect();
    let held = transfer.finish(edits)?;
    report.refs =
        moves.into_iter().zip(held).map(|((name, old), new)| RefUpdate { name, old, new }).collect();
    report.refs.sort_by(|a, b| a.name.cmp(&b.name));
    report.commits = transfer.progress.commits;
    report.objects = transfer.progress.objects;
    report.bytes = transfer.progress.bytes;
    Ok(report)
}

/// Which part of what a source has a destination is to have.
struct Part {
    left_out: Option<LeftOut>,
    selection: Option<Vec<Vec<u8>>>,
    /// Whether that is another one than before.
    changes: bool,
    /// Trees that were left out before and are wanted now.
    trees: Vec<(Hash, Vec<u8>)>,
}

impl Part {
    fn choose(to: &dyn CommitGraph, options: &FetchOptions) -> Result<Self> {
        let partial = matches!(options.trees, Trees::Only(_)) || matches!(options.depth, Depth::Commits(_));
        if to.kind() == GraphKind::Git {
            if partial {
                let reason = "a Git store cannot be partial or shallow here: Git needs all that it links to";
                return Err(Error::CannotSync { reason: reason.to_owned() });
            }
            return Ok(Self { left_out: None, selection: None, changes: false, trees: Vec::new() });
        }
        let left_out = LeftOut::load(to)?;
        let before = left_out.selection()?;
        let selection = match &options.trees {
            Trees::AsBefore => before.clone(),
            Trees::All => None,
            Trees::Only(keys) => {
                let mut keys: Vec<_> = keys.iter().map(|key| key.to_catalog_key()).collect();
                keys.sort_unstable();
                keys.dedup();
                Some(keys)
            }
        };
        let mut trees = Vec::new();
        if options.trees != Trees::AsBefore {
            trees = left_out.trees()?;
            trees.retain(|(_, key)| selection.as_ref().is_none_or(|keys| keys.binary_search(key).is_ok()));
        }
        let changes = selection != before;
        Ok(Self { left_out: Some(left_out), selection, changes, trees })
    }
}
