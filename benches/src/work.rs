//! What is measured: pieces of work, the engines that do them, and the rows of the table they fill.

use std::str::FromStr;

use crate::{figures::PEAK_MEMORY, format::Unit};

/// Declares an enum whose variants have the names they go by on the command line and in the results.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident, $what:literal, { $($(#[$variant_doc:meta])* $variant:ident => $id:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $name {
            $($(#[$variant_doc])* $variant),+
        }

        impl $name {
            pub(crate) fn id(self) -> &'static str {
                match self {
                    $(Self::$variant => $id),+
                }
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($id => Ok(Self::$variant),)+
                    _ => Err(format!(concat!("no ", $what, " is called '{}'; there are ", $($id, " "),+), text)),
                }
            }
        }
    };
}

named! {
    /// Something to do; each engine does it in its own way.
    Work, "work", {
        InsertRandom => "insert-random",
        BulkLoad => "bulk-load",
        PointRead => "point-read",
        Scan => "scan",
        InsertFlushed => "insert-flushed",
        Diff => "diff",
        Merge => "merge",
        Proof => "proof",
        CommitRedb => "commit-redb",
        CommitGit => "commit-git",
        CommitGitJournal => "commit-git-journal",
        Open => "open",
        Disk => "disk",
        Python => "python",
        Huge => "huge",
    }
}

named! {
    /// Who does it.
    Engine, "engine", {
        /// This project.
        Ours => "prollytree",
        Redb => "redb",
        Lmdb => "lmdb",
        ProllyMap => "prolly-map",
        BTree => "btreemap",
        DoltLite => "doltlite",
    }
}

impl Engine {
    /// Whether a script for Python does this work, in place of this program.
    pub(crate) fn runs_in_python(self, work: Work) -> bool {
        self == Self::DoltLite || work == Work::Python
    }
}

/// What a row is designed for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Budget {
    /// At most this, at the full number of keys on the machine of DESIGN §8.
    AtMost(f64),
    /// At most so many times what this rival takes in the same run.
    TimesRival(Engine, f64),
    /// Nothing by itself: the row stands beside one that has a budget.
    None,
}

/// A line of the table.
pub(crate) struct Row {
    /// The name of the figure that fills it.
    pub(crate) figure: &'static str,
    pub(crate) title: &'static str,
    pub(crate) unit: Unit,
    pub(crate) budget: Budget,
}

/// A piece of work, who does it and what comes of it.
pub(crate) struct Scenario {
    pub(crate) work: Work,
    pub(crate) what: &'static str,
    pub(crate) rivals: &'static [Engine],
    pub(crate) keys: u64,
    pub(crate) keys_ci: u64,
    pub(crate) rounds: usize,
    /// Whether it runs only when asked for by name: it takes minutes.
    pub(crate) on_request: bool,
    pub(crate) rows: &'static [Row],
}

/// Rounds of the short form.
pub(crate) const ROUNDS_CI: usize = 3;

const MILLION: u64 = 1_000_000;
const STORE_KEYS: u64 = 100_000;
const OPEN_NANOS: f64 = 5e6;
/// The figure that most work comes to.
pub(crate) const TIME: &str = "time";
/// The mean beside a median.
pub(crate) const MEAN: &str = "mean";

const fn times_row(figure: &'static str, title: &'static str, times_max: f64) -> Row {
    Row { figure, title, unit: Unit::Times, budget: Budget::AtMost(times_max) }
}

const fn time_row(title: &'static str, nanos_max: f64) -> Row {
    Row { figure: TIME, title, unit: Unit::Time, budget: Budget::AtMost(nanos_max) }
}

/// Every piece of work, in the order of the table.
pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        work: Work::InsertRandom,
        what: "insert every key one at a time in random order, in memory, the final flush included",
        rivals: &[Engine::BTree, Engine::ProllyMap, Engine::Lmdb, Engine::Redb],
        keys: MILLION,
        keys_ci: 100_000,
        rounds: 5,
        on_request: false,
        rows: &[time_row("one-at-a-time insert, random order, per key", 1500.0)],
    },
    Scenario {
        work: Work::BulkLoad,
        what: "load every key in order",
        rivals: &[Engine::Lmdb, Engine::Redb, Engine::ProllyMap, Engine::BTree],
        keys: MILLION,
        keys_ci: 100_000,
        rounds: 5,
        on_request: false,
        rows: &[time_row("bulk load, sorted, per key", 200.0)],
    },
    Scenario {
        work: Work::PointRead,
        what: "read random keys from a warm store",
        rivals: &[Engine::Lmdb, Engine::BTree, Engine::Redb, Engine::ProllyMap],
        keys: MILLION,
        keys_ci: 100_000,
        rounds: 5,
        on_request: false,
        rows: &[time_row("point read, warm, random", 600.0)],
    },
    Scenario {
        work: Work::Scan,
        what: "visit every entry in order",
        rivals: &[Engine::Lmdb, Engine::ProllyMap, Engine::Redb, Engine::BTree],
        keys: MILLION,
        keys_ci: 100_000,
        rounds: 5,
        on_request: false,
        rows: &[time_row("scan, per entry", 17.0)],
    },
    Scenario {
        work: Work::InsertFlushed,
        what: "insert new random keys, the tree's new root made after each",
        rivals: &[Engine::ProllyMap],
        keys: MILLION,
        keys_ci: 100_000,
        rounds: 5,
        on_request: false,
        rows: &[time_row("one random new key, flushed each time", 50_000.0)],
    },
    Scenario {
        work: Work::Diff,
        what: "compare with a version that has 200 random inserts, updates and deletes",
        rivals: &[Engine::ProllyMap],
        keys: MILLION,
        keys_ci: 100_000,
        rounds: 5,
        on_request: false,
        rows: &[time_row("diff of 200 changes", 700_000.0)],
    },
    Scenario {
        work: Work::Merge,
        what: "merge two versions of 200 random inserts each, nothing remembered of how they were made",
        rivals: &[Engine::ProllyMap],
        keys: MILLION,
        keys_ci: 20_000,
        rounds: 3,
        on_request: false,
        rows: &[time_row("merge of 200 + 200 random inserts", 20_000_000.0)],
    },
    Scenario {
        work: Work::Proof,
        what: "prove keys, and keys that are not there; every proof is verified",
        rivals: &[Engine::ProllyMap],
        keys: MILLION,
        keys_ci: 100_000,
        rounds: 1,
        on_request: false,
        rows: &[
            Row {
                figure: "presence_max",
                title: "key proof, presence, longest of 200",
                unit: Unit::Bytes,
                budget: Budget::AtMost(2500.0),
            },
            Row {
                figure: "absence_max",
                title: "key proof, absence, longest of 200",
                unit: Unit::Bytes,
                budget: Budget::AtMost(4000.0),
            },
        ],
    },
    Scenario {
        work: Work::CommitRedb,
        what: "commit one change at a time, each durable when the call returns, redb backend",
        rivals: &[Engine::Redb, Engine::Lmdb],
        keys: STORE_KEYS,
        keys_ci: STORE_KEYS / 10,
        rounds: 5,
        on_request: false,
        rows: &[
            Row {
                figure: TIME,
                title: "durable commit of 1 change, redb backend, median",
                unit: Unit::Time,
                budget: Budget::TimesRival(Engine::Redb, 2.0),
            },
            Row { figure: MEAN, title: "the same, mean", unit: Unit::Time, budget: Budget::None },
        ],
    },
    Scenario {
        work: Work::CommitGit,
        what: "commit one change at a time, each durable when the call returns, Git backend",
        rivals: &[Engine::DoltLite],
        keys: STORE_KEYS,
        keys_ci: STORE_KEYS / 10,
        rounds: 5,
        on_request: false,
        rows: &[
            Row {
                figure: TIME,
                title: "durable commit of 1 change, Git backend, median",
                unit: Unit::Time,
                budget: Budget::TimesRival(Engine::DoltLite, 2.0),
            },
            Row {
                figure: MEAN,
                title: "the same, mean: the store's own packing included",
                unit: Unit::Time,
                budget: Budget::None,
            },
        ],
    },
    Scenario {
        work: Work::CommitGitJournal,
        what: "the same with the store's commit journal",
        rivals: &[Engine::DoltLite],
        keys: STORE_KEYS,
        keys_ci: STORE_KEYS / 10,
        rounds: 5,
        on_request: false,
        rows: &[
            Row {
                figure: TIME,
                title: "durable commit of 1 change, Git backend with a commit journal, median",
                unit: Unit::Time,
                budget: Budget::TimesRival(Engine::DoltLite, 1.0),
            },
            Row {
                figure: MEAN,
                title: "the same, mean: the store's own packing included",
                unit: Unit::Time,
                budget: Budget::None,
            },
        ],
    },
    Scenario {
        work: Work::Open,
        what: "open a closed store and read a key",
        rivals: &[],
        keys: STORE_KEYS,
        keys_ci: STORE_KEYS / 10,
        rounds: 5,
        on_request: false,
        rows: &[
            Row { figure: "redb", ..time_row("open a store and read a key, redb", OPEN_NANOS) },
            Row { figure: "git", ..time_row("open a store and read a key, Git", OPEN_NANOS) },
        ],
    },
    Scenario {
        work: Work::Disk,
        what: "blocks on disk against the bytes of keys and values, the store closed",
        rivals: &[],
        keys: STORE_KEYS,
        keys_ci: STORE_KEYS / 10,
        rounds: 1,
        on_request: false,
        rows: &[
            times_row("redb_loaded", "disk, redb: one commit", 1.3),
            times_row("redb_edited", "disk, redb: 1,000 more commits of 10 changes", 12.0),
            times_row("git_loaded", "disk, Git: one commit", 1.3),
            times_row("git_edited", "disk, Git: 1,000 more commits of 10 changes", 12.0),
            times_row("git_collected", "disk, Git: then `git gc`", 2.0),
        ],
    },
    Scenario {
        work: Work::Python,
        what: "call the Python package: single inserts and reads, a batch of ten times as many pairs",
        rivals: &[],
        keys: STORE_KEYS,
        keys_ci: STORE_KEYS / 10,
        rounds: 3,
        on_request: false,
        rows: &[
            Row { figure: "insert", ..time_row("Python: VersionedKvStore.insert, warm", 1e9 / 1e6) },
            Row { figure: "get", ..time_row("Python: VersionedKvStore.get, warm", 1e9 / 7e5) },
            Row { figure: "insert_batch", ..time_row("Python: ProllyTree.insert_batch of 1 M pairs", 2e9) },
        ],
    },
    Scenario {
        work: Work::Huge,
        what: "load 10 M keys into redb, open, read, commit, diff and scan them with the default cache",
        rivals: &[],
        keys: 10 * MILLION,
        keys_ci: MILLION,
        rounds: 1,
        on_request: true,
        rows: &[
            Row {
                figure: PEAK_MEMORY,
                title: "10 M keys, redb: most memory",
                unit: Unit::Bytes,
                budget: Budget::AtMost(200e6),
            },
            Row {
                figure: "load",
                title: "10 M keys: bulk load and commit, per key",
                unit: Unit::Time,
                budget: Budget::None,
            },
            Row { figure: "open", ..time_row("10 M keys: open and read a key", OPEN_NANOS) },
            Row { figure: "read", title: "10 M keys: random read", unit: Unit::Time, budget: Budget::None },
            Row {
                figure: "commit",
                title: "10 M keys: commit of 200 changes",
                unit: Unit::Time,
                budget: Budget::None,
            },
            Row {
                figure: "diff",
                title: "10 M keys: diff of 200 changes",
                unit: Unit::Time,
                budget: Budget::None,
            },
            Row {
                figure: "scan",
                title: "10 M keys: scan, per entry",
                unit: Unit::Time,
                budget: Budget::None,
            },
        ],
    },
];
