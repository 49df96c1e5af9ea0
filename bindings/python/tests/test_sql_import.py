"""CSV files into tables."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import textwrap
import uuid
from decimal import Decimal
from pathlib import Path

import pytest

import prollytree as p
from conftest import SqlOpener


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str | bytes, name: str = "data.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_into_a_table(memory: p.ProllySQLStore, write) -> None:
    memory.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NULL, price DECIMAL NULL, d DATE NULL, n INT8 DEFAULT 7)")
    path = write('price,id,name\r\n1.10,1,"a, ""b"""\r\n,2,\r\n-3,3,"two\r\nlines"\r\n')
    assert memory.import_csv("t", path) == 3
    assert memory.execute("SELECT * FROM t", "tuples")[1] == [
        [1, 'a, "b"', Decimal("1.10"), None, 7],
        [2, None, None, None, 7],
        [3, "two\r\nlines", Decimal(-3), None, 7],
    ]
    assert memory.import_csv("t", write("id\n4\n5")) == 2
    assert memory.import_csv("t", str(write("id\n"))) == 0
    assert memory.execute("SELECT COUNT(*) AS n FROM t") == [{"n": 5}]


def test_a_table_is_made(memory: p.ProllySQLStore, write) -> None:
    path = write(
        "id,b,i,big,f,d,ts,t,zip,none,Name with space\n"
        "1,true,-5,9223372036854775808,1.5,2024-02-29,2024-02-29T01:02:03,x,01234,,a\n"
        "2,False,,1,NaN,2024-03-01,2024-02-29 01:02:03.5,1,5,,\n"
    )
    assert memory.import_csv("new", path, primary_key="id") == 2
    kinds = {column["name"]: column["type"] for column in memory.schema("new")}
    assert kinds == {
        "id": "INT",
        "b": "BOOLEAN",
        "i": "INT",
        "big": "INT128",
        "f": "FLOAT",
        "d": "DATE",
        "ts": "TIMESTAMP",
        "t": "TEXT",
        "zip": "TEXT",
        "none": "TEXT",
        "Name with space": "TEXT",
    }
    first, second = memory.select("new")
    assert (first["b"], first["i"], first["big"], first["f"]) == (True, -5, 2**63, 1.5)
    assert (first["d"], first["ts"]) == (dt.date(2024, 2, 29), dt.datetime(2024, 2, 29, 1, 2, 3))
    assert (first["zip"], first["none"], second["i"], second["Name with space"]) == ("01234", None, None, None)
    assert memory.schema("new")[0]["primary_key"] == 1
    with pytest.raises(p.SqlError, match="nothing"):
        memory.import_csv("other", path, primary_key="nothing")
    with pytest.raises(p.SqlError, match="exists"):
        memory.import_csv("new", path, primary_key="id")
    assert memory.tables() == ["new"]


def test_an_empty_table_is_made(memory: p.ProllySQLStore, write) -> None:
    assert memory.import_csv("new", write("a,b\n")) == 0
    assert [column["type"] for column in memory.schema("new")] == ["TEXT", "TEXT"]


def test_what_csv_wrote_is_read(memory: p.ProllySQLStore, write) -> None:
    columns = [("id", "INTEGER PRIMARY KEY"), ("a", "TEXT NOT NULL"), ("b", "BYTEA"), ("u", "UUID"), ("i", "INTERVAL")]
    columns += [("m", "MAP"), ("l", "LIST"), ("p", "POINT"), ("f", "FLOAT"), ("ts", "TIMESTAMP"), ("d", "DECIMAL")]
    rows = [
        [
            number,
            "" if number == 3 else f'x,"{number}"\r\n',
            bytes([number, 0]),
            uuid.UUID(int=number),
            dt.timedelta(microseconds=-number) if number % 2 else p.Months(number),
            {"a": [number, None]},
            [number, "x", True],
            p.Point(number / 3, -1.0),
            number / 7,
            dt.datetime(2024, 1, 1, microsecond=number),
            Decimal(number) / 8,
        ]
        for number in range(50)
    ]
    memory.create_table("t", columns)
    memory.insert("t", rows)
    path = write(memory.execute("SELECT * FROM t", "csv"))
    memory.create_table("copy", columns)
    assert memory.import_csv("copy", path) == 50
    assert memory.select("copy") == memory.select("t")


def test_options(memory: p.ProllySQLStore, write) -> None:
    path = write("a;b\n\\N;1\n;\\N\n")
    assert memory.import_csv("t", path, delimiter=";", null="\\N") == 2
    assert memory.select("t") == [{"a": None, "b": 1}, {"a": "", "b": None}]
    for delimiter in ("", ";;", "é"):
        with pytest.raises(ValueError, match="delimiter"):
            memory.import_csv("t", path, delimiter=delimiter)
    bom = write(b"\xef\xbb\xbfa,b\n1,2\n")
    assert memory.import_csv("bom", bom) == 1 and memory.select("bom") == [{"a": 1, "b": 2}]


GOOD = "".join(f"{number},{number}\n" for number in range(10))


@pytest.mark.parametrize(
    ("text", "line", "named"),
    [
        ("id,n\n" + GOOD + "10,x\n", 12, '"n".*INT.*"x"'),
        ("id,n\n" + GOOD + "10\n", 12, "1 fields.*2"),
        ("id,n\n" + GOOD + "10,1,2\n", 12, "3 fields.*2"),
        ("id,n\n" + GOOD + "5,0\n" + "11,0\n", 12, "5|unique"),
        ("id,n\n" + GOOD + ",0\n", 12, "(?:NULL|null)"),
        (b"id,n\n" + GOOD.encode() + b"10,\xff\n", 12, "UTF-8"),
        ('id,n\n"0\n","1"\n1,x\n', 2, "id"),
        ("id,n,id\n1,2,3\n", 1, '"id".*twice'),
        ("id,m\n1,2\n", 1, '"m"'),
        ("id,\n1,2\n", 1, "name"),
        ("", 1, "name"),
    ],
)
def test_errors_name_the_line(memory: p.ProllySQLStore, write, text: str | bytes, line: int, named: str) -> None:
    memory.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)")
    with pytest.raises(p.SqlError, match=f"(?s)line {line}:.*({named})") as caught:
        memory.import_csv("t", write(text))
    assert "data.csv" in str(caught.value)
    assert memory.select("t") == [] and not memory.in_transaction


def test_a_table_is_not_left_behind(memory: p.ProllySQLStore, write) -> None:
    with pytest.raises(p.SqlError, match="line 4"):
        memory.import_csv("t", write("id\n1\n2\n1\n"), primary_key="id")
    assert memory.tables() == []


def test_batches_before_the_error_are_there(memory: p.ProllySQLStore, write) -> None:
    memory.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
    path = write("id\n" + "".join(f"{number}\n" for number in range(2500)) + "x\n")
    with pytest.raises(p.SqlError, match="line 2502"):
        memory.import_csv("t", path)
    assert memory.execute("SELECT COUNT(*) AS n FROM t") == [{"n": 2000}]
    memory.execute("DELETE FROM t")
    with pytest.raises(p.SqlError, match="line 2502"):
        with memory.transaction():
            memory.import_csv("t", path)
    assert memory.execute("SELECT COUNT(*) AS n FROM t") == [{"n": 0}]


def test_files_that_cannot_be_read(memory: p.ProllySQLStore, tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.csv", tmp_path):
        with pytest.raises(p.StorageError, match=path.name):
            memory.import_csv("t", path)
    with pytest.raises(TypeError):
        memory.import_csv("t", 5)


def test_progress(memory: p.ProllySQLStore, write) -> None:
    path = write("id,text\n" + "".join(f"{number},{'x' * 20}\n" for number in range(3500)))
    total = path.stat().st_size
    seen: list[tuple[int, int, int]] = []

    def progress(rows: int, done: int, of: int) -> None:
        seen.append((rows, done, of))
        # Nothing is locked meanwhile.
        assert memory.execute("SELECT COUNT(*) AS n FROM t") == [{"n": rows}]

    assert memory.import_csv("t", path, progress) == 3500
    assert len(seen) >= 4 and seen == sorted(seen) and seen[-1] == (3500, total, total)
    assert all(of == total for _, _, of in seen)

    def stop(rows: int, done: int, of: int) -> None:
        raise ZeroDivisionError(rows)

    with pytest.raises(ZeroDivisionError):
        memory.import_csv("u", path, progress=stop)
    assert memory.execute("SELECT COUNT(*) AS n FROM u") == [{"n": 1000}]


def test_into_a_connection_and_a_transaction(memory: p.ProllySQLStore, write) -> None:
    path = write("id\n" + "".join(f"{number}\n" for number in range(1500)))
    with memory.connect() as session:
        with session.transaction():
            assert session.import_csv("t", path, primary_key="id") == 1500
            assert memory.tables() == []
        assert memory.execute("SELECT COUNT(*) AS n FROM t") == [{"n": 1500}]


def test_memory_is_bounded(tmp_path: Path) -> None:
    code = f"""
        import resource
        import prollytree as p
        path = {str(tmp_path / "data.csv")!r}
        with open(path, "w") as file:
            file.write("id,text\\n")
            for number in range(150_000):
                file.write(f"{{number}},{{number:0100}}\\n")
        sql = p.ProllySQLStore({str(tmp_path / "store")!r}, p.StorageBackend.Redb)
        sql.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert sql.import_csv("t", path) == 150_000
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 100_000, "kB, where the file has 16,000"


def test_an_import_is_committed(open_sql: SqlOpener, write) -> None:
    sql = open_sql(p.StorageBackend.Git)
    sql.import_csv("t", write("id,a\n1,x\n2,y\n"), primary_key="id")
    sql.commit("imported")
    sql.close()
    assert open_sql().at("HEAD").execute("SELECT a FROM t WHERE id = 2") == [{"a": "y"}]
