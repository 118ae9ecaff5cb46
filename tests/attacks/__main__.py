"""Attacks the running system: `python -m tests.attacks`, which is `make attack`; `--write` renews docs/security.md.

It fails if a verdict differs from the expected one, if the canary is not answered, or if a process was restarted. One
attacker repeats each attack that is not slow by its nature for `--seconds`, and then several attackers do so at once;
the canary sends its requests meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import signal
import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from tests import issuer
from tests.attacks import identity, joint_reads, report, shares
from tests.attacks.attack import Attack, Target
from tests.attacks.canary import Canary, CanaryAnswers, running_canary
from tests.attacks.report import Result
from tests.attacks.surfaces import SURFACES
from tests.attacks.system import asking_for_tokens, attacked, megabytes, processes
from tests.system import System

ATTACKERS = 4
OPEN_FILES = 8192
"""How many files and sockets this process and the system may have open, if the machine allows it."""
MOST_SECONDS = 90
"""The time limit for one attack."""


async def play(target: Target, attack: Attack, seconds: float, attackers: int) -> tuple[Counter[str], list[float]]:
    """How often each verdict came, and how many milliseconds each attack took."""
    verdicts, took = Counter[str](), list[float]()
    until = time.monotonic() + seconds

    async def repeat() -> None:
        while not took or time.monotonic() < until:
            began = time.monotonic()
            verdicts[await attack.play(target)] += 1
            took.append((time.monotonic() - began) * 1000)
            if attack.slow:
                return

    async with asyncio.timeout(MOST_SECONDS):
        await asyncio.gather(*(repeat() for _ in range(attackers)))
    return verdicts, took


def attack_all(
    system: System, canary: Canary | None, surface: str, attacks: list[Attack], seconds: float
) -> list[Result]:
    results = list[Result]()
    before = processes(system)
    for number, attack in enumerate(attacks):
        target = Target(system.offset, f"127.0.2.{number % 250 + 1}")  # one address would run out of ports
        verdicts, took, felt = Counter[str](), list[list[float]](), list[CanaryAnswers]()
        for attackers in (1,) if attack.slow else (1, ATTACKERS):
            since = time.monotonic()
            ended, milliseconds = asyncio.run(play(target, attack, seconds, attackers))
            verdicts += ended
            took.append(milliseconds)
            felt.append(canary.felt(since, time.monotonic()) if canary else CanaryAnswers())
        wrong = [f"{verdict} ({count})" for verdict, count in verdicts.items() if verdict != attack.expected]
        if canary and not canary.after(time.monotonic()):
            wrong.append("afterwards the canary is not answered")
        if processes(system) != before:
            wrong.append("a process was restarted")
            before = processes(system)
        result = Result(surface, attack, verdicts.total(), took[0], felt[0], None if attack.slow else felt[1], wrong)
        results.append(result)
        print(report.line(result), flush=True)
    return results


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.attacks", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=0.5, help="how long each attack goes on (0.5)")
    parser.add_argument("--only", default="", help="attacks whose name contains this")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/security.md")
    arguments = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < OPEN_FILES <= hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, hard))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that `finally` stops the system
    results, memory = list[Result](), dict[str, tuple[float, float]]()
    quiet: list[float] = []

    def chosen(attacks: list[Attack]) -> list[Attack]:
        return [one for one in attacks if arguments.only in one.name]

    with ExitStack() as stack:
        system = stack.enter_context(attacked(Path(stack.enter_context(TemporaryDirectory()))))
        canary = stack.enter_context(running_canary(8000 + system.offset))
        before = megabytes(processes(system))
        since = time.monotonic()
        time.sleep(3)
        quiet = canary.felt(since, time.monotonic()).milliseconds
        for surface, attacks in SURFACES.items():
            results += attack_all(system, canary, surface, chosen(attacks), arguments.seconds)
        after = megabytes(processes(system))
        memory = {name: (before[name], after[name]) for name in before}
    with ExitStack() as stack:
        ours, theirs = stack.enter_context(issuer.served()), stack.enter_context(issuer.served())
        directory = Path(stack.enter_context(TemporaryDirectory()))
        system = stack.enter_context(attacked(directory, **asking_for_tokens(ours.url)))
        token = issuer.mint(*identity.ALL, exp=int(time.time()) + 3600)
        canary = stack.enter_context(running_canary(8000 + system.offset, token))
        canary.after(time.monotonic())
        attacks = [*identity.ATTACKS, *identity.elsewhere(theirs.url)]
        results += attack_all(system, canary, "identity", chosen(attacks), arguments.seconds)
        if theirs.asked:
            results[-1].wrong.append("keys were asked for where a token said they were")
        results += attack_all(system, canary, "joint reads", chosen(joint_reads.WITH_TOKENS), arguments.seconds)
    # There is no canary, which would soon have used up its share. Each attack checks by itself that another is served.
    with ExitStack() as stack:
        ours, directory = stack.enter_context(issuer.served()), Path(stack.enter_context(TemporaryDirectory()))
        system = stack.enter_context(attacked(directory, **asking_for_tokens(ours.url), **shares.SETTINGS))
        results += attack_all(system, None, "shares", chosen(shares.ATTACKS), 0)
    print(f"\n{report.summary(results, quiet)}\n{report.memory(memory)}")
    if arguments.write:
        report.write(results, quiet, memory, arguments.seconds)
    broken = [result for result in results if result.wrong]
    print(f"{len(results)} attacks, {len(broken)} with a wrong verdict")
    return 1 if broken or not results else 0


if __name__ == "__main__":
    sys.exit(main())
