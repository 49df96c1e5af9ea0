"""The compiled module. ``prollytree`` re-exports everything named here; a slim wheel lacks what its flags say."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from os import PathLike
from types import EllipsisType, TracebackType
from typing import Any, Literal, Protocol, TypeAlias, TypedDict, TypeVar, final, overload

from typing_extensions import Buffer, Self

from ._errors import (
    ConcurrentUpdateError,
    CorruptionError,
    IncompatibleStoreError,
    KeyNotFoundError,
    MergeError,
    NamespaceError,
    NotFetchedError,
    ProllyTreeError,
    ProofError,
    RefError,
    RefNotFoundError,
    SqlError,
    StagedChangesError,
    StorageError,
    SyncError,
    TransactionConflictError,
)
from ._namespaces import NamespaceDiff, NamespaceProof
from ._sql import Affected, Months, Point, _Transaction
from ._stream import ValueStream
from ._types import ConflictResolution, DiffOperation, KvDiff, MergeConflict, Proof, StorageBackend

__all__ = [
    "Affected",
    "ConcurrentUpdateError",
    "ConflictResolution",
    "CorruptionError",
    "DiffOperation",
    "IncompatibleStoreError",
    "KeyNotFoundError",
    "KvDiff",
    "MergeConflict",
    "MergeError",
    "Months",
    "Namespace",
    "NamespaceDiff",
    "NamespaceError",
    "NamespaceProof",
    "NamespacedKvStore",
    "NamespacedSnapshot",
    "NotFetchedError",
    "Point",
    "ProllySQLStore",
    "ProllyTree",
    "ProllyTreeError",
    "Proof",
    "ProofError",
    "RefError",
    "RefNotFoundError",
    "SQLConnection",
    "SQLSnapshot",
    "Snapshot",
    "SqlError",
    "StagedChangesError",
    "StorageBackend",
    "StorageError",
    "SyncError",
    "TransactionConflictError",
    "TreeConfig",
    "ValueStream",
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
"""``NamespacedKvStore`` and what goes with it are present."""
proximity_available: bool
"""``HashEmbedder``, ``CallableEmbedder`` and the text-index methods are present."""
proximity_text_available: bool
"""``MiniLmEmbedder`` is present."""
sql_available: bool
"""``ProllySQLStore`` and what goes with it are present."""

_T = TypeVar("_T")
_Path: TypeAlias = str | PathLike[str]
_Pairs: TypeAlias = Iterable[tuple[Buffer, Buffer]] | Mapping[bytes, Buffer]
_Resolver: TypeAlias = ConflictResolution | Callable[[MergeConflict], Buffer | ConflictResolution | None]
_Resolvers: TypeAlias = _Resolver | dict[str, _Resolver | None] | dict[str | None, _Resolver | None]
_Change: TypeAlias = Literal["added", "modified", "deleted"]
_Peer: TypeAlias = VersionedKvStore | NamespacedKvStore | ProllySQLStore | _Path
_Names: TypeAlias = str | Iterable[str]
_Params: TypeAlias = tuple[object, ...] | list[Any]
_Format: TypeAlias = Literal["dict", "dicts", "tuples", "json", "csv"]

class _Source(Protocol):
    def read(self, size: int, /) -> Buffer: ...

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

class _BlobReport(TypedDict):
    total: int
    """Parts of blobs that were there."""
    referenced: int
    """Those that are needed."""
    removed: int
    errors: list[str]
    """Always empty: what fails raises."""

class _TextLogEntry(TypedDict):
    id: str
    author: str
    """``Name <email>``."""
    committer: str
    message: str
    timestamp: str
    """Commit time, in seconds since 1970-01-01 UTC, as decimal digits."""

class _Migration(TypedDict):
    keys_migrated: str
    namespaces_created: str

class _Progress(TypedDict):
    commits: int
    commits_total: int | None
    """``None`` while it is not known."""
    objects: int
    """Commits not counted."""
    bytes: int
    """Uncompressed, commits included."""

class _RefUpdate(TypedDict):
    name: str
    """Full name, as ``refs/heads/main``, in the store that it moved in."""
    old: str | None
    new: str | None

class _SyncReport(TypedDict):
    commits: int
    """Commits copied."""
    objects: int
    """Objects copied, commits not counted."""
    bytes: int
    """Their bytes, uncompressed, and those of the commits."""
    refs: list[_RefUpdate]
    """What moved."""
    tags_kept: list[str]
    """Tags of the other store that name other commits here, and stayed as they are: full names."""

_OnProgress: TypeAlias = Callable[[_Progress], object]

class _Column(TypedDict):
    name: str
    type: str
    nullable: bool
    default: str | None
    """What stands for a value that is not given, as SQL."""
    unique: bool
    """Whether no two rows have the same value: it is ``UNIQUE``, or the primary key by itself."""
    primary_key: int | None
    """Its place in the primary key, from 1 on."""

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

class _Mapping:
    """What can be read of anything that holds ``bytes`` under ``bytes``."""

    @overload
    def get(self, key: Buffer, default: None = None) -> bytes | None: ...
    @overload
    def get(self, key: Buffer, default: _T) -> bytes | _T: ...
    def get_many(self, keys: Iterable[Buffer]) -> list[bytes | None]:
        """The values of several keys, in the order asked, ``None`` where there is none."""

    def open_value(self, key: Buffer) -> ValueStream:
        """The value of ``key`` as a binary file to read, in bounded memory whatever its length.

        Raises KeyNotFoundError when there is no such key.
        """

    def keys(self, prefix: Buffer | None = None, *, reverse: bool = False) -> Iterator[bytes]:
        """The keys (that start with ``prefix``), in order; lazy, and of the moment of the call."""

    def values(self, prefix: Buffer | None = None, *, reverse: bool = False) -> Iterator[bytes]:
        """The values, in the order of their keys; lazy, and of the moment of the call."""

    def items(self, prefix: Buffer | None = None, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """The ``(key, value)`` pairs (whose key starts with ``prefix``), in key order; lazy and of that moment."""

    def range(
        self, start: Buffer | None = None, end: Buffer | None = None, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        """The pairs with ``start <= key < end``, ``None`` being open; lazy. Backwards from the end with ``reverse``."""

    def root_hash(self) -> bytes:
        """The 32-byte fingerprint of the contents and the config; of a store, of the working state.

        It is equal for equal contents, however they came about, and on every storage.
        """

    def get_root_hash(self) -> bytes:
        """The same as ``root_hash``."""

    def generate_proof(self, key: Buffer) -> Proof:
        """Proves that ``key`` has its value, or that it is absent."""

    def generate_multi_proof(self, keys: Iterable[Buffer]) -> Proof:
        """Proves the values, or the absence, of several keys together."""

    def generate_range_proof(self, start: Buffer | None = None, end: Buffer | None = None) -> Proof:
        """Proves what ``range(start, end)`` gives, and that nothing is left out."""

    def verify(self, proof: Buffer, key: Buffer, value: Buffer | EllipsisType | None = ...) -> bool:
        """Checks a proof against the root hash of what is here now.

        With a ``value``: is it what ``key`` holds? With ``None``: is ``key`` absent? Left out: is ``key`` present?
        Raises ProofError when ``proof`` is no proof at all. ``Proof.verify`` does the same with the root hash alone.
        """

    def verify_proof(
        self, proof_bytes: Buffer, key: Buffer, expected_value: Buffer | EllipsisType | None = ...
    ) -> bool:
        """The same as ``verify``."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[bytes]: ...
    def __contains__(self, key: Buffer, /) -> bool: ...
    def __getitem__(self, key: Buffer, /) -> bytes: ...

class _MutableMapping(_Mapping):
    """What can be edited. In a store every edit is staged until the next commit."""

    def insert(self, key: Buffer, value: Buffer) -> None:
        """Creates or overwrites one entry."""

    def delete(self, key: Buffer) -> bool:
        """Removes an entry; ``True`` if there was one."""

    def insert_batch(self, items: _Pairs) -> None:
        """Inserts pairs from any iterable or mapping; of equal keys the last wins. All or nothing."""

    def delete_batch(self, keys: Iterable[Buffer]) -> int:
        """Removes several entries, all or nothing; the number of those that existed."""

    def __setitem__(self, key: Buffer, value: Buffer, /) -> None: ...
    def __delitem__(self, key: Buffer, /) -> None: ...

class _StoreMap(_MutableMapping):
    """One map of a versioned store: the one of a VersionedKvStore, or a namespace."""

    def update(self, key: Buffer, value: Buffer) -> bool:
        """Stages a new value for an existing key; ``False`` (and nothing staged) when there is no such key."""

    def insert_stream(self, key: Buffer, stream: _Source) -> int:
        """Stages what a binary file holds from its position on, in bounded memory; the number of its bytes.

        What reading it raises passes through, and nothing is staged then.
        """

    def list_keys(self) -> list[bytes]:
        """Every key, in order. ``keys()`` is the lazy form."""

    def status(self) -> list[tuple[bytes, _Change]]:
        """The staged changes, in key order."""

    def history(self, key: Buffer) -> list[_LogEntry]:
        """Every commit that changed ``key``, newest first."""

    def get_commits_for_key(self, key: Buffer) -> list[_LogEntry]:
        """The same as ``history``."""

    def iter_history(self, key: Buffer) -> Iterator[_LogEntry]:
        """The lazy form of ``history``."""

    def at(self, revision: str) -> Snapshot:
        """Any revision, to read without moving the store. It is empty when the revision has no such namespace."""

    def keys_at(self, ref: str) -> list[bytes]:
        """The keys of a revision, in order."""

    def get_keys_at_ref(self, reference: str) -> list[tuple[bytes, bytes]]:
        """The ``(key, value)`` pairs of a revision, in key order."""

    def diff(self, from_ref: str, to_ref: str) -> list[KvDiff]:
        """What changes from one revision to the other: ``(key, op, old, new)`` rows in key order.

        Raises NamespaceError when neither revision has the namespace.
        """

    def changes(
        self, from_ref: str, to_ref: str, start: Buffer | None = None, end: Buffer | None = None
    ) -> Iterator[KvDiff]:
        """The lazy form of ``diff``, of the keys in ``[start, end)``."""

class _Versioned:
    """Handles, commits, branches, merges and synchronisation, of every map of a store together."""

    @property
    def path(self) -> str: ...
    @property
    def closed(self) -> bool: ...
    def storage_backend(self) -> StorageBackend:
        """Where the data is kept."""

    # Commits.

    def discard(self) -> int:
        """Drops the staged changes; the number of their keys."""

    def reset(self, revision: str | None = None) -> None:
        """Drops the staged changes and, given a revision, moves the current branch to it."""

    def current_commit(self) -> str:
        """The id of the commit that the working state builds on."""

    def resolve(self, revision: str) -> str:
        """The commit id that a revision means."""

    def iter_log(self, revision: str | None = None) -> Iterator[_LogEntry]:
        """The commits reachable from a revision (the current commit by default), newest first; lazy."""

    def get_commit_history(self) -> list[_LogEntry]:
        """Every commit reachable from the current one, newest first."""

    def revert(self, revision: str, mainline: int | None = None, *, message: str | None = None) -> str:
        """Commits the opposite of what a commit changed; the new commit's id.

        mainline: for a merge commit, which parent (from 1) to go back to. message: ``None`` stands for Git's.

        Raises MergeError when a later commit changed the same keys, StagedChangesError when staged keys are in the way,
        and RefNotFoundError for a commit without parents and for a merge without ``mainline``.
        """

    def refresh(self) -> bool:
        """Moves to where the current branch is by now; whether another process or a push had moved it.

        Staged changes are carried along. Raises ConcurrentUpdateError when staged keys changed there.
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

    def create_branch(self, name: str, revision: str | None = None) -> None:
        """Creates a branch at a revision (the current commit by default) and switches to it with what is staged.

        Raises RefError when the name exists or is not one that Git allows, and as ``checkout`` does.
        """

    def delete_branch(self, name: str) -> None:
        """Deletes a branch. Raises RefError for the current one, RefNotFoundError when there is none."""

    def list_branches(self) -> list[str]:
        """The names of all branches, sorted."""

    def create_tag(self, name: str, revision: str | None = None) -> None:
        """Names a revision (the current commit by default) for good. Raises RefError as ``create_branch`` does."""

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
        resolver: _Resolvers | None = ConflictResolution.IgnoreAll,
        *,
        message: str | None = None,
    ) -> str: ...
    @overload
    def merge(self, branch: str, *, conflict_resolution: _Resolvers | None, message: str | None = None) -> str: ...
    @overload
    def merge(
        self,
        *,
        source_branch: str,
        conflict_resolution: _Resolvers | None = ConflictResolution.IgnoreAll,
        message: str | None = None,
    ) -> str:
        """Merges a branch (or other revision) into the current branch: one commit with two parents; its id.

        resolver: a ConflictResolution, or a function that is called with each MergeConflict and returns the value to
        keep, ``None`` to delete the key, or a ConflictResolution; what it raises passes through. ``None`` in its place
        refuses to resolve. A NamespacedKvStore also takes a dict of these by namespace: the key ``None`` stands for
        the namespaces that it does not name, whose conflicts are refused without.

        A namespace that one side dropped and the other changed is one conflict, without a key, which only a
        ConflictResolution settles; a function leaves it unresolved with ``None``.

        A branch that is merged already makes no commit: the current one's id comes back. Staged changes stay staged.
        The function is called while nothing is locked, so it may use the store.

        Raises MergeError (with every conflict in ``.conflicts``) when conflicts are not resolved, and for unrelated
        histories or a branch merged with itself; StagedChangesError when the merge changes staged keys; NamespaceError
        for a dict that names a namespace which neither side has.
        """

    @overload
    def try_merge(self, branch: str) -> tuple[bool, list[MergeConflict]]: ...
    @overload
    def try_merge(self, *, source_branch: str) -> tuple[bool, list[MergeConflict]]:
        """Probes a merge and changes nothing: ``(True, [])``, or ``(False, conflicts)`` with every conflict."""

    # Other stores; ``clone`` is in each class.

    def fetch(
        self,
        source: _Peer,
        *,
        remote: str = "origin",
        branches: _Names | None = None,
        tags: bool = True,
        namespaces: _Names | None = None,
        depth: int | None = None,
        complete: bool = False,
        prune: bool = False,
        progress: _OnProgress | None = None,
    ) -> _SyncReport:
        """Copies what another store has and this one lacks. Its branches become revisions here, as ``origin/main``.

        Nothing else here changes: ``merge("origin/main")`` is what brings it in.

        source: a store, or the path of one; of any backend. remote: what its branches are noted under. branches: only
        these. tags: whether tags come along; one that exists here stays as it is. namespaces, depth: as in ``clone``;
        left out, what was said before holds. complete: also what was left out before. prune: forget branches that the
        other store no longer has.

        progress: called now and then with what was copied so far, and once when all is done; what it raises stops the
        work and passes through. It may use either store. Broken off, the work is taken up by calling it again.

        Every object is checked on arrival: one that is missing or damaged raises CorruptionError, naming it. Raises
        RefNotFoundError for a branch that ``source`` does not have, SyncError for what cannot be done. No branch has
        moved then.
        """

    def push(
        self,
        target: _Peer,
        branches: _Names | None = None,
        *,
        tags: _Names | None = None,
        delete: _Names | None = None,
        force: dict[str, str | None] | None = None,
        progress: _OnProgress | None = None,
    ) -> _SyncReport:
        """Copies what another store lacks of some branches and tags, and moves them there: all of them or none.

        target: a store, or the path of one; of any backend. branches: the current one by default. tags: tags to make
        there. delete: branches to delete there. force: branches that may lose commits, each with the id of the commit
        that it holds there now (``None`` when there is no such branch). progress: as of ``fetch``.

        A store that stands on a branch which moves sees that after ``refresh``, its next commit or a checkout.

        Raises SyncError when a branch would lose commits, or is to lose any that the other store stands on; RefError
        for a tag that exists there; ConcurrentUpdateError when a branch does not hold what was said, or moved.
        """

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

@final
class ProllyTree(_MutableMapping):
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
    def update(self, key: Buffer, value: Buffer) -> None:
        """Overwrites an entry. Raises KeyNotFoundError (a KeyError) when there is none."""

    def find(self, key: Buffer) -> bytes | None:
        """The value of ``key``, or ``None``."""

    def size(self) -> int:
        """The number of entries."""

    def depth(self) -> int:
        """Levels of nodes; 1 for the empty tree and for one leaf."""

    def stats(self) -> _Stats:
        """Counts of nodes and entries. Reads every internal node."""

    def rank(self, key: Buffer) -> int:
        """The number of keys smaller than ``key``. O(log n)."""

    def nth(self, index: int) -> tuple[bytes, bytes]:
        """The pair at a position, counted from the end when negative. O(log n). Raises IndexError."""

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

@final
class Snapshot(_Mapping):
    """One revision of a :class:`VersionedKvStore`, or of one namespace, to read without moving the store. Immutable.

    It stays readable whatever happens to the store's branches, until the store is closed.
    """

    @property
    def commit_id(self) -> str:
        """The commit's id in full."""

@final
class VersionedKvStore(_StoreMap, _Versioned):
    """A versioned key-value store: one directory, with commits, branches, diffs, merges and proofs.

    A new store begins with the commit "Initial commit" on the branch ``main``. Safe to share between threads. Handles
    of one path in one process share staged changes and the current branch; other processes have their own, and no
    commit of theirs is ever lost. It shows the namespace ``"default"`` of what may be a NamespacedKvStore, too.

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
        *,
        commit_journal: bool = False,
    ) -> Self:
        """Opens the store of the directory ``path``, or creates it there (with its parents) when there is none.

        storage_backend: ``None`` takes the existing store's own, and Git for a new one.
        config: for a new store; an existing one keeps its own, and any other is refused.
        commit_journal: commits of a Git store wait for the disk once instead of five times. After a power cut, Git itself
        may see an older state, or a damaged one, until the store has been opened once. Handles of one path in one
        process do as the first of them; other backends need no such thing.

        Raises IncompatibleStoreError when the directory holds another kind of store, a newer format, a store with
        another config, data of version 0.4.1, or the root of a Git repository with other history.
        """

    @staticmethod
    def open(path: _Path, storage_backend: StorageBackend | None = None) -> VersionedKvStore:
        """Opens an existing store. Raises StorageError when there is none; nothing is created."""

    @staticmethod
    def clone(
        source: _Peer,
        path: _Path,
        storage_backend: StorageBackend | None = None,
        *,
        remote: str = "origin",
        branches: _Names | None = None,
        tags: bool = True,
        namespaces: _Names | None = None,
        depth: int | None = None,
        progress: _OnProgress | None = None,
    ) -> tuple[VersionedKvStore, _SyncReport]:
        """Makes a store in the directory ``path`` with what another holds, and opens it: the store, and a report.

        source: a store, or the path of one; of any backend. namespaces: only these, of each commit. depth: only so many
        commits behind each branch. What is left out raises NotFetchedError when it is read, until a
        ``fetch(complete=True)``; a Git store can leave nothing out. The other arguments are those of ``fetch``.

        Broken off, it is taken up by calling it again. Raises SyncError when there are branches at ``path``.
        """

    @property
    def config(self) -> TreeConfig: ...
    def commit(self, message: str) -> str:
        """Commits the staged changes (also when there are none) durably; the new commit's id.

        When another process moved the branch, disjoint changes are committed on top of it; else
        ConcurrentUpdateError is raised and the changes stay staged.
        """

    def log(self, limit: int | None = None) -> list[_LogEntry]:
        """The commits reachable from the current one, newest first."""

    def branch(self, name: str, revision: str | None = None) -> None:
        """Creates a branch at a revision (the current commit by default) without switching to it.

        Raises RefError when the name exists or is not one that Git allows.
        """

    def current_branch(self) -> str | None:
        """The current branch's name; ``None`` when a commit was checked out instead."""

@final
class NamespacedKvStore(_Versioned):
    """Many ordered maps (*namespaces*) in one directory, under one history: a commit, branch or merge moves them all.

    What a VersionedKvStore of the same directory shows is the namespace ``"default"``, which is always there. Any other
    comes to be with its first entry. Cost follows what changed, however many there are: 100,000 are ordinary. A name is
    1 to 1,024 bytes of UTF-8; another raises NamespaceError.

    Safe to share between threads. Handles of one path in one process share staged changes and the current branch; other
    processes have their own, and no commit of theirs is ever lost.

    Keys and values may be any bytes-like object and come back as ``bytes``; a ``str`` is a TypeError. Keys may be
    empty and up to 65,536 bytes long; values may be empty and, read or written as a stream, of any length.

    Where a namespace is the first argument it may be called ``ns`` or ``namespace``. *Revisions* and errors are as with
    VersionedKvStore.
    """

    def __new__(
        cls,
        path: _Path,
        storage_backend: StorageBackend | None = None,
        config: TreeConfig | None = None,
        *,
        commit_journal: bool = False,
    ) -> Self:
        """Opens the store of the directory ``path``, or creates it there (with its parents) when there is none.

        storage_backend: ``None`` takes the existing store's own, and Git for a new one.
        config: for a new store; an existing one keeps its own, and any other is refused.
        commit_journal: commits of a Git store wait for the disk once instead of five times. After a power cut, Git itself
        may see an older state, or a damaged one, until the store has been opened once. Handles of one path in one
        process do as the first of them; other backends need no such thing.

        Raises IncompatibleStoreError when the directory holds another kind of store, a newer format, a store with
        another config, data of version 0.4.1, or the root of a Git repository with other history.
        """

    @staticmethod
    def open(path: _Path, storage_backend: StorageBackend | None = None) -> NamespacedKvStore:
        """Opens an existing store. Raises StorageError when there is none; nothing is created."""

    @staticmethod
    def clone(
        source: _Peer,
        path: _Path,
        storage_backend: StorageBackend | None = None,
        *,
        remote: str = "origin",
        branches: _Names | None = None,
        tags: bool = True,
        namespaces: _Names | None = None,
        depth: int | None = None,
        progress: _OnProgress | None = None,
    ) -> tuple[NamespacedKvStore, _SyncReport]:
        """Makes a store in the directory ``path`` with what another holds, and opens it: the store, and a report.

        source: a store, or the path of one; of any backend. namespaces: only these, of each commit. depth: only so many
        commits behind each branch. What is left out raises NotFetchedError when it is read, until a
        ``fetch(complete=True)``; a Git store can leave nothing out. The other arguments are those of ``fetch``.

        Broken off, it is taken up by calling it again. Raises SyncError when there are branches at ``path``.
        """

    # Entries of namespaces.

    @overload
    def ns_insert(self, ns: str, key: Buffer, value: Buffer) -> None: ...
    @overload
    def ns_insert(self, *, namespace: str, key: Buffer = ..., value: Buffer = ...) -> None:
        """Stages an entry: creates or overwrites it, and the namespace with it."""

    @overload
    def ns_get(self, ns: str, key: Buffer) -> bytes | None: ...
    @overload
    def ns_get(self, *, namespace: str, key: Buffer = ...) -> bytes | None:
        """The value with everything staged; ``None`` when there is no such key or namespace."""

    @overload
    def ns_get_many(self, ns: str, keys: Iterable[Buffer]) -> list[bytes | None]: ...
    @overload
    def ns_get_many(self, *, namespace: str, keys: Iterable[Buffer] = ...) -> list[bytes | None]:
        """The values of several keys, in the order asked, ``None`` where there is none."""

    @overload
    def ns_update(self, ns: str, key: Buffer, value: Buffer) -> bool: ...
    @overload
    def ns_update(self, *, namespace: str, key: Buffer = ..., value: Buffer = ...) -> bool:
        """Stages a new value for an existing key; ``False`` (and nothing staged) when there is none."""

    @overload
    def ns_delete(self, ns: str, key: Buffer) -> bool: ...
    @overload
    def ns_delete(self, *, namespace: str, key: Buffer = ...) -> bool:
        """Stages a removal; ``False`` when there is no such key or namespace."""

    @overload
    def ns_insert_batch(self, ns: str, items: _Pairs) -> None: ...
    @overload
    def ns_insert_batch(self, *, namespace: str, items: _Pairs = ...) -> None:
        """Stages pairs from any iterable or mapping; of equal keys the last wins. All or nothing."""

    @overload
    def ns_list_keys(self, ns: str) -> list[bytes]: ...
    @overload
    def ns_list_keys(self, *, namespace: str) -> list[bytes]:
        """Every key, in order; none of a namespace that does not exist."""

    @overload
    def ns_insert_stream(self, ns: str, key: Buffer, stream: _Source) -> int: ...
    @overload
    def ns_insert_stream(self, *, namespace: str, key: Buffer = ..., stream: _Source = ...) -> int:
        """Stages what a binary file holds from its position on, in bounded memory; the number of its bytes.

        What reading it raises passes through, and nothing is staged then."""

    @overload
    def ns_open_value(self, ns: str, key: Buffer) -> ValueStream: ...
    @overload
    def ns_open_value(self, *, namespace: str, key: Buffer = ...) -> ValueStream:
        """The value as a binary file to read, in bounded memory whatever its length.

        Raises KeyNotFoundError when there is no such key or namespace."""

    def insert(self, key: Buffer, value: Buffer) -> None:
        """Stages an entry of the namespace ``"default"``."""

    def get(self, key: Buffer) -> bytes | None:
        """The value of a key of the namespace ``"default"``; ``None`` when there is none."""

    def delete(self, key: Buffer) -> bool:
        """Stages a removal from the namespace ``"default"``; ``False`` when there is no such key."""

    def list_keys(self) -> list[bytes]:
        """Every key of the namespace ``"default"``, in order."""

    # Namespaces.

    def namespace(self, name: str) -> Namespace:
        """A namespace as a mapping. It need not exist: it is empty then, and comes to be with its first entry."""

    def list_namespaces(self) -> list[str]:
        """The names of all namespaces, sorted; ``"default"`` is always among them."""

    def has_namespace(self, name: str) -> bool:
        """Whether there is a namespace of this name."""

    def create_namespace(self, name: str) -> None:
        """Stages a new, empty namespace. Raises NamespaceError when there is one of this name."""

    @overload
    def delete_namespace(self, prefix: str) -> bool: ...
    @overload
    def delete_namespace(self, *, namespace: str) -> bool:
        """Stages the removal of a namespace with all it holds, in O(log n); ``False`` when there is none.

        Raises NamespaceError for ``"default"``."""

    def rename_namespace(self, name: str, new_name: str) -> None:
        """Stages another name for a namespace, in O(log n).

        Raises NamespaceError when there is none, when the new name is taken, and for ``"default"``.
        """

    def copy_namespace(self, source: str, target: str, revision: str | None = None) -> None:
        """Stages a new namespace that holds what another does, in O(log n): as it is in a revision, or as it is now.

        Raises NamespaceError when there is no ``source``, or a ``target`` already.
        """

    # Commits and revisions.

    def status(self) -> list[tuple[str, bytes, _Change]]:
        """The staged changes: ``(namespace, key, change)``, in the order of namespaces and keys."""

    def staged_namespaces(self) -> list[tuple[str, _Change]]:
        """The namespaces that are staged as new, changed or dropped: ``(namespace, change)``."""

    def commit(self, message: str | None = None) -> str:
        """Commits the staged changes of every namespace (also when there are none) durably; the new commit's id.

        When another process moved the branch, disjoint changes are committed on top of it; else
        ConcurrentUpdateError is raised and the changes stay staged.
        """

    def branch(self, name: str, revision: str | None = None) -> None:
        """The same as ``create_branch``: creates a branch and switches to it."""

    @property
    def current_branch(self) -> str | None:
        """The current branch's name; ``None`` when a commit was checked out instead."""

    def log(self, limit: int | None = None) -> list[_TextLogEntry]:
        """The commits reachable from the current one, newest first, all of it ``str``. ``iter_log`` gives more."""

    def at(self, revision: str) -> NamespacedSnapshot:
        """Any revision, to read without moving the store."""

    def root_hash(self, revision: str | None = None) -> bytes:
        """The 32-byte fingerprint of everything in a revision (the current commit by default).

        It is what NamespaceProof.verify takes.
        """

    @overload
    def get_namespace_root_hash(self, prefix: str) -> bytes | None: ...
    @overload
    def get_namespace_root_hash(self, *, namespace: str) -> bytes | None:
        """The 32-byte fingerprint of a namespace in the current commit; ``None`` when that has no such namespace."""

    def namespace_changed(self, namespace: str, commit_a: str, commit_b: str) -> bool:
        """Whether a namespace differs between two revisions: whether it exists, or what it holds. O(log n)."""

    def diff(self, from_ref: str, to_ref: str) -> dict[str, list[KvDiff]]:
        """What changes from one revision to the other: for each namespace that differs, its rows in key order."""

    def changes(
        self, since: str | None, until: str | None = None, namespace: str | None = None
    ) -> Iterator[NamespaceDiff]:
        """What changed since a revision: lazy ``(namespace, key, op, old, new)`` rows, in that order.

        They are found as they are asked for, in memory that does not grow with them.

        since: ``None`` means from an empty store. until: ``None`` means what is there now, staged changes included.
        namespace: only this one; NamespaceError when neither revision has it.
        """

    @overload
    def ns_history(self, ns: str, key: Buffer) -> list[_LogEntry]: ...
    @overload
    def ns_history(self, *, namespace: str, key: Buffer = ...) -> list[_LogEntry]:
        """Every commit that changed a key of a namespace, newest first."""

    @overload
    def ns_generate_proof(self, ns: str, key: Buffer, revision: str | None = None) -> NamespaceProof: ...
    @overload
    def ns_generate_proof(self, *, namespace: str, key: Buffer = ..., revision: str | None = None) -> NamespaceProof:
        """Proves that a key of a namespace has its value in a revision (the current commit by default), or is absent.

        It is checked with ``root_hash(revision)`` alone: ``proof.verify(root_hash, namespace, key, value)``."""

    @overload
    def ns_generate_multi_proof(
        self, ns: str, keys: Iterable[Buffer], revision: str | None = None
    ) -> NamespaceProof: ...
    @overload
    def ns_generate_multi_proof(
        self, *, namespace: str, keys: Iterable[Buffer] = ..., revision: str | None = None
    ) -> NamespaceProof:
        """Proves the values, or the absence, of several keys of a namespace together."""

    # Large values.

    @overload
    def set_externalize_threshold(self, bytes: int | None = None) -> None: ...
    @overload
    def set_externalize_threshold(self, *, threshold: int | None) -> None:
        """Stores values of more than so many bytes beside the tree, as content-addressed parts that equal values share.

        ``None`` means only those of more than 65,536 bytes, which is also the most that can be said: more raises
        ProllyTreeError. It holds for every namespace, those made later included, and is staged: namespaces that had
        another threshold are written anew, at the cost of their size. Values read the same either way.
        """

    def externalize_threshold(self) -> int | None:
        """The most bytes of a value that is stored in the tree itself."""

    def gc_blobs(self) -> _BlobReport:
        """Does what ``gc`` does, and counts the parts of values that are stored beside the tree."""

    def migrate_v1_to_v2(self) -> _Migration:
        """Every store is in the newest layout, so that nothing is migrated: version 0.4.1's report of that."""

@final
class Namespace(_StoreMap):
    """One namespace of a :class:`NamespacedKvStore`, as a mapping: it shows and stages what the store does."""

    @property
    def name(self) -> str: ...

@final
class NamespacedSnapshot:
    """One revision of a :class:`NamespacedKvStore`, to read without moving the store. Immutable.

    It stays readable whatever happens to the store's branches, until the store is closed.
    """

    @property
    def commit_id(self) -> str:
        """The commit's id in full."""

    def root_hash(self) -> bytes:
        """The 32-byte fingerprint of everything in the revision: what NamespaceProof.verify takes."""

    def list_namespaces(self) -> list[str]:
        """The names of all namespaces, sorted; ``"default"`` is always among them."""

    def get_namespace_root_hash(self, namespace: str) -> bytes | None:
        """The 32-byte fingerprint of a namespace; ``None`` when there is none."""

    def namespace(self, name: str) -> Snapshot:
        """A namespace of the revision, as a mapping; an empty one when there is none."""

    def ns_get(self, ns: str, key: Buffer) -> bytes | None:
        """The value of a key; ``None`` when there is no such key or namespace."""

    def ns_list_keys(self, ns: str) -> list[bytes]:
        """Every key of a namespace, in order; none of one that does not exist."""

class _Querying:
    """What runs statements.

    Values, in parameters and in rows:

    ============================  ========================================================================
    SQL                           Python
    ============================  ========================================================================
    NULL, BOOLEAN                 ``None``, ``bool``
    INT8 ... INT128, UINT128      ``int``; one of more than 128 bits is an OverflowError
    FLOAT32, FLOAT                ``float``, those that are not finite too
    DECIMAL                       ``decimal.Decimal``: of up to 28 digits, exactly; more are an SqlError
    TEXT                          ``str``
    BYTEA                         ``bytes``; as a parameter also ``bytearray`` and ``memoryview``
    DATE, TIME                    ``datetime.date``, ``datetime.time`` without a zone
    TIMESTAMP                     ``datetime.datetime`` without a zone. As a parameter one with a zone is converted
                                  to UTC. What is finer than a microsecond is cut off.
    INTERVAL                      ``datetime.timedelta``, or ``Months``
    UUID, INET                    ``uuid.UUID``, ``ipaddress.IPv4Address`` and ``IPv6Address``
    POINT                         ``Point``, a tuple of two floats
    LIST, MAP                     ``list`` (as a parameter also ``tuple``), ``dict`` with ``str`` keys
    ============================  ========================================================================

    A parameter that is stored in a column becomes a value of the column's type where nothing is lost: an ``int`` fits an
    INT8 column from -128 to 127, and a ``str`` means what a literal of the same text does.

    What fails raises SqlError and has changed nothing; of several statements, those before it stay. Storage that fails
    raises StorageError, damage CorruptionError.
    """

    def execute(self, query: str, params: _Params | _Format | None = None, format: _Format | None = None) -> Any:
        """Runs the statements of a text, each of which sees what those before it did; what the first of them gave.

        params: the values of ``$1``, ``$2`` ..., or of each ``?`` in its turn through the whole text; every statement may
        use all of them. They are bound, never made part of the text.

        Rows (of SELECT and SHOW) come as ``format`` says; a str in second place is a format, too:

        - ``"dict"`` or ``"dicts"``, the default: a list of dicts. Two columns of one name raise SqlError.
        - ``"tuples"``: ``(labels, rows)``, with a list of values for each row.
        - ``"json"``: a JSON array of objects. Numbers have all their digits; ``"NaN"`` and infinities are strings; dates,
          times, UUIDs are strings as in ISO 8601; BYTEA is a string of hexadecimal digits.
        - ``"csv"``: as RFC 4180 has it, with a line of labels. NULL is an empty field, an empty text is ``""``.

        INSERT, UPDATE and DELETE give an ``Affected``: the number of rows, an ``int``. Anything else gives a dict
        ``{"type": ..., "success": True}``.
        """

    def select(
        self,
        name: str,
        columns: list[str] | None = None,
        where_clause: str | None = None,
        params: _Params | None = None,
    ) -> list[dict[str, Any]]:
        """The rows of a table: of all columns or some, and those for which a condition holds.

        where_clause: one expression in SQL. Anything else is an SqlError. params: the values of its placeholders.
        """

    def tables(self) -> list[str]:
        """The names of the tables, sorted."""

    def schema(self, table: str) -> list[_Column]:
        """The columns of a table, in their order; none of a table without a schema."""

class _Session(_Querying):
    """What runs statements and has transactions.

    A statement outside of a transaction is one by itself, and what it writes is staged when it has ended. What a
    transaction writes is staged by its COMMIT, all of it or, with TransactionConflictError, none; it sees the store as it
    was at its BEGIN.
    """

    @property
    def in_transaction(self) -> bool: ...
    def transaction(self) -> _Transaction[Self]:
        """A transaction for a ``with`` statement: COMMIT at its end, ROLLBACK when an exception leaves it."""

    @overload
    def execute_many(self, queries: Iterable[str], rows_of_params: None = None) -> list[Any]: ...
    @overload
    def execute_many(self, queries: str, rows_of_params: Iterable[_Params]) -> Affected:
        """Runs several texts one after another, and gives what each gave, as ``execute`` does.

        Given one INSERT, UPDATE or DELETE and rows of parameters, runs it with each of them, as one statement: all of it or
        nothing, also in a transaction. Gives how many rows were affected in all.
        """

    def create_table(self, name: str, columns: list[tuple[str, str]]) -> dict[str, Any]:
        """Makes a table of columns ``(name, type)``; the type may have options behind it: ``"INTEGER PRIMARY KEY"``."""

    def insert(self, name: str, rows: Iterable[_Params], columns: list[str] | None = None) -> Affected:
        """Inserts rows, all of them or none. columns: what their values are for; by default all columns, in order."""

    def import_csv(
        self,
        table: str,
        path: _Path,
        progress: Callable[[int, int, int], object] | None = None,
        *,
        delimiter: str = ",",
        null: str = "",
        primary_key: str | None = None,
    ) -> int:
        """Reads a CSV file (UTF-8, RFC 4180) into a table, in batches and bounded memory; the number of its rows.

        Its first line names columns of the table, the others get their defaults. A table that does not exist is made, with
        the narrowest of BOOLEAN, INTEGER, INT128, FLOAT, DATE, TIMESTAMP and TEXT that all fields of a column can be read
        as; for that the file is read twice. primary_key: a column to be its primary key.

        progress: called with ``(rows_done, bytes_done, bytes_total)`` after each batch; what it raises stops the import and
        passes through. It may use the store. null: the text that stands for NULL; in a TEXT column that is NOT NULL it is
        itself.

        Raises SqlError with the line and the column at fault. The batch with it is not inserted; those before it are, unless
        a transaction is open that is rolled back. In a transaction all rows are held in memory.
        """

@final
class ProllySQLStore(_Session, _Versioned):
    """SQL over a versioned store: its tables are committed, branched, merged and synchronised with everything else in it.

    A NamespacedKvStore or a VersionedKvStore on the same directory shows the namespaces beside the tables; a commit has
    what all of them have staged. Merging merges rows by their keys.

    Safe to share between threads. Statements run one at a time, all of them in the store's one session, so a transaction is
    that of every thread: ``connect()`` makes another session. Rows that are staged survive closing the store; a
    transaction does not.

    In a query ``"table@revision"`` (in quotes) is a table as it was. *Revisions* and errors are as with VersionedKvStore.
    """

    def __new__(
        cls,
        path: _Path,
        storage_backend: StorageBackend | None = None,
        config: TreeConfig | None = None,
        *,
        commit_journal: bool = False,
    ) -> Self:
        """Opens the store of the directory ``path``, or creates it there (with its parents) when there is none.

        The arguments and errors are those of VersionedKvStore.
        """

    @staticmethod
    def open(path: _Path, storage_backend: StorageBackend | None = None) -> ProllySQLStore:
        """Opens an existing store. Raises StorageError when there is none; nothing is created."""

    @staticmethod
    def clone(
        source: _Peer,
        path: _Path,
        storage_backend: StorageBackend | None = None,
        *,
        remote: str = "origin",
        branches: _Names | None = None,
        tags: bool = True,
        namespaces: _Names | None = None,
        depth: int | None = None,
        progress: _OnProgress | None = None,
    ) -> tuple[ProllySQLStore, _SyncReport]:
        """Makes a store in the directory ``path`` with what another holds, and opens it: the store, and a report.

        As with VersionedKvStore. With ``namespaces``, tables are left out.
        """

    def connect(self) -> SQLConnection:
        """Another session, with transactions of its own."""

    def at(self, revision: str) -> SQLSnapshot:
        """Any revision, to query without moving the store."""

    def commit(self, message: str | None = None) -> str:
        """Commits what is staged (also when there is nothing), rows and all else, durably; the new commit's id.

        Raises SqlError while a transaction is open: what it has written is not staged yet. When another process moved the
        branch, disjoint changes are committed on top of it; else ConcurrentUpdateError is raised and the changes stay
        staged.
        """

    def branch(self, name: str, revision: str | None = None) -> None:
        """The same as ``create_branch``: creates a branch and switches to it."""

    @property
    def current_branch(self) -> str | None:
        """The current branch's name; ``None`` when a commit was checked out instead."""

    def log(self, limit: int | None = None) -> list[_LogEntry]:
        """The commits reachable from the current one, newest first."""

@final
class SQLConnection(_Session):
    """A session on the tables of a :class:`ProllySQLStore`, with transactions of its own.

    Closing or dropping it rolls back what it has not committed; it ends with the store.
    """

    @property
    def closed(self) -> bool: ...
    def close(self) -> None:
        """Ends the session, and rolls back what it has not committed. Closing again does nothing."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None, /
    ) -> None: ...

@final
class SQLSnapshot(_Querying):
    """The tables of one revision of a :class:`ProllySQLStore`, to query without moving the store. Immutable.

    It stays readable whatever happens to the store's branches, until the store is closed.
    """

    @property
    def commit_id(self) -> str:
        """The commit's id in full."""

@final
class _ValueReader:
    def __len__(self) -> int: ...
    def read(self, size: int) -> bytes: ...
    def seek(self, offset: int, whence: int) -> int: ...

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
def _namespace_proof_root(proof: Buffer) -> bytes: ...
def _namespace_proof_verify(
    proof: Buffer, root_hash: Buffer, namespace: str, expected: Mapping[bytes, Buffer | EllipsisType | None]
) -> bool: ...
