"""A compiled operation: what to read and how to write the answer, decided once, then run on whole pages, not on fields.

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

A column holds JSON text, one piece for each row: what is written once need not become an object first. Each object type
of the operation is a *shape*, a text with gaps (`{"id":%b,"pessoa":%b}`), that a row's pieces fill; objects that are
always there, an edge's node or a produto's categoria, are part of the text around them. A row that many others refer to
is written once and its text shared by them all. So a page of a thousand rows costs a few calls into C for each selected
field, and hardly an object that the garbage collector has to look at.

Names: a *selection* is what an operation asks of a type, a *plan* is a selection compiled, a *part* is one of its
fields, a *column* is one field's values over many rows. `gateway.execution.compiler` makes plans; what it cannot
compile runs on the reference executor, so GraphQL's semantics are always the reference's. A part that fails is null
with an error at its path, as there, and nothing is read twice.
"""

import asyncio
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, repeat
from operator import attrgetter
from typing import Any, Protocol

import orjson
from graphql import FieldNode

from chassis.pagination import cursor
from gateway.loaders import Loaders
from gateway.resources import AnyResource
from gateway.rows import Page

NULL = b"null"
GAP = b"%b"
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
    """The values of one field over many rows, as JSON text, and what failed, by the row's index."""

    values: list[bytes]
    failures: list[tuple[int, Failure]] = field(default_factory=list[tuple[int, Failure]])


@dataclass(slots=True)
class Run:
    """One execution of a plan: what it may read, and the values of its variables."""

    loaders: Loaders
    variables: Any


@dataclass(slots=True)
class Shown:
    """A page as the parts of a connection see it: with the field it is ordered by, which cursors need."""

    page: Page[Any]
    ordered_by: str


# -- fields that a row holds -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Value:
    """A field that nothing need be read for: what fills its gap over many rows, which are in a list ordered by `by`."""

    of: Callable[[Sequence[Any], str], Iterable[Any]]
    gap: bytes = GAP


def attribute(name: str) -> Value:
    """The row's own attribute (`categoria.nome_categoria`: of what it holds)."""
    get = attrgetter(name)
    return Value(lambda rows, _by: map(orjson.dumps, map(get, rows)))


def identifier(name: str) -> Value:
    """The row's own attribute, an integer, as an `ID`: a string."""
    get = attrgetter(name)
    return Value(lambda rows, _by: map(get, rows), gap=b'"%d"')


def place() -> Value:
    """The cursor of each row."""

    def of(rows: Sequence[Any], by: str) -> Iterable[bytes]:
        get = attrgetter(by)
        return [b'"%b"' % cursor(by, get(row), row.id).encode() for row in rows]

    return Value(of)


# -- objects ---------------------------------------------------------------------------------------------------------


class Part(Protocol):
    """A field that must be read for, over many rows."""

    async def column(self, rows: Sequence[Any], run: Run) -> Column: ...


@dataclass(frozen=True, slots=True)
class Gap:
    """What fills one gap of a shape, and where it stands in the object: `("node", "produto")`."""

    part: Value | Part
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """The plan of one object type: its text, with a gap for each field that differs from row to row."""

    text: bytes
    gaps: tuple[Gap, ...]

    async def column(self, rows: Sequence[Any], run: Run, by: str = "") -> Column:
        """Each row's text. Parts that must be read are read at the same time."""
        if not rows:
            return Column([])
        if not self.gaps:
            return Column([self.text] * len(rows))
        pieces: list[Iterable[Any]] = []
        failures: list[tuple[int, Failure]] = []
        columns = iter(
            await together([gap.part.column(rows, run) for gap in self.gaps if not isinstance(gap.part, Value)])
        )
        for gap in self.gaps:
            if isinstance(gap.part, Value):
                pieces.append(gap.part.of(rows, by))
                continue
            column = next(columns)
            pieces.append(column.values)
            failures += [(n, failure.below(*gap.path)) for n, failure in column.failures]
        return Column(list(map(self.text.__mod__, zip(*pieces, strict=True))), failures)


async def together(columns: list[Any]) -> list[Any]:
    """Awaits all of them at the same time; one alone needs no task of its own."""
    if len(columns) > 1:
        return await asyncio.gather(*columns)
    return [await columns[0]] if columns else []


@dataclass(frozen=True, slots=True)
class Link:
    """A row of another collection, by a key of this one: the distinct keys are read in one go, each written once."""

    get: Callable[[Any], int]
    to: AnyResource
    shape: Shape
    nodes: Sequence[FieldNode]

    async def column(self, rows: Sequence[Any], run: Run) -> Column:
        keys = list(map(self.get, rows))
        found = await run.loaders.many(self.to).get(keys)
        there = found.rows
        written = await self.shape.column(list(there.values()), run)
        return _shared(keys, there, written, found.failed, self.nodes)


def _shared(
    keys: Sequence[int],
    there: Mapping[int, Any],
    written: Column,
    failed: Mapping[int, Exception],
    nodes: Sequence[FieldNode],
) -> Column:
    """The texts of what is `there`, for every row by its key; and for every row what failed below its key."""
    texts = dict(zip(there, written.values, strict=True))
    column = Column(list(map(texts.get, keys, repeat(NULL))))
    if failed or written.failures:
        below: dict[int, list[Failure]] = {key: [Failure((), why, nodes)] for key, why in failed.items()}
        order = list(there)
        for n, failure in written.failures:
            below.setdefault(order[n], []).append(failure)
        column.failures = [(n, failure) for n, key in enumerate(keys) for failure in below.get(key, ())]
    return column


# -- connections -----------------------------------------------------------------------------------------------------

Asked = Callable[[Run], Awaitable[dict[str, Any]]]
"""A connection's arguments as the services' rich read. Raises what the arguments deserve."""


def ordered_by(query: Mapping[str, Any]) -> str:
    return query["ordering"].removeprefix("-")


@dataclass(frozen=True, slots=True)
class Items:
    """`nodes` or `edges`: the rows of all pages are written together, then dealt out to their pages."""

    shape: Shape

    async def column(self, rows: Sequence[Shown], run: Run) -> Column:
        column = await self.shape.column([row for shown in rows for row in shown.page.items], run, rows[0].ordered_by)
        starts = [0]
        for shown in rows:
            starts.append(starts[-1] + len(shown.page.items))
        lists = [b"[%b]" % b",".join(column.values[start:end]) for start, end in pairwise(starts)]
        failures: list[tuple[int, Failure]] = []
        for n, failure in column.failures:
            of = bisect_right(starts, n) - 1
            failures.append((of, failure.below(n - starts[of])))
        return Column(lists, failures)


@dataclass(frozen=True, slots=True)
class Below:
    """A connection below a parent: the pages of all parents in one read."""

    field: str
    resource: AnyResource
    parent: Callable[[Any], int]
    asked: Asked
    shape: Shape
    nodes: Sequence[FieldNode]

    async def column(self, rows: Sequence[Any], run: Run) -> Column:
        parents = list(map(self.parent, rows))
        try:
            query = await self.asked(run)
        except Exception as refused:  # as the reference: whatever a field raises is its error
            failure = Failure((), refused, self.nodes)
            return Column([NULL] * len(rows), [(n, failure) for n in range(len(rows))])
        found = await run.loaders.pages(self.resource, self.field, query).get(parents)
        by = ordered_by(query)
        there = {key: Shown(page, by) for key, page in found.rows.items()}
        written = await self.shape.column(list(there.values()), run)
        return _shared(parents, there, written, found.failed, self.nodes)


# -- the operation ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Root:
    """A connection over a whole collection."""

    resource: AnyResource
    asked: Asked
    shape: Shape
    nodes: Sequence[FieldNode]

    async def value(self, run: Run) -> Column:
        query = await self.asked(run)
        page = await run.loaders.page(self.resource, query)
        return await self.shape.column([Shown(page, ordered_by(query))], run)


@dataclass(frozen=True, slots=True)
class Single:
    """One row by its id."""

    resource: AnyResource
    id: Callable[[Run], int]
    shape: Shape
    nodes: Sequence[FieldNode]

    async def value(self, run: Run) -> Column:
        id = self.id(run)
        found = await run.loaders.many(self.resource).get((id,))
        if id in found.failed:
            raise found.failed[id]
        return await self.shape.column([found.rows[id]], run) if id in found.rows else Column([NULL])


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole query: its text, and its root fields, which are read at the same time."""

    text: bytes
    roots: Mapping[str, Root | Single]

    async def run(self, run: Run) -> tuple[bytes, list[Failure]]:
        """The data, as JSON text, and what failed, with whole paths."""
        found = await together([_settled(root, run) for root in self.roots.values()])
        failures = [
            failure.below(key) for key, one in zip(self.roots, found, strict=True) for _, failure in one.failures
        ]
        return self.text % tuple(one.values[0] for one in found), failures


async def _settled(root: Root | Single, run: Run) -> Column:
    """A root field's value; what it raises makes it null."""
    try:
        return await root.value(run)
    except Exception as refused:  # as the reference: whatever a field raises is its error
        return Column([NULL], [(0, Failure((), refused, root.nodes))])
