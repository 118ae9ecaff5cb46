"""deploy/kubernetes agrees with deploy/topology.py, and is valid by schemas and by models."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple, cast
from urllib.parse import urlsplit

import kubernetes_validate  # pyright: ignore[reportMissingTypeStubs]
import pytest
import yaml

from chassis.observe.meters import REGISTRY
from chassis.process.server import DRAIN_SECONDS
from chassis.settings import DatabaseSettings, ServerSettings, settings_of
from deploy import release
from deploy.local import ROOT
from deploy.topology import PROCESSES, SERVICES, Process, by_name, url_variable
from deploy.write_openapi import collection_names
from tests.kubernetes import models
from tests.kubernetes.models import is_custom

Resource = dict[str, Any]
OVERLAYS = ("demo", "production")
PART, NAME = "app.kubernetes.io/component", "app.kubernetes.io/name"
KUBERNETES = "1.37"
"""The version by whose schemas its own kinds are judged."""
DATABASE_TIMEOUT = float(DatabaseSettings.model_fields["database_timeout"].default)
POOL_SIZE = int(DatabaseSettings.model_fields["database_pool_size"].default)
MAX_CONCURRENCY = int(ServerSettings.model_fields["max_concurrency"].default)
GRACE_AT_THE_END = 5
"""Seconds that a process may need after its requests: its pool, its spans and its log lines, each at most 1 or 2."""

each_overlay = pytest.mark.parametrize("overlay", OVERLAYS)
each_process = pytest.mark.parametrize("process", PROCESSES, ids=lambda process: process.name)
each_service = pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)


@cache
def built(overlay: str) -> list[Resource]:
    """What Kustomize makes of an overlay."""
    command = [Path(sys.executable).with_name("kubectl"), "kustomize", ROOT / "deploy/kubernetes/overlays" / overlay]
    told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (told.returncode, told.stderr) == (0, "")
    return list(yaml.safe_load_all(told.stdout))


def of_kind(overlay: str, kind: str) -> dict[str, Resource]:
    return {one["metadata"]["name"]: one for one in built(overlay) if one["kind"] == kind}


def pod_of(workload: Resource) -> Resource:
    return workload["spec"]["template"]["spec"]


def container(workload: Resource) -> Resource:
    [only] = pod_of(workload)["containers"]
    return only


def environment(workload: Resource) -> dict[str, str]:
    """The variables of a container that have a value of their own."""
    return {one["name"]: one["value"] for one in container(workload)["env"] if "value" in one}


def references(workload: Resource) -> dict[str, Resource]:
    """The variables of a container whose value is elsewhere, and where."""
    return {one["name"]: one["valueFrom"] for one in container(workload)["env"] if "valueFrom" in one}


def settings(overlay: str) -> dict[str, str]:
    [found] = [one for name, one in of_kind(overlay, "ConfigMap").items() if name.startswith("settings-")]
    return found["data"]


def reads(process: Process) -> set[str]:
    """The variables of a process, by its settings."""
    return {name.upper() for kind in (ServerSettings, settings_of(process.name)) for name in kind.model_fields}


def faults(resources: Sequence[Resource]) -> list[list[str]]:
    """What the API server would refuse in each of the resources."""
    of_custom = iter(models.faults([one for one in resources if is_custom(one)]))
    return [next(of_custom) if is_custom(one) else by_schema(json.dumps(one)) for one in resources]


@cache  # most of what the overlays have is the same
def by_schema(text: str) -> list[str]:
    """What the schemas of Kubernetes' own kinds find wrong in a resource."""
    try:
        kubernetes_validate.validate(json.loads(text), KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as fault:
        return [fault.message]
    return []


@each_overlay
def test_every_resource_is_one_that_its_schema_or_its_model_allows(overlay: str) -> None:
    resources = built(overlay)
    found = zip(resources, faults(resources), strict=True)
    assert {f"{one['kind']} {one['metadata']['name']}": told for one, told in found if told} == {}


def test_a_member_that_is_misspelt_and_a_value_of_another_type_or_form_are_found() -> None:
    mistakes: list[tuple[str, Resource]] = [
        ("Deployment", {"replica": 2}),
        ("Deployment", {"replicas": "two"}),
        ("Cluster", {"instance": 3}),
        ("Cluster", {"instances": "three"}),
        ("Cluster", {"instances": 0}),
        ("Cluster", {"primaryUpdateStrategy": "supervise"}),
        ("HTTPRoute", {"rules": [{"timeout": "1s"}]}),
        ("HTTPRoute", {"rules": [{"timeouts": {"request": "1 s"}}]}),
        ("ObjectStore", {"retentionPolicy": "30 days"}),
        ("ObjectStore", {"configuration": {}}),
    ]
    resources = [next(iter(of_kind("production", kind).values())) for kind, _ in mistakes]
    wrong = [one | {"spec": one["spec"] | change} for one, (_, change) in zip(resources, mistakes, strict=True)]

    assert [mistake for mistake, told in zip(mistakes, faults(wrong), strict=True) if not told] == []


def test_a_member_that_nobody_knows_is_found_in_each_object_of_a_custom_resource() -> None:
    wrong: dict[str, Resource] = {}
    for resource in deepcopy([one for one in built("production") if is_custom(one)]):
        for name, found in objects(resource, resource["kind"]):
            found["unknown"] = 1
            wrong[name] = deepcopy(resource)
            del found["unknown"]

    unnoticed = {name for name, told in zip(wrong, models.faults([*wrong.values()]), strict=True) if not told}

    maps_of_quantities = ("Cluster.spec.resources", "Pooler.spec.template.spec.containers.*.resources")
    assert unnoticed == {f"{name}.{kind}" for name in maps_of_quantities for kind in ("requests", "limits")}


def objects(value: Any, name: str) -> Iterator[tuple[str, Resource]]:
    """The objects in a value, each with its name, in which `*` is any place in a list."""
    if isinstance(value, dict):
        yield name, cast("Resource", value)
        for member, inner in cast("Resource", value).items():
            yield from objects(inner, f"{name}.{member}")
    if isinstance(value, list):
        for inner in cast("list[Any]", value):
            yield from objects(inner, f"{name}.*")


@each_overlay
def test_all_is_in_one_namespace_that_admits_restricted_pods_only(overlay: str) -> None:
    [namespace] = of_kind(overlay, "Namespace").values()
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    others = [one for one in built(overlay) if one is not namespace]
    assert {one["metadata"]["namespace"] for one in others} == {namespace["metadata"]["name"]}


@each_overlay
def test_every_process_runs_and_every_service_has_a_database_a_pooler_and_a_migration(overlay: str) -> None:
    processes, services = {one.name for one in PROCESSES}, {one.name for one in SERVICES}
    for kind in ("Deployment", "Service"):
        assert of_kind(overlay, kind).keys() == processes
    poolers = {f"{name}-pooler" for name in services}
    assert of_kind(overlay, "Pooler").keys() == poolers
    # The operator makes those of the databases.
    assert of_kind(overlay, "PodDisruptionBudget").keys() == processes | poolers
    suffix = release.current().replace(".", "-")
    assert of_kind(overlay, "Cluster").keys() == {f"{name}-db" for name in services}
    assert of_kind(overlay, "Job").keys() == {f"migrate-{name}-{suffix}" for name in services}
    for job in of_kind(overlay, "Job").values():  # one waits for those of a version, whatever became of older ones
        assert job["metadata"]["labels"]["app.kubernetes.io/version"] == release.current()


@each_process
@each_overlay
def test_a_process_has_the_port_the_name_and_the_variables_of_the_table(process: Process, overlay: str) -> None:
    deployment, service = (of_kind(overlay, kind)[process.name] for kind in ("Deployment", "Service"))
    found = environment(deployment)

    assert container(deployment)["ports"] == [{"name": "http", "containerPort": process.port}]
    assert service["spec"]["ports"] == [{"name": "http", "port": process.port, "targetPort": "http"}]
    assert service["spec"]["selector"] == deployment["spec"]["selector"]["matchLabels"]
    assert service["spec"]["selector"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
    assert found["PORT"] == str(process.port)
    assert found["ALLOWED_HOSTS"] == f"{process.name},$(PUBLIC_HOSTS)"
    asked = {url_variable(name): f"http://{name}:{by_name(name).port}" for name in process.asks}
    database = {"DATABASE_URL"} if process.owns_database else set[str]()
    assert {name for name in found if name.endswith("_URL")} == asked.keys() | database
    assert {name: found[name] for name in asked} == asked
    assert found.keys() <= reads(process)
    password = {"PGPASSWORD"} if process.owns_database else set[str]()  # which libpq reads
    assert references(deployment).keys() == {"PUBLIC_HOSTS", "RATE_LIMIT_URL"} | password
    assert container(deployment)["image"].rpartition("/")[2].partition(":")[0] == f"solicita-{process.name}"


@each_overlay
def test_a_setting_is_a_variable_that_some_process_reads(overlay: str) -> None:
    known = {"PUBLIC_HOSTS"}.union(*(reads(process) for process in PROCESSES))
    assert settings(overlay).keys() <= known
    for deployment in of_kind(overlay, "Deployment").values():
        [source] = container(deployment)["envFrom"]
        assert source["configMapRef"]["name"] in of_kind(overlay, "ConfigMap")


@each_service
@each_overlay
def test_a_service_reaches_its_own_database_through_the_pooler_and_its_migration_directly(
    service: Process, overlay: str
) -> None:
    cluster, pooler = (
        of_kind(overlay, "Cluster")[f"{service.name}-db"],
        of_kind(overlay, "Pooler")[f"{service.name}-pooler"],
    )
    [migration] = [one for name, one in of_kind(overlay, "Job").items() if name.startswith(f"migrate-{service.name}-")]
    process = of_kind(overlay, "Deployment")[service.name]

    assert cluster["spec"]["bootstrap"] == {"initdb": {"database": service.name, "owner": service.name}}
    assert pooler["spec"]["cluster"] == {"name": f"{service.name}-db"}
    hosts = {f"{service.name}-pooler": process, f"{service.name}-db-rw": migration}
    for host, workload in hosts.items():
        url = urlsplit(environment(workload)["DATABASE_URL"])
        assert (url.hostname, url.port, url.username, url.path) == (host, 5432, service.name, f"/{service.name}")
        assert url.query == "sslmode=verify-full&sslrootcert=/database/ca.crt"
        password = {"secretKeyRef": {"name": f"{service.name}-db-app", "key": "password"}}
        assert references(workload)["PGPASSWORD"] == password
        [authority] = [one["secret"] for one in pod_of(workload)["volumes"] if one["name"] == "database"]
        assert authority == {"secretName": f"{service.name}-db-ca", "items": [{"key": "ca.crt", "path": "ca.crt"}]}
    assert container(migration)["command"] == ["python", "-m", "chassis.db.migrate", service.name]
    assert container(migration)["image"] == container(process)["image"]
    assert cluster["spec"]["certificates"] == {"serverAltDNSNames": [f"{service.name}-pooler"]}
    assert settings(overlay)["DATABASE_POOLER"] == pooler["spec"]["pgbouncer"]["poolMode"] == "transaction"


@each_overlay
def test_a_password_is_nowhere_but_referred_to(overlay: str) -> None:
    assert of_kind(overlay, "Secret") == {}
    for workload in [*of_kind(overlay, "Deployment").values(), *of_kind(overlay, "Job").values()]:
        assert [
            name for name, value in environment(workload).items() if "PASSWORD" in name or urlsplit(value).password
        ] == []


@each_overlay
def test_what_is_applied_before_the_processes_is_all_that_migrations_need(overlay: str) -> None:
    def is_process(one: Resource) -> bool:  # the selector of docs/kubernetes.md and of the nightly job
        return one["metadata"].get("labels", {}).get(PART) == "process"

    first = {one["kind"] for one in built(overlay) if not is_process(one)}
    later = {one["kind"] for one in built(overlay) if is_process(one)}

    assert first >= {"Namespace", "NetworkPolicy", "ConfigMap", "Cluster", "Pooler", "Job"}
    assert later == {"Deployment", "Service", "PodDisruptionBudget"} | (
        {"HorizontalPodAutoscaler"} if overlay == "production" else set[str]()
    )


# --- pods ---


@each_overlay
def test_a_pod_can_gain_no_privilege_and_writes_only_to_memory(overlay: str) -> None:
    for workload in [*of_kind(overlay, "Deployment").values(), *of_kind(overlay, "Job").values()]:
        pod, only = pod_of(workload), container(workload)
        assert pod["automountServiceAccountToken"] is pod["enableServiceLinks"] is False
        assert pod["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "runAsGroup": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        assert only["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert only["resources"].keys() == {"requests", "limits"}
        writable = {one["name"] for one in only["volumeMounts"] if not one.get("readOnly")}
        assert writable == {"tmp"}
        assert {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}} in pod["volumes"]


@each_process
@each_overlay
def test_a_process_is_asked_whether_it_started_is_ready_and_lives_and_has_time_to_drain(
    process: Process, overlay: str
) -> None:
    deployment = of_kind(overlay, "Deployment")[process.name]
    pod, only = pod_of(deployment), container(deployment)

    asked = {kind: only[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "readiness", "liveness")}
    assert asked == {"startup": "/health/live", "readiness": "/health/ready", "liveness": "/health/live"}
    away = only["lifecycle"]["preStop"]["sleep"]["seconds"]
    ready = only["readinessProbe"]
    assert ready["timeoutSeconds"] >= DATABASE_TIMEOUT * 3 / 2  # for a connection, and for a statement
    assert only["livenessProbe"]["timeoutSeconds"] >= ready["timeoutSeconds"]
    assert pod["terminationGracePeriodSeconds"] >= away + DRAIN_SECONDS + GRACE_AT_THE_END
    assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    spread = {one["topologyKey"]: one["matchLabelKeys"] for one in pod["topologySpreadConstraints"]}
    keys = [NAME, "pod-template-hash"]
    assert spread == {"topology.kubernetes.io/zone": keys, "kubernetes.io/hostname": keys}
    budget = of_kind(overlay, "PodDisruptionBudget")[process.name]["spec"]
    assert (budget["selector"], budget["maxUnavailable"]) == (deployment["spec"]["selector"], 1)


# --- network ---


class Pod(NamedTuple):
    name: str
    labels: Mapping[str, str]


def pods(overlay: str) -> Iterator[Pod]:
    """The pods of an overlay, with the labels that policies select them by. Those of the operator have its labels."""
    for workload in [*of_kind(overlay, "Deployment").values(), *of_kind(overlay, "Job").values()]:
        labels = workload["spec"]["template"]["metadata"]["labels"]
        yield Pod(f"{labels[PART]} {labels[NAME]}", labels)
    for service in SERVICES:
        cluster = {"cnpg.io/cluster": f"{service.name}-db"}
        yield Pod(f"database {service.name}", {**cluster, "cnpg.io/podRole": "instance"})
        pooler = {"cnpg.io/poolerName": f"{service.name}-pooler", "cnpg.io/podRole": "pooler"}
        yield Pod(f"pooler {service.name}", {**cluster, **pooler})


def selects(selector: Resource, labels: Mapping[str, str]) -> bool:
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        (one["key"] in labels) == {"Exists": True, "DoesNotExist": False}[one["operator"]]
        for one in selector.get("matchExpressions", ())
    )


def allowed(overlay: str, direction: str, pod: Pod, other: Pod, port: int) -> bool:
    """Whether some policy lets `pod` send to `other`, or receive from it, on this port, inside of the namespace."""
    peers = "from" if direction == "ingress" else "to"
    return any(
        port in [one["port"] for one in rule["ports"]] and selects(peer["podSelector"], other.labels)
        for policy in of_kind(overlay, "NetworkPolicy").values()
        if selects(policy["spec"]["podSelector"], pod.labels)
        for rule in policy["spec"].get(direction, ())
        for peer in rule[peers]
        if "podSelector" in peer and "namespaceSelector" not in peer
    )


def edges_of_the_table() -> set[tuple[str, str, int]]:
    """Who connects to whom."""
    calls = {(f"process {one.name}", f"process {name}", by_name(name).port) for one in PROCESSES for name in one.asks}
    for name in (service.name for service in SERVICES):
        calls |= {(f"process {name}", f"pooler {name}", 5432), (f"pooler {name}", f"database {name}", 5432)}
        calls |= {(f"migration {name}", f"database {name}", 5432)}
        calls |= {(f"database {name}", f"database {name}", port) for port in (5432, 8000)}
    return calls


@each_overlay
def test_the_edges_between_pods_are_those_of_the_table_and_no_others(overlay: str) -> None:
    everybody, ports = list(pods(overlay)), {5432, *(process.port for process in PROCESSES)}
    for direction in ("ingress", "egress"):
        found = {
            (caller.name, called.name, port)
            for caller, called, port in product(everybody, everybody, ports)
            if (
                allowed(overlay, "ingress", called, caller, port)
                if direction == "ingress"
                else allowed(overlay, "egress", caller, called, port)
            )
        }
        assert found == edges_of_the_table(), direction


@each_overlay
def test_what_no_policy_allows_is_denied(overlay: str) -> None:
    assert of_kind(overlay, "NetworkPolicy")["nobody"]["spec"] == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
    }
    for name, policy in of_kind(overlay, "NetworkPolicy").items():
        rules = [rule for way in ("ingress", "egress") for rule in policy["spec"].get(way, ())]
        assert all(rule["ports"] and (rule.get("from") or rule.get("to")) for rule in rules), name


def edges_to_outside(overlay: str) -> set[tuple[str, str, str, tuple[int | str, ...]]]:
    """Who may reach what is outside of the namespace, or be reached from there: the pods' component or label, the
    direction, the namespace (with its pods, if they are named) or the addresses, and the ports."""
    found: set[tuple[str, str, str, tuple[int | str, ...]]] = set()
    for policy in of_kind(overlay, "NetworkPolicy").values():
        selector = policy["spec"]["podSelector"]
        labelled = [*selector.get("matchLabels", {}).values()]
        labelled += [one["key"] for one in selector.get("matchExpressions", ())]
        for direction, peers in (("ingress", "from"), ("egress", "to")):
            for rule in policy["spec"].get(direction, ()):
                for peer in rule[peers]:
                    if "namespaceSelector" in peer:
                        [other] = peer["namespaceSelector"]["matchLabels"].values()
                        other = " ".join([other, *peer.get("podSelector", {}).get("matchLabels", {}).values()])
                    elif "ipBlock" in peer:
                        other = " but ".join([peer["ipBlock"]["cidr"], *peer["ipBlock"].get("except", ())])
                    else:
                        continue
                    ports = tuple(sorted({one["port"] for one in rule["ports"]}, key=str))
                    found.add((" ".join(labelled) or "all", direction, other, ports))
    return found


IN_EVERY_OVERLAY = {
    ("all", "egress", "kube-system kube-dns", (53,)),
    ("cnpg.io/cluster", "ingress", "cnpg-system cloudnative-pg", (5432, 8000)),
    ("cnpg.io/cluster", "egress", "0.0.0.0/0", (443, 6443)),
}
NOT_PRIVATE = "0.0.0.0/0 but 10.0.0.0/8 but 172.16.0.0/12 but 192.168.0.0/16 but 169.254.0.0/16"


def test_the_demo_reaches_dns_and_the_operator_and_nothing_else_outside() -> None:
    assert edges_to_outside("demo") == IN_EVERY_OVERLAY


def test_production_has_further_edges_to_outside_for_what_it_needs_there() -> None:
    assert edges_to_outside("production") - edges_to_outside("demo") == {
        ("process", "ingress", "envoy-gateway-system", ("http",)),
        ("process", "ingress", "monitoring", ("http",)),
        ("cnpg.io/cluster", "ingress", "monitoring", ("metrics",)),
        ("process", "egress", NOT_PRIVATE, (443,)),
        ("process", "egress", "valkey", (6379,)),
        ("process", "egress", "monitoring", (4318,)),
    }


# --- production ---


class Way(NamedTuple):
    """A rule of a route, and how closely it describes a request."""

    closeness: tuple[bool, int, int]
    rule: Resource


def ways(path: str, headers: Mapping[str, str]) -> Iterable[Way]:
    """The rules of the public routes that fit a request, as the Gateway API has it: an exact path before a prefix, then
    the longer one, then the one with more headers."""
    for route in of_kind("production", "HTTPRoute").values():
        if route["spec"]["parentRefs"] != [{"name": "solicita", "sectionName": "https"}]:
            continue
        for rule in route["spec"]["rules"]:
            for match in rule["matches"]:
                kind, value = match["path"]["type"], match["path"]["value"]
                exact = kind == "Exact"
                fits = path == value if exact else f"{path}/".startswith(f"{value}/")
                wanted = {one["name"]: one["value"] for one in match.get("headers", ())}
                if fits and wanted.items() <= headers.items():
                    yield Way((exact, len(value), len(wanted)), rule)


def way(path: str, **headers: str) -> Resource:
    """The rule that a request follows; empty if there is none."""
    found = sorted(ways(path, headers), key=lambda one: one.closeness)
    return found[-1].rule if found else {}


def backend(path: str) -> str | None:
    [target] = way(path).get("backendRefs", [{"name": None}])
    return target["name"]


@each_service
def test_each_collection_is_public_at_its_own_path_and_leads_to_its_service(service: Process) -> None:
    for name in collection_names(service.name):
        for path in (f"/api/{name}/", f"/api/v1/{name}/", f"/api/{name}/1/", f"/api/{name}/query/"):
            assert backend(path) == service.name
        assert backend(f"/api/{name}x/") is None
    for path in ("docs", "docs/x", "openapi.json", "api/changes/", "api/v1/changes/"):
        assert backend(f"/{service.name}/{path}") == service.name


@pytest.mark.parametrize("path", ["/graphql", "/playground/main.js", "/painel", "/painel/resumo"])
def test_the_gateways_paths_lead_to_it(path: str) -> None:
    assert backend(path) == "gateway"


@pytest.mark.parametrize("path", ["/metrics", "/health/live", "/health/ready", "/health", "/docs", "/openapi.json"])
def test_metrics_and_health_and_what_each_process_has_for_itself_are_at_no_path_of_the_door(path: str) -> None:
    assert way(path) == {}


@each_process
def test_metrics_and_health_of_a_process_are_not_below_its_name_either(process: Process) -> None:
    assert [way(f"/{process.name}{path}") for path in ("/metrics", "/health/live", "/health/ready")] == [{}, {}, {}]


def test_only_what_has_no_end_has_no_timeout() -> None:
    assert way("/graphql")["timeouts"] == {"request": "40s"}
    assert way("/graphql", Upgrade="websocket")["timeouts"] == {"request": "0s"}
    assert way("/graphql", Accept="text/event-stream")["timeouts"] == {"request": "0s"}
    for route in of_kind("production", "HTTPRoute").values():
        rules = [rule for rule in route["spec"]["rules"] if "backendRefs" in rule]
        for rule in rules:
            assert rule["timeouts"]["request"] in ("40s", "0s")
            for target in rule["backendRefs"]:
                assert target == {"name": target["name"], "port": by_name(target["name"]).port}


@each_process
def test_a_process_is_scaled_by_its_cpu_and_by_its_requests_at_work(process: Process) -> None:
    spec = of_kind("production", "HorizontalPodAutoscaler")[process.name]["spec"]

    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": process.name}
    assert "replicas" not in of_kind("production", "Deployment")[process.name]["spec"]  # else each apply would set it
    [cpu, at_work] = spec["metrics"]
    assert cpu["resource"]["name"] == "cpu"
    metric = at_work["pods"]["metric"]["name"]
    assert metric == "http_requests_in_progress"
    assert metric in {one.name for one in REGISTRY.collect()}
    assert int(at_work["pods"]["target"]["averageValue"]) * 4 == MAX_CONCURRENCY
    assert spec["minReplicas"] >= 3


def test_all_places_of_a_process_may_be_taken_through_one_proxy() -> None:
    assert settings("production")["MAX_CONCURRENCY_PER_ADDRESS"] == str(MAX_CONCURRENCY)


@each_overlay
def test_a_process_may_take_as_much_memory_as_its_container_of_compose(overlay: str) -> None:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    for name, deployment in of_kind(overlay, "Deployment").items():
        assert compose[name]["mem_limit"] == "${PROCESS_MEMORY:-1536m}"
        assert container(deployment)["resources"]["limits"] == {"memory": "1536Mi"}


@each_service
def test_a_database_has_three_servers_a_quorum_backups_and_room_for_its_poolers(service: Process) -> None:
    cluster = of_kind("production", "Cluster")[f"{service.name}-db"]["spec"]
    pooler = of_kind("production", "Pooler")[f"{service.name}-pooler"]["spec"]
    backup = of_kind("production", "ScheduledBackup")[f"{service.name}-db"]["spec"]

    assert cluster["instances"] == 3
    assert cluster["postgresql"]["synchronous"] == {
        "method": "any",
        "number": 1,
        "dataDurability": "required",
        "failoverQuorum": True,
    }
    limits = pooler["pgbouncer"]["parameters"]
    assert int(limits["query_wait_timeout"]) < DATABASE_TIMEOUT
    assert int(limits["max_prepared_statements"]) > 0  # as DATABASE_POOLER=transaction promises
    most = of_kind("production", "HorizontalPodAutoscaler")[service.name]["spec"]["maxReplicas"]
    assert most * POOL_SIZE <= int(limits["max_client_conn"])  # of one pooler, when the other is away
    pooled = pooler["instances"] * int(limits["default_pool_size"])
    assert pooled < int(cluster["postgresql"]["parameters"]["max_connections"])
    assert cluster["affinity"] == {"podAntiAffinityType": "required", "topologyKey": "kubernetes.io/hostname"}
    for spread in (cluster["topologySpreadConstraints"], pooler["template"]["spec"]["topologySpreadConstraints"]):
        assert [one["topologyKey"] for one in spread] == ["topology.kubernetes.io/zone"]
    [plugin] = cluster["plugins"]
    assert plugin["parameters"]["barmanObjectName"] in of_kind("production", "ObjectStore")
    assert (backup["cluster"]["name"], backup["method"]) == (f"{service.name}-db", "plugin")
    assert backup["pluginConfiguration"]["name"] == plugin["name"]
    store = of_kind("production", "ObjectStore")[plugin["parameters"]["barmanObjectName"]]["spec"]
    assert {one["name"] for one in store["configuration"]["s3Credentials"].values()} == {"backups"}  # of a Secret


def test_prometheus_gets_our_rules_and_reads_each_process_under_its_name_and_the_databases() -> None:
    rules = yaml.safe_load((ROOT / "deploy/observability/rules.yaml").read_text())
    assert of_kind("production", "PrometheusRule")["solicita"]["spec"] == rules
    monitor = of_kind("production", "PodMonitor")["processes"]["spec"]
    assert monitor["jobLabel"] == NAME
    databases = of_kind("production", "PodMonitor")["databases"]["spec"]
    read = {
        pod.name: [one["selector"] for one in (monitor, databases) if selects(one["selector"], pod.labels)]
        for pod in pods("production")
    }
    assert {name for name, selectors in read.items() if selectors == [monitor["selector"]]} == {
        f"process {one.name}" for one in PROCESSES
    }
    assert {name for name, selectors in read.items() if selectors == [databases["selector"]]} == {
        f"{kind} {one.name}" for kind in ("database", "pooler") for one in SERVICES
    }
    assert [one["port"] for one in databases["podMetricsEndpoints"]] == ["metrics"]  # as CloudNativePG calls it


def test_production_asks_who_calls_and_those_who_follow_changes_have_a_token() -> None:
    assert settings("production")["AUTH_MODE"] == "jwt"
    following = {
        name for name, one in of_kind("production", "Deployment").items() if "FOLLOWER_TOKEN_FILE" in environment(one)
    }
    assert following == {process.name for process in PROCESSES if process.asks}
