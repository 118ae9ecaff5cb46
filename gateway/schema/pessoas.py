"""The part of the schema that pessoas owns: Pessoa."""

from typing import ClassVar

import strawberry

from gateway.schema.connection import Connection, child_connection
from gateway.schema.fields import ServiceCollection, field
from gateway.schema.filters import NomeFilter
from gateway.schema.solicitacoes import Solicitacao


@strawberry.type(description="Quem solicita serviços.")
class Pessoa:
    collection: ClassVar = ServiceCollection("pessoas", "/api/pessoas/", "a pessoa", "as pessoas")

    id: strawberry.ID = strawberry.field(description="O id, único entre as pessoas.")
    nome_pessoa: str = field("o nome", filter=NomeFilter, order=True, rule=": de 1 a 100 caracteres")
    solicitacoes: Connection[Solicitacao] | None = child_connection("pessoa_id", "O que esta pessoa solicitou.")
