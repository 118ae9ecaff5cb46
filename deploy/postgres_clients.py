"""PostgreSQL's client programs (psql, pg_dump), connected to the services' databases wherever these are.

The databases are in the containers of compose.yaml if COMPOSE is 1; else where `<NAME>_DATABASE_URL` of each service
says (or `<NAME>_DATABASE_URL_FILE`), if these variables are set; else in DATA_DIR, where `make run` keeps them.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from deploy import databases
from deploy.postgres import Cluster, PostgresError, environment, find, free_ports, serving_port
from deploy.run_lock import LaunchError, data_directory, lock
from deploy.topology import SERVICES

NAMES = [service.name for service in SERVICES]


@dataclass(frozen=True)
class Clients:
    """PostgreSQL's client programs, each connected to the database of one service.

    They are in `directory` and find the database by a service file (libpq's own, so that no password is on a command
    line), or in the database's container.
    """

    directory: Path | None = None
    variables: Mapping[str, str] = field(default_factory=dict[str, str])

    def command(self, program: str, service: str, *arguments: str, terminal: bool = False) -> list[str]:
        if self.directory:
            return [str(self.directory / program), *arguments]
        compose = ["docker", "compose", "exec", *([] if terminal else ["-T"]), f"{service}-db", program]
        role = [] if program == "pg_restore" else [f"--username={service}", f"--dbname={service}"]
        return [*compose, *role, *arguments]

    def environment(self, service: str) -> dict[str, str]:
        return {**environment(), **self.variables, "PGSERVICE": service}

    def psql(self, service: str, script: str) -> str:
        """What `script` prints, without alignment or headings; raises LaunchError if it fails."""
        quiet = ("--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1")
        result = subprocess.run(
            self.command("psql", service, *quiet),
            check=False,
            input=script,
            capture_output=True,
            text=True,
            env=self.environment(service),
        )
        if result.returncode != 0:
            raise LaunchError(f"{service}: psql failed: {result.stderr.strip()}")
        return result.stdout.strip()


@contextlib.contextmanager
def reached(
    variables: Mapping[str, str], services: Sequence[str] = NAMES, *, create: bool = False
) -> Generator[Clients]:
    """The client programs, connected at least to the databases of `services`, which `variables` name. With `create` the
    system may not run on DATA_DIR, and databases that do not exist there are created. Raises LaunchError and
    PostgresError."""
    if variables.get("COMPOSE") == "1":
        yield Clients()
    elif any(databases.is_set(name, variables) for name in NAMES):
        with connected(databases.urls(*services)) as programs:
            yield programs
    else:
        directory = data_directory(variables)
        if not create and not (directory / "postgres").exists():
            raise LaunchError(f"there is no database in {directory}: set DATA_DIR as for `make run`")
        with contextlib.ExitStack() as stack:
            port = None if create else serving_port(directory)
            cluster = Cluster(directory, port or free_ports(), log=stack.enter_context(shown_on_failure()))
            if port is None:
                lock(directory)
                stack.enter_context(cluster)
                cluster.create_databases(*NAMES)
            yield stack.enter_context(connected({name: cluster.url(name) for name in NAMES}))


@contextlib.contextmanager
def shown_on_failure() -> Generator[int]:
    """A descriptor for a server's log, which is shown only if the server fails."""
    with tempfile.TemporaryFile() as log:
        try:
            yield log.fileno()
        except PostgresError:
            log.seek(0)
            sys.stderr.write(log.read().decode(errors="replace"))
            raise


@contextlib.contextmanager
def connected(urls: Mapping[str, str]) -> Generator[Clients]:
    """This machine's client programs, connected to the databases at these URLs."""
    with tempfile.TemporaryDirectory() as directory:  # which only this user may read
        sections = [
            "\n".join([f"[{service}]", *(f"{name}={value}" for name, value in conninfo_to_dict(url).items())])
            for service, url in urls.items()
        ]
        file = Path(directory) / "services.conf"
        file.write_text("\n".join(sections) + "\n")
        yield Clients(find().directory, {"PGSERVICEFILE": str(file)})
