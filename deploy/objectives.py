"""What users may expect, and Prometheus' rules that measure how fast the error budget of it burns. `make render` writes
the rules into deploy/observability/rules.yaml.

A burn rate of 1 uses up the budget of 30 days in 30 days. It is measured over several windows, as chapter 5 of Google's
Site Reliability Workbook describes: a long window shows that it matters, and a short one that it goes on.
"""

from __future__ import annotations

from typing import NamedTuple

WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
WAITING = 'route!~"/api/(v1/)?changes/"'
"""Leaves out the requests that wait for a change on purpose."""


class Objective(NamedTuple):
    """Of all that is asked, the share that may go wrong. `bad` and `all` are queries, with `@` for the window."""

    name: str
    budget: float
    bad: str
    all: str


OBJECTIVES = (
    Objective(
        "GraphQL answers",
        0.001,
        'sum(rate(graphql_operations_total{outcome=~"failed|partial"}[@]))'
        ' + sum(rate(http_requests_refused_total{job="gateway", status="503"}[@]))',
        "sum(rate(graphql_operations_total[@]))"
        ' + sum(rate(http_requests_refused_total{job="gateway", status="503"}[@]))',
    ),
    Objective(
        "REST answers",
        0.001,
        '(sum(rate(http_requests_total{job!="gateway", status="5xx"}[@])) or vector(0))'
        ' + sum(rate(http_requests_refused_total{job!="gateway", status="503"}[@]))',
        'sum(rate(http_requests_total{job!="gateway"}[@]))'
        ' + sum(rate(http_requests_refused_total{job!="gateway", status="503"}[@]))',
    ),
    Objective(
        "GraphQL within 0.5 s",
        0.01,
        'sum(rate(graphql_operation_duration_seconds_count{type!="subscription"}[@]))'
        ' - sum(rate(graphql_operation_duration_seconds_bucket{type!="subscription", le="0.5"}[@]))',
        'sum(rate(graphql_operation_duration_seconds_count{type!="subscription"}[@]))',
    ),
    Objective(
        "REST within 0.25 s",
        0.01,
        f'sum(rate(http_request_duration_seconds_count{{job!="gateway", {WAITING}}}[@]))'
        f' - sum(rate(http_request_duration_seconds_bucket{{job!="gateway", {WAITING}, le="0.25"}}[@]))',
        f'sum(rate(http_request_duration_seconds_count{{job!="gateway", {WAITING}}}[@]))',
    ),
)


def burn_rates() -> str:
    """The recording rules, one for each objective and window, as YAML."""
    lines: list[str] = []
    for objective in OBJECTIVES:
        for window in WINDOWS:
            bad, total = (text.replace("@", window) for text in (objective.bad, objective.all))
            lines += [
                f"      - record: slo:burn_rate:{window}",
                f"        labels: {{slo: {objective.name}}}",
                f"        expr: ({bad}) / ({total}) / {objective.budget}",
            ]
    return "\n".join(lines) + "\n"
