//! `cargo xtask test`: everything that must hold, one step after another.
//!
//! Invariant: a failing step does not hide the ones after it, a step that could not run counts as failed, and the
//! exit code says whether every step passed.

use std::cell::OnceCell;
use std::process::Command;
use std::time::Instant;

use crate::env::Venv;
use crate::process::{cargo, run as run_program};
use crate::wheel::{self, Wheel};
use crate::workspace::Workspace;
use crate::{Result, bench, demo, readme, tidy};

/// One step: its name on the command line, what it shows, and how.
struct Step {
    name: &'static str,
    shows: &'static str,
    run: fn(&Context) -> Result<()>,
}

/// What the steps of one run share.
struct Context {
    workspace: Workspace,
    /// The environment with the full wheel, or why there is none; built once, by whichever step needs it first.
    full_wheel: OnceCell<std::result::Result<Venv, String>>,
}

impl Context {
    fn with_wheel(&self) -> Result<&Venv> {
        let install = || wheel::install(&self.workspace, Wheel::Full).map_err(|error| error.to_string());
        self.full_wheel
            .get_or_init(install)
            .as_ref()
            .map_err(|error| format!("there is no wheel: {error}").into())
    }
}

const STEPS: [Step; 12] = [
    Step { name: "fmt", shows: "the code is formatted", run: fmt },
    Step { name: "clippy", shows: "the linter has nothing to say", run: clippy },
    Step { name: "rust", shows: "the Rust tests pass", run: rust },
    Step { name: "doc", shows: "the API documentation builds, its links resolve", run: doc },
    Step { name: "tidy", shows: "the repository keeps its own rules", run: tidy_step },
    Step { name: "wheel", shows: "the Python package builds, installs and imports", run: wheel_step },
    Step { name: "python", shows: "the Python tests pass", run: python },
    Step { name: "types", shows: "the stubs tell the truth, and our Python checks against them", run: types },
    Step { name: "slim", shows: "the package stands without its optional features", run: slim },
    Step { name: "readme", shows: "what the READMEs show runs", run: readme_step },
    Step { name: "demo", shows: "the demo's claims hold", run: demo_step },
    Step {
        name: "bench",
        shows: "the comparison suite passes its tests and runs (short form)",
        run: bench_step,
    },
];

/// Runs the steps that `arguments` name, or all of them.
///
/// # Errors
/// When an argument names no step, or a step failed.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    if arguments == ["--list"] {
        for step in &STEPS {
            println!("{:8} {}", step.name, step.shows);
        }
        return Ok(());
    }
    let steps = chosen(arguments)?;
    let context = Context { workspace: Workspace::find()?, full_wheel: OnceCell::new() };
    let mut results = Vec::new();
    for step in steps {
        println!("\n=== {}: {}", step.name, step.shows);
        let started = Instant::now();
        let result = (step.run)(&context);
        if let Err(error) = &result {
            println!("--- {} failed: {error}", step.name);
        }
        results.push((step.name, result.is_ok(), started.elapsed()));
    }

    println!("\n=== summary");
    for (name, passed, took) in &results {
        let verdict = if *passed { "passed" } else { "FAILED" };
        println!("{name:8} {verdict} {:7.1} s", took.as_secs_f64());
    }
    let failed = results.iter().filter(|(_, passed, _)| !passed).count();
    println!("{} passed, {failed} failed", results.len() - failed);
    if failed == 0 { Ok(()) } else { Err(format!("{failed} of {} steps failed", results.len()).into()) }
}

fn chosen(names: &[String]) -> Result<Vec<&'static Step>> {
    if names.is_empty() {
        return Ok(STEPS.iter().collect());
    }
    for name in names {
        if !STEPS.iter().any(|step| step.name == name) {
            let known: Vec<_> = STEPS.iter().map(|step| step.name).collect();
            return Err(format!("no test step '{name}'; there are: {}", known.join(", ")).into());
        }
    }
    Ok(STEPS.iter().filter(|step| names.iter().any(|name| name == step.name)).collect())
}

fn fmt(context: &Context) -> Result<()> {
    run_program(cargo(&context.workspace.root).args(["fmt", "--all", "--check"]))
}

fn clippy(context: &Context) -> Result<()> {
    let arguments = ["clippy", "--quiet", "--workspace", "--all-targets", "--", "--deny", "warnings"];
    run_program(cargo(&context.workspace.root).args(arguments))
}

fn rust(context: &Context) -> Result<()> {
    // The rival engines of the comparison suite are built once, optimised, for the step that runs them.
    let arguments = ["test", "--quiet", "--workspace", "--exclude", "prolly-benches", "--no-fail-fast"];
    run_program(cargo(&context.workspace.root).args(arguments))
}

fn doc(context: &Context) -> Result<()> {
    let arguments = ["doc", "--quiet", "--workspace", "--no-deps"];
    run_program(cargo(&context.workspace.root).args(arguments).env("RUSTDOCFLAGS", "--deny warnings"))
}

fn tidy_step(context: &Context) -> Result<()> {
    tidy::run(&context.workspace)
}

fn wheel_step(context: &Context) -> Result<()> {
    let found = context.with_wheel()?.evaluate("__import__('prollytree').__version__")?;
    let expected = env!("CARGO_PKG_VERSION");
    if found != expected {
        return Err(
            format!("prollytree.__version__ is {found}, the workspace's version is {expected}").into()
        );
    }
    println!("prollytree {found} is installed");
    Ok(())
}

fn python(context: &Context) -> Result<()> {
    let Workspace { root, .. } = &context.workspace;
    let venv = context.with_wheel()?;
    run_program(pytest(venv).arg("tests").current_dir(root.join("bindings/python")))?;
    run_program(pytest(venv).arg(".").current_dir(root.join("examples/tzdata")))
}

fn types(context: &Context) -> Result<()> {
    let Workspace { root, target, .. } = &context.workspace;
    let venv = context.with_wheel()?;
    let mypy = || {
        let mut command = venv.python();
        command.args(["-m", "mypy", "--strict", "--cache-dir"]).arg(target.join("mypy"));
        command
    };
    run_program(venv.python().args(["-m", "mypy.stubtest", "prollytree"]).current_dir(target))?;
    run_program(mypy().arg("python/prollytree").current_dir(root.join("bindings/python")))?;
    run_program(mypy().arg(".").current_dir(root.join("examples/tzdata")))
}

fn slim(context: &Context) -> Result<()> {
    let venv = wheel::install(&context.workspace, Wheel::Slim)?;
    run_program(pytest(&venv).arg("tests/slim").current_dir(context.workspace.root.join("bindings/python")))
}

fn readme_step(context: &Context) -> Result<()> {
    readme::run_documents(&context.workspace, context.with_wheel()?)
}

fn demo_step(context: &Context) -> Result<()> {
    demo::play(&context.workspace, context.with_wheel()?)
}

fn bench_step(context: &Context) -> Result<()> {
    let arguments = ["test", "--quiet", "--release", "--package", "prolly-benches", "--bins"];
    run_program(cargo(&context.workspace.root).args(arguments))?;
    bench::run(&context.workspace, &["--ci".to_owned()])?;
    bench::run_sql(&context.workspace, context.with_wheel()?)
}

/// Returns a pytest command that writes nothing into the source tree.
fn pytest(venv: &Venv) -> Command {
    let mut command = venv.python();
    command.args(["-B", "-m", "pytest", "--quiet", "-p", "no:cacheprovider"]);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(arguments: &[&str]) -> Result<Vec<&'static str>> {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        Ok(chosen(&arguments)?.into_iter().map(|step| step.name).collect())
    }

    #[test]
    fn steps_run_in_their_own_order_and_all_by_default() {
        assert_eq!(names(&[]).expect("all").len(), STEPS.len());
        assert_eq!(names(&["rust", "fmt"]).expect("both are steps"), ["fmt", "rust"]);
    }

    #[test]
    fn an_unknown_step_is_an_error_that_lists_the_known_ones() {
        let error = names(&["fmt", "lint"]).expect_err("no such step");
        assert!(error.to_string().starts_with("no test step 'lint'; there are: fmt, clippy"), "{error}");
    }
}
