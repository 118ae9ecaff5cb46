"""GraphQL over HTTP, to the letter of the specification (https://graphql.github.io/graphql-over-http/).

POST with a JSON body, GET for queries only. The answer is `application/graphql-response+json` when the client's Accept
names it (then a request that cannot be executed is a 4xx), else `application/json` (then it is a 200 with errors).
A browser's GET shows GraphiQL.
"""

import logging
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson
from graphql import GraphQLError, OperationDefinitionNode
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from chassis.errors import Malformed, MethodNotAllowed, NotAcceptable, Refusal, TooLarge
from chassis.neighbours.follower import FeedPosition
from chassis.neighbours.read_after import HEADER as READ_AFTER
from chassis.neighbours.read_after import parse_positions
from chassis.process.websocket import is_handshake
from chassis.request.context import current
from chassis.request.idempotency_key import key_of
from chassis.web.body import parse, read_body, require_media_type
from chassis.web.negotiation import EVENT_STREAM, is_named, quality
from chassis.web.problem import broken
from chassis.web.query_string import is_text, parse_query
from gateway import metrics, playground, traces
from gateway.execution.documents import Document
from gateway.execution.operation import is_query, is_subscription
from gateway.live.sse import GraphQLStream, GraphQLStreamResponse, whole_stream
from gateway.live.subscriptions import Subscriptions
from gateway.live.websocket import GraphQLSockets
from gateway.loaders import NO_POSITIONS
from gateway.positions import positions_text
from gateway.requests import (
    Account,
    GraphQLAnswer,
    GraphQLRequest,
    Operations,
    RequestError,
    client_name,
    errors_text,
    refusal_error,
    require_unicode,
)

log = logging.getLogger("graphql")

JSON = "application/json"
GRAPHQL_JSON = "application/graphql-response+json"
HTML = "text/html"
NO_STREAM = "uma assinatura vai por WebSocket (subprotocolo graphql-transport-ws) ou com Accept: text/event-stream"
TOLD_BY_EVENTS = (403, 410, 422)
"""Refusals that a client of events gets as an event. A client library would repeat a request with these statuses."""
Headers = dict[bytes, bytes]
"""A request's headers, by their names in lower case."""


class GraphQLEndpoint:
    """`/graphql`: runs operations, and opens subscriptions.

    `respond` is the only way in. It executes or refuses the request, which gives one `GraphQLAnswer`, and writes that.
    """

    def __init__(self, operations: Operations, subscriptions: Subscriptions) -> None:
        self.operations, self.subscriptions = operations, subscriptions
        self._sockets = GraphQLSockets(operations, subscriptions)

    async def respond(self, request: Request) -> ASGIApp:
        """Answers one request: a browser with GraphiQL's page, everybody else with a GraphQL response."""
        headers: Headers = request.scope["fields"]
        accept = headers.get(b"accept", b"").decode("latin-1")
        if request.method in ("GET", "HEAD") and _wants_page(accept):
            return playground.graphiql(asks_for_token=current().caller.anonymous)
        media_type, began, account = JSON, time.perf_counter(), Account(self.operations.rates, request.scope)
        try:
            if b"upgrade" in headers and is_handshake(headers):
                return await self._sockets.accept(request, account)
            media_type = negotiate(accept)
            current().caller.require()
            asked = GraphQLRequest.of(await _parameters(request, headers))
            answer = await self._executed(request, headers, asked, account, began)
            if isinstance(answer, GraphQLStream):
                return GraphQLStreamResponse(answer, account.headers)
        except RequestError as failure:
            metrics.record_refusal(began)
            answer = GraphQLAnswer(errors_text(failure.errors))
        except Refusal as refusal:
            metrics.record_refusal(began)
            answer = await self._refused(request, refusal, account)
        except Exception:  # a fault of ours outside of any field: GraphQL clients must be able to read it
            log.exception("unhandled exception", extra={"method": request.method, "path": request.url.path})
            metrics.record_refusal(began)
            answer = await self._refused(request, broken(), account)
        more = {**account.headers, **answer.headers}
        if answer.written:
            more[READ_AFTER] = positions_text(answer.written)
        if media_type == EVENT_STREAM:
            if answer.status is None or answer.status in TOLD_BY_EVENTS:
                return PreparedResponse(whole_stream(answer.content), EVENT_STREAM, 200, more)
            media_type = GRAPHQL_JSON
        status = answer.status or (200 if answer.executed or media_type == JSON else 400)
        return PreparedResponse(answer.content, media_type, status, more)

    async def _executed(
        self, request: Request, headers: Headers, asked: GraphQLRequest, account: Account, began: float
    ) -> GraphQLAnswer | GraphQLStream:
        """Executes the operation that the request asks for, or opens its stream. Raises RequestError, Refusal."""
        document, operation = await self.operations.find(asked, account)
        traces.name_span(operation)
        if is_subscription(operation):
            request.scope["logged"] = {"operation": metrics.name_of(operation)}
            return await self._subscribed(request, headers, asked, account, document, operation)
        if request.method != "POST" and not is_query(operation):
            raise MethodNotAllowed("por GET só consultas; para mutações use POST", headers={"Allow": "POST"})
        request.scope["logged"] = {"operation": metrics.name_of(operation)}
        return await self.operations.run(
            document,
            operation,
            asked,
            account,
            began,
            key=key_of(request) if b"idempotency-key" in headers else None,
            client=client_name(headers),
            shows_cost=headers.get(b"x-query-cost") == b"1",
            read_after=self._read_after(headers),
        )

    def _read_after(self, headers: Headers) -> Mapping[str, FeedPosition]:
        """How far the answer must show what was written. Raises Malformed."""
        value = headers.get(b"read-after")
        return parse_positions(value.decode("latin-1"), self.operations.remotes) if value else NO_POSITIONS

    async def _subscribed(
        self,
        request: Request,
        headers: Headers,
        asked: GraphQLRequest,
        account: Account,
        document: Document,
        operation: OperationDefinitionNode,
    ) -> GraphQLStream:
        """Opens a subscription whose events are the answer. Raises RequestError, Refusal."""
        if request.method == "HEAD":
            raise MethodNotAllowed("uma assinatura se faz por GET ou POST", headers={"Allow": "GET, POST"})
        if not quality(headers.get(b"accept", b"").decode("latin-1"), EVENT_STREAM):
            await account.charge_minimum()
            raise RequestError([GraphQLError(NO_STREAM)])
        stream = GraphQLStream(self.subscriptions, chunked=request.scope["http_version"] == "1.1")
        last = headers.get(b"last-event-id", b"").decode("latin-1")
        stream.begin(
            await self.subscriptions.open(
                document,
                operation,
                asked.variables,
                stream,
                account=account,
                last_event_id=last or None,
                client=client_name(headers),
            )
        )
        return stream

    async def _refused(self, request: Request, refusal: Refusal, account: Account) -> GraphQLAnswer:
        """The answer to a request that is refused with a status of its own, as a GraphQL client can read it."""
        refusal = await account.charge_refusal(refusal)
        error = refusal_error(refusal)
        if isinstance(refusal, TooLarge):
            error["extensions"] |= self._too_large(request)
        return GraphQLAnswer(orjson.dumps({"errors": [error]}), status=refusal.status, headers=refusal.headers)

    def _too_large(self, request: Request) -> dict[str, Any]:
        """Which limit the body exceeds, with the same members as the other limits have."""
        allowed: int = self.operations.executor.limits.max_body_bytes
        length = request.headers.get("content-length", "")
        return {
            "limit": "MAX_BODY_BYTES",
            "asked": int(length) if length.isdecimal() else allowed + 1,
            "allowed": allowed,
        }


@lru_cache(256)
def negotiate(accept: str) -> str:
    """The media type to answer a query with: events only if the client takes nothing else, since some clients always
    list them too. Raises NotAcceptable when the client takes none."""
    graphql, plain = quality(accept, GRAPHQL_JSON), quality(accept, JSON)
    if not graphql and not plain:
        if quality(accept, EVENT_STREAM) and is_named(accept, EVENT_STREAM):
            return EVENT_STREAM
        raise NotAcceptable(f"só há respostas em {GRAPHQL_JSON}, {JSON} e {EVENT_STREAM}")
    # A client that accepts GRAPHQL_JSON only by a wildcard is taken for an old one, and gets JSON as before.
    return GRAPHQL_JSON if graphql >= plain and (is_named(accept, GRAPHQL_JSON) or not plain) else JSON


def _wants_page(accept: str) -> bool:
    """Whether a browser asks. A client that takes anything, or that prefers JSON, is a program."""
    page, data = quality(accept, HTML), max(quality(accept, JSON), quality(accept, GRAPHQL_JSON))
    return page > data or (page == data > 0 and is_named(accept, HTML))


async def _parameters(request: Request, fields: Headers) -> Any:
    if request.method == "POST":
        if fields.get(b"content-type") != JSON.encode() or b"content-encoding" in fields:
            require_media_type(request, (JSON,))
        raw = await read_body(request)
        parameters = parse(raw)
        if b"\\u" in raw:
            require_unicode(parameters)
        return parameters
    # In a URL the empty string stands for a parameter that is absent.
    found: dict[str, Any] = {name: text for name, text in parse_query(request.scope["query_string"]) if text}
    if wrong := [name for name, text in found.items() if not is_text(name + text)]:
        raise Malformed(f"{wrong[0].encode(errors='backslashreplace').decode()} não é UTF-8 válido")
    for name in ("variables", "extensions"):
        if name in found:
            found[name] = parse(found[name].encode())
            require_unicode(found)
    return found


class PreparedResponse(Response):
    """A response whose usual headers are prepared once. Starlette would make them anew for each response."""

    def __init__(self, body: bytes, media_type: str, status: int, headers: Mapping[str, str]) -> None:
        self.status_code, self.body, self.background = status, body, None
        self.raw_headers = [(b"content-length", b"%d" % len(body)), *USUAL[media_type]]
        if headers:
            self.raw_headers += [(name.lower().encode(), value.encode()) for name, value in headers.items()]


USUAL = {
    media_type: ((b"content-type", f"{media_type}; charset=utf-8".encode()), (b"vary", b"Accept"))
    for media_type in (JSON, GRAPHQL_JSON, EVENT_STREAM)
}
