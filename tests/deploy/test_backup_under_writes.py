"""A backup that is taken while clients write: whatever was acknowledged before it began can be restored."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.processes import WAIT_SECONDS, eventually
from tests.system import PATIENT_VARIABLES, ROOT, System, free_offset

WRITERS = 4
ENOUGH = 200
"""How many solicitações are acknowledged before the backup begins, and how many more before it may end."""


class Writer(threading.Thread):
    """Creates a pessoa, a produto and a solicitação of both, again and again."""

    def __init__(self, system: System, servico: int, categoria: int) -> None:
        super().__init__()
        self.system, self.servico, self.categoria = system, servico, categoria
        self.acknowledged: list[dict[str, Any]] = []
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.is_set():
            name = f"{len(self.acknowledged)} de {self.name}"
            pessoa = self._created("pessoas", "/api/pessoas/", {"nome_pessoa": name})
            produto = self._created(
                "catalogo", "/api/produtos/", {"nome_produto": name, "categoria_id": self.categoria}
            )
            ids = {"servico_id": self.servico, "pessoa_id": pessoa["id"], "produto_id": produto["id"]}
            self.acknowledged.append(self._created("solicitacoes", "/api/solicitacoes/", ids))

    def _created(self, service: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        status, row = self.system.ask(service, "POST", path, body)
        assert status == 201, row
        return row


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[System]]:
    systems: list[System] = []
    yield systems
    for system in systems:
        if system.launcher.poll() is None:
            system.stop(signal.SIGTERM)


def run(directory: Path, file: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deploy.backup", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=2 * WAIT_SECONDS,
        cwd=ROOT,
        env={**os.environ, "DATA_DIR": str(directory), "FILE": str(file), **variables},
    )


@pytest.mark.system
def test_every_write_acknowledged_before_a_backup_is_there_after_its_restore_and_every_reference_resolves(
    tmp_path: Path, started: list[System]
) -> None:
    directory, file = tmp_path / "data", tmp_path / "archive.zip"
    system = System(directory, free_offset(), demo=0, **PATIENT_VARIABLES)
    started.append(system)
    system.says("ready in")
    _, servico = system.ask("servicos", "POST", "/api/servicos/", {"nome_servico": "Reparo"})
    _, categoria = system.ask("catalogo", "POST", "/api/categorias/", {"nome_categoria": "Computadores"})
    writers = [Writer(system, servico["id"], categoria["id"]) for _ in range(WRITERS)]

    def wait_until_acknowledged(count: int) -> None:
        total = lambda: sum(len(writer.acknowledged) for writer in writers)  # noqa: E731
        eventually(lambda: total() >= count, lambda: f"{count} solicitações are acknowledged, not {total()}")

    for writer in writers:
        writer.start()
    wait_until_acknowledged(ENOUGH)
    before = [row for writer in writers for row in list(writer.acknowledged)]
    backed_up = run(directory, file)
    wait_until_acknowledged(len(before) + ENOUGH)
    for writer in writers:
        writer.ended.set()
        writer.join()
    assert backed_up.returncode == 0, backed_up.stderr

    refused = run(directory, file, "restore", FORCE="1")
    assert refused.returncode == 1
    assert "already runs the system" in refused.stderr
    system.stop(signal.SIGTERM)
    shutil.rmtree(directory)

    restored = run(directory, file, "restore")
    assert restored.returncode == 0, restored.stderr
    system = System(directory, free_offset(), demo=0, **PATIENT_VARIABLES)
    started.append(system)
    system.says("ready in")
    found: dict[int, dict[str, Any]] = {}
    while True:
        after = max(found, default=0)
        query = {"first": 1000, "filter": {"id": {"gt": after}}}
        _, page = system.ask("solicitacoes", "POST", "/api/solicitacoes/query/", query)
        found |= {row["id"]: row for row in page["items"]}
        if not page["has_next"]:
            break
    assert {row["id"] for row in before} <= found.keys()
    assert [found[row["id"]] for row in before] == before
    for service, path, key in (
        ("pessoas", "/api/pessoas/query/", "pessoa_id"),
        ("catalogo", "/api/produtos/query/", "produto_id"),
        ("servicos", "/api/servicos/query/", "servico_id"),
    ):
        ids = sorted({row[key] for row in found.values()})
        _, rows = system.ask(service, "POST", path, {"ids": ids})
        assert [row["id"] for row in rows["items"]] == ids
