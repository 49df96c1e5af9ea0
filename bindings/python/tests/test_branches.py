"""Branches, tags, and what happens to staged changes on the way between them."""

from __future__ import annotations

import pytest

import prollytree as p
from conftest import Opener, in_place, messages, names
from prollytree import StorageBackend, VersionedKvStore

# What `git check-ref-format --branch` refuses, and ways to leave `refs/`.
BAD_NAMES = [
    "",
    "a..b",
    "a b",
    "-x",
    "x.lock",
    "x.lock/y",
    "a~1",
    "a^",
    "a:b",
    "a?b",
    "a*",
    "a[b",
    "a\\b",
    "/a",
    "a/",
    "a//b",
    ".a",
    "a/.b",
    "x.",
    "@",
    "a@{b",
    "HEAD",
    "../x",
    "../../HEAD",
    "a/../../x",
    "a\x01",
    "a\n",
    "a\x00b",
    "a\x7f",
    "x" * 5000,
]


@pytest.mark.parametrize("name", BAD_NAMES, ids=repr)
def test_names_that_git_forbids_are_refused(store: VersionedKvStore, name: str) -> None:
    for call in (
        lambda: store.branch(name),
        lambda: store.create_branch(name),
        lambda: store.create_tag(name),
    ):
        error = in_place(call, store, p.RefError)
        assert names(str(error), name[:60])


@pytest.mark.parametrize("name", ["feature/one", "ünï", "a.b", "a-b_c", "1", "x@y", "💾", "refs"])
def test_names_that_git_allows(store: VersionedKvStore, name: str) -> None:
    store.create_branch(name)
    assert store.current_branch() == name
    store.insert(b"k", b"v")
    commit = store.commit("on it")
    store.checkout("main")
    assert store.resolve(name) == commit
    assert store.list_branches() == sorted(["main", name])


def test_branch_creates_without_switching(store: VersionedKvStore) -> None:
    assert store.branch("b") is None
    assert store.current_branch() == "main"
    assert store.list_branches() == ["b", "main"]
    assert store.resolve("b") == store.resolve("main")


def test_create_branch_creates_and_switches_and_carries_staged_changes(store: VersionedKvStore) -> None:
    store.insert(b"k", b"v")
    store.commit("k")
    store.insert(b"staged", b"s")
    store.delete(b"k")
    assert store.create_branch("b") is None
    assert store.current_branch() == "b"
    assert store.status() == [(b"k", "deleted"), (b"staged", "added")]
    store.commit("carried")
    store.checkout("main")
    assert list(store.items()) == [(b"k", b"v")]


def test_existing_names_are_refused(store: VersionedKvStore) -> None:
    store.commit("one")
    store.branch("b", "HEAD~1")
    store.insert(b"staged", b"s")
    for call in (
        lambda: store.branch("b"),
        lambda: store.create_branch("b"),
        lambda: store.create_branch("main"),
    ):
        error = in_place(call, store, p.RefError)
        assert "exists" in str(error)
    store.create_tag("t")
    assert "t" in str(in_place(lambda: store.create_tag("t", "HEAD~1"), store, p.RefError))


def test_a_name_below_an_existing_one(store: VersionedKvStore) -> None:
    store.branch("a")
    in_place(lambda: store.branch("a/b"), store, p.RefError)
    in_place(lambda: store.branch("main/x"), store, p.RefError)
    store.delete_branch("a")
    store.branch("a/b")
    in_place(lambda: store.branch("a"), store, p.RefError)


def test_branches_at_a_revision(store: VersionedKvStore) -> None:
    store.insert(b"k", b"1")
    first = store.commit("one")
    store.insert(b"k", b"2")
    store.commit("two")
    store.branch("old", "HEAD~1")
    store.create_branch("older", first)
    assert store.resolve("old") == first and store.get(b"k") == b"1"
    assert store.current_branch() == "older"


def test_list_branches_is_sorted(store: VersionedKvStore) -> None:
    for name in ("z", "a", "m/n"):
        store.branch(name)
    assert store.list_branches() == ["a", "m/n", "main", "z"]


def test_delete_branch(store: VersionedKvStore) -> None:
    store.branch("b")
    store.delete_branch("b")
    assert store.list_branches() == ["main"]
    assert "main" in str(in_place(lambda: store.delete_branch("main"), store, p.RefError))
    assert "b" in str(in_place(lambda: store.delete_branch("b"), store, p.RefNotFoundError))
    store.branch("b")


def test_each_branch_has_its_own_contents(store: VersionedKvStore) -> None:
    store.insert(b"k", b"main")
    store.commit("main")
    store.create_branch("b")
    store.insert(b"k", b"b")
    store.insert(b"only", b"b")
    store.commit("b")
    store.checkout("main")
    assert list(store.items()) == [(b"k", b"main")]
    assert messages(store.log()) == ["main", "Initial commit"]
    store.checkout("b")
    assert list(store.items()) == [(b"k", b"b"), (b"only", b"b")]
    assert messages(store.log()) == ["b", "main", "Initial commit"]


def test_checkout_of_commits_and_tags(store: VersionedKvStore) -> None:
    store.insert(b"k", b"1")
    first = store.commit("one")
    store.create_tag("v1")
    store.insert(b"k", b"2")
    second = store.commit("two")
    for revision in (first, first[:10], "v1", "HEAD~1"):
        store.checkout(revision)
        assert store.current_branch() is None
        assert store.current_commit() == first and store.get(b"k") == b"1"
        store.checkout("main")
        assert store.current_branch() == "main" and store.current_commit() == second
    assert store.resolve("main") == second


def test_a_branch_made_of_a_checked_out_commit(store: VersionedKvStore) -> None:
    store.insert(b"k", b"1")
    first = store.commit("one")
    store.insert(b"k", b"2")
    second = store.commit("two")
    store.checkout(first)
    store.create_branch("fix")
    store.insert(b"k", b"fixed")
    store.commit("fix")
    assert store.current_branch() == "fix"
    assert store.resolve("main") == second and store.resolve("fix~1") == first


@pytest.fixture
def apart(store: VersionedKvStore) -> VersionedKvStore:
    """On ``main``, with a branch ``b`` that holds ``differs`` otherwise, and lacks ``gone``."""
    store.insert_batch({b"same": b"0", b"differs": b"main", b"gone": b"0"})
    store.commit("base")
    store.create_branch("b")
    store.insert(b"differs", b"b")
    store.delete(b"gone")
    store.insert(b"new", b"b")
    store.commit("b")
    store.checkout("main")
    return store


def test_staged_changes_are_carried_where_both_revisions_agree(apart: VersionedKvStore) -> None:
    apart.insert(b"same", b"1")
    apart.insert(b"fresh", b"1")
    apart.checkout("b")
    assert apart.current_branch() == "b"
    assert apart.status() == [(b"fresh", "added"), (b"same", "modified")]
    assert apart.get(b"same") == b"1" and apart.get(b"differs") == b"b" and b"gone" not in apart
    apart.checkout("main")
    assert apart.status() == [(b"fresh", "added"), (b"same", "modified")]


@pytest.mark.parametrize(
    ("edit", "key"),
    [
        (lambda store: store.insert(b"differs", b"staged"), b"differs"),
        (lambda store: store.delete(b"differs"), b"differs"),
        (lambda store: store.insert(b"gone", b"staged"), b"gone"),
        (lambda store: store.insert(b"new", b"staged"), b"new"),
    ],
)
def test_staged_changes_in_the_way_are_named(apart: VersionedKvStore, edit, key: bytes) -> None:
    edit(apart)
    apart.insert(b"same", b"1")
    error = in_place(lambda: apart.checkout("b"), apart, p.StagedChangesError)
    assert error.keys == [key]
    assert key.decode() in str(error)
    apart.checkout("b", discard=True)
    assert apart.current_branch() == "b" and apart.status() == []
    assert dict(apart.items()) == {b"same": b"0", b"differs": b"b", b"new": b"b"}


def test_a_failed_checkout_keeps_staged_changes(apart: VersionedKvStore) -> None:
    apart.insert(b"fresh", b"1")
    in_place(lambda: apart.checkout("nowhere"), apart, p.RefNotFoundError)
    in_place(lambda: apart.checkout("nowhere", discard=True), apart, p.RefNotFoundError)


def test_creating_a_branch_elsewhere_follows_the_same_rule(apart: VersionedKvStore) -> None:
    apart.insert(b"differs", b"staged")
    error = in_place(lambda: apart.create_branch("c", "b"), apart, p.StagedChangesError)
    assert error.keys == [b"differs"]
    assert apart.list_branches() == ["b", "main"]


def test_tags(store: VersionedKvStore) -> None:
    first = store.commit("one")
    assert store.list_tags() == []
    assert store.create_tag("v1") is None
    store.commit("two")
    store.create_tag("older", "HEAD~2")
    assert store.list_tags() == ["older", "v1"]
    assert store.resolve("v1") == first
    assert store.list_branches() == ["main"]
    store.delete_tag("v1")
    assert store.list_tags() == ["older"]
    assert "v1" in str(in_place(lambda: store.delete_tag("v1"), store, p.RefNotFoundError))


def test_branches_and_tags_come_back(disk_backend: StorageBackend, open_store: Opener) -> None:
    with open_store(disk_backend) as store:
        store.commit("one")
        store.create_branch("feature/x")
        store.create_tag("v1")
        store.commit("two")
        expected = {name: store.resolve(name) for name in ("main", "feature/x", "v1")}
    with open_store(disk_backend) as store:
        assert store.list_branches() == ["feature/x", "main"] and store.list_tags() == ["v1"]
        assert {name: store.resolve(name) for name in expected} == expected
        assert store.current_branch() == "feature/x"


def test_a_checked_out_commit_comes_back(disk_backend: StorageBackend, open_store: Opener) -> None:
    with open_store(disk_backend) as store:
        first = store.commit("one")
        store.commit("two")
        store.checkout(first)
    with open_store(disk_backend) as store:
        assert store.current_branch() is None and store.current_commit() == first
