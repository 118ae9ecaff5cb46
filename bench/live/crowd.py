"""Many clients of live queries, in one small C program (crowd.c): how it is built, told what to do, and asked."""

import json
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self

import psutil
from websockets.frames import Frame, Opcode

from bench.gateway.stub import compiled

SOURCE = Path(__file__).with_name("crowd.c")
ID = "0123456789abcdef0123456789abcdef0123"
"""The id of an operation, as long as those of graphql-ws."""


def _frame(text: str) -> bytes:
    return Frame(Opcode.TEXT, text.encode()).serialize(mask=True)


PONG = Frame(Opcode.PONG, b"").serialize(mask=True)
HANDSHAKE = (
    b"GET /graphql HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
)


class Transport(NamedTuple):
    """How a client opens its subscription: what it sends, step by step, each with what must arrive before the next."""

    steps: tuple[tuple[bytes, str], ...]
    beat: bytes = b""
    """What it sends from time to time, so that the gateway knows that it is still there."""

    @property
    def command(self) -> str:
        steps = " ".join(f"{sent.hex()}:{expected}" for sent, expected in self.steps)
        return f"{self.beat.hex() or '-'} {steps}"


def websocket(query: str) -> Transport:
    subscribe = json.dumps({"id": ID, "type": "subscribe", "payload": {"query": query}})
    init = _frame('{"type":"connection_init"}')
    return Transport(((HANDSHAKE, "101"), (init, "connection_ack"), (_frame(subscribe), "")), PONG)


def event_stream(query: str) -> Transport:
    body = json.dumps({"query": query}).encode()
    head = (
        b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    )
    return Transport(((head + body, "200"),))


class CrowdFailed(Exception):
    """The clients have given up: what they have met is in their output."""


class Told(NamedTuple):
    """What the clients have received since they were asked before. Ages are in seconds, since the write was due."""

    messages: int
    median: float
    p99: float
    oldest: float


class Crowd:
    """The running program, with clients of the gateway at `port`. Writes go to the service at `writes_port`."""

    def __init__(self, program: Path, port: int, writes_port: int) -> None:
        self._command = [program, str(port), str(writes_port)]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process = psutil.Process(self._process.pid)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        with suppress(BrokenPipeError):
            self._process.communicate()

    def open(self, count: int, transport: Transport) -> None:
        """Opens so many subscriptions."""
        self._ask(f"open {count} {transport.command}")

    def begin_writing(self, rate: float, seconds: float) -> None:
        self._tell(f"write {rate} {seconds}")

    def end_writing(self) -> int:
        """Waits until all writes were answered, and returns how many there were."""
        return int(self._answer()[1])

    def arrived(self) -> int:
        """How many messages have come since the last report."""
        return int(self._ask("count")[1])

    def report(self) -> Told:
        _, messages, *ages = self._ask("report")
        return Told(int(messages), *(int(age) / 1e6 for age in ages))

    def _ask(self, command: str) -> list[str]:
        self._tell(command)
        return self._answer()

    def _tell(self, command: str) -> None:
        assert self._process.stdin
        with suppress(BrokenPipeError):  # then there is no answer
            self._process.stdin.write(command + "\n")
            self._process.stdin.flush()

    def _answer(self) -> list[str]:
        assert self._process.stdout
        answer = self._process.stdout.readline().split()
        if not answer:
            raise CrowdFailed("a client was refused or cut off")
        return answer


def build(into: Path) -> Path:
    return compiled(SOURCE, into / "crowd")
