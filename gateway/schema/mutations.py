"""What every mutation shares: an input as a REST body, a mendable refusal as the payload's `errors`."""

import dataclasses
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any

import strawberry
from pydantic import TypeAdapter, ValidationError
from strawberry import UNSET

from chassis.errors import DeadlineExceeded, FieldError, Invalid, NotFound, Unavailable
from chassis.text import Name
from chassis.web.validation import refuse_fields
from gateway.context import MENDABLE, Context, Info
from gateway.declarations import MutationOutcome, MutationWrite, PayloadErrors, PayloadRow
from gateway.names import camel
from gateway.resources import AnyResource
from gateway.schema.codes import CodigoErro, of_the_list
from gateway.schema.links import ById
from gateway.schema.scalars import int_id, python_arguments

NAME = TypeAdapter[str](Name)


@strawberry.type(description="Um erro que quem chamou pode corrigir.")
class Erro:
    code: str = strawberry.field(description="O que há de errado, para programas.", graphql_type=CodigoErro)
    field: str | None = strawberry.field(description="O campo recusado, se o erro é de um campo.")
    message: str = strawberry.field(description="A explicação, em português, para pessoas.")


@strawberry.type
class Payload:
    errors: list[Erro] = strawberry.field(
        description="O que corrigir; vazio se deu certo.", metadata={"declaration": PayloadErrors()}
    )


def changed(description: str) -> Any:
    """The payload's object."""
    return strawberry.field(resolver=_row, description=description, metadata={"declaration": PayloadRow()})


def _row(root: Any) -> Any:
    return root.row


def creates(resource: AnyResource, given: type, description: str) -> Any:
    """POSTs the input."""

    async def write(context: Context, input: Any) -> MutationOutcome:
        return await _write(context, resource, "POST", None, input)

    async def resolve(root: Any, info: Info, input: Any) -> Any:
        return await write(info.context, input)

    resolve.__annotations__["input"] = Annotated[given, strawberry.argument(description="Os campos.")]
    return _mutation(resolve, write, description)


def updates(resource: AnyResource, given: type, description: str) -> Any:
    """PATCHes what the input gives."""

    async def write(context: Context, id: str, input: Any) -> MutationOutcome:
        return await _write(context, resource, "PATCH", id, input)

    async def resolve(root: Any, info: Info, id: ById, input: Any) -> Any:
        return await write(info.context, id, input)

    resolve.__annotations__["input"] = Annotated[given, strawberry.argument(description="O que mudar.")]
    return _mutation(resolve, write, description)


def deletes(resource: AnyResource, description: str) -> Any:
    """DELETEs, and answers what was deleted."""

    async def write(context: Context, id: str) -> MutationOutcome:
        return await _write(context, resource, "DELETE", id, None)

    async def resolve(root: Any, info: Info, id: ById) -> Any:
        return await write(info.context, id)

    return _mutation(resolve, write, description)


def _mutation(resolve: Callable[..., Any], write: Callable[..., Awaitable[MutationOutcome]], description: str) -> Any:
    declared = MutationWrite(write, python_arguments)
    return strawberry.mutation(resolver=resolve, description=description, metadata={"declaration": declared})


async def _write(context: Context, resource: AnyResource, method: str, id: str | None, given: Any) -> MutationOutcome:
    """One write to the row `id`, or of a new one, under a key of its own. The next one's key must not depend on how
    this one ends; nor, since nobody knows what became of a write whose answer is lost, what is remembered after it."""
    headers = {"Idempotency-Key": context.next_key(), "Prefer": "return=representation"}
    loaders = context.loaders
    remote = loaders.remote(resource, "write")
    body, no_ids = _body(given)
    try:
        member = None if id is None else int_id(id, "id")
    except Invalid as no_id:
        return _refused(given, [*no_id.errors, *no_ids], _faults(body))
    path = resource.path if member is None else f"{resource.path}{member}/"
    loaders.forget()
    try:
        row = await context.write(remote, method, path, resource.written(member), body, headers)
    except MENDABLE as refusal:
        whole = FieldError("id" if isinstance(refusal, NotFound) else "", refusal.code, refusal.detail)
        return _refused(given, no_ids, refusal.errors or [whole])
    except (Unavailable, DeadlineExceeded):
        if not no_ids:
            raise
        return _refused(given, no_ids)  # the caller can mend these, whoever is away
    finally:
        loaders.forget()
    return MutationOutcome(row, [])


def _body(given: Any) -> tuple[dict[str, Any] | None, list[FieldError]]:
    """The members that were given, by their REST names; and the ids among them that are none.

    Those go as an empty text, which the service refuses beside all else that is wrong: it alone can tell whether the
    others are ids of anything.
    """
    if given is None:
        return None, []
    body: dict[str, Any] = {}
    no_ids: list[FieldError] = []
    for field in dataclasses.fields(given):
        value = getattr(given, field.name)
        if value is UNSET:
            continue
        if field.name.endswith("_id") and value is not None:
            try:
                value = int_id(value, field.name)
            except Invalid as no_id:
                value = ""
                no_ids += no_id.errors
        body[field.name] = value
    return body, no_ids


def _faults(body: dict[str, Any] | None) -> list[FieldError]:
    """What is wrong with the names and the nulls of an input, where there is no row to send it for."""
    faults: list[FieldError] = []
    for field, value in (body or {}).items():
        try:
            if value is None or field.startswith("nome_"):
                NAME.validate_python(value)
        except ValidationError as failure:
            faults += refuse_fields(failure, field).errors
    return faults


def _refused(given: Any, no_ids: Sequence[FieldError], others: Sequence[FieldError] = ()) -> MutationOutcome:
    """What there is to mend, in the order of the form."""
    named = {error.field for error in no_ids}
    wrong = [*no_ids, *(error for error in others if error.field not in named)]
    form = ["", "id", *(field.name for field in dataclasses.fields(given))] if given else ["", "id"]
    wrong.sort(key=lambda error: form.index(error.field) if error.field in form else len(form))
    return MutationOutcome(
        None, [Erro(code=of_the_list(one.code), field=camel(one.field) or None, message=one.message) for one in wrong]
    )
