"""Checks a proof from its bytes and a root hash alone; no store is opened, and none is needed.

    python verify_proof.py ROOT_HASH KEY VALUE < PROOF
    python verify_proof.py ROOT_HASH KEY --absent < PROOF

Exits with 0 when the proof shows what is claimed, with 1 when it does not, with 2 when the question is ill-formed.
"""

from __future__ import annotations

import sys

from prollytree import Proof, ProofError


def main(arguments: list[str]) -> int:
    """Runs the command; returns its exit code."""
    if len(arguments) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    root_hash, key, claim = arguments
    proof = Proof(sys.stdin.buffer.read())
    value = None if claim == "--absent" else claim.encode()
    try:
        holds = proof.verify(bytes.fromhex(root_hash), key.encode(), value)
    except ProofError as error:
        print(f"no proof: {error}")
        return 1
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print("proved" if holds else "not proved")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
