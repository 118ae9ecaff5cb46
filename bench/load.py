"""A closed-loop load generator over keep-alive HTTP/1.1: lean, so that it does not starve what it measures."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle


@dataclass(frozen=True)
class Request:
    """One request, ready to be sent again and again."""

    raw: bytes

    @classmethod
    def of(cls, method: str, path: str, body: bytes = b"") -> "Request":
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return cls(head.encode() + b"\r\n" + body)


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if b" 200 " not in head.split(b"\r\n", 1)[0]:
        raise RuntimeError(f"not a 200: {head[:200]!r}")
    if b"transfer-encoding: chunked" in head:
        body = b""
        while size := int(await reader.readline(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
        return body
    return await reader.readexactly(int(head.split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0]))


async def once(port: int, request: Request) -> bytes:
    """The body of one answer, on a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request.raw)
    body = await _answer(reader)
    writer.close()
    return body


async def run(port: int, requests: Sequence[Request], count: int, concurrency: int) -> None:
    """Sends `count` requests, each one of `requests` in turn, over `concurrency` connections."""
    following: Iterator[Request] = cycle(requests)
    left = count

    async def client() -> None:
        nonlocal left
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while left > 0:
            left -= 1
            writer.write(next(following).raw)
            await _answer(reader)
        writer.close()

    await asyncio.gather(*(client() for _ in range(concurrency)))
