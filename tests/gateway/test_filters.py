"""Filters on a row's own members, on rows that its service joins, and on rows of another service; and their bounds."""

import functools
import json
from contextlib import AsyncExitStack
from typing import Any, cast

import httpx2
import pytest

from chassis.settings import read
from gateway.app import create_app
from gateway.settings import Settings
from tests import builders
from tests.applications import URL, Gateway, Services

OWNERS = ("catalogo", "pessoas", "servicos", "solicitacoes")


def asked(services: Services) -> list[str]:
    return sorted(call.service for call in services.calls)


@pytest.mark.usefixtures("many")
async def test_solicitacoes_filter_by_what_their_pessoa_and_produto_are(gateway: Gateway, services: Services) -> None:
    data = await gateway.data(
        """{ solicitacoes(first: 3, orderBy: ID_DESC, filter: {
            pessoa: {nomePessoa: {contains: "MARIA"}}, produto: {categoriaId: {eq: "1"}}
        }) { totalCount pageInfo { hasNextPage } nodes { id pessoa { nomePessoa } } } }"""
    )

    found = data["solicitacoes"]
    assert found["totalCount"] == 13
    assert found["pageInfo"] == {"hasNextPage": True}
    assert [node["id"] for node in found["nodes"]] == ["19", "18", "16"]
    assert asked(services) == ["catalogo", "pessoas", "pessoas", "solicitacoes"]


@pytest.mark.usefixtures("many")
async def test_nested_filters_combine_with_and_or_not(gateway: Gateway) -> None:
    data = await gateway.data(
        """{ solicitacoes(filter: {or: [
            {pessoa: {nomePessoa: {eq: "João Lima"}}, produto: {nomeProduto: {eq: "Mesa"}}},
            {not: {produto: {nomeProduto: {in: ["Mesa", "Cadeira"]}}}, pessoaId: {in: ["1"]}}
        ]}) { nodes { id } } }"""
    )

    assert [int(node["id"]) for node in data["solicitacoes"]["nodes"]] == [2, 5, 8, 22, 25, 28]


async def test_names_are_found_however_they_were_typed(gateway: Gateway, services: Services) -> None:
    servico = await builders.servico(services, "2ª via  do D’Ávila")
    pessoa = await builders.pessoa(services, "Jose\u0301")
    await builders.solicitacao(services, servico_id=servico["id"], pessoa_id=pessoa["id"])

    data = await gateway.data(
        """query ($decomposed: String!) {
            contains: servicos(filter: {nomeServico: {contains: " via do d'avila "}}) { nodes { id } }
            startsWith: servicos(filter: {nomeServico: {startsWith: "2a\u00a0VIA"}}) { nodes { id } }
            eq: pessoas(filter: {nomePessoa: {eq: $decomposed}}) { nodes { nomePessoa } }
            in: pessoas(filter: {nomePessoa: {in: ["José"]}}) { nodes { nomePessoa } }
            nested: solicitacoes(filter: {pessoa: {nomePessoa: {eq: $decomposed}}}) { totalCount }
        }""",
        decomposed="Jose\u0301",
    )

    found, jose = {"nodes": [{"id": str(servico["id"])}]}, {"nodes": [{"nomePessoa": "José"}]}
    assert data == {"contains": found, "startsWith": found, "eq": jose, "in": jose, "nested": {"totalCount": 1}}


async def test_a_nested_filter_that_matches_too_much_is_a_typed_error(
    gateway: Gateway, services: Services, database_urls: dict[str, str]
) -> None:
    builders.insert_pessoas(database_urls["pessoas"], (f"Pessoa {n}" for n in range(5001)))

    answer = await gateway.run('{ solicitacoes(filter: {pessoa: {nomePessoa: {contains: "pessoa"}}}) { totalCount } }')

    assert answer["data"] == {"solicitacoes": None}
    assert answer["errors"][0]["extensions"] == {"code": "LIMIT_EXCEEDED", "field": "filter.pessoa"}
    assert "solicitacoes" not in asked(services)


@pytest.mark.parametrize(
    ("filter", "found"),
    [
        ('pessoa: {nomePessoa: {startsWith: "joao"}}', range(2, 31, 3)),
        ('servico: {nomeServico: {eq: "Reparo"}}', range(1, 31)),
        ('servico: {nomeServico: {eq: "reparo"}}', []),
        ('produto: {nomeProduto: {in: ["Cadeira", "Fogão"]}}', range(11, 31)),
        ('produto: {categoriaId: {eq: "2"}}', range(21, 31)),
        ('produto: {categoria: {id: {in: ["2", "9"]}}}', range(21, 31)),
        ('produto: {categoria: {nomeCategoria: {contains: "MOV"}}}', range(1, 21)),
        ('produto: {categoria: {nomeCategoria: {contains: "MOV"}}, nomeProduto: {eq: "Mesa"}}', range(1, 11)),
        ('produto: {categoria: {not: {nomeCategoria: {eq: "Móveis"}}}}', range(21, 31)),
        ('produto: {categoria: {or: [{id: {eq: "1"}}, {nomeCategoria: {eq: "Cozinha"}}]}}', range(1, 31)),
        ('produto: {or: [{nomeProduto: {eq: "Mesa"}}, {categoria: {id: {eq: "2"}}}]}', [*range(1, 11), *range(21, 31)]),
        ('produto: {and: [{categoria: {id: {eq: "1"}}}], not: {id: {eq: "1"}}}', range(11, 21)),
    ],
)
@pytest.mark.usefixtures("many")
async def test_solicitacoes_filter_by_what_another_service_owns_in_one_call_to_it(
    gateway: Gateway, services: Services, filter: str, found: Any
) -> None:
    query = f"{{ solicitacoes(filter: {{{filter}}}) {{ totalCount nodes {{ id }} }} }}"

    data = await gateway.data(query)

    assert [int(node["id"]) for node in data["solicitacoes"]["nodes"]] == list(found)
    assert data["solicitacoes"]["totalCount"] == len(found)
    assert len(services.calls) == 2


@pytest.mark.usefixtures("many")
async def test_produtos_filter_by_their_categoria_at_the_root_and_below_it(
    gateway: Gateway, services: Services
) -> None:
    data = await gateway.data(
        """{
            produtos(filter: {categoria: {nomeCategoria: {startsWith: "moveis"}}}) { nodes { nomeProduto } }
            categorias { nodes { produtos(filter: {categoria: {nomeCategoria: {eq: "Cozinha"}}}) { totalCount } } }
        }"""
    )

    assert [node["nomeProduto"] for node in data["produtos"]["nodes"]] == ["Mesa", "Cadeira"]
    assert [node["produtos"]["totalCount"] for node in data["categorias"]["nodes"]] == [0, 1]
    assert asked(services) == ["catalogo"] * 3


@pytest.mark.usefixtures("services")
async def test_the_bound_on_a_nested_filter_is_configurable(services: Services, database_urls: dict[str, str]) -> None:
    builders.insert_pessoas(database_urls["pessoas"], ["Ana", "Bia", "Caio"])
    settings: dict[str, Any] = {f"{name}_url": network.url for name, network in services.networks.items()}
    app = create_app(Settings(**settings, filter_max_ids=2, log_level="ERROR"))
    query = "query ($f: PessoaFilter) { solicitacoes(filter: {not: {pessoa: $f}}) { totalCount } }"

    async with AsyncExitStack() as stack:
        await stack.enter_async_context(app.router.lifespan_context(app))
        transport = httpx2.ASGITransport(app)
        client = await stack.enter_async_context(httpx2.AsyncClient(transport=transport, base_url=URL.format("two")))
        two = await Gateway(client).run(query, f={"nomePessoa": {"in": ["Ana", "Caio"]}})
        three = await Gateway(client).run(query, f={})

    assert two == {"data": {"solicitacoes": {"totalCount": 0}}}
    assert three["data"] == {"solicitacoes": None}
    assert three["errors"][0]["extensions"] == {"code": "LIMIT_EXCEEDED", "field": "filter.not.pessoa"}
    assert three["errors"][0]["message"] == (
        "filter.not.pessoa: mais de 2 resultados correspondem; restrinja este filtro"
    )


@pytest.mark.parametrize("value", ["0", "5001", "muitos"])
def test_a_bound_that_is_none_stops_the_gateway_and_names_it(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    for name in OWNERS:
        monkeypatch.setenv(f"{name.upper()}_URL", URL.format(name))
    assert read(Settings).filter_max_ids == 5000
    monkeypatch.setenv("FILTER_MAX_IDS", value)

    with pytest.raises(SystemExit, match=r"^configuration error: FILTER_MAX_IDS: "):
        read(Settings)


@pytest.mark.parametrize(
    ("filter", "field", "message"),
    [
        ({"id": {"in": ["1"] * 5001}}, "filter.id.in", "foram pedidos 5001 valores; o máximo é 5000"),
        ({"pessoaId": {"in": ["1"] * 6000}}, "filter.pessoaId.in", "foram pedidos 6000 valores; o máximo é 5000"),
        (
            {"or": [{"pessoa": {"nomePessoa": {"in": ["Ana"] * 5001}}}]},
            "filter.or.0.pessoa.nomePessoa.in",
            "foram pedidos 5001 valores; o máximo é 5000",
        ),
        (
            {"or": [{"pessoa": {"nomePessoa": {"startsWith": f"{n}"}}} for n in range(100)]},
            "filter",
            "foram pedidas 301 condições; o máximo é 200",
        ),
    ],
    ids=["ids", "references", "names below", "conditions"],
)
async def test_a_filter_over_a_bound_says_what_was_asked_and_the_most(
    gateway: Gateway, services: Services, filter: dict[str, Any], field: str, message: str
) -> None:
    answer = await gateway.run("query ($f: SolicitacaoFilter) { solicitacoes(filter: $f) { totalCount } }", f=filter)

    assert answer["data"] == {"solicitacoes": None}
    assert [(error["message"], error["extensions"]) for error in answer["errors"]] == [
        (f"{field}: {message}", {"code": "LIMIT_EXCEEDED", "field": field})
    ]
    assert services.calls == []


@pytest.mark.parametrize(
    "filter",
    [
        {"or": [{"pessoa": {"nomePessoa": {"contains": f"{n}"}}} for n in range(40)]},
        functools.reduce(lambda inner, _: {"not": inner}, range(18), {"pessoa": {"id": {"eq": "1"}}}),
        {"pessoa": functools.reduce(lambda inner, _: {"not": inner}, range(19), {"id": {"eq": "1"}})},
    ],
    ids=["terms", "levels", "levels below"],
)
async def test_a_filter_that_a_service_would_refuse_is_refused_before_anybody_is_asked(
    gateway: Gateway, services: Services, filter: dict[str, Any]
) -> None:
    answer = await gateway.run("query ($f: SolicitacaoFilter) { solicitacoes(filter: $f) { totalCount } }", f=filter)

    assert [(error["message"], error["extensions"]) for error in answer["errors"]] == [
        ("filter: no máximo 200 termos e 10 níveis", {"code": "LIMIT_EXCEEDED", "field": "filter"})
    ]
    assert services.calls == []


LONG = "x" * 201
AT_MOST = "deve ter no máximo 200 caracteres"
CONTROL = "contém caracteres não permitidos"
NO_ID = "não é um id: deve ser um número inteiro positivo de até 64 bits"
AT_FAULT: list[tuple[str, dict[str, Any], str, str]] = [
    ("Pessoa", {"nomePessoa": {"contains": LONG}}, "nomePessoa.contains", AT_MOST),
    ("Pessoa", {"nomePessoa": {"startsWith": LONG}}, "nomePessoa.startsWith", AT_MOST),
    ("Pessoa", {"nomePessoa": {"eq": "a\0b"}}, "nomePessoa.eq", CONTROL),
    ("Pessoa", {"nomePessoa": {"in": ["Ana", "Bia", LONG]}}, "nomePessoa.in.2", AT_MOST),
    ("Pessoa", {"id": {"eq": "x"}}, "id.eq", NO_ID),
    ("Pessoa", {"id": {"in": ["1", "x"]}}, "id.in.1", NO_ID),
    ("Pessoa", {"and": [{}, {"or": [{"not": {"id": {"in": ["0"]}}}]}]}, "and.1.or.0.not.id.in.0", NO_ID),
    ("Produto", {"categoria": {"nomeCategoria": {"contains": LONG}}}, "categoria.nomeCategoria.contains", AT_MOST),
    ("Produto", {"categoria": {"id": {"in": ["-1"]}}}, "categoria.id.in.0", NO_ID),
    ("Produto", {"categoria": {}, "and": [{"nomeProduto": {"eq": LONG}}]}, "and.0.nomeProduto.eq", AT_MOST),
    ("Produto", {"categoriaId": {"eq": "1e3"}}, "categoriaId.eq", NO_ID),
    (
        "Solicitacao",
        {"produto": {"categoria": {"nomeCategoria": {"contains": LONG}}}},
        "produto.categoria.nomeCategoria.contains",
        AT_MOST,
    ),
    (
        "Solicitacao",
        {"or": [{}, {"pessoa": {"not": {"nomePessoa": {"startsWith": LONG}}}}]},
        "or.1.pessoa.not.nomePessoa.startsWith",
        AT_MOST,
    ),
    ("Solicitacao", {"servico": {"nomeServico": {"eq": None}}}, "servico.nomeServico.eq", "não pode ser nulo"),
]


def literal(value: Any) -> str:
    """A JSON value as GraphQL writes it."""
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value).items()
        return "{" + ", ".join(f"{name}: {literal(one)}" for name, one in members) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(literal, cast("list[Any]", value))) + "]"
    return json.dumps(value)


@pytest.mark.parametrize("as_variable", [True, False], ids=["variable", "literal"])
@pytest.mark.parametrize(("noun", "filter", "field", "message"), AT_FAULT, ids=[one[2] for one in AT_FAULT])
async def test_a_filter_at_fault_is_named_as_the_client_wrote_it_and_nobody_is_asked(
    gateway: Gateway,
    services: Services,
    noun: str,
    filter: dict[str, Any],
    field: str,
    message: str,
    as_variable: bool,
) -> None:
    plural = "solicitacoes" if noun == "Solicitacao" else f"{noun.lower()}s"
    query = f"query ($f: {noun}Filter) {{ {plural}(filter: $f) {{ totalCount }} }}"
    if as_variable:
        answer = await gateway.run(query, f=filter)
    else:
        answer = await gateway.run(f"{{ {plural}(filter: {literal(filter)}) {{ totalCount }} }}")

    assert answer["data"] == {plural: None}
    assert [(error["message"], error["extensions"]) for error in answer["errors"]] == [
        (f"filter.{field}: {message}", {"code": "BAD_USER_INPUT", "field": f"filter.{field}"})
    ]
    assert services.calls == []


async def test_what_a_service_refuses_is_named_in_camel_case_in_the_message_too(
    gateway: Gateway, services: Services
) -> None:
    """A service that is newer than the gateway may do so."""

    def disturbed(_request: httpx2.Request, _answer: httpx2.Response) -> httpx2.Response:
        error = {"field": "filter.nome_pessoa.starts_with", "code": "INVALID", "message": "não vale"}
        problem = {"code": "INVALID", "detail": "filter.nome_pessoa.starts_with: não vale", "errors": [error]}
        return httpx2.Response(422, json=problem)

    services.networks["pessoas"].disturb = disturbed

    answer = await gateway.run('{ pessoas(filter: {nomePessoa: {startsWith: "a"}}) { totalCount } }')

    [error] = answer["errors"]
    assert error["message"] == "filter.nomePessoa.startsWith: não vale"
    assert error["extensions"]["field"] == "filter.nomePessoa.startsWith"


EVERY, NONE = range(1, 31), range(0)


@pytest.mark.parametrize(
    ("filter", "found"),
    [
        ("{}", EVERY),
        ("{and: []}", EVERY),
        ("{or: []}", NONE),
        ("{not: {}}", NONE),
        ("{not: {and: []}}", NONE),
        ("{not: {or: []}}", EVERY),
        ("{id: {}}", EVERY),
        ("{id: {in: []}}", NONE),
        ("{not: {pessoaId: {in: []}}}", EVERY),
        ("{or: [{and: []}, {or: []}]}", EVERY),
        ("{and: [{and: []}, {or: []}]}", NONE),
        ("{and: [], or: []}", NONE),
        ("{pessoa: {}}", EVERY),
        ("{pessoa: {and: []}}", EVERY),
        ("{pessoa: {or: []}}", NONE),
        ("{pessoa: {nomePessoa: {in: []}}}", NONE),
        ("{pessoa: {not: {nomePessoa: {in: []}}}, and: []}", EVERY),
        ("{produto: {categoria: {}}}", EVERY),
        ("{produto: {categoria: {or: []}}}", NONE),
        ("{produto: {not: {categoria: {or: []}}, and: []}}", EVERY),
    ],
)
@pytest.mark.usefixtures("many")
async def test_an_empty_and_holds_for_every_row_and_an_empty_or_or_in_for_none(
    gateway: Gateway, filter: str, found: range
) -> None:
    data = await gateway.data(f"{{ solicitacoes(filter: {filter}) {{ totalCount nodes {{ id }} }} }}")

    assert [int(node["id"]) for node in data["solicitacoes"]["nodes"]] == list(found)
    assert data["solicitacoes"]["totalCount"] == len(found)


async def test_a_filter_at_its_bound_is_answered(gateway: Gateway, services: Services) -> None:
    row = await builders.pessoa(services)

    data = await gateway.data(
        "query ($f: PessoaFilter) { pessoas(filter: $f) { nodes { id } } }",
        f={"id": {"in": [str(row["id"] + n) for n in range(5000)]}},
    )

    assert data["pessoas"]["nodes"] == [{"id": str(row["id"])}]
