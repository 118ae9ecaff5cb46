"""The REST routes of servicos."""

from chassis.rest.collection import Collection
from chassis.service import repository_factory
from servicos.models import ServicoPublic, ServicoWrite
from servicos.repository import ServicoRepository

servicos = Collection(
    "/api/servicos/",
    repository_factory(ServicoRepository),
    ServicoRepository,
    public=ServicoPublic,
    write=ServicoWrite,
    example={"id": 1, "nome_servico": "Reparo de Hardware"},
)
