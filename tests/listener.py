"""Reads the output of a process, line by line, or not at all for a while."""

from __future__ import annotations

import contextlib
import fcntl
import struct
import termios
import threading
from collections.abc import Callable, Generator
from typing import IO, Any

Logged = Callable[[], list[dict[str, Any]]]
"""The lines that this process has logged since the last call."""


class Listener:
    """Reads the lines of `pipe` into `said`, until they end."""

    def __init__(self, pipe: IO[str]) -> None:
        self.said: list[str] = []
        self._pipe = pipe
        self._listens = threading.Event()
        self._listens.set()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def join(self, seconds: float) -> None:
        """Waits until all that was written is in `said`. The program must have ended."""
        self._thread.join(seconds)

    def _listen(self) -> None:
        with contextlib.suppress(OSError):  # how a terminal ends
            for line in self._pipe:
                self._listens.wait()
                self.said.append(line.rstrip())

    @contextlib.contextmanager
    def paused(self) -> Generator[None]:
        """Does not read during the block, so that the pipe fills up."""
        self._listens.clear()
        try:
            yield
        finally:
            self._listens.set()

    @property
    def unread(self) -> int:
        """Bytes in the pipe."""
        return struct.unpack("i", fcntl.ioctl(self._pipe, termios.FIONREAD, bytes(4)))[0]
