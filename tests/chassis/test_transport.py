"""Both transports, `DefaultTransport` and `HttpxTransport`, over real sockets: kept connections, deadlines, bounds, and
broken peers."""

from __future__ import annotations

import asyncio
import signal
import ssl
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from chassis.neighbours import transport
from chassis.neighbours.default_transport import DefaultTransport
from chassis.neighbours.httpx_transport import HttpxTransport
from chassis.neighbours.transport import (
    Answer,
    AnswerMemory,
    AnswerMemoryFull,
    AnswerTimeout,
    ConnectFailed,
    ConnectionLost,
    GarbledAnswer,
    OutgoingRequest,
    StaleConnection,
    Transport,
    header_line,
)
from deploy.postgres import free_ports

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
BUDGET = AnswerMemory(2_000_000)
WIRES: dict[str, Callable[[str], Transport]] = {
    "lean": lambda url: DefaultTransport(url, BUDGET),
    "httpx2": lambda url: HttpxTransport(url, BUDGET, ssl.create_default_context()),
}
LEAN = WIRES["lean"]


@pytest.fixture(params=WIRES)
def make(request: pytest.FixtureRequest) -> Callable[[str], Transport]:
    return WIRES[request.param]


@asynccontextmanager
async def peer(make: Callable[[str], Transport], serve: Serve, prefix: str = "") -> AsyncGenerator[Transport]:
    """A transport to a server that answers each connection with `serve`."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    made = make(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{prefix}")
    try:
        yield made
    finally:
        await made.close()
        server.close()


async def send(on: Transport, content: bytes | None = None, *, seconds: float = 60, repeatable: bool = True) -> Answer:
    headers = header_line("x-asked", "1")
    return await on.send(OutgoingRequest("POST", "/q/", content), headers, seconds=seconds, repeatable=repeatable)


def says(*answers: bytes, then_close: bool = False) -> Serve:
    """Answers each request on a connection with the next of `answers`, the last one for ever."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        remaining = list(answers)
        while await _request(reader):
            writer.write(remaining.pop(0) if len(remaining) > 1 else remaining[0])
            if then_close:
                break
        writer.close()

    return serve


async def _request(reader: asyncio.StreamReader) -> bytes:
    """One request, head and body; empty if the client has hung up."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""
    length = next((line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b"0")
    return head + await reader.readexactly(int(length))


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-of: Mine\r\n\r\n{}"


async def test_a_request_and_its_answer_arrive_whole(make: Callable[[str], Transport]) -> None:
    met: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        met.append(await _request(reader))
        writer.write(OK)

    async with peer(make, serve, "/base") as on:
        answer = await send(on, b'{"ids": [1]}')

    assert (answer.status, answer.content) == (200, b"{}")
    head, _, body = met[0].partition(b"\r\n\r\n")
    assert body == b'{"ids": [1]}'
    lines = head.lower().split(b"\r\n")
    assert lines[0] == b"post /base/q/ http/1.1"
    assert {b"x-asked: 1", b"content-length: 12"} <= set(lines)
    assert any(line.startswith(b"host: 127.0.0.1:") for line in lines)


async def test_a_connection_is_kept_and_used_again(make: Callable[[str], Transport]) -> None:
    opened = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        await says(OK)(reader, writer)

    async with peer(make, serve) as on:
        for _ in range(5):
            await send(on)
        assert opened == 1
        await asyncio.gather(*(send(on) for _ in range(3)))

    assert opened <= 3, "those that run at the same time need one each"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + OK,
        b"HTTP/1.1 200 OK\r\n\r\n{}",  # until the connection ends
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n{}",
    ],
)
async def test_every_framing_of_an_answer_is_read(make: Callable[[str], Transport], answer: bytes) -> None:
    async with peer(make, says(answer, then_close=True)) as on:
        assert (await send(on)).content == b"{}"
        assert (await send(on)).content == b"{}", "on another connection"


@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_without_content_ends_with_its_head(make: Callable[[str], Transport], status: int) -> None:
    async with peer(make, says(b"HTTP/1.1 %d X\r\n\r\n" % status, OK)) as on:
        assert ((await send(on)).status, (await send(on)).status) == (status, 200)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 429 X\r\nretry-after: 37\r\ncontent-length: 2\r\n\r\n{}", "37"),
        (b"HTTP/1.1 429 X\r\ncontent-length: 2\r\nRETRY-AFTER:37\r\n\r\n{}", "37"),
        (b"HTTP/1.1 503 X\r\nRetry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n{}", "Sun, 06 Nov 1994 08:49:37 GMT"),
        (b"HTTP/1.1 503 X\r\nx-retry-after: 5\r\ncontent-length: 2\r\n\r\n{}", ""),
        (b"HTTP/1.1 503 X\r\ncontent-length: 17\r\n\r\n\r\nretry-after: 37", ""),
        (b"HTTP/1.1 103 X\r\nretry-after: 5\r\n\r\nHTTP/1.1 503 X\r\ncontent-length: 2\r\n\r\n{}", ""),
        (
            b"HTTP/1.1 103 X\r\nlink: </x>\r\n\r\nHTTP/1.1 503 X\r\nretry-after: 9\r\ncontent-length: 2\r\n\r\n{}",
            "9",
        ),
        (b"HTTP/1.1 200 OK\r\nretry-after:  37 \r\ncontent-length: 2\r\n\r\n{}", "37"),
    ],
)
async def test_a_header_is_read_from_the_head_of_the_final_answer(
    make: Callable[[str], Transport], answer: bytes, said: str
) -> None:
    async with peer(make, says(answer, then_close=True)) as on:
        assert (await send(on)).header("retry-after") == said


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\n{}",
        b"this is no HTTP\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nx: " + b"a" * 200_000 + b"\r\n\r\n",
    ],
)
async def test_broken_http_is_garbled(make: Callable[[str], Transport], answer: bytes) -> None:
    async with peer(make, says(answer, then_close=True)) as on:
        with pytest.raises(GarbledAnswer):
            await send(on)


async def test_an_answer_that_never_ends_is_given_up(
    make: Callable[[str], Transport], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("chassis.neighbours.httpx_transport", "chassis.neighbours.default_transport"):
        monkeypatch.setattr(f"{module}.MAX_ANSWER_BYTES", 1_000_000)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
            await writer.drain()

    async with peer(make, serve) as on:
        with pytest.raises(GarbledAnswer):
            await send(on)


async def held(size: int) -> None:
    """Returns when the arriving answers hold that many bytes, without their heads."""
    async with asyncio.timeout(60):
        while abs(BUDGET.held_bytes - size) > 1000:  # noqa: ASYNC110  # what is waited for has no event
            await asyncio.sleep(0.01)


def begins(*sizes: int, then: asyncio.Event) -> Serve:
    """An answer of a megabyte to each connection, of which the first bytes come at once, as many as `sizes` say in
    turn, and the others `then`."""
    remaining = list(sizes)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = remaining.pop(0)
        await _request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n" + b"x" * size)
        await then.wait()
        writer.write(b"x" * (1_000_000 - size))
        writer.close()

    return serve


async def test_the_longest_of_all_answers_is_given_up_when_they_hold_too_much(make: Callable[[str], Transport]) -> None:
    more, rest = asyncio.Event(), asyncio.Event()
    async with peer(make, begins(900_000, 800_000, then=rest)) as one, peer(make, begins(100_000, then=more)) as other:
        first = asyncio.create_task(send(one, seconds=60))
        await held(900_000)
        second = asyncio.create_task(send(one, seconds=60))
        await held(1_700_000)
        third = asyncio.create_task(send(other, seconds=60))
        await held(1_800_000)

        more.set()  # the third answer needs more memory, so the first must be given up
        with pytest.raises(AnswerMemoryFull):
            await first
        assert len((await third).content) == 1_000_000
        rest.set()
        assert len((await second).content) == 1_000_000

    assert BUDGET.held_bytes == 0


@pytest.mark.parametrize("end", ["time", "cancelled", "cut off"])
async def test_an_answer_gives_back_what_it_holds_however_it_ends(make: Callable[[str], Transport], end: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n" + b"x" * 900_000)
        await cut.wait()
        writer.close()

    cut = asyncio.Event()
    async with peer(make, serve) as on:
        asking = asyncio.create_task(send(on, seconds=3 if end == "time" else 60))
        await held(900_000)
        if end == "cancelled":
            asking.cancel()
        elif end == "cut off":
            cut.set()
        [outcome] = await asyncio.gather(asking, return_exceptions=True)
        cut.set()

    assert isinstance(outcome, AnswerTimeout | asyncio.CancelledError | GarbledAnswer)
    assert BUDGET.held_bytes == 0


async def test_an_answer_that_drips_ends_at_the_deadline(make: Callable[[str], Transport]) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x")
            await asyncio.sleep(0.01)

    async with peer(make, serve) as on:
        with pytest.raises(AnswerTimeout):
            await send(on, seconds=2)


async def test_a_closed_port_refuses(make: Callable[[str], Transport]) -> None:
    with pytest.raises(ConnectFailed):
        await send(make(f"http://127.0.0.1:{free_ports()}"))


async def test_a_connection_that_ends_without_an_answer_is_lost(make: Callable[[str], Transport]) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _request(reader)
        writer.close()

    async with peer(make, serve) as on:
        with pytest.raises((ConnectionLost, GarbledAnswer)):
            await send(on)


async def test_a_request_that_is_cancelled_takes_its_connection_with_it(make: Callable[[str], Transport]) -> None:
    arrived, gone = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await _request(reader)
        arrived.set()
        await reader.read()
        gone.set()

    async with peer(make, serve) as on, asyncio.timeout(60):
        asking = asyncio.create_task(send(on))
        await arrived.wait()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await gone.wait()


@pytest.mark.parametrize(("repeatable", "meets"), [(True, 2), (False, 1)])
async def test_a_kept_connection_that_ends_under_a_request_is_replaced_where_that_does_no_harm(
    repeatable: bool, meets: int
) -> None:
    met = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal met
        await _request(reader)
        writer.write(OK)
        await _request(reader)
        met += 1  # a second request on this connection: it is closed instead of answered
        writer.close()

    async with peer(LEAN, serve) as on:
        await send(on)
        answered: Any = await asyncio.gather(send(on, repeatable=repeatable), return_exceptions=True)

    assert met == 1
    assert isinstance(answered[0], Answer if meets == 2 else ConnectionLost)


async def test_each_of_many_requests_ends_when_its_own_time_is_over() -> None:
    """They share one timer, which must fire for the first of them, and again for the next."""

    async def late(on: Transport, seconds: float) -> None:
        began = time.monotonic()
        with pytest.raises(AnswerTimeout):
            await send(on, seconds=seconds)
        assert time.monotonic() - began >= seconds

    async def serve(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with peer(LEAN, serve) as on:
        longest = asyncio.create_task(late(on, 60))
        async with asyncio.timeout(20):
            await asyncio.gather(*(late(on, seconds) for seconds in (1.5, 0.5, 1.0)))
        assert not longest.done()
        longest.cancel()


ASKS = """
import asyncio, sys
from chassis.neighbours import default_transport
from chassis.neighbours.resolver import ResolvingLoop
from chassis.neighbours.transport import AnswerMemory, OutgoingRequest

default_transport.CONNECT_SECONDS = 60

async def main():
    transport = default_transport.DefaultTransport(sys.argv[1], AnswerMemory(10**6))
    answer = await transport.send(OutgoingRequest("GET", "/"), "", seconds=3, repeatable=False)
    print(answer.content)

with asyncio.Runner(loop_factory=ResolvingLoop) as runner:
    runner.run(main())
"""


async def test_an_answer_that_came_while_the_process_was_stopped_is_not_late() -> None:
    """Its timers have run out when it goes on, and what they wait for is there."""
    asking: asyncio.Future[asyncio.subprocess.Process] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _request(reader)
        process = await asking
        process.send_signal(signal.SIGSTOP)
        writer.write(OK)
        await asyncio.sleep(4)
        process.send_signal(signal.SIGCONT)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", ASKS, url, stdout=asyncio.subprocess.PIPE)
    asking.set_result(process)
    said, _ = await process.communicate()
    server.close()

    assert said.strip() == b"b'{}'"


async def begun(on: Transport, seconds: float = 60) -> tuple[int, bytes] | Exception:
    """The outcome of a request that is begun at once: status and content, or what failed."""
    ended: asyncio.Future[Answer | Exception] = asyncio.get_running_loop().create_future()
    assert on.begin(OutgoingRequest("GET", "/q/"), "", seconds=seconds, on_end=ended.set_result)
    outcome = await ended
    return (outcome.status, outcome.content) if isinstance(outcome, Answer) else outcome


async def test_a_request_can_be_sent_at_once_where_a_connection_is_at_hand() -> None:
    async with peer(LEAN, says(OK)) as on:
        assert isinstance(on, DefaultTransport)
        assert on.begin(OutgoingRequest("GET", "/q/"), "", seconds=60, on_end=lambda _: None) is None
        await send(on)
        assert await begun(on) == (200, b"{}")
        assert await begun(on) == (200, b"{}"), "the connection is kept"


async def test_a_transport_that_gives_a_request_up_by_itself_has_lost_it() -> None:
    async def give_up(_request: httpx2.Request) -> httpx2.Response:
        raise asyncio.CancelledError

    on = HttpxTransport("http://pessoas.test", AnswerMemory(10**9), ssl.create_default_context())
    on.transport = httpx2.MockTransport(give_up)
    with pytest.raises(ConnectionLost):
        await send(on)


async def test_a_kept_connection_that_had_ended_is_stale() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _request(reader)
        writer.write(OK)
        await _request(reader)
        writer.close()

    async with peer(LEAN, serve) as on:
        assert isinstance(on, DefaultTransport)
        await send(on)
        assert isinstance(await begun(on), StaleConnection)


async def test_an_answer_in_single_bytes_after_an_interim_one_is_whole() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await _request(reader):
            for byte in b"HTTP/1.1 103 Early Hints\r\ncontent-length: 9\r\n\r\n" + OK:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0)

    async with peer(LEAN, serve) as on:
        assert isinstance(on, DefaultTransport)
        await send(on)
        assert await begun(on) == (200, b"{}")


async def test_bytes_that_nobody_asked_for_end_a_kept_connection() -> None:
    async with peer(LEAN, says(OK + OK, OK)) as on:
        first = await send(on)
        second = await send(on)

    assert (first.content, second.content) == (b"{}", b"{}")


@pytest.mark.parametrize("value", ["a\r\nx: 1", "a\nb", "a\rb\n"])
async def test_neither_a_header_nor_a_path_can_smuggle_a_line(value: str) -> None:
    with pytest.raises(ValueError, match="line break"):
        header_line("x-asked", value)
    async with peer(LEAN, says(OK)) as on:
        with pytest.raises(ValueError, match="line break"):
            await on.send(OutgoingRequest("GET", f"/{value}"), "", seconds=1, repeatable=True)


def test_the_longest_answer_of_the_dialect_fits() -> None:
    row = len('{"id":9223372036854775807,"servico_id":9223372036854775807,"pessoa_id":9223372036854775807,') * 2
    assert 100_000 * row < transport.MAX_ANSWER_BYTES
