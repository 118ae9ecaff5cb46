"""How many requests an operation costs, counted at the services: one for each resource and level, whatever the rows."""

import gc
import json
import weakref

import httpx2
import pytest

from gateway.loaders import Loaders
from gateway.schema.fields import resource_of
from gateway.schema.pessoas import Pessoa
from tests import builders
from tests.applications import Applications, Gateway, Services


def asked(services: Services) -> list[str]:
    return sorted(call.service for call in services.calls)


async def test_reverse_edges_of_a_page_of_parents_cost_one_call(
    gateway: Gateway, services: Services, many: list[int]
) -> None:
    data = await gateway.data(
        """{ pessoas { nodes { id solicitacoes(first: 2, orderBy: ID_DESC) {
            totalCount pageInfo { hasNextPage } nodes { id produto { nomeProduto categoria { nomeCategoria } } }
        } } } }"""
    )

    found = [node["solicitacoes"] for node in data["pessoas"]["nodes"]]
    assert [[int(node["id"]) for node in one["nodes"]] for one in found] == [[28, 25], [29, 26], [30, 27]]
    assert all(one["totalCount"] == 10 and one["pageInfo"]["hasNextPage"] for one in found)
    assert asked(services) == ["catalogo", "pessoas", "solicitacoes"]


@pytest.mark.usefixtures("many")
async def test_every_reverse_edge_goes_back(gateway: Gateway) -> None:
    data = await gateway.data(
        """{
            categorias { nodes { produtos { nodes { nomeProduto solicitacoes { totalCount } } } } }
            servicos { nodes { solicitacoes { totalCount } } }
        }"""
    )

    produtos = [
        [(node["nomeProduto"], node["solicitacoes"]["totalCount"]) for node in categoria["produtos"]["nodes"]]
        for categoria in data["categorias"]["nodes"]
    ]
    assert produtos == [[("Mesa", 10), ("Cadeira", 10)], [("Fogão", 10)]]
    assert data["servicos"]["nodes"] == [{"solicitacoes": {"totalCount": 30}}]


def nested(path: str, own: str = "id") -> str:
    """`a.b` as `a { nodes { id b { nodes { id } } } }`: plurals are connections, the others links."""
    name, _, rest = path.partition(".")
    below = f"{own} {nested(rest)}" if rest else own
    return f"{name}(first: 20) {{ nodes {{ {below} }} }}" if name.endswith("s") else f"{name} {{ {below} }}"


@pytest.mark.parametrize(
    ("path", "calls"),
    [
        ("solicitacoes.produto.categoria.produtos", ["solicitacoes", "catalogo", "catalogo"]),
        (
            "solicitacoes.produto.categoria.produtos.solicitacoes",
            ["solicitacoes", "catalogo", "catalogo", "solicitacoes"],
        ),
        ("solicitacoes.pessoa.solicitacoes.servico", ["solicitacoes", "pessoas", "solicitacoes", "servicos"]),
        ("pessoas.solicitacoes.produto.categoria", ["pessoas", "solicitacoes", "catalogo"]),
        ("pessoas.solicitacoes.servico.solicitacoes", ["pessoas", "solicitacoes", "servicos", "solicitacoes"]),
        ("servicos.solicitacoes.pessoa.solicitacoes", ["servicos", "solicitacoes", "pessoas", "solicitacoes"]),
        ("categorias.produtos.solicitacoes.pessoa", ["catalogo", "catalogo", "solicitacoes", "pessoas"]),
        ("produtos.categoria.produtos.solicitacoes", ["catalogo", "catalogo", "solicitacoes"]),
    ],
)
@pytest.mark.usefixtures("many")
async def test_each_level_of_nesting_costs_one_call(
    gateway: Gateway, services: Services, path: str, calls: list[str]
) -> None:
    data = await gateway.data(f"{{ {nested(path)} }}")

    assert asked(services) == sorted(calls)
    assert json.dumps(data).count('"id"') > 30, "there are rows at every level"
    assert "null" not in json.dumps(data)


async def test_three_levels_cost_the_same_for_a_thousand_parents(
    gateway: Gateway, services: Services, database_urls: dict[str, str]
) -> None:
    builders.insert_pessoas(database_urls["pessoas"], (f"Pessoa {n}" for n in range(1000)))
    produto = await builders.produto(services)
    builders.insert_solicitacoes(database_urls["solicitacoes"], [(1, 1 + n, produto["id"]) for n in range(1000)])
    services.calls.clear()

    data = await gateway.data(
        """{ pessoas(first: 1000) { nodes { solicitacoes(first: 3) {
            totalCount nodes { produto { nomeProduto categoria { nomeCategoria } } }
        } } } }"""
    )

    assert asked(services) == ["catalogo", "pessoas", "solicitacoes"]
    assert [one["solicitacoes"]["totalCount"] for one in data["pessoas"]["nodes"]] == [1] * 1000


def ids_read(services: Services) -> list[tuple[str, list[int]]]:
    """Records from now on the collection and the ids of each bulk read, in the order in which they arrive."""
    found: list[tuple[str, list[int]]] = []

    def note(request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
        body = json.loads(request.content or b"{}")
        if "ids" in body:
            found.append((request.url.path.split("/")[2], sorted(body["ids"])))
        return answer

    for network in services.networks.values():
        network.disturb = note
    return found


@pytest.mark.usefixtures("many")
async def test_one_id_asked_for_in_several_places_and_at_several_times_is_fetched_once(
    gateway: Gateway, services: Services
) -> None:
    """`solicitacao(3)` refers to pessoa 3; so do its produto's solicitacoes, two reads later, and two of the roots."""
    found = ids_read(services)

    data = await gateway.data(
        """{
            a: solicitacao(id: 3) { pessoa { id nomePessoa } produto { solicitacoes { nodes { pessoa { id } } } } }
            b: solicitacao(id: 3) { pessoa { nomePessoa } servico { id } }
            c: pessoa(id: 3) { nomePessoa }
            d: pessoa(id: 3) { id }
            solicitacoes(first: 4) { nodes { id pessoa { nomePessoa } } }
        }"""
    )

    read = [(resource, id) for resource, ids in found for id in ids]
    assert sorted(set(read)) == sorted(read)
    assert {id for resource, id in read if resource == "pessoas"} == {1, 2, 3}
    assert data["a"]["pessoa"] == {"id": "3", "nomePessoa": "Mária Dias"}
    assert data["c"] == data["b"]["pessoa"] == {"nomePessoa": "Mária Dias"}


@pytest.mark.usefixtures("many")
async def test_an_id_whose_read_failed_is_not_asked_for_again(gateway: Gateway, services: Services) -> None:
    tried: list[str] = []

    def fail(request: httpx2.Request, _answer: httpx2.Response) -> httpx2.Response:
        tried.append(request.url.path)
        raise httpx2.ReadTimeout("late by a test")

    services.networks["pessoas"].disturb = fail

    answer = await gateway.run(
        "{ pessoa(id: 3) { id } solicitacao(id: 3) { pessoa { id } } outra: solicitacao(id: 6) { pessoa { id } } }"
    )

    assert answer["data"] == {"pessoa": None, "solicitacao": {"pessoa": None}, "outra": {"pessoa": None}}
    assert [error["path"] for error in answer["errors"]] == [["pessoa"], ["solicitacao", "pessoa"], ["outra", "pessoa"]]
    assert len(tried) == 1


async def test_a_request_that_has_ended_leaves_nothing_to_the_garbage_collector(
    applications: Applications, services: Services
) -> None:
    loaders = Loaders(applications.gateway_app.state.graphql.operations.remotes)
    await loaders.rows(resource_of(Pessoa), {1}, batched=False)
    await loaders.rows(resource_of(Pessoa), {1}, batched=True)
    await loaders.row(resource_of(Pessoa), 1)
    await loaders.page(resource_of(Pessoa), {"first": 1})
    remains = weakref.ref(loaders)
    gc.disable()
    try:
        loaders.cancel_reads()
        del loaders
        assert remains() is None
    finally:
        gc.enable()
