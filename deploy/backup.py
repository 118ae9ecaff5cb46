"""Backs up all databases into one archive, and restores them from it: `python -m deploy.backup [restore FILE]`.

The archive is a zip file with one `<service>.dump` for each database (pg_dump's custom format) and, as its last member,
`manifest.json`. Each dump is one snapshot of its database. A service is dumped before those that it asks, so that the
rows to which its rows refer are in the later dumps. The answers to idempotent writes are part of it: a client that
retries a write after a restore gets its first answer, and does not write twice.

Where the databases are: see `deploy.postgres_clients`.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from chassis.db.revisions import READ_REVISION, Revisions, head
from chassis.version import VERSION
from deploy.postgres import PostgresError
from deploy.postgres_clients import Clients, reached
from deploy.run_lock import LaunchError
from deploy.topology import SERVICES

MANIFEST = "manifest.json"
ORDER = [service.name for service in reversed(SERVICES)]
"""A service comes before those that it asks."""
DUMP = ("--no-owner", "--no-privileges")
PROGRESS_SECONDS = 5.0

SERVER = "SELECT current_setting('server_version_num')::int / 10000"
LEAVING_SECONDS = 2.0
"""How long others may take to leave: the server ends a connection a moment after its client, and we ask by several."""
OTHERS = """
SELECT count(*) FROM pg_stat_activity
 WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""
TABLES_WITH_ROWS = r"""
SELECT format('SELECT %L WHERE EXISTS (SELECT FROM %I.%I)', tablename, schemaname, tablename)
  FROM pg_tables WHERE schemaname = 'public' AND tablename NOT IN ('alembic_version', 'change', 'feed_head')
\gexec
"""
# The schema gets back the owner and the privilege that PostgreSQL gives it, and that dumps do not repeat.
EMPTY = """
BEGIN;
SET LOCAL lock_timeout = '10s';
DROP SCHEMA public CASCADE;
CREATE SCHEMA public;
ALTER SCHEMA public OWNER TO pg_database_owner;
GRANT USAGE ON SCHEMA public TO PUBLIC;
"""
# Followers of the changes must begin anew, since what they have read may be gone. An older archive has no feed yet.
NEW_EPOCH = r"""
SELECT 'UPDATE public.feed_head SET epoch = DEFAULT' WHERE to_regclass('public.feed_head') IS NOT NULL \gexec
"""


class _Progress:
    """Says every few seconds how far a long copy is."""

    def __init__(self, service: str) -> None:
        self.service, self.bytes, self.said = service, 0, time.monotonic()

    def copied(self, count: int) -> None:
        self.bytes += count
        if time.monotonic() - self.said > PROGRESS_SECONDS:
            self.said = time.monotonic()
            print(f"{self.service}: {self} so far", flush=True)

    def __str__(self) -> str:
        return f"{self.bytes / 1e6:.1f} MB"


def back_up(clients: Clients, file: Path) -> None:
    """Writes the archive `file`, complete or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.unfinished")
    manifest: dict[str, Any] = {"version": VERSION, "at": datetime.now(UTC).isoformat(), "databases": {}}
    try:
        with unfinished.open("xb") as opened:
            os.fchmod(opened.fileno(), 0o600)  # it holds names of persons
            with zipfile.ZipFile(opened, "w") as archive:
                for service in ORDER:
                    manifest["databases"][service] = _described(clients, service)
                    _dump(clients, service, archive)
                archive.writestr(MANIFEST, json.dumps(manifest, indent=2))
            opened.flush()
            os.fsync(opened.fileno())
        unfinished.rename(file)
    except FileExistsError:
        raise LaunchError(f"{unfinished} exists: remove it, unless a backup into {file} is under way") from None
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def _described(clients: Clients, service: str) -> dict[str, Any]:
    revision, oldest_code = clients.psql(service, f"{READ_REVISION};").split("|")
    return {"revision": revision, "oldest_code": oldest_code, "postgres": int(clients.psql(service, f"{SERVER};"))}


def _dump(clients: Clients, service: str, archive: zipfile.ZipFile) -> None:
    command = clients.command("pg_dump", service, *DUMP, "--format=custom")
    progress = _Progress(service)
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=clients.environment(service)) as dump,
    ):
        assert dump.stdout
        with archive.open(f"{service}.dump", "w", force_zip64=True) as member:
            while chunk := dump.stdout.read(1 << 20):
                member.write(chunk)
                progress.copied(len(chunk))
        if dump.wait() != 0:
            raise LaunchError(f"{service}: pg_dump failed: {_text(errors)}")
    print(f"{service}: {progress}", flush=True)


def restore(clients: Clients, file: Path, *, force: bool) -> None:
    """Replaces all databases by those of the archive, in one transaction each; none is committed before all have
    everything. Raises LaunchError, with nothing changed, if the archive or the databases do not allow it."""
    try:
        archive = zipfile.ZipFile(file)
    except (OSError, zipfile.BadZipFile) as failure:
        raise LaunchError(f"{file} is no complete archive of `make backup`: {failure}") from None
    with archive:
        manifest = _checked(archive, file)
        for service in ORDER:
            _require_fit(clients, service, manifest["databases"][service], force=force)
        with contextlib.ExitStack() as stack:
            restoring = {service: stack.enter_context(_Restoring(clients, service)) for service in ORDER}
            for service, one in restoring.items():
                command = clients.command("pg_restore", service, "--file=-")
                with archive.open(f"{service}.dump") as dump:
                    one.fill(command, clients.environment(service), dump)
                print(f"{service}: {archive.getinfo(f'{service}.dump').file_size / 1e6:.1f} MB", flush=True)
                one.run(NEW_EPOCH)
            for one in restoring.values():
                one.run("COMMIT;")


def _checked(archive: zipfile.ZipFile, file: Path) -> dict[str, Any]:
    """The manifest of an archive whose every byte has been checked."""
    if damaged := archive.testzip():
        raise LaunchError(f"{file} is damaged: {damaged} in it does not have its checksum")
    names = {MANIFEST, *(f"{service}.dump" for service in ORDER)}
    if lacking := names - set(archive.namelist()):
        raise LaunchError(f"{file} is no archive of all services: it lacks {', '.join(sorted(lacking))}")
    return json.loads(archive.read(MANIFEST))


def _require_fit(clients: Clients, service: str, described: dict[str, Any], *, force: bool) -> None:
    """Raises LaunchError unless this database may be replaced by what the archive describes."""
    revisions = Revisions(head(service), described["revision"], described["oldest_code"] or None)
    if revisions.too_far_ahead:
        raise LaunchError(
            f"{service}: the archive is at revision {revisions.database}, too new for this code, which is at "
            f"{revisions.code}: restore it with the version that made it, or a newer one"
        )
    if (server := int(clients.psql(service, f"{SERVER};"))) < described["postgres"]:
        raise LaunchError(
            f"{service}: the archive is of PostgreSQL {described['postgres']}, the server here is {server}"
        )
    until = time.monotonic() + LEAVING_SECONDS
    while (others := clients.psql(service, f"{OTHERS};")) != "0" and time.monotonic() < until:
        time.sleep(0.1)
    if others != "0":
        raise LaunchError(
            f"{service}: {others} other connections use the database: stop the services (only PostgreSQL must run)"
        )
    if (tables := clients.psql(service, TABLES_WITH_ROWS)) and not force:
        raise LaunchError(
            f"{service}: there are rows already (in {', '.join(tables.split())}): restore into an empty place, or "
            "replace everything that is there with FORCE=1"
        )


class _Restoring:
    """A psql in whose open transaction the database is replaced. It rolls back if it ends before COMMIT."""

    def __init__(self, clients: Clients, service: str) -> None:
        self._programs, self._service = clients, service
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        quiet = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--output=/dev/null")
        self._psql = subprocess.Popen(
            clients.command("psql", service, *quiet),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=clients.environment(service),
        )

    def __enter__(self) -> _Restoring:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._psql.stdin
        with contextlib.suppress(BrokenPipeError):
            self._psql.stdin.close()
        self._psql.wait()
        self._errors.close()

    def run(self, script: str) -> None:
        """Runs `script`, and returns when it is done."""
        assert self._psql.stdin
        assert self._psql.stdout
        with contextlib.suppress(BrokenPipeError):
            self._psql.stdin.write(f"{script}\n\\echo done\n".encode())
            self._psql.stdin.flush()
        if self._psql.stdout.readline() != b"done\n":
            self._psql.wait()
            raise LaunchError(f"{self._service}: the restore failed, and nothing was changed: {_text(self._errors)}")

    def fill(self, command: list[str], environment: dict[str, str], dump: IO[bytes] | None = None) -> None:
        """Empties the database, and runs the script that `command` writes; `dump` is what that command reads."""
        self.run(EMPTY)
        assert self._psql.stdin
        progress = _Progress(self._service)
        with (
            tempfile.TemporaryFile() as errors,
            subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=environment
            ) as script,
        ):
            assert script.stdin
            assert script.stdout
            feeding = threading.Thread(target=_feed, args=(dump, script.stdin))
            feeding.start()
            try:
                while chunk := script.stdout.read(1 << 20):
                    self._psql.stdin.write(chunk)
                    progress.copied(len(chunk))
            except BrokenPipeError:  # psql has stopped at an error, which `run` reports
                script.kill()
            feeding.join()
            if script.wait() > 0:
                raise LaunchError(f"{self._service}: {command[0]} failed, and nothing was changed: {_text(errors)}")
        self.run("")


def _feed(dump: IO[bytes] | None, into: IO[bytes]) -> None:
    with contextlib.suppress(BrokenPipeError), into:
        if dump:
            shutil.copyfileobj(dump, into, 1 << 20)


def copy(source: Clients, target: Clients, service: str) -> None:
    """Replaces a service's database on one server by that on another, in one transaction."""
    command = source.command("pg_dump", service, *DUMP)
    with _Restoring(target, service) as restoring:
        restoring.fill(command, source.environment(service))
        restoring.run("COMMIT;")


def _text(errors: IO[bytes]) -> str:
    errors.seek(0)
    return errors.read(4000).decode(errors="replace").strip()


def new_file(directory: Path) -> Path:
    return directory / f"solicita-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.zip"


def main(arguments: list[str], variables: dict[str, str]) -> int:
    chosen = variables.get("FILE")
    restoring = arguments == ["restore"]
    if arguments and not restoring:
        print(f"unknown: {' '.join(arguments)}", file=sys.stderr)
        return 2
    if restoring and not chosen:
        print("say from which archive: make restore FILE=backups/solicita-….zip", file=sys.stderr)
        return 2
    try:
        if restoring:
            with reached(variables, create=True) as clients:
                restore(clients, Path(chosen or ""), force=variables.get("FORCE") == "1")
            print(f"restored {chosen}; run the migrations before the services start, as `make run` and compose.yaml do")
        else:
            file = Path(chosen) if chosen else new_file(Path("backups"))
            if file.exists():
                raise LaunchError(f"{file} exists: choose another FILE")
            with reached(variables) as clients:
                back_up(clients, file)
            print(f"backed up into {file.resolve()} ({file.stat().st_size / 1e6:.1f} MB)")
    except (LaunchError, PostgresError) as refused:
        print(refused, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], dict(os.environ)))
