"""Storage that fails or lies: an error that names the thing, never a wrong answer, and the rest unharmed."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import prollytree as p
from conftest import Opener, everything, git
from prollytree import StorageBackend, VersionedKvStore


def make(path: Path, backend: StorageBackend) -> dict[str, dict[bytes, bytes]]:
    """A store of a few commits, branches and a large value; its contents by revision."""
    content = random.Random(3)
    with VersionedKvStore(path, backend) as store:
        for i in range(4):
            store.insert_batch((b"k%04d" % j, content.randbytes(60)) for j in range(i * 50, i * 50 + 200))
            store.commit(f"c{i}")
        store.insert(b"large", content.randbytes(100_000))
        store.commit("large")
        store.create_branch("side")
        store.insert(b"k0000", b"side")
        store.commit("side")
        store.checkout("main")
        return everything(store)


# A ref's own name or value has no checksum in Git, and a repository's own settings have none either.
UNPROTECTED_IN_GIT = {"HEAD", "ORIG_HEAD", "config", "description", "packed-refs", "FETCH_HEAD"}


def files_of(path: Path, backend: StorageBackend) -> list[Path]:
    found = []
    for file in sorted(path.rglob("*")):
        if not file.is_file() or file.stat().st_size == 0:
            continue
        below = file.relative_to(path)
        if backend == StorageBackend.Git and (
            below.name in UNPROTECTED_IN_GIT or {"refs", "logs", "hooks", "info"} & set(below.parts)
        ):
            continue
        found.append(below)
    assert found
    return found


def flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]


def damages(data: bytes) -> list[bytes]:
    spots = random.Random(len(data))
    return [
        *(flip(data, spots.randrange(len(data))) for _ in range(3)),
        flip(data, len(data) - 1),
        data[: len(data) // 2],
        data[:-1],
        b"",
    ]


def test_damaged_files_are_never_served_as_data(tmp_path: Path, disk_backend: StorageBackend) -> None:
    original = tmp_path / "original"
    expected = make(original, disk_backend)
    files = files_of(original, disk_backend)
    if len(files) > 25:
        files = random.Random(0).sample(files, 25)
    errors = 0
    for number, file in enumerate(files):
        for kind, data in enumerate(damages((original / file).read_bytes())):
            copy = tmp_path / f"copy-{number}-{kind}"
            shutil.copytree(original, copy)
            # Git's object files are read-only.
            (copy / file).chmod(0o644)
            (copy / file).write_bytes(data)
            try:
                with VersionedKvStore.open(copy) as store:
                    found = everything(store)
            except p.StorageError as error:
                errors += 1
                assert str(error)
            else:
                for commit, contents in found.items():
                    assert contents == expected[commit], f"{file}, damage {kind}"
                assert set(found) == set(expected), f"{file}, damage {kind}"
            shutil.rmtree(copy)
    assert errors > len(files)


def test_missing_files_are_errors(tmp_path: Path, disk_backend: StorageBackend) -> None:
    original = tmp_path / "original"
    expected = make(original, disk_backend)
    errors = 0
    for number, file in enumerate(
        random.Random(0).sample(files := files_of(original, disk_backend), min(len(files), 25))
    ):
        copy = tmp_path / f"copy-{number}"
        shutil.copytree(original, copy)
        (copy / file).unlink()
        try:
            with VersionedKvStore.open(copy) as store:
                found = everything(store)
        except p.StorageError:
            errors += 1
        else:
            assert found == expected, file
        shutil.rmtree(copy)
    assert errors


def test_an_unwritable_directory(disk_backend: StorageBackend) -> None:
    # Root may write everywhere else, so ask for a place where nobody can.
    with pytest.raises(p.StorageError, match="/proc/1/store"):
        VersionedKvStore("/proc/1/store", disk_backend)


def test_a_file_where_the_directory_should_be(tmp_path: Path, disk_backend: StorageBackend) -> None:
    (tmp_path / "taken").write_bytes(b"mine")
    for path in (tmp_path / "taken", tmp_path / "taken" / "below"):
        with pytest.raises(p.StorageError, match="taken"):
            VersionedKvStore(path, disk_backend)
    assert (tmp_path / "taken").read_bytes() == b"mine"


FULL_DISK = """
    import random, resource, sys
    import prollytree as p
    store = p.VersionedKvStore(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
    before = store.current_commit()
    try:
        for i in range(40):
            store.insert(b"big%d" % i, random.Random(i).randbytes(1_000_000))
        store.commit("too much")
    except p.StorageError as error:
        print("refused:", error)
        assert store.current_commit() == before
        assert store.get(b"k0000") is not None
    else:
        print("committed")
"""


def test_a_full_disk(tmp_path: Path, disk_backend: StorageBackend) -> None:
    """A limit on the size of files stands in for it: writes fail in the middle."""
    expected = make(tmp_path / "store", disk_backend)
    largest = max(file.stat().st_size for file in (tmp_path / "store").rglob("*") if file.is_file())
    arguments = [
        sys.executable,
        "-c",
        textwrap.dedent(FULL_DISK),
        str(tmp_path / "store"),
        str(largest + 300_000),
    ]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    if disk_backend != StorageBackend.File:
        assert done.stdout.startswith("refused:"), done.stdout
    with VersionedKvStore.open(tmp_path / "store") as store:
        found = everything(store)
        assert {commit: found[commit] for commit in expected} == expected
        store.discard()
        store.insert(b"after", b"1")
        store.commit("works again")
        assert store.get(b"after") == b"1"


@pytest.mark.git
def test_a_newer_format_is_refused_by_its_version(tmp_path: Path) -> None:
    with VersionedKvStore(tmp_path / "store") as store:
        store.insert(b"k", b"v")
        commit = store.commit("k")
    repository = tmp_path / "store" / ".git"
    tree = git(repository, "ls-tree", commit).splitlines()
    entry = next(line for line in tree if line.endswith("\tprolly"))
    blob = entry.split()[2]
    raw = subprocess.run(["git", "-C", repository, "cat-file", "blob", blob], capture_output=True, check=True).stdout
    assert raw.startswith(b"prollytree 1\n")
    newer = git(repository, "hash-object", "-w", "--stdin", stdin=raw.replace(b" 1\n", b" 101\n", 1))
    listing = "\n".join(line.replace(blob, newer) if line is entry else line for line in tree) + "\n"
    new_tree = git(repository, "mktree", stdin=listing.encode())
    new_commit = git(repository, "commit-tree", new_tree, "-p", commit, "-m", "from the future")
    git(repository, "update-ref", "refs/heads/main", new_commit)
    with pytest.raises(p.IncompatibleStoreError, match="101"):
        VersionedKvStore(tmp_path / "store").get(b"k")
    assert git(repository, "rev-parse", "main") == new_commit


def test_another_backend_is_refused(open_store: Opener, disk_backend: StorageBackend) -> None:
    with open_store(disk_backend) as store:
        store.insert(b"k", b"v")
        store.commit("k")
    name = {StorageBackend.File: "file", StorageBackend.Git: "Git", StorageBackend.RocksDB: "redb"}[disk_backend]
    for other in (StorageBackend.File, StorageBackend.Git, StorageBackend.RocksDB):
        if other != disk_backend:
            with pytest.raises(p.IncompatibleStoreError, match=name):
                open_store(other)
    with open_store(disk_backend) as store:
        assert store[b"k"] == b"v"


def test_data_of_0_4_1_is_recognised_and_refused(tmp_path: Path) -> None:
    old = tmp_path / "repo" / "data"
    old.mkdir(parents=True)
    git(tmp_path / "repo", "init", "-q")
    (old / "prolly_config_tree_config").write_text('{"base":4,"modulus":64,"root_hash":[' + ",".join(["7"] * 32) + "]}")
    (old / "prolly_hash_mappings").write_text("07" * 32 + ":" + "ab" * 20 + "\n")
    before = {file.name: file.read_bytes() for file in old.iterdir()}
    with pytest.raises(p.IncompatibleStoreError, match=r"0\.4"):
        VersionedKvStore(old)
    assert {file.name: file.read_bytes() for file in old.iterdir()} == before


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove"])
def test_damage_of_a_tree_in_a_directory(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "data"
    content = random.Random(5)
    pairs = [(b"k%05d" % i, content.randbytes(60)) for i in range(3000)]
    with p.ProllyTree("file", path) as tree:
        tree.insert_batch(pairs)
    files = [file for file in sorted(path.rglob("*")) if file.is_file() and file.stat().st_size > 0]
    errors = 0
    for file in random.Random(1).sample(files, min(len(files), 20)):
        data = file.read_bytes()
        if damage == "remove":
            file.unlink()
        else:
            file.write_bytes(flip(data, len(data) // 2) if damage == "flip" else data[: len(data) // 2])
        try:
            found = list(p.ProllyTree("file", path).items())
        except p.StorageError:
            errors += 1
        else:
            assert found == pairs, file
        file.write_bytes(data)
    assert errors
    assert list(p.ProllyTree("file", path).items()) == pairs
