"""A compiled operation: what to read and how to lay it out, decided once, then run on whole pages instead of on fields.

The reference executor visits every field of every row: ten microseconds and more each, and the Painel has twelve
hundred fields per hundred rows. A plan visits every field of the *operation* once and works on columns:

    Painel
      solicitacoes ............ read one page                      1 request
        totalCount, pageInfo .. from the page
        edges.node ............ columns of its rows: id, dataSolicitacao
          pessoa .............. the distinct pessoa_ids, one read   1 request   ┐
          servico ............. the distinct servico_ids, one read  1 request   ├ at the same time
          produto ............. the distinct produto_ids, one read  1 request   ┘
            categoria ......... already in the produto

An object that many rows refer to is laid out once and shared by them all; rows are `dict(zip(keys, values))` over
columns, so that most of the work is done by C. Names: a *selection* is what an operation asks of a type, a *plan* is a
selection compiled, a *column* is one field's values over many rows. `gateway.execution.compiler` makes plans; what it
cannot compile runs on the reference executor, so GraphQL's semantics are always the reference's. A part that fails is
null with an error at its path, as there, and nothing is read twice.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Protocol

from graphql import FieldNode

from chassis.pagination import cursor
from gateway.loaders import Loaders
from gateway.resources import AnyResource
from gateway.rows import Page

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong below a value: where (relative to it), why, and for which field of the document."""

    path: Path
    reason: Exception
    nodes: Sequence[FieldNode]

    def below(self, *steps: str | int) -> "Failure":
        return Failure((*steps, *self.path), self.reason, self.nodes)


@dataclass(slots=True)
class Column:
    """The values of one field over many rows, and what failed, by the row's index."""

    values: list[Any]
    failures: list[tuple[int, Failure]] = field(default_factory=list[tuple[int, Failure]])


@dataclass(slots=True)
class Run:
    """One execution of a plan: what it may read, and the values of its variables."""

    loaders: Loaders
    variables: Any


class Part(Protocol):
    """One selected field, over many rows."""

    async def column(self, rows: Sequence[Any], run: Run) -> Column: ...


@dataclass(frozen=True, slots=True)
class Value:
    """A field that the row holds. Nothing to wait for."""

    of: Callable[[Sequence[Any]], Iterable[Any]]

    async def column(self, rows: Sequence[Any], run: Run) -> Column:
        return Column(list(self.of(rows)))


def attribute(name: str) -> Value:
    """The row's own attribute."""
    get = attrgetter(name)
    return Value(lambda rows: map(get, rows))


def identifier(name: str) -> Value:
    """The row's own attribute, as an `ID`: a string."""
    get = attrgetter(name)
    return Value(lambda rows: map(str, map(get, rows)))


def constant(value: Any) -> Value:
    return Value(lambda rows: [value] * len(rows))


@dataclass(frozen=True, slots=True)
class Objects:
    """The plan of one object type: its selected fields in order, by their response keys."""

    parts: Mapping[str, Part]

    async def column(self, rows: Sequence[Any], run: Run) -> Column:
        """Lays out each row. Fields that must be read are read at the same time."""
        if not rows:
            return Column([])
        columns: dict[str, Column] = {}
        waiting: dict[str, Awaitable[Column]] = {}
        for key, part in self.parts.items():
            if isinstance(part, Value):
                columns[key] = Column(list(part.of(rows)))
            else:
                waiting[key] = part.column(rows, run)
        if waiting:
            columns |= zip(waiting, await asyncio.gather(*waiting.values()), strict=True)
        return _laid_out({key: columns[key] for key in self.parts}, len(rows))


@dataclass(frozen=True, slots=True)
class Embedded:
    """An object that the row already holds."""

    get: Callable[[Any], Any]
    plan: Objects

    async def column(self, rows: Sequence[Any], run: Run) -> Column:
        return await self.plan.column([self.get(row) for row in rows], run)


@dataclass(frozen=True, slots=True)
class Link:
    """A row of another collection, by a key of this one: the distinct keys are read in one go, each laid out once."""

    get: Callable[[Any], int]
    to: AnyResource
    plan: Objects
    nodes: Sequence[FieldNode]

    async def column(self, rows: Sequence[Any], run: Run) -> Column:
        keys = list(map(self.get, rows))
        found, failed = await run.loaders.many(self.to).get(dict.fromkeys(keys))
        there = {key: row for key, row in found.items() if row is not None}
        laid_out = await self.plan.column(list(there.values()), run)
        shared = dict(zip(there, laid_out.values, strict=True))
        below: dict[int, list[Failure]] = {key: [Failure((), why, self.nodes)] for key, why in failed.items()}
        if laid_out.failures:
            ordered = list(there)
            for n, failure in laid_out.failures:
                below.setdefault(ordered[n], []).append(failure)
        column = Column(list(map(shared.get, keys)))
        if below:
            column.failures = [(n, failure) for n, key in enumerate(keys) for failure in below.get(key, ())]
        return column


Asked = Callable[[Run], Awaitable[dict[str, Any]]]
"""A connection's arguments as the services' rich read. Raises what the arguments deserve."""


@dataclass(frozen=True, slots=True)
class Connection:
    """The layout of a connection: its own fields, its edges' and its nodes', over many pages at once."""

    parts: Mapping[str, "ConnectionPart"]

    async def column(self, pages: Sequence[Page[Any]], ordered_by: str, run: Run) -> Column:
        rows = [row for page in pages for row in page.items]
        columns = await asyncio.gather(*(part.over(pages, rows, ordered_by, run) for part in self.parts.values()))
        return _laid_out(dict(zip(self.parts, columns, strict=True)), len(pages))


class ConnectionPart(Protocol):
    """One selected field of a connection, over many pages; `rows` are the rows of all of them."""

    async def over(self, pages: Sequence[Page[Any]], rows: Sequence[Any], ordered_by: str, run: Run) -> Column: ...


@dataclass(frozen=True, slots=True)
class OfPage:
    """A field that the page itself answers: totalCount, pageInfo, __typename."""

    of: Callable[[Page[Any], str], Any]

    async def over(self, pages: Sequence[Page[Any]], rows: Sequence[Any], ordered_by: str, run: Run) -> Column:
        return Column([self.of(page, ordered_by) for page in pages])


@dataclass(frozen=True, slots=True)
class Nodes:
    """`nodes`: the rows of all pages are laid out together, then dealt out to their pages."""

    plan: Objects

    async def over(self, pages: Sequence[Page[Any]], rows: Sequence[Any], ordered_by: str, run: Run) -> Column:
        return _dealt(await self.plan.column(rows, run), pages)


@dataclass(frozen=True, slots=True)
class Edges:
    """`edges`: each key is a plan of the node, or None for the cursor, or a constant in quotes for `__typename`."""

    parts: Mapping[str, Objects | str | None]

    async def over(self, pages: Sequence[Page[Any]], rows: Sequence[Any], ordered_by: str, run: Run) -> Column:
        columns: dict[str, Column] = {}
        for key, part in self.parts.items():
            if part is None:
                value = attrgetter(ordered_by)
                columns[key] = Column([cursor(ordered_by, value(row), row.id) for row in rows])
            elif isinstance(part, str):
                columns[key] = Column([part] * len(rows))
            else:
                columns[key] = await part.column(rows, run)
        return _dealt(_laid_out(columns, len(rows)), pages)


@dataclass(frozen=True, slots=True)
class Below:
    """A connection below a parent: the pages of all parents in one read."""

    field: str
    resource: AnyResource
    asked: Asked
    plan: Connection
    nodes: Sequence[FieldNode]

    async def column(self, rows: Sequence[Any], run: Run) -> Column:
        parents = [row.id for row in rows]
        try:
            query = await self.asked(run)
        except Exception as refused:  # as the reference: whatever a field raises is its error
            failure = Failure((), refused, self.nodes)
            return Column([None] * len(rows), [(n, failure) for n in range(len(rows))])
        found, failed = await run.loaders.pages(self.resource, self.field, query).get(dict.fromkeys(parents))
        pages = await self.plan.column(list(found.values()), query["ordering"].removeprefix("-"), run)
        shared = dict(zip(found, pages.values, strict=True))
        below: dict[int, list[Failure]] = {key: [Failure((), why, self.nodes)] for key, why in failed.items()}
        ordered = list(found)
        for n, failure in pages.failures:
            below.setdefault(ordered[n], []).append(failure)
        values = [shared.get(parent) for parent in parents]
        return Column(values, [(n, failure) for n, key in enumerate(parents) for failure in below.get(key, ())])


@dataclass(frozen=True, slots=True)
class Root:
    """A connection over a whole collection."""

    resource: AnyResource
    asked: Asked
    plan: Connection
    nodes: Sequence[FieldNode]

    async def value(self, run: Run) -> tuple[Any, list[Failure]]:
        query = await self.asked(run)
        page = await run.loaders.page(self.resource, query)
        laid_out = await self.plan.column([page], query["ordering"].removeprefix("-"), run)
        return laid_out.values[0], [failure for _, failure in laid_out.failures]


@dataclass(frozen=True, slots=True)
class Single:
    """One row by its id."""

    resource: AnyResource
    id: Callable[[Run], int]
    plan: Objects
    nodes: Sequence[FieldNode]

    async def value(self, run: Run) -> tuple[Any, list[Failure]]:
        id = self.id(run)
        found, failed = await run.loaders.many(self.resource).get([id])
        if id in failed:
            raise failed[id]
        if found[id] is None:
            return None, []
        laid_out = await self.plan.column([found[id]], run)
        return laid_out.values[0], [failure for _, failure in laid_out.failures]


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole query: its root fields, read at the same time. A `str` is the constant of `__typename`."""

    roots: Mapping[str, Root | Single | str]

    async def run(self, run: Run) -> tuple[dict[str, Any], list[Failure]]:
        """The data, and what failed, with whole paths."""
        found = await asyncio.gather(*(_settled(root, run) for root in self.roots.values()))
        data = {key: value for key, (value, _) in zip(self.roots, found, strict=True)}
        failures = [failure.below(key) for key, (_, below) in zip(self.roots, found, strict=True) for failure in below]
        return data, failures


async def _settled(root: Root | Single | str, run: Run) -> tuple[Any, list[Failure]]:
    """A root field's value; what it raises makes it null."""
    if isinstance(root, str):
        return root, []
    try:
        return await root.value(run)
    except Exception as refused:  # as the reference: whatever a field raises is its error
        return None, [Failure((), refused, root.nodes)]


def _laid_out(columns: Mapping[str, Column], count: int) -> Column:
    """Columns side by side, as `count` objects; what failed in a column failed below its key."""
    keys = tuple(columns)
    lines = zip(*(column.values for column in columns.values()), strict=True)
    values: list[Any] = (
        [dict(zip(keys, line, strict=True)) for line in lines] if columns else [{} for _ in range(count)]
    )
    failures = [(n, failure.below(key)) for key, column in columns.items() for n, failure in column.failures]
    return Column(values, failures)


def _dealt(column: Column, pages: Sequence[Page[Any]]) -> Column:
    """A column over the rows of all pages, as one list for each page."""
    values: list[Any] = []
    starts: list[int] = []
    start = 0
    for page in pages:
        starts.append(start)
        values.append(column.values[start : start + len(page.items)])
        start += len(page.items)
    failures: list[tuple[int, Failure]] = []
    for n, failure in column.failures:
        of = max(index for index, first in enumerate(starts) if first <= n and pages[index].items)
        failures.append((of, failure.below(n - starts[of])))
    return Column(values, failures)
