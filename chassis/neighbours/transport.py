"""The seam between our REST dialect and the network: one request goes in, one answer or one failure comes out.

`chassis.neighbours.default_transport` is the wire that processes use. `HttpxTransport` puts any httpx2 transport in its
place: a test hands one in to stand for a neighbour, and a deployment that needs what the lean wire lacks (proxies,
HTTP/2) may do the same.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import httpx2

MAX_ANSWER_BYTES = 20_000_000
"""A longer answer is given up. It is hardly more than the longest of our dialect, 100,000 rows with the largest ids."""


class OutgoingRequest(NamedTuple):
    """What is asked for; the headers that it is sent with are each attempt's own."""

    method: str
    path: str
    content: bytes | None = None
    search: bool = False
    """Whether it may have to be looked for: see `Remote.searches`."""


def header_line(name: str, value: str) -> str:
    """One header, as the line that stands in a request. Raises ValueError for a value that would be more than one."""
    if "\r" in value or "\n" in value:
        raise ValueError("a line break in a header")
    return f"{name}: {value}\r\n"


@dataclass(slots=True)
class Answer:
    """What came back, whatever its status: the whole of its content. None of our dialect's reads needs its headers."""

    status: int
    content: bytes
    retry_after: str = ""
    """Of a refusal, its Retry-After as it stands there."""


class TransportError(Exception):
    """No answer came, or none that can be read.

    TransportError
     ├─ Refused    no connection: nothing was sent
     ├─ Lost       the connection ended without an answer: nobody knows what became of the request
     │   └─ Stale  a kept one, which the server may have closed before the request came: only a new one tells
     ├─ TimedOut   nor did it come in time
     ├─ Garbled    what came is no HTTP, ends too early, or never ends
     └─ TooMuch    this process has no memory left for it
    """


class ConnectFailed(TransportError): ...


class ConnectionLost(TransportError): ...


class StaleConnection(ConnectionLost): ...


class AnswerTimeout(TransportError): ...


class GarbledAnswer(TransportError): ...


class AnswerMemoryFull(TransportError): ...


class AnswerReceiver(Protocol):
    """Who receives an answer in parts."""

    held_bytes: int
    """Bytes that it holds of the answer so far; the budget's to change."""

    def fail(self, failure: TransportError) -> None:
        """Drops the answer; who waits for it is told of `failure`."""


class AnswerMemory:
    """The memory of all answers that arrive in a process: `most` bytes together.

    When they would be more, the longest is given up, whoever asked for more: a neighbour that answers hugely must not
    take the memory from the answers of the others. An answer is counted until it is handed to whoever decodes it, which
    is in the same turn of the event loop or the next. One that comes in one piece is not counted.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes, self.held_bytes = max_bytes, 0
        self._receivers: set[AnswerReceiver] = set()

    def add(self, receiver: AnswerReceiver, size: int) -> None:
        """`receiver` got so much more; afterwards it may have been given up."""
        self._receivers.add(receiver)
        receiver.held_bytes += size
        self.held_bytes += size
        while self.held_bytes > self.max_bytes:
            longest = max(self._receivers, key=lambda one: one.held_bytes)
            failure = AnswerMemoryFull(f"{longest.held_bytes} bytes, where all answers have {self.max_bytes}")
            self.release(longest)
            longest.fail(failure)

    def release(self, receiver: AnswerReceiver) -> None:
        """`receiver` holds nothing any more."""
        self._receivers.discard(receiver)
        self.held_bytes -= receiver.held_bytes
        receiver.held_bytes = 0


OnEnd = Callable[[Answer | Exception], None]
"""Told what came of an exchange: an answer, a TransportError, or what nobody expected."""


class Exchange(Protocol):
    """A request that is on its way."""

    def cancel(self) -> object:
        """Nobody waits for its answer any more: it takes its connection with it, and `ended` is not called."""


class Transport(Protocol):
    """Every request ends within `seconds`; one that is cancelled takes its connection with it. `headers` are the lines
    that `header` makes, one after the other.

    `repeatable` says that sending it twice does no harm: a kept connection may have ended unnoticed.
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
        """The same without a coroutine: the request is on its way when this returns, and `ended` is called later with
        what comes of it. None when nothing was sent, since there is no connection at hand."""

    async def close(self) -> None: ...


class HttpxReceiver:
    """An answer that a task receives within the time of `clock`."""

    def __init__(self, clock: asyncio.Timeout) -> None:
        self.held_bytes = 0
        self.failure: TransportError | None = None
        """Why it was given up."""
        self._clock = clock

    def fail(self, failure: TransportError) -> None:
        self.failure = failure
        if not self._clock.expired():
            self._clock.reschedule(0)  # that was long ago: the task ends


class HttpxTransport:
    """An httpx2 transport as a wire."""

    def __init__(self, base_url: str, transport: httpx2.AsyncBaseTransport, answer_memory: AnswerMemory) -> None:
        self._base_url, self._transport, self._answer_memory = base_url, transport, answer_memory

    async def send(
        self,
        request: OutgoingRequest,
        headers: str,
        *,
        seconds: float,
        repeatable: bool,
    ) -> Answer:
        url = self._base_url + request.path
        fields = dict(line.split(": ", 1) for line in headers.split("\r\n")[:-1])
        sent = httpx2.Request(request.method, url, headers=fields, content=request.content)
        clock = asyncio.timeout(seconds)
        receiver = HttpxReceiver(clock)
        try:
            async with clock:
                response = await self._transport.handle_async_request(sent)
                assert isinstance(response.stream, httpx2.AsyncByteStream)
                content = bytearray()
                try:
                    async for chunk in response.stream:
                        content += chunk
                        if len(content) > MAX_ANSWER_BYTES:
                            raise GarbledAnswer(f"more than {MAX_ANSWER_BYTES} bytes")
                        self._answer_memory.add(receiver, len(chunk))
                        if receiver.failure:
                            raise receiver.failure
                finally:
                    self._answer_memory.release(receiver)
                    await response.aclose()
        except (TimeoutError, httpx2.TimeoutException) as failure:
            raise receiver.failure or AnswerTimeout(f"no answer within {seconds:.3f} s") from failure
        except httpx2.ConnectError as failure:
            raise ConnectFailed(str(failure)) from failure
        except httpx2.RemoteProtocolError as failure:
            raise GarbledAnswer(str(failure)) from failure
        except (httpx2.TransportError, httpx2.InvalidURL) as failure:
            raise ConnectionLost(str(failure)) from failure
        except asyncio.CancelledError as failure:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise ConnectionLost("the transport gave it up") from failure  # nobody here did: whoever waits must be told
        retry_after = response.headers.get("retry-after", "") if response.status_code >= 400 else ""
        return Answer(response.status_code, bytes(content), retry_after)

    def begin(
        self,
        request: OutgoingRequest,
        headers: str,
        *,
        seconds: float,
        on_end: OnEnd,
    ) -> "asyncio.Task[None]":
        async def exchange() -> None:
            outcome: Answer | Exception
            try:
                outcome = await self.send(request, headers, seconds=seconds, repeatable=True)
            except Exception as failure:  # whoever waits is told, whatever it is
                outcome = failure
            on_end(outcome)

        return asyncio.ensure_future(exchange())

    async def close(self) -> None:
        await self._transport.aclose()
