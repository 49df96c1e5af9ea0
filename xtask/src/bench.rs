//! `cargo xtask bench`: the comparison suite.
//!
//! The suite is the package `prolly-benches`; it prints its own table and writes the figures as JSON.

use crate::Result;
use crate::env::Venv;
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

/// Runs the comparison of SQL in its short form, beside the one engine that every Python has: for its checks of what the
/// statements did, not for its figures.
///
/// # Errors
/// When a statement did something else than it should.
pub(crate) fn run_sql(workspace: &Workspace, venv: &Venv) -> Result<()> {
    let engines = ["--engine", "prollytree", "--engine", "prollytree-redb", "--engine", "sqlite3"];
    process::run(
        venv.python()
            .arg(workspace.root.join("benches/python/sql.py"))
            .args(["--rows", "2000", "--big-rows", "5000", "--rounds", "1"])
            .args(engines),
    )
}
