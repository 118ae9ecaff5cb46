"""Writes anew what follows from the table of processes and from the code: `python -m deploy.render` (`make render`).

These are a block of each file in BLOCKS, between two comments, and the whole files that describe the interfaces. A test
compares all of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from chassis.web.versions import LONG, SHORT
from deploy import boards, databases, manifests, objectives, topology, write_openapi
from deploy.filling import filled
from deploy.topology import PROCESSES, SERVICES, Process
from gateway.schema import build

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"(rendered by `make render`[^\n]*\n).*?([^\n]*end of what is rendered)", re.S)


def compose() -> str:
    """The containers of compose.yaml, and their volumes."""
    containers = [
        (filled("database.yaml", {"name": process.name, "NAME": process.name.upper()}) if process.owns_database else "")
        + container(process)
        for process in PROCESSES
    ]
    tools = (filled("edge.yaml", {}), filled("observability.yaml", {}))
    named = (*(service.name for service in SERVICES), "edge", "prometheus", "tempo", "loki", "alloy", "grafana")
    volumes = "".join(f"  {name}-data:\n" for name in named)
    return f"services:\n{''.join(containers)}{demo()}{''.join(tools)}volumes:\n{volumes}"


def ports() -> str:
    """The ports that compose.override.yaml publishes."""
    words = ({"name": process.name, "port": process.port} for process in PROCESSES)
    return "services:\n" + "".join(filled("port.yaml", one) for one in words)


def demo() -> str:
    """The step that loads demo data. Any service's image has what it needs."""
    urls = [f"{databases.variable(service.name)}: *{service.name}-database" for service in SERVICES]
    awaited = [f"migrate-{service.name}: {{condition: service_completed_successfully}}" for service in SERVICES]
    return filled("demo.yaml", {"image": SERVICES[-1].name}, urls=urls, awaited=awaited)


def container(process: Process) -> str:
    urls = [f"{topology.url_variable(name)}: http://{name}:{topology.by_name(name).port}" for name in process.asks]
    awaited = [f"{name}: {{condition: service_healthy}}" for name in process.asks]
    if process.owns_database:
        settings = "[*service, *caller]" if process.asks else "*service"
        urls.insert(0, f"DATABASE_URL: *{process.name}-database")
        awaited.insert(0, f"migrate-{process.name}: {{condition: service_completed_successfully}}")
    else:
        settings = "*gateway"
    kind = "following-process" if process.asks else "process"
    words = {"name": process.name, "port": process.port, "kind": kind, "settings": settings}
    return filled("process.yaml", words, urls=urls, awaited=awaited)


def edge() -> str:
    """The edge's way to each service, and its index of all collections."""
    of_service = {service: write_openapi.collection_names(service.name) for service in SERVICES}
    lines: list[str] = []
    for begin in (SHORT, LONG):
        index = {name: begin + name + "/" for names in of_service.values() for name in names}
        lines.append(f"import index {begin} `{json.dumps(index)}`")
    for service, names in of_service.items():
        lines.append(f"import service {service.name} {service.port} {'|'.join(names)}")
    return "".join(f"\t{line}\n" for line in lines)


def scrapes() -> str:
    """Where Prometheus finds the processes."""
    return "".join(
        f"  - job_name: {process.name}\n    dns_sd_configs: "
        f"[{{names: [{process.name}], type: A, port: {process.port}, refresh_interval: 5s}}]\n"
        for process in PROCESSES
    )


def passwords() -> str:
    return "".join(f"{service.name.upper()}_DB_PASSWORD={service.name}\n" for service in SERVICES)


def contracts() -> str:
    """The import contracts that name services."""

    def quoted(services: Iterable[Process]) -> str:
        return ", ".join(f'"{service.name}"' for service in services)

    words = {
        "services": quoted(SERVICES),
        "strangers": " | ".join(service.name for service in SERVICES),
        "without_neighbours": quoted(service for service in SERVICES if not service.asks),
    }
    return filled("contracts.toml", words)


def url_settings() -> str:
    """The members of the gateway's settings for the services' URLs."""
    return "".join(f"    {name}_url: BaseUrl\n" for name in topology.GATEWAY.asks)


def table(*rows: Iterable[str]) -> str:
    """A table in Markdown, which begins and ends with an empty line."""
    head, *others = (f"| {' | '.join(cells)} |" for cells in rows)
    return "\n".join(("", head, "|" + "---|" * (head.count(" | ") + 1), *others, "", ""))


def code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


URL_MEANING = "base URL of that service; or `unix:` and the path of its `UNIX_SOCKET`, if it runs on the same machine"


def variables() -> str:
    """The environment variables that are named after a service."""
    asked: dict[str, list[str]] = {}
    for service in SERVICES:
        readers = ", ".join(sorted(process.name for process in PROCESSES if service.name in process.asks))
        asked.setdefault(readers, []).append(topology.url_variable(service.name))
    urls = [(code(names), readers, "required", URL_MEANING) for readers, names in asked.items()]
    databases_of_all = code(databases.variable(service.name) for service in SERVICES)
    passwords_of_all = code(f"{service.name.upper()}_DB_PASSWORD" for service in SERVICES)
    return table(
        ("variable", "read by", "default", "meaning"),
        *urls,
        (
            databases_of_all,
            "`deploy.migrate_all`, `deploy.demo`, `make psql`, `make backup`, `make restore`",
            "required by the first two; else what is in `DATA_DIR`",
            "its database, for programs that reach several",
        ),
        (
            passwords_of_all,
            "`compose.yaml`",
            "the service's name",
            "password of its database; it counts when the volume is made",
        ),
    )


def scopes() -> str:
    reads, writes, changes = (
        code(f"{service.name}:{right}" for service in SERVICES) for right in ("read", "write", "changes")
    )
    return table(
        ("scope", "allows"),
        (reads, "to read, also by `POST …/query/`"),
        (writes, "to create, change and delete, and to see what was written"),
        (changes, "to follow the [changes](rest.md#changes), and nothing else"),
    )


def collections() -> str:
    """The collections of every service, with the members of a row."""
    rows: list[tuple[str, str, str]] = []
    for service in SERVICES:
        document = write_openapi.generated(service.name)
        schemas = document["components"]["schemas"]
        for path, noun in write_openapi.collections(document):
            read, write = (members(schemas, schemas[f"{noun}{kind}"]) for kind in ("Public", "Write"))
            rows.append((f"`:{service.port}{path}`", f"`{read}`", f"`{write}`"))
    return table(("collection", "member as read", "members to write"), *rows)


def members(schemas: dict[str, Any], schema: dict[str, Any]) -> str:
    """The names of an object's members, the id first; those of an object in it are in braces."""
    names: list[str] = []
    for name, member in sorted(schema["properties"].items(), key=lambda one: one[0] != "id"):
        inner = member.get("$ref", "").rpartition("/")[2]
        names.append(f"{name}: {{{members(schemas, schemas[inner])}}}" if inner else name)
    return ", ".join(names)


BLOCKS: dict[str, Callable[[], str]] = {
    "compose.yaml": compose,
    "compose.override.yaml": ports,
    "deploy/edge/Caddyfile": edge,
    "deploy/observability/prometheus.yaml": scrapes,
    "deploy/observability/rules.yaml": objectives.burn_rates,
    ".env.example": passwords,
    "pyproject.toml": contracts,
    "gateway/settings.py": url_settings,
    "deploy/kubernetes/base/migrations/kustomization.yaml": manifests.version_of_migrations,
    "deploy/kubernetes/overlays/production/kustomization.yaml": manifests.images,
    "docs/rest.md": collections,
    "docs/configuration.md": variables,
    "docs/operations.md": scopes,
}


MANIFESTS: dict[str, Callable[[], str]] = {
    "base/processes.yaml": manifests.processes,
    "base/databases.yaml": manifests.databases,
    "base/edges.yaml": manifests.edges,
    "base/migrations/jobs.yaml": manifests.migrations,
    "overlays/production/autoscalers.yaml": manifests.autoscalers,
    "overlays/production/routes.yaml": manifests.routes,
    "overlays/production/backups.yaml": manifests.backups,
}
"""The files of `deploy/kubernetes/` that are rendered as a whole, except the alerts."""


def rendered() -> dict[Path, str]:
    """Every file that is rendered, in part or as a whole, with the text that it should have."""
    files = {ROOT / name: with_block(ROOT / name, block()) for name, block in BLOCKS.items()}
    files |= {write_openapi.path(one.name): write_openapi.text(write_openapi.generated(one.name)) for one in SERVICES}
    files |= {ROOT / "deploy" / "kubernetes" / name: text() for name, text in MANIFESTS.items()}
    rules = files[ROOT / "deploy" / "observability" / "rules.yaml"]
    files[ROOT / "deploy" / "kubernetes" / "overlays" / "production" / "alerts.yaml"] = manifests.alerts(rules)
    files |= {ROOT / "deploy" / "observability" / "boards" / name: text for name, text in boards.boards().items()}
    files[ROOT / "gateway" / "schema.graphql"] = build().as_str() + "\n"
    return files


def with_block(file: Path, block: str) -> str:
    """The text of `file` with this block between its two comments."""
    text, found = BLOCK.subn(lambda marks: f"{marks[1]}{block}{marks[2]}", file.read_text())
    assert found == 1, f"{file} has no place for what is rendered"
    return text


def main() -> None:
    for file, text in rendered().items():
        if not file.exists() or file.read_text() != text:
            file.write_text(text)
            print(f"wrote {file.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
