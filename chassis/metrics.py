"""Every metric of a process, declared in one place; the gateway's own are in `gateway.metrics`.

Names follow Prometheus' conventions. Every label has a bounded set of values, whatever clients send: routes instead of
paths, methods of HTTP, services by name.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from platform import python_version

from prometheus_client import GCCollector, ProcessCollector
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from starlette.routing import BaseRoute, Mount

from chassis.breaker import Breaker
from chassis.bulkhead import Bulkhead, Share
from chassis.errors import DeadlineExceeded, Refusal, Unavailable
from chassis.logging import output
from chassis.meters import REGISTRY, Counter, Gauge, Histogram, Read

ProcessCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

BUILD = Gauge("build_info", "1, for what is running here.", ("process", "version", "python"))


def built(process: str, version: str) -> None:
    """What this process is."""
    BUILD.labels(process, version, python_version()).value = 1


# -- HTTP, as it is asked for ----------------------------------------------------------------------------------------

REQUESTS = Counter(
    "http_requests_total", "Requests by what became of them; none: the client hung up.", ("method", "route", "status")
)
REQUEST_SECONDS = Histogram("http_request_duration_seconds", "Time until the answer had left.", ("method", "route"))
IN_PROGRESS = Gauge("http_requests_in_progress", "Requests being worked on, this scrape too.").labels()

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
CLASSES = ("none", "1xx", "2xx", "3xx", "4xx", "5xx")


class _Route:
    """The meters of one method of one route."""

    __slots__ = ("seconds", "statuses")

    def __init__(self, method: str, route: str) -> None:
        self.seconds = REQUEST_SECONDS.labels(method, route)
        self.statuses = [REQUESTS.labels(method, route, one) for one in CLASSES]


class Requests:
    """Counts an application's requests by its `routes`: by their templates, since there are more paths than memory."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._routes = routes
        self._meters: dict[tuple[str, str], _Route] = {}

    def ended(self, method: str, path: str, status: int, seconds: float) -> None:
        """A request was answered with `status`; with 0, was not."""
        key = (method if method in METHODS else "other", self.route(path))
        meters = self._meters.get(key)
        if meters is None:
            meters = self._meters[key] = _Route(*key)
        meters.seconds.observe(seconds)
        meters.statuses[status // 100].value += 1

    def route(self, path: str) -> str:
        """The template of the route that the path leads to (`/api/pessoas/{id}/`), with or without its final slash."""
        path = path.rstrip("/") or "/"
        if found := self._plain.get(path):
            return found
        return self._below.get(path.rpartition("/")[0]) or next(
            (mount + "/…" for mount in self._mounts if path.startswith(mount + "/")), "other"
        )

    @cached_property
    def _plain(self) -> dict[str, str]:
        """Routes without a parameter, by path; made late, when all routes have been added."""
        return {path.rstrip("/") or "/": path for path in self._paths() if "{" not in path}

    @cached_property
    def _below(self) -> dict[str, str]:
        """Routes whose last segment is a parameter, by what stands before it."""
        cut = ((path.partition("/{")[0], path) for path in self._paths() if "{" in path)
        return {before: before + "/{id}/" for before, path in cut if path.endswith("}/")}

    @cached_property
    def _mounts(self) -> list[str]:
        return [route.path for route in self._routes if isinstance(route, Mount)]

    def _paths(self) -> Iterable[str]:
        return [route.path for route in self._routes if hasattr(route, "path") and not isinstance(route, Mount)]  # pyright: ignore


# -- neighbours, as they are asked -----------------------------------------------------------------------------------

CALLS = Counter("downstream_calls_total", "Calls to a service by what became of them.", ("service", "outcome"))
CALL_SECONDS = Histogram("downstream_call_duration_seconds", "Time of a call, its retry included.", ("service",))
RETRIES = Counter("downstream_retries_total", "Calls that were sent once more.", ("service",))
JOINED = Counter("downstream_reads_joined_total", "Reads that shared the call of an identical one.", ("service",))


class Calls:
    """The meters of the calls to one service."""

    def __init__(self, service: str) -> None:
        self._ok, self._refused, self._unavailable, self._timeout, self._cancelled = (
            CALLS.labels(service, outcome) for outcome in ("ok", "refused", "unavailable", "timeout", "cancelled")
        )
        self._seconds = CALL_SECONDS.labels(service)
        self.retries = RETRIES.labels(service)
        self.joined = JOINED.labels(service)

    def ended(self, seconds: float, failure: BaseException | None = None) -> None:
        """A call came to its end, or to `failure`."""
        self._seconds.observe(seconds)
        if failure is None:
            self._ok.value += 1
        elif isinstance(failure, Unavailable):
            self._unavailable.value += 1
        elif isinstance(failure, DeadlineExceeded):
            self._timeout.value += 1
        elif isinstance(failure, Refusal):
            self._refused.value += 1
        else:
            self._cancelled.value += 1


NEIGHBOURS: dict[str, tuple[tuple[Bulkhead, Bulkhead | Share], Breaker]] = {}
"""What stands before each neighbour that this process asks, the bulkhead of all calls and that of searches among it:
its state is read when it is asked for."""


def _neighbours() -> Iterable[Metric]:
    label = ("service",)
    busy = GaugeMetricFamily("bulkhead_calls_busy", "Calls under way.", labels=label)
    waiting = GaugeMetricFamily("bulkhead_calls_waiting", "Calls that wait for a place.", labels=label)
    searching = GaugeMetricFamily("bulkhead_searches_busy", "Calls under way that are searches.", labels=label)
    opened = GaugeMetricFamily("breaker_open", "1 while the service is not asked.", labels=label)
    openings = CounterMetricFamily("breaker_openings_total", "How often the breaker opened.", labels=label)
    for name, ((bulkhead, searches), breaker) in NEIGHBOURS.items():
        busy.add_metric((name,), bulkhead.busy)
        searching.add_metric((name,), searches.busy)
        waiting.add_metric((name,), bulkhead.waiting + searches.waiting)
        opened.add_metric((name,), breaker.open)
        openings.add_metric((name,), breaker.openings)
    return (busy, searching, waiting, opened, openings)


Read(_neighbours)

# -- the database ----------------------------------------------------------------------------------------------------

STATEMENT_SECONDS = Histogram("database_statement_duration_seconds", "Time of one SQL statement.").labels()

POOL_GAUGES = {
    "pool_max": ("database_pool_connections_max", "Connections the pool may have."),
    "pool_size": ("database_pool_connections", "Connections the pool has."),
    "pool_available": ("database_pool_connections_idle", "Connections of the pool that nobody uses."),
    "requests_waiting": ("database_pool_requests_waiting", "Requests that wait for a connection."),
    "searches_busy": ("database_searches_busy", "Searches under way."),
    "searches_waiting": ("database_searches_waiting", "Searches that wait for their share of the pool."),
}
POOL_COUNTERS = {
    "requests_num": ("database_pool_requests_total", "Requests for a connection."),
    "requests_queued": ("database_pool_requests_queued_total", "Requests for a connection that had to wait."),
    "requests_errors": ("database_pool_requests_failed_total", "Requests for a connection that got none."),
    "connections_num": ("database_pool_connection_attempts_total", "Attempts to connect."),
    "connections_errors": ("database_pool_connection_failures_total", "Attempts to connect that failed."),
}


POOLS: list[Callable[[], dict[str, int]]] = []
"""The open pools of this process, by psycopg's `get_stats`, which leaves out what is nought."""


def _pool_use() -> Iterable[Metric]:
    found = [stats() for stats in POOLS]
    if not found:
        return
    for key, (name, help) in POOL_GAUGES.items():
        yield GaugeMetricFamily(name, help, sum(one.get(key, 0) for one in found))
    for key, (name, help) in POOL_COUNTERS.items():
        yield CounterMetricFamily(name, help, sum(one.get(key, 0) for one in found))


Read(_pool_use)

# -- logs ------------------------------------------------------------------------------------------------------------

Read(lambda: [CounterMetricFamily("log_lines_dropped_total", "Log lines that nobody read in time.", output.dropped)])

# -- the event loop --------------------------------------------------------------------------------------------------

LAG = Gauge("event_loop_lag_seconds", "How late the event loop was just now.").labels()
WORST_LAG = Gauge("event_loop_lag_max_seconds", "How late it was at the worst, of the last minute.").labels()


async def measure_lag(every: float = 0.5, remembered: int = 120) -> None:
    """Wakes up again and again, and notes how late."""
    # Of a while, not since the last scrape: two that scrape would take it from each other.
    last: deque[float] = deque(maxlen=remembered)
    while True:
        due = time.perf_counter() + every
        await asyncio.sleep(every)
        last.append(max(0.0, time.perf_counter() - due))
        LAG.value, WORST_LAG.value = last[-1], max(last)
