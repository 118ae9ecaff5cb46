"""GraphQL over server-sent events, in distinct connections mode."""

from __future__ import annotations

import asyncio
import json

import pytest

from chassis.process.long_connection import BEAT_SECONDS
from tests import builders
from tests.applications import Services
from tests.chassis.peers import until
from tests.deploy.processes import WAIT_SECONDS
from tests.gateway.live.transports import PESSOA, ServedGateway, serving_gateway
from tests.issuer import mint

QUERY = {"query": "{ pessoas { totalCount } }"}
BOTH = "application/graphql-response+json, application/json, text/event-stream, multipart/mixed"
"""What urql sends with every request."""


async def position(served: ServedGateway) -> str:
    answer = await served.ask({"query": "{ posicao }"}, accept="application/json")
    found: str = (await answer.json())["data"]["posicao"]
    return found


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("accept", ["text/event-stream", BOTH, "*/*"])
async def test_a_subscription_is_a_stream_whose_events_have_their_cursor_as_id(
    services: Services, served: ServedGateway, method: str, accept: str
) -> None:
    stream = await served.ask({"query": PESSOA}, method=method, accept=accept)
    began = await stream.chunk()
    ana = await builders.pessoa(services, "Ana")
    fields = await stream.event()

    assert stream.status == 200
    assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert stream.headers["cache-control"] == "no-store"
    assert stream.headers["connection"] == "close"
    assert began.startswith("retry: 1000\nid: pessoas:")
    told = json.loads(fields["data"])["data"]["pessoaMudou"]
    assert fields["event"] == "next"
    assert told == {
        "cursor": fields["id"],
        "operacao": "CRIADA",
        "id": str(ana["id"]),
        "pessoa": {"nomePessoa": "Ana"},
    }


@pytest.mark.parametrize("accept", [BOTH, "*/*", "application/json;q=0.1, text/event-stream"])
async def test_a_query_is_json_if_its_client_takes_that_at_all(served: ServedGateway, accept: str) -> None:
    answer = await served.ask(QUERY, accept=accept)

    assert "json" in answer.headers["content-type"]
    assert await answer.json() == {"data": {"pessoas": {"totalCount": 0}}}


async def test_a_query_is_a_stream_of_one_event_if_its_client_takes_nothing_else(served: ServedGateway) -> None:
    answer = await served.ask(QUERY)

    result = json.dumps({"data": {"pessoas": {"totalCount": 0}}}, separators=(",", ":"))
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert await answer.chunk() == f"event: next\ndata: {result}\n\nevent: complete\ndata: \n\n"


@pytest.mark.parametrize("accept", ["application/json", 'multipart/mixed;subscriptionSpec="1.0", application/json'])
async def test_a_client_that_takes_no_events_is_told_what_to_use(served: ServedGateway, accept: str) -> None:
    answer = await served.ask({"query": PESSOA}, accept=accept)

    [error] = (await answer.json())["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert "graphql-transport-ws" in error["message"]
    assert "text/event-stream" in error["message"]


async def test_a_request_that_is_wrong_is_told_by_an_event_or_as_json_by_what_its_client_takes(
    served: ServedGateway,
) -> None:
    wrong = {"query": PESSOA, "variables": {"apos": "nada"}}

    by_event, as_json = await served.ask(wrong), await served.ask(wrong, accept=BOTH)

    first, last = (await by_event.chunk()).strip("\n").split("\n\n")
    assert (by_event.status, last) == (200, "event: complete\ndata: ")
    assert json.loads(first.removeprefix("event: next\ndata: "))["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert as_json.status == 400
    assert (await as_json.json())["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_the_last_event_id_goes_before_apos(services: Services, served: ServedGateway) -> None:
    begin = await position(served)
    await builders.pessoa(services, "Ana")
    await builders.pessoa(services, "Bia")
    asked = {"query": PESSOA, "variables": {"apos": begin}}
    first = await served.ask(asked)
    ana = await first.event()

    again = await served.ask(asked, f"Last-Event-ID: {ana['id']}")

    assert (await again.told())["pessoa"] == {"nomePessoa": "Bia"}


async def test_a_restart_ends_a_stream_without_complete_and_it_goes_on_without_a_gap(
    services: Services, served: ServedGateway
) -> None:
    stream = await served.ask({"query": PESSOA, "variables": {"apos": await position(served)}})
    await builders.pessoa(services, "Ana")
    told = await stream.event()

    served.served.server.should_exit = True

    last = await stream.chunk()
    assert last == f"id: {told['id']}\n\n"
    assert await stream.chunk() == ""
    assert await stream.ends()
    await builders.pessoa(services, "Bia")
    async with serving_gateway(services) as restarted:
        again = await restarted.ask({"query": PESSOA}, f"Last-Event-ID: {told['id']}")
        assert (await again.told())["pessoa"] == {"nomePessoa": "Bia"}


async def test_a_heartbeat_says_how_far_the_stream_is(services: Services, served: ServedGateway) -> None:
    stream = await served.ask({"query": 'subscription { pessoaMudou(id: "999999999") { cursor } }'})
    began = (await stream.chunk()).removeprefix("retry: 1000\n")
    await builders.pessoa(services, "Ana")  # it is told to nobody here

    said, passed = began, 0.0
    while said == began:  # until the gateway has heard of the change
        passed += BEAT_SECONDS + 1
        served.served.pass_time(passed)
        said = await stream.chunk()
    feed, _, number = began.removesuffix("\n\n").rpartition(":")
    assert said == f"{feed}:{int(number) + 1}\n\n"


async def test_a_stream_whose_client_is_gone_is_closed(served: ServedGateway) -> None:
    stream = await served.ask({"query": PESSOA})
    await stream.chunk()
    assert served.subscriptions.open_count == 1

    await served.served.stop()

    await until(lambda: served.subscriptions.open_count == 0, "nothing is left")


async def test_a_stream_needs_a_token_with_the_scope_of_its_service(guarded: ServedGateway) -> None:
    def token(*scopes: str) -> str:
        return f"Authorization: Bearer {mint(*scopes)}"

    none = await guarded.ask({"query": PESSOA})
    other = await guarded.ask({"query": PESSOA}, token("catalogo:read"))
    other_json = await guarded.ask({"query": PESSOA}, token("catalogo:read"), accept=BOTH)
    good = await guarded.ask({"query": PESSOA}, token("pessoas:read"))

    assert (none.status, (await none.json())["errors"][0]["extensions"]["code"]) == (401, "UNAUTHENTICATED")
    assert other.status == 200
    assert '"code":"FORBIDDEN"' in await other.chunk()
    assert (other_json.status, (await other_json.json())["errors"][0]["extensions"]["code"]) == (403, "FORBIDDEN")
    assert good.status == 200
    assert (await good.chunk()).startswith("retry")


async def test_a_head_request_opens_no_stream(served: ServedGateway) -> None:
    answer = await served.ask({"query": PESSOA}, method="HEAD")

    assert answer.status == 405
    assert served.subscriptions.open_count == 0


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_the_single_connection_mode_is_refused(served: ServedGateway, method: str) -> None:
    answer = await served.ask(None, method=method)

    assert answer.status == 405
    assert answer.headers["allow"] == "get, head, options, post"
    assert "abra uma conexão para cada operação" in (await answer.json())["detail"]


async def test_each_event_of_a_burst_has_an_id_of_its_own(
    services: Services, served: ServedGateway, database_urls: dict[str, str]
) -> None:
    names = [f"Ana {n}" for n in range(200)]  # more than is written at once
    stream = await served.ask({"query": PESSOA, "variables": {"apos": await position(served)}})

    await asyncio.to_thread(builders.insert_pessoas, database_urls["pessoas"], names)
    events = [await stream.event() for _ in names]

    told = [json.loads(one["data"])["data"]["pessoaMudou"] for one in events]
    assert [one["pessoa"]["nomePessoa"] for one in told] == names
    assert [one["cursor"] for one in told] == [one["id"] for one in events]


async def test_a_stream_that_is_the_first_to_open_when_a_drain_has_begun_is_ended_so_that_its_client_comes_back(
    served: ServedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.process.server.GRACE_SECONDS", WAIT_SECONDS)
    peer = await served.served.peer()
    served.served.server.should_exit = True
    await until(lambda: served.served.state.draining, "it drains")

    stream = await served.ask({"query": PESSOA}, peer=peer)

    assert stream.status == 200
    assert await stream.chunk() == "retry: 1000\n" + (last := await stream.chunk())
    assert last.startswith("id: pessoas:")
    assert await stream.chunk() == ""
