"""A process is configured by its environment only (12-factor); what is missing or malformed stops it by name."""

from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, HttpUrl, PostgresDsn, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What every process reads."""

    model_config = SettingsConfigDict(extra="ignore")

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    max_body_bytes: Annotated[int, Field(ge=1024, le=100_000_000)] = 1_000_000
    operation_timeout: Annotated[float, Field(gt=0, le=300)] = 5.0
    """Seconds one request may take, all that it waits for included."""


class ServerSettings(Settings):
    """What `chassis.serve` reads besides, whatever it serves."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8000
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    max_connections: Annotated[int, Field(ge=2, le=100_000)] = 1000
    """Open connections of one process; of one address, half of them."""
    max_concurrency: Annotated[int, Field(ge=1, le=10_000)] = 256
    """Requests that one process works on at a time."""


class DatabaseSettings(Settings):
    """What a process with a PostgreSQL of its own reads besides."""

    database_url: PostgresDsn
    database_pool_size: Annotated[int, Field(ge=1, le=200)] = 10
    database_timeout: Annotated[float, Field(gt=0, le=60)] = 2.0
    """Seconds one statement may take, and one wait for a connection half of that."""


class NeighbourSettings(Settings):
    """How patient a process is with each of the services it asks."""

    neighbour_timeout: Annotated[float, Field(gt=0, le=60)] = 2.0
    """Seconds one attempt may take."""
    neighbour_connections: Annotated[int, Field(ge=1, le=1000)] = 64
    neighbour_queue: Annotated[int, Field(ge=0, le=10_000)] = 256
    """Calls that may wait for one of those connections."""
    retry_budget: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Retries, as a share of the calls; 0: none."""
    breaker_share: Annotated[float, Field(ge=0, le=1)] = 0.5
    """The share of failed calls that opens the circuit breaker; 0: nothing does."""


BaseUrl = Annotated[str, AfterValidator(lambda url: str(HttpUrl(url)).rstrip("/"))]
"""The base URL of another process, without a trailing slash."""

S = TypeVar("S", bound=Settings)


def read(kind: type[S]) -> S:
    """Reads `kind` from the environment, or stops the process with one line for each variable at fault."""
    try:
        return kind()
    except ValidationError as failure:
        lines = [f"{'_'.join(map(str, error['loc'])).upper()}: {error['msg']}" for error in failure.errors()]
        raise SystemExit("\n".join(f"configuration error: {line}" for line in lines)) from None
