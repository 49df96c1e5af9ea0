"""Merges of NamespacedKvStore: per namespace, with a strategy, a function, or a map of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import prollytree as p
from conftest import ALL_BACKENDS

TAKE = p.ConflictResolution


@pytest.fixture(params=ALL_BACKENDS, ids=str)
def diverged(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[p.NamespacedKvStore]:
    """``main`` and ``side`` changed ``k`` of ``a`` and ``b``, and ``side`` dropped ``d``, which ``main`` changed."""
    with p.NamespacedKvStore(tmp_path / "store", request.param) as store:
        for name in ("a", "b", "d"):
            store.ns_insert(name, b"k", b"base")
            store.ns_insert(name, b"same", b"base")
        store.commit("base")
        store.branch("side")
        for name in ("a", "b"):
            store.ns_insert(name, b"k", b"side")
            store.ns_insert(name, b"only-side", name.encode())
        store.delete_namespace("d")
        store.ns_insert("new-side", b"k", b"v")
        store.commit("side")
        store.checkout("main")
        for name in ("a", "b", "d"):
            store.ns_insert(name, b"k", b"main")
        store.ns_insert("new-main", b"k", b"v")
        store.commit("main")
        yield store


CONFLICTS = [
    p.MergeConflict(b"k", b"base", b"side", b"main", "a"),
    p.MergeConflict(b"k", b"base", b"side", b"main", "b"),
    p.MergeConflict(None, None, None, None, "d"),
]


def test_probing_names_the_namespaces_and_changes_nothing(diverged: p.NamespacedKvStore) -> None:
    before = diverged.current_commit()
    assert diverged.try_merge("side") == (False, CONFLICTS)
    assert diverged.current_commit() == before and diverged.ns_get("a", b"k") == b"main"
    assert not diverged.has_namespace("new-side")


def test_refusing(diverged: p.NamespacedKvStore) -> None:
    before = diverged.current_commit()
    with pytest.raises(p.MergeError) as caught:
        diverged.merge("side", None)
    assert caught.value.conflicts == CONFLICTS
    assert diverged.current_commit() == before and diverged.ns_get("b", b"k") == b"main"


@pytest.mark.parametrize(
    ("resolver", "value", "has_d"),
    [(TAKE.IgnoreAll, b"main", True), (TAKE.TakeDestination, b"main", True), (TAKE.TakeSource, b"side", False)],
)
def test_strategies(diverged: p.NamespacedKvStore, resolver: p.ConflictResolution, value: bytes, has_d: bool) -> None:
    diverged.merge("side", resolver)
    for name in ("a", "b"):
        assert diverged.ns_get(name, b"k") == value
        assert diverged.ns_get(name, b"only-side") == name.encode()
        assert diverged.ns_get(name, b"same") == b"base"
    assert diverged.has_namespace("d") is has_d
    assert diverged.ns_get("new-side", b"k") == diverged.ns_get("new-main", b"k") == b"v"
    assert diverged.try_merge("side") == (True, [])


def test_the_default_is_ignore_all(diverged: p.NamespacedKvStore) -> None:
    diverged.merge("side")
    assert diverged.ns_get("a", b"k") == b"main" and diverged.ns_get("a", b"only-side") == b"a"


def test_a_function_is_asked_about_each_conflict(diverged: p.NamespacedKvStore) -> None:
    asked: list[p.MergeConflict] = []

    def resolve(conflict: p.MergeConflict) -> bytes | p.ConflictResolution | None:
        asked.append(conflict)
        assert diverged.ns_get(conflict.namespace, b"k") == b"main"  # the store can be used meanwhile
        if conflict.key is None:
            return TAKE.TakeSource
        return {"a": b"both", "b": None}[conflict.namespace]

    diverged.merge("side", resolve)
    assert asked == CONFLICTS
    assert diverged.ns_get("a", b"k") == b"both" and diverged.ns_get("b", b"k") is None
    assert not diverged.has_namespace("d")


def test_a_function_may_take_a_side_of_a_key(diverged: p.NamespacedKvStore) -> None:
    diverged.merge("side", lambda conflict: TAKE.TakeSource if conflict.namespace == "a" else TAKE.TakeDestination)
    assert (diverged.ns_get("a", b"k"), diverged.ns_get("b", b"k")) == (b"side", b"main")
    assert diverged.has_namespace("d")


def test_a_dropped_namespace_is_not_settled_by_a_value(diverged: p.NamespacedKvStore) -> None:
    before = diverged.current_commit()
    with pytest.raises(p.MergeError) as caught:
        diverged.merge("side", lambda conflict: conflict.source_value)
    assert caught.value.conflicts == CONFLICTS[2:]
    with pytest.raises(TypeError, match="ConflictResolution"):
        diverged.merge("side", lambda conflict: b"value")
    assert diverged.current_commit() == before


def test_a_resolver_for_each_namespace(diverged: p.NamespacedKvStore) -> None:
    asked = []

    def resolve(conflict: p.MergeConflict) -> bytes:
        asked.append(conflict)
        return b"asked"

    diverged.merge("side", {"a": TAKE.TakeSource, "b": resolve, None: TAKE.TakeDestination})
    assert asked == CONFLICTS[1:2]
    assert (diverged.ns_get("a", b"k"), diverged.ns_get("b", b"k")) == (b"side", b"asked")
    assert diverged.ns_get("d", b"k") == b"main"


def test_several_functions(diverged: p.NamespacedKvStore) -> None:
    diverged.merge("side", {"a": lambda _: b"1", "b": lambda _: b"2", None: lambda _: TAKE.TakeSource})
    assert (diverged.ns_get("a", b"k"), diverged.ns_get("b", b"k")) == (b"1", b"2")
    assert not diverged.has_namespace("d")


def test_what_a_map_does_not_name_is_refused(diverged: p.NamespacedKvStore) -> None:
    before = diverged.current_commit()
    with pytest.raises(p.MergeError) as caught:
        diverged.merge("side", {"a": TAKE.TakeSource})
    assert caught.value.conflicts == CONFLICTS[1:]
    with pytest.raises(p.MergeError) as caught:
        diverged.merge("side", {"a": None, None: TAKE.TakeSource})
    assert caught.value.conflicts == CONFLICTS[:1]
    with pytest.raises(p.NamespaceError, match="nowhere"):
        diverged.merge("side", {"nowhere": TAKE.TakeSource, None: TAKE.TakeSource})
    assert diverged.current_commit() == before


def test_what_is_no_resolver(diverged: p.NamespacedKvStore) -> None:
    for bad in (7, {"a": 7}, {7: TAKE.TakeSource}, "TakeSource"):
        with pytest.raises(TypeError):
            diverged.merge("side", bad)  # type: ignore[arg-type]


def test_what_a_function_raises_passes_through(diverged: p.NamespacedKvStore) -> None:
    def resolve(_: p.MergeConflict) -> bytes:
        raise LookupError("mine")

    before = diverged.current_commit()
    with pytest.raises(LookupError, match="mine"):
        diverged.merge("side", {"b": resolve, None: TAKE.TakeSource})
    assert diverged.current_commit() == before


def test_a_conflict_that_appears_while_functions_are_asked_is_asked_about(diverged: p.NamespacedKvStore) -> None:
    asked = []

    def commit_elsewhere() -> None:
        diverged.ns_insert("new-side", b"k", b"main")
        diverged.commit("meanwhile")

    def resolve(conflict: p.MergeConflict) -> bytes | p.ConflictResolution:
        if not asked:
            thread = threading.Thread(target=commit_elsewhere)
            thread.start()
            thread.join()
        asked.append(conflict.namespace)
        return TAKE.TakeSource

    diverged.merge("side", resolve)
    assert asked == ["a", "b", "d", "new-side"]
    assert diverged.ns_get("new-side", b"k") == b"v"


def test_staged_changes_survive_a_merge_of_other_keys(diverged: p.NamespacedKvStore) -> None:
    diverged.ns_insert("a", b"staged", b"s")
    diverged.merge("side", TAKE.TakeSource)
    assert diverged.status() == [("a", b"staged", "added")]
    assert diverged.ns_get("a", b"k") == b"side"


def test_a_plain_store_names_the_namespace_too(tmp_path: Path) -> None:
    with p.VersionedKvStore(tmp_path / "store") as store:
        store[b"k"] = b"base"
        store.commit("base")
        store.create_branch("side")
        store[b"k"] = b"side"
        store.commit("side")
        store.checkout("main")
        store[b"k"] = b"main"
        store.commit("main")
        assert store.try_merge("side") == (False, [p.MergeConflict(b"k", b"base", b"side", b"main", "default")])
        with pytest.raises(TypeError, match="NamespacedKvStore"):
            store.merge("side", {"default": TAKE.TakeSource})
        store.merge("side", lambda _: TAKE.TakeSource)
        assert store[b"k"] == b"side"
