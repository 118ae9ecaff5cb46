"""Runs a module and ends it when the launcher ends: `python -m deploy.run_watched FD MODULE ARGS...`.

FD is the reading end of a pipe whose other end only the launcher holds (`chassis/process/parent_watch.py`). The module
runs in this very process, since a second process would cost memory.
"""

from __future__ import annotations

import runpy
import sys

from chassis.process import parent_watch


def main() -> None:
    fd, module, *arguments = sys.argv[1:]
    parent_watch.start(int(fd))
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
