//! Opens a store: finds out what is at a path, makes a new store, takes over what a process left staged.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicBool, AtomicU64},
    },
};

use prolly_core::{Blob, NodeWriter, Record, Tree};
use prolly_store::{Backend, FileStore, MemoryStore, NodeCache, RedbStore};

use super::{
    BackendKind, Options, Store,
    carry::{Carried, carry},
    core::{Core, Editor},
    reencode::reencode,
    registry,
    state::{Staged, Start, State, catalog_with},
    stream::put_blob,
};
#[cfg(feature = "git")]
use crate::git::{GitGraph, GitOptions};
use crate::{
    Catalog, CommitGraph, Error, Expected, Head, NativeGraph, RefEdit, Result, TreeKey, TreeKind,
    TreeVersion, branch_ref_name,
    journal::{Begin, Journal, Op, adopt},
    revision::head_commit,
};

const REDB_FILE: &str = "prolly.redb";
const STAGING_DIR: &str = "staging";
/// What part of the node cache's size goes to nodes that come back from the temporary file, where the two are apart.
const SPILL_CACHE_PART: usize = 16;
/// What the published package 0.4.1 left in a store's directory.
const OLD_FILES: [&str; 4] = [
    "prolly_config_tree_config",
    "prolly_hash_mappings",
    "prolly_config_namespaced_root",
    "prolly_namespace_registry",
];

impl Store {
    /// Opens the store in a directory, making one if there is none (unless [`Options::create`] is off). Handles of one
    /// directory in one process share the working state: what is staged, and the branch the store stands on.
    ///
    /// Staged changes that a process left behind on the same branch are taken over.
    ///
    /// # Errors
    /// [`Error::NotAStore`] when the directory holds something else, or data of the published package 0.4.1;
    /// [`Error::OtherBackend`] when it holds a store of another kind than asked for; [`Error::ConfigMismatch`] when the
    /// default tree has another configuration than asked for; [`Error::UnbornBranch`] when the store has commits, but
    /// none on the branch it stands on; [`Error::DamagedJournal`]; what the backend reports.
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Self> {
        let path = path.as_ref();
        if options.backend == Some(BackendKind::Memory) {
            return Self::memory(options);
        }
        let mut registry = registry::lock();
        if let Some(path) = canonical(path)?
            && let Some(core) = registry.find(&path)
        {
            core.check_options(&options)?;
            return Ok(Self::from_core(core));
        }
        let (kind, graph, cache) = open_graph(path, &options)?;
        let path = path.canonicalize().map_err(|source| Error::io("open", path, source))?;
        let core = Core::start(graph, kind, Some(path), cache, options)?;
        registry.add(&core);
        Ok(Self::from_core(core))
    }

    /// Makes a store in memory. It lives as long as one of its handles.
    ///
    /// # Errors
    /// `InvalidConfig`.
    pub fn memory(options: Options) -> Result<Self> {
        let cache = Arc::new(NodeCache::new(options.cache_bytes));
        let graph = NativeGraph::new(Arc::new(MemoryStore::new()), Arc::clone(&cache), None);
        Ok(Self::from_core(Core::start(Arc::new(graph), BackendKind::Memory, None, cache, options)?))
    }

    /// Opens a store over a commit graph that was opened already. Such handles share their working state with none but
    /// their clones.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn over(graph: Arc<dyn CommitGraph>, kind: BackendKind, options: Options) -> Result<Self> {
        let cache = Arc::new(NodeCache::new(options.cache_bytes / SPILL_CACHE_PART));
        Ok(Self::from_core(Core::start(graph, kind, None, cache, options)?))
    }
}

impl Core {
    fn start(
        graph: Arc<dyn CommitGraph>,
        backend: BackendKind,
        path: Option<PathBuf>,
        cache: Arc<NodeCache>,
        options: Options,
    ) -> Result<Arc<Self>> {
        let head = match &options.branch {
            Some(branch) => Head::Branch(branch_ref_name(branch)?),
            None => graph.head()?,
        };
        let begin = Begin { head: head.clone(), base: None };
        let catalog = Catalog::empty(graph.objects())?;
        let nodes = super::nodes::StagedNodes::new(graph.objects(), Arc::clone(&cache), &options);
        let state = State::new(head, catalog, nodes);
        let dir = graph.staging_dir();
        let editor = Mutex::new(Editor::new(dir, begin));
        let (drivers, state) = (RwLock::default(), RwLock::new(state));
        let core = Arc::new(Self {
            graph,
            backend,
            path,
            options,
            cache,
            drivers,
            editor,
            edits: AtomicU64::new(0),
            is_merging: AtomicBool::new(false),
            merging_thread: Mutex::default(),
            state,
            process: std::process::id(),
        });
        core.enter()?;
        core.check_options(&core.options)?;
        Ok(core)
    }

    /// Refuses options that the open store does not have.
    fn check_options(&self, options: &Options) -> Result<()> {
        if let Some(asked) = options.backend
            && asked != self.backend
        {
            let path = self.path.clone().unwrap_or_default();
            return Err(Error::OtherBackend { path, found: self.backend.name(), asked: asked.name() });
        }
        let tree = TreeKey::default_map();
        if let Some(given) = options.config
            && let Some(version) = self.write().catalog.entry(&tree)?
            && version.config != given
        {
            return Err(Error::ConfigMismatch {
                tree,
                stored: Box::new(version.config),
                given: Box::new(given),
            });
        }
        Ok(())
    }

    /// Goes to the commit where the store was left, making the first one in a new store.
    fn enter(&self) -> Result<()> {
        let mut editor = self.edit()?;
        let head = self.read().head.clone();
        let mut tip = head_commit(&*self.graph, &head)?;
        if tip.is_none() {
            let Head::Branch(branch) = &head else { unreachable!("a detached HEAD names its commit") };
            self.begin_branch(branch)?;
            tip = self.graph.read_ref(branch)?;
        }
        let catalog = self.catalog_of(tip.as_ref())?;
        let nodes = self.new_nodes();
        self.write().move_to(tip, catalog, nodes);
        editor.reset(Begin { head, base: tip });
        self.take_over(&mut editor)
    }

    /// Makes the first commit of a new store.
    fn begin_branch(&self, branch: &str) -> Result<()> {
        if !self.graph.refs("refs/")?.is_empty() {
            return Err(Error::UnbornBranch { branch: branch.to_owned() });
        }
        if !self.options.create {
            let path = self.path.clone().unwrap_or_default();
            return Err(Error::NotAStore { path, reason: "it has no commits".to_owned() });
        }
        let nodes = self.new_nodes();
        let config = self.options.config.unwrap_or_default();
        let tree = Tree::empty(self.graph.objects(), config)?;
        let version = TreeVersion { tree, metadata: Vec::new() };
        let changes = BTreeMap::from([(TreeKey::default_map(), Some(version))]);
        let empty = Catalog::empty(self.graph.objects())?;
        let catalog = catalog_with(&empty, &nodes.for_tree(), &changes)?;
        let draft = self.draft(&catalog, Vec::new(), "Initial commit", None)?;
        let edit = RefEdit {
            name: branch.to_owned(),
            expected: Expected::Absent,
            new: None,
            log: "commit (initial): Initial commit".to_owned(),
        };
        match self.graph.publish(&*nodes, &draft, Some(&edit)) {
            Ok(_) => {}
            // Another process made it first.
            Err(Error::RefMoved { found: Some(_), .. }) => {}
            Err(error) => return Err(error),
        }
        let head = Head::Branch(branch.to_owned());
        if self.graph.head()? == head { Ok(()) } else { self.graph.set_head(&head) }
    }

    /// Takes over what a process left staged on this branch. When the branch has moved on, the changes are carried to
    /// its tip if they can be; else they stay on the commit they were made on, and committing them says what is in the
    /// way.
    fn take_over(&self, editor: &mut Editor) -> Result<()> {
        let Some(dir) = editor.dir().cloned() else { return Ok(()) };
        let (head, tip) = {
            let state = self.read();
            (state.head.clone(), state.base)
        };
        let mut fits = |begin: &Begin| match begin.base {
            _ if begin.head != head => Ok(false),
            Some(base) => Ok(self.graph.read_commit(&base)?.is_some()),
            None => Ok(true),
        };
        let Some((slot, begin)) = adopt(&dir, &mut fits)? else { return Ok(()) };
        let base = begin.base;
        let catalog = self.catalog_of(base.as_ref())?;
        let nodes = self.new_nodes();
        self.write().move_to(base, catalog, nodes);
        let journal = Journal::replay(slot, begin.clone(), &mut |tree, op| self.replay(tree, op))?;
        editor.reset(begin);
        editor.continue_with(journal);
        self.take_over_sources(editor)?;
        if base != tip
            && let Some(tip) = tip
        {
            let (_, catalog) = self.commit_and_catalog(&tip)?;
            let carried = {
                let mut state = self.write();
                // What other kinds mean is said by layers that come to know of this store once it is open.
                let is_map = |staged: &Staged| staged.key.kind() == TreeKind::MAP;
                match state.staged()?.iter().all(is_map) {
                    true => Some(carry(&mut state, &catalog, &self.drivers())?),
                    false => None,
                }
            };
            if let Some(Carried::All(staged)) = carried {
                self.stand_on(editor, head, Some(tip), catalog, staged)?;
            }
        }
        Ok(())
    }

    /// Makes a journalled edit again.
    fn replay(&self, tree: &TreeKey, op: Op<'_>) -> Result<()> {
        let mut state = self.write();
        match op {
            Op::Put { key, value } => state.present(tree)?.tree.insert(key, value)?,
            Op::Delete { key } => state.present(tree)?.tree.remove(key)?,
            Op::Metadata(metadata) => state.present(tree)?.metadata = metadata.to_vec(),
            Op::Record(encoded) => {
                state.nodes.for_tree().write_record(Record::address(encoded), encoded.to_vec())?;
            }
            Op::PutBlob { key, len, hash } => {
                put_blob(state.present(tree)?, key, &Blob { len, hash })?;
                // Its journal may do without parts that the base has.
                let base = state.base;
                state.borrowed.extend(base);
            }
            Op::Config(config) => {
                let (version, nodes) = (state.present(tree)?.version()?, state.nodes.for_tree());
                let version = TreeVersion {
                    tree: reencode(&version.tree, config, &nodes)?,
                    metadata: version.metadata,
                };
                state.replace(tree, version, nodes)?;
            }
            Op::Rename { to } => state.rename(tree, &TreeKey::new(tree.kind(), to))?,
            Op::Copy { to } => state.copy(tree, &TreeKey::new(tree.kind(), to))?,
            Op::Drop => state.set(tree, None)?,
            Op::CopyFrom { kind, name, commit } => {
                let from = TreeKey::new(kind, name);
                let (_, catalog) = self.commit_and_catalog(&commit)?;
                let version =
                    catalog.version(&from)?.ok_or_else(|| Error::UnknownTree { tree: from.clone() })?;
                state.set(tree, Some(Start { version, source: Some((commit, from)) }))?;
            }
            Op::Create { config, metadata } => {
                let version = Tree::empty(self.graph.objects(), config)?;
                let version = TreeVersion { tree: version, metadata: metadata.to_vec() };
                state.set(tree, Some(Start { version, source: None }))?;
            }
        }
        Ok(())
    }
}

/// What a directory is opened as: its kind, its graph and the cache that spilled nodes go through.
pub(super) type OpenGraph = (BackendKind, Arc<dyn CommitGraph>, Arc<NodeCache>);

pub(super) fn open_graph(path: &Path, options: &Options) -> Result<OpenGraph> {
    let mut found = detect(path)?;
    if found == Some(BackendKind::Git)
        && options.backend.is_some_and(|asked| asked != BackendKind::Git)
        && !is_git_store(path)?
    {
        found = None;
    }
    let kind = match (options.backend, found) {
        (Some(asked), Some(found)) if asked != found => {
            return Err(Error::OtherBackend {
                path: path.to_owned(),
                found: found.name(),
                asked: asked.name(),
            });
        }
        (_, Some(found)) => found,
        (Some(asked), None) => asked,
        (None, None) => BackendKind::Git,
    };
    let not_a_store = |reason: &str| Error::NotAStore { path: path.to_owned(), reason: reason.to_owned() };
    if found.is_none() {
        if !options.create {
            return Err(not_a_store("there is no store"));
        }
        for file in OLD_FILES {
            let file = path.join(file);
            if file.try_exists().map_err(|source| Error::io("look for", &file, source))? {
                return Err(not_a_store(
                    "it holds data of prollytree 0.4.1 or older, which this version does not read; read it with that \
                     version and insert it into a new store",
                ));
            }
        }
    }
    let native = |backend: Arc<dyn Backend>| -> OpenGraph {
        let cache = Arc::new(NodeCache::new(options.cache_bytes));
        let graph = NativeGraph::new(backend, Arc::clone(&cache), Some(path.join(STAGING_DIR)));
        (kind, Arc::new(graph), cache)
    };
    match kind {
        BackendKind::Memory => Ok(native(Arc::new(MemoryStore::new()))),
        BackendKind::Redb => Ok(native(Arc::new(RedbStore::open(path)?))),
        BackendKind::File => Ok(native(Arc::new(FileStore::open(path)?))),
        BackendKind::Git => open_git(path, options),
    }
}

#[cfg(feature = "git")]
fn open_git(path: &Path, options: &Options) -> Result<OpenGraph> {
    let git_options = GitOptions { cache_bytes: options.cache_bytes, commit_journal: options.commit_journal };
    let graph = GitGraph::open_or_init(path, &git_options)?;
    let cache = NodeCache::new(options.cache_bytes / SPILL_CACHE_PART);
    Ok((BackendKind::Git, Arc::new(graph), Arc::new(cache)))
}

/// Whether the Git repository in a directory is a store.
#[cfg(feature = "git")]
fn is_git_store(path: &Path) -> Result<bool> {
    match GitGraph::open(path, &GitOptions::default()) {
        Ok(graph) => Ok(graph.is_some()),
        Err(Error::NotAStore { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(not(feature = "git"))]
fn is_git_store(_path: &Path) -> Result<bool> {
    Err(Error::NotBuilt { what: "Git stores", feature: "git" })
}

#[cfg(not(feature = "git"))]
fn open_git(_path: &Path, _options: &Options) -> Result<OpenGraph> {
    Err(Error::NotBuilt { what: "Git stores", feature: "git" })
}

/// Which kind of store a directory holds; `None` for none.
fn detect(path: &Path) -> Result<Option<BackendKind>> {
    let exists = |name: &str| {
        let path = path.join(name);
        path.try_exists().map_err(|source| Error::io("look for", path, source))
    };
    Ok(if exists(REDB_FILE)? {
        Some(BackendKind::Redb)
    } else if exists("format")? && exists("objects")? {
        Some(BackendKind::File)
    } else if exists(".git")? || (exists("HEAD")? && exists("objects")?) {
        Some(BackendKind::Git)
    } else {
        None
    })
}

/// The canonical form of a path; `None` when nothing is there.
fn canonical(path: &Path) -> Result<Option<PathBuf>> {
    match path.canonicalize() {
        Ok(path) => Ok(Some(path)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::io("open", path, source)),
    }
}
