"""Rows in memory, without a service behind them: what drops them, what they cost, and how they are audited."""

from __future__ import annotations

import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from operator import attrgetter
from typing import Any

import httpx2
import msgspec
import pytest
import pytest_asyncio

from chassis.neighbours.follower import Follower, RowChange
from chassis.neighbours.row_cache import AUDITED, MAX_DROPS, Caches, KindOfRow, RowCache
from chassis.neighbours.transport import Answer
from chassis.settings import NeighbourSettings
from tests.chassis.peers import until
from tests.neighbours import remote

EPOCH = "7f0c6d1e-9d6b-4c3a-8a51-2f6f0b9d3c11"


class Categoria(msgspec.Struct, frozen=True):
    id: int
    nome: str


class Produto(msgspec.Struct, frozen=True):
    id: int
    nome: str
    categoria: Categoria


def feed(request: httpx2.Request) -> httpx2.Response:
    """A service in which nothing changes."""
    return httpx2.Response(200, json={"items": [], "last": 5, "epoch": EPOCH, "as_of": "2026-01-01T00:00:00Z"})


Make = Callable[..., Awaitable[Caches]]


@pytest_asyncio.fixture
async def make(scripted: None) -> AsyncIterator[Make]:
    """Makes the memory for the rows of a catalogo in which nothing changes."""
    following: list[Follower] = []

    async def caches(**settings: Any) -> Caches:
        calling = remote(feed, "catalogo", breaker_share=0)
        following.append(Follower(calling, lambda: None, wait=0.05))
        kinds = [
            KindOfRow("catalogo", "produto", {"categoria": attrgetter("categoria.id")}),
            KindOfRow("catalogo", "categoria"),
        ]
        given = NeighbourSettings.model_validate({"cache_staleness": 60} | settings)
        made = Caches(kinds, {"catalogo": calling}, {"catalogo": following[-1]}, given)
        service = made.services["catalogo"]
        await until(lambda: service.serves(None), "its changes are known")
        return made

    yield caches
    for one in following:
        await one.__aexit__()


def produto(id: int, categoria: int = 1, nome: str = "Mesa") -> Produto:
    return Produto(id, nome, Categoria(categoria, "Móveis"))


def store(cache: RowCache, *rows: Any, ticket: int | None = None, head: bytes = b"") -> None:
    answer = Answer(200, msgspec.json.encode(rows), head)
    ticket = cache.owner.ticket if ticket is None else ticket
    cache.store(ticket, [row.id for row in rows], {row.id: row for row in rows}, answer)


def kept(cache: RowCache, *ids: int) -> list[int]:
    return sorted(cache.serve(ids, None).rows)


def changed(cache: RowCache, kind: str, id: int) -> None:
    position = cache.owner.follower.position
    assert position
    cache.owner.changed([RowChange(position.seq + 1, kind, id, "updated")], position)


async def test_a_change_drops_its_row_and_the_rows_that_show_it(make: Make) -> None:
    cache = (await make()).of("catalogo", "produto")
    store(cache, produto(1, 10), produto(2, 10), produto(3, 11), produto(4, 11))

    changed(cache, "produto", 3)
    changed(cache, "categoria", 10)

    assert kept(cache, 1, 2, 3, 4) == [4]


async def test_an_answer_to_a_question_from_before_a_change_is_not_kept_where_the_change_concerns_it(
    make: Make,
) -> None:
    cache = (await make()).of("catalogo", "produto")
    before = cache.owner.ticket
    changed(cache, "produto", 1)
    changed(cache, "categoria", 10)

    store(cache, produto(1, 11), produto(2, 10), produto(3, 11), ticket=before)

    assert kept(cache, 1, 2, 3) == [3]


async def test_an_answer_to_a_question_from_before_more_changes_than_are_remembered_is_not_kept(make: Make) -> None:
    cache = (await make()).of("catalogo", "produto")
    before = cache.owner.ticket
    for id in range(1000, 1000 + MAX_DROPS + 1):
        changed(cache, "produto", id)

    store(cache, produto(1), ticket=before)
    store(cache, produto(2))

    assert kept(cache, 1, 2) == [2]


@pytest.mark.parametrize("lose", ["loss", "another beginning", "a kind that nobody knows"])
async def test_when_changes_may_have_been_missed_nothing_is_kept(make: Make, lose: str) -> None:
    cache = (await make()).of("catalogo", "produto")
    store(cache, produto(1))
    before, position = cache.owner.ticket, cache.owner.follower.position
    assert position

    if lose == "loss":
        cache.owner.lost()
    elif lose == "another beginning":
        cache.owner.changed([], position)
    else:
        changed(cache, "marca", 7)
    store(cache, produto(2), ticket=before)

    assert kept(cache, 1, 2) == []


async def test_a_service_that_calls_an_answer_private_switches_its_kind_off(make: Make) -> None:
    caches = await make()
    cache, categorias = caches.of("catalogo", "produto"), caches.of("catalogo", "categoria")
    store(cache, produto(1))

    store(cache, produto(2), head=b"HTTP/1.1 200 OK\r\nCache-Control: max-age=5, Private\r\n\r\n[]")
    store(cache, produto(3))
    store(categorias, Categoria(1, "Móveis"))

    assert (kept(cache, 1, 2, 3), kept(categorias, 1)) == ([], [1])


async def test_the_rows_that_were_not_used_for_longest_go_first_and_all_fit_into_their_memory(make: Make) -> None:
    caches = await make(cache_bytes=1_000_000, cache_staleness=60)
    cache = caches.of("catalogo", "produto")
    nomes = ["Mesa", "é" * 100, "😀" * 100]
    tracemalloc.start()
    for id in range(1, 20_000):
        store(cache, produto(id, id % 50, nomes[id % 3] + str(id)))
        kept(cache, 7)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    memory = caches.memory
    assert kept(cache, 7, 8, 19_999) == [7, 19_999]
    assert 300 < len(cache) < 5000
    assert (memory.young <= 500_000, memory.old <= 500_000) == (True, True)
    assert grown < 1_000_000 + 200 * MAX_DROPS


async def test_what_is_dropped_needs_no_memory(make: Make) -> None:
    caches = await make()
    cache = caches.of("catalogo", "produto")
    for id in range(1, 100):
        store(cache, produto(id, id % 5))
    store(cache, produto(1), produto(2))

    for id in range(1, 50):
        changed(cache, "produto", id)
    for id in range(5):
        changed(cache, "categoria", id)

    assert (len(cache), caches.memory.young, caches.memory.old) == (0, 0, 0)


async def test_rows_that_are_dropped_again_and_again_need_no_memory_either(make: Make) -> None:
    cache = (await make()).of("catalogo", "produto")

    def come_and_go(first: int) -> None:
        for id in range(first, first + 2 * MAX_DROPS):
            store(cache, produto(id, id % 5))
            changed(cache, "produto", id)

    come_and_go(1)  # as many drops as are remembered
    tracemalloc.start()
    come_and_go(1 + 2 * MAX_DROPS)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert grown < 200 * MAX_DROPS


async def test_one_of_many_rows_is_read_again_and_a_wrong_one_is_counted_and_dropped(make: Make) -> None:
    cache = (await make()).of("catalogo", "produto")
    right, wrong = produto(1, nome="Certa"), produto(2, nome="Errada")
    store(cache, right, wrong)
    asked: list[int] = []

    async def read(id: int) -> Produto:
        asked.append(id)
        return produto(id, nome="Certa")

    before = cache.meters.audits.value, cache.meters.inconsistencies.value
    for id in (1, 2):
        for _ in range(AUDITED):
            cache.audit(cache.serve((id,), None).rows, read)
        await until(lambda id=id: cache.meters.audits.value == before[0] + id, "it was compared")

    assert asked == [1, 2]
    assert cache.meters.inconsistencies.value == before[1] + 1
    assert kept(cache, 1, 2) == [1]


async def test_a_memory_that_is_too_small_for_any_row_keeps_hardly_one(make: Make) -> None:
    caches = await make(cache_bytes=1)
    cache = caches.of("catalogo", "produto")

    store(cache, *(produto(id) for id in range(1, 50)))

    assert len(cache) <= 2
