"""ProllySQLStore: statements, what they give, and in which form."""

from __future__ import annotations

import csv
import io
import json
import pickle
from decimal import Decimal
from pathlib import Path

import pytest

import prollytree as p
from conftest import ALL_BACKENDS, SqlOpener


@pytest.fixture(params=ALL_BACKENDS, ids=str)
def sql(request: pytest.FixtureRequest, open_sql: SqlOpener) -> p.ProllySQLStore:
    return open_sql(request.param)


@pytest.fixture
def users(memory: p.ProllySQLStore) -> p.ProllySQLStore:
    memory.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)")
    memory.execute("INSERT INTO users VALUES (1, 'Alice'), (2, 'Bob'), (3, NULL)")
    return memory


# The document, and 0.4.1.


def test_the_example_of_the_document(tmp_path: Path) -> None:
    sql = p.ProllySQLStore(str(tmp_path / "store"))
    sql.execute("CREATE TABLE users (id INTEGER, name TEXT)")
    sql.execute("INSERT INTO users VALUES (1, 'Alice')")
    rows = sql.execute("SELECT * FROM users WHERE id = 1")
    assert rows == [{"id": 1, "name": "Alice"}]


def test_statements_on_every_backend(sql: p.ProllySQLStore) -> None:
    sql.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)")
    assert sql.execute("INSERT INTO t VALUES (1, 10), (2, 20), (3, 30)") == 3
    assert sql.execute("UPDATE t SET n = n + 1 WHERE id > 1") == 2
    assert sql.execute("DELETE FROM t WHERE id = 3") == 1
    assert sql.execute("SELECT n FROM t ORDER BY id DESC") == [{"n": 21}, {"n": 10}]
    first = sql.commit("rows")
    assert sql.log()[0]["id"] == first and sql.log()[0]["message"].strip() == "rows"
    sql.execute("DROP TABLE t")
    assert sql.at(first).execute("SELECT COUNT(*) AS n FROM t") == [{"n": 2}]
    assert sql.tables() == [] and sql.at("HEAD").tables() == ["t"]


def test_what_statements_give(memory: p.ProllySQLStore) -> None:
    assert memory.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT)") == {"type": "create", "success": True}
    assert memory.execute("INSERT INTO t VALUES (1, 'x'), (2, 'y')") == {"type": "insert", "count": 2}
    assert memory.execute("UPDATE t SET a = 'z'") == {"type": "update", "count": 2}
    assert memory.execute("DELETE FROM t") == {"type": "delete", "count": 2}
    assert memory.execute("ALTER TABLE t ADD COLUMN b TEXT NULL") == {"type": "alter_table", "success": True}
    for text in ["CREATE INDEX i ON t (a)", "BEGIN", "ROLLBACK"]:
        assert memory.execute(text) == {"type": "success", "success": True}
    assert memory.execute("DROP TABLE t") == {"type": "drop_table", "success": True}


def test_the_number_of_rows_is_an_int_and_a_dict(memory: p.ProllySQLStore) -> None:
    memory.execute("CREATE TABLE t (a INTEGER)")
    result = memory.execute("INSERT INTO t VALUES (1), (2), (3)")
    assert isinstance(result, int) and isinstance(result, p.Affected)
    assert result == 3 and result + 1 == 4 and result > 2 and hash(result) == hash(3) and bool(result)
    assert f"{result}" == str(result) == "3" and json.dumps(result) == "3"
    assert result["count"] == 3 and result["type"] == "insert"
    assert result == {"type": "insert", "count": 3} and {"type": "insert", "count": 3} == result
    assert result != {"type": "insert", "count": 2} and result != 2 and result != "3"
    assert dict(result) == {"type": "insert", "count": 3} == eval(repr(result))
    assert list(result.keys()) == ["type", "count"] and list(result.values()) == ["insert", 3]
    assert dict(result.items()) == dict(result) and "count" in result and "rows" not in result
    assert result.get("count") == 3 and result.get("rows") is None and result.get("rows", 0) == 0
    with pytest.raises(KeyError):
        result["rows"]
    copy = pickle.loads(pickle.dumps(result))
    assert copy == result and copy["type"] == "insert"
    nothing = memory.execute("DELETE FROM t WHERE a > 5")
    assert nothing == 0 and not nothing and nothing == {"type": "delete", "count": 0}


def test_several_statements_give_what_the_first_gave(memory: p.ProllySQLStore) -> None:
    text = "CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)"
    assert memory.execute(text) == {"type": "create", "success": True}
    assert memory.execute("SELECT a FROM t ORDER BY a; DELETE FROM t") == [{"a": 1}, {"a": 2}]
    assert memory.execute("SELECT * FROM t;") == []
    # Each sees what those before it did, also to the tables themselves.
    memory.execute("DROP TABLE t; CREATE TABLE t (b TEXT PRIMARY KEY); INSERT INTO t VALUES ('x')")
    assert memory.execute("SELECT * FROM t WHERE b = 'x'") == [{"b": "x"}]


def test_a_failing_statement_ends_the_text(memory: p.ProllySQLStore) -> None:
    memory.execute("CREATE TABLE t (a INTEGER PRIMARY KEY)")
    with pytest.raises(p.SqlError):
        memory.execute("INSERT INTO t VALUES (1); INSERT INTO t VALUES (2), (1); INSERT INTO t VALUES (3)")
    assert memory.execute("SELECT a FROM t") == [{"a": 1}]
    with pytest.raises(p.SqlError):
        memory.execute("INSERT INTO t VALUES (4); INSERT INTO t VALUES (5")
    assert memory.execute("SELECT a FROM t") == [{"a": 1}], "nothing runs of a text that is not SQL"


@pytest.mark.parametrize("text", ["", "  ", ";", "-- only a remark"])
def test_a_text_without_a_statement(memory: p.ProllySQLStore, text: str) -> None:
    with pytest.raises(p.SqlError, match="no statement"):
        memory.execute(text)


def test_execute_many(memory: p.ProllySQLStore) -> None:
    results = memory.execute_many(["CREATE TABLE t (a INTEGER)", "INSERT INTO t VALUES (1), (2)", "SELECT a FROM t"])
    assert results == [{"type": "create", "success": True}, 2, [{"a": 1}, {"a": 2}]]
    assert memory.execute_many([]) == []
    total = memory.execute_many("INSERT INTO t VALUES (?)", ((number,) for number in range(100)))
    assert total == {"type": "insert", "count": 100}
    assert memory.execute_many("UPDATE t SET a = -a WHERE a >= $1", [[50], [10]]) == 50 + 40
    assert memory.execute_many("DELETE FROM t WHERE a = ?", []) == {"type": "delete", "count": 0}
    for text in ["SELECT a FROM t", "INSERT INTO t VALUES (1); DELETE FROM t", "BEGIN", ""]:
        with pytest.raises(p.SqlError, match="one INSERT, UPDATE or DELETE"):
            memory.execute_many(text, [()])
    for arguments in [("DELETE FROM t",), (["DELETE FROM t"], [()]), ("DELETE FROM t WHERE a = ?", [1]), ([1],), (1,)]:
        with pytest.raises(TypeError):
            memory.execute_many(*arguments)


def test_execute_many_with_parameters_is_all_or_nothing(memory: p.ProllySQLStore) -> None:
    memory.execute("CREATE TABLE t (a INTEGER PRIMARY KEY)")
    with pytest.raises(p.SqlError):
        memory.execute_many("INSERT INTO t VALUES (?)", [(1,), (2,), (1,)])
    assert memory.execute("SELECT * FROM t") == [] and not memory.in_transaction
    with memory.transaction():
        memory.execute_many("INSERT INTO t VALUES (?)", [(1,), (2,)])
        with pytest.raises(p.SqlError):
            memory.execute_many("INSERT INTO t VALUES (?)", [(3,), (4,), (3,)])
        assert memory.in_transaction
    assert memory.execute("SELECT COUNT(*) AS n FROM t") == [{"n": 2}]


def test_create_table_insert_and_select(memory: p.ProllySQLStore) -> None:
    created = memory.create_table("t", [("id", "INTEGER PRIMARY KEY"), ("name", "TEXT"), ("price", "DECIMAL NULL")])
    assert created == {"type": "create", "success": True}
    assert memory.insert("t", [[1, "a", Decimal("1.10")], [2, "b", None]]) == {"type": "insert", "count": 2}
    assert memory.insert("t", iter([(3, "c")]), columns=["id", "name"]) == 1
    assert memory.insert("t", []) == {"type": "insert", "count": 0}
    assert memory.select("t", ["price", "id"], "id < 3") == [
        {"price": Decimal("1.10"), "id": 1},
        {"price": None, "id": 2},
    ]
    assert memory.select("t", where_clause="name = ? AND id > ?", params=("b", 1)) == [
        {"id": 2, "name": "b", "price": None}
    ]
    assert memory.select("t", columns=["name"]) == [{"name": "a"}, {"name": "b"}, {"name": "c"}]
    for action in (
        lambda: memory.insert("t", [[4, "d", None], [5]]),
        lambda: memory.insert("t", [[1, "again", None]]),
        lambda: memory.insert("nothing", [[1]]),
        lambda: memory.insert("nothing", []),
        lambda: memory.insert("t", [[4]], columns=["nothing"]),
        lambda: memory.select("nothing"),
        lambda: memory.select("t", ["nothing"]),
        lambda: memory.create_table("t", [("id", "INTEGER")]),
        lambda: memory.create_table("u", [("id", "NOTHING")]),
    ):
        with pytest.raises(p.SqlError):
            action()
    assert memory.execute("SELECT COUNT(*) AS n FROM t") == [{"n": 3}]


def test_tables_and_their_columns(memory: p.ProllySQLStore) -> None:
    assert memory.tables() == []
    memory.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NULL DEFAULT 'x', b INET UNIQUE)")
    memory.execute("CREATE TABLE pair (a INT8, b UUID, c MAP NULL, PRIMARY KEY (b, a))")
    memory.execute("CREATE TABLE free")
    assert memory.tables() == ["free", "pair", "t"]
    keys = ("name", "type", "nullable", "default", "unique", "primary_key")
    assert [tuple(column[key] for key in keys) for column in memory.schema("t")] == [
        ("id", "INT", False, None, True, 1),
        ("a", "TEXT", True, "'x'", False, None),
        ("b", "INET", True, None, True, None),
    ]
    assert [(column["name"], column["type"], column["primary_key"]) for column in memory.schema("pair")] == [
        ("a", "INT8", 2),
        ("b", "UUID", 1),
        ("c", "MAP", None),
    ]
    assert memory.schema("free") == []
    with pytest.raises(p.SqlError, match="nothing"):
        memory.schema("nothing")
    memory.commit()
    memory.execute("DROP TABLE t")
    assert memory.at("HEAD").tables() == ["free", "pair", "t"]
    assert [column["name"] for column in memory.at("HEAD").schema("t")] == ["id", "a", "b"]


def test_show(users: p.ProllySQLStore) -> None:
    assert users.execute("SHOW TABLES") == [{"TABLE_NAME": "users"}]
    assert users.execute("SHOW COLUMNS FROM users", format="tuples")[1] == [["id", "INT"], ["name", "TEXT"]]


# Forms.


def test_forms(users: p.ProllySQLStore) -> None:
    query = "SELECT id, name FROM users ORDER BY id"
    dicts = [{"id": 1, "name": "Alice"}, {"id": 2, "name": "Bob"}, {"id": 3, "name": None}]
    for form in ("dict", "dicts"):
        assert users.execute(query, format=form) == users.execute(query, form) == dicts
        assert users.execute(query, None, form) == users.execute(query, (), form) == dicts
    assert users.execute(query) == dicts
    tuples = (["id", "name"], [[1, "Alice"], [2, "Bob"], [3, None]])
    assert users.execute(query, "tuples") == users.execute(query, format="tuples") == tuples
    assert json.loads(users.execute(query, "json")) == dicts
    text = users.execute(query, format="csv")
    assert text == "id,name\r\n1,Alice\r\n2,Bob\r\n3,\r\n"
    assert users.execute("DELETE FROM users", "json") == 3
    assert users.execute(query, "json") == "[]" and users.execute(query, "csv") == "id,name\r\n"
    assert users.execute(query, "tuples") == (["id", "name"], [])


@pytest.mark.parametrize("form", ["xml", "", "DICT", "tuple"])
def test_an_unknown_form_is_named_and_nothing_runs(users: p.ProllySQLStore, form: str) -> None:
    for arguments in (("DELETE FROM users", form), ("DELETE FROM users", None, form)):
        with pytest.raises(ValueError, match=f'"{form}"'):
            users.execute(*arguments)
    assert users.execute("SELECT COUNT(*) AS n FROM users") == [{"n": 3}]


def test_params_of_other_types(users: p.ProllySQLStore) -> None:
    for params in ({"id": 1}, 1, {1}, b"x"):
        with pytest.raises(TypeError, match="tuple or list"):
            users.execute("SELECT * FROM users WHERE id = $1", params)
    with pytest.raises(TypeError):
        users.execute("SELECT * FROM users", "json", "json")


def test_labels_that_repeat(users: p.ProllySQLStore) -> None:
    users.execute("CREATE TABLE other (id INTEGER PRIMARY KEY, name TEXT)")
    users.execute("INSERT INTO other VALUES (1, 'Other')")
    query = "SELECT * FROM users JOIN other ON users.id = other.id"
    for form in ("dict", "json"):
        with pytest.raises(p.SqlError, match='"id".*tuples'):
            users.execute(query, form)
    assert users.execute(query, "tuples") == (["id", "name", "id", "name"], [[1, "Alice", 1, "Other"]])
    assert users.execute(query, "csv") == "id,name,id,name\r\n1,Alice,1,Other\r\n"
    renamed = "SELECT users.id, users.name, other.name AS other FROM users JOIN other ON users.id = other.id"
    assert users.execute(renamed) == [{"id": 1, "name": "Alice", "other": "Other"}]


def test_csv_is_read_by_a_reader_of_csv(memory: p.ProllySQLStore) -> None:
    texts = ["plain", "a,b", 'say "hi"', "two\r\nlines", "", " space ", "'"]
    memory.create_table("t", [("id", "INTEGER PRIMARY KEY"), ("a", "TEXT NULL")])
    memory.insert("t", list(enumerate([*texts, None])))
    lines = list(csv.reader(io.StringIO(memory.execute("SELECT a, id FROM t", "csv"), newline=""), strict=True))
    assert lines == [["a", "id"], *([text, str(number)] for number, text in enumerate([*texts, ""]))]


def test_tables_without_a_schema(memory: p.ProllySQLStore) -> None:
    memory.execute("CREATE TABLE free")
    memory.execute("""INSERT INTO free VALUES ('{"a": 1, "b": [true]}'), ('{"b": {"c": null}}')""")
    rows = [{"a": 1, "b": [True]}, {"b": {"c": None}}]
    assert memory.execute("SELECT * FROM free") == rows
    assert json.loads(memory.execute("SELECT * FROM free", "json")) == rows
    assert memory.execute("SELECT * FROM free", "tuples") == (["a", "b"], [[1, [True]], [None, {"c": None}]])


# Injection.

EVIL = ["x'; DROP TABLE users; --", "' OR '1'='1", '"; DELETE FROM users; --', "$1", "?", "\x00", "\\'", "a\x01b"]


@pytest.mark.parametrize("evil", EVIL)
def test_values_are_bound(users: p.ProllySQLStore, evil: str) -> None:
    users.execute("INSERT INTO users VALUES (?, ?)", (10, evil))
    users.insert("users", [[11, evil]])
    for rows in (
        users.execute("SELECT id FROM users WHERE name = $1", (evil,)),
        users.execute("SELECT id FROM users WHERE name = ?", [evil]),
        users.select("users", ["id"], "name = $1", (evil,)),
    ):
        assert rows == [{"id": 10}, {"id": 11}]
    assert users.execute("SELECT COUNT(*) AS n FROM users") == [{"n": 5}]


@pytest.mark.parametrize(
    "clause",
    [
        "1=1; DROP TABLE users",
        "1=1); DROP TABLE users; --",
        "1=1) OR (1=1",
        "1=1 -- */ \n; DROP TABLE users",
        "1=1 /* ; */ ; DELETE FROM users",
        "1=1 /*",
        "1=1 UNION SELECT 1",
        "1=1 ORDER BY id",
        "1=1 LIMIT 1",
        "",
        "--",
        "id =",
        "'",
    ],
)
def test_a_condition_is_one_expression(users: p.ProllySQLStore, clause: str) -> None:
    with pytest.raises(p.SqlError):
        users.select("users", where_clause=clause)
    assert users.execute("SELECT COUNT(*) AS n FROM users") == [{"n": 3}]


def test_conditions_that_are_expressions(users: p.ProllySQLStore) -> None:
    for clause in [
        "id = 1 -- the first",
        "id = 1 /* the first */",
        "id IN (SELECT id FROM users WHERE id < 2)",
        "name = 'Alice' AND name <> '; DROP TABLE users --'",
    ]:
        assert users.select("users", ["id"], clause) == [{"id": 1}]


@pytest.mark.parametrize("name", ['a"b', "a b", "a;b", "select", "Ä", "a--b", "'", "A"])
def test_names_are_quoted(memory: p.ProllySQLStore, name: str) -> None:
    memory.create_table(name, [(name, "INTEGER PRIMARY KEY"), ("other", "TEXT")])
    memory.insert(name, [[1, "x"]])
    memory.insert(name, [["y", 2]], columns=["other", name])
    assert memory.select(name, [name]) == [{name: 1}, {name: 2}]
    assert memory.tables() == [name] and [column["name"] for column in memory.schema(name)] == [name, "other"]


@pytest.mark.parametrize("name", ["users; DROP TABLE users", 'users"; DROP TABLE users; --', "users--"])
def test_a_name_is_never_more_than_a_name(users: p.ProllySQLStore, name: str) -> None:
    for action in (
        lambda: users.select(name),
        lambda: users.select("users", [name]),
        lambda: users.insert(name, [[1]]),
        lambda: users.schema(name),
    ):
        with pytest.raises(p.SqlError):
            action()
    assert users.execute("SELECT COUNT(*) AS n FROM users") == [{"n": 3}]


@pytest.mark.parametrize("kind", ["INTEGER); DROP TABLE users; --", "INT, b INT", "INT) AS SELECT (1", "", "--"])
def test_a_type_is_never_more_than_a_type(users: p.ProllySQLStore, kind: str) -> None:
    with pytest.raises(p.SqlError):
        users.create_table("t", [("a", kind)])
    assert users.tables() == ["users"]


@pytest.mark.parametrize("name", ["", "a\x00b", "a\x01b", "users@HEAD", "@"])
def test_names_that_no_table_can_have(memory: p.ProllySQLStore, name: str) -> None:
    with pytest.raises(p.SqlError):
        memory.create_table(name, [("a", "INTEGER")])
    assert memory.tables() == []


# Errors.


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("SELEC 1", "SELEC"),
        ("SELECT * FROM nothing", "nothing"),
        ("SELECT nothing FROM users", "nothing"),
        ("SELECT *\nFROM users\nWHERE )", "Line: 3"),
        ("INSERT INTO users VALUES (1, 'again')", "users|id|1"),
        ("INSERT INTO users VALUES (70, 'a'), (70, 'b')", "70"),
        ("INSERT INTO users VALUES ('x', 'a')", "x"),
        ("CREATE TABLE users (id INTEGER)", "users"),
        ("SELECT $1", r"\$?1"),
        ("COMMIT", "transaction"),
        ("ROLLBACK", "transaction"),
    ],
)
def test_errors_name_what_is_wrong(users: p.ProllySQLStore, text: str, named: str) -> None:
    before = users.execute("SELECT * FROM users", "tuples")
    with pytest.raises(p.SqlError, match=named) as caught:
        users.execute(text)
    assert isinstance(caught.value, p.ProllyTreeError) and isinstance(caught.value, ValueError)
    assert users.execute("SELECT * FROM users", "tuples") == before


def test_a_closed_store(tmp_path: Path) -> None:
    sql = p.ProllySQLStore(tmp_path / "store", p.StorageBackend.Redb)
    sql.execute("CREATE TABLE t (a INTEGER)")
    sql.commit()
    connection, snapshot = sql.connect(), sql.at("HEAD")
    sql.close()
    assert sql.closed and connection.closed and repr(sql).endswith("closed)")
    for runner in (sql, connection, snapshot):
        with pytest.raises(p.StorageError, match="closed"):
            runner.execute("SELECT * FROM t")
    with pytest.raises(p.StorageError):
        with sql:
            pass
    with pytest.raises(p.StorageError):
        with connection:
            pass
    sql.close()
    with pytest.raises(p.StorageError):
        p.ProllySQLStore.open(tmp_path / "nothing")
    with p.ProllySQLStore.open(tmp_path / "store") as again:
        assert again.tables() == ["t"]
