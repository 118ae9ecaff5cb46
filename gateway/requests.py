"""A GraphQL request, whatever transport brings it: its parts, what it charges its caller, how it is run, and why it is
refused."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import orjson
from graphql import GraphQLError, OperationDefinitionNode
from msgspec import Struct
from starlette.types import Scope

from chassis.errors import Malformed, RateLimited, Refusal
from chassis.neighbours.follower import FeedPosition, Follower
from chassis.neighbours.remote import Remote
from chassis.neighbours.row_cache import Caches
from chassis.request.addresses import network
from chassis.request.context import current
from gateway import metrics, traces
from gateway.context import Claim, Context
from gateway.errors import PersistedQueryNotSupportedError, code_of, formatted, formatted_all, log_faults
from gateway.execution.documents import Document
from gateway.execution.operation import Executor
from gateway.execution.picture import picture
from gateway.loaders import NO_POSITIONS, Loaders
from gateway.positions import positions_text

if TYPE_CHECKING:  # loaded where there is a limit only
    from chassis.identity.rates import RateLimit

NO_HEADERS: Mapping[str, str] = {}
CLIENT_NAMES = ("graphql-client-name", "apollographql-client-name")
"""Where a client program says what it calls itself: the header of most of them, and Apollo's."""
CLIENT_NAME_HEADERS = tuple(name.encode() for name in CLIENT_NAMES)
ENCODER = json.JSONEncoder(ensure_ascii=False)


class GraphQLRequest(Struct):
    """A GraphQL request, as the specification names its parts."""

    query: str | None
    """None when the request contains only the hash of a persisted query."""
    operation_name: str | None
    variables: dict[str, Any] | None
    shows_plan: bool = False
    """Whether the answer tells the plan too: `extensions.plan`, our own extension."""
    read_after: str = ""
    """Over a WebSocket, which has no headers, what `Read-After` is over HTTP: `extensions.readAfter`."""

    @classmethod
    def of(cls, parameters: Any) -> "GraphQLRequest":
        """Checks the types of the parts. Raises Malformed."""
        if not isinstance(parameters, dict):
            raise Malformed("o corpo deve ser um objeto JSON com o membro query")
        parts = cast("dict[str, Any]", parameters)
        query, name, variables = parts.get("query"), parts.get("operationName"), parts.get("variables")
        extensions = parts.get("extensions")
        if not isinstance(query, str) or not query.strip():
            hash_only = query is None and isinstance(extensions, dict) and "persistedQuery" in extensions
            if not hash_only:
                raise Malformed("falta o membro query, um texto")
        if name is not None and not isinstance(name, str):
            raise Malformed("operationName deve ser um texto")
        if variables is not None and not isinstance(variables, dict):
            raise Malformed("variables deve ser um objeto")
        if extensions is None:
            return cls(query, name, cast("dict[str, Any] | None", variables))
        shows_plan, read_after = _extensions(extensions)
        return cls(query, name, cast("dict[str, Any] | None", variables), shows_plan, read_after)


def _extensions(given: Any) -> tuple[bool, str]:
    """Whether the request asks for its plan, and the writes that its answer must show. Raises Malformed."""
    if not isinstance(given, dict):
        raise Malformed("extensions deve ser um objeto")
    ours = cast("dict[str, Any]", given)
    shows_plan, read_after = ours.get("plan"), ours.get("readAfter") or ""
    if shows_plan not in (None, True, False):
        raise Malformed("extensions.plan deve ser true ou false")
    if not isinstance(read_after, str):
        raise Malformed("extensions.readAfter deve ser um texto")
    return bool(shows_plan), read_after


class RequestError(Exception):
    """A request error of the GraphQL specification: nothing of the request can be executed."""

    def __init__(self, errors: Sequence[GraphQLError]) -> None:
        super().__init__()
        self.errors = errors


class Account:
    """Charges one request to its caller's share of the rate limit. Without one (`rates` is None) nothing happens."""

    __slots__ = ("_client", "_rates", "headers")

    def __init__(self, rates: "RateLimit | None", scope: Scope) -> None:
        # a subscription keeps its account, and should not keep the whole request with it
        self._rates, self._client = rates, scope.get("client")
        self.headers: Mapping[str, str] = NO_HEADERS
        """The `RateLimit` headers of the answer; empty until something is charged."""

    @property
    def limited(self) -> bool:
        return self._rates is not None

    @property
    def who(self) -> str:
        """Who is charged: the token's subject, or the address; of IPv6 the whole /64."""
        subject = current().caller.subject
        address: str = (self._client or ("",))[0]
        return f"address {network(address)}" if subject is None else f"subject {subject}"

    async def charge(self, cost: int) -> None:
        """Charges `cost`. Raises RateLimited when the share is used up, and then charges nothing."""
        if self._rates is not None:
            self.headers = await self._rates.charge({"client": self._client}, cost)

    async def charge_minimum(self) -> None:
        """Charges 1 if nothing was charged yet, since refusing a request is work too. Raises RateLimited."""
        if not self.headers:
            await self.charge(1)

    async def charge_refusal(self, refusal: Refusal) -> Refusal:
        """Charges the minimum for a refused request. Returns `refusal`, or the one of a caller who has nothing left."""
        if not isinstance(refusal, RateLimited):
            try:
                await self.charge_minimum()
            except RateLimited as limited:
                return limited
        return refusal


class GraphQLAnswer(Struct):
    """The answer to one request: the GraphQL response as JSON, and what HTTP needs to know of it."""

    content: bytes
    executed: bool = False
    """Whether an operation was executed, even if some of its fields failed."""
    status: int | None = None
    """The status of a refusal. None: the specification says which, by the media type."""
    headers: Mapping[str, str] = NO_HEADERS
    written: Mapping[str, FeedPosition] | None = None
    """The positions of the writes of a mutation."""


class Operations:
    """Finds and runs the operations that are asked for, over one schema and the services that `remotes` names. `rates`
    is the rate limit of the callers; None means that there is no limit. `caches` are the rows that are kept in memory;
    None means that none are."""

    def __init__(
        self,
        executor: Executor,
        remotes: Mapping[str, Remote],
        rates: "RateLimit | None",
        followers: Mapping[str, Follower],
        *,
        filter_max_ids: int,
        introspection: bool,
        caches: Caches | None = None,
    ) -> None:
        self.executor, self.remotes, self.rates, self.caches = executor, remotes, rates, caches
        self._followers = followers
        self.filter_max_ids, self.introspection = filter_max_ids, introspection

    async def find(self, asked: GraphQLRequest, account: Account) -> tuple[Document, OperationDefinitionNode]:
        """The validated document, and the operation in it that is asked for. Raises RequestError, RateLimited."""
        try:
            if asked.query is None:
                raise PersistedQueryNotSupportedError
            if asked.shows_plan and not self.introspection:
                raise GraphQLError("extensions.plan: o plano só é mostrado onde a introspecção é permitida")
            document = self.executor.prepare(asked.query, self.introspection)
            if not document.errors:
                return document, document.operation(asked.operation_name)
            failure = RequestError(document.errors)
        except GraphQLError as error:
            failure = RequestError([error])
        await account.charge_minimum()
        raise failure

    async def run(
        self,
        document: Document,
        operation: OperationDefinitionNode,
        asked: GraphQLRequest,
        account: Account,
        began: float,
        *,
        key: str | None = None,
        client: str = "",
        shows_cost: bool = False,
        shows_writes: bool = False,
        read_after: Mapping[str, FeedPosition] = NO_POSITIONS,
    ) -> GraphQLAnswer:
        """Executes a query or a mutation. `key` is the client's idempotency key, `client` what the client program calls
        itself, and `read_after` how far the answer must show what was written. With `shows_writes` the content says how
        far that is for others, where no header can. Raises Refusal."""
        loaders = Loaders(self.remotes, self.filter_max_ids, self.caches, read_after)
        context = Context(loaders, key, followers=self._followers)
        if key:
            name = operation.name.value if operation.name else None
            context.claim = Claim(self.remotes, key, asked.query or "", name, asked.variables)
        try:
            charge = account.charge if account.limited else None
            result = await self.executor.run(document, operation, asked.variables, context, charge)
            if context.claim:
                await context.release_unused_claim()
        finally:
            loaders.cancel_reads()
        if result.data is None:
            await account.charge_minimum()
        metrics.record_operation(operation, began, result.cost, result.data, result.errors)
        if result.deprecated:
            metrics.record_deprecated(result.deprecated, client)
        if result.data is None:
            return GraphQLAnswer(errors_text(result.errors))
        content = [b'{"data":', result.data]
        if result.errors:
            log_faults(result.errors)
            traces.mark_failure(result.errors)
            content += b',"errors":', orjson.dumps(formatted_all(result.errors))
        extensions: dict[str, Any] = {}
        if shows_cost:
            extensions["cost"] = {"requested": result.cost, "allowed": self.executor.limits.max_cost}
        if asked.shows_plan and result.plan:
            extensions["plan"] = picture(result.plan)
        if loaders.stale:
            extensions["stale"] = loaders.stale
        if shows_writes and context.positions:
            extensions["readAfter"] = positions_text(context.positions)
        if extensions:
            content += b',"extensions":', orjson.dumps(extensions)
        return GraphQLAnswer(b"".join((*content, b"}")), executed=True, written=context.positions)


def client_name(headers: Mapping[bytes, bytes]) -> str:
    """What the client program calls itself; empty if it does not say."""
    usual, apollo = CLIENT_NAME_HEADERS
    return (headers.get(usual) or headers.get(apollo, b"")).decode("latin-1")


def errors_text(errors: Sequence[GraphQLError]) -> bytes:
    """The GraphQL response to a request of which nothing was executed."""
    return orjson.dumps({"errors": [formatted(error) for error in errors]})


def refusal_error(refusal: Refusal) -> dict[str, Any]:
    """A refusal of a whole request, as an error of a GraphQL response."""
    code = code_of(refusal)
    if code == "INTERNAL" and refusal.status < 500:  # a refusal of HTTP's own: 405, 406, 415
        code = "BAD_USER_INPUT"
    extensions: dict[str, Any] = {"code": code}
    if code == "INTERNAL" and (trace := current().trace):
        extensions["trace_id"] = trace.trace_id
    if isinstance(refusal, RateLimited):
        extensions |= {"limit": "RATE_LIMIT", "retry_after": refusal.retry_after}
    return {"message": refusal.detail, "extensions": extensions}


def require_unicode(parameters: Any) -> None:
    """Raises Malformed for a lone surrogate: JSON can spell one (`"\\ud800"`), but no service can be sent it."""
    try:
        ENCODER.encode(parameters).encode()
    except UnicodeEncodeError:
        raise Malformed("há um texto que não é Unicode: um surrogate sem o seu par") from None
    except RecursionError:
        raise Malformed("o corpo está aninhado demais") from None
