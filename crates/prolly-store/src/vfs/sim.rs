//! A file system in memory whose disk fills up and whose power fails when a test says so.
//!
//! It keeps, beside what is seen, what is durable: the contents of a file since it was last synced, and the names in a
//! directory since that was. A power cut leaves of everything else whatever a seed says: old, new, or in between.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::Mutex,
};

use super::{Entry, Vfs};
use crate::{conformance::Random, crash::Faults};

#[derive(Default)]
pub(crate) struct Sim(Mutex<State>);

#[derive(Default, Clone)]
struct State {
    files: Vec<Contents>,
    seen: BTreeMap<PathBuf, Node>,
    durable: BTreeMap<PathBuf, Node>,
    faults: Faults,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Node {
    Dir,
    File(usize),
}

#[derive(Default, Clone)]
struct Contents {
    seen: Vec<u8>,
    durable: Vec<u8>,
}

impl Sim {
    /// A file system with the directory `root`.
    pub(crate) fn new(root: &Path) -> Self {
        let dirs: BTreeMap<_, _> = root.ancestors().map(|dir| (dir.to_owned(), Node::Dir)).collect();
        Self(Mutex::new(State { seen: dirs.clone(), durable: dirs, ..State::default() }))
    }

    /// What goes wrong, to be set by tests.
    pub(crate) fn faults<T>(&self, set: impl FnOnce(&mut Faults) -> T) -> T {
        set(&mut self.0.lock().unwrap().faults)
    }

    /// What is found after a power cut now.
    pub(crate) fn after_power_cut(&self, seed: u64) -> Self {
        let state = self.0.lock().unwrap().clone();
        let mut random = Random(seed);
        let mut after = State::default();
        let paths: BTreeSet<_> = state.seen.keys().chain(state.durable.keys()).collect();
        for path in paths {
            let (seen, durable) = (state.seen.get(path), state.durable.get(path));
            let Some(node) = (if random.below(2) == 0 { seen } else { durable }) else { continue };
            // A name in a directory that was lost is lost with it.
            if path.parent().is_some_and(|dir| !after.seen.contains_key(dir)) {
                continue;
            }
            let node = match *node {
                Node::Dir => Node::Dir,
                Node::File(id) => {
                    let bytes = state.files[id].survive(&mut random);
                    after.files.push(Contents { seen: bytes.clone(), durable: bytes });
                    Node::File(after.files.len() - 1)
                }
            };
            after.seen.insert(path.clone(), node);
        }
        after.durable = after.seen.clone();
        Self(Mutex::new(after))
    }

    /// Counts a step, and fails it if its time has come.
    fn step<T>(&self, run: impl FnOnce(&mut State, bool) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.0.lock().unwrap();
        let result = state.faults.step();
        // A write that fails may get half-way; what comes of it, nobody hears.
        match result {
            Ok(()) => run(&mut state, false),
            Err(error) => {
                run(&mut state, true).ok();
                Err(error)
            }
        }
    }
}

impl Contents {
    fn survive(&self, random: &mut Random) -> Vec<u8> {
        match random.below(4) {
            _ if self.seen == self.durable => self.seen.clone(),
            0 => self.seen.clone(),
            1 => self.durable.clone(),
            2 => self.seen[..random.below(self.seen.len() + 1)].to_vec(),
            _ => vec![0; self.seen.len()],
        }
    }
}

impl State {
    fn file(&self, path: &Path) -> io::Result<usize> {
        match self.seen.get(path) {
            Some(Node::File(id)) => Ok(*id),
            Some(Node::Dir) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn dir_of(&self, path: &Path) -> io::Result<()> {
        match path.parent().map(|dir| self.seen.get(dir)) {
            Some(Some(Node::Dir)) => Ok(()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn sync_dir(&mut self, dir: &Path) {
        let inside = |path: &Path| path.parent() == Some(dir);
        self.durable.retain(|path, _| !inside(path));
        let names = self.seen.iter().filter(|(path, _)| inside(path));
        self.durable.extend(names.map(|(path, node)| (path.clone(), *node)));
    }
}

impl Vfs for Sim {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let state = self.0.lock().unwrap();
        state.faults.check_power()?;
        let bytes = &state.files[state.file(path)?].seen;
        let len = if state.faults.short_reads { bytes.len() / 2 } else { bytes.len() };
        Ok(bytes[..len].to_vec())
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.step(|state, fails| {
            state.dir_of(path)?;
            let len = if fails { bytes.len() / 2 } else { bytes.len() };
            let id = match state.file(path) {
                Ok(id) => id,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    state.files.push(Contents::default());
                    state.seen.insert(path.to_owned(), Node::File(state.files.len() - 1));
                    state.files.len() - 1
                }
                Err(error) => return Err(error),
            };
            state.files[id].seen = bytes[..len].to_vec();
            Ok(())
        })
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        self.step(|state, fails| {
            let id = state.file(path)?;
            if !fails {
                state.files[id].durable = state.files[id].seen.clone();
            }
            Ok(())
        })
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.step(|state, fails| {
            if !fails {
                state.sync_dir(path);
            }
            Ok(())
        })
    }

    fn sync_everything(&self, _dir: &Path) -> io::Result<bool> {
        if self.0.lock().unwrap().faults.no_sync_everything {
            return Ok(false);
        }
        self.step(|state, fails| {
            if !fails {
                state.durable = state.seen.clone();
                state.files.iter_mut().for_each(|file| file.durable = file.seen.clone());
            }
            Ok(true)
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step(|state, fails| {
            let id = state.file(from)?;
            state.dir_of(to)?;
            if !fails {
                state.seen.remove(from);
                state.seen.insert(to.to_owned(), Node::File(id));
            }
            Ok(())
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step(|state, fails| {
            state.file(path)?;
            if !fails {
                state.seen.remove(path);
            }
            Ok(())
        })
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.step(|state, fails| {
            state.dir_of(path)?;
            if state.seen.contains_key(path) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            if !fails {
                state.seen.insert(path.to_owned(), Node::Dir);
            }
            Ok(())
        })
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        let state = self.0.lock().unwrap();
        state.faults.check_power()?;
        Ok(state.seen.contains_key(path))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        let state = self.0.lock().unwrap();
        state.faults.check_power()?;
        if state.seen.get(dir) != Some(&Node::Dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let names = state.seen.iter().filter(|(path, _)| path.parent() == Some(dir));
        let entry = |(path, node): (&PathBuf, &Node)| Entry {
            name: path.file_name().unwrap().to_string_lossy().into_owned(),
            bytes: if let Node::File(id) = node { state.files[*id].seen.len() as u64 } else { 0 },
        };
        Ok(names.map(entry).collect())
    }
}
