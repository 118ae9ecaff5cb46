"""Measures REST: `python -m bench.rest`. The figures are the CPU per request of the server and of PostgreSQL together.

Every server answers the same requests with the same rows in a database of its own. One server at a time shares a core
with PostgreSQL; the load generator has the other core. Answers are compared before anything is timed. Rounds are
interleaved and each reverses the order of the servers; a figure is the median of the rounds, and a ratio is the median
of the rounds' ratios. The other servers do not know Idempotency-Key and ignore it. With `--base REVISION` that revision
of this project is measured beside today's and the floor, and the others are left out.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
from pathlib import Path

import psutil

from bench import base, cpu, load
from bench.rest import feed
from bench.rest.servers import OURS as SERVICE
from bench.rest.servers import Server, make_database, postmaster
from bench.rest.workloads import ALL, Workload, comparable
from deploy.postgres import Cluster, free_ports

CONCURRENCY = 16
FLOOR, OURS = "bare psycopg + orjson", "this service"


def servers(revision: str, directory: Path) -> list[Server]:
    first = free_ports(4)
    uvicorn = [sys.executable, "-m", "uvicorn", "--no-access-log", "--log-level", "warning", "--port"]
    gunicorn = [sys.executable, "-m", "gunicorn", "--workers", "1", "--threads", "4", "--log-level", "error"]
    chosen = [Server(FLOOR, [*uvicorn, str(first), "bench.rest.bare:app"], first), Server(OURS, SERVICE, first + 1)]
    if revision:
        return [*chosen, Server(f"this service at {revision}", SERVICE, first + 2, base.checkout(revision, directory))]
    return [
        *chosen,
        Server("FastAPI + SQLModel", [*uvicorn, str(first + 2), "bench.rest.sqlmodel_way:app"], first + 2),
        Server("Django REST Framework", [*gunicorn, "-b", f"127.0.0.1:{first + 3}", "bench.rest.drf:app"], first + 3),
    ]


async def measure(rounds: int, count: int, postgres: psutil.Process, running: list[Server]) -> None:
    for workload in ALL:
        answers = {server.name: comparable(await server.answer(workload.requests(1)[0])) for server in running}
        if any(answer != answers[FLOOR] for answer in answers.values()):
            raise SystemExit(f"the answers differ for {workload.name}: {answers}")
        for server in running:
            server.cpu[workload.name] = []
            await load.run(server.port, workload.requests(count // 4), CONCURRENCY, count=count // 4)  # warm
        for n in range(rounds):
            for server in running if n % 2 == 0 else running[::-1]:
                assert server.process
                asked = workload.requests(count)
                before = cpu.seconds(server.process, postgres)
                await load.run(server.port, asked, CONCURRENCY, count=count)
                server.cpu[workload.name].append((cpu.seconds(server.process, postgres) - before) / count)
            print(f"{workload.name}: round {n + 1} of {rounds}", file=sys.stderr)


def ratio(of: Server, to: Server, workload: Workload) -> float:
    """The median of the rounds' ratios."""
    rounds = zip(of.cpu[workload.name], to.cpu[workload.name], strict=True)
    return statistics.median(a / b for a, b in rounds)


def table(running: list[Server]) -> str:
    floor = next(server for server in running if server.name == FLOOR)
    lines = ["| server | request | CPU per request, µs | times the floor |", "|---|---|---|---|"]
    for workload in ALL:
        for server in running:
            figure = statistics.median(server.cpu[workload.name]) * 1e6
            lines.append(f"| {server.name} | {workload.name} | {figure:.0f} | {ratio(server, floor, workload):.2f} |")
    return "\n".join(lines)


def comparison(running: list[Server], revision: str) -> str:
    """The table that compares today's code with the earlier revision."""
    ours, earlier = running[1:]
    lines = [f"| CPU, times that of {revision} | median of the rounds |", "|---|---|"]
    return "\n".join(lines + [f"| {one.name} | {ratio(ours, earlier, one):.3f} |" for one in ALL])


async def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.rest", description=__doc__)
    # There are many short rounds, since the speed of a shared machine changes by a third within seconds.
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--requests", type=int, default=300, help="for each server and round")
    parser.add_argument("--base", metavar="REVISION", default="", help="measure that one beside today's")
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as name,
        Cluster(Path(name) / "postgres", free_ports(), log=os.open(os.devnull, os.O_WRONLY)) as cluster,
    ):
        running = servers(arguments.base, Path(name))
        # Each server has a database of its own: to this service, the rows that the others write would look like names
        # of older code, which it folds again.
        urls = [make_database(cluster, f"server{n}", server.folder) for n, server in enumerate(running)]
        postgres = postmaster()
        cpu.pin(psutil.Process(), 1)
        try:
            for server, url in zip(running, urls, strict=True):
                server.start(url)
                assert server.process
                await server.answer(ALL[0].requests(1)[0])
                cpu.pin(server.process, 0)
            cpu.pin(postgres, 0)
            await measure(arguments.rounds, arguments.requests, postgres, running)
        finally:
            for server in running:
                server.stop()
        print(table(running))
        if arguments.base:
            print(f"\n{comparison(running, arguments.base)}")
        else:
            print(f"\n{await feed.table(arguments.rounds, arguments.requests, cluster)}")


if __name__ == "__main__":
    asyncio.run(main())
