"""Those who follow the changes through the edge: long polls, streams of events, and GraphQL subscriptions."""

from __future__ import annotations

import httpx2
from websockets.asyncio.client import connect

from tests.edge.stage import Edge
from tests.faults.followers import AWAY, PATH, Follower, StreamFollower
from tests.faults.live import SUBSCRIPTIONS, LiveClient, LiveControl, LiveStream, Subscription
from tests.faults.stage import SERVICES

FOLLOWED = [one for one in SUBSCRIPTIONS if not one.slow]


class LongPoll(Follower):
    def __init__(self, service: str, edge: Edge) -> None:
        super().__init__(service, 0)
        self._edge = edge

    @property
    def url(self) -> str:
        return f"{self._edge.url}/{self.service}{PATH}"


class EventStream(LongPoll, StreamFollower):
    """The same by `text/event-stream`."""


class SubscriptionSocket(LiveClient):
    """A GraphQL subscription by a WebSocket."""

    away = AWAY

    def __init__(self, asked: Subscription, edge: Edge, control: LiveControl) -> None:
        super().__init__(asked, 0, control)
        self._edge = edge

    @property
    def url(self) -> str:
        return f"{self._edge.url}/graphql"

    def _connect(self) -> connect:
        return self._edge.socket(None)


class SubscriptionStream(SubscriptionSocket, LiveStream):
    """The same by server-sent events."""

    async def follow(self, client: httpx2.AsyncClient) -> None:
        await LiveClient.follow(self, client)


def through_the_edge(edge: Edge) -> list[Follower]:
    control = LiveControl()
    return [
        *(kind(service, edge) for service in SERVICES for kind in (LongPoll, EventStream)),
        *(kind(asked, edge, control) for asked in FOLLOWED for kind in (SubscriptionSocket, SubscriptionStream)),
    ]
