"""Runs a module that ends when its launcher does: `python -m deploy.leash FD MODULE ARGS...`.

FD is the reading end of a pipe whose other end only the launcher holds. Its end-of-file comes however the launcher
ends, by SIGKILL too, and the module then stops as if by SIGTERM. It runs in this very process: a second one would cost
memory.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time

GRACE_SECONDS = 5


def stop_when_let_go(fd: int) -> None:
    """Blocks until the launcher is gone, then asks this process to stop, and after the grace ends it."""
    while os.read(fd, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)


def main() -> None:
    fd, module, *arguments = sys.argv[1:]
    threading.Thread(target=stop_when_let_go, args=(int(fd),), name="leash", daemon=True).start()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
