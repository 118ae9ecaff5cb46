"""Measures the whole system: `python -m bench.system`, which is what `make bench-system` does.

One Painel is answered by a gateway, four services and PostgreSQL. The figures are the CPU of all of them together, per
query. The services run as `make run` starts them, with its demo data, and every gateway stands in front of the same
ones. One gateway at a time is awake and the others are suspended; all of the system shares the machine's cores with the
load generator, so times are worth less than CPU. Answers are compared with ours before anything is timed. Rounds are
interleaved, each in the reverse order of the one before; a figure is the median of the rounds.

`under writes` means 50 changes of a pessoa's name a second, straight to the service. What the writes cost by themselves
is measured before and after, and taken off. Stale reads are counted apart: a name was read that had been replaced by a
write whose answer had come before the query was sent.
"""

import argparse
import asyncio
import json
import random
import statistics
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import uvloop

from bench import load
from bench.gateway import contestants, report
from bench.gateway.__main__ import install
from bench.gateway.contestants import Contestant
from bench.gateway.measure import say, stop
from bench.gateway.workloads import NESTED, NESTED_ROWS, PAINEL, Workload, same
from bench.load import Request
from bench.system.running import Gateway, System, begin, used

CONCURRENCY = 8
WRITES = 50
"""Writes a second."""
PESSOAS = 500
COMPARED = 5

BY_KEY = {one.key: one for one in contestants.ALL}
OURS = BY_KEY[contestants.OURS]
OFF = replace(OURS, key="off", title="**this system**, `CACHE=off`", environment=contestants.CACHE_OFF)
COLD = replace(
    OURS,
    key="cold",
    title="**this system**, with a cache too small to keep anything",
    environment={"CACHE": "on", "CACHE_BYTES": "1"},
)
WARM = replace(OURS, key="warm", title="**this system**, `CACHE=on`", environment={"CACHE": "on"})
CACHED_PEER = replace(
    BY_KEY["mercurius-tuned"],
    key="mercurius-cached",
    title="Mercurius tuned, with its cache for 1 s",
    command=(*BY_KEY["mercurius-tuned"].command[:-1], "mercurius-cached.js"),
)
PEERS = [BY_KEY["mercurius-tuned"], CACHED_PEER, BY_KEY["by-hand"], BY_KEY["tutorial"]]
ALL = [OFF, COLD, WARM, *PEERS]


def asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.system", description=__doc__)
    parser.add_argument("--only", metavar="NAMES", help=f"gateways, with commas, of: {', '.join(o.key for o in ALL)}")
    parser.add_argument("--rows", default="1,100,1000", help="page sizes, with commas (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=7, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=1.0, help="of load for each gateway in each round")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md anew")
    return parser.parse_args()


def uniform(rows: int, places: Sequence[str]) -> Workload:
    """Pages that begin anywhere, each with the same probability."""
    everywhere = range(rows + 1, len(places))
    ids = random.Random(rows).sample(everywhere, min(2000, len(everywhere)))  # noqa: S311
    return Workload(f"{rows:,} row{'s' if rows > 1 else ''}", rows, CONCURRENCY, ids, places.__getitem__)


def nested(places: Sequence[str]) -> Workload:
    return replace(uniform(NESTED_ROWS, places), name="nested, 90 kB", document=NESTED)


def zipf(rows: int, places: Sequence[str]) -> Workload:
    """Pages of which a few are asked most of the time: the n-th page with a probability like 1/n (Zipf's law)."""
    rng = random.Random(rows)  # noqa: S311
    everywhere = [*range(rows + 1, len(places))]
    rng.shuffle(everywhere)
    ids = rng.choices(everywhere, [1 / n for n in range(1, len(everywhere) + 1)], k=2000)
    return Workload(f"{rows:,}, Zipf", rows, CONCURRENCY, ids, places.__getitem__)


def rename(id: int, name: str) -> Request:
    return Request.of("PUT", f"/api/pessoas/{id}/", json.dumps({"nome_pessoa": name}).encode())


@asynccontextmanager
async def writing(system: System, seconds: float) -> AsyncGenerator[None]:
    """Writes meanwhile, and to the end of the `seconds`."""
    requests = [rename(n % PESSOAS + 1, f"Alterada {n}") for n in range(2000)]
    task = asyncio.create_task(load.at_rate(system.ports["pessoas"], requests, 4, rate=WRITES, seconds=seconds))
    yield
    await task


async def one_round(system: System, gateway: Gateway, workload: Workload, seconds: float, writes: bool) -> None:
    requests = gateway.contestant.dialect.requests(workload)
    if not requests or gateway.broken:
        return
    concurrency = min(workload.concurrency, gateway.contestant.concurrency)
    extra = dict.fromkeys(used(system, gateway), 0.0)
    with gateway.awake():
        await load.run(gateway.port, requests, concurrency, seconds=0.2)
        if writes:  # what they cost by themselves, with this gateway following the feed
            before = used(system, gateway)
            async with writing(system, seconds):
                pass
            extra = difference(used(system, gateway), before)
        before, began = used(system, gateway), time.perf_counter()
        if writes:
            async with writing(system, seconds):
                took = await load.run(gateway.port, requests, concurrency, seconds=seconds)
        else:
            took = await load.run(gateway.port, requests, concurrency, seconds=seconds)
        spent, passed = difference(used(system, gateway), before), time.perf_counter() - began
    name = f"{workload.name}, {WRITES} writes/s" if writes else workload.name
    share = passed / seconds if writes else 1.0
    figures = {part: max(0.0, spent[part] - extra[part] * share) / len(took) for part in spent}
    gateway.rounds.setdefault(name, []).append(figures)


def difference(after: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    return {part: after[part] - before[part] for part in after}


async def attempt(gateway: Gateway, work: Awaitable[None]) -> None:
    """Awaits the work of one gateway; one that fails takes no further part."""
    try:
        await work
    except (OSError, load.NotServedError, ValueError, LookupError, TypeError, EOFError, TimeoutError) as failure:
        gateway.broken = str(failure) or type(failure).__name__
        say(f"{gateway.contestant.key}: OUT: {gateway.broken[:300]}")


async def compare(gateways: Sequence[Gateway], workload: Workload) -> None:
    """Excludes gateways whose answers differ from those of the first, which is ours."""
    expected: list[bytes] = []
    for gateway in gateways:
        requests = (gateway.contestant.dialect.requests(workload) or [])[:COMPARED]

        async def answers(gateway: Gateway = gateway, requests: list[Request] = requests) -> None:
            with gateway.awake():
                found = [await asyncio.wait_for(load.once(gateway.port, one), 60) for one in requests]
            gateway.kilobytes[workload.name] = sum(map(len, found)) / max(1, len(found)) / 1000
            expected.extend(found if not expected else [])
            for one, ours in zip(found, expected, strict=False):
                if not same(gateway.contestant.dialect, one, ours):
                    raise ValueError(f"its answer is {one[:300]!r}, ours {ours[:300]!r}")

        await attempt(gateway, answers())


class Staleness:
    """Writes names and reads them through a gateway, and counts what was read although it had been replaced."""

    def __init__(self, system: System, gateway: Gateway, places: Sequence[str]) -> None:
        self._system, self._gateway = system, gateway
        self._prefix = f"{gateway.contestant.key} "
        """How the names begin that this one writes: others have written before it."""
        self._reads = [
            Request.of(
                "POST", "/graphql", json.dumps({"query": PAINEL, "variables": {"first": 100, "after": place}}).encode()
            )
            for place in places[200::100]
        ]
        self._acknowledged = [0] * (PESSOAS + 1)
        self._replaced_at: dict[tuple[int, int], float] = {}
        """When the write that replaced this version of a pessoa's name was acknowledged."""
        self.read, self.stale, self.oldest = 0, 0, 0.0

    async def run(self, seconds: float) -> None:
        until = time.perf_counter() + seconds
        with self._gateway.awake():
            await asyncio.gather(self._write(until), *(self._look(until, n) for n in range(CONCURRENCY)))

    async def _write(self, until: float) -> None:
        rng = random.Random(3)  # noqa: S311
        while time.perf_counter() < until:
            began, id = time.perf_counter(), rng.randint(1, PESSOAS)
            version = self._acknowledged[id] + 1
            await load.once(self._system.ports["pessoas"], rename(id, f"{self._prefix}{version}"))
            self._replaced_at[id, version - 1] = time.perf_counter()
            self._acknowledged[id] = version
            await asyncio.sleep(max(0.0, began + 1 / WRITES - time.perf_counter()))

    async def _look(self, until: float, first: int) -> None:
        n = first
        while time.perf_counter() < until:
            known, sent = self._acknowledged.copy(), time.perf_counter()
            answer = json.loads(await load.once(self._gateway.port, self._reads[n % len(self._reads)]))
            n += CONCURRENCY
            for edge in answer["data"]["solicitacoes"]["edges"]:
                pessoa = edge["node"]["pessoa"]
                id, name = int(pessoa["id"]), pessoa["nomePessoa"]
                version = int(name.removeprefix(self._prefix)) if name.startswith(self._prefix) else 0
                self.read += 1
                if version < known[id]:
                    self.stale += 1
                    self.oldest = max(self.oldest, sent - self._replaced_at[id, version])


async def measure(system: System, gateways: Sequence[Gateway], arguments: argparse.Namespace) -> list[str]:
    places = system.places()
    pages = [uniform(int(rows), places) for rows in arguments.rows.split(",")]
    again = [zipf(one.rows, places) for one in pages if one.rows < 1000]
    deep = nested(places)
    for workload in (*pages, deep):
        await compare(gateways, workload)
    plan = [(one, False) for one in (*pages, *again, deep)] + [(one, True) for one in pages if one.rows == 100]
    for n in range(arguments.rounds):
        for workload, writes in plan:
            for gateway in gateways if n % 2 == 0 else gateways[::-1]:
                await attempt(gateway, one_round(system, gateway, workload, arguments.seconds, writes))
        say(f"round {n + 1} of {arguments.rounds}")
    stale: dict[str, Staleness] = {}
    for gateway in gateways:
        if gateway.contestant.key in (WARM.key, CACHED_PEER.key) and not gateway.broken:
            stale[gateway.contestant.key] = found = Staleness(system, gateway, places)
            await attempt(gateway, found.run(10 * arguments.seconds))
    return [table(gateways, stale), per_kilobyte(gateways, [one.name for one in (*pages, deep)]), parts(gateways)]


def total(gateway: Gateway, name: str) -> float | None:
    rounds = gateway.rounds.get(name)
    return statistics.median(sum(one.values()) for one in rounds) if rounds else None


def table(gateways: Sequence[Gateway], stale: Mapping[str, Staleness]) -> str:
    names = [*dict.fromkeys(name for one in gateways for name in one.rounds)]
    lines = [
        f"| CPU of the whole system per Painel, ms | {' | '.join(names)} | stale reads per million, the oldest |",
        "|---" * (len(names) + 2) + "|",
    ]
    for gateway in gateways:
        cells = [report.figure(total(gateway, name)) for name in names]
        one = stale.get(gateway.contestant.key)
        cells.append(f"{1e6 * one.stale / one.read:,.0f}, {one.oldest * 1000:.0f} ms" if one and one.read else "-")
        lines.append(f"| {gateway.contestant.title} | {' | '.join(cells)} |")
    lines += [f"\n{g.contestant.title} took no further part: `{g.broken[:200]}`" for g in gateways if g.broken]
    return "\n".join(lines)


def per_kilobyte(gateways: Sequence[Gateway], names: Sequence[str]) -> str:
    """What a kilobyte of an answer costs. The sizes are those of our answers, which all others equal."""
    sizes = gateways[0].kilobytes
    heads = [f"{name} ({sizes[name]:.3g} kB)" if "kB" not in name else name for name in names if name in sizes]
    lines = [f"| CPU of the whole system per kB, µs | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for gateway in gateways:
        found = [(total(gateway, name), sizes[name]) for name in names if name in sizes]
        cells = [report.NOTHING if cpu is None else f"{cpu / size * 1e6:.1f}" for cpu, size in found]
        lines.append(f"| {gateway.contestant.title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def parts(gateways: Sequence[Gateway]) -> str:
    """Who uses the CPU at 100 rows."""
    with_rounds = [one for one in gateways if one.rounds.get("100 rows")]
    if not with_rounds:
        return ""
    names = [*with_rounds[0].rounds["100 rows"][0]]
    lines = [f"| 100 rows, ms by part | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for gateway in with_rounds:
        rounds = gateway.rounds["100 rows"]
        cells = [report.figure(statistics.median(one[name] for one in rounds)) for name in names]
        lines.append(f"| {gateway.contestant.title} | {' | '.join(cells)} |")
    return "\n".join(lines)


async def main() -> None:
    arguments = asked()
    chosen: list[Contestant] = [one for one in ALL if not arguments.only or one.key in arguments.only.split(",")]
    if any(one not in contestants.PYTHON for one in chosen):
        install(contestants.NODE)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        system = System(directory)
        async with AsyncExitStack() as stack:
            stack.callback(system.stop)
            system.wait()
            gateways: list[Gateway] = []
            for contestant in chosen:
                try:
                    gateway, process = begin(contestant, system, directory)
                except OSError as failure:
                    say(f"{contestant.key}: OUT: {failure}")
                    continue
                stack.callback(stop, process)
                gateways.append(gateway)
                gateway.suspend()
                say(f"{contestant.key}: started")
            text = [f"{report.machine()}.", *await measure(system, gateways, arguments)]
            for gateway in gateways:  # a suspended process does not end
                gateway.wake()
    print("\n\n".join(text))
    if arguments.write:
        report.write("\n\n".join(text), report.SYSTEM)


if __name__ == "__main__":
    uvloop.run(main())
