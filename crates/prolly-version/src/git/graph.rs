//! The commit graph itself, and the order in which a commit is written.
//!
//! 1. Under the store's lock, the new objects are written to one pack, which is made durable and moved into the
//!    repository under a `.keep`.
//! 2. The ref is locked as Git does it, compared, and moved by a rename; its directory is synced.
//! 3. The `.keep` is removed. Now and then small packs are merged.
//!
//! With a commit journal, what 1 and 2 write is in the journal first, and only that is waited for.
//!
//! **Invariant:** before step 2 ends the old state stands, whatever happens; after it, the new one. Nothing in step 3 can
//! make a commit fail.

use std::{
    path::PathBuf,
    sync::{Arc, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use gix_hash::ObjectId;
use gix_object::Kind;
use prolly_core::{Link, NodeReader};

use super::{
    GitGraph, Writer,
    commit::{self, commit_id, object_id},
    commit_journal::{self, CommitJournal, RECORD_BYTES_MAX, Record},
    config,
    dag::Export,
    files,
    lock::StoreLock,
    pack::{self, InstalledPack, PackWriter, WrittenPack},
    reader::locator,
    refs::{self, Move, Staged},
};
use crate::{
    Batch, Commit, CommitGraph, CommitId, Error, Expected, GcReport, GraphKind, Head, Original, Parent,
    RefEdit, Result, Signature,
};

/// Commits remembered at most.
const COMMITS_KEPT: usize = 1024;
/// How many annotated tags may lead to each other.
const TAG_DEPTH_MAX: usize = 8;

/// The right to write: the store's lock, and what is known of the repository's state.
pub(super) struct Writing<'a> {
    pub(super) writer: MutexGuard<'a, Writer>,
    _lock: StoreLock,
}

impl CommitGraph for GitGraph {
    fn objects(&self) -> Arc<dyn NodeReader> {
        Arc::clone(&self.objects) as Arc<dyn NodeReader>
    }

    fn read_commit(&self, id: &CommitId) -> Result<Option<Commit>> {
        if let Some(commit) = self.commits.lock().unwrap_or_else(PoisonError::into_inner).get(id) {
            return Ok(Some(commit.clone()));
        }
        let commit = self.load_commit(id)?;
        if let Some(commit) = &commit {
            self.remember(commit.clone());
        }
        Ok(commit)
    }

    fn commits_by_prefix(&self, hex: &str, limit: usize) -> Result<Vec<CommitId>> {
        let mut found = Vec::new();
        if hex.len() > gix_hash::Kind::Sha1.len_in_hex() {
            return Ok(found);
        }
        for id in self.objects.odb.ids_by_prefix(hex)? {
            if self.objects.odb.kind(&id)? == Some(Kind::Commit) {
                found.push(commit_id(id));
            }
        }
        found.sort_unstable();
        found.truncate(limit);
        Ok(found)
    }

    fn read_ref(&self, name: &str) -> Result<Option<CommitId>> {
        crate::check_ref_name(name)?;
        let Some(named) = self.objects.refs.resolve(name)? else { return Ok(None) };
        let damaged = |reason: String| Error::DamagedRef { name: name.to_owned(), reason };
        let id = commit_id(named.id);
        if self.commits.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&id) {
            return Ok(Some(id));
        }
        match self.peel(named.peeled.unwrap_or(named.id)) {
            Ok(Some(id)) => Ok(Some(commit_id(id))),
            Ok(None) => Err(damaged(format!("it leads to {}, which is no commit", named.id))),
            Err(Error::MissingCommit { id }) => Err(damaged(format!("it names {id}, which is missing"))),
            Err(error) => Err(error),
        }
    }

    fn refs(&self, prefix: &str) -> Result<Vec<(String, CommitId)>> {
        let mut out = Vec::new();
        for (name, named) in self.objects.refs.list(prefix)? {
            // Git keeps nothing but commits in branches; elsewhere a ref may name anything, which is not ours then.
            let id = match named.peeled {
                Some(id) => Some(id),
                None if name.starts_with(crate::BRANCH_PREFIX) => Some(named.id),
                None => self.peel(named.id)?,
            };
            out.extend(id.map(|id| (name, commit_id(id))));
        }
        Ok(out)
    }

    fn head(&self) -> Result<Head> {
        self.objects.refs.head()
    }

    fn set_head(&self, head: &Head) -> Result<()> {
        if let Head::Branch(name) = head {
            crate::check_ref_name(name)?;
        }
        let target = Self::head_target(head)?;
        let _writing = self.write()?;
        if let Head::Detached(id) = head {
            self.check_stored(id)?;
        }
        self.objects.refs.set_head(&self.layout, &target)
    }

    fn publish_batch(&self, batch: &Batch<'_>) -> Result<Vec<CommitId>> {
        batch.edits.iter().try_for_each(|edit| crate::check_ref_name(&edit.edit.name))?;
        if batch.commits.is_empty() {
            let edits: Vec<_> = batch.edits.iter().map(|edit| edit.edit.clone()).collect();
            return self.update_refs(&edits).map(|()| Vec::new());
        }
        for commit in batch.commits {
            commit::check(commit)?;
        }
        let mut writing = self.write_unsettled()?;
        let published = self.publish_locked(&mut writing.writer, batch);
        // What a failure may have left behind is cleared away before anything else is written.
        writing.writer.ready = published.is_ok() && writing.writer.failure.is_none();
        published
    }

    fn update_refs(&self, edits: &[RefEdit]) -> Result<()> {
        edits.iter().try_for_each(|edit| crate::check_ref_name(&edit.name))?;
        let signature = self.log_signature()?;
        let _writing = self.write()?;
        let mut moves = Vec::with_capacity(edits.len());
        for edit in edits {
            self.check_new(edit)?;
            moves.push(to_move(edit, edit.new, &signature)?);
        }
        self.objects.refs.make(&self.layout, moves, &|id| self.peel(id))
    }

    fn kind(&self) -> GraphKind {
        GraphKind::Git
    }

    fn original(&self, id: &CommitId) -> Result<Option<Original>> {
        let Some(object) = object_id(id) else { return Ok(None) };
        let mut encoded = Vec::new();
        if self.objects.odb.find_verified(&object, &mut encoded)? != Some(Kind::Commit) {
            return Ok(None);
        }
        let parents = commit::decode(id, &encoded)?.parents;
        if self.objects.refs.parents(&object, parents.clone()).len() < parents.len() {
            return Err(Error::NotFetched { id: commit_id(parents[0]) });
        }
        Ok(Some(Original { id: *id, encoded }))
    }

    fn may_have(&self, link: &Link) -> Result<bool> {
        Ok(self.objects.cache.get(&link.hash).is_some() || self.objects.may_have(link))
    }

    fn identity(&self) -> Result<Option<(String, String)>> {
        config::identity(self.git_dir())
    }

    fn collect_garbage(&self) -> Result<GcReport> {
        let mut writing = self.write()?;
        let report = self.sweep(&mut writing)?;
        self.commits.lock().unwrap_or_else(PoisonError::into_inner).clear();
        Ok(report)
    }

    fn staging_dir(&self) -> Option<PathBuf> {
        Some(self.layout.staging_dir())
    }
}

impl GitGraph {
    /// The failure of the last attempt to tidy up after a commit, once. It did not concern the commit.
    pub fn take_maintenance_failure(&self) -> Option<Error> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).failure.take()
    }

    /// Takes the store's lock, and makes durable what only the commit journal holds. The first time, the repository is
    /// made ready for writing.
    pub(super) fn write(&self) -> Result<Writing<'_>> {
        let mut writing = self.write_unsettled()?;
        self.settle(&mut writing.writer)?;
        Ok(writing)
    }

    /// As [`GitGraph::write`], and leaves the commit journal as it is.
    fn write_unsettled(&self) -> Result<Writing<'_>> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if !writer.ready {
            self.layout.create_dirs()?;
        }
        let lock = StoreLock::acquire(&self.layout.lock())?;
        if !writer.ready {
            self.layout.create_token()?;
        }
        // Any owner may have died since the last time.
        refs::recover(&self.objects.refs, &self.layout)?;
        if !writer.ready {
            pack::remove_stale_keeps(&self.objects.odb.pack_dir())?;
            self.layout.clear_temporary()?;
            writer.journal = None;
            self.read_journal(&mut writer)?;
            self.make_bare()?;
            writer.ready = true;
        } else {
            self.read_journal(&mut writer)?;
        }
        Ok(Writing { writer, _lock: lock })
    }

    /// Learns what others have written to the commit journal, and does again what a power cut undid.
    fn read_journal(&self, writer: &mut Writer) -> Result<()> {
        match &mut writer.journal {
            Some(journal) if journal.is_linked()? => journal.catch_up()?,
            _ => writer.journal = CommitJournal::open(&self.layout)?,
        }
        match &mut writer.journal {
            // Settled at once, so that it is done but once.
            Some(journal) if journal.is_outlived() => {
                let pack_dir = self.objects.odb.pack_dir();
                journal.replay(&self.objects.refs, &self.layout, &pack_dir)?;
                journal.settle(&self.objects.refs, &pack_dir)
            }
            _ => Ok(()),
        }
    }

    /// Makes durable in its own place what the commit journal lists.
    fn settle(&self, writer: &mut Writer) -> Result<()> {
        match &mut writer.journal {
            Some(journal) if !journal.is_empty() => {
                journal.settle(&self.objects.refs, &self.objects.odb.pack_dir())
            }
            _ => Ok(()),
        }
    }

    /// Makes a pack and the moves that need it durable, then visible: the pack first.
    fn install(&self, writer: &mut Writer, written: WrittenPack, staged: Staged) -> Result<InstalledPack> {
        let (pack_dir, token) = (self.objects.odb.pack_dir(), self.layout.token());
        let peel = |id| self.peel(id);
        if self.journalled
            && staged.is_single_move()
            && commit_journal::is_possible()
            && written.len()? <= RECORD_BYTES_MAX
        {
            return self.install_journalled(writer, written, staged);
        }
        self.settle(writer)?;
        let unsynced: Vec<_> = written.files().into_iter().chain(staged.files()).collect();
        files::sync_together(&unsynced)?;
        let installed = written.install(&pack_dir, &token, true)?;
        match self.objects.refs.prepare(&self.layout, staged, &peel) {
            Ok(prepared) => prepared.commit(true)?,
            Err(error) => {
                // What cannot be taken out again is unreachable, and swept by the next garbage collection.
                drop(installed.withdraw());
                return Err(error);
            }
        }
        Ok(installed)
    }

    /// As [`GitGraph::install`], durable in the commit journal only.
    fn install_journalled(
        &self,
        writer: &mut Writer,
        mut written: WrittenPack,
        staged: Staged,
    ) -> Result<InstalledPack> {
        if writer.journal.as_ref().is_some_and(CommitJournal::is_full) {
            self.settle(writer)?;
        }
        let journal = match &mut writer.journal {
            Some(journal) => journal,
            None => writer.journal.insert(CommitJournal::create(&self.layout)?),
        };
        let prepared = self.objects.refs.prepare(&self.layout, staged, &|id| self.peel(id))?;
        let (checksum, pack, index) = written.read_back()?;
        let begin = journal.end();
        journal.append(Record::new(prepared.moves(), &checksum, pack, index))?;
        let installed = written
            .install(&self.objects.odb.pack_dir(), &self.layout.token(), false)
            .and_then(|installed| prepared.commit(false).map(|()| installed));
        if installed.is_err() {
            // A record that cannot be taken out again makes the commit come true after a power cut: it was not certain.
            drop(journal.retract(begin));
        }
        installed
    }

    fn publish_locked(&self, writer: &mut Writer, batch: &Batch<'_>) -> Result<Vec<CommitId>> {
        let peel = |id| self.peel(id);
        let signature = match batch.signature {
            Some(signature) => signature.clone(),
            None => self.log_signature()?,
        };
        let mut wanted = Vec::with_capacity(batch.edits.len());
        for edit in batch.edits {
            if edit.holds.is_none() {
                self.check_new(&edit.edit)?;
            }
            let known = if edit.holds.is_some() { None } else { edit.edit.new };
            wanted.push(to_move(&edit.edit, known, &signature)?);
        }
        // Before anything is written, since most of those who come too late can be told now.
        self.objects.refs.check(&wanted, &peel)?;
        self.check_parents(batch, &wanted)?;

        let mut pack = PackWriter::new(self.layout.temporary("pack"), &mut writer.compressor);
        let mut export = Export::new(batch.objects, &self.objects, &mut pack)?;
        let mut commits: Vec<Commit> = Vec::with_capacity(batch.commits.len());
        let mut ids: Vec<CommitId> = Vec::with_capacity(batch.commits.len());
        for commit in batch.commits {
            let written = export.commit(commit, &ids)?;
            ids.push(written.id);
            commits.push(written);
        }
        let written = export.into_written();

        let written_pack = pack.finish()?;
        for (wanted, edit) in wanted.iter_mut().zip(batch.edits) {
            if let Some(id) = edit.holds.and_then(|index| ids.get(index)) {
                wanted.new = object_id(id);
            }
        }
        let staged = self.objects.refs.stage(&self.layout, wanted)?;
        let installed = self.install(writer, written_pack, staged)?;
        writer.consolidation.note_pack();
        let released = installed.release();
        self.objects.attested.insert_all(written.iter().map(|(hash, stored)| (*hash, *stored)));
        self.objects.hints.insert_all(written.iter().map(|(hash, stored)| (*hash, stored.id)));
        self.objects.forget_located();
        commits.into_iter().for_each(|commit| self.remember(commit));
        let tidied = released.and_then(|()| self.tidy(writer));
        writer.failure = tidied.err();
        Ok(ids)
    }

    /// Reads a commit past the cache.
    pub(super) fn load_commit(&self, id: &CommitId) -> Result<Option<Commit>> {
        let Some(object) = object_id(id) else { return Ok(None) };
        let mut buffer = Vec::new();
        match self.objects.odb.find_verified(&object, &mut buffer)? {
            Some(Kind::Commit) => {}
            Some(_) | None => return Ok(None),
        }
        let decoded = commit::decode(id, &buffer)?;
        let (hash, root) = self.objects.catalog_root(id, &decoded.tree)?;
        self.objects.attested.insert_all(std::iter::once((hash, root)));
        let parents = decoded.parents.into_iter().map(commit_id).collect();
        Ok(Some(Commit {
            id: *id,
            root: Link { hash, locator: locator(&root.id) },
            parents: self.objects.refs.parents(&object, parents),
            author: decoded.author,
            committer: decoded.committer,
            message: decoded.message,
        }))
    }

    /// Follows annotated tags to a commit; `None` when they lead to something else.
    pub(super) fn peel(&self, id: ObjectId) -> Result<Option<ObjectId>> {
        let mut id = id;
        let mut buffer = Vec::new();
        for _ in 0..TAG_DEPTH_MAX {
            match self.objects.odb.kind(&id)? {
                Some(Kind::Commit) => return Ok(Some(id)),
                Some(Kind::Tag) => {}
                Some(Kind::Blob | Kind::Tree) => return Ok(None),
                None => return Err(Error::MissingCommit { id: commit_id(id) }),
            }
            self.objects.odb.find_verified(&id, &mut buffer)?;
            let tag = gix_object::TagRef::from_bytes(&buffer, gix_hash::Kind::Sha1).map_err(|error| {
                Error::GitObject { action: "read", object: id.to_string(), source: Box::new(error) }
            })?;
            id = tag.target();
        }
        Ok(None)
    }

    /// Checks that the parents of commits are there, but for those that a ref to be moved names anyway.
    fn check_parents(&self, batch: &Batch<'_>, wanted: &[Move]) -> Result<()> {
        let is_tip = |id: &CommitId| wanted.iter().any(|wanted| wanted.expected.map(commit_id) == Some(*id));
        for parent in batch.commits.iter().flat_map(|commit| &commit.parents) {
            match parent {
                Parent::Stored(id) if !is_tip(id) => self.check_stored(id)?,
                Parent::Stored(_) | Parent::Earlier(_) => {}
                Parent::NotFetched(id) => return Err(Error::NotFetched { id: *id }),
            }
        }
        Ok(())
    }

    /// Checks that a commit is there. Not from the cache: it may have been swept since it was read.
    fn check_stored(&self, id: &CommitId) -> Result<()> {
        self.load_commit(id)?.map(drop).ok_or(Error::MissingCommit { id: *id })
    }

    /// Checks that what a ref shall name is there, unless the ref names it already.
    fn check_new(&self, edit: &RefEdit) -> Result<()> {
        match &edit.new {
            Some(new) if edit.expected != Expected::Commit(*new) => self.check_stored(new),
            _ => Ok(()),
        }
    }

    fn remember(&self, commit: Commit) {
        let mut commits = self.commits.lock().unwrap_or_else(PoisonError::into_inner);
        if commits.len() >= COMMITS_KEPT {
            commits.clear();
        }
        commits.insert(commit.id, commit);
    }

    /// Merges small packs when there are many.
    fn tidy(&self, writer: &mut Writer) -> Result<()> {
        let Writer { consolidation, compressor, .. } = writer;
        if pack::consolidate(&self.layout, &self.objects.odb, compressor, consolidation)? {
            self.objects.odb.reopen()?;
            // The packs that it lists have become one that is durable: little is left to do.
            self.settle(writer)?;
        }
        Ok(())
    }

    /// Who moves refs, for their logs.
    fn log_signature(&self) -> Result<Signature> {
        let (name, email) = match self.objects.refs.keeps_logs()? {
            true => self.identity()?.unwrap_or_default(),
            false => Default::default(),
        };
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
        Ok(Signature { name, email, seconds, offset_minutes: 0 })
    }
}

fn to_move(edit: &RefEdit, new: Option<CommitId>, signature: &Signature) -> Result<Move> {
    let object = |id: &CommitId| object_id(id).ok_or(Error::MissingCommit { id: *id });
    let mut log = String::new();
    commit::write_signature(&mut log, signature);
    log.push('\t');
    log.push_str(&edit.log);
    Ok(Move {
        name: edit.name.clone(),
        expected: match &edit.expected {
            Expected::Absent => None,
            Expected::Commit(id) => Some(object(id)?),
        },
        new: new.as_ref().map(object).transpose()?,
        log,
    })
}
