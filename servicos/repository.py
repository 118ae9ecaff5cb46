"""The rows of servico."""

from chassis.db.columns import columns_of
from chassis.db.repository import Repository
from servicos.models import Servico, ServicoPublic


class ServicoRepository(Repository):
    noun = "servico"
    label = "serviço"
    table = source = "servico"
    fields, select, row = columns_of(Servico, ServicoPublic)
