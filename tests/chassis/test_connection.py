"""What a peer may do to a process: slow, silent, greedy and malformed peers are disconnected, and nobody else
notices."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import pytest_asyncio
from starlette.types import Receive, Scope, Send

from chassis.observe.metrics import Requests
from chassis.process.connection import MAX_PIPELINED
from chassis.process.refusals import MAX_HEAD_BYTES, MAX_HEADERS, MAX_TARGET_BYTES
from chassis.request.addresses import network
from chassis.web.middleware import RequestMiddleware
from tests.chassis.peers import Peer, ServedApplication, serving, until, with_more_addresses
from tests.deploy.processes import WAIT_SECONDS
from tests.listener import Logged

LARGE = 8_000_000
"""An answer that is too large for any buffer."""


class Echo:
    """Answers with its path; `/held…` only when the test lets it, `/large` with a lot, `/huge` with four times that."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.begun: list[str] = []
        self.cancelled: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path: str = scope["path"]
        self.begun.append(path)
        while (await receive()).get("more_body"):
            pass
        try:
            if path.startswith("/held"):
                await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled.append(path)
            raise
        body = {"/large": b"x" * LARGE, "/huge": b"x" * 4 * LARGE}.get(path, path.encode())
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest_asyncio.fixture
async def served(echo: Echo) -> AsyncIterator[ServedApplication]:
    async with serving(
        RequestMiddleware(echo, 1_000_000, 60, Requests([])),
        max_connections=20,
        max_concurrency=3,
        max_concurrency_per_address=3,
        max_body_bytes=10_000,
    ) as served:
        yield served
        echo.release.set()


def is_now(date: str) -> bool:
    """Whether it is a date as HTTP writes it (RFC 9110, 5.6.7), of this test's hour."""
    return date.endswith(" GMT") and abs(parsedate_to_datetime(date) - datetime.now(UTC)) < timedelta(hours=1)


POST = b"POST /a HTTP/1.1\r\nHost: localhost\r\n"


@pytest.mark.parametrize(
    ("request_bytes", "status", "code"),
    [
        (b"nonsense\r\n\r\n", 400, "MALFORMED"),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "MALFORMED"),
        (b"GET \xff HTTP/1.1\r\n\r\n", 400, "MALFORMED"),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nno length\r\n", 400, "MALFORMED"),
        (b"GET /" + b"a" * MAX_TARGET_BYTES + b" HTTP/1.1\r\n\r\n", 414, "LIMIT_EXCEEDED"),
        (b"GET / HTTP/1.1\r\nCookie: " + b"a" * MAX_HEAD_BYTES + b"\r\n\r\n", 431, "LIMIT_EXCEEDED"),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * (MAX_HEADERS + 1) + b"\r\n", 431, "LIMIT_EXCEEDED"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "MALFORMED"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "MALFORMED"),
        (b"GET /\r\n\r\n", 400, "MALFORMED"),
    ],
)
async def test_what_is_no_request_or_too_large_a_one_is_refused_as_a_problem(
    served: ServedApplication, request_bytes: bytes, status: int, code: str
) -> None:
    peer = await served.peer()
    peer.send(request_bytes)
    answer = await peer.answer()

    assert (answer.status, json.loads(answer.body)["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert is_now(answer.headers["date"])
    assert answer.closes
    assert await peer.is_cut_off()


@pytest.mark.parametrize(
    ("beginning", "without_end"),
    [
        (b"GET / HTTP/1.1\r\nCookie: ", b"a"),
        (b"GET /", b"a"),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nTrailer: ", b"a"),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n1;", b"a"),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
    ],
)
async def test_a_head_trailers_or_tiny_chunks_without_end_are_cut_off(
    served: ServedApplication, beginning: bytes, without_end: bytes
) -> None:
    peer = await served.peer()
    peer.send(beginning)

    async def send_on() -> None:
        while not peer.writer.is_closing():
            peer.send(without_end * 10_000)
            await peer.writer.drain()

    sending = asyncio.create_task(send_on())
    assert await peer.is_cut_off()
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    await until(lambda: not served.connections, "nothing is left of it")


async def test_what_comes_in_one_burst_is_counted_as_well(served: ServedApplication) -> None:
    peer = await served.peer()
    peer.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nCookie: " + b"a" * 2 * MAX_HEAD_BYTES)

    assert (await peer.answer()).status == 431
    assert await peer.is_cut_off()


async def test_a_mute_peer_is_cut_off(served: ServedApplication) -> None:
    peer = await served.peer()
    served.pass_time(9)
    assert not peer.reader.at_eof()
    served.pass_time(11)
    assert await peer.is_cut_off()


async def test_a_slow_head_is_a_408_and_the_end(served: ServedApplication) -> None:
    peer = await served.peer()
    peer.send(b"GET / HTTP/1.1\r\n")
    await until(lambda: served.connections[0].receiving, "the head begins")
    served.pass_time(11)

    answer = await peer.answer()
    assert (answer.status, json.loads(answer.body)["code"]) == (408, "TIMEOUT")
    assert await peer.is_cut_off()


async def test_a_slow_body_is_a_408_and_its_request_is_cancelled(served: ServedApplication, echo: Echo) -> None:
    peer = await served.peer()
    peer.send(POST + b"Content-Length: 10\r\n\r\nhalf")
    await until(lambda: echo.begun == ["/a"], "the request begins")
    served.pass_time(11)

    assert (await peer.answer()).status == 408
    assert await peer.is_cut_off()
    await until(lambda: not served.state.tasks, "the request ends")


async def test_a_peer_that_does_not_read_its_answer_is_cut_off(served: ServedApplication) -> None:
    peer = await served.peer()
    peer.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a socket's transport has it
    peer.get("/large")
    await until(lambda: served.connections[0].flow.write_paused, "the answer waits to be read")
    served.pass_time(9)
    assert served.connections
    served.pass_time(11)

    await until(lambda: not served.connections, "it is cut off")


async def test_a_resting_connection_of_a_client_is_kept_for_75_seconds(served: ServedApplication) -> None:
    peer = await served.peer()
    peer.get("/a")
    await peer.answer()
    served.pass_time(70)
    peer.get("/b")
    assert (await peer.answer()).body == b"/b"
    served.pass_time(80)
    assert await peer.is_cut_off()


async def test_who_waits_for_us_is_not_late(served: ServedApplication, echo: Echo) -> None:
    peer = await served.peer()
    peer.get("/held")
    await until(lambda: echo.begun == ["/held"], "the request begins")
    served.pass_time(1000)
    echo.release.set()

    assert (await peer.answer()).body == b"/held"


async def test_pipelined_requests_are_answered_in_order_up_to_a_bound(served: ServedApplication, echo: Echo) -> None:
    peer = await served.peer()
    for number in range(MAX_PIPELINED + 50):
        peer.get(f"/held/{number}")
    await until(lambda: echo.begun == ["/held/0"], "the first begins")
    echo.release.set()
    answers = [await peer.answer() for _ in range(MAX_PIPELINED + 1)]

    assert [answer.body for answer in answers] == [f"/held/{n}".encode() for n in range(MAX_PIPELINED + 1)]
    assert [answer.closes for answer in answers] == [False] * MAX_PIPELINED + [True]
    assert await peer.is_cut_off()


async def test_what_is_refused_at_once_does_not_overtake_an_answer_of_the_same_turn() -> None:
    """The next request arrives while the previous answer is written but not yet sent."""

    async def answers_and_hears_more(scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
            await send({"type": "http.response.body", "body": b"ok"})
            [connection] = served.connections
            served.state.draining = True
            connection.data_received(b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\n\r\n")

    async with serving(answers_and_hears_more) as served:
        peer = await served.peer()
        peer.get("/first")

        assert [(await peer.answer()).status for _ in range(2)] == [200, 503]


@pytest.mark.parametrize(
    ("status", "headers", "bodies"),
    [
        (200, [(b"content-length", b"4")], [b"okay"]),
        (200, [(b"content-length", b"100000")], [b"x" * 100_000]),
        (200, [], [b"okay"]),
        (200, [(b"content-length", b"4")], [b"ok", b"ay"]),
        (200, [(b"content-length", b"4"), (b"connection", b"close")], [b"okay"]),
        (204, [], [b""]),
        (304, [(b"etag", b'"1"')], [b""]),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_an_answer_is_the_same_whether_it_comes_whole_or_not(
    status: int, headers: list[tuple[bytes, bytes]], bodies: list[bytes], method: str
) -> None:
    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": status, "headers": headers})
            for n, body in enumerate(bodies, 1):
                await send({"type": "http.response.body", "body": body, "more_body": n < len(bodies)})

    async with serving(app) as served, asyncio.timeout(10):
        peer = await served.peer()
        lines = [f"{method} / HTTP/1.1", "Host: localhost", "Connection: close", "", ""]
        peer.send("\r\n".join(lines).encode())
        head, _, body = (await peer.reader.read(-1)).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert all(b"%b: %b" % header in head for header in headers)
    expected = b"" if method == "HEAD" or status != 200 else b"".join(bodies)
    assert body == (b"4\r\nokay\r\n0\r\n\r\n" if b"transfer-encoding: chunked" in head and expected else expected)


async def test_a_header_with_a_line_break_is_never_sent(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = [(b"content-length", b"0"), (b"x", b"a\r\nset-cookie: b")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b""})

    async with serving(app) as served, asyncio.timeout(10):
        peer = await served.peer()
        peer.get("/")
        answer = await peer.reader.read()

    assert answer == b""
    assert "Invalid HTTP header value" in caplog.text


async def test_nonsense_after_a_request_does_not_spoil_its_answer(served: ServedApplication, echo: Echo) -> None:
    peer = await served.peer()
    peer.get("/held")
    peer.send(b"nonsense\r\n\r\n")
    await until(lambda: served.refused[400] == 1, "the nonsense is seen")
    echo.release.set()
    answer = await peer.answer()

    assert (answer.status, answer.body, answer.closes) == (200, b"/held", True)
    assert await peer.reader.read() == b""


@with_more_addresses
async def test_one_address_has_at_most_half_of_the_connections(served: ServedApplication) -> None:
    greedy = [await served.peer() for _ in range(10)]
    refused = await served.peer()
    answer = await refused.answer()
    other = await served.peer("127.0.0.2")
    other.get("/a")

    assert (answer.status, json.loads(answer.body)["code"], answer.headers["retry-after"]) == (503, "UNAVAILABLE", "1")
    assert await refused.is_cut_off()
    assert (await other.answer()).status == 200
    greedy[0].hang_up()
    await until(lambda: len(served.connections) == 10, "a place is free again")
    again = await served.peer()
    again.get("/a")
    assert (await again.answer()).status == 200


@with_more_addresses
async def test_where_all_connections_are_taken_one_at_rest_of_who_has_most_gives_way(served: ServedApplication) -> None:
    crowd = [await served.peer(address) for address in ("127.0.0.2", "127.0.0.3") for _ in range(10)]
    newcomer = Peer(*await asyncio.open_connection("127.0.0.1", served.port))
    newcomer.get("/a")

    assert (await newcomer.answer()).status == 200
    await until(lambda: sum(peer.reader.at_eof() for peer in crowd) == 1, "one is closed")
    assert len(served.connections) == 20
    crowd[-1].get("/b")
    assert (await crowd[-1].answer()).status == 200
    newcomer.hang_up()


@with_more_addresses
async def test_a_request_on_its_way_gives_way_to_a_newcomer_too_and_is_told(served: ServedApplication) -> None:
    crowd = [await served.peer(address) for address in ("127.0.0.2", "127.0.0.3") for _ in range(10)]
    for peer in crowd:
        peer.send(b"GET /unfinished HTTP/1.1\r\n")
    await until(lambda: all(one.receiving for one in served.connections), "all begin to ask")
    newcomer = await served.peer()
    newcomer.get("/a")

    assert (await newcomer.answer()).status == 200
    assert served.refused == {503: 1}


@with_more_addresses
async def test_where_all_connections_are_at_work_a_newcomer_is_refused(echo: Echo) -> None:
    async with serving(echo, max_connections=4, max_concurrency=9) as served:
        crowd = [await served.peer(address) for address in ("127.0.0.2", "127.0.0.3") for _ in range(2)]
        for number, peer in enumerate(crowd):
            peer.get(f"/held/{number}")
        await until(lambda: len(echo.begun) == 4, "all begin")

        assert (await (await served.peer()).answer()).status == 503
        echo.release.set()
        assert {(await peer.answer()).status for peer in crowd} == {200}


@with_more_addresses
async def test_who_has_most_connections_but_all_at_work_does_not_keep_those_at_rest_from_giving_way(echo: Echo) -> None:
    async with serving(echo, max_connections=8, max_concurrency=9) as served:
        at_work = [await served.peer("127.0.0.2") for _ in range(4)]
        for number, peer in enumerate(at_work):
            peer.get(f"/held/{number}")
        await until(lambda: len(echo.begun) == 4, "all begin")
        at_rest = [await served.peer("127.0.0.3") for _ in range(3)]
        await served.peer()
        newcomer = Peer(*await asyncio.open_connection("127.0.0.1", served.port))
        newcomer.get("/a")

        assert (await newcomer.answer()).status == 200
        await until(lambda: sum(peer.reader.at_eof() for peer in at_rest) == 1, "one is closed")
        echo.release.set()
        assert {(await peer.answer()).status for peer in at_work} == {200}
        newcomer.hang_up()


@with_more_addresses
async def test_of_those_who_read_nothing_who_leaves_most_is_cut_off(echo: Echo) -> None:
    async with serving(echo, max_unread_bytes=20 * LARGE) as served:  # all of it, until a sweep may judge them
        deaf = [await served.peer("127.0.0.2") for _ in range(2)]
        other = await served.peer()
        for peer in (*deaf, other):
            peer.get("/huge")
        await until(lambda: all(one.unread_bytes > LARGE for one in served.connections), "all three wait to be read")
        reading = asyncio.create_task(other.answer())
        await until(lambda: sum(one.unread_bytes > LARGE for one in served.connections) == 2, "one of them reads")
        served.state.settings.max_unread_bytes = 2 * LARGE
        served.pass_time(0)

        assert len((await reading).body) == 4 * LARGE
        await until(lambda: len(served.connections) == 1, "both others are cut off")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"),
        ("2001:db8:1:2::1", "2001:0db8:0001:0002:0:0:0:1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
    ],
)
def test_addresses_of_one_customer_count_as_one(one: str, other: str) -> None:
    assert network(one) == network(other) != network("2001:db8:1:3::1")


async def test_connections_are_counted_by_network(echo: Echo) -> None:
    async with serving(echo, address="::1") as served:
        _, writer = await asyncio.open_connection("::1", served.port)
        await until(lambda: bool(served.connections), "the server sees it")

        assert list(served.state.peers) == [network("::1")] != ["::1"]
        writer.close()


async def _held(served: ServedApplication, echo: Echo, count: int) -> list[Peer]:
    peers = [await served.peer() for _ in range(count)]
    for number, peer in enumerate(peers):
        peer.get(f"/held/{number}")
    await until(lambda: len(echo.begun) == count, "all begin")
    return peers


async def test_beyond_its_concurrency_a_process_refuses_at_once_and_stays_visible(
    served: ServedApplication, echo: Echo
) -> None:
    held = await _held(served, echo, 3)
    peer = await served.peer()
    peer.send(POST + b"Content-Length: 4\r\n\r\nbody")
    refused = await peer.answer()
    peer.get("/health/live")
    health = await peer.answer()
    echo.release.set()
    assert [(await one.answer()).status for one in held] == [200] * 3
    peer.get("/a")
    served_again = await peer.answer()

    assert (refused.status, refused.headers["retry-after"], refused.closes) == (503, "1", False)
    assert json.loads(refused.body)["code"] == "UNAVAILABLE"
    assert (health.status, served_again.status) == (200, 200)
    assert "/a" not in echo.begun[:3]


@with_more_addresses
async def test_one_address_cannot_take_every_place_at_work(echo: Echo) -> None:
    front = RequestMiddleware(echo, 1_000_000, 60, Requests([]))
    async with serving(front, max_concurrency=3) as served:
        greedy = await _held(served, echo, 2)
        beyond, other, last = await served.peer(), await served.peer("127.0.0.2"), await served.peer("127.0.0.3")
        beyond.get("/a")
        other.get("/held/other")
        await until(lambda: "/held/other" in echo.begun, "the other's request begins")
        last.get("/a")
        refused = [(await one.answer()).status for one in (beyond, last)]
        echo.release.set()
        served_now = [(await one.answer()).status for one in (*greedy, other)]
        beyond.get("/a")

        assert refused == [503, 503], "the one for its share, the other since there is no place at all"
        assert served_now == [200] * 3
        assert (await beyond.answer()).status == 200
        await until(
            lambda: not any(one.active_requests for one in served.state.peers.values()),
            "nothing is remembered of who has left",
        )


HALF = POST + b"Content-Length: 8\r\n\r\nhalf"


async def _halves(served: ServedApplication, echo: Echo, count: int) -> list[Peer]:
    """Peers that have sent half of their bodies."""
    peers = [await served.peer() for _ in range(count)]
    for peer in peers:
        peer.send(HALF)
    await until(lambda: len(echo.begun) == count, "every head is at its application")
    return peers


async def test_nobody_takes_a_place_at_work_by_a_head_alone(served: ServedApplication, echo: Echo) -> None:
    await _halves(served, echo, 5)
    other = await served.peer()
    other.get("/a")

    assert (await other.answer()).status == 200
    assert served.state.active_requests == 0


async def test_a_body_that_is_complete_takes_a_place_or_is_refused_in_the_applications_own_way(
    served: ServedApplication, echo: Echo
) -> None:
    first, second = await _halves(served, echo, 2)
    held = [await served.peer() for _ in range(2)]
    for peer in held:
        peer.get("/held")
    await until(lambda: served.state.active_requests == 2, "one place is left")
    taking = await served.peer()
    first.send(b"half")
    assert (await first.answer()).body == b"/a"
    taking.get("/held")
    await until(lambda: served.state.active_requests == 3, "no place is left")
    second.send(b"half" + HALF.replace(b"half", b"complete"))
    refused, next_too = await second.answer(), await second.answer()
    echo.release.set()
    for peer in (*held, taking):
        await peer.answer()
    second.get("/b")

    assert (refused.status, refused.headers["retry-after"], refused.closes) == (503, "1", False)
    assert "x-request-id" in refused.headers, "the application's edge has answered"
    assert (next_too.status, json.loads(next_too.body)["code"]) == (503, "UNAVAILABLE")
    assert (await second.answer()).body == b"/b"


async def test_who_does_not_read_an_answer_holds_no_place_with_the_next_request(
    served: ServedApplication, echo: Echo
) -> None:
    for _ in range(3):
        deaf = await served.peer()
        deaf.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a socket's transport has it
        deaf.get("/large")
        deaf.get("/large")
    await until(lambda: echo.begun.count("/large") == 6, "the second answer of each waits to be written")
    other = await served.peer()
    other.get("/a")

    assert (await other.answer()).status == 200


@with_more_addresses
async def test_where_there_is_no_room_for_a_body_whoever_sends_most_is_turned_away(echo: Echo) -> None:
    front = RequestMiddleware(echo, 10_000, 60, Requests([]))

    async def sends(address: str, size: int) -> Peer:
        peer, before = await served.peer(address), served.state.arriving_bytes
        peer.send(POST + b"Content-Length: 10000\r\n\r\n" + b"x" * size)
        await until(lambda: served.state.arriving_bytes >= before + size or served.refused[503] > 0, "it comes")
        return peer

    async with serving(front, max_body_bytes=10_000, max_arriving_bytes=25_000) as served:
        modest = await sends("127.0.0.3", 5_000)
        short, long = await sends("127.0.0.2", 7_000), await sends("127.0.0.2", 9_000)
        last = await sends("127.0.0.3", 6_000)
        refused = await long.answer()
        for peer, rest in ((modest, 5_000), (short, 3_000), (last, 4_000)):
            peer.send(b"x" * rest)
            assert (await peer.answer()).status == 200

        assert (refused.status, refused.headers["retry-after"], refused.closes) == (503, "1", True)
        assert await long.is_cut_off()
        await until(
            lambda: not any(one.arriving_bytes for one in served.state.peers.values()), "nothing is held of who is done"
        )
        assert served.state.arriving_bytes == 0


async def test_what_waits_in_pipelines_counts_as_arriving_until_its_turn(served: ServedApplication, echo: Echo) -> None:
    peer = await served.peer()
    peer.get("/held")
    peer.send(POST + b"Content-Length: 8\r\n\r\ncomplete" + HALF)
    await until(lambda: served.state.arriving_bytes == 12, "both wait")
    echo.release.set()
    answered = [(await peer.answer()).status for _ in range(2)]
    assert served.state.arriving_bytes == 4
    peer.send(b"half")

    assert [*answered, (await peer.answer()).status] == [200] * 3
    assert served.state.arriving_bytes == 0


async def test_a_head_request_refused_under_overload_has_no_body_that_spoils_the_next(
    served: ServedApplication, echo: Echo
) -> None:
    await _held(served, echo, 3)
    peer = await served.peer()
    peer.get("/a", method="HEAD")
    answer = await peer.answer()

    assert (answer.status, answer.closes) == (503, True)
    assert is_now(answer.headers["date"])
    assert await peer.is_cut_off()


async def test_a_body_that_goes_on_after_its_refusal_is_not_swallowed_for_ever(
    served: ServedApplication, echo: Echo
) -> None:
    await _held(served, echo, 3)
    peer = await served.peer()
    peer.send(POST + b"Content-Length: 100000\r\n\r\n")
    assert (await peer.answer()).status == 503
    peer.send(b"x" * 20_000)
    assert await peer.is_cut_off()


async def test_a_request_whose_client_hangs_up_is_cancelled_with_one_quiet_line(
    served: ServedApplication, echo: Echo, caplog: pytest.LogCaptureFixture, logged: Logged
) -> None:
    peer = await served.peer()
    peer.get("/held")
    await until(lambda: echo.begun == ["/held"], "the request begins")
    with caplog.at_level(logging.INFO, "http"):
        peer.hang_up()
        await until(lambda: not served.state.tasks, "the request ends")

    assert echo.cancelled == ["/held"]
    [line] = logged()
    assert (line["level"], line["status"]) == ("INFO", 499)
    assert not caplog.records, "and no traceback"


async def test_an_offer_to_speak_another_protocol_is_ignored(served: ServedApplication) -> None:
    peer = await served.peer()
    peer.get("/a", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")
    assert (await peer.answer()).body == b"/a"


async def test_draining_answers_what_is_under_way_and_what_still_arrives_and_takes_no_new_connection(
    served: ServedApplication, echo: Echo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.process.server.GRACE_SECONDS", WAIT_SECONDS)
    busy, resting, watching = [await served.peer() for _ in range(3)]
    resting.get("/a")
    assert not (await resting.answer()).closes
    busy.get("/held")
    await until(lambda: "/held" in echo.begun, "the request begins")
    served.server.should_exit = True
    await until(lambda: served.state.draining, "it drains")
    resting.get("/b")
    late = await resting.answer()
    watching.get("/health/ready")
    ready = await watching.answer()
    echo.release.set()
    held = await busy.answer()

    assert [(one.status, one.closes) for one in (held, late, ready)] == [(200, True), (200, True), (503, True)]
    assert await resting.is_cut_off()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", served.port)


async def test_an_application_that_never_closes_does_not_keep_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chassis.process.server.CLOSE_SECONDS", 0.05)
    tasks = list[asyncio.Task[Any] | None]()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        tasks.append(asyncio.current_task())
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await asyncio.Event().wait()

    async with asyncio.timeout(WAIT_SECONDS), serving(app):
        pass

    [task] = tasks
    assert task
    assert task.cancel(), "it is still running"


async def test_draining_closes_connections_that_rest_after_a_grace(served: ServedApplication) -> None:
    peer = await served.peer()
    served.server.should_exit = True
    assert await peer.is_cut_off()
