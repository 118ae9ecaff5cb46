"""Filters: the typed inputs of GraphQL, and their translation to the JSON that the services' queries take."""

import dataclasses
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any, cast

import strawberry
from pydantic import ValidationError
from strawberry import UNSET
from strawberry.types import get_object_definition

from chassis.errors import invalid, over_limit
from chassis.query.models import FILTER_BOUNDS, MAX_FILTER_TERMS, NameFilter, exceeds_bounds
from chassis.query.pagination import MAX_IDS
from chassis.text import TEXT_MAX
from chassis.web.validation import refuse_fields
from gateway.declarations import EmbeddedObject, LinkByKey
from gateway.loaders import Loaders
from gateway.names import camel
from gateway.resources import AnyResource
from gateway.rows import int_id
from gateway.schema.fields import RowField, collection_of, fields_of, made_type, target_of, value_type
from gateway.schema.scalars import Instante, int_ids, rest_value
from gateway.schema.words import words

LENGTH = f"de até {TEXT_MAX} caracteres"
CONTAINS = f"Contém este trecho, {LENGTH}, sem distinguir maiúsculas nem acentos."
STARTS_WITH = f"Começa com este trecho, {LENGTH}, sem distinguir maiúsculas nem acentos."
ONE_OF = f"Um destes, no máximo {MAX_IDS}; de uma lista vazia, nenhum."
AND = "Todas devem valer; uma lista vazia vale sempre."
OR = "Uma ao menos deve valer; uma lista vazia nunca vale."
NOT = "Não deve valer."


def operator(description: str, *, name: str | None = None, search: bool = False) -> Any:
    """A member of a filter. With `search`, the service may have to look through all rows, which the cost counts."""
    metadata = {"search": True} if search else {}
    return strawberry.field(default=UNSET, name=name, description=description, metadata=metadata)


@strawberry.input(description="Condições sobre um id; todas as que forem dadas devem valer.")
class IdFilter:
    eq: strawberry.ID | None = operator("Igual a.")
    in_: list[strawberry.ID] | None = operator(ONE_OF, name="in")


@strawberry.input(description="Condições sobre um nome; todas as que forem dadas devem valer.")
class NomeFilter:
    eq: str | None = operator(f"Exatamente este nome, {LENGTH}.")
    in_: list[str] | None = operator(
        f"Exatamente um destes nomes, no máximo {MAX_IDS}, cada um {LENGTH}; de uma lista vazia, nenhum.", name="in"
    )
    contains: str | None = operator(CONTAINS, search=True)
    starts_with: str | None = operator(STARTS_WITH)


@strawberry.input(description="Condições sobre um texto; todas as que forem dadas devem valer.")
class TextoExatoFilter:
    eq: str | None = operator(f"Exatamente este texto, {LENGTH}.", search=True)
    in_: list[str] | None = operator(
        f"Exatamente um destes textos, no máximo {MAX_IDS}, cada um {LENGTH}; de uma lista vazia, nenhum.",
        name="in",
        search=True,
    )


@strawberry.input(description="Condições sobre um texto; todas as que forem dadas devem valer.")
class TextoFilter(TextoExatoFilter):
    contains: str | None = operator(CONTAINS, search=True)
    starts_with: str | None = operator(STARTS_WITH)


def _number_filter(name: str, kind: Any, noun: str) -> type:
    """The conditions on a number."""
    members = {
        "eq": (kind | None, operator("Igual a.", search=True)),
        "in_": (list[kind] | None, operator(ONE_OF, name="in", search=True)),
        "gt": (kind | None, operator("Maior que.", search=True)),
        "gte": (kind | None, operator("Maior que ou igual a.", search=True)),
        "lt": (kind | None, operator("Menor que.", search=True)),
        "lte": (kind | None, operator("Menor que ou igual a.", search=True)),
    }
    description = f"Condições sobre {noun}; todas as que forem dadas devem valer."
    return strawberry.input(made_type(name, members), description=description)


InteiroFilter = _number_filter("InteiroFilter", int, "um número inteiro")
NumeroDecimalFilter = _number_filter("NumeroDecimalFilter", Decimal, "um número decimal")


@strawberry.input(description="Uma condição sobre um sim ou não.")
class SimNaoFilter:
    eq: bool | None = operator("Igual a.", search=True)


@strawberry.input(description="Condições sobre uma data; todas as que forem dadas devem valer.")
class DataFilter:
    eq: date | None = operator("Neste dia.", search=True)
    in_: list[date] | None = operator(ONE_OF, name="in", search=True)
    gt: date | None = operator("Depois deste dia.", search=True)
    gte: date | None = operator("Neste dia ou depois.", search=True)
    lt: date | None = operator("Antes deste dia.", search=True)
    lte: date | None = operator("Neste dia ou antes.", search=True)


@strawberry.input(description="Condições sobre uma data e hora; todas as que forem dadas devem valer.")
class DataHoraFilter:
    eq: Instante | None = operator("Exatamente neste instante.")
    gt: Instante | None = operator("Depois de.")
    gte: Instante | None = operator("Neste instante ou depois.")
    lt: Instante | None = operator("Antes de.")
    lte: Instante | None = operator("Neste instante ou antes.")


@cache
def choice_filter(choices: type[Enum]) -> type:
    """The conditions on a choice: `SituacaoFilter` for the enum `Situacao`."""
    kind = cast("Any", choices)
    members = {
        "eq": (kind | None, operator("Igual a.", search=True)),
        "in_": (list[kind] | None, operator(ONE_OF, name="in", search=True)),
    }
    description = "Condições sobre uma escolha; todas as que forem dadas devem valer."
    return strawberry.input(made_type(f"{choices.__name__}Filter", members), description=description)


@cache
def or_null(operators: type) -> type:
    """The same conditions and whether the field is null, for one that may be: `TextoOuNuloFilter` for `TextoFilter`."""
    members = {"is_null": (bool | None, operator("Se é nulo.", search=True))}
    made = made_type(f"{operators.__name__.removesuffix('Filter')}OuNuloFilter", members, operators)
    return strawberry.input(made, description=get_object_definition(operators, strict=True).description)


@dataclasses.dataclass(frozen=True)
class NestedFilter:
    """A filter on rows that another service owns: `{pessoa: {...}}` becomes `{"pessoa_id": {"in": [...]}}`."""

    resource: AnyResource
    id_field: str


@dataclasses.dataclass(frozen=True)
class JoinedFilter:
    """A filter on rows that the same service joins: `{categoria: {id: ...}}` becomes `{"categoria_id": ...}`.

    `names` translates the members whose names in the service are different.
    """

    names: Mapping[str, str]


_FILTERS: dict[type, type] = {}


def filter_of(kind: type) -> type:
    """The input with the conditions on a resource: on its id, on its fields and links, and `and`, `or` and `not`.

    The class is remembered before its members are made, because these may lead back to it.
    """
    if kind in _FILTERS:
        return _FILTERS[kind]
    made: Any = type(f"{kind.__name__}Filter", (), {"__annotations__": {}})
    _FILTERS[kind] = made

    def condition(name: str, on: Any, description: str, alias: str | None = None, nested: Any = None) -> None:
        metadata = {"nested": nested} if nested else {}
        made.__annotations__[name] = on | None
        setattr(made, name, strawberry.field(default=UNSET, name=alias, description=description, metadata=metadata))

    condition("id", IdFilter, "Condições sobre o id.")
    for one in fields_of(kind):
        name, noun = one.python_name, one.metadata.get("noun", "")
        match one.metadata.get("row") or one.metadata.get("declaration"):
            case RowField(filter=type() as operators) as declared:
                operators = or_null(operators) if value_type(one)[1] else operators
                condition(name, operators, f"Condições sobre {declared.noun}.")
            case LinkByKey() as declared:
                nested = NestedFilter(declared.resource, declared.key)
                condition(name, filter_of(target_of(one)), f"Condições sobre {noun}.", nested=nested)
            case EmbeddedObject():
                nested = JoinedFilter({"id": f"{name}_id"})
                condition(f"{name}_id", IdFilter, f"Condições sobre o id {words(noun).of_the}.")
                condition(name, filter_of(target_of(one)), f"Condições sobre {noun}.", nested=nested)
            case _:
                pass
    condition("and_", list[made], AND, alias="and")
    condition("or_", list[made], OR, alias="or")
    condition("not_", made, NOT, alias="not")
    description = f"Condições sobre {words(collection_of(kind).one).one}; todas as que forem dadas devem valer."
    return strawberry.input(made, description=description)


async def rest_filter(given: Any, loaders: Loaders) -> dict[str, Any]:
    """A filter input as the services' JSON.

    First, each nested filter is sent to the service that owns its rows, one after the other, for the ids that match.

    Raises Invalid for nulls, invalid ids or texts, and too many conditions or values. The services would refuse these
    too, but with REST's names and paths; the errors raised here have the paths that the client wrote.
    """
    if (terms := _count_terms(given)) > MAX_FILTER_TERMS:  # checked before any service is asked
        raise over_limit("filter", f"foram pedidas {terms} condições; o máximo é {MAX_FILTER_TERMS}")
    remote: list[RemoteCondition] = []
    filter = _rest_condition(given, "filter", {}, remote)
    if exceeds_bounds(filter) or any(exceeds_bounds(one.filter) for one in remote):  # the services would refuse it
        raise over_limit("filter", FILTER_BOUNDS)
    for one in remote:  # inner conditions come first in this list, since the outer ones need their ids
        one.ids.extend(await _matching_ids(one, loaders))
    return filter


@dataclasses.dataclass(frozen=True)
class RemoteCondition:
    """A condition of a filter that another service must answer. `ids` is empty at first; the matching ids go there."""

    nested: NestedFilter
    filter: dict[str, Any]
    path: str
    ids: list[int]


def _count_terms(given: Any) -> int:
    """How many input objects a filter consists of, at all levels."""
    if isinstance(given, list):
        return sum(map(_count_terms, cast("list[Any]", given)))
    if not dataclasses.is_dataclass(given):
        return 0
    return 1 + sum(_count_terms(getattr(given, field.name)) for field in dataclasses.fields(given))


def _rest_condition(given: Any, path: str, names: Mapping[str, str], remote: list[RemoteCondition]) -> dict[str, Any]:
    """The filter as JSON. The conditions that other services must answer are added to `remote`."""
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
            found = [_rest_condition(one, f"{here}.{n}", names, remote) for n, one in enumerate(value)]
            members.setdefault(name, []).extend(found)
        elif name == "not":
            members[name] = _rest_condition(value, here, names, remote)
        elif isinstance(nested, JoinedFilter):
            members.setdefault("and", []).append(_rest_condition(value, here, nested.names, remote))
        elif isinstance(nested, NestedFilter):
            condition = RemoteCondition(nested, _rest_condition(value, here, {}, remote), here, [])
            remote.append(condition)
            # In `and`, because there may also be a condition on the id itself, and both must hold.
            members.setdefault("and", []).append({nested.id_field: {"in": condition.ids}})
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
        operators[name] = rest_value(value)
    if isinstance(given, NomeFilter | TextoExatoFilter):
        try:
            NameFilter.model_validate({name: value for name, value in operators.items() if name != "is_null"})
        except ValidationError as failure:
            raise refuse_fields(failure, path) from None
    return operators


async def _matching_ids(condition: RemoteCondition, loaders: Loaders) -> list[int]:
    found = await loaders.ids(condition.nested.resource, condition.filter)
    most = loaders.filter_max_ids
    if found.has_next or len(found.ids) > most:
        raise over_limit(condition.path, f"mais de {most} resultados correspondem; restrinja este filtro")
    return found.ids
