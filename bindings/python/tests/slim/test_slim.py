"""A wheel built with ``--no-default-features``: it imports, says what it lacks, and what it has works."""

from __future__ import annotations

from pathlib import Path

import pytest

import prollytree as p
from prollytree import prollytree as native

FLAGS = [
    "git_available",
    "namespaced_available",
    "proximity_available",
    "proximity_text_available",
    "sql_available",
]
OPTIONAL_CLASSES = [
    "Affected",
    "CallableEmbedder",
    "HashEmbedder",
    "MiniLmEmbedder",
    "Months",
    "Namespace",
    "NamespaceDiff",
    "NamespaceProof",
    "NamespacedSnapshot",
    "NamespacedKvStore",
    "Point",
    "ProllySQLStore",
    "SQLConnection",
    "SQLSnapshot",
    "WorktreeManager",
    "WorktreeVersionedKvStore",
]


@pytest.mark.parametrize("flag", FLAGS)
def test_flags_are_false(flag: str) -> None:
    assert getattr(p, flag) is False
    assert getattr(native, flag) is False


@pytest.mark.parametrize("name", OPTIONAL_CLASSES)
def test_what_it_lacks_is_absent(name: str) -> None:
    assert not hasattr(p, name)
    assert not hasattr(native, name)
    assert name not in p.__all__


@pytest.mark.parametrize("arguments", [(), (p.StorageBackend.Git,)], ids=["default", "Git"])
def test_the_git_backend_is_refused_by_name(tmp_path: Path, arguments: tuple[p.StorageBackend, ...]) -> None:
    with pytest.raises(p.ProllyTreeError, match="Git.*without"):
        p.VersionedKvStore(tmp_path / "store", *arguments)
    assert not (tmp_path / "store").exists()


def test_trees_work() -> None:
    tree = p.ProllyTree()
    tree.insert(b"k", b"v")
    assert tree.verify(tree.generate_proof(b"k"), b"k", b"v")


@pytest.mark.parametrize(
    "backend", [p.StorageBackend.InMemory, p.StorageBackend.File, p.StorageBackend.RocksDB], ids=str
)
def test_the_other_backends_work(tmp_path: Path, backend: p.StorageBackend) -> None:
    with p.VersionedKvStore(tmp_path / "store", backend) as store:
        store.insert(b"k", b"v")
        commit = store.commit("one")
        store.create_branch("b")
        store.insert(b"k", b"w")
        store.commit("two")
        store.checkout("main")
        store.merge("b")
        assert store.get(b"k") == b"w"
        assert store.at(commit)[b"k"] == b"v"
        if backend is not p.StorageBackend.InMemory:
            copy, report = p.VersionedKvStore.clone(store, tmp_path / "copy", backend)
            with copy:
                assert copy[b"k"] == b"w" and report["commits"] == 4
