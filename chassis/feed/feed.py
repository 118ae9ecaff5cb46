"""Follows the changes of a service's database once for all followers of this process.

While anybody waits, this process looks for new changes every few milliseconds, whatever the number of followers, and at
once when it has written something itself. A look numbers what is committed, in one statement. New changes are read once
and kept for a while, so that those who wait need no statement of their own.

While nobody waits, a write costs only its trigger: nothing is numbered then but every few seconds, so that little
remains to be done when somebody comes.

A write whose client wants to know its position waits for a look that begins after its commit. All writes that are
waiting when a look begins share it.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID

from chassis.db.changes import BATCH
from chassis.db.database import Database
from chassis.db.repeating import repeating
from chassis.errors import Busy, Gone, Refusal
from chassis.feed import metrics
from chassis.feed.log import Change, ChangeLog, Head
from chassis.observe.metrics import IN_PROGRESS
from chassis.request import deadline
from chassis.settings import DatabaseSettings

log = logging.getLogger("feed")

BETWEEN_LOOKS = 0.015
"""Seconds from one look to the next at least, so that the writes of that time are numbered together."""
LOOK_SECONDS = 0.02
"""Seconds from one look to the next while there are changes, of which other processes may be the writers."""
QUIET_LOOK_SECONDS = 0.25
"""The same when there has been none for long."""
QUIET_SHARE = 1 / 40
"""The share of the time without changes after which this process looks again. So a change that another process writes
after two quiet seconds is told within 50 ms."""
LINGER_SECONDS = 1.0
"""How long this process goes on looking when nobody waits any more: who was told something by a poll comes again."""
POSITION_SECONDS = 1.0
"""How long a write that is done waits at most to learn its position."""
HOUSEKEEPING_SECONDS = 10.0
FRESH_SECONDS = 0.5
"""For so long a look is good enough for somebody who would wait. An older one means that looking fails."""
RECENT = 4 * BATCH
"""How many changes are kept for those who wait; a follower that is further behind reads them from the database."""

NOT_KEPT = "as mudanças desde essa posição já não são guardadas; recomece sem `after`"
ANOTHER_EPOCH = "o banco de dados foi restaurado, e as posições de antes não valem; recomece sem `after`"
BEYOND = "essa posição está além da última mudança; recomece sem `after`"
TOO_MANY = "há seguidores demais neste momento; tente de novo em instantes"


class FeedListener(Protocol):
    """A follower that is told of news by a call."""

    def told(self) -> None:
        """There are changes, or the epoch is another one."""


class Feed:
    """The changes of one database, for the followers of one process."""

    def __init__(self, database: Database, settings: DatabaseSettings) -> None:
        self._log = ChangeLog(database)
        self._max_followers = settings.max_followers
        self._kept, self._kept_seconds = settings.changes_kept, settings.changes_kept_hours * 3600
        self._followers: dict[str, int] = {}
        self._wanted = asyncio.Event()
        self._kicked = asyncio.Event()
        self._asking = asyncio.Event()
        self._asked: list[asyncio.Future[Head | None]] = []
        self._news = asyncio.Event()
        self.listeners: set[FeedListener] = set()
        """Those who do not `wait`. Each must have joined."""
        self._head: Head | None = None
        self._recent: list[Change] = []
        self._looked_at = self._left_at = float("-inf")
        self.draining = self._ended = False
        database.committed, database.position = self._kick, self.position

    # -- reading -----------------------------------------------------------------------------------------------

    async def head(self) -> Head:
        """How far the feed goes, with all that has been committed before this call."""
        head = await self._log.number()
        while head.as_of is None:
            head = await self._log.number()
        return head

    async def after(self, position: int, epoch: UUID | None, limit: int) -> tuple[Head, list[Change]]:
        """The head, and the first changes after `position`. Raises Gone when they cannot be told from there."""
        head = await self._log.number()
        _require_known(head, position, epoch)
        if head.last == position:
            return head, []
        return head, self._require_next(position, await self._log.read(position, limit))

    @staticmethod
    def _require_next(position: int, changes: list[Change]) -> list[Change]:
        """`changes`. Raises Gone when they do not begin right after `position`, since others were trimmed meanwhile."""
        if not changes or changes[0].seq != position + 1:
            raise Gone(NOT_KEPT)
        return changes

    # -- waiting -----------------------------------------------------------------------------------------------

    def join(self, address: str) -> None:
        """Counts one more follower, who is at `address` and must `leave`. Raises Busy when there are too many."""
        mine, all_of_them = self._followers.get(address, 0), sum(self._followers.values())
        if all_of_them >= self._max_followers or mine >= max(1, self._max_followers // 2):
            raise Busy(TOO_MANY)
        self._followers[address] = mine + 1
        metrics.FOLLOWERS.value += 1
        self._wanted.set()

    def leave(self, address: str) -> None:
        """One who has joined follows no longer."""
        metrics.FOLLOWERS.value -= 1
        self._followers[address] -= 1
        if not self._followers[address]:
            del self._followers[address]
        if not self._followers:
            self._left_at = time.monotonic()

    @contextmanager
    def follower(self, address: str) -> Generator[None]:
        """Somebody at `address` follows inside of this context. Raises Busy when too many do."""
        self.join(address)
        try:
            yield
        finally:
            self.leave(address)

    async def wait(self, position: int, epoch: UUID, seconds: float) -> None:
        """Returns when there is something after `position`, when the epoch is another one, when this process drains, or
        after `seconds`. The caller must be a request and a `follower`."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        IN_PROGRESS.value -= 1  # nothing is done for it meanwhile, and autoscalers count the others
        try:
            while not self.draining and not self._differs(position, epoch) and loop.time() < until:
                news = self._news
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(until):
                        await news.wait()
        finally:
            IN_PROGRESS.value += 1

    def _differs(self, position: int, epoch: UUID) -> bool:
        return self._head is not None and (self._head.last > position or self._head.epoch != epoch)

    def known(self, position: int, epoch: UUID | None, limit: int) -> tuple[Head, list[Change]] | None:
        """Like `after`, as of the last look and without a statement, for somebody who will wait for more. None if this
        process has not looked just now, or does not know the changes after `position`. The head has no `as_of`, since
        that look was before this call."""
        head = self._head
        if head is None or time.monotonic() - self._looked_at > FRESH_SECONDS or epoch not in (None, head.epoch):
            return None
        head = head._replace(as_of=None)
        items = self._recent_after(position, limit) if position <= head.last else None
        return None if items is None else (head, items)

    async def waited(self, position: int, epoch: UUID, limit: int, since: float = 0.0) -> tuple[Head, list[Change]]:
        """Like `after`, for somebody who has waited: without a statement, unless he is far behind. The head has no
        `as_of` if the last look began before `since`, on the monotonic clock."""
        head, items = self._head, self.recent(position, epoch, limit)
        if head is None or items is None:
            return await self.after(position, epoch, limit)
        if self._looked_at < since:
            head = head._replace(as_of=None)
        return head if items else head._replace(last=position), items

    def recent(self, position: int, epoch: UUID, limit: int) -> list[Change] | None:
        """The changes after `position` as of the last look. None when this process no longer keeps them. Raises Gone
        when they cannot be told from there."""
        head = self._head
        if head is None:
            return []
        _require_known(head, min(position, head.last), epoch)
        return self._recent_after(position, limit)

    def _recent_after(self, position: int, limit: int) -> list[Change] | None:
        if self._head is None or position >= self._head.last:
            return []
        begin = position + 1 - self._recent[0].seq if self._recent else -1
        return None if begin < 0 else self._recent[begin : begin + limit]

    async def position(self) -> str | None:
        """How far the feed goes with all that has been committed before this call, as the id of an event. None when
        that cannot be told soon: the write that asks is done, and its answer must not be lost."""
        asked: asyncio.Future[Head | None] = asyncio.get_running_loop().create_future()
        self._asked.append(asked)
        for event in (self._wanted, self._kicked, self._asking):
            event.set()
        try:
            async with asyncio.timeout(min(POSITION_SECONDS, max(0.0, deadline.remaining() / 2))):
                head = await asked
        except TimeoutError:
            return None
        return head and f"{head.epoch}:{head.last}"

    def drain(self) -> None:
        """Ends all waiting: this process ends."""
        self.draining = True
        self._tell()

    # -- looking -----------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def keep_looking(self) -> AsyncGenerator[None]:
        """Looks for changes while anybody waits, and trims, until this context ends."""
        looking = asyncio.create_task(self._look_while_wanted(), name="feed")
        async with repeating(self.keep_house, HOUSEKEEPING_SECONDS, log, "changes are not trimmed"):
            try:
                yield
            finally:
                self._ended = True  # as in `repeating`, cancelling alone is not enough
                looking.cancel()
                await asyncio.gather(looking, return_exceptions=True)

    def _kick(self) -> None:
        """This process has committed something."""
        self._kicked.set()

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()
        for listener in [*self.listeners]:
            listener.told()

    async def _look_while_wanted(self) -> None:
        moved_at = time.monotonic()
        while not self._ended:
            if not self._followers and not self._asked and time.monotonic() > self._left_at + LINGER_SECONDS:
                self._head, self._recent = None, []
                self._wanted.clear()
                await self._wanted.wait()
            self._kicked.clear()
            self._asking.clear()
            try:
                if await self._look():
                    moved_at = time.monotonic()
            except Refusal:
                pass  # the database logs that itself
            except Exception as failure:  # nobody would notice if this loop ended
                log.warning("changes cannot be read", extra={"reason": repr(failure)})
            ended = time.monotonic()
            quiet = ended - moved_at
            await _wait(self._kicked, min(max(LOOK_SECONDS, quiet * QUIET_SHARE), QUIET_LOOK_SECONDS))
            await _wait(self._asking, ended + BETWEEN_LOOKS - time.monotonic())

    async def _look(self) -> bool:
        """Numbers and reads what is new, and wakes those who wait. Returns whether there was something."""
        before, began, asked = self._head, time.monotonic(), len(self._asked)
        try:
            head = await self._log.number()
        except BaseException:
            self._answer(len(self._asked), None)
            raise
        if head.as_of is not None:
            self._answer(asked, head)
        elif self._asked:  # theirs may be among those that have no number yet: look again at once
            self._asking.set()
            self._kicked.set()
        if before is None or before.epoch != head.epoch:
            self._recent, known = [], head.last
        else:
            known = before.last
        while known < head.last:
            new = await self._log.read(known, BATCH)
            if not new or new[0].seq != known + 1:  # it was trimmed meanwhile
                self._recent, known = [], head.last
                break
            self._recent += new
            known = new[-1].seq
            self._observe_lag(new)
        if len(self._recent) > 2 * RECENT:
            del self._recent[:RECENT]
        moved = before is None or (known, head.epoch) != (before.last, before.epoch)
        self._head, self._looked_at = head._replace(last=known), began
        metrics.LAST.value = known
        if moved:
            self._tell()
        return moved

    def _answer(self, count: int, head: Head | None) -> None:
        """Tells the first `count` of those who have asked for a position."""
        for asked in self._asked[:count]:
            if not asked.done():  # otherwise its client has left, or it has waited too long
                asked.set_result(head)
        del self._asked[:count]

    @staticmethod
    def _observe_lag(changes: list[Change]) -> None:
        now = datetime.now(UTC)
        for change in changes:
            metrics.LAG_SECONDS.observe(max(0.0, (now - change.at).total_seconds()))

    async def keep_house(self) -> None:
        """Numbers what there is, and trims."""
        try:
            head = await self.head()
        finally:  # if they cannot be numbered, it is this that tells
            metrics.UNNUMBERED.value = await self._log.unnumbered()
        metrics.LAST.value = max(metrics.LAST.value, head.last)
        trimmed = head.trimmed
        while last := await self._log.trim(self._kept, self._kept_seconds):
            metrics.TRIMMED.value += last[0] - trimmed
            trimmed = last[0]


async def _wait(event: asyncio.Event, seconds: float) -> None:
    """Returns when `event` is set, or after `seconds`."""
    if seconds <= 0 or event.is_set():
        return
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass


def _require_known(head: Head, position: int, epoch: UUID | None) -> None:
    """Raises Gone when `position` is none of the feed as it is now."""
    if epoch is not None and epoch != head.epoch:
        raise Gone(ANOTHER_EPOCH)
    if position > head.last:
        raise Gone(BEYOND)
    if position < head.trimmed:
        raise Gone(NOT_KEPT)
