"""One attack: what is sent, to which process, and the expected verdict, which is one line of text that is compared as a
whole."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, cast

from deploy import topology
from tests.chassis.peers import Answer, Peer

ADDRESS = "127.0.0.3"
"""The address of the attackers. Bounds apply to each address, so the canary and the processes have others."""
LEAKS = re.compile(
    rb"Traceback|File \"|\w\.py\b|site-packages|/(?:usr|home|root|tmp|work)/|\b(?:psycopg|sqlalchemy|sqlmodel|pydantic|"
    rb"starlette|fastapi|uvicorn|httptools|strawberry|graphql-core|pyjwt|orjson)\b|\bSELECT\b.*\bFROM\b|SQLSTATE|"
    rb"postgresql://|0x[0-9a-f]{8}|^(?:server|x-powered-by|x-evil|access-control-allow-[a-z]+):",
    re.IGNORECASE | re.MULTILINE,
)
"""Texts that no answer may show, unless the request contained them: traces, paths, libraries, SQL, the server's name;
also headers that an attack tries to inject, or that let another origin in."""


class Target:
    """A running system, as an attacker at this address sees it."""

    def __init__(self, offset: int, address: str = ADDRESS) -> None:
        self.offset, self.address = offset, address

    def port(self, process: str) -> int:
        return topology.by_name(process).port + self.offset

    async def peer(self, process: str = "gateway", address: str = "") -> Peer:
        origin = (address or self.address, 0)
        return Peer(*await asyncio.open_connection("127.0.0.1", self.port(process), local_addr=origin))

    async def ask(self, process: str, sent: bytes, address: str = "") -> str:
        """The verdict on one request, on a connection of its own."""
        peer = await self.peer(process, address)
        peer.send(sent)
        try:
            method, _, _ = sent.partition(b" ")
            return verdict(await peer.answer(method.decode("latin-1")), sent)
        except (asyncio.IncompleteReadError, ConnectionError):
            return "cut off"
        finally:
            peer.hang_up()


Play = Callable[[Target], Coroutine[Any, Any, str]]


@dataclass(frozen=True)
class Attack:
    """A `slow` attack takes seconds by its nature and is run once; others are repeated for a given time."""

    name: str
    expected: str
    play: Play
    slow: bool = False


def request(name: str, sent: bytes | Callable[[], bytes], expected: str, process: str = "gateway") -> Attack:
    """An attack that is one request. If it contains a token, which expires, `sent` is a function that makes the request
    when it is sent."""

    def play(target: Target) -> Coroutine[Any, Any, str]:
        return target.ask(process, sent if isinstance(sent, bytes) else sent())

    return Attack(name, expected, play)


def http(method: str, path: str, *headers: str, body: bytes = b"") -> bytes:
    """A request as bytes; nothing in it is escaped or corrected."""
    named = {line.partition(":")[0].lower() for line in headers}
    lines = [f"{method} {path} HTTP/1.1", *(["Host: localhost"] if "host" not in named else []), *headers]
    if body and not named & {"content-length", "transfer-encoding"}:
        lines.append(f"Content-Length: {len(body)}")
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1") + body


def post(path: str, value: Any, *headers: str) -> bytes:
    """A POST of JSON; if `value` is bytes, it is sent unchanged."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return http("POST", path, "Content-Type: application/json", *headers, body=body)


def graphql(query: str, *headers: str, **members: Any) -> bytes:
    """A GraphQL request whose refusal shows in the status."""
    accept = "Accept: application/graphql-response+json"
    return post("/graphql", {"query": query, **members}, accept, *headers)


def verdict(answer: Answer, sent: bytes) -> str:
    """The verdict: status, code, and what the answer names (a limit, fields with their codes, or the reason of a
    challenge)."""
    words = [str(answer.status)]
    try:
        body: Any = json.loads(answer.body) if answer.body else None
    except ValueError:
        body = None
    if isinstance(body, dict):
        words += named(cast("dict[str, Any]", body))
    challenge = re.search('error_description="(.*?)"', answer.headers.get("www-authenticate", ""))
    words += [challenge[1]] if challenge else []
    return " ".join([*words, *(f"LEAK:{one}" for one in leaks(answer, sent))])


def named(body: dict[str, Any]) -> list[str]:
    """What a problem, a GraphQL error or a mutation's payload says, in short."""
    errors = cast("list[dict[str, Any]]", body.get("errors") or [])
    if "status" in body:
        return [str(body["code"]), *(f"{one['field']}:{one['code']}" for one in errors)]
    if errors:
        extensions = errors[0]["extensions"]
        return [extensions["code"], *(str(extensions[one]) for one in ("limit", "field") if one in extensions)]
    payloads = cast("dict[str, dict[str, Any] | None]", body.get("data") or {}).values()
    refused = [cast("list[dict[str, str]]", one.get("errors") or []) for one in payloads if isinstance(one, dict)]
    return [f"{one['field']}:{one['code']}" for errors in refused for one in errors]


def leaks(answer: Answer, sent: bytes) -> list[str]:
    """The internal texts that the answer shows and that the request did not contain."""
    head = "".join(f"{name}: {value}\n" for name, value in answer.headers.items()).encode("latin-1")
    found = {one.group() for one in LEAKS.finditer(head + b"\n" + answer.body)}
    return sorted(one.decode("latin-1") for one in found if one not in sent)
