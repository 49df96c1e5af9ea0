//! `cargo xtask tidy`: the repository's own rules, which no general linter knows.
//!
//! Invariant: a rule is a function from a directory tree to the list of its violations, so each is tested on a small
//! tree that breaks it; the real tree is checked by a test of this crate as well as by the command.

mod files;
mod layers;
mod lengths;
mod links;
mod rust;
mod sources;

use std::fmt;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::workspace::Workspace;
use files::Files;

/// One place where a rule is broken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Violation {
    /// The file, relative to the root of the workspace.
    file: PathBuf,
    /// The line, from 1, when the rule is about a line.
    line: Option<usize>,
    /// What is wrong, and what to do about it.
    message: String,
}

impl Violation {
    fn in_file(file: &Path, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: None, message: message.into() }
    }

    fn at_line(file: &Path, line: usize, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: Some(line), message: message.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Checks every rule and prints what breaks them.
///
/// # Errors
/// When a rule is broken, or a file cannot be read.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let violations = check(workspace)?;
    for violation in &violations {
        println!("{violation}");
    }
    match violations.len() {
        0 => {
            println!("tidy");
            Ok(())
        }
        count => Err(format!("{count} violations of the repository's rules").into()),
    }
}

fn check(workspace: &Workspace) -> Result<Vec<Violation>> {
    let files = Files::under(&workspace.root)?;
    let mut violations = layers::check(workspace);
    violations.extend(layers::check_lint_tables(workspace)?);
    violations.extend(lengths::check(&files));
    violations.extend(sources::check(&files));
    violations.extend(links::check(&files));
    violations.sort();
    Ok(violations)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_repository_is_tidy() {
        let workspace = Workspace::find().expect("this workspace");
        let violations = check(&workspace).expect("readable files");
        let lines: Vec<_> = violations.iter().map(ToString::to_string).collect();
        assert!(violations.is_empty(), "\n{}", lines.join("\n"));
    }

    #[test]
    fn a_violation_reads_as_a_place_and_a_message() {
        let file = Path::new("a/b.rs");
        assert_eq!(Violation::in_file(file, "too long").to_string(), "a/b.rs: too long");
        assert_eq!(Violation::at_line(file, 3, "no clock here").to_string(), "a/b.rs:3: no clock here");
    }
}
