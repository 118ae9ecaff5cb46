"""The launcher, as a person uses it: one command starts everything, and no process is left, however it ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from chassis.db.revisions import head
from deploy import topology
from deploy.local import LauncherSettings
from deploy.postgres import HOST, Cluster, free_ports
from deploy.run_lock import bind
from deploy.terminal import log_variables
from tests.deploy.processes import WAIT_SECONDS, PythonLink, eventually
from tests.release import Release, migrate
from tests.system import System, SystemOnATerminal, command, free_offset, refusal


@pytest.fixture
def offset() -> int:
    """A PORT_OFFSET that moves all ports to free ones."""
    return free_offset()


@pytest.fixture
def systems() -> Iterator[list[System]]:
    """The systems that a test has started; those that still run at its end are ended."""
    started: list[System] = []
    yield started
    for system in started:
        if system.launcher.poll() is None:
            system.launcher.kill()
            system.launcher.wait()


def test_on_a_terminal_the_logs_are_text_in_colours(directory: Path, offset: int, systems: list[System]) -> None:
    system = SystemOnATerminal(directory, offset, demo=0)
    systems.append(system)
    system.says("ready in")

    system.ask("pessoas", "GET", "/api/pessoas/")
    system.says("GET /api/pessoas/")

    [line] = [line for line in system.said if "GET /api/pessoas/" in line]
    assert "\033[" in line
    shown = re.sub(r"\033\[\d+m", "", line)
    assert re.fullmatch(
        r"pessoas      \| \d\d:\d\d:\d\d\.\d{3} INFO    http GET /api/pessoas/ status=200 .*trace_id=[0-9a-f]{32}",
        shown,
    )
    assert system.stop(signal.SIGINT) == 0


def test_the_form_of_logs_that_the_environment_asks_for_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("LOG_FORMAT", "text")
    assert log_variables() == {"LOG_FORMAT": "text"}

    monkeypatch.setenv("LOG_FORMAT", "")
    assert log_variables() == {"LOG_FORMAT": "json"}


def test_a_killed_service_comes_back_and_ctrl_c_stops_everything(
    directory: Path, offset: int, systems: list[System], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = PythonLink(tmp_path, monkeypatch)
    system = System(directory, offset, demo=0)
    systems.append(system)
    system.says(f"http://localhost:{8000 + offset}/graphql")
    assert system.ask("pessoas", "GET", "/api/pessoas/") == (200, [])
    assert system.process("gateway").environ()["NEIGHBOUR_CONNECTIONS"] == "64"
    system.says('pessoas      | {"time":"')  # whoever reads a pipe gets JSON

    killed = system.process("pessoas")
    killed.kill()
    system.says("pessoas was ended by SIGKILL; starting it again in 0.1 s")
    assert system.ask("pessoas", "GET", "/api/pessoas/") == (200, [])  # the socket was open all the time
    assert system.process("pessoas") != killed

    with python.missing():
        system.process("pessoas").kill()
        system.says("pessoas did not start: [Errno 2]")
    assert system.ask("pessoas", "GET", "/api/pessoas/") == (200, [])

    assert system.stop(signal.SIGINT) == 0
    system.says("stopped")
    assert system.said[-1].endswith("stopped")


def test_a_run_answers_to_localhost_and_to_the_names_that_it_is_given(
    directory: Path, offset: int, systems: list[System]
) -> None:
    system = System(directory, offset, demo=0, ALLOWED_HOSTS="app.example.com")
    systems.append(system)
    system.says("ready in")

    def status(host: str) -> int:
        connection = HTTPConnection(HOST, 8000 + offset, timeout=WAIT_SECONDS)
        connection.request("GET", "/health/ready", headers={"Host": host})
        return connection.getresponse().status

    assert [status(host) for host in ("localhost", "app.example.com", HOST, "evil.test")] == [200, 200, 200, 421]


@pytest.mark.parametrize(
    ("variables", "calls"),
    [
        ({}, 64),
        ({"MAX_CONCURRENCY": "12"}, 4),
        ({"NEIGHBOUR_CONNECTIONS": "5"}, 5),
        ({"NEIGHBOUR_CONNECTIONS": "500"}, 64),
        ({"NEIGHBOUR_CONNECTIONS": "500", "MAX_CONCURRENCY_PER_ADDRESS": "300", "AUTH_MODE": "jwt"}, 150),
    ],
    ids=str,
)
def test_the_two_callers_of_a_service_fit_into_what_one_address_may_have_there(
    variables: dict[str, str], calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert LauncherSettings.read(os.environ).neighbour_connections == calls


def test_a_launcher_that_nobody_reads_holds_up_nobody_and_stops(
    directory: Path, offset: int, systems: list[System]
) -> None:
    system = System(directory, offset, demo=0)
    systems.append(system)
    system.says("ready in")
    long = "x" * 40_000
    with system.terminal.paused():
        for n in range(100):
            for process in topology.PROCESSES:
                assert system.ask(process.name, "GET", f"/{n}/{long}")[0] == 404
        assert system.terminal.unread
        assert system.ask("pessoas", "GET", "/api/pessoas/") == (200, [])
    system.says("lines are left out, since nobody read this")
    whole = re.compile(r"\w+ +\| ({.*}|\(here \d+ lines are left out, since nobody read this\))")
    told = [line for line in system.said if long in line or "left out" in line]
    assert all(map(whole.fullmatch, told))

    with system.terminal.paused():
        for n in range(10):
            system.ask("pessoas", "GET", f"/{n}/{long}")
        assert system.stop(signal.SIGINT) == 0


def test_a_killed_launcher_leaves_no_process_and_loses_no_data(
    directory: Path, offset: int, systems: list[System]
) -> None:
    system = System(directory, offset, demo=1)
    systems.append(system)
    system.says("loaded 5,770 rows of demo data")
    system.says("ready in")
    assert system.ask("pessoas", "POST", "/api/pessoas/", {"nome_pessoa": "Zoé"})[0] == 201
    second = refusal(DATA_DIR=directory, PORT_OFFSET=offset)
    assert second.count("\n") == 1
    assert f"process {system.launcher.pid} already runs" in second
    system.stop(signal.SIGKILL)

    system = System(directory, offset, demo=1)
    systems.append(system)
    system.says("ready in")
    assert not any("demo" in line for line in system.said)
    _, pessoas = system.ask("pessoas", "GET", "/api/pessoas/?ordering=-id&page_size=2")
    assert [pessoa["id"] for pessoa in pessoas] == [501, 500]
    assert pessoas[0]["nome_pessoa"] == "Zoé"

    postmaster = int((directory / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])
    os.kill(postmaster, signal.SIGKILL)
    system.says("postgres ended with exit code 137; starting it again")
    eventually(
        lambda: system.ask("pessoas", "GET", "/api/pessoas/501/")[0] == 200, lambda: "pessoas has its database again"
    )

    assert system.stop(signal.SIGTERM) == 0


def test_a_process_that_cannot_start_stops_everything_and_is_named(
    directory: Path, offset: int, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import os\nif 'DATABASE_URL' in os.environ:\n    os.write(1, b'it cannot start')\n    os._exit(1)\n"
    )
    launcher = subprocess.Popen(
        **command(DATA_DIR=directory, PORT_OFFSET=offset, DEMO=0, PYTHONPATH=tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, line = launcher.communicate(timeout=WAIT_SECONDS)
    assert launcher.returncode == 1
    assert "it cannot start" in out
    assert "ended with exit code 1 before everything was ready" in line
    assert line.count("\n") == 1
    assert not (directory / "postgres" / "postmaster.pid").exists()


@pytest.mark.parametrize("name", [*(process.name for process in topology.PROCESSES), "postgres"])
def test_a_taken_port_is_one_line_that_says_what_to_do(directory: Path, offset: int, name: str) -> None:
    taken = offset + (topology.POSTGRES_PORT if name == "postgres" else topology.by_name(name).port)
    listen = f"import socket, time; one = socket.create_server(('{HOST}', {taken})); print(flush=True); time.sleep(600)"
    other = subprocess.Popen([sys.executable, "-c", listen], stdout=subprocess.PIPE)
    assert other.stdout
    other.stdout.readline()
    line = refusal(DATA_DIR=directory, PORT_OFFSET=offset)
    other.kill()
    other.wait()
    assert line.count("\n") == 1
    assert f"port {taken} for {name} cannot be used" in line
    assert f"stop process {other.pid} ({sys.executable} -c import socket, time; " in line
    assert "PORT_OFFSET" in line


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("WORKERS", "many"),
        ("DATABASE_POOL_SIZE", "0"),
        ("NEIGHBOUR_QUEUE", "-1"),
        ("INTROSPECTION", "perhaps"),
        ("PG_BIN", "/nowhere"),
        ("PORT_OFFSET", "one"),
        ("PORT_OFFSET", "-1"),
        ("PORT_OFFSET", "24763"),
        ("DEMO", "perhaps"),
        ("LOG_LEVEL", "loud"),
        ("DATA_DIR", "/dev/null"),
    ],
)
def test_a_malformed_variable_is_one_line_that_names_it(directory: Path, variable: str, value: str) -> None:
    line = refusal(**{"DATA_DIR": directory, variable: value})
    assert line.startswith(variable)
    assert value in line
    assert line.count("\n") == 1
    assert not (directory / "lock").exists()


def test_a_run_starts_with_its_defaults_where_variables_are_empty_and_answers_on_all_that_localhost_is(
    directory: Path, offset: int, systems: list[System]
) -> None:
    empty = ("WORKERS", "LOG_LEVEL", "DATABASE_POOL_SIZE", "MAX_COST", "ALLOWED_HOSTS", "AUTH_MODE", "PG_BIN")
    system = System(directory, offset, demo=0, **dict.fromkeys(empty, ""))
    systems.append(system)
    system.says("ready in")

    for process in topology.PROCESSES:
        for address in addresses():
            connection = HTTPConnection(address, process.port + offset, timeout=WAIT_SECONDS)
            connection.request("GET", "/health/ready", headers={"Host": "localhost"})
            assert connection.getresponse().status == 200


def addresses() -> list[str]:
    """The loopback addresses of this machine."""
    with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        return [HOST, "::1"]
    return [HOST]


@pytest.mark.skipif(len(addresses()) == 1, reason="this machine has no IPv6")
def test_a_port_that_is_taken_on_the_other_address_of_localhost_is_refused_too(directory: Path, offset: int) -> None:
    with socket.create_server(("::1", 8001 + offset), family=socket.AF_INET6):
        line = refusal(DATA_DIR=directory, PORT_OFFSET=offset)
    assert f"port {8001 + offset} for catalogo cannot be used" in line


def test_on_a_machine_without_ipv6_the_ports_are_bound_all_the_same(offset: int) -> None:
    absent = "2001:db8::1"  # no address of this machine, as ::1 is none of a machine without IPv6
    [bound] = bind(8001 + offset, "catalogo", (HOST, absent))
    assert bound.getsockname() == (HOST, 8001 + offset)
    bound.close()


def test_interrupted_before_there_is_anything_to_stop_it_ends_without_a_traceback(directory: Path, offset: int) -> None:
    directory.mkdir()
    with (directory / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        waiting = subprocess.Popen(
            **command(DATA_DIR=directory, PORT_OFFSET=offset), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        opened = psutil.Process(waiting.pid).open_files
        eventually(lambda: any(one.path.endswith("lock") for one in opened()), lambda: "it waits for the lock")
        waiting.send_signal(signal.SIGINT)
        said, _ = waiting.communicate(timeout=WAIT_SECONDS)

    assert "Traceback" not in said
    assert said.endswith("stopped\n")
    assert waiting.returncode == 0


def test_a_lost_or_changed_password_is_said_with_what_heals_it(
    directory: Path, offset: int, systems: list[System]
) -> None:
    with Cluster(directory, free_ports(), durable=False) as cluster:
        cluster.create_database("pessoas")
    secret = directory / "postgres" / "secret"
    for change in (lambda: secret.write_text("another"), secret.unlink):
        change()
        broken = System(directory, offset, demo=0)
        systems.append(broken)
        assert broken.launcher.wait(WAIT_SECONDS) == 1
        broken.says("set the password anew with `.venv/bin/python -m deploy.reset_password`")
        assert "deploy.reset_password" in broken.said[-1]
        assert [line for line in broken.said if "Traceback" in line] == []

        assert reset_password(directory) == (
            0,
            f"the password is set anew in {directory}: `make run` starts the system\n",
        )

    system = System(directory, offset, demo=0)
    systems.append(system)
    system.says("ready in")
    code, said = reset_password(directory)
    assert (code, said.count("\n")) == (1, 1)
    assert "already runs the system" in said


def test_new_passwords_open_the_same_data_and_the_old_ones_nothing(
    directory: Path, offset: int, systems: list[System]
) -> None:
    with Cluster(directory, free_ports(), durable=False) as cluster:
        old = cluster.create_database("pessoas")
        with psycopg.connect(old) as connection:
            connection.execute("CREATE TABLE memory AS SELECT 'Conceição' AS name")

    assert reset_password(directory, "--new")[0] == 0

    with Cluster(directory, cluster.port, durable=False) as cluster:
        new = cluster.create_database("pessoas")
        with psycopg.connect(new) as connection:
            assert connection.execute("TABLE memory").fetchall() == [("Conceição",)]
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(old)
    system = System(directory, offset, demo=0)
    systems.append(system)
    system.says("ready in")


def reset_password(directory: Path, *options: str) -> tuple[int, str]:
    """The exit code and the output."""
    arguments: dict[str, Any] = command(DATA_DIR=directory)
    arguments["args"] = [sys.executable, "-m", "deploy.reset_password", *options]
    running = subprocess.Popen(**arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said, _ = running.communicate(timeout=WAIT_SECONDS)
    return running.returncode, said


def test_a_deploy_that_was_rolled_back_runs_on_the_newer_database_if_that_allows_it(
    directory: Path, offset: int, systems: list[System], tmp_path: Path
) -> None:
    now = head("pessoas")
    later = f"{int(now) + 1:04d}"

    def migrate_by_a_later_release(oldest_code: str) -> None:
        release = Release(tmp_path / oldest_code)
        release.add(later, "ALTER TABLE pessoa ADD COLUMN IF NOT EXISTS email text", oldest_code)
        with Cluster(directory, free_ports(), durable=False) as cluster:
            url = cluster.create_database("pessoas")
            with psycopg.connect(url) as connection:
                connection.execute("UPDATE alembic_version SET version_num = %s", [now])
            step = migrate(release.directory, url)
            assert (step.communicate(timeout=WAIT_SECONDS)[1], step.returncode) == ("", 0)

    system = System(directory, offset, demo=0)
    systems.append(system)
    system.says("ready in")
    system.stop(signal.SIGTERM)

    migrate_by_a_later_release(oldest_code=now)
    system = System(directory, offset, demo=0)
    systems.append(system)
    system.says(f"WARNING: pessoas: the database is at revision {later}, newer than this code at {now}")
    system.says("ready in")
    assert system.ask("pessoas", "POST", "/api/pessoas/", {"nome_pessoa": "Ana"})[0] == 201
    system.stop(signal.SIGTERM)

    migrate_by_a_later_release(oldest_code=later)
    system = System(directory, offset, demo=0)
    systems.append(system)
    system.says("migrate ended with exit code 1")
    assert system.launcher.wait(WAIT_SECONDS) == 1
    assert [line for line in system.said if "Traceback" in line] == []
    assert any(f"this code is at {now}: run newer code" in line for line in system.said)
