"""Tries to get a wrong row out of gateways that keep rows: `make check-cache`, or `python -m tests.cache_checker`.

Clients write and read through two gateways and straight at the services, while parts of the system fail. Afterwards
nothing may remain that the writes do not explain: no answer older than the bound plus its own time, own writes seen,
nothing that never was, and nobody shown what his token does not allow. `BUG=fill|lost|bypass|key` builds a fault into
the gateways; then the checker must find something within a minute.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop

from tests.cache_checker.run import Outcome, run
from tests.cache_checker.stage import BUGS, CheckedStage

BUG_SECONDS = 60.0


async def check(directory: Path, arguments: argparse.Namespace, bug: str) -> list[Outcome]:
    stage, outcomes = CheckedStage(directory), list[Outcome]()
    async with stage.running():
        for n in range(arguments.runs):
            seconds = min(arguments.seconds, BUG_SECONDS) if bug else arguments.seconds
            outcome = await run(stage, seconds, workers=arguments.workers, bug=bug, seed=arguments.seed + n)
            outcomes.append(outcome)
            print(f"[{time.strftime('%H:%M:%S')}] {outcome.line}", flush=True)
            for one in outcome.found[:10]:
                print(f"    {one[:600]}", flush=True)
    return outcomes


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cache_checker", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=float, default=60, help="how long a run lasts (60)")
    parser.add_argument("--runs", type=int, default=1, help="how many runs (1)")
    parser.add_argument("--workers", type=int, default=1, help="WORKERS of each gateway (1)")
    parser.add_argument("--seed", type=int, default=1)
    arguments, bug = parser.parse_args(), os.environ.pop("BUG", "")
    if bug and bug not in BUGS:
        parser.error(f"BUG is one of {', '.join(BUGS)}, and not {bug!r}")
    print(f"runs of {arguments.seconds:g} s, once the system has started: {arguments.runs}", flush=True)
    with TemporaryDirectory() as directory:
        outcomes = uvloop.run(check(Path(directory), arguments, bug))
    return 0 if all(bool(one.found) == bool(bug) for one in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
