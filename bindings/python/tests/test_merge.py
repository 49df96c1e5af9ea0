"""Merges: all nine cases, every kind of resolver, probes, refusals, and what a merge commit means later."""

from __future__ import annotations

import threading

import pytest

import prollytree as p
from conftest import in_place, messages
from prollytree import ConflictResolution, MergeConflict, VersionedKvStore

# key -> (base, main, side); None is absent. Each of the nine combinations of unchanged, changed and both changed.
CASES: dict[bytes, tuple[bytes | None, bytes | None, bytes | None]] = {
    b"unchanged": (b"0", b"0", b"0"),
    b"ours-modified": (b"0", b"1", b"0"),
    b"theirs-modified": (b"0", b"0", b"2"),
    b"both-modified-same": (b"0", b"3", b"3"),
    b"ours-deleted": (b"0", None, b"0"),
    b"theirs-deleted": (b"0", b"0", None),
    b"both-deleted": (b"0", None, None),
    b"ours-added": (None, b"1", None),
    b"theirs-added": (None, None, b"2"),
    b"both-added-same": (None, b"3", b"3"),
}
CONFLICTS: dict[bytes, tuple[bytes | None, bytes | None, bytes | None]] = {
    b"conflict-add-add": (None, b"m", b"s"),
    b"conflict-deleted-modified": (b"0", None, b"s"),
    b"conflict-modified-deleted": (b"0", b"m", None),
    b"conflict-modified-modified": (b"0", b"m", b"s"),
}


def stage(store: VersionedKvStore, now: dict[bytes, bytes | None]) -> None:
    for key, value in now.items():
        if value is not None:
            store.insert(key, value)
        else:
            store.delete(key)


def diverge(store: VersionedKvStore, cases: dict[bytes, tuple[bytes | None, bytes | None, bytes | None]]) -> None:
    """Two branches, ``main`` (current) and ``side``, that hold the cases; plus 500 keys that nobody changes."""
    store.insert_batch((b"z%04d" % i, b"v") for i in range(500))
    stage(store, {key: base for key, (base, _, _) in cases.items()})
    store.commit("base")
    store.create_branch("side")
    stage(store, {key: side for key, (_, _, side) in cases.items()})
    store.commit("side")
    store.checkout("main")
    stage(store, {key: main for key, (_, main, _) in cases.items()})
    store.commit("main")


def contents(store: VersionedKvStore) -> dict[bytes, bytes]:
    return {key: value for key, value in store.items() if not key.startswith(b"z")}


CLEAN = {
    b"unchanged": b"0",
    b"ours-modified": b"1",
    b"theirs-modified": b"2",
    b"both-modified-same": b"3",
    b"ours-added": b"1",
    b"theirs-added": b"2",
    b"both-added-same": b"3",
}
ALL_CONFLICTS = [MergeConflict(key, base, side, main) for key, (base, main, side) in sorted(CONFLICTS.items())]


def test_a_clean_merge(store: VersionedKvStore) -> None:
    diverge(store, CASES)
    main, side = store.resolve("main"), store.resolve("side")
    assert store.try_merge("side") == (True, [])
    merged = store.merge("side", None)
    assert contents(store) == CLEAN and len(store) == 507
    assert store.current_commit() == merged == store.resolve("main")
    assert store.log()[0]["parents"] == [main, side]
    assert store.resolve("side") == side
    assert store.status() == []
    assert {"base", "side", "main"} <= set(messages(store.log()))


@pytest.mark.parametrize(
    ("arguments", "keyword_arguments", "takes_source"),
    [
        (("side",), {}, False),
        (("side", ConflictResolution.IgnoreAll), {}, False),
        (("side", ConflictResolution.TakeDestination), {}, False),
        (("side", ConflictResolution.TakeSource), {}, True),
        (("side",), {"conflict_resolution": ConflictResolution.TakeSource}, True),
        ((), {"source_branch": "side", "conflict_resolution": ConflictResolution.TakeSource}, True),
        ((), {"branch": "side", "resolver": ConflictResolution.TakeSource}, True),
    ],
)
def test_strategies(store: VersionedKvStore, arguments, keyword_arguments, takes_source: bool) -> None:
    diverge(store, {**CASES, **CONFLICTS})
    store.merge(*arguments, **keyword_arguments)
    expected = dict(CLEAN)
    for key, (_, main, side) in CONFLICTS.items():
        if (value := side if takes_source else main) is not None:
            expected[key] = value
    assert contents(store) == expected
    assert len(store.log()[0]["parents"]) == 2


def test_no_resolver_refuses_with_every_conflict(store: VersionedKvStore) -> None:
    diverge(store, {**CASES, **CONFLICTS})
    error = in_place(lambda: store.merge("side", None), store, p.MergeError)
    assert sorted(error.conflicts, key=lambda c: c.key) == ALL_CONFLICTS
    assert "4" in str(error) and "side" in str(error)
    in_place(lambda: store.merge("side", conflict_resolution=None), store, p.MergeError)


def test_try_merge_probes_and_changes_nothing(store: VersionedKvStore) -> None:
    diverge(store, {**CASES, **CONFLICTS})
    before = (store.current_commit(), store.log(), dict(store.items()), store.list_branches())
    ok, conflicts = store.try_merge("side")
    assert ok is False
    assert sorted(conflicts, key=lambda c: c.key) == ALL_CONFLICTS
    conflict = next(c for c in conflicts if c.key == b"conflict-modified-deleted")
    assert (conflict.base_value, conflict.source_value, conflict.destination_value) == (b"0", None, b"m")
    assert (store.current_commit(), store.log(), dict(store.items()), store.list_branches()) == before


def test_a_clean_probe_commits_nothing(store: VersionedKvStore) -> None:
    diverge(store, CASES)
    before = (store.current_commit(), dict(store.items()), store.status())
    assert store.try_merge("side") == (True, [])
    assert (store.current_commit(), dict(store.items()), store.status()) == before


def test_thousands_of_conflicts_are_all_reported(store: VersionedKvStore) -> None:
    diverge(store, {b"c%05d" % i: (b"0", b"m", b"s") for i in range(3000)})
    assert len(store.try_merge("side")[1]) == 3000


# A resolver that is a function.


def test_a_function_decides_each_conflict(store: VersionedKvStore) -> None:
    diverge(store, {**CASES, **CONFLICTS})
    seen: list[MergeConflict] = []

    def resolve(conflict: MergeConflict) -> bytes | None:
        seen.append(conflict)
        if conflict.key == b"conflict-modified-modified":
            return bytearray(b"resolved")
        return conflict.source_value

    store.merge("side", resolve)
    assert sorted(set(seen), key=lambda c: c.key) == ALL_CONFLICTS
    expected = {
        **CLEAN,
        b"conflict-add-add": b"s",
        b"conflict-deleted-modified": b"s",
        b"conflict-modified-modified": b"resolved",
    }
    assert contents(store) == expected


def test_a_function_is_not_called_without_conflicts(store: VersionedKvStore) -> None:
    diverge(store, CASES)
    store.merge("side", lambda conflict: pytest.fail("called"))
    assert contents(store) == CLEAN


class Mine(Exception):
    """Of the test's own."""


def test_what_a_function_raises_passes_through(store: VersionedKvStore) -> None:
    diverge(store, CONFLICTS)

    def resolve(conflict: MergeConflict) -> bytes:
        raise Mine(conflict.key)

    error = in_place(lambda: store.merge("side", resolve), store, Mine)
    assert error.args[0] in CONFLICTS


@pytest.mark.parametrize("answer", ["text", 5, [b"x"], p.StorageBackend.Git])
def test_a_function_that_returns_something_else(store: VersionedKvStore, answer: object) -> None:
    diverge(store, CONFLICTS)
    error = in_place(lambda: store.merge("side", lambda conflict: answer), store, TypeError)
    assert type(answer).__name__ in str(error)


def test_a_function_may_use_the_store_and_other_threads(store: VersionedKvStore) -> None:
    diverge(store, CONFLICTS)
    finished: list[str] = []

    def resolve(conflict: MergeConflict) -> bytes | None:
        answers: list[bytes | None] = []
        thread = threading.Thread(target=lambda: answers.append(store.get(conflict.key)))
        thread.start()
        thread.join(30)
        assert answers == [store.at("main").get(conflict.key)]
        return store.at("side").get(conflict.key)

    # In a thread of its own, so that a deadlock fails the test instead of hanging it.
    worker = threading.Thread(target=lambda: finished.append(store.merge("side", resolve)), daemon=True)
    worker.start()
    worker.join(60)
    assert finished == [store.current_commit()]
    assert contents(store) == {key: side for key, (_, _, side) in CONFLICTS.items() if side is not None}


def test_a_function_may_change_the_store_from_another_thread(store: VersionedKvStore) -> None:
    diverge(store, CONFLICTS)
    finished: list[str] = []

    def resolve(conflict: MergeConflict) -> bytes | None:
        thread = threading.Thread(target=lambda: store.insert(b"noted:" + conflict.key, b""), daemon=True)
        thread.start()
        thread.join(30)
        assert not thread.is_alive()
        return b"resolved"

    worker = threading.Thread(target=lambda: finished.append(store.merge("side", resolve)), daemon=True)
    worker.start()
    worker.join(60)
    assert finished == [store.current_commit()]
    assert store.status() == [(b"noted:" + key, "added") for key in sorted(CONFLICTS)]


def test_a_commit_during_the_resolution_is_merged_too(store: VersionedKvStore) -> None:
    """The function is asked again, about what has become another conflict."""
    diverge(store, {b"k": (b"0", b"m", b"s")})
    seen: list[bytes | None] = []

    def resolve(conflict: MergeConflict) -> bytes | None:
        seen.append(conflict.destination_value)
        if len(seen) == 1:
            store.insert(b"k", b"later")
            store.commit("later")
        return b"resolved"

    store.merge("side", resolve)
    assert seen == [b"m", b"later"]
    assert store.get(b"k") == b"resolved"
    assert messages(store.log(2))[1] in ("later", "side")


# What stays true after a merge.


def test_a_merge_of_an_ancestor_that_moved_on_has_two_parents_too(store: VersionedKvStore) -> None:
    store.create_branch("ahead")
    store.insert(b"k", b"v")
    ahead = store.commit("ahead")
    store.checkout("main")
    main = store.current_commit()
    store.merge("ahead")
    assert store.log()[0]["parents"] == [main, ahead]
    assert store.get(b"k") == b"v"


def test_resolved_conflicts_do_not_come_back(store: VersionedKvStore) -> None:
    diverge(store, CONFLICTS)
    store.merge("side", ConflictResolution.TakeDestination)
    store.checkout("side")
    store.insert(b"later", b"1")
    store.commit("later")
    store.checkout("main")
    assert store.try_merge("side") == (True, [])
    store.merge("side", None)
    assert store.get(b"later") == b"1"
    assert store.get(b"conflict-modified-modified") == b"m"
    assert store.merge_base("main", "side") == store.resolve("side")


def test_a_revert_is_not_undone_by_the_next_merge(store: VersionedKvStore) -> None:
    store.insert(b"k", b"0")
    store.commit("base")
    store.create_branch("side")
    store.insert(b"k", b"side")
    store.commit("side")
    store.checkout("main")
    store.merge("side")
    store.insert(b"k", b"0")
    store.commit("taken back")
    store.checkout("side")
    store.insert(b"other", b"1")
    store.commit("other")
    store.checkout("main")
    store.merge("side")
    assert store.get(b"k") == b"0" and store.get(b"other") == b"1"


def test_criss_cross_merges(store: VersionedKvStore) -> None:
    store.insert(b"k", b"0")
    store.commit("base")
    store.create_branch("side")
    store.insert(b"s", b"1")
    store.commit("side 1")
    store.checkout("main")
    store.insert(b"m", b"1")
    store.commit("main 1")
    main, side = store.resolve("main"), store.resolve("side")
    store.merge("side")
    store.checkout("side")
    store.merge(main)
    store.insert(b"k", b"side")
    store.commit("side 2")
    store.checkout("main")
    store.insert(b"m", b"2")
    store.commit("main 2")
    assert store.merge_base("main", "side") in (main, side)
    store.merge("side", None)
    assert dict(store.items()) == {b"k": b"side", b"m": b"2", b"s": b"1"}


def test_any_revision_can_be_merged(store: VersionedKvStore) -> None:
    diverge(store, CASES)
    store.create_tag("tagged", "side")
    side = store.resolve("side")
    assert store.try_merge(side) == store.try_merge(side[:12]) == (True, [])
    store.merge("tagged", None)
    assert store.log()[0]["parents"][1] == side


def test_the_message_of_a_merge(store: VersionedKvStore) -> None:
    diverge(store, CASES)
    store.merge("side", message="my words")
    assert store.log()[0]["message"] == "my words"


def test_the_default_message_names_the_branch(store: VersionedKvStore) -> None:
    diverge(store, CASES)
    store.merge("side")
    assert "side" in store.log()[0]["message"]


# Refusals.


def test_a_merge_with_itself_is_refused(store: VersionedKvStore) -> None:
    store.insert(b"k", b"v")
    store.commit("k")
    for call in (lambda: store.merge("main"), lambda: store.merge("HEAD", None)):
        error = in_place(call, store, p.MergeError)
        assert error.conflicts == [] and "itself" in str(error)


def test_a_merge_swallows_no_staged_changes(store: VersionedKvStore) -> None:
    diverge(store, CASES)
    store.insert(b"staged", b"s")
    store.merge("side")
    assert store.status() == [(b"staged", "added")]
    assert b"staged" not in store.at("HEAD")


def test_staged_changes_in_the_way_of_a_merge_are_named(store: VersionedKvStore) -> None:
    diverge(store, CASES)
    store.insert(b"staged", b"s")
    store.insert(b"theirs-modified", b"staged")
    error = in_place(lambda: store.merge("side"), store, p.StagedChangesError)
    assert error.keys == [b"theirs-modified"]
    assert "theirs-modified" in str(error)


def test_a_branch_that_was_merged_already(store: VersionedKvStore) -> None:
    diverge(store, CASES)
    merged = store.merge("side")
    before = dict(store.items())
    assert store.try_merge("side") == (True, [])
    assert store.merge("side") == merged == store.current_commit()
    assert dict(store.items()) == before
