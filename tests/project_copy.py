"""A temporary copy of this project, which a test changes as a developer would, and runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from deploy.local import ROOT
from tests.system import PATIENT_VARIABLES, System


class ProjectCopy:
    """A copy of the files that git knows, in a repository of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        for name in self._git(ROOT, "ls-files", "-z").split("\0")[:-1]:
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, directory / name, follow_symlinks=False)
        self._git(directory, "init", "--quiet")
        self._commit_all()

    def replace(self, file: str, old: str, new: str) -> None:
        """Replaces `old`, which must be in the file exactly once."""
        path = self.directory / file
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{file} has {text.count(old)} times: {old}"
        path.write_text(text.replace(old, new), encoding="utf-8")

    def run(self, *module: str, **variables: str) -> str:
        """What a module of the copy prints; fails with its errors when it does not succeed."""
        ran = subprocess.run(
            [sys.executable, "-m", *module],
            cwd=self.directory,
            env=os.environ | variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    def changed(self) -> set[str]:
        """The files that differ from the project, new ones included."""
        self._git(self.directory, "add", "--all")
        return set(self._git(self.directory, "diff", "--cached", "--name-only").splitlines())

    def _commit_all(self) -> None:
        self._git(self.directory, "add", "--all")
        identity = ("-c", "user.name=test", "-c", "user.email=test@localhost")
        self._git(self.directory, *identity, "commit", "--quiet", "--message=The project")

    @staticmethod
    def _git(directory: Path, *arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=directory, capture_output=True, text=True, check=True).stdout


class SystemOfCopy(System):
    """The system of a copy, over the data in `directory`, which another system may have left there."""

    def __init__(self, copy: ProjectCopy, directory: Path, offset: int) -> None:
        self.root = copy.directory
        super().__init__(directory, offset, demo=0, **PATIENT_VARIABLES)
