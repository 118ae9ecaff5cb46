"""A real API server admits both overlays: with its rules in CEL, its defaults and the pod security of the namespace.

It is `kube-apiserver` with etcd and nothing else: no operator, no node. No package of PyPI, npm or Debian has it, nor
the definitions of the custom resources, so these tests are skipped where they are not given. `KUBEBUILDER_ASSETS` names
the folder of the programs, as with `setup-envtest`, and `CUSTOM_RESOURCES` that of the projects' own files.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives import serialization

from deploy.local import ROOT
from deploy.postgres import HOST, free_ports
from tests.issuer import RSA
from tests.kubernetes.test_manifests import built, each_overlay, of_kind, pod_of

PROGRAMS = os.pathsep.join((os.environ.get("KUBEBUILDER_ASSETS", ""), os.environ["PATH"]))
DEFINITIONS = os.environ.get("CUSTOM_RESOURCES", "")
START_SECONDS = 120

pytestmark = pytest.mark.system


class ApiServer:
    """An API server on this machine, and `kubectl` for it."""

    def __init__(self, port: int, cache: Path) -> None:
        self._command = [
            *(
                Path(sys.executable).with_name("kubectl"),
                "--server",
                f"https://{HOST}:{port}",
                "--token",
                "administrator",
            ),
            *("--insecure-skip-tls-verify", "--cache-dir", cache, "--kubeconfig", os.devnull),
        ]

    def kubectl(self, *arguments: str | Path, given: Any = None) -> subprocess.CompletedProcess[str]:
        """What `kubectl` says; `given` is what it reads from its standard input."""
        text = json.dumps(given) if given else None
        command = [*self._command, *arguments]
        return subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=120)

    def judge(self, *arguments: str | Path, given: Any = None) -> subprocess.CompletedProcess[str]:
        """Lets the server admit or refuse something, without keeping it. What it warns of counts as refused."""
        told = ("apply", "--server-side", "--dry-run=server", "--warnings-as-errors", *arguments)
        return self.kubectl(*told, given=given)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API server that knows our kinds and has our namespace."""
    if not all(shutil.which(name, path=PROGRAMS) for name in ("etcd", "kube-apiserver")):
        pytest.skip("kube-apiserver and etcd are needed")
    if not DEFINITIONS:
        pytest.skip("CUSTOM_RESOURCES must name a folder with the definitions of the custom resources")
    directory, port = tmp_path_factory.mktemp("api-server"), free_ports(3)
    key = directory / "key.pem"
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    key.write_bytes(RSA.private_bytes(*form))
    (directory / "tokens.csv").write_text("administrator,admin,admin,system:masters\n")
    etcd, peers = f"http://{HOST}:{port + 1}", f"http://{HOST}:{port + 2}"
    storage = [
        *(f"--data-dir={directory / 'etcd'}", f"--initial-cluster=default={peers}"),
        *(f"--{kind}-client-urls={etcd}" for kind in ("listen", "advertise")),
        *(f"--{kind}-peer-urls={peers}" for kind in ("listen", "initial-advertise")),
    ]
    options = [
        *(f"--etcd-servers={etcd}", f"--bind-address={HOST}", f"--advertise-address={HOST}", f"--secure-port={port}"),
        *(f"--cert-dir={directory}", "--authorization-mode=RBAC", f"--token-auth-file={directory / 'tokens.csv'}"),
        *("--service-account-issuer=https://kubernetes.default.svc", f"--service-account-key-file={key}"),
        *(f"--service-account-signing-key-file={key}", "--service-cluster-ip-range=10.96.0.0/16"),
        "--endpoint-reconciler-type=none",  # it refuses an address of loopback
        "--disable-admission-plugins=ServiceAccount",  # each pod would need an account, which a controller makes
    ]
    found = ApiServer(port, directory / "cache")
    kinds = {"apiVersion": "v1", "kind": "List", "items": [*definitions()]}
    with running("etcd", storage, directory), running("kube-apiserver", options, directory) as program:
        deadline = time.monotonic() + START_SECONDS
        while found.kubectl("get", "--raw", "/readyz").returncode:
            assert program.poll() is None, (directory / "kube-apiserver.log").read_text()[-4000:]
            assert time.monotonic() < deadline, (directory / "kube-apiserver.log").read_text()[-4000:]
            time.sleep(0.2)
        for told in (
            found.kubectl("apply", "--server-side", "-f", "-", given=kinds),
            found.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"),
            found.kubectl("apply", "--server-side", "-f", ROOT / "deploy/kubernetes/base/namespace.yaml"),
        ):
            assert told.returncode == 0, told.stderr
        yield found


def definitions() -> Iterator[dict[str, Any]]:
    """The definitions of custom resources in the projects' files, which may have a whole operator besides."""
    for file in sorted(Path(DEFINITIONS).glob("*.yaml")):
        for one in yaml.safe_load_all(file.read_text()):
            if one and one["kind"] == "CustomResourceDefinition":
                yield one


@contextmanager
def running(name: str, options: list[str], directory: Path) -> Generator[subprocess.Popen[bytes]]:
    """A program that runs inside of this context, and writes its log into `directory`."""
    with (directory / f"{name}.log").open("w") as log:
        program = subprocess.Popen([shutil.which(name, path=PROGRAMS) or name, *options], stdout=log, stderr=log)
        try:
            yield program
        finally:
            program.terminate()
            program.wait(30)


@each_overlay
def test_the_api_server_admits_every_resource_of_an_overlay_without_a_warning(server: ApiServer, overlay: str) -> None:
    told = server.judge("--kustomize", ROOT / "deploy/kubernetes/overlays" / overlay)

    assert (told.returncode, told.stderr) == (0, "")
    assert len(told.stdout.splitlines()) == len(built(overlay))


@each_overlay
def test_the_namespace_admits_the_pods_of_processes_and_migrations(server: ApiServer, overlay: str) -> None:
    workloads = [*of_kind(overlay, "Deployment").values(), *of_kind(overlay, "Job").values()]

    told = server.judge("-f", "-", given={"apiVersion": "v1", "kind": "List", "items": [*map(pod, workloads)]})

    assert (told.returncode, told.stderr) == (0, "")
    assert len(told.stdout.splitlines()) == len(workloads)


def pod(workload: dict[str, Any]) -> dict[str, Any]:
    """The pod that a controller would make of a workload."""
    metadata = {"name": workload["metadata"]["name"], "namespace": workload["metadata"]["namespace"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod_of(workload)}


def test_a_pod_that_may_run_as_root_is_refused(server: ApiServer) -> None:
    wrong = pod(of_kind("demo", "Deployment")["gateway"])
    wrong["spec"] = {**wrong["spec"], "securityContext": {}}

    told = server.judge("-f", "-", given=wrong)

    assert told.returncode != 0
    assert 'violates PodSecurity "restricted:latest"' in told.stderr
    assert "runAsNonRoot != true" in told.stderr


def test_what_only_a_rule_in_cel_forbids_is_refused(server: ApiServer) -> None:
    route = of_kind("production", "HTTPRoute")["pessoas"]
    [rule, *_] = route["spec"]["rules"]
    longer = {**rule, "timeouts": {"request": "1s", "backendRequest": "2s"}}

    told = server.judge("-f", "-", given={**route, "spec": {**route["spec"], "rules": [longer]}})

    assert told.returncode != 0
    assert "backendRequest timeout cannot be longer than request timeout" in told.stderr
