"""Measures live queries: `python -m bench.live`, which is what `make bench-live` does.

Each gateway stands by itself in front of the same services, with many clients that have the same subscription. The
clients and the writes to the service are one C program (crowd.c), which only counts what arrives and looks for the
instant of the write in it: it takes about two thirds of the CPU of our gateway. All share the machine's cores.
"""

import argparse
import asyncio
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import uvloop

from bench import cpu, load
from bench.gateway import contestants, report
from bench.gateway.__main__ import install
from bench.gateway.contestants import Contestant, node
from bench.gateway.measure import say, stop
from bench.live.crowd import Crowd, CrowdFailed, Told, Transport, build, event_stream, websocket
from bench.system.__main__ import uniform
from bench.system.running import System, begin

FIELDS = "pessoaMudou { cursor operacao id pessoa { nomePessoa } }"
EVENTS = 5
ARRIVES = 30.0
"""Seconds after which an event that has not come is lost."""
QUERIES, CLIENTS = 200, 16
"""Queries a second, and how many at the same time at most."""
ROUNDS, ROUND_SECONDS = 5, 3

ROOM = {"MAX_CONNECTIONS": "50000", "MAX_SUBSCRIPTIONS": "50000", "MAX_SUBSCRIPTIONS_OF_ONE": "50000"}
OURS = replace(contestants.PYTHON[0], environment={**ROOM, "LOG_LEVEL": "ERROR"})
MERCURIUS, _ = node("live-mercurius", "Mercurius", "mercurius")
YOGA, _ = node("live-yoga", "GraphQL Yoga", "graphql-yoga", "graphql-ws")
APOLLO, _ = node("live-apollo", "Apollo Server", "@apollo/server", "graphql-ws", "graphql-subscriptions")


@dataclass(frozen=True)
class Way:
    """A gateway, and how its clients subscribe."""

    key: str
    title: str
    contestant: Contestant
    transport: Callable[[str], Transport]


WAYS = [
    Way("ours", "**this gateway**, WebSocket", OURS, websocket),
    Way("ours-sse", "**this gateway**, server-sent events", OURS, event_stream),
    Way("mercurius", "Mercurius, WebSocket", MERCURIUS, websocket),
    Way("yoga", "GraphQL Yoga and graphql-ws, WebSocket", YOGA, websocket),
    Way("yoga-sse", "GraphQL Yoga, server-sent events", YOGA, event_stream),
    Way("apollo", "Apollo Server and graphql-ws, WebSocket", APOLLO, websocket),
]


class Bench:
    """The services, and what one way at a time is measured by."""

    def __init__(self, system: System, program: Path, directory: Path) -> None:
        self.system, self._program, self._directory = system, program, directory

    @contextmanager
    def running(self, way: Way) -> "Generator[tuple[int, psutil.Process, Crowd]]":
        """The gateway's port and process, and clients of it that have not subscribed yet."""
        gateway, process = begin(way.contestant, self.system, self._directory)
        try:
            time.sleep(1)
            with Crowd(self._program, gateway.port, self.system.ports["pessoas"]) as crowd:
                yield gateway.port, gateway.process, crowd
        finally:
            stop(process)

    def at_rest(self, way: Way, subscribers: int, rest: float) -> list[str]:
        """The memory of idle subscribers, and the CPU of one event to all of them."""
        with self.running(way) as (_, process, crowd):
            crowd.open(1, way.transport(f"subscription {{ {FIELDS} }}"))
            time.sleep(1)
            one_event(crowd, 1)
            before = memory(process)
            crowd.open(subscribers - 1, way.transport(f"subscription {{ {FIELDS} }}"))
            time.sleep(rest)
            grown, spent = memory(process) - before, list[float]()
            for _ in range(EVENTS):
                began = cpu.seconds(process)
                one_event(crowd, subscribers)
                spent.append(cpu.seconds(process) - began)
        return [f"{grown / 1e6:.0f} MB", f"{1000 * statistics.median(spent):.0f} ms"]

    def late(self, way: Way, listeners: int, groups: int, rate: float, seconds: float) -> list[str]:
        """How long after a write its event has come to the clients, and what an event costs."""
        with self.running(way) as (_, process, crowd):
            subscribe(crowd, way, listeners, groups)
            began = cpu.seconds(process), cpu.seconds(crowd.process)
            crowd.begin_writing(rate, seconds)
            events = crowd.end_writing()
            told = all_told(crowd, events * listeners)
            spent = cpu.seconds(process) - began[0], cpu.seconds(crowd.process) - began[1]
        missing = events * listeners - told.messages
        return [
            *(f"{1000 * one:.0f}" for one in (told.median, told.p99, told.oldest)),
            *(f"{1000 * one / events:.2f}" for one in spent),
            f"{missing:,}" if missing else "none",
        ]

    async def queries(self, listeners: int, rates: Sequence[float]) -> list[str]:
        """The CPU of a query without subscribers, and how many times that while they get events at these rates."""
        requests = OURS.dialect.requests(uniform(100, self.system.places()))
        assert requests
        alone, ratios = list[float](), {rate: list[float]() for rate in rates}
        with self.running(WAYS[0]) as (port, process, nobody), self.running(WAYS[0]) as (other_port, other, crowd):
            subscribe(crowd, WAYS[0], listeners, 1)
            await cpu_of_query(port, process, nobody, requests, 0)
            await cpu_of_query(other_port, other, crowd, requests, 0)
            for _ in range(ROUNDS):
                alone.append(await cpu_of_query(port, process, nobody, requests, 0))
                for rate, found in ratios.items():
                    found.append(await cpu_of_query(other_port, other, crowd, requests, rate) / alone[-1])
        cells = [f"{statistics.median(found):.2f}" for found in ratios.values()]
        return [f"{1000 * statistics.median(alone):.2f} ms", *cells]


async def cpu_of_query(
    port: int, process: psutil.Process, crowd: Crowd, requests: Sequence[load.Request], rate: float
) -> float:
    """Seconds of CPU for a query while so many events a second are told. What they cost by themselves is taken off.

    Queries come at a fixed rate, since a gateway that is always busy reads and writes more events at once.
    """
    spent, answered = list[float](), 0
    for with_queries in (False, True):
        used = cpu.seconds(process)
        if rate:
            crowd.begin_writing(rate, ROUND_SECONDS)
        if with_queries:
            answered = len(await load.at_rate(port, requests, CLIENTS, rate=QUERIES, seconds=ROUND_SECONDS))
        else:
            await asyncio.sleep(ROUND_SECONDS)
        if rate:
            await asyncio.to_thread(crowd.end_writing)
        await asyncio.sleep(0.3)
        spent.append(cpu.seconds(process) - used)
    return (spent[1] - spent[0]) / answered


def subscribe(crowd: Crowd, way: Way, listeners: int, groups: int) -> None:
    """Subscribes in so many groups, whose documents differ, and tells them something to begin with."""
    for n in range(groups):
        crowd.open(listeners // groups, way.transport(f"subscription {{ field{n}: {FIELDS} }}"))
    time.sleep(2)
    crowd.begin_writing(20, 1)
    all_told(crowd, crowd.end_writing() * listeners)


def one_event(crowd: Crowd, subscribers: int) -> None:
    crowd.begin_writing(1, 1)
    crowd.end_writing()
    if (told := all_told(crowd, subscribers).messages) < subscribers:
        raise CrowdFailed(f"only {told} of {subscribers} were told")


def all_told(crowd: Crowd, expected: int) -> Told:
    """What the clients were told, when they have all of it or have waited long enough."""
    until = time.monotonic() + ARRIVES
    while crowd.arrived() < expected and time.monotonic() < until:
        time.sleep(0.02)
    time.sleep(0.2)  # what is done after the last write counts too
    return crowd.report()


def memory(root: psutil.Process) -> int:
    """The memory of a process and its children in bytes (PSS: of what several share, each has its part)."""
    return sum(one.memory_full_info().pss for one in (root, *root.children(recursive=True)))


def table(head: Sequence[str], ways: Sequence[Way], measure: Callable[[Way], list[str]]) -> None:
    print(f"\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for way in ways:
        try:
            cells = measure(way)
        except (CrowdFailed, OSError, subprocess.CalledProcessError) as failure:
            cells = [f"out: {failure}", *[""] * (len(head) - 2)]
        print(f"| {way.title} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.live", description=__doc__)
    parser.add_argument("--only", metavar="NAMES", help=f"with commas, of: {', '.join(one.key for one in WAYS)}")
    parser.add_argument("--parts", default="rest,late,queries", help="what to measure, with commas (default: all)")
    parser.add_argument("--subscribers", type=int, default=10_000, help="at rest (default: %(default)s)")
    parser.add_argument("--rest", type=float, default=60.0, help="seconds (default: %(default)s)")
    parser.add_argument("--listeners", type=int, default=1000, help="under events (default: %(default)s)")
    parser.add_argument("--groups", default="1,10", help="how many the listeners are in (default: %(default)s)")
    parser.add_argument("--rates", default="20,100", help="events a second (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=10.0, help="of events (default: %(default)s)")
    asked = parser.parse_args()
    parts, rates = asked.parts.split(","), [float(one) for one in asked.rates.split(",")]
    keys = asked.only.split(",") if asked.only else [one.key for one in WAYS]
    ways = [one for one in WAYS if one.key in keys]
    if any(one.contestant.folder == contestants.NODE for one in ways):
        install(contestants.NODE)
    versions = report.versions([*{way.contestant.key: way.contestant for way in ways}.values()])
    print(f"{report.machine()}. {versions}")
    with tempfile.TemporaryDirectory(prefix="bench-live-") as name:
        directory = Path(name)
        program, system, others = build(directory), System(directory), cpu.OtherPrograms()
        try:
            system.wait()
            bench = Bench(system, program, directory)
            if "rest" in parts:
                head = [f"{asked.subscribers:,} subscribers", f"memory after {asked.rest:.0f} s at rest"]
                table(
                    [*head, "CPU of one event to all"],
                    ways,
                    lambda way: bench.at_rest(way, asked.subscribers, asked.rest),
                )
            for rate in rates if "late" in parts else ():
                for groups in map(int, asked.groups.split(",")):
                    crowd = f"{asked.listeners:,} subscribers in {groups} group{'s' * (groups > 1)}"
                    head = f"{rate:.0f} events a second, {crowd}"
                    columns = ["median, ms", "p99", "latest", "CPU of an event, ms", "of the clients", "missing"]
                    table(
                        [head, *columns],
                        [one for one in ways if groups == 1 or one.contestant == OURS],
                        lambda way, rate=rate, groups=groups: bench.late(
                            way, asked.listeners, groups, rate, asked.seconds
                        ),
                    )
            if "queries" in parts:
                columns = ["without", "at rest, times", *(f"{one:.0f} events a second, times" for one in rates)]
                cells = uvloop.run(bench.queries(asked.listeners, [0, *rates]))
                print(f"\n| CPU of a Painel | {' | '.join(columns)} |\n|{'---|' * (len(columns) + 1)}")
                print(f"| {asked.listeners:,} subscribers | {' | '.join(cells)} |")
            say(f"other programs used {others.share():.0%} of the machine")
        finally:
            system.stop()


if __name__ == "__main__":
    main()
