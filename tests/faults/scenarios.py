"""The faults, each as a small function that causes the fault for a while and returns when the cause has ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import httpx2
import psutil

from deploy.local import ROOT
from deploy.postgres import HOST
from tests.faults import proxy
from tests.faults.journal import PESSOA, PRODUTO, SERVICO
from tests.faults.live import CUT_CLIENTS, SLOW_CLIENTS
from tests.faults.proxy import Proxy, Treatment
from tests.faults.stage import PROCESSES, SERVICES, Stage, until
from tests.faults.verdict import Fault
from tests.scraped import parsed

Cause = Callable[[Stage], Awaitable[None]]


@dataclass(frozen=True)
class Scenario:
    """With `far`, the load goes to the gateway that reaches the services through proxies. With `flawless`, no request
    may fail."""

    name: str
    cause: Cause
    fault: Fault
    far: bool = False
    flawless: bool = False


# -- processes -------------------------------------------------------------------------------------------------


IN_FLIGHT = 0.2
"""Seconds for which a process is stopped before it is killed, so that requests and statements are under way in it."""


async def killed(stage: Stage, *names: str) -> None:
    """kill -9; the launcher starts them again."""
    with stage.frozen([stage.system.process(name) for name in names]):
        await asyncio.sleep(IN_FLIGHT)
        for name in names:
            stage.kill(name)
    for name in names:
        await stage.ready(stage.port(name))


async def stopped(stage: Stage, *names: str, seconds: float) -> None:
    """SIGSTOP: connections are still accepted, but nothing is answered."""
    with stage.frozen([stage.system.process(name) for name in names]):
        await asyncio.sleep(seconds)


async def gateway_killed_mid_mutation(stage: Stage) -> None:
    """The gateway is killed while the second of an operation's three writes hangs; the client then sends the operation
    again with the same key."""
    writes = [stage.journal.create(kind) for kind in (SERVICO, PESSOA, PRODUTO)]
    servico, pessoa, produto = (write.becomes[0] for write in writes if write.becomes)
    operation = f"""mutation {{
      w0: criarServico(input: {{nomeServico: "{servico}"}}) {{ row: servico {{ id }} }}
      w1: criarPessoa(input: {{nomePessoa: "{pessoa}"}}) {{ row: pessoa {{ id }} }}
      w2: criarProduto(input: {{nomeProduto: "{produto}", categoriaId: 1}}) {{ row: produto {{ id }} }} }}"""

    async def acknowledged(client: httpx2.AsyncClient) -> bool:
        try:
            url, key = f"http://{HOST}:{stage.port('gateway')}/graphql", {"Idempotency-Key": writes[0].key}
            answer = (await client.post(url, json={"query": operation}, headers=key)).json()
        except (httpx2.TransportError, ValueError):
            return False
        if "errors" in answer:
            return False
        for n, write in enumerate(writes):
            write.done(answer["data"][f"w{n}"]["row"])
        return True

    async def first_is_done() -> bool:
        async with await stage.connect("servicos") as connection:
            found = await connection.execute("SELECT FROM servico WHERE nome_servico = %s", [servico])
            return found.rowcount == 1

    async with httpx2.AsyncClient(trust_env=False, timeout=10) as client:
        with stage.frozen([stage.system.process("pessoas")]):
            first = asyncio.create_task(acknowledged(client))
            await until(first_is_done, "the first write is done")
            stage.kill("gateway")
            assert not await first, "the gateway was to be killed before it answers"
        await stage.ready(stage.port("gateway"))
        await until(lambda: acknowledged(client), "the operation is acknowledged")


async def clients_hang_up(stage: Stage, seconds: float = 3) -> None:
    """Clients send a write, or half of one, and hang up before the answer."""
    until_when = time.monotonic() + seconds
    while time.monotonic() < until_when:
        for part in (0.5, 1):
            write = stage.journal.create(PESSOA, "")
            for port, body in (
                (stage.port("pessoas"), write.body),
                (stage.port("gateway"), {"query": "{ pessoas(first: 1000) { nodes { nomePessoa } } }"}),
            ):
                path = write.path if port == stage.port("pessoas") else "/graphql"
                content = json.dumps(body).encode()
                head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                head += f"Content-Length: {len(content)}\r\n\r\n"
                _, writer = await asyncio.open_connection(HOST, port)
                writer.write(head.encode() + content[: int(len(content) * part)])
                await writer.drain()
                await asyncio.sleep(0.005)
                writer.transport.abort()
        await asyncio.sleep(0.1)


async def rolling_restart(stage: Stage, seconds: float) -> None:
    """Every process is replaced by a new one, one after the other, again and again, at least twice."""
    until_when, restarts = time.monotonic() + seconds, 0
    while time.monotonic() < until_when or restarts < 2:
        restarts += 1
        restarting = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "deploy.restart"), cwd=ROOT, env=stage.variables, stdout=asyncio.subprocess.DEVNULL
        )
        assert await restarting.wait() == 0


async def logs_unread(stage: Stage, seconds: float = 60) -> None:
    """Nobody reads the output of the launcher and of the far gateway, as after Ctrl-S: both pipes are full all the
    time, and the processes write far more than may wait. Afterwards every line must be complete, and the missing ones
    must be reported and counted."""
    listeners = (stage.system.terminal, stage.far_log)
    health = [f"http://{HOST}:{port}/health/live" for port in (stage.far_gateway, *map(stage.port, PROCESSES))]
    before = len(stage.far_log.said)
    async with httpx2.AsyncClient(trust_env=False, timeout=5) as client:
        with stage.system.terminal.paused(), stage.far_log.paused():
            until_when = time.monotonic() + seconds
            for n in range(100):
                for port in (stage.far_gateway, *map(stage.port, PROCESSES)):
                    assert (await client.get(f"http://{HOST}:{port}/{n}/{'x' * 40_000}")).status_code == 404
            unread = [one.unread for one in listeners]
            while time.monotonic() < until_when:
                answers = await asyncio.gather(*map(client.get, health))
                assert all(answer.status_code == 200 for answer in answers)
                await asyncio.sleep(0.5)
            assert all(unread), "nothing was left unread, so nothing was tried"
            assert unread == [one.unread for one in listeners], "the pipes were not full"

        async def told() -> bool:
            found = [json.loads(line) for line in list(stage.far_log.said)[before:]]
            dropped = sum(line["lines"] for line in found if line["message"] == "log lines dropped")
            counted = await client.get(f"http://{HOST}:{stage.far_gateway}/metrics")
            launcher = any("left out" in line for line in list(stage.system.said))
            return launcher and dropped > 0 and f"log_lines_dropped_total {dropped:.1f}\n" in counted.text

        await until(told, "launcher and gateway tell how many lines are missing")


# -- PostgreSQL ------------------------------------------------------------------------------------------------


async def database_killed(stage: Stage) -> None:
    """kill -9 of every process of PostgreSQL; the launcher starts it again, and it replays its log."""
    async with await stage.connect("pessoas") as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            [(value,)] = await (await connection.execute(f"SHOW {setting}")).fetchall()  # pyright: ignore
            assert value == "on", f"{setting} is {value}: a commit would not survive a power cut"
    processes = stage.postgres()
    with stage.frozen(processes):
        await asyncio.sleep(IN_FLIGHT)
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
    for process in processes:
        await stage.ended(process)
    await stage.database_is_back()


async def database_frozen(stage: Stage, seconds: float = 5) -> None:
    """SIGSTOP of every process of PostgreSQL."""
    with stage.frozen(stage.postgres()):
        await asyncio.sleep(seconds)


async def connections_terminated(stage: Stage, seconds: float = 3) -> None:
    """pg_terminate_backend of every connection of every service, four times a second."""
    until_when, ended = time.monotonic() + seconds, 0
    while time.monotonic() < until_when:
        for name in SERVICES:
            async with await stage.connect(name) as connection:
                terminated = await connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"
                )
                ended += terminated.rowcount
        await asyncio.sleep(0.25)
    assert ended > len(SERVICES), "the services had no connections that could be ended"


async def table_locked(stage: Stage, seconds: float = 4) -> None:
    """Somebody else locks a table, and every connection of the pool waits for it."""
    async with await stage.connect("pessoas") as connection, connection.transaction():
        await connection.execute("LOCK TABLE pessoa IN ACCESS EXCLUSIVE MODE")
        await asyncio.sleep(seconds)


async def rows_held(stage: Stage, seconds: float = 4) -> None:
    """A long transaction holds the rows that the load wants to change."""
    async with await stage.connect("servicos") as connection, connection.transaction():
        held = await connection.execute("SELECT FROM servico WHERE id > 50 FOR UPDATE")
        assert held.rowcount, "there are no rows of the load to hold"
        await asyncio.sleep(seconds)


async def disk_full(stage: Stage, seconds: float = 4) -> None:
    """The file system of the databases has no free space."""
    filler = stage.directory / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for size in (2**20, 2**12, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * size)
    await asyncio.sleep(seconds)
    filler.unlink()


# -- between processes -----------------------------------------------------------------------------------------


async def treated(stage: Stage, make: Callable[[], Treatment], *names: str, seconds: float = 4) -> None:
    """The proxies in front of some services disturb the exchanges."""
    before = stage.spoiled
    for name in names:
        stage.proxies[name].treat = make()
    await asyncio.sleep(seconds)
    assert stage.spoiled > before, "nothing was spoiled, so nothing was tried"
    stage.make_peace()


async def refused(stage: Stage, seconds: float = 4) -> None:
    """For a tenth of the time the proxies in front of the services do not listen; their connections are then closed
    too."""

    async def flap(one: Proxy) -> None:
        until_when = time.monotonic() + seconds
        while time.monotonic() < until_when:
            try:
                await one.close()
                await asyncio.sleep(0.02)
            finally:  # whoever runs the scenario may end it early
                await one.listen()
            await asyncio.sleep(0.18)

    before = stage.spoiled
    await asyncio.gather(*map(flap, stage.proxies.values()))
    assert stage.spoiled > before, "no connection was cut, so nothing was tried"


async def followers_cut(stage: Stage, seconds: float = 4) -> None:
    """The connections of those who follow the changes are cut within an answer or an event, ten times a second."""
    until_when = time.monotonic() + seconds
    while time.monotonic() < until_when:
        for tunnel in stage.tunnels.values():
            tunnel.cut()
        await asyncio.sleep(0.1)
    assert all(tunnel.spoiled for tunnel in stage.tunnels.values()), "no connection was cut, so nothing was tried"


CHANGED = (
    ("pessoas", "pessoa", "nome_pessoa"),
    ("servicos", "servico", "nome_servico"),
    ("catalogo", "produto", "nome_produto"),
    ("solicitacoes", "solicitacao", "produto_id"),
)
"""A column of each table of which there is a live query."""


async def live_clients_cut(stage: Stage, times: int) -> None:
    """The connections of clients of live queries are cut within an event, until they have subscribed again so often."""
    until_when, enough = time.monotonic() + 120, stage.live.opened + times
    async with contextlib.AsyncExitStack() as stack:
        connections = {name: await stack.enter_async_context(await stage.connect(name)) for name in SERVICES}
        while stage.live.opened < enough:
            assert time.monotonic() < until_when, f"they have not subscribed {times} times"
            everybody, patience = stage.live.opened + CUT_CLIENTS, time.monotonic() + 2
            stage.gateway_tunnel.cut()
            for service, table, column in CHANGED:  # an event for each of them, within which it is cut
                await connections[service].execute(f"UPDATE {table} SET {column} = {column} WHERE id = 1".encode())
            while stage.live.opened < everybody and time.monotonic() < patience:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def live_clients_do_not_read(stage: Stage) -> None:
    """Some clients of live queries read nothing while others change many rows, until the gateway has ended their
    subscriptions. When they read again, they find from where to go on."""
    found = stage.live.told_to_go_on
    before = found["LIMIT_EXCEEDED"]

    async def ended(client: httpx2.AsyncClient) -> float:
        metrics = await client.get(f"http://{HOST}:{stage.port('gateway')}/metrics")
        return parsed(metrics).value("graphql_subscriptions_ended_total", code="LIMIT_EXCEEDED")

    async with httpx2.AsyncClient(trust_env=False, timeout=10) as client, await stage.connect("pessoas") as connection:
        wanted = await ended(client) + SLOW_CLIENTS
        stage.live.reading.clear()
        try:
            until_when = time.monotonic() + 20
            while await ended(client) < wanted:
                assert time.monotonic() < until_when, "nobody was too slow"
                await connection.execute("UPDATE pessoa SET nome_pessoa = nome_pessoa WHERE id <= 500")
        finally:
            stage.live.reading.set()

    async def told() -> bool:
        return found["LIMIT_EXCEEDED"] >= before + SLOW_CLIENTS

    await until(told, "the slow clients are told from where to go on")


# -- all of them -----------------------------------------------------------------------------------------------


def fault(*hurts: str, down: Iterable[str] = (), reads_go_on: bool = False) -> Fault:
    return Fault(frozenset(hurts), frozenset(down), reads_go_on)


def beyond_proxies() -> list[Scenario]:
    everyone, pessoas = fault(*SERVICES), fault("pessoas")
    cases: list[tuple[str, Callable[[], Treatment], tuple[str, ...], Fault]] = [
        ("10 % of answers lost after the commit", lambda: proxy.loses_answers(0.1), SERVICES, everyone),
        ("first answer to every write lost after the commit", proxy.loses_first_answers, SERVICES, everyone),
        ("pessoas answers 3 s late", lambda: proxy.slow(3), ("pessoas",), pessoas),
        ("pessoas answers garbage", proxy.babbles, ("pessoas",), pessoas),
        ("pessoas answers half", lambda: proxy.truncates, ("pessoas",), pessoas),
        ("pessoas answers a byte at a time", lambda: proxy.drips, ("pessoas",), pessoas),
        ("pessoas answers without end", lambda: proxy.floods, ("pessoas",), pessoas),
    ]
    found = [Scenario(name, _with(treated, make, *names), what, far=True) for name, make, names, what in cases]
    return [
        *found,
        Scenario("10 % of connections refused", refused, everyone, far=True),
        Scenario("followers' connections cut, 10 times a second", followers_cut, fault(), flawless=True),
        live_cut(1000),
        Scenario("clients of live queries do not read", live_clients_do_not_read, fault(), flawless=True),
    ]


def live_cut(times: int) -> Scenario:
    name = f"connections of live queries cut, {times:,} times"
    return Scenario(name, _with(live_clients_cut, times), fault(), flawless=True)


def _with(cause: Callable[..., Awaitable[None]], *arguments: Any, **more: Any) -> Cause:
    return lambda stage: cause(stage, *arguments, **more)


def on_processes() -> list[Scenario]:
    return [
        *(Scenario(f"kill -9 of {name}", _with(killed, name), fault(name, down=[name])) for name in SERVICES),
        Scenario("kill -9 of the gateway", _with(killed, "gateway"), fault(down=["gateway"])),
        *(
            Scenario(f"STOP of {name} for 5 s", _with(stopped, name, seconds=5), fault(name, down=[name]))
            for name in SERVICES
        ),
        Scenario(
            "STOP of the gateway for 5 s",
            _with(stopped, "gateway", seconds=5),
            Fault(down=frozenset({"gateway"}), overdue=True),
        ),
        Scenario("kill -9 of all four services", _with(killed, *SERVICES), fault(*SERVICES, down=SERVICES)),
        Scenario(
            "STOP of all four services for 5 s",
            _with(stopped, *SERVICES, seconds=5),
            fault(*SERVICES, down=SERVICES),
        ),
        Scenario(
            "gateway killed mid-mutation",
            gateway_killed_mid_mutation,
            fault("pessoas", down=["gateway", "pessoas"]),
        ),
        Scenario("clients hang up", clients_hang_up, fault(), flawless=True),
        Scenario("logs unread for 60 s, two pipes full", logs_unread, fault(), far=True, flawless=True),
    ]


def on_postgres() -> list[Scenario]:
    everyone = fault(*SERVICES)
    return [
        Scenario("kill -9 of PostgreSQL", database_killed, everyone),
        Scenario("PostgreSQL frozen for 5 s", database_frozen, everyone),
        Scenario("database connections terminated, 4 times a second", connections_terminated, everyone),
        Scenario("pool exhausted: the table pessoa locked for 4 s", table_locked, fault("pessoas")),
        Scenario("rows of servicos held for 4 s", rows_held, fault("servicos", reads_go_on=True)),
    ]


def everywhere() -> list[Scenario]:
    """All scenarios that need only a system."""
    return [*on_processes(), *on_postgres(), *beyond_proxies()]


NOTHING = Scenario("nothing", lambda _: asyncio.sleep(1), fault(), flawless=True)
DISK_FULL = Scenario("disk full for 4 s", disk_full, fault(*SERVICES, reads_go_on=True))


def rolling(requests: int, rate: float) -> Scenario:
    name = f"rolling restart, {requests:,} requests"
    return Scenario(name, _with(rolling_restart, seconds=requests / rate), Fault(drains=True), flawless=True)
