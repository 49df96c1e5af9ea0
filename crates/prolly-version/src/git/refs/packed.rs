//! The file `packed-refs`: refs that Git has gathered, one a line and sorted.

use std::{path::Path, time::SystemTime};

use gix_hash::ObjectId;

use super::{super::files, Named};
use crate::{Error, Result};

/// What tells one version of the file from another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp {
    modified: Option<SystemTime>,
    len: u64,
    inode: u64,
}

/// The parsed file; empty when there is none.
pub(super) struct Packed {
    pub(super) stamp: Stamp,
    /// The first line, which says what holds for the others.
    header: String,
    /// Sorted by name.
    refs: Vec<(String, Named)>,
}

impl Stamp {
    pub(super) fn of(path: &Path) -> Result<Self> {
        let Some(metadata) = files::metadata(path)? else { return Ok(Self::default()) };
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
        #[cfg(not(unix))]
        let inode = 0;
        Ok(Self { modified: metadata.modified().ok(), len: metadata.len(), inode })
    }
}

impl Packed {
    pub(super) fn read(path: &Path, stamp: Stamp) -> Result<Self> {
        let bytes = files::read(path)?.unwrap_or_default();
        let damaged = |line: &str| Error::DamagedFile {
            path: path.to_owned(),
            reason: format!("{line:?} is not the line of a ref"),
        };
        let text = std::str::from_utf8(&bytes).map_err(|_| damaged("text that is not UTF-8"))?;
        let header = text.lines().next().filter(|line| line.starts_with('#'));
        let header = header.unwrap_or("# pack-refs with: sorted ").to_owned();
        let mut refs: Vec<(String, Named)> = Vec::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let id = |hex: &str| ObjectId::from_hex(hex.as_bytes()).map_err(|_| damaged(line));
            if let Some(peeled) = line.strip_prefix('^') {
                refs.last_mut().ok_or_else(|| damaged(line))?.1.peeled = Some(id(peeled)?);
            } else {
                let (hex, name) = line.split_once(' ').ok_or_else(|| damaged(line))?;
                refs.push((name.to_owned(), Named { id: id(hex)?, peeled: None }));
            }
        }
        refs.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(Self { stamp, header, refs })
    }

    pub(super) fn get(&self, name: &str) -> Option<Named> {
        self.refs.binary_search_by(|(found, _)| found.as_str().cmp(name)).ok().map(|at| self.refs[at].1)
    }

    pub(super) fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (String, Named)> + 'a {
        let start = self.refs.partition_point(|(name, _)| name.as_str() < prefix);
        self.refs[start..].iter().take_while(move |(name, _)| name.starts_with(prefix)).cloned()
    }

    /// The content of the file without some refs; `None` when it holds none of them.
    pub(super) fn without(&self, names: &[&str]) -> Option<String> {
        if !names.iter().any(|name| self.get(name).is_some()) {
            return None;
        }
        let mut out = format!("{}\n", self.header);
        for (name, named) in self.refs.iter().filter(|(name, _)| !names.contains(&name.as_str())) {
            out.push_str(&format!("{} {name}\n", named.id));
            if let Some(peeled) = named.peeled {
                out.push_str(&format!("^{peeled}\n"));
            }
        }
        Some(out)
    }
}
