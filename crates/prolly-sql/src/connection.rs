//! Running statements: what a caller holds.

use std::{collections::HashMap, fmt, sync::Arc};

use gluesql_core::{
    data::Value,
    executor::{Payload, execute},
    plan::StatementPlan,
    sqlparser::ast as sql,
    store::Planner,
    translate::{ParamLiteral, translate_with_params},
};
use prolly_version::{Store, TreeKind};

use crate::{
    Error, Result, RowConflict, history,
    statement::{Prepared, prepare},
    storage::Storage,
    txn::{End, Mode},
};

/// How many texts a connection keeps parsed, and how long they are at most.
const STATEMENTS_MAX: usize = 64;
const STATEMENT_BYTES_MAX: usize = 4096;

/// How often a statement is done again because somebody staged meanwhile, before that is reported.
const ATTEMPTS: usize = 64;

/// The tables of a store. Cloning it is cheap; it can be used from any number of threads.
///
/// A table is a tree in the store's catalog, and so is an index: they are staged, committed, branched and merged with
/// everything else in the store, by the methods of [`Store`].
#[derive(Clone, Debug)]
pub struct Database {
    store: Store,
}

/// A session on a [`Database`]: runs statements, and holds a transaction between `BEGIN` and `COMMIT`. Dropping it rolls that
/// back.
///
/// A statement outside of a transaction is one of its own: it sees one moment, and stages all that it does or nothing.
/// What is staged is committed by [`Store::commit`].
pub struct Connection {
    storage: Storage,
    /// Texts that were run, parsed.
    statements: HashMap<String, Arc<[Prepared]>>,
}

impl Database {
    /// Shows a store as tables, and says how tables merge in it, for this process.
    ///
    /// # Errors
    /// None now; merging tables may come to need something of the store.
    pub fn new(store: Store) -> Result<Self> {
        crate::register_merging(&store);
        Ok(Self { store })
    }

    /// The store below: to commit, branch, move, merge and look back.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Begins a session on what is staged.
    ///
    /// # Errors
    /// What reading reports.
    pub fn connect(&self) -> Result<Connection> {
        Ok(Connection { storage: Storage::new(&self.store)?, statements: HashMap::new() })
    }

    /// Begins a session on a revision, which cannot be written. The store is not moved.
    ///
    /// # Errors
    /// As [`Store::at`].
    pub fn at(&self, revision: &str) -> Result<Connection> {
        let snapshot = self.store.at(revision)?;
        Ok(Connection { storage: Storage::at(&self.store, revision, &snapshot), statements: HashMap::new() })
    }

    /// The rows that merging a revision into where the store stands could not decide; none for a clean merge. Conflicts of other
    /// trees are not among them: [`Store::try_merge`] lists all.
    ///
    /// # Errors
    /// As [`Store::try_merge`].
    pub fn conflicts(&self, revision: &str) -> Result<Vec<RowConflict>> {
        history::conflicts(&self.store, revision)
    }

    /// The names of the tables as they are now, in their order.
    ///
    /// # Errors
    /// What reading reports.
    pub fn tables(&self) -> Result<Vec<String>> {
        let keys = self.store.tree_keys(TreeKind::TABLE, b"")?;
        Ok(keys.iter().map(|key| String::from_utf8_lossy(key.name()).into_owned()).collect())
    }
}

impl Connection {
    /// Runs statements one after the other; each sees what those before it did. `$1` (or `?`, counted) stands for a
    /// parameter, and every statement may use all of them.
    ///
    /// # Errors
    /// [`Error::Syntax`], before anything is run. Otherwise what the first statement that failed reports: it has changed
    /// nothing, those before it stay, those after it are not run. A transaction stays open then, unless it was its `COMMIT`
    /// that failed: [`Error::TransactionConflict`] when somebody else has changed what it changes.
    pub fn execute(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Payload>> {
        let params = params.iter().map(crate::params::literal).collect::<Result<Vec<_>>>()?;
        let statements = self.prepared(sql)?;
        statements.iter().map(|statement| self.run(statement, &params)).collect()
    }

    /// The statements of a text, which is parsed once as long as it comes again and again.
    fn prepared(&mut self, sql: &str) -> Result<Arc<[Prepared]>> {
        if let Some(statements) = self.statements.get(sql) {
            return Ok(Arc::clone(statements));
        }
        let statements: Arc<[Prepared]> = prepare(sql)?.into();
        if sql.len() <= STATEMENT_BYTES_MAX {
            if self.statements.len() == STATEMENTS_MAX {
                self.statements.clear();
            }
            self.statements.insert(sql.to_owned(), Arc::clone(&statements));
        }
        Ok(statements)
    }

    /// Whether a transaction is open: between `BEGIN` and `COMMIT` or `ROLLBACK`.
    pub fn in_transaction(&self) -> bool {
        self.storage.in_transaction()
    }

    /// Drops the changes of an open transaction; does nothing without one.
    ///
    /// # Errors
    /// What reading reports.
    pub fn rollback(&mut self) -> Result<()> {
        self.storage.roll_back()
    }

    /// How many rows the statements have read so far.
    #[doc(hidden)]
    pub fn rows_touched(&self) -> u64 {
        self.storage.rows_touched()
    }

    /// Whether statements look for the rows that they need, or read tables as GlueSQL does: to compare the two.
    #[doc(hidden)]
    pub fn set_hints(&mut self, hints: bool) {
        self.storage.hints = hints;
    }

    /// The session as GlueSQL sees it, for its test-suite.
    #[doc(hidden)]
    pub fn into_storage(mut self) -> Storage {
        self.storage.index_has_nulls = true;
        self.storage
    }

    fn run(&mut self, statement: &Prepared, params: &[ParamLiteral]) -> Result<Payload> {
        let ends = matches!(statement.sql, sql::Statement::Commit { .. } | sql::Statement::Rollback { .. });
        if ends && !self.in_transaction() {
            return Err(Error::Refused("no transaction is open".to_owned()));
        }
        let mut mode = Mode::Live;
        for _ in 0..ATTEMPTS {
            self.storage.begin_statement(mode)?;
            let payload = match self.run_once(statement, params) {
                Ok(payload) => payload,
                Err(error) => {
                    self.storage.undo_statement()?;
                    return Err(error);
                }
            };
            match self.storage.end_statement() {
                Ok(End::Committed(_)) => return Ok(payload),
                Ok(End::Moved) => {}
                Err(Error::TransactionConflict { .. }) if !self.in_transaction() && !ends => {}
                Err(error) => return Err(error),
            }
            mode = Mode::Snapshot;
        }
        let what = format!("what the statement reads or writes (tried {ATTEMPTS} times)");
        Err(Error::TransactionConflict { what })
    }

    fn run_once(&mut self, statement: &Prepared, params: &[ParamLiteral]) -> Result<Payload> {
        let storage = &mut self.storage;
        storage.composite_key.clone_from(&statement.composite_key);
        let plan: StatementPlan = translate_with_params(&statement.sql, params)?.into();
        storage.is_writing = matches!(
            plan,
            StatementPlan::Insert { .. } | StatementPlan::Update { .. } | StatementPlan::Delete { .. }
        );
        storage.making = match &plan {
            StatementPlan::CreateTable { name, .. } => Some(name.clone()),
            _ => None,
        };
        let plan = storage.plan(plan).map_err(|error| storage.error(error))?;
        execute(storage, &plan).map_err(|error| storage.error(error))
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("in_transaction", &self.in_transaction()).finish_non_exhaustive()
    }
}
