"""A process is configured only by its environment (12-factor). When a variable is missing or malformed, the process
does not start, and names the variable."""

import os
import re
import ssl
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    DirectoryPath,
    Field,
    FilePath,
    HttpUrl,
    PostgresDsn,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"
]  # only algorithms whose verifying key cannot sign
ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?|https?://\[[0-9a-f:]+\](:[0-9]{1,5})?")


def _split(value: Any) -> Any:
    """Splits `a, b` into a tuple."""
    return tuple(one.strip() for one in value.split(",") if one.strip()) if isinstance(value, str) else value


def _origin(value: str) -> str:
    """An origin as browsers write it. `*` is refused: every web page could then use what this machine can reach."""
    if not ORIGIN.fullmatch(value):
        raise PydanticCustomError(
            "origin", "must be origins like https://app.example.com, not {value}", {"value": value}
        )
    return value


STORE = re.compile(r"((redis|valkey)s?://\S+)?")


def _store(value: str) -> str:
    """The URL of a Redis or Valkey; empty when there is none."""
    if not STORE.fullmatch(value):
        raise PydanticCustomError("store", "must be redis://, rediss://, valkey:// or valkeys://")
    return value


HOST = re.compile(r"\*|(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]")


def _host(value: str) -> str:
    """A host name in the form in which names are compared. It has no port, since callers may use any."""
    name = value.lower().removesuffix(".")
    if not HOST.fullmatch(name):
        raise PydanticCustomError(
            "host", "must be names like api.example.com or *.example.com, without a port, not {value}", {"value": value}
        )
    return name


PAIRS = re.compile(r"([^=,\s]+\s*=[^,]*(,\s*[^=,\s]+\s*=[^,]*)*)?")


def _pairs(value: str) -> str:
    """Names with values, as OpenTelemetry writes them in one variable."""
    if not PAIRS.fullmatch(value.strip(" ,")):
        raise PydanticCustomError("pairs", "must be name=value, separated by commas")
    return value


def _collector(value: str) -> str:
    """The URL of an OTLP receiver; empty when there is none."""
    return value and str(HttpUrl(value)).rstrip("/")


Pairs = Annotated[str, AfterValidator(_pairs)]
CollectorUrl = Annotated[str, AfterValidator(_collector)]
Milliseconds = Annotated[int, Field(ge=1, le=600_000)]


class TraceSettings(BaseSettings):
    """OpenTelemetry's own variables, with the meaning that its specification gives them. Those with TRACES in their
    names go before those without."""

    otel_sdk_disabled: bool = False
    otel_traces_exporter: Literal["otlp", "none"] = "otlp"
    otel_service_name: str = ""
    otel_resource_attributes: Pairs = ""
    otel_traces_sampler: Literal[
        "always_on",
        "always_off",
        "traceidratio",
        "parentbased_always_on",
        "parentbased_always_off",
        "parentbased_traceidratio",
    ] = "parentbased_traceidratio"
    otel_traces_sampler_arg: Annotated[float, Field(ge=0, le=1)] = 0.05
    """The share of the traces that begin here that is sampled."""
    otel_exporter_otlp_endpoint: CollectorUrl = ""
    """Where spans are sent; none are made without it."""
    otel_exporter_otlp_protocol: Literal["http/protobuf"] = "http/protobuf"
    otel_exporter_otlp_headers: Pairs = ""
    otel_exporter_otlp_timeout: Milliseconds = 10_000
    otel_exporter_otlp_compression: Literal["none", "gzip", "deflate"] = "none"
    otel_exporter_otlp_certificate: FilePath | None = None
    """PEM file of the authorities whose certificates the receiver may have."""
    otel_exporter_otlp_client_certificate: FilePath | None = None
    otel_exporter_otlp_client_key: FilePath | None = None
    otel_exporter_otlp_traces_endpoint: CollectorUrl = ""
    otel_exporter_otlp_traces_protocol: Literal["http/protobuf"] | None = None
    otel_exporter_otlp_traces_headers: Pairs = ""
    otel_exporter_otlp_traces_timeout: Milliseconds | None = None
    otel_exporter_otlp_traces_compression: Literal["none", "gzip", "deflate"] | None = None
    otel_exporter_otlp_traces_certificate: FilePath | None = None
    otel_exporter_otlp_traces_client_certificate: FilePath | None = None
    otel_exporter_otlp_traces_client_key: FilePath | None = None
    otel_bsp_schedule_delay: Milliseconds = 5000
    """How long spans are collected before they are sent together."""
    otel_bsp_export_timeout: Milliseconds = 30_000
    otel_bsp_max_queue_size: Annotated[int, Field(ge=1, le=100_000)] = 2048
    """Spans that may wait to be sent."""
    otel_bsp_max_export_batch_size: Annotated[int, Field(ge=1, le=100_000)] = 512

    @field_validator("otel_bsp_max_export_batch_size")
    @classmethod
    def _require_room_for_one_batch(cls, value: int, info: ValidationInfo) -> int:
        if value > info.data.get("otel_bsp_max_queue_size", value):
            raise PydanticCustomError("room", "must be at most OTEL_BSP_MAX_QUEUE_SIZE")
        return value

    @property
    def traces_endpoint(self) -> str:
        """The URL that spans are sent to; empty while traces are off."""
        if self.otel_sdk_disabled or self.otel_traces_exporter == "none":
            return ""
        base = self.otel_exporter_otlp_endpoint
        return self.otel_exporter_otlp_traces_endpoint or (base and f"{base}/v1/traces")


class ProcessSettings(TraceSettings):
    """The settings of every process."""

    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True)

    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(str.upper)] = "INFO"
    log_format: Annotated[Literal["json", "text"], BeforeValidator(str.lower)] = "json"
    """`text` is meant for people at a terminal."""
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    """Processes behind one port."""
    metrics_dir: DirectoryPath | None = None
    """Where the workers that share a port write their metrics for one another; their parent makes this directory."""
    max_body_bytes: Annotated[int, Field(ge=1024, le=100_000_000)] = 1_000_000
    operation_timeout: Annotated[float, Field(gt=0, le=300)] = 5.0
    """Seconds that one request may take, including everything that it waits for."""
    max_concurrency: Annotated[int, Field(ge=1, le=10_000)] = 192
    """Requests that one process works on at a time. Further ones are refused at once, since they would make all of them
    late."""
    cors_origins: Annotated[tuple[Annotated[str, AfterValidator(_origin)], ...], NoDecode, BeforeValidator(_split)] = ()
    rate_limit_url: Annotated[str, AfterValidator(_store)] = ""
    """The Redis or Valkey where all replicas count their callers' requests. Without one, each process counts for
    itself."""

    auth_mode: Literal["off", "jwt"] = "off"
    auth_jwks: str = ""
    """The issuer's keys: a URL, or the path of a file."""
    auth_issuer: str = ""
    auth_audience: str = ""
    auth_algorithms: Annotated[tuple[Algorithm, ...], NoDecode, BeforeValidator(_split), Field(min_length=1)] = (
        "RS256",
        "ES256",
        "EdDSA",
    )
    auth_scope_claims: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split), Field(min_length=1)] = (
        "scope",
        "scp",
        "roles",
        "permissions",
    )
    """The claims that hold a token's scopes: each is a claim's name, or a path of names with dots. All of them count.
    """
    auth_leeway: Annotated[int, Field(ge=0, le=120)] = 30
    """Seconds by which clocks may differ."""

    @field_validator("auth_jwks", "auth_issuer", "auth_audience")
    @classmethod
    def _required(cls, value: str, info: ValidationInfo) -> str:
        if not value and info.data.get("auth_mode") == "jwt":
            raise PydanticCustomError("required", "required when AUTH_MODE is jwt")
        return value


def _proxies(text: str) -> str:
    """Addresses or networks, or `*` for all. uvicorn would take a misspelt address for the name of a Unix socket."""
    for one in text.split(","):
        if text and one.strip() != "*":
            ip_network(one.strip())
    return text


MAX_SOCKET_PATH = 103
"""How many bytes the operating systems take as the path of a Unix socket."""


def _socket_path(path: Path) -> Path:
    if not path.is_absolute() or len(os.fsencode(path)) > MAX_SOCKET_PATH:
        most = {"most": MAX_SOCKET_PATH}
        raise PydanticCustomError("socket", "must be an absolute path of at most {most} bytes", most)
    return path


class ServerSettings(ProcessSettings):
    """The further settings of `chassis.serve`, whatever it serves."""

    host: str = "localhost"
    """An address, or a name with several addresses: the process listens on each."""
    port: Annotated[int, Field(ge=1, le=65535)] = 8000
    unix_socket: Annotated[Path, AfterValidator(_socket_path)] | None = None
    """A Unix socket on which the process listens too, for processes on the same machine: a call by it takes 10 µs of
    CPU less. Whoever may write to this path may call."""
    max_connections: Annotated[int, Field(ge=2, le=100_000)] = 1000
    """Open connections of one process; one address may have half of them."""
    max_concurrency_per_address: Annotated[int, Field(ge=0, le=10_000)] = 0
    """How many of MAX_CONCURRENCY one peer may use, so that some are left to others; 0 means two thirds. A proxy is one
    peer: a process behind a single proxy needs the value of MAX_CONCURRENCY here."""
    max_arriving_bytes: Annotated[int, Field(ge=1024, le=10_000_000_000)] = 64_000_000
    """Memory of one process for arriving bodies. When they need more, requests of the peer who sends most are refused.
    """
    max_unread_bytes: Annotated[int, Field(ge=1024, le=10_000_000_000)] = 64_000_000
    """Memory of one process for answers that wait to be read. When they need more, the peer who leaves most unread is
    cut off."""
    forwarded_allow_ips: Annotated[str, AfterValidator(_proxies)] = ""
    """The proxies, separated by commas, whose X-Forwarded-For is trusted to name the client. The header is ignored when
    anybody else sends it."""
    allowed_hosts: Annotated[tuple[Annotated[str, AfterValidator(_host)], ...], NoDecode, BeforeValidator(_split)] = (
        "localhost",
    )
    """The host names that this process answers to. It always answers to addresses."""

    @property
    def max_concurrency_of_peer(self) -> int:
        """Requests of one peer that one process works on at a time."""
        return self.max_concurrency_per_address or max(1, self.max_concurrency * 2 // 3)

    @field_validator("max_arriving_bytes")
    @classmethod
    def _require_room_for_one_body(cls, value: int, info: ValidationInfo) -> int:
        if value < info.data.get("max_body_bytes", 0):
            raise PydanticCustomError("room", "must be at least MAX_BODY_BYTES: one body must fit")
        return value


class DatabaseSettings(ProcessSettings):
    """The further settings of a process with a PostgreSQL database of its own."""

    api_rate_limit: Annotated[int, Field(ge=0, le=10**9)] = 0
    """Requests that one caller may make in a minute; 0 means any number."""

    database_url: PostgresDsn
    database_pooler: Literal["off", "transaction", "transaction-unprepared"] = "off"
    """What DATABASE_URL leads to: a server (`off`), a pooler that gives each transaction a session of the server, or
    such a pooler that knows no prepared statements."""
    database_pool_size: Annotated[int, Field(ge=1, le=200)] = 10
    database_timeout: Annotated[float, Field(gt=0, le=60)] = 2.0
    """Seconds that one statement may take. Waiting for a connection may take half of that."""
    max_followers: Annotated[int, Field(ge=1, le=10_000)] = 400
    """Followers of the changes that may wait in one process; one address may have half of them."""
    changes_kept: Annotated[int, Field(ge=1000, le=10**9)] = 1_000_000
    """How many changes a service keeps for its followers."""
    changes_kept_hours: Annotated[float, Field(gt=0, le=10_000)] = 24.0
    """How long a service keeps a change, if it is not one of too many."""

    @property
    def searches(self) -> int:
        """How many of the pool's connections searches may use."""
        return max(1, self.database_pool_size // 2)

    @property
    def searches_waiting(self) -> int:
        """How many searches may wait for a connection. Each waiting one is an active request, so a third of
        MAX_CONCURRENCY is left to other requests."""
        return max(0, self.max_concurrency * 2 // 3 - self.searches)


def _certificate(value: Path | None, info: ValidationInfo) -> Path | None:
    """The client certificate, if it and its key can be used."""
    key = info.data.get("neighbour_key")
    if value is None and key is not None:
        raise PydanticCustomError("required", "required with NEIGHBOUR_KEY")
    if value is not None:
        _loaded(lambda context: context.load_cert_chain(value, key, password=b""))
    return value


def _authority(value: Path) -> Path:
    _loaded(lambda context: context.load_verify_locations(value))
    return value


def _loaded(load: Callable[[ssl.SSLContext], None]) -> None:
    """Raises an error for the user when `load` cannot read its files."""
    try:
        load(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    except (OSError, ValueError) as failure:  # an SSLError is an OSError
        raise PydanticCustomError("pem", "cannot be used: {reason}", {"reason": str(failure)}) from None


PROXY = re.compile(r"(https?://[^\s/?#]+/?)?")


def _proxy(value: str) -> str:
    """The URL of a proxy; empty when there is none."""
    if not PROXY.fullmatch(value):
        raise PydanticCustomError("proxy", "must be http://host:port or https://host:port")
    return value


class NeighbourSettings(ProcessSettings):
    """How a process calls other services: how long it waits, how often it retries, and over which connections."""

    neighbour_proxy: Annotated[str, AfterValidator(_proxy)] = ""
    """The proxy that all calls go through, with its user and password if it needs them."""
    neighbour_http: Literal["1.1", "2"] = "1.1"
    """With 2, HTTP/2 is spoken with https neighbours that offer it."""
    neighbour_ca: Annotated[FilePath, AfterValidator(_authority)] | None = None
    """PEM file of the authorities whose certificates an https neighbour may have; by default those of the system."""
    neighbour_key: FilePath | None = None
    """PEM file of the certificate's key, if it is not in the certificate's file. It has no password."""
    neighbour_certificate: Annotated[FilePath | None, AfterValidator(_certificate), Field(validate_default=True)] = None
    """PEM file of the certificate that this process shows to an https neighbour that asks for one."""
    neighbour_timeout: Annotated[float, Field(gt=0, le=60)] = 2.0
    """Seconds that one attempt may take."""
    neighbour_connections: Annotated[int, Field(ge=1, le=1000)] = 64
    """How many calls all workers together make to one neighbour at a time. The limit is common to them, since the
    neighbour sees them as one peer."""
    neighbour_queue: Annotated[int, Field(ge=0, le=10_000)] = 256
    """Calls of one worker that may wait for one of its connections."""
    max_answers_bytes: Annotated[int, Field(ge=1_000_000, le=10**11)] = 64_000_000
    """Memory for the answers of all neighbours that are arriving."""
    retry_budget: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Retries, as a share of the calls; 0 means none."""
    breaker_share: Annotated[float, Field(ge=0, le=1)] = 0.5
    """The share of failed calls that opens the circuit breaker; 0 means that it never opens."""
    follower_token_file: FilePath | None = None
    """The file with the token by which this process follows the changes of its neighbours."""
    cache: Literal["on", "off"] = "on"
    """Whether rows of neighbours are kept in memory until their changes say that they have changed."""
    cache_staleness: Annotated[float, Field(ge=0.5, le=60)] = 1.0
    """Seconds without news of a neighbour's changes after which its rows are read again."""
    cache_bytes: Annotated[int, Field(ge=1, le=10**11)] = 64_000_000
    """Memory for these rows. With 1 hardly any row is kept, as in measurements of what keeping them costs."""

    @property
    def keeps_rows(self) -> bool:
        """Whether rows of neighbours are kept. They are not where their changes cannot be followed."""
        return self.cache == "on" and (self.auth_mode == "off" or self.follower_token_file is not None)

    def tls_context(self) -> ssl.SSLContext:
        """Which neighbours are trusted, and the certificate that is shown to them. The files are read here once."""
        context = ssl.create_default_context(cafile=self.neighbour_ca)
        if self.neighbour_certificate:
            context.load_cert_chain(self.neighbour_certificate, self.neighbour_key)
        return context

    @property
    def connections_of_a_worker(self) -> int:
        return max(1, self.neighbour_connections // self.workers)

    @property
    def urls(self) -> dict[str, str]:
        """The base URL of each neighbour, by its name: the members with the type `BaseUrl`, called `<name>_url`."""
        return {
            name.removesuffix("_url"): getattr(self, name)
            for name, field in type(self).model_fields.items()
            if BASE_URL in field.metadata
        }


def _base_url(text: str) -> str:
    if text.startswith(UNIX):
        return UNIX + str(_socket_path(Path(text.removeprefix(UNIX))))
    return str(HttpUrl(text)).rstrip("/")


UNIX = "unix:"
BASE_URL = AfterValidator(_base_url)
BaseUrl = Annotated[str, BASE_URL]
"""The base URL of another process, without a trailing slash; or `unix:` and the path of its Unix socket."""

S = TypeVar("S", bound=ProcessSettings)


def settings_of(process: str) -> type[ProcessSettings]:
    """The settings that `process` reads besides those of every served process: the class `Settings` of its
    `settings.py`. A service without that file reads what every service with a database reads."""
    if find_spec(f"{process}.settings") is None:
        return DatabaseSettings
    found: type[ProcessSettings] = import_module(f"{process}.settings").Settings
    return found


SECRETS = (
    *("DATABASE_URL", "RATE_LIMIT_URL", "NEIGHBOUR_PROXY"),
    *("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"),
)
"""Variables whose values may contain a password. Each may be in a file instead, which `DATABASE_URL_FILE` names, as
container engines and Kubernetes hand out secrets."""


def secret(variable: str) -> str:
    """The value of one of `SECRETS`, from its file or from the environment; empty when there is none.

    Raises ValueError, which names the variable, when the file cannot be read, or when both are set."""
    value, file = os.environ.get(variable, ""), os.environ.get(f"{variable}_FILE")
    if not file:
        return value
    if value:
        raise ValueError(f"{variable}_FILE: {variable} is set too; set only one of them")
    try:
        return Path(file).read_text().strip()
    except (OSError, UnicodeDecodeError) as failure:
        reason = failure.strerror if isinstance(failure, OSError) else "it is not UTF-8"
        raise ValueError(f"{variable}_FILE: {file} cannot be read: {reason}") from None


def faults(*kinds: type[ProcessSettings], **overrides: Any) -> list[str]:
    """One line for each variable that is missing or malformed; an empty variable counts as not set. `overrides` take
    the place of the environment's values."""
    lines: dict[str, str] = {}
    values: dict[str, Any] = {}
    for variable in SECRETS:
        try:
            if value := secret(variable):
                values[variable.lower()] = value
        except ValueError as failure:
            lines[variable] = str(failure)
    for kind in kinds:
        try:
            kind(**values | overrides)
        except ValidationError as failure:
            for error in failure.errors():
                name = str(error["loc"][0]).upper()
                secret_value = "URL" in name or "ENDPOINT" in name or name in SECRETS  # it may contain a password
                value = "" if secret_value else os.environ.get(name)
                lines.setdefault(name, f"{name}: {error['msg']}" + (f" (it is {value!r})" if value else ""))
    return list(lines.values())


def read(kind: type[S], *others: type[ProcessSettings], **overrides: Any) -> S:
    """Reads `kind` from the environment. When a variable of `kind` or of `others` is at fault, stops the process, with
    one line for each such variable."""
    if found := faults(kind, *others, **overrides):
        raise SystemExit("\n".join(f"configuration error: {line}" for line in found))
    values: dict[str, Any] = {variable.lower(): value for variable in SECRETS if (value := secret(variable))}
    return kind(**values | overrides)
