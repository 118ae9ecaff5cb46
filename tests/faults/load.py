"""Open-loop load: each request is sent when it is due, whether or not others are answered, and leaves a record.

A read is sent once. A write is sent with the same key until it is acknowledged, as a client does that wants it done.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import time
from collections.abc import Awaitable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle, pairwise
from typing import Any

import httpx2

from tests.faults.journal import Journal, Write
from tests.faults.reads import Read
from tests.faults.verdict import Answer, Fault, Verdict

DEADLINE = 5.0
"""Seconds within which the system promises every answer."""
PATIENCE = 15.0
"""Seconds after which a client hangs up."""
PERSISTENCE = 30.0
"""Seconds for which a client keeps trying a write."""
LIMITS = httpx2.Limits(max_connections=None, max_keepalive_connections=100)
CLEAN = 1.0
"""The system has recovered when for this many seconds no request fails."""


@dataclass
class Record:
    """One request: when it was sent, and when and how it ended."""

    sent: float
    what: str
    read: bool
    ended: float | None = None
    status: int | None = None
    """None: there was no answer."""
    verdict: Verdict = field(default_factory=Verdict)


class Load:
    """`rate` requests a second to the processes at `urls`; every `writes_every`th is a write. `clients` send in turn.

    An answer that comes `slack` seconds after the deadline is wrong.
    """

    def __init__(
        self,
        urls: Mapping[str, str],
        reads: Iterator[Read],
        journal: Journal,
        fault: Fault,
        *,
        rate: float,
        slack: float,
        writes_every: int = 2,
        persistence: float = PERSISTENCE,
        clients: Sequence[httpx2.AsyncClient] = (),
    ) -> None:
        self.records: list[Record] = []
        self.gave_up = 0
        self.acknowledged = 0
        self.retried = 0
        self._urls, self._rate, self._latest = urls, rate, DEADLINE + slack
        self._fault, self._journal = fault, journal
        self._reads, self._writes = reads, journal.writes()
        self._clients = clients or (httpx2.AsyncClient(trust_env=False, timeout=PATIENCE, limits=LIMITS),)
        self._in_turn = cycle(self._clients)
        self._writes_every, self._turn = writes_every, 0
        self._persistence = persistence
        self._acknowledged_at: dict[str, list[float]] = {}
        """When writes of the rows of each service were acknowledged."""
        self._under_way: set[asyncio.Task[None]] = set()

    async def run_while(self, work: Awaitable[Any]) -> None:
        """Sends until `work` is done, and returns when everything that was sent has ended."""
        working = asyncio.ensure_future(work)
        due = time.monotonic()
        try:
            while not working.done():
                writes = self._turn % self._writes_every == 0
                self._begin(self.write(next(self._writes)) if writes else self._read(next(self._reads)))
                self._turn += 1
                due += 1 / self._rate
                await asyncio.sleep(max(0.0, due - time.monotonic()))
            await working
            await asyncio.gather(*self._under_way)
        finally:
            working.cancel()
            for task in self._under_way:
                task.cancel()
            for client in self._clients:
                await client.aclose()

    def recovered(self, cause_ended: float) -> float | None:
        """Seconds from the cause's end to the first second in which no request fails; None if there is none yet."""
        bad = sorted(one.sent for one in self.records if one.ended is None or not one.verdict.good)
        at = cause_ended
        for sent in bad:
            if at <= sent < at + CLEAN:
                at = sent + 0.001
        return at - cause_ended if time.monotonic() >= at + CLEAN else None

    def without_writes(self) -> float:
        """The longest time, in seconds, for which no write of some service was acknowledged."""
        each = (pairwise(at) for at in self._acknowledged_at.values())
        return max((later - sooner for pairs in each for sooner, later in pairs), default=math.inf)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _read(self, read: Read) -> None:
        record = self._record(read.path, read=True)
        answer = await self._send(record, read.process, read.method, read.path, read.body, {})
        excused = Fault(down=self._fault.down) if self._fault.reads_go_on else self._fault
        self._judged(read.process, record, read.judge(answer, excused))

    async def write(self, write: Write) -> None:
        """Sends it until it is acknowledged."""
        until = time.monotonic() + self._persistence
        pause = 0.25
        headers = {"Idempotency-Key": write.key, "Prefer": "return=representation"}
        while True:
            write.attempts += 1
            record = self._record(write.path, read=False)
            answer = await self._send(record, write.process, write.method, write.path, write.body, headers)
            self._judged(write.process, record, write.judge(answer, self._fault))
            if write.acknowledged or record.verdict.wrong or time.monotonic() > until:
                break
            await asyncio.sleep(pause * random.uniform(0.5, 1))
            pause = min(2 * pause, 1.0)
        if write.acknowledged:
            self._acknowledged_at.setdefault(write.row.kind.service, []).append(time.monotonic())
        self.acknowledged += write.acknowledged
        self.gave_up += not write.acknowledged
        self.retried += write.attempts > 1
        self._journal.settled(write)

    def _record(self, what: str, *, read: bool) -> Record:
        record = Record(time.monotonic(), what, read)
        self.records.append(record)
        return record

    async def _send(
        self, record: Record, process: str, method: str, path: str, body: Any, headers: dict[str, str]
    ) -> Answer:
        content = None if body is None else json.dumps(body)
        headers = headers | ({} if body is None else {"Content-Type": "application/json"})
        url = f"{self._urls[process]}{path}"
        try:
            response = await next(self._in_turn).request(method, url, content=content, headers=headers)
            answer = Answer(response.status_code, response.content)
        except httpx2.TransportError as failure:
            answer = Answer(None, b"", repr(failure))
        record.ended, record.status = time.monotonic(), answer.status
        return answer

    def _judged(self, process: str, record: Record, verdict: Verdict) -> None:
        assert record.ended
        took = record.ended - record.sent
        if took > self._latest and process not in self._fault.down:
            verdict.wrong.append(f"{process}: an answer after {took:.1f} s")
        record.verdict = verdict
