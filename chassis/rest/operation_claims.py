"""Claims an `Idempotency-Key` for operations that write to several services, such as the gateway's.

Each write of such an operation has a key of its own at the service that it changes, and no service sees what the others
were asked under the same client's key. So the operation first claims the client's key at one of the services, whichever
services it writes to. A claim is kept as long as an answer is, and costs one row.
"""

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from chassis.db.database import Transaction
from chassis.db.idempotency import IdempotentRequest
from chassis.errors import Forbidden, Malformed, challenge
from chassis.request import context
from chassis.request.caller import ANYBODY
from chassis.request.idempotency_key import key_of
from chassis.web.body import read_body

PATH = "/operations/"


def add_to(app: FastAPI) -> None:
    """Adds PUT `/operations/{operation}/`, which claims the request's key for that operation, and DELETE, which
    releases it."""
    path = PATH + "{operation}/"
    app.add_route(path, _claim, methods=["PUT"], include_in_schema=False)
    app.add_route(path, _release, methods=["DELETE"], include_in_schema=False)


async def _claim(request: Request) -> Response:
    """Answers 200, also when the operation has the claim already, and 422 when another operation has it."""
    await read_body(request)
    return await _idempotent_request(request).transaction(_claim_response)


async def _claim_response(_transaction: Transaction) -> Response:
    return Response(b"{}", media_type="application/json")


async def _release(request: Request) -> Response:
    await _idempotent_request(request).forget()
    return Response(status_code=204)


def _idempotent_request(request: Request) -> IdempotentRequest:
    """The claim that the request is about. A caller who may write to none of the services is refused, and so cannot
    fill this one's table."""
    caller = context.current().caller
    caller.require()
    if caller is not ANYBODY and not any(scope.endswith(":write") for scope in caller.scopes):
        raise Forbidden("falta um escopo de escrita", headers=challenge("insufficient_scope"))
    key = key_of(request)
    if key is None:
        raise Malformed("falta a Idempotency-Key")
    return IdempotentRequest(request, key, None, request.app.state.database, method="PUT")
