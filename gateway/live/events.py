"""Executes a subscription's plan for changes: one text for each event, whoever gets it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from graphql import located_error

from chassis.neighbours.follower import FeedPosition, RowChange
from chassis.neighbours.remote import Remote
from gateway.context import Context
from gateway.errors import formatted_all, log_faults
from gateway.execution.parts import FieldFailure, ToldChange
from gateway.execution.plan import Plan
from gateway.live import metrics
from gateway.live.feeds import Subject
from gateway.loaders import Loaders
from gateway.positions import position_text
from gateway.schema.subscriptions import Operacao

MAX_BATCH_BYTES = 16 * 1024
"""So much text is written to a client at once, unless one event is longer."""
NAMES: dict[str, str] = {str(one.value): one.name for one in Operacao}
"""The feeds' words for operations, in the schema's."""


class Event(NamedTuple):
    """One event, ready to be sent to everybody in a group."""

    seq: int
    cursor: str
    text: bytes
    """The ExecutionResult."""


class EventBatch:
    """Events that follow one another. They are written to each client at once: a write costs more than an event."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = events
        self.last = events[-1].seq
        self.written: dict[int | str, Any] = {}
        """What the transports have made of the events for all clients that get the same, by keys of theirs."""
        self._later: dict[int, EventBatch] = {}

    def after(self, seq: int) -> "EventBatch":
        """Those of the events that come after the change with this number. There must be one."""
        events = self.events
        if seq < events[0].seq:
            return self
        begin = next(n for n, event in enumerate(events) if event.seq > seq)
        if begin not in self._later:
            self._later[begin] = EventBatch(events[begin:])
        return self._later[begin]


def batched(events: Iterable[Event]) -> Iterator[EventBatch]:
    """The events in their order, in batches that are not too long."""
    batch, size = list[Event](), 0
    for event in events:
        if batch and size + len(event.text) > MAX_BATCH_BYTES:
            yield EventBatch(batch)
            batch, size = list[Event](), 0
        batch.append(event)
        size += len(event.text)
    if batch:
        yield EventBatch(batch)


class EventPlan:
    """What is executed for the changes of one group: a plan, with the values of its variables."""

    def __init__(
        self,
        plan: Plan,
        variables: Any,
        id: int | None,
        filter: Any,
        cost: int,
        remotes: Mapping[str, Remote],
        filter_max_ids: int,
    ) -> None:
        self._plan, self._variables = plan, variables
        _, self._root = plan.changes
        self._id = id
        """None for all rows."""
        self._filter = filter
        """None if there is none."""
        self.cost = cost
        """The cost of one event."""
        self._remotes, self._filter_max_ids = remotes, filter_max_ids

    @property
    def subjects(self) -> frozenset[Subject]:
        """The rows whose changes are told. A single row changes with those that are part of it, as a produto with its
        categoria: where very many rows show the same one, the feed tells only that one."""
        declared = self._root.declared
        parts = () if self._id is None else ((kind, None) for kind in declared.resource.shows)
        return frozenset({(declared.noun, self._id), *parts})

    async def check_filter(self) -> None:
        """Raises Invalid if the filter cannot be used, so that its client hears of it before the first event."""
        if self._filter is not None:
            loaders = self._loaders(1)
            try:
                await self._root.declared.build_filter(self._filter, loaders)
            finally:
                loaders.cancel_reads()

    async def events(self, changes: Sequence[RowChange], epoch: str) -> list[Event]:
        """The events of these changes, as the current request's caller may see them.

        A row that was created and does not match the filter is left out, and so is a change of a row that is no part of
        ours. Raises the refusal if the rows cannot be read.
        """
        loaders = self._loaders(len(changes))
        try:
            rows = await self._rows(changes, loaders)
            told = [ours for one in changes if (ours := self._told(one, rows))]
            shown = [self._shown(change, rows, epoch) for change in told]
            written = await self._plan.events(Context(loaders), self._variables, shown)
        finally:
            loaders.cancel_reads()
        metrics.EVENTS.value += len(told)
        return [
            Event(change.seq, one.cursor, _text(data, failures))
            for change, one, (data, failures) in zip(told, shown, written, strict=True)
        ]

    def _told(self, change: RowChange, rows: Mapping[int | None, Any]) -> RowChange | None:
        """The change of one of our rows that this is; None if it is not told."""
        declared = self._root.declared
        if change.kind == declared.noun:
            left_out = self._filter is not None and change.op == "created" and change.id not in rows
            return None if left_out else change
        row = rows.get(self._id) if change.op == "updated" else None
        if row is None or declared.resource.shows[change.kind](row) != change.id:
            return None
        return RowChange(change.seq, declared.noun, row.id, "updated")

    def _shown(self, change: RowChange, rows: Mapping[int | None, Any], epoch: str) -> ToldChange:
        cursor = position_text(self._root.declared.resource.service, FeedPosition(epoch, change.seq))
        row = None if change.op == "deleted" else rows.get(change.id)
        return ToldChange(cursor, NAMES[change.op], change.id, row)

    def _loaders(self, events: int) -> Loaders:
        loaders = Loaders(self._remotes, self._filter_max_ids)
        loaders.requests_left = self.cost * events
        return loaders

    async def _rows(self, changes: Sequence[RowChange], loaders: Loaders) -> dict[int | None, Any]:
        """The rows that exist and match the filter, by id."""
        declared = self._root.declared
        ids = {change.id if self._id is None else self._id for change in changes if change.op != "deleted"}
        of_parts = any(change.kind != declared.noun for change in changes)
        if not ids or not (self._root.shows_rows or self._filter is not None or of_parts):
            return {}
        resource = declared.resource
        if self._filter is None:
            found = await loaders.rows(resource, ids, batched=resource.path in self._plan.batched_paths)
            for failure in found.failed.values():
                raise failure
            return {row.id: row for row in found.items}
        matching = await declared.build_filter(self._filter, loaders)
        query = {
            "filter": {"and": [{"id": {"in": sorted(ids)}}, matching]},
            "ordering": "id",
            "first": len(ids),
        }
        page = await loaders.page(resource, query)
        return {row.id: row for row in page.items}


def _text(data: bytes, failures: Sequence[FieldFailure]) -> bytes:
    if not failures:
        return b'{"data":%b}' % data
    errors = [located_error(one.reason, one.nodes, list(one.path)) for one in failures]
    log_faults(errors)
    return b'{"data":%b,"errors":%b}' % (data, orjson.dumps(formatted_all(errors)))
