//! Random programs of edits, commits, branches, checkouts, merges, reverts and resets, against plain maps.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use prolly_core::{NodeBuffer, SortedEdits, Tree, TreeConfig, Value};
use prolly_version::{
    BackendKind, ChangeKind, CommitId, Error, KeyInTree, MergeOptions, MergeStrategy, Options, ResetMode,
    Store, TreeKey, merge_bases,
};
use proptest::prelude::*;

use crate::support::{Shared, entries, options};

type Contents = BTreeMap<(TreeKey, Vec<u8>), Vec<u8>>;

#[derive(Clone, Debug)]
enum Step {
    Insert(u8, u8, u8),
    Delete(u8, u8),
    Commit,
    Branch,
    Checkout(prop::sample::Index, bool),
    Merge(prop::sample::Index, u8),
    Revert(u8),
    Reset(u8, bool),
    Detach(prop::sample::Index),
    Reopen,
    Collect,
}

fn steps(len: usize) -> impl Strategy<Value = Vec<Step>> {
    let index = any::<prop::sample::Index>;
    let step = prop_oneof![
        12 => (0..2_u8, 0..40_u8, 0..4_u8).prop_map(|(tree, key, value)| Step::Insert(tree, key, value)),
        4 => (0..2_u8, 0..40_u8).prop_map(|(tree, key)| Step::Delete(tree, key)),
        5 => Just(Step::Commit),
        2 => Just(Step::Branch),
        4 => (index(), any::<bool>()).prop_map(|(branch, discard)| Step::Checkout(branch, discard)),
        4 => (index(), 0..3_u8).prop_map(|(branch, strategy)| Step::Merge(branch, strategy)),
        1 => (0..3_u8).prop_map(Step::Revert),
        1 => (0..3_u8, any::<bool>()).prop_map(|(back, hard)| Step::Reset(back, hard)),
        1 => index().prop_map(Step::Detach),
        1 => Just(Step::Reopen),
        1 => Just(Step::Collect),
    ];
    prop::collection::vec(step, 1..len)
}

fn config() -> TreeConfig {
    TreeConfig { externalize_threshold: Some(3), ..TreeConfig::with_targets(4, 4) }
}

fn trees() -> [TreeKey; 2] {
    [TreeKey::default_map(), TreeKey::map("other")]
}

/// Values of several lengths, long ones stored as blobs.
fn value(number: u8) -> Vec<u8> {
    vec![b'0' + number; usize::from(number) * 2]
}

struct Model<'a> {
    open: &'a dyn Fn() -> Store,
    store: Option<Store>,
    commits: HashMap<CommitId, Contents>,
    branches: BTreeMap<String, CommitId>,
    branch: Option<String>,
    base: CommitId,
    working: Contents,
}

impl<'a> Model<'a> {
    fn new(open: &'a dyn Fn() -> Store) -> Self {
        let store = open();
        store.create_tree(&trees()[1], config(), b"").unwrap();
        let base = store.commit("trees").unwrap();
        Self {
            open,
            store: Some(store),
            commits: HashMap::from([(base, Contents::new())]),
            branches: BTreeMap::from([("main".to_owned(), base)]),
            branch: Some("main".to_owned()),
            base,
            working: Contents::new(),
        }
    }

    fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    fn base_contents(&self) -> &Contents {
        &self.commits[&self.base]
    }

    fn branch_at(&self, index: prop::sample::Index) -> String {
        index.get(&self.branches.keys().cloned().collect::<Vec<_>>()).clone()
    }

    fn moved(&mut self, id: CommitId) {
        self.base = id;
        if let Some(branch) = &self.branch {
            self.branches.insert(branch.clone(), id);
        }
    }

    /// What is left of the staged changes on other contents, or the keys in the way.
    fn carry(&self, onto: &Contents) -> Result<Contents, BTreeSet<KeyInTree>> {
        let base = self.base_contents();
        let mut carried = onto.clone();
        let mut conflicts = BTreeSet::new();
        for key in base.keys().chain(self.working.keys()) {
            let (was, is, there) = (base.get(key), self.working.get(key), onto.get(key));
            if was == is {
                continue;
            }
            if there != was && there != is {
                conflicts.insert(KeyInTree { tree: key.0.clone(), key: Some(key.1.clone()) });
            }
            match is {
                Some(value) => carried.insert(key.clone(), value.clone()),
                None => carried.remove(key),
            };
        }
        if conflicts.is_empty() { Ok(carried) } else { Err(conflicts) }
    }

    /// The virtual base of several commits, which the store merges in the same order.
    fn virtual_base(&self, commits: &[CommitId]) -> Contents {
        let mut merged = self.commits[&commits[0]].clone();
        for (index, next) in commits.iter().enumerate().skip(1) {
            let mut bases: Vec<CommitId> = Vec::new();
            for one in &commits[..index] {
                for base in merge_bases(&**self.store().graph(), one, next).unwrap() {
                    if !bases.contains(&base) {
                        bases.push(base);
                    }
                }
            }
            let all = bases.clone();
            bases.retain(|one| {
                !all.iter().any(|other| {
                    other != one && prolly_version::is_ancestor(&**self.store().graph(), one, other).unwrap()
                })
            });
            let base = self.virtual_base(&bases);
            merged = merge3(&base, &merged, &self.commits[next], Side::Base).unwrap();
        }
        merged
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Insert(tree, key, number) => {
                let (tree, key, value) = (trees()[usize::from(*tree)].clone(), vec![*key], value(*number));
                self.store().insert(&tree, &key, &value).unwrap();
                self.working.insert((tree, key), value);
            }
            Step::Delete(tree, key) => {
                let (tree, key) = (trees()[usize::from(*tree)].clone(), vec![*key]);
                let existed = self.store().delete(&tree, &key).unwrap();
                assert_eq!(existed, self.working.remove(&(tree, key)).is_some());
            }
            Step::Commit => {
                let id = self.store().commit("commit").unwrap();
                assert_eq!(self.store().read_commit(&id).unwrap().unwrap().parents, [self.base]);
                self.commits.insert(id, self.working.clone());
                self.moved(id);
            }
            Step::Branch => {
                let name = format!("b{}", self.branches.len());
                self.store().create_branch(&name, None).unwrap();
                self.branches.insert(name.clone(), self.base);
                self.branch = Some(name);
            }
            Step::Checkout(branch, discard) => {
                let branch = self.branch_at(*branch);
                let id = self.branches[&branch];
                self.check_out(&branch, id, Some(branch.clone()), *discard);
            }
            Step::Detach(branch) => {
                let id = self.branches[&self.branch_at(*branch)];
                self.check_out(&id.to_string(), id, None, false);
            }
            Step::Merge(branch, strategy) => self.merge(&self.branch_at(*branch), *strategy),
            Step::Revert(back) => self.revert(*back),
            Step::Reset(back, hard) => self.reset(*back, *hard),
            Step::Reopen => {
                self.store = None;
                self.store = Some((self.open)());
            }
            Step::Collect => {
                self.store().collect_garbage().unwrap();
            }
        }
    }

    fn check_out(&mut self, target: &str, id: CommitId, branch: Option<String>, discard: bool) {
        let onto = self.commits[&id].clone();
        let carried = if discard { Ok(onto) } else { self.carry(&onto) };
        match (self.store().checkout(target, discard), carried) {
            (Ok(()), Ok(carried)) => {
                self.working = carried;
                self.branch = branch;
                self.base = id;
            }
            (Err(Error::StagedConflict { keys, .. }), Err(expected)) => {
                assert_eq!(keys.into_iter().collect::<BTreeSet<_>>(), expected);
            }
            (found, expected) => panic!("checkout of {target} gave {found:?}, not {expected:?}"),
        }
    }

    fn merge(&mut self, branch: &str, strategy: u8) {
        let theirs = self.branches[branch];
        let bases = merge_bases(&**self.store().graph(), &self.base, &theirs).unwrap();
        let (side, strategy) = match strategy {
            0 => (Side::None, MergeStrategy::Refuse),
            1 => (Side::Theirs, MergeStrategy::TakeSource),
            _ => (Side::Ours, MergeStrategy::TakeDestination),
        };
        let merged = merge3(&self.virtual_base(&bases), self.base_contents(), &self.commits[&theirs], side);
        let outcome = self.store().merge(branch, MergeOptions { strategy, ..MergeOptions::default() });
        if self.branch.as_deref() == Some(branch) {
            assert!(matches!(outcome, Err(Error::MergeIntoItself { revision }) if revision == branch));
            return;
        }
        if bases == [theirs] {
            assert_eq!(outcome.unwrap(), self.base, "merged already");
            return;
        }
        match (outcome, merged) {
            (Ok(id), Ok(merged)) => {
                assert_eq!(self.store().read_commit(&id).unwrap().unwrap().parents, [self.base, theirs]);
                self.commit_merged(id, merged);
            }
            (Err(Error::MergeConflicts { conflicts }), Err(expected)) => {
                let keys = conflicts.into_iter().map(|conflict| (conflict.tree, conflict.key.unwrap()));
                assert_eq!(keys.collect::<BTreeSet<_>>(), expected);
            }
            (Err(Error::StagedConflict { keys, .. }), Ok(merged)) => {
                assert_eq!(keys.into_iter().collect::<BTreeSet<_>>(), self.carry(&merged).unwrap_err());
            }
            (found, expected) => panic!("merging {branch} gave {found:?}, not {expected:?}"),
        }
    }

    fn revert(&mut self, back: u8) {
        let revision = format!("HEAD~{back}");
        let Ok(id) = self.store().resolve(&revision) else { return };
        let commit = self.store().read_commit(&id).unwrap().unwrap();
        let known = commit.parents.first().filter(|parent| self.commits.contains_key(parent));
        let Some(parent) = known else { return };
        let merged =
            merge3(&self.commits[&id], self.base_contents(), &self.commits[parent], Side::Ours).unwrap();
        match self.store().revert(&revision, Some(1), None, MergeStrategy::TakeDestination) {
            Ok(id) => self.commit_merged(id, merged),
            Err(Error::StagedConflict { keys, .. }) => {
                assert_eq!(keys.into_iter().collect::<BTreeSet<_>>(), self.carry(&merged).unwrap_err());
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn commit_merged(&mut self, id: CommitId, merged: Contents) {
        self.working = self.carry(&merged).unwrap();
        self.commits.insert(id, merged);
        self.moved(id);
    }

    fn reset(&mut self, back: u8, hard: bool) {
        let revision = format!("HEAD~{back}");
        let Ok(id) = self.store().resolve(&revision) else { return };
        if !self.commits.contains_key(&id) {
            return;
        }
        let mode = if hard { ResetMode::Hard } else { ResetMode::Soft };
        assert_eq!(self.store().reset(&revision, mode).unwrap(), id);
        self.moved(id);
        if hard {
            self.working = self.commits[&id].clone();
        }
    }

    fn check(&self) {
        let store = self.store();
        assert_eq!(store.current_branch(), self.branch);
        assert_eq!(store.current_commit(), Some(self.base));
        for tree in trees() {
            let expected = of_tree(&self.working, &tree);
            assert_eq!(entries(store, &tree), expected, "{tree}");
            assert_eq!(store.tree(&tree).unwrap().root_hash(), built(&expected).root_hash(), "{tree}");
        }
        let base = self.base_contents();
        let keys: BTreeSet<_> = base.keys().chain(self.working.keys()).collect();
        let expected: Vec<_> = keys
            .into_iter()
            .filter(|key| base.get(key) != self.working.get(key))
            .map(|key| (key.clone(), (base.contains_key(key), self.working.contains_key(key))))
            .collect();
        let found: Vec<_> = store
            .status()
            .unwrap()
            .map(|change| change.unwrap())
            .map(|change| {
                let presence = match change.kind {
                    ChangeKind::Added => (false, true),
                    ChangeKind::Modified => (true, true),
                    ChangeKind::Deleted => (true, false),
                };
                ((change.tree, change.key), presence)
            })
            .collect();
        assert_eq!(found, expected);
    }

    fn check_commits(&self) {
        let found: BTreeMap<_, _> = self.store().branches().unwrap().into_iter().collect();
        assert_eq!(found, self.branches);
        for (branch, id) in &self.branches {
            let snapshot = self.store().at(branch).unwrap();
            for tree in trees() {
                let tree_found = snapshot.tree(&tree).unwrap();
                let expected = of_tree(&self.commits[id], &tree);
                assert_eq!(tree_found.root_hash(), built(&expected).root_hash());
                let mut range = tree_found.range::<&[u8]>(..).unwrap();
                let pairs: Vec<_> = std::iter::from_fn(|| range.next_pair().unwrap()).collect();
                assert_eq!(pairs, expected);
            }
            self.check_history(branch);
        }
    }

    /// Compares the history of a few keys with one that looks at every commit as a whole.
    fn check_history(&self, branch: &str) {
        let store = self.store();
        for key in [0_u8, 7] {
            let tree = &trees()[usize::from(key % 2)];
            let holds = |id: &CommitId| {
                self.commits.get(id).and_then(|contents| contents.get(&(tree.clone(), vec![key])))
            };
            let expected: Vec<_> = store
                .log(Some(branch))
                .unwrap()
                .map(|commit| commit.unwrap())
                .filter(|commit| match &commit.parents[..] {
                    [] => holds(&commit.id).is_some(),
                    parents => parents.iter().all(|parent| holds(parent) != holds(&commit.id)),
                })
                .map(|commit| commit.id)
                .collect();
            let found: Vec<_> =
                store.history(tree, &[key], Some(branch)).unwrap().map(|commit| commit.unwrap().id).collect();
            assert_eq!(found, expected);
        }
    }
}

#[derive(Clone, Copy)]
enum Side {
    None,
    Base,
    Ours,
    Theirs,
}

/// A naive three-way merge, or the keys in conflict.
fn merge3(
    base: &Contents,
    ours: &Contents,
    theirs: &Contents,
    side: Side,
) -> Result<Contents, BTreeSet<(TreeKey, Vec<u8>)>> {
    let mut merged = Contents::new();
    let mut conflicts = BTreeSet::new();
    let keys: BTreeSet<_> = base.keys().chain(ours.keys()).chain(theirs.keys()).collect();
    for key in keys {
        let (was, mine, their) = (base.get(key), ours.get(key), theirs.get(key));
        let taken = if mine == their || their == was {
            mine
        } else if mine == was {
            their
        } else {
            match side {
                Side::None => {
                    conflicts.insert(key.clone());
                    None
                }
                Side::Base => was,
                Side::Ours => mine,
                Side::Theirs => their,
            }
        };
        if let Some(value) = taken {
            merged.insert(key.clone(), value.clone());
        }
    }
    if conflicts.is_empty() { Ok(merged) } else { Err(conflicts) }
}

fn of_tree(contents: &Contents, tree: &TreeKey) -> Vec<(Vec<u8>, Vec<u8>)> {
    let entries = contents.iter().filter(|((of, _), _)| of == tree);
    entries.map(|((_, key), value)| (key.clone(), value.clone())).collect()
}

fn built(entries: &[(Vec<u8>, Vec<u8>)]) -> Tree {
    let buffer = std::sync::Arc::new(NodeBuffer::new());
    let edits = entries.iter().map(|(key, value)| (key, Some(Value::Inline(value.clone()))));
    Tree::build(buffer.clone(), &*buffer, config(), &mut SortedEdits::new(edits)).unwrap()
}

fn run(open: &dyn Fn() -> Store, steps: &[Step]) {
    let mut model = Model::new(open);
    for step in steps {
        model.run(step);
        model.check();
    }
    model.check_commits();
}

fn model_options() -> Options {
    let mut options = options();
    options.config = Some(config());
    options
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn random_programs_agree_in_memory(steps in steps(80)) {
        let shared = Shared::new();
        run(&|| shared.try_open(model_options()).unwrap(), &steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn random_programs_agree_on_disk(steps in steps(50)) {
        for kind in [BackendKind::File, BackendKind::Redb, BackendKind::Git] {
            let dir = tempfile::tempdir().unwrap();
            let mut options = model_options();
            options.backend = Some(kind);
            run(&|| Store::open(dir.path(), options.clone()).unwrap(), &steps);
        }
    }
}
