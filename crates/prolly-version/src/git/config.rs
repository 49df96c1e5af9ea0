//! What Git's configuration says: of the repository, and of the user.
//!
//! **Invariant:** only files are read. `GIT_DIR`, `GIT_CONFIG_COUNT` and their like cannot lead elsewhere; the variables
//! that say where the user's own configuration lies are followed.

use std::{
    env,
    path::{Path, PathBuf},
};

use gix_config::{File, Source, file::Metadata, file::includes, file::init};

use super::files;
use crate::{Error, Result};

/// The latest version of Git's repository layout that is understood here.
const REPOSITORY_VERSION_MAX: i64 = 1;
/// Extensions of that layout which change nothing for us.
const EXTENSIONS: [&str; 6] =
    ["noop", "noop-v1", "preciousobjects", "worktreeconfig", "relativeworktrees", "partialclone"];

/// The configuration file of a repository.
pub(super) struct RepositoryConfig {
    path: PathBuf,
    file: File,
}

impl RepositoryConfig {
    pub(super) fn read(git_dir: &Path) -> Result<Self> {
        let path = git_dir.join("config");
        let bytes = files::read(&path)?.unwrap_or_default();
        let file = File::from_bytes_owned(
            &mut bytes.clone(),
            Metadata::from(Source::Local),
            init::Options::default(),
        )
        .map_err(|error| Error::DamagedFile { path: path.clone(), reason: error.to_string() })?;
        Ok(Self { path, file })
    }

    /// Checks that the repository is laid out as this code expects.
    pub(super) fn check_layout(&self, store: &Path) -> Result<()> {
        let refuse = |reason: String| Err(Error::NotAStore { path: store.to_owned(), reason });
        let version = match self.file.string("core.repositoryformatversion") {
            None => 0,
            Some(text) => {
                std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok()).unwrap_or(i64::MAX)
            }
        };
        if !(0..=REPOSITORY_VERSION_MAX).contains(&version) {
            return refuse(format!("its Git repository has format version {version}"));
        }
        for section in self.file.sections_by_name("extensions").into_iter().flatten() {
            for name in section.value_names() {
                let name = name.to_string().to_lowercase();
                let value = section.value(&name).map(|value| value.to_string()).unwrap_or_default();
                let usual = matches!(
                    (name.as_str(), value.as_str()),
                    ("objectformat", "sha1") | ("refstorage", "files")
                );
                if !usual && !EXTENSIONS.contains(&name.as_str()) {
                    return refuse(format!("its Git repository uses the extension {name} = {value}"));
                }
            }
        }
        Ok(())
    }

    /// Whether the repository is marked as having no work tree.
    pub(super) fn is_bare(&self) -> Result<bool> {
        Ok(self.boolean("core.bare")?.unwrap_or(false))
    }

    /// Whether moves of refs are to be logged. Git does that by default where there is a work tree.
    pub(super) fn logs_refs(&self) -> Result<bool> {
        match self.file.string("core.logallrefupdates") {
            Some(text) if text.eq_ignore_ascii_case(b"always") => Ok(true),
            _ => Ok(self.boolean("core.logallrefupdates")?.unwrap_or(false)),
        }
    }

    /// The file's content, marked as having no work tree.
    pub(super) fn marked_bare(mut self) -> Result<Vec<u8>> {
        let path = self.path;
        self.file
            .set_raw_value("core.bare", "true")
            .map_err(|error| Error::DamagedFile { path, reason: error.to_string() })?;
        Ok(self.file.to_bstring().to_vec())
    }

    fn boolean(&self, key: &'static str) -> Result<Option<bool>> {
        self.file.boolean(key).map_err(|error| Error::DamagedFile {
            path: self.path.clone(),
            reason: format!("{key} is neither true nor false: {error}"),
        })
    }
}

/// The name and mail address to sign with, when both are configured: in the repository, for the user or the system.
pub(super) fn identity(git_dir: &Path) -> Result<Option<(String, String)>> {
    let local = git_dir.join("config");
    let home = env::var_os("HOME").or_else(|| env::var_os("USERPROFILE")).map(PathBuf::from);
    let mut sources: Vec<(PathBuf, Source)> = Vec::new();
    if env::var_os("GIT_CONFIG_NOSYSTEM")
        .is_none_or(|value| value.is_empty() || value == "0" || value == "false")
    {
        let system = env::var_os("GIT_CONFIG_SYSTEM").map_or_else(|| "/etc/gitconfig".into(), PathBuf::from);
        sources.push((system, Source::System));
    }
    match env::var_os("GIT_CONFIG_GLOBAL") {
        Some(global) => sources.push((global.into(), Source::User)),
        None => {
            let xdg = env::var_os("XDG_CONFIG_HOME").filter(|dir| !dir.is_empty()).map(PathBuf::from);
            let xdg = xdg.or_else(|| home.as_ref().map(|home| home.join(".config")));
            sources.extend(xdg.map(|dir| (dir.join("git/config"), Source::Git)));
            sources.extend(home.as_ref().map(|home| (home.join(".gitconfig"), Source::User)));
        }
    }
    sources.push((local.clone(), Source::Local));
    let interpolate =
        gix_config::path::interpolate::Context { home_dir: home.as_deref(), ..Default::default() };
    let conditional = includes::conditional::Context { git_dir: Some(git_dir), branch_name: None };
    let options = init::Options {
        includes: includes::Options::follow(interpolate, conditional),
        ..init::Options::default()
    };
    let mut paths = sources
        .into_iter()
        .filter(|(path, _)| path.is_file())
        .map(|(path, source)| Metadata::from(source).at(path));
    let config =
        File::from_paths_metadata_buf(&mut paths, &mut Vec::new(), false, options).map_err(|error| {
            Error::DamagedFile { path: local, reason: format!("or the user's own configuration: {error}") }
        })?;
    let Some(config) = config else { return Ok(None) };
    let text = |key: &str| {
        config.string(key).map(|text| text.to_string().trim().to_owned()).filter(|text| !text.is_empty())
    };
    Ok(text("user.name").zip(text("user.email")))
}
