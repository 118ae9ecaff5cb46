"""The metrics of the database's statements and connections."""

from collections.abc import Callable, Iterable

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from chassis.observe.meters import Histogram, MetricsReader

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
"""`Database.stats` of each open pool of this process; psycopg leaves out counters that are zero."""


def _pool_use() -> Iterable[Metric]:
    found = [stats() for stats in POOLS]
    if not found:
        return
    for key, (name, help) in POOL_GAUGES.items():
        yield GaugeMetricFamily(name, help, sum(one.get(key, 0) for one in found))
    for key, (name, help) in POOL_COUNTERS.items():
        yield CounterMetricFamily(name, help, sum(one.get(key, 0) for one in found))


MetricsReader(_pool_use)
