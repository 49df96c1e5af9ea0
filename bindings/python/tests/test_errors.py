"""The exception tree."""

from __future__ import annotations

import copy
import pickle

import pytest

import prollytree as p


@pytest.mark.parametrize("name", [name for name in p.__all__ if name.endswith("Error")])
def test_every_error_is_ours_and_a_value_error(name: str) -> None:
    cls = getattr(p, name)
    assert issubclass(cls, p.ProllyTreeError)
    assert issubclass(cls, ValueError)


def test_the_documented_tree() -> None:
    for cls in (p.StorageError, p.MergeError, p.SqlError):
        assert cls.__mro__[1] is p.ProllyTreeError
    assert issubclass(p.KeyNotFoundError, KeyError)
    assert issubclass(p.CorruptionError, p.StorageError)
    assert issubclass(p.IncompatibleStoreError, p.StorageError)


CONFLICT = p.MergeConflict(b"k", None, b"s", b"d")


@pytest.mark.parametrize("again", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy])
@pytest.mark.parametrize(
    "error",
    [
        p.ProllyTreeError("broken"),
        p.StorageError("disk"),
        p.SqlError("syntax"),
        p.KeyNotFoundError(b"k"),
        p.MergeError("conflicts", [CONFLICT]),
        p.StagedChangesError("staged", [b"a", b"b"]),
    ],
    ids=lambda e: type(e).__name__,
)
def test_errors_pickle_whole(error: p.ProllyTreeError, again) -> None:
    other = again(error)
    assert type(other) is type(error)
    assert (str(other), other.args, other.__dict__) == (str(error), error.args, error.__dict__)


def test_raised_errors_pickle_whole() -> None:
    with pytest.raises(p.KeyNotFoundError) as caught:
        p.ProllyTree().update(b"absent", b"v")
    assert pickle.loads(pickle.dumps(caught.value)).args == (b"absent",)


def test_key_errors_name_the_key() -> None:
    error = p.KeyNotFoundError(b"missing")
    assert error.args == (b"missing",)
    assert "missing" in str(error)


def test_merge_error_has_conflicts_even_when_there_are_none() -> None:
    assert p.MergeError("refused").conflicts == []
    assert p.MergeError("refused", [CONFLICT]).conflicts == [CONFLICT]
