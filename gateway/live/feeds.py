"""The changes of one service, told to those groups whose rows they are."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from chassis.errors import Gone, Unavailable
from chassis.neighbours.follower import FeedPosition, Follower, RowChange
from chassis.request import deadline

READY_SECONDS = 5.0
"""How long an opening waits until it is known where the feed is now."""
LINGER_SECONDS = 30.0
"""How long the feed is followed when nobody asks for it any more."""
MISSED = "mudanças se perderam, ou o banco de dados foi restaurado; consulte de novo, com posicao"


Subject = tuple[str, int | None]
"""What somebody hears of: all rows that the service calls so, or the one with this id."""


def subjects_of(change: RowChange) -> tuple[Subject, Subject]:
    """Who hears of one of these hears of the change."""
    return (change.kind, None), (change.kind, change.id)


class Hearer(Protocol):
    """A group, as the feed knows it."""

    @property
    def subjects(self) -> Collection[Subject]: ...
    def tell(self, changes: Sequence[RowChange]) -> None: ...
    def end(self, refusal: Gone) -> None: ...


class ServiceFeed:
    """A listener of one service's follower. It listens while there are groups."""

    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        self.service = follower.name
        self.position: FeedPosition | None = None
        """How far the groups have been told; None while that is not known."""
        self._found = asyncio.Event()
        self._groups = defaultdict[Subject, set[Hearer]](set)
        self._stop: Callable[[], None] | None = None
        self._leaving: asyncio.TimerHandle | None = None

    @property
    def seq(self) -> int:
        return self.position.seq if self.position else 0

    async def ready(self) -> FeedPosition:
        """Begins to listen if need be. Returns the position. Raises Unavailable when nobody knows it."""
        self._linger()
        if self._stop is None:
            self._stop = self._follower.listen(self)
        if self.position is None:
            try:
                async with asyncio.timeout(min(READY_SECONDS, deadline.remaining())):
                    await self._found.wait()
            except TimeoutError:
                pass
        if self.position is None:
            refusal = Unavailable(f"{self.service} não diz agora o que muda; tente de novo")
            refusal.service = self.service
            raise refusal
        return self.position

    async def after(self, position: FeedPosition) -> tuple[list[RowChange], FeedPosition]:
        """The changes after `position`, and where they end. Raises Gone, Unavailable or DeadlineExceeded."""
        return await self._follower.after(position)

    def add(self, group: Hearer) -> None:
        for subject in group.subjects:
            self._groups[subject].add(group)

    def remove(self, group: Hearer) -> None:
        for subject in group.subjects:
            self._groups[subject].discard(group)
            if not self._groups[subject]:
                del self._groups[subject]
        self._linger()

    # -- what the follower says -------------------------------------------------------------------------------

    def changed(self, changes: Sequence[RowChange], position: FeedPosition) -> None:
        self.position = position
        self._found.set()
        told: dict[Hearer, list[RowChange]] = {}
        for change in changes:
            for subject in subjects_of(change):
                for group in self._groups.get(subject, ()):
                    told.setdefault(group, []).append(change)
        for group, theirs in told.items():
            group.tell(theirs)

    def lost(self) -> None:
        self.position = None
        self._found.clear()
        for group in {group for groups in self._groups.values() for group in groups}:
            group.end(Gone(MISSED))

    # -- listening only while there is somebody ----------------------------------------------------------------

    def _linger(self) -> None:
        if self._leaving:
            self._leaving.cancel()
        self._leaving = asyncio.get_running_loop().call_later(LINGER_SECONDS, self._leave_if_unused)

    def _leave_if_unused(self) -> None:
        if not self._groups:
            self.close()

    def close(self) -> None:
        """Listens no more."""
        if self._leaving:
            self._leaving.cancel()
        if self._stop:
            self._stop()
        self._stop, self.position = None, None
        self._found.clear()
