"""Fuzzes all four services for a long time: `python -m tests.fuzz --cases 5000 --seeds 3`, which is `make fuzz-rest`.

It succeeds if no check failed, each service got `--cases` requests in all, and each operation gave 30 good answers.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy import topology
from tests.fuzz import campaign
from tests.system import System, free_offset

MEMORY = 4 * 2**30
"""Bytes of address space that each process may have, the fuzzer and the services; so an input that uses too much memory
fails the run."""
GOOD_ANSWERS = 30
CASES_PER_EXAMPLE = 10
"""A service of one collection has eight operations, and most examples become a good and a bad case."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cases", type=int, default=5000, help="requests to each service, over all seeds")
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    parser.add_argument("--first-seed", type=int, default=int(time.time()), help="repeats an earlier run")
    parser.add_argument("services", nargs="*", default=[one.name for one in topology.SERVICES])
    arguments = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    os.environ["DATABASE_TIMEOUT"] = "30"  # a busy machine must cause no failure
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that `finally` stops the system
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    print(f"seeds: {', '.join(map(str, seeds))} (--first-seed {seeds[0]} --seeds {len(seeds)} repeats this)")
    with TemporaryDirectory() as directory:
        system = System(Path(directory), free_offset(), demo=1)
        try:
            system.says("open GraphiQL")
            passed = [fuzz(name, system.offset, seeds, arguments.cases) for name in arguments.services]
        finally:
            system.stop(signal.SIGTERM)
    return 0 if all(passed) else 1


def fuzz(service: str, offset: int, seeds: range, cases: int) -> bool:
    """Whether `service` passed."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    passed = True
    examples = max(2 * GOOD_ANSWERS, -(-cases // len(seeds) // CASES_PER_EXAMPLE))
    for seed in seeds:
        verdict = campaign.run(service, offset, seed=seed, examples=examples)
        print(f"{service}: seed {seed}: {verdict.cases} cases", flush=True)
        for operation, answers in verdict.counts.items():
            counts[operation].update(answers)
        if not verdict.passed:
            print(verdict.said)
            passed = False
    print(table(service, counts), flush=True)
    met = sum(answers.total() for answers in counts.values())
    poor = [operation for operation, answers in counts.items() if answers["2xx"] < GOOD_ANSWERS]
    if met < cases or poor:
        print(f"{service}: {met} cases of {cases}; fewer than {GOOD_ANSWERS} good answers: {', '.join(poor) or 'none'}")
    return passed and bool(counts) and met >= cases and not poor


def table(service: str, counts: dict[str, Counter[str]]) -> str:
    """What each operation answered, as Markdown."""
    lines = [f"\n| {service} | cases | 2xx | 3xx | 4xx | 5xx |", "|---|---|---|---|---|---|"]
    for operation, answers in sorted(counts.items()):
        cells = [sum(answers.values()), *(answers[status] for status in ("2xx", "3xx", "4xx", "5xx"))]
        lines.append(f"| {operation} | {' | '.join(map(str, cells))} |")
    whole = sum((Counter(answers) for answers in counts.values()), Counter[str]())
    lines.append(f"| all | {whole.total()} | {' | '.join(str(whole[s]) for s in ('2xx', '3xx', '4xx', '5xx'))} |\n")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
