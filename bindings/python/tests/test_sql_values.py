"""Values of SQL and of Python: each as itself, both ways."""

from __future__ import annotations

import datetime as dt
import enum
import ipaddress
import json
import math
import pickle
import uuid
from collections.abc import Callable
from decimal import Decimal, getcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import prollytree as p

INF, NAN = math.inf, math.nan

# The type of a column, and values that it must keep.
KEPT: dict[str, list[Any]] = {
    "BOOLEAN": [True, False],
    "INT8": [-128, 127],
    "INT16": [-(2**15), 2**15 - 1],
    "INT32": [-(2**31), 2**31 - 1],
    "INTEGER": [-(2**63), 0, 2**63 - 1],
    "INT128": [-(2**127), -1, 2**127 - 1],
    "UINT8": [0, 255],
    "UINT16": [2**16 - 1],
    "UINT32": [2**32 - 1],
    "UINT64": [2**64 - 1],
    "UINT128": [0, 2**128 - 1],
    "FLOAT32": [0.5, -1.25, INF, -INF],
    "FLOAT": [0.1, -0.0, 5e-324, 1.7976931348623157e308, INF, -INF, 3.0],
    "DECIMAL": [Decimal("1.10"), Decimal("-79228162514264337593543950335"), Decimal("1E-28"), Decimal(0)],
    "TEXT": ["", "a", "é𝄞\n\t", "\x00", "'; --", "x" * 100_000],
    "BYTEA": [b"", b"\x00\xff", bytes(range(256)) * 100],
    "DATE": [dt.date.min, dt.date(2024, 2, 29), dt.date.max],
    "TIME": [dt.time.min, dt.time(1, 2, 3, 4), dt.time.max],
    "TIMESTAMP": [dt.datetime.min, dt.datetime(2024, 2, 29, 1, 2, 3, 4), dt.datetime.max],
    "INTERVAL": [
        dt.timedelta(0),
        dt.timedelta(days=-1, microseconds=1),
        dt.timedelta(microseconds=2**63 - 1),
        dt.timedelta(microseconds=-(2**63)),
        p.Months(14),
        p.Months(-(2**31)),
    ],
    "UUID": [uuid.UUID(int=0), uuid.UUID(int=2**128 - 1), uuid.UUID("936da01f-9abd-4d9d-80c7-02af85c822a8")],
    "INET": [ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::ffff:1.2.3.4"), ipaddress.ip_address("::1")],
    "POINT": [p.Point(1.5, -2.0), p.Point(INF, 0.1)],
    "LIST": [[], [1, None, "a", [True, 2.5], {"b": b"\x00"}], [dt.date(2024, 1, 1), Decimal("1.5"), uuid.UUID(int=7)]],
    "MAP": [{}, {"a": 1, "": None, "é": {"b": [1, 2]}}, {"big": 2**127 - 1, "nan": INF}],
}
CASES = [(kind, value) for kind, values in KEPT.items() for value in values]


def written(value: object) -> str:
    """A value with its types, the sign of a zero, the digits of a Decimal; a MAP has its keys in order."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key!r}: {written(value[key])}' for key in sorted(value))}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    return repr(value)


def same(left: object, right: object) -> bool:
    return type(left) is type(right) and left == right and written(left) == written(right)


@pytest.mark.parametrize(("kind", "value"), CASES, ids=lambda value: repr(value)[:30])
def test_what_a_column_keeps(memory: p.ProllySQLStore, kind: str, value: object) -> None:
    memory.create_table("t", [("id", "INTEGER PRIMARY KEY"), ("v", f"{kind} NULL")])
    memory.execute("INSERT INTO t VALUES (1, ?)", (value,))
    memory.execute("INSERT INTO t VALUES (2, NULL), (3, NULL)")
    memory.execute("UPDATE t SET v = $1 WHERE id = 2", [value])
    memory.insert("t", [(4, value)])
    rows = [row["v"] for row in memory.execute("SELECT v FROM t ORDER BY id")]
    assert rows[2] is None
    for row in (rows[0], rows[1], rows[3]):
        assert same(row, value)
    memory.commit()
    assert same(memory.at("HEAD").execute("SELECT v FROM t WHERE id = 1")[0]["v"], value)


@pytest.mark.parametrize(("kind", "value"), CASES, ids=lambda value: repr(value)[:30])
def test_what_a_parameter_is_by_itself(memory: p.ProllySQLStore, kind: str, value: object) -> None:
    assert same(memory.execute("SELECT $1 AS v", (value,))[0]["v"], value)


@pytest.mark.parametrize("kind", [kind for kind in KEPT if kind not in ("FLOAT32", "FLOAT", "LIST", "MAP", "POINT")])
def test_keys_of_every_type_are_found(memory: p.ProllySQLStore, kind: str) -> None:
    memory.create_table("t", [("k", f"{kind} PRIMARY KEY"), ("n", "INTEGER")])
    values = [value for value in KEPT[kind] if not (isinstance(value, str) and len(value) > 1000)]
    for number, value in enumerate(values):
        memory.execute("INSERT INTO t VALUES (?, ?)", (value, number))
    for number, value in enumerate(values):
        assert memory.execute("SELECT n FROM t WHERE k = $1", (value,)) == [{"n": number}], value
        with pytest.raises(p.SqlError):
            memory.execute("INSERT INTO t VALUES (?, 0)", (value,))
    for number, value in enumerate(values):
        assert memory.execute("UPDATE t SET n = n WHERE k = ?", (value,)) == 1, value
        assert memory.execute("DELETE FROM t WHERE k = ?", (value,)) == 1, value


def test_a_decimal_key_is_found_by_any_number_that_is_equal(memory: p.ProllySQLStore) -> None:
    memory.execute("CREATE TABLE t (k DECIMAL PRIMARY KEY, n INTEGER)")
    memory.execute("INSERT INTO t VALUES (1.5, 1), (2, 2), (0.1, 3)")
    for text in ["1.5", "1.50"]:
        assert memory.execute(f"SELECT n FROM t WHERE k = {text}") == [{"n": 1}]
    for value in [Decimal("1.5"), Decimal("1.500")]:
        assert memory.execute("SELECT n FROM t WHERE k = $1", (value,)) == [{"n": 1}]
    assert memory.execute("SELECT n FROM t WHERE k = 2") == [{"n": 2}]
    assert memory.execute("SELECT n FROM t WHERE k = $1", (2,)) == [{"n": 2}]
    with pytest.raises(p.SqlError):
        memory.execute("INSERT INTO t VALUES (1.50, 4)")


def test_floats_that_are_no_numbers(memory: p.ProllySQLStore) -> None:
    for kind in ("FLOAT", "FLOAT32"):
        memory.create_table(kind, [("v", kind)])
        memory.insert(kind, [[NAN]])
        (row,) = memory.select(kind)
        assert math.isnan(row["v"])
        assert memory.execute(f"SELECT v FROM {kind}", "json") == '[{"v":"NaN"}]'
    assert math.isnan(memory.execute("SELECT $1 AS v", (NAN,))[0]["v"])


class Colour(enum.IntEnum):
    RED = 3


class Index:
    def __index__(self) -> int:
        return 7


# The type of a column, a parameter, and what is stored.
ADAPTED = [
    ("FLOAT", 3, 3.0),
    ("FLOAT", 2**53, 2.0**53),
    ("FLOAT", Decimal("0.1"), 0.1),
    ("FLOAT32", 0.1, 0.10000000149011612),
    ("FLOAT32", 3, 3.0),
    ("DECIMAL", 3, Decimal(3)),
    ("DECIMAL", -(2**90), Decimal(-(2**90))),
    ("DECIMAL", 9.99, Decimal("9.99")),
    ("INT8", Colour.RED, 3),
    ("UINT128", Index(), 7),
    ("TIMESTAMP", dt.date(2024, 2, 29), dt.datetime(2024, 2, 29)),
    ("DATE", "2024-02-29", dt.date(2024, 2, 29)),
    ("TIMESTAMP", "2024-02-29T01:02:03", dt.datetime(2024, 2, 29, 1, 2, 3)),
    ("TIME", "01:02:03", dt.time(1, 2, 3)),
    ("UUID", "936da01f-9abd-4d9d-80c7-02af85c822a8", uuid.UUID("936da01f-9abd-4d9d-80c7-02af85c822a8")),
    ("UUID", uuid.UUID(int=5).bytes, uuid.UUID(int=5)),
    ("INET", "::1", ipaddress.ip_address("::1")),
    ("POINT", (1.0, 2.0), p.Point(1.0, 2.0)),
    ("MAP", '{"a": [1]}', {"a": [1]}),
    ("LIST", "[1, null]", [1, None]),
    ("LIST", (1, (2, 3)), [1, [2, 3]]),
    ("BYTEA", bytearray(b"ab"), b"ab"),
    ("BYTEA", memoryview(b"abcd")[::2], b"ac"),
    (
        "TIMESTAMP",
        dt.datetime(2024, 1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=2))),
        dt.datetime(2023, 12, 31, 23),
    ),
]


@pytest.mark.parametrize(("kind", "given_", "stored"), ADAPTED, ids=lambda value: repr(value)[:30])
def test_a_parameter_becomes_what_its_column_is(
    memory: p.ProllySQLStore, kind: str, given_: object, stored: object
) -> None:
    memory.create_table("t", [("id", "INTEGER PRIMARY KEY"), ("v", f"{kind} NULL")])
    memory.execute("INSERT INTO t (v, id) VALUES (?, 1)", (given_,))
    memory.execute("INSERT INTO t VALUES (2, NULL)")
    memory.execute("UPDATE t SET v = ? WHERE id = 2", (given_,))
    memory.insert("t", [[given_, 3]], columns=["v", "id"])
    rows = memory.execute("SELECT v FROM t", "tuples")[1]
    assert len(rows) == 3 and all(same(row, stored) for (row,) in rows)


# The type of a column, and a parameter that it cannot hold.
REFUSED = [
    ("INT8", 128),
    ("INT8", -129),
    ("UINT8", -1),
    ("INTEGER", 2**63),
    ("UINT128", -1),
    ("INT128", 2**127),
    ("INTEGER", 1.0),
    ("INTEGER", Decimal(1)),
    ("INTEGER", True),
    ("INTEGER", "x"),
    ("INTEGER", b"1"),
    ("BOOLEAN", 1),
    ("FLOAT", 2**53 + 1),
    ("FLOAT32", 2**24 + 1),
    ("FLOAT32", 1e39),
    ("DECIMAL", 2**97),
    ("DECIMAL", NAN),
    ("DECIMAL", 1e300),
    ("TEXT", 1),
    ("TEXT", b"a"),
    ("DATE", dt.datetime(2024, 1, 1)),
    ("DATE", "2024-02-30"),
    ("TIME", dt.timedelta(1)),
    ("UUID", "x"),
    ("UUID", b"short"),
    ("INET", "1.2.3"),
    ("POINT", (1.0,)),
    ("POINT", "x"),
    ("MAP", [1]),
    ("LIST", {"a": 1}),
    ("MAP", "[1]"),
]


@pytest.mark.parametrize(("kind", "value"), REFUSED, ids=lambda value: repr(value)[:30])
def test_what_a_column_cannot_hold_is_refused(memory: p.ProllySQLStore, kind: str, value: object) -> None:
    memory.create_table("t", [("id", "INTEGER PRIMARY KEY"), ("v", f"{kind} NULL")])
    memory.execute("INSERT INTO t VALUES (0, NULL)")
    for action in (
        lambda: memory.execute("INSERT INTO t VALUES (1, ?)", (value,)),
        lambda: memory.execute("UPDATE t SET v = ?", (value,)),
        lambda: memory.insert("t", [[2, None], [3, value]]),
    ):
        with pytest.raises(p.SqlError):
            action()
    assert memory.select("t") == [{"id": 0, "v": None}]


class NoValue:
    pass


def nested(depth: int, wrap: Callable[[Any], Any]) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = wrap(value)
    return value


itself: list[Any] = []
itself.append(itself)

# A parameter for which there is no value in SQL, the error, and what it says.
IMPOSSIBLE = [
    (2**128, OverflowError, "129 bits"),
    (-(2**127) - 1, OverflowError, "128 bits"),
    (1 << 100_000, OverflowError, "100001 bits"),
    (Decimal("NaN"), p.SqlError, "NaN"),
    (Decimal("-Infinity"), p.SqlError, "Infinity"),
    (Decimal("1E+999999"), p.SqlError, "999999"),
    (Decimal("1E-29"), p.SqlError, "1E-29"),
    (Decimal("79228162514264337593543950336"), p.SqlError, "79228162514264337593543950336"),
    (dt.time(1, tzinfo=dt.timezone.utc), p.SqlError, "zone"),
    (dt.timedelta.max, OverflowError, "999999999 days"),
    (ipaddress.ip_address("fe80::1%eth0"), p.SqlError, "fe80::1%eth0"),
    (NoValue(), TypeError, "NoValue"),
    ({1, 2}, TypeError, "set"),
    (1j, TypeError, "complex"),
    (int, TypeError, "type"),
    ({1: 2}, TypeError, "int"),
    ([1, [NoValue()]], TypeError, "NoValue"),
    (itself, p.SqlError, "deep"),
    (nested(1000, lambda value: {"a": value}), p.SqlError, "deep"),
    ("\ud800", UnicodeEncodeError, "surrogates"),
    (p.Months(2**31), OverflowError, ""),
]


@pytest.mark.parametrize(("value", "error", "named"), IMPOSSIBLE, ids=lambda value: str(type(value)))
def test_what_has_no_value_in_sql_is_named(
    memory: p.ProllySQLStore, value: object, error: type[Exception], named: str
) -> None:
    memory.execute("CREATE TABLE t (a INTEGER, b MAP NULL)")
    for action in (
        lambda: memory.execute("INSERT INTO t VALUES ($1, $2)", (1, value)),
        lambda: memory.execute_many("INSERT INTO t VALUES ($1, $2)", [(1, None), (1, value)]),
        lambda: memory.insert("t", [[1, None], [1, value]]),
        lambda: memory.select("t", None, "a = $1 OR a = $2", (1, value)),
    ):
        with pytest.raises(error) as caught:
            action()
        assert named in str(caught.value)
        if error in (TypeError, p.SqlError):
            assert "parameter 2" in str(caught.value) or "row 2, value 2" in str(caught.value)
    assert memory.select("t") == []


def test_a_property_that_fails_passes_through(memory: p.ProllySQLStore) -> None:
    class Broken:
        def __index__(self) -> int:
            raise ZeroDivisionError("here")

    with pytest.raises(ZeroDivisionError, match="here"):
        memory.execute("SELECT $1", (Broken(),))


def test_deep_values_come_back(memory: p.ProllySQLStore) -> None:
    value = nested(60, lambda value: [value])
    memory.execute("CREATE TABLE t (v LIST)")
    memory.insert("t", [[value]])
    assert memory.select("t") == [{"v": value}]


def test_times_that_python_has_not(memory: p.ProllySQLStore) -> None:
    memory.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v TIMESTAMP)")
    memory.execute("INSERT INTO t VALUES (1, '2024-01-01T00:00:00.123456789'), (2, '+12000-01-01T00:00:00')")
    assert memory.select("t", ["v"], "id = 1") == [{"v": dt.datetime(2024, 1, 1, 0, 0, 0, 123456)}]
    assert memory.execute("SELECT v FROM t WHERE id = 1", "csv").splitlines()[1] == "2024-01-01T00:00:00.123456789"
    with pytest.raises(p.SqlError, match="12000"):
        memory.select("t", ["v"], "id = 2")
    assert "12000-01-01" in memory.execute("SELECT v FROM t WHERE id = 2", "json")
    assert isinstance(memory.execute("SELECT NOW() AS v")[0]["v"], dt.datetime)


def test_json_has_every_digit(memory: p.ProllySQLStore) -> None:
    row = {
        "i": 2**127 - 1,
        "f": 0.1,
        "d": Decimal("1234567890123456789012345.678"),
        "t": 'é"\\\n\x00',
        "b": b"\x00\xff",
        "n": None,
        "y": True,
        "l": [1, {"a": None}],
        "u": uuid.UUID(int=1),
        "w": dt.datetime(2024, 2, 29, 1, 2, 3, 4),
    }
    labels = ", ".join(f"${number} AS {name}" for number, name in enumerate(row, 1))
    text = memory.execute(f"SELECT {labels}", list(row.values()), "json")
    assert json.loads(text, parse_float=Decimal) == [
        row
        | {
            "f": Decimal("0.1"),
            "b": "00ff",
            "u": str(uuid.UUID(int=1)),
            "w": "2024-02-29T01:02:03.000004",
        }
    ]


def test_points_and_months_are_values() -> None:
    assert p.Point(1.0, 2.0) == (1.0, 2.0) and p.Point(x=1.0, y=2.0).y == 2.0
    assert len({p.Months(2), p.Months(2)}) == 1 and p.Months(2) != 2
    for value in (p.Point(1.0, 2.0), p.Months(2)):
        assert pickle.loads(pickle.dumps(value)) == value and eval(repr(value), {type(value).__name__: type(value)})


DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, places=5, min_value=-(10**20), max_value=10**20)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**127), 2**128 - 1),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(),
    DECIMALS,
    st.dates(),
    st.times().map(lambda time: time.replace(fold=0)),
    st.datetimes().map(lambda time: time.replace(fold=0)),
    st.timedeltas(min_value=dt.timedelta(days=-(10**8)), max_value=dt.timedelta(days=10**8)),
    st.uuids(),
    st.ip_addresses().filter(lambda address: not getattr(address, "scope_id", None)),
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> p.ProllySQLStore:
    store = p.ProllySQLStore(tmp_path_factory.mktemp("values"), p.StorageBackend.InMemory)
    store.execute("CREATE TABLE t (v LIST)")
    return store


@given(st.lists(VALUES))
def test_any_value_comes_back(shared: p.ProllySQLStore, values: list[Any]) -> None:
    shared.execute("DELETE FROM t")
    shared.execute("INSERT INTO t VALUES ($1)", (values,))
    assert written(shared.select("t")) == written([{"v": values}])
    assert written(shared.execute("SELECT $1 AS v", (values,))) == written([{"v": values}])
    json.loads(shared.execute("SELECT v FROM t", "json"))


def test_the_context_of_decimals_does_not_round(memory: p.ProllySQLStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getcontext(), "prec", 3)
    value = Decimal("1234567.891")
    assert memory.execute("SELECT $1 AS v", (value,)) == [{"v": value}]
