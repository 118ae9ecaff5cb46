"""`make service`: the names that it refuses, and the word for one row. tests/house/test_added_service.py follows a good
name to the running service."""

from __future__ import annotations

import subprocess
import sys

import pytest

from deploy.local import ROOT
from deploy.new_service import RefusedName, check, singular, with_service
from deploy.topology import SERVICES


@pytest.mark.parametrize(
    ("plural", "one"),
    [
        ("fornecedores", "fornecedor"),
        ("avaliacoes", "avaliacao"),
        ("pessoas", "pessoa"),
        ("canais", "canal"),
        ("paes", "pao"),
        ("vezes", "vez"),
        ("viagens", "viagem"),
        ("clientes", "cliente"),
        ("meses", "mes"),
    ],
)
def test_the_word_for_one_follows_from_the_plural(plural: str, one: str) -> None:
    assert singular(plural) == one


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Fornecedores", "small letters"),
        ("serviços", "small letters"),
        ("notas_fiscais", "small letters"),
        ("../fora", "small letters"),
        ("", "small letters"),
        ("fornecedor", "no plural"),
        ("pessoas", "there is a service pessoas already"),
        ("produtos", "the gateway has a type Produto already"),
        ("erros", "the gateway has a type Erro already"),
        ("filters", "gateway/schema/filters.py exists already"),
        ("docs", "docs exists already"),
        ("types", "types is the name of an installed Python module"),
    ],
)
def test_a_name_that_cannot_be_a_service_is_refused_and_nothing_is_written(name: str, why: str) -> None:
    with pytest.raises(RefusedName, match=why):
        check(name)


def test_a_refusal_is_one_line() -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "deploy.new_service", "pessoas"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert (refused.returncode, refused.stderr) == (1, "there is a service pessoas already\n")


def test_the_new_line_of_the_table_comes_after_all_others() -> None:
    table = with_service((ROOT / "deploy" / "topology.py").read_text(), "fornecedores", 8006)
    found: dict[str, object] = {"__name__": "deploy.topology"}
    exec(compile(table, "topology.py", "exec"), found)

    assert [one.name for one in found["SERVICES"]] == [*(one.name for one in SERVICES), "fornecedores"]  # pyright: ignore
