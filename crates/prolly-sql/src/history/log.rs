//! Commits and branches.

use std::sync::Arc;

use gluesql_core::{ast::DataType, chrono::DateTime, data::Value};
use prolly_version::{Commit, CommitId, Log, Signature, Store};

use super::{Generated, column};
use crate::{Error, Result};

impl Generated {
    /// The commits behind a commit, itself first; none behind none.
    pub(crate) fn log(store: &Store, from: Option<CommitId>) -> Self {
        let columns = vec![
            column("commit_id", DataType::Text),
            column("parents", DataType::List),
            column("author", DataType::Text),
            column("committer", DataType::Text),
            column("committed", DataType::Timestamp),
            column("message", DataType::Text),
        ];
        let store = store.clone();
        Self::new("log", columns, move || {
            let from: Vec<_> = from.into_iter().collect();
            let log = Log::new(Arc::clone(store.graph()), &from)?;
            Ok(Box::new(log.map(|commit| log_row(&commit?))))
        })
    }

    /// The branches, by name.
    pub(crate) fn branches(store: &Store) -> Self {
        let columns = vec![
            column("name", DataType::Text),
            column("commit_id", DataType::Text),
            column("is_current", DataType::Boolean),
        ];
        let store = store.clone();
        Self::new("branches", columns, move || {
            let current = store.current_branch();
            let rows = store.branches()?.into_iter().map(move |(name, id)| {
                let is_current = current.as_ref() == Some(&name);
                Ok(vec![Value::Str(name), Value::Str(id.to_string()), Value::Bool(is_current)])
            });
            Ok(Box::new(rows))
        })
    }
}

fn log_row(commit: &Commit) -> Result<Vec<Value>> {
    Ok(vec![
        Value::Str(commit.id.to_string()),
        Value::List(commit.parents.iter().map(|parent| Value::Str(parent.to_string())).collect()),
        signed_by(&commit.author),
        signed_by(&commit.committer),
        committed(commit)?,
        Value::Str(commit.message.clone()),
    ])
}

/// Who signed, as Git writes it.
pub(super) fn signed_by(signature: &Signature) -> Value {
    Value::Str(format!("{} <{}>", signature.name, signature.email))
}

/// When a commit was made, in UTC.
pub(super) fn committed(commit: &Commit) -> Result<Value> {
    let seconds = commit.committer.seconds;
    let time = DateTime::from_timestamp(seconds, 0).ok_or_else(|| Error::Damaged {
        what: format!("commit {}", commit.id),
        reason: format!("its time is {seconds}"),
    })?;
    Ok(Value::Timestamp(time.naive_utc()))
}
