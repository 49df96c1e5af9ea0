//! What the dictionary tables say beyond schemas: when tables were made, and the functions that users made.

use std::collections::BTreeMap;

use gluesql_core::{
    chrono::{DateTime, NaiveDateTime, Utc},
    data::{CustomFunction as Function, Value},
    error::Result as GlueResult,
    store::{CustomFunction, CustomFunctionMut, MetaIter, Metadata},
};
use prolly_version::{TreeKey, TreeKind};

use super::Storage;
use crate::{
    Error, Result, function,
    nesting::{FUNCTION_MAX, has_stack, with_stack},
    table::Table,
};

impl Metadata for Storage {
    fn scan_table_meta(&self) -> GlueResult<MetaIter> {
        let created = self.glue(self.created())?;
        let meta = created.into_iter().map(|(name, created)| {
            Ok((name, BTreeMap::from([("CREATED".to_owned(), Value::Timestamp(created))])))
        });
        Ok(Box::new(meta))
    }
}

impl CustomFunction for Storage {
    fn fetch_function<'a>(&'a self, func_name: &str) -> GlueResult<Option<&'a Function>> {
        self.glue(self.callable(func_name))
    }

    fn fetch_all_functions(&self) -> GlueResult<Vec<&Function>> {
        Ok(self.glue(self.functions())?.values().collect())
    }
}

impl CustomFunctionMut for Storage {
    fn insert_function(&mut self, func: Function) -> GlueResult<()> {
        let result = self.set_function(&func.func_name, Some(&func));
        self.glue(result)
    }

    fn delete_function(&mut self, func_name: &str) -> GlueResult<()> {
        let result = self.set_function(func_name, None);
        self.glue(result)
    }
}

impl Storage {
    /// When each table was made: with the oldest commit from which on every commit of the branch has it; now, when it is not
    /// committed yet. Costs O(commits), so only the dictionary asks for it.
    fn created(&self) -> Result<BTreeMap<String, NaiveDateTime>> {
        let mut left: Vec<_> = self.tables()?.iter().map(|table| table.name.clone()).collect();
        let mut created = BTreeMap::new();
        let mut child_time = Utc::now().naive_utc();
        let mut next = self.shown_commit();
        while let Some(id) = next.filter(|_| !left.is_empty()) {
            let snapshot = self.store.snapshot(&id)?;
            let mut still = Vec::with_capacity(left.len());
            for name in left {
                match snapshot.catalog().entry(&Table::tree_key(&name))? {
                    Some(_) => still.push(name),
                    None => drop(created.insert(name, child_time)),
                }
            }
            left = still;
            let commit = snapshot.commit();
            let seconds = commit.committer.seconds;
            child_time = DateTime::from_timestamp(seconds, 0)
                .ok_or_else(|| Error::Damaged {
                    what: format!("commit {id}"),
                    reason: format!("its time is {seconds}"),
                })?
                .naive_utc();
            next = commit.parents.first().copied();
        }
        created.extend(left.into_iter().map(|name| (name, child_time)));
        Ok(created)
    }

    /// A function that there is stack enough to call.
    fn callable(&self, name: &str) -> Result<Option<&Function>> {
        let Some(function) = self.functions()?.get(&name.to_uppercase()) else { return Ok(None) };
        if !self.grows_stack || has_stack(FUNCTION_MAX) {
            return Ok(Some(function));
        }
        self.levels_wanted.set(Some(FUNCTION_MAX * function::DEPTH_MAX));
        Err(Error::Refused(format!("function {name} needs a larger stack")))
    }

    /// The functions by their names in capitals.
    fn functions(&self) -> Result<&BTreeMap<String, Function>> {
        if let Some(functions) = self.functions.get() {
            return Ok(functions);
        }
        let functions = with_stack(FUNCTION_MAX, || self.read_functions())?;
        Ok(self.functions.get_or_init(|| functions))
    }

    fn read_functions(&self) -> Result<BTreeMap<String, Function>> {
        let mut functions = BTreeMap::new();
        if self.txn.metadata(&functions_tree())?.is_some() {
            let mut entries = self.txn.tree(&functions_tree())?.range::<&[u8]>(..)?;
            while let Some((name, encoded)) = entries.next_pair()? {
                let name = String::from_utf8(name).map_err(|_| Error::Damaged {
                    what: "a function".to_owned(),
                    reason: "its name is no text".to_owned(),
                })?;
                let function = function::decode(&name, &encoded)?;
                functions.insert(name, function);
            }
        }
        Ok(functions)
    }

    /// Checks a call of a function that a user made.
    pub(super) fn check_function(&self, name: &str) -> Result<()> {
        function::check_calls(self.functions()?, &name.to_uppercase())
    }

    fn set_function(&mut self, name: &str, function: Option<&Function>) -> Result<()> {
        let (tree, key) = (functions_tree(), name.to_uppercase().into_bytes());
        let is_there = self.txn.metadata(&tree)?.is_some();
        match function {
            Some(new) => {
                function::check_length(new)?;
                let mut functions = self.functions()?.clone();
                functions.insert(name.to_uppercase(), new.clone());
                function::check_calls(&functions, &name.to_uppercase())?;
                if !is_there {
                    self.txn.create(&tree, Vec::new())?;
                }
                self.txn.put(&tree, key, function::encode(new)?)?;
            }
            None if is_there => self.txn.delete(&tree, key)?,
            None => {}
        }
        self.functions.take();
        Ok(())
    }
}

/// The tree that has the functions.
fn functions_tree() -> TreeKey {
    TreeKey::new(TreeKind::FUNCTIONS, "functions")
}
