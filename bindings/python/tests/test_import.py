"""What the package exports, and under which names."""

from __future__ import annotations

import importlib
import subprocess
import sys
from importlib import metadata, resources

import prollytree as p
from prollytree import prollytree as native

PRESENT = [
    "ConflictResolution",
    "DiffOperation",
    "KvDiff",
    "MergeConflict",
    "MergeError",
    "NamespaceError",
    "NamespacedKvStore",
    "NotFetchedError",
    "ProllySQLStore",
    "ProllyTree",
    "ProllyTreeError",
    "SqlError",
    "StorageBackend",
    "StorageError",
    "SyncError",
    "TreeConfig",
    "ValueStream",
    "VersionedKvStore",
]


def test_version() -> None:
    assert p.__version__ == "0.5.0" == metadata.version("prollytree")


def test_both_import_paths_give_the_same_objects() -> None:
    assert importlib.import_module("prollytree.prollytree") is native
    for name in PRESENT:
        assert getattr(p, name) is getattr(native, name), name
        assert name in p.__all__
        assert name in native.__all__


def test_all_names_exist_and_name_the_package_as_their_home() -> None:
    for name in p.__all__:
        value = getattr(p, name)
        if isinstance(value, type):
            assert value.__module__ == "prollytree", name
            assert value.__doc__, name


FLAGS = {
    "sql_available": ["ProllySQLStore", "SQLConnection", "SQLSnapshot", "Affected", "Months", "Point"],
    "git_available": ["WorktreeManager", "WorktreeVersionedKvStore"],
    "namespaced_available": ["NamespacedKvStore", "Namespace", "NamespacedSnapshot", "NamespaceProof", "NamespaceDiff"],
    "proximity_available": ["HashEmbedder", "CallableEmbedder"],
    "proximity_text_available": ["MiniLmEmbedder"],
}


def test_flags_say_what_is_present() -> None:
    for flag, classes in FLAGS.items():
        value = getattr(p, flag)
        assert value is getattr(native, flag)
        assert value in (True, False) and isinstance(value, bool)
        for name in classes:
            assert hasattr(p, name) is value, name
            assert hasattr(native, name) is value, name
            assert (name in p.__all__) is value, name


def test_namespaces_are_in_the_wheel() -> None:
    assert p.namespaced_available is True


def test_sql_is_in_the_wheel() -> None:
    assert p.sql_available is True


def test_types_are_marked_and_stubs_are_shipped() -> None:
    files = {entry.name for entry in resources.files(p).iterdir()}
    assert {"py.typed", "prollytree.pyi", "__init__.pyi"} <= files


def test_importing_prints_nothing_and_needs_nothing() -> None:
    code = "import prollytree, sys; sys.exit(any(m in sys.modules for m in ('numpy', 'typing_extensions')))"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_methods_have_docstrings() -> None:
    classes = [p.ProllyTree, p.VersionedKvStore, p.Snapshot]
    classes += [p.NamespacedKvStore, p.Namespace, p.NamespacedSnapshot, p.NamespaceProof]
    classes += [p.ProllySQLStore, p.SQLConnection, p.SQLSnapshot, p.Affected]
    for cls in classes:
        for name in dir(cls):
            if not name.startswith("_"):
                assert getattr(cls, name).__doc__, f"{cls.__name__}.{name}"
