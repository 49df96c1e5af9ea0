//! The command line.

use std::path::PathBuf;

use crate::{
    Result,
    work::{self, Engine, Work},
};

/// What the program was started for.
pub(crate) enum Invocation {
    Help,
    Suite(Options),
    /// One engine on one piece of work: what the suite starts itself for.
    Child(Task),
}

/// What to measure.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// The short form.
    pub(crate) ci: bool,
    /// Keys in place of each row's own number.
    pub(crate) keys: Option<u64>,
    /// Only these pieces of work; empty for all.
    pub(crate) only: Vec<Work>,
    /// Rounds in place of each row's own number.
    pub(crate) rounds: Option<usize>,
    /// A Python that has the packages measured from there; without it they are not.
    pub(crate) python: Option<PathBuf>,
    /// Where files of the engines go.
    pub(crate) dir: Option<PathBuf>,
    /// Where the figures go.
    pub(crate) json: Option<PathBuf>,
}

/// One engine on one piece of work.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) work: Work,
    pub(crate) engine: Engine,
    /// Keys stored before the work begins.
    pub(crate) keys: u64,
    /// An empty directory for files of the engine.
    pub(crate) dir: PathBuf,
}

/// The hidden first argument of the processes that the suite starts.
pub(crate) const CHILD: &str = "--child";

pub(crate) fn usage() -> String {
    let mut text = "\
usage: prolly-benches [--ci] [--keys N] [--only WORK]... [--rounds N] [--python PATH] [--dir PATH] [--json PATH]

  --ci          fewer keys and rounds: shows ratios to rivals, judges nothing
  --keys N      store N keys instead of each row's own number
  --only WORK   measure only this work, or several when given again
  --rounds N    run each engine N times instead of each row's own number
  --python PATH a Python with the packages prollytree and doltlite: measures those too
  --dir PATH    keep the engines' files here (default: beside this program)
  --json PATH   write all figures here

WORK is one of
"
    .to_owned();
    for scenario in work::SCENARIOS {
        let on_request = if scenario.on_request { " (only when named)" } else { "" };
        text += &format!("  {:<14}{}{on_request}\n", scenario.work.id(), scenario.what);
    }
    text
}

/// Reads the arguments.
///
/// # Errors
/// Names the argument that is not understood.
pub(crate) fn parse(arguments: &[String]) -> Result<Invocation> {
    if let Some((CHILD, rest)) = arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return parse_child(rest).map(Invocation::Child);
    }
    let mut options = Options::default();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--ci" => options.ci = true,
            "--keys" => options.keys = Some(number(argument, value()?)?),
            "--only" => options.only.push(value()?.parse()?),
            "--rounds" => options.rounds = Some(usize::try_from(number(argument, value()?)?)?),
            "--python" => options.python = Some(value()?.into()),
            "--dir" => options.dir = Some(value()?.into()),
            "--json" => options.json = Some(value()?.into()),
            "--help" | "-h" => return Ok(Invocation::Help),
            _ => return Err(format!("unknown argument '{argument}'\n\n{}", usage()).into()),
        }
    }
    Ok(Invocation::Suite(options))
}

fn parse_child(arguments: &[String]) -> Result<Task> {
    let [work, engine, keys, dir] = arguments else {
        return Err(format!("{CHILD} takes WORK ENGINE KEYS DIR").into());
    };
    Ok(Task { work: work.parse()?, engine: engine.parse()?, keys: number("KEYS", keys)?, dir: dir.into() })
}

fn number(what: &str, text: &str) -> Result<u64> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("{what} has to be a number from 1 on, got '{text}'").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Invocation> {
        super::parse(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn arguments_are_read() {
        let Invocation::Suite(options) =
            parse("--ci --keys 5000 --only scan --only diff --json out.json").unwrap()
        else {
            panic!("not the suite")
        };
        assert!(options.ci);
        assert_eq!(options.keys, Some(5000));
        assert_eq!(options.only, [Work::Scan, Work::Diff]);
        assert_eq!(options.json, Some("out.json".into()));
        let Invocation::Child(task) = parse("--child scan lmdb 10 /tmp/x").unwrap() else {
            panic!("not a child")
        };
        assert_eq!((task.work, task.engine, task.keys), (Work::Scan, Engine::Lmdb, 10));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (text, named) in
            [("--keys", "--keys"), ("--keys 0", "'0'"), ("--only x", "'x'"), ("--fast", "'--fast'")]
        {
            let error = parse(text).err().expect(text).to_string();
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}
