"""What SQL costs: ProllySQLStore, in Git and in redb, beside ``sqlite3`` and DoltLite.

    sql.py [--rows N] [--big-rows N] [--rounds N] [--only WORK] [--engine ENGINE] [--json FILE]

Each figure is the median of several rounds; a round is a fresh process for one engine and one piece of work, and the
engines take turns. What a piece of work did is checked after the clock stops: a wrong result fails the run.

DoltLite is a loader that puts its own library in the place of ``sqlite3``'s, so both are driven by the same code.
"""

import argparse
import csv
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ENGINES = ("prollytree", "prollytree-redb", "doltlite", "sqlite3")
CHANGES = 100
BUCKETS = 100
PER_KIND = 10
JOIN_ROWS = 10_000
CREATE = "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL, kind INTEGER NOT NULL, bucket INTEGER NOT NULL, score FLOAT)"
INSERT = "INSERT INTO t VALUES (?, ?, ?, ?, ?)"


def rows(count: int, start: int = 0) -> Iterator[tuple[int, str, int, int, float]]:
    """Rows with random text and numbers; ten of each kind, a hundred buckets."""
    chosen = random.Random(start + count)
    kinds = max(count // PER_KIND, 1)
    for index in range(start, start + count):
        name = "".join(chosen.choices("abcdefghijklmnopqrstuvwxyz", k=24))
        yield index, name, chosen.randrange(kinds), chosen.randrange(BUCKETS), chosen.random()


def expect(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise SystemExit(f"{what}: {found!r}, not {expected!r}")


class Sqlite:
    """The standard library's module, as it is."""

    def __init__(self, folder: Path) -> None:
        import sqlite3

        self.db = sqlite3.connect(folder / "bench.db", isolation_level=None)
        self.check()

    def check(self) -> None:
        (synchronous,) = self.db.execute("PRAGMA synchronous").fetchone()
        expect("PRAGMA synchronous", synchronous, 2)

    def query(self, text: str, params: tuple = ()) -> list[tuple]:
        return self.db.execute(text, params).fetchall()

    def run(self, text: str, params: tuple = ()) -> None:
        self.db.execute(text, params)

    def insert_all(self, text: str, values: Any) -> None:
        self.db.execute("BEGIN")
        self.db.executemany(text, values)
        self.db.execute("COMMIT")

    def commit(self, message: str) -> None:
        """What is not in a transaction is on the disk already."""

    def import_csv(self, path: Path) -> None:
        with path.open(newline="") as file:
            reader = csv.reader(file)
            next(reader)
            self.insert_all(INSERT, reader)


class DoltLite(Sqlite):
    def check(self) -> None:
        super().check()
        self.db.execute("SELECT dolt_version()").fetchone()

    def commit(self, message: str) -> None:
        self.db.execute("SELECT dolt_commit('-A', '-m', ?)", (message,)).fetchone()

    def branch(self, name: str) -> None:
        self.db.execute("SELECT dolt_checkout('-b', ?)", (name,)).fetchone()

    def checkout(self, name: str) -> None:
        self.db.execute("SELECT dolt_checkout(?)", (name,)).fetchone()

    def merge(self, name: str) -> None:
        self.db.execute("SELECT dolt_merge(?)", (name,)).fetchone()

    def diff(self) -> int:
        return len(self.query("SELECT * FROM dolt_diff_t('HEAD~1', 'HEAD')"))


class ProllyTree:
    def __init__(self, folder: Path, backend: str) -> None:
        from prollytree import ProllySQLStore, StorageBackend

        self.db = ProllySQLStore(folder / "store", getattr(StorageBackend, backend))

    def query(self, text: str, params: tuple = ()) -> list[tuple]:
        return self.db.execute(text, params, format="tuples")[1]

    def run(self, text: str, params: tuple = ()) -> None:
        self.db.execute(text, params)

    def insert_all(self, text: str, values: Any) -> None:
        self.db.execute_many(text, values)

    def commit(self, message: str) -> None:
        self.db.commit(message)

    def branch(self, name: str) -> None:
        self.db.create_branch(name)

    def checkout(self, name: str) -> None:
        self.db.checkout(name)

    def merge(self, name: str) -> None:
        self.db.merge(name)

    def diff(self) -> int:
        return len(self.query('SELECT * FROM "diff(t, HEAD~1, HEAD)"'))

    def import_csv(self, path: Path) -> None:
        self.db.import_csv("t", path, progress=lambda *_: None)


def one_value(db: Any, text: str, params: tuple = ()) -> Any:
    ((value,),) = db.query(text, params)
    return value


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter_ns()
    work()
    return time.perf_counter_ns() - start


def load(db: Any, count: int) -> None:
    db.run(CREATE)
    db.insert_all(INSERT, list(rows(count)))
    db.commit("load")


def pk_select(db: Any, count: int, _folder: Path) -> float:
    load(db, count)
    order = random.Random(1).sample(range(count), min(count, 5000))
    found: list[list[tuple]] = []
    elapsed = timed(lambda: found.extend(db.query("SELECT * FROM t WHERE id = ?", (key,)) for key in order))
    expect("rows found", [row[0][0] for row in found], order)
    return elapsed / len(order)


def index_select(db: Any, count: int, _folder: Path) -> float:
    load(db, count)
    db.run("CREATE INDEX t_kind ON t (kind)")
    db.commit("index")
    kinds = random.Random(2).choices(range(count // PER_KIND), k=2000)
    found: list[int] = []
    elapsed = timed(lambda: found.extend(len(db.query("SELECT * FROM t WHERE kind = ?", (kind,))) for kind in kinds))
    per_kind = dict(db.query("SELECT kind, COUNT(*) FROM t GROUP BY kind"))
    expect("rows found", found, [per_kind.get(kind, 0) for kind in kinds])
    return elapsed / len(kinds)


def insert_10k(db: Any, count: int, _folder: Path) -> float:
    load(db, count)
    new = list(rows(10_000, start=count))
    elapsed = timed(lambda: db.insert_all(INSERT, new))
    expect("rows", one_value(db, "SELECT COUNT(*) FROM t"), count + 10_000)
    return elapsed / len(new)


def autocommit(db: Any, count: int, _folder: Path) -> float:
    load(db, count)
    new = list(rows(500, start=count))

    def work() -> None:
        for row in new:
            db.run(INSERT, row)

    elapsed = timed(work)
    expect("rows", one_value(db, "SELECT COUNT(*) FROM t"), count + len(new))
    return elapsed / len(new)


def insert_commit(db: Any, count: int, _folder: Path) -> float:
    load(db, count)
    new = list(rows(200, start=count))

    def work() -> None:
        for row in new:
            db.run(INSERT, row)
            db.commit("one row")

    elapsed = timed(work)
    expect("rows", one_value(db, "SELECT COUNT(*) FROM t"), count + len(new))
    return elapsed / len(new)


def update_1_percent(db: Any, count: int, _folder: Path) -> float:
    load(db, count)
    elapsed = timed(lambda: db.run("UPDATE t SET score = 2.0 WHERE id % 100 = 7"))
    expect("rows", one_value(db, "SELECT COUNT(*) FROM t WHERE score = 2.0"), count // 100)
    return elapsed


def group_by(db: Any, count: int, _folder: Path) -> float:
    load(db, count)
    text = "SELECT bucket, COUNT(*), SUM(score) FROM t GROUP BY bucket"
    db.query(text)
    found: list[tuple] = []
    elapsed = timed(lambda: found.extend(db.query(text)))
    expect("rows grouped", sum(row[1] for row in found), count)
    return elapsed


def join(db: Any, count: int, _folder: Path) -> float:
    db.run("CREATE TABLE a (id INTEGER PRIMARY KEY, x INTEGER NOT NULL)")
    db.run("CREATE TABLE b (id INTEGER PRIMARY KEY, a_id INTEGER NOT NULL)")
    chosen = random.Random(3)
    db.insert_all("INSERT INTO a VALUES (?, ?)", [(n, chosen.randrange(1000)) for n in range(JOIN_ROWS)])
    db.insert_all("INSERT INTO b VALUES (?, ?)", [(n, chosen.randrange(JOIN_ROWS)) for n in range(JOIN_ROWS)])
    db.run("CREATE INDEX b_a ON b (a_id)")
    db.commit("load")
    text = "SELECT COUNT(*), SUM(a.x) FROM b JOIN a ON a.id = b.a_id"
    found: list[tuple] = []
    elapsed = timed(lambda: found.extend(db.query(text)))
    expect("rows joined", found[0][0], JOIN_ROWS)
    return elapsed


def change(db: Any, count: int, seed: int) -> None:
    """Changes rows on one half of the keys, or the other."""
    half = range(seed % 2, count, 2)
    for key in random.Random(seed).sample(half, CHANGES):
        db.run("UPDATE t SET score = ? WHERE id = ?", (float(seed), key))


def diff(db: Any, count: int, _folder: Path) -> float:
    load(db, count)
    change(db, count, 10)
    db.commit("change")
    found: list[int] = []
    elapsed = timed(lambda: found.append(db.diff()))
    expect("rows that differ", found, [CHANGES])
    return elapsed


def merge(db: Any, count: int, _folder: Path) -> float:
    load(db, count)
    db.branch("side")
    change(db, count, 11)
    db.commit("theirs")
    db.checkout("main")
    change(db, count, 12)
    db.commit("ours")
    elapsed = timed(lambda: db.merge("side"))
    changed = [one_value(db, "SELECT COUNT(*) FROM t WHERE score = ?", (seed,)) for seed in (11.0, 12.0)]
    expect("rows changed", changed, [CHANGES, CHANGES])
    return elapsed


def import_csv(db: Any, count: int, folder: Path) -> float:
    path = folder / "rows.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "name", "kind", "bucket", "score"))
        writer.writerows(rows(count))
    db.run(CREATE)
    elapsed = timed(lambda: db.import_csv(path))
    expect("rows", one_value(db, "SELECT COUNT(*) FROM t"), count)
    return elapsed


WORKS: dict[str, tuple[str, Callable[[Any, int, Path], float], bool, frozenset[str]]] = {
    # name: what the table says, the work, whether it takes the large table, the engines that cannot do it
    "pk-select": ("SELECT by primary key", pk_select, False, frozenset()),
    "index-select": ("SELECT of ten rows by an index", index_select, False, frozenset()),
    "insert-10k": ("INSERT of 10 k rows in a transaction, per row", insert_10k, False, frozenset()),
    "autocommit": ("INSERT of a row, autocommit (ours is staged, theirs is synced)", autocommit, False, frozenset()),
    "insert-commit": ("INSERT of a row and a durable commit", insert_commit, False, frozenset()),
    "update": ("UPDATE of 1 % of the rows", update_1_percent, False, frozenset()),
    "group-by": ("GROUP BY over all rows", group_by, False, frozenset()),
    "join": ("join of 10 k and 10 k rows", join, False, frozenset()),
    "diff": ("diff of 100 changed rows between two commits", diff, True, frozenset({"sqlite3"})),
    "merge": ("merge of 100 and 100 changed rows", merge, True, frozenset({"sqlite3"})),
    "import-csv": ("import of a CSV file", import_csv, True, frozenset()),
}


def open_engine(engine: str, folder: Path) -> Any:
    if engine == "doltlite":
        import doltlite  # noqa: F401  (before sqlite3: puts DoltLite's library in its place)

        return DoltLite(folder)
    if engine == "sqlite3":
        return Sqlite(folder)
    return ProllyTree(folder, "Redb" if engine == "prollytree-redb" else "Git")


def one(engine: str, work: str, count: int) -> None:
    """One round, in this process: prints nanoseconds."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        print(WORKS[work][1](open_engine(engine, Path(folder)), count, Path(folder)))


def shown(nanoseconds: float) -> str:
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if nanoseconds >= size:
            return f"{nanoseconds / size:.3g} {unit}"
    return f"{nanoseconds:.0f} ns"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--big-rows", type=int, default=1_000_000, help="of the diff, the merge and the import")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", action="append", choices=WORKS, help="a piece of work; may be repeated")
    parser.add_argument("--engine", action="append", choices=ENGINES, help="may be repeated")
    parser.add_argument("--json", type=Path, help="where to write every round's figure")
    parser.add_argument("--one", nargs=3, metavar=("ENGINE", "WORK", "ROWS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        engine, work, count = options.one
        one(engine, work, int(count))
        return
    engines = options.engine or ENGINES
    figures: dict[str, dict[str, list[float]]] = {}
    for work in options.only or WORKS:
        _, _, is_big, cannot = WORKS[work]
        count = options.big_rows if is_big else options.rows
        figures[work] = {engine: [] for engine in engines if engine not in cannot}
        for _ in range(options.rounds):
            for engine, times in figures[work].items():
                command = [sys.executable, __file__, "--one", engine, work, str(count)]
                result = subprocess.run(command, check=True, capture_output=True, text=True)
                times.append(float(result.stdout))
    print("| work | " + " | ".join(engines) + " |")
    print("|---" * (len(engines) + 1) + "|")
    for work, by_engine in figures.items():
        cells = (shown(statistics.median(by_engine[engine])) if engine in by_engine else "–" for engine in engines)
        print(f"| {WORKS[work][0]} | " + " | ".join(cells) + " |")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
