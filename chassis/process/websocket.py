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
PING = Frame(Opcode.PING, b"").serialize(mask=False)
TOO_MANY_FRAMES = "mais de 1000 mensagens por segundo"
TOO_SLOW = "a mensagem demorou demais para chegar"
NOT_TEXT = "as mensagens devem ser textos"


def is_handshake(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a request with these headers asks for a WebSocket."""
    return headers.get(b"upgrade", b"").lower() == b"websocket"


class WebSocket(LongConnection):
    """One open WebSocket. The library's object takes 2 kB, so there is one only while a message is arriving, and while
    the socket closes."""

    __slots__ = (
        *("_buffered", "_closing", "_fragments", "_frames_left", "_heard", "_late_at", "_message_bytes", "_parser"),
        *("max_message_bytes", "subprotocol"),
    )

    def __init__(self, max_message_bytes: int) -> None:
        self.max_message_bytes = max_message_bytes
        self.subprotocol: str | None = None
        self._parser: Protocol | None = None
        self._closing = False
        """A close has been sent."""
        self._frames_left = MAX_FRAMES_PER_SECOND
        self._fragments: list[bytes] | None = None
        """The pieces of a message that has not ended, and its bytes on the wire."""
        self._message_bytes = self._buffered = 0
        self._late_at = inf
        """When the message that is arriving, or the answer to our close, must have arrived."""
        self._heard = True
        """Whether the peer has sent anything since the last ping."""

    def received(self, text: str) -> None:
        """The peer has sent a message."""
        raise NotImplementedError

    # -- sending -----------------------------------------------------------------------------------------------

    @property
    def open(self) -> bool:
        """Whether messages can still be sent."""
        return not self._closing and not self.transport.is_closing()

    def send(self, text: bytes) -> None:
        """Sends a message, if the socket is still open."""
        self.send_frames(Frame(Opcode.TEXT, text).serialize(mask=False))

    def send_frames(self, frames: bytes) -> None:
        """Sends messages that are frames already, if the socket is still open."""
        if not self._closing:
            self.write(frames)

    def close(self, code: int, reason: str) -> None:
        """Begins to close the socket. A peer that does not answer in time is cut off."""
        if self.open:
            parser = self._parser = self._parser or self._new_parser()
            parser.send_close(code, reason)
            self._write(parser)

    def _new_parser(self) -> Protocol:
        return Protocol(Side.SERVER, max_size=self.max_message_bytes, logger=_library_log)

    def _write(self, parser: Protocol) -> None:
        """Writes what the library has to say, be it by itself."""
        for data in parser.data_to_send():
            if data:
                self.write(data)
            else:  # the library's sign for the end
                self.finish()
        if parser.state is not State.OPEN and not self._closing:
            self._closing = True
            self._late_at = asyncio.get_running_loop().time() + self.state.peer_timeout

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
        parser = self._parser = self._parser or self._new_parser()
        # Long data is parsed in pieces, so that a flood is noticed before much was done for it.
        for at in range(0, len(data), MAX_PARSED_BYTES):
            piece = data[at : at + MAX_PARSED_BYTES]
            parser.receive_data(piece)
            frames = cast("list[Frame]", parser.events_received())
            self._write(parser)
            self._buffer(len(piece) - sum(map(_wire_bytes, frames)))
            for frame in frames:
                if not self.open:
                    return
                self._take(frame)
            if self._frames_left < 0:
                self.close(CloseCode.POLICY_VIOLATION, TOO_MANY_FRAMES)
        if not self.open:
            return
        if self._buffered:
            if self._late_at == inf:
                self._late_at = asyncio.get_running_loop().time() + self.state.peer_timeout
        else:
            self._late_at = inf
            self._drop_parser()

    def _drop_parser(self) -> None:
        if self._parser is not None:
            # The library's object and its parser refer to each other, and the garbage collector runs rarely here.
            vars(self._parser).clear()
            self._parser = None

    def _take(self, frame: Frame) -> None:
        self._frames_left -= 1
        if frame.opcode is Opcode.BINARY:
            self.close(CloseCode.UNSUPPORTED_DATA, NOT_TEXT)
        elif frame.opcode is Opcode.TEXT or frame.opcode is Opcode.CONT:
            fragments = self._fragments or []
            fragments.append(bytes(frame.data))
            if not frame.fin:
                held = _wire_bytes(frame)
                self._message_bytes += held
                self._fragments = fragments
                self._buffer(held)
                return
            self._buffer(-self._message_bytes)
            self._message_bytes, self._fragments = 0, None
            try:
                text = b"".join(fragments).decode()
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
            self.write(PING)

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
        self._drop_parser()


def head_of_frame(size: int) -> bytes:
    """What comes before a text of so many bytes in the frame that carries it."""
    return Frame(Opcode.TEXT, bytes(size)).serialize(mask=False)[:-size]


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
