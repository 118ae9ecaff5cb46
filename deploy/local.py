"""Runs the whole system on this machine with one command: `python -m deploy.local`, which is what `make run` does.

    check the variables -> lock the data directory -> bind the ports -> PostgreSQL -> migrate -> demo data
    -> five processes -> watch

The launcher holds the listening sockets, so while a process is restarted nobody is refused: callers wait in the
socket's queue. The processes call one another at Unix sockets in the data directory; the ports are for everybody else.
The launcher holds one end of a pipe to every child, so that no child outlives it, however it ends, also by SIGKILL
(`run_watched.py`, `watchdog.py`). Environment, with defaults: PORT_OFFSET (0), DATA_DIR (.data), DEMO (1), DEMO_SIZE
(5000: that of the demo data), and the variables of the five processes.

SIGUSR1 restarts the five processes one after the other while they serve (`restart.py` asks for it). A new process
starts on the held socket; only when it is ready is the old one told to stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Self

from chassis.process.children import send_signal
from chassis.settings import UNIX, NeighbourSettings, ServerSettings, faults, read, settings_of
from deploy import databases, issue_token, topology
from deploy.postgres import EPHEMERAL, HOST, Cluster, PostgresError, environment, find, major
from deploy.run_lock import STOP_SECONDS, LaunchError, bind, bind_path, data_directory, lock
from deploy.terminal import LONGEST_LINE, log_variables, relay, say, terminal

ROOT = Path(__file__).resolve().parent.parent

READY_SECONDS = 60
PROGRESS, RESTARTED, NOT_RESTARTED = "restart.log", "restarted", "not restarted: "
"""The file in the data directory with the progress of a restart, and the two possible beginnings of its last line."""
FIRST_PAUSE, LONGEST_PAUSE, STEADY_SECONDS = 0.1, 5.0, 10.0
"""A process that ends is started again after a pause that doubles up to the longest; staying up this long resets it."""


@dataclass(frozen=True)
class LauncherSettings:
    """The settings of this run, from the environment."""

    port_offset: int
    data_dir: Path
    demo: bool
    neighbour_connections: int
    """Calls of one process to each service at a time. Here all callers of a service have one address, so they share the
    requests at work that the service allows to one address."""
    own_tokens: bool
    """Whether the processes trust the development key. They do if tokens are required and AUTH_JWKS is not set."""

    @classmethod
    def read(cls, variables: Mapping[str, str]) -> Self:
        """Reads the settings. Raises LaunchError with a line for each malformed variable, also of the five processes;
        an empty variable counts as not set."""
        offset, demo = variables.get("PORT_OFFSET") or "0", variables.get("DEMO") or "1"
        wrong: list[str] = []
        highest = EPHEMERAL - 1 - max(topology.POSTGRES_PORT, *(process.port for process in topology.PROCESSES))
        if not (offset.isascii() and offset.isdigit() and int(offset) <= highest):
            wrong.append(f"PORT_OFFSET must be a whole number from 0 to {highest}, not {offset!r}")
        if demo not in ("0", "1"):
            wrong.append(f"DEMO must be 1 (load demo data on the first start) or 0, not {demo!r}")
        own_tokens = variables.get("AUTH_MODE") == "jwt" and not variables.get("AUTH_JWKS")
        wrong += _faults_of_processes(own_tokens)
        if wrong:
            raise LaunchError("\n".join(wrong))
        ours: dict[str, object] = {"auth_mode": "off"}  # the launcher itself judges no tokens
        places = read(ServerSettings, port=8000, **ours).max_concurrency_of_peer // topology.MOST_CALLERS
        calls = max(1, min(read(NeighbourSettings, **ours).neighbour_connections, places))
        return cls(int(offset), data_directory(variables), demo == "1", calls, own_tokens)

    def port(self, process: topology.Process) -> int:
        return process.port + self.port_offset

    @property
    def postgres_port(self) -> int:
        return topology.POSTGRES_PORT + self.port_offset


def _faults_of_processes(own_tokens: bool) -> list[str]:
    """One line for each wrong variable because of which a process would stop, except those that the launcher sets."""
    found: dict[str, None] = {}
    for process in topology.PROCESSES:
        given: dict[str, object] = {"port": process.port}
        given |= {topology.url_variable(name).lower(): f"http://{HOST}" for name in process.asks}
        if process.owns_database:
            given["database_url"] = f"postgresql://{HOST}"
        if own_tokens:
            given |= {"auth_jwks": "ours", "auth_issuer": issue_token.ISSUER, "auth_audience": issue_token.AUDIENCE}
        found |= dict.fromkeys(faults(ServerSettings, settings_of(process.name), **given))
    return list(found)


async def ready(port: int) -> None:
    """Returns when `/health/ready` on `port` answers 200."""
    while True:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(2):
                reader, writer = await asyncio.open_connection(HOST, port)
                with contextlib.closing(writer):
                    writer.write(f"GET /health/ready HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
                    if b" 200 " in await reader.readline():
                        return
        await asyncio.sleep(0.05)


def how_it_ended(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


class Launcher:
    """One run of the system, from the lock that it holds to the last process that it stops."""

    def __init__(self, settings: LauncherSettings, held: int, sockets: Mapping[str, Sequence[socket.socket]]) -> None:
        self._settings = settings
        self._held = held
        self._sockets = sockets
        # Children inherit the reading end. The writing end is this process's alone and closes when it ends.
        self._parent_pipe, self._launchers_end = os.pipe()
        log, self._postgres_log = os.pipe()
        self._postgres_lines = os.fdopen(log, "rb", buffering=0)
        self._cluster = Cluster(settings.data_dir, settings.postgres_port, log=self._postgres_log, keep_open=(held,))
        # The cluster's methods block. There is one thread, so that it is never started and stopped at the same time.
        self._cluster_thread = ThreadPoolExecutor(1)
        self._issuer = issue_token.settings(settings.data_dir) if settings.own_tokens else {}
        self._children: set[Process] = set()
        self._watched: dict[str, asyncio.Task[None]] = {}
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._restart: asyncio.Task[None] | None = None
        self._ready = False
        self._main: asyncio.Task[None] | None = None
        self._stopping = False
        self._ended_early: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Fails when a process ends before everything is ready; cancelled when everything is ready."""

    async def run(self) -> None:
        """Starts everything and watches it until a signal cancels this; then stops everything in order."""
        began = time.monotonic()
        loop = asyncio.get_running_loop()
        self._main = asyncio.current_task()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._interrupt)
        loop.add_signal_handler(signal.SIGUSR1, self._begin_restart)
        lines = asyncio.StreamReader(LONGEST_LINE)
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), self._postgres_lines)
        postgres_log = asyncio.create_task(relay("postgres", lines))
        try:
            say("run", f"data in {self._settings.data_dir}, PostgreSQL on port {self._settings.postgres_port}")
            await self._prepare_databases()
            self._watch("postgres", self._keep_running("postgres", self._watch_postgres))
            for process in topology.PROCESSES:
                self._watch(process.name, self._keep_running(process.name, partial(self._serve, process)))
            await self._until_ready()
            self._announce(time.monotonic() - began)
            self._ready = True
            await self._failure
        finally:
            self._stopping = True
            tasks = [*self._watched.values(), *([self._restart] if self._restart else [])]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._on_cluster(self._cluster.stop)
            os.close(self._postgres_log)
            await postgres_log

    def _interrupt(self) -> None:
        """The first signal stops everything in order; a second one stops everything at once."""
        if self._main and not self._stopping:
            self._stopping = True
            say("run", "stopping (press Ctrl-C again to stop at once)")
            self._main.cancel()
            return
        for child in self._children:
            send_signal(child, signal.SIGKILL)
        self._cluster.kill()

    def _watch(self, name: str, keeping: Coroutine[None, None, None]) -> None:
        """Runs `keeping`, which keeps `name` running, as a task; if it fails, the whole run fails."""

        def ended(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (failure := task.exception()) and not self._failure.done():
                self._failure.set_exception(failure)

        self._watched[name] = asyncio.create_task(keeping)
        self._watched[name].add_done_callback(ended)

    def _begin_restart(self) -> None:
        """Begins a rolling restart, unless one is under way; a second request then gets that one's result."""
        if self._restart is None or self._restart.done():
            self._restart = asyncio.create_task(self._rolling_restart())

    async def _rolling_restart(self) -> None:
        """Replaces each process with a new one, one after the other; PostgreSQL stays. Writes the progress to
        PROGRESS."""
        with (self._settings.data_dir / PROGRESS).open("a", buffering=1) as progress:

            def tell(line: str) -> None:
                say("run", line)
                progress.write(f"{line}\n")

            try:
                if not self._ready:
                    raise LaunchError("the system is still starting")
                await self._on_cluster(self._cluster.check_passwords, *(one.name for one in topology.SERVICES))
                await self._run_once("migrate", "deploy.migrate_all", self._database_urls)
                for process in topology.PROCESSES:
                    began = time.monotonic()
                    await self._replace(process)
                    tell(f"{process.name} has a new process, after {time.monotonic() - began:.1f} s")
            except (LaunchError, PostgresError, OSError) as failure:
                tell(f"{NOT_RESTARTED}{failure}")
            else:
                tell(RESTARTED)

    async def _replace(self, process: topology.Process) -> None:
        """Starts a new process and then stops the old one. If the new one does not become ready, raises LaunchError,
        and the old one goes on serving. Old and new share the public port, and either may get a request there; so the
        new one also listens on a port of its own, where it is asked whether it is ready."""
        with socket.create_server((HOST, 0)) as own:
            serving = asyncio.create_task(self._serve(process, own))
            is_ready = asyncio.create_task(ready(own.getsockname()[1]))
            try:
                await asyncio.wait((serving, is_ready), timeout=READY_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if serving.done():
                    raise LaunchError(f"the new {process.name} {serving.result()}; its lines say why")
                if not is_ready.done():
                    raise LaunchError(f"the new {process.name} is not ready after {READY_SECONDS} s")
            except BaseException:
                serving.cancel()
                await asyncio.gather(serving, return_exceptions=True)
                raise
            finally:
                is_ready.cancel()
        old = self._watched[process.name]
        self._watch(process.name, self._keep_running(process.name, partial(self._serve, process), serving))
        old.cancel()
        await asyncio.wait([old])

    async def _on_cluster(self, action: Callable[..., None], *arguments: str) -> None:
        await asyncio.get_running_loop().run_in_executor(self._cluster_thread, action, *arguments)

    async def _prepare_databases(self) -> None:
        """Starts PostgreSQL, creates and migrates the database of every service, and loads demo data on the first
        start."""
        names = [service.name for service in topology.SERVICES]
        await self._on_cluster(self._cluster.start)
        if (found := major(self._settings.data_dir / "postgres")) < (newest := find().version):
            say("run", f"the data is of PostgreSQL {found}: `make upgrade-database` brings it to {newest}")
        await self._on_cluster(self._cluster.create_databases, *names)
        await self._run_once("migrate", "deploy.migrate_all", self._database_urls)
        loaded = self._settings.data_dir / "demo-loaded"
        if self._settings.demo and not loaded.exists():
            await self._run_once("demo", "deploy.demo", self._database_urls)
            loaded.touch()

    @property
    def _database_urls(self) -> dict[str, str]:
        return {databases.variable(service.name): self._cluster.url(service.name) for service in topology.SERVICES}

    async def _keep_running(
        self, name: str, run: Callable[[], Awaitable[str]], under_way: Awaitable[str] | None = None
    ) -> None:
        """Runs `run` again whenever it returns; the text that it returns says how it ended. `under_way` is a first run
        that has already begun."""
        pause = FIRST_PAUSE
        while True:
            began = time.monotonic()
            ended = await (under_way or run())
            under_way = None
            if not self._ended_early.done():
                failure = LaunchError(f"{name} {ended} before everything was ready; its lines above say why")
                self._ended_early.set_exception(failure)
                return
            if time.monotonic() - began > STEADY_SECONDS:
                pause = FIRST_PAUSE
            say("run", f"{name} {ended}; starting it again in {pause:g} s")
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _watch_postgres(self) -> str:
        if not self._cluster.running:
            try:
                await self._on_cluster(self._cluster.start)
            except (PostgresError, OSError) as failure:
                return f"did not start: {failure}"
        return how_it_ended(await asyncio.to_thread(self._cluster.wait))

    async def _serve(self, process: topology.Process, *more: socket.socket) -> str:
        """Runs one process of the table until it ends, and returns how it ended; it listens on its own sockets and on
        `more`."""
        variables = {"PORT": str(self._settings.port(process))}
        if process.asks:
            variables["NEIGHBOUR_CONNECTIONS"] = str(self._settings.neighbour_connections)
        for name in process.asks:
            variables[topology.url_variable(name)] = self._url(name)
        if others := os.environ.get("ALLOWED_HOSTS"):
            variables["ALLOWED_HOSTS"] = f"localhost,{others}"
        variables |= self._issuer
        if process.owns_database:
            variables["DATABASE_URL"] = self._cluster.url(process.name)
        listening = [one.fileno() for one in (*self._sockets[process.name], *more)]
        module = ("chassis.serve", process.name, *(word for one in listening for word in ("--fd", str(one))))
        try:
            return how_it_ended(await self._run_module(process.name, module, variables, *listening))
        except LaunchError as failure:
            return str(failure)

    def _url(self, name: str) -> str:
        """Where the other processes call this service: at its Unix socket, or else at its port."""
        for one in self._sockets[name]:
            if one.family == socket.AF_UNIX:
                return f"{UNIX}{one.getsockname()}"
        return f"http://{HOST}:{self._settings.port(topology.by_name(name))}"

    async def _run_once(self, name: str, module: str, variables: Mapping[str, str]) -> None:
        """Runs a module to its end and shows its lines under `name`; raises LaunchError if it fails."""
        try:
            code = await self._run_module(name, (module,), variables)
        except LaunchError as failure:
            raise LaunchError(f"{name} {failure}") from None
        if code:
            raise LaunchError(f"{name} {how_it_ended(code)}; its lines above say why")

    async def _run_module(
        self, name: str, module: tuple[str, ...], variables: Mapping[str, str], *descriptors: int
    ) -> int:
        """Runs a module in a process of its own, which ends when this process ends, and relays its lines. Returns its
        exit code; if cancelled, stops the process. Raises LaunchError if the machine has no memory or process left."""
        try:
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "deploy.run_watched", str(self._parent_pipe), *module),
                cwd=ROOT,
                env={**environment(), **log_variables(), **variables},
                pass_fds=(self._parent_pipe, self._held, *descriptors),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=PIPE,
                stderr=STDOUT,
                limit=LONGEST_LINE,
                start_new_session=True,  # so that Ctrl-C reaches only the launcher, which stops them in order
            )
        except OSError as failure:
            raise LaunchError(f"did not start: {failure}") from None
        self._children.add(child)
        assert child.stdout
        lines = asyncio.create_task(relay(name, child.stdout))
        try:
            return await child.wait()
        finally:
            if child.returncode is None:
                send_signal(child, signal.SIGTERM)
                try:
                    async with asyncio.timeout(STOP_SECONDS):
                        await child.wait()
                except TimeoutError:
                    say("run", f"{name} did not stop in {STOP_SECONDS} s and is ended")
                    send_signal(child, signal.SIGKILL)
            await lines
            self._children.discard(child)

    async def _until_ready(self) -> None:
        """Returns when all processes are ready. Raises LaunchError if one ends before that, since starting it again
        would not help."""
        waiting_for = ""

        async def everyone() -> None:
            nonlocal waiting_for
            for process in topology.PROCESSES:
                waiting_for = process.name
                await ready(self._settings.port(process))

        started = asyncio.create_task(everyone())
        await asyncio.wait((started, self._ended_early), timeout=READY_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if self._ended_early.done():
            self._ended_early.result()
        if not started.done():
            raise LaunchError(f"{waiting_for} not ready after {READY_SECONDS} s; the lines above say why")
        self._ended_early.cancel()  # from here on an end is not an early one

    def _announce(self, seconds: float) -> None:
        for process in topology.PROCESSES:
            say("run", f"{process.name:<12} http://localhost:{self._settings.port(process)}")
        url = f"http://localhost:{self._settings.port(topology.by_name('gateway'))}"
        say(
            "run",
            f"ready in {seconds:.1f} s; open GraphiQL at {url}/graphql or the painel at {url}/painel (Ctrl-C stops)",
        )


async def launch(settings: LauncherSettings, held: int, sockets: Mapping[str, Sequence[socket.socket]]) -> None:
    await Launcher(settings, held, sockets).run()


def main() -> int:
    try:
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # a request for a restart that comes too early must not end it
        settings = LauncherSettings.read(os.environ)
        if os.environ.get("PG_BIN"):
            find()
        held = lock(settings.data_dir)
        sockets = {process.name: bind(settings.port(process), process.name) for process in topology.PROCESSES}
        for service in topology.SERVICES:
            sockets[service.name] += bind_path(settings.data_dir / f"{service.name}.socket")
        for one in bind(settings.postgres_port, "postgres", (HOST,)):
            one.close()
        for one in chain.from_iterable(sockets.values()):
            one.listen(1024)
        asyncio.run(launch(settings, held, sockets))
    except (LaunchError, PostgresError) as refused:
        terminal.flush()  # the lines of the processes say why, and must come first
        print(refused, file=sys.stderr)
        return 1
    except (asyncio.CancelledError, KeyboardInterrupt):  # KeyboardInterrupt comes only before anything is started
        say("run", "stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
