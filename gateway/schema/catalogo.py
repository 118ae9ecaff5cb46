"""The part of the schema that catalogo owns: Categoria and Produto."""

from typing import ClassVar

import strawberry

from gateway.schema.connection import Connection, child_connection
from gateway.schema.fields import ServiceCollection, field
from gateway.schema.filters import NomeFilter
from gateway.schema.links import embedded_object
from gateway.schema.solicitacoes import Solicitacao


@strawberry.type(description="Aquilo sobre o que se solicita um serviço.")
class Produto:
    collection: ClassVar = ServiceCollection("catalogo", "/api/produtos/", "o produto", "os produtos")

    id: strawberry.ID = strawberry.field(description="O id, único entre os produtos.")
    nome_produto: str = field("o nome", filter=NomeFilter, order=True, rule=": de 1 a 100 caracteres")
    categoria: "Categoria" = embedded_object("categoria", "a categoria", "A categoria do produto.")
    solicitacoes: Connection[Solicitacao] | None = child_connection("produto_id", "As solicitações sobre este produto.")


@strawberry.type(description="Um grupo de produtos.")
class Categoria:
    collection: ClassVar = ServiceCollection("catalogo", "/api/categorias/", "a categoria", "as categorias")

    id: strawberry.ID = strawberry.field(description="O id, único entre as categorias.")
    nome_categoria: str = field("o nome", filter=NomeFilter, order=True, rule=": de 1 a 100 caracteres")
    produtos: Connection[Produto] | None = child_connection("categoria_id", "Os produtos desta categoria.")
