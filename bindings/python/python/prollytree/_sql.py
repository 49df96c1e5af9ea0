"""Value types of SQL. Invariant: as in ``_types``, and only a wheel with ``ProllySQLStore`` exports them."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self, disjoint_base
else:

    def disjoint_base(cls: type) -> type:
        return cls


@disjoint_base  # an int has no room for more attributes, so a subclass that has one cannot be mixed with another
class Affected(int):
    """The number of rows that a statement has affected: an ``int``.

    It also answers as the dict that version 0.4.1 gave: ``{"type": "insert" | "update" | "delete", "count": number}``.
    """

    kind: Literal["insert", "update", "delete"]

    def __new__(cls, count: int, kind: Literal["insert", "update", "delete"]) -> Self:
        self = super().__new__(cls, count)
        self.kind = kind
        return self

    def __getnewargs__(self) -> tuple[int, Literal["insert", "update", "delete"]]:  # type: ignore[override]
        return (int(self), self.kind)

    def _dict(self) -> dict[str, str | int]:
        return {"type": self.kind, "count": int(self)}

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Mapping):
            return self._dict() == other
        return int(self) == other

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(int(self))

    def __getitem__(self, key: str) -> str | int:
        return self._dict()[key]

    def __contains__(self, key: object) -> bool:
        return key in ("type", "count")

    def __iter__(self) -> Iterator[str]:
        return iter(self._dict())

    def get(self, key: str, default: Any = None) -> Any:
        """``"type"`` or ``"count"``; ``default`` for anything else."""
        return self._dict().get(key, default)

    def keys(self) -> KeysView[str]:
        """``"type"`` and ``"count"``."""
        return self._dict().keys()

    def values(self) -> ValuesView[str | int]:
        """The kind of the statement, and the number of rows."""
        return self._dict().values()

    def items(self) -> ItemsView[str, str | int]:
        """The pairs of the dict."""
        return self._dict().items()

    def __repr__(self) -> str:
        return repr(self._dict())

    def __str__(self) -> str:
        return str(int(self))


class Point(NamedTuple):
    """A POINT: a tuple of two floats with names. (A plain tuple is a LIST, but where it is stored in a POINT column.)"""

    x: float
    y: float


@dataclass(frozen=True)
class Months:
    """An INTERVAL of whole months. (One of days to microseconds is a ``datetime.timedelta``.)"""

    months: int


class _Session(Protocol):
    @property
    def in_transaction(self) -> bool: ...
    def execute(self, query: str) -> object: ...


_S = TypeVar("_S", bound=_Session)


class _Transaction(Generic[_S]):
    """What ``transaction()`` returns: a transaction for a ``with`` statement. It gives the session that it is of."""

    def __init__(self, session: _S, /) -> None:
        self._session = session

    def __enter__(self) -> _S:
        self._session.execute("BEGIN")
        return self._session

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None, /
    ) -> None:
        if exc_type is None:
            self._session.execute("COMMIT")
        elif self._session.in_transaction:
            self._session.execute("ROLLBACK")


for _cls in (Affected, Point, Months):
    _cls.__module__ = "prollytree"
