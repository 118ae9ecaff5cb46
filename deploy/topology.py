"""The table of processes: name, port, database, and the services that each one calls. The launcher and the tests read
it, and a test compares compose.yaml with it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Process:
    """One process of the system.

    `port` is its public TCP port, `owns_database` says whether it has a PostgreSQL database and role of its own
    (both named like the process), `asks` names the services whose URLs it needs (as `<NAME>_URL`).
    """

    name: str
    port: int
    owns_database: bool
    asks: tuple[str, ...] = ()


PROCESSES = (
    Process("catalogo", 8001, owns_database=True),
    Process("pessoas", 8002, owns_database=True),
    Process("servicos", 8003, owns_database=True),
    Process("solicitacoes", 8004, owns_database=True, asks=("catalogo", "pessoas", "servicos")),
    Process("gateway", 8000, owns_database=False, asks=("catalogo", "pessoas", "servicos", "solicitacoes")),
)

SERVICES = tuple(process for process in PROCESSES if process.owns_database)

POSTGRES_PORT = 8005
"""Where the local launcher's embedded PostgreSQL listens, on loopback only."""


MOST_CALLERS = max(sum(service.name in process.asks for process in PROCESSES) for service in SERVICES)
"""The highest number of processes that call the same service. On one machine they have one address, so they share the
requests at work that the service allows to one address."""


def by_name(name: str) -> Process:
    """The process called `name`; KeyError when there is none."""
    return {process.name: process for process in PROCESSES}[name]


def url_variable(name: str) -> str:
    """The environment variable that carries the base URL of process `name`."""
    return f"{name.upper()}_URL"
