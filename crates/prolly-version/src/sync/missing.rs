//! Which commits a destination lacks: a walk from what is wanted, in the source, against a walk from all refs of the
//! destination, both newest first.
//!
//! The walk ends where nothing is left that only the source is known to have, so it costs the commits that either side
//! lacks, not those that both have. A commit that is stored in the destination but that no ref reaches counts as missing:
//! it may be swept at any time.
//!
//! **Invariant:** what is not called missing is behind a ref of the destination. (A clock that ran backwards can make the
//! walk call a commit missing that is not, which costs time only.)

use std::collections::{BinaryHeap, HashMap, HashSet};

use super::ids::Ids;
use crate::{Commit, CommitGraph, CommitId, Error, Head, Result, revision::read_commit};

/// What a destination lacks of some commits and what is behind them.
pub(super) struct Missing {
    /// Ids in the source, parents first.
    pub(super) commits: Vec<CommitId>,
    /// Commits that the destination has, by their ids there: what the missing ones are made on, and what was wanted.
    pub(super) held: Vec<CommitId>,
    /// Parents of missing commits that are to be left behind: ids in the source.
    pub(super) cut: HashSet<CommitId>,
}

const SOURCE: u8 = 1;
const DESTINATION: u8 = 2;
const EXPANDED_SOURCE: u8 = 4;
const EXPANDED_DESTINATION: u8 = 8;

#[derive(Default)]
struct Seen {
    flags: u8,
    /// Steps from what is wanted, at least.
    distance: u32,
    seconds: i64,
    /// Its id in the destination, where it has it.
    there: Option<CommitId>,
    /// Its parents in the source, once it was expanded there.
    parents: Vec<CommitId>,
}

/// A commit that waits: the newest first, among equals those of the destination.
type Waiting = (i64, bool, CommitId);

struct Walk<'a> {
    from: &'a dyn CommitGraph,
    to: &'a dyn CommitGraph,
    ids: &'a Ids,
    depth: Option<u32>,
    /// By the id in the source, or that in the destination where the source's is not known.
    seen: HashMap<CommitId, Seen>,
    queue: BinaryHeap<Waiting>,
    /// How many are known from the source alone, and not expanded.
    fresh: usize,
    /// Commits that the source itself does without.
    absent: HashSet<CommitId>,
}

/// Finds what the destination lacks of `wants`, ids of the source, up to `depth` commits of each line.
///
/// # Errors
/// [`Error::NotFetched`] when the source is shallow and does not have it either; what reading reports.
pub(super) fn find(
    from: &dyn CommitGraph,
    to: &dyn CommitGraph,
    ids: &Ids,
    wants: &[CommitId],
    depth: Option<u32>,
) -> Result<Missing> {
    let mut walk = Walk {
        from,
        to,
        ids,
        depth,
        seen: HashMap::new(),
        queue: BinaryHeap::new(),
        fresh: 0,
        absent: HashSet::new(),
    };
    let mut tips: Vec<_> = to.refs("refs/")?.into_iter().map(|(_, id)| id).collect();
    if let Head::Detached(id) = to.head()? {
        tips.push(id);
    }
    tips.sort_unstable();
    tips.dedup();
    for tip in tips {
        walk.add_there(tip)?;
    }
    for want in wants {
        walk.add_here(*want, 0)?;
    }
    while walk.fresh > 0
        && let Some((_, _, key)) = walk.queue.pop()
    {
        walk.expand(&key)?;
    }
    walk.result(wants)
}

impl Walk<'_> {
    /// Adds a commit that the destination has.
    fn add_there(&mut self, there: CommitId) -> Result<()> {
        let commit = match self.to.read_commit(&there) {
            Ok(Some(commit)) => commit,
            Ok(None) => return Err(Error::MissingCommit { id: there }),
            // The history ends here, or goes on in commits that are none of ours.
            Err(Error::NotFetched { .. } | Error::ForeignCommit { .. }) => return Ok(()),
            Err(error) => return Err(error),
        };
        let key = self.ids.other(&there)?.unwrap_or(there);
        let seen = self.seen.entry(key).or_default();
        if seen.flags & DESTINATION != 0 {
            return Ok(());
        }
        self.fresh -= usize::from(seen.flags & (SOURCE | EXPANDED_SOURCE) == SOURCE);
        seen.flags |= DESTINATION;
        seen.there = Some(there);
        seen.seconds = commit.committer.seconds;
        self.queue.push((seen.seconds, true, key));
        Ok(())
    }

    /// Adds a commit that is wanted, or behind one that is.
    fn add_here(&mut self, id: CommitId, distance: u32) -> Result<()> {
        if let Some(seen) = self.seen.get_mut(&id) {
            let nearer = seen.flags & SOURCE == 0 || distance < seen.distance;
            seen.flags |= SOURCE;
            if !nearer || seen.flags & DESTINATION != 0 {
                return Ok(());
            }
            seen.distance = distance;
            // Only where a depth ends does the distance matter.
            if seen.flags & EXPANDED_SOURCE == 0 || self.depth.is_none() {
                return Ok(());
            }
            seen.flags &= !EXPANDED_SOURCE;
            self.fresh += 1;
            self.queue.push((seen.seconds, false, id));
            return Ok(());
        }
        let commit = match read_commit(self.from, &id) {
            Ok(commit) => commit,
            Err(Error::NotFetched { .. }) if distance > 0 => {
                self.absent.insert(id);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let seconds = commit.committer.seconds;
        self.seen.insert(id, Seen { flags: SOURCE, distance, seconds, ..Seen::default() });
        self.fresh += 1;
        self.queue.push((seconds, false, id));
        Ok(())
    }

    fn expand(&mut self, key: &CommitId) -> Result<()> {
        let Some(seen) = self.seen.get_mut(key) else { return Ok(()) };
        if seen.flags & DESTINATION != 0 {
            let Some(there) = seen.there.filter(|_| seen.flags & EXPANDED_DESTINATION == 0) else {
                return Ok(());
            };
            seen.flags |= EXPANDED_DESTINATION;
            return read_commit(self.to, &there)?.parents.into_iter().try_for_each(|id| self.add_there(id));
        }
        if seen.flags & EXPANDED_SOURCE != 0 {
            return Ok(());
        }
        seen.flags |= EXPANDED_SOURCE;
        self.fresh -= 1;
        let distance = seen.distance + 1;
        let parents = read_commit(self.from, key)?.parents;
        seen.parents.clone_from(&parents);
        if self.depth.is_none_or(|depth| distance < depth) {
            parents.into_iter().try_for_each(|id| self.add_here(id, distance))?;
        }
        Ok(())
    }

    fn is_missing(&self, id: &CommitId) -> bool {
        self.seen.get(id).is_some_and(|seen| seen.flags & (SOURCE | DESTINATION) == SOURCE)
    }

    fn result(&self, wants: &[CommitId]) -> Result<Missing> {
        let mut missing = Missing { commits: Vec::new(), held: Vec::new(), cut: HashSet::new() };
        let mut held = HashSet::new();
        for id in wants {
            if !self.is_missing(id) {
                held.insert(*id);
            }
        }
        let mut done: HashSet<CommitId> = HashSet::new();
        for want in wants.iter().filter(|id| self.is_missing(id)) {
            // Each with how many of its parents have been seen to.
            let mut open = vec![(*want, 0_usize)];
            while let Some((id, next)) = open.last_mut() {
                let parents = &self.seen[id].parents;
                if done.contains(id) {
                    open.pop();
                    continue;
                }
                let Some(parent) = parents.get(*next).copied() else {
                    missing.commits.push(*id);
                    done.insert(*id);
                    open.pop();
                    continue;
                };
                *next += 1;
                if self.is_missing(&parent) {
                    open.push((parent, 0));
                } else if self.seen.get(&parent).is_some_and(|seen| seen.flags & DESTINATION != 0) {
                    held.insert(parent);
                } else if self.absent.contains(&parent) {
                    return Err(Error::NotFetched { id: parent });
                } else {
                    missing.cut.insert(parent);
                }
            }
        }
        for id in held {
            let there = self.seen[&id].there.unwrap_or(id);
            missing.held.push(there);
            if there != id {
                let (source, destination): (Commit, Commit) =
                    (read_commit(self.from, &id)?, read_commit(self.to, &there)?);
                self.ids.check(&source, &destination)?;
            }
        }
        missing.held.sort_unstable();
        Ok(missing)
    }
}
