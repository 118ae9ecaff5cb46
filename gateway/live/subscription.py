"""One subscription of one client, as the transport that carries it and the group that feeds it know it."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import Any, Protocol

import orjson

from chassis.errors import Gone, Refusal, TooLarge, Unauthenticated
from chassis.request.caller import Caller
from gateway.errors import code_of
from gateway.live import metrics
from gateway.live.events import EventBatch
from gateway.requests import Account

MAX_UNSENT_BYTES = 256 * 1024
"""How much may wait for a client that reads slowly. One batch more than this is the most memory that it can take."""
EXPIRY_SPREAD_SECONDS = 5.0
"""Tokens that were issued together do not end all of their subscriptions in the same second."""
LONGEST_SECONDS = 30 * 24 * 3600.0


class Sink(Protocol):
    """The transport's side of one subscription. Its methods neither block nor raise."""

    def send(self, batch: EventBatch) -> None:
        """Sends all events of the batch, which is the same object for all who get them."""
        ...

    def end(self, errors: bytes | None, cursor: str) -> None:
        """Nothing more comes. `errors` is a JSON array of errors; None means that the subscription is complete."""
        ...

    def unsent(self) -> int:
        """How many bytes the client has not taken yet."""
        ...


class EventSource(Protocol):
    """What a subscription gets its events from."""

    @property
    def settled(self) -> int:
        """Each member has every event up to this number."""
        ...

    def cursor(self, seq: int) -> str: ...
    def remove(self, member: OpenSubscription) -> None: ...


class SlowReader(TooLarge):
    """The client does not read what is sent to it."""

    def __init__(self) -> None:
        detail = f"mais de {MAX_UNSENT_BYTES} bytes esperam por quem lê; assine de novo, com o cursor"
        super().__init__(detail, code="LIMIT_EXCEEDED")


class OpenSubscription:
    """A member of a stream. There is one for each client's subscription, so it is small."""

    __slots__ = ("_on_close", "_timer", "account", "caller", "position", "sink", "stream", "who")

    def __init__(
        self, sink: Sink, caller: Caller, account: Account, on_close: Callable[[OpenSubscription], None]
    ) -> None:
        self.sink, self.caller, self.account, self.who = sink, caller, account, account.who
        self._on_close = on_close
        self.stream: EventSource | None = None
        """What it gets its events from; None when it has ended."""
        self.position = 0
        """It has every event up to this number, and perhaps more: see `EventSource.settled`."""
        self._timer: asyncio.TimerHandle | None = None

    def end_with_token(self) -> None:
        """From now on it ends when its caller's token expires, or a little earlier."""
        left = self.caller.expires - time.time()
        if left < LONGEST_SECONDS:
            seconds = max(0.0, left - random.random() * min(EXPIRY_SPREAD_SECONDS, left / 10))  # noqa: S311 - no secret
            self._timer = asyncio.get_running_loop().call_later(seconds, self._expire)

    @property
    def cursor(self) -> str:
        """Everything up to here has been sent."""
        assert self.stream
        return self.stream.cursor(max(self.position, self.stream.settled))

    def send(self, batch: EventBatch) -> None:
        """Sends those of the events that it does not have yet."""
        if self.sink.unsent() > MAX_UNSENT_BYTES:
            self.end(SlowReader())
            return
        missing = batch.after(self.position)
        self.position = batch.last
        metrics.MESSAGES.value += len(missing.events)
        self.sink.send(missing)

    def close(self) -> None:
        """The client wants no more."""
        if self.stream is not None:
            stream, self.stream = self.stream, None
            if self._timer:
                self._timer.cancel()
            self._on_close(self)
            stream.remove(self)

    def end(self, refusal: Refusal) -> None:
        """Ends the subscription with an error. Unless it is of no use, the cursor to go on from is in it."""
        if self.stream is None:
            return
        cursor, code = self.cursor, code_of(refusal)
        extensions: dict[str, Any] = {"code": code}
        if not isinstance(refusal, Gone):
            extensions["cursor"] = cursor
        if isinstance(refusal, SlowReader):
            extensions |= {"limit": "MAX_UNSENT_BYTES", "allowed": MAX_UNSENT_BYTES}
        if refusal.service:
            extensions["service"] = refusal.service
        if refusal.retry_after is not None:
            extensions["retry_after"] = refusal.retry_after
        metrics.ENDED.labels(code).value += 1
        self.close()
        self.sink.end(orjson.dumps([{"message": refusal.detail, "extensions": extensions}]), cursor)

    def _expire(self) -> None:
        self.end(Unauthenticated("o token expirou; assine de novo, com o cursor e um token novo"))
