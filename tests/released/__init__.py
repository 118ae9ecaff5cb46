"""The interfaces of the last release: those of its tag, or the copies in this folder where git knows no such tag, as
before the first release and in a shallow clone."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from deploy.local import ROOT
from deploy.release import RELEASED


def released_file(name: str, root: Path = ROOT) -> str | None:
    """The text of the file that is now at `name`, as the last release has it; None if that has no such file."""
    if tag := last_tag(root):
        return git(root, "show", f"{tag}:{name}") or None
    copy = root / RELEASED / name
    return copy.read_text() if copy.exists() else None


def last_tag(root: Path = ROOT) -> str | None:
    """The tag of the last release before this code, if git knows one."""
    tags = git(root, "tag", "--merged", "HEAD", "--sort=-version:refname").split()
    return next((tag for tag in tags if re.fullmatch(r"v[0-9]+(\.[0-9]+){2}", tag)), None)


def major(version: str) -> str:
    return version.removeprefix("v").partition(".")[0]


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False).stdout
