"""clone, fetch and push between stores of any two backends."""

from __future__ import annotations

import io
import itertools
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import prollytree as p
from conftest import ALL_BACKENDS, DISK_BACKENDS, everything, git, messages

BIG = random.Random(5).randbytes(400_000)
NATIVE = [p.StorageBackend.File, p.StorageBackend.Redb]
Opener = Callable[..., p.NamespacedKvStore]
PAIRS = pytest.mark.parametrize(
    ("source_backend", "target_backend"),
    list(itertools.product(ALL_BACKENDS, DISK_BACKENDS)),
    ids=lambda backend: str(backend),
)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Opener]:
    """Opens namespaced stores below ``tmp_path`` and closes them at the end."""
    opened: list[p.NamespacedKvStore] = []

    def make(backend: p.StorageBackend | None = None, name: str = "source") -> p.NamespacedKvStore:
        opened.append(p.NamespacedKvStore(tmp_path / name, backend))
        return opened[-1]

    yield make
    for store in opened:
        store.close()


def fill(store: p.NamespacedKvStore) -> None:
    """Two branches, a merge, two namespaces, a large value, a tag."""
    store.ns_insert_batch("a", ((b"%05d" % n, b"v%d" % n) for n in range(2000)))
    store.ns_insert("blobs", b"big", BIG)
    store.commit("seed")
    store.create_tag("v1")
    store.branch("side")
    store.ns_insert("a", b"side", b"1")
    store.commit("side")
    store.checkout("main")
    store.insert(b"k", b"v")
    store.commit("main")
    store.merge("side", message="merge")


def contents(store: p.NamespacedKvStore, revision: str = "HEAD") -> dict[str, dict[bytes, bytes]]:
    snapshot = store.at(revision)
    return {name: dict(snapshot.namespace(name).items()) for name in snapshot.list_namespaces()}


def history(store: p.NamespacedKvStore, revision: str) -> list[tuple[str, str, dict]]:
    """By message: commits of one second come in the order of their ids, which differ between backends."""
    commits = ((entry["message"], entry["author"], entry["id"]) for entry in store.iter_log(revision))
    return sorted((message, author, contents(store, commit)) for message, author, commit in commits)


@PAIRS
def test_a_clone_has_everything(
    make: Opener, tmp_path: Path, source_backend: p.StorageBackend, target_backend: p.StorageBackend
) -> None:
    source = make(source_backend)
    fill(source)
    copy, report = p.NamespacedKvStore.clone(source, tmp_path / "copy", target_backend)
    with copy:
        assert copy.storage_backend() is target_backend and copy.path == str(tmp_path / "copy")
        assert copy.current_branch == "main" and copy.list_branches() == ["main"]
        assert copy.list_tags() == ["v1"] and copy.status() == []
        assert history(copy, "HEAD") == history(source, "HEAD")
        assert history(copy, "origin/side") == history(source, "side")
        assert contents(copy, "v1") == contents(source, "v1")
        assert copy.root_hash() == source.root_hash()
        assert report["commits"] == 5 and report["objects"] > 10 and report["bytes"] > len(BIG)
        moved = {update["name"]: update["new"] for update in report["refs"]}
        assert moved["refs/heads/main"] == copy.current_commit() == moved["refs/remotes/origin/main"]
        assert all(update["old"] is None for update in report["refs"]) and report["tags_kept"] == []
        again = copy.fetch(source)
        assert (again["commits"], again["objects"], again["refs"]) == (0, 0, [])
    with p.NamespacedKvStore.open(tmp_path / "copy") as copy:
        assert contents(copy) == contents(source)


@PAIRS
def test_there_and_back(
    make: Opener, tmp_path: Path, source_backend: p.StorageBackend, target_backend: p.StorageBackend
) -> None:
    source = make(source_backend)
    fill(source)
    copy, whole = p.NamespacedKvStore.clone(source, tmp_path / "copy", target_backend)
    with copy:
        source.ns_insert("a", b"00007", b"source")
        source.commit("at the source")
        copy.ns_insert("a", b"01999", b"copy")
        copy.ns_insert("new", b"k", b"v")
        copy.commit("at the copy")
        with pytest.raises(p.SyncError, match="main"):
            copy.push(source)
        before = contents(copy)
        report = copy.fetch(source)
        assert report["commits"] == 1 and 0 < report["objects"] < whole["objects"] / 2
        assert report["bytes"] < whole["bytes"] / 4
        assert contents(copy) == before
        copy.merge("origin/main", None)
        copy.ns_insert("a", b"staged", b"")
        report = copy.push(source)
        assert report["commits"] == 2 and copy.status() == [("a", b"staged", "added")]
        assert [update["name"] for update in report["refs"]] == ["refs/heads/main"]
        source.ns_insert("b", b"staged", b"kept")
        assert source.refresh() is True and source.refresh() is False
        assert source.status() == [("b", b"staged", "added")]
        assert history(source, "main") == history(copy, "main")
        assert source.ns_get("a", b"01999") == b"copy" and source.ns_get("a", b"00007") == b"source"
        assert source.current_commit() == report["refs"][0]["new"]


@pytest.mark.parametrize("backend", NATIVE, ids=str)
def test_round_trip_through_git_gives_the_same_ids(make: Opener, tmp_path: Path, backend: p.StorageBackend) -> None:
    source = make(backend)
    fill(source)
    middle, _ = p.NamespacedKvStore.clone(source, tmp_path / "git", p.StorageBackend.Git)
    with middle:
        git(tmp_path / "git", "fsck", "--full", "--strict")
        back, _ = p.NamespacedKvStore.clone(middle, tmp_path / "back", backend)
        with back:
            assert [entry["id"] for entry in back.iter_log()] == [entry["id"] for entry in source.iter_log()]


def test_a_git_clone_has_the_ids_of_plain_git(make: Opener, tmp_path: Path) -> None:
    source = make(p.StorageBackend.Git)
    fill(source)
    copy, _ = p.NamespacedKvStore.clone(source, tmp_path / "copy")
    with copy:
        assert copy.current_commit() == source.current_commit() == git(tmp_path / "source", "rev-parse", "main")


@pytest.mark.parametrize("backend", DISK_BACKENDS, ids=str)
def test_stores_by_path(make: Opener, tmp_path: Path, backend: p.StorageBackend) -> None:
    with make(backend) as source:
        fill(source)
        expected = contents(source)
    copy, _ = p.NamespacedKvStore.clone(str(tmp_path / "source"), str(tmp_path / "copy"), backend)
    with copy:
        assert contents(copy) == expected
        copy.insert(b"k", b"pushed")
        copy.commit("pushed")
        copy.push(tmp_path / "source")
        with p.NamespacedKvStore(tmp_path / "source") as source:
            assert source.get(b"k") == b"pushed"
            source.insert(b"k", b"fetched")
            source.commit("fetched")
        copy.fetch(tmp_path / "source")
        assert copy.at("origin/main").ns_get("default", b"k") == b"fetched"
        for action in (lambda: copy.fetch(tmp_path / "nothing"), lambda: copy.push(tmp_path / "nothing")):
            with pytest.raises(p.StorageError, match="nothing"):
                action()
        assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("backend", DISK_BACKENDS, ids=str)
def test_plain_stores_too(tmp_path: Path, backend: p.StorageBackend) -> None:
    with p.VersionedKvStore(tmp_path / "source", backend) as source:
        source.insert_batch({b"%d" % n: b"v" for n in range(500)})
        source.commit("seed")
        copy, report = p.VersionedKvStore.clone(source, tmp_path / "copy", p.StorageBackend.Redb)
        with copy:
            assert isinstance(copy, p.VersionedKvStore) and report["commits"] == 2
            assert sorted(map(sorted, everything(copy).values())) == sorted(map(sorted, everything(source).values()))
            copy[b"0"] = b"w"
            copy.commit("change")
            copy.push(source, "main")
            source.refresh()
            assert source[b"0"] == b"w" and messages(source.log()) == ["change", "seed", "Initial commit"]
            namespaced, _ = p.NamespacedKvStore.clone(source, tmp_path / "third", backend)
            with namespaced:
                assert namespaced.get(b"0") == b"w"


# Which refs move.


@pytest.mark.parametrize("backend", DISK_BACKENDS, ids=str)
def test_what_is_pushed(make: Opener, tmp_path: Path, backend: p.StorageBackend) -> None:
    source = make(backend)
    fill(source)
    copy, _ = p.NamespacedKvStore.clone(source, tmp_path / "copy", p.StorageBackend.Redb)
    with copy:
        copy.branch("feature")
        copy.insert(b"k", b"feature")
        first = copy.commit("feature")
        report = copy.push(source)
        assert source.list_branches() == ["feature", "main", "side"]
        theirs = report["refs"][0]["new"]
        copy.create_tag("v2")
        copy.push(source, tags="v2")
        assert source.list_tags() == ["v1", "v2"] and source.resolve("v2") == theirs
        copy.reset("HEAD~1")
        copy.insert(b"k", b"again")
        copy.commit("again")
        with pytest.raises(p.SyncError, match="feature"):
            copy.push(source, ["feature"])
        with pytest.raises(p.ConcurrentUpdateError):
            copy.push(source, "feature", force={"feature": source.resolve("main")})
        assert source.resolve("feature") == theirs
        copy.push(source, "feature", force={"feature": theirs})
        assert source.at("feature").ns_get("default", b"k") == b"again"
        assert copy.push(source, delete=["feature"])["refs"][0]["new"] is None
        assert source.list_branches() == ["main", "side"]
        with pytest.raises(p.SyncError, match="main"):
            copy.push(source, delete="main")
        with pytest.raises(p.RefNotFoundError):
            copy.push(source, "no-such")
        with pytest.raises(p.RefNotFoundError):
            copy.push(source, delete="no-such")
        with pytest.raises(p.RefNotFoundError):
            copy.push(source, tags=["no-such"])
        copy.checkout(first)
        with pytest.raises(p.RefError):
            copy.push(source)


def test_a_push_is_all_or_nothing(make: Opener, tmp_path: Path) -> None:
    source = make(p.StorageBackend.Redb)
    fill(source)
    copy, _ = p.NamespacedKvStore.clone(source, tmp_path / "copy", p.StorageBackend.Redb)
    with copy:
        source.insert(b"k", b"moved on")
        source.commit("moved on")
        copy.branch("fine")
        copy.insert(b"k", b"fine")
        copy.commit("fine")
        copy.checkout("main")
        copy.insert(b"k", b"behind")
        copy.commit("behind")
        with pytest.raises(p.SyncError):
            copy.push(source, ["fine", "main"])
        assert source.list_branches() == ["main", "side"] and source.get(b"k") == b"moved on"


def test_what_is_fetched(make: Opener, tmp_path: Path) -> None:
    source, target = make(p.StorageBackend.Redb), make(p.StorageBackend.Redb, "target")
    fill(source)
    target.insert(b"own", b"")
    target.commit("own")
    target.create_tag("v1")
    own = target.resolve("v1")
    report = target.fetch(source, remote="up", branches="side")
    assert target.at("up/side").ns_get("a", b"side") == b"1"
    with pytest.raises(p.RefNotFoundError):
        target.resolve("up/main")
    report = target.fetch(source, remote="up")
    assert target.resolve("v1") == own and report["tags_kept"] == ["refs/tags/v1"]
    source.delete_branch("side")
    target.fetch(source, remote="up")
    assert target.resolve("up/side")
    target.fetch(source, remote="up", prune=True)
    with pytest.raises(p.RefNotFoundError):
        target.resolve("up/side")
    with pytest.raises(p.RefNotFoundError, match="no-such"):
        target.fetch(source, branches=["no-such"])
    with pytest.raises(p.SyncError):
        p.NamespacedKvStore.clone(source, tmp_path / "target", p.StorageBackend.Redb)
    with pytest.raises(TypeError):
        target.fetch(7)  # type: ignore[arg-type]


# A part of a store.


@pytest.mark.parametrize("backend", NATIVE, ids=str)
def test_a_part_of_the_namespaces(make: Opener, tmp_path: Path, backend: p.StorageBackend) -> None:
    source = make(p.StorageBackend.Git)
    fill(source)
    copy, report = p.NamespacedKvStore.clone(source, tmp_path / "copy", backend, namespaces=["a"])
    with copy:
        assert report["bytes"] < len(BIG)
        assert copy.list_namespaces() == ["a", "blobs", "default"]
        assert copy.ns_get("a", b"00007") == b"v7"
        with pytest.raises(p.NotFetchedError) as caught:
            copy.ns_get("blobs", b"big")
        assert not isinstance(caught.value, p.CorruptionError)
        copy.ns_insert("a", b"00007", b"new")
        copy.commit("in part")
        copy.push(source)
        source.refresh()
        assert source.ns_get("a", b"00007") == b"new" and source.ns_get("blobs", b"big") == BIG
        copy.fetch(source, complete=True)
        assert copy.ns_get("blobs", b"big") == BIG


@pytest.mark.parametrize("backend", NATIVE, ids=str)
def test_a_shallow_clone(make: Opener, tmp_path: Path, backend: p.StorageBackend) -> None:
    source = make(backend)
    fill(source)
    copy, report = p.NamespacedKvStore.clone(source, tmp_path / "copy", backend, depth=1, branches="main", tags=False)
    with copy:
        assert report["commits"] == 1 and contents(copy) == contents(source)
        assert messages(list(copy.iter_log())) == ["merge"]
        with pytest.raises(p.NotFetchedError):
            copy.at("HEAD~1").list_namespaces()
        copy.fetch(source, complete=True)
        assert history(copy, "HEAD") == history(source, "HEAD")
        with pytest.raises(p.ProllyTreeError):
            copy.fetch(source, depth=0)
        with pytest.raises(TypeError, match="complete"):
            copy.fetch(source, depth=1, complete=True)


def test_git_stores_have_no_parts(make: Opener, tmp_path: Path) -> None:
    source = make(p.StorageBackend.Git)
    fill(source)
    for part in ({"depth": 1}, {"namespaces": ["a"]}):
        with pytest.raises(p.SyncError, match="Git"):
            p.NamespacedKvStore.clone(source, tmp_path / "copy", p.StorageBackend.Git, **part)


# Progress, interruption, damage.


@PAIRS
def test_progress_is_told_and_can_stop_the_work(
    make: Opener, tmp_path: Path, source_backend: p.StorageBackend, target_backend: p.StorageBackend
) -> None:
    source = make(source_backend)
    target = make(target_backend, "target")
    fill(source)
    for n in range(20):
        source.ns_insert_batch("more", ((b"%d-%d" % (n, m), b"%d" % m) for m in range(100)))
        source.commit(f"more {n}")
    told: list[dict] = []

    def stop(progress: dict) -> None:
        told.append(progress)
        assert source.ns_get("a", b"side") == b"1" and target.get(b"k") is None  # both can be used meanwhile
        if progress["commits"] >= 10:
            raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        target.fetch(source, progress=stop)
    with pytest.raises(p.RefNotFoundError):
        target.resolve("origin/main")
    assert told[-1].keys() == {"commits", "commits_total", "objects", "bytes"}
    assert told[-1]["commits"] == 10 and told[-1]["objects"] > 0 and told[-1]["bytes"] > 0
    counts = [tuple(progress[name] for name in ("commits", "objects", "bytes")) for progress in told]
    assert counts == sorted(counts)
    told.clear()
    report = target.fetch(source, progress=told.append)
    assert contents(target, "origin/main") == contents(source)
    assert told[-1]["commits"] == told[-1]["commits_total"] == report["commits"]
    assert told[-1]["bytes"] == report["bytes"] and told[-1]["objects"] == report["objects"]


def test_nothing_is_copied_without_a_word(make: Opener) -> None:
    source, target = make(p.StorageBackend.Redb), make(p.StorageBackend.Redb, "target")
    fill(source)
    target.fetch(source)
    told: list[dict] = []
    target.fetch(source, progress=told.append)
    assert told[-1]["commits"] == told[-1]["objects"] == told[-1]["bytes"] == 0


def test_a_damaged_source_is_noticed(make: Opener, tmp_path: Path) -> None:
    with make(p.StorageBackend.File) as source:
        fill(source)
    paths = sorted((path for path in (tmp_path / "source" / "objects").rglob("*") if path.is_file()), key=str)
    refused = 0
    for n, path in enumerate(paths):
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        try:
            copy, _ = p.NamespacedKvStore.clone(tmp_path / "source", tmp_path / f"copy{n}", p.StorageBackend.File)
            copy.close()
        except p.CorruptionError:
            refused += 1
        finally:
            path.write_bytes(whole)
    assert refused == len(paths) > 10


def test_streamed_values_arrive(make: Opener, tmp_path: Path) -> None:
    source = make(p.StorageBackend.Git)
    source.ns_insert_stream("a", b"k", io.BytesIO(BIG))
    source.commit()
    copy, _ = p.NamespacedKvStore.clone(source, tmp_path / "copy", p.StorageBackend.File)
    with copy, copy.ns_open_value("a", b"k") as stream:
        assert stream.read() == BIG
