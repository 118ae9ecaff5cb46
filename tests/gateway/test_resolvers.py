"""Ordinary Strawberry resolvers on the gateway's types: what they are given, what they cost, and how they fail."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from graphql import GraphQLSchema
from graphql.execution.values import VariableValues

from chassis.errors import Forbidden
from chassis.request import context, deadline
from chassis.request.caller import Caller
from gateway.context import Context
from gateway.execution.operation import NO_VARIABLES, Executor
from gateway.execution.own_types import SchemaError
from gateway.execution.picture import picture
from gateway.loaders import Loaders
from gateway.settings import Limits
from tests import builders
from tests.applications import Applications, Gateway, Services
from tests.gateway.extended import SchemaSource
from tests.gateway.test_painel import PAINEL


@pytest.fixture
async def extended(
    extended_schema: GraphQLSchema, applications: Applications, gateway: Gateway
) -> AsyncIterator[Gateway]:
    """The gateway, serving the extended schema."""
    operations = applications.gateway_app.state.graphql.operations
    before, operations.executor = operations.executor, Executor(extended_schema, Limits())
    yield gateway
    operations.executor = before


def asked(services: Services) -> list[str]:
    return sorted(call.service for call in services.calls)


def cost(schema: GraphQLSchema, text: str, **variables: Any) -> int:
    executor = Executor(schema, Limits())
    document = executor.prepare(text)
    assert not document.errors, document.errors
    return executor.compiled(document, document.operation(None), VariableValues({}, variables)).cost(variables)


# -- what the documents show -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [1, 100, 1000])
async def test_what_resolvers_load_for_a_whole_page_is_one_call(
    extended: Gateway, services: Services, database_urls: dict[str, str], first: int
) -> None:
    builders.insert_pessoas(database_urls["pessoas"], (f"Ana Lima {n}" for n in range(1100)))
    produto, servico = await builders.produto(services), await builders.servico(services)
    rows = [(servico["id"], 1 + n % 1100, produto["id"]) for n in range(2200)]
    builders.insert_solicitacoes(database_urls["solicitacoes"], rows)
    services.calls.clear()

    data = await extended.data(
        """query ($first: Int) { pessoas(first: $first) { nodes {
            iniciais ultimaSolicitacao { id pessoaId servico { nomeServico } produto { categoria { nomeCategoria } } }
        } } }""",
        first=first,
    )

    assert asked(services) == ["catalogo", "pessoas", "servicos", "solicitacoes"]
    found = data["pessoas"]["nodes"]
    assert len(found) == first
    assert found[0] == {
        "iniciais": "AL0",
        "ultimaSolicitacao": {
            "id": "1101",
            "pessoaId": "1",
            "servico": {"nomeServico": "Reparo"},
            "produto": {"categoria": {"nomeCategoria": "Eletrônicos"}},
        },
    }


async def test_a_resolver_of_the_root_loads_and_what_it_returns_is_compiled(
    extended: Gateway, services: Services, many: list[int]
) -> None:
    data = await extended.data("{ ultimaPessoa { nomePessoa solicitacoes(first: 2) { nodes { id } } } nada }")

    expected = {"nomePessoa": "Mária Dias", "solicitacoes": {"nodes": [{"id": "3"}, {"id": "6"}]}}
    assert data == {"ultimaPessoa": expected, "nada": None}
    assert asked(services) == ["pessoas", "solicitacoes"]


def test_a_plan_shows_which_resolvers_it_calls(extended_schema: GraphQLSchema) -> None:
    executor = Executor(extended_schema, Limits())
    document = executor.prepare("{ pessoas { nodes { id iniciais ultimaSolicitacao { pessoa { nomePessoa } } } } }")

    plan = executor.compiled(document, document.operation(None), NO_VARIABLES).plan

    assert picture(plan).splitlines() == [
        '{"pessoas":%b}',
        "pessoas: reads a page of pessoas /api/pessoas/",
        '  {"nodes":%b}',
        "  nodes: for each row",
        '    {"id":"%d","iniciais":%b,"ultimaSolicitacao":%b}',
        "    iniciais: calls its resolver for each row",
        "    ultimaSolicitacao: calls its resolver for each row",
        '      {"pessoa":%b}',
        "      pessoa: reads the distinct keys of all rows from pessoas /api/pessoas/, in one go",
        '        {"nomePessoa":%b}',
    ]


def test_queries_without_such_fields_keep_their_plans(
    extended_schema: GraphQLSchema, applications: Applications
) -> None:
    drawings: list[str] = []
    for schema in (extended_schema, applications.gateway_app.state.graphql.operations.executor.schema):
        executor = Executor(schema, Limits())
        document = executor.prepare(PAINEL)
        plan = executor.compiled(document, document.operation(None), NO_VARIABLES).plan
        assert not plan.batched_paths
        drawings.append(picture(plan))

    assert drawings[0] == drawings[1] == (Path(__file__).parent / "painel_plan.txt").read_text().rstrip("\n")


# -- what a resolver is given and may return ---------------------------------------------------------------------------


@pytest.mark.usefixtures("many")
async def test_resolvers_get_arguments_self_parents_roots_and_info(extended: Gateway) -> None:
    data = await extended.data(
        """query ($m: Moldura) { pessoa(id: 1) {
            com a: com(moldura: {antes: "-", depois: ["+", "!"]}, vezes: 2, gritando: true) b: com(moldura: $m)
            peloPai pelaRaiz gritada tamanho letras calada
        } pessoas(first: 2) { nodes { calada } } }""",
        m={},
    )

    assert data["pessoa"] == {
        "com": "Maria Souza",
        "a": "-MARIA SOUZA+!-MARIA SOUZA+!",
        "b": "<Maria Souza",
        "peloPai": "Maria Souza",
        "pelaRaiz": "pelaRaiz 5000 Maria Souza",
        "gritada": "MARIA SOUZA",
        "tamanho": "LONGO",
        "letras": ["M", "a", "r"],
        "calada": [],
    }
    assert data["pessoas"]["nodes"] == [{"calada": []}, {"calada": ["a"]}]


async def test_objects_lists_connections_interfaces_and_unions_are_completed_and_compiled_below(
    extended: Gateway, services: Services, many: list[int]
) -> None:
    data = await extended.data(
        """{ pessoas(first: 3) { nodes {
            colegas { id } vizinhos { id }
            rotulo { nome dobro pessoa { id produto: solicitacoes(first: 1) { nodes { produto { nomeProduto } } } }
                outras { id nomePessoa } solicitada { pessoaId } }
            nomeado { __typename nome ... on Rotulo { pessoa { id } } ... on Vazio { motivo } }
            achado { __typename ... on Pessoa { nomePessoa } ... on Solicitacao { servicoId } }
            recentes(first: 1) { totalCount vazia nodes { id } edges { cursor doCursor node { id } } }
        } } }"""
    )

    first, second, third = data["pessoas"]["nodes"]
    assert first["colegas"] == [{"id": "2"}, {"id": "3"}]
    assert third["vizinhos"] == [None, None]
    assert second["rotulo"] == {
        "nome": "João Lima",
        "dobro": "João LimaJoão Lima",
        "pessoa": {"id": "2", "produto": {"nodes": [{"produto": {"nomeProduto": "Mesa"}}]}},
        "outras": [{"id": "2", "nomePessoa": "João Lima"}, {"id": "3", "nomePessoa": "Feita à mão"}],
        "solicitada": {"pessoaId": "2"},
    }
    assert first["nomeado"] == {"__typename": "Vazio", "nome": "vazio", "motivo": None}
    assert second["nomeado"] == {"__typename": "Rotulo", "nome": "a", "pessoa": {"id": "2"}}
    assert [one["achado"] for one in (first, second)] == [
        {"__typename": "Solicitacao", "servicoId": "1"},
        {"__typename": "Pessoa", "nomePessoa": "João Lima"},
    ]
    [edge] = first["recentes"]["edges"]
    assert first["recentes"] == {
        "totalCount": 10,
        "vazia": False,
        "nodes": [{"id": "28"}],
        "edges": [{"cursor": edge["cursor"], "doCursor": len(edge["cursor"]), "node": {"id": "28"}}],
    }
    assert len(services.calls) < 12, "whatever is loaded for three pessoas is loaded together"


async def test_rows_that_plan_and_resolvers_want_are_read_once(
    extended: Gateway, services: Services, many: list[int]
) -> None:
    ids: list[int] = []

    def note(request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
        ids.extend(json.loads(request.content or b"{}").get("ids", ()))
        return answer

    services.networks["pessoas"].disturb = note

    await extended.data("{ pessoa(id: 1) { vizinhos { id } } b: pessoa(id: 2) { nomePessoa vizinhos { id } } }")

    assert sorted(ids) == [1, 2, 3, 4]


# -- failures ----------------------------------------------------------------------------------------------------------


async def test_an_exception_is_the_error_of_that_field_alone(
    extended: Gateway, services: Services, many: list[int]
) -> None:
    answer = await extended.run("{ pessoas { nodes { id falha protegida escondida solicitacoes { totalCount } } } }")

    found = answer["data"]["pessoas"]["nodes"]
    assert [one["falha"] for one in found] == ["certa", "certa", None]
    assert [one["protegida"] for one in found] == [None, "Jo", None]
    assert all(one["solicitacoes"]["totalCount"] == 10 for one in found)
    errors = {tuple(error["path"]): error for error in answer["errors"]}
    assert errors.keys() == {
        ("pessoas", "nodes", n, name)
        for n, name in [(2, "falha"), (0, "protegida"), (2, "protegida"), (1, "escondida")]
    }
    assert errors["pessoas", "nodes", 2, "falha"]["extensions"]["code"] == "INTERNAL"
    refused = errors["pessoas", "nodes", 0, "protegida"]
    assert refused["extensions"]["code"] == "FORBIDDEN"
    assert refused["message"] == "só para ids pares"
    assert errors["pessoas", "nodes", 1, "escondida"]["extensions"]["code"] == "NOT_FOUND"
    assert "uma falha" not in json.dumps(answer)


async def test_a_null_that_is_not_allowed_makes_what_is_around_it_null(
    extended: Gateway, services: Services, database_urls: dict[str, str]
) -> None:
    builders.insert_pessoas(database_urls["pessoas"], (f"Pessoa {n}" for n in range(8)))
    builders.insert_solicitacoes(database_urls["solicitacoes"], [(1, 1 + n, 1) for n in range(8)])

    answer = await extended.run(
        """{
            pessoa(id: 5) { obrigatoria }
            certa: pessoa(id: 1) { obrigatoria proximas { id } }
            ultima: pessoa(id: 8) { id proximas { id } }
            solicitacoes { nodes { id pessoa { obrigatoria } } }
            pessoas { nodes { obrigatoria } }
        }"""
    )

    nodes = answer["data"].pop("solicitacoes")["nodes"]
    assert [one["pessoa"] is None for one in nodes] == [n in (5, 7) for n in range(1, 9)]
    assert answer["data"] == {
        "pessoa": None,
        "certa": {"obrigatoria": "certa", "proximas": [{"id": "2"}, {"id": "3"}]},
        "ultima": {"id": "8", "proximas": None},
        "pessoas": None,
    }
    assert [error["path"] for error in answer["errors"]] == [
        ["pessoa", "obrigatoria"],
        ["ultima", "proximas", 0],
        ["solicitacoes", "nodes", 4, "pessoa", "obrigatoria"],
        ["solicitacoes", "nodes", 6, "pessoa", "obrigatoria"],
        ["pessoas", "nodes", 4, "obrigatoria"],
    ]


async def test_data_is_null_if_a_root_field_that_must_not_be_null_fails(extended: Gateway) -> None:
    answer = await extended.run("{ exigida(falhar: true) pessoas { totalCount } }")

    assert answer["data"] is None
    assert [(error["path"], error["extensions"]["code"]) for error in answer["errors"]] == [(["exigida"], "INTERNAL")]


async def test_a_mutations_object_that_is_lost_is_null_without_the_rest_of_the_payload(
    extended: Gateway, services: Services, database_urls: dict[str, str]
) -> None:
    builders.insert_pessoas(database_urls["pessoas"], (f"Pessoa {n}" for n in range(4)))

    answer = await extended.run(
        """mutation { criarPessoa(input: {nomePessoa: "Quinta"}) { pessoa { obrigatoria } errors { code } quantos } }"""
    )

    assert answer["data"]["criarPessoa"] == {"pessoa": None, "errors": [], "quantos": 0}
    assert [error["path"] for error in answer["errors"]] == [["criarPessoa", "pessoa", "obrigatoria"]]


async def test_a_resolver_that_does_not_end_ends_with_the_deadline_and_with_the_request(
    tmp_path: Path, applications: Applications
) -> None:
    code = """
import asyncio

ended = []

class Query(_joined(queries)):
    ...
    @strawberry.field
    async def dorme(self) -> str | None:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            ended.append(True)
            raise
"""
    with SchemaSource(tmp_path).add(code).loaded() as schema:
        executor = Executor(schema.core(schema.build()), Limits())
        document = executor.prepare("{ dorme }")
        loaders = Loaders(applications.gateway_app.state.graphql.operations.remotes)
        began = deadline.begin(0.05)
        try:
            result = await executor.run(document, document.operation(None), None, Context(loaders))
        finally:
            deadline.end(began)
            loaders.cancel_reads()
        await asyncio.sleep(0)

    assert result.data == b'{"dorme":null}'
    assert [type(error.original_error).__name__ for error in result.errors] == ["DeadlineExceeded"]
    assert schema.ended == [True]


# -- price, limits and rights ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{ exigida }", 1 + 1),
        ("{ ultimaPessoa { id nomePessoa } }", 1 + 1),
        ("{ pessoas(first: 10) { nodes { id iniciais } } }", (1 + 10) + (1 + 10)),
        ("{ pessoas(first: 10) { nodes { ultimaSolicitacao { pessoa { id } } } } }", 3 * (1 + 10)),
        ("{ pessoas(first: 10) { nodes { colegas(first: 3) { id } } } }", (1 + 10) + (1 + 10 * 3)),
        ("{ pessoas(first: 10) { nodes { colegas { id } } } }", (1 + 10) + (1 + 10 * 2)),
        ("{ pessoas(first: 10) { nodes { vizinhos { id } } } }", (1 + 10) + (1 + 10 * 100)),
        ("{ pessoas(first: 10) { vazia nodes { id } } }", (1 + 10) + (1 + 1)),
        ("{ pessoas(first: 10) { nodes { recentes(first: 4) { nodes { id } } } } }", (1 + 10) + (1 + 10 * 4)),
    ],
)
def test_what_a_resolver_returns_has_a_price(extended_schema: GraphQLSchema, text: str, expected: int) -> None:
    assert cost(extended_schema, text) == expected


def test_the_price_of_a_list_may_come_in_a_variable(extended_schema: GraphQLSchema) -> None:
    text = "query ($n: Int!) { pessoas(first: 10) { nodes { colegas(first: $n) { id } } } }"

    assert cost(extended_schema, text, n=7) == (1 + 10) + (1 + 10 * 7)


@contextmanager
def own_query(tmp_path: Path, members: str) -> Generator[Executor]:
    """An executor of the schema with these members added to `Query`."""
    code = (
        "from gateway.context import Info\nfrom gateway.schema.fields import resource_of\n"
        "from gateway.schema.pessoas import Pessoa\n\nclass Query(_joined(queries)):\n    ...\n"
    )
    with SchemaSource(tmp_path).add(code + members).loaded() as schema:
        yield Executor(schema.core(schema.build()), Limits())


async def run(executor: Executor, applications: Applications, text: str) -> Any:
    document = executor.prepare(text)
    assert not document.errors
    loaders = Loaders(applications.gateway_app.state.graphql.operations.remotes)
    try:
        return await executor.run(document, document.operation(None), None, Context(loaders))
    finally:
        loaders.cancel_reads()


async def test_an_operation_sends_no_more_requests_than_its_cost(
    tmp_path: Path, applications: Applications, services: Services
) -> None:
    members = """
    @strawberry.field
    async def guloso(self, info: Info) -> int | None:
        for n in range(10):
            await info.context.loaders.page(resource_of(Pessoa), {"ordering": "id", "first": n})
        return 10
"""
    with own_query(tmp_path, members) as executor:
        result = await run(executor, applications, "{ guloso }")

    assert result.data == b'{"guloso":null}'
    assert result.errors[0].original_error.code == "LIMIT_EXCEEDED"
    assert len(services.calls) == result.cost == 2


async def test_types_of_interfaces_below_interfaces_are_not_multiplied_without_bound(
    tmp_path: Path, applications: Applications
) -> None:
    code = """
@strawberry.interface
class Elo:
    @strawberry.field
    def proximo(self) -> "Elo | None":
        return None

@strawberry.type
class Um(Elo):
    um: int = 1

@strawberry.type
class Dois(Elo):
    dois: int = 2

@strawberry.type
class Tres(Elo):
    tres: int = 3

class Query(_joined(queries)):
    ...
    @strawberry.field
    def elo(self) -> Elo | None:
        return Um()

    @strawberry.field
    def outros(self) -> Um | Dois | Tres | None:
        return Tres()
"""
    with SchemaSource(tmp_path).add(code).loaded() as schema:
        executor = Executor(schema.core(schema.build()), Limits())
        result = await run(
            executor, applications, "{ elo { __typename proximo { __typename } } outros { __typename } }"
        )
        refused = await run(executor, applications, f"{{ elo {'{ proximo ' * 20} {{ __typename }} {'}' * 20} }}")

    expected = {"elo": {"__typename": "Um", "proximo": None}, "outros": {"__typename": "Tres"}}
    assert json.loads(result.data) == expected
    assert refused.data is None
    assert refused.errors[0].extensions["limit"] == "MAX_SELECTIONS"


async def test_a_list_has_at_most_as_many_items_as_a_page(tmp_path: Path, applications: Applications) -> None:
    members = """
    @strawberry.field
    def numeros(self, first: int) -> list[int] | None:
        return range(first)
"""
    with own_query(tmp_path, members) as executor:
        result = await run(executor, applications, "{ a: numeros(first: 1000) b: numeros(first: 1001) }")

    assert len(json.loads(result.data)["a"]) == 1000
    assert [(error.path, error.original_error.code) for error in result.errors] == [(["b"], "LIMIT_EXCEEDED")]


async def test_a_resolver_reads_with_the_callers_rights(
    extended_schema: GraphQLSchema, applications: Applications, services: Services, many: list[int]
) -> None:
    caller = Caller("alguem", frozenset({"pessoas:read"}))
    with context.acting_for(caller):
        result = await run(
            Executor(extended_schema, Limits()),
            applications,
            "{ pessoas(first: 1) { nodes { ultimaSolicitacao { id } } } }",
        )

    assert result.data == b'{"pessoas":{"nodes":[{"ultimaSolicitacao":null}]}}'
    assert [type(error.original_error) for error in result.errors] == [Forbidden]
    assert asked(services) == ["pessoas"]


# -- what is refused, and permissions on declared fields ---------------------------------------------------------------


def test_a_mutation_with_a_plain_resolver_is_refused_by_name(tmp_path: Path) -> None:
    code = """
class Mutation(_joined(mutations)):
    ...
    @strawberry.mutation
    def esvaziar(self) -> bool | None:
        return True
"""
    with (
        SchemaSource(tmp_path).add(code).loaded() as schema,
        pytest.raises(SchemaError, match=r"Mutation\.esvaziar has a resolver of its own"),
    ):
        schema.core(schema.build())


async def test_a_permission_guards_columns_links_connections_and_objects_inside_rows(
    tmp_path: Path, applications: Applications, services: Services, many: list[int]
) -> None:
    source = SchemaSource(tmp_path)
    permission = """
from strawberry.permission import BasePermission

class Pares(BasePermission):
    message = "só pares"

    def has_permission(self, source, info, **kwargs):
        return int(source.id) % 2 == 0

"""
    for name, added in {
        "pessoas": ['order=True, rule=": de 1 a 100 caracteres"', '"O que esta pessoa solicitou."'],
        "solicitacoes": ['link("pessoa_id", "a pessoa"'],
        "catalogo": ['"A categoria do produto."'],
    }.items():
        path = source.folder / f"{name}.py"
        text = path.read_text()
        for one in added:
            assert one in text
            text = text.replace(one, f"{one}, permission_classes=[Pares]", 1)
        path.write_text(text.replace("\n@strawberry.type", permission + "\n@strawberry.type", 1))
    with source.loaded() as schema:
        executor = Executor(schema.core(schema.build()), Limits())
        result = await run(
            executor,
            applications,
            """{ pessoas(first: 2) { nodes { id solicitacoes(first: 1) { nodes { id produto { id nomeProduto } } } } }
                solicitacoes(first: 2) { nodes { id pessoa { id } } }
                produto(id: 2) { categoria { nomeCategoria } } }""",
        )

    assert json.loads(result.data) == {
        "pessoas": {
            "nodes": [
                {"id": "1", "solicitacoes": None},
                {"id": "2", "solicitacoes": {"nodes": [{"id": "2", "produto": {"id": "1", "nomeProduto": "Mesa"}}]}},
            ]
        },
        "solicitacoes": {"nodes": [{"id": "1", "pessoa": None}, {"id": "2", "pessoa": {"id": "2"}}]},
        "produto": {"categoria": {"nomeCategoria": "Móveis"}},
    }
    assert len(result.errors) == 2
