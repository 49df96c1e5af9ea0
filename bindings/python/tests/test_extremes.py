"""Keys and values at the edges of what a store takes."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

import prollytree as p
from conftest import Opener, in_place
from prollytree import StorageBackend, VersionedKvStore


def test_empty_keys_and_values(open_store: Opener, backend: StorageBackend) -> None:
    store = open_store(backend)
    store.insert(b"", b"value of the empty key")
    store.insert(b"empty value", b"")
    commit = store.commit("empty")
    assert store.get(b"") == b"value of the empty key" and b"" in store
    assert store.get(b"empty value") == b"" and b"empty value" in store
    assert dict(store.at(commit).items()) == {b"": b"value of the empty key", b"empty value": b""}
    assert store.diff("HEAD~1", "HEAD") == [
        (b"", "added", None, b"value of the empty key"),
        (b"empty value", "added", None, b""),
    ]
    assert len(store.history(b"")) == 1
    assert store.update(b"", b"") is True
    assert store.delete(b"empty value") is True
    assert store.status() == [(b"", "modified"), (b"empty value", "deleted")]


def test_a_value_of_10_mb(open_store: Opener, backend: StorageBackend) -> None:
    value = random.Random(1).randbytes(10 * 1024 * 1024)
    store = open_store(backend)
    store.insert(b"large", value)
    assert store.get(b"large") == value
    first = store.commit("large")
    store.insert(b"large", value[:-1] + b"x")
    store.commit("changed")
    assert store.at(first)[b"large"] == value
    assert store.diff(first, "HEAD") == [(b"large", "modified", value, value[:-1] + b"x")]
    if backend != StorageBackend.InMemory:
        store.close()
        assert open_store(backend).at(first)[b"large"] == value


def test_a_key_of_64_kb(store: VersionedKvStore) -> None:
    key = random.Random(1).randbytes(65_536)
    store.insert(key, b"v")
    store.commit("long key")
    assert store.get(key) == b"v"
    assert store.keys_at("HEAD") == [key]
    for call in (
        lambda: store.insert(key + b"x", b"v"),
        lambda: store.insert_batch([(b"a", b"1"), (key + b"x", b"v")]),
    ):
        error = in_place(call, store, p.ProllyTreeError)
        assert "65537" in str(error) and "65536" in str(error)
    assert store.get(key + b"x") is None
    assert store.delete(key + b"x") is False


def test_values_around_the_threshold_of_externalising(store: VersionedKvStore) -> None:
    values = {
        b"%06d" % n: random.Random(n).randbytes(n) for n in (0, 1, 4095, 4096, 4097, 65_535, 65_536, 65_537, 1_000_000)
    }
    store.insert_batch(values)
    assert dict(store.items()) == values
    commit = store.commit("sizes")
    assert dict(store.items()) == dict(store.at(commit).items()) == values
    store.gc()
    assert dict(store.items()) == values


def test_values_that_look_like_our_own_formats(open_store: Opener, disk_backend: StorageBackend) -> None:
    with open_store(disk_backend) as store:
        store.insert(b"outer", random.Random(2).randbytes(100_000))
        store.commit("blob")
    files = [file for file in sorted(Path(store.path).rglob("*")) if file.is_file()]
    stolen = [file.read_bytes()[: 1 << 20] for file in files]
    assert stolen
    with open_store(disk_backend) as store:
        store.insert_batch((b"k%04d" % i, data) for i, data in enumerate(stolen))
        store.insert_batch((b"head%04d" % i, data[:44]) for i, data in enumerate(stolen))
        store.commit("look alike")
        for i, data in enumerate(stolen):
            assert store.get(b"k%04d" % i) == data
            assert store.get(b"head%04d" % i) == data[:44]


@pytest.mark.parametrize("pattern", ["ascending", "descending", "same prefix", "one byte apart"])
def test_unfavourable_keys(store: VersionedKvStore, pattern: str) -> None:
    make = {
        "ascending": lambda i: b"%09d" % i,
        "descending": lambda i: b"%09d" % (10_000 - i),
        "same prefix": lambda i: b"p" * 1000 + b"%04d" % i,
        "one byte apart": lambda i: b"x" * (i % 600) + bytes([i % 251]),
    }[pattern]
    model = {}
    for i in range(3000):
        model[make(i)] = b"%d" % i
        store.insert(make(i), b"%d" % i)
    store.commit(pattern)
    assert list(store.items()) == sorted(model.items())
