"""The transport for what our own client does not do: calls through a proxy, and HTTP/2. It is httpx2's."""

import asyncio
import ssl

import httpx2

from chassis.neighbours.default_transport import IDLE_SECONDS
from chassis.neighbours.resolver import CONNECT_SECONDS
from chassis.neighbours.transport import (
    MAX_ANSWER_BYTES,
    Answer,
    AnswerMemory,
    AnswerTimeout,
    ConnectFailed,
    ConnectionLost,
    GarbledAnswer,
    OnEnd,
    OutgoingRequest,
    TransportError,
)


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
    """Sends requests by httpx2: through `proxy` if it names one, and by HTTP/2 if `http2` and the other side offers it.

    `tls` says which certificates are trusted, of the server as of a proxy.
    """

    def __init__(
        self, base_url: str, answer_memory: AnswerMemory, tls: ssl.SSLContext, *, proxy: str = "", http2: bool = False
    ) -> None:
        self._base_url, self._answer_memory = base_url, answer_memory
        self.transport: httpx2.AsyncBaseTransport = httpx2.AsyncHTTPTransport(
            verify=tls,
            http2=http2,
            # how many calls run at a time is limited by the caller
            limits=httpx2.Limits(keepalive_expiry=IDLE_SECONDS),
            proxy=httpx2.Proxy(proxy, ssl_context=tls if proxy.startswith("https:") else None) if proxy else None,
        )

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
        # The other times have no limit of their own: `timeout` bounds all of them together.
        limits = {"timeout": {"connect": CONNECT_SECONDS, "read": None, "write": None, "pool": None}}
        sent = httpx2.Request(request.method, url, headers=fields, content=request.content, extensions=limits)
        timeout = asyncio.timeout(seconds)
        receiver = HttpxReceiver(timeout)
        try:
            async with timeout:
                response = await self.transport.handle_async_request(sent)
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
        except TimeoutError as failure:
            raise receiver.failure or AnswerTimeout(f"no answer within {seconds:.3f} s") from failure
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError) as failure:
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
        head = b"".join(b"\r\n%b: %b" % field for field in response.headers.raw)
        return Answer(response.status_code, bytes(content), head)

    def begin(
        self,
        request: OutgoingRequest,
        headers: str,
        *,
        seconds: float,
        on_end: OnEnd,
    ) -> None:
        """Sends nothing: every request of httpx2 needs a task, which `send` has."""

    async def close(self) -> None:
        await self.transport.aclose()
