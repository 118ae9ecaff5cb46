"""Ends this process when its parent ends, in whatever way: also by SIGKILL.

Only the parent holds the writing end of a pipe, and the child holds its reading end. When the parent ends, the child
reads the end of the file.
"""

import os
import signal
import threading
import time

GRACE_SECONDS = 5
"""Seconds that a process has to stop in an orderly way. Then it is ended, since what it would need (its database, for
example) is ending too."""


def start(descriptor: int) -> None:
    """From now on this process stops when its parent ends."""
    threading.Thread(target=_stop_when_parent_ends, args=(descriptor,), name="parent watch", daemon=True).start()


def _stop_when_parent_ends(descriptor: int) -> None:
    while os.read(descriptor, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)
