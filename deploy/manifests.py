"""The files of `deploy/kubernetes/` that follow from the table of processes; `make render` writes them.

What all processes, databases or routes have in common is not here: Kustomize adds it from patches written by hand.
"""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import indent

from chassis.web.versions import LONG, SHORT
from deploy import release, topology, write_openapi
from deploy.filling import filled
from deploy.topology import PROCESSES, SERVICES, Process

DATABASE_PORT = 5432
REGISTRY = "ghcr.io/example/solicita-"
"""Where the example of an overlay finds the images: its last part is the name of the process."""
HEAD = "# rendered by `make render` from deploy/topology.py and deploy/templates/kubernetes/\n"
RULES = """# rendered by `make render` from deploy/observability/rules.yaml
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: solicita
spec:
"""


def processes() -> str:
    return _each(_process(process) for process in PROCESSES)


def _process(process: Process) -> str:
    urls = [_variable(topology.url_variable(name), _url(name)) for name in process.asks]
    mounts: list[str] = []
    volumes: list[str] = []
    if process.owns_database:
        at, ca = f"{process.name}-pooler:{DATABASE_PORT}", "/database/ca.crt"
        url = f"postgresql://{process.name}@@{at}/{process.name}?sslmode=verify-full&sslrootcert={ca}"  # @@ is one @
        secret = f"{{secretKeyRef: {{name: {process.name}-db-app, key: password}}}}"
        urls += [_variable("DATABASE_URL", url), f"- {{name: PGPASSWORD, valueFrom: {secret}}}"]
        mounts.append("- {name: database, mountPath: /database, readOnly: true}")
        items = "items: [{key: ca.crt, path: ca.crt}]"  # and not the key, which is in the same Secret
        volumes.append(f"- {{name: database, secret: {{secretName: {process.name}-db-ca, {items}}}}}")
    words = {"name": process.name, "port": process.port, "calls_others": "yes" if process.asks else "no"}
    return filled("kubernetes/process.yaml", words, urls=urls, mounts=mounts, volumes=volumes)


def _variable(name: str, value: str) -> str:
    return f'- {{name: {name}, value: "{value}"}}'


def _url(name: str) -> str:
    return f"http://{name}:{topology.by_name(name).port}"


def databases() -> str:
    return _each(filled("kubernetes/database.yaml", {"name": service.name}) for service in SERVICES)


def migrations() -> str:
    return _each(filled("kubernetes/migration.yaml", {"name": service.name}) for service in SERVICES)


def version_of_migrations() -> str:
    """What the name of a migration's Job ends with, and the label by which one waits for it."""
    version = release.current()
    labels = f"labels: [{{pairs: {{app.kubernetes.io/version: {version}}}, includeTemplates: true}}]\n"
    return f"nameSuffix: -{version.replace('.', '-')}\n{labels}"


def edges() -> str:
    """Who may connect to whom, and nobody else: the processes along `asks`, and each service with its database."""
    of_databases = (filled("kubernetes/database-edges.yaml", {"name": service.name}) for service in SERVICES)
    return _each([*(_edges(process) for process in PROCESSES), *of_databases])


def _edges(process: Process) -> str:
    callers = [one.name for one in PROCESSES if process.name in one.asks]
    ingress = _rules("ingress", "from", [(callers, process.port)])
    targets = [([name], topology.by_name(name).port) for name in process.asks]
    egress = _rules("egress", "to", targets)
    if process.owns_database:
        egress = egress or ["egress:"]
        pooler = f"[{{podSelector: {{matchLabels: {{cnpg.io/poolerName: {process.name}-pooler}}}}}}]"
        egress += [f"  - to: {pooler}", f"    ports: [{{port: {DATABASE_PORT}}}]"]
    return filled("kubernetes/edges.yaml", {"name": process.name}, ingress=ingress, egress=egress)


def _rules(direction: str, peers: str, allowed: list[tuple[list[str], int]]) -> list[str]:
    """The lines of one direction of a policy; none if nothing is allowed, since an empty list of peers is everybody."""
    lines: list[str] = []
    for names, port in allowed:
        if names:
            lines += [
                f"  - {peers}:",
                *(f"      - {_selector(name)}" for name in names),
                f"    ports: [{{port: {port}}}]",
            ]
    return [f"{direction}:", *lines] if lines else []


def _selector(name: str) -> str:
    labels = f"{{app.kubernetes.io/name: {name}, app.kubernetes.io/component: process}}"
    return f"podSelector: {{matchLabels: {labels}}}"


def autoscalers() -> str:
    return _each(filled("kubernetes/autoscaler.yaml", {"name": process.name}) for process in PROCESSES)


def routes() -> str:
    """The public paths of each service, which are those of `deploy/edge/Caddyfile`."""
    return _each(_route(service) for service in SERVICES)


def _route(service: Process) -> str:
    paths = [begin + name for begin in (SHORT, LONG) for name in write_openapi.collection_names(service.name)]
    matches = [f"- path: {{type: PathPrefix, value: {path}}}" for path in paths]
    return filled("kubernetes/route.yaml", {"name": service.name, "port": service.port}, collections=matches)


def backups() -> str:
    return _each(filled("kubernetes/backup.yaml", {"name": service.name}) for service in SERVICES)


def images() -> str:
    """Where the image of each process is, and its version."""
    return "images:\n" + "".join(
        f"  - {{name: solicita-{process.name}, newName: {REGISTRY}{process.name}, newTag: {release.current()}}}\n"
        for process in PROCESSES
    )


def alerts(rules: str) -> str:
    """The text of Prometheus' rules as a resource of its operator."""
    return RULES + indent(rules[rules.index("groups:\n") :], "  ")


def _each(documents: Iterable[str]) -> str:
    return HEAD + "".join(documents)
