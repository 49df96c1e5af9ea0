//! Where things are, as cargo sees it.
//!
//! Invariant: paths come from `cargo metadata`, so a redirected target directory is honoured everywhere.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::Result;
use crate::process::{cargo, output};

/// The workspace that contains the current directory, or this program's own sources.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// The directory of the workspace's manifest.
    pub(crate) root: PathBuf,
    /// Where cargo builds, and where everything the commands make is kept.
    pub(crate) target: PathBuf,
    /// Its packages.
    pub(crate) packages: Vec<Package>,
}

/// One package of the workspace.
#[derive(Clone, Debug)]
pub(crate) struct Package {
    /// Its name in the manifest.
    pub(crate) name: String,
    /// The directory of its manifest.
    pub(crate) directory: PathBuf,
    /// The names of everything it depends on, of every kind, with the kind (`normal`, `dev` or `build`).
    pub(crate) dependencies: Vec<(String, String)>,
}

impl Workspace {
    /// Finds this program's own workspace.
    ///
    /// # Errors
    /// When `cargo metadata` fails or answers in a shape this program does not know.
    pub(crate) fn find() -> Result<Self> {
        Self::at(Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a folder of the workspace"))
    }

    /// Reads the workspace whose manifest is in `root`.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub(crate) fn at(root: &Path) -> Result<Self> {
        let text = output(cargo(root).args(["metadata", "--no-deps", "--format-version", "1"]))?;
        let metadata: Value = serde_json::from_str(&text)?;
        Ok(Self {
            root: PathBuf::from(text_at(&metadata, "workspace_root")?),
            target: PathBuf::from(text_at(&metadata, "target_directory")?),
            packages: list_at(&metadata, "packages")?.iter().map(package).collect::<Result<_>>()?,
        })
    }
}

fn package(value: &Value) -> Result<Package> {
    let manifest = PathBuf::from(text_at(value, "manifest_path")?);
    let dependency = |value: &Value| -> Result<(String, String)> {
        let kind = value["kind"].as_str().unwrap_or("normal"); // cargo writes null for the usual kind
        Ok((text_at(value, "name")?.to_owned(), kind.to_owned()))
    };
    Ok(Package {
        name: text_at(value, "name")?.to_owned(),
        directory: manifest.parent().ok_or("a manifest path without a directory")?.to_owned(),
        dependencies: list_at(value, "dependencies")?.iter().map(dependency).collect::<Result<_>>()?,
    })
}

fn text_at<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    value[field].as_str().ok_or_else(|| format!("cargo metadata: '{field}' is not a string").into())
}

fn list_at<'a>(value: &'a Value, field: &str) -> Result<&'a Vec<Value>> {
    value[field].as_array().ok_or_else(|| format!("cargo metadata: '{field}' is not a list").into())
}
