"""Tables in storage that was damaged: an error that says so, never other rows."""

from __future__ import annotations

import random
import re
import shutil
from pathlib import Path

import pytest

import prollytree as p
from prollytree import StorageBackend
from test_damage import damages, files_of

QUERIES = [
    "SELECT * FROM t",
    "SELECT id FROM t WHERE name = 'name 7'",
    "SELECT * FROM t WHERE id = 123",
    "SELECT COUNT(*) AS n FROM u",
]


def make(path: Path, backend: StorageBackend) -> None:
    content = random.Random(5)
    with p.ProllySQLStore(path, backend) as sql:
        sql.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, data BYTEA)")
        sql.execute("CREATE INDEX by_name ON t (name)")
        sql.insert("t", [[n, f"name {n % 100}", content.randbytes(30)] for n in range(600)])
        sql.execute("CREATE TABLE u (a TEXT UNIQUE)")
        sql.insert("u", [[str(n)] for n in range(200)])
        sql.commit("rows")


@pytest.mark.parametrize("backend", [StorageBackend.File, StorageBackend.Git], ids=str)
def test_damage_is_an_error_or_harmless(tmp_path: Path, backend: StorageBackend) -> None:
    path = tmp_path / "store"
    make(path, backend)

    def answers(store: Path) -> list[object]:
        with p.ProllySQLStore.open(store) as sql:
            return [sql.execute(query, "tuples") for query in QUERIES]

    expected = answers(path)
    errors = 0
    files = files_of(path, backend)
    for number, file in enumerate(random.Random(7).sample(files, min(8, len(files)))):
        for kind, damaged in enumerate(damages((path / file).read_bytes())):
            copy = tmp_path / f"copy-{number}-{kind}"
            shutil.copytree(path, copy)
            # Git's object files are read-only.
            (copy / file).chmod(0o644)
            (copy / file).write_bytes(damaged)
            try:
                found = answers(copy)
            except p.StorageError as error:
                errors += 1
                assert str(error)
            else:
                assert found == expected, f"{file}, damage {kind}"
            shutil.rmtree(copy)
    assert errors


def test_a_missing_object_is_named(tmp_path: Path) -> None:
    path = tmp_path / "store"
    make(path, StorageBackend.File)
    errors = []
    for number, file in enumerate(random.Random(3).sample(files_of(path, StorageBackend.File), 10)):
        copy = tmp_path / f"copy-{number}"
        shutil.copytree(path, copy)
        (copy / file).unlink()
        try:
            with p.ProllySQLStore.open(copy) as sql:
                sql.execute("SELECT * FROM t")
        except p.CorruptionError as error:
            errors.append(str(error))
        except p.StorageError:
            pass
        shutil.rmtree(copy)
    assert errors and all(re.search("[0-9a-f]{8}", message) for message in errors)
