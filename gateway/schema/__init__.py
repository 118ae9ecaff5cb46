"""The schema of the gateway, joined from the parts that each service owns."""

from collections.abc import Callable, Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import strawberry
from graphql import GraphQLSchema

from chassis.errors import Refusal
from chassis.neighbours.row_cache import KindOfRow
from gateway.context import Info
from gateway.declarations import FeedPositions
from gateway.execution.own_types import adapt
from gateway.schema.codes import CodigoExtensions
from gateway.schema.connection import queries
from gateway.schema.fields import made_type, resource_of
from gateway.schema.mutations import mutations
from gateway.schema.scalars import CONFIG
from gateway.schema.subscriptions import subscriptions

FIRST = ("solicitacoes", "pessoas", "servicos")
"""The modules whose fields come first in `Query` and `Mutation`. The others follow in alphabetical order."""


def _resources() -> list[type]:
    """The types with a `collection`, of each module, in the order that their fields have in `Query`."""
    names = sorted(one.name for one in iter_modules(__path__) if not one.name.startswith("_"))
    names.sort(key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST))
    modules = [import_module(f"{__name__}.{name}") for name in names]
    return [
        kind
        for module in modules
        for kind in vars(module).values()
        if isinstance(kind, type) and kind.__module__ == module.__name__ and "collection" in vars(kind)
    ]


RESOURCES = _resources()


def _joined(fields_of_each: Callable[[type], Mapping[str, tuple[Any, Any]]]) -> type[object]:
    """A type with the fields of all resources."""
    members = {name: member for kind in RESOURCES for name, member in fields_of_each(kind).items()}
    return strawberry.type(made_type("Joined", members))


@strawberry.type(description="O que se pode ler.")
class Query(_joined(queries)):
    @strawberry.field(
        description="O que já se sabia das mudanças antes desta leitura; em apos, uma assinatura continua dali.",
        metadata={"declaration": FeedPositions()},
    )
    async def posicao(self, info: Info) -> str:
        await info.context.read_position()
        if isinstance(info.context.position, Refusal):
            raise info.context.position
        return info.context.position


@strawberry.type(description="O que se pode mudar. Várias mutações em uma operação acontecem na ordem escrita.")
class Mutation(_joined(mutations)):
    pass


@strawberry.type(description="O que se pode acompanhar enquanto muda: por WebSocket, ou por eventos do servidor (SSE).")
class Subscription(_joined(subscriptions)):
    pass


def kinds_of_rows() -> list[KindOfRow]:
    """What a process that keeps rows in memory must know of the rows of all resources."""
    return [KindOfRow(one.service, one.kind, one.shows) for one in map(resource_of, RESOURCES)]


def build() -> strawberry.Schema:
    """Builds the schema as an object of Strawberry."""
    return strawberry.Schema(
        query=Query, mutation=Mutation, subscription=Subscription, types=[CodigoExtensions], config=CONFIG
    )


def core(schema: strawberry.Schema) -> GraphQLSchema:
    """The same schema as an object of graphql-core, ready to be executed. Raises SchemaError for what cannot be."""
    found: GraphQLSchema = schema._schema  # pyright: ignore[reportPrivateUsage]  # it has no public name
    return adapt(found)
