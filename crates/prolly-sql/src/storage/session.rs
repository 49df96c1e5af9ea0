//! What statements begin and end with: transactions, and plans.

use std::{
    cell::{Cell, OnceCell, RefCell},
    sync::Arc,
};

use gluesql_core::{
    error::Result as GlueResult,
    plan::StatementPlan,
    planner::{
        fetch_schema_map, plan_aggregate, plan_hash_join, plan_index, plan_primary_key, plan_schemaless,
        validate,
    },
    store::{Planner, Transaction},
};
use prolly_version::{CommitId, Snapshot, Store};

use super::{Phase, Storage, relation::Relation};
use crate::{
    Error, Result,
    plan::{self, Tables, hint::Access},
    table::Table,
    txn::{End, Mode, Txn},
};

impl Storage {
    /// A session on what is staged in a store.
    pub(crate) fn new(store: &Store) -> Result<Self> {
        Ok(Self::over(store.clone(), Txn::begin(store, Mode::Live)?, None))
    }

    /// A session on a revision, which cannot be written.
    pub(crate) fn at(store: &Store, revision: &str, snapshot: &Snapshot) -> Self {
        let txn = Txn::at(revision.to_owned(), snapshot.catalog().clone());
        Self::over(store.clone(), txn, Some(snapshot.commit().id))
    }

    fn over(store: Store, txn: Txn, revision: Option<CommitId>) -> Self {
        Self {
            store,
            revision,
            txn,
            phase: Phase::Idle,
            tables: RefCell::default(),
            relations: RefCell::default(),
            head: OnceCell::new(),
            functions: OnceCell::new(),
            grows_stack: true,
            levels_wanted: Cell::new(None),
            composite_key: None,
            making: None,
            is_dropping: false,
            is_writing: false,
            index_has_nulls: false,
            sequences: RefCell::default(),
            sequences_at: None,
            failure: RefCell::default(),
            hints: true,
            touched: Cell::new(0),
        }
    }

    /// Whether `BEGIN` was said, and not its end.
    pub(crate) fn in_transaction(&self) -> bool {
        self.phase == Phase::Transaction
    }

    /// Begins a statement: outside of a transaction a transaction of its own, in one a savepoint.
    pub(crate) fn begin_statement(&mut self, mode: Mode) -> Result<()> {
        self.failure.take();
        match self.phase {
            Phase::Transaction => {
                // What is generated may show what the transaction has changed since.
                let mut relations = self.relations.borrow_mut();
                relations.retain(|_, relation| !matches!(relation, Relation::Generated(_)));
                self.txn.savepoint();
            }
            Phase::Idle | Phase::Statement => {
                self.renew(mode)?;
                self.phase = Phase::Statement;
            }
        }
        Ok(())
    }

    /// Ends a statement that has succeeded.
    pub(crate) fn end_statement(&mut self) -> Result<End> {
        match self.phase {
            Phase::Transaction => {
                self.txn.release();
                Ok(End::Committed(None))
            }
            Phase::Idle => Ok(End::Committed(None)),
            Phase::Statement => self.end_txn(),
        }
    }

    /// Whether all that was read was of one moment, as far as that is known.
    pub(crate) fn saw_one_moment(&self) -> bool {
        self.txn.saw_one_moment()
    }

    /// Takes back what a statement did that has failed.
    pub(crate) fn undo_statement(&mut self) -> Result<()> {
        match self.phase {
            Phase::Transaction => {
                self.txn.roll_back_to_savepoint();
                self.forget();
                self.sequences.get_mut().clear();
                Ok(())
            }
            Phase::Idle | Phase::Statement => self.roll_back(),
        }
    }

    /// Stages what the transaction did, or drops it.
    fn end_txn(&mut self) -> Result<End> {
        self.phase = Phase::Idle;
        let end = self.txn.commit();
        self.sequences_at = match &end {
            Ok(End::Committed(stamp)) => stamp.or(self.txn.stamp()),
            Ok(End::Moved) | Err(_) => None,
        };
        self.renew(Mode::Live)?;
        end
    }

    /// Drops everything that is not committed.
    pub(crate) fn roll_back(&mut self) -> Result<()> {
        self.phase = Phase::Idle;
        self.sequences_at = None;
        self.renew(Mode::Live)
    }

    /// Puts a new transaction in the place of the one before, unless that shows a revision.
    fn renew(&mut self, mode: Mode) -> Result<()> {
        self.forget();
        self.head = OnceCell::new();
        if !self.txn.is_revision() {
            self.txn = Txn::begin(&self.store, mode)?;
        }
        if self.sequences_at.is_none() || self.txn.stamp() != self.sequences_at {
            self.sequences.get_mut().clear();
        }
        Ok(())
    }

    /// Forgets what is only true of the transaction as it was.
    fn forget(&mut self) {
        self.functions = OnceCell::new();
        self.relations.get_mut().clear();
        self.composite_key = None;
        self.making = None;
        self.is_dropping = false;
    }
}

impl Transaction for Storage {
    fn begin(&mut self, autocommit: bool) -> GlueResult<bool> {
        match (self.phase, autocommit) {
            (Phase::Transaction, true) => Ok(false),
            (Phase::Transaction, false) => {
                let text = "a transaction is open already: end it with COMMIT or ROLLBACK";
                Err(self.fail(Error::Refused(text.to_owned())))
            }
            // The statement was begun before it was planned.
            (Phase::Statement, true) => Ok(false),
            (Phase::Idle, true) => {
                let begun = self.begin_statement(Mode::Live);
                self.glue(begun).map(|()| true)
            }
            (Phase::Idle | Phase::Statement, false) => {
                let renewed = self.renew(Mode::Snapshot);
                self.glue(renewed)?;
                self.phase = Phase::Transaction;
                Ok(true)
            }
        }
    }

    fn rollback(&mut self) -> GlueResult<()> {
        let result = self.roll_back();
        self.glue(result)
    }

    fn commit(&mut self) -> GlueResult<()> {
        let end = self.end_txn();
        match self.glue(end)? {
            End::Committed(_) => Ok(()),
            End::Moved => {
                let what = "what the statement read".to_owned();
                Err(self.fail(Error::TransactionConflict { what }))
            }
        }
    }
}

impl Tables for Storage {
    fn table(&self, name: &str) -> Result<Option<Arc<Table>>> {
        Ok(match self.relation(name)? {
            Some(Relation::Table(table) | Relation::At(table, _)) => Some(table),
            Some(Relation::Generated(_)) | None => None,
        })
    }

    fn rows(&self, name: &str, access: &Access) -> Result<u64> {
        self.count(&self.known_relation(name)?, access)
    }

    fn check_function(&self, name: &str) -> Result<()> {
        Storage::check_function(self, name)
    }
}

impl Planner for Storage {
    fn plan(&self, statement: StatementPlan) -> GlueResult<StatementPlan> {
        let schemas = fetch_schema_map(self, &statement)?;
        validate(&schemas, &statement)?;
        let statement = plan_schemaless(&schemas, statement)?;
        let statement = plan_primary_key(&schemas, statement);
        let statement = plan_index(&schemas, statement);
        let statement = plan_hash_join(&schemas, statement);
        let statement = plan_aggregate(statement);
        match self.hints {
            true => self.glue(plan::plan(self, statement)),
            false => Ok(statement),
        }
    }
}
