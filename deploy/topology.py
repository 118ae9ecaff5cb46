"""The table of processes: name, port, database, and the services that each one calls.

The launcher and the tests read it. `make render` writes what else follows from it, such as compose.yaml (`render.py`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Process:
    """One process of the system.

    `port` is its public TCP port, `asks` names the services whose URLs it needs (as `<NAME>_URL`), `owns_database` says
    whether it has a PostgreSQL database and role of its own (both named like the process).
    """

    name: str
    port: int
    asks: tuple[str, ...] = ()
    owns_database: bool = True


SERVICES = (
    Process("catalogo", 8001),
    Process("pessoas", 8002),
    Process("servicos", 8003),
    Process("solicitacoes", 8004, asks=("catalogo", "pessoas", "servicos")),
)
"""A service comes after those that it asks."""

GATEWAY = Process("gateway", 8000, asks=tuple(service.name for service in SERVICES), owns_database=False)
PROCESSES = (*SERVICES, GATEWAY)

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
