"""Streams: subscriptions that get the same events, each of which is executed once and written once for all of them.

A `SubscriptionGroup` gets the changes as the service's feed tells them. A subscription that has missed something is
first in a `Replay`, which reads what it has missed and joins the group when it has caught up. Nothing is lost or sent
twice in between: each subscription knows the number up to which it has everything, and a group takes in only those who
have everything that it will not send any more (`joinable`).
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence

from chassis.errors import DeadlineExceeded, RateLimited, Refusal, Unauthenticated, Unavailable
from chassis.neighbours.follower import FeedPosition, RowChange
from chassis.web.problem import broken
from gateway.live.events import Event, EventBatch, EventPlan, batched
from gateway.live.feeds import ServiceFeed, subjects_of
from gateway.live.subscription import MAX_UNSENT_BYTES, OpenSubscription
from gateway.live.work import Work
from gateway.positions import position_text

log = logging.getLogger("live")

BATCH = 100
"""How many changes are executed at once at most."""
MOST_QUEUED = 10_000
"""How many changes wait for a group at most. One that is further behind reads them again from the service."""
SPACING_SECONDS = 0.025
"""A group begins to read and to write at most once in this time. What changes meanwhile is read together, and written
to each client at once."""
SENDS_PER_TURN = 500
"""After so many sends the event loop does something else."""
RETRY_SECONDS = 10.0
"""How long the rows of an event may be out of reach until its subscriptions end."""
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0
PACE_SECONDS = 5.0
"""How long a replay waits for clients to take what it has sent already."""


class Stream:
    """Subscriptions that get the same events from now on."""

    group: SubscriptionGroup

    def __init__(self, plan: EventPlan, work: Work) -> None:
        self.plan, self.work = plan, work
        self.members: dict[OpenSubscription, None] = {}

    @property
    def settled(self) -> int:
        """Each member has every event up to this number."""
        raise NotImplementedError

    def cursor(self, seq: int) -> str:
        return position_text(self.group.feed.service, FeedPosition(self.group.epoch, seq))

    def add(self, member: OpenSubscription) -> None:
        member.stream = self
        self.members[member] = None

    def remove(self, member: OpenSubscription) -> None:
        self.members.pop(member, None)
        self.group.release_if_unused()

    def end(self, refusal: Refusal) -> None:
        """Ends all members."""
        for member in [*self.members]:
            member.end(refusal)

    async def _executed(self, changes: Sequence[RowChange]) -> list[Event]:
        """The events of these changes, read with the token of one of the members; each member is the reader in turn.

        While the service is away it tries again. When that takes too long, or the rows are refused, it ends all
        members.
        """
        gives_up_at, pause, charged = time.monotonic() + RETRY_SECONDS, FIRST_PAUSE, False
        while (reader := self._next_reader()) is not None:
            try:
                async with self.work.reading(reader.caller):
                    if not charged:
                        await reader.account.charge(self.plan.cost * len(changes))
                        charged = True
                    return await self.plan.events(changes, self.group.epoch)
            except RateLimited as refusal:
                reader.end(refusal)  # the others have shares of their own
            except (Unavailable, DeadlineExceeded) as refusal:
                if time.monotonic() > gives_up_at:
                    self.end(refusal)
                    break
                await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - jitter, not a secret
                pause = min(2 * pause, LONGEST_PAUSE)
            except Refusal as refusal:
                self.end(refusal)
        return []

    def _next_reader(self) -> OpenSubscription | None:
        while self.members:
            reader = next(iter(self.members))
            if reader.caller.expires > time.time():
                del self.members[reader]
                self.members[reader] = None  # at the end of the line
                return reader
            reader.end(Unauthenticated("o token expirou; assine de novo, com o cursor e um token novo"))
        return None

    async def _send(self, batch: EventBatch) -> None:
        """Sends to all members that do not have all of the events yet."""
        for n, member in enumerate([*self.members], 1):
            if member.stream is self and member.position < batch.last:
                member.send(batch)
            if n % SENDS_PER_TURN == 0:
                await asyncio.sleep(0)


class SubscriptionGroup(Stream):
    """Subscriptions that ask the same with the same rights, and that have missed nothing."""

    def __init__(
        self,
        feed: ServiceFeed,
        epoch: str,
        plan: EventPlan,
        work: Work,
        on_unused: Callable[[SubscriptionGroup], None],
    ) -> None:
        super().__init__(plan, work)
        self.group = self
        self.feed, self.epoch, self.subjects = feed, epoch, plan.subjects
        self._on_unused = on_unused
        self.replays: set[Replay] = set()
        self.released = False
        self._queue: list[RowChange] = []
        self._running = self._overflowed = False
        self._settled = self._joinable = 0
        self._next_at = 0.0
        """When the event loop's clock says this, it may read and write again."""

    @property
    def settled(self) -> int:
        return self._settled if self._running else self.feed.seq

    @property
    def joinable(self) -> int:
        """Who has every event up to this number may join: all others will be sent."""
        return self._joinable if self._running else self.feed.seq

    def tell(self, changes: Sequence[RowChange]) -> None:
        """Changes that the group hears of, in order, right after those that were told before."""
        if self._overflowed or not (self.members or self._running):
            return  # a replay reads them from the service
        self._queue += changes
        if len(self._queue) > MOST_QUEUED:
            self._overflowed = True
            self._queue.clear()
        if not self._running:
            self._running, self._settled = True, changes[0].seq - 1
            self._joinable = self._settled
            self.work.start(self._run())

    async def _run(self) -> None:
        try:
            while self._queue and self.members:
                await self._wait_for_more()
                changes = self._queue[:BATCH]
                del self._queue[:BATCH]
                for batch in batched(await self._executed(changes)):
                    self._settled, self._joinable = batch.events[0].seq - 1, batch.last
                    await self._send(batch)
                self._settled = self._joinable = changes[-1].seq
        except Exception:
            log.exception("events failed")
            self.end(broken())
        members, behind, self._queue = [*self.members], self._overflowed, []
        settled, self._running, self._overflowed = self._settled, False, False
        if behind and members:
            replay = Replay(self, settled)
            replay.opened.set()
            self.members.clear()
            for member in members:
                replay.add(member)
            replay.start()
        self.release_if_unused()

    async def _wait_for_more(self) -> None:
        """Returns when it is time to read and write again: at once, unless it has just been done."""
        clock = asyncio.get_running_loop().time
        if (pause := self._next_at - clock()) > 0:
            await asyncio.sleep(pause)
        self._next_at = clock() + SPACING_SECONDS

    def end(self, refusal: Refusal) -> None:
        for replay in [*self.replays]:
            replay.end(refusal)
        super().end(refusal)

    def opening_replay(self, position: int) -> Replay:
        """A replay from this position that has not begun yet."""
        for replay in self.replays:
            if replay.position == position and not replay.opened.is_set():
                return replay
        replay = Replay(self, position)
        replay.start()
        return replay

    def release_if_unused(self) -> None:
        if not (self.members or self.replays or self._running or self.released):
            self.released = True
            self._on_unused(self)

    def wanted(self, changes: Sequence[RowChange]) -> list[RowChange]:
        """Those of the changes that the group hears of."""
        return [one for one in changes if not self.subjects.isdisjoint(subjects_of(one))]


class Replay(Stream):
    """Subscriptions that have missed what came after `position`, and get it now."""

    def __init__(self, group: SubscriptionGroup, position: int) -> None:
        super().__init__(group.plan, group.work)
        self.group, self.position = group, position
        self.opened = asyncio.Event()
        """Set when it is known whether what was missed can be told."""
        self.refusal: Refusal | None = None
        group.replays.add(self)

    @property
    def settled(self) -> int:
        return self.position

    def start(self) -> None:
        self.work.start(self._run())

    async def _run(self) -> None:
        try:
            while self.members:
                changes, position = await self._missed()
                if not self.opened.is_set():
                    self.opened.set()
                    await asyncio.sleep(0)  # those who wait for it go on first
                await self._tell(self.group.wanted(changes))
                self.position = position
                if position >= self.group.joinable:
                    self._join()
                elif not changes:
                    await asyncio.sleep(FIRST_PAUSE)
        except Refusal as refusal:
            self.end(refusal)
        except Exception:
            log.exception("missed events failed")
            self.end(broken())
        finally:
            self.group.replays.discard(self)
            self.group.release_if_unused()

    async def _missed(self) -> tuple[list[RowChange], int]:
        """What comes next, and where that ends. Waits while the service is away, but not at the opening."""
        gives_up_at, pause = time.monotonic() + RETRY_SECONDS, FIRST_PAUSE
        while True:
            try:
                async with self.work.reading():
                    changes, after = await self.group.feed.after(FeedPosition(self.group.epoch, self.position))
                return changes, after.seq
            except (Unavailable, DeadlineExceeded):
                if not self.opened.is_set() or time.monotonic() > gives_up_at:
                    raise
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - jitter, not a secret
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _tell(self, changes: Sequence[RowChange]) -> None:
        for begin in range(0, len(changes), BATCH):
            batch = changes[begin : begin + BATCH]
            for events in batched(await self._executed(batch)):
                await self._wait_for_readers()
                await self._send(events)
                self.position = events.last
            self.position = batch[-1].seq

    async def _wait_for_readers(self) -> None:
        """Returns when all members have taken most of what they were sent, or have been slow for too long."""
        until = time.monotonic() + PACE_SECONDS
        while time.monotonic() < until and any(  # noqa: ASYNC110 - a transport says nothing when it has room again
            one.sink.unsent() > MAX_UNSENT_BYTES // 4 for one in self.members
        ):
            await asyncio.sleep(0.01)

    def end(self, refusal: Refusal) -> None:
        if self.opened.is_set():
            super().end(refusal)
        else:  # those who open it are still there, and raise it
            self.refusal = refusal
            self.members.clear()
            self.opened.set()

    def _join(self) -> None:
        for member in [*self.members]:
            member.position = max(member.position, self.position)
            self.group.add(member)
        self.members.clear()
