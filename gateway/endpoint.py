"""GraphQL over HTTP, to the letter of the specification (https://graphql.github.io/graphql-over-http/).

POST with a JSON body, GET for queries only. The answer is `application/graphql-response+json` when the client's Accept
names it (then a request that cannot be executed is a 4xx), else `application/json` (then it is a 200 with errors).
A browser's GET shows GraphiQL.
"""

import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import orjson
from graphql import GraphQLError
from starlette.requests import Request
from starlette.responses import Response

from chassis.errors import Malformed, MethodNotAllowed, NotAcceptable, RateLimited, Refusal, TooLarge
from chassis.neighbours.remote import Remote
from chassis.request import context
from chassis.request.idempotency_key import key_of
from chassis.web.body import parse, received, require_media_type
from chassis.web.negotiation import names, quality
from chassis.web.problem import broken
from chassis.web.query_string import given, is_text
from gateway import metrics, playground
from gateway.context import Claim, Context
from gateway.errors import PersistedQueryNotSupportedError, code_of, formatted, log_faults, shown
from gateway.execution.operation import Executor, is_query
from gateway.loaders import Loaders

if TYPE_CHECKING:  # loaded where there is a limit only
    from chassis.identity.rates import RateLimit

log = logging.getLogger("graphql")

JSON = "application/json"
GRAPHQL_JSON = "application/graphql-response+json"
HTML = "text/html"
Headers = dict[bytes, bytes]
"""A request's headers, by their names in lower case."""
ENCODER = json.JSONEncoder(ensure_ascii=False)


@dataclass
class GraphQLRequest:
    """A GraphQL request, as the specification names its parts."""

    query: str | None
    """None where only the hash of a persisted query came."""
    operation_name: str | None
    variables: dict[str, Any] | None

    @classmethod
    def of(cls, parameters: Any) -> "GraphQLRequest":
        """Checks the types of the parts. Raises Malformed."""
        if not isinstance(parameters, dict):
            raise Malformed("o corpo deve ser um objeto JSON com o membro query")
        parts = cast("dict[str, Any]", parameters)
        query, name, variables = parts.get("query"), parts.get("operationName"), parts.get("variables")
        extensions = parts.get("extensions")
        hash_only = query is None and isinstance(extensions, dict) and "persistedQuery" in extensions
        if not hash_only and (not isinstance(query, str) or not query.strip()):
            raise Malformed("falta o membro query, um texto")
        if name is not None and not isinstance(name, str):
            raise Malformed("operationName deve ser um texto")
        if variables is not None and not isinstance(variables, dict):
            raise Malformed("variables deve ser um objeto")
        if extensions is not None and not isinstance(extensions, dict):
            raise Malformed("extensions deve ser um objeto")
        return cls(query, name, cast("dict[str, Any] | None", variables))


class GraphQLEndpoint:
    """`/graphql`, over one schema and the services that `remotes` names."""

    def __init__(
        self, executor: Executor, remotes: Mapping[str, Remote], *, filter_max_ids: int, introspection: bool
    ) -> None:
        self.executor, self.remotes = executor, remotes
        self.filter_max_ids, self.introspection = filter_max_ids, introspection
        self.rates: RateLimit | None = None

    async def endpoint(self, request: Request) -> Response:
        """Answers one request."""
        fields: Headers = request.scope["fields"]
        accept = fields.get(b"accept", b"").decode("latin-1")
        if request.method in ("GET", "HEAD") and "query" not in request.query_params and _wants_page(accept):
            return playground.page(asks_for_token=context.current().caller.anonymous)
        media_type, began = JSON, time.perf_counter()
        try:
            media_type = negotiate(accept)
            context.current().caller.require()
            asked = GraphQLRequest.of(await _parameters(request, fields))
            return await self._executed(request, fields, asked, media_type, began)
        except Refusal as refusal:
            return await self._refused(request, refusal, media_type, began)
        except Exception:  # a fault of ours outside of any field: GraphQL's clients must be able to read it too
            log.exception("unhandled exception", extra={"method": request.method, "path": request.url.path})
            return await self._refused(request, broken(), media_type, began)

    async def _refused(self, request: Request, refusal: Refusal, media_type: str, began: float) -> Response:
        metrics.refused(began)
        refusal = await self._charged(request, refusal)
        code = code_of(refusal)
        if code == "INTERNAL" and refusal.status < 500:  # a refusal of HTTP's own: 405, 406, 415
            code = "BAD_USER_INPUT"
        extensions: dict[str, Any] = {"code": code}
        if code == "INTERNAL" and (trace := context.current().trace):
            extensions["trace_id"] = trace.trace_id
        if isinstance(refusal, TooLarge):
            extensions |= self._too_large(request)
        if isinstance(refusal, RateLimited):
            extensions |= {"limit": "RATE_LIMIT", "retry_after": refusal.retry_after}
        error = {"message": refusal.detail, "extensions": extensions}
        return _response({"errors": [error]}, media_type, refusal.status, refusal.headers)

    async def _charged(self, request: Request, refusal: Refusal) -> Refusal:
        """The refusal of a request that was charged nothing yet, charged like a refused document; or that there was
        no room for it either."""
        if not self.rates or isinstance(refusal, RateLimited):
            return refusal
        try:
            refusal.headers |= await self.rates.charge(request.scope, 1)
        except RateLimited as limited:
            return limited
        return refusal

    def _too_large(self, request: Request) -> dict[str, Any]:
        """Which limit a body was over, in the words of the other limits."""
        allowed: int = self.executor.limits.max_body_bytes
        length = request.headers.get("content-length", "")
        return {
            "limit": "MAX_BODY_BYTES",
            "asked": int(length) if length.isdecimal() else allowed + 1,
            "allowed": allowed,
        }

    async def _executed(
        self, request: Request, fields: Headers, asked: GraphQLRequest, media_type: str, began: float
    ) -> Response:
        executor, rates = self.executor, self.rates
        standing: dict[str, str] = {}

        async def charge(cost: int) -> None:
            if rates:
                standing.update(await rates.charge(request.scope, cost))

        async def refuse(errors: Sequence[GraphQLError]) -> Response:
            await charge(1)  # judging a document is work too
            metrics.refused(began)
            return _request_error(errors, media_type, standing)

        if asked.query is None:
            return await refuse([PersistedQueryNotSupportedError()])
        try:
            document = executor.prepare(asked.query, self.introspection)
            if document.errors:
                return await refuse(document.errors)
            operation = document.operation(asked.operation_name)
        except GraphQLError as failure:
            return await refuse([failure])
        if request.method != "POST" and not is_query(operation):
            raise MethodNotAllowed("por GET só consultas; para mutações use POST", headers={"Allow": "POST"})
        request.scope["logged"] = {"operation": metrics.name_of(operation)}
        loaders = Loaders(self.remotes, self.filter_max_ids)
        context = Context(loaders)
        if b"idempotency-key" in fields:
            context.idempotency_key = key = key_of(request)
            name = operation.name.value if operation.name else None
            context.claim = Claim(self.remotes, key, asked.query, name, asked.variables) if key else None
        try:
            result = await executor.run(document, operation, asked.variables, context, charge if rates else None)
            if context.claim:
                await context.settle()
        finally:
            loaders.give_up()
        if result.data is None and not standing:
            await charge(1)
        metrics.ended(operation, began, result.data, result.errors)
        if result.data is None:
            return _request_error(result.errors, media_type, standing)
        body = [b'{"data":', result.data]
        if result.errors:
            log_faults(result.errors)
            body += b',"errors":', orjson.dumps(shown(result.errors))
        if fields.get(b"x-query-cost") == b"1":
            cost = {"requested": result.cost, "allowed": executor.limits.max_cost}
            body += b',"extensions":', orjson.dumps({"cost": cost})
        return JsonResponse(b"".join((*body, b"}")), media_type, headers=standing)


@lru_cache(256)
def negotiate(accept: str) -> str:
    """The media type to answer with. Raises NotAcceptable when the client takes neither."""
    wanted, plain = quality(accept, GRAPHQL_JSON), quality(accept, JSON)
    if not wanted and not plain:
        raise NotAcceptable(f"só há respostas em {GRAPHQL_JSON} e {JSON}")
    # A wildcard is an old client: it gets what it always got.
    return GRAPHQL_JSON if wanted >= plain and (names(accept, GRAPHQL_JSON) or not plain) else JSON


def _wants_page(accept: str) -> bool:
    """Whether a browser asks. Who takes anything is a program, and so is who prefers JSON."""
    page, data = quality(accept, HTML), max(quality(accept, JSON), quality(accept, GRAPHQL_JSON))
    return page > data or (page == data > 0 and names(accept, HTML))


async def _parameters(request: Request, fields: Headers) -> Any:
    if request.method == "POST":
        if fields.get(b"content-type") != JSON.encode() or b"content-encoding" in fields:
            require_media_type(request, (JSON,))
        raw = await received(request)
        parameters = parse(raw)
        if b"\\u" in raw:
            _require_unicode(parameters)
        return parameters
    # In a URL the empty string stands for a parameter that is absent.
    found: dict[str, Any] = {name: text for name, text in given(request.scope["query_string"]) if text}
    if wrong := [name for name, text in found.items() if not is_text(name + text)]:
        raise Malformed(f"{wrong[0].encode(errors='backslashreplace').decode()} não é UTF-8 válido")
    for name in ("variables", "extensions"):
        if name in found:
            found[name] = parse(found[name].encode())
            _require_unicode(found)
    return found


def _require_unicode(parameters: Any) -> None:
    """Raises Malformed for a lone surrogate: JSON can spell one (`"\\ud800"`), but nothing can be sent on with it."""
    try:
        ENCODER.encode(parameters).encode()
    except UnicodeEncodeError:
        raise Malformed("há um texto que não é Unicode: um surrogate sem o seu par") from None
    except RecursionError:
        raise Malformed("o corpo está aninhado demais") from None


def _request_error(errors: Sequence[GraphQLError], media_type: str, headers: dict[str, str] | None = None) -> Response:
    """What could not be executed at all."""
    answer = {"errors": [formatted(error) for error in errors]}
    return _response(answer, media_type, 400 if media_type == GRAPHQL_JSON else 200, headers)


def _response(answer: Any, media_type: str, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return JsonResponse(orjson.dumps(answer), media_type, status, headers)


class JsonResponse(Response):
    """An answer whose usual headers are ready as they are sent: Starlette makes them anew for each."""

    def __init__(self, body: bytes, media_type: str, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.status_code, self.body, self.background = status, body, None
        self.raw_headers = [(b"content-length", b"%d" % len(body)), *USUAL[media_type]]
        if headers:
            self.raw_headers += [(name.lower().encode(), value.encode()) for name, value in headers.items()]


USUAL = {
    media_type: ((b"content-type", f"{media_type}; charset=utf-8".encode()), (b"vary", b"Accept"))
    for media_type in (JSON, GRAPHQL_JSON)
}
