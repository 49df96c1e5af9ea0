//! The Python that the commands use, and virtual environments made from it.
//!
//! Invariant: an environment under the target directory is either complete, with a stamp that says from what it was
//! made, or it is made anew. Nothing is installed outside it, and pip is configured by whoever runs the command.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::process::{output, run};

const OLDEST: (u32, u32) = (3, 10);
const CANDIDATES: [&str; 7] =
    ["python3", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10", "python"];
const STAMP: &str = "xtask-stamp.txt";

/// Prints the version, or what is missing for our use.
const PROBE: &str = "
import sys, sysconfig
if sysconfig.get_config_var('Py_GIL_DISABLED'):
    sys.exit('a free-threaded build, which the wheel does not support')
try:
    import ensurepip, venv
except ImportError as error:
    sys.exit(f'has no {error.name} (on Debian: apt-get install python3-venv)')
print('%d.%d.%d %s' % (*sys.version_info[:3], sys.executable))
";

/// A Python interpreter that is fit for use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Python {
    executable: PathBuf,
    version: String,
}

impl Python {
    /// Finds one: what the environment variable `PYTHON` names, else the first of the usual names that will do.
    ///
    /// # Errors
    /// When none will do; the message lists what was tried and why each was refused.
    pub(crate) fn find() -> Result<Self> {
        match std::env::var("PYTHON") {
            Ok(named) => Self::among(&[&named]),
            Err(_) => Self::among(&CANDIDATES),
        }
    }

    fn among(candidates: &[&str]) -> Result<Self> {
        let mut refused = String::new();
        for candidate in candidates {
            match Self::probe(candidate) {
                Ok(python) => return Ok(python),
                Err(reason) => refused += &format!("\n  {candidate}: {reason}"),
            }
        }
        let (major, minor) = OLDEST;
        Err(format!("Python {major}.{minor} or later is needed, and none of these will do:{refused}").into())
    }

    fn probe(candidate: &str) -> Result<Self> {
        let answer = Command::new(candidate).args(["-c", PROBE]).output()?;
        if !answer.status.success() {
            let complaint = String::from_utf8_lossy(&answer.stderr);
            return Err(complaint.lines().last().unwrap_or("failed and said nothing").into());
        }
        let line = String::from_utf8(answer.stdout)?;
        let (version, executable) = line.trim().split_once(' ').ok_or("answered nothing")?;
        if is_new_enough(version) {
            Ok(Self { executable: executable.into(), version: version.to_owned() })
        } else {
            Err(format!("is version {version}").into())
        }
    }
}

fn is_new_enough(version: &str) -> bool {
    let mut numbers = version.split('.').map(str::parse);
    matches!((numbers.next(), numbers.next()), (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= OLDEST)
}

/// A virtual environment.
#[derive(Clone, Debug)]
pub(crate) struct Venv {
    directory: PathBuf,
}

impl Venv {
    /// Returns the environment at `directory` with the pinned `requirements` (lines as in a requirements file)
    /// installed, making it anew when it was made from other requirements or another Python. Quick otherwise.
    ///
    /// # Errors
    /// When there is no fit Python, or making the environment or installing into it fails.
    pub(crate) fn ensure(directory: &Path, requirements: &str) -> Result<Self> {
        let venv = Self { directory: directory.to_owned() };
        let python = Python::find()?;
        let stamp = format!("{} {}\n{requirements}", python.version, python.executable.display());
        let stamp_path = directory.join(STAMP);
        if fs::read_to_string(&stamp_path).is_ok_and(|found| found == stamp) {
            return Ok(venv);
        }
        println!("making a virtual environment from Python {}", python.version);
        if directory.exists() {
            fs::remove_dir_all(directory)
                .map_err(|error| format!("cannot remove {}: {error}", directory.display()))?;
        }
        run(Command::new(&python.executable).args(["-m", "venv"]).arg(directory))?;
        let list = directory.join("requirements.txt");
        fs::write(&list, requirements)?;
        run(venv.pip().args(["install", "--requirement"]).arg(&list))?;
        fs::write(&stamp_path, stamp)?; // last: an interrupted install leaves no stamp
        Ok(venv)
    }

    /// Returns a command that runs the environment's Python.
    pub(crate) fn python(&self) -> Command {
        self.command("python")
    }

    /// Returns a command that runs `pip`, quietly.
    pub(crate) fn pip(&self) -> Command {
        let mut command = self.python();
        command.args(["-m", "pip", "--quiet", "--disable-pip-version-check"]);
        command
    }

    /// Returns a command that runs a program of the environment.
    pub(crate) fn command(&self, name: &str) -> Command {
        Command::new(self.program(name))
    }

    /// Returns what the Python expression `expression` prints as, evaluated in the environment.
    ///
    /// # Errors
    /// When it raises.
    pub(crate) fn evaluate(&self, expression: &str) -> Result<String> {
        Ok(output(self.python().arg("-c").arg(format!("print({expression})")))?.trim().to_owned())
    }

    /// Returns where a program of the environment is.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        let folder = if cfg!(windows) { "Scripts" } else { "bin" };
        self.directory.join(folder).join(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        for new in ["3.10.0", "3.14.1", "4.0.0"] {
            assert!(is_new_enough(new), "{new}");
        }
        for old in ["3.9.18", "2.7.18", "3", "", "x.y"] {
            assert!(!is_new_enough(old), "{old}");
        }
    }

    #[test]
    fn without_a_fit_python_the_error_says_what_was_tried_and_why() {
        let error = Python::among(&["no-such-python", "false"]).expect_err("neither is a Python");
        let message = error.to_string();
        assert!(message.starts_with("Python 3.10 or later is needed"), "{message}");
        assert!(message.contains("\n  no-such-python: "), "{message}");
        assert!(message.contains("\n  false: failed and said nothing"), "{message}");
    }

    #[test]
    fn an_environment_is_reused_until_its_requirements_change() {
        let scratch = tempfile::tempdir().expect("a scratch directory");
        let directory = scratch.path().join("venv");
        let marker = directory.join("marker");

        Venv::ensure(&directory, "").expect("an empty environment");
        fs::write(&marker, "").expect("the environment is a directory");
        Venv::ensure(&directory, "").expect("the same environment");
        assert!(marker.exists(), "it was made anew for nothing");

        let venv = Venv::ensure(&directory, "# changed\n").expect("another environment");
        assert!(!marker.exists(), "it was kept though its requirements changed");
        assert_eq!(venv.evaluate("1 + 1").expect("its Python runs"), "2");
    }
}
