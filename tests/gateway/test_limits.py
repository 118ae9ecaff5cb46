"""The limits on one request: each is tried with a request just below and just above it; what refusals say, and
introspection."""

from __future__ import annotations

import json
import random
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import pytest
from graphql import (
    GraphQLSyntaxError,
    Lexer,
    Source,
    TokenKind,
    get_introspection_query,
    parse,
    print_ast,
    separate_operations,
    validate,
)
from graphql.execution.values import VariableValues, get_variable_values
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.settings import ProcessSettings
from deploy.local import ROOT
from gateway import schema
from gateway.errors import LimitExceededError
from gateway.execution.introspection_cost import VALUE_COST
from gateway.execution.operation import Executor
from gateway.limits.rules import rules
from gateway.limits.shape import refuse_shape
from gateway.limits.text import IGNORED, TOKEN
from gateway.settings import LARGEST_COUNT, Limits
from tests.applications import Applications, Gateway, Services
from tests.fuzz.documents import KINDS
from tests.gateway.test_cost import cost
from tests.house.test_documents import asking, blocks, command, curl

GRAPHQL_JSON = {"Accept": "application/graphql-response+json"}
CORE = schema.core(schema.build())
DOUBLING = "{ ...F0 }" + "".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(60))
GRAPHIQL = get_introspection_query(
    specified_by_url=True, directive_is_repeatable=True, schema_description=True, input_value_deprecation=True
)


def refusal(limits: Limits, text: str) -> dict[str, Any] | None:
    """The extensions of the refusal of a document; None if it is not refused."""
    try:
        Executor(CORE, limits).prepare(text)
    except LimitExceededError as refused:
        return refused.extensions
    return None


@pytest.mark.parametrize(
    ("limit", "asked", "text"),
    [
        ("max_document_length", 101, "{ __typename }" + " " * 87),
        ("max_tokens", 11, "{ a(b: [1, -2.5e3]) }"),
        ("max_tokens", 12, '{ a(b: "x # y", c: """{{""") } #'),
        ("max_depth", 6, "{ pessoas(filter: {or: [{or: []}]}) { nodes { id } } }"),
        (
            "max_depth",
            6,
            "{ pessoa(id: 1) { ...A } } fragment A on Pessoa { a { a { a { a { a } } } } }",
        ),
        (
            "max_selections",
            11,
            "{ ...A ...A ...A a: __typename __typename } fragment A on Query { __typename x: __typename }",
        ),
        ("max_root_fields", 4, "query A { a b } query B { c d }"),
        ("max_root_fields", 4, "{ ...A ...A } fragment A on Query { a b }"),
        ("max_root_fields", 2, "query A {} query B {}"),
        ("max_aliases", 2, "{ a: __typename, b: __typename }"),
        ("max_directives", 2, "query ($x: Int @a) { ... @b { __typename } }"),
        ("max_fragments", 3, "{ ...A ... { __typename } } fragment A on Query { __typename }"),
        ("max_variables", 3, "query A($a: Int, $b: Int) { __typename } query B($c: Int) { __typename }"),
        ("max_overlaps", 110, "{" + " __typename" * 11 + "}"),
    ],
)
def test_a_document_at_a_limit_is_judged_and_one_over_it_is_refused(limit: str, asked: int, text: str) -> None:
    enough = Limits().model_copy(update={limit: asked})
    too_few = Limits().model_copy(update={limit: asked - 1})

    assert refusal(enough, text) is None
    assert refusal(too_few, text) == {
        "code": "LIMIT_EXCEEDED",
        "limit": limit.upper(),
        "asked": asked,
        "allowed": asked - 1,
    }


OVER = {
    "MAX_DOCUMENT_LENGTH": "{ __typename }" + " " * 100_000,
    "MAX_TOKENS": "{" + " a" * 2_000 + "}",
    "MAX_DEPTH": "{" * 31,
    "MAX_SELECTIONS": "{ pessoas { nodes {" + " ...F" * 90 + "} } } fragment F on Pessoa {" + " id" * 30 + "}",
    "MAX_ROOT_FIELDS": "{" + " __typename" * 51 + "}",
    "MAX_ALIASES": "{ pessoas { nodes {" + "".join(f" a{n}: id" for n in range(101)) + "} } }",
    "MAX_DIRECTIVES": "{ __typename" + " @skip(if: false)" * 101 + "}",
    "MAX_FRAGMENTS": "{" + " ... { __typename }" * 201 + "}",
    "MAX_VARIABLES": "query (" + "".join(f"$a{n}: Int " for n in range(101)) + ") { __typename }",
    "MAX_OVERLAPS": "{ pessoas { nodes {" + " id" * 110 + "} } }",
    "MAX_COST": "{ pessoas(first: 1000) { nodes { solicitacoes(first: 1000) { nodes { id } } } } }",
}


@pytest.mark.parametrize(
    ("method", "limit"),
    # No URL is as long as a document that is too long.
    [("POST", limit) for limit in OVER] + [("GET", limit) for limit in OVER if limit != "MAX_DOCUMENT_LENGTH"],
)
async def test_a_refusal_says_which_limit_what_was_asked_and_what_is_allowed_and_nothing_is_read(
    gateway: Gateway, services: Services, limit: str, method: str
) -> None:
    query = {"query": OVER[limit]}
    sent: dict[str, Any] = {"json": query} if method == "POST" else {"params": query}

    answer = await gateway.client.request(method, "/graphql", headers=GRAPHQL_JSON, **sent)
    old = await gateway.client.request(method, "/graphql", **sent)

    assert (answer.status_code, old.status_code) == (400, 200)
    assert answer.json() == old.json()
    assert answer.json().keys() == {"errors"}
    error = answer.json()["errors"][0]
    assert error["extensions"].keys() == {"code", "limit", "asked", "allowed"}
    assert (error["extensions"]["code"], error["extensions"]["limit"]) == ("LIMIT_EXCEEDED", limit)
    assert error["extensions"]["allowed"] == getattr(Limits(), limit.lower()) < error["extensions"]["asked"]
    assert str(error["extensions"]["allowed"]) in error["message"]
    assert services.calls == []


def test_every_limit_is_tried() -> None:
    own = Limits.model_fields.keys() - ProcessSettings.model_fields.keys()

    assert {name.upper() for name in own} == OVER.keys() | {"MAX_VALUES", "RATE_LIMIT"}


@pytest.mark.parametrize(
    ("limit", "value"), [("MAX_VALUES", ["1"] * 10_000), ("MAX_DEPTH", json.loads("[" * 31 + "]" * 31))]
)
async def test_variables_are_counted_before_they_are_coerced(gateway: Gateway, limit: str, value: Any) -> None:
    query = "query ($i: [ID!]) { pessoas(filter: {id: {in: $i}}) { nodes { id } } }"

    answer = await gateway.client.post(
        "/graphql", json={"query": query, "variables": {"i": value}}, headers=GRAPHQL_JSON
    )

    assert answer.status_code == 400
    extensions = answer.json()["errors"][0]["extensions"]
    assert (extensions["code"], extensions["limit"]) == ("LIMIT_EXCEEDED", limit)
    assert extensions["asked"] > extensions["allowed"]


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_over_the_limit_is_refused_in_the_same_words(gateway: Gateway, declared: bool) -> None:
    body = json.dumps({"query": "{ __typename }" + " " * 1_000_000}).encode()

    async def stream() -> AsyncIterator[bytes]:
        yield body

    answer = await gateway.client.post(
        "/graphql", content=body if declared else stream(), headers={"Content-Type": "application/json"}
    )

    assert answer.status_code == 413
    asked = len(body) if declared else 1_000_001
    assert answer.json()["errors"][0]["extensions"] == {
        "code": "LIMIT_EXCEEDED",
        "limit": "MAX_BODY_BYTES",
        "asked": asked,
        "allowed": 1_000_000,
    }


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "identity, gzip"])
async def test_a_compressed_body_is_415(gateway: Gateway, encoding: str) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}

    answer = await gateway.client.post("/graphql", content=b'{"query": "{ __typename }"}', headers=headers)

    assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "identity")


@pytest.mark.parametrize("charset", ["utf-16", "utf-32", "latin-1"])
async def test_a_body_in_another_charset_than_utf_8_is_400(gateway: Gateway, charset: str) -> None:
    body = '{"query": "{ pessoas(filter: {nomePessoa: {eq: \\"José é\\"}}) { nodes { id } } }"}'.encode(charset)

    answer = await gateway.client.post("/graphql", content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("each", "limit"), [("", "MAX_SELECTIONS"), ("pessoas { nodes { id } }", "MAX_ROOT_FIELDS")], ids=["empty", "full"]
)
def test_a_nest_of_fragments_is_counted_without_being_opened(each: str, limit: str) -> None:
    """The fragments have 2**60 uses, so a limit that followed each use would never finish."""
    text = f"{DOUBLING} fragment F60 on Query {{ {each} }}"

    found = refusal(Limits(max_fragments=400), text)

    assert found
    assert (found["limit"], found["asked"]) == (limit, LARGEST_COUNT)


def test_a_cycle_of_fragments_is_left_to_validation() -> None:
    document = Executor(CORE, Limits()).prepare(
        "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A ...A }"
    )

    assert [error.message for error in document.errors] == ["Cannot spread fragment 'A' within itself via 'B'."] * 2


@settings(deadline=None)
@given(st.text(st.sampled_from('{}()[]:$@!=|&."\\#-, \n\r\t\ufeffab01eé')))
def test_the_scan_sees_the_tokens_that_the_lexer_sees(text: str) -> None:
    lexer = Lexer(Source(text))
    seen: list[tuple[int, int]] = []
    try:
        while (token := lexer.advance()).kind is not TokenKind.EOF:
            before = token
            comments: list[tuple[int, int]] = []
            while (before := before.prev) and before.kind is TokenKind.COMMENT:
                comments.insert(0, (before.start, before.end))
            seen += [*comments, (token.start, token.end)]
    except GraphQLSyntaxError:
        pass

    found = [
        (match.end() - len(match[0].lstrip(IGNORED)), match.end()) for match in TOKEN.finditer(text.rstrip(IGNORED))
    ]
    assert found[: len(seen)] == seen


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10**9), size=st.integers(50, 5_000))
def test_every_document_is_judged_and_nothing_else_is_raised(kind: str, seed: int, size: int) -> None:
    executor = Executor(CORE, Limits())

    text = KINDS[kind](random.Random(seed), size)
    with suppress(LimitExceededError):
        document = executor.prepare(text)
        assert document.errors or document.node


SUGGESTIVE: list[tuple[str, dict[str, Any]]] = [
    ("{ pesso(id: 1) { id } }", {}),
    ("{ pessoas { nodes { nomePesso } } }", {}),
    ("{ pessoas(frist: 1) { nodes { id } } }", {}),
    ("{ ...A } fragment A on Pesso { id }", {}),
    ("query ($x: PessoaFilte) { pessoas(filter: $x) { nodes { id } } }", {}),
    ("{ pessoas(orderBy: NOME_PESSOA) { nodes { id } } }", {}),
    ("{ pessoas(filter: {nomePesso: {}}) { nodes { id } } }", {}),
    ("query ($o: PessoaOrder!) { pessoas(orderBy: $o) { nodes { id } } }", {"o": "NOME_PESSOA"}),
    ("query ($f: PessoaFilter) { pessoas(filter: $f) { nodes { id } } }", {"f": {"nomePesso": {}}}),
    ("mutation ($i: CriarPessoaInput!) { criarPessoa(input: $i) { errors { code } } }", {"i": {"nomePesso": "Ana"}}),
]


@pytest.fixture
def closed(applications: Applications) -> Iterator[None]:
    """The gateway with INTROSPECTION=off."""
    applications.gateway_app.state.graphql.operations.introspection = False
    yield
    applications.gateway_app.state.graphql.operations.introspection = True


@pytest.mark.parametrize(("query", "variables"), SUGGESTIVE)
async def test_suggestions_help_those_who_may_introspect(
    gateway: Gateway, query: str, variables: dict[str, Any]
) -> None:
    answer = await gateway.client.post("/graphql", json={"query": query, "variables": variables}, headers=GRAPHQL_JSON)

    assert answer.status_code == 400
    assert "Você quis dizer" in answer.text


@pytest.mark.usefixtures("closed")
@pytest.mark.parametrize(("query", "variables"), SUGGESTIVE)
async def test_suggestions_are_not_for_others(gateway: Gateway, query: str, variables: dict[str, Any]) -> None:
    answer = await gateway.client.post("/graphql", json={"query": query, "variables": variables}, headers=GRAPHQL_JSON)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert not re.search("did you mean|quis dizer", answer.text, re.IGNORECASE)


@pytest.mark.usefixtures("closed")
@pytest.mark.parametrize(
    "query",
    [
        GRAPHIQL,
        "{ __schema { __typename } }",
        '{ a: __type(name: "Pessoa") { name } }',
        "{ ...A } fragment A on Query { __schema { queryType { name } } }",
    ],
)
async def test_a_closed_schema_is_not_shown(gateway: Gateway, query: str) -> None:
    answer = await gateway.client.post("/graphql", json={"query": query}, headers=GRAPHQL_JSON)

    assert answer.status_code == 400
    assert answer.json().keys() == {"errors"}


@pytest.mark.usefixtures("closed")
async def test_a_closed_schema_shows_no_plan(gateway: Gateway) -> None:
    asked = {"query": "{ __typename }", "extensions": {"plan": True}}
    answer = await gateway.client.post("/graphql", json=asked, headers=GRAPHQL_JSON)

    [error] = answer.json()["errors"]
    assert (answer.status_code, error["extensions"]["code"]) == (400, "BAD_USER_INPUT")
    assert error["message"].startswith("extensions.plan: ")


@pytest.mark.usefixtures("closed")
async def test_a_closed_schema_leaves_typename(gateway: Gateway) -> None:
    data = await gateway.data("{ __typename pessoas(first: 1) { __typename } }")

    assert data == {"__typename": "Query", "pessoas": {"__typename": "PessoaConnection"}}


async def test_graphiql_may_ask_for_the_whole_schema(gateway: Gateway) -> None:
    data = await gateway.data(GRAPHIQL)

    assert len(data["__schema"]["types"]) == len(CORE.type_map)


def test_introspection_cannot_be_deep_or_wide() -> None:
    fields = "{ fields { type { fields { type { fields { name } } } } } }"
    wide = " ".join(f"a{n}: name" for n in range(90))

    deep = Executor(CORE, Limits()).prepare(f"{{ __schema {{ types {fields} }} }}")

    assert [error.message for error in deep.errors] == ["Maximum introspection depth exceeded"]
    assert cost(f"{{ __schema {{ types {{ fields {{ type {{ fields {{ {wide} }} }} }} }} }} }}") > Limits().max_cost
    assert cost(GRAPHIQL) < Limits().max_cost / 2


@pytest.mark.parametrize(
    "query",
    [
        GRAPHIQL,
        "{ __schema { types { name fields { name } } } }",
        '{ __type(name: "Query") { fields { args { name type { name kind ofType { name kind } } defaultValue } } } }',
        '{ __type(name: "Mutation") { fields { name type { fields { type { name ofType { __typename } } } } } } }',
        "{ __schema { types { fields { args { type { inputFields { name } } } } } directives { args { name } } } }",
        '{ a: __type(name: "Nada") { name } b: __type(name: "Pessoa") { possibleTypes { name } interfaces { name } } }',
    ],
)
async def test_what_introspection_costs_is_what_it_shows(gateway: Gateway, query: str) -> None:
    def values(shown: Any) -> int:
        match shown:
            case dict():
                return sum(1 + values(one) for one in cast("dict[str, Any]", shown).values())
            case list():
                return sum(map(values, cast("list[Any]", shown)))
            case _:
                return 0

    assert cost(query) == VALUE_COST * values(await gateway.data(query))


def test_a_type_that_a_variable_names_costs_as_much_as_any() -> None:
    below = "{ fields { args { type { name } } } }"
    names = [name for name in CORE.type_map if name.isidentifier()]

    assert cost(f"query ($name: String!) {{ __type(name: $name) {below} }}", name="Query") == max(
        cost(f'{{ __type(name: "{name}") {below} }}') for name in names
    )


@pytest.mark.parametrize(("repeats", "refused"), [(45, False), (46, True)])  # n * (n - 1) / 2 comparisons
def test_fields_side_by_side_are_counted_before_they_are_compared(repeats: int, refused: bool) -> None:
    limits = Limits(max_overlaps=1_000)
    document = parse("{ pessoas { nodes {" + " id" * repeats + " } } }")

    assert overlaps(lambda: refuse_shape(document, limits)) is refused
    if refused:
        assert overlaps(lambda: validate(CORE, document, rules(limits, True))), "and validation would refuse it too"


def overlaps(judge: Callable[[], object]) -> bool:
    """Whether it refuses for `MAX_OVERLAPS`."""
    try:
        judge()
    except LimitExceededError as refused:
        return bool(refused.extensions and refused.extensions["limit"] == "MAX_OVERLAPS")
    return False


def documented() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every query in the documents, the playground and the clients' tests: where it is, its text, its variables."""
    for document in asking():
        found = blocks(document)
        for n, block in enumerate(found):
            if '"limit"' in found[min(n + 1, len(found) - 1)].text:
                continue  # the example of a refusal
            if block.language == "graphql":
                yield f"{document.name} {n}", block.text, {}
            elif block.asks and (query := curl(command(block.text)).url.params.get("query")):
                yield f"{document.name} {n}", query, {}
    for path in ROOT.glob("gateway/playground/examples/*.graphql"):
        beside = path.with_suffix(".json")
        yield path.name, path.read_text(), json.loads(beside.read_text()) if beside.exists() else {}
    for path in ROOT.glob("gateway/playground/painel/src/graphql/*.graphql"):
        for name, operation in separate_operations(parse(path.read_text())).items():
            variables: dict[str, Any] = {
                "first": 1000,
                "id": "1",
                "ids": ["1"],
                "nome": "",
                "categoriaId": "1",
                "input": {},
            }
            yield f"{path.name} {name}", print_ast(operation), variables
    for path in ROOT.glob("tests/clients/*.test.js"):
        for n, text in enumerate(re.findall(r"(?:gql|graphql)`(.*?)`", path.read_text(), re.S)):
            yield f"{path.name} {n}", text, {"first": 100, "id": "1", "input": {}}


DOCUMENTED = list(documented())


@pytest.mark.parametrize(("text", "variables"), [one[1:] for one in DOCUMENTED], ids=[one[0] for one in DOCUMENTED])
def test_no_query_of_our_own_comes_near_a_limit(text: str, variables: dict[str, Any]) -> None:
    halves = {name: value // 2 for name, value in Limits().model_dump().items() if name.startswith("max_")}
    half = Limits().model_copy(update=halves)

    assert refusal(half, text) is None
    document = Executor(CORE, half).prepare(text)
    if not document.errors:  # Relay's own directives, and examples of mistakes
        operation = document.operation(None)
        coerced = get_variable_values(CORE, operation.variable_definitions or (), variables)
        if isinstance(coerced, VariableValues):
            compiled = Executor(CORE, half).compiled(document, operation, coerced)
            assert compiled.cost(coerced.coerced) <= half.max_cost


def test_the_queries_of_our_own_are_found() -> None:
    assert len(DOCUMENTED) > 30
    assert {Path(name.split()[0]).suffix for name, _, _ in DOCUMENTED} == {".md", ".graphql", ".js"}
