"""The picture of a plan, as `make plan` prints it."""

import subprocess
import sys
from pathlib import Path

from deploy.local import ROOT


def test_the_plan_of_the_painel_shows_its_four_reads() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "gateway.explain"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout

    reads = [line.strip() for line in shown.splitlines() if ": reads " in line]
    assert [line.partition(":")[0] for line in reads] == ["solicitacoes", "node.pessoa", "node.servico", "node.produto"]
    assert '"categoria":{"id":"%d","nomeCategoria":%b}' in shown, "what a produto holds is part of its text"


def test_the_plan_of_a_mutation_shows_what_each_end_answers(tmp_path: Path) -> None:
    document = tmp_path / "criar.graphql"
    document.write_text("""mutation {
        criarSolicitacao(input: {servicoId: 1, pessoaId: 2, produtoId: 3}) {
            solicitacao { id pessoa { nomePessoa } }
            errors { code }
        }
    }""")

    command = [sys.executable, "-m", "gateway.explain", str(document)]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert [line.strip() for line in shown.splitlines()] == [
        '{"criarSolicitacao":%b}',
        "criarSolicitacao: writes; when it was done",
        '{"solicitacao":{"id":"%d","pessoa":%b},"errors":[]}',
        "solicitacao.pessoa: reads the distinct keys of all rows from pessoas /api/pessoas/, in one go",
        '{"nomePessoa":%b}',
        "criarSolicitacao: when it was refused",
        '{"solicitacao":null,"errors":%b}',
        "errors: each",
        '{"code":%b}',
    ]
