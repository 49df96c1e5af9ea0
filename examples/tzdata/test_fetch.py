"""The download: pins are read strictly, and what is already there is trusted by its checksum only."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import fetch
import pytest
from fetch import FetchError, Release

CONTENT = b"a wheel"
RELEASE = Release("2099.1", hashlib.sha256(CONTENT).hexdigest())

READ_PINS = fetch.pinned_releases  # the real one, which the fixture replaces in the module


@pytest.fixture(autouse=True)
def one_release(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pins one release instead of the real ones."""
    monkeypatch.setattr(fetch, "pinned_releases", lambda: [RELEASE])


def fake_pip(monkeypatch: pytest.MonkeyPatch, content: bytes | None) -> list[list[str]]:
    """Replaces pip by one that delivers `content`, or fails; returns the calls made."""
    calls: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        if content is None:
            return subprocess.CompletedProcess(command, 1, "", "no network")
        Path(command[command.index("--dest") + 1], "tzdata-2099.1-py2.py3-none-any.whl").write_bytes(content)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    return calls


def test_downloads_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = fake_pip(monkeypatch, CONTENT)
    fetch.fetch_all(tmp_path / "data")
    fetch.fetch_all(tmp_path / "data")
    assert len(calls) == 1 and "--require-hashes" in calls[0]
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["tzdata-2099.1.whl"]


def test_a_damaged_file_is_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    RELEASE.path(tmp_path).write_bytes(CONTENT[:3])
    calls = fake_pip(monkeypatch, CONTENT)
    fetch.fetch_all(tmp_path)
    assert len(calls) == 1 and RELEASE.is_in(tmp_path)


@pytest.mark.parametrize(("content", "complaint"), [(None, "no network"), (b"another", "pinned checksum")])
def test_a_failed_download_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, complaint: str
) -> None:
    fake_pip(monkeypatch, content)
    with pytest.raises(FetchError, match=f"(?s)tzdata 2099.1.*{complaint}"):
        fetch.fetch_all(tmp_path)


def test_pins_are_read_strictly(tmp_path: Path) -> None:
    pins = tmp_path / "pins.txt"
    pins.write_text(f"# comment\n\ntzdata==1.0 --hash=sha256:{'a' * 64}\ntzdata==2.0\n")
    with pytest.raises(FetchError, match="pins.txt line 4: not a pinned release"):
        READ_PINS(pins)


def test_the_real_pins_are_distinct_and_ordered() -> None:
    releases = READ_PINS()
    numbers = [[int(part.removeprefix("post")) for part in release.version.split(".")] for release in releases]
    assert numbers == sorted(numbers) and len({release.sha256 for release in releases}) == len(releases) == 33
