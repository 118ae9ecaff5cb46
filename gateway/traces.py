"""What the span of a request says of its GraphQL operation, by OpenTelemetry's conventions for GraphQL servers.

The document and its variables are left out, since they may contain names of persons. There is no span for a field.
"""

from collections.abc import Mapping, Sequence
from functools import partial

from graphql import GraphQLError, OperationDefinitionNode

from chassis.request.context import current
from gateway.errors import code_of_error
from gateway.metrics import REFUSALS, name_of


def name_span(operation: OperationDefinitionNode) -> None:
    """Names the current request's span after the operation, if it is recorded."""
    trace = current().trace
    if trace and trace.recording:
        trace.recording.describe = partial(_described, operation)


def _described(operation: OperationDefinitionNode) -> tuple[str, Mapping[str, str]]:
    kind = operation.operation.value
    name = {"graphql.operation.name": name_of(operation)} if operation.name else {}
    return kind, {"graphql.operation.type": kind, **name}


def mark_failure(errors: Sequence[GraphQLError]) -> None:
    """Marks the current request as failed if one of the errors is not the client's, since the answer may be a 200."""
    trace = current().trace
    if trace and trace.recording:
        trace.recording.failure = next((code for one in errors if (code := code_of_error(one)) not in REFUSALS), "")
