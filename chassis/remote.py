"""Our REST dialect spoken as a client: what a neighbour refuses is raised here as the class it was raised there.

httpx2 is the seam: a test hands in another transport. Every call has a deadline, carries the trace, and ends in a value
or in a `Refusal` that names the neighbour; nothing of httpx2 leaves this file.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx2
import msgspec
import orjson

from chassis import identity, trace
from chassis.errors import BY_STATUS, DeadlineExceeded, FieldError, Refusal, Unavailable

log = logging.getLogger("remote")
T = TypeVar("T")
CONNECT_TIMEOUT = 0.5


@dataclass(frozen=True, slots=True)
class Answer:
    """A neighbour's successful answer."""

    status: int
    headers: httpx2.Headers
    content: bytes


class ProblemField(msgspec.Struct):
    field: str
    code: str
    message: str


class Problem(msgspec.Struct):
    """What we read of a neighbour's problem+json."""

    code: str
    detail: str = ""
    errors: list[ProblemField] = []  # msgspec copies it


class Remote:
    """One neighbour. `timeout` is the seconds one call may take, all in all."""

    def __init__(
        self, name: str, base_url: str, *, timeout: float = 5.0, transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        self.name = name
        self.timeout = timeout
        self._client = httpx2.AsyncClient(
            base_url=base_url,
            transport=transport,
            timeout=httpx2.Timeout(timeout, connect=CONNECT_TIMEOUT),
            limits=httpx2.Limits(max_connections=50, max_keepalive_connections=50, keepalive_expiry=30),
            headers={"Accept": "application/json"},
            trust_env=False,  # a proxy variable of the machine must not come between two processes of one system
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def call(
        self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request. Raises the neighbour's refusal, Unavailable, or DeadlineExceeded."""
        sent = {**trace.outgoing(), **identity.outgoing(), **(headers or {})}
        content = None
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
            content = orjson.dumps(body, option=orjson.OPT_UTC_Z)
        try:
            async with asyncio.timeout(self.timeout):
                response = await self._client.request(method, path, content=content, headers=sent)
        except (TimeoutError, httpx2.TimeoutException) as failure:
            raise self._failed(DeadlineExceeded(f"{self.name} não respondeu a tempo"), failure) from failure
        except (httpx2.TransportError, httpx2.InvalidURL) as failure:
            raise self._failed(Unavailable(f"{self.name} não está respondendo"), failure) from failure
        if response.status_code < 400:
            return Answer(response.status_code, response.headers, response.content)
        raise self._refused(response)

    async def read(
        self,
        method: str,
        path: str,
        decode: Callable[[bytes], T],
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> T:
        """One request whose answer is decoded; an answer that does not decode is a neighbour that cannot answer."""
        answer = await self.call(method, path, body, headers=headers)
        try:
            return decode(answer.content)
        except ValueError as failure:
            raise self._failed(Unavailable(f"{self.name} deu uma resposta inválida"), failure) from failure

    def _refused(self, response: httpx2.Response) -> Refusal:
        """The neighbour's problem+json as the exception it was."""
        kind = BY_STATUS.get(response.status_code)
        try:
            problem = msgspec.json.decode(response.content, type=Problem)
        except msgspec.MsgspecError:
            problem = None
        if kind is None or response.status_code >= 500 or problem is None:
            failure = Unavailable(f"{self.name} não conseguiu responder")
            return self._failed(failure, f"status {response.status_code}")
        errors = [FieldError(one.field, one.code, one.message) for one in problem.errors]
        refusal = kind(problem.detail, code=problem.code, errors=errors)
        refusal.service = self.name
        return refusal

    def _failed(self, refusal: Refusal, why: object) -> Refusal:
        refusal.service = self.name
        log.warning("call failed", extra={"service": self.name, "code": refusal.code, "reason": repr(why)})
        return refusal
