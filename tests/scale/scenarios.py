"""What happens to the processes while clients ask."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Sequence

import httpx2

from tests.deploy import processes
from tests.edge.stage import Replica
from tests.faults.stage import until
from tests.scale.run import Course, Scenario
from tests.scale.stage import RATE, ManyOfEach

IN_FLIGHT = 0.2
"""Seconds for which a process is stopped before it is killed, so that requests are under way in it."""
EXPENSIVE = """{ solicitacoes(first: 1000) { nodes { id pessoa { nomePessoa } servico { nomeServico }
  produto { nomeProduto } } } }"""
LIST = "/api/servicos/?page_size=1"
GREEDY_CALLERS = ("127.0.0.2", "127.0.0.3", "127.0.0.7", "127.0.0.8")
LOST, FOUND = "rate limit store lost", "rate limit store found again"
Choice = Callable[[ManyOfEach], Sequence[Replica]]


def rolled(choice: Choice, at_least: int = 0) -> Scenario:
    """Each is told to end, and started again when it has ended, one after another, until `at_least` reads were sent."""

    async def cause(course: Course) -> None:
        while True:
            for replica in choice(course.system):
                await asyncio.to_thread(replica.restart)
            if course.reads() >= at_least:
                return
            print(f"    {course.reads():,} of {at_least:,} reads", flush=True)

    return Scenario("all are restarted, one after another", cause)


def killed(name: str, choice: Choice, *, plain: bool = False) -> Scenario:
    """kill -9 of each, one after another, with requests under way in it. If it is `plain`, nothing is sent again for
    the clients; then it is stopped for longer before, so that surely a read is under way."""

    async def cause(course: Course) -> None:
        for replica in choice(course.system):
            with processes.frozen(replica.process):
                await asyncio.sleep(5 * IN_FLIGHT if plain else IN_FLIGHT)
                await _kill(course, replica)
            await asyncio.sleep(1)
            await _start(replica)

    return Scenario(name, cause, plain=plain)


async def _kill(course: Course, *replicas: Replica) -> None:
    began = time.monotonic()
    await asyncio.gather(*(asyncio.to_thread(replica.kill) for replica in replicas))
    course.kills.append((began, time.monotonic()))


async def _start(replica: Replica) -> None:
    replica.start()
    await asyncio.to_thread(replica.wait_until_ready)


def frozen(name: str, choice: Choice, seconds: float) -> Scenario:
    """SIGSTOP of each for a while, one after another."""

    async def cause(course: Course) -> None:
        for replica in choice(course.system):
            with processes.frozen(replica.process):
                course.freezes.append(time.monotonic())
                await asyncio.sleep(seconds)
            await asyncio.sleep(2)

    return Scenario(name, cause)


async def _without_the_store(course: Course) -> None:
    course.system.store.kill()
    await asyncio.sleep(4)
    course.system.store.start()
    await asyncio.sleep(4)


async def _with_a_frozen_store(course: Course) -> None:
    """It excuses no read."""
    asked = course.system.everything
    lost = said(asked, LOST)
    with processes.frozen(course.system.store.process):
        await asyncio.sleep(5)
    if said(asked, LOST) == lost:
        course.wrong.append("no process noticed that the store was frozen")
    await until(lambda: count_together(asked), "all processes count in the store again")


WITHOUT_THE_STORE = Scenario("kill -9 of the store of rates, away for 4 s", _without_the_store)
FROZEN_STORE = Scenario("the store of rates frozen for 5 s", _with_a_frozen_store)


async def _greedy(course: Course) -> None:
    """One caller spends all that a minute allows, at all processes, of which two are killed meanwhile: no more passes,
    whoever is asked, and what is left falls by what each request costs. A process that lost the store meanwhile has
    counted for itself, and then another caller tries again."""
    system = course.system
    victims = (system.gateways[0], system.edge.replicas["servicos"][0])
    asked = [*system.gateways, *system.edge.replicas["servicos"]]
    for caller in GREEDY_CALLERS:
        if (rest := 60 - time.time() % 60) < 15:
            await asyncio.sleep(rest)
        await until(lambda: count_together(asked), "all processes count in the store")
        lost = said(asked, LOST)
        async with system.edge.client(caller) as client:
            wrong = await _spend_all(client, lambda: _kill(course, *victims))
        counted = said(asked, LOST) == lost
        await asyncio.gather(*map(_start, victims))
        if counted:
            course.wrong += wrong
            return
    course.wrong.append("the store did not answer in time, so rates were not tried")


async def count_together(replicas: Sequence[Replica]) -> bool:
    return said(replicas, LOST) == said(replicas, FOUND)


def said(replicas: Sequence[Replica], text: str) -> int:
    """How many lines of these processes say this."""
    return sum(text in line for replica in replicas for line in list(replica.said))


async def _spend_all(client: httpx2.AsyncClient, kill: Callable[[], Awaitable[None]]) -> list[str]:
    """What was wrong with the answers."""
    answers = [await client.post("/graphql", json={"query": EXPENSIVE}) for _ in range(2)]
    cost = _left(answers[0]) - _left(answers[1])
    listed = [await client.get(LIST) for _ in range(10)]
    await kill()
    while answers[-1].status_code == 200:
        answers += await asyncio.gather(*(client.post("/graphql", json={"query": EXPENSIVE}) for _ in range(4)))
    listed += [await client.get(LIST) for _ in range(10)]
    passed = sum(one.status_code == 200 for one in answers)
    found = [f"{passed} operations of {cost} passed, where {RATE} are allowed"] if passed != RATE // cost else []
    if strange := [one.status_code for one in answers if one.status_code not in (200, 429)]:
        found.append(f"a caller who asks too much was answered {strange}")
    if sorted(map(_left, listed)) != list(range(RATE - len(listed), RATE)):
        found.append(f"two processes of servicos do not count as one: {[_left(one) for one in listed]} are left")
    return found


def _left(answer: httpx2.Response) -> int:
    """What the caller may still spend in this minute."""
    [left] = re.findall(r"r=(\d+)", answer.headers["ratelimit"])
    return int(left)


GREEDY = Scenario("one caller spends more than a minute allows, while two are killed", _greedy, among_few=True)


def everything(reads: int) -> list[Scenario]:
    return [
        GREEDY,
        killed("kill -9 of each gateway", lambda system: system.gateways),
        killed("the same, behind a balancer that sends nothing again", lambda system: system.gateways, plain=True),
        killed("kill -9 of each process of a service", lambda system: system.services),
        frozen("each gateway frozen for 5 s", lambda system: system.gateways, 5),
        frozen("each process of a service frozen for 5 s", lambda system: system.services, 5),
        WITHOUT_THE_STORE,
        FROZEN_STORE,
        rolled(lambda system: system.everything, reads),
    ]
