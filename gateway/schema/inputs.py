"""The inputs of a resource's mutations, and the REST bodies that are made from them."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import strawberry
from pydantic import TypeAdapter, ValidationError
from strawberry import UNSET

from chassis.errors import FieldError, Invalid
from chassis.text import Name
from chassis.web.validation import refuse_fields
from gateway.declarations import EmbeddedObject
from gateway.rows import int_id
from gateway.schema.fields import RowField, collection_of, fields_of, made_type, value_type
from gateway.schema.scalars import rest_value
from gateway.schema.words import sentence, words

NAME_ADAPTER = TypeAdapter[str](Name)


@dataclasses.dataclass(frozen=True)
class WrittenMember:
    """A member of a resource that clients write, and what the two inputs say of it."""

    name: str
    kind: Any
    nullable: bool
    has_default: bool
    created: str
    updated: str


def _written_members(kind: type) -> Iterator[WrittenMember]:
    for one in fields_of(kind):
        name = one.python_name
        match one.metadata.get("row") or one.metadata.get("declaration"):
            case RowField(written=True, rule=rule) as declared:
                noun = words(declared.noun)
                yield WrittenMember(
                    name, *value_type(one), declared.has_default, f"{noun.the}{rule}", f"{noun.the_new}{rule}"
                )
            case EmbeddedObject():
                noun = words(one.metadata["noun"])
                created, updated = (f"o id {of}; {noun.it} deve existir" for of in (noun.of_the, noun.of_the_new))
                yield WrittenMember(f"{name}_id", strawberry.ID, False, False, created, updated)
            case _:
                pass


def create_input(kind: type) -> type:
    """The input with all that a new row needs. What may be null or has a default may be left out."""
    members = {
        one.name: _member(one, one.created, optional=one.nullable or one.has_default) for one in _written_members(kind)
    }
    described = f"O que é preciso para criar {words(collection_of(kind).one).one}."
    return strawberry.input(made_type(f"Criar{kind.__name__}Input", members), description=described)


def update_input(kind: type) -> type:
    """The input with what can be changed, all of which may be left out."""
    members = {one.name: _member(one, one.updated, optional=True) for one in _written_members(kind)}
    described = f"O que mudar {words(collection_of(kind).one).in_the}; o que não for dado fica como está."
    return strawberry.input(made_type(f"Atualizar{kind.__name__}Input", members), description=described)


def _member(one: WrittenMember, said: str, *, optional: bool) -> tuple[Any, Any]:
    metadata = {"nullable": one.nullable}
    if optional:
        return one.kind | None, strawberry.field(default=UNSET, description=sentence(said), metadata=metadata)
    return one.kind, strawberry.field(description=sentence(said), metadata=metadata)


def rest_body(given: Any) -> tuple[dict[str, Any] | None, list[FieldError]]:
    """The members that were given, by their REST names, and an error for each invalid id among them.

    An invalid id is sent as an empty text. So the service refuses the write and reports all other errors as well, among
    them ids without a row, which only the service can find.
    """
    if given is None:
        return None, []
    body: dict[str, Any] = {}
    invalid_ids: list[FieldError] = []
    for field, value in _given_members(given):
        if field.name.endswith("_id") and value is not None:
            try:
                value = int_id(value, field.name)
            except Invalid as error:
                value = ""
                invalid_ids += error.errors
        body[field.name] = rest_value(value)
    return body, invalid_ids


def errors_of(given: Any) -> list[FieldError]:
    """The errors in the names and nulls of an input that cannot be sent because the row's id is invalid."""
    errors: list[FieldError] = []
    for field, value in _given_members(given):
        if value is None and field.metadata["nullable"]:
            continue
        try:
            if value is None or field.name.startswith("nome_"):
                NAME_ADAPTER.validate_python(value)
        except ValidationError as failure:
            errors += refuse_fields(failure, field.name).errors
    return errors


def _given_members(given: Any) -> list[tuple[Any, Any]]:
    """The members of an input that the client gave, each as its field and its value."""
    members = [(field, getattr(given, field.name)) for field in dataclasses.fields(given)] if given else []
    return [(field, value) for field, value in members if value is not UNSET]
