"""The rows of solicitacao."""

from chassis.db.columns import columns_of
from chassis.db.repository import Repository
from solicitacoes.models import Solicitacao, SolicitacaoPublic


class SolicitacaoRepository(Repository):
    noun = "solicitacao"
    label = "solicitação"
    table = source = "solicitacao"
    fields, select, row = columns_of(Solicitacao, SolicitacaoPublic)
