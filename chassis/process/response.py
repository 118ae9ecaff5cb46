"""Sends an answer: head and body in one write, at the end of the current turn of the event loop."""

from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from chassis import write_batch
from chassis.errors import TITLES
from chassis.process.long_connection import LongConnection

STATUS_LINES = STATUS_LINE | {
    status: b"HTTP/1.1 %d %b\r\n" % (status, words.encode()) for status, words in TITLES.items()
}
"""The phrases of RFC 9110, since Python's differ by version."""
FRAMING = frozenset((b"content-length", b"transfer-encoding", b"connection"))
BODILESS = frozenset((204, 304))
MAX_COPIED_BYTES = 64 * 1024
"""A body of at most so many bytes is copied behind its head; a longer one is handed on without a copy."""


class ResponseWriter:
    """Sends one answer. When the answer is complete at once, as ours are, head and body leave in one write; uvicorn
    makes two, and each costs its own system call. An answer that is streamed, or has framing headers of its own, is
    left to uvicorn."""

    __slots__ = ("_cycle", "_hand_over", "_head", "_on_start")

    def __init__(
        self,
        cycle: RequestResponseCycle,
        on_start: Callable[[], None],
        hand_over: Callable[[LongConnection, bytes | None], None],
    ) -> None:
        """Calls `on_start` when the application begins to answer, and `hand_over` with the head of an answer that has a
        successor."""
        self._cycle, self._on_start, self._hand_over = cycle, on_start, hand_over
        self._head: Any = None

    async def send(self, message: Any) -> None:
        cycle, head = self._cycle, self._head
        if head is None:
            if message["type"] == "http.response.start" and not cycle.response_started:
                self._on_start()
                if successor := message.get("successor"):
                    self._hand_over(successor, _lines(message["status"], [*cycle.default_headers, *message["headers"]]))
                else:
                    self._head = message
            else:
                await cycle.send(message)
            return
        self._head = None
        if cycle.flow.write_paused or not self._write_whole(head, message):
            write_batch.flush()
            await cycle.send(head)
            await cycle.send(message)

    def _write_whole(self, head: Any, message: Any) -> bool:
        """Writes the complete answer if this class can. Returns whether it did."""
        cycle, status, body = self._cycle, head["status"], message.get("body", b"")
        if cycle.disconnected or message.get("more_body") or status in BODILESS or cycle.scope["method"] == "HEAD":
            return False
        fields = [*cycle.default_headers, *head.get("headers", ())]
        framing = [field for field in fields if field[0] in FRAMING]
        if len(framing) != 1 or framing[0] != (b"content-length", b"%d" % len(body)):
            return False
        lines = _lines(status, fields)
        if lines is None:
            return False  # uvicorn refuses it
        if not cycle.keep_alive:
            lines += b"connection: close\r\n"
        if len(body) > MAX_COPIED_BYTES:
            write_batch.flush()
            cycle.transport.writelines((lines + b"\r\n", body))
        else:
            write_batch.write(cycle.transport, b"%b\r\n%b" % (lines, body))
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        cycle.message_event.set()
        if not cycle.keep_alive:
            write_batch.flush()
            cycle.transport.close()
        cycle.on_response()
        return True


def _lines(status: int, fields: list[tuple[bytes, bytes]]) -> bytes | None:
    """The lines of a head, without the empty one that ends it. None if a header has a line break."""
    lines = b"".join([STATUS_LINES[status], *[b"%b: %b\r\n" % field for field in fields]])
    return lines if len(fields) + 1 == lines.count(b"\n") == lines.count(b"\r") else None
