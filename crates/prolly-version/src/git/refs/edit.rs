//! Moves refs by compare-and-swap, one or several at once.
//!
//! Against plain Git each ref is locked as Git does it, by a file `<ref>.lock`. Ours are hard links to one file of the
//! store, the token: so they come into being whole, and those of a dead owner can be told from Git's.
//!
//! **Invariant:** when [`Prepared::commit`] returns, the moves are durable if they were to be. Several refs move together even if the process
//! dies in between: the next owner of the store's lock finishes what the journal says.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use gix_hash::ObjectId;

use super::{
    super::{
        commit::commit_id,
        files::{self, NewFile},
        layout::Layout,
    },
    RefFiles, Target, check_name,
    dirs::{make_parents, remove_empty_dirs, remove_empty_parents},
    recover::encode_journal,
};
use crate::{Error, Result};

/// How long somebody else's lock is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// Refs whose log is begun when the repository's configuration asks for logs.
const LOGGED: [&str; 3] = ["refs/heads/", "refs/remotes/", "refs/notes/"];

/// What one ref shall go from and to.
#[derive(Clone, Debug)]
pub(in super::super) struct Move {
    pub(in super::super) name: String,
    pub(in super::super) expected: Option<ObjectId>,
    pub(in super::super) new: Option<ObjectId>,
    /// Who, when and why, as the log of a ref has it after the two ids.
    pub(in super::super) log: String,
}

/// Finds the commit that an annotated tag leads to.
pub(in super::super) type Peel<'a> = &'a dyn Fn(ObjectId) -> Result<Option<ObjectId>>;

/// Moves that are about to be made, their new values written to files that may not be durable yet.
pub(in super::super) struct Staged {
    /// Sorted by name.
    moves: Vec<Move>,
    values: Vec<NewFile>,
}

/// Refs that are locked and hold what was expected.
pub(in super::super) struct Prepared<'a> {
    refs: &'a RefFiles,
    layout: &'a Layout,
    moves: Vec<Move>,
    locks: Vec<LockFile>,
}

/// A lock file of ours, removed when dropped.
struct LockFile {
    path: PathBuf,
}

impl Drop for LockFile {
    fn drop(&mut self) {
        // A lock file that stays is removed by the next who takes the store's lock.
        drop(files::remove(&self.path));
    }
}

impl Staged {
    /// Whether one ref is to be moved, and none deleted.
    pub(in super::super) fn is_single_move(&self) -> bool {
        self.moves.len() == 1 && self.values.len() == 1
    }

    /// The files that have to be durable before the moves are made.
    pub(in super::super) fn files(&self) -> impl Iterator<Item = &NewFile> {
        self.values.iter()
    }
}

impl RefFiles {
    /// Makes moves, all of them or none.
    ///
    /// # Errors
    /// As [`RefFiles::prepare`] and [`Prepared::commit`].
    pub(in super::super) fn make(&self, layout: &Layout, moves: Vec<Move>, peel: Peel<'_>) -> Result<()> {
        self.check(&moves, peel)?;
        let staged = self.stage(layout, moves)?;
        files::sync_together(&staged.files().collect::<Vec<_>>())?;
        self.prepare(layout, staged, peel)?.commit(true)
    }

    /// Checks that refs hold what is expected and that new ones have room, without locking them.
    ///
    /// Returns what each of them holds: an annotated tag is expected by the commit it leads to.
    pub(in super::super) fn check(&self, moves: &[Move], peel: Peel<'_>) -> Result<Vec<Option<ObjectId>>> {
        let mut held = Vec::with_capacity(moves.len());
        for wanted in moves {
            check_name(&wanted.name)?;
            held.push(self.expect(wanted, peel)?);
            if wanted.expected.is_none() && wanted.new.is_some() {
                self.expect_room(&wanted.name, moves)?;
            }
        }
        Ok(held)
    }

    /// Writes the new values of refs to temporary files.
    pub(in super::super) fn stage(&self, layout: &Layout, mut moves: Vec<Move>) -> Result<Staged> {
        moves.sort_by(|a, b| a.name.cmp(&b.name));
        if let Some(pair) = moves.windows(2).find(|pair| pair[0].name == pair[1].name) {
            let name = pair[0].name.clone();
            return Err(Error::InvalidRefName { name, reason: "it is edited twice at once" });
        }
        let mut values = Vec::with_capacity(moves.len());
        for (index, wanted) in moves.iter().enumerate() {
            if let Some(new) = wanted.new {
                let mut file = NewFile::create(&layout.temporary_ref(index))?;
                file.write_all(format!("{new}\n").as_bytes())?;
                values.push(file);
            }
        }
        Ok(Staged { moves, values })
    }

    /// Locks refs and checks them; the files of the staged moves are durable.
    ///
    /// # Errors
    /// [`Error::RefMoved`], [`Error::RefNameTaken`], or [`Error::Locked`] when somebody else keeps one locked.
    pub(in super::super) fn prepare<'a>(
        &'a self,
        layout: &'a Layout,
        staged: Staged,
        peel: Peel<'_>,
    ) -> Result<Prepared<'a>> {
        let mut prepared = Prepared { refs: self, layout, moves: staged.moves, locks: Vec::new() };
        for wanted in &prepared.moves {
            let path = self.git_dir.join(&wanted.name);
            // A ref that exists may be a packed one, and have no directory either.
            if files::metadata(&path)?.is_none() {
                make_parents(&self.git_dir, &path)?;
            }
            prepared.locks.push(LockFile::take(layout, &path)?);
        }
        let held = self.check(&prepared.moves, peel)?;
        prepared.moves.iter_mut().zip(held).for_each(|(wanted, held)| wanted.expected = held);
        Ok(prepared)
    }

    /// Makes a ref name an object, durably, whatever it holds: what a power cut left in it counts for nothing.
    pub(in super::super) fn set(&self, layout: &Layout, name: &str, new: &ObjectId) -> Result<()> {
        check_name(name)?;
        let path = self.git_dir.join(name);
        make_parents(&self.git_dir, &path)?;
        let _lock = LockFile::take(layout, &path)?;
        files::replace(&layout.temporary_ref(0), &path, format!("{new}\n").as_bytes())
    }

    /// Checks what a ref holds, and returns it.
    pub(super) fn expect(&self, wanted: &Move, peel: Peel<'_>) -> Result<Option<ObjectId>> {
        let held = match self.read(&wanted.name)? {
            None => None,
            Some((Target::Object(id), _)) => Some(id),
            Some((Target::Ref(next), _)) => {
                let reason = format!("it stands for {next}; edit that");
                return Err(Error::DamagedRef { name: wanted.name.clone(), reason });
            }
        };
        if held == wanted.expected {
            return Ok(held);
        }
        let found = match held {
            Some(id) => peel(id)?.or(Some(id)),
            None => None,
        };
        if found.is_some() && found == wanted.expected {
            return Ok(held);
        }
        Err(Error::RefMoved {
            name: wanted.name.clone(),
            expected: wanted.expected.map(commit_id),
            found: found.map(commit_id),
        })
    }

    /// Checks that no other ref's name is a directory of this one, or the other way round.
    fn expect_room(&self, name: &str, moves: &[Move]) -> Result<()> {
        let taken =
            |existing: &str| Error::RefNameTaken { name: name.to_owned(), existing: existing.to_owned() };
        for (end, _) in name.match_indices('/').skip(1) {
            if self.read(&name[..end])?.is_some() {
                return Err(taken(&name[..end]));
            }
        }
        let below = format!("{name}/");
        if let Some((existing, _)) = self.list(&below)?.first_key_value() {
            return Err(taken(existing));
        }
        match moves.iter().find(|other| other.new.is_some() && other.name.starts_with(&below)) {
            Some(other) => Err(taken(&other.name)),
            None => Ok(()),
        }
    }

    /// Points HEAD at a branch or at a commit.
    pub(in super::super) fn set_head(&self, layout: &Layout, target: &Target) -> Result<()> {
        let content = match target {
            Target::Ref(name) => {
                check_name(name)?;
                format!("ref: {name}\n")
            }
            Target::Object(id) => format!("{id}\n"),
        };
        let head = self.git_dir.join("HEAD");
        let _lock = LockFile::take(layout, &head)?;
        files::replace(&layout.temporary_ref(0), &head, content.as_bytes())
    }

    fn log(&self, wanted: &Move) -> Result<()> {
        if !self.keeps_logs()? {
            return Ok(());
        }
        let null = ObjectId::null(gix_hash::Kind::Sha1);
        let line = format!(
            "{} {} {}\n",
            wanted.expected.unwrap_or(null),
            wanted.new.unwrap_or(null),
            wanted.log.replace('\n', " ")
        );
        let path = self.git_dir.join("logs").join(&wanted.name);
        let exists = files::metadata(&path)?.is_some_and(|found| found.is_file());
        if exists || (self.log_all && LOGGED.iter().any(|prefix| wanted.name.starts_with(prefix))) {
            files::create_dir_all(files::parent(&path))?;
            files::append(&path, line.as_bytes())?;
        }
        let head_log = self.git_dir.join("logs/HEAD");
        let on_head = matches!(self.read_loose("HEAD")?, Some(Target::Ref(name)) if name == wanted.name);
        if on_head && files::metadata(&head_log)?.is_some() {
            files::append(&head_log, line.as_bytes())?;
        }
        Ok(())
    }

    /// Makes one move; its new value is in `temporary`. Making it again changes nothing.
    fn apply(&self, wanted: &Move, temporary: &Path, durable: bool) -> Result<()> {
        let path = self.git_dir.join(&wanted.name);
        if wanted.new.is_some() {
            if wanted.expected.is_none() {
                remove_empty_dirs(&path)?;
            }
            files::rename(temporary, &path)?;
        } else {
            files::remove(&path)?;
            files::remove(&self.git_dir.join("logs").join(&wanted.name))?;
        }
        if durable { files::sync_dir(files::parent(&path)) } else { Ok(()) }
    }

    /// Takes refs out of `packed-refs`, which comes before their files are removed.
    fn remove_packed(&self, layout: &Layout, names: &[&str]) -> Result<()> {
        if names.is_empty() || self.packed()?.without(names).is_none() {
            return Ok(());
        }
        let path = self.git_dir.join("packed-refs");
        let _lock = LockFile::take(layout, &path)?;
        match self.packed()?.without(names) {
            Some(content) => files::replace(&layout.temporary("packed-refs"), &path, content.as_bytes()),
            None => Ok(()),
        }
    }
}

impl Prepared<'_> {
    /// The moves, each with what its ref holds.
    pub(in super::super) fn moves(&self) -> &[Move] {
        &self.moves
    }

    /// Makes the moves, durably or not.
    ///
    /// # Errors
    /// When the file system fails; then the refs may have moved.
    pub(in super::super) fn commit(self, durable: bool) -> Result<()> {
        let journal = self.layout.ref_journal();
        let several = self.moves.len() > 1;
        for wanted in self.moves.iter().filter(|wanted| wanted.new.is_some()) {
            self.refs.log(wanted)?;
        }
        if several {
            files::replace(
                &self.layout.temporary("ref-journal"),
                &journal,
                encode_journal(&self.moves).as_bytes(),
            )?;
        }
        let deleted: Vec<_> = self
            .moves
            .iter()
            .filter(|wanted| wanted.new.is_none())
            .map(|wanted| wanted.name.as_str())
            .collect();
        self.refs.remove_packed(self.layout, &deleted)?;
        for (index, wanted) in self.moves.iter().enumerate() {
            self.refs.apply(wanted, &self.layout.temporary_ref(index), durable)?;
        }
        if several {
            files::remove(&journal)?;
        }
        let Self { refs, moves, locks, .. } = self;
        drop(locks);
        for wanted in moves.iter().filter(|wanted| wanted.new.is_none()) {
            remove_empty_parents(&refs.git_dir, &wanted.name)?;
        }
        Ok(())
    }
}

impl LockFile {
    /// Locks `path` as Git does.
    fn take(layout: &Layout, path: &Path) -> Result<Self> {
        let lock = lock_path(path);
        let begun = Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            if files::link(&layout.token(), &lock)? {
                return Ok(Self { path: lock });
            }
            if begun.elapsed() > PATIENCE {
                return Err(Error::Locked { path: lock });
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }
}

fn lock_path(path: &Path) -> PathBuf {
    let mut lock = path.as_os_str().to_owned();
    lock.push(".lock");
    lock.into()
}
