//! Which rows a statement needs: a pass over GlueSQL's plans that names them in the tables' names.
//!
//! GlueSQL reads whole tables except where a plan says `pk = constant`, or compares an indexed column. This pass runs after its
//! planners and finds more: ranges of keys and of indexes, rows in the order of a key, counts and extremes without rows, joins and
//! correlated queries by key, and constraints that an index can check. Where several ways are open it counts what each would read,
//! which costs O(log n), and takes the cheapest.
//!
//! **Invariant:** a statement means the same with the pass and without, but for what [`like`] says, the order of rows that no
//! `ORDER BY` gives, and errors that rows would have raised which are no longer read.

use std::sync::Arc;

use gluesql_core::plan::{SourcePlan, StatementPlan};

use crate::{Result, table::Table};

mod access;
mod condition;
mod constant;
pub(crate) mod hint;
mod like;
mod lookup;
mod order;
pub(crate) mod ranges;
mod scope;
mod select;
mod summary;
mod walk;
mod write;

use hint::Access;
use select::Pass;

/// What the pass has to know of tables.
pub(crate) trait Tables {
    /// A table by its name; `None` when there is none of this name that has rows of its own.
    fn table(&self, name: &str) -> Result<Option<Arc<Table>>>;

    /// How many rows of a table an access reads. O(log n) for each of its ranges.
    fn rows(&self, name: &str, access: &Access) -> Result<u64>;
}

/// Rewrites a plan that GlueSQL's planners have made.
///
/// # Errors
/// When a table cannot be read.
pub(crate) fn plan(tables: &dyn Tables, mut statement: StatementPlan) -> Result<StatementPlan> {
    let mut pass = Pass::new(tables);
    match &mut statement {
        StatementPlan::Query(query) => pass.query(query)?,
        StatementPlan::Insert { table_name, source, .. } => pass.insert(table_name, source)?,
        StatementPlan::Update { table_name, assignments, selection } => {
            pass.update(table_name, assignments, selection.as_mut())?;
        }
        StatementPlan::Delete { table_name, selection } => pass.delete(table_name, selection.as_mut())?,
        StatementPlan::CreateTable { source: Some(source), .. } => pass.query(source)?,
        _ => {}
    }
    Ok(statement)
}

/// Refuses a statement with a name that would be read as one with a hint. To be called before anything looks a name up.
///
/// # Errors
/// When there is one, naming it.
pub(crate) fn refuse_hints(statement: &mut StatementPlan) -> Result<()> {
    match statement {
        StatementPlan::ShowColumns { table_name }
        | StatementPlan::CreateIndex { table_name, .. }
        | StatementPlan::DropIndex { table_name, .. }
        | StatementPlan::ShowIndexes(table_name) => hint::refuse(table_name),
        StatementPlan::AlterTable { name, operation } => {
            hint::refuse(name)?;
            match operation {
                gluesql_core::plan::AlterTableOperationPlan::RenameTable { table_name } => {
                    hint::refuse(table_name)
                }
                _ => Ok(()),
            }
        }
        StatementPlan::DropTable { names, .. } => names.iter().try_for_each(|name| hint::refuse(name)),
        StatementPlan::Query(query) => walk::sources(query, &mut refuse_source),
        StatementPlan::CreateTable { name, source, foreign_keys, .. } => {
            hint::refuse(name)?;
            foreign_keys.iter().try_for_each(|key| hint::refuse(&key.referenced_table_name))?;
            source.iter_mut().try_for_each(|query| walk::sources(query, &mut refuse_source))
        }
        StatementPlan::Insert { table_name, source, .. } => {
            hint::refuse(table_name)?;
            walk::sources(source, &mut refuse_source)
        }
        StatementPlan::Update { table_name, assignments, selection } => {
            hint::refuse(table_name)?;
            let values = assignments.iter_mut().map(|assignment| &mut assignment.value);
            values.chain(selection).try_for_each(|expr| walk::sources_of_expr(expr, &mut refuse_source))
        }
        StatementPlan::Delete { table_name, selection } => {
            hint::refuse(table_name)?;
            selection.iter_mut().try_for_each(|expr| walk::sources_of_expr(expr, &mut refuse_source))
        }
        StatementPlan::CreateFunction { .. }
        | StatementPlan::DropFunction { .. }
        | StatementPlan::StartTransaction
        | StatementPlan::Commit
        | StatementPlan::Rollback
        | StatementPlan::ShowVariable(_) => Ok(()),
    }
}

fn refuse_source(source: &mut SourcePlan) -> Result<()> {
    match source {
        SourcePlan::Table(table) => hint::refuse(&table.name),
        SourcePlan::Derived(_) | SourcePlan::Series(_) | SourcePlan::Dictionary(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
