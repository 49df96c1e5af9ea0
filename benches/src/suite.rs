//! Runs the rounds: a fresh process for every engine and round, the engines taking turns.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    Result,
    figures::{Figures, median},
    options::{CHILD, Options, Task},
    work::{Engine, ROUNDS_CI, SCENARIOS, Scenario},
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
    let chosen = |scenario: &&Scenario| options.only.is_empty() || options.only.contains(&scenario.work);
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
            let files = tempfile::tempdir_in(dir)?;
            let task =
                Task { work: scenario.work, engine: outcome.engine, keys, dir: files.path().to_owned() };
            outcome.rounds.push(run_child(&task)?);
            files.close()?;
        }
    }
    Ok(ScenarioOutcome { scenario, keys, engines })
}

fn run_child(task: &Task) -> Result<Figures> {
    let output = Command::new(std::env::current_exe()?)
        .args([CHILD, task.work.id(), task.engine.id(), &task.keys.to_string()])
        .arg(&task.dir)
        .stderr(Stdio::inherit())
        .output()?;
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
