"""A long poll waits until something changes, and meanwhile costs nothing that others need."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import httpx2
import pytest

from chassis.feed import feed
from chassis.feed.metrics import FOLLOWERS
from tests import builders
from tests.applications import Services
from tests.chassis.peers import Peer, ServedApplication, until, with_more_addresses
from tests.deploy.processes import WAIT_SECONDS
from tests.feed.conftest import Serve, connect
from tests.feed.test_changes import CHANGES, position
from tests.listener import Logged


async def follower(served: ServedApplication, after: int, *headers: str, more: str = "", **address: str) -> Peer:
    """A follower that waits at `served`."""
    before = FOLLOWERS.value
    peer = await served.peer(**address)
    peer.get(f"{CHANGES}?after={after}&wait=30{more}", *headers)
    await until(lambda: FOLLOWERS.value > before, "it waits")
    return peer


async def until_ready(served: ServedApplication) -> None:
    peer = await served.peer()
    async with asyncio.timeout(WAIT_SECONDS):
        peer.get(CHANGES)
        while (await peer.answer()).status != 200:
            await asyncio.sleep(0.05)
            peer.get(CHANGES)


async def told(peer: Peer) -> dict[str, Any]:
    answer = await peer.answer()
    assert answer.status == 200, answer.body
    found: dict[str, Any] = json.loads(answer.body)
    return found


async def test_a_follower_is_told_of_a_change_whichever_process_writes_it(
    services: Services, served: ServedApplication
) -> None:
    before = await position(services.pessoas)
    elsewhere = await follower(served, before)
    row = await builders.pessoa(services)
    first = await told(elsewhere)

    here = await follower(served, first["last"])
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{served.port}") as client:
        await client.put(f"/api/pessoas/{row['id']}/", json={"nome_pessoa": "Outra"})
    second = await told(here)

    assert [(item["id"], item["op"]) for item in first["items"]] == [(row["id"], "created")]
    assert [(item["id"], item["op"]) for item in second["items"]] == [(row["id"], "updated")]
    assert (first["last"], second["last"]) == (before + 1, before + 2)


async def test_followers_at_different_positions_each_get_what_they_lack(
    services: Services, served: ServedApplication
) -> None:
    before = await position(services.pessoas)
    waiting = [await follower(served, before)]
    for n in range(1, 4):
        await builders.pessoa(services)
        assert [item["seq"] for item in (await told(waiting[-1]))["items"]] == [before + n]
        waiting.append(await follower(served, before + n))

    await builders.pessoa(services)

    assert [item["seq"] for item in (await told(waiting[-1]))["items"]] == [before + 4]


async def test_a_wait_that_ends_without_a_change_is_answered_empty_with_the_same_position(
    services: Services,
) -> None:
    before = await position(services.pessoas)

    answer = await services.pessoas.get(CHANGES, params={"after": before, "wait": 0.05})

    assert answer.status_code == 200
    assert (answer.json()["items"], answer.json()["last"]) == ([], before)


async def test_a_wait_in_vain_writes_no_line_and_every_other_does(
    services: Services, served: ServedApplication, logged: Logged, caplog: pytest.LogCaptureFixture
) -> None:
    before = await position(services.pessoas)
    caplog.set_level(logging.INFO, "http")

    await services.pessoas.get(CHANGES, params={"after": before, "wait": 0.05})
    (await follower(served, before)).hang_up()
    await until(lambda: FOLLOWERS.value == 0, "it is gone")
    told_something = await follower(served, before)
    await builders.pessoa(services)
    await told(told_something)
    await services.pessoas.get(CHANGES, params={"after": before + 1})
    await services.pessoas.get(CHANGES, params={"after": before + 2, "wait": 0.05})

    lines = [(line["message"], line["status"]) for line in logged()]
    polls, gone = (f"GET {CHANGES}", 200), (f"GET {CHANGES}", 410)
    assert sorted(lines) == sorted([("POST /api/pessoas/", 201), polls, polls, gone])


async def test_a_wait_may_last_longer_than_other_requests_unless_its_client_asks_for_less(
    services: Services, serve: Serve
) -> None:
    before = await position(services.pessoas)
    async with serve(operation_timeout=2) as served:
        await until_ready(served)  # what follows has two seconds
        waiting, hurried = await follower(served, before), await served.peer()
        hurried.get(f"{CHANGES}?after={before}&wait=30", "X-Timeout-Ms: 4100")
        soon = await told(hurried)
        await asyncio.sleep(2.1)
        row = await builders.pessoa(services)

        assert soon["items"] == []
        assert [item["id"] for item in (await told(waiting))["items"]] == [row["id"]]


async def test_who_waits_holds_no_place_among_the_requests_at_work_and_no_connection(
    services: Services, serve: Serve
) -> None:
    before = await position(services.pessoas)
    async with serve(max_concurrency=2, max_concurrency_per_address=2, database_pool_size=1) as served:
        waiting = [await follower(served, before) for _ in range(10)]
        active = served.state.active_requests
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{served.port}") as client:
            created = await client.post("/api/pessoas/", json={"nome_pessoa": "A"})

        assert (active, created.status_code) == (0, 201)
        for one in waiting:
            assert len((await told(one))["items"]) == 1


async def test_too_many_followers_are_refused_and_those_who_leave_make_room(services: Services, serve: Serve) -> None:
    before = await position(services.pessoas)
    async with serve(max_followers=4) as served:
        waiting = [await follower(served, before) for _ in range(2)]
        third = await served.peer()
        third.get(f"{CHANGES}?after={before}&wait=30")
        refused = await third.answer()
        waiting[0].hang_up()
        await until(lambda: FOLLOWERS.value == 1, "it is gone")
        await follower(served, before)

    assert (refused.status, json.loads(refused.body)["code"], refused.headers["retry-after"]) == (503, "BUSY", "1")
    assert FOLLOWERS.value == 0


@with_more_addresses
async def test_one_address_may_have_half_of_the_followers(services: Services, serve: Serve) -> None:
    before = await position(services.pessoas)
    async with serve(max_followers=4, allowed_hosts="*") as served:
        for address in ("127.0.0.1", "127.0.0.2"):
            for _ in range(2):
                await follower(served, before, address=address)
        other = await served.peer("127.0.0.3")
        other.get(f"{CHANGES}?after={before}&wait=30")

        assert (await other.answer()).status == 503


async def test_a_drain_answers_those_who_wait_at_once_and_lets_nobody_wait_any_more(
    services: Services, served: ServedApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.process.server.GRACE_SECONDS", WAIT_SECONDS)
    before = await position(services.pessoas)
    waiting, later = await follower(served, before), await served.peer()
    later.get("/health/live")
    await later.answer()

    served.server.should_exit = True
    answer = await waiting.answer()
    later.get(f"{CHANGES}?after={before}&wait=30")

    assert (answer.status, json.loads(answer.body)["items"], answer.closes) == (200, [], True)
    assert (await told(later))["items"] == []


async def test_who_would_wait_first_when_a_drain_has_begun_is_answered_at_once(
    services: Services, served: ServedApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.process.server.GRACE_SECONDS", WAIT_SECONDS)
    before = await position(services.pessoas)
    late = await served.peer()
    served.server.should_exit = True
    await until(lambda: served.state.draining, "it drains")

    late.get(f"{CHANGES}?after={before}&wait=30")

    assert (await told(late))["items"] == []


async def test_a_follower_that_waits_learns_of_another_epoch(
    services: Services, served: ServedApplication, database_urls: dict[str, str]
) -> None:
    waiting = await follower(served, await position(services.pessoas))

    with connect(database_urls["pessoas"]) as connection:
        connection.execute("UPDATE feed_head SET epoch = DEFAULT")

    answer = await waiting.answer()
    assert (answer.status, json.loads(answer.body)["code"]) == (410, "GONE")


async def test_an_answer_from_memory_does_not_claim_to_know_what_was_committed_until_it_was_asked_for(
    services: Services, served: ServedApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FRESH_SECONDS", "LINGER_SECONDS"):  # else nothing is remembered on a busy machine
        monkeypatch.setattr(feed, name, WAIT_SECONDS)
    waiting = await follower(served, await position(services.pessoas))
    await builders.pessoa(services)
    before = (await told(waiting))["last"]  # what comes after it, this process reads for all
    waiting.get(f"{CHANGES}?after={before}&wait=30")
    row = await builders.pessoa(services)
    woken = await told(waiting)

    waiting.get(f"{CHANGES}?after={before}&wait=30")
    remembered = await told(waiting)
    waiting.get(f"{CHANGES}?after={before}")
    read = await told(waiting)

    assert [[item["id"] for item in one["items"]] for one in (woken, remembered, read)] == [[row["id"]]] * 3
    assert ["as_of" in one for one in (remembered, read)] == [False, True]
