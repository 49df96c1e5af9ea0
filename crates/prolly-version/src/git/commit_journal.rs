//! The commit journal: makes a commit durable with one write and one sync.
//!
//! Without it a commit waits for the disk five times: for a pack, its index, the ref, and two directories. With it, all of
//! them are written once more, into one file of fixed length, and only that file is waited for. Every few commits the
//! journal is *settled*: what it lists is made durable in its own place, and the journal begins anew.
//!
//! ```text
//! 0    header: "PROLLYCJ", version u8, 7 zeros, epoch u64 LE, id of the running system's boot (36 bytes, or zeros),
//!      check: the first 4 bytes of BLAKE3(the 60 bytes before)
//! 64   records, one after another, each:
//!      length of the payload u32 LE, 4 zeros, check: the first 16 bytes of BLAKE3(epoch | offset u64 LE | payload), payload
//! ```
//!
//! What does not check ends the journal: it is of an earlier epoch, or was being written when the power failed.
//!
//! **Invariant:** a commit's record is durable before the commit returns, and the journal is settled before anything is
//! moved in another way. So after a power cut, refs that hold what a record found or made are carried on to the last record.
//! While the system runs, files hold what was written to them, synced or not, and nothing is carried on: somebody else may
//! have moved a ref back.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{File, OpenOptions},
    path::{Path, PathBuf},
};

use gix_hash::ObjectId;
use serde::{Deserialize, Serialize};

use super::{
    files,
    layout::Layout,
    refs::{Move, RefFiles},
};
use crate::{Error, Result};

const MAGIC: [u8; 8] = *b"PROLLYCJ";
const VERSION: u8 = 1;
const HEADER_BYTES: usize = 64;
const BOOT_ID_BYTES: usize = 36;
const RECORD_HEADER_BYTES: usize = 24;
/// Length of the file: it never changes, so that a sync has to write nothing but content.
const JOURNAL_BYTES: u64 = 1 << 20;
/// The longest pack, with its index, that goes into the journal; a larger commit is made durable in its own place.
pub(super) const RECORD_BYTES_MAX: u64 = JOURNAL_BYTES / 4;
/// Commits after which the journal is settled.
const RECORDS_MAX: usize = 16;

/// What one commit needs.
#[derive(Serialize, Deserialize)]
pub(super) struct Record {
    /// Names of refs, what each held, and what it holds now: ids of 20 bytes.
    pub(super) moves: Vec<(String, Option<[u8; 20]>, [u8; 20])>,
    /// The checksum that names the pack.
    pub(super) checksum: [u8; 20],
    pub(super) pack: Vec<u8>,
    pub(super) index: Vec<u8>,
}

/// The journal of a repository, open.
pub(super) struct CommitJournal {
    path: PathBuf,
    file: File,
    epoch: u64,
    /// Whether the journal was begun before the system was last started.
    outlived: bool,
    /// Where the next record goes.
    end: u64,
    records: Vec<Record>,
}

impl Record {
    /// The record of a commit whose pack has the checksum, and that makes moves, none of them a deletion.
    pub(super) fn new(moves: &[Move], checksum: &ObjectId, pack: Vec<u8>, index: Vec<u8>) -> Self {
        let moves = moves
            .iter()
            .filter_map(|made| {
                Some((made.name.clone(), made.expected.as_ref().map(raw), raw(made.new.as_ref()?)))
            })
            .collect();
        Self { moves, checksum: raw(checksum), pack, index }
    }
}

fn raw(id: &ObjectId) -> [u8; 20] {
    *id.as_slice().first_chunk().expect("a SHA-1 id has 20 bytes")
}

impl CommitJournal {
    /// Whether there are records that a run of the system left behind which has ended. Takes no lock and changes nothing.
    pub(super) fn is_waiting(layout: &Layout) -> Result<bool> {
        let journal = Self::open_with(layout, OpenOptions::new().read(true))?;
        Ok(journal.is_some_and(|journal| journal.is_outlived()))
    }

    /// Opens the journal; `None` when there is none. The store's lock must be held.
    pub(super) fn open(layout: &Layout) -> Result<Option<Self>> {
        Self::open_with(layout, OpenOptions::new().read(true).write(true))
    }

    fn open_with(layout: &Layout, options: &OpenOptions) -> Result<Option<Self>> {
        let path = layout.commit_journal();
        let file = match options.open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("open", &path, error)),
        };
        let mut journal = Self { path, file, epoch: 0, outlived: false, end: 0, records: Vec::new() };
        journal.catch_up()?;
        Ok(Some(journal))
    }

    /// Makes an empty journal, durably.
    pub(super) fn create(layout: &Layout) -> Result<Self> {
        let path = layout.commit_journal();
        let mut bytes = header(1).to_vec();
        bytes.resize(usize::try_from(JOURNAL_BYTES).expect("a mebibyte fits"), 0);
        files::replace(&layout.temporary("commit-journal"), &path, &bytes)?;
        match Self::open(layout)? {
            Some(journal) => Ok(journal),
            None => Err(Error::DamagedFile { path, reason: "it vanished".to_owned() }),
        }
    }

    /// Reads what others have written since.
    pub(super) fn catch_up(&mut self) -> Result<()> {
        let mut header = [0; HEADER_BYTES];
        self.read_at(0, &mut header)?;
        let (epoch, boot) = self.read_header(&header)?;
        if epoch != self.epoch {
            self.epoch = epoch;
            self.end = HEADER_BYTES as u64;
            self.records.clear();
            self.outlived = boot == [0; BOOT_ID_BYTES] || boot != boot_id();
        }
        while let Some((record, end)) = self.read_record()? {
            self.records.push(record);
            self.end = end;
        }
        Ok(())
    }

    /// Whether the file still has its name: somebody may have removed it.
    pub(super) fn is_linked(&self) -> Result<bool> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let found = self.file.metadata().map_err(|error| Error::io("examine", &self.path, error))?;
            Ok(found.nlink() > 0)
        }
        #[cfg(not(unix))]
        Ok(files::metadata(&self.path)?.is_some())
    }

    /// Whether there are records of a run of the system that has ended.
    pub(super) fn is_outlived(&self) -> bool {
        self.outlived && !self.is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Whether so many commits are listed that it is time to settle. Until then there is room for the longest record, and
    /// as much again for what frames it and the names in it.
    pub(super) fn is_full(&self) -> bool {
        self.records.len() >= RECORDS_MAX || self.end + 2 * RECORD_BYTES_MAX > JOURNAL_BYTES
    }

    /// Adds a record, durably. The journal must not be full.
    pub(super) fn append(&mut self, mut record: Record) -> Result<()> {
        let mut frame = vec![0; RECORD_HEADER_BYTES];
        frame = postcard::to_extend(&record, frame)
            .map_err(|error| Error::io("write", &self.path, std::io::Error::other(error)))?;
        let (header, payload) = frame.split_at_mut(RECORD_HEADER_BYTES);
        let len =
            u32::try_from(payload.len()).ok().filter(|_| self.end + frame_len(payload) <= JOURNAL_BYTES);
        let len =
            len.ok_or_else(|| Error::io("write", &self.path, std::io::ErrorKind::FileTooLarge.into()))?;
        header[..4].copy_from_slice(&len.to_le_bytes());
        header[8..].copy_from_slice(&check(self.epoch, self.end, payload));
        files::write_at(&self.file, &self.path, self.end, &frame)?;
        files::sync_data(&self.file, &self.path)?;
        self.end += frame.len() as u64;
        // Only where it went is needed from here on, while the system runs.
        record.pack = Vec::new();
        record.index = Vec::new();
        self.records.push(record);
        Ok(())
    }

    /// Takes the last record, which began at `end`, out again, durably: its commit has failed.
    pub(super) fn retract(&mut self, end: u64) -> Result<()> {
        files::write_at(&self.file, &self.path, end, &[0; RECORD_HEADER_BYTES])?;
        files::sync_data(&self.file, &self.path)?;
        self.records.pop();
        self.end = end;
        Ok(())
    }

    /// Where the next record goes.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// After the system was started anew: brings packs and refs to where the records say they are. Only for a journal that
    /// is outlived: one of this run has no packs in memory.
    pub(super) fn replay(&self, refs: &RefFiles, layout: &Layout, pack_dir: &Path) -> Result<()> {
        for record in &self.records {
            let path = pack_path(pack_dir, &record.checksum);
            // The index last: without it nobody sees the pack.
            for (path, bytes) in [(path.clone(), &record.pack), (path.with_extension("idx"), &record.index)] {
                if files::read(&path)?.as_deref() != Some(bytes) {
                    files::replace(&layout.temporary("replayed"), &path, bytes)?;
                }
            }
        }
        let mut chains: BTreeMap<&str, Vec<Option<ObjectId>>> = BTreeMap::new();
        for (name, expected, new) in self.records.iter().flat_map(|record| &record.moves) {
            let chain = chains.entry(name).or_default();
            chain.extend([expected.map(ObjectId::from), Some(ObjectId::from(*new))]);
        }
        for (name, chain) in chains {
            // A file that the power cut left empty, or half written, holds no id.
            let held = match refs.resolve(name) {
                Ok(named) => named.map(|named| named.id),
                Err(Error::DamagedRef { .. }) => None,
                Err(error) => return Err(error),
            };
            let Some(Some(last)) = chain.last() else { continue };
            let carried_on = held.is_none() || chain.contains(&held);
            if carried_on && held.as_ref() != Some(last) {
                refs.set(layout, name, last)?;
            }
        }
        Ok(())
    }

    /// Makes durable in its own place what the records list, and begins anew.
    pub(super) fn settle(&mut self, refs: &RefFiles, pack_dir: &Path) -> Result<()> {
        let mut dirs = BTreeSet::new();
        for record in &self.records {
            let path = pack_path(pack_dir, &record.checksum);
            // One that is gone was merged into another, which is durable.
            files::sync_if_there(&path)?;
            files::sync_if_there(&path.with_extension("idx"))?;
            dirs.insert(pack_dir.to_owned());
        }
        let moved: BTreeSet<&str> =
            self.records.iter().flat_map(|record| &record.moves).map(|(name, ..)| name.as_str()).collect();
        for name in moved {
            let path = refs.git_dir().join(name);
            files::sync_if_there(&path)?;
            dirs.insert(files::parent(&path).to_owned());
        }
        for dir in &dirs {
            if files::metadata(dir)?.is_some() {
                files::sync_dir(dir)?;
            }
        }
        self.begin(self.epoch + 1)
    }

    fn begin(&mut self, epoch: u64) -> Result<()> {
        files::write_at(&self.file, &self.path, 0, &header(epoch))?;
        files::sync_data(&self.file, &self.path)?;
        self.epoch = epoch;
        self.end = HEADER_BYTES as u64;
        self.records.clear();
        self.outlived = false;
        Ok(())
    }

    fn read_header(&self, header: &[u8; HEADER_BYTES]) -> Result<(u64, [u8; BOOT_ID_BYTES])> {
        let damaged =
            |reason: &str| Error::DamagedFile { path: self.path.clone(), reason: reason.to_owned() };
        let (content, check) = header.split_at(HEADER_BYTES - 4);
        if blake3::hash(content).as_bytes()[..4] != *check || content[..8] != MAGIC {
            return Err(damaged("it does not begin as a journal of commits does"));
        }
        if content[8] > VERSION {
            let what = self.path.display().to_string();
            return Err(Error::NewerFormat { what, found: content[8], supported: VERSION });
        }
        let epoch = content[16..24].first_chunk().copied().map(u64::from_le_bytes);
        let boot = content[24..].first_chunk().copied();
        epoch.zip(boot).ok_or_else(|| damaged("its header is too short"))
    }

    /// The record at the end of those known, and where it ends; `None` when none is there.
    fn read_record(&self) -> Result<Option<(Record, u64)>> {
        let mut header = [0; RECORD_HEADER_BYTES];
        let begin = self.end + RECORD_HEADER_BYTES as u64;
        if begin > JOURNAL_BYTES {
            return Ok(None);
        }
        self.read_at(self.end, &mut header)?;
        let len = u64::from(u32::from_le_bytes([header[0], header[1], header[2], header[3]]));
        if len == 0 || begin + len > JOURNAL_BYTES {
            return Ok(None);
        }
        let mut payload = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
        self.read_at(begin, &mut payload)?;
        if check(self.epoch, self.end, &payload) != header[8..] {
            return Ok(None);
        }
        let mut record: Record = postcard::from_bytes(&payload)
            .map_err(|error| Error::DamagedFile { path: self.path.clone(), reason: error.to_string() })?;
        if !self.outlived {
            record.pack = Vec::new();
            record.index = Vec::new();
        }
        Ok(Some((record, begin + len)))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        files::read_at(&self.file, &self.path, offset, buffer)
    }
}

fn frame_len(payload: &[u8]) -> u64 {
    (RECORD_HEADER_BYTES + payload.len()) as u64
}

fn header(epoch: u64) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..8].copy_from_slice(&MAGIC);
    header[8] = VERSION;
    header[16..24].copy_from_slice(&epoch.to_le_bytes());
    header[24..60].copy_from_slice(&boot_id());
    let check = blake3::hash(&header[..60]);
    header[60..].copy_from_slice(&check.as_bytes()[..4]);
    header
}

fn check(epoch: u64, offset: u64, payload: &[u8]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&epoch.to_le_bytes());
    hasher.update(&offset.to_le_bytes());
    hasher.update(payload);
    *hasher.finalize().as_bytes().first_chunk().expect("a hash has 32 bytes")
}

fn pack_path(pack_dir: &Path, checksum: &[u8; 20]) -> PathBuf {
    pack_dir.join(format!("pack-{}.pack", ObjectId::from(*checksum)))
}

/// Whether runs of the system can be told apart here. Where they cannot, a record that is not settled might be carried on
/// while the system runs.
pub(super) fn is_possible() -> bool {
    boot_id() != [0; BOOT_ID_BYTES]
}

/// What tells one run of the system from the next; zeros where the system does not say.
fn boot_id() -> [u8; BOOT_ID_BYTES] {
    #[cfg(test)]
    if tests::BOOT_IS_UNKNOWN.get() {
        return [0; BOOT_ID_BYTES];
    }
    let text = std::fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.first_chunk().copied().unwrap_or([0; BOOT_ID_BYTES])
}
