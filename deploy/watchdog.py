"""Runs PostgreSQL for as long as somebody holds the other end of a socket: `python -I -S watchdog.py FD COMMAND...`.

`deploy.postgres` starts it. The end of that socket comes however its holder ends, by SIGKILL too, so PostgreSQL never
outlives it. It imports nothing but builtins on purpose: it stays in memory next to PostgreSQL, at a few megabytes.
"""

import _thread
import os
import signal
import sys
import time

FAST_SHUTDOWN_SECONDS = 20


def stop_when_let_go(fd: int, postmaster: int) -> None:
    """Blocks until the holder lets go of `fd`; then asks for a fast shutdown and, if that hangs, an immediate one."""
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
    _thread.start_new_thread(stop_when_let_go, (fd, postmaster))
    _, status = os.waitpid(postmaster, 0)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    code = main(int(sys.argv[1]), sys.argv[2:])
    os._exit(code if code >= 0 else 128 - code)  # not sys.exit: the thread above is still blocked
