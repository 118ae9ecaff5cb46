"""Takes the primary of a replicated PostgreSQL away under writes: `python -m tests.failover`, which is `make ha-test`.

It fails if an acknowledged write is lost or done twice, if the old primary acknowledges a write after it has gone away,
if the feed's followers are not told each change once and in order, in the same epoch, if the old primary does not come
back as a standby, or if no write is acknowledged for longer than is allowed.
"""

from __future__ import annotations

import argparse
import asyncio
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
from tests.failover.nodes import TTL, Node
from tests.failover.run import Cause, Result, run

MOST_SECONDS = 240
"""For one scenario."""
STOPPED_SECONDS = 60
DEAD_SECONDS = 30
DOCUMENT = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- results of make ha-test -->", "<!-- end of results of make ha-test -->"
COLUMNS = (
    "writes",
    "acknowledged",
    "after a retry",
    "none for, s",
    "lost",
    "doubled",
    "acknowledged by the old primary",
)
MORE = ("changes told", "mistold", "a standby after, s")


async def killed(primary: Node) -> None:
    """kill -9 of PostgreSQL; its Patroni lives."""
    primary.send(signal.SIGKILL, primary.postgres())


async def stopped(primary: Node) -> None:
    """SIGSTOP of PostgreSQL and its Patroni, as if the machine hung: connections are accepted, and nothing answers."""
    frozen = primary.family()
    primary.send(signal.SIGSTOP, frozen)
    await asyncio.sleep(STOPPED_SECONDS)
    primary.send(signal.SIGCONT, frozen)


async def died(primary: Node) -> None:
    """kill -9 of PostgreSQL and its Patroni, which are started again later."""
    primary.send(signal.SIGKILL, primary.family())
    await asyncio.sleep(DEAD_SECONDS)
    primary.start()


SCENARIOS: dict[str, tuple[Cause, float]] = {
    "PostgreSQL is killed": (killed, 15),
    f"the whole node is stopped for {STOPPED_SECONDS} s": (stopped, TTL + 8),
    f"the whole node is killed, and started {DEAD_SECONDS} s later": (died, TTL + 8),
}
"""Each with the seconds for which no write may be acknowledged. A node that says nothing any more is replaced when its
lease is over, and Patroni allows no lease below 20 s."""


def cells(result: Result) -> list[str]:
    counts = (result.sent, result.acknowledged, result.retried)
    shown = [f"{one:,}" for one in counts] + [f"{result.away:.1f}"]
    shown += [str(one) for one in (len(result.lost), len(result.doubled), result.late)]
    return [result.name, *shown, f"{result.told:,}", str(len(result.mistold)), f"{result.back:.1f}"]


def table(results: Sequence[Result]) -> str:
    rows = [["what happens", *COLUMNS, *MORE], ["---", *["--:"] * len((*COLUMNS, *MORE))], *map(cells, results)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def write(results: Sequence[Result]) -> None:
    where = f"Python {platform.python_version()} ({platform.machine()}), {datetime.now(UTC):%d %b %Y}.\n"
    new = f"{BEGIN}\n{where}\n{table(results)}{END}"
    DOCUMENT.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: new, DOCUMENT.read_text(), flags=re.S))


async def play(chosen: Sequence[str], results: list[Result]) -> bool:
    good = True
    for name in chosen:
        cause, most_away = SCENARIOS[name]
        with TemporaryDirectory() as directory:
            async with asyncio.timeout(MOST_SECONDS):
                result = await run(name, cause, Path(directory))
        results.append(result)
        broken = result.broken(most_away)
        good = good and not broken
        print(f"[{time.strftime('%H:%M:%S')}] {name}: {dict(result.refused)}", flush=True)
        for line in broken[:10]:
            print(f"    BROKEN: {line}", flush=True)
    return good


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.failover", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", default="", help="scenarios whose name contains this")
    parser.add_argument("--write", action="store_true", help="put the table into docs/reliability.md")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that `finally` ends the nodes
    chosen = [name for name in SCENARIOS if arguments.only in name]
    results: list[Result] = []
    good = uvloop.run(play(chosen, results))
    print(table(results))
    if arguments.write and len(results) == len(SCENARIOS):
        write(results)
    return 0 if good and results else 1


if __name__ == "__main__":
    sys.exit(main())
