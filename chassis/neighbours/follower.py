"""Follows the changes of one neighbour (`GET /api/changes/`), for all in this process who listen.

It asks again and again what came after its position; the neighbour answers when there is something, or when `wait`
seconds have passed. So it always knows how long ago it had missed nothing: see `age`.
"""

import asyncio
import contextlib
import logging
import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, Self

import msgspec

from chassis.errors import Gone
from chassis.neighbours import metrics
from chassis.neighbours.dialect import PROBLEM, DialectClient
from chassis.neighbours.remote import Remote
from chassis.neighbours.transport import OutgoingRequest, header_line
from chassis.request.caller import Caller
from chassis.request.context import acting_for
from chassis.settings import NeighbourSettings

log = logging.getLogger("follower")

PATH = "/api/changes/"
WAIT_SECONDS = 0.4
"""How long a neighbour may wait for a change by default."""
LIMIT = 1000
"""How many changes one answer may have."""
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0
"""Seconds between two polls of which the first failed: each pause is twice the one before, up to the longest. Each is
shortened at random by up to a half."""


class FeedPosition(NamedTuple):
    """A place in the changes of one service: after the change with the number `seq`."""

    epoch: str
    seq: int


class RowChange(msgspec.Struct, frozen=True, gc=False):
    """One row was created, updated or deleted."""

    seq: int
    kind: str
    """The word for the row: `pessoa`."""
    id: int
    op: Literal["created", "updated", "deleted"]


class Changes(msgspec.Struct):
    """The answer to a poll. `as_of` is there when all that was committed before the poll came is told."""

    items: list[RowChange]
    last: int
    epoch: str
    as_of: str | None = None


CHANGES = msgspec.json.Decoder(Changes)


class Listener(Protocol):
    """Who is told the changes. Both methods are called in order. If `changed` raises, that is a loss for all."""

    def changed(self, changes: Sequence[RowChange], position: FeedPosition) -> None:
        """These are all changes between the last position and this one. Without any, the following begins here."""

    def lost(self) -> None:
        """Changes may have been missed: the follower begins anew. The next call is `changed`, without changes."""


class PollFailed(Exception):
    """A poll got no answer, or none that can be used."""


class Follower:
    """Follows the changes of the neighbour that `remote` calls, while anybody listens.

    `token` gives the bearer token of the next poll; None where tokens are not required.
    """

    def __init__(self, remote: Remote, token: Callable[[], str | None], wait: float = WAIT_SECONDS) -> None:
        self.name = remote.name
        self.position: FeedPosition | None = None
        """What the listeners have been told. None: nobody listens, or where to begin is not known yet."""
        self._remote: DialectClient = remote
        self._token, self._wait = token, wait
        self._complete_at = -math.inf
        self._was_complete = False
        """Whether the last answer said that nothing was missing."""
        self._listeners: list[Listener] = []
        self._task: asyncio.Task[None] | None = None
        self._failing = False
        self._polls = metrics.Polls(self.name, self.age)

    def age(self) -> float:
        """The listeners have been told all that was committed so many seconds ago. Infinite when this is not known.

        It counts on this process's own clock, from the sending of the last poll whose answer was complete.
        """
        return time.monotonic() - self._complete_at

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Tells `listener` what changes from now on, until the returned function is called."""
        self._listeners.append(listener)
        if self._task is None:
            self._task = asyncio.create_task(self._follow(), name=f"follow {self.name}")
        elif self.position is not None:
            listener.changed([], self.position)
        return lambda: self._leave(listener)

    async def current(self) -> FeedPosition:
        """A position that the listeners have been told, or else the neighbour's last one. Raises like `Remote.read`."""
        if self.position is not None:
            return self.position
        answer = await self._read("")
        return FeedPosition(answer.epoch, answer.last)

    async def after(self, position: FeedPosition, limit: int = LIMIT) -> tuple[list[RowChange], FeedPosition]:
        """The first changes after `position`, and where to go on. Raises Gone, or like `Remote.read`."""
        answer = await self._read(_query(position, limit))
        _require_next(position, answer)
        return answer.items, FeedPosition(answer.epoch, answer.last)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_failure: object) -> None:
        """Tells nobody anything any more."""
        self._listeners.clear()
        if task := self._stop():
            await asyncio.gather(task, return_exceptions=True)

    def _leave(self, listener: Listener) -> None:
        if listener in self._listeners:
            self._listeners.remove(listener)
            if not self._listeners:
                self._stop()

    def _stop(self) -> "asyncio.Task[None] | None":
        task, self._task = self._task, None
        if task:
            task.cancel()
        self.position, self._complete_at = None, -math.inf
        return task

    async def _read(self, query: str) -> Changes:
        """Reads the changes as this process, within the time of the current request."""
        request = OutgoingRequest("GET", PATH + query)
        with acting_for(Caller(token=self._token())):
            return await self._remote.call(request, CHANGES.decode, "", repeatable=True)

    # -- following ---------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        pause = FIRST_PAUSE
        while True:
            began, waits = time.monotonic(), self._was_complete
            try:
                if self._remote.breaker.open:
                    raise PollFailed("breaker open")
                told = await self._poll(waits)
            except Exception as failure:  # nobody would notice if this loop ended
                self._record_outcome(failure)
                await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - jitter, not a secret
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            self._record_outcome(None)
            pause = FIRST_PAUSE
            said_nothing = not told and (waits or not self._was_complete)
            if said_nothing and time.monotonic() - began < self._wait / 2:  # a process that ends answers at once
                await asyncio.sleep(FIRST_PAUSE)

    async def _poll(self, waits: bool) -> bool:
        """Asks once, and tells the listeners. Returns whether there was something to tell.

        After an answer that was not complete there is more, or the neighbour answered by what it had seen before that
        poll came. A poll that does not wait lets it look at once.
        """
        position, sent = self.position, time.monotonic()
        query = "" if position is None else _query(position, LIMIT) + (f"&wait={self._wait}" if waits else "")
        token = self._token()
        # No X-Timeout-Ms: the neighbour has its own time for requests that wait. No trace: nobody asked for this.
        headers = header_line("Authorization", f"Bearer {token}") if token else ""
        seconds = self._wait + self._remote.timeout
        answer = await self._remote.transport.send(
            OutgoingRequest("GET", PATH + query), headers, seconds=seconds, repeatable=True
        )
        if answer.status == Gone.status:
            self._lose()
            return True
        try:
            if answer.status != 200:
                raise PollFailed(f"status {answer.status} {PROBLEM.decode(answer.content).code}")
            told = CHANGES.decode(answer.content)
            _require_next(position, told)
        except ValueError as failure:
            raise PollFailed(f"invalid answer: {failure}") from None
        self.position = after = FeedPosition(told.epoch, told.last)
        if (told.items or position is None) and not self._told(told.items, after):
            return True
        self._was_complete = told.as_of is not None
        if self._was_complete:
            self._complete_at = sent
        return bool(told.items) or position is None

    def _told(self, changes: Sequence[RowChange], position: FeedPosition) -> bool:
        """Tells the listeners. If one of them fails, nobody knows what it has missed, and all begin anew."""
        try:
            for listener in self._listeners.copy():
                listener.changed(changes, position)
        except Exception:
            log.exception("listener failed")
            self._lose()
            return False
        return True

    def _lose(self) -> None:
        log.warning("changes were missed", extra={"service": self.name})
        self._polls.lost.value += 1
        self.position, self._complete_at, self._was_complete = None, -math.inf, False
        for listener in self._listeners.copy():
            listener.lost()

    def _record_outcome(self, failure: Exception | None) -> None:
        """Counts a poll, and logs when polls begin to fail and when they succeed again."""
        if failure is None:
            self._polls.ok.value += 1
            if self._failing:
                log.info("changes are followed again", extra={"service": self.name})
        else:
            self._polls.failed.value += 1
            if not self._failing:
                log.warning("changes cannot be followed", extra={"service": self.name, "reason": repr(failure)})
        self._failing = failure is not None


def _query(position: FeedPosition, limit: int) -> str:
    return f"?after={position.seq}&epoch={position.epoch}&limit={limit}"


def _require_next(position: FeedPosition | None, answer: Changes) -> None:
    """Raises ValueError unless the answer goes on exactly at `position`, with no number left out."""
    numbers = [change.seq for change in answer.items]
    if position is None:
        position = FeedPosition(answer.epoch, answer.last)
    next_numbers = [*range(position.seq + 1, answer.last + 1)]
    if answer.epoch != position.epoch or answer.last < position.seq or numbers != next_numbers:
        raise ValueError("not the changes that come next")


def followers(
    remotes: Mapping[str, Remote], settings: NeighbourSettings, wait: float = WAIT_SECONDS
) -> dict[str, Follower]:
    """A follower of each neighbour, by name. None of them asks anything before somebody listens."""
    token = _token_of(settings.follower_token_file)
    return {name: Follower(remote, token, wait) for name, remote in remotes.items()}


def _token_of(file: Path | None) -> Callable[[], str | None]:
    """Reads the token anew each time, since whoever renews it writes it into the same file."""
    last: str | None = None

    def token() -> str | None:
        nonlocal last
        if file is not None:
            with contextlib.suppress(OSError, UnicodeDecodeError):  # it is being replaced
                last = file.read_text().strip() or last
        return last

    return token
