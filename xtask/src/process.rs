//! Running other programs.
//!
//! Invariant: every program started here is shown before it runs, and none fails unnoticed.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Result;

/// Runs `command` with its output going to the terminal.
///
/// # Errors
/// When the program cannot be started or does not exit with 0; the message holds the command line.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = command_line(command);
    println!("$ {line}");
    let status = command.status().map_err(|error| format!("cannot start `{line}`: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{line}` failed: {status}").into()) }
}

/// Runs `command` quietly and returns what it wrote to standard output.
///
/// # Errors
/// When the program cannot be started, does not exit with 0 (the message holds its standard error), or writes
/// something that is not UTF-8.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let line = command_line(command);
    let output =
        command.stdin(Stdio::null()).output().map_err(|error| format!("cannot start `{line}`: {error}"))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        return Err(format!("`{line}` failed: {}\n{}", output.status, complaint.trim_end()).into());
    }
    String::from_utf8(output.stdout).map_err(|_| format!("`{line}` wrote something that is not UTF-8").into())
}

/// Returns a command that runs the cargo this program was started by, in `root`.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

/// Returns the command line as a person would type it: cargo goes by its name, not by its toolchain's path.
fn command_line(command: &Command) -> String {
    let program = command.get_program();
    let shown = Path::new(program).file_name().filter(|name| *name == "cargo").unwrap_or(program);
    std::iter::once(shown).chain(command.get_args()).map(quoted).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_program_is_an_error_with_its_command_line_and_complaint() {
        let error =
            output(Command::new("sh").args(["-c", "echo broken >&2; exit 3"])).expect_err("exits with 3");
        let message = error.to_string();
        assert!(message.contains("sh -c 'echo broken >&2; exit 3'"), "{message}");
        assert!(message.contains('3') && message.ends_with("broken"), "{message}");
    }

    #[test]
    fn a_missing_program_is_an_error_that_names_it() {
        let error = run(&mut Command::new("no-such-program-here")).expect_err("is not there");
        assert!(error.to_string().contains("no-such-program-here"));
    }
}
