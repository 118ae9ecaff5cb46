"""A WebSocket (RFC 6455) that a request has become: the frames are those of the library `websockets`, which does no
input or output of its own; the limits are ours.

Messages are texts. No extension is negotiated: compression would take 64 kB for each connection.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from math import inf
from typing import TYPE_CHECKING, Any, cast

from starlette.requests import Request
from websockets.datastructures import Headers
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request as HandshakeRequest
from websockets.protocol import Protocol, Side, State
from websockets.server import ServerProtocol

from chassis.errors import Malformed
from chassis.process.long_connection import LongConnection

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

log = logging.getLogger("websocket")
_library_log = logging.getLogger("websockets.server")
_library_log.setLevel(logging.WARNING)  # at DEBUG it would write every message, and so tokens too

MAX_PARSED_BYTES = 4 * 1024
"""How much is parsed at once."""
MAX_FRAMES_PER_SECOND = 1000
DATA = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)
TOO_MANY_FRAMES = "mais de 1000 mensagens por segundo"
TOO_SLOW = "a mensagem demorou demais para chegar"
NOT_TEXT = "as mensagens devem ser textos"


def is_handshake(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a request with these headers asks for a WebSocket."""
    return headers.get(b"upgrade", b"").lower() == b"websocket"


class WebSocket(LongConnection):
    """One open WebSocket."""

    __slots__ = (
        "_buffered",
        "_fragments",
        "_frames",
        "_frames_left",
        "_heard",
        "_late_at",
        "_message_bytes",
        "subprotocol",
    )

    def __init__(self, max_message_bytes: int) -> None:
        self._frames = Protocol(Side.SERVER, max_size=max_message_bytes, logger=_library_log)
        self._frames_left = MAX_FRAMES_PER_SECOND
        self._fragments: list[bytes] = []
        """The pieces of a message that has not ended, and its bytes on the wire."""
        self._message_bytes = self._buffered = 0
        self._late_at = inf
        """When the message that is arriving, or the answer to our close, must have arrived."""
        self._heard = True
        """Whether the peer has sent anything since the last ping."""
        self.subprotocol: str | None = None

    def received(self, text: str) -> None:
        """The peer has sent a message."""
        raise NotImplementedError

    # -- sending -----------------------------------------------------------------------------------------------

    @property
    def open(self) -> bool:
        """Whether messages can still be sent."""
        return not self.transport.is_closing() and self._frames.state is State.OPEN

    def send(self, text: bytes) -> None:
        """Sends a message, if the socket is still open."""
        if self.open:
            self._frames.send_text(text)
            self._write()

    def close(self, code: int, reason: str) -> None:
        """Begins to close the socket. A peer that does not answer in time is cut off."""
        if self.open:
            self._frames.send_close(code, reason)
            self._write()
            self._late_at = asyncio.get_running_loop().time() + self.state.peer_timeout

    def _write(self) -> None:
        for data in self._frames.data_to_send():
            if data:
                self.write(data)
            else:  # the library's sign for the end
                self.finish()

    def drain(self) -> None:
        self.close(CloseCode.GOING_AWAY, "este processo está encerrando")

    def evict(self) -> None:
        self.close(CloseCode.TRY_AGAIN_LATER, "conexões demais")

    # -- receiving ---------------------------------------------------------------------------------------------

    @property
    def buffered_bytes(self) -> int:
        return self._buffered

    def data_received(self, data: bytes) -> None:
        self._heard = True
        # Long data is parsed in pieces, so that a flood is noticed before much was done for it.
        for at in range(0, len(data), MAX_PARSED_BYTES):
            piece = data[at : at + MAX_PARSED_BYTES]
            self._frames.receive_data(piece)
            frames = cast("list[Frame]", self._frames.events_received())
            self._write()
            self._buffer(len(piece) - sum(map(_wire_bytes, frames)))
            for frame in frames:
                if not self.open:
                    return
                self._take(frame)
            if self._frames_left < 0:
                self.close(CloseCode.POLICY_VIOLATION, TOO_MANY_FRAMES)
        if self.open:
            if not self._buffered:
                self._late_at = inf
            elif self._late_at == inf:
                self._late_at = asyncio.get_running_loop().time() + self.state.peer_timeout

    def _take(self, frame: Frame) -> None:
        self._frames_left -= 1
        if frame.opcode is Opcode.BINARY:
            self.close(CloseCode.UNSUPPORTED_DATA, NOT_TEXT)
        elif frame.opcode is Opcode.TEXT or frame.opcode is Opcode.CONT:
            self._fragments.append(bytes(frame.data))
            if not frame.fin:
                held = _wire_bytes(frame)
                self._message_bytes += held
                self._buffer(held)
                return
            message = b"".join(self._fragments)
            self._fragments.clear()
            self._buffer(-self._message_bytes)
            self._message_bytes = 0
            try:
                text = message.decode()
            except UnicodeDecodeError:
                self.close(CloseCode.INVALID_DATA, "a mensagem não é UTF-8 válido")
            else:
                self.received(text)

    def refuse_arriving(self) -> None:
        self._buffer(-self._buffered)
        self.transport.abort()

    def _buffer(self, size: int) -> None:
        """Counts `size` more bytes of messages that are still arriving."""
        if size:
            self._buffered += size
            self.state.arriving_bytes += size
            self.peer.arriving_bytes += size
            if size > 0:
                self.state.free_body_memory()

    # -- once a second -----------------------------------------------------------------------------------------

    def check_deadlines(self, now: float) -> None:
        self._frames_left = MAX_FRAMES_PER_SECOND
        if now <= self._late_at:
            super().check_deadlines(now)
        elif self.open:
            self.close(CloseCode.POLICY_VIOLATION, TOO_SLOW)
        else:
            self.transport.abort()

    def beat(self, now: float) -> None:
        if not self._heard:
            self.transport.abort()
        elif self.open:
            self._heard = False
            self._frames.send_ping(b"")
            self._write()

    # -- the transport's calls ---------------------------------------------------------------------------------

    def pause_writing(self) -> None:
        super().pause_writing()
        self.transport.pause_reading()  # a peer that does not read our answers shall ask for no more

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def closed(self) -> None:
        self._buffer(-self._buffered)
        # The library's object and its parser refer to each other, and the garbage collector runs rarely here.
        vars(self._frames).clear()


def _wire_bytes(frame: Frame) -> int:
    """How many bytes a frame of a client takes: its head, with the mask, and its data."""
    size = len(frame.data)
    return size + (6 if size < 126 else 8 if size < 65536 else 14)


class WebSocketResponse:
    """The answer to the handshake of `request`: it becomes `connection`, which speaks the first of `subprotocols` that
    the client offers, or none of them."""

    def __init__(self, request: Request, connection: WebSocket, subprotocols: Sequence[str]) -> None:
        """Raises Malformed when the request is not the handshake of RFC 6455."""

        def chosen(_: ServerProtocol, offered: Collection[str]) -> Any:
            return next((one for one in subprotocols if one in offered), None)

        fields = Headers([(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw])
        asked = HandshakeRequest(request.url.path, fields, request.method, f"HTTP/{request.scope['http_version']}")
        handshake = ServerProtocol(select_subprotocol=chosen, logger=_library_log)
        answer = handshake.accept(asked)
        if answer.status_code != 101:
            headers = {"Sec-WebSocket-Version": "13"}
            raise Malformed(f"não é uma abertura de WebSocket: {handshake.handshake_exc}", headers=headers)
        connection.subprotocol = handshake.subprotocol
        self._connection = connection
        # the server adds the date
        self._headers = [
            (name.encode(), value.encode()) for name, value in answer.headers.raw_items() if name != "Date"
        ]
        vars(handshake).clear()  # as in `WebSocket.closed`

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        head: Any = {"type": "http.response.start", "status": 101, "headers": self._headers}
        await send(head | {"successor": self._connection})
