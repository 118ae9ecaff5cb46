"""Lines on their way out of a process, which nobody waits for: a thread writes them, as fast as they are read.

A pipe that nobody reads, a terminal stopped by Ctrl-S and a disk that hangs block whoever writes to them. Here that is
a thread that does nothing else. What waits for it is bounded; what is beyond is dropped, counted, and told afterwards.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import select
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from select import PIPE_BUF

MAX_WAITING_BYTES = 1024 * 1024
"""What may wait to be written; as much again may be on its way."""
PAUSE_SECONDS = 0.01
"""How long lines gather before they are written together: a thread that woke up for each would cost more than it."""
FLUSH_SECONDS = 1.0
"""How long the end of the process waits for what is not written yet."""


class Output:
    """Writes whole lines to `descriptor`, in their order. `tell` makes the line that says how many were dropped;
    `gone` is called when there is no reader any more."""

    def __init__(
        self, descriptor: int, dropped_line: Callable[[int], bytes], on_no_reader: Callable[[], None] = lambda: None
    ) -> None:
        self.dropped = 0
        """Lines that could not be written, ever since."""
        self._descriptor, self._dropped_line, self._on_no_reader = descriptor, dropped_line, on_no_reader
        # Reentrant: the garbage collector may run a destructor that logs, in the middle of everything here.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._lines: list[bytes] = []
        self._waiting_bytes = 0
        self._unreported = 0
        self._idle = True
        """Everything is written."""
        self._thread: threading.Thread | None = None
        self._line_unfinished = False
        """The last line that was written has no end."""
        atexit.register(self.flush)

    def write(self, line: bytes) -> None:
        """Takes one line with its newline, from any thread, and returns at once."""
        with self._lock:
            if self._waiting_bytes + len(line) > MAX_WAITING_BYTES:
                self.dropped += 1
                self._unreported += 1
                return
            self._lines.append(line)
            self._waiting_bytes += len(line)
            if self._idle:
                self._idle = False
                self._begin()

    def flush(self, seconds: float = FLUSH_SECONDS) -> None:
        """Returns when everything is written, or after `seconds`."""
        with self._changed:
            self._changed.wait_for(lambda: self._idle, seconds)

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._keep_writing, name="output", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _keep_writing(self) -> None:
        while True:
            with self._changed:
                if not self._lines:
                    self._idle = True
                    self._changed.notify_all()
                    self._changed.wait_for(lambda: self._lines)
            time.sleep(PAUSE_SECONDS)
            with self._changed:
                lines, self._lines, self._waiting_bytes = self._lines, [], 0
                unreported, self._unreported = self._unreported, 0
            lost = self._write_lines(lines)
            unreported += lost
            if unreported and not self._write_lines([self._dropped_line(unreported)]):
                unreported = 0
            with self._changed:
                self.dropped += lost
                self._unreported += unreported

    def _write_lines(self, lines: list[bytes]) -> int:
        """Writes these; how many could not be written."""
        # Processes that share a pipe would break up one another's lines where these are longer than PIPE_BUF.
        with contextlib.suppress(OSError):
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX)
        try:
            return sum(map(self._write_piece, pieces(lines)))
        finally:
            with contextlib.suppress(OSError):
                fcntl.lockf(self._descriptor, fcntl.LOCK_UN)

    def _write_piece(self, piece: bytes) -> int:
        if self._line_unfinished:
            piece = b"\n" + piece
        left = piece
        try:
            while left:
                try:
                    left = left[os.write(self._descriptor, left) :]
                except BlockingIOError:  # somebody who shares what is behind the descriptor does not want to wait there
                    select.select((), (self._descriptor,), ())
        except OSError as failure:
            if isinstance(failure, BrokenPipeError):
                self._on_no_reader()
        if len(left) < len(piece):
            self._line_unfinished = piece[len(piece) - len(left) - 1] != ord("\n")
        return left.lstrip(b"\n").count(b"\n")


def pieces(lines: Iterable[bytes]) -> Iterator[bytes]:
    """`lines`, as many together as a pipe takes in one go, whoever else writes to it; a longer one alone."""
    piece = b""
    for line in lines:
        if piece and len(piece) + len(line) > PIPE_BUF:
            yield piece
            piece = b""
        piece += line
    if piece:
        yield piece
