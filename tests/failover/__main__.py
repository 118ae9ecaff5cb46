"""Takes the primary of a replicated PostgreSQL away under the whole system: `python -m tests.failover`, which is
`make ha-test`.

It fails if an acknowledged write is lost or done twice, if the old primary acknowledges a write after it has gone away,
if a read fails in another form than promised or shows what had been replaced, if those who follow the changes or
subscribe to them are not told each of them once and in order, in the same epoch, if the old primary does not come back
as a standby, or if no write is acknowledged for longer than is allowed.
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

from deploy.local import ROOT
from tests.failover.nodes import MISSING
from tests.failover.run import EVERYTHING, Failover, Result, run

MOST_SECONDS = 300
"""For one of them."""
RATE = 20
SLACK = 2.5
DOCUMENT = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- results of make ha-test -->", "<!-- end of results of make ha-test -->"
COLUMNS = (
    *("no write for, s", "a standby after, s", "requests", "failed", "writes acknowledged", "after a retry"),
    *("lost", "doubled", "acknowledged by the old primary", "renamed rows read"),
    *("changes told", "live events", "mistold"),
)


def cells(result: Result) -> list[str]:
    found = result.found
    counts = (
        *(found.requests, found.unavailable + found.failed_fields, found.acknowledged, found.retried),
        *(len(found.lost), len(found.doubled), result.late, result.read),
        *(found.told, found.events, len(found.mistold)),
    )
    return [found.name, f"{found.without_writes:.1f}", f"{result.back:.1f}", *(f"{one:,}" for one in counts)]


def table(results: Sequence[Result]) -> str:
    rows = [["what happens", *COLUMNS], ["---", *["--:"] * len(COLUMNS)], *map(cells, results)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def write(results: Sequence[Result]) -> None:
    where = (
        f"On {os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()},"
        f" {datetime.now(UTC):%d %b %Y}, at {RATE} requests a second.\n"
    )
    new = f"{BEGIN}\n{where}\n{table(results)}{END}"
    DOCUMENT.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: new, DOCUMENT.read_text(), flags=re.S))


async def play(chosen: Sequence[Failover], results: list[Result]) -> None:
    for failover in chosen:
        with TemporaryDirectory() as directory:
            async with asyncio.timeout(MOST_SECONDS):
                result = await run(failover, Path(directory), rate=RATE, slack=SLACK)
        results.append(result)
        print(f"[{time.strftime('%H:%M:%S')}] {table([result]).splitlines()[-1]}", flush=True)
        for line in result.broken[:10]:
            print(f"    BROKEN: {line[:600]}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.failover", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--only", default="", help="those whose name contains this")
    parser.add_argument("--write", action="store_true", help="put the table into docs/reliability.md")
    arguments = parser.parse_args()
    if arguments.only and arguments.write:
        parser.error("--write is for a whole run")
    if MISSING:
        sys.exit(MISSING)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that `finally` ends the nodes
    chosen = [one for one in EVERYTHING if arguments.only in one.name]
    results, in_time = list[Result](), True
    try:
        uvloop.run(play(chosen, results))
    except TimeoutError as late:
        in_time = False
        print(f"    BROKEN: {late or f'not done in {MOST_SECONDS} s'}; the rest is left out")
    print(f"\n{table(results)}")
    if arguments.write and in_time:
        write(results)
    return 0 if results and in_time and not any(one.broken for one in results) else 1


if __name__ == "__main__":
    sys.exit(main())
