"""Open-loop load: each request is sent when it is due, whether or not others are answered, and leaves a record.

A read is sent once. A write is sent with the same key until it is acknowledged, as a client does that wants it done.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2

from deploy.postgres import HOST
from tests.faults.journal import Journal, Write
from tests.faults.reads import Read
from tests.faults.verdict import Answer, Fault, Verdict

DEADLINE = 5.0
"""Seconds within which the system promises every answer."""
PATIENCE = 15.0
"""Seconds after which a client hangs up."""
PERSISTENCE = 30.0
"""Seconds for which a client keeps trying a write."""
CLEAN = 1.0
"""The system has recovered when for this many seconds no request fails."""


@dataclass
class Record:
    """One request: when it was sent, and when and how it ended."""

    sent: float
    ended: float | None = None
    verdict: Verdict = field(default_factory=Verdict)


class Load:
    """`rate` requests a second, reads and writes in turn, to the processes at `ports`.

    An answer that comes `slack` seconds after the deadline is wrong.
    """

    def __init__(
        self,
        ports: Mapping[str, int],
        reads: Iterator[Read],
        journal: Journal,
        fault: Fault,
        *,
        rate: float,
        slack: float,
    ) -> None:
        self.records: list[Record] = []
        self.gave_up = 0
        self.acknowledged = 0
        self.retried = 0
        self._ports, self._rate, self._latest = ports, rate, DEADLINE + slack
        self._fault, self._journal = fault, journal
        self._reads, self._writes = reads, journal.writes()
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=100)
        self._http = httpx2.AsyncClient(trust_env=False, timeout=PATIENCE, limits=limits)
        self._turn = 0
        self._under_way: set[asyncio.Task[None]] = set()

    async def run_while(self, work: Awaitable[Any]) -> None:
        """Sends until `work` is done, and returns when everything that was sent has ended."""
        working = asyncio.ensure_future(work)
        due = time.monotonic()
        try:
            while not working.done():
                self._begin(self._read(next(self._reads)) if self._turn % 2 else self.write(next(self._writes)))
                self._turn += 1
                due += 1 / self._rate
                await asyncio.sleep(max(0.0, due - time.monotonic()))
            await working
            await asyncio.gather(*self._under_way)
        finally:
            working.cancel()
            for task in self._under_way:
                task.cancel()
            await self._http.aclose()

    def recovered(self, cause_ended: float) -> float | None:
        """Seconds from the cause's end to the first second in which no request fails; None if there is none yet."""
        bad = sorted(one.sent for one in self.records if one.ended is None or not one.verdict.good)
        at = cause_ended
        for sent in bad:
            if at <= sent < at + CLEAN:
                at = sent + 0.001
        return at - cause_ended if time.monotonic() >= at + CLEAN else None

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _read(self, read: Read) -> None:
        answer, record = await self._send(read.process, read.method, read.path, read.body, {})
        excused = Fault(down=self._fault.down) if self._fault.reads_go_on else self._fault
        self._judged(read.process, record, read.judge(answer, excused))

    async def write(self, write: Write) -> None:
        """Sends it until it is acknowledged."""
        until = time.monotonic() + PERSISTENCE
        pause = 0.25
        headers = {"Idempotency-Key": write.key, "Prefer": "return=representation"}
        while True:
            write.attempts += 1
            answer, record = await self._send(write.process, write.method, write.path, write.body, headers)
            self._judged(write.process, record, write.judge(answer, self._fault))
            if write.acknowledged or record.verdict.wrong or time.monotonic() > until:
                break
            await asyncio.sleep(pause * random.uniform(0.5, 1))
            pause = min(2 * pause, 1.0)
        self.acknowledged += write.acknowledged
        self.gave_up += not write.acknowledged
        self.retried += write.attempts > 1
        self._journal.settled(write)

    async def _send(
        self, process: str, method: str, path: str, body: Any, headers: dict[str, str]
    ) -> tuple[Answer, Record]:
        record = Record(time.monotonic())
        self.records.append(record)
        content = None if body is None else json.dumps(body)
        headers = headers | ({} if body is None else {"Content-Type": "application/json"})
        url = f"http://{HOST}:{self._ports[process]}{path}"
        try:
            response = await self._http.request(method, url, content=content, headers=headers)
            answer = Answer(response.status_code, response.content)
        except httpx2.TransportError as failure:
            answer = Answer(None, b"", repr(failure))
        record.ended = time.monotonic()
        return answer, record

    def _judged(self, process: str, record: Record, verdict: Verdict) -> None:
        assert record.ended
        took = record.ended - record.sent
        if took > self._latest and process not in self._fault.down:
            verdict.wrong.append(f"{process}: an answer after {took:.1f} s")
        record.verdict = verdict
