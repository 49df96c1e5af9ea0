"""Threads, processes and kills: nothing committed is ever lost, and nothing is half there."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import prollytree as p
from conftest import Opener, everything, messages
from prollytree import StorageBackend, VersionedKvStore


def run_threads(*actions: Callable[[], object]) -> None:
    """Runs all actions at once; the first failure of any is raised. A thread that never ends is a failure too."""
    failures: list[BaseException] = []
    barrier = threading.Barrier(len(actions))

    def run(action: Callable[[], object]) -> None:
        try:
            barrier.wait(60)
            action()
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(action,), daemon=True) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(240)
        assert not thread.is_alive(), "a thread hangs"
    if failures:
        raise failures[0]


def test_many_threads_write_one_tree() -> None:
    tree = p.ProllyTree()

    def write(number: int) -> None:
        for i in range(2000):
            tree.insert(b"%02d-%05d" % (number, i), b"%d" % i)
            if i % 100 == 0:
                tree.root_hash()
            if i % 10 == 9:
                assert tree.delete(b"%02d-%05d" % (number, i))
        tree.insert_batch((b"%02d-batch-%d" % (number, i), b"v") for i in range(500))

    def read() -> None:
        for _ in range(100):
            keys = list(itertools.islice(tree, 200))
            assert keys == sorted(keys)
            tree.verify(tree.generate_proof(b"00-00000"), b"00-00000")
            len(tree)

    run_threads(*[lambda n=n: write(n) for n in range(8)], read, read)
    assert len(tree) == 8 * (1800 + 500)
    again = p.ProllyTree()
    again.insert_batch(tree.items())
    assert again.root_hash() == tree.root_hash()


def test_many_threads_use_one_store(store: VersionedKvStore) -> None:
    def write(number: int) -> None:
        for i in range(200):
            store.insert(b"%02d-%04d" % (number, i), b"%d" % i)
            assert store.get(b"%02d-%04d" % (number, i)) == b"%d" % i
            if i % 50 == 49:
                store.commit(f"{number}-{i}")

    def read() -> None:
        for _ in range(30):
            log = store.log()
            assert log[-1]["message"] == "Initial commit"
            contents = dict(store.at(log[0]["id"]).items())
            assert contents.items() <= dict(store.items()).items()
            store.status()
            store.list_branches()

    run_threads(*[lambda n=n: write(n) for n in range(6)], read, read)
    store.commit("rest")
    assert len(store) == 1200
    assert len(store.at("HEAD")) == 1200
    committed = set(messages(store.log()))
    assert {f"{n}-{i}" for n in range(6) for i in (49, 99, 149, 199)} <= committed


def test_threads_with_handles_of_their_own(open_store: Opener, disk_backend: StorageBackend) -> None:
    def write(number: int) -> None:
        handle = open_store(disk_backend)
        for i in range(20):
            handle.insert(b"%d-%d" % (number, i), b"v")
            handle.commit(f"{number}-{i}")

    open_store(disk_backend)
    run_threads(*[lambda n=n: write(n) for n in range(4)])
    store = open_store(disk_backend)
    assert {f"{n}-{i}" for n in range(4) for i in range(20)} <= set(messages(store.log()))
    assert len(store.at("HEAD")) == 80


def others_run_during(work: Callable[[], object], seconds: float = 10) -> bool:
    """Whether another thread gets its turn while ``work`` runs, which is done again until it does."""
    count, stop = [0], threading.Event()

    def tick() -> None:
        while not stop.is_set():
            count[0] += 1
            time.sleep(0.0005)

    ticker = threading.Thread(target=tick, daemon=True)
    ticker.start()
    while count[0] == 0:
        time.sleep(0.001)
    # The longest the interpreter lets a thread run before another may ask for its turn: longer than any test, so
    # that only work that gives the lock up lets the ticker run.
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    try:
        before = count[0]
        end = time.monotonic() + seconds
        # More than one tick: the ticker may have been on its way when the work began.
        while count[0] < before + 3 and time.monotonic() < end:
            work()
        return count[0] >= before + 3
    finally:
        sys.setswitchinterval(interval)
        stop.set()
        ticker.join()


def test_the_check_for_other_threads_can_fail() -> None:
    assert not others_run_during(lambda: sum(range(100_000)), seconds=0.5)


def test_other_threads_run_while_a_store_works(store: VersionedKvStore) -> None:
    pairs = [(b"k%06d" % i, b"v" * 100) for i in range(20_000)]
    rounds = itertools.count()

    def rewrite() -> None:
        number = b"%d" % next(rounds)
        store.insert_batch((key, value + number) for key, value in pairs)

    rewrite()
    store.commit("base")
    store.create_branch("side")
    rewrite()
    store.commit("side")
    store.checkout("main")
    store.insert(b"mine", b"1")
    store.commit("mine")
    for work in (
        store.root_hash,
        store.list_keys,
        lambda: store.commit("again"),
        lambda: store.at("HEAD"),
        lambda: store.diff("main", "side"),
        lambda: store.try_merge("side"),
        lambda: store.history(b"k000000"),
        lambda: store.get_many(key for key, _ in pairs[:10]),
        lambda: store.get(b"k000000"),
        lambda: store.insert(b"k000000", b"w"),
    ):
        assert others_run_during(work)
    store.discard()
    assert others_run_during(lambda: store.merge("side"))
    assert others_run_during(store.gc)
    assert others_run_during(lambda: VersionedKvStore(store.path, store.storage_backend()).close())


def test_other_threads_run_while_a_tree_works() -> None:
    tree = p.ProllyTree()
    pairs = [(b"k%06d" % i, b"v" * 100) for i in range(20_000)]
    tree.insert_batch(pairs)
    for work in (
        tree.stats,
        lambda: tree.insert_batch(pairs),
        lambda: list(tree.values()),
        lambda: tree.generate_proof(b"k000000"),
        lambda: tree.insert(b"k000000", b"w"),
        lambda: tree.find(b"k000000"),
    ):
        assert others_run_during(work)


# Processes.


def python(code: str, *arguments: object, **options) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-u", "-c", textwrap.dedent(code), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def finish(process: subprocess.Popen) -> str:
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return out


COMMITTER = """
    import sys
    import prollytree as p
    path, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    store = p.VersionedKvStore(path)
    print("ready"); sys.stdin.readline()
    for i in range(count):
        store.insert(f"{name}-{i}".encode(), b"v")
        store.commit(f"{name}-{i}")
"""


@pytest.mark.parametrize("backend", [StorageBackend.Git, StorageBackend.File], ids=str)
def test_processes_never_lose_each_others_commits(tmp_path: Path, backend: StorageBackend) -> None:
    path = tmp_path / "store"
    VersionedKvStore(path, backend).close()
    workers = [python(COMMITTER, path, name, 25, stdin=subprocess.PIPE) for name in ("a", "b", "c")]
    for worker in workers:
        assert worker.stdout.readline() == "ready\n", worker.communicate()
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        finish(worker)
    with VersionedKvStore(path) as store:
        names = {f"{name}-{i}" for name in "abc" for i in range(25)}
        assert names <= set(messages(store.log()))
        assert {key.decode() for key in store.at("main")} == names


def test_a_redb_store_in_use_elsewhere(tmp_path: Path) -> None:
    """One process at a time may hold a redb file: the second is told so, or both work; nothing is lost."""
    path = tmp_path / "store"
    VersionedKvStore(path, StorageBackend.RocksDB).close()
    first = python(COMMITTER, path, "a", 3, stdin=subprocess.PIPE)
    assert first.stdout.readline() == "ready\n"
    names = {f"a-{i}" for i in range(3)}
    try:
        with VersionedKvStore(path) as store:
            store.insert(b"mine", b"v")
            store.commit("mine")
            names.add("mine")
    except p.StorageError as error:
        assert "process" in str(error)
    first.communicate("go\n", timeout=60)
    with VersionedKvStore(path) as store:
        assert names <= set(messages(store.log()))


@pytest.mark.parametrize("backend", [StorageBackend.Git, StorageBackend.File], ids=str)
def test_a_commit_over_somebody_elses(tmp_path: Path, backend: StorageBackend) -> None:
    """Disjoint changes land on the new tip; changes of the same key are refused, and stay staged."""
    other = """
        import sys
        import prollytree as p
        with p.VersionedKvStore(sys.argv[1]) as store:
            store.insert(b"shared", b"theirs")
            print(store.commit("theirs"))
    """
    with VersionedKvStore(tmp_path / "store", backend) as store:
        store.insert(b"shared", b"0")
        store.commit("base")
        store.insert(b"mine", b"1")
        theirs = finish(python(other, store.path)).strip()
        store.commit("mine")
        assert store.log()[0]["parents"] == [theirs]
        assert dict(store.at("HEAD").items()) == {b"shared": b"theirs", b"mine": b"1"}

        store.insert(b"shared", b"ours")
        theirs = finish(python(other.replace("theirs", "theirs again"), store.path)).strip()
        with pytest.raises(p.ConcurrentUpdateError, match="main"):
            store.commit("ours")
        assert store.status() == [(b"shared", "modified")]
        assert store.get(b"shared") == b"ours"
        assert store.resolve("main") == theirs


KILLED = """
    import sys
    import prollytree as p
    store = p.VersionedKvStore(sys.argv[1])
    n = len(store.log())
    while True:
        store.insert_batch((b"k%03d" % i, b"%d" % n) for i in range(n % 7, 300, 7))
        print(store.commit(f"{n}"))
        n += 1
"""


def test_killed_in_the_middle(tmp_path: Path, disk_backend: StorageBackend) -> None:
    """Whatever was reported as committed is there afterwards, whole."""
    path = tmp_path / "store"
    VersionedKvStore(path, disk_backend).close()
    reported: list[str] = []
    for attempt in range(8):
        child = python(KILLED, path)
        reported.append(child.stdout.readline().strip())
        time.sleep(0.003 * attempt)
        os.kill(child.pid, signal.SIGKILL)
        out, err = child.communicate(timeout=60)
        assert not err, err
        # A last line without its end was cut by the kill.
        reported += [line.strip() for line in out.splitlines(keepends=True) if line.endswith("\n")]
        with VersionedKvStore(path) as store:
            ids = [entry["id"] for entry in store.log()]
            assert set(reported) <= set(ids)
            assert len(everything(store)) == len(ids)
    with VersionedKvStore(path) as store:
        store.discard()
        store.insert(b"after", b"1")
        store.commit("after")
        assert dict(store.at("HEAD~1").items()).items() <= dict(store.items()).items()


def test_a_killed_process_leaves_its_staged_changes_to_the_next(tmp_path: Path, disk_backend: StorageBackend) -> None:
    """At most the tail that had not reached the disk may be lost, never the store."""
    child = python(
        """
        import sys, os, signal
        import prollytree as p
        store = p.VersionedKvStore(sys.argv[1], getattr(p.StorageBackend, sys.argv[2]))
        store.insert(b"committed", b"1")
        store.commit("one")
        for i in range(1000):
            store.insert(b"k%04d" % i, b"v")
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        tmp_path / "store",
        disk_backend,
    )
    child.communicate(timeout=60)
    with VersionedKvStore(tmp_path / "store") as store:
        assert store.get(b"committed") == b"1"
        staged = [key for key, _ in store.status()]
        assert staged == [b"k%04d" % i for i in range(len(staged))]
        store.insert(b"more", b"1")
        store.commit("two")
        assert len(store.at("HEAD")) == len(staged) + 2
