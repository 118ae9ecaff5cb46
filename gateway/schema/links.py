"""Fields that are one row: links to a row of another collection, objects inside the parent's row, and rows by id.

The resolvers are plain functions that return the loader's future, because a coroutine for each row would need a task
for each row. Loaders batch the reads.
"""

from functools import partial
from typing import Annotated, Any

import strawberry

from gateway.context import Info
from gateway.declarations import EmbeddedObject, LinkByKey, RowById
from gateway.rows import int_id
from gateway.schema.fields import collection_of, resource_of, target_of
from gateway.schema.scalars import python_arguments
from gateway.schema.words import sentence, words

ById = Annotated[strawberry.ID, strawberry.argument(description="O id.")]


def link(key: str, noun: str, **options: Any) -> Any:
    """The row of another collection whose id is the parent's `key`; null when it no longer exists.

    The type of the row is the field's own. Filters can have conditions on the row. `noun` names it: `a pessoa`.
    `options` are those of `strawberry.field`, such as `permission_classes`.
    """
    declared = LinkByKey(key, lambda: resource_of(target_of(made)))

    def resolve(root: Any, info: Info) -> Any:
        return info.context.loaders.row(declared.resource, getattr(root, key))

    made = strawberry.field(
        resolver=resolve,
        description=sentence(f"{noun}; null se já não existe"),
        metadata={"declaration": declared, "noun": noun},
        **options,
    )
    return made


def embedded_object(attribute: str, noun: str, description: str, **options: Any) -> Any:
    """An object that is part of the parent's row, as its `attribute`. Clients write its id, and filter by both."""
    metadata = {"declaration": EmbeddedObject(attribute), "noun": noun}
    return strawberry.field(description=description, metadata=metadata, **options)


def row_by_id(kind: type) -> Any:
    """One row of a resource by its id, for the Query type; null when there is none."""
    resource, read = resource_of(kind), partial(int_id, field="id")

    def resolve(root: Any, info: Info, id: ById) -> Any:
        return info.context.loaders.row(resource, read(id))

    return strawberry.field(
        resolver=resolve,
        description=sentence(f"{words(collection_of(kind).one).one} pelo id; null se não existe"),
        metadata={"declaration": RowById(resource, read, python_arguments)},
    )
