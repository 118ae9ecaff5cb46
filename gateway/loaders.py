"""One set of dataloaders per request: the ids of one tick become one bulk read.

A loader answers in key order, `None` for what does not exist. Keys are read at most `MAX_IDS` at a time.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from aiodataloader import DataLoader

from chassis.pagination import MAX_IDS, MAX_PARENTS
from chassis.remote import Remote
from gateway.resources import AnyResource, Resource
from gateway.rows import Group, Groups, Ids, Items, Page

R = TypeVar("R")
Query = Mapping[str, Any]


class ById(DataLoader[int, Any]):
    """Rows of one resource by id."""

    max_batch_size = MAX_IDS

    def __init__(self, remote: Remote, resource: AnyResource) -> None:
        super().__init__()
        self._remote, self._resource = remote, resource
        self._decode = msgspec.json.Decoder(Items[resource.row]).decode

    async def batch_load_fn(self, keys: list[int]) -> list[Any]:
        found = await self._remote.read("POST", self._resource.path + "query/", self._decode, {"ids": keys})
        rows = {row.id: row for row in found.items}
        return [rows.get(key) for key in keys]


class PerParent(DataLoader[int, Any]):
    """One page of rows for each parent, top-n in one read."""

    max_batch_size = MAX_PARENTS

    def __init__(self, remote: Remote, resource: AnyResource, field: str, query: Query) -> None:
        super().__init__()
        self._remote, self._resource, self._field, self._query = remote, resource, field, query
        self._decode = msgspec.json.Decoder(Groups[resource.row]).decode

    async def batch_load_fn(self, keys: list[int]) -> list[Any]:
        body = {**self._query, "per": {"field": self._field, "ids": keys}}
        found = await self._remote.read("POST", self._resource.path + "query/", self._decode, body)
        groups: dict[int, Group[Any]] = {group.id: group for group in found.groups}
        return [groups[key] for key in keys]


class Loaders:
    """Everything one request reads. `remotes` are the services by name."""

    def __init__(self, remotes: Mapping[str, Remote]) -> None:
        self._remotes = remotes
        self._by_id: dict[str, ById] = {}
        self._per_parent: dict[tuple[str, str, str], PerParent] = {}

    def one(self, resource: Resource[R], id: int) -> asyncio.Future[R | None]:
        """The row `id`, or None; a future, so that a plain resolver can return it."""
        loader = self._by_id.get(resource.path)
        if loader is None:
            loader = self._by_id[resource.path] = ById(self.remote(resource), resource)
        return loader.load(id)

    def children(self, resource: Resource[R], field: str, parent: int, query: Query) -> asyncio.Future[Page[R]]:
        """The page of rows whose `field` is `parent`."""
        key = (resource.path, field, json.dumps(query, sort_keys=True))
        loader = self._per_parent.get(key)
        if loader is None:
            loader = self._per_parent[key] = PerParent(self.remote(resource), resource, field, query)
        return loader.load(parent)

    async def page(self, resource: Resource[R], query: Query) -> Page[R]:
        """One page of a collection."""
        decode = msgspec.json.Decoder(Page[resource.row]).decode
        return await self.remote(resource).read("POST", resource.path + "query/", decode, query)

    async def ids(self, resource: AnyResource, filter: Query) -> Ids:
        """The ids that match a filter, at most `MAX_IDS`."""
        body = {"select": "ids", "filter": filter}
        decode = msgspec.json.Decoder(Ids).decode
        return await self.remote(resource).read("POST", resource.path + "query/", decode, body)

    def remote(self, resource: AnyResource) -> Remote:
        return self._remotes[resource.service]

    def forget(self) -> None:
        """After a write: what was read before may no longer be true."""
        self._by_id.clear()
        self._per_parent.clear()
