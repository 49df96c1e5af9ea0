"""Proofs: made here, checked from their bytes and the root hash alone; and nothing else passes."""

from __future__ import annotations

import pickle
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import prollytree as p
from prollytree import ProllyTree, Proof, TreeConfig

COUNT = 2000


def value_of(i: int) -> bytes:
    return random.Random(i).randbytes(100)


@pytest.fixture(scope="module")
def tree() -> ProllyTree:
    tree = ProllyTree()
    tree.insert_batch((b"k%06d" % i, value_of(i)) for i in range(COUNT))
    return tree


def holds(proof: bytes, root: bytes, key: bytes, value: bytes | None) -> bool:
    """Whether a verifier is convinced; bytes that are no proof convince nobody."""
    try:
        return Proof(proof).verify(root, key, value)
    except p.ProofError:
        return False


def test_a_proof_is_bytes_with_fields(tree: ProllyTree) -> None:
    proof = tree.generate_proof(b"k000007")
    assert isinstance(proof, bytes) and isinstance(proof, Proof)
    assert proof.root_hash == tree.root_hash()
    assert proof.num_nodes == tree.depth()
    assert Proof(bytes(proof)) == proof
    assert pickle.loads(pickle.dumps(proof)) == proof
    assert type(pickle.loads(pickle.dumps(proof))) is Proof
    assert repr(proof) == f"Proof({len(proof)} bytes)"


def test_presence(tree: ProllyTree) -> None:
    proof = tree.generate_proof(b"k000007")
    value = value_of(7)
    assert tree.verify(proof, b"k000007", value) is True
    assert tree.verify_proof(proof, b"k000007", value) is True
    assert tree.verify(bytes(proof), b"k000007") is True
    assert tree.verify_proof(bytes(proof), b"k000007") is True
    assert tree.verify(proof, b"k000007", None) is False
    assert tree.verify(proof, b"k000007", b"wrong") is False
    assert tree.verify_proof(proof, b"k000007", expected_value=b"wrong") is False


def test_absence(tree: ProllyTree) -> None:
    for key in (b"", b"a", b"k000007x", b"z", b"k"):
        proof = tree.generate_proof(key)
        assert tree.verify(proof, key, None) is True
        assert tree.verify_proof(proof, key, None) is True
        assert tree.verify(proof, key) is False
        assert tree.verify_proof(proof, key) is False
        assert tree.verify(proof, key, b"") is False


def test_another_value_of_the_same_leaf_does_not_verify(tree: ProllyTree) -> None:
    proof = tree.generate_proof(b"k000500")
    for i in range(400, 600):
        assert holds(proof, tree.root_hash(), b"k000500", value_of(i)) is (i == 500)


def test_a_proof_of_one_key_says_nothing_false_of_others(tree: ProllyTree) -> None:
    proof, root = tree.generate_proof(b"k000500"), tree.root_hash()
    for i in range(400, 600):
        assert not holds(proof, root, b"k%06d" % i, None)
        assert not holds(proof, root, b"k%06d" % i, b"other")
    absent = tree.generate_proof(b"k000500x")
    for i in range(400, 600):
        assert not holds(absent, root, b"k%06d" % i, None)


def test_offline_from_bytes_and_root_alone(tree: ProllyTree) -> None:
    sent, root = bytes(tree.generate_proof(b"k000123")), tree.root_hash()
    assert Proof(sent).verify(root, b"k000123", value_of(123)) is True
    assert Proof(sent).verify(bytearray(root), memoryview(b"k000123"), bytearray(value_of(123))) is True
    assert Proof(sent).verify(root, b"k000123") is True
    assert Proof(sent).verify(root, b"k000123", None) is False
    assert Proof(sent).verify(bytes(32), b"k000123", value_of(123)) is False


def test_a_root_of_the_wrong_length(tree: ProllyTree) -> None:
    with pytest.raises(p.ProllyTreeError, match="32 bytes"):
        tree.generate_proof(b"k000123").verify(b"short", b"k000123", b"v")


@pytest.mark.parametrize("key", [b"k000500", b"k000500x"])
def test_every_single_bit_flip_is_refused(tree: ProllyTree, key: bytes) -> None:
    proof, root = tree.generate_proof(key), tree.root_hash()
    value = value_of(500) if key == b"k000500" else None
    assert holds(proof, root, key, value)
    for bit in range(8 * len(proof)):
        flipped = bytearray(proof)
        flipped[bit // 8] ^= 1 << bit % 8
        assert not holds(flipped, root, key, value), f"bit {bit}"


def test_every_truncation_and_extension_is_refused(tree: ProllyTree) -> None:
    proof, root = tree.generate_proof(b"k000500"), tree.root_hash()
    for length in range(len(proof)):
        assert not holds(proof[:length], root, b"k000500", value_of(500)), length
    assert not holds(proof + b"\x00", root, b"k000500", value_of(500))


@given(st.binary(max_size=300))
def test_garbage_is_a_proof_error_or_false(garbage: bytes) -> None:
    tree = ProllyTree()
    tree.insert(b"k", b"v")
    for claim in (b"other", None):
        assert not holds(garbage, tree.root_hash(), b"k", claim)


@pytest.mark.parametrize("garbage", [b"", b"\xff" * 100, b"no proof"])
def test_bytes_that_are_no_proof(tree: ProllyTree, garbage: bytes) -> None:
    for call in (
        lambda: tree.verify(garbage, b"k", b"v"),
        lambda: tree.verify_proof(garbage, b"k"),
        lambda: Proof(garbage).verify(tree.root_hash(), b"k"),
        lambda: Proof(garbage).root_hash,
        lambda: Proof(garbage).num_nodes,
    ):
        with pytest.raises(p.ProofError):
            call()
        with pytest.raises(ValueError):
            call()


def test_a_proof_of_a_former_state_no_longer_holds() -> None:
    tree = ProllyTree()
    tree.insert_batch((b"k%03d" % i, b"v") for i in range(500))
    proof = tree.generate_proof(b"k007")
    tree.insert(b"k400", b"changed")
    assert tree.verify(proof, b"k007", b"v") is False
    assert tree.verify(tree.generate_proof(b"k007"), b"k007", b"v") is True


def test_the_empty_tree_proves_absence() -> None:
    tree = ProllyTree()
    proof = tree.generate_proof(b"k")
    assert tree.verify(proof, b"k", None) is True
    assert tree.verify(proof, b"k", b"v") is False
    assert tree.verify(proof, b"k") is False


@given(st.dictionaries(st.binary(max_size=4), st.binary(max_size=1200), max_size=60), st.binary(max_size=4))
def test_a_proof_shows_exactly_what_the_tree_holds(model: dict[bytes, bytes], other: bytes) -> None:
    tree = ProllyTree(config=TreeConfig(base=2, modulus=4))
    tree.insert_batch(model)
    root = tree.root_hash()
    for key in [*model, other]:
        proof = tree.generate_proof(key)
        assert Proof(proof).verify(root, key, model.get(key)) is True
        assert holds(proof, root, key, (model.get(key) or b"") + b"!") is False
        if key in model:
            assert holds(proof, root, key, None) is False


def test_several_keys_in_one_proof(tree: ProllyTree) -> None:
    keys = [b"k000001", b"k001999", b"k000900", b"absent"]
    proof = tree.generate_multi_proof(iter(keys))
    expected = {
        b"k000001": value_of(1),
        b"k001999": value_of(1999),
        b"k000900": value_of(900),
        b"absent": None,
    }
    root = tree.root_hash()
    assert proof.root_hash == root and proof.num_nodes > tree.depth()
    assert Proof(bytes(proof)).verify_many(root, expected) is True
    assert proof.verify_many(bytes(32), expected) is False
    assert proof.verify_many(root, {**expected, b"k000001": b"other"}) is False
    assert proof.verify_many(root, {**expected, b"k000001": None}) is False
    assert proof.verify_many(root, {**expected, b"absent": b"x"}) is False
    assert len(proof) < sum(len(tree.generate_proof(key)) for key in keys)


def test_a_range_in_one_proof(tree: ProllyTree) -> None:
    items = list(tree.range(b"k000100", b"k000300"))
    proof = tree.generate_range_proof(b"k000100", b"k000300")
    root = tree.root_hash()
    assert proof.root_hash == root
    check = Proof(bytes(proof)).verify_range
    assert check(root, b"k000100", b"k000300", items) is True
    assert check(bytes(32), b"k000100", b"k000300", items) is False
    assert check(root, b"k000100", b"k000300", items[:-1]) is False
    assert check(root, b"k000100", b"k000300", items[:50] + items[51:]) is False
    assert check(root, b"k000100", b"k000300", [*items, (b"k0002999", b"v")]) is False
    assert check(root, b"k000100", b"k000300", [(items[0][0], b"other"), *items[1:]]) is False
    assert check(root, b"k000100", b"k000400", items) is False


def test_ranges_with_open_ends(tree: ProllyTree) -> None:
    root = tree.root_hash()
    for start, end in ((None, b"k000010"), (b"k001990", None), (b"x", b"y")):
        proof = tree.generate_range_proof(start, end)
        items = list(tree.range(start, end))
        assert proof.verify_range(root, start, end, items) is True
        if items:
            assert proof.verify_range(root, start, end, items[1:]) is False


def test_sizes_at_a_million_keys() -> None:
    tree = ProllyTree()
    values = random.Random(7)
    tree.insert_batch((b"key:%012d" % i, values.randbytes(100)) for i in range(1_000_000))
    for i in (0, 123_456, 999_999):
        presence = tree.generate_proof(b"key:%012d" % i)
        absence = tree.generate_proof(b"key:%012d!" % i)
        assert len(presence) <= 2560
        assert len(absence) <= 4096
        assert tree.verify(presence, b"key:%012d" % i)
        assert tree.verify(absence, b"key:%012d!" % i, None)


@pytest.mark.parametrize("committed", [True, False], ids=["committed", "staged"])
def test_proofs_of_a_store(store: p.VersionedKvStore, committed: bool) -> None:
    store.insert_batch((b"k%03d" % i, b"v%d" % i) for i in range(300))
    if committed:
        store.commit("fill")
    proof = store.generate_proof(b"k007")
    assert isinstance(proof, Proof)
    assert store.verify(proof, b"k007", b"v7") is True
    assert store.verify_proof(proof, b"k007", b"v7") is True
    assert store.verify_proof(proof, b"k007") is True
    assert store.verify_proof(proof_bytes=proof, key=b"k007", expected_value=b"v8") is False
    assert Proof(bytes(proof)).verify(store.root_hash(), b"k007", b"v7") is True
    assert store.verify(store.generate_proof(b"nope"), b"nope", None) is True


def test_proofs_of_a_snapshot(store: p.VersionedKvStore) -> None:
    store.insert(b"k", b"old")
    old = store.commit("old")
    store.insert(b"k", b"new")
    store.commit("new")
    snapshot = store.at(old)
    proof = snapshot.generate_proof(b"k")
    assert snapshot.verify(proof, b"k", b"old") is True
    assert snapshot.verify_proof(proof, b"k", b"new") is False
    assert store.verify(proof, b"k", b"old") is False
    assert proof.verify(snapshot.root_hash(), b"k", b"old") is True
    assert snapshot.generate_multi_proof([b"k", b"l"]).verify_many(snapshot.root_hash(), {b"k": b"old", b"l": None})
    assert snapshot.generate_range_proof().verify_range(snapshot.root_hash(), None, None, [(b"k", b"old")])
