//! The file operations of the file store, and the real ones.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

/// What the file store does to files. Nothing is durable before it is synced, in whatever order it was done.
pub(crate) trait Vfs: Send + Sync {
    /// Reads a whole file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Writes a whole file, in place of what was there.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Makes the contents of a file durable, not its name.
    fn sync_file(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a directory durable, and their absence.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Makes everything on the file system of a directory durable. Returns false, having done nothing, when the
    /// system does not offer that.
    fn sync_everything(&self, dir: &Path) -> io::Result<bool>;
    /// Renames a file, in place of what has the new name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes a directory, which must not exist.
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// Whether there is a file.
    fn exists(&self, path: &Path) -> io::Result<bool>;
    /// Lists a directory in no particular order.
    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>>;
}

/// An entry of a directory.
pub(crate) struct Entry {
    pub(crate) name: String,
    /// Bytes it occupies on disk.
    pub(crate) bytes: u64,
}

/// The real file system.
pub(crate) struct Disk;

impl Vfs for Disk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        fs::write(path, bytes)
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        // Windows syncs only what may be written to.
        fs::OpenOptions::new().write(true).open(path)?.sync_all()
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        // Windows cannot open a directory as a file; there the file system keeps its names in order by itself.
        if cfg!(windows) { Ok(()) } else { File::open(path)?.sync_all() }
    }

    #[cfg(target_os = "linux")]
    fn sync_everything(&self, dir: &Path) -> io::Result<bool> {
        // Since Linux 5.8 it reports what could not be written; before, a failed write would have gone unnoticed.
        Ok(reports_failed_writes() && rustix::fs::syncfs(File::open(dir)?).map(|()| true)?)
    }

    #[cfg(not(target_os = "linux"))]
    fn sync_everything(&self, _dir: &Path) -> io::Result<bool> {
        Ok(false)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        fs::exists(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        fs::read_dir(dir)?
            .map(|entry| {
                let entry = entry?;
                let metadata = entry.metadata()?;
                let name = entry.file_name().to_string_lossy().into_owned();
                Ok(Entry { name, bytes: super::occupied(&metadata) })
            })
            .collect()
    }
}

#[cfg(target_os = "linux")]
fn reports_failed_writes() -> bool {
    let uname = rustix::system::uname();
    let release = uname.release().to_string_lossy();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|digits| digits.parse::<u32>().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor)) => (major, minor) >= (5, 8),
        _ => false,
    }
}
