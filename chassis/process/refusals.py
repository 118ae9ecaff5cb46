"""The answers to requests that are refused before the application sees them. They are bytes that were prepared, so that
refusing costs hardly anything."""

import asyncio
from collections.abc import Iterable
from typing import cast

import orjson
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from chassis.errors import TITLES
from chassis.web.middleware import SLOW_TO_ARRIVE

MAX_TARGET_BYTES = 48 * 1024  # twice what the documented 1,000 ids of a bulk read need
MAX_HEAD_BYTES = 32 * 1024
"""For a head without its target."""
MAX_HEADERS = 100


def _prepared(status: int, code: str, detail: str, *headers: str) -> bytes:
    """A refusal (RFC 9457) as the bytes of an HTTP answer, without its date."""
    document = {"type": "about:blank", "title": TITLES[status], "status": status, "code": code, "detail": detail}
    body = orjson.dumps(document)
    lines = [
        f"HTTP/1.1 {status} {TITLES[status]}",
        "content-type: application/problem+json",
        f"content-length: {len(body)}",
        *headers,
    ]
    return b"".join([*(line.encode() + b"\r\n" for line in lines), b"\r\n", body])


CLOSE = "connection: close"
REFUSALS = {
    400: _prepared(400, "MALFORMED", "a requisição não é HTTP/1.1 bem formado", CLOSE),
    408: _prepared(408, "TIMEOUT", SLOW_TO_ARRIVE, CLOSE),
    413: _prepared(413, "TOO_LARGE", "o corpo passa do limite", CLOSE),
    414: _prepared(414, "LIMIT_EXCEEDED", f"o endereço passa do limite de {MAX_TARGET_BYTES} bytes", CLOSE),
    421: _prepared(421, "MISDIRECTED", "este servidor não atende por esse nome; veja ALLOWED_HOSTS", CLOSE),
    431: _prepared(
        431,
        "LIMIT_EXCEEDED",
        f"os cabeçalhos passam do limite de {MAX_HEADERS}, ou de {MAX_HEAD_BYTES} bytes ao todo",
        CLOSE,
    ),
    503: _prepared(503, "UNAVAILABLE", "conexões demais; tente de novo em instantes", "retry-after: 1", CLOSE),
}
OVERLOADED = "há trabalho demais agora; tente de novo em instantes"
OVERLOAD = _prepared(503, "UNAVAILABLE", OVERLOADED, "retry-after: 1")
OVERLOAD_AND_CLOSE = _prepared(503, "UNAVAILABLE", OVERLOADED, "retry-after: 1", CLOSE)
DRAINING = _prepared(503, "UNAVAILABLE", "este processo está encerrando", "retry-after: 1", CLOSE)


def with_headers(answer: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A prepared answer with more headers."""
    head, blank, body = answer.partition(b"\r\n\r\n")
    return b"".join([head, *[b"\r\n%b: %b" % field for field in headers], blank, body])


class _AnsweredCycle:
    """Takes the place of a request that was answered without the application. All are alike, so there is one."""

    response_complete = True
    response_started = True
    disconnected = False
    keep_alive = True
    more_body = False

    def __init__(self) -> None:
        self.message_event = asyncio.Event()


ANSWERED = cast("RequestResponseCycle", _AnsweredCycle())
