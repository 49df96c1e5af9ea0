//! GlueSQL's storage, on the trees of a store: one session, with its transaction.
//!
//! | file | implements |
//! |---|---|
//! | `relation` | what a name stands for |
//! | `read` | `Store`: schemas, rows by key |
//! | `scan` | scans of what a hint names |
//! | `write` | `StoreMut`: tables, rows and what follows from them in indexes; UNIQUE and foreign keys |
//! | `alter` | `AlterTable` |
//! | `index` | `Index`, `IndexMut` |
//! | `session` | `Transaction`, `Planner`: what a statement begins and ends with |
//! | `describe` | what the tables and their columns are |
//! | `dictionary` | `Metadata`, `CustomFunction` |
//!
//! **Invariant:** an index has exactly the entries that its table's rows give. Everything that writes rows goes through
//! `write::edit_rows`.
//!
//! **Invariant:** what the layers below report reaches the caller as it was: GlueSQL only carries text, so the error itself
//! waits in the session.

mod alter;
mod describe;
mod dictionary;
mod index;
mod read;
mod relation;
mod scan;
mod session;
mod write;

pub use describe::ColumnInfo;

use std::{
    cell::{Cell, OnceCell, RefCell},
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use gluesql_core::{
    data::CustomFunction,
    error::{Error as GlueError, Result as GlueResult},
    executor::ExecuteError,
};
use prolly_version::{CommitId, Stamp, Store, TreeKey};

use self::relation::Relation;
use crate::{Error, Result, table::Table, txn::Txn};

/// A session: the tables of a store, or of a revision, and a transaction on them.
pub struct Storage {
    store: Store,
    /// The commit that the session shows, when it shows one.
    revision: Option<CommitId>,
    txn: Txn,
    phase: Phase,
    /// Tables by name, with the metadata that they were decoded from.
    tables: RefCell<HashMap<String, Decoded>>,
    /// What other names stand for, as long as the transaction has not changed.
    relations: RefCell<HashMap<String, Relation>>,
    /// The commit that the store stood on when it was first asked for in this transaction; `None` on a branch without commits.
    head: OnceCell<Option<CommitId>>,
    /// The functions that the transaction sees, once it was asked for them.
    functions: OnceCell<BTreeMap<String, CustomFunction>>,
    /// Whether a statement that asks for a larger stack is done again on one: by a connection it is, by GlueSQL's test-suite not.
    pub(crate) grows_stack: bool,
    /// How many levels of the stack were missing to call a function.
    pub(crate) levels_wanted: Cell<Option<usize>>,
    /// The key of the table that the running statement makes, when it has several columns.
    pub(crate) composite_key: Option<Vec<String>>,
    /// The table that the running statement makes, whose name stands for nothing else meanwhile.
    pub(crate) making: Option<String>,
    /// Whether the running statement drops tables, of which those that the history gives are none.
    pub(crate) is_dropping: bool,
    /// Whether the running statement writes, so that what it reads by key is a check that has to stay true.
    pub(crate) is_writing: bool,
    /// Whether a comparison that an index answers takes NULL for greater than all values, as GlueSQL's test-suite expects; SQL
    /// says that it is neither greater nor less.
    pub(crate) index_has_nulls: bool,
    /// The numbers of the rows to insert next into tables without a primary key.
    sequences: RefCell<HashMap<TreeKey, u64>>,
    /// The moment for which these hold, outside of a transaction.
    sequences_at: Option<Stamp>,
    /// What the layers below reported, while GlueSQL carries its text.
    failure: RefCell<Option<Error>>,
    /// Whether plans are given hints: otherwise tables are read as GlueSQL does.
    pub(crate) hints: bool,
    touched: Cell<u64>,
}

/// A table, and the metadata it was decoded from.
type Decoded = (Vec<u8>, Arc<Table>);

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Between statements: what is read is what the store holds.
    Idle,
    /// In a statement outside of a transaction.
    Statement,
    /// Between `BEGIN` and its end.
    Transaction,
}

impl Storage {
    /// A table, as the transaction sees it.
    fn table(&self, name: &str) -> Result<Option<Arc<Table>>> {
        let Some(metadata) = self.txn.metadata(&Table::tree_key(name))? else { return Ok(None) };
        if let Some((known, table)) = self.tables.borrow().get(name)
            && *known == metadata
        {
            return Ok(Some(Arc::clone(table)));
        }
        let table = Arc::new(Table::decode(name, &metadata)?);
        self.tables.borrow_mut().insert(name.to_owned(), (metadata, Arc::clone(&table)));
        Ok(Some(table))
    }

    /// Whether there is a table of this name, as the transaction sees it.
    pub(crate) fn has_table(&self, name: &str) -> Result<bool> {
        Ok(self.txn.metadata(&Table::tree_key(name))?.is_some())
    }

    /// A table that has to be there.
    fn known_table(&self, name: &str) -> Result<Arc<Table>> {
        self.table(name)?.ok_or_else(|| Error::Statement(ExecuteError::TableNotFound(name.to_owned()).into()))
    }

    /// Keeps what went wrong, and gives GlueSQL a text to carry.
    fn fail(&self, error: Error) -> GlueError {
        match error {
            Error::Statement(error) => error,
            error => {
                let text = error.to_string();
                *self.failure.borrow_mut() = Some(error);
                GlueError::StorageMsg(text)
            }
        }
    }

    fn glue<T>(&self, result: Result<T>) -> GlueResult<T> {
        result.map_err(|error| self.fail(error))
    }

    /// What went wrong, from what GlueSQL carried of it.
    pub(crate) fn error(&self, carried: GlueError) -> Error {
        match (self.failure.take(), carried) {
            (Some(error), GlueError::StorageMsg(text)) if error.to_string() == text => error,
            (_, carried) => carried.into(),
        }
    }
}

impl std::fmt::Debug for Storage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Storage")
            .field("store", &self.store)
            .field("phase", &self.phase)
            .finish_non_exhaustive()
    }
}
