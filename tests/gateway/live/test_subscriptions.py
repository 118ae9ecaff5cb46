"""What subscriptions tell, in which order, and how one goes on where another has ended."""

from __future__ import annotations

import httpx2
import pytest

from chassis.db.change_triggers import MAX_TOLD
from chassis.errors import Gone
from gateway.errors import formatted
from gateway.requests import RequestError
from tests import builders
from tests.applications import Services
from tests.chassis.peers import until
from tests.gateway.live.clients import LiveGateway

PESSOA = """
subscription Mudancas($id: ID, $apos: String) {
  pessoaMudou(id: $id, apos: $apos) { cursor operacao id pessoa { id nomePessoa } }
}"""
SOLICITACAO = """
subscription Mudancas($filter: SolicitacaoFilter, $apos: String) {
  solicitacaoMudou(filter: $filter, apos: $apos) { operacao id solicitacao { pessoaId pessoa { nomePessoa } } }
}"""


async def rename(services: Services, id: int, name: str) -> None:
    answer = await services.pessoas.put(f"/api/pessoas/{id}/", json={"nome_pessoa": name})
    assert answer.status_code == 200


async def delete(services: Services, service: str, path: str) -> None:
    assert (await services.client(service).delete(path)).status_code == 204


async def test_each_change_is_told_in_order_with_the_row_as_it_is(services: Services, live: LiveGateway) -> None:
    client = await live.open(PESSOA)

    ana = (await builders.pessoa(services, "Ana"))["id"]
    await client.has(1)
    await rename(services, ana, "Ana Maria")
    await client.has(2)
    await delete(services, "pessoas", f"/api/pessoas/{ana}/")
    await client.has(3)

    id = str(ana)
    assert [(one["operacao"], one["id"], one["pessoa"]) for one in client.changes] == [
        ("CRIADA", id, {"id": id, "nomePessoa": "Ana"}),
        ("ATUALIZADA", id, {"id": id, "nomePessoa": "Ana Maria"}),
        ("EXCLUIDA", id, None),
    ]
    assert [one["cursor"] for one in client.changes] == client.cursors
    first, second, third = client.seqs
    assert (second, third) == (first + 1, first + 2)


async def test_with_an_id_only_the_changes_of_that_row_are_told(services: Services, live: LiveGateway) -> None:
    ana, rui = [(await builders.pessoa(services, name))["id"] for name in ("Ana", "Rui")]
    client = await live.open(PESSOA, id=str(rui))

    await rename(services, ana, "Ana Maria")
    await rename(services, rui, "Rui Maria")

    await client.has(1)
    assert client.changes[0]["pessoa"] == {"id": str(rui), "nomePessoa": "Rui Maria"}


async def test_a_subscription_goes_on_after_its_cursor_and_gets_what_it_has_missed_once(
    services: Services, live: LiveGateway
) -> None:
    client = await live.open(PESSOA)
    await builders.pessoa(services, "Ana")
    await client.has(1)
    cursor = client.leave()
    missed = [(await builders.pessoa(services, f"Rui {n}"))["id"] for n in range(150)]  # more than one batch

    again = await live.open(PESSOA, apos=cursor)
    await again.has(150)
    await builders.pessoa(services, "Eva")
    await again.has(151)

    begin = client.seqs[0]
    assert again.seqs == [*range(begin + 1, begin + 152)]
    assert [int(one["id"]) for one in again.changes[:150]] == missed


async def test_the_id_of_the_last_event_goes_before_the_argument(services: Services, live: LiveGateway) -> None:
    first = await live.open(PESSOA)
    await builders.pessoa(services)
    await builders.pessoa(services)
    await first.has(2)

    again = await live.open(PESSOA, last_event_id=first.cursors[1], apos=first.cursors[0])
    await builders.pessoa(services)

    await again.has(1)
    assert again.seqs == [first.seqs[1] + 1]


async def test_posicao_leads_from_a_query_to_its_subscription_without_a_gap(
    services: Services, live: LiveGateway
) -> None:
    begun = await live.query("{ posicao pessoas(first: 1) { totalCount } }")
    await builders.pessoa(services, "Ana")
    await builders.pessoa(services, "Rui")

    client = await live.open(PESSOA, apos=begun["posicao"])

    await client.has(2)
    assert [one["pessoa"]["nomePessoa"] for one in client.changes] == ["Ana", "Rui"]


async def test_posicao_is_known_before_anything_else_is_read(services: Services, live: LiveGateway) -> None:
    await live.query("{ pessoas(first: 1) { totalCount } posicao }")

    paths = [call.path for call in services.calls]
    assert paths[:4] == ["/api/changes/"] * 4
    assert "/api/changes/" not in paths[4:]


async def test_a_filter_lets_matching_rows_pass_and_takes_away_what_changes_to_match_no_more(
    services: Services, live: LiveGateway
) -> None:
    ana, rui = [(await builders.pessoa(services, name))["id"] for name in ("Ana", "Rui")]
    client = await live.open(SOLICITACAO, filter={"pessoa": {"id": {"eq": str(ana)}}})

    of_ana = (await builders.solicitacao(services, pessoa_id=ana))["id"]
    await client.has(1)
    of_rui = (await builders.solicitacao(services, pessoa_id=rui))["id"]
    answer = await services.solicitacoes.patch(
        f"/api/solicitacoes/{of_ana}/",
        json={"pessoa_id": rui},
        headers={"content-type": "application/merge-patch+json"},
    )
    assert answer.status_code == 200
    await client.has(2)
    await delete(services, "solicitacoes", f"/api/solicitacoes/{of_rui}/")
    await client.has(3)

    assert client.changes == [
        {
            "operacao": "CRIADA",
            "id": str(of_ana),
            "solicitacao": {"pessoaId": str(ana), "pessoa": {"nomePessoa": "Ana"}},
        },
        {"operacao": "ATUALIZADA", "id": str(of_ana), "solicitacao": None},
        {"operacao": "EXCLUIDA", "id": str(of_rui), "solicitacao": None},
    ]


async def test_a_produto_changes_with_its_categorias_name(services: Services, live: LiveGateway) -> None:
    moveis = (await builders.categoria(services, "Móveis"))["id"]
    mesa = (await builders.produto(services, "Mesa", moveis))["id"]
    query = "subscription { produtoMudou { operacao id produto { categoria { nomeCategoria } } } }"
    client = await live.open(query)

    await services.catalogo.put(f"/api/categorias/{moveis}/", json={"nome_categoria": "Mobília"})

    await client.has(1)
    shown = {"categoria": {"nomeCategoria": "Mobília"}}
    assert client.changes == [{"operacao": "ATUALIZADA", "id": str(mesa), "produto": shown}]


async def test_a_produto_is_told_its_categorias_name_however_many_produtos_have_it(
    services: Services, live: LiveGateway, database_urls: dict[str, str]
) -> None:
    """The feed tells only the categoria where more than 1,000 produtos have it."""
    moveis, others = [(await builders.categoria(services, nome))["id"] for nome in ("Móveis", "Outros")]
    mesa = (await builders.produto(services, "Mesa", moveis))["id"]
    builders.insert_produtos(database_urls["catalogo"], [(f"Cadeira {n}", moveis) for n in range(MAX_TOLD)])
    [produto, only_ids] = [
        f"subscription($apos: String) {{ produtoMudou(id: {mesa}, apos: $apos) {{ operacao id {row} }} }}"
        for row in ("produto { categoria { nomeCategoria } }", "")
    ]
    clients = [await live.open(query) for query in (produto, only_ids)]
    assert clients[0].handle
    begin = clients[0].handle.cursor

    await services.catalogo.put(f"/api/categorias/{others}/", json={"nome_categoria": "Diversos"})
    await services.catalogo.put(f"/api/categorias/{moveis}/", json={"nome_categoria": "Mobília"})
    for client in clients:
        await client.has(1)
    late = await live.open(produto, apos=begin)
    await late.has(1)

    told = {"operacao": "ATUALIZADA", "id": str(mesa)}
    assert clients[0].changes == [told | {"produto": {"categoria": {"nomeCategoria": "Mobília"}}}]
    assert clients[1].changes == [told]
    assert (late.texts, late.seqs) == (clients[0].texts, clients[0].seqs)


async def test_who_asks_the_same_gets_the_same_text_which_is_read_once(services: Services, live: LiveGateway) -> None:
    clients = [await live.open(PESSOA, address=f"203.0.113.{n}") for n in range(20)]
    late = await live.open(PESSOA, apos=clients[0].handle.cursor if clients[0].handle else None)
    services.calls.clear()

    await builders.pessoa(services)
    for client in [*clients, late]:
        await client.has(1)

    assert len({id(client.texts[0]) for client in [*clients, late]}) == 1
    assert [str(call) for call in services.calls if call.path != "/api/changes/"] == [
        "pessoas POST /api/pessoas/query/"
    ]


async def test_an_event_without_the_row_reads_nothing(services: Services, live: LiveGateway) -> None:
    client = await live.open("subscription { pessoaMudou { id } }")
    services.calls.clear()

    await builders.pessoa(services)
    await client.has(1)

    assert {call.path for call in services.calls} <= {"/api/changes/"}


async def test_what_cannot_be_read_below_the_row_is_null_with_an_error(
    services: Services, live: LiveGateway, database_urls: dict[str, str]
) -> None:
    client = await live.open(SOLICITACAO)
    services.cut("pessoas")

    builders.insert_solicitacoes(database_urls["solicitacoes"], [(1, 2, 3)])
    await client.has(1)

    assert client.changes[0]["solicitacao"] == {"pessoaId": "2", "pessoa": None}
    [error] = client.events[0]["errors"]
    assert error["path"] == ["solicitacaoMudou", "solicitacao", "pessoa"]
    assert error["extensions"] == {"code": "UNAVAILABLE", "service": "pessoas"}


async def test_an_event_waits_for_a_service_that_is_away_for_a_moment(services: Services, live: LiveGateway) -> None:
    client = await live.open(PESSOA)
    failures = 0

    def fail_twice(request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
        nonlocal failures
        if request.url.path.endswith("/query/") and failures < 2:
            failures += 1
            return httpx2.Response(503, json={"code": "UNAVAILABLE", "detail": "de um teste"})
        return answer

    services.networks["pessoas"].disturb = fail_twice
    await builders.pessoa(services, "Ana")
    await builders.pessoa(services, "Rui")

    await client.has(2)
    assert failures == 2
    assert [one["pessoa"]["nomePessoa"] for one in client.changes] == ["Ana", "Rui"]


@pytest.mark.parametrize("apos", ["", "1", "pessoas:7f0c6d1e-9d6b-4c3a-8a51-2f6f0b9d3c11", "x" * 20_000, "pessoas:x:1"])
async def test_what_is_no_position_is_refused_by_name(live: LiveGateway, apos: str) -> None:
    with pytest.raises(RequestError) as refused:
        await live.open(PESSOA, apos=apos)

    [error] = map(formatted, refused.value.errors)
    assert error["message"] == "apos: não é um cursor de uma mudança, nem uma posicao"
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "apos"}
    assert error["path"] == ["pessoaMudou"]
    assert live.endpoint.subscriptions.open_count == 0


@pytest.mark.parametrize(
    "apos", ["pessoas:7f0c6d1e-9d6b-4c3a-8a51-2f6f0b9d3c11:1", "catalogo:7f0c6d1e-9d6b-4c3a-8a51-2f6f0b9d3c11:1"]
)
async def test_a_position_of_another_epoch_or_of_other_services_is_gone(live: LiveGateway, apos: str) -> None:
    with pytest.raises(Gone):
        await live.open(PESSOA, apos=apos)

    assert live.endpoint.subscriptions.open_count == 0


async def test_a_position_beyond_the_last_change_is_gone(services: Services, live: LiveGateway) -> None:
    client = await live.open(PESSOA)
    service, epoch, seq = client.leave().split(":")

    with pytest.raises(Gone):
        await live.open(PESSOA, apos=f"{service}:{epoch}:{int(seq) + 1000}")


async def test_a_group_is_given_up_when_its_last_member_leaves(services: Services, live: LiveGateway) -> None:
    first, second = await live.open(PESSOA), await live.open(PESSOA)
    assert live.groups == 1

    first.leave()
    await builders.pessoa(services)
    await second.has(1)
    second.leave()

    await until(lambda: live.groups == 0, "the group is given up")
    assert first.events == []
    assert live.endpoint.subscriptions.open_count == 0
