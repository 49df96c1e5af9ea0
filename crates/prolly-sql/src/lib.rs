//! SQL over a versioned store: tables and indexes are trees in the store's catalog, so they are committed, branched, diffed
//! and merged with everything else in it.
//!
//! The parser and the executor are GlueSQL's. What is here is how rows lie in trees, which rows a statement has to touch,
//! and what versions mean for rows.

mod alteration;
mod bind;
mod connection;
mod error;
pub mod export;
pub mod fragment;
mod function;
mod history;
pub mod import;
mod key;
mod merge;
mod nesting;
mod panics;
mod plan;
mod row;
mod schema;
mod statement;
mod storage;
mod table;
mod temporal;
#[cfg(test)]
mod testing;
mod txn;

pub use connection::{Connection, Database};
pub use error::{Error, Result};
pub use gluesql_core::{
    ast::DataType,
    chrono,
    data::{Interval, Point, Value},
    executor::{Payload, PayloadVariable},
};
pub use merge::{NamedRow, RowConflict, register_merging};
pub use rust_decimal::Decimal;
pub use storage::ColumnInfo;
#[doc(hidden)]
pub use storage::Storage;
