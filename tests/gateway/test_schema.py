"""The checked-in schema is the schema, and it holds the promises that every type makes."""

from graphql import GraphQLInputObjectType, GraphQLObjectType, build_schema

from deploy.local import ROOT
from gateway.schema import build

SDL = ROOT / "gateway/schema.graphql"
CONNECTION_ARGUMENTS = {"first", "after", "last", "before", "filter", "orderBy"}
PLURALS = {"solicitacoes", "pessoas", "servicos", "produtos", "categorias"}


def object_types() -> list[GraphQLObjectType]:
    kinds = build_schema(SDL.read_text()).type_map.values()
    return [kind for kind in kinds if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__")]


def test_the_checked_in_schema_is_the_one_that_is_served() -> None:
    assert build().as_str() + "\n" == SDL.read_text(), "run `make schema` and review the difference"


def test_every_type_field_and_argument_is_described() -> None:
    schema = build_schema(SDL.read_text())
    bare: list[str] = []
    for kind in schema.type_map.values():
        if kind.name.startswith("__") or kind.name in ("Boolean", "Int", "String", "ID", "Float"):
            continue
        bare += [] if kind.description else [kind.name]
        if isinstance(kind, GraphQLInputObjectType):
            bare += [f"{kind.name}.{name}" for name, field in kind.fields.items() if not field.description]
        if isinstance(kind, GraphQLObjectType):
            bare += [f"{kind.name}.{name}" for name, field in kind.fields.items() if not field.description]
            for name, field in kind.fields.items():
                bare += [f"{kind.name}.{name}({one})" for one, arg in field.args.items() if not arg.description]
    assert bare == []


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
    assert all(one.endswith(("Connection.edges", "Connection.nodes", "Payload.errors")) for one in lists)


def test_every_root_field_and_every_link_to_another_service_is_nullable() -> None:
    for kind in object_types():
        for name, field in kind.fields.items():
            crosses = kind.name in ("Query", "Mutation") or name in PLURALS | {"pessoa", "servico", "produto"}
            if crosses and not kind.name.endswith("Payload"):
                assert not str(field.type).endswith("!"), f"{kind.name}.{name}"
