"""Breaks every part of the system under load: `python -m tests.faults`, which is `make faults`.

It fails if an acknowledged write is lost or done twice, if a request to healthy parts is not answered, if a failure
differs from what is promised, if those who follow the changes or subscribe to them are not told each of them once and
in order, or if the system or a follower needs 2 s or longer to go on after the cause has ended, or a live query 5 s.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop

from tests.faults import report, scenarios
from tests.faults.run import Result, run
from tests.faults.scenarios import Scenario
from tests.faults.stage import Stage

MOST_SECONDS = 600
SLACK = 0.5
RECOVERY = 2.0
LIVE_RECOVERY = 5.0
"""Within this time each client of live queries has an event again. Some of what they follow changes once a second."""
RESTART_RATE, RESTART_REQUESTS = 65, 5000
TMPFS_MB = 400


def say(line: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {line}", flush=True)


async def play(directory: Path, chosen: list[Scenario], rate: float, results: list[Result]) -> None:
    """Runs the scenarios one after the other on one system, and appends the result of each to `results`."""
    stage = Stage(directory)
    async with stage.running():
        for scenario in chosen:
            at = RESTART_RATE if scenario.name.startswith("rolling") else rate
            result = await run(stage, scenario, rate=at, slack=SLACK)
            results.append(result)
            say(report.line(result))
            for promise in promises(result)[:10]:
                say(f"    BROKEN: {promise[:600]}")


def promises(result: Result) -> list[str]:
    """The promises that were broken."""
    late = [f"recovered after {result.recovery:.1f} s"] if (result.recovery or 0) >= RECOVERY else []
    late += [f"a follower went on after {result.followed:.1f} s"] if (result.followed or 0) >= RECOVERY else []
    late += [f"a live query went on after {result.live:.1f} s"] if (result.live or 0) >= LIVE_RECOVERY else []
    return result.broken_promises + late


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rate", type=float, default=40, help="requests a second (40)")
    parser.add_argument("--only", default="", help="scenarios whose name contains this")
    parser.add_argument("--write", action="store_true", help="put the table into docs/reliability.md")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that `finally` stops the system
    if arguments.only and arguments.write:
        parser.error("--write is for a whole run")
    everything = [scenarios.DISK_FULL, *scenarios.everywhere(), scenarios.rolling(RESTART_REQUESTS, RESTART_RATE)]
    chosen = [one for one in everything if arguments.only in one.name]
    results, began, in_time = list[Result](), time.monotonic(), True
    with ExitStack() as stack:
        try:
            uvloop.run(play_all(stack, chosen, arguments.rate, results))
        except TimeoutError:
            in_time = False
            say(f"    BROKEN: not done in {MOST_SECONDS} s; the rest is left out")
    print(f"\n{report.table(results)}\nin {time.monotonic() - began:.0f} s")
    if arguments.write and in_time:
        report.write(results, arguments.rate)
    return 0 if results and in_time and not any(map(promises, results)) else 1


async def play_all(stack: ExitStack, chosen: list[Scenario], rate: float, results: list[Result]) -> None:
    """Runs the scenario of a full disk on a small system of its own, and the others on another system. Raises
    TimeoutError if it takes too long."""
    async with asyncio.timeout(MOST_SECONDS):
        if scenarios.DISK_FULL in chosen and (small := small_disk(stack)):
            await play(small, [scenarios.DISK_FULL], rate, results)
        if rest := [one for one in chosen if one is not scenarios.DISK_FULL]:
            await play(Path(stack.enter_context(TemporaryDirectory())), rest, rate, results)


def small_disk(stack: ExitStack) -> Path | None:
    """A file system of its own that can be filled; only root may mount one."""
    directory = Path(stack.enter_context(TemporaryDirectory()))
    if os.geteuid() != 0:
        say("disk full: left out, since only root may mount a small file system")
        return None
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={TMPFS_MB}m", "tmpfs", directory], check=False, capture_output=True
    )
    if mounted.returncode != 0:
        say(f"disk full: left out, since mounting is not allowed here: {mounted.stderr.decode().strip()}")
        return None
    stack.callback(subprocess.run, ["umount", "--lazy", directory], check=True)
    return directory


if __name__ == "__main__":
    sys.exit(main())
