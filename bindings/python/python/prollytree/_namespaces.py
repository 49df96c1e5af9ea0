"""Value types of namespaces. Invariant: as in ``_types``, and only a wheel with ``NamespacedKvStore`` exports them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

from . import prollytree as _native

if TYPE_CHECKING:
    from types import EllipsisType

    from typing_extensions import Buffer


class NamespaceDiff(NamedTuple):
    """One difference between two revisions: a ``(namespace, key, op, old, new)`` tuple with names."""

    namespace: str
    key: bytes
    op: Literal["added", "removed", "modified"]
    old: bytes | None
    """The value in the first revision; ``None`` when the key was added."""
    new: bytes | None
    """The value in the second revision; ``None`` when the key was removed."""


class NamespaceProof(bytes):
    """A proof, as the bytes to send: what keys of a namespace hold, checkable from the root hash of a commit alone.

    ``NamespaceProof(received)`` gives received bytes their methods back. Nothing that a proof says about itself is
    trusted. Every member raises :class:`ProofError` on bytes that are no proof at all.
    """

    __slots__ = ()

    @property
    def root_hash(self) -> bytes:
        """The root hash that the proof leads up to: which one to look for among those that are trusted."""
        return _native._namespace_proof_root(self)

    def verify(
        self, root_hash: Buffer, namespace: str, key: Buffer, value: Buffer | EllipsisType | None = ...
    ) -> bool:
        """Checks a proof of one key offline: no store is needed.

        root_hash: that of the revision, from ``NamespacedKvStore.root_hash``.

        With a ``value``: does ``namespace`` hold exactly this value under ``key``? With ``None``: is there no such
        key, or no such namespace? Left out: is ``key`` present, with whatever value?
        """
        return _native._namespace_proof_verify(self, root_hash, namespace, {bytes(memoryview(key)): value})

    def verify_many(self, root_hash: Buffer, namespace: str, expected: Mapping[bytes, Buffer | None]) -> bool:
        """Checks a proof of several keys: each key holds its value, or is absent where that is ``None``."""
        return _native._namespace_proof_verify(self, root_hash, namespace, expected)

    def __repr__(self) -> str:
        return f"NamespaceProof({len(self)} bytes)"


for _cls in (NamespaceDiff, NamespaceProof):
    _cls.__module__ = "prollytree"
