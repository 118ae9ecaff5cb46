"""Kills, freezes and restarts processes of a system that has several of each: `make scale-test`.

Three gateways and two of each service stand behind the edge (real Caddy), with one store of rates. Clients ask without
repeating a read. It fails if a read fails that no kill excuses, if a write that is sent again by its key is lost or
done twice, if a follower or a subscription misses a change or is told one twice, or if a caller gets too much.
It needs Valkey or Redis. Only one such run at a time is possible on a machine.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import re
import signal
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop

from tests.scale import scenarios, stage
from tests.scale.run import Result, Scenario, run
from tests.store import STORE

MOST_SECONDS = 870
READS = 20_000
SLACK = 2.5
"""Seconds by which an answer may be later than its deadline of 5 s: the edge asks another process after 6 s."""
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "scale.md"
BEGIN, END = "<!-- make scale-test writes from here -->", "<!-- to here -->"
COLUMNS = (
    *("lasted, s", "reads", "failed", "slowest failure, s", "p99, ms", "slowest, s"),
    *("writes", "sent again", "lost", "doubled", "changes told", "mistold"),
)


def table(results: Sequence[Result]) -> str:
    rows = [["what happens", *COLUMNS], ["---", *["--:"] * len(COLUMNS)]]
    for one in results:
        counts = (f"{n:,}" for n in (one.acknowledged, one.sent_again, one.lost, one.doubled, one.told, one.mistold))
        refusal = f"{one.slowest_refusal:.2f}" if one.failed else "-"
        times = (refusal, f"{one.p99 * 1000:.0f}", f"{one.slowest:.2f}")
        rows.append([one.name, f"{one.lasted:.0f}", f"{one.reads:,}", f"{one.failed:,}", *times, *counts])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def write(results: Sequence[Result], rate: float) -> None:
    where = (
        f"{datetime.now(UTC):%d %B %Y}, {os.cpu_count()} cores ({platform.machine()}), Python"
        f" {platform.python_version()}, {rate:g} requests a second.\n"
    )
    text = DOCUMENT.read_text()
    DOCUMENT.write_text(
        re.sub(f"{BEGIN}.*?{END}", lambda _: f"{BEGIN}\n\n{where}\n{table(results)}\n{END}", text, flags=re.S)
    )


async def play(chosen: Sequence[Scenario], rate: float, results: list[Result]) -> None:
    with TemporaryDirectory() as folder, stage.running(Path(folder)) as system:
        async with asyncio.timeout(MOST_SECONDS):
            for scenario in chosen:
                print(f"[{time.strftime('%H:%M:%S')}] {scenario.name} …", flush=True)
                result = await run(system, scenario, rate=rate, callers=stage.ADDRESSES, slack=SLACK)
                results.append(result)
                print(f"    {table([result]).splitlines()[-1]}", flush=True)
                for line in result.wrong[:10]:
                    shown = line if len(line) < 600 else f"{line[:200]} … {line[-400:]}"
                    print(f"    BROKEN: {shown}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.scale", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rate", type=float, default=60, help="requests a second (60)")
    parser.add_argument("--reads", type=int, default=READS, help=f"reads during the restarts, at least ({READS})")
    parser.add_argument("--only", default="", help="scenarios whose name contains this")
    parser.add_argument("--write", action="store_true", help="put the table into docs/scale.md")
    arguments = parser.parse_args()
    if arguments.only and arguments.write:
        parser.error("--write is for a whole run")
    if not STORE:
        parser.error(
            "it needs valkey-server or redis-server: install Debian's valkey or redis, or `brew install valkey`"
        )
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that `finally` ends the processes
    chosen = [one for one in scenarios.everything(arguments.reads) if arguments.only in one.name]
    results, began, in_time = list[Result](), time.monotonic(), True
    try:
        uvloop.run(play(chosen, arguments.rate, results))
    except TimeoutError:
        in_time = False
        print(f"    BROKEN: not done in {MOST_SECONDS} s; the rest is left out")
    print(f"\n{table(results)}\nin {time.monotonic() - began:.0f} s")
    if arguments.write and in_time:
        write(results, arguments.rate)
    return 0 if results and in_time and not any(one.wrong for one in results) else 1


if __name__ == "__main__":
    sys.exit(main())
