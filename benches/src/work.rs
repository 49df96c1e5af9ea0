//! What is measured: pieces of work, the engines that do them, and the rows of the table they fill.

use std::str::FromStr;

use crate::format::Unit;

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
    }
}

/// What a row is designed for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Budget {
    /// At most this, at the full number of keys on the machine of DESIGN §8.
    AtMost(f64),
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
    pub(crate) rows: &'static [Row],
}

/// Rounds of the short form.
pub(crate) const ROUNDS_CI: usize = 3;

const MILLION: u64 = 1_000_000;
const TIME: &str = "time";

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
        rows: &[time_row("one-at-a-time insert, random order, per key", 1500.0)],
    },
    Scenario {
        work: Work::BulkLoad,
        what: "load every key in order",
        rivals: &[Engine::Lmdb, Engine::Redb, Engine::ProllyMap, Engine::BTree],
        keys: MILLION,
        keys_ci: 100_000,
        rounds: 5,
        rows: &[time_row("bulk load, sorted, per key", 200.0)],
    },
    Scenario {
        work: Work::PointRead,
        what: "read random keys from a warm store",
        rivals: &[Engine::Lmdb, Engine::BTree, Engine::Redb, Engine::ProllyMap],
        keys: MILLION,
        keys_ci: 100_000,
        rounds: 5,
        rows: &[time_row("point read, warm, random", 600.0)],
    },
    Scenario {
        work: Work::Scan,
        what: "visit every entry in order",
        rivals: &[Engine::Lmdb, Engine::ProllyMap, Engine::Redb, Engine::BTree],
        keys: MILLION,
        keys_ci: 100_000,
        rounds: 5,
        rows: &[time_row("scan, per entry", 17.0)],
    },
    Scenario {
        work: Work::InsertFlushed,
        what: "insert new random keys, the tree's new root made after each",
        rivals: &[Engine::ProllyMap],
        keys: MILLION,
        keys_ci: 100_000,
        rounds: 5,
        rows: &[time_row("one random new key, flushed each time", 50_000.0)],
    },
    Scenario {
        work: Work::Diff,
        what: "compare with a version that has 200 random inserts, updates and deletes",
        rivals: &[Engine::ProllyMap],
        keys: MILLION,
        keys_ci: 100_000,
        rounds: 5,
        rows: &[time_row("diff of 200 changes", 700_000.0)],
    },
    Scenario {
        work: Work::Merge,
        what: "merge two versions of 200 random inserts each, nothing remembered of how they were made",
        rivals: &[Engine::ProllyMap],
        keys: MILLION,
        keys_ci: 50_000,
        rounds: 3,
        rows: &[time_row("merge of 200 + 200 random inserts", 20_000_000.0)],
    },
    Scenario {
        work: Work::Proof,
        what: "prove keys, and keys that are not there; every proof is verified",
        rivals: &[Engine::ProllyMap],
        keys: MILLION,
        keys_ci: 100_000,
        rounds: 1,
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
];
