"""Our own follower tells its listeners every change once and in order, or says that some may be missing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from chassis.errors import Gone
from chassis.neighbours.follower import FeedPosition, Follower, RowChange, followers
from chassis.neighbours.remote import Remote
from chassis.settings import NeighbourSettings
from tests import builders
from tests.applications import Services
from tests.chassis.peers import until
from tests.feed.conftest import connect
from tests.neighbours import remote

EPOCH = "7f0c6d1e-9d6b-4c3a-8a51-2f6f0b9d3c11"


class Told:
    """A listener that keeps what it is told."""

    def __init__(self) -> None:
        self.changes: list[RowChange] = []
        self.positions: list[FeedPosition] = []
        self.losses = 0

    def changed(self, changes: Sequence[RowChange], position: FeedPosition) -> None:
        self.changes += changes
        self.positions.append(position)

    def lost(self) -> None:
        self.losses += 1

    @property
    def rows(self) -> list[tuple[str, int, str]]:
        return [(change.kind, change.id, change.op) for change in self.changes]


@pytest_asyncio.fixture
async def calling(services: Services) -> AsyncIterator[Remote]:
    async with Remote(
        "pessoas", services.networks["pessoas"].url, NeighbourSettings(breaker_share=0, neighbour_timeout=30)
    ) as made:
        yield made


@pytest_asyncio.fixture
async def following(calling: Remote) -> AsyncIterator[Follower]:
    """A follower of pessoas."""
    async with Follower(calling, lambda: None, wait=0.1) as made:
        yield made


async def test_each_change_is_told_once_and_in_order(services: Services, following: Follower) -> None:
    listener = Told()
    following.listen(listener)
    await until(lambda: bool(listener.positions), "it has begun")
    begin = listener.positions[0]

    rows = [await builders.pessoa(services) for _ in range(5)]
    await services.pessoas.delete(f"/api/pessoas/{rows[0]['id']}/")

    await until(lambda: len(listener.changes) == 6, "all are told")
    assert listener.rows == [*[("pessoa", row["id"], "created") for row in rows], ("pessoa", rows[0]["id"], "deleted")]
    assert [change.seq for change in listener.changes] == [*range(begin.seq + 1, begin.seq + 7)]
    assert listener.positions[-1] == following.position == (begin.epoch, begin.seq + 6)


async def test_nobody_is_asked_before_somebody_listens_and_after_the_last_listener_has_left(
    services: Services, calling: Remote
) -> None:
    async with Follower(calling, lambda: None, wait=30) as following:
        await asyncio.sleep(0.2)
        before = len(services.calls)
        leave = following.listen(Told())
        await until(lambda: len(services.calls) == 2, "it has its position, and waits for a change")

        leave()
        await asyncio.sleep(0.3)

        assert (before, len(services.calls)) == (0, 2)
        assert (following.position, following.age()) == (None, float("inf"))


async def test_what_was_missed_is_read_again_and_joins_with_what_is_told(
    services: Services, following: Follower
) -> None:
    missed_from = await following.current()
    missed = [await builders.pessoa(services) for _ in range(3)]
    listener = Told()
    following.listen(listener)
    await until(lambda: bool(listener.positions), "it has begun")
    live = await builders.pessoa(services)
    await until(lambda: bool(listener.changes), "the last one is told")

    first, position = await following.after(missed_from, limit=2)
    second, position = await following.after(position)

    joined = [*first, *second[:1], *listener.changes]
    assert [change.id for change in joined] == [*[row["id"] for row in missed], live["id"]]
    assert position == following.position


async def test_another_epoch_is_told_as_a_loss_and_the_following_begins_anew(
    services: Services, following: Follower, database_urls: dict[str, str]
) -> None:
    listener = Told()
    following.listen(listener)
    await until(lambda: bool(listener.positions), "it has begun")
    begin = listener.positions[0]

    with connect(database_urls["pessoas"]) as restored:
        restored.execute("UPDATE feed_head SET epoch = gen_random_uuid()")
    await until(lambda: len(listener.positions) == 2, "it has begun anew")
    row = await builders.pessoa(services)
    await until(lambda: bool(listener.changes), "it goes on")

    assert (listener.losses, listener.positions[1].epoch != begin.epoch) == (1, True)
    assert listener.rows == [("pessoa", row["id"], "created")]
    with pytest.raises(Gone):
        await following.after(begin)


async def test_the_age_grows_while_the_service_is_away_and_nothing_is_missed_meanwhile(
    services: Services, following: Follower
) -> None:
    listener = Told()
    following.listen(listener)
    await until(lambda: following.age() < 0.5, "it knows that it has missed nothing")

    services.cut("pessoas")
    await until(lambda: following.age() > 0.6, "no poll of before still waits")
    row = await builders.pessoa(services)
    await until(lambda: following.age() > 0.9, "it knows nothing")
    told_meanwhile = listener.rows.copy()
    services.networks["pessoas"].cut = False
    await until(lambda: following.age() < 0.5, "it knows again")

    assert (told_meanwhile, listener.rows, listener.losses) == ([], [("pessoa", row["id"], "created")], 0)


def scripted_feed(*answers: dict[str, Any] | int) -> tuple[Callable[[httpx2.Request], httpx2.Response], list[str]]:
    """A script that gives these answers, then the last one for ever; and the queries and tokens that came."""
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(f"{request.url.query.decode()} {request.headers.get('authorization', '')}".strip())
        found = answers[min(len(asked), len(answers)) - 1]
        if isinstance(found, int):
            return httpx2.Response(found, json={"code": "GONE" if found == 410 else "UNAVAILABLE"})
        return httpx2.Response(200, json={"items": [], "epoch": EPOCH, **found})

    return answer, asked


def told(*numbers: int) -> list[dict[str, Any]]:
    return [{"seq": n, "kind": "pessoa", "id": 100 + n, "op": "updated", "at": "2026-01-01T00:00:00Z"} for n in numbers]


COMPLETE = {"as_of": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"items": told(7), "last": 7},
        {"items": told(6, 8), "last": 8},
        {"items": told(6), "last": 7},
        {"items": [], "last": 4},
        {"items": told(6), "last": 6, "epoch": "8f0c6d1e-9d6b-4c3a-8a51-2f6f0b9d3c11"},
        {"items": [{"seq": 6}], "last": 6},
        503,
    ],
    ids=["begins late", "gap", "missing at the end", "goes back", "another epoch", "not a change", "refused"],
)
async def test_an_answer_that_does_not_go_on_exactly_is_not_told(scripted: None, wrong: dict[str, Any] | int) -> None:
    script, asked = scripted_feed({"last": 5, **COMPLETE}, wrong, wrong, {"items": told(6), "last": 6, **COMPLETE})
    following = Follower(remote(script, breaker_share=0), lambda: None, wait=0.01)
    listener = Told()

    following.listen(listener)
    await until(lambda: bool(listener.changes), "it goes on")
    await following.__aexit__()

    assert (listener.rows[0], listener.positions[:2]) == (("pessoa", 106, "updated"), [(EPOCH, 5), (EPOCH, 6)])
    assert [query.split("&")[0] for query in asked[:4]] == ["", "after=5", "after=5", "after=5"]


async def test_after_an_answer_that_is_not_complete_the_next_poll_does_not_wait(scripted: None) -> None:
    script, asked = scripted_feed(
        {"last": 5, **COMPLETE}, {"items": told(6), "last": 6}, {"last": 6, **COMPLETE}, {"last": 6, **COMPLETE}
    )
    following = Follower(remote(script, breaker_share=0), lambda: None, wait=0.01)

    following.listen(Told())
    await until(lambda: len(asked) >= 4, "it has asked four times")
    await following.__aexit__()

    assert ["wait" in query for query in asked[:4]] == [False, True, False, True]


async def test_the_token_is_read_again_from_its_file(scripted: None, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    script, asked = scripted_feed({"last": 5, **COMPLETE})
    calling = remote(script, breaker_share=0)
    [following] = followers({"pessoas": calling}, NeighbourSettings(follower_token_file=file), wait=0.01).values()

    following.listen(Told())
    await until(lambda: bool(asked), "it asks")
    file.unlink()  # as while it is replaced
    before = len(asked)
    await until(lambda: len(asked) > before, "it asks on")
    file.write_text("second\n")
    await until(lambda: asked[-1].endswith("Bearer second"), "it asks with the new one")
    await following.__aexit__()

    assert {query[query.index("Bearer") :] for query in asked} == {"Bearer first", "Bearer second"}


async def test_it_goes_on_when_the_file_has_held_what_is_no_token(scripted: None, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("half of one\nand of another")
    script, asked = scripted_feed({"last": 5, **COMPLETE})
    calling = remote(script, breaker_share=0)
    [following] = followers({"pessoas": calling}, NeighbourSettings(follower_token_file=file), wait=0.01).values()

    following.listen(Told())
    await asyncio.sleep(0.05)
    file.write_text("whole\n")
    await until(lambda: bool(asked), "it asks")
    await following.__aexit__()

    assert asked[0].endswith("Bearer whole")


async def test_a_listener_that_fails_is_a_loss_for_all_since_nobody_knows_what_it_has_missed(scripted: None) -> None:
    class Faulty(Told):
        def changed(self, changes: Sequence[RowChange], position: FeedPosition) -> None:
            super().changed(changes, position)
            if self.losses == 0 and changes:
                raise ValueError("a fault")

    script, asked = scripted_feed(
        {"last": 5, **COMPLETE}, {"items": told(6), "last": 6, **COMPLETE}, {"last": 6, **COMPLETE}
    )
    following = Follower(remote(script, breaker_share=0), lambda: None, wait=0.01)
    listeners = [Told(), Faulty(), Told()]

    for one in listeners:
        following.listen(one)
    await until(lambda: len(listeners[0].positions) == 3 and len(asked) >= 4, "it has begun anew and goes on")
    await following.__aexit__()

    assert [one.losses for one in listeners] == [1, 1, 1]
    assert [one.positions[-1] for one in listeners] == [(EPOCH, 6)] * 3
    assert [query.split("&")[0] for query in asked[:4]] == ["", "after=5", "", "after=6"]
