"""The mutations of a resource. A refusal that can be corrected becomes `errors` in the payload."""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache, partial
from typing import Annotated, Any, cast

import strawberry

from chassis.errors import DeadlineExceeded, FieldError, Invalid, NotFound, Unavailable
from gateway.context import CORRECTABLE, Context, Info
from gateway.declarations import MutationOutcome, MutationWrite, PayloadErrors, PayloadRow
from gateway.names import camel, snake
from gateway.resources import AnyResource
from gateway.rows import int_id
from gateway.schema.codes import CodigoErro, known_code
from gateway.schema.fields import collection_of, made_type, resource_of
from gateway.schema.inputs import create_input, errors_of, rest_body, update_input
from gateway.schema.links import ById
from gateway.schema.scalars import python_arguments
from gateway.schema.words import sentence, words


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


@cache
def mutations(kind: type) -> Mapping[str, tuple[Any, Any]]:
    """The fields of `Mutation` for a resource: it can be created, updated and deleted."""
    name, one = snake(kind.__name__), words(collection_of(kind).one)
    created = _payload(kind, "Criar", f"criar {one.one}", f"{one.the} {one.created}")
    updated = _payload(kind, "Atualizar", f"atualizar {one.one}", f"{one.the} como ficou")
    deleted = _payload(kind, "Excluir", f"excluir {one.one}", f"{one.the} que foi {one.deleted}")
    return {
        f"criar_{name}": (created, _creates(kind, f"Cria {one.one}.")),
        f"atualizar_{name}": (updated, _updates(kind, f"Muda o que for dado de {one.one}.")),
        f"excluir_{name}": (deleted, _deletes(kind, f"Exclui {one.one}.")),
    }


def _payload(kind: type, verb: str, done: str, row: str) -> Any:
    """The type of a mutation's payload, or null. Its object is the written row."""
    shown = strawberry.field(
        resolver=_outcome_row,
        description=sentence(f"{row}; null se houve erros"),
        metadata={"declaration": PayloadRow()},
    )
    members = {snake(kind.__name__): (cast("Any", kind) | None, shown)}
    made = made_type(f"{verb}{kind.__name__}Payload", members, Payload)
    return cast("Any", strawberry.type(made, description=f"O resultado de {done}.")) | None


def _outcome_row(root: Any) -> Any:
    return root.row


def _creates(kind: type, description: str) -> Any:
    """A mutation that sends its input with POST."""
    write = partial(_write, resource_of(kind), "POST")

    async def resolve(root: Any, info: Info, input: Any) -> Any:
        return await write(info.context, input=input)

    resolve.__annotations__["input"] = Annotated[create_input(kind), strawberry.argument(description="Os campos.")]
    return _mutation(resolve, write, description)


def _updates(kind: type, description: str) -> Any:
    """A mutation that sends the members of its input that are given, with PATCH."""
    write = partial(_write, resource_of(kind), "PATCH")

    async def resolve(root: Any, info: Info, id: ById, input: Any) -> Any:
        return await write(info.context, id, input)

    resolve.__annotations__["input"] = Annotated[update_input(kind), strawberry.argument(description="O que mudar.")]
    return _mutation(resolve, write, description)


def _deletes(kind: type, description: str) -> Any:
    """A mutation that sends DELETE. Its payload has the deleted row."""
    write = partial(_write, resource_of(kind), "DELETE")

    async def resolve(root: Any, info: Info, id: ById) -> Any:
        return await write(info.context, id)

    return _mutation(resolve, write, description)


def _mutation(resolve: Callable[..., Any], write: Callable[..., Awaitable[MutationOutcome]], description: str) -> Any:
    declared = MutationWrite(write, python_arguments)
    return strawberry.mutation(resolver=resolve, description=description, metadata={"declaration": declared})


async def _write(
    resource: AnyResource, method: str, context: Context, id: str | None = None, input: Any = None
) -> MutationOutcome:
    """One write of the row `id`, or of a new row if `id` is None, under an idempotency key of its own.

    The key is taken first, so that the next write's key does not depend on whether this one succeeds. The loaders
    forget their rows in any case, since a write whose answer is lost may have been done.
    """
    headers = {"Idempotency-Key": context.next_key(), "Prefer": "return=representation"}
    loaders = context.loaders
    remote = loaders.remote(resource, "write")
    body, invalid_ids = rest_body(input)
    try:
        row_id = None if id is None else int_id(id, "id")
    except Invalid as error:
        return _refused(input, [*error.errors, *invalid_ids], errors_of(input))
    path = resource.path if row_id is None else f"{resource.path}{row_id}/"
    loaders.forget(resource, row_id)
    try:
        row = await context.write(remote, method, path, resource.write_decoder(row_id), body, headers)
        row_id = row.id
    except CORRECTABLE as refusal:
        error_of_write = FieldError("id" if isinstance(refusal, NotFound) else "", refusal.code, refusal.detail)
        return _refused(input, invalid_ids, refusal.errors or [error_of_write])
    except (Unavailable, DeadlineExceeded):
        if not invalid_ids:
            raise
        return _refused(input, invalid_ids)  # the caller can correct these, although a service is unavailable
    finally:
        loaders.forget(resource, row_id)
    return MutationOutcome(row, [])


def _refused(given: Any, invalid_ids: Sequence[FieldError], others: Sequence[FieldError] = ()) -> MutationOutcome:
    """The outcome of a write that was refused. The errors are in the order of the input's fields."""
    named = {error.field for error in invalid_ids}
    wrong = [*invalid_ids, *(error for error in others if error.field not in named)]
    order = ["", "id", *(field.name for field in dataclasses.fields(given))] if given else ["", "id"]
    wrong.sort(key=lambda error: order.index(error.field) if error.field in order else len(order))
    return MutationOutcome(
        None, [Erro(code=known_code(one.code), field=camel(one.field) or None, message=one.message) for one in wrong]
    )
