"""A process that ends when its parent does, however that ends, by SIGKILL too.

The parent holds the writing end of a pipe, alone; the child its reading end, whose end-of-file is the parent's end.
"""

import os
import signal
import threading
import time

GRACE_SECONDS = 5
"""What a process may take to stop in order; what it would need for longer is going too."""


def start(descriptor: int) -> None:
    """From here on this process stops when its parent is gone."""
    threading.Thread(target=_stop_when_parent_ends, args=(descriptor,), name="parent watch", daemon=True).start()


def _stop_when_parent_ends(descriptor: int) -> None:
    while os.read(descriptor, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)
