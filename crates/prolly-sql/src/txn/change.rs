//! Changing trees in a transaction, and taking changes back to a savepoint.

use std::cell::RefCell;

use prolly_core::MAX_KEY_BYTES;
use prolly_version::TreeKey;

use super::{Changed, Origin, Savepoint, Shape, Txn, Undo, edit, unknown};
use crate::{Error, Result};

impl Txn {
    /// Sets the value of a key of a tree that exists.
    pub(crate) fn put(&mut self, tree: &TreeKey, key: Vec<u8>, value: Vec<u8>) -> Result<()> {
        self.edit(tree, key, Some(value))
    }

    /// Removes a key of a tree that exists.
    pub(crate) fn delete(&mut self, tree: &TreeKey, key: Vec<u8>) -> Result<()> {
        self.edit(tree, key, None)
    }

    fn edit(&mut self, tree: &TreeKey, key: Vec<u8>, value: Option<Vec<u8>>) -> Result<()> {
        if key.len() > MAX_KEY_BYTES {
            return Err(prolly_core::Error::KeyTooLong { len: key.len(), max: MAX_KEY_BYTES }.into());
        }
        let has_savepoint = self.savepoint.is_some();
        let changed = self.change(tree)?;
        if let Some(whole) = changed.whole.get_mut() {
            edit(whole, &key, value.as_deref())?;
        }
        if has_savepoint {
            let before = changed.edits.insert(key.clone(), value);
            self.note(Undo::Edit { tree: tree.clone(), key, before });
        } else {
            changed.edits.insert(key, value);
        }
        Ok(())
    }

    /// Makes an empty tree, where there is none of this name.
    pub(crate) fn create(&mut self, tree: &TreeKey, metadata: Vec<u8>) -> Result<()> {
        self.check_writable(tree)?;
        let made = Changed { metadata: Some(metadata.clone()), ..Changed::default() };
        let before = self.changed.insert(tree.clone(), Some(Box::new(made)));
        self.note(Undo::Tree { tree: tree.clone(), before });
        self.shape(Shape::Create(tree.clone(), metadata));
        Ok(())
    }

    /// Removes a tree that exists.
    pub(crate) fn drop_tree(&mut self, tree: &TreeKey) -> Result<()> {
        self.check_writable(tree)?;
        let before = self.changed.insert(tree.clone(), None);
        self.note(Undo::Tree { tree: tree.clone(), before });
        self.shape(Shape::Drop(tree.clone()));
        Ok(())
    }

    /// Gives a tree that exists a name that no tree has.
    pub(crate) fn rename(&mut self, from: &TreeKey, to: &TreeKey) -> Result<()> {
        let moved = std::mem::take(self.change(from)?);
        let back = || Changed {
            from: moved.from.clone(),
            metadata: moved.metadata.clone(),
            edits: moved.edits.clone(),
            whole: RefCell::default(),
        };
        if self.savepoint.is_some() {
            let back = back();
            self.note(Undo::Tree { tree: from.clone(), before: Some(Some(Box::new(back))) });
        }
        self.changed.insert(from.clone(), None);
        let before = self.changed.insert(to.clone(), Some(Box::new(moved)));
        self.note(Undo::Tree { tree: to.clone(), before });
        self.shape(Shape::Rename(from.clone(), to.clone()));
        Ok(())
    }

    /// Sets the metadata of a tree that exists.
    pub(crate) fn set_metadata(&mut self, tree: &TreeKey, metadata: Vec<u8>) -> Result<()> {
        let before = self.change(tree)?.metadata.replace(metadata.clone());
        self.note(Undo::Metadata { tree: tree.clone(), before });
        self.shape(Shape::Metadata(tree.clone(), metadata));
        Ok(())
    }

    /// Starts to note what changes replace.
    pub(crate) fn savepoint(&mut self) {
        self.savepoint = Some(Savepoint { undo: Vec::new(), expected: self.expected.get_mut().len() });
    }

    /// Forgets the savepoint: the changes since stay.
    pub(crate) fn release(&mut self) {
        self.savepoint = None;
    }

    /// Takes the changes since the savepoint back, and what was expected since.
    pub(crate) fn roll_back_to_savepoint(&mut self) {
        let Some(Savepoint { undo, expected }) = self.savepoint.take() else { return };
        self.expected.get_mut().truncate(expected);
        for undo in undo.into_iter().rev() {
            match undo {
                Undo::Edit { tree, key, before } => {
                    if let Some(Some(changed)) = self.changed.get_mut(&tree) {
                        match before {
                            Some(before) => changed.edits.insert(key, before),
                            None => changed.edits.remove(&key),
                        };
                        *changed.whole.get_mut() = None;
                    }
                }
                Undo::Metadata { tree, before } => {
                    if let Some(Some(changed)) = self.changed.get_mut(&tree) {
                        changed.metadata = before;
                    }
                }
                Undo::Tree { tree, before } => {
                    match before {
                        Some(before) => self.changed.insert(tree, before),
                        None => self.changed.remove(&tree),
                    };
                }
                Undo::Shape => {
                    self.shapes.pop();
                }
            }
        }
    }

    fn note(&mut self, undo: Undo) {
        if let Some(savepoint) = &mut self.savepoint {
            savepoint.undo.push(undo);
        }
    }

    fn shape(&mut self, shape: Shape) {
        self.shapes.push(shape);
        self.note(Undo::Shape);
    }

    fn check_writable(&self, tree: &TreeKey) -> Result<()> {
        match &self.origin {
            Origin::Revision { name, .. } => {
                let table = String::from_utf8_lossy(tree.name());
                Err(Error::ReadOnly { what: format!("{table} at {name}") })
            }
            Origin::Live { .. } | Origin::Snapshot { .. } => Ok(()),
        }
    }

    /// A tree that exists, to change it.
    fn change(&mut self, tree: &TreeKey) -> Result<&mut Changed> {
        self.check_writable(tree)?;
        if !self.changed.contains_key(tree) {
            let made = Changed { from: Some(tree.clone()), ..Changed::default() };
            self.changed.insert(tree.clone(), Some(Box::new(made)));
            self.note(Undo::Tree { tree: tree.clone(), before: None });
        }
        self.changed.get_mut(tree).and_then(Option::as_deref_mut).ok_or_else(|| unknown(tree))
    }
}
