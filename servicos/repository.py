"""The rows of servico."""

from collections.abc import Mapping
from typing import Any

from chassis.db.filters import Field
from chassis.db.repository import Repository, RowDict
from chassis.text import fold


class ServicoRepository(Repository):
    noun = "servico"
    label = "serviço"
    table = "servico"
    source = "servico"
    select = "id, nome_servico"
    fields = {
        "id": Field("integer", "id", ordered=True),
        "nome_servico": Field("name", "nome_servico", folded="nome_busca", ordered=True),
    }

    @staticmethod
    def row(id: int, nome_servico: str) -> RowDict:
        return {"id": id, "nome_servico": nome_servico}

    def stored(self, written: Mapping[str, Any]) -> dict[str, Any]:
        return {**written, "nome_busca": fold(written["nome_servico"])}
