//! `cargo xtask demo`: the store at work on a real data set with a real history.
//!
//! The story itself is `examples/tzdata/demo.py`; this file does its set-up.

use crate::Result;
use crate::env::Venv;
use crate::process::run as run_program;
use crate::wheel::{self, Wheel};
use crate::workspace::Workspace;

/// Sets up everything and runs the demo.
///
/// # Errors
/// When the set-up fails, or the demo finds one of its own claims to be false.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    println!("Building the Python package; the first time takes a few minutes.");
    let venv = wheel::install(workspace, Wheel::Full)?;
    play(workspace, &venv)
}

/// Fetches the data and runs the demo with the package installed in `venv`.
///
/// # Errors
/// As [`run`].
pub(crate) fn play(workspace: &Workspace, venv: &Venv) -> Result<()> {
    let folder = workspace.root.join("examples/tzdata");
    let data = workspace.target.join("demo-data");
    run_program(venv.python().arg(folder.join("fetch.py")).arg(&data))?;
    run_program(venv.python().arg(folder.join("demo.py")).arg(&data).arg(workspace.target.join("demo")))
}
