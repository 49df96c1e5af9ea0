//! Cuts a stream of entries of one level into nodes, by the boundary rule.

use crate::{
    Locator, Node, TreeConfig,
    boundary::{Fill, Rule, Verdict},
    node::{Child, NodeBuilder},
};

/// The entries of one level that are not yet in a node, and the state of the boundary rule over them.
///
/// After every push, [`Chunker::next_cut`] has to be called until it returns `None`. Entries may stay behind a cut: those
/// that were read ahead of a forced one.
pub(crate) struct Chunker {
    rule: Rule,
    pending: NodeBuilder,
    hashes: Vec<u64>,
    /// Entries of `pending` that `fill` counts.
    judged: usize,
    fill: Fill,
    /// The candidate with the smallest hash so far: its hash and the entries up to and including it.
    best: Option<(u64, usize)>,
}

impl Chunker {
    pub(crate) fn new(config: &TreeConfig, level: u8) -> Self {
        Self {
            rule: Rule::new(config, level),
            pending: NodeBuilder::new(level),
            hashes: Vec::new(),
            judged: 0,
            fill: Fill::default(),
            best: None,
        }
    }

    pub(crate) fn push_value(&mut self, key: &[u8], tagged: &[u8], locator: Locator) {
        self.pending.push_value(key, tagged, locator);
        self.hashes.push(self.rule.key_hash(key));
    }

    pub(crate) fn push_child(&mut self, key: &[u8], child: &Child) {
        self.pending.push_child(key, child);
        self.hashes.push(self.rule.key_hash(key));
    }

    /// Whether every entry is in a node.
    pub(crate) fn is_empty(&self) -> bool {
        self.pending.count() == 0
    }

    /// Forgets the entries that are in no node.
    pub(crate) fn clear(&mut self) {
        if !self.is_empty() {
            self.pending.discard();
            self.hashes.clear();
            self.restart();
        }
    }

    /// The next complete node, if there is one.
    pub(crate) fn next_cut(&mut self) -> Option<Node> {
        while self.judged < self.pending.count() {
            let before = self.fill;
            self.fill.add(self.pending.entry_bytes(self.judged));
            let hash = self.hashes[self.judged];
            self.judged += 1;
            let verdict = self.rule.judge(&before, &self.fill, hash);
            if verdict == Verdict::Inside {
                continue;
            }
            if self.best.is_none_or(|(smallest, _)| hash < smallest) {
                self.best = Some((hash, self.judged));
            }
            match (verdict, self.best) {
                (Verdict::Boundary, _) => return Some(self.cut(self.judged)),
                (Verdict::Full, Some((_, entries))) => return Some(self.cut(entries)),
                _ => {}
            }
        }
        None
    }

    /// The last node of the level: what no boundary ended.
    pub(crate) fn finish(&mut self) -> Option<Node> {
        (!self.is_empty()).then(|| self.cut(self.pending.count()))
    }

    fn cut(&mut self, entries: usize) -> Node {
        self.hashes.drain(..entries);
        self.restart();
        self.pending.take(entries)
    }

    fn restart(&mut self) {
        self.judged = 0;
        self.fill = Fill::default();
        self.best = None;
    }
}

/// Whether the rule ends `node` after its last entry whatever follows. Otherwise the cut was forced, and depends on
/// entries after it too.
pub(crate) fn ends_by_rule(config: &TreeConfig, node: &Node) -> bool {
    let rule = Rule::new(config, node.level());
    let (mut before, mut fill) = (Fill::default(), Fill::default());
    for index in 0..node.count() {
        before = fill;
        fill.add(node.entry_bytes(index));
    }
    let hash = node.last_key().map_or(0, |key| rule.key_hash(&key));
    rule.judge(&before, &fill, hash) == Verdict::Boundary
}
