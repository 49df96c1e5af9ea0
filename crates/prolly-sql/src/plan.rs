//! Which rows a statement needs: a pass over GlueSQL's plans that names them in the tables' names.
//!
//! GlueSQL reads whole tables except where a plan says `pk = constant`, or compares an indexed column. This pass runs after its
//! planners and finds more: ranges of keys and of indexes, rows in the order of a key, counts and extremes without rows, joins and
//! correlated queries by key, and constraints that an index can check. Where several ways are open it counts what each would read,
//! which costs O(log n), and takes the cheapest.
//!
//! | file | what is in it |
//! |---|---|
//! | `select`, `write` | the walk over queries, and over statements that write |
//! | `access` | choosing between the key, an index and the whole table |
//! | `condition`, `constant` | from conditions to keys |
//! | `order`, `summary`, `lookup` | sorts, aggregates, and joins that need not read all rows |
//! | `like`, `logic` | what is rewritten to mean what SQL says of patterns and of `NULL` |
//! | `hint`, `ranges` | what is written into names, and read from them by the storage |
//! | `scope`, `walk` | what names mean, and plans taken apart |
//!
//! **Invariant:** a statement means the same with the pass and without, but for what [`like`] and [`logic`] say, the order of rows that no
//! `ORDER BY` gives, and errors that rows would have raised which are no longer read.

use std::sync::Arc;

use gluesql_core::plan::StatementPlan;

use crate::{Result, table::Table};

mod access;
mod condition;
mod constant;
pub(crate) mod hint;
mod like;
mod logic;
mod lookup;
mod order;
pub(crate) mod ranges;
mod scope;
mod select;
mod summary;
mod walk;
mod write;

pub(crate) use access::order_of;
use hint::Access;
use select::Pass;

/// What the pass has to know of tables.
pub(crate) trait Tables {
    /// A table by its name; `None` when there is none of this name that has rows of its own.
    fn table(&self, name: &str) -> Result<Option<Arc<Table>>>;

    /// How many rows of a table an access reads. O(log n) for each of its ranges.
    fn rows(&self, name: &str, access: &Access) -> Result<u64>;

    /// Checks that calling a function that a user made comes to an end.
    fn check_function(&self, name: &str) -> Result<()>;
}

/// Rewrites a plan that GlueSQL's planners have made.
///
/// # Errors
/// When a table cannot be read; when a function is called that never ends.
pub(crate) fn plan(tables: &dyn Tables, mut statement: StatementPlan) -> Result<StatementPlan> {
    let mut pass = Pass::new(tables);
    match &mut statement {
        StatementPlan::Query(query) => pass.query(query)?,
        StatementPlan::Insert { table_name, source, .. } => pass.insert(table_name, source)?,
        StatementPlan::Update { table_name, assignments, selection } => {
            pass.update(table_name, assignments, selection.as_mut())?;
        }
        StatementPlan::Delete { table_name, selection } => pass.delete(table_name, selection.as_mut())?,
        // GlueSQL would add the rows to the table that is there.
        StatementPlan::CreateTable { name, source, if_not_exists: true, .. }
            if source.is_some() && tables.table(name)?.is_some() =>
        {
            *source = None;
        }
        StatementPlan::CreateTable { source: Some(source), .. } => pass.query(source)?,
        _ => {}
    }
    Ok(statement)
}

#[cfg(test)]
mod tests;
