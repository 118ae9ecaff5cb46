"""Fields that are one row: links to a row of another collection, objects inside the parent's row, and rows by id.

The resolvers are plain functions that return the loader's future, because a coroutine for each row would need a task
for each row. Loaders batch the reads.
"""

from functools import partial
from typing import Annotated, Any

import strawberry

from gateway.context import Info
from gateway.declarations import EmbeddedObject, LinkByKey, RowById
from gateway.resources import AnyResource
from gateway.schema.scalars import int_id, python_arguments

ById = Annotated[strawberry.ID, strawberry.argument(description="O id.")]


def link(key: str, to: AnyResource, description: str) -> Any:
    """The row of `to` whose id is the parent's `key`; null when it no longer exists."""

    def resolve(root: Any, info: Info) -> Any:
        return info.context.loaders.row(to, getattr(root, key))

    return strawberry.field(resolver=resolve, description=description, metadata={"declaration": LinkByKey(key, to)})


def embedded_object(attribute: str, description: str) -> Any:
    """An object that is part of the parent's row, as its `attribute`."""
    return strawberry.field(description=description, metadata={"declaration": EmbeddedObject(attribute)})


def row_by_id(resource: AnyResource, description: str) -> Any:
    """One row by its id, for the Query type; null when there is none."""
    read = partial(int_id, field="id")
    declared = RowById(resource, read, python_arguments)

    def resolve(root: Any, info: Info, id: ById) -> Any:
        return info.context.loaders.row(resource, read(id))

    return strawberry.field(resolver=resolve, description=description, metadata={"declaration": declared})
