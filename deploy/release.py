"""Prepares a release: `make release VERSION=1.1.0` writes its version wherever it must stand, and dates its section of
the changelog. `make release-notes VERSION=1.1.0` prints that section.

The version of the product is the one in pyproject.toml; PLACES repeat it, and a test compares them. Only the standard
library is used, so that the release pipeline can ask for the version and the notes without a set-up.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHANGELOG = "CHANGELOG.md"
UNRELEASED = "## [Unreleased]\n"
IN_MANIFEST = r'^version = "([^"]*)"'
IN_PACKAGE = r'"version": "([^"]*)"'
PLACES = (
    ("pyproject.toml", IN_MANIFEST, 1),
    ("*/pyproject.toml", IN_MANIFEST, 1),
    ("gateway/playground/package.json", IN_PACKAGE, 1),
    ("gateway/playground/package-lock.json", IN_PACKAGE, 2),  # the versions that follow are those of its packages
    ("deploy/Dockerfile", r'image\.version="([^"]*)"', 1),
)
"""Which files repeat the version: as a glob, what stands around the version there, and how often it is there."""

INTERFACES = ("*/openapi.json", "gateway/schema.graphql")
"""What clients rely on, as files."""
RELEASED = "tests/released"


class ReleaseError(Exception):
    """The release cannot be made; the message says why."""


def current() -> str:
    """The version of this checkout."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def prepare(version: str, date: str) -> None:
    """Writes `version` into all places, and makes what is unreleased its section of the changelog."""
    if not re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}", version):
        raise ReleaseError(f"{version} is not a version such as 1.1.0")
    if _numbers(version) <= _numbers(current()):
        raise ReleaseError(f"{version} is not later than {current()}, the version of this checkout")
    changelog = (ROOT / CHANGELOG).read_text()
    if not section(changelog, "Unreleased"):
        raise ReleaseError(f"{CHANGELOG} has no section [Unreleased] with something in it: nothing to release")
    (ROOT / CHANGELOG).write_text(changelog.replace(UNRELEASED, f"## [{version}] - {date}\n", 1))
    for glob, pattern, count in PLACES:
        for path in ROOT.glob(glob):
            whole = re.compile(pattern, re.M)
            path.write_text(whole.sub(lambda found: found[0].replace(found[1], version), path.read_text(), count))
    # These repeat the version as well, and are made from the places above.
    subprocess.run([sys.executable, "deploy/bootstrap.py", "--uv", "lock", "--quiet"], cwd=ROOT, check=True)
    subprocess.run([sys.executable, "-m", "deploy.render"], cwd=ROOT, check=True)
    keep_interfaces(ROOT)


def keep_interfaces(root: Path) -> None:
    """Copies the interfaces to where tests find what the last release promised."""
    for glob in INTERFACES:
        for path in root.glob(glob):
            copy = root / RELEASED / path.relative_to(root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)


def notes(version: str) -> str:
    """What has changed in `version`."""
    found = section((ROOT / CHANGELOG).read_text(), version)
    if not found:
        raise ReleaseError(f"{CHANGELOG} has no section [{version}]")
    return found


def section(changelog: str, name: str) -> str:
    """The text of a section of the changelog, without its heading; empty if there is none."""
    found = re.search(rf"^## \[{re.escape(name)}\][^\n]*\n(.*?)(?=^## |\Z)", changelog, re.M | re.S)
    return found[1].strip() if found else ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.release", description="Prepares a release.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--prepare", metavar="VERSION", help="write this version everywhere")
    what.add_argument("--notes", metavar="VERSION", help="print what has changed in it")
    what.add_argument("--tag", help="fail unless this is the tag of this checkout's version, and it has notes")
    given = parser.parse_args()
    try:
        if given.prepare:
            prepare(given.prepare, f"{datetime.now(UTC):%Y-%m-%d}")
            print(f"version {given.prepare} is written: look at `git diff`, then commit it and tag it v{given.prepare}")
        elif given.notes:
            print(notes(given.notes))
        elif given.tag != f"v{current()}":
            raise ReleaseError(f"the tag is {given.tag}, and the version of the tagged code is {current()}")
        else:
            notes(current())
    except ReleaseError as refused:
        print(f"release: {refused}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
