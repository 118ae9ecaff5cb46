"""A process reads its environment once, and stops with one line that names what is wrong."""

import os
import subprocess
import sys

import pytest

from deploy.local import ROOT

GOOD = {
    "DATABASE_URL": "postgresql://u:p@localhost:1/x",
    "CATALOGO_URL": "http://localhost:1",
    "PESSOAS_URL": "http://localhost:2",
    "SERVICOS_URL": "http://localhost:3",
    "SOLICITACOES_URL": "http://localhost:4",
    "PORT": "19999",
}


@pytest.mark.parametrize(
    ("process", "variable", "value"),
    [
        ("pessoas", "DATABASE_URL", None),
        ("pessoas", "DATABASE_URL", "mysql://localhost/x"),
        ("pessoas", "LOG_LEVEL", "loud"),
        ("pessoas", "PORT", "http"),
        ("solicitacoes", "CATALOGO_URL", None),
        ("gateway", "PESSOAS_URL", "localhost"),
        ("gateway", "SOLICITACOES_URL", None),
    ],
)
def test_a_missing_or_malformed_variable_stops_the_process_with_one_line_that_names_it(
    process: str, variable: str, value: str | None
) -> None:
    environment = {**os.environ, **GOOD} | ({variable: value} if value else {})
    if value is None:
        del environment[variable]

    stopped = subprocess.run(
        [sys.executable, "-m", "chassis.serve", process],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert stopped.returncode == 1
    assert stopped.stderr.count("\n") == 1
    assert stopped.stderr.startswith(f"configuration error: {variable}: ")
