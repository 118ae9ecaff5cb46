"""The changes as server-sent events."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import sys
from typing import Any

import pytest

from chassis.feed.metrics import FOLLOWERS
from tests import builders
from tests.applications import Services
from tests.chassis.peers import Peer, ServedApplication, until, with_more_addresses
from tests.deploy.processes import WAIT_SECONDS
from tests.feed.conftest import Serve, connect
from tests.feed.test_changes import CHANGES, position
from tests.feed.test_waiting import follower, told
from tests.scraped import scrape

EVENTS = "Accept: text/event-stream"


class Stream:
    """The events of one answer, in the order in which they arrive."""

    def __init__(self, peer: Peer) -> None:
        self._peer, self._lines = peer, b""
        self.id = ""

    @classmethod
    async def open(cls, served: ServedApplication, *headers: str, query: str = "", **address: str) -> Stream:
        peer = await served.peer(**address)
        peer.get(f"{CHANGES}{query}", EVENTS, *headers)
        async with asyncio.timeout(WAIT_SECONDS):
            head = await peer.reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        assert b"content-type: text/event-stream" in head
        return cls(peer)

    async def event(self) -> dict[str, Any]:
        """The next event with data; `id` is what its client would send as Last-Event-ID."""
        while True:
            fields = dict(line.split(": ", 1) for line in (await self._block()).splitlines() if ": " in line)
            self.id = fields.get("id", self.id)
            if "data" in fields:
                found: dict[str, Any] = json.loads(fields["data"])
                return found

    async def begins(self) -> str:
        """The id with which the stream begins."""
        block = await self._block()
        self.id = block.partition("id: ")[2]
        return self.id

    async def comment(self) -> str:
        """The next block, which has neither data nor an id."""
        block = await self._block()
        assert block.startswith(":"), block
        return block

    async def ends(self) -> bool:
        async with asyncio.timeout(WAIT_SECONDS):
            while size := await self._peer.reader.readline():
                if size == b"0\r\n":
                    return True
        return True

    async def _block(self) -> str:
        async with asyncio.timeout(WAIT_SECONDS):
            while b"\n\n" not in self._lines:
                size = int(await self._peer.reader.readline(), 16)
                assert size, "the stream has ended"
                self._lines += (await self._peer.reader.readexactly(size + 2))[:size]
        block, _, self._lines = self._lines.partition(b"\n\n")
        return block.decode()

    def hang_up(self) -> None:
        self._peer.hang_up()


async def test_a_stream_tells_what_happens_from_now_on_with_ids_to_go_on_from(
    services: Services, served: ServedApplication
) -> None:
    stream = await Stream.open(served)
    await stream.begins()
    rows = [await builders.pessoa(services) for _ in range(3)]

    events = [await stream.event() for _ in rows]

    assert [(event["id"], event["op"]) for event in events] == [(row["id"], "created") for row in rows]
    assert stream.id.endswith(f":{events[-1]['seq']}")


async def test_a_stream_is_resumed_after_the_last_event_that_was_read(
    services: Services, served: ServedApplication
) -> None:
    first = await Stream.open(served)
    begin = await first.begins()
    rows = [await builders.pessoa(services) for _ in range(3)]
    await first.event()
    first.hang_up()

    second = await Stream.open(served, f"Last-Event-ID: {first.id}", query="?after=0")
    again = await Stream.open(served, f"Last-Event-ID: {begin}")

    assert [(await second.event())["id"] for _ in range(2)] == [row["id"] for row in rows[1:]]
    assert [(await again.event())["id"] for _ in range(3)] == [row["id"] for row in rows]


async def test_a_client_that_was_never_told_anything_can_resume_too(
    services: Services, served: ServedApplication
) -> None:
    stream = await Stream.open(served)
    begin = await stream.begins()
    stream.hang_up()
    row = await builders.pessoa(services)

    resumed = await Stream.open(served, f"Last-Event-ID: {begin}")

    assert (await resumed.event())["id"] == row["id"]


async def test_a_drain_and_another_epoch_end_streams_and_who_leaves_is_forgotten(
    services: Services, serve: Serve, database_urls: dict[str, str]
) -> None:
    async with serve(max_concurrency=1) as served:
        leaving, ending, draining = [await Stream.open(served) for _ in range(3)]
        assert served.state.active_requests == 0
        leaving.hang_up()
        await until(lambda: FOLLOWERS.value == 2, "who leaves is forgotten")
        with connect(database_urls["pessoas"]) as connection:
            connection.execute("UPDATE feed_head SET epoch = DEFAULT")
        assert await ending.ends()
        assert await draining.ends()
        draining = await Stream.open(served)
        served.server.should_exit = True
        assert await draining.ends()


@pytest.mark.parametrize("accept", ["application/json", "*/*", "", "application/json, text/event-stream"])
async def test_json_is_the_answer_unless_events_are_wanted_more(services: Services, accept: str) -> None:
    answer = await services.pessoas.get(CHANGES, headers={"Accept": accept})

    assert answer.headers["content-type"] == "application/json"


async def test_ids_that_lead_no_further_or_are_none_are_refused_before_the_stream(services: Services) -> None:
    def ask(id: str) -> Any:
        return services.pessoas.get(CHANGES, headers={"Accept": "text/event-stream", "Last-Event-ID": id})

    gone, wrong = await ask("7f0c6d1e-9d6b-4c3a-8a51-2f6f0b9d3c11:1"), await ask("x:1")

    assert (gone.status_code, gone.json()["code"]) == (410, "GONE")
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "Last-Event-ID")
    assert (await services.pessoas.get("/api/pessoas/", headers={"Accept": "text/event-stream"})).status_code == 406


async def test_a_stream_that_nobody_reads_is_cut_off(
    services: Services, serve: Serve, database_urls: dict[str, str]
) -> None:
    after = await position(services.pessoas)
    with connect(database_urls["pessoas"]) as connection:  # so many that no operating system takes all of them
        connection.execute(
            "INSERT INTO pessoa (nome_pessoa, nome_busca) SELECT 'A', 'a' FROM generate_series(1, 60000)"
        )
    before = FOLLOWERS.value
    async with serve() as served:
        peer = await served.peer()
        peer.get(f"{CHANGES}?after={after}", EVENTS)
        await until(
            lambda: any(one.unread_bytes > 64 * 1024 for one in served.connections),
            "the stream waits for its reader",
        )
        assert FOLLOWERS.value == before + 1

        served.pass_time(11)

        await until(lambda: FOLLOWERS.value == before, "the stream has ended")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends connections whose peer takes nothing")
async def test_a_stream_is_ended_when_its_reader_takes_nothing_more_however_little_waits(
    services: Services, serve: Serve, database_urls: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.process.server.STALLED_SECONDS", 1.0)
    after = await position(services.pessoas)
    with connect(database_urls["pessoas"]) as connection:  # so few that nothing of it waits in our process
        connection.execute("INSERT INTO pessoa (nome_pessoa, nome_busca) SELECT 'A', 'a' FROM generate_series(1, 300)")
    before = FOLLOWERS.value
    async with serve() as served:
        with socket.socket() as mute:
            mute.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            mute.connect(("127.0.0.1", served.port))
            mute.sendall(f"GET {CHANGES}?after={after} HTTP/1.1\r\nHost: localhost\r\n{EVENTS}\r\n\r\n".encode())
            await until(lambda: FOLLOWERS.value == before + 1, "the stream begins")
            assert not any(one.unread_bytes for one in served.connections)

            await until(lambda: FOLLOWERS.value == before, "the stream has ended")


async def test_a_stream_whose_reader_comes_late_and_is_far_behind_gets_everything_in_order(
    services: Services, served: ServedApplication, database_urls: dict[str, str]
) -> None:
    after, count = await position(services.pessoas), 60000
    with connect(database_urls["pessoas"]) as connection:
        connection.execute(
            "INSERT INTO pessoa (nome_pessoa, nome_busca) SELECT 'A', 'a' FROM generate_series(1, %s)", [count]
        )
    peer, received = await served.peer(), bytearray()
    peer.get(f"{CHANGES}?after={after}", EVENTS)
    await until(lambda: any(one.unread_bytes > 64 * 1024 for one in served.connections), "it waits for its reader")

    await builders.pessoa(services)
    async with asyncio.timeout(WAIT_SECONDS):
        while b":%d\ndata" % (after + count + 1) not in received[-(2**17) :]:
            received += await peer.reader.read(2**16)

    seqs = [int(seq) for seq in re.findall(rb":(\d+)\ndata", received)]
    assert seqs == list(range(after + 1, after + count + 2))


async def test_a_client_of_http_1_0_gets_the_events_without_chunks(
    services: Services, served: ServedApplication
) -> None:
    peer = await served.peer()
    peer.send(f"GET {CHANGES} HTTP/1.0\r\n{EVENTS}\r\n\r\n".encode())
    async with asyncio.timeout(WAIT_SECONDS):
        head = await peer.reader.readuntil(b"\r\n\r\n")
        begin = await peer.reader.readuntil(b"\n\n")
        row = await builders.pessoa(services)
        event = await peer.reader.readuntil(b"\n\n")

    assert b"transfer-encoding" not in head
    assert begin.startswith(b"retry: 1000\nid: ")
    assert json.loads(event.partition(b"data: ")[2])["id"] == row["id"]


async def test_a_stream_ends_after_some_minutes_so_that_its_client_shows_its_token_again(
    served: ServedApplication,
) -> None:
    stream = await Stream.open(served)

    served.pass_time(400)

    assert await stream.ends()


async def test_a_stream_without_changes_sends_comments_that_move_no_position(
    services: Services, served: ServedApplication
) -> None:
    stream = await Stream.open(served)
    begin = await stream.begins()

    for n in range(3):
        served.pass_time(16 * (n + 1))
    comments = [await stream.comment() for _ in range(3)]
    row = await builders.pessoa(services)

    assert (comments, stream.id) == ([":"] * 3, begin)
    assert (await stream.event())["id"] == row["id"]


async def test_streams_and_long_polls_share_one_bound_and_one_more_is_told_to_come_again(
    services: Services, serve: Serve
) -> None:
    before = await position(services.pessoas)
    async with serve(max_followers=4) as served:
        stream, _ = await Stream.open(served), await follower(served, before)
        third = await served.peer()
        third.get(CHANGES, EVENTS)
        refused = await third.answer()
        stream.hang_up()
        await until(lambda: FOLLOWERS.value == 1, "it is gone")
        await Stream.open(served)

    assert (refused.status, json.loads(refused.body)["code"], refused.headers["retry-after"]) == (503, "BUSY", "1")
    assert refused.headers["content-type"] == "application/problem+json"


async def test_streams_and_long_polls_that_wait_are_no_requests_at_work(
    services: Services, served: ServedApplication
) -> None:
    before = await position(services.pessoas)
    stream = await Stream.open(served)
    poll = await follower(served, before)

    found = await scrape(services.pessoas)
    await builders.pessoa(services)
    await told(poll)
    await stream.event()
    afterwards = await scrape(services.pessoas)

    assert found.value("http_requests_in_progress") == afterwards.value("http_requests_in_progress") == 1  # the scrape


async def test_the_last_event_goes_before_the_parameters_with_which_a_stream_began_and_is_nothing_to_a_long_poll(
    services: Services, served: ServedApplication
) -> None:
    before = await position(services.pessoas)
    rows = [await builders.pessoa(services) for _ in range(2)]
    stream = await Stream.open(served, query=f"?after={before}")
    await stream.event()
    began_elsewhere = f"?after={before + 1000}&epoch=7f0c6d1e-9d6b-4c3a-8a51-2f6f0b9d3c11"

    resumed = await Stream.open(served, f"Last-Event-ID: {stream.id}", query=began_elsewhere)
    polled = await services.pessoas.get(CHANGES, params={"after": before}, headers={"Last-Event-ID": stream.id})

    assert (await resumed.event())["id"] == rows[1]["id"]
    assert [item["id"] for item in polled.json()["items"]] == [row["id"] for row in rows]


@with_more_addresses
async def test_where_all_connections_are_taken_those_at_rest_give_way_before_streams(
    services: Services, serve: Serve
) -> None:
    async with serve(max_connections=8) as served:
        streams = [await Stream.open(served, address="127.0.0.2") for _ in range(4)]
        at_rest = [await served.peer("127.0.0.3") for _ in range(3)]
        await served.peer()
        newcomer = Peer(*await asyncio.open_connection("127.0.0.1", served.port))
        newcomer.get("/health/live")

        assert (await newcomer.answer()).status == 200
        await until(lambda: sum(peer.reader.at_eof() for peer in at_rest) == 1, "one is closed")
        row = await builders.pessoa(services)
        assert [(await stream.event())["id"] for stream in streams] == [row["id"]] * 4
        newcomer.hang_up()
