"""The loader: what it reads, and that what it cannot read is an error which names the place."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import pytest
import tzload
from tzload import LoadError

SOURCE = """\
# version 2099z
R K 1940 o - Jul 15 0 1 S
R K 1940 o - O 1 0 0 -
Z Africa/Cairo 2:5:9 - LMT 1900 O
2 K EE%sT
Z Etc/UTC 0 - UTC
L Africa/Cairo Egypt
"""
COUNTRIES = "# code, name\nEG\tEgypt\n"
LEAPS = "#\nLeap\t2016\tDec\t31\t23:59:60\t+\tS\n#Expires 2099\tDec\t28\t00:00:00\n"


def compiled(transitions: list[tuple[int, int]], types: list[tuple[int, bool, int]], names: bytes) -> bytes:
    """A TZif file as RFC 8536 lays it out: an empty block of 32-bit times, then the real one of 64-bit times."""
    empty = b"TZif2" + bytes(15) + struct.pack(">6l", 0, 0, 0, 0, 0, 0)
    header = b"TZif2" + bytes(15) + struct.pack(">6l", 0, 0, 0, len(transitions), len(types), len(names))
    times = b"".join(struct.pack(">q", at) for at, _ in transitions)
    kinds = bytes(kind for _, kind in transitions)
    described = b"".join(struct.pack(">lBB", *one) for one in types)
    return empty + header + times + kinds + described + names + b"\nEET-2\n"


CAIRO = compiled(
    [(-2185409109, 1), (-929844000, 2)], [(7509, False, 0), (7200, False, 4), (10800, True, 8)], b"LMT\0EET\0EEST\0"
)
UTC = compiled([], [(0, False, 0)], b"UTC\0")


def wheel(folder: Path, **changed: str | None) -> Path:
    """A small release; a keyword replaces a file's text, or leaves the file out."""
    files: dict[str, bytes | str | None] = {
        "tzdata.zi": SOURCE,
        "iso3166.tab": COUNTRIES,
        "leapseconds": LEAPS,
        "Africa/Cairo": CAIRO,
        "Etc/UTC": UTC,
    }
    files.update({name.replace("__", "/").replace("_", "."): text for name, text in changed.items()})
    path = folder / "tzdata-2099.26.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            if content is not None:
                archive.writestr(f"tzdata/zoneinfo/{name}", content)
    return path


def test_a_release_becomes_sorted_pairs(tmp_path: Path) -> None:
    pairs = tzload.load_release(wheel(tmp_path))
    assert pairs == {
        b"country/EG": b"Egypt",
        b"leap/2016-12-31": b"+",
        b"link/Egypt": b"Africa/Cairo",
        b"rule/K": b"1940 o - Jul 15 0 1 S\n1940 o - O 1 0 0 -",
        b"transition/Africa/Cairo/1900-09-30T21:54:51Z": b"+02:00 EET",
        b"transition/Africa/Cairo/1940-07-14T22:00:00Z": b"+03:00 EEST daylight saving",
        b"zone/Africa/Cairo": b"2:5:9 - LMT 1900 O\n2 K EE%sT",
        b"zone/Etc/UTC": b"0 - UTC",
    }
    assert list(pairs) == sorted(pairs)


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"tzdata_zi": None}, "tzdata.zi is not in the wheel"),
        ({"Etc__UTC": None}, "zone Etc/UTC has no compiled file"),
        ({"Etc__UTC": "UTC0"}, "not a TZif file"),
        ({"tzdata_zi": SOURCE + "X what\n"}, "tzdata.zi line 8: neither rule"),
        ({"tzdata_zi": SOURCE + "2 K EE%sT\n"}, "tzdata.zi line 8: neither rule"),
        ({"tzdata_zi": SOURCE + "Z Etc/UTC 0 - UTC\n"}, "line 8: zone Etc/UTC is defined twice"),
        ({"tzdata_zi": SOURCE + "L Egypt\n"}, "line 8: too short"),
        ({"iso3166_tab": "EG Egypt\n"}, "iso3166.tab line 1: expected a code"),
        ({"leapseconds": "Leap 2016 Dec 31\n"}, "leapseconds line 1: expected a Leap line"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, changed: dict[str, str | None], complaint: str) -> None:
    with pytest.raises(LoadError, match=complaint.replace("(", r"\(")):
        tzload.load_release(wheel(tmp_path, **changed))


def test_damaged_compiled_zones_are_refused() -> None:
    with pytest.raises(LoadError, match="not a TZif file of version 2"):
        tzload.transitions(CAIRO.replace(b"TZif2", b"TZif\0"))
    with pytest.raises(LoadError, match="its counts do not fit"):
        tzload.transitions(compiled([(0, 5)], [(0, False, 0)], b"UTC\0"))
    with pytest.raises(LoadError, match="outside the calendar"):
        tzload.transitions(compiled([(-(2**59), 0)], [(0, False, 0)], b"UTC\0"))
    for size in range(len(CAIRO) - 7):
        with pytest.raises(LoadError):
            tzload.transitions(CAIRO[:size])


def test_offsets_have_signs_and_seconds() -> None:
    pairs = tzload.transitions(compiled([(0, 0), (60, 1)], [(-12600, False, 0), (7509, False, 4)], b"NST\0LMT\0"))
    assert pairs == (("1970-01-01T00:00:00Z", "-03:30 NST"), ("1970-01-01T00:01:00Z", "+02:05:09 LMT"))
