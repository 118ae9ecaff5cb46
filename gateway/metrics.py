"""The gateway's own metrics: operations, and how often the caches had them."""

import re
import time
from collections.abc import Iterable, Sequence

from graphql import GraphQLError, OperationDefinitionNode
from prometheus_client.metrics_core import CounterMetricFamily, Metric

from chassis.observe.meters import BoundedLabel, Counter, Histogram, MetricsReader, Number
from gateway.errors import code_of_error

OPERATIONS = Counter("graphql_operations_total", "Operations by what became of them.", ("operation", "type", "outcome"))
OPERATION_SECONDS = Histogram("graphql_operation_duration_seconds", "Time of one operation.", ("operation", "type"))
COST = Counter("graphql_cost_total", "What operations have cost: requests and rows.", ("operation", "type"))
PLANS = Counter("graphql_plan_cache_requests_total", "Plans by whether they were remembered.", ("result",))
PLAN_HIT, PLAN_MISS = PLANS.labels("hit"), PLANS.labels("miss")
DOCUMENTS, DOCUMENT_MISSES = Number(), Number()
"""How many documents were requested, and how many of them were not in the cache."""
BATCH_KEYS = Histogram(
    "graphql_batch_keys", "Keys of one bulk read.", ("service",), (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000)
)

DEPRECATED = Counter(
    "graphql_deprecated_uses_total",
    "Operations that use what is deprecated, by what and by client.",
    ("field", "client"),
)
client_label = BoundedLabel(100)

MOST_NAMES = 200
"""How many operation names get a label of their own. Since clients choose the names, all further names count as
`other`."""
LONGEST_NAME = 100
# The codes of errors that the client has caused.
REFUSALS = frozenset(
    {"BAD_USER_INPUT", "NOT_FOUND", "CONFLICT", "UNAUTHENTICATED", "FORBIDDEN", "RATE_LIMITED", "LIMIT_EXCEEDED"}
)
ALL_NULL = re.compile(rb'null|\{(?:"\w+":null,?)*\}')
"""Matches data that is null, or whose root fields are all null."""


class _OperationMeters:
    """The meters of one operation."""

    __slots__ = ("cost", "outcomes", "seconds")

    def __init__(self, name: str, kind: str) -> None:
        self.seconds, self.cost = OPERATION_SECONDS.labels(name, kind), COST.labels(name, kind)
        self.outcomes = {
            outcome: OPERATIONS.labels(name, kind, outcome) for outcome in ("ok", "partial", "refused", "failed")
        }


_names: set[str] = set()
_operations: dict[tuple[str, str], _OperationMeters] = {}


def record_operation(
    operation: OperationDefinitionNode, began: float, cost: int, data: bytes | None, errors: Sequence[GraphQLError]
) -> None:
    """Counts an operation that has ended. `began` is its start, by `time.perf_counter()`; `cost` is 0 if it did not get
    that far."""
    key = (_name_label(name_of(operation)), operation.operation.value)
    meters = _operations.get(key)
    if meters is None:
        meters = _operations[key] = _OperationMeters(*key)
    meters.seconds.observe(time.perf_counter() - began)
    meters.cost.value += cost
    meters.outcomes[outcome(data, errors) if errors else "ok"].value += 1


def record_deprecated(coordinates: Iterable[str], client: str) -> None:
    """Counts an operation that uses these deprecated parts of the schema."""
    label = client_label(client)
    for coordinate in coordinates:
        DEPRECATED.labels(coordinate, label).value += 1


def record_refusal(began: float) -> None:
    """Counts a request that was refused before its operation was known."""
    meters = _operations.get(("unknown", "unknown"))
    if meters is None:
        meters = _operations["unknown", "unknown"] = _OperationMeters("unknown", "unknown")
    meters.seconds.observe(time.perf_counter() - began)
    meters.outcomes["refused"].value += 1


def outcome(data: bytes | None, errors: Sequence[GraphQLError]) -> str:
    """The outcome of an operation with errors.

    It is `partial` if some root field has data. Otherwise it is `refused` if the client caused all errors, else
    `failed`.
    """
    if data is not None and not ALL_NULL.fullmatch(data):
        return "partial"
    return "refused" if all(code_of_error(error) in REFUSALS for error in errors) else "failed"


def name_of(operation: OperationDefinitionNode) -> str:
    """The operation's name, shortened to `LONGEST_NAME` characters, since a client can send a name of any length."""
    return operation.name.value[:LONGEST_NAME] if operation.name else "anonymous"


def _name_label(name: str) -> str:
    """The name, or `other` if there are already `MOST_NAMES` names."""
    if name in _names:
        return name
    if len(_names) >= MOST_NAMES:
        return "other"
    _names.add(name)
    return name


def _document_cache() -> Iterable[Metric]:
    help = "Documents by whether they were remembered, parsed and validated."
    family = CounterMetricFamily("graphql_document_cache_requests_total", help, labels=("result",))
    family.add_metric(("hit",), DOCUMENTS.value - DOCUMENT_MISSES.value)
    family.add_metric(("miss",), DOCUMENT_MISSES.value)
    yield family


MetricsReader(_document_cache)
