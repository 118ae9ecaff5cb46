"""A real PgBouncer in front of a PostgreSQL, which gives each transaction another session of the server."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Generator, Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from deploy.postgres import HOST, find, free_ports
from tests.deploy.processes import WAIT_SECONDS

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
PREPARES = (1, 22)
"""The first version that may be told to know prepared statements, and whose clients' libpq can close them."""

SETTINGS = """
[databases]
* = host={host} port={server}

[pgbouncer]
listen_addr = {host}
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = transaction
default_pool_size = 20
max_client_conn = 500
server_round_robin = 1
query_wait_timeout = 10
"""


def version() -> tuple[int, int]:
    """Of the PgBouncer of this machine."""
    assert PROGRAM
    said = subprocess.run([PROGRAM, "--version"], check=True, capture_output=True, text=True).stdout
    found = re.search(r"(\d+)\.(\d+)", said)
    assert found, said
    return int(found[1]), int(found[2])


def mode() -> str:
    """The DATABASE_POOLER for this PgBouncer."""
    return "transaction" if version() >= PREPARES else "transaction-unprepared"


class PgBouncer:
    """Where it listens, and how clients find the databases of `urls` through it."""

    def __init__(self, urls: Mapping[str, str]) -> None:
        self.port = free_ports()
        self.urls = {name: re.sub(r":\d+/", f":{self.port}/", url) for name, url in urls.items()}


@contextlib.contextmanager
def pgbouncer(directory: Path, urls: Mapping[str, str], more: Iterable[str] = ()) -> Generator[PgBouncer]:
    """Runs it in front of the server of `urls`; `more` are further lines of its settings."""
    assert PROGRAM
    running = PgBouncer(urls)
    parts = [urlsplit(url) for url in urls.values()]
    users, settings = directory / "users.txt", directory / "pgbouncer.ini"
    users.write_text("".join(f'"{one.username}" "{one.password}"\n' for one in parts))
    text = SETTINGS.format(host=HOST, server=parts[0].port, port=running.port, users=users)
    prepares = ["max_prepared_statements = 200"] if version() >= PREPARES else []
    settings.write_text("\n".join([text, *prepares, *more, ""]))
    # It refuses to run as root, like PostgreSQL.
    with (directory / "pgbouncer.log").open("w") as log:
        process = subprocess.Popen([*find().prefix, PROGRAM, settings], stdout=log, stderr=log)
    try:
        _until_it_listens(process, running.port)
        yield running
    finally:
        process.terminate()
        process.wait(WAIT_SECONDS)


def _until_it_listens(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            return
        time.sleep(0.02)
    raise AssertionError(f"PgBouncer does not listen; its exit code is {process.poll()}")
