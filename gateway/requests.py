"""A GraphQL request, whatever transport brings it: its parts, what it charges its caller, and why it is refused."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import orjson
from graphql import GraphQLError, OperationDefinitionNode
from starlette.types import Scope

from chassis.errors import Malformed
from gateway.errors import PersistedQueryNotSupportedError, formatted
from gateway.execution.documents import Document
from gateway.execution.operation import Executor

if TYPE_CHECKING:  # loaded where there is a limit only
    from chassis.identity.rates import RateLimit


@dataclass
class GraphQLRequest:
    """A GraphQL request, as the specification names its parts."""

    query: str | None
    """None when the request contains only the hash of a persisted query."""
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


class RequestError(Exception):
    """A request error of the GraphQL specification: nothing of the request can be executed."""

    def __init__(self, errors: Sequence[GraphQLError]) -> None:
        super().__init__()
        self.errors = errors


class Account:
    """Charges one request to its caller's share of the rate limit. Without one (`rates` is None) nothing happens."""

    def __init__(self, rates: "RateLimit | None", scope: Scope) -> None:
        self._rates, self._scope = rates, scope
        self.headers: dict[str, str] = {}
        """The `RateLimit` headers of the answer; empty until something is charged."""

    @property
    def limited(self) -> bool:
        return self._rates is not None

    async def charge(self, cost: int) -> None:
        """Charges `cost`. Raises RateLimited when the share is used up, and then charges nothing."""
        if self._rates is not None:
            self.headers = await self._rates.charge(self._scope, cost)

    async def charge_minimum(self) -> None:
        """Charges 1 if nothing was charged yet, since refusing a request is work too. Raises RateLimited."""
        if not self.headers:
            await self.charge(1)


def find_operation(
    executor: Executor, asked: GraphQLRequest, introspection: bool
) -> tuple[Document, OperationDefinitionNode]:
    """The validated document, and the operation in it that is asked for. Raises RequestError."""
    if asked.query is None:
        raise RequestError([PersistedQueryNotSupportedError()])
    try:
        document = executor.prepare(asked.query, introspection)
        if document.errors:
            raise RequestError(document.errors)
        return document, document.operation(asked.operation_name)
    except GraphQLError as failure:
        raise RequestError([failure]) from None


def errors_text(errors: Sequence[GraphQLError]) -> bytes:
    """The GraphQL response to a request of which nothing was executed."""
    return orjson.dumps({"errors": [formatted(error) for error in errors]})
