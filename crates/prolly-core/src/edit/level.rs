//! Applies sorted edits to one level of a tree, re-chunking only what they touch.
//!
//! A *run* starts at the node that holds the next edit and goes on until a boundary of the new level coincides with one
//! of the old. It starts further left when the boundary before it was forced, because such a cut depends on what follows.
//!
//! **Invariant:** the level that results is the one that chunking all of its entries from the first would give.

use std::{
    cmp::Ordering,
    sync::{Arc, Weak},
};

use super::{
    Change, Child, Edits,
    chunker::{Chunker, ends_by_rule},
};
use crate::{Hash, HashedMap, Locator, Node, NodeWriter, Result, Tree, tree::LevelCursor};

/// What the level above has to do: for every node gone or made, its last key, and the node if it was made.
pub(crate) type ParentEdits = Vec<(Vec<u8>, Option<Child>)>;

/// Applies `edits` to `level` of `tree` and returns the edits of the level above.
pub(crate) fn rewrite(
    tree: &Tree,
    level: u8,
    edits: &mut dyn Edits,
    writer: &dyn NodeWriter,
) -> Result<ParentEdits> {
    let mut pass = Pass {
        tree,
        cursor: LevelCursor::new(tree, level),
        chunker: Chunker::new(tree.config(), level),
        writer,
        run: Run::default(),
        synced: None,
        above: Vec::new(),
    };
    while let Some(edit) = edits.peek() {
        pass.cursor.seek(edit.key)?;
        pass.walk_left()?;
        pass.run(edits)?;
        pass.end_run()?;
    }
    Ok(pass.above)
}

struct Pass<'a> {
    tree: &'a Tree,
    cursor: LevelCursor<'a>,
    chunker: Chunker,
    writer: &'a dyn NodeWriter,
    run: Run,
    /// Last key of the old node at whose end the last run met the old level again.
    synced: Option<Vec<u8>>,
    above: ParentEdits,
}

#[derive(Default)]
struct Run {
    /// Old nodes read, in order, with their last keys.
    old: Vec<(Vec<u8>, Hash)>,
    /// Nodes made, in order, with their last keys.
    new: Vec<(Vec<u8>, Child)>,
    /// Old nodes whose last key is below that of the last node made.
    passed: usize,
    /// The greatest key an edit was applied to; every run has at least one.
    last_edit: Vec<u8>,
    /// Whether the last of the old nodes is the last of its level.
    at_end: bool,
    /// Set when a boundary met an old one: the number of old nodes that the new ones replace.
    met: Option<usize>,
}

impl Pass<'_> {
    /// Moves to the first node of the run: left, over boundaries that the edit may move.
    fn walk_left(&mut self) -> Result<()> {
        while let Some(before) = self.cursor.peek_previous()? {
            if self.synced.as_deref() == before.last_key().as_deref()
                || ends_by_rule(self.tree.config(), &before)
            {
                break;
            }
            self.cursor.previous()?;
        }
        Ok(())
    }

    fn run(&mut self, edits: &mut dyn Edits) -> Result<()> {
        while let Some(old) = self.cursor.node() {
            self.run.at_end = self.cursor.is_last();
            self.run.old.push((old.last_key().unwrap_or_default(), *old.hash()));
            self.merge_node(&old, edits)?;
            if self.run.met.is_some() {
                return Ok(());
            }
            self.cursor.next()?;
        }
        // Behind the last node: what is left of the edits, and the open end.
        while let Some(edit) = edits.peek() {
            edit.key.clone_into(&mut self.run.last_edit);
            push(&mut self.chunker, edit.key, &edit.change);
            edits.advance()?;
            self.take_cuts()?;
        }
        if let Some(last) = self.chunker.finish() {
            self.emit(last)?;
        }
        Ok(())
    }

    /// Feeds the entries of an old node and the edits among them to the chunker, until a boundary meets an old one.
    fn merge_node(&mut self, old: &Arc<Node>, edits: &mut dyn Edits) -> Result<()> {
        let mut key = Vec::new();
        for index in 0..old.count() {
            old.read_key(index, &mut key);
            let mut replaced = false;
            while let Some(edit) = edits.peek() {
                let order = edit.key.cmp(&key);
                if order == Ordering::Greater {
                    break;
                }
                replaced |= order == Ordering::Equal;
                edit.key.clone_into(&mut self.run.last_edit);
                push(&mut self.chunker, edit.key, &edit.change);
                edits.advance()?;
                self.take_cuts()?;
                if self.run.met.is_some() {
                    // A put of the node's last key ended at it: nothing of this node is left.
                    debug_assert!(replaced && index + 1 == old.count());
                    return Ok(());
                }
            }
            if replaced {
                continue;
            }
            push_old(&mut self.chunker, old, index, &key);
            self.take_cuts()?;
            if self.run.met.is_some() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn take_cuts(&mut self) -> Result<()> {
        while let Some(node) = self.chunker.next_cut() {
            self.emit(node)?;
            if self.meets_old() {
                self.chunker.clear();
                break;
            }
        }
        Ok(())
    }

    fn emit(&mut self, node: Node) -> Result<()> {
        self.run.new.push(write(self.writer, node)?);
        Ok(())
    }

    /// Whether the last node made ends where an old one does, with no edit applied behind it: the old level is the same
    /// from there to the next edit. The end of the level is no such place, for edits may follow it.
    fn meets_old(&mut self) -> bool {
        let run = &mut self.run;
        let Some((end, _)) = run.new.last() else { return false };
        while run.old.get(run.passed).is_some_and(|(key, _)| key < end) {
            run.passed += 1;
        }
        let meets = run.old.get(run.passed).is_some_and(|(key, _)| key == end)
            && !(run.at_end && run.passed + 1 == run.old.len())
            && run.last_edit <= *end;
        if meets {
            run.met = Some(run.passed + 1);
        }
        meets
    }

    /// Tells the level above what the run changed, and the writer which nodes are gone.
    fn end_run(&mut self) -> Result<()> {
        let mut run = std::mem::take(&mut self.run);
        if let Some(replaced) = run.met {
            run.old.truncate(replaced);
        }
        self.synced = run.old.last().map(|(key, _)| key.clone());
        let made: HashedMap<()> = run.new.iter().map(|(_, child)| (child.link.hash, ())).collect();
        for (_, hash) in run.old.iter().filter(|(_, hash)| !made.contains_key(hash)) {
            self.writer.forget_node(hash)?;
        }
        let old = run.old.iter().map(|(_, hash)| hash);
        let new = run.new.iter().map(|(_, child)| &child.link.hash);
        let front = old.clone().zip(new.clone()).take_while(|(old, new)| old == new).count();
        let rest = old.skip(front).rev().zip(new.skip(front).rev());
        let back = rest.take_while(|(old, new)| old == new).count();
        run.old.truncate(run.old.len() - back);
        run.new.truncate(run.new.len() - back);

        let mut new = run.new.into_iter().skip(front).peekable();
        for (key, _) in run.old.into_iter().skip(front) {
            while let Some((new_key, node)) = new.next_if(|(new_key, _)| *new_key < key) {
                self.above.push((new_key, Some(node)));
            }
            match new.next_if(|(new_key, _)| *new_key == key) {
                Some((_, node)) => self.above.push((key, Some(node))),
                None => self.above.push((key, None)),
            }
        }
        self.above.extend(new.map(|(key, node)| (key, Some(node))));
        Ok(())
    }
}

fn push(chunker: &mut Chunker, key: &[u8], change: &Change<'_>) {
    match change {
        Change::Remove => {}
        Change::Value(tagged, locator) => chunker.push_value(key, tagged, *locator),
        Change::Child(child) => chunker.push_child(key, child),
    }
}

fn push_old(chunker: &mut Chunker, old: &Node, index: usize, key: &[u8]) {
    if old.is_leaf() {
        let locator = old.value_link(index).map_or(Locator::NONE, |link| link.locator);
        chunker.push_value(key, old.tagged_value(index), locator);
    } else {
        let (link, len) = (old.child(index), old.child_len(index));
        // To copy the pointer would count a reference to each sibling, all over the memory: it is found again when it is read.
        chunker.push_child(key, &Child { link, len, decoded: Weak::new() });
    }
}

/// Hands a node over and keeps what its parent needs.
pub(super) fn write(writer: &dyn NodeWriter, node: Node) -> Result<(Vec<u8>, Child)> {
    let node = Arc::new(node);
    let child = Child { link: node.link(), len: node.len(), decoded: Arc::downgrade(&node) };
    let key = node.last_key().unwrap_or_default();
    writer.write_node(node)?;
    Ok((key, child))
}
