"""Runs PostgreSQL until the other end of a socket is closed: `python -I -S watchdog.py FD COMMAND...`.

`deploy.postgres` starts it and holds the other end. The kernel closes that end however its holder ends, also by
SIGKILL, so PostgreSQL never outlives the holder. This file imports only small modules of the standard library on
purpose: the process stays in memory beside PostgreSQL and takes only a few megabytes.
"""

import _thread
import os
import signal
import sys
import time

FAST_SHUTDOWN_SECONDS = 20


def stop_when_closed(fd: int, postmaster: int) -> None:
    """Blocks until the other end of `fd` is closed; then asks for a fast shutdown and, if that hangs, for an immediate
    one."""
    while os.read(fd, 1):
        pass
    os.kill(postmaster, signal.SIGINT)
    time.sleep(FAST_SHUTDOWN_SECONDS)
    os.kill(postmaster, signal.SIGQUIT)


def main(fd: int, command: list[str]) -> int:
    postmaster = os.fork()
    if postmaster == 0:
        os.close(fd)
        os.execvp(command[0], command)  # noqa: S606 - no shell is meant
    os.write(fd, b"%d\n" % postmaster)
    _thread.start_new_thread(stop_when_closed, (fd, postmaster))
    _, status = os.waitpid(postmaster, 0)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    code = main(int(sys.argv[1]), sys.argv[2:])
    os._exit(code if code >= 0 else 128 - code)  # not sys.exit: the thread above is still blocked
