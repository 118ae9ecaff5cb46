"""The metrics that every process has; the gateway's own are in `gateway.metrics`.

Names follow Prometheus's conventions. Every label has a bounded set of values, whatever clients send: routes instead of
paths, the methods of HTTP, and services by name.
"""

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Sequence
from functools import cached_property
from platform import python_version

from prometheus_client import GCCollector, ProcessCollector
from prometheus_client.metrics_core import CounterMetricFamily
from starlette.routing import BaseRoute, Mount

from chassis.observe.logs import output
from chassis.observe.meters import REGISTRY, Counter, Gauge, Histogram, MetricsReader

ProcessCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

BUILD = Gauge("build_info", "1, for what is running here.", ("process", "version", "python"))


def set_build_info(process: str, version: str) -> None:
    """Sets the metric that names what is running here."""
    BUILD.labels(process, version, python_version()).value = 1


# -- HTTP requests ---------------------------------------------------------------------------------------------------

REQUESTS = Counter(
    "http_requests_total", "Requests by what became of them; none: the client hung up.", ("method", "route", "status")
)
REQUEST_SECONDS = Histogram("http_request_duration_seconds", "Time until the answer had left.", ("method", "route"))
REFUSED = Counter(
    "http_requests_refused_total", "Requests and connections refused before the application saw them.", ("status",)
)
REFUSED_BY_OVERLOAD = REFUSED.labels("503")
IN_PROGRESS = Gauge(
    "http_requests_in_progress", "Requests being worked on, this scrape too, but none that waits for changes."
).labels()

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
STATUS_CLASSES = ("none", "1xx", "2xx", "3xx", "4xx", "5xx")


class _Route:
    """The metrics of one method of one route."""

    __slots__ = ("seconds", "statuses")

    def __init__(self, method: str, route: str) -> None:
        self.seconds = REQUEST_SECONDS.labels(method, route)
        self.statuses = [REQUESTS.labels(method, route, one) for one in STATUS_CLASSES]


class Requests:
    """Counts an application's requests by route template, since the number of paths has no bound."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._routes = routes
        self._meters: dict[tuple[str, str], _Route] = {}

    def record(self, method: str, path: str, status: int, seconds: float) -> None:
        """Counts a request that was answered with `status`, or not at all when it is 0."""
        key = (method if method in METHODS else "other", self.route(path))
        meters = self._meters.get(key)
        if meters is None:
            meters = self._meters[key] = _Route(*key)
        meters.seconds.observe(seconds)
        meters.statuses[status // 100].value += 1

    def route(self, path: str) -> str:
        """The template of the route that serves `path` (`/api/things/{id}/`), with or without a final slash."""
        path = path.rstrip("/") or "/"
        if found := self._by_path.get(path):
            return found
        return self._by_parent.get(path.rpartition("/")[0]) or next(
            (mount + "/…" for mount in self._mounts if path.startswith(mount + "/")), "other"
        )

    @cached_property
    def _by_path(self) -> dict[str, str]:
        """Routes without a parameter, by path. It is computed at the first use, when all routes have been added."""
        return {path.rstrip("/") or "/": path for path in self._paths() if "{" not in path}

    @cached_property
    def _by_parent(self) -> dict[str, str]:
        """Routes whose last segment is a parameter, by the path before it."""
        cut = ((path.partition("/{")[0], path) for path in self._paths() if "{" in path)
        return {before: before + "/{id}/" for before, path in cut if path.endswith("}/")}

    @cached_property
    def _mounts(self) -> list[str]:
        return [route.path for route in self._routes if isinstance(route, Mount)]

    def _paths(self) -> Iterable[str]:
        return [route.path for route in self._routes if hasattr(route, "path") and not isinstance(route, Mount)]  # pyright: ignore


# -- who may call ----------------------------------------------------------------------------------------------------

KEYS_AWAY = Gauge("auth_keys_away", "1 while the token issuer's keys cannot be fetched.").labels()

# -- logs ------------------------------------------------------------------------------------------------------------

MetricsReader(
    lambda: [CounterMetricFamily("log_lines_dropped_total", "Log lines that nobody read in time.", output.dropped)]
)

# -- the event loop --------------------------------------------------------------------------------------------------

LAG = Gauge("event_loop_lag_seconds", "How late the event loop was just now.").labels()
WORST_LAG = Gauge("event_loop_lag_max_seconds", "How late it was at the worst, of the last minute.").labels()


async def measure_lag(interval: float = 0.5, samples: int = 120) -> None:
    """Measures, every `interval` seconds, how late the event loop wakes this task."""
    # The maximum is that of the last samples, not of those since the last scrape: with two scrapers, each would reset
    # the maximum of the other.
    lags: deque[float] = deque(maxlen=samples)
    while True:
        due = time.perf_counter() + interval
        await asyncio.sleep(interval)
        lags.append(max(0.0, time.perf_counter() - due))
        LAG.value, WORST_LAG.value = lags[-1], max(lags)
