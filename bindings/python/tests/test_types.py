"""Enumerations, conflicts, diff rows and configurations."""

from __future__ import annotations

import pickle

import pytest

import prollytree as p

MEMBERS = [
    (p.StorageBackend, {"InMemory": 0, "File": 1, "Git": 2, "RocksDB": 3}),
    (p.ConflictResolution, {"IgnoreAll": 0, "TakeSource": 1, "TakeDestination": 2}),
]


@pytest.mark.parametrize(("cls", "members"), MEMBERS, ids=lambda v: getattr(v, "__name__", ""))
def test_enumerations(cls, members: dict[str, int]) -> None:
    for name, number in members.items():
        member = getattr(cls, name)
        assert member == number
        assert not member != number
        assert member == getattr(cls, name)
        assert int(member) == number
        assert str(member) == name
        assert repr(member) == f"{cls.__name__}.{name}"
        assert {member: "x"}[getattr(cls, name)] == "x"
        assert hash(member) == hash(number)
        assert pickle.loads(pickle.dumps(member)) is member
        assert member != "x" and member is not None
    assert len({getattr(cls, name) for name in members}) == len(members)


def test_members_of_different_enumerations_differ() -> None:
    assert p.StorageBackend.File != p.ConflictResolution.TakeSource


def test_redb_by_its_own_name() -> None:
    assert p.StorageBackend.Redb is p.StorageBackend.RocksDB


def test_merge_conflict() -> None:
    conflict = p.MergeConflict(b"k", b"0", b"F", None)
    assert (conflict.key, conflict.base_value) == (b"k", b"0")
    assert (conflict.source_value, conflict.destination_value) == (b"F", None)
    assert pickle.loads(pickle.dumps(conflict)) == conflict
    assert len({conflict, p.MergeConflict(b"k", b"0", b"F", None)}) == 1
    assert conflict != p.MergeConflict(b"k", b"0", b"F", b"")
    assert "b'k'" in repr(conflict)
    with pytest.raises(AttributeError):
        conflict.key = b"other"


@pytest.mark.parametrize(
    ("row", "operation_type", "value", "old_value", "new_value"),
    [
        (p.KvDiff(b"k", "added", None, b"n"), "Added", b"n", None, None),
        (p.KvDiff(b"k", "removed", b"o", None), "Removed", b"o", None, None),
        (p.KvDiff(b"k", "modified", b"o", b"n"), "Modified", None, b"o", b"n"),
    ],
)
def test_diff_rows_answer_both_ways(row: p.KvDiff, operation_type, value, old_value, new_value) -> None:
    key, op, old, new = row
    assert (key, op, old, new) == row
    assert row.key == key
    operation = row.operation
    assert operation.operation_type == operation_type
    assert (operation.value, operation.old_value, operation.new_value) == (value, old_value, new_value)
    assert repr(operation).startswith(f"DiffOperation.{operation_type}(")
    assert pickle.loads(pickle.dumps(row)) == row


def test_repr_of_a_modification_is_that_of_0_4_1() -> None:
    assert repr(p.KvDiff(b"k", "modified", b"o", b"n").operation) == "DiffOperation.Modified(old_size=1, new_size=1)"


def test_config_has_readable_attributes() -> None:
    config = p.TreeConfig(base=4, modulus=64, min_chunk_size=1, max_chunk_size=4096, pattern=0)
    assert (config.base, config.modulus) == (4, 64)
    assert (config.min_chunk_size, config.max_chunk_size, config.pattern) == (1, 4096, 0)
    assert p.TreeConfig(4, 64, 1, 4096, 0) == config
    with pytest.raises(AttributeError):
        config.modulus = 5


def test_config_is_a_value() -> None:
    config = p.TreeConfig(base=4, modulus=64)
    assert config == p.TreeConfig(base=4, modulus=64)
    assert hash(config) == hash(p.TreeConfig(base=4, modulus=64))
    assert config != p.TreeConfig(base=4, modulus=65)
    assert config != 64
    assert pickle.loads(pickle.dumps(config)) == config
    namespace = {"TreeConfig": p.TreeConfig}
    assert eval(repr(config), namespace) == config
    assert p.TreeConfig() == p.TreeConfig()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"base": 0}, "base"),
        ({"base": 1}, "base"),
        ({"modulus": 0}, "modulus"),
        ({"modulus": 1 << 40}, "modulus"),
        ({"min_chunk_size": 100, "max_chunk_size": 10}, "min_chunk_size"),
        ({"base": -1}, "base"),
        ({"modulus": -1}, "modulus"),
    ],
)
def test_bad_configs_are_refused_by_name(arguments: dict[str, int], named: str) -> None:
    with pytest.raises(p.ProllyTreeError, match=named):
        p.TreeConfig(**arguments)


def test_a_config_of_the_wrong_type() -> None:
    with pytest.raises(TypeError):
        p.TreeConfig(base="4")
    with pytest.raises(TypeError):
        p.ProllyTree(config=64)


@pytest.mark.parametrize("modulus", [8, 32, 128])
def test_modulus_is_the_target_leaf_size(modulus: int) -> None:
    tree = p.ProllyTree(config=p.TreeConfig(modulus=modulus))
    tree.insert_batch((b"%08d" % i, b"v") for i in range(50_000))
    stats = tree.stats()
    entries_per_leaf = stats["total_key_value_pairs"] / stats["num_leaves"]
    assert modulus / 1.5 < entries_per_leaf < modulus * 1.5
