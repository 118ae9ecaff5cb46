"""Those who follow the changes through the edge: long polls, streams of events, and GraphQL subscriptions."""

from __future__ import annotations

import httpx2

from tests.faults.followers import PATH, Follower, StreamFollower
from tests.faults.live import SUBSCRIPTIONS, LiveClient, LiveControl, LiveStream, Subscription
from tests.faults.stage import SERVICES

FOLLOWED = [one for one in SUBSCRIPTIONS if not one.slow]


class LongPoll(Follower):
    def __init__(self, service: str, edge: str) -> None:
        super().__init__(service, 0)
        self._edge = edge

    @property
    def url(self) -> str:
        return f"{self._edge}/{self.service}{PATH}"


class EventStream(LongPoll, StreamFollower):
    """The same by `text/event-stream`."""


class SubscriptionStream(LiveStream):
    """A GraphQL subscription by server-sent events."""

    def __init__(self, asked: Subscription, edge: str, control: LiveControl) -> None:
        super().__init__(asked, 0, control)
        self._edge = edge

    @property
    def url(self) -> str:
        return f"{self._edge}/graphql"

    async def follow(self, client: httpx2.AsyncClient) -> None:
        await LiveClient.follow(self, client)


def through_the_edge(edge: str) -> list[Follower]:
    control = LiveControl()
    return [
        *(kind(service, edge) for service in SERVICES for kind in (LongPoll, EventStream)),
        *(SubscriptionStream(asked, edge, control) for asked in FOLLOWED),
    ]
