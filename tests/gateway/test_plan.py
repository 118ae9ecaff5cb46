"""The picture of a plan, as `make plan` prints it."""

import subprocess
import sys

from deploy.local import ROOT


def test_the_plan_of_the_painel_shows_its_four_reads() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "gateway.execution"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout

    reads = [line.strip() for line in shown.splitlines() if ": reads " in line]
    assert [line.partition(":")[0] for line in reads] == ["solicitacoes", "node.pessoa", "node.servico", "node.produto"]
    assert '"categoria":{"id":"%d","nomeCategoria":%b}' in shown, "what a produto holds is part of its text"
