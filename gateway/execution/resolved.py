"""Fields with a resolver of their own, in a plan: ordinary Strawberry resolvers, called for all rows of a page at once.

For a page of rows the resolver is called for each row before anything is awaited. So whatever the calls load through
the same loader is read in one request. The values are then completed as the specification says (section 6.4.3), but for
the whole page at each step: the items of all lists together, and all objects of one type together. Where such an object
is a row of ours, a compiled template writes it, links and all.

A null where the schema allows none is the empty text `LOST`. The object or the list around it is then null, or is lost
too.
"""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from inspect import isawaitable
from operator import attrgetter
from typing import Any, Protocol, cast

import orjson
from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLAbstractType,
    GraphQLError,
    GraphQLField,
    GraphQLLeafType,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    OperationDefinitionNode,
    get_argument_values,
)
from graphql.pyutils import Path
from graphql.type import GraphQLResolveInfoHelpers
from msgspec import convert

from chassis.errors import DeadlineExceeded, over_limit
from chassis.query.pagination import MAX_SIZE
from chassis.request import deadline
from gateway.execution.layout import COLUMN, NULL
from gateway.execution.parts import (
    LOST,
    Column,
    FieldFailure,
    ObjectTemplate,
    PendingColumn,
    PlanRun,
    divided,
)
from gateway.loaders import Loaders
from gateway.rows import Row


@dataclass(frozen=True, slots=True)
class ResolvedField:
    """A field of a document whose resolver is called, and what its resolver is told about the operation."""

    schema: GraphQLSchema
    operation: OperationDefinitionNode
    fragments: dict[str, FragmentDefinitionNode]
    parent_type: GraphQLObjectType
    nodes: Sequence[FieldNode]

    @property
    def definition(self) -> GraphQLField:
        return self.parent_type.fields[self.nodes[0].name.value]

    def __str__(self) -> str:
        return f"{self.parent_type.name}.{self.nodes[0].name.value}"

    def info(self, run: PlanRun) -> GraphQLResolveInfo[Any]:
        """What graphql-core tells a resolver.

        One call may serve several places of the answer, so the path has the field's own key only.
        """
        node = self.nodes[0]
        return GraphQLResolveInfo(
            field_name=node.name.value,
            field_nodes=list(self.nodes),
            return_type=cast("Any", self.definition).type,
            parent_type=self.parent_type,
            path=Path(None, (node.alias or node.name).value, self.parent_type.name),
            schema=self.schema,
            fragments=self.fragments,
            root_value=None,
            operation=self.operation,
            variable_values=run.variables,
            context=run.context,
            is_awaitable=cast("Any", isawaitable),
            abort_signal=None,
            async_helpers=GraphQLResolveInfoHelpers(_gather, partial(_track, run.context.loaders)),
        )


class ResolvedPart:
    """A field whose resolver is called for each row."""

    expression = COLUMN
    needs_task = True

    def __init__(self, field: ResolvedField, attribute: str, completion: "Completion") -> None:
        """`attribute` is the object in the row that the field belongs to; empty if that is the row itself."""
        self.field, self.completion = field, completion
        self._source: Callable[[Any], Any] | None = attrgetter(attribute) if attribute else None

    @property
    def may_be_lost(self) -> bool:
        return self.completion.required

    def start_read(self, rows: Sequence[Any], run: PlanRun) -> PendingColumn:
        definition, info = self.field.definition, self.field.info(run)
        resolve, source = cast("Callable[..., Any]", definition.resolve), self._source
        values: list[Any] = []
        try:
            given = get_argument_values(definition, self.field.nodes[0], run.variables)
        except GraphQLError as error:
            values += [error] * len(rows)
        else:
            for row in rows:
                try:
                    values.append(resolve(source(row) if source else row, info, **given))
                except Exception as error:  # as in graphql-core, whatever a resolver raises becomes the field's error
                    values.append(error)
        _start(values, run.context.loaders)
        return lambda: self.completion.column(values, run)


# -- waiting -----------------------------------------------------------------------------------------------------------


def _gather(values: Sequence[Awaitable[Any]]) -> Awaitable[list[Any]]:
    return asyncio.gather(*values)


def _track(loaders: Loaders, values: Sequence[Any]) -> None:
    _start([*values], loaders)


def _start(values: list[Any], loaders: Loaders) -> None:
    """Starts what is awaitable among the values. It takes the place of its value as a future, and ends at the latest
    with the request."""
    for n, value in enumerate(values):
        if isinstance(value, asyncio.Future) or not isawaitable(value):
            continue
        values[n] = asyncio.ensure_future(value)
        loaders.cancel_at_end(values[n])


async def _settle(values: list[Any]) -> None:
    """Puts the outcome of each future among the values in its place: a result, or an exception."""
    waiting: set[asyncio.Future[Any]] = {value for value in values if isinstance(value, asyncio.Future)}
    if waiting:
        seconds = deadline.remaining()
        await asyncio.wait(waiting, timeout=None if seconds == float("inf") else max(0, seconds))
        for n, value in enumerate(values):
            if isinstance(value, asyncio.Future):
                values[n] = _outcome(cast("asyncio.Future[Any]", value))


def _outcome(future: "asyncio.Future[Any]") -> Any:
    if not future.done():
        return DeadlineExceeded(deadline.EXPIRED)
    if future.cancelled():
        return RuntimeError("what the resolver waited for was cancelled")
    failure = future.exception()
    if failure is not None and not isinstance(failure, Exception):
        raise failure
    return failure or future.result()


# -- completing --------------------------------------------------------------------------------------------------------


class Writer(Protocol):
    """Writes values of one type, none of which is null. A value that cannot be written is `LOST`, with a failure."""

    async def column(self, values: Sequence[Any], run: PlanRun) -> Column: ...


class Completion:
    """Completes values of one type, at one place of the schema.

    A value may be null, and it may be an exception or an awaitable.
    """

    def __init__(self, field: ResolvedField, writer: Writer, *, required: bool) -> None:
        """`required`: the schema allows no null here."""
        self._field, self.writer, self.required = field, writer, required

    async def column(self, values: list[Any], run: PlanRun) -> Column:
        await _settle(values)
        present = [n for n, value in enumerate(values) if value is not None and not isinstance(value, Exception)]
        written = await self.writer.column([values[n] for n in present], run)
        column = Column([NULL] * len(values))
        scatter(written, present, column)
        for n, value in enumerate(values):
            if isinstance(value, Exception):
                column.failures.append((n, FieldFailure((), value, self._field.nodes)))
            elif value is None and self.required:
                missing = TypeError(f"Cannot return null for non-nullable field {self._field}.")
                column.failures.append((n, FieldFailure((), missing, self._field.nodes)))
        if column.failures:
            wrong, right = (NULL, LOST) if self.required else (LOST, NULL)
            column.values = [right if text == wrong else text for text in column.values]
        return column


def scatter(written: Column, indexes: Sequence[int], column: Column) -> None:
    """Puts what was written for some of the values into the column of all values, where `indexes` says."""
    for index, text in zip(indexes, written.values, strict=True):
        column.values[index] = text
    column.failures += [(indexes[n], failure) for n, failure in written.failures]


@dataclass(frozen=True, slots=True)
class LeafWriter:
    """Writes values of a scalar or of an enum."""

    field: ResolvedField
    kind: GraphQLLeafType

    async def column(self, values: Sequence[Any], run: PlanRun) -> Column:
        column = Column([])
        for n, value in enumerate(values):
            try:
                coerced = self.kind.coerce_output_value(value)
                if coerced is None:
                    raise TypeError(f"{self.kind.name} has no value for what {self.field} is")
                column.values.append(orjson.dumps(coerced))
            except Exception as error:  # a resolver's fault, which must not be taken for the client's
                wrong = TypeError(f"{self.field} is no {self.kind.name}")
                wrong.__cause__ = error
                column.values.append(LOST)
                column.failures.append((n, FieldFailure((), wrong, self.field.nodes)))
        return column


@dataclass(frozen=True, slots=True)
class ListWriter:
    """Writes lists. The items of all lists are completed together, then divided among their lists."""

    field: ResolvedField
    item: Completion

    async def column(self, values: Sequence[Any], run: PlanRun) -> Column:
        lists = list[Any]()
        for value in values:
            try:
                lists.append(await self._items(value))
            except Exception as error:
                lists.append(error)
        good = [n for n, items in enumerate(lists) if not isinstance(items, Exception)]
        items = [item for n in good for item in lists[n]]
        _start(items, run.context.loaders)
        written = await self.item.column(items, run)
        column = Column([LOST] * len(values))
        scatter(divided(written, [len(lists[n]) for n in good]), good, column)
        for n, error in enumerate(lists):
            if isinstance(error, Exception):
                column.failures.append((n, FieldFailure((), error, self.field.nodes)))
        return column

    async def _items(self, value: Any) -> list[Any]:
        if isinstance(value, AsyncIterable):
            items = await deadline.wait_for(_collected(cast("AsyncIterable[Any]", value)))
        elif isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping):
            items = list(cast("Iterable[Any]", value))
        else:
            raise TypeError(f"{self.field} is no list")
        if len(items) > MAX_SIZE:
            raise over_limit(self.field.nodes[0].name.value, f"há {len(items)} itens; o máximo é {MAX_SIZE}")
        return items


async def _collected(values: AsyncIterable[Any]) -> list[Any]:
    return [value async for value in values]


@dataclass(frozen=True, slots=True)
class ObjectWriter:
    """Writes objects of one type, by a template."""

    field: ResolvedField
    kind: GraphQLObjectType
    row: type[Row] | None
    """The type of the rows that the template takes. None: it takes the objects themselves."""
    template: ObjectTemplate

    async def column(self, values: Sequence[Any], run: PlanRun) -> Column:
        rows, good, column = list[Any](), list[int](), Column([LOST] * len(values))
        for n, value in enumerate(values):
            try:
                rows.append(self._row(value, run))
                good.append(n)
            except Exception as error:
                column.failures.append((n, FieldFailure((), error, self.field.nodes)))
        scatter(await self.template.column(rows, run), good, column)
        return column

    def _row(self, value: Any, run: PlanRun) -> Any:
        if self.row is None:
            is_type_of = self.kind.is_type_of
            if is_type_of and not is_type_of(value, self.field.info(run)):
                raise TypeError(f"{self.field} is no {self.kind.name}")
            return value
        # Whoever makes an object of one of our types by hand, `Pessoa(id=…, …)`, writes its ids as texts.
        return value if isinstance(value, self.row) else convert(value, self.row, strict=False, from_attributes=True)


@dataclass(frozen=True, slots=True)
class AbstractWriter:
    """Writes objects of an interface or of a union. Those of one type are written together."""

    field: ResolvedField
    kind: GraphQLAbstractType
    possible: Mapping[str, ObjectWriter]
    """The types that an object may have, by name."""

    async def column(self, values: Sequence[Any], run: PlanRun) -> Column:
        resolve_type, info = cast("Callable[..., Any]", self.kind.resolve_type), self.field.info(run)
        names: list[Any] = []
        for value in values:
            try:
                names.append(resolve_type(value, info, self.kind))
            except Exception as error:
                names.append(error)
        _start(names, run.context.loaders)
        await _settle(names)
        column = Column([LOST] * len(values))
        for name, writer in self.possible.items():
            chosen = [n for n, one in enumerate(names) if one == name]
            scatter(await writer.column([values[n] for n in chosen], run), chosen, column)
        for n, name in enumerate(names):
            if name not in self.possible:
                error = name if isinstance(name, Exception) else TypeError(f"{self.field} is no {self.kind.name}")
                column.failures.append((n, FieldFailure((), error, self.field.nodes)))
        return column
