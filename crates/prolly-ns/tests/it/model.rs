//! Random programs over namespaces, branches, merges and external values, against plain maps.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use prolly_core::{Hash, NodeBuffer, SortedEdits, Tree, TreeConfig, Value};
use prolly_ns::{DEFAULT, Error, NamespacedStore, namespace_of};
use prolly_version::{
    BackendKind, CommitId, Error as VersionError, MergeOptions, MergeStrategy, Options, is_ancestor,
    merge_bases,
};
use proptest::{prelude::*, sample::Index};

/// A namespace: its threshold and its entries.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Space {
    threshold: Option<u32>,
    entries: BTreeMap<Vec<u8>, Vec<u8>>,
}

type Contents = BTreeMap<String, Space>;
/// A key, or `None` for a namespace as a whole.
type Place = (String, Option<Vec<u8>>);

const NAMES: [&str; 4] = [DEFAULT, "a", "b", "c"];
const THRESHOLDS: [Option<u32>; 3] = [Some(10), Some(100), None];

#[derive(Clone, Debug)]
enum Step {
    Insert(u8, u8, u8),
    Stream(u8, u8, u8),
    Delete(u8, u8),
    Create(u8),
    Drop(u8),
    Rename(u8, u8),
    Copy(u8, Option<Index>, u8),
    Threshold(u8),
    Commit,
    Branch,
    Checkout(Index, bool),
    Merge(Index, u8),
    Discard,
    Collect,
    Reopen,
}

fn steps(len: usize) -> impl Strategy<Value = Vec<Step>> {
    let (name, key, index) = (|| 0..4_u8, || 0..12_u8, any::<Index>);
    let step = prop_oneof![
        14 => (name(), key(), 0..5_u8).prop_map(|(name, key, value)| Step::Insert(name, key, value)),
        3 => (name(), key(), 0..6_u8).prop_map(|(name, key, value)| Step::Stream(name, key, value)),
        4 => (name(), key()).prop_map(|(name, key)| Step::Delete(name, key)),
        1 => name().prop_map(Step::Create),
        2 => name().prop_map(Step::Drop),
        2 => (name(), name()).prop_map(|(from, to)| Step::Rename(from, to)),
        3 => (name(), prop::option::of(index()), name()).prop_map(|(from, at, to)| Step::Copy(from, at, to)),
        1 => (0..3_u8).prop_map(Step::Threshold),
        6 => Just(Step::Commit),
        2 => Just(Step::Branch),
        4 => (index(), any::<bool>()).prop_map(|(branch, discard)| Step::Checkout(branch, discard)),
        5 => (index(), 0..4_u8).prop_map(|(branch, strategy)| Step::Merge(branch, strategy)),
        1 => Just(Step::Discard),
        1 => Just(Step::Collect),
        2 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..len)
}

fn config(threshold: Option<u32>) -> TreeConfig {
    TreeConfig { externalize_threshold: threshold, ..TreeConfig::with_targets(4, 4) }
}

fn value(number: u8) -> Vec<u8> {
    let len = [0, 5, 11, 60, 300, 100_000][usize::from(number)];
    (0..len).map(|at| (at as u8).wrapping_mul(number) ^ (at >> 8) as u8).collect()
}

fn root(space: &Space) -> Hash {
    let buffer = Arc::new(NodeBuffer::new());
    let edits = space.entries.iter().map(|(key, value)| (key, Some(Value::Inline(value.clone()))));
    let config = config(space.threshold);
    Tree::build(buffer.clone(), &*buffer, config, &mut SortedEdits::new(edits)).unwrap().root_hash()
}

/// How conflicts are settled.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    None,
    Base,
    Ours,
    Theirs,
}

fn merged_threshold(base: Option<&Space>, ours: &Space, theirs: &Space) -> Option<u32> {
    let (ours, theirs) = (ours.threshold, theirs.threshold);
    match base.map(|base| base.threshold) {
        _ if ours == theirs => ours,
        Some(base) if base == theirs => ours,
        Some(base) if base == ours => theirs,
        _ => match (ours, theirs) {
            (Some(ours), Some(theirs)) => Some(ours.min(theirs)),
            (one, other) => one.or(other),
        },
    }
}

/// A naive three-way merge; adds what is in conflict. `side_of` says how those of a namespace are settled.
fn merge(
    base: &Contents,
    ours: &Contents,
    theirs: &Contents,
    side_of: &dyn Fn(&str) -> Side,
) -> Result<Contents, BTreeSet<Place>> {
    let mut merged = Contents::new();
    let mut conflicts = BTreeSet::new();
    let names: BTreeSet<_> = base.keys().chain(ours.keys()).chain(theirs.keys()).collect();
    for name in names {
        let (was, mine, their) = (base.get(name), ours.get(name), theirs.get(name));
        let side = side_of(name);
        let taken = if mine == their || their == was {
            mine.cloned()
        } else if mine == was {
            their.cloned()
        } else if let (Some(mine), Some(their)) = (mine, their) {
            Some(merge_spaces(name, was, mine, their, side, &mut conflicts))
        } else {
            match side {
                Side::None => {
                    conflicts.insert((name.clone(), None));
                    None
                }
                Side::Base => was.cloned(),
                Side::Ours => mine.cloned(),
                Side::Theirs => their.cloned(),
            }
        };
        merged.extend(taken.map(|space| (name.clone(), space)));
    }
    if conflicts.is_empty() { Ok(merged) } else { Err(conflicts) }
}

fn merge_spaces(
    name: &str,
    base: Option<&Space>,
    ours: &Space,
    theirs: &Space,
    side: Side,
    conflicts: &mut BTreeSet<Place>,
) -> Space {
    let nothing = BTreeMap::new();
    let was = base.map_or(&nothing, |base| &base.entries);
    let mut entries = BTreeMap::new();
    let keys: BTreeSet<_> = was.keys().chain(ours.entries.keys()).chain(theirs.entries.keys()).collect();
    for key in keys {
        let (was, mine, their) = (was.get(key), ours.entries.get(key), theirs.entries.get(key));
        let taken = if mine == their || their == was {
            mine
        } else if mine == was {
            their
        } else {
            match side {
                Side::None => {
                    conflicts.insert((name.to_owned(), Some(key.clone())));
                    None
                }
                Side::Base => was,
                Side::Ours => mine,
                Side::Theirs => their,
            }
        };
        entries.extend(taken.map(|value| (key.clone(), value.clone())));
    }
    Space { threshold: merged_threshold(base, ours, theirs), entries }
}

/// What is staged over `base`, on other contents; or what is in the way.
fn carry(base: &Contents, working: &Contents, onto: &Contents) -> Result<Contents, BTreeSet<Place>> {
    let mut carried = onto.clone();
    let mut conflicts = BTreeSet::new();
    let names: BTreeSet<_> = base.keys().chain(working.keys()).collect();
    for name in names {
        let (was, is, there) = (base.get(name), working.get(name), onto.get(name));
        if was == is || there == is {
            continue;
        }
        if there == was {
            match is {
                Some(space) => carried.insert(name.clone(), space.clone()),
                None => carried.remove(name),
            };
            continue;
        }
        let (Some(is), Some(there)) = (is, there) else {
            conflicts.insert((name.clone(), None));
            continue;
        };
        let empty = Space { threshold: is.threshold, entries: BTreeMap::new() };
        let was = was.unwrap_or(&empty);
        let mut space = Space { threshold: merged_threshold(Some(was), is, there), ..there.clone() };
        for key in was.entries.keys().chain(is.entries.keys()) {
            let (old, new, found) = (was.entries.get(key), is.entries.get(key), there.entries.get(key));
            if old == new {
                continue;
            }
            if found != old && found != new {
                conflicts.insert((name.clone(), Some(key.clone())));
            }
            match new {
                Some(value) => space.entries.insert(key.clone(), value.clone()),
                None => space.entries.remove(key),
            };
        }
        carried.insert(name.clone(), space);
    }
    if conflicts.is_empty() { Ok(carried) } else { Err(conflicts) }
}

struct Model<'a> {
    open: &'a dyn Fn() -> NamespacedStore,
    reopens: bool,
    store: Option<NamespacedStore>,
    commits: HashMap<CommitId, Contents>,
    branches: BTreeMap<String, CommitId>,
    branch: String,
    base: CommitId,
    working: Contents,
}

impl<'a> Model<'a> {
    fn new(open: &'a dyn Fn() -> NamespacedStore, reopens: bool) -> Self {
        let store = open();
        let base = store.versions().resolve("HEAD").unwrap();
        let space = Space { threshold: Some(10), entries: BTreeMap::new() };
        let contents = Contents::from([(DEFAULT.to_owned(), space)]);
        Self {
            open,
            reopens,
            store: Some(store),
            commits: HashMap::from([(base, contents.clone())]),
            branches: BTreeMap::from([("main".to_owned(), base)]),
            branch: "main".to_owned(),
            base,
            working: contents,
        }
    }

    fn store(&self) -> &NamespacedStore {
        self.store.as_ref().unwrap()
    }

    fn at(&self, index: Index) -> (String, CommitId) {
        let (name, id) = index.get(&self.branches.iter().collect::<Vec<_>>()).to_owned();
        (name.clone(), *id)
    }

    fn space(&mut self, name: &str) -> &mut Space {
        let threshold = self.working[DEFAULT].threshold;
        let new = || Space { threshold, entries: BTreeMap::new() };
        self.working.entry(name.to_owned()).or_insert_with(new)
    }

    fn run(&mut self, step: &Step) {
        let name = |number: &u8| NAMES[usize::from(*number)];
        match step {
            Step::Insert(space, key, number) => {
                self.store().insert(name(space), &[*key], &value(*number)).unwrap();
                self.space(name(space)).entries.insert(vec![*key], value(*number));
            }
            Step::Stream(space, key, number) => {
                let value = value(*number);
                let len = self.store().insert_reader(name(space), &[*key], &value[..]).unwrap();
                assert_eq!(len, value.len() as u64);
                self.space(name(space)).entries.insert(vec![*key], value);
            }
            Step::Delete(space, key) => {
                let existed = self.store().delete(name(space), &[*key]).unwrap();
                let entries = self.working.get_mut(name(space)).map(|space| &mut space.entries);
                assert_eq!(existed, entries.is_some_and(|entries| entries.remove(&vec![*key]).is_some()));
            }
            Step::Create(space) => {
                let made = self.store().create_namespace(name(space));
                if self.working.contains_key(name(space)) {
                    assert!(matches!(made, Err(Error::NamespaceExists { .. })));
                } else {
                    made.unwrap();
                    self.space(name(space));
                }
            }
            Step::Drop(space) => match self.store().drop_namespace(name(space)) {
                Err(Error::DefaultNamespace { .. }) => assert_eq!(name(space), DEFAULT),
                dropped => assert_eq!(dropped.unwrap(), self.working.remove(name(space)).is_some()),
            },
            Step::Rename(from, to) => self.rename(name(from), name(to)),
            Step::Copy(from, at, to) => self.copy(name(from), at, name(to)),
            Step::Threshold(number) => {
                let threshold = THRESHOLDS[usize::from(*number)];
                let others = self.working.values_mut().filter(|space| space.threshold != threshold);
                let count = others.map(|space| space.threshold = threshold).count() as u64;
                assert_eq!(self.store().set_externalize_threshold(threshold).unwrap(), count);
            }
            Step::Commit => {
                let id = self.store().versions().commit("commit").unwrap();
                self.commits.insert(id, self.working.clone());
                self.moved(id);
            }
            Step::Branch => {
                let branch = format!("b{}", self.branches.len());
                self.store().versions().create_branch(&branch, None).unwrap();
                self.branches.insert(branch.clone(), self.base);
                self.branch = branch;
            }
            Step::Checkout(index, discard) => self.check_out(*index, *discard),
            Step::Merge(index, strategy) => self.merge(*index, *strategy),
            Step::Discard => {
                self.store().versions().discard().unwrap();
                self.working = self.commits[&self.base].clone();
            }
            Step::Collect => drop(self.store().versions().collect_garbage().unwrap()),
            Step::Reopen if self.reopens => {
                self.store = None;
                self.store = Some((self.open)());
            }
            Step::Reopen => {}
        }
    }

    fn moved(&mut self, id: CommitId) {
        self.base = id;
        self.branches.insert(self.branch.clone(), id);
    }

    fn rename(&mut self, from: &str, to: &str) {
        match self.store().rename_namespace(from, to) {
            Err(Error::DefaultNamespace { .. }) => assert_eq!(from, DEFAULT),
            Err(Error::UnknownNamespace { .. }) => assert!(!self.working.contains_key(from)),
            Err(Error::NamespaceExists { .. }) => assert!(from != to && self.working.contains_key(to)),
            renamed => {
                renamed.unwrap();
                let space = self.working.remove(from).unwrap();
                assert_eq!(self.working.insert(to.to_owned(), space), None);
            }
        }
    }

    fn copy(&mut self, from: &str, at: &Option<Index>, to: &str) {
        let revision = at.map(|index| self.at(index));
        let contents = revision.as_ref().map_or(&self.working, |(_, id)| &self.commits[id]);
        let space = contents.get(from).cloned();
        let revision = revision.as_ref().map(|(branch, _)| branch.as_str());
        match self.store().copy_namespace(from, revision, to) {
            Err(Error::NamespaceExists { .. }) => assert!(self.working.contains_key(to)),
            Err(Error::UnknownNamespace { .. }) => assert_eq!(space, None),
            copied => {
                copied.unwrap();
                assert_eq!(self.working.insert(to.to_owned(), space.unwrap()), None);
            }
        }
    }

    fn check_out(&mut self, index: Index, discard: bool) {
        let (branch, id) = self.at(index);
        let onto = self.commits[&id].clone();
        let carried = if discard { Ok(onto) } else { carry(&self.commits[&self.base], &self.working, &onto) };
        match (self.store().versions().checkout(&branch, discard), carried) {
            (Ok(()), Ok(carried)) => {
                self.working = carried;
                self.branch = branch;
                self.base = id;
            }
            (Err(VersionError::StagedConflict { keys, .. }), Err(expected)) => {
                assert_eq!(places(keys.into_iter().map(|key| (key.tree, key.key))), expected);
            }
            (found, expected) => panic!("checkout of {branch} gave {found:?}, not {expected:?}"),
        }
    }

    /// The virtual base of several commits, which the store merges in the same order.
    fn virtual_base(&self, commits: &[CommitId]) -> Contents {
        let graph = &**self.store().versions().graph();
        let mut merged = self.commits[&commits[0]].clone();
        for (index, next) in commits.iter().enumerate().skip(1) {
            let mut bases: Vec<CommitId> = Vec::new();
            for one in &commits[..index] {
                for base in merge_bases(graph, one, next).unwrap() {
                    if !bases.contains(&base) {
                        bases.push(base);
                    }
                }
            }
            let all = bases.clone();
            bases.retain(|one| {
                !all.iter().any(|other| other != one && is_ancestor(graph, one, other).unwrap())
            });
            let base = self.virtual_base(&bases);
            merged = merge(&base, &merged, &self.commits[next], &|_| Side::Base).unwrap();
        }
        merged
    }

    fn merge(&mut self, index: Index, strategy: u8) {
        let (branch, theirs) = self.at(index);
        let bases = merge_bases(&**self.store().versions().graph(), &self.base, &theirs).unwrap();
        let (side_of, strategy): (&dyn Fn(&str) -> Side, _) = match strategy {
            0 => (&|_| Side::None, MergeStrategy::Refuse),
            1 => (&|_| Side::Theirs, MergeStrategy::TakeSource),
            2 => (&|_| Side::Ours, MergeStrategy::TakeDestination),
            _ => (
                &|name| if name == DEFAULT { Side::Theirs } else { Side::Ours },
                prolly_ns::by_namespace(
                    [(DEFAULT.to_owned(), MergeStrategy::TakeSource)],
                    MergeStrategy::TakeDestination,
                )
                .unwrap(),
            ),
        };
        let options = MergeOptions { strategy, ..MergeOptions::default() };
        let outcome = self.store().merge(&branch, options);
        if branch == self.branch {
            assert!(matches!(outcome, Err(Error::Version(VersionError::MergeIntoItself { .. }))));
            return;
        }
        if bases == [theirs] {
            assert_eq!(outcome.unwrap(), self.base, "merged already");
            return;
        }
        let (ours, their) = (&self.commits[&self.base], &self.commits[&theirs]);
        let base = self.virtual_base(&bases);
        let merged = merge(&base, ours, their, side_of);
        let conflicts = self.store().try_merge(&branch);
        match (outcome, merged) {
            (Ok(id), Ok(merged)) => {
                self.working = carry(ours, &self.working, &merged).unwrap();
                self.commits.insert(id, merged);
                self.moved(id);
                return;
            }
            (Err(Error::Version(VersionError::MergeConflicts { conflicts })), Err(expected)) => {
                let found = conflicts.into_iter().map(|conflict| (conflict.tree, conflict.key));
                assert_eq!(places(found), expected);
            }
            (Err(Error::Version(VersionError::StagedConflict { keys, .. })), Ok(merged)) => {
                let expected = carry(ours, &self.working, &merged).unwrap_err();
                assert_eq!(places(keys.into_iter().map(|key| (key.tree, key.key))), expected);
            }
            (found, expected) => panic!("merging {branch} gave {found:?}, not {expected:?}"),
        }
        let expected = merge(&base, ours, their, &|_| Side::None).err().unwrap_or_default();
        assert_eq!(places(conflicts.unwrap().into_iter().map(|found| (found.tree, found.key))), expected);
    }

    fn check(&self) {
        let store = self.store();
        assert_eq!(store.versions().current_branch().as_ref(), Some(&self.branch));
        assert_eq!(store.namespace_count().unwrap(), self.working.len() as u64);
        let listed: Vec<_> = store.namespaces().unwrap().map(|namespace| namespace.unwrap()).collect();
        let expected: Vec<_> = self.working.iter().map(|(name, space)| (name, root(space))).collect();
        assert_eq!(listed.iter().map(|found| (&found.name, found.root_hash)).collect::<Vec<_>>(), expected);
        for (name, space) in &self.working {
            let mut range = store.range::<&[u8]>(name, ..).unwrap();
            let found: BTreeMap<_, _> = std::iter::from_fn(|| range.next_pair().unwrap()).collect();
            assert_eq!(found, space.entries);
            assert_eq!(store.tree(name).unwrap().config().externalize_threshold, space.threshold);
            assert_eq!(store.root_hash(name).unwrap(), self.commits[&self.base].get(name).map(root));
        }
        assert_eq!(self.feed(None), changes(&self.commits[&self.base], &self.working));
    }

    /// The change feed from where the store stands to a branch, or to what is staged.
    fn feed(&self, until: Option<&str>) -> Vec<(String, Vec<u8>, bool, bool)> {
        let feed = self.store().changes(Some("HEAD"), until, None).unwrap().map(|change| change.unwrap());
        feed.map(|change| (change.namespace, change.key, change.old.is_some(), change.new.is_some()))
            .collect()
    }

    fn check_commits(&self) {
        for (branch, id) in &self.branches {
            let snapshot = self.store().at(branch).unwrap();
            for name in NAMES {
                assert_eq!(snapshot.root_hash(name).unwrap(), self.commits[id].get(name).map(root));
            }
            assert_eq!(self.feed(Some(branch)), changes(&self.commits[&self.base], &self.commits[id]));
        }
        self.store().versions().discard().unwrap();
        let kept = self.store().versions().graph().refs("refs/prolly/").unwrap();
        assert!(kept.is_empty(), "nothing is staged that {kept:?} would be kept for");
    }
}

/// The keys that differ, with whether each side has them.
fn changes(old: &Contents, new: &Contents) -> Vec<(String, Vec<u8>, bool, bool)> {
    let pairs = |contents: &Contents| -> BTreeMap<(String, Vec<u8>), Vec<u8>> {
        let of = |(name, space): (&String, &Space)| {
            let name = name.clone();
            space.entries.clone().into_iter().map(move |(key, value)| ((name.clone(), key), value))
        };
        contents.iter().flat_map(of).collect()
    };
    let (old, new) = (pairs(old), pairs(new));
    let keys: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let differing = keys.into_iter().filter(|key| old.get(*key) != new.get(*key));
    differing
        .map(|key| (key.0.clone(), key.1.clone(), old.contains_key(key), new.contains_key(key)))
        .collect()
}

fn places(found: impl Iterator<Item = (prolly_version::TreeKey, Option<Vec<u8>>)>) -> BTreeSet<Place> {
    found.map(|(tree, key)| (namespace_of(&tree).unwrap().to_owned(), key)).collect()
}

fn options(kind: BackendKind) -> Options {
    let mut options = Options::new(kind);
    options.config = Some(config(Some(10)));
    options
}

fn run(open: &dyn Fn() -> NamespacedStore, reopens: bool, steps: &[Step]) {
    let mut model = Model::new(open, reopens);
    for step in steps {
        model.run(step);
        model.check();
    }
    model.check_commits();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn random_programs_agree_in_memory(steps in steps(60)) {
        run(&|| NamespacedStore::memory(options(BackendKind::Memory)).unwrap(), false, &steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10))]

    #[test]
    fn random_programs_agree_on_disk(steps in steps(40)) {
        for kind in [BackendKind::File, BackendKind::Redb, BackendKind::Git] {
            let dir = tempfile::tempdir().unwrap();
            run(&|| {
                let mut options = options(kind);
                // The default namespace may have another threshold by now.
                if dir.path().read_dir().unwrap().next().is_some() {
                    options.config = None;
                }
                NamespacedStore::open(dir.path(), options).unwrap()
            }, true, &steps);
        }
    }
}
