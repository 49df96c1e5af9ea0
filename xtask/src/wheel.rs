//! The Python wheel: built with maturin, installed into a virtual environment.
//!
//! Invariant: what is installed is what was built from the sources as they are now; cargo decides what is stale.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::env::Venv;
use crate::process::run;
use crate::workspace::Workspace;

/// The pinned tools, as pip reads them.
const REQUIREMENTS: &str = include_str!("../requirements.txt");

/// Which wheel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wheel {
    /// Every feature, optimised: what is published.
    Full,
    /// No optional feature, not optimised: shows that the package stands without them.
    Slim,
}

impl Wheel {
    fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Slim => "slim",
        }
    }

    fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Full => &["--profile", "release"],
            Self::Slim => &["--profile", "dev", "--no-default-features"],
        }
    }
}

/// Builds `wheel` and returns a virtual environment that has it and the pinned tools.
///
/// # Errors
/// When the environment cannot be made, or building or installing fails.
pub(crate) fn install(workspace: &Workspace, wheel: Wheel) -> Result<Venv> {
    let tools = tools(workspace)?;
    let built = build(workspace, &tools, wheel)?;
    let venv = match wheel {
        Wheel::Full => tools,
        Wheel::Slim => Venv::ensure(&workspace.target.join("venv-slim"), &only(&["pytest", "hypothesis"]))?,
    };
    run(venv.pip().args(["install", "--force-reinstall", "--no-deps"]).arg(&built))?;
    Ok(venv)
}

/// Returns the virtual environment with the pinned tools.
///
/// # Errors
/// As [`Venv::ensure`].
pub(crate) fn tools(workspace: &Workspace) -> Result<Venv> {
    Venv::ensure(&workspace.target.join("venv"), REQUIREMENTS)
}

fn build(workspace: &Workspace, tools: &Venv, wheel: Wheel) -> Result<PathBuf> {
    let folder = workspace.target.join("wheels").join(wheel.name());
    if folder.exists() {
        fs::remove_dir_all(&folder)?; // so that what is there afterwards is what was built now
    }
    let manifest = workspace.root.join("bindings/python/Cargo.toml");
    run(tools
        .command("maturin")
        .args(["build", "--quiet", "--compatibility", "linux", "--manifest-path"])
        .arg(manifest)
        .arg("--out")
        .arg(&folder)
        .arg("--interpreter")
        .arg(tools.program("python"))
        .args(wheel.flags()))?;
    only_wheel_in(&folder)
}

fn only_wheel_in(folder: &Path) -> Result<PathBuf> {
    let mut wheels = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "whl") {
            wheels.push(path);
        }
    }
    match <[PathBuf; 1]>::try_from(wheels) {
        Ok([wheel]) => Ok(wheel),
        Err(found) => Err(format!("{}: expected one wheel, found {found:?}", folder.display()).into()),
    }
}

/// Returns the lines of the requirements that pin one of `names`.
fn only(names: &[&str]) -> String {
    let pins = |line: &&str| line.split_once("==").is_some_and(|(name, _)| names.contains(&name));
    REQUIREMENTS.lines().filter(pins).flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_requirement_is_pinned_exactly() {
        let lines = REQUIREMENTS.lines().filter(|line| !line.starts_with('#'));
        let unpinned: Vec<_> = lines.filter(|line| !line.contains("==")).collect();
        assert!(unpinned.is_empty(), "{unpinned:?}");
        assert_eq!(only(&["pytest", "hypothesis"]).lines().count(), 2);
    }

    #[test]
    fn there_must_be_exactly_one_wheel() {
        let folder = tempfile::tempdir().expect("a scratch directory");
        let error = only_wheel_in(folder.path()).expect_err("the folder is empty");
        assert!(error.to_string().contains("expected one wheel, found []"), "{error}");

        let wheel = folder.path().join("a.whl");
        fs::write(&wheel, "").expect("a writable folder");
        fs::write(folder.path().join("a.txt"), "").expect("a writable folder");
        assert_eq!(only_wheel_in(folder.path()).expect("one wheel"), wheel);

        fs::write(folder.path().join("b.whl"), "").expect("a writable folder");
        assert!(only_wheel_in(folder.path()).is_err());
    }
}
