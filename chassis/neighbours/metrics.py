"""The metrics of calls to neighbours, and of following their changes."""

import math
from collections.abc import Callable, Iterable

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from chassis.bulkhead import Bulkhead, BulkheadShare
from chassis.errors import DeadlineExceeded, Refusal, Unavailable
from chassis.neighbours.breaker import Breaker
from chassis.observe.meters import Counter, Histogram, MetricsReader

CALLS = Counter("downstream_calls_total", "Calls to a service by what became of them.", ("service", "outcome"))
CALL_SECONDS = Histogram("downstream_call_duration_seconds", "Time of a call, its retry included.", ("service",))
RETRIES = Counter("downstream_retries_total", "Calls that were sent once more.", ("service",))
JOINED = Counter("downstream_reads_joined_total", "Reads that shared the call of an identical one.", ("service",))
POLLS = Counter("follower_polls_total", "Polls for a service's changes by what became of them.", ("service", "outcome"))
LOST = Counter("follower_losses_total", "How often changes of a service may have been missed.", ("service",))

ROWS = Counter(
    "cache_rows_total",
    "Rows that were wanted: served from memory (hit; stale while the service cannot be asked), not there (miss), or "
    "not looked for since the changes are not known (bypass).",
    ("service", "kind", "outcome"),
)
EVICTED = Counter("cache_evicted_total", "Rows that went since the memory was full.", ("service", "kind"))
AUDITS = Counter("cache_audits_total", "Rows from memory that were compared with their service's.", ("service", "kind"))
INCONSISTENCIES = Counter("cache_inconsistencies_total", "Rows from memory that were wrong.", ("service", "kind"))


class Calls:
    """The metrics of the calls to one service."""

    def __init__(self, service: str) -> None:
        self._ok, self._refused, self._unavailable, self._timeout, self._cancelled = (
            CALLS.labels(service, outcome) for outcome in ("ok", "refused", "unavailable", "timeout", "cancelled")
        )
        self._seconds = CALL_SECONDS.labels(service)
        self.retries = RETRIES.labels(service)
        self.joined = JOINED.labels(service)

    def record(self, seconds: float, failure: BaseException | None = None) -> None:
        """Counts a call that has ended, with `failure` or without."""
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


NEIGHBOURS: dict[str, tuple[tuple[Bulkhead, Bulkhead | BulkheadShare], Breaker]] = {}
"""For each neighbour of this process: the bulkhead of all calls, the bulkhead of searches, and the breaker. Their state
is read when the metrics are scraped."""


def _collect() -> Iterable[Metric]:
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


MetricsReader(_collect)


class Polls:
    """The metrics of following one service. `age` says how old what is known of its changes is."""

    def __init__(self, service: str, age: Callable[[], float]) -> None:
        self.ok, self.failed = (POLLS.labels(service, outcome) for outcome in ("ok", "failed"))
        self.lost = LOST.labels(service)
        FOLLOWED[service] = age


FOLLOWED: dict[str, Callable[[], float]] = {}
"""For each service whose changes this process can follow: how old what it knows of them is, in seconds."""


def _ages() -> Iterable[Metric]:
    help = "Seconds since when changes of a service are unknown here. There is no series while it is not followed."
    family = GaugeMetricFamily("follower_age_seconds", help, labels=("service",))
    for name, age in FOLLOWED.items():
        if math.isfinite(seconds := age()):
            family.add_metric((name,), seconds)
    yield family


MetricsReader(_ages)


class CacheMeters:
    """The metrics of the rows of one kind that are kept in memory. `count` says how many they are."""

    def __init__(self, service: str, kind: str, count: Callable[[], int]) -> None:
        self.hits, self.misses, self.bypassed, self.stale = (
            ROWS.labels(service, kind, outcome) for outcome in ("hit", "miss", "bypass", "stale")
        )
        self.evicted, self.audits = EVICTED.labels(service, kind), AUDITS.labels(service, kind)
        self.inconsistencies = INCONSISTENCIES.labels(service, kind)
        KEPT_ROWS[service, kind] = count


KEPT_ROWS: dict[tuple[str, str], Callable[[], int]] = {}
KEPT_BYTES: list[Callable[[], int]] = []
"""What is in memory, which is read when the metrics are scraped: how many rows of each kind, and the bytes of all."""


def _kept() -> Iterable[Metric]:
    rows = GaugeMetricFamily("cache_rows", "Rows in memory.", labels=("service", "kind"))
    for labels, count in KEPT_ROWS.items():
        rows.add_metric(labels, count())
    size = GaugeMetricFamily(
        "cache_bytes", "Estimated bytes of the rows in memory.", value=sum(one() for one in KEPT_BYTES)
    )
    return (rows, size)


MetricsReader(_kept)
