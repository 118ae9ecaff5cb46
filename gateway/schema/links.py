"""Links: fields that are rows of another collection, by a key of their parent. Declared once, batched always.

Resolvers here are plain functions that return the loader's future: a coroutine per row would cost a task each.
"""

from functools import partial
from typing import Annotated, Any

import strawberry

from gateway.context import Info
from gateway.declarations import EmbeddedObject, LinkByKey
from gateway.declarations import RowById as PlanById
from gateway.resources import AnyResource
from gateway.schema.scalars import int_id, python_arguments

ById = Annotated[strawberry.ID, strawberry.argument(description="O id.")]


def link(key: str, to: AnyResource, description: str) -> Any:
    """The row of `to` whose id is the parent's `key`; null when it no longer exists."""

    def resolve(root: Any, info: Info) -> Any:
        return info.context.loaders.one(to, getattr(root, key))

    return strawberry.field(resolver=resolve, description=description, metadata={"declaration": LinkByKey(key, to)})


def embedded(attribute: str, description: str) -> Any:
    """A row that its parent's row already holds."""
    return strawberry.field(description=description, metadata={"declaration": EmbeddedObject(attribute)})


def by_id(resource: AnyResource, description: str) -> Any:
    """One row by its id, for the Query type; null when there is none."""
    read = partial(int_id, field="id")
    declared = PlanById(resource, read, python_arguments)

    def resolve(root: Any, info: Info, id: ById) -> Any:
        return info.context.loaders.one(resource, read(id))

    return strawberry.field(resolver=resolve, description=description, metadata={"declaration": declared})
