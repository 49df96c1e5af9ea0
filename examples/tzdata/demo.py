"""The time-zone database, six years of it, in a versioned and verifiable store.

    python demo.py DATA WORK

DATA is the folder that `fetch.py` filled; the store and its copies are made in WORK.

Invariant: whatever is printed as a fact has been checked against an answer computed without the store; when one
is false, the demo stops there and exits with 1.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from fetch import pinned_releases
from prollytree import (
    MergeConflict,
    MergeError,
    NamespacedKvStore,
    NamespaceProof,
    ProllySQLStore,
    ProllyTree,
    StorageBackend,
    VersionedKvStore,
)
from tzload import LoadError, load_release

Pairs = dict[bytes, bytes]

GREENLAND = b"zone/America/Nuuk"
ALMATY = b"zone/Asia/Almaty"


class FalseClaim(Exception):
    """Something that the demo says of the store is not so."""


def claim(holds: bool, text: str) -> None:
    """Prints a fact that has just been checked, or stops the demo."""
    if not holds:
        raise FalseClaim(text)
    print(f"  [checked] {text}")


def chapter(title: str) -> None:
    """Prints a heading."""
    print(f"\n--- {title}", flush=True)


@dataclass
class Archive:
    """What is known of the releases without asking the store: the oracle for its answers."""

    versions: list[str] = field(default_factory=list)
    fingerprints: dict[str, str] = field(default_factory=dict)
    """By version: a digest of all pairs."""
    greenland: list[str] = field(default_factory=list)
    """The versions that changed Greenland's zone, oldest first."""
    newest: Pairs = field(default_factory=dict)
    """Every pair of the newest release."""


def fingerprint(pairs: Iterable[tuple[bytes, bytes]]) -> str:
    """A digest of pairs in order, made without any tree."""
    digest = sha256()
    for pair in pairs:
        for part in pair:
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
    return digest.hexdigest()


def expected_changes(old: Pairs, new: Pairs) -> list[tuple[bytes, str, bytes | None, bytes | None]]:
    """What differs between two maps, by comparing every key."""
    rows: list[tuple[bytes, str, bytes | None, bytes | None]] = []
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key), new.get(key)
        if before != after:
            rows.append((key, "added" if before is None else "removed" if after is None else "modified", before, after))
    return rows


def import_releases(store: VersionedKvStore, data: Path) -> Archive:
    """Commits and tags every release, oldest first."""
    chapter("importing every release as one commit")
    archive = Archive()
    print(f"  {'release':13} {'entries':>7} {'added':>6} {'removed':>7} {'changed':>7}   root hash     commit")
    for release in pinned_releases():
        old, new = archive.newest, load_release(release.path(data))
        before = store.current_commit()
        store.delete_batch(key for key in old if key not in new)
        store.insert_batch((key, value) for key, value in new.items() if old.get(key) != value)
        commit = store.commit(f"tzdata {release.version}")
        store.create_tag(f"v{release.version}")

        rows = store.diff(before, commit)
        if [tuple(row) for row in rows] != expected_changes(old, new):
            raise FalseClaim(f"the diff up to {release.version} is what changed")
        added, removed, changed = (sum(row.op == op for row in rows) for op in ("added", "removed", "modified"))
        root = store.root_hash().hex()
        print(
            f"  {release.version:13} {len(store):7} {added:6} {removed:7} {changed:7}   {root[:12]}  {commit[:12]}",
            flush=True,
        )

        archive.versions.append(release.version)
        archive.fingerprints[release.version] = fingerprint(new.items())
        if old.get(GREENLAND) != new.get(GREENLAND):
            archive.greenland.append(release.version)
        archive.newest = new
    claim(True, "each diff holds exactly the keys and values that differ between two releases")
    return archive


def same_contents_same_root(store: VersionedKvStore, archive: Archive) -> None:
    """Compares the roots of releases with those of their contents."""
    chapter("equal contents, equal root hash")
    roots = {version: store.at(f"v{version}").root_hash() for version in archive.versions}
    for index, version in enumerate(archive.versions):
        for earlier in archive.versions[:index]:
            same = archive.fingerprints[earlier] == archive.fingerprints[version]
            if (roots[earlier] == roots[version]) != same:
                raise FalseClaim(f"the roots of {earlier} and {version} are equal exactly when their contents are")
            if same:
                print(f"  {version} has the root hash of {earlier}: {roots[version].hex()[:12]}")
    claim(roots["2023.3"] == roots["2023.1"], "2023.3 took back what 2023.2 did for Lebanon, and the root came back too")
    claim(store.resolve("v2023.3") != store.resolve("v2023.1"), "their commits are two, with a history each")


def history_of_a_key(store: VersionedKvStore, archive: Archive) -> None:
    """Shows each commit that changed one key."""
    chapter(f"the history of one key: {GREENLAND.decode()}")
    entries = store.history(GREENLAND)
    for entry in reversed(entries):
        value = store.at(entry["id"])[GREENLAND].decode()
        print(f"  {entry['id'][:12]}  {entry['message']:14}  ... {' / '.join(value.splitlines()[2:])}")
    expected = [f"tzdata {version}" for version in reversed(archive.greenland)]
    claim([entry["message"] for entry in entries] == expected, "these are all the releases that changed it, and no other")


def queries(store: VersionedKvStore, archive: Archive) -> None:
    """Asks the store a few questions, of its tip and of its past."""
    chapter("queries")
    start, end = b"transition/Europe/Kyiv/1990", b"transition/Europe/Kyiv/1993"
    found = list(store.range(start, end))
    print(f"  range: clocks in Kyiv from 1990 to 1992, {len(found)} changes of {len(store)} entries")
    for key, value in found:
        print(f"    {key.decode().rsplit('/', 1)[1]}  {value.decode()}")
    claim(found == [pair for pair in archive.newest.items() if start <= pair[0] < end], "the range is complete")

    kyiv = b"transition/Europe/Kyiv/"
    first, last = next(store.keys(kyiv)), next(store.keys(kyiv, reverse=True))
    print(f"  prefix: Kyiv's first and last are {first.decode()[-20:]} and {last.decode()[-20:]}")
    known = [key for key in archive.newest if key.startswith(kyiv)]
    claim([first, last] == [known[0], known[-1]], "a prefix can be read from either end")

    old_name, new_name = b"zone/Europe/Kiev", b"zone/Europe/Kyiv"
    for version in ("2022.1", "2022.2"):
        snapshot = store.at(f"v{version}")
        names = [key.decode() for key in (old_name, new_name, b"link/Europe/Kiev") if key in snapshot]
        print(f"  the past: in {version} there is {' and '.join(names)}")
    before, after = store.at("v2022.1"), store.at("v2022.2")
    claim(old_name in before and new_name not in before, "before the renaming only the old name was there")
    claim(after.get(b"link/Europe/Kiev") == b"Europe/Kyiv", "after it the old name is a link to the new one")


def branch_and_conflict(store: VersionedKvStore, archive: Archive) -> None:
    """Edits a branch, merges three years of releases into it, and resolves the conflict."""
    chapter("a branch, a conflict, its resolution")
    print("  January 2024: Kazakhstan has announced one time zone from 1 March; no release has it yet, so we do it")
    store.create_branch("almaty-office", "v2023.4")
    patched = store[ALMATY].replace(b"6 - +06", b"6 - +06 2024 Mar 1\n5 - +05")
    store[ALMATY] = patched
    store[b"link/Office/Almaty"] = b"Asia/Almaty"
    ours = store.commit("Kazakhstan moves to UTC+5, ahead of the release")
    print(f"  {ours[:12]} on {store.current_branch()}: {' / '.join(patched.decode().splitlines()[-2:])}")

    clean, conflicts = store.try_merge("main")
    claim(not clean and [conflict.key for conflict in conflicts] == [ALMATY], "merging main conflicts in that one key")
    claim(store.current_commit() == ours and not store.status(), "asking changed nothing")
    try:
        store.merge("main", None)
    except MergeError as refused:
        claim([c.key for c in refused.conflicts] == [ALMATY], "a merge without a resolver is refused, and says why")
    else:
        raise FalseClaim("a merge without a resolver is refused")

    def take_the_release(conflict: MergeConflict) -> bytes | None:
        for name in ("base_value", "destination_value", "source_value"):
            value: bytes = getattr(conflict, name) or b"absent"
            print(f"    {name:18} ... {' / '.join(value.decode().splitlines()[-2:])}")
        return conflict.source_value

    merged = store.merge("main", take_the_release)
    parents = store.log(limit=1)[0]["parents"]
    claim(parents == [ours, store.resolve("main")], "the merge commit has both parents")
    claim(dict(store.items()) == {**archive.newest, b"link/Office/Almaty": b"Asia/Almaty"}, "it holds both sides' work")
    print(f"  {merged[:12]} merges {len(archive.versions) - archive.versions.index('2023.4') - 1} releases")

    store.delete(b"link/Office/Almaty")
    store.commit("Drop the office's own name")
    claim(store.root_hash() == store.at("main").root_hash(), "without our own entry the branch's root is main's root")
    store.checkout("main")


def two_namespaces(store: VersionedKvStore, work: Path) -> None:
    """Opens the same directory as a store of namespaces, and moves two of them through a branch and a merge."""
    chapter("two namespaces move together")
    main = store.at("main").root_hash()
    with NamespacedKvStore(work / "store") as both:
        claim(both.list_namespaces() == ["default"], "the zones are the default namespace of the same directory")
        both.branch("rates")
        both.ns_insert("rates", b"Almaty", b"4500 KZT")
        rates = both.commit("Hourly rates")
        both.checkout("main")

        both.branch("offices")
        both.ns_insert("offices", b"Almaty", b"Office/Almaty")
        both.ns_insert("default", b"link/Office/Almaty", b"Asia/Almaty")
        claim(
            both.status() == [("default", b"link/Office/Almaty", "added"), ("offices", b"Almaty", "added")],
            "changes of two namespaces are staged",
        )
        offices = both.commit("An office in Almaty, and the zone it goes by")
        for namespace, rows in both.diff("main", offices).items():
            print(f"  {offices[:12]} changed {len(rows)} of {namespace}: {rows[0].key.decode()}")

        both.checkout("main")
        seen = both.list_namespaces(), both.get(b"link/Office/Almaty"), both.get_namespace_root_hash("default")
        claim(seen == (["default"], None, main), "back on main there is neither")
        both.checkout("offices")
        merged = both.merge("rates")
        claim(both.list_namespaces() == ["default", "offices", "rates"], "a merge brings the third")
        unchanged = [both.namespace_changed(name, offices, merged) for name in ("default", "offices", "rates")]
        claim(unchanged == [False, False, True], f"{merged[:12]} changed that one only, of what {offices[:12]} had")
        claim(both.namespace_changed("rates", rates, merged) is False, "and took it over whole")

        proof = bytes(both.ns_generate_proof("offices", b"Almaty"))
        root = both.root_hash()
        claim(
            NamespaceProof(proof).verify(root, "offices", b"Almaty", b"Office/Almaty"),
            f"{len(proof)} bytes prove an entry of a namespace against the root of everything, {root.hex()[:12]}",
        )
        copy_and_catch_up(both, work)
        both.checkout("main")


def copy_and_catch_up(both: NamespacedKvStore, work: Path) -> None:
    """Copies a store in Git into one in redb, and then what is new."""
    chapter("a copy in another backend, and what is new since")
    copy, report = NamespacedKvStore.clone(both, work / "copy", StorageBackend.Redb)
    with copy:
        commits, objects, size = report["commits"], report["objects"], report["bytes"]
        print(f"  cloned: {commits} commits, {objects} objects, {size / 1e6:.1f} MB")
        claim(copy.at("origin/offices").root_hash() == both.root_hash(), "the copy in redb has the same root")
        both.ns_insert("offices", b"Almaty", b"Asia/Almaty")
        both.commit("The office goes by the zone itself")
        report = copy.fetch(both)
        print(f"  fetched: {report['commits']} commit, {report['objects']} objects, {report['bytes']} bytes")
        claim(copy.at("origin/offices").root_hash() == both.root_hash(), "and has it again after one more commit")
        claim(report["commits"] == 1 and report["objects"] < 10, "of which little more than the change was sent")
        claim(copy.fetch(both)["objects"] == 0, "there is nothing more to fetch")


def clocks(pairs: Pairs) -> dict[tuple[str, datetime], str]:
    """What clocks were set to, by zone and moment."""
    rows = {}
    for key, value in pairs.items():
        if key.startswith(b"transition/"):
            zone, moment = key.decode().removeprefix("transition/").rsplit("/", 1)
            rows[zone, datetime.strptime(moment, "%Y-%m-%dT%H:%M:%SZ")] = value.decode()
    return rows


def an_sql_table(store: VersionedKvStore, archive: Archive, data: Path, work: Path) -> None:
    """Keeps two releases as an SQL table of the same store, queries it at both, and compares them."""
    chapter("the same data as an SQL table, at two revisions")
    release = next(release for release in pinned_releases() if release.version == "2022.1")
    old, new = clocks(load_release(release.path(data))), clocks(archive.newest)
    with ProllySQLStore(work / "store") as sql:
        sql.branch("tables")
        sql.execute("CREATE TABLE clock (zone TEXT, since TIMESTAMP, shows TEXT NOT NULL, PRIMARY KEY (zone, since))")
        sql.execute("CREATE INDEX clock_shows ON clock (shows)")
        sql.execute_many("INSERT INTO clock VALUES (?, ?, ?)", [(*key, shows) for key, shows in old.items()])
        before = sql.commit(f"The clocks of {release.version}")
        with sql.transaction():
            sql.execute("DELETE FROM clock")
            sql.execute_many("INSERT INTO clock VALUES (?, ?, ?)", [(*key, shows) for key, shows in new.items()])
        after = sql.commit(f"The clocks of {archive.versions[-1]}")
        print(f"  {len(old)} rows in {before[:12]}, {len(new)} in {after[:12]}")

        question = "SELECT shows FROM clock WHERE zone = ? ORDER BY since DESC LIMIT 1"
        for commit, rows in ((before, old), (after, new)):
            [answer] = sql.at(commit).execute(question, ("Asia/Almaty",))
            print(f"  {commit[:12]}  {question.replace('?', repr('Asia/Almaty'))}  ->  {answer['shows']}")
            last = max(since for zone, since in rows if zone == "Asia/Almaty")
            claim(answer == {"shows": rows["Asia/Almaty", last]}, "that is what the release says")

        changed = sql.execute(f'SELECT * FROM "diff(clock, {before}, {after})"')
        kinds = {"added": new.keys() - old.keys(), "removed": old.keys() - new.keys()}
        kinds["modified"] = {key for key in old.keys() & new.keys() if old[key] != new[key]}
        for kind, keys in kinds.items():
            side = "from" if kind == "removed" else "to"
            found = {(row[f"{side}_zone"], row[f"{side}_since"]) for row in changed if row["diff_type"] == kind}
            claim(found == keys, f"the difference of the two has the {len(keys)} rows that were {kind}, and no other")

        both = """
            SELECT now.zone, now.since, was.shows AS was, now.shows AS now
            FROM clock AS now JOIN "clock@HEAD~1" AS was ON was.zone = now.zone AND was.since = now.since
            WHERE was.shows <> now.shows
        """
        corrected = sql.execute(both)
        row = corrected[0]
        print(f"  {row['zone']} from {row['since']} on: {row['was']} in the one, {row['now']} in the other")
        found = {(row["zone"], row["since"]) for row in corrected}
        claim(found == kinds["modified"], f"one query joins both, and finds the same {len(found)} that were modified")
        sql.checkout("main")
        claim(sql.tables() == [], "main knows nothing of the table")


def proofs(store: VersionedKvStore, archive: Archive, work: Path) -> None:
    """Makes proofs here and has them checked by a process that has nothing but their bytes and the root hash."""
    chapter("proofs, checked by another process from their bytes and the root hash alone")
    root = store.root_hash().hex()
    key, value = "transition/Europe/Kyiv/1991-09-29T00:00:00Z", "+02:00 EET"
    proof, absence = store.generate_proof(key.encode()), store.generate_proof(b"country/XX")
    whole = sum(len(key) + len(value) for key, value in archive.newest.items())
    print(f"  {len(proof)} bytes prove one entry, {len(absence)} an absence; all entries are {whole} bytes")
    elsewhere = work / "elsewhere"
    elsewhere.mkdir()

    def verdict(proof: bytes, *question: str) -> bool:
        checker = [sys.executable, str(Path(__file__).with_name("verify_proof.py"))]
        done = subprocess.run([*checker, *question], input=proof, cwd=elsewhere, capture_output=True)
        if done.returncode not in (0, 1):
            raise FalseClaim(f"the checker can be run: {done.stderr.decode()}")
        return done.returncode == 0

    claim(verdict(proof, root, key, value), f"proved: {key} is {value!r}")
    claim(verdict(absence, root, "country/XX", "--absent"), "proved: there is no country/XX")
    claim(not verdict(proof, root, key, "+03:00 MSK"), "another value is not proved by it")
    claim(not verdict(proof, store.at("v2020.1").root_hash().hex(), key, value), "nor is it of another revision's root")
    bent = bytearray(proof)
    bent[len(bent) // 2] ^= 1
    claim(not verdict(bytes(bent), root, key, value), "nor does it stand with one bit flipped")


def other_orders_and_backends(store: VersionedKvStore, archive: Archive, work: Path) -> None:
    """Loads the newest release again in other ways and compares roots."""
    chapter("the same contents by other ways")
    root = store.root_hash()
    shuffled = list(archive.newest.items())
    random.Random(2026).shuffle(shuffled)

    tree = ProllyTree()
    for key, value in shuffled:
        tree.insert(key, value)
    claim(tree.root_hash() == root, "in memory, one at a time, in random order: the same root")

    with VersionedKvStore(work / "redb", StorageBackend.Redb) as redb:
        for start in range(0, len(shuffled), 1000):
            redb.insert_batch(shuffled[start : start + 1000])
            redb.commit(f"up to {start + 1000}")
        claim(redb.root_hash() == root, f"in redb, in {len(redb.log())} commits of random thousands: the same root")

    with VersionedKvStore(work / "files", StorageBackend.File) as files:
        files.insert_batch((key, b"draft of " + value) for key, value in reversed(shuffled))
        files.insert(b"zone/Mars/Olympus_Mons", b"0:39:35 - MTC")
        files.commit("drafts")
        files.insert_batch(shuffled)
        files.delete(b"zone/Mars/Olympus_Mons")
        files.commit("final")
        claim(files.root_hash() == root, "in plain files, every value written twice and a key removed: the same root")


def clone_and_read_back(store: VersionedKvStore, archive: Archive, work: Path) -> None:
    """Clones the store with plain git, lets git clean up and check the clone, and reads every release from it."""
    chapter("git clone, and every release read back from the clone")

    def git(*arguments: str) -> str:
        print(f"  $ git {' '.join(arguments)}", flush=True)
        done = subprocess.run(["git", *arguments], cwd=work, capture_output=True, text=True)
        if done.returncode != 0:
            raise FalseClaim(f"git {arguments[0]} succeeds: {done.stderr}")
        return done.stdout

    git("clone", "--quiet", "--no-local", "store", "clone")
    git("-C", "clone", "gc", "--quiet", "--prune=now")
    git("-C", "clone", "fsck", "--full", "--strict")
    print("\n".join(f"    {line}" for line in git("-C", "clone", "log", "--oneline", "-3").splitlines()))
    size = sum(path.stat().st_size for path in (work / "clone" / ".git").rglob("*") if path.is_file())
    with VersionedKvStore.open(work / "clone") as clone:
        claim(clone.resolve("main") == store.resolve("main"), "the clone's tip is the store's tip")
        for count, version in enumerate(archive.versions, 1):
            here, there = store.at(f"v{version}"), clone.at(f"v{version}")
            if there.root_hash() != here.root_hash() or fingerprint(there.items()) != archive.fingerprints[version]:
                raise FalseClaim(f"release {version} reads back from the clone as it was imported")
            if count % 11 == 0:
                print(f"  {count} of {len(archive.versions)} releases compared", flush=True)
    claim(True, f"all {len(archive.versions)} releases are whole in the clone, whose repository takes {size / 1e6:.1f} MB")


def run(data: Path, work: Path) -> None:
    """Runs the chapters in order."""
    missing = [release.version for release in pinned_releases() if not release.path(data).exists()]
    if missing:
        raise LoadError(f"release {missing[0]} is not in {data}: run fetch.py first")
    work.mkdir(parents=True, exist_ok=True)
    for name in ("store", "clone", "copy", "redb", "files", "elsewhere"):  # what an earlier run left
        if (work / name).exists():
            shutil.rmtree(work / name)
    with VersionedKvStore(work / "store") as store:
        archive = import_releases(store, data)
        same_contents_same_root(store, archive)
        history_of_a_key(store, archive)
        queries(store, archive)
        branch_and_conflict(store, archive)
        two_namespaces(store, work)
        an_sql_table(store, archive, data, work)
        proofs(store, archive, work)
        other_orders_and_backends(store, archive, work)
        clone_and_read_back(store, archive, work)
    print(f"\nThe store is in {work / 'store'}; `git log --all --oneline` works there, and so does the Python API.")


def main(arguments: list[str]) -> int:
    """Runs the command; returns its exit code."""
    if len(arguments) != 2:
        print("usage: demo.py DATA WORK", file=sys.stderr)
        return 2
    started = time.monotonic()
    try:
        run(Path(arguments[0]), Path(arguments[1]))
    except FalseClaim as false:
        print(f"\nFALSE: {false}", file=sys.stderr)
        return 1
    except LoadError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"Everything held, in {time.monotonic() - started:.1f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
