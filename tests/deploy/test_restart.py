"""A rolling restart, as a person starts it: new processes serve, and no request fails meanwhile."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import psutil
import psycopg
import pytest
from psycopg import sql

from deploy import topology
from deploy.local import ROOT
from deploy.postgres import HOST, Cluster
from tests.deploy.processes import WAIT_SECONDS, all_end, eventually
from tests.deploy.traffic import Traffic, restart_under_traffic
from tests.system import System, command

pytestmark = pytest.mark.system  # it restarts the whole system again and again


def asking(directory: Path, offset: int) -> dict[str, Any]:
    """Arguments for `subprocess` that ask for a restart of the system on `directory`."""
    return command(DATA_DIR=directory, PORT_OFFSET=offset) | {"args": [sys.executable, "-m", "deploy.restart"]}


async def restart(system: System) -> None:
    asked = asking(system.directory, system.offset)
    running = await asyncio.create_subprocess_exec(*asked["args"], cwd=ROOT, env=asked["env"])
    assert await running.wait() == 0


def pids(system: System) -> dict[str, int]:
    return {process.name: system.process(process.name).pid for process in topology.PROCESSES}


def lost_or_doubled(system: System, traffic: Traffic) -> set[str]:
    """The acknowledged writes that are not there exactly once."""
    found: list[str] = []
    origin = f"http://{HOST}:{topology.by_name('pessoas').port + system.offset}"
    path: str | None = "/api/pessoas/?search=pessoa-&page_size=1000"
    while path:
        answer = httpx2.get(f"{origin}{path}", timeout=WAIT_SECONDS)
        assert answer.status_code == 200, answer.text
        found += [row["nome_pessoa"] for row in answer.json()]
        path = answer.links["next"]["url"] if "next" in answer.links else None
    return {name for name in traffic.acknowledged if found.count(name) != 1}


async def test_a_rolling_restart_under_traffic_fails_no_request_and_loses_no_write(system: System) -> None:
    before, postmaster = pids(system), (system.directory / "postgres" / "postmaster.pid").read_text()

    traffic = await restart_under_traffic(system.offset, lambda: restart(system))

    after = pids(system)
    assert all(before[name] != after[name] for name in before)
    assert (system.directory / "postgres" / "postmaster.pid").read_text() == postmaster
    assert traffic.failures == []
    assert len(traffic.acknowledged) > 50
    assert lost_or_doubled(system, traffic) == set()


def test_a_new_process_that_does_not_become_ready_leaves_the_old_one_serving(system: System) -> None:
    old = system.process("pessoas")
    asked = subprocess.Popen(**asking(system.directory, system.offset), stdout=subprocess.PIPE)
    new: list[psutil.Process] = []

    def appears() -> bool:
        new[:] = [process for process in system.processes("pessoas") if process != old]
        return bool(new)

    eventually(appears, lambda: "a new pessoas starts")
    new[0].kill()
    said, _ = asked.communicate(timeout=WAIT_SECONDS)

    assert asked.returncode == 1
    assert "catalogo has a new process" in said
    assert said.splitlines()[-1].startswith("not restarted: the new pessoas was ended by SIGKILL")
    all_end(new)
    assert system.process("pessoas") == old
    assert system.ask("pessoas", "GET", "/api/pessoas/1/")[0] == 200


def test_a_password_that_was_changed_is_refused_in_one_line(system: System) -> None:
    serving, url = pids(system), Cluster(system.directory, topology.POSTGRES_PORT + system.offset).url("servicos")
    with psycopg.connect(url, autocommit=True) as connection:
        change = sql.SQL("ALTER ROLE servicos PASSWORD {}")
        connection.execute(change.format("another"))
        refused = subprocess.Popen(
            **asking(system.directory, system.offset), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        said, _ = refused.communicate(timeout=WAIT_SECONDS)
        connection.execute(change.format(connection.info.password))

    assert refused.returncode == 1
    assert said.count("\n") == 1
    assert said.startswith("not restarted: PostgreSQL's role 'servicos' no longer has the password that ")
    assert "end `make run` and start it again" in said
    assert pids(system) == serving


def test_without_a_running_system_there_is_nothing_to_restart(tmp_path: Path) -> None:
    refused = subprocess.Popen(**asking(tmp_path, 0), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, line = refused.communicate(timeout=WAIT_SECONDS)

    assert (refused.returncode, out) == (1, "")
    assert line == f"nothing runs on DATA_DIR {tmp_path}: start the system with `make run`\n"
