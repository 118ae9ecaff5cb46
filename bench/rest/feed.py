"""Measures the feed of changes: what it adds to a write, how late followers hear, and what waiting followers cost.

A write is measured in two databases of one cluster, in interleaved rounds. In one of them the triggers are off and
nobody follows. In the other they are on and one follower waits, so that changes are numbered. The changes are trimmed
and vacuumed afterwards, and that is added to each of them.
"""

import asyncio
import contextlib
import json
import statistics
import sys
import time
from collections.abc import AsyncGenerator, Callable
from datetime import datetime
from typing import Any

import psutil
import psycopg

from bench import cpu, load
from bench.load import Request
from bench.rest.servers import OURS, Server, make_database, postmaster
from bench.rest.workloads import ALL
from chassis.db.changes import BATCH
from chassis.feed.feed import LINGER_SECONDS
from chassis.feed.log import TRIM
from deploy.postgres import Cluster, free_ports

PATH = "/api/changes/"
WAIT = 30
CACHE_WAIT = 0.4
"""How long a poll of a process that keeps rows waits, by default."""
POST, PUT = (next(one for one in ALL if one.name == name) for name in ("POST", "PUT"))
CONCURRENCY = 16
RATE, RATE_SECONDS = 500, 20
IDLE, IDLE_SECONDS = 100, 40
STREAMS = 500
ROOM = {"MAX_FOLLOWERS": "2000", "MAX_CONNECTIONS": "5000"}
"""All followers here have one address, which may have half of this."""
Item = dict[str, Any]


class Follower:
    """Follows by long polls on one connection, from now on."""

    def __init__(self, port: int, told: Callable[[list[Item]], None] = lambda _: None, wait: float = WAIT) -> None:
        self._port, self._told, self._wait = port, told, wait

    @contextlib.asynccontextmanager
    async def following(self) -> AsyncGenerator[None]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        now = await _ask(reader, writer, "")
        task = asyncio.create_task(self._follow(reader, writer, now))
        try:
            yield
            if task.done():
                task.result()
        finally:
            task.cancel()
            await asyncio.wait([task])
            writer.close()

    async def _follow(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, now: Any) -> None:
        while True:
            now = await _ask(reader, writer, f"?after={now['last']}&epoch={now['epoch']}&wait={self._wait}")
            self._told(now["items"])


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, query: str) -> Any:
    writer.write(Request.of("GET", PATH + query).raw)
    head = (await reader.readuntil(load.HEAD_END)).lower()
    body = await reader.readexactly(load.content_length(head))
    if not head.startswith(load.SUCCESS):
        raise load.NotServedError(f"{head!r} {body!r}")
    return json.loads(body)


async def overhead(rounds: int, count: int, cluster: Cluster) -> list[str]:
    """The CPU per write with the feed and without it, as rows of a table."""
    postgres, ports = postmaster(), free_ports(2)
    off, on = Server("off", OURS, ports), Server("on", OURS, ports + 1)
    urls = {one.name: make_database(cluster, f"feed_{one.name}") for one in (off, on)}
    with psycopg.connect(urls["off"]) as connection:
        connection.execute("ALTER TABLE pessoa DISABLE TRIGGER USER")
    with psycopg.connect(urls["on"]) as connection:
        connection.execute("ALTER TABLE change SET (autovacuum_enabled = false)")
    try:
        for server in (off, on):
            server.start(urls[server.name])
            assert server.process
            await server.answer(Request.of("GET", "/api/pessoas/1/"))
            cpu.pin(server.process, 0)
        cpu.pin(postgres, 0)
        for workload in (POST, PUT):
            for server in (off, on):
                server.cpu[workload.name] = []
                await load.run(server.port, workload.requests(count), CONCURRENCY, count=count)  # warm
            for n in range(rounds):
                for server in (off, on) if n % 2 == 0 else (on, off):
                    assert server.process
                    async with Follower(on.port).following() if server is on else contextlib.nullcontext():
                        before = cpu.seconds(server.process, postgres)
                        await load.run(server.port, workload.requests(count), CONCURRENCY, count=count)
                        used = cpu.seconds(server.process, postgres) - before
                    server.cpu[workload.name].append(used / count)
                    if server is on:  # it goes on looking for a while, which the other one must not pay for
                        await asyncio.sleep(LINGER_SECONDS)
                print(f"feed, {workload.name}: round {n + 1} of {rounds}", file=sys.stderr)
    finally:
        off.stop()
        on.stop()
    trimming = trimmed(urls["on"], postgres)
    lines: list[str] = []
    for workload in (POST, PUT):
        pairs = list(zip(off.cpu[workload.name], on.cpu[workload.name], strict=True))
        without, with_it = (statistics.median(one) * 1e6 for one in zip(*pairs, strict=True))
        times = statistics.median((b + trimming) / a for a, b in pairs)
        lines.append(f"| {workload.name} | {without:.0f} | {with_it:.0f} | {trimming * 1e6:.0f} | {times:.3f} |")
    return lines


def trimmed(url: str, postgres: psutil.Process) -> float:
    """Trims all changes and vacuums their table. Returns the CPU of PostgreSQL for each."""
    with psycopg.connect(url, autocommit=True) as connection:
        [(count,)] = connection.execute("SELECT count(*) FROM change WHERE seq IS NOT NULL").fetchall()
        before = cpu.seconds(postgres)
        while connection.execute(TRIM.encode(), (0, 0)).fetchall():
            pass
        connection.execute("VACUUM change")
        used = cpu.seconds(postgres) - before
    assert count > BATCH, "the writes were not numbered"
    return used / count


@contextlib.asynccontextmanager
async def served(cluster: Cluster, name: str) -> AsyncGenerator[Server]:
    """A service on a database of its own, with PostgreSQL and this program on all cores."""
    server = Server(name, OURS, free_ports())
    try:
        server.start(make_database(cluster, name), **ROOM)
        await server.answer(Request.of("GET", "/api/pessoas/1/"))
        yield server
    finally:
        server.stop()


async def lag(cluster: Cluster) -> str:
    """How late a follower hears of each of the service's own writes."""
    late: list[float] = []

    def told(items: list[Item]) -> None:
        now = time.time()
        late.extend(now - datetime.fromisoformat(item["at"]).timestamp() for item in items)

    async with served(cluster, "feed_lag") as server, Follower(server.port, told).following():
        post = POST.requests(1)
        await load.at_rate(server.port, post, CONCURRENCY, rate=RATE, seconds=2)  # warm
        late.clear()
        took = await load.at_rate(server.port, post, CONCURRENCY, rate=RATE, seconds=RATE_SECONDS)
    late.sort()
    took.sort()
    p50, p99 = (late[len(late) * n // 100] * 1000 for n in (50, 99))
    return (
        f"| lag from a write to a waiting follower, {RATE} writes a second, {len(late):,} writes "
        f"(of which the answer took {took[len(took) // 2] * 1000:.0f} and {took[len(took) * 99 // 100] * 1000:.0f} ms) "
        f"| p50 {p50:.1f} ms, p99 {p99:.1f} ms |"
    )


async def idle(cluster: Cluster) -> list[str]:
    """What followers cost while nothing happens, beyond what the same service costs without them."""
    rows: list[str] = []
    async with served(cluster, "feed_idle") as server:
        assert server.process
        alone = await used(server.process)
        for wait in (WAIT, CACHE_WAIT):
            async with contextlib.AsyncExitStack() as stack:
                for _ in range(IDLE):
                    await stack.enter_async_context(Follower(server.port, wait=wait).following())
                share = (await used(server.process) - alone) / IDLE_SECONDS
            rows.append(
                f"| {IDLE} followers by long polls of {wait} s, service and PostgreSQL | {share:.2%} of a core |"
            )
    return rows


async def used(process: psutil.Process) -> float:
    """The CPU of the service and of PostgreSQL in the next seconds."""
    await asyncio.sleep(1)
    before = cpu.seconds(process, postmaster())
    await asyncio.sleep(IDLE_SECONDS)
    return cpu.seconds(process, postmaster()) - before


async def memory(cluster: Cluster) -> str:
    """What the service holds for each stream of events, in its own memory."""
    asked = Request.of("GET", PATH, headers="Accept: text/event-stream\r\n").raw.replace(
        b"Accept: application/json\r\n", b""
    )
    async with served(cluster, "feed_memory") as server:
        assert server.process
        opened: list[asyncio.StreamWriter] = []

        async def follow(count: int) -> int:
            for _ in range(count):
                reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
                opened.append(writer)
                writer.write(asked)
                head = await reader.readuntil(load.HEAD_END)
                assert head.lower().startswith(load.SUCCESS), head
            return server.process.memory_full_info().pss if server.process else 0

        before = await follow(50)  # what the first ones need stays
        after = await follow(STREAMS)
        for writer in opened:
            writer.close()
    return f"| memory of a follower by a stream of events, of {STREAMS} | {(after - before) / STREAMS / 1000:.1f} kB |"


async def table(rounds: int, count: int, cluster: Cluster) -> str:
    """The two tables of the document."""
    writes = await overhead(rounds, count, cluster)
    figures = [await lag(cluster), *await idle(cluster), await memory(cluster)]
    head = (
        "| CPU of service and PostgreSQL, µs | triggers off | with the feed and a follower | trimming | times |",
        "|---|---|---|---|---|",
    )
    return "\n".join([*head, *writes, "", "| the feed | measured |", "|---|---|", *figures])
