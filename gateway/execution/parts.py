"""The parts of a plan: shapes of objects, and the fields of them that must be read for. The idea is in
`gateway.execution.plan`.
"""

import asyncio
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from typing import Any, Protocol

from graphql import FieldNode

from gateway.context import Context
from gateway.errors import MOST_SHOWN
from gateway.execution.layout import COLUMN, EMPTY, NULL, OrderedPage, Value, Write, distinct, every, writer
from gateway.loaders import Rows
from gateway.resources import AnyResource

Path = tuple[str | int, ...]
ENOUGH = MOST_SHOWN + 1
"""Failures of one answer that are worth following: one more than are shown."""


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
class Texts:
    """The same of what many rows refer to: the values by their keys."""

    values: dict[int, bytes]
    failures: list[tuple[int, Failure]] = field(default_factory=list[tuple[int, Failure]])


@dataclass(slots=True)
class Run:
    """One execution of a plan: what it may read and write through, and the values of its variables."""

    context: Context
    variables: Any
    often: frozenset[str]
    """Paths of the resources that more than one part reads by id: those reads are put together."""


# -- objects ---------------------------------------------------------------------------------------------------------

LinkRead = Callable[[], Awaitable[Column | Texts]]
"""What has been asked for: waits for it, and writes it."""


class PlanPart(Protocol):
    """A field that must be read for, over many rows."""

    @property
    def expression(self) -> str:
        """Where a row finds its value in the column."""
        ...

    @property
    def deep(self) -> bool:
        """Whether it reads more when its first answer is there."""
        ...

    def ask(self, rows: Sequence[Any], run: Run) -> LinkRead:
        """Begins to read; what can be asked at once is on its way when this returns."""
        ...


@dataclass(frozen=True, slots=True)
class Gap:
    """What fills one gap of a shape, and where it stands in the object: `("node", "produto")`."""

    part: Value | PlanPart
    path: tuple[str, ...]


class ObjectShape:
    """The plan of one object type: its text, with a gap for each field that differs from row to row."""

    def __init__(self, text: bytes, gaps: tuple[Gap, ...]) -> None:
        self.text, self.gaps = text, gaps
        self._expressions = tuple(gap.part.expression for gap in gaps)
        self._write: Write = writer(self._expressions)
        self._parts = [(gap.part, gap.path) for gap in gaps if not isinstance(gap.part, Value)]
        self._in_turn = len(self._parts) == 1 or not any(part.deep for part, _ in self._parts)
        self.reads = bool(self._parts)
        """Whether anything must be read to write it."""

    def write(self, rows: Sequence[Any], by: str = "") -> Column:
        """Each row's text, of a shape that reads nothing."""
        return Column(self._write(self.text, rows, by))

    def by_id(self, rows: Sequence[Any]) -> dict[int, bytes]:
        """The same by the rows' ids."""
        return writer(self._expressions, by_id=True)(self.text, rows, "")

    async def column(self, rows: Sequence[Any], run: Run, by: str = "") -> Column:
        """Each row's text. Parts that must be read are read at the same time."""
        if not rows:
            return Column([])
        if not self.reads:
            return self.write(rows, by)
        asked = [part.ask(rows, run) for part, _ in self._parts]
        if self._in_turn:
            # All are on their way: who only writes when his answer is there needs no task to wait in. What was asked
            # for last is the likeliest to come last: after it, the others are there, and nobody need be woken again.
            columns = [await one() for one in reversed(asked)][::-1]
        else:
            columns = await asyncio.gather(*[one() for one in asked])
        column = Column(self._write(self.text, rows, by, *[one.values for one in columns]))
        for one, (_, path) in zip(columns, self._parts, strict=True):
            for n, failure in one.failures[: ENOUGH - len(column.failures)]:
                column.failures.append((n, failure.below(*path)))
        return column


class Link:
    """A row of another collection, by a key of this one: the distinct keys are read in one go, each written once."""

    def __init__(self, key: str, to: AnyResource, shape: ObjectShape, nodes: Sequence[FieldNode]) -> None:
        self.to, self.shape, self._nodes = to, shape, nodes
        self.expression = f"{COLUMN}[row.{key}]"
        self.deep = shape.reads
        self._keys, self._distinct = every(key), distinct(key)

    def ask(self, rows: Sequence[Any], run: Run) -> LinkRead:
        keys = self._distinct(rows)
        reading = run.context.loaders.rows(self.to, keys, alone=self.to.path not in run.often)

        async def column() -> Texts:
            try:
                found = await reading
            except Exception as failure:  # whatever it is, it is these rows' error
                found = Rows([], dict.fromkeys(keys, failure))
            there = found.items
            if self.deep or found.failed:  # then what failed must find its rows
                written = await self.shape.column(there, run)
                return _by_key(keys, IDS(there), written, found.failed, lambda: self._keys(rows), self._nodes)
            texts = self.shape.by_id(there)
            if len(texts) < len(keys):
                for key in keys.difference(texts):
                    texts[key] = NULL
            return Texts(texts)

        return column


IDS = every("id")


def _by_key(
    asked: set[int],
    there: Sequence[int],
    written: Column,
    failed: Mapping[int, Exception],
    keys: Callable[[], Sequence[int]],
    nodes: Sequence[FieldNode],
) -> Texts:
    """The texts of what is `there` of what was asked for; and what failed, for each row by its key."""
    texts = Texts(dict.fromkeys(asked, NULL))
    texts.values.update(zip(there, written.values, strict=True))
    if failed or written.failures:
        below: dict[int, list[Failure]] = {key: [Failure((), why, nodes)] for key, why in failed.items()}
        for n, failure in written.failures:
            below.setdefault(there[n], []).append(failure)
        each = ((n, failure) for n, key in enumerate(keys()) for failure in below.get(key, ()))
        texts.failures = list(islice(each, ENOUGH))
    return texts


# -- connections -----------------------------------------------------------------------------------------------------

Arguments = Callable[[Run], Awaitable[dict[str, Any]]]
"""A connection's arguments as the services' rich read. Raises what the arguments deserve."""


def ordered_by(query: Mapping[str, Any]) -> str:
    return query["ordering"].removeprefix("-")


@dataclass(frozen=True, slots=True)
class Items:
    """`nodes` or `edges`: the rows of all pages are written together, then dealt out to their pages."""

    shape: ObjectShape

    @property
    def expression(self) -> str:
        return COLUMN

    @property
    def deep(self) -> bool:
        return self.shape.reads

    def ask(self, rows: Sequence[OrderedPage], run: Run) -> LinkRead:
        async def column() -> Column:
            by = rows[0].ordered_by
            if len(rows) == 1:
                written = await self.shape.column(rows[0].page.items, run, by)
                return Column([_list(written.values)], [(0, failure.below(n)) for n, failure in written.failures])
            written = await self.shape.column([row for shown in rows for row in shown.page.items], run, by)
            starts = [0]
            for shown in rows:
                starts.append(starts[-1] + len(shown.page.items))
            column = Column([_list(written.values[start:end]) for start, end in pairwise(starts)])
            for n, failure in written.failures:
                of = bisect_right(starts, n) - 1
                column.failures.append((of, failure.below(n - starts[of])))
            return column

        return column


def _list(texts: list[bytes]) -> bytes:
    """A JSON array. It may be long: its brackets are put to its ends, so that the whole is copied once."""
    if not texts:
        return EMPTY
    texts[0] = b"[" + texts[0]
    texts[-1] += b"]"
    return b",".join(texts)


@dataclass(frozen=True, slots=True)
class ChildConnection:
    """A connection below a parent: the pages of all parents in one read."""

    field: str
    resource: AnyResource
    parent: str
    arguments: Arguments
    shape: ObjectShape
    nodes: Sequence[FieldNode]

    @property
    def expression(self) -> str:
        return f"{COLUMN}[row.{self.parent}]"

    @property
    def deep(self) -> bool:
        return True

    def ask(self, rows: Sequence[Any], run: Run) -> LinkRead:
        async def column() -> Texts:
            parents = distinct(self.parent)(rows)
            try:
                query = await self.arguments(run)
            except Exception as refused:  # as the reference: whatever a field raises is its error
                failure = Failure((), refused, self.nodes)
                return Texts(dict.fromkeys(parents, NULL), [(n, failure) for n in range(min(len(rows), ENOUGH))])
            found = await run.context.loaders.pages(self.resource, self.field, query).get(parents)
            by = ordered_by(query)
            written = await self.shape.column([OrderedPage(page, by) for page in found.rows.values()], run)
            there = list(found.rows)
            return _by_key(parents, there, written, found.failed, lambda: every(self.parent)(rows), self.nodes)

        return column


# -- payloads ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Errors:
    """What a mutation's caller can mend."""

    shape: ObjectShape
    expression = COLUMN
    deep = False

    def ask(self, rows: Sequence[Any], run: Run) -> LinkRead:
        async def column() -> Column:
            return Column([_list(self.shape.write(row.errors).values) for row in rows])

        return column
