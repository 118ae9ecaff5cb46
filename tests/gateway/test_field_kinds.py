"""A field of each kind, on a resource of this test: all that the schema makes of it follows from its type."""

import json
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any, ClassVar

import httpx2
import pytest
import strawberry
from graphql import GraphQLEnumType, GraphQLInputObjectType

from bench.gateway.python.reference.executor import ReferenceExecutor
from chassis.query.pagination import cursor
from gateway import schema
from gateway.context import Context
from gateway.errors import formatted
from gateway.execution.operation import NO_VARIABLES, Executor
from gateway.loaders import Loaders
from gateway.schema.connection import Connection, child_connection, queries
from gateway.schema.fields import ServiceCollection, field, made_type
from gateway.schema.filters import (
    DataFilter,
    IdFilter,
    InteiroFilter,
    NomeFilter,
    NumeroDecimalFilter,
    SimNaoFilter,
    TextoExatoFilter,
    TextoFilter,
    choice_filter,
)
from gateway.schema.links import link
from gateway.schema.mutations import mutations
from gateway.schema.scalars import CONFIG
from gateway.settings import Limits
from tests.neighbours import remote

pytestmark = pytest.mark.usefixtures("scripted")


@strawberry.enum(description="O estado de um livro.")
class Estado(Enum):
    NOVO = strawberry.enum_value("novo", description="Novo.")
    MUITO_USADO = strawberry.enum_value("muito_usado", description="Muito usado.")


@strawberry.type(description="Quem publica livros.")
class Editora:
    collection: ClassVar = ServiceCollection("livraria", "/api/editoras/", "a editora", "as editoras")

    id: strawberry.ID = strawberry.field(description="O id, único entre as editoras.")
    nome_editora: str = field("o nome", filter=NomeFilter)
    destaque_id: strawberry.ID = field("o id do destaque")
    destaque: "Livro | None" = link("destaque_id", "o livro em destaque")
    livros: Connection["Livro"] | None = child_connection("editora_id", "Os livros desta editora.")


@strawberry.type(description="O que se lê.")
class Livro:
    collection: ClassVar = ServiceCollection("livraria", "/api/livros/", "o livro", "os livros")

    id: strawberry.ID = strawberry.field(description="O id, único entre os livros.")
    nome_livro: str = field("o nome", filter=NomeFilter, order=True, rule=": de 1 a 100 caracteres")
    editora_id: strawberry.ID = field("o id da editora", filter=IdFilter, rule="; deve existir")
    resumo: str | None = field("o resumo", filter=TextoFilter, order=True)
    codigo: str | None = field("o código", filter=TextoExatoFilter)
    paginas: int | None = field("o número de páginas", filter=InteiroFilter, order=True)
    preco: Decimal | None = field("o preço", filter=NumeroDecimalFilter, order=True)
    disponivel: bool | None = field("o sinal de disponível", filter=SimNaoFilter, order=True)
    lancamento: date | None = field("a data de lançamento", filter=DataFilter, order=True)
    estado: Estado | None = field("o estado", filter=choice_filter(Estado), order=True)
    idioma: str = field("o idioma", has_default=True)
    editora: Editora | None = link("editora_id", "a editora")


@pytest.fixture(scope="module")
def executor() -> Executor:
    found = strawberry.Schema(
        query=strawberry.type(made_type("Query", {**queries(Livro), **queries(Editora)})),
        mutation=strawberry.type(made_type("Mutation", {**mutations(Livro)})),
        config=CONFIG,
    )
    return Executor(schema.core(found), Limits())


SPARSE = {"id": 1, "nome_livro": "Grande Sertão", "editora_id": 7, "idioma": "pt"}
"""A row as a process sends it that does not know the other members yet."""
FULL = SPARSE | {
    "id": 2,
    "resumo": "O diabo na rua.",
    "codigo": "A-1",
    "paginas": 624,
    "preco": "0.00000010",
    "disponivel": False,
    "lancamento": "1956-07-16",
    "estado": "muito_usado",
}
EDITORA = {"id": 7, "nome_editora": "José Olympio", "destaque_id": 2}
MEMBERS = "id nomeLivro editoraId resumo codigo paginas preco disponivel lancamento estado idioma"


class Livraria:
    """The gateway's side of one operation: what was sent to the service, and the answers by path."""

    def __init__(self, executor: Executor, answers: dict[str, Any]) -> None:
        self.executor, self.answers = executor, answers
        self.sent: list[tuple[str, str, Any]] = []

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.sent.append((request.method, request.url.path, json.loads(request.content or b"null")))
        return httpx2.Response(201 if request.url.path == "/api/livros/" else 200, json=self.answers[request.url.path])

    async def run(self, text: str, **variables: Any) -> Any:
        """The data, which the plan and the reference executor must give alike. Errors come as `{"errors": [...]}`."""
        document = self.executor.prepare(text)
        assert not document.errors, document.errors
        results: list[tuple[Any, list[Any]]] = []
        reference = ReferenceExecutor(self.executor.schema, self.executor.limits)
        for run in (self.executor.run, reference.run):
            self.sent.clear()
            async with remote(self._answer, "livraria") as livraria:
                context = Context(Loaders({"livraria": livraria}))
                done = await run(document, document.operation(None), variables, context)
            errors = [formatted(error) for error in done.errors]
            results.append((json.loads(done.data) if done.data else None, errors))
        assert results[0][0] == results[1][0]
        return {"errors": results[0][1]} if results[0][1] else results[0][0]


def page(*rows: Any) -> dict[str, Any]:
    return {"items": rows, "has_next": False, "has_previous": False}


async def test_a_row_of_each_kind_is_read_exactly_and_what_may_be_null_may_be_missing(executor: Executor) -> None:
    livraria = Livraria(executor, {"/api/livros/query/": page(SPARSE, FULL)})

    data = await livraria.run(f"{{ livros {{ nodes {{ {MEMBERS} }} }} }}")

    optional = ("resumo", "codigo", "paginas", "preco", "disponivel", "lancamento", "estado")
    sparse = {"id": "1", "nomeLivro": "Grande Sertão", "editoraId": "7", "idioma": "pt"} | dict.fromkeys(optional)
    full = sparse | {name: FULL[name] for name in optional} | {"id": "2", "estado": "MUITO_USADO"}
    assert data == {"livros": {"nodes": [sparse, full]}}


async def test_a_row_whose_member_is_of_another_kind_or_too_large_for_an_int_is_an_invalid_answer(
    executor: Executor,
) -> None:
    for wrong in ({"paginas": 2**31}, {"estado": "novíssimo"}, {"lancamento": "16/07/1956"}, {"preco": "caro"}):
        livraria = Livraria(executor, {"/api/livros/query/": page(FULL | wrong)})

        answer = await livraria.run("{ livros { nodes { id } } }")

        assert [one["extensions"]["code"] for one in answer["errors"]] == ["UNAVAILABLE"], wrong


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ('resumo: {contains: "diabo"}', {"resumo": {"contains": "diabo"}}),
        ('resumo: {eq: "x", startsWith: "y"}', {"resumo": {"eq": "x", "starts_with": "y"}}),
        ('codigo: {in: ["A-1", "A-2"]}', {"codigo": {"in": ["A-1", "A-2"]}}),
        ("codigo: {isNull: true}", {"codigo": {"is_null": True}}),
        ("paginas: {gte: 100, lt: 1000}", {"paginas": {"gte": 100, "lt": 1000}}),
        ('preco: {gt: "0.10", in: ["12.50", "3"]}', {"preco": {"gt": "0.10", "in": ["12.50", "3"]}}),
        ("disponivel: {eq: false}", {"disponivel": {"eq": False}}),
        ('lancamento: {lte: "1956-07-16"}', {"lancamento": {"lte": "1956-07-16"}}),
        ("estado: {eq: MUITO_USADO}", {"estado": {"eq": "muito_usado"}}),
        ("estado: {in: [NOVO]}", {"estado": {"in": ["novo"]}}),
        ("not: {paginas: {isNull: false}}", {"not": {"paginas": {"is_null": False}}}),
    ],
)
async def test_a_condition_of_each_kind_is_sent_as_the_services_take_it(
    executor: Executor, given: str, sent: dict[str, Any]
) -> None:
    livraria = Livraria(executor, {"/api/livros/query/": page()})

    await livraria.run(f"{{ livros(filter: {{{given}}}) {{ nodes {{ id }} }} }}")

    assert [body["filter"] for _, _, body in livraria.sent] == [sent]


async def test_conditions_reach_through_a_link_and_below_a_parent(executor: Executor) -> None:
    groups = {"groups": [page(FULL) | {"id": 7}]}
    livraria = Livraria(
        executor,
        {"/api/editoras/query/": {"ids": [7], "has_next": False} | page(EDITORA), "/api/livros/query/": page(FULL)},
    )

    data = await livraria.run('{ livros(filter: {editora: {nomeEditora: {contains: "olympio"}}}) { nodes { id } } }')

    assert data == {"livros": {"nodes": [{"id": "2"}]}}
    assert [body.get("filter") for _, _, body in livraria.sent] == [
        {"nome_editora": {"contains": "olympio"}},
        {"and": [{"editora_id": {"in": [7]}}]},
    ]

    livraria.answers["/api/livros/query/"] = groups
    data = await livraria.run('{ editoras { nodes { livros(filter: {preco: {lt: "1"}}) { nodes { id } } } } }')

    assert data == {"editoras": {"nodes": [{"livros": {"nodes": [{"id": "2"}]}}]}}
    assert livraria.sent[-1][2]["filter"] == {"preco": {"lt": "1"}}


@pytest.mark.parametrize(
    ("order", "sent", "value"),
    [
        ("PRECO_DESC", "-preco", "0.00000010"),
        ("LANCAMENTO_ASC", "lancamento", "1956-07-16"),
        ("PAGINAS_ASC", "paginas", 624),
        ("RESUMO_DESC", "-resumo", "O diabo na rua."),
        ("DISPONIVEL_ASC", "disponivel", False),
        ("ESTADO_DESC", "-estado", "muito_usado"),
    ],
)
async def test_a_page_is_ordered_by_a_field_of_each_kind_and_its_cursors_are_those_of_the_service(
    executor: Executor, order: str, sent: str, value: Any
) -> None:
    livraria = Livraria(executor, {"/api/livros/query/": page(SPARSE, FULL)})

    data = await livraria.run(f"{{ livros(orderBy: {order}) {{ edges {{ cursor }} pageInfo {{ endCursor }} }} }}")

    expected = [cursor(sent.lstrip("-"), None, 1), cursor(sent.lstrip("-"), value, 2)]
    assert data == {"livros": {"edges": [{"cursor": one} for one in expected], "pageInfo": {"endCursor": expected[1]}}}
    assert livraria.sent[0][2]["ordering"] == sent


async def test_a_mutation_writes_each_kind_as_rest_takes_it_and_null_clears_what_may_be_null(
    executor: Executor,
) -> None:
    livraria = Livraria(executor, {"/api/livros/": FULL, "/api/livros/2/": FULL})
    given = """nomeLivro: "Grande Sertão", editoraId: 7, resumo: "O diabo na rua.", codigo: "A-1", paginas: 624,
        preco: "0.00000010", disponivel: false, lancamento: "1956-07-16", estado: MUITO_USADO, idioma: "pt"
        """

    await livraria.run(f"mutation {{ criarLivro(input: {{{given}}}) {{ livro {{ id }} errors {{ code }} }} }}")

    assert livraria.sent == [("POST", "/api/livros/", {name: FULL[name] for name in FULL if name != "id"})]

    await livraria.run('mutation { criarLivro(input: {nomeLivro: "Sagarana", editoraId: 7}) { livro { id } } }')

    assert livraria.sent == [("POST", "/api/livros/", {"nome_livro": "Sagarana", "editora_id": 7})]

    await livraria.run("mutation { atualizarLivro(id: 2, input: {preco: null, estado: NOVO}) { livro { id } } }")

    assert livraria.sent == [("PATCH", "/api/livros/2/", {"preco": None, "estado": "novo"})]


async def test_with_an_invalid_id_a_null_is_an_error_only_where_null_is_not_allowed(executor: Executor) -> None:
    livraria = Livraria(executor, {})

    data = await livraria.run(
        'mutation { atualizarLivro(id: "x", input: {preco: null, nomeLivro: null}) { errors { code field } } }'
    )

    errors = [{"code": "INVALID_ID", "field": "id"}, {"code": "NULL", "field": "nomeLivro"}]
    assert data == {"atualizarLivro": {"errors": errors}}


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("Decimal", [0.1, 1, True, "1e5", "1,5", " 1", "NaN", "9" * 101]),
        ("Date", ["2026-02-30", "31/01/2026", "2026-1-1", 20260131, "2026-01-31T00:00:00Z"]),
        ("Int", [2**31, "5", 1.5, True]),
        ("Boolean", ["true", 1]),
        ("Estado", ["novo", "ANTIGO", 1]),
    ],
)
async def test_a_value_of_another_form_is_refused_before_anything_is_sent(
    executor: Executor, kind: str, values: list[Any]
) -> None:
    member = {"Decimal": "preco", "Date": "lancamento", "Int": "paginas", "Boolean": "disponivel", "Estado": "estado"}
    text = f"query Q($value: {kind}!) {{ livros(filter: {{{member[kind]}: {{eq: $value}}}}) {{ nodes {{ id }} }} }}"
    for value in values:
        livraria = Livraria(executor, {})

        answer = await livraria.run(text, value=value)

        assert [one["extensions"]["code"] for one in answer["errors"]] == ["BAD_USER_INPUT"], value
        assert "valor inválido" in answer["errors"][0]["message"], value
        assert livraria.sent == []


async def test_a_condition_that_the_service_may_have_no_index_for_costs_as_much_as_a_search(executor: Executor) -> None:
    def cost(filter: str) -> int:
        document = executor.prepare(f"{{ livros(first: 0, filter: {{{filter}}}) {{ nodes {{ id }} }} }}")
        compiled = executor.compiled(document, document.operation(None), NO_VARIABLES)
        return compiled.cost({})

    assert cost("paginas: {gte: 1}") - cost("id: {eq: 1}") == 1000
    assert cost('resumo: {contains: "x"}') - cost("id: {eq: 1}") == 1000


def fields(executor: Executor, name: str) -> dict[str, str]:
    """The fields of an input with their types, or the values of an enum with their descriptions."""
    kind = executor.schema.type_map[name]
    if isinstance(kind, GraphQLEnumType):
        return {one: value.description or "" for one, value in kind.values.items()}
    assert isinstance(kind, GraphQLInputObjectType)
    return {one: str(found.type) for one, found in kind.fields.items()}


async def test_types_that_link_to_each_other_have_filters_that_lead_back(executor: Executor) -> None:
    assert fields(executor, "LivroFilter")["editora"] == "EditoraFilter"
    assert fields(executor, "EditoraFilter")["destaque"] == "LivroFilter"


async def test_the_schema_says_of_each_kind_what_clients_may_do_by_it(executor: Executor) -> None:
    kinds = {"resumo": "String", "codigo": "String", "paginas": "Int", "preco": "Decimal", "disponivel": "Boolean"}
    kinds |= {"lancamento": "Date", "estado": "Estado", "idioma": "String"}

    assert fields(executor, "CriarLivroInput") == {"nomeLivro": "String!", "editoraId": "ID!", **kinds}
    assert fields(executor, "AtualizarLivroInput") == {"nomeLivro": "String", "editoraId": "ID", **kinds}
    assert fields(executor, "LivroFilter") == {
        "id": "IdFilter",
        "nomeLivro": "NomeFilter",
        "editoraId": "IdFilter",
        "resumo": "TextoOuNuloFilter",
        "codigo": "TextoExatoOuNuloFilter",
        "paginas": "InteiroOuNuloFilter",
        "preco": "NumeroDecimalOuNuloFilter",
        "disponivel": "SimNaoOuNuloFilter",
        "lancamento": "DataOuNuloFilter",
        "estado": "EstadoOuNuloFilter",
        "editora": "EditoraFilter",
        "and": "[LivroFilter!]",
        "or": "[LivroFilter!]",
        "not": "LivroFilter",
    }
    assert fields(executor, "LivroOrder") == {
        "ID_ASC": "Pelo id, do menor ao maior.",
        "ID_DESC": "Pelo id, do maior ao menor.",
        "NOME_LIVRO_ASC": "Pelo nome, de A a Z.",
        "NOME_LIVRO_DESC": "Pelo nome, de Z a A.",
        "RESUMO_ASC": "Pelo resumo, de A a Z; nulos no fim.",
        "RESUMO_DESC": "Pelo resumo, de Z a A; nulos no início.",
        "PAGINAS_ASC": "Pelo número de páginas, do menor ao maior; nulos no fim.",
        "PAGINAS_DESC": "Pelo número de páginas, do maior ao menor; nulos no início.",
        "PRECO_ASC": "Pelo preço, do menor ao maior; nulos no fim.",
        "PRECO_DESC": "Pelo preço, do maior ao menor; nulos no início.",
        "DISPONIVEL_ASC": "Pelo sinal de disponível, primeiro os falsos; nulos no fim.",
        "DISPONIVEL_DESC": "Pelo sinal de disponível, primeiro os verdadeiros; nulos no início.",
        "LANCAMENTO_ASC": "Pela data de lançamento, da mais antiga à mais recente; nulos no fim.",
        "LANCAMENTO_DESC": "Pela data de lançamento, da mais recente à mais antiga; nulos no início.",
        "ESTADO_ASC": "Pelo estado, de A a Z; nulos no fim.",
        "ESTADO_DESC": "Pelo estado, de Z a A; nulos no início.",
    }
