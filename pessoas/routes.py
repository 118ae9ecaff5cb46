"""The REST routes of pessoas."""

from chassis.rest.collection import Collection
from chassis.service import repository_factory
from pessoas.models import PessoaPublic, PessoaWrite
from pessoas.repository import PessoaRepository

pessoas = Collection(
    "/api/pessoas/",
    repository_factory(PessoaRepository),
    PessoaRepository,
    public=PessoaPublic,
    write=PessoaWrite,
    example={"id": 1, "nome_pessoa": "João Silva"},
)
