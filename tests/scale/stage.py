"""Three gateways and two of each service behind two edges, over one PostgreSQL and one store of rates."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from chassis.db.migrate import upgrade
from deploy import demo, topology
from deploy.postgres import Cluster, free_ports
from tests.edge import stage as edge
from tests.edge.stage import CADDYFILE, Edge, Replica
from tests.faults.journal import Journal
from tests.faults.reads import Demo, Read
from tests.faults.stage import FAULTS, SERVICES
from tests.store import Store

ADDRESSES = ("127.0.0.4", "127.0.0.5", "127.0.0.6")
"""Where gateways listen, services at the first two; clients call from there too."""
NAMES = {process.name: ADDRESSES if process is topology.GATEWAY else ADDRESSES[:2] for process in topology.PROCESSES}
RATE = 60_000
"""What one caller may spend in a minute, at the gateways together and at the processes of each service together."""


@dataclass
class ManyOfEach:
    """The running system, what is in it, and what the load has done to it."""

    edge: Edge
    plain_edge: Edge
    """Sends nothing again that a process may have begun, like a balancer that does not know which requests have a
    key."""
    store: Store
    databases: Mapping[str, str]

    def __post_init__(self) -> None:
        self._demo = Demo()
        self.journal = Journal(self._demo)
        self._heard = Counter[str]()

    def reads(self) -> Iterator[Read]:
        """Reads of what the edge shows to the outside."""
        return (read for read in self._demo.reads() if not read.path.startswith("/health"))

    @property
    def gateways(self) -> Sequence[Replica]:
        return self.edge.replicas["gateway"]

    @property
    def services(self) -> Sequence[Replica]:
        """Every process of every service."""
        return [replica for name in SERVICES for replica in self.edge.replicas[name]]

    @property
    def everything(self) -> Sequence[Replica]:
        return [*self.services, *self.gateways]

    def faults_of_ours(self) -> list[str]:
        """What the processes have logged since the last call and no fault of others explains."""
        lives = [list(life) for replica in self.everything for life in replica.lives]
        lines = Counter(line for life in lives for line in life if any(word in line for word in FAULTS))
        new, self._heard = lines - self._heard, lines
        return list(new)


def plain(folder: Path) -> Path:
    """The edge's configuration, but nothing may be sent again after it was sent."""
    text = CADDYFILE.read_text()
    for line in ("lb_retry_match method GET HEAD OPTIONS", "lb_retry_match header Idempotency-Key *"):
        assert line in text
        text = text.replace(line, "lb_retry_match method NONE")
    (folder / "Caddyfile").write_text(text)
    return folder / "Caddyfile"


@contextlib.contextmanager
def running(folder: Path) -> Generator[ManyOfEach]:
    """Starts everything, with the demo data."""
    with contextlib.ExitStack() as stack:
        quiet = stack.enter_context(open(os.devnull, "w"))
        cluster = stack.enter_context(Cluster(folder / "data", free_ports(), durable=False, log=quiet.fileno()))
        cluster.create_databases(*SERVICES)
        databases = {name: cluster.url(name) for name in SERVICES}
        for name, url in databases.items():
            upgrade(name, url)
        demo.load(databases)
        store = Store()
        stack.callback(store.kill)
        rates = {"RATE_LIMIT_URL": store.url, "RATE_LIMIT": str(RATE), "API_RATE_LIMIT": str(RATE)}
        door = stack.enter_context(edge.running(folder, databases, NAMES, rates))
        (other := folder / "plain").mkdir()
        plain_door = stack.enter_context(edge.caddy(other, door.resolver, door.replicas, plain(other)))
        yield ManyOfEach(door, plain_door, store, databases)
