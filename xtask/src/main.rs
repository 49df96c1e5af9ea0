//! The project's own commands, run as `cargo xtask COMMAND`.
//!
//! Invariant: a command does all its own set-up. What it needs beyond cargo, git and Python lands under the target
//! directory, is pinned in this repository, and is reused when it is already there.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool talks to the person who started it"
)]

mod bench;
mod demo;
mod env;
mod process;
mod readme;
mod test;
mod tidy;
mod wheel;
mod workspace;

use std::process::ExitCode;

use workspace::Workspace;

/// What a command returns; the error is one readable message.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  demo                   build the Python package and show the store at work on real data
  test [STEP...]         run every check and test, or only the steps named
  test --list            name the steps
  bench [--ci] [ARG...]  run the comparison suite; the table is printed, the figures go to target/bench/results.json
  tidy                   check the repository's own rules: layering, file lengths, forbidden calls, links in documents

PYTHON names the Python to use (3.10 or later); without it, python3 and its versioned names are tried.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<()> {
    let Some((command, rest)) = arguments.split_first() else {
        return Err(format!("no command given\n\n{USAGE}").into());
    };
    let none_expected = || match rest.first() {
        Some(argument) => Err(format!("{command} takes no arguments, got '{argument}'\n\n{USAGE}")),
        None => Ok(()),
    };
    match command.as_str() {
        "demo" => {
            none_expected()?;
            demo::run(&Workspace::find()?)
        }
        "test" => test::run(rest),
        "bench" => bench::run(&Workspace::find()?, rest),
        "tidy" => {
            none_expected()?;
            tidy::run(&Workspace::find()?)
        }
        "help" | "--help" | "-h" => {
            println!("{USAGE}");
            Ok(())
        }
        unknown => Err(format!("no command '{unknown}'\n\n{USAGE}").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::run;

    fn error_of(arguments: &[&str]) -> String {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        run(&arguments).expect_err("must be refused").to_string()
    }

    #[test]
    fn bad_arguments_are_named_and_the_usage_shown() {
        assert!(error_of(&[]).starts_with("no command given"));
        assert!(error_of(&["dmeo"]).starts_with("no command 'dmeo'\n\nusage:"));
        assert!(error_of(&["demo", "--fast"]).starts_with("demo takes no arguments, got '--fast'"));
        assert!(error_of(&["tidy", "x"]).starts_with("tidy takes no arguments, got 'x'"));
        assert!(error_of(&["test", "no-such-step"]).contains("'no-such-step'"));
    }
}
