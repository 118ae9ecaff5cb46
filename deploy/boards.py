"""What Grafana shows of the system, as its dashboards' JSON. `make render` writes them to deploy/observability/boards/.

A panel is a title, a unit, and queries with their legends. Everything else of the JSON is the same for all panels.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

SOURCE = {"type": "prometheus", "uid": "prometheus"}
EVERY = "$__rate_interval"
SERVICES = 'job!~"gateway|edge|prometheus|collector"'


class Panel(NamedTuple):
    """`queries` maps each query to the legend of its series. A `stat` shows the last value as a number."""

    title: str
    unit: str
    queries: dict[str, str]
    what: str = ""
    stat: bool = False


def rate(metric: str, by: str = "", labels: str = "") -> str:
    """How often something happens in a second, by these labels."""
    return f"sum{f' by ({by}) ' if by else ''}(rate({metric}{{{labels}}}[{EVERY}]))"


def quantile(share: float, metric: str, by: str, labels: str = "") -> str:
    """The duration within which this share was done."""
    return f"histogram_quantile({share}, {rate(f'{metric}_bucket', f'le, {by}', labels)})"


def of(part: str, whole: str) -> str:
    return f"{part} / {whole}"


SYSTEM: dict[str, list[Panel]] = {
    "Is it well?": [
        Panel("Processes that answer", "short", {"sum(up)": ""}, stat=True),
        Panel("Processes that do not", "short", {"count(up == 0) or vector(0)": ""}, stat=True),
        Panel("Alerts", "short", {'count(ALERTS{alertstate="firing"}) or vector(0)': ""}, stat=True),
        Panel(
            "How fast the error budget burns",
            "short",
            {"slo:burn_rate:1h": "{{slo}}"},
            "1 uses up the budget of 30 days in 30 days; 14.4 in two days.",
        ),
    ],
    "GraphQL": [
        Panel("Operations", "reqps", {rate("graphql_operations_total", "outcome"): "{{outcome}}"}),
        Panel(
            "Share with failures, by operation",
            "percentunit",
            {
                of(
                    rate("graphql_operations_total", "operation", 'outcome=~"failed|partial"'),
                    rate("graphql_operations_total", "operation"),
                ): "{{operation}}"
            },
        ),
        Panel(
            "99 % of an operation within",
            "s",
            {quantile(0.99, "graphql_operation_duration_seconds", "operation"): "{{operation}}"},
        ),
        Panel(
            "Half of all operations within",
            "s",
            {quantile(0.5, "graphql_operation_duration_seconds", "type"): "{{type}}"},
        ),
        Panel(
            "Cost in a second, by operation",
            "short",
            {rate("graphql_cost_total", "operation"): "{{operation}}"},
            "Requests to services plus rows. Who asks for most of it?",
        ),
        Panel(
            "Plans and documents that were remembered",
            "percentunit",
            {
                of(
                    rate(f"graphql_{kind}_cache_requests_total", labels='result="hit"'),
                    rate(f"graphql_{kind}_cache_requests_total"),
                ): kind
                for kind in ("plan", "document")
            },
        ),
    ],
    "REST": [
        Panel("Requests", "reqps", {rate("http_requests_total", "job", SERVICES): "{{job}}"}),
        Panel(
            "Share with failures (5xx)",
            "percentunit",
            {
                of(
                    rate("http_requests_total", "job", f'{SERVICES}, status="5xx"'),
                    rate("http_requests_total", "job", SERVICES),
                ): "{{job}}"
            },
        ),
        Panel("99 % within", "s", {quantile(0.99, "http_request_duration_seconds", "job", SERVICES): "{{job}}"}),
        Panel(
            "The ten slowest routes: 95 % within",
            "s",
            {
                f"topk(10, {quantile(0.95, 'http_request_duration_seconds', 'job, method, route', SERVICES)})": (
                    "{{job}} {{method}} {{route}}"
                )
            },
        ),
        Panel(
            "Refused before any work",
            "reqps",
            {rate("http_requests_refused_total", "job, status"): "{{job}} {{status}}"},
            "503 is overload.",
        ),
        Panel(
            "What the edge answered",
            "reqps",
            {rate("caddy_http_request_duration_seconds_count", "code"): "{{code}}"},
            "Only with the profile `edge`.",
        ),
    ],
    "Between the processes": [
        Panel(
            "Calls by outcome",
            "reqps",
            {rate("downstream_calls_total", "job, service, outcome"): "{{job}} → {{service}} {{outcome}}"},
        ),
        Panel(
            "99 % of the calls within",
            "s",
            {quantile(0.99, "downstream_call_duration_seconds", "job, service"): "{{job}} → {{service}}"},
        ),
        Panel("Open breakers", "short", {"max by (job, service) (breaker_open)": "{{job}} → {{service}}"}),
        Panel(
            "Calls under way, and waiting for a place",
            "short",
            {
                "sum by (job, service) (bulkhead_calls_busy)": "{{job}} → {{service}}",
                "sum by (job, service) (bulkhead_calls_waiting)": "{{job}} → {{service}} waiting",
            },
        ),
        Panel(
            "Calls sent once more", "reqps", {rate("downstream_retries_total", "job, service"): "{{job}} → {{service}}"}
        ),
        Panel(
            "Reads that shared a call",
            "reqps",
            {rate("downstream_reads_joined_total", "job, service"): "{{job}} → {{service}}"},
        ),
    ],
    "Databases": [
        Panel(
            "Connections in use, of those there may be",
            "percentunit",
            {
                "sum by (job) (database_pool_connections - database_pool_connections_idle)"
                " / sum by (job) (database_pool_connections_max)": "{{job}}"
            },
        ),
        Panel(
            "Requests that wait for a connection, and that got none",
            "short",
            {
                "sum by (job) (database_pool_requests_waiting)": "{{job}} waiting",
                rate("database_pool_requests_failed_total", "job"): "{{job}} got none, in a second",
            },
        ),
        Panel(
            "99 % of the statements within",
            "s",
            {quantile(0.99, "database_statement_duration_seconds", "job"): "{{job}}"},
        ),
        Panel(
            "Searches under way, and waiting",
            "short",
            {
                "sum by (job) (database_searches_busy)": "{{job}}",
                "sum by (job) (database_searches_waiting)": "{{job}} waiting",
            },
        ),
    ],
    "Saturation": [
        Panel("CPU, in cores", "short", {rate("process_cpu_seconds_total", "job"): "{{job}}"}),
        Panel("Memory", "bytes", {"sum by (job) (process_resident_memory_bytes)": "{{job}}"}),
        Panel(
            "How late the event loop was at the worst",
            "s",
            {"max by (job) (event_loop_lag_max_seconds)": "{{job}}"},
            "More than 0.1 s for long: this process needs more workers or machines.",
        ),
        Panel("Requests at work", "short", {"sum by (job) (http_requests_in_progress)": "{{job}}"}),
    ],
    "The feed of changes": [
        Panel("Changes that were told, in a second", "short", {f"max by (job) (rate(feed_last[{EVERY}]))": "{{job}}"}),
        Panel(
            "99 % of the changes were told within",
            "s",
            {quantile(0.99, "feed_lag_seconds", "job"): "{{job}}"},
            "Only while somebody follows.",
        ),
        Panel("Followers", "short", {"sum by (job) (feed_followers)": "{{job}}"}),
        Panel("Changes without a number", "short", {"max by (job) (feed_unnumbered)": "{{job}}"}),
    ],
    "Live queries": [
        Panel(
            "Open subscriptions, and groups that get the same events",
            "short",
            {"sum(graphql_subscriptions)": "subscriptions", "sum(graphql_subscription_groups)": "groups"},
        ),
        Panel(
            "Events that were executed, and handed to clients",
            "reqps",
            {
                rate("graphql_subscription_events_total"): "executed",
                rate("graphql_subscription_messages_total"): "handed over",
            },
        ),
        Panel(
            "Subscriptions that the gateway has ended",
            "reqps",
            {f"{rate('graphql_subscriptions_ended_total', 'code')} or vector(0)": "{{code}}"},
        ),
        Panel(
            "Since when a service's changes are not known",
            "s",
            {"max by (job, service) (follower_age_seconds < Inf)": "{{job}} ← {{service}}"},
            "Only while a live query or rows in memory need them.",
        ),
    ],
    "Rows in memory": [
        Panel(
            "Rows that were there",
            "percentunit",
            {
                of(rate("cache_rows_total", "kind", 'outcome="hit"'), rate("cache_rows_total", "kind")): "{{kind}}",
            },
            "None with CACHE=off, nor are there any of the others of this row.",
        ),
        Panel("Rows that were wanted, by outcome", "reqps", {rate("cache_rows_total", "outcome"): "{{outcome}}"}),
        Panel("Memory for rows", "bytes", {"sum by (job) (cache_bytes)": "{{job}}"}),
        Panel(
            "Rows that were wrong",
            "short",
            {"sum by (job, kind) (cache_inconsistencies_total) or vector(0)": "{{job}} {{kind}}"},
            "Anything but 0 is a fault.",
        ),
    ],
    "What may go unnoticed": [
        Panel("Keys that cannot be fetched", "short", {"max by (job) (auth_keys_away)": "{{job}}"}),
        Panel(
            "Log lines and spans that were dropped",
            "short",
            {
                rate("log_lines_dropped_total", "job"): "{{job}} lines",
                f"{rate('trace_spans_dropped_total', 'job')} or vector(0)": "{{job}} spans",
            },
        ),
        Panel(
            "Starts in the last hour", "short", {"sum by (job) (changes(process_start_time_seconds[1h]))": "{{job}}"}
        ),
        Panel("Versions that run", "short", {"count by (process, version) (build_info)": "{{process}} {{version}}"}),
    ],
}

ONE = 'job=~"$job", instance=~"$instance"'
PROCESS: dict[str, list[Panel]] = {
    "What it does": [
        Panel("Requests", "reqps", {rate("http_requests_total", "method, route", ONE): "{{method}} {{route}}"}),
        Panel("Requests by status", "reqps", {rate("http_requests_total", "status", ONE): "{{status}}"}),
        Panel(
            "95 % within",
            "s",
            {quantile(0.95, "http_request_duration_seconds", "method, route", ONE): "{{method}} {{route}}"},
        ),
        Panel("Requests at work", "short", {f"sum by (instance) (http_requests_in_progress{{{ONE}}})": "{{instance}}"}),
    ],
    "What it costs": [
        Panel(
            "CPU of each worker, in cores",
            "short",
            {f"rate(process_cpu_seconds_total{{{ONE}}}[{EVERY}])": "{{instance}} {{worker}}"},
        ),
        Panel("Memory of each worker", "bytes", {f"process_resident_memory_bytes{{{ONE}}}": "{{instance}} {{worker}}"}),
        Panel("Open files", "short", {f"process_open_fds{{{ONE}}}": "{{instance}} {{worker}}"}),
        Panel(
            "How late its event loop is, now and at the worst of a minute",
            "s",
            {
                f"event_loop_lag_seconds{{{ONE}}}": "{{instance}} {{worker}}",
                f"event_loop_lag_max_seconds{{{ONE}}}": "{{instance}} {{worker}} worst",
            },
        ),
        Panel(
            "Garbage collections by generation",
            "short",
            {rate("python_gc_collections_total", "generation", ONE): "{{generation}}"},
        ),
        Panel(
            "Up since", "dateTimeFromNow", {f"1000 * process_start_time_seconds{{{ONE}}}": "{{instance}} {{worker}}"}
        ),
    ],
}


def dashboard(uid: str, title: str, rows: dict[str, list[Panel]], variables: tuple[str, ...] = ()) -> str:
    """The JSON of a dashboard. Grafana fills in what is left out."""
    panels: list[dict[str, Any]] = []
    top = 0
    for row, members in rows.items():
        panels.append({"type": "row", "title": row, "gridPos": {"x": 0, "y": top, "w": 24, "h": 1}, "panels": []})
        width = 24 // min(len(members), 4) if len(members) % 3 else 8
        across = 24 // width
        for number, panel in enumerate(members):
            place = {"x": number % across * width, "y": top + 1 + number // across * 8, "w": width, "h": 8}
            panels.append({"gridPos": place, **drawn(panel)})
        top += 1 + -(-len(members) // across) * 8
    for number, panel in enumerate(panels, 1):
        panel["id"] = number
    board = {
        "uid": uid,
        "title": title,
        "tags": ["solicita"],
        "schemaVersion": 39,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": [choice(name) for name in variables]},
        "panels": panels,
    }
    return json.dumps(board, indent=1, ensure_ascii=False) + "\n"


def drawn(panel: Panel) -> dict[str, Any]:
    targets = [
        {"refId": chr(ord("A") + number), "datasource": SOURCE, "expr": query, "legendFormat": legend or "__auto"}
        for number, (query, legend) in enumerate(panel.queries.items())
    ]
    return {
        "type": "stat" if panel.stat else "timeseries",
        "title": panel.title,
        "description": panel.what,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": targets,
    }


def choice(label: str) -> dict[str, Any]:
    """A variable at the top of a board, with the values that this label has."""
    within = '{job=~"$job"}' if label == "instance" else ""
    query = f"label_values(event_loop_lag_seconds{within}, {label})"
    return {
        "type": "query",
        "name": label,
        "datasource": SOURCE,
        "query": {"qryType": 1, "query": query, "refId": label},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def boards() -> dict[str, str]:
    """The JSON of every dashboard, by the name of its file."""
    return {
        "system.json": dashboard("solicita-system", "Solicita: the system", SYSTEM),
        "process.json": dashboard("solicita-process", "Solicita: one process", PROCESS, ("job", "instance")),
    }
