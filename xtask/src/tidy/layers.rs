//! The layering: a crate depends only on crates to its left.
//!
//! ```text
//! prolly-core → prolly-store → prolly-version → prolly-ns → { prolly-text, prolly-sql } → bindings, cli
//! ```
//!
//! Dependencies of every kind count: a test that reaches to the right makes a cycle of what should be a line.

use std::fs;
use std::path::Path;

use super::Violation;
use crate::Result;
use crate::workspace::{Package, Workspace};

/// Every crate that ships, with its layer. Crates of one layer do not see each other.
const LAYERS: [(&str, u8); 8] = [
    ("prolly-core", 0),
    ("prolly-store", 1),
    ("prolly-version", 2),
    ("prolly-ns", 3),
    ("prolly-text", 4),
    ("prolly-sql", 4),
    ("prolly-cli", 5),
    ("prollytree-python", 5),
];

/// Crates that never ship: they may use any layer, and no other crate uses them.
const TOOLS: [&str; 2] = ["prolly-benches", "xtask"];

/// Reports dependencies that point right or sideways, and crates without a place.
pub(super) fn check(workspace: &Workspace) -> Vec<Violation> {
    workspace.packages.iter().flat_map(|package| check_package(workspace, package)).collect()
}

fn check_package(workspace: &Workspace, package: &Package) -> Vec<Violation> {
    let manifest = manifest_path(workspace, package);
    let own_layer = layer(&package.name);
    let is_tool = TOOLS.contains(&package.name.as_str());
    if own_layer.is_none() && !is_tool {
        let message = format!("{} has no layer: give it one in xtask/src/tidy/layers.rs", package.name);
        return vec![Violation::in_file(&manifest, message)];
    }
    let mut violations = Vec::new();
    for (name, kind) in &package.dependencies {
        let is_ours = workspace.packages.iter().any(|other| other.name == *name);
        // A crate may name itself as a dev-dependency, to switch on a feature for its own tests.
        if !is_ours || (*name == package.name && kind == "dev") {
            continue;
        }
        let points_left = match (own_layer, layer(name)) {
            (Some(own), Some(other)) => other < own,
            (None, Some(_)) => is_tool,
            (_, None) => false,
        };
        if !points_left {
            let message =
                format!("{} must not depend on {name} ({kind}): it is not to its left", package.name);
            violations.push(Violation::in_file(&manifest, message));
        }
    }
    violations
}

/// Reports crates that do not take the workspace's lints.
///
/// # Errors
/// When a manifest cannot be read.
pub(super) fn check_lint_tables(workspace: &Workspace) -> Result<Vec<Violation>> {
    let mut violations = Vec::new();
    for package in &workspace.packages {
        let path = package.directory.join("Cargo.toml");
        let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        if !takes_workspace_lints(&text) {
            let message = "the workspace's lints are off: add `[lints]` with `workspace = true`";
            violations.push(Violation::in_file(&manifest_path(workspace, package), message));
        }
    }
    Ok(violations)
}

fn takes_workspace_lints(manifest: &str) -> bool {
    let mut table = "";
    for line in manifest.lines().map(|line| line.split('#').next().unwrap_or_default().trim()) {
        if line.starts_with('[') {
            table = line;
        }
        if table == "[lints]" && line.replace(' ', "") == "workspace=true" {
            return true;
        }
    }
    false
}

fn layer(name: &str) -> Option<u8> {
    LAYERS.iter().find(|(known, _)| *known == name).map(|(_, layer)| *layer)
}

fn manifest_path(workspace: &Workspace, package: &Package) -> std::path::PathBuf {
    let folder = package.directory.strip_prefix(&workspace.root).unwrap_or(Path::new(&package.name));
    folder.join("Cargo.toml")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// Makes a real workspace on disk and reads it through cargo, as the rule does.
    fn workspace_of(packages: &[(&str, &str)]) -> (tempfile::TempDir, Workspace) {
        let root = tempfile::tempdir().expect("a scratch directory");
        let names: Vec<_> = packages.iter().map(|(name, _)| *name).collect();
        fs::write(
            root.path().join("Cargo.toml"),
            format!("[workspace]\nresolver = \"3\"\nmembers = {names:?}\n[workspace.lints]\n"),
        )
        .expect("a writable folder");
        for (name, rest) in packages {
            let folder = root.path().join(name);
            fs::create_dir_all(folder.join("src")).expect("a writable folder");
            fs::write(folder.join("src/lib.rs"), "").expect("a writable folder");
            let manifest =
                format!("[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n{rest}");
            fs::write(folder.join("Cargo.toml"), manifest).expect("a writable folder");
        }
        let workspace = Workspace::at(root.path()).expect("a readable workspace");
        (root, workspace)
    }

    fn messages(packages: &[(&str, &str)]) -> Vec<String> {
        check(&workspace_of(packages).1).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn dependencies_to_the_left_are_fine_and_tools_may_use_anything() {
        let found = messages(&[
            ("prolly-core", "[dev-dependencies]\nprolly-core = { path = \".\" }\n"),
            ("prolly-store", "[dependencies]\nprolly-core = { path = \"../prolly-core\" }\n"),
            ("prolly-benches", "[dependencies]\nprolly-store = { path = \"../prolly-store\" }\n"),
        ]);
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn dependencies_to_the_right_are_violations_whatever_their_kind() {
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let table = format!("[{kind}]\nprolly-version = {{ path = \"../prolly-version\" }}\n");
            let found = messages(&[("prolly-store", &table), ("prolly-version", "")]);
            assert_eq!(found.len(), 1, "{kind}: {found:?}");
            assert!(
                found[0]
                    .starts_with("prolly-store/Cargo.toml: prolly-store must not depend on prolly-version")
            );
        }
    }

    #[test]
    fn sideways_is_a_violation_and_so_is_depending_on_a_tool() {
        let sideways = "[dependencies]\nprolly-sql = { path = \"../prolly-sql\" }\n";
        assert_eq!(messages(&[("prolly-text", sideways), ("prolly-sql", "")]).len(), 1);
        let tool = "[dependencies]\nxtask = { path = \"../xtask\" }\n";
        assert_eq!(messages(&[("prolly-cli", tool), ("xtask", "")]).len(), 1);
        assert_eq!(messages(&[("prolly-benches", tool), ("xtask", "")]).len(), 1);
    }

    #[test]
    fn a_renamed_dependency_is_still_seen() {
        let table =
            "[dependencies]\nharmless = { path = \"../prolly-version\", package = \"prolly-version\" }\n";
        assert_eq!(messages(&[("prolly-core", table), ("prolly-version", "")]).len(), 1);
    }

    #[test]
    fn a_crate_without_a_layer_is_a_violation() {
        let found = messages(&[("prolly-extras", "")]);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("prolly-extras has no layer"), "{found:?}");
    }

    #[test]
    fn a_crate_that_drops_the_lints_is_a_violation() {
        let (_root, workspace) = workspace_of(&[
            ("prolly-core", "[lints]\nworkspace = true\n"),
            ("prolly-store", "[lints.rust]\nunsafe_code = \"allow\"\n"),
            ("prolly-version", "# [lints]\n# workspace = true\n"),
        ]);
        let files: Vec<_> =
            check_lint_tables(&workspace).expect("readable manifests").into_iter().map(|v| v.file).collect();
        assert_eq!(
            files,
            [PathBuf::from("prolly-store/Cargo.toml"), PathBuf::from("prolly-version/Cargo.toml")]
        );
    }
}
