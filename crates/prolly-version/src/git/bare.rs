//! Makes a clone with a work tree bare: the store's own state is its refs, and Git's index must not contradict them.
//!
//! **Invariant:** only files that are exactly those of the commit checked out are removed, and only when Git's index holds
//! nothing else. Done twice, or interrupted and done again, it comes to the same.

use std::path::Path;

use gix_hash::ObjectId;
use gix_object::Kind;

use super::{
    GitGraph,
    config::RepositoryConfig,
    files,
    layout::Layout,
    object,
    odb::{ObjectDb, id_of},
};
use crate::{Error, Head, Result};

/// A file that Git's index lists, by its path from the root of the work tree.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct IndexedFile {
    path: String,
    id: ObjectId,
}

impl GitGraph {
    /// Makes the repository bare, if it is not. The store's lock must be held.
    ///
    /// # Errors
    /// [`Error::WorkTreeInUse`] when Git's index holds changes that are in no commit.
    pub(super) fn make_bare(&self) -> Result<()> {
        let config = RepositoryConfig::read(self.git_dir())?;
        // A repository whose directory is the store's own has no work tree, whatever its configuration says.
        if config.is_bare()? || self.git_dir().file_name().is_none_or(|name| name != ".git") {
            return Ok(());
        }
        let work_tree = files::parent(self.git_dir());
        let indexed = index_entries(self.git_dir())?;
        if !indexed.is_empty() {
            if indexed != self.checked_out()? {
                return Err(Error::WorkTreeInUse {
                    path: self.path.clone(),
                    reason:
                        "Git's index differs from the commit checked out; commit or reset it with git first"
                            .to_owned(),
                });
            }
            remove_unmodified(work_tree, &indexed)?;
        }
        files::remove(&self.git_dir().join("index"))?;
        replace_config(self.git_dir(), &self.layout, &config.marked_bare()?)
    }

    /// The files of the commit that HEAD names, in the order of Git's index.
    fn checked_out(&self) -> Result<Vec<IndexedFile>> {
        let refs = &self.objects.refs;
        let tip = match refs.head()? {
            Head::Branch(name) => refs.resolve(&name)?.map(|named| named.id),
            Head::Detached(id) => super::commit::object_id(&id),
        };
        let Some(tip) = tip else { return Ok(Vec::new()) };
        let id = super::commit::commit_id(tip);
        let mut buffer = Vec::new();
        self.objects.odb.find_verified(&tip, &mut buffer)?.ok_or(Error::MissingCommit { id })?;
        let tree = super::commit::decode(&id, &buffer)?.tree;
        files_below(&self.objects.odb, tree)
    }
}

/// All files below a Git tree, in the order of Git's index.
fn files_below(odb: &ObjectDb, tree: ObjectId) -> Result<Vec<IndexedFile>> {
    let mut out = Vec::new();
    let mut open = vec![(String::new(), object::Stored { id: tree, is_tree: true })];
    let mut buffer = Vec::new();
    while let Some((path, found)) = open.pop() {
        if !found.is_tree {
            out.push(IndexedFile { path, id: found.id });
            continue;
        }
        let lost = |reason: String| Error::GitObject {
            action: "read",
            object: found.id.to_string(),
            source: reason.into(),
        };
        odb.find_verified(&found.id, &mut buffer)?.ok_or_else(|| lost("it is missing".to_owned()))?;
        let dir = if path.is_empty() { path } else { path + "/" };
        let entries = object::entries(&buffer).map_err(lost)?;
        open.extend(
            entries
                .iter()
                .rev()
                .map(|(name, entry)| (format!("{dir}{}", String::from_utf8_lossy(name)), *entry)),
        );
    }
    Ok(out)
}

/// What Git's index lists; nothing when there is no index.
pub(super) fn index_entries(git_dir: &Path) -> Result<Vec<IndexedFile>> {
    let path = git_dir.join("index");
    if files::metadata(&path)?.is_none() {
        return Ok(Vec::new());
    }
    let index =
        gix_index::File::at(&path, gix_hash::Kind::Sha1, false, gix_index::decode::Options::default())
            .map_err(|error| Error::DamagedFile { path, reason: error.to_string() })?;
    let entry = |entry: &gix_index::Entry| IndexedFile {
        path: String::from_utf8_lossy(entry.path(&index)).into_owned(),
        id: entry.id,
    };
    Ok(index.entries().iter().map(entry).collect())
}

/// Removes the files that are as they were checked out, and directories that this leaves empty.
fn remove_unmodified(work_tree: &Path, indexed: &[IndexedFile]) -> Result<()> {
    for file in indexed {
        if file.path.split('/').any(|part| matches!(part, "" | "." | ".." | ".git")) {
            continue;
        }
        let path = work_tree.join(&file.path);
        // Not through links: what they lead to is not ours.
        if files::metadata(&path)?.is_some_and(|found| found.is_file())
            && let Some(content) = files::read(&path)?
            && id_of(Kind::Blob, &content)? == file.id
        {
            files::remove(&path)?;
            for dir in path.ancestors().skip(1).take_while(|dir| *dir != work_tree) {
                if !files::remove_empty_dir(dir)? {
                    break;
                }
            }
        }
    }
    Ok(())
}

/// Replaces the configuration file as Git does it, under its lock.
fn replace_config(git_dir: &Path, layout: &Layout, content: &[u8]) -> Result<()> {
    let path = git_dir.join("config");
    let lock = git_dir.join("config.lock");
    if !files::link(&layout.token(), &lock)? {
        return Err(Error::Locked { path: lock });
    }
    let replaced = files::replace(&layout.temporary("config"), &path, content);
    files::remove(&lock)?;
    replaced
}
