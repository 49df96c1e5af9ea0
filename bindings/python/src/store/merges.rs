//! `VersionedKvStore`: merges.
//!
//! **Invariant:** a resolver that is a Python function runs with no lock held, so it may use the store, from any thread:
//! the conflicts are found first, and the merge is made with the answers. When another commit came in between and
//! conflicts differ, those are asked for too.

use std::collections::HashMap;

use prolly_version::{
    CommitId, Error, MergeConflict, MergeOptions, MergeStrategy, Resolution, Store, TreeKey, merge_bases,
};
use pyo3::prelude::*;

use super::VersionedKvStore;
use crate::{
    args::{Bytes, Given},
    errors::{Failure, Outcome},
    types::{self, Resolver, Rule},
};

/// The values that a function has chosen, by the conflicts it was asked about.
#[derive(Default)]
struct Answers(HashMap<(TreeKey, Option<Vec<u8>>), Answer>);

struct Answer {
    conflict: MergeConflict,
    value: Option<Vec<u8>>,
}

impl Answers {
    fn get(&self, conflict: &MergeConflict) -> Option<&Option<Vec<u8>>> {
        let answer = self.0.get(&(conflict.tree.clone(), conflict.key.clone()))?;
        (answer.conflict == *conflict).then_some(&answer.value)
    }

    /// Asks about a conflict, unless that was done.
    fn ask(&mut self, resolver: &Bound<'_, PyAny>, conflict: MergeConflict) -> PyResult<()> {
        if conflict.key.is_none() || self.get(&conflict).is_some() {
            return Ok(());
        }
        let chosen = resolver.call1((types::merge_conflict(resolver.py(), &conflict)?,))?;
        let value = if chosen.is_none() { None } else { Some(chosen.extract::<Bytes<'_>>()?.to_vec()) };
        self.0.insert((conflict.tree.clone(), conflict.key.clone()), Answer { conflict, value });
        Ok(())
    }
}

fn failed(branch: &str) -> impl FnOnce(Error) -> Failure {
    move |error| Failure::Merge { branch: branch.to_owned(), error: Box::new(error) }
}

fn merge<'a>(
    store: &Store,
    branch: &str,
    message: Option<&'a str>,
    strategy: MergeStrategy<'a>,
) -> Outcome<CommitId> {
    let options = MergeOptions { strategy, message, ..MergeOptions::default() };
    store.merge(branch, options).map_err(failed(branch))
}

fn conflicts(store: &Store, branch: &str) -> Outcome<Vec<MergeConflict>> {
    store.try_merge(branch).map_err(failed(branch))
}

impl VersionedKvStore {
    fn merge_asking(
        &self,
        py: Python<'_>,
        branch: &str,
        message: Option<&str>,
        resolver: &Bound<'_, PyAny>,
    ) -> PyResult<CommitId> {
        let mut answers = Answers::default();
        loop {
            for conflict in self.0.call(py, |store, _| conflicts(store, branch))? {
                answers.ask(resolver, conflict)?;
            }
            let merged = self.0.call(py, |store, _| {
                let mut has_moved = false;
                let mut answer = |conflict: &MergeConflict| {
                    Ok(match answers.get(conflict) {
                        Some(value) => Resolution::Value(value.clone()),
                        None => {
                            has_moved |= conflict.key.is_some();
                            Resolution::Unresolved
                        }
                    })
                };
                match merge(store, branch, message, MergeStrategy::Resolve(&mut answer)) {
                    Err(Failure::Merge { error, .. })
                        if has_moved && matches!(*error, Error::MergeConflicts { .. }) =>
                    {
                        Ok(None)
                    }
                    merged => merged.map(Some),
                }
            })?;
            if let Some(id) = merged {
                return Ok(id);
            }
        }
    }
}

#[pymethods]
impl VersionedKvStore {
    /// The id of a best common ancestor of two revisions; None for unrelated histories.
    fn merge_base(&self, py: Python<'_>, first: &str, second: &str) -> PyResult<Option<String>> {
        self.0.call(py, |store, _| {
            let bases = merge_bases(&**store.graph(), &store.resolve(first)?, &store.resolve(second)?)?;
            Ok(bases.first().map(ToString::to_string))
        })
    }

    /// Merges a branch (or other revision) into the current branch: one commit with two parents; its id.
    ///
    /// resolver: a ConflictResolution, or a function that is called with each MergeConflict and returns the value to
    /// keep, None to delete the key; what it raises passes through. None in its place refuses to resolve.
    ///
    /// Raises MergeError (with every conflict in `.conflicts`) when conflicts are not resolved, and for unrelated
    /// histories or a branch merged with itself; StagedChangesError when the merge changes staged keys.
    #[pyo3(signature = (
        branch=Given::LeftOut, resolver=Given::LeftOut, *, source_branch=Given::LeftOut,
        conflict_resolution=Given::LeftOut, message=None
    ))]
    fn merge(
        &self,
        py: Python<'_>,
        branch: Given<&str>,
        resolver: Given<Resolver>,
        source_branch: Given<&str>,
        conflict_resolution: Given<Resolver>,
        message: Option<&str>,
    ) -> PyResult<String> {
        let branch = branch.required("branch", source_branch, "source_branch")?;
        let resolver = resolver.either("resolver", conflict_resolution, "conflict_resolution")?;
        let id = match resolver.unwrap_or(Resolver::By(Rule::Destination)) {
            Resolver::By(rule) => self.0.call(py, |store, _| {
                let strategy = match rule {
                    Rule::Refuse => MergeStrategy::Refuse,
                    Rule::Destination => MergeStrategy::TakeDestination,
                    Rule::Source => MergeStrategy::TakeSource,
                };
                merge(store, branch, message, strategy)
            }),
            Resolver::Ask(function) => self.merge_asking(py, branch, message, function.bind(py)),
        }?;
        Ok(id.to_string())
    }

    /// Probes a merge and changes nothing: `(True, [])`, or `(False, conflicts)` with every conflict.
    #[pyo3(signature = (branch=Given::LeftOut, *, source_branch=Given::LeftOut))]
    fn try_merge<'py>(
        &self,
        py: Python<'py>,
        branch: Given<&str>,
        source_branch: Given<&str>,
    ) -> PyResult<(bool, Vec<Bound<'py, PyAny>>)> {
        let branch = branch.required("branch", source_branch, "source_branch")?;
        let conflicts = self.0.call(py, |store, _| conflicts(store, branch))?;
        let conflicts: Vec<_> =
            conflicts.iter().map(|conflict| types::merge_conflict(py, conflict)).collect::<PyResult<_>>()?;
        Ok((conflicts.is_empty(), conflicts))
    }
}
