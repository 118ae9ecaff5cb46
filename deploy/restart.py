"""Restarts the five processes of a running system, one after the other, while it serves: `python -m deploy.restart`.

It asks the launcher that runs on DATA_DIR, prints the progress, and fails if a new process does not become ready (the
old one then goes on serving). PostgreSQL is not restarted.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time
from pathlib import Path

from deploy.local import NOT_RESTARTED, PROGRESS, RESTARTED
from deploy.postgres import process_exists
from deploy.run_lock import LaunchError, data_directory

PATIENCE_SECONDS = 120
"""How long the launcher may write nothing; this is longer than it waits for one process."""


def launcher(data_dir: Path) -> int:
    """The id of the process that runs the system on `data_dir`; raises LaunchError if there is none."""
    try:
        with (data_dir / "lock").open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                pid = int(lock.read() or 0)
                if pid and process_exists(pid):
                    return pid
    except OSError:
        pass
    raise LaunchError(f"nothing runs on DATA_DIR {data_dir}: start the system with `make run`")


def restart(data_dir: Path) -> bool:
    """Asks for a restart and prints its progress; returns whether every process was restarted."""
    pid = launcher(data_dir)
    with (data_dir / PROGRESS).open("a+") as progress:
        progress.seek(0, os.SEEK_END)
        os.kill(pid, signal.SIGUSR1)
        heard = time.monotonic()
        while time.monotonic() - heard < PATIENCE_SECONDS and process_exists(pid):
            if not (line := progress.readline()):
                time.sleep(0.1)
                continue
            print(line, end="", flush=True)
            if line.startswith((RESTARTED, NOT_RESTARTED)):
                return line.startswith(RESTARTED)
            heard = time.monotonic()
    raise LaunchError(f"the launcher, process {pid}, has not restarted everything; its own lines may say why")


def main() -> int:
    try:
        return 0 if restart(data_directory(os.environ)) else 1
    except LaunchError as refused:
        print(refused, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
