"""A compiled operation. It says what to read and how to write the answer, is made once, and works on whole pages.

The reference executor, graphql-core, visits every field of every row. That takes ten microseconds or more each, and the
Painel (the dashboard query of the README) has twelve hundred fields per hundred rows. A plan visits each field of the
*operation* once, for all rows of a page:

    Painel
      solicitacoes ............ read one page                      1 request
        totalCount, pageInfo .. from the page
        edges.node ............ from its rows: id, dataSolicitacao
          pessoa .............. the distinct pessoa_ids, one read   1 request   ┐
          servico ............. the distinct servico_ids, one read  1 request   ├ at the same time
          produto ............. the distinct produto_ids, one read  1 request   ┘
            categoria ......... already in the produto

Rows become JSON text directly; no dict is built only to be serialised afterwards. Each selected object of the operation
is a *template*, a text with gaps (`{"id":"%d","pessoa":%b}`). `gateway.execution.layout` fills it for all rows in one
comprehension. An object that always exists, such as an edge's node or a produto's categoria, is part of the text around
it. A row that many others refer to is written once; its text is then looked up by its key wherever it is shown.

The requests for all links of a page are sent before any answer is awaited. So they run at the same time without tasks.
Only where an answer leads to further reads, as with a link below a link, each link gets a task of its own.

A subscription's plan is filled from changes: each event is written like a row, of many events at once.

A mutation's root fields run one after the other. Each one writes with the same function as its resolver. Its payload is
then written like any row: with the row and its links, or with the errors that the caller can correct.

The words: a *selection* is what an operation asks of a type; a *plan* is a compiled operation; a *part* is a field
whose values must be read (`gateway.execution.parts`); a *column* holds one field's values for many rows.

`gateway.execution.compiler` makes plans, of every operation: where a field has a resolver of its own, the plan calls it
(`gateway.execution.resolved`). A plan answers as the reference executor does: a field that fails is null, with an error
at its path. It reads nothing twice.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import graphql
import orjson
from graphql import DocumentNode, ExecutionResult, FieldNode, GraphQLSchema

from gateway.context import Context
from gateway.declarations import ChangesOf, MutationOutcome
from gateway.execution.layout import NULL, OrderedPage
from gateway.execution.parts import (
    LOST,
    MOST_FAILURES,
    Column,
    FieldFailure,
    ObjectTemplate,
    PlanRun,
    QueryBuilder,
    ToldChange,
    ordering_field,
)
from gateway.execution.resolved import ResolvedPart
from gateway.resources import AnyResource

Execute = Callable[..., Awaitable[ExecutionResult] | ExecutionResult]
execute: Execute = getattr(graphql, "execute")  # noqa: B009  # graphql-core types it in part only


@dataclass(frozen=True, slots=True)
class RootConnection:
    """A root field that is a connection over a whole collection."""

    resource: AnyResource
    build_query: QueryBuilder
    template: ObjectTemplate
    nodes: Sequence[FieldNode]

    async def value(self, run: PlanRun) -> Column:
        query = await self.build_query(run)
        page = await run.context.loaders.page(self.resource, query)
        return await self.template.column([OrderedPage(page, ordering_field(query))], run)


@dataclass(frozen=True, slots=True)
class RootRow:
    """A root field that is one row, by its id."""

    resource: AnyResource
    read_id: Callable[[PlanRun], int]
    template: ObjectTemplate
    nodes: Sequence[FieldNode]

    async def value(self, run: PlanRun) -> Column:
        id = self.read_id(run)
        found = await run.context.loaders.rows(self.resource, {id}, batched=self.resource.path in run.batched_paths)
        if id in found.failed:
            raise found.failed[id]
        return await self.template.column(found.items, run) if found.items else Column([NULL])


@dataclass(frozen=True, slots=True)
class RootMutation:
    """A mutation: a root field that writes.

    `done` is the payload's template for a write that succeeded, filled from the written row. `refused` is the template
    for one that was refused, filled from the outcome.
    """

    write: Callable[[PlanRun], Awaitable[MutationOutcome]]
    done: ObjectTemplate
    refused: ObjectTemplate
    nodes: Sequence[FieldNode]

    async def value(self, run: PlanRun) -> Column:
        outcome = await self.write(run)
        if outcome.row is None:
            return await self.refused.column([outcome], run)
        return await self.done.column([outcome.row], run)


@dataclass(frozen=True, slots=True)
class RootIntrospection:
    """A root field that shows the schema itself: `__schema` or `__type`. graphql-core answers it, and no service."""

    schema: GraphQLSchema
    document: DocumentNode
    names: Sequence[str]
    """The names of the variables that `document` declares."""
    nodes: Sequence[FieldNode]

    async def value(self, run: PlanRun) -> Column:
        given = {name: run.variables.coerced[name] for name in self.names if name in run.variables.coerced}
        found = execute(self.schema, self.document, variable_values=given)
        assert isinstance(found, ExecutionResult)  # no awaitable: introspection has no asynchronous resolvers
        [value] = (found.data or {"": None}).values()  # `document` has one root field; without data its value is null
        return Column([orjson.dumps(value)], [(0, FieldFailure((), error, self.nodes)) for error in found.errors or ()])


@dataclass(frozen=True, slots=True)
class RootResolved:
    """A root field with a resolver of its own."""

    part: ResolvedPart
    nodes: Sequence[FieldNode]

    async def value(self, run: PlanRun) -> Column:
        found = await self.part.start_read([None], run)()
        assert isinstance(found, Column)
        return found


@dataclass(frozen=True, slots=True)
class RootPosition:
    """How much of the services' changes was known before the operation read anything."""

    nodes: Sequence[FieldNode]

    async def value(self, run: PlanRun) -> Column:
        position = run.context.position
        if isinstance(position, str):
            return Column([orjson.dumps(position)])
        return Column([LOST], [(0, FieldFailure((), position, self.nodes))])


@dataclass(frozen=True, slots=True)
class RootChanges:
    """The root field of a subscription: the changes of a resource's rows."""

    declared: ChangesOf
    read_arguments: Callable[[Any], Mapping[str, Any]]
    """The arguments that are not null, for these variables."""
    template: ObjectTemplate
    shows_rows: bool
    """Whether the row itself is selected."""
    position_variable: str | None
    """The variable that is the argument `apos` and nothing else: events do not depend on it."""
    nodes: Sequence[FieldNode]

    async def value(self, run: PlanRun) -> Column:
        raise TypeError("the events of a subscription are written by Plan.events")


RootField = RootConnection | RootRow | RootMutation | RootIntrospection | RootResolved | RootPosition | RootChanges


@dataclass(frozen=True, slots=True)
class Plan:
    """A compiled operation."""

    text: bytes
    """The template of `data`, with one gap for each root field."""
    root_fields: Mapping[str, RootField]
    """The root fields by response key, in the order of the gaps."""
    batched_paths: frozenset[str]
    """Paths of the resources that more than one part reads by id."""
    serial: bool
    """Whether the root fields run one after the other, as in a mutation. Otherwise they all run at the same time."""
    shows_position: bool = False
    """Whether positions in the services' feeds are selected, which must be read before all else."""
    calls_resolvers: bool = False
    """Whether resolvers are called that somebody has written for a field. They may look at the caller."""

    async def run(self, context: Context, variables: Any) -> tuple[bytes, list[FieldFailure]]:
        """The data as JSON text, and the failures with their whole paths, at most `MOST_FAILURES` of them."""
        run, fields = PlanRun(context, variables, self.batched_paths), self.root_fields.values()
        if self.shows_position:
            await context.read_position()
        if self.serial or len(fields) == 1:
            columns = [await _value_or_null(field, run) for field in fields]
        else:
            columns = await asyncio.gather(*[_value_or_null(field, run) for field in fields])
        failures = [
            failure.below(key)
            for key, column in zip(self.root_fields, columns, strict=True)
            for _, failure in column.failures
        ][:MOST_FAILURES]
        values = [column.values[0] for column in columns]
        if failures and LOST in values:  # the schema allows no null for this root field, so all of the data is null
            key, column = next(one for one in zip(self.root_fields, columns, strict=True) if one[1].values[0] == LOST)
            return NULL, [column.failures[0][1].below(key)]
        return self.text % tuple(values), failures

    @property
    def changes(self) -> tuple[str, RootChanges]:
        """The root field of a subscription, and its response key."""
        [(key, field)] = self.root_fields.items()
        assert isinstance(field, RootChanges)
        return key, field

    async def events(
        self, context: Context, variables: Any, changes: Sequence[ToldChange]
    ) -> list[tuple[bytes, list[FieldFailure]]]:
        """For each of these changes, the data of the subscription's event as JSON text, and the failures."""
        key, field = self.changes
        column = await field.template.column(changes, PlanRun(context, variables, self.batched_paths))
        if len(column.failures) >= MOST_FAILURES and len(changes) > 1:  # not all failures of all events were collected
            return [one for change in changes for one in await self.events(context, variables, [change])]
        failures: list[list[FieldFailure]] = [[] for _ in changes]
        for n, failure in column.failures:
            failures[n].append(failure.below(key))
        texts = [NULL if text == LOST else self.text % text for text in column.values]
        return list(zip(texts, failures, strict=True))


async def _value_or_null(field: RootField, run: PlanRun) -> Column:
    """A root field's value, as a column for one row. If the field raises, the value is null, with a failure."""
    try:
        column = await field.value(run)
    except Exception as error:  # as in graphql-core, whatever a field raises becomes the field's error
        return Column([NULL], [(0, FieldFailure((), error, field.nodes))])
    if column.failures and column.values[0] == LOST and not isinstance(field, RootResolved | RootPosition):
        column.values[0] = NULL  # all other root fields are nullable
    return column
