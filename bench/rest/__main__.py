"""Measures the REST hot path: `python -m bench.rest`. CPU per request of the server and of PostgreSQL, in one run.

Every server answers the same requests over the same table, alone on one core with PostgreSQL, the load on the other;
answers are compared before anything is timed. Rounds are interleaved and each reverses the order; a figure is the
median of the rounds, a ratio the median of the rounds' ratios.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import psycopg

from bench import cpu, load
from bench.load import Request
from chassis.db.migrate import ROOT, upgrade
from chassis.text import fold
from deploy.postgres import Cluster, free_ports

ROWS = 10_000
CONCURRENCY = 16
FLOOR = "bare psycopg + orjson"


@dataclass
class Server:
    name: str
    command: list[str]
    port: int
    process: psutil.Process | None = None
    cpu: dict[str, list[float]] = field(default_factory=dict[str, list[float]])

    def start(self, url: str) -> None:
        environment = {**os.environ, "DATABASE_URL": url, "PORT": str(self.port), "LOG_LEVEL": "WARNING"}
        with open(os.devnull, "w") as quiet:
            started = subprocess.Popen(self.command, cwd=ROOT, env=environment, stdout=quiet)
        self.process = psutil.Process(started.pid)

    async def ready(self, request: Request) -> bytes:
        """Its answer, as soon as it gives one."""
        for _ in range(300):
            try:
                return await load.once(self.port, request)
            except (OSError, asyncio.IncompleteReadError):
                await asyncio.sleep(0.1)
        raise SystemExit(f"{self.name} does not answer")


def servers() -> list[Server]:
    first = free_ports(4)
    uvicorn = [sys.executable, "-m", "uvicorn", "--no-access-log", "--log-level", "warning", "--port"]
    gunicorn = [sys.executable, "-m", "gunicorn", "--workers", "1", "--threads", "4", "--log-level", "error"]
    return [
        Server(FLOOR, [*uvicorn, str(first), "bench.rest.bare:app"], first),
        Server("this service", [sys.executable, "-m", "chassis.serve", "pessoas"], first + 1),
        Server("FastAPI + SQLModel", [*uvicorn, str(first + 2), "bench.rest.sqlmodel_way:app"], first + 2),
        Server("Django REST Framework", [*gunicorn, "-b", f"127.0.0.1:{first + 3}", "bench.rest.drf:app"], first + 3),
    ]


def requests() -> dict[str, list[Request]]:
    chosen = random.Random(1)  # noqa: S311  # the same ids in every run
    bulk = [",".join(map(str, sorted(chosen.sample(range(1, ROWS + 1), 100)))) for _ in range(50)]
    return {
        "list of 100": [Request.of("GET", "/api/pessoas/?page_size=100")],
        "bulk read of 100 ids": [Request.of("GET", f"/api/pessoas/?id={ids}") for ids in bulk],
    }


def fill(url: str) -> None:
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        with cursor.copy("COPY pessoa (nome_pessoa, nome_busca) FROM STDIN") as copy:
            for n in range(ROWS):
                name = f"João da Conceição {n}"
                copy.write_row((name, fold(name)))
        cursor.execute("ANALYZE pessoa")


async def measure(rounds: int, count: int, postmaster: psutil.Process, running: list[Server]) -> None:
    for kind, asked in requests().items():
        answers = {server.name: json.loads(await server.ready(asked[0])) for server in running}
        if any(answer != answers[FLOOR] for answer in answers.values()):
            raise SystemExit(f"the answers differ for {kind}")
        for server in running:
            server.cpu[kind] = []
            await load.run(server.port, asked, CONCURRENCY, count=count // 4)  # warm
        for n in range(rounds):
            for server in running if n % 2 == 0 else running[::-1]:
                assert server.process
                before = cpu.seconds(server.process, postmaster)
                await load.run(server.port, asked, CONCURRENCY, count=count)
                server.cpu[kind].append((cpu.seconds(server.process, postmaster) - before) / count)
            print(f"{kind}: round {n + 1} of {rounds}", file=sys.stderr)


def table(running: list[Server]) -> str:
    floor = next(server for server in running if server.name == FLOOR)
    lines = ["| server | request | CPU per request, µs | times the floor |", "|---|---|---|---|"]
    for kind in requests():
        for server in running:
            ratio = statistics.median(a / b for a, b in zip(server.cpu[kind], floor.cpu[kind], strict=True))
            lines.append(f"| {server.name} | {kind} | {statistics.median(server.cpu[kind]) * 1e6:.0f} | {ratio:.2f} |")
    return "\n".join(lines)


async def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.rest", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=1500, help="for each server and round")
    arguments = parser.parse_args()
    running = servers()
    with (
        tempfile.TemporaryDirectory() as directory,
        Cluster(Path(directory), free_ports(), log=os.open(os.devnull, os.O_WRONLY)) as cluster,
    ):
        url = cluster.create_database("pessoas")
        upgrade("pessoas", url)
        fill(url)
        postmaster = next(one for one in psutil.Process().children(recursive=True) if one.name() == "postgres")
        cpu.pin(psutil.Process(), 1)
        try:
            for server in running:
                server.start(url)
                assert server.process
                await server.ready(requests()["list of 100"][0])
                cpu.pin(server.process, 0)
            cpu.pin(postmaster, 0)
            await measure(arguments.rounds, arguments.requests, postmaster, running)
        finally:
            for server in running:
                if server.process:
                    server.process.terminate()
                    server.process.wait(20)
    print(table(running))


if __name__ == "__main__":
    asyncio.run(main())
