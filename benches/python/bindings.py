"""What the calls of the Python package cost.

    bindings.py KEYS DIR

Prints a line per figure, ``NAME VALUE`` in nanoseconds, as the engines' processes do. A figure is the median of several
passes in this process, made while the interpreter collects no cycles.
"""

import gc
import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from prollytree import ProllyTree, VersionedKvStore

SPACING = 16
VALUE_BYTES = 100
PASSES = 3
BATCH_TO_KEYS = 10


def key(index: int) -> bytes:
    return b"key:%012d" % (index * SPACING)


def timed(work: Callable[[], None]) -> int:
    gc.collect()
    gc.disable()
    start = time.perf_counter_ns()
    work()
    elapsed = time.perf_counter_ns() - start
    gc.enable()
    return elapsed


def expect(what: str, found: int, expected: int) -> None:
    if found != expected:
        raise SystemExit(f"{what}: {found}, not {expected}")


def warm_store(keys: int, folder: Path) -> dict[str, float]:
    store = VersionedKvStore(folder / "store")
    for index in range(keys):
        store.insert(key(index), os.urandom(VALUE_BYTES))
    store.commit("load")
    order = list(range(keys))
    random.Random(11).shuffle(order)
    shuffled = [key(index) for index in order]
    new = [(stored, os.urandom(VALUE_BYTES)) for stored in shuffled]
    get, insert = store.get, store.insert
    found = 0

    def read() -> None:
        nonlocal found
        for stored in shuffled:
            if get(stored) is not None:
                found += 1

    def write() -> None:
        for stored, value in new:
            insert(stored, value)

    read()
    reads = statistics.median(timed(read) for _ in range(PASSES)) / keys
    expect("keys found", found, keys * (PASSES + 1))
    writes = []
    for _ in range(PASSES):
        writes.append(timed(write) / keys)
        store.commit("change")
    expect("values as written", sum(store.get(stored) == value for stored, value in new[:100]), 100)
    store.close()
    return {"get": reads, "insert": statistics.median(writes)}


def batch(keys: int) -> dict[str, float]:
    pairs = [(key(index), os.urandom(VALUE_BYTES)) for index in range(keys)]
    random.Random(12).shuffle(pairs)
    times = []
    for _ in range(PASSES):
        tree = ProllyTree()
        times.append(timed(lambda: tree.insert_batch(pairs)))
        expect("entries", tree.size(), keys)
    return {"insert_batch": statistics.median(times)}


def main(keys: int, folder: Path) -> None:
    figures = warm_store(keys, folder) | batch(keys * BATCH_TO_KEYS)
    for name, value in figures.items():
        print(name, value)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
