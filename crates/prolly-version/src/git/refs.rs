//! Reads refs: loose files over `packed-refs`, as Git does.
//!
//! **Invariant:** a loose ref is looked for before the packed one, so that one which Git packs at this moment is seen
//! in one place or the other.

mod dirs;
mod edit;
mod packed;
mod recover;

use std::{
    collections::{BTreeMap, HashSet},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use gix_hash::ObjectId;

pub(super) use edit::{Move, Staged};
use packed::Packed;
pub(super) use recover::recover;

use super::{commit::commit_id, files};
use crate::{Error, Head, Result};

/// How many refs that only name other refs are followed.
const SYMBOLIC_DEPTH_MAX: usize = 5;
const SYMBOLIC: &str = "ref: ";
const REFS: &str = "refs/";

/// The refs of one repository.
pub(super) struct RefFiles {
    git_dir: PathBuf,
    packed: Mutex<Option<Arc<Packed>>>,
    /// Whether the configuration asks for logs of refs.
    log_all: bool,
    /// Commits whose parents a shallow clone left behind.
    shallow: HashSet<ObjectId>,
}

/// What the file of a ref holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Object(ObjectId),
    Ref(String),
}

/// A ref: the object it names, and what an annotated tag leads to where `packed-refs` says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) id: ObjectId,
    pub(super) peeled: Option<ObjectId>,
}

impl RefFiles {
    pub(super) fn open(git_dir: PathBuf, log_all: bool) -> Result<Self> {
        let path = git_dir.join("shallow");
        let mut shallow = HashSet::new();
        for line in files::read(&path)?.unwrap_or_default().split(|byte| *byte == b'\n') {
            if !line.is_empty() {
                let reason = || format!("{:?} is not an object id", String::from_utf8_lossy(line));
                let id = ObjectId::from_hex(line)
                    .map_err(|_| Error::DamagedFile { path: path.clone(), reason: reason() })?;
                shallow.insert(id);
            }
        }
        Ok(Self { git_dir, packed: Mutex::new(None), log_all, shallow })
    }

    pub(super) fn git_dir(&self) -> &Path {
        &self.git_dir
    }

    /// The parents of a commit that this repository has: none where a shallow clone ends.
    pub(super) fn parents<T>(&self, id: &ObjectId, parents: Vec<T>) -> Vec<T> {
        if self.shallow.contains(id) { Vec::new() } else { parents }
    }

    /// Whether moves of refs may have to be logged.
    pub(super) fn keeps_logs(&self) -> Result<bool> {
        Ok(self.log_all || files::metadata(&self.git_dir.join("logs"))?.is_some())
    }

    /// Follows a ref to the object it names; `None` when there is none.
    pub(super) fn resolve(&self, name: &str) -> Result<Option<Named>> {
        let mut name = name.to_owned();
        for _ in 0..SYMBOLIC_DEPTH_MAX {
            match self.read(&name)? {
                None => return Ok(None),
                Some((Target::Object(id), peeled)) => return Ok(Some(Named { id, peeled })),
                Some((Target::Ref(next), _)) => name = next,
            }
        }
        Err(Error::DamagedRef {
            name,
            reason: format!("more than {SYMBOLIC_DEPTH_MAX} refs name each other"),
        })
    }

    /// What a ref holds, without following it.
    fn read(&self, name: &str) -> Result<Option<(Target, Option<ObjectId>)>> {
        if let Some(target) = self.read_loose(name)? {
            return Ok(Some((target, None)));
        }
        let packed = self.packed()?;
        Ok(packed.get(name).map(|named| (Target::Object(named.id), named.peeled)))
    }

    fn read_loose(&self, name: &str) -> Result<Option<Target>> {
        let path = self.git_dir.join(name);
        let bytes = match files::read(&path) {
            // A directory of refs that begin with this name.
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::IsADirectory => None,
            other => other?,
        };
        bytes.map(|bytes| parse(name, &bytes)).transpose()
    }

    /// All refs whose names begin with `prefix`, by name. Those that name a ref which does not exist are left out.
    pub(super) fn list(&self, prefix: &str) -> Result<BTreeMap<String, Named>> {
        let mut names = Vec::new();
        // Only directories that can hold such names are visited.
        let dir = prefix.rfind('/').map_or(REFS, |slash| &prefix[..=slash]);
        if dir.starts_with(REFS) && self.is_inside(dir) {
            self.walk(dir, prefix, &mut names)?;
        }
        let mut out: BTreeMap<String, Named> = self.packed()?.with_prefix(prefix).collect();
        for name in names {
            if let Some(named) = self.resolve(&name)? {
                out.insert(name, named);
            }
        }
        Ok(out)
    }

    /// What all refs and HEAD name, sorted: everything that must stay.
    pub(super) fn tips(&self) -> Result<Vec<ObjectId>> {
        let mut tips: Vec<_> = self.list(REFS)?.into_values().map(|named| named.id).collect();
        if let Some(Target::Object(id)) = self.read_loose("HEAD")? {
            tips.push(id);
        }
        tips.sort_unstable();
        tips.dedup();
        Ok(tips)
    }

    /// Where HEAD stands.
    pub(super) fn head(&self) -> Result<Head> {
        match self.read_loose("HEAD")? {
            Some(Target::Ref(name)) => Ok(Head::Branch(name)),
            Some(Target::Object(id)) => Ok(Head::Detached(commit_id(id))),
            None => {
                let reason = "the file is missing".to_owned();
                Err(Error::DamagedFile { path: self.git_dir.join("HEAD"), reason })
            }
        }
    }

    fn walk(&self, dir: &str, prefix: &str, out: &mut Vec<String>) -> Result<()> {
        for (entry, kind) in files::list(&self.git_dir.join(dir))? {
            let name = format!("{dir}{entry}");
            if kind.is_dir() {
                let below = format!("{name}/");
                if below.starts_with(prefix) || prefix.starts_with(&below) {
                    self.walk(&below, prefix, out)?;
                }
            } else if name.starts_with(prefix) && !name.ends_with(".lock") {
                out.push(name);
            }
        }
        Ok(())
    }

    /// Whether a directory named by a prefix cannot lie outside of `refs`.
    fn is_inside(&self, dir: &str) -> bool {
        dir.split('/').all(|part| part != ".." && part != ".") && !dir.contains('\0')
    }

    /// `packed-refs`, read again when it changed.
    fn packed(&self) -> Result<Arc<Packed>> {
        let mut packed = self.packed.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.git_dir.join("packed-refs");
        let stamp = packed::Stamp::of(&path)?;
        if let Some(known) = packed.as_ref().filter(|known| known.stamp == stamp) {
            return Ok(Arc::clone(known));
        }
        let fresh = Arc::new(Packed::read(&path, stamp)?);
        *packed = Some(Arc::clone(&fresh));
        Ok(fresh)
    }
}

/// Reads the content of a loose ref.
fn parse(name: &str, bytes: &[u8]) -> Result<Target> {
    let damaged = || Error::DamagedRef {
        name: name.to_owned(),
        reason: format!("its file holds {:?}", String::from_utf8_lossy(bytes)),
    };
    let text = std::str::from_utf8(bytes).map_err(|_| damaged())?.trim_end_matches(['\n', '\r', ' ']);
    match text.strip_prefix(SYMBOLIC) {
        Some(target) if is_safe(target.trim_start()) => Ok(Target::Ref(target.trim_start().to_owned())),
        Some(_) => Err(damaged()),
        None => ObjectId::from_hex(text.as_bytes()).map(Target::Object).map_err(|_| damaged()),
    }
}

/// Whether a name is that of a ref and of no other file.
fn is_safe(name: &str) -> bool {
    name.starts_with(REFS)
        && !name.contains(['\0', '\\', '\n'])
        && name
            .split('/')
            .all(|part| !part.is_empty() && part != "." && part != ".." && !part.ends_with(".lock"))
}

/// Refuses names that are not those of refs: the last line of defence before a path is made of them.
fn check_name(name: &str) -> Result<()> {
    if is_safe(name) {
        return Ok(());
    }
    Err(Error::InvalidRefName { name: name.to_owned(), reason: "it must be a full ref name below refs/" })
}
