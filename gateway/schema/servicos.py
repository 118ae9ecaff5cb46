"""The part of the schema that servicos owns: Servico."""

from typing import ClassVar

import strawberry

from gateway.schema.connection import Connection, child_connection
from gateway.schema.fields import ServiceCollection, field
from gateway.schema.filters import NomeFilter
from gateway.schema.solicitacoes import Solicitacao


@strawberry.type(description="O que pode ser solicitado.")
class Servico:
    collection: ClassVar = ServiceCollection("servicos", "/api/servicos/", "o serviço", "os serviços")

    id: strawberry.ID = strawberry.field(description="O id, único entre os serviços.")
    nome_servico: str = field("o nome", filter=NomeFilter, order=True, rule=": de 1 a 100 caracteres")
    solicitacoes: Connection[Solicitacao] | None = child_connection("servico_id", "As solicitações deste serviço.")
