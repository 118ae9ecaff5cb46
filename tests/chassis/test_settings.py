"""A process reads its environment once, and stops with one line that names what is wrong."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from chassis.settings import SECRETS, ServerSettings, read, settings_of
from deploy.local import ROOT
from deploy.postgres import free_ports
from deploy.topology import PROCESSES, Process

GOOD = {
    "DATABASE_URL": "postgresql://u:p@localhost:1/x",
    "CATALOGO_URL": "http://localhost:1",
    "PESSOAS_URL": "http://localhost:2",
    "SERVICOS_URL": "http://localhost:3",
    "SOLICITACOES_URL": "http://localhost:4",
    "AUTH_JWKS": "https://issuer.test/jwks",
    "AUTH_ISSUER": "https://issuer.test",
    "AUTH_AUDIENCE": "solicita",
}


@pytest.mark.parametrize(
    ("process", "variable", "value"),
    [
        ("pessoas", "DATABASE_URL", None),
        ("pessoas", "DATABASE_URL", "mysql://localhost/x"),
        ("pessoas", "LOG_LEVEL", "loud"),
        ("pessoas", "PORT", "http"),
        ("solicitacoes", "CATALOGO_URL", None),
        ("gateway", "PESSOAS_URL", "localhost"),
        ("gateway", "SOLICITACOES_URL", None),
        ("gateway", "SOLICITACOES_URL", "unix:run/solicitacoes"),
        ("gateway", "SOLICITACOES_URL", f"unix:/{'a' * 103}"),
        ("pessoas", "UNIX_SOCKET", "pessoas"),
        ("pessoas", "UNIX_SOCKET", f"/{'a' * 103}"),
        ("pessoas", "AUTH_MODE", "on"),
        ("pessoas", "AUTH_LEEWAY", "121"),
        ("pessoas", "AUTH_ALGORITHMS", "HS256"),
        ("pessoas", "AUTH_ALGORITHMS", "RS256,none"),
        ("pessoas", "AUTH_ALGORITHMS", ","),
        ("gateway", "AUTH_SCOPE_CLAIMS", ","),
        ("gateway", "RATE_LIMIT", "-1"),
        ("pessoas", "API_RATE_LIMIT", "many"),
        ("pessoas", "RATE_LIMIT_URL", "localhost:6379"),
        ("gateway", "RATE_LIMIT_URL", "http://localhost:6379"),
        ("gateway", "MAX_ARRIVING_BYTES", "999999"),  # less than the size of one allowed body
        ("gateway", "FORWARDED_ALLOW_IPS", "proxy"),
        ("pessoas", "FORWARDED_ALLOW_IPS", "10.0.0.1,10.0.0.1/8"),
        ("pessoas", "ALLOWED_HOSTS", "http://pessoas"),
        ("pessoas", "ALLOWED_HOSTS", "localhost,pessoas:8002"),
        ("gateway", "ALLOWED_HOSTS", ".example.com"),
        ("gateway", "ALLOWED_HOSTS", "api.*.com"),
        ("gateway", "CORS_ORIGINS", "*"),
        ("gateway", "CORS_ORIGINS", "https://app.example.com/"),
        ("gateway", "CORS_ORIGINS", "https://app.example.com,null"),
        ("gateway", "OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
        ("gateway", "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("gateway", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "0"),
        ("gateway", "OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/ca.pem"),
        ("gateway", "OTEL_EXPORTER_OTLP_HEADERS", "secret"),
        ("gateway", "OTEL_RESOURCE_ATTRIBUTES", "a=b,c"),
        ("pessoas", "OTEL_TRACES_SAMPLER", "jaeger_remote"),
        ("pessoas", "OTEL_TRACES_SAMPLER_ARG", "5"),
        ("pessoas", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4096"),  # more than the queue holds
    ],
)
def test_a_missing_or_malformed_variable_stops_the_process_with_one_line_that_names_it(
    process: str, variable: str, value: str | None
) -> None:
    refuses(process, variable, {**GOOD, variable: value})


@pytest.mark.parametrize("process", ["pessoas", "gateway"])
@pytest.mark.parametrize("variable", ["AUTH_JWKS", "AUTH_ISSUER", "AUTH_AUDIENCE"])
@pytest.mark.parametrize("value", [None, ""])
def test_tokens_are_not_asked_for_before_it_is_said_whose(process: str, variable: str, value: str | None) -> None:
    refuses(process, variable, {**GOOD, "AUTH_MODE": "jwt", variable: value})


@pytest.mark.parametrize("process", PROCESSES, ids=lambda process: process.name)
def test_an_empty_variable_is_one_that_is_not_set(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = (ServerSettings, settings_of(process.name))
    for name in (name.upper() for kind in kinds for name in kind.model_fields):
        monkeypatch.delenv(name, raising=False)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    usual = [kind() for kind in kinds]
    for kind in kinds:
        for name in kind.model_fields:
            if name.upper() not in GOOD:
                monkeypatch.setenv(name.upper(), "")

    assert [kind() for kind in kinds] == usual


def test_all_wrong_variables_of_a_process_are_told_at_once_before_its_workers_start() -> None:
    told = stopped(
        "gateway", {**GOOD, "WORKERS": "2", "MAX_CONNECTIONS": "one", "MAX_COST": "0", "PESSOAS_URL": "here"}
    )

    names = [line.split(": ")[1] for line in told.splitlines()]
    assert names == ["MAX_CONNECTIONS", "MAX_COST", "PESSOAS_URL"]
    assert "(it is 'one')" in told
    assert "here" not in told  # a URL may carry a password


@pytest.mark.parametrize("variable", SECRETS)
def test_a_secret_may_be_in_a_file(variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    value = {
        "DATABASE_URL": GOOD["DATABASE_URL"],
        "RATE_LIMIT_URL": "redis://:p@localhost:1",
        "NEIGHBOUR_PROXY": "http://u:p@localhost:1",
    }.get(variable, "api-key=p")
    file = tmp_path / "secret"
    file.write_text(value + "\n")
    for name, url in GOOD.items():
        monkeypatch.setenv(name, url)
    monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv(f"{variable}_FILE", str(file))
    kind = settings_of("gateway" if variable == "NEIGHBOUR_PROXY" else "pessoas")
    assert str(getattr(read(kind), variable.lower())) == value


def test_a_secret_that_is_set_twice_or_cannot_be_read_stops_the_process_and_is_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("postgresql://u:hidden@localhost:1/x")
    refuses("pessoas", "DATABASE_URL_FILE", {**GOOD, "DATABASE_URL_FILE": str(file)})
    elsewhere = {**GOOD, "DATABASE_URL": None}
    refuses("pessoas", "DATABASE_URL_FILE", {**elsewhere, "DATABASE_URL_FILE": str(tmp_path / "none")})
    refuses("pessoas", "DATABASE_URL_FILE", {**elsewhere, "DATABASE_URL_FILE": str(tmp_path)})
    file.write_text("mysql://u:hidden@localhost:1/x")
    told = stopped("pessoas", {**elsewhere, "DATABASE_URL_FILE": str(file)})
    assert told.startswith("configuration error: DATABASE_URL: ")
    assert "hidden" not in told


def test_migrations_take_their_database_from_a_file_too(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    environment["DATABASE_URL_FILE"] = str(tmp_path / "none")
    command = [sys.executable, "-m", "chassis.db.migrate", "pessoas"]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("configuration error: DATABASE_URL_FILE: ")


def test_the_level_of_logs_is_taken_in_small_letters_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "warning")
    assert read(ServerSettings).log_level == "WARNING"


def refuses(process: str, variable: str, variables: Mapping[str, str | None]) -> None:
    """The process stops, and names `variable` as the reason."""
    told = stopped(process, variables)
    assert told.count("\n") == 1
    assert told.startswith(f"configuration error: {variable}: ")


def stopped(process: str, variables: Mapping[str, str | None]) -> str:
    """The output of a process that stops at once."""
    given = {**os.environ, "PORT": str(free_ports()), **variables}
    environment = {name: value for name, value in given.items() if value is not None}
    ended = subprocess.run(
        [sys.executable, "-m", "chassis.serve", process],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 1
    return ended.stderr
