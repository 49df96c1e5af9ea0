//! What a name in a query stands for: a table, a table at a revision, or what the history says.
//!
//! **Invariant:** only a table by its own name can be written.

use std::sync::Arc;

use gluesql_core::data::Value;
use prolly_core::Tree;
use prolly_version::{Catalog, CommitId, Error as VersionError, Head, TreeKey, resolve};

use super::Storage;
use crate::{
    Error, Result,
    history::{Generated, GeneratedName, TableVersion},
    key::encode_values,
    table::{Index, PrimaryKey, Table},
};

/// What can be read by a name.
#[derive(Clone)]
pub(super) enum Relation {
    /// A table as the transaction has it.
    Table(Arc<Table>),
    /// A table at a revision.
    At(Arc<Table>, Catalog),
    /// Rows that are made as they are read.
    Generated(Arc<Generated>),
}

impl Relation {
    /// The description. A generated one has no key and no indexes.
    pub(super) fn table(&self) -> &Arc<Table> {
        match self {
            Self::Table(table) | Self::At(table, _) => table,
            Self::Generated(generated) => generated.table(),
        }
    }
}

impl Storage {
    /// What a name stands for; `None` when for nothing.
    pub(super) fn relation(&self, name: &str) -> Result<Option<Relation>> {
        if let Some(table) = self.table(name)? {
            return Ok(Some(Relation::Table(table)));
        }
        if self.making.as_deref() == Some(name) || (self.is_dropping && !name.contains('@')) {
            return Ok(None);
        }
        if let Some(known) = self.relations.borrow().get(name) {
            return Ok(Some(known.clone()));
        }
        let relation = if let Some((table, revision)) = name.split_once('@') {
            let catalog = self.catalog_at(revision)?;
            Table::at(&catalog, table)?.map(|table| Relation::At(Arc::new(table), catalog))
        } else if let Some(parsed) = GeneratedName::parse(name)? {
            Some(Relation::Generated(Arc::new(self.generated(name, parsed)?)))
        } else {
            None
        };
        if let Some(relation) = &relation {
            self.relations.borrow_mut().insert(name.to_owned(), relation.clone());
        }
        Ok(relation)
    }

    /// What the name of a generated table asks for.
    fn generated(&self, name: &str, parsed: GeneratedName) -> Result<Generated> {
        Ok(match parsed {
            GeneratedName::Log { revision } => {
                let from = match revision {
                    Some(revision) => Some(self.resolve(&revision)?),
                    None => self.shown_commit(),
                };
                Generated::log(&self.store, from)
            }
            GeneratedName::Branches => Generated::branches(&self.store),
            GeneratedName::Conflicts { revision } => Generated::conflicts(name, &self.store, &revision),
            GeneratedName::Diff { table, from, to } => {
                let from = version_at(&self.catalog_at(&from)?, &table)?;
                let to = match to {
                    Some(to) => version_at(&self.catalog_at(&to)?, &table)?,
                    None => match self.table(&table)? {
                        Some(table) => {
                            let rows = self.txn.tree(&Table::tree_key(&table.name))?;
                            Some(TableVersion { table, rows })
                        }
                        None => None,
                    },
                };
                Generated::diff(name, from, to)?
            }
            GeneratedName::History { table, key } => {
                let table = self.known_table(&table)?;
                let key = self.key_from_values(name, &table, key)?;
                Generated::history(name, &self.store, self.shown_commit(), &table, key)
            }
        })
    }

    /// The key of the row with a primary key.
    fn key_from_values(&self, name: &str, table: &Table, values: Vec<Value>) -> Result<Vec<u8>> {
        let refused = |text: String| Error::Refused(format!("table {name:?}: {text}"));
        let columns = match (&table.key, &table.columns) {
            (PrimaryKey::Columns(key), Some(columns)) => key.iter().filter_map(|column| columns.get(*column)),
            _ => return Err(refused(format!("{:?} has no primary key", table.name))),
        };
        let columns: Vec<_> = columns.collect();
        if columns.len() != values.len() {
            return Err(refused(format!(
                "the primary key of {:?} has {} columns",
                table.name,
                columns.len()
            )));
        }
        let values = columns.iter().zip(values).map(|(column, value)| value.cast(&column.def.data_type));
        encode_values(&values.collect::<Result<Vec<_>, _>>()?)
    }

    /// The trees of a revision.
    fn catalog_at(&self, revision: &str) -> Result<Catalog> {
        Ok(self.store.snapshot(&self.resolve(revision)?)?.catalog().clone())
    }

    /// The commit that a revision names. `HEAD` is the one that the store stood on when the transaction began, other names are
    /// what they name now.
    fn resolve(&self, revision: &str) -> Result<CommitId> {
        let name = &revision[..revision.find(['~', '^']).unwrap_or(revision.len())];
        let id = match self.head_commit() {
            Some(head) => resolve(&**self.store.graph(), &Head::Detached(head), revision)?,
            None if name == "HEAD" || name == "@" => {
                let branch = match self.store.head() {
                    Head::Branch(branch) => branch,
                    Head::Detached(_) => name.to_owned(),
                };
                return Err(VersionError::UnbornBranch { branch }.into());
            }
            None => self.store.resolve(revision)?,
        };
        Ok(id)
    }

    /// The commit whose history the session shows; `None` on a branch without commits.
    pub(super) fn shown_commit(&self) -> Option<CommitId> {
        self.revision.or_else(|| self.head_commit())
    }

    /// The commit that the store stands on, for this transaction.
    fn head_commit(&self) -> Option<CommitId> {
        *self.head.get_or_init(|| self.txn.head_commit().unwrap_or_else(|| self.store.current_commit()))
    }

    /// The rows of a table; `None` where they are made as they are read.
    pub(super) fn relation_rows(&self, relation: &Relation) -> Result<Option<Tree>> {
        let rows = |table: &Table| Table::tree_key(&table.name);
        match relation {
            Relation::Table(table) => self.txn.tree(&rows(table)).map(Some),
            Relation::At(table, catalog) => tree_of(catalog, &rows(table)).map(Some),
            Relation::Generated(_) => Ok(None),
        }
    }

    /// The entries of an index of a table; `None` where rows are made as they are read.
    pub(super) fn relation_index(&self, relation: &Relation, index: &Index) -> Result<Option<Tree>> {
        match relation {
            Relation::Table(table) => self.txn.tree(&table.index_tree(index)).map(Some),
            Relation::At(table, catalog) => tree_of(catalog, &table.index_tree(index)).map(Some),
            Relation::Generated(_) => Ok(None),
        }
    }

    /// A table that can be written.
    ///
    /// # Errors
    /// [`Error::ReadOnly`] for another relation, and for a session on a revision.
    pub(super) fn writable_table(&self, name: &str) -> Result<Arc<Table>> {
        match self.relation(name)? {
            Some(Relation::Table(table)) if !self.txn.is_revision() => Ok(table),
            Some(_) => Err(Error::ReadOnly { what: format!("table {name:?}") }),
            None => self.known_table(name),
        }
    }
}

fn version_at(catalog: &Catalog, name: &str) -> Result<Option<TableVersion>> {
    let Some(table) = Table::at(catalog, name)? else { return Ok(None) };
    let rows = tree_of(catalog, &Table::tree_key(name))?;
    Ok(Some(TableVersion { table: Arc::new(table), rows }))
}

fn tree_of(catalog: &Catalog, tree: &TreeKey) -> Result<Tree> {
    let found = catalog.tree(tree)?;
    found.ok_or_else(|| VersionError::UnknownTree { tree: tree.clone() }.into())
}
