"""The compiled module. ``prollytree`` re-exports everything named here; a slim wheel lacks what its flags say."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from os import PathLike
from types import EllipsisType, TracebackType
from typing import Literal, TypeAlias, TypedDict, TypeVar, final, overload

from typing_extensions import Buffer, Self

from ._errors import (
    ConcurrentUpdateError,
    CorruptionError,
    IncompatibleStoreError,
    KeyNotFoundError,
    MergeError,
    ProllyTreeError,
    ProofError,
    RefError,
    RefNotFoundError,
    SqlError,
    StagedChangesError,
    StorageError,
)
from ._types import ConflictResolution, DiffOperation, KvDiff, MergeConflict, Proof, StorageBackend

__all__ = [
    "ConcurrentUpdateError",
    "ConflictResolution",
    "CorruptionError",
    "DiffOperation",
    "IncompatibleStoreError",
    "KeyNotFoundError",
    "KvDiff",
    "MergeConflict",
    "MergeError",
    "ProllyTree",
    "ProllyTreeError",
    "Proof",
    "ProofError",
    "RefError",
    "RefNotFoundError",
    "Snapshot",
    "SqlError",
    "StagedChangesError",
    "StorageBackend",
    "StorageError",
    "TreeConfig",
    "VersionedKvStore",
    "__version__",
    "git_available",
    "namespaced_available",
    "proximity_available",
    "proximity_text_available",
    "sql_available",
]

__version__: str

git_available: bool
"""``WorktreeManager`` and ``WorktreeVersionedKvStore`` are present."""
namespaced_available: bool
"""``NamespacedKvStore`` is present."""
proximity_available: bool
"""``HashEmbedder``, ``CallableEmbedder`` and the text-index methods are present."""
proximity_text_available: bool
"""``MiniLmEmbedder`` is present."""
sql_available: bool
"""``ProllySQLStore`` is present."""

_T = TypeVar("_T")
_Path: TypeAlias = str | PathLike[str]
_Pairs: TypeAlias = Iterable[tuple[Buffer, Buffer]] | Mapping[bytes, Buffer]
_Resolver: TypeAlias = ConflictResolution | Callable[[MergeConflict], Buffer | None]

class _LogEntry(TypedDict):
    id: str
    """Commit id: 40 hex digits on the Git backend, 64 on the others."""
    author: str
    """``Name <email>``."""
    committer: str
    """``Name <email>``."""
    message: str
    timestamp: int
    """Commit time, in seconds since 1970-01-01 UTC."""
    parents: list[str]
    """Ids of the parents; two for a merge, none for the first commit."""

class _Stats(TypedDict):
    num_nodes: int
    num_leaves: int
    num_internal_nodes: int
    avg_node_size: int
    """Entries per node, rounded."""
    total_key_value_pairs: int

class _GcReport(TypedDict):
    objects_before: int
    objects_removed: int
    bytes_before: int
    """On disk; 0 in memory."""
    bytes_after: int

class _TreeDiff(TypedDict):
    added: dict[bytes, bytes]
    removed: dict[bytes, bytes]
    modified: dict[bytes, tuple[bytes, bytes]]

@final
class TreeConfig:
    """The parameters that decide where a tree is cut into nodes. Immutable, hashable, comparable.

    Trees with equal contents and equal configs have equal root hashes; a config is stored with its data and cannot
    be changed afterwards.
    """

    def __new__(
        cls,
        base: int | None = None,
        modulus: int | None = None,
        min_chunk_size: int | None = None,
        max_chunk_size: int | None = None,
        pattern: int = 0,
        externalize_threshold: int | None = 4096,
    ) -> Self:
        """Checks and keeps the parameters; ``None`` stands for the tuned default.

        base: target number of children of an internal node, 2 to 16,384.
        modulus: target number of entries of a leaf, 1 to 16,384.
        min_chunk_size, max_chunk_size: bounds of a leaf, in entries; by default a quarter and twice the target.
        pattern: seed of the boundaries: trees with different patterns have different shapes.
        externalize_threshold: values of more bytes than this are stored beside the tree, up to 65,536; ``None``
        keeps every value of up to 65,536 bytes inline.

        Raises ProllyTreeError naming the parameter that is out of range.
        """

    @property
    def base(self) -> int: ...
    @property
    def modulus(self) -> int: ...
    @property
    def min_chunk_size(self) -> int: ...
    @property
    def max_chunk_size(self) -> int: ...
    @property
    def pattern(self) -> int: ...
    @property
    def externalize_threshold(self) -> int | None: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[type[TreeConfig], tuple[int, int, int, int, int, int | None]]: ...

@final
class ProllyTree:
    """An ordered map from ``bytes`` to ``bytes`` with a Merkle root. Safe to share between threads.

    Keys and values may be any bytes-like object and come back as ``bytes``; a ``str`` is a TypeError. Keys may be
    empty and up to 65,536 bytes long; values may be empty and up to 1 GiB long. Iteration and ranges are in key
    order and see the tree as it was when they began.

    Methods that read or write nodes raise StorageError when the storage fails and CorruptionError when what is
    stored is damaged.
    """

    def __new__(
        cls,
        storage_type: Literal["memory", "file"] = "memory",
        path: _Path | None = None,
        config: TreeConfig | None = None,
    ) -> Self:
        """Makes a tree in memory, or opens (creating it when there is none) the tree of the directory ``path``.

        config: for a new tree; the tree of a directory keeps its own, and any other is refused.

        Raises ProllyTreeError for an unknown ``storage_type`` and a missing or superfluous ``path``, and
        IncompatibleStoreError when the directory holds something else or a tree with another config.
        """

    @property
    def config(self) -> TreeConfig: ...
    @property
    def closed(self) -> bool: ...
    def insert(self, key: Buffer, value: Buffer) -> None:
        """Creates or overwrites one entry."""

    def update(self, key: Buffer, value: Buffer) -> None:
        """Overwrites an entry. Raises KeyNotFoundError (a KeyError) when there is none."""

    def delete(self, key: Buffer) -> bool:
        """Removes an entry; ``True`` if there was one."""

    def find(self, key: Buffer) -> bytes | None:
        """The value of ``key``, or ``None``."""

    @overload
    def get(self, key: Buffer, default: None = None) -> bytes | None: ...
    @overload
    def get(self, key: Buffer, default: _T) -> bytes | _T: ...
    def get_many(self, keys: Iterable[Buffer]) -> list[bytes | None]:
        """The values of several keys, in the order asked, ``None`` where there is none."""

    def insert_batch(self, items: _Pairs) -> None:
        """Inserts pairs from any iterable or mapping; of equal keys the last wins. All or nothing."""

    def delete_batch(self, keys: Iterable[Buffer]) -> int:
        """Removes several entries, all or nothing; the number of those that existed."""

    def size(self) -> int:
        """The number of entries."""

    def depth(self) -> int:
        """Levels of nodes; 1 for the empty tree and for one leaf."""

    def root_hash(self) -> bytes:
        """The 32-byte fingerprint of the contents and the config: equal for equal contents, however they came about."""

    def get_root_hash(self) -> bytes:
        """The same as ``root_hash``."""

    def stats(self) -> _Stats:
        """Counts of nodes and entries. Reads every internal node."""

    def keys(self, prefix: Buffer | None = None, *, reverse: bool = False) -> Iterator[bytes]:
        """The keys (that start with ``prefix``), in order; lazy."""

    def values(self, prefix: Buffer | None = None, *, reverse: bool = False) -> Iterator[bytes]:
        """The values, in the order of their keys; lazy."""

    def items(self, prefix: Buffer | None = None, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """The ``(key, value)`` pairs (whose key starts with ``prefix``), in key order; lazy."""

    def range(
        self, start: Buffer | None = None, end: Buffer | None = None, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        """The pairs with ``start <= key < end``, ``None`` being open; lazy. Backwards from the end with ``reverse``."""

    def rank(self, key: Buffer) -> int:
        """The number of keys smaller than ``key``. O(log n)."""

    def nth(self, index: int) -> tuple[bytes, bytes]:
        """The pair at a position, counted from the end when negative. O(log n). Raises IndexError."""

    def generate_proof(self, key: Buffer) -> Proof:
        """Proves that ``key`` has its value, or that it is absent."""

    def generate_multi_proof(self, keys: Iterable[Buffer]) -> Proof:
        """Proves the values, or the absence, of several keys together."""

    def generate_range_proof(self, start: Buffer | None = None, end: Buffer | None = None) -> Proof:
        """Proves what ``range(start, end)`` gives, and that nothing is left out."""

    def verify(self, proof: Buffer, key: Buffer, value: Buffer | EllipsisType | None = ...) -> bool:
        """Checks a proof against this tree's root hash.

        With a ``value``: is it what ``key`` holds? With ``None``: is ``key`` absent? Left out: is ``key`` present?
        Raises ProofError when ``proof`` is no proof at all. ``Proof.verify`` does the same without a tree.
        """

    def verify_proof(
        self, proof_bytes: Buffer, key: Buffer, expected_value: Buffer | EllipsisType | None = ...
    ) -> bool:
        """The same as ``verify``."""

    def diff(self, other: ProllyTree) -> _TreeDiff:
        """What changes from this tree to ``other``; modified keys give ``(old, new)``."""

    def changes(self, other: ProllyTree, start: Buffer | None = None, end: Buffer | None = None) -> Iterator[KvDiff]:
        """The same as lazy ``(key, op, old, new)`` rows in key order, of the keys in ``[start, end)``."""

    def traverse(self) -> str:
        """The nodes as text, one ``[L<level>:[[...]]]`` group each, keys as lists of numbers. For debugging."""

    def gc(self) -> _GcReport:
        """Removes what a directory still has of earlier states. For a tree in memory it does nothing."""

    def save_config(self) -> None:
        """Flushes, and saves the root and the config. For a tree in memory it does nothing."""

    def flush(self) -> None:
        """Writes pending edits into the tree, and saves the root durably if it is in a directory.

        Raises ConcurrentUpdateError when another handle or process has saved the tree of this directory since.
        """

    def close(self) -> None:
        """Flushes and closes; closing again does nothing. Afterwards every use raises StorageError.

        When saving fails the tree stays open, with everything in it. A tree that is dropped without having been closed
        saves what it can.
        """

    def __enter__(self) -> Self: ...
    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None, /
    ) -> None: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[bytes]: ...
    def __contains__(self, key: Buffer, /) -> bool: ...
    def __getitem__(self, key: Buffer, /) -> bytes: ...
    def __setitem__(self, key: Buffer, value: Buffer, /) -> None: ...
    def __delitem__(self, key: Buffer, /) -> None: ...

@final
class Snapshot:
    """One revision of a :class:`VersionedKvStore`, to read without moving the store. Immutable.

    It stays readable whatever happens to the store's branches, until the store is closed.
    """

    @property
    def commit_id(self) -> str:
        """The commit's id in full."""

    @overload
    def get(self, key: Buffer, default: None = None) -> bytes | None: ...
    @overload
    def get(self, key: Buffer, default: _T) -> bytes | _T: ...
    def get_many(self, keys: Iterable[Buffer]) -> list[bytes | None]:
        """The values of several keys, in the order asked, ``None`` where there is none."""

    def keys(self, prefix: Buffer | None = None, *, reverse: bool = False) -> Iterator[bytes]:
        """The keys (that start with ``prefix``), in order; lazy."""

    def values(self, prefix: Buffer | None = None, *, reverse: bool = False) -> Iterator[bytes]:
        """The values, in the order of their keys; lazy."""

    def items(self, prefix: Buffer | None = None, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """The ``(key, value)`` pairs, in key order; lazy."""

    def range(
        self, start: Buffer | None = None, end: Buffer | None = None, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        """The pairs with ``start <= key < end``, ``None`` being open; lazy."""

    def root_hash(self) -> bytes:
        """The 32-byte fingerprint of the revision's contents."""

    def get_root_hash(self) -> bytes:
        """The same as ``root_hash``."""

    def generate_proof(self, key: Buffer) -> Proof:
        """Proves that ``key`` has its value in this revision, or that it is absent from it."""

    def generate_multi_proof(self, keys: Iterable[Buffer]) -> Proof:
        """Proves the values, or the absence, of several keys together."""

    def generate_range_proof(self, start: Buffer | None = None, end: Buffer | None = None) -> Proof:
        """Proves what ``range(start, end)`` gives, and that nothing is left out."""

    def verify(self, proof: Buffer, key: Buffer, value: Buffer | EllipsisType | None = ...) -> bool:
        """Checks a proof against this revision's root hash, as ``ProllyTree.verify`` does."""

    def verify_proof(
        self, proof_bytes: Buffer, key: Buffer, expected_value: Buffer | EllipsisType | None = ...
    ) -> bool:
        """The same as ``verify``."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[bytes]: ...
    def __contains__(self, key: Buffer, /) -> bool: ...
    def __getitem__(self, key: Buffer, /) -> bytes: ...

@final
class VersionedKvStore:
    """A versioned key-value store: one directory, with commits, branches, diffs, merges and proofs.

    A new store begins with the commit "Initial commit" on the branch ``main``. Safe to share between threads. Handles of
    one path in one process share staged changes and the current branch; other processes have their own, and no commit of
    theirs is ever lost.

    Keys and values may be any bytes-like object and come back as ``bytes``; a ``str`` is a TypeError. Keys may be
    empty and up to 65,536 bytes long; values may be empty and up to 1 GiB long.

    A *revision* is a branch, a tag, a commit id or an unambiguous abbreviation of one, ``HEAD``, and any of these
    with ``~N`` or ``^N`` behind it. An unknown or ambiguous one raises RefNotFoundError.

    Any method raises StorageError when the storage fails and CorruptionError when what is stored is damaged; the
    store then is as it was before the call.
    """

    def __new__(
        cls,
        path: _Path,
        storage_backend: StorageBackend | None = None,
        config: TreeConfig | None = None,
    ) -> Self:
        """Opens the store of the directory ``path``, or creates it there (with its parents) when there is none.

        storage_backend: ``None`` takes the existing store's own, and Git for a new one.
        config: for a new store; an existing one keeps its own, and any other is refused.

        Raises IncompatibleStoreError when the directory holds another kind of store, a newer format, a store with
        another config, data of version 0.4.1, or the root of a Git repository with other history.
        """

    @staticmethod
    def open(path: _Path, storage_backend: StorageBackend | None = None) -> VersionedKvStore:
        """Opens an existing store. Raises StorageError when there is none; nothing is created."""

    @property
    def path(self) -> str: ...
    @property
    def config(self) -> TreeConfig: ...
    @property
    def closed(self) -> bool: ...
    def storage_backend(self) -> StorageBackend:
        """Where the data is kept."""

    # Staged edits and reads of the working state.

    def insert(self, key: Buffer, value: Buffer) -> None:
        """Stages an entry: creates or overwrites it."""

    def update(self, key: Buffer, value: Buffer) -> bool:
        """Stages a new value for an existing key; ``False`` (and nothing staged) when there is no such key."""

    def delete(self, key: Buffer) -> bool:
        """Stages a removal; ``False`` when there is no such key."""

    @overload
    def get(self, key: Buffer, default: None = None) -> bytes | None: ...
    @overload
    def get(self, key: Buffer, default: _T) -> bytes | _T: ...
    def get_many(self, keys: Iterable[Buffer]) -> list[bytes | None]:
        """The values of several keys, in the order asked, ``None`` where there is none."""

    def insert_batch(self, items: _Pairs) -> None:
        """Stages pairs from any iterable or mapping; of equal keys the last wins. All or nothing."""

    def delete_batch(self, keys: Iterable[Buffer]) -> int:
        """Stages the removal of several keys, all or nothing; the number of those that existed."""

    def list_keys(self) -> list[bytes]:
        """Every key, in order. ``keys()`` is the lazy form."""

    def keys(self, prefix: Buffer | None = None, *, reverse: bool = False) -> Iterator[bytes]:
        """The keys (that start with ``prefix``), in order; lazy, and of the moment of the call."""

    def values(self, prefix: Buffer | None = None, *, reverse: bool = False) -> Iterator[bytes]:
        """The values, in the order of their keys; lazy, and of the moment of the call."""

    def items(self, prefix: Buffer | None = None, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """The ``(key, value)`` pairs, in key order; lazy, and of the moment of the call."""

    def range(
        self, start: Buffer | None = None, end: Buffer | None = None, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        """The pairs with ``start <= key < end``, ``None`` being open; lazy, and of the moment of the call."""

    def root_hash(self) -> bytes:
        """The 32-byte fingerprint of the working state's contents; the same on every backend."""

    def get_root_hash(self) -> bytes:
        """The same as ``root_hash``."""

    # Commits.

    def status(self) -> list[tuple[bytes, Literal["added", "modified", "deleted"]]]:
        """The staged changes, in key order."""

    def commit(self, message: str) -> str:
        """Commits the staged changes (also when there are none) durably; the new commit's id.

        When another process moved the branch, disjoint changes are committed on top of it; else
        ConcurrentUpdateError is raised and the changes stay staged.
        """

    def discard(self) -> int:
        """Drops the staged changes; their number."""

    def reset(self, revision: str | None = None) -> None:
        """Drops the staged changes and, given a revision, moves the current branch to it."""

    def current_commit(self) -> str:
        """The id of the commit that the working state builds on."""

    def resolve(self, revision: str) -> str:
        """The commit id that a revision means."""

    def log(self, limit: int | None = None) -> list[_LogEntry]:
        """The commits reachable from the current one, newest first."""

    def iter_log(self, revision: str | None = None) -> Iterator[_LogEntry]:
        """The lazy form of ``log``, from any revision."""

    def get_commit_history(self) -> list[_LogEntry]:
        """The same as ``log``."""

    def history(self, key: Buffer) -> list[_LogEntry]:
        """Every commit that changed ``key``, newest first."""

    def get_commits_for_key(self, key: Buffer) -> list[_LogEntry]:
        """The same as ``history``."""

    def iter_history(self, key: Buffer) -> Iterator[_LogEntry]:
        """The lazy form of ``history``."""

    def at(self, revision: str) -> Snapshot:
        """Any revision, to read without moving the store."""

    def keys_at(self, ref: str) -> list[bytes]:
        """The keys of a revision, in order."""

    def get_keys_at_ref(self, reference: str) -> list[tuple[bytes, bytes]]:
        """The ``(key, value)`` pairs of a revision, in key order."""

    def diff(self, from_ref: str, to_ref: str) -> list[KvDiff]:
        """What changes from one revision to the other: ``(key, op, old, new)`` rows in key order."""

    def changes(
        self, from_ref: str, to_ref: str, start: Buffer | None = None, end: Buffer | None = None
    ) -> Iterator[KvDiff]:
        """The lazy form of ``diff``, of the keys in ``[start, end)``."""

    def revert(self, revision: str, mainline: int | None = None) -> str:
        """Commits the opposite of what a commit changed; the new commit's id.

        mainline: for a merge commit, which parent (from 1) to go back to.

        Raises MergeError when a later commit changed the same keys, StagedChangesError when staged keys are in the way,
        and RefNotFoundError for a commit without parents and for a merge without ``mainline``.
        """

    # Branches, tags, merges.

    @overload
    def checkout(self, branch_or_commit: str, discard: bool = False) -> None: ...
    @overload
    def checkout(self, *, name: str, discard: bool = False) -> None:
        """Switches to a branch, or to the commit of a tag or other revision.

        Staged changes are carried along where their keys hold the same in both revisions; if not, StagedChangesError
        names the keys and nothing changes. ``discard=True`` drops them.
        """

    def branch(self, name: str, revision: str | None = None) -> None:
        """Creates a branch at a revision (the current commit by default) without switching to it.

        Raises RefError when the name exists or is not one that Git allows.
        """

    def create_branch(self, name: str, revision: str | None = None) -> None:
        """Creates a branch and switches to it, carrying staged changes along.

        Raises as ``branch`` and ``checkout`` do.
        """

    def delete_branch(self, name: str) -> None:
        """Deletes a branch. Raises RefError for the current one, RefNotFoundError when there is none."""

    def current_branch(self) -> str | None:
        """The current branch's name; ``None`` when a commit was checked out instead."""

    def list_branches(self) -> list[str]:
        """The names of all branches, sorted."""

    def create_tag(self, name: str, revision: str | None = None) -> None:
        """Names a revision (the current commit by default) for good. Raises RefError as ``branch`` does."""

    def delete_tag(self, name: str) -> None:
        """Deletes a tag. Raises RefNotFoundError when there is none."""

    def list_tags(self) -> list[str]:
        """The names of all tags, sorted."""

    def merge_base(self, first: str, second: str) -> str | None:
        """The id of a best common ancestor of two revisions; ``None`` for unrelated histories."""

    @overload
    def merge(
        self,
        branch: str,
        resolver: _Resolver | None = ConflictResolution.IgnoreAll,
        *,
        message: str | None = None,
    ) -> str: ...
    @overload
    def merge(self, branch: str, *, conflict_resolution: _Resolver | None, message: str | None = None) -> str: ...
    @overload
    def merge(
        self,
        *,
        source_branch: str,
        conflict_resolution: _Resolver | None = ConflictResolution.IgnoreAll,
        message: str | None = None,
    ) -> str:
        """Merges a branch (or other revision) into the current branch: one commit with two parents; its id.

        resolver: a ConflictResolution, or a function that is called with each MergeConflict and returns the value to
        keep, ``None`` to delete the key; what it raises passes through. ``None`` in its place refuses to resolve.

        A branch that is merged already makes no commit: the current one's id comes back. Staged changes stay staged.
        The function is called while nothing is locked, so it may use the store.

        Raises MergeError (with every conflict in ``.conflicts``) when conflicts are not resolved, and for unrelated
        histories or a branch merged with itself; StagedChangesError when the merge changes staged keys.
        """

    @overload
    def try_merge(self, branch: str) -> tuple[bool, list[MergeConflict]]: ...
    @overload
    def try_merge(self, *, source_branch: str) -> tuple[bool, list[MergeConflict]]:
        """Probes a merge and changes nothing: ``(True, [])``, or ``(False, conflicts)`` with every conflict."""

    # Proofs, of the working state.

    def generate_proof(self, key: Buffer) -> Proof:
        """Proves that ``key`` has its value in the working state, or that it is absent from it."""

    def generate_multi_proof(self, keys: Iterable[Buffer]) -> Proof:
        """Proves the values, or the absence, of several keys together."""

    def generate_range_proof(self, start: Buffer | None = None, end: Buffer | None = None) -> Proof:
        """Proves what ``range(start, end)`` gives, and that nothing is left out."""

    def verify(self, proof: Buffer, key: Buffer, value: Buffer | EllipsisType | None = ...) -> bool:
        """Checks a proof against the working state's root hash, as ``ProllyTree.verify`` does."""

    def verify_proof(
        self, proof_bytes: Buffer, key: Buffer, expected_value: Buffer | EllipsisType | None = ...
    ) -> bool:
        """The same as ``verify``."""

    # Upkeep.

    def gc(self) -> _GcReport:
        """Removes what no branch, tag or staged change needs, and packs the rest."""

    def close(self) -> None:
        """Closes this handle; staged changes are kept.

        Closing again does nothing. Any other use afterwards raises StorageError.
        """

    def __enter__(self) -> Self: ...
    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None, /
    ) -> None: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[bytes]: ...
    def __contains__(self, key: Buffer, /) -> bool: ...
    def __getitem__(self, key: Buffer, /) -> bytes: ...
    def __setitem__(self, key: Buffer, value: Buffer, /) -> None: ...
    def __delitem__(self, key: Buffer, /) -> None: ...

def _proof_root_hash(proof: Buffer) -> bytes: ...
def _proof_num_nodes(proof: Buffer) -> int: ...
def _proof_verify(proof: Buffer, root_hash: Buffer, key: Buffer, value: Buffer | EllipsisType | None) -> bool: ...
def _proof_verify_many(proof: Buffer, root_hash: Buffer, expected: Mapping[bytes, Buffer | None]) -> bool: ...
def _proof_verify_range(
    proof: Buffer,
    root_hash: Buffer,
    start: Buffer | None,
    end: Buffer | None,
    items: Iterable[tuple[Buffer, Buffer]],
) -> bool: ...
