"""Whose `Idempotency-Key` it is: kept here for operations that write to several services, such as the gateway's.

Each write of such an operation has a key of its own, at the service that it changes, and no service sees what the
others were asked under the same client's key. So the operation first claims its key at one of them, whichever services
it writes to. A claim is kept as long as an answer is, and costs one row.
"""

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from chassis.db.database import Transaction
from chassis.db.idempotency import IdempotentRequest
from chassis.errors import Forbidden, Malformed, challenge
from chassis.request import context
from chassis.request.caller import ANYBODY
from chassis.web.body import read_body

PATH = "/operations/"


def add_to(app: FastAPI) -> None:
    """PUT `/operations/{operation}/` claims the request's key for that operation; DELETE gives it back."""
    path = PATH + "{operation}/"
    app.add_route(path, _claim, methods=["PUT"], include_in_schema=False)
    app.add_route(path, _release, methods=["DELETE"], include_in_schema=False)


async def _claim(request: Request) -> Response:
    """200 also for the operation that has it already; 422 for another one."""
    await read_body(request)
    return await _idempotent_request(request).transaction(_claim_response)


async def _claim_response(_transaction: Transaction) -> Response:
    return Response(b"{}", media_type="application/json")


async def _release(request: Request) -> Response:
    await _idempotent_request(request).forget()
    return Response(status_code=204)


def _idempotent_request(request: Request) -> IdempotentRequest:
    """The claim that a request is about. Who may write to none of the services leaves no rows in this one."""
    caller = context.current().caller
    caller.require()
    if caller is not ANYBODY and not any(scope.endswith(":write") for scope in caller.scopes):
        raise Forbidden("falta um escopo de escrita", headers=challenge("insufficient_scope"))
    if "idempotency-key" not in request.headers:
        raise Malformed("falta a Idempotency-Key")
    return IdempotentRequest(request, None, request.app.state.database, method="PUT")
