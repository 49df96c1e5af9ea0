//! Finds out what is at a path, and opens it or makes a store there.
//!
//! **Invariant:** opening changes nothing that is there already, but for what a power cut undid of journalled commits. A new repository appears whole or not at all, and only
//! ever below the path: a repository around it is never touched.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use gix_hash::ObjectId;

use super::{
    GitGraph, GitOptions, Writer,
    commit_journal::CommitJournal,
    config::RepositoryConfig,
    files,
    layout::Layout,
    lock::StoreLock,
    odb::ObjectDb,
    reader::Objects,
    refs::{RefFiles, Target},
};
use crate::{Error, Head, Result};

/// What the published package 0.4.1 left in a store's directory.
const OLD_FILES: [&str; 4] = [
    "prolly_config_tree_config",
    "prolly_hash_mappings",
    "prolly_config_namespaced_root",
    "prolly_namespace_registry",
];
/// The configuration of a new repository.
const CONFIG: &[u8] = b"[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n";
const HEAD: &[u8] = b"ref: refs/heads/main\n";
const DRAFT_PREFIX: &str = ".git.draft-";

impl GitGraph {
    /// Opens the store at `path`, or makes one there.
    ///
    /// What may be there: nothing, a directory without a repository, a store, a clone of one made with `git clone` (bare
    /// or not), or a repository without commits. A clone with a work tree is only made bare when it is first written to.
    ///
    /// # Errors
    /// [`Error::NotAStore`] for a file, a repository with other history, a store of the published package 0.4.1;
    /// [`Error::NewerFormat`] for a store made by a later version; [`Error::Io`] when the file system fails.
    pub fn open_or_init(path: impl Into<PathBuf>, options: &GitOptions) -> Result<Self> {
        let path = path.into();
        match find_git_dir(&path)? {
            Some(git_dir) => Self::open_found(path, &git_dir, options),
            None => {
                init(&path)?;
                let git_dir = path.join(".git");
                Self::open_found(path, &git_dir, options)
            }
        }
    }

    /// Opens the store at `path`; `None` when there is no repository.
    ///
    /// # Errors
    /// As [`GitGraph::open_or_init`].
    pub fn open(path: impl Into<PathBuf>, options: &GitOptions) -> Result<Option<Self>> {
        let path = path.into();
        match find_git_dir(&path)? {
            Some(git_dir) => Self::open_found(path, &git_dir, options).map(Some),
            None => Ok(None),
        }
    }

    fn open_found(path: PathBuf, git_dir: &Path, options: &GitOptions) -> Result<Self> {
        // A relative path must not change its meaning with the working directory.
        let git_dir = git_dir.canonicalize().map_err(|error| Error::io("open", git_dir, error))?;
        let config = RepositoryConfig::read(&git_dir)?;
        config.check_layout(&path)?;
        let refs = RefFiles::open(git_dir.clone(), config.logs_refs()?)?;
        let odb = ObjectDb::open(git_dir.join("objects"))?;
        let graph = Self {
            path,
            layout: Layout::new(&git_dir),
            journalled: options.commit_journal,
            objects: Arc::new(Objects::new(odb, refs, options.cache_bytes)),
            writer: Mutex::new(Writer::default()),
            commits: Mutex::new(HashMap::new()),
        };
        if CommitJournal::is_waiting(&graph.layout)? {
            graph.write()?;
        }
        graph.check_history()?;
        Ok(graph)
    }

    /// Refuses a repository that holds something else.
    fn check_history(&self) -> Result<()> {
        let refs = &self.objects.refs;
        let tip = match refs.head()? {
            Head::Branch(name) => refs.resolve(&name)?.map(|named| named.id),
            Head::Detached(id) => super::commit::object_id(&id),
        };
        if let Some(id) = tip {
            return self.check_commit(&id);
        }
        // HEAD is on a branch without commits, as in a clone of which only other branches are there.
        let mut foreign = None;
        for named in refs.list("refs/")?.into_values() {
            let Some(id) = self.peel(named.id)? else { continue };
            match self.check_commit(&id) {
                Err(error @ Error::NotAStore { .. }) => foreign = Some(error),
                other => return other,
            }
        }
        foreign.map_or_else(|| self.check_index(), Err)
    }

    fn check_commit(&self, id: &ObjectId) -> Result<()> {
        let id = super::commit::commit_id(*id);
        match self.load_commit(&id) {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(Error::MissingCommit { id }),
            Err(Error::ForeignCommit { id, .. }) => Err(Error::NotAStore {
                path: self.path.clone(),
                reason: format!(
                    "it is a Git repository with other history (commit {id}); use a sub-directory of it for the store"
                ),
            }),
            Err(error) => Err(error),
        }
    }

    /// Refuses a repository without commits in which somebody is preparing the first one.
    fn check_index(&self) -> Result<()> {
        if super::bare::index_entries(self.git_dir())?.is_empty() {
            return Ok(());
        }
        Err(Error::NotAStore {
            path: self.path.clone(),
            reason: "it is a Git repository with files in its index; use a sub-directory of it for the store"
                .to_owned(),
        })
    }

    /// Points HEAD of the repository.
    pub(super) fn head_target(head: &Head) -> Result<Target> {
        match head {
            Head::Branch(name) => Ok(Target::Ref(name.clone())),
            Head::Detached(id) => {
                super::commit::object_id(id).map(Target::Object).ok_or(Error::MissingCommit { id: *id })
            }
        }
    }
}

/// The Git directory of what is at `path`; `None` when no repository is there, but one can be made.
fn find_git_dir(path: &Path) -> Result<Option<PathBuf>> {
    let refuse = |reason: &str| Err(Error::NotAStore { path: path.to_owned(), reason: reason.to_owned() });
    let Some(found) = files::followed(path)? else { return Ok(None) };
    if !found.is_dir() {
        return refuse("it is a file");
    }
    let nested = path.join(".git");
    match files::followed(&nested)? {
        Some(found) if !found.is_dir() => {
            return refuse(
                "its .git is a file: it is a work tree of a repository elsewhere; use a sub-directory of it",
            );
        }
        Some(_) if is_git_dir(&nested)? => return Ok(Some(nested)),
        Some(_) => return refuse("its .git is not a Git repository: HEAD, objects or refs is missing"),
        None => {}
    }
    if is_git_dir(path)? {
        return Ok(Some(path.to_owned()));
    }
    for name in OLD_FILES {
        if files::metadata(&path.join(name))?.is_some() {
            return refuse(&format!(
                "{name} shows that prollytree 0.4 or older made it; export its keys and values with that version \
                 (get_keys_at_ref for every commit of interest), and insert them into a store at a new path"
            ));
        }
    }
    Ok(None)
}

fn is_git_dir(path: &Path) -> Result<bool> {
    let is_dir =
        |name: &str| Ok::<_, Error>(files::followed(&path.join(name))?.is_some_and(|found| found.is_dir()));
    Ok(files::metadata(&path.join("HEAD"))?.is_some() && is_dir("objects")? && is_dir("refs")?)
}

/// Makes an empty repository in `path/.git`, if nobody else does so first: what they make is as good.
fn init(path: &Path) -> Result<()> {
    files::create_dir_all(path)?;
    let thread = std::thread::current().id();
    let draft = path.join(format!("{DRAFT_PREFIX}{}-{thread:?}", std::process::id()));
    let made = make_from_draft(path, &draft);
    if made.is_err() {
        files::remove_dir_all(&draft)?;
        if is_git_dir(&path.join(".git"))? {
            return Ok(());
        }
    }
    made
}

fn make_from_draft(path: &Path, draft: &Path) -> Result<()> {
    // Its lock is held until the draft is no longer one.
    let lock = fill_draft(draft)?;
    files::rename(draft, &path.join(".git"))?;
    files::sync_dir(path)?;
    drop(lock);
    // From here on nobody needs another draft, whether its maker died or not.
    remove_drafts(path)
}

fn fill_draft(draft: &Path) -> Result<StoreLock> {
    let layout = Layout::new(draft);
    layout.create_dirs()?;
    let lock = StoreLock::acquire(&layout.lock())?;
    layout.create_token()?;
    for dir in ["objects/info", "objects/pack", "refs/heads", "refs/tags"] {
        files::create_dir_all(&draft.join(dir))?;
    }
    files::write_synced(&draft.join("config"), CONFIG)?;
    files::write_synced(&draft.join("HEAD"), HEAD)?;
    for dir in ["objects", "refs", "prollytree", ""] {
        files::sync_dir(&draft.join(dir))?;
    }
    Ok(lock)
}

/// Removes drafts of repositories, but for those that somebody is working at.
fn remove_drafts(path: &Path) -> Result<()> {
    for (name, kind) in files::list(path)? {
        let draft = path.join(&name);
        if !kind.is_dir() || !name.starts_with(DRAFT_PREFIX) {
            continue;
        }
        let lock = Layout::new(&draft).lock();
        if files::metadata(&lock)?.is_none() || StoreLock::try_acquire(&lock)?.is_some() {
            files::remove_dir_all(&draft)?;
        }
    }
    Ok(())
}
