//! Runs the rounds: a fresh process for every engine and round, the engines taking turns.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    Result,
    engines::COMMITS,
    figures::{Figures, median},
    options::{CHILD, Options, Task},
    work::{Engine, ROUNDS_CI, SCENARIOS, Scenario, Work},
};

/// What the rounds of an engine came to.
pub(crate) struct EngineOutcome {
    pub(crate) engine: Engine,
    pub(crate) rounds: Vec<Figures>,
}

/// What a scenario came to.
pub(crate) struct ScenarioOutcome {
    pub(crate) scenario: &'static Scenario,
    pub(crate) keys: u64,
    /// Ours first.
    pub(crate) engines: Vec<EngineOutcome>,
}

/// What the suite came to.
pub(crate) struct Outcome {
    pub(crate) ci: bool,
    pub(crate) scenarios: Vec<ScenarioOutcome>,
}

impl EngineOutcome {
    /// The figure called `name` in each round; empty when the engine does not have it.
    pub(crate) fn values(&self, name: &str) -> Vec<f64> {
        self.rounds.iter().filter_map(|round| round.get(name)).collect()
    }

    /// The median of a figure over the rounds.
    pub(crate) fn median(&self, name: &str) -> Option<f64> {
        let mut values = self.values(name);
        (!values.is_empty()).then(|| median(&mut values))
    }
}

/// Runs what the options ask for.
///
/// # Errors
/// When a process cannot be started, fails, or prints something that is no figure.
pub(crate) fn run(options: &Options) -> Result<Outcome> {
    let dir = files_dir(options)?;
    let chosen = |scenario: &&Scenario| match &options.only[..] {
        [] => !scenario.on_request,
        only => only.contains(&scenario.work),
    };
    let scenarios = SCENARIOS
        .iter()
        .filter(chosen)
        .map(|scenario| run_scenario(scenario, options, &dir))
        .collect::<Result<_>>()?;
    Ok(Outcome { ci: options.ci, scenarios })
}

fn run_scenario(scenario: &'static Scenario, options: &Options, dir: &Path) -> Result<ScenarioOutcome> {
    let (keys, rounds) = if options.ci {
        (scenario.keys_ci, scenario.rounds.min(ROUNDS_CI))
    } else {
        (scenario.keys, scenario.rounds)
    };
    let keys = options.keys.unwrap_or(keys);
    let rounds = options.rounds.unwrap_or(rounds);
    eprintln!("{}: {} keys, {rounds} rounds", scenario.work.id(), keys);
    let engines = std::iter::once(&Engine::Ours).chain(scenario.rivals);
    let mut engines: Vec<_> =
        engines.map(|engine| EngineOutcome { engine: *engine, rounds: Vec::new() }).collect();
    for _ in 0..rounds {
        for outcome in &mut engines {
            let in_python = outcome.engine.runs_in_python(scenario.work);
            if in_python && options.python.is_none() {
                continue;
            }
            let files = tempfile::tempdir_in(dir)?;
            let task =
                Task { work: scenario.work, engine: outcome.engine, keys, dir: files.path().to_owned() };
            let command = match &options.python {
                Some(python) if in_python => python_command(python, &task),
                _ => child_command(&task)?,
            };
            outcome.rounds.push(run_child(&task, command)?);
            files.close()?;
        }
    }
    Ok(ScenarioOutcome { scenario, keys, engines })
}

/// This program, for one engine.
fn child_command(task: &Task) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args([CHILD, task.work.id(), task.engine.id(), &task.keys.to_string()]).arg(&task.dir);
    Ok(command)
}

/// The script that does a piece of work in Python; it prints figures as this program's own processes do.
fn python_command(python: &Path, task: &Task) -> Command {
    let script = if task.work == Work::Python { "bindings.py" } else { "doltlite_commit.py" };
    let mut command = Command::new(python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(script));
    command.arg(task.keys.to_string()).arg(&task.dir).arg(COMMITS.to_string());
    command
}

fn run_child(task: &Task, mut command: Command) -> Result<Figures> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    if !output.status.success() {
        return Err(format!("{} by {}: {}", task.work.id(), task.engine.id(), output.status).into());
    }
    Figures::from_lines(&String::from_utf8(output.stdout)?)
}

/// The directory that the engines' files go to: beside the program, so that they lie on a real disk.
fn files_dir(options: &Options) -> Result<PathBuf> {
    let dir = match &options.dir {
        Some(dir) => dir.clone(),
        None => std::env::current_exe()?.parent().ok_or("the program has no directory")?.join("bench-data"),
    };
    std::fs::create_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    Ok(dir)
}
