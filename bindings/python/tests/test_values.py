"""Large values: thresholds, streams in and out, the garbage of blobs."""

from __future__ import annotations

import hashlib
import io
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import prollytree as p
from conftest import ALL_BACKENDS, DISK_BACKENDS

BIG = random.Random(7).randbytes(3_000_000)


@pytest.fixture(params=ALL_BACKENDS, ids=str)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[p.NamespacedKvStore]:
    with p.NamespacedKvStore(tmp_path / "store", request.param) as store:
        yield store


def size_of(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


# Values that are stored beside the tree.


@pytest.mark.parametrize("threshold", [0, 44, 4096, 65536, None])
def test_values_read_as_they_were_whatever_the_threshold(store: p.NamespacedKvStore, threshold: int | None) -> None:
    values = {b"%d" % n: BIG[:n] for n in (0, 1, 43, 44, 45, 4095, 4096, 4097, 65535, 65536, 65537, 300_000)}
    assert store.set_externalize_threshold(threshold) is None
    assert store.externalize_threshold() == threshold
    store.ns_insert_batch("a", values)
    assert dict(store.namespace("a").items()) == values
    commit = store.commit()
    assert dict(store.namespace("a").items()) == values
    assert dict(store.at(commit).namespace("a").items()) == values
    store.gc()
    assert {key: store.ns_get("a", key) for key in values} == values


def test_both_spellings_of_the_threshold(store: p.NamespacedKvStore) -> None:
    default = p.TreeConfig().externalize_threshold
    assert store.externalize_threshold() == default
    store.set_externalize_threshold(bytes=100)
    assert store.externalize_threshold() == 100
    store.set_externalize_threshold(threshold=200)
    assert store.externalize_threshold() == 200
    store.set_externalize_threshold()
    assert store.externalize_threshold() is None
    for bad in (-1, 65537, 2**40):
        with pytest.raises(p.ProllyTreeError):
            store.set_externalize_threshold(bad)
    assert store.externalize_threshold() is None


def test_the_threshold_applies_to_what_is_there_and_to_what_comes(store: p.NamespacedKvStore) -> None:
    store.ns_insert("a", b"k", BIG[:2000])
    store.commit("one")
    before = store.get_namespace_root_hash("a")
    store.set_externalize_threshold(1000)
    store.commit("two")
    assert store.get_namespace_root_hash("a") != before and store.ns_get("a", b"k") == BIG[:2000]
    store.ns_insert("b", b"k", BIG[:2000])
    store.commit("three")
    assert store.get_namespace_root_hash("b") == store.get_namespace_root_hash("a")
    assert not store.namespace_changed("a", "HEAD~2", "HEAD")  # what it holds is the same


@pytest.mark.parametrize("backend", DISK_BACKENDS, ids=str)
def test_the_threshold_outlives_the_process(tmp_path: Path, backend: p.StorageBackend) -> None:
    with p.NamespacedKvStore(tmp_path / "store", backend) as store:
        store.set_externalize_threshold(10)
        store.commit()
        head = store.current_commit()
        store.set_externalize_threshold(10)
        assert store.staged_namespaces() == []
    with p.NamespacedKvStore(tmp_path / "store") as store:
        assert store.externalize_threshold() == 10 and store.current_commit() == head


def test_sides_with_different_thresholds_merge(store: p.NamespacedKvStore) -> None:
    store.ns_insert("a", b"both", b"base" * 1000)
    store.commit()
    store.branch("side")
    store.set_externalize_threshold(100)
    store.ns_insert("a", b"side", b"side" * 1000)
    store.commit()
    store.checkout("main")
    store.ns_insert("a", b"main", b"main" * 1000)
    store.commit()
    store.merge("side", None)
    merged = {b"both": b"base" * 1000, b"main": b"main" * 1000, b"side": b"side" * 1000}
    assert dict(store.namespace("a").items()) == merged


def test_what_looks_like_an_envelope_is_a_value_like_any_other(store: p.NamespacedKvStore) -> None:
    store.set_externalize_threshold(100)
    store.ns_insert("a", b"real", BIG[:1000])
    store.commit()
    digest = hashlib.blake2b(BIG[:1000], digest_size=32).digest()
    lookalikes = [bytes(44), b"\x01" * 44, b"\x02" + bytes(11) + digest, b"BLOB" + bytes(8) + digest]
    for n, value in enumerate(lookalikes):
        store.ns_insert("a", b"%d" % n, value)
    store.commit()
    assert store.namespace("a").get_many([b"%d" % n for n in range(len(lookalikes))]) == lookalikes


# gc_blobs.


@pytest.mark.parametrize("backend", DISK_BACKENDS, ids=str)
def test_garbage_of_blobs(tmp_path: Path, backend: p.StorageBackend) -> None:
    with p.NamespacedKvStore(tmp_path / "store", backend) as store:
        assert store.gc_blobs() == {"total": 0, "referenced": 0, "removed": 0, "errors": []}
        store.ns_insert("a", b"kept", BIG[:50_000])
        store.commit("kept")
        store.branch("doomed")
        store.ns_insert("a", b"lost", BIG[100_000:150_000])
        store.commit("lost")
        report = store.gc_blobs()
        assert (report["total"], report["referenced"], report["removed"]) == (2, 2, 0)
        store.checkout("main")
        store.delete_branch("doomed")
        store.ns_insert("a", b"staged", BIG[200_000:250_000])
        if backend is p.StorageBackend.Git:  # Git keeps what its logs of refs name
            subprocess.run(["git", "reflog", "expire", "--expire=now", "--all"], cwd=tmp_path / "store", check=True)
        report = store.gc_blobs()
        assert report["removed"] == 1 and report["errors"] == []
        assert report["total"] == report["referenced"] + report["removed"] == 2
        assert store.ns_get("a", b"kept") == BIG[:50_000]
        assert store.ns_get("a", b"staged") == BIG[200_000:250_000]
        store.commit("staged")
        assert store.gc_blobs() == {"total": 2, "referenced": 2, "removed": 0, "errors": []}
        assert store.ns_get("a", b"staged") == BIG[200_000:250_000]


# Streams.


@pytest.mark.parametrize("length", [0, 1, 4096, 4097, 70_000, len(BIG)])
def test_what_streams_in_streams_out(store: p.NamespacedKvStore, length: int) -> None:
    assert store.ns_insert_stream("a", b"k", io.BytesIO(BIG[:length])) == length
    assert store.namespace("b").insert_stream(b"k", io.BytesIO(BIG[:length])) == length
    assert store.ns_get("a", b"k") == BIG[:length]
    commit = store.commit()
    assert store.get_namespace_root_hash("a") == store.get_namespace_root_hash("b")
    with store.ns_open_value(namespace="b", key=b"k") as stream:
        assert len(stream) == length and stream.read() == BIG[:length] and stream.read() == b""
    out = io.BytesIO()
    shutil.copyfileobj(store.at(commit).namespace("a").open_value(b"k"), out)
    assert out.getvalue() == BIG[:length]
    store.ns_insert("c", b"k", BIG[:length])
    store.commit()
    assert store.get_namespace_root_hash("c") == store.get_namespace_root_hash("a")


def test_a_stream_is_a_raw_binary_file(store: p.NamespacedKvStore) -> None:
    text = b"".join(b"line %d\n" % n for n in range(50_000))
    store.ns_insert("a", b"k", text)
    stream = store.ns_open_value("a", b"k")
    assert isinstance(stream, io.RawIOBase) and isinstance(stream, p.ValueStream)
    assert stream.readable() and stream.seekable() and not stream.writable() and not stream.closed
    assert stream.tell() == 0 and stream.read(6) == b"line 0" and stream.tell() == 6
    assert stream.seek(-7, io.SEEK_END) == len(text) - 7 and stream.read(100) == text[-7:]
    assert stream.seek(10) == 10 and stream.seek(5, io.SEEK_CUR) == 15 and stream.read(3) == text[15:18]
    assert stream.seek(len(text) + 5) == len(text) + 5 and stream.read(1) == b"" and stream.readall() == b""
    stream.seek(0)
    buffer = bytearray(100_000)
    assert stream.readinto(buffer) == 100_000 and buffer == text[:100_000]
    assert stream.readinto(memoryview(buffer)[:10]) == 10 and buffer[:10] == text[100_000:100_010]
    for bad in (lambda: stream.seek(-1), lambda: stream.seek(-1 - len(text), 2), lambda: stream.seek(0, 9)):
        with pytest.raises(ValueError):
            bad()
    with pytest.raises(io.UnsupportedOperation):
        stream.write(b"x")
    stream.seek(0)
    lines = io.BufferedReader(stream, 8192)
    assert [next(lines), next(lines)] == [b"line 0\n", b"line 1\n"]
    lines.seek(len(text) // 2)
    assert lines.read() == text[len(text) // 2 :]
    assert io.TextIOWrapper(io.BufferedReader(store.ns_open_value("a", b"k"))).readlines()[-1] == "line 49999\n"
    lines.close()
    assert stream.closed and repr(stream).endswith("closed>")
    for use in (stream.read, stream.tell, lambda: stream.seek(0), lambda: stream.readinto(buffer)):
        with pytest.raises(ValueError, match="closed"):
            use()


def test_every_position_of_a_stream(store: p.NamespacedKvStore) -> None:
    store.ns_insert("a", b"k", BIG)
    stream = store.ns_open_value("a", b"k")
    rng = random.Random(3)
    for _ in range(300):
        start, count = rng.randrange(len(BIG)), rng.randrange(1, 200_000)
        stream.seek(start)
        assert stream.read(count) == BIG[start : start + count]


def test_a_stream_shows_what_was_there_when_it_was_opened(store: p.NamespacedKvStore) -> None:
    store.ns_insert("a", b"k", BIG)
    stream = store.ns_open_value("a", b"k")
    assert stream.read(10) == BIG[:10]
    store.ns_insert("a", b"k", b"other")
    store.commit()
    store.delete_namespace("a")
    store.commit()
    assert stream.read() == BIG[10:]


def test_other_classes_have_streams_too(tmp_path: Path) -> None:
    with p.VersionedKvStore(tmp_path / "store", p.StorageBackend.Redb) as store:
        assert store.insert_stream(b"k", io.BytesIO(BIG)) == len(BIG)
        assert store.open_value(b"k").read() == BIG
        commit = store.commit("big")
        assert store.at(commit).open_value(b"k").read(5) == BIG[:5]
        with pytest.raises(p.KeyNotFoundError):
            store.open_value(b"x")
    tree = p.ProllyTree()
    tree.insert(b"k", BIG)
    assert tree.open_value(b"k").read() == BIG


def test_absent_keys(store: p.NamespacedKvStore) -> None:
    for action in (lambda: store.ns_open_value("a", b"k"), lambda: store.namespace("default").open_value(b"k")):
        with pytest.raises(KeyError):
            action()


class Failing(io.RawIOBase):
    def __init__(self, good: int) -> None:
        self.left = good

    def read(self, size: int = -1) -> bytes:
        if self.left <= 0:
            raise OSError("the cable was pulled")
        self.left -= size
        return bytes(size)


@pytest.mark.parametrize("good", [0, 100_000, 2_000_000])
def test_what_a_stream_raises_passes_through(store: p.NamespacedKvStore, good: int) -> None:
    store.ns_insert("a", b"k", b"old")
    store.commit()
    with pytest.raises(OSError, match="cable"):
        store.ns_insert_stream("a", b"k", Failing(good))
    assert store.ns_get("a", b"k") == b"old" and store.status() == []


def test_what_is_no_binary_stream(store: p.NamespacedKvStore) -> None:
    class TooMuch:
        def read(self, size: int) -> bytes:
            return bytes(size + 1)

    class NotYet:
        def read(self, size: int) -> None:
            return None

    for bad, error in (
        (b"bytes", TypeError),
        (io.StringIO("text"), TypeError),
        (TooMuch(), ValueError),
        (NotYet(), BlockingIOError),
    ):
        with pytest.raises(error):
            store.ns_insert_stream("a", b"k", bad)  # type: ignore[arg-type]
    assert store.ns_get("a", b"k") is None


def test_a_stream_may_use_the_store_and_other_threads_too(store: p.NamespacedKvStore) -> None:
    class Reading(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            store.ns_insert("b", b"%d" % self.tell(), b"")
            thread = threading.Thread(target=lambda: store.commit("meanwhile"))
            thread.start()
            thread.join()
            return super().read(size)

    assert store.ns_insert_stream("a", b"k", Reading(BIG)) == len(BIG)
    assert store.ns_get("a", b"k") == BIG
    store.commit()
    assert store.at("HEAD").ns_get("a", b"k") == BIG and len(store.ns_list_keys("b")) > 3


def test_threads_share_a_stream(store: p.NamespacedKvStore) -> None:
    store.ns_insert("a", b"k", BIG)
    stream = store.ns_open_value("a", b"k")
    parts: list[bytes] = []

    def read() -> None:
        while part := stream.read(10_000):
            parts.append(part)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(parts) == sorted(BIG[at : at + 10_000] for at in range(0, len(BIG), 10_000))


@pytest.mark.parametrize("backend", [p.StorageBackend.File, p.StorageBackend.Redb], ids=str)
def test_an_edit_in_the_middle_stores_little_more_than_the_edit(tmp_path: Path, backend: p.StorageBackend) -> None:
    with p.NamespacedKvStore(tmp_path / "store", backend) as store:
        store.ns_insert("a", b"k", BIG)
        store.commit()
        parts = store.gc_blobs()["total"]
        store.ns_insert("a", b"k", BIG[:1_500_000] + b"edit" + BIG[1_500_000:])
        store.commit()
        assert parts >= 20 and store.gc_blobs()["total"] - parts <= 4


MEMORY = """
import resource, sys
import prollytree as p

class Source:
    left = 256 << 20
    def read(self, size):
        size = min(size, self.left)
        self.left -= size
        return (self.left.to_bytes(8, "big") * (size // 8 + 1))[:size]

store = p.NamespacedKvStore(sys.argv[1], p.StorageBackend.Redb)
store.ns_insert("a", b"warm", bytes(100_000))
store.commit()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
size = store.ns_insert_stream("a", b"k", Source())
store.commit()
with store.ns_open_value("a", b"k") as stream:
    total = 0
    while part := stream.read(1 << 20):
        total += len(part)
assert total == size, (total, size)
store.close()
print(size, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


def test_memory_is_bounded(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", MEMORY, str(tmp_path / "store")], capture_output=True, check=True)
    size, grown = map(int, done.stdout.split())
    assert size == 256 << 20
    assert grown < 150 << 20


def test_a_damaged_value_is_never_given(tmp_path: Path) -> None:
    with p.NamespacedKvStore(tmp_path / "store", p.StorageBackend.File) as store:
        store.ns_insert("a", b"k", BIG[:500_000])
        store.commit()
    paths = [path for path in (tmp_path / "store" / "objects").rglob("*") if path.stat().st_size > 10_000]
    assert len(paths) >= 3  # the parts of the value
    for path in paths:
        whole = path.read_bytes()
        for damaged in (whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:], whole[:-1], None):
            if damaged is None:
                path.unlink()
            else:
                path.write_bytes(damaged)
            with p.NamespacedKvStore(tmp_path / "store") as store, pytest.raises(p.CorruptionError):
                with store.ns_open_value("a", b"k") as stream:
                    while stream.read(10_000):
                        pass
        path.write_bytes(whole)
    with p.NamespacedKvStore(tmp_path / "store") as store:
        assert store.ns_open_value("a", b"k").read() == BIG[:500_000]
