"""The exceptions of the package.

Invariant: every class here is a ``ValueError``, which is what version 0.4.1 raised for everything, and every
instance survives pickling with its attributes. ``TypeError`` (an argument of the wrong type) stays Python's own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._types import MergeConflict


class ProllyTreeError(ValueError):
    """Base class of every error of this package."""


class KeyNotFoundError(ProllyTreeError, KeyError):
    """A key that has to exist does not: ``store[key]``, ``del store[key]``, ``ProllyTree.update``.

    ``args[0]`` is the key, as with Python's own ``KeyError``.
    """

    def __str__(self) -> str:
        return f"key not found: {self.args[0]!r}" if self.args else "key not found"


class RefError(ProllyTreeError):
    """A branch or tag cannot be used as asked: an ill-formed name, one that exists already, one in use."""


class RefNotFoundError(RefError):
    """A revision names nothing, or more than one thing (an ambiguous abbreviation)."""


class StagedChangesError(ProllyTreeError):
    """Staged changes are in the way, and doing what was asked would lose them. Nothing was changed.

    ``keys`` lists the staged keys in question, as ``bytes``.
    """

    keys: list[bytes]

    def __init__(self, message: str = "", keys: Iterable[bytes] = ()) -> None:
        super().__init__(message)
        self.keys = list(keys)


class ConcurrentUpdateError(ProllyTreeError):
    """Somebody else moved the branch, and the staged changes touch the same keys. They are still staged."""


class MergeError(ProllyTreeError):
    """A merge was refused: unresolved conflicts, or histories that cannot be merged. Nothing was changed.

    ``conflicts`` holds every :class:`MergeConflict`; it is empty when conflicts were not the reason.
    """

    conflicts: list[MergeConflict]

    def __init__(self, message: str = "", conflicts: Iterable[MergeConflict] = ()) -> None:
        super().__init__(message)
        self.conflicts = list(conflicts)


class NamespaceError(ProllyTreeError):
    """A namespace cannot be used as asked: no name for one, there is none, there is one already, the default one."""


class SyncError(ProllyTreeError):
    """Stores cannot be synchronised as asked: a push would lose commits of the other store, or histories do not fit.

    No branch or tag of either store has moved.
    """


class NotFetchedError(ProllyTreeError):
    """What was asked for was left out when the store was fetched in part. Fetching it completes the store."""


class ProofError(ProllyTreeError):
    """Bytes that are no proof at all. (A proof that is well formed but does not hold verifies as ``False``.)"""


class StorageError(ProllyTreeError):
    """The storage failed: input/output, permissions, a full disk, a closed store."""


class CorruptionError(StorageError):
    """Stored data is missing or damaged; the message names the object."""


class IncompatibleStoreError(StorageError):
    """The directory holds something this version must not touch or cannot read.

    A store of a newer format version, of another backend or tree config than the one asked for, the data of
    version 0.4.1, or the root of somebody else's Git repository.
    """


class SqlError(ProllyTreeError):
    """An SQL statement failed, and has changed nothing."""


class TransactionConflictError(SqlError, ConcurrentUpdateError):
    """A transaction changes what somebody else has changed since it began. It was rolled back: do it again."""


for _cls in (
    ProllyTreeError,
    KeyNotFoundError,
    RefError,
    RefNotFoundError,
    StagedChangesError,
    ConcurrentUpdateError,
    MergeError,
    NamespaceError,
    SyncError,
    NotFetchedError,
    ProofError,
    StorageError,
    CorruptionError,
    IncompatibleStoreError,
    SqlError,
    TransactionConflictError,
):
    _cls.__module__ = "prollytree"
