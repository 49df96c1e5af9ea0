"""Transactions: what is seen, what is kept, who waits and who is told."""

from __future__ import annotations

import gc
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import prollytree as p
from conftest import ALL_BACKENDS, DISK_BACKENDS, SqlOpener


@pytest.fixture(params=ALL_BACKENDS, ids=str)
def sql(request: pytest.FixtureRequest, open_sql: SqlOpener) -> p.ProllySQLStore:
    store = open_sql(request.param)
    store.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)")
    store.execute("INSERT INTO t VALUES (1, 10), (2, 20)")
    return store


@pytest.fixture
def table(memory: p.ProllySQLStore) -> p.ProllySQLStore:
    memory.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)")
    memory.execute("INSERT INTO t VALUES (1, 10), (2, 20)")
    return memory


def rows(session: p.ProllySQLStore | p.SQLConnection | p.SQLSnapshot) -> list[list[int]]:
    return session.execute("SELECT id, n FROM t ORDER BY id", "tuples")[1]


BEFORE = [[1, 10], [2, 20]]
WRITES = ["INSERT INTO t VALUES (3, 30)", "UPDATE t SET n = 0 WHERE id = 1", "DELETE FROM t WHERE id = 2"]
AFTER = [[1, 0], [3, 30]]


def test_rollback_keeps_nothing(sql: p.ProllySQLStore) -> None:
    sql.execute("BEGIN")
    assert sql.in_transaction
    for text in WRITES:
        sql.execute(text)
    sql.execute("CREATE TABLE u (a INTEGER)")
    sql.execute("DROP TABLE t")
    assert sql.tables() == ["u"]
    sql.execute("ROLLBACK")
    assert not sql.in_transaction and sql.tables() == ["t"] and rows(sql) == BEFORE


def test_commit_keeps_everything(sql: p.ProllySQLStore) -> None:
    sql.execute("BEGIN; " + "; ".join(WRITES))
    assert sql.in_transaction and rows(sql) == AFTER
    sql.execute("COMMIT")
    assert not sql.in_transaction and rows(sql) == AFTER
    sql.commit()
    assert rows(sql.at("HEAD")) == AFTER


def test_drop_and_create_begins_anew(sql: p.ProllySQLStore) -> None:
    sql.execute("DROP TABLE t")
    sql.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)")
    assert rows(sql) == []
    sql.execute("INSERT INTO t VALUES (1, 1)")
    sql.commit()
    sql.execute("DROP TABLE t; CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)")
    assert rows(sql) == []
    sql.commit()
    assert rows(sql) == [] and rows(sql.at("HEAD")) == []


def test_the_context_manager(table: p.ProllySQLStore) -> None:
    with table.transaction() as session:
        assert session is table and table.in_transaction
        table.execute(WRITES[0])
    assert not table.in_transaction and rows(table) == [*BEFORE, [3, 30]]
    with pytest.raises(ZeroDivisionError):
        with table.transaction():
            table.execute("DELETE FROM t")
            raise ZeroDivisionError
    assert not table.in_transaction and rows(table) == [*BEFORE, [3, 30]]
    with pytest.raises(p.SqlError):
        with table.transaction():
            table.execute("DELETE FROM t")
            with table.transaction():
                pass
    assert not table.in_transaction and rows(table) == [*BEFORE, [3, 30]]
    with table.transaction():
        table.execute("DELETE FROM t WHERE id = 3")
        with pytest.raises(p.SqlError):
            table.execute("INSERT INTO t VALUES (4, 40), (1, 0)")
        assert table.in_transaction, "a statement that fails leaves its transaction as it was"
        assert rows(table) == BEFORE
    assert rows(table) == BEFORE
    with pytest.raises(ZeroDivisionError):
        with table.transaction():
            table.execute("ROLLBACK")
            raise ZeroDivisionError
    with pytest.raises(p.SqlError):
        with table.transaction():
            table.execute("ROLLBACK")


def test_a_commit_of_the_store_waits_for_the_transaction(table: p.ProllySQLStore) -> None:
    before = table.current_commit()
    with table.transaction():
        table.execute(WRITES[0])
        with pytest.raises(p.SqlError, match="transaction"):
            table.commit()
    assert table.current_commit() == before
    assert table.commit() != before
    assert rows(table.at("HEAD")) == [*BEFORE, [3, 30]]


# Sessions.


def test_another_session_sees_what_is_committed(sql: p.ProllySQLStore) -> None:
    with sql.connect() as other:
        assert rows(other) == BEFORE and other.tables() == ["t"]
        other.execute("BEGIN")
        for text in WRITES:
            other.execute(text)
        assert rows(other) == AFTER and rows(sql) == BEFORE
        assert other.in_transaction and not sql.in_transaction
        other.execute("COMMIT")
        assert rows(sql) == AFTER
    assert other.closed and repr(other) == "SQLConnection(closed)"


def test_a_transaction_sees_the_store_as_it_was_at_its_beginning(sql: p.ProllySQLStore) -> None:
    other = sql.connect()
    other.execute("BEGIN")
    for text in WRITES:
        sql.execute(text)
    assert rows(other) == BEFORE
    other.execute("COMMIT")
    assert rows(other) == AFTER


@pytest.mark.parametrize("how", ["close", "drop", "with", "store"])
def test_a_session_that_ends_rolls_back(open_sql: SqlOpener, how: str) -> None:
    sql = open_sql(p.StorageBackend.Redb)
    sql.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)")
    sql.execute("INSERT INTO t VALUES (1, 10), (2, 20)")
    other = sql.connect()
    other.execute("BEGIN")
    other.execute("DELETE FROM t")
    if how == "close":
        other.close()
        other.close()
    elif how == "drop":
        del other
        gc.collect()
    elif how == "with":
        with other:
            pass
    else:
        sql.close()
        sql = open_sql(p.StorageBackend.Redb)
    assert rows(sql) == BEFORE
    if how in ("close", "with"):
        with pytest.raises(p.StorageError, match="closed"):
            other.execute("SELECT 1")


def test_closing_the_store_rolls_its_transaction_back(open_sql: SqlOpener) -> None:
    sql = open_sql(p.StorageBackend.Git)
    sql.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)")
    sql.execute("INSERT INTO t VALUES (1, 10), (2, 20)")
    sql.execute("BEGIN; DELETE FROM t")
    sql.close()
    assert rows(open_sql()) == BEFORE


def test_of_two_transactions_on_a_row_the_second_is_told(table: p.ProllySQLStore) -> None:
    first, second = table.connect(), table.connect()
    for session, value in ((first, 1), (second, 2)):
        session.execute("BEGIN")
        session.execute("UPDATE t SET n = ? WHERE id = 1", (value,))
    first.execute("COMMIT")
    with pytest.raises(p.TransactionConflictError) as caught:
        second.execute("COMMIT")
    assert isinstance(caught.value, p.SqlError) and isinstance(caught.value, p.ConcurrentUpdateError)
    assert not second.in_transaction
    assert rows(table) == rows(second) == [[1, 1], [2, 20]]


def test_two_transactions_on_different_rows(table: p.ProllySQLStore) -> None:
    first, second = table.connect(), table.connect()
    for session, row in ((first, 1), (second, 2)):
        session.execute("BEGIN")
        session.execute("UPDATE t SET n = -n WHERE id = ?", (row,))
    first.execute("COMMIT")
    second.execute("COMMIT")
    assert rows(table) == [[1, -10], [2, -20]]


# Staged rows.


@pytest.mark.parametrize("backend", DISK_BACKENDS, ids=str)
def test_staged_rows_survive_closing(tmp_path: Path, backend: p.StorageBackend) -> None:
    with p.ProllySQLStore(tmp_path / "store", backend) as sql:
        sql.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)")
        sql.execute("INSERT INTO t VALUES (1, 10)")
        commit = sql.current_commit()
    with p.ProllySQLStore(tmp_path / "store") as sql:
        assert rows(sql) == [[1, 10]] and sql.current_commit() == commit and sql.at(commit).tables() == []
        sql.execute("INSERT INTO t VALUES (2, 20)")
    with p.ProllySQLStore.open(tmp_path / "store") as sql:
        assert rows(sql) == BEFORE
        sql.commit()
        assert rows(sql.at("HEAD")) == BEFORE


@pytest.mark.parametrize("backend", DISK_BACKENDS, ids=str)
def test_staged_rows_survive_the_end_of_the_process(tmp_path: Path, backend: p.StorageBackend) -> None:
    code = f"""
        import prollytree as p
        sql = p.ProllySQLStore({str(tmp_path / "store")!r}, p.StorageBackend.{backend})
        sql.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)")
        sql.execute("INSERT INTO t VALUES (1, 10), (2, 20)")
        sql.execute("BEGIN; DELETE FROM t")
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    with p.ProllySQLStore(tmp_path / "store") as sql:
        assert rows(sql) == BEFORE


# Threads.


def test_threads_share_a_store(table: p.ProllySQLStore) -> None:
    def work(worker: int) -> None:
        for number in range(50):
            key = 1000 * worker + number
            table.execute("INSERT INTO t VALUES (?, ?)", (key, number))
            assert table.execute("SELECT n FROM t WHERE id = ?", (key,)) == [{"n": number}]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(1, 9)))
    assert table.execute("SELECT COUNT(*) AS n FROM t") == [{"n": 2 + 8 * 50}]


def test_threads_with_sessions_of_their_own(open_sql: SqlOpener) -> None:
    sql = open_sql(p.StorageBackend.Redb)
    sql.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)")
    sql.execute("INSERT INTO t VALUES (1, 0)")

    def add(worker: int) -> int:
        conflicts = 0
        with sql.connect() as session:
            for _ in range(20):
                while True:
                    try:
                        with session.transaction():
                            ((value,),) = session.execute("SELECT n FROM t WHERE id = 1", "tuples")[1]
                            session.execute("UPDATE t SET n = ? WHERE id = 1", (value + 1,))
                        break
                    except p.TransactionConflictError:
                        conflicts += 1
        return conflicts

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(add, range(6)))
    assert rows(sql) == [[1, 120]], "no increment is lost"


def test_statements_of_threads_do_not_lose_each_other(table: p.ProllySQLStore) -> None:
    sessions = [table.connect() for _ in range(4)]

    def add(session: p.SQLConnection) -> None:
        for _ in range(25):
            session.execute("UPDATE t SET n = n + 1 WHERE id = 1")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, sessions))
    assert rows(table) == [[1, 110], [2, 20]]


def test_the_interpreter_runs_while_a_statement_does(table: p.ProllySQLStore) -> None:
    table.insert("t", [(number, number) for number in range(10, 400)])
    counted = 0
    done = threading.Event()

    def count() -> None:
        nonlocal counted
        while not done.is_set():
            counted += 1
            time.sleep(0)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)  # a thread that holds the lock keeps it
    try:
        counter = threading.Thread(target=count)
        counter.start()
        before = counted
        table.execute("SELECT COUNT(*) AS n FROM t a JOIN t b ON a.n + b.n = 0")
        assert counted > before
    finally:
        done.set()
        sys.setswitchinterval(interval)
        counter.join()


def test_closing_while_others_work(open_sql: SqlOpener) -> None:
    sql = open_sql(p.StorageBackend.Redb)
    sql.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)")
    started = threading.Barrier(5)

    def work(worker: int) -> int:
        done = 0
        session = sql.connect() if worker % 2 else sql
        started.wait()
        try:
            while True:
                session.execute("INSERT INTO t VALUES (?, 0)", (worker * 1_000_000 + done,))
                done += 1
        except p.StorageError as error:
            assert "closed" in str(error)
        return done

    with ThreadPoolExecutor(4) as pool:
        counts = [pool.submit(work, worker) for worker in range(4)]
        started.wait()
        while sql.execute("SELECT COUNT(*) AS n FROM t")[0]["n"] < 50:
            pass
        sql.close()
        written = sum(count.result() for count in counts)
    assert open_sql().execute("SELECT COUNT(*) AS n FROM t") == [{"n": written}]
