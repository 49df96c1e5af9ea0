"""Turns one release of the time-zone database into ordered key/value pairs.

A release is a `tzdata` wheel. Its text files and its compiled zone files become one flat map of bytes:

    country/UA                                  Ukraine
    leap/2016-12-31                             +
    link/Europe/Kiev                            Europe/Kyiv
    rule/EU                                     the lines of the rule set, as released
    transition/Europe/Kyiv/1991-09-29T00:00:00Z +02:00 EET
    zone/Europe/Kyiv                            the lines of the zone, as released

Invariant: the map is a function of the wheel's bytes alone, and whatever the loader does not understand is an
error that names the file and the line; nothing is skipped silently.
"""

from __future__ import annotations

import struct
import zipfile
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from pathlib import Path

FOLDER = "tzdata/zoneinfo/"
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class LoadError(Exception):
    """A release that is not what the loader knows how to read."""


def load_release(wheel: Path) -> dict[bytes, bytes]:
    """Returns every pair of the release in `wheel`, sorted by key."""
    with zipfile.ZipFile(wheel) as archive:
        files = {name.removeprefix(FOLDER): name for name in archive.namelist() if name.startswith(FOLDER)}
        try:
            pairs = {
                **countries(archive.read(files["iso3166.tab"]).decode()),
                **leap_seconds(archive.read(files["leapseconds"]).decode()),
                **zone_source(archive.read(files["tzdata.zi"]).decode()),
            }
        except KeyError as missing:
            raise LoadError(f"{wheel.name}: {FOLDER}{missing.args[0]} is not in the wheel") from missing
        for zone in zone_names(pairs):
            if zone not in files:
                raise LoadError(f"{wheel.name}: zone {zone} has no compiled file")
            for instant, clock in transitions(archive.read(files[zone])):
                pairs[f"transition/{zone}/{instant}"] = clock
    return {key.encode(): pairs[key].encode() for key in sorted(pairs)}


def zone_names(pairs: dict[str, str]) -> list[str]:
    """Returns the names of the zones (not the links) among `pairs`."""
    return [key.removeprefix("zone/") for key in pairs if key.startswith("zone/")]


def countries(table: str) -> dict[str, str]:
    """Reads `iso3166.tab`: a two-letter code, a tab, a name."""
    pairs = {}
    for number, line in content_lines(table):
        code, tab, name = line.partition("\t")
        if not tab or len(code) != 2 or not name:
            raise LoadError(f"iso3166.tab line {number}: expected a code, a tab and a name, got {line!r}")
        pairs[f"country/{code}"] = name
    return pairs


def leap_seconds(table: str) -> dict[str, str]:
    """Reads `leapseconds`: `Leap YEAR MONTH DAY HH:MM:SS CORR R/S` lines."""
    pairs = {}
    for number, line in content_lines(table):
        fields = line.split()
        if fields[0] == "Expires":
            continue  # a comment for machines: when this very file should be fetched again
        if len(fields) != 7 or fields[0] != "Leap" or fields[5] not in "+-":
            raise LoadError(f"leapseconds line {number}: expected a Leap line, got {line!r}")
        day = datetime.strptime(" ".join(fields[1:4]), "%Y %b %d").date()
        pairs[f"leap/{day.isoformat()}"] = fields[5]
    return pairs


def zone_source(source: str) -> dict[str, str]:
    """Reads `tzdata.zi`, the database's own compact source: rules, zones with their continuation lines, links."""
    blocks: dict[str, list[str]] = {}
    links: dict[str, str] = {}
    zone: str | None = None
    for number, line in content_lines(source):
        kind, _, rest = line.partition(" ")
        name, _, fields = rest.partition(" ")
        if kind in ("R", "Z", "L") and not fields:
            raise LoadError(f"tzdata.zi line {number}: too short: {line!r}")
        if kind == "R":
            zone = None
            blocks.setdefault(f"rule/{name}", []).append(fields)
        elif kind == "Z":
            zone = f"zone/{name}"
            if zone in blocks:
                raise LoadError(f"tzdata.zi line {number}: zone {name} is defined twice")
            blocks[zone] = [fields]
        elif kind == "L":
            zone = None
            links[f"link/{fields}"] = name
        elif zone is not None and (kind[0].isdigit() or kind[0] == "-"):
            blocks[zone].append(line)
        else:
            raise LoadError(f"tzdata.zi line {number}: neither rule, zone, link nor continuation: {line!r}")
    return {**{key: "\n".join(lines) for key, lines in blocks.items()}, **links}


@lru_cache(maxsize=None)
def transitions(compiled: bytes) -> tuple[tuple[str, str], ...]:
    """Decodes a compiled zone (TZif version 2 or later, RFC 8536) to (instant in UTC, clock from then on) pairs."""
    found = []
    try:
        _, after_first = _tzif_block(compiled, 0, time_size=4)
        (times, kinds, types, names), _ = _tzif_block(compiled, after_first, time_size=8)
        for seconds, kind in zip(times, kinds):
            offset, is_daylight, name_at = types[kind]
            name = names[name_at : names.index(b"\0", name_at)].decode()
            daylight = " daylight saving" if is_daylight else ""
            found.append((_instant(seconds), f"{_offset(offset)} {name}{daylight}"))
    except (struct.error, IndexError, ValueError) as error:
        raise LoadError(f"compiled zone: its counts do not fit: {error}") from error
    return tuple(found)


_Block = tuple[tuple[int, ...], bytes, list[tuple[int, int, int]], bytes]


def _tzif_block(data: bytes, start: int, time_size: int) -> tuple[_Block, int]:
    """Returns a block's times, the type of each, the types and the names; and where the block ends."""
    if data[start : start + 4] != b"TZif" or data[start + 4 : start + 5] < b"2":
        raise LoadError("compiled zone: not a TZif file of version 2 or later")
    isut, isstd, leaps, count, type_count, name_size = struct.unpack(">6l", data[start + 20 : start + 44])
    at = start + 44
    times = struct.unpack(f">{count}{'q' if time_size == 8 else 'l'}", data[at : at + count * time_size])
    at += count * time_size
    kinds = data[at : at + count]
    at += count
    types = list(struct.iter_unpack(">lBB", data[at : at + 6 * type_count]))
    at += 6 * type_count
    names = data[at : at + name_size]
    at += name_size + leaps * (time_size + 4) + isstd + isut
    if at > len(data):
        raise LoadError(f"compiled zone: its counts do not fit: {at} bytes announced, {len(data)} there")
    return (times, kinds, types, names), at


def _instant(seconds: int) -> str:
    try:
        moment = EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        raise LoadError(f"compiled zone: a transition at {seconds} s is outside the calendar") from None
    return moment.replace(tzinfo=None).isoformat() + "Z"


def _offset(seconds: int) -> str:
    sign = "-" if seconds < 0 else "+"
    minutes, second = divmod(abs(seconds), 60)
    tail = f":{second:02}" if second else ""
    return f"{sign}{minutes // 60:02}:{minutes % 60:02}{tail}"


def content_lines(text: str) -> list[tuple[int, str]]:
    """Returns the numbered lines that are neither empty nor comments."""
    return [(number, line) for number, line in enumerate(text.splitlines(), 1) if line and not line.startswith("#")]
