"""Value types that are plain Python: enumerations, diff rows, conflicts and proofs.

They live here because the stable ABI lets no compiled class derive from ``tuple``, ``bytes`` or ``Enum``.
Invariant: all of them are immutable, hashable, comparable and pickleable; none holds a store.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Literal, NamedTuple

from . import prollytree as _native

if TYPE_CHECKING:
    from types import EllipsisType

    from typing_extensions import Buffer


class _NamedInt(Enum):
    """A member equals its number and its own kind only, and prints as version 0.4.1 printed it."""

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Enum):
            return self is other
        return isinstance(other, int) and int(self.value) == other

    def __hash__(self) -> int:
        return hash(self.value)

    def __int__(self) -> int:
        return int(self.value)

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self.name}"


class StorageBackend(_NamedInt):
    """Where a :class:`VersionedKvStore` keeps its data."""

    InMemory = 0
    """In this process only; gone with the last handle."""
    File = 1
    """One file per object, in a sharded directory."""
    Git = 2
    """A Git repository of the store's own; the default."""
    RocksDB = 3
    """One redb database file. (The name is that of version 0.4.1, whose backend this replaces.)"""
    Redb = 3
    """The same backend by its own name."""


class ConflictResolution(_NamedInt):
    """What ``merge`` does with a key that both sides changed differently."""

    IgnoreAll = 0
    """Keep the destination's value: the current branch's."""
    TakeSource = 1
    """Take the value of the branch that is merged in."""
    TakeDestination = 2
    """Keep the current branch's value."""


@dataclass(frozen=True)
class MergeConflict:
    """A key that both sides of a merge changed, and changed differently. ``None`` means absent on that side."""

    key: bytes | None
    """The key; ``None`` when one side dropped the namespace that the other changed. The values are ``None`` then."""
    base_value: bytes | None = None
    """Value in the merge base."""
    source_value: bytes | None = None
    """Value on the branch that is merged in."""
    destination_value: bytes | None = None
    """Value on the current branch."""
    namespace: str = "default"
    """The namespace, ``"default"`` of a :class:`VersionedKvStore`; for what is none, its kind and name: ``'table "t"'``."""
    reason: str | None = None
    """Why both sides cannot stand, where it is not that both changed the key: rows of SQL that share what has to be unique."""


@dataclass(frozen=True, repr=False)
class DiffOperation:
    """What happened to one key between two revisions, in the form of version 0.4.1."""

    operation_type: Literal["Added", "Removed", "Modified"]
    value: bytes | None = None
    """The value that was added or removed; ``None`` for ``"Modified"``."""
    old_value: bytes | None = None
    """The value before, for ``"Modified"`` only."""
    new_value: bytes | None = None
    """The value after, for ``"Modified"`` only."""

    def __repr__(self) -> str:
        if self.old_value is not None and self.new_value is not None:
            sizes = f"old_size={len(self.old_value)}, new_size={len(self.new_value)}"
        else:
            sizes = f"size={len(self.value or b'')}"
        return f"DiffOperation.{self.operation_type}({sizes})"


class KvDiff(NamedTuple):
    """One difference between two revisions: a ``(key, op, old, new)`` tuple with names."""

    key: bytes
    op: Literal["added", "removed", "modified"]
    old: bytes | None
    """The value in the first revision; ``None`` when the key was added."""
    new: bytes | None
    """The value in the second revision; ``None`` when the key was removed."""

    @property
    def operation(self) -> DiffOperation:
        """The same as version 0.4.1 gave it."""
        if self.op == "added":
            return DiffOperation("Added", value=self.new)
        if self.op == "removed":
            return DiffOperation("Removed", value=self.old)
        return DiffOperation("Modified", old_value=self.old, new_value=self.new)


class Proof(bytes):
    """A proof, as the bytes to send: what keys a tree holds, checkable from its root hash alone.

    ``Proof(received)`` gives received bytes their methods back. Nothing that a proof says about itself is trusted:
    ``root_hash`` and ``num_nodes`` describe it, and only ``verify*`` against a root hash from elsewhere decides. Every
    member raises :class:`ProofError` on bytes that are no proof at all.
    """

    __slots__ = ()

    @property
    def root_hash(self) -> bytes:
        """The root hash that the proof leads up to: which one to look for among those that are trusted."""
        return _native._proof_root_hash(self)

    @property
    def num_nodes(self) -> int:
        """Nodes that the proof shows a part of; for one key at most the levels of the tree."""
        return _native._proof_num_nodes(self)

    def verify(self, root_hash: Buffer, key: Buffer, value: Buffer | EllipsisType | None = ...) -> bool:
        """Checks a proof of one key offline: no tree or store is needed.

        With a ``value``: does the tree of ``root_hash`` hold exactly this value under ``key``? With ``None``: is
        ``key`` absent from it? Left out: is ``key`` present, with whatever value?
        """
        return _native._proof_verify(self, root_hash, key, value)

    def verify_many(self, root_hash: Buffer, expected: Mapping[bytes, Buffer | None]) -> bool:
        """Checks a proof of several keys: each key holds its value, or is absent where that is ``None``."""
        return _native._proof_verify_many(self, root_hash, expected)

    def verify_range(
        self,
        root_hash: Buffer,
        start: Buffer | None,
        end: Buffer | None,
        items: Iterable[tuple[Buffer, Buffer]],
    ) -> bool:
        """Checks a proof of a range: ``items`` is everything in ``[start, end)``, complete and in order."""
        return _native._proof_verify_range(self, root_hash, start, end, items)

    def __repr__(self) -> str:
        return f"Proof({len(self)} bytes)"


for _cls in (StorageBackend, ConflictResolution, MergeConflict, DiffOperation, KvDiff, Proof):
    _cls.__module__ = "prollytree"
