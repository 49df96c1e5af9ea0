"""NamespacedKvStore: many maps, one history."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import prollytree as p
from conftest import ALL_BACKENDS, DISK_BACKENDS, git

Opener = Callable[..., p.NamespacedKvStore]


@pytest.fixture
def open_ns(tmp_path: Path) -> Iterator[Opener]:
    """Opens namespaced stores below ``tmp_path`` and closes them at the end."""
    opened: list[p.NamespacedKvStore] = []

    def open_ns(backend: p.StorageBackend | None = None, name: str = "store") -> p.NamespacedKvStore:
        opened.append(p.NamespacedKvStore(tmp_path / name, backend))
        return opened[-1]

    yield open_ns
    for store in opened:
        store.close()


@pytest.fixture(params=ALL_BACKENDS, ids=str)
def store(request: pytest.FixtureRequest, open_ns: Opener) -> p.NamespacedKvStore:
    return open_ns(request.param)


@pytest.fixture
def redb(open_ns: Opener) -> p.NamespacedKvStore:
    return open_ns(p.StorageBackend.Redb)


def contents(store: p.NamespacedKvStore) -> dict[str, dict[bytes, bytes]]:
    return {name: dict(store.namespace(name).items()) for name in store.list_namespaces()}


# The document.


def test_the_example_of_the_document(tmp_path: Path) -> None:
    store = p.NamespacedKvStore(str(tmp_path / "store"))
    store.ns_insert("users", b"u:alice", b"Alice")
    store.ns_insert("settings", b"theme", b"dark")
    seed = store.commit("seed users + settings")
    assert isinstance(seed, str) and len(seed) == 40

    store.branch("experiment")
    assert store.current_branch == "experiment"
    store.ns_insert("settings", b"theme", b"light")
    store.ns_insert("users", b"u:bob", b"Bob")
    store.commit("flip theme")
    store.checkout("main")
    assert store.current_branch == "main"
    assert store.ns_get("settings", b"theme") == b"dark"
    assert store.ns_get("users", b"u:bob") is None

    merged = store.merge("experiment")
    assert store.ns_get("settings", b"theme") == b"light"
    assert store.ns_get("users", b"u:bob") == b"Bob"
    assert store.current_commit() == merged
    assert len(list(store.iter_log())[0]["parents"]) == 2


def test_entries(store: p.NamespacedKvStore) -> None:
    assert store.ns_insert("a", b"k", b"1") is None
    store.ns_insert("b", b"k", b"2")
    store.insert(b"k", b"3")
    assert (store.ns_get("a", b"k"), store.ns_get("b", b"k"), store.get(b"k")) == (b"1", b"2", b"3")
    assert store.ns_get("default", b"k") == b"3"
    assert store.ns_get("a", b"x") is None
    assert store.ns_get("nowhere", b"k") is None
    assert store.ns_update("a", b"k", b"4") is True and store.ns_get("a", b"k") == b"4"
    assert store.ns_update("a", b"x", b"4") is False and store.ns_get("a", b"x") is None
    assert store.ns_delete("a", b"k") is True
    assert store.ns_delete("a", b"k") is False
    assert store.ns_delete("nowhere", b"k") is False
    store.ns_insert_batch("a", {b"z": b"26", b"y": b"25"})
    assert store.ns_list_keys("a") == [b"y", b"z"]
    assert store.ns_get_many("a", [b"z", b"?", b"y"]) == [b"26", None, b"25"]
    assert store.ns_list_keys("nowhere") == []
    assert store.list_namespaces() == ["a", "b", "default"]
    assert store.list_keys() == [b"k"] and store.delete(b"k") is True and store.delete(b"k") is False


def test_more_than_1024_keys_are_listed(redb: p.NamespacedKvStore) -> None:
    keys = [b"%05d" % n for n in range(3000)]
    redb.ns_insert_batch("many", ((key, b"") for key in reversed(keys)))
    redb.commit()
    assert redb.ns_list_keys("many") == keys


def test_both_keyword_spellings(redb: p.NamespacedKvStore) -> None:
    redb.ns_insert(ns="a", key=b"k", value=b"1")
    redb.ns_insert(namespace="b", key=b"k", value=b"2")
    assert redb.ns_get(namespace="a", key=b"k") == b"1"
    assert redb.ns_get(ns="b", key=b"k") == b"2"
    assert redb.ns_list_keys(namespace="a") == redb.ns_list_keys(ns="a") == [b"k"]
    commit = redb.commit("one")
    assert redb.get_namespace_root_hash(prefix="a") == redb.get_namespace_root_hash(namespace="a") is not None
    assert redb.namespace_changed(namespace="a", commit_a=commit, commit_b=commit) is False
    assert redb.ns_delete(namespace="a", key=b"k") is True
    assert redb.delete_namespace(namespace="a") is True
    assert redb.delete_namespace(prefix="b") is True
    with pytest.raises(TypeError, match="both"):
        redb.ns_get("a", b"k", namespace="b")
    with pytest.raises(TypeError, match="ns"):
        redb.ns_get(key=b"k")
    with pytest.raises(TypeError, match="key"):
        redb.ns_get("a")


@pytest.mark.parametrize("bad", ["", "x" * 1025])
def test_bad_names_are_refused(redb: p.NamespacedKvStore, bad: str) -> None:
    for action in (
        lambda: redb.ns_insert(bad, b"k", b"v"),
        lambda: redb.ns_get(bad, b"k"),
        lambda: redb.namespace(bad),
        lambda: redb.create_namespace(bad),
        lambda: redb.delete_namespace(bad),
        lambda: redb.copy_namespace("default", bad),
    ):
        with pytest.raises(p.NamespaceError):
            action()
    assert redb.list_namespaces() == ["default"]


@pytest.mark.parametrize("name", ["a/b", "Ü ", "refs/heads/main", "x" * 1024, "\n", "..", "a\x00b"])
def test_any_text_is_a_name(store: p.NamespacedKvStore, name: str) -> None:
    store.ns_insert(name, b"k", b"v")
    store.commit()
    assert store.list_namespaces() == sorted(["default", name], key=str.encode)
    assert store.at("HEAD").ns_get(name, b"k") == b"v"


# 0.4.1.


def test_shapes_of_the_published_version(tmp_path: Path) -> None:
    store = p.NamespacedKvStore(tmp_path / "store")
    assert repr(store) == "NamespacedKvStore(namespaces=1, branch='main')"
    store.ns_insert("a", b"k", b"v")
    assert repr(store) == "NamespacedKvStore(namespaces=2, branch='main')"
    first = store.commit()
    entry = store.log()[0]
    assert all(isinstance(value, str) for value in entry.values())
    assert {"id", "message", "author", "timestamp"} <= entry.keys()
    assert entry["id"] == first and entry["timestamp"].isdecimal()
    assert [entry["message"].strip() for entry in store.log()][1:] == ["Initial commit"]
    assert len(store.log(1)) == 1
    assert store.get_namespace_root_hash("a") == store.at(first).get_namespace_root_hash("a")
    assert len(store.get_namespace_root_hash("a") or b"") == 32
    assert store.get_namespace_root_hash("x") is None
    report = store.migrate_v1_to_v2()
    assert report.keys() == {"keys_migrated", "namespaces_created"}
    assert all(isinstance(value, str) for value in report.values())
    store.close()
    with pytest.raises(p.StorageError):
        store.ns_get("a", b"k")
    with p.NamespacedKvStore.open(tmp_path / "store") as again:
        assert again.ns_get("a", b"k") == b"v"
    with pytest.raises(p.StorageError):
        p.NamespacedKvStore.open(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


def test_the_default_namespace_cannot_be_deleted(store: p.NamespacedKvStore) -> None:
    store.insert(b"k", b"v")
    with pytest.raises(ValueError, match="default"):
        store.delete_namespace("default")
    assert store.get(b"k") == b"v"


def test_the_root_hash_is_of_the_committed_state(store: p.NamespacedKvStore) -> None:
    assert store.get_namespace_root_hash("a") is None
    store.ns_insert("a", b"k", b"v")
    assert store.get_namespace_root_hash("a") is None
    store.commit()
    committed = store.get_namespace_root_hash("a")
    store.ns_insert("a", b"k", b"w")
    assert store.get_namespace_root_hash("a") == committed
    store.commit()
    assert store.get_namespace_root_hash("a") != committed


def test_delete_namespace_stays_deleted_after_the_commit(store: p.NamespacedKvStore) -> None:
    store.ns_insert("a", b"k", b"v")
    store.commit()
    assert store.delete_namespace("a") is True
    assert store.delete_namespace("a") is False
    assert store.staged_namespaces() == [("a", "deleted")]
    store.commit()
    assert store.list_namespaces() == ["default"]
    assert store.ns_get("a", b"k") is None and store.ns_list_keys("a") == []
    assert store.at("HEAD~1").ns_get("a", b"k") == b"v"


# One store, several views.


@pytest.mark.parametrize("backend", DISK_BACKENDS, ids=str)
def test_a_versioned_store_is_the_default_namespace(tmp_path: Path, backend: p.StorageBackend) -> None:
    with p.VersionedKvStore(tmp_path / "store", backend) as plain:
        plain[b"k"] = b"v"
        plain.commit("plain")
        root = plain.root_hash()
    with p.NamespacedKvStore(tmp_path / "store") as store:
        assert store.list_namespaces() == ["default"] and store.get(b"k") == b"v"
        assert store.get_namespace_root_hash("default") == root
        store.insert(b"k", b"w")
        store.ns_insert("other", b"k", b"o")
        store.commit("namespaced")
    with p.VersionedKvStore(tmp_path / "store") as plain:
        assert plain[b"k"] == b"w" and len(plain) == 1
        plain[b"k"] = b"x"
        plain.commit("plain again")
    with p.NamespacedKvStore(tmp_path / "store") as store:
        assert contents(store) == {"default": {b"k": b"x"}, "other": {b"k": b"o"}}


@pytest.mark.git
def test_git_keeps_namespaces_whole(tmp_path: Path) -> None:
    with p.NamespacedKvStore(tmp_path / "store") as store:
        for name in ("a", "b"):
            store.ns_insert_batch(name, ((b"%d" % n, b"v" * n) for n in range(500)))
            store.commit(name)
        before = contents(store)
    git(tmp_path / "store", "gc", "--prune=now", "--quiet")
    git(tmp_path / "store", "fsck", "--full", "--strict")
    git(tmp_path, "clone", "--quiet", "--no-local", "store", "copy")
    with p.NamespacedKvStore(tmp_path / "copy") as copy:
        assert contents(copy) == before


# The mapping.


def test_a_namespace_is_a_mapping(store: p.NamespacedKvStore) -> None:
    users = store.namespace("users")
    assert users.name == "users" and len(users) == 0 and list(users) == [] and b"a" not in users
    assert store.has_namespace("users") is False
    users[b"a"] = b"1"
    users.insert_batch([(b"c", b"3"), (b"b", b"2")])
    assert users[b"a"] == b"1" and users.get(b"b") == b"2" and users.get(b"x", 7) == 7
    assert b"c" in users and len(users) == 3
    assert list(users) == list(users.keys()) == users.list_keys() == [b"a", b"b", b"c"]
    assert list(users.items(prefix=b"b")) == [(b"b", b"2")]
    assert list(users.range(b"b", reverse=True)) == [(b"c", b"3"), (b"b", b"2")]
    assert list(users.values()) == [b"1", b"2", b"3"]
    assert users.get_many([b"c", b"x"]) == [b"3", None]
    assert users.update(b"a", b"0") is True and users.update(b"x", b"0") is False
    assert users.status() == [(b"a", "added"), (b"b", "added"), (b"c", "added")]
    store.commit("three")
    assert users.delete_batch([b"a", b"x", b"b"]) == 2
    del users[b"c"]
    for action in (lambda: users[b"c"], lambda: users.__delitem__(b"c")):
        with pytest.raises(KeyError):
            action()
    assert repr(users) == "Namespace('users', len=0)"
    store.commit("none")
    assert users.at("HEAD~1")[b"a"] == b"0" and len(users.at("HEAD~2")) == 0
    assert [row.op for row in users.diff("HEAD~1", "HEAD")] == ["removed"] * 3
    assert [entry["message"].strip() for entry in users.history(b"a")] == ["none", "three"]
    assert [tuple(row) for row in users.changes("HEAD~1", "HEAD", b"b", b"c")] == [(b"b", "removed", b"2", None)]
    proof = users.generate_proof(b"a")
    assert users.verify(proof, b"a", None) and proof.verify(users.root_hash(), b"a", None)
    store.close()
    with pytest.raises(p.StorageError):
        users.get(b"a")


def test_a_view_outlives_other_references_to_the_store(tmp_path: Path) -> None:
    users = p.NamespacedKvStore(tmp_path / "store", p.StorageBackend.Redb).namespace("users")
    users[b"k"] = b"v"
    assert users[b"k"] == b"v"


# Making, renaming, copying.


def test_create_rename_copy(store: p.NamespacedKvStore) -> None:
    store.create_namespace("empty")
    assert store.has_namespace("empty") and store.ns_list_keys("empty") == []
    assert store.staged_namespaces() == [("empty", "added")]
    with pytest.raises(p.NamespaceError, match="empty"):
        store.create_namespace("empty")
    store.ns_insert("a", b"k", b"1")
    first = store.commit("first")
    store.ns_insert("a", b"k", b"2")
    store.copy_namespace("a", "staged")
    store.copy_namespace("a", "old", first)
    store.rename_namespace("a", "b")
    after = {"b": {b"k": b"2"}, "default": {}, "empty": {}, "old": {b"k": b"1"}, "staged": {b"k": b"2"}}
    assert contents(store) == after
    store.ns_insert("staged", b"k", b"3")
    assert store.ns_get("b", b"k") == b"2"
    for action in (
        lambda: store.rename_namespace("a", "c"),
        lambda: store.rename_namespace("b", "old"),
        lambda: store.rename_namespace("default", "c"),
        lambda: store.rename_namespace("b", "default"),
        lambda: store.copy_namespace("a", "c"),
        lambda: store.copy_namespace("b", "old"),
    ):
        with pytest.raises(p.NamespaceError):
            action()
    store.commit("second")
    assert store.get_namespace_root_hash("old") == store.at(first).get_namespace_root_hash("a")
    assert contents(store) == after | {"staged": {b"k": b"3"}}


# Status, branches, revisions.


def test_status_discard_and_checkout(store: p.NamespacedKvStore) -> None:
    store.ns_insert("a", b"k", b"1")
    store.ns_insert("b", b"k", b"1")
    store.commit("base")
    store.ns_insert("a", b"k", b"2")
    store.ns_delete("b", b"k")
    store.insert(b"n", b"")
    staged = [("a", b"k", "modified"), ("b", b"k", "deleted"), ("default", b"n", "added")]
    assert store.status() == staged
    assert store.discard() == 3 and store.status() == []
    store.branch("side")
    store.ns_insert("a", b"k", b"side")
    store.commit("side")
    store.checkout("main")
    store.ns_insert("a", b"k", b"staged")
    store.ns_insert("c", b"k", b"kept")
    with pytest.raises(p.StagedChangesError) as caught:
        store.checkout("side")
    assert caught.value.keys == [b"k"] and store.current_branch == "main"
    store.checkout("side", discard=True)
    assert store.status() == [] and store.ns_get("a", b"k") == b"side" and not store.has_namespace("c")
    store.ns_insert("c", b"k", b"carried")
    store.checkout("main")
    assert store.status() == [("c", b"k", "added")]
    with pytest.raises(p.RefError):
        store.branch("side")
    assert store.list_branches() == ["main", "side"] and store.current_branch == "main"
    store.checkout(store.resolve("side"), discard=True)
    assert store.current_branch is None
    assert repr(store) == "NamespacedKvStore(namespaces=3, branch=None)"
    store.checkout("main")
    store.delete_branch("side")
    store.create_tag("v1")
    assert (store.list_branches(), store.list_tags()) == (["main"], ["v1"])


def test_what_differs(store: p.NamespacedKvStore) -> None:
    store.ns_insert_batch("a", {b"1": b"x", b"2": b"x"})
    store.ns_insert("gone", b"k", b"v")
    store.ns_insert("same", b"k", b"v")
    one = store.commit("one")
    store.ns_insert("a", b"2", b"y")
    store.ns_delete("a", b"1")
    store.delete_namespace("gone")
    store.ns_insert("new", b"k", b"v")
    two = store.commit("two")
    rows = [
        ("a", b"1", "removed", b"x", None),
        ("a", b"2", "modified", b"x", b"y"),
        ("gone", b"k", "removed", b"v", None),
        ("new", b"k", "added", None, b"v"),
    ]
    assert [tuple(row) for row in store.changes(one, two)] == rows
    assert [tuple(row) for row in store.changes(one)] == rows
    assert [tuple(row) for row in store.changes(one, namespace="a")] == rows[:2]
    assert list(store.changes(one, two, "same")) == []
    row = next(iter(store.changes(one)))
    assert (row.namespace, row.key, row.op, row.old, row.new) == rows[0]
    by_namespace = store.diff(one, two)
    assert {name: [(name, *row) for row in rows] for name, rows in by_namespace.items()} == {
        name: [row for row in rows if row[0] == name] for name in ("a", "gone", "new")
    }
    assert isinstance(by_namespace["a"][0], p.KvDiff)
    assert [(row.namespace, row.op) for row in store.changes(None, one)] == [
        ("a", "added"),
        ("a", "added"),
        ("gone", "added"),
        ("same", "added"),
    ]
    changed = {name for name in ("a", "gone", "same", "new", "nowhere") if store.namespace_changed(name, one, two)}
    assert changed == {"a", "gone", "new"}
    store.ns_insert("same", b"k", b"staged")
    assert [tuple(row) for row in store.changes(two)] == [("same", b"k", "modified", b"v", b"staged")]
    assert list(store.changes(two, "HEAD")) == []
    for action in (lambda: store.changes(one, two, "nowhere"), lambda: store.namespace("nowhere").diff(one, two)):
        with pytest.raises(p.NamespaceError, match="nowhere"):
            list(action())
    with pytest.raises(p.RefNotFoundError):
        store.changes("no-such")
    with pytest.raises(p.RefNotFoundError):
        store.namespace_changed("a", one, "no-such")
    assert [entry["message"].strip() for entry in store.ns_history("a", b"2")] == ["two", "one"]
    assert [entry["message"].strip() for entry in store.ns_history(namespace="same", key=b"k")] == ["one"]


def test_snapshots(store: p.NamespacedKvStore) -> None:
    store.ns_insert("a", b"k", b"1")
    first = store.commit("first")
    old = store.at(first)
    store.ns_insert("a", b"k", b"2")
    store.commit("second")
    assert old.commit_id == first and first in repr(old)
    assert old.list_namespaces() == ["a", "default"]
    assert old.ns_get("a", b"k") == b"1" and old.ns_get("x", b"k") is None
    assert old.ns_list_keys("a") == [b"k"] and old.ns_list_keys("x") == []
    assert old.namespace("a")[b"k"] == b"1" and len(old.namespace("x")) == 0
    assert old.root_hash() == store.root_hash(first) != store.root_hash()
    assert old.get_namespace_root_hash("a") == old.namespace("a").root_hash()
    assert old.get_namespace_root_hash("x") is None
    store.close()
    with pytest.raises(p.StorageError):
        old.ns_get("a", b"k")


def test_revert_and_reset(store: p.NamespacedKvStore) -> None:
    store.ns_insert("a", b"k", b"1")
    store.ns_insert("b", b"k", b"1")
    store.commit("base")
    store.ns_insert("a", b"k", b"2")
    store.delete_namespace("b")
    bad = store.commit("bad")
    store.insert(b"later", b"")
    store.commit("later")
    store.revert(bad, message="undo")
    assert contents(store) == {"a": {b"k": b"1"}, "b": {b"k": b"1"}, "default": {b"later": b""}}
    assert store.log(1)[0]["message"].strip() == "undo"
    store.reset("HEAD~3")
    assert contents(store) == {"a": {b"k": b"1"}, "b": {b"k": b"1"}, "default": {}}


# Proofs.


def test_proofs_lead_to_the_root_of_the_commit(store: p.NamespacedKvStore) -> None:
    for name in ("a", "b"):
        store.ns_insert_batch(name, ((b"%03d" % n, name.encode() + b"%d" % n) for n in range(300)))
    commit = store.commit("seed")
    root = store.root_hash()
    proof = store.ns_generate_proof("a", b"007")
    assert isinstance(proof, p.NamespaceProof) and proof.root_hash == root
    sent = p.NamespaceProof(bytes(proof))
    assert sent.verify(root, "a", b"007", b"a7") and sent.verify(root, "a", b"007")
    assert not sent.verify(root, "a", b"007", b"b7")
    assert not sent.verify(root, "a", b"007", None)
    assert not sent.verify(root, "b", b"007", b"a7")
    assert not sent.verify(root, "a", b"250", b"a250")  # true, but not what it shows
    assert not sent.verify(bytes(32), "a", b"007", b"a7")
    assert store.ns_generate_proof("a", b"none").verify(root, "a", b"none", None)
    assert store.ns_generate_proof("x", b"k").verify(root, "x", b"k", None)
    many = store.ns_generate_multi_proof(namespace="b", keys=[b"001", b"none"])
    assert many.verify_many(root, "b", {b"001": b"b1", b"none": None})
    assert not many.verify_many(root, "b", {b"001": b"b1", b"none": b""})
    store.ns_insert("a", b"007", b"staged")
    assert store.ns_generate_proof("a", b"007").verify(root, "a", b"007", b"a7")
    store.commit("next")
    assert store.root_hash() != root
    assert store.ns_generate_proof("a", b"007", commit) == proof
    assert not store.ns_generate_proof("a", b"007").verify(root, "a", b"007", b"staged")


def test_every_changed_bit_of_a_proof_is_noticed(redb: p.NamespacedKvStore) -> None:
    redb.ns_insert_batch("a", ((b"%03d" % n, b"%d" % n) for n in range(200)))
    redb.commit()
    root, proof = redb.root_hash(), redb.ns_generate_proof("a", b"100")
    assert proof.verify(root, "a", b"100", b"100")
    for position in range(len(proof)):
        for bit in (1, 128):
            damaged = bytearray(proof)
            damaged[position] ^= bit
            try:
                assert not p.NamespaceProof(damaged).verify(root, "a", b"100", b"101")
                shown = p.NamespaceProof(damaged).verify(root, "a", b"100", b"100")
            except p.ProofError:
                continue
            assert not shown, position
    with pytest.raises(p.ProofError):
        p.NamespaceProof(b"nonsense").verify(root, "a", b"k")
    with pytest.raises(TypeError):
        proof.verify(root, "a", 100)  # type: ignore[arg-type]
