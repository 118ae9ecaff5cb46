"""GraphQL over HTTP, to the letter of the specification (https://graphql.github.io/graphql-over-http/).

POST with a JSON body, GET for queries only. The answer is `application/graphql-response+json` when the client's Accept
names it (then a request that cannot be executed is a 4xx), else `application/json` (then it is a 200 with errors).
A browser's GET shows GraphiQL.
"""

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from chassis.errors import Malformed, MethodNotAllowed, NotAcceptable, RateLimited, Refusal, TooLarge
from chassis.neighbours.remote import Remote
from chassis.request.context import current
from chassis.request.idempotency_key import key_of
from chassis.web.body import parse, read_body, require_media_type
from chassis.web.negotiation import is_named, quality
from chassis.web.problem import broken
from chassis.web.query_string import is_text, parse_query
from gateway import metrics, playground
from gateway.context import Claim, Context
from gateway.errors import code_of, formatted_all, log_faults
from gateway.execution.operation import Executor, is_query
from gateway.loaders import Loaders
from gateway.requests import Account, GraphQLRequest, RequestError, errors_text, find_operation

if TYPE_CHECKING:  # loaded where there is a limit only
    from chassis.identity.rates import RateLimit

log = logging.getLogger("graphql")

JSON = "application/json"
GRAPHQL_JSON = "application/graphql-response+json"
HTML = "text/html"
Headers = dict[bytes, bytes]
"""A request's headers, by their names in lower case."""
ENCODER = json.JSONEncoder(ensure_ascii=False)


@dataclass(slots=True)
class GraphQLAnswer:
    """The answer to one request: the GraphQL response as JSON, and what HTTP needs to know of it."""

    content: bytes
    executed: bool = False
    """Whether an operation was executed, even if some of its fields failed."""
    status: int | None = None
    """The status of a refusal. None: the specification says which, by the media type."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


class GraphQLEndpoint:
    """`/graphql`, over one schema and the services that `remotes` names.

    `respond` is the only way in. It executes or refuses the request, which gives one `GraphQLAnswer`, and writes that.
    `rates` is the rate limit of the callers; None means that there is no limit.
    """

    def __init__(
        self,
        executor: Executor,
        remotes: Mapping[str, Remote],
        rates: "RateLimit | None" = None,
        *,
        filter_max_ids: int,
        introspection: bool,
    ) -> None:
        self.executor, self.remotes = executor, remotes
        self._rates, self.filter_max_ids, self.introspection = rates, filter_max_ids, introspection

    async def respond(self, request: Request) -> Response:
        """Answers one request: a browser with GraphiQL's page, everybody else with a GraphQL response."""
        headers: Headers = request.scope["fields"]
        accept = headers.get(b"accept", b"").decode("latin-1")
        if request.method in ("GET", "HEAD") and "query" not in request.query_params and _wants_page(accept):
            return playground.page(asks_for_token=current().caller.anonymous)
        media_type, began, account = JSON, time.perf_counter(), Account(self._rates, request.scope)
        try:
            media_type = negotiate(accept)
            current().caller.require()
            asked = GraphQLRequest.of(await _parameters(request, headers))
            answer = await self._executed(request, headers, asked, account, began)
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
        status = answer.status or (200 if answer.executed or media_type == JSON else 400)
        return JsonResponse(answer.content, media_type, status, {**account.headers, **answer.headers})

    async def _executed(
        self, request: Request, headers: Headers, asked: GraphQLRequest, account: Account, began: float
    ) -> GraphQLAnswer:
        """Executes the operation that the request asks for. Raises RequestError, Refusal."""
        try:
            document, operation = find_operation(self.executor, asked, self.introspection)
        except RequestError:
            await account.charge_minimum()
            raise
        if request.method != "POST" and not is_query(operation):
            raise MethodNotAllowed("por GET só consultas; para mutações use POST", headers={"Allow": "POST"})
        request.scope["logged"] = {"operation": metrics.name_of(operation)}
        loaders = Loaders(self.remotes, self.filter_max_ids)
        context = Context(loaders)
        if b"idempotency-key" in headers:
            context.idempotency_key = key = key_of(request)
            name = operation.name.value if operation.name else None
            context.claim = Claim(self.remotes, key, asked.query or "", name, asked.variables) if key else None
        try:
            charge = account.charge if account.limited else None
            result = await self.executor.run(document, operation, asked.variables, context, charge)
            if context.claim:
                await context.release_unused_claim()
        finally:
            loaders.cancel_reads()
        if result.data is None:
            await account.charge_minimum()
        metrics.record_operation(operation, began, result.data, result.errors)
        if result.deprecated:
            metrics.record_deprecated(result.deprecated, _client(headers))
        if result.data is None:
            return GraphQLAnswer(errors_text(result.errors))
        content = [b'{"data":', result.data]
        if result.errors:
            log_faults(result.errors)
            content += b',"errors":', orjson.dumps(formatted_all(result.errors))
        if headers.get(b"x-query-cost") == b"1":
            cost = {"requested": result.cost, "allowed": self.executor.limits.max_cost}
            content += b',"extensions":', orjson.dumps({"cost": cost})
        return GraphQLAnswer(b"".join((*content, b"}")), executed=True)

    async def _refused(self, request: Request, refusal: Refusal, account: Account) -> GraphQLAnswer:
        """The answer to a request that is refused with a status of its own, as a GraphQL client can read it."""
        if not isinstance(refusal, RateLimited):
            try:
                await account.charge_minimum()
            except RateLimited as limited:
                refusal = limited
        code = code_of(refusal)
        if code == "INTERNAL" and refusal.status < 500:  # a refusal of HTTP's own: 405, 406, 415
            code = "BAD_USER_INPUT"
        extensions: dict[str, Any] = {"code": code}
        if code == "INTERNAL" and (trace := current().trace):
            extensions["trace_id"] = trace.trace_id
        if isinstance(refusal, TooLarge):
            extensions |= self._too_large(request)
        if isinstance(refusal, RateLimited):
            extensions |= {"limit": "RATE_LIMIT", "retry_after": refusal.retry_after}
        content = orjson.dumps({"errors": [{"message": refusal.detail, "extensions": extensions}]})
        return GraphQLAnswer(content, status=refusal.status, headers=refusal.headers)

    def _too_large(self, request: Request) -> dict[str, Any]:
        """Which limit the body exceeds, with the same members as the other limits have."""
        allowed: int = self.executor.limits.max_body_bytes
        length = request.headers.get("content-length", "")
        return {
            "limit": "MAX_BODY_BYTES",
            "asked": int(length) if length.isdecimal() else allowed + 1,
            "allowed": allowed,
        }


@lru_cache(256)
def negotiate(accept: str) -> str:
    """The media type to answer with. Raises NotAcceptable when the client takes neither."""
    graphql, plain = quality(accept, GRAPHQL_JSON), quality(accept, JSON)
    if not graphql and not plain:
        raise NotAcceptable(f"só há respostas em {GRAPHQL_JSON} e {JSON}")
    # A client that accepts GRAPHQL_JSON only by a wildcard is taken for an old one, and gets JSON as before.
    return GRAPHQL_JSON if graphql >= plain and (is_named(accept, GRAPHQL_JSON) or not plain) else JSON


def _client(headers: Headers) -> str:
    """The name by which the client program calls itself, in the header of most clients or in that of Apollo's."""
    name = headers.get(b"graphql-client-name") or headers.get(b"apollographql-client-name", b"")
    return name.decode("latin-1")


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
            _require_unicode(parameters)
        return parameters
    # In a URL the empty string stands for a parameter that is absent.
    found: dict[str, Any] = {name: text for name, text in parse_query(request.scope["query_string"]) if text}
    if wrong := [name for name, text in found.items() if not is_text(name + text)]:
        raise Malformed(f"{wrong[0].encode(errors='backslashreplace').decode()} não é UTF-8 válido")
    for name in ("variables", "extensions"):
        if name in found:
            found[name] = parse(found[name].encode())
            _require_unicode(found)
    return found


def _require_unicode(parameters: Any) -> None:
    """Raises Malformed for a lone surrogate: JSON can spell one (`"\\ud800"`), but no service can be sent it."""
    try:
        ENCODER.encode(parameters).encode()
    except UnicodeEncodeError:
        raise Malformed("há um texto que não é Unicode: um surrogate sem o seu par") from None
    except RecursionError:
        raise Malformed("o corpo está aninhado demais") from None


class JsonResponse(Response):
    """A response whose usual headers are prepared once. Starlette would make them anew for each response."""

    def __init__(self, body: bytes, media_type: str, status: int, headers: Mapping[str, str]) -> None:
        self.status_code, self.body, self.background = status, body, None
        self.raw_headers = [(b"content-length", b"%d" % len(body)), *USUAL[media_type]]
        if headers:
            self.raw_headers += [(name.lower().encode(), value.encode()) for name, value in headers.items()]


USUAL = {
    media_type: ((b"content-type", f"{media_type}; charset=utf-8".encode()), (b"vary", b"Accept"))
    for media_type in (JSON, GRAPHQL_JSON)
}
