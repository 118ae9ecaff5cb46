"""A compiled operation: what to read and how to write the answer, decided once, then run on whole pages, not on fields.

The reference executor visits every field of every row: ten microseconds and more each, and the Painel has twelve
hundred fields per hundred rows. A plan visits every field of the *operation* once and works on whole pages:

    Painel
      solicitacoes ............ read one page                      1 request
        totalCount, pageInfo .. from the page
        edges.node ............ from its rows: id, dataSolicitacao
          pessoa .............. the distinct pessoa_ids, one read   1 request   ┐
          servico ............. the distinct servico_ids, one read  1 request   ├ at the same time
          produto ............. the distinct produto_ids, one read  1 request   ┘
            categoria ......... already in the produto

Rows become JSON text at once; nothing becomes an object first that is only to be serialised. Each object type of the
operation is a *shape*, a text with gaps (`{"id":%b,"pessoa":%b}`), which `gateway.execution.layout` fills for all rows
in one comprehension. Objects that are always there, an edge's node or a produto's categoria, are part of the text
around them. A row that many others refer to is written once, and its text found by its key wherever it is shown.

A page's links are all asked for before any answer is waited for, so that they need no tasks to be under way at the same
time. Only where an answer leads to further reads, two links deep, does each wait in a task of its own.

A mutation's root fields run one after the other. Each writes, by the same function as its resolver, and its payload is
then written like any row: with what the row links to, or with what the caller can mend.

Names: a *selection* is what an operation asks of a type, a *plan* is a selection compiled, a *part* is one of its
fields (`gateway.execution.parts`), a *column* is one field's values over many rows. `gateway.execution.compiler` makes
plans; what it could not compile would run on the reference executor, so GraphQL's semantics are always the reference's.
A part that fails is null with an error at its path, as there, and nothing is read twice.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import graphql
import orjson
from graphql import DocumentNode, ExecutionResult, FieldNode, GraphQLSchema

from gateway.context import Context
from gateway.declarations import Outcome
from gateway.execution.layout import NULL, OrderedPage
from gateway.execution.parts import ENOUGH, Arguments, Column, Failure, ObjectShape, Run, ordered_by
from gateway.resources import AnyResource

Execute = Callable[..., Awaitable[ExecutionResult] | ExecutionResult]
execute: Execute = getattr(graphql, "execute")  # noqa: B009  # graphql-core types it in part only


@dataclass(frozen=True, slots=True)
class Root:
    """A connection over a whole collection."""

    resource: AnyResource
    arguments: Arguments
    shape: ObjectShape
    nodes: Sequence[FieldNode]

    async def value(self, run: Run) -> Column:
        query = await self.arguments(run)
        page = await run.context.loaders.page(self.resource, query)
        return await self.shape.column([OrderedPage(page, ordered_by(query))], run)


@dataclass(frozen=True, slots=True)
class Single:
    """One row by its id."""

    resource: AnyResource
    id: Callable[[Run], int]
    shape: ObjectShape
    nodes: Sequence[FieldNode]

    async def value(self, run: Run) -> Column:
        id = self.id(run)
        found = await run.context.loaders.rows(self.resource, {id}, alone=self.resource.path not in run.often)
        if id in found.failed:
            raise found.failed[id]
        return await self.shape.column(found.items, run) if found.items else Column([NULL])


@dataclass(frozen=True, slots=True)
class Write:
    """A mutation. Its payload is written from the row when the write was done, else from the outcome."""

    write: Callable[[Run], Awaitable[Outcome]]
    done: ObjectShape
    refused: ObjectShape
    nodes: Sequence[FieldNode]

    async def value(self, run: Run) -> Column:
        outcome = await self.write(run)
        if outcome.row is None:
            return await self.refused.column([outcome], run)
        return await self.done.column([outcome.row], run)


@dataclass(frozen=True, slots=True)
class OfSchema:
    """What a root field shows of the schema itself: no service is read for it, and graphql-core answers it."""

    schema: GraphQLSchema
    document: DocumentNode
    names: Sequence[str]
    """The variables that it declares."""
    nodes: Sequence[FieldNode]

    async def value(self, run: Run) -> Column:
        given = {name: run.variables.coerced[name] for name in self.names if name in run.variables.coerced}
        found = execute(self.schema, self.document, variable_values=given)
        assert isinstance(found, ExecutionResult)  # none of its resolvers waits for anything
        [value] = (found.data or {"": None}).values()
        return Column([orjson.dumps(value)], [(0, Failure((), error, self.nodes)) for error in found.errors or ()])


AnyRoot = Root | Single | Write | OfSchema


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole operation: its text, and its root fields."""

    text: bytes
    roots: Mapping[str, AnyRoot]
    often: frozenset[str]
    """Paths of the resources that more than one part reads by id."""
    in_turn: bool
    """Whether each root field waits for the one before it, as those of a mutation do; else all run at the same time."""

    async def run(self, context: Context, variables: Any) -> tuple[bytes, list[Failure]]:
        """The data, as JSON text, and what failed, with whole paths: the first failures, one more than are shown."""
        run, roots = Run(context, variables, self.often), self.roots.values()
        if self.in_turn or len(roots) == 1:
            found = [await _settled(root, run) for root in roots]
        else:
            found = await asyncio.gather(*[_settled(root, run) for root in roots])
        failures = [
            failure.below(key) for key, one in zip(self.roots, found, strict=True) for _, failure in one.failures
        ][:ENOUGH]
        return self.text % tuple([one.values[0] for one in found]), failures


async def _settled(root: AnyRoot, run: Run) -> Column:
    """A root field's value; what it raises makes it null."""
    try:
        return await root.value(run)
    except Exception as refused:  # as the reference: whatever a field raises is its error
        return Column([NULL], [(0, Failure((), refused, root.nodes))])
