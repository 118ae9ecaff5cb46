"""How subscriptions end: with a reason, with the cursor to go on from, and with limits that hold."""

from __future__ import annotations

import time

import httpx2
import pytest

from chassis.errors import Busy, Forbidden, Invalid, RateLimited, Unavailable
from chassis.identity.rates import RateLimit
from chassis.request.caller import Caller
from gateway.errors import code_of, formatted
from gateway.live import streams, subscription
from gateway.live.events import EventBatch
from gateway.requests import RequestError
from tests import builders
from tests.applications import Services
from tests.chassis.peers import until
from tests.gateway.live.clients import Client, LiveGateway
from tests.gateway.live.test_subscriptions import PESSOA

READS = frozenset({"pessoas:read"})


async def test_a_client_that_does_not_read_is_ended_with_its_cursor_and_then_misses_nothing(
    services: Services, live: LiveGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscription, "MAX_UNSENT_BYTES", 1000)
    slow, quick = await live.open(PESSOA), await live.open(PESSOA)
    slow.reads = False

    made = [(await builders.pessoa(services, f"Ana {n}"))["id"] for n in range(20)]
    await until(lambda: slow.ended or slow.unread > 1000, "too much waits for it")  # perhaps all in one batch
    made.append((await builders.pessoa(services, "Bia"))["id"])
    error = await slow.end_comes()
    await quick.has(21)

    assert error["extensions"] == {
        "code": "LIMIT_EXCEEDED",
        "cursor": slow.cursors[-1],
        "limit": "MAX_UNSENT_BYTES",
        "allowed": 1000,
    }
    again = await live.open(PESSOA, apos=error["extensions"]["cursor"])
    await again.has(21 - len(slow.events))
    assert [int(one["id"]) for one in slow.changes + again.changes] == made


async def test_a_subscription_ends_with_the_token_and_the_group_goes_on_with_anothers(
    services: Services, live: LiveGateway
) -> None:
    short = Caller("ana", READS, "token of ana", expires=time.time() + 3)
    long = Caller("rui", READS, "token of rui", expires=time.time() + 3600)
    ending, staying = await live.open(PESSOA, short), await live.open(PESSOA, long)
    assert live.groups == 1

    error = await ending.end_comes()
    await builders.pessoa(services)
    await staying.has(1)

    assert error["extensions"]["code"] == "UNAUTHENTICATED"
    assert error["extensions"]["cursor"] == ending.cursors[-1]
    tokens = {call.authorization for call in services.calls if call.path == "/api/pessoas/query/"}
    assert tokens == {"Bearer token of rui"}


async def test_without_the_scope_nothing_is_opened(live: LiveGateway) -> None:
    with pytest.raises(Forbidden):
        await live.open(PESSOA, Caller("ana", frozenset({"catalogo:read"}), "token"))

    assert live.endpoint.subscriptions.open_count == 0


async def test_callers_with_other_scopes_are_executed_apart(services: Services, live: LiveGateway) -> None:
    query = "subscription { pessoaMudou { pessoa { solicitacoes { totalCount } } } }"
    few = await live.open(query, Caller("ana", READS, "token of ana"))
    more = await live.open(query, Caller("rui", READS | {"solicitacoes:read"}, "token of rui"))

    await builders.pessoa(services)
    await few.has(1)
    await more.has(1)

    assert few.changes == [{"pessoa": {"solicitacoes": None}}]
    assert few.events[0]["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert more.changes == [{"pessoa": {"solicitacoes": {"totalCount": 0}}}]


async def test_a_process_that_ends_says_so_to_each_subscription(services: Services, live: LiveGateway) -> None:
    clients = [await live.open(PESSOA) for _ in range(5)]
    await builders.pessoa(services)
    for client in clients:
        await client.has(1)

    live.endpoint.subscriptions.drain()

    errors = [await client.end_comes() for client in clients]
    assert {error["extensions"]["code"] for error in errors} == {"UNAVAILABLE"}
    assert {error["extensions"]["cursor"] for error in errors} == {clients[0].cursors[0]}
    with pytest.raises(Unavailable):
        await live.open(PESSOA)


async def test_when_changes_were_missed_all_subscriptions_are_gone(services: Services, live: LiveGateway) -> None:
    client = await live.open(PESSOA)
    answers = 0

    def gone(request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
        nonlocal answers
        if request.url.path == "/api/changes/" and not answers:
            answers += 1
            return httpx2.Response(410, json={"code": "GONE", "detail": "de um teste"})
        return answer

    services.networks["pessoas"].disturb = gone

    error = await client.end_comes()
    again = await live.open(PESSOA)
    await builders.pessoa(services)
    await again.has(1)

    assert error["extensions"] == {"code": "GONE"}


async def test_a_service_that_stays_away_ends_its_subscriptions(
    services: Services, live: LiveGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "RETRY_SECONDS", 0.3)
    client, other = await live.open(PESSOA), await live.open(PESSOA)

    def fail(request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
        if request.url.path.endswith("/query/"):
            return httpx2.Response(503, json={"code": "UNAVAILABLE", "detail": "de um teste"})
        return answer

    services.networks["pessoas"].disturb = fail
    ana = (await builders.pessoa(services, "Ana"))["id"]
    error = await client.end_comes()
    await other.end_comes()
    services.networks["pessoas"].disturb = None
    again = await live.open(PESSOA, apos=error["extensions"]["cursor"])

    await again.has(1)
    assert error["extensions"]["code"] == "UNAVAILABLE"
    assert error["extensions"]["service"] == "pessoas"
    assert again.changes[0]["id"] == str(ana)


async def test_one_caller_and_all_together_have_a_limit(services: Services) -> None:
    async with LiveGateway.started(services, max_subscriptions=3, max_subscriptions_of_one=2) as live:
        clients = [await live.open(PESSOA, address="203.0.113.1") for _ in range(2)]
        with pytest.raises(Invalid) as too_many:
            await live.open(PESSOA, address="203.0.113.1")
        await live.open(PESSOA, address="203.0.113.2")
        with pytest.raises(Busy) as full:
            await live.open(PESSOA, address="203.0.113.3")
        clients[0].leave()
        await live.open(PESSOA, address="203.0.113.1")

        assert code_of(too_many.value) == "LIMIT_EXCEEDED"
        assert code_of(full.value) == "UNAVAILABLE"
        assert live.endpoint.subscriptions.open_count == 3


async def test_what_costs_too_much_is_refused(live: LiveGateway) -> None:
    query = "subscription { pessoaMudou { pessoa { %s } } }"
    connections = " ".join(f"a{n}: solicitacoes(first: 1000) {{ nodes {{ id }} }}" for n in range(60))

    with pytest.raises(RequestError) as refused:
        await live.open(query % connections)

    [error] = map(formatted, refused.value.errors)
    assert (error["extensions"]["code"], error["extensions"]["limit"]) == ("LIMIT_EXCEEDED", "MAX_COST")


async def test_a_filter_that_cannot_be_used_is_refused_before_the_first_event(live: LiveGateway) -> None:
    query = 'subscription { solicitacaoMudou(filter: {pessoaId: {eq: "x"}}) { id } }'

    with pytest.raises(RequestError) as refused:
        await live.open(query)

    [error] = map(formatted, refused.value.errors)
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "filter.pessoaId.eq"}


@pytest.mark.usefixtures("early_in_a_minute")
async def test_opening_and_each_event_are_charged_and_who_has_nothing_left_is_ended(services: Services) -> None:
    rates, ana = RateLimit("test", 10), Caller("ana", READS, "token of ana")
    async with LiveGateway.started(services, rate_limit=10) as live:
        client = await live.open(PESSOA, ana, rates=rates)  # 2: a request and a row

        for n in range(5):
            await builders.pessoa(services)
            await until(lambda n=n: client.ended or len(client.events) > n, "an event or the end")

        error = await client.end_comes()
        assert len(client.events) == 4
        assert error["extensions"]["code"] == "RATE_LIMITED"
        assert error["extensions"]["cursor"] == client.cursors[-1]
        with pytest.raises(RateLimited):
            await live.open(PESSOA, ana, rates=rates)


async def test_closing_inside_of_an_event_is_allowed(services: Services, live: LiveGateway) -> None:
    class Leaving(Client):
        def send(self, batch: EventBatch) -> None:
            super().send(batch)
            self.leave()

    leaving, staying = await live.open(PESSOA, client=Leaving()), await live.open(PESSOA)

    await builders.pessoa(services)
    await staying.has(1)
    await builders.pessoa(services)

    await staying.has(2)
    assert len(leaving.events) == 1
