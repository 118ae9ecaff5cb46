"""The servers that are measured, each with a database of its own that has the same rows."""

import asyncio
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import psycopg

from bench import load
from bench.load import Request
from bench.rest.workloads import ROWS
from chassis.db.database import FOLD_OPTION
from chassis.db.migrate import ROOT
from chassis.text import fold
from deploy.postgres import Cluster

OURS = [sys.executable, "-m", "chassis.serve", "pessoas"]


@dataclass
class Server:
    name: str
    command: list[str]
    port: int
    folder: Path = ROOT
    process: psutil.Process | None = None
    cpu: dict[str, list[float]] = field(default_factory=dict[str, list[float]])

    def start(self, url: str, **variables: str) -> None:
        environment = {**os.environ, "DATABASE_URL": url, "PORT": str(self.port), "LOG_LEVEL": "WARNING", **variables}
        # The other servers write no folded name. With this option their rows count as folded all the same, so they do
        # not enter the index of rows to fold, and no process folds them during the measurement.
        environment["PGOPTIONS"] = FOLD_OPTION
        with open(os.devnull, "w") as quiet:
            started = subprocess.Popen(self.command, cwd=self.folder, env=environment, stdout=quiet)
        self.process = psutil.Process(started.pid)

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(20)

    async def answer(self, request: Request) -> bytes:
        """The server's answer; tries again until there is one."""
        for _ in range(300):
            try:
                return await load.once(self.port, request)
            except (OSError, asyncio.IncompleteReadError):
                await asyncio.sleep(0.1)
        raise SystemExit(f"{self.name} does not answer")


def make_database(cluster: Cluster, name: str, folder: Path = ROOT) -> str:
    """The URL of a new database with the schema of the code in `folder`, filled with the same rows."""
    url = cluster.create_database(name)
    migrate = [sys.executable, "-m", "chassis.db.migrate", "pessoas"]
    subprocess.run(migrate, cwd=folder, env={**os.environ, "DATABASE_URL": url}, check=True, stdout=subprocess.DEVNULL)
    with psycopg.connect(url, options=FOLD_OPTION) as connection, connection.cursor() as cursor:
        # The other servers do not know the folded name. And no round may pay for a vacuum of the rows of all rounds.
        cursor.execute("ALTER TABLE pessoa ALTER nome_busca SET DEFAULT '', SET (autovacuum_enabled = false)")
        with cursor.copy("COPY pessoa (nome_pessoa, nome_busca) FROM STDIN") as copy:
            for n in range(ROWS):
                nome = f"João da Conceição {n}"
                copy.write_row((nome, fold(nome)))
        cursor.execute("ANALYZE pessoa")
    return url


def postmaster() -> psutil.Process:
    """The PostgreSQL that this process has started."""
    return next(one for one in psutil.Process().children(recursive=True) if one.name() == "postgres")
