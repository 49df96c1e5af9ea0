"""What every test shares: a Git identity of its own, the backends, and a few helpers.

No test sees the machine's Git configuration, and every file is made below pytest's ``tmp_path``.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import prollytree as p

settings.register_profile(
    "prollytree",
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("prollytree")

ALL_BACKENDS = [
    p.StorageBackend.InMemory,
    p.StorageBackend.File,
    p.StorageBackend.Git,
    p.StorageBackend.RocksDB,
]
DISK_BACKENDS = ALL_BACKENDS[1:]

AUTHOR = "Ada Lovelace"
EMAIL = "ada@example.org"

Opener = Callable[..., p.VersionedKvStore]
SqlOpener = Callable[..., "p.ProllySQLStore"]


@pytest.fixture(autouse=True)
def git_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """One author, no configuration of the machine's, no variables of a surrounding Git process."""
    home = tmp_path_factory.mktemp("home")
    config = home / "gitconfig"
    config.write_text(f"[user]\n\tname = {AUTHOR}\n\temail = {EMAIL}\n[init]\n\tdefaultBranch = trunk\n")
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("LC_ALL", "C")


@pytest.fixture(params=ALL_BACKENDS, ids=str)
def backend(request: pytest.FixtureRequest) -> p.StorageBackend:
    """Each backend in turn."""
    return request.param


@pytest.fixture(params=DISK_BACKENDS, ids=str)
def disk_backend(request: pytest.FixtureRequest) -> p.StorageBackend:
    """Each backend that outlives the process, in turn."""
    return request.param


@pytest.fixture
def open_store(tmp_path: Path) -> Iterator[Opener]:
    """Opens stores below ``tmp_path`` and closes them at the end."""
    opened: list[p.VersionedKvStore] = []

    def open_store(
        backend: p.StorageBackend | None = None, name: str = "store", **options: object
    ) -> p.VersionedKvStore:
        opened.append(p.VersionedKvStore(tmp_path / name, backend, **options))
        return opened[-1]

    yield open_store
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: Opener, backend: p.StorageBackend) -> p.VersionedKvStore:
    """A fresh store on each backend."""
    return open_store(backend)


@pytest.fixture
def git_store(open_store: Opener) -> p.VersionedKvStore:
    """A fresh store on the default backend."""
    return open_store()


@pytest.fixture
def open_sql(tmp_path: Path) -> Iterator[SqlOpener]:
    """Opens SQL stores below ``tmp_path`` and closes them at the end."""
    opened: list[p.ProllySQLStore] = []

    def open_sql(backend: p.StorageBackend | None = None, name: str = "store") -> p.ProllySQLStore:
        opened.append(p.ProllySQLStore(tmp_path / name, backend))
        return opened[-1]

    yield open_sql
    for store in opened:
        store.close()


@pytest.fixture
def memory(open_sql: SqlOpener) -> p.ProllySQLStore:
    """A fresh SQL store in memory."""
    return open_sql(p.StorageBackend.InMemory)


def git(directory: Path | str, *arguments: str, check: bool = True, stdin: bytes | None = None) -> str:
    """Runs ``git -C directory …``; its output, stripped."""
    done = subprocess.run(["git", "-C", str(directory), *arguments], input=stdin, capture_output=True)
    if check and done.returncode:
        raise AssertionError(f"git {arguments} failed: {done.stderr.decode()}{done.stdout.decode()}")
    return done.stdout.decode().strip()


def messages(entries: list[dict]) -> list[str]:
    """The messages of log entries."""
    return [entry["message"].strip() for entry in entries]


def names(message: str, text: str) -> bool:
    """Whether a message names a text. What does not print is escaped in it, so what does is looked for, in its order."""
    rest = iter(message)
    return all(char in rest for char in text if char.isprintable() and char != "\\")


def everything(store: p.VersionedKvStore) -> dict[str, dict[bytes, bytes]]:
    """The contents of every revision that the store's branches reach, by commit id."""
    ids = {entry["id"] for branch in store.list_branches() for entry in store.iter_log(branch)}
    return {commit: dict(store.at(commit).items()) for commit in ids}


def in_place(action: Callable[[], object], store: p.VersionedKvStore, error: type[BaseException]) -> BaseException:
    """``action`` must raise ``error`` and leave the store's branches, position, staging and contents as they are."""

    def state() -> tuple:
        return (
            {name: store.resolve(name) for name in store.list_branches()},
            store.list_tags(),
            store.current_branch(),
            store.current_commit(),
            store.status(),
            list(store.items()),
        )

    before = state()
    with pytest.raises(error) as caught:
        action()
    assert state() == before
    return caught.value
