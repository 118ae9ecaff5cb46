"""Runs interleaved rounds of all contestants, and measures the CPU of each gateway's process tree per query and how
long answers took."""

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench import cpu, load
from bench.gateway.contestants import OURS, Contestant, log, start
from bench.gateway.stub import Stub
from bench.gateway.workloads import Workload, same
from deploy.postgres import free_ports

GATEWAY_CORE, OTHER_CORE = 0, 1
RECOVERY = 3.0
"""The pause in seconds for a contestant whose circuit breaker has opened under the load."""
COMPARED = 8
"""The number of answers of each contestant and workload that are compared with ours before anything is timed."""


@dataclass
class Round:
    """The measurements of one contestant in one round of one workload."""

    number: int
    queries: int
    cpu: float
    """Seconds of CPU per query."""
    took: list[float]
    stub_share: float
    """The share of the time in which the stub was busy."""
    gateway_share: float
    calls: float
    """Calls to the services per query; calls of queries at the same time may have been merged."""


@dataclass
class RunningContestant:
    """A contestant that has been started, or `broken` with the reason why it takes no part."""

    contestant: Contestant
    port: int
    log: Path
    process: psutil.Process | None = None
    broken: str = ""
    rounds: dict[str, list[Round]] = field(default_factory=dict[str, list[Round]])
    void: list[str] = field(default_factory=list[str])
    """Rounds that do not count, since an answer carried errors, and why."""
    calls: dict[str, float] = field(default_factory=dict[str, float])
    """Calls to the services per query, with one query at a time."""
    kilobytes: dict[str, float] = field(default_factory=dict[str, float])
    """The size of an answer, by workload; measured for ours."""
    open_loop: list[float] = field(default_factory=list[float])

    @property
    def key(self) -> str:
        return self.contestant.key

    def cpu_of(self, workload: Workload) -> float | None:
        """Median of its rounds, in seconds per query."""
        rounds = self.rounds.get(workload.name)
        return statistics.median(one.cpu for one in rounds) if rounds else None

    def last_line(self) -> str:
        lines = [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        return lines[-1][:300] if lines else "it said nothing"


def say(text: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


@asynccontextmanager
async def running(
    contestants: Sequence[Contestant], stub: Stub, directory: Path
) -> AsyncGenerator[list[RunningContestant]]:
    """All contestants, started on the gateway's core; they are stopped at the end."""
    first = free_ports(len(contestants))
    async with AsyncExitStack() as stack:
        started: list[RunningContestant] = []
        for port, contestant in enumerate(contestants, first):
            one = RunningContestant(contestant, port, log(contestant, directory))
            started.append(one)
            try:
                process = start(contestant, port, stub.urls, directory)
            except (OSError, subprocess.CalledProcessError) as failure:
                one.broken = str(failure)
                say(f"{one.key}: OUT: {one.broken}")
                continue
            stack.callback(stop, process)
            one.process = psutil.Process(process.pid)
            await _until_listening(one)
            say(f"{contestant.key}: {one.broken or 'started'}")
        yield started


async def _until_listening(one: RunningContestant) -> None:
    assert one.process
    for _ in range(400):
        if not one.process.is_running() or one.process.status() == psutil.STATUS_ZOMBIE:
            one.broken = f"it ended at once: {one.last_line()}"
            return
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", one.port)
            writer.close()
        except OSError:
            await asyncio.sleep(0.1)
        else:
            cpu.pin(one.process, GATEWAY_CORE)
            return
    one.broken = f"it does not listen after 40 s: {one.last_line()}"


def stop(process: "subprocess.Popen[bytes]") -> None:
    try:
        children = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        children = []
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for child in children:
        if child.is_running():
            child.terminate()


async def compare(participants: Sequence[RunningContestant], stub: Stub, workload: Workload) -> None:
    """Excludes contestants whose answers differ from ours."""
    ours = ours_of(participants)
    expected = [await load.once(ours.port, request) for request in _requests(ours, workload)[:COMPARED]]
    ours.kilobytes[workload.name] = statistics.mean(map(len, expected)) / 1000
    for one in participants:
        asked = [] if one.broken else _requests(one, workload)[:COMPARED]
        before = await stub.calls()
        with _out_if_it_fails(one, workload):
            for request, answer in zip(asked, expected, strict=False):
                found = await asyncio.wait_for(load.once(one.port, request), 30)
                if not same(one.contestant.dialect, found, answer):
                    raise load.NotServedError(f"its answer is {found[:300]!r}, ours {answer[:300]!r}")
        if asked:
            one.calls[workload.name] = (await stub.calls() - before) / len(asked)


@contextmanager
def _out_if_it_fails(one: RunningContestant, workload: Workload) -> Generator[None]:
    """An error of a contestant excludes it from the rest and is reported; the benchmark goes on."""
    try:
        yield
    except (OSError, load.NotServedError, ValueError, LookupError, TypeError, EOFError, TimeoutError) as failure:
        one.broken = f"{workload.name}: {failure or type(failure).__name__}"
        say(f"{one.key}: OUT: {one.broken}")


def ours_of(participants: Sequence[RunningContestant]) -> RunningContestant:
    """This project's gateway among the contestants; without it there is nothing to compare with."""
    ours = next(one for one in participants if one.key == OURS)
    if ours.broken:
        raise SystemExit(f"this gateway does not run: {ours.broken}")
    return ours


def _requests(one: RunningContestant, workload: Workload) -> list[load.Request]:
    return one.contestant.dialect.requests(workload) or []


def _at_once(one: RunningContestant, workload: Workload) -> int:
    return min(workload.concurrency, one.contestant.concurrency)


async def rounds(
    participants: Sequence[RunningContestant], stub: Stub, workloads: Sequence[Workload], count: int, seconds: float
) -> None:
    """`count` rounds of all workloads, each round with the contestants in the opposite order of the one before.

    Every contestant has been asked for every workload before the first round, since what a just-in-time compiler does
    with one depends on what it met before. Mercurius answers 100 rows in 0.55 ms if it was asked for single rows first,
    and in 0.95 ms if not.
    """
    for workload in workloads:
        await compare(participants, stub, workload)
        for one in _able_to_answer(participants, workload):
            await _attempt(one, stub, workload, max(seconds, 1.5))
            one.rounds.pop(workload.name, None)  # the first run only warms up
    for n in range(count):
        for workload in workloads:
            able = _able_to_answer(participants, workload)
            for one in able if n % 2 == 0 else able[::-1]:
                await _attempt(one, stub, workload, seconds, n)
            figures = [f"{one.key} {found * 1000:.2f}" for one in able if (found := one.cpu_of(workload))]
            say(f"round {n + 1} of {count}, {workload.name}, median ms: {', '.join(figures)}")


def _able_to_answer(participants: Sequence[RunningContestant], workload: Workload) -> list[RunningContestant]:
    return [one for one in participants if _requests(one, workload)]


async def _attempt(one: RunningContestant, stub: Stub, workload: Workload, seconds: float, number: int = 0) -> None:
    if one.broken:
        return
    with _out_if_it_fails(one, workload):
        try:
            one.rounds.setdefault(workload.name, []).append(await _one_round(one, stub, workload, seconds, number))
        except load.NotServedError as failure:
            one.void.append(f"{workload.name}: {failure}")
            say(f"{one.key}: void: {one.void[-1]}")
            await asyncio.sleep(RECOVERY)


async def _one_round(one: RunningContestant, stub: Stub, workload: Workload, seconds: float, number: int) -> Round:
    assert one.process
    calls = await stub.calls()
    began, used, stub_used = time.perf_counter(), cpu.seconds(one.process), cpu.seconds(stub.process)
    took = await load.run(one.port, _requests(one, workload), _at_once(one, workload), seconds=seconds)
    passed = time.perf_counter() - began
    used, stub_used = cpu.seconds(one.process) - used, cpu.seconds(stub.process) - stub_used
    made = await stub.calls() - calls
    return Round(number, len(took), used / len(took), took, stub_used / passed, used / passed, made / len(took))


async def open_loop(
    participants: Sequence[RunningContestant], workload: Workload, rate: float, count: int, seconds: float
) -> None:
    """Measures latencies at `rate` queries a second that come at random instants; contestants that cannot keep up with
    this rate are left out."""
    able = [one for one in participants if not one.broken and (one.cpu_of(workload) or 1) * rate < 0.9]
    for n in range(count):
        for one in able if n % 2 == 0 else able[::-1]:
            with _out_if_it_fails(one, workload):
                one.open_loop += await load.at_rate(
                    one.port, _requests(one, workload), workload.concurrency, rate=rate, seconds=seconds
                )
        say(f"open loop, round {n + 1} of {count}")


def ratio(of: RunningContestant, to: RunningContestant, workload: Workload) -> float | None:
    """Median of the rounds' ratios."""
    theirs = {one.number: one.cpu for one in to.rounds.get(workload.name, [])}
    ratios = [one.cpu / theirs[one.number] for one in of.rounds.get(workload.name, []) if one.number in theirs]
    return statistics.median(ratios) if ratios else None


def percentile(values: Sequence[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def by_key(participants: Sequence[RunningContestant]) -> Mapping[str, RunningContestant]:
    return {one.key: one for one in participants}
