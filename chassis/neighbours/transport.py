"""What the REST dialect needs from the network: one request goes in, and one answer or one failure comes out.

Processes use `chassis.neighbours.default_transport`. `HttpxTransport` uses any httpx2 transport instead: tests pass one
that stands for a neighbour, and a deployment that needs proxies or HTTP/2 can do the same.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import httpx2

MAX_ANSWER_BYTES = 20_000_000
"""A longer answer is refused. This is hardly more than the longest answer of our dialect: 100,000 rows with the largest
ids."""


class OutgoingRequest(NamedTuple):
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


@dataclass(slots=True)
class Answer:
    """An answer of any status, with its whole content. No read of our dialect needs its headers."""

    status: int
    content: bytes
    retry_after: str = ""
    """The Retry-After of a refusal, exactly as it came."""


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


class HttpxReceiver:
    """Receives an answer in a task that `timeout` limits."""

    def __init__(self, timeout: asyncio.Timeout) -> None:
        self.held_bytes = 0
        self.failure: TransportError | None = None
        """Why the answer was dropped."""
        self._timeout = timeout

    def fail(self, failure: TransportError) -> None:
        self.failure = failure
        if not self._timeout.expired():
            self._timeout.reschedule(0)  # a time in the past, so that the task is ended now


class HttpxTransport:
    """Sends requests by an httpx2 transport."""

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
        timeout = asyncio.timeout(seconds)
        receiver = HttpxReceiver(timeout)
        try:
            async with timeout:
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
            # nobody here cancelled it, so the caller who waits must be told
            raise ConnectionLost("the transport gave it up") from failure
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
