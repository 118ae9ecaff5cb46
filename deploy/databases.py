"""Where each service's database is, for the programs that reach several: `<NAME>_DATABASE_URL` of each service."""

from __future__ import annotations

import os


def variable(service: str) -> str:
    """The environment variable that carries the URL of that service's database."""
    return f"{service.upper()}_DATABASE_URL"


def urls(*services: str) -> dict[str, str]:
    """The database URL of each of these services, from the environment; if one is missing, stops the program with its
    name."""
    if missing := [variable(service) for service in services if not os.environ.get(variable(service))]:
        raise SystemExit(f"not set: {', '.join(missing)} (`make run` sets them)")
    return {service: os.environ[variable(service)] for service in services}
