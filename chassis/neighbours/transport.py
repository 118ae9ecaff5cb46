"""What the REST dialect needs from the network: one request goes in, and one answer or one failure comes out.

`default_transport.py` does this with a small client of our own. Where the configuration asks for a proxy or for HTTP/2,
`httpx_transport.py` does it with httpx2.
"""

import re
from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

MAX_ANSWER_BYTES = 20_000_000
"""A longer answer is refused. This is hardly more than the longest answer of our dialect: 100,000 rows with the largest
ids."""


class OutgoingRequest(Struct, frozen=True):
    """What to send. The headers are not part of it, since each attempt has its own."""

    method: str
    path: str
    content: bytes | None = None
    search: bool = False
    """Whether the neighbour may answer slowly: see `DialectClient.searches`."""


def header_line(name: str, value: str) -> str:
    """One header as a line of a request. Raises ValueError when the value has a line break, and would be more than one
    line."""
    if "\r" in value or "\n" in value:
        raise ValueError("a line break in a header")
    return f"{name}: {value}\r\n"


class Answer(Struct):
    """An answer of any status, with its whole content."""

    status: int
    content: bytes
    head: bytes = b""
    """The bytes that the answer began with, with all of its headers. Hardly anybody looks for one, so they are looked
    for when somebody does."""

    def header(self, name: str) -> str:
        """The value of a header; empty if it is missing."""
        found = re.search(rb"\r\n%b[ \t]*:[ \t]*([^\r\n]*)" % name.encode(), head_of(self.head), re.IGNORECASE)
        return found[1].decode("latin-1").strip() if found else ""


INTERIM = re.compile(rb"HTTP/1\.[01] 1\d\d ")


def head_of(data: bytes) -> bytes:
    """The head of the final answer in `data`, without interim answers before it."""
    head, _, rest = data.partition(b"\r\n\r\n")
    while INTERIM.match(head):
        head, _, rest = rest.partition(b"\r\n\r\n")
    return head


class TransportError(Exception):
    """No answer came, or none that can be read.

    TransportError
     ├─ ConnectFailed        there is no connection: nothing was sent
     ├─ ConnectionLost       the connection ended without an answer: the neighbour may have acted on the request
     │   └─ StaleConnection  an idle connection, which the server may have closed before the request came
     ├─ AnswerTimeout        no answer came in time
     ├─ GarbledAnswer        what came is not HTTP, ends too early, or is too long
     └─ AnswerMemoryFull     this process has no memory left for the answer
    """


class ConnectFailed(TransportError): ...


class ConnectionLost(TransportError): ...


class StaleConnection(ConnectionLost): ...


class AnswerTimeout(TransportError): ...


class GarbledAnswer(TransportError): ...


class AnswerMemoryFull(TransportError): ...


class AnswerReceiver(Protocol):
    """What receives an answer in parts."""

    held_bytes: int
    """Bytes of the answer that it holds so far; only AnswerMemory changes this."""

    def fail(self, failure: TransportError) -> None:
        """Drops the answer, and tells the caller who waits for it of `failure`."""


class AnswerMemory:
    """Limits the memory of all answers that arrive in a process to `max_bytes` together.

    When they need more, the longest answer is dropped, whoever is receiving just then: a neighbour with huge answers
    must not take the memory from the answers of others. An answer is counted until it is handed to its decoder, which
    happens in the same turn of the event loop or in the next. An answer that comes in one piece is not counted.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes, self.held_bytes = max_bytes, 0
        self._receivers: set[AnswerReceiver] = set()

    def add(self, receiver: AnswerReceiver, size: int) -> None:
        """Counts `size` more bytes of `receiver`. Afterwards its answer may have been dropped."""
        self._receivers.add(receiver)
        receiver.held_bytes += size
        self.held_bytes += size
        while self.held_bytes > self.max_bytes:
            longest = max(self._receivers, key=lambda one: one.held_bytes)
            failure = AnswerMemoryFull(f"{longest.held_bytes} bytes, where all answers have {self.max_bytes}")
            self.release(longest)
            longest.fail(failure)

    def release(self, receiver: AnswerReceiver) -> None:
        """Counts nothing of `receiver` any more."""
        self._receivers.discard(receiver)
        self.held_bytes -= receiver.held_bytes
        receiver.held_bytes = 0


OnEnd = Callable[[Answer | Exception], None]
"""Called with the outcome of an exchange: an answer, a TransportError, or an unexpected exception."""


class Exchange(Protocol):
    """A request that has been sent."""

    def cancel(self) -> object:
        """Gives up the exchange: closes its connection, and does not call `on_end`."""


class Transport(Protocol):
    """Sends requests to one server. Each ends within `seconds`; one that is cancelled closes its connection. `headers`
    are lines that `header_line` made, joined.

    `repeatable` says that sending the request twice does no harm: an idle connection may have ended unnoticed.
    """

    async def send(
        self,
        request: OutgoingRequest,
        headers: str,
        *,
        seconds: float,
        repeatable: bool,
    ) -> Answer: ...

    def begin(
        self,
        request: OutgoingRequest,
        headers: str,
        *,
        seconds: float,
        on_end: OnEnd,
    ) -> Exchange | None:
        """Sends the request without a coroutine, and calls `on_end` later with the outcome. Returns None when nothing
        was sent, since there is no idle connection."""

    async def close(self) -> None: ...
