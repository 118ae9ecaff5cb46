"""The subscriptions of a resource: `pessoaMudou` tells each change of a pessoa. `gateway.live` executes them."""

from collections.abc import Mapping
from enum import Enum
from functools import cache, partial
from typing import Annotated, Any, NoReturn, cast

import strawberry
from strawberry import UNSET
from strawberry import argument as described
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField

from gateway.declarations import ChangedRow, ChangesOf, LinkByKey
from gateway.names import snake
from gateway.rows import int_id
from gateway.schema.fields import collection_of, fields_of, made_type, resource_of
from gateway.schema.filters import filter_of, rest_filter
from gateway.schema.scalars import python_arguments
from gateway.schema.words import sentence, words


@strawberry.enum(description="O que aconteceu com o que mudou.")
class Operacao(Enum):
    """The values are those of the services' feeds."""

    CRIADA = strawberry.enum_value("created", description="Passou a existir.")
    ATUALIZADA = strawberry.enum_value("updated", description="Os seus campos mudaram.")
    EXCLUIDA = strawberry.enum_value("deleted", description="Já não existe.")


@strawberry.type
class Mudanca:
    cursor: str = strawberry.field(description="O lugar desta mudança; dado em apos, continua-se depois dela.")
    operacao: Operacao = strawberry.field(description="O que aconteceu.")
    id: strawberry.ID = strawberry.field(description="O id do que mudou.")


AFTER = "Um cursor ou uma posicao: antes, o que mudou desde então. Sem ele, só o que mudar daqui em diante."


@cache
def subscriptions(kind: type) -> Mapping[str, tuple[Any, Any]]:
    """The field of `Subscription` for a resource.

    It has a filter if the rows link to others: then one watches what belongs to one of those.
    """
    one = words(collection_of(kind).one)
    arguments: dict[str, Any] = {
        "id": Annotated[strawberry.ID | None, described(description=f"Só as mudanças {one.of_the} com este id.")]
    }
    if any(isinstance(field.metadata.get("declaration"), LinkByKey) for field in fields_of(kind)):
        matching = "Só o que satisfaz isto. O que muda e não satisfaz vem nulo: se aparecia, já não aparece."
        arguments["filter"] = Annotated[cast("Any", filter_of(kind)) | None, described(description=matching)]
    arguments["apos"] = Annotated[str | None, described(description=AFTER)]
    # The feed calls a row by the name of its table, which is what SQLModel makes of the class's name.
    noun, read = kind.__name__.lower(), partial(int_id, field="id")
    made = cast(
        "StrawberryField",
        strawberry.subscription(
            resolver=_not_called,
            description=sentence(f"cada mudança de {one.one}, na ordem em que aconteceram"),
            metadata={"declaration": ChangesOf(resource_of(kind), noun, read, rest_filter, python_arguments)},
        ),
    )
    made.arguments = [
        StrawberryArgument(name, None, StrawberryAnnotation(annotation), default=UNSET)
        for name, annotation in arguments.items()
    ]
    return {f"{snake(kind.__name__)}_mudou": (_change_type(kind), made)}


def _change_type(kind: type) -> Any:
    """`PessoaMudanca`."""
    one = words(collection_of(kind).one)
    row = strawberry.field(
        resolver=_changed_row,
        description=sentence(f"{one.the} como está agora; null se já não existe ou não satisfaz o filtro"),
        metadata={"declaration": ChangedRow()},
    )
    made = made_type(f"{kind.__name__}Mudanca", {snake(kind.__name__): (cast("Any", kind) | None, row)}, Mudanca)
    return strawberry.type(made, description=f"Uma mudança de {one.one}.")


def _changed_row(root: Any) -> Any:
    return root.row


def _not_called(root: Any) -> NoReturn:
    raise TypeError("subscriptions are executed by gateway.live")
