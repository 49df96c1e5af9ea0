//! `cargo xtask bench`: the comparison suite.
//!
//! The suite is the package `prolly-benches`; it prints its own table and writes the figures as JSON.

use crate::Result;
use crate::process::{self, cargo};
use crate::workspace::Workspace;

/// Runs the suite, handing `flags` through (`--ci` is its short form).
///
/// # Errors
/// When it does not build, or does not end well.
pub(crate) fn run(workspace: &Workspace, flags: &[String]) -> Result<()> {
    let folder = workspace.target.join("bench");
    std::fs::create_dir_all(&folder)?;
    process::run(
        cargo(&workspace.root)
            .args(["run", "--quiet", "--release", "--package", "prolly-benches", "--"])
            .args(flags)
            .arg("--json")
            .arg(folder.join("results.json")),
    )
}
