"""A gateway that keeps rows asks less, and shows nothing that is older than it may be."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from deploy.local import ROOT
from tests import builders
from tests.applications import Services
from tests.cache.conftest import FEED, HeldPaths, Keep, KeepingGateway
from tests.chassis.peers import until
from tests.gateway.live.transports import serving_gateway
from tests.issuer import Issuer, bearer
from tests.listener import Logged
from tests.websocket import WebSocketPeer

PAINEL = (ROOT / "gateway/playground/examples/1-painel.graphql").read_text()
PESSOA = "query ($id: ID!) { pessoa(id: $id) { nomePessoa } }"
PRODUTO = "query ($id: ID!) { produto(id: $id) { nomeProduto categoria { nomeCategoria } } }"
RENAME = (
    "mutation ($id: ID!, $nome: String!) { atualizarPessoa(id: $id, input: {nomePessoa: $nome}) { errors { code } } }"
)
QUERY = "/api/pessoas/query/"


async def name_of(keeping: KeepingGateway, pessoa: dict[str, Any], **headers: str) -> str | None:
    body = {"query": PESSOA, "variables": {"id": str(pessoa["id"])}}
    answer = (await keeping.client.post("/graphql", json=body, headers=headers)).json()
    assert "errors" not in answer, answer
    found: dict[str, str] | None = answer["data"]["pessoa"]
    return found["nomePessoa"] if found else None


async def rename(services: Services, pessoa: dict[str, Any], nome: str) -> None:
    """At the service itself."""
    answer = await services.pessoas.patch(f"/api/pessoas/{pessoa['id']}/", json={"nome_pessoa": nome})
    assert answer.status_code == 200


async def test_a_cold_painel_costs_four_requests_and_a_warm_one_costs_one(
    keeping: KeepingGateway, services: Services, database_urls: dict[str, str]
) -> None:
    pessoas = [(await builders.pessoa(services, f"Pessoa {n}"))["id"] for n in range(20)]
    servico, produto = await builders.servico(services), await builders.produto(services)
    rows = [(servico["id"], pessoas[n % 20], produto["id"]) for n in range(1000)]
    builders.insert_solicitacoes(database_urls["solicitacoes"], rows)
    await keeping.told()

    cold = await keeping.data(PAINEL.replace("first: 100", "first: 1000"))
    asked_cold = keeping.calls()
    warm = await keeping.data(PAINEL.replace("first: 100", "first: 1000"))

    assert sorted(asked_cold) == [
        "catalogo POST /api/produtos/query/",
        "pessoas POST /api/pessoas/query/",
        "servicos POST /api/servicos/query/",
        "solicitacoes POST /api/solicitacoes/query/",
    ]
    assert keeping.calls() == ["solicitacoes POST /api/solicitacoes/query/"]
    assert warm == cold


async def test_only_the_rows_that_are_not_there_are_read(keeping: KeepingGateway, services: Services) -> None:
    known, new = await builders.pessoa(services, "A"), await builders.pessoa(services, "B")
    await keeping.told()
    await name_of(keeping, known)
    both = f'{{ a: pessoa(id: "{known["id"]}") {{ nomePessoa }} b: pessoa(id: "{new["id"]}") {{ nomePessoa }} }}'
    keeping.calls()

    data = await keeping.data(both)

    assert data == {"a": {"nomePessoa": "A"}, "b": {"nomePessoa": "B"}}
    assert keeping.calls() == ["pessoas POST /api/pessoas/query/"]
    await keeping.data(both)
    assert keeping.calls() == []


async def test_what_changes_at_the_service_is_read_again_when_it_has_been_told(
    keeping: KeepingGateway, services: Services
) -> None:
    pessoa = await builders.pessoa(services, "Antes")
    await keeping.told()
    await name_of(keeping, pessoa)

    await rename(services, pessoa, "Depois")
    await keeping.told()

    assert (await name_of(keeping, pessoa), len(keeping.calls())) == ("Depois", 1)
    assert (await name_of(keeping, pessoa), len(keeping.calls())) == ("Depois", 0)


async def test_that_a_row_does_not_exist_is_kept_too_until_it_does(keeping: KeepingGateway, services: Services) -> None:
    pessoa = await builders.pessoa(services)
    coming = {"id": pessoa["id"] + 1}
    await keeping.told()
    await name_of(keeping, coming)
    keeping.calls()

    again, asked = await name_of(keeping, coming), keeping.calls()
    await builders.pessoa(services, "Nova")
    await keeping.told()

    assert (again, asked, await name_of(keeping, coming)) == (None, [], "Nova")


async def test_an_answer_that_was_overtaken_by_a_change_is_not_kept(
    keeping: KeepingGateway, services: Services, held: dict[str, HeldPaths]
) -> None:
    pessoa = await builders.pessoa(services, "Antes")
    await keeping.told()
    held["pessoas"].hold(QUERY)
    slow = asyncio.create_task(name_of(keeping, pessoa))
    await until(lambda: held["pessoas"].waiting == 1, "the old row is on its way")

    await rename(services, pessoa, "Depois")
    await keeping.told()
    held["pessoas"].release()

    assert (await slow, await name_of(keeping, pessoa)) == ("Antes", "Depois")


async def test_a_write_is_seen_at_once_by_whoever_asks_the_same_process(
    keeping: KeepingGateway, services: Services, held: dict[str, HeldPaths]
) -> None:
    pessoa, produto = await builders.pessoa(services, "Antes"), await builders.produto(services, "Mesa")
    await keeping.told()
    await name_of(keeping, pessoa)
    await keeping.data(PRODUTO, id=str(produto["id"]))
    held["pessoas"].hold(FEED)
    held["catalogo"].hold(FEED)

    await keeping.data(RENAME, id=str(pessoa["id"]), nome="Depois")
    await keeping.data(
        'mutation ($id: ID!) { atualizarCategoria(id: $id, input: {nomeCategoria: "Móveis"}) { errors { code } } }',
        id=str(produto["categoria"]["id"]),
    )

    assert await name_of(keeping, pessoa) == "Depois"
    shown = (await keeping.data(PRODUTO, id=str(produto["id"])))["produto"]
    assert shown == {"nomeProduto": "Mesa", "categoria": {"nomeCategoria": "Móveis"}}


async def test_a_write_is_seen_at_once_elsewhere_by_whoever_says_what_it_has_written(
    keeping: KeepingGateway, keep: Keep, services: Services, held: dict[str, HeldPaths]
) -> None:
    pessoa = await builders.pessoa(services, "Antes")
    async with keep() as other:
        await other.followed("pessoas")
        await keeping.told()
        await name_of(other, pessoa)
        held["pessoas"].hold(FEED)

        body = {"query": RENAME, "variables": {"id": str(pessoa["id"]), "nome": "Depois"}}
        written = await keeping.client.post("/graphql", json=body)
        position = written.headers["read-after"]
        without, with_it = await name_of(other, pessoa), await name_of(other, pessoa, **{"Read-After": position})
        held["pessoas"].release()

    assert position.startswith("pessoas:")
    assert (without, with_it) == ("Antes", "Depois")


async def test_a_write_over_a_websocket_is_seen_at_once_on_other_sockets_by_whoever_says_so(
    services: Services, held: dict[str, HeldPaths]
) -> None:
    pessoa = await builders.pessoa(services, "Antes")

    async def ask(socket: WebSocketPeer, query: str, extensions: Any = None, **variables: str) -> Any:
        payload = {"query": query, "variables": {"id": str(pessoa["id"]), **variables}, "extensions": extensions}
        socket.send_json(id="1", type="subscribe", payload=payload)
        answer = (await socket.json())["payload"]
        assert (await socket.json())["type"] == "complete"
        return answer

    keeping: dict[str, Any] = {"cache": "on", "cache_staleness": 60}
    async with serving_gateway(services, **keeping) as one, serving_gateway(services, **keeping) as other:
        writing, reading = await one.socket(), await other.socket()
        services.calls.clear()
        while not services.calls or any(call.path != FEED for call in services.calls):  # until the row is kept
            services.calls.clear()
            await asyncio.sleep(0.05)
            await ask(reading, PESSOA)
        held["pessoas"].hold(FEED)

        written = (await ask(writing, RENAME, nome="Depois"))["extensions"]
        without, with_it = await ask(reading, PESSOA), await ask(reading, PESSOA, written)
        own = await ask(writing, PESSOA)
        held["pessoas"].release()

    assert written.keys() == {"readAfter"}
    shown = [one["data"]["pessoa"]["nomePessoa"] for one in (without, with_it, own)]
    assert shown == ["Antes", "Depois", "Depois"]


async def test_while_the_changes_are_not_told_every_row_is_read(keep: Keep, services: Services) -> None:
    pessoa = await builders.pessoa(services, "Antes")
    async with keep(cache_staleness=0.5) as keeping:
        await keeping.followed("pessoas")
        await name_of(keeping, pessoa)
        warm, known = (await name_of(keeping, pessoa), len(keeping.calls())), keeping.cache("pessoas")

        app = services.networks["pessoas"].app
        refused = list[str]()
        services.networks["pessoas"].app = without_feed(app, refused)
        try:
            await until(lambda: bool(refused), "no poll from before is under way")
            await until(lambda: not known.serves(None), "the changes are not known any more")
            await rename(services, pessoa, "Depois")
            keeping.calls()
            later = (await name_of(keeping, pessoa), len(keeping.calls()))
        finally:
            services.networks["pessoas"].app = app
        await until(lambda: known.serves(None), "the changes are known again")

        assert (warm[0], later) == ("Antes", ("Depois", 1))
        assert await name_of(keeping, pessoa) == "Depois"


def without_feed(app: Any, refused: list[str]) -> Any:
    """The application without its changes: it answers that it is busy, and puts the path into `refused`."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"] == FEED:
            refused.append(FEED)
            await send({"type": "http.response.start", "status": 503, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})
        else:
            await app(scope, receive, send)

    return answer


async def test_rows_of_a_service_that_cannot_be_asked_are_shown_and_named(keep: Keep, services: Services) -> None:
    pessoa, new = await builders.pessoa(services, "Antes"), await builders.pessoa(services, "Outra")
    async with keep(cache_staleness=0.5, breaker_share=0.5) as keeping:
        await keeping.followed("pessoas")
        await name_of(keeping, pessoa)
        services.cut("pessoas")
        remote = keeping.app.state.graphql.operations.remotes["pessoas"]
        for _ in range(10):
            await keeping.run(PESSOA, id=str(new["id"]))
        await until(lambda: remote.breaker.open, "the breaker is open")
        await until(lambda: keeping.cache("pessoas").age() > 1, "the changes are not known any more")

        both = f'{{ a: pessoa(id: "{pessoa["id"]}") {{ nomePessoa }} b: pessoa(id: "{new["id"]}") {{ nomePessoa }} }}'
        answer = await keeping.run(both)
        again = await keeping.client.post(
            "/graphql",
            json={"query": PESSOA, "variables": {"id": str(pessoa["id"])}},
            headers={"Read-After": f"pessoas:{'0' * 8}:99"},
        )

    assert answer["data"] == {"a": {"nomePessoa": "Antes"}, "b": None}
    assert [(one["path"], one["extensions"]["code"]) for one in answer["errors"]] == [(["b"], "UNAVAILABLE")]
    assert 2 <= answer["extensions"]["stale"]["pessoas"] <= 10
    assert "errors" in again.json(), "who wants to see his write is not shown what was before it"


@pytest.mark.parametrize(
    "value", ["pessoas", "pessoas:x", "pessoas::5", "outro:x:5", "pessoas:x:-1", "pessoas:x:5,", "x" * 2000]
)
async def test_a_position_that_is_none_is_refused(keeping: KeepingGateway, value: str) -> None:
    answer = await keeping.client.post("/graphql", json={"query": "{ __typename }"}, headers={"Read-After": value})

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert "Read-After" in answer.json()["errors"][0]["message"]


async def test_web_pages_may_send_positions_and_read_them(keep: Keep) -> None:
    origin = {"Origin": "https://app.example.com"}
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,read-after"}
    async with keep(cors_origins=("https://app.example.com",)) as keeping:
        may = await keeping.client.request("OPTIONS", "/graphql", headers=origin | asks)
        answer = await keeping.client.post("/graphql", json={"query": "{ __typename }"}, headers=origin)

    assert "read-after" in may.headers["access-control-allow-headers"].lower()
    assert "read-after" in answer.headers["access-control-expose-headers"].lower()


async def test_without_the_cache_nothing_is_followed_and_nothing_is_asked_of_writes(
    keep: Keep, services: Services
) -> None:
    pessoa = await builders.pessoa(services, "Antes")
    async with keep(cache="off") as gateway:
        body = {"query": RENAME, "variables": {"id": str(pessoa["id"]), "nome": "Depois"}}
        answer = await gateway.client.post("/graphql", json=body, headers={"Read-After": "pessoas:x:1"})
        await asyncio.sleep(0.1)

        assert (answer.status_code, "read-after" in answer.headers, gateway.app.state.graphql.operations.caches) == (
            200,
            False,
            None,
        )
        assert [call.path for call in services.calls if call.path == FEED] == []


async def test_with_tokens_but_without_one_of_its_own_a_gateway_keeps_nothing_and_says_so(
    keep: Keep, services: Services, tmp_path: Path, logged: Logged
) -> None:
    pessoa, issuer = await builders.pessoa(services), Issuer(tmp_path / "jwks.json")
    async with keep(**issuer.settings(), log_level="WARNING") as gateway:
        body = {"query": PESSOA, "variables": {"id": str(pessoa["id"])}}
        for _ in range(2):
            await gateway.client.post("/graphql", json=body, headers=bearer("pessoas:read"))

        assert gateway.calls().count("pessoas POST /api/pessoas/query/") == 2
    said = [line["message"] for line in logged() if line["level"] == "WARNING"]
    assert said == ["no rows are kept in memory: FOLLOWER_TOKEN_FILE is not set"]


async def test_a_row_in_memory_is_shown_only_to_callers_with_its_scope(
    keep: Keep, services: Services, tmp_path: Path
) -> None:
    pessoa, issuer = await builders.pessoa(services, "Antes"), Issuer(tmp_path / "jwks.json")
    (tmp_path / "token").write_text("the-services-here-want-none")
    async with keep(**issuer.settings(), follower_token_file=tmp_path / "token") as keeping:
        await keeping.followed("pessoas")
        body, shown = {"query": PESSOA, "variables": {"id": str(pessoa["id"])}}, list[Any]()
        for scopes in (("pessoas:read",), ("servicos:read",), ("pessoas:read",)):
            answer = (await keeping.client.post("/graphql", json=body, headers=bearer(*scopes))).json()
            shown.append(answer["data"]["pessoa"] or answer["errors"][0]["extensions"]["code"])

    assert shown == [{"nomePessoa": "Antes"}, "FORBIDDEN", {"nomePessoa": "Antes"}]
    assert len(keeping.calls()) == 1


async def test_in_the_metrics_stands_how_old_what_is_known_is_and_what_was_served(
    keeping: KeepingGateway, services: Services
) -> None:
    pessoa = await builders.pessoa(services)
    await keeping.told()
    for _ in range(3):
        await name_of(keeping, pessoa)

    lines = (await keeping.client.get("/metrics")).text

    age = re.search(r'^follower_age_seconds\{service="pessoas"\} (\S+)$', lines, re.M)
    assert age
    assert 0 <= float(age[1]) < 60
    assert re.search(r'^cache_rows_total\{kind="pessoa",outcome="hit",service="pessoas"\} [1-9]', lines, re.M)
    assert 'cache_inconsistencies_total{kind="pessoa",service="pessoas"} 0.0' in lines
    assert "inf" not in lines.lower().replace("+inf", "").replace("info", "")
