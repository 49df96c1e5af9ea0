"""ProllyTree: every documented line, 0.4.1's spellings, and what a Python person expects of an ordered map."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import prollytree as p
from prollytree import ProllyTree, TreeConfig


def filled(count: int = 1000, **options) -> ProllyTree:
    tree = ProllyTree(**options)
    tree.insert_batch([(b"k%06d" % i, b"v%d" % i) for i in range(count)])
    return tree


# The documented lines.


def test_documented_constructors(tmp_path: Path) -> None:
    ProllyTree().insert(b"k", b"v")
    ProllyTree(config=TreeConfig(modulus=64)).insert(b"k", b"v")
    tree = ProllyTree(storage_type="file", path=str(tmp_path / "data"))
    tree.insert(b"k", b"v")
    assert tree.find(b"k") == b"v"


def test_insert_creates_and_overwrites() -> None:
    tree = ProllyTree()
    assert tree.insert(b"k", b"1") is None
    assert tree.insert(b"k", b"2") is None
    assert tree.find(b"k") == b"2"
    assert tree.size() == len(tree) == 1


def test_update_requires_the_key() -> None:
    tree = ProllyTree()
    for error in (KeyError, p.ProllyTreeError, ValueError):
        with pytest.raises(error, match="missing"):
            tree.update(b"missing", b"v")
    assert tree.find(b"missing") is None
    tree.insert(b"k", b"1")
    assert tree.update(b"k", b"2") is None
    assert tree.find(b"k") == b"2"


def test_delete_says_whether_there_was_a_key() -> None:
    tree = filled(3)
    assert tree.delete(b"k000001") is True
    assert tree.delete(b"k000001") is False
    assert tree.find(b"k000001") is None
    assert len(tree) == 2


def test_find() -> None:
    tree = filled()
    assert tree.find(b"k000999") == b"v999"
    assert tree.find(b"k001000") is None
    assert tree.find(b"") is None


def test_insert_batch_the_last_duplicate_wins() -> None:
    tree = ProllyTree()
    assert tree.insert_batch([(b"a", b"1"), (b"b", b"2"), (b"a", b"3")]) is None
    assert list(tree.items()) == [(b"a", b"3"), (b"b", b"2")]


def test_root_hash_is_a_fingerprint_of_the_contents() -> None:
    tree = filled()
    root = tree.root_hash()
    assert isinstance(root, bytes) and len(root) == 32
    assert tree.get_root_hash() == root
    tree.insert(b"k000000", b"changed")
    assert tree.root_hash() != root
    tree.insert(b"k000000", b"v0")
    assert tree.root_hash() == root


def test_keyword_names() -> None:
    tree = ProllyTree(storage_type="memory", path=None, config=None)
    tree.insert(key=b"k", value=b"v")
    tree.update(key=b"k", value=b"w")
    tree.insert_batch(items=[(b"l", b"x")])
    assert tree.find(key=b"k") == b"w"
    assert tree.get(key=b"none", default=b"d") == b"d"
    proof = tree.generate_proof(key=b"k")
    assert tree.verify(proof=proof, key=b"k", value=b"w")
    assert tree.verify_proof(proof_bytes=proof, key=b"k", expected_value=b"w")
    assert tree.delete(key=b"k")
    assert tree.delete_batch(keys=[b"l"]) == 1


# 0.4.1's other methods.


def test_sizes_of_an_empty_tree() -> None:
    tree = ProllyTree()
    assert (tree.size(), len(tree), tree.depth()) == (0, 0, 1)
    assert len(tree.get_root_hash()) == 32
    assert list(tree) == []


def test_stats() -> None:
    tree = filled(5000, config=TreeConfig(modulus=32))
    stats = tree.stats()
    assert {"num_nodes", "num_leaves", "num_internal_nodes", "avg_node_size", "total_key_value_pairs"} <= set(stats)
    assert all(isinstance(value, int) for value in stats.values())
    assert stats["total_key_value_pairs"] == 5000
    assert stats["num_nodes"] == stats["num_leaves"] + stats["num_internal_nodes"]
    assert stats["num_leaves"] > 50 and stats["num_internal_nodes"] >= 1
    assert tree.depth() >= 2


def test_delete_batch_counts() -> None:
    tree = filled(10)
    assert tree.delete_batch([b"k000001", b"k000002", b"absent", b"k000001"]) == 2
    assert len(tree) == 8


def test_diff_is_not_always_empty() -> None:
    one, two = filled(300), filled(300)
    assert one.diff(two) == {"added": {}, "removed": {}, "modified": {}}
    two.insert(b"new", b"n")
    two.delete(b"k000005")
    two.insert(b"k000007", b"changed")
    assert one.diff(two) == {
        "added": {b"new": b"n"},
        "removed": {b"k000005": b"v5"},
        "modified": {b"k000007": (b"v7", b"changed")},
    }
    assert list(one.changes(two)) == [
        (b"k000005", "removed", b"v5", None),
        (b"k000007", "modified", b"v7", b"changed"),
        (b"new", "added", None, b"n"),
    ]
    assert [row.key for row in one.changes(two, b"k000006", b"n")] == [b"k000007"]
    assert [row.op for row in two.changes(one)] == ["added", "modified", "removed"]


def test_trees_of_different_configs_do_not_compare() -> None:
    with pytest.raises(p.ProllyTreeError, match="config"):
        filled(3).diff(filled(3, config=TreeConfig(modulus=7)))


def test_traverse_is_text() -> None:
    text = ProllyTree().traverse()
    assert isinstance(text, str)
    tree = ProllyTree()
    tree.insert(b"ab", b"v")
    assert tree.traverse().startswith("[L0:[[97, 98]")


def test_save_config_of_a_tree_in_memory() -> None:
    assert filled(3).save_config() is None


# As a mapping.


def test_item_access() -> None:
    tree = ProllyTree()
    tree[b"k"] = b"v"
    assert tree[b"k"] == b"v"
    assert b"k" in tree and b"l" not in tree
    with pytest.raises(KeyError) as caught:
        tree[b"l"]
    assert caught.value.args == (b"l",)
    del tree[b"k"]
    assert len(tree) == 0
    with pytest.raises(KeyError):
        del tree[b"k"]


def test_get_and_get_many() -> None:
    tree = filled(10)
    assert tree.get(b"k000001") == b"v1"
    assert tree.get(b"none") is None
    default = object()
    assert tree.get(b"none", default) is default
    assert tree.get_many([b"k000009", b"none", b"k000000", b"k000009"]) == [b"v9", None, b"v0", b"v9"]
    assert tree.get_many(iter([])) == []


def test_iteration_is_in_key_order() -> None:
    keys = [bytes([n]) for n in range(256)] + [b"", b"\x00\x00", b"\xff\xff", b"a\x00", b"aa"]
    random.Random(1).shuffle(keys)
    tree = ProllyTree()
    for key in keys:
        tree.insert(key, key + b"!")
    expected = sorted(keys)
    assert list(tree) == list(tree.keys()) == expected
    assert list(tree.values()) == [key + b"!" for key in expected]
    assert dict(tree) == dict(tree.items()) == {key: key + b"!" for key in keys}
    assert list(tree.keys(reverse=True)) == expected[::-1]
    assert list(tree.keys(prefix=b"a")) == [b"a", b"a\x00", b"aa"]
    assert list(tree.items(prefix=b"\xff")) == [(b"\xff", b"\xff!"), (b"\xff\xff", b"\xff\xff!")]
    assert list(tree.keys(prefix=b"a", reverse=True)) == [b"aa", b"a\x00", b"a"]
    assert list(tree.keys(prefix=b"")) == expected


def test_iterators_are_lazy_and_see_the_tree_of_their_beginning() -> None:
    tree = filled(2000)
    items = tree.items()
    assert iter(items) is items
    assert next(items) == (b"k000000", b"v0")
    tree.delete_batch(list(tree))
    assert len(tree) == 0
    assert sum(1 for _ in items) == 1999


bounds = st.none() | st.integers(-2, 120).map(lambda i: b"%03d" % i if i >= 0 else b"")


@given(start=bounds, end=bounds, reverse=st.booleans())
def test_range(start: bytes | None, end: bytes | None, reverse: bool) -> None:
    pairs = [(b"%03d" % i, b"%d" % i) for i in range(0, 100, 2)]
    tree = ProllyTree(config=TreeConfig(base=2, modulus=4))
    tree.insert_batch(pairs)
    expected = [pair for pair in pairs if (start is None or pair[0] >= start) and (end is None or pair[0] < end)]
    assert list(tree.range(start, end, reverse=reverse)) == (expected[::-1] if reverse else expected)


def test_rank_and_nth() -> None:
    tree = filled(5000)
    for i in (0, 1, 63, 64, 2500, 4999):
        assert tree.nth(i) == (b"k%06d" % i, b"v%d" % i)
        assert tree.rank(b"k%06d" % i) == i
    assert tree.nth(-1) == (b"k004999", b"v4999")
    assert tree.rank(b"") == 0 and tree.rank(b"z") == 5000
    for index in (5000, -5001):
        with pytest.raises(IndexError, match=str(index)):
            tree.nth(index)


def test_insert_batch_takes_any_iterable() -> None:
    expected = [(b"a", b"1"), (b"b", b"2")]
    for items in (
        expected,
        tuple(expected),
        iter(expected),
        (pair for pair in expected),
        dict(expected),
        {pair: None for pair in expected},
        [list(pair) for pair in expected],
        [(bytearray(key), memoryview(value)) for key, value in expected],
    ):
        tree = ProllyTree()
        if isinstance(items, dict) and (b"a", b"1") in items:
            items = items.keys()
        tree.insert_batch(items)
        assert list(tree.items()) == expected
    other = ProllyTree()
    other.insert_batch(tree.items())
    assert other.root_hash() == tree.root_hash()


@pytest.mark.parametrize(
    "bad", [(b"c", "text"), ("c", b"v"), b"cc", (b"c",), (b"c", b"v", b"x"), None, 5, (b"c", None)]
)
def test_a_bad_pair_leaves_the_batch_undone(bad: object) -> None:
    tree = filled(3)
    before = tree.root_hash()
    with pytest.raises((TypeError, ValueError)):
        tree.insert_batch([(b"a", b"1"), (b"b", b"2"), bad])
    assert tree.root_hash() == before and len(tree) == 3


def test_an_iterable_that_fails_leaves_the_batch_undone() -> None:
    def failing():
        yield b"a", b"1"
        raise RuntimeError("from the iterable")

    tree = filled(3)
    with pytest.raises(RuntimeError, match="from the iterable"):
        tree.insert_batch(failing())
    with pytest.raises(TypeError):
        tree.delete_batch([b"k000000", "k000001"])
    assert len(tree) == 3 and b"a" not in tree


# Bytes-like arguments.


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, lambda b: memoryview(b"-".join([b, b]))[: len(b)]])
def test_bytes_like_arguments(kind) -> None:
    tree = ProllyTree()
    tree.insert(kind(b"key"), kind(b"value"))
    assert type(tree.find(kind(b"key"))) is bytes
    assert tree[kind(b"key")] == b"value"
    assert kind(b"key") in tree
    assert tree.get_many([kind(b"key")]) == [b"value"]
    assert list(tree.range(kind(b"a"), kind(b"z"))) == [(b"key", b"value")]
    assert tree.verify(tree.generate_proof(kind(b"key")), kind(b"key"), kind(b"value"))
    assert tree.delete(kind(b"key"))


def test_memoryviews_that_are_not_contiguous() -> None:
    tree = ProllyTree()
    tree.insert(memoryview(b"k.e.y.")[::2], memoryview(b"abc")[::-1])
    assert tree.find(b"key") == b"cba"


@pytest.mark.parametrize(
    "call",
    [
        lambda tree: tree.insert("k", b"v"),
        lambda tree: tree.update("k", b"v"),
        lambda tree: tree.delete("k"),
        lambda tree: tree.find("k"),
        lambda tree: tree.get("k"),
        lambda tree: tree.get_many(["k"]),
        lambda tree: tree["k"],
        lambda tree: "k" in tree,
        lambda tree: tree.__setitem__("k", b"v"),
        lambda tree: tree.__delitem__("k"),
        lambda tree: tree.insert_batch([("k", b"v")]),
        lambda tree: tree.delete_batch(["k"]),
        lambda tree: tree.generate_proof("k"),
        lambda tree: tree.range("k"),
        lambda tree: tree.keys("k"),
        lambda tree: tree.rank("k"),
        lambda tree: tree.insert(b"k", "v"),
    ],
)
def test_text_is_a_type_error_that_says_so(call) -> None:
    with pytest.raises(TypeError, match=r"bytes.*str.*encode"):
        call(filled(3))


@pytest.mark.parametrize("key", [None, 5, 1.5, [1, 2], object()])
def test_other_types_are_type_errors(key: object) -> None:
    tree = filled(3)
    with pytest.raises(TypeError, match=type(key).__name__):
        tree.insert(key, b"v")
    with pytest.raises(TypeError, match=type(key).__name__):
        tree.insert(b"k", key)
    assert len(tree) == 3


# Extremes.


def test_empty_keys_and_values() -> None:
    tree = filled(3)
    tree.insert(b"", b"")
    assert tree.find(b"") == b""
    assert b"" in tree
    assert next(iter(tree)) == b""
    assert tree.verify(tree.generate_proof(b""), b"", b"")
    assert tree.delete(b"") is True


def test_a_large_value() -> None:
    value = random.Random(2).randbytes(10 * 1024 * 1024)
    tree = filled(3)
    tree.insert(b"large", value)
    assert tree.root_hash() != filled(3).root_hash()
    assert tree.find(b"large") == value
    assert tree.verify(tree.generate_proof(b"large"), b"large", value)


def test_long_keys() -> None:
    tree = filled(3)
    longest = b"x" * 65_536
    tree.insert(longest, b"v")
    assert tree.verify(tree.generate_proof(longest), longest, b"v")
    before = tree.root_hash()
    for action in (
        lambda: tree.insert(longest + b"x", b"v"),
        lambda: tree.insert_batch([(b"a", b"1"), (longest + b"x", b"v")]),
    ):
        with pytest.raises(p.ProllyTreeError, match="65537.*65536"):
            action()
    assert tree.root_hash() == before
    assert tree.find(longest + b"x") is None
    assert tree.delete(longest + b"x") is False


# Canonical form.


@given(
    st.lists(st.tuples(st.booleans(), st.binary(max_size=3), st.binary(max_size=40)), max_size=200),
    st.randoms(use_true_random=False),
)
def test_any_sequence_of_edits_gives_the_root_of_the_contents(edits, shuffler) -> None:
    config = TreeConfig(base=2, modulus=4)
    tree, model = ProllyTree(config=config), {}
    for insert, key, value in edits:
        if insert:
            tree.insert(key, value)
            model[key] = value
        else:
            assert tree.delete(key) is (model.pop(key, None) is not None)
        if shuffler.random() < 0.05:
            tree.root_hash()
    assert list(tree.items()) == sorted(model.items())
    pairs = list(model.items())
    shuffler.shuffle(pairs)
    again = ProllyTree(config=config)
    again.insert_batch(pairs)
    assert again.root_hash() == tree.root_hash()


def test_the_config_is_part_of_the_root() -> None:
    assert filled(100).root_hash() != filled(100, config=TreeConfig(modulus=8)).root_hash()


# In a directory.


def test_a_tree_in_a_directory_comes_back(tmp_path: Path) -> None:
    with ProllyTree("file", tmp_path / "data", TreeConfig(modulus=16)) as tree:
        tree.insert_batch([(b"k%04d" % i, b"v%d" % i) for i in range(1000)])
        root = tree.root_hash()
    assert root == filled_file_root(1000)
    with ProllyTree("file", tmp_path / "data") as tree:
        assert tree.root_hash() == root
        assert tree.config == TreeConfig(modulus=16)
        assert tree.find(b"k0999") == b"v999"
        tree.delete(b"k0000")
        tree.save_config()
    with ProllyTree("file", str(tmp_path / "data"), TreeConfig(modulus=16)) as tree:
        assert len(tree) == 999 and tree.find(b"k0000") is None


def filled_file_root(count: int) -> bytes:
    tree = ProllyTree(config=TreeConfig(modulus=16))
    tree.insert_batch([(b"k%04d" % i, b"v%d" % i) for i in range(count)])
    return tree.root_hash()


def test_another_config_is_refused(tmp_path: Path) -> None:
    with ProllyTree("file", tmp_path / "data", TreeConfig(modulus=16)) as tree:
        tree.insert(b"k", b"v")
    with pytest.raises(p.IncompatibleStoreError, match="16"):
        ProllyTree("file", tmp_path / "data", TreeConfig(modulus=32))
    with ProllyTree("file", tmp_path / "data") as tree:
        assert tree.find(b"k") == b"v"


def test_bad_constructor_arguments(tmp_path: Path) -> None:
    with pytest.raises(p.ProllyTreeError, match="'floppy'"):
        ProllyTree("floppy")
    with pytest.raises(p.ProllyTreeError, match="path"):
        ProllyTree("file")
    with pytest.raises(p.ProllyTreeError, match="path"):
        ProllyTree("memory", tmp_path)
    (tmp_path / "a-file").write_bytes(b"x")
    with pytest.raises(p.StorageError, match="a-file"):
        ProllyTree("file", tmp_path / "a-file" / "below")
    with pytest.raises(p.StorageError, match="a-file"):
        ProllyTree("file", tmp_path / "a-file")
    assert (tmp_path / "a-file").read_bytes() == b"x"


def test_a_closed_tree_says_so(tmp_path: Path) -> None:
    tree = ProllyTree("file", tmp_path / "data")
    tree.insert(b"k", b"v")
    assert tree.closed is False
    tree.close()
    tree.close()
    assert tree.closed is True
    for use in (lambda: tree.find(b"k"), lambda: tree.insert(b"k", b"v"), tree.root_hash, lambda: len(tree)):
        with pytest.raises(p.StorageError, match="closed"):
            use()
    assert "closed" in repr(tree)


def test_leaving_the_context_saves_even_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="mine"), ProllyTree("file", tmp_path / "data") as tree:
        tree.insert(b"k", b"v")
        raise RuntimeError("mine")
    assert ProllyTree("file", tmp_path / "data").find(b"k") == b"v"


def test_a_tree_that_is_dropped_saves_what_it_can(tmp_path: Path) -> None:
    tree = ProllyTree("file", tmp_path / "data")
    tree.insert(b"k", b"v")
    del tree
    assert ProllyTree("file", tmp_path / "data").find(b"k") == b"v"


def test_a_failure_of_a_tree_that_is_dropped_is_reported(tmp_path: Path, monkeypatch) -> None:
    reported: list[object] = []
    monkeypatch.setattr("sys.unraisablehook", lambda failure: reported.append(failure.exc_value))
    tree, other = ProllyTree("file", tmp_path / "data"), ProllyTree("file", tmp_path / "data")
    for which, value in ((tree, b"1"), (other, b"2")):
        which.insert(b"k", value)
    tree.close()
    del which, other
    assert [type(failure) for failure in reported] == [p.ConcurrentUpdateError]
    assert ProllyTree("file", tmp_path / "data").find(b"k") == b"1"


def test_two_handles_of_a_tree_do_not_overwrite_each_other(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("sys.unraisablehook", lambda failure: None)
    tree, other = ProllyTree("file", tmp_path / "data"), ProllyTree("file", tmp_path / "data")
    tree.insert(b"mine", b"1")
    tree.flush()
    other.insert(b"theirs", b"1")
    with pytest.raises(p.ConcurrentUpdateError):
        other.close()
    assert not other.closed and other.find(b"theirs") == b"1"
    del other
    assert ProllyTree("file", tmp_path / "data").find(b"mine") == b"1"


def test_gc_of_a_tree_in_a_directory(tmp_path: Path) -> None:
    with ProllyTree("file", tmp_path / "data") as tree:
        for i in range(5):
            tree.insert_batch((b"k%05d" % j, b"%d" % i) for j in range(1000))
            tree.flush()
        tree.insert(b"pending", b"1")
        report = tree.gc()
        assert report["objects_removed"] > 0 and report["bytes_after"] < report["bytes_before"]
        assert len(tree) == 1001
    with ProllyTree("file", tmp_path / "data") as tree:
        assert len(tree) == 1001 and tree.find(b"k00999") == b"4"
    assert ProllyTree().gc()["objects_removed"] == 0


def test_repr() -> None:
    assert repr(filled(3)) == "ProllyTree(storage_type='memory', len=3)"
