"""What all mutations share: an input becomes a REST body, and a refusal that can be corrected becomes `errors`."""

import dataclasses
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any

import strawberry
from pydantic import TypeAdapter, ValidationError
from strawberry import UNSET

from chassis.errors import DeadlineExceeded, FieldError, Invalid, NotFound, Unavailable
from chassis.text import Name
from chassis.web.validation import refuse_fields
from gateway.context import CORRECTABLE, Context, Info
from gateway.declarations import MutationOutcome, MutationWrite, PayloadErrors, PayloadRow
from gateway.names import camel
from gateway.resources import AnyResource
from gateway.schema.codes import CodigoErro, known_code
from gateway.schema.links import ById
from gateway.schema.scalars import int_id, python_arguments

NAME_ADAPTER = TypeAdapter[str](Name)


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


def payload_row(description: str) -> Any:
    """The payload's object: the written row."""
    return strawberry.field(resolver=_outcome_row, description=description, metadata={"declaration": PayloadRow()})


def _outcome_row(root: Any) -> Any:
    return root.row


def creates(resource: AnyResource, given: type, description: str) -> Any:
    """A mutation that sends its input with POST."""

    async def write(context: Context, input: Any) -> MutationOutcome:
        return await _write(context, resource, "POST", None, input)

    async def resolve(root: Any, info: Info, input: Any) -> Any:
        return await write(info.context, input)

    resolve.__annotations__["input"] = Annotated[given, strawberry.argument(description="Os campos.")]
    return _mutation(resolve, write, description)


def updates(resource: AnyResource, given: type, description: str) -> Any:
    """A mutation that sends the members of its input that are given, with PATCH."""

    async def write(context: Context, id: str, input: Any) -> MutationOutcome:
        return await _write(context, resource, "PATCH", id, input)

    async def resolve(root: Any, info: Info, id: ById, input: Any) -> Any:
        return await write(info.context, id, input)

    resolve.__annotations__["input"] = Annotated[given, strawberry.argument(description="O que mudar.")]
    return _mutation(resolve, write, description)


def deletes(resource: AnyResource, description: str) -> Any:
    """A mutation that sends DELETE. Its payload has the deleted row."""

    async def write(context: Context, id: str) -> MutationOutcome:
        return await _write(context, resource, "DELETE", id, None)

    async def resolve(root: Any, info: Info, id: ById) -> Any:
        return await write(info.context, id)

    return _mutation(resolve, write, description)


def _mutation(resolve: Callable[..., Any], write: Callable[..., Awaitable[MutationOutcome]], description: str) -> Any:
    declared = MutationWrite(write, python_arguments)
    return strawberry.mutation(resolver=resolve, description=description, metadata={"declaration": declared})


async def _write(context: Context, resource: AnyResource, method: str, id: str | None, given: Any) -> MutationOutcome:
    """One write of the row `id`, or of a new row if `id` is None, under an idempotency key of its own.

    The key is taken first, so that the next write's key does not depend on whether this one succeeds. The loaders
    forget their rows in any case, since a write whose answer is lost may have been done.
    """
    headers = {"Idempotency-Key": context.next_key(), "Prefer": "return=representation"}
    loaders = context.loaders
    remote = loaders.remote(resource, "write")
    body, invalid_ids = _body(given)
    try:
        row_id = None if id is None else int_id(id, "id")
    except Invalid as error:
        return _refused(given, [*error.errors, *invalid_ids], _body_errors(body))
    path = resource.path if row_id is None else f"{resource.path}{row_id}/"
    loaders.forget()
    try:
        row = await context.write(remote, method, path, resource.write_decoder(row_id), body, headers)
    except CORRECTABLE as refusal:
        error_of_write = FieldError("id" if isinstance(refusal, NotFound) else "", refusal.code, refusal.detail)
        return _refused(given, invalid_ids, refusal.errors or [error_of_write])
    except (Unavailable, DeadlineExceeded):
        if not invalid_ids:
            raise
        return _refused(given, invalid_ids)  # the caller can correct these, although a service is unavailable
    finally:
        loaders.forget()
    return MutationOutcome(row, [])


def _body(given: Any) -> tuple[dict[str, Any] | None, list[FieldError]]:
    """The members that were given, by their REST names, and an error for each invalid id among them.

    An invalid id is sent as an empty text. So the service refuses the write and reports all other errors as well, among
    them ids without a row, which only the service can find.
    """
    if given is None:
        return None, []
    body: dict[str, Any] = {}
    invalid_ids: list[FieldError] = []
    for field in dataclasses.fields(given):
        value = getattr(given, field.name)
        if value is UNSET:
            continue
        if field.name.endswith("_id") and value is not None:
            try:
                value = int_id(value, field.name)
            except Invalid as error:
                value = ""
                invalid_ids += error.errors
        body[field.name] = value
    return body, invalid_ids


def _body_errors(body: dict[str, Any] | None) -> list[FieldError]:
    """The errors in the names and nulls of an input that cannot be sent because the row's id is invalid."""
    errors: list[FieldError] = []
    for field, value in (body or {}).items():
        try:
            if value is None or field.startswith("nome_"):
                NAME_ADAPTER.validate_python(value)
        except ValidationError as failure:
            errors += refuse_fields(failure, field).errors
    return errors


def _refused(given: Any, invalid_ids: Sequence[FieldError], others: Sequence[FieldError] = ()) -> MutationOutcome:
    """The outcome of a write that was refused. The errors are in the order of the input's fields."""
    named = {error.field for error in invalid_ids}
    wrong = [*invalid_ids, *(error for error in others if error.field not in named)]
    order = ["", "id", *(field.name for field in dataclasses.fields(given))] if given else ["", "id"]
    wrong.sort(key=lambda error: order.index(error.field) if error.field in order else len(order))
    return MutationOutcome(
        None, [Erro(code=known_code(one.code), field=camel(one.field) or None, message=one.message) for one in wrong]
    )
