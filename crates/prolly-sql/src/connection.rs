//! Running statements: what a caller holds.

use std::{collections::HashMap, fmt, sync::Arc};

use gluesql_core::{
    ast::Statement,
    data::Value,
    executor::{Payload, execute},
    plan::StatementPlan,
    sqlparser::ast as sql,
    store::Planner,
};
use prolly_version::{Store, TreeKind};

use crate::{
    Error, Result, RowConflict,
    bind::{self, Parameters},
    fragment::{RowStatement, row_statement},
    history,
    nesting::with_stack,
    panics::caught,
    statement::{HINT_MARK, Prepared, prepare},
    storage::{ColumnInfo, Storage},
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
///
/// A part of a statement between commas may have 4,000 words and signs, literals not counted. Where the executor panics, that
/// is an error; its message does not go to the process's panic hook.
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
    /// [`Error::Syntax`], before anything is run, also for what is too long. Otherwise what the first statement that failed
    /// reports: it has changed nothing, those before it stay, those after it are not run. A transaction stays open then, unless
    /// it was its `COMMIT` that failed: [`Error::TransactionConflict`] when somebody else has changed what it changes.
    pub fn execute(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Payload>> {
        let params = Parameters::new(params);
        let statements = self.prepared(sql)?;
        let run = |statement: &Prepared| {
            let ends =
                matches!(statement.sql, sql::Statement::Commit { .. } | sql::Statement::Rollback { .. });
            let bind = |storage: &Storage| params.translate(&statement.sql, |name| storage.table_of(name));
            self.run(&bind, statement.composite_key.as_deref(), statement.levels, ends)
        };
        statements.iter().map(run).collect()
    }

    /// Runs one `INSERT`, `UPDATE` or `DELETE` with each of some rows of parameters, as one statement: which of them it is, and how
    /// many rows it has affected in all.
    ///
    /// # Errors
    /// [`Error::Syntax`] for any other text; as [`Connection::execute`], and nothing is changed then.
    pub fn execute_many(&mut self, sql: &str, rows: &[Vec<Value>]) -> Result<(RowStatement, usize)> {
        let kind = row_statement(sql)?;
        let statements = self.prepared(sql)?;
        let levels = statements.iter().map(|statement| statement.levels).max().unwrap_or(0);
        let count = self.in_statement(levels, false, |storage| {
            let mut count = 0;
            for (row, statement) in rows.iter().flat_map(|row| statements.iter().map(move |one| (row, one))) {
                let params = Parameters::new(row);
                let bind =
                    |storage: &Storage| params.translate(&statement.sql, |name| storage.table_of(name));
                if let Payload::Insert(affected) | Payload::Update(affected) | Payload::Delete(affected) =
                    run_once(storage, &bind, None)?
                {
                    count += affected;
                }
            }
            Ok(count)
        })?;
        Ok((kind, count))
    }

    /// Inserts rows into some columns of a table, or into all where none are named: the number of rows. It does what one
    /// `INSERT` of them all does, without its text.
    ///
    /// # Errors
    /// As [`Connection::execute`].
    pub fn insert(&mut self, table: &str, columns: &[String], rows: &[Vec<Value>]) -> Result<usize> {
        if table.contains(HINT_MARK) {
            return Err(Error::Syntax { message: "a name may not contain U+0001".to_owned() });
        }
        let bind = |storage: &Storage| bind::insert(table, columns, rows, |name| storage.table_of(name));
        self.run(&bind, None, 0, false)?;
        Ok(rows.len())
    }

    /// The names of the tables, in their order, as the session sees them.
    ///
    /// # Errors
    /// What reading reports.
    pub fn tables(&mut self) -> Result<Vec<String>> {
        self.read(Storage::table_names)
    }

    /// The columns of what can be read by a name, none of a table without a schema; `None` when there is no such thing.
    ///
    /// # Errors
    /// What reading reports.
    pub fn columns(&mut self, table: &str) -> Result<Option<Vec<ColumnInfo>>> {
        self.read(|storage| storage.describe(table))
    }

    /// The statements of a text, which is parsed once as long as it comes again and again.
    fn prepared(&mut self, sql: &str) -> Result<Arc<[Prepared]>> {
        if let Some(statements) = self.statements.get(sql) {
            return Ok(Arc::clone(statements));
        }
        let statements: Arc<[Prepared]> = caught(|| prepare(sql))?.into();
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
        self.storage.grows_stack = false;
        self.storage
    }

    /// Reads as a statement does.
    fn read<T>(&mut self, work: impl Fn(&Storage) -> Result<T>) -> Result<T> {
        self.in_statement(0, false, |storage| work(storage))
    }

    /// Runs a statement, which is made each time that it is tried: what it is may depend on the tables.
    ///
    /// `composite_key`: that of the table it makes. `levels`: how deep it nests. `ends`: whether it ends a transaction.
    fn run(
        &mut self,
        statement: &dyn Fn(&Storage) -> Result<Statement>,
        composite_key: Option<&[String]>,
        levels: usize,
        ends: bool,
    ) -> Result<Payload> {
        if ends && !self.in_transaction() {
            return Err(Error::Refused("no transaction is open".to_owned()));
        }
        self.in_statement(levels, ends, |storage| run_once(storage, statement, composite_key))
    }

    /// Does what a statement does, until it has seen one moment from beginning to end: what it reports otherwise, an error
    /// too, may come of two halves that never were together.
    ///
    /// `levels`: how deep it nests; functions that it calls may nest deeper. `ends`: whether it ends a transaction, so that it
    /// cannot be done again.
    fn in_statement<T>(
        &mut self,
        mut levels: usize,
        ends: bool,
        work: impl Fn(&mut Storage) -> Result<T>,
    ) -> Result<T> {
        let mut mode = Mode::Live;
        for _ in 0..ATTEMPTS {
            self.storage.begin_statement(mode)?;
            match with_stack(levels, || caught(|| work(&mut self.storage))) {
                Ok(done) => match self.storage.end_statement() {
                    Ok(End::Committed(_)) => return Ok(done),
                    Ok(End::Moved) => {}
                    Err(Error::TransactionConflict { .. }) if !self.in_transaction() && !ends => {}
                    Err(error) => return Err(error),
                },
                Err(error) => {
                    let saw_one_moment = self.storage.saw_one_moment();
                    self.storage.undo_statement()?;
                    if let Some(more) = self.storage.levels_wanted.take() {
                        levels += more;
                        continue;
                    }
                    if saw_one_moment {
                        return Err(error);
                    }
                }
            }
            mode = Mode::Snapshot;
        }
        let what = format!("what the statement reads or writes (tried {ATTEMPTS} times)");
        Err(Error::TransactionConflict { what })
    }
}

/// Plans and executes a statement.
fn run_once(
    storage: &mut Storage,
    statement: &dyn Fn(&Storage) -> Result<Statement>,
    composite_key: Option<&[String]>,
) -> Result<Payload> {
    storage.composite_key = composite_key.map(<[String]>::to_vec);
    let plan: StatementPlan = statement(storage)?.into();
    if let StatementPlan::CreateTable { name, if_not_exists: true, .. } = &plan
        && storage.has_table(name)?
    {
        // GlueSQL would add the rows of a query to it.
        return Ok(Payload::Create);
    }
    storage.is_writing = matches!(
        plan,
        StatementPlan::Insert { .. } | StatementPlan::Update { .. } | StatementPlan::Delete { .. }
    );
    storage.making = match &plan {
        StatementPlan::CreateTable { name, .. } => Some(name.clone()),
        _ => None,
    };
    storage.is_dropping = matches!(plan, StatementPlan::DropTable { .. });
    let plan = storage.plan(plan).map_err(|error| storage.error(error))?;
    execute(storage, &plan).map_err(|error| storage.error(error))
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("in_transaction", &self.in_transaction()).finish_non_exhaustive()
    }
}

const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<Connection>();
};

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use prolly_version::Options;

    use super::*;

    #[test]
    fn an_error_of_two_moments_is_not_reported() {
        let database = Database::new(Store::memory(Options::default()).unwrap()).unwrap();
        let (mut one, other) = (database.connect().unwrap(), Cell::new(Some(database.connect().unwrap())));
        one.execute("CREATE TABLE t (id INT); CREATE TABLE u (id INT)", &[]).unwrap();
        let tries = Cell::new(0);
        let columns = one.in_statement(0, false, |storage| {
            tries.set(tries.get() + 1);
            assert!(storage.describe("t")?.is_some());
            if let Some(mut other) = other.take() {
                other.execute("DROP TABLE u", &[])?;
            }
            match storage.describe("u")? {
                None if tries.get() == 1 => Err(Error::Refused("t is there, u is not".to_owned())),
                columns => Ok(columns),
            }
        });
        assert_eq!((columns.unwrap(), tries.get()), (None, 2));
        // One that is true of a moment is.
        let error = one.in_statement(0, false, |storage| {
            assert!(storage.describe("t")?.is_some() && storage.describe("u")?.is_none());
            Err::<(), _>(Error::Refused("u is not there".to_owned()))
        });
        assert!(matches!(error, Err(Error::Refused(_))));
    }
}
