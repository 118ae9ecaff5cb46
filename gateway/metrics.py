"""The gateway's own metrics: operations, how they were run, and what was remembered of them."""

import re
import time
from collections.abc import Iterable, Sequence

from graphql import GraphQLError, OperationDefinitionNode
from prometheus_client.metrics_core import CounterMetricFamily, Metric

from chassis.observe.meters import Counter, Histogram, Number, Read
from gateway.errors import code_of, origin_of

OPERATIONS = Counter("graphql_operations_total", "Operations by what became of them.", ("operation", "type", "outcome"))
OPERATION_SECONDS = Histogram("graphql_operation_duration_seconds", "Time of one operation.", ("operation", "type"))
EXECUTIONS = Counter("graphql_executions_total", "Operations by what executed them.", ("by",))
BY_PLAN, BY_REFERENCE = EXECUTIONS.labels("plan"), EXECUTIONS.labels("reference")
PLANS = Counter("graphql_plan_cache_requests_total", "Plans by whether they were remembered.", ("result",))
PLAN_HIT, PLAN_MISS = PLANS.labels("hit"), PLANS.labels("miss")
DOCUMENTS, DOCUMENT_MISSES = Number(), Number()
"""Documents asked for, and those that had to be prepared."""
BATCH_KEYS = Histogram(
    "graphql_batch_keys", "Keys of one bulk read.", ("service",), (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000)
)

MOST_NAMES = 200
"""Operation names that are told apart; clients choose them, so that those that come later are `other`."""
MOST_LETTERS = 100
REFUSALS = frozenset(
    {"BAD_USER_INPUT", "NOT_FOUND", "CONFLICT", "UNAUTHENTICATED", "FORBIDDEN", "RATE_LIMITED", "LIMIT_EXCEEDED"}
)
NOTHING = re.compile(rb'\{(?:"\w+":null,?)*\}')
"""Data whose root fields are all null."""


class _Operation:
    """The meters of one operation."""

    __slots__ = ("outcomes", "seconds")

    def __init__(self, name: str, kind: str) -> None:
        self.seconds = OPERATION_SECONDS.labels(name, kind)
        self.outcomes = {
            outcome: OPERATIONS.labels(name, kind, outcome) for outcome in ("ok", "partial", "refused", "failed")
        }


_names: set[str] = set()
_operations: dict[tuple[str, str], _Operation] = {}


def ended(operation: OperationDefinitionNode, began: float, data: bytes | None, errors: Sequence[GraphQLError]) -> None:
    """An operation that began at `began`, by `time.perf_counter()`, came to `data` and `errors`."""
    key = (_told_apart(name_of(operation)), operation.operation.value)
    meters = _operations.get(key)
    if meters is None:
        meters = _operations[key] = _Operation(*key)
    meters.seconds.observe(time.perf_counter() - began)
    meters.outcomes[outcome(data, errors) if errors else "ok"].value += 1


def refused(began: float) -> None:
    """A request was refused before it was known which operation it asks for."""
    meters = _operations.get(("unknown", "unknown"))
    if meters is None:
        meters = _operations["unknown", "unknown"] = _Operation("unknown", "unknown")
    meters.seconds.observe(time.perf_counter() - began)
    meters.outcomes["refused"].value += 1


def outcome(data: bytes | None, errors: Sequence[GraphQLError]) -> str:
    """What became of an operation with errors: `refused` when nothing was answered, and that was the client's doing."""
    if data is not None and not NOTHING.fullmatch(data):
        return "partial"
    return "refused" if all(code_of(origin_of(error)) in REFUSALS for error in errors) else "failed"


def name_of(operation: OperationDefinitionNode) -> str:
    """Cut where no one reads on: a name may be as long as a document."""
    return operation.name.value[:MOST_LETTERS] if operation.name else "anonymous"


def _told_apart(name: str) -> str:
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


Read(_document_cache)
