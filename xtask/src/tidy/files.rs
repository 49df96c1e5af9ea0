//! The text files of the tree that the rules read.
//!
//! Invariant: paths are relative to the root, with their text in memory, sorted; what cargo, Git and Python write for
//! themselves is not among them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;

/// Folders that hold what tools write.
const SKIPPED: [&str; 3] = ["target", "__pycache__", "node_modules"];
/// What the rules read.
const EXTENSIONS: [&str; 2] = ["md", "rs"];

/// Every path under the root, and the text of those that some rule reads.
#[derive(Debug, Default)]
pub(super) struct Files {
    texts: BTreeMap<PathBuf, String>,
    paths: Vec<PathBuf>,
}

impl Files {
    /// Reads the tree under `root`.
    ///
    /// # Errors
    /// When a folder or file cannot be read, or a file that a rule reads is not UTF-8.
    pub(super) fn under(root: &Path) -> Result<Self> {
        let mut files = Self::default();
        files.read_folder(root, Path::new(""))?;
        files.paths.sort();
        Ok(files)
    }

    /// Returns the files with `extension`, with their text, in the order of their paths.
    pub(super) fn with_extension(&self, extension: &str) -> impl Iterator<Item = (&Path, &str)> {
        let wanted = move |path: &Path| path.extension().is_some_and(|found| found == extension);
        self.texts
            .iter()
            .map(|(path, text)| (path.as_path(), text.as_str()))
            .filter(move |(path, _)| wanted(path))
    }

    /// Returns the text of the file at `path`, if it is one that rules read.
    pub(super) fn text(&self, path: &Path) -> Option<&str> {
        self.texts.get(path).map(String::as_str)
    }

    /// Whether there is a file or folder at `path`.
    pub(super) fn has(&self, path: &Path) -> bool {
        path.as_os_str().is_empty() || self.paths.binary_search_by(|found| found.as_path().cmp(path)).is_ok()
    }

    fn read_folder(&mut self, root: &Path, folder: &Path) -> Result<()> {
        let full = root.join(folder);
        for entry in fs::read_dir(&full).map_err(|error| format!("{}: {error}", full.display()))? {
            let entry = entry?;
            let name = entry.file_name();
            let path = folder.join(&name);
            if entry.file_type()?.is_dir() {
                let name = name.to_string_lossy();
                if SKIPPED.contains(&&*name) || (name.starts_with('.') && name != ".ci") {
                    continue;
                }
                self.read_folder(root, &path)?;
            } else if path.extension().is_some_and(|found| EXTENSIONS.iter().any(|known| found == *known)) {
                let text = fs::read_to_string(entry.path())
                    .map_err(|error| format!("{}: {error}", path.display()))?;
                self.texts.insert(path.clone(), text);
            }
            self.paths.push(path);
        }
        Ok(())
    }
}

#[cfg(test)]
impl Files {
    /// Returns a tree of `(path, text)` files, for the tests of the rules.
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let mut tree = Self::default();
        for (path, text) in files {
            let path = PathBuf::from(path);
            tree.paths.extend(path.ancestors().map(Path::to_owned));
            tree.texts.insert(path, (*text).to_owned());
        }
        tree.paths.sort();
        tree.paths.dedup();
        tree
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_rules_read_and_leaves_out_what_tools_write() {
        let root = tempfile::tempdir().expect("a scratch directory");
        for path in ["a.rs", "docs/b.md", "docs/c.png", "target/d.rs", ".git/e.rs", "x/__pycache__/f.md"] {
            let full = root.path().join(path);
            fs::create_dir_all(full.parent().expect("a folder")).expect("a writable folder");
            fs::write(full, "text").expect("a writable folder");
        }
        let files = Files::under(root.path()).expect("readable");
        assert_eq!(files.with_extension("rs").count(), 1);
        assert_eq!(files.text(Path::new("docs/b.md")), Some("text"));
        assert!(files.has(Path::new("docs")) && files.has(Path::new("docs/c.png")));
        assert!(!files.has(Path::new("target/d.rs")) && !files.has(Path::new("docs/d.md")));
    }
}
