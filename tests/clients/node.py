"""Node and npm of the locked Python environment, for tests that run programs of npm."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

BIN = Path(sys.executable).parent  # that of this Python, also in a copy of the project, which has no .venv


def run(folder: Path, *command: str, **variables: object) -> subprocess.CompletedProcess[str]:
    """Runs `command` (`node`, `npm`, or a program that npm has installed) in `folder`."""
    path = os.pathsep.join((str(BIN), str(folder / "node_modules" / ".bin"), os.environ.get("PATH", os.defpath)))
    environment = {**os.environ, "PATH": path, "NO_COLOR": "1"} | {name: str(one) for name, one in variables.items()}
    if certificates := os.environ.get("SSL_CERT_FILE"):  # Node does not read it
        environment.setdefault("NODE_EXTRA_CA_CERTS", certificates)
    # `env` finds the program, since Popen would look for it on this process's PATH and not on the one given here.
    return subprocess.run(["env", *command], cwd=folder, env=environment, capture_output=True, text=True, check=False)


def install(folder: Path) -> None:
    """Makes `folder/node_modules` hold what its lock names; returns at once if it already does. One process at a time:
    files of tests that run in parallel share the folder."""
    names = folder / "package-lock.json"
    with names.open() as one_at_a_time:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        installed = folder / "node_modules" / ".package-lock.json"
        if not installed.exists() or installed.stat().st_mtime < names.stat().st_mtime:
            npm = run(folder, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
            assert npm.returncode == 0, npm.stdout + npm.stderr
