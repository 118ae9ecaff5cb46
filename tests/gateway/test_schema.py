"""The checked-in schema equals the schema of the code, and keeps the rules for all types."""

import json
import re

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLScalarType,
    build_schema,
    find_breaking_changes,
    is_specified_scalar_type,
)

from chassis.codes import FIELDS
from chassis.version import VERSION
from deploy.local import ROOT
from gateway.errors import EXTENSIONS
from gateway.schema import build
from tests.released import major, released_file

SDL = ROOT / "gateway/schema.graphql"
CONNECTION_ARGUMENTS = {"first", "after", "last", "before", "filter", "orderBy"}
PLURALS = {"solicitacoes", "pessoas", "servicos", "produtos", "categorias"}


def object_types() -> list[GraphQLObjectType]:
    kinds = build_schema(SDL.read_text()).type_map.values()
    return [kind for kind in kinds if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__")]


def test_the_checked_in_schema_is_the_one_that_is_served() -> None:
    assert build().as_str() + "\n" == SDL.read_text(), "run `make render` and review the difference"


def test_a_breaking_change_is_announced_by_a_new_major_version() -> None:
    """What the last release of this major version promised is still kept, by graphql-core's rules."""
    released, document = released_file("gateway/schema.graphql"), released_file("catalogo/openapi.json")

    assert released
    assert document
    if major(json.loads(document)["info"]["version"]) == major(VERSION):
        changes = find_breaking_changes(build_schema(released), build_schema(build().as_str()))
        assert [change.description for change in changes] == []


@pytest.mark.parametrize(
    ("said", "says_now"),
    [
        ("  node: Pessoa!", "  linha: Pessoa!"),
        ("pessoa(", "umaPessoa("),
        ("  ID_DESC\n", "  ID_QUEDA\n"),
        ("nomePessoa: String!", "nomePessoa: String"),
    ],
)
def test_a_breaking_change_of_the_schema_is_named(said: str, says_now: str) -> None:
    old = SDL.read_text()

    assert said in old
    assert find_breaking_changes(build_schema(old), build_schema(old.replace(said, says_now)))


def described() -> dict[str, str | None]:
    """Everything of the schema that can have a description, by its coordinate; GraphQL's own types left out."""
    found: dict[str, str | None] = {}
    for kind in build_schema(SDL.read_text()).type_map.values():
        if kind.name.startswith("__") or is_specified_scalar_type(kind):
            continue
        found[kind.name] = kind.description
        if isinstance(kind, GraphQLEnumType):
            found |= {f"{kind.name}.{name}": value.description for name, value in kind.values.items()}
        if isinstance(kind, GraphQLInputObjectType | GraphQLObjectType):
            found |= {f"{kind.name}.{name}": field.description for name, field in kind.fields.items()}
        if isinstance(kind, GraphQLObjectType):
            for name, field in kind.fields.items():
                found |= {f"{kind.name}.{name}({one}:)": arg.description for one, arg in field.args.items()}
    return found


def test_everything_is_described_in_portuguese() -> None:
    found = described()

    assert {"PessoaOrder.ID_ASC", "IdFilter.in", "Query.pessoas(first:)", "DateTime", "Erro.code"} <= set(found)
    assert [where for where, description in found.items() if not description] == []
    english = re.compile(r"\b(the|an|of|and|or|is|are|with|from|by|list|one)\b")
    assert [where for where, description in found.items() if english.search((description or "").lower())] == []


def test_a_text_in_a_filter_says_how_long_it_may_be() -> None:
    said = described()

    assert all("200 caracteres" in (said[f"NomeFilter.{one}"] or "") for one in ("eq", "in", "contains", "startsWith"))


def test_the_codes_of_errors_are_enums_of_the_lists_that_rest_has_too() -> None:
    schema = build_schema(SDL.read_text())
    erro, mendable, extensions = (schema.type_map[name] for name in ("Erro", "CodigoErro", "CodigoExtensions"))

    assert isinstance(erro, GraphQLObjectType)
    assert isinstance(mendable, GraphQLEnumType)
    assert isinstance(extensions, GraphQLEnumType)
    assert str(erro.fields["code"].type) == "CodigoErro!"
    assert set(FIELDS) <= set(mendable.values)
    assert set(EXTENSIONS) == set(extensions.values)


def test_datetime_is_specified_by_the_standard_that_it_keeps() -> None:
    kind = build_schema(SDL.read_text()).type_map["DateTime"]

    assert isinstance(kind, GraphQLScalarType)
    assert kind.specified_by_url == "https://www.rfc-editor.org/rfc/rfc3339"


def test_no_list_is_unbounded() -> None:
    """A list is the page of a connection, or the errors of a payload; every connection takes the Relay arguments."""
    lists: set[str] = set()
    for kind in object_types():
        for name, field in kind.fields.items():
            shown = str(field.type).rstrip("!")
            if shown.startswith("["):
                lists.add(f"{kind.name}.{name}")
            elif shown.endswith("Connection"):
                assert set(field.args) == CONNECTION_ARGUMENTS, f"{kind.name}.{name}"
    assert len(lists) == 5 * (2 + 3)
    assert all(one.endswith(("Connection.edges", "Connection.nodes", "Payload.errors")) for one in lists)


def test_every_root_field_and_every_link_to_another_service_is_nullable() -> None:
    for kind in object_types():
        for name, field in kind.fields.items():
            crosses = kind.name in ("Query", "Mutation") or name in PLURALS | {"pessoa", "servico", "produto"}
            if crosses and not kind.name.endswith("Payload") and (kind.name, name) != ("Query", "posicao"):
                assert not str(field.type).endswith("!"), f"{kind.name}.{name}"


def test_every_resource_has_the_same_mutations_and_their_payloads_the_same_shape() -> None:
    schema = build_schema(SDL.read_text())
    assert schema.mutation_type
    shown: dict[str, tuple[dict[str, str], dict[str, str]]] = {}
    for name, field in schema.mutation_type.fields.items():
        payload = schema.type_map[str(field.type)]
        assert isinstance(payload, GraphQLObjectType)
        arguments = {one: str(argument.type) for one, argument in field.args.items()}
        shown[name] = arguments, {one: str(member.type) for one, member in payload.fields.items()}

    expected: dict[str, tuple[dict[str, str], dict[str, str]]] = {}
    for noun in ("Solicitacao", "Pessoa", "Servico", "Produto", "Categoria"):
        payload = {"errors": "[Erro!]!", noun.lower(): noun}
        expected[f"criar{noun}"] = {"input": f"Criar{noun}Input!"}, payload
        expected[f"atualizar{noun}"] = {"id": "ID!", "input": f"Atualizar{noun}Input!"}, payload
        expected[f"excluir{noun}"] = {"id": "ID!"}, payload
    assert shown == expected
