//! The directories that the names of refs make.

use std::path::Path;

use super::super::files;
use crate::Result;

/// Makes the directories above a ref, durably.
pub(super) fn make_parents(git_dir: &Path, path: &Path) -> Result<()> {
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
pub(super) fn remove_empty_dirs(path: &Path) -> Result<()> {
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
pub(super) fn remove_empty_parents(git_dir: &Path, name: &str) -> Result<()> {
    for (slash, _) in name.rmatch_indices('/') {
        let dir = &name[..slash];
        if dir.matches('/').count() < 2 || !files::remove_empty_dir(&git_dir.join(dir))? {
            break;
        }
    }
    Ok(())
}
