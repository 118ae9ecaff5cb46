"""The rows of pessoa."""

from chassis.db.columns import columns_of
from chassis.db.repository import Repository
from pessoas.models import Pessoa, PessoaPublic


class PessoaRepository(Repository):
    noun = "pessoa"
    label = "pessoa"
    table = source = "pessoa"
    fields, select, row = columns_of(Pessoa, PessoaPublic)
