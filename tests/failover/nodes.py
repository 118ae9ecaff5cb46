"""Three PostgreSQL under Patroni, which agree by etcd on who is the primary. A standby confirms each commit."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import psutil
import psycopg
import yaml

from deploy.postgres import HOST, environment, find, free_ports
from tests.deploy.processes import family

PATIENCE = 120
"""Bounds every wait, in seconds."""
PASSWORD = "known to this test only"
TTL = 20
"""Seconds without a sign of life after which a primary is replaced. Patroni allows no less."""
PROGRAMS = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"
ETCD, PATRONI = (shutil.which(name, path=PROGRAMS) for name in ("etcd", "patroni"))
MISSING = (
    "etcd is needed: install Debian's etcd-server, or `brew install etcd`"
    if not ETCD
    else "patroni is needed: python deploy/bootstrap.py --uv sync --frozen --inexact --group failover"
    if not PATRONI
    else ""
)


class Node:
    """One Patroni with its PostgreSQL."""

    def __init__(self, name: str, directory: Path, etcd: int) -> None:
        self.name, self.port, self.api = name, free_ports(), free_ports()
        self._directory = directory / name
        self._directory.mkdir(mode=0o700)
        self._settings = self._directory / "patroni.yaml"
        self._settings.write_text(yaml.safe_dump(self._configuration(etcd)))
        self._process: subprocess.Popen[bytes] | None = None

    def _configuration(self, etcd: int) -> dict[str, Any]:
        roles = {
            role: {"username": name, "password": PASSWORD}
            for role, name in (("superuser", "postgres"), ("replication", "replicator"), ("rewind", "rewinder"))
        }
        return {
            "scope": "solicita",
            "name": self.name,
            "etcd3": {"host": f"{HOST}:{etcd}"},
            "restapi": {"listen": f"{HOST}:{self.api}", "connect_address": f"{HOST}:{self.api}"},
            "bootstrap": {
                "dcs": {
                    "ttl": TTL,
                    "loop_wait": 1,
                    "retry_timeout": 3,
                    "primary_start_timeout": 0,  # a primary that died is replaced, and not started again first
                    "synchronous_mode": True,
                    "postgresql": {
                        "use_pg_rewind": True,
                        "parameters": {"max_connections": 200, "wal_log_hints": "on"},
                    },
                },
                "initdb": [{"encoding": "UTF8"}, {"locale": "C"}, "data-checksums", "no-sync"],
            },
            "postgresql": {
                "listen": f"{HOST}:{self.port}",
                "connect_address": f"{HOST}:{self.port}",
                "data_dir": str(self._directory / "data"),
                "bin_dir": str(find().directory),
                "pgpass": str(self._directory / "pgpass"),
                "basebackup": {"checkpoint": "fast"},  # else a copy waits for a checkpoint that takes its time
                "authentication": roles,
                "pg_hba": [f"host {what} all {HOST}/32 scram-sha-256" for what in ("all", "replication")],
                "parameters": {"unix_socket_directories": "", "shared_buffers": "32MB", "timezone": "UTC"},
            },
        }

    def start(self) -> None:
        assert PATRONI
        with (self._directory / "log").open("a") as log:
            self._process = subprocess.Popen(
                [*find().prefix, PATRONI, str(self._settings)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment(),
                start_new_session=True,
            )

    def family(self) -> list[psutil.Process]:
        """Patroni, and every process of its PostgreSQL."""
        return [*self._patroni(), *self.postgres()]

    def postgres(self) -> list[psutil.Process]:
        """The server, which is no child of Patroni, and its sessions. Only the server's command names its data."""
        data = str(self._directory / "data")
        servers = [one for one in psutil.process_iter() if _name(one) == "postgres" and data in _command(one)]
        found = dict[psutil.Process, None]()
        for server in servers:
            with contextlib.suppress(psutil.NoSuchProcess):  # a session that ends, and that is not yet named as one
                found |= dict.fromkeys(family(server.pid))
        return list(found)

    def _patroni(self) -> list[psutil.Process]:
        assert self._process
        return family(self._process.pid) if self._process.poll() is None else []

    def send(self, what: signal.Signals, processes: list[psutil.Process]) -> None:
        for one in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.send_signal(what)

    def stop(self) -> None:
        if self._process:
            everything = self.family()
            self.send(signal.SIGCONT, everything)
            self.send(signal.SIGKILL, everything)
            self._process.wait(PATIENCE)

    def role(self) -> str:
        """`primary`, `sync_standby`, `replica`, or nothing while it does not say."""
        try:
            told = httpx2.get(f"http://{HOST}:{self.api}/patroni", timeout=2, trust_env=False).json()
        except (httpx2.TransportError, ValueError):
            return ""
        if told.get("state") not in ("running", "streaming"):
            return ""
        if told.get("role") == "replica" and told.get("sync_standby"):
            return "sync_standby"
        if told.get("role") == "replica" and told.get("replication_state") != "streaming":
            return ""
        return "primary" if told.get("role") in ("primary", "master") else str(told.get("role"))

    def follows(self) -> bool:
        return self.role() in ("replica", "sync_standby")


class Nodes:
    """The three."""

    def __init__(self, directory: Path, etcd: int) -> None:
        self.all = [Node(name, directory, etcd) for name in ("um", "dois", "tres")]

    def url(self, name: str, *nodes: Node) -> str:
        """Where the database of this name is: at whichever of these nodes, or of all, is the primary."""
        hosts = ",".join(f"{HOST}:{node.port}" for node in nodes or self.all)
        return f"postgresql://{name}:{quote(PASSWORD)}@{hosts}/{name}?target_session_attrs=read-write"

    def primary(self) -> Node | None:
        return next((node for node in self.all if node.role() == "primary"), None)

    def complete(self) -> bool:
        """Whether one is the primary, one confirms its commits, and the third follows too."""
        return sorted(node.role() for node in self.all) == ["primary", "replica", "sync_standby"]

    def create_databases(self, *names: str) -> None:
        """Creates each with the role of its name."""
        node = self.primary()
        assert node
        with psycopg.connect(
            host=HOST, port=node.port, user="postgres", password=PASSWORD, dbname="postgres", autocommit=True
        ) as connection:
            for name in names:
                connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'".encode())
                connection.execute(f"CREATE DATABASE {name} OWNER {name}".encode())


@contextlib.contextmanager
def running(directory: Path) -> Generator[Nodes]:
    """etcd and the three nodes. There is a primary, which the others are still copying."""
    assert ETCD
    client, peer = free_ports(), free_ports()
    urls = {"client": f"http://{HOST}:{client}", "peer": f"http://{HOST}:{peer}"}
    with (directory / "etcd.log").open("w") as log:
        etcd = subprocess.Popen(
            [
                *(ETCD, "--name", "etcd", "--data-dir", str(directory / "etcd"), "--unsafe-no-fsync"),
                *("--listen-client-urls", urls["client"], "--advertise-client-urls", urls["client"]),
                *("--listen-peer-urls", urls["peer"], "--initial-advertise-peer-urls", urls["peer"]),
                *("--initial-cluster", f"etcd={urls['peer']}"),
            ],
            stdout=log,
            stderr=log,
        )
    nodes = Nodes(directory, client)
    try:
        for node in nodes.all:
            node.start()
        until(lambda: nodes.primary() is not None, "there is a primary")
        yield nodes
    finally:
        for node in nodes.all:
            node.stop()
        etcd.kill()
        etcd.wait(PATIENCE)


def until(condition: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not in {seconds:g} s: {what}")
        time.sleep(0.2)


def _name(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.name()
    return ""


def _command(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        return " ".join(process.cmdline())
    return ""
