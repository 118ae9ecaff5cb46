"""Filters and orders: the typed inputs of GraphQL, and the JSON that the services' richer read takes for them."""

import dataclasses
from typing import Any

import strawberry
from strawberry import UNSET

from chassis.errors import invalid, over_limit
from chassis.pagination import MAX_IDS
from gateway.loaders import Loaders
from gateway.names import camel
from gateway.resources import AnyResource
from gateway.schema.scalars import Instante, int_id


@strawberry.input(description="Condições sobre um id; todas as que forem dadas devem valer.")
class IdFilter:
    eq: strawberry.ID | None = strawberry.field(default=UNSET, description="Igual a.")
    in_: list[strawberry.ID] | None = strawberry.field(default=UNSET, name="in", description="Um destes.")


@strawberry.input(description="Condições sobre um nome; todas as que forem dadas devem valer.")
class NomeFilter:
    eq: str | None = strawberry.field(default=UNSET, description="Exatamente este nome.")
    in_: list[str] | None = strawberry.field(default=UNSET, name="in", description="Exatamente um destes nomes.")
    contains: str | None = strawberry.field(
        default=UNSET, description="Contém este trecho, sem distinguir maiúsculas nem acentos."
    )
    starts_with: str | None = strawberry.field(
        default=UNSET, description="Começa com este trecho, sem distinguir maiúsculas nem acentos."
    )


@strawberry.input(description="Condições sobre uma data e hora; todas as que forem dadas devem valer.")
class DataHoraFilter:
    eq: Instante | None = strawberry.field(default=UNSET, description="Exatamente neste instante.")
    gt: Instante | None = strawberry.field(default=UNSET, description="Depois de.")
    gte: Instante | None = strawberry.field(default=UNSET, description="Neste instante ou depois.")
    lt: Instante | None = strawberry.field(default=UNSET, description="Antes de.")
    lte: Instante | None = strawberry.field(default=UNSET, description="Neste instante ou antes.")


@dataclasses.dataclass(frozen=True)
class Nested:
    """A filter on what another service owns: `{pessoa: {...}}` becomes `{"pessoa_id": {"in": [...]}}`."""

    resource: AnyResource
    becomes: str


async def rest_filter(given: Any, loaders: Loaders, path: str = "filter") -> dict[str, Any]:
    """A filter input as the services' JSON. What another service owns is asked of it first, one call for each part.

    Raises Invalid for a null or an id that is none, and for a part that matches more than `MAX_IDS`.
    """
    members: dict[str, Any] = {}
    for field in dataclasses.fields(given):
        value = getattr(given, field.name)
        if value is UNSET:
            continue
        here = f"{path}.{camel(field.name)}"
        if value is None:
            raise invalid(here, "NULL", "não pode ser nulo")
        name = field.name.removesuffix("_")
        nested = getattr(field, "metadata", {}).get("nested")
        if name in ("and", "or"):
            members[name] = [await rest_filter(one, loaders, f"{here}.{n}") for n, one in enumerate(value)]
        elif name == "not":
            members[name] = await rest_filter(value, loaders, here)
        elif isinstance(nested, Nested):
            ids = await _matching(nested, await rest_filter(value, loaders, here), loaders, here)
            # Beside a condition on the id itself, both must hold.
            members.setdefault("and", []).append({nested.becomes: {"in": ids}})
        else:
            members[name] = _operators(value, here)
    return members


def _operators(given: Any, path: str) -> dict[str, Any]:
    operators: dict[str, Any] = {}
    for field in dataclasses.fields(given):
        value: Any = getattr(given, field.name)
        if value is UNSET:
            continue
        name = field.name.removesuffix("_")
        here = f"{path}.{camel(name)}"
        if value is None:
            raise invalid(here, "NULL", "não pode ser nulo")
        if isinstance(given, IdFilter):
            value = int_id(value, here) if name == "eq" else [int_id(one, here) for one in value]
        operators[name] = value
    return operators


async def _matching(nested: Nested, filter: dict[str, Any], loaders: Loaders, path: str) -> list[int]:
    found = await loaders.ids(nested.resource, filter)
    if found.has_next:
        message = f"mais de {MAX_IDS} resultados correspondem; restrinja este filtro"
        raise over_limit(path, message)
    return found.ids
