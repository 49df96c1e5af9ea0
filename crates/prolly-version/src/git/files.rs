//! Every touch of the file system that the Git graph makes itself.
//!
//! **Invariant:** nothing here reports success before it happened, and every failure names the file. Tests make any of
//! these steps fail, to prove that no state in between is ever visible.

use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use crate::{Error, Result};

/// Reads a whole file; `None` when there is none.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(Error::io("read", path, error)),
    }
}

/// What the system knows of a file; `None` when there is none.
pub(super) fn metadata(path: &Path) -> Result<Option<std::fs::Metadata>> {
    match std::fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(Error::io("examine", path, error)),
    }
}

/// What the system knows of what a path leads to, links followed; `None` when that is nothing.
pub(super) fn followed(path: &Path) -> Result<Option<std::fs::Metadata>> {
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(Error::io("examine", path, error)),
    }
}

/// The entries of a directory, by name and in order; none when there is no such directory.
pub(super) fn list(path: &Path) -> Result<Vec<(String, std::fs::FileType)>> {
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("list", path, error)),
    };
    let mut out = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| Error::io("list", path, error))?;
        let kind = entry.file_type().map_err(|error| Error::io("examine", entry.path(), error))?;
        // A name that is not text is none of Git's or ours.
        if let Ok(name) = entry.file_name().into_string() {
            out.push((name, kind));
        }
    }
    out.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    Ok(out)
}

/// Makes a directory and those above it.
pub(super) fn create_dir_all(path: &Path) -> Result<()> {
    step("create", path, || std::fs::create_dir_all(path))
}

/// Makes the entries of a directory durable: what was created, renamed or removed in it.
pub(super) fn sync_dir(path: &Path) -> Result<()> {
    step("sync", path, || {
        if cfg!(unix) {
            File::open(path)?.sync_all()?;
        }
        Ok(())
    })
}

/// Moves a file, replacing what is there.
pub(super) fn rename(from: &Path, to: &Path) -> Result<()> {
    step("rename", from, || std::fs::rename(from, to))
}

/// Gives a file a second name; `false` when that name is taken.
///
/// On a file system without such links the file is copied.
pub(super) fn link(from: &Path, to: &Path) -> Result<bool> {
    let mut free = true;
    step("link", to, || match std::fs::hard_link(from, to) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            free = false;
            Ok(())
        }
        Err(error) if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::PermissionDenied) => {
            let bytes = std::fs::read(from)?;
            match OpenOptions::new().write(true).create_new(true).open(to) {
                Ok(mut file) => file.write_all(&bytes).and_then(|()| file.sync_all()),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    free = false;
                    Ok(())
                }
                Err(error) => Err(error),
            }
        }
        Err(error) => Err(error),
    })?;
    Ok(free)
}

/// Whether two names are of one file, or of a file and the copy that [`link`] made of it.
pub(super) fn same_file(a: &Path, b: &Path) -> Result<bool> {
    let (Some(left), Some(right)) = (metadata(a)?, metadata(b)?) else { return Ok(false) };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        if left.nlink() > 1 {
            return Ok(left.dev() == right.dev() && left.ino() == right.ino());
        }
    }
    Ok(left.len() == right.len() && read(a)? == read(b)?)
}

/// Removes a file; `false` when there was none.
pub(super) fn remove(path: &Path) -> Result<bool> {
    let mut existed = true;
    step("remove", path, || match std::fs::remove_file(path) {
        Err(error) if is_absent(&error) => {
            existed = false;
            Ok(())
        }
        done => done,
    })?;
    Ok(existed)
}

/// Removes a directory if it is empty; `false` when it is not, or not there.
pub(super) fn remove_empty_dir(path: &Path) -> Result<bool> {
    let mut removed = true;
    step("remove", path, || match std::fs::remove_dir(path) {
        Err(error) if is_absent(&error) || error.kind() == ErrorKind::DirectoryNotEmpty => {
            removed = false;
            Ok(())
        }
        done => done,
    })?;
    Ok(removed)
}

/// Removes a directory with all it holds, if it is there.
pub(super) fn remove_dir_all(path: &Path) -> Result<()> {
    step("remove", path, || match std::fs::remove_dir_all(path) {
        Err(error) if is_absent(&error) => Ok(()),
        done => done,
    })
}

/// Writes a file and makes its content durable, though not yet its name.
pub(super) fn write_synced(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = NewFile::create(path)?;
    file.write_all(bytes)?;
    file.sync()
}

/// Puts a file in place of another, so that there is the whole old one or the whole new one, durably.
pub(super) fn replace(temporary: &Path, path: &Path, bytes: &[u8]) -> Result<()> {
    write_synced(temporary, bytes)?;
    rename(temporary, path)?;
    sync_dir(parent(path))
}

/// Appends to a file, made if it is not there.
pub(super) fn append(path: &Path, bytes: &[u8]) -> Result<()> {
    step("write", path, || OpenOptions::new().append(true).create(true).open(path)?.write_all(bytes))
}

/// Writes into an open file.
pub(super) fn write_at(mut file: &File, path: &Path, offset: u64, bytes: &[u8]) -> Result<()> {
    step("write", path, || {
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(bytes)
    })
}

/// Fills `buffer` from an open file.
pub(super) fn read_at(mut file: &File, path: &Path, offset: u64, buffer: &mut [u8]) -> Result<()> {
    let read = file.seek(SeekFrom::Start(offset)).and_then(|_| file.read_exact(buffer));
    read.map_err(|error| Error::io("read", path, error))
}

/// Makes what was written into a file durable, its length being known already.
pub(super) fn sync_data(file: &File, path: &Path) -> Result<()> {
    step("sync", path, || file.sync_data())
}

/// Makes the content of a file durable, if there is such a file.
pub(super) fn sync_if_there(path: &Path) -> Result<()> {
    step("sync", path, || match File::open(path) {
        Ok(file) => file.sync_all(),
        Err(error) if is_absent(&error) => Ok(()),
        Err(error) => Err(error),
    })
}

/// The directory of a file.
pub(super) fn parent(path: &Path) -> &Path {
    path.parent().expect("a path inside the repository has a parent")
}

/// A file in the making.
pub(super) struct NewFile {
    file: File,
    path: PathBuf,
}

impl NewFile {
    /// Creates the file, or empties it.
    pub(super) fn create(path: &Path) -> Result<Self> {
        let mut file = None;
        step("create", path, || {
            file = Some(OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?);
            Ok(())
        })?;
        Ok(Self { file: file.expect("the step succeeded"), path: path.to_owned() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn len(&self) -> Result<u64> {
        self.file.metadata().map(|found| found.len()).map_err(|error| Error::io("examine", &self.path, error))
    }

    pub(super) fn write_all(&mut self, bytes: &[u8]) -> Result<()> {
        step("write", &self.path, || self.file.write_all(bytes))
    }

    /// Overwrites bytes at the beginning, and returns to the end.
    pub(super) fn overwrite(&mut self, at: u64, bytes: &[u8]) -> Result<()> {
        step("write", &self.path, || {
            self.file.seek(SeekFrom::Start(at))?;
            self.file.write_all(bytes)?;
            self.file.seek(SeekFrom::End(0)).map(drop)
        })
    }

    /// Hands all bytes to `consume`, in pieces, and returns to the end.
    pub(super) fn read_back(&mut self, mut consume: impl FnMut(&[u8])) -> Result<()> {
        step("read", &self.path, || {
            self.file.seek(SeekFrom::Start(0))?;
            let mut piece = vec![0; 256 * 1024];
            loop {
                match self.file.read(&mut piece)? {
                    0 => return Ok(()),
                    count => consume(&piece[..count]),
                }
            }
        })
    }

    /// Lets the system begin to write the content to the disk, where it can be told to.
    fn start_writeback(&self) {
        // "Not needed soon" is how Linux is told without waiting. It is advice: whether it was taken changes nothing.
        #[cfg(target_os = "linux")]
        rustix::fs::fadvise(&self.file, 0, None, rustix::fs::Advice::DontNeed).ok();
    }

    /// Makes the content durable.
    pub(super) fn sync(&self) -> Result<()> {
        step("sync", &self.path, || self.file.sync_all())
    }
}

/// Makes the contents of several files durable. All of them are on their way to the disk before the first is waited for:
/// a journalling file system then needs one commit for what would be one each.
pub(super) fn sync_together(files: &[&NewFile]) -> Result<()> {
    files.iter().for_each(|file| file.start_writeback());
    files.iter().try_for_each(|file| file.sync())
}

/// Neither the file nor a directory on the way to it exists.
fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// Does one thing to the file system. In tests it may fail instead.
fn step(action: &'static str, path: &Path, run: impl FnOnce() -> std::io::Result<()>) -> Result<()> {
    #[cfg(test)]
    if fault::strikes() {
        return Err(Error::io(action, path, std::io::Error::from(ErrorKind::StorageFull)));
    }
    run().map_err(|error| Error::io(action, path, error))
}

/// Makes the file system fail, for tests.
#[cfg(test)]
pub(super) mod fault {
    use std::cell::Cell;

    thread_local! {
        static STEPS_LEFT: Cell<Option<u32>> = const { Cell::new(None) };
    }

    /// From the `steps`-th step of this thread on, every step fails as if the disk were full; `None` ends that.
    pub(crate) fn after(steps: Option<u32>) {
        STEPS_LEFT.set(steps);
    }

    pub(super) fn strikes() -> bool {
        STEPS_LEFT.with(|left| match left.get() {
            None => false,
            Some(0) => true,
            Some(steps) => {
                left.set(Some(steps - 1));
                false
            }
        })
    }
}
