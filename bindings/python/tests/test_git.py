"""The Git backend beside plain Git: everything Git does to a repository leaves a store whole."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

import prollytree as p
from conftest import AUTHOR, EMAIL, everything, git, in_place, messages
from prollytree import ConflictResolution, VersionedKvStore

pytestmark = pytest.mark.git


@pytest.fixture
def built(tmp_path: Path) -> tuple[Path, dict[str, dict[bytes, bytes]]]:
    """A closed store with some history, a merge, a tag and a large value; and its contents by revision."""
    path = tmp_path / "store"
    content = random.Random(11)
    with VersionedKvStore(path) as store:
        store.insert_batch((b"k%05d" % i, content.randbytes(50)) for i in range(3000))
        store.insert(b"large", content.randbytes(300_000))
        store.commit("base")
        store.create_tag("v1")
        store.create_branch("side")
        store.insert(b"k00001", b"side")
        store.insert(b"s", b"1")
        store.commit("side")
        store.checkout("main")
        store.insert(b"k00001", b"main")
        store.commit("main")
        store.merge("side", ConflictResolution.TakeSource)
        for i in range(25):
            store.insert(b"k%05d" % (100 * i), b"%d" % i)
            store.commit(f"small {i}")
        return path, everything(store)


def read_back(path: Path, expected: dict[str, dict[bytes, bytes]]) -> None:
    with VersionedKvStore(path) as store:
        assert {commit: dict(store.at(commit).items()) for commit in expected} == expected


def fsck(path: Path) -> None:
    done = subprocess.run(["git", "-C", path, "fsck", "--full", "--strict"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("dangling")]


def test_fsck(built) -> None:
    fsck(built[0])


def test_a_commit_journal_changes_nothing_that_is_stored(tmp_path: Path) -> None:
    written = {}
    for name, journalled in [("with", True), ("without", False)]:
        with VersionedKvStore(tmp_path / name, commit_journal=journalled) as store:
            for i in range(40):
                store.insert(b"k%d" % (i % 7), b"%d" % i)
                store.commit(f"commit {i}")
            written[name] = [store.at(entry["id"]).root_hash() for entry in store.log()]
            assert (tmp_path / name / ".git/prollytree/commit-journal").exists() == journalled
        fsck(tmp_path / name)
    assert written["with"] == written["without"]
    with VersionedKvStore(tmp_path / "with") as store:
        assert [entry["message"] for entry in store.log()] == [f"commit {i}" for i in reversed(range(40))] + ["Initial commit"]


def test_log_shows_what_was_committed(built) -> None:
    path, expected = built
    with VersionedKvStore(path) as store:
        log = store.log()
        ids = git(path, "log", "--format=%H", "main").split()
        assert sorted(ids) == sorted(entry["id"] for entry in log)
        for entry in (log[0], log[-2]):
            shown = git(path, "show", "-s", "--format=%an <%ae>|%cn <%ce>|%ct|%P|%B", entry["id"])
            parents = " ".join(entry["parents"])
            assert shown == f"{AUTHOR} <{EMAIL}>|{AUTHOR} <{EMAIL}>|{entry['timestamp']}|{parents}|{entry['message']}"
        assert git(path, "branch", "--format=%(refname:short)").split() == store.list_branches()
        assert git(path, "tag").split() == store.list_tags()
        assert git(path, "symbolic-ref", "--short", "HEAD") == store.current_branch()
        assert git(path, "merge-base", "main", "side") == store.merge_base("main", "side")
        for revision in ("HEAD~3", "main^", "v1", "side"):
            assert git(path, "rev-parse", revision + "^{commit}") == store.resolve(revision)


def test_gc_keeps_everything(built) -> None:
    path, expected = built
    git(path, "gc", "--prune=now", "--quiet")
    read_back(path, expected)
    fsck(path)
    with VersionedKvStore(path) as store:
        store.insert(b"after", b"gc")
        store.commit("after gc")
    git(path, "gc", "--aggressive", "--prune=now", "--quiet")
    read_back(path, expected)
    with VersionedKvStore(path) as store:
        assert store[b"after"] == b"gc"


def test_gc_under_an_open_store(built) -> None:
    path, expected = built
    with VersionedKvStore(path) as store:
        snapshot = store.at("v1")
        store.insert(b"staged", b"x" * 100_000)
        for i in range(5):
            store.insert(b"k", b"%d" % i)
            store.commit(f"{i}")
            git(path, "gc", "--prune=now", "--quiet")
            assert len(snapshot) == 3001
        assert {commit: dict(store.at(commit).items()) for commit in expected} == expected
        assert store[b"staged"] == b"x" * 100_000
    fsck(path)


def test_gc_during_commits(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with VersionedKvStore(path) as store:
        store.insert_batch((b"k%05d" % i, b"v") for i in range(1000))
        store.commit("base")
        gc = None
        for i in range(150):
            if gc is None or gc.poll() is not None:
                gc = subprocess.Popen(
                    ["git", "-C", path, "gc", "--prune=now", "--quiet"],
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            store.insert(b"k%05d" % i, b"%d" % i)
            store.commit(f"{i}")
        gc.wait(60)
        contents = everything(store)
    assert len(contents) == 152
    fsck(path)
    read_back(path, contents)


@pytest.mark.parametrize("options", [[], ["--bare"], ["--mirror"]], ids=str)
def test_clones_open_as_stores(built, tmp_path: Path, options: list[str]) -> None:
    path, expected = built
    git(tmp_path, "clone", "--quiet", "--no-local", *options, str(path), "clone")
    with VersionedKvStore(tmp_path / "clone") as clone:
        assert clone.storage_backend() is p.StorageBackend.Git
        assert clone.current_branch() == "main"
        assert {commit: dict(clone.at(commit).items()) for commit in expected} == expected
        with VersionedKvStore(path) as original:
            assert clone.root_hash() == original.root_hash()
            assert messages(clone.log()) == messages(original.log())
        clone.insert(b"in the clone", b"1")
        clone.commit("in the clone")
        assert clone[b"in the clone"] == b"1"
    fsck(tmp_path / "clone")
    with VersionedKvStore(path) as original:
        assert b"in the clone" not in original


def test_a_writable_clone_is_made_bare(built, tmp_path: Path) -> None:
    path, _ = built
    git(tmp_path, "clone", "--quiet", "--no-local", str(path), "clone")
    assert {entry.name for entry in (tmp_path / "clone").iterdir()} > {".git"}
    with VersionedKvStore(tmp_path / "clone") as clone:
        clone.insert(b"k", b"v")
        clone.commit("k")
    assert git(tmp_path / "clone" / ".git", "rev-parse", "--is-bare-repository") == "true"
    assert [entry.name for entry in (tmp_path / "clone").iterdir()] == [".git"]


def test_nothing_is_checked_out(built) -> None:
    path, _ = built
    assert [entry.name for entry in path.iterdir()] == [".git"]
    assert git(path / ".git", "rev-parse", "--is-bare-repository") == "true"


def test_push_to_another_repository(built, tmp_path: Path) -> None:
    path, expected = built
    git(tmp_path, "init", "--quiet", "--bare", "-b", "main", "remote.git")
    git(path, "push", "--quiet", "--all", str(tmp_path / "remote.git"))
    git(path, "push", "--quiet", "--tags", str(tmp_path / "remote.git"))
    fsck(tmp_path / "remote.git")
    git(tmp_path, "clone", "--quiet", "--no-local", "--branch", "main", str(tmp_path / "remote.git"), "again")
    read_back(tmp_path / "again", expected)


def test_fetch_and_merge_what_was_pushed(built, tmp_path: Path) -> None:
    path, _ = built
    git(tmp_path, "clone", "--quiet", "--no-local", str(path), "clone")
    with VersionedKvStore(tmp_path / "clone") as clone:
        clone.insert(b"theirs", b"1")
        theirs = clone.commit("theirs")
    with VersionedKvStore(path) as store:
        store.insert(b"ours", b"1")
        store.commit("ours")
        git(path, "fetch", "--quiet", str(tmp_path / "clone"), "main:refs/heads/fetched")
        assert store.resolve("fetched") == theirs
        store.merge("fetched", None)
        assert store[b"ours"] == store[b"theirs"] == b"1"
    fsck(path)


def test_unchanged_nodes_are_shared(built) -> None:
    path, _ = built
    changed = git(path, "diff-tree", "-r", "--name-only", "main~1", "main").splitlines()
    total = git(path, "ls-tree", "-r", "--name-only", "main").splitlines()
    assert 0 < len(changed) < 12 < len(total)


# Beside other repositories.


def surroundings(repository: Path) -> dict[str, object]:
    """All that could be disturbed in an enclosing repository."""
    return {
        "head": (repository / ".git" / "HEAD").read_bytes(),
        "index": (repository / ".git" / "index").read_bytes(),
        "config": (repository / ".git" / "config").read_bytes(),
        "refs": git(repository, "for-each-ref"),
        "staged": git(repository, "diff", "--cached"),
        "unstaged": git(repository, "diff"),
        "stash": git(repository, "stash", "list"),
        "entries": sorted(entry.name for entry in (repository / ".git").iterdir()),
        "objects": git(repository, "count-objects", "-v"),
    }


@pytest.fixture
def outer(tmp_path: Path) -> Path:
    """A repository with a dirty index and a dirty work tree, on a branch of its own."""
    outer = tmp_path / "outer"
    git(tmp_path, "init", "--quiet", "-b", "work", "outer")
    (outer / "file.txt").write_text("one\n")
    git(outer, "add", "file.txt")
    git(outer, "commit", "--quiet", "-m", "theirs")
    (outer / "staged.txt").write_text("staged\n")
    git(outer, "add", "staged.txt")
    (outer / "file.txt").write_text("changed\n")
    (outer / "untracked.txt").write_text("untracked\n")
    return outer


def test_a_store_inside_another_repository_leaves_it_alone(outer: Path, monkeypatch) -> None:
    before = surroundings(outer)
    monkeypatch.chdir(outer)
    for path in (outer / "data" / "store", Path("relative")):
        with VersionedKvStore(path) as store:
            store.insert(b"k", b"v")
            store.commit("k")
            store.create_branch("b")
            store.insert(b"k", b"w")
            store.commit("w")
            store.checkout("main")
            store.merge("b")
            store.gc()
            assert store.list_branches() == ["b", "main"]
        with VersionedKvStore(path) as store:
            assert store[b"k"] == b"w"
            tree = git(path, "ls-tree", "-r", "--name-only", "main")
            assert "staged.txt" not in tree and "file.txt" not in tree
    assert surroundings(outer) == before


def test_an_environment_that_names_another_repository_is_not_followed(outer: Path, tmp_path: Path, monkeypatch) -> None:
    before = surroundings(outer)
    monkeypatch.setenv("GIT_DIR", str(outer / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(outer))
    monkeypatch.setenv("GIT_INDEX_FILE", str(outer / ".git" / "index"))
    with VersionedKvStore(tmp_path / "store") as store:
        store.insert(b"k", b"v")
        store.commit("k")
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name)
    assert surroundings(outer) == before
    with VersionedKvStore(tmp_path / "store") as store:
        assert store[b"k"] == b"v"


def test_the_root_of_a_repository_with_other_history_is_refused(outer: Path) -> None:
    before = surroundings(outer)
    with pytest.raises(p.IncompatibleStoreError, match="sub-directory"):
        VersionedKvStore(outer)
    assert surroundings(outer) == before


def test_an_empty_repository_is_adopted(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "empty")
    with VersionedKvStore(tmp_path / "empty") as store:
        store.insert(b"k", b"v")
        store.commit("k")
    with VersionedKvStore(tmp_path / "empty") as store:
        assert store[b"k"] == b"v"
    fsck(tmp_path / "empty")


def test_branches_made_by_git_are_seen(built) -> None:
    path, _ = built
    with VersionedKvStore(path) as store:
        git(path, "branch", "by-git", "main~2")
        git(path, "tag", "-a", "annotated", "-m", "annotated", "main~1")
        assert "by-git" in store.list_branches() and "annotated" in store.list_tags()
        assert store.resolve("by-git") == store.resolve("main~2")
        assert store.resolve("annotated") == store.resolve("main~1")
        git(path, "pack-refs", "--all")
        assert store.resolve("by-git") == store.resolve("main~2")
        git(path, "branch", "-D", "by-git")
        assert "by-git" not in store.list_branches()


def test_unrelated_histories_are_refused(built) -> None:
    path, _ = built
    with VersionedKvStore(path) as store:
        tree = git(path, "rev-parse", "main^{tree}")
        orphan = git(path, "commit-tree", tree, "-m", "orphan")
        git(path, "update-ref", "refs/heads/orphan", orphan)
        assert store.merge_base("main", "orphan") is None
        for call in (lambda: store.merge("orphan"), lambda: store.try_merge("orphan")):
            error = in_place(call, store, p.MergeError)
            assert "orphan" in str(error) and "no common history" in str(error)
            assert error.conflicts == []


def test_commits_that_are_none_of_ours_are_refused(built) -> None:
    path, _ = built
    empty = git(path, "hash-object", "-t", "tree", "-w", "--stdin", stdin=b"")
    foreign = git(path, "commit-tree", empty, "-m", "foreign")
    git(path, "update-ref", "refs/heads/foreign", foreign)
    with VersionedKvStore(path) as store:
        for call in (
            lambda: store.at("foreign"),
            lambda: store.checkout("foreign"),
            lambda: store.merge("foreign"),
        ):
            assert foreign in str(in_place(call, store, p.ProllyTreeError))


def test_the_size_on_disk(tmp_path: Path) -> None:
    def size() -> int:
        return sum(file.stat().st_size for file in (tmp_path / "store").rglob("*") if file.is_file())

    content = random.Random(1)
    raw = 100_000 * (16 + 100)
    with VersionedKvStore(tmp_path / "store") as store:
        store.insert_batch((b"key:%012d" % i, content.randbytes(100)) for i in range(100_000))
        store.commit("base")
        assert size() <= 1.3 * raw
        for _ in range(100):
            store.insert_batch((b"key:%012d" % content.randrange(100_000), content.randbytes(100)) for _ in range(10))
            store.commit("small")
        assert size() <= 12 * raw
