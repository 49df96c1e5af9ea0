//! Walks over the commits behind a commit: the log, ancestry, merge bases.
//!
//! **Invariant:** a walk reads a commit at most once and only when it is needed, and takes the newest first. A parent
//! never comes before its child as long as no parent is dated later than its child, which holds for every commit this
//! crate makes ([`Store`](crate::Store) never dates a commit before its parents).

use std::{
    cmp::Ordering,
    collections::{BinaryHeap, HashMap, HashSet, VecDeque},
    sync::Arc,
};

use crate::{Commit, CommitGraph, CommitId, Error, Result, revision::read_commit};

/// The commits reachable from some commits, newest first: an iterator of `Result<Commit>`.
///
/// In a shallow store it ends where the history does. After an error it ends. A step costs O(log of the commits at the frontier); the ids already seen are kept.
pub struct Log {
    graph: Arc<dyn CommitGraph>,
    frontier: BinaryHeap<ByTime>,
    seen: HashSet<CommitId>,
    ready: VecDeque<Commit>,
}

impl Log {
    /// Begins at `starts`, which are part of the log.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn new(graph: Arc<dyn CommitGraph>, starts: &[CommitId]) -> Result<Self> {
        let mut log = Self {
            graph,
            frontier: BinaryHeap::new(),
            seen: HashSet::with_capacity(starts.len()),
            ready: VecDeque::new(),
        };
        for id in starts {
            if log.seen.insert(*id) {
                let commit = read_commit(&*log.graph, id)?;
                log.frontier.push(ByTime(commit));
            }
        }
        Ok(log)
    }

    /// Moves the newest commits of the frontier to `ready`. Commits of the same second come together with those of
    /// their ancestors that are not older, children before parents.
    fn advance(&mut self) -> Result<()> {
        let Some(ByTime(newest)) = self.frontier.pop() else {
            return Ok(());
        };
        let time = newest.committer.seconds;
        let mut batch = vec![newest];
        while self.frontier.peek().is_some_and(|next| next.0.committer.seconds == time) {
            batch.extend(self.frontier.pop().map(|ByTime(commit)| commit));
        }
        let mut at = 0;
        while at < batch.len() {
            for parent in batch[at].parents.clone() {
                if !self.seen.insert(parent) {
                    continue;
                }
                let parent = match read_commit(&*self.graph, &parent) {
                    Err(Error::NotFetched { .. }) => continue,
                    parent => parent?,
                };
                if parent.committer.seconds >= time {
                    batch.push(parent);
                } else {
                    self.frontier.push(ByTime(parent));
                }
            }
            at += 1;
        }
        self.ready = children_first(batch);
        Ok(())
    }
}

impl Iterator for Log {
    type Item = Result<Commit>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ready.is_empty()
            && let Err(error) = self.advance()
        {
            self.frontier.clear();
            return Some(Err(error));
        }
        self.ready.pop_front().map(Ok)
    }
}

/// Sorts commits so that each comes after all its children among them.
fn children_first(batch: Vec<Commit>) -> VecDeque<Commit> {
    if batch.len() == 1 {
        return batch.into();
    }
    let mut children: HashMap<CommitId, usize> = batch.iter().map(|commit| (commit.id, 0)).collect();
    for parent in batch.iter().flat_map(|commit| &commit.parents) {
        if let Some(count) = children.get_mut(parent) {
            *count += 1;
        }
    }
    let mut next: VecDeque<CommitId> =
        batch.iter().map(|commit| commit.id).filter(|id| children[id] == 0).collect();
    let mut by_id: HashMap<CommitId, Commit> = batch.into_iter().map(|commit| (commit.id, commit)).collect();
    let mut sorted = VecDeque::with_capacity(by_id.len());
    while let Some(commit) = next.pop_front().and_then(|id| by_id.remove(&id)) {
        for parent in commit.parents.iter().rev() {
            if let Some(count) = children.get_mut(parent) {
                *count -= 1;
                if *count == 0 {
                    next.push_front(*parent);
                }
            }
        }
        sorted.push_back(commit);
    }
    sorted
}

/// Whether `ancestor` is `descendant` or one of the commits behind it.
///
/// # Errors
/// When a commit on the way cannot be read; [`Error::NotFetched`] when the answer lies behind the end of a shallow history.
pub fn is_ancestor(graph: &dyn CommitGraph, ancestor: &CommitId, descendant: &CommitId) -> Result<bool> {
    if ancestor == descendant {
        return Ok(true);
    }
    let common = common_ancestors(graph, ancestor, descendant)?;
    match common.cut {
        _ if common.found.contains(ancestor) => Ok(true),
        Some(id) => Err(Error::NotFetched { id }),
        None => Ok(false),
    }
}

/// The best common ancestors of two commits, newest first: those that are not behind another common ancestor. Empty for
/// unrelated histories; more than one after criss-cross merges. Costs the commits between the two and their bases.
///
/// # Errors
/// When a commit on the way cannot be read; [`Error::NotFetched`] when a base may lie behind the end of a shallow history.
pub fn merge_bases(graph: &dyn CommitGraph, one: &CommitId, other: &CommitId) -> Result<Vec<CommitId>> {
    if one == other {
        return Ok(vec![*one]);
    }
    let found = common_ancestors(graph, one, other)?.whole()?;
    let mut best = Vec::with_capacity(found.len());
    for (index, candidate) in found.iter().enumerate() {
        let mut redundant = false;
        for (other_index, other) in found.iter().enumerate() {
            redundant = redundant || (index != other_index && is_ancestor(graph, candidate, other)?);
        }
        if !redundant {
            best.push(*candidate);
        }
    }
    Ok(best)
}

const BEHIND_ONE: u8 = 1;
const BEHIND_OTHER: u8 = 2;
/// Behind a common ancestor that is known already.
const STALE: u8 = 4;
const QUEUED: u8 = 8;
const COMMON: u8 = 16;

/// Paints the commits behind either side until all that is left is behind both: Git's `paint_down_to_common`. Holds
/// every best common ancestor; may hold worse ones when commits share a second.
fn common_ancestors(graph: &dyn CommitGraph, one: &CommitId, other: &CommitId) -> Result<Common> {
    let mut paint = Paint::default();
    paint.add(graph, *one, BEHIND_ONE)?;
    paint.add(graph, *other, BEHIND_OTHER)?;
    let mut found = Vec::new();
    while paint.fresh > 0
        && let Some(ByTime(commit)) = paint.queue.pop()
    {
        let flags = paint.flags.entry(commit.id).or_insert(0);
        *flags &= !QUEUED;
        paint.fresh -= usize::from(*flags & STALE == 0);
        let mut colour = *flags & (BEHIND_ONE | BEHIND_OTHER | STALE);
        if colour == BEHIND_ONE | BEHIND_OTHER {
            if *flags & COMMON == 0 {
                *flags |= COMMON;
                found.push(commit.id);
            }
            colour |= STALE;
        }
        for parent in commit.parents {
            paint.add(graph, parent, colour)?;
        }
    }
    found.retain(|id| paint.flags[id] & STALE == 0);
    let cut = paint.cut.into_iter().find(|id| paint.flags[id] & STALE == 0);
    Ok(Common { found, cut })
}

/// What two commits have in common, as far as can be told.
struct Common {
    found: Vec<CommitId>,
    /// A commit that a shallow history lacks, and behind which there could be more.
    cut: Option<CommitId>,
}

impl Common {
    fn whole(self) -> Result<Vec<CommitId>> {
        self.cut.map_or(Ok(self.found), |id| Err(Error::NotFetched { id }))
    }
}

#[derive(Default)]
struct Paint {
    flags: HashMap<CommitId, u8>,
    queue: BinaryHeap<ByTime>,
    /// How many in the queue are not stale.
    fresh: usize,
    /// Commits that a shallow history lacks.
    cut: Vec<CommitId>,
}

impl Paint {
    /// Adds a colour to a commit, and queues it when that is news.
    fn add(&mut self, graph: &dyn CommitGraph, id: CommitId, colour: u8) -> Result<()> {
        let flags = self.flags.entry(id).or_insert(0);
        if *flags & colour == colour {
            return Ok(());
        }
        let before = *flags;
        *flags |= colour;
        if self.cut.contains(&id) {
            return Ok(());
        }
        if before & QUEUED == 0 {
            match read_commit(graph, &id) {
                Ok(commit) => self.queue.push(ByTime(commit)),
                Err(Error::NotFetched { .. }) => {
                    self.cut.push(id);
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        *flags |= QUEUED;
        let is_stale = *flags & STALE != 0;
        if before & QUEUED != 0 {
            self.fresh -= usize::from(is_stale && before & STALE == 0);
        } else {
            self.fresh += usize::from(!is_stale);
        }
        Ok(())
    }
}

/// Orders commits by committer time, for a heap that gives the newest first.
struct ByTime(Commit);

impl Ord for ByTime {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.committer.seconds.cmp(&other.0.committer.seconds).then_with(|| other.0.id.cmp(&self.0.id))
    }
}

impl PartialOrd for ByTime {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ByTime {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for ByTime {}
