"""Random programs against a model of dictionaries: whatever is done, the store and the model agree."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import prollytree as p
from prollytree import ConflictResolution, ProllyTree, StorageBackend, TreeConfig, VersionedKvStore

keys = st.sampled_from([b"", b"a", b"b", b"ab", b"\x00", b"\xff\xff"]) | st.integers(0, 60).map(lambda i: b"k%02d" % i)
values = st.sampled_from([b"", b"0", b"1", b"x" * 300, b"y" * 5000]) | st.binary(max_size=4)
branch_names = st.sampled_from(["main", "one", "two", "three/x"])


class TreeMachine(RuleBasedStateMachine):
    """A tree in memory beside a dictionary; its root is that of a tree made afresh."""

    config = TreeConfig(base=2, modulus=3)

    def __init__(self) -> None:
        super().__init__()
        self.tree = ProllyTree(config=self.config)
        self.model: dict[bytes, bytes] = {}

    @rule(key=keys, value=values)
    def insert(self, key: bytes, value: bytes) -> None:
        self.tree.insert(key, value)
        self.model[key] = value

    @rule(key=keys, value=values)
    def update(self, key: bytes, value: bytes) -> None:
        if key in self.model:
            self.tree.update(key, value)
            self.model[key] = value
        else:
            with pytest.raises(KeyError):
                self.tree.update(key, value)

    @rule(key=keys)
    def delete(self, key: bytes) -> None:
        assert self.tree.delete(key) is (self.model.pop(key, None) is not None)

    @rule(pairs=st.lists(st.tuples(keys, values), max_size=30))
    def insert_batch(self, pairs: list[tuple[bytes, bytes]]) -> None:
        self.tree.insert_batch(pairs)
        self.model.update(pairs)

    @rule(gone=st.lists(keys, max_size=10))
    def delete_batch(self, gone: list[bytes]) -> None:
        assert self.tree.delete_batch(gone) == len(set(gone) & set(self.model))
        for key in gone:
            self.model.pop(key, None)

    @rule(start=st.none() | keys, end=st.none() | keys, reverse=st.booleans())
    def scan(self, start: bytes | None, end: bytes | None, reverse: bool) -> None:
        expected = [
            pair
            for pair in sorted(self.model.items())
            if (start is None or start <= pair[0]) and (end is None or pair[0] < end)
        ]
        assert list(self.tree.range(start, end, reverse=reverse)) == (expected[::-1] if reverse else expected)

    @rule(key=keys)
    def prove(self, key: bytes) -> None:
        assert self.tree.verify(self.tree.generate_proof(key), key, self.model.get(key))

    @rule()
    def fingerprint(self) -> None:
        again = ProllyTree(config=self.config)
        again.insert_batch(self.model)
        assert again.root_hash() == self.tree.root_hash()

    @invariant()
    def agree(self) -> None:
        assert dict(self.tree.items()) == self.model
        assert list(self.tree) == sorted(self.model)
        assert len(self.tree) == len(self.model)


class StoreMachine(RuleBasedStateMachine):
    """A store beside a model of it: commits as dictionaries, branches as names of commits, staged changes."""

    backend: StorageBackend
    directory: Path

    def __init__(self) -> None:
        super().__init__()
        self.path = tempfile.mkdtemp(dir=self.directory)
        self.store = self.open()
        first = self.store.current_commit()
        # Commit id -> contents, and -> parents.
        self.commits: dict[str, dict[bytes, bytes]] = {first: {}}
        self.parents: dict[str, tuple[str, ...]] = {first: ()}
        self.branches = {"main": first}
        self.current = "main"
        # Key -> staged value, `None` for a removal; only what differs from the commit.
        self.staged: dict[bytes, bytes | None] = {}

    def open(self) -> VersionedKvStore:
        return VersionedKvStore(self.path, self.backend, TreeConfig(base=2, modulus=3))

    def teardown(self) -> None:
        self.store.close()

    # The model.

    @property
    def base(self) -> dict[bytes, bytes]:
        return self.commits[self.branches[self.current]]

    def working(self) -> dict[bytes, bytes]:
        merged: dict[bytes, bytes | None] = {**self.base, **self.staged}
        return {key: value for key, value in merged.items() if value is not None}

    def stage(self, key: bytes, value: bytes | None) -> None:
        self.staged[key] = value
        self.drop_what_does_not_differ()

    def drop_what_does_not_differ(self) -> None:
        self.staged = {key: value for key, value in self.staged.items() if self.base.get(key) != value}

    def record(self, commit: str, contents: dict[bytes, bytes], parents: tuple[str, ...]) -> None:
        assert commit not in self.commits
        self.commits[commit] = contents
        self.parents[commit] = parents
        self.branches[self.current] = commit

    def ancestors(self, commit: str) -> set[str]:
        found: set[str] = set()
        open_ends = [commit]
        while open_ends:
            if (one := open_ends.pop()) not in found:
                found.add(one)
                open_ends += self.parents[one]
        return found

    def merge_bases(self, one: str, two: str) -> set[str]:
        common = self.ancestors(one) & self.ancestors(two)
        return {c for c in common if not any(c in self.ancestors(o) for o in common - {c})}

    # What is done.

    @rule(key=keys, value=values)
    def insert(self, key: bytes, value: bytes) -> None:
        self.store.insert(key, value)
        self.stage(key, value)

    @rule(key=keys, value=values)
    def update(self, key: bytes, value: bytes) -> None:
        present = key in self.working()
        assert self.store.update(key, value) is present
        if present:
            self.stage(key, value)

    @rule(key=keys)
    def delete(self, key: bytes) -> None:
        present = key in self.working()
        assert self.store.delete(key) is present
        if present:
            self.stage(key, None)

    @rule(pairs=st.lists(st.tuples(keys, values), max_size=20))
    def insert_batch(self, pairs: list[tuple[bytes, bytes]]) -> None:
        self.store.insert_batch(pairs)
        for key, value in pairs:
            self.stage(key, value)

    @rule(gone=st.lists(keys, max_size=8))
    def delete_batch(self, gone: list[bytes]) -> None:
        present = set(gone) & set(self.working())
        assert self.store.delete_batch(gone) == len(present)
        for key in present:
            self.stage(key, None)

    @rule()
    def commit(self) -> None:
        contents, parent = self.working(), self.branches[self.current]
        # Of equal contents, parents and seconds only the message tells commits apart.
        self.record(self.store.commit(f"message {len(self.commits)}"), contents, (parent,))
        self.staged = {}

    @rule()
    def discard(self) -> None:
        self.store.discard()
        self.staged = {}

    @rule(name=branch_names)
    def create_branch(self, name: str) -> None:
        if name in self.branches:
            with pytest.raises(p.RefError):
                self.store.create_branch(name)
        else:
            self.store.create_branch(name)
            self.branches[name] = self.branches[self.current]
            self.current = name

    @rule(name=branch_names)
    def branch(self, name: str) -> None:
        if name in self.branches:
            with pytest.raises(p.RefError):
                self.store.branch(name)
        else:
            self.store.branch(name)
            self.branches[name] = self.branches[self.current]

    @rule(name=branch_names)
    def delete_branch(self, name: str) -> None:
        if name == self.current or name not in self.branches:
            with pytest.raises(p.RefError):
                self.store.delete_branch(name)
        else:
            self.store.delete_branch(name)
            del self.branches[name]

    @rule(name=branch_names, discard=st.booleans())
    def checkout(self, name: str, discard: bool) -> None:
        if name not in self.branches:
            with pytest.raises(p.RefNotFoundError):
                self.store.checkout(name, discard)
            return
        target = self.commits[self.branches[name]]
        blocked = sorted(key for key in self.staged if self.base.get(key) != target.get(key))
        if blocked and not discard:
            # A staged value that the target holds already loses nothing: either answer is right there.
            try:
                self.store.checkout(name)
            except p.StagedChangesError as error:
                assert set(error.keys) <= set(blocked) and error.keys
                return
            assert all(target.get(key) == self.staged[key] for key in blocked)
        else:
            self.store.checkout(name, discard)
        self.current = name
        if discard:
            self.staged = {}
        self.drop_what_does_not_differ()

    @rule(name=branch_names, strategy=st.sampled_from([*ConflictResolution, None, "function"]))
    def merge(self, name: str, strategy: ConflictResolution | str | None) -> None:
        if name not in self.branches or self.branches[name] == self.branches[self.current]:
            return
        ours_id, theirs_id = self.branches[self.current], self.branches[name]
        bases = self.merge_bases(ours_id, theirs_id)
        if self.staged or len(bases) != 1 or theirs_id in self.ancestors(ours_id):
            return
        base, ours, theirs = self.commits[bases.pop()], self.commits[ours_id], self.commits[theirs_id]
        merged, conflicts = {}, {}
        for key in base.keys() | ours.keys() | theirs.keys():
            b, o, t = base.get(key), ours.get(key), theirs.get(key)
            if o == t or b == t:
                merged[key] = o
            elif b == o:
                merged[key] = t
            else:
                conflicts[key] = p.MergeConflict(key, b, t, o)
                merged[key] = {
                    ConflictResolution.TakeSource: t,
                    "function": (t or b"-") + (o or b"-"),
                }.get(strategy, o)
        ok, found = self.store.try_merge(name)
        assert ok is (not conflicts)
        assert {conflict.key: conflict for conflict in found} == conflicts
        assert self.store.resolve("HEAD") == ours_id
        if strategy is None and conflicts:
            with pytest.raises(p.MergeError) as caught:
                self.store.merge(name, None)
            assert {conflict.key: conflict for conflict in caught.value.conflicts} == conflicts
            return

        def together(conflict: p.MergeConflict) -> bytes:
            return (conflict.source_value or b"-") + (conflict.destination_value or b"-")

        commit = self.store.merge(name, together if strategy == "function" else strategy)
        contents = {key: value for key, value in merged.items() if value is not None}
        self.record(commit, contents, (ours_id, theirs_id))

    @precondition(lambda self: self.backend != StorageBackend.InMemory)
    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = self.open()

    @rule()
    def collect_garbage(self) -> None:
        self.store.gc()
        reachable = set().union(*(self.ancestors(tip) for tip in self.branches.values()))
        for commit in reachable:
            assert dict(self.store.at(commit).items()) == self.commits[commit]

    @rule(data=st.data())
    def compare(self, data: st.DataObject) -> None:
        names = st.sampled_from(sorted(self.branches))
        one, two = data.draw(names), data.draw(names)
        before, after = self.commits[self.branches[one]], self.commits[self.branches[two]]
        expected = []
        for key in sorted(before.keys() | after.keys()):
            if before.get(key) != after.get(key):
                op = "added" if key not in before else "removed" if key not in after else "modified"
                expected.append((key, op, before.get(key), after.get(key)))
        assert self.store.diff(one, two) == expected
        bases = self.merge_bases(self.branches[one], self.branches[two])
        assert self.store.merge_base(one, two) in bases

    @rule(key=keys)
    def history(self, key: bytes) -> None:
        reported = {entry["id"] for entry in self.store.history(key)}
        for commit in self.ancestors(self.branches[self.current]):
            own, parents = self.commits[commit].get(key), self.parents[commit]
            if len(parents) < 2:
                before = self.commits[parents[0]].get(key) if parents else None
                assert (commit in reported) is (own != before)

    # What must hold after every step.

    @invariant()
    def agree(self) -> None:
        assert list(self.store.items()) == sorted(self.working().items())
        assert len(self.store) == len(self.working())
        assert self.store.current_branch() == self.current
        assert self.store.list_branches() == sorted(self.branches)
        assert {name: self.store.resolve(name) for name in self.branches} == self.branches
        assert dict(self.store.at("HEAD").items()) == self.base

    @invariant()
    def status_is_what_differs(self) -> None:
        status = dict(self.store.status())
        for key, value in self.staged.items():
            expected = "deleted" if value is None else "modified" if key in self.base else "added"
            assert status.pop(key) == expected
        # Writing what is committed already may show as a modification, and as nothing else.
        assert set(status.values()) <= {"modified"} and status.keys() <= self.base.keys()

    @invariant()
    def the_root_is_that_of_the_contents(self) -> None:
        tree = ProllyTree(config=TreeConfig(base=2, modulus=3))
        tree.insert_batch(self.working())
        assert tree.root_hash() == self.store.root_hash()

    @initialize()
    def fill(self) -> None:
        self.insert_batch([(b"k%02d" % i, b"start") for i in range(0, 60, 3)])
        self.commit()


def test_a_tree_agrees_with_a_dictionary() -> None:
    run_state_machine_as_test(TreeMachine, settings=settings(max_examples=60, stateful_step_count=40))


def test_a_store_agrees_with_its_model(backend: StorageBackend, tmp_path: Path) -> None:
    machine = type("Machine", (StoreMachine,), {"backend": backend, "directory": tmp_path})
    examples = 40 if backend == StorageBackend.InMemory else 15
    run_state_machine_as_test(machine, settings=settings(max_examples=examples, stateful_step_count=40))
