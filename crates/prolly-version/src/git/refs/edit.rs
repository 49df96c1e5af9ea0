//! Moves refs by compare-and-swap, one or several at once.
//!
//! Against plain Git each ref is locked as Git does it, by a file `<ref>.lock`. Ours are hard links to one file of the
//! store, the token: so they come into being whole, and those of a dead owner can be told from Git's.
//!
//! **Invariant:** when [`Prepared::commit`] returns, the moves are durable. Several refs move together even if the process
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
        self.prepare(layout, staged, peel)?.commit()
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
        let moves = staged.moves;
        self.check(&moves, peel)?;
        let mut prepared = Prepared { refs: self, layout, moves, locks: Vec::new() };
        for wanted in &prepared.moves {
            let path = self.git_dir.join(&wanted.name);
            make_parents(&self.git_dir, &path)?;
            prepared.locks.push(LockFile::take(layout, &path)?);
        }
        let held = self.check(&prepared.moves, peel)?;
        prepared.moves.iter_mut().zip(held).for_each(|(wanted, held)| wanted.expected = held);
        Ok(prepared)
    }

    /// Checks what a ref holds, and returns it.
    fn expect(&self, wanted: &Move, peel: Peel<'_>) -> Result<Option<ObjectId>> {
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
    fn apply(&self, wanted: &Move, temporary: &Path) -> Result<()> {
        let path = self.git_dir.join(&wanted.name);
        if wanted.new.is_some() {
            remove_empty_dirs(&path)?;
            files::rename(temporary, &path)?;
        } else {
            files::remove(&path)?;
            files::remove(&self.git_dir.join("logs").join(&wanted.name))?;
        }
        files::sync_dir(files::parent(&path))
    }

    /// Takes refs out of `packed-refs`, which comes before their files are removed.
    fn remove_packed(&self, layout: &Layout, names: &[&str]) -> Result<()> {
        if self.packed()?.without(names).is_none() {
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
    /// Makes the moves.
    ///
    /// # Errors
    /// When the file system fails; then the refs may have moved.
    pub(in super::super) fn commit(self) -> Result<()> {
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
            self.refs.apply(wanted, &self.layout.temporary_ref(index))?;
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

/// Finishes or clears away what an owner of the store's lock left behind when it died. The lock must be held.
pub(in super::super) fn recover(refs: &RefFiles, layout: &Layout) -> Result<()> {
    if layout.token_is_linked()? {
        let mut names = Vec::new();
        find_locks(&refs.git_dir, "refs", &mut names)?;
        names.extend(["HEAD.lock", "packed-refs.lock", "config.lock"].map(str::to_owned));
        for name in names {
            let path = refs.git_dir.join(name);
            if files::same_file(&layout.token(), &path)? {
                files::remove(&path)?;
            }
        }
    }
    let journal = layout.ref_journal();
    let Some(bytes) = files::read(&journal)? else { return Ok(()) };
    let damaged =
        || Error::DamagedFile { path: journal.clone(), reason: "it does not list moves".to_owned() };
    let moves = decode_journal(&bytes).ok_or_else(damaged)?;
    let no_peel = |_| Ok(None);
    let pending: Vec<Move> =
        moves.into_iter().filter(|wanted| refs.expect(wanted, &no_peel).is_ok()).collect();
    // One at a time: a second journal would overwrite this one.
    for wanted in pending {
        refs.make(layout, vec![wanted], &no_peel)?;
    }
    files::remove(&journal)?;
    files::sync_dir(files::parent(&journal))
}

fn encode_journal(moves: &[Move]) -> String {
    let text = |id: Option<ObjectId>| id.map_or_else(|| "-".to_owned(), |id| id.to_string());
    moves
        .iter()
        .map(|wanted| {
            format!(
                "{} {} {}\t{}\n",
                text(wanted.expected),
                text(wanted.new),
                wanted.name,
                wanted.log.replace('\n', " ")
            )
        })
        .collect()
}

fn decode_journal(bytes: &[u8]) -> Option<Vec<Move>> {
    let id = |text: &str| match text {
        "-" => Some(None),
        hex => ObjectId::from_hex(hex.as_bytes()).ok().map(Some),
    };
    std::str::from_utf8(bytes)
        .ok()?
        .lines()
        .map(|line| {
            let (edit, log) = line.split_once('\t')?;
            let mut fields = edit.splitn(3, ' ');
            let (expected, new, name) = (fields.next()?, fields.next()?, fields.next()?);
            Some(Move { name: name.to_owned(), expected: id(expected)?, new: id(new)?, log: log.to_owned() })
        })
        .collect()
}

fn lock_path(path: &Path) -> PathBuf {
    let mut lock = path.as_os_str().to_owned();
    lock.push(".lock");
    lock.into()
}

fn find_locks(git_dir: &Path, dir: &str, out: &mut Vec<String>) -> Result<()> {
    for (entry, kind) in files::list(&git_dir.join(dir))? {
        let name = format!("{dir}/{entry}");
        if kind.is_dir() {
            find_locks(git_dir, &name, out)?;
        } else if name.ends_with(".lock") {
            out.push(name);
        }
    }
    Ok(())
}

/// Makes the directories above a ref, durably.
fn make_parents(git_dir: &Path, path: &Path) -> Result<()> {
    let dir = files::parent(path);
    if files::metadata(dir)?.is_some() {
        return Ok(());
    }
    files::create_dir_all(dir)?;
    for above in dir.ancestors().skip(1).take_while(|above| above.starts_with(git_dir)) {
        files::sync_dir(above)?;
    }
    Ok(())
}

/// Removes the empty directories that deleted refs left where a ref is to be.
fn remove_empty_dirs(path: &Path) -> Result<()> {
    if !files::metadata(path)?.is_some_and(|found| found.is_dir()) {
        return Ok(());
    }
    for (entry, kind) in files::list(path)? {
        if kind.is_dir() {
            remove_empty_dirs(&path.join(entry))?;
        }
    }
    files::remove_empty_dir(path).map(drop)
}

/// Removes the directories that a deleted ref leaves empty, but for `refs/heads` and its like.
fn remove_empty_parents(git_dir: &Path, name: &str) -> Result<()> {
    for (slash, _) in name.rmatch_indices('/') {
        let dir = &name[..slash];
        if dir.matches('/').count() < 2 || !files::remove_empty_dir(&git_dir.join(dir))? {
            break;
        }
    }
    Ok(())
}
