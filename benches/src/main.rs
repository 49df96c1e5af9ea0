//! The comparison suite: what the store costs, beside rival engines in the same run.
//!
//! **Invariant:** every figure comes from a fresh process that ran one engine on one piece of work, so no engine
//! profits or suffers from what another left in allocators and caches; rounds of all engines alternate.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool talks to the person who started it"
)]

mod data;
mod engines;
mod figures;
mod format;
mod options;
mod report;
mod suite;
mod work;

use std::process::ExitCode;

use options::Invocation;

/// What a step returns; the error is one readable message.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

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
    match options::parse(arguments)? {
        Invocation::Help => print!("{}", options::usage()),
        Invocation::Child(task) => {
            let figures = engines::run(&task)?;
            print!("{}", figures.to_lines());
        }
        Invocation::Suite(options) => {
            let outcome = suite::run(&options)?;
            print!("{}", report::table(&outcome));
            if let Some(path) = &options.json {
                let json = serde_json::to_string_pretty(&report::json(&outcome))?;
                std::fs::write(path, json).map_err(|error| format!("{}: {error}", path.display()))?;
            }
        }
    }
    Ok(())
}
