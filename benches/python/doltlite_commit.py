"""DoltLite: what a durable commit of one change costs.

    doltlite_commit.py KEYS DIR COMMITS

Prints a line per figure, ``NAME VALUE``, as the other engines' processes do. The package is a loader that makes Python's
``sqlite3`` use DoltLite's library; ``synchronous`` is FULL and commits go to the disk before they return.
"""

import os
import random
import statistics
import sys
import time
from pathlib import Path

import doltlite  # noqa: F401  (before sqlite3: puts DoltLite's library in its place)
import sqlite3  # isort: skip

SPACING = 16
VALUE_BYTES = 100


def key(index: int) -> bytes:
    return b"key:%012d" % (index * SPACING)


def connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("SELECT dolt_version()").fetchone()
    except sqlite3.OperationalError as error:
        raise SystemExit(f"sqlite3 does not run on DoltLite here: {error}") from error
    (synchronous,) = connection.execute("PRAGMA synchronous").fetchone()
    if synchronous < 2:
        raise SystemExit(f"commits would not be durable: synchronous is {synchronous}")
    return connection


def count(connection: sqlite3.Connection, table: str) -> int:
    (rows,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return rows


def main(keys: int, folder: Path, commits: int) -> None:
    connection = connect(folder / "doltlite.db")
    connection.execute("CREATE TABLE t (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID")
    connection.execute("BEGIN")
    entries = ((key(index), os.urandom(VALUE_BYTES)) for index in range(keys))
    connection.executemany("INSERT INTO t VALUES (?, ?)", entries)
    connection.execute("COMMIT")
    connection.execute("SELECT dolt_commit('-A', '-m', 'load')").fetchone()
    before = count(connection, "dolt_log")

    chosen = random.Random(10)
    times = []
    for _ in range(commits):
        changed, value = key(chosen.randrange(keys)), os.urandom(VALUE_BYTES)
        start = time.perf_counter_ns()
        connection.execute("UPDATE t SET v = ? WHERE k = ?", (value, changed))
        connection.execute("SELECT dolt_commit('-A', '-m', 'change')").fetchone()
        times.append(time.perf_counter_ns() - start)

    found = count(connection, "t"), count(connection, "dolt_log")
    if found != (keys, before + commits):
        raise SystemExit(f"rows and commits: {found}, not {(keys, before + commits)}")
    print("time", statistics.median(times))
    print("mean", statistics.fmean(times))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
