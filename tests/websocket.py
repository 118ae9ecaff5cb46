"""A WebSocket client that can send any bytes, for tests of what a server does with them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from websockets.frames import Close, Frame, Opcode

from tests.deploy.processes import WAIT_SECONDS

KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
HANDSHAKE = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", KEY)


def frame(data: bytes | str, opcode: Opcode = Opcode.TEXT, *, fin: bool = True) -> bytes:
    """A masked frame, as a client sends it."""
    raw = data.encode() if isinstance(data, str) else data
    return Frame(opcode, raw, fin).serialize(mask=True)


class WebSocketPeer:
    """One connection, which `open` makes a WebSocket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, *frames: bytes) -> None:
        self.writer.write(b"".join(frames))

    def send_json(self, **message: Any) -> None:
        self.send(frame(json.dumps(message)))

    async def shake_hands(self, path: str = "/", *headers: str, host: str = "localhost") -> tuple[int, str]:
        """The status and the head of the answer."""
        lines = [f"GET {path} HTTP/1.1", f"Host: {host}", *HANDSHAKE, *headers, "", ""]
        self.writer.write("\r\n".join(lines).encode())
        async with asyncio.timeout(WAIT_SECONDS):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        return int(head.split(" ", 2)[1]), head

    async def frame(self) -> Frame:
        """The next frame. Raises IncompleteReadError at the end of the connection."""
        async with asyncio.timeout(WAIT_SECONDS):
            first, length = await self.reader.readexactly(2)
            if length == 126:
                length = int.from_bytes(await self.reader.readexactly(2))
            elif length == 127:
                length = int.from_bytes(await self.reader.readexactly(8))
            return Frame(Opcode(first & 15), await self.reader.readexactly(length))

    async def message(self) -> bytes:
        """The next text; control frames before it are dropped."""
        while (found := await self.frame()).opcode is not Opcode.TEXT:
            assert found.opcode is not Opcode.CLOSE, Close.parse(found.data)
        return bytes(found.data)

    async def json(self) -> Any:
        return json.loads(await self.message())

    async def closed(self) -> tuple[int, str]:
        """The code and the reason with which the server closes; what it sends before is dropped."""
        while (found := await self.frame()).opcode is not Opcode.CLOSE:
            pass
        close = Close.parse(found.data)
        return close.code, close.reason
