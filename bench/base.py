"""Checks out an earlier revision of this project, which is measured beside today's: `make bench-rest BASE=v1.0.0`."""

import io
import subprocess
import sys
import tarfile
from pathlib import Path

from deploy.bootstrap import ROOT

KEY = "base"


def checkout(revision: str, directory: Path) -> Path:
    """The files of `revision` in a new folder below `directory`. It runs on the packages that are installed today."""
    packed = subprocess.run(["git", "archive", revision], cwd=ROOT, capture_output=True, check=False)
    if packed.returncode:
        raise SystemExit(f"BASE={revision}: {packed.stderr.decode().strip()}")
    folder = directory / KEY
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    if (folder / "uv.lock").read_bytes() != (ROOT / "uv.lock").read_bytes():
        print(f"{revision} names other packages in its uv.lock; it is measured on today's", file=sys.stderr)
    return folder
