"""Applies migrations: `python -m chassis.db.migrate SERVICE` brings `$DATABASE_URL` up to date.

`--new NAME` writes the next migration from the difference between models and database. Revisions have consecutive
numbers ("0001", "0002"), so that a process can tell without Alembic whether its database is migrated.

A migration waits only shortly for a lock, since every query on the table waits behind it; then the whole migration is
tried again. A database that newer code has migrated is left as it is, if this code may run on it.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.errors import DeadlockDetected, InsufficientPrivilege, LockNotAvailable

from chassis.db.revisions import FIND_TABLE, NO_REVISION, READ_REVISION, ROOT, Revisions, head
from chassis.settings import secret

if TYPE_CHECKING:
    from alembic.config import Config

PAUSE_SECONDS = 3.0
"""Seconds between two attempts, so that the queries which waited behind the migration can run."""
PATIENCE_SECONDS = 60.0
"""After so many seconds no further attempt begins."""
LOOK_SECONDS = 0.25
"""Seconds between two queries for the holders of the lock."""

HOLDERS = """
SELECT DISTINCT CASE
    WHEN holder.pid IS NULL THEN 'a prepared transaction'
    ELSE format('process %%s (%%s, role %%s), in a transaction since %%s', holder.pid, holder.application_name,
                holder.usename, coalesce(date_trunc('second', holder.xact_start)::text, 'an unknown time'))
END
FROM unnest(pg_blocking_pids(%s)) AS blocking(pid) LEFT JOIN pg_stat_activity AS holder USING (pid)
"""
"""Who holds the locks that a session waits for. PostgreSQL shows when a transaction began only to its own role."""


class NotMigrated(Exception):
    """The database is not at the revision that this code needs, and is left as it is. The message says what to do."""


def config(service: str, connection: psycopg.Connection | None = None) -> Config:
    """Alembic's configuration for one service. All services share one `env`, and each has its own folder of revisions.

    Without a connection it only writes SQL.
    """
    from alembic.config import Config

    found = Config()
    found.set_main_option("script_location", str(ROOT / "chassis/db/alembic"))
    found.set_main_option("version_locations", str(ROOT / service / "migrations"))
    found.set_main_option("path_separator", "os")
    found.attributes["metadata"] = importlib.import_module(f"{service}.models").Base.metadata
    found.attributes["connection"] = connection
    return found


def connect(database_url: str) -> psycopg.Connection:
    """A connection whose name tells the database's other users what it does."""
    url = database_url.replace("postgresql+psycopg://", "postgresql://", 1)
    return psycopg.connect(url, application_name="solicita migration", connect_timeout=10)


def upgrade(service: str, database_url: str, timeout: float = PATIENCE_SECONDS) -> str:
    """Applies every migration that `database_url` still lacks, and returns the revision that it has then.

    It is safe to run twice, and by two processes at once. Raises NotMigrated when the database cannot be reached or is
    not fit, when others still hold the locks after `timeout` seconds, or when this code is too old for the database.
    """
    until = time.monotonic() + timeout
    try:
        observer = connect(database_url)
    except psycopg.ProgrammingError:  # its message may show the password
        raise NotMigrated(f"{service}: DATABASE_URL is no URL of a database, postgresql://…") from None
    except psycopg.OperationalError as failure:
        reason = " ".join(str(failure).split())
        raise NotMigrated(f"{service}: the database cannot be reached: {reason}") from failure
    with observer:
        observer.autocommit = True
        if (encoding := observer.info.parameter_status("server_encoding")) != "UTF8":
            raise NotMigrated(
                f"{service}: the database has the encoding {encoding}: make it anew, with "
                "ENCODING 'UTF8' TEMPLATE template0"
            )
        if observer.execute("SELECT pg_backend_pid()").fetchone() != (observer.info.backend_pid,):
            raise NotMigrated(
                f"{service}: DATABASE_URL leads to a pooler, behind which a migration cannot keep its lock: name the "
                "server itself"
            )
        while (found := revisions(service, observer)).behind:
            if not (holders := _apply(service, database_url, observer)):
                continue
            reason = f"{service}: a lock that the migration needs is held by {holders}"
            if time.monotonic() + PAUSE_SECONDS > until:
                raise NotMigrated(f"{reason}; it was tried for {timeout:g} s: end that, and migrate again")
            print(f"{reason}; trying again in {PAUSE_SECONDS:g} s", flush=True)
            time.sleep(PAUSE_SECONDS)
    assert found.database
    if found.too_far_ahead:
        raise NotMigrated(
            f"{service}: the database is at revision {found.database}, which only code from revision "
            f"{found.oldest_code or found.database} on may use, and this code is at {found.code}: run newer code"
        )
    if found.ahead:
        print(
            f"WARNING: {service}: the database is at revision {found.database}, newer than this code at {found.code}, "
            "which may run on it",
            flush=True,
        )
    return found.database


def revisions(service: str, connection: psycopg.Connection) -> Revisions:
    """The revisions of the database and of this code."""
    if connection.execute(FIND_TABLE).fetchone() == (None,):
        return Revisions(head(service))
    return Revisions(head(service), *(connection.execute(READ_REVISION).fetchone() or ()))


def _apply(service: str, database_url: str, observer: psycopg.Connection) -> str | None:
    """Applies the missing migrations in one transaction. Returns who held the lock that it did not get, or None when it
    succeeded."""
    from alembic import command  # takes a second to import, so only when there is something to apply
    from sqlalchemy.exc import OperationalError, ProgrammingError

    holders, ended = "somebody who has let it go", threading.Event()

    def watch_holders(pid: int) -> None:
        nonlocal holders
        with contextlib.suppress(psycopg.Error):
            while not ended.wait(LOOK_SECONDS):
                if found := observer.execute(HOLDERS, [pid]).fetchall():
                    holders = ", and by ".join(name for (name,) in found)

    with connect(database_url) as connection:
        watch = threading.Thread(target=watch_holders, args=[connection.info.backend_pid])
        watch.start()
        try:
            command.upgrade(config(service, connection), "head")
        except OperationalError as failure:
            if not isinstance(failure.orig, (LockNotAvailable, DeadlockDetected)):
                raise
            return holders
        except ProgrammingError as failure:
            if not isinstance(failure.orig, InsufficientPrivilege):
                raise
            reason, role = str(failure.orig).splitlines()[0], observer.info.user
            raise NotMigrated(f"{service}: {reason}: make the role {role} the owner of its database") from failure
        finally:
            ended.set()
            watch.join()
    return None


def new(service: str, database_url: str, name: str) -> list[Path]:
    """Writes the next revision, or the next two. The database must be at the newest one. Raises NotMigrated when the
    models leave open what the rows that exist get."""
    from alembic import command

    from chassis.db.drafts import NoDraft, complete

    before = head(service)
    number = f"{int(before) + 1:04d}"
    with connect(database_url) as connection:
        settings = config(service, connection)
        settings.attributes["oldest_code"] = None if before == NO_REVISION else before
        try:
            scripts: Any = command.revision(
                settings,
                name,
                autogenerate=True,
                rev_id=number,
                process_revision_directives=complete,
            )
        except NoDraft as reason:
            raise NotMigrated(f"{service}: {reason}") from reason
    written: list[Any] = scripts if isinstance(scripts, list) else [scripts]  # pyright: ignore
    return [Path(script.path) for script in written]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m chassis.db.migrate", description=__doc__)
    parser.add_argument("service", help="the folder of the service, which has its migrations")
    parser.add_argument("--new", metavar="NAME", help="write a new migration instead of applying them")
    arguments = parser.parse_args()
    if not (ROOT / arguments.service / "migrations").is_dir():
        parser.error(f"there is no service called {arguments.service}")
    try:
        url = secret("DATABASE_URL")
    except ValueError as failure:
        raise SystemExit(f"configuration error: {failure}") from None
    if not url:
        raise SystemExit("configuration error: DATABASE_URL: set it to the service's database, postgresql://…")
    if arguments.new:
        written = " and ".join(map(str, new(arguments.service, url, arguments.new)))
        print(f"wrote {written}: read it, then apply it")
        return
    try:
        print(f"{arguments.service}: database is at revision {upgrade(arguments.service, url)}")
    except NotMigrated as refused:
        sys.exit(str(refused))


if __name__ == "__main__":
    main()
