"""The parts of a plan: templates of objects, and the fields whose values must be read from a service.

`gateway.execution.plan` explains the idea and the words.
"""

import asyncio
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice, pairwise
from typing import Any, Protocol

from graphql import FieldNode
from msgspec import Struct, field

from gateway.context import Context
from gateway.errors import MOST_SHOWN
from gateway.execution.layout import (
    COLUMN,
    EMPTY_LIST,
    NULL,
    OrderedPage,
    RowValue,
    RowWriter,
    all_values,
    distinct_values,
    row_writer,
)
from gateway.loaders import RowList
from gateway.resources import AnyResource

Path = tuple[str | int, ...]
LOST = b""
"""The text of a value that is null although the schema allows no null there: the object or list around it is null."""
MOST_FAILURES = MOST_SHOWN + 1
"""How many failures of one answer are collected: one more than are shown, so that it is known that there are more."""


@dataclass(frozen=True, slots=True)
class FieldFailure:
    """A field that could not be answered, and is null."""

    path: Path
    """Where the field is, relative to the value that this failure is reported with."""
    reason: Exception
    nodes: Sequence[FieldNode]
    """The field in the document, for the error's `locations`."""

    def below(self, *steps: str | int) -> "FieldFailure":
        """The same failure, with its path relative to a value that is `steps` further up."""
        return FieldFailure((*steps, *self.path), self.reason, self.nodes)


class Column(Struct):
    """The values of one field over many rows, as JSON text, in the order of the rows. A value may be `LOST`."""

    values: list[bytes]
    failures: list[tuple[int, FieldFailure]] = field(default_factory=list[tuple[int, FieldFailure]])
    """What failed, each with the index of its row."""


class KeyedColumn(Struct):
    """The values of one field over many rows, as JSON text, by a key of the row. Rows with equal keys share a value."""

    values: dict[int, bytes]
    failures: list[tuple[int, FieldFailure]] = field(default_factory=list[tuple[int, FieldFailure]])
    """What failed, each with the index of its row."""


class PlanRun(Struct):
    """One execution of a plan: the request's context, and the values of its variables."""

    context: Context
    variables: Any
    batched_paths: frozenset[str]
    """Paths of the resources that more than one part reads by id. Those reads are batched into one request."""


# -- objects ---------------------------------------------------------------------------------------------------------

PendingColumn = Callable[[], Awaitable[Column | KeyedColumn]]
"""A read that has been started. Calling it waits for the answer, and writes it as a column."""


class PlanPart(Protocol):
    """A field whose values must be read from a service, for many rows at once."""

    @property
    def expression(self) -> str:
        """The Python expression that takes a row's value out of the column (see `layout.COLUMN`)."""
        ...

    @property
    def needs_task(self) -> bool:
        """Whether the pending column starts further reads of its own.

        Then it needs a task. Without one, its further reads would wait until other columns are complete.
        """
        ...

    @property
    def may_be_lost(self) -> bool:
        """Whether a value of the column can be `LOST`."""
        ...

    def start_read(self, rows: Sequence[Any], run: PlanRun) -> PendingColumn:
        """Starts to read. A request that depends on no other answer is on its way when this returns."""
        ...


@dataclass(frozen=True, slots=True)
class Gap:
    """A gap of a template."""

    part: RowValue | PlanPart
    """What fills the gap."""
    path: tuple[str, ...]
    """Where the gap is in the object: `("node", "produto")`."""


class ObjectTemplate:
    """The JSON text of one selected object, with a gap (`%b` or `%d`) for each value that differs from row to row."""

    def __init__(self, text: bytes, gaps: tuple[Gap, ...]) -> None:
        self.text, self.gaps = text, gaps
        self._expressions = tuple(gap.part.expression for gap in gaps)
        self._write: RowWriter = row_writer(self._expressions)
        self._parts = [(gap.part, gap.path) for gap in gaps if not isinstance(gap.part, RowValue)]
        self._without_tasks = len(self._parts) == 1 or not any(part.needs_task for part, _ in self._parts)
        self.needs_reads = bool(self._parts)
        """Whether something must be read from a service to fill the gaps."""

    def write(self, rows: Sequence[Any], ordered_by: str = "") -> Column:
        """Each row's text, where the template needs no reads."""
        return Column(self._write(self.text, rows, ordered_by))

    def by_id(self, rows: Sequence[Any]) -> dict[int, bytes]:
        """Each row's text by the row's id, where the template needs no reads."""
        return row_writer(self._expressions, by_id=True)(self.text, rows, "")

    async def column(self, rows: Sequence[Any], run: PlanRun, ordered_by: str = "") -> Column:
        """Each row's text. All parts are read at the same time."""
        if not rows:
            return Column([])
        if not self.needs_reads:
            return self.write(rows, ordered_by)
        pending = [part.start_read(rows, run) for part, _ in self._parts]
        if self._without_tasks:
            # All requests are on their way, and no part starts another one, so no part needs a task to wait in. The
            # last request's answer probably arrives last, so we wait for it first. Then the others are usually there,
            # and this coroutine was woken only once.
            columns = [await one() for one in reversed(pending)][::-1]
        else:
            columns = await asyncio.gather(*[one() for one in pending])
        column = Column(self._write(self.text, rows, ordered_by, *[one.values for one in columns]))
        for one in columns:
            if one.failures:
                self._add_failures(column, columns)
                break
        return column

    def _add_failures(self, column: Column, parts: Sequence[Column | KeyedColumn]) -> None:
        """Adds the failures of all parts to the column. A row of which a part is lost is lost too."""
        lost: dict[int, FieldFailure] = {}
        for one, (_, path) in zip(parts, self._parts, strict=True):
            for n, failure in one.failures[: MOST_FAILURES - len(column.failures)]:
                column.failures.append((n, failure.below(*path)))
            if one.failures and isinstance(one, Column) and LOST in one.values:
                reasons = dict(reversed(one.failures))
                for n, text in enumerate(one.values):
                    if text == LOST and n not in lost:
                        lost[n] = reasons[n].below(*path)
        if lost:  # of a lost row, only the failure that caused this is reported
            column.values = [LOST if n in lost else text for n, text in enumerate(column.values)]
            column.failures = [(n, failure) for n, failure in column.failures if n not in lost] + [*lost.items()]

    @property
    def may_be_lost(self) -> bool:
        """Whether a failure can make the whole object null."""
        return any(part.may_be_lost for part, _ in self._parts)


@dataclass(frozen=True, slots=True)
class NullablePart:
    """An object inside the row, which a failure can make null without the rest of the row."""

    template: ObjectTemplate
    expression = COLUMN
    needs_task = True
    may_be_lost = False

    def start_read(self, rows: Sequence[Any], run: PlanRun) -> PendingColumn:
        async def column() -> Column:
            column = await self.template.column(rows, run)
            return Column([text or NULL for text in column.values], column.failures)

        return column


class LinkPart:
    """A link to a row of another collection. Its distinct keys are read together, and each row is written once."""

    may_be_lost = False

    def __init__(self, key: str, resource: AnyResource, template: ObjectTemplate, nodes: Sequence[FieldNode]) -> None:
        self.resource, self.template, self._nodes = resource, template, nodes
        self.expression = f"{COLUMN}[row.{key}]"
        self.needs_task = template.needs_reads
        self._keys, self._distinct = all_values(key), distinct_values(key)

    def start_read(self, rows: Sequence[Any], run: PlanRun) -> PendingColumn:
        keys = self._distinct(rows)
        reading = run.context.loaders.rows(self.resource, keys, batched=self.resource.path in run.batched_paths)

        async def column() -> KeyedColumn:
            try:
                found = await reading
            except Exception as error:  # whatever it is, it is the error of this field in each of the rows
                found = RowList([], dict.fromkeys(keys, error))
            targets = found.items
            if self.needs_task or found.failed:  # failures are possible, and each must be reported for its rows
                written = await self.template.column(targets, run)
                return _keyed(keys, row_ids(targets), written, found.failed, lambda: self._keys(rows), self._nodes)
            texts = self.template.by_id(targets)
            if len(texts) < len(keys):
                for key in keys.difference(texts):
                    texts[key] = NULL
            return KeyedColumn(texts)

        return column


row_ids = all_values("id")


def _keyed(
    asked: set[int],
    found: Sequence[int],
    written: Column,
    failed: Mapping[int, Exception],
    keys_of_rows: Callable[[], Sequence[int]],
    nodes: Sequence[FieldNode],
) -> KeyedColumn:
    """A column by key, in which a key without an answer is null.

    `asked` are all keys, `found` those that `written` has values for, in its order, and `failed` those that could not
    be read. A failure is reported for each row that has its key; `keys_of_rows` is called only if there are failures.
    """
    column = KeyedColumn(dict.fromkeys(asked, NULL))
    column.values.update(zip(found, written.values, strict=True))
    if failed or written.failures:
        column.values = {key: text or NULL for key, text in column.values.items()}
        by_key: dict[int, list[FieldFailure]] = {key: [FieldFailure((), why, nodes)] for key, why in failed.items()}
        for n, failure in written.failures:
            by_key.setdefault(found[n], []).append(failure)
        all_failures = ((n, failure) for n, key in enumerate(keys_of_rows()) for failure in by_key.get(key, ()))
        column.failures = list(islice(all_failures, MOST_FAILURES))
    return column


# -- connections -----------------------------------------------------------------------------------------------------

QueryBuilder = Callable[[PlanRun], Awaitable[dict[str, Any]]]
"""Turns a connection's arguments into the query that the services take. Raises Invalid, or GraphQLError."""


def ordering_field(query: Mapping[str, Any]) -> str:
    """The field that the query orders by, in either direction."""
    return query["ordering"].removeprefix("-")


@dataclass(frozen=True, slots=True)
class ItemsPart:
    """The list `nodes` or `edges`. The rows of all pages are written in one go, then divided among their pages."""

    template: ObjectTemplate

    @property
    def expression(self) -> str:
        return COLUMN

    @property
    def needs_task(self) -> bool:
        return self.template.needs_reads

    @property
    def may_be_lost(self) -> bool:
        return self.template.may_be_lost

    def start_read(self, rows: Sequence[OrderedPage], run: PlanRun) -> PendingColumn:
        async def column() -> Column:
            ordered_by = rows[0].ordered_by
            if len(rows) == 1:
                written = await self.template.column(rows[0].page.items, run, ordered_by)
                if not written.failures:
                    return Column([_list(written.values)])
                return divided(written, [len(written.values)])
            written = await self.template.column([row for one in rows for row in one.page.items], run, ordered_by)
            return divided(written, [len(one.page.items) for one in rows])

        return column


def divided(written: Column, lengths: Sequence[int]) -> Column:
    """The column of the lists that have these lengths, made from the column of all their items.

    The items are not null. So a list is lost with an item, and then only its first lost item is reported.
    """
    starts = [0, *accumulate(lengths)]
    lists = [written.values[start:end] for start, end in pairwise(starts)]
    lost = [bool(written.failures) and LOST in texts for texts in lists]
    column = Column([LOST if is_lost else _list(texts) for texts, is_lost in zip(lists, lost, strict=True)])
    reported = set[int]()
    for n, failure in written.failures:
        place = bisect_right(starts, n) - 1
        if not lost[place]:
            column.failures.append((place, failure.below(n - starts[place])))
        elif place not in reported and written.values[n] == LOST:
            reported.add(place)
            column.failures.append((place, failure.below(n - starts[place])))
    return column


def _list(texts: list[bytes]) -> bytes:
    """A JSON array. The brackets are added to the first and last text, so that a long array is copied only once."""
    if not texts:
        return EMPTY_LIST
    texts[0] = b"[" + texts[0]
    texts[-1] += b"]"
    return b",".join(texts)


@dataclass(frozen=True, slots=True)
class ChildConnectionPart:
    """A connection below a parent. The pages of all parents are read together."""

    field: str
    resource: AnyResource
    parent: str
    build_query: QueryBuilder
    template: ObjectTemplate
    nodes: Sequence[FieldNode]
    may_be_lost = False

    @property
    def expression(self) -> str:
        return f"{COLUMN}[row.{self.parent}]"

    @property
    def needs_task(self) -> bool:
        return True

    def start_read(self, rows: Sequence[Any], run: PlanRun) -> PendingColumn:
        async def column() -> KeyedColumn:
            parents = distinct_values(self.parent)(rows)
            try:
                query = await self.build_query(run)
            except Exception as error:  # as in graphql-core, whatever a field raises becomes the field's error
                failure = FieldFailure((), error, self.nodes)
                failures = [(n, failure) for n in range(min(len(rows), MOST_FAILURES))]
                return KeyedColumn(dict.fromkeys(parents, NULL), failures)
            found = await run.context.loaders.child_pages(self.resource, self.field, query).get(parents)
            ordering = ordering_field(query)
            written = await self.template.column([OrderedPage(page, ordering) for page in found.rows.values()], run)
            keys_of_rows = all_values(self.parent)
            return _keyed(parents, list(found.rows), written, found.failed, lambda: keys_of_rows(rows), self.nodes)

        return column


# -- changes ----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class ToldChange:
    """One change of a row, as a subscription tells it."""

    cursor: str
    operacao: str
    id: int
    row: Any
    """The row as it is now; None if it is gone, or if it does not match the subscription's filter."""


@dataclass(frozen=True, slots=True)
class ChangedRowPart:
    """The object in a change."""

    template: ObjectTemplate
    expression = COLUMN
    needs_task = True
    may_be_lost = False

    def start_read(self, rows: Sequence[ToldChange], run: PlanRun) -> PendingColumn:
        present = [n for n, change in enumerate(rows) if change.row is not None]

        async def column() -> Column:
            written = await self.template.column([rows[n].row for n in present], run)
            column = Column([NULL] * len(rows))
            for n, text in zip(present, written.values, strict=True):
                column.values[n] = text or NULL
            column.failures = [(present[n], failure) for n, failure in written.failures]
            return column

        return column


# -- payloads ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ErrorsPart:
    """The list `errors` of a mutation's payload: what the caller can correct."""

    template: ObjectTemplate
    expression = COLUMN
    needs_task = False
    may_be_lost = False

    def start_read(self, rows: Sequence[Any], run: PlanRun) -> PendingColumn:
        async def column() -> Column:
            return Column([_list(self.template.write(row.errors).values) for row in rows])

        return column
