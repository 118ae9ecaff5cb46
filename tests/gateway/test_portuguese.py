"""GraphQL's own errors are Portuguese: every message of the installed graphql-core that a client can bring about."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from inspect import getsource
from itertools import product
from typing import Any

import pytest

from gateway.limits.bounds import Limits
from gateway.limits.rules import rules
from gateway.portuguese import in_portuguese
from tests.applications import Applications, Gateway

RULES = {
    base.__module__
    for rule in rules(Limits(), introspection=False)
    for base in rule.__mro__
    if "rules." in base.__module__
}
MODULES = sorted(
    {one for one in RULES if one.startswith("graphql.")}
    | {"graphql.language.lexer", "graphql.language.parser", "graphql.validation.validate"}
    | {"graphql.execution.values", "graphql.execution.get_variable_signature"}
    | {"graphql.utilities.validate_input_value", "graphql.type.scalars", "graphql.type.definition"}
)
ERRORS = {
    "GraphQLError": 0,
    "ValidationAbortedError": 0,
    "GraphQLSyntaxError": 2,
    "report_invalid_value": 1,
    "report_invalid_literal": 1,
}
"""The functions that make an error, and the argument of each that is the message."""
FILLED_IN = {
    "did_you_mean": " Did you mean 'A', 'B', or 'C'?",
    "suggestion": " Did you mean 'A' or 'B'?",
    "print_path_list": " at .filter.id[0]",
    "print_for_error": "x",
    "error": "Int cannot represent non-integer value: 'x'",
    "print_argument": "Argument 'x'",
    "reason": "they have differing arguments",
    "token_kind": "Name",
    "token": "Name 'x'",
    "code_point": "U+0000",
}
"""By a part of the expression that fills it in; everything else is a name, `x`."""
ENGLISH = re.compile(
    r"\b(the|is|are|of|to|by|be|on|in|not|must|cannot|can|may|at|but|and|or|there|this|with|only|such|never|have|has|"
    r"expected|unexpected|found|unknown|invalid|value|used|required|provided|did|you|mean|too|many|error|field)\b",
    re.IGNORECASE,
)


def english_in(message: str) -> list[str]:
    """English words outside of quotes, which hold names and values."""
    return ENGLISH.findall(re.sub(r"'[^']*'|\"[^\"]*\"|`[^`]*`", "", message))


def texts(node: ast.expr, known: dict[str, list[str]]) -> list[str]:
    """The messages that an expression can make, with examples for the values that it fills in."""
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    if isinstance(node, ast.BinOp):
        return ["".join(pair) for pair in product(texts(node.left, known), texts(node.right, known))]
    if isinstance(node, ast.IfExp):
        return [*texts(node.body, known), *texts(node.orelse, known)]
    if isinstance(node, ast.Name) and node.id in known:
        return known[node.id]
    if isinstance(node, ast.JoinedStr):
        found = ""
        for part in node.values:
            if isinstance(part, ast.Constant):
                found += str(part.value)
            else:
                filled = texts(part.value, {})[0] if isinstance(part, ast.FormattedValue) else ""
                found += f" '{filled}'" if found.endswith("field") else filled
        return [found]
    expression = ast.unparse(node)
    return [next((text for part, text in FILLED_IN.items() if part in expression), "x")]


def messages(module: str) -> Iterator[str]:
    """An example of each message in a module of graphql-core."""
    for function in ast.walk(ast.parse(getsource(import_module(module)))):
        if not isinstance(function, ast.FunctionDef):
            continue
        known: dict[str, list[str]] = {}
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ("msg", "message"):
                known.setdefault(ast.unparse(node.targets[0]), []).extend(texts(node.value, {}))
        for node in ast.walk(function):
            if isinstance(node, ast.Return) and node.value and function.name.endswith("error_message"):
                yield from texts(node.value, {})
            name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if isinstance(node, ast.Call) and name in ERRORS and len(node.args) > ERRORS[name]:
                for text in texts(node.args[ERRORS[name]], known):
                    yield f"Syntax Error: {text}" if name == "GraphQLSyntaxError" else text


KNOWN = {message for module in MODULES for message in messages(module)} - {"x", FILLED_IN["error"]}


def test_the_source_has_the_messages_that_everybody_knows() -> None:
    assert len(KNOWN) > 100
    assert {
        "Syntax Error: Unexpected Name 'x'.",
        "Cannot query field 'x' on type 'x'. Did you mean 'A' or 'B'?",
        "Variable '$x' has invalid value at .filter.id[0]: Int cannot represent non-integer value: 'x'",
        "Within OneOf Input Object type 'x', exactly one field must be specified, and the value for that field must be"
        " non-null.",
        "Too many validation errors, error limit reached. Validation aborted.",
        "Unknown argument 'x' on field 'x.x'. Did you mean 'A', 'B', or 'C'?",
    } <= KNOWN


@pytest.mark.parametrize("message", sorted(KNOWN))
def test_every_message_of_the_installed_graphql_core_has_a_translation(message: str) -> None:
    said = in_portuguese(message)

    assert said != message
    assert english_in(said) == []


@pytest.mark.parametrize(
    ("query", "variables", "said"),
    [
        ("{", None, "erro de sintaxe: esperado Name, encontrado <EOF>"),
        ("", None, "falta o membro query, um texto"),
        (
            "{ pessoas(first: 1.) { totalCount } }",
            None,
            "erro de sintaxe: número inválido: esperado um dígito, encontrado ')'",
        ),
        (
            "{ pesoas { totalCount } }",
            None,
            "o campo 'pesoas' não existe no tipo 'Query'. Você quis dizer 'pessoas' ou 'pessoa'?",
        ),
        (
            "{ pessoas { nodes } }",
            None,
            "o campo 'nodes', do tipo '[Pessoa!]!', deve ter uma seleção de campos. Você quis dizer 'nodes { ... }'?",
        ),
        (
            "{ pessoas { totalCount { x } } }",
            None,
            "o campo 'totalCount' não pode ter uma seleção: o tipo 'Int!' não tem campos",
        ),
        ("{ pessoa { id } }", None, "falta o argumento 'Query.pessoa(id:)', do tipo 'ID!', que é obrigatório"),
        (
            "{ pessoas(frist: 1) { totalCount } }",
            None,
            "o campo 'Query.pessoas' não tem um argumento 'frist'. Você quis dizer 'first' ou 'last'?",
        ),
        ('{ pessoas(first: "1") { totalCount } }', None, 'um Int deve ser um número inteiro, e veio: "1"'),
        ("{ pessoas(orderBy: NOME) { totalCount } }", None, "o enum 'PessoaOrder' não tem o valor 'NOME'."),
        (
            "{ pessoas(filter: {nome: {eq: 1}}) { totalCount } }",
            None,
            "o tipo 'PessoaFilter' não tem um campo 'nome'. Você quis dizer 'not'? Veio: { nome: { eq: 1 } }",
        ),
        (
            "{ a: pessoas(first: 1) { totalCount } a: pessoas(first: 2) { totalCount } }",
            None,
            "campos com o mesmo nome 'a' não combinam, pois têm argumentos diferentes; use aliases "
            "diferentes para pedir os dois",
        ),
        (
            "{ pessoas { a: totalCount } pessoas { a: nodes { id } } }",
            None,
            "campos com o mesmo nome 'pessoas' não combinam, pois os campos 'a' abaixo deles não combinam, "
            "pois 'totalCount' e 'nodes' são campos diferentes; use aliases diferentes para pedir os dois",
        ),
        (
            "query ($x: Int!) { pessoas(first: $x) { totalCount } }",
            {},
            "a variável '$x' tem um valor inválido: falta um valor do tipo 'Int!', que é obrigatório",
        ),
        (
            "query ($x: Int!) { pessoas(first: $x) { totalCount } }",
            {"x": "um"},
            "a variável '$x' tem um valor inválido: um Int deve ser um número inteiro, e veio: 'um'",
        ),
        (
            "query ($x: ProdutoFilter) { produtos(filter: $x) { totalCount } }",
            {"x": {"categoria": {"id": {"eq": 1.5}}}},
            "a variável '$x' tem um valor inválido em categoria.id.eq: um ID deve ser um texto ou um número "
            "inteiro, e veio: 1.5",
        ),
        ("query ($x: Int) { __typename }", None, "a variável '$x' não é usada"),
        ("subscription { nada }", None, "o campo 'nada' não existe no tipo 'Subscription'."),
        ("type A { b: Int }", None, "a definição 'A' não pode ser executada"),
        ("{ ...A } fragment A on Query { ...A }", None, "o fragmento 'A' não pode conter a si mesmo"),
    ],
)
async def test_what_a_client_reads_is_portuguese(
    gateway: Gateway, query: str, variables: dict[str, Any] | None, said: str
) -> None:
    answer = await gateway.client.post("/graphql", json={"query": query, "variables": variables})

    found = [error["message"] for error in answer.json()["errors"]]
    assert found[0] == said
    assert [english_in(one) for one in found] == [[]] * len(found)


async def test_a_closed_schema_is_refused_in_portuguese(gateway: Gateway, applications: Applications) -> None:
    applications.gateway_app.state.graphql.operations.introspection = False
    try:
        answer = await gateway.client.post("/graphql", json={"query": "{ __schema { __typename } pesoas { x } }"})
    finally:
        applications.gateway_app.state.graphql.operations.introspection = True

    assert [error["message"] for error in answer.json()["errors"]] == [
        "a introspecção está desligada, e o documento pede o campo '__schema'",
        "o campo 'pesoas' não existe no tipo 'Query'.",
    ]


def test_our_own_messages_and_long_ones_are_left_as_they_are() -> None:
    for own in ("há mais erros; são mostrados os primeiros 1000", "Expected", "Expected " + "x' of '" * 20_000, ""):
        assert in_portuguese(own) == own
