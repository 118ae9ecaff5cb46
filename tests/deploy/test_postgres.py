"""The private PostgreSQL: who may connect, what data survives, and that no process is left running."""

from __future__ import annotations

import itertools
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import psycopg
import pytest

from deploy import postgres
from deploy.postgres import AS_NOBODY, Cluster, PostgresError, free_ports
from tests.deploy.processes import all_end, eventually, family

NAMES = ("catalogo", "pessoas", "servicos")

HOLD_A_CLUSTER = """
import sys, time
from pathlib import Path
from deploy.postgres import Cluster
cluster = Cluster(Path(sys.argv[1]), int(sys.argv[2]))
cluster.start()
cluster.create_database("pessoas")
print("ready", flush=True)
time.sleep(600)
"""


def server(directory: Path) -> psutil.Process:
    """PostgreSQL's main process."""
    return psutil.Process(int((directory / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0]))


def remember(cluster: Cluster, text: str) -> None:
    with psycopg.connect(cluster.url("pessoas")) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS memory (text text)")
        connection.execute("INSERT INTO memory VALUES (%s)", (text,))


def remembered(cluster: Cluster) -> list[str]:
    with psycopg.connect(cluster.url("pessoas")) as connection:
        return [text for (text,) in connection.execute("SELECT text FROM memory ORDER BY text")]


def test_a_role_connects_to_its_own_database_and_to_no_other(cluster: Cluster) -> None:
    cluster.create_databases(*NAMES)
    for name in NAMES:
        with psycopg.connect(cluster.url(name)) as connection:
            connection.execute("CREATE TABLE mine (id bigint)")
    for role, database in itertools.permutations(NAMES, 2):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(cluster.url(role), dbname=database)
    for role, database in itertools.product(NAMES, ("postgres", "template1")):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(cluster.url(role), dbname=database)


def test_no_password_opens_nothing(cluster: Cluster) -> None:
    url = cluster.create_database("pessoas")
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(url, password="guess")
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(url, user="postgres", password="postgres", dbname="postgres")


def test_it_listens_on_loopback_only(cluster: Cluster, directory: Path) -> None:
    sockets = server(directory).net_connections()
    listening = [connection.laddr for connection in sockets if connection.status == "LISTEN"]
    assert [(address.ip, address.port) for address in listening] == [("127.0.0.1", cluster.port)]


def test_the_secret_that_passwords_derive_from_is_private(cluster: Cluster, directory: Path) -> None:
    cluster.create_database("pessoas")
    assert stat.S_IMODE((directory / "postgres" / "secret").stat().st_mode) == 0o600
    assert stat.S_IMODE((directory / "postgres").stat().st_mode) == 0o700
    assert [path.name for path in directory.iterdir()] == ["postgres"]


def test_data_survives_a_stop_and_a_second_stop_does_nothing(cluster: Cluster) -> None:
    cluster.create_database("pessoas")
    remember(cluster, "Conceição")
    cluster.stop()
    cluster.stop()
    cluster.start()
    cluster.create_database("pessoas")
    assert remembered(cluster) == ["Conceição"]


def test_variables_of_the_person_who_starts_it_change_nothing(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PGPORT": "1", "PGSSLMODE": "require", "PGDATA": "/nowhere", "LC_ALL": "xx_XX"}.items():
        monkeypatch.setenv(name, value)
    with Cluster(directory, free_ports(), durable=False) as cluster:
        cluster.create_database("pessoas")


def test_an_initialisation_that_was_interrupted_starts_over(directory: Path) -> None:
    (directory / "postgres.new").mkdir(parents=True)
    (directory / "postgres.new" / "PG_VERSION").write_text("half")
    with Cluster(directory, free_ports(), durable=False) as cluster:
        cluster.create_database("pessoas")
    assert [path.name for path in directory.iterdir()] == ["postgres"]


def test_sigkill_of_its_holder_leaves_no_process_and_loses_no_commit(directory: Path) -> None:
    port = free_ports()
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_A_CLUSTER, str(directory), str(port)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout
    assert holder.stdout.readline() == "ready\n"
    cluster = Cluster(directory, port, durable=False)
    remember(cluster, "committed")
    everything = family(holder.pid)
    holder.kill()
    holder.wait()
    all_end(everything)
    with cluster:
        assert remembered(cluster) == ["committed"]


def test_a_server_whose_watchdog_was_killed_is_stopped_by_the_next_start(cluster: Cluster, directory: Path) -> None:
    cluster.create_database("pessoas")
    remember(cluster, "before")
    orphan = server(directory)
    watchdog = orphan.parent()
    assert watchdog
    watchdog.kill()
    cluster.wait()
    assert not cluster.running
    cluster.start()
    all_end([orphan])
    assert remembered(cluster) == ["before"]


def test_a_server_that_was_killed_starts_again_over_its_stale_pid_file(cluster: Cluster, directory: Path) -> None:
    cluster.create_database("pessoas")
    remember(cluster, "before")
    killed = server(directory)
    others = killed.children()
    killed.kill()
    assert cluster.wait() == 128 + signal.SIGKILL
    all_end(others)  # until then they have its shared memory, and no other server may start
    pid_file = directory / "postgres" / "postmaster.pid"
    assert pid_file.read_text().startswith(f"{killed.pid}\n")
    # By now another process may have that id, as after a reboot; here it is the process of this test.
    pid_file.write_text(pid_file.read_text().replace(str(killed.pid), str(os.getpid()), 1))
    cluster.start()
    assert remembered(cluster) == ["before"]


def test_kill_is_quick_and_loses_no_commit(cluster: Cluster) -> None:
    cluster.create_database("pessoas")
    remember(cluster, "before")
    cluster.kill()
    eventually(lambda: not cluster.running, lambda: "PostgreSQL ends")
    cluster.start()
    assert remembered(cluster) == ["before"]


def test_where_no_postgresql_is_the_message_says_what_to_do(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PG_BIN", str(directory))
    with pytest.raises(PostgresError, match=r"PG_BIN does not name .*lacks postgres.*unset it"):
        Cluster(directory, free_ports()).start()


def test_data_of_another_major_version_is_not_touched(directory: Path) -> None:
    (directory / "postgres").mkdir(parents=True)
    (directory / "postgres" / "PG_VERSION").write_text("9\n")
    with pytest.raises(PostgresError, match="PostgreSQL 9 was not found"):
        Cluster(directory, free_ports()).start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root must become somebody else")
def test_root_runs_it_as_nobody_either_way_and_may_change_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"  # like /root, which the user nobody may not enter
    closed.mkdir(mode=0o700)
    for prefix in (*AS_NOBODY, *AS_NOBODY):
        monkeypatch.setattr(postgres, "AS_NOBODY", (prefix,))
        with Cluster(closed / "data", free_ports(), durable=False) as cluster:
            cluster.create_database("pessoas")
            remember(cluster, prefix[0])
            assert prefix[0] in remembered(cluster)
