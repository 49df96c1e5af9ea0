"""Namespaces against a model, and from many threads."""

from __future__ import annotations

import io
import threading
from copy import deepcopy
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import prollytree as p
from conftest import ALL_BACKENDS, DISK_BACKENDS
from test_concurrency import others_run_during, run_threads

NAMES = st.sampled_from(["default", "a", "b", "Ü"])
KEYS = st.sampled_from([b"", b"k", b"kk", b"l", b"\xff" * 300])
VALUES = st.one_of(st.binary(max_size=8), st.integers(0, 70_000).map(lambda size: bytes([size % 251]) * size))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("insert"), NAMES, KEYS, VALUES),
        st.tuples(st.just("stream"), NAMES, KEYS, VALUES),
        st.tuples(st.just("delete"), NAMES, KEYS),
        st.tuples(st.just("drop"), NAMES),
        st.tuples(st.just("rename"), NAMES, NAMES),
        st.tuples(st.just("copy"), NAMES, NAMES, st.booleans()),
        st.tuples(st.just("threshold"), st.sampled_from([0, 100, 4096, None])),
        st.sampled_from([("commit",), ("discard",), ("reopen",), ("gc",), ("back",)]),
    ),
    max_size=25,
)
Contents = dict[str, dict[bytes, bytes]]


def flat(contents: Contents) -> dict[tuple[str, bytes], bytes]:
    return {(name, key): value for name, entries in contents.items() for key, value in entries.items()}


class Model:
    """What a store holds, as plain dictionaries."""

    def __init__(self) -> None:
        self.now: Contents = {"default": {}}
        self.commits: list[Contents] = [deepcopy(self.now)]

    def step(self, action: str, *arguments: object) -> object:
        return getattr(self, action)(*arguments)

    def insert(self, name: str, key: bytes, value: bytes) -> None:
        self.now.setdefault(name, {})[key] = value

    stream = insert

    def delete(self, name: str, key: bytes) -> bool:
        return self.now.get(name, {}).pop(key, None) is not None

    def drop(self, name: str) -> bool:
        if name == "default":
            raise p.NamespaceError
        return self.now.pop(name, None) is not None

    def rename(self, old: str, new: str) -> None:
        if old == "default" or old not in self.now:
            raise p.NamespaceError
        if old != new:
            if new in self.now:
                raise p.NamespaceError
            self.now[new] = self.now.pop(old)

    def copy(self, old: str, new: str, committed: bool) -> None:
        source = self.commits[-1] if committed else self.now
        if new in self.now or old not in source:
            raise p.NamespaceError
        self.now[new] = dict(source[old])

    def commit(self) -> None:
        self.commits.append(deepcopy(self.now))

    def discard(self) -> None:
        self.now = deepcopy(self.commits[-1])

    def back(self) -> None:
        if len(self.commits) > 1:
            self.commits.pop()
        self.discard()

    def threshold(self, _: int | None) -> None: ...
    def reopen(self) -> None: ...
    def gc(self) -> None: ...


class Real:
    """The same steps on a store."""

    def __init__(self, path: Path, backend: p.StorageBackend) -> None:
        self.path, self.commits = path, 0
        self.store = p.NamespacedKvStore(path, backend)

    def step(self, action: str, *arguments: object) -> object:
        return getattr(self, action)(*arguments)

    def insert(self, name: str, key: bytes, value: bytes) -> None:
        self.store.ns_insert(name, key, value)

    def stream(self, name: str, key: bytes, value: bytes) -> None:
        assert self.store.namespace(name).insert_stream(key, io.BytesIO(value)) == len(value)

    def delete(self, name: str, key: bytes) -> bool:
        return self.store.ns_delete(name, key)

    def drop(self, name: str) -> bool:
        return self.store.delete_namespace(name)

    def rename(self, old: str, new: str) -> None:
        self.store.rename_namespace(old, new)

    def copy(self, old: str, new: str, committed: bool) -> None:
        self.store.copy_namespace(old, new, "HEAD" if committed else None)

    def commit(self) -> None:
        self.store.commit("commit")
        self.commits += 1

    def discard(self) -> None:
        self.store.discard()

    def back(self) -> None:
        self.store.reset("HEAD~1" if self.commits else None)
        self.commits -= self.commits > 0

    def threshold(self, threshold: int | None) -> None:
        self.store.set_externalize_threshold(threshold)

    def gc(self) -> None:
        self.store.gc_blobs()

    def reopen(self) -> None:
        if self.store.storage_backend() is not p.StorageBackend.InMemory:
            self.store.close()
            self.store = p.NamespacedKvStore.open(self.path)

    def contents(self) -> Contents:
        return {name: dict(self.store.namespace(name).items()) for name in self.store.list_namespaces()}

    def committed(self) -> Contents:
        head = self.store.at("HEAD")
        return {name: dict(head.namespace(name).items()) for name in head.list_namespaces()}


@pytest.mark.parametrize("backend", ALL_BACKENDS, ids=str)
@settings(max_examples=25)
@given(steps=STEPS)
def test_random_programs(
    tmp_path_factory: pytest.TempPathFactory, backend: p.StorageBackend, steps: list[tuple]
) -> None:
    model, real = Model(), Real(tmp_path_factory.mktemp("model") / "store", backend)
    try:
        for step in steps:
            try:
                expected = model.step(*step)
            except p.NamespaceError:
                with pytest.raises(p.NamespaceError):
                    real.step(*step)
            else:
                assert real.step(*step) == expected, step
            assert real.contents() == model.now, step
        assert real.committed() == model.commits[-1]
        now, before = flat(model.now), flat(model.commits[-1])
        changed = {key for key in now | before if now.get(key) != before.get(key)}
        assert {(row.namespace, row.key) for row in real.store.changes("HEAD")} == changed
        assert {(name, key) for name, key, _ in real.store.status()} == changed
    finally:
        real.store.close()


@pytest.mark.parametrize("backend", ALL_BACKENDS, ids=str)
def test_many_threads_use_one_store(tmp_path: Path, backend: p.StorageBackend) -> None:
    with p.NamespacedKvStore(tmp_path / "store", backend) as store:

        def write(number: int) -> None:
            own = store.namespace(f"own-{number}")
            for i in range(100):
                own[b"%03d" % i] = b"%d" % i
                store.ns_insert("shared", b"%d-%03d" % (number, i), b"")
                assert own[b"%03d" % i] == b"%d" % i
                if i % 40 == 39:
                    store.commit(f"{number}-{i}")
            store.ns_insert_stream(f"own-{number}", b"stream", io.BytesIO(bytes(200_000)))

        def read() -> None:
            for _ in range(20):
                for name in store.list_namespaces():
                    keys = list(store.namespace(name))
                    assert keys == sorted(keys)
                list(store.changes(None))
                store.ns_generate_proof("shared", b"0-000")

        run_threads(*[lambda n=n: write(n) for n in range(4)], read, read)
        store.commit("all")
        assert len(store.namespace("shared")) == 400
        assert all(len(store.namespace(f"own-{n}")) == 101 for n in range(4))


@pytest.mark.parametrize("backend", ALL_BACKENDS, ids=str)
def test_other_threads_run_while_a_store_works(tmp_path: Path, backend: p.StorageBackend) -> None:
    with p.NamespacedKvStore(tmp_path / "store", backend) as store:
        pairs = [(b"k%06d" % i, b"v" * 100) for i in range(20_000)]
        store.ns_insert_batch("a", pairs)
        store.ns_insert("a", b"big", bytes(3_000_000))
        first = store.commit("base")
        for work in (
            lambda: store.ns_insert("a", b"k", b"v"),
            lambda: store.ns_get("a", b"k000000"),
            lambda: store.ns_list_keys("a"),
            lambda: store.commit("again"),
            lambda: store.diff(first, "HEAD"),
            lambda: list(store.changes(None)),
            lambda: store.ns_open_value("a", b"big").read(),
            lambda: store.ns_generate_proof("a", b"k"),
            store.gc_blobs,
            store.list_namespaces,
        ):
            assert others_run_during(work)


@pytest.mark.parametrize("backend", DISK_BACKENDS, ids=str)
def test_other_threads_run_while_stores_synchronise(tmp_path: Path, backend: p.StorageBackend) -> None:
    with p.NamespacedKvStore(tmp_path / "store", backend) as store:
        store.ns_insert_batch("a", ((b"k%06d" % i, b"v" * 100) for i in range(20_000)))
        store.commit("base")
        names = (tmp_path / f"copy{n}" for n in range(10_000))
        assert others_run_during(lambda: p.NamespacedKvStore.clone(store, next(names), backend)[0].close())
        with p.NamespacedKvStore(tmp_path / "target", backend) as target:
            assert others_run_during(lambda: target.fetch(store))
            store.branch("side")
            assert others_run_during(lambda: (store.push(target), store.push(target, delete="side")))


def test_two_processes_worth_of_handles(tmp_path: Path) -> None:
    """A thread per view of one directory: what one stages, the other sees."""
    with p.NamespacedKvStore(tmp_path / "store") as store, p.VersionedKvStore(tmp_path / "store") as plain:
        run_threads(
            lambda: [store.ns_insert("a", b"%d" % n, b"") for n in range(200)],
            lambda: [plain.insert(b"%d" % n, b"") for n in range(200)],
        )
        assert len(plain) == len(store.list_keys()) == len(store.namespace("a")) == 200
        thread = threading.Thread(target=lambda: plain.commit("both"))
        thread.start()
        thread.join()
        assert store.status() == [] and len(store.at("HEAD").namespace("a")) == 200
