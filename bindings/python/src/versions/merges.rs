//! Merges, of every class with versions.
//!
//! **Invariant:** a resolver that is a Python function runs with no lock held, so it may use the store, from any thread:
//! the conflicts are found first, and the merge is made with the answers. When another commit came in between and
//! conflicts differ, those are asked for too.

use std::{cell::Cell, collections::HashMap};

use prolly_version::{
    CommitId, Error, MergeConflict, MergeOptions, MergeStrategy, Resolution, TreeKey, merge_bases,
};
use pyo3::{exceptions::PyTypeError, prelude::*};

use crate::{
    args::{Bytes, Given},
    errors::{Failure, Outcome},
    handle::{HasHandle, View},
    store::VersionedKvStore,
    types::{self, Resolver, Resolvers, Side},
};

/// What functions have chosen, by the conflicts they were asked about.
#[derive(Default)]
struct Answers(HashMap<(TreeKey, Option<Vec<u8>>), Answer>);

struct Answer {
    conflict: MergeConflict,
    resolution: Resolution,
}

impl Answers {
    fn get(&self, conflict: &MergeConflict) -> Option<&Resolution> {
        let answer = self.0.get(&(conflict.tree.clone(), conflict.key.clone()))?;
        (answer.conflict == *conflict).then_some(&answer.resolution)
    }

    /// Asks about a conflict, unless that was done.
    fn ask(&mut self, function: &Bound<'_, PyAny>, conflict: MergeConflict) -> PyResult<()> {
        if self.get(&conflict).is_some() {
            return Ok(());
        }
        let chosen = function.call1((types::merge_conflict(function.py(), &conflict)?,))?;
        let resolution = match (Side::of(&chosen)?, &conflict.key) {
            (Some(side), _) => side.resolution(),
            (None, Some(_)) if chosen.is_none() => Resolution::Value(None),
            (None, Some(_)) => Resolution::Value(Some(chosen.extract::<Bytes<'_>>()?.to_vec())),
            (None, None) if chosen.is_none() => Resolution::Unresolved,
            (None, None) => {
                return Err(PyTypeError::new_err(
                    "a namespace that one side dropped and the other changed is settled by a ConflictResolution, \
                     or by None to leave it unresolved",
                ));
            }
        };
        self.0.insert((conflict.tree.clone(), conflict.key.clone()), Answer { conflict, resolution });
        Ok(())
    }
}

fn failed(branch: &str) -> impl FnOnce(Failure) -> Failure {
    move |failure| match failure {
        Failure::Version(error) => Failure::Merge { branch: branch.to_owned(), error: Box::new(error) },
        failure => failure,
    }
}

fn conflicts(view: &impl View, branch: &str) -> Outcome<Vec<MergeConflict>> {
    view.versions().try_merge(branch).map_err(Failure::from).map_err(failed(branch))
}

/// Merges with the answers there are; `None` when there are conflicts that nobody was asked about.
fn merge_with(
    view: &impl View,
    branch: &str,
    message: Option<&str>,
    resolvers: &Resolvers,
    answers: &Answers,
) -> Outcome<Option<CommitId>> {
    let is_news = Cell::new(false);
    let look_up = |conflict: &MergeConflict| {
        Ok(answers.get(conflict).cloned().unwrap_or_else(|| {
            is_news.set(true);
            Resolution::Unresolved
        }))
    };
    let mut functions = vec![look_up; resolvers.by_namespace.len() + 1];
    let mut functions = functions.iter_mut();
    let mut strategy = |resolver: &Resolver| match resolver {
        Resolver::Refuse => MergeStrategy::Refuse,
        Resolver::Take(Side::Destination) => MergeStrategy::TakeDestination,
        Resolver::Take(Side::Source) => MergeStrategy::TakeSource,
        Resolver::Ask(_) => MergeStrategy::Resolve(functions.next().expect("there is one for each resolver")),
    };
    let by_namespace =
        resolvers.by_namespace.iter().map(|(name, resolver)| (name.clone(), strategy(resolver))).collect();
    let options = MergeOptions { strategy: strategy(&resolvers.others), message, ..MergeOptions::default() };
    match view.merge(branch, by_namespace, options) {
        Err(Failure::Version(Error::MergeConflicts { .. })) if is_news.get() => Ok(None),
        merged => merged.map(Some).map_err(failed(branch)),
    }
}

/// Merges a revision, asking functions where the resolvers are some.
fn merge<C: HasHandle>(
    class: &C,
    py: Python<'_>,
    branch: &str,
    message: Option<&str>,
    resolvers: &Resolvers,
) -> PyResult<CommitId> {
    if !resolvers.by_namespace.is_empty() && !C::View::HAS_NAMESPACES {
        return Err(PyTypeError::new_err("resolvers by namespace are for a NamespacedKvStore"));
    }
    let mut answers = Answers::default();
    loop {
        if resolvers.ask_any() {
            for conflict in class.call(py, |view| conflicts(view, branch))? {
                if let Resolver::Ask(function) = resolvers.of(&conflict.tree) {
                    answers.ask(function.bind(py), conflict)?;
                }
            }
        }
        let merged = class.call(py, |view| merge_with(view, branch, message, resolvers, &answers))?;
        if let Some(id) = merged {
            return Ok(id);
        }
    }
}

macro_rules! merge_methods {
    ($class:ident) => {
        #[pymethods]
        impl $class {
            /// The id of a best common ancestor of two revisions; None for unrelated histories.
            fn merge_base(&self, py: Python<'_>, first: &str, second: &str) -> PyResult<Option<String>> {
                self.call(py, |store| {
                    let store = store.versions();
                    let bases =
                        merge_bases(&**store.graph(), &store.resolve(first)?, &store.resolve(second)?)?;
                    Ok(bases.first().map(ToString::to_string))
                })
            }

            /// Merges a branch (or other revision) into the current branch: one commit with two parents; its id.
            ///
            /// resolver: a ConflictResolution, or a function that is called with each MergeConflict and returns the
            /// value to keep, None to delete the key, or a ConflictResolution; what it raises passes through. None in
            /// its place refuses to resolve. A NamespacedKvStore takes a dict of these by namespace, too: with the key
            /// None for the namespaces it does not name, whose conflicts else are refused.
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
                resolver: Given<Resolvers>,
                source_branch: Given<&str>,
                conflict_resolution: Given<Resolvers>,
                message: Option<&str>,
            ) -> PyResult<String> {
                let branch = branch.required("branch", source_branch, "source_branch")?;
                let resolvers = resolver.either("resolver", conflict_resolution, "conflict_resolution")?;
                Ok(merge(self, py, branch, message, &resolvers.unwrap_or_default())?.to_string())
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
                let conflicts = self.call(py, |view| conflicts(view, branch))?;
                let conflicts: Vec<_> = conflicts
                    .iter()
                    .map(|conflict| types::merge_conflict(py, conflict))
                    .collect::<PyResult<_>>()?;
                Ok((conflicts.is_empty(), conflicts))
            }
        }
    };
}

merge_methods!(VersionedKvStore);

#[cfg(feature = "namespaced")]
mod of_namespaces {
    use super::*;
    use crate::namespaces::NamespacedKvStore;

    merge_methods!(NamespacedKvStore);
}

#[cfg(feature = "sql")]
mod of_tables {
    use super::*;
    use crate::sql::ProllySQLStore;

    merge_methods!(ProllySQLStore);
}
