"""VersionedKvStore: the documented lines, 0.4.1's spellings, staged edits, commits and reopening."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

import prollytree as p
from conftest import AUTHOR, EMAIL, Opener, in_place, messages
from prollytree import ConflictResolution, StorageBackend, VersionedKvStore

HEX = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def is_id(commit: object, store: VersionedKvStore) -> bool:
    length = 40 if store.storage_backend() == StorageBackend.Git else 64
    return isinstance(commit, str) and len(commit) == length and HEX.fullmatch(commit) is not None


def test_the_documented_tour(tmp_path: Path) -> None:
    store = VersionedKvStore(str(tmp_path / "store"))
    store.insert(b"user:alice", b"Alice")
    store.commit("seed")
    store.create_branch("feature")
    store.update(b"user:alice", b"Alice Smith")
    store.commit("rename")
    store.checkout("main")
    assert store.get(b"user:alice") == b"Alice"
    merged = store.merge("feature", ConflictResolution.TakeSource)
    assert is_id(merged, store) and store.current_commit() == merged
    assert store.get(b"user:alice") == b"Alice Smith"
    assert len(store.log()[0]["parents"]) == 2


def test_the_documented_error_handling(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(p.StorageError):
        VersionedKvStore(tmp_path / "file" / "path")


def test_a_fresh_store(store: VersionedKvStore, backend: StorageBackend) -> None:
    assert store.storage_backend() == backend
    assert store.current_branch() == "main"
    assert store.list_branches() == ["main"]
    assert is_id(store.current_commit(), store)
    assert messages(store.log()) == ["Initial commit"]
    assert store.log()[0]["parents"] == []
    assert store.status() == []
    assert store.list_keys() == [] and len(store) == 0
    assert store.get(b"k") is None


def test_git_is_the_default(tmp_path: Path) -> None:
    with VersionedKvStore(tmp_path / "s") as store:
        assert store.storage_backend() is StorageBackend.Git
    with VersionedKvStore.open(tmp_path / "s") as store:
        assert store.storage_backend() is StorageBackend.Git


def test_keyword_names(open_store: Opener, tmp_path: Path) -> None:
    store = VersionedKvStore(path=tmp_path / "s", storage_backend=StorageBackend.InMemory, config=None)
    store.insert(key=b"k", value=b"v")
    assert store.get(key=b"k") == b"v"
    assert store.update(key=b"k", value=b"w")
    first = store.commit(message="one")
    store.branch(name="other")
    store.create_branch(name="third")
    store.checkout(branch_or_commit="main")
    store.checkout(name="other")
    assert store.diff(from_ref=first, to_ref="other") == []
    assert store.keys_at(ref=first) == [b"k"]
    assert store.get_keys_at_ref(reference=first) == [(b"k", b"w")]
    assert messages(store.history(key=b"k")) == messages(store.get_commits_for_key(key=b"k")) == ["one"]
    store.insert(b"l", b"x")
    store.commit("two")
    store.checkout("main")
    assert store.try_merge(branch="other") == store.try_merge(source_branch="other") == (True, [])
    store.merge(source_branch="other", conflict_resolution=ConflictResolution.IgnoreAll)
    store.merge(branch="third", resolver=ConflictResolution.TakeSource)
    proof = store.generate_proof(key=b"k")
    assert store.verify_proof(proof_bytes=proof, key=b"k", expected_value=b"w")
    assert store.verify(proof=proof, key=b"k", value=b"w")
    assert store.delete(key=b"k")


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.checkout(),
        lambda store: store.checkout("main", name="main"),
        lambda store: store.merge(),
        lambda store: store.merge("main", source_branch="main"),
        lambda store: store.merge("main", ConflictResolution.IgnoreAll, conflict_resolution=None),
        lambda store: store.merge("main", "TakeSource"),
        lambda store: store.merge("main", 1),
        lambda store: store.try_merge(),
        lambda store: store.commit(b"bytes"),
        lambda store: store.commit(),
        lambda store: store.checkout(b"main"),
        lambda store: VersionedKvStore(5),
        lambda store: VersionedKvStore("x", "Git"),
        lambda store: VersionedKvStore("x", None, 64),
    ],
)
def test_wrong_calls_are_type_errors(git_store: VersionedKvStore, call, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    in_place(lambda: call(git_store), git_store, TypeError)
    assert not (tmp_path / "x").exists()


# Staged edits.


def test_edits_are_staged_and_read_back(store: VersionedKvStore) -> None:
    assert store.insert(b"a", b"1") is None
    assert store.get(b"a") == b"1"
    assert store.at("HEAD").get(b"a") is None
    assert store.status() == [(b"a", "added")]
    store.commit("a")
    assert store.status() == []
    assert store.update(b"a", b"2") is True
    assert store.status() == [(b"a", "modified")]
    assert store.delete(b"a") is True
    assert store.status() == [(b"a", "deleted")]
    assert store.get(b"a") is None
    store.commit("gone")
    assert store.status() == [] and store.list_keys() == []


def test_update_and_delete_of_absent_keys_are_false(store: VersionedKvStore) -> None:
    assert store.update(b"absent", b"v") is False
    assert store.delete(b"absent") is False
    assert store.status() == []
    assert store.get(b"absent") is None
    store.insert(b"k", b"v")
    store.commit("k")
    store.delete(b"k")
    assert store.update(b"k", b"w") is False
    assert store.delete(b"k") is False


def test_status_is_sorted_and_complete(store: VersionedKvStore) -> None:
    store.insert_batch([(b"m", b"1"), (b"d", b"1"), (b"kept", b"1")])
    store.commit("three")
    store.insert(b"z", b"1")
    store.insert(b"a", b"1")
    store.insert(b"m", b"2")
    store.delete(b"d")
    assert store.status() == [(b"a", "added"), (b"d", "deleted"), (b"m", "modified"), (b"z", "added")]


def test_discard_drops_staged_changes(store: VersionedKvStore) -> None:
    store.insert(b"a", b"1")
    commit = store.commit("a")
    store.insert(b"a", b"2")
    store.insert(b"b", b"1")
    assert store.discard() == 2
    assert store.discard() == 0
    assert store.status() == [] and list(store.items()) == [(b"a", b"1")]
    store.delete(b"a")
    store.reset()
    assert list(store.items()) == [(b"a", b"1")]
    assert store.current_commit() == commit


def test_reset_moves_the_branch(store: VersionedKvStore) -> None:
    store.insert(b"a", b"1")
    first = store.commit("one")
    store.insert(b"a", b"2")
    second = store.commit("two")
    store.reset("HEAD~1")
    assert store.current_commit() == first and store.get(b"a") == b"1"
    assert store.current_branch() == "main" and store.resolve("main") == first
    store.reset(second)
    assert store.get(b"a") == b"2"
    in_place(lambda: store.reset("nowhere"), store, p.RefNotFoundError)


def test_mapping_protocol(store: VersionedKvStore) -> None:
    store[b"k"] = b"v"
    assert store[b"k"] == b"v"
    assert b"k" in store and b"l" not in store
    assert len(store) == 1
    with pytest.raises(KeyError) as caught:
        store[b"l"]
    assert caught.value.args == (b"l",)
    with pytest.raises(KeyError):
        del store[b"l"]
    store.commit("k")
    del store[b"k"]
    assert list(store) == [] and len(store) == 0
    assert store.get(b"k", b"default") == b"default"


def test_reads_see_staged_and_committed_in_key_order(store: VersionedKvStore) -> None:
    store.insert_batch((b"k%04d" % i, b"old") for i in range(0, 2000, 2))
    store.commit("even")
    store.insert_batch((b"k%04d" % i, b"new") for i in range(1, 2000, 2))
    store.delete_batch(b"k%04d" % i for i in range(0, 2000, 10))
    model = {b"k%04d" % i: b"new" if i % 2 else b"old" for i in range(2000) if i % 10}
    expected = sorted(model.items())
    assert len(store) == len(expected)
    assert list(store.items()) == expected
    assert list(store) == store.list_keys() == list(store.keys()) == [key for key, _ in expected]
    assert list(store.values()) == [value for _, value in expected]
    assert list(store.items(reverse=True)) == expected[::-1]
    assert list(store.keys(b"k001")) == [key for key, _ in expected if key.startswith(b"k001")]
    inside = [pair for pair in expected if b"k0500" <= pair[0] < b"k0600"]
    assert list(store.range(b"k0500", b"k0600")) == inside
    assert list(store.range(b"k0500", b"k0600", reverse=True)) == inside[::-1]
    assert store.get_many([b"k0001", b"k0000", b"k0002"]) == [b"new", None, b"old"]


def test_iterators_keep_the_state_of_their_beginning(store: VersionedKvStore) -> None:
    store.insert_batch((b"k%04d" % i, b"v") for i in range(1000))
    store.commit("fill")
    store.insert(b"k0500", b"staged")
    items = store.items()
    assert next(items) == (b"k0000", b"v")
    store.delete_batch(store.keys())
    store.commit("empty")
    rest = dict(items)
    assert len(rest) == 999 and rest[b"k0500"] == b"staged"
    assert len(store) == 0


def test_batches_are_all_or_nothing(store: VersionedKvStore) -> None:
    store.insert_batch({b"a": b"1", b"b": b"2"})
    assert store.delete_batch([b"a", b"absent", b"a"]) == 1
    assert store.status() == [(b"b", "added")]
    for bad in ([(b"c", b"3"), ("d", b"4")], [(b"c", b"3"), b"d"], [(b"c", b"3"), (b"x" * 65_537, b"")]):
        in_place(lambda bad=bad: store.insert_batch(bad), store, (TypeError, p.ProllyTreeError))
    in_place(lambda: store.delete_batch([b"b", 5]), store, TypeError)


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_bytes_like_arguments(store: VersionedKvStore, kind) -> None:
    store.insert(kind(b"k"), kind(b"v"))
    assert store.get(kind(b"k")) == b"v" and type(store.get(kind(b"k"))) is bytes
    assert store.update(kind(b"k"), kind(b"w"))
    store.commit("k")
    assert messages(store.history(kind(b"k"))) == ["k"]
    assert store.at("HEAD")[kind(b"k")] == b"w"
    assert store.delete(kind(b"k"))


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.insert("k", b"v"),
        lambda store: store.insert(b"k", "v"),
        lambda store: store.update("k", b"v"),
        lambda store: store.delete("k"),
        lambda store: store.get("k"),
        lambda store: store["k"],
        lambda store: "k" in store,
        lambda store: store.history("k"),
        lambda store: store.generate_proof("k"),
        lambda store: store.keys("k"),
        lambda store: store.at("HEAD").get("k"),
        lambda store: store.at("HEAD")["k"],
    ],
)
def test_text_is_a_type_error_that_says_so(git_store: VersionedKvStore, call) -> None:
    error = in_place(lambda: call(git_store), git_store, TypeError)
    assert re.search(r"bytes.*str.*encode", str(error))


# Commits.


def test_commit_returns_the_id(store: VersionedKvStore) -> None:
    store.insert(b"k", b"v")
    commit = store.commit("message")
    assert is_id(commit, store)
    assert store.current_commit() == commit == store.resolve("HEAD") == store.resolve("main")


def test_committing_nothing_makes_a_commit(store: VersionedKvStore) -> None:
    before = store.current_commit()
    commit = store.commit("nothing")
    assert commit != before
    assert store.log()[0]["parents"] == [before]


def test_log_entries(store: VersionedKvStore) -> None:
    begin = int(time.time()) - 1
    ids = []
    for i in range(3):
        store.insert(b"k", b"%d" % i)
        ids.append(store.commit(f"commit {i}"))
    log = store.log()
    assert [entry["id"] for entry in log[:3]] == ids[::-1]
    assert messages(log) == ["commit 2", "commit 1", "commit 0", "Initial commit"]
    assert log == store.get_commit_history() == list(store.iter_log())
    entry = log[0]
    assert {"id", "author", "committer", "message", "timestamp", "parents"} <= set(entry)
    assert entry["parents"] == [ids[1]]
    assert type(entry["timestamp"]) is int and begin <= entry["timestamp"] <= time.time() + 1
    assert re.fullmatch(r".+ <.*>", entry["author"]) and re.fullmatch(r".+ <.*>", entry["committer"])
    assert messages(store.log(2)) == ["commit 2", "commit 1"]
    assert messages(store.log(limit=0)) == []
    assert messages(store.iter_log(ids[0])) == ["commit 0", "Initial commit"]


def test_the_author_comes_from_git_configuration(git_store: VersionedKvStore) -> None:
    git_store.commit("mine")
    entry = git_store.log()[0]
    assert entry["author"] == entry["committer"] == f"{AUTHOR} <{EMAIL}>"


def test_without_configuration_there_is_a_default_author(open_store: Opener, monkeypatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    store = open_store()
    store.commit("anonymous")
    assert re.fullmatch(r"[^<>]+ <[^<>]+>", store.log()[0]["author"])


@pytest.mark.parametrize(
    "message", ["", "one line", "subject\n\nbody\n", "ünï — 💾", " spaces ", "#hash", "x" * 10_000]
)
def test_any_message_is_kept(store: VersionedKvStore, message: str) -> None:
    store.commit(message)
    assert store.log()[0]["message"] == message


def test_nothing_is_capped(store: VersionedKvStore) -> None:
    store.insert_batch((b"k%05d" % i, b"v") for i in range(3000))
    store.commit("many keys")
    for i in range(150):
        store.insert(b"k00000", b"%d" % i)
        store.commit(f"commit {i}")
    assert len(store.list_keys()) == 3000
    assert len(store.keys_at("HEAD")) == len(store.get_keys_at_ref("main")) == 3000
    assert len(store.log()) == len(store.get_commit_history()) == 152
    history = store.history(b"k00000")
    assert messages(history) == [f"commit {i}" for i in reversed(range(150))] + ["many keys"]
    assert history == store.get_commits_for_key(b"k00000") == list(store.iter_history(b"k00000"))


# Opening and closing.


def test_the_constructor_opens_what_exists(disk_backend: StorageBackend, open_store: Opener) -> None:
    with open_store(disk_backend) as store:
        store.insert(b"k", b"v")
        commit = store.commit("kept")
        store.create_branch("other")
        root = store.root_hash()
    for backend in (disk_backend, None):
        with open_store(backend) as store:
            assert store.storage_backend() == disk_backend
            assert store.get(b"k") == b"v"
            assert store.current_commit() == commit and store.root_hash() == root
            assert store.current_branch() == "other"
            assert store.list_branches() == ["main", "other"]
            assert messages(store.log()) == ["kept", "Initial commit"]


def test_open_does_not_create(tmp_path: Path, disk_backend: StorageBackend) -> None:
    with pytest.raises(p.StorageError, match="nowhere"):
        VersionedKvStore.open(tmp_path / "nowhere", disk_backend)
    assert not (tmp_path / "nowhere").exists()
    VersionedKvStore(tmp_path / "here", disk_backend).close()
    with VersionedKvStore.open(str(tmp_path / "here"), storage_backend=disk_backend) as store:
        assert store.storage_backend() == disk_backend


def test_there_is_no_store_in_memory_to_open(tmp_path: Path) -> None:
    with pytest.raises(p.StorageError, match="memory"):
        VersionedKvStore.open(tmp_path / "s", StorageBackend.InMemory)


def test_staged_changes_survive_a_clean_close(disk_backend: StorageBackend, open_store: Opener) -> None:
    with open_store(disk_backend) as store:
        store.insert_batch({b"a": b"1", b"b": b"2"})
        store.commit("two")
        store.insert(b"c", b"3" * 100_000)
        store.delete(b"a")
        expected = store.status()
    with open_store(disk_backend) as store:
        assert store.status() == expected == [(b"a", "deleted"), (b"c", "added")]
        assert list(store.items()) == [(b"b", b"2"), (b"c", b"3" * 100_000)]
        store.commit("three")
        assert store.status() == []
    with open_store(disk_backend) as store:
        assert store.list_keys() == [b"b", b"c"] and store.status() == []


def test_a_committed_store_comes_back_without_a_close(disk_backend: StorageBackend, open_store: Opener) -> None:
    store = open_store(disk_backend)
    store.insert(b"k", b"v")
    commit = store.commit("kept")
    del store
    again = open_store(disk_backend)
    assert again.current_commit() == commit and again[b"k"] == b"v"


def test_handles_of_one_path_share_the_working_state(disk_backend: StorageBackend, open_store: Opener) -> None:
    one, two = open_store(disk_backend), open_store(disk_backend)
    one.insert(b"k", b"v")
    assert two.get(b"k") == b"v" and two.status() == [(b"k", "added")]
    commit = two.commit("by the other")
    assert one.status() == [] and one.current_commit() == commit
    one.create_branch("b")
    assert two.current_branch() == "b"
    one.close()
    two.insert(b"l", b"w")
    assert two.get(b"l") == b"w"


def test_a_closed_store_says_so(store: VersionedKvStore) -> None:
    snapshot = store.at("HEAD")
    assert store.closed is False
    store.close()
    store.close()
    assert store.closed is True
    for use in (
        lambda: store.get(b"k"),
        lambda: store.insert(b"k", b"v"),
        lambda: store.commit("m"),
        store.status,
        store.log,
        store.list_branches,
        lambda: len(store),
        store.items,
        lambda: store.at("HEAD"),
        lambda: snapshot.get(b"k"),
        store.__enter__,
    ):
        with pytest.raises(p.StorageError, match="closed"):
            use()
    assert "closed" in repr(store)


def test_the_context_manager_closes_and_commits_nothing(disk_backend: StorageBackend, open_store: Opener) -> None:
    with pytest.raises(RuntimeError, match="mine"), open_store(disk_backend) as store:
        store.insert(b"k", b"v")
        raise RuntimeError("mine")
    assert store.closed
    with open_store(disk_backend) as again:
        assert again.status() == [(b"k", "added")]


def test_paths(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with VersionedKvStore("relative/below") as store:
        store.insert(b"k", b"v")
        store.commit("k")
        assert store.path == str(tmp_path / "relative" / "below")
    with VersionedKvStore(tmp_path / "relative" / "below") as store:
        assert store[b"k"] == b"v"
    with VersionedKvStore(tmp_path / "ümläut 💾 with spaces") as store:
        store.commit("odd name")
    assert (tmp_path / "ümläut 💾 with spaces").is_dir()


@pytest.mark.parametrize("backend", [StorageBackend.Git, StorageBackend.RocksDB], ids=str)
def test_an_existing_plain_directory_is_used_and_its_files_stay(tmp_path: Path, backend: StorageBackend) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "mine.txt").write_text("mine")
    with VersionedKvStore(tmp_path / "d", backend) as store:
        store.insert(b"k", b"v")
        store.commit("k")
    assert (tmp_path / "d" / "mine.txt").read_text() == "mine"


def test_a_store_of_files_wants_a_directory_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    VersionedKvStore(tmp_path / "d", StorageBackend.File).close()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("mine")
    with pytest.raises(p.IncompatibleStoreError, match=r"mine\.txt"):
        VersionedKvStore(tmp_path / "other", StorageBackend.File)
    assert [entry.name for entry in (tmp_path / "other").iterdir()] == ["mine.txt"]


def test_a_tree_of_a_directory_is_no_store(tmp_path: Path) -> None:
    with p.ProllyTree("file", tmp_path / "tree") as tree:
        tree.insert(b"k", b"v")
    for backend in (None, *StorageBackend):
        if backend is not StorageBackend.InMemory:
            with pytest.raises(p.ProllyTreeError):
                VersionedKvStore(tmp_path / "tree", backend)
    VersionedKvStore(tmp_path / "store", StorageBackend.File).close()
    with pytest.raises(p.IncompatibleStoreError, match="store"):
        p.ProllyTree("file", tmp_path / "store")
    with p.ProllyTree("file", tmp_path / "tree") as tree:
        assert list(tree.items()) == [(b"k", b"v")]


def test_repr(git_store: VersionedKvStore) -> None:
    assert repr(git_store) == f"VersionedKvStore({git_store.path!r}, backend=StorageBackend.Git, branch='main')"
    git_store.insert(b"k", b"v")
    commit = git_store.commit("k")
    assert repr(git_store.at("main")) == f"Snapshot(commit_id='{commit}', len=1)"


def test_the_config_is_kept(disk_backend: StorageBackend, open_store: Opener) -> None:
    config = p.TreeConfig(modulus=16)
    with open_store(disk_backend, config=config) as store:
        assert store.config == config
        store.insert(b"k", b"v")
        store.commit("k")
    with open_store(disk_backend) as store:
        assert store.config == config
    with open_store(disk_backend, config=config) as store:
        assert store[b"k"] == b"v"
    with pytest.raises(p.IncompatibleStoreError, match="16"):
        open_store(disk_backend, config=p.TreeConfig(modulus=32))
    with open_store(disk_backend) as store:
        assert store[b"k"] == b"v"


def test_equal_contents_have_equal_roots_on_every_backend(open_store: Opener) -> None:
    import random

    pairs = [(b"k%05d" % i, random.Random(i).randbytes(i % 300)) for i in range(2000)]
    pairs.append((b"large", random.Random(0).randbytes(300_000)))
    tree = p.ProllyTree()
    tree.insert_batch(pairs)
    roots = {tree.root_hash()}
    for number, backend in enumerate(StorageBackend):
        store = open_store(backend, name=f"s{number}")
        random.Random(number).shuffle(pairs)
        for start in range(0, len(pairs), 500):
            store.insert_batch(pairs[start : start + 500])
            if start % 1000:
                store.commit("part")
        roots.add(store.root_hash())
        store.commit("rest")
        roots.add(store.root_hash())
        roots.add(store.get_root_hash())
        roots.add(store.at("HEAD").root_hash())
    assert len(roots) == 1


def test_gc_keeps_every_revision(store: VersionedKvStore) -> None:
    commits = {}
    for i in range(20):
        store.insert_batch((b"k%03d" % j, b"%d" % i) for j in range(i, 200))
        commits[store.commit(f"c{i}")] = dict(store.items())
    store.create_tag("kept", "HEAD~3")
    store.branch("side", "HEAD~5")
    store.insert(b"staged", b"s" * 50_000)
    report = store.gc()
    assert {"objects_before", "objects_removed", "bytes_before", "bytes_after"} <= set(report)
    assert all(isinstance(count, int) and count >= 0 for count in report.values())
    for commit, contents in commits.items():
        assert dict(store.at(commit).items()) == contents
    assert store.get(b"staged") == b"s" * 50_000
    store.commit("still works")


def test_gc_removes_what_nothing_needs(open_store: Opener, disk_backend: StorageBackend) -> None:
    store = open_store(disk_backend)
    store.insert(b"k", b"v")
    store.commit("kept")
    store.create_branch("doomed")
    store.insert_batch((b"k%05d" % i, b"v") for i in range(5000))
    lost = store.commit("lost")
    store.checkout("main")
    store.delete_branch("doomed")
    assert store.gc()["objects_removed"] > 0
    with pytest.raises(p.RefNotFoundError, match=lost):
        store.at(lost)
    assert list(store.items()) == [(b"k", b"v")]


ENDS_WITHOUT_CLOSING = """
    import sys
    import prollytree as p
    store = p.VersionedKvStore(sys.argv[1] + "/store", getattr(p.StorageBackend, sys.argv[2]))
    tree = p.ProllyTree("file", sys.argv[1] + "/tree")
    store.insert(b"staged", b"1")
    tree.insert(b"k", b"v")
    # Nothing drops these before the process ends.
    sys.modules["kept"] = [store]
    kept = [store]
    kept.append(kept)
    del store
"""


def test_a_process_that_ends_without_closing(tmp_path: Path, disk_backend: StorageBackend) -> None:
    arguments = [sys.executable, "-c", textwrap.dedent(ENDS_WITHOUT_CLOSING), str(tmp_path), str(disk_backend)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    with VersionedKvStore(tmp_path / "store") as store:
        assert store.status() == [(b"staged", "added")]
    with p.ProllyTree("file", tmp_path / "tree") as tree:
        assert tree.find(b"k") == b"v"
