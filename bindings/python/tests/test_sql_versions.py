"""Tables and versions: commits, branches, merges, revisions, other stores, and what else is in the directory."""

from __future__ import annotations

from pathlib import Path

import pytest

import prollytree as p
from conftest import ALL_BACKENDS, DISK_BACKENDS, SqlOpener, git, messages


@pytest.fixture(params=ALL_BACKENDS, ids=str)
def sql(request: pytest.FixtureRequest, open_sql: SqlOpener) -> p.ProllySQLStore:
    return filled(open_sql(request.param))


def filled(store: p.ProllySQLStore) -> p.ProllySQLStore:
    store.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b TEXT NULL)")
    store.execute("INSERT INTO t VALUES (1, 'a1', 'b1'), (2, 'a2', 'b2'), (3, 'a3', 'b3')")
    store.commit("base")
    return store


def rows(session: p.ProllySQLStore | p.SQLConnection | p.SQLSnapshot, table: str = "t") -> list[tuple[object, ...]]:
    return [tuple(row) for row in session.execute(f'SELECT * FROM "{table}" ORDER BY id', "tuples")[1]]


BASE = [(1, "a1", "b1"), (2, "a2", "b2"), (3, "a3", "b3")]


def test_commits_and_branches(sql: p.ProllySQLStore) -> None:
    base = sql.current_commit()
    assert sql.current_branch == "main" and rows(sql) == BASE
    sql.branch("feature")
    assert sql.current_branch == "feature" and sql.list_branches() == ["feature", "main"]
    sql.execute("DELETE FROM t WHERE id > 1")
    feature = sql.commit("less")
    sql.checkout("main")
    assert rows(sql) == BASE and sql.current_commit() == base
    sql.create_branch("other", feature)
    assert rows(sql) == BASE[:1]
    sql.execute("DROP TABLE t")
    with pytest.raises(p.StagedChangesError):
        sql.checkout("main")
    sql.checkout("main", discard=True)
    assert rows(sql) == BASE
    assert messages(sql.log()) == ["base", "Initial commit"] and len(sql.log(1)) == 1
    assert sql.log()[0]["id"] == base and len(sql.log()[0]["parents"]) == 1
    assert messages(sql.get_commit_history()) == messages(list(sql.iter_log()))
    assert sql.resolve("feature") == feature and sql.merge_base("feature", "main") == base
    sql.create_tag("v1")
    assert sql.list_tags() == ["v1"] and rows(sql.at("v1")) == BASE
    assert "main" in repr(sql) and sql.storage_backend() in ALL_BACKENDS


def test_a_commit_without_changes_and_without_a_message(sql: p.ProllySQLStore) -> None:
    before = sql.current_commit()
    after = sql.commit()
    assert after != before and len(after) == len(before) and rows(sql) == BASE


def test_discard_and_reset(sql: p.ProllySQLStore) -> None:
    base = sql.current_commit()
    sql.execute("DELETE FROM t; CREATE TABLE u (a INTEGER)")
    assert sql.discard() > 0
    assert rows(sql) == BASE and sql.tables() == ["t"]
    sql.execute("DELETE FROM t")
    sql.commit("none")
    sql.reset(base)
    assert rows(sql) == BASE
    sql.execute("UPDATE t SET a = 'x' WHERE id = 1")
    changed = sql.commit("changed")
    sql.execute("UPDATE t SET a = 'y' WHERE id = 2")
    sql.commit("more")
    sql.revert(changed)
    assert rows(sql) == [BASE[0], (2, "y", "b2"), BASE[2]]


# Revisions.


def test_a_revision_is_read_without_moving(sql: p.ProllySQLStore) -> None:
    base = sql.current_commit()
    sql.execute("UPDATE t SET a = 'new'; ALTER TABLE t ADD COLUMN c INTEGER NULL")
    sql.commit("new")
    sql.execute("DROP TABLE t")
    old = sql.at(base)
    assert old.commit_id == base and repr(old) == f"SQLSnapshot(commit_id='{base}')"
    assert rows(old) == rows(sql.at("HEAD~1")) == BASE
    assert old.tables() == ["t"] and sql.tables() == []
    assert [column["name"] for column in old.schema("t")] == ["id", "a", "b"]
    assert old.select("t", ["a"], "id = ?", (2,)) == [{"a": "a2"}]
    assert old.execute("SELECT COUNT(*) AS n FROM t", "csv") == "n\r\n3\r\n"
    assert [column["name"] for column in sql.at("HEAD").schema("t")] == ["id", "a", "b", "c"]
    with pytest.raises(p.RefNotFoundError):
        sql.at("nothing")


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO t VALUES (9, 'x', 'y')",
        "UPDATE t SET a = 'x'",
        "DELETE FROM t",
        "DROP TABLE t",
        "CREATE TABLE u (a INTEGER)",
        "ALTER TABLE t ADD COLUMN c INTEGER NULL",
        "CREATE INDEX i ON t (a)",
    ],
)
def test_a_revision_cannot_be_written(memory: p.ProllySQLStore, text: str) -> None:
    snapshot = filled(memory).at("HEAD")
    with pytest.raises(p.SqlError):
        snapshot.execute(text)
    assert rows(snapshot) == rows(memory) == BASE
    for name in ("insert", "execute_many", "create_table", "import_csv", "transaction"):
        assert not hasattr(snapshot, name)


def test_a_table_at_a_revision_in_a_query(sql: p.ProllySQLStore) -> None:
    sql.execute("UPDATE t SET a = 'new' WHERE id = 2; DELETE FROM t WHERE id = 3")
    sql.commit("new")
    changed = sql.execute(
        'SELECT now.id, was.a AS was, now.a AS is FROM t now JOIN "t@HEAD~1" was ON was.id = now.id WHERE was.a <> now.a'
    )
    assert changed == [{"id": 2, "was": "a2", "is": "new"}]
    assert rows(sql, "t@HEAD~1") == BASE and rows(sql, "t@main") == rows(sql)
    assert sql.select("t@HEAD~1", ["id"], "a = 'a3'") == [{"id": 3}]
    for text in ['DELETE FROM "t@HEAD~1"', 'INSERT INTO "t@HEAD~1" VALUES (7, \'\', \'\')', 'DROP TABLE "t@HEAD~1"']:
        with pytest.raises(p.SqlError):
            sql.execute(text)
    assert rows(sql, "t@HEAD~1") == BASE
    with pytest.raises((p.SqlError, p.RefNotFoundError), match="nothing"):
        sql.select("t@nothing")


# Merges.


def test_rows_merge(sql: p.ProllySQLStore) -> None:
    sql.branch("side")
    sql.execute("INSERT INTO t VALUES (4, 'a4', 'b4'); DELETE FROM t WHERE id = 3")
    sql.commit("side")
    sql.checkout("main")
    sql.execute("INSERT INTO t VALUES (5, 'a5', 'b5')")
    sql.commit("main")
    assert sql.try_merge("side") == (True, [])
    merged = sql.merge("side")
    assert rows(sql) == [*BASE[:2], (4, "a4", "b4"), (5, "a5", "b5")]
    assert sql.log()[0]["id"] == merged and len(sql.log()[0]["parents"]) == 2


def test_rows_that_share_what_has_to_be_unique_are_a_conflict(memory: p.ProllySQLStore) -> None:
    memory.execute("CREATE TABLE u (id INTEGER PRIMARY KEY, name TEXT UNIQUE)")
    memory.commit("table")
    memory.branch("side")
    memory.execute("INSERT INTO u VALUES (1, 'Alice')")
    memory.commit("side")
    memory.checkout("main")
    memory.execute("INSERT INTO u VALUES (2, 'Alice')")
    memory.commit("main")
    clean, conflicts = memory.try_merge("side")
    assert not clean and conflicts
    for conflict in conflicts:
        assert conflict.namespace == 'table "u"' and conflict.reason and "name" in conflict.reason
    assert {row["reason"] for row in memory.execute('SELECT reason FROM "conflicts(side)"')} == {
        conflict.reason for conflict in conflicts
    }


def test_conflicts(sql: p.ProllySQLStore) -> None:
    sql.branch("side")
    sql.execute("UPDATE t SET a = 'side' WHERE id = 1")
    sql.commit("side")
    sql.checkout("main")
    sql.execute("UPDATE t SET a = 'main' WHERE id = 1")
    before = sql.commit("main")
    clean, conflicts = sql.try_merge("side")
    assert not clean and len(conflicts) == 1
    with pytest.raises(p.MergeError) as caught:
        sql.merge("side", None)
    assert len(caught.value.conflicts) == 1 and sql.current_commit() == before
    assert rows(sql)[0] == (1, "main", "b1")
    sql.merge("side", p.ConflictResolution.TakeSource)
    assert rows(sql) == [(1, "side", "b1"), *BASE[1:]]
    sql.reset(before)
    sql.merge("side")
    assert rows(sql) == [(1, "main", "b1"), *BASE[1:]]


# One directory.


@pytest.mark.parametrize("backend", DISK_BACKENDS, ids=str)
def test_one_commit_has_rows_and_keys(tmp_path: Path, backend: p.StorageBackend) -> None:
    with (
        p.ProllySQLStore(tmp_path / "store", backend) as sql,
        p.NamespacedKvStore(tmp_path / "store") as names,
        p.VersionedKvStore(tmp_path / "store") as plain,
    ):
        sql.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT)")
        sql.execute("INSERT INTO t VALUES (1, 'row')")
        names.ns_insert("space", b"k", b"v")
        plain.insert(b"plain", b"w")
        commit = sql.commit("all of it")
        assert names.current_commit() == plain.current_commit() == commit
        assert names.status() == plain.status() == []
        assert sql.at(commit).execute("SELECT a FROM t") == [{"a": "row"}]
        assert names.at(commit).ns_get("space", b"k") == b"v"
        assert plain.at(commit)[b"plain"] == b"w"
        assert names.list_namespaces() == ["default", "space"] and sql.tables() == ["t"]
        names.branch("other")
        assert sql.current_branch == "other"
        sql.execute("DELETE FROM t")
        names.commit("none")
        plain.checkout("main")
        assert sql.execute("SELECT a FROM t") == [{"a": "row"}]
    with p.NamespacedKvStore(tmp_path / "store") as names:
        names.ns_insert("space", b"k", b"later")
        names.commit("later")
    with p.ProllySQLStore(tmp_path / "store") as sql:
        assert sql.execute("SELECT a FROM t") == [{"a": "row"}]


@pytest.mark.parametrize("cls", ["VersionedKvStore", "NamespacedKvStore"])
def test_tables_merge_through_every_class(tmp_path: Path, cls: str) -> None:
    with p.ProllySQLStore(tmp_path / "store", p.StorageBackend.File) as sql:
        filled(sql)
        sql.branch("side")
        sql.execute("INSERT INTO t VALUES (4, 'a4', 'b4')")
        sql.commit("side")
        sql.checkout("main")
        sql.execute("INSERT INTO t VALUES (5, 'a5', 'b5')")
        sql.commit("main")
    with getattr(p, cls)(tmp_path / "store") as other:
        other.merge("side")
    with p.ProllySQLStore(tmp_path / "store") as sql:
        assert rows(sql) == [*BASE, (4, "a4", "b4"), (5, "a5", "b5")]


@pytest.mark.git
def test_git_keeps_tables_whole(tmp_path: Path) -> None:
    with p.ProllySQLStore(tmp_path / "store") as sql:
        filled(sql)
        sql.insert("t", [(number, "x" * number, None) for number in range(10, 2000)])
        sql.execute("CREATE INDEX i ON t (a)")
        sql.commit("more")
        before = rows(sql)
    git(tmp_path / "store", "gc", "--prune=now", "--quiet")
    git(tmp_path / "store", "fsck", "--full", "--strict")
    git(tmp_path, "clone", "--quiet", "--no-local", "store", "copy")
    with p.ProllySQLStore(tmp_path / "copy") as copy:
        assert rows(copy) == before
        assert copy.execute("SELECT id FROM t WHERE a = 'xxxxxxxxxxx'") == [{"id": 11}]


# Other stores.


@pytest.mark.parametrize("backend", DISK_BACKENDS, ids=str)
def test_clone_fetch_push(tmp_path: Path, backend: p.StorageBackend) -> None:
    with p.ProllySQLStore(tmp_path / "store", p.StorageBackend.Redb) as sql:
        filled(sql)
        copy, report = p.ProllySQLStore.clone(sql, tmp_path / "copy", backend)
        with copy:
            assert isinstance(copy, p.ProllySQLStore) and report["commits"] == 2 and rows(copy) == BASE
            copy.execute("DELETE FROM t WHERE id = 1")
            copy.commit("less")
            copy.create_branch("theirs")
            copy.push(sql)
            sql.execute("UPDATE t SET a = 'mine' WHERE id = 2")
            sql.commit("mine")
            sql.merge("theirs")
            assert rows(sql) == [(2, "mine", "b2"), BASE[2]]
            copy.fetch(sql)
            copy.merge("origin/main")
            assert rows(copy) == rows(sql)
        with p.VersionedKvStore(tmp_path / "third", backend) as third:
            third.fetch(sql)


def test_garbage_collection_keeps_tables(open_sql: SqlOpener) -> None:
    sql = filled(open_sql(p.StorageBackend.File))
    sql.execute("CREATE TABLE gone (a INTEGER)")
    sql.insert("gone", [[number] for number in range(5000)])
    sql.discard()
    sql.execute("UPDATE t SET a = 'staged' WHERE id = 1")
    report = sql.gc()
    assert report["objects_before"] >= report["objects_removed"]
    assert rows(sql)[0] == (1, "staged", "b1") and rows(sql.at("HEAD")) == BASE
    with sql.connect() as other:
        assert rows(other) == rows(sql)
