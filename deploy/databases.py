"""Where each service's database is, for the programs that reach all of them: `<NAME>_DATABASE_URL` of each service."""

from __future__ import annotations

import os

from deploy.topology import SERVICES


def variable(service: str) -> str:
    """The environment variable that carries the URL of that service's database."""
    return f"{service.upper()}_DATABASE_URL"


def urls() -> dict[str, str]:
    """The database URL of every service, from the environment; if one is missing, stops the program with its name."""
    missing = [variable(service.name) for service in SERVICES if not os.environ.get(variable(service.name))]
    if missing:
        raise SystemExit(f"not set: {', '.join(missing)} (`make run` sets them)")
    return {service.name: os.environ[variable(service.name)] for service in SERVICES}
