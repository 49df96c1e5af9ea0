"""Downloads the pinned releases of the time-zone database into a folder, once.

    python fetch.py FOLDER

Invariant: a file in the folder under a release's name has the SHA-256 that `releases.txt` pins; anything else is
fetched again, and what arrives with another checksum is an error.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

PINS = Path(__file__).with_name("releases.txt")
PIN = re.compile(r"tzdata==(?P<version>\S+) --hash=sha256:(?P<sha256>[0-9a-f]{64})")
DOWNLOADS_AT_ONCE = 4


class FetchError(Exception):
    """A release that could not be had, or a pin that cannot be read."""


@dataclass(frozen=True)
class Release:
    """One pinned release."""

    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        """The name under which the release is kept; not the wheel's own, which says more than is needed."""
        return f"tzdata-{self.version}.whl"

    def path(self, folder: Path) -> Path:
        """Where the release is kept in `folder`."""
        return folder / self.file_name

    def is_in(self, folder: Path) -> bool:
        """Whether `folder` holds the release, whole."""
        path = self.path(folder)
        return path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == self.sha256


def pinned_releases(pins: Path = PINS) -> list[Release]:
    """Returns the releases pinned in `releases.txt`, oldest first."""
    releases = []
    for number, line in enumerate(pins.read_text().splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            pin = PIN.fullmatch(line.strip())
            if pin is None:
                raise FetchError(f"{pins.name} line {number}: not a pinned release: {line!r}")
            releases.append(Release(pin["version"], pin["sha256"]))
    return releases


def fetch(release: Release, folder: Path) -> None:
    """Downloads one release with pip, which checks it against the pin, and moves it into `folder` whole."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        pin = Path(scratch, "pin.txt")
        pin.write_text(f"tzdata=={release.version} --hash=sha256:{release.sha256}\n")
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "download"]
        flags = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--dest", scratch]
        done = subprocess.run([*pip, *flags, "--requirement", str(pin)], capture_output=True, text=True)
        wheels = list(Path(scratch).glob("*.whl"))
        if done.returncode != 0 or len(wheels) != 1:
            raise FetchError(f"tzdata {release.version}: pip download failed\n{done.stdout}{done.stderr}".rstrip())
        wheels[0].replace(release.path(folder))
    if not release.is_in(folder):
        raise FetchError(f"tzdata {release.version}: what was downloaded does not have the pinned checksum")


def fetch_all(folder: Path) -> None:
    """Downloads what is missing from `folder`, a few at once, and says so."""
    folder.mkdir(parents=True, exist_ok=True)
    releases = pinned_releases()
    missing = [release for release in releases if not release.is_in(folder)]
    if not missing:
        print(f"all {len(releases)} releases of the time-zone database are in {folder}")
        return
    print(f"fetching {len(missing)} of {len(releases)} releases of the time-zone database, about 0.3 MB each")
    with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
        running = {pool.submit(fetch, release, folder): release for release in missing}
        try:
            for count, done in enumerate(as_completed(running), 1):
                done.result()
                print(f"  [{count}/{len(missing)}] tzdata {running[done].version}", flush=True)
        except FetchError:
            pool.shutdown(cancel_futures=True)
            raise


def main(arguments: list[str]) -> int:
    """Runs the command; returns its exit code."""
    if len(arguments) != 1:
        print("usage: fetch.py FOLDER", file=sys.stderr)
        return 2
    try:
        fetch_all(Path(arguments[0]))
    except FetchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
