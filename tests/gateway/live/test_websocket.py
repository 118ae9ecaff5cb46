"""GraphQL over WebSockets: the subprotocol graphql-transport-ws, to the letter."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from graphql import GraphQLObjectType

from chassis.observe.meters import BoundedLabel
from chassis.request.caller import Caller
from gateway import metrics, schema
from gateway.execution.operation import Executor
from gateway.live.websocket import MAX_ID_LENGTH, MAX_OPERATIONS
from gateway.settings import Limits
from tests import builders
from tests.applications import Services
from tests.chassis.peers import until
from tests.gateway.live.transports import PESSOA, ServedGateway, serving_gateway
from tests.issuer import mint
from tests.websocket import WebSocketPeer, frame

READ = "pessoas:read"


def changes(messages: list[Any]) -> list[tuple[str, str]]:
    found: list[Any] = [one["payload"]["data"]["pessoaMudou"] for one in messages]
    return [(one["operacao"], one["id"]) for one in found]


async def test_queries_mutations_and_subscriptions_share_a_socket(services: Services, served: ServedGateway) -> None:
    socket = await served.subscribe()

    criar = 'mutation { criarPessoa(input: {nomePessoa: "Ana"}) { pessoa { id } errors { code } } }'
    socket.send_json(id="2", type="subscribe", payload={"query": criar})
    messages = [await socket.json() for _ in range(3)]

    [event] = [one for one in messages if one["id"] == "1"]
    answered = [one for one in messages if one["id"] == "2"]
    ana = answered[0]["payload"]["data"]["criarPessoa"]["pessoa"]["id"]
    assert [one["type"] for one in answered] == ["next", "complete"]
    assert event["type"] == "next"
    assert event["payload"]["data"]["pessoaMudou"]["pessoa"] == {"nomePessoa": "Ana"}
    socket.send_json(id="2", type="subscribe", payload={"query": f"{{ pessoa(id: {ana}) {{ nomePessoa }} }}"})
    assert await socket.json() == {"id": "2", "type": "next", "payload": {"data": {"pessoa": {"nomePessoa": "Ana"}}}}


async def test_an_operation_is_refused_with_its_errors_and_the_socket_stays(served: ServedGateway) -> None:
    socket = await served.socket()

    for query, variables in [
        ("{ nada }", {}),
        ("query($id: ID!) { pessoa(id: $id) { id } }", {}),
        (PESSOA, {"apos": "x"}),
    ]:
        socket.send_json(id="a", type="subscribe", payload={"query": query, "variables": variables})
        message = await socket.json()
        assert (message["id"], message["type"]) == ("a", "error")
        [error] = message["payload"]
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        assert error["message"]


async def test_a_field_that_fails_is_an_error_beside_the_data(served: ServedGateway) -> None:
    socket = await served.socket()

    socket.send_json(id="a", type="subscribe", payload={"query": "{ pessoas(first: -1) { totalCount } }"})

    message = await socket.json()
    assert message["type"] == "next"
    assert message["payload"]["data"] == {"pessoas": None}
    assert message["payload"]["errors"][0]["path"] == ["pessoas"]


SUBSCRIBE: dict[str, Any] = {"id": "1", "type": "subscribe", "payload": {"query": PESSOA}}
INIT: dict[str, Any] = {"type": "connection_init"}


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        (["x"], 4400),
        (["[]"], 4400),
        (["{}"], 4400),
        (['{"type": "next"}'], 4400),
        (['{"type": "connection_init", "type": "ping"}'], 4400),
        (['{"type": "connection_init", "payload": "x"}'], 4400),
        (["[" * 5000], 4400),
        ([json.dumps(INIT), '{"type": "subscribe", "payload": {"query": "{ __typename }"}}'], 4400),
        ([json.dumps(INIT), json.dumps(SUBSCRIBE | {"id": ""})], 4400),
        ([json.dumps(INIT), json.dumps(SUBSCRIBE | {"id": "x" * (MAX_ID_LENGTH + 1)})], 4400),
        ([json.dumps(INIT), json.dumps(SUBSCRIBE | {"id": "\ud800"})], 4400),
        ([json.dumps(INIT), json.dumps(SUBSCRIBE | {"payload": None})], 4400),
        ([json.dumps(INIT), json.dumps(SUBSCRIBE | {"payload": {"query": 1}})], 4400),
        ([json.dumps(INIT), '{"type": "complete"}'], 4400),
        ([json.dumps(SUBSCRIBE)], 4401),
        ([json.dumps(INIT), json.dumps(INIT)], 4429),
        ([json.dumps(INIT), json.dumps(SUBSCRIBE), json.dumps(SUBSCRIBE)], 4409),
    ],
)
async def test_a_client_that_breaks_the_protocol_is_told_by_the_close_code(
    served: ServedGateway, messages: list[str], code: int
) -> None:
    socket = await served.dial()

    socket.send(*map(frame, messages))

    closed, reason = await socket.closed()
    assert (closed, len(reason) > 0) == (code, True)
    await until(lambda: served.subscriptions.open_count == 0 or not socket.reader.at_eof(), "nothing is left")


@pytest.mark.parametrize("protocol", ["graphql-ws", "soap", ""])
async def test_a_client_of_another_protocol_is_told_which_one_to_use(served: ServedGateway, protocol: str) -> None:
    socket = await served.dial(protocol=protocol)

    if protocol == "graphql-ws":  # what its library shows to the program
        message = "use o subprotocolo graphql-transport-ws"
        assert await socket.json() == {"type": "connection_error", "payload": {"message": message}}
    assert await socket.closed() == (4406, "use o subprotocolo graphql-transport-ws")


async def test_a_client_that_never_says_who_it_is_is_told_so_and_cut_off(served: ServedGateway) -> None:
    socket = await served.dial()

    served.served.pass_time(11)

    assert await socket.closed() == (4408, "Connection initialisation timeout")
    served.served.pass_time(22)
    assert await socket.reader.read() == b""


async def test_pings_are_answered_with_what_they_carry(served: ServedGateway) -> None:
    socket = await served.dial()

    socket.send_json(type="ping", payload={"n": 1})
    socket.send_json(type="ping")
    socket.send_json(type="pong")

    assert await socket.json() == {"type": "pong", "payload": {"n": 1}}
    assert await socket.json() == {"type": "pong"}


async def test_a_subscription_ends_when_its_client_completes_it_or_is_gone(served: ServedGateway) -> None:
    first, second = await served.subscribe(), await served.subscribe()

    first.send_json(id="1", type="complete")
    await until(lambda: served.subscriptions.open_count == 1, "one is closed")
    second.writer.transport.abort()

    await until(lambda: served.subscriptions.open_count == 0, "the other one too")
    first.send_json(**SUBSCRIBE)  # its id is free again
    await until(lambda: served.subscriptions.open_count == 1, "it is open")


async def test_an_operation_that_its_client_no_longer_wants_is_cancelled(
    services: Services, served: ServedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()

    async def silent(*_: object) -> None:
        asked.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(services.networks["pessoas"], "app", silent)
    socket = await served.socket()

    socket.send_json(id="1", type="subscribe", payload={"query": "{ pessoas { totalCount } }"})
    await asked.wait()
    socket.send_json(id="1", type="complete")

    await until(lambda: served.served.state.active_requests == 0, "nobody works on it")


async def test_an_operation_that_is_given_up_before_it_begins_holds_no_place_at_work(served: ServedGateway) -> None:
    socket = await served.socket()

    operation = {"id": "1", "type": "subscribe", "payload": {"query": "{ posicao }"}}
    socket.send(*[frame(json.dumps(one)) for one in (operation, {"id": "1", "type": "complete"})])
    socket.send_json(id="2", type="subscribe", payload={"query": "{ posicao }"})
    answered = await socket.json()

    assert (answered["id"], answered["type"]) == ("2", "next")
    await until(lambda: served.served.state.active_requests == 0, "nobody works on it")


async def test_one_socket_has_only_so_many_operations(served: ServedGateway) -> None:
    socket = await served.socket()

    for n in range(MAX_OPERATIONS):
        socket.send_json(**SUBSCRIBE | {"id": str(n)})
        await until(lambda n=n: served.subscriptions.open_count == n + 1, "it is open")
    socket.send_json(**SUBSCRIBE | {"id": "more"})

    message = await socket.json()
    assert (message["id"], message["type"]) == ("more", "error")
    extensions = {"code": "LIMIT_EXCEEDED", "limit": "MAX_OPERATIONS", "allowed": MAX_OPERATIONS}
    assert message["payload"][0]["extensions"] == extensions


async def test_the_limits_of_requests_hold_on_a_socket_too(services: Services) -> None:
    async with serving_gateway(services, {"max_concurrency": 2}, max_cost=10, max_body_bytes=5000) as served:
        socket = await served.socket()

        socket.send_json(id="a", type="subscribe", payload={"query": "{ pessoas(first: 1000) { nodes { id } } }"})
        assert (await socket.json())["payload"][0]["extensions"]["limit"] == "MAX_COST"
        for name in "bcdef":  # in one turn of the event loop
            socket.send_json(id=name, type="subscribe", payload={"query": "{ pessoas(first: 1) { totalCount } }"})
        messages = [await socket.json() for _ in range(5)]
        refused = [one for one in messages if one["type"] == "error"]
        assert {one["payload"][0]["extensions"]["code"] for one in refused} == {"UNAVAILABLE"}
        socket.send_json(id="g", type="subscribe", payload={"query": "#" * 5001})
        assert (await socket.closed())[0] == 1009


async def test_a_restart_says_how_far_each_subscription_was_and_a_client_goes_on_from_there(
    services: Services, served: ServedGateway
) -> None:
    socket = await served.subscribe()
    ana = await builders.pessoa(services, "Ana")
    first = await socket.json()

    served.served.server.should_exit = True

    said = await socket.json()
    assert said["type"] == "ping"
    cursor = said["payload"]["cursors"]["1"]
    assert cursor == first["payload"]["data"]["pessoaMudou"]["cursor"]
    assert (await socket.closed())[0] == 1001
    bia = await builders.pessoa(services, "Bia")
    async with serving_gateway(services) as restarted:
        again = await restarted.subscribe(apos=cursor)
        missed = await again.json()
    assert changes([first, missed]) == [("CRIADA", str(ana["id"])), ("CRIADA", str(bia["id"]))]


async def test_a_token_comes_with_the_handshake_or_with_the_first_message(guarded: ServedGateway) -> None:
    token = f"Bearer {mint(READ)}"
    by_header = await guarded.dial(f"Authorization: {token}")
    by_header.send_json(type="connection_init")
    for name in ("Authorization", "authorization"):
        by_message = await guarded.dial()
        by_message.send_json(type="connection_init", payload={name: token})
        assert await by_message.json() == {"type": "connection_ack"}

    assert await by_header.json() == {"type": "connection_ack"}
    by_header.send_json(id="1", type="subscribe", payload={"query": "{ pessoas { totalCount } }"})
    assert (await by_header.json())["payload"] == {"data": {"pessoas": {"totalCount": 0}}}


@pytest.mark.parametrize(
    "payload", [{}, {"Authorization": "Bearer bad"}, {"Authorization": 1}, {"Authorization": "\n"}]
)
async def test_without_a_good_token_the_socket_is_closed(guarded: ServedGateway, payload: dict[str, Any]) -> None:
    socket = await guarded.dial()

    socket.send_json(type="connection_init", payload=payload)

    assert (await socket.closed())[0] == 4403


async def test_without_its_scope_a_subscription_is_refused(guarded: ServedGateway) -> None:
    socket = await guarded.socket(Authorization=f"Bearer {mint('catalogo:read')}")

    socket.send_json(**SUBSCRIBE)

    message = await socket.json()
    assert message["type"] == "error"
    assert message["payload"][0]["extensions"]["code"] == "FORBIDDEN"
    assert "pessoas:read" in message["payload"][0]["message"]


async def test_a_socket_ends_with_its_token_and_says_how_far_it_was(services: Services, guarded: ServedGateway) -> None:
    socket = await guarded.socket(Authorization=f"Bearer {mint(READ)}")
    [connection] = guarded.served.connections
    soon: Any = connection
    apos = await guarded.position(socket)
    soon._caller = Caller("ana", frozenset({READ}), soon._caller.token, expires=time.time() + 5)
    socket.send_json(**SUBSCRIBE | {"payload": {"query": PESSOA, "variables": {"apos": apos}}})
    await builders.pessoa(services, "Ana")
    event = await socket.json()

    said = await socket.json()

    assert said == {"type": "ping", "payload": {"cursors": {"1": event["payload"]["data"]["pessoaMudou"]["cursor"]}}}
    assert await socket.closed() == (4403, "o token expirou")


async def test_a_fault_of_ours_is_an_error_of_the_operation(
    served: ServedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(served.subscriptions, "open", broken)
    socket = await served.socket()

    socket.send_json(**SUBSCRIBE)

    message = await socket.json()
    assert message["payload"][0]["extensions"]["code"] == "INTERNAL"
    assert message["payload"][0]["extensions"]["trace_id"]


async def test_the_same_event_reaches_ids_of_any_length(services: Services, served: ServedGateway) -> None:
    sockets: list[WebSocketPeer] = []
    apos = await served.position(await served.socket())
    for name in ("a", "x" * MAX_ID_LENGTH, 'é"\\'):
        socket = await served.socket()
        socket.send_json(id=name, type="subscribe", payload={"query": PESSOA, "variables": {"apos": apos}})
        sockets.append(socket)

    await builders.pessoa(services, "Ana")
    messages = [await socket.json() for socket in sockets]

    assert [one["id"] for one in messages] == ["a", "x" * MAX_ID_LENGTH, 'é"\\']
    assert len({json.dumps(one["payload"]) for one in messages}) == 1


async def test_a_burst_reaches_ids_of_any_length_in_order(
    services: Services, served: ServedGateway, database_urls: dict[str, str]
) -> None:
    names = [f"Ana {n}" for n in range(200)]  # more than is written at once
    socket = await served.socket()
    apos = await served.position(socket)
    ids = ("a", "b", "x" * MAX_ID_LENGTH)
    for id in ids:
        socket.send_json(id=id, type="subscribe", payload={"query": PESSOA, "variables": {"apos": apos}})

    await asyncio.to_thread(builders.insert_pessoas, database_urls["pessoas"], names)
    messages = [await socket.json() for _ in range(len(ids) * len(names))]

    for id in ids:
        told = [one["payload"]["data"]["pessoaMudou"]["pessoa"]["nomePessoa"] for one in messages if one["id"] == id]
        assert told == names


@pytest.mark.parametrize(
    ("headers", "payload", "client"),
    [
        (["graphql-client-name: relatorios"], {}, "relatorios"),
        (["graphql-client-name: relatorios"], {"apollographql-client-name": "painel"}, "painel"),
        ([], {"GraphQL-Client-Name": "loja"}, "loja"),
    ],
)
async def test_the_client_program_is_known_by_its_name_as_over_http(
    served: ServedGateway, monkeypatch: pytest.MonkeyPatch, headers: list[str], payload: dict[str, str], client: str
) -> None:
    monkeypatch.setattr(metrics, "client_label", BoundedLabel(1))
    changed = schema.core(schema.build())
    pessoa = changed.type_map["Pessoa"]
    assert isinstance(pessoa, GraphQLObjectType)
    pessoa.fields["nomePessoa"].deprecation_reason = "leia outro"
    served.endpoint.operations.executor = Executor(changed, Limits())
    uses = metrics.DEPRECATED.labels("Pessoa.nomePessoa", client)
    before = uses.value

    socket = await served.dial(*headers)
    socket.send_json(type="connection_init", payload=payload)
    socket.send_json(type="ping")
    assert [(await socket.json())["type"] for _ in range(2)] == ["connection_ack", "pong"]
    socket.send_json(id="1", type="subscribe", payload={"query": "{ pessoa(id: 1) { nomePessoa } }"})

    assert (await socket.json())["type"] == "next"
    assert uses.value - before == 1
