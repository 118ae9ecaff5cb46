"""The rows of pessoa."""

from collections.abc import Mapping
from typing import Any

from chassis.db.filters import Field
from chassis.db.repository import Repository, RowDict
from chassis.text import fold


class PessoaRepository(Repository):
    noun = "pessoa"
    label = "pessoa"
    table = "pessoa"
    source = "pessoa"
    select = "id, nome_pessoa"
    fields = {
        "id": Field("integer", "id", ordered=True),
        "nome_pessoa": Field("name", "nome_pessoa", folded="nome_busca", ordered=True),
    }

    @staticmethod
    def row(id: int, nome_pessoa: str) -> RowDict:
        return {"id": id, "nome_pessoa": nome_pessoa}

    def stored(self, written: Mapping[str, Any]) -> dict[str, Any]:
        return {**written, "nome_busca": fold(written["nome_pessoa"])}
