"""What every mutation shares: an input as a REST body, a mendable refusal as the payload's `errors`."""

import dataclasses
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import strawberry
from strawberry import UNSET

from chassis.errors import FieldError, NotFound
from gateway.context import MENDABLE, Context, Info
from gateway.execution.compiler import Changed, Refusals, Writes
from gateway.execution.plan import Outcome
from gateway.names import camel
from gateway.resources import AnyResource
from gateway.schema.links import ById
from gateway.schema.scalars import int_id, python_arguments


@strawberry.type(description="Um erro que quem chamou pode corrigir.")
class Erro:
    code: str = strawberry.field(description="Código estável, em inglês, para programas.")
    field: str | None = strawberry.field(description="O campo recusado, se o erro é de um campo.")
    message: str = strawberry.field(description="A explicação, em português, para pessoas.")


@strawberry.type
class Payload:
    errors: list[Erro] = strawberry.field(
        description="O que corrigir; vazio se deu certo.", metadata={"plan": Refusals()}
    )


def changed(description: str) -> Any:
    """The payload's object."""
    return strawberry.field(resolver=_row, description=description, metadata={"plan": Changed()})


def _row(root: Any) -> Any:
    return root.row


def creates(resource: AnyResource, given: type, description: str) -> Any:
    """POSTs the input."""

    async def write(context: Context, input: Any) -> Outcome:
        return await _write(context, resource, "POST", None, input)

    async def resolve(root: Any, info: Info, input: Any) -> Any:
        return await write(info.context, input)

    resolve.__annotations__["input"] = Annotated[given, strawberry.argument(description="Os campos.")]
    return _mutation(resolve, write, description)


def updates(resource: AnyResource, given: type, description: str) -> Any:
    """PATCHes what the input gives."""

    async def write(context: Context, id: str, input: Any) -> Outcome:
        return await _write(context, resource, "PATCH", id, input)

    async def resolve(root: Any, info: Info, id: ById, input: Any) -> Any:
        return await write(info.context, id, input)

    resolve.__annotations__["input"] = Annotated[given, strawberry.argument(description="O que mudar.")]
    return _mutation(resolve, write, description)


def deletes(resource: AnyResource, description: str) -> Any:
    """DELETEs, and answers what was deleted."""

    async def write(context: Context, id: str) -> Outcome:
        return await _write(context, resource, "DELETE", id, None)

    async def resolve(root: Any, info: Info, id: ById) -> Any:
        return await write(info.context, id)

    return _mutation(resolve, write, description)


def _mutation(resolve: Callable[..., Any], write: Callable[..., Awaitable[Outcome]], description: str) -> Any:
    declared = Writes(write, python_arguments)
    return strawberry.mutation(resolver=resolve, description=description, metadata={"plan": declared})


async def _write(context: Context, resource: AnyResource, method: str, id: str | None, given: Any) -> Outcome:
    """One write to the row `id`, or of a new one, under a key of its own. The next one's key must not depend on how
    this one ends; nor, since nobody knows what became of a write whose answer is lost, what is remembered after it."""
    headers = {"Idempotency-Key": context.next_key(), "Prefer": "return=representation"}
    loaders = context.loaders
    remote = loaders.remote(resource, "write")
    try:
        member = None if id is None else int_id(id, "id")
        path = resource.path if member is None else f"{resource.path}{member}/"
        body = _body(given)
        loaders.forget()
        try:
            row = await context.write(remote, method, path, resource.written(member), body, headers)
        finally:
            loaders.forget()
    except MENDABLE as refusal:
        found = refusal.errors or [
            FieldError("id" if isinstance(refusal, NotFound) else "", refusal.code, refusal.detail)
        ]
        return Outcome(
            None, [Erro(code=one.code, field=camel(one.field) or None, message=one.message) for one in found]
        )
    return Outcome(row, [])


def _body(given: Any) -> dict[str, Any] | None:
    """The members that were given, by their REST names; references are integers there."""
    if given is None:
        return None
    found = {field.name: getattr(given, field.name) for field in dataclasses.fields(given)}
    return {
        name: int_id(value, camel(name)) if name.endswith("_id") and value is not None else value
        for name, value in found.items()
        if value is not UNSET
    }
