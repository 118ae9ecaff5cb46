"""The system behind the edge: two gateways and two of pessoas, one of each other service, and Caddy with the
configuration of compose.yaml's profile `edge`. Each process has an address of its own on loopback, like a container."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx2
from websockets.asyncio.client import connect
from websockets.typing import Origin, Subprotocol

from deploy import topology
from deploy.local import ROOT
from deploy.postgres import HOST, free_ports
from tests.deploy.processes import WAIT_SECONDS, eventually
from tests.edge.names import NameServer, told_to_processes
from tests.listener import Listener

CADDY = Path(sys.executable).with_name("caddy")
CADDYFILE = ROOT / "deploy" / "edge" / "Caddyfile"
ADDRESSES = ("127.0.0.2", "127.0.0.3")
NAMES = {
    process.name: ADDRESSES if process.name in ("gateway", "pessoas") else ADDRESSES[:1]
    for process in topology.PROCESSES
}
"""Where the processes of each name listen, each on the port of its name."""
NOTHING: Mapping[str, str] = {}
CALLERS = ("127.0.0.2", "127.0.0.3")
"""Addresses from which a client may call."""
LIMITS = httpx2.Limits(max_connections=None, max_keepalive_connections=100)
RATE = 1_000_000
"""Cost, or requests, of one caller in a minute: never reached, and each answer says what is left of it."""


class Replica:
    """One process of the system at an address of its own. It can be stopped, killed and started again."""

    def __init__(self, process: topology.Process, address: str, variables: Mapping[str, str]) -> None:
        self.name, self.address, self.port = process.name, address, process.port
        self.lives: list[list[str]] = []
        """What it has said, each time that it was started."""
        self._environment = os.environ | variables | {"HOST": address, "PORT": str(process.port)}
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "chassis.serve", self.name],
            cwd=ROOT,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # Linux gives each session a share of the CPU, as an engine gives each container
        )
        assert self.process.stdout
        self.lives.append(Listener(self.process.stdout).said)

    @property
    def said(self) -> list[str]:
        """What it has said since it was started."""
        return self.lives[-1]

    def is_ready(self) -> bool:
        try:
            return self.ask("/health/ready")[0] == 200
        except OSError:
            return False

    def wait_until_ready(self) -> None:
        eventually(self.is_ready, lambda: f"{self.name} at {self.address} is ready:\n" + "\n".join(self.said))

    def ask(self, path: str, **headers: str) -> tuple[int, str]:
        """Status and text of an answer to a request that does not go through the edge."""
        connection = HTTPConnection(self.address, self.port, timeout=WAIT_SECONDS, source_address=(ADDRESSES[0], 0))
        with contextlib.closing(connection):
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def lines(self) -> list[dict[str, Any]]:
        """What it has logged since it was started."""
        return [json.loads(line) for line in self.said if line.startswith("{")]

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(WAIT_SECONDS)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(WAIT_SECONDS)

    def restart(self) -> None:
        self.stop()
        self.start()
        self.wait_until_ready()


class Edge:
    """The running edge and the processes behind it."""

    def __init__(
        self, replicas: dict[str, list[Replica]], resolver: str, https: int, metrics: int, authority: Path
    ) -> None:
        self.replicas, self.resolver = replicas, resolver
        self.url = f"https://localhost:{https}"
        self.metrics_url = f"http://localhost:{metrics}"
        self._trust = ssl.create_default_context(cafile=str(authority))

    def client(
        self, address: str = CALLERS[0], timeout: float = WAIT_SECONDS, limits: httpx2.Limits = LIMITS
    ) -> httpx2.AsyncClient:
        """A client that calls from this address and trusts the edge's own authority."""
        transport = httpx2.AsyncHTTPTransport(verify=self._trust, local_address=address, limits=limits)
        return httpx2.AsyncClient(transport=transport, base_url=self.url, timeout=timeout)

    def socket(self, origin: str | None) -> connect:
        """A WebSocket for GraphQL, opened by a page of this origin, or by a program."""
        url = self.url.replace("https", "wss") + "/graphql"
        protocol = Subprotocol("graphql-transport-ws")
        return connect(
            url, ssl=self._trust, subprotocols=[protocol], origin=Origin(origin) if origin else None, proxy=None
        )


@contextlib.contextmanager
def running(
    folder: Path,
    databases: Mapping[str, str],
    names: Mapping[str, Sequence[str]] = NAMES,
    everywhere: Mapping[str, str] = NOTHING,
    **of_gateways: str,
) -> Generator[Edge]:
    """Starts everything, all processes and the gateways with further variables."""
    for process in topology.PROCESSES:
        for address in names[process.name]:
            with socket.socket() as probe:
                taken = probe.connect_ex((address, process.port)) == 0
            assert not taken, f"{address}:{process.port} is taken: is there another run of these tests?"
    told = told_to_processes(folder)
    common = {
        "ADDRESSES_OF_NAMES": json.dumps(names),
        "PYTHONPATH": str(told),
        "FORWARDED_ALLOW_IPS": HOST,  # whoever calls from loopback without choosing an address
        "RATE_LIMIT": str(RATE),
        "API_RATE_LIMIT": str(RATE),
        "MAX_CONCURRENCY_PER_ADDRESS": "192",
        **everywhere,
    }
    with contextlib.ExitStack() as stack:
        name_server = stack.enter_context(NameServer(names))
        replicas: dict[str, list[Replica]] = {}
        for process in topology.PROCESSES:
            variables = {
                topology.url_variable(name): f"http://{name}:{topology.by_name(name).port}" for name in process.asks
            }
            variables |= common | {"ALLOWED_HOSTS": f"localhost,{process.name}"}
            if process is topology.GATEWAY:
                variables |= of_gateways
            if process.owns_database:
                variables["DATABASE_URL"] = databases[process.name]
            replicas[process.name] = [Replica(process, address, variables) for address in names[process.name]]
            for replica in replicas[process.name]:
                stack.callback(replica.kill)
        for replica in (one for found in replicas.values() for one in found):
            replica.wait_until_ready()
        yield stack.enter_context(caddy(folder, name_server.address, replicas))


@contextlib.contextmanager
def caddy(
    folder: Path, resolver: str, replicas: dict[str, list[Replica]], caddyfile: Path = CADDYFILE
) -> Generator[Edge]:
    http = free_ports(3)
    environment = os.environ | {
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "EDGE_HTTP_PORT": str(http),
        "EDGE_HTTPS_PORT": str(http + 1),
        "EDGE_METRICS_PORT": str(http + 2),
        "EDGE_RESOLVER": resolver,
    }
    command = [str(CADDY), "run", "--adapter", "caddyfile", "--config", str(caddyfile)]
    process = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout
    said = Listener(process.stdout).said
    try:
        authority = folder / "caddy" / "pki" / "authorities" / "local" / "root.crt"
        eventually(
            lambda: any("serving initial configuration" in line for line in said) and authority.exists(),
            lambda: "the edge serves:\n" + "\n".join(said),
        )
        yield Edge(replicas, resolver, http + 1, http + 2, authority)
    finally:
        process.terminate()
        process.wait(WAIT_SECONDS)
