"""Writes lines to a file descriptor in a thread, so that nothing else in the process waits for the reader.

A pipe that nobody reads, a terminal stopped by Ctrl-S or a disk that hangs blocks whoever writes to it. Here that is a
thread that does nothing else. The lines that wait for it are bounded; further ones are dropped and counted, and a later
line says how many.
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
"""Bytes that may wait to be written. The thread may be writing as many more at the same time."""
PAUSE_SECONDS = 0.01
"""How long lines are collected before they are written together: waking up the thread for each line would cost more
than the line itself."""
FLUSH_SECONDS = 1.0
"""How long the end of the process waits for lines that are not written yet."""


class Output:
    """Writes whole lines to `descriptor`, in order. `dropped_line` makes the line that says how many were dropped.
    `on_no_reader` is called when nobody reads any more."""

    def __init__(
        self, descriptor: int, dropped_line: Callable[[int], bytes], on_no_reader: Callable[[], None] = lambda: None
    ) -> None:
        self.dropped = 0
        """Lines that could not be written, since the start."""
        self._descriptor, self._dropped_line, self._on_no_reader = descriptor, dropped_line, on_no_reader
        # Reentrant: while a thread holds it, the garbage collector may run a destructor that logs.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._lines: list[bytes] = []
        self._waiting_bytes = 0
        self._unreported = 0
        """Dropped lines that no line has mentioned yet."""
        self._idle = True
        """Whether everything is written."""
        self._thread: threading.Thread | None = None
        self._line_unfinished = False
        """Whether only a part of the last line was written."""
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
                unreported = 0  # the line that reports them was written
            with self._changed:
                self.dropped += lost
                self._unreported += unreported

    def _write_lines(self, lines: list[bytes]) -> int:
        """Writes these lines, and returns how many could not be written."""
        # Without a lock, processes that share a pipe would mix their lines when these are longer than PIPE_BUF.
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
                except BlockingIOError:  # another process has set the shared pipe or terminal to non-blocking
                    select.select((), (self._descriptor,), ())
        except OSError as failure:
            if isinstance(failure, BrokenPipeError):
                self._on_no_reader()
        if len(left) < len(piece):
            self._line_unfinished = piece[len(piece) - len(left) - 1] != ord("\n")
        return left.lstrip(b"\n").count(b"\n")


def pieces(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Joins `lines` into pieces that a pipe writes as a whole, whoever else writes to it. A longer line is a piece of
    its own."""
    piece = b""
    for line in lines:
        if piece and len(piece) + len(line) > PIPE_BUF:
            yield piece
            piece = b""
        piece += line
    if piece:
        yield piece
