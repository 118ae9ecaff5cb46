"""The rows of solicitacao."""

from datetime import datetime

from chassis.db.filters import Field
from chassis.db.repository import Repository, RowDict


class SolicitacaoRepository(Repository):
    noun = "solicitacao"
    label = "solicitação"
    table = "solicitacao"
    source = "solicitacao"
    select = "id, servico_id, pessoa_id, produto_id, data_solicitacao"
    fields = {
        "id": Field("integer", "id", ordered=True),
        "servico_id": Field("integer", "servico_id", parent=True),
        "pessoa_id": Field("integer", "pessoa_id", parent=True),
        "produto_id": Field("integer", "produto_id", parent=True),
        "data_solicitacao": Field("instant", "data_solicitacao", ordered=True),
    }

    @staticmethod
    def row(id: int, servico_id: int, pessoa_id: int, produto_id: int, data_solicitacao: datetime) -> RowDict:
        return {
            "id": id,
            "servico_id": servico_id,
            "pessoa_id": pessoa_id,
            "produto_id": produto_id,
            "data_solicitacao": data_solicitacao,
        }
