"""Where each service's database is, for the programs that reach several: `<NAME>_DATABASE_URL` of each service, or the
file that `<NAME>_DATABASE_URL_FILE` names."""

from __future__ import annotations

from collections.abc import Mapping

from chassis.settings import secret


def variable(service: str) -> str:
    """The environment variable that carries the URL of that service's database."""
    return f"{service.upper()}_DATABASE_URL"


def is_set(service: str, variables: Mapping[str, str]) -> bool:
    """Whether `variables` say where that service's database is."""
    return bool(variables.get(variable(service)) or variables.get(f"{variable(service)}_FILE"))


def urls(*services: str) -> dict[str, str]:
    """The database URL of each of these services, from the environment or a file; if one is missing, stops the program
    with its name."""
    try:
        found = {service: secret(variable(service)) for service in services}
    except ValueError as failure:
        raise SystemExit(f"configuration error: {failure}") from None
    if missing := [variable(service) for service, url in found.items() if not url]:
        raise SystemExit(f"not set: {', '.join(missing)} (or the same with _FILE)")
    return found
