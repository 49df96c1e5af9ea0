"""Reading other revisions: how they are named, snapshots, diff, history of a key, revert."""

from __future__ import annotations

import pytest

import prollytree as p
from conftest import in_place, messages, names
from prollytree import VersionedKvStore


@pytest.fixture
def line(store: VersionedKvStore) -> list[str]:
    """Five commits in a row: ``k`` counts up, ``only2`` appears in the third and is gone in the fourth."""
    ids = []
    for i in range(5):
        store.insert(b"k", b"%d" % i)
        store.insert(b"fixed", b"f")
        if i == 2:
            store.insert(b"only2", b"x")
        if i == 3:
            store.delete(b"only2")
        ids.append(store.commit(f"c{i}"))
    return ids


def test_names_of_revisions(store: VersionedKvStore, line: list[str]) -> None:
    store.create_tag("v1", line[1])
    store.branch("side", line[2])
    for revision, expected in [
        ("HEAD", line[4]),
        ("main", line[4]),
        ("HEAD~0", line[4]),
        ("HEAD~1", line[3]),
        ("HEAD~", line[3]),
        ("HEAD~2", line[2]),
        ("main^", line[3]),
        ("main^^", line[2]),
        ("main~1^", line[2]),
        ("v1", line[1]),
        ("v1~1", line[0]),
        ("side", line[2]),
        ("refs/heads/side", line[2]),
        ("refs/tags/v1", line[1]),
        (line[0], line[0]),
        (line[0][:12], line[0]),
        (line[3][:12] + "^", line[2]),
    ]:
        assert store.resolve(revision) == expected, revision
        assert store.at(revision).commit_id == expected, revision


def test_second_parents(store: VersionedKvStore) -> None:
    store.create_branch("side")
    store.insert(b"s", b"1")
    side = store.commit("side")
    store.checkout("main")
    store.insert(b"m", b"1")
    main = store.commit("main")
    merged = store.merge("side")
    assert store.resolve("HEAD^1") == store.resolve("HEAD^") == main
    assert store.resolve("HEAD^2") == store.resolve(f"{merged}^2") == side
    with pytest.raises(p.RefNotFoundError, match=r"HEAD\^3"):
        store.resolve("HEAD^3")


@pytest.mark.parametrize(
    "revision",
    [
        "nowhere",
        "HEAD~9",
        "main^2",
        "0" * 40,
        "0" * 64,
        "deadbeef",
        "",
        " ",
        "HEAD~x",
        "main..side",
        "@{u}",
        "a\x00b",
        "-v",
        "~1",
    ],
)
def test_unknown_revisions(store: VersionedKvStore, line: list[str], revision: str) -> None:
    for call in (
        lambda: store.resolve(revision),
        lambda: store.at(revision),
        lambda: store.checkout(revision),
        lambda: store.keys_at(revision),
        lambda: store.get_keys_at_ref(revision),
        lambda: store.diff("HEAD", revision),
        lambda: store.diff(revision, "HEAD"),
        lambda: store.iter_log(revision),
        lambda: store.merge(revision),
        lambda: store.try_merge(revision),
        lambda: store.revert(revision),
        lambda: store.reset(revision),
        lambda: store.branch("new", revision),
        lambda: store.create_branch("new", revision),
        lambda: store.create_tag("new", revision),
        lambda: store.merge_base("HEAD", revision),
    ):
        error = in_place(call, store, p.RefNotFoundError)
        assert names(str(error), revision)


def test_a_deleted_branch_is_unknown(store: VersionedKvStore) -> None:
    store.branch("gone")
    store.delete_branch("gone")
    for call in (
        lambda: store.at("gone"),
        lambda: store.checkout("gone"),
        lambda: store.delete_branch("gone"),
    ):
        assert "gone" in str(in_place(call, store, p.RefNotFoundError))


def test_ambiguous_abbreviations(store: VersionedKvStore) -> None:
    prefixes: dict[str, str] = {}
    for i in range(3000):
        commit = store.commit(f"c{i}")
        if (other := prefixes.setdefault(commit[:4], commit)) != commit:
            break
    else:
        pytest.fail("3,000 commits without two equal abbreviations")
    error = in_place(lambda: store.at(commit[:4]), store, p.RefNotFoundError)
    assert commit[:4] in str(error) and "ambiguous" in str(error)
    length = next(n for n in range(4, 41) if commit[:n] != other[:n])
    assert store.resolve(commit[:length]) == commit
    assert store.resolve(other[:length]) == other


def test_a_snapshot_reads_any_revision_and_moves_nothing(store: VersionedKvStore, line: list[str]) -> None:
    store.insert(b"staged", b"s")
    before = (store.current_branch(), store.current_commit(), store.status())
    snapshot = store.at("HEAD~2")
    assert snapshot.commit_id == line[2]
    assert dict(snapshot.items()) == {b"k": b"2", b"fixed": b"f", b"only2": b"x"}
    assert list(snapshot) == list(snapshot.keys()) == [b"fixed", b"k", b"only2"]
    assert list(snapshot.keys(reverse=True)) == [b"only2", b"k", b"fixed"]
    assert list(snapshot.values()) == [b"f", b"2", b"x"]
    assert list(snapshot.items(prefix=b"on")) == [(b"only2", b"x")]
    assert list(snapshot.range(b"g", b"l")) == [(b"k", b"2")]
    assert len(snapshot) == 3
    assert b"only2" in snapshot and b"staged" not in snapshot
    assert snapshot[b"k"] == snapshot.get(b"k") == b"2"
    assert snapshot.get(b"staged", b"d") == b"d"
    assert snapshot.get_many([b"k", b"staged"]) == [b"2", None]
    with pytest.raises(KeyError):
        snapshot[b"staged"]
    with pytest.raises(TypeError):
        snapshot[b"k"] = b"v"
    assert len(snapshot.root_hash()) == 32
    assert snapshot.get_root_hash() == snapshot.root_hash() != store.at("HEAD").root_hash()
    assert (store.current_branch(), store.current_commit(), store.status()) == before
    store.create_branch("elsewhere")
    store.commit("x")
    assert snapshot[b"k"] == b"2"


def test_keys_at(store: VersionedKvStore, line: list[str]) -> None:
    assert store.keys_at("HEAD~2") == [b"fixed", b"k", b"only2"]
    assert store.keys_at("main") == [b"fixed", b"k"]
    assert store.get_keys_at_ref(line[0]) == [(b"fixed", b"f"), (b"k", b"0")]
    assert store.get_keys_at_ref(line[0][:10]) == [(b"fixed", b"f"), (b"k", b"0")]


def test_diff(store: VersionedKvStore, line: list[str]) -> None:
    assert store.diff(line[1], line[2]) == [(b"k", "modified", b"1", b"2"), (b"only2", "added", None, b"x")]
    assert store.diff(line[2], line[1]) == [(b"k", "modified", b"2", b"1"), (b"only2", "removed", b"x", None)]
    assert store.diff("main", "HEAD") == []
    rows = store.diff("HEAD~2", "main")
    assert isinstance(rows, list) and all(isinstance(row, p.KvDiff) and isinstance(row, tuple) for row in rows)
    assert [(key, op) for key, op, old, new in rows] == [(b"k", "modified"), (b"only2", "removed")]
    assert rows[0].key == b"k" and rows[0].operation.operation_type == "Modified"
    assert (rows[0].operation.old_value, rows[0].operation.new_value) == (b"2", b"4")
    assert rows[1].operation.operation_type == "Removed" and rows[1].operation.value == b"x"


def test_changes_are_lazy_rows_of_a_range(store: VersionedKvStore) -> None:
    store.insert_batch((b"k%05d" % i, b"1") for i in range(10_000))
    store.commit("one")
    store.insert_batch((b"k%05d" % i, b"2") for i in range(0, 10_000, 7))
    store.commit("two")
    rows = store.changes("HEAD~1", "HEAD")
    assert iter(rows) is rows
    assert next(rows) == (b"k00000", "modified", b"1", b"2")
    assert len(list(rows)) == len(range(7, 10_000, 7))
    assert [row.key for row in store.changes("HEAD~1", "HEAD", b"k00010", b"k00030")] == [
        b"k00014",
        b"k00021",
        b"k00028",
    ]
    assert [row.key for row in store.changes("HEAD~1", "HEAD", start=b"k09990")] == [b"k09996"]
    assert [row.key for row in store.changes("HEAD~1", "HEAD", end=b"k00007")] == [b"k00000"]


def test_history_names_the_commits_that_touched_a_key(store: VersionedKvStore, line: list[str]) -> None:
    assert [entry["id"] for entry in store.history(b"k")] == line[::-1]
    assert [entry["id"] for entry in store.history(b"only2")] == [line[3], line[2]]
    assert [entry["id"] for entry in store.history(b"fixed")] == [line[0]]
    assert store.history(b"never") == []
    entry = store.history(b"fixed")[0]
    assert entry == next(e for e in store.log() if e["id"] == line[0])


def test_history_through_a_merge(store: VersionedKvStore) -> None:
    store.insert(b"k", b"0")
    base = store.commit("base")
    store.create_branch("side")
    store.insert(b"k", b"side")
    side = store.commit("side")
    store.checkout("main")
    store.insert(b"other", b"1")
    other = store.commit("other")
    store.merge("side")
    touched = {entry["id"] for entry in store.history(b"k")}
    assert {base, side} <= touched and other not in touched


def test_writing_the_same_value_again_is_no_change(store: VersionedKvStore) -> None:
    store.insert(b"k", b"v")
    store.commit("one")
    store.insert(b"k", b"v")
    store.commit("again")
    assert messages(store.history(b"k")) == ["one"]
    assert store.diff("HEAD~1", "HEAD") == []


def test_revert_of_the_last_commit(store: VersionedKvStore, line: list[str]) -> None:
    reverted = store.revert("HEAD")
    assert store.log()[0]["id"] == reverted and store.log()[0]["parents"] == [line[4]]
    assert store.at(reverted).root_hash() == store.at(line[3]).root_hash()
    assert store.get(b"k") == b"3"
    store.revert(reverted)
    assert store.get(b"k") == b"4" and reverted in store.log()[0]["message"]


def test_revert_of_a_merge_needs_to_know_which_side(store: VersionedKvStore) -> None:
    store.create_branch("side")
    store.insert(b"s", b"1")
    store.commit("side")
    store.checkout("main")
    store.insert(b"m", b"1")
    store.commit("main")
    merged = store.merge("side")
    assert "parent" in str(in_place(lambda: store.revert(merged), store, p.RefNotFoundError))
    assert "3" in str(in_place(lambda: store.revert(merged, 3), store, p.RefNotFoundError))
    store.revert(merged, mainline=1)
    assert dict(store.items()) == {b"m": b"1"}
    first = store.log()[-1]["id"]
    assert "parent" in str(in_place(lambda: store.revert(first), store, p.RefNotFoundError))


def test_revert_of_an_older_commit_keeps_the_later_ones(store: VersionedKvStore) -> None:
    store.insert(b"a", b"1")
    wrong = store.commit("wrong")
    store.insert(b"b", b"2")
    store.commit("right")
    store.revert(wrong)
    assert list(store.items()) == [(b"b", b"2")]


def test_revert_of_what_was_changed_again_is_refused(store: VersionedKvStore, line: list[str]) -> None:
    error = in_place(lambda: store.revert(line[1]), store, p.MergeError)
    assert [conflict.key for conflict in error.conflicts] == [b"k"]


def test_merge_base(store: VersionedKvStore, line: list[str]) -> None:
    store.create_branch("side", line[2])
    side = store.commit("side")
    assert store.merge_base("main", "side") == line[2]
    assert store.merge_base("side", side) == side
    assert store.merge_base(line[0], "main") == line[0]
