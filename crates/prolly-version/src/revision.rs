//! The names people give revisions: branches, tags, ids, abbreviations, `HEAD~2`, `main^2`.
//!
//! ```text
//! revision = name step*
//! name     = HEAD | @ | full id | ref name | branch, tag or remote branch | abbreviated id (4 digits or more)
//! step     = ~ | ~n    the first parent, n times        ^ | ^n   parent n; ^0 is the commit itself
//! ```
//!
//! A short name is looked up as Git does: a full id first, then below `refs/`, `refs/tags/`, `refs/heads/` and
//! `refs/remotes/`, then as an abbreviation.

use crate::{Commit, CommitGraph, CommitId, Error, Head, Result};

const ABBREVIATION_DIGITS_MIN: usize = 4;
/// How many commits an ambiguous abbreviation lists.
const CANDIDATES_MAX: usize = 16;

/// Finds the commit that `revision` names, seen from `head`.
///
/// # Errors
/// [`Error::UnknownRevision`] when nothing has that name, [`Error::AmbiguousRevision`] when an abbreviation fits several
/// commits, [`Error::InvalidRevision`] when the syntax is wrong or a step leads nowhere, [`Error::UnbornBranch`] when
/// it starts from a branch without commits.
pub fn resolve(graph: &dyn CommitGraph, head: &Head, revision: &str) -> Result<CommitId> {
    let name_end = revision.find(['~', '^']).unwrap_or(revision.len());
    let (name, steps) = revision.split_at(name_end);
    if name.is_empty() {
        return Err(invalid(revision, "it has no name before its steps"));
    }
    let mut id = resolve_name(graph, head, name, revision)?;
    let mut rest = steps;
    while let Some(kind) = rest.chars().next() {
        rest = &rest[1..];
        let digits = rest.find(|char: char| !char.is_ascii_digit()).unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        rest = tail;
        let number: usize = match number {
            "" => 1,
            digits => digits.parse().map_err(|_| invalid(revision, "a number in it is too large"))?,
        };
        id = match kind {
            '~' => nth_ancestor(graph, id, number, revision)?,
            '^' => nth_parent(graph, id, number, revision)?,
            other => return Err(invalid(revision, format!("{other:?} is not a step"))),
        };
    }
    Ok(id)
}

/// Reads a commit that has to be there: something linked to it.
pub(crate) fn read_commit(graph: &dyn CommitGraph, id: &CommitId) -> Result<Commit> {
    graph.read_commit(id)?.ok_or(Error::MissingCommit { id: *id })
}

/// The commit that `head` stands on, `None` on a branch without commits.
pub(crate) fn head_commit(graph: &dyn CommitGraph, head: &Head) -> Result<Option<CommitId>> {
    match head {
        Head::Branch(name) => graph.read_ref(name),
        Head::Detached(id) => Ok(Some(*id)),
    }
}

fn resolve_name(graph: &dyn CommitGraph, head: &Head, name: &str, revision: &str) -> Result<CommitId> {
    if name == "HEAD" || name == "@" {
        return head_commit(graph, head)?.ok_or_else(|| match head {
            Head::Branch(branch) => Error::UnbornBranch { branch: branch.clone() },
            Head::Detached(id) => Error::MissingCommit { id: *id },
        });
    }
    if name.contains("@{") || name.contains("..") || name.contains(':') {
        return Err(invalid(revision, "ranges, reflogs and paths are not revisions"));
    }
    if let Ok(id) = name.parse::<CommitId>()
        && graph.read_commit(&id)?.is_some()
    {
        return Ok(id);
    }
    if let Some(id) = resolve_ref(graph, name)? {
        return Ok(id);
    }
    resolve_abbreviation(graph, name, revision)
}

/// The full name of the ref that a revision is, when it is one: a revision that is looked up in another way before, such
/// as `HEAD` or a commit's id, is none.
pub(crate) fn find_ref(graph: &dyn CommitGraph, revision: &str) -> Result<Option<String>> {
    if revision == "HEAD" || revision == "@" {
        return Ok(None);
    }
    if let Ok(id) = revision.parse::<CommitId>()
        && graph.read_commit(&id)?.is_some()
    {
        return Ok(None);
    }
    Ok(lookup(graph, revision)?.map(|(name, _)| name))
}

fn resolve_ref(graph: &dyn CommitGraph, name: &str) -> Result<Option<CommitId>> {
    Ok(lookup(graph, name)?.map(|(_, id)| id))
}

/// Looks a full or short ref name up; a name that no ref can have is simply not there.
fn lookup(graph: &dyn CommitGraph, name: &str) -> Result<Option<(String, CommitId)>> {
    let candidates = if name.starts_with("refs/") {
        vec![name.to_owned()]
    } else {
        ["refs/", "refs/tags/", "refs/heads/", "refs/remotes/"]
            .iter()
            .map(|prefix| format!("{prefix}{name}"))
            .chain([format!("refs/remotes/{name}/HEAD")])
            .collect()
    };
    for candidate in candidates {
        if crate::check_ref_name(&candidate).is_ok()
            && let Some(id) = graph.read_ref(&candidate)?
        {
            return Ok(Some((candidate, id)));
        }
    }
    Ok(None)
}

fn resolve_abbreviation(graph: &dyn CommitGraph, name: &str, revision: &str) -> Result<CommitId> {
    let unknown = || Error::UnknownRevision { revision: revision.to_owned() };
    if name.len() < ABBREVIATION_DIGITS_MIN || !name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(unknown());
    }
    let candidates = graph.commits_by_prefix(&name.to_ascii_lowercase(), CANDIDATES_MAX)?;
    match candidates[..] {
        [] => Err(unknown()),
        [id] => Ok(id),
        _ => Err(Error::AmbiguousRevision { revision: revision.to_owned(), candidates }),
    }
}

fn nth_ancestor(graph: &dyn CommitGraph, id: CommitId, steps: usize, revision: &str) -> Result<CommitId> {
    let mut at = id;
    for step in 0..steps {
        at = *read_commit(graph, &at)?.parents.first().ok_or_else(|| {
            invalid(revision, format!("commit {id} has {step} ancestors in its first line, not {steps}"))
        })?;
    }
    Ok(at)
}

fn nth_parent(graph: &dyn CommitGraph, id: CommitId, number: usize, revision: &str) -> Result<CommitId> {
    let Some(index) = number.checked_sub(1) else {
        return Ok(id);
    };
    let parents = read_commit(graph, &id)?.parents;
    parents.get(index).copied().ok_or_else(|| {
        invalid(revision, format!("commit {id} has {} parents, there is no parent {number}", parents.len()))
    })
}

fn invalid(revision: &str, reason: impl Into<String>) -> Error {
    Error::InvalidRevision { revision: revision.to_owned(), reason: reason.into() }
}
