"""Filters and orders: the typed inputs of GraphQL, and the JSON that the services' richer read takes for them."""

import dataclasses
from collections.abc import Mapping
from typing import Any, cast

import strawberry
from pydantic import ValidationError
from strawberry import UNSET

from chassis.errors import invalid, over_limit
from chassis.query.models import FILTER_BOUNDS, MAX_FILTER_TERMS, NameFilter, over_bounds
from chassis.query.pagination import MAX_IDS
from chassis.text import TEXT_MAX
from chassis.web.validation import refuse_fields
from gateway.loaders import Loaders
from gateway.names import camel
from gateway.resources import AnyResource
from gateway.schema.scalars import Instante, int_id, int_ids

LETTERS = f"de até {TEXT_MAX} caracteres"
AND = "Todas devem valer; uma lista vazia vale sempre."
OR = "Uma ao menos deve valer; uma lista vazia nunca vale."
NOT = "Não deve valer."


@strawberry.input(description="Condições sobre um id; todas as que forem dadas devem valer.")
class IdFilter:
    eq: strawberry.ID | None = strawberry.field(default=UNSET, description="Igual a.")
    in_: list[strawberry.ID] | None = strawberry.field(
        default=UNSET, name="in", description=f"Um destes, no máximo {MAX_IDS}; de uma lista vazia, nenhum."
    )


@strawberry.input(description="Condições sobre um nome; todas as que forem dadas devem valer.")
class NomeFilter:
    eq: str | None = strawberry.field(default=UNSET, description=f"Exatamente este nome, {LETTERS}.")
    in_: list[str] | None = strawberry.field(
        default=UNSET,
        name="in",
        description=f"Exatamente um destes nomes, no máximo {MAX_IDS}, cada um {LETTERS}; de uma lista vazia, nenhum.",
    )
    contains: str | None = strawberry.field(
        default=UNSET,
        description=f"Contém este trecho, {LETTERS}, sem distinguir maiúsculas nem acentos.",
        metadata={"search": True},
    )
    starts_with: str | None = strawberry.field(
        default=UNSET, description=f"Começa com este trecho, {LETTERS}, sem distinguir maiúsculas nem acentos."
    )


@strawberry.input(description="Condições sobre uma data e hora; todas as que forem dadas devem valer.")
class DataHoraFilter:
    eq: Instante | None = strawberry.field(default=UNSET, description="Exatamente neste instante.")
    gt: Instante | None = strawberry.field(default=UNSET, description="Depois de.")
    gte: Instante | None = strawberry.field(default=UNSET, description="Neste instante ou depois.")
    lt: Instante | None = strawberry.field(default=UNSET, description="Antes de.")
    lte: Instante | None = strawberry.field(default=UNSET, description="Neste instante ou antes.")


@dataclasses.dataclass(frozen=True)
class NestedFilter:
    """A filter on what another service owns: `{pessoa: {...}}` becomes `{"pessoa_id": {"in": [...]}}`."""

    resource: AnyResource
    becomes: str


@dataclasses.dataclass(frozen=True)
class JoinedFilter:
    """A filter on what the same service joins: `{categoria: {id: ...}}` becomes `{"categoria_id": ...}`.

    `names` are the service's names for its members, where they are others.
    """

    names: Mapping[str, str]


async def rest_filter(given: Any, loaders: Loaders) -> dict[str, Any]:
    """A filter input as the services' JSON. What another service owns is asked of it first, one call for each part.

    Raises Invalid, at the place where the client wrote it, for a null, an id or a text that is none, and for more
    conditions or values than there may be: for all that the services would refuse, who see other names and places.
    """
    if (terms := _terms(given)) > MAX_FILTER_TERMS:  # before any of its parts is asked of somebody
        raise over_limit("filter", f"foram pedidas {terms} condições; o máximo é {MAX_FILTER_TERMS}")
    parts: list[FilterPart] = []
    filter = _rest(given, "filter", {}, parts)
    if over_bounds(filter) or any(over_bounds(one.filter) for one in parts):  # the services would refuse it
        raise over_limit("filter", FILTER_BOUNDS)
    for one in parts:  # those that others hang on come first
        one.ids.extend(await _matching(one, loaders))
    return filter


@dataclasses.dataclass(frozen=True)
class FilterPart:
    """A part of a filter that another service answers: `ids` are to hold what matches."""

    nested: NestedFilter
    filter: dict[str, Any]
    path: str
    ids: list[int]


def _terms(given: Any) -> int:
    """How many inputs a filter is made of, at all its levels."""
    if isinstance(given, list):
        return sum(map(_terms, cast("list[Any]", given)))
    if not dataclasses.is_dataclass(given):
        return 0
    return 1 + sum(_terms(getattr(given, field.name)) for field in dataclasses.fields(given))


def _rest(given: Any, path: str, names: Mapping[str, str], parts: list[FilterPart]) -> dict[str, Any]:
    """The filter as JSON; to `parts` comes what must be asked before it is whole."""
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
            found = [_rest(one, f"{here}.{n}", names, parts) for n, one in enumerate(value)]
            members.setdefault(name, []).extend(found)
        elif name == "not":
            members[name] = _rest(value, here, names, parts)
        elif isinstance(nested, JoinedFilter):
            members.setdefault("and", []).append(_rest(value, here, nested.names, parts))
        elif isinstance(nested, NestedFilter):
            part = FilterPart(nested, _rest(value, here, {}, parts), here, [])
            parts.append(part)
            # Beside a condition on the id itself, both must hold.
            members.setdefault("and", []).append({nested.becomes: {"in": part.ids}})
        else:
            members[names.get(name, name)] = _operators(value, here)
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
        if name == "in" and len(value) > MAX_IDS:
            raise over_limit(here, f"foram pedidos {len(value)} valores; o máximo é {MAX_IDS}")
        if isinstance(given, IdFilter):
            value = int_id(value, here) if name == "eq" else int_ids(value, here)
        operators[name] = value
    if isinstance(given, NomeFilter):
        try:
            NameFilter.model_validate(operators)
        except ValidationError as failure:
            raise refuse_fields(failure, path) from None
    return operators


async def _matching(part: FilterPart, loaders: Loaders) -> list[int]:
    found = await loaders.ids(part.nested.resource, part.filter)
    most = loaders.filter_max_ids
    if found.has_next or len(found.ids) > most:
        raise over_limit(part.path, f"mais de {most} resultados correspondem; restrinja este filtro")
    return found.ids
